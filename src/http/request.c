/* Reading a request: what handlers ask of it. */
#include "base/clock.h"
#include "http/http.h"

#include <string.h>

#include "base/config.h"
#include "base/limits.h"
#include "http/conn.h"
#include "http/form.h"

const char *http_method_name(enum http_method m)
{
	static const char *const names[] = {
	    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"};

	return names[m];
}

struct str http_pairs_get(const struct http_pairs *p, const char *name)
{
	size_t n = strlen(name), i;

	for (i = 0; i < p->n; i++)
		if (p->v[i].name.n == n && memcmp(p->v[i].name.p, name, n) == 0)
			return p->v[i].value;
	return (struct str){NULL, 0};
}

void req_init(struct req *r, struct arena *a, struct app *app)
{
	memset(r, 0, sizeof(*r));
	r->a = a;
	r->app = app;
	r->path = STR("/");
	r->scheme = STR("http");
	r->remote_addr = "";
	r->id = "";
	r->res.status = 200;
	r->res.headers = buf_new(a, LIMIT_HEADER_BYTES);
	r->res.body = buf_new(a, LIMIT_PAGE_BYTES);
}

struct http_conn *conn_of(struct req *r)
{
	struct http_conn *c = r->conn;

	if (c == NULL) {
		c = arena_zalloc(r->a, sizeof(*c));
		c->content_length = -1;
		r->conn = c;
	}
	return c;
}

struct str req_header(const struct req *r, const char *lower_name)
{
	return http_pairs_get(&r->headers, lower_name);
}

struct str req_query(const struct req *r, const char *name)
{
	return http_pairs_get(&r->query, name);
}

struct str req_form(const struct req *r, const char *name)
{
	struct str v = http_pairs_get(&r->form, name);

	return v.p != NULL ? v : STR("");
}

struct str req_cookie(const struct req *r, const char *name)
{
	return http_pairs_get(&r->cookies, name);
}

struct str req_param(const struct req *r, const char *name)
{
	return http_pairs_get(&r->params, name);
}

bool req_param_uuid(struct req *r, const char *name, struct uuid *out)
{
	if (uuid_parse(req_param(r, name), out))
		return true;
	res_problem(r, 404, "There is nothing here");
	return false;
}

const char *req_base_url(const struct req *r)
{
	const struct config *cfg = r->app != NULL ? r->app->config : NULL;

	if (cfg != NULL && cfg->base_url != NULL && cfg->base_url[0] != '\0')
		return cfg->base_url;
	return arena_printf(r->a, "%.*s://%.*s", (int)r->scheme.n, r->scheme.p, (int)r->host.n,
	    r->host.p != NULL ? r->host.p : "");
}

struct str media_type(struct str content_type)
{
	const char *semi;

	if (content_type.p == NULL)
		return content_type;
	semi = memchr(content_type.p, ';', content_type.n);
	if (semi != NULL)
		content_type.n = (size_t)(semi - content_type.p);
	return str_trim(content_type);
}

struct str media_charset(struct str content_type)
{
	struct str rest = content_type, part, charset = {NULL, 0};

	(void)str_split(&rest, ';', &part);
	while (str_split(&rest, ';', &part)) {
		part = utf8_trim(part);
		if (part.n < 8 || !str_ieq((struct str){part.p, 8}, STR("charset=")))
			continue;
		charset = (struct str){part.p + 8, part.n - 8};
		if (charset.n >= 2 && charset.p[0] == '"')
			charset = (struct str){charset.p + 1, charset.n - 2};
	}
	return charset;
}

/* Without a route (404, 405, a head that could not be read) the address decides: whatever lies
 * beside the sign-in page is for people. */
bool req_wants_page(const struct req *r)
{
	const struct http_conn *c = r->conn;
	const char *sign_in, *end;
	size_t n;

	if (c == NULL || c->hooks == NULL || c->hooks->problem_page == NULL)
		return false;
	if (r->route != NULL)
		return (r->route->flags & (ROUTE_PAGE | ROUTE_FORM)) != 0;
	sign_in = c->hooks->sign_in_path;
	if (sign_in == NULL || sign_in[0] != '/')
		return false;
	end = strchr(sign_in + 1, '/');
	n = end != NULL ? (size_t)(end - sign_in) : strlen(sign_in);
	return r->path.n >= n && memcmp(r->path.p, sign_in, n) == 0 &&
	       (r->path.n == n || r->path.p[n] == '/');
}

void req_invalid(struct req *r, const char *field, const char *fmt, ...)
{
	struct http_conn *c = conn_of(r);
	json_t *entry = json_object();
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = arena_vprintf(r->a, fmt, ap);
	va_end(ap);
	if (c->invalid == NULL)
		c->invalid = json_own(r->a, json_array());
	json_set_str(entry, "field", field);
	json_set_str(entry, "message", text);
	json_array_append_new(c->invalid, entry);
}

bool req_has_invalid(const struct req *r)
{
	const struct http_conn *c = r->conn;

	return c != NULL && c->invalid != NULL;
}

static void complaint_gather(void *arg, const char *path, const char *reason)
{
	req_invalid(arg, path, "%s", reason);
}

struct json_reader req_reader(struct req *r)
{
	return (struct json_reader){.complain = complaint_gather, .arg = r};
}

bool req_read_body(struct req *r, const struct json_member *members, size_t n, void *out)
{
	struct json_reader in = req_reader(r);

	if (!json_is_object(r->json)) {
		res_problem(r, 400, "The body must be a JSON object");
		return false;
	}
	json_read_members(&in, r->json, members, n, out);
	return true;
}

const json_t *req_invalid_list(const struct req *r)
{
	const struct http_conn *c = r->conn;

	return c == NULL ? NULL : c->invalid;
}

const char *req_invalid_text(const struct req *r)
{
	const struct http_conn *c = r->conn;
	const json_t *first = req_has_invalid(r) ? json_array_get(c->invalid, 0) : NULL;

	return first == NULL ? NULL
			     : arena_printf(r->a, "%s: %s", json_str(first, "field"),
				   json_str(first, "message"));
}

struct str req_query_text(const struct req *r, const char *name)
{
	struct str s = req_query(r, name);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

struct opt_time req_query_time(struct req *r, const char *name)
{
	struct str s = req_query_text(r, name);
	struct opt_time at = {0};

	if (s.p == NULL)
		return at;
	at.is_given = clock_parse_iso(s, &at.us);
	if (!at.is_given)
		req_invalid(r, name, "must be an ISO 8601 time");
	return at;
}
