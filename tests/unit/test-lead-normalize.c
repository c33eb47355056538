/* The normalized form of a lead: a table of what comes in and what is made of it. */
#include "base/arena.h"
#include "core-check.h"
#include "lead/lead.h"

void suite_lead_normalize(void);

struct normal {
	int line;
	const char *country, *in, *out; /* in and out are compared without rawFieldData and an empty
					 * customFields */
};

static void check(const struct normal *c)
{
	struct arena *a = arena_new();
	json_t *lead = json_parse(a, str_from(c->in), NULL);
	json_t *out = json_parse(a, str_from(c->out), NULL);
	struct str once;

	REQUIRE(lead != NULL && out != NULL);
	lead_normalize(a, lead, c->country);
	once = json_text(a, lead);
	/* normal already: nothing more to do */
	lead_normalize(a, lead, c->country);
	CHECK_AT(c->line, str_eq(once, json_text(a, lead)));
	CHECK_AT(c->line, json_is_object(json_object_get(lead, "rawFieldData")));
	CHECK_AT(c->line, json_is_object(json_object_get(lead, "customFields")));
	json_object_del(lead, "rawFieldData");
	if (json_object_size(json_object_get(lead, "customFields")) == 0)
		json_object_del(lead, "customFields");
	for (void *i = json_object_iter(lead), *next; i != NULL; i = next) {
		next = json_object_iter_next(lead, i);
		if (json_is_null(json_object_iter_value(i)))
			json_object_del(lead, json_object_iter_key(i));
	}
	CHECK_AT(c->line, json_equal(lead, out));
	if (!json_equal(lead, out))
		printf("# line %d: %s\n", c->line, json_text(a, lead).p);
	arena_free(a);
}

static void check_all(const struct normal *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(&cases[i]);
}

static void emails(void)
{
	static const struct normal cases[] = {
	    {__LINE__, NULL, "{\"email\":\" Jane.Doe@Example.COM \"}",
		"{\"email\":\"jane.doe@example.com\"}"},
	    {__LINE__, NULL, "{\"email\":\"mailto:a@b.co\"}", "{\"email\":\"a@b.co\"}"},
	    {__LINE__, NULL, "{\"email\":\"a+tag@sub.example.org\\n\"}",
		"{\"email\":\"a+tag@sub.example.org\"}"},
	    {__LINE__, NULL,
		"{\"email\":\"J\xc3\x9cRGEN@b\xc3\xbc"
		"cher.de\"}",
		"{\"email\":\"j\xc3\x9crgen@b\xc3\xbc"
		"cher.de\"}"},
	    {__LINE__, NULL, "{\"email\":\"\"}", "{}"},
	    {__LINE__, NULL, "{\"email\":\"   \"}", "{}"},
	    {__LINE__, NULL, "{\"email\":null}", "{}"},
	    {__LINE__, NULL, "{}", "{}"},
	    {__LINE__, NULL, "{\"email\":\"No Email\"}",
		"{\"customFields\":{\"email\":\"No Email\"}}"},
	    {__LINE__, NULL, "{\"email\":\" a@b \"}", "{\"customFields\":{\"email\":\"a@b\"}}"},
	    {__LINE__, NULL, "{\"email\":\"@b.co\"}", "{\"customFields\":{\"email\":\"@b.co\"}}"},
	    {__LINE__, NULL, "{\"email\":\"a@b.co, c@d.co\"}",
		"{\"customFields\":{\"email\":\"a@b.co, c@d.co\"}}"},
	    {__LINE__, NULL, "{\"email\":\"a@@b.co\"}",
		"{\"customFields\":{\"email\":\"a@@b.co\"}}"},
	    {__LINE__, NULL, "{\"email\":\"a@.co\"}", "{\"customFields\":{\"email\":\"a@.co\"}}"},
	    {__LINE__, NULL, "{\"email\":\"a@b.\"}", "{\"customFields\":{\"email\":\"a@b.\"}}"},
	    {__LINE__, NULL, "{\"email\":\"<a@b.co>\"}",
		"{\"customFields\":{\"email\":\"<a@b.co>\"}}"},
	    {__LINE__, NULL, "{\"email\":\"x\",\"customFields\":{\"size\":\"L\"}}",
		"{\"customFields\":{\"size\":\"L\",\"email\":\"x\"}}"},
	    {__LINE__, NULL, "{\"email\":\"x\",\"customFields\":7}",
		"{\"customFields\":{\"email\":\"x\"}}"},
	};

	check_all(cases, COUNT(cases));
}

/* 254 bytes are the most of an address, 64 before the sign. */
static void long_emails(void)
{
	static const struct {
		int line;
		size_t local, domain;
		bool is_kept;
	} cases[] = {
	    {__LINE__, 64, 189, true}, {__LINE__, 65, 100, false}, {__LINE__, 64, 190, false}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		char *text = arena_alloc(a, 400);
		json_t *lead = json_own(a, json_object());

		memset(text, 'a', cases[i].local);
		text[cases[i].local] = '@';
		memset(text + cases[i].local + 1, 'b', cases[i].domain);
		memcpy(text + cases[i].local + 1 + cases[i].domain - 3, ".co", 4);
		json_set_str(lead, "email", text);
		lead_normalize(a, lead, NULL);
		CHECK_AT(cases[i].line, (json_str(lead, "email") != NULL) == cases[i].is_kept);
		CHECK_AT(cases[i].line, (json_str(json_object_get(lead, "customFields"), "email") ==
					    NULL) == cases[i].is_kept);
		arena_free(a);
	}
}

#define PHONE(country, given, made)                                                                \
	{                                                                                          \
		__LINE__, country, "{\"phoneNumber\":\"" given "\"}",                              \
		    "{\"phoneNumber\":\"" made "\"}"                                               \
	}

static void phones(void)
{
	static const struct normal cases[] = {
	    PHONE(NULL, "+1 (555) 123-4567", "+15551234567"),
	    PHONE(NULL, "  +49.30.123456 ", "+4930123456"),
	    PHONE(NULL, "0049 30 123456", "+4930123456"),
	    PHONE(NULL, "+44 (0)20 7946 0958", "+442079460958"),
	    PHONE(NULL, "0049 (0) 30 123456", "+4930123456"),
	    PHONE(NULL, "030 123456", "030 123456"), /* no country known: as given */
	    PHONE(NULL, " 555 123 4567", "555 123 4567"),
	    PHONE("DE", "030 123456", "+4930123456"),
	    PHONE("de", "0171/1234567", "+491711234567"),
	    PHONE("DE", "(0)30 123456", "+4930123456"),
	    PHONE("DE", "+33 1 23 45 67 89", "+33123456789"),
	    PHONE("GB", "020 7946 0958", "+442079460958"),
	    PHONE("US", "(555) 123-4567", "+15551234567"),
	    PHONE("US", "1-555-123-4567", "+15551234567"),
	    PHONE("CA", "555.123.4567", "+15551234567"),
	    PHONE("US", "123-4567", "+11234567"),
	    PHONE("IT", "06 1234 5678", "+390612345678"), /* keeps its zero */
	    PHONE("ES", "612 345 678", "+34612345678"),
	    PHONE("XX", "030 123456", "030 123456"),
	    PHONE("", "030 123456", "030 123456"),
	    PHONE("DE", "030 123456 ext. 5", "030 123456 ext. 5"),
	    PHONE("DE", "call me", "call me"),
	    PHONE(NULL, "+12345", "+12345"),                       /* too short for a number */
	    PHONE(NULL, "+1234567890123456", "+1234567890123456"), /* too long */
	    PHONE("DE", "12", "12"),
	    {__LINE__, NULL, "{\"phoneNumber\":\"  \"}", "{}"},
	    {__LINE__, NULL,
		"{\"phoneNumber\":\"030 123456\",\"rawFieldData\":{\"country\":\"DE\"}}",
		"{\"phoneNumber\":\"+4930123456\"}"},
	    {__LINE__, "US",
		"{\"phoneNumber\":\"030 123456\",\"rawFieldData\":{\"country_code\":\"de\"}}",
		"{\"phoneNumber\":\"+4930123456\"}"},
	    {__LINE__, "DE",
		"{\"phoneNumber\":\"030 123456\",\"rawFieldData\":{\"country\":\"Atlantis\"}}",
		"{\"phoneNumber\":\"+4930123456\"}"},
	};

	check_all(cases, COUNT(cases));
}

static void names(void)
{
	static const struct normal cases[] = {
	    {__LINE__, NULL, "{\"firstName\":\" Jane \",\"lastName\":\"Doe\"}",
		"{\"firstName\":\"Jane\",\"lastName\":\"Doe\",\"fullName\":\"Jane Doe\"}"},
	    {__LINE__, NULL, "{\"firstName\":\"Jane\"}",
		"{\"firstName\":\"Jane\",\"fullName\":\"Jane\"}"},
	    {__LINE__, NULL, "{\"lastName\":\"Doe\"}",
		"{\"lastName\":\"Doe\",\"fullName\":\"Doe\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"Jane Doe\"}",
		"{\"firstName\":\"Jane\",\"lastName\":\"Doe\",\"fullName\":\"Jane Doe\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"John van der Doe\"}",
		"{\"firstName\":\"John\",\"lastName\":\"van der Doe\",\"fullName\":\"John van der "
		"Doe\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"Doe, John\"}",
		"{\"firstName\":\"John\",\"lastName\":\"Doe\",\"fullName\":\"John Doe\"}"},
	    {__LINE__, NULL, "{\"fullName\":\" van Doe ,  John Q. \"}",
		"{\"firstName\":\"John Q.\",\"lastName\":\"van Doe\",\"fullName\":\"John Q. van "
		"Doe\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"Doe,\"}",
		"{\"lastName\":\"Doe\",\"fullName\":\"Doe,\"}"},
	    {__LINE__, NULL, "{\"fullName\":\",\"}", "{\"fullName\":\",\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"Madonna\"}",
		"{\"firstName\":\"Madonna\",\"fullName\":\"Madonna\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"Jane Doe\",\"firstName\":\"J.\"}",
		"{\"firstName\":\"J.\",\"fullName\":\"Jane Doe\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"Zo\xc3\xab \xc3\x85ngstr\xc3\xb6m\"}",
		"{\"firstName\":\"Zo\xc3\xab\",\"lastName\":\"\xc3\x85ngstr\xc3\xb6m\","
		"\"fullName\":\"Zo\xc3\xab \xc3\x85ngstr\xc3\xb6m\"}"},
	    {__LINE__, NULL, "{\"fullName\":\"\xe5\xb1\xb1\xe7\x94\xb0 \xe8\x8a\xb1\xe5\xad\x90\"}",
		"{\"firstName\":\"\xe5\xb1\xb1\xe7\x94\xb0\",\"lastName\":"
		"\"\xe8\x8a\xb1\xe5\xad\x90\","
		"\"fullName\":\"\xe5\xb1\xb1\xe7\x94\xb0 \xe8\x8a\xb1\xe5\xad\x90\"}"},
	    {__LINE__, NULL, "{\"firstName\":\"\",\"lastName\":\" \",\"fullName\":\"\"}", "{}"},
	    {__LINE__, NULL, "{\"company\":\"  Acme & Sons \"}", "{\"company\":\"Acme & Sons\"}"},
	    {__LINE__, NULL, "{\"formId\":\" 7 \",\"createdAt\":\"x\"}",
		"{\"formId\":\" 7 \",\"createdAt\":\"x\"}"},
	};

	check_all(cases, COUNT(cases));
}

/* All that came is kept as it came. */
static void raw_is_kept(void)
{
	struct arena *a = arena_new();
	json_t *lead = json_parse(a,
	    STR("{\"email\":\" A@B.CO\",\"rawFieldData\":{\"email\":\" A@B.CO\",\"q\":[\" x \"]},"
		"\"customFields\":{\"q\":\" x \"}}"),
	    NULL);

	lead_normalize(a, lead, NULL);
	CHECK(str_is(json_text(a, json_object_get(lead, "rawFieldData")),
	    "{\"email\":\" A@B.CO\",\"q\":[\" x \"]}"));
	CHECK(str_is(json_text(a, json_object_get(lead, "customFields")), "{\"q\":\" x \"}"));
	arena_free(a);
}

void suite_lead_normalize(void)
{
	ADD_TESTS("lead_normalize", {"emails", emails}, {"long emails", long_emails},
	    {"phones", phones}, {"names", names}, {"raw fields are kept", raw_is_kept});
}
