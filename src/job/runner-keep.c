/* What a runner keeps in order beside its jobs: claims that it forgot, what the dead of its host
 * left, the jobs that must be there, and what others are told of its windows. */
#include "base/limits.h"
#include "base/log.h"
#include "job/clock-check.h"
#include "job/periodic.h"
#include "job/runner-internal.h"

#define REAP_EVERY_US (5 * SECOND_US)
#define PERIODIC_EVERY_US (60 * SECOND_US)
#define ON_ITS_WAY_US (2 * SECOND_US)
#define TELL_EVERY_US (2 * SECOND_US)
#define TELL_AGAIN_US (30 * SECOND_US) /* what has not changed; TOLD_US of queue.c is longer */
#define TELL_MOST (4 * LIMIT_DB_BATCH) /* of one time */

/* A job that its runner died under a few times may be what killed it: it waits longer and longer,
 * each of those that died together for another time, so that they part and the others get their
 * turn. One that died too often is due at once, to be given up. A death is no attempt. The
 * assignments see each other's results from left to right. */
DB_STMT(jobs_bury, "UPDATE jobs SET deaths = deaths + 1, attempts = GREATEST(attempts - 1, 0),"
		   " run_at = " CLOCK_OF_DATABASE
		   " + IF(deaths < 3 OR (deaths >= 5 AND class <> 2), 0, (10000 << LEAST(2 *"
		   " (deaths - 3), 8)) * (1000 + CRC32(CONCAT(id, deaths)) % 1000)),"
		   " lease_id = NULL WHERE lease_id = ? AND state = 'ready'");
/* By a runner that ends as planned: neither a death nor an attempt. */
DB_STMT(jobs_release, "UPDATE jobs SET run_at = " CLOCK_OF_DATABASE
		      ", attempts = GREATEST(attempts - 1, 0), lease_id = NULL"
		      " WHERE lease_id = ? AND state = 'ready'");
DB_STMT(jobs_of_lease, "SELECT id FROM jobs WHERE lease_id = ? AND state = 'ready'"
		       " AND created_at < ? LIMIT 5000");
DB_STMT(job_release, "UPDATE jobs SET run_at = ?, lease_id = NULL WHERE id = ? AND lease_id = ?");
DB_STMT_ROWS(job_windows_tell,
    "INSERT INTO job_windows (account_id, class, target_id, runner_id, slots, at) VALUES ",
    "(?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE slots = VALUES(slots), at = VALUES(at)");
DB_STMT(job_windows_gone, "DELETE FROM job_windows WHERE runner_id = ?");

/* ---- leases ------------------------------------------------------------------------------- */

static bool is_beside(const struct run *run, const struct uuid *id)
{
	for (const struct beside *b = run->beside; b != NULL; b = b->next)
		for (size_t i = 0; i < b->n; i++)
			if (uuid_eq(b->ids[i], *id))
				return true;
	return false;
}

static bool is_in(const struct run *list, const struct uuid *id)
{
	for (; list != NULL; list = list->next)
		if (uuid_eq(list->job.id, *id) || is_beside(list, id))
			return true;
	return false;
}

/* A job that ended while the database was away could not be put back, a claim whose answer was lost
 * may have been made, and who handed jobs over may have died before it said so: such jobs would
 * wait for the end of a lease that nobody uses. What was handed over just now may still be on its
 * way here. */
void keep_release_forgotten(struct runner *rn)
{
	struct arena *a = arena_new();
	int64_t now = clock_now_us(), before = rn->seat == -1 ? INT64_MAX : now - ON_ITS_WAY_US;
	const struct uuid *own = lease_id(rn->lease);
	struct db_rows rows;
	struct err err = ERR_INIT;
	size_t n = 0;

	if (db_query(rn->app->db, a, &jobs_of_lease, DB_VALS(db_uuid(own), db_int(before)), &rows,
		&err) == -1)
		goto out;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if (is_in(rn->running, &id) || is_in(rn->held, &id))
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

void keep_release_own(struct runner *rn)
{
	struct err err = ERR_INIT;

	if (db_exec(rn->app->db, &jobs_release, DB_VALS(db_uuid(lease_id(rn->lease))), NULL,
		&err) == -1) {
		log_warn("runner.release", LOG_ERR(&err));
		rn->is_unsure = true;
		return;
	}
	rn->is_unsure = false;
}

static int release_dead(const struct uuid *dead, void *arg)
{
	struct runner *rn = arg;
	uint64_t n = 0;
	struct err err = ERR_INIT;

	if (db_exec(rn->app->db, &jobs_bury, DB_VALS(db_uuid(dead)), &n, &err) == -1) {
		log_warn("runner.reap", LOG_ERR(&err));
		return -1;
	}
	if (n > 0)
		log_info("runner.reap", LOG_I("released", n));
	board_forget(board_of(rn->app->config), dead);
	rn->is_woken = rn->is_woken || n > 0;
	return 0;
}

void keep_reap_dead(struct runner *rn)
{
	if (clock_mono_us() < rn->reap_at_us)
		return;
	rn->reap_at_us = clock_mono_us() + REAP_EVERY_US;
	rn->is_unsure = rn->is_unsure || rn->seat != -1;
	lease_each_dead(rn->app->config, rn->lease, release_dead, rn);
}

/* ---- periodic work ------------------------------------------------------------------------ */

/* While the database is away it is asked as often as dead runners are looked for. */
void keep_periodic(struct runner *rn)
{
	struct err err = ERR_INIT;
	int rc;

	if (clock_mono_us() < rn->periodic_at_us)
		return;
	rc = periodic_ensure(rn->app->db, rn->kinds, rn->nkinds, &err);
	if (rc == -1)
		log_warn("runner.periodic", LOG_ERR(&err));
	rn->periodic_at_us = clock_mono_us() + (rc == -1 ? REAP_EVERY_US : PERIODIC_EVERY_US);
}

/* ---- windows ------------------------------------------------------------------------------ */

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
void keep_tell_windows(struct runner *rn)
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

void keep_untell_windows(struct runner *rn)
{
	struct err err = ERR_INIT;

	if (db_exec(rn->app->db, &job_windows_gone, DB_VALS(db_uuid(lease_id(rn->lease))), NULL,
		&err) == -1)
		log_warn("runner.tell", LOG_ERR(&err));
}
