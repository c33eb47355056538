/* Calls that people write whole: a path of the provider's API with the connection's credentials.
 * Such a call is an action made for the occasion, so that origin, credentials, error rules and what
 * is blotted out are those of all calls; what is here is what makes it harmless: the path stays
 * below the provider's origin however it is decoded, only headers of a list go out, and only
 * headers of a list come back. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "http/form.h"
#include "net/http-client.h"
#include "provider/provider-internal.h"

#define FORMS_MOST 4 /* of a path: as it is, and decoded by up to three servers on the way */

/* ---- the path ------------------------------------------------------------------------------ */

static int proxy_path_fail(struct err *err, const char *why)
{
	return err_field(err, ERR_INVALID, "path", "%s", why);
}

static bool is_path_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~/%:!$&'()*+,;=", c) != NULL);
}

/* "..", and "..;x", which some servers take for it. */
static bool is_dot_segment(struct str segment)
{
	struct str name;

	if (!str_split(&segment, ';', &name))
		return false;
	return str_is(name, ".") || str_is(name, "..");
}

/* One decoding of it: does it leave its place? */
static const char *path_wrong(struct str path)
{
	struct str rest = path, segment;

	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] < 0x20 || path.p[i] == 0x7f || path.p[i] == '\\')
			return "holds a line break, a control character or a backslash";
	if (path.n > 1 && path.p[1] == '/')
		return "would name another host: begin it with one slash";
	while (str_split(&rest, '/', &segment))
		if (is_dot_segment(segment))
			return "climbs out of its place: it may have no segment . or ..";
	return NULL;
}

static int proxy_check_path(struct arena *a, struct str path, struct err *err)
{
	struct str form = path;

	if (path.n == 0 || path.p[0] != '/')
		return proxy_path_fail(
		    err, "must begin with a slash: it is below the provider's own address");
	for (size_t i = 0; i < path.n; i++)
		if (!is_path_byte(path.p[i]))
			return proxy_path_fail(
			    err, "holds a character that must be percent-encoded there");
	for (int i = 0; i < FORMS_MOST; i++) {
		const char *why = path_wrong(form);
		char *decoded = arena_zalloc(a, form.n + 1);
		long n = percent_decode(decoded, form.n + 1, form, false);

		if (why != NULL)
			return proxy_path_fail(err, why);
		if (n == -1 && i == 0)
			return proxy_path_fail(err, "holds an escape that is none, or a zero byte");
		if (n == -1)
			break;
		form = (struct str){decoded, (size_t)n};
	}
	return 0;
}

/* ---- headers ------------------------------------------------------------------------------- */

static const char *const headers_out[] = {"accept", "accept-language", "content-language",
    "content-type", "idempotency-key", "if-match", "if-modified-since", "if-none-match",
    "if-unmodified-since", "prefer"};

/* Also what the manifest's own calls send, such as Stripe-Account: credentials are not among it. */
static bool header_may_go(const struct provider *p, struct str name)
{
	for (size_t i = 0; i < sizeof(headers_out) / sizeof(*headers_out); i++)
		if (str_ieq(name, str_from(headers_out[i])))
			return true;
	for (size_t i = 0; i < p->nactions; i++)
		for (size_t k = 0; k < p->actions[i].nheaders; k++)
			if (str_ieq(name, str_from(p->actions[i].headers[k].name)))
				return true;
	return false;
}

static const char *const headers_back[] = {"allow", "content-disposition", "content-language",
    "content-type", "deprecation", "etag", "last-modified", "link", "location", "request-id",
    "retry-after", "sunset"};

/* Limits and uses are told in headers of many names. */
static bool header_may_come(struct str name)
{
	for (size_t i = 0; i < sizeof(headers_back) / sizeof(*headers_back); i++)
		if (str_is(name, headers_back[i]))
			return true;
	return memmem(name.p, name.n, "limit", 5) != NULL ||
	       memmem(name.p, name.n, "usage", 5) != NULL;
}

static struct http_pairs headers_safe(
    struct arena *a, const struct access *c, const struct http_pairs *all)
{
	struct http_pairs out = {.v = arena_array(a, all->n + 1, sizeof(*out.v))};

	for (size_t i = 0; i < all->n; i++)
		if (header_may_come(all->v[i].name))
			out.v[out.n++] = (struct http_pair){
			    all->v[i].name, access_redact_text(a, c, all->v[i].value)};
	return out;
}

/* ---- the call as an action ----------------------------------------------------------------- */

/* An expression that is the text as it stands. */
static int proxy_literal(struct loader *l, struct str text, struct expr **out)
{
	struct buf *t = buf_new(l->a, 2 * text.n + 1);

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '{' || text.p[i] == '}')
			buf_chr(t, text.p[i]);
		buf_chr(t, text.p[i]);
	}
	return expr_compile(l, json_own(l->a, json_stringn(t->p, t->len)), out);
}

static int proxy_named(
    struct loader *l, const struct http_pairs *pairs, struct named_expr **out, size_t *n)
{
	*out = arena_array(l->a, pairs->n + 1, sizeof(**out));
	*n = pairs->n;
	for (size_t i = 0; i < pairs->n; i++) {
		(*out)[i].name = arena_strndup(l->a, pairs->v[i].name.p, pairs->v[i].name.n);
		if (proxy_literal(l, pairs->v[i].value, &(*out)[i].value) == -1)
			return -1;
	}
	return 0;
}

/* The parameters that stand in the path go before those beside it. */
static int proxy_query(struct arena *a, const struct proxy_request *in, struct str *path,
    struct http_pairs *out, struct err *err)
{
	struct str rest = in->path, text;
	struct http_pairs own = {0};

	*path = in->path;
	if (str_split(&rest, '?', &text) && text.n < in->path.n) {
		*path = text;
		if (form_parse(a, rest, &own, err) == -1)
			return -1;
	}
	out->v = arena_array(a, own.n + in->query.n + 1, sizeof(*out->v));
	for (size_t i = 0; i < own.n; i++)
		out->v[out->n++] = own.v[i];
	for (size_t i = 0; i < in->query.n; i++)
		out->v[out->n++] = in->query.v[i];
	return 0;
}

static int proxy_check_headers(
    const struct provider *p, const struct http_pairs *headers, struct err *err)
{
	for (size_t i = 0; i < headers->n; i++) {
		struct str name = headers->v[i].name;

		if (!header_may_go(p, name))
			return err_field(err, ERR_INVALID, "headers",
			    "%.*s is not one that may be sent; credentials are added by Connect",
			    (int)(name.n < 60 ? name.n : 60), name.p);
	}
	return 0;
}

static int proxy_action(struct arena *a, const struct provider *p, const struct proxy_request *in,
    struct action *act, struct err *err)
{
	struct loader l = {.in = {.err = err}, .a = a, .language = &provider_language};
	struct http_pairs query = {0};
	struct str path;

	*act = (struct action){.name = "the proxy", .label = "Proxy", .auths = &p->auths};
	if (p->auths.n == 1 && p->auths.v->when == NULL && p->auths.v->credential != NULL) {
		act->needs = &p->auths.v->credential;
		act->nneeds = 1;
	}
	if (p->origin == NULL)
		return err_set(
		    err, ERR_INVALID, "%s has no API that can be called", p->display_name);
	if (proxy_query(a, in, &path, &query, err) == -1 || proxy_check_path(a, path, err) == -1 ||
	    proxy_check_headers(p, &in->headers, err) == -1)
		return -1;
	if (proxy_literal(&l, str_from(in->method), &act->method) == -1 ||
	    proxy_literal(&l, path, &act->path) == -1 ||
	    proxy_named(&l, &query, &act->query, &act->nquery) == -1 ||
	    proxy_named(&l, &in->headers, &act->headers, &act->nheaders) == -1)
		return -1;
	/* Whatever came is what was asked for: the answer itself is handed on. */
	if (expr_compile(&l, json_own(a, json_true()), &act->output) == -1)
		return -1;
	return in->body.p == NULL ? 0 : proxy_literal(&l, in->body, &act->text);
}

int provider_proxy_check(
    struct arena *a, const struct provider *p, const struct proxy_request *in, struct err *err)
{
	struct action act;

	return proxy_action(a, p, in, &act, err);
}

int provider_proxy(struct app *app, struct arena *a, const struct provider *p,
    const struct access *c, const struct proxy_request *in, struct proxy_answer *out,
    struct err *err)
{
	struct http_answer ans;
	struct action act;
	const struct action_call k = {
	    .a = a, .p = p, .c = c, .act = &act, .now_us = clock_now_us(), .is_handed_on = true};

	*out = (struct proxy_answer){.result = {.class = CALL_FATAL, .retry_after_ms = -1}};
	if (proxy_action(a, p, in, &act, err) == -1 ||
	    action_run(app, &k, &ans, &out->result, err) == -1)
		return -1;
	out->headers = headers_safe(a, c, &ans.headers);
	out->body = access_redact_text(a, c, ans.body);
	return 0;
}
