/* SQL of runs: reading, beginning, order. What is kept of one under way: execution-keep.c; how they
 * go: execution-retain.c. */
#include "base/arena.h"
#include "flow/flow-internal.h"

#define PUT_VALUES 16

#define EXECUTION_COLUMNS                                                                          \
	"e.id, e.account_id, e.flow_id, e.version, e.status, e.trigger_kind, e.trigger_id,"        \
	" e.record_id, e.parent_id, e.replay_of, e.depth, e.is_cancelling, e.order_key, "          \
	"e.payload,"                                                                               \
	" e.plan, e.output, e.error, e.error_step, e.created_at, e.started_at, e.wait_until,"      \
	" e.finished_at, e.replayed_by, e.event_id, s.state FROM executions e LEFT JOIN "          \
	"execution_states s"                                                                       \
	" ON s.account_id = e.account_id AND s.execution_id = e.id "
enum {
	COL_ID,
	COL_ACCOUNT,
	COL_FLOW,
	COL_VERSION,
	COL_STATUS,
	COL_KIND,
	COL_TRIGGER,
	COL_RECORD,
	COL_PARENT,
	COL_REPLAY_OF,
	COL_DEPTH,
	COL_CANCELLING,
	COL_ORDER,
	COL_PAYLOAD,
	COL_PLAN,
	COL_OUTPUT,
	COL_ERROR,
	COL_ERROR_STEP,
	COL_CREATED_AT,
	COL_STARTED_AT,
	COL_WAIT_UNTIL,
	COL_FINISHED_AT,
	COL_REPLAYED_BY,
	COL_EVENT,
	COL_STATE
};
DB_STMT(execution_by_id, "SELECT " EXECUTION_COLUMNS "WHERE e.account_id = ? AND e.id = ?");
DB_STMT_ROWS(executions_of_jobs, "SELECT " EXECUTION_COLUMNS "WHERE e.account_id = ? AND e.id IN (",
    "?", ")");
DB_STMT_ROWS(executions_put,
    "INSERT INTO executions (account_id, id, flow_id, version, status, trigger_kind, trigger_id,"
    " record_id, event_id, parent_id, replay_of, depth, order_key, payload, plan, created_at)"
    " VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", "");
DB_STMT(execution_steps_of,
    "SELECT seq, id, step, place, name, kind, status, attempts, input, output, error, started_at,"
    " duration_us FROM execution_steps WHERE account_id = ? AND execution_id = ? AND seq > ?"
    " ORDER BY seq LIMIT ?");
DB_STMT(execution_step_failed,
    "SELECT seq FROM execution_steps WHERE account_id = ? AND execution_id = ?"
    " AND status = '" STEP_FAILED "' ORDER BY seq DESC LIMIT 1");
DB_STMT(execution_earlier,
    "SELECT id FROM executions WHERE account_id = ? AND order_key = ? AND id < ?"
    " AND status NOT IN (" EXECUTION_ENDED ") LIMIT 1");
DB_STMT(execution_next_of_key,
    "SELECT id, flow_id FROM executions WHERE account_id = ? AND order_key = ? AND id > ?"
    " AND status NOT IN (" EXECUTION_ENDED ") ORDER BY id LIMIT 1");
DB_STMT(execution_ended_as,
    "SELECT status IN (" EXECUTION_ENDED "), status, output, error FROM executions"
    " WHERE account_id = ? AND id = ?");
DB_STMT(
    execution_cancel, "UPDATE executions SET is_cancelling = 1 WHERE account_id = ? AND id = ?");
DB_STMT(
    execution_repeated_by, "UPDATE executions SET replayed_by = ? WHERE account_id = ? AND id = ?");
DB_STMT_ROWS(executions_again,
    "UPDATE executions SET status = '" EXECUTION_RUNNING "', error = NULL, finished_at = NULL"
    " WHERE account_id = ? AND status = '" EXECUTION_FAILED "' AND id IN (",
    "?", ")");

/* ---- reading --------------------------------------------------------------------------------- */

static int execution_read_json(struct arena *a, const struct db_rows *rows, size_t i, int column,
    json_t **out, struct err *err)
{
	*out = NULL;
	if (db_is_null(rows, i, (size_t)column))
		return 0;
	*out = json_parse_stored(a, db_get_str(rows, i, (size_t)column), err);
	return *out == NULL ? err_prefix(err, "stored run of a flow") : 0;
}

static const char *text_kept(struct arena *a, const struct db_rows *rows, size_t i, int column)
{
	return arena_strdup(a, db_get_text(rows, i, (size_t)column));
}

static int execution_read(
    struct arena *a, const struct db_rows *rows, size_t i, struct execution *out, struct err *err)
{
	*out = (struct execution){.id = db_get_uuid(rows, i, COL_ID),
	    .account_id = db_get_uuid(rows, i, COL_ACCOUNT),
	    .flow_id = db_get_uuid(rows, i, COL_FLOW),
	    .version = (int)db_get_int(rows, i, COL_VERSION),
	    .status = text_kept(a, rows, i, COL_STATUS),
	    .kind = text_kept(a, rows, i, COL_KIND),
	    .trigger_id = db_get_uuid(rows, i, COL_TRIGGER),
	    .record_id = db_get_uuid(rows, i, COL_RECORD),
	    .event_id = db_get_uuid(rows, i, COL_EVENT),
	    .parent_id = db_get_uuid(rows, i, COL_PARENT),
	    .replay_of = db_get_uuid(rows, i, COL_REPLAY_OF),
	    .replayed_by = db_get_uuid(rows, i, COL_REPLAYED_BY),
	    .depth = (int)db_get_int(rows, i, COL_DEPTH),
	    .is_cancelling = db_get_int(rows, i, COL_CANCELLING) != 0,
	    .has_order = !db_is_null(rows, i, COL_ORDER),
	    .order_key = db_get_uuid(rows, i, COL_ORDER),
	    .output = text_kept(a, rows, i, COL_OUTPUT),
	    .error = text_kept(a, rows, i, COL_ERROR),
	    .error_step = text_kept(a, rows, i, COL_ERROR_STEP),
	    .created_us = db_get_int(rows, i, COL_CREATED_AT),
	    .started_us = db_get_int(rows, i, COL_STARTED_AT),
	    .wait_us = db_get_int(rows, i, COL_WAIT_UNTIL),
	    .finished_us = db_get_int(rows, i, COL_FINISHED_AT)};
	if (execution_read_json(a, rows, i, COL_PAYLOAD, &out->payload, err) == -1 ||
	    execution_read_json(a, rows, i, COL_PLAN, &out->plan, err) == -1)
		return -1;
	return execution_read_json(a, rows, i, COL_STATE, &out->state, err);
}

int execution_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct execution *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &execution_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	return execution_read(a, &rows, 0, out, err) == -1 ? -1 : 1;
}

static int execution_read_job(
    struct job *j, const struct db_rows *rows, size_t row, struct err *err)
{
	struct execution *x = arena_alloc(j->a, sizeof(*x));

	if (execution_read(j->a, rows, row, x, err) == -1)
		return -1;
	j->loaded = x;
	return 0;
}

int flow_job_load(struct app *app, struct job *const *jobs, size_t n, struct err *err)
{
	return job_load_subjects(
	    app, &executions_of_jobs, COL_ID, jobs, n, execution_read_job, err);
}

/* ---- beginning ------------------------------------------------------------------------------- */

int executions_insert(struct db *db, struct execution *const *xs, size_t n, struct err *err)
{
	struct arena *a = arena_new();
	struct db_val *v = arena_array(a, n * PUT_VALUES, sizeof(*v)), *p = v;
	int rc;

	for (size_t i = 0; i < n; i++) {
		const struct execution *x = xs[i];

		*p++ = db_uuid(&x->account_id);
		*p++ = db_uuid(&x->id);
		*p++ = db_uuid(&x->flow_id);
		*p++ = db_int(x->version);
		*p++ = db_str(x->status);
		*p++ = db_str(x->kind);
		*p++ = db_uuid_or_null(&x->trigger_id);
		*p++ = db_uuid_or_null(&x->record_id);
		*p++ = db_uuid_or_null(&x->event_id);
		*p++ = db_uuid_or_null(&x->parent_id);
		*p++ = db_uuid_or_null(&x->replay_of);
		*p++ = db_int(x->depth);
		*p++ = x->has_order ? db_uuid(&x->order_key) : db_null();
		*p++ = db_strn(json_text(a, x->payload));
		*p++ = x->plan == NULL ? db_null() : db_strn(json_text(a, x->plan));
		*p++ = db_int(x->created_us);
	}
	rc = db_exec_rows_later(db, &executions_put, v, n, PUT_VALUES, ERR_CONFLICT, err);
	arena_free(a);
	return rc;
}

/* ---- order, children, cancelling ------------------------------------------------------------- */

int execution_before(struct db *db, struct arena *a, const struct execution *x, struct err *err)
{
	struct db_rows rows;

	return db_row(db, a, &execution_earlier,
	    DB_VALS(db_uuid(&x->account_id), db_uuid(&x->order_key), db_uuid(&x->id)), &rows, err);
}

int execution_behind(
    struct db *db, struct arena *a, const struct execution *x, struct uuid *id, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &execution_next_of_key,
	    DB_VALS(db_uuid(&x->account_id), db_uuid(&x->order_key), db_uuid(&x->id)), &rows, err);

	if (found == 1)
		*id = db_get_uuid(&rows, 0, 0);
	return found;
}

int execution_outcome(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const char **status, json_t **output, const char **error,
    struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    db, a, &execution_ended_as, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	*output = NULL;
	*status = EXECUTION_FAILED;
	*error = "the run of the sub-flow is gone";
	if (found != 1)
		return found == 0 ? 1 : -1;
	*status = db_get_text(&rows, 0, 1);
	*error = db_get_text(&rows, 0, 3);
	if (!db_is_null(&rows, 0, 2)) {
		*output = json_parse_stored(a, db_get_str(&rows, 0, 2), err);
		if (*output == NULL)
			return -1;
	}
	return db_get_int(&rows, 0, 0) != 0;
}

int execution_set_cancelling(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	return db_exec(db, &execution_cancel, DB_VALS(db_uuid(account_id), db_uuid(id)), NULL, err);
}

int execution_note_replay(struct db *db, const struct execution *x, struct err *err)
{
	return db_exec(db, &execution_repeated_by,
	    DB_VALS(db_uuid(&x->id), db_uuid(&x->account_id), db_uuid(&x->replay_of)), NULL, err);
}

int executions_reopen(
    struct db *db, const struct uuid *account_id, const struct uuid *ids, size_t n, struct err *err)
{
	struct db_val v[LIMIT_DB_BATCH];

	while (n > 0) {
		size_t take = n < LIMIT_DB_BATCH ? n : LIMIT_DB_BATCH;

		for (size_t i = 0; i < take; i++)
			v[i] = db_uuid(&ids[i]);
		if (db_exec_rows(db, &executions_again,
			(const struct db_val[]){db_uuid(account_id)}, 1, v, take, 1, NULL,
			err) == -1)
			return -1;
		ids += take;
		n -= take;
	}
	return 0;
}

/* ---- steps for people ------------------------------------------------------------------------ */

static json_t *turns_json(const char *place)
{
	json_t *turns = json_array();
	struct str rest = str_from(place), part;
	int64_t n;

	while (str_split(&rest, '.', &part))
		if (str_to_i64(part, 0, INT32_MAX, &n))
			json_array_append_new(turns, json_integer(n));
	return turns;
}

static json_t *shown_json(struct arena *a, struct str text)
{
	return json_incref(text.p == NULL ? NULL : json_parse_stored(a, text, NULL));
}

json_t *execution_step_json(struct arena *a, const struct execution_step *t)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, t->id));
	json_set_int(o, "seq", t->seq);
	json_set_str(o, "step", t->step);
	json_set(o, "iteration", turns_json(t->place));
	json_set_str(o, "name", t->name);
	json_set_str(o, "kind", t->kind);
	json_set_str(o, "status", t->status);
	json_set_int(o, "attempts", t->attempts);
	json_set(o, "input", shown_json(a, t->input));
	json_set(o, "output", shown_json(a, t->output));
	json_set_str(o, "error", t->error);
	json_set_time(o, "startedAt", t->started_us);
	json_set(o, "durationMs",
	    t->duration_us == -1 ? NULL : json_real((double)t->duration_us / 1000.0));
	return o;
}

int execution_steps_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, int after, int most, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &execution_steps_of,
		DB_VALS(db_uuid(account_id), db_uuid(id), db_int(after), db_int(most)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct execution_step t = {.seq = (int)db_get_int(&rows, i, 0),
		    .id = db_get_uuid(&rows, i, 1),
		    .step = db_get_text(&rows, i, 2),
		    .place = db_get_text(&rows, i, 3),
		    .name = db_get_text(&rows, i, 4),
		    .kind = db_get_text(&rows, i, 5),
		    .status = db_get_text(&rows, i, 6),
		    .attempts = (int)db_get_int(&rows, i, 7),
		    .input = db_get_str(&rows, i, 8),
		    .output = db_get_str(&rows, i, 9),
		    .error = db_get_text(&rows, i, 10),
		    .started_us = db_get_int(&rows, i, 11),
		    .duration_us = db_is_null(&rows, i, 12) ? -1 : db_get_int(&rows, i, 12)};

		if (db_is_null(&rows, i, 8))
			t.input.p = NULL;
		if (db_is_null(&rows, i, 9))
			t.output.p = NULL;
		json_array_append_new(*out, execution_step_json(a, &t));
	}
	return 0;
}

int execution_failed_seq(
    struct app *app, struct arena *a, const struct execution *x, int *after, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &execution_step_failed,
	    DB_VALS(db_uuid(&x->account_id), db_uuid(&x->id)), &rows, err);

	*after = found == 1 ? (int)db_get_int(&rows, 0, 0) - 1 : 0;
	return found == -1 ? -1 : 0;
}
