/* A small anonymous shared mapping made by the master before it forks: rate limit counters and
 * who waits. In a lone process it is private memory. */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct shared;

struct shared *shared_new(void);

struct rate {
	int64_t limit, remaining, reset_s; /* for RateLimit-* headers */
	bool is_over;
};
/* Counts one use of key in a fixed window of window_s seconds with at most limit uses. */
struct rate shared_rate_take(
    struct shared *s, struct str key, int64_t limit, int64_t window_s, int64_t now_us);
/* The same without counting: what a use would find. */
struct rate shared_rate_look(
    struct shared *s, struct str key, int64_t limit, int64_t window_s, int64_t now_us);

/* A worker that waits for others (a destination, a job) serves nobody meanwhile. It asks first:
 * false when `most` processes wait already, and then it must not; or when three quarters of them
 * wait for the same account, where there are four or more: so that no one takes all places. whose:
 * a number of the account; 0: of none. A waiter that died no longer counts. */
bool shared_wait_begin(struct shared *s, uint64_t whose, int64_t most);
void shared_wait_end(struct shared *s);

#endif
