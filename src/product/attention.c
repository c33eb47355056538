/* What is wrong at the moment, each with the list of it. Counts are looked up every few seconds at
 * most (dashboard-store.c), since every page shows them. */
#include "product/attention.h"

#include <inttypes.h>
#include <string.h>

#include "account/permission.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/zone.h"
#include "connection/connection-pages.h"
#include "connection/connection.h"
#include "connection/oauth.h"
#include "job/queue.h"
#include "product/dashboard-store.h"

#define NAMED_MOST 3 /* connections told one by one */

static const struct attention_kind {
	enum dashboard_metric metric;
	const char *section, *href;
	const char *one, *many; /* after the number */
	const char *action;
	uint64_t permission;
} attention_kinds[] = {
    {DASHBOARD_LEADS_FAILED, "leads", "/admin/leads?status=failed", "lead was not delivered",
	"leads were not delivered", "Review", PERMIT(LEADS_VIEW)},
    {DASHBOARD_LEADS_DEAD, "leads", "/admin/leads?status=dead", "lead was given up",
	"leads were given up", "Review", PERMIT(LEADS_VIEW)},
    {DASHBOARD_LEADS_PARTIAL, "leads", "/admin/leads?status=partial",
	"lead was delivered to some of its destinations only",
	"leads were delivered to some of their destinations only", "Review", PERMIT(LEADS_VIEW)},
    {DASHBOARD_RUNS_FAILED, "runs", "/admin/task-history?status=failed&repeated=no",
	"run of a flow failed", "runs of flows failed", "See why", PERMIT(TASK_HISTORY_VIEW)},
    {DASHBOARD_TASKS_FAILED, "runs", "/admin/imports?status=failed",
	"import or other bulk work failed in the last week",
	"imports and other bulk work failed in the last week", "See why", PERMIT(RECORDS_VIEW)},
    {DASHBOARD_REFUSED, "events", "/admin/events?status=rejected",
	"webhook was refused in the last day", "webhooks were refused in the last day", "See why",
	PERMIT(WEBHOOKS_VIEW)},
};
#define NKINDS (sizeof(attention_kinds) / sizeof(attention_kinds[0]))

static bool actor_may(const struct req *r, uint64_t permission)
{
	return (r->actor.permissions & permission) == permission;
}

static const char *count_text(struct arena *a, int64_t n)
{
	return n >= DASHBOARD_NOW_MOST ? arena_printf(a, "over %d", DASHBOARD_NOW_MOST - 1)
				       : arena_printf(a, "%" PRId64, n);
}

static void attention_add(json_t *list, const char *text, const char *href, const char *action)
{
	json_t *o = json_object();

	json_set_str(o, "text", text);
	json_set_str(o, "href", href);
	json_set_str(o, "action", action);
	json_array_append_new(list, o);
}

static int attention_add_counts(struct req *r, json_t *list, struct err *err)
{
	for (size_t i = 0; i < NKINDS; i++) {
		const struct attention_kind *k = &attention_kinds[i];
		int64_t n = 0;

		if (!actor_may(r, k->permission))
			continue;
		if (dashboard_count_now(r->app, r->a, &r->actor.account_id, k->metric, &n, err) ==
		    -1)
			return -1;
		if (n > 0)
			attention_add(list,
			    arena_printf(
				r->a, "%s %s", count_text(r->a, n), plural(n, k->one, k->many)),
			    k->href, k->action);
	}
	return 0;
}

/* One that has expired is connected again from here, where it has a login. */
static void attention_add_connection(struct req *r, json_t *list, const json_t *row)
{
	bool has_expired = strcmp(json_str(row, "status"), CONNECTION_EXPIRED) == 0;
	const char *id = json_str(row, "id"),
		   *again = has_expired && actor_may(r, PERMIT(CONNECTIONS_WRITE))
				? oauth_again_href(r->a, r->app, json_str(row, "providerType"), id)
				: NULL;

	attention_add(list,
	    arena_printf(
		r->a, "%s %s", json_str(row, "name"), has_expired ? "has expired" : "has an error"),
	    again != NULL ? again : arena_printf(r->a, "/admin/connections/%s", id),
	    again != NULL ? "Connect again" : "Fix");
}

/* Connections whose last call failed for good, by their names while they are few. */
static int attention_add_connections(struct req *r, json_t *list, struct err *err)
{
	json_t *rows, *row;
	size_t i, told = 0, n = 0;

	if (!actor_may(r, PERMIT(CONNECTIONS_VIEW)))
		return 0;
	if (dashboard_connections(r->app, r->a, &r->actor.account_id, &rows, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		struct str status = str_from(json_str(row, "status"));

		if (!str_is(status, CONNECTION_ERROR) && !str_is(status, CONNECTION_EXPIRED))
			continue;
		if (n++ < NAMED_MOST && ++told > 0)
			attention_add_connection(r, list, row);
	}
	if (n > told)
		attention_add(list,
		    arena_printf(r->a, "%zu more connection%s an error", n - told,
			plural(n - told, " has", "s have")),
		    "/admin/connections", "Fix");
	return 0;
}

/* Logins that end soon, and that only people can renew. */
static int attention_add_endings(struct req *r, json_t *list, struct err *err)
{
	json_t *rows, *row;
	size_t i;

	if (!actor_may(r, PERMIT(CONNECTIONS_VIEW)))
		return 0;
	if (oauth_ending(r->app, r->a, &r->actor.account_id, &rows, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		char day[CLOCK_TEXT];
		const char *id = json_str(row, "id");
		const char *again =
		    actor_may(r, PERMIT(CONNECTIONS_WRITE))
			? oauth_again_href(r->a, r->app, json_str(row, "providerType"), id)
			: NULL;

		if (i == NAMED_MOST) {
			attention_add(list,
			    arena_printf(r->a, "%zu more login%s soon",
				json_array_size(rows) - NAMED_MOST,
				json_array_size(rows) == NAMED_MOST + 1 ? " ends" : "s end"),
			    "/admin/connections", "See them");
			break;
		}
		clock_day_text(
		    day, clock_day(zone_local_us(r->actor.zone, json_time(row, "endsAt"))));
		attention_add(list,
		    arena_printf(r->a, "The login of %s ends on %s", json_str(row, "name"), day),
		    again != NULL ? again : arena_printf(r->a, "/admin/connections/%s", id),
		    again != NULL ? "Connect again" : "See it");
	}
	return 0;
}

static bool is_connected(const json_t *names, const struct provider *p)
{
	const char *id;
	json_t *c;

	json_object_each(names, id, c)
		if (str_is(str_from(json_str(c, "providerType")), provider_name(p)))
			return true;
	return false;
}

/* A version of a provider's API that ends fails every call of it on one day. */
static int attention_add_versions(struct req *r, json_t *list, struct err *err)
{
	json_t *names;

	if (!actor_may(r, PERMIT(SETTINGS_VIEW)))
		return 0;
	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	for (size_t i = 0; i < providers_count(r->app->providers); i++) {
		const struct provider *p = provider_at(r->app->providers, i);
		char day[CLOCK_TEXT];
		int64_t ends_us;

		if (!provider_version_ends_soon(p, clock_now_us(), &ends_us) ||
		    !is_connected(names, p))
			continue;
		clock_day_text(day, clock_day(ends_us));
		attention_add(list,
		    arena_printf(r->a,
			"Version %s of the API of %s %s on %s: the operator sets a newer one",
			provider_version(p, &ends_us), provider_display_name(p),
			ends_us <= clock_now_us() ? "has ended" : "ends", day),
		    arena_printf(r->a, "/admin/connections?providerType=%s", provider_name(p)),
		    "See its connections");
	}
	return 0;
}

/* Destinations that are left alone for now, since they look dead. */
static int attention_add_breakers(struct req *r, json_t *list, struct err *err)
{
	struct queue_lane *v;
	json_t *names;
	size_t n;

	if (!actor_may(r, PERMIT(SETTINGS_VIEW)))
		return 0;
	if (queue_lanes(r->app, r->a, &r->actor.account_id, &v, &n, err) == -1 ||
	    connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *id = uuid_dup(r->a, v[i].key.target_id),
			   *name = json_str(json_object_get(names, id), "name");

		if (v[i].breaker.opened_us == 0 || name == NULL || v[i].key.class != JOB_LIVE)
			continue;
		attention_add(list,
		    v[i].depth > 0
			? arena_printf(
			      r->a, "Nothing reaches %s; %" PRId64 " wait for it", name, v[i].depth)
			: arena_printf(r->a, "Nothing reaches %s", name),
		    arena_printf(r->a, "/admin/connections/%s", id), "See why");
	}
	return 0;
}

int attention_list(struct req *r, json_t **out, struct err *err)
{
	*out = json_own(r->a, json_array());
	return attention_add_counts(r, *out, err) == -1 ||
		       attention_add_connections(r, *out, err) == -1 ||
		       attention_add_endings(r, *out, err) == -1 ||
		       attention_add_versions(r, *out, err) == -1 ||
		       attention_add_breakers(r, *out, err) == -1
		   ? -1
		   : 0;
}

/* ---- badges -------------------------------------------------------------------------------- */

static void badge_add(struct chrome_badge *out, size_t *n, size_t max, const char *section,
    int64_t count, const char *href, const char *what)
{
	if (count > 0 && *n < max)
		out[(*n)++] = (struct chrome_badge){section, count, href, what};
}

size_t attention_badges(struct req *r, struct chrome_badge *out, size_t max)
{
	struct err err = ERR_INIT;
	size_t n = 0;
	int64_t count = 0;

	for (size_t i = 0; i < NKINDS; i++) {
		const struct attention_kind *k = &attention_kinds[i];

		if (!actor_may(r, k->permission))
			continue;
		if (dashboard_count_now(
			r->app, r->a, &r->actor.account_id, k->metric, &count, &err) == -1)
			goto out;
		badge_add(out, &n, max, k->section, count, k->href, plural(count, k->one, k->many));
	}
	if (actor_may(r, PERMIT(CONNECTIONS_VIEW))) {
		if (dashboard_count_now(r->app, r->a, &r->actor.account_id,
			DASHBOARD_CONNECTIONS_BAD, &count, &err) == -1)
			goto out;
		badge_add(out, &n, max, "connections", count, "/admin/connections",
		    plural(count, "connection has an error", "connections have an error"));
	}
out:
	/* a page is shown without its badges rather than not at all */
	if (err.code != ERR_NONE)
		log_warn("nav.badges", LOG_ERR(&err));
	return n;
}
