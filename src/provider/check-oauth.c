/* Examples of logins: "oauth" names the step, "known" what it is made of. */
#include "base/clock.h"
#include "net/http-client.h"
#include "provider/check.h"
#include "provider/oauth.h"

struct oauth_example {
	struct check_run *t;
	const json_t *json, *expect;
	struct oauth_known k;
	struct http_pairs query;
	enum oauth_kind kind;
	int64_t at_us;
};

static const char *class_word(enum call_class class)
{
	return class == CALL_OK             ? "ok"
	       : class == CALL_AUTH         ? "auth"
	       : class == CALL_RETRY        ? "retry"
	       : class == CALL_RATE_LIMITED ? "rateLimited"
					    : "fatal";
}

static void refused(struct oauth_example *x, const struct err *err)
{
	check_compare(x->t, "refusal", json_object_get(x->expect, "refused"),
	    json_own(x->t->a, json_string(err->msg)));
}

static void check_authorize(struct oauth_example *x)
{
	const char *state = json_str(json_object_get(x->json, "known"), "state"), *url;
	struct err err = ERR_INIT;

	if (oauth_authorize_url(
		x->t->a, x->t->p, &x->k, state != NULL ? state : "state", &url, &err) == -1)
		refused(x, &err);
	else
		check_compare(x->t, "url", json_object_get(x->expect, "url"),
		    json_own(x->t->a, json_string(url)));
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text != NULL)
		json_set_str(o, key, text);
}

static void check_callback(struct oauth_example *x)
{
	json_t *got = json_own(x->t->a, json_object());
	struct oauth_callback back;
	struct err err = ERR_INIT;

	if (oauth_callback_read(x->t->a, x->t->p, &x->k, x->at_us, &back, &err) == -1) {
		refused(x, &err);
		return;
	}
	set_text(got, "code", back.code);
	set_text(got, "error", back.error);
	set_text(got, "errorText", back.text);
	if (back.settings != NULL)
		json_set(got, "settings", json_incref(back.settings));
	check_compare(x->t, "callback", json_object_get(x->expect, "callback"), got);
}

static void set_seconds(json_t *o, const char *key, int64_t seconds)
{
	if (seconds != OAUTH_UNTOLD)
		json_set_int(o, key, seconds);
}

static json_t *tokens_json(struct arena *a, const struct oauth_answer *ans)
{
	json_t *o = json_own(a, json_object());
	const struct oauth_tokens *t = &ans->tokens;

	json_set_str(o, "class", class_word(ans->class));
	if (ans->class != CALL_OK) {
		set_text(o, "error", ans->error);
		return o;
	}
	set_text(o, "accessToken", t->access);
	set_text(o, "refreshToken", t->refresh);
	set_text(o, "userAccessToken", t->user_access);
	set_text(o, "userRefreshToken", t->user_refresh);
	set_text(o, "scope", t->scope);
	set_seconds(o, "expiresIn", t->expires_s);
	set_seconds(o, "refreshExpiresIn", t->refresh_expires_s);
	set_seconds(o, "userExpiresIn", t->user_expires_s);
	if (t->settings != NULL)
		json_set(o, "settings", json_incref(t->settings));
	return o;
}

static void check_token_answer(struct oauth_example *x, const struct http_call *call)
{
	const json_t *v = json_object_get(x->json, "answer");
	struct http_answer ans = {.status = (int)json_int(v, "status")};
	struct oauth_answer out;

	if (v == NULL)
		return;
	if (example_read_pairs(x->t, json_object_get(v, "headers"), true, &ans.headers) == -1) {
		check_report(x->t, false, "answer", "headers must be texts");
		return;
	}
	ans.body = example_read_body(x->t, v);
	oauth_read(x->t->a, x->t->p, &x->k, call, &ans, &out);
	check_compare(
	    x->t, "tokens", json_object_get(x->expect, "tokens"), tokens_json(x->t->a, &out));
}

static void check_call(
    struct oauth_example *x, int built, const struct http_call *call, const struct err *err)
{
	if (built == -1) {
		refused(x, err);
		return;
	}
	if (json_object_get(x->expect, "request") != NULL)
		check_compare(x->t, "request", json_object_get(x->expect, "request"),
		    http_call_json(x->t, call));
	check_token_answer(x, call);
}

static void check_step(struct oauth_example *x, enum oauth_step step)
{
	struct err err = ERR_INIT;
	struct http_call call;
	int built = oauth_build(x->t->a, x->t->p, x->kind, step, &x->k, &call, &err);

	check_call(x, built, &call, &err);
}

static void check_then(struct oauth_example *x)
{
	int64_t i = json_int(json_object_get(x->json, "known"), "step");
	struct err err = ERR_INIT;
	struct http_call call;

	if (i < 0 || (size_t)i >= oauth_then_count(x->t->p)) {
		check_report(x->t, false, "then", "there is no step %lld", (long long)i);
		return;
	}
	int built = oauth_build_then(x->t->a, x->t->p, (size_t)i, &x->k, &call, &err);
	check_call(x, built, &call, &err);
}

static void check_identify(struct oauth_example *x)
{
	json_t *got = json_own(x->t->a, json_object());
	struct oauth_identity who = {0};

	if (oauth_identifies(x->t->p))
		oauth_identify_read(x->t->a, x->t->p, x->k.c,
		    json_object_get(json_object_get(x->json, "answer"), "json"),
		    json_object_get(x->json, "output"), &who);
	set_text(got, "externalAccountId", who.external_id);
	set_text(got, "name", who.name);
	check_compare(x->t, "identity", json_object_get(x->expect, "identity"), got);
}

static void check_expand(struct oauth_example *x)
{
	json_t *got =
	    oauth_expand_action(x->t->p) == NULL
		? NULL
		: oauth_expand_read(x->t->a, x->t->p, x->k.c, json_object_get(x->json, "output"));

	check_compare(x->t, "connections", json_object_get(x->expect, "connections"), got);
}

static bool example_read_known(struct oauth_example *x)
{
	const json_t *known = json_object_get(x->json, "known");
	const char *kind = json_str(known, "grant"), *at = json_str(x->json, "at");

	x->kind = OAUTH_CODE;
	if ((kind != NULL && !oauth_kind_parse(kind, &x->kind)) ||
	    (at != NULL && !clock_parse_iso(str_from(at), &x->at_us)) ||
	    example_read_pairs(x->t, json_object_get(known, "query"), false, &x->query) == -1)
		return false;
	x->k = (struct oauth_known){.c = example_read_access(x->t, x->json),
	    .query = &x->query,
	    .redirect_uri = json_str(known, "redirectUri"),
	    .code = json_str(known, "code"),
	    .verifier = json_str(known, "verifier"),
	    .access_token = json_str(known, "accessToken"),
	    .refresh_token = json_str(known, "refreshToken")};
	return true;
}

void check_oauth(struct check_run *t, const json_t *example, const json_t *expect)
{
	struct oauth_example x = {.t = t, .json = example, .expect = expect};
	struct str step = str_from(json_str(example, "oauth"));

	if (!oauth_is_there(t->p) || !example_read_known(&x))
		check_report(t, false, "oauth",
		    "the manifest has no \"oauth\", or \"known\" or \"at\" is wrong");
	else if (str_is(step, "authorize"))
		check_authorize(&x);
	else if (str_is(step, "callback"))
		check_callback(&x);
	else if (str_is(step, "exchange"))
		check_step(&x, OAUTH_EXCHANGE);
	else if (str_is(step, "refresh"))
		check_step(&x, OAUTH_REFRESH);
	else if (str_is(step, "revoke"))
		check_step(&x, OAUTH_REVOKE);
	else if (str_is(step, "then"))
		check_then(&x);
	else if (str_is(step, "identify"))
		check_identify(&x);
	else if (str_is(step, "expand"))
		check_expand(&x);
	else
		check_report(t, false, "oauth", "there is no such step");
}
