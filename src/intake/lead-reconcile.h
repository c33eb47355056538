/* Reconciling: once a day, at night, and when people ask for it, the leads of the last days are
 * read from each source once more, whatever its cursor says, and compared with what is stored. What
 * neither a webhook nor a poll has brought is fetched by that, and counted for its source; leads
 * whose details could not be had are asked for again. A task of poll-fill.h. */
#ifndef INTAKE_LEAD_RECONCILE_H
#define INTAKE_LEAD_RECONCILE_H
#include "intake/poll-change.h"

extern const struct task_kind lead_reconcile_task;
int lead_reconcile_job(struct job *j, struct err *err); /* lead.reconcile, subject: the task */
/* Periodic: begins those that are due. */
int lead_reconcile_plan(struct app *app, struct err *err);
/* Begins one for a connection, with a row of the audit log where people ask: ERR_INVALID the poll
 * brings no leads, ERR_CONFLICT one is under way. since_us TIME_NONE: the last days. */
int lead_reconcile(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, struct task *out, struct err *err);
#endif
