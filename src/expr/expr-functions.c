/* The functions that values of placeholders can be put through: `{body.name:lower}`. One row each
 * at the end of the file. */
#include "base/arena.h"
#include "base/clock.h"
#include "expr/expr.h"

static void value_be_text(struct expr_value *v, struct str text)
{
	*v = (struct expr_value){.kind = VALUE_TEXT, .text = text};
}

static void value_be_int(struct expr_value *v, bool is_there, int64_t number)
{
	*v = is_there ? (struct expr_value){.kind = VALUE_INT, .number = number}
		      : (struct expr_value){.kind = VALUE_ABSENT};
}

static void function_text(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)s;
	(void)argument;
	value_be_text(v, text);
}

static void function_int(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	int64_t n = 0;

	(void)s;
	(void)argument;
	bool is_there = str_to_i64(text, INT64_MIN, INT64_MAX, &n);
	value_be_int(v, is_there, n);
}

/* ---- case: of ASCII ----------------------------------------------------------------------- */

static void function_lower(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	char *copy = arena_strndup(s->a, text.p, text.n);

	(void)argument;
	for (size_t i = 0; i < text.n; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	value_be_text(v, (struct str){copy, text.n});
}

static void function_upper(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	char *copy = arena_strndup(s->a, text.p, text.n);

	(void)argument;
	for (size_t i = 0; i < text.n; i++)
		if (copy[i] >= 'a' && copy[i] <= 'z')
			copy[i] = (char)(copy[i] - 'a' + 'A');
	value_be_text(v, (struct str){copy, text.n});
}

/* ---- parts: all of the text where the separator does not occur ----------------------------- */

static struct str text_before(struct str text, const char *at)
{
	return at == NULL ? text : (struct str){text.p, (size_t)(at - text.p)};
}

static struct str text_after(struct str text, const char *at)
{
	return at == NULL ? text : (struct str){at + 1, text.n - (size_t)(at - text.p) - 1};
}

static void function_before(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)s;
	value_be_text(v, text_before(text, memchr(text.p, argument, text.n)));
}

static void function_after(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)s;
	value_be_text(v, text_after(text, memchr(text.p, argument, text.n)));
}

static void function_before_last(
    struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)s;
	value_be_text(v, text_before(text, memrchr(text.p, argument, text.n)));
}

static void function_after_last(
    struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)s;
	value_be_text(v, text_after(text, memrchr(text.p, argument, text.n)));
}

/* ---- times: as microseconds --------------------------------------------------------------- */

/* An integer, or a number whose fraction is left out. */
static void time_of_units(struct expr_value *v, struct str text, int64_t unit_us)
{
	int64_t n = 0;

	text = text_before(text, memchr(text.p, '.', text.n));
	bool is_there = str_to_i64(text, 0, INT64_MAX / unit_us / 4, &n);
	value_be_int(v, is_there, n * unit_us);
}

static void function_time_s(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)s;
	(void)argument;
	time_of_units(v, text, SECOND_US);
}

static void function_time_ms(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)s;
	(void)argument;
	time_of_units(v, text, SECOND_US / 1000);
}

static void function_time_iso(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	int64_t at_us = 0;

	(void)s;
	(void)argument;
	bool is_there = clock_parse_iso(text, &at_us);
	value_be_int(v, is_there, at_us);
}

/* A time that was read before; anything else stays the text that it is. */
static void function_iso(struct scope *s, struct expr_value *v, struct str text, char argument)
{
	(void)argument;
	value_be_text(v, v->kind == VALUE_INT ? str_from(clock_iso_dup(s->a, v->number)) : text);
}

const struct expr_function expr_functions[] = {
    {"text", false, function_text},
    {"int", false, function_int},
    {"lower", false, function_lower},
    {"upper", false, function_upper},
    {"before", true, function_before},
    {"after", true, function_after},
    {"beforeLast", true, function_before_last},
    {"afterLast", true, function_after_last},
    {"timeS", false, function_time_s},
    {"timeMs", false, function_time_ms},
    {"timeIso", false, function_time_iso},
    {"iso", false, function_iso},
    {NULL, false, NULL},
};
