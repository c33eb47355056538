/* Expressions, conditions and loops against a scope.
 *
 *   {settings.a || input.b:lower}
 *
 *   refs_find              the first alternative that is there and not null, through its functions:
 *                          an expr_value, nothing copied
 *   expr_text, expr_json   the same tree read as text or JSON; others read a time, or borrow
 *
 * The tree is read only: several scopes may be evaluated against it. Nothing here looks up a name
 * but the keys of JSON, and allocates but for texts that have to be made (numbers, functions,
 * texts with placeholders). Webhooks are taken apart with it before they are answered, so that
 * stays.
 *
 * Absent is not null: absent makes the text around it absent (but in the syntax of double braces)
 * and leaves a member out; null is a value, though a later alternative goes before it. Whatever
 * input can multiply is bounded: a text by LIMIT_RECORD_BYTES, all that one scope's expressions
 * give by its weight_max. Depth is the depth of the JSON that was compiled, which the parser
 * bounds. */
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/number.h"
#include "expr/expr-tree.h"

#define MISSING_BYTES 200u /* of one that is noted */

bool scope_is_over(const struct scope *s)
{
	return s->weight_max > 0 && s->weight > s->weight_max;
}

void scope_note_missing(struct scope *s, struct str what)
{
	size_t i;
	json_t *known;

	what = utf8_cut(str_trim(what), MISSING_BYTES);
	if (what.n == 0 || json_array_size(s->missing) >= EXPR_MISSING_MAX)
		return;
	json_array_each(s->missing, i, known)
		if (str_is(what, json_string_value(known)))
			return;
	if (s->missing != NULL)
		json_array_append_new(s->missing, json_stringn(what.p, what.n));
}

/* ---- references ---------------------------------------------------------------------------- */

static struct str expr_value_text(struct scope *s, const struct expr_value *v)
{
	char number[24];

	switch (v->kind) {
	case VALUE_TEXT:
		return v->text;
	case VALUE_INT:
		snprintf(number, sizeof(number), "%lld", (long long)v->number);
		return str_from(arena_strdup(s->a, number));
	case VALUE_JSON:
		if (json_is_string(v->json))
			return (struct str){
			    json_string_value(v->json), json_string_length(v->json)};
		return str_from(
		    s->is_of_ids ? json_id_text(s->a, v->json) : json_scalar_text(s->a, v->json));
	case VALUE_ABSENT:
		break;
	}
	return (struct str){NULL, 0};
}

static struct str expr_value_id(struct scope *s, const struct expr_value *v)
{
	bool before = s->is_of_ids;
	struct str text;

	s->is_of_ids = true;
	text = expr_value_text(s, v);
	s->is_of_ids = before;
	return text;
}

static void filter_apply(const struct filter *f, struct scope *s, struct expr_value *v)
{
	struct str text = expr_value_id(s, v);

	if (text.p == NULL && v->kind == VALUE_JSON && json_is_number(v->json))
		text = str_from(json_scalar_text(s->a, v->json)); /* too long for a plain one */
	if (text.p == NULL && (v->kind != VALUE_JSON || !f->function->takes_lists))
		v->kind = VALUE_ABSENT;
	else
		f->function->apply(s, v, text, f->argument);
}

static json_t *ref_find_json(const struct ref *r, json_t *root)
{
	json_t *v = r->key == NULL ? NULL : json_object_get(path_get(r->of, root), r->key);

	if (v != NULL || (r->path == NULL && r->key != NULL))
		return v;
	return r->path == NULL ? root : path_get(r->path, root);
}

static void ref_find(const struct ref *r, struct scope *s, struct expr_value *v)
{
	*v = (struct expr_value){.kind = VALUE_ABSENT};
	switch (r->kind) {
	case REF_LITERAL:
		v->kind = VALUE_TEXT;
		v->text = r->literal;
		return;
	case REF_VALUE:
		v->kind = VALUE_JSON;
		v->json = r->value;
		return;
	case REF_NAMED:
		if (s->slot[r->slot].from != NULL)
			v->text = r->find(s->slot[r->slot].from, r->name);
		v->kind = v->text.p != NULL ? VALUE_TEXT : VALUE_ABSENT;
		return;
	case REF_JSON:
		v->json = s->slot[r->slot].json;
		if (v->json != NULL)
			v->json = ref_find_json(r, v->json);
		v->kind = v->json != NULL ? VALUE_JSON : VALUE_ABSENT;
		if (r->is_time && json_is_integer(v->json)) {
			v->number = json_integer_value(v->json);
			v->kind = VALUE_INT;
		}
		return;
	}
}

/* The first alternative that is there and not null; else the null that was there, or nothing. */
static void refs_find(const struct expr *e, struct scope *s, struct expr_value *out)
{
	struct expr_value null = {.kind = VALUE_ABSENT};

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

/* ---- branches ------------------------------------------------------------------------------ */

/* What a loop walks: the elements of a list, an object as the only one of its own, else nothing. */
static size_t walked_size(const json_t *source)
{
	return json_is_array(source) ? json_array_size(source) : json_is_object(source) ? 1 : 0;
}

static json_t *walked_at(json_t *source, size_t i)
{
	return json_is_array(source) ? json_array_get(source, i) : source;
}

static int walk_stop_at_first(struct scope *s, void *arg)
{
	const struct expr *e = arg;

	return cond_holds(e->when, s) ? 1 : 0;
}

static json_t *loop_source(const struct expr *e, struct scope *s);

/* Leaves the loop at the last element; false: there is none. */
static bool walk_to_last(const struct loops *ls, struct scope *s)
{
	json_t *source = loop_source(ls->source[0], s);
	size_t n = walked_size(source);

	if (n > 0)
		s->slot[EXPR_ROOTS_MAX + ls->first].json = walked_at(source, n - 1);
	return n > 0;
}

/* The expression that stands for this one, in the scope as it leaves it: a branch, or what is to be
 * given of the element that was looked for. NULL: there is none. */
static const struct expr *expr_resolve(const struct expr *e, struct scope *s)
{
	while (e != NULL) {
		switch (e->kind) {
		case EXPR_RAW:
			e = e->of;
			break;
		case EXPR_WHEN:
			e = cond_holds(e->when, s) ? e->of : e->otherwise;
			break;
		case EXPR_FIND:
			e = loops_each(&e->loops, s, walk_stop_at_first, (void *)(uintptr_t)e) == 1
				? e->of
				: NULL;
			break;
		case EXPR_LAST:
			e = walk_to_last(&e->loops, s) ? e->of : NULL;
			break;
		default:
			return e;
		}
	}
	return NULL;
}

/* ---- values -------------------------------------------------------------------------------- */

static const struct path *path_of_text(const struct expr *e, struct scope *s, struct str text)
{
	struct scope_path fresh;

	for (size_t i = 0; i < s->npaths; i++)
		if (s->paths[i].of == e && str_eq(s->paths[i].text, text))
			return s->paths[i].compiled;
	fresh = (struct scope_path){e, text, path_compile(s->a, text, NULL)};
	if (s->npaths < EXPR_PATHS_KEPT)
		s->paths[s->npaths++] = fresh;
	return fresh.compiled;
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
	const struct path *p = path_of_text(e, s, at);
	return p == NULL ? NULL : path_get(p, in);
}

static struct str expr_mapped_text(const struct expr *e, struct scope *s)
{
	struct str t = expr_text(e->of, s);

	for (size_t i = 0; t.p != NULL && i < e->nmap; i++)
		if (str_eq(t, e->map[i].from))
			return e->map[i].to;
	return expr_text(e->otherwise, s);
}

static struct str expr_concat_text(
    const struct expr *e, struct scope *s, void (*escape)(struct buf *b, struct str text))
{
	if (scope_is_over(s))
		return (struct str){NULL, 0};
	struct buf *b = buf_new(s->a, LIMIT_RECORD_BYTES);
	for (size_t i = 0; i < e->n; i++) {
		struct str t = expr_text(e->parts[i], s);

		if (t.p == NULL && e->absent_is_empty) /* of a list: its elements */
			t = str_from(json_joined_text(s->a, expr_borrow(e->parts[i], s)));
		if (t.p == NULL && e->absent_is_empty) {
			scope_note_missing(s, e->parts[i]->source);
			continue;
		}
		if (t.p == NULL)
			return (struct str){NULL, 0};
		if (escape != NULL && e->parts[i]->kind != EXPR_CONST)
			escape(b, t);
		else
			buf_add(b, t.p, t.n);
	}
	if (!buf_ok(b)) {
		s->weight = SIZE_MAX; /* there is too much of it */
		return (struct str){NULL, 0};
	}
	return (struct str){b->p, b->len};
}

struct str expr_text(const struct expr *e, struct scope *s)
{
	struct expr_value v = {.kind = VALUE_JSON};
	struct str t = {NULL, 0};

	e = expr_resolve(e, s);
	if (e == NULL)
		return t;
	switch (e->kind) {
	case EXPR_CONST:
		v.json = e->constant;
		return expr_value_text(s, &v);
	case EXPR_REF:
		refs_find(e, s, &v);
		return expr_value_text(s, &v);
	case EXPR_CONCAT:
		return expr_concat_text(e, s, NULL);
	case EXPR_MAP:
		return expr_mapped_text(e, s);
	case EXPR_FIRST:
		for (size_t i = 0; i < e->n && t.p == NULL; i++)
			t = expr_text(e->parts[i], s);
		return t;
	case EXPR_PATH:
		v.json = path_find(e, s);
		return v.json == NULL ? t : expr_value_text(s, &v);
	default: /* lists and objects have no text */
		return t;
	}
}

struct str expr_id(const struct expr *e, struct scope *s)
{
	bool before = s->is_of_ids;
	struct str text;

	s->is_of_ids = true;
	text = expr_text(e, s);
	s->is_of_ids = before;
	return text;
}

static struct str text_escaped(
    struct arena *a, struct str text, void (*escape)(struct buf *b, struct str text))
{
	struct buf *b = buf_new(a, LIMIT_URL_BYTES);

	escape(b, text);
	return buf_ok(b) ? (struct str){b->p, b->len} : (struct str){NULL, 0};
}

struct str expr_text_escaped(
    const struct expr *e, struct scope *s, void (*escape)(struct buf *b, struct str text))
{
	struct str t = {NULL, 0};

	e = expr_resolve(e, s);
	if (e != NULL && e->kind == EXPR_CONCAT)
		return expr_concat_text(e, s, escape);
	if (e != NULL && e->kind == EXPR_FIRST) {
		for (size_t i = 0; i < e->n && t.p == NULL; i++)
			t = expr_text_escaped(e->parts[i], s, escape);
		return t;
	}
	t = expr_text(e, s);
	return t.p == NULL || e->kind == EXPR_CONST ? t : text_escaped(s->a, t, escape);
}

struct str expr_text_encoded(
    const struct expr *e, struct scope *s, void (*escape)(struct buf *b, struct str text))
{
	struct str t = {NULL, 0};

	while (e != NULL && e->kind == EXPR_WHEN)
		e = cond_holds(e->when, s) ? e->of : e->otherwise;
	if (e != NULL && e->kind == EXPR_RAW)
		return expr_text_escaped(e->of, s, escape);
	if (e != NULL && e->kind == EXPR_FIRST) {
		for (size_t i = 0; i < e->n && t.p == NULL; i++)
			t = expr_text_encoded(e->parts[i], s, escape);
		return t;
	}
	t = expr_text(e, s);
	return t.p == NULL ? t : text_escaped(s->a, t, escape);
}

json_t *expr_borrow(const struct expr *e, struct scope *s)
{
	struct expr_value v;

	e = expr_resolve(e, s);
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

json_t *expr_shared(const struct expr *e, struct scope *s)
{
	json_t *v = expr_borrow(e, s);

	if (v == NULL) {
		v = expr_json(e, s, false);
		if (v != NULL)
			json_own(s->a, v);
	}
	return v;
}

static json_t *json_of_object(const struct expr *e, struct scope *s, bool keep_absent)
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
static json_t *json_of_paths(const struct expr *e, struct scope *s)
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

/* What an expression gives, counted where there is a most; nothing above it. */
static json_t *value_count_given(struct scope *s, json_t *v)
{
	if (s->weight_max == 0 || v == NULL)
		return v;
	if (!scope_is_over(s))
		s->weight += json_weight(v);
	if (!scope_is_over(s))
		return v;
	json_decref(v);
	return NULL;
}

static json_t *json_of_text(struct scope *s, struct str t)
{
	return t.p == NULL ? NULL : value_count_given(s, json_stringn(t.p, t.n));
}

static json_t *json_of_refs(const struct expr *e, struct scope *s)
{
	struct expr_value v;

	refs_find(e, s, &v);
	if (v.kind == VALUE_ABSENT || (v.kind == VALUE_JSON && json_is_null(v.json)))
		scope_note_missing(s, e->source);
	switch (v.kind) {
	case VALUE_JSON:
		return value_count_given(s, json_incref(v.json));
	case VALUE_TEXT:
		return json_of_text(s, v.text);
	case VALUE_INT:
		return json_integer(v.number);
	case VALUE_ABSENT:
		break;
	}
	return NULL;
}

static json_t *json_of_array(const struct expr *e, struct scope *s, bool keep_absent)
{
	json_t *out = json_array();

	for (size_t i = 0; i < e->n; i++) {
		json_t *item = expr_json(e->parts[i], s, keep_absent);

		json_array_append_new(out, item != NULL ? item : json_null());
	}
	return out;
}

/* What is made of the elements of lists. */
struct walk_made {
	const struct expr *e;
	json_t *out;
	bool keep_absent;
};

static int each_add(struct scope *s, void *arg)
{
	struct walk_made *w = arg;

	if (scope_is_over(s))
		return -1;
	json_t *v = cond_holds(w->e->when, s) ? expr_json(w->e->of, s, w->keep_absent) : NULL;
	if (v != NULL)
		json_array_append_new(w->out, v);
	return 0;
}

static int members_add(struct scope *s, void *arg)
{
	struct walk_made *w = arg;
	struct str key = expr_text(w->e->in, s);

	if (scope_is_over(s))
		return -1;
	json_t *v = key.p == NULL ? NULL : expr_json(w->e->of, s, w->keep_absent);
	if (v != NULL)
		json_set(w->out, arena_strndup(s->a, key.p, key.n), v);
	return 0;
}

static json_t *json_of_walk(const struct expr *e, struct scope *s, bool keep_absent)
{
	struct walk_made w = {e, e->kind == EXPR_EACH ? json_array() : json_object(), keep_absent};

	(void)loops_each(&e->loops, s, e->kind == EXPR_EACH ? each_add : members_add, &w);
	return w.out;
}

/* Of several objects one, of several lists one; what is something else is no member of the first,
 * and an element of the second. */
static json_t *json_of_several(const struct expr *e, struct scope *s, bool keep_absent)
{
	json_t *out = e->kind == EXPR_MERGE ? json_object() : json_array();

	for (size_t i = 0; i < e->n; i++) {
		json_t *v = expr_json(e->parts[i], s, keep_absent);

		if (e->kind == EXPR_MERGE)
			json_object_update(out, v);
		else if (json_is_array(v))
			json_array_extend(out, v);
		else if (v != NULL && !json_is_null(v))
			json_array_append(out, v);
		json_decref(v);
	}
	return out;
}

json_t *expr_json(const struct expr *e, struct scope *s, bool keep_absent)
{
	json_t *out = NULL;

	e = expr_resolve(e, s);
	if (e == NULL)
		return NULL;
	switch (e->kind) {
	case EXPR_CONST:
		return json_deep_copy(e->constant);
	case EXPR_REF:
		return json_of_refs(e, s);
	case EXPR_OBJECT:
		return json_of_object(e, s, keep_absent);
	case EXPR_ARRAY:
		return json_of_array(e, s, keep_absent);
	case EXPR_FIRST:
		for (size_t i = 0; i < e->n && out == NULL; i++)
			out = expr_json(e->parts[i], s, keep_absent);
		return out;
	case EXPR_PATH:
		return value_count_given(s, json_incref(path_find(e, s)));
	case EXPR_PATHS:
		return value_count_given(s, json_of_paths(e, s));
	case EXPR_EACH:
	case EXPR_MEMBERS:
		return json_of_walk(e, s, keep_absent);
	case EXPR_MERGE:
	case EXPR_JOIN:
		return json_of_several(e, s, keep_absent);
	default:
		return json_of_text(s, expr_text(e, s));
	}
}

static bool value_is_said(const struct expr_value *v)
{
	if (v->kind == VALUE_JSON && json_is_string(v->json))
		return utf8_trim(
			   (struct str){json_string_value(v->json), json_string_length(v->json)})
			   .n > 0;
	return v->kind == VALUE_TEXT ? v->text.n > 0
				     : v->kind == VALUE_JSON && !json_is_null(v->json);
}

/* Is there something where the time should be, though no function can read it? */
static bool time_is_said(const struct expr *e, struct scope *s)
{
	struct expr_value v = {.kind = VALUE_JSON};

	if (e->kind == EXPR_PATH && (v.json = path_find(e, s)) != NULL)
		return value_is_said(&v);
	for (size_t i = 0; e->kind == EXPR_REF && i < e->nrefs; i++) {
		ref_find(&e->refs[i], s, &v);
		if (e->refs[i].kind != REF_LITERAL && value_is_said(&v))
			return true;
	}
	return false;
}

/* Numbers as plain decimals, signs that look alike as ASCII. */
static struct str time_text(const struct expr *e, struct scope *s)
{
	struct str t = expr_id(e, s), plain = {NULL, 0};
	bool is_ascii = true;

	for (size_t i = 0; i < t.n && is_ascii; i++)
		is_ascii = (unsigned char)t.p[i] < 0x80;
	t = utf8_trim(is_ascii ? t : utf8_fold_signs(s->a, t));
	if (t.n > 0 && number_is(t))
		plain = number_plain(s->a, t);
	return plain.p != NULL ? plain : t;
}

enum expr_time expr_time(const struct expr *e, struct scope *s, int64_t *at_us)
{
	struct expr_value v = {.kind = VALUE_ABSENT};
	struct str t;

	*at_us = TIME_NONE;
	e = expr_resolve(e, s);
	if (e == NULL)
		return EXPR_TIME_ABSENT;
	if (e->kind == EXPR_FIRST) {
		enum expr_time found = EXPR_TIME_ABSENT;

		for (size_t i = 0; i < e->n && found == EXPR_TIME_ABSENT; i++)
			found = expr_time(e->parts[i], s, at_us);
		return found;
	}
	if (e->kind == EXPR_REF) {
		refs_find(e, s, &v);
		if (v.kind == VALUE_INT) {
			*at_us = v.number;
			return EXPR_TIME_FOUND;
		}
	}
	t = time_text(e, s);
	if (t.n == 0)
		return time_is_said(e, s) ? EXPR_TIME_ODD : EXPR_TIME_ABSENT;
	return clock_parse_any(t, at_us) ? EXPR_TIME_FOUND : EXPR_TIME_ODD;
}

/* ---- conditions ---------------------------------------------------------------------------- */

static bool text_matches(enum cond_kind kind, struct str t, struct str with)
{
	if (kind == COND_IN)
		return str_eq(t, with);
	if (t.n < with.n)
		return false;
	if (kind == COND_CONTAINS)
		return with.n == 0 || memmem(t.p, t.n, with.p, with.n) != NULL;
	return memcmp(kind == COND_STARTS ? t.p : t.p + t.n - with.n, with.p, with.n) == 0;
}

bool cond_holds(const struct cond *c, struct scope *s)
{
	struct expr_value v;

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
	case COND_CONTAINS:
		break;
	}
	struct str t = expr_text(c->ref, s);
	for (size_t i = 0; t.p != NULL && i < c->ntexts; i++) {
		struct str with = expr_text(c->texts[i], s);

		if (with.p != NULL && text_matches(c->kind, t, with))
			return true;
	}
	return false;
}

/* ---- loops --------------------------------------------------------------------------------- */

struct loops_walk {
	const struct loops *ls;
	struct scope *s;
	int (*each)(struct scope *s, void *arg);
	int (*missed)(struct scope *s, size_t level, enum loops_end end, void *arg); /* or NULL */
	void *arg;
};

/* What a loop walks. Where a configured path fans out, it is all that the path finds, one behind
 * the other: `entry[].changes` is the changes of every entry. */
static json_t *loop_source(const struct expr *e, struct scope *s)
{
	struct str at = e->kind == EXPR_PATH ? expr_text(e->of, s) : (struct str){NULL, 0};
	const struct path *p = at.n == 0 ? NULL : path_of_text(e, s, at);
	json_t *found, *all, *one;
	size_t i;

	if (p == NULL || !path_fans_out(p))
		return expr_shared(e, s);
	found = json_own(s->a, json_array());
	all = json_own(s->a, json_array());
	path_collect(p, expr_borrow(e->in, s), found);
	json_array_each(found, i, one) {
		if (json_is_array(one))
			json_array_extend(all, one);
		else
			json_array_append(all, one);
	}
	return json_array_size(found) == 0 ? NULL : all;
}

static int loops_step(const struct loops_walk *w, size_t level)
{
	if (level == w->ls->n)
		return w->each(w->s, w->arg);
	json_t *source = loop_source(w->ls->source[level], w->s);
	size_t n = walked_size(source), slot = EXPR_ROOTS_MAX + w->ls->first + level;
	if (n == 0 && w->missed != NULL)
		return w->missed(w->s, level,
		    json_is_array(source)                    ? LOOPS_EMPTY
		    : source == NULL || json_is_null(source) ? LOOPS_ABSENT
							     : LOOPS_NO_LIST,
		    w->arg);
	for (size_t i = 0; i < n; i++) {
		w->s->slot[slot].json = walked_at(source, i);
		int rc = loops_step(w, level + 1);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int loops_each(
    const struct loops *ls, struct scope *s, int (*each)(struct scope *s, void *arg), void *arg)
{
	return loops_step(&(struct loops_walk){ls, s, each, NULL, arg}, 0);
}

int loops_each_told(const struct loops *ls, struct scope *s,
    int (*each)(struct scope *s, void *arg),
    int (*missed)(struct scope *s, size_t level, enum loops_end end, void *arg), void *arg)
{
	return loops_step(&(struct loops_walk){ls, s, each, missed, arg}, 0);
}

const json_t *loops_element(const struct loops *ls, const struct scope *s)
{
	return ls->n == 0 ? NULL : s->slot[EXPR_ROOTS_MAX + ls->first + ls->n - 1].json;
}
