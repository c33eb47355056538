/* SQL of push_counts. Each process counts in one of a few slots, so that two seldom wait for the
 * same row, and rows of one statement come in the order of the key. */
#include "crm/crm-outcomes.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "job/periodic.h"

#define SLOTS 8
#define VALUES 7
#define KEPT_US (100 * DAY_US)

DB_STMT_ROWS(push_counts_add,
    "INSERT INTO push_counts (account_id, at, connection_id, slot, delivered, retried, failed)"
    " VALUES ",
    "(?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE delivered = delivered + VALUES(delivered),"
    " retried = retried + VALUES(retried), failed = failed + VALUES(failed)");
#define SUMS "SUM(delivered), SUM(retried), SUM(failed)"
DB_STMT(push_counts_by_destination,
    "SELECT connection_id, " SUMS ", SUM(IF(at >= ?, delivered, 0)), SUM(IF(at >= ?, retried, 0)),"
    " SUM(IF(at >= ?, failed, 0)) FROM push_counts WHERE account_id = ? AND at >= ?"
    " GROUP BY connection_id");
DB_STMT(push_counts_by_time, "SELECT at, " SUMS " FROM push_counts WHERE account_id = ? AND at >= ?"
			     " AND (? IS NULL OR connection_id = ?) GROUP BY at ORDER BY at");
enum { COUNT_OF, COUNT_SUMS, COUNT_LATER = COUNT_SUMS + OUTCOMES };
DB_STMT(push_counts_purge, "DELETE FROM push_counts WHERE at < ?" DB_PURGE_LIMIT);

static enum outcome outcome_of(const struct push_outcome *o)
{
	const struct delivery_state *s = &o->d->state;

	if (strcmp(s->status, DELIVERY_SUCCESS) == 0)
		return OUTCOME_DELIVERED;
	if (strcmp(s->status, DELIVERY_DEAD) == 0 ||
	    (strcmp(s->status, DELIVERY_FAILED) == 0 && s->next_us == 0))
		return OUTCOME_FAILED;
	return o->nattempts > 0 && strcmp(s->status, DELIVERY_SKIPPED) != 0 ? OUTCOME_RETRIED
									    : OUTCOMES;
}

static struct outcome_counts *counts_of(
    struct outcome_counts *counts, size_t *n, const struct uuid *connection_id)
{
	size_t i = 0;

	while (i < *n && !uuid_eq(counts[i].connection_id, *connection_id))
		i++;
	if (i == *n)
		counts[(*n)++] = (struct outcome_counts){.connection_id = *connection_id};
	return &counts[i];
}

static int counts_compare(const void *x, const void *y)
{
	const struct outcome_counts *a = x, *b = y;

	return memcmp(&a->connection_id, &b->connection_id, sizeof(a->connection_id));
}

int outcomes_count(
    struct db *db, struct arena *a, const struct push_outcome *v, size_t n, struct err *err)
{
	struct outcome_counts *counts = arena_array(a, n + 1, sizeof(*counts));
	struct db_val *vals = arena_alloc(a, (n + 1) * VALUES * sizeof(*vals));
	const int64_t now_us = clock_now_us();
	size_t ncounts = 0;

	for (size_t i = 0; i < n; i++) {
		enum outcome what = outcome_of(&v[i]);

		if (what != OUTCOMES)
			counts_of(counts, &ncounts, &v[i].d->connection_id)->n[what]++;
	}
	qsort(counts, ncounts, sizeof(*counts), counts_compare);
	for (size_t i = 0; i < ncounts; i++) {
		const int64_t *c = counts[i].n;
		struct db_val row[VALUES] = {db_uuid(&v[0].d->account_id),
		    db_int(now_us - now_us % QUARTER_US), db_uuid(&counts[i].connection_id),
		    db_int(getpid() % SLOTS), db_int(c[OUTCOME_DELIVERED]),
		    db_int(c[OUTCOME_RETRIED]), db_int(c[OUTCOME_FAILED])};

		memcpy(vals + VALUES * i, row, sizeof(row));
	}
	return ncounts == 0 ? 0
			    : db_exec_rows_later(
				  db, &push_counts_add, vals, ncounts, VALUES, ERR_CONFLICT, err);
}

int outcomes_by_destination(struct app *app, struct arena *a, const struct uuid *account_id,
    int64_t since_us, int64_t later_us, struct outcome_counts **out, size_t *n, struct err *err)
{
	const struct db_val later = db_int(later_us);
	struct db_rows rows;

	if (db_query(app->db, a, &push_counts_by_destination,
		DB_VALS(later, later, later, db_uuid(account_id), db_int(since_us)), &rows,
		err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		(*out)[i].connection_id = db_get_uuid(&rows, i, COUNT_OF);
		for (unsigned k = 0; k < OUTCOMES; k++) {
			(*out)[i].n[k] = db_get_int(&rows, i, COUNT_SUMS + k);
			(*out)[i].later[k] = db_get_int(&rows, i, COUNT_LATER + k);
		}
	}
	return 0;
}

int outcomes_by_time(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *only, int64_t since_us, struct outcome_counts **out, size_t *n,
    struct err *err)
{
	const struct db_val of = only == NULL ? db_null() : db_uuid(only);
	struct db_rows rows;

	if (db_query(app->db, a, &push_counts_by_time,
		DB_VALS(db_uuid(account_id), db_int(since_us), of, of), &rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		(*out)[i].at_us = db_get_int(&rows, i, COUNT_OF);
		for (unsigned k = 0; k < OUTCOMES; k++)
			(*out)[i].n[k] = db_get_int(&rows, i, COUNT_SUMS + k);
	}
	return 0;
}

int outcomes_purge(struct app *app, struct err *err)
{
	return db_purge(app->db, &push_counts_purge, DB_VALS(db_int(clock_now_us() - KEPT_US)),
	    clock_mono_us() + PERIODIC_STEP_US, err);
}
