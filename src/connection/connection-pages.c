/* Pages of the connections. */
#include "connection/connection-pages.h"

#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "account/audit.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "connection/connection-form.h"
#include "connection/connection-internal.h"
#include "connection/oauth.h"
#include "connection/subscription-internal.h"
#include "html/chrome.h"
#include "job/queue.h"

#define PAGE_ROWS 100
#define WAITING_LOOKED_AT 50 /* of the newest connections */

/* ---- for other features' pages --------------------------------------------------------------- */

const char *provider_label(const struct app *app, const char *type)
{
	const struct provider *p =
	    type == NULL ? NULL : provider_find(app->providers, str_from(type));

	return p != NULL ? provider_display_name(p) : type;
}

const char *lead_source_label(const struct app *app, const char *type)
{
	return str_is(str_from(type), PROVIDER_MANUAL) ? LEAD_BY_HAND : provider_label(app, type);
}

void provider_show_mark(struct arena *a, const struct provider *p, json_t *o)
{
	size_t n;

	json_set_str(o, "type", p->name);
	(void)utf8_point(str_from(p->display_name), &n);
	json_set_str(o, "initial", arena_strndup(a, p->display_name, n));
}

static int word_by_label(const void *x, const void *y)
{
	const struct word *a = x, *b = y;

	return strcmp(a->label, b->label);
}

void provider_label_rows(const struct app *app, json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_each(rows, i, row) {
		const char *type = json_str(row, "providerType");
		if (type != NULL)
			json_set_str(row, "providerName", provider_label(app, type));
	}
}

int connection_label_rows(struct req *r, json_t *rows, struct err *err)
{
	json_t *names, *row;
	size_t i;

	provider_label_rows(r->app, rows);
	if (json_array_size(rows) == 0)
		return 0;
	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		const char *id = json_str(row, "connectionId"),
			   *name = id == NULL ? NULL : json_str(json_object_get(names, id), "name");

		if (name == NULL)
			json_set_str(row, "providerName",
			    lead_source_label(r->app, json_str(row, "providerType")));
		json_set_str(
		    row, "connectionName", name != NULL ? name : json_str(row, "providerName"));
		connection_tell_kind(row);
	}
	return 0;
}

void connection_tell_kind(json_t *row)
{
	const char *name = json_str(row, "connectionName"), *kind = json_str(row, "providerName");

	json_set_str(row, "kindName",
	    name == NULL || kind == NULL || strcasecmp(name, kind) == 0 ? NULL : kind);
}

void connection_link_credentials(struct req *r, json_t *o, const char *connection_id)
{
	json_set_str(o, "credentials_href",
	    connection_id != NULL && json_bool(o, "asks_credentials") &&
		    (r->actor.permissions & PERMIT(CONNECTIONS_WRITE)) != 0
		? arena_printf(r->a, "/admin/connections/%s/edit", connection_id)
		: NULL);
}

void connection_add_figure(json_t *data, const struct connection_figure *f)
{
	json_t *figures = json_object_get(data, "figures"), *o = json_object();

	if (figures == NULL) {
		figures = json_array();
		json_set(data, "figures", figures);
	}
	json_set_str(o, "label", f->label);
	json_set_str(o, "note", f->note);
	json_set_int(o, "count", f->count);
	json_set_bool(o, "is_least", f->is_least);
	json_set_bool(o, "is_bad", f->is_bad && f->count > 0);
	json_set_str(o, "href", f->href);
	json_array_append_new(figures, o);
	json_set_bool(data, "has_figures", true);
}

int connection_choices(struct req *r, const char *name, json_t **out, struct err *err)
{
	return connection_choices_of(r, name, NULL, out, err);
}

int connection_choices_of(
    struct req *r, const char *name, const char *capability, json_t **out, struct err *err)
{
	struct word *words;
	json_t *names, *o;
	const char *id;
	size_t n = 0;

	if (connection_names(r->app, r->a, &r->actor.account_id, &names, err) == -1)
		return -1;
	words = arena_array(r->a, json_object_size(names) + 1, sizeof(*words));
	json_object_each(names, id, o) {
		const struct provider *p =
		    provider_find(r->app->providers, str_from(json_str(o, "providerType")));

		if (capability == NULL || (p != NULL && provider_can(p, capability)))
			words[n++] = (struct word){id, json_str(o, "name")};
	}
	if (n > 1)
		qsort(words, n, sizeof(*words), word_by_label);
	words[n] = (struct word){NULL, NULL};
	*out = json_own(r->a, chrome_choices(r, name, words));
	return 0;
}

bool connection_show_leadless(struct req *r, const struct connection *c, json_t *data)
{
	const char *setting =
	    c->provider == NULL ? NULL : provider_leads_lack(c->provider, r->a, &c->access);
	json_t *o;

	if (setting == NULL)
		return false;
	o = json_object();
	json_set_str(o, "source", c->name);
	json_set_str(o, "source_href",
	    (r->actor.permissions & PERMIT(CONNECTIONS_WRITE)) == 0
		? NULL
		: arena_printf(r->a, "/admin/connections/%s/edit#settings.%s",
		      uuid_dup(r->a, c->id), setting));
	json_set(data, "leadless", o);
	return true;
}

bool connection_brings_leads(struct arena *a, const struct connection *c)
{
	return c->provider != NULL && provider_can(c->provider, "lead_sync") &&
	       provider_leads_lack(c->provider, a, &c->access) == NULL;
}

int connection_show_waiting(struct req *r, const char *capability, json_t *data, struct err *err)
{
	struct connection_filter f = {.account_id = r->actor.account_id};
	struct slice s = {.limit = WAITING_LOOKED_AT};
	struct connection **v;
	size_t n;

	if (connection_list(r->app, r->a, &f, &s, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0, told = 0; i < n; i++) {
		if (strcmp(v[i]->status, CONNECTION_ACTIVE) != 0 || v[i]->provider == NULL ||
		    !provider_can(v[i]->provider, "webhook_receive") ||
		    (capability != NULL && !provider_can(v[i]->provider, capability)))
			continue;
		if (v[i]->received_us != 0 && connection_show_leadless(r, v[i], data))
			break;
		if (told++ > 0)
			continue;
		json_set_str(data, "source_name", v[i]->name);
		if ((r->actor.permissions & PERMIT(CONNECTIONS_VIEW)) != 0)
			json_set_str(data, "source_href",
			    arena_printf(r->a, "/admin/connections/%s", uuid_dup(r->a, v[i]->id)));
	}
	return 0;
}

json_t *provider_choices(struct req *r, const char *name, const char *capability)
{
	const bool is_of_leads = capability != NULL && strcmp(capability, "lead_sync") == 0;
	size_t count = providers_count(r->app->providers), n = 0;
	struct word *words = arena_array(r->a, count + 1, sizeof(*words));

	for (size_t i = 0; i < count; i++) {
		const struct provider *p = provider_at(r->app->providers, i);
		bool is_by_hand = is_of_leads && strcmp(provider_name(p), PROVIDER_MANUAL) == 0;

		if (capability == NULL || provider_can(p, capability) || is_by_hand)
			words[n++] = (struct word){
			    provider_name(p), is_by_hand ? LEAD_BY_HAND : provider_display_name(p)};
	}
	words[n] = (struct word){NULL, NULL};
	return chrome_choices(r, name, words);
}

/* ---- list ------------------------------------------------------------------------------------ */

static bool may_write_connections(const struct req *r)
{
	return (r->actor.permissions & PERMIT(CONNECTIONS_WRITE)) != 0;
}

/* It delivers, by itself or when it is asked. */
static bool provider_is_source(const struct provider *p)
{
	return provider_can(p, "webhook_receive") || provider_can(p, "poll");
}

/* Its provider's manifest may be gone: then it has the name of its type, and does nothing. */
static void card_tell_provider(struct arena *a, const struct connection *c, json_t *o)
{
	const struct provider *p = c->provider;

	json_set_str(o, "providerName", p == NULL ? c->provider_type : p->display_name);
	if (p == NULL) {
		json_set_str(o, "type", c->provider_type);
		json_set_str(o, "initial", arena_strndup(a, c->provider_type, 1));
	} else {
		provider_show_mark(a, p, o);
	}
	json_set_bool(o, "is_source", p != NULL && provider_is_source(p));
	json_set_bool(o, "is_destination", p != NULL && provider_can(p, "crm_push"));
}

static json_t *connection_card(struct req *r, const struct connection *c)
{
	json_t *o = connection_json(c);
	const char *error =
	    c->provider != NULL
		? c->last_error
		: "This version of Connect does not know its provider: nothing is called or taken";

	card_tell_provider(r->a, c, o);
	json_set_str(o, "lastError", error);
	if (json_bool(o, "is_destination"))
		connection_tell_push_error(r->a, o, "It", error);
	else
		connection_tell_error(r->a, o, "It", error);
	connection_link_credentials(r, o, json_str(o, "id"));
	json_set_time(o, "receivedAt", c->received_us);
	json_set_time(o, "handshakeAt", c->handshake_us);
	return o;
}

/* Those that fail or rest come first, in their order. */
static json_t *cards_in_trouble_first(struct arena *a, json_t *cards)
{
	json_t *sorted = json_own(a, json_array()), *card;
	size_t i;

	for (int is_well = 0; is_well <= 1; is_well++)
		json_array_each(cards, i, card)
			if (json_bool(card, "is_usual") == is_well)
				json_array_append(sorted, card);
	return sorted;
}

/* What other features know of them: counts of what came in. A list of cards. */
static int connections_tell(struct req *r, json_t *cards, struct err *err)
{
	tell_connections_fn *tell = r->app->hooks.tell_connections;

	if (tell == NULL || (r->actor.permissions & PERMIT(WEBHOOKS_VIEW)) == 0)
		return 0;
	return tell(r, cards, err);
}

/* What other features show on its page. */
int connection_tell(struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	tell_connection_fn *const *tell = r->app->hooks.tell_connection;

	for (; tell != NULL && *tell != NULL; tell++)
		if ((*tell)(r, c, data, err) == -1)
			return -1;
	return 0;
}

/* What needs attention first, then by name. */
static int connection_in_order(const void *x, const void *y)
{
	const struct connection *a = *(const struct connection *const *)x,
				*b = *(const struct connection *const *)y;
	bool a_is_bad =
	    strcmp(a->status, CONNECTION_ERROR) == 0 || strcmp(a->status, CONNECTION_EXPIRED) == 0;
	bool b_is_bad =
	    strcmp(b->status, CONNECTION_ERROR) == 0 || strcmp(b->status, CONNECTION_EXPIRED) == 0;

	return a_is_bad != b_is_bad ? (a_is_bad ? -1 : 1) : strcasecmp(a->name, b->name);
}

/* The groups of the catalogue in their order; what is of none of them stands below the last. */
static const struct catalogue_group {
	const char *category, *heading;
} catalogue_groups[] = {{"advertising", "Ads and lead forms"}, {"crm", "CRM"},
    {"messaging", "Messages, calls and meetings"}, {"commerce", "Shops and payments"},
    {"support", "Customer service"}, {"calendar", "Calendars"},
    {"custom", "Anything else over HTTP"}, {NULL, "More"}};

static const struct catalogue_group *catalogue_group_of(const struct provider *p)
{
	const struct catalogue_group *g = catalogue_groups;

	while (g->category != NULL && strcmp(g->category, p->category) != 0)
		g++;
	return g;
}

static const struct word catalogue_roles[] = {{"source", "sources"}, {"leads", "lead sources"},
    {"destination", "destinations"}, {NULL, NULL}};

/* Records made by hand need no connection. */
static bool catalogue_has(struct req *r, const struct provider *p)
{
	struct str q = utf8_trim(req_query(r, "q")), role = req_query(r, "role");
	const char *text = arena_printf(
	    r->a, "%s %s %s", p->display_name, p->category, p->help != NULL ? p->help : "");
	bool is_source = provider_is_source(p);
	bool is_destination = provider_can(p, "crm_push");

	if (!is_source && !is_destination && p->nactions == 0)
		return false;
	if ((str_is(role, "source") && !is_source) ||
	    (str_is(role, "leads") && !provider_can(p, "lead_sync")) ||
	    (str_is(role, "destination") && !is_destination))
		return false;
	return q.n == 0 || strcasestr(text, arena_strndup(r->a, q.p, q.n)) != NULL;
}

static json_t *catalogue_entry(struct req *r, const struct provider *p, const json_t *connected)
{
	json_t *o = json_object();

	provider_show_mark(r->a, p, o);
	json_set_str(o, "name", p->display_name);
	json_set_str(o, "help", p->help);
	json_set_int(o, "connected", json_int(connected, p->name));
	json_set_bool(o, "has_actions",
	    p->nactions > 0 && (r->actor.permissions & PERMIT(ACTIONS_VIEW)) != 0);
	json_set_bool(o, "is_source", provider_is_source(p));
	json_set_bool(o, "is_destination", provider_can(p, "crm_push"));
	json_set_bool(o, "can_connect", p->is_available && may_write_connections(r));
	json_set_bool(o, "is_unavailable", !p->is_available);
	return o;
}

/* What can be connected: [{heading,entries[]}], without empty groups. connected: how often each is,
 * {"stripe": 2}. */
static json_t *catalogue_json(struct req *r, const json_t *connected)
{
	json_t *list = json_array();

	for (size_t g = 0; g < sizeof(catalogue_groups) / sizeof(*catalogue_groups); g++) {
		json_t *entries = json_array();

		for (size_t i = 0; i < providers_count(r->app->providers); i++) {
			const struct provider *p = provider_at(r->app->providers, i);

			if (catalogue_group_of(p) == &catalogue_groups[g] && catalogue_has(r, p))
				json_array_append_new(entries, catalogue_entry(r, p, connected));
		}
		if (json_array_size(entries) == 0) {
			json_decref(entries);
			continue;
		}
		json_t *group = json_object();
		json_set_str(group, "heading", catalogue_groups[g].heading);
		json_set(group, "entries", entries);
		json_array_append_new(list, group);
	}
	return list;
}

int connection_page_list(struct req *r)
{
	struct connection_filter f = {0};
	struct connection **v;
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data, *connected;
	size_t n;

	if (!slice_read_page(r, &list_of_connections, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (connection_list(r->app, r->a, &f, &s, &v, &n, &err) == -1 ||
	    connection_counts(r, &connected, &err) == -1)
		return res_error(r, &err);
	if (n > 1)
		qsort(v, n, sizeof(struct connection *), connection_in_order);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, connection_card(r, v[i]));
	if (connections_tell(r, s.rows, &err) == -1 ||
	    connections_tell_states(r, s.rows, &err) == -1)
		return res_error(r, &err);
	s.rows = cards_in_trouble_first(r->a, s.rows);
	data = json_object();
	chrome_slice(r, &s, data);
	if (f.provider_type.n > 0)
		chrome_chip(r, "providerType", "Provider",
		    provider_label(
			r->app, arena_strndup(r->a, f.provider_type.p, f.provider_type.n)),
		    data);
	json_set_bool(data, "is_paged", s.total > (int64_t)n);
	json_set_int(data, "total", s.total);
	json_set(data, "catalogue", catalogue_json(r, connected));
	json_set_bool(data, "is_found", json_array_size(json_object_get(data, "catalogue")) > 0);
	json_set_strn(data, "q", utf8_trim(req_query(r, "q")));
	if (word_find(catalogue_roles, req_query(r, "role")) != NULL) {
		json_set_strn(data, "role", req_query(r, "role"));
		json_set_str(
		    data, "role_label", word_find(catalogue_roles, req_query(r, "role"))->label);
	}
	json_set_bool(data, "is_narrow",
	    json_object_get(data, "role") != NULL || utf8_trim(req_query(r, "q")).n > 0);
	json_set_bool(data, "may_write", may_write_connections(r));
	return chrome_page(r, 200, "connections", "Connections", "connection/list", data);
}

static int detail_fail(struct req *r, json_t *data, struct err *err)
{
	json_own(r->a, data);
	return res_error(r, err);
}

/* ---- connecting and editing ------------------------------------------------------------------ */

static const struct provider *asked_provider(struct req *r)
{
	const struct provider *p = provider_find(r->app->providers, req_param(r, "type"));

	if (p == NULL || !p->is_available) {
		(void)res_problem(r, 404, "There is no such provider");
		return NULL;
	}
	return p;
}

/* The form, empty, as posted, or with a connection's settings. */
static int connection_form_page(struct req *r, int status, const struct provider *p,
    const struct connection *c, const struct err *wrong)
{
	json_t *data = json_object();
	struct err err = ERR_INIT;
	const char *heading = c == NULL ? arena_printf(r->a, "Connect %s", p->display_name)
					: arena_printf(r->a, "Edit %s", c->name);
	const char *title =
	    c == NULL ? arena_printf(r->a, "New connection to %s", p->display_name) : heading;

	json_set_str(data, "provider_name", p->display_name);
	json_set_str(data, "help", p->help);
	json_set_str(data, "action",
	    c == NULL ? arena_printf(r->a, "/admin/connect/%s", p->name)
		      : arena_printf(r->a, "/admin/connections/%s/edit", uuid_dup(r->a, c->id)));
	json_set_str(data, "back",
	    c == NULL ? "/admin/connections"
		      : arena_printf(r->a, "/admin/connections/%s", uuid_dup(r->a, c->id)));
	if (c != NULL && connection_show_head(r, c, "settings", data, &err) == -1)
		return detail_fail(r, data, &err);
	json_set_bool(data, "is_edit", c != NULL);
	json_set_str(data, "shut", c == NULL ? NULL : connection_shut_words(c));
	json_set_str(data, "heading", heading);
	connection_form_fields(r, p, c, wrong, data);
	if (c != NULL)
		connection_form_auto_push(r, c, data);
	if (c == NULL && oauth_show(r, p, data, &err) == -1) {
		json_own(r->a, data);
		return res_error(r, &err);
	}
	if (c == NULL && guide_is_there(p)) {
		guide_form(r, p, data);
		return chrome_page(r, status, "connections", title, "connection/guide", data);
	}
	return chrome_page(r, status, "connections", title, "connection/form", data);
}

/* Where the form's reserved id leads that became a connection already, when it was sent twice or
 * one goes back to it: to that one, or when it is gone to a form with an id of its own, since what
 * is kept of the former stays with its id. NULL: it became none. */
static const char *reserved_became(struct req *r, const struct uuid *id)
{
	struct connection *c;
	struct err ignored = ERR_INIT;
	json_t *acts = NULL;

	if (connection_get(r->app, r->a, &r->actor.account_id, id, &c, &ignored) == 1)
		return arena_printf(r->a, "/admin/connections/%s", uuid_dup(r->a, *id));
	if (audit_of_object(r->app, r->a, &r->actor.account_id, id, 1, &acts, &ignored) == -1 ||
	    json_array_size(acts) == 0)
		return NULL;
	chrome_flash(r, "note", "What was connected there is disconnected: this is a new address.");
	return chrome_link(r, "reserved", (struct str){NULL, 0});
}

int connection_page_new(struct req *r)
{
	const struct provider *p = asked_provider(r);
	const char *elsewhere;
	struct uuid id;

	if (p == NULL)
		return 0;
	elsewhere = guide_reserved(r, p, &id) ? reserved_became(r, &id) : guide_address(r, p);
	return elsewhere != NULL ? res_redirect(r, elsewhere)
				 : connection_form_page(r, 200, p, NULL, NULL);
}

int connection_page_create(struct req *r)
{
	const struct provider *p = asked_provider(r);
	struct connection *c;
	struct uuid id;
	struct err err = ERR_INIT;
	const char *became;
	json_t *body;
	bool is_reserved;

	if (p == NULL)
		return 0;
	is_reserved = guide_reserved(r, p, &id);
	became = is_reserved ? reserved_became(r, &id) : NULL;
	if (became != NULL)
		return res_redirect(r, became);
	body = connection_form_body(r, p);
	if (connection_form_name(r, p, NULL, body, &err) == -1 ||
	    connection_add_as(r, p, is_reserved ? &id : NULL, body, &c, &err) == -1) {
		if (err.code == ERR_INVALID || err.code == ERR_REFUSED)
			return connection_form_page(r, 422, p, NULL, &err);
		return res_error(r, &err);
	}
	chrome_flash(r, "ok", "%s is %s.", c->name,
	    guide_waits(p) || connection_untestable(r->a, c) != NULL ? "connected" : "saved");
	return res_redirect(r, arena_printf(r->a, "/admin/connections/%s%s", uuid_dup(r->a, c->id),
				   guide_waits(p) ? "/waiting" : ""));
}

static int no_such_connection(struct req *r)
{
	return res_problem(r, 404, "There is no such connection");
}

/* The connection of the address; NULL after answering. */
struct connection *connection_asked(struct req *r)
{
	struct connection *c = NULL;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return NULL;
	found = connection_get_shown(r->app, r->a, &r->actor.account_id, &id, &c, &err);
	if (found > 0)
		return c;
	if (found == -1)
		(void)res_error(r, &err);
	else
		(void)no_such_connection(r);
	return NULL;
}

static int back_to_connection(struct req *r, const struct connection *c)
{
	return res_redirect(r, arena_printf(r->a, "/admin/connections/%s", uuid_dup(r->a, c->id)));
}

int connection_page_edit(struct req *r)
{
	struct connection *c = connection_asked(r);

	return c == NULL ? 0 : connection_form_page(r, 200, c->provider, c, NULL);
}

int connection_page_edit_post(struct req *r)
{
	struct connection *c = connection_asked(r), *changed;
	struct err err = ERR_INIT;
	json_t *body;
	int found;

	if (c == NULL)
		return 0;
	body = connection_form_changes(r, c);
	found = connection_form_name(r, c->provider, c, body, &err) == -1
		    ? -1
		    : connection_change(r, &c->id, body, &changed, &err);
	if (found == 0)
		return no_such_connection(r);
	if (found == -1) {
		if (err.code == ERR_INVALID || err.code == ERR_REFUSED)
			return connection_form_page(r, 422, c->provider, c, &err);
		return res_error(r, &err);
	}
	chrome_flash(r, "ok", "Saved.");
	return back_to_connection(r, c);
}

/* ---- detail ---------------------------------------------------------------------------------- */

static bool connection_is_active(const struct connection *c)
{
	return strcmp(c->status, CONNECTION_ACTIVE) == 0;
}

/* Who pushes leads may hold back a destination; of other connections, who has the queue. */
static void show_breaker_acts(const struct req *r, const struct connection *c, json_t *o)
{
	const struct lane_key key = {c->account_id, c->id, JOB_LIVE};
	const bool is_destination = c->provider != NULL && provider_can(c->provider, "crm_push");
	const uint64_t needed = is_destination ? PERMIT(CRM_WRITE) : PERMIT(SETTINGS_WRITE);

	json_set_bool(o, "may_act", (r->actor.permissions & needed) != 0);
	json_set_str(o, "act_href",
	    is_destination
		? arena_printf(r->a, "/admin/crm/%s", uuid_dup(r->a, c->id))
		: arena_printf(r->a, "/admin/queue/lanes/%s", queue_lane_id(r->a, &key)));
}

/* Whether what is sent there waits, and why. */
static void show_breaker(
    struct req *r, const struct connection *c, const struct breaker *b, json_t *data)
{
	json_t *o = json_object();
	bool is_open = b->opened_us != 0, is_paused = breaker_is_paused(b, JOB_LIVE);

	json_set(data, "breaker", o);
	json_set_str(o, "state", is_paused ? "paused" : breaker_state(b, clock_now_us()));
	json_set_str(o, "state_label", word_label(queue_states, json_str(o, "state")));
	json_set_bool(o, "is_told", is_open || is_paused);
	json_set_bool(o, "is_open", is_open);
	json_set_bool(o, "is_paused", is_paused);
	json_set_time(o, "since", b->opened_us);
	json_set_str(o, "lastError", b->last_error);
	connection_tell_error(r->a, o, "It", b->last_error);
	connection_link_credentials(r, o, uuid_dup(r->a, c->id));
	json_set_time(o, "nextProbeAt", b->probe_at_us);
	json_set_bool(o, "is_soon", b->probe_at_us < clock_now_us() + BREAKER_PROBE_FIRST_US);
	show_breaker_acts(r, c, o);
}

/* Its head, its card, and what holds its calls up, which all three tell. */
static int show_overview(
    struct req *r, const struct connection *c, json_t *cards, json_t *data, struct err *err)
{
	json_t *card = connection_card(r, c);
	struct breaker b;

	json_array_append_new(cards, card);
	if (queue_breaker(r->app->db, r->a, &c->account_id, &c->id, &b, err) == -1 ||
	    connections_tell(r, cards, err) == -1)
		return -1;
	connection_tell_state(card, c->status, breaker_held(&b), json_str(card, "lastError"));
	connection_show_head_held(r, c, "overview", &b, data);
	show_breaker(r, c, &b, data);
	return 0;
}

/* Secrets from before that are still good, by their labels. */
static json_t *former_list(const struct connection *c)
{
	json_t *list = secrets_json(&c->access), *f;
	size_t i;

	json_array_each(list, i, f)
		for (size_t k = 0; k < c->provider->ncredentials; k++)
			if (str_is(str_from(json_str(f, "credential")),
				c->provider->credentials[k].key))
				json_set_str(f, "label", c->provider->credentials[k].label);
	return list;
}

/* Where what came through it, or went to it, is listed. */
void connection_show_links(struct req *r, const struct connection *c, json_t *data)
{
	const struct config *cfg = r->app->config;
	const char *base = json_str(c->access.settings, "baseUrl");
	bool is_source = provider_can(c->provider, "webhook_receive");

	json_set_bool(
	    data, "sees_events", is_source && (r->actor.permissions & PERMIT(WEBHOOKS_VIEW)) != 0);
	json_set_bool(
	    data, "sees_records", is_source && (r->actor.permissions & PERMIT(RECORDS_VIEW)) != 0);
	json_set_bool(data, "sees_leads",
	    provider_can(c->provider, "lead_sync") &&
		(r->actor.permissions & PERMIT(LEADS_VIEW)) != 0);
	json_set_bool(data, "sees_deliveries",
	    provider_can(c->provider, "crm_push") &&
		(r->actor.permissions & PERMIT(CRM_VIEW)) != 0);
	json_set_bool(data, "sees_mapping",
	    provider_can(c->provider, "crm_push") &&
		(~r->actor.permissions & (PERMIT(MAPPING_VIEW) | PERMIT(LEADS_VIEW))) == 0);
	json_set_bool(data, "may_test_lead",
	    provider_can(c->provider, "crm_push") &&
		(r->actor.permissions & PERMIT(LEADS_WRITE)) != 0);
	/* The sandbox sends to what calls it. */
	json_set_str(data, "sandbox_url",
	    cfg->sandbox && is_source && cfg->sandbox_url != NULL && cfg->sandbox_url[0] != '\0' &&
		    base != NULL && strncmp(base, cfg->sandbox_url, strlen(cfg->sandbox_url)) == 0
		? cfg->sandbox_url
		: NULL);
}

/* In words: the form that it is of, or how many forms it stands for. */
static void show_subscription_forms(struct arena *a, json_t *row)
{
	const json_t *form = json_object_get(row, "form");
	int64_t total = json_int(row, "forms"), active = json_int(row, "formsActive");

	if (form != NULL)
		json_set_str(
		    row, "of_form", json_str(form, json_str(form, "name") != NULL ? "name" : "id"));
	if (json_object_get(row, "forms") == NULL)
		return;
	json_set_str(row, "of_forms",
	    total == 0        ? "There are no forms yet. New ones are looked for every hour."
	    : active == total ? arena_printf(a, "Every form: %lld", (long long)total)
			      : arena_printf(a, "%lld of %lld form%s", (long long)active,
				    (long long)total, plural_s(total)));
}

/* What the provider was asked to send. Of forms those that fail stand by themselves. */
int connection_show_subscriptions(
    struct req *r, const struct connection *c, json_t *data, struct err *err)
{
	json_t *list = json_own(r->a, json_array()), *shown = json_array(), *row;
	size_t i;

	json_set(data, "subscriptions", shown);
	if (c->provider->nsubscriptions > 0 && subscriptions_json(r->app, r->a, c, list, err) == -1)
		return -1;
	json_array_each(list, i, row) {
		bool is_failing = strcmp(json_str(row, "status"), "failing") == 0;

		if (json_object_get(row, "form") != NULL && !is_failing)
			continue;
		json_set_str(row, "chip", is_failing ? "failed" : json_str(row, "status"));
		connection_tell_error(r->a, row, "It", json_str(row, "error"));
		connection_link_credentials(r, row, uuid_dup(r->a, c->id));
		show_subscription_forms(r->a, row);
		json_array_append(shown, row);
	}
	json_set_bool(data, "has_subscriptions", json_array_size(shown) > 0);
	return 0;
}

static const char *trouble_words(struct arena *a, int64_t n, const char *what)
{
	return arena_printf(
	    a, "%lld of its %s %s failing", (long long)n, what, plural(n, "is", "are"));
}

/* Polls and subscriptions that fail are told where one looks first. */
static void show_trouble(struct req *r, json_t *data)
{
	int64_t polls = 0, subscriptions = 0;
	json_t *o;
	size_t i;

	json_array_each(json_object_get(data, "polls"), i, o)
		polls += json_str(o, "error") != NULL;
	json_array_each(json_object_get(data, "subscriptions"), i, o)
		subscriptions += str_is(str_from(json_str(o, "status")), "failing");
	json_set_str(data, "trouble",
	    polls + subscriptions == 0 ? NULL
	    : subscriptions == 0       ? trouble_words(r->a, polls, "polls")
	    : polls == 0               ? trouble_words(r->a, subscriptions, "subscriptions")
				       : "Polls and subscriptions of it are failing");
}

/* What came in today, as it was told of its card. */
static void show_events(struct req *r, const struct connection *c, json_t *card, json_t *data)
{
	static const char *const labels[] = {"Events", "Refused"},
				 *const counts[] = {"eventsToday", "refusedToday"},
				 *const queries[] = {"", "&status=rejected"};

	for (size_t i = 0;
	     json_str(card, "today") != NULL && provider_is_source(c->provider) && i < 2; i++)
		connection_add_figure(
		    data, &(struct connection_figure){.label = labels[i],
			      .note = "today",
			      .count = json_int(card, counts[i]),
			      .is_least = json_bool(card, "todayIsLeast"),
			      .is_bad = i == 1,
			      .href = arena_printf(r->a, "/admin/events?connectionId=%s%s",
				  uuid_dup(r->a, c->id), queries[i])});
	json_set(card, "today", json_null());
}

int connection_page_detail(struct req *r)
{
	struct connection *c = connection_asked(r);
	struct err err = ERR_INIT;
	json_t *data, *cards;

	if (c == NULL)
		return 0;
	data = json_object();
	cards = json_own(r->a, json_array());
	if (show_overview(r, c, cards, data, &err) == -1)
		return detail_fail(r, data, &err);
	show_events(r, c, json_array_get(cards, 0), data);
	if (connection_tell(r, c, data, &err) == -1 ||
	    connection_show_subscriptions(r, c, data, &err) == -1)
		return detail_fail(r, data, &err);
	show_trouble(r, data);
	json_set(data, "connection", json_incref(json_array_get(cards, 0)));
	connection_show_links(r, c, data);
	oauth_show_state(r, c, data);
	json_set_str(data, "help", c->provider->help);
	json_set(data, "setting_list", connection_form_values(r, c));
	json_set_bool(
	    data, "has_settings", json_array_size(json_object_get(data, "setting_list")) > 0);
	json_set_bool(data, "may_write", may_write_connections(r));
	json_set_str(data, "shut", connection_shut_words(c));
	json_set_bool(data, "is_app_shut", (c->shut & SHUT_APP) != 0);
	json_set_str(data, "untestable", c->shut != 0 ? NULL : connection_untestable(r->a, c));
	json_set_bool(data, "is_untried",
	    c->last_used_us == 0 && connection_is_active(c) &&
		connection_untestable(r->a, c) == NULL);
	json_set_bool(data, "waits_open", guide_waits(c->provider) && c->received_us == 0);
	if (guide_waits(c->provider) && c->received_us == 0 && c->provider->has_webhook)
		guide_show_steps(r->a, c, data);
	connection_show_leadless(r, c, data);
	json_set(data, "former", former_list(c));
	json_set_bool(data, "has_former", json_array_size(json_object_get(data, "former")) > 0);
	json_set_bool(data, "is_disabled", strcmp(c->status, CONNECTION_DISABLED) == 0);
	json_set_bool(
	    data, "verifies", c->provider->nsignatures > 0 || c->provider->nhandshakes > 0);
	return chrome_page(r, 200, "connections", c->name, "connection/detail", data);
}

/* What a new connection waits for, ticked off as it comes. */
int connection_page_waiting(struct req *r)
{
	struct connection *c = connection_asked(r);
	json_t *data, *waits = json_array();
	struct err err = ERR_INIT;
	size_t open;

	if (c == NULL) {
		json_decref(waits);
		return 0;
	}
	data = json_object();
	json_set(data, "waits", waits);
	if (connection_tell(r, c, data, &err) == -1 ||
	    connection_show_subscriptions(r, c, data, &err) == -1) {
		json_own(r->a, data);
		return res_error(r, &err);
	}
	open = guide_waits_json(r->a, c, data, waits);
	json_set(data, "connection", connection_card(r, c));
	connection_show_links(r, c, data);
	connection_show_leadless(r, c, data);
	json_set_bool(data, "is_done", open == 0);
	guide_show_steps(r->a, c, data);
	chrome_refresh(r, open > 0, c->created_us, data);
	return chrome_page(r, 200, "connections", arena_printf(r->a, "Connecting %s", c->name),
	    "connection/waiting", data);
}

/* What the test came to, in words for the next page. */
static void tell_test(struct req *r, const struct connection *c, const json_t *result, bool proves)
{
	const bool is_ok = json_bool(result, "ok"),
		   is_destination = provider_can(c->provider, "crm_push"),
		   stands = c->push_failed && c->last_error != NULL && connection_is_active(c);
	const char *detail = json_str(result, "detail");

	chrome_flash(r,
	    !is_ok   ? "error"
	    : proves ? "ok"
		     : "warning",
	    "%s%s%s, in %lld ms.%s",
	    !is_ok   ? "The test failed"
	    : proves ? "The connection works"
		     : "It answers, but this proves nothing yet",
	    detail != NULL && detail[0] != '\0' ? ": " : "", detail != NULL ? detail : "",
	    (long long)json_int(result, "latencyMs"),
	    is_ok && stands ? " But a test sends no lead, and the last lead that was sent there "
			      "was not taken: what it said of that stands below."
	    : is_ok && !proves && is_destination ? " Send a test lead to see whether it is taken."
						 : "");
}

int connection_page_test(struct req *r)
{
	struct connection *c = connection_asked(r);
	bool proves;
	json_t *result;

	if (c == NULL)
		return 0;
	result = json_own(r->a, connection_test(r->app, r->a, c, &proves));
	tell_test(r, c, result, proves);
	return str_is(req_form(r, "back"), "destinations") ? res_redirect(r, "/admin/crm")
							   : back_to_connection(r, c);
}

int connection_page_status(struct req *r)
{
	struct connection *c = connection_asked(r), *changed;
	bool enable = str_is(req_form(r, "status"), CONNECTION_ACTIVE);
	struct err err = ERR_INIT;
	json_t *body;
	int found;

	if (c == NULL)
		return 0;
	body = json_own(r->a, json_object());
	json_set_str(body, "status", enable ? CONNECTION_ACTIVE : CONNECTION_DISABLED);
	found = connection_change(r, &c->id, body, &changed, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return no_such_connection(r);
	chrome_flash(r, "ok",
	    enable ? "%s is enabled."
		   : "%s is disabled: its webhooks are refused "
		     "and nothing is sent to it.",
	    c->name);
	return back_to_connection(r, c);
}

int connection_page_end_former(struct req *r)
{
	struct connection *c = connection_asked(r), *changed;
	struct err err = ERR_INIT;
	json_t *body;
	int found;

	if (c == NULL)
		return 0;
	body = json_own(r->a, json_object());
	json_set_int(body, "secretGraceHours", 0);
	found = connection_change(r, &c->id, body, &changed, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return no_such_connection(r);
	chrome_flash(r, "ok", "The former secret is good no more.");
	return back_to_connection(r, c);
}

int connection_page_disconnect(struct req *r)
{
	struct connection *c = connection_asked(r);
	json_t *data;

	if (c == NULL)
		return 0;
	data = json_object();
	json_set(data, "connection", connection_card(r, c));
	json_set_bool(data, "is_active", connection_is_active(c));
	return chrome_page(r, 200, "connections", arena_printf(r->a, "Disconnect %s?", c->name),
	    "connection/disconnect", data);
}

int connection_page_disconnect_post(struct req *r)
{
	struct connection *c = connection_asked(r);
	struct err err = ERR_INIT;
	int found;

	if (c == NULL)
		return 0;
	found = connection_remove(r, NULL, &c->id, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return no_such_connection(r);
	chrome_flash(r, "ok", "%s is disconnected and its credentials are erased.", c->name);
	return res_redirect(r, "/admin/connections");
}
