/* Manifests: what is wrong is found at load with its place and reason, and the examples of right
 * ones hold. The fixtures are the signature schemes and payload shapes of many vendors, with
 * published vectors where there are any. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/config.h"
#include "provider/provider-internal.h"

void suite_provider_manifest(void);

#define HEAD "'name':'x','displayName':'X','category':'c'"
#define HOOK(rest)                                                                                 \
	"{" HEAD                                                                                   \
	",'capabilities':['webhook_receive'],'credentials':{'webhookSecret':{'label':'s'}},"       \
	"'settings':{'e':{'type':'text','label':'E'}},'webhook':{" rest "}}"
#define SIGNED "'signatures':[{'header':'h'}]"
#define ITEM "'items':[{'externalId':'{body.id}','data':'{body}'}]"
#define CALL(rest)                                                                                 \
	"{" HEAD                                                                                   \
	",'capabilities':['actions'],'apiOrigin':'https://a.example','actions':{'go':{" rest "}}}"

static void check(bool is_right, int line, const char *what)
{
	char text[600];

	snprintf(text, sizeof text, "line %d: %s", line, what);
	CU_assertImplementation(is_right, (unsigned)line, text, __FILE__, "", CU_FALSE);
}

/* JSON with ' for ", and \' for '. */
static struct provider *load(struct arena *a, const char *text, struct err *err)
{
	char *json = arena_strdup(a, text);

	size_t n = 0;
	for (const char *p = text; *p != '\0'; p++)
		json[n++] = *p == '\\' && p[1] == '\'' ? *++p : *p == '\'' ? '"' : *p;
	json[n] = '\0';
	json_t *v = json_parse(a, str_from(json), err);
	return v == NULL ? NULL : manifest_load(a, "x.json", v, err);
}

static const struct {
	int line;
	const char *json, *error; /* NULL: loads */
} manifests[] = {
    {__LINE__, "{" HEAD "}", NULL},
    {__LINE__, "[]", "x.json: (root): must be an object"},
    {__LINE__, "{" HEAD ",'colour':1}", "x.json: colour: unknown key"},
    {__LINE__, "{'name':'x','category':'c'}", "x.json: displayName: is needed"},
    {__LINE__, "{'name':'X y','displayName':'X','category':'c'}", "x.json: name: must be at most"},
    {__LINE__, "{'name':5,'displayName':'X','category':'c'}", "x.json: name: must be text"},
    {__LINE__, "{" HEAD ",'isAvailable':1}", "x.json: isAvailable: must be true or false"},
    {__LINE__, "{" HEAD ",'capabilities':['fly']}",
	"x.json: capabilities: unknown capability \"fly\""},
    {__LINE__, "{" HEAD ",'capabilities':['webhook_receive']}", "go together"},
    {__LINE__, "{" HEAD ",'capabilities':['crm_push']}", "needs an action \"push\""},
    {__LINE__, "{" HEAD ",'credentials':{'token':{'label':'t'}}}",
	"x.json: credentials.token: not a word of the credential vocabulary"},
    {__LINE__, "{" HEAD ",'credentials':{'apiKey':{'label':'t','colour':1}}}",
	"x.json: credentials.apiKey.colour: unknown key"},
    {__LINE__, "{" HEAD ",'settings':{'a':{'type':'thing','label':'l'}}}",
	"x.json: settings.a: unknown type \"thing\""},
    {__LINE__, "{" HEAD ",'settings':{'a':{'type':'choice','label':'l'}}}", "needs \"choices\""},
    {__LINE__,
	"{" HEAD ",'settings':{'a':{'type':'object','label':'l','members':{'b':{'label':'l'}}}}}",
	"x.json: settings.a.members.b.type: is needed"},
    {__LINE__, "{" HEAD ",'oauth':{'colour':1}}", "x.json: oauth.colour: unknown key"},
    {__LINE__, "{" HEAD ",'polls':{'p':{'colour':1}}}", "x.json: polls.p.colour: unknown key"},
    {__LINE__, HOOK(SIGNED "," ITEM), NULL},
    {__LINE__, HOOK(ITEM), "x.json: webhook: needs \"signatures\" and \"items\""},
    {__LINE__, HOOK("'body':'xml'," SIGNED "," ITEM), "x.json: webhook.body: unknown word \"xml\""},
    {__LINE__, HOOK("'signatures':[{'header':'h','colour':1}]," ITEM),
	"x.json: webhook.signatures[0].colour: unknown key"},
    {__LINE__, HOOK("'signatures':[{'header':'h','signed':'{boddy}'}]," ITEM),
	"x.json: webhook.signatures[0].signed: \"boddy\" cannot be signed"},
    {__LINE__, HOOK("'signatures':[{'header':'h','signed':'{timestamp}{body}'}]," ITEM),
	"signs a timestamp, but has none"},
    {__LINE__, HOOK("'signatures':[{'header':'h','secret':'apiKey'}]," ITEM),
	"apiKey is not among the credentials"},
    {__LINE__,
	HOOK("'signatures':[{'header':'h','algorithm':'sha512','encoding':'base64url'}]," ITEM),
	NULL},
    {__LINE__, HOOK("'signatures':[{'header':'h','algorithm':'sha-256'}]," ITEM),
	"x.json: webhook.signatures[0].algorithm: unknown algorithm \"sha-256\""},
    {__LINE__, HOOK("'signatures':[{'header':'h','algorithm':'{\\'md5\\'}'}]," ITEM),
	"unknown algorithm \"md5\""},
    {__LINE__, HOOK("'signatures':[{'header':'h','algorithm':{'$first':['sha3']}}]," ITEM),
	"unknown algorithm \"sha3\""},
    {__LINE__, HOOK("'signatures':[{'header':'h','algorithm':{'a':'sha1'}}]," ITEM),
	"x.json: webhook.signatures[0].algorithm: must be text"},
    {__LINE__, HOOK("'signatures':[{'header':'h','encoding':'base32'}]," ITEM),
	"x.json: webhook.signatures[0].encoding: unknown encoding \"base32\""},
    {__LINE__, HOOK("'signatures':[{'header':'h','encoding':'{settings.e || \\'HEX\\'}'}]," ITEM),
	"unknown encoding \"HEX\""},
    {__LINE__, HOOK("'signatures':[{'header':'h','encoding':'{settings.e}'}]," ITEM), NULL},
    {__LINE__, HOOK("'signatures':[{'header':'h','encoding':'{settings.f}'}]," ITEM),
	"there is no \"f\" here, but e, externalAccountId"},
    {__LINE__,
	CALL("'label':'l','inputs':{'id':{'type':'text','label':'i'}},"
	     "'request':{'method':'GET','path':'/{input.idd}'},'output':'{answer}'"),
	"x.json: actions.go.request.path: there is no \"idd\" here, but id"},
    {__LINE__,
	CALL("'label':'l','inputs':{'id':{'type':'json','label':'i'}},"
	     "'request':{'method':'GET','path':'/{input.id.a}'},'output':'{answer}'"),
	NULL},
    {__LINE__, HOOK("'signatures':[{}]," ITEM),
	"needs either \"header\", \"token\" or \"parameter\""},
    {__LINE__,
	HOOK("'signatures':[{'header':'h','timestamp':{'header':'t','windowSeconds':0}}]," ITEM),
	"x.json: webhook.signatures[0].timestamp.windowSeconds: must be an integer from 1"},
    {__LINE__, HOOK(SIGNED ",'items':[{'externalId':'{bodi.id}','data':'{body}'}]"),
	"x.json: webhook.items[0].externalId: \"bodi\" is not known here"},
    {__LINE__,
	HOOK(SIGNED ",'items':[{'externalId':'{credentials.webhookSecret}','data':'{body}'}]"),
	"\"credentials\" is not known here"},
    {__LINE__, HOOK(SIGNED ",'items':[{'externalId':'{body.id','data':'{body}'}]"),
	"is not closed"},
    {__LINE__, HOOK(SIGNED ",'items':[{'externalId':'{body..id}','data':'{body}'}]"),
	"x.json: webhook.items[0].externalId:"},
    {__LINE__, HOOK(SIGNED ",'items':[{'externalId':'{body.id:shout}','data':'{body}'}]"),
	"unknown filter \"shout\""},
    {__LINE__, HOOK(SIGNED ",'items':[{'externalId':'{body.id:before}','data':'{body}'}]"),
	"filter before: a wrong argument"},
    {__LINE__, HOOK(SIGNED ",'items':[{'externalId':{'$nap':1},'data':'{body}'}]"),
	"x.json: webhook.items[0].externalId: unknown operator $nap"},
    {__LINE__,
	HOOK(SIGNED ",'items':[{'for':[{'e':'body.e'}],'externalId':'{f.id}','data':'{e}'}]"),
	"\"f\" is not known here"},
    {__LINE__,
	HOOK(SIGNED ",'items':[{'for':[{'e':'body.e'}],'externalId':'{e.id}','data':'{e}'},"
		    "{'externalId':'{e.id}','data':'{body}'}]"),
	"x.json: webhook.items[1].externalId: \"e\" is not"},
    {__LINE__,
	HOOK(
	    SIGNED ",'items':[{'externalId':'{body.id}','data':'{body}','when':{'ref':'body.a'}}]"),
	"x.json: webhook.items[0].when: needs \"ref\" and one test"},
    {__LINE__,
	HOOK(SIGNED ",'items':[{'externalId':'{body.id}','data':'{body}',"
		    "'when':[{'ref':'body.a','equals':{}}]}]"),
	"x.json: webhook.items[0].when[0]: must be compared"},
    {__LINE__, HOOK(SIGNED "," ITEM ",'answer':{'json':{}}"),
	"x.json: webhook.answer: needs \"text\""},
    {__LINE__, HOOK(SIGNED "," ITEM ",'handshakes':[{'method':'PUT'}]"), "unknown word \"PUT\""},
    {__LINE__, CALL("'label':'l','request':{'method':'GET','path':'/x'},'output':'{answer}'"),
	NULL},
    {__LINE__, CALL("'label':'l','request':{'method':'GET','path':'/x'}"),
	"x.json: actions.go: needs either \"output\", \"paging\", or"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},'items':'{answer}','single':true"),
	NULL},
    {__LINE__, CALL("'label':'l','request':{'method':'GET','path':'/x'},'items':'{answer}'"),
	"has either \"paging\", or \"items\" with \"single\": true"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},"
	     "'paging':{'kind':'spiral','items':'{answer}'}"),
	"x.json: actions.go.paging.kind: unknown word \"spiral\""},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},"
	     "'paging':{'kind':'offset','items':'{answer}','start':'at'}"),
	"x.json: actions.go.paging.count: is needed for this kind"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},"
	     "'paging':{'kind':'link','items':'{answer}','cursor':'{answer.c}'}"),
	"x.json: actions.go.paging.cursor: unknown key"},
    {__LINE__,
	CALL("'label':'l','inputs':{'after':{'type':'text','label':'a'}},"
	     "'request':{'method':'GET','path':'/x'},"
	     "'paging':{'items':'{answer}','cursor':'{answer.c}','input':'before'}"),
	"x.json: actions.go.paging: before is no input of the action"},
    {__LINE__,
	CALL("'label':'l','inputs':{'cursor':{'type':'text','label':'a'}},"
	     "'request':{'method':'GET','path':'/x'},"
	     "'paging':{'kind':'nextUrl','items':'{answer}','value':'{answer.c}'}"),
	"the input \"cursor\" is its own"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/{version}'},'output':'{answer}'"),
	"x.json: actions.go.request.path: \"version\" is not known here"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},'output':'{answer}',"
	     "'answer':{'expect':'xml'}"),
	"x.json: actions.go.answer.expect: unknown word \"xml\""},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},'output':'{answer}',"
	     "'answer':{'maxBytes':33554433}"),
	"x.json: actions.go.answer.maxBytes: must be an integer from 1"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},'output':'{answer}',"
	     "'errors':[{'when':{'ref':'status','equals':1},'class':'retry',"
	     "'retryAfter':{'value':'{answer.s}'}}]"),
	"x.json: actions.go.errors[0].retryAfter: needs \"value\" and \"unit\""},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},'output':'{answer}',"
	     "'pace':[{'used':'{answer.u}'}]"),
	"x.json: actions.go.pace[0]: needs \"limit\""},
    {__LINE__,
	CALL("'label':'l','request':{'method':'POST','path':'/x','json':{},'text':'a'},"
	     "'output':'{answer}'"),
	"x.json: actions.go.request: has one of"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'POST','path':'/x','formStyle':'dots'},"
	     "'output':'{answer}'"),
	"x.json: actions.go.request.formStyle: unknown word \"dots\""},
    {__LINE__, "{" HEAD ",'apiOrigin':'{settings.baseUrl}'}",
	"x.json: apiOrigin: is all from a setting"},
    {__LINE__, "{" HEAD ",'originPattern':['https://a.*.example']}",
	"x.json: originPattern: \"https://a.*.example\" is none"},
    {__LINE__, "{" HEAD ",'version':{'value':'1','ends':'soon'}}",
	"x.json: version.ends: must be a day such as 2027-02-23"},
    {__LINE__, "{" HEAD ",'version':{'value':'1','ends':'2027-02'}}", NULL},
    {__LINE__, "{" HEAD ",'settings':{'a':{'type':'host','label':'l'}}}",
	"x.json: settings.a: a host, and only that, needs a \"suffix\""},
    {__LINE__, "{" HEAD ",'auth':[{'type':'bearer','credential':'app.clientSecret'}]}",
	"x.json: auth[0]: app.clientSecret is not among the credentials"},
    {__LINE__,
	"{" HEAD ",'credentials':{'username':{'label':'u'},'password':{'label':'p'}},"
	"'auth':{'type':'basic','username':'{usernam}/token','password':'password'}}",
	"x.json: auth: usernam is not among the credentials"},
    {__LINE__, "{" HEAD ",'request':{'query':{'p':{'hmac':{'key':'apiKey','of':'apiKey'}}}}}",
	"x.json: request.query.p.hmac.key: apiKey is not among the credentials"},
    {__LINE__, "{" HEAD ",'batches':{'push':{'action':'go','max':1,'input':{}}}}",
	"x.json: batches.push: needs a known \"action\""},
    {__LINE__, "{" HEAD ",'forms':{'action':'go','id':'{form.id}'}}",
	"x.json: forms: needs an \"action\" that gives a list"},
    {__LINE__, "{" HEAD ",'lists':{'a':{'action':'go','value':'{item.id}','label':'{item.id}'}}}",
	"x.json: lists.a: needs an \"action\" that gives a list"},
    {__LINE__,
	CALL("'label':'l','inputs':{'to':{'type':'text','label':'To','list':'people'}},"
	     "'request':{'method':'GET','path':'/x'},'output':'{answer}'"),
	"x.json: actions: go.inputs.to: there is no list people"},
    {__LINE__,
	CALL("'label':'l','inputs':{'to':{'type':'integer','label':'To','list':'people'}},"
	     "'request':{'method':'GET','path':'/x'},'output':'{answer}'"),
	"x.json: actions.go.inputs.to.list: is of texts without"},
    {__LINE__, CALL("'label':'l','request':{'method':'GET'},'output':'{answer}'"),
	"x.json: actions.go.request: needs \"method\" and either"},
    {__LINE__,
	CALL("'label':'l','needs':['accessToken'],'request':{'method':'GET','path':'/x'},"
	     "'output':'{answer}'"),
	"accessToken is not among the credentials"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},'output':'{answer}',"
	     "'errors':[{'when':{'ref':'status','equals':1},'class':'sad'}]"),
	"a \"class\" of ok, retry"},
    {__LINE__,
	CALL("'label':'l','request':{'method':'GET','path':'/x'},'output':'{answer}',"
	     "'errors':[{'when':{'ref':'status','equals':1},'class':'auth','text':'{answer.x}'}]"),
	"x.json: actions.go.errors[0].text: holds no placeholders"},
    {__LINE__, "{" HEAD ",'testAction':'nope'}", "x.json: testAction: there is no such action"},
    {__LINE__, "{" HEAD ",'auth':{'type':'header'}}", "x.json: auth: needs \"name\""},
    {__LINE__, "{" HEAD ",'lead':{'names':{'email':'mail'},'object':'{raw}'}}",
	"x.json: lead.names.email: must be a member of the normalized lead"},
    {__LINE__, "{" HEAD ",'lead':{'names':{},'object':'{raw}','groups':[]}}",
	"x.json: lead: needs either \"for\""},
    {__LINE__, "{" HEAD ",'lead':{'names':{},'groups':[{'for':[{'f':'raw.f'}],'name':'{f.k}'}]}}",
	"x.json: lead.groups[0]: needs \"for\", \"name\" and \"value\""},
};

static void wrong_manifests_say_where_and_why(void)
{
	for (size_t i = 0; i < sizeof manifests / sizeof *manifests; i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct provider *p = load(a, manifests[i].json, &err);

		if (manifests[i].error == NULL)
			check(p != NULL, manifests[i].line, err.msg);
		else
			check(p == NULL && err.code == ERR_INVALID &&
				  strstr(err.msg, manifests[i].error) != NULL,
			    manifests[i].line, err.msg);
		arena_free(a);
	}
}

/* What settings say of a signature is looked at when they are saved. */
static void settings_choose_what_there_is(void)
{
	static const struct {
		int line;
		const char *settings, *field, *reason; /* NULL: taken */
	} rows[] = {
	    {__LINE__, "{}", NULL, NULL},
	    {__LINE__, "{\"hash\":\"sha1\",\"form\":\"base64url\"}", NULL, NULL},
	    {__LINE__, "{\"hash\":\"sha-1\"}", "settings.hash", "unknown algorithm \"sha-1\""},
	    {__LINE__, "{\"form\":\"hexx\"}", "settings.form", "unknown encoding \"hexx\""},
	};
	struct arena *a = arena_new();
	struct provider *p = manifest_load_file(
	    a, CONNECT_SRCDIR "/tests/unit/fixtures/provider/sha512_base64url.json", NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = ERR_INIT;
		int rc = webhook_check_settings(
		    p, a, json_parse(a, str_from(rows[i].settings), NULL), &err);

		check(rc == (rows[i].field == NULL ? 0 : -1), rows[i].line, err.msg);
		if (rows[i].field != NULL)
			check(err.code == ERR_INVALID && strcmp(err.field, rows[i].field) == 0 &&
				  strcmp(err.msg, rows[i].reason) == 0,
			    rows[i].line, err.msg);
	}
	arena_free(a);
}

/* Runs the examples of every manifest of a folder. */
static void run_folder(const char *folder, size_t least)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while (d != NULL && (e = readdir(d)) != NULL) {
		struct err err = ERR_INIT;
		struct buf out;
		char path[1024];

		if (!str_ends(str_from(e->d_name), ".json"))
			continue;
		n++;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		buf_init(&out, 1u << 20);
		int failures = provider_check(path, &out, &err);
		check(failures == 0, __LINE__, failures < 0 ? err.msg : e->d_name);
		if (failures > 0)
			printf("%s", out.p);
		buf_fini(&out);
	}
	closedir(d);
	CU_ASSERT(n >= least);
}

static void examples_of_the_product_hold(void)
{
	run_folder(CONNECT_SRCDIR "/providers", 5);
}

static void schemes_and_payloads_of_many_vendors_hold(void)
{
	run_folder(CONNECT_SRCDIR "/tests/unit/fixtures/provider", 14);
}

/* What an example expects wrongly is counted and shown. */
static void a_wrong_example_fails(void)
{
	static const char json[] =
	    "{\"name\":\"x\",\"displayName\":\"X\",\"category\":\"c\",\"capabilities\":[\"webhook_"
	    "receive\"],"
	    "\"credentials\":{\"webhookSecret\":{\"label\":\"s\"}},"
	    "\"webhook\":{\"signatures\":[{\"header\":\"h\"}],"
	    "\"items\":[{\"externalId\":\"{body.id}\",\"data\":\"{body}\"}]},\"examples\":["
	    "{\"name\":\"one\",\"connection\":{\"credentials\":{\"webhookSecret\":\"s\"}},"
	    "\"request\":{\"method\":\"POST\",\"body\":\"{}\"},\"expect\":{\"verified\":true,"
	    "\"items\":[1]}},"
	    "{\"name\":\"two\",\"expect\":{}},{\"name\":\"three\",\"expect\":{\"colour\":1}}]}";
	char path[] = "/tmp/connect-manifest-XXXXXX";
	int fd = mkstemp(path);
	struct err err = ERR_INIT;
	struct buf out;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, json, sizeof json - 1), (ssize_t)(sizeof json - 1));
	close(fd);
	buf_init(&out, 1u << 16);
	CU_ASSERT_EQUAL(provider_check(path, &out, &err), 4);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "not ok 2 - one: verdict"));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "missing signature header"));
	buf_fini(&out);
	unlink(path);
}

/* What examples do not show is told: the second page of a list, an error rule, a call of a
 * subscription. */
static void what_no_example_shows_is_told(void)
{
	static const char json[] =
	    "{\"name\":\"x\",\"displayName\":\"X\",\"category\":\"c\",\"capabilities\":["
	    "\"actions\","
	    "\"webhook_receive\"],\"apiOrigin\":\"https://x.example\","
	    "\"credentials\":{\"webhookSecret\":{\"label\":\"s\"}},"
	    "\"webhook\":{\"signatures\":[{\"header\":\"h\"}],"
	    "\"items\":[{\"externalId\":\"{body.id}\",\"data\":\"{body}\"}]},"
	    "\"errors\":[{\"when\":{\"ref\":\"status\",\"equals\":\"418\"},\"class\":\"fatal\"}],"
	    "\"actions\":{\"list\":{\"label\":\"L\",\"inputs\":{\"after\":{\"type\":\"text\","
	    "\"label\":"
	    "\"A\"}},\"request\":{\"method\":\"GET\",\"path\":\"/"
	    "l\"},\"paging\":{\"kind\":\"cursor\","
	    "\"items\":\"{answer.v}\",\"cursor\":\"{answer.next}\",\"input\":\"after\"}},"
	    "\"make\":{\"label\":\"M\",\"request\":{\"method\":\"POST\",\"path\":\"/m\"},"
	    "\"output\":\"{answer}\"}},"
	    "\"subscriptions\":{\"s\":{\"label\":\"S\",\"create\":{\"action\":\"make\"},"
	    "\"id\":\"{output.id}\"}},\"examples\":["
	    "{\"name\":\"first\",\"action\":\"list\",\"answer\":{\"status\":200,\"json\":{\"v\":[]}"
	    "},"
	    "\"expect\":{\"result\":{\"class\":\"ok\",\"output\":{\"items\":[],\"nextCursor\":null}"
	    "}}}]}";
	char path[] = "/tmp/connect-manifest-XXXXXX";
	int fd = mkstemp(path);
	struct err err = ERR_INIT;
	struct buf out;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, json, sizeof json - 1), (ssize_t)(sizeof json - 1));
	close(fd);
	buf_init(&out, 1u << 16);
	CU_ASSERT_EQUAL(provider_check(path, &out, &err), 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "falls under errors[0]"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(out.p, "list has none: an example whose inputs have \"after\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(out.p, "none shows \"create\" of the subscription s"));
	buf_fini(&out);
	unlink(path);
}

static void a_folder_is_loaded(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct providers *ps = providers_load(a, CONNECT_SRCDIR "/providers", &err);

	CU_ASSERT_PTR_NOT_NULL_FATAL(ps);
	const struct provider *meta = ps == NULL ? NULL : provider_find(ps, STR("meta_lead_ads"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(meta);
	if (ps != NULL && meta != NULL) {
		CU_ASSERT_PTR_NULL(provider_find(ps, STR("no_such")));
		CU_ASSERT(provider_can(meta, "webhook_receive"));
		CU_ASSERT(!provider_can(meta, "crm_push"));
		CU_ASSERT_STRING_EQUAL(provider_details_action(meta, "lead"), "fetch_lead");
		CU_ASSERT_PTR_NULL(provider_details_action(meta, "cow"));
		json_t *o = json_own(a, provider_json(meta));
		CU_ASSERT_EQUAL(json_object_size(o), 6);
	}
	err_clear(&err);
	CU_ASSERT_PTR_NULL(providers_load(a, "/nonexistent", &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "/nonexistent: cannot be read"));
	arena_free(a);
}

static void a_stand_in_is_called_in_place_of_its_provider(void)
{
	static const struct {
		const char *url, *wire;
	} rows[] = {
	    {"https://a.example/token?x=%20&y", "http://127.0.0.1:8081/x/a.example/token?x=%20&y"},
	    {"HTTPS://a.example", "http://127.0.0.1:8081/x/a.example"},
	    {"http://a.example/token", "http://a.example/token"},
	};
	const struct config far = {.provider_origins = "y=http://z, x=http://127.0.0.1:8081/x/"};
	const struct config none = {.provider_origins = "y=http://z"}, unset = {0};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct provider *p = load(a, "{" HEAD "}", &err);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_STRING_EQUAL(provider_wire_url(&far, a, p, rows[i].url), rows[i].wire);
	CU_ASSERT_STRING_EQUAL(provider_wire_url(&none, a, p, rows[0].url), rows[0].url);
	CU_ASSERT_STRING_EQUAL(provider_wire_url(&unset, a, p, rows[0].url), rows[0].url);
	arena_free(a);
}

void suite_provider_manifest(void)
{
	CU_pSuite s = CU_add_suite("provider_manifest", NULL, NULL);

	CU_add_test(s, "wrong manifests say where and why", wrong_manifests_say_where_and_why);
	CU_add_test(s, "settings choose what there is", settings_choose_what_there_is);
	CU_add_test(s, "a stand-in is called in place of its provider",
	    a_stand_in_is_called_in_place_of_its_provider);
	CU_add_test(s, "a folder is loaded", a_folder_is_loaded);
	CU_add_test(
	    s, "the examples of the product's manifests hold", examples_of_the_product_hold);
	CU_add_test(s, "schemes and payloads of many vendors hold",
	    schemes_and_payloads_of_many_vendors_hold);
	CU_add_test(s, "a wrong example fails", a_wrong_example_fails);
	CU_add_test(s, "what no example shows is told", what_no_example_shows_is_told);
}
