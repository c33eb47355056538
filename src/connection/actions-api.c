/* The actions of providers, listed and run: /connect/v1/actions and
 * /providers/:providerType/actions/:actionName. */
#include "account/audit.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "connection/connection-internal.h"
#include "connection/connection-pages.h"

#define ACTIONS_MOST 1000 /* that are listed: more than all manifests have */
#define ANSWER_ROUND 64u  /* bytes around an output */

/* ---- the list ------------------------------------------------------------------------------ */

static bool action_matches(struct req *r, const struct provider *p, const json_t *action)
{
	struct str q = utf8_trim(req_query(r, "search"));
	const char *help = json_str(action, "help");

	if (q.n == 0)
		return true;
	return strcasestr(
		   arena_printf(r->a, "%s %s %s %s", p->display_name, json_str(action, "name"),
		       json_str(action, "label"), help != NULL ? help : ""),
		   arena_strndup(r->a, q.p, q.n)) != NULL;
}

static void actions_add(struct req *r, const struct provider *p, bool is_connected, json_t *list)
{
	json_t *actions = json_own(r->a, provider_actions_json(p)), *o;
	size_t i;

	json_array_each(actions, i, o) {
		if (!action_matches(r, p, o))
			continue;
		json_set_str(o, "providerType", p->name);
		json_set_str(o, "providerName", p->display_name);
		json_set_bool(o, "connected", is_connected);
		json_array_append(list, o);
	}
}

json_t *actions_list(struct req *r, struct err *err)
{
	struct str type = req_query_text(r, "providerType");
	json_t *list = json_own(r->a, json_array()), *others = json_own(r->a, json_array());
	json_t *connected;

	if (connection_counts(r, &connected, err) == -1)
		return NULL;
	for (size_t i = 0; i < providers_count(r->app->providers); i++) {
		const struct provider *p = provider_at(r->app->providers, i);
		bool is_connected = json_int(connected, p->name) > 0;

		if (type.p == NULL || str_is(type, p->name))
			actions_add(r, p, is_connected, is_connected ? list : others);
	}
	json_array_extend(list, others);
	return list;
}

int actions_api_list(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *list = actions_list(r, &err);

	return list == NULL ? res_error(r, &err) : res_whole(r, list, ACTIONS_MOST);
}

/* ---- running one --------------------------------------------------------------------------- */

/* Its inputs may hold anything, so the log has their names alone. */
static int actions_audit(struct req *r, const struct connection *c, const struct action *act,
    const json_t *inputs, struct err *err)
{
	json_t *details = json_own(r->a, json_object()), *names = json_array(), *v;
	const char *name;

	json_object_each(inputs, name, v)
		json_array_append_new(names, json_string(name));
	json_set_str(details, "name", c->name);
	json_set_str(details, "action", act->name);
	json_set(details, "inputs", names);
	return audit_fact_alone(
	    r->app, r, &r->actor.account_id, "action.run", "connection", &c->id, details, err);
}

/* What is more than there is room for becomes a failure, which says so. */
static void actions_fit(
    struct req *r, const struct action *act, size_t most, struct call_result *res)
{
	struct buf *text = buf_new(r->a, most);

	json_append(text, res->output);
	if (buf_ok(text))
		return;
	res->class = CALL_FATAL;
	res->is_too_large = true;
	res->output = NULL;
	res->error = arena_printf(r->a,
	    "%sthe answer is more than the %zu MiB that can be handed on: ask for less at a time",
	    action_writes(r->a, act) ? "it was done, but " : "", (most + (1 << 20) - 1) >> 20);
}

int actions_run(struct req *r, const struct connection *c, const struct action *act,
    const json_t *inputs, size_t most, struct call_result *res, struct err *err)
{
	struct connection_call call = {.app = r->app,
	    .a = r->a,
	    .c = c,
	    .action = act->name,
	    .inputs = inputs,
	    .policy = CALL_POLICY_ONCE};

	if (action_writes(r->a, act) && actions_audit(r, c, act, inputs, err) == -1)
		return -1;
	if (connection_call(&call, err) == -1)
		return -1;
	*res = call.result;
	if (res->class == CALL_OK)
		actions_fit(r, act, most, res);
	log_info("action.run", LOG_S("provider", c->provider_type),
	    LOG_S("connection", uuid_dup(r->a, c->id)), LOG_S("action", act->name),
	    LOG_S("class", call_class_names[res->class]), LOG_I("status", res->status),
	    LOG_I("duration_us", call.duration_us));
	return 0;
}

static int actions_answer(struct req *r, const struct connection *c, const struct call_result *res)
{
	json_t *o;

	if (res->class != CALL_OK)
		return connection_call_problem(r, c, res);
	o = json_object();
	json_set_bool(o, "success", true);
	json_set(o, "output", json_incref(res->output));
	return res_json(r, 200, o);
}

/* The action of the address, or NULL with 404 answered. */
static const struct action *action_of_route(struct req *r, const struct provider **p)
{
	const struct action *act;

	*p = provider_find(r->app->providers, req_param(r, "providerType"));
	if (*p == NULL) {
		res_problem(r, 404, "There is no such provider");
		return NULL;
	}
	act = provider_find_open_action(*p, req_param(r, "actionName"));
	if (act == NULL)
		res_problem(r, 404, "%s has no such action", (*p)->display_name);
	return act;
}

int actions_api_run(struct req *r)
{
	struct json_reader in = req_reader(r);
	const struct provider *p;
	const struct action *act = action_of_route(r, &p);
	struct call_result res;
	struct connection *c;
	struct err err = ERR_INIT;
	int rc;

	if (act == NULL)
		return 0;
	if (r->json != NULL && !json_is_object(r->json))
		return res_problem(r, 400, "The body must be an object: the inputs by name");
	if (action_check_inputs(act, r->json, &in) == -1)
		return res_invalid(r);
	if (!connection_choose(r, p, &c) || !connection_wait_begin(r))
		return 0;
	rc = actions_run(r, c, act, r->json, LIMIT_PAGE_BYTES - ANSWER_ROUND, &res, &err) == -1
		 ? res_error(r, &err)
		 : actions_answer(r, c, &res);
	connection_wait_end(r);
	return rc;
}
