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

static size_t form_count_fields(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '&';
	return n;
}

/* "name=value", undecoded. */
static void form_split_field(struct str part, struct str *name, struct str *value)
{
	const char *eq = memchr(part.p, '=', part.n);

	*name = part;
	*value = STR("");
	if (eq != NULL) {
		name->n = (size_t)(eq - part.p);
		*value = (struct str){eq + 1, part.n - name->n - 1};
	}
}

int form_parse(struct arena *a, struct str text, struct http_pairs *out, struct err *err)
{
	struct str rest = text, part, name, value;
	size_t fields = form_count_fields(text);

	*out = (struct http_pairs){NULL, 0};
	if (fields > LIMIT_FORM_FIELDS)
		return err_set(err, ERR_LIMIT, "more than %u form fields", LIMIT_FORM_FIELDS);
	out->v = arena_alloc(a, fields * sizeof(*out->v));
	while (str_split(&rest, '&', &part)) {
		if (part.n == 0)
			continue;
		form_split_field(part, &name, &value);
		if (form_decode(a, name, &out->v[out->n].name, "field's name", err) == -1 ||
		    form_decode(a, value, &out->v[out->n].value, "field", err) == -1)
			return -1;
		out->n++;
	}
	return 0;
}

static struct str form_decode_lenient(struct arena *a, struct str in, bool *is_repaired)
{
	char *p = arena_alloc(a, in.n + 1);
	struct str out = {p, 0};

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i] == '+' ? ' ' : in.p[i];

		if (c == '%' && in.n - i > 2 &&
		    hex_decode(&c, 1, (struct str){in.p + i + 1, 2}) == 1)
			i += 2;
		p[out.n++] = c;
	}
	p[out.n] = '\0';
	if (utf8_is_valid(out))
		return out;
	*is_repaired = true;
	return utf8_clean(a, out, 3 * out.n);
}

void form_parse_lenient(struct arena *a, struct str text, struct http_pairs *out, bool *is_repaired)
{
	struct str rest = text, part, name, value;

	*is_repaired = false;
	*out = (struct http_pairs){arena_alloc(a, form_count_fields(text) * sizeof(*out->v)), 0};
	while (str_split(&rest, '&', &part)) {
		if (part.n == 0)
			continue;
		form_split_field(part, &name, &value);
		out->v[out->n++] = (struct http_pair){form_decode_lenient(a, name, is_repaired),
		    form_decode_lenient(a, value, is_repaired)};
	}
}
