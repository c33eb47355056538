/* Forms, query strings and cookies: untrusted text in, pairs out. */
#include "http-check.h"

#include "base/limits.h"
#include "http/form.h"

void suite_http_form(void);

/* "name=value|…" with what is special in there left as it is. */
static const char *flat(struct arena *a, const struct http_pairs *p)
{
	struct buf *b = buf_new(a, 65536);
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (i != 0)
			buf_chr(b, '|');
		buf_add(b, p->v[i].name.p, p->v[i].name.n);
		buf_chr(b, '=');
		buf_add(b, p->v[i].value.p, p->v[i].value.n);
	}
	return b->p;
}

static void test_forms(void)
{
	static const struct {
		int line;
		struct str in;
		const char *out; /* NULL: malformed */
	} cases[] = {
	    {__LINE__, STR(""), ""},
	    {__LINE__, STR("a=1"), "a=1"},
	    {__LINE__, STR("a=1&b=2&a=3"), "a=1|b=2|a=3"},
	    {__LINE__, STR("a"), "a="},
	    {__LINE__, STR("a=&=b&="), "a=|=b|="},
	    {__LINE__, STR("&&a=1&&"), "a=1"},
	    {__LINE__, STR("a=b=c"), "a=b=c"},
	    {__LINE__, STR("a+b=c+d"), "a b=c d"},
	    {__LINE__, STR("a%20b=%26%3d%2B"), "a b=&=+"},
	    {__LINE__, STR("filter%5Baddress.city%5D=Paris"), "filter[address.city]=Paris"},
	    {__LINE__, STR("a=%c3%a4"), "a=\xc3\xa4"},
	    {__LINE__, STR("a=\xc3\xa4"), "a=\xc3\xa4"},
	    {__LINE__, STR("a=1;b=2"), "a=1;b=2"},
	    {__LINE__, STR("a=%0d%0ax"), "a=\r\nx"},
	    {__LINE__, STR("a=%"), NULL},
	    {__LINE__, STR("a=%4"), NULL},
	    {__LINE__, STR("a=%zz"), NULL},
	    {__LINE__, STR("%=a"), NULL},
	    {__LINE__, STR("a=%00"), NULL},
	    {__LINE__, STR("a=x\0y"), NULL},
	    {__LINE__, STR("a=%ff"), NULL},
	    {__LINE__, STR("a=%ed%a0%80"), NULL},
	    {__LINE__, STR("\xff=a"), NULL},
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct err err = ERR_INIT;
		struct http_pairs out;
		int rc = form_parse(a, cases[i].in, &out, &err);

		if (cases[i].out == NULL) {
			CHECK(cases[i].line, rc != 0 && err.code == ERR_MALFORMED, "accepted");
			continue;
		}
		CHECK(cases[i].line, rc == 0, "refused: %s", err.msg);
		CHECK(cases[i].line, strcmp(flat(a, &out), cases[i].out) == 0, "%s", flat(a, &out));
	}
	arena_free(a);
}

static void test_too_many_fields(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 65536);
	struct err err = ERR_INIT;
	struct http_pairs out;
	unsigned i;

	for (i = 0; i < LIMIT_FORM_FIELDS; i++)
		buf_str(b, i != 0 ? "&a=1" : "a=1");
	CU_ASSERT_EQUAL(form_parse(a, (struct str){b->p, b->len}, &out, &err), 0);
	CU_ASSERT_EQUAL(out.n, LIMIT_FORM_FIELDS);
	buf_str(b, "&a=1");
	CU_ASSERT_EQUAL(form_parse(a, (struct str){b->p, b->len}, &out, &err), -1);
	CU_ASSERT_EQUAL(err.code, ERR_LIMIT);
	arena_free(a);
}

static void test_lookups(void)
{
	struct arena *a = arena_new();
	struct req r;

	req_init(&r, a, NULL);
	form_parse(a, STR("a=1&a=2&empty="), &r.form, NULL);
	CU_ASSERT(str_is(req_form(&r, "a"), "1"));
	CU_ASSERT(req_form(&r, "none").p != NULL && req_form(&r, "none").n == 0);
	CU_ASSERT(http_pairs_get(&r.form, "none").p == NULL);
	CU_ASSERT(http_pairs_get(&r.form, "empty").p != NULL);
	CU_ASSERT(http_pairs_get(&r.form, "A").p == NULL);
	arena_free(a);
}

static void test_cookies(void)
{
	static const struct {
		int line;
		struct str in;
		const char *out;
	} cases[] = {
	    {__LINE__, STR(""), ""},
	    {__LINE__, STR("a=1"), "a=1"},
	    {__LINE__, STR("a=1; b=2"), "a=1|b=2"},
	    {__LINE__, STR("a=1;b=2"), "a=1|b=2"},
	    {__LINE__, STR(" a = 1 ; b=2 "), "a=1|b=2"},
	    {__LINE__, STR("a=\"x y\""), "a=x y"},
	    {__LINE__, STR("a=b=c"), "a=b=c"},
	    {__LINE__, STR("a="), "a="},
	    {__LINE__, STR("junk; a=1"), "a=1"},
	    {__LINE__, STR("=1; a=1"), "a=1"},
	    {__LINE__, STR("a b=1; c=2"), "c=2"},
	    {__LINE__, STR("a=\x01; c=2"), "c=2"},
	    {__LINE__, STR("\xc3\xa4=1; c=2"), "c=2"},
	    {__LINE__, STR(";;;"), ""},
	};
	struct arena *a = arena_new();
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct http_pairs out;

		cookie_parse(a, cases[i].in, &out);
		CHECK(cases[i].line, strcmp(flat(a, &out), cases[i].out) == 0, "%s", flat(a, &out));
	}
	arena_free(a);
}

void suite_http_form(void)
{
	CU_pSuite s = CU_add_suite("http_form", NULL, NULL);

	CU_add_test(s, "forms", test_forms);
	CU_add_test(s, "too many fields", test_too_many_fields);
	CU_add_test(s, "lookups", test_lookups);
	CU_add_test(s, "cookies", test_cookies);
}
