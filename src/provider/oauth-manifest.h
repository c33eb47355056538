/* The "oauth" section of a manifest, compiled: for manifest-oauth.c and oauth.c alone. */
#ifndef PROVIDER_OAUTH_MANIFEST_H
#define PROVIDER_OAUTH_MANIFEST_H
#include "provider/oauth.h"
#include "provider/provider-internal.h"

/* What its expressions can name: a language of its own, since credentials may be named here and
 * nowhere else. */
enum oauth_root {
	OAUTH_ROOT_SETTINGS,
	OAUTH_ROOT_QUERY, /* of the callback; from: struct http_pairs */
	OAUTH_ROOT_ANSWER,
	OAUTH_ROOT_STATUS,
	OAUTH_ROOT_OUTPUT, /* of the action that identifies, or lists */
	OAUTH_ROOT_APP,    /* its credentials */
	OAUTH_ROOT_CREDENTIALS,
	OAUTH_ROOT_CODE,
	OAUTH_ROOT_REDIRECT_URI,
	OAUTH_ROOT_REFRESH_TOKEN,
	OAUTH_ROOT_ACCESS_TOKEN,
	OAUTH_ROOT_VERSION,
	OAUTH_ROOTS
};

enum oauth_body { OAUTH_FORM, OAUTH_JSON, OAUTH_QUERY };
enum oauth_client_place { OAUTH_CLIENT_BODY, OAUTH_CLIENT_BASIC, OAUTH_CLIENT_NONE };

/* A request for tokens. Its parameters are those of RFC 6749, then those of params, which replace
 * them; one whose value is null is left out. */
struct oauth_request {
	bool is_declared;
	struct expr *url, *method;
	int body, client;
	const char *client_id_name, *client_secret_name, *code_name;
	struct named_expr *params, *headers; /* a value of NULL: left out */
	size_t nparams, nheaders;
};

struct oauth_token_rules {
	struct expr *access, *refresh, *expires, *refresh_expires, *scope;
	struct named_expr *settings;
	size_t nsettings;
	struct expr *user_access, *user_refresh, *user_expires;
};

struct oauth {
	bool takes[OAUTH_KINDS];
	struct {
		struct expr *url;
		const char **scopes;
		size_t nscopes;
		const char *separator, *client_id_name, *redirect_uri_name;
		struct named_expr *params;
		size_t nparams;
		bool has_pkce;
	} authorize;
	struct {
		struct expr *code, *error, *text;
		struct named_expr *settings;
		size_t nsettings;
		bool is_signed;
		const char *hmac_parameter, *hmac_credential, *timestamp_parameter;
		int64_t window_s;
	} callback;
	struct oauth_request exchange, refresh, client, account, revoke;
	struct oauth_request *then;
	size_t nthen;
	struct oauth_token_rules tokens;
	struct error_rule *errors;
	size_t nerrors;
	struct {
		const char *action;
		struct expr *external_id, *name;
	} identify;
	struct {
		const char *action;
		struct loops loops;
		struct expr *external_id, *name, *access;
		struct named_expr *settings;
		size_t nsettings;
	} expand;
	int64_t lifetime_s; /* OAUTH_UNTOLD: until it is refused, or for ever */
	int64_t warn_days;
};

#endif
