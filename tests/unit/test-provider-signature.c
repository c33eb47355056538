/* Signatures of webhooks against the vectors that vendors have published, and against some that pin
 * our reading where there are none: each holds, and each with one byte altered does not. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "http/form.h"
#include "provider/provider-internal.h"
#include "test-base.h"

void suite_provider_signature(void);

/* A scheme as a manifest says it, with ' for ". */
#define SCHEME(signature)                                                                          \
	"{'name':'x','displayName':'X','category':'c','capabilities':['webhook_receive'],"         \
	"'credentials':{'webhookSecret':{'label':'s'}},'app':{'credentials':{'clientSecret':"      \
	"{'label':'s'}}},'settings':{'webhookPublicUrl':{'type':'url','label':'u'}},"              \
	"'webhook':{'body':'byType','signatures':[{" signature                                     \
	"}],'items':[{'externalId':'{body.id}','data':'{body}'}]}}"

static const char standard[] = SCHEME(
    "'header':'webhook-signature','prefix':'v1,','entries':{'separator':' '},'encoding':'base64',"
    "'secretPrefix':'whsec_','secretEncoding':'base64','timestamp':{'header':'webhook-timestamp',"
    "'windowSeconds':300},'signed':'{header.webhook-id}.{timestamp}.{body}'");
static const char slack[] =
    SCHEME("'header':'x-slack-signature','prefix':'v0=','signed':'v0:{timestamp}:{body}',"
	   "'timestamp':{'header':'x-slack-request-timestamp','windowSeconds':300}");
static const char zoom[] =
    SCHEME("'header':'x-zm-signature','prefix':'v0=','signed':'v0:{timestamp}:{body}',"
	   "'timestamp':{'header':'x-zm-request-timestamp','windowSeconds':300}");
static const char twilio[] =
    SCHEME("'header':'x-twilio-signature','algorithm':'sha1','encoding':'base64',"
	   "'signed':'{url}{form}','urlPorts':true,"
	   "'urlQuery':['asIs','quoteEncoded','reencoded'],'bodyHashParameter':'bodySHA256'");
static const char hubspot_v3[] =
    SCHEME("'header':'x-hubspot-signature-v3','encoding':'base64','signed':'{method}{url}{body}{"
	   "timestamp}',"
	   "'timestamp':{'header':'x-hubspot-request-timestamp','unit':'ms','windowSeconds':300},"
	   "'urlDecode':':/?@!$\\'()*,;'");
static const char hubspot_v2[] =
    SCHEME("'kind':'hash','header':'x-hubspot-signature','signed':'{secret}{method}{url}{body}'");
static const char hubspot_v1[] =
    SCHEME("'kind':'hash','header':'x-hubspot-signature','signed':'{secret}{body}'");
static const char shopify[] = SCHEME("'header':'x-shopify-hmac-sha256','encoding':'base64'");
static const char stripe[] =
    SCHEME("'header':'stripe-signature','entries':{'separator':',','signature':'v1','timestamp':"
	   "'t'},'timestamp':{'windowSeconds':300,'pastOnly':true},'signed':'{timestamp}.{body}'");
static const char zendesk[] =
    SCHEME("'header':'x-zendesk-webhook-signature','encoding':'base64','signed':"
	   "'{timestamp}{body}','timestamp':{'header':'x-zendesk-webhook-signature-timestamp',"
	   "'unit':'iso','windowSeconds':300}");
static const char hub256[] = SCHEME("'header':'x-hub-signature-256','prefix':'sha256='");
static const char linkedin[] =
    SCHEME("'header':'x-li-signature','optionalPrefix':'hmacsha256=','signed':'hmacsha256={body}'");
static const char tiktok[] = SCHEME("'header':'x-open-signature'");

#define H "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
#define U "https://mycompany.com/myapp.php?foo=1&bar=2"
#define J "{\"property\": \"value\", \"boolean\": true}"
#define P(number)                                                                                  \
	"CallSid=CA1234567890ABCDE&Caller=" number "&Digits=1234&From=" number "&To=%"             \
	"2B18005551212"
#define P9 P("%2B14158675309")
#define EVENTS                                                                                     \
	"[{\"eventId\":1,\"subscriptionId\":12345,\"portalId\":62515,\"occurredAt\":"              \
	"1564113600000,\"subscriptionType\":\"contact.creation\",\"attemptNumber\":0,"             \
	"\"objectId\":123,\"changeSource\":\"CRM\",\"changeFlag\":\"NEW\",\"appId\":54321}]"
#define Y "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
#define HOOK_URI "https://www.example.com/webhook_uri"
#define SINGLE "{'example_field':'example_value'}"

struct vector {
	int line;
	const char *scheme, *secret;
	enum http_method method;
	const char *url, *headers; /* "name: value" lines */
	const char *body;
	int64_t at_s;
	const char *public_url; /* settings.webhookPublicUrl; or NULL */
};

static const struct vector vectors[] = {
    /* published */
    {__LINE__, standard, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", HTTP_POST, NULL,
	"webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n"
	"webhook-signature: v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= "
	"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n",
	"{\"test\": 2432232314}", 1614265330, NULL},
    {__LINE__, slack, "8f742231b10e8888abcd99yyyzzz85a5", HTTP_POST, NULL,
	"x-slack-request-timestamp: 1531420618\nx-slack-signature: "
	"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503\n",
	"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id="
	"G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-"
	"collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%"
	"2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
	"803a0bc887a14d10d2c447fce8b6703c",
	1531420618, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, "https://example.com/myapp.php?foo=1&bar=2",
	"x-twilio-signature: L/OH5YylLD5NRKLltdqwSvS0BnU=\n", P("%2B14158675310"), 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U, "x-twilio-signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=\n",
	P9, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, "https://mycompany.com:443/myapp.php?foo=1&bar=2",
	"x-twilio-signature: kvajT1Ptam85bY51eRf/AJRuM3w=\n", P9, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U, /* called without its port */
	"x-twilio-signature: kvajT1Ptam85bY51eRf/AJRuM3w=\n", P9, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, "http://mycompany.com:80/myapp.php?foo=1&bar=2",
	"x-twilio-signature: 0ZXoZLH/DfblKGATFgpif+LLRf4=\n", P9, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, "http://mycompany.com:1234/myapp.php?foo=1&bar=2",
	"x-twilio-signature: Zmvh+3yNM1Phv2jhDCwEM3q5ebU=\n", P9, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U, "x-twilio-signature: CukzLTc1tT5dXEDIHm/tKBanW10=\n",
	P9, 0, "https://user:pass@mycompany.com"},
    {__LINE__, twilio, "12345", HTTP_POST, U, "x-twilio-signature: 2YRLlVAflCqxaNicjMpJcSTgzSs=\n",
	P9, 0, "https://user@mycompany.com/"},
    {__LINE__, twilio, "12345", HTTP_POST, U, /* called without its port */
	"x-twilio-signature: ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=\n", P9, 0,
	"https://user:pass@mycompany.com"},
    {__LINE__, twilio, "12345", HTTP_POST, "http://10.0.0.7:8080/myapp.php?foo=1&bar=2",
	"x-twilio-signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=\n", P9, 0, "https://mycompany.com"},
    {__LINE__, twilio, "12345", HTTP_POST, U "&Body=It's+amazing",
	"x-twilio-signature: TfZzewPq8wqrGlMfyAud8+/IvJ0=\n", P9, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U, "x-twilio-signature: vOEb5UThFn24KEfnOFLQY2AE5FY=\n",
	P9 "&ReasonConferenceEnded=test&Reason=Participant", 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U, "x-twilio-signature: IK+Dwps556ElfBT0I3Rgjkr1wJU=\n",
	"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234", 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U, "x-twilio-signature: 83O6e2vORAoJHUNzJjDWN1jz+BA=\n",
	"MessagingBinding.Address=%2B1325xxxxxxx&MessagingBinding.Address=%2B1415xxxxxxx", 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U, "x-twilio-signature: 83O6e2vORAoJHUNzJjDWN1jz+BA=\n",
	"MessagingBinding.Address=%2B1415xxxxxxx&MessagingBinding.Address=%2B1325xxxxxxx", 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, U "&bodySHA256=" H,
	"x-twilio-signature: a9nBmqA0ju/hNViExpshrM61xv4=\n", J, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, "https://mycompany.com/myapp.php?bodySHA256=" H,
	"x-twilio-signature: y77kIzt2vzLz71DgmJGsen2scGs=\n", J, 0, NULL},
    {__LINE__, twilio, "12345", HTTP_POST,
	U "&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
	"x-twilio-signature: Ldidvp12m26NI7eqEvxnEpkd9Hc=\n", "{}", 0, NULL},
    {__LINE__, hubspot_v3, Y, HTTP_POST, HOOK_URI,
	"x-hubspot-request-timestamp: 1693657560000\n"
	"x-hubspot-signature-v3: K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=\n",
	SINGLE, 1693657560, NULL},
    {__LINE__, hubspot_v2, Y, HTTP_POST, HOOK_URI,
	"x-hubspot-signature: 9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900\n",
	"{\"example_field\":\"example_value\"}", 0, NULL},
    {__LINE__, hubspot_v2, Y, HTTP_POST, HOOK_URI,
	"x-hubspot-signature: 4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383\n",
	SINGLE, 0, NULL},
    {__LINE__, hubspot_v2, Y, HTTP_GET, HOOK_URI,
	"x-hubspot-signature: eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e\n",
	"", 0, NULL},
    {__LINE__, hubspot_v1, Y, HTTP_POST, HOOK_URI,
	"x-hubspot-signature: 69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750\n",
	SINGLE, 0, NULL},
    {__LINE__, hubspot_v1, Y, HTTP_POST, HOOK_URI,
	"x-hubspot-signature: 232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de\n",
	EVENTS, 0, NULL},
    {__LINE__, shopify, "test_secret_key", HTTP_POST, NULL,
	"x-shopify-hmac-sha256: B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=\n",
	"{\"foo\": \"bar\"}", 0, NULL},
    {__LINE__, shopify, "hush", HTTP_POST, NULL,
	"x-shopify-hmac-sha256: 6ufKn53YDwFjg+2HbePaB4Yy4MIOwKA30/gtUW5JHTE=\n", "Info", 0, NULL},
    {__LINE__, stripe, "secret", HTTP_POST, NULL,
	"stripe-signature: "
	"t=1533204620,v1=d7373bc68f4bd320b253cd7461f87af6e1cdf1b4d7db1614d8d1d746972d2d0a\n",
	"{\"account\":\"acct_123\",\"api_version\":\"2017-05-25\",\"created\":1533204620,\"data\":{"
	"\"object\":{\"amount\":1000,\"currency\":\"usd\",\"customer\":\"cus_123\",\"date\":"
	"1533204620,\"description\":\"Test Invoice "
	"Item\",\"discountable\":false,\"id\":\"ii_123\",\"invoice\":\"in_123\",\"livemode\":false,"
	"\"metadata\":{},\"object\":\"invoiceitem\",\"period\":{\"end\":1533204620,\"start\":"
	"1533204620},\"proration\":false,\"quantity\":3,\"quantity_decimal\":\"0\"}},\"id\":\"evt_"
	"123\",\"livemode\":false,\"object\":\"event\",\"pending_webhooks\":1,\"request\":{\"id\":"
	"\"req_123\",\"idempotency_key\":\"idempotency-key-123\"},\"type\":\"invoiceitem."
	"created\"}",
	1533204620, NULL},
    {__LINE__, zendesk, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", HTTP_POST, NULL,
	"x-zendesk-webhook-signature-timestamp: 2021-03-25T05:09:27Z\n"
	"x-zendesk-webhook-signature: S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM=\n",
	"{\"event\":\"ticket.updated\",\"id\":123}", 1616648967, NULL},
    {__LINE__, hub256, "It's a Secret to Everybody", HTTP_POST, NULL,
	"x-hub-signature-256: "
	"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\n",
	"Hello, World!", 0, NULL},
    /* ours, where none is published */
    {__LINE__, hub256, "app_secret_test", HTTP_POST, NULL,
	"x-hub-signature-256: "
	"sha256=08fa514d1b0f3fb49d34b97e47abfa84818ab237d242558875312ba13da671da\n",
	"{\"text\":\"\\u00e4\\u00f6\\u00e5\"}", 0, NULL},
    {__LINE__, linkedin, "li_client_secret", HTTP_POST, NULL,
	"x-li-signature: 294f6584b0445239e20096699c85edf558493801319839163f40be29fe6ba03b\n",
	"{\"type\":\"LEAD_ACTION\",\"leadAction\":\"CREATED\"}", 0, NULL},
    {__LINE__, tiktok, "tt_app_secret", HTTP_POST, NULL,
	"x-open-signature: 586e4894e43bb78986278a61b48dce81411c9e0cc4ceb7ca3b2c2bd9ddb88d32\n",
	"{\"object\":1,\"entry\":[],\"time\":1614334356}", 0, NULL},
    {__LINE__, zoom, "secretValueTest", HTTP_POST, NULL,
	"x-zm-request-timestamp: 1654503849\n"
	"x-zm-signature: v0=7f1c32fb85354a61a75a71b85255234caf704e74f6b4cfa918a6c0f30ba3e6f7\n",
	"{\"event\":\"recording.completed\",\"event_ts\":1654503849680,\"payload\":{}}", 1654503849,
	NULL},
    {__LINE__, stripe, "whsec_test_secret", HTTP_POST, NULL,
	"stripe-signature: "
	"t=1700000000,v1=0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd,v0=00\n",
	"{\"id\":\"evt_1\",\"object\":\"event\"}", 1700000000, NULL},
    {__LINE__, hubspot_v3, Y, HTTP_POST, HOOK_URI,
	"x-hubspot-request-timestamp: 1693657560000\n"
	"x-hubspot-signature-v3: ecWWq6SLunL3htE3leWhW3cjrE6R0rZmBOcQ2bf4D40=\n",
	EVENTS, 1693657560, NULL},
    {__LINE__, twilio, "12345", HTTP_POST, "https://example.com/hooks/twilio",
	"x-twilio-signature: nvroaqz/B48UtbmHQZu6MsXg0O0=\n",
	"MessageSid=SM00000000000000000000000000000001&AccountSid="
	"AC00000000000000000000000000000001&From=%2B14155550100&To=%2B14155550199&NumMedia=0&Body="
	"Hello%2C+w%C3%B6rld+%26+co",
	0, NULL},
};

static struct provider *scheme_load(struct arena *a, const char *text)
{
	char *json = arena_strdup(a, text);
	size_t n = 0;
	struct err err = ERR_INIT;
	json_t *v;

	for (const char *p = text; *p != '\0'; p++)
		json[n++] = *p == '\\' && p[1] == '\'' ? *++p : *p == '\'' ? '"' : *p;
	json[n] = '\0';
	v = json_parse(a, str_from(json), &err);
	struct provider *p = v == NULL ? NULL : manifest_load(a, "x.json", v, &err);
	if (p == NULL)
		printf("# %s\n", err.msg);
	return p;
}

/* The request that a vector tells of. */
static struct req *vector_request(struct arena *a, const struct vector *v, struct webhook *w)
{
	struct req *r = arena_zalloc(a, sizeof(*r));
	struct str lines = str_from(v->headers), line;
	const char *query = v->url == NULL ? NULL : strchr(v->url, '?');

	r->a = a;
	r->method = v->method;
	r->headers.v = arena_array(a, 8, sizeof(*r->headers.v));
	while (str_split(&lines, '\n', &line)) {
		struct str value = line, name;

		if (str_split(&value, ':', &name) && name.n > 0)
			r->headers.v[r->headers.n++] = (struct http_pair){name, str_trim(value)};
	}
	if (query != NULL)
		form_parse(a, str_from(query + 1), &r->query, NULL);
	*w = (struct webhook){
	    .req = r, .body = str_from(v->body), .url = v->url, .now_us = v->at_s * SECOND_US};
	return r;
}

static bool vector_verifies(struct arena *a, const struct provider *p, const struct vector *v)
{
	struct access c = {.external_account_id = ""};
	struct webhook w;
	const char *reason;

	c.credentials = json_own(a, json_pack("{s:s}", "webhookSecret", v->secret));
	c.settings = json_own(a, json_object());
	if (v->public_url != NULL)
		json_set_str(c.settings, "webhookPublicUrl", v->public_url);
	vector_request(a, v, &w);
	return webhook_verify(p, a, &w, &c, &reason) == 1;
}

/* A text with the character at `at` changed to another of the same kind. */
static const char *text_altered(struct arena *a, const char *text, size_t at)
{
	char *out = arena_strdup(a, text);

	out[at] = out[at] == 'a'                     ? 'b'
		  : out[at] == '1'                   ? '2'
		  : out[at] >= '0' && out[at] <= '9' ? '1'
						     : 'a';
	return out;
}

static void vectors_hold_and_altered_ones_do_not(void)
{
	for (size_t i = 0; i < COUNT(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct arena *a = arena_new();
		struct provider *p = scheme_load(a, v->scheme);
		struct vector altered = *v;
		size_t header = strlen(v->headers) - 12, body = strlen(v->body);

		REQUIRE(p != NULL);
		CHECK_AT(v->line, vector_verifies(a, p, v));
		/* every byte of a short body, some of a long one */
		for (size_t at = 0; at < body; at += body / 40 + 1) {
			altered.body = text_altered(a, v->body, at);
			CHECK_AT(v->line, !vector_verifies(a, p, &altered));
		}
		altered = *v;
		altered.headers = text_altered(a, v->headers, header);
		CHECK_AT(v->line, !vector_verifies(a, p, &altered));
		altered = *v;
		altered.secret = text_altered(a, v->secret, strlen(v->secret) / 2);
		CHECK_AT(v->line, !vector_verifies(a, p, &altered));
		if (v->url != NULL && v->scheme != hubspot_v1) {
			altered = *v;
			altered.url = text_altered(a, v->url, strlen(v->url) - 4);
			CHECK_AT(v->line, !vector_verifies(a, p, &altered));
		}
		arena_free(a);
	}
}

static void windows_end(void)
{
	struct arena *a = arena_new();
	struct provider *p = scheme_load(a, slack);
	struct vector v = vectors[1];

	REQUIRE(p != NULL);
	v.at_s += 299;
	CHECK(vector_verifies(a, p, &v));
	v.at_s += 2;
	CHECK(!vector_verifies(a, p, &v));
	v.at_s -= 603;
	CHECK(!vector_verifies(a, p, &v));
	arena_free(a);
}

/* ---- several secrets ------------------------------------------------------------------------ */

static const char *verify_with(
    struct arena *a, const struct provider *p, struct access *c, const char **reason)
{
	struct webhook w;

	for (size_t i = 0; i < COUNT(vectors); i++)
		if (vectors[i].scheme == hub256) {
			vector_request(a, &vectors[i], &w);
			break;
		}
	return webhook_verify(p, a, &w, c, reason) == 1 ? "yes" : "no";
}

/* The connection's own, else its app's; and what either was until a while ago. */
static void any_of_several_secrets_may_have_signed(void)
{
	static const char scheme[] = SCHEME("'header':'x-hub-signature-256','prefix':'sha256=',"
					    "'secret':['webhookSecret','app.clientSecret']");
	const char *right = "It's a Secret to Everybody", *reason;
	struct arena *a = arena_new();
	struct provider *p = scheme_load(a, scheme);
	struct access c = {.external_account_id = "", .settings = json_own(a, json_object())};

	REQUIRE(p != NULL);
	c.credentials = json_own(a, json_object());
	CHECK(TEXT_EQ(verify_with(a, p, &c, &reason), "no"));
	CHECK(TEXT_EQ(reason, "the connection has no webhook secret"));
	c.app = json_own(a, json_pack("{s:s}", "clientSecret", right));
	CHECK(TEXT_EQ(verify_with(a, p, &c, &reason), "yes") && reason == NULL);
	json_set_str(c.credentials, "webhookSecret", "another");
	CHECK(TEXT_EQ(verify_with(a, p, &c, &reason), "yes"));
	json_set_str(c.app, "clientSecret", "newer");
	CHECK(TEXT_EQ(verify_with(a, p, &c, &reason), "no") && TEXT_EQ(reason, "bad signature"));
	c.former = json_own(a, json_pack("[{s:s,s:s,s:I}]", "key", "app.clientSecret", "value",
				   right, "until", (json_int_t)(clock_now_us() + DAY_US)));
	CHECK(TEXT_EQ(verify_with(a, p, &c, &reason), "yes"));
	CHECK(reason != NULL && strstr(reason, "the former app.clientSecret") != NULL);
	CHECK(webhook_has_secret(p, "webhookSecret") && !webhook_has_secret(p, "apiKey"));
	arena_free(a);
}

/* ---- handshakes ----------------------------------------------------------------------------- */

#define HANDSHAKE(rest)                                                                            \
	"{'name':'x','displayName':'X','category':'c','capabilities':['webhook_receive'],"         \
	"'credentials':{'webhookSecret':{'label':'s'}},'settings':{'applicationId':{'type':'text'" \
	","                                                                                        \
	"'label':'i'}},'webhook':{'signatures':[{'header':'h'}],'handshakes':[{" rest              \
	"}],'items':[{'externalId':'{body.id}','data':'{body}'}]}}"
static const char challenge[] =
    HANDSHAKE("'method':'GET','when':{'ref':'query.c','exists':true},'hmac':{'of':'{query.c}',"
	      "'credential':['webhookSecret']},'prefers':{'ref':'query.app','equals':"
	      "'{settings.applicationId}'},'answer':{'text':'{output.hmac}'}");

static struct req *challenge_request(struct arena *a, const char *query, struct webhook *w)
{
	struct vector v = {.method = HTTP_GET, .headers = "", .body = ""};
	struct req *r;

	v.url = arena_printf(a, "https://x.example/?%s", query);
	r = vector_request(a, &v, w);
	r->res.headers = buf_new(a, 10000);
	r->res.body = buf_new(a, 10000);
	return r;
}

static struct access candidate(struct arena *a, const char *secret, const char *application)
{
	struct access c = {.external_account_id = ""};

	c.credentials = json_own(a, json_object());
	c.settings = json_own(a, json_object());
	if (secret != NULL)
		json_set_str(c.credentials, "webhookSecret", secret);
	if (application != NULL)
		json_set_str(c.settings, "applicationId", application);
	return c;
}

/* Zoom's and LinkedIn's, by the candidate that the request prefers. */
static void challenges_are_answered_by_whom_they_are_for(void)
{
	static const struct {
		int line;
		const char *query, *secret_of_second, *answer; /* NULL: 400 */
	} rows[] = {{__LINE__, "c=qgg8vlvZRS6UYooatFL8Aw", "secretValueTest",
			"70c1f2e2e6ca2d39297490d1f9142c7d701415ea8e6151f6562a08fa657a40ff"},
	    {__LINE__, "c=890e4665-4dfe-4ab1-b689-ed553bceeed0&app=77", "li_client_secret",
		"3ceda89cb18cf5471b844e08c4b771bcab6f5bec8ab1b0837ca04ab05c909d8c"},
	    /* nobody gets the MAC of a body of theirs */
	    {__LINE__, "c=hmacsha256%3D%7B%22a%22%3A1%7D&app=77", "li_client_secret", NULL},
	    {__LINE__, "c=&app=77", "li_client_secret", NULL}};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct provider *p = scheme_load(a, challenge);
		struct webhook w;
		struct req *r = challenge_request(a, rows[i].query, &w);
		struct access none = candidate(a, NULL, NULL),
			      second = candidate(a, rows[i].secret_of_second, "77"),
			      first = candidate(a, i == 0 ? NULL : "of another app", "66");
		const struct access *const of[] = {&none, &first, &second};
		const char *reason;

		REQUIRE(p != NULL);
		const struct handshake *h = handshake_find(p, a, &w);
		REQUIRE(h != NULL);
		CHECK_AT(rows[i].line, handshake_match(p, h, a, &w, of, 3, &reason) == 2);
		handshake_answer(h, r, &w, of[2]);
		CHECK_AT(rows[i].line, r->res.status == (rows[i].answer == NULL ? 400 : 200));
		if (rows[i].answer != NULL)
			CHECK_AT(rows[i].line, TEXT_EQ(r->res.body->p, rows[i].answer));
		arena_free(a);
	}
}

void suite_provider_signature(void)
{
	ADD_TESTS("provider_signature",
	    {"vectors hold, and altered ones do not", vectors_hold_and_altered_ones_do_not},
	    {"windows end", windows_end},
	    {"any of several secrets may have signed", any_of_several_secrets_may_have_signed},
	    {"challenges are answered by whom they are for",
		challenges_are_answered_by_whom_they_are_for});
}
