/* Calls to providers: requests built from the manifest's templates, answers classified by its error
 * rules.
 *
 *   inputs -> checked -> URL, headers, body, credentials -> call -> answer -> class and output
 *             \______________ action_build ____________/           \____ action_read ____/
 *
 * Building and reading are apart from the call, so that a manifest's examples run both without a
 * network (check.c).
 *
 * The order of the headers decides who wins, since the later replaces the earlier: the headers that
 * people configured, then the manifest's, then the content type, and the credentials last. Values
 * are percent-encoded where they enter a URL, and an input cannot leave its segment of the path.
 *
 * The class of an answer: the action's error rules first, then the provider's, then the status
 * alone. A success whose output cannot be read is CALL_RETRY, for a body cut short looks the same;
 * one that is not what people want of it (successWhen) is CALL_FATAL, as a refusal is. Redirects
 * are not followed, with body and key to who knows whom: they fail, and say where to.
 * Without an answer all may pass but what the operator's network rules refuse. Nothing of an error
 * text is stored before the credentials in it are blotted out. */
#include "base/clock.h"
#include "base/limits.h"
#include "net/egress.h"
#include "net/http-client.h"
#include "provider/provider-internal.h"

#define HEADERS_MAX 64
#define RETRY_AFTER_CAP_MS INT64_C(86400000)
#define ERROR_BODY_BYTES 200
#define ERROR_LOCATION_BYTES 400
#define ANSWER_BYTES 2048 /* of a body, kept as it came */

struct call_build {
	struct arena *a;
	const struct provider *p;
	const struct access *c;
	const struct action *act;
	struct scope scope;
	struct http_pairs headers;
	struct buf *url;
	bool has_query;
	const char *signed_in; /* by what the call says who calls; NULL: it does not */
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

/* The people's headers first, so that ours win. */
static int build_put_headers(struct call_build *b)
{
	json_t *more = expr_json(b->act->extra_headers, &b->scope, false);

	b->headers.v = arena_array(b->a, HEADERS_MAX, sizeof(*b->headers.v));
	if (more != NULL && build_put_headers_of(b, json_own(b->a, more)) == -1)
		return -1;
	if (build_put_header(b, STR("Accept"), STR("application/json")) == -1)
		return -1;
	for (size_t i = 0; i < b->act->nheaders; i++) {
		struct str v = expr_text(b->act->headers[i].value, &b->scope);

		if (v.p != NULL && build_put_header(b, str_from(b->act->headers[i].name), v) == -1)
			return -1;
	}
	return 0;
}

/* ---- URL ---------------------------------------------------------------------------------- */

static void build_put_name(struct call_build *b, struct str name)
{
	buf_chr(b->url, b->has_query ? '&' : '?');
	b->has_query = true;
	percent_encode(b->url, name);
	buf_chr(b->url, '=');
}

static void build_put_query(struct call_build *b, struct str name, struct str value)
{
	build_put_name(b, name);
	percent_encode(b->url, value);
}

/* A parameter's text; a structure is its JSON. */
static struct str parameter_text(const struct expr *e, struct scope *s)
{
	struct str t = expr_text(e, s);
	json_t *v = t.p == NULL ? expr_json(e, s, false) : NULL;

	if (v == NULL)
		return t;
	json_own(s->a, v);
	return json_is_null(v) ? t : json_text(s->a, v);
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

static int build_put_path(struct call_build *b)
{
	const char *base = b->c == NULL ? NULL : access_setting(b->c, "baseUrl");
	struct str origin = base != NULL
				? str_from(base)
				: expr_text_escaped(b->p->origin, &b->scope, percent_encode);
	struct str path = expr_text_escaped(b->act->path, &b->scope, percent_encode);

	if (origin.p == NULL)
		return err_set(b->err, ERR_INVALID,
		    "the address of %s needs a setting that is missing", b->p->display_name);
	if (path.p == NULL || path_has_dot_segment(path))
		return err_set(
		    b->err, ERR_INVALID, "an input of %s cannot be part of its path", b->act->name);
	while (origin.n > 0 && origin.p[origin.n - 1] == '/')
		origin.n--;
	buf_add(b->url, origin.p, origin.n);
	buf_add(b->url, path.p, path.n);
	return 0;
}

static int build_put_url(struct call_build *b)
{
	if (b->act->path != NULL) {
		if (build_put_path(b) == -1)
			return -1;
	} else {
		struct str url = expr_text(b->act->url, &b->scope);

		if (url.n == 0)
			return err_set(b->err, ERR_INVALID, "%s needs a URL", b->act->name);
		url.n = strcspn(arena_strndup(b->a, url.p, url.n), "#");
		buf_add(b->url, url.p, url.n);
		b->has_query = memchr(url.p, '?', url.n) != NULL;
	}
	for (size_t i = 0; i < b->act->nquery; i++) {
		const struct expr *e = b->act->query[i].value;
		struct str name = str_from(b->act->query[i].name);
		struct str encoded = expr_text_encoded(e, &b->scope, percent_encode);
		struct str v = encoded.p == NULL ? parameter_text(e, &b->scope) : encoded;

		if (encoded.p != NULL) {
			build_put_name(b, name);
			buf_add(b->url, encoded.p, encoded.n);
		} else if (v.p != NULL) {
			build_put_query(b, name, v);
		}
	}
	return 0;
}

/* ---- credentials and body ----------------------------------------------------------------- */

static const char *build_credential(const struct call_build *b, const char *key, const char *other)
{
	const char *v = b->c == NULL || key == NULL ? NULL : access_credential(b->c, key);

	return v == NULL && other != NULL && b->c != NULL ? access_credential(b->c, other) : v;
}

static int build_put_auth_header(
    struct call_build *b, const char *name, const char *prefix, const char *value)
{
	if (value == NULL)
		return 0;
	if (b->signed_in == NULL)
		b->signed_in = strcmp(prefix, "Bearer ") == 0 ? "a bearer token" : name;
	return build_put_header(
	    b, str_from(name), str_from(arena_printf(b->a, "%s%s", prefix, value)));
}

static int build_put_basic(struct call_build *b, const char *user, const char *password)
{
	if (user == NULL || password == NULL)
		return 0;
	const char *pair = arena_printf(b->a, "%s:%s", user, password);
	struct buf *text = buf_new(b->a, LIMIT_HEADER_BYTES);
	base64_encode(text, pair, strlen(pair));
	b->signed_in = "user name and password";
	return build_put_auth_header(b, "Authorization", "Basic ", text->p);
}

/* By settings.auth of the connection: {"type":"none|bearer|basic|header|query",
 * "name"?}. */
static int build_put_auth_of_settings(struct call_build *b)
{
	const json_t *auth = b->c == NULL ? NULL : json_object_get(b->c->settings, "auth");
	const char *type = json_str(auth, "type"), *name = json_str(auth, "name");

	if (type == NULL || strcmp(type, "none") == 0)
		return 0;
	if (strcmp(type, "bearer") == 0)
		return build_put_auth_header(
		    b, "Authorization", "Bearer ", build_credential(b, "accessToken", "apiKey"));
	if (strcmp(type, "basic") == 0)
		return build_put_basic(b, build_credential(b, "username", NULL),
		    build_credential(b, "password", NULL));
	if (strcmp(type, "query") == 0) {
		const char *value = build_credential(b, "apiKey", "accessToken");

		if (value != NULL)
			build_put_query(
			    b, str_from(name != NULL ? name : AUTH_QUERY_NAME), str_from(value));
		return 0;
	}
	return build_put_auth_header(b, name != NULL ? name : AUTH_HEADER_NAME, "",
	    build_credential(b, "apiKey", "accessToken"));
}

static int build_put_auth(struct call_build *b)
{
	const struct auth *auth = b->act->auth;
	const char *value = build_credential(b, auth->credential, NULL);

	switch (auth->type) {
	case AUTH_NONE:
		return 0;
	case AUTH_BEARER:
		return build_put_auth_header(b, "Authorization", "Bearer ", value);
	case AUTH_HEADER:
		return build_put_auth_header(
		    b, auth->name, auth->prefix != NULL ? auth->prefix : "", value);
	case AUTH_BASIC:
		return build_put_basic(b, build_credential(b, auth->username, NULL),
		    build_credential(b, auth->password, NULL));
	case AUTH_QUERY:
		if (value != NULL) {
			build_put_query(b, str_from(auth->name), str_from(value));
			b->signed_in = arena_printf(b->a, "the parameter %s", auth->name);
		}
		return 0;
	case AUTH_SETTINGS:
		return build_put_auth_of_settings(b);
	}
	return 0;
}

static int build_put_body(struct call_build *b, struct str *body)
{
	const struct action *act = b->act;

	*body = (struct str){NULL, 0};
	if (act->json != NULL) {
		json_t *v = expr_json(act->json, &b->scope, false);

		if (v == NULL)
			return err_set(b->err, ERR_INVALID, "%s needs a body", act->name);
		*body = json_text(b->a, json_own(b->a, v));
		return build_put_header(b, STR("Content-Type"), STR("application/json"));
	}
	if (act->text != NULL) {
		*body = expr_text(act->text, &b->scope);
		return 0;
	}
	if (act->nform == 0)
		return 0;
	struct buf *form = buf_new(b->a, LIMIT_RECORD_BYTES);
	for (size_t i = 0; i < act->nform; i++) {
		struct str v = parameter_text(act->form[i].value, &b->scope);

		if (v.p == NULL)
			continue;
		if (form->len > 0)
			buf_chr(form, '&');
		percent_encode(form, str_from(act->form[i].name));
		buf_chr(form, '=');
		percent_encode(form, v);
	}
	if (!buf_ok(form))
		return err_set(b->err, ERR_LIMIT, "the body of %s is too large", act->name);
	*body = (struct str){form->p, form->len};
	return build_put_header(b, STR("Content-Type"), STR("application/x-www-form-urlencoded"));
}

static void scope_of_call(struct scope *s, struct arena *a, const struct access *c,
    const struct action *act, const json_t *inputs)
{
	*s = (struct scope){.a = a};
	s->slot[ROOT_SETTINGS].json = c == NULL ? NULL : c->settings;
	s->slot[ROOT_INPUT].json = action_inputs(a, act, inputs);
}

int action_build(struct arena *a, const struct provider *p, const struct access *c,
    const struct action *act, const json_t *inputs, struct http_call *call, const char **signed_in,
    struct err *err)
{
	struct call_build b = {.a = a, .p = p, .c = c, .act = act, .err = err};
	struct json_reader in = {.err = err};

	*call = (struct http_call){0};
	if (action_check_inputs(act, inputs, &in) == -1)
		return -1;
	scope_of_call(&b.scope, a, c, act, inputs);
	b.url = buf_new(a, LIMIT_URL_BYTES);
	struct str method = expr_text(act->method, &b.scope);
	if (!is_http_token(method))
		return err_set(err, ERR_INVALID, "%s has no method", act->name);
	if (build_put_url(&b) == -1 || build_put_headers(&b) == -1 ||
	    build_put_body(&b, &call->body) == -1 || build_put_auth(&b) == -1)
		return -1;
	if (!buf_ok(b.url))
		return err_set(err, ERR_INVALID, "the URL of %s is longer than %u bytes", act->name,
		    LIMIT_URL_BYTES);
	call->method = arena_strndup(a, method.p, method.n);
	call->url = b.url->p;
	call->headers = b.headers;
	if (signed_in != NULL)
		*signed_in = b.signed_in;
	return 0;
}

/* ---- answers ------------------------------------------------------------------------------ */

static enum call_class call_class_of_status(int status)
{
	if (status >= 200 && status < 300)
		return CALL_OK;
	if (status == 429)
		return CALL_RATE_LIMITED;
	if (status >= 500)
		return CALL_RETRY;
	return status == 401 || status == 403 ? CALL_AUTH : CALL_FATAL;
}

static const struct error_rule *error_rule_find(
    const struct error_rule *rules, size_t n, struct scope *s)
{
	for (size_t i = 0; i < n; i++)
		if (cond_holds(rules[i].when, s))
			return &rules[i];
	return NULL;
}

static const char *url_host(struct arena *a, const char *url)
{
	const char *host = strstr(url, "://");

	host = host == NULL ? url : host + 3;
	return arena_strndup(a, host, strcspn(host, "/?#"));
}

/* The address that a redirect gives, beside the one that was called. */
static const char *url_resolve(struct arena *a, const char *url, const char *location)
{
	const char *host = strstr(url, "://");
	size_t scheme = host == NULL ? 0 : (size_t)(host - url) + 1;
	size_t origin = host == NULL ? 0 : scheme + 2 + strcspn(host + 3, "/?#");
	size_t path = origin + strcspn(url + origin, "?#");

	if (strstr(location, "://") != NULL || host == NULL)
		return location;
	if (strncmp(location, "//", 2) == 0)
		return arena_printf(a, "%.*s%s", (int)scheme, url, location);
	while (path > origin && url[path - 1] != '/')
		path--;
	if (location[0] == '/' || path == origin)
		return arena_printf(
		    a, "%.*s%s%s", (int)origin, url, location[0] == '/' ? "" : "/", location);
	return arena_printf(a, "%.*s%s", (int)path, url, location);
}

/* What was wrong with an answer, for people. */
static const char *answer_error(struct arena *a, const struct access *c,
    const struct http_call *call, const struct http_answer *ans, const char *why)
{
	struct str location = http_pairs_get(&ans->headers, "location");
	struct str excerpt = access_redact_body(a, c, ans->body, ERROR_BODY_BYTES, false);

	if (ans->status >= 300 && ans->status < 400 && location.n > 0) {
		const char *to =
		    url_resolve(a, call->url, arena_strndup(a, location.p, location.n));

		return arena_printf(a, "HTTP %d: moved to %s", ans->status,
		    access_redact_body(a, c, str_from(to), ERROR_LOCATION_BYTES, false).p);
	}
	if (!utf8_is_valid(utf8_cut(ans->body, ERROR_BODY_BYTES)))
		excerpt = STR("(not text)");
	return arena_printf(a, "HTTP %d from %s%s%s%s", ans->status, url_host(a, call->url), why,
	    excerpt.n > 0 ? ": " : "", excerpt.n > 0 ? excerpt.p : "");
}

/* Is a 2xx what people want of it, where they have said what? */
static bool answer_is_wanted(
    const struct action *act, struct scope *s, const struct http_answer *ans)
{
	json_t *condition = expr_json(act->success_when, s, false);

	if (condition == NULL)
		return true;
	json_own(s->a, condition);
	return json_is_null(condition) || answer_is_success(s->a, condition, ans->status,
					      s->slot[ROOT_ANSWER].json, ans->body);
}

static json_t *answer_paged_output(const struct paging *p, struct scope *s)
{
	json_t *items = expr_json(p->items, s, false), *out = json_object();
	bool has_more = items != NULL && cond_holds(p->more, s);
	json_t *cursor = has_more ? expr_json(p->cursor, s, false) : NULL;

	json_set(out, "items", json_is_array(items) ? items : json_array());
	if (!json_is_array(items))
		json_decref(items);
	json_set(out, "nextCursor", cursor != NULL ? cursor : json_null());
	return out;
}

void action_read(struct arena *a, const struct provider *p, const struct access *c,
    const struct action *act, const json_t *inputs, const struct http_call *call,
    const struct http_answer *ans, struct call_result *out)
{
	struct scope s;
	struct err ignored = ERR_INIT;

	scope_of_call(&s, a, c, act, inputs);
	s.slot[ROOT_HEADER].from = &ans->headers;
	s.slot[ROOT_STATUS].json = json_own(a, json_integer(ans->status));
	if (ans->body.n > 0)
		s.slot[ROOT_ANSWER].json = json_parse(a, ans->body, &ignored);
	const struct error_rule *rule = error_rule_find(act->errors, act->nerrors, &s);
	if (rule == NULL)
		rule = error_rule_find(p->errors, p->nerrors, &s);
	*out = (struct call_result){.status = ans->status,
	    .retry_after_ms = -1,
	    .class = rule != NULL ? rule->class : call_class_of_status(ans->status)};
	if (ans->body.n > 0)
		out->answer = access_redact_body(a, c, ans->body, ANSWER_BYTES, true);
	if (out->class == CALL_OK) {
		if (!answer_is_wanted(act, &s, ans)) {
			out->class = CALL_FATAL;
			out->error = answer_error(
			    a, c, call, ans, ", which successWhen takes for a failure");
			return;
		}
		out->output = act->paging.is_declared ? answer_paged_output(&act->paging, &s)
						      : expr_json(act->output, &s, true);
		if (out->output != NULL) {
			json_own(a, out->output);
			return;
		}
		out->class = CALL_RETRY;
	}
	out->retry_after_ms = http_answer_retry_after_ms(ans, RETRY_AFTER_CAP_MS);
	if (out->retry_after_ms < 0 && rule != NULL)
		out->retry_after_ms = rule->retry_after_ms;
	out->error =
	    rule != NULL && rule->text != NULL ? rule->text : answer_error(a, c, call, ans, "");
}

/* No answer came. What the operator's rules refuse will be refused again; all else may pass. */
static void call_read_failure(struct arena *a, const struct access *c, const struct http_call *call,
    const struct err *why, struct call_result *out)
{
	*out = (struct call_result){
	    .retry_after_ms = -1, .class = why->code == ERR_REFUSED ? CALL_FATAL : CALL_RETRY};
	out->error =
	    access_redact(a, c, arena_printf(a, "%s: %s", url_host(a, call->url), why->msg));
}

/* Does a call of the action carry any? */
static bool call_has_credentials(struct arena *a, const struct access *c, const struct action *act)
{
	const json_t *v;
	const char *key;

	if (c == NULL ||
	    (act->auth->type == AUTH_SETTINGS && provider_auth_place(a, c->settings)[0] == '\0'))
		return false;
	json_object_each(c->credentials, key, v)
		if (auth_sends(act->auth, key))
			return true;
	return false;
}

int action_run(struct app *app, struct arena *a, const struct provider *p, const struct access *c,
    const struct action *act, const json_t *inputs, struct http_answer *ans,
    struct call_result *out, struct err *err)
{
	struct http_call call, wire;
	struct err why = ERR_INIT;
	const char *signed_in = NULL;

	*out =
	    (struct call_result){.class = CALL_FATAL, .retry_after_ms = -1, .error = "not called"};
	*ans = (struct http_answer){0};
	if (action_build(a, p, c, act, inputs, &call, &signed_in, err) == -1) {
		out->error = err != NULL ? arena_strdup(a, err->msg) : "wrong inputs";
		return -1;
	}
	const char *lacking = access_lacks(c, act->needs, act->nneeds);
	if (lacking != NULL) {
		out->class = CALL_AUTH;
		out->is_uncalled = true;
		out->error = arena_printf(
		    a, "no %s, so nothing was called", manifest_credential_words(a, p, lacking));
		return 0;
	}
	wire = call;
	wire.url = provider_wire_url(app->config, a, p, call.url);
	if (call_has_credentials(a, c, act) && !egress_may_carry_secret(app->config, wire.url)) {
		out->error = arena_printf(a,
		    "not called: credentials are not sent to %s by plain http://. Use https://, or "
		    "have the operator list the host in egress_allow_hosts",
		    url_host(a, wire.url));
		return 0;
	}
	if (http_client_call(app->http, a, &wire, ans, &why) == -1)
		call_read_failure(a, c, &call, &why, out);
	else
		action_read(a, p, c, act, inputs, &call, ans, out);
	out->method = call.method;
	out->signed_in = signed_in;
	return 0;
}

int provider_action(struct app *app, struct arena *a, const struct provider *p,
    const struct access *c, const char *action, const json_t *inputs, struct call_result *out,
    struct err *err)
{
	const struct action *act = provider_find_action(p, action);
	struct http_answer ans;

	if (act == NULL) {
		*out = (struct call_result){
		    .class = CALL_FATAL, .retry_after_ms = -1, .error = "not called"};
		return err_set(err, ERR_NOT_FOUND, "%s has no action %s", p->name, action);
	}
	return action_run(app, a, p, c, act, inputs, &ans, out, err);
}

const char *provider_action_lacks(
    struct arena *a, const struct provider *p, const struct access *c, const char *action)
{
	const struct action *act = provider_find_action(p, action);
	const char *key = act == NULL ? NULL : access_lacks(c, act->needs, act->nneeds);

	return key == NULL ? NULL : manifest_credential_words(a, p, key);
}
