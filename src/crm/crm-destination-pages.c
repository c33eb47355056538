/* The page of the destinations: how each stands, what waits for it, what became of pushes. */
#include <stdlib.h>

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

#define WEEK 7
#define HOURS 48
#define DAYS 30
#define BARS_MOST 48 /* of HOURS and DAYS */

/* ---- one destination ------------------------------------------------------------------------- */

struct destinations {
	struct req *r;
	struct connection **to;
	size_t n;
	struct breaker *breakers;
	size_t nbreakers;
	struct outcome_counts *counts;
	size_t ncounts;
};

static int destinations_load(struct destinations *d, struct err *err)
{
	struct req *r = d->r;
	const struct uuid *account = &r->actor.account_id;
	const int64_t now_us = clock_now_us();

	return connection_list_capable(r->app, r->a, account, "crm_push", &d->to, &d->n, err) ==
			   -1 ||
		       breaker_list_of(
			   r->app->db, r->a, account, &d->breakers, &d->nbreakers, err) == -1 ||
		       outcomes_by_destination(r->app, r->a, account,
			   zone_day_us(r->actor.account_zone, now_us, 1 - WEEK),
			   zone_day_us(r->actor.account_zone, now_us, 0), &d->counts, &d->ncounts,
			   err) == -1
		   ? -1
		   : 0;
}

static const struct breaker *breaker_of(const struct destinations *d, const struct uuid *id)
{
	static const struct breaker well;

	for (size_t i = 0; i < d->nbreakers; i++)
		if (uuid_eq(d->breakers[i].target_id, *id))
			return &d->breakers[i];
	return &well;
}

/* Its lane's own state comes first, since it says what becomes of the next lead. */
static void destination_tell_health(
    const struct destinations *d, const struct connection *c, json_t *o)
{
	const struct breaker *b = breaker_of(d, &c->id);
	const int64_t now_us = clock_now_us();
	const bool is_paused = breaker_is_paused(b, JOB_LIVE), is_open = b->opened_us != 0;
	const char *state = is_paused ? "paused" : is_open ? breaker_state(b, now_us) : c->status;

	json_set_str(o, "state", state);
	json_set_str(o, "state_label",
	    is_paused || is_open ? word_label(queue_states, state)
				 : word_label(connection_statuses, state));
	json_set_bool(o, "is_paused", is_paused);
	json_set_bool(o, "is_open", is_open);
	json_set_time(o, "since", b->opened_us);
	json_set_time(o, "next_probe", b->probe_at_us);
	json_set_bool(o, "is_soon", b->probe_at_us < now_us + BREAKER_PROBE_FIRST_US);
	json_set_str(o, "lane_id",
	    queue_lane_id(d->r->a, &(struct lane_key){c->account_id, c->id, JOB_LIVE}));
}

static void destination_tell_counts(
    const struct destinations *d, const struct connection *c, json_t *o)
{
	static const struct outcome_counts none;
	const struct outcome_counts *x = &none;

	for (size_t i = 0; i < d->ncounts; i++)
		if (uuid_eq(d->counts[i].connection_id, c->id))
			x = &d->counts[i];
	json_set_int(o, "today", x->later[OUTCOME_DELIVERED]);
	json_set_int(o, "today_failed", x->later[OUTCOME_FAILED]);
	json_set_int(o, "week", x->n[OUTCOME_DELIVERED]);
	json_set_int(o, "week_failed", x->n[OUTCOME_FAILED]);
}

static int destination_tell_ledger(
    struct req *r, const struct connection *c, json_t *o, struct err *err)
{
	struct destination_backlog b;
	struct destination_last last;

	if (destination_backlog(r->app, r->a, &c->account_id, &c->id, &b, err) == -1 ||
	    destination_last(r->app, r->a, &c->account_id, &c->id, &last, err) == -1)
		return -1;
	json_set_int(o, "pending", b.pending);
	json_set_bool(o, "is_more", b.pending == BACKLOG_MOST);
	json_set_int(o, "held", b.held);
	json_set_int(o, "retrying", b.retrying);
	json_set_bool(o, "waits", b.pending + b.retrying > 0);
	json_set_int(o, "refused", b.refused);
	json_set_int(o, "dead", b.dead);
	json_set_bool(o, "has_failed", b.refused + b.dead > 0);
	json_set_time(o, "next", b.next_us);
	json_set_bool(o, "is_due", b.next_us <= clock_now_us());
	json_set_time(o, "last_success", last.success_us);
	json_set_bool(o, "has_speed", last.speed_us >= 0);
	json_set_int(o, "speed", last.speed_us);
	json_set_time(o, "last_error_at", last.error_us);
	json_set_str(o, "lastError", last.error);
	json_set_bool(o, "error_is_new", last.error_us > last.success_us);
	json_set_str(o, "error_id", last.error == NULL ? NULL : uuid_dup(r->a, last.error_id));
	connection_tell_error(r->a, o, last.error);
	return 0;
}

static int destination_show(
    const struct destinations *d, const struct connection *c, json_t *list, struct err *err)
{
	struct req *r = d->r;
	json_t *o = json_object();

	json_array_append_new(list, o);
	json_set_str(o, "id", uuid_dup(r->a, c->id));
	json_set_str(o, "name", c->name);
	json_set_str(o, "providerName", provider_display_name(c->provider));
	json_set_bool(o, "by_hand", !c->auto_push);
	destination_tell_health(d, c, o);
	destination_tell_counts(d, c, o);
	return destination_tell_ledger(r, c, o, err);
}

/* Those that people have switched off: leads go nowhere near them. */
static int destinations_add_disabled(const struct destinations *d, json_t *list, struct err *err)
{
	struct req *r = d->r;
	json_t *names, *c;
	const char *id;

	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	json_object_each(names, id, c) {
		const struct provider *p =
		    provider_find(r->app->providers, str_from(json_str(c, "providerType")));
		bool is_listed = p == NULL || !provider_can(p, "crm_push");
		json_t *o;

		for (size_t i = 0; !is_listed && i < d->n; i++)
			is_listed = strcmp(uuid_dup(r->a, d->to[i]->id), id) == 0;
		if (is_listed)
			continue;
		o = json_object();
		json_set_str(o, "id", id);
		json_set_str(o, "name", json_str(c, "name"));
		json_set_str(o, "providerName", provider_display_name(p));
		json_array_append_new(list, o);
	}
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

static json_t *chart_rows(const struct chart *c)
{
	json_t *rows = json_array();

	for (int i = c->n; i-- > 0;) {
		json_t *o = json_object();

		json_set_str(o, "label", c->bars[i].label);
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
	svg_stacks(svg,
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

/* A choice of the destinations alone, for the chart. */
static json_t *destinations_choices(struct req *r, const json_t *list)
{
	struct word *words = arena_array(r->a, json_array_size(list) + 1, sizeof(*words));

	for (size_t i = 0; i < json_array_size(list); i++)
		words[i] = (struct word){json_str(json_array_get(list, i), "id"),
		    json_str(json_array_get(list, i), "name")};
	return chrome_choices(r, "connectionId", words);
}

int crm_page_destinations(struct req *r)
{
	struct destinations d = {.r = r};
	struct err err = ERR_INIT;
	json_t *data = json_own(r->a, json_object()), *list = json_array(), *off = json_array();

	json_set(data, "destinations", list);
	json_set(data, "disabled", off);
	if (destinations_load(&d, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < d.n; i++)
		if (destination_show(&d, d.to[i], list, &err) == -1)
			return res_error(r, &err);
	if (destinations_add_disabled(&d, off, &err) == -1 ||
	    destinations_draw(r, data, &err) == -1)
		return res_error(r, &err);
	json_set_bool(data, "has_destinations", json_array_size(list) > 0);
	json_set_bool(data, "has_disabled", json_array_size(off) > 0);
	json_set_bool(data, "has_many", json_array_size(list) > 1);
	json_set(data, "choices", destinations_choices(r, list));
	json_set_bool(data, "can_push", (r->actor.permissions & PERMIT(CRM_WRITE)) != 0);
	json_set_bool(data, "can_test", (r->actor.permissions & PERMIT(CONNECTIONS_WRITE)) != 0);
	json_set_bool(data, "can_pause", (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0);
	json_set_bool(
	    data, "sees_connections", (r->actor.permissions & PERMIT(CONNECTIONS_VIEW)) != 0);
	crm_show_tabs(data, CRM_TAB_DESTINATIONS);
	return chrome_page(
	    r, 200, "deliveries", "Destinations", "crm/destinations", json_incref(data));
}
