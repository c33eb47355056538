/* Leads that wait for a destination. */
#include "crm/crm-internal.h"

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
/* Of leads of which nothing else waits: skipped while its destination was disabled, which is back.
 * What was routed elsewhere, or lacks a credential, says so in `route`. */
#define SKIPPED_BESIDE                                                                             \
	" FROM connections c STRAIGHT_JOIN lead_deliveries d FORCE INDEX (lead_deliveries_state)"  \
	" ON d.account_id = c.account_id AND d.connection_id = c.id"                               \
	" AND d.status = '" DELIVERY_SKIPPED "' AND d.route IS NULL"                               \
	" STRAIGHT_JOIN leads l ON l.id = d.lead_id AND l.account_id = d.account_id"               \
	" AND l.sync_status IN ('" LEAD_SYNC_SUCCESS "','" LEAD_SYNC_SKIPPED "')"                  \
	" WHERE c.account_id = ? AND c.status <> '" CONNECTION_DISABLED "'"
#define BESIDE_PAGE " AND d.id > ? AND (? IS NULL OR d.connection_id = ?) ORDER BY d.id LIMIT ?)"
DB_STMT(deliveries_beside,
    "(SELECT d.id, d.lead_id" DEAD_BESIDE BESIDE_PAGE
    " UNION ALL (SELECT d.id, d.lead_id" SKIPPED_BESIDE BESIDE_PAGE " ORDER BY 1 LIMIT ?");
enum { BESIDE_ID, BESIDE_LEAD };
DB_STMT(leads_waiting_count,
    "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM leads WHERE account_id = ? AND " WAITING
    " LIMIT 100000) w) + (SELECT COUNT(*) FROM (SELECT DISTINCT d.lead_id" DEAD_BESIDE
    " AND (? IS NULL OR d.connection_id = ?) LIMIT 100000) b)"
    " + (SELECT COUNT(*) FROM (SELECT DISTINCT d.lead_id" SKIPPED_BESIDE
    " AND (? IS NULL OR d.connection_id = ?) LIMIT 100000) s)");

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

int deliveries_beside_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *only, const struct uuid *after, int64_t most, struct waiting_lead **out,
    size_t *n, struct err *err)
{
	struct db_val to = only == NULL ? db_null() : db_uuid(only);
	struct db_rows rows;

	struct db_val of = db_uuid(account_id), from = db_uuid(after), limit = db_int(most);

	if (db_query(db, a, &deliveries_beside,
		DB_VALS(of, from, to, to, limit, of, from, to, to, limit, limit), &rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++)
		(*out)[i] = (struct waiting_lead){
		    db_get_uuid(&rows, i, BESIDE_LEAD), db_get_uuid(&rows, i, BESIDE_ID), true};
	return 0;
}

int deliveries_count_waiting(struct db *db, const struct uuid *account_id, const struct uuid *only,
    int64_t *n, struct err *err)
{
	struct db_val to = only == NULL ? db_null() : db_uuid(only);
	struct arena *a = arena_new();
	struct db_rows rows;
	int rc = db_row(db, a, &leads_waiting_count,
	    DB_VALS(db_uuid(account_id), db_uuid(account_id), to, to, db_uuid(account_id), to, to),
	    &rows, err);

	*n = rc == 1 ? db_get_int(&rows, 0, 0) : 0;
	arena_free(a);
	return rc == -1 ? -1 : 0;
}
