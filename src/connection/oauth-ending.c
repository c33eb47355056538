/* Logins that nothing renews, shortly before their end. */
#include "base/clock.h"
#include "connection/connection-internal.h"
#include "connection/oauth.h"
#include "provider/oauth.h"

#define WARN_DAYS_MOST 366

DB_STMT(connections_ending,
    "SELECT c.id, c.name, c.provider_type, g.ends_at FROM connections c"
    " JOIN oauth_grants g ON g.id = c.grant_id WHERE c.account_id = ?"
    " AND c.status = '" CONNECTION_ACTIVE "' AND g.dead_at IS NULL AND g.ends_at < ?"
    " ORDER BY g.ends_at, c.id LIMIT 100");
enum { ENDING_ID, ENDING_NAME, ENDING_PROVIDER, ENDING_AT };

int oauth_ending(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	const int64_t now_us = clock_now_us();
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &connections_ending,
		DB_VALS(db_uuid(account_id), db_int(now_us + WARN_DAYS_MOST * DAY_US)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		const struct provider *p =
		    provider_find(app->providers, db_get_str(&rows, i, ENDING_PROVIDER));
		int64_t ends_us = db_get_int(&rows, i, ENDING_AT);
		json_t *o;

		if (p == NULL || ends_us - now_us >= oauth_warn_days(p) * DAY_US)
			continue;
		o = json_object();
		json_set_str(o, "id", uuid_dup(a, db_get_uuid(&rows, i, ENDING_ID)));
		json_set_strn(o, "name", db_get_str(&rows, i, ENDING_NAME));
		json_set_str(o, "providerType", provider_name(p));
		json_set_time(o, "endsAt", ends_us);
		json_array_append_new(*out, o);
	}
	return 0;
}
