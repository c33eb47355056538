#include "job/periodic.h"

#include "base/clock.h"
#include "job/job-internal.h"

#define AGAIN_US SECOND_US /* after a step with more to do: the others' turn */

/* The lane of periodic work: no account's, nobody's target. */
static const struct uuid nobody;
#define LANE " account_id = ? AND class = ? AND target_id = ?"
#define LANE_VALUES db_uuid(&nobody), db_int(JOB_PERIODIC), db_uuid(&nobody)
/* Of one that runs, args say that it was asked for meanwhile. */
DB_STMT(periodic_bring_forward,
    "UPDATE jobs SET args = IF(lease_id IS NULL, args, 'again'),"
    " run_at = IF(lease_id IS NULL, LEAST(run_at, ?), run_at) WHERE id = ?");
DB_STMT(periodic_again,
    "UPDATE jobs SET run_at = IF(args IS NULL, ?, ?), args = NULL, tries = 0, attempts = 0,"
    " deaths = 0, lease_id = NULL, last_error = NULL WHERE id = ? AND lease_id = ? AND attempts = "
    "?");
DB_STMT(periodic_all,
    "SELECT kind, last_error, run_at, lease_id FROM jobs WHERE" LANE " ORDER BY kind LIMIT 1000");
enum { ALL_KIND, ALL_ERROR, ALL_RUN_AT, ALL_LEASE };
DB_STMT(periodic_first, "SELECT run_at FROM jobs WHERE" LANE " AND state = 'ready'"
			" ORDER BY run_at LIMIT 1");

/* The same on all hosts, for ever: a UUID of version 8 (RFC 9562 §5.8). */
static struct uuid periodic_id(const char *name)
{
	return uuid_named("periodic work", str_from(name));
}

/* ---- being there --------------------------------------------------------------------------- */

struct ensuring {
	const struct job_kind *kinds;
	size_t n;
};

static int ensure_body(struct db *db, void *arg, struct err *err)
{
	const struct ensuring *e = arg;

	for (size_t i = 0; i < e->n; i++) {
		struct job j = {.id = periodic_id(e->kinds[i].name),
		    .class = JOB_PERIODIC,
		    .kind = e->kinds[i].name};

		if (e->kinds[i].every_s != 0 && job_insert_missing(db, &j, err) == -1)
			return -1;
	}
	return 0;
}

int periodic_ensure(struct db *db, const struct job_kind *kinds, size_t n, struct err *err)
{
	struct ensuring e = {kinds, n};
	bool has_some = false;

	for (size_t i = 0; i < n; i++)
		has_some = has_some || kinds[i].every_s != 0;
	return has_some ? db_transaction(db, ensure_body, &e, err) : 0;
}

/* ---- running ------------------------------------------------------------------------------- */

struct coming_again {
	struct job *job;
	int64_t at_us;
};

static int again_body(struct db *db, void *arg, struct err *err)
{
	const struct coming_again *c = arg;
	struct job *j = c->job;
	uint64_t n = 0;

	if (db_exec(db, &periodic_again,
		DB_VALS(db_int(c->at_us), db_int(clock_now_us()), db_uuid(&j->id),
		    db_uuid(&j->lease_id), db_int(j->attempts)),
		&n, err) == -1)
		return -1;
	return job_note_again(db, j, n, c->at_us, err);
}

int periodic_run(struct job *j, const struct job_kind *kind, struct err *err)
{
	struct coming_again c = {.job = j};
	int rc = kind->work(j->app, err);

	if (rc == -1)
		return -1;
	c.at_us = clock_now_us() + (rc == 1 ? AGAIN_US : kind->every_s * SECOND_US);
	return job_transaction(j, again_body, &c, err);
}

int periodic_soon(struct db *db, const char *name, struct err *err)
{
	struct uuid id = periodic_id(name);

	if (db_exec(db, &periodic_bring_forward, DB_VALS(db_int(clock_now_us()), db_uuid(&id)),
		NULL, err) == -1)
		return -1;
	job_wake_on_commit(db, JOB_PERIODIC);
	return 0;
}

/* ---- looking ------------------------------------------------------------------------------- */

int periodic_list(
    struct db *db, struct arena *a, struct periodic_state **out, size_t *n, struct err *err)
{
	int64_t now_us = clock_now_us();
	struct db_rows rows;

	if (db_query(db, a, &periodic_all, DB_VALS(LANE_VALUES), &rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		int64_t run_at_us = db_get_int(&rows, i, ALL_RUN_AT);
		bool is_running = !db_is_null(&rows, i, ALL_LEASE) && run_at_us > now_us;

		(*out)[i] = (struct periodic_state){.name = db_get_text(&rows, i, ALL_KIND),
		    .error = db_get_text(&rows, i, ALL_ERROR),
		    .next_us = is_running ? 0 : run_at_us};
	}
	return 0;
}

int periodic_next(struct db *db, struct arena *a, int64_t *due_us, struct err *err)
{
	struct db_rows rows;
	int rc = db_row(db, a, &periodic_first, DB_VALS(LANE_VALUES), &rows, err);

	if (rc == 1)
		*due_us = db_get_int(&rows, 0, 0);
	return rc;
}
