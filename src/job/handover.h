/* Handing over: jobs that are inserted claimed already, by the runner of this host that has room
 * for them, which is told of them after the commit. So a job starts without the claim's commit.
 *
 *   maker    takes room at the board ─► rows with the runner's lease ─► commit ─► datagram
 *   runner   datagram ─► runs them, or gives back what its lanes have no room for
 *
 * A maker that dies before the datagram leaves rows that the runner finds by its lease
 * (runner-keep.c); whom the datagram does not reach, the maker takes the rows back from. */
#ifndef JOB_HANDOVER_H
#define JOB_HANDOVER_H
#include "job/board.h"

#define HANDOVER_MOST 32 /* jobs of one datagram */
#define HANDOVER_BYTES 8192u

/* To whom jobs are handed over. */
struct handover {
	int seat;
	struct uuid lease;
	int64_t lease_us;
};
/* Within a transaction: may these jobs be handed over, and to whom? Only live ones that are due,
 * without args. The rows are to carry the lease. */
bool handover_begin(struct db *db, const struct job *jobs, size_t n, struct handover *out);
/* The rows are written: the runner is told after the commit. */
void handover_on_commit(struct db *db, const struct handover *h, const struct job *jobs, size_t n);

/* A runner reads a datagram: calls take for each job that was handed to its lease; texts are valid
 * during the call. False when it is none of ours. */
bool handover_read(struct str message, const struct uuid *lease,
    void (*take)(const struct job *row, void *arg), void *arg);
/* Gives claimed jobs back, to whoever looks next. */
int handover_give_back(struct db *db, const struct uuid *lease, const struct uuid *ids, size_t n,
    int64_t now_us, struct err *err);
#endif
