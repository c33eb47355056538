#include "base/gather.h"

#define LOOKS_BACK 16 /* over so many commits, about */

void gather_begin(struct gather *g, int64_t now_us)
{
	g->since_us = now_us;
}

void gather_end(struct gather *g, size_t n, int64_t now_us)
{
	g->n += (double)n - g->n / LOOKS_BACK;
	g->us += (double)(now_us - g->ended_us) - g->us / LOOKS_BACK;
	g->ended_us = now_us;
	g->since_us = now_us;
}

bool gather_may_wait(const struct gather *g, int64_t now_us)
{
	return now_us - g->since_us < g->most_us && g->n * 1e6 >= g->from_per_second * g->us;
}
