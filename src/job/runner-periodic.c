/* Work that comes by the clock, one runner at a time over all hosts, and work for idle moments. */
#include <stdlib.h>

#include "base/log.h"
#include "job/runner-internal.h"

#define AGAIN_US SECOND_US /* after periodic work that has more to do: the others' turn */

DB_STMT(periodic_take, "UPDATE periodic_runs SET next_at = ? WHERE name = ? AND next_at <= ?");
DB_STMT(periodic_again, "UPDATE periodic_runs SET next_at = LEAST(next_at, ?) WHERE name = ?");
DB_STMT(periodic_first, "INSERT INTO periodic_runs (name, next_at) VALUES (?, ?)"
			" ON DUPLICATE KEY UPDATE next_at = next_at");

void runner_set_periodic(struct runner *rn, const struct runner_periodic *p, size_t n)
{
	rn->periodics = p;
	rn->nperiodics = n;
	free(rn->periodic_at_us);
	rn->periodic_at_us = calloc(n == 0 ? 1 : n, sizeof(*rn->periodic_at_us));
	if (rn->periodic_at_us == NULL)
		abort();
}

void periodic_look_again(struct runner *rn)
{
	for (size_t i = 0; i < rn->nperiodics; i++)
		rn->periodic_at_us[i] = 0;
}

static int take_periodic(struct runner *rn, const struct runner_periodic *p, struct err *err)
{
	int64_t now = clock_now_us(), next = now + p->every_s * SECOND_US;
	uint64_t n = 0;

	if (db_exec(rn->app->db, &periodic_first, DB_VALS(db_str(p->name), db_int(0)), NULL, err) ==
		-1 ||
	    db_exec(rn->app->db, &periodic_take,
		DB_VALS(db_int(next), db_str(p->name), db_int(now)), &n, err) == -1)
		return -1;
	return n > 0;
}

/* Runs it if it is due: 1 there is more to do, 0, -1. */
static int run_periodic(struct runner *rn, const struct runner_periodic *p, struct err *err)
{
	int rc = take_periodic(rn, p, err);

	if (rc == 1)
		rc = p->run(rn->app, err);
	if (rc == 1 &&
	    db_exec(rn->app->db, &periodic_again,
		DB_VALS(db_int(clock_now_us() + AGAIN_US), db_str(p->name)), NULL, err) == -1)
		return -1;
	return rc;
}

void periodic_run(struct runner *rn)
{
	for (size_t i = 0; i < rn->nperiodics; i++) {
		const struct runner_periodic *p = &rn->periodics[i];
		struct err err = ERR_INIT;
		int64_t look_us = (p->every_s < 60 ? p->every_s : 60) * SECOND_US;
		int rc;

		if (clock_mono_us() < rn->periodic_at_us[i])
			continue;
		rc = run_periodic(rn, p, &err);
		rn->periodic_at_us[i] = clock_mono_us() + (rc == 1 ? AGAIN_US : look_us);
		if (rc == -1)
			log_warn("periodic.failed", LOG_S("name", p->name), LOG_ERR(&err));
	}
}

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
