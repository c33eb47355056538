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
 * - A success stays one, as long as the lead has the form that was taken. Whoever pushes again asks
 *   the row as it is now (deliveries_touch), not as it was read.
 * - A lead that is corrected has another form (leads.revision). The ledger says which one each
 *   destination is to have (wanted) and which it took last (taken): a push that ends looks whether
 *   what it has sent is wanted still, behind the lock, and else goes on with the new form.
 * - sync_status changes in the transaction that changes a delivery. It is a copy, since lists of
 *   leads filter by it and need it in an index. Whoever changes deliveries of a lead locks all of
 *   that lead first (ledger_lock), so that none decides by what another is about to change.
 * - What is done for many leads is done by statements for all of them.
 * - A connection may be gone: its deliveries stay on record, and are shown as removed. */
#include "base/clock.h"
#include "base/limits.h"
#include "crm/crm-internal.h"

DB_STMT_ROWS(deliveries_insert,
    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, status, attempts, rounds,"
    " created_at, updated_at) VALUES ",
    "(?,?,?,?,'" DELIVERY_PENDING "',0,0,?,?)", " ON DUPLICATE KEY UPDATE id = id");
enum {
	LEDGER_ID,
	LEDGER_LEAD,
	LEDGER_CONNECTION,
	LEDGER_STATUS,
	LEDGER_NEXT_AT,
	LEDGER_WANTED,
	LEDGER_TAKEN
};
DB_STMT_ROWS(ledger_of_leads,
    "SELECT id, lead_id, connection_id, status, next_at, wanted, taken FROM lead_deliveries"
    " WHERE account_id = ? AND lead_id IN (",
    "?", ") FOR UPDATE");
enum {
	DELIVERY_ID,
	DELIVERY_LEAD,
	DELIVERY_CONNECTION,
	DELIVERY_STATUS,
	DELIVERY_ATTEMPTS,
	DELIVERY_ROUNDS,
	DELIVERY_NEXT_AT,
	DELIVERY_LAST_ERROR,
	DELIVERY_EXTERNAL_ID,
	DELIVERY_UPDATED_AT,
	DELIVERY_LEAD_JSON,
	DELIVERY_MAPPING,
	DELIVERY_MAPPING_VERSION,
	DELIVERY_PROVIDER,
	DELIVERY_PROVIDER_LEAD_ID,
	DELIVERY_RECORD,
	DELIVERY_FORM,
	DELIVERY_AD,
	DELIVERY_CAMPAIGN,
	DELIVERY_RECEIVED_AT,
	DELIVERY_REVISION
};
DB_STMT_ROWS(deliveries_by_id,
    "SELECT d.id, d.lead_id, d.connection_id, d.status, d.attempts, d.rounds, d.next_at,"
    " d.last_error, d.external_id, d.updated_at, l.lead, m.mapping, m.version,"
    " l.provider_type, l.provider_lead_id, l.record_id, l.form_id, l.ad_id, l.campaign_id,"
    " l.received_at, l.revision"
    " FROM lead_deliveries d FORCE INDEX (PRIMARY)"
    " JOIN leads l ON l.id = d.lead_id AND l.account_id = d.account_id"
    " LEFT JOIN mappings m ON m.account_id = d.account_id AND m.connection_id = d.connection_id"
    " WHERE d.account_id = ? AND d.id IN (",
    "?", ")");
/* Of rows that are there and locked: what it would insert otherwise are its keys. */
DB_STMT_ROWS(deliveries_update,
    "INSERT INTO lead_deliveries (id, account_id, lead_id, connection_id, created_at, status,"
    " attempts, rounds, next_at, last_error, last_status, external_id, pushed_at, updated_at,"
    " taken) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE status = VALUES(status), attempts = VALUES(attempts),"
    " rounds = VALUES(rounds), next_at = VALUES(next_at), last_error = VALUES(last_error),"
    " last_status = VALUES(last_status),"
    " external_id = COALESCE(VALUES(external_id), external_id),"
    " pushed_at = COALESCE(VALUES(pushed_at), pushed_at), updated_at = VALUES(updated_at),"
    " taken = GREATEST(taken, VALUES(taken))");
#define TOUCH                                                                                      \
	"UPDATE lead_deliveries SET status = '" DELIVERY_PENDING                                   \
	"', rounds = 0, next_at = NULL, updated_at = ? WHERE account_id = ?"
DB_STMT_ROWS(deliveries_touch, TOUCH " AND status <> '" DELIVERY_SUCCESS "' AND id IN (", "?", ")");
/* A success, too: of a form that is no longer the lead's. */
DB_STMT(delivery_open_again, TOUCH " AND id = ?");
DB_STMT(deliveries_want,
    "UPDATE lead_deliveries SET wanted = ? WHERE account_id = ? AND lead_id = ? AND wanted < ?");
DB_STMT_ROWS(leads_of_deliveries,
    "SELECT lead_id FROM lead_deliveries WHERE account_id = ? AND id IN (", "?", ")");
DB_STMT_ROWS(attempts_insert,
    "INSERT INTO lead_delivery_attempts (id, account_id, delivery_id, attempt, at, duration_us,"
    " status, error, answer, missing) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)", "");
enum {
	ATTEMPT_AT,
	ATTEMPT_NUMBER,
	ATTEMPT_STATUS,
	ATTEMPT_ERROR,
	ATTEMPT_DURATION,
	ATTEMPT_NAME,
	ATTEMPT_CONNECTION,
	ATTEMPT_ANSWER,
	ATTEMPT_MISSING
};
DB_STMT(attempts_of_lead,
    "SELECT a.at, a.attempt, a.status, a.error, a.duration_us, c.name, d.connection_id, a.answer,"
    " a.missing"
    " FROM lead_deliveries d JOIN lead_delivery_attempts a"
    " ON a.account_id = d.account_id AND a.delivery_id = d.id"
    " LEFT JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id"
    " WHERE d.account_id = ? AND d.lead_id = ? ORDER BY a.id LIMIT 500");
#define DESTINATION_COLUMNS                                                                        \
	"SELECT d.lead_id, d.id, d.connection_id, c.name, d.status, d.attempts, d.last_error,"     \
	" d.external_id, d.pushed_at, d.next_at, d.last_status, d.updated_at"
#define DESTINATION_TABLES                                                                         \
	" FROM lead_deliveries d"                                                                  \
	" LEFT JOIN connections c ON c.id = d.connection_id AND c.account_id = d.account_id "
/* With what the last attempt has to tell, for those who look at one delivery after the other. */
#define LAST_ATTEMPT_COLUMNS DESTINATION_COLUMNS ", t.answer, t.missing"
#define LAST_ATTEMPT_TABLES                                                                        \
	DESTINATION_TABLES                                                                         \
	"LEFT JOIN lead_delivery_attempts t ON t.account_id = d.account_id AND t.id ="             \
	" (SELECT MAX(x.id) FROM lead_delivery_attempts x WHERE x.account_id = d.account_id"       \
	" AND x.delivery_id = d.id) "
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
	DESTINATION_UPDATED_AT,
	DESTINATION_ANSWER,
	DESTINATION_MISSING
};
DB_STMT(attempts_of_lead_erase,
    "DELETE FROM lead_delivery_attempts WHERE account_id = ? AND delivery_id IN"
    " (SELECT id FROM lead_deliveries WHERE account_id = ? AND lead_id = ?)");
DB_STMT(
    deliveries_of_lead_erase, "DELETE FROM lead_deliveries WHERE account_id = ? AND lead_id = ?");
DB_STMT_ROWS(destinations_of_leads,
    DESTINATION_COLUMNS DESTINATION_TABLES "WHERE d.account_id = ? AND d.lead_id IN (", "?",
    ") ORDER BY d.id");
DB_STMT(destinations_of_lead, LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES
    "WHERE d.account_id = ? AND d.lead_id = ? ORDER BY d.id");
DB_STMT(delivery_page, LAST_ATTEMPT_COLUMNS LAST_ATTEMPT_TABLES
    "WHERE d.account_id = ? AND d.id < ? AND (? IS NULL OR d.status = ?)"
    " AND (? IS NULL OR d.connection_id = ?) AND (? IS NULL OR d.lead_id = ?)"
    " ORDER BY d.id DESC LIMIT ? OFFSET ?");
/* Ready, or failed for want of their details; no destination has taken them. */
#define WAITING                                                                                    \
	"stage IN ('" LEAD_READY "','" LEAD_FAILED "','" LEAD_INCOMPLETE                           \
	"') AND sync_status IN ('" LEAD_SYNC_NONE "','" LEAD_SYNC_PENDING "','" LEAD_SYNC_FAILED   \
	"','" LEAD_SYNC_DEAD "')"
DB_STMT(leads_waiting, "SELECT id, stage FROM leads WHERE account_id = ? AND " WAITING
		       " AND id > ? ORDER BY id LIMIT ?");
/* Of leads that another destination has taken. */
#define DEAD_BESIDE                                                                                \
	" FROM lead_deliveries d STRAIGHT_JOIN leads l ON l.id = d.lead_id"                        \
	" AND l.account_id = d.account_id AND l.sync_status = '" LEAD_SYNC_SUCCESS                 \
	"' WHERE d.account_id = ? AND d.status = '" DELIVERY_DEAD "'"
DB_STMT(deliveries_dead_beside,
    "SELECT d.id, d.lead_id" DEAD_BESIDE " AND d.id > ? AND (? IS NULL OR d.connection_id = ?)"
    " ORDER BY d.id LIMIT ?");
enum { BESIDE_ID, BESIDE_LEAD };
DB_STMT(leads_waiting_count,
    "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM leads WHERE account_id = ? AND " WAITING
    " LIMIT 100000) w) + (SELECT COUNT(*) FROM (SELECT DISTINCT d.lead_id" DEAD_BESIDE
    " LIMIT 100000) b)");

const struct word delivery_statuses[] = {{DELIVERY_SUCCESS, "Delivered"},
    {DELIVERY_PENDING, "Pending"}, {DELIVERY_FAILED, "Failed"}, {DELIVERY_DEAD, "Given up"},
    {DELIVERY_SKIPPED, "Skipped"}, {NULL, NULL}};

static const struct filter_row delivery_filters[] = {
    {"status", FILTER_WORD, offsetof(struct delivery_filter, status), delivery_statuses, NULL},
    {"connectionId", FILTER_ID, offsetof(struct delivery_filter, connection_id), NULL, NULL},
    {"leadId", FILTER_ID, offsetof(struct delivery_filter, lead_id), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_deliveries = {"deliveries", delivery_filters, NULL};

/* ---- one delivery ------------------------------------------------------------------------ */

/* What a mapping can name of a lead beside its normalized form. */
static void lead_complete(struct arena *a, const struct db_rows *rows, size_t i, json_t *lead)
{
	static const struct {
		const char *name;
		size_t column;
	} texts[] = {{"providerType", DELIVERY_PROVIDER},
	    {"providerLeadId", DELIVERY_PROVIDER_LEAD_ID}, {"formId", DELIVERY_FORM},
	    {"adId", DELIVERY_AD}, {"campaignId", DELIVERY_CAMPAIGN}};

	for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
		if (!db_is_null(rows, i, texts[k].column))
			json_set_str(lead, texts[k].name, db_get_text(rows, i, texts[k].column));
	json_set_str(lead, "id", uuid_dup(a, db_get_uuid(rows, i, DELIVERY_LEAD)));
	if (!db_is_null(rows, i, DELIVERY_RECORD))
		json_set_str(lead, "recordId", uuid_dup(a, db_get_uuid(rows, i, DELIVERY_RECORD)));
	json_set_str(
	    lead, "receivedAt", clock_iso_dup(a, db_get_int(rows, i, DELIVERY_RECEIVED_AT)));
}

/* With copies of its own, since rows that were read for many jobs go before those do. */
static int delivery_row_read(struct arena *a, const struct db_rows *rows, size_t i,
    const struct uuid *account_id, struct delivery *out, struct err *err)
{
	*out = (struct delivery){.id = db_get_uuid(rows, i, DELIVERY_ID),
	    .account_id = *account_id,
	    .lead_id = db_get_uuid(rows, i, DELIVERY_LEAD),
	    .connection_id = db_get_uuid(rows, i, DELIVERY_CONNECTION),
	    .status = arena_strdup(a, db_get_text(rows, i, DELIVERY_STATUS)),
	    .attempts = (int)db_get_int(rows, i, DELIVERY_ATTEMPTS),
	    .rounds = (int)db_get_int(rows, i, DELIVERY_ROUNDS),
	    .next_us = db_get_int(rows, i, DELIVERY_NEXT_AT),
	    .error = arena_strdup(a, db_get_text(rows, i, DELIVERY_LAST_ERROR)),
	    .external_id = arena_strdup(a, db_get_text(rows, i, DELIVERY_EXTERNAL_ID)),
	    .updated_us = db_get_int(rows, i, DELIVERY_UPDATED_AT),
	    .revision = (int)db_get_int(rows, i, DELIVERY_REVISION),
	    .lead = json_parse_stored(a, db_get_str(rows, i, DELIVERY_LEAD_JSON), err)};
	if (out->lead == NULL)
		return -1;
	lead_complete(a, rows, i, out->lead);
	out->mapping.version = db_get_int(rows, i, DELIVERY_MAPPING_VERSION);
	if (!db_is_null(rows, i, DELIVERY_MAPPING))
		out->mapping.text = str_copy(a, db_get_str(rows, i, DELIVERY_MAPPING));
	return 0;
}

int delivery_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct delivery *out, struct err *err)
{
	struct db_val key = db_uuid(id);
	struct db_rows rows;

	if (db_query_rows(db, a, &deliveries_by_id, DB_VALS(db_uuid(account_id)), &key, 1, 1, &rows,
		err) == -1)
		return -1;
	if (rows.count == 0)
		return 0;
	return delivery_row_read(a, &rows, 0, account_id, out, err) == -1 ? -1 : 1;
}

static int push_job_read(struct job *j, const struct db_rows *rows, size_t row, struct err *err)
{
	struct delivery *out = arena_alloc(j->a, sizeof(*out));

	if (delivery_row_read(j->a, rows, row, &j->account_id, out, err) == -1)
		return -1;
	j->loaded = out;
	return 0;
}

int crm_job_load(struct app *app, struct job *const *jobs, size_t n, struct err *err)
{
	return job_load_subjects(app, &deliveries_by_id, DELIVERY_ID, jobs, n, push_job_read, err);
}

/* ---- the leads' own status --------------------------------------------------------------- */

/* All deliveries of some leads of one account, locked; and what becomes of them. */
struct ledger {
	const struct uuid *account_id;
	struct lead_sync *leads; /* once each; status: of all deliveries together */
	size_t nleads;
	struct db_rows rows;
	const char **status; /* per row */
};

static void ledger_add_lead(struct ledger *l, const struct uuid *lead_id)
{
	for (size_t i = 0; i < l->nleads; i++)
		if (uuid_eq(l->leads[i].lead_id, *lead_id))
			return;
	l->leads[l->nleads++] = (struct lead_sync){*lead_id, NULL};
}

/* Leads were added, at most LIMIT_DB_BATCH. */
static int ledger_lock(struct ledger *l, struct db *db, struct arena *a, struct err *err)
{
	struct db_val ids[LIMIT_DB_BATCH];

	for (size_t i = 0; i < l->nleads; i++)
		ids[i] = db_uuid(&l->leads[i].lead_id);
	if (db_query_rows(db, a, &ledger_of_leads, DB_VALS(db_uuid(l->account_id)), ids, l->nleads,
		1, &l->rows, err) == -1)
		return -1;
	l->status = arena_array(a, l->rows.count + 1, sizeof(*l->status));
	for (size_t i = 0; i < l->rows.count; i++)
		l->status[i] = db_get_text(&l->rows, i, LEDGER_STATUS);
	return 0;
}

static struct ledger ledger_new(struct arena *a, const struct uuid *account_id, size_t most)
{
	return (struct ledger){
	    .account_id = account_id, .leads = arena_array(a, most, sizeof(struct lead_sync))};
}

static const char *delivery_status_better(const char *x, const char *y)
{
	const struct word *of_x = word_find(delivery_statuses, str_from(x)),
			  *of_y = word_find(delivery_statuses, str_from(y));

	return of_y != NULL && of_y < of_x ? y : x;
}

/* A push is a success when at least one destination took it; the rest is the best that can still be
 * hoped for. */
static void ledger_sum_up(struct ledger *l)
{
	for (size_t i = 0; i < l->nleads; i++) {
		const char *best = DELIVERY_SKIPPED;

		for (size_t k = 0; k < l->rows.count; k++)
			if (uuid_eq(db_get_uuid(&l->rows, k, LEDGER_LEAD), l->leads[i].lead_id))
				best = delivery_status_better(best, l->status[k]);
		l->leads[i].status = best;
	}
}

static int ledger_tell_leads(struct ledger *l, struct db *db, struct err *err)
{
	ledger_sum_up(l);
	return lead_set_sync_statuses(db, l->account_id, l->leads, l->nleads, err);
}

/* ---- what came of pushes ----------------------------------------------------------------- */

#define MISSING_BYTES 1000u /* of the column */
#define INSERT_VALUES 6
#define ATTEMPT_VALUES 10
#define UPDATE_VALUES 15

/* As it is stored: a list's JSON, of as many as have room; {NULL,0} where nothing is missing. */
static struct str missing_text(struct arena *a, const json_t *missing)
{
	struct str text = {NULL, 0};
	json_t *list;

	if (json_array_size(missing) == 0)
		return text;
	list = json_own(a, json_copy(JSON_ITER(missing)));
	for (text = json_text(a, list); text.n > MISSING_BYTES; text = json_text(a, list))
		json_array_remove(list, json_array_size(list) - 1);
	return text;
}

static int attempts_store(
    struct db *db, struct arena *a, const struct push_outcome *v, size_t n, struct err *err)
{
	struct db_val *vals = arena_alloc(a, n * ATTEMPT_VALUES * sizeof(*vals));
	struct uuid *ids = arena_array(a, n, sizeof(*ids));
	size_t rows = 0;

	for (size_t i = 0; i < n; i++) {
		const struct delivery_attempt *t = v[i].attempt;

		if (t == NULL)
			continue;
		ids[i] = uuid_new();
		struct db_val row[ATTEMPT_VALUES] = {db_uuid(&ids[i]), db_uuid(&v[i].d->account_id),
		    db_uuid(&v[i].d->id), db_int(t->number), db_int(t->at_us),
		    db_int(t->duration_us),
		    t->http_status == 0 ? db_null() : db_int(t->http_status),
		    db_strn(utf8_clean(a, str_from(t->error), 1000)), db_strn(t->answer),
		    db_strn(missing_text(a, t->missing))};

		memcpy(vals + ATTEMPT_VALUES * rows++, row, sizeof(row));
	}
	return db_exec_rows(db, &attempts_insert, NULL, 0, vals, rows, ATTEMPT_VALUES, NULL, err);
}

static int deliveries_write(
    struct db *db, struct arena *a, const struct push_outcome *v, size_t n, struct err *err)
{
	struct db_val *vals = arena_alloc(a, n * UPDATE_VALUES * sizeof(*vals));
	struct db_val now = db_int(clock_now_us());

	for (size_t i = 0; i < n; i++) {
		const struct delivery *d = v[i].d;
		bool is_success = strcmp(d->status, DELIVERY_SUCCESS) == 0;
		bool is_anew = v[i].is_outdated; /* as if it had just been queued */
		struct db_val row[UPDATE_VALUES] = {db_uuid(&d->id), db_uuid(&d->account_id),
		    db_uuid(&d->lead_id), db_uuid(&d->connection_id), now,
		    db_str(is_anew ? DELIVERY_PENDING : d->status), db_int(d->attempts),
		    db_int(is_anew ? 0 : d->rounds), db_time(is_anew ? 0 : d->next_us),
		    db_strn(utf8_clean(a, str_from(d->error), 1000)),
		    d->http_status == 0 ? db_null() : db_int(d->http_status),
		    db_strn(utf8_clean(a, str_from(d->external_id), 255)),
		    is_success ? now : db_null(), now, db_int(is_success ? d->revision : 0)};

		memcpy(vals + UPDATE_VALUES * i, row, sizeof(row));
	}
	return db_exec_rows(db, &deliveries_update, NULL, 0, vals, n, UPDATE_VALUES, NULL, err);
}

int deliveries_store(
    struct db *db, struct arena *a, struct push_outcome *v, size_t n, struct err *err)
{
	struct ledger l = ledger_new(a, &v[0].d->account_id, n);

	for (size_t i = 0; i < n; i++)
		ledger_add_lead(&l, &v[i].d->lead_id);
	if (ledger_lock(&l, db, a, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&l.rows, LEDGER_ID, &v[i].d->id);

		if (k == l.rows.count)
			return err_set(err, ERR_NOT_FOUND, "a delivery is gone from the ledger");
		v[i].is_outdated =
		    v[i].is_end && db_get_int(&l.rows, k, LEDGER_WANTED) > v[i].d->revision;
		l.status[k] = v[i].is_outdated ? DELIVERY_PENDING : v[i].d->status;
	}
	if (attempts_store(db, a, v, n, err) == -1 || deliveries_write(db, a, v, n, err) == -1)
		return -1;
	return ledger_tell_leads(&l, db, err);
}

/* Those that are no success are pending, as if they were new; *touched of them. */
static int deliveries_touch_rows(struct db *db, const struct uuid *account_id,
    const struct uuid *ids, size_t n, uint64_t *touched, struct err *err)
{
	struct db_val keys[LIMIT_DB_BATCH];

	for (size_t i = 0; i < n; i++)
		keys[i] = db_uuid(&ids[i]);
	return db_exec_rows(db, &deliveries_touch,
	    DB_VALS(db_int(clock_now_us()), db_uuid(account_id)), keys, n, 1, touched, err);
}

int deliveries_revive(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, struct err *err)
{
	struct ledger l = ledger_new(a, account_id, n);
	struct db_val keys[LIMIT_DB_BATCH];
	struct db_rows leads;

	for (size_t i = 0; i < n; i++)
		keys[i] = db_uuid(&ids[i]);
	if (db_query_rows(db, a, &leads_of_deliveries, DB_VALS(db_uuid(account_id)), keys, n, 1,
		&leads, err) == -1)
		return -1;
	if (leads.count == 0)
		return 0;
	for (size_t i = 0; i < leads.count; i++) {
		struct uuid lead_id = db_get_uuid(&leads, i, 0);

		ledger_add_lead(&l, &lead_id);
	}
	if (ledger_lock(&l, db, a, err) == -1 ||
	    deliveries_touch_rows(db, account_id, ids, n, NULL, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&l.rows, LEDGER_ID, &ids[i]);

		if (k < l.rows.count && strcmp(l.status[k], DELIVERY_SUCCESS) != 0)
			l.status[k] = DELIVERY_PENDING;
	}
	return ledger_tell_leads(&l, db, err);
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
	if (deliveries_touch_rows(q->app->db, &q->account_id, &id, 1, NULL, err) == -1)
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
	if (q->nto > LIMIT_DB_BATCH)
		q->nto = LIMIT_DB_BATCH;
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
	if ((jobs = deliveries_insert_missing(q, leads, n, &inserted, err)) == NULL)
		return -1;
	if (inserted < n * q->nto)
		return deliveries_requeue(q, leads, n, err);
	for (size_t i = 0; i < n; i++)
		leads[i].status = LEAD_SYNC_PENDING;
	q->queued += n * q->nto;
	return job_insert_next(q->app->db, q->parent, jobs, n * q->nto, err);
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
	if (deliveries_touch_rows(db, account_id, id, 1, &touched, err) == -1)
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
	if (db_exec(q->app->db, &delivery_open_again,
		DB_VALS(db_int(clock_now_us()), db_uuid(&q->account_id), db_uuid(&id)), NULL,
		err) == -1)
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

int deliveries_waiting_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *after, int64_t most, struct waiting_lead **out, size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &leads_waiting,
		DB_VALS(db_uuid(account_id), db_uuid(after), db_int(most)), &rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		(*out)[i] = (struct waiting_lead){
		    id, id, strcmp(db_get_text(&rows, i, 1), LEAD_READY) == 0};
	}
	return 0;
}

int deliveries_dead_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *only, const struct uuid *after, int64_t most, struct waiting_lead **out,
    size_t *n, struct err *err)
{
	struct db_val to = only == NULL ? db_null() : db_uuid(only);
	struct db_rows rows;

	if (db_query(db, a, &deliveries_dead_beside,
		DB_VALS(db_uuid(account_id), db_uuid(after), to, to, db_int(most)), &rows,
		err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++)
		(*out)[i] = (struct waiting_lead){
		    db_get_uuid(&rows, i, BESIDE_LEAD), db_get_uuid(&rows, i, BESIDE_ID), true};
	return 0;
}

int deliveries_count_waiting(
    struct db *db, const struct uuid *account_id, int64_t *n, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	int rc = db_row(db, a, &leads_waiting_count,
	    DB_VALS(db_uuid(account_id), db_uuid(account_id)), &rows, err);

	*n = rc == 1 ? db_get_int(&rows, 0, 0) : 0;
	arena_free(a);
	return rc == -1 ? -1 : 0;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Of the last attempt, or of one: what the destination answered, and what the lead lacked. */
static void attempt_tell(
    struct arena *a, const struct db_rows *rows, size_t i, size_t answer, size_t missing, json_t *o)
{
	json_t *list = db_is_null(rows, i, missing)
			   ? NULL
			   : json_parse_stored(a, db_get_str(rows, i, missing), NULL);

	json_set_str(o, "answer", db_get_text(rows, i, answer));
	json_set(o, "missing", list == NULL ? json_array() : json_incref(list));
}

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

static json_t *delivery_told(struct arena *a, const struct db_rows *rows, size_t i)
{
	json_t *o = destination_json(a, rows, i);

	attempt_tell(a, rows, i, DESTINATION_ANSWER, DESTINATION_MISSING, o);
	return o;
}

int crm_lead_destinations(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &destinations_of_lead,
		DB_VALS(db_uuid(account_id), db_uuid(lead_id)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		json_array_append_new(*out, delivery_told(a, &rows, i));
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
		attempt_tell(a, &rows, i, ATTEMPT_ANSWER, ATTEMPT_MISSING, o);
		json_array_append_new(*out, o);
	}
	return 0;
}

static int delivery_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	(void)app;
	(void)err;
	*out = json_own(a, delivery_told(a, rows, i));
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

int crm_on_lead_erased(
    struct app *app, const struct uuid *account_id, const struct uuid *lead_id, struct err *err)
{
	return db_exec(app->db, &attempts_of_lead_erase,
		   DB_VALS(db_uuid(account_id), db_uuid(account_id), db_uuid(lead_id)), NULL,
		   err) == -1
		   ? -1
		   : db_exec(app->db, &deliveries_of_lead_erase,
			 DB_VALS(db_uuid(account_id), db_uuid(lead_id)), NULL, err);
}
