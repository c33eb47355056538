/* What a rule's value is put through, each with ordinary and odd input; and what is refused when a
 * mapping is saved. */
#include "base/arena.h"
#include "core-check.h"
#include "crm/crm-mapping.h"

void suite_crm_transform(void);

#define NONE NULL /* nothing is sent */

static const struct {
	int line;
	const char *transform, *value, *expected;
} transform_cases[] = {
    {__LINE__, "\"trim\"", "\"  a b\\u00a0\"", "\"a b\""},
    {__LINE__, "\"trim\"", "\"\"", "\"\""},
    {__LINE__, "\"trim\"", "7", "\"7\""},
    {__LINE__, "\"trim\"", "[\"a\",\"b\"]", "\"a; b\""},
    {__LINE__, "\"trim\"", "{\"a\":1}", NONE},
    {__LINE__, "\"oneLine\"", "\" a\\n\\n b\\tc \"", "\"a b c\""},
    {__LINE__, "\"lower\"", "\"ÄÖ Straße É\"", "\"äö straße é\""},
    {__LINE__, "\"upper\"", "\"äö straße\"", "\"ÄÖ STRAẞE\""},
    {__LINE__, "\"upper\"", "\"\\u00ff\"", "\"Ÿ\""},
    {__LINE__, "\"title\"", "\"anna-maria VON o'brien éMILE\"", "\"Anna-Maria Von O'brien Émile\""},
    {__LINE__, "\"title\"", "\"3rd floor\"", "\"3Rd Floor\""},
    {__LINE__, "{\"name\":\"e164\",\"region\":\"DE\"}", "\"030 / 12345678\"", "\"+493012345678\""},
    {__LINE__, "{\"name\":\"e164\",\"region\":\"DE\"}", "\"+44 20 7946 0958\"",
	"\"+442079460958\""},
    {__LINE__, "\"e164\"", "\"0049 30 12345678\"", "\"+493012345678\""},
    {__LINE__, "\"e164\"", "\" 030 12345678 \"", "\"030 12345678\""},
    {__LINE__, "{\"name\":\"e164\",\"region\":\"DE\"}", "\"call me\"", "\"call me\""},
    {__LINE__, "{\"name\":\"e164\",\"region\":\"US\"}", "2125550123", "\"+12125550123\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"DD.MM.YYYY\"}", "\"1990-12-31\"", "\"31.12.1990\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"31.12.1990\"", "\"1990-12-31\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"12/31/1990\"", "\"1990-12-31\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"31/12/1990\"", "\"1990-12-31\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"05/05/1990\"", "\"1990-05-05\""},
    /* nobody can say which is the month */
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"03/04/1990\"", NONE},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"30.02.1990\"", NONE},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"soon\"", NONE},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\"}", "\"1990\"", NONE},
    {__LINE__, "{\"name\":\"date\",\"format\":\"D/M/YY HH:mm:ss\"}", "\"2026-03-07T04:05:06Z\"",
	"\"7/3/26 04:05:06\""},
    /* both odd nights of a zone */
    {__LINE__, "{\"name\":\"date\",\"format\":\"HH:mm\",\"zone\":\"Europe/Berlin\"}",
	"\"2026-03-29T00:59:00Z\"", "\"01:59\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"HH:mm\",\"zone\":\"Europe/Berlin\"}",
	"\"2026-03-29T01:00:00Z\"", "\"03:00\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"HH:mm\",\"zone\":\"Europe/Berlin\"}",
	"\"2026-10-25T01:30:00Z\"", "\"02:30\""},
    /* a day is the same day everywhere */
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\",\"zone\":\"America/New_York\"}",
	"\"2026-03-07\"", "\"2026-03-07\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\",\"zone\":\"America/New_York\"}",
	"\"20260307\"", "\"2026-03-07\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"YYYY-MM-DD\",\"zone\":\"America/New_York\"}",
	"\"2026-W10-6\"", "\"2026-03-07\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"DD HH:mm\",\"zone\":\"Europe/Berlin\"}",
	"\"2026-03-07 14:05:06+00\"", "\"07 15:05\""},
    {__LINE__, "\"number\"", "1e400", "1e400"},
    {__LINE__, "\"number\"", "123456789012345678901234567890.50",
	"123456789012345678901234567890.50"},
    {__LINE__, "{\"name\":\"date\",\"format\":\"iso\"}", "1772892306", "\"2026-03-07T14:05:06Z\""},
    {__LINE__, "{\"name\":\"date\",\"format\":\"unixMs\"}", "\"2026-03-07T14:05:06Z\"",
	"1772892306000"},
    {__LINE__, "{\"name\":\"date\",\"format\":\"unix\"}", "\"2026-03-07\"", "1772841600"},
    {__LINE__, "{\"name\":\"splitName\",\"part\":\"first\"}", "\"Dr. Ada King Lovelace\"",
	"\"Ada\""},
    {__LINE__, "{\"name\":\"splitName\",\"part\":\"last\"}", "\"Lovelace, Ada\"", "\"Lovelace\""},
    {__LINE__, "{\"name\":\"splitName\",\"part\":\"last\"}", "\"Ludwig van Beethoven\"",
	"\"van Beethoven\""},
    {__LINE__, "{\"name\":\"splitName\",\"part\":\"last\"}", "\"Cher\"", NONE},
    {__LINE__, "{\"name\":\"splitName\",\"part\":\"first\"}", "\"\"", NONE},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"evening\":\"PM\",\"Ja\":true,\"2\":7}}",
	"\" EVENING \"", "\"PM\""},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"ja\":true}}", "\"Ja\"", "true"},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"2\":7}}", "2", "7"},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"a\":\"b\"}}", "\"c\"", "\"c\""},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"a\":\"b\"},\"otherwise\":\"x\"}", "\"c\"", "\"x\""},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"a\":\"b\"},\"otherwise\":null}", "\"c\"", NONE},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"a\":null}}", "\"a\"", NONE},
    {__LINE__, "{\"name\":\"map\",\"values\":{\"a\":\"b\"},\"otherwise\":\"x\"}", "null", NONE},
    {__LINE__, "\"number\"", "\"1,234.50\"", "1234.50"},
    {__LINE__, "\"number\"", "\"1.234,50 €\"", "1234.50"},
    {__LINE__, "\"number\"", "\"1 234 567\"", "1234567"},
    {__LINE__, "\"number\"", "\"12,5\"", "12.5"},
    {__LINE__, "\"number\"", "\"1,234\"", "1234"},
    {__LINE__, "\"number\"", "\"1.234.567\"", "1234567"},
    {__LINE__, "\"number\"", "\"-1,234,567.8\"", "-1234567.8"},
    {__LINE__, "\"number\"", "\"$ 5\"", "5"},
    {__LINE__, "\"number\"", "\"18446744073709551001\"", "18446744073709551001"},
    {__LINE__, "\"number\"", "2.50", "2.50"},
    {__LINE__, "\"number\"", "\"5 people\"", NONE},
    {__LINE__, "\"number\"", "\"1,23,4\"", NONE},
    {__LINE__, "\"number\"", "\"\"", NONE},
    {__LINE__, "\"number\"", "\"-\"", NONE},
    {__LINE__, "\"boolean\"", "\" Yes \"", "true"},
    {__LINE__, "\"boolean\"", "\"nein\"", "false"},
    {__LINE__, "\"boolean\"", "false", "false"},
    {__LINE__, "\"boolean\"", "0", "false"},
    {__LINE__, "\"boolean\"", "\"maybe\"", NONE},
    {__LINE__, "{\"name\":\"truncate\",\"length\":3}", "\"äöüß\"", "\"äöü\""},
    {__LINE__, "{\"name\":\"truncate\",\"length\":9}", "\"abc\"", "\"abc\""},
    {__LINE__, "{\"name\":\"concat\",\"fields\":[\"firstName\",\"lastName\"],\"separator\":\"-\"}",
	"\"x\"", "\"x-Ann\""},
    {__LINE__, "{\"name\":\"concat\",\"fields\":[\"firstName\"]}", "null", "\"Ann\""},
    {__LINE__, "{\"name\":\"concat\",\"fields\":[\"lastName\"]}", "null", NONE},
    {__LINE__, "{\"name\":\"default\",\"value\":\"none\"}", "null", "\"none\""},
    {__LINE__, "{\"name\":\"default\",\"value\":\"none\"}", "\"  \"", "\"none\""},
    {__LINE__, "{\"name\":\"default\",\"value\":0}", "\"x\"", "\"x\""},
    {__LINE__, "[\"trim\",\"lower\",{\"name\":\"map\",\"values\":{\"a\":\"b\"}}]", "\" A\"",
	"\"b\""},
    {__LINE__, "[{\"name\":\"default\",\"value\":\" X \"},\"trim\"]", "null", "\"X\""},
    {__LINE__, "[]", "[1,2]", "[1,2]"},
};

static void each_transform(void)
{
	for (size_t i = 0; i < COUNT(transform_cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		const char *line = arena_printf(a, "%s",
		    transform_cases[i].expected == NULL
			? "{}"
			: arena_printf(a, "{\"x\":%s}", transform_cases[i].expected));
		json_t *lead = json_parse(a,
		    str_from(arena_printf(a,
			"{\"firstName\":\"Ann\",\"lastName\":null,\"customFields\":{\"v\":%s}}",
			transform_cases[i].value)),
		    NULL);
		struct crm_mapping m = {1,
		    str_from(arena_printf(a,
			"{\"rules\":[{\"from\":\"customFields.v\",\"to\":\"x\",\"transform\":%s}]}",
			transform_cases[i].transform))};
		struct connection c = {.access.settings = json_own(a, json_object())};
		json_t *out;

		REQUIRE(lead != NULL);
		out = crm_map_lead(a, &c, &m, lead, NULL, &err);
		CHECK_AT(transform_cases[i].line, out != NULL && str_is(json_text(a, out), line));
		if (out != NULL && !str_is(json_text(a, out), line))
			printf("# line %d: %s\n", transform_cases[i].line, json_text(a, out).p);
		arena_free(a);
	}
}

/* ---- what is refused when it is saved -------------------------------------------------------- */

struct complaint {
	char path[128], reason[256];
	int n;
};

static void complain(void *arg, const char *path, const char *reason)
{
	struct complaint *c = arg;

	if (c->n++ > 0)
		return;
	(void)snprintf(c->path, sizeof(c->path), "%s", path);
	(void)snprintf(c->reason, sizeof(c->reason), "%s", reason);
}

static const char target_fields[] =
    "[{\"name\":\"email\",\"type\":\"email\"},"
    "{\"name\":\"stage\",\"type\":\"choice\",\"isClosed\":true,\"values\":[\"lead\",\"customer\"]},"
    "{\"name\":\"roles\",\"type\":\"choices\",\"isClosed\":true,\"values\":[\"A\",\"B\"]},"
    "{\"name\":\"rating\",\"type\":\"choice\",\"isClosed\":false,\"values\":[\"Hot\"]},"
    "{\"name\":\"revenue\",\"type\":\"number\"},{\"name\":\"optOut\",\"type\":\"boolean\"},"
    "{\"name\":\"short\",\"type\":\"text\",\"maxLength\":2},"
    "{\"name\":\"created\",\"type\":\"time\",\"isReadOnly\":true}]";

static const struct {
	int line;
	const char *rules, *path, *reason; /* path NULL: it is good */
} checked[] = {
    {__LINE__, "[{\"from\":\"email\",\"to\":\"email\"}]", NULL, NULL},
    {__LINE__, "[{\"from\":\"lastName || fullName || 'none'\",\"to\":\"email\",\"required\":true}]",
	NULL, NULL},
    {__LINE__, "[{\"from\":\"customFields.How many: 1?\",\"to\":\"email\",\"transform\":\"trim\"}]",
	NULL, NULL},
    {__LINE__, "[{\"from\":\"company\",\"exclude\":true}]", NULL, NULL},
    {__LINE__, "{}", "rules", "must be a list"},
    {__LINE__, "[7]", "rules[0]", "must be an object"},
    {__LINE__, "[{\"from\":\"email\"}]", "rules[0].to", "is needed"},
    {__LINE__, "[{\"to\":\"email\"}]", "rules[0].from", "is needed"},
    {__LINE__, "[{\"from\":\"email\",\"const\":1,\"to\":\"email\"}]", "rules[0]", "takes one of"},
    {__LINE__, "[{\"from\":\"mail\",\"to\":\"email\"}]", "rules[0].from", "there is no \"mail\""},
    {__LINE__, "[{\"from\":\"{{email}}\",\"to\":\"email\"}]", "rules[0].from", "is the name"},
    {__LINE__, "[{\"template\":\"a {{email\",\"to\":\"email\"}]", "rules[0].template",
	"a {{ is not"},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"a..b\"}]", "rules[0].to", NULL},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"a[].b\"}]", "rules[0].to", "must be one place"},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"email\",\"transform\":\"shout\"}]",
	"rules[0].transform", "must be one of trim, "},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"email\",\"transform\":[\"trim\",\"date\"]}]",
	"rules[0].transform[1]", "date needs options"},
    {__LINE__,
	"[{\"from\":\"email\",\"to\":\"email\",\"transform\":{\"name\":\"e164\",\"region\":\"XX\"}}"
	"]",
	"rules[0].transform.region", "must be a country"},
    {__LINE__,
	"[{\"from\":\"email\",\"to\":\"email\",\"transform\":{\"name\":\"date\",\"format\":\"next "
	"week\"}}]",
	"rules[0].transform.format", "must be a format"},
    {__LINE__,
	"[{\"from\":\"email\",\"to\":\"email\",\"transform\":{\"name\":\"date\",\"format\":"
	"\"YYYY\","
	"\"zone\":\"Mars/Base\"}}]",
	"rules[0].transform.zone", "must be a time zone"},
    {__LINE__,
	"[{\"from\":\"email\",\"to\":\"email\",\"transform\":{\"name\":\"trim\",\"how\":1}}]",
	"rules[0].transform.how", "unknown field"},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"email\",\"colour\":1}]", "rules[0].colour",
	"unknown field"},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"email\"},{\"from\":\"email\",\"to\":\"email\"}]",
	"rules[1].to", "rule 1 fills \"email\" already"},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"email\"},{\"from\":\"email\",\"to\":\"email.work\"}]",
	"rules[1].to", "can't stand beside"},
    /* against what the destination takes */
    {__LINE__, "[{\"from\":\"email\",\"to\":\"e_mail\"}]", "rules[0].to",
	"The destination has no field \"e_mail\""},
    {__LINE__, "[{\"from\":\"receivedAt\",\"to\":\"created\"}]", "rules[0].to",
	"\"created\" can't be written"},
    {__LINE__, "[{\"const\":\"Lead\",\"to\":\"stage\"}]", "rules[0].const",
	"stage takes only: lead, customer"},
    {__LINE__, "[{\"const\":\"lead\",\"to\":\"stage\"}]", NULL, NULL},
    {__LINE__, "[{\"const\":\"A;B\",\"to\":\"roles\"}]", NULL, NULL},
    {__LINE__, "[{\"const\":\"A;C\",\"to\":\"roles\"}]", "rules[0].const",
	"roles takes only: A, B"},
    {__LINE__, "[{\"const\":\"Cold\",\"to\":\"rating\"}]", NULL, NULL},
    {__LINE__, "[{\"from\":\"email\",\"to\":\"stage\",\"default\":\"none\"}]", "rules[0].default",
	"stage takes only"},
    {__LINE__,
	"[{\"from\":\"email\",\"to\":\"stage\",\"transform\":{\"name\":\"map\",\"values\":{\"a\":"
	"\"lead\",\"b\":\"x\"}}}]",
	"rules[0].transform", "stage takes only"},
    {__LINE__, "[{\"const\":\"many\",\"to\":\"revenue\"}]", "rules[0].const",
	"revenue takes a number"},
    {__LINE__, "[{\"const\":\"5\",\"to\":\"revenue\"}]", NULL, NULL},
    {__LINE__, "[{\"const\":\"x\",\"to\":\"optOut\"}]", "rules[0].const", "optOut takes true or"},
    {__LINE__, "[{\"const\":[1],\"to\":\"revenue\"}]", "rules[0].const", "revenue takes one value"},
    {__LINE__, "[{\"const\":\"much too long\",\"to\":\"short\"}]", "rules[0].const",
	"short takes at most 2"},
};

static void what_is_refused(void)
{
	for (size_t i = 0; i < COUNT(checked); i++) {
		struct arena *a = arena_new();
		struct complaint c = {.n = 0};
		struct json_reader in = {.complain = complain, .arg = &c};
		struct mapping_targets t = {.fields = json_parse(a, str_from(target_fields), NULL)};
		json_t *doc = json_parse(
		    a, str_from(arena_printf(a, "{\"rules\":%s}", checked[i].rules)), NULL);
		bool is_good;

		REQUIRE(doc != NULL && t.fields != NULL);
		is_good = mapping_check(&in, a, doc, &t);
		CHECK_AT(checked[i].line, is_good == (checked[i].path == NULL));
		CHECK_AT(checked[i].line, (c.n > 0) == !is_good);
		CHECK_AT(checked[i].line, is_good || TEXT_EQ(c.path, checked[i].path));
		CHECK_AT(checked[i].line,
		    checked[i].reason == NULL ||
			strncmp(c.reason, checked[i].reason, strlen(checked[i].reason)) == 0);
		if (c.n > 0 && checked[i].path != NULL && strcmp(c.path, checked[i].path) != 0)
			printf("# line %d: %s: %s\n", checked[i].line, c.path, c.reason);
		arena_free(a);
	}
}

/* All that is wrong is told at once. */
static void all_complaints(void)
{
	struct arena *a = arena_new();
	struct complaint c = {.n = 0};
	struct json_reader in = {.complain = complain, .arg = &c};
	json_t *doc = json_parse(a,
	    STR("{\"rules\":[{\"from\":\"mail\",\"to\":\"a\"},{\"from\":\"email\",\"to\":\"b\"},"
		"{\"from\":\"email\",\"to\":\"c\",\"transform\":\"x\"},{\"to\":\"d\"}]}"),
	    NULL);

	CHECK(!mapping_check(&in, a, doc, NULL));
	CHECK(c.n == 3);
	arena_free(a);
}

/* ---- what no rule takes
 * -------------------------------------------------------------------------- */

static void unmapped(void)
{
	static const struct {
		int line;
		const char *mapping, *expected;
	} cases[] = {
	    {__LINE__,
		"{\"rules\":[{\"from\":\"email\",\"to\":\"mail\"}],\"includeUnmapped\":true}",
		"{\"course\":\"MBA\",\"first_name\":\"Ann\",\"mail\":\"a@b.co\",\"tags\":\"x; "
		"y\"}"},
	    {__LINE__,
		"{\"rules\":[{\"from\":\"customFields.course\",\"to\":\"programme\"},"
		"{\"from\":\"firstName\",\"exclude\":true},{\"from\":\"customFields.tags\","
		"\"exclude\":true}],\"includeUnmapped\":true}",
		"{\"email\":\"a@b.co\",\"programme\":\"MBA\"}"},
	    {__LINE__,
		"{\"rules\":[{\"template\":\"{{firstName}} <{{email}}>\",\"to\":\"email\"}],"
		"\"includeUnmapped\":true}",
		"{\"course\":\"MBA\",\"email\":\"Ann <a@b.co>\",\"tags\":\"x; y\"}"},
	    {__LINE__, "{\"rules\":[{\"template\":\" {{company}} \",\"to\":\"c\"}]}", "{}"},
	    {__LINE__,
		"{\"rules\":[{\"from\":\"company\",\"to\":\"c\",\"default\":{\"deep\":[1]}}]}",
		"{\"c\":{\"deep\":[1]}}"},
	};
	static const char lead_text[] =
	    "{\"email\":\"a@b.co\",\"firstName\":\"Ann\",\"lastName\":null,\"company\":null,"
	    "\"customFields\":{\"course\":\"MBA\",\"tags\":[\"x\",\"y\"],\"none\":null}}";

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct crm_mapping m = {1, str_from(cases[i].mapping)};
		struct connection c = {.access.settings = json_own(a, json_object())};
		json_t *out =
		    crm_map_lead(a, &c, &m, json_parse(a, str_from(lead_text), NULL), NULL, &err);

		CHECK_AT(
		    cases[i].line, out != NULL && str_is(json_text(a, out), cases[i].expected));
		if (out != NULL && !str_is(json_text(a, out), cases[i].expected))
			printf("# line %d: %s\n", cases[i].line, json_text(a, out).p);
		arena_free(a);
	}
}

/* The compiled form is of the version and of the connection as it was saved. */
static void cached(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct connection c = {.id = uuid_new(), .updated_us = 1};
	struct crm_mapping one = {1, STR("{\"rules\":[{\"const\":1,\"to\":\"x\"}]}")},
			   two = {2, STR("{\"rules\":[{\"const\":2,\"to\":\"x\"}]}")},
			   bad = {3, STR("{\"rules\":[{\"to\":5}]}")};
	json_t *lead = json_own(a, json_object());

	c.access.settings = json_own(a, json_object());
	CHECK(str_is(json_text(a, crm_map_lead(a, &c, &one, lead, NULL, &err)), "{\"x\":1}"));
	CHECK(str_is(json_text(a, crm_map_lead(a, &c, &two, lead, NULL, &err)), "{\"x\":2}"));
	/* what cannot be compiled says so each time, and leaves the others alone */
	CHECK(crm_map_lead(a, &c, &bad, lead, NULL, &err) == NULL && err.code == ERR_INVALID);
	err_clear(&err);
	CHECK(str_is(json_text(a, crm_map_lead(a, &c, &two, lead, NULL, &err)), "{\"x\":2}"));
	c.access.settings = json_parse(a, STR("{\"bodyTemplate\":{\"t\":1}}"), NULL);
	c.updated_us = 2;
	CHECK(str_is(json_text(a, crm_map_lead(a, &c, &two, lead, NULL, &err)), "{\"t\":1}"));
	arena_free(a);
}

void suite_crm_transform(void)
{
	ADD_TESTS("crm_transform", {"each transform", each_transform},
	    {"what is refused", what_is_refused}, {"all complaints", all_complaints},
	    {"what no rule takes", unmapped}, {"compiled once a version", cached});
}
