/* POST /connect/v1/proxy/:providerType: a call of the provider's own API with the credentials of a
 * connection, whose answer is handed on as it is. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/connection-internal.h"
#include "connection/connection-refresh.h"
#include "http/form.h"

#define BODY_IS_JSON "application/json"
#define BODY_IS_FORM "application/x-www-form-urlencoded"

struct proxy_body {
	const char *method;
	struct str path;
	json_t *query, *headers, *body;
};

/* ---- what is asked for ----------------------------------------------------------------------- */

static void pairs_add(struct http_pairs *out, struct arena *a, const char *name, const json_t *v)
{
	const char *text = json_scalar_text(a, v);

	out->v[out->n++] = (struct http_pair){str_from(name), str_from(text != NULL ? text : "")};
}

static void pairs_add_checked(
    struct req *r, struct http_pairs *out, const char *at, const char *name, const json_t *v)
{
	if (json_scalar_text(r->a, v) == NULL)
		req_invalid(r, at, "must be text, a number, true or false, or a list of them");
	else
		pairs_add(out, r->a, name, v);
}

/* Scalars, and lists of them, as pairs; anything else is complained of at its name. */
static struct http_pairs pairs_of_object(struct req *r, const json_t *object, const char *field)
{
	struct http_pairs out = {0};
	size_t most = 0, i;
	const char *name;
	json_t *v, *one;

	json_object_each(object, name, v)
		most += json_is_array(v) ? json_array_size(v) : 1;
	out.v = arena_array(r->a, most + 1, sizeof(*out.v)); /* one more: a Content-Type */
	json_object_each(object, name, v) {
		const char *at = arena_printf(r->a, "%s.%s", field, name);

		json_array_each(v, i, one)
			pairs_add_checked(r, &out, at, name, one);
		if (!json_is_array(v) && !json_is_null(v))
			pairs_add_checked(r, &out, at, name, v);
	}
	return out;
}

static struct str header_find(const struct http_pairs *headers, const char *name)
{
	for (size_t i = 0; i < headers->n; i++)
		if (str_ieq(headers->v[i].name, str_from(name)))
			return headers->v[i].value;
	return (struct str){NULL, 0};
}

static struct str form_of_pairs(struct arena *a, const struct http_pairs *pairs)
{
	struct buf *b = buf_new(a, LIMIT_BODY_JSON);

	for (size_t i = 0; i < pairs->n; i++) {
		if (i > 0)
			buf_chr(b, '&');
		percent_encode(b, pairs->v[i].name);
		buf_chr(b, '=');
		percent_encode(b, pairs->v[i].value);
	}
	return (struct str){b->p, b->len};
}

/* Text goes as it stands; an object or a list is JSON, or a form where the headers say so. */
static void proxy_read_body(struct req *r, const json_t *body, struct proxy_request *out)
{
	struct str type = header_find(&out->headers, "content-type");
	struct http_pairs fields;

	if (body == NULL || json_is_null(body))
		return;
	if (json_is_string(body)) {
		if (type.p == NULL)
			req_invalid(r, "headers", "needs a Content-Type for a body that is text");
		out->body = (struct str){json_string_value(body), json_string_length(body)};
		return;
	}
	if (str_ieq(media_type(type), STR(BODY_IS_FORM)) && json_is_object(body)) {
		fields = pairs_of_object(r, body, "body");
		out->body = form_of_pairs(r->a, &fields);
		return;
	}
	out->body = json_text(r->a, body);
	if (type.p == NULL)
		out->headers.v[out->headers.n++] =
		    (struct http_pair){STR("Content-Type"), STR(BODY_IS_JSON)};
}

static bool proxy_read(struct req *r, struct proxy_request *out)
{
	static const char *const methods[] = {
	    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};
	static const struct json_member members[] = {
	    {"method", READ_WORD, JSON_INTO(struct proxy_body, method), .need = READ_NEEDED,
		.words = methods},
	    {"path", READ_TEXT, JSON_INTO(struct proxy_body, path), .need = READ_NEEDED, .min = 1,
		.max = LIMIT_URL_BYTES},
	    {"query", READ_OBJECT, JSON_INTO(struct proxy_body, query), .need = READ_NULLABLE,
		.max = 100},
	    {"headers", READ_OBJECT, JSON_INTO(struct proxy_body, headers), .need = READ_NULLABLE,
		.max = 50},
	    {"body", READ_ANY, JSON_INTO(struct proxy_body, body), .need = READ_NULLABLE}};
	struct proxy_body body = {0};

	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return false;
	if (!req_has_invalid(r)) {
		*out = (struct proxy_request){.method = body.method, .path = body.path};
		out->query = pairs_of_object(r, body.query, "query");
		out->headers = pairs_of_object(r, body.headers, "headers");
		proxy_read_body(r, body.body, out);
	}
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

/* ---- the call ------------------------------------------------------------------------------- */

static bool proxy_writes(const struct proxy_request *in)
{
	return strcmp(in->method, "GET") != 0 && strcmp(in->method, "HEAD") != 0;
}

/* Before the call, so that none is made of which the log says nothing. Parameters stay out of it:
 * people put secrets there. */
static int proxy_audit(
    struct req *r, const struct connection *c, const struct proxy_request *in, struct err *err)
{
	struct str path = in->path;
	json_t *details = json_own(r->a, json_object());

	path.n = strcspn(arena_strndup(r->a, path.p, path.n), "?");
	json_set_str(details, "name", c->name);
	json_set_str(details, "method", in->method);
	json_set_strn(details, "path", access_redact_text(r->a, &c->access, path));
	return audit_fact_alone(
	    r->app, r, &r->actor.account_id, "proxy.call", "connection", &c->id, details, err);
}

static void proxy_note(struct req *r, const struct connection *c, const struct proxy_request *in,
    const struct proxy_answer *out, int64_t duration_us)
{
	const struct connection_use use = {.result = &out->result};
	struct err err = ERR_INIT;

	log_info("proxy.called", LOG_S("provider", c->provider_type),
	    LOG_S("connection", uuid_dup(r->a, c->id)), LOG_S("method", in->method),
	    LOG_I("status", out->result.status), LOG_I("duration_us", duration_us));
	/* A path of somebody's own says little of the connection, but that its credentials are
	 * good, or are not. */
	if (out->result.class != CALL_OK && out->result.class != CALL_AUTH)
		return;
	if (connection_note_use(r->app, r->a, c, &use, &err) == -1)
		log_warn(
		    "connection.note", LOG_S("connection", uuid_dup(r->a, c->id)), LOG_ERR(&err));
}

/* RFC 9209 tells the provider's answer from one of ours. */
static int proxy_answer_give(struct req *r, const struct proxy_answer *out)
{
	const int status = out->result.status;
	const char *type = "application/octet-stream";

	for (size_t i = 0; i < out->headers.n; i++) {
		const struct http_pair *h = &out->headers.v[i];

		if (str_is(h->name, "content-type"))
			type = arena_strndup(r->a, h->value.p, h->value.n);
		else
			res_header(r, arena_strndup(r->a, h->name.p, h->name.n),
			    arena_strndup(r->a, h->value.p, h->value.n));
	}
	res_headerf(r, "Proxy-Status", "Connect; received-status=%d", status);
	/* It is somebody else's page, should a browser ever show it. */
	res_header(r, "Content-Security-Policy", "sandbox; default-src 'none'");
	res_header(r, "X-Content-Type-Options", "nosniff");
	if (status == 204 || status == 304)
		return res_empty(r, status);
	return res_text(r, status, type, out->body);
}

static int proxy_once(struct req *r, const struct connection *c, const struct proxy_request *in,
    struct proxy_answer *out, struct err *err)
{
	return provider_proxy(r->app, r->a, c->provider, &c->access, in, out, err);
}

/* A token that is over, or turns out to be, is renewed, and the call made once more with the new
 * one. Where none is to be had the provider's refusal is the answer. */
static int proxy_call(struct req *r, struct connection *c, const struct proxy_request *in,
    struct proxy_answer *out, struct err *err)
{
	struct err why = ERR_INIT;
	int rc;

	if (connection_needs_refresh(c))
		(void)connection_refresh(r->app, r->a, c, "it is over", &why);
	err_clear(&why);
	rc = proxy_once(r, c, in, out, err);
	if (rc == 0 && out->result.class == CALL_REFRESH &&
	    connection_refresh(r->app, r->a, c, out->result.error, &why) == 1)
		rc = proxy_once(r, c, in, out, err);
	if (rc == 0 && out->result.class == CALL_REFRESH)
		out->result.class = CALL_AUTH;
	return rc;
}

static int proxy_run(struct req *r, struct connection *c, const struct proxy_request *in)
{
	struct proxy_answer out;
	struct err err = ERR_INIT;
	int64_t started = clock_mono_us();

	if (proxy_call(r, c, in, &out, &err) == -1)
		return res_error(r, &err);
	proxy_note(r, c, in, &out, clock_mono_us() - started);
	if (out.result.status == 0)
		return connection_call_problem(r, c, &out.result);
	return proxy_answer_give(r, &out);
}

int proxy_api_call(struct req *r)
{
	const struct provider *p = provider_find(r->app->providers, req_param(r, "providerType"));
	struct proxy_request in;
	struct connection *c;
	struct err err = ERR_INIT;
	int rc;

	if (p == NULL)
		return res_problem(r, 404, "There is no such provider");
	if (!proxy_read(r, &in))
		return 0;
	if (provider_proxy_check(r->a, p, &in, &err) == -1)
		return res_error(r, &err);
	if (!connection_choose(r, p, &c) || !connection_wait_begin(r))
		return 0;
	rc = proxy_writes(&in) ? proxy_audit(r, c, &in, &err) : 0;
	rc = rc == -1 ? res_error(r, &err) : proxy_run(r, c, &in);
	connection_wait_end(r);
	return rc;
}
