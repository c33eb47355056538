#include "base/email.h"

#include <string.h>

#include "base/arena.h"
#include "base/limits.h"

#define LOCAL_BYTES 64
#define FOLDS 4
#define TEXT_BYTES 4096 /* with what follows an address in a link */

/* Without what follows a question mark behind the @: a link's subject. */
static struct str email_cut_query(struct str s)
{
	const char *at = memchr(s.p, '@', s.n), *query;

	if (at == NULL)
		return s;
	query = memchr(at, '?', s.n - (size_t)(at - s.p));
	return query == NULL ? s : (struct str){s.p, (size_t)(query - s.p)};
}

/* Behind "mailto:" (RFC 6068), which some take for "http:". */
static struct str email_of_link(struct arena *a, struct str link)
{
	const char *query;

	link = str_trim(link);
	if (str_starts(link, "//"))
		link = (struct str){link.p + 2, link.n - 2};
	query = memchr(link.p, '?', link.n);
	struct str s = {link.p, query == NULL ? link.n : (size_t)(query - link.p)};
	char *plain = arena_alloc(a, s.n + 1);
	long n = percent_decode(plain, s.n + 1, s, false);

	return n < 0 ? s : (struct str){plain, (size_t)n};
}

/* What stands within quotes, links and blanks, in whatever order they were put around it. */
static struct str email_unwrap(struct arena *a, struct str s)
{
	static const size_t scheme = sizeof("mailto:") - 1;
	size_t before;

	do {
		before = s.n;
		s = utf8_trim_quotes(s);
		if (s.n >= scheme && str_ieq((struct str){s.p, scheme}, STR("mailto:"))) {
			s = email_of_link(a, (struct str){s.p + scheme, s.n - scheme});
		} else if (s.n > 0) {
			s = email_cut_query(s);
		}
	} while (s.n != before);
	return s;
}

/* The characters that a part of an address cannot have without quotes (RFC 5322, RFC 6531); dots
 * are looked at apart. */
static bool has_special(struct str s, const char *specials)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c == 0x7f || strchr(specials, c) != NULL)
			return true;
	}
	return memmem(s.p, s.n, "\xEF\xBF\xBD", 3) != NULL; /* bytes that were no text */
}

/* No part between dots is empty, nor, in a domain, begins or ends with a hyphen. */
static bool has_good_labels(struct str s, bool is_domain)
{
	struct str label;

	if (str_ends(s, "."))
		return false;
	while (str_split(&s, '.', &label))
		if (label.n == 0 || (is_domain && (label.p[0] == '-' || str_ends(label, "-"))))
			return false;
	return true;
}

static bool email_is_address(struct str s)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, '@', s.n);
	struct str local, domain;

	if (at == NULL || s.n > LIMIT_EMAIL_BYTES)
		return false;
	local = (struct str){s.p, (size_t)(at - s.p)};
	domain = (struct str){at + 1, s.n - local.n - 1};
	return local.n > 0 && local.n <= LOCAL_BYTES && domain.n >= 3 &&
	       memchr(domain.p, '.', domain.n) != NULL && !has_special(local, "()<>[]:;,\\\"") &&
	       !has_special(domain, "()<>[]:;,\\\"@!#$%&'*+/=?^`{|}~") &&
	       has_good_labels(local, false) && has_good_labels(domain, true);
}

/* With the dots that East Asian keyboards have (UTS 46) as ASCII ones. */
static struct str email_fold_dots(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0, step;

	for (size_t i = 0; i < s.n; i += step) {
		struct str rest = {s.p + i, s.n - i};
		bool is_dot = str_starts(rest, "\xE3\x80\x82") || str_starts(rest, "\xEF\xBD\xA1");

		step = is_dot ? 3 : 1;
		out[n++] = is_dot ? '.' : s.p[i];
	}
	return (struct str){out, n};
}

struct str email_normal(struct arena *a, struct str text)
{
	struct str s = utf8_trim(text), plain;

	if (s.n > TEXT_BYTES)
		return (struct str){NULL, 0};
	s = email_unwrap(a, s);
	/* what was full-width may be a quote or a link in its turn */
	for (size_t i = 0; i < FOLDS; i++) {
		if (s.n == 0 || utf8_has_gap(s) || !utf8_is_valid(s))
			break;
		plain = email_fold_dots(a, utf8_fold_signs(a, s));
		plain = utf8_compose(a, utf8_lower(a, plain), false);
		if (str_eq(s, plain))
			return email_is_address(s) ? str_copy(a, s) : (struct str){NULL, 0};
		s = email_unwrap(a, plain);
	}
	return (struct str){NULL, 0};
}
