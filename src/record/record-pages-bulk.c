/* What is done to records from their pages: to one, to those that are checked, or to all that the
 * list matches. What deletes asks once. */
#include <inttypes.h>
#include <string.h>

#include "account/account.h"
#include "base/clock.h"
#include "base/csv.h"
#include "base/limits.h"
#include "base/map.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "record/record-bulk.h"
#include "record/record-pages.h"
#include "record/record-paths.h"
#include "record/record-shape.h"

#define COUNT_BUDGET_US (2 * SECOND_US)
#define TITLES 10        /* named when it is asked */
#define DELETE_MANY 1000 /* records: of more the number is to be typed */
#define EXPORT_BYTES (64u * 1024u * 1024u)

/* ---- one record ---------------------------------------------------------------------------- */

static void flash_set_runs(struct req *r, int64_t matched, int64_t ran)
{
	if (matched == 0)
		chrome_flash(r, "note", "No flow is subscribed to this, so none ran.");
	else
		chrome_flash(r, "ok", "%" PRId64 " flow%s matched, %" PRId64 " ran.", matched,
		    plural_s(matched), ran);
}

int record_page_replay(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *out;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_replay(r->app, r->a, &r->actor.account_id, &id, NULL, &out, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record. It may have been deleted");
	if (found == -1)
		return res_error(r, &err);
	flash_set_runs(r, json_int(out, "matched"), json_int(out, "ran"));
	return res_redirect(r, arena_printf(r->a, RECORD_PAGE_ADDRESS "/%s", uuid_dup(r->a, id)));
}

int record_page_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *record, *data;
	const char *title;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record. It may have been deleted");
	if (found == -1)
		return res_error(r, &err);
	title = record_name(r->a, record);
	data = json_object();
	json_set_str(data, "heading", title);
	json_set(data, "record", json_incref(record));
	return chrome_page(r, 200, "records", "Delete a record", "record/delete", data);
}

int record_page_delete_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_delete(r, &id, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record. It may have been deleted");
	if (found == 1)
		chrome_flash(r, "ok", "The record is deleted.");
	else
		chrome_flash(r, "error", "The record could not be deleted. Try again.");
	return res_redirect(r, RECORD_PAGE_ADDRESS);
}

/* ---- those that are checked ---------------------------------------------------------------- */

struct records_picked {
	struct uuid *v;
	size_t n;
};

static struct records_picked picked_read(struct req *r)
{
	struct records_picked p = {arena_array(r->a, r->form.n + 1, sizeof(struct uuid)), 0};

	for (size_t i = 0; i < r->form.n && p.n < LIMIT_PAGE_ROWS; i++)
		if (str_is(r->form.v[i].name, "id") && uuid_parse(r->form.v[i].value, &p.v[p.n]))
			p.n++;
	return p;
}

static int picked_load(struct req *r, const struct records_picked *p, json_t **out, struct err *err)
{
	*out = json_own(r->a, json_array());
	for (size_t i = 0; i < p->n; i++) {
		json_t *record;
		int found =
		    record_get_json(r->app, r->a, &r->actor.account_id, &p->v[i], &record, err);

		if (found == -1)
			return -1;
		if (found == 1)
			json_array_append(*out, record);
	}
	return 0;
}

static int picked_delete(struct req *r, const struct records_picked *p, const char *back)
{
	int64_t deleted = 0, failed = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct err err = ERR_INIT;
		int found = record_delete(r, &p->v[i], &err);

		deleted += found == 1;
		failed += found == -1;
	}
	if (failed > 0)
		chrome_flash(r, "error", "%" PRId64 " deleted, %" PRId64 " could not be deleted.",
		    deleted, failed);
	else
		chrome_flash(r, "ok", "%" PRId64 " record%s deleted.", deleted, plural_s(deleted));
	return res_redirect(r, back);
}

static int picked_replay(struct req *r, const struct records_picked *p, const char *back)
{
	struct err err = ERR_INIT;
	int64_t matched = 0, ran = 0;

	for (size_t i = 0; i < p->n; i++) {
		json_t *out;
		int found =
		    record_replay(r->app, r->a, &r->actor.account_id, &p->v[i], NULL, &out, &err);

		if (found == -1)
			return res_error(r, &err);
		matched += found == 1 ? json_int(out, "matched") : 0;
		ran += found == 1 ? json_int(out, "ran") : 0;
	}
	flash_set_runs(r, matched, ran);
	return res_redirect(r, back);
}

/* ---- export of those that are checked ------------------------------------------------------ */

static int columns_see(void *arg, struct str path, json_t *value)
{
	map_put(arg, path, value);
	return 0;
}

static struct map *record_columns(struct arena *a, const json_t *record, struct map *into)
{
	record_paths_each(json_object_get(record, "data"), record_paths_buf(a, STR("")), false,
	    columns_see, into);
	return into;
}

/* Columns that were chosen have their path, others are found on the way. */
static void csv_add_record(struct arena *a, struct csv_writer *w, const json_t *record,
    struct map *columns, bool is_chosen)
{
	struct map *values = is_chosen ? NULL : record_columns(a, record, map_new(a));

	for (const char *const *name = record_csv_names; *name != NULL; name++)
		csv_write_json(w, a, json_object_get(record, *name));
	for (size_t i = 0; i < map_count(columns); i++)
		csv_write_json(w, a,
		    is_chosen ? record_path_value(
				    a, map_value(columns, i), json_object_get(record, "data"))
			      : map_get(values, map_key(columns, i)));
	csv_write_end(w);
}

static void csv_write_records(
    struct arena *a, struct buf *b, const json_t *rows, const json_t *chosen)
{
	struct csv_writer w = {.b = b};
	struct map *columns = map_new(a);

	for (size_t i = 0; i < json_array_size(chosen); i++) {
		struct str path = str_from(json_string_value(json_array_get(chosen, i)));

		map_put(columns, path, path_compile(a, path, NULL));
	}
	for (size_t i = 0; chosen == NULL && i < json_array_size(rows); i++)
		(void)record_columns(a, json_array_get(rows, i), columns);
	record_csv_head(&w, a, columns);
	csv_write_end(&w);
	for (size_t i = 0; i < json_array_size(rows); i++)
		csv_add_record(a, &w, json_array_get(rows, i), columns, chosen != NULL);
}

static int picked_export(
    struct req *r, const struct records_picked *p, const struct record_browse *from, bool is_csv)
{
	struct buf *b = buf_new(r->a, EXPORT_BYTES);
	struct err err = ERR_INIT;
	char day[CLOCK_TEXT];
	json_t *rows;

	if (picked_load(r, p, &rows, &err) == -1)
		return res_error(r, &err);
	if (is_csv)
		csv_write_records(r->a, b, rows, from->columns);
	for (size_t i = 0; !is_csv && i < json_array_size(rows); i++) {
		json_append(b, json_array_get(rows, i));
		buf_chr(b, '\n');
	}
	if (!buf_ok(b))
		return res_problem(r, 413, "These records are too large to be exported at once");
	clock_day_text(day, clock_day(clock_now_us()));
	res_headerf(r, "Content-Disposition", "attachment; filename=\"records-%s.%s\"", day,
	    is_csv ? "csv" : "ndjson");
	return res_text(r, 200,
	    is_csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson",
	    (struct str){b->p, b->len});
}

/* ---- all that match ------------------------------------------------------------------------ */

static bool filter_json_is_empty(const json_t *filter)
{
	return json_object_size(filter) == 0;
}

static int bulk_replay_all(struct req *r, const struct record_browse *b)
{
	struct record_replay_wish wish = {.filter = record_browse_filter_json(b)};
	struct err err = ERR_INIT;

	if (record_replay_all(r, &wish, &err) == 0)
		chrome_flash(r, "ok",
		    "The flows run again for all that match. How far it is is shown in Runs, "
		    "Imports and bulk work.");
	else
		chrome_flash(r, "error", "The flows could not be run again. Try later.");
	return res_redirect(r, record_browse_link(b));
}

/* Of very many the number was asked for; digits alone count. */
static bool bulk_is_typed(struct req *r)
{
	struct str typed = req_form(r, "typed");
	int64_t expected = 0, n = 0;

	(void)str_to_i64(req_form(r, "expected"), 0, INT64_MAX, &expected);
	for (size_t i = 0; i < typed.n && n <= expected; i++)
		if (typed.p[i] >= '0' && typed.p[i] <= '9')
			n = n * 10 + (typed.p[i] - '0');
	return expected <= DELETE_MANY || n == expected;
}

/* What came or changed since the question is none of those it was asked about. */
static int bulk_delete_all(struct req *r, const struct record_browse *b, int64_t asked_us)
{
	struct err err = ERR_INIT;
	int64_t n = 0;

	(void)str_to_i64(req_form(r, "expected"), 0, INT64_MAX, &n);
	if (record_delete_all(r, record_browse_filter_json(b), asked_us, n, &err) == -1)
		return res_error(r, &err);
	if (n > 0)
		chrome_flash(r, "ok",
		    "Deleting %" PRId64
		    " record%s. How far it is is shown in Runs, Imports and bulk work.",
		    n, plural_s(n));
	else
		chrome_flash(r, "ok",
		    "Deleting them. How far it is is shown in Runs, Imports and bulk work.");
	return res_redirect(r, record_browse_link(b));
}

/* ---- asking -------------------------------------------------------------------------------- */

static void ask_add_titles(struct req *r, json_t *data, const json_t *rows)
{
	json_t *titles = json_array(), *ids = json_array();

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		json_array_append_new(ids, json_string(json_str(row, "id")));
		if (i < TITLES)
			json_array_append_new(titles, json_string(record_name(r->a, row)));
	}
	json_set_int(data, "unnamed",
	    (int64_t)json_array_size(rows) - TITLES > 0 ? (int64_t)json_array_size(rows) - TITLES
							: 0);
	json_set(data, "titles", titles);
	json_set(data, "ids", ids);
}

static void ask_add_condition(json_t *list, const char *label, const char *value)
{
	json_t *o = json_object();

	json_set_str(o, "label", label);
	json_set_str(o, "value", value);
	json_set_bool(o, "is_type", strcmp(label, "Type") == 0);
	json_array_append_new(list, o);
}

/* A filter's value as pages call it. */
static const char *ask_word(const struct record_browse *b, const char *name, const char *value)
{
	if (strcmp(name, "providerType") == 0)
		return provider_label(b->r->app, value);
	if (strcmp(name, "leadConnectionId") == 0)
		return record_browse_connection_name(b, &b->f.lead_connection);
	if (strcmp(name, "connectionId") == 0)
		return record_browse_connection_name(b, &b->f.connection);
	if (strcmp(name, "copies") == 0)
		return word_label(record_copies, value);
	if (strcmp(name, "source") == 0)
		return record_source_label(NULL, value);
	return value;
}

/* What all that match have in common, so that nobody deletes by a filter he had forgotten. */
static void ask_add_conditions(json_t *data, const struct record_browse *b)
{
	static const char *const names[][2] = {{"resourceType", "Type"},
	    {"providerType", "Provider"}, {"connectionId", "Connection"}, {"source", "Source"},
	    {"search", "Search"}, {"leadStatus", "Delivery"}, {"leadConnectionId", "Leads from"},
	    {"copies", "Copies of leads"}, {"updatedAfter", "Updated since"},
	    {"updatedBefore", "Updated before"}};
	const json_t *filter = record_browse_filter_json(b);
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (json_str(filter, names[i][0]) != NULL)
			ask_add_condition(list, names[i][1],
			    ask_word(b, names[i][0], json_str(filter, names[i][0])));
	for (size_t i = 0; i < b->f.nwhere; i++) {
		const struct record_where *w = &b->f.where[i];
		struct str value = strcmp(w->op, RECORD_WHERE_EMPTY) == 0 ? STR("") : w->value;

		ask_add_condition(list, path_text(w->path),
		    strcmp(w->op, RECORD_WHERE_IS) == 0
			? arena_strndup(b->r->a, value.p, value.n)
			: arena_printf(
			      b->r->a, "%s %.*s", record_where_words(w), (int)value.n, value.p));
	}
	json_set(data, "conditions", list);
}

/* One page before anything is done, which says to how many. */
static int bulk_ask(struct req *r, const struct record_browse *b, const struct records_picked *p,
    const char *action, struct err *err)
{
	json_t *data = json_own(r->a, json_object()), *rows;
	bool is_all = p == NULL, is_exact = true, is_many;
	int64_t n, asked_us = clock_now_us();

	if (is_all) {
		if (record_bulk_count(r->app, r->a, &b->f, COUNT_BUDGET_US, &n, &is_exact, err) ==
		    -1)
			return res_error(r, err);
	} else {
		if (picked_load(r, p, &rows, err) == -1)
			return res_error(r, err);
		n = (int64_t)json_array_size(rows);
		ask_add_titles(r, data, rows);
	}
	if (n == 0 && is_exact) {
		chrome_flash(r, "error", "%s",
		    is_all ? "No record matches any more." : "These records are gone already.");
		return res_redirect(r, record_browse_link(b));
	}
	json_set_bool(data, "is_all", is_all);
	json_set_bool(
	    data, "is_everything", is_all && filter_json_is_empty(record_browse_filter_json(b)));
	json_set_bool(data, "is_delete", strcmp(action, "delete") == 0);
	json_set_bool(data, "is_exact", is_exact);
	is_many = is_all && n > DELETE_MANY && strcmp(action, "delete") == 0;
	json_set_bool(data, "is_many", is_many);
	if (is_many && req_form(r, "sure").n > 0)
		chrome_wrong(r, data, "typed", "That is not the number of records that go");
	json_set_bool(data, "is_one", n == 1);
	json_set_int(data, "count", n);
	json_set_int(data, "asked", asked_us);
	json_set_str(data, "action", action);
	json_set_str(data, "back_href", record_browse_link(b));
	json_set_str(data, "query", record_browse_query(b));
	if (is_all)
		json_set_str(data, "export_href", record_browse_export_link(b, "csv"));
	ask_add_conditions(data, b);
	return chrome_page(
	    r, 200, "records", "Please confirm", "record/confirm", json_incref(data));
}

static int bulk_act_on_all(
    struct req *r, struct record_browse *b, struct str action, bool is_sure, struct err *err)
{
	int64_t asked_us;

	if (str_is(action, "csv") || str_is(action, "ndjson"))
		return res_redirect(
		    r, record_browse_export_link(b, str_is(action, "csv") ? "csv" : "ndjson"));
	if (str_is(action, "replay") && filter_json_is_empty(record_browse_filter_json(b))) {
		chrome_flash(r, "error",
		    "Choose a type or another filter first: flows are not re-run for all records "
		    "at "
		    "once.");
		return res_redirect(r, record_browse_link(b));
	}
	if (str_is(action, "replay"))
		return is_sure ? bulk_replay_all(r, b) : bulk_ask(r, b, NULL, "replay", err);
	if (is_sure && bulk_is_typed(r) &&
	    str_to_i64(req_form(r, "asked"), 1, INT64_MAX, &asked_us))
		return bulk_delete_all(r, b, asked_us);
	return bulk_ask(r, b, NULL, "delete", err);
}

int record_page_bulk(struct req *r)
{
	struct str action = req_form(r, "action");
	bool is_sure = req_form(r, "sure").n > 0;
	struct record_browse b;
	struct records_picked picked;
	struct err err = ERR_INIT;

	if (!record_browse_of_form(r, &b) || record_browse_has_span(&b))
		return res_problem(r, 400,
		    "The list that this was sent from cannot be read. Open the records and choose "
		    "again");
	if (!str_is(action, "delete") && !str_is(action, "replay") && !str_is(action, "csv") &&
	    !str_is(action, "ndjson"))
		return res_problem(r, 400, "There is no such action");
	if (str_is(req_form(r, "scope"), "all"))
		return bulk_act_on_all(r, &b, action, is_sure, &err);
	picked = picked_read(r);
	if (picked.n == 0) {
		chrome_flash(
		    r, "error", "No record is checked. Check some, or choose all that match.");
		return res_redirect(r, record_browse_link(&b));
	}
	if (str_is(action, "replay"))
		return picked_replay(r, &picked, record_browse_link(&b));
	if (!str_is(action, "delete"))
		return picked_export(r, &picked, &b, str_is(action, "csv"));
	return is_sure ? picked_delete(r, &picked, record_browse_link(&b))
		       : bulk_ask(r, &b, &picked, "delete", &err);
}

int record_page_task_cancel(struct req *r)
{
	return task_answer_cancel_page(r, "such task. It may have been discarded",
	    "It is stopped. What was done stays done.", RECORD_PAGE_ADDRESS);
}
