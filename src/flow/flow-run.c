/* The job flow.run: walks, keeps, calls, keeps …
 *
 *	            ┌──────────────── RUN_CALLS: keep, then call ──┐
 *	  walk ─────┤                                              ├─> walk
 *	            ├─ RUN_STORES: walk on within a transaction ───┘
 *	            └─ RUN_WAITS, RUN_ENDS: keep, with the job's end in it
 *
 * To keep is one transaction: the run's row, its steps' rows, where it stands. Runs that come to
 * that point together are kept together, by statements for all of them (job_transaction_many). So
 * local steps between two effects outside cost one commit, and a run that is only local has one.
 *
 * The job may die anywhere. What was kept is not done again. A call that was under way is made
 * again with the same key. What a transaction did is undone with it, and walked again. */
#include "flow/flow-run.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"

#define CHILD_LOOK_US (60 * SECOND_US) /* should its end not have told us */
#define ORDER_LOOK_US (2 * SECOND_US)

/* ---- keeping --------------------------------------------------------------------------------- */

static void run_settle(struct run *r)
{
	r->x->wait_us = 0;
	if (r->x->finished_us != 0)
		return;
	if (r->x->is_cancelling) {
		run_end(r, EXECUTION_CANCELLED, NULL);
		r->next = RUN_ENDS;
	} else if (r->next == RUN_WAITS) {
		r->x->status = EXECUTION_WAITING;
		r->x->wait_us = r->at.now.until_us;
	} else {
		r->x->status = EXECUTION_RUNNING;
	}
}

/* Who waits for the end of this one: its parent, and the next of its key. */
static int run_tell(struct db *db, struct arena *a, const struct run *r, struct err *err)
{
	const struct execution *x = r->x;
	struct uuid id;
	struct job j;
	int found;

	if (!uuid_is_nil(x->parent_id)) {
		struct execution parent;

		found = execution_load(db, a, &x->account_id, &x->parent_id, &parent, err);
		j = flow_job(&x->account_id, &parent.flow_id, &x->parent_id);
		if (found == -1 ||
		    (found == 1 && parent.finished_us == 0 && job_run_now(db, &j, err) == -1))
			return -1;
	}
	if (r->plan != NULL && r->plan->settings.concurrency > 0 && turn_end(db, a, x, err) == -1)
		return -1;
	if (!x->has_order)
		return 0;
	found = execution_behind(db, a, x, &id, err);
	j = flow_job(&x->account_id, &x->flow_id, &id);
	return found == 1 ? job_run_now(db, &j, err) : found;
}

/* A run that gets on leaves behind what may have killed its runners. */
static int run_stay(struct db *db, struct run *r, struct err *err)
{
	struct job *j = r->job;

	return j->deaths > 0 ? job_keep(db, j, err) : 0;
}

static int runs_end_jobs(
    struct db *db, struct arena *a, struct run *const *runs, size_t n, struct err *err)
{
	struct job *over[LIMIT_DB_BATCH];
	size_t nover = 0;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct run *r = runs[i];

		if (r->next == RUN_ENDS) {
			over[nover++] = r->job;
			rc = run_tell(db, a, r, err);
		} else if (r->next == RUN_WAITS) {
			int64_t at_us = uuid_is_nil(r->at.now.child)
					    ? r->at.now.until_us
					    : clock_now_us() + CHILD_LOOK_US;

			rc = job_reschedule(db, r->job, at_us, r->job->args, err);
		} else {
			rc = run_stay(db, r, err);
		}
	}
	return rc == -1 ? -1 : job_finish_many(db, over, nover, err);
}

/* Of n runs that are locked: those that go on, and those that had ended meanwhile. */
static int runs_keep(struct db *db, struct arena *a, struct run *const *runs, const bool *is_over,
    size_t n, struct err *err)
{
	struct run *on[LIMIT_DB_BATCH];
	struct job *gone[LIMIT_DB_BATCH];
	struct execution_store stores[LIMIT_DB_BATCH] = {0};
	size_t non = 0, ngone = 0;

	for (size_t i = 0; i < n; i++) {
		struct run *r = runs[i];

		if (is_over[i]) {
			gone[ngone++] = r->job;
			continue;
		}
		run_settle(r);
		stores[non] = (struct execution_store){
		    r->x, r->rows, r->at.nrows, run_state(r), r->had_state};
		on[non++] = r;
	}
	if (executions_store(db, a, stores, non, err) == -1 ||
	    runs_end_jobs(db, a, on, non, err) == -1)
		return -1;
	return job_finish_many(db, gone, ngone, err);
}

static int runs_lock(struct db *db, struct arena *a, struct run *const *runs, bool *is_over,
    size_t n, struct err *err)
{
	struct execution *xs[LIMIT_DB_BATCH] = {NULL};

	for (size_t i = 0; i < n; i++)
		xs[i] = runs[i]->x;
	return executions_lock(db, a, xs, n, is_over, err);
}

static int runs_keep_body(struct db *db, void *const *args, size_t n, struct err *err)
{
	struct arena *a = arena_new();
	struct run *runs[LIMIT_DB_BATCH] = {NULL};
	bool is_over[LIMIT_DB_BATCH];
	int rc;

	for (size_t i = 0; i < n; i++)
		runs[i] = args[i];
	rc = runs_lock(db, a, runs, is_over, n, err) == -1
		 ? -1
		 : runs_keep(db, a, runs, is_over, n, err);
	arena_free(a);
	return rc;
}

static void run_kept(struct run *r)
{
	r->at.nrows = 0;
	r->had_state = true;
}

static int run_keep(struct run *r, struct err *err)
{
	if (job_transaction_many(r->job, runs_keep_body, r, err) == -1)
		return -1;
	run_kept(r);
	return 0;
}

/* ---- steps of the database ------------------------------------------------------------------- */

struct run_storing {
	struct run *r;
	struct run_place mark;
};

/* What runs ask of tables at the same time, by one call; each then walks on. */
static int runs_ask(
    struct arena *a, struct run *const *runs, size_t n, size_t *asked, struct err *err)
{
	struct table_op ops[LIMIT_DB_BATCH];
	struct run *of[LIMIT_DB_BATCH];

	*asked = 0;
	for (size_t i = 0; i < n; i++)
		if (runs[i]->next == RUN_ASKS) {
			ops[*asked] = runs[i]->op;
			of[(*asked)++] = runs[i];
		}
	if (*asked == 0)
		return 0;
	if (table_run(of[0]->app, a, &of[0]->x->account_id, ops, *asked, err) == -1)
		return -1;
	for (size_t i = 0; i < *asked; i++) {
		of[i]->op = ops[i];
		of[i]->next = run_told(of[i], err);
		if (of[i]->next == RUN_BROKEN)
			return -1;
	}
	return 0;
}

/* The walks go on within the transaction, side by side. */
static int runs_walk(struct arena *a, struct run *const *runs, size_t n, struct err *err)
{
	size_t asked = 1;

	for (size_t i = 0; i < n; i++) {
		runs[i]->next = run_walk(runs[i], err);
		if (runs[i]->next == RUN_BROKEN)
			return -1;
	}
	while (asked > 0)
		if (runs_ask(a, runs, n, &asked, err) == -1)
			return -1;
	return 0;
}

static int runs_store(struct db *db, struct arena *a, void *const *args, size_t n, struct err *err)
{
	struct run *runs[LIMIT_DB_BATCH] = {NULL}, *on[LIMIT_DB_BATCH];
	bool is_over[LIMIT_DB_BATCH];
	size_t non = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		struct run_storing *s = args[i];

		runs[i] = s->r;
		run_return(s->r, &s->mark);
	}
	if (runs_lock(db, a, runs, is_over, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (!is_over[i]) {
			runs[i]->db = db;
			on[non++] = runs[i];
		}
	rc = runs_walk(a, on, non, err);
	for (size_t i = 0; i < non; i++)
		on[i]->db = NULL;
	return rc == -1 ? -1 : runs_keep(db, a, runs, is_over, n, err);
}

/* What the walks do is kept in the transaction that they do it in. */
static int runs_store_body(struct db *db, void *const *args, size_t n, struct err *err)
{
	struct arena *a = arena_new();
	int rc = runs_store(db, a, args, n, err);

	arena_free(a);
	return rc;
}

static int run_store(struct run *r, struct err *err)
{
	struct run_storing s = {.r = r};

	run_mark(r, &s.mark);
	if (job_transaction_many(r->job, runs_store_body, &s, err) == -1)
		return -1;
	run_kept(r);
	return 0;
}

/* ---- the job --------------------------------------------------------------------------------- */

/* Until it waits or has ended. */
static int run_go(struct run *r, struct err *err)
{
	r->next = run_walk(r, err);
	for (;;) {
		switch (r->next) {
		case RUN_BROKEN:
		case RUN_ASKS: /* only within a transaction */
			return -1;
		case RUN_STORES:
			if (run_store(r, err) == -1)
				return -1;
			break;
		case RUN_CALLS:
			if (r->at.nrows > 0 && run_keep(r, err) == -1)
				return -1;
			break;
		case RUN_WAITS:
		case RUN_ENDS:
			job_note_peer(r->job, JOB_PEER_OK, NULL);
			return run_keep(r, err);
		}
		if (r->job->is_ended)
			return 0;
		if (r->next == RUN_CALLS)
			r->next = run_call(r, err);
	}
}

/* A flow that cannot be run is a failure of the run, which says so. */
static int run_refuse(struct run *r, const char *why, struct err *err)
{
	run_end(r, EXECUTION_FAILED, why);
	r->next = RUN_ENDS;
	return run_keep(r, err);
}

struct run_turn {
	struct run *r;
	bool has_turn;
};

static int run_order_body(struct db *db, void *arg, struct err *err)
{
	struct run_turn *t = arg;
	int before = execution_before(db, t->r->a, t->r->x, err);

	t->has_turn = before == 0;
	if (before != 1)
		return before;
	return job_reschedule(db, t->r->job, clock_now_us() + ORDER_LOOK_US, t->r->job->args, err);
}

static int run_limit_body(struct db *db, void *arg, struct err *err)
{
	struct run_turn *t = arg;

	return turn_take(
	    db, t->r->job, t->r->x, t->r->plan->settings.concurrency, &t->has_turn, err);
}

/* Runs of one key go one after the other, of one flow so many at a time: 1 it is its turn, 0 it
 * waits, -1. */
static int run_has_turn(struct run *r, struct err *err)
{
	struct run_turn t = {.r = r, .has_turn = true};

	if (r->x->started_us != 0)
		return 1;
	if (r->x->has_order && job_transaction(r->job, run_order_body, &t, err) == -1)
		return -1;
	if (t.has_turn && r->plan->settings.concurrency > 0 &&
	    job_transaction(r->job, run_limit_body, &t, err) == -1)
		return -1;
	return t.has_turn;
}

static int run_plan(struct run *r, struct err *err)
{
	struct execution *x = r->x;

	if (x->version == 0)
		return flow_plan_of_draft(r->a, &x->flow_id, x->plan, &r->plan, err) == -1 ? -1 : 1;
	return flow_plan_of(r->app, r->a, &x->account_id, &x->flow_id, x->version, &r->plan, err);
}

static int run_find(struct job *j, struct execution **out, struct err *err)
{
	if (j->loaded != NULL) {
		*out = j->loaded;
		return 1;
	}
	*out = arena_zalloc(j->a, sizeof(**out));
	return execution_load(j->app->db, j->a, &j->account_id, &j->subject_id, *out, err);
}

static bool execution_is_over(const struct execution *x)
{
	return x->finished_us != 0;
}

int flow_job_run(struct job *j, struct err *err)
{
	struct run r = {.app = j->app, .a = j->a, .job = j};
	struct err why = ERR_INIT;
	int rc = run_find(j, &r.x, err);

	if (rc != 1 || execution_is_over(r.x))
		return rc == -1 ? -1 : 0;
	r.had_state = r.x->state != NULL;
	rc = run_plan(&r, &why);
	if (rc == -1 && why.code != ERR_INVALID)
		return err_set(err, why.code, "%s", why.msg);
	if (rc != 1)
		return run_refuse(&r, rc == 0 ? "the flow has been deleted" : why.msg, err);
	rc = run_has_turn(&r, err);
	if (rc != 1)
		return rc;
	if (run_begin(&r, &why) == -1)
		return run_refuse(&r, why.msg, err);
	return run_go(&r, err);
}

/* ---- jobs that are given up ------------------------------------------------------------------ */

int flow_job_died(struct db *db, struct job *j, const char *why, struct err *err)
{
	struct execution x;
	int found = execution_load(db, j->a, &j->account_id, &j->subject_id, &x, err);

	if (found != 1 || execution_is_over(&x))
		return found == -1 ? -1 : 0;
	x.status = EXECUTION_FAILED;
	x.error = why;
	x.finished_us = clock_now_us();
	x.started_us = x.started_us != 0 ? x.started_us : x.finished_us;
	return executions_store(db, j->a, &(struct execution_store){.x = &x}, 1, err) == -1
		   ? -1
		   : turn_end(db, j->a, &x, err);
}

int flow_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err)
{
	(void)a;
	return executions_reopen(db, account_id, subjects, n, err);
}
