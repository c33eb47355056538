/* How calls end, in words: for manifests and programs, and what people can do about it. */
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

const char *call_class_advice(enum call_class class)
{
	switch (class) {
	case CALL_OK:
		break;
	case CALL_RETRY:
		return "It may pass by itself: try again later. What was to be changed may have "
		       "been changed all the same, so look first";
	case CALL_RATE_LIMITED:
		return "It asks to be called less often: try again later";
	case CALL_AUTH:
	case CALL_REFRESH:
		return "It does not accept the credentials of this connection: connect it again";
	case CALL_FATAL:
		return "It did not take this, and would not the next time: change what is sent";
	case CALL_NOT_YET:
		return "It is not to be seen there so far: try again later";
	case CALL_PERMISSION:
		return "It does not permit this: grant it there to whom the credentials are of";
	case CALL_CONFLICT:
		return "It is there already, or was changed meanwhile: look at what is there";
	case CALL_NOT_FOUND:
		return "It is not there, or no longer: check the id";
	}
	return "";
}
