/* Token requests built and answers read, by a manifest's "oauth" section: see provider/oauth.h. */
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/hash.h"
#include "net/http-client.h"
#include "provider/oauth-manifest.h"

#include <stdlib.h>

#define WAIT_MOST_MS INT64_C(86400000)
#define TOKEN_BYTES_MOST 16384u
#define LIFETIME_MOST_S INT64_C(315360000)
#define ERROR_TEXT_BYTES 300u

bool oauth_is_there(const struct provider *p)
{
	return p->oauth != NULL;
}

bool oauth_takes(const struct provider *p, enum oauth_kind kind)
{
	return p->oauth != NULL && p->oauth->takes[kind];
}

/* ---- scopes -------------------------------------------------------------------------------- */

static json_t *text_json(struct arena *a, const char *text)
{
	return text == NULL ? NULL : json_own(a, json_string(text));
}

static void scope_of_oauth(
    struct scope *s, struct arena *a, const struct provider *p, const struct oauth_known *k)
{
	*s = (struct scope){.a = a};
	s->slot[OAUTH_ROOT_VERSION].json = text_json(a, p->version);
	s->slot[OAUTH_ROOT_SETTINGS].json = k->c->settings;
	s->slot[OAUTH_ROOT_APP].json = k->c->app;
	s->slot[OAUTH_ROOT_CREDENTIALS].json = k->c->credentials;
	s->slot[OAUTH_ROOT_QUERY].from = k->query;
	s->slot[OAUTH_ROOT_CODE].json = text_json(a, k->code);
	s->slot[OAUTH_ROOT_REDIRECT_URI].json = text_json(a, k->redirect_uri);
	s->slot[OAUTH_ROOT_ACCESS_TOKEN].json = text_json(a, k->access_token);
	s->slot[OAUTH_ROOT_REFRESH_TOKEN].json = text_json(a, k->refresh_token);
}

static const char *text_of(const struct expr *e, struct scope *s)
{
	struct str t = expr_text(e, s);

	return t.n == 0 ? NULL : arena_strndup(s->a, t.p, t.n);
}

/* The client's own credentials go before those of the app: who has a client of his own at the
 * provider acts by that. */
static const char *client_credential(const struct access *c, const char *key)
{
	const char *own = access_credential(c, key), *app;

	if (own != NULL && own[0] != '\0')
		return own;
	app = json_str(c->app, key);
	return app != NULL && app[0] != '\0' ? app : NULL;
}

/* ---- parameters ---------------------------------------------------------------------------- */

/* In the order in which they are sent; the later of a name replaces the earlier. */
static void params_set(json_t *params, const char *name, const char *value)
{
	if (value != NULL)
		json_set_str(params, name, value);
}

static void params_override(json_t *params, const struct named_expr *v, size_t n, struct scope *s)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = expr_json(v[i].value, s, false);

		if (value == NULL)
			json_object_del(params, v[i].name);
		else
			json_set(params, v[i].name, value);
	}
}

static void params_append(struct arena *a, struct buf *b, const json_t *params, char first)
{
	const char *name;
	json_t *v;
	char sep = first;

	json_object_each(params, name, v) {
		const char *text = json_scalar_text(a, v);

		if (text == NULL)
			text = json_text(a, v).p;
		if (sep != '\0')
			buf_chr(b, sep);
		percent_encode(b, str_from(name));
		buf_chr(b, '=');
		percent_encode(b, str_from(text));
		sep = '&';
	}
}

/* A placeholder cannot leave its place in an address: what it brings is percent-encoded, and such a
 * host is none. */
static int url_begin(
    const struct expr *url, struct scope *s, struct buf *b, const char *what, struct err *err)
{
	struct str t = expr_text_escaped(url, s, percent_encode);

	if (t.n == 0)
		return err_set(err, ERR_INVALID,
		    "the address of the %s needs a setting that is missing", what);
	buf_add(b, t.p, t.n);
	return 0;
}

static int url_end(struct buf *b, const char *what, const char **out, struct err *err)
{
	if (!buf_ok(b))
		return err_set(err, ERR_INVALID, "the address of the %s is longer than %u bytes",
		    what, LIMIT_URL_BYTES);
	*out = b->p;
	return 0;
}

static char query_sep(const struct buf *url)
{
	return strchr(url->p, '?') == NULL ? '?' : '&';
}

/* ---- authorize ----------------------------------------------------------------------------- */

/* RFC 7636 §4.2 */
static const char *pkce_challenge(struct arena *a, const char *verifier)
{
	unsigned char hash[SHA256_SIZE];
	struct buf *b = buf_new(a, 64);

	sha256(str_from(verifier), hash);
	base64url_encode(b, hash, sizeof(hash));
	return b->p;
}

static const char *scopes_text(struct arena *a, const struct oauth *o)
{
	struct buf *b = buf_new(a, LIMIT_URL_BYTES);

	for (size_t i = 0; i < o->authorize.nscopes; i++)
		buf_printf(b, "%s%s", i > 0 ? o->authorize.separator : "", o->authorize.scopes[i]);
	return b->len > 0 && buf_ok(b) ? b->p : NULL;
}

int oauth_authorize_url(struct arena *a, const struct provider *p, const struct oauth_known *k,
    const char *state, const char **url, struct err *err)
{
	const struct oauth *o = p->oauth;
	const char *client_id = json_str(k->c->app, "clientId");
	struct buf *b = buf_new(a, LIMIT_URL_BYTES);
	json_t *params = json_own(a, json_object());
	struct scope s;

	if (client_id == NULL)
		return err_set(err, ERR_INVALID, "the app has no client ID");
	scope_of_oauth(&s, a, p, k);
	if (url_begin(o->authorize.url, &s, b, "login", err) == -1)
		return -1;
	params_set(params, "response_type", "code");
	params_set(params, o->authorize.client_id_name, client_id);
	params_set(params, o->authorize.redirect_uri_name, k->redirect_uri);
	params_set(params, "scope", scopes_text(a, o));
	if (o->authorize.has_pkce && k->verifier != NULL) {
		params_set(params, "code_challenge", pkce_challenge(a, k->verifier));
		params_set(params, "code_challenge_method", "S256");
	}
	params_override(params, o->authorize.params, o->authorize.nparams, &s);
	params_set(params, "state", state);
	params_append(a, b, params, query_sep(b));
	return url_end(b, "login", url, err);
}

/* ---- callback ------------------------------------------------------------------------------ */

static int pair_by_name(const void *x, const void *y)
{
	const struct http_pair *a = x, *b = y;
	size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
	int by = memcmp(a->name.p, b->name.p, n);

	return by != 0 ? by : (a->name.n > b->name.n) - (a->name.n < b->name.n);
}

/* All parameters but the signature, decoded, sorted by name: "code=1&shop=a&state=2". */
static struct str callback_signed_text(
    struct arena *a, const struct http_pairs *query, const char *without)
{
	struct http_pair *v = arena_memdup(a, query->v, (query->n + 1) * sizeof(*v));
	struct buf *b = buf_new(a, LIMIT_HEADER_BYTES);

	qsort(v, query->n, sizeof(*v), pair_by_name);
	for (size_t i = 0; i < query->n; i++) {
		if (str_is(v[i].name, without))
			continue;
		if (b->len > 0)
			buf_chr(b, '&');
		buf_add(b, v[i].name.p, v[i].name.n);
		buf_chr(b, '=');
		buf_add(b, v[i].value.p, v[i].value.n);
	}
	return (struct str){b->p, b->len};
}

static int callback_verify(struct arena *a, const struct oauth *o, const struct oauth_known *k,
    int64_t now_us, struct err *err)
{
	const char *secret = access_credential(k->c, o->callback.hmac_credential);
	struct str given = http_pairs_get(k->query, o->callback.hmac_parameter);
	struct str text = callback_signed_text(a, k->query, o->callback.hmac_parameter);
	unsigned char mac[SHA256_SIZE];
	struct buf *hex = buf_new(a, 2 * SHA256_SIZE);
	int64_t at_s = 0, away;

	if (secret == NULL)
		return err_set(
		    err, ERR_REFUSED, "the app has no secret by which the answer can be verified");
	hmac_parts(HASH_SHA256, str_from(secret), &text, 1, mac);
	hex_encode(hex, mac, sizeof(mac));
	if (given.n == 0 || !mem_equal_ct(given.p, given.n, hex->p, hex->len))
		return err_set(
		    err, ERR_REFUSED, "its signature is %s", given.n == 0 ? "missing" : "wrong");
	if (o->callback.timestamp_parameter == NULL)
		return 0;
	if (!str_to_i64(http_pairs_get(k->query, o->callback.timestamp_parameter), 0,
		INT64_C(1) << 40, &at_s))
		return err_set(err, ERR_REFUSED, "its time is missing");
	away = now_us / 1000000 - at_s;
	if (away > o->callback.window_s || away < -o->callback.window_s)
		return err_set(err, ERR_REFUSED, "it is too old");
	return 0;
}

static json_t *settings_read(const struct named_expr *v, size_t n, struct scope *s)
{
	json_t *o = json_own(s->a, json_object());

	for (size_t i = 0; i < n; i++) {
		json_t *value = expr_json(v[i].value, s, false);

		if (value != NULL)
			json_set(o, v[i].name, value);
	}
	return json_object_size(o) > 0 ? o : NULL;
}

/* As the browser brought it, for people; NULL: nothing. */
static const char *foreign_text(struct arena *a, struct str text)
{
	struct str clean = utf8_clean(a, text, ERROR_TEXT_BYTES);

	return clean.n == 0 ? NULL : arena_strndup(a, clean.p, clean.n);
}

int oauth_callback_read(struct arena *a, const struct provider *p, const struct oauth_known *k,
    int64_t now_us, struct oauth_callback *out, struct err *err)
{
	const struct oauth *o = p->oauth;
	struct str code = http_pairs_get(k->query, "code"),
		   error = http_pairs_get(k->query, "error"),
		   text = http_pairs_get(k->query, "error_description");
	struct scope s;

	scope_of_oauth(&s, a, p, k);
	if (o->callback.is_signed && callback_verify(a, o, k, now_us, err) == -1)
		return -1;
	if (o->callback.code != NULL)
		code = expr_text(o->callback.code, &s);
	if (o->callback.error != NULL)
		error = expr_text(o->callback.error, &s);
	if (o->callback.text != NULL)
		text = expr_text(o->callback.text, &s);
	*out = (struct oauth_callback){.code = code.n > 0 ? arena_strndup(a, code.p, code.n) : NULL,
	    .error = foreign_text(a, error),
	    .text = foreign_text(a, text),
	    .settings = settings_read(o->callback.settings, o->callback.nsettings, &s)};
	return 0;
}

/* ---- token requests ------------------------------------------------------------------------ */

#define HEADERS_MOST 32

struct oauth_making {
	struct arena *a;
	const struct oauth_request *q;
	const struct oauth_known *k;
	struct scope s;
	json_t *params;
	struct http_call *call;
	const char *what;
	struct err *err;
};

static void make_header(struct oauth_making *m, const char *name, const char *value)
{
	struct http_pairs *h = &m->call->headers;

	for (size_t i = 0; i < h->n; i++)
		if (str_ieq(h->v[i].name, str_from(name))) {
			h->v[i].value = str_from(value);
			return;
		}
	if (h->n < HEADERS_MOST)
		h->v[h->n++] = (struct http_pair){str_from(name), str_from(value)};
}

/* RFC 6749 §2.3.1: name and secret are form-encoded before they are joined. */
static void make_basic(struct oauth_making *m, const char *id, const char *secret)
{
	struct buf *pair = buf_new(m->a, LIMIT_HEADER_BYTES),
		   *text = buf_new(m->a, LIMIT_HEADER_BYTES);

	percent_encode(pair, str_from(id));
	buf_chr(pair, ':');
	percent_encode(pair, str_from(secret));
	base64_encode(text, pair->p, pair->len);
	make_header(m, "Authorization", arena_printf(m->a, "Basic %s", text->p));
}

static int make_client(struct oauth_making *m)
{
	const char *id = client_credential(m->k->c, "clientId"),
		   *secret = client_credential(m->k->c, "clientSecret");

	if (m->q->client == OAUTH_CLIENT_NONE)
		return 0;
	if (id == NULL)
		return err_set(m->err, ERR_INVALID,
		    "there is no client ID for the %s: add the app's credentials in the settings",
		    m->what);
	if (m->q->client == OAUTH_CLIENT_BASIC) {
		make_basic(m, id, secret != NULL ? secret : "");
		return 0;
	}
	params_set(m->params, m->q->client_id_name, id);
	params_set(m->params, m->q->client_secret_name, secret);
	return 0;
}

static void make_headers(struct oauth_making *m)
{
	m->call->headers.v = arena_array(m->a, HEADERS_MOST, sizeof(struct http_pair));
	make_header(m, "Accept", "application/json");
	for (size_t i = 0; i < m->q->nheaders; i++) {
		const char *v = text_of(m->q->headers[i].value, &m->s);

		if (v != NULL && strpbrk(v, "\r\n") == NULL)
			make_header(m, m->q->headers[i].name, v);
	}
}

static int make_body(struct oauth_making *m, struct buf *url)
{
	struct buf *form;

	switch (m->q->body) {
	case OAUTH_QUERY:
		if (json_object_size(m->params) > 0)
			params_append(m->a, url, m->params, query_sep(url));
		return 0;
	case OAUTH_JSON:
		m->call->body = json_text(m->a, m->params);
		make_header(m, "Content-Type", "application/json");
		return 0;
	default:
		form = buf_new(m->a, LIMIT_RECORD_BYTES);
		params_append(m->a, form, m->params, '\0');
		m->call->body = (struct str){form->p, form->len};
		make_header(m, "Content-Type", "application/x-www-form-urlencoded");
		return buf_ok(form) ? 0
				    : err_set(m->err, ERR_LIMIT, "the %s is too large", m->what);
	}
}

/* params: those of the standard, which the manifest's replace. */
static int make_request(struct oauth_making *m)
{
	const char *method = m->q->method == NULL ? "POST" : text_of(m->q->method, &m->s);
	struct buf *url = buf_new(m->a, LIMIT_URL_BYTES);

	*m->call = (struct http_call){.method = method != NULL ? method : "POST"};
	make_headers(m);
	if (url_begin(m->q->url, &m->s, url, m->what, m->err) == -1 || make_client(m) == -1)
		return -1;
	params_override(m->params, m->q->params, m->q->nparams, &m->s);
	if (make_body(m, url) == -1)
		return -1;
	return url_end(url, m->what, &m->call->url, m->err);
}

static const struct oauth_request *request_of(
    const struct oauth *o, enum oauth_kind kind, enum oauth_step step)
{
	if (step == OAUTH_REVOKE)
		return &o->revoke;
	if (kind == OAUTH_ACCOUNT)
		return &o->account;
	if (kind == OAUTH_CLIENT)
		return o->client.is_declared ? &o->client : &o->exchange;
	return step == OAUTH_EXCHANGE ? &o->exchange : &o->refresh;
}

/* RFC 6749 §4.1.3, §4.4.2 and §6 */
static void make_standard(struct oauth_making *m, enum oauth_kind kind, enum oauth_step step)
{
	const struct oauth_known *k = m->k;

	if (step == OAUTH_REVOKE)
		return;
	if (kind != OAUTH_CODE) {
		params_set(m->params, "grant_type", oauth_kind_name(kind));
	} else if (step == OAUTH_EXCHANGE) {
		params_set(m->params, "grant_type", "authorization_code");
		params_set(m->params, m->q->code_name, k->code);
		params_set(m->params, "redirect_uri", k->redirect_uri);
		params_set(m->params, "code_verifier", k->verifier);
	} else {
		params_set(m->params, "grant_type", "refresh_token");
		params_set(m->params, "refresh_token", k->refresh_token);
	}
}

static const char *step_words(enum oauth_step step)
{
	return step == OAUTH_EXCHANGE  ? "request for tokens"
	       : step == OAUTH_REFRESH ? "request for a new token"
				       : "revocation";
}

int oauth_build(struct arena *a, const struct provider *p, enum oauth_kind kind,
    enum oauth_step step, const struct oauth_known *k, struct http_call *call, struct err *err)
{
	struct oauth_known known = *k;
	struct oauth_making m = {.a = a,
	    .q = request_of(p->oauth, kind, step),
	    .k = &known,
	    .params = json_own(a, json_object()),
	    .call = call,
	    .what = step_words(step),
	    .err = err};

	if (!m.q->is_declared)
		return err_set(err, ERR_INVALID, "%s has no %s", p->display_name, m.what);
	if (!p->oauth->authorize.has_pkce)
		known.verifier = NULL;
	scope_of_oauth(&m.s, a, p, &known);
	make_standard(&m, kind, step);
	return make_request(&m);
}

size_t oauth_then_count(const struct provider *p)
{
	return p->oauth->nthen;
}

int oauth_build_then(struct arena *a, const struct provider *p, size_t i,
    const struct oauth_known *k, struct http_call *call, struct err *err)
{
	struct oauth_making m = {.a = a,
	    .q = &p->oauth->then[i],
	    .k = k,
	    .params = json_own(a, json_object()),
	    .call = call,
	    .what = "step after the login",
	    .err = err};

	scope_of_oauth(&m.s, a, p, k);
	if (m.q->method == NULL && m.q->body == OAUTH_QUERY) {
		int rc = make_request(&m);

		call->method = "GET";
		return rc;
	}
	return make_request(&m);
}

/* ---- token answers ------------------------------------------------------------------------- */

/* The provider's own word and sentence, and nothing else of what it sent. */
static const char *answer_words(struct arena *a, const struct oauth_known *k,
    const struct http_call *call, const struct http_answer *ans, const json_t *json)
{
	const char *host = strstr(call->url, "://"), *error = json_str(json, "error"),
		   *text = json_str(json, "error_description");
	const json_t *inner = json_object_get(json, "error");

	if (json_is_object(inner)) {
		error = json_str(inner, "type");
		text = json_str(inner, "message");
	}
	if (text == NULL)
		text = json_str(json, "message");
	host = host == NULL ? call->url : host + 3;
	const char *words = arena_printf(a, "HTTP %d from %.*s%s%s%s%s", ans->status,
	    (int)strcspn(host, "/?#"), host, error != NULL ? ": " : "", error != NULL ? error : "",
	    text != NULL ? ": " : "", text != NULL ? text : "");
	if (json == NULL)
		words = arena_printf(a, "%s, which is not JSON", words);
	struct access all = *k->c;
	json_t *secrets = json_own(a,
	    json_copy(k->c->credentials != NULL ? k->c->credentials : json_own(a, json_object())));
	params_set(secrets, "accessToken", k->access_token);
	params_set(secrets, "refreshToken", k->refresh_token);
	params_set(secrets, "apiKey", k->code);
	params_set(secrets, "apiSecret", k->verifier);
	all.credentials = secrets;
	return access_redact_body(a, &all, str_from(words), ERROR_TEXT_BYTES, false).p;
}

/* Seconds of a number or a text; nothing that is none. */
static int64_t seconds_read(const struct expr *e, struct scope *s)
{
	struct str t = expr_text(e, s);
	int64_t v;

	return t.n > 0 && str_to_i64(t, 0, INT64_MAX, &v)
		   ? (v > LIFETIME_MOST_S ? LIFETIME_MOST_S : v)
		   : OAUTH_UNTOLD;
}

static const char *token_read(const struct expr *e, struct scope *s)
{
	struct str t = expr_text(e, s);

	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char)t.p[i] <= ' ' || t.p[i] == 0x7f)
			return NULL;
	return t.n == 0 || t.n > TOKEN_BYTES_MOST ? NULL : arena_strndup(s->a, t.p, t.n);
}

static void tokens_read(
    const struct oauth_token_rules *r, struct scope *s, struct oauth_tokens *out)
{
	*out = (struct oauth_tokens){.access = token_read(r->access, s),
	    .refresh = token_read(r->refresh, s),
	    .scope = text_of(r->scope, s),
	    .expires_s = seconds_read(r->expires, s),
	    .refresh_expires_s = seconds_read(r->refresh_expires, s),
	    .user_access = token_read(r->user_access, s),
	    .user_refresh = token_read(r->user_refresh, s),
	    .user_expires_s = seconds_read(r->user_expires, s),
	    .settings = settings_read(r->settings, r->nsettings, s)};
}

/* An address among what the answer tells that tokens may not be sent to; NULL: none is. */
static const char *tokens_wrong_origin(
    struct arena *a, const struct provider *p, const struct oauth_tokens *t)
{
	const char *key, *text;
	json_t *v;

	json_object_each(t->settings, key, v) {
		text = json_string_value(v);
		if (text != NULL && strstr(text, "://") != NULL &&
		    !provider_origin_is_allowed(p, a, text))
			return utf8_clean(a, str_from(text), ERROR_TEXT_BYTES).p;
	}
	return NULL;
}

static enum call_class class_of_token_answer(int status, const json_t *json)
{
	const char *error = json_str(json, "error");

	if (status >= 200 && status < 300)
		return CALL_OK;
	if (status == 429)
		return CALL_RATE_LIMITED;
	if (status >= 500 || status == 0 || json == NULL)
		return CALL_RETRY;
	if (error != NULL && strcmp(error, "invalid_grant") == 0)
		return CALL_AUTH;
	if (error != NULL &&
	    (strcmp(error, "temporarily_unavailable") == 0 || strcmp(error, "slow_down") == 0))
		return CALL_RETRY;
	return CALL_FATAL;
}

void oauth_read(struct arena *a, const struct provider *p, const struct oauth_known *k,
    const struct http_call *call, const struct http_answer *ans, struct oauth_answer *out)
{
	const struct oauth *o = p->oauth;
	const struct error_rule *rule = NULL;
	struct err ignored = ERR_INIT;
	struct scope s;

	*out = (struct oauth_answer){.status = ans->status,
	    .retry_after_ms = http_answer_retry_after_ms(ans, clock_now_us(), WAIT_MOST_MS)};
	if (ans->body.n > 0)
		out->json = json_parse(a, ans->body, &ignored);
	scope_of_oauth(&s, a, p, k);
	s.slot[OAUTH_ROOT_ANSWER].json = out->json;
	s.slot[OAUTH_ROOT_STATUS].json = json_own(a, json_integer(ans->status));
	for (size_t i = 0; rule == NULL && i < o->nerrors; i++)
		if (cond_holds(o->errors[i].when, &s))
			rule = &o->errors[i];
	out->class = rule != NULL ? rule->class : class_of_token_answer(ans->status, out->json);
	if (out->class == CALL_OK) {
		tokens_read(&o->tokens, &s, &out->tokens);
		const char *wrong = tokens_wrong_origin(a, p, &out->tokens);

		if (wrong != NULL) {
			out->class = CALL_FATAL;
			out->error = arena_printf(a, "%s named an address that is not its own: %s",
			    p->display_name, wrong);
			out->tokens = (struct oauth_tokens){0};
			return;
		}
		if (out->tokens.access != NULL || out->tokens.user_access != NULL)
			return;
		/* A page of somebody on the way, or half an answer: it says nothing of the grant.
		 */
		out->class = CALL_RETRY;
	}
	out->error = rule != NULL && rule->text != NULL ? rule->text
							: answer_words(a, k, call, ans, out->json);
}

/* ---- what the manifest says of tokens ------------------------------------------------------ */

/* Does a request send the refresh token? */
static int place_is_refresh_token(unsigned slot, const char *path, void *arg)
{
	(void)path;
	(void)arg;
	return slot == OAUTH_ROOT_REFRESH_TOKEN;
}

static bool refresh_needs_token(const struct oauth_request *q)
{
	bool is_replaced = false;

	for (size_t i = 0; i < q->nparams; i++) {
		if (strcmp(q->params[i].name, "refresh_token") == 0)
			is_replaced = true;
		if (q->params[i].value != NULL &&
		    expr_each_place(q->params[i].value, place_is_refresh_token, NULL) != 0)
			return true;
	}
	return !is_replaced;
}

bool oauth_can_refresh(
    const struct provider *p, enum oauth_kind kind, const char *access, const char *refresh)
{
	if (p->oauth == NULL)
		return false;
	if (kind != OAUTH_CODE)
		return true;
	if (!p->oauth->refresh.is_declared)
		return false;
	return refresh_needs_token(&p->oauth->refresh) ? refresh != NULL : access != NULL;
}

bool oauth_can_revoke(const struct provider *p)
{
	return p->oauth != NULL && p->oauth->revoke.is_declared;
}

int64_t oauth_lifetime_s(const struct provider *p, int64_t told_s)
{
	if (told_s > 0 || p->oauth == NULL)
		return told_s;
	return p->oauth->lifetime_s;
}

int64_t oauth_warn_days(const struct provider *p)
{
	return p->oauth->warn_days;
}

struct setting_sought {
	const char *key;
};

static int place_is_setting(unsigned slot, const char *path, void *arg)
{
	const struct setting_sought *sought = arg;

	return slot == OAUTH_ROOT_SETTINGS && strcmp(path, sought->key) == 0;
}

bool oauth_asks_setting(const struct provider *p, const char *key)
{
	struct setting_sought sought = {key};

	for (size_t i = 0; i < p->nsettings; i++)
		if (strcmp(p->settings[i].key, key) == 0 && p->settings[i].is_needed)
			return true;
	return expr_each_place(p->oauth->authorize.url, place_is_setting, &sought) != 0 ||
	       expr_each_place(p->oauth->exchange.url, place_is_setting, &sought) != 0;
}

/* ---- whose, and how many ------------------------------------------------------------------- */

bool oauth_identifies(const struct provider *p)
{
	return p->oauth->identify.external_id != NULL;
}

const char *oauth_identify_action(const struct provider *p)
{
	return p->oauth->identify.action;
}

const char *oauth_expand_action(const struct provider *p)
{
	return p->oauth->expand.action;
}

void oauth_identify_read(struct arena *a, const struct provider *p, const struct access *c,
    json_t *answer, json_t *output, struct oauth_identity *out)
{
	struct scope s = {.a = a};
	struct str id;

	s.slot[OAUTH_ROOT_SETTINGS].json = c->settings;
	s.slot[OAUTH_ROOT_ANSWER].json = answer;
	s.slot[OAUTH_ROOT_OUTPUT].json = output;
	id = expr_id(p->oauth->identify.external_id, &s);
	*out = (struct oauth_identity){.external_id = id.n > 0 && id.n <= LIMIT_EXTERNAL_ID_BYTES
							  ? arena_strndup(a, id.p, id.n)
							  : NULL,
	    .name = text_of(p->oauth->identify.name, &s)};
}

struct expanding {
	const struct oauth *o;
	json_t *list, *seen;
};

static int expand_one(struct scope *s, void *arg)
{
	struct expanding *e = arg;
	struct str id = expr_id(e->o->expand.external_id, s);
	const char *key, *access;
	json_t *o;

	if (id.n == 0 || id.n > LIMIT_EXTERNAL_ID_BYTES)
		return 0;
	key = arena_strndup(s->a, id.p, id.n);
	if (json_object_get(e->seen, key) != NULL)
		return 0;
	json_set_bool(e->seen, key, true);
	o = json_object();
	json_set_str(o, "externalAccountId", key);
	json_set_str(o, "name", text_of(e->o->expand.name, s));
	access = token_read(e->o->expand.access, s);
	if (access != NULL)
		json_set_str(o, "accessToken", access);
	json_t *settings = settings_read(e->o->expand.settings, e->o->expand.nsettings, s);
	if (settings != NULL)
		json_set(o, "settings", json_incref(settings));
	json_array_append_new(e->list, o);
	return json_array_size(e->list) >= OAUTH_EXPAND_MOST;
}

json_t *oauth_expand_read(
    struct arena *a, const struct provider *p, const struct access *c, json_t *output)
{
	struct expanding e = {p->oauth, json_own(a, json_array()), json_own(a, json_object())};
	struct scope s = {.a = a};

	s.slot[OAUTH_ROOT_SETTINGS].json = c->settings;
	s.slot[OAUTH_ROOT_OUTPUT].json = output;
	loops_each(&p->oauth->expand.loops, &s, expand_one, &e);
	return e.list;
}
