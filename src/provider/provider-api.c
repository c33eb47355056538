/* /connect/v1/providers: the catalogue, connecting and disconnecting. */
#include "account/account.h"
#include "base/limits.h"
#include "base/shared.h"
#include "provider/connection-private.h"

/* The provider of the route's :type, or NULL with 404 answered. */
static const struct provider *find(struct req *r)
{
	const struct provider *p = provider_find(r->app->providers, req_param(r, "type"));

	if (p == NULL)
		res_problem(r, 404, "There is no such provider");
	return p;
}

int provider_api_list(struct req *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < providers_count(r->app->providers); i++)
		json_array_append_new(list, provider_json(provider_at(r->app->providers, i)));
	return res_json(r, 200, list);
}

/* ---- one provider ------------------------------------------------------------------------- */

static json_t *credentials_json(const struct provider *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->ncredentials; i++) {
		json_t *o = json_object();

		json_set_str(o, "key", p->credentials[i].key);
		json_set_str(o, "label", p->credentials[i].label);
		json_set_str(o, "help", p->credentials[i].help);
		json_set_bool(o, "needed", p->credentials[i].is_needed);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *settings_json(const struct setting_spec *specs, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object(), *choices = json_array();

		json_set_str(o, "key", specs[i].key);
		json_set_str(o, "label", specs[i].label);
		json_set_str(o, "help", specs[i].help);
		json_set_str(o, "type", setting_type_name(specs[i].type));
		json_set_bool(o, "needed", specs[i].is_needed);
		for (size_t k = 0; k < specs[i].nchoices; k++)
			json_array_append_new(choices, json_string(specs[i].choices[k]));
		json_set(o, "choices", choices);
		if (specs[i].type == SETTING_OBJECT)
			json_set(o, "members", settings_json(specs[i].members, specs[i].nmembers));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *actions_json(const struct provider *p)
{
	static const char *const types[] = {[INPUT_TEXT] = "text",
	    [INPUT_INTEGER] = "integer",
	    [INPUT_BOOLEAN] = "boolean",
	    [INPUT_JSON] = "json"};
	json_t *list = json_array();

	for (size_t i = 0; i < p->nactions; i++) {
		const struct action *act = &p->actions[i];
		json_t *o = json_object(), *inputs = json_array();

		json_set_str(o, "name", act->name);
		json_set_str(o, "label", act->label);
		json_set_str(o, "help", act->help);
		for (size_t k = 0; k < act->ninputs; k++) {
			json_t *in = json_object();

			json_set_str(in, "name", act->inputs[k].name);
			json_set_str(in, "label", act->inputs[k].label);
			json_set_str(in, "type", types[act->inputs[k].type]);
			json_set_bool(in, "needed", act->inputs[k].is_needed);
			json_array_append_new(inputs, in);
		}
		json_set(o, "inputs", inputs);
		json_array_append_new(list, o);
	}
	return list;
}

int provider_api_get(struct req *r)
{
	const struct provider *p = find(r);

	if (p == NULL)
		return 0;
	json_t *o = provider_json(p);
	json_set_str(o, "help", p->help);
	json_set(o, "credentials", credentials_json(p));
	json_set(o, "settings", settings_json(p->settings, p->nsettings));
	json_set(o, "actions", actions_json(p));
	return res_json(r, 200, o);
}

/* ---- status ------------------------------------------------------------------------------- */

/* How good one status is; the best of a provider's connections is the provider's. */
static int rank(const char *status)
{
	static const char *const worst_first[] = {"disabled", "error", "expired", "active"};

	for (int i = 0; i < 4; i++)
		if (strcmp(worst_first[i], status) == 0)
			return i;
	return -1;
}

int provider_api_status(struct req *r)
{
	const struct provider *p = find(r);
	struct connection_page page = {.limit = LIMIT_PAGE_ROWS};
	struct err err = ERR_INIT;
	const char *best = "disconnected";

	if (p == NULL)
		return 0;
	page.provider_type = str_from(p->name);
	if (connection_list(r->app, r->a, &r->actor.account_id, &page, &err) < 0)
		return res_error(r, &err);
	json_t *o = json_object(), *list = json_array();
	for (size_t i = 0; i < page.n; i++) {
		json_t *c = json_object();

		json_set_str(c, "id", uuid_dup(r->a, page.v[i]->id));
		json_set_str(c, "name", page.v[i]->name);
		json_set_str(c, "status", page.v[i]->status);
		json_array_append_new(list, c);
		if (rank(page.v[i]->status) > rank(best))
			best = page.v[i]->status;
	}
	json_set_bool(o, "connected", strcmp(best, "active") == 0);
	json_set_str(o, "status", best);
	json_set(o, "connections", list);
	return res_json(r, 200, o);
}

/* ---- connect and disconnect --------------------------------------------------------------- */

struct work {
	struct req *r;
	const struct provider *p;
	struct connection *c;
	struct uuid id;
	bool is_one;
	size_t removed;
};

static int connect(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	struct req *r = w->r;
	json_t *details = json_own(r->a, json_object());

	(void)db;
	if (connection_create(r->app, r->a, &r->actor.account_id, w->p, r->json, &w->c, err) < 0)
		return -1;
	json_set_str(details, "providerType", w->p->name);
	json_set_str(details, "name", w->c->name);
	json_set(details, "settings", json_deep_copy(w->c->settings));
	return audit_write(r->app, r, &r->actor.account_id, "connection.create", "connection",
	    &w->c->id, details, err);
}

static void drop_caches(struct req *r)
{
	if (r->app->shared != NULL)
		shared_generation_bump(r->app->shared);
}

int provider_api_connect(struct req *r)
{
	struct work w = {.r = r, .p = find(r)};
	struct err err = ERR_INIT;

	if (w.p == NULL)
		return 0;
	if (db_transaction(r->app->db, connect, &w, &err) < 0)
		return res_error(r, &err);
	drop_caches(r);
	res_headerf(r, "Location", "/connect/v1/connections/%s", uuid_dup(r->a, w.c->id));
	return res_json(r, 201, connection_json(r->app, w.c));
}

static int disconnect_one(struct work *w, const struct uuid *id, struct err *err)
{
	struct req *r = w->r;
	int found = connection_delete(r->app, &r->actor.account_id, id, err);

	if (found != 1)
		return found;
	w->removed++;
	return audit_write(
	    r->app, r, &r->actor.account_id, "connection.delete", "connection", id, NULL, err);
}

static int disconnect(struct db *db, void *arg, struct err *err)
{
	struct work *w = arg;
	struct req *r = w->r;
	struct connection_page page = {
	    .limit = LIMIT_DB_ROWS - 1, .provider_type = str_from(w->p->name)};

	(void)db;
	w->removed = 0;
	if (connection_list(r->app, r->a, &r->actor.account_id, &page, err) < 0)
		return -1;
	for (size_t i = 0; i < page.n; i++)
		if ((!w->is_one || uuid_eq(page.v[i]->id, w->id)) &&
		    disconnect_one(w, &page.v[i]->id, err) < 0)
			return -1;
	return 0;
}

int provider_api_disconnect(struct req *r)
{
	struct work w = {.r = r, .p = find(r)};
	struct err err = ERR_INIT;
	struct str id = req_query(r, "connectionId");

	if (w.p == NULL)
		return 0;
	w.is_one = id.p != NULL;
	if (w.is_one && !uuid_parse(id, &w.id))
		return res_problem(r, 404, "There is no such connection");
	if (db_transaction(r->app->db, disconnect, &w, &err) < 0)
		return res_error(r, &err);
	if (w.is_one && w.removed == 0)
		return res_problem(r, 404, "There is no such connection");
	drop_caches(r);
	return res_empty(r, 204);
}
