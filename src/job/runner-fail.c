/* What becomes of a job that failed: it goes back into its lane and waits, or it is given up, and
 * its subject says so in the same transaction.
 *
 *	failed ──attempts left──> ready again after a back-off, last_error says why
 *	  │ └──no attempts left, or trying again is of no use──> dead, died() tells its subject
 *	  └──its lease was lost──> another's: nothing is done
 *
 * Attempts are runs that ended, deaths those whose runner ended under them: it may be the job that
 * kills them. A job of a kind that this version does not know waits for one that does. */
#include "job/runner-internal.h"

#include <limits.h>

#include "base/limits.h"
#include "base/log.h"

#define RETRY_FIRST_US (30 * SECOND_US)
#define RETRY_MOST_US (3600 * SECOND_US)
#define PERIODIC_RETRY_MOST_US (60 * SECOND_US)
#define UNKNOWN_RETRY_US (60 * SECOND_US)
/* One line of the log a minute, however many there are. */
#define UNKNOWN_TOLD_US (60 * SECOND_US)
#define DEATHS_MOST 5

DB_STMT(job_back_off,
    "UPDATE jobs SET state = ?, run_at = ?, attempts = ?, deaths = ?, lease_id = NULL,"
    " last_error = ? WHERE id = ? AND lease_id = ? AND attempts = ?");

struct failing {
	struct run *run;
	const struct err *why;
	bool is_dead;
	int attempts, deaths; /* as they are to be from now on */
	int64_t at_us;
};

bool run_is_unknown(const struct run *run)
{
	return run->kind->run == NULL && run->kind->every_s == 0;
}

/* Periodic work never dies. */
static int most_attempts(const struct job_kind *kind)
{
	return kind->every_s != 0 ? INT_MAX : kind->max_attempts;
}

bool run_is_over(const struct run *run, struct err *why)
{
	const struct job *j = &run->job;

	if (run->kind->every_s == 0 && j->deaths >= DEATHS_MOST)
		err_set(why, ERR_LIMIT, "gave up: its runner died %d times", j->deaths);
	else if (j->attempts > most_attempts(run->kind))
		err_set(why, ERR_LIMIT, "gave up: its lease ran out %d times", j->attempts - 1);
	return why->code != ERR_NONE;
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

/* ---- the transaction ----------------------------------------------------------------------- */

static int died_body(struct db *db, void *arg, struct err *err)
{
	const struct failing *f = arg;

	return f->run->kind->died(db, &f->run->job,
	    f->why->code == ERR_INTERNAL ? "an internal error" : f->why->msg, err);
}

/* A subject that cannot be told does not keep the job alive. */
static int fail_tell(struct db *db, struct failing *f, struct err *err)
{
	struct err e = ERR_INIT;

	if (f->run->kind->died == NULL || db_nested(db, died_body, f, &e) == 0)
		return 0;
	/* The whole is lost, or comes again once others let go of what they hold. */
	if (e.code == ERR_RETRY || e.code == ERR_UNAVAILABLE || e.code == ERR_LOCKED)
		return err_set(err, e.code, "%s", e.msg);
	log_error("job.died", LOG_S("kind", f->run->job.kind),
	    LOG_S("job", uuid_dup(f->run->job.a, f->run->job.id)), LOG_ERR(&e));
	return 0;
}

static int fail_body(struct db *db, void *arg, struct err *err)
{
	struct failing *f = arg;
	const struct job *j = &f->run->job;
	uint64_t n = 0;

	if (db_exec(db, &job_back_off,
		DB_VALS(db_str(f->is_dead ? "dead" : "ready"), db_int(f->at_us),
		    db_int(f->attempts), db_int(f->deaths),
		    db_strn(utf8_clean(j->a, str_from(f->why->msg), sizeof(f->why->msg))),
		    db_uuid(&j->id), db_uuid(&j->lease_id), db_int(j->attempts)),
		&n, err) == -1)
		return -1;
	return n > 0 && f->is_dead ? fail_tell(db, f, err) : 0;
}

static void fail_store(struct failing *f)
{
	struct job *j = &f->run->job;
	struct err err = ERR_INIT;

	if (job_transaction(j, fail_body, f, &err) == -1) {
		log_error("job.put_back", LOG_S("kind", j->kind), LOG_ERR(&err));
		j->runner->is_unsure = true;
	} else if (!f->is_dead) {
		lane_due(f->run->lane, f->at_us);
	}
}

/* ---- which way ----------------------------------------------------------------------------- */

void run_fail(struct run *run, const struct err *why)
{
	struct job *j = &run->job;
	bool is_dead = j->is_hopeless || j->attempts >= most_attempts(run->kind);
	struct failing f = {run, why, is_dead, j->attempts, 0,
	    clock_now_us() + (is_dead ? 0 : back_off_us(run->kind, j->attempts))};

	log_warn(is_dead ? "job.dead" : "job.failed", LOG_S("kind", j->kind),
	    LOG_S("job", uuid_dup(j->a, j->id)), LOG_I("attempts", j->attempts), LOG_ERR(why));
	fail_store(&f);
}

/* It loses no attempt: whoever knows it finds it as it was. */
void run_wait_unknown(struct run *run)
{
	struct runner *rn = run->job.runner;
	struct err why = ERR_INIT;
	struct failing f = {
	    run, &why, false, 0, run->job.deaths, clock_now_us() + UNKNOWN_RETRY_US};

	err_set(&why, ERR_INTERNAL, "this version knows no such kind of job");
	if (clock_mono_us() >= rn->unknown_at_us) {
		rn->unknown_at_us = clock_mono_us() + UNKNOWN_TOLD_US;
		log_warn("job.unknown", LOG_S("kind", run->job.kind),
		    LOG_S("job", uuid_dup(run->job.a, run->job.id)));
	}
	fail_store(&f);
}

const json_t *job_args(struct job *j, struct err *err)
{
	struct err e = ERR_INIT;
	json_t *args = json_parse(j->a, j->args.p == NULL ? STR("{}") : j->args, &e);

	if (json_is_object(args))
		return args;
	j->is_hopeless = true;
	err_set(err, ERR_INVALID, "its arguments cannot be read: %s",
	    e.code == ERR_NONE ? "no object" : e.msg);
	return NULL;
}
