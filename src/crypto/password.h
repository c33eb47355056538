/* yescrypt through libcrypt's crypt_gensalt_ra/crypt_rn. */
#ifndef CRYPTO_PASSWORD_H
#define CRYPTO_PASSWORD_H
#include "base/err.h"
#include <stdbool.h>
struct arena;
char *password_hash(struct arena *a, const char *password, struct err *err);
/* False on any mismatch; hash NULL does the same work against a fixed hash, so that an unknown user
 * costs what a known one does. */
bool password_is_right(const char *password, const char *hash);
#endif
