/* The first page: is everything flowing? */
#include "account/permission.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "connection/connection-pages.h"
#include "connection/connection.h"
#include "crm/crm.h"
#include "html/chrome.h"
#include "html/svg.h"
#include "lead/lead-pages.h"
#include "product/attention.h"
#include "product/dashboard-store.h"
#include "product/product.h"

#define HOURS 24
#define WEEK_US (7 * DAY_US)
#define HOUR_US (INT64_C(3600) * SECOND_US)
#define MINUTE_US (INT64_C(60) * SECOND_US)
#define LATEST_LEADS 6

static bool actor_may(const struct req *r, uint64_t permission)
{
	return (r->actor.permissions & permission) == permission;
}

static int64_t time_floor(int64_t at_us, int64_t unit_us)
{
	return at_us - at_us % unit_us;
}

/* By the hour, since hours that are over are remembered. */
static int dashboard_count_hours(struct req *r, enum dashboard_metric metric, int64_t from_us,
    int64_t to_us, int64_t *out, struct err *err)
{
	*out = 0;
	for (int64_t at = from_us; at < to_us; at += HOUR_US) {
		int64_t n, end = at + HOUR_US < to_us ? at + HOUR_US : to_us;
		if (dashboard_count(r->app, r->a, &r->actor.account_id, metric, at, end, &n, err) ==
		    -1)
			return -1;
		*out += n;
	}
	return 0;
}

/* What is counted since then, as the list has it: since names its filter. */
static const char *address_since(
    struct arena *a, const char *list, const char *since, int64_t at_us)
{
	return arena_printf(a, "%s?%s=%s", list, since, clock_iso_dup(a, at_us));
}

/* Since midnight, and the same weekday of last week until the same minute. */
static int dashboard_add_today(struct req *r, json_t *data, enum dashboard_metric metric,
    const char *label, const char *list, const char *since, struct err *err)
{
	const struct zone *zone = r->actor.account_zone;
	int64_t now = clock_now_us(), midnight = zone_day_us(zone, now, 0), today, before;
	int64_t then = zone_instant_us(zone, zone_local_us(zone, now) - WEEK_US);
	json_t *o = json_object();

	json_array_append_new(json_object_get(data, "figures"), o);
	if (dashboard_count_hours(r, metric, midnight,
		midnight + time_floor(now - midnight, HOUR_US) + HOUR_US, &today, err) == -1 ||
	    dashboard_count_hours(r, metric, zone_day_us(zone, now, -7),
		time_floor(then, MINUTE_US), &before, err) == -1)
		return -1;
	json_set_str(o, "label", label);
	json_set_str(o, "href", address_since(r->a, list, since, midnight));
	json_set_str(o, "text", NULL);
	json_set_int(o, "value", today);
	json_set_int(o, "before", before);
	json_set_str(o, "compared",
	    today > before   ? "up from"
	    : today < before ? "down from"
			     : NULL);
	return 0;
}

static const char *dashboard_events_address(struct arena *a, int64_t from_us, int64_t to_us)
{
	return arena_printf(
	    a, "/admin/events?from=%s&to=%s", clock_iso_dup(a, from_us), clock_iso_dup(a, to_us));
}

static int dashboard_add_hours(struct req *r, json_t *data, struct err *err)
{
	const struct zone *zone = r->actor.zone;
	int64_t now = clock_now_us(), total = 0;
	int64_t first = now - zone_local_us(zone, now) % HOUR_US - (HOURS - 1) * HOUR_US;
	struct svg_point points[HOURS];
	json_t *hours = json_array();
	struct buf *svg = buf_new(r->a, LIMIT_PAGE_BYTES);

	json_set(data, "hours", hours);
	for (int i = 0; i < HOURS; i++) {
		int64_t from = first + i * HOUR_US, local = zone_local_us(zone, from);
		int64_t before = zone_instant_us(zone, local - WEEK_US);
		struct civil c;

		clock_civil(local, &c);
		points[i] =
		    (struct svg_point){.label = arena_printf(r->a, "%02d:%02d", c.hour, c.minute),
			.now = i == HOURS - 1 ? "now" : NULL};
		if (dashboard_count(r->app, r->a, &r->actor.account_id, DASHBOARD_EVENTS, from,
			from + HOUR_US, &points[i].value, err) == -1 ||
		    dashboard_count(r->app, r->a, &r->actor.account_id, DASHBOARD_EVENTS, before,
			before + HOUR_US, &points[i].previous, err) == -1)
			return -1;
		total += points[i].value;
		if (points[i].value > 0)
			points[i].href = dashboard_events_address(r->a, from, from + HOUR_US);
		json_t *o = json_object();
		json_set_str(o, "label", points[i].label);
		json_set_str(o, "href", points[i].href);
		json_set_int(o, "value", points[i].value);
		json_set_int(o, "before", points[i].previous);
		json_array_append_new(hours, o);
	}
	svg_bars(r->a, svg,
	    arena_printf(r->a, "Events per hour of the last 24 hours, %s", zone_name(zone)), points,
	    HOURS);
	json_set_strn(data, "hours_svg", (struct str){svg->p, svg->len});
	json_set_int(data, "events_24h", total);
	return 0;
}

static int dashboard_add_queue(struct req *r, json_t *data, struct err *err)
{
	struct job_stats stats;
	int64_t now = clock_now_us();
	json_t *o = json_object();

	json_set(data, "queue", o);
	if (job_stats(r->app->db, &r->actor.account_id, &stats, err) == -1)
		return -1;
	json_set_int(o, "ready", stats.ready);
	json_set_int(o, "waiting", stats.waiting);
	json_set_int(o, "dead", stats.dead);
	json_set_bool(
	    o, "is_late", stats.oldest_due_us > 0 && now - stats.oldest_due_us > 2 * MINUTE_US);
	json_set_time(o, "oldest", stats.oldest_due_us);
	return 0;
}

static void dashboard_add_figure(json_t *data, const char *label, const char *href,
    const char *text, const char *note, bool is_bad)
{
	json_t *o = json_object();

	json_set_str(o, "label", label);
	json_set_str(o, "href", href);
	json_set_str(o, "text", text);
	json_set_str(o, "note", note);
	json_set_bool(o, "is_bad", is_bad);
	json_array_append_new(json_object_get(data, "figures"), o);
}

/* How many of the last day's pushes were taken, and how many were not. */
static void dashboard_add_outcome(
    struct req *r, json_t *data, const json_t *rows, int64_t total, const char *href)
{
	int64_t taken = 0, failed = 0, dead = 0;
	const json_t *row;
	size_t i;

	json_array_each(rows, i, row) {
		struct str status = str_from(json_str(row, "status"));
		int64_t n = json_int(row, "count");

		taken += str_is(status, DELIVERY_SUCCESS) ? n : 0;
		failed += str_is(status, DELIVERY_FAILED) ? n : 0;
		dead += str_is(status, DELIVERY_DEAD) ? n : 0;
	}
	if (total == 0)
		return;
	dashboard_add_figure(data, "Delivered, 24 h",
	    arena_printf(r->a, "%s&status=" DELIVERY_SUCCESS, href),
	    arena_printf(r->a, "%lld %%", (long long)(taken * 100 / total)),
	    arena_printf(r->a, "%lld of %lld", (long long)taken, (long long)total), false);
	dashboard_add_figure(data, "Failed, 24 h",
	    arena_printf(r->a, "%s&status=%s", href,
		failed == 0 && dead > 0 ? DELIVERY_DEAD : DELIVERY_FAILED),
	    arena_printf(r->a, "%lld", (long long)(failed + dead)),
	    failed == 0 && dead == 0 ? "Nothing to do"
	    : failed > 0 && dead > 0
		? arena_printf(r->a, "Review them; %lld given up", (long long)dead)
		: "Review them",
	    failed + dead > 0);
}

/* Pushes of the last day by outcome, each with its share in per cent. */
static int dashboard_add_deliveries(struct req *r, json_t *data, struct err *err)
{
	const int64_t from_us = clock_now_us() - DAY_US;
	const char *href = address_since(r->a, "/admin/deliveries", "from", from_us);
	json_t *rows, *row;
	int64_t total = 0;
	size_t i;

	if (dashboard_deliveries(r->app, r->a, &r->actor.account_id, from_us, &rows, err) == -1)
		return -1;
	json_array_each(rows, i, row)
		total += json_int(row, "count");
	json_array_each(rows, i, row) {
		int64_t share = json_int(row, "count") * 100 / (total > 0 ? total : 1);
		json_set_int(row, "share", share > 0 ? share : 1);
		json_set_str(
		    row, "href", arena_printf(r->a, "%s&status=%s", href, json_str(row, "status")));
	}
	json_set(data, "deliveries", json_incref(rows));
	json_set_int(data, "deliveries_total", total);
	dashboard_add_outcome(r, data, rows, total, href);
	return 0;
}

static int dashboard_add_latest_leads(struct req *r, json_t *data, struct err *err)
{
	struct lead_filter filter = {.account_id = r->actor.account_id};
	struct slice s = {.limit = LATEST_LEADS};

	if (lead_list(r->app, r->a, &filter, &s, err) == -1 || lead_page_rows(r, s.rows, err) == -1)
		return -1;
	json_set_bool(data, "has_leads", json_array_size(s.rows) > 0);
	json_set(data, "leads", json_incref(s.rows));
	return 0;
}

/* What a newcomer does first, and whether it is done. */
static void dashboard_add_step(json_t *steps, bool is_done, bool is_due, const char *label,
    const char *text, const char *href, const char *action)
{
	json_t *o = json_object();

	json_set_bool(o, "is_done", is_done);
	json_set_bool(o, "is_next", is_due && !is_done);
	json_set_str(o, "label", label);
	json_set_str(o, "text", text);
	json_set_str(o, "href", href);
	json_set_str(o, "action", action);
	json_array_append_new(steps, o);
}

static bool has_sandbox(const struct req *r)
{
	const struct config *cfg = r->app->config;

	return cfg->sandbox && cfg->sandbox_url != NULL && cfg->sandbox_url[0] != '\0';
}

/* How far a newcomer is on the way from nothing to a lead that a destination has taken. */
struct first_run {
	const json_t *to; /* the destination that one knows best of, or NULL */
	bool has_source, has_lead, has_success, has_failure, has_sandbox;
	const json_t *leadless; /* a source whose calls make no leads, for want of a setting */
};

/* A lead source is what can bring leads. One that lacks a setting for that needs it, no second. */
static void dashboard_add_source_step(struct arena *a, json_t *steps, const struct first_run *f)
{
	const char *href = json_str(f->leadless, "source_href");

	if (f->has_source || href == NULL)
		dashboard_add_step(steps, f->has_source, true, "Connect a lead source",
		    "Lead ads of Meta, Google, LinkedIn or TikTok, or a form that sends webhooks.",
		    "/admin/connections?role=leads#catalogue", "Choose a lead source");
	else
		dashboard_add_step(steps, false, true, "Connect a lead source",
		    arena_printf(a,
			"%s is connected, but its calls make no leads before its lead fields are "
			"set.",
			json_str(f->leadless, "source")),
		    href, "Set the lead fields");
}

/* One that was called without an error is known better than one that was never called. */
static int destination_known(const json_t *c)
{
	return c == NULL                           ? 0
	       : json_str(c, "lastUsedAt") == NULL ? 1
	       : json_str(c, "lastError") != NULL  ? 2
						   : 3;
}

static const char *dashboard_destination_words(struct arena *a, const json_t *to)
{
	const int known = destination_known(to);

	if (known != 1 && known != 2)
		return "Any CRM that takes leads over HTTP.";
	return arena_printf(a, "%s is set up%s.", json_str(to, "name"),
	    known == 2 ? ", but the last call to it failed"
		       : ". Nothing was sent to it yet, so it is not known whether it works");
}

/* Once one has arrived somewhere they are over, wherever it came from. */
static void dashboard_add_steps(struct arena *a, json_t *data, const struct first_run *f)
{
	json_t *steps = json_array();

	json_set_bool(data, "is_new", !f->has_success);
	json_set(data, "steps", steps);
	dashboard_add_source_step(a, steps, f);
	dashboard_add_step(steps, f->to != NULL, f->has_source, "Connect a destination",
	    dashboard_destination_words(a, f->to), "/admin/connections?role=destination#catalogue",
	    "Choose a destination");
	dashboard_add_step(steps, f->has_lead, f->has_source && f->to != NULL, "Send a test lead",
	    f->has_sandbox ? "By hand, from your own form, or from the sandbox."
			   : "By hand, or from your own form.",
	    "/admin/leads/test", "Send one");
	dashboard_add_step(steps, false, f->to != NULL && f->has_lead,
	    "See it arrive at the destination",
	    f->has_failure ? "A destination did not take it: why is in the list."
			   : "It goes by itself, within a second.",
	    f->has_failure ? "/admin/deliveries?status=failed" : "/admin/deliveries",
	    f->has_failure ? "See why" : "See deliveries");
}

static int dashboard_find_source(struct req *r, struct first_run *first, struct err *err)
{
	json_t *told = json_own(r->a, json_object());
	struct connection **v;
	size_t n;

	if (connection_list_capable(r->app, r->a, &r->actor.account_id, "lead_sync", &v, &n, err) ==
	    -1)
		return -1;
	for (size_t i = 0; i < n && !first->has_source; i++) {
		first->has_source = connection_brings_leads(r->a, v[i]);
		(void)connection_show_leadless(r, v[i], told);
	}
	first->leadless = json_object_get(told, "leadless");
	return 0;
}

/* By what is stored now: what jobs go by may be a moment old. */
static int dashboard_find_destination(struct req *r, struct first_run *first, struct err *err)
{
	struct connection **to;
	json_t *stored;
	size_t n;

	if (connection_list_destinations(r->app, r->a, &r->actor.account_id, &to, &n, err) == -1 ||
	    connection_names(r->app, r->a, &r->actor.account_id, &stored, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const json_t *c = json_object_get(stored, uuid_dup(r->a, to[i]->id));

		if (destination_known(c) > destination_known(first->to))
			first->to = c;
	}
	return 0;
}

static int dashboard_add_connections(struct req *r, json_t *data, struct err *err)
{
	struct first_run first = {.has_lead = json_array_size(json_object_get(data, "leads")) > 0,
	    .has_sandbox = has_sandbox(r)};
	json_t *rows, *row;
	size_t i;

	if (dashboard_connections(r->app, r->a, &r->actor.account_id, &rows, err) == -1 ||
	    connections_tell_states(r, rows, err) == -1 ||
	    dashboard_first_pushes(r->app, r->a, &r->actor.account_id, &first.has_success,
		&first.has_failure, err) == -1)
		return -1;
	/* once one has arrived nobody is shown the steps */
	if (!first.has_success && (dashboard_find_source(r, &first, err) == -1 ||
				      dashboard_find_destination(r, &first, err) == -1))
		return -1;
	json_array_each(rows, i, row) {
		const struct provider *p =
		    provider_find(r->app->providers, str_from(json_str(row, "providerType")));
		if (p == NULL)
			continue;
		if (provider_can(p, "crm_push"))
			connection_tell_push_error(r->a, row, "It", json_str(row, "lastError"));
		else
			connection_tell_error(r->a, row, "It", json_str(row, "lastError"));
		connection_link_credentials(r, row, json_str(row, "id"));
	}
	provider_label_rows(r->app, rows);
	json_set(data, "connections", json_incref(rows));
	dashboard_add_steps(r->a, data, &first);
	json_set_bool(data, "is_blank", json_array_size(rows) == 0 && !first.has_lead);
	return 0;
}

/* Whether there is sample data, and who may make or remove it. */
static int dashboard_add_sample(struct req *r, json_t *data, struct err *err)
{
	int64_t n = 0;

	if (!actor_may(r, PERMIT(RECORDS_WRITE)))
		return 0;
	if (product_sample_count(r, &n, err) == -1)
		return -1;
	json_set_bool(data, "may_sample", true);
	json_set_int(data, "sample_count", n);
	return 0;
}

int product_page_dashboard(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *attention;
	bool sees_leads = actor_may(r, PERMIT(LEADS_VIEW)),
	     sees_events = actor_may(r, PERMIT(WEBHOOKS_VIEW));

	json_set(data, "figures", json_array());
	if (attention_list(r, &attention, &err) == -1)
		return res_error(r, &err);
	json_set(data, "attention", json_incref(attention));
	json_set_bool(data, "has_attention", json_array_size(attention) > 0);
	if ((sees_leads && (dashboard_add_today(r, data, DASHBOARD_LEADS, "Leads today",
				"/admin/leads", "receivedAfter", &err) == -1 ||
			       dashboard_add_latest_leads(r, data, &err) == -1)) ||
	    (sees_events && (dashboard_add_today(r, data, DASHBOARD_EVENTS, "Events today",
				 "/admin/events", "from", &err) == -1 ||
				dashboard_add_hours(r, data, &err) == -1)) ||
	    (actor_may(r, PERMIT(CRM_VIEW)) && dashboard_add_deliveries(r, data, &err) == -1) ||
	    (actor_may(r, PERMIT(CONNECTIONS_VIEW)) &&
		dashboard_add_connections(r, data, &err) == -1) ||
	    dashboard_add_sample(r, data, &err) == -1 || dashboard_add_queue(r, data, &err) == -1)
		return res_error(r, &err);
	json_set_bool(data, "sees_deliveries", actor_may(r, PERMIT(CRM_VIEW)));
	json_set_bool(data, "sees_connections", actor_may(r, PERMIT(CONNECTIONS_VIEW)));
	json_set_bool(data, "sees_leads", sees_leads);
	json_set_bool(data, "sees_events", sees_events);
	json_set_str(data, "days_zone",
	    r->actor.zone == r->actor.account_zone ? NULL : zone_name(r->actor.account_zone));
	return chrome_page(r, 200, "dashboard", "Home", "product/dashboard", json_incref(data));
}
