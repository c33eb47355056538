/* The order of the checks around a handler: what each refusal looks like, and that nothing behind
 * it happens (above all, that a stranger's body is not read). */
#include "http-check.h"

#include "base/config.h"
#include "base/limits.h"
#include "http/conn.h"

void suite_http_dispatch(void);

enum { READ = 1, WRITE = 2 };

/* ---- a connection made of bytes ------------------------------------------------------------ */

struct wire {
	struct str in;
	size_t at, asked;
	bool is_broken; /* reading fails where the bytes end */
};

static long wire_read(void *io, void *p, size_t n)
{
	struct wire *w = io;
	size_t left = w->in.n - w->at;

	w->asked++;
	if (left < n && w->is_broken)
		return -1;
	if (n > left)
		n = left;
	if (n != 0)
		memcpy(p, w->in.p + w->at, n);
	w->at += n;
	return (long)n;
}

static int wire_write(void *io, const void *p, size_t n)
{
	(void)io;
	(void)p;
	(void)n;
	return 0;
}

/* ---- routes -------------------------------------------------------------------------------- */

static unsigned calls, befores, afters;

/* Answers what arrived, so that the tests can see it. */
static int echo(struct req *r)
{
	struct buf *b = buf_new(r->a, 65536);
	size_t i;

	calls++;
	buf_printf(b, "body=%.*s;json=%d;", SHOW(r->body), r->json != NULL);
	for (i = 0; i < r->form.n; i++)
		buf_printf(b, "%.*s=%.*s;", SHOW(r->form.v[i].name), SHOW(r->form.v[i].value));
	for (i = 0; i < r->nfiles; i++)
		buf_printf(b, "file=%.*s:%llu;", SHOW(r->files[i].data),
		    (unsigned long long)r->files[i].size);
	return res_text(r, 200, "text/plain", (struct str){b->p, b->len});
}

static int fails(struct req *r)
{
	(void)r;
	calls++;
	return -1;
}

static int refuses(struct req *r)
{
	calls++;
	res_problem(r, 409, "No");
	return -1;
}

static int streams(struct req *r)
{
	calls++;
	res_stream_start(r, 200, "text/csv");
	return -1;
}

static int writes_by_hand(struct req *r)
{
	calls++;
	r->res.status = 203;
	r->res.content_type = "text/plain";
	buf_str(r->res.body, "by hand");
	return 0;
}

static const struct route routes[] = {
    {HTTP_GET, "/open", echo, 0, ROUTE_PUBLIC, 0},
    {HTTP_GET, "/fails", fails, 0, ROUTE_PUBLIC, 0},
    {HTTP_GET, "/refuses", refuses, 0, ROUTE_PUBLIC, 0},
    {HTTP_GET, "/streams", streams, 0, ROUTE_PUBLIC, 0},
    {HTTP_GET, "/by-hand", writes_by_hand, 0, ROUTE_PUBLIC, 0},
    {HTTP_POST, "/hook", echo, 0, ROUTE_PUBLIC | ROUTE_RAW, 64},
    {HTTP_POST, "/plain", echo, 0, ROUTE_PUBLIC, 64},
    {HTTP_GET, "/api", echo, READ, ROUTE_API, 0},
    {HTTP_POST, "/api", echo, WRITE, ROUTE_API, 1024},
    {HTTP_DELETE, "/api", echo, WRITE, ROUTE_API, 0},
    {HTTP_POST, "/keyed", echo, WRITE, ROUTE_API | ROUTE_IDEMPOTENT, 1024},
    {HTTP_GET, "/me", echo, 0, ROUTE_API | ROUTE_ANY_ACCOUNT, 0},
    {HTTP_POST, "/upload", echo, WRITE, ROUTE_API | ROUTE_UPLOAD, 200000},
    {HTTP_GET, "/admin/page", echo, READ, ROUTE_PAGE, 0},
    {HTTP_POST, "/admin/page", echo, WRITE, ROUTE_PAGE | ROUTE_CSRF, 1024},
    {HTTP_POST, "/admin/sign-in", echo, 0, ROUTE_PUBLIC | ROUTE_FORM, 1024},
};

/* The key's text says who comes. */
static int authenticate(struct req *r)
{
	struct str key = req_header(r, "x-api-key");

	if (str_is(key, "busy")) {
		res_problem(r, 429, "Slowly");
		return -1;
	}
	if (str_is(key, "down"))
		return -1;
	if (!str_is(key, "all") && !str_is(key, "reader"))
		return 0;
	r->actor.kind = ACTOR_SESSION;
	r->actor.permissions = str_is(key, "all") ? READ | WRITE : READ;
	r->actor.csrf = "token";
	return 1;
}

static int problem_page(struct req *r, int status, const char *title, const char *detail)
{
	return res_text(r, status, "text/html",
	    str_from(arena_printf(r->a, "page %d %s: %s", status, title, detail)));
}

static const char *permission_name(uint64_t bits)
{
	return (bits & WRITE) != 0 ? "things.write" : "things.view";
}

static int before(struct req *r)
{
	befores++;
	if (!str_is(req_header(r, "idempotency-key"), "seen"))
		return 0;
	res_text(r, 201, "text/plain", STR("stored"));
	return 1;
}

static void after(struct req *r)
{
	(void)r;
	afters++;
}

static const struct router_hooks hooks = {
    .authenticate = authenticate,
    .problem_page = problem_page,
    .permission_name = permission_name,
    .sign_in_path = "/admin/sign-in",
    .idempotency_before = before,
    .idempotency_after = after,
};

/* ---- the table ----------------------------------------------------------------------------- */

#define JSON "application/json"
#define FORM "application/x-www-form-urlencoded"
#define MULTI "multipart/form-data; boundary=XX"
#define DEEP "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" /* 65 */

struct row {
	int line;
	enum http_method method;
	const char *path, *key, *type;
	struct str body;
	int64_t length; /* of the Content-Length; -1: none; AUTO: that of body */
	int status;
	const char *says; /* part of the answer's head or body */
	bool is_handled, is_unread;
};

#define AUTO INT64_C(-2)
#define NO_BODY NULL, {NULL, 0}, -1

static const struct row rows[] = {
    /* route, method */
    {__LINE__, HTTP_GET, "/open", NULL, NO_BODY, 200, "body=;", true, true},
    {__LINE__, HTTP_HEAD, "/open", NULL, NO_BODY, 200, "body=;", true, true},
    {__LINE__, HTTP_GET, "/none", NULL, NO_BODY, 404, "application/problem+json", false, true},
    {__LINE__, HTTP_GET, "/admin/none", NULL, NO_BODY, 404, "page 404 Not Found", false, true},
    {__LINE__, HTTP_GET, "/administrator", NULL, NO_BODY, 404, "problem+json", false, true},
    {__LINE__, HTTP_POST, "/open", NULL, JSON, STR("{}"), AUTO, 405, "Allow: GET, HEAD, OPTIONS",
	false, true},
    {__LINE__, HTTP_OPTIONS, "/api", NULL, NO_BODY, 204, "Allow: GET, HEAD, POST, DELETE, OPTIONS",
	false, true},
    {__LINE__, HTTP_OTHER, "/api", NULL, NO_BODY, 405, "Allow: GET", false, true},
    /* 413 comes before 401, 401 before the body is read */
    {__LINE__, HTTP_POST, "/api", NULL, JSON, STR("{}"), 1025, 413, "1024 bytes", false, true},
    {__LINE__, HTTP_DELETE, "/api", "all", JSON, STR("{}"), AUTO, 413, "no body", false, true},
    {__LINE__, HTTP_POST, "/api", NULL, JSON, STR("{}"), AUTO, 401,
	"WWW-Authenticate: Bearer realm=\"connect\"", false, true},
    {__LINE__, HTTP_POST, "/upload", NULL, MULTI, STR("--XX--"), AUTO, 401, "", false, true},
    {__LINE__, HTTP_POST, "/api", "wrong", JSON, STR("{"), AUTO, 401, "", false, true},
    {__LINE__, HTTP_POST, "/api", "busy", JSON, STR("{}"), AUTO, 429, "Retry-After: 1", false,
	true},
    {__LINE__, HTTP_POST, "/api", "down", JSON, STR("{}"), AUTO, 503, "Retry-After", false, true},
    {__LINE__, HTTP_GET, "/admin/page", NULL, NO_BODY, 303,
	"Location: /admin/sign-in?next=%2Fadmin%2Fpage%3Fq%3D1%262\r\n", false, true},
    {__LINE__, HTTP_POST, "/admin/page", NULL, FORM, STR("a=1"), AUTO, 303,
	"Location: /admin/sign-in?lost=1&next=\r\n", false, true},
    /* permission */
    {__LINE__, HTTP_GET, "/api", "reader", NO_BODY, 200, "no-store", true, true},
    {__LINE__, HTTP_POST, "/api", "reader", JSON, STR("{}"), AUTO, 403, "things.write", false,
	true},
    {__LINE__, HTTP_POST, "/admin/page", "reader", FORM, STR("a=1"), AUTO, 403,
	"page 403 Forbidden: Your role (none) can't do this. Ask an admin of your account", false,
	true},
    {__LINE__, HTTP_GET, "/me", "reader", NO_BODY, 200, "", true, true},
    {__LINE__, HTTP_GET, "/me", NULL, NO_BODY, 401, "", false, true},
    /* type, before the body is read */
    {__LINE__, HTTP_POST, "/api", "all", "text/plain", STR("{}"), AUTO, 415, "application/json",
	false, true},
    {__LINE__, HTTP_POST, "/api", "all", FORM, STR("a=1"), AUTO, 415, "", false, true},
    {__LINE__, HTTP_POST, "/api", "all", NULL, STR("{}"), AUTO, 415, "", false, true},
    {__LINE__, HTTP_POST, "/admin/page", "all", JSON, STR("{}"), AUTO, 415, "page 415", false,
	true},
    /* JSON */
    {__LINE__, HTTP_POST, "/api", "all", JSON, STR("{\"a\":1}"), AUTO, 200,
	"body={\"a\":1};json=1;", true, false},
    {__LINE__, HTTP_POST, "/api", "all", "Application/JSON; charset=utf-8", STR("{}"), AUTO, 200,
	"json=1", true, false},
    {__LINE__, HTTP_POST, "/api", "all", JSON, STR("{}"), -1, 200, "json=1", true, false},
    {__LINE__, HTTP_POST, "/api", "all", JSON, STR(""), 0, 200, "json=0", true, true},
    {__LINE__, HTTP_POST, "/api", "all", NULL, STR(""), 0, 200, "json=0", true, true},
    {__LINE__, HTTP_POST, "/api", "all", NULL, STR(""), -1, 200, "json=0", true, false},
    {__LINE__, HTTP_POST, "/api", "all", JSON, STR("{"), AUTO, 400, "JSON", false, false},
    {__LINE__, HTTP_POST, "/api", "all", JSON, STR("\"\xff\""), AUTO, 400, "", false, false},
    {__LINE__, HTTP_POST, "/api", "all", JSON, STR(DEEP), AUTO, 400, "", false, false},
    {__LINE__, HTTP_POST, "/api", "all", JSON, STR("{}"), 3, 400, "ended before", false, false},
    /* no length: bounded while reading */
    {__LINE__, HTTP_POST, "/hook", NULL, "x/y",
	STR("0123456789012345678901234567890123456789012345678901234567890123"), -1, 200,
	"body=0123", true, false},
    {__LINE__, HTTP_POST, "/hook", NULL, "x/y",
	STR("01234567890123456789012345678901234567890123456789012345678901234"), -1, 413,
	"64 bytes", false, false},
    {__LINE__, HTTP_POST, "/hook", NULL, JSON, STR("{not json"), AUTO, 200, "body={not json;json=0",
	true, false},
    {__LINE__, HTTP_DELETE, "/api", "all", NULL, STR(""), -1, 200, "", true, false},
    {__LINE__, HTTP_DELETE, "/api", "all", NULL, STR("x"), -1, 413, "no body", false, false},
    {__LINE__, HTTP_POST, "/plain", NULL, "text/x", STR("abc"), AUTO, 200, "body=abc", true, false},
    {__LINE__, HTTP_POST, "/plain", NULL, NULL, STR("abc"), -1, 200, "body=abc", true, false},
    /* forms */
    {__LINE__, HTTP_POST, "/admin/page", "all", FORM, STR("_csrf=token&a=b+c"), AUTO, 200, "a=b c;",
	true, false},
    {__LINE__, HTTP_POST, "/admin/page", "all", MULTI,
	STR("--XX\r\nContent-Disposition: form-data; name=_csrf\r\n\r\ntoken\r\n--XX--"), AUTO, 200,
	"_csrf=token;", true, false},
    {__LINE__, HTTP_POST, "/admin/page", "all", FORM, STR("_csrf=token&a=%zz"), AUTO, 400,
	"page 400", false, false},
    {__LINE__, HTTP_POST, "/admin/page", "all", FORM, STR("_csrf=toke"), AUTO, 403, "page 403",
	false, false},
    {__LINE__, HTTP_POST, "/admin/page", "all", FORM, STR("_csrf=token2"), AUTO, 403, "", false,
	false},
    {__LINE__, HTTP_POST, "/admin/page", "all", FORM, STR("_csrf="), AUTO, 403, "", false, false},
    {__LINE__, HTTP_POST, "/admin/page", "all", FORM, STR("a=1"), AUTO, 403, "", false, false},
    {__LINE__, HTTP_POST, "/admin/page", "all", NULL, STR(""), 0, 403, "", false, true},
    {__LINE__, HTTP_POST, "/admin/sign-in", NULL, FORM, STR("email=a%40b"), AUTO, 200, "email=a@b;",
	true, false},
    {__LINE__, HTTP_POST, "/admin/sign-in", NULL, JSON, STR("{}"), AUTO, 415, "page 415", false,
	true},
    /* uploads */
    {__LINE__, HTTP_POST, "/upload", "all", "text/csv", STR("a,b\n1,2\n"), AUTO, 200,
	"file=a,b\n1,2\n:8;", true, false},
    {__LINE__, HTTP_POST, "/upload", "all", "text/csv", STR("a,b\n1,2\n"), -1, 200, ":8;", true,
	false},
    {__LINE__, HTTP_POST, "/upload", "all", "text/csv", STR("a,b\n"), 9, 400, "ended before", false,
	false},
    {__LINE__, HTTP_POST, "/upload", "all", JSON, STR("{\"csv\":\"a\"}"), AUTO, 200, "json=1", true,
	false},
    {__LINE__, HTTP_POST, "/upload", "all", MULTI,
	STR("--XX\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\nabc\r\n--XX--"),
	AUTO, 200, "file=abc:3;", true, false},
    {__LINE__, HTTP_POST, "/upload", "all", MULTI, STR("--XX\r\nbroken"), AUTO, 400, "ends early",
	false, false},
    /* handlers */
    {__LINE__, HTTP_GET, "/fails", NULL, NO_BODY, 500, "\"status\":500", true, true},
    {__LINE__, HTTP_GET, "/refuses", NULL, NO_BODY, 409, "\"detail\":\"No\"", true, true},
    {__LINE__, HTTP_GET, "/by-hand", NULL, NO_BODY, 203, "by hand", true, true},
};

static void prepare(
    struct req *r, struct arena *a, const struct row *row, struct http_conn *c, struct wire *w)
{
	struct http_pair *h = arena_array(a, 2, sizeof(*h));

	req_init(r, a, NULL);
	r->method = row->method;
	r->path = str_from(row->path);
	r->query_string = str_is(r->path, "/admin/page") ? STR("q=1&2") : STR("");
	r->content_type = str_from(row->type);
	h[0].name = STR("x-api-key");
	h[0].value = str_from(row->key != NULL ? row->key : "");
	r->headers = (struct http_pairs){h, 1};
	*w = (struct wire){.in = row->body};
	*c = (struct http_conn){.io = w,
	    .read = wire_read,
	    .write = wire_write,
	    .content_length = row->length == AUTO ? (int64_t)row->body.n : row->length};
	r->conn = c;
}

static void test_order(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, &err);
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(rt);
	for (i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct buf *all = buf_new(a, LIMIT_PAGE_BYTES);
		struct http_conn c;
		struct wire w;
		struct req r;

		prepare(&r, a, row, &c, &w);
		calls = 0;
		router_dispatch(rt, &r);
		res_head(&r, all, (int64_t)r.res.body->len);
		buf_add(all, r.res.body->p, r.res.body->len);
		CHECK(row->line, r.res.status == row->status, "%s: %d %s", row->path, r.res.status,
		    r.res.body->p);
		CHECK(row->line, calls == row->is_handled, "handler called %u times", calls);
		CHECK(row->line, (w.asked == 0) == row->is_unread, "body asked for %zu times",
		    w.asked);
		CHECK(row->line, strstr(all->p, row->says) != NULL, "%s", all->p);
	}
	arena_free(a);
}

static void test_broken_connection(void)
{
	const struct row row = {
	    __LINE__, HTTP_POST, "/api", "all", JSON, STR("{}"), 10, 400, "", false, false};
	struct arena *a = arena_new();
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, NULL);
	struct http_conn c;
	struct wire w;
	struct req r;

	prepare(&r, a, &row, &c, &w);
	w.is_broken = true;
	calls = 0;
	router_dispatch(rt, &r);
	CU_ASSERT_EQUAL(r.res.status, 400);
	CU_ASSERT_EQUAL(calls, 0);
	arena_free(a);
}

static void test_large_upload(void)
{
	struct row row = {__LINE__, HTTP_POST, "/upload", "all", "text/csv", {NULL, 0}, AUTO, 200,
	    "", true, false};
	struct arena *a = arena_new();
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, NULL);
	struct http_conn c;
	struct wire w;
	struct req r;
	char *big = arena_alloc(a, 200001);

	memset(big, 'x', 200001);
	row.body = (struct str){big, 200000};
	prepare(&r, a, &row, &c, &w);
	router_dispatch(rt, &r);
	CU_ASSERT_EQUAL(r.res.status, 200);
	CU_ASSERT_EQUAL_FATAL(r.nfiles, 1);
	CU_ASSERT_PTR_NOT_NULL(r.files[0].path);
	CU_ASSERT_EQUAL(r.files[0].size, 200000);
	/* One more, of untold length */
	row.body.n++;
	row.length = -1;
	prepare(&r, a, &row, &c, &w);
	router_dispatch(rt, &r);
	CU_ASSERT_EQUAL(r.res.status, 413);
	arena_free(a);
}

static void test_csrf_header(void)
{
	const struct row row = {
	    __LINE__, HTTP_POST, "/admin/page", "all", NULL, STR(""), 0, 200, "", true, true};
	struct arena *a = arena_new();
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, NULL);
	struct http_conn c;
	struct wire w;
	struct req r;

	prepare(&r, a, &row, &c, &w);
	r.headers.v[1].name = STR("x-csrf-token");
	r.headers.v[1].value = STR("token");
	r.headers.n = 2;
	router_dispatch(rt, &r);
	CU_ASSERT_EQUAL(r.res.status, 200);
	arena_free(a);
}

static void test_idempotency(void)
{
	const struct row row = {
	    __LINE__, HTTP_POST, "/keyed", "all", JSON, STR("{}"), AUTO, 200, "", true, true};
	static const struct {
		int line;
		const char *key;
		int status;
		unsigned calls, befores, afters;
	} cases[] = {
	    {__LINE__, NULL, 200, 1, 0, 0},
	    {__LINE__, "new", 200, 1, 1, 1},
	    {__LINE__, "seen", 201, 0, 1, 0},
	};
	struct arena *a = arena_new();
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, NULL);
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct http_conn c;
		struct wire w;
		struct req r;

		prepare(&r, a, &row, &c, &w);
		if (cases[i].key != NULL) {
			r.headers.v[1].name = STR("idempotency-key");
			r.headers.v[1].value = str_from(cases[i].key);
			r.headers.n = 2;
		}
		calls = befores = afters = 0;
		router_dispatch(rt, &r);
		CHECK(cases[i].line, r.res.status == cases[i].status, "%d", r.res.status);
		CHECK(cases[i].line,
		    calls == cases[i].calls && befores == cases[i].befores &&
			afters == cases[i].afters,
		    "calls %u, before %u, after %u", calls, befores, afters);
	}
	arena_free(a);
}

static void test_cut_stream(void)
{
	const struct row row = {__LINE__, HTTP_GET, "/streams", NULL, NO_BODY, 200, "", true, true};
	struct arena *a = arena_new();
	struct router *rt = router_new(a, routes, COUNT(routes), &hooks, NULL);
	struct http_conn c;
	struct wire w;
	struct req r;

	prepare(&r, a, &row, &c, &w);
	router_dispatch(rt, &r);
	CU_ASSERT(r.res.sent);
	CU_ASSERT(c.is_cut);
	arena_free(a);
}

void suite_http_dispatch(void)
{
	CU_pSuite s = CU_add_suite("http_dispatch", NULL, NULL);

	CU_add_test(s, "order of the checks", test_order);
	CU_add_test(s, "broken connection", test_broken_connection);
	CU_add_test(s, "large upload", test_large_upload);
	CU_add_test(s, "CSRF token in a header", test_csrf_header);
	CU_add_test(s, "Idempotency-Key", test_idempotency);
	CU_add_test(s, "failing stream is cut", test_cut_stream);
}
