/* The indexes of tables: a cell for each row and index. */
#include "table/table-internal.h"

DB_STMT_ROWS(table_cells_put,
    "INSERT INTO table_cells (account_id, table_id, index_no, sort_key, row_id) VALUES ",
    "(?,?,?,?,?)", " ON DUPLICATE KEY UPDATE account_id = VALUES(account_id)");
DB_STMT_ROWS(table_cells_remove,
    "DELETE table_cells FROM table_cells FORCE INDEX (PRIMARY) WHERE account_id = ? AND table_id = "
    "?"
    " AND (index_no, sort_key, row_id) IN (",
    "(?,?,?)", ")");

static void cells_add(struct arena *a, struct table_cells *out, const struct table_cell *cell)
{
	if (out->n == out->cap) {
		struct table_cell *old = out->v;

		out->cap = out->cap == 0 ? 64 : 2 * out->cap;
		out->v = arena_array(a, out->cap, sizeof(*out->v));
		if (out->n > 0)
			memcpy(out->v, old, out->n * sizeof(*old));
	}
	out->v[out->n++] = *cell;
}

void table_cells_of(struct arena *a, const struct table_shape *s, const struct table_row *row,
    struct table_cells *out)
{
	for (size_t i = 0; i < s->shown; i++) {
		const struct table_column *c = &s->columns[i];
		struct table_cell cell = {.index = c->index, .row_id = row->id};

		if (c->index == 0)
			continue;
		table_key_of(a, c->type, table_row_value(a, row, c), &cell.key);
		cells_add(a, out, &cell);
	}
}

void table_cells_leave_alike(struct table_cells *x, struct table_cells *y)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->n; i++) {
		const struct table_cell *a = &x->v[i], *b = &y->v[i];

		if (a->key.n == b->key.n && memcmp(a->key.b, b->key.b, a->key.n) == 0)
			continue;
		x->v[kept] = *a;
		y->v[kept++] = *b;
	}
	x->n = y->n = kept;
}

static int cell_by_key(const void *x, const void *y)
{
	const struct table_cell *a = x, *b = y;
	size_t n = a->key.n < b->key.n ? a->key.n : b->key.n;
	int order = a->index < b->index ? -1 : a->index > b->index;

	if (order == 0)
		order = memcmp(a->key.b, b->key.b, n);
	if (order == 0)
		order = a->key.n < b->key.n ? -1 : a->key.n > b->key.n;
	return order != 0 ? order : memcmp(a->row_id.b, b->row_id.b, sizeof(a->row_id.b));
}

int table_cells_delete(struct db *db, struct arena *a, const struct table *t,
    struct table_cells *cells, struct err *err)
{
	struct db_val *vals = arena_array(a, 3 * cells->n + 1, sizeof(*vals));

	if (cells->n == 0)
		return 0;
	qsort(cells->v, cells->n, sizeof(*cells->v), cell_by_key);
	for (size_t i = 0; i < cells->n; i++) {
		vals[3 * i] = db_int(cells->v[i].index);
		vals[3 * i + 1] = table_key_val(&cells->v[i].key);
		vals[3 * i + 2] = db_uuid(&cells->v[i].row_id);
	}
	return db_exec_rows(db, &table_cells_remove,
	    (const struct db_val[]){db_uuid(&t->account_id), db_uuid(&t->id)}, 2, vals, cells->n, 3,
	    NULL, err);
}

int table_cells_insert(struct db *db, struct arena *a, const struct table *t,
    struct table_cells *cells, struct err *err)
{
	struct db_val *vals = arena_array(a, 5 * cells->n + 1, sizeof(*vals));

	if (cells->n == 0)
		return 0;
	qsort(cells->v, cells->n, sizeof(*cells->v), cell_by_key);
	for (size_t i = 0; i < cells->n; i++) {
		vals[5 * i] = db_uuid(&t->account_id);
		vals[5 * i + 1] = db_uuid(&t->id);
		vals[5 * i + 2] = db_int(cells->v[i].index);
		vals[5 * i + 3] = table_key_val(&cells->v[i].key);
		vals[5 * i + 4] = db_uuid(&cells->v[i].row_id);
	}
	return db_exec_rows_later(db, &table_cells_put, vals, cells->n, 5, ERR_CONFLICT, err);
}
