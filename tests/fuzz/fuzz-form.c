/* Urlencoded text: what is accepted must be clean UTF-8 and must come back the same when it is
 * encoded and parsed again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "http/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 16 * (n + 1));
	struct http_pairs first, again;
	struct err err = ERR_INIT;
	size_t i;

	if (form_parse(a, (struct str){(const char *)p, n}, &first, &err) == 0) {
		for (i = 0; i < first.n; i++) {
			if (!utf8_is_valid(first.v[i].name) || !utf8_is_valid(first.v[i].value))
				abort();
			if (first.v[i].name.p == NULL || first.v[i].value.p == NULL)
				abort();
			if (i != 0)
				buf_chr(b, '&');
			percent_encode(b, first.v[i].name);
			buf_chr(b, '=');
			percent_encode(b, first.v[i].value);
		}
		if (!buf_ok(b) || form_parse(a, (struct str){b->p, b->len}, &again, &err) != 0 ||
		    again.n != first.n)
			abort();
		for (i = 0; i < first.n; i++)
			if (!str_eq(first.v[i].name, again.v[i].name) ||
			    !str_eq(first.v[i].value, again.v[i].value))
				abort();
	} else if (err.code != ERR_MALFORMED && err.code != ERR_LIMIT) {
		abort();
	}
	arena_free(a);
	return 0;
}
