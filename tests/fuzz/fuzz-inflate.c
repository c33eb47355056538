/* Whatever stands behind a coding is at most as long as was asked for, or is refused in words. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 4096u

static void require(int is_so)
{
	if (!is_so)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const codings[] = {"gzip", "deflate"};
	struct arena *a = arena_new();

	for (size_t i = 0; i < 2; i++) {
		struct str out = {NULL, 0};
		struct err e = ERR_INIT;

		if (coding_undo(a, str_from(codings[i]), (struct str){(const char *)data, size},
			MOST, &out, &e) == 0)
			require(e.code == ERR_NONE && out.p != NULL && out.n <= MOST);
		else
			require((e.code == ERR_MALFORMED || e.code == ERR_LIMIT) && e.msg[0]);
	}
	arena_free(a);
	return 0;
}
