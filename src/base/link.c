#include "base/link.h"

#include <string.h>

static struct str skip(struct str s, size_t n)
{
	return (struct str){s.p + n, s.n - n};
}

static struct str skip_blanks(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = skip(s, 1);
	return s;
}

/* A token, or a text in quotes, off the beginning: without the quotes, its escapes left as they
 * are, for no relation has any. */
static struct str take_value(struct str *s)
{
	struct str value = *s;
	size_t n = 0;

	if (s->n == 0 || s->p[0] != '"') {
		while (n < s->n && memchr(";, \t", s->p[n], 4) == NULL)
			n++;
		value.n = n;
		*s = skip(*s, n);
		return value;
	}
	for (n = 1; n < s->n && s->p[n] != '"'; n++)
		n += s->p[n] == '\\' && n + 1 < s->n;
	value = (struct str){s->p + 1, n - 1};
	*s = skip(*s, n < s->n ? n + 1 : s->n);
	return value;
}

/* rel="next last": is it among them? */
static bool has_word(struct str words, struct str word)
{
	struct str one;

	while (str_split(&words, ' ', &one))
		if (str_ieq(one, word))
			return true;
	return false;
}

/* The parameters behind a target, up to the comma before the next: is one the relation? Of several
 * "rel" the first counts. */
static bool take_parameters(struct str *s, struct str rel)
{
	bool has_rel = false, is_it = false;

	for (*s = skip_blanks(*s); s->n > 0 && s->p[0] == ';'; *s = skip_blanks(*s)) {
		struct str name, value = {NULL, 0};
		size_t n = 0;

		*s = skip_blanks(skip(*s, 1));
		while (n < s->n && memchr("=;, \t", s->p[n], 5) == NULL)
			n++;
		name = (struct str){s->p, n};
		*s = skip_blanks(skip(*s, n));
		if (s->n > 0 && s->p[0] == '=') {
			*s = skip_blanks(skip(*s, 1));
			value = take_value(s);
		}
		if (!str_ieq(name, STR("rel")) || has_rel)
			continue;
		has_rel = true;
		is_it = has_word(value, rel);
	}
	return is_it;
}

struct str link_find(struct str header, struct str rel)
{
	while (header.n > 0) {
		const char *open = memchr(header.p, '<', header.n), *close;
		struct str target;

		if (open == NULL)
			break;
		header = skip(header, (size_t)(open + 1 - header.p));
		close = memchr(header.p, '>', header.n);
		if (close == NULL)
			break;
		target = (struct str){header.p, (size_t)(close - header.p)};
		header = skip(header, target.n + 1);
		if (take_parameters(&header, rel))
			return target;
	}
	return (struct str){NULL, 0};
}
