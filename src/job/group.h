/* Group commit: the transactions of many fibers share one durable commit, which is what a database
 * does least often per second. */
#ifndef JOB_GROUP_H
#define JOB_GROUP_H
#include "db/db.h"
#include "job/job.h"

struct group;

/* A piece of a transaction, as of db_transaction: may be run again. */
typedef int group_body(struct db *db, void *arg, struct err *err);

struct group *group_new(struct db *db);
void group_free(struct group *g);
/* From a fiber: as db_transaction, but waits for group_commit, with others of its class. Elsewhere
 * it is db_transaction. */
int group_transaction(
    struct group *g, enum job_class class, group_body *body, void *arg, struct err *err);
size_t group_waiting(const struct group *g, enum job_class class);
/* From the loop, outside fibers: runs all of the class that wait in one transaction, then `also`
 * (or NULL) with also_arg, commits, and lets the fibers go on. A body that fails harms none of the
 * others: the transaction is run again with a savepoint before each. 0; 1 with err when all but
 * `also` was committed; -1 with err when nothing was. */
int group_commit(
    struct group *g, enum job_class class, group_body *also, void *also_arg, struct err *err);

#endif
