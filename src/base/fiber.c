/* Fibers: a job that waits for a foreign server keeps its stack, not a thread.
 *
 *	fiber_new ──> new ──fiber_resume──> running ──main returns──> ended ──fiber_free──> kept
 *	                                     │   ^
 *	                         fiber_yield v   │ fiber_resume
 *	                                   suspended
 *
 * One fiber runs at most, and fibers do not nest: fiber_resume comes back when the fiber yields
 * or ends. A fiber that has started must end before it is freed, since what lives on its stack
 * would be lost with it. A breach of either is a bug and aborts.
 *
 * Each stack is a mapping of its own with a guard page below it, so that an overflow ends the
 * process instead of writing into a neighbour. The stacks of the last ended fibers are kept for
 * new ones, since mapping one costs more than most jobs use it for.
 *
 * AddressSanitizer must be told of each change of stacks, before and after it; otherwise it
 * takes the new stack for an overflow of the old one. */
#include "base/fiber.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/asan.h"
#include "base/limits.h"
#include "base/oom.h"

#define STACKS_KEPT 64 /* stacks of ended fibers that wait for the next */

struct fiber {
	ucontext_t context, resumer;
	void (*main)(void *arg);
	void *arg;
	char *mapping; /* guard page, then the stack */
	struct fiber *next_free;
	bool is_started, is_ended;
#ifdef BASE_ASAN
	void *fake_stack;
	const void *resumer_stack;
	size_t resumer_size;
#endif
};

static struct fiber *fiber_running;
static struct fiber *fibers_free;
static int fibers_free_count;

static size_t page_size(void)
{
	static size_t size;

	if (!size)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

static char *fiber_stack(const struct fiber *f)
{
	return f->mapping + page_size();
}

/* The three notes AddressSanitizer wants around each change of stacks. */

static void asan_leave_resumer(struct fiber *f, void **fake)
{
#ifdef BASE_ASAN
	__sanitizer_start_switch_fiber(fake, fiber_stack(f), LIMIT_FIBER_STACK);
#else
	(void)f;
	(void)fake;
#endif
}

static void asan_arrive_in_resumer(void *fake)
{
#ifdef BASE_ASAN
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	(void)fake;
#endif
}

static void asan_leave_fiber(struct fiber *f)
{
#ifdef BASE_ASAN
	/* An ended fiber gives NULL, which frees its fake stack. */
	__sanitizer_start_switch_fiber(
	    f->is_ended ? NULL : &f->fake_stack, f->resumer_stack, f->resumer_size);
#else
	(void)f;
#endif
}

static void asan_arrive_in_fiber(struct fiber *f)
{
#ifdef BASE_ASAN
	__sanitizer_finish_switch_fiber(f->fake_stack, &f->resumer_stack, &f->resumer_size);
#else
	(void)f;
#endif
}

static void fiber_run(void)
{
	struct fiber *f = fiber_running;

	asan_arrive_in_fiber(f);
	f->main(f->arg);
	f->is_ended = true;
	asan_leave_fiber(f);
	setcontext(&f->resumer);
	abort(); /* setcontext comes back only when it failed */
}

static struct fiber *fiber_allocate(void)
{
	size_t size = page_size() + LIMIT_FIBER_STACK;
	struct fiber *f = oom_malloc(sizeof(*f));

	f->mapping = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (f->mapping == MAP_FAILED || mprotect(f->mapping, page_size(), PROT_NONE))
		oom_abort();
#ifdef BASE_ASAN
	__lsan_register_root_region(fiber_stack(f), LIMIT_FIBER_STACK);
#endif
	return f;
}

static void fiber_release(struct fiber *f)
{
#ifdef BASE_ASAN
	__lsan_unregister_root_region(fiber_stack(f), LIMIT_FIBER_STACK);
	asan_unpoison(fiber_stack(f), LIMIT_FIBER_STACK);
#endif
	munmap(f->mapping, page_size() + LIMIT_FIBER_STACK);
	free(f);
}

/* Apart from fiber_new, since getcontext may come back twice as far as the compiler knows. */
static void fiber_prepare(struct fiber *f)
{
	if (getcontext(&f->context))
		oom_abort();
	f->context.uc_stack.ss_sp = fiber_stack(f);
	f->context.uc_stack.ss_size = LIMIT_FIBER_STACK;
	f->context.uc_link = NULL;
	makecontext(&f->context, fiber_run, 0);
}

struct fiber *fiber_new(void (*main)(void *arg), void *arg)
{
	struct fiber *f = fibers_free;

	if (f) {
		fibers_free = f->next_free;
		fibers_free_count--;
	} else {
		f = fiber_allocate();
	}
	f->main = main;
	f->arg = arg;
	f->next_free = NULL;
	f->is_started = f->is_ended = false;
#ifdef BASE_ASAN
	f->fake_stack = NULL;
	asan_unpoison(fiber_stack(f), LIMIT_FIBER_STACK);
#endif
	fiber_prepare(f);
	return f;
}

int fiber_resume(struct fiber *f)
{
	void *fake = NULL;

	if (fiber_running || f->is_ended)
		abort(); /* a bug of the caller: fibers don't nest and don't rise again */
	f->is_started = true;
	fiber_running = f;
	asan_leave_resumer(f, &fake);
	if (swapcontext(&f->resumer, &f->context))
		abort();
	asan_arrive_in_resumer(fake);
	fiber_running = NULL;
	return f->is_ended ? 0 : 1;
}

void fiber_yield(void)
{
	struct fiber *f = fiber_running;

	if (!f)
		abort(); /* outside a fiber there is nobody to yield to */
	asan_leave_fiber(f);
	if (swapcontext(&f->context, &f->resumer))
		abort();
	asan_arrive_in_fiber(f);
}

struct fiber *fiber_current(void)
{
	return fiber_running;
}

void fiber_free(struct fiber *f)
{
	if (!f)
		return;
	if (f->is_started && !f->is_ended)
		abort(); /* what lives on its stack would be lost */
	if (fibers_free_count >= STACKS_KEPT) {
		fiber_release(f);
		return;
	}
	f->next_free = fibers_free;
	fibers_free = f;
	fibers_free_count++;
}
