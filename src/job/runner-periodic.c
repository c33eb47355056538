/* Work for moments when no job is due. */
#include "base/log.h"
#include "job/runner-internal.h"

#define SOON_US 100000

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
	rn->background_at_us = clock_mono_us();
	if (rc != BACKGROUND_AT_ONCE)
		rn->background_at_us += rc == BACKGROUND_SOON ? SOON_US : POLL_MS * 1000;
}

int64_t background_wait_us(const struct runner *rn)
{
	const int64_t left_us = rn->background_at_us - clock_mono_us();

	if (rn->background == NULL)
		return INT64_MAX;
	return left_us > 0 ? left_us : 0;
}
