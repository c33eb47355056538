/* Pages of the imports: form, progress and result, list. The preview is import-preview.c. */
#include <string.h>

#include "account/account.h"
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "import/import-page-parts.h"
#include "record/record-bulk.h"
#include "record/record-pages.h"

#define PAGE_ROWS 50
#define ERROR_ROWS 50

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
		json_array_append_new(
		    list, import_choice(usual[i], usual[i], str_is(now, usual[i])));
	json_object_each(counts, type, count) {
		bool is_usual = false;

		for (size_t i = 0; usual[i] != NULL; i++)
			is_usual = is_usual || strcmp(type, usual[i]) == 0;
		if (!is_usual)
			json_array_append_new(list, import_choice(type, type, str_is(now, type)));
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
	import_form_read_format(r, &f);
	data = json_object();
	types = form_types(r, json_object_get(summary, "byResourceType"));
	json_set(data, "types", types);
	if (type.n > 0 && !choices_have_current(types))
		json_set_strn(data, "other_type", type);
	json_set_strn(data, "sure_type", wrong->sure_type);
	json_set(data, "providers", provider_choices(r, "providerType", NULL));
	json_set_strn(data, "provider_type", req_form(r, "providerType"));
	json_set_strn(data, "csv", req_form(r, "csv"));
	json_set(data, "delimiters", import_choices_of_delimiter(f.delimiter));
	json_set(data, "encodings", import_choices_of_encoding(f.encoding));
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

static int form_answer_error(struct req *r, int status, const struct err *err)
{
	struct form_wrong wrong = {.field = strcmp(err->field, "csv") == 0 ? "csv" : NULL,
	    .text = import_error_sentence(r, err)};

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

	import_form_read_format(r, &o->format);
	o->has_own_providers = t->provider_type.n == 0;
	if (o->has_own_providers)
		t->provider_type = STR(PROVIDER_MANUAL);
	return import_adopt(r->app->db, r->a, &t->account_id, t->resource_type, source, o, err) ==
			   -1 ||
		       import_prepare(r->a, source, o, &map, err) == -1 ||
		       import_guess(r->app->db, r->a, source, t, o, err) == -1 ||
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
	if (kind->things != NULL)
		return arena_printf(r->a, "%s %s", verb, kind->things);
	return t->resource_type.n == 0 ? arena_printf(r->a, "%s records", verb)
				       : arena_printf(r->a, "%s %.*s records", verb,
					     (int)t->resource_type.n, t->resource_type.p);
}

/* A file that was read to its end, and gave nothing but error rows. */
static bool is_in_vain(struct req *r, const struct task *t)
{
	const struct task_kind *kind = task_kind(r->app, t->kind);

	return kind != NULL && kind->is_file && t->status == TASK_COMPLETED &&
	       t->counts.received > 0 && t->counts.failed == t->counts.received;
}

static json_t *task_row_json(struct req *r, const struct task *t)
{
	json_t *o = task_json(r->app, t);

	json_set_str(o, "heading", task_heading(r, t));
	json_set_bool(o, "is_import", is_import(t));
	json_set_bool(o, "is_one", t->counts.received == 1);
	json_set_bool(o, "is_in_vain", is_in_vain(r, t));
	json_set_bool(o, "is_delete", strcmp(t->kind, record_delete_task.name) == 0);
	return o;
}

int import_page_list(struct req *r)
{
	static const struct list imports_list = {"imports", task_filters, NULL};
	struct task_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	struct tasks tasks;
	json_t *data;

	if (!slice_read_page(r, &imports_list, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (task_list(r->app->db, r->a, &f, &s, &tasks, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < tasks.n; i++)
		json_array_append_new(s.rows, task_row_json(r, &tasks.v[i]));
	provider_label_rows(r->app, s.rows);
	data = json_object();
	chrome_slice(r, &s, data);
	json_set(data, "statuses", chrome_choices(r, "status", task_statuses));
	json_set_bool(data, "is_filtered", f.status.n > 0);
	json_set_bool(data, "can_import", (r->actor.permissions & PERMIT(RECORDS_WRITE)) != 0);
	return chrome_page(r, 200, "runs", "Imports and bulk work", "import/list", data);
}

/* ---- progress and result ------------------------------------------------------------------- */

/* The import that the address names, a draft apart: false after an answer. */
static bool import_load_shown(struct req *r, struct task *t)
{
	if (!task_of_request(r, IMPORT_WHAT, t))
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
		json_set(o, "text", import_cell_clipped(errors[i].text));
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
	else if (kind->failed_list != NULL && c->failed > 0)
		href = arena_printf(r->a, "%s%s", kind->failed_list, uuid_dup(r->a, t->id));
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
	json_set_bool(data, "is_one_created", t->counts.created == 1);
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
	chrome_refresh(r, is_running, t.created_us, data);
	return chrome_page(r, 200, "runs", json_str(json_object_get(data, "task"), "heading"),
	    "import/detail", data);
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
	    r, IMPORT_WHAT, NULL, arena_printf(r->a, "/admin/imports/%.*s", (int)id.n, id.p));
}
