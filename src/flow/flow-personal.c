/* Where runs of flows name people. A run that began with a record or a payload of a person is
 * theirs: what it was given, what its steps were given and gave, and where it stands go whole, and
 * one that has not ended ends here, so that it sends nobody who was erased. That it was, when, and
 * how it ended stays. Of runs of others the mentions go. */
#include "base/clock.h"
#include "db/personal.h"
#include "flow/flow-internal.h"

#define OF_RECORD_AT_ONCE 200
#define ERASED_TEXT(column) column " = IF(" column " IS NULL, NULL, '" PERSON_ERASED "')"
#define ERASED_JSON(column) column " = IF(" column " IS NULL, NULL, '" PERSON_ERASED_JSON "')"

DB_STMT_ROWS(executions_erase_rows,
    "UPDATE executions SET " ERASED_JSON("payload") ", " ERASED_JSON("output") ", " ERASED_TEXT(
	"error") " WHERE account_id = ? AND id IN (",
    "?", ")");
DB_STMT_ROWS(execution_steps_erase,
    "UPDATE execution_steps SET " ERASED_JSON("input") ", " ERASED_JSON("output") ", " ERASED_TEXT(
	"error") " WHERE account_id = ? AND execution_id IN (",
    "?", ")");
DB_STMT_ROWS(execution_states_erase,
    "DELETE FROM execution_states WHERE account_id = ? AND execution_id IN (", "?", ")");
DB_STMT(executions_of_record,
    "SELECT id FROM executions FORCE INDEX (executions_record) WHERE account_id = ?"
    " AND record_id = ? AND id > ? ORDER BY id LIMIT ?");

/* ---- runs that are the person's -------------------------------------------------------------- */

/* Whoever runs it just now finds it over at its next commit, and keeps nothing. */
static int execution_end_here(
    struct db *db, struct arena *a, const struct uuid *account_id, struct uuid id, struct err *err)
{
	struct execution x, *xs[] = {&x};
	struct job j;
	bool is_over;
	int found = execution_load(db, a, account_id, &id, &x, err);

	if (found != 1 || x.finished_us != 0)
		return found == -1 ? -1 : 0;
	if (executions_lock(db, a, xs, 1, &is_over, err) == -1)
		return -1;
	if (is_over)
		return 0;
	x.status = EXECUTION_CANCELLED;
	x.error = "Erased on request";
	x.finished_us = clock_now_us();
	x.started_us = x.started_us != 0 ? x.started_us : x.finished_us;
	x.wait_us = 0;
	j = flow_job(&x.account_id, &x.flow_id, &x.id);
	return executions_store(
		   db, a, &(struct execution_store){.x = &x, .had_state = true}, 1, err) == -1 ||
		       job_run_now(db, &j, err) == -1
		   ? -1
		   : 0;
}

static int executions_erase(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct db_val *ids, size_t n, struct err *err)
{
	static const struct db_stmt *const steps[] = {
	    &executions_erase_rows, &execution_steps_erase, &execution_states_erase};
	const struct db_val account[] = {db_uuid(account_id)};

	for (size_t i = 0; i < n; i++)
		if (execution_end_here(db, a, account_id, personal_key_id(ids[i].s), err) == -1)
			return -1;
	for (size_t i = 0; n > 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (db_exec_rows(db, steps[i], account, 1, ids, n, 1, NULL, err) == -1)
			return -1;
	return 0;
}

int flow_erase_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, struct err *err)
{
	struct uuid after = {{0}};
	struct db_rows rows = {.count = OF_RECORD_AT_ONCE};

	while (rows.count == OF_RECORD_AT_ONCE) {
		if (db_query(app->db, a, &executions_of_record,
			DB_VALS(db_uuid(account_id), db_uuid(record_id), db_uuid(&after),
			    db_int(OF_RECORD_AT_ONCE)),
			&rows, err) == -1 ||
		    executions_erase(app->db, a, account_id, rows.cells, rows.count, err) == -1)
			return -1;
		if (rows.count > 0)
			after = db_get_uuid(&rows, rows.count - 1, 0);
	}
	return 0;
}

bool execution_is_erased(const struct execution *x)
{
	return json_object_size(x->payload) == 1 && json_bool(x->payload, "erased");
}

/* ---- the tables ------------------------------------------------------------------------------ */

DB_STMT(executions_personal, "SELECT id, payload, plan, output, error FROM executions"
			     " WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?");
DB_STMT(executions_personal_lock,
    "SELECT payload, plan, output, error FROM executions WHERE account_id = ? AND id = ?"
    " FOR UPDATE");
DB_STMT(executions_personal_put,
    "UPDATE executions SET payload = ?, plan = ?, output = ?, error = ? WHERE account_id = ?"
    " AND id = ?");

static int execution_row_erase(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str key, const struct person_names *p, struct err *err)
{
	struct db_val id = db_blob(key);
	struct db_rows rows;
	json_t *payload;
	int found = db_row(
	    app->db, a, &executions_personal_lock, DB_VALS(db_uuid(account_id), id), &rows, err);

	if (found != 1)
		return found;
	payload =
	    db_is_null(&rows, 0, 0) ? NULL : json_parse_stored(a, db_get_str(&rows, 0, 0), err);
	if (payload == NULL || !person_owns(a, p, payload))
		return 0;
	return executions_erase(app->db, a, account_id, &id, 1, err) == -1 ? -1 : 1;
}

const struct personal_table executions_personal_table = {.name = "flowRuns",
    .label = "Runs of flows",
    .next = &executions_personal,
    .lock = &executions_personal_lock,
    .put = &executions_personal_put,
    .erase = execution_row_erase,
    .forms = {PERSONAL_JSON, PERSONAL_JSON, PERSONAL_JSON, PERSONAL_TEXT}};

DB_STMT(states_personal,
    "SELECT execution_id, state FROM execution_states"
    " WHERE account_id = ? AND execution_id > ? ORDER BY execution_id LIMIT ?");
DB_STMT(states_personal_lock,
    "SELECT state FROM execution_states WHERE account_id = ? AND execution_id = ? FOR UPDATE");
DB_STMT(states_personal_put,
    "UPDATE execution_states SET state = ? WHERE account_id = ? AND execution_id = ?");
const struct personal_table execution_states_personal_table = {.name = "flowRunStates",
    .label = "Where runs of flows stand",
    .next = &states_personal,
    .lock = &states_personal_lock,
    .put = &states_personal_put,
    .forms = {PERSONAL_JSON}};

/* Keys: the run's id, then the step's number in ten digits. */
DB_STMT(steps_personal,
    "SELECT CAST(CONCAT(execution_id, LPAD(seq, 10, '0')) AS BINARY), input, output, error"
    " FROM execution_steps FORCE INDEX (PRIMARY) WHERE account_id = ? AND execution_id >= ?"
    " AND (execution_id > ? OR seq > ?) ORDER BY execution_id, seq LIMIT ?");
DB_STMT(steps_personal_lock,
    "SELECT input, output, error FROM execution_steps WHERE account_id = ? AND execution_id = ?"
    " AND seq = ? FOR UPDATE");
DB_STMT(steps_personal_put,
    "UPDATE execution_steps SET input = ?, output = ?, error = ? WHERE account_id = ?"
    " AND execution_id = ? AND seq = ?");

static int64_t step_key_seq(struct str key)
{
	int64_t seq = -1;

	if (key.n > sizeof(struct uuid))
		(void)str_to_i64(
		    (struct str){key.p + sizeof(struct uuid), key.n - sizeof(struct uuid)}, 0,
		    INT32_MAX, &seq);
	return seq;
}

static int steps_slice(
    struct personal_walk *w, struct arena *a, int64_t n, struct db_rows *rows, struct err *err)
{
	struct uuid id = personal_key_id(w->after);

	return db_query(w->db, a, &steps_personal,
	    DB_VALS(db_uuid(&w->account_id), db_uuid(&id), db_uuid(&id),
		db_int(step_key_seq(w->after)), db_int(n)),
	    rows, err);
}

/* A step of a run that is the person's is gone already: here it is a mention. */
static int step_erase(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str key, const struct person_names *p, struct err *err)
{
	static const enum personal_form forms[] = {PERSONAL_JSON, PERSONAL_JSON, PERSONAL_TEXT};
	struct uuid id = personal_key_id(key);
	struct db_val seq = db_int(step_key_seq(key)), v[3];
	struct db_rows rows;
	int found = db_row(app->db, a, &steps_personal_lock,
	    DB_VALS(db_uuid(account_id), db_uuid(&id), seq), &rows, err);

	if (found != 1)
		return found;
	for (size_t i = 0; i < 3; i++) {
		v[i] = *db_cell(&rows, 0, i);
		if (v[i].type != DB_NULL)
			v[i].s = personal_scrub(a, p, forms[i], v[i].s);
	}
	return db_exec(app->db, &steps_personal_put,
		   DB_VALS(v[0], v[1], v[2], db_uuid(account_id), db_uuid(&id), seq), NULL,
		   err) == -1
		   ? -1
		   : 1;
}

const struct personal_table execution_steps_personal_table = {.name = "flowSteps",
    .label = "Steps of runs of flows",
    .slice = steps_slice,
    .erase = step_erase,
    .forms = {PERSONAL_JSON, PERSONAL_JSON, PERSONAL_TEXT}};
