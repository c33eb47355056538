/* Is a connection good? The manifest's test action tells. */
#include "base/config.h"
#include "base/shared.h"
#include "connection/connection-call.h"
#include "connection/connection-internal.h"
#include "connection/connection-prove.h"
#include "connection/connection-refresh.h"

static json_t *test_verdict(bool is_ok, int64_t latency_us, const char *detail)
{
	json_t *o = json_object();

	json_set_bool(o, "ok", is_ok);
	json_set_int(o, "latencyMs", latency_us / 1000);
	json_set_str(o, "detail", detail);
	return o;
}

/* What was done: "GET, no lead was sent, signed in with X-API-Key". */
static const char *test_deed(
    struct arena *a, const struct provider *p, const struct call_result *res)
{
	return arena_printf(a, "%s%s, %s%s", res->method,
	    provider_can(p, "crm_push") ? ", no lead was sent" : "",
	    res->signed_in != NULL ? "signed in with " : "without signing in",
	    res->signed_in != NULL ? res->signed_in : "");
}

/* Of an address that is only written to that may be right. */
static const char test_nothing_there[] =
    ": something answers there, but has nothing to read at this address; check its spelling";

/* Of an address that is only written to, an answer that is no success may be right, and tells that
 * something is there; it does not tell whether a lead would be taken. */
static bool test_proves(const struct call_result *res)
{
	return res->status >= 200 && res->status < 300;
}

/* What the test shows goes into the connection; a passing fault changes no status. */
static json_t *test_by_action(
    struct app *app, struct arena *a, const struct connection *c, const char *action, bool *proves)
{
	struct connection_call call = {
	    .app = app, .a = a, .c = c, .action = action, .policy = CALL_POLICY_ONCE};
	struct err err = ERR_INIT;

	if (connection_call(&call, &err) == -1)
		return test_verdict(false, 0, err.msg);
	if (call.result.class != CALL_OK)
		return test_verdict(false, call.duration_us,
		    arena_printf(
			a, "%s (%s)", call.result.error, test_deed(a, c->provider, &call.result)));
	connection_prove(app, a, call.c, action, call.result.output);
	*proves = test_proves(&call.result);
	return test_verdict(true, call.duration_us,
	    arena_printf(a, "HTTP %d%s (%s)", call.result.status,
		call.result.status == 404 ? test_nothing_there : "",
		test_deed(a, c->provider, &call.result)));
}

const char *connection_shut_words(const struct connection *c)
{
	if ((c->shut & SHUT_APP) != 0)
		return "The app's credentials cannot be opened, since their key is missing. Enter "
		       "them anew under Settings, Apps";
	if ((c->shut & SHUT_CREDENTIALS) != 0)
		return "Its credentials cannot be opened, since their key is missing. Give them "
		       "anew: its history, address and mappings stay";
	if ((c->shut & SHUT_LOGIN) != 0)
		return "Its login cannot be opened, since its key is missing. Connect again: its "
		       "history, address and mappings stay";
	return NULL;
}

const char *connection_lacks(struct arena *a, const struct connection *c, const char *action)
{
	return c->shut != 0 || !uuid_is_nil(c->grant.id)
		   ? NULL
		   : provider_action_lacks(a, c->provider, &c->access, action);
}

const char *connection_untestable(struct arena *a, const struct connection *c)
{
	const char *action = c->provider->test_action, *lacking;

	if (c->shut != 0)
		return connection_shut_words(c);
	if (action == NULL)
		return "This connection only receives: there is nothing to call";
	lacking = provider_action_lacks(a, c->provider, &c->access, action);
	if (lacking == NULL || connection_needs_refresh(c)) /* its token comes with the call */
		return NULL;
	return arena_printf(a, "No %s, so we can't test it.%s", lacking,
	    c->provider->has_webhook ? " Webhooks work without one" : "");
}

json_t *connection_test(struct app *app, struct arena *a, struct connection *c, bool *proves)
{
	const char *action = c->provider->test_action, *why_not = connection_untestable(a, c);
	json_t *result;

	*proves = false;
	if (why_not != NULL)
		return test_verdict(action == NULL, 0, why_not);
	if (app->shared == NULL)
		return test_by_action(app, a, c, action, proves);
	if (!shared_wait_begin(
		app->shared, uuid_number(c->account_id), config_waiters(app->config)))
		return test_verdict(
		    false, 0, "Too many tests wait for answers at the moment: try again shortly");
	result = test_by_action(app, a, c, action, proves);
	shared_wait_end(app->shared);
	return result;
}
