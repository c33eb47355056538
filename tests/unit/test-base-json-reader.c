#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json-reader.h"
#include "test-base.h"

static json_t *json_of(struct arena *a, const char *text)
{
	json_t *v = json_parse(a, str_from(text), NULL);

	REQUIRE(v != NULL);
	return v;
}

/* "path: reason" of all complaints, between semicolons. */
static void gather(void *arg, const char *path, const char *reason)
{
	struct buf *b = arg;

	buf_printf(b, "%s%s: %s", b->len > 0 ? "; " : "", path, reason);
}

/* Ends in "!": the form that parse takes. */
static bool shout_parse(struct str s, void *out)
{
	*(size_t *)out = s.n;
	return str_ends(s, "!");
}

struct everything {
	json_t *any, *object, *list;
	struct str text, needed;
	size_t shout;
	const char *word;
	struct opt_time time;
	int64_t integer;
	double number;
	bool boolean;
};

static const char *const colours[] = {"red", "green", "blue", NULL};

#define AT(field) JSON_INTO(struct everything, field)
static const struct json_member members[] = {
    {"any", READ_ANY, AT(any)},
    {"object", READ_OBJECT, AT(object), .need = READ_NULLABLE, .max = 2},
    {"list", READ_LIST, AT(list), .min = 1, .max = 2},
    {"text", READ_TEXT, AT(text), .need = READ_CLEARABLE, .flags = READ_TRIMMED | READ_PLAIN,
	.min = 2, .max = 4},
    {"needed", READ_TEXT, AT(needed), .need = READ_NEEDED, .flags = READ_EMPTY_IS_NULL},
    {"shout", READ_PARSED, AT(shout), .parse = shout_parse, .rule = "must be shouted"},
    {"word", READ_WORD, AT(word), .need = READ_CLEARABLE, .words = colours},
    {"time", READ_TIME, AT(time), .need = READ_CLEARABLE},
    {"integer", READ_INT, AT(integer), .need = READ_NULLABLE, .min = -1, .max = 9},
    {"number", READ_NUMBER, AT(number), .min = 0, .max = 1},
    {"boolean", READ_BOOL, AT(boolean)},
};

/* Both modes of complaint: all of them, and only the first with its path as the field. */
static void bodies_and_complaints(void)
{
	static const struct {
		int line;
		const char *in, *out; /* "": accepted */
	} rows[] = {
	    {__LINE__, "{\"needed\":\"x\"}", ""},
	    {__LINE__, "[]", ": must be an object"},
	    {__LINE__, "null", ": must be an object"},
	    {__LINE__, "{}", "needed: is needed"},
	    {__LINE__, "{\"needed\":null}", "needed: is needed"},
	    {__LINE__, "{\"needed\":\"\"}", "needed: is needed"},
	    {__LINE__, "{\"needed\":5}", "needed: must be text"},
	    {__LINE__, "{\"needed\":\"x\",\"b\":1,\"a\":2}", "b: unknown field; a: unknown field"},
	    {__LINE__, "{\"colour\":1,\"boolean\":1,\"integer\":\"1\"}",
		"colour: unknown field; needed: is needed; integer: must be an integer from -1 to "
		"9; "
		"boolean: must be true or false"},
	    {__LINE__, "{\"needed\":\"x\",\"any\":null,\"object\":{},\"list\":[1]}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"object\":null}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"object\":[]}", "object: must be an object"},
	    {__LINE__, "{\"needed\":\"x\",\"object\":{\"a\":1,\"b\":2,\"c\":3}}",
		"object: must have 0 to 2 members"},
	    {__LINE__, "{\"needed\":\"x\",\"list\":[]}", "list: must have 1 to 2 elements"},
	    {__LINE__, "{\"needed\":\"x\",\"list\":[1,2,3]}", "list: must have 1 to 2 elements"},
	    {__LINE__, "{\"needed\":\"x\",\"list\":null}", "list: must be a list"},
	    {__LINE__, "{\"needed\":\"x\",\"text\":null}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"text\":\" ab  \"}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"text\":\"  \"}", "text: must not be empty"},
	    {__LINE__, "{\"needed\":\"x\",\"text\":\"a\"}", "text: must have at least 2 bytes"},
	    {__LINE__, "{\"needed\":\"x\",\"text\":\"abcde\"}", "text: may have at most 4 bytes"},
	    {__LINE__, "{\"needed\":\"x\",\"text\":\"a\\tb\"}",
		"text: must be without control characters"},
	    {__LINE__, "{\"needed\":\"x\",\"text\":\"a\\u007fb\"}",
		"text: must be without control characters"},
	    {__LINE__, "{\"needed\":\"x\",\"text\":true}", "text: must be text"},
	    {__LINE__, "{\"needed\":\"x\",\"shout\":\"hey!\"}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"shout\":\"hey\"}", "shout: must be shouted"},
	    {__LINE__, "{\"needed\":\"x\",\"shout\":1}", "shout: must be shouted"},
	    {__LINE__, "{\"needed\":\"x\",\"word\":\"green\"}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"word\":\"Green\"}", "word: must be red, green or blue"},
	    {__LINE__, "{\"needed\":\"x\",\"word\":1}", "word: must be red, green or blue"},
	    {__LINE__, "{\"needed\":\"x\",\"time\":\"2026-03-07\"}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"time\":\"\"}", "time: must be an ISO 8601 time"},
	    {__LINE__, "{\"needed\":\"x\",\"time\":0}", "time: must be an ISO 8601 time"},
	    {__LINE__, "{\"needed\":\"x\",\"integer\":-1}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"integer\":9}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"integer\":-2}",
		"integer: must be an integer from -1 to 9"},
	    {__LINE__, "{\"needed\":\"x\",\"integer\":10}",
		"integer: must be an integer from -1 to 9"},
	    {__LINE__, "{\"needed\":\"x\",\"integer\":1.0}",
		"integer: must be an integer from -1 to 9"},
	    {__LINE__, "{\"needed\":\"x\",\"number\":0.5}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"number\":1}", ""},
	    {__LINE__, "{\"needed\":\"x\",\"number\":1.5}", "number: must be a number from 0 to 1"},
	    {__LINE__, "{\"needed\":\"x\",\"number\":true}",
		"number: must be a number from 0 to 1"},
	    {__LINE__, "{\"needed\":\"x\",\"boolean\":null}", "boolean: must be true or false"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *body = json_of(a, rows[i].in);
		struct everything e = {0};
		struct err err = ERR_INIT;
		struct buf *all = buf_new(a, 4096);
		struct json_reader one = {.err = &err}, each = {.complain = gather, .arg = all};
		int rc = rows[i].out[0] == '\0' ? 0 : -1;
		const char *first;

		CHECK_AT(
		    rows[i].line, json_read_members(&each, body, JSON_MEMBERS(members), &e) == rc);
		CHECK_AT(rows[i].line, TEXT_EQ(all->p, rows[i].out));
		CHECK_AT(rows[i].line, each.at_len == 0 && (each.faults > 0) == (rc == -1));
		CHECK_AT(
		    rows[i].line, json_read_members(&one, body, JSON_MEMBERS(members), &e) == rc);
		CHECK_AT(rows[i].line, err.code == (rc == 0 ? ERR_NONE : ERR_INVALID));
		first = arena_printf(a, rc == 0 ? "%s%s" : "%s: %s", err.field, err.msg);
		CHECK_AT(
		    rows[i].line, strncmp(all->p, first, strlen(first)) == 0 && one.faults < 2);
	}
	arena_free(a);
}

static void values_are_read(void)
{
	struct arena *a = arena_new();
	struct everything e = {.integer = 7};
	struct err err = ERR_INIT;
	struct json_reader in = {.err = &err};

	REQUIRE(
	    json_read_members(&in,
		json_of(a, "{\"any\":[null],\"object\":{\"a\":1},\"list\":[1,2],\"text\":\" abc \","
			   "\"needed\":\"x\",\"shout\":\"hey!\",\"word\":\"blue\","
			   "\"time\":\"1970-01-01T00:00:01Z\",\"number\":0.25,\"boolean\":true}"),
		JSON_MEMBERS(members), &e) == 0);
	CHECK(json_array_size(e.any) == 1 && json_int(e.object, "a") == 1);
	CHECK(json_array_size(e.list) == 2 && str_is(e.text, "abc") && str_is(e.needed, "x"));
	CHECK(e.shout == 4 && e.word == colours[2] && e.time.is_given && e.time.us == 1000000);
	CHECK(e.integer == 7 && e.number > 0.2 && e.boolean);
	/* absent stays, null clears, wrong stays */
	e.word = "old";
	REQUIRE(json_read_members(&in,
		    json_of(a, "{\"needed\":\"y\",\"text\":null,\"time\":null,\"integer\":null}"),
		    JSON_MEMBERS(members), &e) == 0);
	CHECK(e.text.p == NULL && !e.time.is_given && e.integer == 7 && e.boolean);
	CHECK(TEXT_EQ(e.word, "old"));
	CHECK(json_read_members(&in, json_of(a, "{\"needed\":\"z\",\"integer\":77}"),
		  JSON_MEMBERS(members), &e) == -1);
	CHECK(e.integer == 7);
	arena_free(a);
}

static void one_member_and_one_value(void)
{
	static const struct json_member count = {"count", READ_INT, .min = 1},
					below = {"below", READ_INT, .min = -5, .max = 0};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct json_reader in = {.err = &err};
	int64_t n = 5;

	CHECK(json_read_member(&in, json_of(a, "{\"other\":1}"), &count, &n) == 0 && n == 5);
	CHECK(json_read_member(&in, json_of(a, "{\"count\":3}"), &count, &n) == 1 && n == 3);
	CHECK(json_read_value(&in, json_of(a, "8"), &count, &n) == 0 && n == 8);
	CHECK(json_read_member(&in, json_of(a, "{\"count\":0}"), &count, &n) == -1 && n == 8);
	CHECK(json_read_value(&in, json_of(a, "0"), &below, &n) == 0 && n == 0);
	CHECK(json_read_value(&in, json_of(a, "1"), &below, &n) == -1 && n == 0);
	CHECK(TEXT_EQ(err.field, "count") && TEXT_EQ(err.msg, "must be an integer from 1"));
	arena_free(a);
}

static void paths_are_nested(void)
{
	struct err err = ERR_INIT;
	struct json_reader in = {.err = &err};
	size_t top = json_reader_enter(&in, "steps"), item = json_reader_enter_index(&in, 2);
	size_t config = json_reader_enter(&in, "config");

	CHECK(json_reader_fail_at(&in, "url", "is %s", "far") == -1);
	CHECK(TEXT_EQ(err.field, "steps[2].config.url") && TEXT_EQ(err.msg, "is far"));
	CHECK(TEXT_EQ(in.at, "steps[2].config"));
	json_reader_leave(&in, config);
	CHECK(TEXT_EQ(in.at, "steps[2]"));
	json_reader_leave(&in, item);
	json_reader_leave(&in, top);
	CHECK(in.at[0] == '\0' && in.at_len == 0);
	/* a list at the root */
	json_reader_enter_index(&in, 0);
	json_reader_enter(&in, "a");
	CHECK(TEXT_EQ(in.at, "[0].a"));
}

static void manifests_name_their_file(void)
{
	static const char *const keys[] = {"a", "b", NULL};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct json_reader in = {.err = &err, .file = "x.json"};

	CHECK(json_read_keys(&in, json_of(a, "{\"a\":1,\"b\":2}"), keys) == 0);
	CHECK(json_read_keys(&in, json_of(a, "5"), keys) == -1);
	CHECK(TEXT_EQ(err.msg, "x.json: (root): must be an object") && err.field[0] == '\0');
	err_clear(&err);
	in.faults = 0;
	json_reader_enter(&in, "polls");
	CHECK(json_read_keys(&in, json_of(a, "{\"a\":1,\"c\":2,\"d\":3}"), keys) == -1);
	CHECK(TEXT_EQ(err.msg, "x.json: polls.c: unknown key") && in.faults == 1);
	arena_free(a);
}

/* The path is cut after a whole character, and marks stay true however long it is. */
static void long_paths_are_cut(void)
{
	struct err err = ERR_INIT;
	struct json_reader in = {.err = &err};
	size_t marks[400];
	char before[sizeof(in.at)];

	json_reader_enter(&in, "x");
	for (size_t i = 0; i < COUNT(marks); i++) {
		marks[i] = json_reader_enter(&in, "\xC3\xA9\xE2\x82\xAC");
		CHECK(strlen(in.at) < sizeof(in.at) && utf8_is_valid(str_from(in.at)));
	}
	CHECK(strlen(in.at) > sizeof(in.at) - 5);
	snprintf(before, sizeof(before), "%s", in.at);
	json_reader_enter(&in, "z");
	CHECK(TEXT_EQ(in.at, before)); /* nothing behind a cut */
	json_reader_fail(&in, "is deep");
	CHECK(strlen(err.field) < sizeof(err.field) && utf8_is_valid(str_from(err.field)));
	for (size_t i = COUNT(marks); i-- > 1;)
		json_reader_leave(&in, marks[i]);
	CHECK(TEXT_EQ(in.at, "x.\xC3\xA9\xE2\x82\xAC"));
}

/* So is a reason, whatever is quoted in it. */
static void long_reasons_are_cut(void)
{
	char text[1001];
	struct err err = ERR_INIT;
	struct json_reader in = {.err = &err};

	for (size_t i = 0; i < 1000; i += 2)
		memcpy(text + i, "\xC3\xA9", 2);
	text[1000] = '\0';
	json_reader_fail(&in, "%s is not known", text);
	CHECK(strlen(err.msg) > 200 && strlen(err.msg) < 250 && utf8_is_valid(str_from(err.msg)));
	err_clear(&err);
	json_reader_fail(&in, "x%s is not known", text);
	CHECK(strlen(err.msg) > 200 && utf8_is_valid(str_from(err.msg)));
}

void suite_base_json_reader(void);
void suite_base_json_reader(void)
{
	ADD_TESTS("base/json-reader", {"bodies and complaints", bodies_and_complaints},
	    {"values are read", values_are_read},
	    {"one member and one value", one_member_and_one_value},
	    {"paths are nested", paths_are_nested},
	    {"manifests name their file", manifests_name_their_file},
	    {"long paths are cut", long_paths_are_cut},
	    {"long reasons are cut", long_reasons_are_cut});
}
