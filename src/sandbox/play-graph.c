#include "sandbox/play-graph.h"

#include "sandbox/signing.h"

int graph_error(
    struct play_call *c, int status, int code, int subcode, const char *type, const char *message)
{
	json_t *error = json_object();

	json_set_str(error, "message", message);
	json_set_str(error, "type", type);
	json_set_int(error, "code", code);
	if (subcode != 0)
		json_set_int(error, "error_subcode", subcode);
	json_set_str(error, "fbtrace_id", "Asandbox");
	return play_json(c, status, json_pack("{s:o}", "error", error));
}

int graph_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
		return graph_error(c, 401, 190, 0, "OAuthException",
		    "Invalid OAuth access token - Cannot parse access token");
	case REFUSE_EXPIRED:
		return graph_error(c, 401, 190, 463, "OAuthException",
		    "Error validating access token: Session has expired");
	case REFUSE_THROTTLED:
		return graph_error(c, 400, 130429, 0, "OAuthException", "(#130429) Rate limit hit");
	case REFUSE_FORBIDDEN:
		return graph_error(c, 403, 200, 0, "OAuthException", "(#200) Permissions error");
	case REFUSE_NOT_FOUND:
		return graph_error(c, 404, 2500, 0, "OAuthException", "Unknown path components");
	case REFUSE_INVALID:
		return graph_error(c, 400, 100, 0, "OAuthException", text);
	case REFUSE_BROKEN:
		break;
	}
	return graph_error(c, 500, 2, 0, "OAuthException", "An unexpected error has occurred");
}

bool graph_is_version(struct str s)
{
	bool has_digit = false, has_dot = false;

	if (s.n < 2 || s.n > 8 || s.p[0] != 'v')
		return false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '.' && !has_dot && has_digit)
			has_dot = true;
		else if (s.p[i] >= '0' && s.p[i] <= '9')
			has_digit = true;
		else
			return false;
	}
	return has_digit;
}

struct str graph_token(const struct play_call *c)
{
	const struct str token = play_bearer_token(c);

	return token.n > 0 ? token : play_arg(c, "access_token");
}

bool graph_let_in(struct play_call *c, int *rc)
{
	const struct str token = graph_token(c);
	int64_t ends_us;

	c->bearer = token.n > 0 ? play_get(c, "token", token) : NULL;
	ends_us = json_int(c->bearer, "ends_us");
	if (c->bearer != NULL && (ends_us == 0 || ends_us > clock_now_us()))
		return true;
	*rc = token.n == 0
		  ? graph_error(c, 400, 104, 0, "OAuthException",
			"An access token is required to request this resource.")
		  : graph_refuse(c, c->bearer != NULL ? REFUSE_EXPIRED : REFUSE_NO_TOKEN, NULL);
	return false;
}

void graph_headers(struct play_call *c)
{
	const long long used = (long long)play_used(c, 100);

	res_headerf(c->r, "X-App-Usage",
	    "{\"call_count\":%lld,\"total_cputime\":1,\"total_time\":1}", used);
	res_headerf(c->r, "X-Business-Use-Case-Usage",
	    "{\"%s\":[{\"type\":\"leadgen\",\"call_count\":%lld,\"total_cputime\":1,"
	    "\"total_time\":1,\"estimated_time_to_regain_access\":%d}]}",
	    c->play->account, used, used >= 100 ? 1 : 0);
}

void graph_sign(struct order *o)
{
	if (strcmp(o->method, "GET") != 0)
		order_header(o, "X-Hub-Signature-256", sign_hub(o->c.a, o->secret, o->body));
	order_header(o, "User-Agent", "facebookexternalua");
}

int graph_challenge(struct order *o)
{
	o->expects = "1158201444";
	o->method = "GET";
	o->url = arena_printf(o->c.a, "%s?hub.mode=subscribe&hub.challenge=%s&hub.verify_token=%s",
	    o->url, o->expects, order_wish(o, "verify_token", "sandbox-verify-token"));
	return 0;
}
