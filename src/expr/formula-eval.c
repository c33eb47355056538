/* Conditions against a scope. Values of unlike kinds are no error: what each operator does with
 * them is below, and in docs/internals/expr.md for people.
 *
 * Numbers come as texts from forms and many senders, so a text that is a number is one where it
 * meets a number. Two texts are equal as texts, but less or greater as numbers, or times, where
 * both are. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/number.h"
#include "expr/expr-tree.h"

/* ---- values -------------------------------------------------------------------------------- */

static struct str value_string(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

/* A number's digits, of a text that is one too; {NULL,0}: it is none. */
static struct str value_digits(struct arena *a, const json_t *v)
{
	struct str text = json_is_string(v) ? str_trim(value_string(v)) : (struct str){NULL, 0};

	if (json_is_number(v))
		return str_from(json_scalar_text(a, v));
	return text.n > 0 && number_is(text) ? text : (struct str){NULL, 0};
}

static bool value_is_true(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_OBJECT:
		return json_object_size(v) > 0;
	case JSON_TRUE:
		return true;
	default:
		return json_real_value(v) != 0;
	}
}

/* A boolean is equal to its word. */
static bool value_equals_word(const json_t *boolean, const json_t *v)
{
	return json_is_string(v) &&
	       str_is(value_string(v), json_is_true(boolean) ? "true" : "false");
}

static bool value_equals(struct arena *a, const json_t *x, const json_t *y)
{
	if (json_is_number(x) || json_is_number(y)) {
		struct str dx = value_digits(a, x), dy = value_digits(a, y);

		return dx.p != NULL && dy.p != NULL && number_equals(dx, dy);
	}
	if (json_is_boolean(x) && !json_is_boolean(y))
		return value_equals_word(x, y);
	if (json_is_boolean(y) && !json_is_boolean(x))
		return value_equals_word(y, x);
	if (json_is_string(x) && json_is_string(y))
		return str_eq(value_string(x), value_string(y));
	return json_equal(x, y);
}

static int str_compare(struct str x, struct str y)
{
	int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return order != 0 ? order : (x.n > y.n) - (x.n < y.n);
}

/* Have they an order? Then *order is below 0, 0 or above. */
static bool value_compare(struct arena *a, const json_t *x, const json_t *y, int *order)
{
	struct str dx = value_digits(a, x), dy = value_digits(a, y);
	int64_t tx, ty;

	if (dx.p != NULL && dy.p != NULL) {
		*order = number_compare(dx, dy);
		return true;
	}
	if (!json_is_string(x) || !json_is_string(y))
		return false;
	if (clock_parse_iso(value_string(x), &tx) && clock_parse_iso(value_string(y), &ty))
		*order = (tx > ty) - (tx < ty);
	else
		*order = str_compare(value_string(x), value_string(y));
	return true;
}

/* ---- operators ----------------------------------------------------------------------------- */

/* A list has the element, an object the key, a text the text. */
static bool value_contains(struct arena *a, const json_t *in, const json_t *what)
{
	struct str text = str_from(json_scalar_text(a, what)), within;
	size_t i;
	json_t *element;

	if (json_is_array(in)) {
		json_array_each(in, i, element)
			if (value_equals(a, element, what))
				return true;
		return false;
	}
	if (text.p == NULL)
		return false;
	if (json_is_object(in))
		return json_object_get(in, arena_strndup(a, text.p, text.n)) != NULL;
	within = str_from(json_scalar_text(a, in));
	return within.p != NULL && memmem(within.p, within.n, text.p, text.n) != NULL;
}

static bool value_has_end(
    struct arena *a, const json_t *v, const json_t *end, enum formula_kind kind)
{
	struct str text = str_from(json_scalar_text(a, v)),
		   part = str_from(json_scalar_text(a, end));

	if (text.p == NULL || part.p == NULL || part.n > text.n)
		return false;
	return memcmp(kind == FORMULA_STARTS_WITH ? text.p : text.p + text.n - part.n, part.p,
		   part.n) == 0;
}

static json_t *formula_value(const struct formula *f, struct scope *s);

static json_t *formula_list(const struct formula *f, struct scope *s)
{
	json_t *list = json_own(s->a, json_array());

	for (size_t i = 0; i < f->n; i++)
		json_array_append(list, formula_value(f->items[i], s));
	return list;
}

static bool formula_compares(const struct formula *f, struct scope *s)
{
	json_t *left = formula_value(f->left, s), *right = formula_value(f->right, s);
	int order;

	switch (f->kind) {
	case FORMULA_EQUALS:
		return value_equals(s->a, left, right);
	case FORMULA_CONTAINS:
		return value_contains(s->a, left, right);
	case FORMULA_STARTS_WITH:
	case FORMULA_ENDS_WITH:
		return value_has_end(s->a, left, right, f->kind);
	default:
		return value_compare(s->a, left, right, &order) &&
		       (order < 0 || (order == 0 && f->kind == FORMULA_LESS_OR_EQUAL));
	}
}

static bool formula_joins(const struct formula *f, struct scope *s)
{
	bool is_any = f->kind == FORMULA_ANY;

	for (size_t i = 0; i < f->n; i++)
		if (value_is_true(formula_value(f->items[i], s)) == is_any)
			return is_any;
	return !is_any;
}

/* Borrowed, or the arena's; what is missing is null. */
static json_t *formula_value(const struct formula *f, struct scope *s)
{
	json_t *v;

	switch (f->kind) {
	case FORMULA_CONST:
		return f->constant;
	case FORMULA_REF:
		v = expr_shared(f->ref, s);
		return v != NULL ? v : json_null();
	case FORMULA_LIST:
		return formula_list(f, s);
	case FORMULA_ANY:
	case FORMULA_ALL:
		return json_boolean(formula_joins(f, s));
	case FORMULA_NOT:
		return json_boolean(!value_is_true(formula_value(f->left, s)));
	case FORMULA_EXISTS:
		return json_boolean(!json_is_null(formula_value(f->left, s)));
	default:
		return json_boolean(formula_compares(f, s));
	}
}

bool formula_holds(const struct formula *f, struct scope *s)
{
	return value_is_true(formula_value(f, s));
}
