/* Changes of payloads: a list of {path, before, after}, deep enough to say what changed and no
 * more.
 *
 *   {"a":1,"b":{"c":2}}  ->  {"a":1,"b":{"c":3,"d":4}}
 *   [{"path":"b.c","before":2,"after":3}, {"path":"b.d","after":4}]
 *
 * A missing `before` means that there was no such member, a missing `after` that it is gone; null
 * is a value like any other. Undoing takes the list from its end, doing it again from its
 * beginning.
 *
 * Undo and redo may meet another object than the one that the changes were made of, since a late
 * payload is put between them (record-store.c): then each does what it can. Undo skips a path that
 * is not there; redo makes the objects on its path, and a value that is an object is merged into
 * the object that is there, as the payload itself would have been.
 *
 * Arrays are values: no change leads into one, for an element has no name by which it could be
 * found again. */
#include "record/record-merge.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/path.h"

/* A diff may be only a few times as large as its payloads, though each change repeats the keys
 * above it: where the paths of an object's members could take more bytes than are left of these,
 * the object is one change as a whole. */
#define PATHS_BYTES LIMIT_RECORD_BYTES

struct payload_diffing {
	struct buf *path; /* to the objects that are compared */
	json_t *changes;
	size_t room; /* of PATHS_BYTES */
};

static void diff_path_append(struct buf *path, int depth, const char *key)
{
	if (depth > 0)
		buf_chr(path, '.');
	path_append_key(path, key);
}

static void diff_add_change(struct payload_diffing *d, json_t *before, json_t *after)
{
	json_t *c = json_object();

	json_set_str(c, "path", d->path->p);
	if (before != NULL)
		json_set(c, "before", json_incref(before));
	if (after != NULL)
		json_set(c, "after", json_incref(after));
	json_array_append_new(d->changes, c);
}

/* Are both objects, with room for the paths of their members? */
static bool diff_may_descend(struct payload_diffing *d, const json_t *before, const json_t *after)
{
	size_t cost = (d->path->len + 1) * (json_object_size(before) + json_object_size(after));

	if (!json_is_object(before) || !json_is_object(after) || cost > d->room)
		return false;
	d->room -= cost;
	return true;
}

static void diff_objects(struct payload_diffing *d, int depth, json_t *before, json_t *after)
{
	struct buf *path = d->path;
	const char *key;
	json_t *value;
	size_t base = path->len;

	json_object_each(after, key, value) {
		json_t *old = json_object_get(before, key);

		diff_path_append(path, depth, key);
		if (diff_may_descend(d, old, value))
			diff_objects(d, depth + 1, old, value);
		else if (old == NULL || !json_equal(old, value))
			diff_add_change(d, old, value);
		path->len = base;
		path->p[base] = '\0';
	}
	json_object_each(before, key, value) {
		if (json_object_get(after, key) != NULL)
			continue;
		diff_path_append(path, depth, key);
		diff_add_change(d, value, NULL);
		path->len = base;
		path->p[base] = '\0';
	}
}

json_t *record_diff(struct arena *a, const json_t *before, const json_t *after)
{
	struct payload_diffing d = {.path = buf_new(a, LIMIT_JSON_BYTES),
	    .changes = json_own(a, json_array()),
	    .room = PATHS_BYTES};

	buf_chr(d.path, ' '); /* allocates, so that the text may be cut back to nothing */
	buf_reset(d.path);
	diff_objects(&d, 0, (json_t *)(uintptr_t)before, (json_t *)(uintptr_t)after);
	return d.changes;
}

/* The object that is that member: made where it is none, if wanted. */
static json_t *object_member_object(json_t *object, const char *key, bool is_made)
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
static json_t *object_at_path(
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
			object = object_member_object(object, step, is_made);
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
		json_t *at = path == NULL ? NULL : object_at_path(a, object, path, false, &key);

		if (at == NULL)
			continue;
		if (before == NULL)
			json_object_del(at, key);
		else
			json_object_set_new(at, key, json_deep_copy(before));
	}
}

/* Does to an object what made `after` of `before`: members that were the same in both stay what
 * they are there. */
static void object_redo_members(json_t *there, json_t *before, json_t *after)
{
	const char *key;
	json_t *value;

	json_object_each(after, key, value) {
		json_t *old = json_object_get(before, key), *ours = json_object_get(there, key);

		if (old != NULL && json_equal(old, value))
			continue;
		if (json_is_object(old) && json_is_object(value))
			object_redo_members(object_member_object(there, key, true), old, value);
		else if (json_is_object(ours) && json_is_object(value))
			json_merge(ours, value);
		else
			json_object_set_new(there, key, json_deep_copy(value));
	}
	json_object_each(before, key, value) {
		if (json_object_get(after, key) == NULL)
			json_object_del(there, key);
	}
}

void record_redo(struct arena *a, json_t *object, const json_t *changes)
{
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *c = json_array_get(changes, i);
		const char *path = json_str(c, "path"), *key;
		json_t *before = json_object_get(c, "before");
		json_t *after = json_object_get(c, "after"), *there;
		json_t *at =
		    path == NULL ? NULL : object_at_path(a, object, path, after != NULL, &key);

		if (at == NULL)
			continue;
		there = json_object_get(at, key);
		if (after == NULL)
			json_object_del(at, key);
		else if (json_is_object(after) && json_is_object(before))
			object_redo_members(object_member_object(at, key, true), before, after);
		else if (json_is_object(after) && json_is_object(there))
			json_merge(there, after);
		else
			json_object_set_new(at, key, json_deep_copy(after));
	}
}
