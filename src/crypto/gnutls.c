/* All that GnuTLS does for us: digests, MACs and the cipher. Its failures here are a broken
 * installation (or one that forbids the algorithm), never a matter of the data. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"

static void gnutls_require(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "gnutls: %s: %s\n", what, gnutls_strerror(rc));
	abort();
}

static const struct {
	const char *name;
	size_t size;
	gnutls_digest_algorithm_t digest;
	gnutls_mac_algorithm_t mac;
} hash_algorithms[] = {
    [HASH_SHA1] = {"sha1", SHA1_SIZE, GNUTLS_DIG_SHA1, GNUTLS_MAC_SHA1},
    [HASH_SHA256] = {"sha256", SHA256_SIZE, GNUTLS_DIG_SHA256, GNUTLS_MAC_SHA256},
    [HASH_SHA512] = {"sha512", SHA512_SIZE, GNUTLS_DIG_SHA512, GNUTLS_MAC_SHA512},
};

bool hash_by_name(struct str name, enum hash_alg *out)
{
	for (size_t i = 0; i < sizeof(hash_algorithms) / sizeof(*hash_algorithms); i++)
		if (str_is(name, hash_algorithms[i].name)) {
			*out = (enum hash_alg)i;
			return true;
		}
	return false;
}

size_t hash_size(enum hash_alg alg)
{
	return hash_algorithms[alg].size;
}

void hash_parts(enum hash_alg alg, const struct str *parts, size_t n, unsigned char *out)
{
	gnutls_hash_hd_t h;

	gnutls_require(gnutls_hash_init(&h, hash_algorithms[alg].digest), "digest");
	for (size_t i = 0; i < n; i++)
		if (parts[i].n)
			gnutls_require(gnutls_hash(h, parts[i].p, parts[i].n), "digest");
	gnutls_hash_deinit(h, out);
}

void hmac_parts(
    enum hash_alg alg, struct str key, const struct str *parts, size_t n, unsigned char *out)
{
	gnutls_hmac_hd_t h;

	gnutls_require(
	    gnutls_hmac_init(&h, hash_algorithms[alg].mac, key.p ? key.p : "", key.n), "MAC");
	for (size_t i = 0; i < n; i++)
		if (parts[i].n)
			gnutls_require(gnutls_hmac(h, parts[i].p, parts[i].n), "MAC");
	gnutls_hmac_deinit(h, out);
}

void sha256(struct str data, unsigned char out[SHA256_SIZE])
{
	gnutls_require(
	    gnutls_hash_fast(GNUTLS_DIG_SHA256, data.p ? data.p : "", data.n, out), "digest");
}

void sha256_hex(struct str data, char out[2 * SHA256_SIZE + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[SHA256_SIZE];

	sha256(data, raw);
	for (size_t i = 0; i < sizeof(raw); i++) {
		*out++ = hex[raw[i] >> 4];
		*out++ = hex[raw[i] & 15];
	}
	*out = '\0';
}

bool mem_equal_ct(const void *a, size_t an, const void *b, size_t bn)
{
	if (an != bn)
		return false;
	return an == 0 || gnutls_memcmp(a, b, an) == 0;
}

static gnutls_aead_cipher_hd_t gnutls_cipher(const unsigned char *key)
{
	gnutls_datum_t k = {(unsigned char *)(uintptr_t)key, CIPHER_KEY};
	gnutls_aead_cipher_hd_t h;

	gnutls_require(gnutls_aead_cipher_init(&h, GNUTLS_CIPHER_AES_256_GCM, &k), "cipher");
	return h;
}

void cipher_seal(const unsigned char key[CIPHER_KEY], const unsigned char nonce[CIPHER_NONCE],
    struct str authenticated, struct str plain, unsigned char *out)
{
	gnutls_aead_cipher_hd_t h = gnutls_cipher(key);
	size_t n = plain.n + CIPHER_TAG;

	gnutls_require(gnutls_aead_cipher_encrypt(h, nonce, CIPHER_NONCE, authenticated.p,
			   authenticated.n, CIPHER_TAG, plain.p, plain.n, out, &n),
	    "cipher");
	gnutls_aead_cipher_deinit(h);
}

bool cipher_open(const unsigned char key[CIPHER_KEY], const unsigned char nonce[CIPHER_NONCE],
    struct str authenticated, struct str sealed, unsigned char *out)
{
	gnutls_aead_cipher_hd_t h;
	size_t n;
	int rc;

	if (sealed.n < CIPHER_TAG)
		return false;
	n = sealed.n - CIPHER_TAG;
	h = gnutls_cipher(key);
	rc = gnutls_aead_cipher_decrypt(h, nonce, CIPHER_NONCE, authenticated.p, authenticated.n,
	    CIPHER_TAG, sealed.p, sealed.n, out, &n);
	gnutls_aead_cipher_deinit(h);
	return rc == 0;
}
