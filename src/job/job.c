/* The outbox table: rows in, endings, the wake-up. */
#include "job/job.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "job/clock-check.h"
#include "job/handover.h"
#include "job/job-internal.h"
#include "job/lane.h"
#include "job/periodic.h"
#include "process/unix-socket.h"

DB_STMT_ROWS(job_lanes_seen,
    "INSERT INTO job_lanes (account_id, class, target_id, seen_at) VALUES ", "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE seen_at = VALUES(seen_at)");
DB_STMT(job_lanes_forget,
    "DELETE FROM job_lanes WHERE seen_at < ? AND NOT EXISTS (SELECT 1 FROM jobs j"
    " WHERE j.account_id = job_lanes.account_id AND j.class = job_lanes.class"
    " AND j.target_id = job_lanes.target_id)" DB_PURGE_LIMIT);
DB_STMT(job_windows_forget, "DELETE FROM job_windows WHERE at < ?" DB_PURGE_LIMIT);
DB_STMT_ROWS(jobs_insert,
    "INSERT INTO jobs (id, account_id, class, target_id, kind, subject_id, state, run_at, attempts,"
    " lease_id, args, created_at) VALUES ",
    "(?,?,?,?,?,?,'ready',?,?,?,?,?)", "");
/* The assignments see each other's results from left to right, so lease_id stays as it is. */
DB_STMT(job_bring_forward,
    "INSERT INTO jobs (id, account_id, class, target_id, kind, subject_id, state, run_at, attempts,"
    " lease_id, args, created_at) VALUES (?,?,?,?,?,?,'ready',?,0,NULL,?,?) ON DUPLICATE KEY UPDATE"
    " run_at = IF(lease_id IS NULL, VALUES(run_at), run_at),"
    " class = IF(lease_id IS NULL, VALUES(class), class),"
    " target_id = IF(lease_id IS NULL, VALUES(target_id), target_id),"
    " tries = IF(lease_id IS NULL, 0, tries),"
    " deaths = IF(lease_id IS NULL, 0, deaths),"
    " attempts = IF(lease_id IS NULL, 0, attempts), state = 'ready'");
DB_STMT(job_kill, "UPDATE jobs SET state = 'dead', run_at = ?, lease_id = NULL, last_error = ?"
		  " WHERE id = ? AND lease_id = ? AND attempts = ?");
DB_STMT(job_put_missing,
    "INSERT INTO jobs (id, account_id, class, target_id, kind, subject_id, state, run_at, attempts,"
    " lease_id, args, created_at) VALUES (?,?,?,?,?,?,'ready',LEAST(?," CLOCK_OF_DATABASE
    "),0,NULL,"
    "?,?) ON DUPLICATE KEY UPDATE id = id");
DB_STMT_ROWS(jobs_delete,
    "DELETE j FROM jobs j FORCE INDEX (PRIMARY) WHERE j.lease_id = ? AND j.attempts = ?"
    " AND j.id IN (",
    "?", ")");
DB_STMT(job_again, "UPDATE jobs SET run_at = ?, args = ?, tries = 0, attempts = 0, deaths = 0,"
		   " lease_id = NULL, last_error = NULL"
		   " WHERE id = ? AND lease_id = ? AND attempts = ?");
DB_STMT(job_try_again,
    "UPDATE jobs SET run_at = ?, tries = ?, attempts = 0, deaths = 0, lease_id = NULL,"
    " last_error = NULL"
    " WHERE id = ? AND lease_id = ? AND attempts = ?");
DB_STMT(job_extend, "UPDATE jobs SET run_at = " CLOCK_OF_DATABASE
		    " + ?, deaths = 0 WHERE id = ? AND lease_id = ? AND attempts = ?");
DB_STMT(job_stats_of,
    "SELECT COALESCE(SUM(state = 'ready' AND run_at <= ?), 0),"
    " COALESCE(SUM(state = 'ready' AND run_at > ?), 0), COALESCE(SUM(state = 'dead'), 0),"
    " MIN(CASE WHEN state = 'ready' AND run_at <= ? THEN run_at END)"
    " FROM (SELECT state, run_at FROM jobs WHERE account_id = ? LIMIT 100000) j");
enum { STATS_READY, STATS_WAITING, STATS_DEAD, STATS_OLDEST_DUE };

/* ---- wake-up ----------------------------------------------------------------------------- */

/* Nobody there, or its queue full: it looks anyway. */
static void wake_seat(const struct config *cfg, int seat, char tag)
{
	char path[CONFIG_PATH_BYTES];

	board_socket_path(cfg, seat, path);
	(void)unix_socket_send(path, (struct str){&tag, 1});
}

void job_wake(const struct config *cfg, enum job_class class)
{
	int seat = board_rouse(board_of(cfg), class);

	if (seat != -1)
		wake_seat(cfg, seat, WAKE_TAG);
}

static void wake_for_targets(int seat, void *cfg)
{
	wake_seat(cfg, seat, TARGETS_TAG);
}

/* ---- lanes --------------------------------------------------------------------------------- */

#define LANES_KNOWN 1024u
#define LANE_RENEW_US (3600 * SECOND_US)
#define LANE_KEPT_US DAY_US /* a lane without jobs; longer than any clock is wrong by */

/* Lanes that this process has seen into the table within the hour. */
static struct known_lane {
	struct uuid account_id, target_id;
	enum job_class class;
	int64_t seen_us;
} known_lanes[LANES_KNOWN];

static struct known_lane *known_lane(const struct job *j)
{
	uint64_t h = str_hash(j->account_id.b, sizeof(j->account_id.b)) * 31u ^
		     str_hash(j->target_id.b, sizeof(j->target_id.b)) ^ (uint64_t)j->class;

	return &known_lanes[(h ^ h >> 32) % LANES_KNOWN];
}

static bool lane_is_known(const struct known_lane *k, const struct job *j, int64_t now_us)
{
	return k->class == j->class && uuid_eq(k->account_id, j->account_id) &&
	       uuid_eq(k->target_id, j->target_id) && k->seen_us > now_us - LANE_RENEW_US &&
	       k->seen_us <= now_us;
}

/* Only what is committed is known. */
static void lanes_now_known(void *arg)
{
	struct known_lane *seen = arg;

	for (; seen->seen_us != 0; seen++) {
		struct job j = {.account_id = seen->account_id,
		    .target_id = seen->target_id,
		    .class = seen->class};

		*known_lane(&j) = *seen;
	}
}

/* Within a transaction: the jobs' lanes are in their table. */
static int lanes_see(
    struct db *db, const struct job *jobs, size_t n, int64_t now_us, struct err *err)
{
	struct db_val v[LIMIT_DB_BATCH * 4];
	struct known_lane seen[LIMIT_DB_BATCH + 1], *kept;
	size_t nseen = 0;

	for (size_t i = 0; i < n; i++) {
		const struct job *j = &jobs[i];
		bool is_repeat = lane_is_known(known_lane(j), j, now_us);

		for (size_t k = 0; k < nseen && !is_repeat; k++)
			is_repeat = lane_is_known(&seen[k], j, now_us);
		if (is_repeat)
			continue;
		seen[nseen] = (struct known_lane){j->account_id, j->target_id, j->class, now_us};
		v[4 * nseen] = db_uuid(&j->account_id);
		v[4 * nseen + 1] = db_int(j->class);
		v[4 * nseen + 2] = db_uuid(&j->target_id);
		v[4 * nseen++ + 3] = db_int(now_us);
	}
	if (nseen == 0)
		return 0;
	if (db_exec_rows_later(db, &job_lanes_seen, v, nseen, 4, ERR_CONFLICT, err) == -1)
		return -1;
	seen[nseen].seen_us = 0;
	kept = db_commit_note(db, seen, (nseen + 1) * sizeof(*seen));
	db_on_commit(db, lanes_now_known, kept);
	return 0;
}

int job_lanes_purge(struct app *app, struct err *err)
{
	struct db_val before = db_int(clock_now_us() - LANE_KEPT_US);
	int64_t until_us = clock_mono_us() + PERIODIC_STEP_US;
	int rc = db_purge(app->db, &job_lanes_forget, DB_VALS(before), until_us, err);

	return rc != 0 ? rc
		       : db_purge(app->db, &job_windows_forget, DB_VALS(before), until_us, err);
}

/* ---- rows ---------------------------------------------------------------------------------- */

#define JOB_VALUES 11
#define LAST_ERROR_BYTES 1000

int job_insert_claimed(struct db *db, struct job *jobs, size_t n, const struct uuid *lease_id,
    int64_t lease_until_us, struct err *err)
{
	int64_t now = clock_now_us();
	const bool is_claimed = !uuid_is_nil(*lease_id);

	while (n > 0) {
		struct db_val v[LIMIT_DB_BATCH * JOB_VALUES];
		size_t take = n < LIMIT_DB_BATCH ? n : LIMIT_DB_BATCH;

		for (size_t i = 0; i < take; i++) {
			struct job *j = &jobs[i];

			if (uuid_is_nil(j->id))
				j->id = uuid_new();
			struct db_val row[JOB_VALUES] = {db_uuid(&j->id), db_uuid(&j->account_id),
			    db_int(j->class), db_uuid(&j->target_id), db_str(j->kind),
			    db_uuid_or_null(&j->subject_id),
			    db_int(is_claimed          ? lease_until_us
				   : j->run_at_us != 0 ? j->run_at_us
						       : now),
			    db_int(is_claimed), db_uuid_or_null(lease_id), db_strn(j->args),
			    db_int(now)};
			memcpy(v + JOB_VALUES * i, row, sizeof(row));
		}
		if (lanes_see(db, jobs, take, now, err) == -1 ||
		    db_exec_rows_later(db, &jobs_insert, v, take, JOB_VALUES, ERR_CONFLICT, err) ==
			-1)
			return -1;
		jobs += take;
		n -= take;
	}
	return 0;
}

struct waking {
	const struct config *cfg;
	enum job_class class;
};

static void wake_after_commit(void *arg)
{
	const struct waking *w = arg;

	job_wake(w->cfg, w->class);
}

/* One datagram of each class, however many inserts the transaction makes. */
void job_wake_on_commit(struct db *db, enum job_class class)
{
	static struct waking wakings[JOB_CLASSES];

	wakings[class] = (struct waking){db_config(db), class};
	db_on_commit(db, wake_after_commit, &wakings[class]);
}

static void wake_targets_after_commit(void *cfg)
{
	board_each(board_of(cfg), wake_for_targets, cfg);
}

void job_wake_targets_on_commit(struct db *db)
{
	db_on_commit(db, wake_targets_after_commit, (void *)(uintptr_t)db_config(db));
}

int job_insert(struct db *db, struct job *jobs, size_t n, struct err *err)
{
	static const struct uuid nobody;
	struct handover to;

	if (n == 0)
		return 0;
	if (handover_begin(db, jobs, n, &to)) {
		if (job_insert_claimed(db, jobs, n, &to.lease, clock_now_us() + to.lease_us, err) ==
		    -1)
			return -1;
		handover_on_commit(db, &to, jobs, n);
		return 0;
	}
	if (job_insert_claimed(db, jobs, n, &nobody, 0, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		job_wake_on_commit(db, jobs[i].class);
	return 0;
}

/* With a statement that minds a row which is there. */
static int job_put(struct db *db, const struct db_stmt *s, const struct job *j, struct err *err)
{
	int64_t now = clock_now_us();

	if (lanes_see(db, j, 1, now, err) == -1)
		return -1;
	return db_exec(db, s,
	    DB_VALS(db_uuid(&j->id), db_uuid(&j->account_id), db_int(j->class),
		db_uuid(&j->target_id), db_str(j->kind), db_uuid_or_null(&j->subject_id),
		db_int(now), db_strn(j->args), db_int(now)),
	    NULL, err);
}

int job_run_now(struct db *db, const struct job *j, struct err *err)
{
	if (job_put(db, &job_bring_forward, j, err) == -1)
		return -1;
	job_wake_on_commit(db, j->class);
	return 0;
}

int job_insert_missing(struct db *db, const struct job *j, struct err *err)
{
	return job_put(db, &job_put_missing, j, err);
}

struct dueing {
	struct lanes *lanes;
	struct lane_key key;
	int64_t at_us;
};

static void due_after_commit(void *arg)
{
	const struct dueing *d = arg;

	lane_due(lane_get(d->lanes, &d->key), d->at_us);
}

/* The runner that has the job knows after the commit when it is due, without a look. */
static void tell_lane(struct db *db, const struct job *j, int64_t at_us)
{
	struct dueing d = {j->lanes, {j->account_id, j->target_id, j->class}, at_us};

	if (j->lanes != NULL)
		db_on_commit(db, due_after_commit, db_commit_note(db, &d, sizeof(d)));
}

/* What an ending statement did: without a row the lease is another's. */
static int job_note_ended(struct job *j, uint64_t affected, struct err *err)
{
	char id[UUID_TEXT];

	uuid_text(id, j->id);
	j->is_lost = affected == 0;
	if (j->is_lost)
		return err_set(err, ERR_CONFLICT, "job %s (%s): its lease was lost", id, j->kind);
	j->is_ended = true;
	return 0;
}

int job_note_again(struct db *db, struct job *j, uint64_t affected, int64_t at_us, struct err *err)
{
	if (job_note_ended(j, affected, err) == -1)
		return -1;
	tell_lane(db, j, at_us);
	return 0;
}

/* Ends jobs[0], and those behind it that are not done yet and have its lease and attempts: by one
 * statement. */
static int jobs_finish_alike(
    struct db *db, struct job *const *jobs, bool *is_done, size_t n, struct err *err)
{
	struct db_val ids[LIMIT_DB_BATCH];
	size_t nids = 0;
	uint64_t deleted = 0;

	for (size_t i = 0; i < n && nids < LIMIT_DB_BATCH; i++) {
		struct job *j = jobs[i];

		if (is_done[i] || j->attempts != jobs[0]->attempts ||
		    !uuid_eq(j->lease_id, jobs[0]->lease_id))
			continue;
		is_done[i] = j->is_ended = true;
		ids[nids++] = db_uuid(&j->id);
	}
	if (db_exec_rows(db, &jobs_delete,
		DB_VALS(db_uuid(&jobs[0]->lease_id), db_int(jobs[0]->attempts)), ids, nids, 1,
		&deleted, err) == -1)
		return -1;
	if (nids == 1)
		return job_note_ended(jobs[0], deleted, err);
	if (deleted < nids) /* which of them shows when each is ended alone */
		return err_set(err, ERR_CONFLICT, "%llu of %zu jobs (%s): their lease was lost",
		    (unsigned long long)(nids - deleted), nids, jobs[0]->kind);
	return 0;
}

int job_finish_many(struct db *db, struct job *const *jobs, size_t n, struct err *err)
{
	bool is_done[LIMIT_DB_BATCH];

	for (; n > LIMIT_DB_BATCH; jobs += LIMIT_DB_BATCH, n -= LIMIT_DB_BATCH)
		if (job_finish_many(db, jobs, LIMIT_DB_BATCH, err) == -1)
			return -1;
	memset(is_done, 0, sizeof(is_done));
	for (size_t i = 0; i < n; i++)
		if (!is_done[i] && jobs_finish_alike(db, jobs + i, is_done + i, n - i, err) == -1)
			return -1;
	return 0;
}

int job_finish(struct db *db, struct job *j, struct err *err)
{
	return job_finish_many(db, &j, 1, err);
}

int job_reschedule(struct db *db, struct job *j, int64_t at_us, struct str args, struct err *err)
{
	uint64_t n = 0;

	if (db_exec(db, &job_again,
		DB_VALS(db_int(at_us), db_strn(args), db_uuid(&j->id), db_uuid(&j->lease_id),
		    db_int(j->attempts)),
		&n, err) == -1)
		return -1;
	return job_note_again(db, j, n, at_us, err);
}

int job_retry(struct db *db, struct job *j, int64_t at_us, bool is_counted, struct err *err)
{
	uint64_t n = 0;

	if (db_exec(db, &job_try_again,
		DB_VALS(db_int(at_us), db_int(j->tries + is_counted), db_uuid(&j->id),
		    db_uuid(&j->lease_id), db_int(j->attempts)),
		&n, err) == -1)
		return -1;
	return job_note_again(db, j, n, at_us, err);
}

int job_die(struct db *db, struct job *j, const char *why, struct err *err)
{
	uint64_t n = 0;

	if (db_exec(db, &job_kill,
		DB_VALS(db_int(clock_now_us()),
		    db_strn(utf8_clean(j->a, str_from(why), LAST_ERROR_BYTES)), db_uuid(&j->id),
		    db_uuid(&j->lease_id), db_int(j->attempts)),
		&n, err) == -1)
		return -1;
	return job_note_ended(j, n, err);
}

int job_keep(struct db *db, struct job *j, struct err *err)
{
	uint64_t n = 0;
	bool was_ended = j->is_ended;

	if (db_exec(db, &job_extend,
		DB_VALS(db_int(j->lease_us), db_uuid(&j->id), db_uuid(&j->lease_id),
		    db_int(j->attempts)),
		&n, err) == -1 ||
	    job_note_ended(j, n, err) == -1)
		return -1;
	j->is_ended = was_ended;
	return 0;
}

int job_load_subjects(struct app *app, const struct db_stmt *s, size_t id_column,
    struct job *const *jobs, size_t n,
    int (*read)(struct job *j, const struct db_rows *rows, size_t row, struct err *err),
    struct err *err)
{
	struct arena *a = arena_new();
	struct db_val ids[LIMIT_DB_BATCH];
	struct db_rows rows;
	int rc;

	for (size_t i = 0; i < n; i++)
		ids[i] = db_uuid(&jobs[i]->subject_id);
	rc = db_query_rows(
	    app->db, a, s, DB_VALS(db_uuid(&jobs[0]->account_id)), ids, n, 1, &rows, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t row = db_find_uuid(&rows, id_column, &jobs[i]->subject_id);

		if (row < rows.count)
			rc = read(jobs[i], &rows, row, err);
	}
	arena_free(a);
	return rc;
}

int job_stats(struct db *db, const struct uuid *account_id, struct job_stats *out, struct err *err)
{
	struct arena *a = arena_new();
	struct db_val now = db_int(clock_now_us());
	struct db_rows rows;
	int rc =
	    db_row(db, a, &job_stats_of, DB_VALS(now, now, now, db_uuid(account_id)), &rows, err);

	*out = (struct job_stats){0};
	if (rc == 1) {
		out->ready = db_get_int(&rows, 0, STATS_READY);
		out->waiting = db_get_int(&rows, 0, STATS_WAITING);
		out->dead = db_get_int(&rows, 0, STATS_DEAD);
		out->oldest_due_us = db_get_int(&rows, 0, STATS_OLDEST_DUE);
	}
	arena_free(a);
	return rc == -1 ? -1 : 0;
}
