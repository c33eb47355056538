#include <dirent.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "test-base.h"

static void texts(void)
{
	static const struct {
		int line;
		const char *in, *out; /* out NULL: refused */
	} rows[] = {
	    {__LINE__, "null", "null"},
	    {__LINE__, " true ", "true"},
	    {__LINE__, "\"\"", "\"\""},
	    {__LINE__, "[ ]", "[]"},
	    {__LINE__, "{ }", "{}"},
	    {__LINE__, "{\"b\":1,\"a\":[1,2,{\"d\":null,\"c\":false}]}",
		"{\"a\":[1,2,{\"c\":false,\"d\":null}],\"b\":1}"},
	    {__LINE__, "\"\\u00e9\\ud83d\\ude00\\/\"", "\"\xC3\xA9\xF0\x9F\x98\x80/\""},
	    {__LINE__, "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"",
		"\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\""},
	    {__LINE__, "-0", "-0"},
	    {__LINE__, "9223372036854775807", "9223372036854775807"},
	    {__LINE__, "-9223372036854775808", "-9223372036854775808"},
	    {__LINE__, "0.1", "0.1"},
	    {__LINE__, "1.5e3", "1.5e3"},
	    {__LINE__, "1.0", "1.0"},
	    {__LINE__, "-2.50", "-2.50"},
	    {__LINE__, "0.30000000000000004", "0.30000000000000004"},
	    {__LINE__, "123456789.123456", "123456789.123456"},
	    {__LINE__, "1e300", "1e300"},
	    {__LINE__, "5e-324", "5e-324"},
	    /* what no int64 holds keeps its digits */
	    {__LINE__, "[9223372036854775808,444444444444444444,-9223372036854775809,1]",
		"[9223372036854775808,444444444444444444,-9223372036854775809,1]"},
	    {__LINE__, "{\"99999999999999999999\":\"99999999999999999999\"}",
		"{\"99999999999999999999\":\"99999999999999999999\"}"},
	    {__LINE__, "[\"\\\"\",18446744073709551616]", "[\"\\\"\",18446744073709551616]"},
	    {__LINE__, "[99999999999999999999.5,99999999999999999999E1]",
		"[99999999999999999999.5,99999999999999999999E1]"},
	    {__LINE__, "", NULL},
	    {__LINE__, " ", NULL},
	    {__LINE__, "nul", NULL},
	    {__LINE__, "{\"a\":1,\"a\":2}", NULL},
	    {__LINE__, "\"\\u0000\"", NULL},
	    {__LINE__, "{\"\\u0000\":1}", NULL},
	    {__LINE__, "\"\\ud800\"", NULL},
	    {__LINE__, "\"\\udc00\\ud800\"", NULL},
	    {__LINE__, "\"\xED\xA0\x80\"", NULL},
	    {__LINE__, "\"\xC0\x80\"", NULL},
	    {__LINE__, "\"\xFF\"", NULL},
	    {__LINE__, "\"a\nb\"", NULL},
	    {__LINE__, "'a'", NULL},
	    {__LINE__, "[1,]", NULL},
	    {__LINE__, "{\"a\":1,}", NULL},
	    {__LINE__, "01", NULL},
	    {__LINE__, "+1", NULL},
	    {__LINE__, ".5", NULL},
	    {__LINE__, "1.", NULL},
	    {__LINE__, "[1.5.2]", NULL},
	    {__LINE__, "[1.5 2.50]", NULL},
	    {__LINE__, "{2.50:1}", NULL},
	    {__LINE__, "[2.50\"x\"]", NULL},
	    {__LINE__, "[-2.50-]", NULL},
	    {__LINE__, "[2.50,\"\\u0000\"]", NULL},
	    {__LINE__, "[2.50,\"\\\\u0000\"]", "[2.50,\"\\\\u0000\"]"},
	    {__LINE__, "1e999", "1e999"},
	    {__LINE__, "NaN", NULL},
	    {__LINE__, "1 2", NULL},
	    {__LINE__, "[1]]", NULL},
	    {__LINE__, "\xEF\xBB\xBF{}", NULL},
	    {__LINE__, "{\"a\":1} // b", NULL},
	    {__LINE__, "\"abc", NULL},
	    {__LINE__, "\"abc\\", NULL},
	    {__LINE__, "[99999999999999999999", NULL},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;
		json_t *v = json_parse(a, str_from(rows[i].in), &e);

		CHECK_AT(rows[i].line, (v != NULL) == (rows[i].out != NULL));
		if (v && rows[i].out) {
			CHECK_AT(rows[i].line, TEXT_EQ(json_text(a, v).p, rows[i].out));
			CHECK_AT(rows[i].line, json_text(a, v).n == strlen(rows[i].out));
		} else {
			CHECK_AT(rows[i].line, e.code == ERR_MALFORMED);
		}
	}
	CHECK(json_parse(a, STR("1\0"), NULL) == NULL);
	CHECK(json_parse(a, STR("[1\0,2]"), NULL) == NULL);
	CHECK(json_parse(a, (struct str){NULL, 0}, NULL) == NULL);
	arena_free(a);
}

static void lenient(void)
{
#define WHOLE(lit)                                                                                 \
	{                                                                                          \
		lit, sizeof(lit) - 1                                                               \
	}
	static const struct {
		int line;
		struct str in;
		const char *out; /* NULL: refused all the same */
		unsigned repairs;
	} rows[] = {
	    {__LINE__, WHOLE("{\"a\":[1,2.50,\"\\u00e9\"]}"), "{\"a\":[1,2.50,\"\xC3\xA9\"]}", 0},
	    {__LINE__, WHOLE("\xEF\xBB\xBF{\"a\":1}"), "{\"a\":1}", JSON_REPAIR_MARK},
	    {__LINE__, WHOLE("\xEF\xBB\xBF\xEF\xBB\xBF{}"), "{}", JSON_REPAIR_MARK},
	    {__LINE__, WHOLE("\xFF\xFE{\0}\0"), "{}", JSON_REPAIR_UTF16 | JSON_REPAIR_MARK},
	    {__LINE__, WHOLE("\xFE\xFF\0\"\0\xE9\xD8\x3D\xDE\0\0\""),
		"\"\xC3\xA9\xF0\x9F\x98\x80\"", JSON_REPAIR_UTF16 | JSON_REPAIR_MARK},
	    {__LINE__, WHOLE("{\0\"\0\x00\x4E\"\0:\0001\0}\0"), "{\"\xE4\xB8\x80\":1}",
		JSON_REPAIR_UTF16},
	    {__LINE__, WHOLE("\0[\0\"\xD8\x3D\0\"\0]"), "[\"\xEF\xBF\xBD\"]", JSON_REPAIR_UTF16},
	    {__LINE__, WHOLE("\"up \\ud83d\""), "\"up \xEF\xBF\xBD\"", JSON_REPAIR_SURROGATE},
	    {__LINE__, WHOLE("\"\\ud83d\\ude00 \\ude00\\ud83d\\n\""),
		"\"\xF0\x9F\x98\x80 \xEF\xBF\xBD\xEF\xBF\xBD\\n\"", JSON_REPAIR_SURROGATE},
	    {__LINE__, WHOLE("\"\\\\ud83d\""), "\"\\\\ud83d\"", 0},
	    {__LINE__, WHOLE("{\"k\\ud83d\":1}"), "{\"k\xEF\xBF\xBD\":1}", JSON_REPAIR_SURROGATE},
	    {__LINE__, WHOLE("\"a\\u0000b\""),
		"\"a\xEF\xBF\xBD"
		"b\"",
		JSON_REPAIR_NUL},
	    {__LINE__, WHOLE("[2.50,\"a\0b\"]\0"),
		"[2.50,\"a\xEF\xBF\xBD"
		"b\"]",
		JSON_REPAIR_NUL},
	    {__LINE__, WHOLE("\"a\xFF\xC3(\xED\xA0\x80\""),
		"\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"",
		JSON_REPAIR_BYTES},
	    {__LINE__, WHOLE("\"a\n\tb\x01\""), "\"a\\n\\tb\\u0001\"", JSON_REPAIR_CONTROL},
	    {__LINE__, WHOLE("{\"a\":1,\"a\":{\"b\":2,\"b\":3}}"), "{\"a\":{\"b\":3}}",
		JSON_REPAIR_DOUBLED},
	    {__LINE__, WHOLE("\xEF\xBB\xBF{\"a\":1,\"a\":\"\\ud83d\"}"), "{\"a\":\"\xEF\xBF\xBD\"}",
		JSON_REPAIR_MARK | JSON_REPAIR_SURROGATE | JSON_REPAIR_DOUBLED},
	    {__LINE__, WHOLE(""), NULL, 0},
	    {__LINE__, WHOLE("{'a':1}"), NULL, 0},
	    {__LINE__, WHOLE("{\"a\":1,}"), NULL, 0},
	    {__LINE__, WHOLE("{\"a\":\"\\q\"}"), NULL, 0},
	    {__LINE__, WHOLE("\"\\ud83d"), NULL, 0},
	    {__LINE__, WHOLE("\"\\ud8"), NULL, 0},
	    {__LINE__, WHOLE("\"a\\"), NULL, 0},
	    {__LINE__, WHOLE("\0\"\xDC"), NULL, 0},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;
		unsigned repairs;
		json_t *v = json_parse_lenient(a, rows[i].in, &repairs, &e);

		CHECK_AT(rows[i].line, (v != NULL) == (rows[i].out != NULL));
		if (v && rows[i].out) {
			CHECK_AT(rows[i].line, TEXT_EQ(json_text(a, v).p, rows[i].out));
			CHECK_AT(rows[i].line, repairs == rows[i].repairs);
			CHECK_AT(rows[i].line,
			    (json_repairs_text(a, repairs) != NULL) == (repairs != 0));
		} else {
			CHECK_AT(rows[i].line, e.code == ERR_MALFORMED && e.msg[0] != '\0');
		}
	}
	arena_free(a);
}

/* In our words, whatever the parser calls them. */
static void words(void)
{
	static const struct {
		int line;
		const char *in, *said;
	} rows[] = {
	    {__LINE__, "{\"a\":1,\"a\":2}", "twice"},
	    {__LINE__, "\"\\ud800\"", "half a surrogate pair"},
	    {__LINE__, "\"\\u0000\"", "the escape \\u0000"},
	    {__LINE__, "{\"\\u0000\":1}", "the escape \\u0000"},
	    {__LINE__, "\"\xFF\"", "no UTF-8"},
	    {__LINE__, "\"a\nb\"", "a line break within a text"},
	    {__LINE__, "\"a\x01\"", "a control character"},
	    {__LINE__, "\"\\q\"", "an escape that there is not"},
	    {__LINE__, "{a:1}", "a key in quotes"},
	    {__LINE__, "{\"a\" 1}", "a colon"},
	    {__LINE__, "[1 2]", "a comma or a ]"},
	    {__LINE__, "{\"a\":1 2}", "a comma or a }"},
	    {__LINE__, "[1] 2", "behind its end"},
	    {__LINE__, "nul", "not JSON"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;

		CHECK_AT(rows[i].line, json_parse(a, str_from(rows[i].in), &e) == NULL);
		CHECK_AT(rows[i].line, strstr(e.msg, rows[i].said) != NULL);
		CHECK_AT(rows[i].line, strstr(e.msg, "JSON_") == NULL);
	}
	arena_free(a);
}

static void messages(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;

	CHECK(json_parse(a, STR("{\n  \"a\": secret\n}"), &e) == NULL);
	CHECK(strstr(e.msg, "line 2, column ") != NULL);
	CHECK(strstr(e.msg, "secret") == NULL);
	arena_free(a);
}

static json_t *nested(struct arena *a, size_t levels, char open, char close)
{
	char text[400];

	memset(text, open, levels);
	memset(text + levels, close, levels);
	return json_parse(a, (struct str){text, 2 * levels}, NULL);
}

static void bounds(void)
{
	struct arena *a = arena_new();
	struct err e = ERR_INIT;
	struct str large = {NULL, LIMIT_JSON_BYTES};
	char *text = malloc(LIMIT_JSON_BYTES + 1);

	CHECK(nested(a, LIMIT_JSON_DEPTH, '[', ']') != NULL);
	CHECK(nested(a, LIMIT_JSON_DEPTH + 1, '[', ']') == NULL);
	/* brackets within strings are no nesting, siblings neither */
	memset(text, '[', 200);
	text[0] = text[199] = '"';
	CHECK(json_parse(a, (struct str){text, 200}, NULL) != NULL);
	CHECK(json_parse(a, STR("[[[]],[[]],[\"\\\"[[[\"]]"), NULL) != NULL);

	memset(text, ' ', LIMIT_JSON_BYTES + 1);
	text[0] = '1';
	large.p = text;
	CHECK(json_parse(a, large, &e) != NULL && e.code == ERR_NONE);
	large.n++;
	CHECK(json_parse(a, large, &e) == NULL && e.code == ERR_LIMIT);
	free(text);
	arena_free(a);
}

static void written_for_people(void)
{
	struct arena *a = arena_new();
	json_t *v = json_parse(a, STR("{\"b\":[1,{}],\"a\":[],\"c\":{\"d\":null}}"), NULL);
	struct buf b;

	REQUIRE(v != NULL);
	CHECK(TEXT_EQ(json_pretty(a, v).p, "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ],\n"
					   "  \"c\": {\n    \"d\": null\n  }\n}"));
	buf_init(&b, 100);
	json_append(&b, v);
	CHECK(TEXT_EQ(b.p, "{\"b\":[1,{}],\"a\":[],\"c\":{\"d\":null}}"));
	buf_fini(&b);
	buf_init(&b, 10);
	json_append(&b, v);
	CHECK(!buf_ok(&b));
	buf_fini(&b);
	arena_free(a);
}

static void many_members_are_sorted(void)
{
	struct arena *a = arena_new();
	json_t *v = json_own(a, json_object());
	const char *text;
	char key[16];
	int bad = 0;

	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "k%03d", i * 7 % 500);
		json_set_int(v, key, i);
	}
	text = json_text(a, v).p;
	for (int i = 0; i < 500; i++) {
		const char *at;

		snprintf(key, sizeof(key), "\"k%03d\"", i);
		at = strstr(text, key);
		bad += !at;
		text = at ? at : text;
	}
	CHECK(bad == 0);
	arena_free(a);
}

/* As it stands, where it is whole. */
static void verbatim(void)
{
	static const struct {
		int line;
		const char *text;
		bool is_whole;
	} cases[] = {
	    {__LINE__, "{}", true},
	    {__LINE__, "{\"b\":1.50,\"a\":[{\"x\":\"}\\\"]\"},[]]}", true},
	    {__LINE__, "", false},
	    {__LINE__, "{", false},
	    {__LINE__, "{\"x\":", false},
	    {__LINE__, "{\"x\":\"}", false},
	    {__LINE__, "{\"x\":1}}", false},
	    {__LINE__, "{\"x\":1},{}", false},
	    {__LINE__, "[1]", false},
	    {__LINE__, "{\"a\":[true,false,null,-0.5e-7,{}],\"b\":\"\\u00e9\\n\\\\\"}", true},
	    {__LINE__, "{\"a\":b}", false},
	    {__LINE__, "{\"a\":}", false},
	    {__LINE__, "{\"a\"}", false},
	    {__LINE__, "{\"a\":1,}", false},
	    {__LINE__, "{,}", false},
	    {__LINE__, "{a:1}", false},
	    {__LINE__, "{\"a\":1 \"b\":2}", false},
	    {__LINE__, "{\"a\":[1,]}", false},
	    {__LINE__, "{\"a\":[1}]", false},
	    {__LINE__, "{\"a\":[\"b\":1]}", false},
	    {__LINE__, "{\"a\":tru}", false},
	    {__LINE__, "{\"a\":truely}", false},
	    {__LINE__, "{\"a\":01}", false},
	    {__LINE__, "{\"a\":1.}", false},
	    {__LINE__, "{\"a\":-}", false},
	    {__LINE__, "{\"a\":\"\\x\"}", false},
	    {__LINE__, "{\"a\":\"\\u12g4\"}", false},
	    {__LINE__, "{\"a\":\"\\u12\"}", false},
	    {__LINE__, "{\"a\":\"\t\"}", false},
	    {__LINE__, "{\"a\":\"\\\"}", false},
	    {__LINE__, "12", false},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *v = json_verbatim(a, str_from(cases[i].text)), *o;

		CHECK_AT(cases[i].line, (v != NULL) == cases[i].is_whole);
		if (v == NULL)
			continue;
		o = json_own(a, json_object());
		json_set(o, "data", json_incref(v));
		CHECK_AT(cases[i].line,
		    str_is(json_text(a, o), arena_printf(a, "{\"data\":%s}", cases[i].text)));
	}
	arena_free(a);
}

static void text_of_a_member(void)
{
	static const struct {
		int line;
		const char *object, *key, *text; /* NULL: absent; "": no such object */
	} cases[] = {
	    {__LINE__, "{}", "a", NULL},
	    {__LINE__, "{\"a\":1}", "a", "1"},
	    {__LINE__, "{\"a\":1}", "b", NULL},
	    {__LINE__, "{\"a\":{\"b\":2},\"b\":\"x,}\\\"\"}", "b", "\"x,}\\\"\""},
	    {__LINE__, "{\"a\":[{\"b\":[]},\"]\"],\"b\":null}", "a", "[{\"b\":[]},\"]\"]"},
	    {__LINE__, "{\"a\\\"b\":-1.50e3,\"c\":true}", "a\"b", "-1.50e3"},
	    {__LINE__, "{\"a\\nb\":{},\"c\":true}", "a\nb", "{}"},
	    {__LINE__, "{\"a\":{\"z\":1}}", "z", NULL},
	    {__LINE__, "{\"a\":\"b\"}", "b", NULL},
	    {__LINE__, "", "a", ""},
	    {__LINE__, "[1]", "a", ""},
	    {__LINE__, "{\"x\":", "a", ""},
	    {__LINE__, "{\"x\":1", "a", ""},
	    {__LINE__, "{\"x\"", "a", ""},
	    {__LINE__, "{\"x", "x", ""},
	    {__LINE__, "{ \"a\": 1 }", "a", ""},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *want = cases[i].text;
		struct str text = {NULL, 0};
		int found = json_member_text(a, str_from(cases[i].object), cases[i].key, &text);

		CHECK_AT(cases[i].line, found == (want == NULL ? 0 : want[0] == '\0' ? -1 : 1));
		CHECK_AT(cases[i].line, found != 1 || str_is(text, want));
	}
	arena_free(a);
}

static void members(void)
{
	struct arena *a = arena_new();
	json_t *v = json_parse(a,
	    STR("{\"s\":\"x\",\"i\":42,\"r\":1.5,\"t\":true,\"f\":false,"
		"\"n\":null,\"o\":{},\"a\":[]}"),
	    NULL);

	REQUIRE(v != NULL);
	CHECK(TEXT_EQ(json_str(v, "s"), "x") && !json_str(v, "i") && !json_str(v, "none"));
	CHECK(json_int(v, "i") == 42 && json_int(v, "s") == 0 && json_int(v, "none") == 0);
	CHECK(
	    json_bool(v, "t") && !json_bool(v, "f") && !json_bool(v, "s") && !json_bool(v, "none"));
	CHECK(!json_str(NULL, "s") && json_int(NULL, "i") == 0 && !json_bool(json_null(), "t"));
	CHECK(TEXT_EQ(json_scalar_text(a, json_object_get(v, "s")), "x"));
	CHECK(TEXT_EQ(json_scalar_text(a, json_object_get(v, "i")), "42"));
	CHECK(TEXT_EQ(json_scalar_text(a, json_object_get(v, "r")), "1.5"));
	CHECK(TEXT_EQ(json_scalar_text(a, json_object_get(v, "t")), "true"));
	CHECK(TEXT_EQ(json_scalar_text(a, json_object_get(v, "f")), "false"));
	CHECK(!json_scalar_text(a, json_object_get(v, "n")));
	CHECK(!json_scalar_text(a, json_object_get(v, "o")));
	CHECK(!json_scalar_text(a, json_object_get(v, "a")));
	CHECK(!json_scalar_text(a, NULL));
	arena_free(a);
}

static void setters(void)
{
	struct arena *a = arena_new();
	json_t *v = json_own(a, json_object());

	json_set_str(v, "a", "x");
	json_set_str(v, "b", NULL);
	json_set_strn(v, "c", (struct str){"yz!", 2});
	json_set_int(v, "d", -3);
	json_set_bool(v, "e", true);
	json_set_time(v, "f", INT64_C(1772893800000000));
	json_set_time(v, "g", 0);
	json_set(v, "h", json_pack("[i]", 1));
	json_set(v, "i", NULL);
	json_set_str(v, "j", "bad \xFF\xC3( end\xC3");
	json_set_int(v, "k\xFF", 1);
	json_set_int(v, "\xC3\xA9", 2);
	CHECK(TEXT_EQ(json_text(a, v).p,
	    "{\"a\":\"x\",\"b\":null,\"c\":\"yz\",\"d\":-3,\"e\":true,"
	    "\"f\":\"2026-03-07T14:30:00Z\",\"g\":null,\"h\":[1],\"i\":null,"
	    "\"j\":\"bad \xEF\xBF\xBD\xEF\xBF\xBD( end\xEF\xBF\xBD\",\"k\xEF\xBF\xBD\":1,"
	    "\"\xC3\xA9\":2}"));
	arena_free(a);
}

static json_t *fixture(struct arena *a, const char *name, const char *file)
{
	const char *path =
	    arena_printf(a, "%s/tests/unit/fixtures/merge/%s/%s", source_dir(), name, file);
	FILE *f = fopen(path, "re");
	char text[4096];
	size_t n;

	if (!f)
		return NULL;
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	return json_parse(a, (struct str){text, n}, NULL);
}

static void merge_one(const char *name)
{
	struct arena *a = arena_new();
	json_t *target = fixture(a, name, "target.json"), *patch = fixture(a, name, "patch.json");
	json_t *expected = fixture(a, name, "expected.json");
	struct str before, patch_before;
	bool is_changed;

	if (!target || !patch || !expected) {
		CU_assertImplementation(CU_FALSE, __LINE__, name, "fixtures/merge", "", CU_FALSE);
		arena_free(a);
		return;
	}
	before = json_text(a, target);
	patch_before = json_text(a, patch);
	is_changed = json_merge(target, patch);
	CU_assertImplementation(str_eq(json_text(a, target), json_text(a, expected)), __LINE__,
	    name, "fixtures/merge", "", CU_FALSE);
	CU_assertImplementation(is_changed != str_eq(before, json_text(a, target)), __LINE__, name,
	    "fixtures/merge (changed)", "", CU_FALSE);
	CU_assertImplementation(
	    !json_merge(target, patch), __LINE__, name, "fixtures/merge (again)", "", CU_FALSE);
	CHECK(str_eq(json_text(a, patch), patch_before));
	arena_free(a);
}

static void merges(void)
{
	char path[4096];
	struct dirent **names;
	int n, done = 0;

	snprintf(path, sizeof(path), "%s/tests/unit/fixtures/merge", source_dir());
	n = scandir(path, &names, NULL, alphasort);
	REQUIRE(n > 0);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			merge_one(names[i]->d_name);
			done++;
		}
		free(names[i]);
	}
	free(names);
	CHECK(done >= 19);
}

/* What a target took from one patch is not changed when a later one is merged into it. */
static void a_merge_shares_nothing(void)
{
	struct arena *a = arena_new();
	json_t *target = json_own(a, json_object());
	json_t *first = json_parse(a, STR("{\"a\":{\"b\":1},\"c\":[{\"d\":1}]}"), NULL);
	json_t *second = json_parse(a, STR("{\"a\":{\"b\":2,\"e\":3}}"), NULL);

	CHECK(json_merge(target, first) && json_merge(target, second));
	CHECK(TEXT_EQ(json_text(a, first).p, "{\"a\":{\"b\":1},\"c\":[{\"d\":1}]}"));
	CHECK(TEXT_EQ(json_text(a, target).p, "{\"a\":{\"b\":2,\"e\":3},\"c\":[{\"d\":1}]}"));
	CHECK(!json_merge(json_null(), second) && !json_merge(target, json_null()));
	arena_free(a);
}

void suite_base_json(void);
void suite_base_json(void)
{
	ADD_TESTS("base/json", {"texts", texts}, {"messages", messages}, {"lenient", lenient},
	    {"words", words}, {"bounds", bounds}, {"written for people", written_for_people},
	    {"many members are sorted", many_members_are_sorted}, {"verbatim", verbatim},
	    {"text of a member", text_of_a_member}, {"members", members}, {"setters", setters},
	    {"merges", merges}, {"a merge shares nothing", a_merge_shares_nothing});
}
