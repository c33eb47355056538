/* Daily partitions of a table whose primary key is a UUIDv7: such ids begin with their millisecond,
 * so a day is a range of ids. The table starts with one partition p_rest that takes everything. */
#ifndef DB_PARTITION_H
#define DB_PARTITION_H
#include "db/db.h"

/* Makes the partitions of today and `ahead` days more that are missing, and drops those older than
 * keep_days: dropping costs no more than a file's removal. table is a constant of the program. Safe
 * to repeat. */
int partition_maintain(
    struct db *db, const char *table, int32_t keep_days, int32_t ahead_days, struct err *err);

#endif
