/* The bearer token: who asks and for which account. What they may do is read from the membership
 * each time, so a changed role holds at once and a token carries nothing worth altering. */
#include "account/account-internal.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "crypto/aead.h"
#include "crypto/jwt.h"

#define TOKEN_BYTES_MOST 2048u
#define VERSION_BYTES 12u

static const unsigned char *token_signing_key(struct app *app)
{
	static unsigned char key[32];

	keyring_derive(app->keys, "jwt", key);
	return key;
}

const char *token_version(struct app *app, struct arena *a, const struct account_member *m)
{
	unsigned char mac[SHA256_SIZE];
	struct str parts[] = {
	    str_from(arena_printf(a, "epoch:%lld password:", (long long)m->token_epoch)),
	    str_from(m->password_hash)};
	struct buf *b = buf_new(a, 64);

	hmac_parts(
	    HASH_SHA256, (struct str){(const char *)token_signing_key(app), 32}, parts, 2, mac);
	base64url_encode(b, mac, VERSION_BYTES);
	return b->p;
}

char *token_make(struct app *app, struct arena *a, const struct account_member *m, int64_t now_us,
    struct err *err)
{
	json_t *claims = json_own(a, json_object());

	json_set_str(claims, "sub", uuid_dup(a, m->user_id));
	json_set_str(claims, "acc", uuid_dup(a, m->account_id));
	json_set_str(claims, "ver", token_version(app, a, m));
	return jwt_sign(a, token_signing_key(app), claims, now_us, app->config->jwt_ttl_s, err);
}

bool token_read(
    struct app *app, struct arena *a, struct str text, int64_t now_us, struct token_claims *out)
{
	json_t *claims;

	if (text.n > TOKEN_BYTES_MOST)
		return false;
	claims =
	    jwt_verify(a, token_signing_key(app), arena_strndup(a, text.p, text.n), now_us, NULL);
	if (claims == NULL)
		return false;
	out->version = json_str(claims, "ver");
	out->expires_us = json_int(claims, "exp") * SECOND_US;
	return out->version != NULL &&
	       uuid_parse(str_from(json_str(claims, "sub")), &out->user_id) &&
	       uuid_parse(str_from(json_str(claims, "acc")), &out->account_id);
}
