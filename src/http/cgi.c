/* From the variables a web server passes (RFC 3875 §4.1) to a request.
 *
 * What a web server itself refuses (a body too large, an address that is none, a method that it
 * does not know) comes to us as its error page, when it is set up as our samples are: as a GET with
 * the address of the refused request and the status in REDIRECT_STATUS. So each answer has the form
 * that the address owes, and a request id. */
#include <arpa/inet.h>
#include <string.h>

#include "base/config.h"
#include "base/limits.h"
#include "http/conn.h"
#include "http/form.h"

#define NAME_MAX_VAR 16u

/* The variables that are not headers. */
struct cgi_vars {
	struct str method, uri, query, script, path_info, https, scheme, server, remote, length,
	    type, redirect;
	unsigned forwarded_for, forwarded_proto, forwarded_host; /* how often each header came */
};

static struct str *var_slot(struct cgi_vars *v, const char *name, size_t n)
{
	static const struct {
		char name[NAME_MAX_VAR];
		size_t n, offset;
	} known[] = {
#define VAR(text, field) {text, sizeof(text) - 1, offsetof(struct cgi_vars, field)}
	    VAR("REQUEST_METHOD", method),
	    VAR("REQUEST_URI", uri),
	    VAR("QUERY_STRING", query),
	    VAR("SCRIPT_NAME", script),
	    VAR("PATH_INFO", path_info),
	    VAR("HTTPS", https),
	    VAR("REQUEST_SCHEME", scheme),
	    VAR("SERVER_NAME", server),
	    VAR("REMOTE_ADDR", remote),
	    VAR("CONTENT_LENGTH", length),
	    VAR("CONTENT_TYPE", type),
	    VAR("REDIRECT_STATUS", redirect),
#undef VAR
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].n == n && memcmp(known[i].name, name, n) == 0)
			return (struct str *)(void *)((char *)v + known[i].offset);
	return NULL;
}

/* HTTP_X_API_KEY → x-api-key, where it lies: each byte of the environment is ours until the end of
 * the request. */
static struct str header_name(char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + ('a' - 'A'));
		else if (p[i] == '_')
			p[i] = '-';
	}
	return (struct str){p, n};
}

static void header_add(struct req *r, struct str name, struct str value)
{
	r->headers.v[r->headers.n].name = name;
	r->headers.v[r->headers.n].value = value;
	r->headers.n++;
}

static int vars_read(struct req *r, char **envp, struct cgi_vars *v)
{
	size_t total = 0;
	char **e;

	r->headers.v = arena_alloc(r->a, LIMIT_HEADERS * sizeof(struct http_pair));
	for (e = envp; *e != NULL; e++) {
		char *eq = strchr(*e, '=');
		struct str value, *slot;
		size_t n;

		if (eq == NULL)
			continue;
		n = (size_t)(eq - *e);
		value = str_from(eq + 1);
		if (n <= 5 || memcmp(*e, "HTTP_", 5) != 0) {
			slot = var_slot(v, *e, n);
			if (slot != NULL)
				*slot = value;
			continue;
		}
		total += n + value.n;
		/* Two places stay free for the type and the length. */
		if (r->headers.n + 2 >= LIMIT_HEADERS || total > LIMIT_HEADER_BYTES)
			return 431;
		struct str name = header_name(*e + 5, n - 5);
		v->forwarded_for += str_is(name, "x-forwarded-for");
		v->forwarded_proto += str_is(name, "x-forwarded-proto");
		v->forwarded_host += str_is(name, "x-forwarded-host");
		/* They have variables of their own; a client's "Content_Length" must not pass for
		 * it. */
		if (!str_is(name, "content-type") && !str_is(name, "content-length"))
			header_add(r, name, value);
	}
	if (v->type.n != 0)
		header_add(r, STR("content-type"), v->type);
	if (v->length.n != 0)
		header_add(r, STR("content-length"), v->length);
	r->content_type = v->type;
	return 0;
}

static enum http_method method_parse(struct str s)
{
	enum http_method m;

	for (m = HTTP_GET; m < HTTP_OTHER; m++)
		if (str_is(s, http_method_name(m)))
			return m;
	return HTTP_OTHER;
}

/* The target as the client wrote it; the absolute form (RFC 9112 §3.2.2) loses its origin. */
static int target_read(struct req *r, const struct cgi_vars *v)
{
	struct str t = v->uri;
	const char *mark;

	if (t.n == 0) {
		t.p = arena_printf(r->a, "%.*s%.*s", (int)v->script.n,
		    v->script.p != NULL ? v->script.p : "", (int)v->path_info.n,
		    v->path_info.p != NULL ? v->path_info.p : "");
		t.n = strlen(t.p);
	}
	if (str_starts(t, "http://") || str_starts(t, "https://")) {
		size_t skip = str_starts(t, "http://") ? 7 : 8;
		const char *slash = memchr(t.p + skip, '/', t.n - skip);

		if (slash == NULL)
			t = STR("/");
		else
			t = (struct str){slash, t.n - (size_t)(slash - t.p)};
	}
	r->query_string = v->query.p != NULL ? v->query : STR("");
	mark = memchr(t.p, '?', t.n);
	if (mark != NULL) {
		r->query_string = (struct str){mark + 1, t.n - (size_t)(mark + 1 - t.p)};
		t.n = (size_t)(mark - t.p);
	}
	r->path = t;
	if (t.n + r->query_string.n > LIMIT_URL_BYTES)
		return 414;
	return t.n != 0 && t.p[0] == '/' ? 0 : 400;
}

/* Entry of a comma list counted from its end (0: the last); its first when there are fewer. */
static struct str list_last(struct str list, int64_t back)
{
	struct str part = {NULL, 0}, rest = list;
	int64_t n = 0, want;

	while (str_split(&rest, ',', &part))
		n++;
	want = n - 1 - back;
	if (want < 0)
		want = 0;
	rest = list;
	for (n = 0; str_split(&rest, ',', &part); n++)
		if (n == want)
			return str_trim(part);
	return (struct str){NULL, 0};
}

static bool host_is_sane(struct str s)
{
	size_t i;

	if (s.n == 0 || s.n > 255)
		return false;
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    strchr(".-_:[]", c) == NULL)
			return false;
	}
	return true;
}

/* An address as a proxy writes it: bare, [v6], v4:port or [v6]:port. NULL when it is none. */
static const char *address_parse(struct arena *a, struct str s)
{
	unsigned char raw[16];
	const char *end;
	char *text;

	if (s.n != 0 && s.p[0] == '[') {
		end = memchr(s.p, ']', s.n);
		if (end == NULL)
			return NULL;
		s = (struct str){s.p + 1, (size_t)(end - s.p) - 1};
	} else if (s.n != 0) {
		end = memchr(s.p, ':', s.n);
		if (end != NULL && memchr(end + 1, ':', s.n - (size_t)(end + 1 - s.p)) == NULL)
			s.n = (size_t)(end - s.p);
	}
	if (s.n == 0 || s.n >= INET6_ADDRSTRLEN)
		return NULL;
	text = arena_strndup(a, s.p, s.n);
	if (inet_pton(AF_INET, text, raw) != 1 && inet_pton(AF_INET6, text, raw) != 1)
		return NULL;
	return text;
}

/* Each trusted proxy appends the address it was called from, so the client is the entry that the
 * outermost trusted one wrote: `hops` entries from the end. A header that came twice (one of them
 * under a look-alike name) proves nothing and is ignored. */
static void proxies_apply(struct req *r, const struct cgi_vars *v, int64_t hops)
{
	struct str s;
	const char *addr;

	if (v->forwarded_for == 1) {
		addr = address_parse(r->a, list_last(req_header(r, "x-forwarded-for"), hops - 1));
		if (addr != NULL)
			r->remote_addr = addr;
	}
	if (v->forwarded_proto == 1) {
		s = list_last(req_header(r, "x-forwarded-proto"), hops - 1);
		if (str_ieq(s, STR("https")))
			r->scheme = STR("https");
		else if (str_ieq(s, STR("http")))
			r->scheme = STR("http");
	}
	if (v->forwarded_host == 1) {
		s = list_last(req_header(r, "x-forwarded-host"), hops - 1);
		if (host_is_sane(s))
			r->host = s;
	}
}

static void peer_read(struct req *r, const struct cgi_vars *v)
{
	const struct config *cfg = r->app != NULL ? r->app->config : NULL;
	struct str host = req_header(r, "host");

	r->remote_addr = v->remote.n != 0 ? v->remote.p : "";
	r->host = host_is_sane(host) ? host : v->server;
	if (str_is(v->https, "on") || str_is(v->https, "1") || str_is(v->scheme, "https"))
		r->scheme = STR("https");
	if (cfg != NULL && cfg->trusted_proxies > 0)
		proxies_apply(r, v, cfg->trusted_proxies);
}

/* The status by which the web server has refused the request, or 0: it is also 200 or empty where
 * nothing was refused.
 *
 * lighttpd refuses each POST that says no length (411), as curl -X POST sends it. Of a request that
 * says neither length nor coding there is no body (RFC 9112 §6.3), so it can be served; with a type
 * it may have lost a body on the way. */
static int refusal_read(struct req *r, const struct cgi_vars *v)
{
	int64_t status = 0;

	if (v->redirect.n == 0 || !str_to_i64(v->redirect, 400, 599, &status))
		return 0;
	if (status != 411 || v->type.n != 0)
		return status == 494 ? 431 : (int)status; /* 494: nginx, within */
	r->method = HTTP_POST;
	return 0;
}

const char *cgi_refusal(int status)
{
	switch (status) {
	case 400:
		return "The address, a header or the body is not as HTTP wants it";
	case 404:
		return "There is nothing at this address";
	case 405:
		return "This method is not taken here";
	case 408:
		return "The request came too slowly";
	case 411:
		return "The request must say how long its body is";
	case 413:
		return "The body is too large";
	case 414:
		return "The address is too long";
	case 417:
		return "What the header Expect asks for is not done here";
	case 431:
		return "The headers are too many or too long";
	case 501:
		return "This method or coding is not known";
	default:
		return http_reason(status);
	}
}

static bool request_id_is_sane(struct str s)
{
	size_t i;

	if (s.n == 0 || s.n > 64)
		return false;
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

int cgi_request_parse(struct req *r, char **envp)
{
	struct http_conn *c = conn_of(r);
	struct cgi_vars v = {0};
	struct str s;
	int status, target;

	status = vars_read(r, envp, &v);
	s = req_header(r, "x-request-id");
	/* A value of the environment ends with a NUL already. */
	r->id = request_id_is_sane(s) ? s.p : uuid_dup(r->a, uuid_new());
	r->method = method_parse(v.method);
	/* Even a refused request needs its address, for the shape of the answer. */
	target = target_read(r, &v);
	if (status == 0)
		status = refusal_read(r, &v);
	if (status != 0 || target != 0)
		return status != 0 ? status : target;
	peer_read(r, &v);
	c->content_length = -1;
	if (v.length.n != 0 && !str_to_i64(v.length, 0, INT64_MAX, &c->content_length))
		return 400;
	if (r->query_string.n != 0 && form_parse(r->a, r->query_string, &r->query, NULL) == -1)
		return 400;
	s = req_header(r, "cookie");
	if (s.n != 0)
		cookie_parse(r->a, s, &r->cookies);
	return 0;
}
