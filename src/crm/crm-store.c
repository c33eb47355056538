/* SQL of the ledger: one row per lead and destination, one row per attempt.
 *
 *	leads ────────1:n──> lead_deliveries ──1:n──> lead_delivery_attempts
 *	  sync_status ^        status, attempts, rounds, next_at
 *	              └─ the best status of its deliveries
 *	connections ──1:n──> lead_deliveries ── its job crm.push has the same id
 *
 * - A lead has one delivery per destination (a unique key), so inserting what is missing can be
 *   repeated: queueing looks at the ledger only if some rows were there already.
 * - A delivery has one job at most, since the job has the delivery's id. Pushing again brings that
 *   job forward.
 * - A success stays one. Whoever pushes again asks the row as it is now (delivery_touch), not as
 *   it was read.
 * - sync_status changes in the transaction that changes a delivery. It is a copy, since lists of
 *   leads filter by it and need it in an index.
 * - A connection may be gone: its deliveries stay on record, and are shown as removed. */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-internal.h"

DB_STMT_ROWS(deliveries_insert,
    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, status, attempts, rounds,"
    " created_at, updated_at) VALUES ",
    "(?,?,?,?,'" DELIVERY_PENDING "',0,0,?,?)", " ON DUPLICATE KEY UPDATE id = id");
enum { OF_LEAD_ID, OF_LEAD_CONNECTION, OF_LEAD_STATUS };
DB_STMT(deliveries_of_lead,
    "SELECT id, connection_id, status FROM lead_deliveries WHERE account_id = ? AND lead_id = ?");
enum {
	DELIVERY_LEAD,
	DELIVERY_CONNECTION,
	DELIVERY_STATUS,
	DELIVERY_ATTEMPTS,
	DELIVERY_ROUNDS,
	DELIVERY_NEXT_AT,
	DELIVERY_LAST_ERROR,
	DELIVERY_EXTERNAL_ID,
	DELIVERY_UPDATED_AT,
	DELIVERY_LEAD_JSON
};
DB_STMT(delivery_by_id,
    "SELECT d.lead_id, d.connection_id, d.status, d.attempts, d.rounds, d.next_at, d.last_error,"
    " d.external_id, d.updated_at, l.lead FROM lead_deliveries d"
    " JOIN leads l ON l.id = d.lead_id AND l.account_id = d.account_id"
    " WHERE d.account_id = ? AND d.id = ?");
DB_STMT(delivery_update,
    "UPDATE lead_deliveries SET status = ?, attempts = ?, rounds = ?, next_at = ?, last_error = ?,"
    " last_status = ?, external_id = COALESCE(?, external_id), pushed_at = COALESCE(?, pushed_at),"
    " updated_at = ? WHERE account_id = ? AND id = ?");
DB_STMT(delivery_touch, "UPDATE lead_deliveries SET status = '" DELIVERY_PENDING
			"', rounds = 0, next_at = NULL, updated_at = ?"
			" WHERE account_id = ? AND id = ? AND status <> '" DELIVERY_SUCCESS "'");
DB_STMT(attempt_insert,
    "INSERT INTO lead_delivery_attempts (id, account_id, delivery_id, attempt, at, duration_us,"
    " status, error) VALUES (?,?,?,?,?,?,?,?)");
enum {
	ATTEMPT_AT,
	ATTEMPT_NUMBER,
	ATTEMPT_STATUS,
	ATTEMPT_ERROR,
	ATTEMPT_DURATION,
	ATTEMPT_NAME,
	ATTEMPT_CONNECTION
};
DB_STMT(attempts_of_lead,
    "SELECT a.at, a.attempt, a.status, a.error, a.duration_us, c.name, d.connection_id"
    " FROM lead_deliveries d JOIN lead_delivery_attempts a"
    " ON a.account_id = d.account_id AND a.delivery_id = d.id"
    " LEFT JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id"
    " WHERE d.account_id = ? AND d.lead_id = ? ORDER BY a.id LIMIT 500");
#define DESTINATION_COLUMNS                                                                        \
	"SELECT d.lead_id, d.id, d.connection_id, c.name, d.status, d.attempts, d.last_error,"     \
	" d.external_id, d.pushed_at, d.next_at, d.last_status, d.updated_at FROM "                \
	"lead_deliveries d"                                                                        \
	" LEFT JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id "
enum {
	DESTINATION_LEAD,
	DESTINATION_ID,
	DESTINATION_CONNECTION,
	DESTINATION_NAME,
	DESTINATION_STATUS,
	DESTINATION_ATTEMPTS,
	DESTINATION_LAST_ERROR,
	DESTINATION_EXTERNAL_ID,
	DESTINATION_PUSHED_AT,
	DESTINATION_NEXT_AT,
	DESTINATION_LAST_STATUS,
	DESTINATION_UPDATED_AT
};
DB_STMT_ROWS(destinations_of_leads, DESTINATION_COLUMNS "WHERE d.account_id = ? AND d.lead_id IN (",
    "?", ") ORDER BY d.id");
DB_STMT(delivery_page,
    DESTINATION_COLUMNS "WHERE d.account_id = ? AND d.id < ? AND (? IS NULL OR d.status = ?)"
			" AND (? IS NULL OR d.connection_id = ?) AND (? IS NULL OR d.lead_id = ?)"
			" ORDER BY d.id DESC LIMIT ? OFFSET ?");
#define WAITING                                                                                    \
	"stage = '" LEAD_READY "' AND sync_status IN ('" LEAD_SYNC_NONE "','" LEAD_SYNC_PENDING    \
	"','" LEAD_SYNC_FAILED "','" LEAD_SYNC_DEAD "')"
DB_STMT(leads_waiting,
    "SELECT id FROM leads WHERE account_id = ? AND " WAITING " AND id > ? ORDER BY id LIMIT ?");
DB_STMT(leads_waiting_count,
    "SELECT COUNT(*) FROM (SELECT 1 FROM leads WHERE account_id = ? AND " WAITING
    " LIMIT 100000) w");

const struct word delivery_statuses[] = {{DELIVERY_SUCCESS, "Delivered"},
    {DELIVERY_PENDING, "Pending"}, {DELIVERY_FAILED, "Failed"}, {DELIVERY_DEAD, "Given up"},
    {DELIVERY_SKIPPED, "Skipped"}, {NULL, NULL}};

static const struct filter_row delivery_filters[] = {
    {"status", FILTER_TEXT, offsetof(struct delivery_filter, status), delivery_statuses, NULL},
    {"connectionId", FILTER_ID, offsetof(struct delivery_filter, connection_id), NULL, NULL},
    {"leadId", FILTER_ID, offsetof(struct delivery_filter, lead_id), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_deliveries = {"deliveries", delivery_filters, NULL};

int delivery_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct delivery *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &delivery_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	*out = (struct delivery){.id = *id,
	    .account_id = *account_id,
	    .lead_id = db_get_uuid(&rows, 0, DELIVERY_LEAD),
	    .connection_id = db_get_uuid(&rows, 0, DELIVERY_CONNECTION),
	    .status = db_get_text(&rows, 0, DELIVERY_STATUS),
	    .attempts = (int)db_get_int(&rows, 0, DELIVERY_ATTEMPTS),
	    .rounds = (int)db_get_int(&rows, 0, DELIVERY_ROUNDS),
	    .next_us = db_get_int(&rows, 0, DELIVERY_NEXT_AT),
	    .error = db_get_text(&rows, 0, DELIVERY_LAST_ERROR),
	    .external_id = db_get_text(&rows, 0, DELIVERY_EXTERNAL_ID),
	    .updated_us = db_get_int(&rows, 0, DELIVERY_UPDATED_AT),
	    .lead = json_parse(a, db_get_str(&rows, 0, DELIVERY_LEAD_JSON), err)};
	return out->lead == NULL ? -1 : 1;
}

static const char *delivery_status_better(const char *x, const char *y)
{
	const struct word *of_x = word_find(delivery_statuses, str_from(x)),
			  *of_y = word_find(delivery_statuses, str_from(y));

	return of_y != NULL && of_y < of_x ? y : x;
}

/* A push is a success when at least one destination took it; the rest is the best that can still be
 * hoped for. */
static int lead_status_update(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, struct err *err)
{
	const char *best = DELIVERY_SKIPPED;
	struct db_rows rows;

	if (db_query(db, a, &deliveries_of_lead, DB_VALS(db_uuid(account_id), db_uuid(lead_id)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		best = delivery_status_better(best, db_get_text(&rows, i, OF_LEAD_STATUS));
	return lead_set_sync_status(db, account_id, lead_id, best, err);
}

int delivery_store(struct db *db, struct arena *a, const struct delivery *d,
    const struct delivery_attempt *attempt, struct err *err)
{
	int64_t now = clock_now_us();
	const bool is_success = strcmp(d->status, DELIVERY_SUCCESS) == 0;
	struct uuid id = uuid_new();

	if (attempt != NULL &&
	    db_exec(db, &attempt_insert,
		DB_VALS(db_uuid(&id), db_uuid(&d->account_id), db_uuid(&d->id),
		    db_int(attempt->number), db_int(attempt->at_us), db_int(attempt->duration_us),
		    attempt->http_status == 0 ? db_null() : db_int(attempt->http_status),
		    db_strn(utf8_clean(a, str_from(attempt->error), 1000))),
		NULL, err) == -1)
		return -1;
	if (db_exec(db, &delivery_update,
		DB_VALS(db_str(d->status), db_int(d->attempts), db_int(d->rounds),
		    db_time(d->next_us), db_strn(utf8_clean(a, str_from(d->error), 1000)),
		    d->http_status == 0 ? db_null() : db_int(d->http_status),
		    db_strn(utf8_clean(a, str_from(d->external_id), 255)),
		    is_success ? db_int(now) : db_null(), db_int(now), db_uuid(&d->account_id),
		    db_uuid(&d->id)),
		NULL, err) == -1)
		return -1;
	return lead_status_update(db, a, &d->account_id, &d->lead_id, err);
}

/* ---- queueing ---------------------------------------------------------------------------- */

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

static int deliveries_insert_missing(struct db *db, const struct uuid *account_id,
    const struct uuid *lead_id, struct connection **cs, size_t n, uint64_t *inserted,
    struct uuid *ids, struct err *err)
{
	struct db_val v[LIMIT_DB_BATCH * 6];
	int64_t now = clock_now_us();

	for (size_t i = 0; i < n; i++) {
		ids[i] = uuid_new();
		struct db_val row[6] = {db_uuid(&ids[i]), db_uuid(account_id), db_uuid(lead_id),
		    db_uuid(&cs[i]->id), db_int(now), db_int(now)};

		memcpy(v + 6 * i, row, sizeof(row));
	}
	return db_exec_rows(db, &deliveries_insert, NULL, 0, v, n, 6, inserted, err);
}

/* Pushes again what stands in the ledger and is no success. */
static int deliveries_requeue(struct db *db, struct arena *a, enum push_how how,
    const struct uuid *account_id, const struct uuid *lead_id, struct connection **cs, size_t ncs,
    size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &deliveries_of_lead, DB_VALS(db_uuid(account_id), db_uuid(lead_id)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, OF_LEAD_ID),
			    to = db_get_uuid(&rows, i, OF_LEAD_CONNECTION);
		struct job job = delivery_push_job(account_id, &id, &to, how);
		bool is_active = false;

		for (size_t k = 0; k < ncs; k++)
			is_active = is_active || uuid_eq(cs[k]->id, to);
		if (!is_active ||
		    strcmp(db_get_text(&rows, i, OF_LEAD_STATUS), DELIVERY_SUCCESS) == 0)
			continue;
		if (db_exec(db, &delivery_touch,
			DB_VALS(db_int(clock_now_us()), db_uuid(account_id), db_uuid(&id)), NULL,
			err) == -1 ||
		    job_run_now(db, &job, err) == -1)
			return -1;
		(*n)++;
	}
	return lead_status_update(db, a, account_id, lead_id, err);
}

/* The connections that leads go to now; only: at most this one. */
static int destinations_list(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *only, struct connection ***cs, size_t *n, struct err *err)
{
	if (connection_list_capable(app, a, account_id, "crm_push", cs, n, err) == -1)
		return -1;
	for (size_t i = 0; only != NULL && i < *n; i++) {
		if (!uuid_eq((*cs)[i]->id, *only))
			continue;
		*cs += i;
		*n = 1;
		return 0;
	}
	if (only != NULL)
		*n = 0;
	return 0;
}

int deliveries_queue(struct app *app, struct arena *a, struct job *parent, enum push_how how,
    const struct uuid *account_id, const struct uuid *lead_id, const struct uuid *only, size_t *n,
    struct err *err)
{
	struct connection **cs;
	struct uuid ids[LIMIT_DB_BATCH];
	struct job jobs[LIMIT_DB_BATCH];
	size_t ncs;
	uint64_t inserted;

	*n = 0;
	if (destinations_list(app, a, account_id, only, &cs, &ncs, err) == -1)
		return -1;
	if (ncs > LIMIT_DB_BATCH)
		ncs = LIMIT_DB_BATCH;
	if (ncs == 0)
		return 0;
	if (deliveries_insert_missing(app->db, account_id, lead_id, cs, ncs, &inserted, ids, err) ==
	    -1)
		return -1;
	if (inserted < ncs)
		return deliveries_requeue(app->db, a, how, account_id, lead_id, cs, ncs, n, err);
	for (size_t i = 0; i < ncs; i++)
		jobs[i] = delivery_push_job(account_id, &ids[i], &cs[i]->id, how);
	*n = ncs;
	if (lead_set_sync_status(app->db, account_id, lead_id, LEAD_SYNC_PENDING, err) == -1)
		return -1;
	return job_insert_next(app->db, parent, jobs, ncs, err);
}

int delivery_queue(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err)
{
	struct delivery d;
	struct job job;
	uint64_t touched;
	int found = delivery_load(db, a, account_id, id, &d, err);

	if (found != 1)
		return found;
	/* Asked of the row as it is now: a push may have ended well since it was read. */
	if (db_exec(db, &delivery_touch,
		DB_VALS(db_int(clock_now_us()), db_uuid(account_id), db_uuid(id)), &touched,
		err) == -1)
		return -1;
	if (touched == 0)
		return err_set(err, ERR_CONFLICT, "The destination has this lead already");
	job = delivery_push_job(account_id, id, &d.connection_id, PUSH_BY_HAND);
	if (lead_status_update(db, a, account_id, &d.lead_id, err) == -1 ||
	    job_run_now(db, &job, err) == -1)
		return -1;
	return 1;
}

int deliveries_waiting_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *after, int64_t most, struct uuid **ids, size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &leads_waiting,
		DB_VALS(db_uuid(account_id), db_uuid(after), db_int(most)), &rows, err) == -1)
		return -1;
	*n = rows.count;
	*ids = arena_array(a, rows.count + 1, sizeof(**ids));
	for (size_t i = 0; i < rows.count; i++)
		(*ids)[i] = db_get_uuid(&rows, i, 0);
	return 0;
}

int deliveries_count_waiting(
    struct db *db, const struct uuid *account_id, int64_t *n, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	int rc = db_row(db, a, &leads_waiting_count, DB_VALS(db_uuid(account_id)), &rows, err);

	*n = rc == 1 ? db_get_int(&rows, 0, 0) : 0;
	arena_free(a);
	return rc == -1 ? -1 : 0;
}

/* ---- reading ----------------------------------------------------------------------------- */

static json_t *destination_json(struct arena *a, const struct db_rows *rows, size_t i)
{
	json_t *o = json_object();
	const char *name = db_get_text(rows, i, DESTINATION_NAME);

	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, DESTINATION_ID)));
	json_set_str(o, "leadId", uuid_dup(a, db_get_uuid(rows, i, DESTINATION_LEAD)));
	json_set_str(o, "connectionId", uuid_dup(a, db_get_uuid(rows, i, DESTINATION_CONNECTION)));
	json_set_str(o, "name", name == NULL ? "(removed)" : name);
	json_set_str(o, "status", db_get_text(rows, i, DESTINATION_STATUS));
	json_set_int(o, "attempts", db_get_int(rows, i, DESTINATION_ATTEMPTS));
	json_set_str(o, "lastError", db_get_text(rows, i, DESTINATION_LAST_ERROR));
	json_set_str(o, "externalId", db_get_text(rows, i, DESTINATION_EXTERNAL_ID));
	json_set_time(o, "pushedAt", db_get_int(rows, i, DESTINATION_PUSHED_AT));
	json_set_time(o, "nextAttemptAt", db_get_int(rows, i, DESTINATION_NEXT_AT));
	if (db_is_null(rows, i, DESTINATION_LAST_STATUS))
		json_set(o, "lastStatus", json_null());
	else
		json_set_int(o, "lastStatus", db_get_int(rows, i, DESTINATION_LAST_STATUS));
	json_set_time(o, "updatedAt", db_get_int(rows, i, DESTINATION_UPDATED_AT));
	return o;
}

int crm_add_destinations(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *leads, struct err *err)
{
	for (size_t from = 0; from < json_array_size(leads); from += LIMIT_DB_BATCH) {
		struct uuid ids[LIMIT_DB_BATCH];
		struct db_val v[LIMIT_DB_BATCH];
		struct db_rows rows;
		size_t n = 0;

		for (size_t i = from; i < json_array_size(leads) && n < LIMIT_DB_BATCH; i++, n++) {
			json_t *lead = json_array_get(leads, i);

			uuid_parse(str_from(json_str(lead, "id")), &ids[n]);
			v[n] = db_uuid(&ids[n]);
			json_set(lead, "destinations", json_array());
		}
		if (db_query_rows(app->db, a, &destinations_of_leads, DB_VALS(db_uuid(account_id)),
			v, n, 1, &rows, err) == -1)
			return -1;
		for (size_t i = 0; i < rows.count; i++) {
			struct uuid of = db_get_uuid(&rows, i, DESTINATION_LEAD);

			for (size_t k = 0; k < n; k++)
				if (uuid_eq(of, ids[k]))
					json_array_append_new(
					    json_object_get(
						json_array_get(leads, from + k), "destinations"),
					    destination_json(a, &rows, i));
		}
	}
	return 0;
}

int crm_lead_destinations(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err)
{
	json_t *leads = json_own(a, json_array()), *lead = json_object();

	json_set_str(lead, "id", uuid_dup(a, *lead_id));
	json_array_append_new(leads, lead);
	if (crm_add_destinations(app, a, account_id, leads, err) == -1)
		return -1;
	*out = json_own(a, json_incref(json_object_get(lead, "destinations")));
	return 0;
}

int crm_lead_attempts(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &attempts_of_lead, DB_VALS(db_uuid(account_id), db_uuid(lead_id)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();

		json_set_time(o, "at", db_get_int(&rows, i, ATTEMPT_AT));
		json_set_int(o, "attempt", db_get_int(&rows, i, ATTEMPT_NUMBER));
		json_set_int(o, "status", db_get_int(&rows, i, ATTEMPT_STATUS));
		json_set_str(o, "error", db_get_text(&rows, i, ATTEMPT_ERROR));
		json_set_int(o, "durationUs", db_get_int(&rows, i, ATTEMPT_DURATION));
		json_set_str(o, "name", db_get_text(&rows, i, ATTEMPT_NAME));
		json_set_str(
		    o, "connectionId", uuid_dup(a, db_get_uuid(&rows, i, ATTEMPT_CONNECTION)));
		json_array_append_new(*out, o);
	}
	return 0;
}

static int delivery_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	(void)app;
	(void)err;
	*out = json_own(a, destination_json(a, rows, i));
	return 0;
}

int delivery_list(struct app *app, struct arena *a, const struct delivery_filter *f,
    struct slice *s, struct err *err)
{
	struct cursor from = slice_from(s);
	struct db_rows rows;

	if (db_query(app->db, a, &delivery_page,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&from.id), db_name(f->status),
		    db_name(f->status), db_uuid_or_null(&f->connection_id),
		    db_uuid_or_null(&f->connection_id), db_uuid_or_null(&f->lead_id),
		    db_uuid_or_null(&f->lead_id), db_int(slice_limit(s)), db_int(s->offset)),
		&rows, err) == -1)
		return -1;
	return slice_take(s, app, a, &rows, SLICE_BY_ID, DESTINATION_ID, delivery_json, err);
}
