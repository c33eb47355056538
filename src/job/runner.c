/* The runner: claims due jobs by lease and runs each in a fiber, so that the HTTP calls of many
 * wait together.
 *
 *   due ───── claim ────► leased, runs ──┬─ finish, or 0 ──► no row
 *    ▲ run_at ≤ now       run_at = end   ├─ reschedule ────► waits ── its time comes ─► due
 *    │                    of the lease   ├─ -1 ────────────► waits (30 s doubling), at last dead
 *    └── the lease ends, or is released ◄┴─ the runner dies
 *
 * Invariants:
 * - A job runs under one lease at a time: every ending names lease and attempt, and changes nothing
 *   where another has it by now.
 * - A job is held for the lease of its own kind from its claim, from its insertion with a claim
 *   (job_insert_next), and from each job_keep.
 * - A fiber never yields within a transaction, so the one connection serves all.
 * - The runner holds no lease that it does not run: where the database left it in doubt (is_unsure)
 *   it looks, and releases what it had forgotten.
 *
 * Why: a runner proves that it lives by the lock on its file in run/runners, and whoever notices
 * that it is free releases the leases, so a killed runner's jobs go on at once on the same host
 * (elsewhere when the lease ends). run_at is both the time to wait for and the lease's end, so one
 * index finds all that is due. A job that its runners die of waits longer each time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/fiber.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "job/job-internal.h"
#include "net/http-client.h"
#include "process/unix-socket.h"

#define POLL_MS 500 /* how soon work of another host is noticed */
#define CLAIM_MAX 32
#define DRAIN_US (20 * SECOND_US)
#define RETRY_FIRST_US (30 * SECOND_US)
#define RETRY_MOST_US (3600 * SECOND_US)
#define REAP_EVERY_US (5 * SECOND_US)
#define AGAIN_US SECOND_US /* after periodic work that has more to do: the others' turn */

DB_STMT(jobs_due,
    "SELECT id, account_id, kind, subject_id, attempts, args FROM jobs"
    " WHERE state = 'ready' AND run_at <= ? ORDER BY run_at LIMIT ? FOR UPDATE SKIP LOCKED");
enum { DUE_ID, DUE_ACCOUNT_ID, DUE_KIND, DUE_SUBJECT_ID, DUE_ATTEMPTS, DUE_ARGS };
/* Jobs of many kinds are claimed by one statement, each until its own lease ends: kinds with a
 * lease of their own fill the pairs, all others have the configured one. */
#define OWN_LEASES 8
DB_STMT_ROWS(jobs_claim,
    "UPDATE jobs SET run_at = CASE kind WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ?"
    " WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? WHEN ? THEN ? ELSE ? END,"
    " lease_id = ?, attempts = attempts + 1 WHERE id IN (",
    "?", ")");
#define CLAIM_VALUES (2 * OWN_LEASES + 2)
DB_STMT(job_back_off, "UPDATE jobs SET state = ?, run_at = ?, lease_id = NULL, last_error = ?"
		      " WHERE id = ? AND lease_id = ? AND attempts = ?");
/* Leased rows lie within one lease of now on the index, so no index on lease_id is needed.
 * A job that its runner died under a few times may be what killed it: it waits longer and longer,
 * so that the others get their turn. */
DB_STMT(jobs_release, "UPDATE jobs SET run_at = ? + IF(attempts < 4, 0,"
		      " 10000000 << LEAST(attempts - 4, 8)), lease_id = NULL"
		      " WHERE state = 'ready' AND run_at > ? AND run_at <= ? AND lease_id = ?");
DB_STMT(jobs_of_lease, "SELECT id FROM jobs WHERE state = 'ready' AND run_at > ? AND run_at <= ?"
		       " AND lease_id = ? LIMIT 1000");
DB_STMT(job_release, "UPDATE jobs SET run_at = ?, lease_id = NULL WHERE id = ? AND lease_id = ?");
DB_STMT(periodic_take, "UPDATE periodic_runs SET next_at = ? WHERE name = ? AND next_at <= ?");
DB_STMT(periodic_again, "UPDATE periodic_runs SET next_at = LEAST(next_at, ?) WHERE name = ?");
DB_STMT(periodic_first, "INSERT INTO periodic_runs (name, next_at) VALUES (?, ?)"
			" ON DUPLICATE KEY UPDATE next_at = next_at");

struct run {
	struct job job;
	const struct job_kind *kind;
	struct fiber *fiber;
	bool is_done;
	struct run *next;
};

struct runner {
	struct app *app;
	const struct job_kind *kinds;
	size_t nkinds;
	const struct runner_periodic *periodics;
	size_t nperiodics;
	int64_t *periodic_at_us; /* when to look at each next, monotonic */
	struct uuid lease_id;
	int alive_fd; /* locked while we live */
	char alive_path[256];
	int wake_fd;
	bool is_replaced, is_woken; /* woken: there may be due work right now */
	/* The database failed us: we may hold leases of jobs that do not run here. */
	bool is_unsure;
	int64_t claim_at_us; /* look for it then in any case (monotonic) */
	int64_t reap_at_us;
	int64_t lease_most_us; /* the longest that a job of ours may be held for */
	int (*background)(struct app *app, struct err *err);
	int64_t background_at_us;      /* look whether there is some then (monotonic) */
	struct run *running, *chained; /* chained: claimed at insertion, to be started */
	size_t nrunning, nran;
};

/* ---- life -------------------------------------------------------------------------------- */

/* The file gets its name once it is locked: before, another runner would take it for a dead one's.
 */
static int alive_file_make(struct runner *rn, struct err *err)
{
	char id[UUID_TEXT], dir[sizeof(rn->alive_path)], path[sizeof(rn->alive_path) + 4];

	rn->lease_id = uuid_new();
	uuid_text(id, rn->lease_id);
	snprintf(dir, sizeof(dir), "%s/run/runners", rn->app->config->state_dir);
	if (dir_make(dir, 0770, err) == -1)
		return -1;
	snprintf(rn->alive_path, sizeof(rn->alive_path), "%s/run/runners/%s",
	    rn->app->config->state_dir, id);
	snprintf(path, sizeof(path), "%s.new", rn->alive_path);
	rn->alive_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0660);
	if (rn->alive_fd == -1 || flock(rn->alive_fd, LOCK_EX | LOCK_NB) == -1 ||
	    rename(path, rn->alive_path) == -1)
		return err_set(err, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	return 0;
}

static int64_t kind_lease_us(const struct runner *rn, const struct job_kind *kind)
{
	int64_t own_s = kind == NULL ? 0 : kind->lease_s;

	return (own_s != 0 ? own_s : rn->app->config->job_lease_s) * SECOND_US;
}

static int runner_take_kinds(struct runner *rn, struct err *err)
{
	size_t nown = 0;

	rn->lease_most_us = kind_lease_us(rn, NULL);
	for (size_t i = 0; i < rn->nkinds; i++) {
		int64_t lease_us = kind_lease_us(rn, &rn->kinds[i]);

		nown += rn->kinds[i].lease_s != 0;
		if (lease_us > rn->lease_most_us)
			rn->lease_most_us = lease_us;
	}
	if (nown > OWN_LEASES)
		return err_set(err, ERR_INTERNAL,
		    "%zu kinds of jobs have a lease of their own, %d may", nown, OWN_LEASES);
	return 0;
}

struct runner *runner_new(struct app *app, const struct job_kind *kinds, size_t n, struct err *err)
{
	struct runner *rn = calloc(1, sizeof(*rn));

	if (rn == NULL)
		abort();
	*rn =
	    (struct runner){.app = app, .kinds = kinds, .nkinds = n, .wake_fd = -1, .alive_fd = -1};
	if (runner_take_kinds(rn, err) == -1 || alive_file_make(rn, err) == -1) {
		runner_free(rn);
		return NULL;
	}
	return rn;
}

void runner_free(struct runner *rn)
{
	if (rn->wake_fd != -1)
		close(rn->wake_fd);
	if (rn->alive_fd != -1) {
		/* With work left behind the file stays, unlocked: the next runner frees our leases.
		 */
		if (rn->nrunning == 0 && rn->chained == NULL && !rn->is_unsure)
			unlink(rn->alive_path);
		close(rn->alive_fd);
	}
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
static void periodics_look_at_all(struct runner *rn)
{
	for (size_t i = 0; i < rn->nperiodics; i++)
		rn->periodic_at_us[i] = 0;
}

static void wake_ups_read(struct runner *rn)
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
			periodics_look_at_all(rn);
	}
}

/* ---- running one job --------------------------------------------------------------------- */

/* The database is away: waits a little for it. False when the lease has run out meanwhile. */
static bool job_wait_for_database(struct job *j, int64_t since_us)
{
	if (clock_mono_us() - since_us > j->lease_us)
		return false;
	http_client_sleep(j->app->http, POLL_MS);
	return true;
}

int job_transaction(struct job *j, int (*body)(struct db *db, void *arg, struct err *err),
    void *arg, struct err *err)
{
	const int64_t since_us = clock_mono_us();
	const bool was_ended = j->is_ended;
	struct err e;

	do {
		e = (struct err)ERR_INIT;
		j->is_ended = was_ended;
		if (db_transaction(j->app->db, body, arg, &e) == 0)
			return 0;
	} while (e.code == ERR_UNAVAILABLE && job_wait_for_database(j, since_us));
	return err_set(err, e.code, "%s", e.msg);
}

static int job_finish_body(struct db *db, void *arg, struct err *err)
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

static void run_put_back(struct run *run, const struct err *why)
{
	struct job *j = &run->job;
	bool is_dead = j->attempts >= run->kind->max_attempts;
	int64_t at = clock_now_us() + back_off_us(j->attempts);
	const int64_t since_us = clock_mono_us();
	struct err err;

	log_warn(is_dead ? "job.dead" : "job.failed", LOG_S("kind", j->kind),
	    LOG_S("job", uuid_dup(j->a, j->id)), LOG_I("attempts", j->attempts), LOG_ERR(why));
	do {
		err = (struct err)ERR_INIT;
		if (db_exec(j->app->db, &job_back_off,
			DB_VALS(db_str(is_dead ? "dead" : "ready"), db_int(at),
			    db_strn(utf8_clean(j->a, str_from(why->msg), sizeof(why->msg))),
			    db_uuid(&j->id), db_uuid(&j->lease_id), db_int(j->attempts)),
			NULL, &err) == 0)
			return;
	} while (fiber_current() != NULL && err.code == ERR_UNAVAILABLE &&
		 job_wait_for_database(j, since_us));
	log_error("job.put_back", LOG_S("kind", j->kind), LOG_ERR(&err));
	j->runner->is_unsure = true;
}

static void run_main(void *arg)
{
	struct run *run = arg;
	struct job *j = &run->job;
	struct err err = ERR_INIT;

	if (j->attempts > run->kind->max_attempts) {
		err_set(&err, ERR_INTERNAL, "gave up: its runner died %d times", j->attempts - 1);
		run_put_back(run, &err);
	} else if (run->kind->run(j, &err) == 0) {
		if (!j->is_ended && job_transaction(j, job_finish_body, j, &err) == -1) {
			log_warn("job.finish", LOG_S("kind", j->kind), LOG_ERR(&err));
			j->runner->is_unsure = true;
		}
	} else if (err.code == ERR_CONFLICT) {
		log_warn("job.lost", LOG_S("kind", j->kind), LOG_ERR(&err));
	} else {
		run_put_back(run, &err);
	}
	run->is_done = true;
}

static const struct job_kind *kind_find(const struct runner *rn, const char *name)
{
	for (size_t i = 0; i < rn->nkinds; i++)
		if (strcmp(rn->kinds[i].name, name) == 0)
			return &rn->kinds[i];
	return NULL;
}

/* A run with its own arena and copies of the row. */
static struct run *run_new(struct runner *rn, const struct job *row, int attempts)
{
	struct arena *a = arena_new();
	struct run *run = arena_zalloc(a, sizeof(*run));

	run->job = *row;
	run->job.kind = arena_strdup(a, row->kind);
	if (row->args.p != NULL)
		run->job.args.p = arena_strndup(a, row->args.p, row->args.n);
	run->job.attempts = attempts;
	run->job.lease_id = rn->lease_id;
	run->job.is_ended = false;
	run->job.runner = rn;
	run->job.app = rn->app;
	run->job.a = a;
	run->kind = kind_find(rn, row->kind);
	run->job.lease_us = kind_lease_us(rn, run->kind);
	return run;
}

static void run_start(struct runner *rn, struct run *run)
{
	struct err err = ERR_INIT;

	rn->nran++;
	if (run->kind == NULL) { /* of a newer version, perhaps: leave it to who knows it */
		static const struct job_kind unknown = {"unknown", NULL, 1 << 30, 0};

		run->kind = &unknown;
		err_set(&err, ERR_INTERNAL, "this version knows no such kind of job");
		run_put_back(run, &err);
		arena_free(run->job.a);
		return;
	}
	run->next = rn->running;
	rn->running = run;
	rn->nrunning++;
	run->fiber = fiber_new(run_main, run);
	fiber_resume(run->fiber);
}

static void runs_sweep(struct runner *rn)
{
	struct run **at = &rn->running;

	while (*at != NULL) {
		struct run *run = *at;

		if (!run->is_done) {
			at = &run->next;
			continue;
		}
		*at = run->next;
		rn->nrunning--;
		fiber_free(run->fiber);
		arena_free(run->job.a);
	}
}

/* ---- claiming ---------------------------------------------------------------------------- */

struct claim {
	struct runner *rn;
	struct arena *a;
	size_t most;
	struct db_rows rows;
};

/* What precedes the ids in jobs_claim. */
static void claim_values(const struct runner *rn, int64_t now, struct db_val *v)
{
	size_t n = 0;

	for (size_t i = 0; i < rn->nkinds; i++) {
		if (rn->kinds[i].lease_s == 0)
			continue;
		v[n++] = db_str(rn->kinds[i].name);
		v[n++] = db_int(now + kind_lease_us(rn, &rn->kinds[i]));
	}
	while (n < 2 * OWN_LEASES) { /* no kind's name */
		v[n++] = db_str("");
		v[n++] = db_int(now);
	}
	v[n++] = db_int(now + kind_lease_us(rn, NULL));
	v[n] = db_uuid(&rn->lease_id);
}

static int claim_body(struct db *db, void *arg, struct err *err)
{
	struct claim *c = arg;
	int64_t now = clock_now_us();
	struct db_val vals[CLAIM_VALUES], ids[CLAIM_MAX];
	struct uuid id[CLAIM_MAX];

	if (db_query(db, c->a, &jobs_due, DB_VALS(db_int(now), db_int((int64_t)c->most)), &c->rows,
		err) == -1)
		return -1;
	if (c->rows.count == 0)
		return 0;
	for (size_t i = 0; i < c->rows.count; i++) {
		id[i] = db_get_uuid(&c->rows, i, DUE_ID);
		ids[i] = db_uuid(&id[i]);
	}
	claim_values(c->rn, now, vals);
	return db_exec_rows(db, &jobs_claim, vals, CLAIM_VALUES, ids, c->rows.count, 1, NULL, err);
}

/* How many jobs a claim may take now. */
static size_t claim_room(const struct runner *rn)
{
	size_t most = (size_t)rn->app->config->job_concurrency;

	most = rn->nrunning < most ? most - rn->nrunning : 0;
	return most < CLAIM_MAX ? most : CLAIM_MAX;
}

/* Claims and starts what is due, as far as there is room; answers how many, -1 when the database is
 * away. */
static int claim_and_start(struct runner *rn, struct err *err)
{
	struct claim c = {.rn = rn, .a = arena_new(), .most = claim_room(rn)};
	int n = -1;

	if (c.most == 0) {
		n = 0;
	} else if (db_transaction(rn->app->db, claim_body, &c, err) == 0) {
		n = (int)c.rows.count;
		for (size_t i = 0; i < c.rows.count; i++) {
			struct job row = {.id = db_get_uuid(&c.rows, i, DUE_ID),
			    .account_id = db_get_uuid(&c.rows, i, DUE_ACCOUNT_ID),
			    .kind = db_get_text(&c.rows, i, DUE_KIND),
			    .subject_id = db_get_uuid(&c.rows, i, DUE_SUBJECT_ID)};

			if (!db_is_null(&c.rows, i, DUE_ARGS))
				row.args = db_get_str(&c.rows, i, DUE_ARGS);
			run_start(
			    rn, run_new(rn, &row, (int)db_get_int(&c.rows, i, DUE_ATTEMPTS) + 1));
		}
	}
	arena_free(c.a);
	rn->is_unsure = rn->is_unsure || n == -1;
	return n;
}

static bool run_is_in(const struct run *list, const struct uuid *id)
{
	for (; list != NULL; list = list->next)
		if (uuid_eq(list->job.id, *id))
			return true;
	return false;
}

/* A job that ended while the database was away could not be put back, and a claim whose answer was
 * lost may have been made: such jobs would wait for the end of a lease that nobody uses. */
static void leases_release_forgotten(struct runner *rn)
{
	struct arena *a = arena_new();
	int64_t now = clock_now_us();
	struct db_rows rows;
	struct err err = ERR_INIT;
	size_t n = 0;

	if (db_query(rn->app->db, a, &jobs_of_lease,
		DB_VALS(db_int(now), db_int(now + rn->lease_most_us + DAY_US / 24),
		    db_uuid(&rn->lease_id)),
		&rows, &err) == -1)
		goto out;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if (run_is_in(rn->running, &id) || run_is_in(rn->chained, &id))
			continue;
		if (db_exec(rn->app->db, &job_release,
			DB_VALS(db_int(now), db_uuid(&id), db_uuid(&rn->lease_id)), NULL,
			&err) == -1)
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

	if (c->run != NULL)
		arena_free(c->run->job.a);
}

int job_insert_next(struct db *db, struct job *parent, struct job *jobs, size_t n, struct err *err)
{
	struct runner *rn = parent == NULL ? NULL : parent->runner;

	/* More than a few at once would outgrow the concurrency bound: those take the ordinary way.
	 */
	if (rn == NULL || n > 8)
		return job_insert(db, jobs, n, err);
	for (size_t i = 0; i < n; i++)
		jobs[i].lease_us = kind_lease_us(rn, kind_find(rn, jobs[i].kind));
	if (job_insert_claimed(db, jobs, n, &rn->lease_id, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct chaining *c = arena_zalloc(parent->a, sizeof(*c));

		c->run = run_new(rn, &jobs[i], 1);
		arena_on_free(parent->a, chain_forgotten, c);
		db_on_commit(db, chain_after_commit, c);
	}
	return 0;
}

static void chained_start(struct runner *rn)
{
	while (rn->chained != NULL) {
		struct run *run = rn->chained;

		rn->chained = run->next;
		run_start(rn, run);
	}
}

/* ---- other runners' remains -------------------------------------------------------------- */

static int leases_release_of(struct runner *rn, const struct uuid *dead)
{
	int64_t now = clock_now_us();
	uint64_t n = 0;
	struct err err = ERR_INIT;

	if (db_exec(rn->app->db, &jobs_release,
		DB_VALS(db_int(now), db_int(now), db_int(now + rn->lease_most_us + DAY_US / 24),
		    db_uuid(dead)),
		&n, &err) == -1) {
		log_warn("runner.reap", LOG_ERR(&err));
		return -1;
	}
	if (n > 0)
		log_info("runner.reap", LOG_I("released", n));
	return 0;
}

static void dead_runner_reap(struct runner *rn, const char *name)
{
	char path[512];
	struct uuid dead;
	int fd;

	if (!uuid_parse(str_from(name), &dead) || uuid_eq(dead, rn->lease_id))
		return;
	snprintf(path, sizeof(path), "%s/run/runners/%s", rn->app->config->state_dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && leases_release_of(rn, &dead) == 0)
		unlink(path);
	close(fd);
}

static void dead_runners_reap(struct runner *rn)
{
	char path[512];
	DIR *d;
	struct dirent *e;

	if (clock_mono_us() < rn->reap_at_us)
		return;
	rn->reap_at_us = clock_mono_us() + REAP_EVERY_US;
	snprintf(path, sizeof(path), "%s/run/runners", rn->app->config->state_dir);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		dead_runner_reap(rn, e->d_name);
	if (d != NULL)
		closedir(d);
}

/* ---- periodic work ----------------------------------------------------------------------- */

static int periodic_take_turn(struct runner *rn, const struct runner_periodic *p, struct err *err)
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
static int periodic_run(struct runner *rn, const struct runner_periodic *p, struct err *err)
{
	int rc = periodic_take_turn(rn, p, err);

	if (rc == 1)
		rc = p->run(rn->app, err);
	if (rc == 1 &&
	    db_exec(rn->app->db, &periodic_again,
		DB_VALS(db_int(clock_now_us() + AGAIN_US), db_str(p->name)), NULL, err) == -1)
		return -1;
	return rc;
}

static void periodics_run(struct runner *rn)
{
	for (size_t i = 0; i < rn->nperiodics; i++) {
		const struct runner_periodic *p = &rn->periodics[i];
		struct err err = ERR_INIT;
		int64_t look_us = (p->every_s < 60 ? p->every_s : 60) * SECOND_US;
		int rc;

		if (clock_mono_us() < rn->periodic_at_us[i])
			continue;
		rc = periodic_run(rn, p, &err);
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
static void background_run(struct runner *rn)
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

static bool runner_has_more_to_do(const struct runner *rn)
{
	return rn->is_woken || rn->chained != NULL ||
	       (rn->background != NULL && rn->background_at_us == 0);
}

/* ---- loops ------------------------------------------------------------------------------- */

static void runner_advance(struct runner *rn, int wait_ms)
{
	http_client_poll(rn->app->http, rn->wake_fd, rn->chained != NULL ? 0 : wait_ms);
	wake_ups_read(rn);
	runs_sweep(rn);
	chained_start(rn);
	runs_sweep(rn);
}

/* Claims only when there is room and may be something: after a wake-up, a full claim, or POLL_MS.
 */
static void claim_if_due(struct runner *rn)
{
	struct err err = ERR_INIT;
	size_t most = claim_room(rn);
	int n;

	if (most == 0 || (!rn->is_woken && clock_mono_us() < rn->claim_at_us))
		return;
	rn->is_woken = false;
	rn->claim_at_us = clock_mono_us() + POLL_MS * 1000;
	n = claim_and_start(rn, &err);
	if (n == -1)
		log_warn("runner.claim", LOG_ERR(&err));
	rn->is_woken = rn->is_woken || n == (int)most;
	if (rn->is_unsure && n != -1)
		leases_release_forgotten(rn);
}

int runner_run(struct runner *rn, bool (*should_stop)(void *), void *arg)
{
	int64_t drain_until;

	while (!should_stop(arg) && !rn->is_replaced) {
		dead_runners_reap(rn);
		periodics_run(rn);
		claim_if_due(rn);
		chained_start(rn);
		runs_sweep(rn);
		background_run(rn);
		runner_advance(rn, runner_has_more_to_do(rn) ? 0 : POLL_MS);
	}
	drain_until = clock_mono_us() + DRAIN_US;
	while (rn->nrunning > 0 && clock_mono_us() < drain_until)
		runner_advance(rn, 100);
	return 0;
}

int runner_once(struct runner *rn, struct err *err)
{
	size_t before = rn->nran;

	dead_runners_reap(rn);
	periodics_run(rn);
	for (;;) {
		int n = claim_and_start(rn, err);

		if (n == -1)
			return -1;
		chained_start(rn);
		runs_sweep(rn);
		background_run(rn);
		if (n == 0 && rn->nrunning == 0 && !runner_has_more_to_do(rn))
			return (int)(rn->nran - before);
		if (rn->nrunning > 0)
			runner_advance(rn, n > 0 ? 0 : 50);
	}
}
