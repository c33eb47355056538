/* The job crm.push: one lead to one destination. How a delivery goes on after an attempt is told in
 * delivery/delivery.h; here is what is about leads.
 *
 * - The call is outside any transaction. What came of it is in one: the attempts, the ledger's row,
 *   the lead's own status, and the job's end or next time.
 * - A runner may die between the call and that transaction, and then the attempt is repeated. Each
 *   attempt carries the ledger row's id as its Idempotency-Key, so the destination can tell.
 * - An end is none when the lead was corrected since it was read: pending, at once with the new
 * form.
 * - What the lead or its mapping lacks is no fault of the destination: on record, and not tried
 * again by itself.
 * - A dead push has a dead job, whoever gave it up: run again, both live (crm-death.c). */

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crm/crm-internal.h"

/* One lead on its way to one destination. */
struct lead_push {
	struct delivery d; /* as it was read */
	struct delivery_course course;
	const struct connection *to;
	const struct delivery_attempt *attempts; /* of this run */
	size_t nattempts;
	bool is_gone;    /* the destination, or it is disabled */
	json_t *missing; /* what the attempt's mapping did not find in the lead */
};

/* ---- outcome ----------------------------------------------------------------------------- */

static void push_outcome_of(struct lead_push *p, struct push_outcome *out)
{
	const struct delivery_course *c = &p->course;

	p->d.state = c->state;
	*out = (struct push_outcome){.d = &p->d,
	    .attempts = p->attempts,
	    .nattempts = p->nattempts,
	    .is_end = c->then == DELIVERY_GIVEN_UP || (c->then == DELIVERY_OVER && !p->is_gone)};
}

static void push_log_death(const struct lead_push *p)
{
	if (p->course.then == DELIVERY_GIVEN_UP)
		log_warn("crm.dead", LOG_S("lead", uuid_dup(p->course.job->a, p->d.lead_id)),
		    LOG_S("destination", p->to->name), LOG_S("error", p->course.state.error));
}

static int pushes_store(
    struct db *db, struct arena *a, struct lead_push *const *pushes, size_t n, struct err *err)
{
	struct push_outcome v[LIMIT_DB_BATCH];
	struct delivery_course courses[LIMIT_DB_BATCH], *ends[LIMIT_DB_BATCH];

	for (size_t i = 0; i < n; i++) {
		if (delivery_mind_changes(&pushes[i]->course, a, pushes[i]->to, err) == -1)
			return -1;
		push_outcome_of(pushes[i], &v[i]);
	}
	if (deliveries_store(db, a, v, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		ends[i] = &courses[i];
		courses[i] = pushes[i]->course;
		if (v[i].is_outdated)
			courses[i].then = DELIVERY_ANEW;
	}
	return delivery_end_jobs(db, ends, n, err);
}

static int pushes_store_body(struct db *db, void *const *args, size_t n, struct err *err)
{
	struct lead_push *pushes[LIMIT_DB_BATCH];
	struct arena *a = arena_new();
	int rc;

	for (size_t i = 0; i < n; i++)
		pushes[i] = args[i];
	rc = pushes_store(db, a, pushes, n, err);
	arena_free(a);
	return rc;
}

static int push_store(struct lead_push *p, struct err *err)
{
	push_log_death(p);
	return job_transaction_many(p->course.job, pushes_store_body, p, err);
}

/* ---- attempts ---------------------------------------------------------------------------- */

static json_t *push_record(struct arena *a, struct lead_push *p, struct err *err)
{
	json_t *record, *body;

	p->missing = json_own(a, json_array());
	body = crm_map_lead(a, p->to, &p->d.mapping, p->d.lead, p->missing, err);
	if (body == NULL)
		return NULL;
	record = json_own(a, json_object());
	json_set(record, "body", json_incref(body));
	json_set_str(record, "idempotencyKey", uuid_dup(a, p->d.id));
	json_set_str(record, "deliveryId", uuid_dup(a, uuid_new()));
	return record;
}

static int push_attempt_begin(struct connection_call *call, void *arg, struct err *err)
{
	struct lead_push *p = arg;

	call->inputs = push_record(call->a, p, err);
	return call->inputs == NULL ? -1 : 0;
}

static void push_note_attempt(
    struct lead_push *p, const struct connection_call *call, const struct call_result *res)
{
	struct arena *a = call->a;
	struct delivery_attempt *all = arena_array(a, p->nattempts + 1, sizeof(*all));

	if (p->nattempts > 0)
		memcpy(all, p->attempts, p->nattempts * sizeof(*all));
	all[p->nattempts] = (struct delivery_attempt){.number = ++p->course.state.attempts,
	    .at_us = call->at_us,
	    .duration_us = call->duration_us,
	    .http_status = res->status,
	    .error = res->class == CALL_OK ? NULL : res->error,
	    .answer = res->answer,
	    .missing = p->missing};
	p->attempts = all;
	p->nattempts++;
	if (res->class == CALL_OK)
		p->course.state.external_id = json_str(res->output, "externalId");
}

static int push_attempt(struct lead_push *p, struct err *err)
{
	struct job *j = p->course.job;
	struct connection_call call = {.app = j->app,
	    .a = j->a,
	    .c = p->to,
	    .action = "push",
	    .policy = call_policy(j->app->config),
	    .begin = push_attempt_begin,
	    .arg = p,
	    .attempt = j->tries};

	if (connection_call_attempt(&call, err) == -1)
		return -1;
	p->to = call.c;
	push_note_attempt(p, &call, &call.result);
	job_note_peer(j, connection_call_peer(&call), call.result.error);
	delivery_after(
	    &p->course, &call.result, call.again_ms, job_found_target_ill(j), clock_now_us());
	return 0;
}

/* ---- the job ----------------------------------------------------------------------------- */

/* 1 with the destination, 0 when there is none to push to: then the push is over. */
static int push_find_destination(struct lead_push *p, struct err *err)
{
	struct job *j = p->course.job;
	struct connection *to = NULL;
	int found = connection_recent(j->app, j->a, &j->account_id, &p->d.connection_id, &to, err);

	if (found == -1)
		return -1;
	p->to = to;
	p->is_gone = found == 0 || strcmp(to->status, CONNECTION_DISABLED) == 0;
	if (!p->is_gone)
		return 1;
	delivery_end(&p->course, DELIVERY_SKIPPED,
	    found == 0 ? "the destination was removed" : "the destination is disabled");
	return 0;
}

int crm_job_push(struct job *j, struct err *err)
{
	struct lead_push p = {.d = {.account_id = j->account_id}};
	struct err why = ERR_INIT;
	int found = 1;

	if (j->loaded != NULL)
		p.d = *(const struct delivery *)j->loaded;
	else
		found = delivery_load(j->app->db, j->a, &j->account_id, &j->subject_id, &p.d, err);
	if (found != 1 || strcmp(p.d.state.status, DELIVERY_SUCCESS) == 0)
		return found == -1 ? -1 : 0;
	p.course = delivery_begin(j, &p.d.state);
	found = push_find_destination(&p, err);
	if (found == -1)
		return -1;
	if (found == 1 && push_attempt(&p, &why) == -1) {
		if (why.code != ERR_INVALID)
			return err_set(err, why.code, "%s", why.msg);
		delivery_end(&p.course, DELIVERY_FAILED, arena_strdup(j->a, why.msg));
	}
	return push_store(&p, err);
}
