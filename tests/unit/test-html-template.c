/* Contextual escaping: what compiles, what must not, and what a hostile value turns into. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/limits.h"
#include "html/html.h"
#include "html/svg.h"
#include "html/template.h"

#define CHECK(line, ok, ...)                                                                       \
	do {                                                                                       \
		char text_[1024];                                                                  \
		snprintf(text_, sizeof(text_), __VA_ARGS__);                                       \
		CU_assertImplementation(                                                           \
		    (ok) ? CU_TRUE : CU_FALSE, (unsigned)(line), text_, __FILE__, "", CU_FALSE);   \
	} while (0)

static const char evil[] = "\"'><script>alert(1)</script>`= onload=x&";

static int render(struct arena *a, const char *text, const json_t *data, bool is_strict,
    struct buf *out, struct err *err)
{
	return template_render_text(a, str_from(text), data, is_strict, out, err);
}

static void test_escapers(void)
{
	static const struct {
		int line;
		void (*escape)(struct buf *, struct str);
		const char *in, *out;
	} cases[] = {
	    {__LINE__, html_text, "a<b>&\"c", "a&lt;b&gt;&amp;\"c"},
	    {__LINE__, html_text, "", ""},
	    {__LINE__, html_attr, "\"'`=<>&", "&#34;&#39;&#96;&#61;&lt;&gt;&amp;"},
	    {__LINE__, html_url, "https://a.example/?b=1&c", "https://a.example/?b&#61;1&amp;c"},
	    {__LINE__, html_url, "/admin", "/admin"},
	    {__LINE__, html_url, "?a=b:c", "?a&#61;b:c"},
	    {__LINE__, html_url, "MAILTO:a@b.example", "MAILTO:a@b.example"},
	    {__LINE__, html_url, "javascript:alert(1)", "#"},
	    {__LINE__, html_url, "JaVaScRiPt:alert(1)", "#"},
	    {__LINE__, html_url, " javascript:alert(1)", "#"},
	    {__LINE__, html_url, "java\tscript:alert(1)", "#"},
	    {__LINE__, html_url, "\x01javascript:alert(1)", "#"},
	    {__LINE__, html_url, ":javascript:alert(1)", "#"},
	    {__LINE__, html_url, "data:text/html,x", "#"},
	    {__LINE__, html_url, "vbscript:x", "#"},
	    {__LINE__, html_url, "a/b:c", "a/b:c"},
	    {__LINE__, html_query, "a b&c=d/\xc3\xa4", "a%20b%26c%3Dd%2F%C3%A4"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf *b = buf_new(a, 4096);
		cases[i].escape(b, str_from(cases[i].in));
		CHECK(cases[i].line, strcmp(b->p, cases[i].out) == 0, "\"%s\" became \"%s\"",
		    cases[i].in, b->p);
	}
	arena_free(a);
}

static void test_contexts(void)
{
	static const struct {
		int line;
		const char *template, *out;
	} cases[] = {
	    {__LINE__, "<p>{{x}}</p>",
		"<p>\"'&gt;&lt;script&gt;alert(1)&lt;/script&gt;`= onload=x&amp;</p>"},
	    {__LINE__, "<p title=\"{{x}}\">",
		"<p title=\"&#34;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#96;&#61; "
		"onload&#61;x&amp;\">"},
	    {__LINE__, "<p title='{{x}}'>",
		"<p title='&#34;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#96;&#61; "
		"onload&#61;x&amp;'>"},
	    {__LINE__, "<textarea>{{x}}</textarea>",
		"<textarea>\"'&gt;&lt;script&gt;alert(1)&lt;/script&gt;`= "
		"onload=x&amp;</textarea>"},
	    {__LINE__, "<title>{{y}}</title>{{y}}", "<title>a b</title>a b"},
	    {__LINE__, "<a href=\"{{js}}\">", "<a href=\"#\">"},
	    {__LINE__, "<form action=\"{{js}}\">", "<form action=\"#\">"},
	    {__LINE__, "<button formaction=\"{{js}}\">", "<button formaction=\"#\">"},
	    {__LINE__, "<img src='{{js}}'>", "<img src='#'>"},
	    {__LINE__, "<a href=\"/a/{{y}}?b={{js}}\">",
		"<a href=\"/a/a%20b?b=javascript%3Aalert%281%29\">"},
	    {__LINE__, "<a href=\"/a?b={{y|query}}\">", "<a href=\"/a?b=a%20b\">"},
	    {__LINE__, "<a href=\"mailto:{{y}}\">", "<a href=\"mailto:a%20b\">"},
	    {__LINE__, "<a href=\"{{url}}?x={{y}}\">", "<a href=\"https://a.example/?x=a%20b\">"},
	    {__LINE__, "<a href=\"{{#none}}/x{{/none}}{{js}}\">", "<a href=\"#\">"},
	    {__LINE__, "<a href=\"{{#y}}/x/{{/y}}{{js}}\">", "<a href=\"/x/#\">"},
	    {__LINE__, "<a href=\"{{#y}}{{url}}{{/y}}{{^y}}/no{{/y}}\">",
		"<a href=\"https://a.example/\">"},
	    {__LINE__, "<option value=\"1\"{{#y}} selected{{/y}}>",
		"<option value=\"1\" selected>"},
	    {__LINE__, "<div{{#y}} class=\"{{y}}\"{{/y}}>", "<div class=\"a b\">"},
	    {__LINE__, "<input disabled{{#y}} required{{/y}}>", "<input disabled required>"},
	    {__LINE__, "<!-- it's <b> -- here --><p>{{y}}</p>",
		"<!-- it's <b> -- here --><p>a b</p>"},
	    {__LINE__, "<!doctype html>\n  <p>{{y}}</p>", "<!doctype html>\n<p>a b</p>"},
	    {__LINE__, "<script src=\"/a.js\"></script>{{y}}",
		"<script src=\"/a.js\"></script>a b"},
	    {__LINE__, "<pre>\n  {{y}}\n</pre>\n  x", "<pre>\n  a b\n</pre>\nx"},
	};
	struct arena *a = arena_new();
	json_t *data = json_own(a, json_object());

	json_set_str(data, "x", evil);
	json_set_str(data, "y", "a b");
	json_set_str(data, "js", "javascript:alert(1)");
	json_set_str(data, "url", "https://a.example/");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		struct buf *b = buf_new(a, 4096);
		int rc = render(a, cases[i].template, data, false, b, &err);
		CHECK(cases[i].line, rc == 0 && strcmp(b->p, cases[i].out) == 0,
		    "%s became %s (%s)", cases[i].template, b->p, err.msg);
	}
	arena_free(a);
}

static void test_refused(void)
{
	static const struct {
		int line;
		const char *template;
	} cases[] = {
	    {__LINE__, "<script>{{x}}</script>"},
	    {__LINE__, "<style>{{x}}</style>"},
	    {__LINE__, "<SCRIPT>{{x}}</SCRIPT>"},
	    {__LINE__, "<p title={{x}}>"},
	    {__LINE__, "<p title=a>"},
	    {__LINE__, "<p {{x}}>"},
	    {__LINE__, "<{{x}}>"},
	    {__LINE__, "<p{{x}}>"},
	    {__LINE__, "<p style=\"{{x}}\">"},
	    {__LINE__, "<p style=\"color:red\">"},
	    {__LINE__, "<p onclick=\"{{x}}\">"},
	    {__LINE__, "<p OnClick=\"f()\">"},
	    {__LINE__, "<p on{{#x}}click=\"a\"{{/x}}>"},
	    {__LINE__, "<p {{#x}}on{{/x}}click=\"a\">"},
	    {__LINE__, "<img srcset=\"{{x}}\">"},
	    {__LINE__, "<iframe srcdoc=\"{{x}}\">"},
	    {__LINE__, "<iframe src=\"{{x}}\"></iframe>"},
	    {__LINE__, "<meta content=\"{{x}}\">"},
	    {__LINE__, "<a href=\"javascript:{{x}}\">"},
	    {__LINE__, "<a href=\"javascript:f()\">"},
	    {__LINE__, "<a href=\"data:text/html,\">"},
	    {__LINE__, "<a href=\"java{{x}}\">"},
	    {__LINE__, "<a href=\"{{x}}:alert(1)\">"},
	    {__LINE__, "<a href=\"{{#x}}javascript{{/x}}:alert(1)\">"},
	    {__LINE__, "<a href=\"{{#x}}{{x}}{{/x}}:alert(1)\">"},
	    {__LINE__, "<!-- {{x}} -->"},
	    {__LINE__, "<!doctype {{x}}>"},
	    {__LINE__, "{{#x}}<p{{/x}}>"},
	    {__LINE__, "{{#x}}<p title=\"{{/x}}\">"},
	    {__LINE__, "<p title=\"{{#x}}\">{{/x}}"},
	    {__LINE__, "<p title=\"{{#x}}\" class=\"{{/x}}\">"},
	    {__LINE__, "{{#x}}<!--{{/x}}-->"},
	    {__LINE__, "{{#x}}<textarea>{{/x}}</textarea>"},
	    {__LINE__, "{{#x}}<pre>{{/x}}"},
	    {__LINE__, "<p title=\"a\"class=\"b\">"},
	    {__LINE__, "<p title=\"{{>a}}\">"},
	    {__LINE__, "<p title=\"{{&x_svg}}\">"},
	    {__LINE__, "<p title=\"{{x|tree}}\">"},
	    {__LINE__, "<textarea>{{&x_svg}}</textarea>"},
	    {__LINE__, "{{&x}}"},
	    {__LINE__, "a < b"},
	    {__LINE__, "<p"},
	    {__LINE__, "<textarea>"},
	    {__LINE__, "{{#x}}"},
	    {__LINE__, "{{/x}}"},
	    {__LINE__, "{{#x}}{{#y}}{{/x}}{{/y}}"},
	    {__LINE__, "{{x"},
	    {__LINE__, "{{}}"},
	    {__LINE__, "{{x|}}"},
	    {__LINE__, "{{x|nosuch}}"},
	    {__LINE__, "{{x|time|date}}"},
	    {__LINE__, "{{a..b}}"},
	    {__LINE__, "{{a.}}"},
	    {__LINE__, "{{a.b.c.d.e.f.g.h.i}}"},
	    {__LINE__, "{{a b}}"},
	    {__LINE__, "{{>nosuch}}"},
	    {__LINE__,
		"{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}{{#x}}"
		"{{#x}}{{#x}}{{#x}}{{#x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}"
		"{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}{{/x}}"},
	};
	struct arena *a = arena_new();
	json_t *data = json_own(a, json_object());

	json_set_str(data, "x", evil);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;
		struct buf *b = buf_new(a, 4096);
		int rc = render(a, cases[i].template, data, false, b, &err);
		CHECK(cases[i].line, rc == -1 && strncmp(err.msg, "text.html:1: ", 13) == 0,
		    "%s was taken: %s (%s)", cases[i].template, b->p, err.msg);
	}
	arena_free(a);
}

static void test_strict(void)
{
	static const struct {
		int line;
		const char *template, *error; /* NULL: fine */
	} cases[] = {
	    {__LINE__, "{{a}}", NULL},
	    {__LINE__, "\n\n{{b}}", "text.html:3: nothing is called b"},
	    {__LINE__, "{{b|default:x}}", NULL},
	    {__LINE__, "{{a.c}}", "text.html:1: nothing is called c"},
	    {__LINE__, "{{#b}}{{c}}{{/b}}", NULL},
	    {__LINE__, "{{^b}}{{a}}{{/b}}", NULL},
	    {__LINE__, "{{o}}", "text.html:1: has no text in this form: o"},
	    {__LINE__, "{{n}}", NULL},
	};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	json_t *data = json_parse(a, STR("{\"a\":\"x\",\"o\":{},\"n\":null}"), &err);

	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf *b = buf_new(a, 4096);
		struct err e = ERR_INIT, lax = ERR_INIT;
		int rc = render(a, cases[i].template, data, true, b, &e);
		CHECK(cases[i].line,
		    cases[i].error == NULL ? rc == 0
					   : rc == -1 && strcmp(e.msg, cases[i].error) == 0,
		    "%s: %s", cases[i].template, e.msg);
		CHECK(cases[i].line,
		    render(a, cases[i].template, data, false, b, &lax) == 0 || rc == -1,
		    "lax: %s: %s", cases[i].template, lax.msg);
	}
	arena_free(a);
}

/* Loops within loops over the same array end by the budget, not by the sun's burning out. */
static void test_budget(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	json_t *data = json_own(a, json_object()), *list = json_array();
	struct buf *b = buf_new(a, 4096);

	for (int i = 0; i < 100; i++)
		json_array_append_new(list, json_integer(i));
	json_set(data, "a", list);
	CU_ASSERT_TRUE(render(a, "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}",
			   data, false, b, &err) == -1);
	CU_ASSERT_EQUAL(err.code, ERR_LIMIT);
	arena_free(a);
}

static bool put(const char *dir, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (f == NULL)
		return false;
	fputs(text, f);
	return fclose(f) == 0;
}

static void test_directory(void)
{
	struct arena *a = arena_new();
	char dir[] = "/tmp/connect-templates-XXXXXX", path[512];
	struct err err = ERR_INIT;
	struct templates *ts;
	struct buf *b = buf_new(a, 65536);
	json_t *data;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/feature", dir);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	CU_ASSERT_TRUE(put(dir, "page.html", "<b>{{>>content}}</b>"));
	CU_ASSERT_TRUE(put(path, "one.html", "{{#rows}}{{>feature/row}}{{/rows}}"));
	CU_ASSERT_TRUE(put(path, "row.html", "<i>{{.}}</i>"));
	CU_ASSERT_TRUE(put(path, "self.html", "{{>feature/self}}"));
	ts = templates_load(a, dir, true, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ts);
	data = json_parse(a, STR("{\"content\":\"feature/one\",\"rows\":[\"a\",\"<\",3]}"), &err);
	CU_ASSERT_EQUAL(template_render(ts, "page", data, b, &err), 0);
	CU_ASSERT_STRING_EQUAL(b->p, "<b><i>a</i><i>&lt;</i><i>3</i></b>");
	/* a partial that includes itself ends */
	CU_ASSERT_TRUE(template_render(ts, "feature/self", data, b, &err) == -1);
	CU_ASSERT_STRING_EQUAL(err.msg, "feature/self.html:1: partials are nested too deeply");
	err_clear(&err);
	CU_ASSERT_TRUE(template_render(ts, "nosuch", data, b, &err) == -1);
	err_clear(&err);
	data = json_parse(a, STR("{\"content\":\"../../etc/passwd\"}"), &err);
	CU_ASSERT_TRUE(template_render(ts, "page", data, b, &err) == -1);
	err_clear(&err);
	/* errors name file and line */
	CU_ASSERT_TRUE(put(path, "one.html", "<p>\n\n{{#rows}}{{>feature/none}}{{/rows}}"));
	CU_ASSERT_PTR_NULL(templates_load(a, dir, true, &err));
	CU_ASSERT_STRING_EQUAL(err.msg, "feature/one.html:3: no such template: feature/none");
	err_clear(&err);
	CU_ASSERT_TRUE(put(path, "one.html", "<p>\n<a href={{x}}>"));
	CU_ASSERT_PTR_NULL(templates_load(a, dir, true, &err));
	CU_ASSERT_STRING_EQUAL(err.msg, "feature/one.html:2: an attribute value must be quoted");
	static const char *const names[] = {
	    "feature/one.html", "feature/row.html", "feature/self.html", "page.html"};
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/feature", dir);
	rmdir(path);
	rmdir(dir);
	arena_free(a);
}

/* The product's own templates compile. */
static void test_own(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;

	CHECK(__LINE__, templates_load(a, CONNECT_SRCDIR "/templates", true, &err) != NULL, "%s",
	    err.msg);
	arena_free(a);
}

/* A peak leaves the rest to be seen, with its number; what has a link is no picture. */
static void test_svg_peak(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 65536);
	struct svg_point points[] = {{"a", 8, -1, NULL, "/list?from=1&to=2", NULL},
	    {"b", 900, -1, NULL, NULL, NULL}, {"c", 4, -1, NULL, NULL, "now"}};

	svg_bars(a, b, "Peak", points, 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "role=\"group\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "aria-label=\"Peak: 912 in all, at most 900\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p,
	    "<a tabindex=\"-1\" href=\"/list?from&#61;1&amp;to&#61;2\" aria-label=\"a: 8\">"));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, ">10</text>")); /* the upper line */
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, ">5</text>"));  /* the middle one */
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "height=\"80.00%\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "class=\"bars-cut\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "text-anchor=\"middle\">900</text>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "text-anchor=\"end\">now</text>"));
	CU_ASSERT_PTR_NULL(strstr(b->p, ">c</text>")); /* "now" stands in its place */
	buf_reset(b);
	points[1].value = 30; /* no peak: no more than four times the next */
	svg_bars(a, b, "Even", points, 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, ">30</text>"));
	CU_ASSERT_PTR_NULL(strstr(b->p, "bars-cut"));
	arena_free(a);
}

static void test_svg(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 65536);
	struct svg_point points[] = {
	    {"0 <h>", 3, -1, NULL, NULL, NULL}, {"1 h", 0, 6, NULL, NULL, NULL}};

	svg_bars(a, b, "A \"b\"", points, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "aria-label=\"A &#34;b&#34;: 3 in all"));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "0 &lt;h&gt;: 3</title>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "height=\"50.00%\""));
	CU_ASSERT_PTR_NULL(strstr(b->p, "style="));
	buf_reset(b);
	svg_stacks(a, b, "Parts",
	    (const struct svg_part[]){{"good", "g"}, {"late", "w"}, {"bad", "b"}},
	    (const struct svg_stack[]){{"<1>", "1", {2, 1, 1}, "/x?a=1&b"},
		{"2", "2", {0, 0, 0}, NULL}, {"3", "3", {0, 0, 2}, NULL}},
	    3);
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "aria-label=\"Parts: 6 in all, at most 4\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "<title>&lt;1&gt;: 2 good, 1 late, 1 bad</title>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "role=\"group\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "<a tabindex=\"-1\" href=\"/x?a&#61;1&amp;b\" "
					    "aria-label=\"&lt;1&gt;: 2 good, 1 late, 1 bad\"><g>"));
	/* the uppermost part reaches the top, and those below it are drawn over it */
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "class=\"b\" x=\"5.00%\" y=\"0.00%\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "class=\"w\" x=\"5.00%\" y=\"25.00%\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "class=\"g\" x=\"5.00%\" y=\"50.00%\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "class=\"b\" x=\"71.67%\" y=\"50.00%\""));
	/* a label that would be cut at the right edge ends there */
	CU_ASSERT_PTR_NOT_NULL(strstr(b->p, "text-anchor=\"start\">2</text>"));
	buf_reset(b);
	svg_bars(a, b, "Week",
	    (const struct svg_point[]){{"1", 1, -1, NULL, NULL, NULL},
		{"2", 1, -1, NULL, NULL, NULL}, {"3", 1, -1, NULL, NULL, NULL},
		{"4", 1, -1, NULL, NULL, NULL}, {"5", 1, -1, NULL, NULL, NULL},
		{"6", 1, -1, NULL, NULL, NULL}, {"2026-11-07", 1, -1, NULL, NULL, NULL}},
	    7);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(b->p, "x=\"100.00%\" y=\"154\" text-anchor=\"end\">2026-11-07</text>"));
	buf_reset(b);
	svg_bars(a, b, "none", NULL, 0);
	CU_ASSERT_TRUE(buf_ok(b));
	arena_free(a);
}

void suite_html_template(void);
void suite_html_template(void)
{
	CU_pSuite s = CU_add_suite("html-template", NULL, NULL);

	CU_add_test(s, "escapers", test_escapers);
	CU_add_test(s, "values are escaped by context", test_contexts);
	CU_add_test(s, "what is not safe does not compile", test_refused);
	CU_add_test(s, "strict mode", test_strict);
	CU_add_test(s, "loops are bounded", test_budget);
	CU_add_test(s, "a directory of templates", test_directory);
	CU_add_test(s, "the product's templates compile", test_own);
	CU_add_test(s, "charts", test_svg);
	CU_add_test(s, "a chart with a peak and links", test_svg_peak);
}
