#include "crypto/jwt.h"

#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

#define KEY_BYTES 32
#define TOKEN_MOST 8192u

static char *jwt_refuse_to_sign(jwt_t *jwt, struct err *err)
{
	if (jwt)
		jwt_free(jwt);
	err_set(err, ERR_INTERNAL, "token: cannot be signed");
	return NULL;
}

char *jwt_sign(struct arena *a, const unsigned char key[32], const json_t *claims, int64_t now_us,
    int64_t ttl_s, struct err *err)
{
	json_t *all = json_own(a, claims ? json_copy((json_t *)(uintptr_t)claims) : json_object());
	jwt_t *jwt = NULL;
	char *text, *token;

	json_set_int(all, "iat", now_us / SECOND_US);
	json_set_int(all, "exp", now_us / SECOND_US + ttl_s);
	if (jwt_new(&jwt) || jwt_set_alg(jwt, JWT_ALG_HS256, key, KEY_BYTES) ||
	    jwt_add_grants_json(jwt, json_text(a, all).p))
		return jwt_refuse_to_sign(jwt, err);
	text = jwt_encode_str(jwt);
	if (!text)
		return jwt_refuse_to_sign(jwt, err);
	token = arena_strdup(a, text);
	free(text);
	jwt_free(jwt);
	return token;
}

/* The claims of a token whose signature holds, or NULL. The library takes whatever algorithm the
 * token names that fits the key, so ours is asked for. */
static json_t *jwt_claims(struct arena *a, const unsigned char *key, const char *token)
{
	json_t *claims = NULL;
	jwt_t *jwt = NULL;
	char *text;

	if (!token || strlen(token) > TOKEN_MOST || jwt_decode(&jwt, token, key, KEY_BYTES))
		return NULL;
	if (jwt_get_alg(jwt) == JWT_ALG_HS256) {
		text = jwt_get_grants_json(jwt, NULL);
		if (text)
			claims = json_parse(a, str_from(text), NULL);
		free(text);
	}
	jwt_free(jwt);
	return json_is_object(claims) ? claims : NULL;
}

json_t *jwt_verify(struct arena *a, const unsigned char key[32], const char *token, int64_t now_us,
    struct err *err)
{
	json_t *claims = jwt_claims(a, key, token);

	if (!claims) {
		err_set(err, ERR_UNAUTHORIZED, "token is not valid");
		return NULL;
	}
	if (json_int(claims, "exp") <= now_us / SECOND_US) {
		err_set(err, ERR_UNAUTHORIZED, "token has expired");
		return NULL;
	}
	if (json_int(claims, "nbf") > now_us / SECOND_US) {
		err_set(err, ERR_UNAUTHORIZED, "token is not valid yet");
		return NULL;
	}
	return claims;
}
