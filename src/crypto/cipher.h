/* The one cipher of the product, AES-256-GCM (NIST SP 800-38D), for crypto/aead.c alone. */
#ifndef CRYPTO_CIPHER_H
#define CRYPTO_CIPHER_H

#include <stdbool.h>

#include "base/str.h"

#define CIPHER_KEY 32
#define CIPHER_NONCE 12
#define CIPHER_TAG 16

/* out takes plain.n + CIPHER_TAG bytes, the tag last. Aborts where the library cannot. */
void cipher_seal(const unsigned char key[CIPHER_KEY], const unsigned char nonce[CIPHER_NONCE],
    struct str authenticated, struct str plain, unsigned char *out);
/* out takes sealed.n - CIPHER_TAG bytes; false when anything was altered, and out is then void. */
bool cipher_open(const unsigned char key[CIPHER_KEY], const unsigned char nonce[CIPHER_NONCE],
    struct str authenticated, struct str sealed, unsigned char *out);

#endif
