/* Dead jobs live again, and their subjects with them: what is due does not say that it failed. */
#include "base/clock.h"
#include "base/limits.h"
#include "job/job-internal.h"
#include "job/queue.h"

#define SLICE 1000 /* of one look; an integer constant of the statement too */

enum { DEAD_ID, DEAD_KIND, DEAD_SUBJECT };
#define DEAD "SELECT id, kind, subject_id FROM jobs WHERE account_id = ? AND state = 'dead'"
DB_STMT(queue_dead_of_lane,
    DEAD " AND class = ? AND target_id = ? ORDER BY run_at LIMIT 1000 FOR UPDATE");
DB_STMT(queue_dead_one, DEAD " AND id = ? FOR UPDATE");
DB_STMT_ROWS(queue_revive_rows,
    "UPDATE " JOBS_BY_ID " SET state = 'ready', run_at = ?, attempts = 0, tries = 0, deaths = 0,"
    " lease_id = NULL, last_error = NULL WHERE account_id = ? AND id IN (",
    "?", ")");

struct reviving {
	struct app *app;
	struct arena *a;
	const struct uuid *account_id;
	const struct db_rows *rows; /* DEAD */
};

/* Those of one kind. */
static int revive_subjects(const struct reviving *r, const struct job_kind *kind, struct err *err)
{
	struct uuid *subjects = arena_array(r->a, r->rows->count + 1, sizeof(*subjects));
	size_t n = 0;

	for (size_t i = 0; i < r->rows->count; i++)
		if (strcmp(db_get_text(r->rows, i, DEAD_KIND), kind->name) == 0)
			subjects[n++] = db_get_uuid(r->rows, i, DEAD_SUBJECT);
	return n == 0 ? 0 : kind->revived(r->app->db, r->a, r->account_id, subjects, n, err);
}

static int revive_rows(const struct reviving *r, struct err *err)
{
	const struct job_kind *kind = r->app->hooks.job_kinds;
	struct db *db = r->app->db;
	size_t n = r->rows->count;
	struct db_val *ids = arena_array(r->a, n + 1, sizeof(*ids));

	for (size_t i = 0; i < n; i++)
		ids[i] = db_blob(db_get_str(r->rows, i, DEAD_ID));
	for (; kind != NULL && kind->name != NULL; kind++)
		if (kind->revived != NULL && revive_subjects(r, kind, err) == -1)
			return -1;
	if (db_exec_rows(db, &queue_revive_rows,
		DB_VALS(db_int(clock_now_us()), db_uuid(r->account_id)), ids, n, 1, NULL,
		err) == -1)
		return -1;
	if (n > 0)
		job_wake_targets_on_commit(db);
	return 0;
}

int queue_revive_lane(struct app *app, const struct lane_key *key, int64_t *n, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	struct reviving r = {app, a, &key->account_id, &rows};
	int rc;

	*n = 0;
	do {
		arena_reset(a);
		rc = db_query(app->db, a, &queue_dead_of_lane,
		    DB_VALS(
			db_uuid(&key->account_id), db_int(key->class), db_uuid(&key->target_id)),
		    &rows, err);
		if (rc == 0)
			rc = revive_rows(&r, err);
		if (rc == 0)
			*n += (int64_t)rows.count;
	} while (rc == 0 && rows.count == SLICE && *n < QUEUE_REVIVE_MOST);
	arena_free(a);
	return rc;
}

int queue_revive(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	struct reviving r = {app, a, account_id, &rows};
	int rc = db_query(
	    app->db, a, &queue_dead_one, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (rc == 0)
		rc = revive_rows(&r, err) == -1 ? -1 : (int)rows.count;
	arena_free(a);
	return rc;
}

/* ---- another target ------------------------------------------------------------------------ */

static int lane_hasten(struct db *db, const struct lane_key *key, struct err *err)
{
	uint64_t n = SLICE;

	for (int64_t all = 0; n == SLICE && all < QUEUE_REVIVE_MOST; all += SLICE)
		if (queue_hasten(db, key, SLICE, &n, err) == -1)
			return -1;
	return 0;
}

int queue_release(
    struct db *db, const struct uuid *account_id, const struct uuid *target_id, struct err *err)
{
	struct lane_key live = {*account_id, *target_id, JOB_LIVE};
	struct lane_key bulk = {*account_id, *target_id, JOB_BULK};

	if (breaker_close(db, &live, clock_now_us(), err) == -1 ||
	    lane_hasten(db, &live, err) == -1 || lane_hasten(db, &bulk, err) == -1)
		return -1;
	job_wake_targets_on_commit(db);
	return 0;
}

int queue_renew(
    struct app *app, const struct uuid *account_id, const struct uuid *target_id, struct err *err)
{
	struct lane_key live = {*account_id, *target_id, JOB_LIVE};
	struct lane_key bulk = {*account_id, *target_id, JOB_BULK};
	int64_t revived;

	return queue_release(app->db, account_id, target_id, err) == -1 ||
		       queue_revive_lane(app, &live, &revived, err) == -1 ||
		       queue_revive_lane(app, &bulk, &revived, err) == -1
		   ? -1
		   : 0;
}
