/* The page around pages: security headers, one-time messages, links that keep a list's filters; and
 * the static files and routes that the composition adds to them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "base/config.h"
#include "crypto/aead.h"
#include "html/chrome.h"
#include "html/template.h"
#include "product/product.h"

#define CHECK(line, ok, ...)                                                                       \
	do {                                                                                       \
		char text_[1024];                                                                  \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                                       \
		CU_assertImplementation(                                                           \
		    (ok) ? CU_TRUE : CU_FALSE, (unsigned)(line), text_, __FILE__, "", CU_FALSE);   \
	} while (0)

static struct arena *a;
static struct app app;
static struct config config;

static int set_up(void)
{
	char dir[] = "/tmp/connect-chrome-XXXXXX", path[256];
	struct err err = ERR_INIT;

	a = arena_new();
	app = (struct app){.config = &config};
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/key", dir);
	if (keyring_create(path, &err) == 0)
		app.keys = keyring_load(a, path, &err);
	unlink(path);
	rmdir(dir);
	app.templates = templates_load(a, CONNECT_SRCDIR "/templates", true, &err);
	return app.keys == NULL || app.templates == NULL ? -1 : 0;
}

static int tear_down(void)
{
	arena_free(a);
	return 0;
}

static struct req *request(const char *path)
{
	struct req *r = arena_zalloc(a, sizeof(*r));

	req_init(r, a, &app);
	r->path = str_from(path);
	r->id = "request-1";
	return r;
}

static void add_query(struct req *r, const char *name, const char *value)
{
	struct http_pair *v = arena_array(a, r->query.n + 1, sizeof(*v));

	if (r->query.n > 0)
		memcpy(v, r->query.v, r->query.n * sizeof(*v));
	v[r->query.n] = (struct http_pair){str_from(name), str_from(value)};
	r->query.v = v;
	r->query.n++;
}

static void test_problem(void)
{
	struct req *r = request("/admin/x");

	CU_ASSERT_EQUAL(chrome_problem_page(r, 404, "Not Found", "No <b>such</b> thing"), 0);
	CU_ASSERT_EQUAL(r->res.status, 404);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->res.body->p, "No &lt;b&gt;such&lt;/b&gt; thing"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->res.body->p, "request-1"));
	CU_ASSERT_PTR_NULL(strstr(r->res.body->p, "<nav"));
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(r->res.headers->p, "Content-Security-Policy: default-src 'none';"));
	CU_ASSERT_PTR_NULL(strstr(r->res.headers->p, "unsafe"));
}

/* The value of a Set-Cookie line. */
static struct str cookie_of(struct req *r, const char *name)
{
	char *at = strstr(r->res.headers->p, name);

	if (at == NULL || at[strlen(name)] != '=')
		return (struct str){NULL, 0};
	at += strlen(name) + 1;
	return (struct str){at, strcspn(at, ";")};
}

static const char *page_with_cookie(struct str value)
{
	struct req *r = request("/admin/x");
	struct http_pair *pair = arena_zalloc(a, sizeof(*pair));

	*pair = (struct http_pair){STR("connect_flash"), value};
	r->cookies = (struct http_pairs){pair, 1};
	r->actor.kind = ACTOR_SESSION;
	CU_ASSERT_EQUAL(chrome_problem_page(r, 404, "Not Found", "x"), 0);
	return r->res.body->p;
}

static void test_flash(void)
{
	struct req *r = request("/admin/x");
	struct str cookie;
	char *altered;

	chrome_flash(r, "ok", "Saved <%s>", "it");
	cookie = cookie_of(r, "connect_flash");
	CU_ASSERT_TRUE_FATAL(cookie.n > 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(page_with_cookie(cookie), "Saved &lt;it&gt;"));
	/* nobody else's words are shown */
	for (size_t i = 0; i < cookie.n; i++) {
		altered = arena_strndup(a, cookie.p, cookie.n);
		altered[i] = altered[i] == 'A' ? 'B' : 'A';
		const char *page = page_with_cookie((struct str){altered, cookie.n});
		CHECK(__LINE__, strstr(page, "class=\"flash") == NULL || i + 1 == cookie.n,
		    "byte %zu may be altered", i);
	}
	CU_ASSERT_PTR_NULL(strstr(page_with_cookie(STR("AAAA")), "class=\"flash"));
	/* too long: cut, not lost */
	r = request("/admin/x");
	char *text = arena_alloc(a, 4001);
	memset(text, 'x', 4000);
	text[4000] = '\0';
	chrome_flash(r, "error", "%s", text);
	CU_ASSERT_PTR_NOT_NULL(strstr(page_with_cookie(cookie_of(r, "connect_flash")), "xxxxxxxx"));
}

static void test_links(void)
{
	struct req *r = request("/admin/leads");

	add_query(r, "search", "a&b=c");
	add_query(r, "status", "failed");
	add_query(r, "cursor", "old");
	add_query(r, "empty", "");
	CU_ASSERT_STRING_EQUAL(
	    chrome_link(r, "status", (struct str){NULL, 0}), "/admin/leads?search=a%26b%3Dc");
	CU_ASSERT_STRING_EQUAL(chrome_link(r, "cursor", STR("n/1")),
	    "/admin/leads?search=a%26b%3Dc&status=failed&cursor=n%2F1");
	static const struct word words[] = {
	    {"failed", "Failed"}, {"dead", "Given up"}, {NULL, NULL}};
	json_t *choices = json_own(a, chrome_choices(r, "status", words));
	CU_ASSERT_EQUAL(json_array_size(choices), 3);
	CU_ASSERT_FALSE(json_bool(json_array_get(choices, 0), "is_current"));
	CU_ASSERT_TRUE(json_bool(json_array_get(choices, 1), "is_current"));
	CU_ASSERT_STRING_EQUAL(json_str(json_array_get(choices, 2), "label"), "Given up");
}

/* The page of a place of the table below, for who holds these permissions. */
static const char *place_page(const char *path, uint64_t permissions)
{
	struct req *r = request(path);

	r->actor.kind = ACTOR_SESSION;
	r->actor.permissions = permissions;
	CU_ASSERT_EQUAL(chrome_page(r, 200, "runs", "Here", "import/list", json_object()), 0);
	return r->res.body->p;
}

/* Of two places of a section, each is seen by whom may see it: together they are tabs, and the
 * navigation leads to the first. */
static void test_places(void)
{
	static const struct chrome_nav nav[] = {
	    {"runs", "Runs", "/admin/first", "runs", 1, .help = "Of the first.", .tab = "First"},
	    {"runs", "Runs", "/admin/second", "runs", 2, .help = "Of the second.", .tab = "Second"},
	    {.path = NULL},
	};
	static const char tabs[] = "class=\"page-tabs\"";
	static const char *const paths[] = {"/admin/first", "/admin/second"};
	const char *page;

	app.hooks.nav = nav;
	for (size_t i = 0; i < 2; i++) {
		page = place_page(paths[i], 3);
		CHECK(__LINE__, strstr(page, tabs) != NULL, "no tabs on %s", paths[i]);
		CHECK(__LINE__, strstr(page, "href=\"/admin/first\" aria-current") != NULL,
		    "the entry is not current on %s", paths[i]);
		CHECK(__LINE__, strstr(page, i == 0 ? "Of the first." : "Of the second.") != NULL,
		    "another's help on %s", paths[i]);
		page = place_page(paths[i], UINT64_C(1) << i);
		CHECK(__LINE__, strstr(page, tabs) == NULL, "a tab alone on %s", paths[i]);
		CHECK(__LINE__, strstr(page, paths[1 - i]) == NULL, "a link to %s", paths[1 - i]);
		CHECK(__LINE__, strstr(page, paths[i]) != NULL, "no link to %s", paths[i]);
	}
	CU_ASSERT_PTR_NULL(strstr(place_page("/admin/first/one", 3), tabs));
	app.hooks.nav = NULL;
}

static void test_routes(void)
{
	size_t n;
	struct err err = ERR_INIT;
	const struct route *routes = product_routes(&n);

	CHECK(
	    __LINE__, router_new(a, routes, n, &product_router_hooks, &err) != NULL, "%s", err.msg);
	for (size_t i = 0; i < n; i++) {
		const struct route *rt = &routes[i];
		bool is_api = strncmp(rt->pattern, "/connect/v1/", 12) == 0;
		bool is_page = strncmp(rt->pattern, "/admin", 6) == 0;
		CHECK(__LINE__, !is_api || (rt->flags & ROUTE_API) != 0, "%s is no API route",
		    rt->pattern);
		CHECK(__LINE__, !is_page || (rt->flags & ROUTE_PAGE) != 0, "%s is no page",
		    rt->pattern);
		/* what changes something takes a body, and a page's form a token */
		CHECK(__LINE__, rt->method != HTTP_POST || rt->body_limit > 0, "%s takes no body",
		    rt->pattern);
	}
}

static int get_static(const char *name, const char *etag, struct req **out)
{
	struct req *r = request("/static/x");
	struct http_pair *param = arena_zalloc(a, sizeof(*param)),
			 *header = arena_zalloc(a, sizeof(*header));

	*param = (struct http_pair){STR("file"), str_from(name)};
	*header = (struct http_pair){STR("if-none-match"), str_from(etag)};
	r->params = (struct http_pairs){param, 1};
	r->headers = (struct http_pairs){header, 1};
	CU_ASSERT_EQUAL(product_static_file(r), 0);
	*out = r;
	return r->res.status;
}

static void test_static(void)
{
	static const char *const absent[] = {
	    "nothing.css", "../static/connect.css", ".", "", "connect.css/", "CONNECT.CSS"};
	struct err err = ERR_INIT;
	struct req *r;

	CU_ASSERT_EQUAL_FATAL(
	    product_static_load(a, CONNECT_SRCDIR "/static", &app.asset_version, &err), 0);
	CU_ASSERT_EQUAL(get_static("connect.css", "", &r), 200);
	CU_ASSERT_STRING_EQUAL(r->res.content_type, "text/css; charset=utf-8");
	CU_ASSERT_TRUE(r->res.body->len > 1000);
	CU_ASSERT_PTR_NULL(strstr(r->res.headers->p, "immutable"));
	char *etag = strstr(r->res.headers->p, "ETag: ");
	CU_ASSERT_PTR_NOT_NULL_FATAL(etag);
	etag = arena_strndup(a, etag + 6, strcspn(etag + 6, "\r"));
	CU_ASSERT_EQUAL(get_static("connect.css", etag, &r), 304);
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		CHECK(__LINE__, get_static(absent[i], "", &r) == 404, "%s is served", absent[i]);
	CU_ASSERT_TRUE(
	    product_static_load(a, CONNECT_SRCDIR "/nowhere", &app.asset_version, &err) == -1);
}

void suite_html_chrome(void);
void suite_html_chrome(void)
{
	CU_pSuite s = CU_add_suite("html-chrome", set_up, tear_down);

	CU_add_test(s, "problem page and security headers", test_problem);
	CU_add_test(s, "messages shown once", test_flash);
	CU_add_test(s, "links keep filters", test_links);
	CU_add_test(s, "places of a section, by who may see them", test_places);
	CU_add_test(s, "the table of routes holds together", test_routes);
	CU_add_test(s, "static files", test_static);
}
