/* The way back through changes. A case is a folder of
 * fixtures/record-undo: before.json, after.json and changes.json. */
#include <dirent.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/path.h"
#include "core-check.h"
#include "record/record-clock.h"
#include "record/record-undo.h"

void suite_record_undo(void);

static json_t *fixture(struct arena *a, const char *name, const char *file)
{
	const char *path =
	    arena_printf(a, "%s/tests/unit/fixtures/record-undo/%s/%s", source_dir(), name, file);
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
	json_t *changes = fixture(a, name, "changes.json"), *way;

	if (before == NULL || after == NULL || changes == NULL) {
		is_so(false, "the fixture cannot be read", name);
		arena_free(a);
		return;
	}
	way = json_own(a, json_deep_copy(after));
	record_undo(a, way, changes);
	is_so(json_equal(way, before), "undo", name);
	record_undo(a, way, changes);
	is_so(json_equal(way, before), "undo again", name);
	arena_free(a);
}

static void fixtures(void)
{
	char path[4096];
	struct dirent **names;
	int n, done = 0;

	snprintf(path, sizeof(path), "%s/tests/unit/fixtures/record-undo", source_dir());
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
		json_t *data = json_own(a, json_deep_copy(before));
		struct clock_merge m = {.a = a, .at_us = 2};
		struct clock_node *clocks = clock_read(a, (struct str){NULL, 0}, 1);

		clock_merge(&m, data, clocks, after);
		is_so(json_equal(data, after), "merged", keys[i]);
		is_so(json_array_size(m.changes) == 3, "three changes", keys[i]);
		for (size_t c = 0; c < json_array_size(m.changes); c++) {
			const json_t *change = json_array_get(m.changes, c);
			const json_t *found = path_lookup(a, before, json_str(change, "path"));

			is_so(json_equal(found, json_object_get(change, "before")),
			    json_str(change, "path"), keys[i]);
		}
		record_undo(a, data, m.changes);
		is_so(json_equal(data, before), "undo", keys[i]);
		arena_free(a);
	}
}

void suite_record_undo(void)
{
	ADD_TESTS("record_undo", {"fixtures", fixtures}, {"paths of any key", paths_of_any_key});
}
