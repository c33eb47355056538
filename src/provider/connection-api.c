/* /connect/v1/connections: JSON handlers. */
#include "account/account.h"
#include "base/limits.h"
#include "base/shared.h"
#include "provider/connection-private.h"

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
	if (connection_list(r->app, r->a, &r->actor.account_id, &page, &err) < 0)
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
	if (found < 0)
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
	json_set(o, "settings", json_deep_copy(c->settings));
	json_object_foreach(json_object_get(r->json, "credentials"), key, v)
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
	if (db_transaction(r->app->db, update, &ch, &err) < 0)
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
	if (db_transaction(r->app->db, remove_one, &ch, &err) < 0)
		return res_error(r, &err);
	if (ch.found == 0)
		return not_found(r);
	drop_caches(r);
	return res_empty(r, 204);
}
