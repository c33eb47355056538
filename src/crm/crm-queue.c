/* Who gets which lead: a row and a job for each lead and destination.
 *
 * - A lead has one delivery per destination (a unique key), so inserting what is missing can be
 *   repeated: queueing looks at the ledger only if some rows were there already.
 * - A delivery has one job at most, since the job has the delivery's id. Pushing again brings that
 *   job forward.
 * - A lead that is corrected has another form (leads.revision). The ledger says which one each
 *   destination is to have (wanted) and which it took last (taken). */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-ledger.h"
#include "crm/crm-route.h"

#define INSERT_VALUES 6

DB_STMT_ROWS(deliveries_insert,
    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, status, attempts, rounds,"
    " created_at, updated_at) VALUES ",
    "(?,?,?,?,'" DELIVERY_PENDING "',0,0,?,?)", " ON DUPLICATE KEY UPDATE id = id");
DB_STMT_ROWS(deliveries_insert_routed,
    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, status, attempts, rounds,"
    " created_at, updated_at, next_at, reason, route) VALUES ",
    "(?,?,?,?,?,0,0,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE id = id");
#define ROUTED_VALUES 10
DB_STMT(deliveries_want,
    "UPDATE lead_deliveries SET wanted = ? WHERE account_id = ? AND lead_id = ? AND wanted < ?");

/* A delivery has one job, which has its id. */
static struct job delivery_push_job(const struct uuid *account_id, const struct uuid *delivery_id,
    const struct uuid *connection_id, enum push_how how)
{
	struct job j = {.id = *delivery_id,
	    .account_id = *account_id,
	    .class = how == PUSH_BULK ? JOB_BULK : JOB_LIVE,
	    .kind = "crm.push",
	    .subject_id = *delivery_id};

	if (how != PUSH_BY_HAND)
		j.target_id = *connection_id;
	return j;
}

/* 0: at once, as all do but those that another takes along. */
static int64_t delivery_due_us(
    const struct delivery_queueing *q, const struct connection *to, size_t lead)
{
	size_t most =
	    q->task == NULL ? 0 : provider_batch_size(to->provider, q->a, &to->access, PUSH_ACTION);

	if (most < 2 || ((size_t)q->before + lead) % most == 0)
		return 0;
	return clock_now_us() + PUSH_COMPANIONS_US;
}

/* A row and a job for each lead and destination; *inserted tells how many rows were new. */
static struct job *deliveries_insert_missing(struct delivery_queueing *q,
    const struct lead_sync *leads, size_t n, uint64_t *inserted, struct err *err)
{
	const size_t total = n * q->nto;
	struct job *jobs = arena_array(q->a, total, sizeof(*jobs));
	struct db_val *v = arena_alloc(q->a, total * INSERT_VALUES * sizeof(*v));
	struct db_val account = db_uuid(&q->account_id), now = db_int(clock_now_us());

	for (size_t i = 0; i < total; i++) {
		const struct uuid id = uuid_new(), *to = &q->to[i % q->nto]->id;

		jobs[i] = delivery_push_job(&q->account_id, &id, to, q->how);
		jobs[i].run_at_us = delivery_due_us(q, q->to[i % q->nto], i / q->nto);
		struct db_val row[INSERT_VALUES] = {db_uuid(&jobs[i].id), account,
		    db_uuid(&leads[i / q->nto].lead_id), db_uuid(to), now, now};

		memcpy(v + INSERT_VALUES * i, row, sizeof(row));
	}
	if (db_exec_rows(q->app->db, &deliveries_insert, NULL, 0, v, total, INSERT_VALUES, inserted,
		err) == -1)
		return NULL;
	return jobs;
}

static bool queueing_goes_to(const struct delivery_queueing *q, const struct uuid *connection_id)
{
	for (size_t i = 0; i < q->nto; i++)
		if (uuid_eq(q->to[i]->id, *connection_id))
			return true;
	return false;
}

static int delivery_requeue(
    struct delivery_queueing *q, struct ledger *l, size_t i, struct err *err)
{
	struct uuid id = db_get_uuid(&l->rows, i, LEDGER_ID),
		    to = db_get_uuid(&l->rows, i, LEDGER_CONNECTION);
	struct job job = delivery_push_job(&q->account_id, &id, &to, q->how);

	if (!queueing_goes_to(q, &to) || strcmp(l->status[i], DELIVERY_SUCCESS) == 0)
		return 0;
	l->status[i] = DELIVERY_PENDING;
	q->queued++;
	if (q->task != NULL &&
	    push_items_add(q->app->db, q->a, &q->account_id, q->task, &id, 1, err) == -1)
		return -1;
	if (deliveries_touch(q->app->db, &q->account_id, &id, 1, NULL, err) == -1)
		return -1;
	return job_run_now(q->app->db, &job, err);
}

/* Some rows were there: pushes again whatever stands in the ledger and is no success. */
static int deliveries_requeue(
    struct delivery_queueing *q, struct lead_sync *leads, size_t n, struct err *err)
{
	struct ledger l = ledger_new(q->a, &q->account_id, n);

	for (size_t i = 0; i < n; i++)
		ledger_add_lead(&l, &leads[i].lead_id);
	if (ledger_lock(&l, q->app->db, q->a, err) == -1)
		return -1;
	for (size_t i = 0; i < l.rows.count; i++)
		if (delivery_requeue(q, &l, i, err) == -1)
			return -1;
	ledger_sum_up(&l);
	memcpy(leads, l.leads, n * sizeof(*leads));
	return 0;
}

static void destinations_keep_automatic(struct delivery_queueing *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->nto; i++)
		if (q->to[i]->auto_push)
			q->to[n++] = q->to[i];
	q->nto = n;
}

/* The connections that leads go to now. */
static int destinations_list(struct delivery_queueing *q, struct err *err)
{
	if (connection_list_capable(
		q->app, q->a, &q->account_id, "crm_push", &q->to, &q->nto, err) == -1)
		return -1;
	for (size_t i = 0; q->only != NULL && i < q->nto; i++) {
		if (!uuid_eq(q->to[i]->id, *q->only))
			continue;
		q->to += i;
		q->nto = 1;
		return 0;
	}
	if (q->only != NULL)
		q->nto = 0;
	if (q->is_automatic)
		destinations_keep_automatic(q);
	if (q->nto > LIMIT_DB_BATCH)
		q->nto = LIMIT_DB_BATCH;
	return 0;
}

static int deliveries_watch(
    struct delivery_queueing *q, const struct job *jobs, size_t n, struct err *err)
{
	struct uuid *ids = arena_array(q->a, n + 1, sizeof(*ids));

	for (size_t i = 0; i < n; i++)
		ids[i] = jobs[i].id;
	return push_items_add(q->app->db, q->a, &q->account_id, q->task, ids, n, err);
}

int delivery_job_now(struct db *db, const struct uuid *account_id, const struct uuid *delivery_id,
    const struct uuid *connection_id, struct err *err)
{
	struct job job = delivery_push_job(account_id, delivery_id, connection_id, PUSH_LIVE);

	return job_run_now(db, &job, err);
}

/* ---- where leads are routed ------------------------------------------------------------------ */

/* Which pairs have a row. */
static bool *pairs_known(
    struct delivery_queueing *q, const struct ledger *l, const struct lead_sync *leads, size_t n)
{
	bool *has = arena_array(q->a, n * q->nto, sizeof(*has));

	for (size_t i = 0; i < l->rows.count; i++)
		for (size_t k = 0; k < n * q->nto; k++)
			has[k] = has[k] || (uuid_eq(db_get_uuid(&l->rows, i, LEDGER_LEAD),
						leads[k / q->nto].lead_id) &&
					       uuid_eq(db_get_uuid(&l->rows, i, LEDGER_CONNECTION),
						   q->to[k % q->nto]->id));
	return has;
}

/* A lead whose pushes are asked for again goes where it was routed to. What waits for its time goes
 * when a person asks, and what was not to go only when the destination is named. */
static bool routed_row_stays(const struct delivery_queueing *q, const struct ledger *l, size_t i)
{
	const char *route = db_get_text(&l->rows, i, LEDGER_ROUTE);

	if (route == NULL || (q->how == PUSH_BY_HAND && q->only != NULL))
		return false;
	return strcmp(route, "wait") != 0 || q->how != PUSH_BY_HAND;
}

static int routed_insert(struct delivery_queueing *q, const struct lead_sync *leads, size_t n,
    const bool *has, const struct route_decision *dec, struct err *err)
{
	static const char *const routes[] = {NULL, "wait", "skip", "next"};
	struct db_val account = db_uuid(&q->account_id), now = db_int(clock_now_us());
	const size_t total = n * q->nto;
	struct uuid *ids = arena_array(q->a, total, sizeof(*ids));
	struct job *jobs = arena_array(q->a, total, sizeof(*jobs));
	struct db_val *v = arena_alloc(q->a, total * ROUTED_VALUES * sizeof(*v));
	struct job *now_going = arena_array(q->a, total, sizeof(*now_going));
	size_t rows = 0, njobs = 0, ngoing = 0;
	uint64_t inserted = 0;

	for (size_t i = 0; i < total; i++) {
		const struct uuid *to = &q->to[i % q->nto]->id;
		bool goes = dec[i].verdict == ROUTE_SEND || dec[i].verdict == ROUTE_WAIT;

		if (has[i])
			continue;
		ids[i] = uuid_new();
		struct db_val row[ROUTED_VALUES] = {db_uuid(&ids[i]), account,
		    db_uuid(&leads[i / q->nto].lead_id), db_uuid(to),
		    db_str(goes ? DELIVERY_PENDING : DELIVERY_SKIPPED), now, now,
		    dec[i].verdict == ROUTE_WAIT ? db_int(dec[i].at_us) : db_null(),
		    db_strn(utf8_clean(q->a, str_from(dec[i].reason), 500)),
		    db_str(dec[i].lacks ? DELIVERY_LACKS : routes[dec[i].verdict])};

		memcpy(v + ROUTED_VALUES * rows++, row, sizeof(row));
		if (!goes)
			continue;
		jobs[njobs] = delivery_push_job(&q->account_id, &ids[i], to, q->how);
		jobs[njobs].run_at_us = dec[i].verdict == ROUTE_WAIT
					    ? dec[i].at_us
					    : delivery_due_us(q, q->to[i % q->nto], i / q->nto);
		if (dec[i].verdict == ROUTE_SEND) /* no task waits for days */
			now_going[ngoing++] = jobs[njobs];
		njobs++;
	}
	if (db_exec_rows(q->app->db, &deliveries_insert_routed, NULL, 0, v, rows, ROUTED_VALUES,
		&inserted, err) == -1)
		return -1;
	if (inserted < rows) /* somebody queues them at the same time: once more, with his rows */
		return err_set(err, ERR_RETRY, "leads are being queued twice at once");
	q->queued += njobs;
	if (q->task != NULL && deliveries_watch(q, now_going, ngoing, err) == -1)
		return -1;
	return job_insert(q->app->db, jobs, njobs, err);
}

static void routed_sum_up(struct delivery_queueing *q, struct ledger *l, struct lead_sync *leads,
    size_t n, const bool *has, const struct route_decision *dec)
{
	ledger_sum_up(l);
	for (size_t i = 0; i < n; i++) {
		leads[i].status = l->leads[i].status;
		for (size_t k = i * q->nto; k < (i + 1) * q->nto; k++)
			if (!has[k] && dec[k].verdict <= ROUTE_WAIT &&
			    strcmp(leads[i].status, DELIVERY_SUCCESS) != 0)
				leads[i].status = DELIVERY_PENDING;
	}
}

static int deliveries_queue_routed(
    struct delivery_queueing *q, struct lead_sync *leads, size_t n, struct err *err)
{
	struct ledger l = ledger_new(q->a, &q->account_id, n);
	struct route_decision *dec = arena_array(q->a, n * q->nto, sizeof(*dec));
	bool *has;

	for (size_t i = 0; i < n; i++)
		ledger_add_lead(&l, &leads[i].lead_id);
	if (ledger_lock(&l, q->app->db, q->a, err) == -1)
		return -1;
	has = pairs_known(q, &l, leads, n);
	if (route_decide(q, leads, n, has, dec, err) == -1 ||
	    routed_insert(q, leads, n, has, dec, err) == -1)
		return -1;
	for (size_t i = 0; i < l.rows.count; i++)
		if (!routed_row_stays(q, &l, i) && delivery_requeue(q, &l, i, err) == -1)
			return -1;
	routed_sum_up(q, &l, leads, n, has, dec);
	return 0;
}

int deliveries_queue(
    struct delivery_queueing *q, struct lead_sync *leads, size_t n, struct err *err)
{
	struct job *jobs;
	uint64_t inserted;

	if (destinations_list(q, err) == -1)
		return -1;
	if (n == 0 || q->nto == 0)
		return 0;
	if (routes_are_set(q))
		return deliveries_queue_routed(q, leads, n, err);
	if ((jobs = deliveries_insert_missing(q, leads, n, &inserted, err)) == NULL)
		return -1;
	if (inserted < n * q->nto)
		return deliveries_requeue(q, leads, n, err);
	for (size_t i = 0; i < n; i++)
		leads[i].status = LEAD_SYNC_PENDING;
	q->queued += n * q->nto;
	if (q->task != NULL && deliveries_watch(q, jobs, n * q->nto, err) == -1)
		return -1;
	return job_insert_next(q->app->db, q->parent, jobs, n * q->nto, err);
}

int deliveries_queue_stored(
    struct delivery_queueing *q, const struct uuid *leads, size_t n, struct err *err)
{
	struct lead_sync *sync = arena_array(q->a, n + 1, sizeof(*sync));

	for (size_t i = 0; i < n; i++)
		sync[i].lead_id = leads[i];
	if (deliveries_queue(q, sync, n, err) == -1)
		return -1;
	return lead_set_sync_statuses(q->app->db, &q->account_id, sync, n, err);
}

DB_STMT_ROWS(leads_to_queue_again,
    "SELECT DISTINCT lead_id FROM lead_deliveries WHERE account_id = ? AND id IN (", "?", ")");

int deliveries_queue_again(
    struct delivery_queueing *q, const struct uuid *ids, size_t n, struct err *err)
{
	struct ledger l = ledger_new(q->a, &q->account_id, n);
	struct db_val keys[LIMIT_DB_BATCH];
	struct db_rows leads;

	for (size_t i = 0; i < n; i++)
		keys[i] = db_uuid(&ids[i]);
	if (destinations_list(q, err) == -1 ||
	    db_query_rows(q->app->db, q->a, &leads_to_queue_again, DB_VALS(db_uuid(&q->account_id)),
		keys, n, 1, &leads, err) == -1)
		return -1;
	for (size_t i = 0; i < leads.count; i++) {
		struct uuid lead_id = db_get_uuid(&leads, i, 0);

		ledger_add_lead(&l, &lead_id);
	}
	if (leads.count == 0)
		return 0;
	if (ledger_lock(&l, q->app->db, q->a, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&l.rows, LEDGER_ID, &ids[i]);

		if (k < l.rows.count && delivery_requeue(q, &l, k, err) == -1)
			return -1;
	}
	return q->queued == 0 ? 0 : ledger_tell_leads(&l, q->app->db, err);
}

int delivery_queue(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err)
{
	struct ledger l = ledger_new(a, account_id, 1);
	struct delivery d;
	struct job job;
	uint64_t touched;
	int found = delivery_load(db, a, account_id, id, &d, err);

	if (found != 1)
		return found;
	ledger_add_lead(&l, &d.lead_id);
	if (ledger_lock(&l, db, a, err) == -1)
		return -1;
	/* Asked of the row as it is now: a push may have ended well since it was read. */
	if (deliveries_touch(db, account_id, id, 1, &touched, err) == -1)
		return -1;
	if (touched == 0)
		return err_set(err, ERR_CONFLICT, "The destination has this lead already");
	l.status[db_find_uuid(&l.rows, LEDGER_ID, id)] = DELIVERY_PENDING;
	job = delivery_push_job(account_id, id, &d.connection_id, PUSH_BY_HAND);
	if (ledger_tell_leads(&l, db, err) == -1 || job_run_now(db, &job, err) == -1)
		return -1;
	return 1;
}

/* Has the destination another form of the lead than it should have, or none because it refused one,
 * while nothing is under way? */
static bool ledger_row_is_behind(const struct ledger *l, size_t i, int revision)
{
	const char *status = l->status[i];

	if (strcmp(status, DELIVERY_SUCCESS) == 0)
		return db_get_int(&l->rows, i, LEDGER_TAKEN) < revision;
	return strcmp(status, DELIVERY_DEAD) == 0 ||
	       (strcmp(status, DELIVERY_FAILED) == 0 && db_is_null(&l->rows, i, LEDGER_NEXT_AT));
}

static int ledger_row_correct(
    struct delivery_queueing *q, struct ledger *l, size_t i, struct err *err)
{
	struct uuid id = db_get_uuid(&l->rows, i, LEDGER_ID),
		    to = db_get_uuid(&l->rows, i, LEDGER_CONNECTION);
	struct job job = delivery_push_job(&q->account_id, &id, &to, q->how);

	l->status[i] = DELIVERY_PENDING;
	q->queued++;
	if (delivery_open_again(q->app->db, &q->account_id, &id, err) == -1)
		return -1;
	return job_run_now(q->app->db, &job, err);
}

static int ledger_lead_correct(struct delivery_queueing *q, struct ledger *l,
    const struct uuid *lead_id, int revision, struct err *err)
{
	struct db_val wanted = db_int(revision);

	if (db_exec(q->app->db, &deliveries_want,
		DB_VALS(wanted, db_uuid(&q->account_id), db_uuid(lead_id), wanted), NULL,
		err) == -1)
		return -1;
	for (size_t i = 0; i < l->rows.count; i++) {
		struct uuid of = db_get_uuid(&l->rows, i, LEDGER_LEAD),
			    to = db_get_uuid(&l->rows, i, LEDGER_CONNECTION);

		if (uuid_eq(of, *lead_id) && queueing_goes_to(q, &to) &&
		    ledger_row_is_behind(l, i, revision) && ledger_row_correct(q, l, i, err) == -1)
			return -1;
	}
	return 0;
}

int deliveries_correct(struct delivery_queueing *q, const struct uuid *leads, const int *revisions,
    size_t n, struct err *err)
{
	struct ledger l = ledger_new(q->a, &q->account_id, n);

	if (destinations_list(q, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		ledger_add_lead(&l, &leads[i]);
	if (ledger_lock(&l, q->app->db, q->a, err) == -1)
		return -1;
	if (l.rows.count == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (ledger_lead_correct(q, &l, &leads[i], revisions[i], err) == -1)
			return -1;
	return q->queued == 0 ? 0 : ledger_tell_leads(&l, q->app->db, err);
}
