/* Expressions, conditions and loops against a scope. */
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "expr/expr-tree.h"

/* What a reference found: JSON borrowed, or text, or a number that a filter made. */
struct value {
	enum { VALUE_ABSENT, VALUE_JSON, VALUE_TEXT, VALUE_INT } kind;
	json_t *json;
	struct str text;
	int64_t number;
};

/* ---- references ---------------------------------------------------------------------------- */

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

/* ---- values -------------------------------------------------------------------------------- */

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

	json_object_each(paths, name, path) {
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

/* ---- conditions ---------------------------------------------------------------------------- */

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

/* ---- loops --------------------------------------------------------------------------------- */

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
