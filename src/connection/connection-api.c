/* /connect/v1/connections, and what /connect/v1/providers does with them: JSON handlers. */
#include "base/limits.h"
#include "connection/connection-internal.h"

static int connection_missing(struct req *r)
{
	return res_problem(r, 404, "There is no such connection");
}

/* ---- list and get ------------------------------------------------------------------------- */

int connection_api_list(struct req *r)
{
	struct connection_filter f = {0};
	struct connection **v;
	struct slice s;
	struct err err = ERR_INIT;
	size_t n;

	if (!slice_read(r, &list_of_connections, &f, &s))
		return res_invalid(r);
	if (connection_list(r->app, r->a, &f, &s, &v, &n, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, connection_json(v[i]));
	return res_slice(r, &s);
}

typedef int connection_getter(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err);

/* The connection of the route's :id; 1, or 0 with the answer given. */
static int connection_of_route(struct req *r, connection_getter *get, struct connection **out)
{
	struct err err = ERR_INIT;
	struct uuid id;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	int found = get(r->app, r->a, &r->actor.account_id, &id, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		connection_missing(r);
	return found == 1;
}

int connection_api_get(struct req *r)
{
	struct connection *c;

	return connection_of_route(r, connection_get_told, &c)
		   ? res_json(r, 200, connection_json(c))
		   : 0;
}

int connection_api_test(struct req *r)
{
	struct connection *c;
	bool proves;

	return connection_of_route(r, connection_get_shown, &c)
		   ? res_json(r, 200, connection_test(r->app, r->a, c, &proves))
		   : 0;
}

/* ---- change and delete -------------------------------------------------------------------- */

int connection_api_update(struct req *r)
{
	struct connection *c;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = connection_change(r, &id, r->json, &c, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? connection_missing(r) : res_json(r, 200, connection_json(c));
}

int connection_api_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = connection_remove(r, NULL, &id, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? connection_missing(r) : res_empty(r, 204);
}

/* ---- of a provider: status ---------------------------------------------------------------- */

/* The best of a provider's connections is the provider's. */
static const char *status_best(struct connection *const *v, size_t n)
{
	for (const struct word *w = connection_statuses; w->text != NULL; w++)
		for (size_t i = 0; i < n; i++)
			if (strcmp(v[i]->status, w->text) == 0)
				return w->text;
	return "disconnected";
}

int connection_api_status(struct req *r)
{
	const struct provider *p = provider_of_route(r);
	struct connection_filter f = {.account_id = r->actor.account_id};
	struct slice s = {.limit = LIMIT_PAGE_ROWS};
	struct connection **v;
	struct err err = ERR_INIT;
	const char *best;
	size_t n;

	if (p == NULL)
		return 0;
	f.provider_type = str_from(p->name);
	if (connection_list(r->app, r->a, &f, &s, &v, &n, &err) == -1)
		return res_error(r, &err);
	json_t *o = json_object(), *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *c = json_object();

		json_set_str(c, "id", uuid_dup(r->a, v[i]->id));
		json_set_str(c, "name", v[i]->name);
		json_set_str(c, "status", v[i]->status);
		json_array_append_new(list, c);
	}
	best = status_best(v, n);
	json_set_bool(o, "connected", strcmp(best, CONNECTION_ACTIVE) == 0);
	json_set_str(o, "status", best);
	json_set(o, "connections", list);
	return res_json(r, 200, o);
}

/* ---- connect and disconnect --------------------------------------------------------------- */

int connection_api_connect(struct req *r)
{
	const struct provider *p = provider_of_route(r);
	struct connection *c;
	struct err err = ERR_INIT;

	if (p == NULL)
		return 0;
	if (connection_add(r, p, r->json, &c, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/connections/%s", uuid_dup(r->a, c->id));
	return res_json(r, 201, connection_json(c));
}

int connection_api_disconnect(struct req *r)
{
	const struct provider *p = provider_of_route(r);
	struct err err = ERR_INIT;
	struct str text = req_query(r, "connectionId");
	struct uuid id;
	int found;

	if (p == NULL)
		return 0;
	if (text.p == NULL)
		found = connection_remove_all(r, p, &err) == -1 ? -1 : 1;
	else
		found = uuid_parse(text, &id) ? connection_remove(r, p, &id, &err) : 0;
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? connection_missing(r) : res_empty(r, 204);
}
