/* Pages of the event log. */
#include <inttypes.h>

#include "account/permission.h"
#include "base/clock.h"
#include "base/zone.h"
#include "connection/connection-pages.h"
#include "flow/flow.h"
#include "html/chrome.h"
#include "intake/event-effects.h"
#include "intake/intake-internal.h"
#include "record/record-pages.h"
#include "task/task.h"

#define PAGE_ROWS 50
#define SHOWN_BYTES (256u * 1024u) /* of a body */
/* What an event causes is written with it; what is too much for one commit, soon after it. */
#define EFFECT_OF_ROW_US (2 * SECOND_US)
#define EFFECT_OF_PAGE_US (30 * SECOND_US)

/* "2 of 3" where not all that came was taken. */
static void event_add_told(struct req *r, json_t *event)
{
	int64_t left = json_int(event, "notTaken");

	if (left > 0)
		json_set_str(event, "itemsTold",
		    arena_printf(r->a, "%lld of %lld", (long long)json_int(event, "taken"),
			(long long)json_int(event, "items")));
}

/* The first lead or record that came of it, and how many more: {kind,title,href,more}. */
static void event_add_outcome(struct req *r, json_t *event)
{
	const json_t *lead = json_array_get(json_object_get(event, "leads"), 0),
		     *record = json_array_get(json_object_get(event, "records"), 0);
	int64_t n = json_int(event, "effects");
	json_t *o = json_object();

	if (lead == NULL && record == NULL) {
		json_decref(o);
		json_set(event, "outcome", json_null());
		return;
	}
	json_set_str(o, "kind", lead != NULL ? "lead" : json_str(record, "resourceType"));
	json_set_str(o, "title", json_str(lead != NULL ? lead : record, "title"));
	if (lead != NULL && json_str(o, "title") == NULL)
		json_set_str(o, "title", "Lead");
	json_set_str(o, "href",
	    arena_printf(r->a, "%s/%s", lead != NULL ? LEADS_PAGE_ADDRESS : RECORD_PAGE_ADDRESS,
		json_str(lead != NULL ? lead : record, "id")));
	json_set_str(o, "more", n > 1 ? arena_printf(r->a, "and %" PRId64 " more", n - 1) : NULL);
	json_set(event, "outcome", o);
}

/* What stands above the rows and below them. */
static int event_list_show(
    struct req *r, const struct event_filter *f, struct slice *s, json_t *data, struct err *err)
{
	json_t *connections;

	if (event_count(r->app, r->a, f, &s->total, err) == -1 ||
	    connection_choices(r, "connectionId", &connections, err) == -1 ||
	    (json_array_size(s->rows) == 0 && connection_show_waiting(r, NULL, data, err) == -1))
		return -1;
	chrome_slice(r, s, data);
	chrome_slice_order(r, s, list_of_events.sort, data);
	chrome_slice_total(s, EVENT_COUNT_MOST, "event", "events", data);
	json_set(data, "connections", json_incref(connections));
	json_set_strn(data, "status", f->status);
	json_set_strn(data, "search", f->search);
	json_set_int(data, "filter_count",
	    (f->provider_type.n > 0) + !uuid_is_nil(f->connection_id) + f->from.is_given +
		f->to.is_given);
	json_set(data, "providers", provider_choices(r, "providerType", "webhook_receive"));
	chrome_chip_chosen(r, "connectionId", "Connection", connections, data);
	chrome_chip_chosen(r, "providerType", "Provider", json_object_get(data, "providers"), data);
	chrome_days(r, f->from, f->to, data);
	json_set(data, "statuses", chrome_choices(r, "status", EVENT_STATUSES_SET));
	json_set_bool(data, "is_filtered", filter_pairs(r->a, &list_of_events, f).n > 0);
	json_set_str(data, "problem", req_invalid_text(r));
	return 0;
}

/* The form by which what failed is replayed, from yesterday on unless another day is chosen. */
static void event_add_replay_form(struct req *r, json_t *data)
{
	char day[CLOCK_TEXT];

	clock_day_text(day, clock_day(zone_local_us(r->actor.zone, clock_now_us() - DAY_US)));
	json_set_bool(data, "can_replay", (r->actor.permissions & PERMIT(WEBHOOKS_WRITE)) != 0);
	json_set_str(data, "replay_since", day);
}

int event_page_list(struct req *r)
{
	struct event_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data, *row;
	size_t i;

	if (!slice_read_page(r, &list_of_events, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	data = json_own(r->a, json_object());
	if (event_list(r->app, r->a, &f, &s, &err) == -1 ||
	    connection_label_rows(r, s.rows, &err) == -1 ||
	    event_effects_add(r, s.rows, EFFECT_OF_ROW_US, &err) == -1 ||
	    event_list_show(r, &f, &s, data, &err) == -1)
		return res_error(r, &err);
	json_array_each(s.rows, i, row) {
		event_add_told(r, row);
		event_add_outcome(r, row);
	}
	event_add_replay_form(r, data);
	return chrome_page(r, 200, "events", "Events", "event/list", json_incref(data));
}

/* ---- detail -------------------------------------------------------------------------------- */

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
	"This request could not be verified, so it was answered with 401 and nothing else"
	" happened."},
    {EVENT_FAILED,
	"This event was verified and kept whole, but nothing came of it. Once the cause is"
	" mended it can be replayed."},
    {EVENT_SPOOLED, "The database was away: this event was kept on disk and written later."},
    {NULL, NULL}};

/* The flows that it began, for who may see runs. */
static int event_add_runs(struct req *r, json_t *data, const struct uuid *id, struct err *err)
{
	json_t *runs = json_own(r->a, json_array());

	if ((r->actor.permissions & PERMIT(TASK_HISTORY_VIEW)) != 0 &&
	    flow_runs_of_event(r->app, r->a, &r->actor.account_id, id, &runs, err) == -1)
		return -1;
	json_set_bool(data, "has_runs", json_array_size(runs) > 0);
	json_set(data, "runs", json_incref(runs));
	return 0;
}

/* Where it was taken, and made records alone, since its connection lacks what leads need. */
static int event_show_leadless(struct req *r, const json_t *event, json_t *data, struct err *err)
{
	struct connection *c;
	struct uuid id;
	int found;

	if (!str_is(str_from(json_str(event, "status")), EVENT_PROCESSED) ||
	    json_array_size(json_object_get(event, "leads")) > 0 ||
	    !uuid_parse(str_from(json_str(event, "connectionId")), &id))
		return 0;
	found = connection_get(r->app, r->a, &r->actor.account_id, &id, &c, err);
	if (found == 1)
		connection_show_leadless(r, c, data);
	return found == -1 ? -1 : 0;
}

int event_page_detail(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *event = NULL, *events = json_own(r->a, json_array()),
	       *data = json_own(r->a, json_object());
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = event_get_json(r->app, r->a, &r->actor.account_id, &id, &event, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such event");
	if (found == 1)
		json_array_append(events, event);
	if (found == -1 || event_effects_add(r, events, EFFECT_OF_PAGE_US, &err) == -1 ||
	    connection_label_rows(r, events, &err) == -1 ||
	    event_add_runs(r, data, &id, &err) == -1 ||
	    event_show_leadless(r, event, data, &err) == -1)
		return res_error(r, &err);
	json_set_bool(data, "sees_all",
	    (~r->actor.permissions & (PERMIT(RECORDS_VIEW) | PERMIT(LEADS_VIEW))) == 0);
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

	if (event_get_json(r->app, r->a, &r->actor.account_id, id, &event, &err) != 1)
		chrome_flash(r, "ok", "Processed again.");
	else if (!str_is(str_from(json_str(event, "status")), EVENT_FAILED))
		chrome_flash(r, "ok",
		    "Processed again: %lld item%s taken. A record that says this already stays as "
		    "it is; a lead that waited goes on.",
		    (long long)json_int(event, "items"), plural_s(json_int(event, "items")));
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

/* ---- on the page of a connection ------------------------------------------------------------- */

/* "Lead Ada Lovelace", or how a request ended. */
static const char *event_came_of(struct req *r, const json_t *event)
{
	const json_t *outcome = json_object_get(event, "outcome");
	const char *more = json_str(outcome, "more");

	return json_str(outcome, "title") == NULL
		   ? json_str(event, "reason")
		   : arena_printf(r->a, "%s%s%s", json_str(outcome, "title"),
			 more == NULL ? "" : " ", more == NULL ? "" : more);
}

int event_tell_refused(struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	const struct event_filter f = {
	    .account_id = c->account_id, .connection_id = c->id, .status = STR(EVENT_REJECTED)};
	struct slice s = {.limit = 1};
	const json_t *event;
	json_t *o;

	if (c->received_us != 0 || (r->actor.permissions & PERMIT(WEBHOOKS_VIEW)) == 0)
		return 0;
	if (event_list(r->app, r->a, &f, &s, err) == -1)
		return -1;
	event = json_array_get(s.rows, 0);
	if (event == NULL)
		return 0;
	o = json_object();
	json_set_str(o, "at", json_str(event, "receivedAt"));
	json_set_str(o, "reason", json_str(event, "reason"));
	json_set_str(o, "href", arena_printf(r->a, "/admin/events/%s", json_str(event, "id")));
	json_set(data, "refused", o);
	return 0;
}

int event_connection_activity(
    struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	const struct event_filter f = {.account_id = c->account_id, .connection_id = c->id};
	struct slice s = {.limit = CONNECTION_HAPPENINGS_READ};
	json_t *event;
	size_t i;

	if ((r->actor.permissions & PERMIT(WEBHOOKS_VIEW)) == 0)
		return 0;
	if (event_list(r->app, r->a, &f, &s, err) == -1 ||
	    event_effects_add(r, s.rows, EFFECT_OF_ROW_US, err) == -1)
		return -1;
	json_array_each(s.rows, i, event) {
		const char *status = json_str(event, "status"),
			   *type = json_str(event, "eventType");
		const struct str word = str_from(status);

		event_add_outcome(r, event);
		connection_add_happening(data,
		    &(struct connection_happening){.at = json_str(event, "receivedAt"),
			.kind = "received",
			.mark = str_is(word, EVENT_REJECTED) || str_is(word, EVENT_FAILED)
				    ? "failed"
				    : "received",
			.text = type != NULL ? type : "Request",
			.note = word_label(event_statuses, status),
			.detail = event_came_of(r, event),
			.href = arena_printf(r->a, "/admin/events/%s", json_str(event, "id"))});
	}
	return 0;
}
