/* Answers: headers, entity tags, problems, cookies, lists and their cursors. */
#include "http-check.h"
#include "http/slice.h"

#include "base/config.h"
#include "base/limits.h"
#include "http/conn.h"
#include "keys-check.h"

void suite_http_response(void);

static const char *head_of(struct req *r)
{
	struct buf *b = buf_new(r->a, LIMIT_HEADER_BYTES);

	res_head(r, b, (int64_t)r->res.body->len);
	return b->p;
}

static json_t *body_of(struct req *r)
{
	return json_parse(r->a, (struct str){r->res.body->p, r->res.body->len}, NULL);
}

static void give_header(struct req *r, const char *name, const char *value)
{
	r->headers.v = arena_alloc(r->a, sizeof(struct http_pair));
	r->headers.v[0].name = str_from(name);
	r->headers.v[0].value = str_from(value);
	r->headers.n = 1;
}

static void test_heads(void)
{
	struct arena *a = arena_new();
	struct req r;
	const char *h;

	req_init(&r, a, NULL);
	r.id = "req-1";
	CU_ASSERT_EQUAL(res_text(&r, 200, "text/plain", STR("abc")), 0);
	CU_ASSERT_STRING_EQUAL(head_of(&r),
	    "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
	    "X-Request-Id: req-1\r\nX-Content-Type-Options: nosniff\r\n\r\n");
	r.actor.kind = ACTOR_KEY;
	CU_ASSERT_PTR_NOT_NULL(strstr(head_of(&r), "\r\nCache-Control: no-store\r\n"));
	res_header(&r, "cache-control", "private");
	h = head_of(&r);
	CU_ASSERT_PTR_NULL(strstr(h, "no-store"));
	res_empty(&r, 204);
	h = head_of(&r);
	CU_ASSERT_PTR_NULL(strstr(h, "\nContent-"));
	CU_ASSERT_EQUAL(strncmp(h, "Status: 204 No Content\r\n", 24), 0);
	arena_free(a);
}

static void test_header_values(void)
{
	struct arena *a = arena_new();
	struct req r;

	req_init(&r, a, NULL);
	res_header(&r, "X-A", "a\r\nSet-Cookie: evil=1\n\x01z\tq");
	CU_ASSERT_STRING_EQUAL(r.res.headers->p, "X-A: aSet-Cookie: evil=1z q\r\n");
	CU_ASSERT(res_has_header(&r, "x-a"));
	CU_ASSERT(!res_has_header(&r, "Set-Cookie"));
	CU_ASSERT(!res_has_header(&r, "X"));
	buf_reset(r.res.headers);
	res_headerf(&r, "RateLimit-Limit", "%d", 60);
	CU_ASSERT_STRING_EQUAL(r.res.headers->p, "RateLimit-Limit: 60\r\n");
	buf_reset(r.res.headers);
	res_redirect(&r, "/admin\r\nX: y");
	CU_ASSERT_STRING_EQUAL(r.res.headers->p, "Location: /adminX: y\r\n");
	CU_ASSERT_EQUAL(r.res.status, 303);
	arena_free(a);
}

static void test_cookies(void)
{
	struct arena *a = arena_new();
	struct config cfg = {.base_url = "http://shop.example"};
	struct app app = {.config = &cfg};
	struct req r;

	req_init(&r, a, &app);
	res_cookie(&r, "sid", "a b;\"c\r\nd", 60, true);
	CU_ASSERT_STRING_EQUAL(r.res.headers->p,
	    "Set-Cookie: sid=abcd; Path=/; SameSite=Lax; Max-Age=60; HttpOnly\r\n");
	buf_reset(r.res.headers);
	cfg.base_url = "https://shop.example";
	res_cookie(&r, "sid", "", 0, false);
	CU_ASSERT_STRING_EQUAL(
	    r.res.headers->p, "Set-Cookie: sid=; Path=/; SameSite=Lax; Max-Age=0; Secure\r\n");
	buf_reset(r.res.headers);
	res_cookie(&r, "sid", "x", -1, true);
	CU_ASSERT_STRING_EQUAL(
	    r.res.headers->p, "Set-Cookie: sid=x; Path=/; SameSite=Lax; HttpOnly; Secure\r\n");
	arena_free(a);
}

static void test_etags(void)
{
	struct arena *a = arena_new();
	struct req r;
	char *tag, *end;
	const char *lists[8];
	size_t i;

	req_init(&r, a, NULL);
	res_json(&r, 200, json_string("x"));
	tag = strstr(r.res.headers->p, "ETag: W/\"");
	CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
	tag = arena_strdup(a, tag + 6);
	end = strchr(tag, '\r');
	*end = '\0';
	lists[0] = tag;
	lists[1] = tag + 2;
	lists[2] = arena_printf(a, "\"a\", %s", tag);
	lists[3] = arena_printf(a, "%s,\"b\"", tag);
	lists[4] = " * ";
	for (i = 0; i < 5; i++) {
		req_init(&r, a, NULL);
		give_header(&r, "if-none-match", lists[i]);
		res_json(&r, 200, json_string("x"));
		CHECK(__LINE__, r.res.status == 304 && r.res.body->len == 0, "%s: %d", lists[i],
		    r.res.status);
		CHECK(__LINE__, res_has_header(&r, "ETag"), "%s", lists[i]);
	}
	lists[0] = "\"other\"";
	lists[1] = arena_printf(a, "x%s", tag);
	lists[2] = "";
	for (i = 0; i < 3; i++) {
		req_init(&r, a, NULL);
		give_header(&r, "if-none-match", lists[i]);
		res_json(&r, 200, json_string("x"));
		CHECK(__LINE__, r.res.status == 200 && r.res.body->len == 3, "%s: %d", lists[i],
		    r.res.status);
	}
	/* Another value has another tag; other methods and other answers have none. */
	req_init(&r, a, NULL);
	give_header(&r, "if-none-match", tag);
	res_json(&r, 200, json_string("y"));
	CU_ASSERT_EQUAL(r.res.status, 200);
	req_init(&r, a, NULL);
	r.method = HTTP_POST;
	res_json(&r, 200, json_string("x"));
	CU_ASSERT(!res_has_header(&r, "ETag"));
	req_init(&r, a, NULL);
	res_json(&r, 202, json_string("x"));
	CU_ASSERT(!res_has_header(&r, "ETag"));
	arena_free(a);
}

static void test_problems(void)
{
	static const struct {
		int line;
		enum err_code code;
		int status;
		bool is_told; /* may the message be seen? */
	} cases[] = {
	    {__LINE__, ERR_INTERNAL, 500, false},
	    {__LINE__, ERR_MALFORMED, 400, true},
	    {__LINE__, ERR_INVALID, 422, true},
	    {__LINE__, ERR_UNAUTHORIZED, 401, true},
	    {__LINE__, ERR_DENIED, 403, true},
	    {__LINE__, ERR_NOT_FOUND, 404, true},
	    {__LINE__, ERR_CONFLICT, 409, true},
	    {__LINE__, ERR_UNREADABLE, 409, true},
	    {__LINE__, ERR_LIMIT, 413, true},
	    {__LINE__, ERR_RETRY, 503, false},
	    {__LINE__, ERR_UNAVAILABLE, 503, false},
	    {__LINE__, ERR_TIMEOUT, 504, true},
	    {__LINE__, ERR_REFUSED, 422, true},
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct err err = {.code = cases[i].code, .msg = "secret detail"};
		struct req r;
		json_t *doc;

		req_init(&r, a, NULL);
		r.id = "req-1";
		res_error(&r, &err);
		doc = body_of(&r);
		CHECK(cases[i].line, r.res.status == cases[i].status, "%d", r.res.status);
		CHECK(
		    cases[i].line, json_int(doc, "status") == cases[i].status, "%s", r.res.body->p);
		CHECK(cases[i].line, strcmp(json_str(doc, "type"), "about:blank") == 0, "type");
		CHECK(cases[i].line, strcmp(json_str(doc, "title"), http_reason(r.res.status)) == 0,
		    "title");
		CHECK(cases[i].line, strcmp(json_str(doc, "requestId"), "req-1") == 0, "requestId");
		CHECK(cases[i].line, (strstr(r.res.body->p, "secret") != NULL) == cases[i].is_told,
		    "%s", r.res.body->p);
		CHECK(cases[i].line, strcmp(r.res.content_type, "application/problem+json") == 0,
		    "%s", r.res.content_type);
		CHECK(cases[i].line, res_has_header(&r, "Retry-After") == (r.res.status == 503),
		    "Retry-After");
		CHECK(cases[i].line,
		    res_has_header(&r, "WWW-Authenticate") == (r.res.status == 401),
		    "WWW-Authenticate");
		CHECK(cases[i].line, json_object_get(doc, "errors") == NULL, "errors");
	}
	arena_free(a);
}

static void test_fields(void)
{
	struct arena *a = arena_new();
	struct err err = {.code = ERR_INVALID, .field = "email", .msg = "is no address"};
	const json_t *errors;
	struct req r;

	req_init(&r, a, NULL);
	res_error(&r, &err);
	errors = json_object_get(body_of(&r), "errors");
	CU_ASSERT_EQUAL(json_array_size(errors), 1);
	CU_ASSERT_STRING_EQUAL(json_str(json_array_get(errors, 0), "field"), "email");
	CU_ASSERT_STRING_EQUAL(json_str(json_array_get(errors, 0), "message"), "is no address");

	req_init(&r, a, NULL);
	CU_ASSERT(!req_has_invalid(&r));
	req_invalid(&r, "limit", "must be at most %d", 200);
	req_invalid(&r, "page", "is not a number");
	CU_ASSERT(req_has_invalid(&r));
	res_invalid(&r);
	CU_ASSERT_EQUAL(r.res.status, 422);
	CU_ASSERT_STRING_EQUAL(
	    json_str(body_of(&r), "detail"), "limit: must be at most 200 (and 1 more)");
	errors = json_object_get(body_of(&r), "errors");
	CU_ASSERT_EQUAL(json_array_size(errors), 2);
	CU_ASSERT_STRING_EQUAL(json_str(json_array_get(errors, 1), "field"), "page");

	/* A problem replaces what was begun. */
	req_init(&r, a, NULL);
	res_text(&r, 200, "text/plain", STR("half"));
	res_problem(&r, 409, "%s is there already", "It");
	CU_ASSERT_EQUAL(r.res.status, 409);
	CU_ASSERT_STRING_EQUAL(json_str(body_of(&r), "detail"), "It is there already");
	arena_free(a);
}

static void test_bodies(void)
{
	static const struct json_member members[] = {
	    {"id", READ_PARSED, .parse = uuid_parse_member, .rule = "must be an id"}};
	struct arena *a = arena_new();
	struct uuid id = {{0}};
	const json_t *errors;
	struct req r;

	req_init(&r, a, NULL);
	CU_ASSERT(!req_read_body(&r, JSON_MEMBERS(members), &id));
	CU_ASSERT_EQUAL(r.res.status, 400);

	req_init(&r, a, NULL);
	r.json = json_parse(a, STR("{\"id\":\"01890000-0000-7000-8000-0000000000ff\"}"), NULL);
	CU_ASSERT(req_read_body(&r, JSON_MEMBERS(members), &id) && !req_has_invalid(&r));
	CU_ASSERT_EQUAL(id.b[15], 0xff);

	r.json = json_parse(a, STR("{\"id\":\"5\",\"colour\":1}"), NULL);
	CU_ASSERT(req_read_body(&r, JSON_MEMBERS(members), &id) && req_has_invalid(&r));
	res_invalid(&r);
	CU_ASSERT_EQUAL(r.res.status, 422);
	errors = json_object_get(body_of(&r), "errors");
	CU_ASSERT_EQUAL(json_array_size(errors), 2);
	CU_ASSERT_STRING_EQUAL(json_str(json_array_get(errors, 0), "field"), "colour");
	CU_ASSERT_STRING_EQUAL(json_str(json_array_get(errors, 1), "field"), "id");
	CU_ASSERT_STRING_EQUAL(json_str(json_array_get(errors, 1), "message"), "must be an id");
	arena_free(a);
}

static void test_too_large(void)
{
	struct arena *a = arena_new();
	struct req r;
	char *big = arena_alloc(a, LIMIT_PAGE_BYTES + 1);

	memset(big, 'x', LIMIT_PAGE_BYTES + 1);
	req_init(&r, a, NULL);
	CU_ASSERT_EQUAL(
	    res_text(&r, 200, "text/plain", (struct str){big, LIMIT_PAGE_BYTES + 1}), 0);
	CU_ASSERT_EQUAL(r.res.status, 500);
	CU_ASSERT_PTR_NOT_NULL(body_of(&r));
	arena_free(a);
}

static void test_cursors(void)
{
	static const int64_t values[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1772892600000000};
	struct arena *a = arena_new();
	struct uuid id = uuid_new();
	static const char notes[CURSOR_NOTE] = "a note";
	struct app app = {.keys = keys_made(a)};
	struct cursor got;
	struct req r;
	char *text;
	size_t i;

	req_init(&r, a, &app);
	for (i = 0; i < COUNT(values); i++) {
		struct cursor made = {values[i], id,
		    {notes, i == 0   ? 0
			    : i == 1 ? CURSOR_NOTE
				     : i}};
		struct str c = str_from(cursor_make(&r, "acct list", &made));

		CHECK(__LINE__, cursor_read(&r, "acct list", c, &got), "read");
		CHECK(__LINE__, got.at == values[i] && uuid_eq(id, got.id), "%lld",
		    (long long)got.at);
		CHECK(__LINE__, str_eq(got.note, made.note), "%zu", got.note.n);
	}
	CU_ASSERT(!req_has_invalid(&r));
	text =
	    arena_strdup(a, cursor_make(&r, "acct list", &(struct cursor){42, id, STR("a note")}));
	CU_ASSERT(!cursor_read(&r, "acct other", str_from(text), &got));
	CU_ASSERT(req_has_invalid(&r));
	CU_ASSERT(!cursor_read(&r, "acct list", STR(""), &got));
	CU_ASSERT(!cursor_read(&r, "acct list", STR("garbage!"), &got));
	CU_ASSERT(!cursor_read(&r, "acct list", (struct str){text, strlen(text) - 1}, &got));
	for (i = 0; i < strlen(text); i++) {
		char *altered = arena_strdup(a, text);

		altered[i] = altered[i] == 'A' ? 'g' : 'A';
		CHECK(__LINE__, !cursor_read(&r, "acct list", str_from(altered), &got),
		    "byte %zu altered", i);
	}
	app.keys = keys_made(a);
	CU_ASSERT(!cursor_read(&r, "acct list", str_from(text), &got));
	arena_free(a);
}

static void test_streams_without_connection(void)
{
	struct arena *a = arena_new();
	struct req r;

	req_init(&r, a, NULL);
	CU_ASSERT_EQUAL(res_stream_start(&r, 200, "text/csv"), 0);
	CU_ASSERT_EQUAL(res_stream_write(&r, STR("a,b\n")), 0);
	CU_ASSERT_EQUAL(res_stream_write(&r, STR("1,2\n")), 0);
	CU_ASSERT_STRING_EQUAL(r.res.body->p, "a,b\n1,2\n");
	CU_ASSERT(r.res.sent);
	/* A problem now cannot be told: the stream is cut. */
	res_problem(&r, 500, NULL);
	CU_ASSERT_EQUAL(r.res.status, 200);
	CU_ASSERT_EQUAL(res_stream_write(&r, STR("x")), -1);
	arena_free(a);
}

void suite_http_response(void)
{
	CU_pSuite s = CU_add_suite("http_response", NULL, NULL);

	CU_add_test(s, "heads", test_heads);
	CU_add_test(s, "header values", test_header_values);
	CU_add_test(s, "cookies", test_cookies);
	CU_add_test(s, "entity tags", test_etags);
	CU_add_test(s, "problems", test_problems);
	CU_add_test(s, "faulty fields", test_fields);
	CU_add_test(s, "bodies", test_bodies);
	CU_add_test(s, "answer too large", test_too_large);
	CU_add_test(s, "cursors", test_cursors);
	CU_add_test(s, "streams", test_streams_without_connection);
}
