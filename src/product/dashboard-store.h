/* Aggregates of the dashboard. Counts over ranges of time are ranges of an index, and remembered
 * for a while by the process, since an hour that is over does not change. */
#ifndef PRODUCT_DASHBOARD_STORE_H
#define PRODUCT_DASHBOARD_STORE_H

#include "base/app.h"
#include "base/json.h"
#include "db/db.h"

enum dashboard_metric {
	DASHBOARD_EVENTS,
	DASHBOARD_LEADS,
	/* of now: */
	DASHBOARD_LEADS_FAILED,
	DASHBOARD_LEADS_DEAD,
	DASHBOARD_LEADS_PARTIAL,   /* taken somewhere, refused elsewhere */
	DASHBOARD_RUNS_FAILED,     /* of flows, and not run again; of the newest that failed */
	DASHBOARD_TASKS_FAILED,    /* of the last week */
	DASHBOARD_CONNECTIONS_BAD, /* in error, or expired */
	DASHBOARD_REFUSED          /* webhooks of the last day, as far as is looked back */
};

/* Events or leads received in [from_us, to_us). */
int dashboard_count(struct app *app, struct arena *a, const struct uuid *account_id,
    enum dashboard_metric metric, int64_t from_us, int64_t to_us, int64_t *out, struct err *err);
/* How many there are now, a few seconds old at most; DASHBOARD_NOW_MOST and more are not told
 * apart. */
#define DASHBOARD_NOW_MOST 1000
int dashboard_count_now(struct app *app, struct arena *a, const struct uuid *account_id,
    enum dashboard_metric metric, int64_t *out, struct err *err);
/* Pushes begun since from_us by outcome: [{status,count}], those with none left out. */
int dashboard_deliveries(struct app *app, struct arena *a, const struct uuid *account_id,
    int64_t from_us, json_t **out, struct err *err);
/* Was a lead ever taken by a destination, or refused by one? */
int dashboard_first_pushes(struct app *app, struct arena *a, const struct uuid *account_id,
    bool *has_success, bool *has_failure, struct err *err);
/* Connections that need a look first: [{id,providerType,name,status,lastError,lastUsedAt}]. */
int dashboard_connections(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);

#endif
