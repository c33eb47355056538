/* SHA-1/256 and HMAC over several parts, and constant-time comparison. Keys are raw bytes. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H
#include "base/str.h"
#include <stdbool.h>
#define SHA1_SIZE 20
#define SHA256_SIZE 32
enum hash_alg { HASH_SHA1, HASH_SHA256 };
size_t hash_size(enum hash_alg alg);
void hash_parts(enum hash_alg alg, const struct str *parts, size_t n, unsigned char *out);
void hmac_parts(
    enum hash_alg alg, struct str key, const struct str *parts, size_t n, unsigned char *out);
void sha256(struct str data, unsigned char out[SHA256_SIZE]);
void sha256_hex(struct str data, char out[2 * SHA256_SIZE + 1]);
/* Compares in time that depends on the lengths only; unequal lengths are false. */
bool mem_equal_ct(const void *a, size_t an, const void *b, size_t bn);
#endif
