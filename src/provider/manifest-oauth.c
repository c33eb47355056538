/* The "oauth" section of a manifest. What it says is checked here whole, so that a login never
 * fails half way for what the manifest lacks. */
#include "provider/oauth-manifest.h"

#define WARN_DAYS 14
#define HMAC_WINDOW_S 90

#define BIT(root) EXPR_ROOT_BIT(OAUTH_ROOT_##root)
/* Where the browser is sent everything is seen: no secret may be named there. */
#define ROOTS_SEEN (BIT(SETTINGS) | BIT(VERSION))
#define ROOTS_CALLBACK (BIT(SETTINGS) | BIT(QUERY))
#define ROOTS_CALL                                                                                 \
	(BIT(SETTINGS) | BIT(VERSION) | BIT(APP) | BIT(CREDENTIALS) | BIT(CODE) |                  \
	    BIT(REDIRECT_URI) | BIT(REFRESH_TOKEN) | BIT(ACCESS_TOKEN))
#define ROOTS_TOKENS (BIT(SETTINGS) | BIT(ANSWER) | BIT(STATUS))
#define ROOTS_WHOSE (BIT(SETTINGS) | BIT(ANSWER) | BIT(OUTPUT))

static struct str query_find(const void *from, const char *name)
{
	return http_pairs_get(from, name);
}

static const struct expr_root oauth_roots[] = {
    {"settings", OAUTH_ROOT_SETTINGS, NULL, NULL},
    {"query", OAUTH_ROOT_QUERY, query_find, NULL},
    {"answer", OAUTH_ROOT_ANSWER, NULL, NULL},
    {"status", OAUTH_ROOT_STATUS, NULL, NULL},
    {"output", OAUTH_ROOT_OUTPUT, NULL, NULL},
    {"app", OAUTH_ROOT_APP, NULL, NULL},
    {"credentials", OAUTH_ROOT_CREDENTIALS, NULL, NULL},
    {"code", OAUTH_ROOT_CODE, NULL, NULL},
    {"redirectUri", OAUTH_ROOT_REDIRECT_URI, NULL, NULL},
    {"refreshToken", OAUTH_ROOT_REFRESH_TOKEN, NULL, NULL},
    {"accessToken", OAUTH_ROOT_ACCESS_TOKEN, NULL, NULL},
    {"version", OAUTH_ROOT_VERSION, NULL, NULL},
};

static const struct expr_language oauth_language = {
    .syntax = EXPR_SINGLE_BRACES,
    .roots = oauth_roots,
    .nroots = sizeof(oauth_roots) / sizeof(*oauth_roots),
    .functions = expr_functions,
};

static const char *const kinds[] = {[OAUTH_CODE] = "authorization_code",
    [OAUTH_CLIENT] = "client_credentials",
    [OAUTH_ACCOUNT] = "account_credentials",
    NULL};

const char *oauth_kind_name(enum oauth_kind kind)
{
	return kinds[kind];
}

bool oauth_kind_parse(const char *name, enum oauth_kind *out)
{
	for (int i = 0; name != NULL && kinds[i] != NULL; i++)
		if (strcmp(kinds[i], name) == 0) {
			*out = (enum oauth_kind)i;
			return true;
		}
	return false;
}

/* ---- pieces -------------------------------------------------------------------------------- */

/* null takes a parameter out. */
static int param_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct named_expr *e = out;

	(void)p;
	e->name = name;
	return json_is_null(v) ? 0 : expr_compile(l, v, &e->value);
}

static int load_params(struct loader *l, struct provider *p, const json_t *object, const char *key,
    struct named_expr **out, size_t *n)
{
	const struct manifest_many many = {key, READ_OBJECT, sizeof(**out), param_one};

	*out = manifest_many(l, p, object, &many, n);
	return *out == NULL ? -1 : 0;
}

/* Settings that an answer, or the callback, fills in: each must be one of the manifest's. */
static int load_set(
    struct loader *l, struct provider *p, const json_t *object, struct named_expr **out, size_t *n)
{
	if (load_params(l, p, object, "settings", out, n) == -1)
		return -1;
	for (size_t i = 0; i < *n; i++)
		if (!manifest_has_setting(p, (*out)[i].name))
			return json_reader_fail_at(
			    &l->in, "settings", "%s is not among the settings", (*out)[i].name);
	return 0;
}

/* An object that may be left out: is_there says whether it is. */
static size_t section_enter(
    struct loader *l, const json_t *object, const char *key, const json_t **out)
{
	*out = json_object_get(object, key);
	return json_reader_enter(&l->in, key);
}

static int credential_check(struct loader *l, const struct provider *p, const char *key)
{
	if (manifest_has_credential(p, key))
		return 0;
	return json_reader_fail(&l->in, "%s is not among the credentials", key);
}

/* ---- the browser's way --------------------------------------------------------------------- */

static int load_authorize(struct loader *l, struct provider *p, const json_t *json, struct oauth *o)
{
	static const struct loader_member members[] = {
	    {{"url", JSON_INTO(struct oauth, authorize.url)}, MEMBER_EXPR},
	    TEXT_MEMBER("scopeSeparator", struct oauth, authorize.separator),
	    TEXT_MEMBER("clientIdName", struct oauth, authorize.client_id_name),
	    TEXT_MEMBER("redirectUriName", struct oauth, authorize.redirect_uri_name),
	    BOOL_MEMBER("pkce", struct oauth, authorize.has_pkce), OTHER_MEMBER("scopes"),
	    OTHER_MEMBER("params")};
	const json_t *v;
	size_t mark = section_enter(l, json, "authorize", &v);

	o->authorize.separator = " ";
	o->authorize.client_id_name = "client_id";
	o->authorize.redirect_uri_name = "redirect_uri";
	l->roots = ROOTS_SEEN;
	if (loader_members(l, v, MEMBERS(members), o) == -1 ||
	    manifest_texts(l, v, "scopes", &o->authorize.scopes, &o->authorize.nscopes) == -1 ||
	    load_params(l, p, v, "params", &o->authorize.params, &o->authorize.nparams) == -1)
		return -1;
	if (o->authorize.url == NULL)
		return json_reader_fail(&l->in, "needs \"url\"");
	json_reader_leave(&l->in, mark);
	return 0;
}

/* "hmac": {"parameter": "hmac", "credential": "app.clientSecret", "timestamp": "timestamp"}: hex
 * HMAC-SHA256 of the other parameters, sorted, as "a=1&b=2". */
static int load_callback_hmac(
    struct loader *l, struct provider *p, const json_t *callback, struct oauth *o)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("parameter", struct oauth, callback.hmac_parameter),
	    NEEDED_TEXT_MEMBER("credential", struct oauth, callback.hmac_credential),
	    TEXT_MEMBER("timestamp", struct oauth, callback.timestamp_parameter),
	    INT_MEMBER("windowSeconds", struct oauth, callback.window_s, 1, 86400)};
	const json_t *v;
	size_t mark = section_enter(l, callback, "hmac", &v);

	if (v != NULL) {
		o->callback.is_signed = true;
		o->callback.window_s = HMAC_WINDOW_S;
		if (loader_members(l, v, MEMBERS(members), o) == -1 ||
		    credential_check(l, p, o->callback.hmac_credential) == -1)
			return -1;
	}
	json_reader_leave(&l->in, mark);
	return 0;
}

static int load_callback(struct loader *l, struct provider *p, const json_t *json, struct oauth *o)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("code", struct oauth, callback.code),
	    EXPR_MEMBER("error", struct oauth, callback.error),
	    EXPR_MEMBER("errorText", struct oauth, callback.text), OTHER_MEMBER("settings"),
	    OTHER_MEMBER("hmac")};
	const json_t *v;
	size_t mark = section_enter(l, json, "callback", &v);

	l->roots = ROOTS_CALLBACK;
	if (v != NULL &&
	    (loader_members(l, v, MEMBERS(members), o) == -1 ||
		load_set(l, p, v, &o->callback.settings, &o->callback.nsettings) == -1 ||
		load_callback_hmac(l, p, v, o) == -1))
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- requests ------------------------------------------------------------------------------ */

static const struct loader_member request_members[] = {
    EXPR_MEMBER("url", struct oauth_request, url),
    EXPR_MEMBER("method", struct oauth_request, method),
    TEXT_MEMBER("clientIdName", struct oauth_request, client_id_name),
    TEXT_MEMBER("clientSecretName", struct oauth_request, client_secret_name),
    TEXT_MEMBER("codeName", struct oauth_request, code_name), OTHER_MEMBER("body"),
    OTHER_MEMBER("client"), OTHER_MEMBER("params"), OTHER_MEMBER("headers")};

/* Where the reader stands. What is not said is as it is in *out. */
static int load_request_at(
    struct loader *l, struct provider *p, const json_t *v, struct oauth_request *out)
{
	static const char *const bodies[] = {"form", "json", "query", NULL};
	static const char *const places[] = {"body", "basic", "none", NULL};

	const struct oauth_request like = *out;

	l->roots = ROOTS_CALL;
	out->is_declared = true;
	if (loader_members(l, v, MEMBERS(request_members), out) == -1 ||
	    (json_object_get(v, "body") != NULL &&
		manifest_word(l, v, "body", bodies, &out->body) == -1) ||
	    (json_object_get(v, "client") != NULL &&
		manifest_word(l, v, "client", places, &out->client) == -1) ||
	    (json_object_get(v, "params") != NULL &&
		load_params(l, p, v, "params", &out->params, &out->nparams) == -1) ||
	    (json_object_get(v, "headers") != NULL &&
		load_params(l, p, v, "headers", &out->headers, &out->nheaders) == -1))
		return -1;
	/* What is absent was read as nothing. */
	if (out->url == NULL)
		out->url = like.url;
	if (out->method == NULL)
		out->method = like.method;
	return out->url == NULL ? json_reader_fail(&l->in, "needs \"url\"") : 0;
}

/* A request that is as the exchange but for what it says itself, and for the parameters, which are
 * its own. */
static int load_request(struct loader *l, struct provider *p, const json_t *json, const char *key,
    const struct oauth_request *like, struct oauth_request *out)
{
	const json_t *v;
	size_t mark = section_enter(l, json, key, &v);

	if (v != NULL) {
		*out = *like;
		out->params = NULL;
		out->nparams = 0;
		if (load_request_at(l, p, v, out) == -1)
			return -1;
	}
	json_reader_leave(&l->in, mark);
	return 0;
}

static int then_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct oauth_request *q = out;

	(void)name;
	*q = (struct oauth_request){.client = OAUTH_CLIENT_NONE,
	    .body = OAUTH_QUERY,
	    .client_id_name = "client_id",
	    .client_secret_name = "client_secret"};
	return load_request_at(l, p, v, q);
}

static int load_requests(struct loader *l, struct provider *p, const json_t *json, struct oauth *o)
{
	static const struct oauth_request plain = {.client_id_name = "client_id",
	    .client_secret_name = "client_secret",
	    .code_name = "code"};
	static const struct manifest_many then = {
	    "then", READ_LIST, sizeof(struct oauth_request), then_one};
	const struct oauth_request *like;

	if (load_request(l, p, json, "exchange", &plain, &o->exchange) == -1)
		return -1;
	like = o->exchange.is_declared ? &o->exchange : &plain;
	if (load_request(l, p, json, "refresh", like, &o->refresh) == -1 ||
	    load_request(l, p, json, "clientCredentials", like, &o->client) == -1 ||
	    load_request(l, p, json, "accountCredentials", like, &o->account) == -1 ||
	    load_request(l, p, json, "revoke", like, &o->revoke) == -1)
		return -1;
	o->then = manifest_many(l, p, json, &then, &o->nthen);
	return o->then == NULL ? -1 : 0;
}

/* ---- what answers say ---------------------------------------------------------------------- */

static int load_user_tokens(struct loader *l, const json_t *tokens, struct oauth_token_rules *out)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("accessToken", struct oauth_token_rules, user_access),
	    EXPR_MEMBER("refreshToken", struct oauth_token_rules, user_refresh),
	    EXPR_MEMBER("expiresIn", struct oauth_token_rules, user_expires)};
	const json_t *v;
	size_t mark = section_enter(l, tokens, "user", &v);

	if (v != NULL && loader_members(l, v, MEMBERS(members), out) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* RFC 6749 §5.1, where the manifest does not say otherwise. */
static int tokens_preset(struct loader *l, struct oauth_token_rules *t)
{
	struct {
		struct expr **place;
		const char *text;
	} presets[] = {{&t->access, "{answer.access_token}"},
	    {&t->refresh, "{answer.refresh_token}"}, {&t->expires, "{answer.expires_in}"},
	    {&t->scope, "{answer.scope}"}};

	for (size_t i = 0; i < sizeof(presets) / sizeof(*presets); i++)
		if (*presets[i].place == NULL &&
		    expr_compile(
			l, json_own(l->a, json_string(presets[i].text)), presets[i].place) == -1)
			return -1;
	return 0;
}

static int load_tokens(struct loader *l, struct provider *p, const json_t *json, struct oauth *o)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("accessToken", struct oauth_token_rules, access),
	    EXPR_MEMBER("refreshToken", struct oauth_token_rules, refresh),
	    EXPR_MEMBER("expiresIn", struct oauth_token_rules, expires),
	    EXPR_MEMBER("refreshExpiresIn", struct oauth_token_rules, refresh_expires),
	    EXPR_MEMBER("scope", struct oauth_token_rules, scope), OTHER_MEMBER("settings"),
	    OTHER_MEMBER("user")};
	const json_t *v;
	size_t mark = section_enter(l, json, "tokens", &v);

	l->roots = ROOTS_TOKENS;
	if (v != NULL && (loader_members(l, v, MEMBERS(members), &o->tokens) == -1 ||
			     load_set(l, p, v, &o->tokens.settings, &o->tokens.nsettings) == -1 ||
			     load_user_tokens(l, v, &o->tokens) == -1))
		return -1;
	json_reader_leave(&l->in, mark);
	return tokens_preset(l, &o->tokens);
}

static int oauth_error_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {COND_MEMBER("when", struct error_rule, when),
	    OTHER_MEMBER("class"), TEXT_MEMBER("text", struct error_rule, text)};
	static const char *const words[] = {"auth", "retry", "rateLimited", "fatal", NULL};
	static const enum call_class classes[] = {
	    CALL_AUTH, CALL_RETRY, CALL_RATE_LIMITED, CALL_FATAL};
	struct error_rule *r = out;
	int word;

	(void)p;
	(void)name;
	if (loader_members(l, v, MEMBERS(members), r) == -1 ||
	    manifest_word(l, v, "class", words, &word) == -1)
		return -1;
	r->class = classes[word];
	return r->when == NULL ? json_reader_fail(&l->in, "needs \"when\"") : 0;
}

static int load_oauth_errors(
    struct loader *l, struct provider *p, const json_t *json, struct oauth *o)
{
	static const struct manifest_many errors = {
	    "errors", READ_LIST, sizeof(struct error_rule), oauth_error_one};

	l->roots = ROOTS_TOKENS;
	o->errors = manifest_many(l, p, json, &errors, &o->nerrors);
	return o->errors == NULL ? -1 : 0;
}

/* ---- whose, and how many ------------------------------------------------------------------- */

static int action_check(struct loader *l, const struct provider *p, const char *name)
{
	if (name == NULL || provider_find_action(p, name) != NULL)
		return 0;
	return json_reader_fail_at(&l->in, "action", "there is no such action");
}

static int load_identify(struct loader *l, struct provider *p, const json_t *json, struct oauth *o)
{
	static const struct loader_member members[] = {
	    TEXT_MEMBER("action", struct oauth, identify.action),
	    EXPR_MEMBER("externalAccountId", struct oauth, identify.external_id),
	    EXPR_MEMBER("name", struct oauth, identify.name)};
	const json_t *v;
	size_t mark = section_enter(l, json, "identify", &v);

	l->roots = ROOTS_WHOSE;
	if (v != NULL) {
		if (loader_members(l, v, MEMBERS(members), o) == -1 ||
		    action_check(l, p, o->identify.action) == -1)
			return -1;
		if (o->identify.external_id == NULL)
			return json_reader_fail(&l->in, "needs \"externalAccountId\"");
	}
	json_reader_leave(&l->in, mark);
	return 0;
}

static int load_expanded(
    struct loader *l, struct provider *p, const json_t *expand, struct oauth *o)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("externalAccountId", struct oauth, expand.external_id),
	    EXPR_MEMBER("name", struct oauth, expand.name),
	    EXPR_MEMBER("accessToken", struct oauth, expand.access), OTHER_MEMBER("settings")};
	const json_t *v;
	size_t mark = section_enter(l, expand, "connection", &v);

	if (loader_members(l, v, MEMBERS(members), o) == -1 ||
	    load_set(l, p, v, &o->expand.settings, &o->expand.nsettings) == -1)
		return -1;
	if (o->expand.external_id == NULL)
		return json_reader_fail(&l->in, "needs \"externalAccountId\"");
	json_reader_leave(&l->in, mark);
	return 0;
}

static int load_expand(struct loader *l, struct provider *p, const json_t *json, struct oauth *o)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("action", struct oauth, expand.action),
	    LOOPS_MEMBER("for", struct oauth, expand.loops), OTHER_MEMBER("connection")};
	const json_t *v;
	size_t mark = section_enter(l, json, "expand", &v), nloops = l->nloops;

	l->roots = BIT(SETTINGS) | BIT(OUTPUT);
	if (v != NULL &&
	    (loader_members(l, v, MEMBERS(members), o) == -1 ||
		action_check(l, p, o->expand.action) == -1 || load_expanded(l, p, v, o) == -1))
		return -1;
	l->nloops = nloops;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* No lifetime stays unknown: one of three is said. */
static int load_expiry(struct loader *l, const json_t *json, struct oauth *o)
{
	struct expiry {
		int64_t seconds;
		bool is_on_401, is_never;
	} e = {0};
	static const struct loader_member members[] = {
	    INT_MEMBER("seconds", struct expiry, seconds, 1, 315360000),
	    BOOL_MEMBER("on401", struct expiry, is_on_401),
	    BOOL_MEMBER("never", struct expiry, is_never)};
	const json_t *v;
	size_t mark = section_enter(l, json, "expiry", &v);

	if (loader_members(l, v, MEMBERS(members), &e) == -1)
		return -1;
	if ((e.seconds > 0) + e.is_on_401 + e.is_never != 1)
		return json_reader_fail(
		    &l->in, "needs one of \"seconds\", \"on401\": true and \"never\": true");
	o->lifetime_s = e.seconds > 0 ? e.seconds : OAUTH_UNTOLD;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int load_grants(struct loader *l, const json_t *json, struct oauth *o)
{
	const char **names;
	enum oauth_kind kind;
	size_t n;

	if (manifest_texts(l, json, "grants", &names, &n) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!oauth_kind_parse(names[i], &kind))
			return json_reader_fail_at(
			    &l->in, "grants", "unknown grant \"%s\"", names[i]);
		o->takes[kind] = true;
	}
	return n == 0 ? json_reader_fail_at(&l->in, "grants", "names none") : 0;
}

/* What each kind of grant cannot do without. */
static int oauth_check(struct loader *l, const struct provider *p, const struct oauth *o)
{
	bool has_client = manifest_has_credential(p, APP_CREDENTIAL "clientId") ||
			  manifest_has_credential(p, "clientId");

	if (!has_client)
		return json_reader_fail(
		    &l->in, "needs the credential clientId, of the app or of the connection");
	if (o->takes[OAUTH_CODE] && !manifest_has_credential(p, APP_CREDENTIAL "clientId"))
		return json_reader_fail(&l->in, "needs the app's credential clientId");
	if (o->takes[OAUTH_CODE] && !o->exchange.is_declared)
		return json_reader_fail(&l->in, "needs \"exchange\"");
	if (o->takes[OAUTH_CLIENT] && !o->client.is_declared && !o->exchange.is_declared)
		return json_reader_fail(&l->in, "needs \"clientCredentials\" or \"exchange\"");
	if (o->takes[OAUTH_ACCOUNT] && !o->account.is_declared)
		return json_reader_fail(&l->in, "needs \"accountCredentials\"");
	return 0;
}

static int load_oauth(struct loader *l, struct provider *p, const json_t *v, struct oauth *o)
{
	static const struct loader_member members[] = {
	    INT_MEMBER("warnDays", struct oauth, warn_days, 0, 365), OTHER_MEMBER("grants"),
	    OTHER_MEMBER("authorize"), OTHER_MEMBER("callback"), OTHER_MEMBER("exchange"),
	    OTHER_MEMBER("refresh"), OTHER_MEMBER("clientCredentials"),
	    OTHER_MEMBER("accountCredentials"), OTHER_MEMBER("revoke"), OTHER_MEMBER("then"),
	    OTHER_MEMBER("tokens"), OTHER_MEMBER("errors"), OTHER_MEMBER("identify"),
	    OTHER_MEMBER("expand"), OTHER_MEMBER("expiry")};

	o->warn_days = WARN_DAYS;
	if (loader_members(l, v, MEMBERS(members), o) == -1 || load_grants(l, v, o) == -1 ||
	    (o->takes[OAUTH_CODE] && load_authorize(l, p, v, o) == -1) ||
	    load_callback(l, p, v, o) == -1 || load_requests(l, p, v, o) == -1 ||
	    load_tokens(l, p, v, o) == -1 || load_oauth_errors(l, p, v, o) == -1 ||
	    load_identify(l, p, v, o) == -1 || load_expand(l, p, v, o) == -1 ||
	    load_expiry(l, v, o) == -1)
		return -1;
	return oauth_check(l, p, o);
}

int manifest_oauth(struct loader *l, struct provider *p, const json_t *json)
{
	const struct expr_language *language = l->language;
	const json_t *v;
	size_t mark = section_enter(l, json, "oauth", &v);
	int rc = 0;

	if (v != NULL) {
		l->language = &oauth_language;
		p->oauth = arena_zalloc(l->a, sizeof(*p->oauth));
		rc = load_oauth(l, p, v, p->oauth);
		l->language = language;
	}
	json_reader_leave(&l->in, mark);
	return rc;
}
