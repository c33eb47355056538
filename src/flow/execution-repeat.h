/* Failed runs, all that a filter matches, run again as a task: at a pace, with progress, to be
 * stopped. Those that were run again already are left out, and a step of the task begins its runs
 * in the transaction that moves its position: so each is repeated once, whatever dies meanwhile,
 * and whoever asks twice. */
#ifndef FLOW_EXECUTION_REPEAT_H
#define FLOW_EXECUTION_REPEAT_H
#include "flow/flow-replay.h"
#include "task/task.h"

#define REPEAT_RATE 20 /* runs a second, unless another pace is asked for */
#define REPEAT_RATE_MOST 200
#define REPEAT_COUNT_MOST 100000

struct repeat_wish {
	struct execution_filter f; /* of flow, trigger, record and times */
	struct replay_words words;
	int64_t rate;
	struct uuid task_id; /* set on return */
};
/* How many it would be: REPEAT_COUNT_MOST is "or more". */
int repeat_count(struct app *app, struct arena *a, const struct execution_filter *f, int64_t *n,
    struct err *err);
/* Queues the task, with a row of the audit log. */
int repeat_queue(struct req *r, struct repeat_wish *w, struct err *err);
/* The account's open tasks of the kind: [{id, done, total, percent}]. */
int repeat_running(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
#endif
