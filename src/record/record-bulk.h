/* Work on all records that a filter matches, as tasks. Both keep {"providerType","resourceType",
 * "externalId"} of the record behind which they go on as their position, and do it record by
 * record. */
#ifndef RECORD_RECORD_BULK_H
#define RECORD_RECORD_BULK_H
#include "record/record-walk.h"
#include "task/task.h"

/* Has a run failed of what was asked, so that trying again is of no use? */
bool record_bulk_is_hopeless(const struct err *err);
/* How many match: from the counters, else counted for up to budget_us. */
int record_bulk_count(struct app *app, struct arena *a, const struct record_filter *f,
    int64_t budget_us, int64_t *n, bool *is_exact, struct err *err);

/* Deletes what filter (as of record_filter_from_json, owned by the caller) matches and was there at
 * asked_us, when a person was told how many that are, and has not changed since; expected is what
 * the progress is measured against. With a row of the audit log. ERR_INVALID names the field. */
int record_delete_all(
    struct req *r, const json_t *filter, int64_t asked_us, int64_t expected, struct err *err);
/* received were found, updated deleted, unchanged left because they had changed or gone by then. */
extern const struct task_kind record_delete_task;

/* Runs again what is subscribed to the records that a filter matches. */
struct record_replay_wish {
	const json_t *filter;   /* as of record_filter_from_json; an empty one is ERR_INVALID */
	const json_t *flow_ids; /* only these; NULL: all that are subscribed */
	int64_t rate;           /* runs a second; 0: RECORD_REPLAY_RATE */
	struct uuid task_id, job_id; /* set on return */
};
#define RECORD_REPLAY_RATE 50
/* With a row of the audit log. ERR_INVALID on "filter" or "filter.FIELD". */
int record_replay_all(struct req *r, struct record_replay_wish *wish, struct err *err);
/* received records, of which updated had runs, unchanged no subscriber and failed; created counts
 * the runs. */
extern const struct task_kind record_replay_task;

/* The account's work of these kinds that is under way: [{id,isDelete,done,total}]. */
int record_bulk_running(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);

/* For their files: the walk over what the task's args ask for, from its position on. seen_before_us
 * bounds it. The filter must outlive it. */
int record_bulk_walk(struct record_walk *w, struct app *app, struct arena *a, const struct task *t,
    const json_t *args, struct record_filter *f, int64_t seen_before_us, struct err *err);
/* Where the walk is, as a position. */
struct str record_bulk_position(struct arena *a, const struct record_walk *w);
/* Queues the task of a kind over a filter, which its args have, for who asks; action is what the
 * audit log says of it. job_id may be NULL. */
struct record_bulk {
	const struct task_kind *kind;
	const char *action;
	const json_t *filter;
};
int record_bulk_queue(struct req *r, const struct record_bulk *b, struct task *t,
    struct uuid *job_id, struct err *err);
#endif
