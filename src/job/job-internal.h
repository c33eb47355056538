/* What job.c and runner.c share. */
#ifndef JOB_JOB_INTERNAL_H
#define JOB_JOB_INTERNAL_H
#include "job/job.h"

/* The first byte of a datagram to a runner. */
#define WAKE_TAG 'w'     /* there is work */
#define TARGETS_TAG 't'  /* there is work, and a target's breaker was moved by hand */
#define HANDOVER_TAG 'h' /* here is work: handover.h */

/* Of UPDATE, where rows are named by their ids. While the queue is short the server would rather
 * read all of it, and then waits for the rows that others are just writing. */
#define JOBS_BY_ID "jobs FORCE INDEX (PRIMARY)"

/* job_insert with the claim already made: nil lease_id for none. */
int job_insert_claimed(struct db *db, struct job *jobs, size_t n, const struct uuid *lease_id,
    int64_t lease_until_us, struct err *err);
/* Within a transaction: writes the job, which has an id, where it is not there. */
int job_insert_missing(struct db *db, const struct job *j, struct err *err);
/* Within the transaction of an ending whose statement has changed so many rows: ERR_CONFLICT for
 * none, since the lease was lost; else the runner that has the job knows when it is due again. */
int job_note_again(struct db *db, struct job *j, uint64_t affected, int64_t at_us, struct err *err);
/* Within a transaction: a runner of this host looks after the commit. */
void job_wake_on_commit(struct db *db, enum job_class class);
/* Within a transaction: this host's runners look after the commit, at breakers and pauses too. */
void job_wake_targets_on_commit(struct db *db);
/* queue.c, within a transaction: what waits in the lane for a later time is due now, the earliest
 * `most` of it; *n of it, or NULL. */
struct lane_key;
int queue_hasten(
    struct db *db, const struct lane_key *key, int64_t most, uint64_t *n, struct err *err);
/* How many jobs of a class a runner runs at a time. */
size_t job_slots(const struct config *cfg, enum job_class class);
#endif
