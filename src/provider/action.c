/* Calls to providers: a request built from the manifest's templates (action-build.c), the call, its
 * answer read by the manifest's rules (action-read.c).
 *
 * Without an answer all may pass but what the operator's network rules refuse, and an answer that
 * is too large, for it will be again. Nothing of an error text is stored before the credentials in
 * it are blotted out. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "net/egress.h"
#include "provider/provider-internal.h"

#define REQUEST_KEPT_BYTES 2048u /* of what was sent */

void action_read_failure(
    const struct action_call *k, const char *url, const struct err *why, struct call_result *out)
{
	bool is_lasting = why->code == ERR_REFUSED || why->code == ERR_LIMIT;

	*out = (struct call_result){.retry_after_ms = -1,
	    .class = is_lasting ? CALL_FATAL : CALL_RETRY,
	    .is_too_large = why->code == ERR_LIMIT};
	out->error = access_redact(k->a, k->c,
	    arena_printf(k->a, "%s: %s%s", url_host(k->a, url), why->msg,
		out->is_too_large ? ", and no more is taken at once: ask for less at a time" : ""));
}

/* What keeps it from being made to that address; CALL_OK: nothing. */
static enum call_class call_obstacle(struct app *app, const struct action_call *k,
    const struct action_request *req, const char *wire_url, struct call_result *out)
{
	const char *lacking = access_lacks(k->c, k->act->needs, k->act->nneeds);

	if (lacking != NULL) {
		out->is_uncalled = true;
		out->error = arena_printf(k->a, "no %s, so nothing was called",
		    manifest_credential_words(k->a, k->p, lacking));
		return CALL_AUTH;
	}
	if (req->carries_credentials && !egress_may_carry_secret(app->config, wire_url)) {
		out->error = arena_printf(k->a,
		    "not called: credentials are not sent to %s by plain http://. Use https://, or "
		    "ask whoever runs Connect to allow that server",
		    url_host(k->a, wire_url));
		return CALL_FATAL;
	}
	return CALL_OK;
}

/* No longer than the caller waits. */
static int64_t call_timeout_ms(
    const struct config *cfg, const struct action_call *k, int64_t timeout_ms)
{
	const int64_t most_ms = k->c == NULL ? 0 : k->c->most_ms;

	if (timeout_ms == 0)
		timeout_ms = cfg->http_timeout_ms;
	return most_ms > 0 && most_ms < timeout_ms ? most_ms : timeout_ms;
}

/* What was sent, for people: its beginning, without what is secret. */
static struct str request_excerpt(const struct action_call *k, const struct http_call *call)
{
	struct str body = call->body;
	struct buf *b = buf_new(k->a, LIMIT_URL_BYTES + REQUEST_KEPT_BYTES + 64);

	buf_printf(b, "%s %s", call->method, url_without_secrets(k->a, k->c, call->url));
	if (body.n > 0) {
		body = access_redact_body(k->a, k->c, body, REQUEST_KEPT_BYTES, true);
		buf_printf(b, "\n\n");
		buf_add(b, body.p, body.n);
	}
	return utf8_cut((struct str){b->p, b->len}, REQUEST_KEPT_BYTES);
}

int action_run(struct app *app, const struct action_call *k, struct http_answer *ans,
    struct call_result *out, struct err *err)
{
	struct action_request req;
	struct http_call wire;
	struct err why = ERR_INIT;

	*out =
	    (struct call_result){.class = CALL_FATAL, .retry_after_ms = -1, .error = "not called"};
	*ans = (struct http_answer){.status = 0};
	if (action_build(k, &req, err) == -1) {
		out->error = err != NULL ? arena_strdup(k->a, err->msg) : "wrong inputs";
		return -1;
	}
	wire = req.http;
	wire.url = provider_wire_url(app->config, k->a, k->p, wire.url);
	out->class = call_obstacle(app, k, &req, wire.url, out);
	if (out->class != CALL_OK)
		return 0;
	wire.may_cut_refusal = !k->is_handed_on;
	wire.timeout_ms = call_timeout_ms(app->config, k, wire.timeout_ms);
	if (http_client_call(app->http, k->a, &wire, ans, &why) == -1)
		action_read_failure(k, req.http.url, &why, out);
	else
		action_read(k, &req.http, ans, out);
	out->method = req.http.method;
	out->signed_in = req.signed_in;
	out->request = request_excerpt(k, &req.http);
	return 0;
}

int provider_action(struct app *app, struct arena *a, const struct provider *p,
    const struct access *c, const char *action, const json_t *inputs, struct call_result *out,
    struct err *err)
{
	const struct action_call k = {.a = a,
	    .p = p,
	    .c = c,
	    .act = provider_find_action(p, action),
	    .inputs = inputs,
	    .now_us = clock_now_us()};
	struct http_answer ans;

	*out =
	    (struct call_result){.class = CALL_FATAL, .retry_after_ms = -1, .error = "not called"};
	if (k.act == NULL)
		return err_set(err, ERR_NOT_FOUND, "%s has no action %s", p->name, action);
	return action_run(app, &k, &ans, out, err);
}

bool provider_action_takes(const struct provider *p, const char *action, const char *input)
{
	const struct action *act = provider_find_action(p, action);

	for (size_t i = 0; act != NULL && i < act->ninputs; i++)
		if (strcmp(act->inputs[i].name, input) == 0)
			return true;
	return false;
}

const char *provider_action_lacks(
    struct arena *a, const struct provider *p, const struct access *c, const char *action)
{
	const struct action *act = provider_find_action(p, action);
	const char *key = act == NULL ? NULL : access_lacks(c, act->needs, act->nneeds);

	return key == NULL ? NULL : manifest_credential_words(a, p, key);
}
