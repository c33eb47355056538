/* A growing byte buffer with a maximum. An addition that would cross it sets `failed`, adds nothing
 * and everything after it is ignored, so a writer checks once, at the end. Contents always end
 * with a NUL that len does not count. Memory comes from malloc; out of memory aborts. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct buf {
	char *p; /* "" until something was added */
	size_t len, cap, max;
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* empty again, memory kept, failed cleared */
/* A buffer whose memory the arena releases. */
struct buf *buf_new(struct arena *a, size_t max);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_chr(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_u32(struct buf *b, uint32_t v); /* little-endian, for wire formats */
void buf_u64(struct buf *b, uint64_t v);
bool buf_ok(const struct buf *b);

#endif
