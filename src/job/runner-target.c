/* What runs show of their targets: a breaker opens after failures in a row that say "dead" or "not
 * let in", and closes when a probe gets another answer. */
#include <stdlib.h>

#include "base/log.h"
#include "job/breaker.h"
#include "job/runner-internal.h"

void job_note_peer(struct job *j, enum job_peer peer, const char *why)
{
	struct run *run = j->runner == NULL ? NULL : (struct run *)j;

	j->peer = peer;
	j->peer_error = why == NULL ? NULL : arena_strdup(j->a, why);
	if (run != NULL && peer == JOB_PEER_OK && !run->has_called) {
		run->has_called = true;
		lane_called(run->lane, clock_mono_us() - run->began_us);
	}
}

void job_note_taken(struct job *j, size_t n)
{
	if (j->runner != NULL)
		lane_grow(((struct run *)j)->lane, n);
}

static bool peer_is_ill(enum job_peer peer)
{
	return peer == JOB_PEER_DEAD || peer == JOB_PEER_REFUSED;
}

bool job_found_target_ill(const struct job *j)
{
	return j->is_probe && peer_is_ill(j->peer);
}

void target_lanes(struct runner *rn, const struct lane_key *key, int64_t probe_at_us)
{
	for (int class = JOB_LIVE; class <= JOB_BULK; class ++) {
		struct lane_key other = {key->account_id, key->target_id, (enum job_class) class};
		struct lane *l = lane_get(rn->lanes, &other);

		if (probe_at_us != 0)
			lane_open(l, probe_at_us);
		else
			lane_close(l);
	}
}

struct opening {
	struct run *run;
	int64_t probe_at_us;
};

/* Who is to know of it is told in the same transaction. */
static int open_body(struct db *db, void *arg, struct err *err)
{
	struct opening *o = arg;
	struct job *j = &o->run->job;
	const struct lane_key *key = lane_key_of(o->run->lane);
	breaker_opened_fn *const *told = j->app->hooks.breaker_opened;
	int rc = breaker_open(db, j->a, key, j->peer_error, j->peer == JOB_PEER_REFUSED,
	    clock_now_us(), &o->probe_at_us, err);

	for (; rc == 1 && told != NULL && *told != NULL; told++)
		if ((*told)(j->app, j->a, key, j->peer_error, err) == -1)
			return -1;
	return rc == -1 ? -1 : 0;
}

static void target_opened(struct runner *rn, struct run *run)
{
	const struct lane_key *key = lane_key_of(run->lane);
	struct job *j = &run->job;
	struct opening o = {run, 0};
	struct err err = ERR_INIT;

	if (db_transaction(rn->app->db, open_body, &o, &err) == -1) {
		log_warn("breaker.open", LOG_ERR(&err));
		return;
	}
	if (!lane_is_open(run->lane))
		log_warn("breaker.open", LOG_S("target", uuid_dup(j->a, key->target_id)),
		    LOG_S("error", j->peer_error));
	target_lanes(rn, key, o.probe_at_us);
}

static void target_closed(struct runner *rn, struct run *run)
{
	const struct lane_key *key = lane_key_of(run->lane);
	struct err err = ERR_INIT;

	if (breaker_close(rn->app->db, key, clock_now_us(), &err) == -1) {
		log_warn("breaker.close", LOG_ERR(&err));
		return;
	}
	log_info("breaker.close", LOG_S("target", uuid_dup(run->job.a, key->target_id)));
	target_lanes(rn, key, 0);
}

/* Another probe may tell more, soon. */
static void target_untold(struct runner *rn, struct run *run)
{
	const struct lane_key *key = lane_key_of(run->lane);
	int64_t at_us = clock_now_us() + SECOND_US;
	struct err err = ERR_INIT;

	if (breaker_again(rn->app->db, key, at_us, &err) == -1)
		log_warn("breaker.again", LOG_ERR(&err));
	else
		target_lanes(rn, key, at_us);
}

/* What the run has shown of its target. */
void target_judge(struct runner *rn, struct run *run)
{
	enum job_peer peer = run->job.peer;

	if (uuid_is_nil(run->job.target_id))
		return;
	if (peer_is_ill(peer) &&
	    (run->job.is_probe ||
		(lane_failures(run->lane) >= BREAKER_FAILURES && !lane_is_open(run->lane))))
		target_opened(rn, run);
	else if ((peer == JOB_PEER_OK || peer == JOB_PEER_BUSY) && lane_is_open(run->lane))
		target_closed(rn, run);
	else if (run->job.is_probe && peer == JOB_PEER_UNKNOWN && lane_is_open(run->lane))
		target_untold(rn, run);
}
