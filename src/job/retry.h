/* How long to wait between the attempts that one job makes itself. */
#ifndef JOB_RETRY_H
#define JOB_RETRY_H
#include <stdint.h>
/* Milliseconds before the attempt after attempt number `attempt` (from 1): first_ms doubling, at
 * most most_ms, the upper quarter jittered; a peer's Retry-After (-1: none) is obeyed within
 * most_ms.
 */
int64_t retry_wait_ms(int attempt, int64_t first_ms, int64_t most_ms, int64_t retry_after_ms);
#endif
