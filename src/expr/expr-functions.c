/* The functions that values of placeholders can be put through: `{body.name:lower}`. One row each
 * at the end of the file. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/link.h"
#include "crypto/hash.h"
#include "expr/expr.h"

static void value_be_text(struct expr_value *v, struct str text)
{
	*v = (struct expr_value){.kind = VALUE_TEXT, .text = text};
}

static void value_be_found(struct expr_value *v, struct str text)
{
	value_be_text(v, text);
	v->kind = text.p == NULL ? VALUE_ABSENT : VALUE_TEXT;
}

static void value_be_int(struct expr_value *v, bool is_there, int64_t number)
{
	*v = is_there ? (struct expr_value){.kind = VALUE_INT, .number = number}
		      : (struct expr_value){.kind = VALUE_ABSENT};
}

static void function_text(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)argument;
	value_be_text(v, text);
}

static void function_int(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	int64_t n = 0;

	(void)s;
	(void)argument;
	bool is_there = str_to_i64(text, INT64_MIN, INT64_MAX, &n);
	value_be_int(v, is_there, n);
}

/* ---- case: of ASCII ----------------------------------------------------------------------- */

static void function_lower(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	char *copy = arena_strndup(s->a, text.p, text.n);

	(void)argument;
	for (size_t i = 0; i < text.n; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	value_be_text(v, (struct str){copy, text.n});
}

static void function_upper(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	char *copy = arena_strndup(s->a, text.p, text.n);

	(void)argument;
	for (size_t i = 0; i < text.n; i++)
		if (copy[i] >= 'a' && copy[i] <= 'z')
			copy[i] = (char)(copy[i] - 'a' + 'A');
	value_be_text(v, (struct str){copy, text.n});
}

/* ---- parts: all of the text where the separator does not occur ----------------------------- */

static const char *str_find(struct str text, struct str what)
{
	return memmem(text.p, text.n, what.p, what.n);
}

static const char *str_find_last(struct str text, struct str what)
{
	const char *last = NULL, *at;
	struct str rest = text;

	while ((at = str_find(rest, what)) != NULL) {
		last = at;
		rest = (struct str){at + 1, text.n - (size_t)(at + 1 - text.p)};
	}
	return last;
}

static struct str text_before(struct str text, const char *at)
{
	return at == NULL ? text : (struct str){text.p, (size_t)(at - text.p)};
}

static struct str text_after(struct str text, const char *at, struct str separator)
{
	size_t from = at == NULL ? 0 : (size_t)(at - text.p) + separator.n;

	return (struct str){text.p + from, text.n - from};
}

/* For a place within a URL. */
static void function_encode(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	struct buf *b = buf_new(s->a, 3 * text.n + 1);

	(void)argument;
	percent_encode(b, text);
	value_be_text(v, (struct str){b->p, b->len});
}

static void function_before(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	value_be_text(v, text_before(text, str_find(text, argument)));
}

static void function_after(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	value_be_text(v, text_after(text, str_find(text, argument), argument));
}

static void function_before_last(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	value_be_text(v, text_before(text, str_find_last(text, argument)));
}

static void function_after_last(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	value_be_text(v, text_after(text, str_find_last(text, argument), argument));
}

static void function_trim(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)argument;
	value_be_text(v, utf8_trim(text));
}

static void function_digits(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	char *digits = arena_alloc(s->a, text.n + 1);
	size_t n = 0;

	(void)argument;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] >= '0' && text.p[i] <= '9')
			digits[n++] = text.p[i];
	value_be_text(v, (struct str){digits, n});
}

/* ---- lists, and what stands in texts ------------------------------------------------------ */

static void value_be_json(struct expr_value *v, json_t *json)
{
	*v = (struct expr_value){.kind = json == NULL ? VALUE_ABSENT : VALUE_JSON, .json = json};
}

static void function_json(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	unsigned repairs;
	struct err err = ERR_INIT;

	(void)argument;
	value_be_json(v, json_parse_lenient(s->a, text, &repairs, &err));
}

static void function_split(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	json_t *list = json_own(s->a, json_array());
	const char *at;

	while (text.n > 0 && (at = str_find(text, argument)) != NULL) {
		json_array_append_new(list, json_stringn(text.p, (size_t)(at - text.p)));
		text = text_after(text, at, argument);
	}
	json_array_append_new(list, json_stringn(text.p, text.n));
	value_be_json(v, list);
}

/* The scalars of a list; a scalar is itself. */
static void function_join(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	struct buf *b = buf_new(s->a, LIMIT_RECORD_BYTES);
	size_t i, n = 0;
	json_t *one;

	if (text.p != NULL)
		return value_be_text(v, text);
	json_array_each(v->json, i, one) {
		struct str part = str_from(json_scalar_text(s->a, one));

		if (part.p == NULL)
			continue;
		buf_add(b, argument.p, n++ == 0 ? 0 : argument.n);
		buf_add(b, part.p, part.n);
	}
	value_be_found(v, n > 0 && buf_ok(b) ? (struct str){b->p, b->len} : (struct str){NULL, 0});
}

/* Of a Link header. */
static void function_link(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	value_be_found(v, link_find(text, argument));
}

static struct str form_text(struct arena *a, struct str encoded)
{
	char *out = arena_alloc(a, encoded.n + 1);
	long n = percent_decode(out, encoded.n + 1, encoded, true);
	struct str text = {out, n < 0 ? 0 : (size_t)n};

	return n < 0 || !utf8_is_valid(text) ? (struct str){NULL, 0} : text;
}

/* A parameter of a URL, or of what stands behind its question mark. */
static void function_query(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	struct str query = text_after(text, memchr(text.p, '?', text.n), STR("?")), pair, name;

	query = text_before(query, memchr(query.p, '#', query.n));
	v->kind = VALUE_ABSENT;
	while (str_split(&query, '&', &pair)) {
		struct str value = pair;

		if (!str_split(&value, '=', &name) || !str_eq(form_text(s->a, name), argument))
			continue;
		return value_be_found(v, form_text(s->a, value.p == NULL ? STR("") : value));
	}
}

static bool is_hash_name(struct str argument)
{
	enum hash_alg ignored;

	return hash_by_name(argument, &ignored);
}

static void function_hash(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	struct buf *hex = buf_new(s->a, 2 * HASH_SIZE_MAX);
	unsigned char digest[HASH_SIZE_MAX];
	enum hash_alg algorithm = HASH_SHA256;

	(void)hash_by_name(argument, &algorithm);
	hash_parts(algorithm, &text, 1, digest);
	hex_encode(hex, digest, hash_size(algorithm));
	value_be_text(v, (struct str){hex->p, hex->len});
}

/* ---- times that are read: as microseconds ------------------------------------------------- */

/* An integer, or a number whose fraction is left out. */
static void time_of_units(struct expr_value *v, struct str text, int64_t unit_us)
{
	int64_t n = 0;

	text = text_before(text, memchr(text.p, '.', text.n));
	bool is_there = str_to_i64(text, -INT64_MAX / unit_us / 4, INT64_MAX / unit_us / 4, &n);
	value_be_int(v, is_there, n * unit_us);
}

static void function_time_s(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)argument;
	time_of_units(v, text, SECOND_US);
}

static void function_time_ms(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)argument;
	time_of_units(v, text, SECOND_US / 1000);
}

/* "2026-04-09 10:20:35(UTC+00:00)" with its zone as ISO 8601 has it. */
static struct str time_plain_zone(struct arena *a, struct str text)
{
	const char *at = str_find(text, STR("(UTC"));

	if (at == NULL || !str_ends(text, ")"))
		return text;
	struct str head = str_trim(text_before(text, at)), zone = text_after(text, at, STR("(UTC"));
	zone.n--;
	return zone.n == 0 ? head
			   : str_from(arena_printf(
				 a, "%.*s%.*s", (int)head.n, head.p, (int)zone.n, zone.p));
}

static void function_time_iso(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	int64_t at_us = 0;

	(void)argument;
	bool is_there = clock_parse_iso(time_plain_zone(s->a, str_trim(text)), &at_us);
	value_be_int(v, is_there, at_us);
}

static void function_time_rfc2822(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	int64_t at_us = 0;

	(void)s;
	(void)argument;
	bool is_there = clock_parse_mail(str_trim(text), &at_us);
	value_be_int(v, is_there, at_us);
}

static void function_time_any(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	int64_t at_us = 0;

	(void)argument;
	bool is_there = clock_parse_any(time_plain_zone(s->a, str_trim(text)), &at_us);
	value_be_int(v, is_there, at_us);
}

/* In milliseconds. */
static void function_duration(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	int64_t duration_us = 0;

	(void)s;
	(void)argument;
	bool is_there = clock_parse_duration(text, &duration_us);
	value_be_int(v, is_there, duration_us / 1000);
}

/* ---- and written --------------------------------------------------------------------------- */

/* A time that was read before; anything else stays the text that it is. */
static void function_iso(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)argument;
	value_be_text(v, v->kind == VALUE_INT ? str_from(clock_iso_dup(s->a, v->number)) : text);
}

/* The others take nothing but a time that was read. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static void function_s(struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)text;
	(void)argument;
	value_be_int(v, v->kind == VALUE_INT, floor_div(v->number, SECOND_US));
}

static void function_ms(struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)text;
	(void)argument;
	value_be_int(v, v->kind == VALUE_INT, floor_div(v->number, 1000));
}

static void value_be_date(struct expr_value *v, struct arena *a, bool has_clock)
{
	struct civil c;

	if (v->kind != VALUE_INT) {
		v->kind = VALUE_ABSENT;
		return;
	}
	clock_civil(v->number, &c);
	value_be_text(
	    v, str_from(has_clock ? arena_printf(a, "%04d-%02d-%02d %02d:%02d:%02d", c.year,
					c.month, c.day, c.hour, c.minute, c.second)
				  : arena_printf(a, "%04d-%02d-%02d", c.year, c.month, c.day)));
}

static void function_date(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)text;
	(void)argument;
	value_be_date(v, s->a, false);
}

static void function_sql_time(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)text;
	(void)argument;
	value_be_date(v, s->a, true);
}

#define SHIFT_MOST_S INT64_C(1000000000) /* more than 31 years */

static bool is_shift(struct str argument)
{
	int64_t seconds;

	return str_to_i64(argument, 0, SHIFT_MOST_S, &seconds);
}

static void time_shift(struct expr_value *v, struct str argument, int sign)
{
	int64_t seconds = 0, us;

	(void)str_to_i64(argument, 0, SHIFT_MOST_S, &seconds);
	us = v->kind == VALUE_INT ? v->number : 0;
	/* a year that no clock shows is none */
	bool is_there = v->kind == VALUE_INT && us > INT64_MIN / 2 && us < INT64_MAX / 2;
	value_be_int(v, is_there, us + sign * seconds * SECOND_US);
}

static void function_plus(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)text;
	time_shift(v, argument, 1);
}

static void function_minus(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)s;
	(void)text;
	time_shift(v, argument, -1);
}

#define ARGUMENT_TEXT "a text"
#define ARGUMENT_SECONDS "a number of seconds"

const struct expr_function expr_functions[] = {
    {"text", NULL, function_text, NULL, false},
    {"int", NULL, function_int, NULL, false},
    {"lower", NULL, function_lower, NULL, false},
    {"upper", NULL, function_upper, NULL, false},
    {"before", ARGUMENT_TEXT, function_before, NULL, false},
    {"after", ARGUMENT_TEXT, function_after, NULL, false},
    {"beforeLast", ARGUMENT_TEXT, function_before_last, NULL, false},
    {"afterLast", ARGUMENT_TEXT, function_after_last, NULL, false},
    {"trim", NULL, function_trim, NULL, false},
    {"digits", NULL, function_digits, NULL, false},
    {"encode", NULL, function_encode, NULL, false},
    {"json", NULL, function_json, NULL, false},
    {"split", ARGUMENT_TEXT, function_split, NULL, false},
    {"join", ARGUMENT_TEXT, function_join, NULL, true},
    {"link", "the name of a relation", function_link, NULL, false},
    {"query", "the name of a parameter", function_query, NULL, false},
    {"hash", "sha1, sha256 or sha512", function_hash, is_hash_name, false},
    {"duration", NULL, function_duration, NULL, false},
    {"timeS", NULL, function_time_s, NULL, false},
    {"timeMs", NULL, function_time_ms, NULL, false},
    {"timeIso", NULL, function_time_iso, NULL, false},
    {"timeRfc2822", NULL, function_time_rfc2822, NULL, false},
    {"timeAny", NULL, function_time_any, NULL, false},
    {"iso", NULL, function_iso, NULL, false},
    {"s", NULL, function_s, NULL, false},
    {"ms", NULL, function_ms, NULL, false},
    {"date", NULL, function_date, NULL, false},
    {"sqlTime", NULL, function_sql_time, NULL, false},
    {"plus", ARGUMENT_SECONDS, function_plus, is_shift, false},
    {"minus", ARGUMENT_SECONDS, function_minus, is_shift, false},
    {NULL, NULL, NULL, NULL, false},
};
