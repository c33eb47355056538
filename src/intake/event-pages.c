/* Pages of the event log. */
#include "account/permission.h"
#include "base/clock.h"
#include "base/zone.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "intake/intake-internal.h"
#include "task/task.h"

#define PAGE_ROWS 50
#define SHOWN_BYTES (256u * 1024u) /* of a body */
/* What an event causes is written with it: its ids are of about its time. */
#define EFFECT_BEFORE_US (5 * SECOND_US)
#define EFFECT_AFTER_US (30 * SECOND_US)

enum { EFFECT_RECORD, EFFECT_RECORD_TYPE, EFFECT_RECORD_EXTERNAL_ID };
DB_STMT(event_page_records,
    "SELECT DISTINCT r.id, r.resource_type, r.external_id FROM record_changes c"
    " JOIN records r ON r.id = c.record_id AND r.account_id = c.account_id"
    " WHERE c.id >= ? AND c.id < ? AND c.account_id = ? AND c.event_id = ? LIMIT 50");
enum { EFFECT_LEAD, EFFECT_LEAD_TITLE, EFFECT_LEAD_SYNC_STATUS, EFFECT_LEAD_STAGE };
DB_STMT(event_page_leads,
    "SELECT id, COALESCE(full_name, email, phone_number, provider_lead_id), sync_status, stage"
    " FROM leads WHERE id >= ? AND id < ? AND account_id = ? AND event_id = ? LIMIT 50");

/* "2 of 3" where not all that came was taken. */
static void event_add_told(struct req *r, json_t *event)
{
	int64_t left = json_int(event, "notTaken");

	if (left > 0)
		json_set_str(event, "itemsTold",
		    arena_printf(r->a, "%lld of %lld", (long long)json_int(event, "taken"),
			(long long)json_int(event, "items")));
}

int event_page_list(struct req *r)
{
	struct event_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data, *connections, *row;
	char day[CLOCK_TEXT];
	size_t i;

	if (!slice_read_page(r, &list_of_events, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	data = json_own(r->a, json_object());
	if (event_list(r->app, r->a, &f, &s, &err) == -1 ||
	    connection_label_rows(r, s.rows, &err) == -1 ||
	    connection_choices(r, "connectionId", &connections, &err) == -1 ||
	    (json_array_size(s.rows) == 0 && connection_show_waiting(r, data, &err) == -1))
		return res_error(r, &err);
	json_array_each(s.rows, i, row)
		event_add_told(r, row);
	chrome_slice(r, &s, data);
	json_set(data, "connections", json_incref(connections));
	json_set_strn(data, "status", f.status);
	json_set_int(data, "filter_count", (f.provider_type.n > 0) + !uuid_is_nil(f.connection_id));
	json_set(data, "providers", provider_choices(r, "providerType", "webhook_receive"));
	json_set(data, "statuses", chrome_choices(r, "status", event_statuses));
	json_set_bool(data, "can_replay", (r->actor.permissions & PERMIT(WEBHOOKS_WRITE)) != 0);
	clock_day_text(day, clock_day(zone_local_us(r->actor.zone, clock_now_us() - DAY_US)));
	json_set_str(data, "replay_since", day);
	json_set_bool(data, "is_filtered", filter_pairs(r->a, &list_of_events, &f).n > 0);
	return chrome_page(r, 200, "events", "Events", "event/list", json_incref(data));
}

/* ---- detail -------------------------------------------------------------------------------- */

/* What an event's ids are between, beside the account and itself. */
#define EFFECT_VALS(r, id, from, to)                                                               \
	DB_VALS(db_uuid(from), db_uuid(to), db_uuid(&(r)->actor.account_id), db_uuid(id))

static int event_add_records(struct req *r, json_t *list, const struct uuid *id,
    const struct uuid *from, const struct uuid *to, struct err *err)
{
	struct db_rows rows;

	if (db_query(r->app->db, r->a, &event_page_records, EFFECT_VALS(r, id, from, to), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();
		json_set_str(o, "id", uuid_dup(r->a, db_get_uuid(&rows, i, EFFECT_RECORD)));
		json_set_str(o, "resourceType", db_get_text(&rows, i, EFFECT_RECORD_TYPE));
		json_set_str(o, "externalId", db_get_text(&rows, i, EFFECT_RECORD_EXTERNAL_ID));
		json_array_append_new(list, o);
	}
	return 0;
}

static int event_add_leads(struct req *r, json_t *list, const struct uuid *id,
    const struct uuid *from, const struct uuid *to, struct err *err)
{
	struct db_rows rows;

	if (db_query(r->app->db, r->a, &event_page_leads, EFFECT_VALS(r, id, from, to), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();
		json_set_str(o, "id", uuid_dup(r->a, db_get_uuid(&rows, i, EFFECT_LEAD)));
		json_set_str(o, "title", db_get_text(&rows, i, EFFECT_LEAD_TITLE));
		json_set_str(o, "syncStatus", db_get_text(&rows, i, EFFECT_LEAD_SYNC_STATUS));
		json_set_str(o, "stage", db_get_text(&rows, i, EFFECT_LEAD_STAGE));
		json_array_append_new(list, o);
	}
	return 0;
}

/* Records and leads that came of the event, for those who may see such. */
static int event_add_effects(struct req *r, json_t *data, const struct uuid *id, struct err *err)
{
	int64_t at_us = uuid_time_us(*id);
	struct uuid from = uuid_at(at_us - EFFECT_BEFORE_US), to = uuid_at(at_us + EFFECT_AFTER_US);
	bool sees_records = (r->actor.permissions & PERMIT(RECORDS_VIEW)) != 0,
	     sees_leads = (r->actor.permissions & PERMIT(LEADS_VIEW)) != 0;
	json_t *records = json_array(), *leads = json_array();

	json_set(data, "records", records);
	json_set(data, "leads", leads);
	json_set_bool(data, "sees_all", sees_records && sees_leads);
	return (sees_records && event_add_records(r, records, id, &from, &to, err) == -1) ||
		       (sees_leads && event_add_leads(r, leads, id, &from, &to, err) == -1)
		   ? -1
		   : 0;
}

/* The headers as a list, so that the template can walk them. */
static json_t *event_headers_list(const json_t *headers)
{
	json_t *list = json_array(), *value;
	const char *name;

	json_object_each((json_t *)headers, name, value) {
		json_t *o = json_object();
		json_set_str(o, "name", name);
		json_set(o, "value", json_incref(value));
		json_array_append_new(list, o);
	}
	return list;
}

/* The body as JSON where it is that; else as it came. Of a long one only what it begins with. */
static void event_add_body(struct req *r, json_t *data, json_t *event)
{
	const char *body = json_str(event, "body");
	struct str all = str_from(body);
	struct err err = ERR_INIT;
	json_t *payload = NULL;
	unsigned repairs;

	if (all.n > SHOWN_BYTES) {
		json_set_int(data, "body_shown", SHOWN_BYTES / 1024);
		json_set_strn(event, "body", utf8_cut(str_copy(r->a, all), SHOWN_BYTES));
	} else if (json_bool(event, "bodyIsText") && body != NULL && body[0] != '\0')
		payload = json_parse_lenient(r->a, str_from(body), &repairs, &err);
	json_set(data, "payload",
	    json_is_object(payload) || json_is_array(payload) ? json_incref(payload) : json_null());
	json_set_bool(data, "has_payload", json_is_object(payload) || json_is_array(payload));
	json_set_int(data, "body_bytes", (int64_t)all.n);
}

/* What each verdict means. */
static const struct word event_verdicts[] = {
    {EVENT_PROCESSED, "This event was verified, stored and processed."},
    {EVENT_VERIFIED, "This event was verified and stored; its many items are being taken."},
    {EVENT_DUPLICATE,
	"This event had been received before: it was acknowledged and not processed again."},
    {EVENT_REJECTED,
	"This request failed verification: it was answered with 401 and nothing else happened."},
    {EVENT_FAILED,
	"This event was verified and kept whole, but nothing came of it. Once the cause is"
	" mended it can be replayed."},
    {EVENT_SPOOLED, "The database was away: this event was kept on disk and written later."},
    {NULL, NULL}};

int event_page_detail(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *event, *data = json_own(r->a, json_object());
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = event_get_json(r->app, r->a, &r->actor.account_id, &id, &event, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such event");
	if (found == -1 || event_add_effects(r, data, &id, &err) == -1)
		return res_error(r, &err);
	json_set_str(
	    event, "providerName", provider_label(r->app, json_str(event, "providerType")));
	event_add_body(r, data, event);
	event_add_told(r, event);
	json_set(data, "header_list", event_headers_list(json_object_get(event, "headers")));
	json_set_str(data, "verdict", word_label(event_verdicts, json_str(event, "status")));
	json_set_bool(data, "can_replay", (r->actor.permissions & PERMIT(WEBHOOKS_WRITE)) != 0);
	json_set_bool(
	    data, "is_rejected", str_is(str_from(json_str(event, "status")), EVENT_REJECTED));
	json_set(data, "event", json_incref(event));
	return chrome_page(r, 200, "events", "Event", "event/detail", json_incref(data));
}

/* What came of it this time. */
static void event_flash_replayed(struct req *r, const struct uuid *id)
{
	struct err err = ERR_INIT;
	json_t *event = NULL;

	if (event_get_json(r->app, r->a, &r->actor.account_id, id, &event, &err) != 1 ||
	    !str_is(str_from(json_str(event, "status")), EVENT_FAILED))
		chrome_flash(
		    r, "ok", "Processed again: its records were updated, its leads resumed.");
	else
		chrome_flash(r, "error", "Processed again, and nothing came of it: %s.",
		    json_str(event, "reason"));
}

int event_page_replay(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = event_replay(r, &id, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such event");
	if (found == -1 && err.code != ERR_CONFLICT && err.code != ERR_INVALID)
		return res_error(r, &err);
	if (found == -1)
		chrome_flash(r, "error", "Not replayed: %s.", err.msg);
	else
		event_flash_replayed(r, &id);
	return res_redirect(r, arena_printf(r->a, "/admin/events/%s", uuid_dup(r->a, id)));
}

/* The form says a day as the viewer's clock shows it. */
int event_page_replay_failed(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	struct task t;
	int64_t day_us;
	int found = 0;

	if (!clock_parse_iso(req_form(r, "since"), &day_us)) {
		chrome_flash(r, "error", "Not replayed: from which day on is missing.");
		return res_redirect(r, "/admin/events");
	}
	if (uuid_parse(req_form(r, "connectionId"), &id))
		found = event_replay_failed(r->app, r->a, r, &r->actor.account_id, &id,
		    zone_instant_us(r->actor.zone, day_us), &t, &err);
	if (found == -1 && err.code != ERR_INVALID)
		return res_error(r, &err);
	if (found == 1)
		chrome_flash(r, "ok",
		    "The failed events are being replayed; how far that is stands under Imports.");
	else
		chrome_flash(
		    r, "error", "Not replayed: %s.", found == -1 ? err.msg : "choose a connection");
	return res_redirect(
	    r, found == 1 ? arena_printf(r->a, "/admin/events?connectionId=%s&status=" EVENT_FAILED,
				uuid_dup(r->a, id))
			  : "/admin/events");
}
