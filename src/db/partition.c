/* DDL takes no parameters, so its text is put together here, from the program's own constants and
 * numbers only. */
#include "db/partition.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

DB_STMT(partition_list,
    "SELECT PARTITION_NAME FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE()"
    " AND TABLE_NAME = ? ORDER BY PARTITION_NAME");

/* The first id of a day, as a hexadecimal literal. */
static void partition_bound_text(char out[40], int32_t day)
{
	struct uuid u = uuid_at((int64_t)day * DAY_US);
	struct buf b;

	memset(u.b + 6, 0, sizeof(u.b) - 6);
	buf_init(&b, 64);
	hex_encode(&b, u.b, sizeof(u.b));
	snprintf(out, 40, "x'%s'", b.p);
	buf_fini(&b);
}

static int partition_add_day(struct db *db, const char *table, int32_t day, struct err *err)
{
	char sql[400], bound[40];

	partition_bound_text(bound, day + 1);
	snprintf(sql, sizeof(sql),
	    "ALTER TABLE %s REORGANIZE PARTITION p_rest INTO ("
	    "PARTITION p%06d VALUES LESS THAN (%s), PARTITION p_rest VALUES LESS THAN (MAXVALUE))",
	    table, day, bound);
	return db_script(db, sql, err);
}

static int partition_drop(struct db *db, const char *table, const char *partition, struct err *err)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "ALTER TABLE %s DROP PARTITION %s", table, partition);
	log_info("db.partition_dropped", LOG_S("table", table), LOG_S("partition", partition));
	return db_script(db, sql, err);
}

int partition_maintain(
    struct db *db, const char *table, int32_t keep_days, int32_t ahead_days, struct err *err)
{
	struct arena *a = arena_new();
	int32_t today = clock_day(clock_now_us()), newest = today - 1;
	struct db_rows rows;
	int rc = -1;

	if (db_query(db, a, &partition_list, DB_VALS(db_str(table)), &rows, err) == -1)
		goto out;
	for (size_t i = 0; i < rows.count; i++) {
		const char *name = db_get_text(&rows, i, 0);
		int64_t day;

		/* p_rest and a table without partitions (NULL) are no days. */
		if (name == NULL || !str_to_i64(str_from(name + 1), 0, 999999, &day))
			continue;
		if (day > newest)
			newest = (int32_t)day;
		if (day < today - keep_days && partition_drop(db, table, name, err) == -1)
			goto out;
	}
	for (int32_t day = newest + 1; day <= today + ahead_days; day++)
		if (partition_add_day(db, table, day, err) == -1)
			goto out;
	rc = 0;
out:
	arena_free(a);
	return rc;
}
