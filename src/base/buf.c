#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/oom.h"

#define BUF_LEAST 128 /* bytes of the first allocation */

static char *buf_nothing(void)
{
	return (char *)"";
}

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.p = buf_nothing(), .max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2};
}

void buf_fini(struct buf *b)
{
	if (b->cap)
		free(b->p);
	b->p = buf_nothing();
	b->len = b->cap = 0;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->cap)
		b->p[0] = '\0';
}

static void buf_release(void *b)
{
	buf_fini(b);
}

struct buf *buf_new(struct arena *a, size_t max)
{
	struct buf *b = arena_alloc(a, sizeof(*b));

	buf_init(b, max);
	arena_on_free(a, buf_release, b);
	return b;
}

/* Room for n more bytes and the NUL; false when that crosses the maximum. */
static bool buf_reserve(struct buf *b, size_t n)
{
	size_t need, cap;

	if (b->failed)
		return false;
	if (n > b->max - b->len) {
		b->failed = true;
		return false;
	}
	need = b->len + n + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : BUF_LEAST;
	while (cap < need)
		cap *= 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	b->p = oom_realloc(b->cap ? b->p : NULL, cap);
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
	if (s)
		buf_add(b, s, strlen(s));
}

void buf_chr(struct buf *b, char c)
{
	if (!buf_reserve(b, 1))
		return;
	b->p[b->len++] = c;
	b->p[b->len] = '\0';
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	int n;

	if (b->failed)
		return;
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
	} else if (buf_reserve(b, (size_t)n)) {
		vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_u32(struct buf *b, uint32_t v)
{
	unsigned char out[4];

	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(v >> (8 * i));
	buf_add(b, out, sizeof(out));
}

void buf_u64(struct buf *b, uint64_t v)
{
	unsigned char out[8];

	for (int i = 0; i < 8; i++)
		out[i] = (unsigned char)(v >> (8 * i));
	buf_add(b, out, sizeof(out));
}

bool buf_ok(const struct buf *b)
{
	return !b->failed;
}
