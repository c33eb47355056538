/* Where a filter on a field finds nothing: whether any record has such a field, and which one was
 * meant. */
#include <ctype.h>
#include <string.h>

#include "record/record-pages.h"

#define NEAR_BYTES 40u /* of longer names none is near */
#define NEAR_EDITS 2u

/* How many letters must change to make one of the other, whatever the case (Levenshtein). */
static size_t word_distance(const char *a, const char *b)
{
	size_t row[NEAR_BYTES + 1], n = strlen(b), m = strlen(a);

	if (n > NEAR_BYTES || m > NEAR_BYTES)
		return SIZE_MAX;
	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (size_t i = 1; i <= m; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= n; k++) {
			bool is_same =
			    tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[k - 1]);
			size_t best = diagonal + !is_same;

			diagonal = row[k];
			best = row[k] + 1 < best ? row[k] + 1 : best;
			row[k] = row[k - 1] + 1 < best ? row[k - 1] + 1 : best;
		}
	}
	return row[n];
}

/* How near a field is to what was asked for, 0 nearest: the same word written otherwise, as the
 * last part of a longer path, or with a slip. */
static size_t field_nearness(const char *asked, const char *path)
{
	size_t edits = word_distance(asked, path);

	if (record_words_are_same(asked, path))
		return 0;
	if (record_words_are_same(asked, record_path_last_step(path)))
		return 1;
	if (record_words_are_same(record_path_last_step(asked), record_path_last_step(path)))
		return 2;
	return edits <= NEAR_EDITS && edits < strlen(asked) ? 2 + edits : SIZE_MAX;
}

/* The names of the fields of the list's type; of a list of all types, of all. NULL when they are
 * too many to be sure that one is none of them. */
static int fields_named(
    const struct record_browse *b, const json_t *data, const json_t **out, struct err *err)
{
	json_t *known, *o, *names;
	size_t i;

	*out = json_object_get(data, "field_names");
	if (b->f.resource_type.n == 0) {
		if (record_fields(b->r->app, b->r->a, &b->f.account_id, b->f.resource_type, &known,
			err) == -1)
			return -1;
		names = json_own(b->r->a, json_array());
		json_array_each(known, i, o)
			json_array_append(names, json_object_get(o, "path"));
		*out = names;
	}
	if (json_array_size(*out) >= RECORD_FIELDS_NAMED)
		*out = NULL;
	return 0;
}

/* The nearest of names, or NULL; *is_known: it is one of them. */
static const char *field_meant(const json_t *names, const char *asked, bool *is_known)
{
	const char *meant = NULL;
	size_t best = SIZE_MAX;

	*is_known = false;
	for (size_t k = 0; k < json_array_size(names); k++) {
		const char *path = json_string_value(json_array_get(names, k));
		size_t nearness = field_nearness(asked, path);

		*is_known = *is_known || strcmp(asked, path) == 0;
		if (nearness < best) {
			best = nearness;
			meant = path;
		}
	}
	return meant;
}

int record_browse_show_meant(const struct record_browse *b, json_t *data, struct err *err)
{
	const json_t *names;

	if (json_array_size(b->slice.s.rows) > 0 || b->f.nwhere == 0 || b->wrong != NULL)
		return 0;
	if (fields_named(b, data, &names, err) == -1)
		return -1;
	for (size_t i = 0; i < b->f.nwhere && json_array_size(names) > 0; i++) {
		const char *asked = path_text(b->f.where[i].path), *meant;
		bool is_known;
		json_t *o;

		meant = field_meant(names, asked, &is_known);
		if (is_known)
			continue;
		o = json_object();
		json_set_str(o, "path", asked);
		json_set_str(o, "meant", meant);
		json_set_str(
		    o, "href", meant == NULL ? NULL : record_browse_renamed_link(b, i, meant));
		json_set(data, "unknown_field", o);
		break;
	}
	return 0;
}
