#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fiber.h"
#include "base/limits.h"
#include "test-base.h"

static char trace[64];

static void mark(char c)
{
	size_t n = strlen(trace);

	trace[n] = c;
	trace[n + 1] = '\0';
}

static void three_steps(void *name)
{
	for (int i = 0; i < 3; i++) {
		mark(*(const char *)name);
		if (i < 2)
			fiber_yield();
	}
}

static void take_turns(void)
{
	struct fiber *a = fiber_new(three_steps, (void *)"a");
	struct fiber *b = fiber_new(three_steps, (void *)"b");
	int alive = 0;

	trace[0] = '\0';
	CHECK(fiber_current() == NULL);
	CHECK(trace[0] == '\0');
	CHECK(fiber_resume(a) == 1 && fiber_resume(b) == 1 && fiber_resume(a) == 1);
	CHECK(fiber_resume(b) == 1);
	mark('-');
	alive = fiber_resume(a) + fiber_resume(b);
	CHECK(alive == 0);
	CHECK(TEXT_EQ(trace, "abab-ab"));
	fiber_free(a);
	fiber_free(b);
	CHECK(fiber_current() == NULL);
}

static void know_themselves(void *seen)
{
	*(struct fiber **)seen = fiber_current();
	fiber_yield();
	if (fiber_current() != *(struct fiber **)seen)
		*(struct fiber **)seen = NULL;
}

static void current(void)
{
	struct fiber *seen = NULL, *f = fiber_new(know_themselves, &seen);

	CHECK(fiber_resume(f) == 1);
	CHECK(seen == f && fiber_current() == NULL);
	CHECK(fiber_resume(f) == 0);
	CHECK(seen == f);
	fiber_free(f);
}

static void never_started(void)
{
	fiber_free(fiber_new(three_steps, (void *)"a"));
	fiber_free(NULL);
}

static size_t deep(size_t n)
{
	volatile unsigned char room[512];

	memset((void *)(uintptr_t)room, (int)(n & 0xFF), sizeof(room));
	if (n == 0)
		return room[0];
	if (n % 50 == 0)
		fiber_yield();
	return deep(n - 1) + room[511];
}

static void run_deep(void *result)
{
	*(size_t *)result = deep(200);
}

static void stacks_hold_their_data(void)
{
	struct fiber *f[10];
	size_t result[10] = {0}, alive;

	for (size_t i = 0; i < COUNT(f); i++)
		f[i] = fiber_new(run_deep, &result[i]);
	do {
		alive = 0;
		for (size_t i = 0; i < COUNT(f); i++)
			if (f[i] && fiber_resume(f[i])) {
				alive++;
			} else if (f[i]) {
				fiber_free(f[i]);
				f[i] = NULL;
			}
	} while (alive);
	for (size_t i = 0; i < COUNT(f); i++)
		CHECK(result[i] == 200 * 201 / 2);
}

static void count_up(void *n)
{
	++*(int *)n;
	fiber_yield();
	++*(int *)n;
}

static void many_one_after_another(void)
{
	struct fiber *f[200];
	int n = 0;

	for (int round = 0; round < 5; round++) {
		for (size_t i = 0; i < COUNT(f); i++) {
			f[i] = fiber_new(count_up, &n);
			fiber_resume(f[i]);
		}
		for (size_t i = 0; i < COUNT(f); i++) {
			fiber_resume(f[i]);
			fiber_free(f[i]);
		}
	}
	CHECK(n == 5 * 2 * 200);
}

static void use_arena(void *out)
{
	struct arena *a = arena_new();
	char *text = arena_printf(a, "%s %d", "kept", 7);

	fiber_yield();
	*(bool *)out = TEXT_EQ(text, "kept 7");
	arena_free(a);
}

static void what_a_fiber_holds(void)
{
	bool is_right = false;
	struct fiber *f = fiber_new(use_arena, &is_right);

	CHECK(fiber_resume(f) == 1 && fiber_resume(f) == 0 && is_right);
	fiber_free(f);
}

#pragma GCC diagnostic push
#if defined(__clang__) || __GNUC__ >= 12
#pragma GCC diagnostic ignored "-Winfinite-recursion"
#endif
static size_t endless(size_t n)
{
	volatile char room[4096];

	room[n % sizeof(room)] = 1;
	return endless(n + 1) + (size_t)room[0];
}
#pragma GCC diagnostic pop

static void run_endless(void *result)
{
	*(size_t *)result = endless(0);
}

static void the_guard_page_stops_an_overflow(void)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		size_t result;

		close(STDERR_FILENO);
		fiber_resume(fiber_new(run_endless, &result));
		_exit(0);
	}
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

void suite_base_fiber(void);
void suite_base_fiber(void)
{
	ADD_TESTS("base/fiber", {"take turns", take_turns}, {"current", current},
	    {"never started", never_started}, {"stacks hold their data", stacks_hold_their_data},
	    {"many one after another", many_one_after_another},
	    {"what a fiber holds", what_a_fiber_holds},
	    {"the guard page stops an overflow", the_guard_page_stops_an_overflow});
}
