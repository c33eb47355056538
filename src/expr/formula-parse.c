/* Conditions as people write them, by recursive descent: a function for each level of precedence,
 * the loosest first.
 *
 *	any        = all { "or" all }
 *	all        = negation { "and" negation }
 *	negation   = "not" negation | comparison
 *	comparison = "exists" operand
 *	           | operand [ operator operand | "exists" | "not" ("in" | "contains" | …) operand ]
 *	operand    = "(" any ")" | "[" [ operand { "," operand } ] "]" | literal | place
 *	           | "{{" alternatives "}}"
 *
 * One token is read ahead. What is compiled is bounded: by the text's bytes, by nodes, and by how
 * deep parentheses and "not" stand within each other, which bounds the recursion here and when it
 * is evaluated. A complaint names the character (from 1) and what was expected there. */
#include "base/arena.h"
#include "base/number.h"
#include "expr/expr-tree.h"

enum token {
	TOKEN_END,
	TOKEN_SIGN, /* a sign or an operator, or what is neither */
	TOKEN_WORD, /* a keyword or a place */
	TOKEN_NUMBER,
	TOKEN_QUOTED,  /* with its quotes */
	TOKEN_BRACES,  /* with its braces */
	TOKEN_UNCLOSED /* a quote or braces */
};

struct parser {
	struct loader *l;
	struct str text;
	size_t at; /* behind the token */
	enum token token;
	struct str word; /* the token's text */
	unsigned depth, nodes;
};

/* ---- tokens -------------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (unsigned char)c >= 0x80;
}

/* a.b-c[0]["d"]: a hyphen is of the name where one goes on behind it. */
static size_t word_length(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		bool goes_on = i + 1 < s.n && is_name_byte(s.p[i + 1]);

		if (is_name_byte(s.p[i]) || ((s.p[i] == '.' || s.p[i] == '-') && goes_on)) {
			i++;
		} else if (s.p[i] == '[' && i > 0) {
			const char *close = memchr(s.p + i, ']', s.n - i);

			if (close == NULL)
				return i;
			i = (size_t)(close - s.p) + 1;
		} else {
			break;
		}
	}
	return i;
}

static const char *const keywords[] = {"and", "or", "not", "contains", "starts_with", "ends_with",
    "in", "exists", "true", "false", "null", NULL};

/* A keyword in any case, which no place goes on from; {NULL,0} otherwise. */
static struct str keyword_at(struct str s)
{
	size_t n = 0;

	while (n < s.n && is_name_byte(s.p[n]))
		n++;
	if (n < s.n && s.p[n] == '.')
		return (struct str){NULL, 0};
	for (size_t i = 0; keywords[i] != NULL; i++)
		if (str_ieq((struct str){s.p, n}, str_from(keywords[i])))
			return (struct str){s.p, n};
	return (struct str){NULL, 0};
}

static size_t sign_length(struct str s)
{
	static const char *const signs[] = {"==", "!=", ">=", "<=", "&&", "||", "<>"};

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (str_starts(s, signs[i]))
			return 2;
	size_t n;
	(void)utf8_point(s, &n);
	return n;
}

static void token_take(struct parser *p, enum token token, struct str rest, size_t n)
{
	p->token = token;
	p->word = (struct str){rest.p, n};
	p->at = (size_t)(rest.p - p->text.p) + n;
}

static void token_take_quoted(struct parser *p, struct str rest)
{
	const char *close = memchr(rest.p + 1, rest.p[0], rest.n - 1);

	if (close == NULL)
		token_take(p, TOKEN_UNCLOSED, rest, 1);
	else
		token_take(p, TOKEN_QUOTED, rest, (size_t)(close - rest.p) + 1);
}

static void token_take_braces(struct parser *p, struct str rest)
{
	size_t n = placeholder_length((struct str){rest.p + 2, rest.n - 2});

	if (n == SIZE_MAX)
		token_take(p, TOKEN_UNCLOSED, rest, 2);
	else
		token_take(p, TOKEN_BRACES, rest, n + 4);
}

static void token_next(struct parser *p)
{
	struct str rest;

	while (p->at < p->text.n && memchr(" \t\r\n", p->text.p[p->at], 4) != NULL)
		p->at++;
	rest = (struct str){p->text.p + p->at, p->text.n - p->at};
	if (rest.n == 0)
		token_take(p, TOKEN_END, rest, 0);
	else if (rest.p[0] == '\'' || rest.p[0] == '"')
		token_take_quoted(p, rest);
	else if (str_starts(rest, "{{"))
		token_take_braces(p, rest);
	else if (number_length(rest) > 0 && (rest.p[0] == '-' || !is_name_byte(rest.p[0]) ||
						word_length(rest) <= number_length(rest)))
		token_take(p, TOKEN_NUMBER, rest, number_length(rest));
	else if (keyword_at(rest).n > 0)
		token_take(p, TOKEN_WORD, rest, keyword_at(rest).n);
	else if (word_length(rest) > 0)
		token_take(p, TOKEN_WORD, rest, word_length(rest));
	else
		token_take(p, TOKEN_SIGN, rest, sign_length(rest));
}

static bool token_is_sign(const struct parser *p, const char *sign)
{
	return p->token == TOKEN_SIGN && str_is(p->word, sign);
}

static bool token_is_word(const struct parser *p, const char *keyword)
{
	return p->token == TOKEN_WORD && str_ieq(p->word, str_from(keyword));
}

/* ---- complaints ---------------------------------------------------------------------------- */

/* Where the token begins, in characters from 1. */
static size_t parser_position(const struct parser *p)
{
	size_t position = 1;

	for (const char *c = p->text.p; c < p->word.p; c++)
		position += ((unsigned char)*c & 0xC0) != 0x80;
	return position;
}

static int parser_fail(const struct parser *p, const char *what)
{
	return LOADER_FAIL(p->l, "at character %zu: %s", parser_position(p), what);
}

/* What others write for what is written otherwise here; NULL: nothing known. */
static const char *sign_advice(const struct parser *p)
{
	static const struct {
		const char *sign, *advice;
	} signs[] = {{"=", "write == to compare"}, {"&&", "write \"and\""},
	    {"||", "write \"or\" between conditions; a fallback stands in braces: "
		   "{{trigger.a || 'b'}}"},
	    {"!", "write \"not\""}, {"<>", "write !="}};

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (token_is_sign(p, signs[i].sign))
			return signs[i].advice;
	return NULL;
}

static int parser_expected(const struct parser *p, const char *what)
{
	const char *advice = sign_advice(p);
	struct str found = utf8_cut(p->word, 40);

	if (advice != NULL)
		return parser_fail(p, advice);
	if (p->token == TOKEN_UNCLOSED)
		return parser_fail(
		    p, p->word.n == 2 ? "{{ is not closed" : "a quote is not closed");
	return LOADER_FAIL(p->l, "at character %zu: expected %s, found %s%.*s%s",
	    parser_position(p), what, p->token == TOKEN_END ? "the end" : "\"", (int)found.n,
	    found.p, p->token == TOKEN_END ? "" : "\"");
}

/* ---- operands ------------------------------------------------------------------------------ */

static int parse_any(struct parser *p, struct formula **out);

static int formula_new(struct parser *p, enum formula_kind kind, struct formula **out)
{
	if (++p->nodes > FORMULA_NODES)
		return parser_fail(p, "the condition is too long");
	*out = arena_zalloc(p->l->a, sizeof(**out));
	(*out)->kind = kind;
	return 0;
}

static int parser_enter(struct parser *p)
{
	if (++p->depth > FORMULA_DEPTH)
		return parser_fail(p, "too many conditions within each other");
	return 0;
}

static int parse_constant(struct parser *p, json_t *value, struct formula **out)
{
	if (formula_new(p, FORMULA_CONST, out) == -1)
		return -1;
	(*out)->constant = value;
	token_next(p);
	return 0;
}

static int parse_place(struct parser *p, struct str text, struct formula **out)
{
	struct err why = ERR_INIT;
	struct loader inner = *p->l;

	inner.in = (struct json_reader){.err = &why};
	if (formula_new(p, FORMULA_REF, out) == -1)
		return -1;
	if (refs_compile(&inner, text, &(*out)->ref) == -1)
		return parser_fail(p, why.msg);
	token_next(p);
	return 0;
}

/* Between brackets, at whose first the parser stands. */
static int parse_list(struct parser *p, struct formula **out)
{
	struct formula *list;

	if (formula_new(p, FORMULA_LIST, out) == -1 || parser_enter(p) == -1)
		return -1;
	list = *out;
	list->items = arena_array(p->l->a, p->text.n / 2 + 1, sizeof(*list->items));
	token_next(p);
	while (!token_is_sign(p, "]")) {
		if (list->n > 0) {
			if (!token_is_sign(p, ","))
				return parser_expected(p, "\",\" or \"]\"");
			token_next(p);
		}
		if (parse_any(p, &list->items[list->n++]) == -1)
			return -1;
	}
	token_next(p);
	p->depth--;
	return 0;
}

static int parse_parentheses(struct parser *p, struct formula **out)
{
	if (parser_enter(p) == -1)
		return -1;
	token_next(p);
	if (parse_any(p, out) == -1)
		return -1;
	if (!token_is_sign(p, ")"))
		return parser_expected(p, "\")\"");
	token_next(p);
	p->depth--;
	return 0;
}

static int parse_operand(struct parser *p, struct formula **out)
{
	struct arena *a = p->l->a;
	struct str inner = {p->word.p + 1, p->word.n - 2};

	if (token_is_sign(p, "("))
		return parse_parentheses(p, out);
	if (token_is_sign(p, "["))
		return parse_list(p, out);
	switch (p->token) {
	case TOKEN_QUOTED:
		return parse_constant(p, json_own(a, json_stringn(inner.p, inner.n)), out);
	case TOKEN_NUMBER:
		return parse_constant(p, literal_value(a, p->word), out);
	case TOKEN_BRACES:
		return parse_place(p, (struct str){p->word.p + 2, p->word.n - 4}, out);
	case TOKEN_WORD:
		if (keyword_at(p->word).n < p->word.n)
			return parse_place(p, p->word, out);
		if (literal_value(a, utf8_lower(a, p->word)) != NULL)
			return parse_constant(p, literal_value(a, utf8_lower(a, p->word)), out);
		break;
	default:
		break;
	}
	return parser_expected(p, "a value");
}

/* ---- comparisons --------------------------------------------------------------------------- */

static const struct operator
{
	const char *text;
	enum formula_kind kind;
	bool is_swapped, is_negated;
}
operators[] = {{"==", FORMULA_EQUALS, false, false}, {"!=", FORMULA_EQUALS, false, true},
    {"<", FORMULA_LESS, false, false}, {">", FORMULA_LESS, true, false},
    {"<=", FORMULA_LESS_OR_EQUAL, false, false}, {">=", FORMULA_LESS_OR_EQUAL, true, false},
    {"contains", FORMULA_CONTAINS, false, false}, {"in", FORMULA_CONTAINS, true, false},
    {"starts_with", FORMULA_STARTS_WITH, false, false},
    {"ends_with", FORMULA_ENDS_WITH, false, false}, {NULL, FORMULA_CONST, false, false}};

static const struct operator* operator_find(const struct parser *p)
{
	if (p->token != TOKEN_WORD && p->token != TOKEN_SIGN)
		return NULL;
	for (const struct operator* o = operators; o->text != NULL; o++)
		if (str_ieq(p->word, str_from(o->text)))
			return o;
	return NULL;
}

static int formula_negate(struct parser *p, struct formula **f)
{
	struct formula *inner = *f;

	if (formula_new(p, FORMULA_NOT, f) == -1)
		return -1;
	(*f)->left = inner;
	return 0;
}

/* Behind its left operand, which is *out. */
static int parse_operator(struct parser *p, const struct operator* o, struct formula **out)
{
	struct formula *left = *out, *right;

	token_next(p);
	if (parse_operand(p, &right) == -1 || formula_new(p, o->kind, out) == -1)
		return -1;
	(*out)->left = o->is_swapped ? right : left;
	(*out)->right = o->is_swapped ? left : right;
	return o->is_negated ? formula_negate(p, out) : 0;
}

static int parse_exists(struct parser *p, struct formula **out)
{
	struct formula *of = *out;

	if (formula_new(p, FORMULA_EXISTS, out) == -1)
		return -1;
	(*out)->left = of;
	return 0;
}

static int parse_comparison(struct parser *p, struct formula **out)
{
	bool is_first = token_is_word(p, "exists"), is_negated;

	if (is_first)
		token_next(p);
	if (parse_operand(p, out) == -1)
		return -1;
	if (is_first)
		return parse_exists(p, out);
	is_negated = token_is_word(p, "not");
	if (is_negated)
		token_next(p);
	const struct operator* o = operator_find(p);
	if (token_is_word(p, "exists")) {
		token_next(p);
		if (parse_exists(p, out) == -1)
			return -1;
	} else if (o != NULL && !(is_negated && p->token == TOKEN_SIGN)) {
		if (parse_operator(p, o, out) == -1)
			return -1;
	} else if (is_negated) {
		return parser_expected(
		    p, "in, contains, starts_with, ends_with or exists behind \"not\"");
	}
	return is_negated ? formula_negate(p, out) : 0;
}

/* ---- and, or, not -------------------------------------------------------------------------- */

static int parse_negation(struct parser *p, struct formula **out)
{
	if (!token_is_word(p, "not"))
		return parse_comparison(p, out);
	token_next(p);
	if (parser_enter(p) == -1 || parse_negation(p, out) == -1)
		return -1;
	p->depth--;
	return formula_negate(p, out);
}

static int parse_joined(struct parser *p, enum formula_kind kind, const char *keyword,
    int (*parse)(struct parser *p, struct formula **out), struct formula **out)
{
	struct formula *joined, *first;

	if (parse(p, out) == -1)
		return -1;
	if (!token_is_word(p, keyword))
		return 0;
	first = *out;
	if (formula_new(p, kind, out) == -1)
		return -1;
	joined = *out;
	/* each further one takes its keyword and at least a byte */
	joined->items =
	    arena_array(p->l->a, (p->text.n - p->at) / strlen(keyword) + 2, sizeof(*joined->items));
	joined->items[joined->n++] = first;
	while (token_is_word(p, keyword)) {
		token_next(p);
		if (parse(p, &joined->items[joined->n++]) == -1)
			return -1;
	}
	return 0;
}

static int parse_all(struct parser *p, struct formula **out)
{
	return parse_joined(p, FORMULA_ALL, "and", parse_negation, out);
}

static int parse_any(struct parser *p, struct formula **out)
{
	return parse_joined(p, FORMULA_ANY, "or", parse_all, out);
}

int formula_compile(struct loader *l, struct str text, struct formula **out)
{
	struct parser p = {.l = l, .text = text};

	if (text.n > FORMULA_BYTES)
		return LOADER_FAIL(l, "must be at most %u bytes", FORMULA_BYTES);
	token_next(&p);
	if (parse_any(&p, out) == -1)
		return -1;
	return p.token == TOKEN_END ? 0 : parser_expected(&p, "and, or, or the end");
}
