/* Jobs that a run takes along: due ones of its kind and target, whose work it does together with
 * its own. They are held by its runner's lease, so if that dies each is found again. They count
 * nowhere among what runs for their target, since they make no call of their own. */
#include "base/clock.h"
#include "job/clock-check.h"
#include "job/runner-internal.h"

enum beside_column { BESIDE_ID, BESIDE_SUBJECT, BESIDE_ARGS, BESIDE_ATTEMPTS, BESIDE_TRIES };
#define LAST_ERROR_BYTES 1000
/* One that has failed often runs alone: it may be what the others fail for. */
#define BESIDE_ATTEMPTS_MOST 3
DB_STMT(jobs_beside,
    "SELECT id, subject_id, args, attempts, tries FROM jobs WHERE account_id = ? AND class = ?"
    " AND target_id = ? AND state = 'ready' AND run_at <= ? AND (run_at <= ? OR (tries = 0"
    " AND last_error IS NULL)) AND kind = ? AND attempts < ? AND deaths = 0"
    " ORDER BY run_at DESC LIMIT ? FOR UPDATE SKIP LOCKED");
DB_STMT_ROWS(jobs_beside_claim,
    "UPDATE " JOBS_BY_ID " SET run_at = " CLOCK_OF_DATABASE
    " + ?, lease_id = ?, attempts = attempts + 1 WHERE id IN (",
    "?", ")");
DB_STMT_ROWS(jobs_beside_done,
    "DELETE j FROM jobs j FORCE INDEX (PRIMARY) WHERE j.lease_id = ? AND j.id IN (", "?", ")");
DB_STMT_ROWS(jobs_beside_again,
    "UPDATE " JOBS_BY_ID " SET run_at = ?, lease_id = NULL, deaths = 0, last_error = ?"
    " WHERE lease_id = ? AND id IN (",
    "?", ")");

struct beside_claiming {
	struct job *j, *out;
	size_t most, n;
	int64_t ahead_us;
	struct beside *noted; /* or NULL: there is no runner */
};

static void beside_read(struct beside_claiming *c, const struct db_rows *rows, size_t row)
{
	struct job *out = &c->out[c->n++];

	*out = *c->j;
	out->id = db_get_uuid(rows, row, BESIDE_ID);
	out->subject_id = db_get_uuid(rows, row, BESIDE_SUBJECT);
	out->args = db_is_null(rows, row, BESIDE_ARGS) ? (struct str){NULL, 0}
						       : db_get_str(rows, row, BESIDE_ARGS);
	out->attempts = (int)db_get_int(rows, row, BESIDE_ATTEMPTS) + 1;
	out->tries = (int)db_get_int(rows, row, BESIDE_TRIES);
	out->loaded = NULL;
}

static struct db_val *beside_ids(struct arena *a, struct job *const *jobs, size_t n)
{
	struct db_val *ids = arena_array(a, n + 1, sizeof(*ids));

	for (size_t i = 0; i < n; i++)
		ids[i] = db_uuid(&jobs[i]->id);
	return ids;
}

/* What looks for forgotten leases knows them before they are the database's. */
static void beside_note(struct beside_claiming *c)
{
	struct uuid *ids = arena_array(c->j->a, c->n + 1, sizeof(*ids));

	for (size_t i = 0; i < c->n; i++)
		ids[i] = c->out[i].id;
	if (c->noted != NULL) {
		c->noted->ids = ids;
		c->noted->n = c->n;
	}
}

static int beside_claim_body(struct db *db, void *arg, struct err *err)
{
	struct beside_claiming *c = arg;
	struct job *j = c->j;
	struct db_val *ids = arena_array(j->a, c->most + 1, sizeof(*ids));
	const int64_t now = clock_now_us();
	struct db_rows rows;

	c->n = 0;
	if (db_query(db, j->a, &jobs_beside,
		DB_VALS(db_uuid(&j->account_id), db_int(j->class), db_uuid(&j->target_id),
		    db_int(now + c->ahead_us), db_int(now + JOB_BESIDE_US), db_str(j->kind),
		    db_int(BESIDE_ATTEMPTS_MOST), db_int((int64_t)c->most)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		beside_read(c, &rows, i);
		ids[i] = db_uuid(&c->out[i].id);
	}
	beside_note(c);
	return c->n == 0 ? 0
			 : db_exec_rows(db, &jobs_beside_claim,
			       DB_VALS(db_int(j->lease_us), db_uuid(&j->lease_id)), ids, c->n, 1,
			       NULL, err);
}

/* A claim that the run remembers. */
static struct beside *beside_add(struct job *j)
{
	struct run *run = (struct run *)j;
	struct beside *b;

	if (j->runner == NULL)
		return NULL;
	b = arena_alloc(j->a, sizeof(*b));
	*b = (struct beside){.next = run->beside};
	return run->beside = b;
}

int job_claim_beside(
    struct job *j, size_t most, int64_t ahead_us, struct job *out, size_t *n, struct err *err)
{
	struct beside_claiming c = {.j = j, .out = out, .most = most, .ahead_us = ahead_us};

	*n = 0;
	if (uuid_is_nil(j->lease_id))
		return 0;
	c.noted = beside_add(j);
	if (job_transaction(j, beside_claim_body, &c, err) == -1)
		return -1;
	*n = c.n;
	return 0;
}

int job_finish_beside(struct db *db, struct job *const *jobs, size_t n, struct err *err)
{
	if (n == 0)
		return 0;
	return db_exec_rows(db, &jobs_beside_done, DB_VALS(db_uuid(&jobs[0]->lease_id)),
	    beside_ids(jobs[0]->a, jobs, n), n, 1, NULL, err);
}

int job_return_beside(struct db *db, struct job *const *jobs, size_t n, int64_t at_us,
    const char *why, struct err *err)
{
	if (n == 0)
		return 0;
	return db_exec_rows(db, &jobs_beside_again,
	    DB_VALS(db_int(at_us), db_strn(utf8_clean(jobs[0]->a, str_from(why), LAST_ERROR_BYTES)),
		db_uuid(&jobs[0]->lease_id)),
	    beside_ids(jobs[0]->a, jobs, n), n, 1, NULL, err);
}
