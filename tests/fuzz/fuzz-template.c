/* Template text, a NUL, then JSON data: compiling and rendering must be safe, and a hostile value
 * in any place must come out without an element of its own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "html/template.h"

/* Every scalar the templates of the fuzzer can name; none of its markup may survive. */
static const char hostile[] = "'\"><zz zz=zz>";

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *nul = memchr(p, '\0', n);
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct str text = {(const char *)p, nul != NULL ? (size_t)(nul - p) : n};
	struct buf *out = buf_new(a, LIMIT_PAGE_BYTES);
	json_t *data = NULL;

	if (nul != NULL)
		data = json_parse(
		    a, (struct str){(const char *)nul + 1, n - (size_t)(nul - p) - 1}, &err);
	if (data == NULL)
		data = json_own(a, json_object());
	err_clear(&err);
	(void)template_render_text(a, text, data, false, out, &err);

	/* The same text over hostile values, unless it holds what is looked for by itself. */
	if (memmem(text.p, text.n, "zz", 2) == NULL) {
		json_t *bad = json_own(a, json_object());
		char name[2] = "a";
		for (; name[0] <= 'z'; name[0]++)
			json_set_str(bad, name, hostile);
		err_clear(&err);
		buf_reset(out);
		if (template_render_text(a, text, bad, false, out, &err) == 0 &&
		    memmem(out->p, out->len, "<zz", 3) != NULL)
			abort();
	}
	arena_free(a);
	return 0;
}
