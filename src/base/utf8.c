/* UTF-8 (RFC 3629) and text folding. */
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
