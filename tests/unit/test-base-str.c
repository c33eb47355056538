#include <stdlib.h>

#include "base/str.h"
#include "test-base.h"

static void compares(void)
{
	const struct str nothing = {NULL, 0};

	CHECK(str_eq(STR("ab"), STR("ab")) && !str_eq(STR("ab"), STR("abc")));
	CHECK(!str_eq(STR("ab"), STR("aB")) && str_ieq(STR("ab-Z"), STR("AB-z")));
	CHECK(!str_ieq(STR("@"), STR("`")) && !str_ieq(STR("a"), STR("")));
	CHECK(!str_ieq(STR("\xC3\xA9"), STR("\xC3\x89")));
	CHECK(str_eq(nothing, STR("")) && str_is(nothing, "") && str_is(STR("x"), "x"));
	CHECK(!str_is(STR("x\0y"), "x"));
	CHECK(
	    str_starts(STR("abc"), "ab") && !str_starts(STR("a"), "ab") && str_starts(nothing, ""));
	CHECK(str_ends(STR("abc"), "bc") && !str_ends(STR("c"), "bc") && str_ends(nothing, ""));
	CHECK(str_from(NULL).p == NULL && str_from(NULL).n == 0 && str_from("ab").n == 2);
}

static void trims(void)
{
	CHECK(str_is(str_trim(STR(" \t\r\n\v\fa b \n")), "a b"));
	CHECK(str_trim(STR("  ")).n == 0 && str_trim(STR("")).n == 0);
	CHECK(str_is(str_trim(STR("\xC2\xA0")), "\xC2\xA0"));
}

static void splits(void)
{
	static const struct {
		int line;
		const char *text, *parts; /* each part in <> */
	} rows[] = {
	    {__LINE__, "", ""},
	    {__LINE__, "a", "<a>"},
	    {__LINE__, "a,b,c", "<a><b><c>"},
	    {__LINE__, "a,,b", "<a><><b>"},
	    {__LINE__, ",", "<>"},
	    {__LINE__, ",a", "<><a>"},
	    {__LINE__, "a,", "<a>"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str rest = str_from(rows[i].text), part;
		char got[64] = "";

		while (str_split(&rest, ',', &part)) {
			size_t n = strlen(got);

			snprintf(got + n, sizeof(got) - n, "<%.*s>", (int)part.n, part.p);
		}
		CHECK_AT(rows[i].line, TEXT_EQ(got, rows[i].parts));
	}
}

static void reads_numbers(void)
{
	static const struct {
		int line;
		const char *text;
		int64_t min, max;
		bool is_ok;
		int64_t v;
	} rows[] = {
	    {__LINE__, "0", 0, 10, true, 0},
	    {__LINE__, "10", 0, 10, true, 10},
	    {__LINE__, "11", 0, 10, false, 0},
	    {__LINE__, "-1", 0, 10, false, 0},
	    {__LINE__, "-5", -5, 5, true, -5},
	    {__LINE__, "-6", -5, 5, false, 0},
	    {__LINE__, "007", 0, 10, true, 7},
	    {__LINE__, "9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX},
	    {__LINE__, "9223372036854775808", INT64_MIN, INT64_MAX, false, 0},
	    {__LINE__, "-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN},
	    {__LINE__, "-9223372036854775809", INT64_MIN, INT64_MAX, false, 0},
	    {__LINE__, "99999999999999999999999", INT64_MIN, INT64_MAX, false, 0},
	    {__LINE__, "", 0, 10, false, 0},
	    {__LINE__, "-", -10, 10, false, 0},
	    {__LINE__, "+1", 0, 10, false, 0},
	    {__LINE__, " 1", 0, 10, false, 0},
	    {__LINE__, "1 ", 0, 10, false, 0},
	    {__LINE__, "1x", 0, 10, false, 0},
	    {__LINE__, "0x1", 0, 10, false, 0},
	    {__LINE__, "1.0", 0, 10, false, 0},
	    {__LINE__, "--1", -10, 10, false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t v = 12345;
		bool is_ok = str_to_i64(str_from(rows[i].text), rows[i].min, rows[i].max, &v);

		CHECK_AT(rows[i].line, is_ok == rows[i].is_ok);
		CHECK_AT(rows[i].line, v == (rows[i].is_ok ? rows[i].v : 12345));
	}
}

static void reads_booleans(void)
{
	static const char *const yes[] = {"true", "1", "yes", "on", "TRUE", "On"};
	static const char *const no[] = {"false", "0", "no", "off", "False"};
	static const char *const neither[] = {"", "2", "y", "truee", "tru", " true"};
	bool v;

	for (size_t i = 0; i < COUNT(yes); i++) {
		v = false;
		CHECK(str_to_bool(str_from(yes[i]), &v) && v);
	}
	for (size_t i = 0; i < COUNT(no); i++) {
		v = true;
		CHECK(str_to_bool(str_from(no[i]), &v) && !v);
	}
	for (size_t i = 0; i < COUNT(neither); i++)
		CHECK(!str_to_bool(str_from(neither[i]), &v));
}

/* Test vectors of draft-eastlake-fnv. */
static void hashes(void)
{
	CHECK(str_hash("", 0) == UINT64_C(0xcbf29ce484222325));
	CHECK(str_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
	CHECK(str_hash("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

void suite_base_str(void);
void suite_base_str(void)
{
	ADD_TESTS("base/str", {"compares", compares}, {"trims", trims}, {"splits", splits},
	    {"reads numbers", reads_numbers}, {"reads booleans", reads_booleans},
	    {"hashes", hashes});
}
