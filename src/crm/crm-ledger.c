/* The ledger's rows of some leads, held while they change. */
#include "crm/crm-ledger.h"

#include "base/clock.h"
#include "base/limits.h"

DB_STMT_ROWS(ledger_of_leads,
    "SELECT id, lead_id, connection_id, status, next_at, wanted, taken,"
    " IF(attempts > 0 AND route = 'wait', NULL, route)"
    " FROM lead_deliveries FORCE INDEX (lead_deliveries_lead)"
    " WHERE account_id = ? AND lead_id IN (",
    "?", ") FOR UPDATE");
#define TOUCH                                                                                      \
	"UPDATE lead_deliveries SET status = '" DELIVERY_PENDING                                   \
	"', reason = IF(route IS NULL, reason, IF(route = '" DELIVERY_LACKS                        \
	"', 'Sent once it had the credential for it',"                                             \
	" 'Sent by hand, whatever its routing says')),"                                            \
	" route = NULL, rounds = 0, next_at = NULL, updated_at = ? WHERE account_id = ?"
DB_STMT_ROWS(
    deliveries_touch_rows, TOUCH " AND status <> '" DELIVERY_SUCCESS "' AND id IN (", "?", ")");
/* A success, too: of a form that is no longer the lead's. */
DB_STMT(delivery_touch_any, TOUCH " AND id = ?");

void ledger_add_lead(struct ledger *l, const struct uuid *lead_id)
{
	for (size_t i = 0; i < l->nleads; i++)
		if (uuid_eq(l->leads[i].lead_id, *lead_id))
			return;
	l->leads[l->nleads++] = (struct lead_sync){*lead_id, NULL};
}

/* Leads were added, at most LIMIT_DB_BATCH. */
int ledger_lock(struct ledger *l, struct db *db, struct arena *a, struct err *err)
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

struct ledger ledger_new(struct arena *a, const struct uuid *account_id, size_t most)
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
void ledger_sum_up(struct ledger *l)
{
	for (size_t i = 0; i < l->nleads; i++) {
		const char *best = DELIVERY_SKIPPED;

		for (size_t k = 0; k < l->rows.count; k++)
			if (uuid_eq(db_get_uuid(&l->rows, k, LEDGER_LEAD), l->leads[i].lead_id))
				best = delivery_status_better(best, l->status[k]);
		l->leads[i].status = best;
	}
}

int ledger_tell_leads(struct ledger *l, struct db *db, struct err *err)
{
	ledger_sum_up(l);
	return lead_set_sync_statuses(db, l->account_id, l->leads, l->nleads, err);
}

/* Those that are no success are pending, as if they were new; *touched of them. */
int deliveries_touch(struct db *db, const struct uuid *account_id, const struct uuid *ids, size_t n,
    uint64_t *touched, struct err *err)
{
	struct db_val keys[LIMIT_DB_BATCH];

	for (size_t i = 0; i < n; i++)
		keys[i] = db_uuid(&ids[i]);
	return db_exec_rows(db, &deliveries_touch_rows,
	    DB_VALS(db_int(clock_now_us()), db_uuid(account_id)), keys, n, 1, touched, err);
}

int delivery_open_again(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	return db_exec(db, &delivery_touch_any,
	    DB_VALS(db_int(clock_now_us()), db_uuid(account_id), db_uuid(id)), NULL, err);
}
