/* A Content-Type on the first line, then the body: the outcome must not depend on where the pieces
 * it arrives in are cut. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "http/form.h"

struct outcome {
	int rc;
	struct err err;
	struct http_pairs fields;
	struct http_file *files;
	size_t nfiles;
};

/* step 0: pieces of one, two, three… bytes. */
static struct outcome parse(struct arena *a, struct str type, struct str body, size_t step)
{
	struct outcome o = {.rc = -1};
	struct multipart *m = multipart_new(a, type, "/tmp", &o.err);
	size_t i = 0, n = 0;

	if (m == NULL)
		return o;
	while (i < body.n) {
		n = step != 0 ? step : n + 1;
		if (n > body.n - i)
			n = body.n - i;
		if (multipart_feed(m, (struct str){body.p + i, n}, &o.err) != 0)
			return o;
		i += n;
	}
	o.rc = multipart_end(m, &o.fields, &o.files, &o.nfiles, &o.err);
	return o;
}

static void compare(const struct outcome *x, const struct outcome *y)
{
	size_t i;

	if (x->rc != y->rc || x->err.code != y->err.code)
		abort();
	if (x->rc != 0)
		return;
	if (x->fields.n != y->fields.n || x->nfiles != y->nfiles)
		abort();
	for (i = 0; i < x->fields.n; i++)
		if (!str_eq(x->fields.v[i].name, y->fields.v[i].name) ||
		    !str_eq(x->fields.v[i].value, y->fields.v[i].value))
			abort();
	for (i = 0; i < x->nfiles; i++)
		if (!str_eq(x->files[i].filename, y->files[i].filename) ||
		    x->files[i].size != y->files[i].size ||
		    !str_eq(x->files[i].data, y->files[i].data))
			abort();
}

static void check(const struct outcome *o)
{
	size_t i;

	for (i = 0; o->rc == 0 && i < o->fields.n; i++)
		if (!utf8_is_valid(o->fields.v[i].name) || !utf8_is_valid(o->fields.v[i].value))
			abort();
	for (i = 0; o->rc == 0 && i < o->nfiles; i++) {
		struct str name = o->files[i].filename;

		if (!utf8_is_valid(name) || memchr(name.p, '/', name.n) != NULL ||
		    memchr(name.p, '\\', name.n) != NULL || str_is(name, ".."))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str body = {(const char *)p, n}, type;
	struct arena *a = arena_new();
	struct outcome whole, other;
	size_t cut;

	if (n != 0 && str_split(&body, '\n', &type)) {
		/* Steps that move with the input, so that each place is a border in some run. */
		cut = 1 + n % 37;
		whole = parse(a, type, body, n);
		check(&whole);
		other = parse(a, type, body, 0);
		compare(&whole, &other);
		other = parse(a, type, body, cut);
		compare(&whole, &other);
	}
	arena_free(a);
	return 0;
}
