/* Which address means which route, and what a table may not hold. */
#include "http-check.h"

#include "base/limits.h"
#include "http/router.h"

void suite_http_router(void);

static int handler(struct req *r)
{
	return res_empty(r, 204);
}

static int authenticate(struct req *r)
{
	(void)r;
	return 0;
}

static const struct router_hooks hooks = {.authenticate = authenticate};

#define PUBLIC(m, p)                                                                               \
	{                                                                                          \
		m, p, handler, 0, ROUTE_PUBLIC, 0                                                  \
	}

static const struct route routes[] = {
    PUBLIC(HTTP_GET, "/"),
    PUBLIC(HTTP_GET, "/healthz"),
    PUBLIC(HTTP_GET, "/v1/records"),
    PUBLIC(HTTP_POST, "/v1/records/import"),
    PUBLIC(HTTP_GET, "/v1/records/export"),
    PUBLIC(HTTP_GET, "/v1/records/:id"),
    PUBLIC(HTTP_DELETE, "/v1/records/:id"),
    PUBLIC(HTTP_GET, "/v1/records/:id/history"),
    PUBLIC(HTTP_GET, "/v1/flows/:flowId/executions/:executionId"),
    PUBLIC(HTTP_POST, "/v1/flows/:id/publish"),
    PUBLIC(HTTP_PUT, "/v1/tables/:slug/rows/by-key/:externalKey"),
    PUBLIC(HTTP_PATCH, "/v1/tables/:slug/rows/:id"),
    PUBLIC(HTTP_POST, "/webhook/:providerType"),
    PUBLIC(HTTP_POST, "/webhook/:providerType/:connectionId"),
};

static void test_matches(void)
{
	static const struct {
		int line;
		enum http_method method;
		const char *path;
		const char *pattern;      /* NULL: 404; "405…": 405 with this Allow */
		const char *name, *value; /* a parameter, if any */
	} cases[] = {
	    {__LINE__, HTTP_GET, "/", "/", NULL, NULL},
	    {__LINE__, HTTP_GET, "/healthz", "/healthz", NULL, NULL},
	    {__LINE__, HTTP_HEAD, "/healthz", "/healthz", NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/export", "/v1/records/export", NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/exports", "/v1/records/:id", "id", "exports"},
	    /* The fixed name has no such method; that the parameter has it does not count. */
	    {__LINE__, HTTP_GET, "/v1/records/import", "405POST, OPTIONS", NULL, NULL},
	    {__LINE__, HTTP_DELETE, "/v1/records/export", "405GET, HEAD, OPTIONS", NULL, NULL},
	    /* The fixed name leads nowhere, the parameter does. */
	    {__LINE__, HTTP_GET, "/v1/records/export/history", "/v1/records/:id/history", "id",
		"export"},
	    {__LINE__, HTTP_GET, "/v1/flows/a/executions/b",
		"/v1/flows/:flowId/executions/:executionId", "flowId", "a"},
	    {__LINE__, HTTP_GET, "/v1/flows/a/executions/b",
		"/v1/flows/:flowId/executions/:executionId", "executionId", "b"},
	    {__LINE__, HTTP_POST, "/v1/flows/a/publish", "/v1/flows/:id/publish", "id", "a"},
	    {__LINE__, HTTP_PUT, "/v1/tables/t/rows/by-key/k",
		"/v1/tables/:slug/rows/by-key/:externalKey", "externalKey", "k"},
	    {__LINE__, HTTP_PATCH, "/v1/tables/t/rows/by-key", "/v1/tables/:slug/rows/:id", "id",
		"by-key"},
	    {__LINE__, HTTP_POST, "/webhook/meta", "/webhook/:providerType", "providerType",
		"meta"},
	    /* Decoding */
	    {__LINE__, HTTP_GET, "/health%7a", "/healthz", NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/a%20b", "/v1/records/:id", "id", "a b"},
	    {__LINE__, HTTP_GET, "/v1/records/a%2Fb", "/v1/records/:id", "id", "a/b"},
	    {__LINE__, HTTP_GET, "/v1/records/a+b", "/v1/records/:id", "id", "a+b"},
	    {__LINE__, HTTP_GET, "/v1/records/%c3%a4", "/v1/records/:id", "id", "\xc3\xa4"},
	    {__LINE__, HTTP_GET, "/v1/records/%2", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/%zz", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/a%00b", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/%ff", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/%c0%af", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/\xff", NULL, NULL, NULL},
	    /* Shapes that are no address */
	    {__LINE__, HTTP_GET, "/healthz/", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "//healthz", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1//records", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "healthz", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/Healthz", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/flows/a", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/a/b/c", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/../healthz", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/./records", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/..", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/v1/records/%2e%2E", NULL, NULL, NULL},
	    {__LINE__, HTTP_GET, "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", NULL,
		NULL, NULL},
	    /* Methods */
	    {__LINE__, HTTP_POST, "/healthz", "405GET, HEAD, OPTIONS", NULL, NULL},
	    {__LINE__, HTTP_OTHER, "/healthz", "405GET, HEAD, OPTIONS", NULL, NULL},
	    {__LINE__, HTTP_OPTIONS, "/healthz", "405GET, HEAD, OPTIONS", NULL, NULL},
	    {__LINE__, HTTP_HEAD, "/webhook/x", "405POST, OPTIONS", NULL, NULL},
	    {__LINE__, HTTP_PUT, "/v1/records/x", "405GET, HEAD, DELETE, OPTIONS", NULL, NULL},
	    {__LINE__, HTTP_PUT, "/v1/records/import", "405POST, OPTIONS", NULL, NULL},
	};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, &err);
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(rt);
	for (i = 0; i < COUNT(cases); i++) {
		const char *want = cases[i].pattern, *allow;
		struct req r;
		int status;

		req_init(&r, a, NULL);
		r.method = cases[i].method;
		r.path = str_from(cases[i].path);
		status = router_match(rt, &r, &allow);
		if (want == NULL || want[0] != '/') {
			CHECK(cases[i].line, status == (want == NULL ? 404 : 405), "%s: %d",
			    cases[i].path, status);
			CHECK(cases[i].line, strcmp(allow, want == NULL ? "" : want + 3) == 0,
			    "%s: Allow: %s", cases[i].path, allow);
			continue;
		}
		CHECK(cases[i].line, status == 0 && strcmp(r.route->pattern, want) == 0,
		    "%s: %d %s", cases[i].path, status, r.route != NULL ? r.route->pattern : "");
		if (cases[i].name != NULL)
			CHECK(cases[i].line, str_is(req_param(&r, cases[i].name), cases[i].value),
			    "%s: %s is %.*s", cases[i].path, cases[i].name,
			    SHOW(req_param(&r, cases[i].name)));
	}
	arena_free(a);
}

static void test_long_path(void)
{
	static char path[LIMIT_URL_BYTES + 2];
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, &err);
	const char *allow;
	struct req r;

	memset(path, 'a', sizeof(path));
	memcpy(path, "/v1/records/", 12);
	req_init(&r, a, NULL);
	r.path = (struct str){path, LIMIT_URL_BYTES};
	CU_ASSERT_EQUAL(router_match(rt, &r, &allow), 0);
	CU_ASSERT_EQUAL(req_param(&r, "id").n, LIMIT_URL_BYTES - 12);
	r.path.n++;
	CU_ASSERT_EQUAL(router_match(rt, &r, &allow), 404);
	arena_free(a);
}

static void test_bad_tables(void)
{
	static const struct {
		int line;
		struct route route;
		const char *says;
	} cases[] = {
	    {__LINE__, {HTTP_GET, "/a", handler, 0, 0, 0}, "no permission"},
	    {__LINE__, {HTTP_GET, "/a", handler, 0, ROUTE_API, 0}, "no permission"},
	    {__LINE__, {HTTP_GET, "/a", NULL, 1, ROUTE_API, 0}, "no handler"},
	    {__LINE__, {HTTP_GET, "a", handler, 1, ROUTE_API, 0}, "begin with /"},
	    {__LINE__, {HTTP_HEAD, "/a", handler, 1, ROUTE_API, 0}, "dispatcher"},
	    {__LINE__, {HTTP_OPTIONS, "/a", handler, 1, ROUTE_API, 0}, "dispatcher"},
	    {__LINE__, {HTTP_OTHER, "/a", handler, 1, ROUTE_API, 0}, "dispatcher"},
	    {__LINE__, {HTTP_GET, "/a", handler, 1, ROUTE_PUBLIC, 0}, "public and yet"},
	    {__LINE__, {HTTP_GET, "/a", handler, 0, ROUTE_PUBLIC | ROUTE_ANY_ACCOUNT, 0},
		"public and yet"},
	    {__LINE__, {HTTP_GET, "/a", handler, 1, ROUTE_ANY_ACCOUNT, 0}, "any account and yet"},
	    {__LINE__, {HTTP_GET, "/a", handler, 1, ROUTE_API | ROUTE_PAGE, 0}, "both an API"},
	    {__LINE__, {HTTP_POST, "/a", handler, 1, ROUTE_PAGE, 9}, "needs ROUTE_CSRF"},
	    {__LINE__, {HTTP_POST, "/a", handler, 1, ROUTE_FORM, 9}, "public forms"},
	    {__LINE__, {HTTP_POST, "/a", handler, 0, ROUTE_PUBLIC | ROUTE_CSRF, 9}, "session"},
	    {__LINE__, {HTTP_POST, "/a", handler, 1, ROUTE_PAGE | ROUTE_CSRF, 0}, "needs a body"},
	    {__LINE__, {HTTP_POST, "/a", handler, 1, ROUTE_RAW | ROUTE_UPLOAD, 9}, "both raw"},
	    {__LINE__, {HTTP_GET, "/a/", handler, 1, ROUTE_API, 0}, "ends with /"},
	    {__LINE__, {HTTP_GET, "/a//b", handler, 1, ROUTE_API, 0}, "empty"},
	    {__LINE__, {HTTP_GET, "/a/:", handler, 1, ROUTE_API, 0}, "nameless"},
	    {__LINE__, {HTTP_GET, "/healthz", handler, 1, ROUTE_API, 0}, "twice"},
	    {__LINE__, {HTTP_GET, "/v1/records/:other", handler, 1, ROUTE_API, 0}, "twice"},
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct route table[] = {routes[1], routes[5], cases[i].route};
		struct err err = ERR_INIT;

		CHECK(cases[i].line, router_new(a, table, COUNT(table), &hooks, &err) == NULL,
		    "accepted");
		CHECK(cases[i].line, strstr(err.msg, cases[i].says) != NULL, "says: %s", err.msg);
	}
	arena_free(a);
}

static void test_needs_authenticator(void)
{
	static const struct router_hooks none = {0};
	static const struct route table[] = {{HTTP_GET, "/a", handler, 1, ROUTE_API, 0}};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;

	CU_ASSERT_PTR_NULL(router_new(a, table, 1, &none, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.msg, "authenticator"));
	arena_free(a);
}

static void test_otherwise(void)
{
	static const struct route other = PUBLIC(HTTP_GET, "/");
	static const struct router_hooks with = {.authenticate = authenticate, .otherwise = &other};
	static const struct {
		enum http_method method;
		const char *path;
		int status;
		bool is_other;
	} rows[] = {
	    {HTTP_GET, "/healthz", 0, false},
	    {HTTP_POST, "/healthz", 405, false},
	    {HTTP_GET, "/nothing", 0, true},
	    {HTTP_PUT, "/a//b/", 0, true},
	};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct router *rt = router_new(a, routes, COUNT(routes), &with, &err);

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *allow;
		struct req r;

		req_init(&r, a, NULL);
		r.method = rows[i].method;
		r.path = str_from(rows[i].path);
		CU_ASSERT_EQUAL(router_match(rt, &r, &allow), rows[i].status);
		CU_ASSERT_EQUAL(r.route == &other, rows[i].is_other);
	}
	arena_free(a);
}

void suite_http_router(void)
{
	CU_pSuite s = CU_add_suite("http_router", NULL, NULL);

	CU_add_test(s, "addresses and methods", test_matches);
	CU_add_test(s, "over-long address", test_long_path);
	CU_add_test(s, "contradictory tables", test_bad_tables);
	CU_add_test(s, "a route for every other address", test_otherwise);
	CU_add_test(s, "no authenticator", test_needs_authenticator);
}
