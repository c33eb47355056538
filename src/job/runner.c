/* The runner: claims due jobs lane by lane and runs each in a fiber, so that the HTTP calls of many
 * wait together; what they store shares commits.
 *
 *   look ─► lanes (lane.h) ─► plan: whose turn, how many ─┐
 *   wake-up datagram ─► look                              ├─► one transaction: bodies, claims
 *   fibers ─► bodies of transactions (group.h) ───────────┘        │
 *     ▲                                                            ▼
 *     └──────────── jobs claimed, fibers whose body is committed ──┘
 *
 * A look is one statement that finds the earliest job of each lane by one step in the index: it
 * costs what lanes there are, not what jobs wait. Claims ask one lane for as many of its oldest due
 * jobs as its window and its share leave room for, with SKIP LOCKED and a lease; lanes that are
 * open or paused are not asked. A claim commits together with whatever bodies wait.
 *
 * Invariants: a job runs in at most one fiber of all hosts as long as leases hold; its ending names
 * lease and attempt, so who lost the lease changes nothing; a lease is released by the ending, by
 * the runner that notices it forgot, by whoever finds its holder dead, or by its time. */
#include <stdlib.h>

#include "base/config.h"
#include "base/log.h"
#include "job/runner-internal.h"
#include "net/http-client.h"

#define DRAIN_MORE_US (5 * SECOND_US) /* than the longest call may take */

/* ---- life ---------------------------------------------------------------------------------- */

size_t job_slots(const struct config *cfg, enum job_class class)
{
	size_t most = (size_t)cfg->job_concurrency, half = most / 2;

	if (class == JOB_LIVE)
		return most;
	return class == JOB_BULK && half > 1 ? half : 1;
}

size_t job_own_slots(const struct config *cfg, enum job_class class)
{
	size_t eighth = (size_t)cfg->job_concurrency / 8;

	if (class != JOB_BULK)
		return job_slots(cfg, class);
	return eighth > 1 ? eighth : 1;
}

static size_t share_of(size_t all, size_t sharers)
{
	return (all + sharers - 1) / sharers;
}

/* Lanes with slots for these classes, of which it has 1/sharers. */
static void runner_make_lanes(struct runner *rn, unsigned classes, size_t sharers)
{
	const struct config *cfg = rn->app->config;
	size_t slots[JOB_CLASSES] = {0};

	for (size_t class = 0; class < JOB_CLASSES; class ++)
		if ((classes >> class & 1u) != 0)
			slots[class] = share_of(job_slots(cfg, (enum job_class) class), sharers);
	lanes_free(rn->lanes);
	rn->lanes = lanes_new(slots, share_of((size_t)cfg->http_per_host, sharers));
	if (slots[JOB_BULK] > 0)
		lanes_bound_own(
		    rn->lanes, JOB_BULK, share_of(job_own_slots(cfg, JOB_BULK), sharers));
	rn->classes = classes;
}

struct runner *runner_new(struct app *app, const struct job_kind *kinds, size_t n, struct err *err)
{
	struct runner *rn = calloc(1, sizeof(*rn));

	if (rn == NULL)
		abort();
	*rn = (struct runner){.app = app, .kinds = kinds, .nkinds = n, .wake_fd = -1, .seat = -1};
	runner_make_lanes(rn, (1u << JOB_CLASSES) - 1, 1);
	rn->group = group_new(app->db);
	rn->lease = lease_new(app->config, err);
	if (rn->lease == NULL) {
		runner_free(rn);
		return NULL;
	}
	rn->is_woken = true;
	return rn;
}

void runner_set_role(struct runner *rn, enum job_class class, int sharers)
{
	runner_make_lanes(rn, 1u << class, (size_t)sharers);
}

void runner_free(struct runner *rn)
{
	runner_leave(rn);
	/* With work left behind the lease's file stays: another runner frees what it holds. */
	lease_free(rn->lease, rn->nrunning == 0 && rn->held == NULL && !rn->is_unsure);
	lanes_free(rn->lanes);
	group_free(rn->group);
	if (rn->claim.a != NULL)
		arena_free(rn->claim.a);
	free(rn);
}

/* ---- loops --------------------------------------------------------------------------------- */

bool runner_is_ripe(const struct runner *rn)
{
	size_t others = rn->nrunning;

	for (int class = 0; class < JOB_CLASSES; class ++)
		others -= group_waiting(rn->group, (enum job_class) class);
	return group_is_ripe(rn->group, JOB_LIVE, others);
}

static bool has_to_commit(const struct runner *rn)
{
	for (int class = JOB_LIVE + 1; class < JOB_CLASSES; class ++)
		if (group_waiting(rn->group, (enum job_class) class) > 0)
			return true;
	return runner_is_ripe(rn);
}

/* Stores what bulk and periodic work wait: apart from live work, for it may take long. */
static int commit_slow(struct runner *rn, struct err *err)
{
	int rc = 0;

	for (int class = JOB_LIVE + 1; class < JOB_CLASSES; class ++)
		if (group_waiting(rn->group, (enum job_class) class) > 0 &&
		    group_commit(rn->group, (enum job_class) class, NULL, NULL, err) == -1)
			rc = -1;
	rn->is_unsure = rn->is_unsure || rc == -1;
	return rc;
}

/* Is something to be done without waiting? */
static bool has_more_to_do(const struct runner *rn)
{
	return held_may_move(rn) || has_to_commit(rn) || background_wait_us(rn) == 0;
}

/* Milliseconds until a lane has something due or it is the turn of background work, at most
 * POLL_MS. */
static int wait_ms(const struct runner *rn)
{
	int64_t left_us = lanes_next_due_us(rn->lanes), background_us = background_wait_us(rn);

	if (has_more_to_do(rn))
		return 0;
	if (left_us != INT64_MAX)
		left_us -= clock_now_us();
	if (background_us < left_us)
		left_us = background_us;
	if (group_waiting(rn->group, JOB_LIVE) > 0) /* until it is ripe */
		return 1;
	if (left_us <= 0)
		return 0;
	if (rn->is_woken) /* whatever else is due later: the look comes as soon as it may */
		return 1;
	return left_us < POLL_MS * INT64_C(1000) ? (int)(left_us / 1000) + 1 : POLL_MS;
}

static void advance(struct runner *rn, int most_ms)
{
	wake_say_room(rn);
	http_client_poll(rn->app->http, rn->wake_fd, most_ms);
	wake_read(rn);
	runs_sweep(rn);
	held_begin(rn);
	runs_sweep(rn);
}

/* One round of what jobs need: returns how many were claimed, -1 without the database. */
static int work(struct runner *rn, struct err *err)
{
	int looked = look_if_due(rn, err), n;

	/* What waits for a commit finds out by itself whether the database is back. */
	n = claim_and_commit(rn, err);
	held_begin(rn);
	if (commit_slow(rn, err) == -1)
		n = -1;
	held_begin(rn);
	runs_sweep(rn);
	if (looked == -1)
		return -1;
	if (rn->is_unsure && n != -1)
		keep_release_forgotten(rn);
	return n;
}

/* What runs may end; nothing new begins, and what goes on in steps is given back between two. */
static void drain(struct runner *rn)
{
	int64_t until_us =
	    clock_mono_us() + rn->app->config->http_timeout_ms * 1000 + DRAIN_MORE_US;

	rn->is_draining = true;
	while (rn->nrunning > 0 && clock_mono_us() < until_us) {
		struct err err = ERR_INIT;

		if ((group_waiting(rn->group, JOB_LIVE) > 0 &&
			group_commit(rn->group, JOB_LIVE, NULL, NULL, &err) == -1) ||
		    commit_slow(rn, &err) == -1)
			log_warn("runner.commit", LOG_ERR(&err));
		advance(rn, has_to_commit(rn) ? 0 : 100);
	}
}

int runner_run(struct runner *rn, bool (*should_stop)(void *), void *arg)
{
	while (!should_stop(arg)) {
		struct err err = ERR_INIT;

		keep_reap_dead(rn);
		keep_periodic(rn);
		if (work(rn, &err) == -1)
			log_warn("runner.commit", LOG_ERR(&err));
		keep_tell_windows(rn);
		background_run(rn);
		advance(rn, err.code != ERR_NONE ? 100 : wait_ms(rn));
	}
	drain(rn);
	runner_leave(rn);
	keep_release_own(rn);
	keep_untell_windows(rn);
	return 0;
}

bool job_has_to_yield(const struct job *j)
{
	return j->runner != NULL && j->runner->is_draining;
}

int runner_once(struct runner *rn, struct err *err)
{
	size_t before = rn->nran;

	keep_reap_dead(rn);
	keep_periodic(rn);
	for (;;) {
		int n;

		rn->look_at_us = rn->targets_at_us = 0;
		n = work(rn, err);
		if (n == -1) {
			drain(rn);
			return -1;
		}
		background_run(rn);
		if (n == 0 && rn->nrunning == 0 && !has_more_to_do(rn) && !rn->is_woken &&
		    lanes_next_due_us(rn->lanes) > clock_now_us())
			return (int)(rn->nran - before);
		if (rn->nrunning > 0)
			advance(rn, n > 0 ? 0 : wait_ms(rn));
	}
}
