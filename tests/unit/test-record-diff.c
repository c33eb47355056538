/* Differences of payloads, and the way back and forth through them. A case is a folder of
 * fixtures/record-diff: before.json, after.json and changes.json. */
#include <dirent.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/path.h"
#include "core-check.h"
#include "record/record-merge.h"

void suite_record_diff(void);

static json_t *fixture(struct arena *a, const char *name, const char *file)
{
	const char *path =
	    arena_printf(a, "%s/tests/unit/fixtures/record-diff/%s/%s", source_dir(), name, file);
	FILE *f = fopen(path, "re");
	char text[4096];
	size_t n;

	if (f == NULL)
		return NULL;
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	return json_parse(a, (struct str){text, n}, NULL);
}

static void is_so(bool is, const char *what, const char *name)
{
	CU_assertImplementation(is ? CU_TRUE : CU_FALSE, __LINE__, what, name, "", CU_FALSE);
}

static void one(const char *name)
{
	struct arena *a = arena_new();
	json_t *before = fixture(a, name, "before.json"), *after = fixture(a, name, "after.json");
	json_t *wanted = fixture(a, name, "changes.json"), *changes, *way, *text;

	if (before == NULL || after == NULL || wanted == NULL) {
		is_so(false, "the fixture cannot be read", name);
		arena_free(a);
		return;
	}
	changes = record_diff(a, before, after);
	is_so(json_equal(changes, wanted), json_text(a, changes).p, name);
	/* as it comes back from the database */
	text = json_parse(a, json_text(a, changes), NULL);
	way = json_own(a, json_deep_copy(after));
	record_undo(a, way, text);
	is_so(json_equal(way, before), "undo", name);
	record_redo(a, way, text);
	is_so(json_equal(way, after), "redo", name);
	record_undo(a, way, text);
	is_so(json_equal(way, before), "undo again", name);
	is_so(json_equal(text, wanted), "the changes are changed", name);
	arena_free(a);
}

static void fixtures(void)
{
	char path[4096];
	struct dirent **names;
	int n, done = 0;

	snprintf(path, sizeof(path), "%s/tests/unit/fixtures/record-diff", source_dir());
	n = scandir(path, &names, NULL, alphasort);
	REQUIRE(n > 0);
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			one(names[i]->d_name);
			done++;
		}
		free(names[i]);
	}
	free(names);
	CHECK(done >= 25);
}

/* Whatever a key is made of, a change's path leads to it, for those who read paths too. */
static void paths_of_any_key(void)
{
	static const char *const keys[] = {"a]b", "a[b", "a[0]", "a[]", "]", "[", "a.b", ".", "..",
	    "\\", "a\\", "\\.", "\\]", "\"", "'", "a\"b", "0", "-1", " ", "a b", "é]", "{}", "$x"};

	for (size_t i = 0; i < COUNT(keys); i++) {
		struct arena *a = arena_new();
		json_t *before = json_own(a, json_pack("{s:i,s:{s:i,s:{s:i}}}", keys[i], 1, "in",
						 keys[i], 2, "x", keys[i], 3));
		json_t *after = json_own(a, json_pack("{s:i,s:{s:i,s:{s:i}}}", keys[i], 4, "in",
						keys[i], 5, "x", keys[i], 6));
		json_t *changes = record_diff(a, before, after);
		json_t *way = json_own(a, json_deep_copy(after));

		is_so(json_array_size(changes) == 3, "three changes", keys[i]);
		for (size_t c = 0; c < json_array_size(changes); c++) {
			const json_t *change = json_array_get(changes, c);
			const json_t *found = path_lookup(a, before, json_str(change, "path"));

			is_so(json_equal(found, json_object_get(change, "before")),
			    json_str(change, "path"), keys[i]);
		}
		record_undo(a, way, changes);
		is_so(json_equal(way, before), "undo", keys[i]);
		record_redo(a, way, changes);
		is_so(json_equal(way, after), "redo", keys[i]);
		arena_free(a);
	}
}

/* n members of a number below `levels` keys of that many bytes, with such members at each level. */
static json_t *wide(struct arena *a, size_t bytes, int levels, int n, int value)
{
	char *key = arena_alloc(a, bytes + 1);
	json_t *root = json_own(a, json_object()), *at = root;

	memset(key, 'k', bytes);
	key[bytes] = '\0';
	for (int level = 0; level < levels; level++) {
		json_object_set_new(at, key, json_object());
		at = json_object_get(at, key);
		for (int i = 0; i < n; i++)
			json_object_set_new(at, arena_printf(a, "%d", i), json_integer(value));
	}
	return root;
}

/* Long keys above many members: each change repeats them, and yet all are no flood. */
static void bounded(void)
{
	static const struct {
		int line;
		size_t bytes;
		int levels, n;
		bool is_cut; /* are there fewer changes than members? */
	} cases[] = {
	    {__LINE__, 100000, 1, 20000, true},
	    {__LINE__, 1000, 1, 5000, true},
	    {__LINE__, 10000, 60, 2, true},
	    {__LINE__, 10, 1, 40000, false},
	    {__LINE__, 20, 20, 50, false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		json_t *before = wide(a, cases[i].bytes, cases[i].levels, cases[i].n, 1);
		json_t *after = wide(a, cases[i].bytes, cases[i].levels, cases[i].n, 2);
		json_t *changes = record_diff(a, before, after), *way;
		size_t members = (size_t)cases[i].levels * (size_t)cases[i].n;

		CHECK_AT(cases[i].line, json_text(a, changes).n < 6 * LIMIT_RECORD_BYTES);
		CHECK_AT(cases[i].line, (json_array_size(changes) < members) == cases[i].is_cut);
		way = json_own(a, json_deep_copy(after));
		record_undo(a, way, changes);
		CHECK_AT(cases[i].line, json_equal(way, before));
		record_redo(a, way, changes);
		CHECK_AT(cases[i].line, json_equal(way, after));
		arena_free(a);
	}
}

/* Changes done again on an object that is not the one they were made on. */
static void redo_elsewhere(void)
{
	static const struct {
		int line;
		const char *object, *changes, *expected;
	} cases[] = {
	    {__LINE__, "{}", "[{\"path\":\"a.b.c\",\"after\":1}]", "{\"a\":{\"b\":{\"c\":1}}}"},
	    {__LINE__, "{\"a\":5}", "[{\"path\":\"a.b\",\"before\":0,\"after\":1}]",
		"{\"a\":{\"b\":1}}"},
	    {__LINE__, "{\"a\":[1]}", "[{\"path\":\"a.b\",\"after\":1}]", "{\"a\":{\"b\":1}}"},
	    {__LINE__, "{\"a\":null}", "[{\"path\":\"a.b\",\"after\":1}]", "{\"a\":{\"b\":1}}"},
	    {__LINE__, "{\"a\":{\"x\":1}}", "[{\"path\":\"a\",\"after\":{\"y\":2}}]",
		"{\"a\":{\"x\":1,\"y\":2}}"},
	    {__LINE__, "{\"a\":1}", "[{\"path\":\"a\",\"before\":1,\"after\":{\"y\":2}}]",
		"{\"a\":{\"y\":2}}"},
	    {__LINE__, "{\"a\":{\"x\":1}}", "[{\"path\":\"a\",\"after\":7}]", "{\"a\":7}"},
	    /* an object that is one change as a whole: what it had before is none of the change */
	    {__LINE__, "{\"a\":{\"o\":{\"x\":5,\"y\":1,\"z\":0}}}",
		"[{\"path\":\"a\",\"before\":{\"o\":{\"x\":1,\"y\":1,\"z\":0},\"s\":1},"
		"\"after\":{\"o\":{\"x\":1,\"y\":2},\"s\":1,\"t\":1}}]",
		"{\"a\":{\"o\":{\"x\":5,\"y\":2},\"t\":1}}"},
	    {__LINE__, "{}", "[{\"path\":\"a\",\"before\":{\"x\":1},\"after\":{\"x\":1,\"y\":2}}]",
		"{\"a\":{\"y\":2}}"},
	    {__LINE__, "{}", "[{\"path\":\"a.b\",\"before\":1}]", "{}"},
	    {__LINE__, "{\"a\":{\"b\":2}}", "[{\"path\":\"a.b\",\"before\":1}]", "{\"a\":{}}"},
	    {__LINE__, "{}", "[{\"path\":\"a\\\\.b\",\"after\":1}]", "{\"a.b\":1}"},
	    /* as histories have them that were written before ']' was escaped */
	    {__LINE__, "{}", "[{\"path\":\"a]b\",\"after\":1}]", "{\"a]b\":1}"},
	    {__LINE__, "{}", "[{\"after\":1},{\"path\":7,\"after\":1}]", "{}"},
	    {__LINE__, "{\"a\":1}", "[]", "{\"a\":1}"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		json_t *object = json_parse(a, str_from(cases[i].object), NULL);
		json_t *changes = json_parse(a, str_from(cases[i].changes), NULL);
		struct str text;

		REQUIRE(object != NULL && changes != NULL);
		text = json_text(a, changes);
		record_redo(a, object, changes);
		CHECK_AT(cases[i].line, str_is(json_text(a, object), cases[i].expected));
		/* nothing is shared: what is done to the object later leaves the changes alone */
		json_merge(object, json_parse(a, STR("{\"a\":{\"y\":3,\"z\":4}}"), NULL));
		CHECK_AT(cases[i].line, str_eq(text, json_text(a, changes)));
		arena_free(a);
	}
}

static void undo_shares_nothing(void)
{
	struct arena *a = arena_new();
	json_t *object = json_parse(a, STR("{\"a\":1}"), NULL);
	json_t *changes =
	    json_parse(a, STR("[{\"path\":\"a\",\"before\":{\"b\":1},\"after\":1}]"), NULL);
	struct str text = json_text(a, changes);

	record_undo(a, object, changes);
	CHECK(str_is(json_text(a, object), "{\"a\":{\"b\":1}}"));
	json_merge(object, json_parse(a, STR("{\"a\":{\"b\":2}}"), NULL));
	CHECK(str_eq(text, json_text(a, changes)));
	arena_free(a);
}

void suite_record_diff(void)
{
	ADD_TESTS("record_diff", {"fixtures, there and back", fixtures},
	    {"paths of any key", paths_of_any_key}, {"bounded", bounded},
	    {"done again elsewhere", redo_elsewhere}, {"undo shares nothing", undo_shares_nothing});
}
