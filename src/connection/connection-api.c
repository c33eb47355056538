/* /connect/v1/connections, and what /connect/v1/providers does with them: JSON handlers. */
#include "account/account.h"
#include "base/limits.h"
#include "base/shared.h"
#include "connection/connection-internal.h"

static int not_found(struct req *r)
{
	return res_problem(r, 404, "There is no such connection");
}

/* After a commit: workers that loaded in between look again. */
static void drop_caches(struct req *r)
{
	if (r->app->shared != NULL)
		shared_generation_bump(r->app->shared);
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

struct change {
	struct req *r;
	struct uuid id;
	struct connection *c;
	int found;
};

/* Names of what was changed; credentials by name only. */
static json_t *change_details(struct req *r, const struct connection *c)
{
	json_t *o = json_own(r->a, json_object()), *names = json_array(), *v;
	const char *key;

	json_set_str(o, "providerType", c->provider_type);
	json_set_str(o, "name", c->name);
	json_set_str(o, "status", c->status);
	json_set(o, "settings", json_deep_copy(c->access.settings));
	json_object_each(json_object_get(r->json, "credentials"), key, v)
		json_array_append_new(names, json_string(key));
	json_set(o, "credentialsSet", names);
	return o;
}

static int update(struct db *db, void *arg, struct err *err)
{
	struct change *ch = arg;
	struct req *r = ch->r;

	(void)db;
	ch->found =
	    connection_update(r->app, r->a, &r->actor.account_id, &ch->id, r->json, &ch->c, err);
	if (ch->found != 1)
		return ch->found;
	return audit_write(r->app, r, &r->actor.account_id, "connection.update", "connection",
	    &ch->id, change_details(r, ch->c), err);
}

int connection_api_update(struct req *r)
{
	struct change ch = {.r = r};
	struct err err = ERR_INIT;

	if (!req_param_uuid(r, "id", &ch.id))
		return 0;
	if (db_transaction(r->app->db, update, &ch, &err) == -1)
		return res_error(r, &err);
	if (ch.found == 0)
		return not_found(r);
	drop_caches(r);
	return res_json(r, 200, connection_json(r->app, ch.c));
}

static int remove_one(struct db *db, void *arg, struct err *err)
{
	struct change *ch = arg;
	struct req *r = ch->r;

	(void)db;
	ch->found = connection_delete(r->app, &r->actor.account_id, &ch->id, err);
	if (ch->found != 1)
		return ch->found;
	return audit_write(
	    r->app, r, &r->actor.account_id, "connection.delete", "connection", &ch->id, NULL, err);
}

int connection_api_delete(struct req *r)
{
	struct change ch = {.r = r};
	struct err err = ERR_INIT;

	if (!req_param_uuid(r, "id", &ch.id))
		return 0;
	if (db_transaction(r->app->db, remove_one, &ch, &err) == -1)
		return res_error(r, &err);
	if (ch.found == 0)
		return not_found(r);
	drop_caches(r);
	return res_empty(r, 204);
}

/* ---- of a provider: status
 * ------------------------------------------------------------------------------- */

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

struct connecting {
	struct req *r;
	const struct provider *p;
	struct connection *c;
	struct uuid id;
	bool is_one;
	size_t removed;
};

static int connect_body(struct db *db, void *arg, struct err *err)
{
	struct connecting *w = arg;
	struct req *r = w->r;
	json_t *details = json_own(r->a, json_object());

	(void)db;
	if (connection_create(r->app, r->a, &r->actor.account_id, w->p, r->json, &w->c, err) == -1)
		return -1;
	json_set_str(details, "providerType", w->p->name);
	json_set_str(details, "name", w->c->name);
	json_set(details, "settings", json_deep_copy(w->c->access.settings));
	return audit_write(r->app, r, &r->actor.account_id, "connection.create", "connection",
	    &w->c->id, details, err);
}

int connection_api_connect(struct req *r)
{
	struct connecting w = {.r = r, .p = provider_of_route(r)};
	struct err err = ERR_INIT;

	if (w.p == NULL)
		return 0;
	if (db_transaction(r->app->db, connect_body, &w, &err) == -1)
		return res_error(r, &err);
	drop_caches(r);
	res_headerf(r, "Location", "/connect/v1/connections/%s", uuid_dup(r->a, w.c->id));
	return res_json(r, 201, connection_json(r->app, w.c));
}

static int disconnect_one(struct connecting *w, const struct uuid *id, struct err *err)
{
	struct req *r = w->r;
	int found = connection_delete(r->app, &r->actor.account_id, id, err);

	if (found != 1)
		return found;
	w->removed++;
	return audit_write(
	    r->app, r, &r->actor.account_id, "connection.delete", "connection", id, NULL, err);
}

static int disconnect_body(struct db *db, void *arg, struct err *err)
{
	struct connecting *w = arg;
	struct req *r = w->r;
	struct connection_page page = {
	    .limit = LIMIT_DB_ROWS - 1, .provider_type = str_from(w->p->name)};

	(void)db;
	w->removed = 0;
	if (connection_list(r->app, r->a, &r->actor.account_id, &page, err) == -1)
		return -1;
	for (size_t i = 0; i < page.n; i++)
		if ((!w->is_one || uuid_eq(page.v[i]->id, w->id)) &&
		    disconnect_one(w, &page.v[i]->id, err) == -1)
			return -1;
	return 0;
}

int connection_api_disconnect(struct req *r)
{
	struct connecting w = {.r = r, .p = provider_of_route(r)};
	struct err err = ERR_INIT;
	struct str id = req_query(r, "connectionId");

	if (w.p == NULL)
		return 0;
	w.is_one = id.p != NULL;
	if (w.is_one && !uuid_parse(id, &w.id))
		return res_problem(r, 404, "There is no such connection");
	if (db_transaction(r->app->db, disconnect_body, &w, &err) == -1)
		return res_error(r, &err);
	if (w.is_one && w.removed == 0)
		return res_problem(r, 404, "There is no such connection");
	drop_caches(r);
	return res_empty(r, 204);
}
