#include "sandbox/play-google.h"

int google_error(
    struct play_call *c, int status, const char *word, const char *reason, const char *text)
{
	return play_json(c, status,
	    json_pack("{s:{s:i,s:s,s:s,s:[{s:s,s:s,s:s}]}}", "error", "code", status, "message",
		text, "status", word, "errors", "domain", "global", "reason", reason, "message",
		text));
}

int google_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
	case REFUSE_EXPIRED:
		return google_error(c, 401, "UNAUTHENTICATED", "authError",
		    "Request had invalid authentication credentials.");
	case REFUSE_THROTTLED:
		return google_error(
		    c, 403, "RESOURCE_EXHAUSTED", "rateLimitExceeded", "Rate Limit Exceeded");
	case REFUSE_FORBIDDEN:
		return google_error(c, 403, "PERMISSION_DENIED", "forbidden",
		    "The caller does not have permission");
	case REFUSE_NOT_FOUND:
		return google_error(c, 404, "NOT_FOUND", "notFound", "Not Found");
	case REFUSE_INVALID:
		return google_error(c, 400, "INVALID_ARGUMENT", "invalid", text);
	case REFUSE_BROKEN:
		break;
	}
	return google_error(c, 500, "INTERNAL", "backendError", "Internal error encountered.");
}

/* Without access_type=offline and prompt=consent there is no refresh token. */
static bool google_may_refresh(const struct play_call *c, const json_t *authorization)
{
	const char *type = json_str(authorization, "access_type"),
		   *prompt = json_str(authorization, "prompt");

	(void)c;
	return authorization == NULL || (type != NULL && strcmp(type, "offline") == 0 &&
					    prompt != NULL && strstr(prompt, "consent") != NULL);
}

const struct play_oauth google_oauth = {.authorize = "/o/oauth2/v2/auth",
    .token = "/token",
    .revoke = "/revoke",
    .expires_s = 3599,
    .may_refresh = google_may_refresh};
