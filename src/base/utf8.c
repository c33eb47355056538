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
	for (utf8proc_ssize_t i = 0; i < n; i++)
		if (utf8proc_category(points[i]) != UTF8PROC_CATEGORY_MN)
			len += (size_t)utf8proc_encode_char(points[i], out + len);
	out[len] = '\0';
	free(points);
	return (char *)out;
}

/* ---- blanks and marks ----------------------------------------------------------------------- */

/* U+180E, zero-width space, word joiner, byte-order mark, those of direction. */
static bool is_mark(utf8proc_int32_t c)
{
	return c == 0x61C || c == 0x180E || c == 0x200B || c == 0x200E || c == 0x200F ||
	       (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2064) ||
	       (c >= 0x2066 && c <= 0x206F) || c == 0xFEFF;
}

static bool is_blank_or_mark(utf8proc_int32_t c)
{
	utf8proc_category_t category;

	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	category = utf8proc_category(c);
	return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
	       category == UTF8PROC_CATEGORY_ZP || c == 0x85 || is_mark(c);
}

/* The bytes of the character that ends at p + n: one where it is not well formed. */
static size_t last_character_length(const unsigned char *p, size_t n)
{
	for (size_t back = 2; back <= 4 && back <= n; back++)
		if (utf8_character_length(p + n - back, back) == back)
			return back;
	return 1;
}

static bool is_trimmed_character(const unsigned char *p, size_t n)
{
	utf8proc_int32_t c = -1;

	return utf8proc_iterate(p, (utf8proc_ssize_t)n, &c) > 0 && is_blank_or_mark(c);
}

struct str utf8_trim(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n;

	while (s.n > 0) {
		n = utf8_character_length(p, s.n);
		if (n == 0 || !is_trimmed_character(p, n))
			break;
		p += n;
		s.n -= n;
	}
	while (s.n > 0) {
		n = last_character_length(p, s.n);
		if (!is_trimmed_character(p + s.n - n, n))
			break;
		s.n -= n;
	}
	return (struct str){(const char *)p, s.n};
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
