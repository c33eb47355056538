/* action: something that a provider does, through a connection of the account. */
#include "base/arena.h"
#include "connection/connection-call.h"
#include "flow/flow-internal.h"
#include "provider/manifest.h"

/* ---- which connection ------------------------------------------------------------------------ */

/* The one that the step names, or the only one there is: 1, 0 with why, -1. */
static int action_connection(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct flow_step *s, const struct provider *p, struct connection **out, const char **why,
    struct err *err)
{
	struct connection **v;
	struct uuid id = s->connection_id;
	size_t n;
	int found;

	if (uuid_is_nil(id)) {
		if (connection_list_of(app, a, account_id, p, &v, &n, err) == -1)
			return -1;
		*why = n == 0 ? arena_printf(
				    a, "%s is not connected: connect it first", p->display_name)
			      : arena_printf(a, "there are several connections to %s: say which",
				    p->display_name);
		if (n != 1)
			return 0;
		id = v[0]->id;
	}
	found = connection_recent(app, a, account_id, &id, out, err);
	*why = arena_printf(a, "there is no such connection to %s", p->display_name);
	if (found != 1 || (*out)->provider != p)
		return found == -1 ? -1 : 0;
	*why = arena_printf(a, "the connection %s is disabled", (*out)->name);
	return strcmp((*out)->status, CONNECTION_DISABLED) != 0;
}

/* ---- when it is saved ------------------------------------------------------------------------ */

static const char *action_names(struct arena *a, const struct provider *p)
{
	json_t *list = json_own(a, provider_actions_json(p)), *names = json_own(a, json_array()),
	       *o;
	const char *text;
	size_t i;

	json_array_each(list, i, o)
		json_array_append_new(names, json_string(json_str(o, "name")));
	text = json_joined_text(a, names);
	return text != NULL ? text : "none";
}

static void check_inputs(struct step_check *c, const struct action *act)
{
	const json_t *given = json_object_get(c->step->json, "inputMapping");
	size_t mark = json_reader_enter(c->in, "inputMapping"), i;
	const char *name;
	json_t *v;

	json_object_each(given, name, v) {
		for (i = 0; i < act->ninputs && strcmp(act->inputs[i].name, name) != 0;)
			i++;
		if (i == act->ninputs)
			json_reader_fail_at(c->in, name, "is no input of %s", act->name);
	}
	for (i = 0; i < act->ninputs; i++)
		if (act->inputs[i].is_needed && act->inputs[i].other == NULL &&
		    json_object_get(given, act->inputs[i].name) == NULL &&
		    strcmp(act->inputs[i].name, "idempotencyKey") != 0)
			json_reader_fail_at(c->in, act->inputs[i].name, "is needed");
	json_reader_leave(c->in, mark);
}

static int action_check(struct step_check *c, struct err *err)
{
	const struct flow_step *s = c->step;
	const struct provider *p =
	    s->provider_type == NULL ? NULL
				     : provider_find(c->app->providers, str_from(s->provider_type));
	const struct action *act;
	struct connection *connection;
	const char *why;
	int found;

	if (p == NULL) {
		json_reader_fail_at(c->in, "providerType",
		    s->provider_type == NULL ? "is needed" : "is not a provider of the catalogue");
		return 0;
	}
	act = s->action == NULL ? NULL : provider_find_open_action(p, str_from(s->action));
	if (act == NULL) {
		json_reader_fail_at(c->in, "actionName", "%s has no such action, but %s",
		    p->display_name, action_names(c->a, p));
		return 0;
	}
	check_inputs(c, act);
	found = action_connection(c->app, c->a, &c->account_id, s, p, &connection, &why, err);
	if (found == 0)
		json_reader_fail_at(c->in, "connectionId", "%s", why);
	return found == -1 ? -1 : 0;
}

/* ---- when it is run -------------------------------------------------------------------------- */

/* What the mapping gave, without what gave nothing. */
static json_t *action_inputs(const struct step_call *c, const struct action *act)
{
	json_t *given = json_object_get(c->input, "mapping"), *out = json_own(c->a, json_object()),
	       *v;
	const char *name;

	json_object_each(given, name, v)
		if (!json_is_null(v))
			json_set(out, name, json_incref(v));
	for (size_t i = 0; i < act->ninputs; i++)
		if (strcmp(act->inputs[i].name, "idempotencyKey") == 0)
			json_set_str(out, "idempotencyKey", uuid_dup(c->a, c->key));
	return out;
}

static bool is_worth_another(enum call_class class)
{
	return class == CALL_RETRY || class == CALL_RATE_LIMITED || class == CALL_NOT_YET ||
	       class == CALL_AUTH;
}

static int action_make(struct step_call *c, const struct connection *connection,
    const struct action *act, struct err *err)
{
	struct connection_call call = {.app = c->app,
	    .a = c->a,
	    .c = connection,
	    .action = act->name,
	    .inputs = action_inputs(c, act),
	    .key = uuid_dup(c->a, c->key),
	    .policy = CALL_POLICY_ONCE};

	if (connection_call_attempt(&call, err) == -1) {
		c->is_refused = err->code == ERR_INVALID;
		return -1;
	}
	if (call.result.class == CALL_OK) {
		c->output = call.result.output;
		return 0;
	}
	c->is_refused = !is_worth_another(call.result.class);
	c->again_ms = call.result.retry_after_ms;
	return err_set(err, ERR_UNAVAILABLE, "%s", call.result.error);
}

static int action_run(struct step_call *c, struct err *err)
{
	const struct flow_step *s = c->step;
	const struct provider *p = provider_find(c->app->providers, str_from(s->provider_type));
	const struct action *act =
	    p == NULL ? NULL : provider_find_open_action(p, str_from(s->action));
	struct connection *connection;
	const char *why = "the provider has no such action any more";
	int found = act == NULL ? 0
				: action_connection(
				      c->app, c->a, &c->account_id, s, p, &connection, &why, err);

	if (found == -1)
		return -1;
	c->is_refused = found == 0;
	if (found == 0)
		return err_set(err, ERR_INVALID, "%s", why);
	if (!c->is_dry)
		return action_make(c, connection, act, err);
	step_would(c, arena_printf(c->a, "do “%s” with %s", act->label, connection->name),
	    json_incref(action_inputs(c, act)));
	return 0;
}

const struct step_kind step_action = {.name = "action",
    .label = "Action",
    .help = "Something that a connected provider does: send a message, make a contact.",
    .how = STEP_OUTSIDE,
    .takes_any = true,
    .fields = (const struct step_field[]){{.name = NULL}},
    .outputs = (const struct step_output[]){{"*", "what the action gives"}, {NULL, NULL}},
    .check = action_check,
    .run = action_run};
