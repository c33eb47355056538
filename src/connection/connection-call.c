#include "connection/connection-call.h"

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "connection/connection-internal.h"
#include "connection/connection-refresh.h"
#include "job/retry.h"
#include "net/http-client.h"

struct call_policy call_policy(const struct config *cfg)
{
	return (struct call_policy){.attempts = (int)cfg->push_attempts,
	    .first_ms = cfg->push_backoff_ms,
	    .most_ms = cfg->push_backoff_max_ms};
}

int64_t call_policy_next_ms(
    const struct call_policy *policy, int attempt, const struct call_result *res)
{
	bool is_passing = res->class == CALL_RETRY || res->class == CALL_RATE_LIMITED ||
			  res->class == CALL_NOT_YET;

	if (!is_passing || attempt >= policy->attempts)
		return -1;
	return retry_wait_ms(attempt, policy->first_ms, policy->most_ms, res->retry_after_ms);
}

/* No reason to fail what the call was for. */
static void call_note_use(const struct connection_call *call)
{
	const struct connection_use use = {&call->result, call->attempt > 1, call->is_push};
	struct err err = ERR_INIT;

	if (connection_note_use(call->app, call->a, call->c, &use, &err) == -1)
		log_warn("connection.note", LOG_S("connection", uuid_dup(call->a, call->c->id)),
		    LOG_ERR(&err));
}

/* A token that is over by the clock is renewed before it is used. False: it cannot be now, which is
 * the result. */
static bool call_renew_token(struct connection_call *call)
{
	struct connection *c;
	struct err why = ERR_INIT;

	if (!connection_needs_refresh(call->c))
		return true;
	c = arena_memdup(call->a, call->c, sizeof(*c));
	if (connection_refresh(call->app, call->a, c, "it is over", &why) != -1) {
		call->c = c;
		return true;
	}
	call->result = (struct call_result){.class = CALL_RETRY,
	    .retry_after_ms = -1,
	    .is_uncalled = true,
	    .error = arena_strdup(call->a, why.msg)};
	return false;
}

static int call_once(struct connection_call *call, struct err *err)
{
	struct access access = call->c->access;

	access.call_key = call->key;
	access.most_ms = call->most_ms;
	return provider_action(call->app, call->a, call->c->provider, &access, call->action,
	    call->inputs, &call->result, err);
}

/* The token was no longer good: once more with a new one, which is the connection's from now on.
 * What has none to be had is refused; what cannot be known now has its next attempt. */
static int call_with_new_token(struct connection_call *call, struct err *err)
{
	struct connection *c = arena_memdup(call->a, call->c, sizeof(*c));
	struct err why = ERR_INIT;
	int rc = connection_refresh(call->app, call->a, c, call->result.error, &why);

	if (rc != -1)
		call->c = c;
	if (rc == 1 && call_once(call, err) == -1)
		return -1;
	if (rc == -1) {
		call->result.class = CALL_RETRY;
		call->result.error = arena_strdup(call->a, why.msg);
	} else if (call->result.class == CALL_REFRESH) {
		call->result.class = CALL_AUTH;
	}
	return 0;
}

int connection_call_attempt(struct connection_call *call, struct err *err)
{
	struct err ignored = ERR_INIT;
	int64_t started;

	call->attempt++;
	if (call->begin != NULL && call->begin(call, call->arg, err) == -1)
		return -1;
	call->at_us = clock_now_us();
	started = clock_mono_us();
	if (call_renew_token(call) &&
	    (call_once(call, err) == -1 ||
		(call->result.class == CALL_REFRESH && call_with_new_token(call, err) == -1)))
		return -1;
	call->duration_us = clock_mono_us() - started;
	call->again_ms = call_policy_next_ms(&call->policy, call->attempt, &call->result);
	call->is_outdated = call->result.class != CALL_OK &&
			    connection_was_changed(call->app, call->a, call->c, &ignored) == 1;
	/* What was not called says nothing of the other side, nor what was not waited for. That it
	 * is in trouble is told at once, though another try follows. */
	if ((call->again_ms < 0 || call->result.class == CALL_RETRY) && !call->is_outdated &&
	    !call->result.is_uncalled && !(call->most_ms > 0 && call->result.class == CALL_RETRY))
		call_note_use(call);
	return 0;
}

int connection_call(struct connection_call *call, struct err *err)
{
	for (;;) {
		if (connection_call_attempt(call, err) == -1)
			return -1;
		if (call->again_ms < 0)
			break;
		if (call->wait != NULL && call->wait(call, call->arg, err) == -1)
			return -1;
		http_client_sleep(call->app->http, call->again_ms);
	}
	return 0;
}

enum job_peer connection_call_peer(const struct connection_call *call)
{
	if (call->is_outdated)
		return JOB_PEER_UNKNOWN;
	switch (call->result.class) {
	case CALL_OK:
	case CALL_FATAL:
	case CALL_NOT_YET:
	case CALL_PERMISSION:
	case CALL_CONFLICT:
	case CALL_NOT_FOUND:
		return JOB_PEER_OK;
	case CALL_RATE_LIMITED:
		return JOB_PEER_BUSY;
	case CALL_RETRY:
		return JOB_PEER_DEAD;
	case CALL_AUTH:
	case CALL_REFRESH: /* became one of the others */
		break;
	}
	return JOB_PEER_REFUSED;
}
