/* Work for moments when no job is due. */
#include "base/log.h"
#include "job/runner-internal.h"

void runner_set_background(struct runner *rn, int (*run)(struct app *app, struct err *err))
{
	rn->background = run;
}

void background_run(struct runner *rn)
{
	struct err err = ERR_INIT;
	int rc;

	if (rn->background == NULL || clock_mono_us() < rn->background_at_us)
		return;
	rc = rn->background(rn->app, &err);
	if (rc == -1)
		log_warn("runner.background", LOG_ERR(&err));
	rn->background_at_us = rc == 1 ? 0 : clock_mono_us() + POLL_MS * 1000;
}

bool background_is_due(const struct runner *rn)
{
	return rn->background != NULL && rn->background_at_us == 0;
}
