/* Signed tokens, HS256 only (RFC 7519, 7515), through libjwt. */
#ifndef CRYPTO_JWT_H
#define CRYPTO_JWT_H
#include "base/json.h"
/* claims plus iat and exp. */
char *jwt_sign(struct arena *a, const unsigned char key[32], const json_t *claims, int64_t now_us,
    int64_t ttl_s, struct err *err);
/* The claims, arena-owned, if algorithm, signature and exp hold; NULL and ERR_UNAUTHORIZED else. */
json_t *jwt_verify(struct arena *a, const unsigned char key[32], const char *token, int64_t now_us,
    struct err *err);
#endif
