/* One job in its fiber: its transactions, its ending or the way back into its lane. */
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/fiber.h"
#include "base/limits.h"
#include "base/log.h"
#include "job/periodic.h"
#include "job/runner-internal.h"
#include "net/http-client.h"

/* The database is away, or others hold a row: waits a little for it. False when the lease has run
 * out meanwhile. */
static bool wait_for_database(struct job *j, const struct err *why, int64_t since_us)
{
	if ((why->code != ERR_UNAVAILABLE && why->code != ERR_LOCKED) ||
	    clock_mono_us() - since_us > j->lease_us)
		return false;
	/* Nobody knows which claims went through: those that the body made are found again. */
	if (j->runner != NULL && why->code == ERR_UNAVAILABLE)
		j->runner->is_unsure = true;
	http_client_sleep(j->app->http, POLL_MS);
	return true;
}

static int piece_store(struct group_piece *p, struct err *err)
{
	struct job *j = p->job;
	const int64_t since_us = clock_mono_us();
	struct err e;

	do {
		e = (struct err)ERR_INIT;
		if (group_transaction(j->runner == NULL ? NULL : j->runner->group, p, &e) == 0)
			return 0;
		j->is_ended = p->was_ended;
	} while (wait_for_database(j, &e, since_us));
	return err_set(err, e.code, "%s", e.msg);
}

int job_transaction(struct job *j, job_body *body, void *arg, struct err *err)
{
	return piece_store(
	    &(struct group_piece){.job = j, .was_ended = j->is_ended, .body = body, .arg = arg},
	    err);
}

int job_transaction_many(struct job *j, job_body_many *body, void *arg, struct err *err)
{
	return piece_store(
	    &(struct group_piece){.job = j, .was_ended = j->is_ended, .many = body, .arg = arg},
	    err);
}

static int finish_body(struct db *db, void *arg, struct err *err)
{
	return job_finish(db, arg, err);
}

static int run_kind(struct run *run, struct err *err)
{
	return run->kind->every_s != 0 ? periodic_run(&run->job, run->kind, err)
				       : run->kind->run(&run->job, err);
}

static void run_main(void *arg)
{
	struct run *run = arg;
	struct job *j = &run->job;
	struct err err = ERR_INIT;

	if (run_is_unknown(run)) {
		run_wait_unknown(run);
	} else if (run_is_over(run, &err)) {
		j->is_hopeless = true;
		run_fail(run, &err);
	} else if (run_kind(run, &err) == 0) {
		if (!j->is_ended && job_transaction(j, finish_body, j, &err) == -1) {
			log_warn("job.finish", LOG_S("kind", j->kind), LOG_ERR(&err));
			j->runner->is_unsure = true;
		}
	} else if (j->is_lost) {
		log_warn("job.lost", LOG_S("kind", j->kind), LOG_ERR(&err));
	} else {
		run_fail(run, &err);
	}
	run->is_done = true;
}

static const struct job_kind *kind_of(const struct runner *rn, const char *name)
{
	static const struct job_kind unknown = {.name = "unknown"};

	for (size_t i = 0; i < rn->nkinds; i++)
		if (strcmp(rn->kinds[i].name, name) == 0)
			return &rn->kinds[i];
	return &unknown;
}

static int64_t lease_us_of(const struct runner *rn, const struct job_kind *kind)
{
	int64_t s = kind->lease_s != 0 ? kind->lease_s : rn->app->config->job_lease_s;

	return s * SECOND_US;
}

struct run *run_new(struct runner *rn, const struct job *row, int attempts)
{
	struct arena *a = arena_new();
	struct run *run = arena_zalloc(a, sizeof(*run));
	struct lane_key key = {row->account_id, row->target_id, row->class};

	run->job = *row;
	run->job.kind = arena_strdup(a, row->kind);
	if (row->args.p != NULL)
		run->job.args.p = arena_strndup(a, row->args.p, row->args.n);
	run->job.attempts = attempts;
	run->job.lease_id = *lease_id(rn->lease);
	run->kind = kind_of(rn, row->kind);
	run->job.lease_us = lease_us_of(rn, run->kind);
	run->job.is_ended = false;
	run->job.runner = rn;
	run->job.lanes = rn->lanes;
	run->job.app = rn->app;
	run->job.a = a;
	run->lane = lane_get(rn->lanes, &key);
	return run;
}

void run_drop(struct run *run)
{
	arena_free(run->job.a);
}

void run_start(struct runner *rn, struct run *run)
{
	rn->nran++;
	run->next = rn->running;
	rn->running = run;
	rn->nrunning++;
	run->began_us = clock_mono_us();
	run->fiber = fiber_new(run_main, run);
	fiber_resume(run->fiber);
}

/* Of runs[0], and of those behind it that are not done yet, of its kind and account. When it fails
 * each finds out by itself. */
static void runs_load_alike(struct runner *rn, struct run *const *runs, bool *is_done, size_t n)
{
	const struct job_kind *kind = runs[0]->kind;
	struct job *jobs[LIMIT_DB_BATCH];
	struct err ignored = ERR_INIT;
	size_t njobs = 0;

	for (size_t i = 0; i < n && njobs < LIMIT_DB_BATCH; i++) {
		if (is_done[i] || runs[i]->kind != kind ||
		    !uuid_eq(runs[i]->job.account_id, runs[0]->job.account_id))
			continue;
		is_done[i] = true;
		jobs[njobs++] = &runs[i]->job;
	}
	if (kind->load == NULL || kind->load(rn->app, jobs, njobs, &ignored) == 0)
		return;
	for (size_t i = 0; i < njobs; i++)
		jobs[i]->loaded = NULL;
}

void runs_load(struct runner *rn, struct run *const *runs, size_t n)
{
	bool *is_done = calloc(n + 1, sizeof(*is_done));

	if (is_done == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		runs[i]->is_loaded = true;
		if (!is_done[i])
			runs_load_alike(rn, runs + i, is_done + i, n - i);
	}
	free(is_done);
}

static void run_end(struct runner *rn, struct run *run)
{
	if (run->has_called)
		lane_stored(run->lane, run->job.peer);
	else
		lane_ended(run->lane, run->job.peer);
	target_judge(rn, run);
	rn->nrunning--;
	fiber_free(run->fiber);
	arena_free(run->job.a);
}

void runs_sweep(struct runner *rn)
{
	struct run **at = &rn->running;

	while (*at != NULL) {
		struct run *run = *at;

		if (!run->is_done) {
			at = &run->next;
			continue;
		}
		*at = run->next;
		run_end(rn, run);
	}
}
