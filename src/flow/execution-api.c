/* /task-history, /flows/:id/executions, /flows/:id/run: JSON handlers of runs. */
#include "account/permission.h"
#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-run.h"

/* ---- lists and one --------------------------------------------------------------------------- */

int execution_api_history(struct req *r)
{
	struct execution_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;

	if (!slice_read(r, &list_of_executions, &f, &s))
		return res_invalid(r);
	if (execution_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

int execution_api_list(struct req *r)
{
	struct execution_filter f = {0};
	struct slice s;
	struct flow flow;
	struct err err = ERR_INIT;

	if (!flow_of_route(r, &flow))
		return 0;
	f.flow_id = flow.id;
	if (!slice_read(r, &list_of_executions, &f, &s))
		return res_invalid(r);
	f.flow_id = flow.id; /* whatever a parameter says */
	if (execution_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

/* The run of the route, of the route's flow; false with the answer given. A flow that has been
 * deleted still has its runs. */
static bool execution_of_route(struct req *r, struct execution *out)
{
	struct uuid flow_id, id;
	struct err err = ERR_INIT;
	int found;

	if (!req_param_uuid(r, "id", &flow_id) || !req_param_uuid(r, "executionId", &id))
		return false;
	found = execution_load(r->app->db, r->a, &r->actor.account_id, &id, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0 || !uuid_eq(out->flow_id, flow_id))
		res_problem(r, 404, "There is no such run of the flow");
	return found == 1 && uuid_eq(out->flow_id, flow_id);
}

int execution_api_get(struct req *r)
{
	struct execution x;
	json_t *steps, *o;
	struct err err = ERR_INIT;

	if (!execution_of_route(r, &x))
		return 0;
	if (execution_steps_json(r->app, r->a, &x.account_id, &x.id, &steps, &err) == -1)
		return res_error(r, &err);
	o = execution_json(r->a, &x, true);
	json_set(o, "steps", json_incref(steps));
	return res_json(r, 200, o);
}

int execution_api_steps(struct req *r)
{
	struct execution x;
	json_t *steps;
	struct err err = ERR_INIT;

	if (!execution_of_route(r, &x))
		return 0;
	if (execution_steps_json(r->app, r->a, &x.account_id, &x.id, &steps, &err) == -1)
		return res_error(r, &err);
	return res_whole(r, steps, 5000);
}

/* ---- starting -------------------------------------------------------------------------------- */

static int started_answer(struct req *r, struct uuid id)
{
	json_t *o = json_object();
	struct uuid flow_id;

	(void)req_param_uuid(r, "id", &flow_id);
	json_set_str(o, "id", uuid_dup(r->a, id));
	json_set_str(o, "executionId", uuid_dup(r->a, id));
	json_set_str(o, "flowId", uuid_dup(r->a, flow_id));
	json_set_str(o, "status", EXECUTION_PENDING);
	res_headerf(r, "Location", "/connect/v1/flows/%s/executions/%s", uuid_dup(r->a, flow_id),
	    uuid_dup(r->a, id));
	return res_json(r, 202, o);
}

struct starting {
	struct req *r;
	struct flow_start start;
};

static int run_body(struct db *db, void *arg, struct err *err)
{
	struct starting *s = arg;

	return flow_start(s->r->app, db, s->r->a, &s->start, 1, err);
}

struct payload_body {
	json_t *payload;
	bool is_dry;
};

/* {"payload":{…}} and, of tests, {"dryRun"}; false with the answer given. */
static bool payload_read(struct req *r, bool is_test, struct payload_body *out)
{
	static const struct json_member members[] = {
	    {"payload", READ_OBJECT, JSON_INTO(struct payload_body, payload),
		.need = READ_NULLABLE},
	    {"dryRun", READ_BOOL, JSON_INTO(struct payload_body, is_dry)}};

	*out = (struct payload_body){.payload = json_own(r->a, json_object()), .is_dry = is_test};
	if (r->json == NULL)
		return true;
	if (!req_read_body(r, members, is_test ? 2 : 1, out))
		return false;
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

/* Whether there is such a flow is asked only where nothing was begun: runs are begun by the
 * thousand. */
int flow_api_run(struct req *r)
{
	struct starting s = {.r = r};
	struct payload_body body;
	struct uuid flow_id;
	struct flow f;
	struct err err = ERR_INIT;

	if (!req_param_uuid(r, "id", &flow_id) || !payload_read(r, false, &body))
		return 0;
	s.start = (struct flow_start){.account_id = r->actor.account_id,
	    .flow_id = flow_id,
	    .kind = TRIGGER_MANUAL,
	    .payload = body.payload};
	if (db_transaction(r->app->db, run_body, &s, &err) == -1)
		return res_error(r, &err);
	if (!uuid_is_nil(s.start.execution_id))
		return started_answer(r, s.start.execution_id);
	if (flow_of_route(r, &f))
		res_problem(r, 409,
		    "The flow is not published, so it cannot be run: publish it, or test it");
	return 0;
}

/* ---- trying out ------------------------------------------------------------------------------ */

/* Walks the draft without any effect: what each step was given, and would have done. */
static json_t *flow_try(struct req *r, const struct flow_plan *plan, const struct uuid *flow_id,
    json_t *payload, struct uuid record_id)
{
	struct execution x = {.account_id = r->actor.account_id,
	    .id = uuid_new(),
	    .flow_id = *flow_id,
	    .status = EXECUTION_RUNNING,
	    .kind = TRIGGER_TEST,
	    .payload = payload,
	    .record_id = record_id,
	    .created_us = clock_now_us()};
	struct run run = {
	    .app = r->app, .a = r->a, .x = &x, .plan = plan, .db = r->app->db, .is_dry = true};
	json_t *o = json_own(r->a, json_object()), *steps = json_array();
	struct err err = ERR_INIT;

	if (run_begin(&run, &err) == -1 || run_walk(&run, &err) != RUN_ENDS)
		run_end(&run, EXECUTION_FAILED, err.msg);
	for (size_t i = 0; i < run.at.nrows; i++)
		json_array_append_new(steps, execution_step_json(r->a, &run.rows[i]));
	json_set_bool(o, "dryRun", true);
	json_set_str(o, "status", x.status);
	json_set_str(o, "error", x.error);
	json_set_str(o, "errorStep", x.error_step);
	json_set(o, "output", json_incref(run.at.last));
	json_set(o, "steps", steps);
	return o;
}

/* The draft, compiled and checked; false with the answer given. */
static bool draft_plan(struct req *r, const struct flow *f, struct flow_plan *plan)
{
	struct json_reader in = req_reader(r);

	if (flow_plan_compile(r->a, f->steps, f->settings, &in, plan) == 0)
		return true;
	res_invalid(r);
	return false;
}

struct testing {
	struct req *r;
	struct execution x;
};

static int test_body(struct db *db, void *arg, struct err *err)
{
	struct testing *t = arg;
	struct execution *xs[] = {&t->x};

	return flow_begin(db, xs, 1, err);
}

/* The draft for real: it goes with the run, which has no version. */
static int test_start(struct req *r, const struct flow *f, json_t *payload)
{
	struct testing t = {.r = r,
	    .x = {.account_id = r->actor.account_id,
		.id = uuid_new(),
		.flow_id = f->id,
		.status = EXECUTION_PENDING,
		.kind = TRIGGER_TEST,
		.payload = payload,
		.plan = json_own(r->a, json_object()),
		.created_us = clock_now_us()}};
	struct err err = ERR_INIT;

	json_set(t.x.plan, "steps", json_incref(f->steps));
	json_set(t.x.plan, "settings", json_incref(f->settings));
	if (db_transaction(r->app->db, test_body, &t, &err) == -1)
		return res_error(r, &err);
	return started_answer(r, t.x.id);
}

int flow_api_test(struct req *r)
{
	struct flow f;
	struct flow_plan plan;
	struct payload_body body;

	if (!flow_of_route(r, &f) || !payload_read(r, true, &body) || !draft_plan(r, &f, &plan))
		return 0;
	if (!body.is_dry)
		return test_start(r, &f, body.payload);
	return res_json(
	    r, 200, json_incref(flow_try(r, &plan, &f.id, body.payload, (struct uuid){{0}})));
}

/* ---- preview --------------------------------------------------------------------------------- */

#define PREVIEW_DEFAULT 20
#define PREVIEW_MOST 200

struct preview_body {
	int64_t records;
	json_t *filter;
};

static bool preview_read(struct req *r, struct preview_body *body, struct record_filter *f)
{
	static const struct json_member members[] = {
	    {"records", READ_INT, JSON_INTO(struct preview_body, records), .min = 1,
		.max = PREVIEW_MOST},
	    {"filter", READ_OBJECT, JSON_INTO(struct preview_body, filter), .need = READ_NULLABLE}};
	struct json_reader in = req_reader(r);

	*body = (struct preview_body){PREVIEW_DEFAULT, json_own(r->a, json_object())};
	if (r->json != NULL && !req_read_body(r, JSON_MEMBERS(members), body))
		return false;
	json_reader_enter(&in, "filter");
	(void)record_filter_from_body(&in, r->a, body->filter, &r->actor.account_id, f);
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

/* What the flow would have done with each of the records that came last. */
int flow_api_preview(struct req *r)
{
	struct flow f;
	struct flow_plan plan;
	struct preview_body body;
	struct record_filter filter = {0};
	struct record_slice slice = {0};
	json_t *o, *rows = json_own(r->a, json_array()), *record;
	struct err err = ERR_INIT;
	size_t i;

	if ((r->actor.permissions & PERMIT(RECORDS_VIEW)) == 0)
		return res_problem(r, 403,
		    "A preview shows what records say, so it needs the permission records.view");
	if (!flow_of_route(r, &f) || !preview_read(r, &body, &filter) || !draft_plan(r, &f, &plan))
		return 0;
	slice.s.limit = body.records;
	if (record_list(r->app, r->a, &filter, &slice, &err) == -1)
		return res_error(r, &err);
	json_array_each(slice.s.rows, i, record) {
		struct uuid id = {{0}};

		(void)uuid_parse(str_from(json_str(record, "id")), &id);
		o = flow_try(r, &plan, &f.id, flow_record_payload(r->a, record), id);
		json_set_str(o, "recordId", json_str(record, "id"));
		json_array_append(rows, o);
	}
	o = json_object();
	json_set_int(o, "records", (int64_t)json_array_size(rows));
	json_set(o, "data", json_incref(rows));
	return res_json(r, 200, o);
}

/* ---- cancel ---------------------------------------------------------------------------------- */

struct cancelling {
	struct req *r;
	struct execution *x;
};

static int cancel_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct cancelling *c = arg;
	struct execution *x = c->x;
	struct job j = flow_job(&x->account_id, &x->flow_id, &x->id);
	bool is_over;

	if (executions_lock(db, c->r->a, &x, 1, &is_over, err) == -1)
		return -1;
	if (is_over)
		return err_set(err, ERR_CONFLICT, "The run has ended already");
	/* one that runs just now ends at its next step */
	if (strcmp(x->status, EXECUTION_RUNNING) != 0) {
		x->status = EXECUTION_CANCELLED;
		x->finished_us = clock_now_us();
		x->started_us = x->started_us != 0 ? x->started_us : x->finished_us;
		x->wait_us = 0;
		if (executions_store(db, c->r->a,
			&(struct execution_store){.x = x, .had_state = true}, 1, err) == -1)
			return -1;
	}
	if (execution_set_cancelling(db, &x->account_id, &x->id, err) == -1 ||
	    job_run_now(db, &j, err) == -1)
		return -1;
	audit_fact(log, "flow.cancel", "flow", &x->flow_id, NULL);
	return 0;
}

int execution_api_cancel(struct req *r)
{
	struct execution x;
	struct cancelling c = {r, &x};
	struct err err = ERR_INIT;

	if (!execution_of_route(r, &x))
		return 0;
	if (audit_change(r->app, r, &r->actor.account_id, cancel_body, &c, &err) == -1)
		return res_error(r, &err);
	x.is_cancelling = true;
	return res_json(r, x.finished_us != 0 ? 200 : 202, execution_json(r->a, &x, false));
}

/* ---- replay ---------------------------------------------------------------------------------- */

struct replaying {
	struct req *r;
	const struct execution *of;
	struct execution x;
	struct str state; /* {NULL,0}: from the start */
	int seq;
};

static int replay_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct replaying *p = arg;
	struct execution *xs[] = {&p->x};

	if (flow_begin(db, xs, 1, err) == -1)
		return -1;
	if (p->state.p != NULL &&
	    execution_put_state(db, &p->x, &p->of->id, p->seq, p->state, err) == -1)
		return -1;
	audit_fact(log, "flow.replay", "flow", &p->x.flow_id, NULL);
	return 0;
}

/* Its state with the step that failed as if it had not begun. */
static int replay_from_failed(struct replaying *p, const struct flow_plan *plan, struct err *err)
{
	struct arena *a = p->r->a;
	struct execution x = p->x;
	struct run run = {.app = p->r->app, .a = a, .x = &x, .plan = plan};
	json_t *now;

	if (p->of->finished_us == 0 || p->of->state == NULL)
		return err_set(err, ERR_CONFLICT,
		    "Only a run that failed in a step can be replayed from there");
	x.state = json_own(a, json_deep_copy(p->of->state));
	now = json_object_get(x.state, "now");
	p->seq = (int)json_int(now, "seq");
	json_set_str(now, "key", uuid_dup(a, uuid_new()));
	json_set_int(now, "attempt", 1);
	json_set_int(now, "started", clock_now_us());
	json_set_int(now, "until", 0);
	json_set_bool(now, "onRecord", false);
	json_object_del(now, "child");
	p->state = json_text(a, x.state);
	return run_begin(&run, err);
}

static int replay_plan(
    struct replaying *p, bool is_current, const struct flow_plan **plan, struct err *err)
{
	struct app *app = p->r->app;
	struct execution *x = &p->x;
	int found;

	if (execution_is_erased(p->of))
		return err_set(
		    err, ERR_CONFLICT, "What this run began with has been erased on request");
	if (is_current && flow_published_versions(app->db, p->r->a, &x->account_id, &x->flow_id, 1,
			      &x->version, err) == -1)
		return -1;
	if (is_current && x->version == 0)
		return err_set(err, ERR_CONFLICT, "The flow is not published");
	if (x->version == 0) {
		x->plan = p->of->plan;
		return flow_plan_of_draft(p->r->a, &x->flow_id, x->plan, plan, err);
	}
	found = flow_plan_of(app, p->r->a, &x->account_id, &x->flow_id, x->version, plan, err);
	return found == 0 ? err_set(err, ERR_CONFLICT, "The flow has been deleted") : found - 1;
}

struct replay_words {
	const char *from, *version;
};

static bool replay_read(struct req *r, struct replay_words *out)
{
	static const char *const froms[] = {"start", "failed", NULL}, *const versions[] = {
									  "original", "current",
									  NULL};
	static const struct json_member members[] = {
	    {"from", READ_WORD, JSON_INTO(struct replay_words, from), .words = froms},
	    {"version", READ_WORD, JSON_INTO(struct replay_words, version), .words = versions}};

	*out = (struct replay_words){"start", "current"};
	if (r->json != NULL && !req_read_body(r, JSON_MEMBERS(members), out))
		return false;
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

int execution_api_replay(struct req *r)
{
	struct execution of;
	struct replaying p = {.r = r, .of = &of};
	struct replay_words words;
	const struct flow_plan *plan;
	struct err err = ERR_INIT;

	if (!execution_of_route(r, &of) || !replay_read(r, &words))
		return 0;
	p.x = (struct execution){.account_id = of.account_id,
	    .id = uuid_new(),
	    .flow_id = of.flow_id,
	    .version = of.version,
	    .status = EXECUTION_PENDING,
	    .kind = TRIGGER_REPLAY,
	    .record_id = of.record_id,
	    .trigger_id = of.trigger_id,
	    .replay_of = of.id,
	    .payload = of.payload,
	    .created_us = clock_now_us()};
	if (replay_plan(&p, strcmp(words.version, "current") == 0, &plan, &err) == -1)
		return res_error(r, &err);
	if (strcmp(words.from, "failed") == 0 && replay_from_failed(&p, plan, &err) == -1)
		return res_error(r, &err);
	if (audit_change(r->app, r, &r->actor.account_id, replay_body, &p, &err) == -1)
		return res_error(r, &err);
	return started_answer(r, p.x.id);
}
