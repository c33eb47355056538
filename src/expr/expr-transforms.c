/* Functions for data as people give them. What a text cannot be turned into is absent: a wrong
 * value would be worse than none, and absence can be told, or have a default. */
#include "expr/expr-transforms.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/phone.h"
#include "base/zone.h"

static void value_be_text(struct expr_value *v, struct str text)
{
	*v = (struct expr_value){.kind = text.p == NULL ? VALUE_ABSENT : VALUE_TEXT, .text = text};
}

static void value_be_json(struct expr_value *v, json_t *json)
{
	*v = (struct expr_value){.kind = json == NULL ? VALUE_ABSENT : VALUE_JSON, .json = json};
}

/* ---- texts --------------------------------------------------------------------------------- */

static void transform_lower(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)argument;
	value_be_text(v, utf8_lower(s->a, text));
}

static void transform_upper(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)argument;
	value_be_text(v, utf8_upper(s->a, text));
}

static void transform_title(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)argument;
	value_be_text(v, utf8_title(s->a, text));
}

static void transform_one_line(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)argument;
	value_be_text(v, utf8_fold_blanks(s->a, text));
}

#define FIRST_MOST 100000

static bool is_length(struct str argument)
{
	int64_t n;

	return str_to_i64(argument, 1, FIRST_MOST, &n);
}

/* So many characters. */
static void transform_first(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	int64_t most = FIRST_MOST;
	size_t at = 0, step;

	(void)s;
	(void)str_to_i64(argument, 1, FIRST_MOST, &most);
	for (; most > 0 && at < text.n; most--, at += step)
		(void)utf8_point((struct str){text.p + at, text.n - at}, &step);
	value_be_text(v, (struct str){text.p, at});
}

/* ---- phone numbers ------------------------------------------------------------------------- */

static bool is_region(struct str argument)
{
	return region_of_code(argument) != NULL;
}

/* As E.164 where it is surely such a number, else as it was given: somebody can still call it. */
static void transform_e164(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	const char *number =
	    phone_e164(s->a, text, argument.p == NULL ? NULL : region_of_code(argument));

	value_be_text(v, number != NULL ? str_from(number) : utf8_trim(text));
}

/* ---- numbers and yes or no ----------------------------------------------------------------- */

static bool is_number_sign(char c)
{
	return (c >= '0' && c <= '9') || c == '.' || c == ',' || c == '-';
}

/* Are the digits before `end` in groups of three, with this sign between them? */
static bool number_is_grouped(struct str s, char sign)
{
	size_t run = 0, groups = 0;

	for (size_t i = s.n; i-- > 0;) {
		if (s.p[i] != sign) {
			run++;
			continue;
		}
		if (run != 3)
			return false;
		groups++;
		run = 0;
	}
	return groups > 0 && run > 0 && run <= 3;
}

static struct str number_without(struct arena *a, struct str s, char sign)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != sign)
			out[n++] = s.p[i];
	out[n] = '\0';
	return (struct str){out, n};
}

static size_t count_of(struct str s, char sign)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == sign;
	return n;
}

/* "1,234.50", "1.234,50", "12,5", "1 234": what can be read in one way only. "1,234" alone is a
 * thousand and more, as "1.234" is a number already. */
static struct str number_plain_text(struct arena *a, struct str s)
{
	size_t commas = count_of(s, ','), dots = count_of(s, '.');
	const char *comma = memrchr(s.p, ',', s.n), *dot = memrchr(s.p, '.', s.n);
	char thousands = commas > 0 && (dots == 0 || dot > comma) ? ',' : '.';
	const char *point = commas > 0 && dots > 0 ? (dot > comma ? dot : comma) : NULL;
	struct str whole = point == NULL ? s : (struct str){s.p, (size_t)(point - s.p)};
	bool is_negative = s.n > 0 && s.p[0] == '-';

	whole.p += is_negative;
	whole.n -= is_negative;
	if (commas == 0 && dots <= 1)
		return s;
	if (point == NULL && commas == 1 && !number_is_grouped(whole, ',')) {
		char *copy = arena_strndup(a, s.p, s.n);

		copy[comma - s.p] = '.';
		return (struct str){copy, s.n};
	}
	if (!number_is_grouped(whole, thousands))
		return (struct str){NULL, 0};
	s = number_without(a, s, thousands);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ',')
			((char *)(uintptr_t)s.p)[i] = '.';
	return s;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "EUR 12" and "12 USD": without the code. */
static struct str number_without_code(struct str text)
{
	for (int side = 0; side < 2; side++) {
		const char *code = side == 0 ? text.p : text.p + text.n - 3;
		bool is_code =
		    text.n > 4 && is_letter(code[0]) && is_letter(code[1]) && is_letter(code[2]);

		if (is_code)
			text = str_trim((struct str){text.p + (side == 0 ? 3 : 0), text.n - 3});
	}
	return text;
}

/* "007" is seven. */
static struct str number_without_zeros(struct arena *a, struct str s)
{
	bool is_negative = s.n > 0 && s.p[0] == '-';
	struct str rest = {s.p + is_negative, s.n - is_negative};

	while (rest.n > 1 && rest.p[0] == '0' && rest.p[1] >= '0' && rest.p[1] <= '9')
		rest = (struct str){rest.p + 1, rest.n - 1};
	return is_negative ? str_from(arena_printf(a, "-%.*s", (int)rest.n, rest.p)) : rest;
}

json_t *expr_number_read(struct arena *a, struct str text)
{
	struct str folded = utf8_trim(utf8_fold_signs(a, text)), plain = {NULL, 0};
	struct err err = ERR_INIT;
	struct buf *b = buf_new(a, NUMBER_PLAIN_BYTES);

	if (number_is(folded))
		return json_parse(a, folded, &err);
	folded = number_without_code(folded);
	for (size_t i = 0; i < folded.n; i++) {
		char c = folded.p[i];

		if (is_number_sign(c))
			buf_chr(b, c);
		else if (c != ' ' && (c & 0x80) == 0 && c != '$' && c != '%' && c != '\'')
			return NULL; /* a word is no number */
	}
	if (buf_ok(b) && b->len > 0)
		plain = number_plain_text(a, (struct str){b->p, b->len});
	if (plain.p == NULL)
		return NULL;
	plain = number_without_zeros(a, plain);
	return number_is(plain) ? json_parse(a, plain, &err) : NULL;
}

static void transform_number(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	(void)argument;
	if (v->kind != VALUE_JSON || !json_is_number(v->json))
		value_be_json(v, expr_number_read(s->a, text));
}

static void transform_boolean(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	static const struct {
		const char *text;
		bool is_yes;
	} words[] = {{"true", true}, {"yes", true}, {"y", true}, {"1", true}, {"on", true},
	    {"ja", true}, {"oui", true}, {"si", true}, {"sim", true}, {"checked", true},
	    {"false", false}, {"no", false}, {"n", false}, {"0", false}, {"off", false},
	    {"nein", false}, {"non", false}, {"nao", false}, {"unchecked", false}};
	const char *folded = utf8_fold(s->a, utf8_trim(text));

	(void)argument;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(folded, words[i].text) == 0)
			return value_be_json(v, json_own(s->a, json_boolean(words[i].is_yes)));
	v->kind = VALUE_ABSENT;
}

/* ---- dates --------------------------------------------------------------------------------- */

/* "31.12.1990", "31/12/1990", "12/31/1990": a date whose order can be seen. With dots the day comes
 * first wherever such dates are written; a slash with two small numbers says nothing. */
static bool date_parse_plain(struct str text, int64_t *at_us)
{
	char sign = memchr(text.p, '.', text.n) != NULL ? '.' : '/';
	struct str part[3] = {{NULL, 0}};
	int64_t x, y, year;
	size_t n = 0;

	while (n < 3 && str_split(&text, sign, &part[n]))
		n++;
	if (n != 3 || text.n > 0 || part[2].n != 4 || !str_to_i64(part[0], 1, 31, &x) ||
	    !str_to_i64(part[1], 1, 31, &y) || !str_to_i64(part[2], 1, 9999, &year))
		return false;
	bool is_day_first = sign == '.' || x > 12;
	if (sign == '/' && x <= 12 && y <= 12 && x != y)
		return false;
	struct civil c = {(int)year, (int)(is_day_first ? y : x), (int)(is_day_first ? x : y), 0, 0,
			 0},
		     back;
	*at_us = clock_civil_us(&c);
	clock_civil(*at_us, &back);
	return back.month == c.month && back.day == c.day;
}

bool expr_date_read(struct arena *a, struct str text, int64_t *at_us, bool *is_day)
{
	text = utf8_trim(utf8_fold_signs(a, text));
	*is_day = true;
	if (text.n <= 10 && date_parse_plain(text, at_us))
		return true;
	*is_day = text.n <= 10 && memchr(text.p, 'T', text.n) == NULL &&
		  memchr(text.p, ' ', text.n) == NULL && clock_parse_text(text, at_us);
	if (*is_day)
		return true;
	/* a number as short as a year or an age is no time */
	return (text.n >= 8 || memchr(text.p, '-', text.n) != NULL) && clock_parse_any(text, at_us);
}

static const struct {
	const char *sign;
	size_t width;
	size_t offset;
} date_parts[] = {{"YYYY", 4, offsetof(struct civil, year)},
    {"YY", 2, offsetof(struct civil, year)}, {"MM", 2, offsetof(struct civil, month)},
    {"M", 1, offsetof(struct civil, month)}, {"DD", 2, offsetof(struct civil, day)},
    {"D", 1, offsetof(struct civil, day)}, {"HH", 2, offsetof(struct civil, hour)},
    {"mm", 2, offsetof(struct civil, minute)}, {"ss", 2, offsetof(struct civil, second)}};
#define DATE_PARTS (sizeof(date_parts) / sizeof(date_parts[0]))

static size_t date_part_at(struct str s)
{
	size_t i = 0;

	while (i < DATE_PARTS && !str_starts(s, date_parts[i].sign))
		i++;
	return i;
}

/* Cuts "@Europe/Berlin" off; *zone NULL: UTC. False: there is no such zone. */
static bool date_format_split(struct str argument, struct str *format, const struct zone **zone)
{
	const char *at = memrchr(argument.p, '@', argument.n);

	*format = argument;
	*zone = NULL;
	if (at == NULL)
		return true;
	*format = (struct str){argument.p, (size_t)(at - argument.p)};
	struct str name = {at + 1, argument.n - format->n - 1};
	*zone = zone_find(name);
	return zone_is_known(name);
}

static bool is_date_format(struct str argument)
{
	const struct zone *zone;
	struct str s;
	size_t parts = 0;

	if (argument.n == 0 || argument.n > 100 || !date_format_split(argument, &s, &zone))
		return false;
	if (str_is(s, "iso") || str_is(s, "unix") || str_is(s, "unixMs"))
		return true;
	while (s.n > 0) {
		size_t i = date_part_at(s), step = i < DATE_PARTS ? strlen(date_parts[i].sign) : 1;

		if (i == DATE_PARTS &&
		    ((*s.p >= 'a' && *s.p <= 'z') ||
			(*s.p >= 'A' && *s.p <= 'Z' && *s.p != 'T' && *s.p != 'Z')))
			return false;
		parts += i < DATE_PARTS;
		s = (struct str){s.p + step, s.n - step};
	}
	return parts > 0;
}

bool expr_date_has_parts(struct str format)
{
	if (str_is(format, "iso") || str_is(format, "unix") || str_is(format, "unixMs"))
		return true;
	for (; format.n > 0; format = (struct str){format.p + 1, format.n - 1})
		if (date_part_at(format) < DATE_PARTS)
			return true;
	return false;
}

static struct str date_write(struct arena *a, struct str format, const struct civil *c)
{
	struct buf *b = buf_new(a, LIMIT_TYPE_BYTES * 4);

	while (format.n > 0) {
		size_t i = date_part_at(format), step = 1;

		if (i == DATE_PARTS) {
			buf_chr(b, *format.p);
		} else {
			int value =
			    *(const int *)(const void *)((const char *)c + date_parts[i].offset);

			step = strlen(date_parts[i].sign);
			if (strcmp(date_parts[i].sign, "YY") == 0)
				value %= 100;
			buf_printf(b, "%0*d", (int)date_parts[i].width, value);
		}
		format = (struct str){format.p + step, format.n - step};
	}
	return buf_ok(b) ? (struct str){b->p, b->len} : (struct str){NULL, 0};
}

json_t *expr_date_write(
    struct arena *a, struct str format, const struct zone *zone, int64_t at_us, bool is_day)
{
	struct civil c;
	struct str text;

	if (str_is(format, "iso"))
		return json_own(a, json_string(clock_iso_dup(a, at_us)));
	if (str_is(format, "unix"))
		return json_own(a, json_integer(at_us / SECOND_US));
	if (str_is(format, "unixMs"))
		return json_own(a, json_integer(at_us / (SECOND_US / 1000)));
	clock_civil(is_day ? at_us : zone_local_us(zone, at_us), &c);
	text = date_write(a, format, &c);
	return text.p == NULL ? NULL : json_own(a, json_stringn(text.p, text.n));
}

static void transform_date(
    struct scope *s, struct expr_value *v, struct str text, struct str argument)
{
	const struct zone *zone;
	struct str format;
	int64_t at_us = 0;
	bool is_day = false;

	if (v->kind == VALUE_INT)
		at_us = v->number;
	else if (!expr_date_read(s->a, text, &at_us, &is_day)) {
		v->kind = VALUE_ABSENT;
		return;
	}
	(void)date_format_split(argument, &format, &zone);
	value_be_json(v, expr_date_write(s->a, format, zone, at_us, is_day));
}

/* ---- all of them ---------------------------------------------------------------------------- */

static const struct expr_function transforms[] = {
    {"lower", NULL, transform_lower, NULL, false},
    {"upper", NULL, transform_upper, NULL, false},
    {"title", NULL, transform_title, NULL, false},
    {"oneLine", NULL, transform_one_line, NULL, false},
    {"e164", "a country of two letters, such as DE", transform_e164, is_region, false},
    {"phone", NULL, transform_e164, NULL, false},
    {"dateAs", "a format, such as DD.MM.YYYY or iso", transform_date, is_date_format, false},
    {"number", NULL, transform_number, NULL, false},
    {"boolean", NULL, transform_boolean, NULL, false},
    {"first", "how many characters", transform_first, is_length, false},
};
#define TRANSFORMS (sizeof(transforms) / sizeof(transforms[0]))
#define FUNCTIONS_MOST 64u

static bool is_transform(const char *name)
{
	for (size_t i = 0; i < TRANSFORMS; i++)
		if (strcmp(transforms[i].name, name) == 0)
			return true;
	return false;
}

const struct expr_function *expr_transforms(void)
{
	static struct expr_function all[TRANSFORMS + FUNCTIONS_MOST + 1];
	size_t n = TRANSFORMS;

	if (all[0].name != NULL)
		return all;
	memcpy(all, transforms, sizeof(transforms));
	for (const struct expr_function *f = expr_functions; f->name != NULL; f++)
		if (n < TRANSFORMS + FUNCTIONS_MOST && !is_transform(f->name))
			all[n++] = *f;
	return all;
}

const struct expr_function *expr_transform_find(const char *name)
{
	const struct expr_function *f = expr_transforms();

	while (f->name != NULL && strcmp(f->name, name) != 0)
		f++;
	return f->name == NULL ? NULL : f;
}
