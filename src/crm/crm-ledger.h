/* All deliveries of some leads of one account, locked, and what becomes of the leads' own status.
 */
#ifndef CRM_CRM_LEDGER_H
#define CRM_CRM_LEDGER_H
#include "crm/crm-internal.h"

enum {
	LEDGER_ID,
	LEDGER_LEAD,
	LEDGER_CONNECTION,
	LEDGER_STATUS,
	LEDGER_NEXT_AT,
	LEDGER_WANTED,
	LEDGER_TAKEN,
	LEDGER_ROUTE /* of delivery_routes, or NULL */
};
struct ledger {
	const struct uuid *account_id;
	struct lead_sync *leads; /* once each; status: of all deliveries together */
	size_t nleads;
	struct db_rows rows;
	const char **status; /* per row */
};
/* For at most so many leads. */
struct ledger ledger_new(struct arena *a, const struct uuid *account_id, size_t most);
void ledger_add_lead(struct ledger *l, const struct uuid *lead_id); /* twice is once */
/* Within a transaction: reads the rows of the leads that were added, at most LIMIT_DB_BATCH.
 * Whoever changes deliveries of a lead does so first. */
int ledger_lock(struct ledger *l, struct db *db, struct arena *a, struct err *err);
/* The leads' status, by what the rows say now; ledger_tell_leads stores it, too. */
void ledger_sum_up(struct ledger *l);
int ledger_tell_leads(struct ledger *l, struct db *db, struct err *err);
/* Of locked rows: those that are no success are pending, as if they were new; *touched of them, or
 * NULL. */
int deliveries_touch(struct db *db, const struct uuid *account_id, const struct uuid *ids, size_t n,
    uint64_t *touched, struct err *err);
/* Within a transaction, of a locked row: pending as if it were new, a success too, of a form that
 * is no longer the lead's. */
int delivery_open_again(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err);
#endif
