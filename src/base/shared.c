#include "base/shared.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/oom.h"

#define SLOTS 16384u /* power of two; 256 KiB */
#define WAITERS 64
#define FEW_WAITERS 4 /* fewer are not shared out: one account could hardly wait at all */
#define PROBES 16u    /* slots a key may stand in */

/* One counter. key 0 is free. state holds the second the window ends in its upper half and the
 * count in its lower, so that both change by one exchange. */
struct rate_slot {
	_Atomic uint64_t key, state;
};

struct shared {
	uint64_t seed;
	_Atomic pid_t waiters[WAITERS];  /* 0: free */
	_Atomic uint64_t whose[WAITERS]; /* the account that each waits for */
	struct rate_slot slots[SLOTS];
};

struct shared *shared_new(void)
{
	struct shared *s =
	    mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		oom_abort();
	/* Without the seed the table still counts; it is then only easier to fill on purpose. */
	if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) != sizeof(s->seed))
		s->seed = (uint64_t)clock_now_us();
	return s;
}

static uint32_t window_end(uint64_t state)
{
	return (uint32_t)(state >> 32);
}

static uint32_t window_count(uint64_t state)
{
	return (uint32_t)state;
}

static uint64_t window_state(uint32_t end, uint32_t count)
{
	return (uint64_t)end << 32 | count;
}

/* The finaliser of splitmix64: every bit of v reaches every bit of the result. */
static uint64_t hash_mix(uint64_t v)
{
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

static uint64_t key_hash(const struct shared *s, struct str key, int64_t window_s)
{
	uint64_t h = hash_mix(str_hash(key.p, key.n) ^ s->seed);

	h = hash_mix(h + (uint64_t)window_s);
	return h ? h : 1;
}

static struct rate_slot *slot_find(struct shared *s, uint64_t key)
{
	for (uint64_t i = 0; i < PROBES; i++) {
		struct rate_slot *slot = &s->slots[(key + i) & (SLOTS - 1)];

		if (atomic_load_explicit(&slot->key, memory_order_relaxed) == key)
			return slot;
	}
	return NULL;
}

/* Takes over the slot that is worth least: a free one, else the one whose window ends first, of
 * those the one with the smallest count. Two processes that do so for the same slot at once lose a
 * few counts, which a limiter can bear. */
static struct rate_slot *slot_claim(struct shared *s, uint64_t key)
{
	struct rate_slot *least = NULL;
	uint64_t least_state = UINT64_MAX;

	for (uint64_t i = 0; i < PROBES; i++) {
		struct rate_slot *slot = &s->slots[(key + i) & (SLOTS - 1)];
		uint64_t state = atomic_load_explicit(&slot->key, memory_order_relaxed) == 0
				     ? 0
				     : atomic_load_explicit(&slot->state, memory_order_relaxed);

		if (!least || state < least_state) {
			least = slot;
			least_state = state;
		}
	}
	atomic_store(&least->state, 0);
	atomic_store(&least->key, key);
	return least;
}

static struct rate rate_of(int64_t limit, int64_t count, int64_t reset_s)
{
	return (struct rate){
	    .limit = limit,
	    .remaining = count < limit ? limit - count : 0,
	    .reset_s = reset_s,
	    .is_over = count > limit,
	};
}

/* The second the window of now ends. */
static uint32_t window_end_at(int64_t window_s, int64_t now_us)
{
	if (window_s < 1)
		window_s = 1;
	return (uint32_t)((now_us / SECOND_US / window_s + 1) * window_s);
}

struct rate shared_rate_take(
    struct shared *s, struct str key, int64_t limit, int64_t window_s, int64_t now_us)
{
	uint32_t end = window_end_at(window_s, now_us), count;
	uint64_t hash = key_hash(s, key, window_s), before;
	struct rate_slot *slot = slot_find(s, hash);

	if (!slot)
		slot = slot_claim(s, hash);
	before = atomic_load(&slot->state);
	do {
		count = window_end(before) == end ? window_count(before) : 0;
		if (count < UINT32_MAX)
			count++;
	} while (!atomic_compare_exchange_weak(&slot->state, &before, window_state(end, count)));
	return rate_of(limit, count, end - now_us / SECOND_US);
}

struct rate shared_rate_look(
    struct shared *s, struct str key, int64_t limit, int64_t window_s, int64_t now_us)
{
	uint32_t end = window_end_at(window_s, now_us);
	const struct rate_slot *slot = slot_find(s, key_hash(s, key, window_s));
	uint64_t state = slot == NULL ? 0 : atomic_load(&slot->state);
	uint32_t count = window_end(state) == end ? window_count(state) : 0;

	return rate_of(limit, count, end - now_us / SECOND_US);
}

static bool waiter_lives(struct shared *s, int64_t i)
{
	pid_t who = atomic_load(&s->waiters[i]);

	return who != 0 && (kill(who, 0) == 0 || errno != ESRCH);
}

/* Of places that several take at the same moment it may be one more: the rest is left all the same.
 */
static bool account_has_its_share(struct shared *s, uint64_t whose, int64_t most)
{
	int64_t n = 0, share = most < FEW_WAITERS ? most : most - most / 4;

	for (int64_t i = 0; i < most && i < WAITERS; i++)
		n += atomic_load(&s->whose[i]) == whose && waiter_lives(s, i);
	return whose != 0 && n >= share;
}

bool shared_wait_begin(struct shared *s, uint64_t whose, int64_t most)
{
	const pid_t self = getpid();

	if (account_has_its_share(s, whose, most))
		return false;
	for (int64_t i = 0; i < most && i < WAITERS; i++) {
		pid_t who = atomic_load(&s->waiters[i]);

		if (waiter_lives(s, i))
			continue;
		if (atomic_compare_exchange_strong(&s->waiters[i], &who, self)) {
			atomic_store(&s->whose[i], whose);
			return true;
		}
	}
	return false;
}

void shared_wait_end(struct shared *s)
{
	for (size_t i = 0; i < WAITERS; i++) {
		pid_t self = getpid();

		if (atomic_compare_exchange_strong(&s->waiters[i], &self, 0))
			return;
	}
}
