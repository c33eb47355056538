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
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "job/runner-internal.h"
#include "net/http-client.h"
#include "process/unix-socket.h"

#define DRAIN_MORE_US (5 * SECOND_US) /* than the longest call may take */

/* ---- life ---------------------------------------------------------------------------------- */

size_t job_slots(const struct config *cfg, enum job_class class)
{
	size_t most = (size_t)cfg->job_concurrency, eighth = most / 8;

	if (class == JOB_LIVE)
		return most;
	return class == JOB_BULK && eighth > 1 ? eighth : 1;
}

struct runner *runner_new(struct app *app, const struct job_kind *kinds, size_t n, struct err *err)
{
	struct runner *rn = calloc(1, sizeof(*rn));
	const struct config *cfg = app->config;
	size_t slots[JOB_CLASSES];

	for (size_t class = 0; class < JOB_CLASSES; class ++)
		slots[class] = job_slots(cfg, (enum job_class) class);
	if (rn == NULL)
		abort();
	*rn = (struct runner){.app = app, .kinds = kinds, .nkinds = n, .wake_fd = -1};
	rn->lanes = lanes_new(slots, (size_t)cfg->http_per_host);
	rn->group = group_new(app->db);
	rn->lease = lease_new(cfg, err);
	if (rn->lease == NULL) {
		runner_free(rn);
		return NULL;
	}
	rn->is_woken = true;
	return rn;
}

void runner_free(struct runner *rn)
{
	if (rn->wake_fd != -1)
		close(rn->wake_fd);
	/* With work left behind the lease's file stays: the next runner frees what it holds. */
	lease_free(rn->lease, rn->nrunning == 0 && rn->chained == NULL && !rn->is_unsure);
	lanes_free(rn->lanes);
	group_free(rn->group);
	if (rn->claim.a != NULL)
		arena_free(rn->claim.a);
	free(rn);
}

int runner_take_over(struct runner *rn, struct err *err)
{
	char path[WAKE_PATH_BYTES];
	int before;

	job_wake_path(rn->app->config, path, sizeof(path));
	before = unix_socket_connect(path, SOCK_DGRAM | SOCK_NONBLOCK);
	if (unix_socket_bind(path, SOCK_DGRAM | SOCK_NONBLOCK, 0660, 0, &rn->wake_fd, err) == -1) {
		if (before != -1)
			close(before);
		return -1;
	}
	/* Told only now: what was sent until here it has read or will read, the rest is ours. */
	if (before != -1) {
		(void)!send(before, WAKE_REPLACED, strlen(WAKE_REPLACED), MSG_NOSIGNAL);
		close(before);
	}
	return 0;
}

bool runner_was_replaced(const struct runner *rn)
{
	return rn->is_replaced;
}

static void read_wake_ups(struct runner *rn)
{
	char message[8];
	ssize_t n;

	if (rn->wake_fd == -1)
		return;
	while ((n = recv(rn->wake_fd, message, sizeof(message), 0)) > 0) {
		rn->is_woken = true;
		if (message[0] == WAKE_REPLACED[0])
			rn->is_replaced = true;
		if (message[0] == WAKE_TARGETS[0])
			rn->targets_at_us = 0;
	}
}

/* ---- loops --------------------------------------------------------------------------------- */

/* Microseconds until transactions that are not of live work may be stored; INT64_MAX: none waits.
 */
static int64_t slow_wait_us(const struct runner *rn)
{
	int64_t left_us = rn->slow_at_us - clock_mono_us();

	for (int class = JOB_LIVE + 1; class < JOB_CLASSES; class ++)
		if (group_waiting(rn->group, (enum job_class) class) > 0)
			return left_us > 0 ? left_us : 0;
	return INT64_MAX;
}

/* Stores what bulk work waits. An import's step takes as long as dozens of live transactions: then
 * live work, if there is any, has as much time to itself. */
static int commit_slow(struct runner *rn, struct err *err)
{
	int64_t began_us = clock_mono_us(), now_us;
	int rc = 0;

	if (slow_wait_us(rn) != 0)
		return 0;
	for (int class = JOB_LIVE + 1; class < JOB_CLASSES; class ++)
		if (group_waiting(rn->group, (enum job_class) class) > 0 &&
		    group_commit(rn->group, (enum job_class) class, NULL, NULL, err) == -1)
			rc = -1;
	now_us = clock_mono_us();
	rn->slow_at_us = rn->had_live ? now_us + (now_us - began_us) : now_us;
	rn->had_live = false;
	rn->is_unsure = rn->is_unsure || rc == -1;
	return rc;
}

static bool has_to_commit(const struct runner *rn)
{
	return group_waiting(rn->group, JOB_LIVE) > 0 || slow_wait_us(rn) == 0;
}

/* Is something to be done without waiting? */
static bool has_more_to_do(const struct runner *rn)
{
	return rn->chained != NULL || has_to_commit(rn) || background_is_due(rn);
}

/* Milliseconds until a lane has something due or bulk work may be stored, at most POLL_MS. */
static int wait_ms(const struct runner *rn)
{
	int64_t due_us = lanes_next_due_us(rn->lanes), left_us = slow_wait_us(rn);

	if (has_more_to_do(rn))
		return 0;
	if (due_us != INT64_MAX && due_us - clock_now_us() < left_us)
		left_us = due_us - clock_now_us();
	if (left_us <= 0)
		return 0;
	if (rn->is_woken) /* whatever else is due later: the look comes as soon as it may */
		return 1;
	return left_us < POLL_MS * INT64_C(1000) ? (int)(left_us / 1000) + 1 : POLL_MS;
}

static void advance(struct runner *rn, int most_ms)
{
	http_client_poll(rn->app->http, rn->wake_fd, most_ms);
	read_wake_ups(rn);
	runs_sweep(rn);
	claim_start_chained(rn);
	runs_sweep(rn);
}

/* One round of what jobs need: returns how many were claimed, -1 without the database. */
static int work(struct runner *rn, struct err *err)
{
	int looked = look_if_due(rn, err), n;

	/* What waits for a commit finds out by itself whether the database is back. */
	n = claim_and_commit(rn, err);
	claim_start_chained(rn);
	if (commit_slow(rn, err) == -1)
		n = -1;
	claim_start_chained(rn);
	runs_sweep(rn);
	if (looked == -1)
		return -1;
	if (rn->is_unsure && n != -1)
		keep_release_forgotten(rn);
	return n;
}

static void drain(struct runner *rn)
{
	int64_t until_us =
	    clock_mono_us() + rn->app->config->http_timeout_ms * 1000 + DRAIN_MORE_US;

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
	while (!should_stop(arg) && !rn->is_replaced) {
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
	keep_untell_windows(rn);
	return 0;
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
