/* Pages of runs: all of them, and those of a flow. Data of "flow/runs" and "flow/flow-runs", which
 * share "flow/run-list": rows (runs as the API has them, with execution_add_words), statuses,
 * flows, triggers, repeats (choices), search, from, to, filter_count, is_filtered, can_write,
 * address, query, tasks (open tasks that run things again), problem. */
#include "flow/execution-pages.h"
#include "account/permission.h"
#include "base/arena.h"
#include "connection/connection-pages.h"
#include "flow/execution-repeat.h"
#include "flow/flow-pages.h"
#include "html/chrome.h"
#include "record/record-titles.h"

#define PAGE_ROWS 50
#define AGAIN_AT_ONCE 200 /* ticked ones; more are a task's */

bool execution_page_may_write(const struct req *r)
{
	return (r->actor.permissions & PERMIT(FLOWS_WRITE)) != 0;
}

/* ---- words ----------------------------------------------------------------------------------- */

static json_t *run_link(struct arena *a, const char *text, const char *id)
{
	json_t *o = json_object();

	json_set_str(o, "text", text);
	json_set_str(o, "href", id == NULL ? NULL : arena_printf(a, RUNS_ADDRESS "/%s", id));
	json_set_str(o, "note", NULL);
	return o;
}

/* What a run came of: its record by name; else the run that it belongs to; else how it was begun.
 */
static json_t *origin_json(struct req *r, const json_t *row, const json_t *titles)
{
	const char *record_id = json_str(row, "recordId"), *kind = json_str(row, "trigger");
	const char *how = word_label(trigger_kinds, kind);
	const json_t *record = record_id == NULL ? NULL : json_object_get(titles, record_id);
	json_t *o;

	if (json_str(row, "parentId") != NULL)
		return run_link(r->a, how, json_str(row, "parentId"));
	if (record == NULL)
		return json_str(row, "replayOf") != NULL
			   ? run_link(r->a, "Run again", json_str(row, "replayOf"))
			   : run_link(r->a, how, NULL);
	o = json_object();
	json_set_str(o, "text", json_str(record, "title"));
	json_set_str(o, "href", json_str(record, "href"));
	json_set_str(o, "note", json_str(row, "replayOf") != NULL ? "run again" : NULL);
	return o;
}

static int rows_titles(struct req *r, const json_t *rows, json_t **titles, struct err *err)
{
	bool sees = (r->actor.permissions & PERMIT(RECORDS_VIEW)) != 0;
	struct uuid *ids = arena_array(r->a, json_array_size(rows) + 1, sizeof(*ids));
	size_t n = 0, i;
	json_t *row;

	json_array_each(rows, i, row)
		n += sees && json_str(row, "recordId") != NULL &&
		     uuid_parse(str_from(json_str(row, "recordId")), &ids[n]);
	return record_titles(r->app, r->a, &r->actor.account_id, ids, n, titles, err);
}

int execution_add_words(struct req *r, json_t *rows, struct err *err)
{
	json_t *row, *titles;
	size_t i;

	if (rows_titles(r, rows, &titles, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		const json_t *ms = json_object_get(row, "durationMs");
		const char *status = json_str(row, "status");

		json_set_str(row, "statusLabel",
		    strcmp(status, "cancelling") == 0 ? "Being cancelled"
						      : word_label(execution_statuses, status));
		json_set(row, "durationUs",
		    json_is_null(ms) ? NULL
				     : json_integer((json_int_t)(json_number_value(ms) * 1000)));
		json_set_str(
		    row, "href", arena_printf(r->a, RUNS_ADDRESS "/%s", json_str(row, "id")));
		json_set(row, "origin", origin_json(r, row, titles));
		connection_tell_error(r->a, row, NULL, json_str(row, "error"));
	}
	return 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* The account's flows as options, "" first. */
static int flow_choices(struct req *r, const struct uuid *chosen, json_t **out, struct err *err)
{
	json_t *names, *o;
	const char *id;

	if (flow_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	*out = json_own(r->a, json_array());
	json_object_each(names, id, o) {
		json_t *choice = json_object();

		json_set_str(choice, "value", id);
		json_set_str(choice, "label", json_str(o, "name"));
		json_set_bool(choice, "is_current",
		    !uuid_is_nil(*chosen) && strcmp(id, uuid_dup(r->a, *chosen)) == 0);
		json_array_append_new(*out, choice);
	}
	return 0;
}

static int list_show(struct req *r, const struct execution_filter *f, bool is_of_flow,
    const struct slice *s, json_t *data, struct err *err)
{
	const char *query;
	json_t *flows;

	if (flow_choices(r, &f->flow_id, &flows, err) == -1)
		return -1;
	chrome_slice(r, s, data);
	chrome_slice_order(r, s, list_of_executions.sort, data);
	chrome_slice_total(s, INT64_MAX, "run", "runs", data);
	json_set(data, "flows", json_incref(flows));
	json_set(data, "statuses", chrome_choices(r, "status", execution_statuses));
	json_set(data, "triggers", chrome_choices(r, "trigger", trigger_kinds));
	json_set(data, "repeats", chrome_choices(r, "repeated", execution_repeated));
	json_set_strn(data, "status", f->status);
	json_set_strn(data, "search", f->search);
	if (!is_of_flow)
		chrome_chip_chosen(r, "flowId", "Flow", flows, data);
	chrome_chip_chosen(r, "trigger", "Started by", json_object_get(data, "triggers"), data);
	chrome_chip_chosen(
	    r, "repeated", "Run again since", json_object_get(data, "repeats"), data);
	if (!uuid_is_nil(f->record_id))
		chrome_chip(r, "recordId", "Of one record", NULL, data);
	chrome_days(r, f->from, f->to, data);
	json_set_int(data, "filter_count",
	    (!is_of_flow && !uuid_is_nil(f->flow_id)) + (f->kind.n > 0) + (f->repeated.n > 0) +
		f->from.is_given + f->to.is_given);
	json_set_bool(data, "is_filtered",
	    filter_pairs(r->a, &list_of_executions, f).n > (is_of_flow ? 1 : 0));
	query = filter_query(r->a, &list_of_executions, f);
	json_set_str(data, "query", query);
	json_set_str(data, "repeat_href",
	    execution_page_may_write(r) && str_is(f->status, EXECUTION_FAILED) && f->search.n == 0
		? arena_printf(r->a, RUNS_ADDRESS "/replay?%s", query)
		: NULL);
	json_set_bool(data, "can_write", execution_page_may_write(r));
	json_set_str(data, "problem", req_invalid_text(r));
	return 0;
}

static int list_load(struct req *r, struct execution_filter *f, bool is_of_flow, struct slice *s,
    json_t *data, struct err *err)
{
	return execution_list(r->app, r->a, f, s, err) == -1 ||
		       execution_add_words(r, s->rows, err) == -1 ||
		       list_show(r, f, is_of_flow, s, data, err) == -1
		   ? -1
		   : 0;
}

int execution_page_history(struct req *r)
{
	struct execution_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *tasks;

	if (!slice_read_page(r, &list_of_executions, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (list_load(r, &f, false, &s, data, &err) == -1)
		return res_error(r, &err);
	if (repeat_running(r->app, r->a, &r->actor.account_id, &tasks, &err) == -1)
		return res_error(r, &err);
	json_set(data, "tasks", json_incref(tasks));
	json_set_str(data, "address", RUNS_ADDRESS);
	json_set_bool(data, "is_of_flow", false);
	return chrome_page(r, 200, "runs", "Runs", "flow/runs", json_incref(data));
}

int execution_page_of_flow(struct req *r)
{
	struct execution_filter f = {0};
	struct slice s;
	struct flow flow;
	struct err err = ERR_INIT;
	json_t *data;

	if (!flow_of_route(r, &flow))
		return 0;
	if (!slice_read_page(r, &list_of_executions, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	f.flow_id = flow.id; /* whatever a parameter says */
	data = flow_page_head(r, &flow, "runs");
	if (list_load(r, &f, true, &s, data, &err) == -1)
		return res_error(r, &err);
	json_set_str(
	    data, "address", arena_printf(r->a, "/admin/flows/%s/runs", uuid_dup(r->a, flow.id)));
	json_set_bool(data, "is_of_flow", true);
	return chrome_page(r, 200, "flows", flow.name, "flow/flow-runs", json_incref(data));
}

/* ---- running again --------------------------------------------------------------------------- */

/* 1 it runs again, 0 it cannot, with why; -1. */
static int run_again(struct req *r, const struct uuid *id, const char **why, struct err *err)
{
	struct execution of;
	struct replay p = {.of = &of, .is_current = true};
	int found = execution_load(r->app->db, r->a, &r->actor.account_id, id, &of, err);

	*why = "one is gone";
	if (found != 1)
		return found;
	p.is_from_failed = false;
	if (replay_prepare(r->app, r->a, &p, err) == -1) {
		if (err->code != ERR_CONFLICT)
			return -1;
		*why = arena_strdup(r->a, err->msg);
		*err = (struct err)ERR_INIT;
		return 0;
	}
	return replay_run(r, &p, err) == -1 ? -1 : 1;
}

/* Where the form was sent from: a list of runs, and nowhere else. */
static const char *list_address(struct req *r)
{
	struct str address = req_form(r, "address"), query = req_form(r, "query");
	bool is_ours = str_is(address, RUNS_ADDRESS) ||
		       (str_starts(address, "/admin/flows/") && str_ends(address, "/runs"));

	return arena_printf(r->a, "%.*s?%.*s", is_ours ? (int)address.n : (int)strlen(RUNS_ADDRESS),
	    is_ours ? address.p : RUNS_ADDRESS, (int)query.n, query.p);
}

int execution_page_again(struct req *r)
{
	struct err err = ERR_INIT;
	struct str query = req_form(r, "query");
	const char *why = NULL, *reason = NULL;
	size_t n = 0, left = 0;

	if (str_is(req_form(r, "scope"), "all"))
		return res_redirect(
		    r, arena_printf(r->a, RUNS_ADDRESS "/replay?%.*s", (int)query.n, query.p));
	for (size_t i = 0; i < r->form.n && n + left < AGAIN_AT_ONCE; i++) {
		struct uuid id;
		int again;

		if (!str_is(r->form.v[i].name, "id") || !uuid_parse(r->form.v[i].value, &id))
			continue;
		again = run_again(r, &id, &why, &err);
		if (again == -1)
			return res_error(r, &err);
		n += again == 1;
		left += again == 0;
		reason = again == 0 ? why : reason;
	}
	if (n + left == 0)
		chrome_flash(r, "error", "Nothing was run: tick the runs that shall run again.");
	else if (left > 0)
		chrome_flash(r, "error", "%zu run again, %zu could not: %s.", n, left, reason);
	else
		chrome_flash(r, "ok", "%zu %s again. What comes of %s stands in the list of runs.",
		    n, plural(n, "runs", "run"), plural(n, "it", "them"));
	return res_redirect(r, list_address(r));
}
