/* Claims. Two ways lead to one: a look finds that lanes have something due, then one transaction
 * asks each for as many of its oldest as its window and its share leave room for (SKIP LOCKED, so
 * that hosts do not wait for each other) and marks them with the lease; or a job inserts its next
 * with the claim already made, which starts after the commit. */
#include <stdlib.h>

#include "base/log.h"
#include "base/oom.h"
#include "job/breaker.h"
#include "job/clock-check.h"
#include "job/runner-internal.h"

enum due_column {
	DUE_ID,
	DUE_KIND,
	DUE_SUBJECT,
	DUE_TRIES,
	DUE_ATTEMPTS,
	DUE_DEATHS,
	DUE_ARGS,
	DUE_AT
};
DB_STMT(jobs_due, "SELECT id, kind, subject_id, tries, attempts, deaths, args, run_at FROM jobs"
		  " WHERE account_id = ? AND class = ?"
		  " AND target_id = ? AND state = 'ready' AND run_at <= ? ORDER BY run_at LIMIT ?"
		  " FOR UPDATE SKIP LOCKED");
DB_STMT_ROWS(jobs_claim,
    "UPDATE " JOBS_BY_ID " SET run_at = " CLOCK_OF_DATABASE
    " + ?, lease_id = ?, attempts = attempts + 1 WHERE id IN (",
    "?", ")");

/* ---- at insertion ------------------------------------------------------------------------- */

/* A run that waits for its parent's commit; in the parent's arena. */
struct chaining {
	struct run *run; /* NULL once the commit has come */
};

static void chain_after_commit(void *arg)
{
	struct chaining *c = arg;

	held_add(c->run->job.runner, c->run);
	c->run = NULL;
}

/* The parent has ended: its transaction was rolled back, or tried again with other runs. */
static void chain_forgotten(void *arg)
{
	struct chaining *c = arg;

	if (c->run == NULL)
		return;
	lane_given_back(c->run->lane);
	run_drop(c->run);
}

/* A run of the job, once the commit has come; counted from now on, so that the next finds what room
 * is left. */
static struct chaining *chain_new(
    struct runner *rn, struct job *parent, const struct job *j, struct lane *lane)
{
	struct chaining *c = arena_zalloc(parent->a, sizeof(*c));

	c->run = run_new(rn, j, 1);
	lane_taken(lane);
	arena_on_free(parent->a, chain_forgotten, c);
	return c;
}

/* Those of jobs that go on here are moved to the front, with their chainings: returns how many.
 * Where there is no room they wait in their lane, like others. */
static size_t chains_choose(
    struct runner *rn, struct job *parent, struct job *jobs, size_t n, struct chaining **chains)
{
	size_t nchains = 0;

	for (size_t i = 0; rn != NULL && !rn->is_draining && i < n; i++) {
		const struct job j = jobs[i];
		struct lane_key key = {j.account_id, j.target_id, j.class};
		struct lane *lane = lane_get(rn->lanes, &key);

		if (!lane_has_room(rn->lanes, lane))
			continue;
		jobs[i] = jobs[nchains];
		jobs[nchains] = j;
		chains[nchains++] = chain_new(rn, parent, &j, lane);
	}
	return nchains;
}

/* One statement for each length of lease that follows another. */
static int chains_insert(struct db *db, struct runner *rn, struct job *jobs, size_t n,
    struct chaining *const *chains, struct err *err)
{
	for (size_t i = 0, k; i < n; i = k) {
		int64_t lease_us = chains[i]->run->job.lease_us;

		for (k = i + 1; k < n && chains[k]->run->job.lease_us == lease_us; k++)
			continue;
		if (job_insert_claimed(db, jobs + i, k - i, lease_id(rn->lease),
			clock_now_us() + lease_us, err) == -1)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		db_on_commit(db, chain_after_commit, chains[i]);
	return 0;
}

static void lane_due_after_commit(void *lane)
{
	lane_due(lane, clock_now_us());
}

/* What waits in its lane like others: the runner knows of it without a look. */
static int waiting_insert(
    struct db *db, struct runner *rn, struct job *jobs, size_t n, struct err *err)
{
	if (job_insert(db, jobs, n, err) == -1)
		return -1;
	for (size_t i = 0; rn != NULL && i < n; i++) {
		struct lane_key key = {jobs[i].account_id, jobs[i].target_id, jobs[i].class};

		db_on_commit(db, lane_due_after_commit, lane_get(rn->lanes, &key));
	}
	return 0;
}

int job_insert_next(struct db *db, struct job *parent, struct job *jobs, size_t n, struct err *err)
{
	struct runner *rn = parent == NULL ? NULL : parent->runner;
	struct chaining **chains =
	    rn == NULL ? NULL : arena_array(parent->a, n + 1, sizeof(*chains));
	size_t nchains;

	for (size_t i = 0; i < n; i++)
		if (uuid_is_nil(jobs[i].id))
			jobs[i].id = uuid_new();
	nchains = chains_choose(rn, parent, jobs, n, chains);
	if (chains_insert(db, rn, jobs, nchains, chains, err) == -1)
		return -1;
	return waiting_insert(db, rn, jobs + nchains, n - nchains, err);
}

/* ---- of what is due ----------------------------------------------------------------------- */

/* An open lane's next job is a probe, if no other runner makes it. */
static bool probe_is_ours(struct claim *c, const struct lane *l)
{
	struct err err = ERR_INIT;
	int rc = breaker_take_probe(
	    c->rn->app->db, lane_key_of(l), c->now_us, c->now_us + BREAKER_PROBE_MOST_US, &err);

	if (rc == -1)
		log_warn("breaker.probe", LOG_ERR(&err));
	return rc == 1;
}

/* Whose jobs to ask for, before the transaction: its body may run twice. */
static void claim_plan(struct claim *c)
{
	size_t left = LANES_MOST * CLAIM_MOST, n;
	struct lane *l;

	c->nplans = 0;
	c->now_us = clock_now_us();
	while (c->nplans < LANES_MOST && left > 0 &&
	       (l = lanes_next(c->rn->lanes, c->now_us, CLAIM_MOST, &n)) != NULL) {
		bool is_open = lane_is_open(l);

		if (is_open && !probe_is_ours(c, l)) {
			lane_open(l, c->now_us + BREAKER_PROBE_FIRST_US);
			continue;
		}
		lane_reserve(l, n);
		c->plans[c->nplans++] = (struct plan){.lane = l, .asked = n, .is_probe = is_open};
		left -= n;
	}
}

static int plan_ask(struct claim *c, struct plan *p, struct db *db, struct err *err)
{
	const struct lane_key *key = lane_key_of(p->lane);
	struct db_rows rows;

	if (db_query(db, c->a, &jobs_due,
		DB_VALS(db_uuid(&key->account_id), db_int(key->class), db_uuid(&key->target_id),
		    db_int(c->now_us), db_int((int64_t)p->asked)),
		&rows, err) == -1)
		return -1;
	p->got = rows.count;
	if (p->got > 0)
		p->last_us = db_get_int(&rows, p->got - 1, DUE_AT);
	for (size_t i = 0; i < rows.count; i++) {
		struct job row = {.id = db_get_uuid(&rows, i, DUE_ID),
		    .account_id = key->account_id,
		    .class = key->class,
		    .target_id = key->target_id,
		    .kind = db_get_text(&rows, i, DUE_KIND),
		    .subject_id = db_get_uuid(&rows, i, DUE_SUBJECT),
		    .tries = (int)db_get_int(&rows, i, DUE_TRIES),
		    .deaths = (int)db_get_int(&rows, i, DUE_DEATHS),
		    .is_probe = p->is_probe};

		if (!db_is_null(&rows, i, DUE_ARGS))
			row.args = db_get_str(&rows, i, DUE_ARGS);
		c->runs[c->nruns++] =
		    run_new(c->rn, &row, (int)db_get_int(&rows, i, DUE_ATTEMPTS) + 1);
	}
	return 0;
}

static void claim_drop_runs(struct claim *c)
{
	for (size_t i = 0; i < c->nruns; i++)
		run_drop(c->runs[i]);
	c->nruns = 0;
}

/* One statement for each length of lease: mostly one. */
static int claim_mark(struct claim *c, struct db *db, struct err *err)
{
	struct db_val *ids = arena_array(c->a, c->nruns + 1, sizeof(*ids));
	bool *is_marked = arena_zalloc(c->a, c->nruns + 1);

	for (size_t i = 0; i < c->nruns; i++) {
		int64_t lease_us = c->runs[i]->job.lease_us;
		size_t n = 0;

		for (size_t k = i; k < c->nruns; k++) {
			if (is_marked[k] || c->runs[k]->job.lease_us != lease_us)
				continue;
			is_marked[k] = true;
			ids[n++] = db_uuid(&c->runs[k]->job.id);
		}
		if (n > 0 && db_exec_rows(db, &jobs_claim,
				 DB_VALS(db_int(lease_us), db_uuid(lease_id(c->rn->lease))), ids, n,
				 1, NULL, err) == -1)
			return -1;
	}
	return 0;
}

static int claim_body(struct db *db, void *arg, struct err *err)
{
	struct claim *c = arg;

	claim_drop_runs(c); /* of a try before */
	arena_reset(c->a);
	for (size_t i = 0; i < c->nplans; i++)
		if (plan_ask(c, &c->plans[i], db, err) == -1)
			return -1;
	return c->nruns == 0 ? 0 : claim_mark(c, db, err);
}

/* There was no job to make the probe with, as far as anybody knew that there was: the next that is
 * due makes it. */
static void probe_give_back(struct claim *c, const struct plan *p)
{
	struct err err = ERR_INIT;

	if (breaker_again(c->rn->app->db, lane_key_of(p->lane), c->now_us, &err) == -1)
		log_warn("breaker.probe", LOG_ERR(&err));
	else
		lane_open(p->lane, c->now_us);
}

/* The lanes give back what was reserved and not got; what was got may begin. */
static int claim_end(struct claim *c, int rc)
{
	size_t n = rc == 0 ? c->nruns : 0;

	for (size_t i = 0; i < c->nplans; i++) {
		struct plan *p = &c->plans[i];

		lane_claimed(
		    p->lane, p->asked, rc == 0 ? p->got : 0, rc == 0 ? c->now_us : 0, p->last_us);
		if (p->is_probe && (rc == -1 || p->got == 0))
			probe_give_back(c, p);
	}
	if (rc == -1)
		claim_drop_runs(c);
	c->nruns = 0;
	for (size_t i = 0; i < n; i++)
		held_add(c->rn, c->runs[i]);
	return rc == 0 ? (int)n : -1;
}

int claim_and_commit(struct runner *rn, struct err *err)
{
	struct claim *c = &rn->claim;
	int rc;

	c->rn = rn;
	if (c->a == NULL)
		c->a = arena_new();
	if (group_waiting(rn->group, JOB_LIVE) > 0 && !runner_is_ripe(rn))
		return 0;
	claim_plan(c);
	if (group_waiting(rn->group, JOB_LIVE) == 0 && c->nplans == 0)
		return 0;
	rc = group_commit(rn->group, JOB_LIVE, c->nplans > 0 ? claim_body : NULL, c, err);
	rn->is_unsure = rn->is_unsure || rc == -1;
	rc = claim_end(c, rc == 0 ? 0 : -1);
	return rc;
}
