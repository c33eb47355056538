/* How calls end, in words: for manifests and programs, and what people can do about it. */
#include "provider/provider-internal.h"

const char *const call_class_names[] = {[CALL_OK] = "ok",
    [CALL_RETRY] = "retry",
    [CALL_RATE_LIMITED] = "rateLimited",
    [CALL_AUTH] = "auth",
    [CALL_FATAL] = "fatal",
    [CALL_NOT_YET] = "notYet",
    NULL};

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
		return "It does not accept the credentials of this connection: connect it again";
	case CALL_FATAL:
		return "It did not take this, and would not the next time: change what is sent";
	case CALL_NOT_YET:
		return "It is not to be seen there so far: try again later";
	}
	return "";
}
