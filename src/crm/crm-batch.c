/* Many leads in one call, where the destination's manifest has a batch "push".
 *
 *	the job's push ─┐                  ┌─> told of by row ──> taken, refused, busy
 *	all others that ├─> a call for many┼─> refused whole ───> halved, until it is one: alone
 *	are due beside ─┘                  └─> busy, down ──────> all of them wait
 *	          └─ not of this batch, or its row says that it may do by itself ──> alone
 *
 * - Each lead keeps its own delivery, job, tries and rounds: a batch is only how they are sent.
 *   They end in one transaction. Whoever dies before has stored nothing: the leases of all end,
 *   each is found again, and the destination knows it by its key.
 * - Bulk work alone goes so: a live lead waits for nobody, and a person's push shows its own
 *   answer.
 * - A run takes no longer than its lease allows: what it did not come to goes back, and was no try.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-push.h"

#define BATCH_RUN_US (60 * SECOND_US)

struct batch_item {
	struct lead_push p;
	enum { ITEM_UNSENT, ITEM_ALONE, ITEM_DONE } state;
	json_t *record;
	struct str unique; /* goes once in a call; {NULL,0}: with all */
};

struct push_batch {
	struct job *job;
	const struct connection *to;
	size_t max; /* of a call */
	struct batch_item *v;
	size_t n;
	struct job *gone; /* jobs whose delivery is no more, or is taken */
	size_t ngone;
	int64_t until_us;
	bool is_stopped; /* the destination takes nothing now */
	int64_t again_us;
};

/* Some that go in one call. */
struct batch_part {
	struct push_batch *b;
	struct batch_item **v;
	size_t n;
};

/* ---- who goes ----------------------------------------------------------------------------- */

static struct job *batch_find_job(struct job *jobs, size_t n, const struct uuid *subject)
{
	for (size_t i = 0; i < n; i++)
		if (uuid_eq(jobs[i].subject_id, *subject))
			return &jobs[i];
	return NULL;
}

/* Of the jobs: those whose delivery is to be pushed become items, the others are over. */
static int batch_add(struct push_batch *b, struct job *jobs, size_t n, struct err *err)
{
	struct job *j = b->job;
	struct delivery *found;
	size_t nfound;

	if (deliveries_load(j->app->db, j->a, jobs, n, &found, &nfound, err) == -1)
		return -1;
	for (size_t i = 0; i < nfound; i++) {
		struct job *own = batch_find_job(jobs, n, &found[i].id);
		struct batch_item *item = &b->v[b->n];

		if (own == NULL || !push_begin(&item->p, own, j, &found[i]))
			continue;
		item->p.to = b->to;
		item->state = ITEM_UNSENT;
		b->n++;
	}
	for (size_t i = 0; i < n; i++) {
		bool is_there = false;

		for (size_t k = 0; k < b->n && !is_there; k++)
			is_there = b->v[k].p.course.job == &jobs[i];
		if (!is_there)
			b->gone[b->ngone++] = jobs[i];
	}
	return 0;
}

/* 1, 0 none is due beside it, -1. */
static int batch_gather(struct push_batch *b, struct lead_push *first, struct err *err)
{
	struct arena *a = b->job->a;
	struct job *jobs = arena_array(a, b->max, sizeof(*jobs));
	size_t n = 0;

	if (job_claim_beside(b->job, b->max - 1, PUSH_COMPANIONS_US, jobs, &n, err) == -1)
		return -1;
	if (n == 0)
		return 0;
	b->v = arena_array(a, n + 1, sizeof(*b->v));
	b->gone = arena_array(a, n + 1, sizeof(*b->gone));
	memset(b->v, 0, (n + 1) * sizeof(*b->v));
	b->v[b->n++].p = *first;
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH)
		if (batch_add(b, jobs + i, n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH, err) ==
		    -1)
			return -1;
	return 1;
}

/* One that goes alone takes no others with it: perhaps none of this destination's go together. */
static bool batch_may_take(const struct push_batch *b, struct lead_push *first)
{
	struct arena *a = b->job->a;
	struct str unique;
	json_t *record = push_record(a, first, NULL);

	return record != NULL && provider_batch_takes(b->to->provider, a, &b->to->access,
				     PUSH_ACTION, record, &unique);
}

static int batch_prepare(struct push_batch *b, struct batch_item *item, struct err *err)
{
	struct err why = ERR_INIT;

	item->record = push_record(b->job->a, &item->p, &why);
	if (item->record == NULL) {
		item->state = ITEM_DONE;
		return push_refuse(&item->p, &why, err);
	}
	if (!provider_batch_takes(b->to->provider, b->job->a, &b->to->access, PUSH_ACTION,
		item->record, &item->unique))
		item->state = ITEM_ALONE;
	return 0;
}

/* ---- calls -------------------------------------------------------------------------------- */

static int64_t item_again_ms(const struct batch_item *item, const struct call_result *res)
{
	const struct job *j = item->p.course.job;
	struct call_policy policy = call_policy(j->app->config);

	return call_policy_next_ms(&policy, j->tries + 1, res);
}

static void item_settle(
    struct batch_item *item, const struct connection_call *call, const struct call_result *res)
{
	item->state = ITEM_DONE;
	item->p.to = call->c;
	push_note_attempt(&item->p, call, res);
	delivery_after(&item->p.course, res, item_again_ms(item, res),
	    res->class != CALL_OK && job_found_target_ill(item->p.course.run), clock_now_us());
}

/* A row of the answer, as if its lead had been sent by itself. */
static void part_read_row(const struct batch_part *part, size_t i,
    const struct connection_call *call, const struct batch_result *row)
{
	struct arena *a = call->a;
	struct batch_item *item = part->v[i];
	struct call_result res = call->result;
	const json_t *body = json_object_get(item->record, "body");
	struct str sent =
	    str_from(arena_printf(a, "One of %zu in a call: %s", part->n, json_text(a, body).p));

	if (row->is_for_alone) {
		item->state = ITEM_ALONE;
		return;
	}
	res.class = row->class;
	res.error = row->error;
	res.request = utf8_cut(access_redact_text(a, &call->c->access, sent), 2048);
	res.output = json_own(a, json_object());
	json_set_str(res.output, "externalId", row->id);
	if (row->class == CALL_OK)
		res.answer = (struct str){NULL, 0};
	item_settle(item, call, &res);
}

static void part_read(
    const struct batch_part *part, const struct connection_call *call, const json_t *records)
{
	const struct connection *to = call->c;
	const struct batch_result *rows = provider_batch_results(
	    to->provider, call->a, &to->access, PUSH_ACTION, records, &call->result);

	for (size_t i = 0; i < part->n; i++)
		part_read_row(part, i, call, &rows[i]);
}

/* It failed for all, and will for those that are not sent yet. */
static void part_wait(const struct batch_part *part, const struct connection_call *call)
{
	struct push_batch *b = part->b;

	for (size_t i = 0; i < part->n; i++)
		item_settle(part->v[i], call, &call->result);
	b->is_stopped = true;
	b->again_us = part->v[0]->p.course.again_us;
}

static json_t *part_records(const struct batch_part *part)
{
	json_t *records = json_own(part->b->job->a, json_array());

	for (size_t i = 0; i < part->n; i++)
		json_array_append(records, part->v[i]->record);
	return records;
}

static bool batch_may_go_on(const struct push_batch *b)
{
	return !b->is_stopped && clock_mono_us() < b->until_us && !job_has_to_yield(b->job);
}

static int part_push(struct batch_part part, struct err *err);

/* Refused whole, perhaps for the sake of one. */
static int part_halve(struct batch_part part, struct err *err)
{
	struct batch_part rest = part;

	part.n /= 2;
	rest.v += part.n;
	rest.n -= part.n;
	return part_push(part, err) == -1 ? -1 : part_push(rest, err);
}

static bool part_is_refused(enum call_class class)
{
	return class == CALL_FATAL || class == CALL_CONFLICT || class == CALL_NOT_FOUND;
}

static int part_push(struct batch_part part, struct err *err)
{
	struct push_batch *b = part.b;
	struct job *j = b->job;
	const json_t *records;
	size_t most;
	struct connection_call call = {.app = j->app,
	    .a = j->a,
	    .c = b->to,
	    .action = provider_batch_action(b->to->provider, PUSH_ACTION, &most),
	    .policy = call_policy(j->app->config),
	    .is_push = true,
	    .attempt = j->tries};

	if (!batch_may_go_on(b))
		return 0;
	if (part.n == 1) {
		part.v[0]->state = ITEM_ALONE;
		return 0;
	}
	records = part_records(&part);
	call.inputs =
	    provider_batch_inputs(b->to->provider, j->a, &b->to->access, PUSH_ACTION, records);
	if (call.inputs == NULL)
		return err_set(err, ERR_INVALID, "the batch has no inputs");
	if (connection_call_attempt(&call, err) == -1)
		return -1;
	b->to = call.c;
	if (part_is_refused(call.result.class))
		return part_halve(part, err);
	job_note_peer(j, connection_call_peer(&call), call.result.error);
	if (call.result.class == CALL_OK) {
		job_note_taken(j, part.n);
		part_read(&part, &call, records);
	} else {
		part_wait(&part, &call);
	}
	return 0;
}

static bool part_has(const struct batch_part *part, struct str unique)
{
	for (size_t i = 0; unique.n > 0 && i < part->n; i++)
		if (str_eq(part->v[i]->unique, unique))
			return true;
	return false;
}

/* As many as go in one call. */
static struct batch_part batch_next_part(struct push_batch *b)
{
	struct batch_part part = {.b = b, .v = arena_array(b->job->a, b->max, sizeof(*part.v))};

	for (size_t i = 0; i < b->n && part.n < b->max; i++)
		if (b->v[i].state == ITEM_UNSENT && !part_has(&part, b->v[i].unique))
			part.v[part.n++] = &b->v[i];
	return part;
}

static int batch_push_alone(struct push_batch *b, struct batch_item *item, struct err *err)
{
	struct err why = ERR_INIT;

	item->p.to = b->to;
	if (push_attempt(&item->p, &why) == -1 && push_refuse(&item->p, &why, err) == -1)
		return -1;
	b->to = item->p.to;
	item->state = ITEM_DONE;
	if (item->p.course.then == DELIVERY_WAIT || item->p.course.then == DELIVERY_LATER) {
		b->is_stopped = true;
		b->again_us = item->p.course.again_us;
	}
	return 0;
}

/* What was not come to waits for its destination, and is together again when it is due: the first
 * takes the others along. */
static void batch_put_back(struct push_batch *b)
{
	int64_t at_us = b->again_us > 0 ? b->again_us : clock_now_us();
	bool is_first = true;

	for (size_t i = 0; i < b->n; i++) {
		if (b->v[i].state == ITEM_DONE)
			continue;
		delivery_put_back(&b->v[i].p.course, is_first ? at_us : at_us + JOB_BESIDE_US);
		is_first = false;
	}
}

static int batch_push(struct push_batch *b, struct err *err)
{
	struct batch_part part = batch_next_part(b);

	while (part.n > 0 && batch_may_go_on(b)) {
		if (part_push(part, err) == -1)
			return -1;
		part = batch_next_part(b);
	}
	for (size_t i = 0; i < b->n && batch_may_go_on(b); i++)
		if (b->v[i].state == ITEM_ALONE && batch_push_alone(b, &b->v[i], err) == -1)
			return -1;
	batch_put_back(b);
	return 0;
}

/* ---- storing ------------------------------------------------------------------------------ */

static int batch_store_body(struct db *db, void *arg, struct err *err)
{
	struct push_batch *b = arg;
	struct arena *a = arena_new();
	struct job **gone = arena_array(a, b->ngone + 1, sizeof(*gone));
	struct lead_push *pushes[LIMIT_DB_BATCH];
	int rc = 0;

	for (size_t from = 0; rc == 0 && from < b->n; from += LIMIT_DB_BATCH) {
		size_t n = b->n - from < LIMIT_DB_BATCH ? b->n - from : LIMIT_DB_BATCH;

		for (size_t i = 0; i < n; i++)
			pushes[i] = &b->v[from + i].p;
		rc = pushes_store(db, a, pushes, n, err);
	}
	for (size_t i = 0; i < b->ngone; i++)
		gone[i] = &b->gone[i];
	if (rc == 0)
		rc = job_finish_beside(db, gone, b->ngone, err);
	arena_free(a);
	return rc;
}

int crm_push_together(struct lead_push *first, struct err *err)
{
	struct job *j = first->course.job;
	struct push_batch b = {
	    .job = j, .to = first->to, .until_us = clock_mono_us() + BATCH_RUN_US};
	int rc;

	if (j->class != JOB_BULK || j->is_probe)
		return 0;
	b.max = provider_batch_size(b.to->provider, j->a, &b.to->access, PUSH_ACTION);
	if (b.max < 2 || !batch_may_take(&b, first))
		return 0;
	rc = batch_gather(&b, first, err);
	for (size_t i = 0; rc == 1 && i < b.n; i++)
		if (batch_prepare(&b, &b.v[i], err) == -1)
			rc = -1;
	if (rc != 1)
		return rc;
	if (batch_push(&b, err) == -1 || job_transaction(j, batch_store_body, &b, err) == -1)
		return -1;
	return 1;
}
