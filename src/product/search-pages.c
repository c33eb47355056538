/* One box for everything: people, records, connections by name, events by their id. */
#include <string.h>
#include <strings.h>

#include "account/permission.h"
#include "connection/connection-pages.h"
#include "connection/connection.h"
#include "html/chrome.h"
#include "intake/intake.h"
#include "product/product.h"
#include "record/record-pages.h"

#define ROWS 25
#define CONNECTIONS_MOST 10
#define EVENTS_MOST 5 /* of one request */

static bool actor_may(const struct req *r, uint64_t permission)
{
	return (r->actor.permissions & permission) == permission;
}

static void found_add(
    json_t *list, const char *kind, const char *title, const char *subtitle, const char *href)
{
	json_t *o = json_object();

	json_set_str(o, "kind", kind);
	json_set_str(o, "title", title);
	json_set_str(o, "subtitle", subtitle);
	json_set_str(o, "href", href);
	json_array_append_new(list, o);
}

/* Connections whose name has the words in it, by letters alone. */
static int search_connections(struct req *r, struct str q, json_t *list, struct err *err)
{
	const char *words = arena_strndup(r->a, q.p, q.n), *id;
	json_t *names, *o;
	size_t n = 0;

	if (!actor_may(r, PERMIT(CONNECTIONS_VIEW)))
		return 0;
	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	json_object_each(names, id, o) {
		const char *name = json_str(o, "name");

		if (n == CONNECTIONS_MOST || name == NULL ||
		    (strcasestr(name, words) == NULL && strcasecmp(id, words) != 0))
			continue;
		n++;
		found_add(list, "Connection", name,
		    provider_label(r->app, json_str(o, "providerType")),
		    arena_printf(r->a, "/admin/connections/%s", id));
	}
	return 0;
}

static void found_add_event(struct req *r, json_t *list, const json_t *event)
{
	const char *type = json_str(event, "eventType");

	found_add(list, "Event", type != NULL ? type : "Request",
	    provider_label(r->app, json_str(event, "providerType")),
	    arena_printf(r->a, "/admin/events/%s", json_str(event, "id")));
}

/* Events of that request, among the newest: whoever was told its id looks for it soon. */
static int search_request(struct req *r, struct str q, json_t *list, struct err *err)
{
	const struct event_filter f = {.account_id = r->actor.account_id, .search = q};
	struct slice s = {.limit = EVENTS_MOST};
	json_t *event;
	size_t i;

	if (event_list(r->app, r->a, &f, &s, err) == -1)
		return -1;
	json_array_each(s.rows, i, event)
		found_add_event(r, list, event);
	return 0;
}

/* By the event's id, or that of the request which brought it. */
static int search_event(struct req *r, struct str q, json_t *list, struct err *err)
{
	struct uuid id;
	json_t *event;
	int found;

	if (!actor_may(r, PERMIT(WEBHOOKS_VIEW)) || !uuid_parse(q, &id))
		return 0;
	found = event_get_json(r->app, r->a, &r->actor.account_id, &id, &event, err);
	if (found == 1)
		found_add_event(r, list, event);
	return found == 0 ? search_request(r, q, list, err) : found == 1 ? 0 : -1;
}

/* A record of the id that was asked for, where there is one. */
static int search_record(struct req *r, struct str q, json_t *rows, struct err *err)
{
	struct uuid id;
	json_t *record;
	int found;

	if (!uuid_parse(q, &id))
		return 0;
	found = record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, err);
	if (found == 1)
		json_array_append(rows, record);
	return found == -1 ? -1 : 0;
}

static void found_add_record(struct req *r, json_t *list, const json_t *row)
{
	const char *lead = json_str(row, "leadId"), *second = json_str(row, "subtitle");
	bool is_lead = lead != NULL && actor_may(r, PERMIT(LEADS_VIEW));

	found_add(list, is_lead ? "Lead" : json_str(row, "resourceType"), json_str(row, "title"),
	    second != NULL ? second : json_str(row, "sourceText"),
	    is_lead ? arena_printf(r->a, LEADS_PAGE_ADDRESS "/%s", lead)
		    : arena_printf(r->a, RECORD_PAGE_ADDRESS "/%s", json_str(row, "id")));
}

/* Records of any type; leads are records of theirs. */
static int search_records(struct req *r, struct str q, json_t *data, json_t *list, struct err *err)
{
	struct record_browse b = {.r = r, .address = RECORD_PAGE_ADDRESS};
	json_t *rows, *shown = json_own(r->a, json_object()), *row;
	size_t i;

	if (!actor_may(r, PERMIT(RECORDS_VIEW)) && !actor_may(r, PERMIT(LEADS_VIEW)))
		return 0;
	b.f.account_id = r->actor.account_id;
	b.f.search = q;
	if (!actor_may(r, PERMIT(RECORDS_VIEW)))
		b.f.resource_type = STR("lead");
	b.slice.s.limit = ROWS;
	if (record_browse_load(&b, err) == -1)
		return -1;
	json_set_str(data, "problem", b.wrong);
	rows = b.slice.s.rows;
	if (actor_may(r, PERMIT(RECORDS_VIEW)) && search_record(r, q, rows, err) == -1)
		return -1;
	provider_label_rows(r->app, rows);
	if (record_columns_show(&b, shown, rows, err) == -1 ||
	    record_rows_tell_source(r, rows, err) == -1)
		return -1;
	json_array_each(rows, i, row)
		found_add_record(r, list, row);
	if (b.slice.s.has_more && actor_may(r, PERMIT(RECORDS_VIEW)))
		json_set_str(data, "more_href", record_browse_link(&b));
	return 0;
}

int product_page_search(struct req *r)
{
	struct str q = utf8_trim(req_query_text(r, "q"));
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *list = json_array();

	json_set(data, "rows", list);
	json_set_strn(data, "q", q);
	if (q.n > 0 &&
	    (search_connections(r, q, list, &err) == -1 || search_event(r, q, list, &err) == -1 ||
		search_records(r, q, data, list, &err) == -1))
		return res_error(r, &err);
	json_set_bool(data, "has_rows", json_array_size(list) > 0);
	return chrome_page(r, 200, "search", "Search", "product/search", json_incref(data));
}
