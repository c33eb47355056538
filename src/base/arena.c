#include "base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/asan.h"
#include "base/limits.h"
#include "base/oom.h"

#define ALIGN alignof(max_align_t)
#define BLOCKS_KEPT 32 /* a MiB at most */
#define GIVE_BACK_FROM (16u << 20)

struct arena_block {
	struct arena_block *next;
	size_t cap, used;
	alignas(max_align_t) unsigned char data[];
};

struct arena_destructor {
	struct arena_destructor *next;
	void (*destroy)(void *);
	void *object;
};

struct arena {
	struct arena_block *first;   /* kept by a reset */
	struct arena_block *current; /* has the free room; blocks are linked from first on */
	struct arena_destructor *destructors; /* newest first */
	size_t used, outside;
};

/* Blocks of the usual size that were freed, for the next arenas: a job's arena lives for
 * milliseconds, and the allocator puts itself in order for each block of that size. */
static struct arena_block *blocks_free;
static size_t blocks_free_count;

static struct arena_block *block_take(size_t cap)
{
	struct arena_block *b = blocks_free;

	if (cap != LIMIT_ARENA_BLOCK || b == NULL)
		return oom_malloc(sizeof(*b) + cap);
	blocks_free = b->next;
	blocks_free_count--;
	return b;
}

static struct arena_block *block_new(size_t cap)
{
	struct arena_block *b = block_take(cap);

	b->next = NULL;
	b->cap = cap;
	b->used = 0;
	asan_poison(b->data, cap);
	return b;
}

/* One that is kept stays poisoned. */
static void block_free(struct arena_block *b)
{
	if (b->cap == LIMIT_ARENA_BLOCK && blocks_free_count < BLOCKS_KEPT) {
		asan_poison(b->data, b->cap);
		b->next = blocks_free;
		blocks_free = b;
		blocks_free_count++;
		return;
	}
	asan_unpoison(b->data, b->cap);
	free(b);
}

struct arena *arena_new(void)
{
	struct arena *a = oom_malloc(sizeof(*a));

	a->first = a->current = block_new(LIMIT_ARENA_BLOCK);
	a->destructors = NULL;
	a->used = a->outside = 0;
	return a;
}

/* What is freed stays with the allocator, in pages between those in use, and would for good: a
 * process that all tenants share is then as large as the largest thing it ever did. */
static void memory_give_back(void)
{
#ifdef __GLIBC__
	if (mallinfo2().fordblks >= GIVE_BACK_FROM)
		malloc_trim(0);
#endif
}

void arena_reset(struct arena *a)
{
	bool is_large = a->used + a->outside >= GIVE_BACK_FROM;

	/* Each is unlinked before it runs, so that one may register another. */
	while (a->destructors) {
		struct arena_destructor *d = a->destructors;

		a->destructors = d->next;
		d->destroy(d->object);
	}
	while (a->first->next) {
		struct arena_block *b = a->first->next;

		a->first->next = b->next;
		block_free(b);
	}
	asan_poison(a->first->data, a->first->cap);
	a->first->used = 0;
	a->current = a->first;
	a->used = a->outside = 0;
	if (is_large)
		memory_give_back();
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	arena_reset(a);
	block_free(a->first);
	free(a);
}

/* A block of its own, behind the current one, for what is too large to share. */
static void *arena_alloc_large(struct arena *a, size_t size)
{
	struct arena_block *b = block_new(size);

	b->used = size;
	b->next = a->current->next;
	a->current->next = b;
	return b->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->current;
	unsigned char *p;
	size_t room;

	if (size == 0)
		size = 1;
	if (size > SIZE_MAX / 2)
		oom_abort();
	room = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	a->used += size;
	if (room <= b->cap - b->used) {
		p = b->data + b->used;
		b->used += room;
	} else if (room > LIMIT_ARENA_BLOCK / 2) {
		p = arena_alloc_large(a, room);
	} else {
		struct arena_block *fresh = block_new(LIMIT_ARENA_BLOCK);

		fresh->next = b->next;
		b->next = fresh;
		a->current = fresh;
		p = fresh->data;
		fresh->used = room;
	}
	asan_unpoison(p, size);
	return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
	return memset(arena_alloc(a, size), 0, size);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		oom_abort();
	return arena_zalloc(a, total);
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_alloc(a, n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy;

	if (n == SIZE_MAX)
		oom_abort();
	copy = arena_alloc(a, n + 1);
	if (n)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char small[256];
	va_list again;
	char *out;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n < 0)
		oom_abort();
	if ((size_t)n < sizeof(small)) {
		out = arena_strndup(a, small, (size_t)n);
	} else {
		out = arena_alloc(a, (size_t)n + 1);
		vsnprintf(out, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	return out;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return out;
}

void arena_on_free(struct arena *a, void (*destroy)(void *), void *object)
{
	struct arena_destructor *d = arena_alloc(a, sizeof(*d));

	d->next = a->destructors;
	d->destroy = destroy;
	d->object = object;
	a->destructors = d;
}

/* A large array has a block of its own, which is given back: else doubling would keep as much
 * again. */
static void block_free_of(struct arena *a, const void *data)
{
	for (struct arena_block **at = &a->first->next; *at; at = &(*at)->next) {
		struct arena_block *b = *at;

		if (b->data != data)
			continue;
		if (b->cap > LIMIT_ARENA_BLOCK && b != a->current) {
			*at = b->next;
			block_free(b);
		}
		return;
	}
}

void *arena_grow(struct arena *a, void *old, size_t had, size_t n, size_t size)
{
	size_t total;
	void *p;

	if (__builtin_mul_overflow(n, size, &total))
		oom_abort();
	p = arena_alloc(a, total);
	if (had)
		memcpy(p, old, had * size);
	if (had * size > LIMIT_ARENA_BLOCK)
		block_free_of(a, old);
	return p;
}

void arena_note_outside(struct arena *a, size_t bytes)
{
	a->outside += bytes;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
