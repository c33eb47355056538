#include "job/retry.h"

#include "crypto/random.h"

int64_t retry_wait_ms(int attempt, int64_t first_ms, int64_t most_ms, int64_t retry_after_ms)
{
	int64_t wait = first_ms;

	for (int i = 1; i < attempt && wait < most_ms; i++)
		wait *= 2;
	if (wait > most_ms)
		wait = most_ms;
	if (retry_after_ms > most_ms)
		return most_ms;
	wait -= (int64_t)random_below((uint64_t)(wait / 4) + 1);
	return wait > retry_after_ms ? wait
				     : retry_after_ms; /* no sooner than the peer asked for */
}
