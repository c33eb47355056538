/* Expressions, conditions and loops from JSON.
 *
 *	"id: {body.id:lower || 'none'}"
 *	 └──┘ └─────┬────────────────┘    single_text, double_text: constants and placeholders
 *	      compile_refs                alternatives between ||
 *	      └──┬─────────┘ compile_ref  a literal, or a place and its functions
 *	      place  function             find_root, path_compile; find_function
 *
 * A text of one placeholder alone is that reference (EXPR_REF), so that its value keeps its type;
 * any other is a concatenation. Every name is resolved here, so that a wrong one is told with its
 * place, and evaluating cannot fail: it can only find nothing.
 *
 * The loader's reader stands at the value that is being compiled; each descent enters and leaves
 * it. A failure leaves the reader where it is, and the tree half made: nobody may use it. Loops add
 * their names to the loader when they are compiled, and what is compiled after them may use these.
 * Below a root's FIELD_KEYS stand keys of others, which may look like anything:
 *
 *	customFields.size_(approx.):lower || 'none'
 *	             └─────┬──────┘ └─┬─┘            one key, or else a path
 *	                   key        what ends it is but a function that there is */
#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "expr/expr-tree.h"

/* A complaint at the place of the reader; -1. */
#define LOADER_FAIL(l, ...) json_reader_fail(&(l)->in, __VA_ARGS__)
#define NAMES_BYTES 600u /* of a list of what can stand at a place */

/* ---- references ---------------------------------------------------------------------------- */

/* The root or loop of this name: 1, or 0. *fields are what lies in it, or NULL: anything. */
static int language_find_root(
    const struct loader *l, struct str name, struct ref *r, const struct expr_field **fields)
{
	const struct expr_language *lang = l->language;

	r->kind = REF_JSON;
	*fields = NULL;
	for (size_t i = l->nloops; i-- > 0;)
		if (str_is(name, l->loop[i])) {
			r->slot = EXPR_ROOTS_MAX + (unsigned)i;
			return 1;
		}
	for (size_t i = 0; i < lang->nroots; i++)
		if (str_is(name, lang->roots[i].name) &&
		    (l->roots & EXPR_ROOT_BIT(lang->roots[i].slot)) != 0) {
			r->slot = lang->roots[i].slot;
			r->find = lang->roots[i].find;
			*fields = lang->roots[i].fields;
			r->kind = r->find != NULL ? REF_NAMED : REF_JSON;
			r->is_time = *fields != NULL && (*fields)->name != NULL &&
				     (*fields)->name[0] == '\0' && (*fields)->kind == FIELD_TIME;
			return 1;
		}
	return 0;
}

static const struct expr_function *language_find_function(
    const struct expr_language *lang, struct str name)
{
	for (const struct expr_function *f = lang->functions; f->name != NULL; f++)
		if (str_is(name, f->name))
			return f;
	return NULL;
}

/* The names that can stand at a place, for who wrote another. */
static const char *names_of_functions(const struct loader *l)
{
	struct buf *b = buf_new(l->a, NAMES_BYTES);

	for (const struct expr_function *f = l->language->functions; f->name != NULL; f++)
		buf_printf(
		    b, "%s%s%s", b->len > 0 ? ", " : "", f->name, f->argument != NULL ? "()" : "");
	return b->p;
}

static const char *names_of_roots(const struct loader *l)
{
	const struct expr_language *lang = l->language;
	struct buf *b = buf_new(l->a, NAMES_BYTES);

	for (size_t i = 0; i < lang->nroots; i++)
		if ((l->roots & EXPR_ROOT_BIT(lang->roots[i].slot)) != 0)
			buf_printf(b, "%s%s", b->len > 0 ? ", " : "", lang->roots[i].name);
	for (size_t i = 0; i < l->nloops; i++)
		buf_printf(b, "%s%s", b->len > 0 ? ", " : "", l->loop[i]);
	return b->len == 0 ? "nothing" : b->p;
}

static const char *names_of_fields(const struct loader *l, const struct expr_field *fields)
{
	struct buf *b = buf_new(l->a, NAMES_BYTES);

	for (; fields->name != NULL; fields++)
		buf_printf(b, "%s%s%s", b->len > 0 ? ", " : "", fields->name,
		    fields->kind == FIELD_KEYS ? ".KEY" : "");
	return b->p;
}

/* ---- functions ------------------------------------------------------------------------------ */

/* name, or name(argument): what stands before the parenthesis. */
static struct str filter_name(struct str text)
{
	const char *paren = memchr(text.p, '(', text.n);

	return (struct str){text.p, paren == NULL ? text.n : (size_t)(paren - text.p)};
}

/* The bytes of an argument with its parentheses, at whose first the text begins: to the next one
 * that closes, unless that is the argument itself, or the argument stands in quotes. All of the
 * text where none closes. */
static size_t argument_length(struct str text)
{
	const char *end;
	bool is_quoted = text.n > 1 && text.p[1] == '\'' &&
			 !(text.n > 2 && text.p[2] == ')' && (text.n == 3 || text.p[3] != '\''));

	if (text.n > 2 && text.p[2] == ')' && !is_quoted)
		return 3;
	end = is_quoted && text.n > 2 ? memmem(text.p + 2, text.n - 2, "')", 2)
				      : memchr(text.p, ')', text.n);
	return end == NULL ? text.n : (size_t)(end - text.p) + (is_quoted ? 2 : 1);
}

/* What stands within the parentheses that text is; absent where they do not close at its end. */
static struct str argument_text(struct str text)
{
	if (text.n < 3 || argument_length(text) != text.n || text.p[text.n - 1] != ')')
		return (struct str){NULL, 0};
	if (text.n == 3 || text.p[1] != '\'')
		return (struct str){text.p + 1, text.n - 2};
	return text.n > 4 && text.p[text.n - 2] == '\'' ? (struct str){text.p + 2, text.n - 4}
							: (struct str){NULL, 0};
}

static int compile_argument(
    struct loader *l, const struct expr_function *f, struct str text, struct str *out)
{
	struct str argument = argument_text(text);

	*out = (struct str){NULL, 0};
	if (f->argument == NULL)
		return text.n > 0 ? LOADER_FAIL(l, "filter %s takes no argument", f->name) : 0;
	if (argument.n == 0 || (f->accepts != NULL && !f->accepts(argument)))
		return LOADER_FAIL(
		    l, "filter %s: a wrong argument: it takes %s", f->name, f->argument);
	*out = str_copy(l->a, argument);
	return 0;
}

static int compile_filter(struct loader *l, struct str text, struct ref *r)
{
	struct str name = filter_name(text), argument;
	const struct expr_function *f = language_find_function(l->language, name);

	if (f == NULL)
		return LOADER_FAIL(l, "unknown filter \"%.*s\": there are %s", (int)name.n, name.p,
		    names_of_functions(l));
	if (r->nfilters == EXPR_FILTERS_MAX)
		return LOADER_FAIL(l, "too many filters: %d are the most", EXPR_FILTERS_MAX);
	text = (struct str){text.p + name.n, text.n - name.n};
	if (compile_argument(l, f, text, &argument) == -1)
		return -1;
	r->filters[r->nfilters++] = (struct filter){f, argument};
	return 0;
}

/* Cuts "filter(:):filter" at the colons that are not within arguments. */
static bool cut_filter(struct str *rest, struct str *part)
{
	size_t i = 0;

	if (rest->p == NULL)
		return false;
	while (i < rest->n && rest->p[i] != ':')
		i +=
		    rest->p[i] == '(' ? argument_length((struct str){rest->p + i, rest->n - i}) : 1;
	*part = str_trim((struct str){rest->p, i});
	*rest =
	    i < rest->n ? (struct str){rest->p + i + 1, rest->n - i - 1} : (struct str){NULL, 0};
	return true;
}

/* Cuts "place:filter:filter" at its first colon; filters is absent where there is none. */
static void cut_filters(struct str *place, struct str *filters)
{
	const char *colon = memchr(place->p, ':', place->n);
	size_t n = colon == NULL ? place->n : (size_t)(colon - place->p);

	*filters =
	    colon == NULL ? (struct str){NULL, 0} : (struct str){colon + 1, place->n - n - 1};
	place->n = n;
}

static bool filters_are_known(const struct loader *l, struct str filters)
{
	struct str part;

	while (cut_filter(&filters, &part))
		if (language_find_function(l->language, filter_name(part)) == NULL)
			return false;
	return true;
}

/* The same where a key may hold colons: only what names functions to the end is none of the key's,
 * and none behind a backslash. */
static void cut_filters_of_key(const struct loader *l, struct str *place, struct str *filters)
{
	*filters = (struct str){NULL, 0};
	for (size_t i = 0; i < place->n; i++) {
		struct str rest = {place->p + i + 1, place->n - i - 1};

		if (place->p[i] != ':' || (i > 0 && place->p[i - 1] == '\\') ||
		    !filters_are_known(l, rest))
			continue;
		*filters = rest;
		place->n = i;
		return;
	}
}

/* ---- places --------------------------------------------------------------------------------- */

/* Up to the first dot or bracket. */
static struct str place_first(struct str text)
{
	size_t i = 0;

	while (i < text.n && text.p[i] != '.' && text.p[i] != '[')
		i++;
	return (struct str){text.p, i};
}

static const struct expr_field *field_find(const struct expr_field *fields, struct str name)
{
	for (; fields != NULL && fields->name != NULL; fields++)
		if (str_is(name, fields->name))
			return fields;
	return NULL;
}

/* The key as it is: where it would end the placeholder or an alternative, or begin a function, it
 * was written with a backslash. */
static const char *key_unescaped(struct arena *a, struct str text)
{
	char *key = arena_alloc(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n && memchr("|:{}", text.p[i + 1], 4) != NULL)
			i++;
		key[n++] = text.p[i];
	}
	key[n] = '\0';
	return key;
}

static int compile_path(struct loader *l, struct str text, struct ref *r)
{
	struct err err = ERR_INIT;

	r->path = path_compile(l->a, text, &err);
	return r->path == NULL ? LOADER_FAIL(l, "%s", err.msg) : 0;
}

/* A place within a root of whose JSON something is known. */
static int compile_path_of(
    struct loader *l, const struct expr_field *fields, struct str text, struct ref *r)
{
	const struct expr_field *field = field_find(fields, place_first(text));

	if (fields == NULL)
		return compile_path(l, text, r);
	if (field == NULL)
		return LOADER_FAIL(l, "there is no \"%.*s\" here, but %s", (int)text.n, text.p,
		    names_of_fields(l, fields));
	struct str name = str_from(field->name);
	bool is_scalar = field->kind == FIELD_SCALAR || field->kind == FIELD_TIME;
	if (is_scalar && text.n > name.n)
		return LOADER_FAIL(l, "nothing lies below %s", field->name);
	r->is_time = field->kind == FIELD_TIME;
	if (field->kind != FIELD_KEYS || text.n <= name.n + 1 || text.p[name.n] != '.')
		return compile_path(l, text, r);
	r->of = path_compile(l->a, name, NULL);
	r->key = key_unescaped(l->a, (struct str){text.p + name.n + 1, text.n - name.n - 1});
	r->name = arena_strndup(l->a, text.p, text.n);
	r->path = path_compile(l->a, text, NULL);
	return 0;
}

static int compile_named(
    struct loader *l, const struct expr_field *fields, struct str name, struct ref *r)
{
	if (fields != NULL && field_find(fields, name) == NULL)
		return LOADER_FAIL(l, "there is no \"%.*s\" here, but %s", (int)name.n, name.p,
		    names_of_fields(l, fields));
	r->name = arena_strndup(l->a, name.p, name.n);
	return 0;
}

/* root[.path], or a path of the root without a name */
static int compile_place(struct loader *l, struct str text, struct ref *r)
{
	const struct expr_field *fields;
	struct str first = place_first(text);

	if (!language_find_root(l, first, r, &fields)) {
		if (!language_find_root(l, STR(""), r, &fields))
			return LOADER_FAIL(l, "\"%.*s\" is not known here, but %s", (int)first.n,
			    first.p, names_of_roots(l));
		return text.n == 0 ? 0 : compile_path_of(l, fields, text, r);
	}
	struct str rest = {text.p + first.n, text.n - first.n};
	if (rest.n == 0)
		return r->kind == REF_NAMED ? LOADER_FAIL(l, "a name must follow") : 0;
	if (rest.p[0] == '.')
		rest = (struct str){rest.p + 1, rest.n - 1};
	if (r->kind == REF_NAMED)
		return compile_named(l, fields, rest, r);
	return rest.n == 0 ? LOADER_FAIL(l, "an empty path") : compile_path_of(l, fields, rest, r);
}

/* Does a place begin in keys of others? */
static bool place_is_of_keys(const struct loader *l, struct str text)
{
	const struct expr_field *fields, *field;
	struct str first = place_first(text);
	struct ref ignored;

	if (!language_find_root(l, first, &ignored, &fields))
		(void)language_find_root(l, STR(""), &ignored, &fields);
	else if (first.n < text.n)
		first = place_first((struct str){text.p + first.n + 1, text.n - first.n - 1});
	field = field_find(fields, first);
	return field != NULL && field->kind == FIELD_KEYS;
}

static int compile_literal(struct loader *l, struct str text, struct ref *r)
{
	if (text.n < 2 || text.p[text.n - 1] != '\'')
		return LOADER_FAIL(l, "a quote is not closed");
	r->kind = REF_LITERAL;
	r->literal = (struct str){arena_strndup(l->a, text.p + 1, text.n - 2), text.n - 2};
	return 0;
}

static int compile_ref(struct loader *l, struct str place, struct ref *r)
{
	struct str filters, part;

	*r = (struct ref){0};
	place = str_trim(place);
	if (place.n == 0)
		return LOADER_FAIL(l, "an empty placeholder");
	if (place.p[0] == '\'')
		return compile_literal(l, place, r);
	if (place_is_of_keys(l, place))
		cut_filters_of_key(l, &place, &filters);
	else
		cut_filters(&place, &filters);
	if (compile_place(l, str_trim(place), r) == -1)
		return -1;
	while (cut_filter(&filters, &part))
		if (compile_filter(l, part, r) == -1)
			return -1;
	return 0;
}

/* ---- text ---------------------------------------------------------------------------------- */

static struct expr *expr_new(struct loader *l, enum expr_kind kind)
{
	struct expr *e = arena_zalloc(l->a, sizeof(*e));

	e->kind = kind;
	return e;
}

/* Cuts alternatives at "||". */
static bool cut_alternative(struct str *rest, struct str *part)
{
	if (rest->p == NULL)
		return false;
	const char *bars = memmem(rest->p, rest->n, "||", 2);
	size_t n = bars == NULL ? rest->n : (size_t)(bars - rest->p);
	*part = (struct str){rest->p, n};
	*rest = bars == NULL ? (struct str){NULL, 0} : (struct str){bars + 2, rest->n - n - 2};
	return true;
}

static int compile_refs(struct loader *l, struct str text, struct expr **out)
{
	struct expr *e = *out = expr_new(l, EXPR_REF);
	struct str part, rest = text;
	size_t max = 0;

	e->source = (struct str){arena_strndup(l->a, text.p, text.n), text.n};
	while (cut_alternative(&rest, &part))
		max++;
	e->refs = arena_array(l->a, max, sizeof(*e->refs));
	while (cut_alternative(&text, &part)) {
		if (compile_ref(l, part, &e->refs[e->nrefs]) == 0)
			e->nrefs++;
		else if (!l->is_lenient)
			return -1;
	}
	return 0;
}

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
	return compile_refs(l, inner, &t->e->parts[t->e->n++]);
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
		const char *close =
		    open == NULL ? NULL : memmem(open, (size_t)(end - open), "}}", 2);
		if (close == NULL) {
			buf_add(t.constant, text.p, text.n);
			if (open != NULL && !l->is_lenient &&
			    str_trim((struct str){open + 2, (size_t)(end - open) - 2}).n > 0)
				return LOADER_FAIL(l, "a {{ is not closed");
			break;
		}
		struct str inner = {open + 2, (size_t)(close - open) - 2};
		buf_add(t.constant, text.p, (size_t)(open - text.p));
		if ((inner.n > 0 || !l->is_lenient) && parts_add_placeholder(l, &t, inner) == -1)
			return -1;
		text = (struct str){close + 2, (size_t)(end - close) - 2};
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
						     : compile_refs(l, text, out);
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
	    compile_refs(l, ref, &c->ref) == -1)
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
