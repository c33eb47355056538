/* GET /records/export: the matching records as CSV or NDJSON, streamed. */
#include "base/clock.h"
#include "base/csv.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "base/path.h"
#include "record/record-paths.h"
#include "record/record-walk.h"

#define PIECE (64u * 1024u)                /* bytes sent at once, about */
#define BUFFER_BYTES (16u * 1024u * 1024u) /* one record, quoted, at its worst */
#define COLUMNS_MAX 500                    /* paths with a column of their own */
#define COLUMNS_WANTED 100                 /* of columns= and col= */

struct export_column {
	const struct path *path; /* that was asked for; NULL: of the catalogue, found on the way */
	size_t index;
};
struct record_exporting {
	struct req *r;
	struct buf *out;
	bool is_gone; /* the client is */
	/* CSV: */
	bool is_raw;
	struct map *columns; /* path → struct export_column */
	bool is_chosen;      /* they were asked for */
	bool has_rest;       /* a last column takes the paths that have none */
};

static int export_send_piece(struct record_exporting *x, size_t least, struct err *err)
{
	if (!buf_ok(x->out))
		return err_set(err, ERR_INTERNAL, "a record is too large to be exported");
	if (x->out->len <= least)
		return 0;
	if (res_stream_write(x->r, (struct str){x->out->p, x->out->len}) == -1)
		x->is_gone = true;
	buf_reset(x->out);
	return x->is_gone;
}

/* One that cannot be read stands there with the rest of it. */
static json_t *export_data(const struct record_row *row, struct err *err)
{
	json_t *data;

	json_row_begin();
	data = json_parse_stored(row->a, row->data, err);
	(void)json_row_end();
	return data;
}

/* ---- NDJSON -------------------------------------------------------------------------------- */

static int export_add_ndjson(void *arg, const struct record_row *row, struct err *err)
{
	struct record_exporting *x = arg;

	if (record_json_write(x->out, row) == -1)
		log_warn("record.unreadable", LOG_S("record", uuid_dup(row->a, row->id)));
	buf_chr(x->out, '\n');
	return export_send_piece(x, PIECE, err);
}

/* ---- CSV: cells ---------------------------------------------------------------------------- */

struct row_flattening {
	struct record_exporting *x;
	struct arena *a;
	json_t **cells; /* by column */
	json_t *rest;
};

static int row_place_cell(void *arg, struct str path, json_t *value)
{
	struct row_flattening *f = arg;
	const struct export_column *c = map_get(f->x->columns, path);

	if (c != NULL)
		f->cells[c->index] = value;
	else if (f->x->has_rest)
		json_object_set(f->rest, arena_strndup(f->a, path.p, path.n), value);
	return 0;
}

static void row_take_chosen(struct row_flattening *f, const json_t *data)
{
	for (size_t i = 0; i < map_count(f->x->columns); i++) {
		const struct export_column *c = map_value(f->x->columns, i);

		f->cells[c->index] = record_path_value(f->a, c->path, data);
	}
}

static int export_add_csv(void *arg, const struct record_row *row, struct err *err)
{
	struct record_exporting *x = arg;
	struct csv_writer w = {.b = x->out, .is_raw = x->is_raw};
	size_t n = map_count(x->columns);
	struct row_flattening f = {.x = x,
	    .a = row->a,
	    .cells = arena_array(row->a, n + 1, sizeof(json_t *)),
	    .rest = json_own(row->a, json_object())};
	json_t *data = export_data(row, err);

	if (data == NULL)
		return err_prefix(err, "stored record");
	if (x->is_chosen)
		row_take_chosen(&f, data);
	else
		record_paths_each(
		    data, record_paths_buf(row->a, STR("")), false, row_place_cell, &f);
	record_csv_own(&w, row);
	for (size_t i = 0; i < n; i++)
		csv_write_json(&w, row->a, f.cells[i]);
	if (x->has_rest)
		csv_write_json(&w, row->a, json_object_size(f.rest) > 0 ? f.rest : NULL);
	csv_write_end(&w);
	return export_send_piece(x, PIECE, err);
}

/* ---- CSV: columns -------------------------------------------------------------------------- */

static void export_add_column(struct record_exporting *x, struct str path)
{
	const struct path *compiled;
	struct export_column *c;

	if (path.n == 0 || map_get(x->columns, path) != NULL ||
	    map_count(x->columns) >= COLUMNS_MAX ||
	    (compiled = path_compile(x->r->a, path, NULL)) == NULL)
		return; /* such a value is among the others */
	c = arena_zalloc(x->r->a, sizeof(*c));
	c->path = x->is_chosen ? compiled : NULL;
	c->index = map_count(x->columns);
	map_put(x->columns, path, c);
}

/* Within an array there are no columns: it is one cell. */
static struct str path_before_array(struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '\\')
			i++;
		else if (path.p[i] == '[')
			path.n = i;
	}
	return path;
}

static int export_note_column(void *arg, struct str path, json_t *value)
{
	(void)value;
	export_add_column(arg, path);
	return 0;
}

static int export_note_columns(void *arg, const struct record_row *row, struct err *err)
{
	json_t *data = export_data(row, err);

	if (data == NULL)
		return err_prefix(err, "stored record");
	return record_paths_each(
	    data, record_paths_buf(row->a, STR("")), false, export_note_column, arg);
}

/* The paths of the catalogue, the most filled first, and those of the first records, which may be
 * too young for it. */
static int export_add_known_columns(
    struct record_exporting *x, const struct record_filter *f, struct err *err)
{
	struct arena *a = arena_new();
	struct record_walk w;
	json_t *fields;
	int rc = record_fields(x->r->app, a, &f->account_id, f->resource_type, &fields, err);

	for (size_t i = 0; rc == 0 && i < json_array_size(fields); i++)
		export_add_column(
		    x, path_before_array(str_from(json_str(json_array_get(fields, i), "path"))));
	if (rc == 0 && (rc = record_walk_begin(&w, x->r->app, a, f, err)) == 0)
		rc = record_walk_page(&w, export_note_columns, x, err);
	arena_free(a);
	x->has_rest = true;
	return rc == -1 ? -1 : 0;
}

static void export_add_wanted_column(
    struct record_exporting *x, struct str path, const char *parameter)
{
	struct err err = ERR_INIT;

	path = utf8_trim(path);
	if (path.n == 0 || path_compile(x->r->a, path, &err) == NULL)
		req_invalid(x->r, parameter, "must be paths of fields%s%s",
		    parameter[3] == '\0' ? "" : ", between commas",
		    path.n == 0 ? "" : arena_printf(x->r->a, "; %s", err.msg));
	else
		export_add_column(x, path);
}

/* columns=email,address.city, or as the pages say it: col=email&col=address.city. False after
 * req_invalid. */
static bool export_add_wanted_columns(struct record_exporting *x)
{
	const struct http_pairs *query = &x->r->query;
	struct str list = req_query_text(x->r, "columns"), path;

	for (size_t i = 0; i < query->n; i++)
		x->is_chosen =
		    x->is_chosen || (str_is(query->v[i].name, "col") && query->v[i].value.n > 0);
	x->is_chosen = x->is_chosen || list.n > 0;
	while (!req_has_invalid(x->r) && str_split(&list, ',', &path))
		export_add_wanted_column(x, path, "columns");
	for (size_t i = 0; i < query->n && !req_has_invalid(x->r); i++)
		if (str_is(query->v[i].name, "col") && query->v[i].value.n > 0)
			export_add_wanted_column(x, query->v[i].value, "col");
	if (x->is_chosen && map_count(x->columns) > COLUMNS_WANTED)
		req_invalid(x->r, "columns", "may be at most %d", COLUMNS_WANTED);
	return !req_has_invalid(x->r);
}

static void export_add_header(struct record_exporting *x)
{
	struct csv_writer w = {.b = x->out, .is_raw = x->is_raw};

	record_csv_head(&w, x->r->a, x->columns);
	if (x->has_rest)
		csv_write_plain(&w, RECORD_CSV_OTHER);
	csv_write_end(&w);
}

/* ---- the answer ---------------------------------------------------------------------------- */

static int export_stream(struct record_exporting *x, struct record_walk *w, bool is_csv)
{
	struct req *r = x->r;
	struct err err = ERR_INIT;
	char day[CLOCK_TEXT];
	int more = 1;

	clock_day_text(day, clock_day(clock_now_us()));
	res_headerf(r, "Content-Disposition", "attachment; filename=\"records-%s.%s\"", day,
	    is_csv ? "csv" : "ndjson");
	if (res_stream_start(r, 200,
		is_csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson") ==
		-1 ||
	    r->method == HTTP_HEAD)
		return 0;
	if (is_csv)
		export_add_header(x);
	while (more == 1 && !x->is_gone)
		more = record_walk_page(w, is_csv ? export_add_csv : export_add_ndjson, x, &err);
	if (more == -1 || (!x->is_gone && export_send_piece(x, 0, &err) == -1))
		return res_error(r, &err);
	return 0;
}

int record_api_export(struct req *r)
{
	struct record_exporting x = {
	    .r = r, .out = buf_new(r->a, BUFFER_BYTES), .columns = map_new(r->a)};
	struct str format = req_query_text(r, "format");
	const bool is_csv = format.p == NULL || str_is(format, "csv") || str_is(format, "raw");
	struct record_filter f = {0};
	struct record_walk w;
	struct err err = ERR_INIT;

	filter_read(r, &list_of_records, &r->query, &f);
	if (!is_csv && !str_is(format, "ndjson"))
		req_invalid(r, "format", "must be csv, raw or ndjson");
	x.is_raw = str_is(format, "raw");
	if (!export_add_wanted_columns(&x))
		return res_invalid(r);
	if (is_csv && !x.is_chosen && export_add_known_columns(&x, &f, &err) == -1)
		return res_error(r, &err);
	if (record_walk_begin(&w, r->app, r->a, &f, &err) == -1)
		return res_error(r, &err);
	return export_stream(&x, &w, is_csv);
}
