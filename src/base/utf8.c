/* UTF-8 (RFC 3629), text folding, and the encodings that become UTF-8. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/arena.h"
#include "base/oom.h"
#include "base/str.h"

/* The length of the well-formed character at p (Unicode table 3-7), or 0. NUL is one here. */
static size_t utf8_character_length(const unsigned char *p, size_t n)
{
	unsigned char low = 0x80, high = 0xBF;
	size_t more;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	more = p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
	if (more >= n)
		return 0;
	if (p[0] == 0xE0)
		low = 0xA0; /* shorter forms exist below */
	else if (p[0] == 0xED)
		high = 0x9F; /* surrogates above */
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F; /* beyond U+10FFFF */
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return more + 1;
}

/* How many bytes at the front are ASCII without NUL, in steps of eight. */
static size_t ascii_run(const unsigned char *p, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t v;

		memcpy(&v, p + i, sizeof(v));
		if ((v & tops) || ((v - ones) & ~v & tops))
			break;
	}
	return i;
}

bool utf8_is_valid(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i = 0;

	while (i < s.n) {
		size_t step = ascii_run(p + i, s.n - i);

		if (step == 0) {
			step = p[i] ? utf8_character_length(p + i, s.n - i) : 0;
			if (step == 0)
				return false;
		}
		i += step;
	}
	return true;
}

struct str utf8_cut(struct str s, size_t most)
{
	size_t n = s.n;

	if (n <= most)
		return s;
	n = most;
	while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80) /* what follows goes on with it */
		n--;
	return (struct str){s.p, n};
}

struct str utf8_clean(struct arena *a, struct str s, size_t most)
{
	static const char unknown[] = "\xEF\xBF\xBD";
	const unsigned char *p = (const unsigned char *)s.p;
	struct str whole = utf8_cut(s, most);
	char *out;
	size_t n = 0;

	if (s.n == 0 || (whole.n > 0 && utf8_is_valid(whole)))
		return whole;
	out = arena_alloc(a, most + 1);
	for (size_t i = 0; i < s.n;) {
		size_t step = p[i] != '\0' ? utf8_character_length(p + i, s.n - i) : 0;
		struct str c = {step == 0 ? unknown : s.p + i, step == 0 ? 3 : step};

		if (n + c.n > most)
			break;
		memcpy(out + n, c.p, c.n);
		n += c.n;
		i += step == 0 ? 1 : step;
	}
	out[n] = '\0';
	return (struct str){out, n};
}

/* ---- signs ----------------------------------------------------------------------------------- */

enum utf8_sign { SIGN_OTHER, SIGN_BLANK, SIGN_MARK, SIGN_JOINER, SIGN_DASH, SIGN_DIGIT };

#define ZWNJ 0x200C
#define ZWJ 0x200D
#define VIRAMA_CLASS 9 /* canonical combining class */

/* Soft hyphen, Arabic letter mark, Mongolian separator, zero-width space, those of direction, word
 * joiner and invisible operators, byte-order mark, annotations. */
static bool utf8_is_mark(utf8proc_int32_t c)
{
	return c == 0xAD || c == 0x61C || c == 0x180E || c == 0x200B || c == 0x200E ||
	       c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2064) ||
	       (c >= 0x2066 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB);
}

static enum utf8_sign utf8_sign_of(utf8proc_int32_t c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r') ? SIGN_BLANK
		       : c == '-'                           ? SIGN_DASH
							    : SIGN_OTHER;
	if (c == ZWNJ || c == ZWJ)
		return SIGN_JOINER;
	if (utf8_is_mark(c))
		return SIGN_MARK;
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_ZS:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return SIGN_BLANK;
	case UTF8PROC_CATEGORY_PD:
		return SIGN_DASH;
	case UTF8PROC_CATEGORY_ND:
		return SIGN_DIGIT;
	default:
		/* next line is a control; minus, hyphen bullet and modifier are symbols */
		return c == 0x85                                   ? SIGN_BLANK
		       : c == 0x2212 || c == 0x2043 || c == 0x02D7 ? SIGN_DASH
								   : SIGN_OTHER;
	}
}

/* The value of a decimal digit. Digits of a script stand in a row, from a code point that ends with
 * 0 or with 6; the mathematical ones follow each other in tens. */
static int utf8_digit_value(utf8proc_int32_t c)
{
	int low = c & 15;

	if (c >= 0x1D7CE && c <= 0x1D7FF)
		return (c - 0x1D7CE) % 10;
	return low < 10 && utf8_sign_of(c - low) == SIGN_DIGIT ? low : low - 6;
}

/* What a character is where texts are parsed or compared: an ASCII one, 0 for nothing, or itself.
 */
static utf8proc_int32_t utf8_plain_point(utf8proc_int32_t c)
{
	switch (utf8_sign_of(c)) {
	case SIGN_BLANK:
		return ' ';
	case SIGN_MARK:
	case SIGN_JOINER:
		return 0;
	case SIGN_DASH:
		return '-';
	case SIGN_DIGIT:
		return '0' + utf8_digit_value(c);
	default:
		return c >= 0xFF01 && c <= 0xFF5E ? c - 0xFF01 + '!' : c;
	}
}

uint32_t utf8_point(struct str s, size_t *n)
{
	const unsigned char *p = (const unsigned char *)s.p;
	utf8proc_int32_t c = 0xFFFD;

	*n = 1;
	if (p[0] < 0x80)
		return p[0];
	*n = utf8_character_length(p, s.n);
	if (*n == 0 || utf8proc_iterate(p, (utf8proc_ssize_t)*n, &c) < 0) {
		*n = 1;
		return 0xFFFD;
	}
	return (uint32_t)c;
}

/* The one that s ends with. */
static uint32_t utf8_last_point(struct str s, size_t *n)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t back = 2; p[s.n - 1] >= 0x80 && back <= 4 && back <= s.n; back++)
		if (utf8_character_length(p + s.n - back, back) == back)
			return utf8_point((struct str){s.p + s.n - back, back}, n);
	return utf8_point((struct str){s.p + s.n - 1, 1}, n);
}

static bool utf8_is_outer(uint32_t c)
{
	enum utf8_sign sign = utf8_sign_of((utf8proc_int32_t)c);

	return sign == SIGN_BLANK || sign == SIGN_MARK || sign == SIGN_JOINER;
}

static bool utf8_is_virama(uint32_t c)
{
	return utf8proc_get_property((utf8proc_int32_t)c)->combining_class == VIRAMA_CLASS;
}

/* Does the joiner c belong to the letter before it, with which text ends? */
static bool joiner_is_of_letter(uint32_t c, struct str text)
{
	size_t n;

	return (c == ZWNJ || c == ZWJ) && text.n > 0 && utf8_is_virama(utf8_last_point(text, &n));
}

static bool is_printable_ascii(char c)
{
	return c > ' ' && c < 0x7F;
}

struct str utf8_trim(struct str s)
{
	size_t n;

	/* Mostly there is nothing to trim: of the cells of a file a million times over. */
	if (s.n > 0 && is_printable_ascii(s.p[0]) && is_printable_ascii(s.p[s.n - 1]))
		return s;
	while (s.n > 0 && utf8_is_outer(utf8_point(s, &n)))
		s = (struct str){s.p + n, s.n - n};
	while (s.n > 0) {
		uint32_t c = utf8_last_point(s, &n);

		if (!utf8_is_outer(c) || joiner_is_of_letter(c, (struct str){s.p, s.n - n}))
			break;
		s.n -= n;
	}
	return s;
}

static bool utf8_is_quote(uint32_t c)
{
	return c == '\'' || c == '"' || c == '`' || c == 0xB4 || c == 0xAB || c == 0xBB ||
	       (c >= 0x2018 && c <= 0x201F) || c == 0x2039 || c == 0x203A;
}

struct str utf8_trim_quotes(struct str s)
{
	size_t n;

	for (s = utf8_trim(s); s.n > 0 && utf8_is_quote(utf8_point(s, &n)); s = utf8_trim(s))
		s = (struct str){s.p + n, s.n - n};
	for (; s.n > 0 && utf8_is_quote(utf8_last_point(s, &n)); s = utf8_trim(s))
		s.n -= n;
	return s;
}

struct str utf8_fold_blanks(struct arena *a, struct str s)
{
	struct str rest = utf8_trim(s);
	char *out = arena_alloc(a, rest.n + 1);
	bool is_gap = false;
	size_t n = 0, step;

	if (!utf8_is_valid(s)) /* what stood around a mark might become a character */
		return rest;
	for (; rest.n > 0; rest = (struct str){rest.p + step, rest.n - step}) {
		enum utf8_sign sign = utf8_sign_of((utf8proc_int32_t)utf8_point(rest, &step));

		is_gap = is_gap || sign == SIGN_BLANK;
		if (sign == SIGN_BLANK || sign == SIGN_MARK)
			continue;
		if (is_gap)
			out[n++] = ' ';
		is_gap = false;
		memcpy(out + n, rest.p, step);
		n += step;
	}
	out[n] = '\0';
	return (struct str){out, n};
}

struct str utf8_fold_signs(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0, step;

	if (!utf8_is_valid(s))
		return s;
	for (; s.n > 0; s = (struct str){s.p + step, s.n - step}) {
		utf8proc_int32_t c = (utf8proc_int32_t)utf8_point(s, &step);
		utf8proc_int32_t plain = utf8_plain_point(c);

		if (plain == c) {
			memcpy(out + n, s.p, step);
			n += step;
		} else if (plain != 0) {
			out[n++] = (char)plain;
		}
	}
	out[n] = '\0';
	return (struct str){out, n};
}

bool utf8_has_gap(struct str s)
{
	for (size_t n; s.n > 0; s = (struct str){s.p + n, s.n - n})
		if (utf8_is_outer(utf8_point(s, &n)))
			return true;
	return false;
}

/* Where a character's other case takes at most a byte more than itself. */
static size_t point_encode(char *out, utf8proc_int32_t c, utf8proc_int32_t cased, struct str as_is)
{
	if (cased != c)
		return (size_t)utf8proc_encode_char(cased, (utf8proc_uint8_t *)out);
	memcpy(out, as_is.p, as_is.n);
	return as_is.n;
}

/* Each character by a function of utf8proc's; those behind a letter by another. */
static struct str utf8_case(struct arena *a, struct str s, utf8proc_int32_t first(utf8proc_int32_t),
    utf8proc_int32_t later(utf8proc_int32_t))
{
	char *out = arena_alloc(a, 2 * s.n + 1); /* two bytes may become three */
	size_t n = 0, step;
	bool is_within = false;

	for (; s.n > 0; s = (struct str){s.p + step, s.n - step}) {
		utf8proc_int32_t c = (utf8proc_int32_t)utf8_point(s, &step);
		utf8proc_category_t kind = utf8proc_category(c);

		n += point_encode(
		    out + n, c, is_within ? later(c) : first(c), (struct str){s.p, step});
		/* a mark on a letter, and an apostrophe behind one, end no word */
		is_within =
		    (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO) ||
		    (is_within && (kind == UTF8PROC_CATEGORY_MN || c == '\'' || c == 0x2019));
	}
	out[n] = '\0';
	return (struct str){out, n};
}

struct str utf8_lower(struct arena *a, struct str s)
{
	return utf8_case(a, s, utf8proc_tolower, utf8proc_tolower);
}

struct str utf8_upper(struct arena *a, struct str s)
{
	return utf8_case(a, s, utf8proc_toupper, utf8proc_toupper);
}

struct str utf8_title(struct arena *a, struct str s)
{
	return utf8_case(a, s, utf8proc_totitle, utf8proc_tolower);
}

/* ---- folding --------------------------------------------------------------------------------- */

static char *ascii_fold(struct arena *a, struct str s)
{
	char *out = arena_strndup(a, s.p, s.n);

	for (size_t i = 0; i < s.n; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] + ('a' - 'A'));
	return out;
}

static bool is_ascii_text(struct str s)
{
	size_t i = ascii_run((const unsigned char *)s.p, s.n);

	while (i < s.n && (unsigned char)s.p[i] < 0x80)
		i++;
	return i == s.n;
}

/* The compatibility decomposition of s with case folded, as code points; free them. -1 when the
 * library refuses. */
static utf8proc_ssize_t utf8_decompose(struct str s, utf8proc_int32_t **points)
{
	const utf8proc_option_t how =
	    UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD;
	const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)s.p;
	utf8proc_ssize_t cap = (utf8proc_ssize_t)s.n + 32, n;

	for (;;) {
		*points = oom_realloc(*points, (size_t)cap * sizeof(**points));
		n = utf8proc_decompose(p, (utf8proc_ssize_t)s.n, *points, cap, how);
		if (n <= cap)
			return n;
		cap = n;
	}
}

char *utf8_fold(struct arena *a, struct str s)
{
	utf8proc_int32_t *points = NULL;
	utf8proc_ssize_t n;
	utf8proc_uint8_t *out;
	size_t len = 0;

	if (!utf8_is_valid(s))
		return NULL;
	if (is_ascii_text(s))
		return ascii_fold(a, s);
	n = utf8_decompose(s, &points);
	if (n < 0) {
		free(points);
		return NULL;
	}
	out = arena_alloc(a, (size_t)n * 4 + 1);
	for (utf8proc_ssize_t i = 0; i < n; i++) {
		utf8proc_int32_t c = points[i] < 0x80 ? points[i] : utf8_plain_point(points[i]);

		if (c != 0 && utf8proc_category(c) != UTF8PROC_CATEGORY_MN)
			len += (size_t)utf8proc_encode_char(c, out + len);
	}
	out[len] = '\0';
	free(points);
	return (char *)out;
}

struct str utf8_compose(struct arena *a, struct str s, bool is_case_folded)
{
	utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
	utf8proc_uint8_t *out = NULL;
	utf8proc_ssize_t n;
	struct str composed;

	if (!utf8_is_valid(s))
		return (struct str){NULL, 0};
	if (is_ascii_text(s))
		return is_case_folded ? (struct str){ascii_fold(a, s), s.n} : s;
	if (is_case_folded)
		how |= UTF8PROC_CASEFOLD;
	n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &out, how);
	if (n < 0)
		oom_abort();
	composed = str_copy(a, (struct str){(char *)out, (size_t)n});
	free(out);
	return composed;
}

/* ---- other encodings ------------------------------------------------------------------------ */

/* May the bytes at the end of a text be the beginning of a character? */
static bool is_cut_character(const unsigned char *p, size_t n)
{
	size_t whole = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;

	if (p[0] < 0xC2 || p[0] > 0xF4 || n >= whole)
		return false;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xC0) != 0x80)
			return false;
	return true;
}

size_t utf8_count_signs(struct str s, struct utf8_signs *signs)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n;) {
		size_t n = ascii_run(p + i, s.n - i);

		if (n == 0 && (n = utf8_character_length(p + i, s.n - i)) > 1) {
			signs->two += n == 2;
			signs->more += n > 2;
		}
		if (n == 0 && is_cut_character(p + i, s.n - i))
			return s.n - i;
		signs->stray += n == 0;
		i += n == 0 ? 1 : n;
	}
	return 0;
}

static size_t put_character(char *out, utf8proc_int32_t c)
{
	return (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)out);
}

static utf8proc_int32_t utf16_unit(const unsigned char *p, bool is_big_endian)
{
	return is_big_endian ? p[0] << 8 | p[1] : p[1] << 8 | p[0];
}

size_t utf16_decode(char *out, struct str s, bool is_big_endian, bool is_end, size_t *used)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = 0, i = 0;

	while (i + 2 <= s.n) {
		utf8proc_int32_t c = utf16_unit(p + i, is_big_endian), low = 0;

		if (c >= 0xD800 && c < 0xDC00 && i + 4 > s.n && !is_end)
			break;
		if (c >= 0xD800 && c < 0xDC00 && i + 4 <= s.n)
			low = utf16_unit(p + i + 2, is_big_endian);
		if (low >= 0xDC00 && low < 0xE000) {
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
			i += 2;
		} else if (c >= 0xD800 && c < 0xE000) {
			c = 0xFFFD;
		}
		n += put_character(out + n, c);
		i += 2;
	}
	*used = i;
	return n;
}

size_t utf16_length(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		n += (c & 0xC0) == 0x80 ? 0 : c >= 0xF0 ? 4 : 2;
	}
	return n;
}

/* 0x80 to 0x9F */
static const uint16_t windows_1252[32] = {0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020,
    0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D, 0x8F, 0x90, 0x2018, 0x2019,
    0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D, 0x017E,
    0x0178};

size_t windows_1252_decode(char *out, struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		n += put_character(out + n, c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c);
	}
	return n;
}

bool windows_1252_is_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x80 && c < 0xA0 && windows_1252[c - 0x80] < 0xA0)
			return false;
	}
	return true;
}
