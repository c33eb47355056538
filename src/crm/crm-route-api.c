/* JSON handlers of routing. */
#include "crm/crm-route.h"

static int routing_answer(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *o;

	if (routing_load(r->app, r->a, &r->actor.account_id, &o, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, json_incref(o));
}

int crm_api_routing_get(struct req *r)
{
	return routing_answer(r);
}

int crm_api_routing_put(struct req *r)
{
	struct json_reader in = req_reader(r);
	struct err err = ERR_INIT;

	if (!json_is_object(r->json))
		return res_problem(
		    r, 400, "The body must be an object: {\"destinations\": […], \"groups\": […]}");
	if (routing_save(r, &in, r->json, &err))
		return routing_answer(r);
	return err.code != ERR_NONE ? res_error(r, &err) : res_invalid(r);
}
