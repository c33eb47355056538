/* The runs that a record began, on its line of time and on that of its lead. */
#include "flow/flow-timeline.h"

#include "account/permission.h"
#include "base/arena.h"
#include "flow/flow-internal.h"

DB_STMT(executions_told,
    "SELECT id, flow_id, status, trigger_kind, error, created_at, started_at, finished_at"
    " FROM executions FORCE INDEX (executions_record) WHERE account_id = ? AND record_id = ?"
    " ORDER BY id DESC LIMIT 100");
DB_STMT(executions_of_event,
    "SELECT id, flow_id, status, trigger_kind, error, created_at, started_at, finished_at"
    " FROM executions FORCE INDEX (executions_event) WHERE account_id = ? AND event_id = ?"
    " ORDER BY id LIMIT 100");
enum {
	TOLD_ID,
	TOLD_FLOW,
	TOLD_STATUS,
	TOLD_TRIGGER,
	TOLD_ERROR,
	TOLD_CREATED_AT,
	TOLD_STARTED_AT,
	TOLD_FINISHED_AT
};

/* {at, name, text, executionId, flowId, status, trigger, error, startedAt, finishedAt} */
static json_t *run_told(
    struct arena *a, const struct db_rows *rows, size_t i, const json_t *flow_names)
{
	const char *flow_id = uuid_dup(a, db_get_uuid(rows, i, TOLD_FLOW));
	const char *status = db_get_text(rows, i, TOLD_STATUS);
	const char *name = json_str(json_object_get(flow_names, flow_id), "name");
	json_t *o = json_object();

	if (name == NULL)
		name = "a flow that was deleted";
	json_set_time(o, "at", db_get_int(rows, i, TOLD_CREATED_AT));
	json_set_str(o, "name", name);
	json_set_str(o, "text",
	    arena_printf(a, "Flow %s: %s", name, word_label(execution_statuses, status)));
	json_set_str(o, "executionId", uuid_dup(a, db_get_uuid(rows, i, TOLD_ID)));
	json_set_str(o, "flowId", flow_id);
	json_set_str(o, "status", status);
	json_set_str(o, "trigger", db_get_text(rows, i, TOLD_TRIGGER));
	json_set_str(o, "error", db_get_text(rows, i, TOLD_ERROR));
	json_set_time(o, "startedAt", db_get_int(rows, i, TOLD_STARTED_AT));
	json_set_time(o, "finishedAt", db_get_int(rows, i, TOLD_FINISHED_AT));
	return o;
}

int flow_runs_of_event(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *event_id, json_t **out, struct err *err)
{
	struct db_rows rows;
	json_t *names = NULL;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &executions_of_event,
		DB_VALS(db_uuid(account_id), db_uuid(event_id)), &rows, err) == -1 ||
	    (rows.count > 0 && flow_names(app, a, account_id, &names, err) == -1))
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *told = json_own(a, run_told(a, &rows, i, names)), *o = json_object();

		json_set_str(o, "flow", json_str(told, "name"));
		json_set_str(o, "href",
		    arena_printf(a, "/admin/task-history/%s", json_str(told, "executionId")));
		json_set_str(o, "status", json_str(told, "status"));
		json_set_str(
		    o, "statusLabel", word_label(execution_statuses, json_str(told, "status")));
		json_array_append_new(*out, o);
	}
	return 0;
}

static int runs_tell(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, const char *member, const char *value, json_t *list,
    struct err *err)
{
	struct db_rows rows;
	json_t *names = NULL;

	if (db_query(app->db, a, &executions_told, DB_VALS(db_uuid(account_id), db_uuid(record_id)),
		&rows, err) == -1 ||
	    (rows.count > 0 && flow_names(app, a, account_id, &names, err) == -1))
		return -1;
	for (size_t i = rows.count; i-- > 0;) {
		json_t *o = run_told(a, &rows, i, names);

		json_set_str(o, member, value);
		json_array_append_new(list, o);
	}
	return 0;
}

int flow_timeline(struct app *app, struct arena *a, const struct record_story *s, struct err *err)
{
	if ((s->permissions & PERMIT(TASK_HISTORY_VIEW)) == 0)
		return 0;
	return runs_tell(app, a, &s->account_id, &s->record_id, "kind", "flow", s->entries, err);
}

int flow_lead_timeline(struct app *app, struct arena *a, const struct uuid *account_id,
    uint64_t permissions, const json_t *lead, json_t *list, struct err *err)
{
	struct uuid record_id;

	if ((permissions & PERMIT(TASK_HISTORY_VIEW)) == 0 ||
	    !uuid_parse(str_from(json_str(lead, "recordId")), &record_id))
		return 0;
	return runs_tell(app, a, account_id, &record_id, "stage", "flows", list, err);
}
