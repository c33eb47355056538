/* Commits that accounts share, and the rows that others hold: of which nobody knows beforehand
 * whose they are, be it a key, a counter, a place in a queue.
 *
 *	parts ──> one commit ──the short wait is over──> each alone, at once ──held──> noted
 *	             ^                                        └──> committed             │
 *	             └── but not the parts of such an account: apart from it <─ HELD_US ─┘
 *
 * So a row that is held costs the others one wait in HELD_US. What is held is told so, and goes
 * where it waits without holding up anybody. */
#ifndef DB_SHARED_COMMIT_H
#define DB_SHARED_COMMIT_H
#include "crypto/uuid.h"
#include "db/db.h"

#define SHARED_COMMIT_WAIT_S 1

struct shared_commit {
	struct db *db;
	size_t n;
	void *arg;
	const struct uuid *(*account)(const void *arg, size_t i);
	/* Commits these n parts together, of more than one account. is_held[k] comes false and is
	 * set of parts[k] that was not committed, since others hold a row that it, or nobody knows
	 * which of them, needs (ERR_LOCKED). */
	void (*run)(void *arg, const size_t *parts, size_t n, bool *is_held);
};
/* Runs all parts: each for the last time when it was committed, failed by itself, or is held. The
 * connection is left impatient (SHARED_COMMIT_WAIT_S). */
void shared_commit(const struct shared_commit *c);

#endif
