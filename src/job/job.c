/* The outbox table: rows in, endings, the wake-up. */
#include "job/job.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "job/job-internal.h"
#include "process/unix-socket.h"

DB_STMT_ROWS(jobs_insert,
    "INSERT INTO jobs (id, account_id, kind, subject_id, state, run_at, attempts, lease_id, args,"
    " created_at) VALUES ",
    "(?,?,?,?,'ready',?,?,?,?,?)", "");
/* The assignments see each other's results from left to right, so lease_id stays as it is. */
DB_STMT(job_bring_forward,
    "INSERT INTO jobs (id, account_id, kind, subject_id, state, run_at, attempts, lease_id, args,"
    " created_at) VALUES (?,?,?,?,'ready',?,0,NULL,?,?) ON DUPLICATE KEY UPDATE"
    " run_at = IF(lease_id IS NULL, VALUES(run_at), run_at),"
    " attempts = IF(lease_id IS NULL, 0, attempts), state = 'ready'");
DB_STMT(job_delete, "DELETE FROM jobs WHERE id = ? AND lease_id = ? AND attempts = ?");
DB_STMT(job_again,
    "UPDATE jobs SET run_at = ?, args = ?, attempts = 0, lease_id = NULL, last_error = NULL"
    " WHERE id = ? AND lease_id = ? AND attempts = ?");
DB_STMT(job_extend, "UPDATE jobs SET run_at = ? WHERE id = ? AND lease_id = ? AND attempts = ?");
DB_STMT(periodic_soon, "INSERT INTO periodic_runs (name, next_at) VALUES (?, 0)"
		       " ON DUPLICATE KEY UPDATE next_at = 0");
DB_STMT(job_stats_of,
    "SELECT COALESCE(SUM(state = 'ready' AND run_at <= ?), 0),"
    " COALESCE(SUM(state = 'ready' AND run_at > ?), 0), COALESCE(SUM(state = 'dead'), 0),"
    " MIN(CASE WHEN state = 'ready' AND run_at <= ? THEN run_at END)"
    " FROM (SELECT state, run_at FROM jobs WHERE account_id = ? LIMIT 100000) j");
enum { STATS_READY, STATS_WAITING, STATS_DEAD, STATS_OLDEST_DUE };

int job_insert_claimed(
    struct db *db, struct job *jobs, size_t n, const struct uuid *lease_id, struct err *err)
{
	int64_t now = clock_now_us();
	const bool is_claimed = !uuid_is_nil(*lease_id);

	while (n > 0) {
		struct db_val v[LIMIT_DB_BATCH * 9];
		size_t take = n < LIMIT_DB_BATCH ? n : LIMIT_DB_BATCH;

		for (size_t i = 0; i < take; i++) {
			struct job *j = &jobs[i];

			if (uuid_is_nil(j->id))
				j->id = uuid_new();
			struct db_val row[9] = {db_uuid(&j->id), db_uuid(&j->account_id),
			    db_str(j->kind), db_uuid_or_null(&j->subject_id),
			    db_int(is_claimed          ? now + j->lease_us
				   : j->run_at_us != 0 ? j->run_at_us
						       : now),
			    db_int(is_claimed), db_uuid_or_null(lease_id), db_strn(j->args),
			    db_int(now)};
			memcpy(v + 9 * i, row, sizeof(row));
		}
		if (db_exec_rows(db, &jobs_insert, NULL, 0, v, take, 9, NULL, err) == -1)
			return -1;
		jobs += take;
		n -= take;
	}
	return 0;
}

/* ---- wake-up ----------------------------------------------------------------------------- */

void job_wake_path(const struct config *cfg, char *out, size_t cap)
{
	snprintf(out, cap, "%s/run/wake.sock", cfg->state_dir);
}

static void wake_send(const struct config *cfg, const char *message)
{
	char path[WAKE_PATH_BYTES];

	job_wake_path(cfg, path, sizeof(path));
	/* Nobody there, or its queue full: it polls anyway. */
	(void)unix_socket_send(path, str_from(message));
}

void job_wake(const struct config *cfg)
{
	wake_send(cfg, WAKE_WORK);
}

/* ---- rows in, and the runner woken ------------------------------------------------------ */

static void wake_after_commit(void *cfg)
{
	job_wake(cfg);
}

int job_insert(struct db *db, struct job *jobs, size_t n, struct err *err)
{
	static const struct uuid nobody;

	if (n == 0)
		return 0;
	if (job_insert_claimed(db, jobs, n, &nobody, err) == -1)
		return -1;
	db_on_commit(db, wake_after_commit, (void *)(uintptr_t)db_config(db));
	return 0;
}

int job_run_now(struct db *db, const struct job *j, struct err *err)
{
	int64_t now = clock_now_us();

	if (db_exec(db, &job_bring_forward,
		DB_VALS(db_uuid(&j->id), db_uuid(&j->account_id), db_str(j->kind),
		    db_uuid_or_null(&j->subject_id), db_int(now), db_strn(j->args), db_int(now)),
		NULL, err) == -1)
		return -1;
	db_on_commit(db, wake_after_commit, (void *)(uintptr_t)db_config(db));
	return 0;
}

static void wake_periodic_after_commit(void *cfg)
{
	wake_send(cfg, WAKE_PERIODIC);
}

int job_periodic_soon(struct db *db, const char *name, struct err *err)
{
	if (db_exec(db, &periodic_soon, DB_VALS(db_str(name)), NULL, err) == -1)
		return -1;
	db_on_commit(db, wake_periodic_after_commit, (void *)(uintptr_t)db_config(db));
	return 0;
}

/* What an ending statement did: without a row the lease is another's. */
static int job_note_ended(struct job *j, uint64_t affected, struct err *err)
{
	char id[UUID_TEXT];

	uuid_text(id, j->id);
	if (affected == 0)
		return err_set(err, ERR_CONFLICT, "job %s (%s): its lease was lost", id, j->kind);
	j->is_ended = true;
	return 0;
}

int job_finish(struct db *db, struct job *j, struct err *err)
{
	uint64_t n = 0;

	if (db_exec(db, &job_delete,
		DB_VALS(db_uuid(&j->id), db_uuid(&j->lease_id), db_int(j->attempts)), &n,
		err) == -1)
		return -1;
	return job_note_ended(j, n, err);
}

int job_reschedule(struct db *db, struct job *j, int64_t at_us, struct str args, struct err *err)
{
	uint64_t n = 0;

	if (db_exec(db, &job_again,
		DB_VALS(db_int(at_us), db_strn(args), db_uuid(&j->id), db_uuid(&j->lease_id),
		    db_int(j->attempts)),
		&n, err) == -1)
		return -1;
	return job_note_ended(j, n, err);
}

int job_keep(struct db *db, struct job *j, struct err *err)
{
	uint64_t n = 0;
	int64_t until = clock_now_us() + j->lease_us;
	bool was_ended = j->is_ended;

	if (db_exec(db, &job_extend,
		DB_VALS(db_int(until), db_uuid(&j->id), db_uuid(&j->lease_id), db_int(j->attempts)),
		&n, err) == -1 ||
	    job_note_ended(j, n, err) == -1)
		return -1;
	j->is_ended = was_ended;
	return 0;
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
