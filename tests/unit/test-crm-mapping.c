/* From a lead to the body a destination is sent. */
#include "base/arena.h"
#include "core-check.h"
#include "crm/crm-internal.h"
#include "provider/provider-internal.h"

void suite_crm_mapping(void);

static const char lead_text[] =
    "{\"email\":\"a@b.co\",\"firstName\":\"Ann\",\"lastName\":null,\"fullName\":\"Ann B\","
    "\"phoneNumber\":\"+491\",\"company\":null,"
    "\"rawFieldData\":{\"n\":7,\"r\":2.5,\"yes\":true,\"list\":[1,{\"x\":\"y\"}],\"q.1\":\"dot\"},"
    "\"customFields\":{\"course\":\"C \\\"17\\\"\",\"empty\":\"\",\"o\":{\"deep\":1},"
    "\"size_(approx.)\":\"10\"}}";

struct case_of_mapping {
	int line;
	const char *template, *mapping; /* NULL: none */
	const char *expected;           /* NULL: refused */
};

static const struct crm_mapping *stored(const char *text)
{
	static struct crm_mapping m;

	m = (struct crm_mapping){1, str_from(text)};
	return text == NULL ? NULL : &m;
}

static void check(const struct case_of_mapping *m, const char *lead_json)
{
	struct arena *a = arena_new();
	json_t *lead = json_parse(a, str_from(lead_json), NULL), *out, *settings;
	struct str before;
	json_t *missing = json_own(a, json_array());
	struct connection c = {0};
	struct err err = ERR_INIT;

	REQUIRE(lead != NULL);
	before = json_text(a, lead);
	settings = json_own(a, json_object());
	c.access.settings = settings;
	if (m->template != NULL)
		json_set(settings, "bodyTemplate",
		    json_incref(json_parse(a, str_from(m->template), NULL)));
	out = crm_map_lead(a, &c, stored(m->mapping), lead, missing, &err);
	CHECK_AT(m->line, (out != NULL) == (m->expected != NULL));
	if (out != NULL && m->expected != NULL) {
		json_t *expected = json_parse(a, str_from(m->expected), NULL);

		CHECK_AT(m->line, expected != NULL && json_equal(out, expected));
		if (!json_equal(out, expected))
			printf("# line %d: %s\n", m->line, json_text(a, out).p);
		/* the body is its own: changing it leaves the lead as it was */
		if (json_is_object(out))
			json_object_clear(out);
	}
	CHECK_AT(m->line, m->expected != NULL || err.code == ERR_INVALID);
	CHECK_AT(m->line, str_eq(before, json_text(a, lead)));
	arena_free(a);
}

static void defaults(void)
{
	static const struct case_of_mapping full = {__LINE__, NULL, NULL,
	    "{\"email\":\"a@b.co\",\"first_name\":\"Ann\",\"full_name\":\"Ann "
	    "B\",\"phone\":\"+491\"}"};
	static const struct case_of_mapping all = {__LINE__, NULL, "{}",
	    "{\"email\":\"e\",\"first_name\":\"f\",\"last_name\":\"l\",\"full_name\":\"n\","
	    "\"phone\":\"p\",\"company\":\"c\"}"};
	static const struct case_of_mapping none = {__LINE__, NULL, NULL, "{}"};
	static const struct case_of_mapping null_template = {__LINE__, "null", NULL, "{}"};

	check(&full, lead_text);
	check(&all, "{\"email\":\"e\",\"firstName\":\"f\",\"lastName\":\"l\",\"fullName\":\"n\","
		    "\"phoneNumber\":\"p\",\"company\":\"c\",\"formId\":\"x\"}");
	check(&none, "{}");
	check(&null_template, "{}");
}

static void templates(void)
{
	static const struct case_of_mapping cases[] = {
	    /* a whole value keeps its type */
	    {__LINE__, "{\"m\":\"{{email}}\"}", NULL, "{\"m\":\"a@b.co\"}"},
	    {__LINE__, "{\"m\":\"{{ rawFieldData.n }}\"}", NULL, "{\"m\":7}"},
	    {__LINE__, "{\"m\":\"{{rawFieldData.r}}\"}", NULL, "{\"m\":2.5}"},
	    {__LINE__, "{\"m\":\"{{rawFieldData.yes}}\"}", NULL, "{\"m\":true}"},
	    {__LINE__, "{\"m\":\"{{rawFieldData.list}}\"}", NULL, "{\"m\":[1,{\"x\":\"y\"}]}"},
	    {__LINE__, "{\"m\":\"{{rawFieldData.list[1].x}}\"}", NULL, "{\"m\":\"y\"}"},
	    {__LINE__, "{\"m\":\"{{rawFieldData.q\\\\.1}}\"}", NULL, "{\"m\":\"dot\"}"},
	    {__LINE__, "{\"m\":\"{{customFields.o}}\"}", NULL, "{\"m\":{\"deep\":1}}"},
	    {__LINE__, "{\"m\":\"{{lastName}}\"}", NULL, "{\"m\":null}"},
	    {__LINE__, "{\"m\":\"{{nothing.there}}\"}", NULL, "{\"m\":null}"},
	    {__LINE__, "{\"m\":\"{{a..b}}\"}", NULL, "{\"m\":null}"},
	    /* within text it is text */
	    {__LINE__, "{\"m\":\"n={{rawFieldData.n}}!\"}", NULL, "{\"m\":\"n=7!\"}"},
	    {__LINE__, "{\"m\":\"{{firstName}} {{lastName}}|{{fullName}}\"}", NULL,
		"{\"m\":\"Ann |Ann B\"}"},
	    {__LINE__, "{\"m\":\"{{firstName}}{{email}}\"}", NULL, "{\"m\":\"Anna@b.co\"}"},
	    {__LINE__, "{\"m\":\" {{email}}\"}", NULL, "{\"m\":\" a@b.co\"}"},
	    {__LINE__, "{\"m\":\"{{rawFieldData.list}} {{rawFieldData.yes}}\"}", NULL,
		"{\"m\":\" true\"}"},
	    {__LINE__, "{\"m\":\"{{customFields.course}}, {{customFields.empty}}\"}", NULL,
		"{\"m\":\"C \\\"17\\\", \"}"},
	    /* what is no placeholder stays */
	    {__LINE__, "{\"m\":\"{{email\",\"n\":\"}}\",\"o\":\"{email}\",\"p\":\"\",\"q\":\"{{\"}",
		NULL, "{\"m\":\"{{email\",\"n\":\"}}\",\"o\":\"{email}\",\"p\":\"\",\"q\":\"{{\"}"},
	    {__LINE__, "{\"m\":\"{{email}} }}\"}", NULL, "{\"m\":\"a@b.co }}\"}"},
	    {__LINE__, "{\"m\":\"{{}}\",\"n\":\"x{{}}\"}", NULL, "{\"m\":\"\",\"n\":\"x\"}"},
	    {__LINE__, "{\"{{email}}\":{\"deep\":[1,null,true,\"{{email}}\",[\"{{n}}\"]]}}", NULL,
		"{\"{{email}}\":{\"deep\":[1,null,true,\"a@b.co\",[null]]}}"},
	    {__LINE__,
		"{\"m\":\"{{nothing:lower}}\",\"n\":\"{{'email'}}\",\"o\":\"{{a || email}}\"}",
		NULL, "{\"m\":null,\"n\":\"email\",\"o\":\"a@b.co\"}"},
	    {__LINE__,
		"{\"m\":\"{{company || lastName || phoneNumber}}\",\"n\":\"{{email || "
		"phoneNumber}}\","
		"\"o\":\"{{company || 'none'}}\",\"p\":\"{{fullName:upper}}\"}",
		NULL, "{\"m\":\"+491\",\"n\":\"a@b.co\",\"o\":\"none\",\"p\":\"ANN B\"}"},
	    {__LINE__,
		"[\"{{customFields.size_(approx.)}}\",\"{{rawFieldData.q.1}}\","
		"\"{{customFields.size_(approx\\\\.)}}\",\"{{customFields.o.deep}}\"]",
		NULL, "[\"10\",\"dot\",\"10\",1]"},
	    {__LINE__, "{\"$set\":{\"m\":\"{{email}}\"}}", NULL, "{\"$set\":{\"m\":\"a@b.co\"}}"},
	    {__LINE__, "{\"m\":\"{{{email}}}\",\"n\":\"{{a{{b}}\"}", NULL,
		"{\"m\":\"}\",\"n\":null}"},
	    {__LINE__, "[\"{{email}}\"]", NULL, "[\"a@b.co\"]"},
	    /* rules do not matter beside a template */
	    {__LINE__, "{\"m\":1}",
		"{\"rules\":[{\"from\":\"nothing\",\"to\":\"x\",\"required\":true}]}", "{\"m\":1}"},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		check(&cases[i], lead_text);
}

/* What is refused when a template is saved, and where; one stored before is still filled. */
static void templates_are_checked(void)
{
	static const struct {
		int line;
		const char *template, *field, *msg; /* NULL: can be used */
	} cases[] = {
	    {__LINE__, "{\"a\":\"{{email}} {{ customFields.x }}\",\"b\":[1,null,\"{x}\"]}", NULL,
		NULL},
	    {__LINE__,
		"{\"a\":\"{{\",\"{{b\":\"}} {{\",\"$set\":{\"c\":\"{{rawFieldData.q\\\\.1}}\"}}",
		NULL, NULL},
	    {__LINE__,
		"{\"a\":\"{{customFields.How many: 1?}} {{customFields.a..b || rawFieldData.[x}}\","
		"\"b\":\"{{email || phoneNumber || 'none'}}\",\"c\":\"{{customFields}}\","
		"\"d\":\"{{formId}}{{providerLeadId}}{{receivedAt:before(T)}}\"}",
		NULL, NULL},
	    {__LINE__, "{\"b\":\"{{frstName}}\"}", "b",
		"there is no \"frstName\" here, but email, "},
	    {__LINE__, "{\"b\":\"{{email || phone}}\"}", "b", "there is no \"phone\" here, but "},
	    {__LINE__, "{\"b\":\"{{Email}}\"}", "b", "there is no \"Email\" here, but "},
	    {__LINE__, "{\"b\":\"{{lead.email}}\"}", "b", "there is no \"lead.email\" here, but "},
	    {__LINE__, "{\"b\":\"{{customfields.x}}\"}", "b", NULL},
	    {__LINE__, "{\"b\":\"{{email.x}}\"}", "b", "nothing lies below email"},
	    {__LINE__, "{\"b\":\"{{email:lowr}}\"}", "b",
		"unknown filter \"lowr\": there are lower, upper, title, "},
	    {__LINE__, "{\"a\":{\"b\":[\"x\",\"{{email\"]}}", "a.b[1]", "a {{ is not closed"},
	    {__LINE__, "{\"a\":\"{{email} }\"}", "a", "a {{ is not closed"},
	    {__LINE__, "[\"{{}}\"]", "[0]", "an empty placeholder"},
	    {__LINE__, "{\"a\":\"n: {{ }}\"}", "a", "an empty placeholder"},
	    {__LINE__, "{\"a\":\"{{a..b}}\"}", "a", NULL},
	    {__LINE__, "{\"a\":\"{{a[x}}\"}", "a", NULL},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		json_t *template = json_parse(a, str_from(cases[i].template), NULL);

		REQUIRE(template != NULL);
		int rc = crm_check_template(a, template, &err);
		CHECK_AT(cases[i].line, rc == (cases[i].field == NULL ? 0 : -1));
		CHECK_AT(
		    cases[i].line, cases[i].field == NULL || TEXT_EQ(err.field, cases[i].field));
		CHECK_AT(cases[i].line, cases[i].msg == NULL || strncmp(err.msg, cases[i].msg,
								    strlen(cases[i].msg)) == 0);
		CHECK_AT(cases[i].line, (err.msg[0] != '\0') == (cases[i].field != NULL));
		arena_free(a);
	}
}

/* What a template or a rule asks for and the lead has not. */
static void missing_is_told(void)
{
	static const struct {
		int line;
		const char *template, *mapping, *missing;
	} cases[] = {
	    {__LINE__, "{\"a\":\"{{customFields.size}}\",\"b\":\"{{lastName}}, {{email}}\"}", NULL,
		"[\"customFields.size\",\"lastName\"]"},
	    {__LINE__, "{\"a\":\"{{lastName || company}}\",\"b\":\"{{company || 'x'}}\"}", NULL,
		"[\"lastName || company\"]"},
	    {__LINE__, NULL,
		"{\"rules\":[{\"from\":\"company\",\"to\":\"c\"},{\"from\":\"email\",\"to\":\"e\"},"
		"{\"to\":\"n\"}]}",
		"[\"company\"]"},
	    {__LINE__, NULL, NULL, "[]"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		json_t *missing = json_own(a, json_array());
		struct connection c = {.access.settings = json_own(a, json_object())};
		struct err err = ERR_INIT;

		if (cases[i].template != NULL)
			json_set(c.access.settings, "bodyTemplate",
			    json_incref(json_parse(a, str_from(cases[i].template), NULL)));
		CHECK_AT(cases[i].line,
		    crm_map_lead(a, &c, stored(cases[i].mapping),
			json_parse(a, str_from(lead_text), NULL), missing, &err) != NULL);
		CHECK_AT(cases[i].line, str_is(json_text(a, missing), cases[i].missing));
		arena_free(a);
	}
}

#define RULES(text) "{\"rules\":[" text "]}"

static void rules(void)
{
	static const struct case_of_mapping cases[] = {
	    {__LINE__, NULL, RULES(""), "{}"},
	    {__LINE__, NULL, RULES("{\"from\":\"email\",\"to\":\"Email__c\"}"),
		"{\"Email__c\":\"a@b.co\"}"},
	    {__LINE__, NULL,
		RULES("{\"from\":\"email\",\"to\":\"contact.mail.work\"},"
		      "{\"from\":\"rawFieldData.n\",\"to\":\"contact.n\"}"),
		"{\"contact\":{\"mail\":{\"work\":\"a@b.co\"},\"n\":7}}"},
	    {__LINE__, NULL,
		RULES("{\"const\":\"web\",\"to\":\"source\"},{\"const\":0,\"to\":\"z\"}"),
		"{\"source\":\"web\",\"z\":0}"},
	    {__LINE__, NULL, RULES("{\"const\":false,\"from\":\"email\",\"to\":\"x\"}"),
		"{\"x\":false}"},
	    /* what the lead has not is left out, unless it must be */
	    {__LINE__, NULL,
		RULES("{\"from\":\"lastName\",\"to\":\"l\"},{\"from\":\"no\",\"to\":\"n\"}"), "{}"},
	    {__LINE__, NULL, RULES("{\"from\":\"lastName\",\"to\":\"l\",\"required\":true}"), NULL},
	    {__LINE__, NULL, RULES("{\"from\":\"email\",\"to\":\"e\",\"required\":true}"),
		"{\"e\":\"a@b.co\"}"},
	    {__LINE__, NULL, RULES("{\"to\":\"e\",\"required\":true}"), NULL},
	    {__LINE__, NULL, RULES("{\"from\":\"email\"}"), NULL},
	    {__LINE__, NULL, RULES("{\"from\":\"email\",\"to\":\"a..b\"}"), NULL},
	    {__LINE__, NULL,
		RULES("{\"from\":\"email\",\"to\":\"a\"},{\"from\":\"email\",\"to\":\"a.b\"}"),
		NULL},
	    /* the later rule has the last word */
	    {__LINE__, NULL,
		RULES("{\"from\":\"email\",\"to\":\"a\"},{\"from\":\"fullName\",\"to\":\"a\"}"),
		"{\"a\":\"Ann B\"}"},
	};
	struct err err = ERR_INIT;
	struct arena *a = arena_new();
	struct connection c = {.access.settings = json_own(a, json_object())};

	for (size_t i = 0; i < COUNT(cases); i++)
		check(&cases[i], lead_text);
	/* a refusal says what is missing where, and shows nothing of the lead */
	CHECK(crm_map_lead(a, &c,
		  stored(RULES("{\"from\":\"lastName\",\"to\":\"Last\",\"required\":true}")),
		  json_parse(a, str_from(lead_text), NULL), NULL, &err) == NULL);
	CHECK(strstr(err.msg, "lastName") != NULL && strstr(err.msg, "Last,") == NULL);
	CHECK(strstr(err.msg, "a@b.co") == NULL);
	arena_free(a);
}

/* A destination's own names, and its fallbacks; a mapping of the connection goes before them. */
static void own_names(void)
{
	static const char manifest[] =
	    "{\"name\":\"x\",\"displayName\":\"X\",\"category\":\"crm\","
	    "\"capabilities\":[\"actions\",\"crm_push\"],\"apiOrigin\":\"https://x.example\","
	    "\"auth\":{\"type\":\"none\"},\"pushBody\":{\"Email\":\"{lead.email}\","
	    "\"LastName\":\"{lead.lastName || lead.fullName || 'none'}\","
	    "\"Company\":\"{lead.company || '[not provided]'}\",\"Gone\":\"{lead.lastName}\","
	    "\"Course\":\"{lead.customFields.course}\"},"
	    "\"actions\":{\"push\":{\"label\":\"P\",\"inputs\":{\"body\":{\"type\":\"json\","
	    "\"label\":\"B\"}},\"request\":{\"method\":\"POST\",\"path\":\"/\","
	    "\"json\":\"{input.body}\"},\"output\":{\"status\":\"{status}\"}}}}";
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	json_t *lead = json_parse(a, str_from(lead_text), NULL), *out;
	struct connection c = {.access.settings = json_own(a, json_object())};

	c.provider = manifest_load(a, "x", json_parse(a, str_from(manifest), NULL), &err);
	REQUIRE(c.provider != NULL && lead != NULL);
	out = crm_map_lead(a, &c, NULL, lead, NULL, &err);
	CHECK(str_is(json_text(a, out), "{\"Company\":\"[not provided]\",\"Course\":\"C "
					"\\\"17\\\"\",\"Email\":\"a@b.co\","
					"\"LastName\":\"Ann B\"}"));
	out = crm_map_lead(
	    a, &c, stored(RULES("{\"from\":\"email\",\"to\":\"e\"}")), lead, NULL, &err);
	CHECK(str_is(json_text(a, out), "{\"e\":\"a@b.co\"}"));
	arena_free(a);
}

void suite_crm_mapping(void)
{
	ADD_TESTS("crm_mapping", {"without a mapping", defaults}, {"templates", templates},
	    {"templates are checked", templates_are_checked},
	    {"what is missing is told", missing_is_told}, {"rules", rules},
	    {"a destination's own names", own_names});
}
