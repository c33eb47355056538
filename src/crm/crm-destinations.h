/* Destinations as people look after them: how each one stands, told from what is stored. */
#ifndef CRM_CRM_DESTINATIONS_H
#define CRM_CRM_DESTINATIONS_H
#include "crm/crm-internal.h"

#define BACKLOG_MOST 3000 /* of one state that are counted */

struct destination_backlog {
	int64_t pending; /* to be sent, of which `held` wait for their time by its routing */
	int64_t held;
	int64_t retrying; /* failed, and tried again by themselves */
	int64_t refused;  /* failed, and not tried again */
	int64_t dead;     /* given up */
	int64_t lacked;   /* of the newest that were skipped: for want of a credential */
	int64_t next_us;  /* when the first of those that wait is due; 0: none waits */
};
/* Each up to BACKLOG_MOST. */
int destination_backlog(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, struct destination_backlog *out, struct err *err);

struct destination_last {
	int64_t success_us; /* 0: never */
	int64_t speed_us; /* median of the last ones from the lead's turn to its delivery, or -1 */
	int64_t error_us;
	const char *error; /* of the newest that failed, NULL: none of those on record did */
	struct uuid error_id;
};
int destination_last(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, struct destination_last *out, struct err *err);

/* All of the request's account that are not disabled, for the API:
 * [{connectionId,name,providerType,
 * status,autoPush,lacks,isPaused,breaker,openSince,nextProbeAt,laneId,deliveredToday,failedToday,
 * deliveredWeek,failedWeek,pending,held,retrying,refused,dead,skippedLacking,nextAttemptAt,
 * lastDeliveredAt,medianUs,lastErrorAt,lastError,lastErrorDeliveryId}]. Arena-owned. */
#define DESTINATIONS_MOST 1000
int destinations_json(struct req *r, json_t **out, struct err *err);

/* How many deliveries a filter matches, up to BACKLOG_MOST; -1 where that is not known, since it
 * would take all of them: those of a source with many leads. */
int deliveries_count_matching(
    struct app *app, struct arena *a, const struct delivery_filter *f, int64_t *n, struct err *err);
#endif
