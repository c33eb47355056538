/* The sandbox as its callers see it: each request goes through the router to the handlers. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "base/file.h"
#include "http/conn.h"
#include "http/form.h"
#include "sandbox/journal.h"
#include "sandbox/sandbox.h"
#include "sandbox/signing.h"

#ifndef CONNECT_SRCDIR
#define CONNECT_SRCDIR "."
#endif

void suite_sandbox_routes(void);

static struct arena *a;
static struct sandbox s;
static struct router *router;
static char dir[64];

static const char product_json[] =
    "{\"productUrl\":\"http://"
    "127.0.0.1:1\",\"metaConnectionId\":\"c-1\",\"metaAppSecret\":\"hush\","
    "\"pageId\":\"153125381133\",\"formId\":\"123123123\"}";

static int begin(void)
{
	struct err err = ERR_INIT;

	a = arena_new();
	snprintf(dir, sizeof(dir), "/tmp/connect-sandbox-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	if (file_replace(arena_printf(a, "%s/sandbox.json", dir), str_from(product_json), &err) !=
		0 ||
	    sandbox_init(&s, a, arena_printf(a, "%s/a/b", dir),
		arena_printf(a, "%s/credentials.json", dir), CONNECT_SRCDIR "/templates-sandbox",
		&err) != 0 ||
	    (router = router_new(a, sandbox_routes, sandbox_nroutes, &sandbox_hooks, &err)) ==
		NULL) {
		printf("# %s\n", err.msg);
		return -1;
	}
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(name);
}

static int end(void)
{
	arena_free(a);
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- asking ------------------------------------------------------------------------------- */

struct answer {
	int status;
	json_t *json;
	struct str text;
	const char *headers;
	bool is_cut;
};

/* target has the query; headers are "name: value\n" lines. */
static struct answer ask(
    enum http_method method, const char *target, const char *headers, const char *body)
{
	struct http_pair *pairs = arena_array(a, 8, sizeof(*pairs));
	const char *question = strchr(target, '?');
	struct str rest = str_from(headers), line, name;
	struct req r;

	req_init(&r, a, &s.app);
	r.method = method;
	r.host = STR("sandbox.test");
	r.path = str_from(target);
	if (question != NULL) {
		r.path.n = (size_t)(question - target);
		r.query_string = str_from(question + 1);
		CU_ASSERT_EQUAL(form_parse(a, r.query_string, &r.query, NULL), 0);
	}
	r.headers.v = pairs;
	while (rest.n > 0 && str_split(&rest, '\n', &line)) {
		CU_ASSERT(str_split(&line, ':', &name));
		pairs[r.headers.n].name = name;
		pairs[r.headers.n++].value = str_trim(line);
	}
	r.content_type = http_pairs_get(&r.headers, "content-type");
	r.body = str_from(body);
	router_dispatch(router, &r);
	return (struct answer){r.res.status,
	    json_parse(a, (struct str){r.res.body->p, r.res.body->len}, NULL),
	    {r.res.body->p, r.res.body->len}, r.res.headers->p, conn_of(&r)->is_cut};
}

#define TOKEN "authorization: Bearer sandbox-page-token"
#define JSON "content-type: application/json"
#define FORM "content-type: application/x-www-form-urlencoded"

static struct answer get(const char *target)
{
	return ask(HTTP_GET, target, TOKEN, NULL);
}

static bool has(struct answer x, const char *text)
{
	return memmem(x.text.p, x.text.n, text, strlen(text)) != NULL;
}

static int64_t error_code(struct answer x)
{
	return json_int(json_object_get(x.json, "error"), "code");
}

static void set_faults(const char *text)
{
	CU_ASSERT_EQUAL(ask(HTTP_PUT, "/sandbox/api/faults", JSON, text).status, 200);
}

/* ---- the Graph API ------------------------------------------------------------------------ */

static void test_graph_errors(void)
{
	const struct {
		int line;
		const char *target, *headers;
		int status, code;
	} rows[] = {
	    {__LINE__, "/meta_lead_ads/v25.0/1234567890", "", 400, 104},
	    {__LINE__, "/meta_lead_ads/v25.0/1234567890", "authorization: Bearer wrong", 401, 190},
	    {__LINE__, "/meta_lead_ads/v25.0/1234567890?access_token=wrong", "", 401, 190},
	    {__LINE__, "/meta_lead_ads/v25.0/123", TOKEN, 400, 100},
	    {__LINE__, "/meta_lead_ads/v25.0/abcdefghijk", TOKEN, 400, 100},
	    {__LINE__, "/meta_lead_ads/v25.0/1234567890?fields=id,nothing", TOKEN, 400, 100},
	    {__LINE__, "/meta_lead_ads/v25.0/1234567890/nothing", TOKEN, 400, 100},
	    {__LINE__, "/meta_lead_ads/v25.0/123123123/leads?after=!", TOKEN, 400, 100},
	    {__LINE__, "/meta_lead_ads/v25.0/123123123/leads?limit=x", TOKEN, 400, 100},
	    {__LINE__, "/meta_lead_ads/v25.0/123123123/leads?filtering=[1]", TOKEN, 400, 100},
	    {__LINE__, "/meta_lead_ads/v25.0/oauth/access_token?client_id=1", "", 400, 101},
	    {__LINE__, "/meta_lead_ads/v25.0/1/2/3", TOKEN, 404, 2500},
	    {__LINE__, "/meta_lead_ads/a/b/c", TOKEN, 404, 2500},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct answer x = ask(HTTP_GET, rows[i].target, rows[i].headers, NULL);

		if (x.status != rows[i].status || error_code(x) != rows[i].code)
			printf(
			    "# line %d: %d, code %d\n", rows[i].line, x.status, (int)error_code(x));
		CU_ASSERT_EQUAL(x.status, rows[i].status);
		CU_ASSERT_EQUAL(error_code(x), rows[i].code);
	}
	CU_ASSERT_EQUAL(
	    json_int(json_object_get(get("/meta_lead_ads/v25.0/1").json, "error"), "error_subcode"),
	    33);
}

static void test_graph_invented(void)
{
	const struct answer
	    one = get("/meta_lead_ads/v25.0/444444444444?fields=id,form_id,field_data"),
	    again = ask(HTTP_GET,
		"/meta_lead_ads/444444444444?fields=id,form_id,field_data&access_token="
		"sandbox-page-token",
		"", NULL),
	    other = get("/meta_lead_ads/v9.0/444444444445");

	CU_ASSERT_EQUAL(one.status, 200);
	CU_ASSERT_STRING_EQUAL(json_str(one.json, "id"), "444444444444");
	CU_ASSERT_STRING_EQUAL(json_str(one.json, "form_id"), "123123123");
	CU_ASSERT(json_array_size(json_object_get(one.json, "field_data")) >= 4);
	CU_ASSERT_PTR_NULL(json_object_get(one.json, "created_time"));
	CU_ASSERT(json_equal(one.json, again.json));
	CU_ASSERT(has(one, "lead.444444444444@example.com"));
	CU_ASSERT_FALSE(json_equal(
	    json_object_get(one.json, "field_data"), json_object_get(other.json, "field_data")));
	CU_ASSERT_PTR_NOT_NULL(strstr(one.headers, "X-App-Usage"));
}

static void test_graph_page(void)
{
	struct answer x = ask(HTTP_POST, "/meta_lead_ads/v25.0/153125381133/leadgen_forms",
	    TOKEN "\n" JSON, "{\"name\":\"Second\"}");
	const char *form_id = json_str(x.json, "id");

	CU_ASSERT_PTR_NOT_NULL_FATAL(form_id);
	x = get("/meta_lead_ads/v25.0/153125381133/leadgen_forms");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(x.json, "data")), 2);
	CU_ASSERT_STRING_EQUAL(
	    json_str(get(arena_printf(a, "/meta_lead_ads/v25.0/%s", form_id)).json, "name"),
	    "Second");
	x = ask(HTTP_POST,
	    "/meta_lead_ads/v25.0/153125381133/subscribed_apps?subscribed_fields=leadgen", TOKEN,
	    NULL);
	CU_ASSERT(json_bool(x.json, "success"));
	CU_ASSERT_STRING_EQUAL(
	    json_str(get("/meta_lead_ads/v25.0/153125381133").json, "name"), "Sandbox page");
	CU_ASSERT(has(get("/meta_lead_ads/v25.0/me/accounts"), "sandbox-page-token"));
	x = ask(HTTP_GET,
	    "/meta_lead_ads/v25.0/oauth/"
	    "access_token?client_id=sandbox-client&client_secret=sandbox-client-secret&grant_type="
	    "fb_exchange_token&fb_exchange_token=sandbox-user-token",
	    "", NULL);
	CU_ASSERT(
	    str_starts(str_from(json_str(x.json, "access_token")), "sandbox-meta_lead_ads-at-"));
}

/* Walks all pages of a form and counts the leads; 0 when one came twice. */
static size_t walk(const char *form_id, int limit, size_t *pages)
{
	const char *target =
	    arena_printf(a, "/meta_lead_ads/v25.0/%s/leads?limit=%d&fields=id", form_id, limit);
	json_t *seen = json_own(a, json_object());
	size_t n = 0;

	for (*pages = 1;; (*pages)++) {
		const struct answer x = get(target);
		const json_t *data = json_object_get(x.json, "data"), *lead;
		const char *next = json_str(json_object_get(x.json, "paging"), "next");
		size_t i;

		json_array_each(data, i, lead) {
			n++;
			if (json_object_get(seen, json_str(lead, "id")) != NULL)
				return 0;
			json_set_bool(seen, json_str(lead, "id"), true);
		}
		if (next == NULL)
			return n;
		CU_ASSERT_EQUAL_FATAL(strncmp(next, "http://sandbox.test/", 20), 0);
		target = next + 19;
	}
}

static void test_graph_leads(void)
{
	struct answer x;
	size_t pages;

	CU_ASSERT_EQUAL(walk("123123123", 10, &pages), 0);
	x = ask(HTTP_POST, "/sandbox/api/leads", JSON, "{\"count\":25}");
	CU_ASSERT_EQUAL(x.status, 201);
	CU_ASSERT_EQUAL(walk("123123123", 10, &pages), 25);
	CU_ASSERT_EQUAL(pages, 3);
	CU_ASSERT_EQUAL(walk("123123123", 25, &pages), 25);
	CU_ASSERT_EQUAL(pages, 1);
	x = get("/meta_lead_ads/v25.0/123123123/"
		"leads?filtering=[{\"field\":\"time_created\",\"operator\":"
		"\"GREATER_THAN\",\"value\":4000000000}]");
	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(x.json, "data")), 0);
	CU_ASSERT_PTR_NULL(json_object_get(x.json, "paging"));
	x = ask(HTTP_POST, "/sandbox/api/leads", JSON,
	    "{\"email\":\"w@x.y\",\"first_name\":\"W\",\"last_name\":\"Y\"}");
	x = get(arena_printf(a, "/meta_lead_ads/v25.0/%s",
	    json_string_value(json_array_get(json_object_get(x.json, "ids"), 0))));
	CU_ASSERT(has(x, "w@x.y"));
	CU_ASSERT(has(x, "first_name"));
}

/* ---- the CRM ------------------------------------------------------------------------------ */

static void test_sink(void)
{
	struct answer x = ask(HTTP_POST, "/crm/one",
	    JSON "\nidempotency-key: k-1\n"
		 "authorization: Bearer secret-1\nx-api-key: secret-2",
	    "{\"email\":\"a@b.co\"}");
	const char *id = json_str(x.json, "id");
	const json_t *line;

	CU_ASSERT_EQUAL(x.status, 201);
	CU_ASSERT_PTR_NOT_NULL_FATAL(id);
	x = ask(HTTP_POST, "/crm/one", JSON "\nidempotency-key: k-1", "{\"email\":\"a@b.co\"}");
	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT_STRING_EQUAL(json_str(x.json, "id"), id);
	CU_ASSERT_EQUAL(ask(HTTP_PUT, "/crm/one", "idempotency-key: k-2", "text").status, 201);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/crm/two", "idempotency-key: k-1", "\xff\xfe").status, 201);
	x = ask(HTTP_GET, "/crm/one", "", NULL);
	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT(json_bool(x.json, "ok"));
	x = get("/sandbox/api/received?name=one");
	CU_ASSERT_FALSE(has(x, "secret-"));
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "posts"), 3);
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "distinct_keys"), 2);
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "duplicates"), 1);
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "requests"), 4);
	line = json_array_get(json_object_get(x.json, "data"), 3); /* newest first */
	CU_ASSERT_STRING_EQUAL(json_str(json_object_get(line, "body"), "email"), "a@b.co");
	CU_ASSERT_STRING_EQUAL(json_str(line, "idempotencyKey"), "k-1");
	CU_ASSERT_FALSE(json_bool(line, "duplicate"));
	x = get("/sandbox/api/received?name=two&limit=1");
	CU_ASSERT(has(x, "\"bodyBase64\":\"//4=\""));
	CU_ASSERT_EQUAL(get("/sandbox/api/received?limit=x").status, 422);
	CU_ASSERT_EQUAL(get("/sandbox/api/received?since=x").status, 422);
	x = get("/sandbox/api/received?since=2100-01-01T00:00:00Z");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(x.json, "data")), 0);
	CU_ASSERT_EQUAL(ask(HTTP_DELETE, "/sandbox/api/received", "", NULL).status, 204);
	x = get("/sandbox/api/received");
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "requests"), 0);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/crm/one", "idempotency-key: k-1", "again").status, 201);
}

/* Another process finds the same keys: the index is read back from the file. */
static void test_sink_reopened(void)
{
	const struct answer x = ask(HTTP_POST, "/crm/again", "idempotency-key: r-1", "x");
	struct answer y;

	s.sink = sink_new(a, s.dir);
	y = ask(HTTP_POST, "/crm/again", "idempotency-key: r-1", "x");
	CU_ASSERT_EQUAL(x.status, 201);
	CU_ASSERT_EQUAL(y.status, 200);
	CU_ASSERT(json_equal(x.json, y.json));
	y = ask(HTTP_POST, "/crm/again", "idempotency-key: r-2", "x");
	CU_ASSERT_EQUAL(y.status, 201);
	CU_ASSERT_FALSE(json_equal(x.json, y.json));
}

/* ---- faults ------------------------------------------------------------------------------- */

static void test_faults_checked(void)
{
	static const char *const bad[] = {"[]", "{\"fault\":[]}", "{\"faults\":[1]}",
	    "{\"faults\":[{\"target\":\"x\",\"kind\":\"error\"}]}",
	    "{\"faults\":[{\"target\":\"crm\",\"kind\":\"x\"}]}",
	    "{\"faults\":[{\"target\":\"crm\",\"kind\":\"error\",\"count\":-1}]}",
	    "{\"faults\":[{\"target\":\"crm\",\"kind\":\"error\",\"probability\":2}]}",
	    "{\"faults\":[{\"target\":\"crm\",\"kind\":\"error\",\"status\":200}]}",
	    "{\"faults\":[{\"target\":\"crm\",\"kind\":\"error\",\"more\":1}]}",
	    "{\"latency_ms\":{\"crm\":\"5\"}}", "{\"latency_ms\":-1}"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const int status = ask(HTTP_PUT, "/sandbox/api/faults", JSON, bad[i]).status;

		if (status != 422)
			printf("# %s: %d\n", bad[i], status);
		CU_ASSERT_EQUAL(status, 422);
	}
	CU_ASSERT_EQUAL(ask(HTTP_PUT, "/sandbox/api/faults", JSON, "").status, 400);
}

static void test_faults_by_count(void)
{
	set_faults("{\"faults\":[{\"target\":\"graph\",\"kind\":\"throttle\",\"count\":2},"
		   "{\"target\":\"graph\",\"kind\":\"token\",\"count\":1},"
		   "{\"target\":\"crm\",\"kind\":\"error\",\"status\":503,\"count\":1}]}");
	CU_ASSERT_EQUAL(error_code(get("/meta_lead_ads/v25.0/1234567890")), 4);
	CU_ASSERT_EQUAL(get("/meta_lead_ads/v25.0/1234567890").status, 403);
	CU_ASSERT_EQUAL(error_code(get("/meta_lead_ads/v25.0/1234567890")), 190);
	CU_ASSERT_EQUAL(get("/meta_lead_ads/v25.0/1234567890").status, 200);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/crm/f", "", "x").status, 503);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/crm/f", "", "x").status, 201);
	set_faults("{}");
}

static void test_fault_kinds(void)
{
	struct answer x;

	set_faults("{\"faults\":[{\"target\":\"all\",\"kind\":\"throttle\",\"retry_after_s\":7}]}");
	x = ask(HTTP_POST, "/crm/k", "", "x");
	CU_ASSERT_EQUAL(x.status, 429);
	CU_ASSERT_PTR_NOT_NULL(strstr(x.headers, "Retry-After: 7"));
	set_faults("{\"faults\":[{\"target\":\"graph\",\"kind\":\"throttle\",\"code\":80005}]}");
	CU_ASSERT_EQUAL(error_code(get("/meta_lead_ads/v25.0/1234567890")), 80005);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/crm/k", "", "x").status, 201);
	set_faults("{\"faults\":[{\"target\":\"all\",\"kind\":\"redirect\",\"location\":\"http://"
		   "10.0.0.1/\"}]}");
	x = ask(HTTP_POST, "/crm/k", "", "x");
	CU_ASSERT_EQUAL(x.status, 302);
	CU_ASSERT_PTR_NOT_NULL(strstr(x.headers, "Location: http://10.0.0.1/"));
	set_faults("{\"faults\":[{\"target\":\"all\",\"kind\":\"invalid\"}]}");
	x = get("/meta_lead_ads/v25.0/1234567890");
	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT_PTR_NULL(x.json);
	set_faults("{\"faults\":[{\"target\":\"all\",\"kind\":\"reset\"}]}");
	CU_ASSERT(get("/meta_lead_ads/v25.0/1234567890").is_cut);
	set_faults("{\"faults\":[{\"target\":\"all\",\"kind\":\"timeout\",\"ms\":0}]}");
	CU_ASSERT(ask(HTTP_POST, "/crm/k", "", "x").is_cut);
	set_faults("{}");
}

/* An answer that is lost: the request took effect, and its repeat is known by its key. */
static void test_fault_lost(void)
{
	struct answer x;

	set_faults("{\"faults\":[{\"target\":\"crm\",\"kind\":\"lost\",\"count\":1},"
		   "{\"target\":\"crm\",\"kind\":\"reset\",\"count\":1}]}");
	CU_ASSERT(ask(HTTP_POST, "/crm/lost", "idempotency-key: l-1", "x").is_cut);
	CU_ASSERT(ask(HTTP_POST, "/crm/lost", "idempotency-key: l-2", "x").is_cut);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/crm/lost", "idempotency-key: l-1", "x").status, 200);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/crm/lost", "idempotency-key: l-2", "x").status, 201);
	x = get("/sandbox/api/received?name=lost");
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "duplicates"), 1);
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "refused"), 1);
	CU_ASSERT_EQUAL(json_int(json_object_get(x.json, "counts"), "posts"), 3);
	set_faults("{}");
}

/* ---- webhooks ----------------------------------------------------------------------------- */

static void test_webhook_body(void)
{
	const struct answer x = ask(HTTP_POST, "/sandbox/api/meta/webhook-body", JSON,
	    "{\"field_data\":{\"email\":\"h@i.j\",\"age\":33}}");
	const char *body = json_str(x.json, "body"), *id = json_str(x.json, "leadgen_id");
	json_t *sent;

	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT_PTR_NOT_NULL_FATAL(body);
	CU_ASSERT_STRING_EQUAL(json_str(x.json, "signature"), sign_hub(a, "hush", str_from(body)));
	CU_ASSERT_STRING_EQUAL(
	    json_str(x.json, "url"), "http://127.0.0.1:1/webhook/meta_lead_ads/c-1");
	sent = json_parse(a, str_from(body), NULL);
	sent = json_array_get(json_object_get(sent, "entry"), 0);
	CU_ASSERT_STRING_EQUAL(json_str(sent, "id"), "153125381133");
	sent = json_object_get(json_array_get(json_object_get(sent, "changes"), 0), "value");
	CU_ASSERT_STRING_EQUAL(json_str(sent, "leadgen_id"), id);
	CU_ASSERT(has(get(arena_printf(a, "/meta_lead_ads/v25.0/%s", id)), "h@i.j"));
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/sandbox/api/meta/webhook-body", JSON, "{\"count\":2}").status, 422);
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/sandbox/api/meta/webhook-body", JSON, "{\"field_data\":[1]}").status,
	    422);
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/sandbox/api/meta/webhook-body", JSON, "{\"x\":2}").status, 422);
}

/* Nothing listens at the product's address: said in the answer, not as an error of the sandbox. */
static void test_send_unreachable(void)
{
	struct answer x = ask(HTTP_POST, "/sandbox/api/send-lead", JSON, "{\"email\":\"a@b.co\"}");
	const json_t *one = json_array_get(json_object_get(x.json, "answers"), 0);

	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT_EQUAL(json_int(one, "status"), 0);
	CU_ASSERT_PTR_NOT_NULL(json_str(one, "error"));
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/sandbox/api/send-lead", JSON, "{\"same_as\":\"12\"}").status, 422);
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/sandbox/api/send-lead", JSON, "{\"count\":0}").status, 422);
	x = ask(HTTP_POST, "/send", FORM, "name=N&email=e%40f.g");
	CU_ASSERT_EQUAL(x.status, 303);
	CU_ASSERT_PTR_NOT_NULL(strstr(x.headers, "status=0"));
}

/* ---- pages -------------------------------------------------------------------------------- */

static void test_pages(void)
{
	struct answer x = get("/");

	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT(has(x, "Send a lead"));
	CU_ASSERT_PTR_NOT_NULL(strstr(x.headers, "Content-Security-Policy: default-src 'none'"));
	CU_ASSERT(has(get("/?lead=1234567890&status=200"), "Connect answered 200"));
	CU_ASSERT_FALSE(has(get("/?lead=<script>&status=200"), "script"));
	CU_ASSERT_EQUAL(get("/sandbox.css").status, 200);
	(void)ask(HTTP_POST, "/crm/page", JSON, "{\"name\":\"<b>&\\\"\"}");
	x = get("/received?name=page");
	CU_ASSERT_EQUAL(x.status, 200);
	CU_ASSERT(has(x, "&lt;b&gt;"));
	CU_ASSERT_FALSE(has(x, "<b>&"));
	x = ask(HTTP_POST, "/faults", FORM, "target=crm&kind=error&count=2&percent=50");
	CU_ASSERT_EQUAL(x.status, 303);
	x = get("/faults");
	CU_ASSERT(has(x, "50 % of the requests, 2 more"));
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/faults", FORM, "target=crm&kind=no&count=&percent=").status, 422);
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/faults", FORM, "target=crm&kind=error&count=x").status, 422);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/faults/latency", FORM, "crm=0&graph=1").status, 303);
	CU_ASSERT_EQUAL(
	    ask(HTTP_POST, "/faults/clear", FORM "\nsec-fetch-site: cross-site", "").status, 403);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/faults/clear", FORM, "index=0").status, 303);
	CU_ASSERT(has(get("/faults"), "no fault is set"));
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/faults/clear", FORM, "").status, 303);
	CU_ASSERT_EQUAL(ask(HTTP_POST, "/received/clear", FORM, "").status, 303);
	CU_ASSERT(has(get("/received"), "Nothing yet"));
}

void suite_sandbox_routes(void)
{
	CU_pSuite suite = CU_add_suite("sandbox_routes", begin, end);

	CU_add_test(suite, "Graph: leads of a form", test_graph_leads);
	CU_add_test(suite, "Graph: errors", test_graph_errors);
	CU_add_test(suite, "Graph: invented leads", test_graph_invented);
	CU_add_test(suite, "Graph: page, forms, sign-in", test_graph_page);
	CU_add_test(suite, "CRM", test_sink);
	CU_add_test(suite, "CRM: keys are known to another process", test_sink_reopened);
	CU_add_test(suite, "faults: what is refused", test_faults_checked);
	CU_add_test(suite, "faults: by count and target", test_faults_by_count);
	CU_add_test(suite, "faults: kinds", test_fault_kinds);
	CU_add_test(suite, "faults: a lost answer", test_fault_lost);
	CU_add_test(suite, "webhook: body", test_webhook_body);
	CU_add_test(suite, "webhook: product away", test_send_unreachable);
	CU_add_test(suite, "pages", test_pages);
}
