/* The request of a call, by the manifest's templates.
 *
 *   inputs -> checked -> URL, headers, body, credentials
 *
 * The order of the headers decides who wins, since the later replaces the earlier: the headers that
 * people configured, then the manifest's for all calls, then the action's, the content type, and
 * the credentials last. Values are percent-encoded where they enter a URL, and an input cannot
 * leave its segment of the path. Where an answer has told the origin it must be one of those that
 * the manifest expects. */
#include "base/limits.h"
#include "crypto/hash.h"
#include "net/egress.h"
#include "provider/provider-internal.h"

#define HEADERS_MAX 64

struct call_build {
	const struct action_call *k;
	struct arena *a;
	const struct action *act;
	struct scope scope;
	struct http_pairs headers;
	struct buf *url;
	bool has_query;
	struct action_request *out;
	struct err *err;
};

/* ---- headers ------------------------------------------------------------------------------ */

static bool is_http_token(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool is_alnum =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!is_alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
			return false;
	}
	return name.n > 0;
}

static bool is_header_value(struct str v)
{
	for (size_t i = 0; i < v.n; i++)
		if (((unsigned char)v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] == 0x7f)
			return false;
	return true;
}

/* Adds, or replaces a header of the same name. */
static int build_put_header(struct call_build *b, struct str name, struct str value)
{
	if (!is_http_token(name) || !is_header_value(value))
		return err_field(b->err, ERR_INVALID, "headers",
		    "\"%.*s\" is not a header that can be sent", (int)(name.n < 60 ? name.n : 60),
		    name.p);
	for (size_t i = 0; i < b->headers.n; i++)
		if (str_ieq(b->headers.v[i].name, name)) {
			b->headers.v[i].value = value;
			return 0;
		}
	if (b->headers.n == HEADERS_MAX)
		return err_field(
		    b->err, ERR_INVALID, "headers", "more than %d headers", HEADERS_MAX);
	b->headers.v[b->headers.n++] = (struct http_pair){name, value};
	return 0;
}

static int build_put_headers_of(struct call_build *b, const json_t *v)
{
	const char *name;
	json_t *value;
	size_t i;

	if (json_is_array(v)) {
		json_array_each(v, i, value)
			if (build_put_headers_of(b, value) == -1)
				return -1;
		return 0;
	}
	json_object_each(v, name, value) {
		const char *text = json_scalar_text(b->a, value);

		if (text != NULL && build_put_header(b, str_from(name), str_from(text)) == -1)
			return -1;
	}
	return 0;
}

static int build_put_named_headers(struct call_build *b, const struct named_expr *headers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str v = expr_text(headers[i].value, &b->scope);

		if (v.p != NULL && build_put_header(b, str_from(headers[i].name), v) == -1)
			return -1;
	}
	return 0;
}

static bool is_named(const struct named_expr *v, size_t n, const char *name, bool is_header)
{
	for (size_t i = 0; i < n; i++)
		if (is_header ? str_ieq(str_from(v[i].name), str_from(name))
			      : strcmp(v[i].name, name) == 0)
			return true;
	return false;
}

/* Those of all calls that the action does not name itself. */
static size_t named_defaults(struct call_build *b, bool is_header, struct named_expr **out)
{
	const struct request_defaults *d = &b->k->p->defaults;
	const struct named_expr *all = is_header ? d->headers : d->query;
	const struct named_expr *own = is_header ? b->act->headers : b->act->query;
	size_t nall = is_header ? d->nheaders : d->nquery, n = 0;
	size_t nown = is_header ? b->act->nheaders : b->act->nquery;

	*out = arena_array(b->a, nall + 1, sizeof(**out));
	for (size_t i = 0; i < nall; i++)
		if (!is_named(own, nown, all[i].name, is_header))
			(*out)[n++] = all[i];
	return n;
}

/* The people's headers first, so that ours win. */
static int build_put_headers(struct call_build *b)
{
	json_t *more = expr_json(b->act->extra_headers, &b->scope, false);
	struct named_expr *defaults;
	size_t n = named_defaults(b, true, &defaults);
	struct str accepts =
	    b->act->answer.kind == ANSWER_JSON ? STR("application/json") : STR("*/*");

	b->headers.v = arena_array(b->a, HEADERS_MAX, sizeof(*b->headers.v));
	if (more != NULL && build_put_headers_of(b, json_own(b->a, more)) == -1)
		return -1;
	if (build_put_header(b, STR("Accept"), accepts) == -1 ||
	    (b->k->c != NULL && b->k->c->call_key != NULL &&
		build_put_header(b, STR("Idempotency-Key"), str_from(b->k->c->call_key)) == -1) ||
	    build_put_named_headers(b, defaults, n) == -1)
		return -1;
	return build_put_named_headers(b, b->act->headers, b->act->nheaders);
}

/* ---- URL ---------------------------------------------------------------------------------- */

/* The value is encoded already. */
static void build_put_query(struct call_build *b, const char *name, struct str value)
{
	buf_chr(b->url, b->has_query ? '&' : '?');
	b->has_query = true;
	percent_encode(b->url, str_from(name));
	buf_chr(b->url, '=');
	buf_add(b->url, value.p, value.n);
}

static struct str percent_encoded(struct arena *a, struct str text)
{
	struct buf *b = buf_new(a, 3 * text.n + 1);

	percent_encode(b, text);
	return (struct str){b->p, b->len};
}

static const char *build_credential(const struct call_build *b, const char *key)
{
	const char *v = key == NULL ? NULL : access_credential(b->k->c, key);

	return v == NULL || v[0] == '\0' ? NULL : v;
}

/* A structure is its JSON. */
static struct str parameter_encoded(const struct expr *e, struct scope *s)
{
	struct str t = expr_text_encoded(e, s, percent_encode);
	json_t *v = t.p == NULL ? expr_json(e, s, false) : NULL;

	if (v == NULL)
		return t;
	json_own(s->a, v);
	return json_is_null(v) ? t : percent_encoded(s->a, json_text(s->a, v));
}

/* Nothing where either credential is not there. */
static struct str hmac_text(const struct call_build *b, const struct hmac_value *h)
{
	const char *key = NULL, *of = build_credential(b, h->of);
	unsigned char mac[HASH_SIZE_MAX];
	struct buf *hex = buf_new(b->a, 2 * HASH_SIZE_MAX + 1);
	struct str text = str_from(of);

	for (size_t i = 0; i < h->keys.n && key == NULL; i++)
		key = build_credential(b, h->keys.v[i]);
	if (key == NULL || of == NULL)
		return (struct str){NULL, 0};
	hmac_parts(h->algorithm, str_from(key), &text, 1, mac);
	hex_encode(hex, mac, hash_size(h->algorithm));
	return (struct str){hex->p, hex->len};
}

static void build_put_queries(struct call_build *b, const struct named_expr *query, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct named_expr *q = &query[i];
		struct str v;

		v = q->hmac != NULL ? hmac_text(b, q->hmac)
				    : parameter_encoded(q->value, &b->scope);
		if (v.p != NULL)
			build_put_query(b, q->name, v);
	}
}

/* An input must not climb out of its place: no segment of dots alone. */
static bool path_has_dot_segment(struct str path)
{
	struct str rest = path, segment;

	while (str_split(&rest, '/', &segment)) {
		if (str_is(segment, ".") || str_is(segment, ".."))
			return true;
	}
	return false;
}

/* A setting that is all of an origin stays as it is; within one it is a part of the host. */
static void origin_escape(struct buf *b, struct str text)
{
	if (str_starts(text, "https://"))
		buf_add(b, text.p, text.n);
	else
		percent_encode(b, text);
}

struct str provider_origin(const struct provider *p, struct scope *s)
{
	return expr_text_escaped(p->origin, s, origin_escape);
}

bool provider_origin_is_allowed(const struct provider *p, struct arena *a, const char *url)
{
	struct str origin = str_from(egress_origin(a, url));

	for (size_t i = 0; i < p->norigin_patterns; i++) {
		const char *pattern = p->origin_patterns[i], *star = strchr(pattern, '*');
		size_t head = star == NULL ? 0 : (size_t)(star - pattern);

		if (star == NULL
			? str_is(origin, pattern)
			: origin.n > strlen(pattern) - 1 && memcmp(origin.p, pattern, head) == 0 &&
			      str_ends(origin, star + 1))
			return true;
	}
	return p->norigin_patterns == 0;
}

static int build_put_path(struct call_build *b)
{
	const char *base = access_setting(b->k->c, "baseUrl");
	struct str origin = base != NULL ? str_from(base) : provider_origin(b->k->p, &b->scope);
	struct str path = expr_text_escaped(b->act->path, &b->scope, percent_encode);

	if (origin.p == NULL)
		return err_set(b->err, ERR_INVALID,
		    "the address of %s needs a setting that is missing", b->k->p->display_name);
	if (path.p == NULL || path_has_dot_segment(path))
		return err_set(
		    b->err, ERR_INVALID, "an input of %s cannot be part of its path", b->act->name);
	while (origin.n > 0 && origin.p[origin.n - 1] == '/')
		origin.n--;
	buf_add(b->url, origin.p, origin.n);
	buf_add(b->url, path.p, path.n);
	return 0;
}

static int is_input(unsigned slot, const char *path, void *arg)
{
	(void)path;
	(void)arg;
	return slot == ROOT_INPUT;
}

/* Who may run an action need not be who may say where credentials go: an address that comes of an
 * input leads to a server that the connection's own settings name, and nowhere else. */
static int build_check_asked(struct call_build *b, const char *url)
{
	json_t *origins, *one;
	const char *origin;
	size_t i;

	if (expr_each_place(b->act->url, is_input, NULL) == 0)
		return 0;
	origin = egress_origin(b->a, url);
	origins = provider_origins(b->k->p, b->a, b->scope.slot[ROOT_SETTINGS].json);
	json_array_each(origins, i, one)
		if (strcmp(json_string_value(one), origin) == 0)
			return 0;
	return err_field(b->err, ERR_INVALID, "url",
	    "leads to another server than the connection's own: nothing was sent");
}

static int build_put_address(struct call_build *b)
{
	struct str url;

	if (b->act->path != NULL)
		return build_put_path(b);
	url = expr_text(b->act->url, &b->scope);
	if (url.n == 0)
		return err_set(b->err, ERR_INVALID, "%s needs a URL", b->act->name);
	url.n = strcspn(arena_strndup(b->a, url.p, url.n), "#");
	buf_add(b->url, url.p, url.n);
	return build_check_asked(b, b->url->p);
}

/* A cursor that is a URL takes the place of all of it: it was made by who is called. */
static int build_take_page(struct call_build *b)
{
	const char *url;
	int rc = page_url(b->k, b->url->p, &url, b->err);

	if (rc != 1)
		return rc;
	buf_reset(b->url);
	buf_str(b->url, url);
	return 1;
}

static int build_put_url(struct call_build *b)
{
	struct named_expr *defaults;
	size_t n = named_defaults(b, false, &defaults);
	int rc;

	if (build_put_address(b) == -1)
		return -1;
	if (access_setting(b->k->c, "baseUrl") == NULL &&
	    !provider_origin_is_allowed(b->k->p, b->a, b->url->p))
		return err_set(b->err, ERR_INVALID, "%s is no address of %s: nothing was sent",
		    egress_origin(b->a, b->url->p), b->k->p->display_name);
	rc = build_take_page(b);
	if (rc == -1)
		return -1;
	b->has_query = strchr(b->url->p, '?') != NULL;
	if (rc == 1)
		return 0;
	build_put_queries(b, defaults, n);
	build_put_queries(b, b->act->query, b->act->nquery);
	return 0;
}

/* ---- credentials -------------------------------------------------------------------------- */

static int build_put_auth_header(
    struct call_build *b, const char *name, const char *prefix, const char *value)
{
	if (value == NULL)
		return 0;
	b->out->carries_credentials = true;
	if (b->out->signed_in == NULL)
		b->out->signed_in = strcmp(prefix, "Bearer ") == 0 ? "a bearer token" : name;
	return build_put_header(
	    b, str_from(name), str_from(arena_printf(b->a, "%s%s", prefix, value)));
}

static void build_put_auth_query(struct call_build *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	b->out->carries_credentials = true;
	b->out->signed_in = arena_printf(b->a, "the parameter %s", name);
	build_put_query(b, name, percent_encoded(b->a, str_from(value)));
}

/* What a text of credentials gives; NULL where one of them is not there. */
static const char *build_auth_text(const struct call_build *b, const char *text)
{
	struct buf *out = buf_new(b->a, LIMIT_HEADER_BYTES);
	struct str rest = str_from(text), plain, key;

	if (text == NULL || strchr(text, '{') == NULL)
		return build_credential(b, text);
	while (auth_text_next(&rest, &plain, &key)) {
		struct str constant = {NULL, 0};
		const char *v = "";

		if (key.p != NULL && !auth_text_constant(key, &constant))
			v = build_credential(b, arena_strndup(b->a, key.p, key.n));
		if (v == NULL)
			return NULL;
		buf_add(out, plain.p, plain.n);
		if (constant.n > 0)
			buf_add(out, constant.p, constant.n);
		buf_str(out, v);
	}
	return out->p;
}

static int build_put_basic(struct call_build *b, const char *user, const char *password)
{
	if (user == NULL || password == NULL)
		return 0;
	const char *pair = arena_printf(b->a, "%s:%s", user, password);
	struct buf *text = buf_new(b->a, LIMIT_HEADER_BYTES);
	base64_encode(text, pair, strlen(pair));
	b->out->signed_in = "user name and password";
	return build_put_auth_header(b, "Authorization", "Basic ", text->p);
}

/* By settings.auth of the connection: {"type":"none|bearer|basic|header|query",
 * "name"?}. */
static int build_put_auth_of_settings(struct call_build *b)
{
	const json_t *auth = b->k->c == NULL ? NULL : json_object_get(b->k->c->settings, "auth");
	const char *type = json_str(auth, "type"), *name = json_str(auth, "name");
	const char *token = build_credential(b, "accessToken"),
		   *key = build_credential(b, "apiKey");

	if (type == NULL || strcmp(type, "none") == 0)
		return 0;
	if (strcmp(type, "bearer") == 0)
		return build_put_auth_header(
		    b, "Authorization", "Bearer ", token != NULL ? token : key);
	if (strcmp(type, "basic") == 0)
		return build_put_basic(
		    b, build_credential(b, "username"), build_credential(b, "password"));
	if (strcmp(type, "query") == 0) {
		build_put_auth_query(
		    b, name != NULL ? name : AUTH_QUERY_NAME, key != NULL ? key : token);
		return 0;
	}
	return build_put_auth_header(
	    b, name != NULL ? name : AUTH_HEADER_NAME, "", key != NULL ? key : token);
}

static int build_put_auth(struct call_build *b, const struct auth *auth)
{
	const char *value = build_credential(b, auth->credential);

	switch (auth->type) {
	case AUTH_NONE:
		return 0;
	case AUTH_BEARER:
		return build_put_auth_header(b, "Authorization", "Bearer ", value);
	case AUTH_HEADER:
		return build_put_auth_header(
		    b, auth->name, auth->prefix != NULL ? auth->prefix : "", value);
	case AUTH_BASIC:
		return build_put_basic(
		    b, build_auth_text(b, auth->username), build_auth_text(b, auth->password));
	case AUTH_QUERY:
		build_put_auth_query(b, auth->name, value);
		return 0;
	case AUTH_SETTINGS:
		return build_put_auth_of_settings(b);
	}
	return 0;
}

static int build_put_auths(struct call_build *b)
{
	const struct auths *all = b->act->auths;

	for (size_t i = 0; i < all->n; i++)
		if (cond_holds(all->v[i].when, &b->scope) && build_put_auth(b, &all->v[i]) == -1)
			return -1;
	return 0;
}

/* ---- body --------------------------------------------------------------------------------- */

struct form_writing {
	struct arena *a;
	struct buf *b;
	enum form_style style;
};

static void form_put(struct form_writing *w, const char *name, struct str value)
{
	if (w->b->len > 0)
		buf_chr(w->b, '&');
	percent_encode(w->b, str_from(name));
	buf_chr(w->b, '=');
	percent_encode(w->b, value);
}

static void form_put_value(struct form_writing *w, const char *name, const json_t *v);

/* tags[0]=a&address[city]=b */
static void form_put_brackets(struct form_writing *w, const char *name, const json_t *v)
{
	const char *key;
	json_t *member;
	size_t i;

	json_array_each(v, i, member)
		form_put_value(w, arena_printf(w->a, "%s[%zu]", name, i), member);
	json_object_each(v, key, member)
		form_put_value(w, arena_printf(w->a, "%s[%s]", name, key), member);
}

/* What is null is left out, as what is absent. */
static void form_put_value(struct form_writing *w, const char *name, const json_t *v)
{
	const char *text = json_scalar_text(w->a, v);
	json_t *one;
	size_t i;

	if (json_is_null(v) || !buf_ok(w->b))
		return;
	if (text != NULL) {
		form_put(w, name, str_from(text));
	} else if (w->style == FORM_BRACKETS) {
		form_put_brackets(w, name, v);
	} else if (w->style == FORM_REPEAT && json_is_array(v)) {
		json_array_each(v, i, one)
			form_put_value(w, name, one);
	} else {
		form_put(w, name, json_text(w->a, v));
	}
}

static int build_put_form(struct call_build *b, struct str *body)
{
	struct form_writing w = {b->a, buf_new(b->a, LIMIT_RECORD_BYTES), b->act->form_style};
	json_t *fields = expr_json(b->act->form, &b->scope, false), *v;
	const char *name;

	if (fields != NULL)
		json_own(b->a, fields);
	json_object_each(fields, name, v)
		form_put_value(&w, name, v);
	if (!buf_ok(w.b))
		return err_set(b->err, ERR_LIMIT, "the body of %s is too large", b->act->name);
	*body = (struct str){w.b->p, w.b->len};
	return build_put_header(b, STR("Content-Type"), STR("application/x-www-form-urlencoded"));
}

static int build_put_body(struct call_build *b, struct str *body)
{
	const struct action *act = b->act;

	*body = act->text != NULL ? expr_text(act->text, &b->scope) : (struct str){NULL, 0};
	if (act->form != NULL)
		return build_put_form(b, body);
	if (act->json == NULL)
		return 0;
	json_t *v = expr_json(act->json, &b->scope, false);
	if (v == NULL)
		return err_set(b->err, ERR_INVALID, "%s needs a body", act->name);
	*body = json_text(b->a, json_own(b->a, v));
	return build_put_header(b, STR("Content-Type"), STR("application/json"));
}

/* ---- all of it ---------------------------------------------------------------------------- */

static json_t *scope_connection(struct arena *a, const struct access *c)
{
	json_t *o = json_own(a, json_object());

	if (c->id != NULL)
		json_set_str(o, "id", c->id);
	if (c->webhook_url != NULL)
		json_set_str(o, "webhookUrl", c->webhook_url);
	if (c->external_account_id != NULL && c->external_account_id[0] != '\0')
		json_set_str(o, "externalAccountId", c->external_account_id);
	return o;
}

void scope_of_provider(struct scope *s, struct arena *a, const struct provider *p, json_t *settings)
{
	*s = (struct scope){.a = a};
	s->slot[ROOT_SETTINGS].json = settings;
	if (p->version != NULL)
		s->slot[ROOT_VERSION].json = json_own(a, json_string(p->version));
}

void scope_of_call(struct scope *s, const struct action_call *k)
{
	scope_of_provider(s, k->a, k->p, k->c == NULL ? NULL : k->c->settings);
	s->slot[ROOT_INPUT].json = k->act == NULL ? NULL : action_inputs(k->a, k->act, k->inputs);
	s->slot[ROOT_NOW].json = json_own(k->a, json_integer(k->now_us));
	if (k->c != NULL)
		s->slot[ROOT_CONNECTION].json = scope_connection(k->a, k->c);
}

int action_build(const struct action_call *k, struct action_request *out, struct err *err)
{
	const struct action *act = k->act;
	struct call_build b = {.k = k, .a = k->a, .act = act, .out = out, .err = err};
	struct http_call *call = &out->http;
	struct json_reader in = {.err = err};

	*out = (struct action_request){.signed_in = NULL};
	if (action_check_inputs(act, k->inputs, &in) == -1)
		return -1;
	scope_of_call(&b.scope, k);
	b.url = buf_new(k->a, LIMIT_URL_BYTES);
	struct str method = expr_text(act->method, &b.scope);
	if (!is_http_token(method))
		return err_set(err, ERR_INVALID, "%s has no method", act->name);
	if (build_put_url(&b) == -1 || build_put_headers(&b) == -1 ||
	    build_put_body(&b, &call->body) == -1 || build_put_auths(&b) == -1)
		return -1;
	if (!buf_ok(b.url))
		return err_set(err, ERR_INVALID, "the URL of %s is longer than %u bytes", act->name,
		    LIMIT_URL_BYTES);
	call->method = arena_strndup(k->a, method.p, method.n);
	call->url = b.url->p;
	call->headers = b.headers;
	call->timeout_ms = act->timeout_ms > 0 ? act->timeout_ms : k->p->defaults.timeout_ms;
	call->max_answer = (size_t)act->answer.max_bytes;
	return 0;
}
