/* application/x-www-form-urlencoded, WHATWG URL §5.1, made strict: what a browser would never send
 * is refused rather than repaired. */
#include <string.h>

#include "base/limits.h"
#include "http/form.h"

static int form_decode(
    struct arena *a, struct str in, struct str *out, const char *what, struct err *err)
{
	char *p;
	long n;

	/* Nothing to decode: the text itself serves. */
	if (in.n == 0) {
		*out = STR("");
		return 0;
	}
	if (memchr(in.p, '%', in.n) == NULL && memchr(in.p, '+', in.n) == NULL) {
		*out = in;
	} else {
		p = arena_alloc(a, in.n + 1);
		n = percent_decode(p, in.n + 1, in, true);
		if (n < 0)
			return err_set(err, ERR_MALFORMED, "broken %% escape in a form %s", what);
		p[n] = '\0';
		*out = (struct str){p, (size_t)n};
	}
	if (!utf8_is_valid(*out))
		return err_set(err, ERR_MALFORMED, "a form %s is not UTF-8 text", what);
	return 0;
}

int form_parse(struct arena *a, struct str text, struct http_pairs *out, struct err *err)
{
	struct str rest = text, part, name, value;
	size_t fields = 1, i;

	*out = (struct http_pairs){NULL, 0};
	for (i = 0; i < text.n; i++)
		fields += text.p[i] == '&';
	if (fields > LIMIT_FORM_FIELDS)
		return err_set(err, ERR_LIMIT, "more than %u form fields", LIMIT_FORM_FIELDS);
	out->v = arena_alloc(a, fields * sizeof(*out->v));
	while (str_split(&rest, '&', &part)) {
		const char *eq;

		if (part.n == 0)
			continue;
		eq = memchr(part.p, '=', part.n);
		name = part;
		value = STR("");
		if (eq != NULL) {
			name.n = (size_t)(eq - part.p);
			value = (struct str){eq + 1, part.n - name.n - 1};
		}
		if (form_decode(a, name, &out->v[out->n].name, "field's name", err) == -1 ||
		    form_decode(a, value, &out->v[out->n].value, "field", err) == -1)
			return -1;
		out->n++;
	}
	return 0;
}
