#include "intake/event-timeline.h"

#include "account/permission.h"
#include "base/limits.h"
#include "base/map.h"
#include "intake/intake-internal.h"

enum {
	STORY_EVENT_ID,
	STORY_EVENT_CONNECTION,
	STORY_EVENT_PROVIDER,
	STORY_EVENT_TYPE,
	STORY_EVENT_REMOTE_ADDR,
	STORY_EVENT_REQUEST_ID,
	STORY_EVENT_RECEIVED_AT,
	STORY_EVENT_STATUS,
	STORY_EVENT_REASON,
	STORY_EVENT_ITEMS,
	STORY_EVENT_LATENCY,
	STORY_EVENT_TAKEN,
	STORY_EVENT_LEFT,
	STORY_EVENT_LEFT_REASON
};
DB_STMT_ROWS(events_of_story,
    "SELECT id, connection_id, provider_type, event_type, remote_addr, request_id, received_at,"
    " status, reason, items, latency_us, taken, left_first, left_reason FROM events WHERE "
    "account_id = ? AND id IN (",
    "?", ")");

static void timeline_add_event(
    struct arena *a, json_t *entries, const struct db_rows *rows, size_t i)
{
	const char *id = uuid_dup(a, db_get_uuid(rows, i, STORY_EVENT_ID));
	json_t *request = json_object(), *verdict = json_object();

	json_set_time(request, "at", db_get_int(rows, i, STORY_EVENT_RECEIVED_AT));
	json_set_str(request, "kind", "request");
	json_set_str(request, "eventId", id);
	json_set_str(
	    request, "connectionId", uuid_dup(a, db_get_uuid(rows, i, STORY_EVENT_CONNECTION)));
	json_set_str(request, "providerType", db_get_text(rows, i, STORY_EVENT_PROVIDER));
	json_set_str(request, "eventType", db_get_text(rows, i, STORY_EVENT_TYPE));
	json_set_str(request, "remoteAddr", db_get_text(rows, i, STORY_EVENT_REMOTE_ADDR));
	json_set_str(request, "requestId", db_get_text(rows, i, STORY_EVENT_REQUEST_ID));
	json_array_append_new(entries, request);
	json_set_time(verdict, "at", db_get_int(rows, i, STORY_EVENT_RECEIVED_AT));
	json_set_str(verdict, "kind", "verdict");
	json_set_str(verdict, "eventId", id);
	json_set_str(verdict, "status", db_get_text(rows, i, STORY_EVENT_STATUS));
	json_set_str(verdict, "reason", db_get_text(rows, i, STORY_EVENT_REASON));
	json_set_int(verdict, "items", db_get_int(rows, i, STORY_EVENT_ITEMS));
	event_add_taken(verdict, rows, i,
	    &(struct event_taken){
		STORY_EVENT_ITEMS, STORY_EVENT_TAKEN, STORY_EVENT_LEFT, STORY_EVENT_LEFT_REASON});
	json_set_int(verdict, "latencyUs", db_get_int(rows, i, STORY_EVENT_LATENCY));
	json_array_append_new(entries, verdict);
}

int event_timeline(struct app *app, struct arena *a, const struct record_story *s, struct err *err)
{
	size_t total = json_array_size(s->history), n = 0;
	struct uuid *ids = arena_array(a, total + 1, sizeof(*ids));
	struct map *seen = map_new(a);

	if ((s->permissions & PERMIT(WEBHOOKS_VIEW)) == 0)
		return 0;
	for (size_t i = 0; i < total; i++) {
		struct str text = str_from(json_str(json_array_get(s->history, i), "eventId"));

		if (text.p == NULL || map_get(seen, text) != NULL || !uuid_parse(text, &ids[n]))
			continue;
		map_put(seen, text, s->entries);
		n++;
	}
	for (size_t from = 0; from < n; from += LIMIT_DB_BATCH) {
		struct db_val v[LIMIT_DB_BATCH];
		struct db_rows rows;
		size_t part = n - from < LIMIT_DB_BATCH ? n - from : LIMIT_DB_BATCH;

		for (size_t i = 0; i < part; i++)
			v[i] = db_uuid(&ids[from + i]);
		if (db_query_rows(app->db, a, &events_of_story, DB_VALS(db_uuid(&s->account_id)), v,
			part, 1, &rows, err) == -1)
			return -1;
		for (size_t i = 0; i < rows.count; i++)
			timeline_add_event(a, s->entries, &rows, i);
	}
	return 0;
}
