/* Whether this host's clock and the database's agree. What is due, and what is too old, is told by
 * the host's: a wrong one would take over leases that others hold, and delete what is to be kept.
 * How long a lease lasts is told by the database's. */
#ifndef JOB_CLOCK_CHECK_H
#define JOB_CLOCK_CHECK_H
#include "db/db.h"

#define CLOCK_APART_US INT64_C(2000000) /* clocks of hosts that are kept in time differ by less */
/* The database's time in SQL, in microseconds since 1970. */
#define CLOCK_OF_DATABASE "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"

/* By how much the clocks differ at least, if the database said db_us between two looks at ours: 0
 * where it lies between them, positive where ours is slow, negative where it is fast. */
int64_t clock_apart_us(int64_t before_us, int64_t db_us, int64_t after_us);
bool clock_is_apart(int64_t apart_us);
/* "this host's clock is 7 s fast against the database's". Arena-owned. */
const char *clock_apart_text(struct arena *a, int64_t apart_us);
/* Asks the database: 0 they agree, -1 they do not (ERR_CONFLICT), or it does not answer. */
int clock_check(struct db *db, struct err *err);

#endif
