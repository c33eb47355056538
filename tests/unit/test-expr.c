/* The language of expressions with roots, functions and escapes of a caller of its own. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "expr/expr.h"
#include "test-base.h"

void suite_expr(void);

enum root { ROOT_BOX, ROOT_WORD, ROOT_SECRET, ROOT_NOW };

/* A look-up of the caller's: the n-th letter of a text. */
static struct str letter_find(const void *from, const char *name)
{
	const char *word = from;
	size_t i = (size_t)(name[0] - '0');

	return i < strlen(word) ? (struct str){word + i, 1} : (struct str){NULL, 0};
}

static void function_twice(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	const char *both = arena_printf(s->a, "%.*s%.*s%.*s", (int)text.n, text.p, (int)argument.n,
	    argument.p, (int)text.n, text.p);

	*v = (struct expr_value){.kind = VALUE_TEXT, .text = str_from(both)};
}

static const struct expr_field time_fields[] = {{"", FIELD_TIME}, {NULL, FIELD_ANY}};
static const struct expr_root roots[] = {{"box", ROOT_BOX, NULL, NULL},
    {"word", ROOT_WORD, letter_find, NULL}, {"secret", ROOT_SECRET, NULL, NULL},
    {"now", ROOT_NOW, NULL, time_fields}};
static const struct expr_root nameless[] = {{"", ROOT_BOX, NULL, NULL}};
static const struct expr_field fields[] = {{"n", FIELD_SCALAR}, {"t", FIELD_SCALAR},
    {"no", FIELD_SCALAR}, {"null", FIELD_SCALAR}, {"list", FIELD_KEYS}, {"open", FIELD_KEYS},
    {NULL, FIELD_SCALAR}};
static const struct expr_root fielded[] = {{"", ROOT_BOX, NULL, fields}};
static const struct expr_function functions[] = {
    {"twice", "a text", function_twice, NULL, false}, {NULL, NULL, NULL, NULL, false}};
static const struct expr_language single = {EXPR_SINGLE_BRACES, roots, COUNT(roots), functions};
static const struct expr_language usual = {EXPR_SINGLE_BRACES, roots, COUNT(roots), expr_functions};
static const struct expr_language keys = {EXPR_DOUBLE_BRACES, fielded, 1, expr_functions};
static const struct expr_language both = {EXPR_DOUBLE_BRACES, nameless, 1, functions};

#define ALL (EXPR_ROOT_BIT(ROOT_BOX) | EXPR_ROOT_BIT(ROOT_WORD) | EXPR_ROOT_BIT(ROOT_NOW))
static const char box[] =
    "{\"n\":7,\"t\":\"Ab\",\"null\":null,\"list\":[1,{\"x\":\"y\"}],"
    "\"open\":{\"size_(approx.)\":\"10\",\"a:b\":\"colon\",\"a||b\":\"bars\",\"'q'\":"
    "\"Quote\",\"x.y\":1,\"x\":{\"y\":2,\"z\":3},\"}}\":\"braces\",\"t:lower\":\"f\",\"t\":"
    "\"T\",\"a..b\":\"dots\",\"[0\":\"bracket\",\"empty\":null,\"\u00e4 \u00df?\":\"so\"},"
    "\"time\":\"2024-05-06T07:08:09Z\","
    "\"rows\":[{\"id\":1,\"q\":\"mail\",\"v\":\"a@b.co\"},{\"id\":2,\"q\":\"name\",\"v\":\"Mia\","
    "\"sub\":[{\"x\":1},{\"x\":2}]},{\"q\":\"mail\",\"v\":\"\",\"sub\":[{\"x\":3}]}],"
    "\"pair\":{\"id\":9},\"words\":[\"a\",null,\"b c\",{}],\"csv\":\"a, b,,c\","
    "\"text\":\"{\\\"k\\\":[1,2]}\",\"phone\":\" +49 (0)30-1 \","
    "\"link\":\"<https://a.example/x?page=2&c=a%20b>; rel=\\\"next last\\\", </y>; rel=prev\","
    "\"tiktok\":\"2026-04-09 10:20:35(UTC+02:00)\",\"mail\":\"Fri, 24 May 2019 17:44:46 +0000\"}";

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
	s.slot[ROOT_NOW].json = json_own(a, json_integer(INT64_C(1767225599500000)));
	return s;
}

struct row {
	int line;
	const struct expr_language *lang;
	const char *json, *expected; /* NULL: absent */
};

static const struct row value_rows[] = {
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
	"{\"$when\":{\"if\":{\"ref\":\"box.n\",\"in\":[6,7]},\"then\":\"{word.0}\"}}", "\"w\""},
    {__LINE__, &single, "{\"$map\":{\"of\":\"box.t\",\"map\":{\"Ab\":\"cd\"},\"default\":\"-\"}}",
	"\"cd\""},
    {__LINE__, &single, "{\"$path\":{\"at\":\"{'list[1].x'}\",\"in\":\"box\"}}", "\"y\""},
    {__LINE__, &usual, "\"{box.t:upper:before(B)}\"", "\"A\""},
    {__LINE__, &usual, "\"{box.t:lower}\"", "\"ab\""},
    {__LINE__, &usual, "\"{box.t:int || box.n:text}\"", "\"7\""},
    {__LINE__, &usual, "\"{box.time:timeIso}\"", "1714979289000000"},
    {__LINE__, &usual, "\"{box.n:timeS:iso}\"", "\"1970-01-01T00:00:07Z\""},
    {__LINE__, &usual, "\"{box.time:beforeLast(-)}+{box.time:afterLast(:)}\"", "\"2024-05+09Z\""},
    {__LINE__, &single, "\"{word.3:twice(--):twice(', '):twice(')')}\"",
	"\"d--d, d--d)d--d, d--d\""},
    {__LINE__, &single, "\"{word.3:twice('):twice(a:b)}\"", "\"d'da:bd'd\""},
    {__LINE__, &usual, "\"{box.time:after(05-):before(T07)}\"", "\"06\""},
    {__LINE__, &usual, "\"{box.time:afterLast(-0)}|{box.time:beforeLast(:0)}\"",
	"\"6T07:08:09Z|2024-05-06T07:08\""},
    {__LINE__, &usual, "\"{box.t:lower:upper:lower:upper:lower:upper}\"", "\"AB\""},
    {__LINE__, &usual, "[\"{box.words:join(', ')}\",\"{box.t:join(-)}\"]", "[\"a, b c\",\"Ab\"]"},
    {__LINE__, &usual, "\"{box.pair:join(-)}\"", NULL},
    {__LINE__, &usual, "[\"{box.csv:split(,)}\",\"{box.csv:split(, )}\"]",
	"[[\"a\",\" b\",\"\",\"c\"],[\"a\",\"b,,c\"]]"},
    {__LINE__, &usual, "[\"{box.phone:digits}\",\"{box.phone:trim}\"]",
	"[\"490301\",\"+49 (0)30-1\"]"},
    {__LINE__, &usual, "[\"{box.text:json}\",\"{box.t:json}\"]", "[{\"k\":[1,2]},null]"},
    {__LINE__, &usual,
	"[\"{box.link:link(next)}\",\"{box.link:link(prev)}\",\"{box.link:link(x)}\"]",
	"[\"https://a.example/x?page=2&c=a%20b\",\"/y\",null]"},
    {__LINE__, &usual, "[\"{box.link:link(next):query(c)}\",\"{box.link:link(last):query(d)}\"]",
	"[\"a b\",null]"},
    {__LINE__, &usual, "\"{box.t:lower:hash(sha1)}\"",
	"\"da23614e02469a0d7c7bd1bdab5c9c474b1904dc\""},
    {__LINE__, &usual, "[\"{box.no:duration || '1.5s'}\",\"{box.t:duration}\"]", "[\"1.5s\",null]"},
    {__LINE__, &usual, "\"{box.tiktok:timeIso:iso} {box.tiktok:timeAny:s}\"",
	"\"2026-04-09T08:20:35Z 1775722835\""},
    {__LINE__, &usual, "\"{box.mail:timeRfc2822:sqlTime}|{box.time:timeAny:date}\"",
	"\"2019-05-24 17:44:46|2024-05-06\""},
    {__LINE__, &usual, "\"{now:iso} {now:s} {now:ms} {now:plus(1):date}\"",
	"\"2025-12-31T23:59:59.500Z 1767225599 1767225599500 2026-01-01\""},
    {__LINE__, &usual, "[\"{now:minus(60):iso}\",\"{box.t:s}\",\"{box.t:plus(5)}\"]",
	"[\"2025-12-31T23:58:59.500Z\",null,null]"},
    /* the elements of lists */
    {__LINE__, &usual, "{\"$each\":{\"of\":\"box.rows\",\"as\":\"row\",\"map\":\"{row.id}\"}}",
	"[1,2]"},
    {__LINE__, &usual,
	"{\"$each\":{\"of\":\"box.rows\",\"as\":\"row\",\"when\":{\"ref\":\"row.q\","
	"\"equals\":"
	"\"mail\"},\"map\":{\"v\":\"{row.v}\"}}}",
	"[{\"v\":\"a@b.co\"},{\"v\":\"\"}]"},
    {__LINE__, &usual, "{\"$each\":{\"of\":\"box.pair\",\"as\":\"p\",\"map\":\"<{p.id}>\"}}",
	"[\"<9>\"]"},
    {__LINE__, &usual, "{\"$each\":{\"of\":\"box.t\",\"as\":\"p\",\"map\":\"{p}\"}}", "[]"},
    {__LINE__, &usual,
	"{\"$each\":{\"for\":[{\"row\":\"box.rows\"},{\"sub\":\"row.sub\"}],\"map\":"
	"\"{row.q}{sub.x}\"}}",
	"[\"name1\",\"name2\",\"mail3\"]"},
    {__LINE__, &usual,
	"{\"$each\":{\"of\":\"box.rows\",\"as\":\"x\",\"map\":{\"$each\":{\"of\":\"x.sub\","
	"\"as\":\"x\",\"map\":\"{x.x}\"}}}}",
	"[[],[1,2],[3]]"},
    {__LINE__, &usual,
	"{\"$object\":{\"of\":\"box.rows\",\"as\":\"f\",\"key\":\"{f.q}\",\"value\":\"{f.v}"
	"\"}}",
	"{\"mail\":\"\",\"name\":\"Mia\"}"},
    {__LINE__, &usual,
	"{\"$find\":{\"in\":\"box.rows\",\"as\":\"f\",\"where\":{\"ref\":\"f.q\","
	"\"equals\":"
	"\"mail\"},\"get\":\"{f.v}\"}}",
	"\"a@b.co\""},
    {__LINE__, &usual,
	"{\"$find\":{\"in\":\"box.rows\",\"as\":\"f\",\"where\":{\"ref\":\"f.q\","
	"\"equals\":"
	"\"x\"},\"get\":\"{f.v}\"}}",
	NULL},
    /* compared with each other, and with a text in braces that is no placeholder */
    {__LINE__, &usual,
	"{\"$each\":{\"for\":[{\"f\":\"box.rows\"},{\"g\":\"box.rows\"}],\"when\":[{"
	"\"ref\":\"f.q\","
	"\"equals\":\"{g.q}\"},{\"ref\":\"g.id\",\"in\":[\"{f.no}\",1,\"{box.pair.no || "
	"g.id}\"]}],"
	"\"map\":\"{f.v}{g.id}\"}}",
	"[\"a@b.co1\",\"Mia2\",\"1\"]"},
    {__LINE__, &usual,
	"{\"$when\":{\"if\":{\"ref\":\"box.text\",\"equals\":\"{\\\"k\\\":[1,2]}\"},"
	"\"then\":\"{box.n}\"}}",
	"7"},
    {__LINE__, &usual, "{\"$last\":{\"of\":\"box.rows\",\"as\":\"f\",\"get\":\"{f.sub}\"}}",
	"[{\"x\":3}]"},
    {__LINE__, &usual, "{\"$last\":{\"of\":\"box.no\",\"as\":\"f\",\"get\":\"1\"}}", NULL},
    {__LINE__, &usual,
	"{\"$each\":{\"of\":{\"$last\":{\"of\":\"box.rows\",\"as\":\"f\",\"get\":\"{f.sub}"
	"\"}},"
	"\"as\":\"f\",\"map\":\"{f.x}\"}}",
	"[3]"},
    {__LINE__, &usual, "{\"$merge\":[{\"a\":1,\"b\":2},\"{box.no}\",\"{box.pair}\",{\"b\":3}]}",
	"{\"a\":1,\"b\":3,\"id\":9}"},
    {__LINE__, &usual, "{\"$concat\":[\"{box.list}\",\"{box.no}\",[\"z\"],\"{box.t}\"]}",
	"[1,{\"x\":\"y\"},\"z\",\"Ab\"]"},
    /* double braces: data as it stands */
    {__LINE__, &keys, "{\"$first\":\"{{n}}\",\"{{t}}\":\"{{list[1]}}\",\"b\":\"{n}\"}",
	"{\"$first\":7,\"{{t}}\":{\"x\":\"y\"},\"b\":\"{n}\"}"},
    {__LINE__, &keys, "{\"a\":\"{{no}}\",\"b\":\"<{{no}}{{null}}{{list}}>\"}",
	"{\"a\":null,\"b\":\"<>\"}"},
    /* keys of others: one key first, then a path */
    {__LINE__, &keys, "[\"{{open.size_(approx.)}}\",\"<{{ open.a:b }}>\"]", "[\"10\",\"<colon>\"]"},
    {__LINE__, &keys, "[\"{{open.x.y}}\",\"{{open.x.z}}\",\"{{open.x}}\",\"{{open.x\\\\.y}}\"]",
	"[1,3,{\"y\":2,\"z\":3},1]"},
    {__LINE__, &keys, "[\"{{open.a..b}}\",\"{{open.[0}}\",\"{{open.\u00e4 \u00df?}}\"]",
	"[\"dots\",\"bracket\",\"so\"]"},
    {__LINE__, &keys, "[\"{{open.'q':lower}}\",\"{{open.'q': upper : before(O)}}\"]",
	"[\"quote\",\"QU\"]"},
    {__LINE__, &keys,
	"[\"{{open.a\\\\|\\\\|b}}\",\"{{open.\\\\}\\\\} "
	"}}\",\"{{open.t\\\\:lower}}\",\"{{open.t:lower}}\"]",
	"[\"bars\",\"braces\",\"f\",\"t\"]"},
    {__LINE__, &keys, "[\"{{open.no || open.empty || n}}\",\"{{open.no}}\",\"{{open.empty}}\"]",
	"[7,null,null]"},
    {__LINE__, &keys, "[\"{{no || 'none'}}\",\"{{list[1].x}}\",\"{{list.0}}\"]",
	"[\"none\",\"y\",1]"},
    {__LINE__, &keys, "[\"{{\",\"a {{ \",\"}}\"]", "[\"{{\",\"a {{ \",\"}}\"]"},
    {__LINE__, &both, "\"{{t:twice(:)}}, {{no || n}}\"", "\"Ab:Ab, 7\""},
};

static void values(void)
{
	for (size_t i = 0; i < COUNT(value_rows); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct scope s = scope_of(a);
		struct expr *e = compile(a, value_rows[i].lang, value_rows[i].json, &err);
		bool is_double = value_rows[i].lang->syntax == EXPR_DOUBLE_BRACES;
		json_t *v = e == NULL ? NULL : expr_json(e, &s, is_double);
		const char *text = v == NULL ? NULL : json_text(a, json_own(a, v)).p;
		json_t *expected = value_rows[i].expected == NULL
				       ? NULL
				       : json_parse(a, str_from(value_rows[i].expected), NULL);

		CHECK_AT(value_rows[i].line, e != NULL);
		CHECK_AT(
		    value_rows[i].line, v == NULL ? expected == NULL : json_equal(v, expected));
		if (e == NULL || (v != NULL && !json_equal(v, expected)))
			printf("# line %d: %s%s\n", value_rows[i].line, err.msg, text);
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
	    {__LINE__, &single, "\"{box.n:twice}\"", "",
		"filter twice: a wrong argument: it takes a text"},
	    {__LINE__, &single, "\"{box.n:twice()}\"", "", "filter twice: a wrong argument"},
	    {__LINE__, &single, "\"{box.n:twice(a}\"", "", "filter twice: a wrong argument"},
	    {__LINE__, &single, "\"{box.n:twice('a)}\"", "", "filter twice: a wrong argument"},
	    {__LINE__, &usual, "\"{box.n:text(a)}\"", "", "filter text takes no argument"},
	    {__LINE__, &usual, "\"{box.n:plus(a)}\"", "",
		"filter plus: a wrong argument: it takes a number of seconds"},
	    {__LINE__, &usual, "\"{box.n:hash(md5)}\"", "", "filter hash: a wrong argument"},
	    {__LINE__, &usual, "\"{box.n:text:text:text:text:text:text:text}\"", "",
		"too many filters: 6"},
	    {__LINE__, &usual, "\"{now.x}\"", "", "there is no \"x\" here"},
	    {__LINE__, &usual,
		"{\"$when\":{\"if\":{\"ref\":\"box.n\",\"equals\":\"{crate.n}\"},\"then\":1}}",
		"$when.if", "\"crate\" is not known here"},
	    {__LINE__, &usual, "{\"a\":{\"$raw\":\"x\"}}", "a", "$raw stands only where"},
	    {__LINE__, &usual, "{\"$each\":{\"of\":\"box\",\"map\":1}}", "$each.as", "is needed"},
	    {__LINE__, &usual, "{\"$each\":{\"of\":\"box\",\"as\":\"a.b\",\"map\":1}}", "$each",
		"a loop's name is of"},
	    {__LINE__, &usual, "{\"$each\":{\"of\":\"box\",\"as\":\"x\"}}", "$each",
		"needs \"map\""},
	    {__LINE__, &usual, "{\"$find\":{\"in\":\"box\",\"as\":\"x\",\"get\":1}}", "$find",
		"needs \"where\" and \"get\""},
	    {__LINE__, &usual, "{\"$each\":{\"for\":[],\"as\":\"x\",\"map\":1}}", "$each",
		"has either \"for\", or"},
	    {__LINE__, &usual,
		"[{\"$last\":{\"of\":\"box\",\"as\":\"x\",\"get\":\"{x}\"}},\"{x}\"]", "[1]",
		"\"x\" is not known here"},
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

/* In a URL all is encoded, but the constants of $raw, also in a branch. */
static void raw_texts_keep_their_constants(void)
{
	static const struct {
		const char *json, *encoded;
	} rows[] = {{"{\"$raw\":\"a({box.t})\"}", "a([Ab])"}, {"\"a({box.t})\"", "[a(Ab)]"},
	    {"{\"$first\":[\"{box.no}\",{\"$raw\":\"a,\"}]}", "a,"}, {"\"{box.no}\"", NULL},
	    {"{\"$when\":{\"if\":{\"ref\":\"box.n\",\"equals\":7},\"then\":{\"$raw\":\"({box.n})\"}"
	     "}}",
		"([7])"}};
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct scope s = scope_of(a);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct loader l = {.in = {.err = &err},
		    .a = a,
		    .language = &single,
		    .roots = ALL,
		    .allows_raw = true};
		struct expr *e = NULL;

		REQUIRE(expr_compile(&l, json_parse(a, str_from(rows[i].json), NULL), &e) == 0);
		struct str t = expr_text_encoded(e, &s, escape_in_brackets);
		CHECK(rows[i].encoded == NULL ? t.p == NULL : str_is(t, rows[i].encoded));
		CHECK(l.allows_raw);
		json_t *inner = json_own(a, json_pack("[s]", rows[i].json));
		json_array_set(inner, 0, json_parse(a, str_from(rows[i].json), NULL));
		CHECK((expr_compile(&l, inner, &e) == 0) == (strstr(rows[i].json, "$raw") == NULL));
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
	CHECK(!expr_is_constant(
	    compile(a, &single, "{\"$each\":{\"of\":\"box.list\",\"as\":\"x\",\"map\":1}}", NULL)));
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
	    {"raw texts keep their constants", raw_texts_keep_their_constants},
	    {"places are told", places_are_told}, {"loops have names", loops_have_names},
	    {"growth is bounded", growth_is_bounded});
}
