/* Whose request made records what they are: a record knows the connection that it last came by. Of
 * what was stored before it did, only the event of the last change knows it of two of one
 * provider. */
#include "intake/intake-internal.h"
#include "record/record.h"

enum { ORIGIN_RECORD, ORIGIN_CONNECTION };
DB_STMT_ROWS(event_origins,
    "SELECT c.record_id, e.connection_id FROM (SELECT MAX(id) AS last_id FROM record_changes"
    " WHERE account_id = ? AND record_id IN (",
    "?",
    ") GROUP BY record_id) k STRAIGHT_JOIN record_changes c ON c.id = last_id"
    " STRAIGHT_JOIN events e ON e.id = c.event_id AND e.account_id = c.account_id");

/* The one connection of a provider, or NULL where there are several, or none. */
static const char *origin_only_name(const json_t *names, const char *provider, size_t *n)
{
	const char *id, *name = NULL;
	json_t *o;

	*n = 0;
	json_object_each(names, id, o) {
		if (!str_is(str_from(json_str(o, "providerType")), provider))
			continue;
		name = json_str(o, "name");
		++*n;
	}
	return *n == 1 ? name : NULL;
}

/* The last events of those that one name does not answer for. */
static int origin_ask_events(struct req *r, const json_t *names, json_t *rows,
    const struct uuid *ids, size_t n, struct err *err)
{
	struct db_val *v = arena_array(r->a, n + 1, sizeof(*v));
	struct db_rows found;
	json_t *row;
	size_t i;

	for (i = 0; i < n; i++)
		v[i] = db_uuid(&ids[i]);
	if (n == 0)
		return 0;
	if (db_query_rows(r->app->db, r->a, &event_origins, DB_VALS(db_uuid(&r->actor.account_id)),
		v, n, 1, &found, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		struct uuid id, connection;
		size_t at;

		if (!uuid_parse(str_from(json_str(row, "id")), &id) ||
		    (at = db_find_uuid(&found, ORIGIN_RECORD, &id)) == found.count)
			continue;
		connection = db_get_uuid(&found, at, ORIGIN_CONNECTION);
		json_set_str(row, "connectionName",
		    json_str(json_object_get(names, uuid_dup(r->a, connection)), "name"));
	}
	return 0;
}

int event_tell_records(struct req *r, json_t *rows, struct err *err)
{
	struct uuid *ids = arena_array(r->a, json_array_size(rows) + 1, sizeof(*ids));
	json_t *names, *row;
	size_t i, n = 0, of_provider;

	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		const char *provider = json_str(row, "providerType"), *name,
			   *id = json_str(row, "connectionId");

		if (id != NULL) {
			json_set_str(
			    row, "connectionName", json_str(json_object_get(names, id), "name"));
			continue;
		}
		if (provider == NULL ||
		    !str_is(str_from(json_str(row, "source")), RECORD_SOURCE_WEBHOOK))
			continue;
		name = origin_only_name(names, provider, &of_provider);
		if (name != NULL)
			json_set_str(row, "connectionName", name);
		else if (of_provider > 1 && uuid_parse(str_from(json_str(row, "id")), &ids[n]))
			n++;
	}
	return origin_ask_events(r, names, rows, ids, n, err);
}
