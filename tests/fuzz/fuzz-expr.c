/* The first byte chooses syntax, leniency and whether $raw may stand; then an expression as JSON, a
 * NUL, and the JSON that it is evaluated against. What compiles can be evaluated in every way; what
 * does not says why; what is constant does not depend on the scope; what input can multiply is
 * bounded. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "expr/expr.h"

#define WEIGHT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int is_so)
{
	if (!is_so)
		abort();
}

enum root { ROOT_A, ROOT_B, ROOT_NAMED };

static struct str echo_find(const void *from, const char *name)
{
	return strlen(name) > 8 ? (struct str){from, 1} : str_from(name);
}

static const struct expr_root named[] = {
    {"a", ROOT_A, NULL, NULL}, {"b", ROOT_B, NULL, NULL}, {"named", ROOT_NAMED, echo_find, NULL}};
static const struct expr_field fields[] = {
    {"a", FIELD_SCALAR}, {"b", FIELD_KEYS}, {NULL, FIELD_SCALAR}};
static const struct expr_root nameless[] = {{"", ROOT_A, NULL, NULL}};
static const struct expr_root fielded[] = {{"", ROOT_A, NULL, fields}};
static const struct expr_language languages[] = {{EXPR_SINGLE_BRACES, named, 3, expr_functions},
    {EXPR_DOUBLE_BRACES, nameless, 1, expr_functions},
    {EXPR_DOUBLE_BRACES, named, 3, expr_functions},
    {EXPR_SINGLE_BRACES, fielded, 1, expr_functions},
    {EXPR_DOUBLE_BRACES, fielded, 1, expr_functions}};

static struct scope scope_of(struct arena *a, json_t *v)
{
	struct scope s = {.a = a, .weight_max = WEIGHT_MAX};

	s.slot[ROOT_A].json = v;
	s.slot[ROOT_B].json = json_object_get(v, "b");
	s.slot[ROOT_NAMED].from = v == NULL ? NULL : "x";
	return s;
}

static int place_check(unsigned slot, const char *path, void *arg)
{
	require(slot < EXPR_SLOTS && path != NULL);
	++*(size_t *)arg;
	return 0;
}

static void evaluate(
    const struct expr *e, const json_t *source, struct arena *a, json_t *v, bool is_data)
{
	int64_t at_us;

	struct scope s = scope_of(a, v), nothing = scope_of(a, NULL);
	size_t nplaces = 0;
	json_t *out = expr_json(e, &s, is_data);

	if (out != NULL)
		json_own(a, out);
	if (is_data)
		require(out == NULL || json_weight(out) <= WEIGHT_MAX + json_weight(source));
	struct str text = expr_text(e, &s);
	require(text.p == NULL || utf8_is_valid(text));
	expr_text_escaped(e, &s, percent_encode);
	expr_text_encoded(e, &s, percent_encode);
	expr_time(e, &s, &at_us);
	expr_shared(e, &s);
	expr_each_place(e, place_check, &nplaces);
	require((nplaces == 0) == expr_is_constant(e));
	if (nplaces > 0 || scope_is_over(&s))
		return;
	json_t *same = expr_json(e, &nothing, is_data);
	require((out == NULL) == (same == NULL));
	require(same == NULL || json_equal(out, json_own(a, same)));
}

struct rounds {
	const struct cond *when;
	size_t n;
};

static int holds_in(struct scope *s, void *arg)
{
	struct rounds *r = arg;

	cond_holds(r->when, s);
	return ++r->n > 1000;
}

/* {"for": loops, "when": a condition on them} */
static void loop(struct loader *l, const json_t *source, json_t *v)
{
	struct scope s = scope_of(l->a, v);
	struct loops loops;
	struct cond *when;

	l->nloops = 0;
	if (loops_member(l, source, "for", &loops) == 0 &&
	    cond_member(l, source, "when", &when) == 0)
		loops_each(&loops, &s, holds_in, &(struct rounds){when, 0});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	const char *nul = size == 0 ? NULL : memchr(text, '\0', size - 1);
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct expr *e = NULL;

	if (nul != NULL) {
		struct str rest = {nul + 1, size - 2 - (size_t)(nul - text)};
		json_t *source = json_parse(a, (struct str){text, (size_t)(nul - text)}, NULL);
		json_t *v = json_parse(a, rest, NULL);
		struct loader l = {.in = {.err = &err},
		    .a = a,
		    .language = &languages[data[0] & 3],
		    .roots = EXPR_ROOT_BIT(ROOT_A) | EXPR_ROOT_BIT(ROOT_NAMED),
		    .is_lenient = (data[0] & 4) != 0,
		    .allows_raw = (data[0] & 8) != 0};
		bool is_data = l.language->syntax == EXPR_DOUBLE_BRACES;

		if (source != NULL && expr_compile(&l, source, &e) == 0)
			evaluate(e, source, a, v, is_data);
		else if (source != NULL)
			require(err.code == ERR_INVALID && err.msg[0] != '\0' &&
				!(is_data && l.is_lenient));
		if (source != NULL)
			loop(&l, source, v);
	}
	arena_free(a);
	return 0;
}
