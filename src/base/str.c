#include "base/str.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"

struct str str_from(const char *s)
{
	return (struct str){s, s ? strlen(s) : 0};
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is(struct str a, const char *b)
{
	return str_eq(a, str_from(b));
}

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.n >= n && (n == 0 || memcmp(s.p, prefix, n) == 0);
}

bool str_ends(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.n >= n && (n == 0 || memcmp(s.p + (s.n - n), suffix, n) == 0);
}

static bool is_ascii_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.n && is_ascii_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_ascii_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct str str_copy(struct arena *a, struct str s)
{
	return (struct str){arena_strndup(a, s.n > 0 ? s.p : "", s.n), s.n};
}

bool str_split(struct str *rest, char sep, struct str *part)
{
	const char *cut;

	if (rest->n == 0)
		return false;
	cut = memchr(rest->p, sep, rest->n);
	part->p = rest->p;
	if (!cut) {
		part->n = rest->n;
		rest->p += rest->n;
		rest->n = 0;
		return true;
	}
	part->n = (size_t)(cut - rest->p);
	rest->p = cut + 1;
	rest->n -= part->n + 1;
	return true;
}

bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *v)
{
	bool negative = s.n && s.p[0] == '-';
	size_t i = negative ? 1 : 0;
	int64_t n = 0;

	if (i == s.n)
		return false;
	/* Counted downwards, since -INT64_MIN is no int64. */
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, s.p[i] - '0', &n))
			return false;
	}
	if (!negative && __builtin_sub_overflow(INT64_C(0), n, &n))
		return false;
	if (n < min || n > max)
		return false;
	*v = n;
	return true;
}

bool str_to_bool(struct str s, bool *v)
{
	static const char *const yes[] = {"true", "1", "yes", "on"};
	static const char *const no[] = {"false", "0", "no", "off"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (str_ieq(s, str_from(yes[i])))
			return *v = true;
		if (str_ieq(s, str_from(no[i]))) {
			*v = false;
			return true;
		}
	}
	return false;
}

uint64_t str_hash_long(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = n, word;

	for (; n >= sizeof(word); n -= sizeof(word), s += sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 32;
	}
	return h ^ str_hash(s, n);
}

uint64_t str_hash(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++) {
		h ^= s[i];
		h *= UINT64_C(0x100000001b3);
	}
	return h;
}
