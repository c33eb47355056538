/* SHA-1/256/512 and HMAC over several parts, and constant-time comparison. Keys are raw bytes. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H
#include "base/str.h"
#include <stdbool.h>
#define SHA1_SIZE 20
#define SHA256_SIZE 32
#define SHA512_SIZE 64
#define HASH_SIZE_MAX SHA512_SIZE
enum hash_alg { HASH_SHA1, HASH_SHA256, HASH_SHA512 };
/* The algorithm called "sha1", "sha256", …; false, and *out as it was, when there is none. */
bool hash_by_name(struct str name, enum hash_alg *out);
size_t hash_size(enum hash_alg alg);
/* out takes hash_size(alg) bytes, at most HASH_SIZE_MAX. */
void hash_parts(enum hash_alg alg, const struct str *parts, size_t n, unsigned char *out);
void hmac_parts(
    enum hash_alg alg, struct str key, const struct str *parts, size_t n, unsigned char *out);
void sha256(struct str data, unsigned char out[SHA256_SIZE]);
void sha256_hex(struct str data, char out[2 * SHA256_SIZE + 1]);
/* Compares in time that depends on the lengths only; unequal lengths are false. */
bool mem_equal_ct(const void *a, size_t an, const void *b, size_t bn);
#endif
