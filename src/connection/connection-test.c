/* Is a connection good? The manifest's test action tells. */
#include "base/config.h"
#include "base/shared.h"
#include "connection/connection-call.h"
#include "connection/connection-internal.h"

static json_t *test_verdict(bool is_ok, int64_t latency_us, const char *detail)
{
	json_t *o = json_object();

	json_set_bool(o, "ok", is_ok);
	json_set_int(o, "latencyMs", latency_us / 1000);
	json_set_str(o, "detail", detail);
	return o;
}

/* What the test shows goes into the connection; a passing fault changes no status. */
static json_t *test_by_action(
    struct app *app, struct arena *a, const struct connection *c, const char *action)
{
	struct connection_call call = {
	    .app = app, .a = a, .c = c, .action = action, .policy = CALL_POLICY_ONCE};
	struct err err = ERR_INIT;

	if (connection_call(&call, &err) == -1)
		return test_verdict(false, 0, err.msg);
	if (call.result.class != CALL_OK)
		return test_verdict(false, call.duration_us, call.result.error);
	return test_verdict(true, call.duration_us, arena_printf(a, "HTTP %d", call.result.status));
}

json_t *connection_test(struct app *app, struct arena *a, struct connection *c)
{
	const char *action = c->provider->test_action;
	json_t *result;

	if (action == NULL)
		return test_verdict(
		    true, 0, "This connection only receives: there is nothing to call");
	if (app->shared == NULL)
		return test_by_action(app, a, c, action);
	if (!shared_wait_begin(app->shared, config_waiters(app->config)))
		return test_verdict(
		    false, 0, "Too many tests wait for answers at the moment: try again shortly");
	result = test_by_action(app, a, c, action);
	shared_wait_end(app->shared);
	return result;
}
