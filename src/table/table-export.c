/* GET …/export: the rows that a list's filters let through, oldest first, as CSV or NDJSON.
 * Streamed in constant memory, a slice at a time. Imported again they make the same rows: the key
 * and the columns, by their names. */
#include "base/csv.h"
#include "table/table-list.h"

#define SLICE_ROWS 500
#define PIECE_BYTES (64u * 1024u * 1024u) /* of a slice at its worst */

struct table_exporting {
	struct req *r;
	const struct table *t;
	struct table_filter f;
	bool is_lines;
	struct slice s; /* how far it is */
};

static void export_add_head(const struct table_exporting *x, struct buf *b)
{
	struct csv_writer w = {.b = b};

	csv_write_plain(&w, TABLE_EXPORT_KEY);
	for (size_t i = 0; i < x->t->shape.shown; i++)
		csv_write_text(&w, x->t->shape.columns[i].name);
	csv_write_end(&w);
}

static void export_add_csv(
    const struct table_exporting *x, struct arena *a, struct buf *b, const json_t *row)
{
	const json_t *data = json_object_get(row, "data");
	struct csv_writer w = {.b = b};

	csv_write_text(&w, str_from(json_str(row, TABLE_EXPORT_KEY)));
	for (size_t i = 0; i < x->t->shape.shown; i++) {
		const struct table_column *c = &x->t->shape.columns[i];
		const json_t *v = json_object_getn(data, c->name.p, c->name.n);

		if (c->type == TABLE_JSON && v != NULL) /* a text too is JSON there */
			csv_write_text(&w, json_text(a, v));
		else
			csv_write_json(&w, a, v);
	}
	csv_write_end(&w);
}

static void export_add_line(struct buf *b, const json_t *row)
{
	json_t *line = json_object();

	if (!json_is_null(json_object_get(row, TABLE_EXPORT_KEY)))
		json_object_set(line, TABLE_EXPORT_KEY, json_object_get(row, TABLE_EXPORT_KEY));
	json_object_update(line, json_object_get(row, "data"));
	json_append(b, line);
	buf_chr(b, '\n');
	json_decref(line);
}

static int export_slice(struct table_exporting *x, struct arena *a, struct err *err)
{
	struct buf *b = buf_new(a, PIECE_BYTES);
	struct slice s = {
	    .limit = SLICE_ROWS, .after = x->s.last, .has_cursor = x->s.has_cursor, .total = -1};
	json_t *row;
	size_t i;

	if (table_list_rows(x->r->app, a, x->t, &x->f, &s, err) == -1)
		return -1;
	json_array_each(s.rows, i, row) {
		if (x->is_lines)
			export_add_line(b, row);
		else
			export_add_csv(x, a, b, row);
	}
	x->s = (struct slice){.last = s.last, .has_cursor = true, .has_more = s.has_more};
	if (!buf_ok(b))
		return err_set(err, ERR_INTERNAL, "a slice of rows is too long");
	return b->len == 0 ? 0 : res_stream_write(x->r, (struct str){b->p, b->len});
}

static int export_begin(struct table_exporting *x)
{
	struct req *r = x->r;
	struct buf *head = buf_new(r->a, LIMIT_PAGE_BYTES);

	res_headerf(r, "Content-Disposition", "attachment; filename=\"%s.%s\"",
	    str_copy(r->a, x->t->slug).p, x->is_lines ? "ndjson" : "csv");
	if (res_stream_start(
		r, 200, x->is_lines ? "application/x-ndjson" : "text/csv; charset=utf-8") == -1)
		return -1;
	if (x->is_lines)
		return 0;
	export_add_head(x, head);
	return res_stream_write(r, (struct str){head->p, head->len});
}

int table_export(struct req *r)
{
	struct str format = req_query_text(r, "format");
	struct table_exporting x = {.r = r, .is_lines = str_is(format, "ndjson")};
	struct err err = ERR_INIT;
	struct table t;
	int rc;

	if (!table_of_request(r, &t))
		return 0;
	x.t = &t;
	filter_read(r, &list_of_table_rows, &r->query, &x.f);
	x.f.sort = STR("createdAt");
	if (format.p != NULL && !x.is_lines && !str_is(format, "csv"))
		req_invalid(r, "format", "must be csv or ndjson");
	if (!table_filter_resolve(r, &t, &x.f, true))
		return res_invalid(r);
	if (export_begin(&x) == -1)
		return -1;
	do {
		struct arena *a = arena_new();

		rc = export_slice(&x, a, &err);
		arena_free(a);
	} while (rc == 0 && x.s.has_more);
	if (rc == -1 && err.code != ERR_NONE)
		return res_error(r, &err);
	return rc;
}
