/* Subscriptions: what connections ask their providers to send webhooks for. One job a connection
 * (connection.subscribe) looks for each, makes what is not there, renews what ends soon, and comes
 * again every day; at disconnect another (connection.unsubscribe) ends them. */
#ifndef CONNECTION_SUBSCRIPTIONS_H
#define CONNECTION_SUBSCRIPTIONS_H
#include "connection/connection.h"
#include "http/http.h"
#include "job/job.h"

int subscription_job_keep(struct job *j, struct err *err); /* connection.subscribe */
int subscription_job_end(struct job *j, struct err *err);  /* connection.unsubscribe */
/* Periodic: subscriptions that a connection lacks, since its manifest has more of them now. */
int subscriptions_keep(struct app *app, struct err *err);
/* Within the transaction of a change of a connection; with is_gone before its row goes. */
int subscriptions_follow_connection(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err);

int subscription_api_list(struct req *r);   /* GET /connect/v1/connections/:id/subscriptions */
int subscription_api_check(struct req *r);  /* POST …/subscriptions/check: looks at once */
int subscription_page_check(struct req *r); /* POST /admin/connections/:id/subscriptions */
#endif
