/* The first row whose column has a value, for many values at once.
 *
 *   marked columns   the least row id of each key of the index, then the row itself: one statement
 *   others           the oldest rows are looked through, at most LIMIT_TABLE_SCAN_ROWS of them; a
 *                    table that has more is told of, never taken for one without the value
 *
 * Keys may be the same for values that are not; such a value is looked for by itself, row by row of
 * that key. */
#include "base/map.h"
#include "table/table-internal.h"

#define CANDIDATES 100 /* rows of one key that are read at a time */
#define SCAN_AT_ONCE 5000

DB_STMT_ROWS(table_lookup_many,
    "SELECT " TABLE_ROW_COLUMNS ", m.sort_key FROM (SELECT account_id, table_id, sort_key,"
    " MIN(row_id) AS row_id FROM table_cells WHERE account_id = ? AND table_id = ?"
    " AND index_no = ? AND sort_key IN (",
    "?",
    ") GROUP BY account_id, table_id, sort_key) m STRAIGHT_JOIN table_rows r FORCE INDEX (PRIMARY)"
    " ON r.account_id = m.account_id AND r.table_id = m.table_id AND r.id = m.row_id");
DB_STMT(table_lookup_alike,
    "SELECT " TABLE_ROW_COLUMNS
    " FROM table_cells c STRAIGHT_JOIN table_rows r FORCE INDEX (PRIMARY)"
    " ON r.account_id = c.account_id AND r.table_id = c.table_id AND r.id = c.row_id"
    " WHERE c.account_id = ? AND c.table_id = ? AND c.index_no = ? AND c.sort_key = ?"
    " AND c.row_id > ? ORDER BY c.row_id LIMIT ?");
DB_STMT_ROWS(table_rows_of_keys,
    "SELECT " TABLE_ROW_COLUMNS " FROM table_rows r FORCE INDEX (table_rows_key)"
    " WHERE r.account_id = ? AND r.table_id = ? AND r.external_key IN (",
    "?", ")");
/* The last row of a stretch of so many. */
DB_STMT(table_scan_end,
    "SELECT r.id FROM table_rows r FORCE INDEX (PRIMARY)"
    " WHERE r.account_id = ? AND r.table_id = ? AND r.id > ? ORDER BY r.id LIMIT 1 OFFSET ?");
DB_STMT(table_scan_part, "SELECT " TABLE_ROW_COLUMNS " FROM table_rows r FORCE INDEX (PRIMARY)"
			 " WHERE r.account_id = ? AND r.table_id = ? AND r.id > ? AND r.id <= ? "
			 "AND INSTR(r.data, ?) > 0 ORDER BY r.id LIMIT ?");

static bool row_has(
    struct arena *a, const struct table_row *row, const struct table_column *c, const json_t *value)
{
	const json_t *v = table_row_value(a, row, c);

	return v != NULL && table_value_equals(a, c->type, v, value);
}

/* ---- without an index ------------------------------------------------------------------------ */

struct lookup {
	struct db *db;
	struct arena *a;
	const struct table *t;
	const struct table_column *c;
};

/* What the stored text of a row that has the value must contain: the value too, where equal ones
 * have one text. */
static struct str scan_needle(const struct lookup *l, const json_t *value)
{
	const char *key = table_column_key(l->a, l->c->no);
	bool is_plain = !l->c->is_mixed && l->c->type != TABLE_NUMBER && l->c->type != TABLE_DATE;

	return str_from(
	    arena_printf(l->a, "\"%s\":%s", key, is_plain ? json_text(l->a, value).p : ""));
}

/* The rows after *after, up to end: 1 found, 0 none, -1. */
static int scan_stretch(const struct lookup *l, struct str needle, const json_t *value,
    struct uuid after, const struct uuid *end, struct table_row *out, struct err *err)
{
	size_t got = CANDIDATES;

	while (got == CANDIDATES) {
		struct db_rows rows;

		if (db_query(l->db, l->a, &table_scan_part,
			DB_VALS(db_uuid(&l->t->account_id), db_uuid(&l->t->id), db_uuid(&after),
			    db_uuid(end), db_strn(needle), db_int(CANDIDATES)),
			&rows, err) == -1)
			return -1;
		got = rows.count;
		for (size_t i = 0; i < got; i++) {
			if (table_row_read(l->a, &rows, i, out, err) == -1)
				return -1;
			if (row_has(l->a, out, l->c, value))
				return 1;
			after = out->id;
		}
	}
	return 0;
}

static int lookup_scan(
    const struct lookup *l, const json_t *value, struct table_row *out, struct err *err)
{
	struct str needle = scan_needle(l, value);
	struct uuid after = {{0}}, end;
	int found = 0;
	struct db_rows rows;

	for (int64_t seen = 0; seen < LIMIT_TABLE_SCAN_ROWS; seen += SCAN_AT_ONCE) {
		int more = db_row(l->db, l->a, &table_scan_end,
		    DB_VALS(db_uuid(&l->t->account_id), db_uuid(&l->t->id), db_uuid(&after),
			db_int(SCAN_AT_ONCE - 1)),
		    &rows, err);

		if (more == 1)
			end = db_get_uuid(&rows, 0, 0);
		else
			memset(end.b, 0xff, sizeof(end.b));
		found = more == -1 ? -1 : scan_stretch(l, needle, value, after, &end, out, err);
		if (found != 0 || more == 0)
			return found;
		after = end;
	}
	return err_field(err, ERR_LIMIT, "column",
	    "%.*s is not indexed, and the table has more than %d rows: mark it as indexed",
	    (int)l->c->name.n, l->c->name.p, LIMIT_TABLE_SCAN_ROWS);
}

/* ---- by an index ----------------------------------------------------------------------------- */

/* One whose key is that of other values too. */
static int lookup_alike(const struct lookup *l, const struct table_key *key, const json_t *value,
    struct table_row *out, struct err *err)
{
	struct uuid after = {{0}};
	size_t got = CANDIDATES;

	while (got == CANDIDATES) {
		struct db_rows rows;

		if (db_query(l->db, l->a, &table_lookup_alike,
			DB_VALS(db_uuid(&l->t->account_id), db_uuid(&l->t->id), db_int(l->c->index),
			    table_key_val(key), db_uuid(&after), db_int(CANDIDATES)),
			&rows, err) == -1)
			return -1;
		got = rows.count;
		for (size_t i = 0; i < got; i++) {
			if (table_row_read(l->a, &rows, i, out, err) == -1)
				return -1;
			if (row_has(l->a, out, l->c, value))
				return 1;
			after = out->id;
		}
	}
	return 0;
}

static int lookup_one(const struct lookup *l, struct map *by_key, struct table_lookup *v,
    const struct table_key *key, struct err *err)
{
	struct table_row *row = map_get(by_key, (struct str){(const char *)key->b, key->n});
	int found = row != NULL;

	if (found == 1 && !row_has(l->a, row, l->c, v->value))
		found = lookup_alike(l, key, v->value, row, err);
	if (found == 1)
		v->row = *row;
	v->is_found = found == 1;
	return found == -1 ? -1 : 0;
}

static int lookup_index(const struct lookup *l, struct table_lookup *v, size_t n, struct err *err)
{
	struct table_key *keys = arena_array(l->a, n + 1, sizeof(*keys));
	struct db_val *vals = arena_array(l->a, n + 1, sizeof(*vals));
	struct map *by_key = map_new(l->a);
	struct db_rows rows;

	for (size_t i = 0; i < n; i++) {
		table_key_of(l->a, l->c->type, v[i].value, &keys[i]);
		vals[i] = table_key_val(&keys[i]);
	}
	if (table_query_many(l->db, l->a, &table_lookup_many,
		(const struct db_val[]){
		    db_uuid(&l->t->account_id), db_uuid(&l->t->id), db_int(l->c->index)},
		3, vals, n, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct table_row *row = arena_alloc(l->a, sizeof(*row));

		if (table_row_read(l->a, &rows, i, row, err) == -1)
			return -1;
		map_put(by_key, db_get_str(&rows, i, TABLE_ROW_MORE), row);
	}
	for (size_t i = 0; i < n; i++)
		if (lookup_one(l, by_key, &v[i], &keys[i], err) == -1)
			return -1;
	return 0;
}

int table_lookup_values(struct db *db, struct arena *a, const struct table *t,
    const struct table_column *c, struct table_lookup *v, size_t n, struct err *err)
{
	const struct lookup l = {db, a, t, c};

	if (c->index != 0 && c->is_ready)
		return lookup_index(&l, v, n, err);
	for (size_t i = 0; i < n; i++) {
		int found = lookup_scan(&l, v[i].value, &v[i].row, &v[i].err);

		v[i].is_found = found == 1;
		if (found == -1 && v[i].err.code != ERR_LIMIT)
			return err_set(err, v[i].err.code, "%s", v[i].err.msg);
	}
	return 0;
}

int table_lookup_by_keys(struct db *db, struct arena *a, const struct table *t,
    const struct str *keys, struct table_lookup *v, size_t n, struct err *err)
{
	struct db_val *vals = arena_array(a, n + 1, sizeof(*vals));
	struct map *by_key = map_new(a);
	struct db_rows rows;

	for (size_t i = 0; i < n; i++)
		vals[i] = db_blob(utf8_trim(keys[i]));
	if (table_query_many(db, a, &table_rows_of_keys,
		(const struct db_val[]){db_uuid(&t->account_id), db_uuid(&t->id)}, 2, vals, n,
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct table_row *row = arena_alloc(a, sizeof(*row));

		if (table_row_read(a, &rows, i, row, err) == -1)
			return -1;
		map_put(by_key, row->key, row);
	}
	for (size_t i = 0; i < n; i++) {
		const struct table_row *row = map_get(by_key, utf8_trim(keys[i]));

		v[i].is_found = row != NULL;
		if (row != NULL)
			v[i].row = *row;
	}
	return 0;
}
