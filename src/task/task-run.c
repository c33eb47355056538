/* Runs of tasks: the one way from queued to an end, in steps of a transaction each.
 *
 *   draft -> queued -> running -> completed
 *                ^        |-----> failed      (the error is final, or its job was given up)
 *                |        +-----> cancelled   (by people; the run sees it at its next step)
 *                +- failed, when its dead job is run again: it goes on at its place
 *
 * A step locks the task's row, lets the kind do its work, then stores the progress and settles the
 * job, all in one transaction: a crash loses the step as a whole, so nothing is counted twice.
 * TASK_GO_ON keeps the job (its lease is renewed from time to time), TASK_AGAIN gives it back to
 * the queue at once (TASK_LATER: for so long), TASK_DONE ends both. Where the runner is about to
 * end, going on is giving back: the next runner continues at the next step, and no attempt is used
 * up.
 *
 * The row decides whose task it is. Where people have ended the task, the step does no work and the
 * run ends without an error; where another run has gone on with it, that is ERR_CONFLICT, and this
 * run leaves everything to the other. The one exception is work that happened outside the
 * transaction (is_outside): it cannot be taken back, so its counts are stored all the same, under
 * the status that the task has by then.
 *
 * Two arenas take turns: what the last step left in the task (its position) lies in one of them
 * while the next step fills the other. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "task/task-internal.h"

#define KEEP_EVERY_US (10 * SECOND_US)

static void task_run_free(void *arg)
{
	struct task_run *run = arg;

	arena_free(run->work[0]);
	arena_free(run->work[1]);
}

int task_run_begin(
    struct job *j, const struct task_kind *kind, struct task_run **out, struct err *err)
{
	struct task_run *run = arena_zalloc(j->a, sizeof(*run));
	int found;

	*out = run;
	run->job = j;
	run->begun_us = clock_now_us();
	run->kind = kind;
	run->work[0] = arena_new();
	run->work[1] = arena_new();
	arena_on_free(j->a, task_run_free, run);
	found = task_load(j->app->db, j->a, &j->account_id, &j->subject_id, false, &run->task, err);
	return found == 1 ? task_is_open(&run->task) : found;
}

/* ---- a step -------------------------------------------------------------------------------- */

struct run_step {
	struct task_run *run;
	task_work_fn *work;
	void *arg;
	struct task next;
};

static int run_settle_job(struct db *db, struct task_run *run, enum task_then then, struct err *err)
{
	if (then == TASK_DONE)
		return job_finish(db, run->job, err);
	if (then == TASK_AGAIN || then == TASK_LATER)
		return job_reschedule(db, run->job,
		    clock_now_us() + (then == TASK_LATER ? run->later_us : 0),
		    (struct str){NULL, 0}, err);
	if (clock_mono_us() < run->keep_at_us)
		return 0;
	run->keep_at_us = clock_mono_us() + KEEP_EVERY_US;
	return job_keep(db, run->job, err);
}

static int run_step_body(struct db *db, void *arg, struct err *err)
{
	struct run_step *s = arg;
	struct task_run *run = s->run;
	struct arena *a = run->work[run->turn];
	enum task_then then = TASK_GO_ON;
	enum task_status now;
	int ours;

	arena_reset(a);
	s->next = run->task;
	ours = task_store_hold(db, a, &run->task, &now, err);
	run->job->is_lost = ours == -1 && err->code == ERR_CONFLICT;
	if (ours == -1)
		return -1;
	if (ours == 0 && !run->is_outside) {
		run->is_over = true;
		s->next.status = now;
		return job_finish(db, run->job, err);
	}
	if (s->work(db, a, s->arg, &s->next, &then, err) == -1)
		return -1;
	if (ours == 0)
		then = TASK_DONE;
	else if (then == TASK_GO_ON && job_has_to_yield(run->job))
		then = TASK_AGAIN;
	s->next.status = ours == 0 ? now : then == TASK_DONE ? TASK_COMPLETED : TASK_RUNNING;
	if (s->next.started_us == 0)
		s->next.started_us = run->begun_us;
	if (then == TASK_DONE)
		s->next.finished_us = clock_now_us();
	if (s->next.position.p != NULL) /* what it lies in may be emptied before the next step */
		s->next.position = str_copy(a, s->next.position);
	run->is_over = then != TASK_GO_ON;
	if (task_store_progress(db, &s->next, err) == -1)
		return -1;
	return run_settle_job(db, run, then, err);
}

int task_run_step(struct task_run *run, task_work_fn *work, void *arg, struct err *err)
{
	struct run_step s = {.run = run, .work = work, .arg = arg};

	if (job_transaction(run->job, run_step_body, &s, err) == -1)
		return -1;
	run->task = s.next;
	run->turn ^= 1;
	if (run->is_over && task_is_open(&run->task))
		job_wake(run->job->app->config, run->job->class); /* for the rest, at once */
	return 0;
}

/* ---- failing ------------------------------------------------------------------------------- */

struct run_failing {
	struct task_run *run;
	const char *error;
};

static int run_fail_body(struct db *db, void *arg, struct err *err)
{
	struct run_failing *f = arg;
	struct task_run *run = f->run;
	struct task next = run->task;
	enum task_status now;
	int ours = task_store_hold(db, run->job->a, &run->task, &now, err);

	if (ours == -1)
		return -1;
	next.status = TASK_FAILED;
	next.error = f->error;
	next.finished_us = clock_now_us();
	if (next.started_us == 0)
		next.started_us = next.finished_us;
	if (ours == 1 && task_store_progress(db, &next, err) == -1)
		return -1;
	return job_finish(db, run->job, err);
}

int task_run_fail(struct task_run *run, bool is_final, struct err *err)
{
	struct run_failing f = {run, err->code == ERR_INTERNAL ? "an internal error" : err->msg};
	struct err e = ERR_INIT;

	if (run->job->is_lost || !is_final)
		return -1;
	log_warn("task.failed", LOG_S("kind", run->kind->name),
	    LOG_S("task", uuid_dup(run->job->a, run->task.id)), LOG_ERR(err));
	if (db_transaction(run->job->app->db, run_fail_body, &f, &e) == -1)
		return -1;
	run->is_over = true;
	err_clear(err);
	return 0;
}
