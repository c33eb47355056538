/* What a success is beyond 2xx: a condition that people configure, over the answer. */
#include "provider/provider-internal.h"

#define ROOTS_SUCCESS (ROOT_BIT(ROOT_STATUS) | ROOT_BIT(ROOT_ANSWER))

static int success_compile(
    struct arena *a, const json_t *condition, struct cond **out, struct err *err)
{
	struct loader l = {
	    .in = {.err = err}, .a = a, .language = &provider_language, .roots = ROOTS_SUCCESS};

	return cond_compile(&l, condition, out);
}

int provider_check_success(struct arena *a, const json_t *condition, struct err *err)
{
	struct cond *ignored;

	return success_compile(a, condition, &ignored, err);
}

bool answer_is_success(
    struct arena *a, const json_t *condition, int status, json_t *answer, struct str body)
{
	struct scope s = {.a = a};
	struct cond *c;

	if (success_compile(a, condition, &c, NULL) == -1)
		return false; /* it was checked when it was saved */
	s.slot[ROOT_STATUS].json = json_own(a, json_integer(status));
	s.slot[ROOT_ANSWER].json = answer;
	if (answer == NULL && body.n > 0 && utf8_is_valid(body))
		s.slot[ROOT_ANSWER].json = json_own(a, json_stringn(body.p, body.n));
	return cond_holds(c, &s);
}
