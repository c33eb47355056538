/* How many pushes to each destination were taken, are tried again, or failed for good: counted in
 * the transaction that stores what came of them, by the quarter of an hour. */
#ifndef CRM_CRM_OUTCOMES_H
#define CRM_CRM_OUTCOMES_H
#include "crm/crm-internal.h"

enum outcome { OUTCOME_DELIVERED, OUTCOME_RETRIED, OUTCOME_FAILED, OUTCOMES };

/* Within the transaction that stores them. */
int outcomes_count(
    struct db *db, struct arena *a, const struct push_outcome *v, size_t n, struct err *err);

struct outcome_counts {
	struct uuid connection_id; /* of outcomes_by_destination */
	int64_t at_us;             /* of outcomes_by_time: when the quarter began */
	int64_t n[OUTCOMES];       /* since since_us; of a quarter: in it */
	int64_t later[OUTCOMES];   /* of outcomes_by_destination: since later_us */
};
/* Those of every destination since then; later_us: a later beginning, for the day of the week. */
int outcomes_by_destination(struct app *app, struct arena *a, const struct uuid *account_id,
    int64_t since_us, int64_t later_us, struct outcome_counts **out, size_t *n, struct err *err);
/* Quarters since then in which something happened, oldest first; only: of one destination, or NULL.
 */
int outcomes_by_time(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *only, int64_t since_us, struct outcome_counts **out, size_t *n,
    struct err *err);
/* In slices, what nobody looks at any more: 1 there is more, 0, -1. */
int outcomes_purge(struct app *app, struct err *err);
#endif
