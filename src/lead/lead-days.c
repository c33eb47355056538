/* SQL of lead_counts: how many leads came when, kept as they are captured and erased, so that no
 * page counts leads. By the quarter of an hour, at which days begin in any zone; in the slots of
 * record_counts (record_count_slot), and the rows of one statement in the order of the key. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone.h"
#include "job/periodic.h"
#include "lead/lead-internal.h"
#include "record/record.h"

#define VALUES 5
#define KEPT_US (100 * DAY_US)

DB_STMT_ROWS(lead_counts_add,
    "INSERT INTO lead_counts (account_id, at, provider_type, slot, leads) VALUES ", "(?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE leads = leads + VALUES(leads)");
DB_STMT(lead_counts_take,
    "INSERT INTO lead_counts (account_id, at, provider_type, slot, leads)"
    " SELECT account_id, received_at - received_at % 900000000, provider_type, ?, -1"
    " FROM leads WHERE account_id = ? AND id = ?"
    " ON DUPLICATE KEY UPDATE lead_counts.leads = lead_counts.leads - 1");
DB_STMT(lead_counts_since, "SELECT at, provider_type, SUM(leads) FROM lead_counts"
			   " WHERE account_id = ? AND at >= ? AND at < ? GROUP BY at, provider_type"
			   " ORDER BY at");
enum { COUNTED_AT, COUNTED_PROVIDER, COUNTED_LEADS };
DB_STMT(lead_counts_purge, "DELETE FROM lead_counts WHERE at < ?" DB_PURGE_LIMIT);

static int64_t quarter_of(int64_t at_us)
{
	return at_us - at_us % QUARTER_US;
}

static int capture_compare(const void *x, const void *y)
{
	const struct lead_capture *a = *(const struct lead_capture *const *)x,
				  *b = *(const struct lead_capture *const *)y;
	int64_t at_a = quarter_of(a->received_us), at_b = quarter_of(b->received_us);
	struct str of_a = a->provider_type, of_b = b->provider_type;
	int order = memcmp(&a->account_id, &b->account_id, sizeof(a->account_id));

	if (order == 0)
		order = (at_a > at_b) - (at_a < at_b);
	if (order == 0)
		order = memcmp(of_a.p, of_b.p, of_a.n < of_b.n ? of_a.n : of_b.n);
	return order != 0 ? order : (of_a.n > of_b.n) - (of_a.n < of_b.n);
}

int lead_counts_add_new(
    struct db *db, struct arena *a, const struct lead_capture *leads, size_t n, struct err *err)
{
	const struct lead_capture **v = arena_array(a, n + 1, sizeof(*v));
	struct db_val *vals = arena_alloc(a, (n + 1) * VALUES * sizeof(*vals));
	size_t count = 0, rows = 0;

	for (size_t i = 0; i < n; i++)
		if (leads[i].is_new)
			v[count++] = &leads[i];
	if (count == 0)
		return 0;
	qsort(v, count, sizeof(*v), capture_compare);
	for (size_t i = 0, same; i < count; i += same) {
		for (same = 1; i + same < count && capture_compare(&v[i], &v[i + same]) == 0;)
			same++;
		struct db_val row[VALUES] = {db_uuid(&v[i]->account_id),
		    db_int(quarter_of(v[i]->received_us)), db_strn(v[i]->provider_type),
		    db_int(record_count_slot(v[i]->source)), db_int((int64_t)same)};

		memcpy(vals + VALUES * rows++, row, sizeof(row));
	}
	return db_exec_rows_later(db, &lead_counts_add, vals, rows, VALUES, ERR_CONFLICT, err);
}

int lead_counts_take_off(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	return db_exec(db, &lead_counts_take,
	    DB_VALS(db_int(RECORD_COUNT_SLOT_GONE), db_uuid(account_id), db_uuid(id)), NULL, err);
}

int lead_days(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct zone *zone, int64_t now_us, size_t ndays, struct lead_day **out, size_t *n,
    struct err *err)
{
	int64_t *begins = arena_array(a, ndays + 1, sizeof(*begins));
	struct db_rows rows;
	size_t day = 0;

	for (size_t i = 0; i <= ndays; i++)
		begins[i] = zone_day_us(zone, now_us, (int)i - (int)ndays + 1);
	if (db_query(app->db, a, &lead_counts_since,
		DB_VALS(db_uuid(account_id), db_int(begins[0]), db_int(begins[ndays])), &rows,
		err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		const int64_t at_us = db_get_int(&rows, i, COUNTED_AT);

		while (day + 1 < ndays && at_us >= begins[day + 1])
			day++;
		(*out)[i] = (struct lead_day){db_get_text(&rows, i, COUNTED_PROVIDER), day,
		    db_get_int(&rows, i, COUNTED_LEADS)};
	}
	return 0;
}

int lead_counts_forget(struct app *app, struct err *err)
{
	return db_purge(app->db, &lead_counts_purge, DB_VALS(db_int(clock_now_us() - KEPT_US)),
	    clock_mono_us() + PERIODIC_STEP_US, err);
}
