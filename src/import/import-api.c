/* JSON handlers of the imports. */
#include <inttypes.h>

#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection.h"
#include "http/form.h"
#include "import/import.h"

#define ERROR_PAGE 200

/* ---- what is asked ------------------------------------------------------------------------- */

struct import_request {
	struct str provider_type, resource_type, file_name;
	struct csv_source source;
	struct import_options options;
};

static void request_check_types(struct req *r, struct import_request *q)
{
	static const char rule[] = "must be 1 to %u letters, digits, dots, dashes or underscores";

	q->options.has_own_providers = q->provider_type.n == 0;
	if (q->provider_type.n == 0)
		q->provider_type = STR(PROVIDER_MANUAL);
	if (!record_type_is_valid(q->provider_type))
		req_invalid(r, "providerType", rule, LIMIT_TYPE_BYTES);
	if (q->resource_type.n == 0)
		req_invalid(r, "resourceType", "is needed");
	else if (!record_type_is_valid(q->resource_type))
		req_invalid(r, "resourceType", rule, LIMIT_TYPE_BYTES);
}

static void request_check_format(
    struct req *r, struct import_request *q, struct str delimiter, struct str encoding)
{
	if (delimiter.n > 0 && !csv_delimiter_parse(delimiter, &q->options.format.delimiter))
		req_invalid(r, "delimiter", "must be a comma, a semicolon, a tab or a pipe");
	if (encoding.n > 0 && !csv_encoding_parse(encoding, &q->options.format.encoding))
		req_invalid(r, "encoding", "must be utf-8, windows-1252, utf-16le or utf-16be");
}

static void request_check_blank(struct req *r, struct import_request *q, struct str blank)
{
	q->options.has_blank = blank.n > 0;
	if (blank.n > 0 && !import_blank_parse(blank, &q->options.is_blank_cleared))
		req_invalid(r, "blank", "must be keep or clear");
}

struct import_body {
	struct str provider_type, resource_type, file_name, delimiter, encoding, blank, csv;
	json_t *mapping, *key_columns;
};

/* The body's text in "csv" is taken by import_request_source. 0, or -1 after a 400. */
static int request_read_json(struct req *r, struct import_request *q)
{
	static const struct json_member members[] = {
	    {"providerType", READ_TEXT, JSON_INTO(struct import_body, provider_type),
		.need = READ_NULLABLE},
	    {"resourceType", READ_TEXT, JSON_INTO(struct import_body, resource_type),
		.need = READ_NULLABLE},
	    {"fileName", READ_TEXT, JSON_INTO(struct import_body, file_name), .need = READ_NULLABLE,
		.max = LIMIT_NAME_BYTES},
	    {"csv", READ_TEXT, JSON_INTO(struct import_body, csv), .need = READ_NEEDED},
	    {"mapping", READ_ANY, JSON_INTO(struct import_body, mapping), .need = READ_NULLABLE},
	    {"keyColumns", READ_ANY, JSON_INTO(struct import_body, key_columns),
		.need = READ_NULLABLE},
	    {"delimiter", READ_TEXT, JSON_INTO(struct import_body, delimiter),
		.need = READ_NULLABLE},
	    {"encoding", READ_TEXT, JSON_INTO(struct import_body, encoding), .need = READ_NULLABLE},
	    {"blank", READ_TEXT, JSON_INTO(struct import_body, blank), .need = READ_NULLABLE}};
	struct import_body body = {.mapping = NULL};

	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return -1;
	q->provider_type = body.provider_type;
	q->resource_type = body.resource_type;
	q->file_name = body.file_name;
	q->options.mapping = body.mapping;
	q->options.key_columns = body.key_columns;
	request_check_format(r, q, body.delimiter, body.encoding);
	request_check_blank(r, q, body.blank);
	return 0;
}

/* A parameter of a multipart form or of the address. */
static struct str request_parameter(struct req *r, const char *name)
{
	struct str s = req_form(r, name);

	return s.n > 0 ? s : req_query_text(r, name);
}

/* A JSON array, or names with commas between. */
static json_t *key_columns_parse(struct req *r, struct str text)
{
	struct str name;
	json_t *list;

	if (text.n == 0)
		return NULL;
	if (text.p[0] == '[') {
		list = json_parse(r->a, text, NULL);
		if (list == NULL)
			req_invalid(r, "keyColumns", "is not JSON");
		return list;
	}
	list = json_own(r->a, json_array());
	while (str_split(&text, ',', &name)) {
		name = utf8_trim(name);
		if (name.n > 0)
			json_array_append_new(list, json_stringn(name.p, name.n));
	}
	return list;
}

static bool is_csv_type(struct str type)
{
	static const char *const types[] = {"text/csv", "application/csv", "text/plain",
	    "text/tab-separated-values", "application/vnd.ms-excel", "application/octet-stream",
	    "application/x-ndjson", "application/ndjson", "application/jsonl",
	    "multipart/form-data"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_ieq(type, str_from(types[i])))
			return true;
	return false;
}

static void request_read_parameters(struct req *r, struct import_request *q, struct str charset)
{
	struct str mapping = request_parameter(r, "mapping"),
		   encoding = request_parameter(r, "encoding");
	enum csv_encoding known = CSV_ANY_ENCODING;

	q->provider_type = request_parameter(r, "providerType");
	q->resource_type = request_parameter(r, "resourceType");
	if (mapping.n > 0) {
		q->options.mapping = json_parse(r->a, mapping, NULL);
		if (q->options.mapping == NULL)
			req_invalid(r, "mapping", "is not JSON");
	}
	q->options.key_columns = key_columns_parse(r, request_parameter(r, "keyColumns"));
	/* many say UTF-8 of anything: the bytes know better */
	if (encoding.n == 0 && csv_encoding_parse(charset, &known) && known != CSV_UTF8)
		encoding = charset;
	request_check_format(r, q, request_parameter(r, "delimiter"), encoding);
	request_check_blank(r, q, request_parameter(r, "blank"));
}

bool import_request_source(struct req *r, struct csv_source *out, struct str *file_name)
{
	const json_t *csv = json_object_get(r->json, "csv");
	const struct http_file *f = r->nfiles > 0 ? &r->files[0] : NULL;
	struct str text = req_form(r, "csv");

	*file_name = STR("");
	for (size_t i = 0; i < r->nfiles; i++)
		if (str_is(r->files[i].field, "file"))
			f = &r->files[i];
	if (json_is_string(csv))
		text = (struct str){json_string_value(csv), json_string_length(csv)};
	*out = (struct csv_source){.data = text, .size = text.n};
	if (f != NULL && (f->size > 0 || text.n == 0)) {
		*out = (struct csv_source){.path = f->path, .data = f->data, .size = f->size};
		*file_name = f->filename;
	}
	return f != NULL || json_is_string(csv) || text.n > 0;
}

/* False after a 400; what the fields lack is noted by req_invalid. */
static bool import_read_request(struct req *r, struct import_request *q)
{
	struct str charset = media_charset(r->content_type), type = media_type(r->content_type),
		   name;

	*q = (struct import_request){.file_name = {"", 0}};
	if (r->json != NULL) {
		if (request_read_json(r, q) == -1)
			return false;
	} else {
		request_read_parameters(r, q, charset);
	}
	request_check_types(r, q);
	if (!import_request_source(r, &q->source, &name) && !req_has_invalid(r) &&
	    (type.n == 0 || !is_csv_type(type) || str_ieq(type, STR("multipart/form-data"))))
		req_invalid(r, "file", "is needed");
	if (q->file_name.n == 0)
		q->file_name = name;
	return true;
}

/* ---- POST /records/import ------------------------------------------------------------------ */

static struct task import_task_new(struct req *r, const struct import_request *q)
{
	return (struct task){.id = uuid_new(),
	    .account_id = r->actor.account_id,
	    .created_by = r->actor.user_id,
	    .kind = import_task.name,
	    .status = TASK_QUEUED,
	    .title = q->file_name,
	    .provider_type = q->provider_type,
	    .resource_type = q->resource_type,
	    .args = import_options_text(r->a, &q->options),
	    .total = (int64_t)q->source.size,
	    .created_us = clock_now_us()};
}

/* What became of blank cells, where there were any. */
static void import_json_add_blank(json_t *o, const struct task *t)
{
	struct arena *a = arena_new();
	struct import_options options;
	int64_t blanks = import_blanks(a, t);

	if (blanks > 0 && import_options_parse(a, t->args, &options, NULL) == 0) {
		json_set_str(o, "blank", import_blank_name(options.is_blank_cleared));
		json_set_int(o, "blankCells", blanks);
	}
	arena_free(a);
}

static int import_answer_now(struct req *r, const struct import_request *q, struct task *t)
{
	struct import_error *errors;
	json_t *o, *list = json_own(r->a, json_array());
	struct err err = ERR_INIT;
	size_t n;

	t->started_us = t->created_us;
	if (import_run_now(r, t, &q->source, &q->options, &errors, &n, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < n; i++) {
		json_t *e = json_object();

		json_set_int(e, "line", errors[i].line);
		json_set_strn(e, "message", errors[i].reason);
		json_array_append_new(list, e);
	}
	o = json_object();
	json_set_str(o, "importId", uuid_dup(r->a, t->id));
	json_set_str(o, "status", task_status_name(t->status));
	json_set_int(o, "received", t->counts.received);
	json_set_int(o, "created", t->counts.created);
	json_set_int(o, "updated", t->counts.updated);
	json_set_int(o, "unchanged", t->counts.unchanged);
	json_set_int(o, "failed", t->counts.failed);
	import_json_add_blank(o, t);
	json_set(o, "errors", json_incref(list));
	return res_json(r, 200, o);
}

struct import_queueing {
	struct req *r;
	struct task *task;
};

static int import_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct import_queueing *q = arg;
	struct task *t = q->task;

	if (task_queue(db, &import_task, t, NULL, err) == -1 ||
	    import_check_quota(q->r->app, db, q->r->a, &t->account_id, err) == -1)
		return -1;
	audit_fact(log, "import.create", "task", &t->id, NULL);
	return 0;
}

/* A file whose commit may have happened stays: the purge knows whether it is needed. */
static int import_answer_later(struct req *r, const struct import_request *q, struct task *t)
{
	struct import_queueing queueing = {r, t};
	struct err err = ERR_INIT;
	json_t *o;

	if (import_keep_file(r->app, r->a, &t->id, &q->source, &err) == -1)
		return res_error(r, &err);
	if (audit_change(r->app, r, &t->account_id, import_queue_body, &queueing, &err) == -1) {
		import_drop_refused(r->app, r->a, &t->id, &err);
		return res_error(r, &err);
	}
	o = json_object();
	json_set_str(o, "importId", uuid_dup(r->a, t->id));
	json_set_str(o, "status", task_status_name(t->status));
	res_headerf(r, "Location", "/connect/v1/imports/%s", uuid_dup(r->a, t->id));
	return res_json(r, 202, o);
}

int import_api_create(struct req *r)
{
	struct import_request q;
	struct task t;
	struct import_map *map;
	struct err err = ERR_INIT;
	struct str type = media_type(r->content_type);
	int64_t count;

	if (r->json == NULL && type.n > 0 && !str_ieq(type, STR("application/json")) &&
	    !is_csv_type(type))
		return res_problem(r, 415,
		    "The body must be text/csv, application/x-ndjson, multipart/form-data or JSON");
	if (!import_read_request(r, &q))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	if (import_adopt(r->app->db, r->a, &r->actor.account_id, q.resource_type, &q.source,
		&q.options, &err) == -1 ||
	    import_prepare(r->a, &q.source, &q.options, &map, &err) == -1 ||
	    import_provider(r->a, &q.source, &q.options, &q.provider_type, &err) == -1 ||
	    import_count(&q.source, &q.options.format, IMPORT_DIRECT_ROWS, &count, &err) == -1)
		return res_error(r, &err);
	t = import_task_new(r, &q);
	return count <= IMPORT_DIRECT_ROWS ? import_answer_now(r, &q, &t)
					   : import_answer_later(r, &q, &t);
}

/* ---- /imports ------------------------------------------------------------------------------ */

/* Of other kinds it shows what it can, and they had done no bytes. */
json_t *import_json(const struct app *app, const struct task *t)
{
	json_t *o = task_json(app, t);
	const struct task_kind *kind = task_kind(app, t->kind);
	bool is_file = kind != NULL && kind->is_file;

	if (strcmp(t->kind, import_task.name) == 0) {
		json_set_str(o, "kind", "records");
		import_json_add_blank(o, t);
	}
	json_set_strn(o, "fileName", is_file ? t->title : STR(""));
	json_set_int(o, "bytesDone", is_file ? t->done : 0);
	json_set_int(o, "bytesTotal", t->total);
	json_object_del(o, "title");
	if (is_file) {
		json_object_del(o, "done");
		json_object_del(o, "total");
	}
	return o;
}

int import_api_list(struct req *r)
{
	return task_answer_list(r, "imports", import_json);
}

/* The import that the address names: false after a 404 or an error. */
static bool import_of_request(struct req *r, struct task *t)
{
	if (!task_of_request(r, "such import", t))
		return false;
	if (t->status == TASK_DRAFT)
		res_problem(r, 404, "There is no such import");
	return t->status != TASK_DRAFT;
}

int import_api_get(struct req *r)
{
	struct task t;

	return import_of_request(r, &t) ? res_json(r, 200, import_json(r->app, &t)) : 0;
}

int import_api_cancel(struct req *r)
{
	struct err err = ERR_INIT;
	struct task t;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = task_cancel(r, &id, &t, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such import");
	return res_json(r, 200, import_json(r->app, &t));
}

/* ---- error rows ---------------------------------------------------------------------------- */

static void errors_add_headers(struct csv_writer *w, const struct import_options *o)
{
	json_t *name;
	size_t i;

	csv_write_plain(w, IMPORT_ERRORS_LINE);
	csv_write_plain(w, IMPORT_ERRORS_REASON);
	json_array_each(o->headers, i, name)
		csv_write_text(w, str_from(json_string_value(name)));
	csv_write_end(w);
}

/* The cells of a row's text. */
static int errors_read_row(
    struct arena *a, struct str text, struct csv_format f, char quote, struct csv_row *row)
{
	struct csv_source source = {.data = text, .size = text.n};

	f.start = f.line = 0;
	f.encoding = CSV_UTF8; /* as error rows are stored */
	f.is_lenient = false;
	f.quote = quote;
	return csv_reader_next(csv_reader_new(a, &source, &f, NULL), row, NULL) == 1 &&
	       row->problem == NULL;
}

/* The row's cells, so that it can be mended and imported: where its quotes are the fault they stand
 * as characters. What was cut off a long row's text is left out, the cell that the cut goes through
 * too. */
static void errors_add_row(struct arena *a, struct csv_writer *w, const struct import_error *e,
    const struct csv_format *format)
{
	bool is_cut = e->text.n + 4 > CSV_TEXT_BYTES;
	struct csv_row row;
	size_t n;

	csv_write_plain(w, arena_printf(a, "%" PRId64, e->line));
	csv_write_text(w, e->reason);
	if (!errors_read_row(a, e->text, *format, format->quote, &row) &&
	    !errors_read_row(a, e->text, *format, '\x1F', &row))
		row = (struct csv_row){.cells = &e->text, .n = e->text.n > 0};
	n = row.n < CSV_COLUMNS ? row.n : CSV_COLUMNS;
	for (size_t i = 0; i + is_cut < n; i++)
		csv_write_text(w, row.cells[i]);
	csv_write_end(w);
}

static int errors_stream_page(struct req *r, struct arena *a, const struct task *t,
    const struct csv_format *format, struct import_error *last, size_t *n, struct err *err)
{
	struct csv_writer w = {.b = buf_new(a, LIMIT_PAGE_BYTES)};
	struct import_error *errors;

	if (import_errors_page(
		r->app->db, a, t, last->line, &last->id, ERROR_PAGE, &errors, n, err) == -1)
		return -1;
	for (size_t i = 0; i < *n; i++)
		errors_add_row(a, &w, &errors[i], format);
	if (*n > 0)
		*last = errors[*n - 1];
	return *n == 0 ? 0 : res_stream_write(r, (struct str){w.b->p, w.b->len});
}

int import_stream_errors(struct req *r, const struct task *t)
{
	struct csv_writer head = {.b = buf_new(r->a, 2 * IMPORT_HEADER_BYTES + 1024)};
	struct import_error last = {.line = -1};
	struct import_options o;
	struct err err = ERR_INIT;
	size_t n;
	const struct task_kind *kind = task_kind(r->app, t->kind);
	int rc;

	if (kind == NULL || !kind->is_file)
		return res_problem(r, 404, "There is no such import");
	if (import_options_parse(r->a, t->args, &o, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Content-Disposition", "attachment; filename=\"import-errors-%s.csv\"",
	    uuid_dup(r->a, t->id));
	errors_add_headers(&head, &o);
	if (res_stream_start(r, 200, "text/csv; charset=utf-8") == -1 ||
	    res_stream_write(r, (struct str){head.b->p, head.b->len}) == -1)
		return -1;
	do {
		struct arena *a = arena_new();

		rc = errors_stream_page(r, a, t, &o.format, &last, &n, &err);
		arena_free(a);
	} while (rc == 0 && n == ERROR_PAGE);
	return rc;
}

int import_api_errors(struct req *r)
{
	struct task t;

	return import_of_request(r, &t) ? import_stream_errors(r, &t) : 0;
}
