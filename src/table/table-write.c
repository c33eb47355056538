/* Writing rows: many changes in one set of statements.
 *
 *   read the rows that are named, locked in the order of key and id
 *   → each change onto what the one before it left, with what is wrong said of it alone
 *   → insert what is new, update what is changed, their cells, the count
 *
 * Two who make the same key at once: the second waits for the first at its insert, which then does
 * nothing; it sees that by the number of rows and begins anew, with the row to be found. So there
 * is one row, and the last change stays. */
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "table/table-internal.h"

#define COUNT_SLOTS 16

DB_STMT_ROWS(table_rows_lock_keys,
    "SELECT " TABLE_ROW_COLUMNS " FROM table_rows r FORCE INDEX (table_rows_key)"
    " WHERE r.account_id = ? AND r.table_id = ? AND r.external_key IN (",
    "?", ") FOR UPDATE");
DB_STMT_ROWS(table_rows_lock_ids,
    "SELECT " TABLE_ROW_COLUMNS " FROM table_rows r FORCE INDEX (PRIMARY)"
    " WHERE r.account_id = ? AND r.table_id = ? AND r.id IN (",
    "?", ") FOR UPDATE");
#define INSERT_ROWS                                                                                \
	"INSERT INTO table_rows (account_id, table_id, id, external_key, data, created_at,"        \
	" updated_at) VALUES "
DB_STMT_ROWS(table_rows_insert, INSERT_ROWS, "(?,?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE id = id");
DB_STMT_ROWS(table_rows_update, INSERT_ROWS, "(?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE external_key = VALUES(external_key), data = VALUES(data),"
    " updated_at = VALUES(updated_at)");
DB_STMT_ROWS(table_rows_delete,
    "DELETE table_rows FROM table_rows FORCE INDEX (PRIMARY) WHERE account_id = ? AND table_id = ? "
    "AND id IN (",
    "?", ")");
DB_STMT(table_count_add,
    "INSERT INTO table_counts (account_id, table_id, slot, filled)"
    " VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE filled = filled + VALUES(filled)");

/* A row that is named, as it was and as the changes so far have left it. */
struct row_state {
	struct table_row before, now;
	bool was_there, is_there;
	bool is_changed;
};
struct table_writing {
	struct db *db;
	struct arena *a;
	const struct table *t;
	struct map *by_key, *by_id; /* struct row_state */
	struct row_state **states;
	size_t n;
	int64_t now_us;
};

static struct str id_str(const struct uuid *id)
{
	return (struct str){(const char *)id->b, sizeof(id->b)};
}

static struct row_state *state_add(struct table_writing *w, const struct table_row *row)
{
	struct row_state *s = arena_zalloc(w->a, sizeof(*s));

	s->now = *row;
	w->states[w->n++] = s;
	map_put(w->by_id, id_str(&s->now.id), s);
	if (row->key.p != NULL)
		map_put(w->by_key, row->key, s);
	return s;
}

/* ---- what is there --------------------------------------------------------------------------- */

static int bytes_by_order(const void *x, const void *y)
{
	const struct db_val *a = x, *b = y;
	size_t n = a->s.n < b->s.n ? a->s.n : b->s.n;
	int order = n == 0 ? 0 : memcmp(a->s.p, b->s.p, n);

	return order != 0 ? order : a->s.n < b->s.n ? -1 : a->s.n > b->s.n;
}

static int states_load(struct table_writing *w, const struct db_stmt *s, struct db_val *vals,
    size_t n, struct err *err)
{
	struct db_rows rows;

	if (n == 0)
		return 0;
	qsort(vals, n, sizeof(*vals), bytes_by_order);
	if (table_query_many(w->db, w->a, s,
		(const struct db_val[]){db_uuid(&w->t->account_id), db_uuid(&w->t->id)}, 2, vals, n,
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct table_row row;
		struct row_state *state;

		if (table_row_read(w->a, &rows, i, &row, err) == -1)
			return -1;
		if (map_get(w->by_id, id_str(&row.id)) != NULL)
			continue;
		state = state_add(w, &row);
		state->before = row;
		state->was_there = state->is_there = true;
	}
	return 0;
}

static int writing_begin(
    struct table_writing *w, const struct table_write *v, size_t n, struct err *err)
{
	struct db_val *keys = arena_array(w->a, n + 1, sizeof(*keys));
	struct db_val *ids = arena_array(w->a, n + 1, sizeof(*ids));
	size_t nkeys = 0, nids = 0;

	w->by_key = map_new(w->a);
	w->by_id = map_new(w->a);
	w->states = arena_array(w->a, 3 * n + 1, sizeof(struct row_state *));
	for (size_t i = 0; i < n; i++) {
		if (v[i].key.p != NULL)
			keys[nkeys++] = db_blob(v[i].key);
		if (!uuid_is_nil(v[i].id))
			ids[nids++] = db_uuid(&v[i].id);
	}
	if (states_load(w, &table_rows_lock_ids, ids, nids, err) == -1 ||
	    states_load(w, &table_rows_lock_keys, keys, nkeys, err) == -1)
		return -1;
	w->now_us = clock_now_us(); /* behind the locks, so that the last write has the last time */
	return 0;
}

/* ---- one change ------------------------------------------------------------------------------ */

static int data_field(struct err *err, struct str name, const char *what)
{
	char field[sizeof(err->field)];

	(void)snprintf(field, sizeof(field), "data.%.*s", name.n > 50 ? 50 : (int)name.n, name.p);
	return err_field(err, ERR_INVALID, field, "%s", what);
}

/* The given values onto data. */
static int data_apply(
    struct table_writing *w, const struct table_write *v, json_t *data, struct err *err)
{
	const char *name;
	json_t *given;

	json_object_each(v->data, name, given) {
		const struct table_column *c = table_column_find(w->t, str_from(name));
		json_t *value;

		if (c == NULL)
			return data_field(err, str_from(name), "is no column of this table");
		if (table_value_take(w->a, c, given, v->is_lenient, &value, err) == -1)
			return -1;
		if (value == NULL)
			json_object_del(data, table_column_key(w->a, c->no));
		else
			json_object_set(data, table_column_key(w->a, c->no), value);
	}
	return 0;
}

/* Whether a row may stand in a table of that shape. */
static int data_fits(
    struct arena *a, const struct table_shape *s, const struct table_row *row, struct err *err)
{
	const struct table_column *c = table_row_misfit(a, s, row);

	if (c == NULL)
		return 0;
	if (json_object_get(row->data, table_column_key(a, c->no)) == NULL)
		return data_field(err, c->name, "is needed");
	return data_field(err, c->name,
	    arena_printf(a, "must be %s too, which the column is about to become",
		table_type_nouns[c->type]));
}

/* The state that a change is of; NULL when there is none yet, or with err set there cannot be. */
static struct row_state *state_of(
    const struct table_writing *w, const struct table_write *v, struct err *err)
{
	struct row_state *by_key = v->key.p == NULL ? NULL : map_get(w->by_key, v->key);
	struct row_state *s = by_key;

	if (!uuid_is_nil(v->id)) {
		s = map_get(w->by_id, id_str(&v->id));
		if (s == NULL)
			err_set(err, ERR_NOT_FOUND, "There is no such row");
	}
	if (by_key != NULL && (v->is_new || s != by_key))
		err_field(err, ERR_CONFLICT, "externalKey", "There is a row with this key");
	return s;
}

static int key_check(const struct table_write *v, struct err *err)
{
	if (v->key.p == NULL)
		return 0;
	if (v->key.n == 0)
		return err_field(err, ERR_INVALID, "externalKey", "is empty");
	if (v->key.n > LIMIT_EXTERNAL_ID_BYTES)
		return err_field(err, ERR_INVALID, "externalKey", "may have at most %u bytes",
		    LIMIT_EXTERNAL_ID_BYTES);
	return 0;
}

static int row_change(struct table_writing *w, const struct table_write *v,
    const struct row_state *s, struct table_row *out, struct err *err)
{
	if (s == NULL)
		*out = (struct table_row){.id = uuid_new(),
		    .key = v->key,
		    .created_us = w->now_us,
		    .data = json_own(w->a, json_object())};
	else
		*out = s->now;
	if (v->key.p != NULL || v->ends_key)
		out->key = v->key;
	out->data = json_own(w->a, json_copy(out->data));
	if (data_apply(w, v, out->data, err) == -1 ||
	    data_fits(w->a, &w->t->shape, out, err) == -1 ||
	    data_fits(w->a, &w->t->pending, out, err) == -1)
		return -1;
	out->text = json_text(w->a, out->data);
	if (out->text.n > LIMIT_TABLE_ROW_BYTES)
		return err_field(
		    err, ERR_INVALID, "data", "may have at most %u bytes", LIMIT_TABLE_ROW_BYTES);
	return 0;
}

static void write_apply(struct table_writing *w, struct table_write *v)
{
	struct row_state *s = state_of(w, v, &v->err);
	struct table_row row;

	if (v->err.code != ERR_NONE || key_check(v, &v->err) == -1 ||
	    row_change(w, v, s, &row, &v->err) == -1)
		return;
	v->is_created = s == NULL;
	v->is_changed = s == NULL || !str_eq(s->now.text, row.text) || !str_eq(s->now.key, row.key);
	if (v->is_changed)
		row.updated_us = clock_after_us(w->now_us, row.updated_us);
	if (s == NULL) {
		s = state_add(w, &row);
		s->is_there = true;
	} else if (row.key.p != NULL && !str_eq(row.key, s->now.key)) {
		map_put(w->by_key, row.key, s);
	}
	s->now = row;
	s->is_changed = s->is_changed || v->is_changed;
	v->row = row;
}

/* ---- storing --------------------------------------------------------------------------------- */

static void row_vals(const struct table *t, const struct table_row *row, struct db_val *vals)
{
	vals[0] = db_uuid(&t->account_id);
	vals[1] = db_uuid(&t->id);
	vals[2] = db_uuid(&row->id);
	vals[3] = db_blob(row->key);
	vals[4] = db_strn(row->text);
	vals[5] = db_int(row->created_us);
	vals[6] = db_int(row->updated_us);
}

static int state_by_key(const void *x, const void *y)
{
	const struct row_state *const *a = x, *const *b = y;
	struct db_val p = db_blob((*a)->now.key), q = db_blob((*b)->now.key);

	return bytes_by_order(&p, &q);
}

static int states_insert(struct table_writing *w, int64_t *made, struct err *err)
{
	struct db_val *vals = arena_array(w->a, 7 * w->n + 1, sizeof(*vals));
	uint64_t affected = 0;
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (!w->states[i]->was_there)
			row_vals(w->t, &w->states[i]->now, vals + 7 * n++);
	*made = (int64_t)n;
	if (n > 0 &&
	    db_exec_rows(w->db, &table_rows_insert, NULL, 0, vals, n, 7, &affected, err) == -1)
		return -1;
	return affected == n ? 0 : err_set(err, ERR_RETRY, "a row of the same key was just made");
}

int table_rows_store(struct db *db, struct arena *a, const struct table *t,
    const struct table_row *rows, size_t n, struct err *err)
{
	struct db_val *vals = arena_array(a, 7 * n + 1, sizeof(*vals));

	for (size_t i = 0; i < n; i++)
		row_vals(t, &rows[i], vals + 7 * i);
	return n == 0 ? 0 : db_exec_rows(db, &table_rows_update, NULL, 0, vals, n, 7, NULL, err);
}

static int states_update(struct table_writing *w, struct err *err)
{
	struct table_row *rows = arena_array(w->a, w->n + 1, sizeof(*rows));
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (w->states[i]->was_there && w->states[i]->is_changed)
			rows[n++] = w->states[i]->now;
	return table_rows_store(w->db, w->a, w->t, rows, n, err);
}

static int states_index(struct table_writing *w, struct err *err)
{
	struct table_cells old = {NULL, 0, 0}, new = {NULL, 0, 0}, fresh = {NULL, 0, 0};

	for (size_t i = 0; i < w->n; i++) {
		const struct row_state *s = w->states[i];

		if (!s->is_changed)
			continue;
		if (s->was_there)
			table_cells_of(w->a, &w->t->shape, &s->before, &old);
		table_cells_of(w->a, &w->t->shape, &s->now, s->was_there ? &new : &fresh);
	}
	table_cells_leave_alike(&old, &new);
	return table_cells_delete(w->db, w->a, w->t, &old, err) == -1 ||
		       table_cells_insert(w->db, w->a, w->t, &new, err) == -1 ||
		       table_cells_insert(w->db, w->a, w->t, &fresh, err) == -1
		   ? -1
		   : 0;
}

static int count_add(
    struct db *db, struct arena *a, const struct table *t, int64_t more, struct err *err)
{
	int64_t rows;

	if (more == 0)
		return 0;
	if (db_exec(db, &table_count_add,
		DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id), db_int(getpid() % COUNT_SLOTS),
		    db_int(more)),
		NULL, err) == -1)
		return -1;
	if (more < 0)
		return 0;
	if (table_count_rows(db, a, &t->account_id, &t->id, &rows, err) == -1)
		return -1;
	return rows <= LIMIT_TABLE_ROWS ? 0
					: err_set(err, ERR_CONFLICT,
					      "A table may have at most %d rows", LIMIT_TABLE_ROWS);
}

int table_write_rows(struct db *db, struct arena *a, const struct table *t, struct table_write *v,
    size_t n, struct err *err)
{
	struct table_writing w = {.db = db, .a = a, .t = t};
	int64_t made;

	for (size_t i = 0; i < n; i++)
		if (v[i].key.p != NULL)
			v[i].key = utf8_trim(v[i].key);
	if (writing_begin(&w, v, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		write_apply(&w, &v[i]);
	qsort(w.states, w.n, sizeof(*w.states), state_by_key);
	return states_insert(&w, &made, err) == -1 || states_update(&w, err) == -1 ||
		       states_index(&w, err) == -1 || count_add(db, a, t, made, err) == -1
		   ? -1
		   : 0;
}

int table_row_remake(struct db *db, struct arena *a, const struct table *t, const struct uuid *id,
    bool (*change)(struct arena *a, struct table_row *row, void *arg), void *arg, struct err *err)
{
	struct table_write v = {.id = *id};
	struct table_writing w = {.db = db, .a = a, .t = t};
	struct table_row *row;

	if (writing_begin(&w, &v, 1, err) == -1)
		return -1;
	if (w.n == 0)
		return 0;
	row = &w.states[0]->now;
	if (!change(a, row, arg))
		return 0;
	row->text = json_text(a, row->data);
	row->updated_us = clock_after_us(w.now_us, row->updated_us);
	w.states[0]->is_changed = true;
	return states_update(&w, err) == -1 || states_index(&w, err) == -1 ? -1 : 1;
}

int table_delete_rows(struct db *db, struct arena *a, const struct table *t, const struct uuid *ids,
    size_t n, int64_t *deleted, struct err *err)
{
	struct table_write *v = arena_array(a, n + 1, sizeof(*v));
	struct table_writing w = {.db = db, .a = a, .t = t};
	struct table_cells cells = {NULL, 0, 0};
	struct db_val *vals = arena_array(a, n + 1, sizeof(*vals));

	for (size_t i = 0; i < n; i++)
		v[i].id = ids[i];
	if (writing_begin(&w, v, n, err) == -1)
		return -1;
	for (size_t i = 0; i < w.n; i++) {
		table_cells_of(a, &t->shape, &w.states[i]->before, &cells);
		vals[i] = db_uuid(&w.states[i]->now.id);
	}
	*deleted = (int64_t)w.n;
	if (w.n == 0)
		return 0;
	return table_cells_delete(db, a, t, &cells, err) == -1 ||
		       db_exec_rows(db, &table_rows_delete,
			   (const struct db_val[]){db_uuid(&t->account_id), db_uuid(&t->id)}, 2,
			   vals, w.n, 1, NULL, err) == -1
		   ? -1
		   : count_add(db, a, t, -*deleted, err);
}
