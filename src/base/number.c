/* Numbers taken apart:
 *
 *   -0012.3400e5   digits 123400 seen through the point, of which 1234 are significant (first,
 * last); they begin 7 places before the point once the exponent has moved it (places)
 *
 * Numbers are compared by sign, places and significant digits, in this order; zero has no digits
 * and no sign. */
#include "base/number.h"

#include <string.h>

#include "base/arena.h"

#define EXPONENT_MOST INT64_C(1000000000000000) /* more is as good as this */

struct decimal {
	bool is_negative;
	struct str whole, fraction;
	size_t first, last; /* of the digits of both: where the significant ones begin and end */
	int64_t places;     /* of the first significant digit; 1: the ones */
};

static size_t digits_length(struct str s, size_t at)
{
	size_t n = 0;

	while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
		n++;
	return n;
}

/* Of ".50" at `at`; 0 where there is none. */
static size_t fraction_length(struct str s, size_t at)
{
	size_t n = at < s.n && s.p[at] == '.' ? digits_length(s, at + 1) : 0;

	return n > 0 ? n + 1 : 0;
}

/* Of "e+5" at `at`; 0 where there is none. */
static size_t exponent_length(struct str s, size_t at)
{
	size_t sign, n;

	if (at >= s.n || (s.p[at] != 'e' && s.p[at] != 'E'))
		return 0;
	sign = at + 1 < s.n && (s.p[at + 1] == '+' || s.p[at + 1] == '-');
	n = digits_length(s, at + 1 + sign);
	return n > 0 ? 1 + sign + n : 0;
}

size_t number_length(struct str s)
{
	size_t at = s.n > 0 && s.p[0] == '-', whole = digits_length(s, at);

	if (whole == 0)
		return 0;
	at += s.p[at] == '0' ? 1 : whole; /* no digit follows a leading zero */
	at += fraction_length(s, at);
	return at + exponent_length(s, at);
}

bool number_is(struct str s)
{
	return s.n > 0 && number_length(s) == s.n;
}

bool number_is_int64(struct str s)
{
	bool is_negative = s.p[0] == '-';
	const char *digits = s.p + is_negative;
	size_t n = s.n - is_negative;

	if (digits_length(s, is_negative) != n || (is_negative && digits[0] == '0'))
		return false;
	return n < 19 ||
	       (n == 19 &&
		   memcmp(digits, is_negative ? "9223372036854775808" : "9223372036854775807",
		       19) <= 0);
}

/* The exponent's value, bounded. */
static int64_t exponent_value(struct str s, size_t at)
{
	int64_t v = 0;
	bool is_negative;

	if (at == s.n)
		return 0;
	is_negative = s.p[at + 1] == '-';
	for (at += is_negative || s.p[at + 1] == '+' ? 2 : 1; at < s.n; at++)
		if (v < EXPONENT_MOST)
			v = v * 10 + (s.p[at] - '0');
	return is_negative ? -v : v;
}

static char decimal_digit(const struct decimal *d, size_t i)
{
	return i < d->whole.n ? d->whole.p[i] : d->fraction.p[i - d->whole.n];
}

static struct decimal decimal_read(struct str s)
{
	struct decimal d = {.is_negative = s.p[0] == '-'};
	size_t at = d.is_negative, n;

	d.whole = (struct str){s.p + at, digits_length(s, at)};
	at += d.whole.n;
	n = fraction_length(s, at);
	d.fraction = (struct str){s.p + at + 1, n > 0 ? n - 1 : 0};
	d.last = d.whole.n + d.fraction.n;
	while (d.first < d.last && decimal_digit(&d, d.first) == '0')
		d.first++;
	while (d.last > d.first && decimal_digit(&d, d.last - 1) == '0')
		d.last--;
	if (d.first == d.last)
		return (struct decimal){.is_negative = false};
	d.places = (int64_t)d.whole.n - (int64_t)d.first + exponent_value(s, at + n);
	return d;
}

/* Of those without their sign. */
static int decimal_compare(const struct decimal *a, const struct decimal *b)
{
	const size_t na = a->last - a->first, nb = b->last - b->first;

	if (na == 0 || nb == 0)
		return (na > 0) - (nb > 0);
	if (a->places != b->places)
		return a->places < b->places ? -1 : 1;
	for (size_t i = 0; i < na && i < nb; i++) {
		const char x = decimal_digit(a, a->first + i), y = decimal_digit(b, b->first + i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (na > nb) - (na < nb);
}

int number_compare(struct str x, struct str y)
{
	struct decimal a = decimal_read(x), b = decimal_read(y);

	if (a.is_negative != b.is_negative)
		return a.is_negative ? -1 : 1;
	return a.is_negative ? decimal_compare(&b, &a) : decimal_compare(&a, &b);
}

bool number_equals(struct str x, struct str y)
{
	return number_compare(x, y) == 0;
}

struct str number_plain(struct arena *a, struct str s)
{
	struct decimal d = decimal_read(s);
	int64_t digits = (int64_t)(d.last - d.first), at = d.places > 0 ? 0 : d.places - 1,
		end = digits > d.places ? digits : d.places;
	char *out, *p;

	if (digits == 0)
		return str_copy(a, STR("0"));
	if (d.places > NUMBER_PLAIN_BYTES || d.places < -(int64_t)NUMBER_PLAIN_BYTES ||
	    end - at + 2 > NUMBER_PLAIN_BYTES)
		return (struct str){NULL, 0};
	out = p = arena_alloc(a, (size_t)(end - at) + 3);
	if (d.is_negative)
		*p++ = '-';
	for (; at < end; at++) {
		if (at == d.places)
			*p++ = '.';
		*p++ = at >= 0 && at < digits ? decimal_digit(&d, d.first + (size_t)at) : '0';
	}
	*p = '\0';
	return (struct str){out, (size_t)(p - out)};
}

/* Sign, places (biased), digits; of numbers below zero all bytes the other way round, and behind
 * the digits one that puts the longer first. */
size_t number_order(unsigned char *out, size_t most, struct str s)
{
	struct decimal d = decimal_read(s);
	uint64_t places = (uint64_t)(d.places + 20 * EXPONENT_MOST);
	size_t n = 0;

	if (d.first == d.last) {
		out[n++] = 1;
		return n;
	}
	out[n++] = 2;
	for (int shift = 56; shift >= 0; shift -= 8)
		out[n++] = (unsigned char)(places >> shift);
	for (size_t i = d.first; i < d.last && n + 1 < most; i++)
		out[n++] = (unsigned char)decimal_digit(&d, i);
	if (d.is_negative) {
		out[n++] = 0;
		for (size_t i = 0; i < n; i++)
			out[i] = (unsigned char)~out[i];
		out[0] = 0;
	}
	return n;
}
