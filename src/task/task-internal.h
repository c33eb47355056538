/* What the files of this feature share. */
#ifndef TASK_TASK_INTERNAL_H
#define TASK_TASK_INTERNAL_H
#include "task/task.h"

/* All that changes of a queued task: status, position, done, counts, error, times. */
int task_store_progress(struct db *db, const struct task *t, struct err *err);
/* Within a transaction: holds the row until its end and tells what others have done to it: 1 it
 * stands as t has it, 0 it has been ended (*now says how) or is gone, -1, with ERR_CONFLICT where
 * somebody has gone on with it. */
int task_store_hold(
    struct db *db, struct arena *a, const struct task *t, enum task_status *now, struct err *err);
#endif
