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

enum due_column { DUE_ID, DUE_KIND, DUE_SUBJECT, DUE_TRIES, DUE_ATTEMPTS, DUE_ARGS };
DB_STMT(jobs_due, "SELECT id, kind, subject_id, tries, attempts, args FROM jobs WHERE account_id = "
		  "? AND class = ?"
		  " AND target_id = ? AND state = 'ready' AND run_at <= ? ORDER BY run_at LIMIT ?"
		  " FOR UPDATE SKIP LOCKED");
DB_STMT_ROWS(jobs_claim,
    "UPDATE jobs SET run_at = " CLOCK_OF_DATABASE
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
	struct run **at = &c->run->job.runner->chained;

	while (*at != NULL)
		at = &(*at)->next;
	*at = c->run;
	c->run = NULL;
}

/* The parent has ended: its transaction was rolled back, or tried again with other runs. */
static void chain_forgotten(void *arg)
{
	struct chaining *c = arg;

	if (c->run == NULL)
		return;
	lane_ended(c->run->lane, JOB_PEER_UNKNOWN);
	run_drop(c->run);
}

int job_insert_next(struct db *db, struct job *parent, struct job *jobs, size_t n, struct err *err)
{
	struct runner *rn = parent == NULL ? NULL : parent->runner;

	for (size_t i = 0; i < n; i++) {
		struct job *j = &jobs[i];
		struct lane_key key = {j->account_id, j->target_id, j->class};
		struct lane *lane = rn == NULL ? NULL : lane_get(rn->lanes, &key);
		struct chaining *c;

		/* Where there is no room it waits in its lane, like others. */
		if (lane == NULL || rn->is_draining || !lane_has_room(rn->lanes, lane)) {
			if (job_insert(db, j, 1, err) == -1)
				return -1;
			continue;
		}
		if (job_insert_claimed(db, j, 1, lease_id(rn->lease),
			clock_now_us() + run_lease_us(rn, j->kind), err) == -1)
			return -1;
		c = arena_zalloc(parent->a, sizeof(*c));
		c->run = run_new(rn, j, 1);
		lane_started(lane);
		arena_on_free(parent->a, chain_forgotten, c);
		db_on_commit(db, chain_after_commit, c);
	}
	return 0;
}

void claim_start_chained(struct runner *rn)
{
	while (rn->chained != NULL) {
		struct run *run = rn->chained;

		rn->chained = run->next;
		run_start(rn, run);
	}
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
	for (size_t i = 0; i < rows.count; i++) {
		struct job row = {.id = db_get_uuid(&rows, i, DUE_ID),
		    .account_id = key->account_id,
		    .class = key->class,
		    .target_id = key->target_id,
		    .kind = db_get_text(&rows, i, DUE_KIND),
		    .subject_id = db_get_uuid(&rows, i, DUE_SUBJECT),
		    .tries = (int)db_get_int(&rows, i, DUE_TRIES),
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

/* The lanes give back what was reserved and not got; what was got starts. */
static int claim_end(struct claim *c, int rc)
{
	size_t n = rc == 0 ? c->nruns : 0;

	for (size_t i = 0; i < c->nplans; i++) {
		struct plan *p = &c->plans[i];

		lane_claimed(p->lane, p->asked, rc == 0 ? p->got : 0, rc == 0 ? c->now_us : 0);
	}
	if (rc == -1)
		claim_drop_runs(c);
	c->nruns = 0;
	for (size_t i = 0; i < n; i++)
		run_start(c->rn, c->runs[i]);
	return rc == 0 ? (int)n : -1;
}

int claim_and_commit(struct runner *rn, struct err *err)
{
	struct claim *c = &rn->claim;
	int rc;

	c->rn = rn;
	if (c->a == NULL)
		c->a = arena_new();
	claim_plan(c);
	if (group_waiting(rn->group, JOB_LIVE) == 0 && c->nplans == 0)
		return 0;
	rc = group_commit(rn->group, JOB_LIVE, c->nplans > 0 ? claim_body : NULL, c, err);
	rn->is_unsure = rn->is_unsure || rc == -1;
	rc = claim_end(c, rc == 0 ? 0 : -1);
	return rc;
}
