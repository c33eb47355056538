/* What a poll would have brought since a date, as a task. Its args: {"connectionIds": [ID], "poll",
 * "since"?, "formId"?}; without since all that the provider has, with formId the leads of that form
 * alone, of the first of the connections that has it. Its position says where it is, and what
 * people want to know of that. */
#ifndef INTAKE_POLL_FILL_H
#define INTAKE_POLL_FILL_H
#include "intake/poll-change.h"
#include "record/record.h"

struct poll_fill_kind {
	const struct task_kind *task;
	const char *source; /* of the records */
	/* Within the transaction of the last step; or NULL. */
	int (*ended)(struct db *db, const struct connection *c, const struct poll_spec *spec,
	    const struct task *t, struct err *err);
};
/* A task of a connection's poll, to be queued: its account, title, args (*args too) and who asks.
 * ERR_INVALID on "since": it is not in the past. */
int poll_fill_make(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, const char *title, struct task *out,
    json_t **args, struct err *err);
/* Within a transaction: is one of that kind of the poll under way? 1, 0, -1. */
int poll_fill_is_open(struct db *db, struct arena *a, const struct task_kind *kind,
    const struct connection *c, const struct poll_spec *spec, struct err *err);
/* The job of such a task. */
int poll_fill_run(struct job *j, const struct poll_fill_kind *kind, struct err *err);
/* For task_kind.tell: percent, etaSeconds (null: it cannot be told), form, forms, formsDone,
 * leftOut [{name,error}]. */
void poll_fill_tell(const struct task *t, json_t *o);
#endif
