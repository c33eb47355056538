/* What stands within a placeholder: alternatives, each a literal or a place and its functions.
 *
 *	{body.id:lower || 'none'}
 *	 └─────┬────────────────┘
 *	refs_compile                alternatives between ||, but not within quotes
 *	 └──┬─────────┘ compile_ref a literal, or a place and its functions
 *	 place  function            find_root, path_compile; find_function
 *
 * Every name is resolved here, so that a wrong one is told with its place. Below a root's
 * FIELD_KEYS stand keys of others, which may look like anything:
 *
 *	customFields.size_(approx.):lower || 'none'
 *	             └─────┬──────┘ └─┬─┘            one key, or else a path
 *	                   key        what ends it is but a function that there is */
#include "base/arena.h"
#include "base/buf.h"
#include "base/number.h"
#include "expr/expr-tree.h"

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
		if (fields->kind != FIELD_LATER)
			buf_printf(b, "%s%s%s", b->len > 0 ? ", " : "", fields->name,
			    fields->kind == FIELD_KEYS ? ".KEY" : "");
	return b->len == 0 ? "nothing" : b->p;
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

struct str place_first(struct str text)
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
	if (field->kind == FIELD_LATER)
		return LOADER_FAIL(l, "%s comes later, so it cannot be used here", field->name);
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

/* ---- literals ------------------------------------------------------------------------------- */

static bool is_quote(char c)
{
	return c == '\'' || c == '"';
}

static int compile_quoted(struct loader *l, struct str text, struct ref *r)
{
	if (text.n < 2 || text.p[text.n - 1] != text.p[0])
		return LOADER_FAIL(l, "a quote is not closed");
	r->kind = REF_LITERAL;
	r->literal = (struct str){arena_strndup(l->a, text.p + 1, text.n - 2), text.n - 2};
	return 0;
}

json_t *literal_value(struct arena *a, struct str text)
{
	if (str_is(text, "true") || str_is(text, "false"))
		return json_own(a, json_boolean(text.p[0] == 't'));
	if (str_is(text, "null"))
		return json_own(a, json_null());
	return number_is(text) ? json_parse(a, text, NULL) : NULL;
}

static int compile_ref(struct loader *l, struct str place, struct ref *r)
{
	struct str filters, part;

	*r = (struct ref){0};
	place = str_trim(place);
	if (place.n == 0)
		return LOADER_FAIL(l, "an empty placeholder");
	if (is_quote(place.p[0]))
		return compile_quoted(l, place, r);
	r->value = literal_value(l->a, place);
	if (r->value != NULL) {
		r->kind = REF_VALUE;
		return 0;
	}
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

/* ---- alternatives -------------------------------------------------------------------------- */

struct expr *expr_new(struct loader *l, enum expr_kind kind)
{
	struct expr *e = arena_zalloc(l->a, sizeof(*e));

	e->kind = kind;
	return e;
}

/* The bytes of a literal in quotes that an alternative begins with; 0 where it begins otherwise. */
static size_t quoted_length(struct str text)
{
	size_t at = 0;
	const char *close;

	while (at < text.n && (text.p[at] == ' ' || text.p[at] == '\t'))
		at++;
	if (at == text.n || !is_quote(text.p[at]))
		return 0;
	close = memchr(text.p + at + 1, text.p[at], text.n - at - 1);
	return close == NULL ? 0 : (size_t)(close - text.p) + 1;
}

/* Cuts alternatives at "||" outside quotes. */
static bool cut_alternative(struct str *rest, struct str *part)
{
	if (rest->p == NULL)
		return false;
	size_t from = quoted_length(*rest);
	const char *bars = memmem(rest->p + from, rest->n - from, "||", 2);
	size_t n = bars == NULL ? rest->n : (size_t)(bars - rest->p);
	*part = (struct str){rest->p, n};
	*rest = bars == NULL ? (struct str){NULL, 0} : (struct str){bars + 2, rest->n - n - 2};
	return true;
}

size_t placeholder_length(struct str text)
{
	size_t at = 0;

	for (;;) {
		struct str rest = {text.p + at, text.n - at};
		size_t from = quoted_length(rest);
		const char *close = memmem(rest.p + from, rest.n - from, "}}", 2);
		const char *bars = memmem(rest.p + from, rest.n - from, "||", 2);

		if (close == NULL || bars == NULL || close < bars)
			return close == NULL ? SIZE_MAX : (size_t)(close - text.p);
		at = (size_t)(bars - text.p) + 2;
	}
}

int refs_compile(struct loader *l, struct str text, struct expr **out)
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
