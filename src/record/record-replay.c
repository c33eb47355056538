/* Running what is subscribed to a record again: for one, or for all that a filter matches. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/http-client.h"
#include "record/record-bulk.h"

#define RATE_MAX 1000
#define BATCH 100 /* runs between two savings of the position, no more than a second's */
#define FLOW_IDS_MAX 100
#define FLOW_IDS_RULE "must be a list of one to 100 ids"
#define COUNT_BUDGET_US (3 * SECOND_US) /* of a dry run */

const struct task_kind record_replay_task = {.name = "replay",
    .job = "record.replay",
    .untitled = "Flows run again",
    .doing = "Running flows again for",
    .did = "Ran flows again for",
    .received = {"Looked at", "records"},
    .created = {"Started", "flow runs"},
    .unchanged = {"Without a flow", "records"},
    .failed = {"Failed", "records"}};

/* ---- one record ---------------------------------------------------------------------------- */

/* Adds what it ran to ids. */
static int replay_run_flows(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const json_t *record, const json_t *flow_ids, int64_t *matched,
    json_t *ids, struct err *err)
{
	struct record_dispatch d = {*account_id, *id, record, flow_ids};

	*matched = 0;
	return app->hooks.record_dispatch == NULL
		   ? 0
		   : app->hooks.record_dispatch(app, a, &d, matched, ids, err);
}

int record_replay(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const json_t *flow_ids, json_t **out, struct err *err)
{
	json_t *ids = json_own(a, json_array()), *record;
	int64_t matched;
	int found = record_get_json(app, a, account_id, id, &record, err);

	if (found != 1)
		return found;
	if (replay_run_flows(app, a, account_id, id, record, flow_ids, &matched, ids, err) == -1)
		return -1;
	*out = json_own(a, json_object());
	json_set_int(*out, "matched", matched);
	json_set_int(*out, "ran", (int64_t)json_array_size(ids));
	json_set(*out, "executionIds", json_incref(ids));
	return 1;
}

/* The body's flowIds must be ids; req_invalid says if not. */
static void replay_check_flow_ids(struct req *r, const json_t *ids)
{
	struct uuid id;

	for (size_t i = 0; i < json_array_size(ids); i++) {
		if (uuid_parse(str_from(json_string_value(json_array_get(ids, i))), &id))
			continue;
		req_invalid(r, "flowIds", "must be a list of ids");
		return;
	}
}

int record_api_replay(struct req *r)
{
	static const struct json_member members[] = {{"flowIds", READ_LIST, .need = READ_NULLABLE,
	    .min = 1, .max = FLOW_IDS_MAX, .rule = FLOW_IDS_RULE}};
	json_t *flow_ids = NULL;
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *out;
	int found;

	if (!req_param_uuid(r, "id", &id) ||
	    (r->json != NULL && !req_read_body(r, JSON_MEMBERS(members), &flow_ids)))
		return 0;
	replay_check_flow_ids(r, flow_ids);
	if (req_has_invalid(r))
		return res_invalid(r);
	found = record_replay(r->app, r->a, &r->actor.account_id, &id, flow_ids, &out, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record");
	return res_json(r, 200, json_incref(out));
}

/* ---- all that a filter matches: the request ------------------------------------------------ */

static bool filter_is_empty(const struct record_filter *f)
{
	return f->provider_type.p == NULL && f->resource_type.p == NULL && f->source.p == NULL &&
	       f->search.p == NULL && f->lead_status.p == NULL && uuid_is_nil(f->lead_connection) &&
	       uuid_is_nil(f->connection) && !f->updated_after.is_given &&
	       !f->updated_before.is_given && f->nwhere == 0;
}

static int filter_refuse_empty(struct err *err)
{
	return err_field(err, ERR_INVALID, "filter",
	    "must say which records: all of them at once are not replayed");
}

/* The filter as it may be replayed; errors name the field within the body. */
static int replay_read_filter(struct arena *a, const json_t *json, const struct uuid *account_id,
    struct record_filter *out, struct err *err)
{
	struct search_terms terms = {0};

	if (json == NULL)
		return filter_refuse_empty(err);
	if (record_filter_from_json(a, json, account_id, out, err) == 0 &&
	    record_filter_check(out, err) == 0 && search_terms_add_filter(&terms, a, out, err) == 0)
		return filter_is_empty(out) ? filter_refuse_empty(err) : 0;
	if (err->code == ERR_INVALID && strcmp(err->field, "filter") != 0) {
		const char *field = arena_printf(a, "filter.%s", err->field);

		snprintf(err->field, sizeof(err->field), "%s", field);
	}
	return -1;
}

int record_replay_all(struct req *r, struct record_replay_wish *wish, struct err *err)
{
	const struct record_bulk b = {&record_replay_task, "record.replay", wish->filter};
	struct task t;
	struct record_filter f;
	json_t *args = json_own(r->a, json_object());

	if (replay_read_filter(r->a, wish->filter, &r->actor.account_id, &f, err) == -1)
		return -1;
	json_set(args, "filter", json_deep_copy(wish->filter));
	json_set(args, "flowIds", json_deep_copy(wish->flow_ids));
	json_set_int(args, "ratePerSecond", wish->rate == 0 ? RECORD_REPLAY_RATE : wish->rate);
	json_set_int(args, "seenBefore", clock_now_us());
	wish->task_id = uuid_new();
	t = (struct task){.id = wish->task_id,
	    .provider_type = f.provider_type,
	    .resource_type = f.resource_type,
	    .args = json_text(r->a, args)};
	return record_bulk_queue(r, &b, &t, &wish->job_id, err);
}

struct wish_body {
	json_t *filter, *flow_ids;
	int64_t rate;
	bool is_dry;
};

/* False after an answer. */
static bool wish_read(
    struct req *r, struct record_replay_wish *w, struct record_filter *f, bool *is_dry)
{
	static const struct json_member members[] = {
	    {"filter", READ_ANY, JSON_INTO(struct wish_body, filter)},
	    {"dryRun", READ_BOOL, JSON_INTO(struct wish_body, is_dry)},
	    {"flowIds", READ_LIST, JSON_INTO(struct wish_body, flow_ids), .need = READ_NULLABLE,
		.min = 1, .max = FLOW_IDS_MAX, .rule = FLOW_IDS_RULE},
	    {"ratePerSecond", READ_INT, JSON_INTO(struct wish_body, rate), .min = 1,
		.max = RATE_MAX}};
	struct wish_body body = {.rate = RECORD_REPLAY_RATE};
	struct err err = ERR_INIT;

	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return false;
	w->filter = body.filter;
	w->flow_ids = body.flow_ids;
	w->rate = body.rate;
	*is_dry = body.is_dry;
	replay_check_flow_ids(r, body.flow_ids);
	if (replay_read_filter(r->a, w->filter, &r->actor.account_id, f, &err) == -1)
		req_invalid(r, err.field, "%s", err.msg);
	if (!req_has_invalid(r))
		return true;
	res_invalid(r);
	return false;
}

static int replay_answer_count(struct req *r, const struct record_filter *f)
{
	struct err err = ERR_INIT;
	int64_t n;
	bool is_exact;
	json_t *o;

	if (record_bulk_count(r->app, r->a, f, COUNT_BUDGET_US, &n, &is_exact, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set_int(o, "count", n);
	json_set_bool(o, "countIsExact", is_exact);
	return res_json(r, 200, o);
}

int record_api_replay_all(struct req *r)
{
	struct record_replay_wish wish = {0};
	struct record_filter f;
	struct err err = ERR_INIT;
	bool is_dry;
	json_t *o;

	if (!wish_read(r, &wish, &f, &is_dry))
		return 0;
	if (is_dry)
		return replay_answer_count(r, &f);
	if (record_replay_all(r, &wish, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set_str(o, "jobId", uuid_dup(r->a, wish.job_id));
	json_set_str(o, "importId", uuid_dup(r->a, wish.task_id));
	json_set_str(o, "status", "queued");
	res_headerf(r, "Location", "/connect/v1/imports/%s", uuid_dup(r->a, wish.task_id));
	return res_json(r, 202, o);
}

/* ---- the job ------------------------------------------------------------------------------- */

/* One run of the job. */
struct record_replaying {
	struct job *job;
	struct record_walk walk;
	const json_t *flow_ids;
	int64_t rate;
	struct task_counts counts; /* of this run */
	bool is_end;
};

static bool replay_is_batch(const struct record_replaying *p)
{
	return p->counts.updated + p->counts.failed >= (p->rate < BATCH ? p->rate : BATCH);
}

static int replay_one(void *arg, const struct record_row *row, struct err *err)
{
	struct record_replaying *p = arg;
	struct job *j = p->job;
	json_t *ids = json_own(row->a, json_array()), *record;
	struct err why = ERR_INIT;
	int64_t matched = 0;

	if ((record = record_json(row, false, &why)) == NULL ||
	    replay_run_flows(j->app, row->a, &j->account_id, &row->id, record, p->flow_ids,
		&matched, ids, &why) == -1) {
		/* With the database away none of them would fare better: the job comes back. */
		if (why.code == ERR_UNAVAILABLE || why.code == ERR_RETRY || why.code == ERR_LOCKED)
			return err_set(err, why.code, "%s", why.msg);
		log_warn(
		    "record.replay", LOG_S("record", uuid_dup(row->a, row->id)), LOG_ERR(&why));
		p->counts.failed++;
	} else if (matched == 0) {
		p->counts.unchanged++;
	} else {
		p->counts.updated++;
		p->counts.created += (int64_t)json_array_size(ids);
	}
	p->counts.received++;
	return replay_is_batch(p);
}

/* Pages until a saving is due. */
static int replay_some(struct record_replaying *p, struct err *err)
{
	struct http_client *http = p->job->app->http;
	int64_t began_us = clock_mono_us(), wait_us;
	int more;

	do {
		more = record_walk_page(&p->walk, replay_one, p, err);
		http_client_sleep(http, 1); /* the runner's other jobs go on */
	} while (more == 1 && !replay_is_batch(p) && clock_mono_us() - began_us < SECOND_US);
	if (more == -1)
		return -1;
	p->is_end = more == 0;
	/* Those that nothing is subscribed to cost nothing. */
	wait_us = (p->counts.updated + p->counts.failed) * SECOND_US / p->rate -
		  (clock_mono_us() - began_us);
	if (wait_us > 0)
		http_client_sleep(http, wait_us / 1000);
	return 0;
}

/* Saves what ran. */
static int replay_save_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	const struct record_replaying *p = arg;
	struct task_counts *c = &next->counts;

	(void)db;
	(void)err;
	c->received += p->counts.received;
	c->created += p->counts.created;
	c->updated += p->counts.updated;
	c->unchanged += p->counts.unchanged;
	c->failed += p->counts.failed;
	next->done += p->counts.received;
	if (!p->is_end)
		next->position = record_bulk_position(a, &p->walk);
	*then = p->is_end ? TASK_DONE : TASK_AGAIN;
	return 0;
}

static int replay_next(struct task_run *run, struct err *err)
{
	struct job *j = run->job;
	struct record_replaying p = {.job = j};
	json_t *args = json_parse_stored(j->a, run->task.args, err);
	struct record_filter f;

	if (args == NULL || record_bulk_walk(&p.walk, j->app, j->a, &run->task, args, &f,
				json_int(args, "seenBefore"), err) == -1)
		return -1;
	p.rate = json_int(args, "ratePerSecond");
	if (p.rate < 1)
		p.rate = RECORD_REPLAY_RATE;
	p.flow_ids = json_object_get(args, "flowIds");
	if (json_is_null(p.flow_ids))
		p.flow_ids = NULL;
	if (replay_some(&p, err) == -1)
		return -1;
	run->is_outside = true;
	return task_run_step(run, replay_save_work, &p, err);
}

int record_job_replay(struct job *j, struct err *err)
{
	struct task_run *run;
	int found = task_run_begin(j, &record_replay_task, &run, err);

	if (found == 1 && replay_next(run, err) == -1)
		return task_run_fail(run, record_bulk_is_hopeless(err), err);
	return found == -1 ? -1 : 0;
}
