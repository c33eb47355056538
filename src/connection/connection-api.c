/* /connect/v1/connections, and what /connect/v1/providers does with them: JSON handlers. */
#include "base/limits.h"
#include "connection/connection-internal.h"

static int not_found(struct req *r)
{
	return res_problem(r, 404, "There is no such connection");
}

/* ---- list and get ------------------------------------------------------------------------- */

int connection_api_list(struct req *r)
{
	static const char *const filters[] = {"providerType", NULL};
	struct connection_page page = {.provider_type = req_query_text(r, "providerType")};
	struct list_query q;
	struct err err = ERR_INIT;
	json_t *rows = json_own(r->a, json_array());

	if (!req_list_query(r, "connections", filters, &q))
		return res_invalid(r);
	page.limit = q.page.limit;
	page.offset = q.offset;
	page.before_id = q.after.id;
	if (connection_list(r->app, r->a, &r->actor.account_id, &page, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < page.n; i++)
		json_array_append_new(rows, connection_json(r->app, page.v[i]));
	struct list_end end = {.has_more = page.has_more, .total = page.total};
	if (page.n > 0)
		end.last.id = page.v[page.n - 1]->id;
	return res_list(r, &q, rows, &end);
}

/* The connection of the route's :id; 1, or 0 with the answer given. */
static int find(struct req *r, struct connection **out)
{
	struct err err = ERR_INIT;
	struct uuid id;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	int found = connection_get(r->app, r->a, &r->actor.account_id, &id, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		not_found(r);
	return found == 1;
}

int connection_api_get(struct req *r)
{
	struct connection *c;

	return find(r, &c) ? res_json(r, 200, connection_json(r->app, c)) : 0;
}

int connection_api_test(struct req *r)
{
	struct connection *c;

	return find(r, &c) ? res_json(r, 200, connection_test(r->app, r->a, c)) : 0;
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
	return found == 0 ? not_found(r) : res_json(r, 200, connection_json(r->app, c));
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
	return found == 0 ? not_found(r) : res_empty(r, 204);
}

/* ---- of a provider: status ---------------------------------------------------------------- */

/* How good one status is; the best of a provider's connections is the provider's. */
static int status_rank(const char *status)
{
	static const char *const worst_first[] = {"disabled", "error", "expired", "active"};

	for (int i = 0; i < 4; i++)
		if (strcmp(worst_first[i], status) == 0)
			return i;
	return -1;
}

int connection_api_status(struct req *r)
{
	const struct provider *p = provider_of_route(r);
	struct connection_page page = {.limit = LIMIT_PAGE_ROWS};
	struct err err = ERR_INIT;
	const char *best = "disconnected";

	if (p == NULL)
		return 0;
	page.provider_type = str_from(p->name);
	if (connection_list(r->app, r->a, &r->actor.account_id, &page, &err) == -1)
		return res_error(r, &err);
	json_t *o = json_object(), *list = json_array();
	for (size_t i = 0; i < page.n; i++) {
		json_t *c = json_object();

		json_set_str(c, "id", uuid_dup(r->a, page.v[i]->id));
		json_set_str(c, "name", page.v[i]->name);
		json_set_str(c, "status", page.v[i]->status);
		json_array_append_new(list, c);
		if (status_rank(page.v[i]->status) > status_rank(best))
			best = page.v[i]->status;
	}
	json_set_bool(o, "connected", strcmp(best, "active") == 0);
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
	return res_json(r, 201, connection_json(r->app, c));
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
	return found == 0 ? not_found(r) : res_empty(r, 204);
}
