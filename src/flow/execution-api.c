/* /task-history, /flows/:id/executions, /flows/:id/run: JSON handlers of runs. */
#include "account/permission.h"
#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-replay.h"
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
	struct uuid flow_id;
	struct err err = ERR_INIT;

	if (!req_param_uuid(r, "id", &flow_id))
		return 0;
	f.flow_id = flow_id;
	if (!slice_read(r, &list_of_executions, &f, &s))
		return res_invalid(r);
	f.flow_id = flow_id; /* whatever a parameter says */
	if (execution_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	/* Its runs know its name: only where none does is it asked for. */
	if (json_str(json_array_get(s.rows, 0), "flowName") == NULL && !flow_of_route(r, &flow))
		return 0;
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
	if (execution_steps_json(
		r->app, r->a, &x.account_id, &x.id, 0, EXECUTION_STEPS_SHOWN, &steps, &err) == -1)
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
	if (execution_steps_json(
		r->app, r->a, &x.account_id, &x.id, 0, EXECUTION_STEPS_SHOWN, &steps, &err) == -1)
		return res_error(r, &err);
	return res_whole(r, steps, EXECUTION_STEPS_SHOWN);
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

int flow_start_by_hand(struct req *r, const struct uuid *flow_id, json_t *payload,
    struct uuid record_id, struct uuid *id, struct err *err)
{
	struct starting s = {.r = r,
	    .start = {.account_id = r->actor.account_id,
		.flow_id = *flow_id,
		.kind = TRIGGER_MANUAL,
		.payload = payload,
		.record_id = record_id}};
	int rc = db_transaction(r->app->db, run_body, &s, err);

	*id = s.start.execution_id;
	return rc;
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
	struct payload_body body;
	struct uuid flow_id, id;
	struct flow f;
	struct err err = ERR_INIT;

	if (!req_param_uuid(r, "id", &flow_id) || !payload_read(r, false, &body))
		return 0;
	if (flow_start_by_hand(r, &flow_id, body.payload, (struct uuid){{0}}, &id, &err) == -1)
		return res_error(r, &err);
	if (!uuid_is_nil(id))
		return started_answer(r, id);
	if (flow_of_route(r, &f))
		res_problem(r, 409,
		    "The flow is not published, so it cannot be run: publish it, or test it");
	return 0;
}

/* ---- trying out ------------------------------------------------------------------------------ */

json_t *flow_try(struct req *r, const struct flow_plan *plan, const struct uuid *flow_id,
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

int flow_test_start(
    struct req *r, const struct flow *f, json_t *payload, struct uuid *id, struct err *err)
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

	json_set(t.x.plan, "steps", json_incref(f->steps));
	json_set(t.x.plan, "settings", json_incref(f->settings));
	*id = t.x.id;
	return db_transaction(r->app->db, test_body, &t, err);
}

int flow_api_test(struct req *r)
{
	struct flow f;
	struct flow_plan plan;
	struct payload_body body;
	struct err err = ERR_INIT;
	struct uuid id;

	if (!flow_of_route(r, &f) || !payload_read(r, true, &body) || !draft_plan(r, &f, &plan))
		return 0;
	if (!body.is_dry)
		return flow_test_start(r, &f, body.payload, &id, &err) == -1
			   ? res_error(r, &err)
			   : started_answer(r, id);
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

int execution_api_cancel(struct req *r)
{
	struct execution x;
	struct err err = ERR_INIT;

	if (!execution_of_route(r, &x))
		return 0;
	if (execution_end_by_hand(r, &x, &err) == -1)
		return res_error(r, &err);
	return res_json(r, x.finished_us != 0 ? 200 : 202, execution_json(r->a, &x, false));
}

/* ---- replay ---------------------------------------------------------------------------------- */

static bool replay_read(struct req *r, struct replay_words *out)
{
	*out = (struct replay_words){NULL, NULL};
	if (r->json != NULL && !req_read_body(r, JSON_MEMBERS(replay_members), out))
		return false;
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

int execution_api_replay(struct req *r)
{
	struct execution of;
	struct replay p = {.of = &of};
	struct replay_words words;
	struct err err = ERR_INIT;

	if (!execution_of_route(r, &of) || !replay_read(r, &words))
		return 0;
	replay_ask(&p, &words);
	if (replay_prepare(r->app, r->a, &p, &err) == -1 || replay_run(r, &p, &err) == -1)
		return res_error(r, &err);
	return started_answer(r, p.x.id);
}
