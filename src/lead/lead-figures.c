/* The figures on the page of the leads: how many a day and of which source, from the counters that
 * are kept as leads are captured, and how fast they reached their first destination, from the
 * times of the last ones. Nothing here reads more the more leads there are. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/zone.h"
#include "connection/connection-pages.h"
#include "html/svg.h"
#include "lead/lead-internal.h"
#include "lead/lead-pages.h"
#include "record/record-pages.h"
#include "record/record.h"

#define DAYS 30
#define SPEED_ROWS 500
#define SPEED_LOOKED_AT 2000

DB_STMT(lead_speeds,
    "SELECT delivered_at - received_at FROM (SELECT source, received_at, delivered_at FROM leads"
    " FORCE INDEX (leads_recent) WHERE account_id = ? AND received_at >= ?"
    " ORDER BY received_at DESC LIMIT ?) l"
    " WHERE delivered_at IS NOT NULL AND source = '" RECORD_SOURCE_WEBHOOK "' LIMIT ?");

static int speed_compare(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

/* Of live leads: what was imported or found later was not waited for. */
static int figures_add_speed(struct req *r, json_t *data, struct err *err)
{
	struct db_rows rows;
	int64_t *v;

	if (db_query(r->app->db, r->a, &lead_speeds,
		DB_VALS(db_uuid(&r->actor.account_id), db_int(clock_now_us() - DAYS * DAY_US),
		    db_int(SPEED_LOOKED_AT), db_int(SPEED_ROWS)),
		&rows, err) == -1)
		return -1;
	v = arena_array(r->a, rows.count + 1, sizeof(*v));
	for (size_t i = 0; i < rows.count; i++)
		v[i] = db_get_int(&rows, i, 0);
	qsort(v, rows.count, sizeof(*v), speed_compare);
	json_set_bool(data, "has_speed", rows.count > 0);
	if (rows.count > 0)
		json_set_int(data, "speed", v[rows.count / 2]);
	json_set_int(data, "speed_of", (int64_t)rows.count);
	return 0;
}

/* The address of those that came in that time. */
static const char *lead_page_span(struct arena *a, int64_t from_us, int64_t before_us)
{
	return arena_printf(a, LEADS_PAGE_ADDRESS "?receivedAfter=%s&receivedBefore=%s",
	    clock_iso_dup(a, from_us), clock_iso_dup(a, before_us));
}

static void figures_draw(
    struct req *r, json_t *data, const struct lead_day *counted, size_t n, int64_t now_us)
{
	const struct zone *zone = r->actor.account_zone;
	struct svg_point points[DAYS];
	struct buf *svg = buf_new(r->a, LIMIT_PAGE_BYTES);
	int64_t total = 0;
	json_t *list = json_array();

	json_set(data, "days", list);
	for (int i = 0; i < DAYS; i++) {
		const int64_t day_us = zone_day_us(zone, now_us, i - (DAYS - 1));
		char *text = arena_alloc(r->a, CLOCK_TEXT);
		json_t *o = json_object();

		clock_day_text(text, clock_day(zone_local_us(zone, day_us)));
		points[i] = (struct svg_point){.label = text,
		    .axis = text + strlen("2026-"),
		    .previous = -1,
		    .now = i == DAYS - 1 ? "today" : NULL};
		for (size_t k = 0; k < n; k++)
			points[i].value += counted[k].day == (size_t)i ? counted[k].leads : 0;
		if (points[i].value > 0)
			points[i].href = lead_page_span(
			    r->a, day_us, zone_day_us(zone, now_us, i - (DAYS - 1) + 1));
		total += points[i].value;
		json_set_str(o, "label", text);
		json_set_str(o, "href", points[i].href);
		json_set_int(o, "value", points[i].value);
		json_array_append_new(list, o);
	}
	svg_bars(r->a, svg, "Leads per day of the last 30 days", points, DAYS);
	json_set_strn(data, "days_svg", (struct str){svg->p, svg->len});
	json_set_int(data, "leads_30d", total);
}

static void figures_add_sources(struct req *r, json_t *data, const struct lead_day *days, size_t n)
{
	json_t *by = json_own(r->a, json_object()), *list = json_array(), *count;
	const char *provider;
	int64_t most = 0;

	json_set(data, "sources_30d", list);
	for (size_t k = 0; k < n; k++)
		json_set_int(
		    by, days[k].provider_type, json_int(by, days[k].provider_type) + days[k].leads);
	json_object_each(by, provider, count)
		most = json_integer_value(count) > most ? json_integer_value(count) : most;
	json_object_each(by, provider, count) {
		json_t *o;

		if (json_integer_value(count) <= 0)
			continue;
		o = json_object();
		json_set_str(o, "name", lead_source_label(r->app, provider));
		json_set_str(o, "provider", provider);
		json_set(o, "count", json_incref(count));
		json_set_int(o, "share", 100 * json_integer_value(count) / most);
		json_array_append_new(list, o);
	}
}

int lead_add_figures(struct req *r, json_t *data, struct err *err)
{
	const int64_t now_us = clock_now_us();
	struct lead_day *days;
	size_t n;

	if (lead_days(r->app, r->a, &r->actor.account_id, r->actor.account_zone, now_us, DAYS,
		&days, &n, err) == -1 ||
	    figures_add_speed(r, data, err) == -1)
		return -1;
	figures_draw(r, data, days, n, now_us);
	figures_add_sources(r, data, days, n);
	return 0;
}
