#include "provider/token-kept.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "crypto/hash.h"

#define STARS "***"
#define MARK "***:"
#define HEX_BYTES (2 * (size_t)SHA256_SIZE)
#define KEPT_BYTES (sizeof(MARK) - 1 + HEX_BYTES)

static void token_hash(
    const unsigned char *key, struct str prefix, struct str secret, unsigned char out[SHA256_SIZE])
{
	const struct str parts[] = {prefix, secret};

	hmac_parts(HASH_SHA256, (struct str){(const char *)key, TOKEN_KEY_BYTES}, parts, 2, out);
}

void token_kept_write(struct buf *b, const unsigned char *key, struct str token)
{
	unsigned char hash[SHA256_SIZE];

	buf_str(b, key == NULL ? STARS : MARK);
	if (key == NULL)
		return;
	token_hash(key, STR(""), token, hash);
	hex_encode(b, hash, sizeof(hash));
}

bool token_is_hashed(struct str text)
{
	return text.n == KEPT_BYTES && str_starts(text, MARK);
}

bool token_is_kept(struct str text)
{
	return str_is(text, STARS) || token_is_hashed(text);
}

bool token_kept_is(const unsigned char *key, struct str kept, struct str prefix, struct str secret)
{
	unsigned char hash[SHA256_SIZE], was[SHA256_SIZE];
	const size_t mark = sizeof(MARK) - 1;

	if (!token_is_hashed(kept) ||
	    hex_decode(was, sizeof(was), (struct str){kept.p + mark, kept.n - mark}) !=
		(long)sizeof(was))
		return false;
	token_hash(key, prefix, secret, hash);
	return mem_equal_ct(hash, sizeof(hash), was, sizeof(was));
}

struct str token_kept_hide(struct arena *a, struct str text)
{
	struct buf *b;
	const char *at;

	if (text.n < KEPT_BYTES)
		return text;
	b = buf_new(a, text.n + 1);
	while (
	    text.n >= KEPT_BYTES && (at = memmem(text.p, text.n, MARK, sizeof(MARK) - 1)) != NULL) {
		const size_t before = (size_t)(at - text.p) + sizeof(STARS) - 1;
		const struct str rest = {at, text.n - (size_t)(at - text.p)};
		const bool is_hash = rest.n >= KEPT_BYTES &&
				     strspn(arena_strndup(a, rest.p + sizeof(MARK) - 1, HEX_BYTES),
					 "0123456789abcdef") == HEX_BYTES;
		const size_t skipped = before + (is_hash ? KEPT_BYTES - (sizeof(STARS) - 1) : 0);

		buf_add(b, text.p, before);
		text = (struct str){text.p + skipped, text.n - skipped};
	}
	buf_add(b, text.p, text.n);
	return (struct str){b->p, b->len};
}
