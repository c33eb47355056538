/* Expressions, conditions and loops from JSON.
 *
 *	"id: {body.id:lower || 'none'}"
 *	 └──┘ └─────┬────────────────┘    single_text, double_text: constants and placeholders
 *	      refs_compile                what stands within: expr-reference.c
 *
 * A text of one placeholder alone is that reference (EXPR_REF), so that its value keeps its type;
 * any other is a concatenation. Every name is resolved when it is compiled, so that a wrong one is
 * told with its place, and evaluating cannot fail: it can only find nothing.
 *
 * The loader's reader stands at the value that is being compiled; each descent enters and leaves
 * it. A failure leaves the reader where it is, and the tree half made: nobody may use it. Loops add
 * their names to the loader when they are compiled, and what is compiled after them may use these.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "expr/expr-tree.h"

/* ---- text ---------------------------------------------------------------------------------- */

/* The parts of a text as they are found: constants gather until a placeholder comes. */
struct text_parts {
	struct expr *e;
	struct buf *constant;
};

static struct text_parts parts_new(struct loader *l, struct str text)
{
	struct text_parts t = {expr_new(l, EXPR_CONCAT), buf_new(l->a, LIMIT_MANIFEST_BYTES)};

	t.e->parts = arena_array(l->a, text.n + 1, sizeof(struct expr *));
	return t;
}

static void parts_end_constant(struct loader *l, struct text_parts *t)
{
	struct expr *c = expr_new(l, EXPR_CONST);

	c->constant = json_own(l->a, json_stringn(t->constant->p, t->constant->len));
	buf_reset(t->constant);
	t->e->parts[t->e->n++] = c;
}

static int parts_add_placeholder(struct loader *l, struct text_parts *t, struct str inner)
{
	if (t->constant->len > 0)
		parts_end_constant(l, t);
	return refs_compile(l, inner, &t->e->parts[t->e->n++]);
}

static struct expr *parts_end(struct loader *l, struct text_parts *t)
{
	if (t->constant->len > 0 || t->e->n == 0)
		parts_end_constant(l, t);
	return t->e->n == 1 ? t->e->parts[0] : t->e;
}

/* Text with {placeholders}; {{ and }} are the braces themselves. */
static int compile_single_text(struct loader *l, struct str text, struct expr **out)
{
	struct text_parts t = parts_new(l, text);

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool is_double = i + 1 < text.n && text.p[i + 1] == c;

		if ((c == '{' || c == '}') && is_double) {
			buf_chr(t.constant, c);
			i++;
		} else if (c == '}') {
			return LOADER_FAIL(l, "a } without {");
		} else if (c == '{') {
			const char *end = memchr(text.p + i, '}', text.n - i);

			if (end == NULL)
				return LOADER_FAIL(l, "a { is not closed");
			struct str inner = {text.p + i + 1, (size_t)(end - text.p) - i - 1};
			if (parts_add_placeholder(l, &t, inner) == -1)
				return -1;
			i = (size_t)(end - text.p);
		} else {
			buf_chr(t.constant, c);
		}
	}
	*out = parts_end(l, &t);
	return 0;
}

/* Text with {{placeholders}}. A {{ that ends the text, but for white space, is text. */
static int compile_double_text(struct loader *l, struct str text, struct expr **out)
{
	struct text_parts t = parts_new(l, text);

	t.e->absent_is_empty = true;
	for (;;) {
		const char *open = memmem(text.p, text.n, "{{", 2), *end = text.p + text.n;
		size_t n = open == NULL ? SIZE_MAX
					: placeholder_length(
					      (struct str){open + 2, (size_t)(end - open) - 2});
		if (n == SIZE_MAX) {
			buf_add(t.constant, text.p, text.n);
			if (open != NULL && !l->is_lenient &&
			    str_trim((struct str){open + 2, (size_t)(end - open) - 2}).n > 0)
				return LOADER_FAIL(l, "a {{ is not closed");
			break;
		}
		struct str inner = {open + 2, n};
		buf_add(t.constant, text.p, (size_t)(open - text.p));
		if ((inner.n > 0 || !l->is_lenient) && parts_add_placeholder(l, &t, inner) == -1)
			return -1;
		text = (struct str){inner.p + n + 2, (size_t)(end - inner.p) - n - 2};
	}
	*out = parts_end(l, &t);
	return 0;
}

static int compile_text(struct loader *l, struct str text, struct expr **out)
{
	return l->language->syntax == EXPR_DOUBLE_BRACES ? compile_double_text(l, text, out)
							 : compile_single_text(l, text, out);
}

/* ---- values and operators ------------------------------------------------------------------ */

/* A bare reference ("input.body") or a text with placeholders. */
static int compile_source(
    struct loader *l, const json_t *object, const char *key, struct expr **out)
{
	const struct json_member m = {key, READ_TEXT, .need = READ_NEEDED, .min = 1};
	struct str text = {NULL, 0};

	if (!json_is_string(json_object_get(object, key)))
		return expr_member(l, object, key, out);
	if (json_read_member(&l->in, object, &m, &text) == -1)
		return -1;
	size_t mark = json_reader_enter(&l->in, key);
	int rc = memchr(text.p, '{', text.n) != NULL ? compile_text(l, text, out)
						     : refs_compile(l, text, out);
	if (rc == 0)
		json_reader_leave(&l->in, mark);
	return rc;
}

static int compile_map(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"of", "map", "default", NULL};
	json_t *map = json_object_get(v, "map"), *to;
	const char *from;

	if (json_read_keys(&l->in, v, keys) == -1 || compile_source(l, v, "of", &e->of) == -1 ||
	    expr_member(l, v, "default", &e->otherwise) == -1)
		return -1;
	if (e->of == NULL || !json_is_object(map))
		return LOADER_FAIL(l, "needs \"of\" and an object \"map\"");
	e->map = arena_array(l->a, json_object_size(map) + 1, sizeof(*e->map));
	json_object_each(map, from, to) {
		if (!json_is_string(to))
			return LOADER_FAIL(l, "map values must be text");
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
		return LOADER_FAIL(l, "must be a list");
	e->parts = arena_array(l->a, json_array_size(v) + 1, sizeof(struct expr *));
	json_array_each(v, i, item) {
		size_t mark = json_reader_enter_index(&l->in, i);
		if (expr_compile(l, item, &e->parts[e->n++]) == -1)
			return -1;
		json_reader_leave(&l->in, mark);
	}
	return 0;
}

/* A path that is written down, perhaps for where nobody configures one: it is one, or would never
 * find anything. */
static int check_literal_paths(struct loader *l, const struct expr *e)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < e->nrefs; i++)
		if (e->refs[i].kind == REF_LITERAL &&
		    path_compile(l->a, e->refs[i].literal, &err) == NULL)
			return json_reader_fail_at(&l->in, "at", "%s", err.msg);
	return 0;
}

/* Paths that a person configured ("at"), and what they are looked up in ("in"). */
static int compile_places(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"at", "in", NULL};

	if (json_read_keys(&l->in, v, keys) == -1 || compile_source(l, v, "at", &e->of) == -1 ||
	    compile_source(l, v, "in", &e->in) == -1)
		return -1;
	if (e->of == NULL || e->in == NULL)
		return LOADER_FAIL(l, "needs \"at\" and \"in\"");
	return check_literal_paths(l, e->of);
}

/* Enters a loop: what is compiled from here on may name it. */
static int loop_enter(struct loader *l, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	if (n == 0 || name[n] != '\0')
		return LOADER_FAIL(l, "a loop's name is of letters, digits and _");
	if (l->nloops == EXPR_LOOPS_MAX)
		return LOADER_FAIL(l, "too many loops: %d are the most", EXPR_LOOPS_MAX);
	l->loop[l->nloops++] = arena_strdup(l->a, name);
	return 0;
}

/* {"of": source, "as": name}: a loop of its own. */
static int compile_walked(struct loader *l, const json_t *v, const char *source, struct loops *out)
{
	static const struct json_member as = {
	    "as", READ_TEXT, .need = READ_NEEDED, .flags = READ_PLAIN, .min = 1, .max = 64};
	struct str name = {NULL, 0};

	out->source = arena_array(l->a, 1, sizeof(struct expr *));
	out->first = l->nloops;
	out->n = 1;
	if (json_read_member(&l->in, v, &as, &name) == -1 ||
	    compile_source(l, v, source, &out->source[0]) == -1)
		return -1;
	if (out->source[0] == NULL)
		return LOADER_FAIL(l, "needs \"%s\"", source);
	return loop_enter(l, name.p);
}

/* Operators that walk the elements of lists: how their members are called. */
struct walk_names {
	const char *source, *when, *key, *value;
	const char *needs; /* in words */
};
static const struct walk_names names_of_each = {"of", "when", NULL, "map", "\"map\""},
			       names_of_members = {"of", NULL, "key", "value",
				   "\"key\" and \"value\""},
			       names_of_find = {"in", "where", NULL, "get",
				   "\"where\" and \"get\""},
			       names_of_last = {"of", NULL, NULL, "get", "\"get\""};

static const struct walk_names *walk_names_of(enum expr_kind kind)
{
	return kind == EXPR_EACH      ? &names_of_each
	       : kind == EXPR_MEMBERS ? &names_of_members
	       : kind == EXPR_FIND    ? &names_of_find
				      : &names_of_last;
}

static int compile_walk_keys(struct loader *l, const json_t *v, const struct walk_names *names)
{
	const char *keys[7], *all[] = {names == &names_of_last ? NULL : "for", "as", names->source,
				 names->when, names->key, names->value};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i] != NULL)
			keys[n++] = all[i];
	keys[n] = NULL;
	if (json_read_keys(&l->in, v, keys) == -1)
		return -1;
	if (json_object_get(v, "for") != NULL &&
	    (json_object_get(v, names->source) != NULL || json_object_get(v, "as") != NULL))
		return LOADER_FAIL(l, "has either \"for\", or \"%s\" and \"as\"", names->source);
	return 0;
}

static int compile_walk(
    struct loader *l, const json_t *v, const struct walk_names *names, struct expr *e)
{
	size_t nloops = l->nloops;

	if (compile_walk_keys(l, v, names) == -1)
		return -1;
	if ((json_object_get(v, "for") != NULL
		    ? loops_member(l, v, "for", &e->loops)
		    : compile_walked(l, v, names->source, &e->loops)) == -1)
		return -1;
	if ((names->when != NULL && cond_member(l, v, names->when, &e->when) == -1) ||
	    (names->key != NULL && expr_member(l, v, names->key, &e->in) == -1) ||
	    expr_member(l, v, names->value, &e->of) == -1)
		return -1;
	if (e->of == NULL || (names->key != NULL && e->in == NULL) ||
	    (e->kind == EXPR_FIND && e->when == NULL))
		return LOADER_FAIL(l, "needs %s", names->needs);
	l->nloops = nloops;
	return 0;
}

static int compile_raw(struct loader *l, const json_t *v, struct expr *e)
{
	if (!json_is_string(v))
		return LOADER_FAIL(l, "must be a text");
	return compile_text(l, (struct str){json_string_value(v), json_string_length(v)}, &e->of);
}

static int compile_when(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"if", "then", "else", NULL};

	if (json_read_keys(&l->in, v, keys) == -1 || cond_member(l, v, "if", &e->when) == -1 ||
	    expr_member(l, v, "then", &e->of) == -1 ||
	    expr_member(l, v, "else", &e->otherwise) == -1)
		return -1;
	return e->when == NULL || e->of == NULL ? LOADER_FAIL(l, "needs \"if\" and \"then\"") : 0;
}

/* A text in single braces; as it stands in data with double ones. */
static int compile_key(struct loader *l, const char *key, struct expr **out)
{
	if (l->language->syntax == EXPR_SINGLE_BRACES)
		return compile_text(l, str_from(key), out);
	*out = expr_new(l, EXPR_CONST);
	(*out)->constant = json_own(l->a, json_string(key));
	return 0;
}

static int compile_object(struct loader *l, const json_t *v, struct expr *e)
{
	const char *key;
	json_t *member;

	e->keys = arena_array(l->a, json_object_size(v) + 1, sizeof(struct expr *));
	e->parts = arena_array(l->a, json_object_size(v) + 1, sizeof(struct expr *));
	json_object_each(v, key, member) {
		size_t mark = json_reader_enter(&l->in, key);
		if (compile_key(l, key, &e->keys[e->n]) == -1 ||
		    expr_compile(l, member, &e->parts[e->n++]) == -1)
			return -1;
		json_reader_leave(&l->in, mark);
	}
	return 0;
}

static int compile_operands(struct loader *l, const json_t *v, struct expr *e)
{
	switch (e->kind) {
	case EXPR_MAP:
		return compile_map(l, v, e);
	case EXPR_FIRST:
	case EXPR_MERGE:
	case EXPR_JOIN:
		return compile_list(l, v, e);
	case EXPR_WHEN:
		return compile_when(l, v, e);
	case EXPR_RAW:
		return compile_raw(l, v, e);
	case EXPR_PATH:
	case EXPR_PATHS:
		return compile_places(l, v, e);
	default:
		return compile_walk(l, v, walk_names_of(e->kind), e);
	}
}

/* Operators are objects whose first key begins with a dollar sign; any other object is itself. */
static int compile_operator(struct loader *l, const char *name, const json_t *v, struct expr **out)
{
	static const struct {
		const char *name;
		enum expr_kind kind;
		bool is_branch; /* it gives one of its values as it is */
	} operators[] = {{"$map", EXPR_MAP, false}, {"$first", EXPR_FIRST, true},
	    {"$path", EXPR_PATH, false}, {"$paths", EXPR_PATHS, false}, {"$when", EXPR_WHEN, true},
	    {"$raw", EXPR_RAW, true}, {"$each", EXPR_EACH, false}, {"$object", EXPR_MEMBERS, false},
	    {"$find", EXPR_FIND, false}, {"$last", EXPR_LAST, false}, {"$merge", EXPR_MERGE, false},
	    {"$concat", EXPR_JOIN, false}};

	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		if (strcmp(name, operators[i].name) != 0)
			continue;
		if (operators[i].kind == EXPR_RAW && !l->allows_raw)
			return LOADER_FAIL(l, "$raw stands only where a text enters a URL");
		size_t mark = json_reader_enter(&l->in, name);
		struct expr *e = *out = expr_new(l, operators[i].kind);
		bool allows_raw = l->allows_raw;

		l->allows_raw = allows_raw && operators[i].is_branch;
		int rc = compile_operands(l, v, e);
		l->allows_raw = allows_raw;
		if (rc == 0)
			json_reader_leave(&l->in, mark);
		return rc;
	}
	return LOADER_FAIL(l, "unknown operator %s", name);
}

static int compile_members_of(struct loader *l, const json_t *v, struct expr **out)
{
	bool allows_raw = l->allows_raw;
	int rc;

	l->allows_raw = false;
	*out = expr_new(l, json_is_object(v) ? EXPR_OBJECT : EXPR_ARRAY);
	rc = json_is_object(v) ? compile_object(l, v, *out) : compile_list(l, v, *out);
	l->allows_raw = allows_raw;
	return rc;
}

int expr_compile(struct loader *l, const json_t *v, struct expr **out)
{
	if (json_is_string(v))
		return compile_text(
		    l, (struct str){json_string_value(v), json_string_length(v)}, out);
	if (json_is_object(v)) {
		const char *first = json_object_iter_key(json_object_iter(JSON_ITER(v)));

		if (l->language->syntax == EXPR_SINGLE_BRACES && first != NULL && first[0] == '$') {
			if (json_object_size(v) != 1)
				return LOADER_FAIL(l, "an operator stands alone");
			return compile_operator(l, first, json_object_get(v, first), out);
		}
		return compile_members_of(l, v, out);
	}
	if (json_is_array(v))
		return compile_members_of(l, v, out);
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
	size_t mark = json_reader_enter(&l->in, key);
	if (expr_compile(l, v, out) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- conditions ---------------------------------------------------------------------------- */

static int cond_children(struct loader *l, const json_t *list, struct cond *c)
{
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return LOADER_FAIL(l, "must be a list");
	c->children = arena_array(l->a, json_array_size(list) + 1, sizeof(struct cond *));
	json_array_each(list, i, v) {
		size_t mark = json_reader_enter_index(&l->in, i);
		if (cond_compile(l, v, &c->children[c->n++]) == -1)
			return -1;
		json_reader_leave(&l->in, mark);
	}
	return 0;
}

/* Is a text with which values are compared a placeholder? Others are what they are, braces and all:
 * '{"ok":true}'. */
static bool is_placeholder(const struct loader *l, struct str text)
{
	size_t n = text.n < 3 ? 0 : place_first((struct str){text.p + 1, text.n - 2}).n;

	if (l->language->syntax != EXPR_SINGLE_BRACES || n == 0 || text.p[0] != '{' ||
	    text.p[text.n - 1] != '}')
		return false;
	for (size_t i = 1; i <= n; i++)
		if (!((text.p[i] >= 'a' && text.p[i] <= 'z') ||
			(text.p[i] >= 'A' && text.p[i] <= 'Z') || text.p[i] == '_'))
			return false;
	return true;
}

static int cond_text(struct loader *l, const json_t *v, struct expr **out)
{
	struct str text = str_from(json_scalar_text(l->a, v));

	if (text.p == NULL)
		return LOADER_FAIL(l, "must be compared with text, numbers or booleans");
	if (json_is_string(v) && is_placeholder(l, text))
		return compile_text(l, text, out);
	*out = expr_new(l, EXPR_CONST);
	(*out)->constant = json_own(l->a, json_stringn(text.p, text.n));
	return 0;
}

/* The texts that a value is compared with: one scalar, or a list. */
static int cond_texts(struct loader *l, const json_t *v, struct cond *c)
{
	size_t n = json_is_array(v) ? json_array_size(v) : 1;

	if (n == 0)
		return LOADER_FAIL(l, "nothing is in an empty list");
	c->texts = arena_array(l->a, n + 1, sizeof(struct expr *));
	for (size_t i = 0; i < n; i++)
		if (cond_text(l, json_is_array(v) ? json_array_get(v, i) : v,
			&c->texts[c->ntexts++]) == -1)
			return -1;
	return 0;
}

static int cond_test(struct loader *l, const json_t *v, struct cond *c)
{
	static const char *const keys[] = {
	    "ref", "equals", "in", "exists", "startsWith", "endsWith", "contains", NULL};
	static const enum cond_kind kinds[] = {
	    COND_ALL, COND_IN, COND_IN, COND_EXISTS, COND_STARTS, COND_ENDS, COND_CONTAINS};
	static const struct json_member ref_member = {
	    "ref", READ_TEXT, .need = READ_NEEDED, .min = 1};
	const char *key = NULL;
	struct str ref = {NULL, 0};

	if (json_read_keys(&l->in, v, keys) == -1 ||
	    json_read_member(&l->in, v, &ref_member, &ref) == -1 ||
	    refs_compile(l, ref, &c->ref) == -1)
		return -1;
	if (json_object_size(v) != 2)
		return LOADER_FAIL(l,
		    "needs \"ref\" and one test: equals, in, exists, startsWith, endsWith "
		    "or contains");
	for (size_t i = 1; keys[i] != NULL; i++)
		if (json_object_get(v, keys[i]) != NULL) {
			key = keys[i];
			c->kind = kinds[i];
		}
	if (c->kind == COND_EXISTS)
		return json_read_member(&l->in, v,
			   &(struct json_member){.name = key, .kind = READ_BOOL},
			   &c->should_exist) == -1
			   ? -1
			   : 0;
	return cond_texts(l, json_object_get(v, key), c);
}

int cond_compile(struct loader *l, const json_t *v, struct cond **out)
{
	static const struct {
		const char *name;
		enum cond_kind kind;
	} groups[] = {{"all", COND_ALL}, {"any", COND_ANY}, {"not", COND_NOT}};
	struct cond *c = *out = arena_zalloc(l->a, sizeof(*c));

	if (json_is_array(v)) {
		c->kind = COND_ALL;
		return cond_children(l, v, c);
	}
	for (size_t i = 0; i < 3; i++) {
		const json_t *inner = json_object_get(v, groups[i].name);

		if (inner == NULL)
			continue;
		if (json_object_size(v) != 1)
			return LOADER_FAIL(l, "\"%s\" stands alone", groups[i].name);
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
	size_t mark = json_reader_enter(&l->in, key);
	if (cond_compile(l, v, out) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- loops --------------------------------------------------------------------------------- */

static int loop_compile(struct loader *l, const json_t *v, struct expr **out)
{
	if (!json_is_object(v) || json_object_size(v) != 1)
		return LOADER_FAIL(l, "must be {\"name\": source}");
	const char *name = json_object_iter_key(json_object_iter(JSON_ITER(v)));
	if (compile_source(l, v, name, out) == -1)
		return -1;
	return loop_enter(l, name);
}

int loops_member(struct loader *l, const json_t *object, const char *key, struct loops *out)
{
	const json_t *list = json_object_get(object, key);
	size_t i;
	json_t *v;

	*out = (struct loops){.first = l->nloops};
	if (list == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, key);
	if (!json_is_array(list))
		return LOADER_FAIL(l, "must be a list");
	out->source = arena_array(l->a, json_array_size(list) + 1, sizeof(struct expr *));
	json_array_each(list, i, v) {
		size_t inner = json_reader_enter_index(&l->in, i);
		if (loop_compile(l, v, &out->source[out->n++]) == -1)
			return -1;
		json_reader_leave(&l->in, inner);
	}
	json_reader_leave(&l->in, mark);
	return 0;
}
