/* The page of the destinations: how each stands, what waits for it, what became of pushes. */
#include <string.h>

#include "account/permission.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/zone.h"
#include "connection/connection-pages.h"
#include "crm/crm-destinations.h"
#include "crm/crm-outcomes.h"
#include "crm/crm-pages.h"
#include "html/chrome.h"
#include "html/svg.h"
#include "job/queue.h"

#define HOURS 48
#define DAYS 30
#define BARS_MOST 48 /* of HOURS and DAYS */

/* ---- the list -------------------------------------------------------------------------------- */

/* What people read of it: its lane's state comes first, since it says what becomes of the next
 * lead; and a time that has passed is no promise. */
static void destination_show(struct req *r, json_t *o, const char *last_error)
{
	const int64_t now_us = clock_now_us();
	const bool is_paused = json_bool(o, "isPaused"), is_open = json_str(o, "openSince") != NULL;
	struct uuid id = {{0}};

	json_set_str(o, "id", json_str(o, "connectionId"));
	json_set_str(o, "providerName", provider_label(r->app, json_str(o, "providerType")));
	connection_tell_state(
	    o, json_str(o, "status"), is_paused ? "paused" : json_str(o, "breaker"), last_error);
	json_set_bool(o, "is_open", is_open);
	json_set_bool(o, "is_soon", json_time(o, "nextProbeAt") < now_us + BREAKER_PROBE_FIRST_US);
	json_set_bool(o, "is_more", json_int(o, "pending") == BACKLOG_MOST);
	json_set_bool(o, "waits", json_int(o, "pending") + json_int(o, "retrying") > 0);
	json_set_bool(o, "has_failed", json_int(o, "refused") + json_int(o, "dead") > 0);
	if (json_str(o, "lacks") == NULL && uuid_parse(str_from(json_str(o, "connectionId")), &id))
		crm_tell_lacked(r, id, json_int(o, "skippedLacking"), o);
	json_set_bool(o, "is_due", json_time(o, "nextAttemptAt") <= now_us);
	json_set_bool(o, "has_speed", json_is_integer(json_object_get(o, "medianUs")));
	json_set_bool(
	    o, "error_is_new", json_time(o, "lastErrorAt") > json_time(o, "lastDeliveredAt"));
	connection_tell_push_error(r->a, o, "It", json_str(o, "lastError"));
	connection_link_credentials(r, o, json_str(o, "connectionId"));
}

/* How the last call of each ended is what its connection knows, whatever the call was for. */
static void destinations_show(struct req *r, const json_t *list, const json_t *stored)
{
	json_t *o;
	size_t i;

	json_array_each(list, i, o)
		destination_show(r, o,
		    json_str(json_object_get(stored, json_str(o, "connectionId")), "lastError"));
}

static bool destinations_have(const json_t *list, const char *id)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_str(json_array_get(list, i), "connectionId"), id) == 0)
			return true;
	return false;
}

/* Those that people have switched off: leads go nowhere near them. */
static void destinations_add_disabled(
    struct req *r, const json_t *active, json_t *stored, json_t *list)
{
	json_t *c;
	const char *id;

	json_object_each(stored, id, c) {
		const struct provider *p =
		    provider_find(r->app->providers, str_from(json_str(c, "providerType")));
		json_t *o;

		if (p == NULL || !provider_can(p, "crm_push") || destinations_have(active, id))
			continue;
		o = json_object();
		json_set_str(o, "id", id);
		json_set_str(o, "name", json_str(c, "name"));
		json_set_str(o, "providerName", provider_display_name(p));
		json_array_append_new(list, o);
	}
}

/* How they stand by what is stored now: what jobs go by may be a moment old. */
static int destinations_list(struct req *r, json_t *data, json_t *list, struct err *err)
{
	json_t *stored, *disabled = json_array();

	json_set(data, "disabled", disabled);
	if (connection_names(r->app, r->a, &r->actor.account_id, &stored, err) == -1)
		return -1;
	destinations_show(r, list, stored);
	destinations_add_disabled(r, list, stored, disabled);
	return 0;
}

/* ---- the chart ------------------------------------------------------------------------------- */

struct chart {
	struct svg_stack bars[BARS_MOST];
	int64_t from_us[BARS_MOST]; /* when each begins */
	int n;
};

/* Hours as the clock of the account shows them, which begin at another minute in some zones. */
static struct chart chart_of_hours(struct req *r)
{
	const struct zone *zone = r->actor.account_zone;
	const int64_t hour_us = 3600 * SECOND_US, now_us = clock_now_us();
	const int64_t last_us = now_us - zone_local_us(zone, now_us) % hour_us;
	struct chart c = {.n = HOURS};

	for (int i = 0; i < HOURS; i++) {
		char day[CLOCK_TEXT];
		struct civil at;

		c.from_us[i] = last_us - (HOURS - 1 - i) * hour_us;
		clock_civil(zone_local_us(zone, c.from_us[i]), &at);
		clock_day_text(day, clock_day(zone_local_us(zone, c.from_us[i])));
		c.bars[i].axis = arena_printf(r->a, "%02d:%02d", at.hour, at.minute);
		c.bars[i].label = arena_printf(r->a, "%s %s", day, c.bars[i].axis);
	}
	return c;
}

static struct chart chart_of_days(struct req *r)
{
	const struct zone *zone = r->actor.account_zone;
	struct chart c = {.n = DAYS};

	for (int i = 0; i < DAYS; i++) {
		char *text = arena_alloc(r->a, CLOCK_TEXT);

		c.from_us[i] = zone_day_us(zone, clock_now_us(), i - (DAYS - 1));
		clock_day_text(text, clock_day(zone_local_us(zone, c.from_us[i])));
		c.bars[i].label = text;
		c.bars[i].axis = text + strlen("2026-");
	}
	return c;
}

static void chart_fill(struct chart *c, const struct outcome_counts *counts, size_t n)
{
	int at = 0;

	for (size_t i = 0; i < n; i++) {
		while (at + 1 < c->n && counts[i].at_us >= c->from_us[at + 1])
			at++;
		for (unsigned k = 0; k < OUTCOMES; k++)
			c->bars[at].values[k] += counts[i].n[k];
	}
}

/* What a bar counts: the deliveries that were tried then. The last one goes on. */
static void chart_link(struct req *r, struct chart *c, const struct uuid *only)
{
	struct delivery_filter f = {.account_id = r->actor.account_id};

	if (only != NULL)
		f.connection_id = *only;
	for (int i = 0; i < c->n; i++) {
		int64_t n = 0;

		for (unsigned k = 0; k < OUTCOMES; k++)
			n += c->bars[i].values[k];
		f.tried_from = (struct opt_time){c->from_us[i], true};
		f.tried_to = (struct opt_time){i + 1 < c->n ? c->from_us[i + 1] : 0, i + 1 < c->n};
		if (n > 0)
			c->bars[i].href = deliveries_address(r, "/admin/deliveries", &f);
	}
}

static json_t *chart_rows(const struct chart *c)
{
	json_t *rows = json_array();

	for (int i = c->n; i-- > 0;) {
		json_t *o = json_object();

		json_set_str(o, "label", c->bars[i].label);
		json_set_str(o, "href", c->bars[i].href);
		json_set_int(o, "delivered", c->bars[i].values[OUTCOME_DELIVERED]);
		json_set_int(o, "retried", c->bars[i].values[OUTCOME_RETRIED]);
		json_set_int(o, "failed", c->bars[i].values[OUTCOME_FAILED]);
		json_array_append_new(rows, o);
	}
	return rows;
}

static void chart_sum(const struct chart *c, json_t *data)
{
	static const char *const names[OUTCOMES] = {
	    "chart_delivered", "chart_retried", "chart_failed"};

	for (unsigned k = 0; k < OUTCOMES; k++) {
		int64_t sum = 0;

		for (int i = 0; i < c->n; i++)
			sum += c->bars[i].values[k];
		json_set_int(data, names[k], sum);
	}
}

static int destinations_draw(struct req *r, json_t *data, struct err *err)
{
	static const struct svg_part parts[SVG_PARTS] = {
	    {"delivered", "bars-good"}, {"to be tried again", "bars-warn"}, {"failed", "bars-bad"}};
	const bool is_days = str_is(req_query(r, "by"), "day");
	struct chart c = is_days ? chart_of_days(r) : chart_of_hours(r);
	struct buf *svg = buf_new(r->a, LIMIT_PAGE_BYTES);
	struct outcome_counts *counts;
	struct uuid only;
	size_t n;
	bool is_one = uuid_parse(req_query(r, "connectionId"), &only);

	if (outcomes_by_time(r->app, r->a, &r->actor.account_id, is_one ? &only : NULL,
		c.from_us[0], &counts, &n, err) == -1)
		return -1;
	chart_fill(&c, counts, n);
	chart_link(r, &c, is_one ? &only : NULL);
	svg_stacks(r->a, svg,
	    arena_printf(r->a, "What came of attempts, %s, %s",
		is_days ? "each of the last 30 days" : "each of the last 48 hours",
		zone_name(r->actor.account_zone)),
	    parts, c.bars, (size_t)c.n);
	json_set_strn(data, "outcomes_svg", (struct str){svg->p, svg->len});
	json_set(data, "outcomes", chart_rows(&c));
	chart_sum(&c, data);
	json_set_bool(data, "is_days", is_days);
	json_set_str(data, "zone", zone_name(r->actor.account_zone));
	json_set_str(data, "hours_href", chrome_link(r, "by", (struct str){NULL, 0}));
	json_set_str(data, "days_href", chrome_link(r, "by", STR("day")));
	return 0;
}

/* ---- the page -------------------------------------------------------------------------------- */

int crm_page_destinations(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *list, *choices;

	if (destinations_json(r, &list, &err) == -1 ||
	    destinations_list(r, data, list, &err) == -1 ||
	    connection_choices_of(r, "connectionId", "crm_push", &choices, &err) == -1 ||
	    destinations_draw(r, data, &err) == -1)
		return res_error(r, &err);
	json_set(data, "destinations", json_incref(list));
	json_set_bool(data, "has_destinations", json_array_size(list) > 0);
	json_set_bool(data, "has_disabled", json_array_size(json_object_get(data, "disabled")) > 0);
	json_set_bool(data, "has_many", json_array_size(list) > 1);
	json_set(data, "choices", json_incref(choices));
	json_set_bool(data, "can_push", (r->actor.permissions & PERMIT(CRM_WRITE)) != 0);
	json_set_bool(data, "can_test", (r->actor.permissions & PERMIT(CONNECTIONS_WRITE)) != 0);
	json_set_bool(
	    data, "sees_connections", (r->actor.permissions & PERMIT(CONNECTIONS_VIEW)) != 0);
	crm_show_tabs(data, CRM_TAB_DESTINATIONS);
	return chrome_page(
	    r, 200, "deliveries", "Destinations", "crm/destinations", json_incref(data));
}
