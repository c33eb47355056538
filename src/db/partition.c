/* DDL takes no parameters, so its text is put together here, from the program's own constants and
 * numbers only. */
#include "db/partition.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

DB_STMT(partition_list,
    "SELECT PARTITION_NAME FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE()"
    " AND TABLE_NAME = ? ORDER BY PARTITION_NAME");

/* One at a time of all hosts: each looks which partitions there are, then makes or drops some. */
DB_STMT(partition_lock, "SELECT GET_LOCK(CONCAT('connect-partitions-', DATABASE()), 5)");
DB_STMT(partition_unlock, "SELECT RELEASE_LOCK(CONCAT('connect-partitions-', DATABASE()))");

/* The days that have partitions, oldest first. */
struct days {
	int32_t *v;
	size_t n;
};

static int days_read(
    struct db *db, struct arena *a, const char *table, struct days *out, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &partition_list, DB_VALS(db_str(table)), &rows, err) == -1)
		return -1;
	*out = (struct days){arena_array(a, rows.count + 1, sizeof(*out->v)), 0};
	for (size_t i = 0; i < rows.count; i++) {
		const char *name = db_get_text(&rows, i, 0);
		int64_t day;

		/* p_rest and a table without partitions (NULL) are no days. */
		if (name != NULL && str_to_i64(str_from(name + 1), 0, 999999, &day))
			out->v[out->n++] = (int32_t)day;
	}
	return 0;
}

static int32_t today(void)
{
	return clock_day(clock_now_us());
}

static int32_t days_ahead(const struct days *d)
{
	return d->n == 0 ? -1 : d->v[d->n - 1] - today();
}

/* A day's partition, up to the first id of the next day. */
static void partition_text(struct buf *b, int32_t day)
{
	struct uuid bound = uuid_at((int64_t)(day + 1) * DAY_US);

	memset(bound.b + 6, 0, sizeof(bound.b) - 6);
	buf_printf(b, "PARTITION p%06d VALUES LESS THAN (x'", day);
	hex_encode(b, bound.b, sizeof(bound.b));
	buf_str(b, "'),");
}

/* What is done to one table's partitions, by somebody who is alone with them. */
struct partitioning {
	const char *table;
	int32_t least, most; /* days ahead */
	int32_t keep_days;
	size_t drop_most, left;
};

static int partitions_make(struct db *db, struct arena *a, struct partitioning *p,
    const struct days *days, struct err *err)
{
	struct buf *sql = buf_new(a, LIMIT_PAGE_BYTES);
	int32_t ahead = days_ahead(days), now = today();

	if (ahead >= p->least)
		return 0;
	buf_printf(sql, "ALTER TABLE %s REORGANIZE PARTITION p_rest INTO (", p->table);
	for (int32_t day = now + (ahead < -1 ? -1 : ahead) + 1; day <= now + p->most; day++)
		partition_text(sql, day);
	buf_str(sql, "PARTITION p_rest VALUES LESS THAN (MAXVALUE))");
	return db_ddl(db, sql->p, err);
}

static int partitions_drop(struct db *db, struct arena *a, struct partitioning *p,
    const struct days *days, struct err *err)
{
	struct buf *sql = buf_new(a, LIMIT_PAGE_BYTES);
	size_t n = 0, old = 0;

	while (old < days->n && days->v[old] < today() - p->keep_days)
		old++;
	buf_printf(sql, "ALTER TABLE %s DROP PARTITION", p->table);
	for (; n < old && n < p->drop_most; n++)
		buf_printf(sql, "%s p%06d", n == 0 ? "" : ",", days->v[n]);
	if (n > 0 && db_ddl(db, sql->p, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		log_info(
		    "db.partition_dropped", LOG_S("table", p->table), LOG_I("day", days->v[i]));
	p->left = old - n;
	return 0;
}

typedef int partitions_change(struct db *db, struct arena *a, struct partitioning *p,
    const struct days *days, struct err *err);

/* The lock is the connection's, so that it goes with it where we die. */
static int partitions_alone(
    struct db *db, struct partitioning *p, partitions_change *change, struct err *err)
{
	struct arena *a = arena_new();
	struct err ignored = ERR_INIT;
	struct db_rows rows;
	struct days days;
	int rc = db_query(db, a, &partition_lock, NULL, 0, &rows, err);

	if (rc == 0 && db_get_int(&rows, 0, 0) != 1)
		rc = err_set(err, ERR_RETRY, "somebody else is at them");
	else if (rc == 0) {
		rc = days_read(db, a, p->table, &days, err);
		if (rc == 0)
			rc = change(db, a, p, &days, err);
		(void)db_query(db, a, &partition_unlock, NULL, 0, &rows, &ignored);
	}
	arena_free(a);
	return rc == -1 ? err_prefix(err, "partitions of %s", p->table) : 0;
}

int partition_make_ahead(
    struct db *db, const char *table, int32_t least, int32_t most, struct err *err)
{
	struct partitioning p = {.table = table, .least = least, .most = most};

	return partitions_alone(db, &p, partitions_make, err);
}

int partition_drop_old(
    struct db *db, const char *table, int32_t keep_days, size_t most, size_t *left, struct err *err)
{
	struct partitioning p = {.table = table, .keep_days = keep_days, .drop_most = most};
	int rc = partitions_alone(db, &p, partitions_drop, err);

	*left = p.left;
	return rc;
}

int partition_days_ahead(struct db *db, const char *table, int32_t *days, struct err *err)
{
	struct arena *a = arena_new();
	struct days all;
	int rc = days_read(db, a, table, &all, err);

	if (rc == 0)
		*days = days_ahead(&all);
	arena_free(a);
	return rc;
}
