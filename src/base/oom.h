/* Running out of memory ends the process; its master starts another. */
#ifndef BASE_OOM_H
#define BASE_OOM_H

#include <stddef.h>

/* Says so on standard error and aborts. */
_Noreturn void oom_abort(void);
/* malloc and realloc that never return NULL; size 0 counts as 1. */
void *oom_malloc(size_t size) __attribute__((malloc, returns_nonnull));
void *oom_realloc(void *p, size_t size) __attribute__((returns_nonnull));

#endif
