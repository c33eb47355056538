/* From a web server's variables to a request. */
#include "http-check.h"

#include "base/config.h"
#include "base/limits.h"
#include "http/conn.h"

void suite_http_request(void);

/* "NAME=value" texts separated by line breaks, as an environment the parser may write to. */
static char **env_of(struct arena *a, const char *text)
{
	char **v = arena_array(a, 512, sizeof(*v));
	struct str rest = str_from(text), line;
	size_t n = 0;

	while (str_split(&rest, '\n', &line))
		v[n++] = arena_strndup(a, line.p, line.n);
	return v;
}

static int parse(struct arena *a, struct req *r, struct app *app, const char *env)
{
	req_init(r, a, app);
	return cgi_request_parse(r, env_of(a, env));
}

static void test_heads(void)
{
	static const struct {
		int line;
		const char *env;
		int status;
		const char *path, *query;
		int64_t length;
	} cases[] = {
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a/b?c=d", 0, "/a/b", "c=d", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a?b?c", 0, "/a", "b?c", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a?", 0, "/a", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a%2Fb", 0, "/a%2Fb", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=http://h/a?b=1", 0, "/a", "b=1", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=https://h", 0, "/", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nSCRIPT_NAME=/a\nPATH_INFO=/b\nQUERY_STRING=c=1", 0,
		"/a/b", "c=1", -1},
	    {__LINE__, "REQUEST_METHOD=POST\nREQUEST_URI=/\nCONTENT_LENGTH=12", 0, "/", "", 12},
	    {__LINE__, "REQUEST_METHOD=POST\nREQUEST_URI=/\nCONTENT_LENGTH=", 0, "/", "", -1},
	    {__LINE__, "REQUEST_METHOD=POST\nREQUEST_URI=/\nHTTP_CONTENT_LENGTH=12", 0, "/", "",
		-1},
	    {__LINE__, "REQUEST_METHOD=POST\nREQUEST_URI=/\nCONTENT_LENGTH=-1", 400, "/", "", -1},
	    {__LINE__, "REQUEST_METHOD=POST\nREQUEST_URI=/\nCONTENT_LENGTH=1x", 400, "/", "", -1},
	    {__LINE__, "REQUEST_METHOD=POST\nREQUEST_URI=/\nCONTENT_LENGTH=99999999999999999999",
		400, "/", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=*", 400, "*", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET", 400, "", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a?b=%zz", 400, "/a", "b=%zz", -1},
	    /* what the web server has refused, and what it has not */
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a?b=c\nREDIRECT_STATUS=413", 413, "/a",
		"b=c", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a\nREDIRECT_STATUS=494", 431, "/a", "",
		-1},
	    {__LINE__, "REQUEST_METHOD=GET\nREDIRECT_STATUS=501", 501, "", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a\nREDIRECT_STATUS=200", 0, "/a", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a\nREDIRECT_STATUS=", 0, "/a", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a\nREDIRECT_STATUS=4x4", 0, "/a", "", -1},
	    {__LINE__, "REQUEST_METHOD=GET\nREQUEST_URI=/a\nHTTP_REDIRECT_STATUS=413", 0, "/a", "",
		-1},
	    {__LINE__,
		"REQUEST_METHOD=GET\nREQUEST_URI=/a\nREDIRECT_STATUS=411\nCONTENT_TYPE=text/csv",
		411, "/a", "", -1},
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct req r;
		int status = parse(a, &r, NULL, cases[i].env);

		CHECK(cases[i].line, status == cases[i].status, "status %d", status);
		CHECK(cases[i].line, str_is(r.path, cases[i].path), "path %.*s", SHOW(r.path));
		CHECK(cases[i].line, str_is(r.query_string, cases[i].query), "query %.*s",
		    SHOW(r.query_string));
		if (status == 0)
			CHECK(cases[i].line, conn_of(&r)->content_length == cases[i].length,
			    "length %lld", (long long)conn_of(&r)->content_length);
	}
	arena_free(a);
}

/* lighttpd's refusal of a POST that has no body and says so. */
static void test_no_length(void)
{
	struct arena *a = arena_new();
	struct req r;

	CU_ASSERT_EQUAL(parse(a, &r, NULL,
			    "REQUEST_METHOD=GET\nREQUEST_URI=/a\nREDIRECT_STATUS=411\n"
			    "CONTENT_LENGTH=0"),
	    0);
	CU_ASSERT_EQUAL(r.method, HTTP_POST);
	CU_ASSERT_EQUAL(conn_of(&r)->content_length, 0);
	arena_free(a);
}

static void test_headers(void)
{
	struct arena *a = arena_new();
	struct req r;

	CU_ASSERT_EQUAL(parse(a, &r, NULL,
			    "REQUEST_METHOD=POST\nREQUEST_URI=/x?q=1&q=2\nHTTP_X_API_KEY=K e\n"
			    "CONTENT_TYPE=application/json\nHTTP_CONTENT_TYPE=text/evil\n"
			    "CONTENT_LENGTH=3\nHTTP_COOKIE=a=1; b=2\nHTTP_HOST=shop.example:8443\n"
			    "HTTPS=on\nREMOTE_ADDR=192.0.2.7\nJUNK"),
	    0);
	CU_ASSERT(r.method == HTTP_POST);
	CU_ASSERT(str_is(req_header(&r, "x-api-key"), "K e"));
	CU_ASSERT(str_is(req_header(&r, "content-type"), "application/json"));
	CU_ASSERT(str_is(req_header(&r, "content-length"), "3"));
	CU_ASSERT(str_is(r.content_type, "application/json"));
	CU_ASSERT(req_header(&r, "nothing").p == NULL);
	CU_ASSERT(str_is(req_query(&r, "q"), "1"));
	CU_ASSERT(str_is(req_cookie(&r, "b"), "2"));
	CU_ASSERT(str_is(r.host, "shop.example:8443"));
	CU_ASSERT(str_is(r.scheme, "https"));
	CU_ASSERT_STRING_EQUAL(r.remote_addr, "192.0.2.7");
	CU_ASSERT_STRING_EQUAL(req_base_url(&r), "https://shop.example:8443");
	arena_free(a);
}

static void test_request_ids(void)
{
	static const struct {
		int line;
		const char *given;
		bool is_kept;
	} cases[] = {
	    {__LINE__, "abc-DEF_1.2", true},
	    {__LINE__, "0123456789012345678901234567890123456789012345678901234567890123", true},
	    {__LINE__, "01234567890123456789012345678901234567890123456789012345678901234", false},
	    {__LINE__, "", false},
	    {__LINE__, "a b", false},
	    {__LINE__, "a\rb", false},
	    {__LINE__, "\xc3\xa4", false},
	    {__LINE__, "a\"b", false},
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct uuid made;
		struct req r;

		parse(a, &r, NULL,
		    arena_printf(a, "REQUEST_METHOD=GET\nREQUEST_URI=/\nHTTP_X_REQUEST_ID=%s",
			cases[i].given));
		if (cases[i].is_kept)
			CHECK(cases[i].line, strcmp(r.id, cases[i].given) == 0, "%s", r.id);
		else
			CHECK(cases[i].line, uuid_parse(str_from(r.id), &made), "%s", r.id);
	}
	arena_free(a);
}

static void test_proxies(void)
{
	static const struct {
		int line;
		int64_t hops;
		const char *env, *remote, *scheme, *host;
	} cases[] = {
	    {__LINE__, 0, "HTTP_X_FORWARDED_FOR=192.0.2.1", "10.0.0.1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=192.0.2.1", "192.0.2.1", "http", "h"},
	    /* What a client wrote itself stands before what the proxy appended. */
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=6.6.6.6, 192.0.2.1", "192.0.2.1", "http", "h"},
	    {__LINE__, 2, "HTTP_X_FORWARDED_FOR=6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1", "http",
		"h"},
	    {__LINE__, 2, "HTTP_X_FORWARDED_FOR=192.0.2.1", "192.0.2.1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=[2001:db8::1]:4711", "2001:db8::1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=2001:db8::1", "2001:db8::1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=192.0.2.1:4711", "192.0.2.1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=evil", "10.0.0.1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=", "10.0.0.1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_FOR=6.6.6.6\nHTTP_X_FORWARDED_FOR=192.0.2.1",
		"10.0.0.1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_PROTO=https\nHTTP_X_FORWARDED_HOST=shop.example",
		"10.0.0.1", "https", "shop.example"},
	    {__LINE__, 0, "HTTP_X_FORWARDED_PROTO=https\nHTTP_X_FORWARDED_HOST=shop.example",
		"10.0.0.1", "http", "h"},
	    {__LINE__, 1, "HTTP_X_FORWARDED_PROTO=gopher\nHTTP_X_FORWARDED_HOST=a/b", "10.0.0.1",
		"http", "h"},
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct config cfg = {.trusted_proxies = cases[i].hops};
		struct app app = {.config = &cfg};
		struct req r;

		parse(a, &r, &app,
		    arena_printf(a,
			"REQUEST_METHOD=GET\nREQUEST_URI=/\nREMOTE_ADDR=10.0.0.1\nHTTP_HOST=h\n%s",
			cases[i].env));
		CHECK(cases[i].line, strcmp(r.remote_addr, cases[i].remote) == 0, "remote %s",
		    r.remote_addr);
		CHECK(cases[i].line, str_is(r.scheme, cases[i].scheme), "scheme %.*s",
		    SHOW(r.scheme));
		CHECK(cases[i].line, str_is(r.host, cases[i].host), "host %.*s", SHOW(r.host));
	}
	arena_free(a);
}

static void test_bounds(void)
{
	struct arena *a = arena_new();
	struct buf *env = buf_new(a, 1024 * 1024);
	struct req r;
	unsigned i;

	buf_str(env, "REQUEST_METHOD=GET\nREQUEST_URI=/");
	for (i = 0; i < LIMIT_HEADERS - 2; i++)
		buf_printf(env, "\nHTTP_H%u=v", i);
	CU_ASSERT_EQUAL(parse(a, &r, NULL, env->p), 0);
	buf_str(env, "\nHTTP_LAST=v");
	CU_ASSERT_EQUAL(parse(a, &r, NULL, env->p), 431);

	buf_reset(env);
	buf_str(env, "REQUEST_METHOD=GET\nREQUEST_URI=/\nHTTP_BIG=");
	for (i = 0; i < LIMIT_HEADER_BYTES; i++)
		buf_chr(env, 'x');
	CU_ASSERT_EQUAL(parse(a, &r, NULL, env->p), 431);

	buf_reset(env);
	buf_str(env, "REQUEST_METHOD=GET\nREQUEST_URI=/?");
	for (i = 0; i < LIMIT_URL_BYTES; i++)
		buf_chr(env, 'x');
	CU_ASSERT_EQUAL(parse(a, &r, NULL, env->p), 414);
	arena_free(a);
}

static void test_ids_in_addresses(void)
{
	struct arena *a = arena_new();
	struct http_pair pair = {STR("id"), STR("01890a5d-ac96-774b-bcce-b302099a8057")};
	struct uuid u;
	struct req r;

	req_init(&r, a, NULL);
	r.params = (struct http_pairs){&pair, 1};
	CU_ASSERT(req_param_uuid(&r, "id", &u));
	CU_ASSERT_EQUAL(u.b[0], 0x01);
	pair.value = STR("1");
	CU_ASSERT(!req_param_uuid(&r, "id", &u));
	CU_ASSERT_EQUAL(r.res.status, 404);
	CU_ASSERT(!req_param_uuid(&r, "other", &u));
	arena_free(a);
}

void suite_http_request(void)
{
	CU_pSuite s = CU_add_suite("http_request", NULL, NULL);

	CU_add_test(s, "targets and lengths", test_heads);
	CU_add_test(s, "a POST without body and length", test_no_length);
	CU_add_test(s, "headers", test_headers);
	CU_add_test(s, "request ids", test_request_ids);
	CU_add_test(s, "trusted proxies", test_proxies);
	CU_add_test(s, "bounds", test_bounds);
	CU_add_test(s, "ids in addresses", test_ids_in_addresses);
}
