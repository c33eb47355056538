/* The Cookie header, RFC 6265 §5.4 read as leniently as §4.2.1's grammar allows. */
#include <string.h>

#include "base/limits.h"
#include "http/form.h"

static bool name_is_token(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c) != NULL)
			return false;
	}
	return s.n != 0;
}

static bool value_is_clean(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

void cookie_parse(struct arena *a, struct str header, struct http_pairs *out)
{
	struct str rest = header, part;
	size_t n = 1, i;

	*out = (struct http_pairs){NULL, 0};
	for (i = 0; i < header.n; i++)
		n += header.p[i] == ';';
	if (n > LIMIT_FORM_FIELDS)
		n = LIMIT_FORM_FIELDS;
	out->v = arena_alloc(a, n * sizeof(*out->v));
	while (out->n < n && str_split(&rest, ';', &part)) {
		const char *eq = part.n != 0 ? memchr(part.p, '=', part.n) : NULL;
		struct str name, value;

		if (eq == NULL || part.n > LIMIT_COOKIE_BYTES)
			continue;
		name = str_trim((struct str){part.p, (size_t)(eq - part.p)});
		value = str_trim((struct str){eq + 1, part.n - (size_t)(eq + 1 - part.p)});
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = (struct str){value.p + 1, value.n - 2};
		if (!name_is_token(name) || !value_is_clean(value))
			continue;
		out->v[out->n].name = name;
		out->v[out->n].value = value;
		out->n++;
	}
}
