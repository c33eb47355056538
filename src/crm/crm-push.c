/* The jobs crm.push (one lead to one destination) and crm.push_all (every waiting lead).
 *
 *	pending ──> attempt ──taken────────────────────────────────> success
 *	             ^   │ ├──refused, not permitted, or the lead lacks a value──> failed, not again
 *	             │   │ │                                                        by itself
 *	             │   │ └──busy, down, not let in─> attempts left? ──no─> failed until next_us
 *	             ├───┼──────── job_retry ────────────┘ yes                │ 5 min … 24 h
 *	             └───┼────────────────── a new round ─────────────────────┤
 *	                 v                                                    v after the last round
 *	  the destination was removed or disabled: skipped                  dead
 *
 *	an end, but the lead was corrected since it was read ──> pending, at once with the new form
 *
 * - The call is outside any transaction. What came of it is in one: the attempt, the ledger's row,
 *   the lead's own status, and the job's end or next time.
 * - A runner may die between the call and that transaction, and then the attempt is repeated. Each
 *   attempt carries the ledger row's id as its Idempotency-Key, so the destination can tell.
 * - A wait is a row, not a sleep: it outlives the process and holds no slot.
 * - While a destination is known to be dead, or not to let us in, its jobs wait in their lane, and
 *a probe that finds it so still is none of the round's attempts: otherwise an outage, or a token
 *   that was revoked, would use up every push.
 * - A dead push has a dead job, whoever gave it up: run again, both live (crm-death.c).
 * - push_all queues a page of leads per transaction, which also moves its cursor, so a run that was
 *   cut off goes on where it stopped. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "crm/crm-internal.h"

/* When the attempts of one round are used up: minutes until the next round; after the last one the
 * push is dead. */
static const int64_t push_rounds_minutes[] = {5, 30, 120, 300, 600, 840, 1200, 1440};
#define PUSH_ROUNDS (int)(sizeof(push_rounds_minutes) / sizeof(push_rounds_minutes[0]))

struct lead_push {
	struct job *job;
	struct delivery d;
	const struct connection *to;
	struct delivery_attempt attempt;
	bool has_attempt, has_failed;
	int rounds;       /* before this run */
	int64_t again_us; /* 0: the job is over */
	bool is_given_up; /* the job is dead, until somebody runs it again */
	bool is_retry;    /* again_us ends a wait within a round */
	bool is_counted;  /* this try is one of the round's */
	bool is_outdated; /* what it sent is no longer the lead: it goes on with what is */
	bool is_gone;     /* the destination, or it is disabled */
	json_t *missing;  /* what the attempt's mapping did not find in the lead */
};

/* ---- outcome ----------------------------------------------------------------------------- */

static int push_go_on(struct db *db, const struct lead_push *p, struct err *err)
{
	if (p->is_outdated)
		return job_reschedule(db, p->job, clock_now_us(), p->job->args, err);
	if (p->is_given_up)
		return job_die(db, p->job, p->d.error, err);
	if (p->is_retry)
		return job_retry(db, p->job, p->again_us, p->is_counted, err);
	return job_reschedule(db, p->job, p->again_us, p->job->args, err);
}

static int pushes_end_jobs(struct db *db, void *const *args, size_t n, struct err *err)
{
	struct job *over[LIMIT_DB_BATCH];
	size_t nover = 0;

	for (size_t i = 0; i < n; i++) {
		const struct lead_push *p = args[i];
		struct job *j = p->job;

		if (p->again_us == 0 && !p->is_given_up && !p->is_outdated)
			over[nover++] = j;
		else if (push_go_on(db, p, err) == -1)
			return -1;
	}
	return job_finish_many(db, over, nover, err);
}

/* What failed with credentials or settings that have been changed meanwhile is tried again at once,
 * with what they are now, and was no try. */
static int push_mind_changes(struct lead_push *p, struct arena *a, struct err *err)
{
	int is_changed = p->has_failed ? connection_was_changed(p->job->app, a, p->to, err) : 0;

	if (is_changed != 1)
		return is_changed;
	p->is_given_up = p->is_counted = false;
	p->is_retry = true;
	p->d.status = DELIVERY_PENDING;
	p->d.rounds = p->rounds;
	p->again_us = p->d.next_us = clock_now_us();
	job_note_peer(p->job, JOB_PEER_UNKNOWN, NULL);
	return 0;
}

static int pushes_store_body(struct db *db, void *const *args, size_t n, struct err *err)
{
	struct push_outcome v[LIMIT_DB_BATCH];
	struct arena *a = arena_new();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct lead_push *p = args[i];

		rc = push_mind_changes(p, a, err);
		v[i] = (struct push_outcome){.d = &p->d,
		    .attempt = p->has_attempt ? &p->attempt : NULL,
		    .is_end = p->is_given_up || (p->again_us == 0 && !p->is_gone)};
	}
	if (rc == 0)
		rc = deliveries_store(db, a, v, n, err);
	for (size_t i = 0; i < n; i++)
		((struct lead_push *)args[i])->is_outdated = v[i].is_outdated;
	if (rc == 0)
		rc = pushes_end_jobs(db, args, n, err);
	arena_free(a);
	return rc;
}

static int push_end_as(struct lead_push *p, const char *status, const char *error, struct err *err)
{
	p->d.status = status;
	p->d.error = error;
	p->d.next_us = p->again_us;
	return job_transaction_many(p->job, pushes_store_body, p, err);
}

static int push_end_round(struct lead_push *p, const char *error, struct err *err)
{
	p->d.rounds++;
	if (p->d.rounds > PUSH_ROUNDS) {
		log_warn("crm.dead", LOG_S("lead", uuid_dup(p->job->a, p->d.lead_id)),
		    LOG_S("destination", p->to->name), LOG_S("error", error));
		p->is_given_up = true;
		return push_end_as(p, DELIVERY_DEAD, error, err);
	}
	p->again_us = clock_now_us() + push_rounds_minutes[p->d.rounds - 1] * 60 * SECOND_US;
	return push_end_as(p, DELIVERY_FAILED, error, err);
}

/* ---- attempts ---------------------------------------------------------------------------- */

/* The wait is a row: it outlives this process and holds no slot. While the destination is known to
 * be dead, or not to let us in, its jobs wait in their lane, and the try that found it so still is
 * none of the round's. */
static int push_wait_for_next(
    struct lead_push *p, const struct connection_call *call, struct err *err)
{
	bool is_ill = job_found_target_ill(p->job);

	p->is_retry = true;
	p->is_counted = !is_ill;
	p->again_us = clock_now_us() + (is_ill ? 0 : call->again_ms * 1000);
	p->d.next_us = p->again_us;
	return job_transaction_many(p->job, pushes_store_body, p, err);
}

static json_t *push_inputs(struct lead_push *p, struct err *err)
{
	struct arena *a = p->job->a;
	json_t *inputs, *body;

	p->missing = json_own(a, json_array());
	body = crm_map_lead(a, p->to, p->d.mapping, p->d.lead, p->missing, err);
	if (body == NULL)
		return NULL;
	inputs = json_own(a, json_object());
	json_set(inputs, "body", json_incref(body));
	json_set_str(inputs, "idempotencyKey", uuid_dup(a, p->d.id));
	json_set_str(inputs, "deliveryId", uuid_dup(a, uuid_new()));
	return inputs;
}

static int push_attempt_begin(struct connection_call *call, void *arg, struct err *err)
{
	struct lead_push *p = arg;

	p->has_attempt = false; /* the one before is on record */
	call->inputs = push_inputs(p, err);
	if (call->inputs == NULL)
		return -1;
	p->d.attempts++;
	return 0;
}

static void push_attempt_note(struct lead_push *p, const struct connection_call *call)
{
	const struct call_result *res = &call->result;

	p->has_attempt = true;
	p->has_failed = res->class != CALL_OK;
	p->attempt = (struct delivery_attempt){.number = p->d.attempts,
	    .at_us = call->at_us,
	    .duration_us = call->duration_us,
	    .http_status = res->status,
	    .error = res->class == CALL_OK ? NULL : res->error,
	    .answer = res->answer,
	    .missing = p->missing};
	p->d.http_status = p->attempt.http_status;
	p->d.error = p->attempt.error;
}

/* An answer that will be the same next time, until somebody changes something. */
static bool is_refusal(enum call_class class)
{
	return class == CALL_FATAL || class == CALL_PERMISSION || class == CALL_CONFLICT ||
	       class == CALL_NOT_FOUND;
}

static int push_attempt(struct lead_push *p, struct err *err)
{
	struct connection_call call = {.app = p->job->app,
	    .a = p->job->a,
	    .c = p->to,
	    .action = "push",
	    .policy = call_policy(p->job->app->config),
	    .begin = push_attempt_begin,
	    .arg = p,
	    .attempt = p->job->tries};
	const struct call_result *res = &call.result;

	if (connection_call_attempt(&call, err) == -1)
		return -1;
	p->to = call.c;
	push_attempt_note(p, &call);
	job_note_peer(p->job, connection_call_peer(&call), res->error);
	if (res->class == CALL_OK) {
		p->d.external_id = json_str(res->output, "externalId");
		return push_end_as(p, DELIVERY_SUCCESS, NULL, err);
	}
	if (call.again_ms >= 0 || job_found_target_ill(p->job))
		return push_wait_for_next(p, &call, err);
	if (is_refusal(res->class))
		return push_end_as(p, DELIVERY_FAILED, res->error, err);
	return push_end_round(p, res->error, err);
}

/* What the lead or its mapping lacks is no fault of the destination: on record, and not tried again
 * by itself. */
static int push_attempt_or_explain(struct lead_push *p, struct err *err)
{
	struct err why = ERR_INIT;

	if (push_attempt(p, &why) == 0)
		return 0;
	if (why.code == ERR_INVALID && !p->job->is_ended)
		return push_end_as(p, DELIVERY_FAILED, why.msg, err);
	return err_set(err, why.code, "%s", why.msg);
}

static int push_find(struct job *j, struct delivery *out, struct err *err)
{
	if (j->loaded == NULL)
		return delivery_load(j->app->db, j->a, &j->account_id, &j->subject_id, out, err);
	*out = *(const struct delivery *)j->loaded;
	return 1;
}

int crm_job_push(struct job *j, struct err *err)
{
	struct lead_push p = {.job = j};
	struct connection *to = NULL;
	int found = push_find(j, &p.d, err);

	if (found != 1 || strcmp(p.d.status, DELIVERY_SUCCESS) == 0)
		return found == -1 ? -1 : 0;
	p.rounds = p.d.rounds;
	found = connection_recent(j->app, j->a, &j->account_id, &p.d.connection_id, &to, err);
	if (found == -1)
		return -1;
	p.to = to;
	p.is_gone = found == 0 || strcmp(p.to->status, CONNECTION_DISABLED) == 0;
	if (found == 0)
		return push_end_as(&p, DELIVERY_SKIPPED, "the destination was removed", err);
	if (strcmp(p.to->status, CONNECTION_DISABLED) == 0)
		return push_end_as(&p, DELIVERY_SKIPPED, "the destination is disabled", err);
	return push_attempt_or_explain(&p, err);
}

/* ---- hand-over from the lead pipeline ---------------------------------------------------- */

int crm_on_lead_ready(struct job *j, struct lead_ready *leads, size_t n, struct err *err)
{
	struct delivery_queueing q = {.app = j->app,
	    .a = arena_new(),
	    .parent = j,
	    .how = j->class == JOB_BULK ? PUSH_BULK : PUSH_LIVE,
	    .account_id = j->account_id};
	struct lead_sync *sync = arena_array(q.a, n, sizeof(*sync));
	int rc;

	for (size_t i = 0; i < n; i++)
		sync[i].lead_id = leads[i].lead_id;
	rc = deliveries_queue(&q, sync, n, err);
	for (size_t i = 0; i < n; i++)
		leads[i].sync_status = sync[i].status;
	arena_free(q.a);
	return rc;
}

int crm_on_lead_corrected(struct job *j, struct lead_ready *leads, size_t n, struct err *err)
{
	struct delivery_queueing q = {.app = j->app,
	    .a = arena_new(),
	    .how = j->class == JOB_BULK ? PUSH_BULK : PUSH_LIVE,
	    .account_id = j->account_id};
	struct uuid *ids = arena_array(q.a, n, sizeof(*ids));
	int *revisions = arena_array(q.a, n, sizeof(*revisions)), rc;

	for (size_t i = 0; i < n; i++) {
		ids[i] = leads[i].lead_id;
		revisions[i] = leads[i].revision;
	}
	rc = deliveries_correct(&q, ids, revisions, n, err);
	arena_free(q.a);
	return rc;
}

/* The same, with what it makes of the leads stored. */
static int deliveries_queue_stored(
    struct delivery_queueing *q, const struct uuid *leads, size_t n, struct err *err)
{
	struct lead_sync *sync = arena_array(q->a, n + 1, sizeof(*sync));

	for (size_t i = 0; i < n; i++)
		sync[i].lead_id = leads[i];
	if (deliveries_queue(q, sync, n, err) == -1)
		return -1;
	return lead_set_sync_statuses(q->app->db, &q->account_id, sync, n, err);
}

struct push_queueing {
	struct req *r;
	const struct uuid *lead_id;
	size_t n;
};

static int push_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct push_queueing *q = arg;
	struct req *r = q->r;

	struct delivery_queueing to = {
	    .app = r->app, .a = r->a, .how = PUSH_BY_HAND, .account_id = r->actor.account_id};

	(void)db;
	if (deliveries_queue_stored(&to, q->lead_id, 1, err) == -1)
		return -1;
	q->n = to.queued;
	if (q->n == 0)
		return 1;
	audit_fact(log, "lead.push", "lead", q->lead_id, NULL);
	return 0;
}

int crm_queue_lead(struct req *r, const struct uuid *lead_id, size_t *n, struct err *err)
{
	struct push_queueing q = {r, lead_id, 0};
	json_t *lead;
	int found = lead_get_json(r->app, r->a, &r->actor.account_id, lead_id, &lead, err);

	if (found != 1)
		return found;
	if (strcmp(json_str(lead, "stage"), LEAD_READY) != 0)
		return err_set(err, ERR_CONFLICT,
		    "The lead's details have not been fetched yet, so there is nothing to push");
	if (audit_change(r->app, r, &r->actor.account_id, push_queue_body, &q, err) == -1)
		return -1;
	*n = q.n;
	return 1;
}

/* ---- all waiting leads ------------------------------------------------------------------- */

#define PUSH_ALL_STEP 200

/* First what no destination has taken, then what one has and another has not. */
struct push_all {
	struct job *job;
	bool is_beside;
	struct uuid after, only; /* only: the one destination meant, or nil */
	int64_t left;            /* leads to go, or -1: all */
};

static struct str push_all_args(const struct push_all *p)
{
	struct arena *a = p->job->a;
	json_t *args = json_own(a, json_object());

	json_set_str(args, "after", uuid_dup(a, p->after));
	json_set_bool(args, "beside", p->is_beside);
	if (!uuid_is_nil(p->only))
		json_set_str(args, "connectionId", uuid_dup(a, p->only));
	if (p->left >= 0)
		json_set_int(args, "left", p->left);
	return json_text(a, args);
}

/* Those that are ready are pushed; the others get their details first, and then go to all. */
static int push_all_queue(
    const struct push_all *p, const struct waiting_lead *leads, size_t n, struct err *err)
{
	struct job *j = p->job;
	struct delivery_queueing q = {.app = j->app,
	    .a = j->a,
	    .how = PUSH_BULK,
	    .account_id = j->account_id,
	    .only = uuid_is_nil(p->only) ? NULL : &p->only};
	struct uuid ids[LIMIT_DB_BATCH];
	size_t nids = 0;

	for (size_t i = 0; i < n; i++) {
		if (leads[i].is_ready)
			ids[nids++] = leads[i].id;
		else if (q.only == NULL && lead_process_again(j->app->db, j->a, &j->account_id,
					       &leads[i].id, err) == -1)
			return -1;
	}
	return deliveries_queue_stored(&q, ids, nids, err);
}

/* One page in one transaction, which also moves the job's cursor. */
static int push_all_body(struct db *db, void *arg, struct err *err)
{
	struct push_all next = *(struct push_all *)arg;
	struct job *j = next.job;
	const struct uuid *only = uuid_is_nil(next.only) ? NULL : &next.only;
	int64_t most = next.left >= 0 && next.left < PUSH_ALL_STEP ? next.left : PUSH_ALL_STEP;
	struct waiting_lead *leads;
	size_t n;

	if ((next.is_beside ? deliveries_dead_leads(db, j->a, &j->account_id, only, &next.after,
				  most, &leads, &n, err)
			    : deliveries_waiting_leads(db, j->a, &j->account_id, &next.after, most,
				  &leads, &n, err)) == -1)
		return -1;
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH)
		if (push_all_queue(&next, leads + i,
			n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH, err) == -1)
			return -1;
	if (next.left == (int64_t)n || (n == 0 && next.is_beside))
		return job_finish(db, j, err);
	next.left -= next.left < 0 ? 0 : (int64_t)n;
	next.is_beside = next.is_beside || n == 0;
	next.after = n == 0 ? (struct uuid){{0}} : leads[n - 1].position;
	return job_reschedule(db, j, clock_now_us(), push_all_args(&next), err);
}

int crm_job_push_all(struct job *j, struct err *err)
{
	struct push_all p = {.job = j, .left = -1};
	const json_t *args = job_args(j, err);

	if (args == NULL)
		return -1;
	if (json_str(args, "after") != NULL)
		uuid_parse(str_from(json_str(args, "after")), &p.after);
	if (json_str(args, "connectionId") != NULL)
		uuid_parse(str_from(json_str(args, "connectionId")), &p.only);
	if (json_object_get(args, "left") != NULL)
		p.left = json_int(args, "left");
	p.is_beside = json_bool(args, "beside");
	return db_transaction(j->app->db, push_all_body, &p, err);
}
