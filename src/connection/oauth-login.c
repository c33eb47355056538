/* A login begins: what it is for is checked and kept, the browser is bound to it, and sent away.
 *
 *	/auth/TYPE/login ──> account, connection, app, settings, redirect ──> row + cookie ──┐
 *	                                                                                  provider
 *	/auth/TYPE/callback <──────────────────────── code and state ────────────────────────┘
 *
 * The row is what the callback goes by: state is only its sealed name, good once, for a quarter of
 * an hour, in the browser whose cookie has the hash that the row holds. */
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/shared.h"
#include "connection/app.h"
#include "connection/oauth-internal.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "html/chrome.h"

#define COOKIE_BYTES 32
#define COOKIE_TEXT 43
#define VERIFIER_BYTES 48 /* 64 characters, RFC 7636 §4.1 */
#define LOGINS_PER_MINUTE 60
#define STATE_BYTES 24 /* id, then its end */

/* ---- state and browser ----------------------------------------------------------------------- */

static struct str state_context(struct req *r)
{
	return str_from(arena_printf(r->a, "oauth.state:%s",
	    arena_strndup(r->a, req_param(r, "type").p, req_param(r, "type").n)));
}

static const char *login_state(struct req *r, const struct oauth_login *l)
{
	unsigned char plain[STATE_BYTES];
	struct err err = ERR_INIT;
	struct buf *text = buf_new(r->a, 256);
	struct str sealed;

	memcpy(plain, l->id.b, 16);
	for (int i = 0; i < 8; i++)
		plain[16 + i] = (unsigned char)((uint64_t)l->expires_us >> (56 - 8 * i));
	sealed = aead_seal(r->app->keys, r->a, state_context(r),
	    (struct str){(const char *)plain, sizeof(plain)}, &err);
	base64url_encode(text, sealed.p, sealed.n);
	return text->p;
}

bool login_state_parse(struct req *r, struct str state, struct uuid *id, int64_t *expires_us)
{
	unsigned char blob[256];
	struct err err = ERR_INIT;
	long n = base64url_decode(blob, sizeof(blob), state);
	struct str plain;
	uint64_t v = 0;

	if (n <= 0)
		return false;
	plain = aead_open(r->app->keys, r->a, state_context(r),
	    (struct str){(const char *)blob, (size_t)n}, &err);
	if (plain.n != STATE_BYTES)
		return false;
	memcpy(id->b, plain.p, 16);
	for (size_t i = 16; i < STATE_BYTES; i++)
		v = v << 8 | (unsigned char)plain.p[i];
	*expires_us = (int64_t)v;
	return true;
}

static const char *browser_cookie(struct req *r)
{
	struct str had = req_cookie(r, LOGIN_COOKIE);
	unsigned char raw[COOKIE_BYTES];
	const char *value;

	/* One for all logins of the browser: two tabs may log in at once. */
	value = had.n == COOKIE_TEXT && base64url_decode(raw, sizeof(raw), had) == COOKIE_BYTES
		    ? arena_strndup(r->a, had.p, had.n)
		    : random_token(r->a, COOKIE_BYTES);
	res_cookie(r, LOGIN_COOKIE, value, CHOICE_LIFE_S, true);
	return value;
}

bool login_is_of_browser(struct req *r, const struct oauth_login *l)
{
	struct str cookie = req_cookie(r, LOGIN_COOKIE);
	unsigned char hash[SHA256_SIZE];

	if (cookie.n != COOKIE_TEXT)
		return false;
	sha256(cookie, hash);
	return mem_equal_ct(hash, sizeof(hash), l->browser, sizeof(l->browser));
}

/* ---- where it may end ------------------------------------------------------------------------ */

static bool is_plain_uri(struct str uri)
{
	for (size_t i = 0; i < uri.n; i++)
		if (uri.p[i] <= ' ' || uri.p[i] >= 0x7f || strchr("\\\"<>#", uri.p[i]) != NULL)
			return false;
	return uri.n > 0 && uri.n <= LIMIT_URL_BYTES;
}

/* Is it base itself, or a place below it? */
static bool uri_is_below(struct str uri, struct str base)
{
	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	return base.n > 0 && uri.n >= base.n && memcmp(uri.p, base.p, base.n) == 0 &&
	       (uri.n == base.n || uri.p[base.n] == '/' || uri.p[base.n] == '?');
}

/* Whole path segments alone, and none that climbs: what is below in the text is below for real. */
static bool uri_climbs(struct str uri)
{
	struct str rest = uri, path, part;

	str_split(&rest, '?', &path);
	while (str_split(&path, '/', &part)) {
		if (str_is(part, "..") || str_is(part, ".") || memchr(part.p, '%', part.n) != NULL)
			return true;
	}
	return false;
}

/* A path of ours, an address below base_url, or one of oauth_redirect_uris. */
static bool oauth_redirect_is_allowed(const struct config *cfg, struct str uri)
{
	struct str rest = str_from(cfg->oauth_redirect_uris), one;

	if (!is_plain_uri(uri) || uri_climbs(uri))
		return false;
	if (uri.p[0] == '/')
		return uri.n == 1 || uri.p[1] != '/';
	if (uri_is_below(uri, str_from(cfg->base_url)))
		return true;
	while (str_split(&rest, ',', &one)) {
		one = str_trim(one);
		if (str_eq(uri, one) || (str_ends(one, "/") && uri_is_below(uri, one)))
			return true;
	}
	return false;
}

const char *oauth_redirect_uri(struct arena *a, const struct config *cfg, const struct provider *p)
{
	return arena_printf(a, "%s/auth/%s/callback", cfg->base_url, p->name);
}

/* ---- what it is for -------------------------------------------------------------------------- */

struct login_asked {
	struct req *r;
	const struct provider *p;
	struct connection *c; /* it is logged in again; NULL: a new one */
	struct provider_app *app;
	json_t *settings;
	const char *redirect, *name;
};

const struct provider *oauth_provider_of_route(struct req *r)
{
	const struct provider *p = provider_find(r->app->providers, req_param(r, "type"));

	if (p != NULL && p->is_available && oauth_takes(p, OAUTH_CODE))
		return p;
	res_problem(r, 404, "There is no login at a provider of that name");
	return NULL;
}

/* Each of these answers where it says false. */
static bool login_read_account(struct login_asked *l)
{
	struct str given = req_query_text(l->r, "account_id");
	struct uuid id;

	if (given.p == NULL || (uuid_parse(given, &id) && uuid_eq(id, l->r->actor.account_id)))
		return true;
	oauth_problem(l->r, 403, l->p, "This login is for another account",
	    "You are signed in to a different account than the one that the link names. Sign in to "
	    "that one, and follow the link again.",
	    false);
	return false;
}

static bool login_read_redirect(struct login_asked *l)
{
	struct str given = req_query_text(l->r, "redirect_uri");

	if (given.p == NULL)
		return true;
	if (!oauth_redirect_is_allowed(l->r->app->config, given)) {
		oauth_problem(l->r, 422, l->p, "The link leads to an address that is not allowed",
		    "Its redirect_uri is neither of this site nor among the addresses that the "
		    "operator allows (oauth_redirect_uris). Nothing was begun.",
		    true);
		return false;
	}
	l->redirect = arena_strndup(l->r->a, given.p, given.n);
	return true;
}

static bool login_read_connection(struct login_asked *l)
{
	struct str given = req_query_text(l->r, "connection_id");
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (given.p == NULL)
		return true;
	found = uuid_parse(given, &id) ? connection_get_shown(l->r->app, l->r->a,
					     &l->r->actor.account_id, &id, &l->c, &err)
				       : 0;
	if (found == 1 && l->c->provider == l->p)
		return true;
	if (found == -1)
		res_error(l->r, &err);
	else
		oauth_problem(l->r, 404, l->p, "There is no such connection",
		    "It may have been disconnected meanwhile.", true);
	return false;
}

static const struct uuid *app_asked(struct login_asked *l, struct uuid *id)
{
	struct str given = req_query_text(l->r, "app_id");

	if (given.p != NULL)
		return uuid_parse(given, id) ? id : NULL;
	if (l->c != NULL && !uuid_is_nil(l->c->app_id)) {
		*id = l->c->app_id;
		return id;
	}
	return NULL;
}

/* The one that is asked for, or the connection's, or the only one. */
static bool login_read_app(struct login_asked *l)
{
	struct provider_app **v;
	struct uuid id;
	const struct uuid *asked = app_asked(l, &id);
	struct err err = ERR_INIT;
	size_t n, at = 0;

	if (provider_app_list_usable(
		l->r->app, l->r->a, &l->r->actor.account_id, l->p, &v, &n, &err) == -1) {
		res_error(l->r, &err);
		return false;
	}
	while (asked != NULL && at < n && !uuid_eq(v[at]->id, *asked))
		at++;
	if (n == 0 || (asked == NULL && n > 1) || at == n) {
		oauth_problem(l->r, n == 0 ? 409 : 422, l->p,
		    n == 0 ? "There is no app to log in by" : "Choose an app",
		    n == 0 ? "A login needs the credentials of an app at the provider. Who may "
			     "change settings adds one under Settings, Apps; or the operator, by "
			     "connectctl app add, for all accounts."
			   : "There are several apps of this provider. Go back to the connect "
			     "page and choose one.",
		    n > 0);
		return false;
	}
	l->app = v[at];
	return true;
}

/* What the address says, over what the connection has. */
static bool login_read_settings(struct login_asked *l)
{
	static const char prefix[] = "settings.";
	struct req *r = l->r;
	struct err err = ERR_INIT;
	json_t *given = json_own(r->a, json_object());

	l->settings =
	    json_own(r->a, l->c != NULL ? json_deep_copy(l->c->access.settings) : json_object());
	for (size_t i = 0; i < r->query.n; i++) {
		struct str name = r->query.v[i].name, v = utf8_trim(r->query.v[i].value);
		const char *key;

		if (!str_starts(name, prefix) || v.n == 0)
			continue;
		key = arena_strndup(r->a, name.p + sizeof(prefix) - 1, name.n - sizeof(prefix) + 1);
		json_set_strn(l->settings, key, v);
		json_set_strn(given, key, v);
	}
	/* Whoever made the link would be sent what the login gives. */
	if (!provider_answers_itself(l->p, r->a, l->settings))
		err_field(&err, ERR_INVALID, "settings.baseUrl",
		    "leads to another server than %s's own, which would be given the login's "
		    "tokens",
		    l->p->display_name);
	else if (connection_check_settings(r->app, l->p, l->settings, given, &err) == 0)
		return true;
	oauth_problem(r, 422, l->p, "The login cannot begin like this",
	    arena_printf(r->a, "%s: %s.", err.field, err.msg), true);
	return false;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static json_t *login_payload(const struct login_asked *l, const char *verifier)
{
	json_t *o = json_own(l->r->a, json_object());

	json_set_str(o, "verifier", verifier);
	json_set(o, "settings", json_incref(l->settings));
	json_set_str(o, "redirect", l->redirect);
	return o;
}

static int login_begin(struct login_asked *l, const char **url, struct err *err)
{
	struct req *r = l->r;
	const char *verifier = random_token(r->a, VERIFIER_BYTES);
	struct oauth_login row = {.id = uuid_new(),
	    .account_id = r->actor.account_id,
	    .user_id = r->actor.user_id,
	    .app_id = l->app->id,
	    .provider_type = l->p->name,
	    .payload = login_payload(l, verifier),
	    .expires_us = clock_now_us() + LOGIN_LIFE_S * SECOND_US};
	struct access access = {
	    .external_account_id = "", .settings = l->settings, .app = l->app->credentials};
	struct oauth_known k = {.c = &access,
	    .redirect_uri = oauth_redirect_uri(r->a, r->app->config, l->p),
	    .verifier = verifier};

	if (l->c != NULL)
		row.connection_id = l->c->id;
	sha256(str_from(browser_cookie(r)), row.browser);
	if (oauth_authorize_url(r->a, l->p, &k, login_state(r, &row), url, err) == -1)
		return -1;
	*url = provider_wire_url(r->app->config, r->a, l->p, *url);
	return login_insert(r->app, r->a, &row, err);
}

/* A form may not be answered by leading away (form-action): a page leads on by itself. */
static int login_lead_on(struct req *r, const struct provider *p, const char *url)
{
	json_t *data;

	if (!str_is(req_query(r, "form"), "1")) {
		res_header(r, "Location", url);
		res_header(r, "Cache-Control", "no-store");
		return res_empty(r, 302);
	}
	data = json_object();
	json_set_str(data, "url", url);
	json_set_str(data, "name", p->display_name);
	res_header(r, "Refresh", arena_printf(r->a, "0; url=%s", url));
	return chrome_page(r, 200, "connections",
	    arena_printf(r->a, "Going to %s", p->display_name), "connection/login-going", data);
}

int oauth_login(struct req *r)
{
	struct login_asked l = {.r = r, .p = oauth_provider_of_route(r)};
	const char *key = arena_printf(r->a, "login:%s", uuid_dup(r->a, r->actor.account_id));
	struct err err = ERR_INIT;
	const char *url;

	if (l.p == NULL || !login_read_account(&l) || !login_read_redirect(&l) ||
	    !login_read_connection(&l) || !login_read_app(&l) || !login_read_settings(&l))
		return 0;
	if (shared_rate_take(r->app->shared, str_from(key), LOGINS_PER_MINUTE, 60, r->received_us)
		.is_over)
		return res_problem(r, 429, "Too many logins were begun: try again in a minute");
	if (login_begin(&l, &url, &err) == -1) {
		if (err.code != ERR_INVALID)
			return res_error(r, &err);
		return oauth_problem(r, 422, l.p, "The login cannot begin like this",
		    arena_printf(r->a, "%s.", err.msg), true);
	}
	return login_lead_on(r, l.p, url);
}
