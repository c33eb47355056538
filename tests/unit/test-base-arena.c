#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/limits.h"
#include "test-base.h"

static void aligned_and_apart(void)
{
	static const size_t sizes[] = {0, 1, 7, 16, 17, 100, 4096, LIMIT_ARENA_BLOCK / 2,
	    LIMIT_ARENA_BLOCK, LIMIT_ARENA_BLOCK + 1, 1000000, 3};
	struct arena *a = arena_new();
	unsigned char *p[COUNT(sizes)];

	for (size_t i = 0; i < COUNT(sizes); i++) {
		p[i] = arena_alloc(a, sizes[i]);
		CHECK((uintptr_t)p[i] % alignof(max_align_t) == 0);
		memset(p[i], (int)i + 1, sizes[i] ? sizes[i] : 1);
	}
	for (size_t i = 0; i < COUNT(sizes); i++) {
		size_t last = sizes[i] ? sizes[i] - 1 : 0;

		CHECK(p[i][0] == i + 1 && p[i][last] == i + 1);
	}
	arena_free(a);
}

static void counts_what_it_gave(void)
{
	struct arena *a = arena_new();

	CHECK(arena_used(a) == 0);
	arena_alloc(a, 10);
	arena_alloc(a, 0);
	CHECK(arena_used(a) == 11);
	arena_alloc(a, 5 * LIMIT_ARENA_BLOCK);
	CHECK(arena_used(a) == 11 + 5 * LIMIT_ARENA_BLOCK);
	arena_reset(a);
	CHECK(arena_used(a) == 0);
	arena_free(a);
}

static void an_array_grows_and_leaves_nothing(void)
{
	struct arena *a = arena_new();
	int *v = NULL;
	size_t cap = 0;

	for (size_t n = 0; n < 100000; n++) {
		if (n == cap) {
			cap = cap == 0 ? 4 : 2 * cap;
			v = arena_grow(a, v, n, cap, sizeof(*v));
		}
		v[n] = (int)n;
	}
	for (size_t n = 0; n < 100000; n++)
		CHECK(v[n] == (int)n);
	arena_note_outside(a, 1u << 30);
	CHECK(arena_used(a) >= cap * sizeof(*v));
	arena_reset(a);
	CHECK(arena_used(a) == 0);
	arena_free(a);
}

static void a_reset_keeps_the_first_block(void)
{
	struct arena *a = arena_new();
	void *first = arena_alloc(a, 8);

	for (int i = 0; i < 100; i++)
		arena_alloc(a, 1000);
	arena_reset(a);
	CHECK(arena_alloc(a, 8) == first);
	arena_free(a);
}

static void a_large_piece_leaves_the_block_in_use(void)
{
	struct arena *a = arena_new();
	char *before = arena_alloc(a, 16), *after;

	arena_alloc(a, 2 * LIMIT_ARENA_BLOCK);
	after = arena_alloc(a, 16);
	CHECK(after == before + 16);
	arena_free(a);
}

static void zeroed(void)
{
	struct arena *a = arena_new();
	unsigned char *p = arena_alloc(a, 64), sum = 0;

	memset(p, 0xFF, 64);
	arena_reset(a);
	p = arena_zalloc(a, 64);
	for (int i = 0; i < 64; i++)
		sum |= p[i];
	p = arena_array(a, 16, 4);
	for (int i = 0; i < 64; i++)
		sum |= p[i];
	CHECK(sum == 0);
	arena_free(a);
}

static void copies(void)
{
	struct arena *a = arena_new();
	char text[] = "abcdef", *copy;

	CHECK(arena_strdup(a, NULL) == NULL);
	copy = arena_strdup(a, text);
	text[0] = 'X';
	CHECK(TEXT_EQ(copy, "abcdef"));
	CHECK(TEXT_EQ(arena_strndup(a, "abcdef", 3), "abc"));
	CHECK(TEXT_EQ(arena_strndup(a, NULL, 0), ""));
	CHECK(memcmp(arena_memdup(a, "a\0b", 3), "a\0b", 3) == 0);
	CHECK(arena_memdup(a, NULL, 0) != NULL);
	arena_free(a);
}

static void formats(void)
{
	struct arena *a = arena_new();
	static const int widths[] = {0, 1, 254, 255, 256, 257, 5000};

	CHECK(TEXT_EQ(arena_printf(a, "%d %s", 7, "x"), "7 x"));
	for (size_t i = 0; i < COUNT(widths); i++) {
		char *s = arena_printf(a, "%*s|", widths[i], "");

		CHECK(strlen(s) == (size_t)widths[i] + 1);
		CHECK(s[widths[i]] == '|');
	}
	arena_free(a);
}

static char order[8];

static void note(void *object)
{
	size_t n = strlen(order);

	order[n] = *(const char *)object;
	order[n + 1] = '\0';
}

static void destroys_last_first(void)
{
	struct arena *a = arena_new();

	order[0] = '\0';
	arena_on_free(a, note, (void *)"1");
	arena_on_free(a, note, (void *)"2");
	arena_on_free(a, note, (void *)"3");
	arena_reset(a);
	CHECK(TEXT_EQ(order, "321"));
	arena_on_free(a, note, (void *)"4");
	arena_free(a);
	CHECK(TEXT_EQ(order, "3214"));
	arena_free(NULL);
}

static void an_overflow_aborts(void)
{
	struct arena *a = arena_new();
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		close(STDERR_FILENO);
		arena_array(a, SIZE_MAX / 2, 3);
		_exit(0);
	}
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == 6);
	arena_free(a);
}

void suite_base_arena(void);
void suite_base_arena(void)
{
	ADD_TESTS("base/arena", {"aligned and apart", aligned_and_apart},
	    {"counts what it gave", counts_what_it_gave},
	    {"an array grows and leaves nothing", an_array_grows_and_leaves_nothing},
	    {"a reset keeps the first block", a_reset_keeps_the_first_block},
	    {"a large piece leaves the block in use", a_large_piece_leaves_the_block_in_use},
	    {"zeroed", zeroed}, {"copies", copies}, {"formats", formats},
	    {"destroys last first", destroys_last_first},
	    {"an overflow aborts", an_overflow_aborts});
}
