/* Waiting a moment so that more share a commit: only where many come, and never for long. */
#include "base/gather.h"
#include "core-check.h"

void suite_base_gather(void);

/* n came in each of so many commits, this far apart; the time after the last. */
static int64_t commits(struct gather *g, int times, size_t n, int64_t apart_us, int64_t now_us)
{
	for (int i = 0; i < times; i++)
		gather_end(g, n, now_us += apart_us);
	return now_us;
}

static void waits_where_many_come(void)
{
	struct gather g = {.from_per_second = 1000, .most_us = 5000};
	int64_t now_us = commits(&g, 100, 2, 1000, 1000000); /* 2,000 a second */

	gather_begin(&g, now_us);
	CHECK(gather_may_wait(&g, now_us) && gather_may_wait(&g, now_us + 4999));
	CHECK(!gather_may_wait(&g, now_us + 5000));
	/* what came during a commit has waited since its end */
	gather_end(&g, 2, now_us + 9000);
	CHECK(gather_may_wait(&g, now_us + 9001));
}

static void waits_not_where_few_come(void)
{
	struct gather g = {.from_per_second = 1000, .most_us = 5000};
	int64_t now_us = commits(&g, 100, 1, 10000, 1000000); /* 100 a second */

	gather_begin(&g, now_us);
	CHECK(!gather_may_wait(&g, now_us));
	/* a burst changes that, and what follows it changes it back */
	now_us = commits(&g, 40, 8, 1000, now_us);
	CHECK(gather_may_wait(&g, now_us + 1));
	now_us = commits(&g, 40, 1, 10000, now_us);
	CHECK(!gather_may_wait(&g, now_us + 1));
}

void suite_base_gather(void)
{
	ADD_TESTS("base/gather", {"waits where many come", waits_where_many_come},
	    {"waits not where few come", waits_not_where_few_come});
}
