/* The queue for people: lanes with the names of what they work for, and what may be done to them.
 */
#ifndef PRODUCT_QUEUE_H
#define PRODUCT_QUEUE_H

#include "http/http.h"
#include "http/slice.h"

extern const struct word queue_acts[]; /* pause, resume, try */

/* {"lanes":[…],"dead":N} as GET /queue answers it, what needs a look first. Arena-owned. */
int queue_json(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
/* Does one of queue_acts to a lane of the account, with its row of the audit log; *lane is the lane
 * after it, as in queue_json. r as for audit_change. 1, 0 (no such lane), -1. */
int queue_act(struct app *app, struct arena *a, const struct req *r, const struct uuid *account_id,
    struct str lane_id, const struct word *act, json_t **lane, struct err *err);
/* The same to a destination, by its connection's id: who pushes leads may hold them back, and need
 * not see all of the queue for it. */
int queue_act_destination(struct req *r, struct str connection_id, const struct word *act,
    json_t **lane, struct err *err);
/* Runs dead jobs again: the one of that id, those of a lane, or with neither all of the account;
 * *n of them. 1, 0 (no such lane, no such dead job), -1. */
int queue_retry(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, struct str lane_id, struct str job_id, int64_t *n,
    struct err *err);
/* A slice of the dead jobs with the names of their lanes and, for pages, what they were to do. */
int queue_dead_named(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str lane_id, struct slice *s, struct err *err);

/* Handlers of routes.def. */
int queue_api_get(struct req *r);               /* GET /queue */
int queue_api_pause(struct req *r);             /* POST /queue/lanes/:id/pause */
int queue_api_resume(struct req *r);            /* POST /queue/lanes/:id/resume */
int queue_api_try(struct req *r);               /* POST /queue/lanes/:id/try */
int queue_api_dead(struct req *r);              /* GET /queue/dead */
int queue_api_retry(struct req *r);             /* POST /queue/dead/retry */
int queue_api_destination_pause(struct req *r); /* POST /crm/destinations/:connectionId/pause */
int queue_api_destination_resume(struct req *r);
int queue_api_destination_try(struct req *r);
int queue_page(struct req *r);             /* GET /admin/queue */
int queue_page_lane(struct req *r);        /* POST /admin/queue/lanes/:id */
int queue_page_retry(struct req *r);       /* POST /admin/queue/dead/retry */
int queue_page_destination(struct req *r); /* POST /admin/crm/:connectionId */

#endif
