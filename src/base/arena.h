/* Region memory: everything a request or a job makes lives in one arena and dies with it.
 * Allocation never fails (out of memory aborts; the master replaces the worker). Not for threads.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
/* Runs the registered destructors, last first; NULL is fine. */
void arena_free(struct arena *a);
/* The same, but keeps the arena and its first block for the next request. */
void arena_reset(struct arena *a);
/* Aligned to max_align_t, not cleared; size 0 is 1. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_zalloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size); /* zeroed, aborts on overflow */
/* An array that had so many elements, as one with room for n, not cleared; the old one is gone. */
void *arena_grow(struct arena *a, void *old, size_t had, size_t n, size_t size);
void *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_strdup(struct arena *a, const char *s);            /* NULL stays NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n); /* n bytes and a NUL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Runs destroy(object) when the arena is reset or freed: how foreign objects are owned. */
void arena_on_free(struct arena *a, void (*destroy)(void *), void *object);
/* So many bytes besides its own go with it: after large ones memory is given back to the system. */
void arena_note_outside(struct arena *a, size_t bytes);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *a);

#endif
