/* Is a connection good? The manifest's test action tells. */
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/shared.h"
#include "connection/connection-internal.h"

static json_t *verdict(bool is_ok, int64_t latency_us, const char *detail)
{
	json_t *o = json_object();

	json_set_bool(o, "ok", is_ok);
	json_set_int(o, "latencyMs", latency_us / 1000);
	json_set_str(o, "detail", detail);
	return o;
}

/* What the test showed goes into the connection; a passing fault changes no status. */
static void note(struct app *app, const struct connection *c, const struct call_result *res)
{
	const char *status = res->class == CALL_OK     ? "active"
			     : res->class == CALL_AUTH ? "error"
						       : NULL;
	struct err err = ERR_INIT;

	if (connection_note_use(app, c, status, res->class == CALL_OK ? NULL : res->error, &err) <
	    0)
		log_warn("connection_note_failed", LOG_ERR(&err));
}

static json_t *test_by(struct app *app, struct arena *a, struct connection *c, const char *action)
{
	struct call_result res;
	struct err err = ERR_INIT;
	int64_t start_us = clock_mono_us();
	if (provider_action(app, a, c->provider, &c->access, action, NULL, &res, &err) == -1)
		return verdict(false, 0, err.msg);
	int64_t latency_us = clock_mono_us() - start_us;
	note(app, c, &res);
	if (res.class != CALL_OK)
		return verdict(false, latency_us, res.error);
	return verdict(true, latency_us, arena_printf(a, "HTTP %d", res.status));
}

json_t *connection_test(struct app *app, struct arena *a, struct connection *c)
{
	const char *action = c->provider->test_action;
	json_t *result;

	if (action == NULL)
		return verdict(true, 0, "This connection only receives: there is nothing to call");
	if (app->shared == NULL)
		return test_by(app, a, c, action);
	if (!shared_wait_begin(app->shared, config_waiters(app->config)))
		return verdict(
		    false, 0, "Too many tests wait for answers at the moment: try again shortly");
	result = test_by(app, a, c, action);
	shared_wait_end(app->shared);
	return result;
}
