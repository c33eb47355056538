/* A login comes back: who it is of, what it brought, whose tokens those are.
 *
 *	state ──> the row ──> taken ──> signature, error, settings ──> exchange ──> then steps
 *	                                                                               │
 *	   stored, one connection <── whose (identify) <──┬── settings, origins <──────┘
 *	   stored, a page to choose from <── how many (expand)
 *
 * Nothing is stored before all of it is known, and whatever goes wrong ends in a page that says
 * what happened: a login can always be begun again. */
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/shared.h"
#include "connection/app.h"
#include "connection/connection-call.h"
#include "connection/oauth-internal.h"
#include "html/chrome.h"
#include "net/http-client.h"
#include "provider/manifest.h"

/* ---- pages ----------------------------------------------------------------------------------- */

/* Where it can be begun again: with what the address still tells. */
static const char *again_href(struct req *r, const struct provider *p)
{
	struct str connection = req_query_text(r, "connection_id");
	struct uuid id;

	if (uuid_parse(connection, &id))
		return arena_printf(r->a, "/admin/connections/%s", uuid_dup(r->a, id));
	return arena_printf(r->a, "/admin/connect/%s", p->name);
}

int oauth_problem(struct req *r, int status, const struct provider *p, const char *heading,
    const char *text, bool again)
{
	json_t *data = json_object();

	json_set_str(data, "heading", heading);
	json_set_str(data, "text", text);
	json_set_str(data, "name", p->display_name);
	json_set_str(data, "again", again ? again_href(r, p) : NULL);
	return chrome_page(r, status, "connections", heading, "connection/login-problem", data);
}

int oauth_leave(
    struct req *r, const char *redirect, const struct provider *p, const struct uuid *id, size_t n)
{
	const char *text = uuid_dup(r->a, *id);

	if (redirect != NULL)
		return res_redirect(r, arena_printf(r->a, "%s%cconnection_id=%s", redirect,
					   strchr(redirect, '?') == NULL ? '?' : '&', text));
	chrome_flash(r, "ok", n == 1 ? "%s is connected." : "%s: %zu connections are ready.",
	    p->display_name, n);
	return res_redirect(
	    r, n == 1 ? arena_printf(r->a, "/admin/connections/%s", text) : "/admin/connections");
}

/* ---- the way back ---------------------------------------------------------------------------- */

struct coming {
	struct req *r;
	const struct provider *p;
	struct oauth_login *login;
	struct provider_app *app;
	struct access access; /* as it grows */
	struct oauth_known k;
	struct grant grant;
	json_t *answer; /* of the exchange */
	struct oauth_found found;
};

static bool tell(struct coming *c, int status, const char *heading, const char *text)
{
	oauth_problem(c->r, status, c->p, heading, text, true);
	return false;
}

/* No state at all: it began at the provider, whose button knows nothing of us. */
static bool come_without_state(struct coming *c)
{
	return tell(c, 400, arena_printf(c->r->a, "This began at %s", c->p->display_name),
	    arena_printf(c->r->a,
		"%s sent you here without a login that was begun here, as its marketplace does. So "
		"that nobody can connect an account of theirs in your name, what it sent was not "
		"used. Begin here: it takes one more click.",
		c->p->display_name));
}

static bool come_find_login(struct coming *c)
{
	struct req *r = c->r;
	struct str state = req_query_text(r, "state");
	struct err err = ERR_INIT;
	int64_t expires_us;
	struct uuid id;
	int found;

	if (state.p == NULL)
		return come_without_state(c);
	if (!login_state_parse(r, state, &id, &expires_us))
		return tell(c, 400, "This answer belongs to no login that was begun here",
		    "Its state is not one of ours. If you followed a link that somebody sent you, "
		    "do not: log in from here.");
	if (expires_us < clock_now_us())
		return tell(c, 410, "This login took too long",
		    "It was begun more than a quarter of an hour ago, so its answer is not used "
		    "any more.");
	found = login_get(r->app, r->a, &id, &c->login, &err);
	if (found == -1) {
		res_error(r, &err);
		return false;
	}
	if (found == 0 || !uuid_is_nil(c->login->grant_id))
		return tell(c, 410, "This login is over",
		    "Its answer was used already: each is good once. If the connection is not "
		    "there, log in again.");
	if (!uuid_eq(c->login->account_id, r->actor.account_id) ||
	    strcmp(c->login->provider_type, c->p->name) != 0 || !login_is_of_browser(r, c->login))
		return tell(c, 403, "This login was begun elsewhere",
		    "It belongs to another browser or another account, and is good only there.");
	return true;
}

/* From here on the login is over, whatever comes. */
static bool come_take_login(struct coming *c)
{
	struct err err = ERR_INIT;
	int rc = login_take(c->r->app, &c->login->account_id, &c->login->id, &err);

	if (rc == 1)
		rc = provider_app_get(
		    c->r->app, c->r->a, &c->login->account_id, &c->login->app_id, &c->app, &err);
	else if (rc == 0)
		return tell(c, 410, "This login is over",
		    "Its answer was used already: each is good once.");
	if (rc == -1) {
		res_error(c->r, &err);
		return false;
	}
	if (rc == 0)
		return tell(c, 409, "The app of this login is gone",
		    "Somebody removed it in the meantime. Choose another one.");
	return true;
}

static void come_open(struct coming *c)
{
	json_t *payload = c->login->payload;

	c->access = (struct access){.external_account_id = "",
	    .settings = json_object_get(payload, "settings"),
	    .credentials = json_own(c->r->a, json_object()),
	    .app = c->app->credentials};
	c->k = (struct oauth_known){.c = &c->access,
	    .query = &c->r->query,
	    .redirect_uri = oauth_redirect_uri(c->r->a, c->r->app->config, c->p),
	    .verifier = json_str(payload, "verifier")};
}

/* A setting that the login was begun with must come back as it was. */
static bool come_take_settings(struct coming *c, const json_t *told, const char *from)
{
	struct req *r = c->r;
	json_t *settings = json_own(r->a, json_deep_copy(c->access.settings)), *v;
	struct err err = ERR_INIT;
	const char *key;

	json_object_each(told, key, v)
		json_set(settings, key, json_incref(v));
	if (connection_check_settings(r->app, c->p, settings, told, &err) == -1)
		return tell(c, 422, arena_printf(r->a, "%s cannot be used", from),
		    arena_printf(r->a, "%s: %s.", err.field, err.msg));
	c->access.settings = settings;
	return true;
}

static bool come_check_foreign(struct coming *c, const json_t *told)
{
	json_t *before = c->access.settings, *after, *v;
	const char *key;

	if (!come_take_settings(c, told, "What came back"))
		return false;
	after = c->access.settings;
	json_object_each(told, key, v) {
		const json_t *was = json_object_get(before, key);

		if (was != NULL && !json_equal(was, json_object_get(after, key)))
			return tell(c, 403, "The answer is of another account",
			    arena_printf(c->r->a,
				"The login was begun for %s, and came back from %s. Nothing was "
				"connected.",
				json_scalar_text(c->r->a, was),
				json_scalar_text(c->r->a, json_object_get(after, key))));
	}
	return true;
}

static bool come_tell_error(struct coming *c, const struct oauth_callback *back)
{
	bool is_denied = strcmp(back->error, "access_denied") == 0;

	return tell(c, 403,
	    arena_printf(c->r->a, is_denied ? "%s was not allowed" : "%s refused the login",
		is_denied ? "The access" : c->p->display_name),
	    is_denied
		? arena_printf(c->r->a,
		      "You, or a rule of your account at %s, said no. Nothing was connected. Log "
		      "in again to be asked once more%s%s.",
		      c->p->display_name, back->text != NULL ? ": " : "",
		      back->text != NULL ? back->text : "")
		: arena_printf(c->r->a, "It said: %s%s%s. Nothing was connected.", back->error,
		      back->text != NULL ? ": " : "", back->text != NULL ? back->text : ""));
}

static bool come_read(struct coming *c)
{
	struct oauth_callback back;
	struct err err = ERR_INIT;

	if (oauth_callback_read(c->r->a, c->p, &c->k, c->r->received_us, &back, &err) == -1)
		return tell(c, 403, "The answer could not be verified",
		    arena_printf(c->r->a,
			"What came back does not bear %s's mark: %s. Nothing was connected.",
			c->p->display_name, err.msg));
	if (back.error != NULL)
		return come_tell_error(c, &back);
	if (!come_check_foreign(c, back.settings))
		return false;
	if (back.code == NULL)
		return tell(c, 400, "The answer holds no code",
		    arena_printf(c->r->a, "%s sent you back without what a login brings.",
			c->p->display_name));
	c->k.code = back.code;
	return true;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static bool come_call(struct coming *c, const struct http_call *call, struct oauth_answer *ans)
{
	bool was_sent;

	grant_call(c->r->app, c->r->a, c->p, &c->k, call, ans, &was_sent);
	if (ans->class == CALL_OK)
		return true;
	log_warn("oauth.exchange", LOG_S("provider", c->p->name), LOG_S("error", ans->error));
	return tell(c, 502, arena_printf(c->r->a, "%s gave no tokens", c->p->display_name),
	    arena_printf(c->r->a, "%s. Nothing was connected%s", ans->error,
		ans->class == CALL_FATAL || ans->class == CALL_AUTH
		    ? ". If it goes on like this, the app's credentials may be wrong."
		    : ": try again in a moment."));
}

static bool come_take_tokens(struct coming *c, const struct oauth_answer *ans)
{
	const char *key;
	json_t *v;

	grant_take_tokens(&c->grant, &ans->tokens, clock_now_us());
	json_object_each(c->grant.tokens, key, v)
		json_object_set(c->access.credentials, key, v);
	c->k.access_token = json_str(c->grant.tokens, "accessToken");
	c->k.refresh_token = json_str(c->grant.tokens, "refreshToken");
	return come_take_settings(c, ans->tokens.settings, "What the login tells");
}

static bool come_exchange(struct coming *c)
{
	struct oauth_answer ans;
	struct err err = ERR_INIT;
	struct http_call call;
	int rc = oauth_build(c->r->a, c->p, OAUTH_CODE, OAUTH_EXCHANGE, &c->k, &call, &err);

	c->grant = (struct grant){.id = uuid_new(),
	    .account_id = c->login->account_id,
	    .app_id = c->app->id,
	    .provider = c->p,
	    .provider_type = c->p->name,
	    .kind = OAUTH_CODE,
	    .tokens = json_own(c->r->a, json_object())};
	for (size_t i = 0; rc == 0; i++) {
		if (!come_call(c, &call, &ans) || !come_take_tokens(c, &ans))
			return false;
		if (i == 0)
			c->answer = ans.json;
		if (i == oauth_then_count(c->p))
			break;
		rc = oauth_build_then(c->r->a, c->p, i, &c->k, &call, &err);
	}
	if (rc == -1)
		return tell(
		    c, 422, "The login cannot be finished", arena_printf(c->r->a, "%s.", err.msg));
	c->grant.settings = c->access.settings;
	return true;
}

/* ---- whose, and how many --------------------------------------------------------------------- */

static bool come_ask(struct coming *c, const char *action, json_t **output)
{
	struct call_result res;
	struct err err = ERR_INIT;

	*output = NULL;
	if (provider_action(c->r->app, c->r->a, c->p, &c->access, action, NULL, &res, &err) == 0 &&
	    res.class == CALL_OK) {
		*output = res.output;
		return true;
	}
	return tell(c, 502,
	    arena_printf(c->r->a, "%s did not say whose login this is", c->p->display_name),
	    arena_printf(c->r->a, "%s. Nothing was connected: try again in a moment.",
		err.code != ERR_NONE ? err.msg : res.error));
}

static bool come_identify(struct coming *c)
{
	const char *action = oauth_identify_action(c->p);
	struct oauth_identity who = {0};
	json_t *output = NULL, *item = json_object();

	c->found.items = json_own(c->r->a, json_array());
	json_array_append_new(c->found.items, item);
	if (!oauth_identifies(c->p))
		return true;
	if (action != NULL && !come_ask(c, action, &output))
		return false;
	oauth_identify_read(c->r->a, c->p, &c->access, c->answer, output, &who);
	if (who.external_id == NULL)
		return tell(c, 502,
		    arena_printf(c->r->a, "%s did not say whose login this is", c->p->display_name),
		    "Its answer names no account. Nothing was connected.");
	json_set_str(item, "externalAccountId", who.external_id);
	json_set_str(item, "name", who.name);
	c->found.is_proved = provider_answers_itself(c->p, c->r->a, c->access.settings);
	return true;
}

static bool come_expand(struct coming *c)
{
	json_t *output;

	if (!come_ask(c, oauth_expand_action(c->p), &output))
		return false;
	c->found.items = oauth_expand_read(c->r->a, c->p, &c->access, output);
	c->found.is_proved = provider_answers_itself(c->p, c->r->a, c->access.settings);
	if (json_array_size(c->found.items) > 0)
		return true;
	return tell(c, 409, "There is nothing to connect",
	    arena_printf(c->r->a,
		"The login works, but it gives access to no account or page. At %s, give it access "
		"to at least one, and log in again.",
		c->p->display_name));
}

/* ---- ending ---------------------------------------------------------------------------------- */

struct choice_storing {
	struct coming *c;
	struct oauth_login choice;
};

static int choice_store_body(struct db *db, void *arg, struct err *err)
{
	struct choice_storing *s = arg;
	struct coming *c = s->c;

	(void)db;
	return grant_insert(c->r->app, c->r->a, &c->grant, c->answer, err) == -1
		   ? -1
		   : login_insert(c->r->app, c->r->a, &s->choice, err);
}

/* What came is kept for an hour, so that people can choose in peace. */
static int come_offer(struct coming *c)
{
	struct choice_storing s = {.c = c, .choice = *c->login};
	struct err err = ERR_INIT;
	json_t *payload = json_own(c->r->a, json_object());

	s.choice.id = uuid_new();
	s.choice.grant_id = c->grant.id;
	s.choice.expires_us = clock_now_us() + CHOICE_LIFE_S * SECOND_US;
	s.choice.payload = payload;
	json_set(payload, "items", json_incref(c->found.items));
	json_set_str(payload, "redirect", json_str(c->login->payload, "redirect"));
	json_set_bool(payload, "isProved", c->found.is_proved);
	if (db_transaction(c->r->app->db, choice_store_body, &s, &err) == -1)
		return res_error(c->r, &err);
	return res_redirect(c->r, arena_printf(c->r->a, "/admin/connect/%s/choose/%s", c->p->name,
				      uuid_dup(c->r->a, s.choice.id)));
}

static int come_store(struct coming *c)
{
	struct err err = ERR_INIT;
	struct uuid id;

	c->found.provider = c->p;
	c->found.grant = &c->grant;
	c->found.answer = c->answer;
	c->found.connection_id = c->login->connection_id;
	if (oauth_store(c->r, &c->found, &id, &err) == 0)
		return oauth_leave(c->r, json_str(c->login->payload, "redirect"), c->p, &id, 1);
	if (err.code != ERR_CONFLICT && err.code != ERR_INVALID)
		return res_error(c->r, &err);
	tell(c, err.code == ERR_CONFLICT ? 409 : 422, "It was not connected",
	    arena_printf(c->r->a, "%s.", err.msg));
	return 0;
}

static int come_finish(struct coming *c)
{
	bool has_many = oauth_expand_action(c->p) != NULL;

	if (!come_exchange(c) || !(has_many ? come_expand(c) : come_identify(c)))
		return 0;
	return has_many && uuid_is_nil(c->login->connection_id) ? come_offer(c) : come_store(c);
}

int oauth_callback(struct req *r)
{
	struct coming c = {.r = r, .p = oauth_provider_of_route(r)};
	int rc;

	if (c.p == NULL || !come_find_login(&c) || !come_take_login(&c))
		return 0;
	come_open(&c);
	if (!come_read(&c))
		return 0;
	if (!shared_wait_begin(
		r->app->shared, uuid_number(r->actor.account_id), config_waiters(r->app->config)))
		return res_problem(
		    r, 503, "Too many requests wait for answers: log in again shortly");
	rc = come_finish(&c);
	shared_wait_end(r->app->shared);
	return rc;
}
