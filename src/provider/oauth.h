/* How a provider hands out tokens: the "oauth" section of a manifest, and what is built and read by
 * it. Nothing here calls or stores: a request is made of what is known, an answer is read into
 * tokens, so that a manifest's examples run all of it without a network. Who calls, when, and what
 * is kept of it: connection/oauth.h.
 *
 *	oauth_authorize_url -> (browser) -> oauth_callback_read
 *	  -> oauth_build(EXCHANGE) -> oauth_read, then steps, in order
 *	oauth_build(REFRESH) -> oauth_read
 */
#ifndef PROVIDER_OAUTH_H
#define PROVIDER_OAUTH_H
#include "provider/provider.h"

struct http_call;
struct http_answer;

/* How a grant was given, and so how a new token is asked for. */
enum oauth_kind {
	OAUTH_CODE,    /* "authorization_code": by consent, in a browser */
	OAUTH_CLIENT,  /* "client_credentials": the client asks for itself */
	OAUTH_ACCOUNT, /* "account_credentials": for the account that settings name */
	OAUTH_KINDS
};
const char *oauth_kind_name(enum oauth_kind kind);
bool oauth_kind_parse(const char *name, enum oauth_kind *out);
bool oauth_is_there(const struct provider *p);
bool oauth_takes(const struct provider *p, enum oauth_kind kind);

/* What requests are made of. What is not known is NULL. */
struct oauth_known {
	const struct access *c;         /* settings, credentials, app; never NULL */
	const struct http_pairs *query; /* of the callback */
	const char *redirect_uri, *code, *verifier;
	const char *access_token, *refresh_token;
};

/* Where the browser is sent. verifier is that of PKCE (RFC 7636, S256): its challenge is sent where
 * the manifest says so. ERR_INVALID names what is missing. */
int oauth_authorize_url(struct arena *a, const struct provider *p, const struct oauth_known *k,
    const char *state, const char **url, struct err *err);

/* What came back. error: the provider's word, such as "access_denied"; text: what it says about it.
 * settings: of the connection, that the callback tells (a shop). */
struct oauth_callback {
	const char *code, *error, *text;
	json_t *settings;
};
/* ERR_REFUSED where the signature that the manifest asks for is missing, wrong or too old. */
int oauth_callback_read(struct arena *a, const struct provider *p, const struct oauth_known *k,
    int64_t now_us, struct oauth_callback *out, struct err *err);

enum oauth_step {
	OAUTH_EXCHANGE, /* the code for tokens; of the other kinds the first tokens, and all later
			 */
	OAUTH_REFRESH,
	OAUTH_REVOKE,
};
/* -1 with ERR_INVALID naming what is missing: a setting, a credential of the app. */
int oauth_build(struct arena *a, const struct provider *p, enum oauth_kind kind,
    enum oauth_step step, const struct oauth_known *k, struct http_call *call, struct err *err);
/* What follows the exchange; k->access_token is of the step before. */
size_t oauth_then_count(const struct provider *p);
int oauth_build_then(struct arena *a, const struct provider *p, size_t i,
    const struct oauth_known *k, struct http_call *call, struct err *err);

#define OAUTH_UNTOLD INT64_C(-1)
/* A token set of an answer: NULL and OAUTH_UNTOLD where it is not told. */
struct oauth_tokens {
	const char *access, *refresh, *scope;
	int64_t expires_s, refresh_expires_s;
	const char *user_access, *user_refresh; /* the second set (Slack) */
	int64_t user_expires_s;
	json_t *settings; /* an object, or NULL */
};
/* class: CALL_OK with tokens; CALL_AUTH: the grant is dead, by the provider's word;
 * CALL_RATE_LIMITED and CALL_RETRY (5xx, no JSON, no token in it) may pass; CALL_FATAL: the request
 * is wrong, which says nothing of the grant. error is for people; nothing of a token stands in it.
 */
struct oauth_answer {
	enum call_class class;
	int status;
	int64_t retry_after_ms; /* -1: unknown */
	const char *error;
	json_t *json; /* as it came; holds tokens */
	struct oauth_tokens tokens;
};
void oauth_read(struct arena *a, const struct provider *p, const struct oauth_known *k,
    const struct http_call *call, const struct http_answer *ans, struct oauth_answer *out);

/* Can new tokens be had with what there is? By the refresh token, by the access token itself while
 * it lives, or by the client alone. */
bool oauth_can_refresh(
    const struct provider *p, enum oauth_kind kind, const char *access, const char *refresh);
bool oauth_can_revoke(const struct provider *p);
/* How long an access token lives: as it was told, else as the manifest says; OAUTH_UNTOLD: until it
 * is refused, or for ever. */
int64_t oauth_lifetime_s(const struct provider *p, int64_t told_s);
/* How many days ahead people are told that a grant ends which nothing can renew. */
int64_t oauth_warn_days(const struct provider *p);

/* Is the setting asked for before a login can begin: needed, or named where it begins or where the
 * code is exchanged? */
bool oauth_asks_setting(const struct provider *p, const char *key);

/* Does the manifest say how it is told whose tokens they are? */
bool oauth_identifies(const struct provider *p);
/* Whose tokens they are: the action that tells, or NULL where the token's answer does. */
const char *oauth_identify_action(const struct provider *p);
struct oauth_identity {
	const char *external_id, *name; /* NULL: not told */
};
/* answer: of the token request; output: of the action, or NULL. */
void oauth_identify_read(struct arena *a, const struct provider *p, const struct access *c,
    json_t *answer, json_t *output, struct oauth_identity *out);

/* Several connections out of one consent: the action that lists them, or NULL. */
const char *oauth_expand_action(const struct provider *p);
/* [{externalAccountId, name, accessToken?, settings?}], at most OAUTH_EXPAND_MOST, each id once. */
#define OAUTH_EXPAND_MOST 200
json_t *oauth_expand_read(
    struct arena *a, const struct provider *p, const struct access *c, json_t *output);

#endif
