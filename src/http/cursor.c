/* Cursors: positions of lists, sealed. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "http/slice.h"

#define CURSOR_KEY 24u /* int64 big-endian, id; then the note */
#define CURSOR_MAC 16u /* HMAC-SHA256, cut: 128 bits are out of reach for guessing */
#define CURSOR_BYTES (CURSOR_KEY + CURSOR_NOTE + CURSOR_MAC)

static void cursor_seal(const struct req *r, const char *scope, const unsigned char *body, size_t n,
    unsigned char mac[SHA256_SIZE])
{
	/* With its length before it, body then scope cannot be cut in two ways. */
	const unsigned char length[2] = {(unsigned char)(n >> 8), (unsigned char)n};
	unsigned char key[SHA256_SIZE];
	const struct str parts[] = {STR("connect cursor 2"), {(const char *)length, sizeof(length)},
	    {(const char *)body, n}, str_from(scope)};

	keyring_derive(r->app->keys, "cursor", key);
	hmac_parts(HASH_SHA256, (struct str){(const char *)key, sizeof(key)}, parts, 4, mac);
}

const char *cursor_make(struct req *r, const char *scope, const struct cursor *c)
{
	unsigned char raw[CURSOR_KEY + CURSOR_NOTE + SHA256_SIZE];
	struct buf *b = buf_new(r->a, 2 * sizeof(raw));
	size_t i, n = CURSOR_KEY + c->note.n;

	if (c->note.n > CURSOR_NOTE)
		abort();
	for (i = 0; i < 8; i++)
		raw[i] = (unsigned char)((uint64_t)c->at >> (56 - 8 * i));
	memcpy(raw + 8, c->id.b, sizeof(c->id.b));
	if (c->note.n > 0)
		memcpy(raw + CURSOR_KEY, c->note.p, c->note.n);
	cursor_seal(r, scope, raw, n, raw + n);
	base64url_encode(b, raw, n + CURSOR_MAC);
	return b->p;
}

bool cursor_read(struct req *r, const char *scope, struct str text, struct cursor *out)
{
	unsigned char raw[CURSOR_BYTES + 1], mac[SHA256_SIZE];
	long n = base64url_decode(raw, sizeof(raw), text) - (long)CURSOR_MAC;
	uint64_t v = 0;

	if (n >= (long)CURSOR_KEY && n <= (long)(CURSOR_KEY + CURSOR_NOTE)) {
		cursor_seal(r, scope, raw, (size_t)n, mac);
		if (mem_equal_ct(mac, CURSOR_MAC, raw + n, CURSOR_MAC)) {
			for (size_t i = 0; i < 8; i++)
				v = v << 8 | raw[i];
			out->at = (int64_t)v;
			memcpy(out->id.b, raw + 8, sizeof(out->id.b));
			out->note = str_copy(r->a,
			    (struct str){(const char *)raw + CURSOR_KEY, (size_t)n - CURSOR_KEY});
			return true;
		}
	}
	req_invalid(r, "cursor", "is not a cursor of this list with these filters");
	return false;
}
