/* Running what is subscribed to a record again: for one, or for all that a filter matches. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/http-client.h"
#include "record/record-walk.h"

#define RATE_DEFAULT 50 /* runs a second */
#define RATE_MAX 1000
#define BATCH 100   /* runs between two savings of the position, no more than a second's */
#define ATTEMPTS 15 /* of one batch; then the replay has failed */
#define FLOW_IDS_MAX 100
#define COUNT_BUDGET_US (3 * SECOND_US) /* of a dry run */

DB_STMT(replay_import_insert,
    "INSERT INTO imports (id, account_id, kind, status, provider_type, resource_type, file_name,"
    " path, options, received, created, updated, unchanged, failed, line, bytes_done, bytes_total,"
    " created_by, created_at)"
    " VALUES (?,?,'replay','queued',?,?,'','',?,0,0,0,0,0,0,0,0,?,?)");
DB_STMT(replay_import_lock,
    "SELECT status FROM imports WHERE account_id = ? AND id = ? AND kind = 'replay' FOR UPDATE");
DB_STMT(replay_import_status,
    "SELECT status FROM imports WHERE account_id = ? AND id = ? AND kind = 'replay'");
DB_STMT(replay_import_progress,
    "UPDATE imports SET status = ?, received = received + ?, created = created + ?,"
    " updated = updated + ?, unchanged = unchanged + ?, failed = failed + ?,"
    " error = ?, started_at = COALESCE(started_at, ?), finished_at = ?"
    " WHERE account_id = ? AND id = ?");

/* ---- one record ---------------------------------------------------------------------------- */

/* Adds what it ran to ids. */
static int run(struct app *app, struct arena *a, const struct uuid *account_id,
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
	if (run(app, a, account_id, id, record, flow_ids, &matched, ids, err) == -1)
		return -1;
	*out = json_own(a, json_object());
	json_set_int(*out, "matched", matched);
	json_set_int(*out, "ran", (int64_t)json_array_size(ids));
	json_set(*out, "executionIds", json_incref(ids));
	return 1;
}

/* The body's flowIds, or NULL; wrong ones by req_invalid. */
static const json_t *read_flow_ids(struct req *r)
{
	json_t *ids = json_object_get(r->json, "flowIds");
	struct uuid id;

	if (ids == NULL || json_is_null(ids))
		return NULL;
	if (!json_is_array(ids) || json_array_size(ids) == 0 ||
	    json_array_size(ids) > FLOW_IDS_MAX) {
		req_invalid(r, "flowIds", "must be a list of one to %d ids", FLOW_IDS_MAX);
		return NULL;
	}
	for (size_t i = 0; i < json_array_size(ids); i++)
		if (!uuid_parse(str_from(json_string_value(json_array_get(ids, i))), &id)) {
			req_invalid(r, "flowIds", "must be a list of ids");
			return NULL;
		}
	return ids;
}

/* A body that is an object of these members, or none where that will do; else it is answered. */
static bool check_body(struct req *r, bool is_needed, const char *const *keys)
{
	struct err err = ERR_INIT;

	if (r->json == NULL && !is_needed)
		return true;
	if (!json_is_object(r->json)) {
		res_problem(r, 400, "The body must be a JSON object");
		return false;
	}
	if (json_only_keys(r->json, keys, &err) == 0)
		return true;
	res_error(r, &err);
	return false;
}

int record_api_replay(struct req *r)
{
	static const char *const keys[] = {"flowIds", NULL};
	const json_t *flow_ids;
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *out;
	int found;

	if (!req_param_uuid(r, "id", &id) || !check_body(r, false, keys))
		return 0;
	flow_ids = read_flow_ids(r);
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

struct wish {
	struct record_filter filter;
	json_t *filter_json;
	const json_t *flow_ids;
	int64_t rate;
	bool is_dry;
};

static bool is_empty(const struct record_filter *f)
{
	return f->provider_type.p == NULL && f->resource_type.p == NULL && f->source.p == NULL &&
	       f->search.p == NULL && f->updated_after_us == 0 && f->updated_before_us == 0 &&
	       f->nwhere == 0;
}

static void read_filter(struct req *r, struct wish *w)
{
	struct search_terms terms = {0};
	struct err err = ERR_INIT;

	w->filter_json = json_object_get(r->json, "filter");
	if (w->filter_json != NULL &&
	    (record_filter_from_json(
		 r->a, w->filter_json, &r->actor.account_id, &w->filter, &err) == -1 ||
		record_filter_check(&w->filter, &err) == -1 ||
		search_terms_add_filter(&terms, r->a, &w->filter, &err) == -1))
		req_invalid(r,
		    strcmp(err.field, "filter") == 0 ? "filter"
						     : arena_printf(r->a, "filter.%s", err.field),
		    "%s", err.msg);
	else if (w->filter_json == NULL || is_empty(&w->filter))
		req_invalid(
		    r, "filter", "must say which records: all of them at once are not replayed");
}

/* False after an answer. */
static bool read_wish(struct req *r, struct wish *w)
{
	static const char *const keys[] = {"filter", "dryRun", "flowIds", "ratePerSecond", NULL};
	const json_t *rate, *dry;

	if (!check_body(r, true, keys))
		return false;
	rate = json_object_get(r->json, "ratePerSecond");
	dry = json_object_get(r->json, "dryRun");
	read_filter(r, w);
	w->flow_ids = read_flow_ids(r);
	w->rate = rate == NULL ? RATE_DEFAULT : json_integer_value(rate);
	if (w->rate < 1 || w->rate > RATE_MAX)
		req_invalid(r, "ratePerSecond", "must be a whole number from 1 to %d", RATE_MAX);
	if (dry != NULL && !json_is_boolean(dry))
		req_invalid(r, "dryRun", "must be true or false");
	w->is_dry = json_is_true(dry);
	if (!req_has_invalid(r))
		return true;
	res_invalid(r);
	return false;
}

static int answer_count(struct req *r, const struct wish *wish)
{
	struct record_walk w;
	struct err err = ERR_INIT;
	int64_t n;
	bool is_exact = true;
	json_t *o;

	if (record_count(r->app, r->a, &wish->filter, &n, &err) == -1 ||
	    (n < 0 && (record_walk_begin(&w, r->app, r->a, &wish->filter, &err) == -1 ||
			  record_walk_count(
			      &w, clock_mono_us() + COUNT_BUDGET_US, &n, &is_exact, &err) == -1)))
		return res_error(r, &err);
	o = json_object();
	json_set_int(o, "count", n);
	json_set_bool(o, "countIsExact", is_exact);
	return res_json(r, 200, o);
}

struct queueing {
	struct req *r;
	const struct wish *wish;
	struct uuid import_id;
	struct job job;
};

static struct str first_args(struct arena *a, const struct queueing *q)
{
	json_t *o = json_own(a, json_object());

	json_set(o, "filter", json_incref(q->wish->filter_json));
	json_set(o, "flowIds", json_deep_copy(q->wish->flow_ids));
	json_set_int(o, "ratePerSecond", q->wish->rate);
	json_set_int(o, "seenBefore", clock_now_us());
	return json_text(a, o);
}

static int queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct queueing *q = arg;
	struct req *r = q->r;
	const struct record_filter *f = &q->wish->filter;
	struct str args = first_args(r->a, q);

	q->job = (struct job){.id = uuid_new(),
	    .account_id = r->actor.account_id,
	    .kind = "record.replay",
	    .subject_id = q->import_id,
	    .args = args};
	if (db_exec(db, &replay_import_insert,
		DB_VALS(db_uuid(&q->import_id), db_uuid(&r->actor.account_id),
		    db_strn(f->provider_type.p == NULL ? STR("") : f->provider_type),
		    db_strn(f->resource_type.p == NULL ? STR("") : f->resource_type), db_strn(args),
		    db_uuid_or_null(&r->actor.user_id), db_int(clock_now_us())),
		NULL, err) == -1 ||
	    job_insert(db, &q->job, 1, err) == -1)
		return -1;
	audit_fact(log, "record.replay", "import", &q->import_id, q->wish->filter_json);
	return 0;
}

int record_api_replay_all(struct req *r)
{
	struct wish wish = {0};
	struct queueing q = {.r = r, .wish = &wish, .import_id = uuid_new()};
	struct err err = ERR_INIT;
	const char *import_id = uuid_dup(r->a, q.import_id);
	json_t *o;

	if (!read_wish(r, &wish))
		return 0;
	if (wish.is_dry)
		return answer_count(r, &wish);
	if (audit_change(r->app, r, &r->actor.account_id, queue_body, &q, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set_str(o, "jobId", uuid_dup(r->a, q.job.id));
	json_set_str(o, "importId", import_id);
	json_set_str(o, "status", "queued");
	res_headerf(r, "Location", "/connect/v1/imports/%s", import_id);
	return res_json(r, 202, o);
}

/* ---- the job ------------------------------------------------------------------------------- */

/* Progress of one run of the job: received records, of which with runs, without a subscriber and
 * failed; created counts the runs. */
struct replaying {
	struct job *job;
	json_t *args;
	const json_t *flow_ids;
	int64_t rate;
	int64_t received, created, updated, unchanged, failed;
	bool is_over;
	const char *error; /* why it is over before its end, or NULL */
};

static bool is_batch(const struct replaying *p)
{
	return p->updated + p->failed >= (p->rate < BATCH ? p->rate : BATCH);
}

static int replay_one(void *arg, const struct record_row *row, struct err *err)
{
	struct replaying *p = arg;
	struct job *j = p->job;
	json_t *ids = json_own(row->a, json_array()), *record;
	struct err why = ERR_INIT;
	int64_t matched = 0;

	if ((record = record_json(row, &why)) == NULL ||
	    run(j->app, row->a, &j->account_id, &row->id, record, p->flow_ids, &matched, ids,
		&why) == -1) {
		/* With the database away none of them would fare better: the job comes back. */
		if (why.code == ERR_UNAVAILABLE || why.code == ERR_RETRY)
			return err_set(err, why.code, "%s", why.msg);
		log_warn(
		    "record.replay", LOG_S("record", uuid_dup(row->a, row->id)), LOG_ERR(&why));
		p->failed++;
	} else if (matched == 0) {
		p->unchanged++;
	} else {
		p->updated++;
		p->created += (int64_t)json_array_size(ids);
	}
	p->received++;
	return is_batch(p);
}

static int is_cancelled(struct replaying *p, const struct db_stmt *s, struct err *err)
{
	struct job *j = p->job;
	struct db_rows rows;
	int found = db_row(j->app->db, j->a, s,
	    DB_VALS(db_uuid(&j->account_id), db_uuid(&j->subject_id)), &rows, err);

	if (found != 1)
		return found == -1 ? -1 : 1;
	return strcmp(db_get_text(&rows, 0, 0), "queued") != 0 &&
	       strcmp(db_get_text(&rows, 0, 0), "running") != 0;
}

static int save_body(struct db *db, void *arg, struct err *err)
{
	struct replaying *p = arg;
	struct job *j = p->job;
	int64_t now = clock_now_us();
	int cancelled = is_cancelled(p, &replay_import_lock, err);
	const char *status = p->error != NULL ? "failed" : p->is_over ? "completed" : "running";
	bool is_end = cancelled || p->is_over || p->error != NULL;

	if (cancelled == -1)
		return -1;
	/* What ran before the cancellation was seen counts as well. */
	if (db_exec(db, &replay_import_progress,
		DB_VALS(db_str(cancelled ? "cancelled" : status), db_int(p->received),
		    db_int(p->created), db_int(p->updated), db_int(p->unchanged), db_int(p->failed),
		    db_str(p->error), db_int(now), is_end ? db_int(now) : db_null(),
		    db_uuid(&j->account_id), db_uuid(&j->subject_id)),
		NULL, err) == -1)
		return -1;
	return is_end ? job_finish(db, j, err)
		      : job_reschedule(db, j, now, json_text(j->a, p->args), err);
}

/* Where the walk got to, for the next run of the job. */
static void save_position(struct replaying *p, const struct record_walk *w)
{
	const struct record_walk_kind *k = &w->kinds[w->kind];
	json_t *o = json_object();

	json_set_strn(o, "providerType", k->provider_type);
	json_set_strn(o, "resourceType", k->resource_type);
	json_set_strn(o, "externalId", (struct str){w->after, w->nafter});
	json_set(p->args, "position", o);
}

/* Pages until a saving is due. */
static int replay_some(struct replaying *p, struct record_walk *w, struct err *err)
{
	struct job *j = p->job;
	int64_t began_us = clock_mono_us(), wait_us;
	int more;

	do {
		more = record_walk_page(w, replay_one, p, err);
		http_client_sleep(j->app->http, 1); /* the runner's other jobs go on */
	} while (more == 1 && !is_batch(p) && clock_mono_us() - began_us < SECOND_US);
	if (more == -1)
		return -1;
	p->is_over = more == 0;
	if (more == 1)
		save_position(p, w);
	/* Those that nothing is subscribed to cost nothing. */
	wait_us = (p->updated + p->failed) * SECOND_US / p->rate - (clock_mono_us() - began_us);
	if (wait_us > 0)
		http_client_sleep(j->app->http, wait_us / 1000);
	return 0;
}

static int replay_next(struct replaying *p, struct err *err)
{
	struct job *j = p->job;
	const json_t *at = json_object_get(p->args, "position");
	struct record_filter f;
	struct record_walk w;

	if (record_filter_from_json(
		j->a, json_object_get(p->args, "filter"), &j->account_id, &f, err) == -1 ||
	    record_walk_begin(&w, j->app, j->a, &f, err) == -1)
		return -1;
	w.seen_before_us = json_int(p->args, "seenBefore");
	if (at != NULL)
		record_walk_seek(&w, str_from(json_str(at, "providerType")),
		    str_from(json_str(at, "resourceType")), str_from(json_str(at, "externalId")));
	return replay_some(p, &w, err);
}

int record_job_replay(struct job *j, struct err *err)
{
	struct replaying p = {.job = j};
	struct err why = ERR_INIT;
	int cancelled = is_cancelled(&p, &replay_import_status, err);

	if (cancelled == -1 || (p.args = json_parse(j->a, j->args, err)) == NULL)
		return -1;
	p.rate = json_int(p.args, "ratePerSecond");
	if (p.rate < 1)
		p.rate = RATE_DEFAULT;
	p.flow_ids = json_object_get(p.args, "flowIds");
	if (json_is_null(p.flow_ids))
		p.flow_ids = NULL;
	if (!cancelled && replay_next(&p, &why) == -1) {
		if (j->attempts < ATTEMPTS)
			return err_set(err, why.code, "%s", why.msg);
		p.error = why.msg;
	}
	if (db_transaction(j->app->db, save_body, &p, err) == -1)
		return -1;
	job_wake(j->app->config); /* for the rest, at once */
	return 0;
}
