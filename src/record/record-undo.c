/* A history is a list of changes, deep enough to say what changed and no more:
 *
 *   {"a":1,"b":{"c":2}}  ->  {"a":1,"b":{"c":3,"d":4}}
 *   [{"path":"b.c","before":2,"after":3}, {"path":"b.d","after":4}]
 *
 * A missing `before` means that there was no such member, a missing `after` that it is gone; null
 * is a value like any other. Undoing takes the list from its end. Arrays are values: no change
 * leads into one, for an element has no name by which it could be found again. */
#include "record/record-undo.h"

static json_t *object_member(json_t *object, const char *key, bool is_made)
{
	json_t *next = json_object_get(object, key);

	if (!is_made || json_is_object(next))
		return next;
	json_object_set_new(object, key, json_object());
	return json_object_get(object, key);
}

json_t *record_object_at(
    struct arena *a, json_t *object, const char *path, bool is_made, const char **last)
{
	char *step = arena_alloc(a, strlen(path) + 1);
	size_t n = 0;

	for (; *path != '\0' && object != NULL; path++) {
		if (*path == '\\' && path[1] != '\0') {
			step[n++] = *++path;
		} else if (*path == '.') {
			step[n] = '\0';
			n = 0;
			object = object_member(object, step, is_made);
		} else {
			step[n++] = *path;
		}
	}
	step[n] = '\0';
	*last = step;
	return object;
}

void record_undo(struct arena *a, json_t *object, const json_t *changes)
{
	for (size_t i = json_array_size(changes); i-- > 0;) {
		const json_t *c = json_array_get(changes, i);
		const char *path = json_str(c, "path"), *key;
		json_t *before = json_object_get(c, "before");
		json_t *at = path == NULL ? NULL : record_object_at(a, object, path, false, &key);

		if (at == NULL)
			continue;
		if (before == NULL)
			json_object_del(at, key);
		else
			json_object_set_new(at, key, json_deep_copy(before));
	}
}
