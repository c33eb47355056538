#include "db/personal.h"

#include <string.h>

#define SLICE_ROWS 50

struct str personal_scrub(
    struct arena *a, const struct person_names *p, enum personal_form form, struct str text)
{
	struct err err = ERR_INIT;
	bool is_json = form == PERSONAL_JSON || form == PERSONAL_ALL_JSON;
	json_t *value = is_json ? json_parse_stored(a, text, &err) : NULL;

	if (value != NULL && !person_is_in_json(a, p, value))
		return text;
	if (form == PERSONAL_ALL_JSON && (value != NULL || person_is_in(a, p, text)))
		return STR(PERSON_ERASED_JSON);
	if (form == PERSONAL_ALL && person_is_in(a, p, text))
		return STR(PERSON_ERASED);
	return value != NULL ? json_text(a, person_scrub_json(a, p, value))
			     : person_scrub(a, p, text);
}

static size_t table_columns(const struct personal_table *t)
{
	size_t n = 0;

	while (n < PERSONAL_COLUMNS && t->forms[n] != PERSONAL_NONE)
		n++;
	return n;
}

/* The row's columns from `first` on as they should be: 1 when one is another, 0. */
static int row_scrub(const struct personal_walk *w, struct arena *a, const struct db_rows *rows,
    size_t row, size_t first, struct db_val *out)
{
	size_t n = table_columns(w->table);
	int is_changed = 0;

	for (size_t i = 0; i < n; i++) {
		struct db_val v = *db_cell(rows, row, first + i);

		if ((v.type == DB_TEXT || v.type == DB_BLOB) && v.s.n > 0 &&
		    person_may_be_in(a, w->person, v.s)) {
			struct str now = personal_scrub(a, w->person, w->table->forms[i], v.s);

			is_changed = is_changed || !str_eq(now, v.s);
			v.s = now;
		}
		out[i] = v;
	}
	return is_changed;
}

/* Looks again behind the lock: the row may be another by now. */
static int row_put(struct personal_walk *w, struct arena *a, struct str key, struct err *err)
{
	size_t n = table_columns(w->table);
	struct db_val vals[PERSONAL_COLUMNS + 2];
	struct db_rows rows;
	int found = db_row(
	    w->db, a, w->table->lock, DB_VALS(db_uuid(&w->account_id), db_blob(key)), &rows, err);

	if (found != 1 || row_scrub(w, a, &rows, 0, 0, vals) == 0)
		return found == -1 ? -1 : 0;
	vals[n] = db_uuid(&w->account_id);
	vals[n + 1] = db_blob(key);
	if (db_exec(w->db, w->table->put, vals, n + 2, NULL, err) == -1)
		return -1;
	for (size_t i = 0; i < PERSONAL_ALSO && w->table->also[i] != NULL; i++)
		if (db_exec(w->db, w->table->also[i], vals + n, 2, NULL, err) == -1)
			return -1;
	return 0;
}

/* Is a row of one person theirs? One of its columns of JSON says so. */
static bool row_is_own(
    const struct personal_walk *w, struct arena *a, const struct db_rows *rows, size_t row)
{
	size_t n = table_columns(w->table);

	for (size_t i = 0; w->table->has_subjects && i < n; i++) {
		struct err err = ERR_INIT;
		struct str text = db_get_str(rows, row, 1 + i);
		json_t *value = w->table->forms[i] != PERSONAL_JSON || text.n == 0
				    ? NULL
				    : json_parse_stored(a, text, &err);

		if (value != NULL && person_owns(a, w->person, value))
			return true;
	}
	return false;
}

static int row_take(struct personal_walk *w, struct arena *a, const struct db_rows *rows,
    size_t row, struct err *err)
{
	struct db_val vals[PERSONAL_COLUMNS];
	struct str key = db_get_str(rows, row, 0);
	struct uuid id = personal_key_id(key);
	int is_erased = 0;
	bool is_own;

	if (row_scrub(w, a, rows, row, 1, vals) == 0)
		return 0;
	is_own = row_is_own(w, a, rows, row);
	w->found++;
	if (w->is_dry)
		return w->see == NULL ? 0 : w->see(w, a, rows, row, is_own, err);
	if (is_own)
		return w->own(w, a, &id, err);
	if (w->table->erase != NULL)
		is_erased = w->table->erase(w->app, a, &w->account_id, key, w->person, err);
	if (is_erased != 0 || w->table->put == NULL)
		return is_erased == -1 ? -1 : 0;
	return row_put(w, a, key, err);
}

int personal_walk_on(struct personal_walk *w, struct arena *a, struct err *err)
{
	struct db_rows rows;
	int rc = w->table->slice != NULL
		     ? w->table->slice(w, a, SLICE_ROWS, &rows, err)
		     : db_query(w->db, a, w->table->next,
			   DB_VALS(db_uuid(&w->account_id), db_blob(w->after), db_int(SLICE_ROWS)),
			   &rows, err);

	if (rc == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct arena *own = arena_new();

		rc = row_take(w, own, &rows, i, err);
		arena_free(own);
		if (rc == -1)
			return -1;
	}
	if (rows.count > 0)
		w->after = db_get_str(&rows, rows.count - 1, 0);
	return w->table->slice != NULL ? rows.count > 0 : rows.count == SLICE_ROWS;
}
