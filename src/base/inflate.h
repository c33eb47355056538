/* Content codings of HTTP (RFC 9110 §8.4.1), undone. The only user of zlib is inflate.c. */
#ifndef BASE_INFLATE_H
#define BASE_INFLATE_H

#include "base/err.h"
#include "base/str.h"

struct arena;

#define CODINGS_KNOWN "gzip, deflate" /* as Accept-Encoding names them */
/* Is it one of them (x-gzip too), in any case? */
bool coding_is_known(struct str coding);
/* Is it none at all: absent, empty or "identity"? */
bool coding_is_none(struct str coding);
/* The text behind a known coding, arena-owned, of at most so many bytes: ERR_LIMIT for more,
 * ERR_MALFORMED for what is not so coded or ends early. deflate is of zlib's form, or raw as some
 * senders write it; gzip may have several members. */
int coding_undo(struct arena *a, struct str coding, struct str in, size_t most, struct str *out,
    struct err *err);

#endif
