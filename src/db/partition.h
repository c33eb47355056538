/* Daily partitions of a table whose primary key is a UUIDv7: such ids begin with their millisecond,
 * so a day is a range of ids. The table starts with one partition p_rest that takes everything, and
 * whatever lies beyond the days.
 *
 * DDL needs the table for itself for a moment. While somebody's transaction has it, everybody who
 * comes after the DDL waits behind it: so it waits a second at most, then says ERR_RETRY. */
#ifndef DB_PARTITION_H
#define DB_PARTITION_H
#include "db/db.h"

/* table is a constant of the program. All are safe to repeat. */

/* Where fewer than `least` days after today have partitions, makes those up to `most` days ahead,
 * in one statement. */
int partition_make_ahead(
    struct db *db, const char *table, int32_t least, int32_t most, struct err *err);
/* Drops those older than keep_days, in one statement, the oldest first and `most` of them at most:
 * it costs no more than removing files. *left: how many are left that are too old. */
int partition_drop_old(struct db *db, const char *table, int32_t keep_days, size_t most,
    size_t *left, struct err *err);
/* How many days after today have partitions; negative where not even today has one. */
int partition_days_ahead(struct db *db, const char *table, int32_t *days, struct err *err);

#endif
