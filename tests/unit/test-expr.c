/* The language of expressions with roots, functions and escapes of a caller of its own. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "expr/expr.h"
#include "test-base.h"

void suite_expr(void);

enum root { ROOT_BOX, ROOT_WORD, ROOT_SECRET };

/* A look-up of the caller's: the n-th letter of a text. */
static struct str letter_find(const void *from, const char *name)
{
	const char *word = from;
	size_t i = (size_t)(name[0] - '0');

	return i < strlen(word) ? (struct str){word + i, 1} : (struct str){NULL, 0};
}

static void function_twice(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	const char *both =
	    arena_printf(s->a, "%.*s%c%.*s", (int)text.n, text.p, argument, (int)text.n, text.p);

	*v = (struct expr_value){.kind = VALUE_TEXT, .text = str_from(both)};
}

static const struct expr_root roots[] = {{"box", ROOT_BOX, NULL, NULL},
    {"word", ROOT_WORD, letter_find, NULL}, {"secret", ROOT_SECRET, NULL, NULL}};
static const struct expr_root nameless[] = {{"", ROOT_BOX, NULL, NULL}};
static const struct expr_field fields[] = {{"n", FIELD_SCALAR}, {"t", FIELD_SCALAR},
    {"no", FIELD_SCALAR}, {"null", FIELD_SCALAR}, {"list", FIELD_KEYS}, {"open", FIELD_KEYS},
    {NULL, FIELD_SCALAR}};
static const struct expr_root fielded[] = {{"", ROOT_BOX, NULL, fields}};
static const struct expr_function functions[] = {
    {"twice", true, function_twice}, {NULL, false, NULL}};
static const struct expr_language single = {EXPR_SINGLE_BRACES, roots, COUNT(roots), functions};
static const struct expr_language usual = {EXPR_SINGLE_BRACES, roots, COUNT(roots), expr_functions};
static const struct expr_language keys = {EXPR_DOUBLE_BRACES, fielded, 1, expr_functions};
static const struct expr_language both = {EXPR_DOUBLE_BRACES, nameless, 1, functions};

#define ALL (EXPR_ROOT_BIT(ROOT_BOX) | EXPR_ROOT_BIT(ROOT_WORD))
static const char box[] =
    "{\"n\":7,\"t\":\"Ab\",\"null\":null,\"list\":[1,{\"x\":\"y\"}],"
    "\"open\":{\"size_(approx.)\":\"10\",\"a:b\":\"colon\",\"a||b\":\"bars\",\"'q'\":"
    "\"Quote\",\"x.y\":1,\"x\":{\"y\":2,\"z\":3},\"}}\":\"braces\",\"t:lower\":\"f\",\"t\":"
    "\"T\",\"a..b\":\"dots\",\"[0\":\"bracket\",\"empty\":null,\"\u00e4 \u00df?\":\"so\"},"
    "\"time\":\"2024-05-06T07:08:09Z\"}";

static struct expr *compile(
    struct arena *a, const struct expr_language *lang, const char *json, struct err *err)
{
	struct loader l = {.in = {.err = err}, .a = a, .language = lang, .roots = ALL};
	struct expr *e = NULL;
	json_t *v = json_parse(a, str_from(json), NULL);

	REQUIRE(v != NULL);
	return expr_compile(&l, v, &e) == 0 ? e : NULL;
}

static struct scope scope_of(struct arena *a)
{
	struct scope s = {.a = a};

	s.slot[ROOT_BOX].json = json_parse(a, str_from(box), NULL);
	s.slot[ROOT_WORD].from = "word";
	return s;
}

struct row {
	int line;
	const struct expr_language *lang;
	const char *json, *expected; /* NULL: absent */
};

static void values(void)
{
	static const struct row rows[] = {
	    {__LINE__, &single, "\"{box.n}\"", "7"},
	    {__LINE__, &single, "\"n={box.n}, {{}}\"", "\"n=7, {}\""},
	    {__LINE__, &single, "\"n={box.no}\"", NULL},
	    {__LINE__, &single, "\"{box.no || box.null || box.t}\"", "\"Ab\""},
	    {__LINE__, &single, "\"{box.no || box.null}\"", "null"},
	    {__LINE__, &single, "\"{box.no || 'l'}\"", "\"l\""},
	    {__LINE__, &single, "\"{word.1}{word.0}\"", "\"ow\""},
	    {__LINE__, &single, "\"{word.9}\"", NULL},
	    {__LINE__, &single, "\"{box.t:twice(-)}\"", "\"Ab-Ab\""},
	    {__LINE__, &single, "\"{word.3:twice(:):twice())}\"", "\"d:d)d:d\""},
	    {__LINE__, &single, "{\"{box.t}\":\"{box.n}\",\"x\":\"{box.no}\",\"y\":[\"{box.no}\"]}",
		"{\"Ab\":7,\"y\":[null]}"},
	    {__LINE__, &single, "{\"$first\":[\"{box.no}\",\"{box.list}\"]}", "[1,{\"x\":\"y\"}]"},
	    {__LINE__, &single,
		"{\"$when\":{\"if\":{\"ref\":\"box.n\",\"in\":[6,7]},\"then\":\"{word.0}\"}}",
		"\"w\""},
	    {__LINE__, &single,
		"{\"$map\":{\"of\":\"box.t\",\"map\":{\"Ab\":\"cd\"},\"default\":\"-\"}}",
		"\"cd\""},
	    {__LINE__, &single, "{\"$path\":{\"at\":\"{'list[1].x'}\",\"in\":\"box\"}}", "\"y\""},
	    {__LINE__, &usual, "\"{box.t:upper:before(B)}\"", "\"A\""},
	    {__LINE__, &usual, "\"{box.t:lower}\"", "\"ab\""},
	    {__LINE__, &usual, "\"{box.t:int || box.n:text}\"", "\"7\""},
	    {__LINE__, &usual, "\"{box.time:timeIso}\"", "1714979289000000"},
	    {__LINE__, &usual, "\"{box.n:timeS:iso}\"", "\"1970-01-01T00:00:07Z\""},
	    {__LINE__, &usual, "\"{box.time:beforeLast(-)}+{box.time:afterLast(:)}\"",
		"\"2024-05+09Z\""},
	    /* double braces: data as it stands */
	    {__LINE__, &keys, "{\"$first\":\"{{n}}\",\"{{t}}\":\"{{list[1]}}\",\"b\":\"{n}\"}",
		"{\"$first\":7,\"{{t}}\":{\"x\":\"y\"},\"b\":\"{n}\"}"},
	    {__LINE__, &keys, "{\"a\":\"{{no}}\",\"b\":\"<{{no}}{{null}}{{list}}>\"}",
		"{\"a\":null,\"b\":\"<>\"}"},
	    /* keys of others: one key first, then a path */
	    {__LINE__, &keys, "[\"{{open.size_(approx.)}}\",\"<{{ open.a:b }}>\"]",
		"[\"10\",\"<colon>\"]"},
	    {__LINE__, &keys,
		"[\"{{open.x.y}}\",\"{{open.x.z}}\",\"{{open.x}}\",\"{{open.x\\\\.y}}\"]",
		"[1,3,{\"y\":2,\"z\":3},1]"},
	    {__LINE__, &keys, "[\"{{open.a..b}}\",\"{{open.[0}}\",\"{{open.\u00e4 \u00df?}}\"]",
		"[\"dots\",\"bracket\",\"so\"]"},
	    {__LINE__, &keys, "[\"{{open.'q':lower}}\",\"{{open.'q': upper : before(O)}}\"]",
		"[\"quote\",\"QU\"]"},
	    {__LINE__, &keys,
		"[\"{{open.a\\\\|\\\\|b}}\",\"{{open.\\\\}\\\\} "
		"}}\",\"{{open.t\\\\:lower}}\",\"{{open.t:lower}}\"]",
		"[\"bars\",\"braces\",\"f\",\"t\"]"},
	    {__LINE__, &keys,
		"[\"{{open.no || open.empty || n}}\",\"{{open.no}}\",\"{{open.empty}}\"]",
		"[7,null,null]"},
	    {__LINE__, &keys, "[\"{{no || 'none'}}\",\"{{list[1].x}}\",\"{{list.0}}\"]",
		"[\"none\",\"y\",1]"},
	    {__LINE__, &keys, "[\"{{\",\"a {{ \",\"}}\"]", "[\"{{\",\"a {{ \",\"}}\"]"},
	    {__LINE__, &both, "\"{{t:twice(:)}}, {{no || n}}\"", "\"Ab:Ab, 7\""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct scope s = scope_of(a);
		struct expr *e = compile(a, rows[i].lang, rows[i].json, &err);
		bool is_double = rows[i].lang->syntax == EXPR_DOUBLE_BRACES;
		json_t *v = e == NULL ? NULL : expr_json(e, &s, is_double);
		const char *text = v == NULL ? NULL : json_text(a, json_own(a, v)).p;
		json_t *expected = rows[i].expected == NULL
				       ? NULL
				       : json_parse(a, str_from(rows[i].expected), NULL);

		CHECK_AT(rows[i].line, e != NULL);
		CHECK_AT(rows[i].line, v == NULL ? expected == NULL : json_equal(v, expected));
		if (e == NULL || (v != NULL && !json_equal(v, expected)))
			printf("# line %d: %s%s\n", rows[i].line, err.msg, text);
		arena_free(a);
	}
}

static void wrong_ones_say_where(void)
{
	static const struct {
		int line;
		const struct expr_language *lang;
		const char *json, *field, *msg;
	} rows[] = {
	    {__LINE__, &single, "\"{crate.n}\"", "", "\"crate\" is not known here, but box, word"},
	    {__LINE__, &single, "{\"a\":[1,\"{secret.n}\"]}", "a[1]",
		"\"secret\" is not known here"},
	    {__LINE__, &single, "\"{word}\"", "", "a name must follow"},
	    {__LINE__, &single, "\"{box.}\"", "", "an empty path"},
	    {__LINE__, &single, "\"{box.n:lower}\"", "", "unknown filter \"lower\""},
	    {__LINE__, &single, "\"{box.n:twice}\"", "", "filter twice: a wrong argument"},
	    {__LINE__, &single, "\"{}\"", "", "an empty placeholder"},
	    {__LINE__, &single, "\"{'a}\"", "", "a quote is not closed"},
	    {__LINE__, &single, "\"{box\"", "", "a { is not closed"},
	    {__LINE__, &single, "\"box}\"", "", "a } without {"},
	    {__LINE__, &single, "{\"a\":{\"$nap\":1}}", "a", "unknown operator $nap"},
	    {__LINE__, &keys, "{\"a\":{\"b\":[\"{{n}} {{t\"]}}", "a.b[0]", "a {{ is not closed"},
	    {__LINE__, &keys, "[\"{{}}\"]", "[0]", "an empty placeholder"},
	    {__LINE__, &keys, "[\"x{{ }}\"]", "[0]", "an empty placeholder"},
	    {__LINE__, &keys, "[\"{{list[x}}\"]", "[0]", "path: ["},
	    {__LINE__, &keys, "[\"{{nn}}\"]", "[0]",
		"there is no \"nn\" here, but n, t, no, null, list.KEY, open.KEY"},
	    {__LINE__, &keys, "[\"{{no || nn.n}}\"]", "[0]", "there is no \"nn.n\" here"},
	    {__LINE__, &keys, "[\"{{t.x}}\"]", "[0]", "nothing lies below t"},
	    {__LINE__, &keys, "[\"{{t:lover}}\"]", "[0]", "unknown filter \"lover\": there are "},
	    {__LINE__, &keys, "[\"{{open.t:before}}\"]", "[0]", "filter before: a wrong argument"},
	    {__LINE__, &single, "{\"$path\":{\"at\":\"'a..b'\",\"in\":\"box\"}}", "$path.at",
		"path: empty step"},
	    {__LINE__, &both, "[\"{{t:lower}}\"]", "[0]", "unknown filter \"lower\""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;

		CHECK_AT(rows[i].line, compile(a, rows[i].lang, rows[i].json, &err) == NULL);
		CHECK_AT(rows[i].line, err.code == ERR_INVALID);
		CHECK_AT(rows[i].line, TEXT_EQ(err.field, rows[i].field));
		CHECK_AT(rows[i].line, strncmp(err.msg, rows[i].msg, strlen(rows[i].msg)) == 0);
		arena_free(a);
	}
}

/* What found nothing is told as it was written, once. */
static void missing_ones_are_noted(void)
{
	struct arena *a = arena_new();
	struct scope s = scope_of(a);
	struct expr *e = compile(a, &keys,
	    "{\"a\":\"{{no || open.no }}\",\"b\":\"{{t}} {{null}} {{open.x}}, {{list}}\","
	    "\"c\":[\"{{null}}\",\"{{no || 'l'}}\",\"{{open.x.y}}\"]}",
	    NULL);

	REQUIRE(e != NULL);
	s.missing = json_own(a, json_array());
	json_own(a, expr_json(e, &s, true));
	CHECK(str_is(json_text(a, s.missing), "[\"no || open.no\",\"null\",\"open.x\",\"list\"]"));
	arena_free(a);
}

static void escape_in_brackets(struct buf *b, struct str text)
{
	buf_printf(b, "[%.*s]", (int)text.n, text.p);
}

static void escapes_are_the_callers(void)
{
	static const struct {
		const char *json, *escaped;
	} rows[] = {{"\"a{box.t}b{word.0}\"", "a[Ab]b[w]"}, {"\"{box.n}\"", "[7]"},
	    {"\"a b\"", "a b"}, {"\"a{box.no}\"", NULL}};
	struct arena *a = arena_new();
	struct scope s = scope_of(a);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct expr *e = compile(a, &single, rows[i].json, NULL);
		struct str t = expr_text_escaped(e, &s, escape_in_brackets);

		CHECK(rows[i].escaped == NULL ? t.p == NULL : str_is(t, rows[i].escaped));
	}
	arena_free(a);
}

static int note_place(unsigned slot, const char *path, void *arg)
{
	buf_printf(arg, "%u:%s ", slot, path);
	return 0;
}

static void places_are_told(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 1000);
	struct expr *e = compile(a, &single,
	    "{\"{word.2}\":[\"x\",{\"$when\":{\"if\":{\"any\":[{\"ref\":\"box.q\",\"exists\":true}]"
	    "},"
	    "\"then\":\"{box}\",\"else\":\"{'l' || box.t}\"}}]}",
	    NULL);

	REQUIRE(e != NULL);
	CHECK(expr_each_place(e, note_place, b) == 0);
	CHECK(TEXT_EQ(b->p, "1:2 0: 0:t 0:q "));
	CHECK(!expr_is_constant(e));
	CHECK(expr_is_constant(compile(a, &single, "[\"{'l'}\",{\"a\":\"x\"},1]", NULL)));
	CHECK(!expr_is_constant(compile(a, &single, "\"{'l' || box}\"", NULL)));
	arena_free(a);
}

static void loops_have_names(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct loader l = {.in = {.err = &err}, .a = a, .language = &single, .roots = ALL};
	json_t *v = json_parse(
	    a, STR("{\"for\":[{\"e\":\"box.list\"}],\"x\":\"{e.x}\",\"y\":\"{f.x}\"}"), NULL);
	struct loops loops;
	struct expr *e;

	CHECK(loops_member(&l, v, "for", &loops) == 0 && loops.n == 1);
	CHECK(expr_member(&l, v, "x", &e) == 0 && e != NULL);
	CHECK(expr_member(&l, v, "y", &e) == -1 && TEXT_EQ(err.field, "y"));
	arena_free(a);
}

/* What expressions make is counted over all of one scope. */
static void growth_is_bounded(void)
{
	struct arena *a = arena_new();
	struct scope s = scope_of(a);
	struct expr *e = compile(a, &keys, "[\"{{list}}\",\"{{t}}, {{t}}\",1]", NULL);

	json_t *free = json_own(a, expr_json(e, &s, true));
	CHECK(json_array_size(free) == 3 && s.weight == 0 && !scope_is_over(&s));
	s.weight_max = json_weight(free);
	json_t *enough = json_own(a, expr_json(e, &s, true));
	CHECK(json_equal(free, enough) && !scope_is_over(&s) && s.weight > 0);
	json_t *more = json_own(a, expr_json(e, &s, true));
	CHECK(scope_is_over(&s) && json_is_null(json_array_get(more, 1)));
	arena_free(a);
}

void suite_expr(void)
{
	ADD_TESTS("expr", {"values", values}, {"wrong ones say where", wrong_ones_say_where},
	    {"missing ones are noted", missing_ones_are_noted},
	    {"escapes are the caller's", escapes_are_the_callers},
	    {"places are told", places_are_told}, {"loops have names", loops_have_names},
	    {"growth is bounded", growth_is_bounded});
}
