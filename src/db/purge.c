/* Deletion in slices: a statement that takes many rows at once holds their locks, and whoever waits
 * for them, for as long. */
#include "base/clock.h"
#include "db/db.h"

int db_purge(struct db *db, const struct db_stmt *s, const struct db_val *vals, size_t n,
    int64_t until_us, struct err *err)
{
	uint64_t gone;

	do {
		if (db_exec(db, s, vals, n, &gone, err) == -1)
			return -1;
	} while (gone == DB_PURGE_ROWS && clock_mono_us() < until_us);
	return gone == DB_PURGE_ROWS;
}
