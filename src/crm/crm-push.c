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

#include "crm/crm-push.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crm/crm-route.h"

#define MENDS_MOST 8 /* attempts at once that an answer asks for */

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

/* A destination of a group "first" that refused the lead, or was not to be reached by the end of a
 * round, is passed over where another one stands behind it. */
static int push_pass_on(struct lead_push *p, struct arena *a, struct err *err)
{
	struct delivery_course *c = &p->course;
	bool is_refused = c->then == DELIVERY_OVER && strcmp(c->state.status, DELIVERY_FAILED) == 0;
	int passed;

	if (p->to == NULL || p->to->routing == NULL ||
	    (c->then != DELIVERY_LATER && c->then != DELIVERY_GIVEN_UP && !is_refused))
		return 0;
	passed = route_pass_on(c->job->app, a, &p->d, p->to, err);
	if (passed == 1) {
		c->then = DELIVERY_OVER;
		c->state.status = DELIVERY_SKIPPED;
		c->state.next_us = 0;
	}
	return passed == -1 ? -1 : 0;
}

static bool push_made_a_lead(const struct lead_push *p)
{
	const char *as = p->to == NULL ? NULL : provider_pushed_as(p->to->provider);

	return as != NULL && strcmp(as, "lead") == 0 && p->d.state.external_id != NULL &&
	       strcmp(p->d.state.status, DELIVERY_SUCCESS) == 0;
}

static int pushes_note_copies(
    struct db *db, struct arena *a, struct lead_push *const *pushes, size_t n, struct err *err)
{
	const struct delivery *copies[LIMIT_DB_BATCH];
	const char *types[LIMIT_DB_BATCH];
	size_t ncopies = 0;

	for (size_t i = 0; i < n; i++) {
		if (!push_made_a_lead(pushes[i]))
			continue;
		types[ncopies] = pushes[i]->to->provider_type;
		copies[ncopies++] = &pushes[i]->d;
	}
	return ncopies == 0 ? 0 : deliveries_note_copies(db, a, copies, types, ncopies, err);
}

int pushes_store(
    struct db *db, struct arena *a, struct lead_push *const *pushes, size_t n, struct err *err)
{
	struct push_outcome v[LIMIT_DB_BATCH];
	struct delivery_course courses[LIMIT_DB_BATCH], *ends[LIMIT_DB_BATCH];

	for (size_t i = 0; i < n; i++) {
		if (delivery_mind_changes(&pushes[i]->course, a, pushes[i]->to, err) == -1 ||
		    push_pass_on(pushes[i], a, err) == -1)
			return -1;
		push_outcome_of(pushes[i], &v[i]);
	}
	if (deliveries_store(db, a, v, n, err) == -1 ||
	    pushes_note_copies(db, a, pushes, n, err) == -1)
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

bool push_begin(struct lead_push *p, struct job *j, struct job *run, const struct delivery *d)
{
	*p = (struct lead_push){.d = *d, .external_id = d->state.external_id};
	p->course = delivery_begin(j, run, &p->d.state);
	return strcmp(d->state.status, DELIVERY_SUCCESS) != 0;
}

/* Without the fields that the destination refused, which is told among what is missing. */
static void push_leave_out(struct arena *a, struct lead_push *p, json_t *body)
{
	for (size_t i = 0; i < json_array_size(p->refused); i++) {
		const char *field = json_string_value(json_array_get(p->refused, i));

		if (json_object_del(body, field) == 0)
			json_array_append_new(p->missing,
			    json_string(
				arena_printf(a, "%s (left out: its value was refused)", field)));
	}
}

/* What is made anew, since it is no longer there, is not what was made under the delivery's own
 * key.
 */
static const char *push_key(struct arena *a, const struct lead_push *p)
{
	const char *id = uuid_dup(a, p->d.id);

	return p->was_gone ? arena_printf(a, "%s-%d", id, p->d.revision) : id;
}

json_t *push_record(struct arena *a, struct lead_push *p, struct err *err)
{
	json_t *record, *body;

	p->missing = json_own(a, json_array());
	body = crm_map_lead(a, p->to, &p->d.mapping, p->d.lead, p->missing, err);
	if (body == NULL)
		return NULL;
	push_leave_out(a, p, body);
	record = json_own(a, json_object());
	json_set(record, "body", json_incref(body));
	json_set_str(record, "idempotencyKey", push_key(a, p));
	json_set_str(record, "deliveryId", uuid_dup(a, uuid_new()));
	if (provider_action_takes(p->to->provider, PUSH_ACTION, "revision"))
		json_set_str(record, "revision", arena_printf(a, "%d", p->d.revision));
	if (p->external_id != NULL &&
	    provider_action_takes(p->to->provider, PUSH_ACTION, "externalId"))
		json_set_str(record, "externalId", p->external_id);
	return record;
}

static int push_attempt_begin(struct connection_call *call, void *arg, struct err *err)
{
	struct lead_push *p = arg;

	call->inputs = push_record(call->a, p, err);
	return call->inputs == NULL ? -1 : 0;
}

static const char *push_answered_id(struct arena *a, const struct call_result *res)
{
	const json_t *id = json_object_get(res->output, "externalId");

	return id == NULL || json_is_null(id) ? NULL : json_id_text(a, id);
}

void push_note_attempt(
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
	    .request = res->request,
	    .answer = res->answer,
	    .missing = p->missing};
	p->attempts = all;
	p->nattempts++;
	if (res->class == CALL_OK)
		p->course.state.external_id = push_answered_id(a, res);
}

/* Does the answer say how it may do at once? What is there already is changed; what is no longer
 * there is made anew; a field whose value is refused is left out. */
static bool push_mend(
    struct lead_push *p, struct arena *a, const json_t *inputs, const struct call_result *res)
{
	const json_t *body = json_object_get(inputs, "body");
	const char *field = res->refused_field;

	if (++p->mends > MENDS_MOST)
		return false;
	if (res->class == CALL_CONFLICT && res->existing_id != NULL && p->external_id == NULL) {
		p->external_id = res->existing_id;
		return true;
	}
	if (res->class == CALL_NOT_FOUND && json_object_get(inputs, "externalId") != NULL) {
		p->external_id = NULL;
		p->was_gone = true;
		return true;
	}
	if (res->class != CALL_FATAL || field == NULL || json_object_get(body, field) == NULL ||
	    json_object_size(body) < 2)
		return false;
	if (p->refused == NULL)
		p->refused = json_own(a, json_array());
	json_array_append_new(p->refused, json_string(field));
	return true;
}

int push_attempt(struct lead_push *p, struct err *err)
{
	struct job *j = p->course.job;
	struct connection_call call;

	do {
		call = (struct connection_call){.app = j->app,
		    .a = j->a,
		    .c = p->to,
		    .action = PUSH_ACTION,
		    .policy = call_policy(j->app->config),
		    .is_push = true,
		    .begin = push_attempt_begin,
		    .arg = p,
		    .attempt = j->tries};
		if (connection_call_attempt(&call, err) == -1)
			return -1;
		p->to = call.c;
		push_note_attempt(p, &call, &call.result);
	} while (push_mend(p, j->a, call.inputs, &call.result));
	job_note_peer(p->course.run, connection_call_peer(&call), call.result.error);
	delivery_after(&p->course, &call.result, call.again_ms, job_found_target_ill(p->course.run),
	    clock_now_us());
	return 0;
}

int push_refuse(struct lead_push *p, const struct err *why, struct err *err)
{
	if (why->code != ERR_INVALID)
		return err_set(err, why->code, "%s", why->msg);
	delivery_end(&p->course, DELIVERY_FAILED, arena_strdup(p->course.job->a, why->msg));
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

/* 1 with the delivery, 0 there is none, -1. */
static int push_find(struct job *j, struct delivery *out, struct err *err)
{
	if (j->loaded == NULL)
		return delivery_load(j->app->db, j->a, &j->account_id, &j->subject_id, out, err);
	*out = *(const struct delivery *)j->loaded;
	return 1;
}

int crm_job_push(struct job *j, struct err *err)
{
	struct delivery d;
	struct lead_push p;
	struct err why = ERR_INIT;
	int found = push_find(j, &d, err), together;

	if (found != 1 || !push_begin(&p, j, j, &d))
		return found == -1 ? -1 : 0;
	found = push_find_destination(&p, err);
	if (found == -1)
		return -1;
	together = found == 1 ? crm_push_together(&p, err) : 0;
	if (together != 0)
		return together == -1 ? -1 : 0;
	if (found == 1 && push_attempt(&p, &why) == -1 && push_refuse(&p, &why, err) == -1)
		return -1;
	return push_store(&p, err);
}
