/* What is kept of a token that a request was rejected with: not the token, but what says whether it
 * was the one that came here later. "***", or "***:" and a keyed hash in hex. */
#ifndef PROVIDER_TOKEN_KEPT_H
#define PROVIDER_TOKEN_KEPT_H
#include "base/str.h"

#include <stdbool.h>

struct arena;
struct buf;
#define TOKEN_KEY_BYTES 32
/* key: TOKEN_KEY_BYTES, or NULL where it need not be verified again. */
void token_kept_write(struct buf *b, const unsigned char *key, struct str token);
bool token_is_kept(struct str text);   /* one of the two */
bool token_is_hashed(struct str text); /* the latter */
/* Was it that token, a prefix and a secret? In constant time. */
bool token_kept_is(const unsigned char *key, struct str kept, struct str prefix, struct str secret);
/* The text for people, without the hashes that stand in it. */
struct str token_kept_hide(struct arena *a, struct str text);

#endif
