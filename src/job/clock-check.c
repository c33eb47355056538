#include "job/clock-check.h"

#include "base/clock.h"

DB_STMT(clock_of_database, "SELECT " CLOCK_OF_DATABASE);

int64_t clock_apart_us(int64_t before_us, int64_t db_us, int64_t after_us)
{
	if (db_us < before_us)
		return db_us - before_us;
	return db_us > after_us ? db_us - after_us : 0;
}

bool clock_is_apart(int64_t apart_us)
{
	return apart_us > CLOCK_APART_US || apart_us < -CLOCK_APART_US;
}

const char *clock_apart_text(struct arena *a, int64_t apart_us)
{
	bool is_fast = apart_us < 0;

	return arena_printf(a, "this host's clock is %lld s %s against the database's",
	    (long long)((is_fast ? -apart_us : apart_us) / SECOND_US), is_fast ? "fast" : "slow");
}

int clock_check(struct db *db, struct err *err)
{
	struct arena *a = arena_new();
	int64_t before_us = clock_now_us(), apart_us;
	struct db_rows rows;
	int rc = db_query(db, a, &clock_of_database, NULL, 0, &rows, err);

	if (rc == 0) {
		apart_us = clock_apart_us(before_us, db_get_int(&rows, 0, 0), clock_now_us());
		if (clock_is_apart(apart_us))
			rc = err_set(err, ERR_CONFLICT, "%s", clock_apart_text(a, apart_us));
	}
	arena_free(a);
	return rc;
}
