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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/fiber.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/oom.h"
#include "job/breaker.h"
#include "job/group.h"
#include "job/job-internal.h"
#include "job/lane.h"
#include "job/lease.h"
#include "net/http-client.h"
#include "process/unix-socket.h"

#define POLL_MS 500 /* how soon work of another host is noticed */
#define CLAIM_MOST 32u
#define LANES_MOST 64u                /* of one claim */
#define LOOK_ROWS 4000                /* lanes of one look: the next goes on behind them */
#define LOOK_SHARE 20                 /* a look may take one such part of the time */
#define DRAIN_MORE_US (5 * SECOND_US) /* than the longest call may take */
#define RETRY_FIRST_US (30 * SECOND_US)
#define RETRY_MOST_US (3600 * SECOND_US)
#define REAP_EVERY_US (5 * SECOND_US)
#define SWEEP_EVERY_US (60 * SECOND_US)
#define TELL_EVERY_US (2 * SECOND_US)
#define TELL_AGAIN_US (30 * SECOND_US) /* what has not changed; TOLD_US of queue.c is longer */
#define TELL_MOST (4 * LIMIT_DB_BATCH) /* of one time */
#define AGAIN_US SECOND_US /* after periodic work that has more to do: the others' turn */

enum look_column { LOOK_ACCOUNT, LOOK_CLASS, LOOK_TARGET, LOOK_DUE };
DB_STMT(jobs_look,
    "SELECT l.account_id, l.class, l.target_id, (SELECT j.run_at FROM jobs j"
    " WHERE j.account_id = l.account_id AND j.class = l.class AND j.target_id = l.target_id"
    " AND j.state = 'ready' ORDER BY j.run_at LIMIT 1) AS due FROM job_lanes l"
    " WHERE l.account_id >= ? ORDER BY l.account_id LIMIT ?");
enum due_column { DUE_ID, DUE_KIND, DUE_SUBJECT, DUE_TRIES, DUE_ATTEMPTS, DUE_ARGS };
DB_STMT(jobs_due, "SELECT id, kind, subject_id, tries, attempts, args FROM jobs WHERE account_id = "
		  "? AND class = ?"
		  " AND target_id = ? AND state = 'ready' AND run_at <= ? ORDER BY run_at LIMIT ?"
		  " FOR UPDATE SKIP LOCKED");
DB_STMT_ROWS(jobs_claim,
    "UPDATE jobs SET run_at = ?, lease_id = ?, attempts = attempts + 1 WHERE id IN (", "?", ")");
DB_STMT(job_back_off, "UPDATE jobs SET state = ?, run_at = ?, lease_id = NULL, last_error = ?"
		      " WHERE id = ? AND lease_id = ? AND attempts = ?");
/* A job that its runner died under a few times may be what killed it: it waits longer and longer,
 * so that the others get their turn. */
DB_STMT(jobs_release, "UPDATE jobs SET run_at = ? + IF(attempts < 4, 0,"
		      " 10000000 << LEAST(attempts - 4, 8)), lease_id = NULL"
		      " WHERE lease_id = ? AND state = 'ready'");
DB_STMT(jobs_of_lease, "SELECT id FROM jobs WHERE lease_id = ? AND state = 'ready' LIMIT 5000");
DB_STMT(job_release, "UPDATE jobs SET run_at = ?, lease_id = NULL WHERE id = ? AND lease_id = ?");
DB_STMT(periodic_take, "UPDATE periodic_runs SET next_at = ? WHERE name = ? AND next_at <= ?");
DB_STMT(periodic_again, "UPDATE periodic_runs SET next_at = LEAST(next_at, ?) WHERE name = ?");
DB_STMT(periodic_first, "INSERT INTO periodic_runs (name, next_at) VALUES (?, ?)"
			" ON DUPLICATE KEY UPDATE next_at = next_at");

DB_STMT_ROWS(job_windows_tell,
    "INSERT INTO job_windows (account_id, class, target_id, runner_id, slots, at) VALUES ",
    "(?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE slots = VALUES(slots), at = VALUES(at)");
DB_STMT(job_windows_gone, "DELETE FROM job_windows WHERE runner_id = ?");

struct run {
	struct job job;
	const struct job_kind *kind;
	struct lane *lane;
	struct fiber *fiber;
	bool is_done, is_probe;
	struct run *next;
};

/* Jobs that a claim is to take, lane by lane. */
struct plan {
	struct lane *lane;
	size_t asked, got;
	bool is_probe;
};
struct claim {
	struct runner *rn;
	struct arena *a;
	struct plan plans[LANES_MOST];
	size_t nplans;
	struct run *runs[LANES_MOST * CLAIM_MOST];
	size_t nruns;
	int64_t now_us;
};

struct runner {
	struct app *app;
	const struct job_kind *kinds;
	size_t nkinds;
	const struct runner_periodic *periodics;
	size_t nperiodics;
	int64_t *periodic_at_us; /* when to look at each next, monotonic */
	struct lease *lease;
	struct lanes *lanes;
	struct group *group;
	struct claim claim;
	int wake_fd;
	bool is_replaced, is_woken; /* woken: there may be work that no lane knows of */
	/* The database failed us: we may hold leases of jobs that do not run here. */
	bool is_unsure;
	int64_t look_at_us, look_cost_us; /* monotonic: the next look; what the last one took */
	struct uuid look_from;            /* the account that it begins with */
	int64_t reap_at_us, sweep_at_us, tell_at_us;
	int (*background)(struct app *app, struct err *err);
	int64_t background_at_us;      /* look whether there is some then (monotonic) */
	struct run *running, *chained; /* chained: claimed at insertion, to be started */
	size_t nrunning, nran;
};

/* ---- life -------------------------------------------------------------------------------- */

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
	free(rn->periodic_at_us);
	free(rn);
}

void runner_set_periodic(struct runner *rn, const struct runner_periodic *p, size_t n)
{
	rn->periodics = p;
	rn->nperiodics = n;
	free(rn->periodic_at_us);
	rn->periodic_at_us = calloc(n == 0 ? 1 : n, sizeof(*rn->periodic_at_us));
	if (rn->periodic_at_us == NULL)
		abort();
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

/* All of them, whatever was said before. */
static void look_at_periodics(struct runner *rn)
{
	for (size_t i = 0; i < rn->nperiodics; i++)
		rn->periodic_at_us[i] = 0;
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
		if (message[0] == WAKE_PERIODIC[0])
			look_at_periodics(rn);
	}
}

/* ---- running one job --------------------------------------------------------------------- */

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
		if ((j->runner == NULL
			    ? db_transaction(j->app->db, piece_run, &piece, &e)
			    : group_transaction(j->runner->group, piece_run, &piece, &e)) == 0)
			return 0;
		j->is_ended = piece.was_ended;
	} while (e.code == ERR_UNAVAILABLE && wait_for_database(j, since_us));
	return err_set(err, e.code, "%s", e.msg);
}

static int finish_body(struct db *db, void *arg, struct err *err)
{
	return job_finish(db, arg, err);
}

static int64_t back_off_us(int attempts)
{
	int64_t wait = RETRY_FIRST_US;

	for (int i = 1; i < attempts && wait < RETRY_MOST_US; i++)
		wait *= 2;
	return wait < RETRY_MOST_US ? wait : RETRY_MOST_US;
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

static void put_back(struct run *run, const struct err *why)
{
	struct job *j = &run->job;
	bool is_dead = j->attempts >= run->kind->max_attempts;
	struct backing_off b = {j, is_dead ? "dead" : "ready", why->msg,
	    clock_now_us() + (is_dead ? 0 : back_off_us(j->attempts))};
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

static void run_main(void *arg)
{
	struct run *run = arg;
	struct job *j = &run->job;
	struct err err = ERR_INIT;

	if (run->kind->run == NULL) { /* of a newer version, perhaps: leave it to who knows it */
		err_set(&err, ERR_INTERNAL, "this version knows no such kind of job");
		put_back(run, &err);
	} else if (j->attempts > run->kind->max_attempts) {
		err_set(&err, ERR_INTERNAL, "gave up: its runner died %d times", j->attempts - 1);
		put_back(run, &err);
	} else if (run->kind->run(j, &err) == 0) {
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
	static const struct job_kind unknown = {"unknown", NULL, 1 << 30, 0};

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

/* A run with its own arena and copies of the row. */
static struct run *run_new(struct runner *rn, const struct job *row, int attempts)
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

/* Its lane has counted it already. */
static void run_start(struct runner *rn, struct run *run)
{
	rn->nran++;
	run->next = rn->running;
	rn->running = run;
	rn->nrunning++;
	run->fiber = fiber_new(run_main, run);
	fiber_resume(run->fiber);
}

/* ---- targets that look dead ---------------------------------------------------------------- */

void job_note_peer(struct job *j, enum job_peer peer, const char *why)
{
	j->peer = peer;
	j->peer_error = why == NULL ? NULL : arena_strdup(j->a, why);
}

/* Both lanes of a target, live and bulk, share its breaker. */
static void lanes_of_target(struct runner *rn, const struct lane_key *key, int64_t probe_at_us)
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
	int rc = breaker_open(db, j->a, key, j->peer_error, clock_now_us(), &o->probe_at_us, err);

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
	lanes_of_target(rn, key, o.probe_at_us);
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
	lanes_of_target(rn, key, 0);
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
		lanes_of_target(rn, key, at_us);
}

/* What the run has shown of its target. */
static void target_judge(struct runner *rn, struct run *run)
{
	enum job_peer peer = run->job.peer;

	if (uuid_is_nil(run->job.target_id))
		return;
	if (peer == JOB_PEER_DEAD &&
	    (run->job.is_probe ||
		(lane_failures(run->lane) >= BREAKER_FAILURES && !lane_is_open(run->lane))))
		target_opened(rn, run);
	else if ((peer == JOB_PEER_OK || peer == JOB_PEER_BUSY) && lane_is_open(run->lane))
		target_closed(rn, run);
	else if (run->job.is_probe && peer == JOB_PEER_UNKNOWN && lane_is_open(run->lane))
		target_untold(rn, run);
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void run_end(struct runner *rn, struct run *run)
{
	lane_ended(run->lane, run->job.peer);
	target_judge(rn, run);
	rn->nrunning--;
	fiber_free(run->fiber);
	arena_free(run->job.a);
}

static void sweep_done(struct runner *rn)
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
	arena_free(c->run->job.a);
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
		if (lane == NULL || !lane_has_room(rn->lanes, lane)) {
			if (job_insert(db, j, 1, err) == -1)
				return -1;
			continue;
		}
		if (job_insert_claimed(db, j, 1, lease_id(rn->lease),
			clock_now_us() + lease_us_of(rn, kind_of(rn, j->kind)), err) == -1)
			return -1;
		c = arena_zalloc(parent->a, sizeof(*c));
		c->run = run_new(rn, j, 1);
		lane_started(lane);
		arena_on_free(parent->a, chain_forgotten, c);
		db_on_commit(db, chain_after_commit, c);
	}
	return 0;
}

static void start_chained(struct runner *rn)
{
	while (rn->chained != NULL) {
		struct run *run = rn->chained;

		rn->chained = run->next;
		run_start(rn, run);
	}
}

/* ---- claiming ---------------------------------------------------------------------------- */

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
		arena_free(c->runs[i]->job.a);
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
		if (n > 0 &&
		    db_exec_rows(db, &jobs_claim,
			DB_VALS(db_int(c->now_us + lease_us), db_uuid(lease_id(c->rn->lease))), ids,
			n, 1, NULL, err) == -1)
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

/* Commits what waits, together with a claim of what is due. Returns how many jobs it started; -1
 * when the database is away. */
static int commit_and_claim(struct runner *rn, struct err *err)
{
	struct claim *c = &rn->claim;
	int rc;

	c->rn = rn;
	if (c->a == NULL)
		c->a = arena_new();
	claim_plan(c);
	if (c->nplans == 0 && group_waiting(rn->group) == 0)
		return 0;
	rc = group_commit(rn->group, c->nplans > 0 ? claim_body : NULL, c, err);
	rn->is_unsure = rn->is_unsure || rc == -1;
	rc = claim_end(c, rc == 0 ? 0 : -1);
	return rc;
}

/* ---- looking ------------------------------------------------------------------------------- */

static void close_lane(struct lane *l, void *arg)
{
	(void)arg;
	lane_close(l);
	lane_pause(l, false);
}

/* What other hosts, and people, have said of targets. */
static int look_at_breakers(struct runner *rn, struct arena *a, struct err *err)
{
	struct breaker *v;
	size_t n;

	if (breaker_list(rn->app->db, a, &v, &n, err) == -1)
		return -1;
	lanes_each(rn->lanes, close_lane, NULL);
	for (size_t i = 0; i < n; i++) {
		struct lane_key key = {v[i].account_id, v[i].target_id, JOB_LIVE};

		if (v[i].opened_us != 0)
			lanes_of_target(rn, &key, v[i].probe_at_us);
		for (size_t class = 0; class < JOB_CLASSES; class ++) {
			key.class = (enum job_class) class;
			if (breaker_is_paused(&v[i], key.class))
				lane_pause(lane_get(rn->lanes, &key), true);
		}
	}
	return 0;
}

static int look_at_jobs(struct runner *rn, struct arena *a, struct err *err)
{
	struct db_rows rows;

	if (db_query(rn->app->db, a, &jobs_look,
		DB_VALS(db_uuid(&rn->look_from), db_int(LOOK_ROWS)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		int64_t class = db_get_int(&rows, i, LOOK_CLASS);
		struct lane_key key = {db_get_uuid(&rows, i, LOOK_ACCOUNT),
		    db_get_uuid(&rows, i, LOOK_TARGET), (enum job_class) class};

		if (class >= 0 && class < JOB_CLASSES && !db_is_null(&rows, i, LOOK_DUE))
			lane_due(lane_get(rn->lanes, &key), db_get_int(&rows, i, LOOK_DUE));
	}
	/* The last account may have more lanes than were told: the next look begins with it. */
	rn->look_from = rows.count == LOOK_ROWS ? db_get_uuid(&rows, rows.count - 1, LOOK_ACCOUNT)
						: (struct uuid){{0}};
	return 0;
}

/* Asks which lanes have jobs, and when: after a wake-up, and now and then. The more it costs, the
 * rarer it is done. */
static int look(struct runner *rn, struct err *err)
{
	int64_t began_us = clock_mono_us();
	struct arena *a = arena_new();
	int rc = 0;

	rn->is_woken = false;
	if (look_at_breakers(rn, a, err) == -1 || look_at_jobs(rn, a, err) == -1)
		rc = -1;
	arena_free(a);
	rn->look_cost_us = clock_mono_us() - began_us;
	rn->look_at_us = clock_mono_us() + POLL_MS * 1000;
	return rc;
}

static int look_if_due(struct runner *rn, struct err *err)
{
	int64_t now_us = clock_mono_us();
	int64_t since_us = now_us - (rn->look_at_us - POLL_MS * 1000);

	if (now_us >= rn->sweep_at_us) {
		lanes_sweep(rn->lanes);
		rn->sweep_at_us = now_us + SWEEP_EVERY_US;
	}
	if (now_us < rn->look_at_us && !(rn->is_woken && since_us >= LOOK_SHARE * rn->look_cost_us))
		return 0;
	return look(rn, err);
}

/* ---- what was forgotten, and other runners' remains ---------------------------------------- */

static bool is_in(const struct run *list, const struct uuid *id)
{
	for (; list != NULL; list = list->next)
		if (uuid_eq(list->job.id, *id))
			return true;
	return false;
}

/* A job that ended while the database was away could not be put back, and a claim whose answer was
 * lost may have been made: such jobs would wait for the end of a lease that nobody uses. */
static void release_forgotten(struct runner *rn)
{
	struct arena *a = arena_new();
	int64_t now = clock_now_us();
	const struct uuid *own = lease_id(rn->lease);
	struct db_rows rows;
	struct err err = ERR_INIT;
	size_t n = 0;

	if (db_query(rn->app->db, a, &jobs_of_lease, DB_VALS(db_uuid(own)), &rows, &err) == -1)
		goto out;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if (is_in(rn->running, &id) || is_in(rn->chained, &id))
			continue;
		if (db_exec(rn->app->db, &job_release,
			DB_VALS(db_int(now), db_uuid(&id), db_uuid(own)), NULL, &err) == -1)
			goto out;
		n++;
	}
	if (n > 0)
		log_info("runner.forgotten", LOG_I("released", (int64_t)n));
	rn->is_unsure = false;
	rn->is_woken = rn->is_woken || n > 0;
out:
	if (err.code != ERR_NONE)
		log_warn("runner.forgotten", LOG_ERR(&err));
	arena_free(a);
}

static int release_dead(const struct uuid *dead, void *arg)
{
	struct runner *rn = arg;
	uint64_t n = 0;
	struct err err = ERR_INIT;

	if (db_exec(rn->app->db, &jobs_release, DB_VALS(db_int(clock_now_us()), db_uuid(dead)), &n,
		&err) == -1) {
		log_warn("runner.reap", LOG_ERR(&err));
		return -1;
	}
	if (n > 0)
		log_info("runner.reap", LOG_I("released", n));
	rn->is_woken = rn->is_woken || n > 0;
	return 0;
}

static void reap_dead(struct runner *rn)
{
	if (clock_mono_us() < rn->reap_at_us)
		return;
	rn->reap_at_us = clock_mono_us() + REAP_EVERY_US;
	lease_each_dead(rn->app->config, rn->lease, release_dead, rn);
}

/* ---- telling others ------------------------------------------------------------------------ */

#define TELL_CELLS 6

struct telling {
	struct runner *rn;
	struct db_val cells[TELL_MOST * TELL_CELLS];
	size_t n;
	int64_t now_us;
};

static void window_add(struct lane *l, void *arg)
{
	struct telling *t = arg;
	const struct lane_key *key = lane_key_of(l);
	struct db_val *cell = &t->cells[t->n * TELL_CELLS];
	size_t window;

	if (t->n == TELL_MOST || !lane_tell(l, t->now_us, t->now_us - TELL_AGAIN_US, &window))
		return;
	cell[0] = db_uuid(&key->account_id);
	cell[1] = db_int(key->class);
	cell[2] = db_uuid(&key->target_id);
	cell[3] = db_uuid(lease_id(t->rn->lease));
	cell[4] = db_int((int64_t)window);
	cell[5] = db_int(t->now_us);
	t->n++;
}

/* The windows of this runner's lanes, for those who look at the queue: what changed, now and then,
 * in a statement of its own. */
static void tell_windows(struct runner *rn)
{
	struct telling t = {.rn = rn, .now_us = clock_now_us()};
	struct err err = ERR_INIT;

	if (clock_mono_us() < rn->tell_at_us)
		return;
	rn->tell_at_us = clock_mono_us() + TELL_EVERY_US;
	lanes_each(rn->lanes, window_add, &t);
	if (t.n > 0 && db_exec_rows(rn->app->db, &job_windows_tell, NULL, 0, t.cells, t.n,
			   TELL_CELLS, NULL, &err) == -1)
		log_warn("runner.tell", LOG_ERR(&err));
}

static void untell_windows(struct runner *rn)
{
	struct err err = ERR_INIT;

	if (db_exec(rn->app->db, &job_windows_gone, DB_VALS(db_uuid(lease_id(rn->lease))), NULL,
		&err) == -1)
		log_warn("runner.tell", LOG_ERR(&err));
}

/* ---- periodic work ----------------------------------------------------------------------- */

static int take_periodic(struct runner *rn, const struct runner_periodic *p, struct err *err)
{
	int64_t now = clock_now_us(), next = now + p->every_s * SECOND_US;
	uint64_t n = 0;

	if (db_exec(rn->app->db, &periodic_first, DB_VALS(db_str(p->name), db_int(0)), NULL, err) ==
		-1 ||
	    db_exec(rn->app->db, &periodic_take,
		DB_VALS(db_int(next), db_str(p->name), db_int(now)), &n, err) == -1)
		return -1;
	return n > 0;
}

/* Runs it if it is due: 1 there is more to do, 0, -1. */
static int run_periodic(struct runner *rn, const struct runner_periodic *p, struct err *err)
{
	int rc = take_periodic(rn, p, err);

	if (rc == 1)
		rc = p->run(rn->app, err);
	if (rc == 1 &&
	    db_exec(rn->app->db, &periodic_again,
		DB_VALS(db_int(clock_now_us() + AGAIN_US), db_str(p->name)), NULL, err) == -1)
		return -1;
	return rc;
}

static void run_periodics(struct runner *rn)
{
	for (size_t i = 0; i < rn->nperiodics; i++) {
		const struct runner_periodic *p = &rn->periodics[i];
		struct err err = ERR_INIT;
		int64_t look_us = (p->every_s < 60 ? p->every_s : 60) * SECOND_US;
		int rc;

		if (clock_mono_us() < rn->periodic_at_us[i])
			continue;
		rc = run_periodic(rn, p, &err);
		rn->periodic_at_us[i] = clock_mono_us() + (rc == 1 ? AGAIN_US : look_us);
		if (rc == -1)
			log_warn("periodic.failed", LOG_S("name", p->name), LOG_ERR(&err));
	}
}

void runner_set_background(struct runner *rn, int (*run)(struct app *app, struct err *err))
{
	rn->background = run;
}

/* Does a little of the background work when it is its turn. */
static void run_background(struct runner *rn)
{
	struct err err = ERR_INIT;
	int rc;

	if (rn->background == NULL || clock_mono_us() < rn->background_at_us)
		return;
	rc = rn->background(rn->app, &err);
	if (rc == -1)
		log_warn("runner.background", LOG_ERR(&err));
	rn->background_at_us = rc == 1 ? 0 : clock_mono_us() + POLL_MS * 1000;
}

/* ---- loops ------------------------------------------------------------------------------- */

static bool has_background(const struct runner *rn)
{
	return rn->background != NULL && rn->background_at_us == 0;
}

/* Is something to be done without waiting? */
static bool has_more_to_do(const struct runner *rn)
{
	return rn->chained != NULL || group_waiting(rn->group) > 0 || has_background(rn);
}

/* Milliseconds until a lane has something due, at most POLL_MS. */
static int wait_ms(const struct runner *rn)
{
	int64_t due_us = lanes_next_due_us(rn->lanes), left_us;

	if (has_more_to_do(rn))
		return 0;
	if (due_us == INT64_MAX)
		return rn->is_woken ? 1 : POLL_MS;
	left_us = due_us - clock_now_us();
	if (left_us <= 0)
		return 0;
	return left_us / 1000 + 1 < POLL_MS ? (int)(left_us / 1000) + 1 : POLL_MS;
}

static void advance(struct runner *rn, int most_ms)
{
	http_client_poll(rn->app->http, rn->wake_fd, most_ms);
	read_wake_ups(rn);
	sweep_done(rn);
	start_chained(rn);
	sweep_done(rn);
}

/* One round of what jobs need: returns how many were claimed, -1 without the database. */
static int work(struct runner *rn, struct err *err)
{
	int looked = look_if_due(rn, err), n;

	/* What waits for a commit finds out by itself whether the database is back. */
	n = commit_and_claim(rn, err);
	start_chained(rn);
	sweep_done(rn);
	if (looked == -1)
		return -1;
	if (rn->is_unsure && n != -1)
		release_forgotten(rn);
	return n;
}

static void drain(struct runner *rn)
{
	int64_t until_us =
	    clock_mono_us() + rn->app->config->http_timeout_ms * 1000 + DRAIN_MORE_US;

	while (rn->nrunning > 0 && clock_mono_us() < until_us) {
		struct err err = ERR_INIT;

		if (group_waiting(rn->group) > 0 && group_commit(rn->group, NULL, NULL, &err) == -1)
			log_warn("runner.commit", LOG_ERR(&err));
		advance(rn, group_waiting(rn->group) > 0 ? 0 : 100);
	}
}

int runner_run(struct runner *rn, bool (*should_stop)(void *), void *arg)
{
	while (!should_stop(arg) && !rn->is_replaced) {
		struct err err = ERR_INIT;

		reap_dead(rn);
		run_periodics(rn);
		if (work(rn, &err) == -1)
			log_warn("runner.commit", LOG_ERR(&err));
		tell_windows(rn);
		run_background(rn);
		advance(rn, err.code != ERR_NONE ? 100 : wait_ms(rn));
	}
	drain(rn);
	untell_windows(rn);
	return 0;
}

int runner_once(struct runner *rn, struct err *err)
{
	size_t before = rn->nran;

	reap_dead(rn);
	run_periodics(rn);
	for (;;) {
		int n;

		rn->look_at_us = 0;
		n = work(rn, err);
		if (n == -1) {
			drain(rn);
			return -1;
		}
		run_background(rn);
		if (n == 0 && rn->nrunning == 0 && !has_more_to_do(rn) && !rn->is_woken &&
		    lanes_next_due_us(rn->lanes) > clock_now_us())
			return (int)(rn->nran - before);
		if (rn->nrunning > 0)
			advance(rn, n > 0 || has_more_to_do(rn) ? 0 : 50);
	}
}
