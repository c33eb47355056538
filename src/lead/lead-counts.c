/* How many leads came through a connection today, for its page. */
#include "account/permission.h"
#include "base/clock.h"
#include "base/zone.h"
#include "connection/connection-pages.h"
#include "lead/lead-pages.h"
#include "record/record-pages.h"

/* The day's newest leads, so many at most: nobody waits for the count of a busy day. */
#define LOOKED_AT 3000
enum { COUNTED_OF_IT, COUNTED };
DB_STMT(leads_of_day,
    "SELECT COUNT(CASE WHEN connection_id = ? THEN 1 END), COUNT(*) FROM (SELECT connection_id"
    " FROM leads FORCE INDEX (leads_recent) WHERE account_id = ? AND received_at >= ?"
    " ORDER BY received_at DESC LIMIT ?) k");

int lead_tell_connection(struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	const int64_t from_us = zone_day_us(r->actor.account_zone, clock_now_us(), 0);
	struct db_rows rows;

	if (!provider_can(c->provider, "lead_sync") ||
	    (r->actor.permissions & PERMIT(LEADS_VIEW)) == 0)
		return 0;
	if (db_row(r->app->db, r->a, &leads_of_day,
		DB_VALS(
		    db_uuid(&c->id), db_uuid(&c->account_id), db_int(from_us), db_int(LOOKED_AT)),
		&rows, err) != 1)
		return -1;
	if (db_get_int(&rows, 0, COUNTED_OF_IT) == 0 && db_get_int(&rows, 0, COUNTED) == LOOKED_AT)
		return 0; /* none of those is not none */
	connection_add_figure(
	    data, &(struct connection_figure){.label = "Leads",
		      .note = "today",
		      .count = db_get_int(&rows, 0, COUNTED_OF_IT),
		      .is_least = db_get_int(&rows, 0, COUNTED) == LOOKED_AT,
		      .href = arena_printf(
			  r->a, LEADS_PAGE_ADDRESS "?leadConnectionId=%s", uuid_dup(r->a, c->id))});
	return 0;
}
