/* When to commit what has gathered. A durable commit costs nearly the same for one as for many, so
 * where things come fast it pays to wait a moment for more; where they come seldom it would only
 * make everybody wait. */
#ifndef BASE_GATHER_H
#define BASE_GATHER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gather {
	double from_per_second; /* from so many a second on it waits */
	int64_t most_us;        /* at most so long, counted from the first that waits */
	/* its own */
	int64_t since_us, ended_us;
	double n, us; /* of late: how many were committed, in how long */
};

/* Times are monotonic. The first of a batch has come. */
void gather_begin(struct gather *g, int64_t now_us);
/* n were committed. What came meanwhile counts as come now. */
void gather_end(struct gather *g, size_t n, int64_t now_us);
bool gather_may_wait(const struct gather *g, int64_t now_us);
#endif
