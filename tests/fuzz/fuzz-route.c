/* Variables of a web server, one a line, to a request and its route: safe on any bytes; what a
 * handler would get is decoded, clean and of the route's shape. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/limits.h"
#include "http/conn.h"
#include "http/router.h"

#define VARS_MAX 400u

static int handler(struct req *r)
{
	return res_empty(r, 204);
}

#define ROW(m, p)                                                                                  \
	{                                                                                          \
		m, p, handler, 0, ROUTE_PUBLIC, 0                                                  \
	}

static const struct route routes[] = {
    ROW(HTTP_GET, "/"),
    ROW(HTTP_GET, "/healthz"),
    ROW(HTTP_GET, "/a/:x"),
    ROW(HTTP_POST, "/a/b"),
    ROW(HTTP_GET, "/a/:x/c"),
    ROW(HTTP_PUT, "/a/b/:y"),
    ROW(HTTP_DELETE, "/a/:x/:y/:z"),
    ROW(HTTP_PATCH, "/a/b/c/d"),
};

static const struct router_hooks hooks = {0};

static size_t split_env(struct arena *a, struct str text, char **env)
{
	struct str line;
	size_t n = 0;

	while (n < VARS_MAX && str_split(&text, '\n', &line))
		env[n++] = arena_strndup(a, line.p, strnlen(line.p, line.n));
	env[n] = NULL;
	return n;
}

static size_t slashes(struct str s)
{
	size_t n = 0, i;

	for (i = 0; i < s.n; i++)
		n += s.p[i] == '/';
	return n;
}

static void check_match(const struct req *r)
{
	size_t i;

	if (r->path.n == 0 || r->path.p[0] != '/' ||
	    slashes(r->path) != slashes(str_from(r->route->pattern)))
		abort();
	for (i = 0; i < r->params.n; i++) {
		struct str v = r->params.v[i].value;

		if (v.n == 0 || !utf8_is_valid(v) || str_is(v, ".") || str_is(v, ".."))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct router *rt = router_new(a, routes, sizeof(routes) / sizeof(routes[0]), &hooks, &err);
	struct config cfg = {.trusted_proxies = (int64_t)(n % 3)};
	struct app app = {.config = &cfg};
	char **env = arena_array(a, VARS_MAX + 1, sizeof(*env));
	struct str text = {(const char *)p, n};
	const char *allow;
	struct req r;
	int status;

	if (rt == NULL)
		abort();
	req_init(&r, a, &app);
	if (n != 0)
		split_env(a, text, env);
	status = cgi_request_parse(&r, env);
	if (strlen(r.id) == 0 || strlen(r.id) > 64 || r.headers.n > LIMIT_HEADERS)
		abort();
	if (status == 0) {
		if (router_match(rt, &r, &allow) == 0)
			check_match(&r);
	} else {
		res_problem(&r, status, NULL);
	}
	arena_free(a);
	return 0;
}
