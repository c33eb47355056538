/* Group commit: the transactions of many fibers share one durable commit, which is what a database
 * does least often per second. */
#ifndef JOB_GROUP_H
#define JOB_GROUP_H
#include "db/db.h"
#include "job/job.h"

struct group;

/* What a job does in a transaction; each try begins with the job as it was. */
struct group_piece {
	struct job *job;
	bool was_ended;      /* the job was, before this transaction */
	job_body *body;      /* for itself; or NULL, and: */
	job_body_many *many; /* together with others of the same, of its account */
	void *arg;
};
struct group *group_new(struct db *db);
void group_free(struct group *g);
/* From a fiber: as db_transaction, but waits for group_commit, with others of its class. Elsewhere,
 * and without a group (NULL), it is db_transaction, of this piece alone. */
int group_transaction(struct group *g, struct group_piece *p, struct err *err);
size_t group_waiting(const struct group *g, enum job_class class);
/* Some wait, and it is no use to wait for more of the class: nothing else of it is under way
 * (others: how many jobs of it run that do not wait here), enough are there, or the first has
 * waited for as long as the last commit took. */
bool group_is_ripe(const struct group *g, enum job_class class, size_t others);
/* From the loop, outside fibers: runs all of the class that wait in one transaction, then `also`
 * (or NULL) with also_arg, commits, and lets the fibers go on. Pieces of one account with
 * the same body for many are run by one call. A body that fails harms none of the others: the
 * transaction is run again with a savepoint before each piece, each by itself. Pieces of an account
 * of which others hold a row fail with ERR_LOCKED, and hold up no other's. 0; 1 with err when all
 * but `also` was committed; -1 with err when nothing was. */
int group_commit(
    struct group *g, enum job_class class, job_body *also, void *also_arg, struct err *err);

#endif
