/* Lists of rows: which of them (filters, search), in which order, from which position on.
 *
 *   order by      from                                       position
 *   createdAt     the rows, which lie in that order          id
 *   a marked      its index                                  key of the value, id
 *   any column    all rows, sorted here; few rows only       key of the value, id
 *
 * Filters: one by a marked column, or the key, is found by its index (in order of createdAt). All
 * others are looked for row by row, until the slice is full or time is up: then the slice is short,
 * and the next goes on from where it got to. The server looks at the rows' text before we do, a
 * stretch of rows at a time.
 *
 * A search of a table with many rows asks the indexes first: whose marked text, or key, begins so.
 * Where nothing does, or far too much, rows are looked through as ever.
 *
 * Each row that stays as it is comes exactly once; one that changes while one pages by its column
 * may come twice or not. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/number.h"
#include "table/table-list.h"

#define STRETCH 2000
#define HITS_MOST 1000
#define CHUNK_LEAST 100
#define CHUNK_MOST 2000

/* ---- the filter ------------------------------------------------------------------------------ */

static void where_read(struct req *r, const struct http_pairs *pairs, void *filter)
{
	struct table_filter *f = filter;
	size_t n = 0;

	f->slug = req_param(r, "slug");
	for (size_t i = 0; i < pairs->n; i++) {
		struct str name = pairs->v[i].name;

		if (!str_starts(name, "filter[") || pairs->v[i].value.n == 0)
			continue;
		if (!str_ends(name, "]"))
			req_invalid(r, "filter", "is written filter[column]=value");
		else if (n == TABLE_WHERE_MOST)
			req_invalid(r, "filter", "may have at most %d columns", TABLE_WHERE_MOST);
		else
			f->where[n++] = (struct table_where){
			    .name = {name.p + 7, name.n - 8}, .text = pairs->v[i].value};
	}
	f->nwhere = n;
}

static void where_write(struct arena *a, const void *filter, struct http_pairs *out)
{
	const struct table_filter *f = filter;

	filter_pair_add(out, "table", f->slug);
	for (size_t i = 0; i < f->nwhere; i++)
		filter_pair_add(out,
		    arena_printf(a, "filter[%.*s]", (int)f->where[i].name.n, f->where[i].name.p),
		    f->where[i].text);
}

static const struct filter_own where_own = {where_read, where_write};
static const struct filter_row row_filters[] = {
    {"search", FILTER_TEXT, offsetof(struct table_filter, search), NULL, NULL},
    {"sort", FILTER_TEXT, offsetof(struct table_filter, sort), NULL, NULL},
    {"filter", FILTER_OWN, 0, NULL, &where_own}, {NULL, 0, 0, NULL, NULL}};
const struct list list_of_table_rows = {"table_rows", row_filters, NULL};

#define BY_KEY "externalKey"

bool table_filter_resolve(
    struct req *r, const struct table *t, struct table_filter *f, bool is_needed)
{
	struct str sort = f->sort;

	f->is_descending = sort.n == 0 || sort.p[0] == '-';
	if (sort.n > 0 && sort.p[0] == '-')
		sort = (struct str){sort.p + 1, sort.n - 1};
	f->order = sort.n == 0 ? NULL : table_column_find(t, sort);
	if (sort.n > 0 && f->order == NULL && !str_is(sort, "createdAt") && is_needed)
		req_invalid(r, "sort", "must be createdAt or a column, with - before it or not");
	for (size_t i = 0; i < f->nwhere; i++) {
		struct table_where *w = &f->where[i];
		json_t *text = json_own(r->a, json_stringn(w->text.p, w->text.n));
		struct err err = ERR_INIT;

		w->column = table_column_find(t, w->name);
		if (w->column != NULL)
			table_value_take(r->a, w->column, text, true, &w->value, &err);
		else if (!str_is(w->name, BY_KEY) && is_needed)
			req_invalid(r, "filter", "\"%.*s\" is no column of this table",
			    w->name.n > 100 ? 100 : (int)w->name.n, w->name.p);
	}
	f->folded = f->search.n == 0 ? NULL : utf8_fold(r->a, utf8_trim(f->search));
	return !req_has_invalid(r);
}

/* ---- one row --------------------------------------------------------------------------------- */

static bool value_contains(struct arena *a, const json_t *v, const char *folded)
{
	const char *text = v == NULL ? NULL : utf8_fold(a, table_value_text(a, v));

	return text != NULL && strstr(text, folded) != NULL;
}

static bool row_contains(
    struct arena *a, const struct table *t, const struct table_row *row, const char *folded)
{
	const char *key = row->key.p == NULL ? NULL : utf8_fold(a, row->key);

	if (key != NULL && strstr(key, folded) != NULL)
		return true;
	for (size_t i = 0; i < t->shape.shown; i++)
		if (value_contains(a, table_row_value(a, row, &t->shape.columns[i]), folded))
			return true;
	return false;
}

static bool row_fits(struct arena *a, const struct table *t, const struct table_filter *f,
    const struct table_row *row)
{
	for (size_t i = 0; i < f->nwhere; i++) {
		const struct table_where *w = &f->where[i];
		const json_t *v;

		if (w->column == NULL) {
			if (!str_is(w->name, BY_KEY) || row->key.p == NULL ||
			    !str_eq(row->key, w->text))
				return false;
			continue;
		}
		v = table_row_value(a, row, w->column);
		if (v == NULL || w->value == NULL ||
		    !table_value_equals(a, w->column->type, v, w->value))
			return false;
	}
	return f->folded == NULL || row_contains(a, t, row, f->folded);
}

/* ---- sources --------------------------------------------------------------------------------- */

#define OF_ROWS "SELECT " TABLE_ROW_COLUMNS
#define FROM_ROWS                                                                                  \
	" FROM table_rows r FORCE INDEX (PRIMARY) WHERE r.account_id = ? AND r.table_id = ?"
DB_STMT(table_list_newest, OF_ROWS FROM_ROWS " AND r.id < ? ORDER BY r.id DESC LIMIT ? OFFSET ?");
DB_STMT(table_list_oldest, OF_ROWS FROM_ROWS " AND r.id > ? ORDER BY r.id LIMIT ? OFFSET ?");
/* Stretches: their last row, and of their rows those that may be wanted. */
DB_STMT(table_stretch_newest,
    "SELECT r.id" FROM_ROWS " AND r.id < ? ORDER BY r.id DESC LIMIT 1 OFFSET ?");
DB_STMT(
    table_stretch_oldest, "SELECT r.id" FROM_ROWS " AND r.id > ? ORDER BY r.id LIMIT 1 OFFSET ?");
#define LOOKS_LIKE " AND r.data COLLATE utf8mb4_general_ci LIKE ? ESCAPE '|'"
DB_STMT(table_like_newest,
    OF_ROWS FROM_ROWS " AND r.id < ? AND r.id >= ?" LOOKS_LIKE " ORDER BY r.id DESC LIMIT ?");
DB_STMT(table_like_oldest,
    OF_ROWS FROM_ROWS " AND r.id > ? AND r.id <= ?" LOOKS_LIKE " ORDER BY r.id LIMIT ?");
#define FROM_CELLS                                                                                 \
	" FROM table_cells c STRAIGHT_JOIN table_rows r FORCE INDEX (PRIMARY)"                     \
	" ON r.account_id = c.account_id"                                                          \
	" AND r.table_id = c.table_id AND r.id = c.row_id"                                         \
	" WHERE c.account_id = ? AND c.table_id = ? AND c.index_no = ?"
DB_STMT(table_value_newest, OF_ROWS FROM_CELLS
    " AND c.sort_key = ? AND c.row_id < ? ORDER BY c.row_id DESC LIMIT ? OFFSET ?");
DB_STMT(table_value_oldest,
    OF_ROWS FROM_CELLS " AND c.sort_key = ? AND c.row_id > ? ORDER BY c.row_id LIMIT ? OFFSET ?");
DB_STMT(table_sorted_down,
    OF_ROWS FROM_CELLS " AND c.sort_key <= ? AND (c.sort_key < ? OR c.row_id < ?)"
		       " ORDER BY c.sort_key DESC, c.row_id DESC LIMIT ? OFFSET ?");
DB_STMT(table_sorted_up,
    OF_ROWS FROM_CELLS " AND c.sort_key >= ? AND (c.sort_key > ? OR c.row_id > ?)"
		       " ORDER BY c.sort_key, c.row_id LIMIT ? OFFSET ?");
DB_STMT(table_begins_cells, "SELECT row_id FROM table_cells WHERE account_id = ? AND table_id = ?"
			    " AND index_no = ? AND sort_key >= ? AND sort_key < ? LIMIT ?");
DB_STMT(table_begins_keys, "SELECT id FROM table_rows WHERE account_id = ? AND table_id = ?"
			   " AND external_key >= ? AND external_key < ? LIMIT ?");
DB_STMT_ROWS(table_rows_by_ids, OF_ROWS FROM_ROWS " AND r.id IN (", "?", ")");

/* One reading of a list. */
struct rows_reading {
	struct app *app;
	struct arena *a;
	const struct table *t;
	const struct table_filter *f;
	const struct table_where *by; /* the filter whose index is read; NULL: none */
	struct table_key key;         /* the position */
	struct uuid id;
	bool is_filtered; /* rows must be looked at */
	const char *like; /* what their text must look like; NULL: nothing is known */
	struct slice *s;
	int64_t skip;
};

static int rows_of(struct rows_reading *x, const struct db_stmt *st, const struct db_val *vals,
    size_t n, struct table_row **out, size_t *count, struct err *err)
{
	struct db_rows rows;

	if (db_query(x->app->db, x->a, st, vals, n, &rows, err) == -1)
		return -1;
	*count = rows.count;
	*out = arena_array(x->a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++)
		if (table_row_read(x->a, &rows, i, &(*out)[i], err) == -1)
			return -1;
	return 0;
}

/* The next n rows behind the position. */
static int rows_next(struct rows_reading *x, int64_t n, int64_t offset, struct table_row **out,
    size_t *count, struct err *err)
{
	const struct table_column *c = x->f->order;
	bool down = x->f->is_descending;
	struct db_val account = db_uuid(&x->t->account_id), table = db_uuid(&x->t->id),
		      id = db_uuid(&x->id), key = table_key_val(&x->key);
	struct table_key by;

	if (x->by != NULL) {
		table_key_of(x->a, x->by->column->type, x->by->value, &by);
		return rows_of(x, down ? &table_value_newest : &table_value_oldest,
		    DB_VALS(account, table, db_int(x->by->column->index), table_key_val(&by), id,
			db_int(n), db_int(offset)),
		    out, count, err);
	}
	if (c != NULL)
		return rows_of(x, down ? &table_sorted_down : &table_sorted_up,
		    DB_VALS(
			account, table, db_int(c->index), key, key, id, db_int(n), db_int(offset)),
		    out, count, err);
	return rows_of(x, down ? &table_list_newest : &table_list_oldest,
	    DB_VALS(account, table, id, db_int(n), db_int(offset)), out, count, err);
}

/* ---- the slice ------------------------------------------------------------------------------- */

static void reading_move(struct rows_reading *x, const struct table_row *row)
{
	x->id = row->id;
	if (x->f->order != NULL)
		table_key_of(
		    x->a, x->f->order->type, table_row_value(x->a, row, x->f->order), &x->key);
}

static void slice_note_place(const struct rows_reading *x)
{
	struct buf *b = buf_new(x->a, 2 * TABLE_KEY_BYTES + 1);

	x->s->last = (struct cursor){.id = x->id};
	if (x->f->order == NULL)
		return;
	hex_encode(b, x->key.b, x->key.n);
	x->s->last.note = (struct str){b->p, b->len};
}

/* Looks at a row; true when the slice was full before it. */
static bool slice_see(struct rows_reading *x, const struct table_row *row)
{
	if (x->is_filtered && !row_fits(x->a, x->t, x->f, row)) {
		reading_move(x, row);
		return false;
	}
	if ((int64_t)json_array_size(x->s->rows) == x->s->limit) {
		x->s->has_more = true;
		return true;
	}
	reading_move(x, row);
	if (x->skip > 0)
		x->skip--;
	else
		json_array_append(x->s->rows, table_row_json(x->a, x->t, row));
	return false;
}

static int slice_fill_rows(struct rows_reading *x, struct err *err)
{
	int64_t until_us = clock_mono_us() + x->f->budget_us, chunk = x->s->limit + 1,
		offset = x->is_filtered ? 0 : x->skip;
	struct table_row *rows;
	size_t n;

	if (!x->is_filtered)
		x->skip = 0;
	else if (chunk < CHUNK_LEAST)
		chunk = CHUNK_LEAST;
	for (;;) {
		if (rows_next(x, chunk, offset, &rows, &n, err) == -1)
			return -1;
		for (size_t i = 0; i < n; i++)
			if (slice_see(x, &rows[i]))
				return 0;
		if ((int64_t)n < chunk || !x->is_filtered)
			return 0;
		offset = 0;
		chunk = chunk * 2 > CHUNK_MOST ? CHUNK_MOST : chunk * 2;
		if (clock_mono_us() > until_us) {
			x->s->has_more = true;
			return 0;
		}
	}
}

/* The rows of a stretch that may be wanted: 1 the slice is full, 0, -1. */
static int stretch_see(struct rows_reading *x, const struct uuid *end, struct err *err)
{
	bool down = x->f->is_descending;
	struct table_row *rows;
	size_t n = CHUNK_LEAST;

	while (n == CHUNK_LEAST) {
		if (rows_of(x, down ? &table_like_newest : &table_like_oldest,
			DB_VALS(db_uuid(&x->t->account_id), db_uuid(&x->t->id), db_uuid(&x->id),
			    db_uuid(end), db_str(x->like), db_int(CHUNK_LEAST)),
			&rows, &n, err) == -1)
			return -1;
		for (size_t i = 0; i < n; i++)
			if (slice_see(x, &rows[i]))
				return 1;
	}
	return 0;
}

/* The same with the server looking first, a stretch of rows at a time. */
static int slice_fill_stretches(struct rows_reading *x, struct err *err)
{
	int64_t until_us = clock_mono_us() + x->f->budget_us;
	bool down = x->f->is_descending;
	struct db_rows rows;

	for (;;) {
		struct uuid end;
		int more =
		    db_row(x->app->db, x->a, down ? &table_stretch_newest : &table_stretch_oldest,
			DB_VALS(db_uuid(&x->t->account_id), db_uuid(&x->t->id), db_uuid(&x->id),
			    db_int(STRETCH - 1)),
			&rows, err);
		int full;

		if (more == -1)
			return -1;
		if (more == 1)
			end = db_get_uuid(&rows, 0, 0);
		else
			memset(end.b, down ? 0 : 0xff, sizeof(end.b));
		full = stretch_see(x, &end, err);
		if (full != 0 || more == 0)
			return full == -1 ? -1 : 0;
		x->id = end;
		if (clock_mono_us() > until_us) {
			x->s->has_more = true;
			return 0;
		}
	}
}

/* ---- rows that are in memory ----------------------------------------------------------------- */

struct rows_sorting {
	struct table_row row;
	struct table_key key;
	bool down;
};

static int place_order(const struct table_key *a, const struct uuid *x, const struct table_key *b,
    const struct uuid *y)
{
	size_t n = a->n < b->n ? a->n : b->n;
	int order = memcmp(a->b, b->b, n);

	if (order == 0)
		order = a->n < b->n ? -1 : a->n > b->n;
	return order != 0 ? order : memcmp(x->b, y->b, sizeof(x->b));
}

static int rows_by_order(const void *x, const void *y)
{
	const struct rows_sorting *a = x, *b = y;
	int order = place_order(&a->key, &a->row.id, &b->key, &b->row.id);

	return a->down ? -order : order;
}

/* Those behind the position, in order. */
static void slice_fill_sorted(struct rows_reading *x, const struct table_row *rows, size_t n)
{
	struct rows_sorting *v = arena_array(x->a, n + 1, sizeof(*v));
	struct table_key from = x->key;
	struct uuid after = x->id;

	for (size_t i = 0; i < n; i++) {
		v[i] = (struct rows_sorting){.row = rows[i], .down = x->f->is_descending};
		if (x->f->order != NULL)
			table_key_of(x->a, x->f->order->type,
			    table_row_value(x->a, &rows[i], x->f->order), &v[i].key);
	}
	qsort(v, n, sizeof(*v), rows_by_order);
	for (size_t i = 0; i < n; i++) {
		int order = place_order(&v[i].key, &v[i].row.id, &from, &after);

		if ((x->f->is_descending ? order < 0 : order > 0) && slice_see(x, &v[i].row))
			return;
	}
}

/* All rows of a small table. */
static int slice_sort_all(struct rows_reading *x, struct err *err)
{
	struct uuid first = {{0}};
	struct table_row *rows;
	size_t n;

	if (rows_of(x, &table_list_oldest,
		DB_VALS(db_uuid(&x->t->account_id), db_uuid(&x->t->id), db_uuid(&first),
		    db_int(LIMIT_TABLE_SORT_ROWS + 1), db_int(0)),
		&rows, &n, err) == -1)
		return -1;
	if (n > LIMIT_TABLE_SORT_ROWS)
		return err_field(err, ERR_INVALID, "sort",
		    "cannot be %.*s: the column is not indexed, and the table has more than %d"
		    " rows",
		    (int)x->f->order->name.n, x->f->order->name.p, LIMIT_TABLE_SORT_ROWS);
	slice_fill_sorted(x, rows, n);
	return 0;
}

/* ---- searching by the indexes ---------------------------------------------------------------- */

struct hits {
	struct db_val *ids;
	size_t n;
};

static int hits_add(struct rows_reading *x, struct hits *h, const struct db_stmt *st,
    const struct db_val *vals, size_t n, struct err *err)
{
	struct db_rows rows;

	if (db_query(x->app->db, x->a, st, vals, n, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count && h->n <= HITS_MOST; i++)
		h->ids[h->n++] = db_blob(db_get_str(&rows, i, 0));
	return 0;
}

/* The least key that is behind all that begin with k. */
static struct table_key key_behind(struct table_key k)
{
	while (k.n > 0 && k.b[k.n - 1] == 0xff)
		k.n--;
	if (k.n > 0)
		k.b[k.n - 1]++;
	return k;
}

static int hits_of_column(
    struct rows_reading *x, const struct table_column *c, struct hits *h, struct err *err)
{
	struct table_key from, to;
	struct str text = utf8_trim(x->f->search);

	if (c->index == 0 || !c->is_ready || (c->type == TABLE_NUMBER && !number_is(text)) ||
	    (c->type != TABLE_STRING && c->type != TABLE_NUMBER))
		return 0;
	if (c->type == TABLE_STRING)
		table_key_prefix(x->a, text, &from);
	else
		table_key_of(x->a, c->type, json_parse(x->a, text, NULL), &from);
	to = key_behind(from);
	return hits_add(x, h, &table_begins_cells,
	    DB_VALS(db_uuid(&x->t->account_id), db_uuid(&x->t->id), db_int(c->index),
		table_key_val(&from), table_key_val(&to), db_int(HITS_MOST + 1)),
	    err);
}

static int hits_of_key(struct rows_reading *x, struct hits *h, struct err *err)
{
	struct str text = utf8_trim(x->f->search);
	struct table_key from = {.n = text.n}, to;

	if (text.n > TABLE_KEY_BYTES)
		return 0;
	memcpy(from.b, text.p, text.n);
	to = key_behind(from);
	return hits_add(x, h, &table_begins_keys,
	    DB_VALS(db_uuid(&x->t->account_id), db_uuid(&x->t->id), table_key_val(&from),
		table_key_val(&to), db_int(HITS_MOST + 1)),
	    err);
}

/* 1 the slice is of what the indexes know, 0 they know nothing or too much, -1. */
static int slice_search_indexes(struct rows_reading *x, struct err *err)
{
	struct hits h = {arena_array(x->a, HITS_MOST + 2, sizeof(*h.ids)), 0};
	struct table_row *rows;
	struct db_rows found;
	size_t n;

	if (hits_of_key(x, &h, err) == -1)
		return -1;
	for (size_t i = 0; i < x->t->shape.shown && h.n <= HITS_MOST; i++)
		if (hits_of_column(x, &x->t->shape.columns[i], &h, err) == -1)
			return -1;
	if (h.n == 0 || h.n > HITS_MOST)
		return 0;
	if (table_query_many(x->app->db, x->a, &table_rows_by_ids,
		(const struct db_val[]){db_uuid(&x->t->account_id), db_uuid(&x->t->id)}, 2, h.ids,
		h.n, &found, err) == -1)
		return -1;
	rows = arena_array(x->a, found.count + 1, sizeof(*rows));
	for (n = 0; n < found.count; n++)
		if (table_row_read(x->a, &found, n, &rows[n], err) == -1)
			return -1;
	slice_fill_sorted(x, rows, n);
	return 1;
}

/* ---- all ------------------------------------------------------------------------------------- */

static const char *like_text(struct arena *a, struct str text)
{
	json_t *v = json_own(a, json_stringn(text.p, text.n));
	struct str s = json_text(a, v);
	struct buf *b = buf_new(a, 4 * s.n + 4);

	buf_chr(b, '%');
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '%' || s.p[i] == '_' || s.p[i] == '|')
			buf_chr(b, '|');
		buf_chr(b, s.p[i]);
	}
	buf_chr(b, '%');
	return b->p;
}

static void reading_place(struct rows_reading *x)
{
	const struct cursor *after = &x->s->after;
	long n = -1;

	memset(x->id.b, x->f->is_descending ? 0xff : 0, sizeof(x->id.b));
	memset(x->key.b, 0xff, sizeof(x->key.b));
	x->key.n = x->f->is_descending && x->f->order != NULL ? TABLE_KEY_BYTES : 0;
	if (!x->s->has_cursor)
		return;
	x->id = after->id;
	if (x->f->order != NULL)
		n = hex_decode(x->key.b, sizeof(x->key.b), after->note);
	x->key.n = n < 0 ? 0 : (size_t)n;
}

/* Of a search the text looks so; keys are not in it, so of rows with keys all are looked at where
 * there are few. */
static void reading_plan(struct rows_reading *x)
{
	const struct table_filter *f = x->f;

	x->is_filtered = f->nwhere > 0 || f->folded != NULL;
	for (size_t i = 0; i < f->nwhere; i++) {
		const struct table_column *c = f->where[i].column;

		if (c != NULL && c->index != 0 && c->is_ready && f->order == NULL &&
		    f->where[i].value != NULL)
			x->by = &f->where[i];
	}
	if (x->by == NULL && f->order == NULL && f->folded != NULL &&
	    x->t->rows > LIMIT_TABLE_SORT_ROWS)
		x->like = like_text(x->a, utf8_trim(f->search));
}

static const struct table_where *filter_key(const struct table_filter *f)
{
	for (size_t i = 0; i < f->nwhere; i++)
		if (str_is(f->where[i].name, BY_KEY) && f->where[i].column == NULL)
			return &f->where[i];
	return NULL;
}

static int slice_of_key(struct rows_reading *x, struct str key, struct err *err)
{
	struct table_row row;
	int found = table_row_load_key(x->app->db, x->a, x->t, key, &row, err);

	if (found == 1)
		slice_fill_sorted(x, &row, 1);
	return found == -1 ? -1 : 0;
}

static int reading_run(struct rows_reading *x, struct err *err)
{
	const struct table_where *key = filter_key(x->f);
	const struct table_column *c = x->f->order;
	int found = 0;

	if (key != NULL)
		return slice_of_key(x, key->text, err);
	if (c != NULL && (c->index == 0 || !c->is_ready))
		return slice_sort_all(x, err);
	if (x->like != NULL)
		found = slice_search_indexes(x, err);
	if (found != 0)
		return found == -1 ? -1 : 0;
	return x->like != NULL ? slice_fill_stretches(x, err) : slice_fill_rows(x, err);
}

int table_list_rows(struct app *app, struct arena *a, const struct table *t,
    const struct table_filter *f, struct slice *s, struct err *err)
{
	struct rows_reading x = {.app = app, .a = a, .t = t, .f = f, .s = s, .skip = s->offset};

	s->rows = json_own(a, json_array());
	reading_place(&x);
	reading_plan(&x);
	if (reading_run(&x, err) == -1)
		return -1;
	if (!x.is_filtered)
		s->total = t->rows;
	if (s->has_more)
		slice_note_place(&x);
	return 0;
}
