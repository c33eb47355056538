/* The parts of a connection's page: its head with the tabs that lead to them, what happened to it
 * last, and what it asks for by itself. Data of "connection/activity": kinds (as choices), rows:
 * [{kind, mark, text, note, detail, href, at}]; of "connection/parts": what features tell. */
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "account/audit.h"
#include "connection/connection-internal.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "job/queue.h"

static const struct word part_kinds[] = {
    {"received", "Incoming"}, {"sent", "Deliveries"}, {"changed", "Changes"}, {NULL, NULL}};

/* ---- the head -------------------------------------------------------------------------------- */

static bool actor_holds(const struct req *r, uint64_t permissions)
{
	return (~r->actor.permissions & permissions) == 0;
}

static void tab_add(struct req *r, const struct connection *c, json_t *tabs, const char *current,
    const struct word *tab)
{
	const char *path = strcmp(tab->text, "overview") == 0   ? ""
			   : strcmp(tab->text, "settings") == 0 ? "edit"
								: tab->text;
	json_t *o = json_object();

	json_set_str(o, "label", tab->label);
	json_set_str(o, "href",
	    arena_printf(r->a, "/admin/connections/%s%s%s", uuid_dup(r->a, c->id),
		*path == '\0' ? "" : "/", path));
	json_set_bool(o, "is_current", strcmp(tab->text, current) == 0);
	json_array_append_new(tabs, o);
}

static bool asks_by_itself(const struct provider *p)
{
	return p->npolls > 0 || p->nsubscriptions > 0;
}

void connection_show_head_held(struct req *r, const struct connection *c, const char *current,
    const struct breaker *b, json_t *data)
{
	static const struct word tabs[] = {{"overview", "Overview"}, {"activity", "Activity"},
	    {"mapping", "Field mapping"}, {"subscriptions", "Subscriptions"},
	    {"settings", "Settings"}, {NULL, NULL}};
	const bool are_there[] = {true, true,
	    provider_can(c->provider, "crm_push") &&
		actor_holds(r, PERMIT(MAPPING_VIEW) | PERMIT(LEADS_VIEW)),
	    asks_by_itself(c->provider), actor_holds(r, PERMIT(CONNECTIONS_WRITE))};
	json_t *list = json_array();

	for (size_t i = 0; tabs[i].text != NULL; i++)
		if (are_there[i])
			tab_add(r, c, list, current, &tabs[i]);
	json_set(data, "tabs", list);
	json_set_str(data, "of_name", c->name);
	json_set_str(data, "of_provider", provider_display_name(c->provider));
	json_set_bool(data, "on_overview", strcmp(current, "overview") == 0);
	connection_tell_state(data, c->status, breaker_held(b), c->last_error);
}

int connection_show_head(
    struct req *r, const struct connection *c, const char *current, json_t *data, struct err *err)
{
	struct breaker b;

	if (queue_breaker(r->app->db, r->a, &c->account_id, &c->id, &b, err) == -1)
		return -1;
	connection_show_head_held(r, c, current, &b, data);
	return 0;
}

/* ---- activity -------------------------------------------------------------------------------- */

void connection_add_happening(json_t *data, const struct connection_happening *h)
{
	json_t *o = json_object();

	json_set_str(o, "at", h->at);
	json_set_str(o, "kind", h->kind);
	json_set_str(o, "mark", h->mark);
	json_set_str(o, "text", h->text);
	json_set_str(o, "note", h->note);
	json_set_str(o, "detail", h->detail);
	json_set_str(o, "again", h->again);
	json_set_str(o, "href", h->href);
	json_array_append_new(json_object_get(data, "happenings"), o);
}

/* What people did to it, for who may read the audit log. */
static int activity_add_changes(
    struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	json_t *rows, *row;
	size_t i;

	if (!actor_holds(r, PERMIT(AUDIT_VIEW)))
		return 0;
	if (audit_of_object(
		r->app, r->a, &c->account_id, &c->id, CONNECTION_HAPPENINGS_READ, &rows, err) == -1)
		return -1;
	json_array_each(rows, i, row)
		connection_add_happening(data,
		    &(struct connection_happening){.at = json_str(row, "at"),
			.kind = "changed",
			.mark = "change",
			.text = json_str(row, "what"),
			.note = json_str(row, "actorName"),
			.href =
			    arena_printf(r->a, "/admin/settings/audit/%s", json_str(row, "id"))});
	return 0;
}

static int happening_newest_first(const void *x, const void *y)
{
	const json_t *a = *(const json_t *const *)x, *b = *(const json_t *const *)y;
	int64_t at = json_time(a, "at"), other = json_time(b, "at");

	return (at < other) - (at > other);
}

/* The newest of a kind, or of all; and whether there are more. */
static json_t *activity_rows(struct arena *a, const json_t *all, struct str kind, bool *has_more)
{
	size_t n = json_array_size(all), found = 0;
	json_t **v = arena_array(a, n + 1, sizeof(*v)), *rows = json_array(), *o;
	size_t i;

	json_array_each(all, i, o)
		if (kind.n == 0 || str_is(kind, json_str(o, "kind")))
			v[found++] = o;
	*has_more = found > CONNECTION_HAPPENINGS_MOST;
	qsort(v, found, sizeof(*v), happening_newest_first);
	for (i = 0; i < found && i < CONNECTION_HAPPENINGS_MOST; i++)
		json_array_append(rows, v[i]);
	return rows;
}

static void activity_show_kinds(struct req *r, const json_t *all, json_t *data)
{
	struct word words[sizeof(part_kinds) / sizeof(*part_kinds)];
	size_t n = 0, i;
	json_t *o;

	for (const struct word *w = part_kinds; w->text != NULL; w++)
		json_array_each(all, i, o)
			if (str_is(str_from(w->text), json_str(o, "kind"))) {
				words[n++] = *w;
				break;
			}
	words[n] = (struct word){NULL, NULL};
	json_set(data, "kinds", n > 1 ? chrome_choices(r, "kind", words) : json_array());
	json_set_bool(data, "has_kinds", n > 1);
}

int connection_page_activity(struct req *r)
{
	struct connection *c = connection_asked(r);
	tell_connection_fn *const *tell = r->app->hooks.connection_activity;
	struct err err = ERR_INIT;
	json_t *data, *all;
	bool has_more;

	if (c == NULL)
		return 0;
	data = json_own(r->a, json_object());
	all = json_own(r->a, json_array());
	json_set(data, "happenings", json_incref(all));
	if (activity_add_changes(r, c, data, &err) == -1)
		return res_error(r, &err);
	for (; tell != NULL && *tell != NULL; tell++)
		if ((*tell)(r, c, data, &err) == -1)
			return res_error(r, &err);
	if (connection_show_head(r, c, "activity", data, &err) == -1)
		return res_error(r, &err);
	activity_show_kinds(r, all, data);
	json_set(data, "rows", activity_rows(r->a, all, req_query(r, "kind"), &has_more));
	json_set_bool(data, "has_more", has_more);
	json_set_bool(data, "has_rows", json_array_size(json_object_get(data, "rows")) > 0);
	json_set_int(data, "most", CONNECTION_HAPPENINGS_MOST);
	connection_show_links(r, c, data);
	json_set_str(data, "id", uuid_dup(r->a, c->id));
	json_set_bool(data, "sees_audit", actor_holds(r, PERMIT(AUDIT_VIEW)));
	return chrome_page(r, 200, "connections", arena_printf(r->a, "Activity of %s", c->name),
	    "connection/activity", json_incref(data));
}

/* ---- what it asks for ------------------------------------------------------------------------ */

int connection_page_subscriptions(struct req *r)
{
	struct connection *c = connection_asked(r);
	struct err err = ERR_INIT;
	json_t *data, *of = json_object();

	if (c == NULL || !asks_by_itself(c->provider)) {
		json_decref(of);
		return c == NULL
			   ? 0
			   : res_problem(r, 404, "This connection asks for nothing by itself");
	}
	data = json_own(r->a, json_object());
	json_set(data, "connection", of);
	json_set_str(of, "id", uuid_dup(r->a, c->id));
	json_set_str(of, "providerName", provider_display_name(c->provider));
	if (connection_tell(r, c, data, &err) == -1 ||
	    connection_show_subscriptions(r, c, data, &err) == -1 ||
	    connection_show_head(r, c, "subscriptions", data, &err) == -1)
		return res_error(r, &err);
	json_set_bool(data, "may_write", actor_holds(r, PERMIT(CONNECTIONS_WRITE)));
	return chrome_page(r, 200, "connections",
	    arena_printf(r->a, "Subscriptions of %s", c->name), "connection/parts",
	    json_incref(data));
}
