/* /connect/v1/provider-apps: JSON handlers. */
#include "connection/app.h"

static int app_missing(struct req *r)
{
	return res_problem(r, 404, "There is no such app");
}

int provider_app_api_list(struct req *r)
{
	struct provider_app_filter f = {0};
	struct provider_app **v;
	struct slice s;
	struct err err = ERR_INIT;
	size_t n;

	if (!slice_read(r, &list_of_provider_apps, &f, &s))
		return res_invalid(r);
	if (provider_app_list(r->app, r->a, &f, &s, &v, &n, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, provider_app_json(v[i]));
	return res_slice(r, &s);
}

int provider_app_api_create(struct req *r)
{
	struct provider_app *v;
	struct err err = ERR_INIT;

	if (provider_app_add(r->app, r->a, r, &r->actor.account_id, r->json, &v, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/provider-apps/%s", uuid_dup(r->a, v->id));
	return res_json(r, 201, provider_app_json(v));
}

int provider_app_api_get(struct req *r)
{
	struct provider_app *v;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = provider_app_get_shown(r->app, r->a, &r->actor.account_id, &id, &v, &err);
	if (found == 1 &&
	    provider_app_count_uses(r->app, r->a, &r->actor.account_id, v, &err) == -1)
		found = -1;
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? app_missing(r) : res_json(r, 200, provider_app_json(v));
}

int provider_app_api_update(struct req *r)
{
	struct provider_app *v;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = provider_app_change(r->app, r->a, r, &r->actor.account_id, &id, r->json, &v, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? app_missing(r) : res_json(r, 200, provider_app_json(v));
}

int provider_app_api_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = provider_app_remove(r->app, r->a, r, &r->actor.account_id, &id, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? app_missing(r) : res_empty(r, 204);
}
