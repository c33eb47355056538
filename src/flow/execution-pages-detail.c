/* The page of a run. Data of "flow/run": run (as the API has it, with words), flow_name, flow_href,
 * failure (words, answer, step), steps: [{seq, label, kind_label, status, statusLabel,
 * durationUs, attempts, depth, within, input, output, input_raw, output_raw, error_words,
 * has_answer, error, edit_href, child_href}], replay choices, what it waits for. */
#include "account/permission.h"
#include "base/arena.h"
#include "base/clock.h"
#include "connection/connection-pages.h"
#include "flow/execution-pages.h"
#include "flow/flow-replay.h"
#include "html/chrome.h"

#define STEPS_SHOWN 200

static const struct word step_statuses[] = {{STEP_RUNNING, "Running"}, {STEP_WAITING, "Waiting"},
    {STEP_COMPLETED, "Completed"}, {STEP_FAILED, "Failed"}, {STEP_FILTERED, "Ended the run"},
    {NULL, NULL}};

/* The run of the route's :id, of any flow; false with the answer given. */
static bool execution_of_page(struct req *r, struct execution *out)
{
	struct uuid id;
	struct err err = ERR_INIT;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return false;
	found = execution_load(r->app->db, r->a, &r->actor.account_id, &id, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such run");
	return found == 1;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* The run's plan, to say what its steps are called; NULL where the version is gone. */
static const struct flow_plan *detail_plan(struct req *r, const struct execution *x)
{
	const struct flow_plan *plan = NULL;
	struct err err = ERR_INIT;
	int found =
	    x->version == 0
		? (x->plan == NULL
			  ? 0
			  : flow_plan_of_draft(r->a, &x->flow_id, x->plan, &plan, &err) + 1)
		: flow_plan_of(r->app, r->a, &x->account_id, &x->flow_id, x->version, &plan, &err);

	return found == 1 ? plan : NULL;
}

static const struct flow_step *plan_find_step(const struct flow_plan *plan, const char *key)
{
	for (size_t i = 0; plan != NULL && key != NULL && i < plan->nsteps; i++)
		if (strcmp(plan->all[i]->key, key) == 0)
			return plan->all[i];
	return NULL;
}

static bool list_holds(const struct flow_list *list, const struct flow_step *s)
{
	return s >= list->steps && s < list->steps + list->n;
}

/* The name of the list of its owner that a step stands in, or NULL. */
static const char *step_list_name(const struct flow_step *owner, const struct flow_step *s)
{
	if (owner == NULL || s == NULL)
		return NULL;
	if (owner->on_error_list != NULL && list_holds(owner->on_error_list, s))
		return "when it failed";
	for (size_t i = 0; i < owner->nlists; i++)
		if (list_holds(&owner->lists[i], s))
			return owner->kind->how == STEP_LOOP ? NULL : owner->lists[i].name;
	return NULL;
}

static unsigned key_depth(const char *key)
{
	unsigned n = 0;

	for (; *key != '\0'; key++)
		n += *key == '_';
	return n == 0 ? 0 : n - 1;
}

/* "step_2_1" stands within "step_2". */
static const char *key_owner(struct arena *a, const char *key)
{
	const char *last = strrchr(key, '_');

	return key_depth(key) == 0 ? NULL : arena_strndup(a, key, (size_t)(last - key));
}

/* "Turn 3", and the branch: where a step stands within the one around it. */
static const char *step_within(struct arena *a, const struct flow_plan *plan, const json_t *row)
{
	const char *key = json_str(row, "step"), *owner_key = key_owner(a, key);
	const json_t *turns = json_object_get(row, "iteration");
	const struct flow_step *owner = plan_find_step(plan, owner_key),
			       *s = plan_find_step(plan, key);
	const char *list = step_list_name(owner, s);
	size_t n = json_array_size(turns);
	const char *text = NULL;

	if (n > 0)
		text = arena_printf(a, "Turn %lld",
		    (long long)json_integer_value(json_array_get(turns, n - 1)) + 1);
	if (list != NULL)
		text = arena_printf(
		    a, "%s%s%s", text != NULL ? text : "", text != NULL ? ", " : "", list);
	return text;
}

static const char *step_label(struct arena *a, const json_t *row)
{
	const char *name = json_str(row, "name");
	const struct step_kind *kind = step_kind_find(str_from(json_str(row, "kind")));

	(void)a;
	return name != NULL ? name : kind != NULL ? kind->label : json_str(row, "kind");
}

static const char *json_raw(struct arena *a, const json_t *v)
{
	return v == NULL || json_is_null(v) ? NULL : json_pretty(a, v).p;
}

/* A sub-flow's run, as its step tells. */
static const char *step_child(struct arena *a, const json_t *row)
{
	const char *id = json_str(json_object_get(row, "output"), "executionId");
	struct uuid ok;

	if (strcmp(json_str(row, "kind"), step_sub_flow.name) != 0 || id == NULL ||
	    !uuid_parse(str_from(id), &ok))
		return NULL;
	return arena_printf(a, RUNS_ADDRESS "/%s", id);
}

/* What it gave as labels and values: an object or list; else as it is. */
static void step_add_value(struct arena *a, json_t *row, const char *member)
{
	const json_t *v = json_object_get(row, member);
	bool is_some = v != NULL && !json_is_null(v) &&
		       !((json_is_object(v) && json_object_size(v) == 0) ||
			   (json_is_array(v) && json_array_size(v) == 0));

	json_set_bool(row, arena_printf(a, "has_%s", member), is_some);
	json_set_str(row, arena_printf(a, "%s_raw", member), is_some ? json_raw(a, v) : NULL);
}

static const char *edit_address(struct req *r, const struct execution *x, const char *key)
{
	return key == NULL || !execution_page_may_write(r)
		   ? NULL
		   : arena_printf(
			 r->a, "/admin/flows/%s/steps/%s", uuid_dup(r->a, x->flow_id), key);
}

static void steps_add_words(struct req *r, const struct execution *x, const struct flow_plan *plan,
    bool is_flow_there, json_t *steps)
{
	json_t *row;
	size_t i;

	json_array_each(steps, i, row) {
		const json_t *ms = json_object_get(row, "durationMs");
		const char *status = json_str(row, "status");
		bool is_failed = strcmp(status, STEP_FAILED) == 0;

		json_set_str(row, "label", step_label(r->a, row));
		json_set_str(row, "statusLabel", word_label(step_statuses, status));
		json_set(row, "durationUs",
		    ms == NULL || json_is_null(ms)
			? NULL
			: json_integer((json_int_t)(json_number_value(ms) * 1000)));
		json_set_int(row, "depth", key_depth(json_str(row, "step")));
		json_set_str(row, "within", step_within(r->a, plan, row));
		json_set_bool(row, "is_failed", is_failed);
		json_set_int(
		    row, "tries", json_int(row, "attempts") > 1 ? json_int(row, "attempts") : 0);
		json_set_str(row, "child_href", step_child(r->a, row));
		json_set_str(row, "edit_href",
		    is_flow_there ? edit_address(r, x, json_str(row, "step")) : NULL);
		connection_tell_error(r->a, row, NULL, json_str(row, "error"));
		step_add_value(r->a, row, "input");
		step_add_value(r->a, row, "output");
	}
}

/* ---- the run --------------------------------------------------------------------------------- */

/* What went wrong, in words, and in which step. */
static json_t *error_json(
    struct req *r, const struct execution *x, const struct flow_plan *plan, bool is_flow_there)
{
	const struct flow_step *s = plan_find_step(plan, x->error_step);
	json_t *o;

	if (x->error == NULL)
		return json_null();
	o = json_object();
	connection_tell_error(r->a, o, NULL, x->error);
	json_set_str(o, "answer", x->error);
	json_set_str(o, "step",
	    s == NULL         ? x->error_step
	    : s->name != NULL ? s->name
			      : s->kind->label);
	json_set_str(o, "edit_href", is_flow_there ? edit_address(r, x, x->error_step) : NULL);
	json_set_str(o, "step_href",
	    x->error_step == NULL
		? NULL
		: arena_printf(r->a, RUNS_ADDRESS "/%s?failed=1#steps", uuid_dup(r->a, x->id)));
	return o;
}

static void run_add_links(struct req *r, const struct execution *x, json_t *run)
{
	const struct {
		const char *key;
		struct uuid id;
	} links[] = {{"parent_href", x->parent_id}, {"original_href", x->replay_of},
	    {"again_href", x->replayed_by}};

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		json_set_str(run, links[i].key,
		    uuid_is_nil(links[i].id)
			? NULL
			: arena_printf(r->a, RUNS_ADDRESS "/%s", uuid_dup(r->a, links[i].id)));
}

static int run_json(struct req *r, const struct execution *x, json_t **out, struct err *err)
{
	json_t *rows = json_own(r->a, json_array());

	*out = json_own(r->a, execution_json(r->a, x, true));
	json_array_append(rows, *out);
	run_add_links(r, x, *out);
	json_set_str(*out, "event_href",
	    uuid_is_nil(x->event_id) || (r->actor.permissions & PERMIT(WEBHOOKS_VIEW)) == 0
		? NULL
		: arena_printf(r->a, "/admin/events/%s", uuid_dup(r->a, x->event_id)));
	step_add_value(r->a, *out, "payload");
	return execution_add_words(r, rows, err);
}

/* The flow by its name: found is false where it has been deleted. */
static int run_flow(
    struct req *r, const struct execution *x, json_t *data, bool *found, struct err *err)
{
	struct flow f;
	int rc = flow_load(r->app, r->a, &x->account_id, &x->flow_id, &f, err);

	*found = rc == 1;
	json_set_str(data, "flow_name", rc == 1 ? f.name : "A deleted flow");
	json_set_str(data, "flow_href",
	    rc == 1 ? arena_printf(r->a, "/admin/flows/%s", uuid_dup(r->a, x->flow_id)) : NULL);
	json_set_int(data, "version_now", rc == 1 ? f.version : 0);
	json_set_bool(data, "has_newer", rc == 1 && f.version > 0 && f.version != x->version);
	json_set_bool(data, "can_current", rc == 1 && strcmp(f.status, FLOW_PUBLISHED) == 0);
	return rc == -1 ? -1 : 0;
}

/* Which steps are shown: from one on, or around the one that failed. */
static int steps_from(struct req *r, const struct execution *x, int *after, struct err *err)
{
	int64_t n;

	*after = 0;
	if (str_to_i64(req_query(r, "after"), 0, FLOW_RUN_STEPS * 2, &n))
		*after = (int)n;
	else if (req_query(r, "failed").n > 0)
		return execution_failed_seq(r->app, r->a, x, after, err);
	return 0;
}

static int steps_show(struct req *r, const struct execution *x, const struct flow_plan *plan,
    bool is_flow_there, json_t *data, struct err *err)
{
	json_t *steps;
	int after;
	size_t n;

	if (steps_from(r, x, &after, err) == -1 ||
	    execution_steps_json(
		r->app, r->a, &x->account_id, &x->id, after, STEPS_SHOWN + 1, &steps, err) == -1)
		return -1;
	n = json_array_size(steps);
	if (n > STEPS_SHOWN)
		json_array_remove(steps, STEPS_SHOWN);
	steps_add_words(r, x, plan, is_flow_there, steps);
	json_set_str(data, "first_href",
	    after == 0 ? NULL : arena_printf(r->a, RUNS_ADDRESS "/%s", uuid_dup(r->a, x->id)));
	json_set_str(data, "next_href",
	    n <= STEPS_SHOWN
		? NULL
		: arena_printf(r->a, RUNS_ADDRESS "/%s?after=%lld", uuid_dup(r->a, x->id),
		      (long long)json_int(json_array_get(steps, STEPS_SHOWN - 1), "seq")));
	json_set_bool(data, "has_steps", n > 0);
	json_set(data, "steps", json_incref(steps));
	return 0;
}

int execution_page_detail(struct req *r)
{
	struct execution x;
	const struct flow_plan *plan;
	json_t *data = json_own(r->a, json_object()), *run;
	struct err err = ERR_INIT;
	bool is_flow_there, is_over;

	if (!execution_of_page(r, &x))
		return 0;
	plan = detail_plan(r, &x);
	if (run_flow(r, &x, data, &is_flow_there, &err) == -1 ||
	    run_json(r, &x, &run, &err) == -1 ||
	    steps_show(r, &x, plan, is_flow_there, data, &err) == -1)
		return res_error(r, &err);
	is_over = x.finished_us != 0;
	json_set(data, "run", json_incref(run));
	json_set(data, "failure", error_json(r, &x, plan, is_flow_there));
	json_set_bool(data, "is_over", is_over);
	chrome_refresh(r, !is_over && str_is(req_query(r, "live"), "1"), x.created_us, data);
	json_set_bool(data, "is_test", x.version == 0);
	json_set_bool(data, "is_failed", strcmp(x.status, EXECUTION_FAILED) == 0);
	json_set_bool(data, "is_cancelling", !is_over && x.is_cancelling);
	json_set_bool(data, "can_write", execution_page_may_write(r));
	json_set_bool(data, "can_original", is_flow_there || x.version == 0);
	json_set_bool(data, "can_from_failed", is_over && x.state != NULL);
	return chrome_page(r, 200, "runs", "Run", "flow/run", json_incref(data));
}

/* ---- acts ------------------------------------------------------------------------------------ */

static int run_redirect(struct req *r, const struct uuid *id)
{
	return res_redirect(r, arena_printf(r->a, RUNS_ADDRESS "/%s", uuid_dup(r->a, *id)));
}

int execution_page_replay(struct req *r)
{
	struct execution of;
	struct replay p = {.of = &of};
	struct err err = ERR_INIT;

	if (!execution_of_page(r, &of))
		return 0;
	p.is_from_failed = str_is(req_form(r, "from"), "failed");
	p.is_current = !str_is(req_form(r, "version"), "original");
	if (replay_prepare(r->app, r->a, &p, &err) == -1 || replay_run(r, &p, &err) == -1) {
		if (err.code != ERR_CONFLICT)
			return res_error(r, &err);
		chrome_flash(r, "error", "Not run again: %s.", err.msg);
		return run_redirect(r, &of.id);
	}
	chrome_flash(
	    r, "ok", "It runs again. This is the new run; the first one stays in the list.");
	return run_redirect(r, &p.x.id);
}

int execution_page_cancel(struct req *r)
{
	struct execution x;
	struct err err = ERR_INIT;

	if (!execution_of_page(r, &x))
		return 0;
	if (execution_end_by_hand(r, &x, &err) == -1) {
		if (err.code != ERR_CONFLICT)
			return res_error(r, &err);
		chrome_flash(r, "error", "Not cancelled: the run has ended already.");
	} else if (x.finished_us != 0) {
		chrome_flash(r, "ok", "The run is cancelled.");
	} else {
		chrome_flash(r, "ok", "The run ends after the step that it is doing.");
	}
	return run_redirect(r, &x.id);
}
