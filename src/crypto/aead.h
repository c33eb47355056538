/* Encryption at rest: AES-256-GCM. A sealed blob is version(1) key id(4, big-endian) nonce(12)
 * ciphertext tag(16); context (table and row id) is authenticated, so a blob cannot be moved. */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H
#include "base/err.h"
#include "base/str.h"
#include <stdint.h>
struct arena;
struct keyring;
/* Reads `id:base64(32 bytes)` lines: the first seals, all open. The file must not be readable by
 * others. It is read anew by itself: before a seal or a derivation, when it has changed, and when a
 * blob names a key that is not known, each once a second at most. So keys are changed while the
 * product runs; a file that cannot be read, or lacks every key, leaves things as they were. */
struct keyring *keyring_load(struct arena *a, const char *path, struct err *err);
/* Writes a file with one fresh key, mode 0600; ERR_CONFLICT when it exists. */
int keyring_create(const char *path, struct err *err);
/* Arena-owned results; {NULL,0} and err on failure. */
struct str aead_seal(
    struct keyring *k, struct arena *a, struct str context, struct str plain, struct err *err);
struct str aead_open(
    struct keyring *k, struct arena *a, struct str context, struct str blob, struct err *err);
/* 32 bytes derived from the key with the least id for another purpose (HKDF-SHA256 of RFC 5869
 * without salt, info = purpose): they stay while keys are added, and change when that one goes. For
 * what is kept longer: account/kept-key.h. */
void keyring_derive(struct keyring *k, const char *purpose, unsigned char out[32]);

/* ---- changing keys, for the operator's tool ------------------------------------------------ */
uint32_t keyring_sealing_id(const struct keyring *k);
uint32_t keyring_newest_id(const struct keyring *k); /* the greatest */
/* The key that sealed a blob; 0: it is none of ours. */
uint32_t aead_key_id(struct str blob);
/* Changes the file, whole, with its owner and mode, and reads it: adds a fresh key, which opens and
 * does not seal yet; lets the one with the greatest id seal; takes one out. */
int keyring_add(struct keyring *k, struct err *err);
int keyring_promote(struct keyring *k, struct err *err);
int keyring_drop(struct keyring *k, uint32_t id, struct err *err);
#endif
