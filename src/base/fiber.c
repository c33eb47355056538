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

static struct fiber *current;
static struct fiber *free_list;
static int free_count;

static size_t page_size(void)
{
	static size_t size;

	if (!size)
		size = (size_t)sysconf(_SC_PAGESIZE);
	return size;
}

static char *stack_of(const struct fiber *f)
{
	return f->mapping + page_size();
}

/* The three notes AddressSanitizer wants around each change of stacks. */

static void leave_resumer(struct fiber *f, void **fake)
{
#ifdef BASE_ASAN
	__sanitizer_start_switch_fiber(fake, stack_of(f), LIMIT_FIBER_STACK);
#else
	(void)f;
	(void)fake;
#endif
}

static void arrive_in_resumer(void *fake)
{
#ifdef BASE_ASAN
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#else
	(void)fake;
#endif
}

static void leave_fiber(struct fiber *f)
{
#ifdef BASE_ASAN
	/* An ended fiber gives NULL, which frees its fake stack. */
	__sanitizer_start_switch_fiber(
	    f->is_ended ? NULL : &f->fake_stack, f->resumer_stack, f->resumer_size);
#else
	(void)f;
#endif
}

static void arrive_in_fiber(struct fiber *f)
{
#ifdef BASE_ASAN
	__sanitizer_finish_switch_fiber(f->fake_stack, &f->resumer_stack, &f->resumer_size);
#else
	(void)f;
#endif
}

static void run(void)
{
	struct fiber *f = current;

	arrive_in_fiber(f);
	f->main(f->arg);
	f->is_ended = true;
	leave_fiber(f);
	setcontext(&f->resumer);
	abort(); /* setcontext comes back only when it failed */
}

static struct fiber *allocate(void)
{
	size_t size = page_size() + LIMIT_FIBER_STACK;
	struct fiber *f = oom_malloc(sizeof(*f));

	f->mapping = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (f->mapping == MAP_FAILED || mprotect(f->mapping, page_size(), PROT_NONE))
		oom_abort();
#ifdef BASE_ASAN
	__lsan_register_root_region(stack_of(f), LIMIT_FIBER_STACK);
#endif
	return f;
}

static void release(struct fiber *f)
{
#ifdef BASE_ASAN
	__lsan_unregister_root_region(stack_of(f), LIMIT_FIBER_STACK);
	asan_unpoison(stack_of(f), LIMIT_FIBER_STACK);
#endif
	munmap(f->mapping, page_size() + LIMIT_FIBER_STACK);
	free(f);
}

/* Apart from fiber_new, since getcontext may come back twice as far as the compiler knows. */
static void prepare(struct fiber *f)
{
	if (getcontext(&f->context))
		oom_abort();
	f->context.uc_stack.ss_sp = stack_of(f);
	f->context.uc_stack.ss_size = LIMIT_FIBER_STACK;
	f->context.uc_link = NULL;
	makecontext(&f->context, run, 0);
}

struct fiber *fiber_new(void (*main)(void *arg), void *arg)
{
	struct fiber *f = free_list;

	if (f) {
		free_list = f->next_free;
		free_count--;
	} else {
		f = allocate();
	}
	f->main = main;
	f->arg = arg;
	f->next_free = NULL;
	f->is_started = f->is_ended = false;
#ifdef BASE_ASAN
	f->fake_stack = NULL;
	asan_unpoison(stack_of(f), LIMIT_FIBER_STACK);
#endif
	prepare(f);
	return f;
}

int fiber_resume(struct fiber *f)
{
	void *fake = NULL;

	if (current || f->is_ended)
		abort(); /* a bug of the caller: fibers don't nest and don't rise again */
	f->is_started = true;
	current = f;
	leave_resumer(f, &fake);
	if (swapcontext(&f->resumer, &f->context))
		abort();
	arrive_in_resumer(fake);
	current = NULL;
	return f->is_ended ? 0 : 1;
}

void fiber_yield(void)
{
	struct fiber *f = current;

	if (!f)
		abort(); /* outside a fiber there is nobody to yield to */
	leave_fiber(f);
	if (swapcontext(&f->context, &f->resumer))
		abort();
	arrive_in_fiber(f);
}

struct fiber *fiber_current(void)
{
	return current;
}

void fiber_free(struct fiber *f)
{
	if (!f)
		return;
	if (f->is_started && !f->is_ended)
		abort(); /* what lives on its stack would be lost */
	if (free_count >= STACKS_KEPT) {
		release(f);
		return;
	}
	f->next_free = free_list;
	free_list = f;
	free_count++;
}
