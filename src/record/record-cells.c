/* See record-cells.h. */
#include "record/record-cells.h"

#include "record/record-undo.h"

/* An object has no cell of its own: its members do. */
static bool prints_nothing(const json_t *v)
{
	return v == NULL || json_is_null(v) || json_is_object(v) ||
	       (json_is_string(v) && json_string_length(v) == 0);
}

static bool prints_like(struct arena *a, const json_t *stored, const json_t *cell)
{
	struct str text;

	if (!json_is_string(cell) || stored == NULL || json_is_string(stored))
		return false;
	text = json_is_array(stored) || json_is_object(stored)
		   ? json_text(a, stored)
		   : str_from(json_scalar_text(a, stored));
	return str_eq(text, (struct str){json_string_value(cell), json_string_length(cell)});
}

void record_keep_printed(struct arena *a, const json_t *stored, json_t *patch, bool has_cleared)
{
	const char *key;
	json_t *cell;
	void *next;

	json_object_foreach_safe(patch, next, key, cell) {
		json_t *there = json_object_get(stored, key);
		bool is_nothing = has_cleared && prints_nothing(there);

		if (json_is_object(cell)) {
			record_keep_printed(a, there, cell, has_cleared);
			if (is_nothing && json_object_size(cell) == 0)
				json_object_del(patch, key);
		} else if (is_nothing && json_is_null(cell)) {
			json_object_del(patch, key);
		} else if (prints_like(a, there, cell)) {
			json_object_set_new(patch, key, json_deep_copy(there));
		}
	}
}

void record_set_others(struct arena *a, json_t *data, const json_t *others)
{
	const char *path, *key;
	json_t *value;

	json_object_each(others, path, value) {
		json_t *at = record_object_at(a, data, path, true, &key);

		json_object_set_new(at, key, json_deep_copy(value));
	}
}
