/* What is claimed and has not begun. It waits in memory until its lane lets it call, so that the
 * next call begins when one is through, without a claim's commit between them. What must not begin
 * (its lane was opened or paused meanwhile, or the runner drains) is given back. */
#include <stdlib.h>

#include "base/log.h"
#include "job/handover.h"
#include "job/runner-internal.h"

void held_add(struct runner *rn, struct run *run)
{
	struct run **at = &rn->held;

	while (*at != NULL)
		at = &(*at)->next;
	run->next = NULL;
	*at = run;
}

static bool held_must_go(const struct runner *rn, const struct run *run)
{
	return rn->is_draining || lane_is_paused(run->lane) ||
	       (lane_is_open(run->lane) && !run->job.is_probe);
}

bool held_may_move(const struct runner *rn)
{
	for (const struct run *run = rn->held; run != NULL; run = run->next)
		if (held_must_go(rn, run) || lane_may_begin(run->lane))
			return true;
	return false;
}

/* Whatever came since the last time, together. */
static void held_load(struct runner *rn)
{
	size_t n = 0, most = 0;
	struct run **runs;

	for (const struct run *run = rn->held; run != NULL; run = run->next)
		most += !run->is_loaded;
	if (most == 0)
		return;
	runs = calloc(most, sizeof(struct run *));
	if (runs == NULL)
		abort();
	for (struct run *run = rn->held; run != NULL; run = run->next)
		if (!run->is_loaded)
			runs[n++] = run;
	runs_load(rn, runs, n);
	free(runs);
}

static void give_back_some(struct runner *rn, struct run **list)
{
	struct uuid ids[HANDOVER_MOST];
	const int64_t now_us = clock_now_us();
	struct err err = ERR_INIT;
	size_t n = 0;

	for (struct run *run; n < HANDOVER_MOST && (run = *list) != NULL;) {
		*list = run->next;
		ids[n++] = run->job.id;
		lane_given_back(run->lane);
		lane_due(run->lane, now_us);
		run_drop(run);
	}
	if (handover_give_back(rn->app->db, lease_id(rn->lease), ids, n, now_us, &err) == 0)
		return;
	log_warn("runner.give_back", LOG_ERR(&err));
	rn->is_unsure = true;
}

void held_begin(struct runner *rn)
{
	struct run **at = &rn->held, *back = NULL, *run;

	held_load(rn);
	while ((run = *at) != NULL) {
		bool must_go = held_must_go(rn, run);

		if (!must_go && !lane_may_begin(run->lane)) {
			at = &run->next;
			continue;
		}
		*at = run->next;
		if (must_go) {
			run->next = back;
			back = run;
		} else {
			lane_begin(run->lane);
			run_start(rn, run);
		}
	}
	while (back != NULL)
		give_back_some(rn, &back);
}
