/* A condition as people write it, a NUL, and the JSON that it is evaluated against. What compiles
 * can be evaluated, twice with the same result; what does not says at which character. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "expr/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_so)
{
	if (!is_so)
		abort();
}

static const struct expr_field fields[] = {{"a", FIELD_ANY}, {"b", FIELD_SCALAR},
    {"step_2", FIELD_LATER}, {"keys", FIELD_KEYS}, {NULL, FIELD_ANY}};
static const struct expr_root roots[] = {{"", 0, NULL, fields}};
static const struct expr_language language = {EXPR_DOUBLE_BRACES, roots, 1, expr_functions};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nul = memchr(text, '\0', size);
	size_t n = nul == NULL ? size : (size_t)(nul - text);
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct loader l = {
	    .in = {.err = &err}, .a = a, .language = &language, .roots = EXPR_ROOT_BIT(0)};
	struct formula *f;

	if (utf8_is_valid((struct str){text, n})) {
		if (formula_compile(&l, (struct str){text, n}, &f) == 0) {
			struct scope s = {.a = a};

			if (nul != NULL)
				s.slot[0].json =
				    json_parse(a, (struct str){nul + 1, size - n - 1}, NULL);
			require(formula_holds(f, &s) == formula_holds(f, &s));
		} else {
			require(err.code == ERR_INVALID && err.msg[0] != '\0');
		}
	}
	arena_free(a);
	return 0;
}
