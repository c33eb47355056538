/* What a commit keeps of runs: by statements for all of them, of one account. */
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-internal.h"

#define COUNT_SLOTS 8
#define ERROR_BYTES 1000

DB_STMT_ROWS(executions_hold,
    "SELECT id, status IN (" EXECUTION_ENDED "), is_cancelling"
    " FROM executions FORCE INDEX (PRIMARY) WHERE account_id = ? AND id IN (",
    "?", ") FOR UPDATE");
enum { HOLD_ID, HOLD_IS_OVER, HOLD_CANCELLING };
DB_STMT_ROWS(executions_set,
    "INSERT INTO executions (account_id, id, flow_id, version, status, trigger_kind, created_at,"
    " output, error, error_step, started_at, wait_until, finished_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE status = VALUES(status), output = VALUES(output),"
    " error = VALUES(error), error_step = VALUES(error_step), started_at = VALUES(started_at),"
    " wait_until = VALUES(wait_until), finished_at = VALUES(finished_at),"
    " order_key = IF(VALUES(finished_at) IS NULL, order_key, NULL)");
#define SET_VALUES 13
DB_STMT_ROWS(execution_steps_put,
    "INSERT INTO execution_steps (account_id, execution_id, seq, id, step, place, name, kind,"
    " status, attempts, input, output, error, started_at, duration_us) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE status = VALUES(status), attempts = VALUES(attempts),"
    " input = COALESCE(VALUES(input), input), output = VALUES(output), error = VALUES(error),"
    " duration_us = VALUES(duration_us)");
#define STEP_VALUES 15
DB_STMT_ROWS(execution_states_put,
    "INSERT INTO execution_states (account_id, execution_id, state) VALUES ", "(?,?,?)",
    " ON DUPLICATE KEY UPDATE state = VALUES(state)");
DB_STMT_ROWS(execution_states_drop,
    "DELETE execution_states FROM execution_states FORCE INDEX (PRIMARY) WHERE account_id = ? AND "
    "execution_id IN (",
    "?", ")");
DB_STMT_ROWS(flow_counts_add,
    "INSERT INTO flow_counts (account_id, flow_id, day, slot, completed, failed, filtered,"
    " cancelled, duration_us, last_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE completed = completed + VALUES(completed),"
    " failed = failed + VALUES(failed), filtered = filtered + VALUES(filtered),"
    " cancelled = cancelled + VALUES(cancelled), duration_us = duration_us + VALUES(duration_us),"
    " last_at = GREATEST(last_at, VALUES(last_at))");
#define COUNT_VALUES 10
DB_STMT(execution_steps_copy,
    "INSERT INTO execution_steps (account_id, execution_id, seq, id, step, place, name, kind,"
    " status, attempts, input, output, error, started_at, duration_us)"
    " SELECT account_id, ?, seq, id, step, place, name, kind, status, attempts, input, output,"
    " error, started_at, duration_us FROM execution_steps WHERE account_id = ?"
    " AND execution_id = ? AND duration_us IS NOT NULL AND seq <> ?");

int executions_lock(struct db *db, struct arena *a, struct execution *const *xs, size_t n,
    bool *is_over, struct err *err)
{
	struct db_val v[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < n; i++)
		v[i] = db_uuid(&xs[i]->id);
	if (db_query_rows(db, a, &executions_hold,
		(const struct db_val[]){db_uuid(&xs[0]->account_id)}, 1, v, n, 1, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t row = db_find_uuid(&rows, HOLD_ID, &xs[i]->id);

		is_over[i] = row == rows.count || db_get_int(&rows, row, HOLD_IS_OVER) != 0;
		if (row < rows.count)
			xs[i]->is_cancelling = db_get_int(&rows, row, HOLD_CANCELLING) != 0;
	}
	return 0;
}

static int store_rows(
    struct db *db, struct arena *a, const struct execution_store *s, size_t n, struct err *err)
{
	struct db_val *v = arena_array(a, n * SET_VALUES, sizeof(*v)), *p = v;

	for (size_t i = 0; i < n; i++) {
		const struct execution *x = s[i].x;

		*p++ = db_uuid(&x->account_id);
		*p++ = db_uuid(&x->id);
		*p++ = db_uuid(&x->flow_id);
		*p++ = db_int(x->version);
		*p++ = db_str(x->status);
		*p++ = db_str(x->kind);
		*p++ = db_int(x->created_us);
		*p++ = db_str(x->output);
		*p++ = db_strn(utf8_clean(a, str_from(x->error), ERROR_BYTES));
		*p++ = db_str(x->error_step);
		*p++ = db_time(x->started_us);
		*p++ = db_time(x->wait_us);
		*p++ = db_time(x->finished_us);
	}
	return db_exec_rows_later(db, &executions_set, v, n, SET_VALUES, ERR_CONFLICT, err);
}

static void step_values(
    struct arena *a, const struct execution *x, const struct execution_step *t, struct db_val *p)
{
	*p++ = db_uuid(&x->account_id);
	*p++ = db_uuid(&x->id);
	*p++ = db_int(t->seq);
	*p++ = db_uuid(&t->id);
	*p++ = db_str(t->step);
	*p++ = db_str(t->place);
	*p++ = db_str(t->name);
	*p++ = db_str(t->kind);
	*p++ = db_str(t->status);
	*p++ = db_int(t->attempts);
	*p++ = db_strn(t->input);
	*p++ = db_strn(t->output);
	*p++ = db_strn(utf8_clean(a, str_from(t->error), ERROR_BYTES));
	*p++ = db_int(t->started_us);
	*p++ = t->duration_us == -1 ? db_null() : db_int(t->duration_us);
}

static int store_steps(
    struct db *db, struct arena *a, const struct execution_store *s, size_t n, struct err *err)
{
	size_t nsteps = 0, at = 0;
	struct db_val *v;

	for (size_t i = 0; i < n; i++)
		nsteps += s[i].nsteps;
	if (nsteps == 0)
		return 0;
	v = arena_array(a, nsteps * STEP_VALUES, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < s[i].nsteps; k++)
			step_values(a, s[i].x, &s[i].steps[k], v + STEP_VALUES * at++);
	return db_exec_rows_later(
	    db, &execution_steps_put, v, nsteps, STEP_VALUES, ERR_CONFLICT, err);
}

static int store_states(struct db *db, const struct execution_store *s, size_t n, struct err *err)
{
	struct db_val put[LIMIT_DB_BATCH * 3], drop[LIMIT_DB_BATCH];
	size_t nput = 0, ndrop = 0;

	for (size_t i = 0; i < n; i++) {
		const struct execution *x = s[i].x;

		if (s[i].state.p != NULL) {
			put[3 * nput] = db_uuid(&x->account_id);
			put[3 * nput + 1] = db_uuid(&x->id);
			put[3 * nput++ + 2] = db_strn(s[i].state);
		} else if (s[i].had_state) {
			drop[ndrop++] = db_uuid(&x->id);
		}
	}
	if (nput > 0 &&
	    db_exec_rows_later(db, &execution_states_put, put, nput, 3, ERR_CONFLICT, err) == -1)
		return -1;
	return ndrop == 0 ? 0
			  : db_exec_rows(db, &execution_states_drop,
				(const struct db_val[]){db_uuid(&s[0].x->account_id)}, 1, drop,
				ndrop, 1, NULL, err);
}

/* How runs of one flow ended. */
struct flow_count {
	struct uuid flow_id;
	int64_t n[4], duration_us, last_us;
};

static size_t count_column(const char *status)
{
	static const char *const columns[] = {
	    EXECUTION_COMPLETED, EXECUTION_FAILED, EXECUTION_FILTERED, EXECUTION_CANCELLED};
	size_t i = 0;

	while (i < 4 && strcmp(status, columns[i]) != 0)
		i++;
	return i;
}

/* In the order of the flows, so that two who count do not wait for each other crosswise. */
static struct flow_count *count_of(struct flow_count *counts, size_t *n, const struct uuid *flow_id)
{
	size_t at = 0;

	while (at < *n && memcmp(counts[at].flow_id.b, flow_id->b, 16) < 0)
		at++;
	if (at < *n && uuid_eq(counts[at].flow_id, *flow_id))
		return &counts[at];
	memmove(counts + at + 1, counts + at, (*n - at) * sizeof(*counts));
	++*n;
	counts[at] = (struct flow_count){.flow_id = *flow_id};
	return &counts[at];
}

static int store_counts(struct db *db, const struct execution_store *s, size_t n, struct err *err)
{
	struct flow_count counts[LIMIT_DB_BATCH + 1];
	struct db_val v[LIMIT_DB_BATCH * COUNT_VALUES], *p = v;
	size_t ncounts = 0;

	for (size_t i = 0; i < n; i++) {
		const struct execution *x = s[i].x;
		size_t column = x->finished_us == 0 ? 4 : count_column(x->status);
		struct flow_count *c;

		if (column == 4)
			continue;
		c = count_of(counts, &ncounts, &x->flow_id);
		c->n[column]++;
		c->duration_us += x->finished_us - x->started_us;
		c->last_us = x->finished_us;
	}
	for (size_t i = 0; i < ncounts; i++) {
		*p++ = db_uuid(&s[0].x->account_id);
		*p++ = db_uuid(&counts[i].flow_id);
		*p++ = db_int(clock_day(counts[i].last_us));
		*p++ = db_int(getpid() % COUNT_SLOTS);
		for (size_t k = 0; k < 4; k++)
			*p++ = db_int(counts[i].n[k]);
		*p++ = db_int(counts[i].duration_us);
		*p++ = db_int(counts[i].last_us);
	}
	return ncounts == 0 ? 0
			    : db_exec_rows(db, &flow_counts_add, NULL, 0, v, ncounts, COUNT_VALUES,
				  NULL, err);
}

int executions_store(
    struct db *db, struct arena *a, const struct execution_store *s, size_t n, struct err *err)
{
	if (n == 0)
		return 0;
	if (store_steps(db, a, s, n, err) == -1 || store_rows(db, a, s, n, err) == -1 ||
	    store_states(db, s, n, err) == -1)
		return -1;
	return store_counts(db, s, n, err);
}

int execution_put_state(struct db *db, const struct execution *x, const struct uuid *from,
    int but_seq, struct str state, struct err *err)
{
	if (db_exec_rows_later(db, &execution_states_put,
		(const struct db_val[]){db_uuid(&x->account_id), db_uuid(&x->id), db_strn(state)},
		1, 3, ERR_CONFLICT, err) == -1)
		return -1;
	return db_exec(db, &execution_steps_copy,
	    DB_VALS(db_uuid(&x->id), db_uuid(&x->account_id), db_uuid(from), db_int(but_seq)), NULL,
	    err);
}
