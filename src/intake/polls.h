/* Polls: what providers are asked for by the clock. One job a connection (poll.run) takes the polls
 * that are due, a page at a time, so that one call of it is under way; items become records and
 * leads by the code that webhooks use, in the commit that moves the cursor
 * (docs/internals/polls.md).
 */
#ifndef INTAKE_POLLS_H
#define INTAKE_POLLS_H
#include "connection/connection.h"
#include "http/http.h"
#include "job/job.h"
#include "task/task.h"

int poll_job_run(struct job *j, struct err *err); /* poll.run, subject: the connection */
/* Periodic: polls that a connection lacks (its manifest has more of them now) and jobs that are not
 * there are made. */
int polls_keep(struct app *app, struct err *err);
/* The hook connection_changed: polls come and go with their connection. */
int polls_follow_connection(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err);
/* The hooks of triggers that poll (flow/trigger.h). */
int polls_follow_trigger(struct app *app, struct arena *a, const struct trigger *was,
    const struct trigger *now, struct err *err);
int polls_tell_triggers(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *triggers, struct err *err);
int poll_trigger_check(struct req *r, struct trigger *t, struct err *err);
/* out: {connection, count, items: [{id,at,data}…] the first few, error, advice}. */
int poll_trigger_try(struct req *r, const struct trigger *t, json_t *out, struct err *err);
/* Within a transaction: that poll of a connection begins at once; one that is at it begins once
 * more. A poll that is paused, or that there is not, stays as it is. */
int poll_now(struct db *db, const struct uuid *account_id, const struct uuid *connection_id,
    const char *name, struct err *err);

/* Back-fills since a date: a task, and its job. */
extern const struct task_kind poll_backfill_task;
int poll_job_backfill(struct job *j, struct err *err);

/* The hook tell_connection: "polls" of its page. */
int polls_tell_connection(struct req *r, const struct connection *c, json_t *data, struct err *err);
int poll_page_act(struct req *r); /* POST /admin/connections/:id/polls/:name */
/* POST /admin/connections/:connectionId/backfills/:id/cancel */
int poll_page_cancel(struct req *r);

/* GET /connect/v1/connections/:id/polls */
int poll_api_list(struct req *r);
int poll_api_change(struct req *r);    /* PATCH …/polls/:name {intervalSeconds,pageSize} */
int poll_api_run(struct req *r);       /* POST …/polls/:name/run */
int poll_api_pause(struct req *r);     /* POST …/polls/:name/pause */
int poll_api_resume(struct req *r);    /* POST …/polls/:name/resume */
int poll_api_backfill(struct req *r);  /* POST …/polls/:name/backfill {since} */
int poll_api_reconcile(struct req *r); /* POST …/polls/:name/reconcile {since}? */
#endif
