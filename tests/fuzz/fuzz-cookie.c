/* A Cookie header: names and values are parts of it, without what could end a line or a pair. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "http/form.h"

static void check_part(struct str whole, struct str part)
{
	size_t i;

	if (part.p < whole.p || part.p + part.n > whole.p + whole.n)
		abort();
	for (i = 0; i < part.n; i++)
		if ((unsigned char)part.p[i] < 0x20 || part.p[i] == ';' || part.p[i] == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str text = {(const char *)p, n};
	struct arena *a = arena_new();
	struct http_pairs out;
	size_t i;

	cookie_parse(a, text, &out);
	if (out.n > LIMIT_FORM_FIELDS)
		abort();
	for (i = 0; i < out.n; i++) {
		if (out.v[i].name.n == 0 || memchr(out.v[i].name.p, '=', out.v[i].name.n) != NULL)
			abort();
		check_part(text, out.v[i].name);
		check_part(text, out.v[i].value);
	}
	arena_free(a);
	return 0;
}
