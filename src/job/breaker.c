#include "job/breaker.h"

#include "base/limits.h"
#include "job/clock-check.h"

#define ERROR_BYTES 1000u

enum breaker_column {
	BREAKER_ACCOUNT,
	BREAKER_TARGET,
	BREAKER_OPENED,
	BREAKER_PROBE,
	BREAKER_PROBES,
	BREAKER_PAUSED,
	BREAKER_ERROR,
	BREAKER_ERROR_AT,
	BREAKER_DATABASE_NOW, /* breakers_all only */
};
#define BREAKER_COLUMNS                                                                            \
	"account_id, target_id, opened_at, probe_at, probes, paused, last_error, last_error_at"

/* One row at least, with nulls where there is none, for the time. */
DB_STMT(breakers_all, "SELECT " BREAKER_COLUMNS ", " CLOCK_OF_DATABASE
		      " FROM (SELECT 1 AS n) one_row LEFT JOIN job_breakers"
		      " ON opened_at IS NOT NULL OR paused <> 0 ORDER BY account_id, target_id"
		      " LIMIT 10000");
DB_STMT(breakers_of, "SELECT " BREAKER_COLUMNS " FROM job_breakers WHERE account_id = ?"
		     " ORDER BY target_id LIMIT 1000");
DB_STMT(breaker_one,
    "SELECT opened_at, probes FROM job_breakers WHERE account_id = ? AND target_id = ? FOR UPDATE");
DB_STMT(breaker_probe, "UPDATE job_breakers SET probe_at = ?, updated_at = ? WHERE account_id = ?"
		       " AND target_id = ? AND opened_at IS NOT NULL AND probe_at <= ?");
DB_STMT(breaker_probe_at,
    "UPDATE job_breakers SET probe_at = ? WHERE account_id = ? AND target_id = ?"
    " AND opened_at IS NOT NULL");
DB_STMT(breaker_put,
    "INSERT INTO job_breakers (account_id, target_id, opened_at, probe_at, probes, paused,"
    " last_error, last_error_at, updated_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?)"
    " ON DUPLICATE KEY UPDATE opened_at = VALUES(opened_at), probe_at = VALUES(probe_at),"
    " probes = VALUES(probes), last_error = VALUES(last_error),"
    " last_error_at = VALUES(last_error_at), updated_at = VALUES(updated_at)");
DB_STMT(breaker_shut,
    "UPDATE job_breakers SET opened_at = NULL, probe_at = NULL, probes = 0,"
    " updated_at = ? WHERE account_id = ? AND target_id = ? AND opened_at IS NOT NULL");
DB_STMT(breaker_set_pause,
    "INSERT INTO job_breakers (account_id, target_id, opened_at, probe_at, probes, paused,"
    " last_error, last_error_at, updated_at) VALUES (?, ?, NULL, NULL, 0, ?, NULL, NULL, ?)"
    " ON DUPLICATE KEY UPDATE updated_at = IF(paused & VALUES(paused) = VALUES(paused),"
    " updated_at, VALUES(updated_at)), paused = paused | VALUES(paused)");
DB_STMT(breaker_end_pause, "UPDATE job_breakers SET paused = paused & ~?, updated_at = ?"
			   " WHERE account_id = ? AND target_id = ? AND paused & ? <> 0");

/* Five seconds, doubling to five minutes; a few times a second before, where it is refused. */
static int64_t probe_wait_us(int64_t probes, bool is_refused)
{
	int64_t wait_us = BREAKER_PROBE_FIRST_US;

	if (is_refused && probes < BREAKER_PROBES_QUICK)
		return BREAKER_PROBE_QUICK_US;
	if (is_refused)
		probes -= BREAKER_PROBES_QUICK;
	for (int64_t i = 0; i < probes && wait_us < BREAKER_PROBE_MOST_US; i++)
		wait_us *= 2;
	return wait_us < BREAKER_PROBE_MOST_US ? wait_us : BREAKER_PROBE_MOST_US;
}

int breaker_take_probe(
    struct db *db, const struct lane_key *key, int64_t now_us, int64_t next_us, struct err *err)
{
	uint64_t n = 0;

	if (db_exec(db, &breaker_probe,
		DB_VALS(db_int(next_us), db_int(now_us), db_uuid(&key->account_id),
		    db_uuid(&key->target_id), db_int(now_us)),
		&n, err) == -1)
		return -1;
	return n > 0;
}

int breaker_open(struct db *db, struct arena *a, const struct lane_key *key, const char *why,
    bool is_refused, int64_t now_us, int64_t *probe_at_us, struct err *err)
{
	struct db_rows rows;
	int64_t opened_us = now_us, probes = 0;
	bool is_new;
	int found = db_row(db, a, &breaker_one,
	    DB_VALS(db_uuid(&key->account_id), db_uuid(&key->target_id)), &rows, err);

	if (found == -1)
		return -1;
	is_new = found == 0 || db_is_null(&rows, 0, 0);
	if (!is_new) {
		opened_us = db_get_int(&rows, 0, 0);
		probes = db_get_int(&rows, 0, 1) + 1;
	}
	*probe_at_us = now_us + probe_wait_us(probes, is_refused);
	if (db_exec(db, &breaker_put,
		DB_VALS(db_uuid(&key->account_id), db_uuid(&key->target_id), db_int(opened_us),
		    db_int(*probe_at_us), db_int(probes),
		    db_strn(utf8_clean(a, str_from(why), ERROR_BYTES)), db_int(now_us),
		    db_int(now_us)),
		NULL, err) == -1)
		return -1;
	return is_new;
}

int breaker_again(struct db *db, const struct lane_key *key, int64_t at_us, struct err *err)
{
	return db_exec(db, &breaker_probe_at,
	    DB_VALS(db_int(at_us), db_uuid(&key->account_id), db_uuid(&key->target_id)), NULL, err);
}

int breaker_close(struct db *db, const struct lane_key *key, int64_t now_us, struct err *err)
{
	return db_exec(db, &breaker_shut,
	    DB_VALS(db_int(now_us), db_uuid(&key->account_id), db_uuid(&key->target_id)), NULL,
	    err);
}

/* What a pause of this lane pauses. */
static int64_t pause_classes(const struct lane_key *key)
{
	return uuid_is_nil(key->target_id) ? 1 << key->class : 1 << JOB_LIVE | 1 << JOB_BULK;
}

int breaker_pause(
    struct db *db, const struct lane_key *key, bool is_paused, int64_t now_us, struct err *err)
{
	struct db_val classes = db_int(pause_classes(key)), account = db_uuid(&key->account_id),
		      target = db_uuid(&key->target_id), now = db_int(now_us);
	uint64_t n = 0;

	if ((is_paused ? db_exec(db, &breaker_set_pause, DB_VALS(account, target, classes, now), &n,
			     err)
		       : db_exec(db, &breaker_end_pause,
			     DB_VALS(classes, now, account, target, classes), &n, err)) == -1)
		return -1;
	return n > 0;
}

int breaker_try(struct db *db, const struct lane_key *key, int64_t now_us, struct err *err)
{
	return breaker_close(db, key, now_us, err) == -1 ||
		       breaker_pause(db, key, false, now_us, err) == -1
		   ? -1
		   : 1;
}

static void rows_read(struct arena *a, const struct db_rows *rows, struct breaker **out, size_t *n)
{
	*n = rows->count;
	*out = arena_array(a, rows->count + 1, sizeof(**out));
	for (size_t i = 0; i < rows->count; i++)
		(*out)[i] = (struct breaker){.account_id = db_get_uuid(rows, i, BREAKER_ACCOUNT),
		    .target_id = db_get_uuid(rows, i, BREAKER_TARGET),
		    .opened_us = db_get_int(rows, i, BREAKER_OPENED),
		    .probe_at_us = db_get_int(rows, i, BREAKER_PROBE),
		    .probes = (int)db_get_int(rows, i, BREAKER_PROBES),
		    .paused = (unsigned)db_get_int(rows, i, BREAKER_PAUSED),
		    .last_error = db_get_text(rows, i, BREAKER_ERROR),
		    .last_error_us = db_get_int(rows, i, BREAKER_ERROR_AT)};
}

int breaker_list(struct db *db, struct arena *a, struct breaker **out, size_t *n,
    int64_t *db_now_us, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &breakers_all, NULL, 0, &rows, err) == -1)
		return -1;
	*db_now_us = db_get_int(&rows, 0, BREAKER_DATABASE_NOW);
	if (db_is_null(&rows, 0, BREAKER_ACCOUNT))
		rows.count = 0;
	rows_read(a, &rows, out, n);
	return 0;
}

int breaker_list_of(struct db *db, struct arena *a, const struct uuid *account_id,
    struct breaker **out, size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &breakers_of, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	rows_read(a, &rows, out, n);
	return 0;
}

bool breaker_is_paused(const struct breaker *b, enum job_class class)
{
	return (b->paused >> class & 1u) != 0;
}

const char *breaker_state(const struct breaker *b, int64_t now_us)
{
	if (b->opened_us == 0)
		return "closed";
	return b->probe_at_us <= now_us ? "probing" : "open";
}
