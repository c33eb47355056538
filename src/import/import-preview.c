/* The preview of an import: what the file is, what each column becomes, and what the import would
 * do with it. */
#include <string.h>
#include <unistd.h>

#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "import/import-internal.h"
#include "import/import-page-parts.h"
#include "record/record-pages.h"

#define PREVIEW_ROWS 5      /* the first, and the first that cannot be taken */
#define PREVIEW_CELLS 8     /* of a row */
#define PREVIEW_COLUMNS 200 /* that can be mapped by form; more go as they are */
#define PREVIEW_EXAMPLES 3
#define PREVIEW_EXAMPLED 20 /* rows that they are of */
#define PREVIEW_FOLDED 12   /* from so many columns on, those that go as they are are folded */
#define LINE_LABEL "Record" /* of NDJSON, which has no columns */

static const char *encoding_label(enum csv_encoding encoding)
{
	return encoding == CSV_WINDOWS_1252                           ? "Windows-1252"
	       : encoding == CSV_UTF16_LE || encoding == CSV_UTF16_BE ? "UTF-16"
								      : "UTF-8";
}

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
	if (!task_of_request(r, IMPORT_WHAT, &p->task))
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

static bool keys_have(const json_t *keys, struct str name)
{
	json_t *key;
	size_t i;

	json_array_each(keys, i, key)
		if (str_is(name, json_string_value(key)))
			return true;
	return false;
}

/* Those that are still chosen first, as they were: ids are made of them in their order. */
static json_t *form_keys(struct import_preview *p, const struct import_options *o)
{
	json_t *chosen = json_own(p->r->a, json_array()), *keys = json_own(p->r->a, json_array());
	json_t *key;
	size_t k;

	for (size_t i = 0; i < p->n && i < PREVIEW_COLUMNS; i++)
		if (form_has_key(p, i))
			json_array_append_new(chosen, json_stringn(import_map_name(p->plain, i).p,
							  import_map_name(p->plain, i).n));
	json_array_each(o->key_columns, k, key)
		if (keys_have(chosen, str_from(json_string_value(key))))
			json_array_append(keys, key);
	json_array_each(chosen, k, key)
		if (!keys_have(keys, str_from(json_string_value(key))))
			json_array_append(keys, key);
	return keys;
}

/* The mapping as the form has it, into o. */
static void form_read_mapping(struct import_preview *p, struct import_options *o)
{
	json_t *mapping = json_own(p->r->a, json_object());

	json_object_update(mapping, JSON_ITER(o->mapping));
	for (size_t i = 0; i < p->n && i < PREVIEW_COLUMNS; i++) {
		struct str name = import_map_name(p->plain, i);
		json_t *wish = form_wish(p, i);

		if (wish != NULL)
			json_set(mapping, name.p, wish);
	}
	o->mapping = mapping;
	o->key_columns = form_keys(p, o);
	import_blank_parse(req_form(p->r, "blank"), &o->is_blank_cleared);
}

static json_t *choices_of_type(struct str now)
{
	static const char *const types[] = {
	    "text", "number", "number_comma", "boolean", "date", "date_day_first", "json", "skip"};
	static const char *const labels[] = {"Text", "Number", "Number, 1.200,50", "Yes or no",
	    "Date", "Date, 31.12.2026", "JSON", "Leave out"};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		json_array_append_new(list, import_choice(types[i], labels[i],
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
	json_set_strn(o, "type", type);
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
			json_array_append_new(examples, import_cell_clipped(row->cells[i]));
	}
}

/* "1 November 2026" */
static const char *day_words(struct arena *a, int64_t at_us)
{
	static const char *const months[] = {"January", "February", "March", "April", "May", "June",
	    "July", "August", "September", "October", "November", "December"};
	struct civil c;

	clock_civil(at_us, &c);
	return arena_printf(a, "%d %s %d", c.day, months[c.month - 1], c.year);
}

/* "10,50 is 10.50": what a type that was chosen by the cells makes of one. */
static const char *column_reading(struct arena *a, const json_t *column)
{
	struct str type = str_from(json_str(column, "type"));
	bool is_date = str_is(type, import_type_names[TYPE_DATE_DAY_FIRST]);
	struct buf *b = buf_new(a, LIMIT_RECORD_BYTES);
	json_t *example;
	size_t i;

	if (!is_date && !str_is(type, import_type_names[TYPE_NUMBER_COMMA]))
		return NULL;
	json_array_each(json_object_get(column, "examples"), i, example) {
		struct str cell = str_from(json_string_value(example)), value;
		int64_t at_us;

		buf_reset(b);
		if (!import_cell_write(
			b, a, is_date ? TYPE_DATE_DAY_FIRST : TYPE_NUMBER_COMMA, cell))
			continue;
		value = (struct str){b->p, b->len};
		if (is_date && clock_parse_iso((struct str){value.p + 1, value.n - 2}, &at_us))
			return arena_printf(a, "%s is %s", cell.p, day_words(a, at_us));
		return arena_printf(a, "%s is %s", cell.p, b->p);
	}
	return NULL;
}

/* "2 of 20 are no date: line 4 …": of a column of texts that is nearly one of a type. */
static const char *column_hint(struct arena *a, const json_t *column, const struct import_hint *h)
{
	bool is_date = h->type == TYPE_DATE || h->type == TYPE_DATE_DAY_FIRST,
	     is_one = h->misfits == 1;
	const char *label = "";
	json_t *choice;
	size_t i;

	if (h->type == TYPE_TEXT || !str_is(str_from(json_str(column, "type")), "text") ||
	    json_is_true(json_object_get(column, "is_key")))
		return NULL;
	json_array_each(json_object_get(column, "types"), i, choice)
		if (str_is(str_from(json_str(choice, "value")), import_type_names[h->type]))
			label = json_str(choice, "label");
	return arena_printf(a,
	    "%zu of %zu %s no %s: %s%s. So all are kept as text. With \"%s\" %s skipped, and "
	    "listed "
	    "to be corrected.",
	    h->misfits, h->cells, is_one ? "is" : "are", is_date ? "date" : "number", h->examples,
	    h->misfits > 2 ? ", …" : "", label, is_one ? "that row is" : "those rows are");
}

/* What is to be said beside the columns of their types. */
static int columns_add_types(struct import_preview *p, json_t *columns, struct err *err)
{
	struct import_hint *hints;
	size_t n = p->n < PREVIEW_COLUMNS ? p->n : PREVIEW_COLUMNS, k;
	json_t *column;

	if (import_hints(p->r->a, &p->source, &p->o, n, &hints, err) == -1)
		return -1;
	json_array_each(columns, k, column) {
		const char *hint = column_hint(p->r->a, column, &hints[json_int(column, "index")]);

		json_set_str(column, "hint", hint);
		json_set_str(column, "reading", column_reading(p->r->a, column));
		if (hint != NULL)
			json_set_bool(column, "is_plain", false); /* not folded away */
	}
	return 0;
}

static void cells_add(json_t *cells, struct str label, struct str value)
{
	json_t *cell = json_object();

	json_set_strn(cell, "label", label);
	json_set(cell, "value", import_cell_clipped(value));
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
	import_outlook_begin(outlook, p->r->a, p->r->app->db, &p->task);
	while (
	    rc == 1 && outlook->rows < OUTLOOK_ROWS && (rc = csv_reader_next(rd, &row, err)) == 1) {
		struct import_row read;

		arena_reset(a);
		import_map_row(map, a, &row, &read);
		if (import_outlook_see(outlook, &read, err) == -1) {
			rc = -1;
			break;
		}
		if (outlook->rows <= PREVIEW_EXAMPLED)
			columns_add_examples(columns, &row);
		if (outlook->rows <= PREVIEW_ROWS ||
		    (read.problem != NULL && outlook->skipped <= PREVIEW_ROWS))
			json_array_append_new(rows, preview_row_json(p, &row, read.problem));
	}
	arena_free(a);
	if (import_outlook_end(outlook, rc == -1 ? NULL : err) == -1 || rc == -1 ||
	    columns_add_types(p, columns, err) == -1)
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
	json_set(data, "delimiters", import_choices_of_delimiter(p->o.format.delimiter));
	json_set(data, "encodings", import_choices_of_encoding(p->o.format.encoding));
	json_set_str(data, "encoding", encoding_label(p->o.format.encoding));
	json_set_str(data, "why", p->o.why);
	json_set(data, "blank_choices", import_choices_of_blank(is_cleared));
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

/* The import whose columns and key were taken over, and whether the key still is that. */
static json_t *preview_remembered(const struct import_preview *p, const struct import_map *map)
{
	const char *was = import_map_key(p->r->a, p->plain);
	json_t *o;

	if (p->o.remembered == NULL)
		return NULL;
	o = json_object();
	json_set_str(o, "id", p->o.remembered);
	json_set_str(o, "key", was);
	json_set_bool(o, "is_keyless", was[0] == '\0');
	json_set_bool(o, "is_same", strcmp(was, import_map_key(p->r->a, map)) == 0);
	return o;
}

/* The columns of a map's key, as a form sends them back; never empty. */
static const char *preview_shown(const struct import_preview *p, const struct import_map *map)
{
	struct buf *b = buf_new(p->r->a, 8 * CSV_COLUMNS);

	buf_str(b, "keys");
	for (size_t i = 0; i < p->n && !import_map_has_id(map); i++)
		if (import_map_is_key(map, i))
			buf_printf(b, " %zu", i);
	return b->p;
}

/* Were the figures that somebody saw made with another key? Who sends no form has seen none. */
static bool form_has_another_key(const struct import_preview *p, const struct import_map *map)
{
	struct str shown = req_form(p->r, "shown");

	return shown.n > 0 && !str_is(shown, preview_shown(p, map));
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
		json_array_append_new(
		    heads, import_cell_clipped(import_map_name(p->plain, p->shown[k])));
	if (p->n == 0)
		json_array_append_new(heads, json_string(LINE_LABEL));
	json_set(data, "heads", heads);
	json_set_int(data, "more_columns", (json_int_t)(p->n - p->nshown));
	json_set_int(data, "unmapped_columns",
	    p->n > PREVIEW_COLUMNS ? (json_int_t)(p->n - PREVIEW_COLUMNS) : 0);
	json_set_int(data, "column_count", (json_int_t)p->n);
	json_set_str(data, "wrong", error);
	json_set_str(data, "shown", preview_shown(p, map));
	json_set_bool(data, "is_another_key",
	    error == NULL && is_posted && str_is(req_form(r, "action"), "run"));
	json_set_str(data, "key", import_map_key(r->a, map));
	json_set_bool(data, "has_id", import_map_has_id(map));
	json_set(data, "remembered", preview_remembered(p, map));
	json_set(data, "import", import_json(r->app, &p->task));
	if (!str_is(p->task.provider_type, PROVIDER_MANUAL)) /* else they are nobody's */
		json_set_str(data, "provider_name",
		    provider_label(r->app,
			arena_strndup(r->a, p->task.provider_type.p, p->task.provider_type.n)));
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

	import_form_read_format(p->r, &o.format);
	o.is_detected = false;
	o.why = NULL;
	import_blank_parse(req_form(p->r, "blank"), &o.is_blank_cleared);
	o.key_columns = NULL; /* the columns are others now */
	if (!o.is_errors)
		o.mapping = NULL;
	if (import_prepare(p->r->a, &p->source, &o, &map, &err) == -1 ||
	    import_guess(p->r->app->db, p->r->a, &p->source, &p->task, &o, &err) == -1)
		return preview_page(
		    p, 422, p->plain, o.is_blank_cleared, true, import_error_sentence(p->r, &err));
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
		    &p, 422, p.plain, o.is_blank_cleared, true, import_error_sentence(r, &err));
	if (str_is(action, "check") || form_has_another_key(&p, map))
		return preview_page(&p, 200, map, o.is_blank_cleared, true, NULL);
	p.task.args = import_options_text(r->a, &o);
	if (audit_change(r->app, r, &p.task.account_id, draft_run_body, &p, &err) == -1)
		return res_error(r, &err);
	return res_redirect(r, arena_printf(r->a, "/admin/imports/%s", uuid_dup(r->a, p.task.id)));
}
