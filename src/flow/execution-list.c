/* Runs as people list and see them. */
#include "base/arena.h"
#include "flow/flow-internal.h"
#include "lead/lead.h"

#define LIST_COLUMNS                                                                               \
	"id, flow_id, version, status, trigger_kind, trigger_id, record_id, parent_id, replay_of," \
	" error, error_step, created_at, started_at, wait_until, finished_at, is_cancelling,"      \
	" replayed_by, event_id, (SELECT name FROM flows f WHERE f.account_id = "                  \
	"executions.account_id"                                                                    \
	" AND f.id = executions.flow_id) FROM executions "
#define LIST_CONDITIONS                                                                            \
	" AND (? IS NULL OR trigger_kind = ?) AND (? IS NULL OR record_id = ?)"                    \
	" AND (? IS NULL OR (replayed_by IS NOT NULL) = ?)"                                        \
	" AND created_at >= ? AND created_at < ? AND id >= ? AND id < ?"
#define NEWEST " ORDER BY id DESC LIMIT ? OFFSET ?"
#define OLDEST " ORDER BY id LIMIT ? OFFSET ?"
#define LIST_CONDITION_VALUES 12
enum {
	LIST_ID,
	LIST_FLOW,
	LIST_VERSION,
	LIST_STATUS,
	LIST_KIND,
	LIST_TRIGGER,
	LIST_RECORD,
	LIST_PARENT,
	LIST_REPLAY_OF,
	LIST_ERROR,
	LIST_ERROR_STEP,
	LIST_CREATED_AT,
	LIST_STARTED_AT,
	LIST_WAIT_UNTIL,
	LIST_FINISHED_AT,
	LIST_CANCELLING,
	LIST_REPLAYED_BY,
	LIST_EVENT,
	LIST_FLOW_NAME
};
/* One for each index that a filter can go by, and each order. */
#define ALL                                                                                        \
	"SELECT " LIST_COLUMNS "WHERE account_id = ? AND ? IS NULL AND ? IS NULL" LIST_CONDITIONS
DB_STMT(executions_newest, ALL NEWEST);
DB_STMT(executions_oldest, ALL OLDEST);
#define OF_FLOW                                                                                    \
	"SELECT " LIST_COLUMNS                                                                     \
	"FORCE INDEX (executions_flow) WHERE account_id = ? AND flow_id = ?"                       \
	" AND ? IS NULL" LIST_CONDITIONS
DB_STMT(executions_of_flow_newest, OF_FLOW NEWEST);
DB_STMT(executions_of_flow_oldest, OF_FLOW OLDEST);
#define OF_STATUS                                                                                  \
	"SELECT " LIST_COLUMNS "FORCE INDEX (executions_status) WHERE account_id = ?"              \
	" AND ? IS NULL AND status = ?" LIST_CONDITIONS
DB_STMT(executions_of_status_newest, OF_STATUS NEWEST);
DB_STMT(executions_of_status_oldest, OF_STATUS OLDEST);
#define RECORDS "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?" /* EXECUTION_SEARCHED */
#define OF_RECORDS                                                                                 \
	"SELECT " LIST_COLUMNS "FORCE INDEX (executions_record) WHERE account_id = ?"              \
	" AND record_id IN (" RECORDS ") AND (? IS NULL OR flow_id = ?)"                           \
	" AND (? IS NULL OR status = ?)" LIST_CONDITIONS
DB_STMT(executions_of_records_newest, OF_RECORDS NEWEST);
DB_STMT(executions_of_records_oldest, OF_RECORDS OLDEST);
DB_STMT(executions_one,
    "SELECT " LIST_COLUMNS "WHERE account_id = ? AND id = ? AND id >= ? AND id < ?");
#define OF_BOTH                                                                                    \
	"SELECT " LIST_COLUMNS "WHERE account_id = ? AND flow_id = ? AND status = "                \
	"?" LIST_CONDITIONS
DB_STMT(executions_of_both_newest, OF_BOTH NEWEST);
DB_STMT(executions_of_both_oldest, OF_BOTH OLDEST);

const struct word execution_statuses[] = {{EXECUTION_PENDING, "Queued"},
    {EXECUTION_RUNNING, "Running"}, {EXECUTION_WAITING, "Waiting"},
    {EXECUTION_COMPLETED, "Completed"}, {EXECUTION_FAILED, "Failed"},
    {EXECUTION_CANCELLED, "Cancelled"}, {EXECUTION_FILTERED, "Filtered"}, {NULL, NULL}};
const struct word trigger_kinds[] = {{TRIGGER_MANUAL, "By hand or API"},
    {TRIGGER_RECORD, "A record"}, {TRIGGER_WEBHOOK, "A webhook"}, {TRIGGER_POLL, "A poll"},
    {TRIGGER_SCHEDULE, "A schedule"}, {TRIGGER_REPLAY, "A replay"}, {TRIGGER_TEST, "A test"},
    {TRIGGER_SUB_FLOW, "Another flow"}, {NULL, NULL}};

const struct word execution_repeated[] = {{"no", "No"}, {"yes", "Yes"}, {NULL, NULL}};

static const struct filter_row execution_filters[] = {
    {"status", FILTER_WORD, offsetof(struct execution_filter, status), execution_statuses, NULL},
    {"flowId", FILTER_ID, offsetof(struct execution_filter, flow_id), NULL, NULL},
    {"trigger", FILTER_WORD, offsetof(struct execution_filter, kind), trigger_kinds, NULL},
    {"repeated", FILTER_WORD, offsetof(struct execution_filter, repeated), execution_repeated,
	NULL},
    {"search", FILTER_TEXT, offsetof(struct execution_filter, search), NULL, NULL},
    {"recordId", FILTER_ID, offsetof(struct execution_filter, record_id), NULL, NULL},
    {"from", FILTER_FROM, offsetof(struct execution_filter, from), NULL, NULL},
    {"to", FILTER_UNTIL, offsetof(struct execution_filter, to), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_executions = {"executions", execution_filters, "createdAt"};

static void json_set_id(json_t *o, struct arena *a, const char *key, struct uuid id)
{
	json_set_str(o, key, uuid_is_nil(id) ? NULL : uuid_dup(a, id));
}

json_t *execution_json(struct arena *a, const struct execution *x, bool is_whole)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, x->id));
	json_set_str(o, "executionId", uuid_dup(a, x->id));
	json_set_str(o, "flowId", uuid_dup(a, x->flow_id));
	json_set(o, "version", x->version == 0 ? NULL : json_integer(x->version));
	json_set_str(
	    o, "status", x->is_cancelling && x->finished_us == 0 ? "cancelling" : x->status);
	json_set_str(o, "trigger", x->kind);
	json_set_id(o, a, "triggerId", x->trigger_id);
	json_set_id(o, a, "recordId", x->record_id);
	json_set_id(o, a, "eventId", x->event_id);
	json_set_id(o, a, "parentId", x->parent_id);
	json_set_id(o, a, "replayOf", x->replay_of);
	json_set_id(o, a, "replayedBy", x->replayed_by);
	json_set_str(o, "error", x->error);
	json_set_str(o, "errorStep", x->error_step);
	json_set_time(o, "createdAt", x->created_us);
	json_set_time(o, "startedAt", x->started_us);
	json_set_time(o, "waitUntil", x->wait_us);
	json_set_time(o, "finishedAt", x->finished_us);
	json_set(o, "durationMs",
	    x->finished_us == 0 || x->started_us == 0
		? NULL
		: json_real((double)(x->finished_us - x->started_us) / 1000.0));
	if (is_whole) {
		struct str shown = flow_shown(a, x->payload);

		json_set(o, "payload",
		    shown.p == NULL ? NULL : json_incref(json_parse_stored(a, shown, NULL)));
		json_set_bool(o, "canReplayFromFailed", x->finished_us != 0 && x->state != NULL);
	}
	return o;
}

static int execution_row_json(struct app *app, struct arena *a, const struct db_rows *rows,
    size_t i, json_t **out, struct err *err)
{
	struct execution x = {.id = db_get_uuid(rows, i, LIST_ID),
	    .flow_id = db_get_uuid(rows, i, LIST_FLOW),
	    .version = (int)db_get_int(rows, i, LIST_VERSION),
	    .status = db_get_text(rows, i, LIST_STATUS),
	    .kind = db_get_text(rows, i, LIST_KIND),
	    .trigger_id = db_get_uuid(rows, i, LIST_TRIGGER),
	    .record_id = db_get_uuid(rows, i, LIST_RECORD),
	    .event_id = db_get_uuid(rows, i, LIST_EVENT),
	    .parent_id = db_get_uuid(rows, i, LIST_PARENT),
	    .replay_of = db_get_uuid(rows, i, LIST_REPLAY_OF),
	    .replayed_by = db_get_uuid(rows, i, LIST_REPLAYED_BY),
	    .error = db_get_text(rows, i, LIST_ERROR),
	    .error_step = db_get_text(rows, i, LIST_ERROR_STEP),
	    .created_us = db_get_int(rows, i, LIST_CREATED_AT),
	    .started_us = db_get_int(rows, i, LIST_STARTED_AT),
	    .wait_us = db_get_int(rows, i, LIST_WAIT_UNTIL),
	    .finished_us = db_get_int(rows, i, LIST_FINISHED_AT),
	    .is_cancelling = db_get_int(rows, i, LIST_CANCELLING) != 0};

	(void)app;
	(void)err;
	*out = json_own(a, execution_json(a, &x, false));
	json_set_str(*out, "flowName", db_get_text(rows, i, LIST_FLOW_NAME));
	return 0;
}

/* ---- searching ------------------------------------------------------------------------------- */

/* What a search found: records whose runs are meant, or one run by its own id. */
struct execution_found {
	struct uuid records[EXECUTION_SEARCHED];
	size_t n;
	struct uuid run; /* nil: none */
};

static int found_by_id(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct execution_found *out, struct err *err)
{
	struct execution x;
	json_t *lead;
	int found = execution_load(app->db, a, account_id, id, &x, err);

	if (found == 1)
		out->run = *id;
	if (found != 0)
		return found;
	out->records[out->n++] = *id;
	found = lead_get_json(app, a, account_id, id, &lead, err);
	if (found == 1)
		out->n += json_str(lead, "recordId") != NULL &&
			  uuid_parse(str_from(json_str(lead, "recordId")), &out->records[out->n]);
	return found;
}

/* By the id of a run, a record or a lead, or by what stands in records, their keys included. */
static int execution_search(struct app *app, struct arena *a, const struct execution_filter *f,
    struct execution_found *out, struct err *err)
{
	struct record_filter filter = {.account_id = f->account_id, .search = f->search};
	struct record_slice slice = {.s.limit = EXECUTION_SEARCHED};
	struct uuid id;
	json_t *row;
	size_t i;

	*out = (struct execution_found){.n = 0};
	if (uuid_parse(str_trim(f->search), &id))
		return found_by_id(app, a, &f->account_id, &id, out, err) == -1 ? -1 : 0;
	if (record_list(app, a, &filter, &slice, err) == -1)
		return -1;
	json_array_each(slice.s.rows, i, row)
		out->n += uuid_parse(str_from(json_str(row, "id")), &out->records[out->n]);
	return 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* The conditions that all statements end with. */
static void list_conditions(
    const struct execution_filter *f, const struct slice *s, struct id_range *ids, struct db_val *v)
{
	struct db_val repeated =
	    f->repeated.p == NULL ? db_null() : db_int(str_is(f->repeated, "yes"));
	*ids = slice_ids(s);
	struct db_val all[LIST_CONDITION_VALUES] = {db_name(f->kind), db_name(f->kind),
	    db_uuid_or_null(&f->record_id), db_uuid_or_null(&f->record_id), repeated, repeated,
	    db_int(opt_time_or(f->from, INT64_MIN)), db_int(opt_time_or(f->to, INT64_MAX)),
	    db_uuid(&ids->from), db_uuid(&ids->before), db_int(slice_limit(s)), db_int(s->offset)};

	memcpy(v, all, sizeof(all));
}

static int list_all(struct app *app, struct arena *a, const struct execution_filter *f,
    struct slice *s, struct db_rows *rows, struct err *err)
{
	bool has_flow = !uuid_is_nil(f->flow_id), has_status = f->status.p != NULL;
	static const struct db_stmt *const stmts[] = {&executions_newest, &executions_oldest,
	    &executions_of_flow_newest, &executions_of_flow_oldest, &executions_of_status_newest,
	    &executions_of_status_oldest, &executions_of_both_newest, &executions_of_both_oldest};
	const struct db_stmt *stmt = stmts[4 * has_status + 2 * has_flow + s->is_ascending];
	struct db_val v[3 + LIST_CONDITION_VALUES] = {
	    db_uuid(&f->account_id), db_uuid_or_null(&f->flow_id), db_name(f->status)};
	struct id_range ids;

	list_conditions(f, s, &ids, v + 3);
	return db_query(app->db, a, stmt, v, sizeof(v) / sizeof(*v), rows, err);
}

static int list_found(struct app *app, struct arena *a, const struct execution_filter *f,
    struct slice *s, struct db_rows *rows, struct err *err)
{
	struct execution_found found;
	struct db_val v[1 + EXECUTION_SEARCHED + 4 + LIST_CONDITION_VALUES] = {
	    db_uuid(&f->account_id)};
	struct id_range ids;

	if (execution_search(app, a, f, &found, err) == -1)
		return -1;
	ids = slice_ids(s);
	if (!uuid_is_nil(found.run))
		return db_query(app->db, a, &executions_one,
		    DB_VALS(db_uuid(&f->account_id), db_uuid(&found.run), db_uuid(&ids.from),
			db_uuid(&ids.before)),
		    rows, err);
	for (size_t i = 0; i < EXECUTION_SEARCHED; i++)
		v[1 + i] = i < found.n ? db_uuid(&found.records[i]) : db_null();
	v[1 + EXECUTION_SEARCHED] = v[2 + EXECUTION_SEARCHED] = db_uuid_or_null(&f->flow_id);
	v[3 + EXECUTION_SEARCHED] = v[4 + EXECUTION_SEARCHED] = db_name(f->status);
	list_conditions(f, s, &ids, v + 5 + EXECUTION_SEARCHED);
	return db_query(app->db, a,
	    s->is_ascending ? &executions_of_records_oldest : &executions_of_records_newest, v,
	    sizeof(v) / sizeof(*v), rows, err);
}

int execution_list(struct app *app, struct arena *a, const struct execution_filter *f,
    struct slice *s, struct err *err)
{
	struct db_rows rows;

	return (f->search.n > 0 ? list_found(app, a, f, s, &rows, err)
				: list_all(app, a, f, s, &rows, err)) == -1
		   ? -1
		   : slice_take(s, app, a, &rows, SLICE_BY_ID, LIST_ID, execution_row_json, err);
}
