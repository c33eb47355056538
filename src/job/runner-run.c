/* One job in its fiber: its transactions, its ending or the way back into its lane. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/fiber.h"
#include "base/limits.h"
#include "base/log.h"
#include "job/periodic.h"
#include "job/runner-internal.h"
#include "net/http-client.h"

#define RETRY_FIRST_US (30 * SECOND_US)
#define RETRY_MOST_US (3600 * SECOND_US)
#define PERIODIC_RETRY_MOST_US (60 * SECOND_US)

DB_STMT(job_back_off, "UPDATE jobs SET state = ?, run_at = ?, lease_id = NULL, last_error = ?"
		      " WHERE id = ? AND lease_id = ? AND attempts = ?");

static const struct job_kind unknown_kind = {.name = "unknown", .max_attempts = INT_MAX};

/* The database is away: waits a little for it. False when the lease has run out meanwhile. */
static bool wait_for_database(struct job *j, int64_t since_us)
{
	if (clock_mono_us() - since_us > j->lease_us)
		return false;
	http_client_sleep(j->app->http, POLL_MS);
	return true;
}

/* A job's piece of a transaction: each try begins with the job as it was. */
struct piece {
	struct job *job;
	group_body *body;
	void *arg;
	bool was_ended;
};

static int piece_run(struct db *db, void *arg, struct err *err)
{
	struct piece *p = arg;

	p->job->is_ended = p->was_ended;
	return p->body(db, p->arg, err);
}

int job_transaction(struct job *j, int (*body)(struct db *db, void *arg, struct err *err),
    void *arg, struct err *err)
{
	struct piece piece = {j, body, arg, j->is_ended};
	const int64_t since_us = clock_mono_us();
	struct err e;

	do {
		e = (struct err)ERR_INIT;
		if ((j->runner == NULL ? db_transaction(j->app->db, piece_run, &piece, &e)
				       : group_transaction(j->runner->group, j->class, piece_run,
					     &piece, &e)) == 0)
			return 0;
		j->is_ended = piece.was_ended;
	} while (e.code == ERR_UNAVAILABLE && wait_for_database(j, since_us));
	return err_set(err, e.code, "%s", e.msg);
}

static int finish_body(struct db *db, void *arg, struct err *err)
{
	return job_finish(db, arg, err);
}

static int64_t back_off_us(const struct job_kind *kind, int attempts)
{
	int64_t wait = RETRY_FIRST_US, most = RETRY_MOST_US;

	if (kind->every_s != 0)
		most = kind->every_s < 60 ? kind->every_s * SECOND_US : PERIODIC_RETRY_MOST_US;
	for (int i = 1; i < attempts && wait < most; i++)
		wait *= 2;
	return wait < most ? wait : most;
}

struct backing_off {
	struct job *job;
	const char *state, *why;
	int64_t at_us;
};

static int back_off_body(struct db *db, void *arg, struct err *err)
{
	const struct backing_off *b = arg;
	const struct job *j = b->job;

	return db_exec(db, &job_back_off,
	    DB_VALS(db_str(b->state), db_int(b->at_us),
		db_strn(utf8_clean(j->a, str_from(b->why), sizeof(((struct err *)0)->msg))),
		db_uuid(&j->id), db_uuid(&j->lease_id), db_int(j->attempts)),
	    NULL, err);
}

/* Periodic work never dies. */
static int most_attempts(const struct job_kind *kind)
{
	return kind->every_s != 0 ? INT_MAX : kind->max_attempts;
}

static void put_back(struct run *run, const struct err *why)
{
	struct job *j = &run->job;
	bool is_dead = j->attempts >= most_attempts(run->kind);
	struct backing_off b = {j, is_dead ? "dead" : "ready", why->msg,
	    clock_now_us() + (is_dead ? 0 : back_off_us(run->kind, j->attempts))};
	struct err err = ERR_INIT;

	log_warn(is_dead ? "job.dead" : "job.failed", LOG_S("kind", j->kind),
	    LOG_S("job", uuid_dup(j->a, j->id)), LOG_I("attempts", j->attempts), LOG_ERR(why));
	if (job_transaction(j, back_off_body, &b, &err) == 0) {
		if (!is_dead)
			lane_due(run->lane, b.at_us);
		return;
	}
	log_error("job.put_back", LOG_S("kind", j->kind), LOG_ERR(&err));
	j->runner->is_unsure = true;
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

	if (run->kind ==
	    &unknown_kind) { /* of a newer version, perhaps: leave it to who knows it */
		err_set(&err, ERR_INTERNAL, "this version knows no such kind of job");
		put_back(run, &err);
	} else if (j->attempts > most_attempts(run->kind)) {
		err_set(&err, ERR_INTERNAL, "gave up: its runner died %d times", j->attempts - 1);
		put_back(run, &err);
	} else if (run_kind(run, &err) == 0) {
		if (!j->is_ended && job_transaction(j, finish_body, j, &err) == -1) {
			log_warn("job.finish", LOG_S("kind", j->kind), LOG_ERR(&err));
			j->runner->is_unsure = true;
		}
	} else if (err.code == ERR_CONFLICT) {
		log_warn("job.lost", LOG_S("kind", j->kind), LOG_ERR(&err));
	} else {
		put_back(run, &err);
	}
	run->is_done = true;
}

static const struct job_kind *kind_of(const struct runner *rn, const char *name)
{
	for (size_t i = 0; i < rn->nkinds; i++)
		if (strcmp(rn->kinds[i].name, name) == 0)
			return &rn->kinds[i];
	return &unknown_kind;
}

static int64_t lease_us_of(const struct runner *rn, const struct job_kind *kind)
{
	int64_t s = kind->lease_s != 0 ? kind->lease_s : rn->app->config->job_lease_s;

	return s * SECOND_US;
}

int64_t run_lease_us(const struct runner *rn, const char *kind)
{
	return lease_us_of(rn, kind_of(rn, kind));
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
	run->fiber = fiber_new(run_main, run);
	fiber_resume(run->fiber);
}

static void run_end(struct runner *rn, struct run *run)
{
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
