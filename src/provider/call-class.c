/* How calls end, in words. */
#include "provider/provider-internal.h"

const char *const call_class_names[] = {[CALL_OK] = "ok",
    [CALL_RETRY] = "retry",
    [CALL_RATE_LIMITED] = "rateLimited",
    [CALL_AUTH] = "auth",
    [CALL_FATAL] = "fatal",
    [CALL_NOT_YET] = "notYet",
    [CALL_REFRESH] = "refresh",
    [CALL_PERMISSION] = "permission",
    [CALL_CONFLICT] = "conflict",
    [CALL_NOT_FOUND] = "notFound",
    NULL};

bool call_class_parse(struct str name, enum call_class *out)
{
	for (size_t i = 0; call_class_names[i] != NULL; i++)
		if (str_is(name, call_class_names[i])) {
			*out = (enum call_class)i;
			return true;
		}
	return false;
}
