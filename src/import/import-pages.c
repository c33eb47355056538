/* Pages of the imports: form, preview with mapping, progress and result, list. */
#include <unistd.h>

#include "account/account.h"
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "import/import-internal.h"
#include "record/record-bulk.h"
#include "record/record-pages.h"

#define PAGE_ROWS 50
#define PREVIEW_ROWS 5      /* the first, and the first that cannot be taken */
#define PREVIEW_CELLS 8     /* of a row */
#define PREVIEW_COLUMNS 200 /* that can be mapped by form; more go as they are */
#define PREVIEW_EXAMPLES 3
#define PREVIEW_EXAMPLED 20 /* rows that they are of */
#define PREVIEW_FOLDED 12   /* from so many columns on, those that go as they are are folded */
#define CELL_BYTES 80
#define LINE_LABEL "Record" /* of NDJSON, which has no columns */
#define ERROR_ROWS 50
#define REFRESH_S "10"
#define WHAT "such import. It may have been discarded"

static const char *import_address(struct req *r, const struct task *t)
{
	return arena_printf(r->a,
	    t->status == TASK_DRAFT ? "/admin/records/import/%s" : "/admin/imports/%s",
	    uuid_dup(r->a, t->id));
}

/* A cell cut at the end of a character. */
static json_t *cell_clipped(struct str s)
{
	if (s.n <= CELL_BYTES)
		return json_stringn(s.n > 0 ? s.p : "", s.n);
	s = utf8_cut(s, CELL_BYTES);
	return json_sprintf("%.*s…", (int)s.n, s.p);
}

static json_t *choice_json(const char *value, const char *label, bool is_current)
{
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_str(o, "label", label);
	json_set_bool(o, "is_current", is_current);
	return o;
}

static json_t *choices_of_delimiter(char now)
{
	json_t *list = json_array();

	json_array_append_new(list, choice_json("auto", "Detect", now == '\0'));
	json_array_append_new(list, choice_json("comma", "Comma", now == ','));
	json_array_append_new(list, choice_json("semicolon", "Semicolon", now == ';'));
	json_array_append_new(list, choice_json("tab", "Tab", now == '\t'));
	json_array_append_new(list, choice_json("pipe", "Vertical bar", now == '|'));
	return list;
}

static json_t *choices_of_encoding(enum csv_encoding now)
{
	json_t *list = json_array();

	json_array_append_new(list, choice_json("auto", "Detect", now == CSV_ANY_ENCODING));
	json_array_append_new(list, choice_json("utf-8", "UTF-8", now == CSV_UTF8));
	json_array_append_new(
	    list, choice_json("windows-1252", "Windows-1252", now == CSV_WINDOWS_1252));
	json_array_append_new(list, choice_json("utf-16le", "UTF-16", now == CSV_UTF16_LE));
	json_array_append_new(
	    list, choice_json("utf-16be", "UTF-16, big-endian", now == CSV_UTF16_BE));
	return list;
}

static const char *encoding_label(enum csv_encoding encoding)
{
	return encoding == CSV_WINDOWS_1252                           ? "Windows-1252"
	       : encoding == CSV_UTF16_LE || encoding == CSV_UTF16_BE ? "UTF-16"
								      : "UTF-8";
}

static json_t *choices_of_blank(bool is_cleared)
{
	json_t *list = json_array();

	json_array_append_new(
	    list, choice_json(import_blank_name(false), "Keep what the record has", !is_cleared));
	json_array_append_new(list, choice_json(import_blank_name(true), "Clear it", is_cleared));
	return list;
}

static void form_read_format(struct req *r, struct csv_format *f)
{
	*f = (struct csv_format){0};
	csv_delimiter_parse(req_form(r, "delimiter"), &f->delimiter);
	csv_encoding_parse(req_form(r, "encoding"), &f->encoding);
}

/* ---- the form ------------------------------------------------------------------------------ */

/* The type that the form names: one of the list, or another that is written. */
static struct str form_type(struct req *r)
{
	struct str type = utf8_trim(req_form(r, "resourceType"));

	return type.n > 0 ? type : utf8_trim(req_form(r, "otherType"));
}

/* What records may be of: those that most files are of, then what else the account has. */
static json_t *form_types(struct req *r, const json_t *counts)
{
	static const char *const usual[] = {
	    "contact", "company", "deal", "lead", "order", "product", NULL};
	json_t *list = json_array(), *count;
	struct str now = form_type(r);
	const char *type;

	for (size_t i = 0; usual[i] != NULL; i++)
		json_array_append_new(list, choice_json(usual[i], usual[i], str_is(now, usual[i])));
	json_object_each(counts, type, count) {
		bool is_usual = false;

		for (size_t i = 0; usual[i] != NULL; i++)
			is_usual = is_usual || strcmp(type, usual[i]) == 0;
		if (!is_usual)
			json_array_append_new(list, choice_json(type, type, str_is(now, type)));
	}
	return list;
}

static bool choices_have_current(const json_t *choices)
{
	json_t *o;
	size_t i;

	json_array_each(choices, i, o)
		if (json_is_true(json_object_get(o, "is_current")))
			return true;
	return false;
}

/* What is wrong with what was sent, as chrome_wrong takes it. */
struct form_wrong {
	const char *field, *text; /* text NULL: nothing */
	struct str sure_type;     /* that is right if it is sent again */
};

static int import_form_page(struct req *r, int status, const struct form_wrong *wrong)
{
	struct csv_format f;
	struct err err = ERR_INIT;
	json_t *data, *summary, *types;
	struct str type = form_type(r);

	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, &err) == -1)
		return res_error(r, &err);
	form_read_format(r, &f);
	data = json_object();
	types = form_types(r, json_object_get(summary, "byResourceType"));
	json_set(data, "types", types);
	if (type.n > 0 && !choices_have_current(types))
		json_set_strn(data, "other_type", type);
	json_set_strn(data, "sure_type", wrong->sure_type);
	json_set(data, "providers", provider_choices(r, "providerType", NULL));
	json_set_strn(data, "provider_type", req_form(r, "providerType"));
	json_set_strn(data, "csv", req_form(r, "csv"));
	json_set(data, "delimiters", choices_of_delimiter(f.delimiter));
	json_set(data, "encodings", choices_of_encoding(f.encoding));
	if (wrong->text != NULL)
		chrome_wrong(r, data, wrong->field, wrong->text);
	return chrome_page(r, status, "records", "Import records", "import/form", data);
}

int import_page_new(struct req *r)
{
	return import_form_page(r, 200, &(struct form_wrong){0});
}

/* What the user did not give right, and where. */
static struct form_wrong form_check(const struct task *t, const struct csv_source *source)
{
	struct form_wrong wrong = {0};

	if (t->provider_type.n > 0 && !record_type_is_valid(t->provider_type))
		wrong = (struct form_wrong){.field = "providerType",
		    .text = "The provider must be letters, digits, dots, dashes or underscores"};
	else if (!record_type_is_valid(t->resource_type))
		wrong = (struct form_wrong){.field = "otherType",
		    .text = "The record type must be letters, digits, dots, dashes or underscores,"
			    " for example contact"};
	else if (source->size == 0)
		wrong =
		    (struct form_wrong){.field = "csv", .text = "Choose a file or paste some rows"};
	return wrong;
}

/* Is it the known type with an ending of many: contacts, companies, boxes? */
static bool type_is_plural_of(struct str type, struct str known)
{
	struct str stem = known;

	if (known.n > 1 && (known.p[known.n - 1] == 'y' || known.p[known.n - 1] == 'Y'))
		stem.n--;
	if (type.n <= stem.n || !str_ieq((struct str){type.p, stem.n}, stem))
		return false;
	type = (struct str){type.p + stem.n, type.n - stem.n};
	return stem.n < known.n ? str_ieq(type, STR("ies"))
				: str_ieq(type, STR("s")) || str_ieq(type, STR("es"));
}

/* The type that the form names: a known one whatever the case; *wrong where it looks like the
 * plural of one, and nobody has said that it is another. */
static int form_read_type(struct req *r, struct str *out, struct form_wrong *wrong, struct err *err)
{
	json_t *summary, *count;
	const char *type;

	*out = form_type(r);
	*wrong = (struct form_wrong){0};
	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, err) == -1)
		return -1;
	json_object_each(json_object_get(summary, "byResourceType"), type, count)
		if (str_is(*out, type))
			return 0;
	json_object_each(json_object_get(summary, "byResourceType"), type, count) {
		if (str_ieq(*out, str_from(type)))
			*out = str_from(type);
		else if (type_is_plural_of(*out, str_from(type)) &&
			 !str_eq(*out, req_form(r, "sureType")))
			*wrong = (struct form_wrong){"otherType",
			    arena_printf(r->a,
				"There are records of type %s already. Choose that, or press"
				" Preview again to make %.*s a type of its own",
				type, (int)out->n, out->p),
			    *out};
	}
	return 0;
}

/* Without a full stop. */
static const char *error_sentence(struct req *r, const struct err *err)
{
	if (err->code == ERR_INTERNAL || err->code == ERR_UNAVAILABLE)
		return "The file cannot be read at the moment";
	if (strcmp(err->field, "csv") == 0)
		return arena_printf(r->a, "The file %s", err->msg);
	if (strcmp(err->field, "mapping") == 0)
		return arena_printf(r->a, "The mapping %s", err->msg);
	if (strcmp(err->field, "keyColumns") == 0)
		return arena_printf(r->a, "The key columns %s", err->msg);
	return arena_strdup(r->a, err->msg);
}

static int form_answer_error(struct req *r, int status, const struct err *err)
{
	struct form_wrong wrong = {
	    .field = strcmp(err->field, "csv") == 0 ? "csv" : NULL, .text = error_sentence(r, err)};

	return import_form_page(r, status, &wrong);
}

struct import_draft {
	struct req *r;
	struct task *task;
};

static int import_draft_body(struct db *db, void *arg, struct err *err)
{
	const struct import_draft *d = arg;

	if (task_insert(db, d->task, err) == -1)
		return -1;
	return import_check_quota(d->r->app, db, d->r->a, &d->task->account_id, err);
}

/* The draft's options, as far as the file tells them. */
static int upload_look(struct req *r, struct task *t, const struct csv_source *source,
    struct import_options *o, struct err *err)
{
	struct import_map *map;

	form_read_format(r, &o->format);
	o->has_own_providers = t->provider_type.n == 0;
	if (o->has_own_providers)
		t->provider_type = STR("manual");
	return import_adopt(r->app->db, r->a, &t->account_id, t->resource_type, source, o, err) ==
			   -1 ||
		       import_prepare(r->a, source, o, &map, err) == -1 ||
		       import_guess(r->a, source, t->resource_type, o, err) == -1 ||
		       import_provider(r->a, source, o, &t->provider_type, err) == -1
		   ? -1
		   : 0;
}

int import_page_upload(struct req *r)
{
	struct csv_source source;
	struct import_options o = {0};
	struct err err = ERR_INIT;
	struct task t = {.id = uuid_new(),
	    .account_id = r->actor.account_id,
	    .created_by = r->actor.user_id,
	    .kind = import_task.name,
	    .status = TASK_DRAFT,
	    .provider_type = utf8_trim(req_form(r, "providerType")),
	    .created_us = clock_now_us()};
	struct form_wrong plural, wrong;

	import_request_source(r, &source, &t.title);
	if (form_read_type(r, &t.resource_type, &plural, &err) == -1)
		return res_error(r, &err);
	wrong = form_check(&t, &source);
	if (wrong.text == NULL)
		wrong = plural;
	if (wrong.text != NULL)
		return import_form_page(r, 422, &wrong);
	if (upload_look(r, &t, &source, &o, &err) == -1)
		return form_answer_error(r, 422, &err);
	t.args = import_options_text(r->a, &o);
	t.total = (int64_t)source.size;
	if (import_keep_file(r->app, r->a, &t.id, &source, &err) == -1)
		return res_error(r, &err);
	if (db_transaction(r->app->db, import_draft_body, &(struct import_draft){r, &t}, &err) ==
	    -1) {
		if (import_drop_refused(r->app, r->a, &t.id, &err))
			return form_answer_error(r, 409, &err);
		return res_error(r, &err);
	}
	return res_redirect(r, import_address(r, &t));
}

/* ---- the preview --------------------------------------------------------------------------- */

struct import_preview {
	struct req *r;
	struct task task;
	struct csv_source source;
	struct import_options o;             /* of the draft */
	struct import_map *plain;            /* the same */
	size_t n;                            /* columns */
	size_t shown[PREVIEW_CELLS], nshown; /* whose cells are shown of the first rows */
};

static int draft_open(struct import_preview *p, struct err *err)
{
	struct req *r = p->r;
	const struct task *t = &p->task;

	p->source = (struct csv_source){
	    .path = import_file_path(r->app, r->a, &t->id), .size = (uint64_t)t->total};
	if (import_options_parse(r->a, t->args, &p->o, err) == -1 ||
	    import_prepare(r->a, &p->source, &p->o, &p->plain, err) == -1)
		return -1;
	p->n = import_map_columns(p->plain);
	for (size_t i = 0; i < p->n && p->nshown < PREVIEW_CELLS; i++)
		if (!import_map_is_idle(p->plain, i))
			p->shown[p->nshown++] = i;
	return 0;
}

/* The draft that the address names: false after an answer. */
static bool draft_load(struct req *r, struct import_preview *p)
{
	struct err err = ERR_INIT;

	*p = (struct import_preview){.r = r};
	if (!task_of_request(r, WHAT, &p->task))
		return false;
	if (p->task.status != TASK_DRAFT) {
		res_redirect(r, import_address(r, &p->task));
		return false;
	}
	if (draft_open(p, &err) == 0)
		return true;
	res_error(r, &err);
	return false;
}

static struct str form_field(struct req *r, const char *name, size_t i)
{
	return req_form(r, arena_printf(r->a, "%s_%zu", name, i));
}

/* As a browser sends back the value of a field of one line. */
static struct str text_of_field(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			out[n++] = s.p[i];
	return utf8_trim((struct str){out, n});
}

/* What the form has of a column: NULL where that is what the column has anyway. */
static json_t *form_wish(struct import_preview *p, size_t i)
{
	struct str type = form_field(p->r, "type", i), to = form_field(p->r, "to", i);
	const char *there = import_map_to(p->plain, i);
	json_t *wish;

	if (type.n == 0)
		return NULL;
	if (str_is(type, "skip"))
		return json_null();
	if (str_is(type, import_map_type(p->plain, i)) && there != NULL &&
	    str_eq(text_of_field(p->r->a, to), text_of_field(p->r->a, str_from(there))))
		return NULL;
	wish = json_object();
	json_set_strn(wish, "type", type);
	json_set_strn(wish, "to", utf8_trim(to));
	return wish;
}

/* One of the columns is chosen, or several are ticked. */
static bool form_has_key(struct import_preview *p, size_t i)
{
	return form_field(p->r, "key", i).n > 0 ||
	       str_is(req_form(p->r, "key"), arena_printf(p->r->a, "%zu", i));
}

/* The mapping as the form has it, into o. */
static void form_read_mapping(struct import_preview *p, struct import_options *o)
{
	json_t *mapping = json_own(p->r->a, json_object());
	json_t *keys = json_own(p->r->a, json_array());

	json_object_update(mapping, JSON_ITER(o->mapping));
	for (size_t i = 0; i < p->n && i < PREVIEW_COLUMNS; i++) {
		struct str name = import_map_name(p->plain, i);
		json_t *wish = form_wish(p, i);

		if (form_has_key(p, i))
			json_array_append_new(keys, json_stringn(name.p, name.n));
		if (wish != NULL)
			json_set(mapping, name.p, wish);
	}
	o->mapping = mapping;
	o->key_columns = keys;
	import_blank_parse(req_form(p->r, "blank"), &o->is_blank_cleared);
}

static json_t *choices_of_type(struct str now)
{
	static const char *const types[] = {"text", "number", "boolean", "date", "json", "skip"};
	static const char *const labels[] = {
	    "Text", "Number", "Yes or no", "Date", "JSON", "Leave out"};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		json_array_append_new(list, choice_json(types[i], labels[i],
						str_is(now, types[i]) || (now.n == 0 && i == 0)));
	return list;
}

/* Does a field's name say no more than the column's? */
static bool column_keeps_name(const struct import_preview *p, size_t i, struct str to)
{
	const char *there = import_map_to(p->plain, i);

	return there != NULL && str_is(to, there) && str_eq(to, import_map_name(p->plain, i));
}

static json_t *column_json(struct import_preview *p, size_t i, bool is_posted)
{
	const char *there = import_map_to(p->plain, i);
	struct str to = str_from(there), type = str_from(import_map_type(p->plain, i));
	json_t *o = json_object();

	if (is_posted && form_field(p->r, "to", i).p != NULL)
		to = form_field(p->r, "to", i);
	if (is_posted)
		type = form_field(p->r, "type", i);
	else if (there == NULL)
		type = STR("skip");
	json_set_int(o, "index", (json_int_t)i);
	json_set_strn(o, "header", import_map_name(p->plain, i));
	json_set_bool(o, "is_unnamed", import_map_is_unnamed(p->plain, i));
	json_set_strn(o, "to", to);
	json_set(o, "types", choices_of_type(type));
	json_set_bool(o, "is_key", is_posted ? form_has_key(p, i) : import_map_is_key(p->plain, i));
	json_set_bool(o, "is_plain",
	    !import_map_is_unnamed(p->plain, i) && !json_is_true(json_object_get(o, "is_key")) &&
		(type.n == 0 || str_is(type, "text")) && column_keeps_name(p, i, to));
	json_set(o, "examples", json_array());
	return o;
}

static json_t *preview_columns_json(struct import_preview *p, bool is_posted)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n && i < PREVIEW_COLUMNS; i++)
		if (!import_map_is_ours(p->plain, i))
			json_array_append_new(list, column_json(p, i, is_posted));
	return list;
}

static void columns_add_examples(json_t *columns, const struct csv_row *row)
{
	json_t *column;
	size_t k;

	json_array_each(columns, k, column) {
		json_t *examples = json_object_get(column, "examples");
		size_t i = (size_t)json_int(column, "index");

		if (i < row->n && row->cells[i].n > 0 &&
		    json_array_size(examples) < PREVIEW_EXAMPLES)
			json_array_append_new(examples, cell_clipped(row->cells[i]));
	}
}

static void cells_add(json_t *cells, struct str label, struct str value)
{
	json_t *cell = json_object();

	json_set_strn(cell, "label", label);
	json_set(cell, "value", cell_clipped(value));
	json_array_append_new(cells, cell);
}

static json_t *preview_row_json(
    const struct import_preview *p, const struct csv_row *row, const char *problem)
{
	json_t *o = json_object(), *cells = json_array();

	json_set_int(o, "line", row->line);
	json_set_str(o, "problem", problem);
	for (size_t k = 0; k < p->nshown && p->shown[k] < row->n; k++)
		cells_add(cells, import_map_name(p->plain, p->shown[k]), row->cells[p->shown[k]]);
	if (p->n == 0)
		cells_add(cells, STR(LINE_LABEL), row->text);
	json_set(o, "cells", cells);
	return o;
}

/* The first rows and the first that cannot be taken, with what map says against them; and what the
 * import would do with as many as are looked at. */
static int preview_add_rows(struct import_preview *p, json_t *data, json_t *columns,
    struct import_map *map, struct err *err)
{
	struct import_outlook *outlook = arena_zalloc(p->r->a, sizeof(*outlook));
	struct import_map *ignored;
	struct csv_reader *rd;
	struct arena *a = arena_new();
	json_t *rows = json_array();
	struct csv_row row;
	int rc = import_open(p->r->a, &p->source, &p->o, &rd, &ignored, &row, err) == -1 ? -1 : 1;

	json_set(data, "rows", rows);
	import_outlook_begin(outlook, p->r->a);
	while (
	    rc == 1 && outlook->rows < OUTLOOK_ROWS && (rc = csv_reader_next(rd, &row, err)) == 1) {
		struct import_row read;

		arena_reset(a);
		import_map_row(map, a, &row, &read);
		import_outlook_see(outlook, &read);
		if (outlook->rows <= PREVIEW_EXAMPLED)
			columns_add_examples(columns, &row);
		if (outlook->rows <= PREVIEW_ROWS ||
		    (read.problem != NULL && outlook->skipped <= PREVIEW_ROWS))
			json_array_append_new(rows, preview_row_json(p, &row, read.problem));
	}
	arena_free(a);
	if (rc == -1 || import_outlook_end(outlook, p->r->app->db, &p->task, err) == -1)
		return -1;
	import_outlook_show(outlook, data);
	json_set_bool(data, "has_rows", outlook->rows > 0);
	json_set_int(data, "blank_cells", outlook->blanks);
	json_set_int(data, "counted_rows", outlook->rows);
	json_set_bool(data, "is_all_counted", rc == 0);
	return 0;
}

static void preview_add_format(
    struct import_preview *p, json_t *data, const struct import_map *map, bool is_cleared)
{
	json_set(data, "delimiters", choices_of_delimiter(p->o.format.delimiter));
	json_set(data, "encodings", choices_of_encoding(p->o.format.encoding));
	json_set_str(data, "encoding", encoding_label(p->o.format.encoding));
	json_set_str(data, "why", p->o.why);
	json_set(data, "blank_choices", choices_of_blank(is_cleared));
	json_set_bool(data, "is_export", import_map_is_export(map));
	json_set_bool(data, "has_own_providers", p->o.has_own_providers);
	json_set_bool(data, "is_errors", p->o.is_errors);
}

/* The columns, of many those that go as they are apart; and how the key is chosen. */
static void preview_add_columns(
    struct import_preview *p, json_t *data, json_t *columns, const struct import_map *map)
{
	bool is_folded = json_array_size(columns) > PREVIEW_FOLDED, has_types = false;
	struct str key = str_from(import_map_key(p->r->a, map));
	json_t *plain = json_array(), *column;
	size_t nkeys = 0;

	for (size_t i = 0; i < p->n; i++) {
		nkeys += import_map_is_key(map, i);
		has_types = has_types || !str_is(str_from(import_map_type(p->plain, i)), "text");
	}
	for (size_t i = json_array_size(columns); is_folded && i-- > 0;) {
		column = json_array_get(columns, i);
		if (!json_is_true(json_object_get(column, "is_plain")) ||
		    str_is(key, json_str(column, "header")))
			continue;
		json_array_insert(plain, 0, column);
		json_array_remove(columns, i);
	}
	json_set(data, "columns", columns);
	json_set(data, "plain_columns", plain);
	json_set_int(data, "plain_count", (json_int_t)json_array_size(plain));
	json_set_bool(data, "has_types", has_types);
	json_set_bool(data, "is_several",
	    nkeys > 1 || str_is(req_query(p->r, "keys"), "several") ||
		str_is(req_form(p->r, "keys"), "several"));
}

/* map and is_cleared: as posted where that is any good. */
static int preview_page(struct import_preview *p, int status, struct import_map *map,
    bool is_cleared, bool is_posted, const char *error)
{
	struct req *r = p->r;
	json_t *data = json_object(), *columns = preview_columns_json(p, is_posted),
	       *heads = json_array();
	struct err err = ERR_INIT;

	if (preview_add_rows(p, data, columns, map, &err) == -1) {
		json_decref(data);
		json_decref(columns);
		json_decref(heads);
		return res_error(r, &err);
	}
	preview_add_columns(p, data, columns, map);
	for (size_t k = 0; k < p->nshown; k++)
		json_array_append_new(heads, cell_clipped(import_map_name(p->plain, p->shown[k])));
	if (p->n == 0)
		json_array_append_new(heads, json_string(LINE_LABEL));
	json_set(data, "heads", heads);
	json_set_int(data, "more_columns", (json_int_t)(p->n - p->nshown));
	json_set_int(data, "unmapped_columns",
	    p->n > PREVIEW_COLUMNS ? (json_int_t)(p->n - PREVIEW_COLUMNS) : 0);
	json_set_int(data, "column_count", (json_int_t)p->n);
	json_set_str(data, "wrong", error);
	json_set_str(data, "key", import_map_key(r->a, map));
	json_set_bool(data, "has_id", import_map_has_id(map));
	json_set(data, "import", import_json(r->app, &p->task));
	json_set_str(data, "provider_name",
	    provider_label(r->app, json_str(json_object_get(data, "import"), "providerType")));
	preview_add_format(p, data, map, is_cleared);
	return chrome_page(r, status, "records", "Import records", "import/preview", data);
}

int import_page_preview(struct req *r)
{
	struct import_preview p;

	return draft_load(r, &p) ? preview_page(&p, 200, p.plain, p.o.is_blank_cleared, false, NULL)
				 : 0;
}

static int draft_discard(struct import_preview *p)
{
	struct err err = ERR_INIT;

	if (task_delete(p->r->app->db, &p->task.account_id, &p->task.id, &err) == -1)
		return res_error(p->r, &err);
	unlink(p->source.path);
	return res_redirect(p->r, "/admin/records/import");
}

/* With another delimiter or encoding. */
static int draft_read_again(struct import_preview *p)
{
	struct import_options o = p->o;
	struct import_map *map;
	struct err err = ERR_INIT;

	form_read_format(p->r, &o.format);
	o.is_detected = false;
	o.why = NULL;
	import_blank_parse(req_form(p->r, "blank"), &o.is_blank_cleared);
	o.key_columns = NULL; /* the columns are others now */
	if (!o.is_errors)
		o.mapping = NULL;
	if (import_prepare(p->r->a, &p->source, &o, &map, &err) == -1 ||
	    import_guess(p->r->a, &p->source, p->task.resource_type, &o, &err) == -1)
		return preview_page(
		    p, 422, p->plain, o.is_blank_cleared, true, error_sentence(p->r, &err));
	p->task.args = import_options_text(p->r->a, &o);
	if (task_draft_update(p->r->app->db, &p->task, &err) == -1)
		return res_error(p->r, &err);
	return res_redirect(p->r, import_address(p->r, &p->task));
}

static int draft_run_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct import_preview *p = arg;
	struct task now;
	int found = task_load(db, p->r->a, &p->task.account_id, &p->task.id, true, &now, err);

	/* The button may be pressed twice. */
	if (found != 1 || now.status != TASK_DRAFT)
		return found == -1 ? -1 : 1;
	now.args = p->task.args;
	if (task_draft_queue(db, &import_task, &now, err) == -1)
		return -1;
	audit_fact(log, "import.create", "task", &now.id, NULL);
	return 0;
}

int import_page_run(struct req *r)
{
	struct import_preview p;
	struct import_options o;
	struct import_map *map;
	struct err err = ERR_INIT;
	struct str action = req_form(r, "action");

	if (!draft_load(r, &p))
		return 0;
	if (str_is(action, "discard"))
		return draft_discard(&p);
	if (str_is(action, "again"))
		return draft_read_again(&p);
	o = p.o;
	form_read_mapping(&p, &o);
	if (import_prepare(r->a, &p.source, &o, &map, &err) == -1)
		return preview_page(
		    &p, 422, p.plain, o.is_blank_cleared, true, error_sentence(r, &err));
	if (str_is(action, "check"))
		return preview_page(&p, 200, map, o.is_blank_cleared, true, NULL);
	p.task.args = import_options_text(r->a, &o);
	if (audit_change(r->app, r, &p.task.account_id, draft_run_body, &p, &err) == -1)
		return res_error(r, &err);
	return res_redirect(r, arena_printf(r->a, "/admin/imports/%s", uuid_dup(r->a, p.task.id)));
}

/* ---- list ---------------------------------------------------------------------------------- */

static bool is_import(const struct task *t)
{
	return strcmp(t->kind, import_task.name) == 0;
}

/* "Deleting order records" while it goes on, "Deleted order records" when it is done; a file's
 * name.
 */
static const char *task_heading(struct req *r, const struct task *t)
{
	const struct task_kind *kind = task_kind(r->app, t->kind);
	const char *verb;

	if (t->title.n > 0)
		return arena_strndup(r->a, t->title.p, t->title.n);
	if (kind == NULL || kind->doing == NULL)
		return kind == NULL ? t->kind : kind->untitled;
	verb = t->status == TASK_COMPLETED ? kind->did : kind->doing;
	return t->resource_type.n == 0 ? arena_printf(r->a, "%s records", verb)
				       : arena_printf(r->a, "%s %.*s records", verb,
					     (int)t->resource_type.n, t->resource_type.p);
}

static json_t *task_row_json(struct req *r, const struct task *t)
{
	json_t *o = task_json(r->app, t);

	json_set_str(o, "heading", task_heading(r, t));
	json_set_bool(o, "is_import", is_import(t));
	json_set_bool(o, "is_one", t->counts.received == 1);
	json_set_bool(o, "is_delete", strcmp(t->kind, record_delete_task.name) == 0);
	return o;
}

int import_page_list(struct req *r)
{
	static const struct list imports_list = {"imports", filter_none, NULL};
	struct uuid account_id;
	struct slice s;
	struct err err = ERR_INIT;
	struct tasks tasks;
	json_t *data;

	if (!slice_read_page(r, &imports_list, &account_id, PAGE_ROWS, &s))
		return res_redirect(r, "/admin/imports");
	if (task_list(r->app->db, r->a, &account_id, &s, &tasks, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < tasks.n; i++)
		json_array_append_new(s.rows, task_row_json(r, &tasks.v[i]));
	provider_label_rows(r->app, s.rows);
	data = json_object();
	chrome_slice(r, &s, data);
	json_set_bool(data, "can_import", (r->actor.permissions & PERMIT(RECORDS_WRITE)) != 0);
	return chrome_page(r, 200, "records", "Imports and deletions", "import/list", data);
}

/* ---- progress and result ------------------------------------------------------------------- */

/* The import that the address names, a draft apart: false after an answer. */
static bool import_load_shown(struct req *r, struct task *t)
{
	if (!task_of_request(r, WHAT, t))
		return false;
	if (t->status == TASK_DRAFT)
		res_redirect(r, import_address(r, t));
	return t->status != TASK_DRAFT;
}

static int import_add_errors(struct req *r, const struct task *t, json_t *data, struct err *err)
{
	static const struct uuid nil;
	struct import_error *errors;
	json_t *list = json_array();
	size_t n;

	json_set(data, "errors", list);
	if (import_errors_page(r->app->db, r->a, t, -1, &nil, ERROR_ROWS, &errors, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_int(o, "line", errors[i].line);
		json_set_strn(o, "reason", errors[i].reason);
		json_set(o, "text", cell_clipped(errors[i].text));
		json_array_append_new(list, o);
	}
	json_set_int(data, "more_errors", t->counts.failed - (int64_t)n);
	return 0;
}

/* The count of what failed leads to it where that is kept. */
static void figures_add(
    json_t *figures, const struct task_word *word, int64_t value, bool is_bad, const char *href)
{
	json_t *o;

	if (word->label == NULL)
		return;
	o = json_object();
	json_set_str(o, "label", word->label);
	json_set_str(o, "unit", word->unit);
	json_set_int(o, "value", value);
	json_set_bool(o, "is_bad", is_bad);
	json_set_str(o, "href", href);
	json_array_append_new(figures, o);
}

/* The counts as the kind calls them. */
static json_t *task_figures(struct req *r, const struct task *t)
{
	const struct task_kind *kind = task_kind(r->app, t->kind);
	const struct task_counts *c = &t->counts;
	json_t *figures = json_array();
	const char *href = NULL;

	if (kind == NULL)
		return figures;
	if (is_import(t) && c->failed > 0)
		href = arena_printf(r->a, "%s/errors", import_address(r, t));
	figures_add(figures, &kind->received, c->received, false, NULL);
	figures_add(figures, &kind->created, c->created, false, NULL);
	figures_add(figures, &kind->updated, c->updated, false, NULL);
	figures_add(figures, &kind->unchanged, c->unchanged, false, NULL);
	figures_add(figures, &kind->failed, c->failed, c->failed > 0, href);
	return figures;
}

static void import_add_blank(struct arena *a, json_t *o, const struct task *t)
{
	struct import_options options;

	json_set_int(o, "blankCells", import_blanks(a, t));
	if (import_options_parse(a, t->args, &options, NULL) == 0)
		json_set_bool(o, "is_blank_cleared", options.is_blank_cleared);
}

static json_t *import_task_data(struct req *r, const struct task *t)
{
	json_t *o = task_row_json(r, t);

	json_set_str(o, "providerName", provider_label(r->app, json_str(o, "providerType")));
	if (is_import(t))
		import_add_blank(r->a, o, t);
	json_set(o, "figures", task_figures(r, t));
	return o;
}

/* The list of what it stored: what it alone wrote, in its time. Where all of that was new, it can
 * be deleted again as a whole. */
static void import_add_records(struct req *r, const struct task *t, json_t *data)
{
	int64_t from_us = t->started_us != 0 ? t->started_us : t->created_us;
	const char *query;

	if (!is_import(t) || t->finished_us == 0 || t->counts.created + t->counts.updated == 0)
		return;
	query = arena_printf(r->a,
	    "resourceType=%.*s&source=" RECORD_SOURCE_IMPORT "&updatedAfter=%s&updatedBefore=%s",
	    (int)t->resource_type.n, t->resource_type.p, clock_iso_dup(r->a, from_us),
	    clock_iso_dup(r->a, t->finished_us + 1000));
	json_set_str(data, "records_query", query);
	json_set_str(data, "records_href", arena_printf(r->a, "/admin/records?%s", query));
	json_set_bool(data, "can_delete",
	    t->counts.created > 0 && t->counts.updated == 0 &&
		(r->actor.permissions & PERMIT(RECORDS_WRITE)) != 0);
	json_set_int(data, "created_count", t->counts.created);
}

int import_page_detail(struct req *r)
{
	struct err err = ERR_INIT;
	struct task t;
	json_t *data;
	bool is_running;

	if (!import_load_shown(r, &t))
		return 0;
	is_running = task_is_open(&t);
	data = json_object();
	if (import_add_errors(r, &t, data, &err) == -1) {
		json_decref(data);
		return res_error(r, &err);
	}
	json_set(data, "task", import_task_data(r, &t));
	import_add_records(r, &t, data);
	json_set_bool(data, "is_running", is_running);
	json_set_bool(data, "is_cancelled", t.status == TASK_CANCELLED);
	json_set_bool(
	    data, "can_cancel", is_running && (r->actor.permissions & PERMIT(RECORDS_WRITE)) != 0);
	json_set_int(data, "percent", t.total > 0 ? t.done * 100 / t.total : 100);
	if (t.started_us != 0 && t.finished_us != 0)
		json_set_int(data, "took", t.finished_us - t.started_us);
	json_set_bool(data, "is_live", is_running && !str_is(req_query(r, "live"), "0"));
	if (json_is_true(json_object_get(data, "is_live")))
		res_header(r, "Refresh", REFRESH_S);
	return chrome_page(r, 200, "records", "Import", "import/detail", data);
}

int import_page_errors(struct req *r)
{
	struct task t;

	return import_load_shown(r, &t) ? import_stream_errors(r, &t) : 0;
}

int import_page_cancel(struct req *r)
{
	struct str id = req_param(r, "id");

	return task_answer_cancel_page(
	    r, WHAT, NULL, arena_printf(r->a, "/admin/imports/%.*s", (int)id.n, id.p));
}
