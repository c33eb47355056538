/* Periodic work: each kind that has every_s has one job over all hosts, in a lane of no account. It
 * is there by itself, never dies and never ends: after a run it is due again in its time.
 *
 *	due ──> runs ──done──> due in every_s
 *	 ^       │ ├──there is more to do──> due in a second
 *	 │       │ └──failed──> due in a minute, or in every_s; last_error says why
 *	 └───────┴──periodic_soon
 */
#ifndef JOB_PERIODIC_H
#define JOB_PERIODIC_H
#include "job/job.h"

/* How long a step of periodic work should take at most; then it says that there is more to do. */
#define PERIODIC_STEP_US 200000

/* Makes sure that the jobs of the kinds which are periodic are there; new ones are due at once. */
int periodic_ensure(struct db *db, const struct job_kind *kinds, size_t n, struct err *err);
/* One run of such a job, to its ending: 0, or -1 to be put back. */
int periodic_run(struct job *j, const struct job_kind *kind, struct err *err);
/* Within a transaction: the periodic work of that name is due after the commit; where it runs
 * already, once more after that. This host's runner looks at once, others within half a second. */
int periodic_soon(struct db *db, const char *name, struct err *err);

/* What the operator wants to know of each, by name. */
struct periodic_state {
	const char *name, *error; /* error: of the last run, or NULL when it went well */
	int64_t next_us;          /* when it is due, past or future; 0: it runs */
};
int periodic_list(
    struct db *db, struct arena *a, struct periodic_state **out, size_t *n, struct err *err);
/* When the first of all is due: 1, 0 there are none since no runner has ever run, -1. */
int periodic_next(struct db *db, struct arena *a, int64_t *due_us, struct err *err);

#endif
