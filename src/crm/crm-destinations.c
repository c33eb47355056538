/* SQL of what a destination has taken and what waits for it. Everything is read from the key
 * lead_deliveries_state, in bounded parts, so that it takes as long whatever the ledger holds. */
#include "crm/crm-destinations.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"

#define SPEED_ROWS 200

#define OF_STATE                                                                                   \
	" FROM lead_deliveries FORCE INDEX (lead_deliveries_state)"                                \
	" WHERE account_id = ? AND connection_id = ? AND status = "
#define BACKLOG_OF(status)                                                                         \
	"SELECT COUNT(*), COUNT(IF(route = 'wait' AND next_at > ?, 1, NULL)), COUNT(next_at),"     \
	" COALESCE(MIN(next_at), 0) FROM (SELECT route, next_at" OF_STATE "'" status "' LIMIT ?) "
DB_STMT(destination_states, BACKLOG_OF(DELIVERY_PENDING) "p UNION ALL " BACKLOG_OF(
				DELIVERY_FAILED) "f UNION ALL " BACKLOG_OF(DELIVERY_DEAD) "d");
enum { STATE_PENDING, STATE_FAILED, STATE_DEAD, STATES };
DB_STMT(destination_lacked,
    "SELECT COUNT(IF(route = '" DELIVERY_LACKS "', 1, NULL)) FROM (SELECT route" OF_STATE
    "'" DELIVERY_SKIPPED "' ORDER BY updated_at DESC LIMIT ?) s");
enum { STATE_COUNT, STATE_HELD, STATE_AGAIN, STATE_NEXT };

/* What waited for its time, or was pushed again in another form, says nothing of how fast. */
DB_STMT(destination_successes,
    "SELECT updated_at, IF(wanted = 1 AND COALESCE(route, '') <> 'wait', pushed_at - created_at,"
    " NULL)" OF_STATE "'" DELIVERY_SUCCESS "' ORDER BY updated_at DESC LIMIT ?");
enum { SUCCESS_AT, SUCCESS_TOOK };
#define NEWEST_OF(status)                                                                          \
	"(SELECT id, updated_at, last_error" OF_STATE "'" status                                   \
	"' ORDER BY updated_at DESC LIMIT 1)"
DB_STMT(destination_errors, NEWEST_OF(DELIVERY_PENDING) " UNION ALL " NEWEST_OF(
				DELIVERY_FAILED) " UNION ALL " NEWEST_OF(DELIVERY_DEAD));
enum { ERROR_ID, ERROR_AT, ERROR_TEXT };

int destination_backlog(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, struct destination_backlog *out, struct err *err)
{
	const struct db_val now = db_int(clock_now_us()), of = db_uuid(account_id),
			    to = db_uuid(connection_id), most = db_int(BACKLOG_MOST);
	struct db_rows rows, skipped;

	if (db_query(app->db, a, &destination_states,
		DB_VALS(now, of, to, most, now, of, to, most, now, of, to, most), &rows,
		err) == -1 ||
	    db_row(app->db, a, &destination_lacked, DB_VALS(of, to, most), &skipped, err) == -1)
		return -1;
	if (rows.count != STATES)
		return err_set(err, ERR_INTERNAL, "states of a destination are missing");
	*out =
	    (struct destination_backlog){.pending = db_get_int(&rows, STATE_PENDING, STATE_COUNT),
		.held = db_get_int(&rows, STATE_PENDING, STATE_HELD),
		.retrying = db_get_int(&rows, STATE_FAILED, STATE_AGAIN),
		.refused = db_get_int(&rows, STATE_FAILED, STATE_COUNT) -
			   db_get_int(&rows, STATE_FAILED, STATE_AGAIN),
		.dead = db_get_int(&rows, STATE_DEAD, STATE_COUNT),
		.lacked = db_get_int(&skipped, 0, 0)};
	for (size_t i = STATE_PENDING; i <= STATE_FAILED; i++) {
		int64_t next_us = db_get_int(&rows, i, STATE_NEXT);

		if (next_us != 0 && (out->next_us == 0 || next_us < out->next_us))
			out->next_us = next_us;
	}
	return 0;
}

static int speed_compare(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

static int64_t median_of(struct arena *a, const struct db_rows *rows)
{
	int64_t *v = arena_array(a, rows->count + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < rows->count; i++)
		if (!db_is_null(rows, i, SUCCESS_TOOK))
			v[n++] = db_get_int(rows, i, SUCCESS_TOOK);
	qsort(v, n, sizeof(*v), speed_compare);
	return n == 0 ? -1 : v[n / 2];
}

int destination_last(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, struct destination_last *out, struct err *err)
{
	const struct db_val of = db_uuid(account_id), to = db_uuid(connection_id);
	struct db_rows taken, failed;

	*out = (struct destination_last){.speed_us = -1};
	if (db_query(app->db, a, &destination_successes, DB_VALS(of, to, db_int(SPEED_ROWS)),
		&taken, err) == -1 ||
	    db_query(app->db, a, &destination_errors, DB_VALS(of, to, of, to, of, to), &failed,
		err) == -1)
		return -1;
	if (taken.count > 0)
		out->success_us = db_get_int(&taken, 0, SUCCESS_AT);
	out->speed_us = median_of(a, &taken);
	for (size_t i = 0; i < failed.count; i++) {
		if (db_is_null(&failed, i, ERROR_TEXT) ||
		    db_get_int(&failed, i, ERROR_AT) <= out->error_us)
			continue;
		out->error_us = db_get_int(&failed, i, ERROR_AT);
		out->error = db_get_text(&failed, i, ERROR_TEXT);
		out->error_id = db_get_uuid(&failed, i, ERROR_ID);
	}
	return 0;
}
