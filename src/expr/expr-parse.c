/* Expressions, conditions and loops from a manifest's JSON. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "expr/expr-tree.h"

/* ---- references ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum filter_kind kind;
	bool takes_argument;
} filter_names[] = {
    {"text", FILTER_TEXT, false},
    {"int", FILTER_INT, false},
    {"lower", FILTER_LOWER, false},
    {"upper", FILTER_UPPER, false},
    {"before", FILTER_BEFORE, true},
    {"after", FILTER_AFTER, true},
    {"beforeLast", FILTER_BEFORE_LAST, true},
    {"afterLast", FILTER_AFTER_LAST, true},
    {"timeS", FILTER_TIME_S, false},
    {"timeMs", FILTER_TIME_MS, false},
    {"timeIso", FILTER_TIME_ISO, false},
    {"iso", FILTER_ISO, false},
};

static const struct {
	const char *name;
	enum root root;
} root_names[] = {
    {"body", ROOT_BODY},
    {"settings", ROOT_SETTINGS},
    {"credentials", ROOT_CREDENTIALS},
    {"input", ROOT_INPUT},
    {"answer", ROOT_ANSWER},
    {"status", ROOT_STATUS},
    {"raw", ROOT_RAW},
    {"output", ROOT_OUTPUT},
    {"header", ROOT_HEADER},
    {"query", ROOT_QUERY},
};

static int find_root(struct loader *l, struct str name, enum root *out)
{
	for (size_t i = 0; i < l->nloops; i++)
		if (str_is(name, l->loop[i])) {
			*out = (enum root)(ROOT_LOOP + i);
			return 0;
		}
	for (size_t i = 0; i < sizeof root_names / sizeof *root_names; i++)
		if (str_is(name, root_names[i].name) && (l->roots & ROOT_BIT(root_names[i].root))) {
			*out = root_names[i].root;
			return 0;
		}
	return loader_fail(l, "\"%.*s\" is not known here", (int)name.n, name.p);
}

static int compile_filter(struct loader *l, struct str text, struct ref *r)
{
	struct str name = text;
	const char *paren = memchr(text.p, '(', text.n);

	if (paren != NULL)
		name.n = (size_t)(paren - text.p);
	for (size_t i = 0; i < sizeof filter_names / sizeof *filter_names; i++) {
		if (!str_is(name, filter_names[i].name))
			continue;
		bool has_argument =
		    paren != NULL && text.n == name.n + 3 && text.p[text.n - 1] == ')';
		if ((paren != NULL && !has_argument) ||
		    has_argument != filter_names[i].takes_argument)
			return loader_fail(l, "filter %s: a wrong argument", filter_names[i].name);
		if (r->nfilters == EXPR_FILTERS_MAX)
			return loader_fail(l, "too many filters");
		r->filters[r->nfilters++] =
		    (struct filter){filter_names[i].kind, has_argument ? paren[1] : '\0'};
		return 0;
	}
	return loader_fail(l, "unknown filter \"%.*s\"", (int)name.n, name.p);
}

/* Cuts "path:filter(:):filter" at the colons that are not within parentheses. */
static bool cut_filter(struct str *rest, struct str *part)
{
	if (rest->p == NULL)
		return false;
	size_t i = 0;
	while (i < rest->n && rest->p[i] != ':')
		i += rest->p[i] == '(' && i + 2 < rest->n ? 3 : 1;
	if (i > rest->n)
		i = rest->n;
	*part = str_trim((struct str){rest->p, i});
	*rest =
	    i < rest->n ? (struct str){rest->p + i + 1, rest->n - i - 1} : (struct str){NULL, 0};
	return true;
}

/* root[.path] */
static int compile_place(struct loader *l, struct str text, struct ref *r)
{
	size_t i = 0;
	struct err err = ERR_INIT;

	while (i < text.n && text.p[i] != '.' && text.p[i] != '[')
		i++;
	if (find_root(l, (struct str){text.p, i}, &r->root) == -1)
		return -1;
	if (i == text.n)
		return r->root == ROOT_HEADER || r->root == ROOT_QUERY
			   ? loader_fail(l, "a name must follow")
			   : 0;
	struct str rest = {text.p + i, text.n - i};
	if (rest.p[0] == '.')
		rest = (struct str){rest.p + 1, rest.n - 1};
	if (r->root == ROOT_HEADER || r->root == ROOT_QUERY) {
		r->name = arena_strndup(l->a, rest.p, rest.n);
		return 0;
	}
	r->path = path_compile(l->a, rest, &err);
	if (rest.n == 0 || r->path == NULL)
		return loader_fail(l, "%s", rest.n == 0 ? "an empty path" : err.msg);
	return 0;
}

static int compile_ref(struct loader *l, struct str text, struct ref *r)
{
	struct str part;

	*r = (struct ref){0};
	text = str_trim(text);
	if (text.n == 0)
		return loader_fail(l, "an empty placeholder");
	if (text.p[0] == '\'') {
		if (text.n < 2 || text.p[text.n - 1] != '\'')
			return loader_fail(l, "a quote is not closed");
		r->root = ROOT_LITERAL;
		r->literal = (struct str){arena_strndup(l->a, text.p + 1, text.n - 2), text.n - 2};
		return 0;
	}
	if (!cut_filter(&text, &part) || compile_place(l, part, r) == -1)
		return -1;
	while (cut_filter(&text, &part))
		if (compile_filter(l, part, r) == -1)
			return -1;
	return 0;
}

/* ---- text ---------------------------------------------------------------------------------- */

static struct expr *expr_new(struct loader *l, enum expr_kind kind)
{
	struct expr *e = arena_zalloc(l->a, sizeof *e);

	e->kind = kind;
	return e;
}

/* Alternatives between "||". */
static int compile_refs(struct loader *l, struct str text, struct expr **out)
{
	struct expr *e = expr_new(l, EXPR_REF);
	size_t max = 1;

	for (size_t i = 0; i + 1 < text.n; i++)
		max += text.p[i] == '|' && text.p[i + 1] == '|';
	e->refs = arena_array(l->a, max, sizeof *e->refs);
	for (size_t start = 0, i = 0; i <= text.n; i++) {
		bool is_cut = i + 1 < text.n && text.p[i] == '|' && text.p[i + 1] == '|';

		if (!is_cut && i < text.n)
			continue;
		if (compile_ref(l, (struct str){text.p + start, i - start}, &e->refs[e->nrefs++]) <
		    0)
			return -1;
		start = i + 2;
		i += is_cut;
	}
	*out = e;
	return 0;
}

static struct expr *constant_text(struct loader *l, struct buf *b)
{
	struct expr *e = expr_new(l, EXPR_CONST);

	e->constant = json_own(l->a, json_stringn(b->p, b->len));
	buf_reset(b);
	return e;
}

/* Text with {placeholders}; {{ and }} are the braces themselves. */
static int compile_text(struct loader *l, struct str text, struct expr **out)
{
	struct buf *b = buf_new(l->a, LIMIT_MANIFEST_BYTES);
	struct expr *e = expr_new(l, EXPR_CONCAT);

	e->parts = arena_array(l->a, text.n + 1, sizeof(struct expr *));
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool is_double = i + 1 < text.n && text.p[i + 1] == c;

		if ((c == '{' || c == '}') && is_double) {
			buf_chr(b, c);
			i++;
		} else if (c == '}') {
			return loader_fail(l, "a } without {");
		} else if (c == '{') {
			const char *end = memchr(text.p + i, '}', text.n - i);

			if (end == NULL)
				return loader_fail(l, "a { is not closed");
			if (b->len > 0)
				e->parts[e->n++] = constant_text(l, b);
			struct str inner = {text.p + i + 1, (size_t)(end - text.p) - i - 1};
			if (compile_refs(l, inner, &e->parts[e->n++]) == -1)
				return -1;
			i = (size_t)(end - text.p);
		} else {
			buf_chr(b, c);
		}
	}
	if (b->len > 0 || e->n == 0)
		e->parts[e->n++] = constant_text(l, b);
	*out = e->n == 1 ? e->parts[0] : e;
	return 0;
}

/* ---- values and operators ------------------------------------------------------------------ */

/* A bare reference ("input.body") or a text with placeholders. */
static int compile_source(
    struct loader *l, const json_t *object, const char *key, struct expr **out)
{
	const char *text;

	if (!json_is_string(json_object_get(object, key)))
		return expr_member(l, object, key, out);
	if (loader_text(l, object, key, true, &text) == -1)
		return -1;
	size_t mark = loader_enter(l, key);
	int rc = strchr(text, '{') != NULL ? compile_text(l, str_from(text), out)
					   : compile_refs(l, str_from(text), out);
	if (rc == 0)
		loader_leave(l, mark);
	return rc;
}

static int compile_map(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"of", "map", "default", NULL};
	json_t *map = json_object_get(v, "map"), *to;
	const char *from;

	if (loader_object(l, v, keys) == -1 || compile_source(l, v, "of", &e->of) == -1 ||
	    expr_member(l, v, "default", &e->otherwise) == -1)
		return -1;
	if (e->of == NULL || !json_is_object(map))
		return loader_fail(l, "needs \"of\" and an object \"map\"");
	e->map = arena_array(l->a, json_object_size(map) + 1, sizeof *e->map);
	json_object_each(map, from, to) {
		if (!json_is_string(to))
			return loader_fail(l, "map values must be text");
		e->map[e->nmap].from = str_from(arena_strdup(l->a, from));
		e->map[e->nmap++].to = str_from(arena_strdup(l->a, json_string_value(to)));
	}
	return 0;
}

static int compile_list(struct loader *l, const json_t *v, struct expr *e)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return loader_fail(l, "must be a list");
	e->parts = arena_array(l->a, json_array_size(v) + 1, sizeof(struct expr *));
	json_array_each(v, i, item) {
		size_t mark = loader_enter_index(l, i);
		if (expr_compile(l, item, &e->parts[e->n++]) == -1)
			return -1;
		loader_leave(l, mark);
	}
	return 0;
}

/* Paths that a person configured ("at"), and what they are looked up in ("in"). */
static int compile_places(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"at", "in", NULL};

	if (loader_object(l, v, keys) == -1 || compile_source(l, v, "at", &e->of) == -1 ||
	    compile_source(l, v, "in", &e->in) == -1)
		return -1;
	if (e->of == NULL || e->in == NULL)
		return loader_fail(l, "needs \"at\" and \"in\"");
	return 0;
}

static int compile_when(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"if", "then", "else", NULL};

	if (loader_object(l, v, keys) == -1 || cond_member(l, v, "if", &e->when) == -1 ||
	    expr_member(l, v, "then", &e->of) == -1 ||
	    expr_member(l, v, "else", &e->otherwise) == -1)
		return -1;
	return e->when == NULL || e->of == NULL ? loader_fail(l, "needs \"if\" and \"then\"") : 0;
}

static int compile_object(struct loader *l, const json_t *v, struct expr *e)
{
	const char *key;
	json_t *member;

	e->keys = arena_array(l->a, json_object_size(v) + 1, sizeof(struct expr *));
	e->parts = arena_array(l->a, json_object_size(v) + 1, sizeof(struct expr *));
	json_object_each(v, key, member) {
		size_t mark = loader_enter(l, key);
		if (compile_text(l, str_from(key), &e->keys[e->n]) == -1 ||
		    expr_compile(l, member, &e->parts[e->n++]) == -1)
			return -1;
		loader_leave(l, mark);
	}
	return 0;
}

/* Operators are objects whose first key begins with a dollar sign; any other object is itself. */
static int compile_operator(struct loader *l, const char *name, const json_t *v, struct expr **out)
{
	static const struct {
		const char *name;
		enum expr_kind kind;
	} operators[] = {{"$map", EXPR_MAP}, {"$first", EXPR_FIRST}, {"$path", EXPR_PATH},
	    {"$paths", EXPR_PATHS}, {"$when", EXPR_WHEN}};

	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		if (strcmp(name, operators[i].name) != 0)
			continue;
		size_t mark = loader_enter(l, name);
		struct expr *e = *out = expr_new(l, operators[i].kind);
		int rc = e->kind == EXPR_MAP     ? compile_map(l, v, e)
			 : e->kind == EXPR_FIRST ? compile_list(l, v, e)
			 : e->kind == EXPR_WHEN  ? compile_when(l, v, e)
						 : compile_places(l, v, e);
		if (rc == 0)
			loader_leave(l, mark);
		return rc;
	}
	return loader_fail(l, "unknown operator %s", name);
}

int expr_compile(struct loader *l, const json_t *v, struct expr **out)
{
	if (json_is_string(v))
		return compile_text(
		    l, (struct str){json_string_value(v), json_string_length(v)}, out);
	if (json_is_object(v)) {
		const char *first = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)v));

		if (first != NULL && first[0] == '$') {
			if (json_object_size(v) != 1)
				return loader_fail(l, "an operator stands alone");
			return compile_operator(l, first, json_object_get(v, first), out);
		}
		*out = expr_new(l, EXPR_OBJECT);
		return compile_object(l, v, *out);
	}
	if (json_is_array(v)) {
		*out = expr_new(l, EXPR_ARRAY);
		return compile_list(l, v, *out);
	}
	*out = expr_new(l, EXPR_CONST);
	(*out)->constant = json_own(l->a, json_deep_copy(v));
	return 0;
}

int expr_member(struct loader *l, const json_t *object, const char *key, struct expr **out)
{
	const json_t *v = json_object_get(object, key);

	*out = NULL;
	if (v == NULL)
		return 0;
	size_t mark = loader_enter(l, key);
	if (expr_compile(l, v, out) == -1)
		return -1;
	loader_leave(l, mark);
	return 0;
}

/* ---- conditions ---------------------------------------------------------------------------- */

static int cond_compile(struct loader *l, const json_t *v, struct cond **out);

static int cond_children(struct loader *l, const json_t *list, struct cond *c)
{
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return loader_fail(l, "must be a list");
	c->children = arena_array(l->a, json_array_size(list) + 1, sizeof(struct cond *));
	json_array_each(list, i, v) {
		size_t mark = loader_enter_index(l, i);
		if (cond_compile(l, v, &c->children[c->n++]) == -1)
			return -1;
		loader_leave(l, mark);
	}
	return 0;
}

/* The texts that a value is compared with: one scalar, or a list. */
static int cond_texts(struct loader *l, const json_t *v, struct cond *c)
{
	size_t n = json_is_array(v) ? json_array_size(v) : 1;

	c->texts = arena_array(l->a, n + 1, sizeof *c->texts);
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_is_array(v) ? json_array_get(v, i) : v;
		const char *t = json_scalar_text(l->a, one);

		if (t == NULL)
			return loader_fail(l, "must be compared with text, numbers or booleans");
		c->texts[c->ntexts++] = str_from(arena_strdup(l->a, t));
	}
	return 0;
}

static int cond_test(struct loader *l, const json_t *v, struct cond *c)
{
	static const char *const keys[] = {
	    "ref", "equals", "in", "exists", "startsWith", "endsWith", NULL};
	static const enum cond_kind kinds[] = {
	    COND_ALL, COND_IN, COND_IN, COND_EXISTS, COND_STARTS, COND_ENDS};
	const char *ref, *key = NULL;

	if (loader_object(l, v, keys) == -1 || loader_text(l, v, "ref", true, &ref) == -1 ||
	    compile_refs(l, str_from(ref), &c->ref) == -1)
		return -1;
	if (json_object_size(v) != 2)
		return loader_fail(l, "needs \"ref\" and one test");
	for (size_t i = 1; keys[i] != NULL; i++)
		if (json_object_get(v, keys[i]) != NULL) {
			key = keys[i];
			c->kind = kinds[i];
		}
	if (c->kind == COND_EXISTS)
		return loader_bool(l, v, key, &c->should_exist);
	return cond_texts(l, json_object_get(v, key), c);
}

static int cond_compile(struct loader *l, const json_t *v, struct cond **out)
{
	static const struct {
		const char *name;
		enum cond_kind kind;
	} groups[] = {{"all", COND_ALL}, {"any", COND_ANY}, {"not", COND_NOT}};
	struct cond *c = *out = arena_zalloc(l->a, sizeof *c);

	if (json_is_array(v)) {
		c->kind = COND_ALL;
		return cond_children(l, v, c);
	}
	for (size_t i = 0; i < 3; i++) {
		const json_t *inner = json_object_get(v, groups[i].name);

		if (inner == NULL)
			continue;
		if (json_object_size(v) != 1)
			return loader_fail(l, "\"%s\" stands alone", groups[i].name);
		c->kind = groups[i].kind;
		if (c->kind != COND_NOT)
			return cond_children(l, inner, c);
		c->children = arena_array(l->a, 1, sizeof(struct cond *));
		c->n = 1;
		return cond_compile(l, inner, &c->children[0]);
	}
	return cond_test(l, v, c);
}

int cond_member(struct loader *l, const json_t *object, const char *key, struct cond **out)
{
	const json_t *v = json_object_get(object, key);

	*out = NULL;
	if (v == NULL)
		return 0;
	size_t mark = loader_enter(l, key);
	if (cond_compile(l, v, out) == -1)
		return -1;
	loader_leave(l, mark);
	return 0;
}

/* ---- loops --------------------------------------------------------------------------------- */

static int loop_compile(struct loader *l, const json_t *v, struct expr **out)
{
	if (!json_is_object(v) || json_object_size(v) != 1)
		return loader_fail(l, "must be {\"name\": source}");
	const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)v));
	if (l->nloops == sizeof l->loop / sizeof *l->loop)
		return loader_fail(l, "too many loops");
	if (compile_source(l, v, name, out) == -1)
		return -1;
	l->loop[l->nloops++] = arena_strdup(l->a, name);
	return 0;
}

int loops_member(struct loader *l, const json_t *object, const char *key, struct loops *out)
{
	const json_t *list = json_object_get(object, key);
	size_t i;
	json_t *v;

	*out = (struct loops){0};
	if (list == NULL)
		return 0;
	size_t mark = loader_enter(l, key);
	if (!json_is_array(list))
		return loader_fail(l, "must be a list");
	out->source = arena_array(l->a, json_array_size(list) + 1, sizeof(struct expr *));
	json_array_each(list, i, v) {
		size_t inner = loader_enter_index(l, i);
		if (loop_compile(l, v, &out->source[out->n++]) == -1)
			return -1;
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}
