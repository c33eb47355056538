/* Failed runs again, all that match: POST /task-history/replay, and the page that asks before it.
 * Data of "flow/repeat": count, is_more, flow_name, hidden: [{name, value}] of the filter, query,
 * rate, can_start. */
#include "base/arena.h"
#include "flow/execution-pages.h"
#include "flow/execution-repeat.h"
#include "html/chrome.h"

/* What of the list's filters may say which; of others the task knows nothing. */
static const char *const repeat_filters[] = {
    "flowId", "trigger", "recordId", "from", "to", "status", "repeated", NULL};

static bool is_repeat_filter(struct str name)
{
	for (size_t i = 0; repeat_filters[i] != NULL; i++)
		if (str_is(name, repeat_filters[i]))
			return true;
	return false;
}

/* Only what failed, and was not run again. */
static void filter_check(struct req *r, const struct execution_filter *f)
{
	if (f->status.n > 0 && !str_is(f->status, EXECUTION_FAILED))
		req_invalid(r, "filter.status", "must be failed: only such runs are repeated");
	if (f->repeated.n > 0 && !str_is(f->repeated, "no"))
		req_invalid(r, "filter.repeated", "must be no: what was run again is left out");
}

/* ---- API ------------------------------------------------------------------------------------- */

struct repeat_body {
	json_t *filter;
	struct replay_words words;
	int64_t rate;
	bool is_dry;
};

/* The members of the body's filter, by the table that reads the list's parameters. */
static void filter_of_body(struct req *r, const json_t *o, struct execution_filter *f)
{
	struct http_pairs pairs = {arena_array(r->a, json_object_size(o) + 1, sizeof(*pairs.v)), 0};
	const char *key;
	json_t *v;

	json_object_each(o, key, v) {
		const char *field = arena_printf(r->a, "filter.%s", key);

		if (!is_repeat_filter(str_from(key)))
			req_invalid(r, field, "is unknown");
		else if (!json_is_string(v))
			req_invalid(r, field, "must be a text");
		else
			pairs.v[pairs.n++] = (struct http_pair){
			    str_from(key), {json_string_value(v), json_string_length(v)}};
	}
	filter_read(r, &list_of_executions, &pairs, f);
	filter_check(r, f);
}

static bool repeat_read(struct req *r, struct repeat_wish *w, bool *is_dry)
{
	static const struct json_member members[] = {
	    {"filter", READ_OBJECT, JSON_INTO(struct repeat_body, filter), .need = READ_NULLABLE},
	    {"from", READ_WORD, JSON_INTO(struct repeat_body, words.from), .words = replay_froms},
	    {"version", READ_WORD, JSON_INTO(struct repeat_body, words.version),
		.words = replay_versions},
	    {"ratePerSecond", READ_INT, JSON_INTO(struct repeat_body, rate), .min = 1,
		.max = REPEAT_RATE_MOST},
	    {"dryRun", READ_BOOL, JSON_INTO(struct repeat_body, is_dry)}};
	struct repeat_body body = {.words = {"failed", "current"}, .rate = REPEAT_RATE};

	if (r->json != NULL && !req_read_body(r, JSON_MEMBERS(members), &body))
		return false;
	filter_of_body(r, body.filter, &w->f);
	w->words = body.words;
	w->rate = body.rate;
	*is_dry = body.is_dry;
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

int execution_api_replay_all(struct req *r)
{
	struct repeat_wish w = {.rate = REPEAT_RATE};
	struct err err = ERR_INIT;
	bool is_dry;
	int64_t n;
	json_t *o;

	if (!repeat_read(r, &w, &is_dry))
		return 0;
	if (is_dry ? repeat_count(r->app, r->a, &w.f, &n, &err) == -1
		   : repeat_queue(r, &w, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	if (is_dry) {
		json_set_int(o, "count", n);
		json_set_bool(o, "countIsExact", n < REPEAT_COUNT_MOST);
		return res_json(r, 200, o);
	}
	json_set_str(o, "taskId", uuid_dup(r->a, w.task_id));
	json_set_str(o, "status", "queued");
	res_headerf(r, "Location", "/connect/v1/tasks/%s", uuid_dup(r->a, w.task_id));
	return res_json(r, 202, o);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* Of an address or a form; what the task cannot filter by says so: NULL, or a sentence's piece. */
static const char *filter_of_pairs(
    struct req *r, const struct http_pairs *pairs, struct execution_filter *f)
{
	filter_read(r, &list_of_executions, pairs, f);
	if (f->search.n > 0)
		return "what a search found is run again by ticking it";
	if (f->status.n > 0 && !str_is(f->status, EXECUTION_FAILED))
		return "all that match is for failed runs; others are ticked one by one";
	if (f->repeated.n > 0 && !str_is(f->repeated, "no"))
		return "these were run again already; tick those that shall run once more";
	return req_invalid_text(r);
}

static json_t *hidden_fields(struct req *r, const struct execution_filter *f)
{
	struct http_pairs pairs = filter_pairs(r->a, &list_of_executions, f);
	json_t *list = json_array();

	for (size_t i = 0; i < pairs.n; i++) {
		json_t *o = json_object();

		json_set_strn(o, "name", pairs.v[i].name);
		json_set_strn(o, "value", pairs.v[i].value);
		json_array_append_new(list, o);
	}
	return list;
}

static int repeat_back(struct req *r, const char *why)
{
	chrome_flash(r, "error", "Nothing was run again: %s.", why);
	return res_redirect(r, RUNS_ADDRESS "?status=" EXECUTION_FAILED "&repeated=no");
}

int execution_page_repeat(struct req *r)
{
	struct execution_filter f = {0};
	const char *why = filter_of_pairs(r, &r->query, &f);
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *names;
	int64_t n;

	if (why != NULL)
		return repeat_back(r, why);
	if (repeat_count(r->app, r->a, &f, &n, &err) == -1 ||
	    flow_names(r->app, r->a, &r->actor.account_id, &names, &err) == -1)
		return res_error(r, &err);
	json_set_int(data, "count", n);
	json_set_bool(data, "is_one", n == 1);
	json_set_bool(data, "is_more", n >= REPEAT_COUNT_MOST);
	json_set_int(data, "rate", REPEAT_RATE);
	json_set_int(data, "rate_most", REPEAT_RATE_MOST);
	json_set(data, "hidden", hidden_fields(r, &f));
	json_set_str(data, "flow_name",
	    uuid_is_nil(f.flow_id)
		? NULL
		: json_str(json_object_get(names, uuid_dup(r->a, f.flow_id)), "name"));
	return chrome_page(r, 200, "runs", "Run again", "flow/repeat", json_incref(data));
}

int execution_page_repeat_post(struct req *r)
{
	struct repeat_wish w = {.words = {"failed", "current"}, .rate = REPEAT_RATE};
	const char *why = filter_of_pairs(r, &r->form, &w.f);
	struct err err = ERR_INIT;

	if (why != NULL)
		return repeat_back(r, why);
	if (!str_to_i64(req_form(r, "rate"), 1, REPEAT_RATE_MOST, &w.rate))
		return repeat_back(r, "how many a second must be a number from 1 to 200");
	if (str_is(req_form(r, "start"), "start"))
		w.words.from = "start";
	if (str_is(req_form(r, "version"), "original"))
		w.words.version = "original";
	if (repeat_queue(r, &w, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The failed runs are run again. This page shows how far that is.");
	return res_redirect(r, RUNS_ADDRESS);
}

int execution_page_repeat_cancel(struct req *r)
{
	return task_answer_cancel_page(
	    r, "such task", "Stopped. What was begun goes on.", RUNS_ADDRESS);
}
