#include "crypto/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/oom.h"
#include "base/str.h"

#define POOL_BYTES 1024u
#define POOL_SERVES 64u /* larger wishes go to the kernel directly */

/* Random bytes not yet handed out. What was handed out is wiped, and a child process starts with
 * an empty pool, so no two ever give the same bytes. */
static struct {
	unsigned char bytes[POOL_BYTES];
	size_t left; /* at the front of bytes */
	bool is_watched;
} pool;

static void pool_forget(void)
{
	explicit_bzero(pool.bytes, sizeof(pool.bytes));
	pool.left = 0;
}

static void random_from_kernel(unsigned char *p, size_t n)
{
	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		p += got;
		n -= (size_t)got;
	}
}

static void pool_refill(void)
{
	if (!pool.is_watched) {
		if (pthread_atfork(NULL, NULL, pool_forget))
			oom_abort();
		pool.is_watched = true;
	}
	random_from_kernel(pool.bytes, sizeof(pool.bytes));
	pool.left = sizeof(pool.bytes);
}

void random_bytes(void *p, size_t n)
{
	if (n > POOL_SERVES) {
		random_from_kernel(p, n);
		return;
	}
	if (n > pool.left)
		pool_refill();
	pool.left -= n;
	memcpy(p, pool.bytes + pool.left, n);
	explicit_bzero(pool.bytes + pool.left, n);
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_bytes(&v, sizeof(v));
	return v;
}

uint64_t random_below(uint64_t n)
{
	uint64_t v, least;

	if (n < 2)
		return 0;
	/* 2^64 mod n: the values below it would make the small remainders likelier. */
	least = (UINT64_MAX - n + 1) % n;
	do
		v = random_u64();
	while (v < least);
	return v % n;
}

char *random_token(struct arena *a, size_t n)
{
	unsigned char *raw = arena_alloc(a, n);
	struct buf b;
	char *text;

	random_bytes(raw, n);
	buf_init(&b, n * 2 + 4);
	base64url_encode(&b, raw, n);
	explicit_bzero(raw, n);
	text = arena_strndup(a, b.p, b.len);
	explicit_bzero(b.p, b.len);
	buf_fini(&b);
	return text;
}
