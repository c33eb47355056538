/* A history is a list of changes, deep enough to say what changed and no more:
 *
 *   {"a":1,"b":{"c":2}}  ->  {"a":1,"b":{"c":3,"d":4}}
 *   [{"path":"b.c","before":2,"after":3}, {"path":"b.d","after":4}]
 *
 * A missing `before` means that there was no such member, a missing `after` that it is gone; null
 * is a value like any other. Undoing takes the list from its end. Arrays are values: no change
 * leads into one, for an element has no name by which it could be found again. */
#include "record/record-undo.h"

/* The object that holds the path's last step, and that step's key. Unlike path.h this knows empty
 * keys and paths of any length, and steps into objects alone. */
static json_t *object_at_path(struct arena *a, json_t *object, const char *path, const char **last)
{
	char *step = arena_alloc(a, strlen(path) + 1);
	size_t n = 0;

	for (; *path != '\0' && object != NULL; path++) {
		if (*path == '\\' && path[1] != '\0') {
			step[n++] = *++path;
		} else if (*path == '.') {
			step[n] = '\0';
			n = 0;
			object = json_object_get(object, step);
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
		json_t *at = path == NULL ? NULL : object_at_path(a, object, path, &key);

		if (at == NULL)
			continue;
		if (before == NULL)
			json_object_del(at, key);
		else
			json_object_set_new(at, key, json_deep_copy(before));
	}
}
