/* The sandbox's signatures against the vectors that providers publish, so that product and sandbox
 * cannot agree on a mistake. */
#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "sandbox/signing.h"

void suite_sandbox_signing(void);

static struct arena *a;

static int begin(void)
{
	a = arena_new();
	return 0;
}

static int end(void)
{
	arena_free(a);
	return 0;
}

static void is_at(int line, const char *got, const char *wanted)
{
	char text[300];

	snprintf(text, sizeof(text), "line %d: %s", line, got);
	CU_assertImplementation(
	    strcmp(got, wanted) == 0, (unsigned)line, text, __FILE__, "", CU_FALSE);
}
#define IS(got, wanted) is_at(__LINE__, got, wanted)

/* GitHub's documentation has the scheme's published vector; the other is derived from Meta's
 * description of its escapes. */
static void test_hub(void)
{
	IS(sign_hub(a, "It's a Secret to Everybody", STR("Hello, World!")),
	    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
	IS(sign_hub(a, "app_secret_test", STR("{\"text\":\"\\u00e4\\u00f6\\u00e5\"}")),
	    "sha256=08fa514d1b0f3fb49d34b97e47abfa84818ab237d242558875312ba13da671da");
}

static void test_linkedin_and_tiktok(void)
{
	IS(sign_linkedin_challenge(a, "li_client_secret", "890e4665-4dfe-4ab1-b689-ed553bceeed0"),
	    "3ceda89cb18cf5471b844e08c4b771bcab6f5bec8ab1b0837ca04ab05c909d8c");
	IS(sign_linkedin(
	       a, "li_client_secret", STR("{\"type\":\"LEAD_ACTION\",\"leadAction\":\"CREATED\"}")),
	    "294f6584b0445239e20096699c85edf558493801319839163f40be29fe6ba03b");
	IS(sign_tiktok(a, "tt_app_secret", STR("{\"object\":1,\"entry\":[],\"time\":1614334356}")),
	    "586e4894e43bb78986278a61b48dce81411c9e0cc4ceb7ca3b2c2bd9ddb88d32");
}

static void test_hubspot(void)
{
	static const char secret[] = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
			  url[] = "https://www.example.com/webhook_uri";

	IS(sign_hubspot(
	       a, secret, "POST", url, STR("{'example_field':'example_value'}"), "1693657560000"),
	    "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=");
	IS(sign_hubspot(a, secret, "POST", url,
	       STR("[{\"eventId\":1,\"subscriptionId\":12345,\"portalId\":62515,\"occurredAt\":"
		   "1564113600000,\"subscriptionType\":\"contact.creation\",\"attemptNumber\":0,"
		   "\"objectId\":123,\"changeSource\":\"CRM\",\"changeFlag\":\"NEW\",\"appId\":"
		   "54321}]"),
	       "1693657560000"),
	    "ecWWq6SLunL3htE3leWhW3cjrE6R0rZmBOcQ2bf4D40=");
	/* Only its own list of escapes is decoded. */
	IS(sign_hubspot(a, "s", "POST", "https://x/a%2Fb%20c%3f", STR(""), "1"),
	    sign_hubspot(a, "s", "POST", "https://x/a/b%20c?", STR(""), "1"));
}

#define FORM(from, more)                                                                           \
	"{\"CallSid\":\"CA1234567890ABCDE\",\"Caller\":\"" from "\",\"Digits\":\"1234\","          \
	"\"From\":\"" from "\",\"To\":\"+18005551212\"" more "}"
#define P FORM("+14158675309", "")
#define HASH "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"

static void test_twilio(void)
{
	static const struct {
		int line;
		const char *url, *fields, *signature;
	} rows[] = {
	    {__LINE__, "https://example.com/myapp.php?foo=1&bar=2", FORM("+14158675310", ""),
		"L/OH5YylLD5NRKLltdqwSvS0BnU="},
	    {__LINE__, "https://mycompany.com/myapp.php?foo=1&bar=2", P,
		"RSOYDt4T1cUTdK1PDd93/VVr8B8="},
	    {__LINE__, "https://mycompany.com:443/myapp.php?foo=1&bar=2", P,
		"kvajT1Ptam85bY51eRf/AJRuM3w="},
	    {__LINE__, "http://mycompany.com:80/myapp.php?foo=1&bar=2", P,
		"0ZXoZLH/DfblKGATFgpif+LLRf4="},
	    {__LINE__, "http://mycompany.com:1234/myapp.php?foo=1&bar=2", P,
		"Zmvh+3yNM1Phv2jhDCwEM3q5ebU="},
	    {__LINE__, "https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", P,
		"CukzLTc1tT5dXEDIHm/tKBanW10="},
	    {__LINE__, "https://user@mycompany.com/myapp.php?foo=1&bar=2", P,
		"2YRLlVAflCqxaNicjMpJcSTgzSs="},
	    {__LINE__, "https://user:pass@mycompany.com:443/myapp.php?foo=1&bar=2", P,
		"ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="},
	    {__LINE__, "https://mycompany.com/myapp.php?foo=1&bar=2&Body=It%27s+amazing", P,
		"TfZzewPq8wqrGlMfyAud8+/IvJ0="},
	    {__LINE__, "https://mycompany.com/myapp.php?foo=1&bar=2",
		FORM("+14158675309",
		    ",\"Reason\":\"Participant\",\"ReasonConferenceEnded\":\"test\""),
		"vOEb5UThFn24KEfnOFLQY2AE5FY="},
	    {__LINE__, "https://mycompany.com/myapp.php?foo=1&bar=2",
		"{\"Sid\":\"CA123\",\"SidAccount\":\"AC123\",\"Digits\":[\"5678\",\"1234\","
		"\"1234\"]}",
		"IK+Dwps556ElfBT0I3Rgjkr1wJU="},
	    {__LINE__, "https://mycompany.com/myapp.php?foo=1&bar=2",
		"{\"MessagingBinding.Address\":[\"+1415xxxxxxx\",\"+1325xxxxxxx\"]}",
		"83O6e2vORAoJHUNzJjDWN1jz+BA="},
	    {__LINE__, "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=" HASH, "{}",
		"a9nBmqA0ju/hNViExpshrM61xv4="},
	    {__LINE__, "https://mycompany.com/myapp.php?bodySHA256=" HASH, "{}",
		"y77kIzt2vzLz71DgmJGsen2scGs="},
	    {__LINE__, "https://example.com/hooks/twilio",
		"{\"MessageSid\":\"SM00000000000000000000000000000001\",\"AccountSid\":"
		"\"AC00000000000000000000000000000001\",\"From\":\"+14155550100\",\"To\":"
		"\"+14155550199\",\"NumMedia\":\"0\",\"Body\":\"Hello, w\xc3\xb6rld & co\"}",
		"nvroaqz/B48UtbmHQZu6MsXg0O0="},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_at(rows[i].line,
		    sign_twilio(
			a, "12345", rows[i].url, json_parse(a, str_from(rows[i].fields), NULL)),
		    rows[i].signature);
}

static const char slack_body[] =
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmib"
    "IGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

static void test_slack_and_zoom(void)
{
	IS(sign_v0(a, "8f742231b10e8888abcd99yyyzzz85a5", "1531420618", str_from(slack_body)),
	    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
	IS(sign_v0(a, "secretValueTest", "1654503849",
	       STR("{\"event\":\"recording.completed\",\"event_ts\":1654503849680,\"payload\":{}"
		   "}")),
	    "v0=7f1c32fb85354a61a75a71b85255234caf704e74f6b4cfa918a6c0f30ba3e6f7");
	IS(sign_zoom_token(a, "secretValueTest", "qgg8vlvZRS6UYooatFL8Aw"),
	    "70c1f2e2e6ca2d39297490d1f9142c7d701415ea8e6151f6562a08fa657a40ff");
}

static const char stripe_body[] =
    "{\"account\":\"acct_123\",\"api_version\":\"2017-05-25\",\"created\":1533204620,\"data\":{"
    "\"object\":{\"amount\":1000,\"currency\":\"usd\",\"customer\":\"cus_123\",\"date\":1533204620,"
    "\"description\":\"Test Invoice Item\",\"discountable\":false,\"id\":\"ii_123\",\"invoice\":"
    "\"in_123\",\"livemode\":false,\"metadata\":{},\"object\":\"invoiceitem\",\"period\":{\"end\":"
    "1533204620,\"start\":1533204620},\"proration\":false,\"quantity\":3,\"quantity_decimal\":\"0\""
    "}},\"id\":\"evt_123\",\"livemode\":false,\"object\":\"event\",\"pending_webhooks\":1,"
    "\"request\":{\"id\":\"req_123\",\"idempotency_key\":\"idempotency-key-123\"},\"type\":"
    "\"invoiceitem.created\"}";

static void test_stripe(void)
{
	IS(sign_stripe(a, "secret", "1533204620", str_from(stripe_body)),
	    "t=1533204620,v1=d7373bc68f4bd320b253cd7461f87af6e1cdf1b4d7db1614d8d1d746972d2d0a");
	IS(sign_stripe(a, "whsec_test_secret", "1700000000",
	       STR("{\"id\":\"evt_1\",\"object\":\"event\"}")),
	    "t=1700000000,v1=0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd");
}

static void test_shopify_and_zendesk(void)
{
	IS(sign_shopify(a, "test_secret_key", STR("{\"foo\": \"bar\"}")),
	    "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g=");
	IS(sign_shopify(a, "hush", STR("Info")), "6ufKn53YDwFjg+2HbePaB4Yy4MIOwKA30/gtUW5JHTE=");
	IS(sign_shopify_query(a, "hush",
	       "code=0907a61c0c8d55e99db179b68161bc00&shop=some-shop.myshopify.com"
	       "&state=0.6784241404160823&timestamp=1337178173"),
	    "700e2dadb827fcc8609e9d5ce208b2e9cdaab9df07390d2cbca10d7c328fc4bf");
	IS(sign_zendesk(a, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", "2021-03-25T05:09:27Z",
	       STR("{\"event\":\"ticket.updated\",\"id\":123}")),
	    "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM=");
}

void suite_sandbox_signing(void)
{
	CU_pSuite suite = CU_add_suite("sandbox/signing", begin, end);

	CU_add_test(suite, "Meta and WhatsApp", test_hub);
	CU_add_test(suite, "LinkedIn and TikTok", test_linkedin_and_tiktok);
	CU_add_test(suite, "HubSpot", test_hubspot);
	CU_add_test(suite, "Twilio", test_twilio);
	CU_add_test(suite, "Slack and Zoom", test_slack_and_zoom);
	CU_add_test(suite, "Stripe", test_stripe);
	CU_add_test(suite, "Shopify and Zendesk", test_shopify_and_zendesk);
}
