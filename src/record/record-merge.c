#include "record/record-merge.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/path.h"

static void append_step(struct buf *path, int depth, const char *key)
{
	if (depth > 0)
		buf_chr(path, '.');
	path_append_key(path, key);
}

static void add_change(json_t *changes, const char *path, json_t *before, json_t *after)
{
	json_t *c = json_object();

	json_set_str(c, "path", path);
	if (before != NULL)
		json_set(c, "before", json_incref(before));
	if (after != NULL)
		json_set(c, "after", json_incref(after));
	json_array_append_new(changes, c);
}

static void diff(struct buf *path, int depth, json_t *before, json_t *after, json_t *changes)
{
	const char *key;
	json_t *value;
	size_t base = path->len;

	json_object_foreach(after, key, value)
	{
		json_t *old = json_object_get(before, key);

		append_step(path, depth, key);
		if (old != NULL && json_is_object(old) && json_is_object(value))
			diff(path, depth + 1, old, value, changes);
		else if (old == NULL || !json_equal(old, value))
			add_change(changes, path->p, old, value);
		path->len = base;
		path->p[base] = '\0';
	}
	json_object_foreach(before, key, value)
	{
		if (json_object_get(after, key) != NULL)
			continue;
		append_step(path, depth, key);
		add_change(changes, path->p, value, NULL);
		path->len = base;
		path->p[base] = '\0';
	}
}

json_t *record_diff(struct arena *a, const json_t *before, const json_t *after)
{
	json_t *changes = json_own(a, json_array());
	struct buf *path = buf_new(a, LIMIT_JSON_BYTES);

	buf_str(path, "");
	buf_chr(path, ' '); /* allocates, so that the text may be cut back to nothing */
	buf_reset(path);
	diff(path, 0, (json_t *)(uintptr_t)before, (json_t *)(uintptr_t)after, changes);
	return changes;
}

/* The object that is that member: made where it is none, if wanted. */
static json_t *descend(json_t *object, const char *key, bool is_made)
{
	json_t *next = json_object_get(object, key);

	if (json_is_object(next))
		return next;
	if (!is_made)
		return NULL;
	json_object_set_new(object, key, json_object());
	return json_object_get(object, key);
}

/* The object that holds the path's last step, and that step's key. Unlike path.h this knows empty
 * keys and paths of any length, and steps into objects alone. */
static json_t *holder(
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
			object = descend(object, step, is_made);
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
		json_t *at = path == NULL ? NULL : holder(a, object, path, false, &key);

		if (at == NULL)
			continue;
		if (before == NULL)
			json_object_del(at, key);
		else
			json_object_set_new(at, key, json_deep_copy(before));
	}
}

void record_redo(struct arena *a, json_t *object, const json_t *changes)
{
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *c = json_array_get(changes, i);
		const char *path = json_str(c, "path"), *key;
		json_t *after = json_object_get(c, "after"), *there;
		json_t *at = path == NULL ? NULL : holder(a, object, path, after != NULL, &key);

		if (at == NULL)
			continue;
		there = json_object_get(at, key);
		if (after == NULL)
			json_object_del(at, key);
		else if (json_is_object(after) && json_is_object(there))
			json_merge(there, after);
		else
			json_object_set_new(at, key, json_deep_copy(after));
	}
}
