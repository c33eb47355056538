#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "test-base.h"

static void keeps_what_was_put(void)
{
	struct arena *a = arena_new();
	struct map *m = map_new(a);
	char key[] = "one";
	int values[3];

	CHECK(map_count(m) == 0 && map_get(m, STR("one")) == NULL);
	map_put(m, str_from(key), &values[0]);
	memset(key, 'x', 3);
	map_put(m, STR("two"), &values[1]);
	map_put(m, STR(""), &values[2]);
	CHECK(map_get(m, STR("one")) == &values[0] && map_get(m, STR("two")) == &values[1]);
	CHECK(map_get(m, STR("")) == &values[2] && map_get(m, STR("three")) == NULL);
	map_put(m, STR("one"), &values[2]);
	CHECK(map_count(m) == 3 && map_get(m, STR("one")) == &values[2]);
	CHECK(str_is(map_key(m, 0), "one") && map_value(m, 0) == &values[2]);
	CHECK(str_is(map_key(m, 2), "") && map_value(m, 1) == &values[1]);
	CHECK(map_get(m, STR("on")) == NULL && map_get(m, STR("one\0")) == NULL);
	arena_free(a);
}

static void grows(void)
{
	struct arena *a = arena_new();
	struct map *m = map_new(a);
	static char values[5000];
	int bad = 0;

	for (int i = 0; i < 5000; i++)
		map_put(m, str_from(arena_printf(a, "key %d", i)), &values[i]);
	CHECK(map_count(m) == 5000);
	for (int i = 0; i < 5000; i++) {
		struct str key = str_from(arena_printf(a, "key %d", i));

		bad += map_get(m, key) != &values[i];
		bad += !str_eq(map_key(m, (size_t)i), key) || map_value(m, (size_t)i) != &values[i];
	}
	CHECK(bad == 0);
	arena_free(a);
}

void suite_base_map(void);
void suite_base_map(void)
{
	ADD_TESTS("base/map", {"keeps what was put", keeps_what_was_put}, {"grows", grows});
}
