/* What came in today for each connection, for the pages of the connections. */
#include "base/clock.h"
#include "base/zone.h"
#include "intake/intake-internal.h"

/* The day's newest events, so many at most: nobody waits for the count of a busy day. */
#define LOOKED_AT 5000
enum { TODAY_CONNECTION, TODAY_EVENTS, TODAY_REFUSED, TODAY_LAST };
DB_STMT(events_of_day,
    "SELECT connection_id, COUNT(*), COUNT(CASE WHEN status = '" EVENT_REJECTED "' THEN 1 END),"
    " MAX(CASE WHEN status = '" EVENT_REJECTED "' THEN NULL ELSE received_at END)"
    " FROM (SELECT connection_id, status, received_at FROM events FORCE INDEX (events_account)"
    " WHERE account_id = ? AND id >= ? ORDER BY id DESC LIMIT ?) k GROUP BY connection_id");

/* Of a busy account only its newest were counted: none of those is not none. */
static void count_tell(struct arena *a, json_t *o, int64_t events, int64_t refused, bool is_all)
{
	if (!is_all && events == 0)
		return;
	json_set_str(o, "today",
	    arena_printf(a, "%s%lld event%s today, %lld refused", is_all ? "" : "at least ",
		(long long)events, plural_s(events), (long long)refused));
	json_set_bool(o, "has_refused", refused > 0);
	json_set_int(o, "eventsToday", events);
	json_set_int(o, "refusedToday", refused);
	json_set_bool(o, "todayIsLeast", !is_all);
}

int event_tell_connections(struct req *r, json_t *connections, struct err *err)
{
	struct uuid from = uuid_at(zone_day_us(r->actor.account_zone, clock_now_us(), 0));
	json_t *of = json_own(r->a, json_object()), *o;
	struct db_rows rows;
	int64_t all = 0, last_us;
	size_t i;

	if (db_query(r->app->db, r->a, &events_of_day,
		DB_VALS(db_uuid(&r->actor.account_id), db_uuid(&from), db_int(LOOKED_AT)), &rows,
		err) == -1)
		return -1;
	for (i = 0; i < rows.count; i++) {
		json_set_int(
		    of, uuid_dup(r->a, db_get_uuid(&rows, i, TODAY_CONNECTION)), (int64_t)i);
		all += db_get_int(&rows, i, TODAY_EVENTS);
	}
	json_array_each(connections, i, o) {
		const char *id = json_str(o, "id");
		const json_t *at = json_object_get(of, id);
		size_t row = (size_t)json_int(of, id);

		if (at == NULL) {
			count_tell(r->a, o, 0, 0, all < LOOKED_AT);
			continue;
		}
		count_tell(r->a, o, db_get_int(&rows, row, TODAY_EVENTS),
		    db_get_int(&rows, row, TODAY_REFUSED), all < LOOKED_AT);
		last_us = db_get_int(&rows, row, TODAY_LAST);
		if (last_us != 0)
			json_set_time(o, "receivedAt", last_us);
	}
	return 0;
}
