/* Encryption at rest: AES-256-GCM. A sealed blob is version(1) key id(4, big-endian) nonce(12)
 * ciphertext tag(16); context (table and row id) is authenticated, so a blob cannot be moved. */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H
#include "base/err.h"
#include "base/str.h"
#include <stdint.h>
struct arena;
struct keyring;
/* Reads `id:base64(32 bytes)` lines, newest first: the first seals, all open. The file must not be
 * readable by others. */
struct keyring *keyring_load(struct arena *a, const char *path, struct err *err);
/* Writes a file with one fresh key, mode 0600; ERR_CONFLICT when it exists. */
int keyring_create(const char *path, struct err *err);
/* Arena-owned results; {NULL,0} and err on failure. */
struct str aead_seal(const struct keyring *k, struct arena *a, struct str context, struct str plain,
    struct err *err);
struct str aead_open(
    const struct keyring *k, struct arena *a, struct str context, struct str blob, struct err *err);
/* 32 bytes derived from the newest key for another purpose (HKDF-SHA256 of RFC 5869 without salt,
 * info = purpose): they change when a new key is put first. */
void keyring_derive(const struct keyring *k, const char *purpose, unsigned char out[32]);
#endif
