/* SQL of the dashboard, and a memory of its counts.
 *
 *	account, metric, [from, to) ──hash──> slot ──same key, not too old──> its count
 *	                                       └──else──> COUNT over a range of an index ──> slot
 *
 *	the range ended    more than 2 h ago   before now   not yet
 *	is remembered for  1 h                 1 min        5 s
 *
 * The page shows some hundred hours. Those that are over do not change, but for late arrivals, and
 * so are counted about once per process; only the hour that goes on is counted often.
 *
 * A slot holds one key, and a new key simply takes it. So there is nothing to evict and the memory
 * is fixed; two keys that share a slot cost a query, never a wrong count, since the whole key is
 * compared. A key names its account. A process handles one request at a time: no locks. */
#include "product/dashboard-store.h"

#include "base/app.h"
#include "base/clock.h"
#include "crm/crm.h"
#include "flow/flow.h"

#define HOUR_US (INT64_C(3600) * SECOND_US)
#define CACHE_SLOTS 2048
#define NOW_US (5 * SECOND_US) /* what is so now is looked up so often */

/* Ids begin with their time: a range of ids is a range of the index, within the partitions it
 * touches. */
DB_STMT(dashboard_events_between,
    "SELECT COUNT(*) FROM events WHERE account_id = ? AND id >= ? AND id < ?");
DB_STMT(dashboard_leads_between,
    "SELECT COUNT(*) FROM leads WHERE account_id = ? AND received_at >= ? AND received_at < ?");
DB_STMT(dashboard_leads_of_status,
    "SELECT COUNT(*) FROM (SELECT id FROM leads FORCE INDEX (leads_sync)"
    " WHERE account_id = ? AND sync_status = ? LIMIT 1000) k");
/* Of the newest that failed, those that were not run again. */
DB_STMT(dashboard_runs_failed,
    "SELECT COUNT(*) FROM (SELECT replayed_by FROM executions FORCE INDEX (executions_status)"
    " WHERE account_id = ? AND status = '" EXECUTION_FAILED "' ORDER BY id DESC LIMIT 1000) k"
    " WHERE replayed_by IS NULL");
DB_STMT(dashboard_tasks_failed,
    "SELECT COUNT(*) FROM (SELECT id FROM tasks FORCE INDEX (tasks_status)"
    " WHERE account_id = ? AND status = 'failed' AND id >= ? LIMIT 1000) k");
DB_STMT(dashboard_connections_bad,
    "SELECT COUNT(*) FROM connections WHERE account_id = ?"
    " AND status IN ('" CONNECTION_ERROR "', '" CONNECTION_EXPIRED "')");
/* A status has no index: the newest so many are looked through. */
DB_STMT(dashboard_events_refused,
    "SELECT COUNT(*) FROM (SELECT status FROM events FORCE INDEX (events_account)"
    " WHERE account_id = ? AND id >= ? ORDER BY id DESC LIMIT 3000) k WHERE status = 'rejected'");
DB_STMT(dashboard_deliveries_since,
    "SELECT COUNT(*) FROM lead_deliveries WHERE account_id = ? AND status = ? AND id >= ?");
DB_STMT(dashboard_delivery_any,
    "SELECT id FROM lead_deliveries FORCE INDEX (lead_deliveries_status)"
    " WHERE account_id = ? AND status = ? LIMIT 1");
DB_STMT(dashboard_connection_health,
    "SELECT id, provider_type, name, status, last_error, last_used_at FROM connections"
    " WHERE account_id = ?"
    " ORDER BY status = '" CONNECTION_ACTIVE "', last_error IS NULL, provider_type, id LIMIT 8");
enum {
	HEALTH_ID,
	HEALTH_PROVIDER_TYPE,
	HEALTH_NAME,
	HEALTH_STATUS,
	HEALTH_LAST_ERROR,
	HEALTH_LAST_USED
};

/* ---- counts, remembered ------------------------------------------------------------------- */

struct count_key {
	struct uuid account_id;
	int64_t metric, from_us, to_us;
};
static struct {
	struct count_key key;
	int64_t count, until_us;
} counts[CACHE_SLOTS];

static bool count_key_eq(const struct count_key *a, const struct count_key *b)
{
	return uuid_eq(a->account_id, b->account_id) && a->metric == b->metric &&
	       a->from_us == b->from_us && a->to_us == b->to_us;
}

/* The past of events stays as it is but for late arrivals (a drained spool); leads may come with a
 * time of their own; the present does not stay. */
static int64_t count_lifetime_us(const struct count_key *k)
{
	int64_t age = clock_now_us() - k->to_us;

	if (k->to_us == 0)
		return NOW_US;
	if (age > 2 * HOUR_US && k->metric != DASHBOARD_LEADS)
		return HOUR_US;
	return age > 0 ? 60 * SECOND_US : 5 * SECOND_US;
}

static const char *lead_status_of(int64_t metric)
{
	return metric == DASHBOARD_LEADS_FAILED ? LEAD_SYNC_FAILED : LEAD_SYNC_DEAD;
}

static int count_load(
    struct app *app, struct arena *a, const struct count_key *k, int64_t *out, struct err *err)
{
	struct uuid from = uuid_at(k->from_us), to = uuid_at(k->to_us),
		    day = uuid_at(clock_now_us() - DAY_US),
		    week = uuid_at(clock_now_us() - 7 * DAY_US);
	struct db_rows rows;
	bool is_cut;
	int rc;

	switch (k->metric) {
	case DASHBOARD_EVENTS:
		rc = db_row(app->db, a, &dashboard_events_between,
		    DB_VALS(db_uuid(&k->account_id), db_uuid(&from), db_uuid(&to)), &rows, err);
		break;
	case DASHBOARD_LEADS:
		rc = db_row(app->db, a, &dashboard_leads_between,
		    DB_VALS(db_uuid(&k->account_id), db_int(k->from_us), db_int(k->to_us)), &rows,
		    err);
		break;
	case DASHBOARD_CONNECTIONS_BAD:
		rc = db_row(app->db, a, &dashboard_connections_bad,
		    DB_VALS(db_uuid(&k->account_id)), &rows, err);
		break;
	case DASHBOARD_RUNS_FAILED:
		rc = db_row(app->db, a, &dashboard_runs_failed, DB_VALS(db_uuid(&k->account_id)),
		    &rows, err);
		break;
	case DASHBOARD_TASKS_FAILED:
		rc = db_row(app->db, a, &dashboard_tasks_failed,
		    DB_VALS(db_uuid(&k->account_id), db_uuid(&week)), &rows, err);
		break;
	case DASHBOARD_LEADS_PARTIAL:
		return leads_count_partial(app, a, &k->account_id, out, &is_cut, err);
	case DASHBOARD_REFUSED:
		rc = db_row(app->db, a, &dashboard_events_refused,
		    DB_VALS(db_uuid(&k->account_id), db_uuid(&day)), &rows, err);
		break;
	default:
		rc = db_row(app->db, a, &dashboard_leads_of_status,
		    DB_VALS(db_uuid(&k->account_id), db_str(lead_status_of(k->metric))), &rows,
		    err);
	}
	if (rc != 1)
		return -1;
	*out = db_get_int(&rows, 0, 0);
	return 0;
}

int dashboard_count(struct app *app, struct arena *a, const struct uuid *account_id,
    enum dashboard_metric metric, int64_t from_us, int64_t to_us, int64_t *out, struct err *err)
{
	struct count_key key = {*account_id, metric, from_us, to_us};
	size_t slot = (size_t)(str_hash(&key, sizeof(key)) % CACHE_SLOTS);
	int64_t now = clock_mono_us();

	if (now < counts[slot].until_us && count_key_eq(&key, &counts[slot].key)) {
		*out = counts[slot].count;
		return 0;
	}
	if (count_load(app, a, &key, out, err) == -1)
		return -1;
	counts[slot].key = key;
	counts[slot].count = *out;
	counts[slot].until_us = now + count_lifetime_us(&key);
	return 0;
}

int dashboard_count_now(struct app *app, struct arena *a, const struct uuid *account_id,
    enum dashboard_metric metric, int64_t *out, struct err *err)
{
	return dashboard_count(app, a, account_id, metric, 0, 0, out, err);
}

/* ---- the rest ------------------------------------------------------------------------------ */

int dashboard_deliveries(struct app *app, struct arena *a, const struct uuid *account_id,
    int64_t from_us, json_t **out, struct err *err)
{
	struct uuid from = uuid_at(from_us);

	*out = json_own(a, json_array());
	for (const struct word *w = delivery_statuses; w->text != NULL; w++) {
		struct db_rows rows;
		if (db_row(app->db, a, &dashboard_deliveries_since,
			DB_VALS(db_uuid(account_id), db_str(w->text), db_uuid(&from)), &rows,
			err) != 1)
			return -1;
		if (db_get_int(&rows, 0, 0) == 0)
			continue;
		json_t *o = json_object();
		json_set_str(o, "status", w->text);
		json_set_str(o, "label", w->label);
		json_set_int(o, "count", db_get_int(&rows, 0, 0));
		json_array_append_new(*out, o);
	}
	return 0;
}

int dashboard_first_pushes(struct app *app, struct arena *a, const struct uuid *account_id,
    bool *has_success, bool *has_failure, struct err *err)
{
	static const char *const statuses[] = {DELIVERY_SUCCESS, DELIVERY_FAILED, DELIVERY_DEAD};
	bool has[3];

	for (size_t i = 0; i < 3; i++) {
		struct db_rows rows;
		int found = db_row(app->db, a, &dashboard_delivery_any,
		    DB_VALS(db_uuid(account_id), db_str(statuses[i])), &rows, err);

		if (found == -1)
			return -1;
		has[i] = found == 1;
	}
	*has_success = has[0];
	*has_failure = has[1] || has[2];
	return 0;
}

int dashboard_connections(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &dashboard_connection_health, DB_VALS(db_uuid(account_id)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();
		json_set_str(o, "id", uuid_dup(a, db_get_uuid(&rows, i, HEALTH_ID)));
		json_set_str(o, "providerType", db_get_text(&rows, i, HEALTH_PROVIDER_TYPE));
		json_set_str(o, "name", db_get_text(&rows, i, HEALTH_NAME));
		json_set_str(o, "status", db_get_text(&rows, i, HEALTH_STATUS));
		json_set_str(o, "lastError", db_get_text(&rows, i, HEALTH_LAST_ERROR));
		json_set_time(o, "lastUsedAt", db_get_int(&rows, i, HEALTH_LAST_USED));
		json_array_append_new(*out, o);
	}
	return 0;
}
