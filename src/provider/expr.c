#include "provider/expr.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"

#define FILTERS_MAX 3

enum filter_kind {
	FILTER_TEXT,
	FILTER_INT,
	FILTER_LOWER,
	FILTER_UPPER,
	FILTER_BEFORE,
	FILTER_AFTER,
	FILTER_BEFORE_LAST,
	FILTER_AFTER_LAST,
	FILTER_TIME_S,
	FILTER_TIME_MS,
	FILTER_TIME_ISO,
	FILTER_ISO,
};
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
struct filter {
	enum filter_kind kind;
	char argument;
};

/* One alternative of a placeholder. */
struct ref {
	enum root root;
	const struct path *path; /* below a JSON root; NULL: the root itself */
	const char *name;        /* header, query */
	struct str literal;
	struct filter filters[FILTERS_MAX];
	size_t nfilters;
};

enum expr_kind {
	EXPR_CONST,
	EXPR_REF,
	EXPR_CONCAT,
	EXPR_OBJECT,
	EXPR_ARRAY,
	EXPR_MAP,
	EXPR_FIRST,
	EXPR_PATH,
	EXPR_PATHS,
	EXPR_WHEN,
};
struct expr {
	enum expr_kind kind;
	json_t *constant;
	struct ref *refs; /* EXPR_REF: alternatives */
	size_t nrefs;
	struct expr **parts; /* CONCAT, ARRAY, FIRST; OBJECT: values */
	struct expr **keys;  /* OBJECT */
	size_t n;
	struct expr *of, *in, *otherwise;
	struct cond *when; /* WHEN: of, else otherwise */
	struct {
		struct str from;
		struct str to;
	} * map;
	size_t nmap;
};

/* What a reference found: JSON borrowed, or text, or a number that a filter made. */
struct value {
	enum { VALUE_ABSENT, VALUE_JSON, VALUE_TEXT, VALUE_INT } kind;
	json_t *json;
	struct str text;
	int64_t number;
};

/* ---- compilation -------------------------------------------------------------------------- */

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
		if (r->nfilters == FILTERS_MAX)
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
	if (find_root(l, (struct str){text.p, i}, &r->root) < 0)
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
	if (!cut_filter(&text, &part) || compile_place(l, part, r) < 0)
		return -1;
	while (cut_filter(&text, &part))
		if (compile_filter(l, part, r) < 0)
			return -1;
	return 0;
}

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
			if (compile_refs(l, inner, &e->parts[e->n++]) < 0)
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

/* A bare reference ("input.body") or a text with placeholders. */
static int compile_source(
    struct loader *l, const json_t *object, const char *key, struct expr **out)
{
	const char *text;

	if (!json_is_string(json_object_get(object, key)))
		return expr_member(l, object, key, out);
	if (loader_text(l, object, key, true, &text) < 0)
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

	if (loader_object(l, v, keys) < 0 || compile_source(l, v, "of", &e->of) < 0 ||
	    expr_member(l, v, "default", &e->otherwise) < 0)
		return -1;
	if (e->of == NULL || !json_is_object(map))
		return loader_fail(l, "needs \"of\" and an object \"map\"");
	e->map = arena_array(l->a, json_object_size(map) + 1, sizeof *e->map);
	json_object_foreach(map, from, to) {
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
	json_array_foreach((json_t *)(uintptr_t)v, i, item) {
		size_t mark = loader_enter_index(l, i);
		if (expr_compile(l, item, &e->parts[e->n++]) < 0)
			return -1;
		loader_leave(l, mark);
	}
	return 0;
}

/* Paths that a person configured ("at"), and what they are looked up in ("in"). */
static int compile_places(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"at", "in", NULL};

	if (loader_object(l, v, keys) < 0 || compile_source(l, v, "at", &e->of) < 0 ||
	    compile_source(l, v, "in", &e->in) < 0)
		return -1;
	if (e->of == NULL || e->in == NULL)
		return loader_fail(l, "needs \"at\" and \"in\"");
	return 0;
}

static int compile_when(struct loader *l, const json_t *v, struct expr *e)
{
	static const char *const keys[] = {"if", "then", "else", NULL};

	if (loader_object(l, v, keys) < 0 || cond_member(l, v, "if", &e->when) < 0 ||
	    expr_member(l, v, "then", &e->of) < 0 || expr_member(l, v, "else", &e->otherwise) < 0)
		return -1;
	return e->when == NULL || e->of == NULL ? loader_fail(l, "needs \"if\" and \"then\"") : 0;
}

static int compile_object(struct loader *l, const json_t *v, struct expr *e)
{
	const char *key;
	json_t *member;

	e->keys = arena_array(l->a, json_object_size(v) + 1, sizeof(struct expr *));
	e->parts = arena_array(l->a, json_object_size(v) + 1, sizeof(struct expr *));
	json_object_foreach((json_t *)(uintptr_t)v, key, member) {
		size_t mark = loader_enter(l, key);
		if (compile_text(l, str_from(key), &e->keys[e->n]) < 0 ||
		    expr_compile(l, member, &e->parts[e->n++]) < 0)
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
	if (expr_compile(l, v, out) < 0)
		return -1;
	loader_leave(l, mark);
	return 0;
}

/* ---- evaluation --------------------------------------------------------------------------- */

static struct str value_text(struct scope *s, const struct value *v)
{
	char number[24];

	switch (v->kind) {
	case VALUE_TEXT:
		return v->text;
	case VALUE_INT:
		snprintf(number, sizeof number, "%lld", (long long)v->number);
		return str_from(arena_strdup(s->a, number));
	case VALUE_JSON:
		if (json_is_string(v->json))
			return (struct str){
			    json_string_value(v->json), json_string_length(v->json)};
		return str_from(json_scalar_text(s->a, v->json));
	case VALUE_ABSENT:
		break;
	}
	return (struct str){NULL, 0};
}

static struct str change_case(struct scope *s, struct str t, bool is_upper)
{
	char *copy = arena_strndup(s->a, t.p, t.n);

	for (size_t i = 0; i < t.n; i++) {
		if (is_upper && copy[i] >= 'a' && copy[i] <= 'z')
			copy[i] = (char)(copy[i] - 'a' + 'A');
		else if (!is_upper && copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	}
	return (struct str){copy, t.n};
}

/* The part before or after a separator; all of the text where it does not occur. */
static struct str cut_at(struct str t, char sep, bool is_last, bool is_after)
{
	const char *p = is_last ? memrchr(t.p, sep, t.n) : memchr(t.p, sep, t.n);

	if (p == NULL)
		return t;
	size_t i = (size_t)(p - t.p);
	return is_after ? (struct str){p + 1, t.n - i - 1} : (struct str){t.p, i};
}

/* A time as microseconds: seconds or milliseconds as an integer or integer text, or ISO 8601. */
static bool read_time(struct str t, enum filter_kind kind, int64_t *us)
{
	int64_t n;

	if (kind == FILTER_TIME_ISO)
		return clock_parse_iso(t, us);
	int64_t scale = kind == FILTER_TIME_S ? SECOND_US : SECOND_US / 1000;
	t = cut_at(t, '.', false, false);
	if (!str_to_i64(t, 0, INT64_MAX / scale / 4, &n))
		return false;
	*us = n * scale;
	return true;
}

static void filter_apply(const struct filter *f, struct scope *s, struct value *v)
{
	struct str t = value_text(s, v);
	struct value out = {.kind = VALUE_TEXT, .text = t};
	int64_t n;

	if (t.p == NULL) {
		v->kind = VALUE_ABSENT;
		return;
	}
	switch (f->kind) {
	case FILTER_TEXT:
		break;
	case FILTER_LOWER:
	case FILTER_UPPER:
		out.text = change_case(s, t, f->kind == FILTER_UPPER);
		break;
	case FILTER_BEFORE:
	case FILTER_AFTER:
	case FILTER_BEFORE_LAST:
	case FILTER_AFTER_LAST:
		out.text = cut_at(t, f->argument,
		    f->kind == FILTER_BEFORE_LAST || f->kind == FILTER_AFTER_LAST,
		    f->kind == FILTER_AFTER || f->kind == FILTER_AFTER_LAST);
		break;
	case FILTER_INT:
		out.kind = str_to_i64(t, INT64_MIN, INT64_MAX, &n) ? VALUE_INT : VALUE_ABSENT;
		out.number = out.kind == VALUE_INT ? n : 0;
		break;
	case FILTER_TIME_S:
	case FILTER_TIME_MS:
	case FILTER_TIME_ISO:
		out.kind = read_time(t, f->kind, &n) ? VALUE_INT : VALUE_ABSENT;
		out.number = out.kind == VALUE_INT ? n : 0;
		break;
	case FILTER_ISO:
		if (v->kind == VALUE_INT)
			out.text = str_from(clock_iso_dup(s->a, v->number));
		break;
	}
	*v = out;
}

static void ref_find(const struct ref *r, struct scope *s, struct value *v)
{
	*v = (struct value){.kind = VALUE_ABSENT};
	if (r->root == ROOT_LITERAL) {
		*v = (struct value){.kind = VALUE_TEXT, .text = r->literal};
		return;
	}
	if (r->root == ROOT_HEADER || r->root == ROOT_QUERY) {
		const struct http_pairs *pairs = r->root == ROOT_HEADER ? s->headers : s->query;

		if (pairs != NULL)
			v->text = http_pairs_get(pairs, r->name);
		v->kind = v->text.p != NULL ? VALUE_TEXT : VALUE_ABSENT;
		return;
	}
	json_t *root = s->slot[r->root];
	if (root != NULL)
		v->json = r->path == NULL ? root : path_get(r->path, root);
	v->kind = v->json != NULL ? VALUE_JSON : VALUE_ABSENT;
}

/* The first alternative that is there and not null; else the null that was there, or nothing. */
static void refs_find(const struct expr *e, struct scope *s, struct value *out)
{
	struct value null = {.kind = VALUE_ABSENT};

	for (size_t i = 0; i < e->nrefs; i++) {
		ref_find(&e->refs[i], s, out);
		if (out->kind == VALUE_JSON && json_is_null(out->json)) {
			null = *out;
			continue;
		}
		for (size_t f = 0; f < e->refs[i].nfilters && out->kind != VALUE_ABSENT; f++)
			filter_apply(&e->refs[i].filters[f], s, out);
		if (out->kind != VALUE_ABSENT)
			return;
	}
	*out = null;
}

/* A path that a person configured, looked up in a value. */
static json_t *path_find(const struct expr *e, struct scope *s)
{
	json_t *in = expr_borrow(e->in, s);
	struct str at = expr_text(e->of, s);

	if (in == NULL)
		return NULL;
	if (at.n == 0)
		return in;
	return path_lookup(s->a, in, arena_strndup(s->a, at.p, at.n));
}

static struct str mapped(const struct expr *e, struct scope *s)
{
	struct str t = expr_text(e->of, s);

	for (size_t i = 0; t.p != NULL && i < e->nmap; i++)
		if (str_eq(t, e->map[i].from))
			return e->map[i].to;
	return expr_text(e->otherwise, s);
}

static struct str concat(const struct expr *e, struct scope *s, bool is_encoded)
{
	struct buf *b = buf_new(s->a, LIMIT_RECORD_BYTES);

	for (size_t i = 0; i < e->n; i++) {
		struct str t = expr_text(e->parts[i], s);

		if (t.p == NULL)
			return (struct str){NULL, 0};
		if (is_encoded && e->parts[i]->kind != EXPR_CONST)
			percent_encode(b, t);
		else
			buf_add(b, t.p, t.n);
	}
	return buf_ok(b) ? (struct str){b->p, b->len} : (struct str){NULL, 0};
}

struct str expr_text(const struct expr *e, struct scope *s)
{
	struct value v = {.kind = VALUE_JSON};
	struct str t = {NULL, 0};

	if (e == NULL)
		return t;
	switch (e->kind) {
	case EXPR_CONST:
		v.json = e->constant;
		return value_text(s, &v);
	case EXPR_REF:
		refs_find(e, s, &v);
		return value_text(s, &v);
	case EXPR_CONCAT:
		return concat(e, s, false);
	case EXPR_MAP:
		return mapped(e, s);
	case EXPR_FIRST:
		for (size_t i = 0; i < e->n && t.p == NULL; i++)
			t = expr_text(e->parts[i], s);
		return t;
	case EXPR_PATH:
		v.json = path_find(e, s);
		return v.json == NULL ? t : value_text(s, &v);
	case EXPR_WHEN:
		return expr_text(cond_holds(e->when, s) ? e->of : e->otherwise, s);
	case EXPR_OBJECT:
	case EXPR_ARRAY:
	case EXPR_PATHS:
		break;
	}
	return t;
}

struct str expr_text_encoded(const struct expr *e, struct scope *s)
{
	if (e != NULL && e->kind == EXPR_CONCAT)
		return concat(e, s, true);
	struct str t = expr_text(e, s);
	if (t.p == NULL || e->kind == EXPR_CONST)
		return t;
	struct buf *b = buf_new(s->a, LIMIT_URL_BYTES);
	percent_encode(b, t);
	return buf_ok(b) ? (struct str){b->p, b->len} : (struct str){NULL, 0};
}

json_t *expr_borrow(const struct expr *e, struct scope *s)
{
	struct value v;

	if (e == NULL)
		return NULL;
	if (e->kind == EXPR_CONST)
		return e->constant;
	if (e->kind == EXPR_PATH)
		return path_find(e, s);
	if (e->kind != EXPR_REF)
		return NULL;
	refs_find(e, s, &v);
	return v.kind == VALUE_JSON ? v.json : NULL;
}

static json_t *object_json(const struct expr *e, struct scope *s, bool keep_absent)
{
	json_t *o = json_object();

	for (size_t i = 0; i < e->n; i++) {
		struct str key = expr_text(e->keys[i], s);
		json_t *value = key.p == NULL ? NULL : expr_json(e->parts[i], s, keep_absent);

		if (key.p != NULL && value == NULL && keep_absent)
			value = json_null();
		if (value != NULL)
			json_set(o, arena_strndup(s->a, key.p, key.n), value);
	}
	return o;
}

/* {"name":"path"} → {"name": what is there}, without what is not. */
static json_t *paths_json(const struct expr *e, struct scope *s)
{
	json_t *paths = expr_borrow(e->of, s), *in = expr_borrow(e->in, s), *o = json_object();
	const char *name;
	json_t *path;

	json_object_foreach(paths, name, path) {
		json_t *found =
		    json_is_string(path) ? path_lookup(s->a, in, json_string_value(path)) : NULL;

		if (found != NULL)
			json_set(o, name, json_incref(found));
	}
	return o;
}

static json_t *text_json(struct str t)
{
	return t.p == NULL ? NULL : json_stringn(t.p, t.n);
}

json_t *expr_json(const struct expr *e, struct scope *s, bool keep_absent)
{
	struct value v;
	json_t *out = NULL;

	if (e == NULL)
		return NULL;
	switch (e->kind) {
	case EXPR_CONST:
		return json_deep_copy(e->constant);
	case EXPR_REF:
		refs_find(e, s, &v);
		if (v.kind == VALUE_INT)
			return json_integer(v.number);
		return v.kind == VALUE_JSON   ? json_incref(v.json)
		       : v.kind == VALUE_TEXT ? text_json(v.text)
					      : NULL;
	case EXPR_OBJECT:
		return object_json(e, s, keep_absent);
	case EXPR_ARRAY:
		out = json_array();
		for (size_t i = 0; i < e->n; i++) {
			json_t *item = expr_json(e->parts[i], s, keep_absent);

			json_array_append_new(out, item != NULL ? item : json_null());
		}
		return out;
	case EXPR_FIRST:
		for (size_t i = 0; i < e->n && out == NULL; i++)
			out = expr_json(e->parts[i], s, keep_absent);
		return out;
	case EXPR_PATH:
		out = path_find(e, s);
		return out == NULL ? NULL : json_incref(out);
	case EXPR_PATHS:
		return paths_json(e, s);
	case EXPR_WHEN:
		return expr_json(cond_holds(e->when, s) ? e->of : e->otherwise, s, keep_absent);
	case EXPR_CONCAT:
	case EXPR_MAP:
		break;
	}
	return text_json(expr_text(e, s));
}

int64_t expr_time_us(const struct expr *e, struct scope *s)
{
	struct value v = {.kind = VALUE_ABSENT};

	if (e == NULL)
		return 0;
	if (e->kind == EXPR_REF) {
		refs_find(e, s, &v);
		return v.kind == VALUE_INT ? v.number : 0;
	}
	struct str t = expr_text(e, s);
	int64_t us;
	return t.p != NULL && clock_parse_iso(t, &us) ? us : 0;
}

/* ---- conditions --------------------------------------------------------------------------- */

enum cond_kind { COND_ALL, COND_ANY, COND_NOT, COND_IN, COND_EXISTS, COND_STARTS, COND_ENDS };
struct cond {
	enum cond_kind kind;
	struct expr *ref;
	struct str *texts;
	size_t ntexts;
	bool should_exist;
	struct cond **children;
	size_t n;
};

static int cond_compile(struct loader *l, const json_t *v, struct cond **out);

static int cond_children(struct loader *l, const json_t *list, struct cond *c)
{
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return loader_fail(l, "must be a list");
	c->children = arena_array(l->a, json_array_size(list) + 1, sizeof(struct cond *));
	json_array_foreach((json_t *)(uintptr_t)list, i, v) {
		size_t mark = loader_enter_index(l, i);
		if (cond_compile(l, v, &c->children[c->n++]) < 0)
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

	if (loader_object(l, v, keys) < 0 || loader_text(l, v, "ref", true, &ref) < 0 ||
	    compile_refs(l, str_from(ref), &c->ref) < 0)
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
	if (cond_compile(l, v, out) < 0)
		return -1;
	loader_leave(l, mark);
	return 0;
}

static bool text_matches(enum cond_kind kind, struct str t, struct str with)
{
	if (kind == COND_IN)
		return str_eq(t, with);
	if (t.n < with.n)
		return false;
	return memcmp(kind == COND_STARTS ? t.p : t.p + t.n - with.n, with.p, with.n) == 0;
}

bool cond_holds(const struct cond *c, struct scope *s)
{
	struct value v;

	if (c == NULL)
		return true;
	switch (c->kind) {
	case COND_ALL:
	case COND_ANY:
	case COND_NOT:
		for (size_t i = 0; i < c->n; i++)
			if (cond_holds(c->children[i], s) != (c->kind == COND_ALL))
				return c->kind == COND_ANY;
		return c->kind != COND_ANY;
	case COND_EXISTS:
		refs_find(c->ref, s, &v);
		return (v.kind != VALUE_ABSENT &&
			   (v.kind != VALUE_JSON || !json_is_null(v.json))) == c->should_exist;
	case COND_IN:
	case COND_STARTS:
	case COND_ENDS:
		break;
	}
	struct str t = expr_text(c->ref, s);
	for (size_t i = 0; t.p != NULL && i < c->ntexts; i++)
		if (text_matches(c->kind, t, c->texts[i]))
			return true;
	return false;
}

/* ---- loops -------------------------------------------------------------------------------- */

static int loop_compile(struct loader *l, const json_t *v, struct expr **out)
{
	if (!json_is_object(v) || json_object_size(v) != 1)
		return loader_fail(l, "must be {\"name\": source}");
	const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)v));
	if (l->nloops == sizeof l->loop / sizeof *l->loop)
		return loader_fail(l, "too many loops");
	if (compile_source(l, v, name, out) < 0)
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
	json_array_foreach((json_t *)(uintptr_t)list, i, v) {
		size_t inner = loader_enter_index(l, i);
		if (loop_compile(l, v, &out->source[out->n++]) < 0)
			return -1;
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

static int loops_step(const struct loops *ls, size_t level, struct scope *s,
    int (*each)(struct scope *s, void *arg), void *arg)
{
	if (level == ls->n)
		return each(s, arg);
	json_t *source = expr_borrow(ls->source[level], s);
	size_t n = json_is_array(source) ? json_array_size(source) : json_is_object(source) ? 1 : 0;
	for (size_t i = 0; i < n; i++) {
		s->slot[ROOT_LOOP + level] =
		    json_is_array(source) ? json_array_get(source, i) : source;
		int rc = loops_step(ls, level + 1, s, each, arg);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int loops_each(
    const struct loops *ls, struct scope *s, int (*each)(struct scope *s, void *arg), void *arg)
{
	return loops_step(ls, 0, s, each, arg);
}
