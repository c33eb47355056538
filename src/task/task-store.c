/* SQL of the tasks. */
#include "base/clock.h"
#include "base/log.h"
#include "task/task-internal.h"

#define OPEN_ROWS 200
#define SELECT_TASKS                                                                               \
	"SELECT id, account_id, kind, status, title, provider_type, resource_type, args, "         \
	"position,"                                                                                \
	" done, total, received, created, updated, unchanged, failed, error, created_by,"          \
	" created_at, started_at, finished_at FROM tasks"
enum {
	TASK_COL_ID,
	TASK_COL_ACCOUNT_ID,
	TASK_COL_KIND,
	TASK_COL_STATUS,
	TASK_COL_TITLE,
	TASK_COL_PROVIDER_TYPE,
	TASK_COL_RESOURCE_TYPE,
	TASK_COL_ARGS,
	TASK_COL_POSITION,
	TASK_COL_DONE,
	TASK_COL_TOTAL,
	TASK_COL_RECEIVED,
	TASK_COL_CREATED,
	TASK_COL_UPDATED,
	TASK_COL_UNCHANGED,
	TASK_COL_FAILED,
	TASK_COL_ERROR,
	TASK_COL_CREATED_BY,
	TASK_COL_CREATED_AT,
	TASK_COL_STARTED_AT,
	TASK_COL_FINISHED_AT
};

DB_STMT(tasks_insert,
    "INSERT INTO tasks (id, account_id, kind, status, title, provider_type, resource_type, args,"
    " position, done, total, received, created, updated, unchanged, failed, error, created_by,"
    " created_at, started_at, finished_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
DB_STMT(tasks_get, SELECT_TASKS " WHERE account_id = ? AND id = ?");
DB_STMT(tasks_lock, SELECT_TASKS " WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(tasks_hold,
    "SELECT status, done, position FROM tasks WHERE account_id = ? AND id = ? FOR UPDATE");
enum { HOLD_STATUS, HOLD_DONE, HOLD_POSITION };
DB_STMT(tasks_progress,
    "UPDATE tasks SET status = ?, position = ?, done = ?, total = ?, received = ?, created = ?,"
    " updated = ?, unchanged = ?, failed = ?, error = ?, started_at = ?, finished_at = ?"
    " WHERE account_id = ? AND id = ?");
DB_STMT(tasks_draft,
    "UPDATE tasks SET status = ?, args = ? WHERE account_id = ? AND id = ? AND status = 'draft'");
DB_STMT(tasks_delete, "DELETE FROM tasks WHERE account_id = ? AND id = ?");
DB_STMT(tasks_newest, SELECT_TASKS " WHERE account_id = ? AND id < ? AND status <> 'draft'"
				   " ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(tasks_of_status, SELECT_TASKS " WHERE account_id = ? AND id < ? AND status = ?"
				      " ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(tasks_open, SELECT_TASKS " WHERE account_id = ? AND status IN ('queued', 'running')"
				 " ORDER BY id LIMIT ?");
DB_STMT(tasks_of_kind, SELECT_TASKS " WHERE account_id = ? AND kind = ? AND status <> 'draft'"
				    " ORDER BY id DESC LIMIT ?");
DB_STMT(tasks_failed, SELECT_TASKS " WHERE account_id = ? AND kind = ? AND failed > 0"
				   " AND status <> 'draft' ORDER BY id DESC LIMIT ?");
DB_STMT(tasks_drafts,
    SELECT_TASKS " WHERE status = 'draft' AND kind = ? AND created_at < ? ORDER BY id LIMIT ?");
DB_STMT(
    tasks_needed, "SELECT 1 FROM tasks WHERE id = ? AND status IN ('draft', 'queued', 'running')");

DB_STMT(tasks_unfinished, "SELECT COUNT(*), COALESCE(SUM(total), 0) FROM tasks WHERE account_id = ?"
			  " AND status IN ('draft', 'queued', 'running') AND kind = ?");
enum { UNFINISHED_COUNT, UNFINISHED_TOTAL };

/* Of one that people have ended meanwhile nothing is said. */
DB_STMT(tasks_died,
    "UPDATE tasks SET status = 'failed', error = ?, started_at = COALESCE(started_at, ?),"
    " finished_at = ? WHERE account_id = ? AND id = ? AND status IN ('queued', 'running')");
DB_STMT_ROWS(tasks_revived,
    "UPDATE tasks SET status = 'queued', error = NULL, finished_at = NULL"
    " WHERE account_id = ? AND status = 'failed' AND id IN (",
    "?", ")");

/* ---- rows ---------------------------------------------------------------------------------- */

static enum task_status task_status_of(struct str name)
{
	enum task_status s = TASK_DRAFT;

	while (s < TASK_CANCELLED && !str_is(name, task_status_name(s)))
		s++;
	return s;
}

static void task_read_row(const struct db_rows *rows, size_t i, struct task *out)
{
	*out = (struct task){.id = db_get_uuid(rows, i, TASK_COL_ID),
	    .account_id = db_get_uuid(rows, i, TASK_COL_ACCOUNT_ID),
	    .kind = db_get_text(rows, i, TASK_COL_KIND),
	    .status = task_status_of(db_get_str(rows, i, TASK_COL_STATUS)),
	    .title = db_get_str(rows, i, TASK_COL_TITLE),
	    .provider_type = db_get_str(rows, i, TASK_COL_PROVIDER_TYPE),
	    .resource_type = db_get_str(rows, i, TASK_COL_RESOURCE_TYPE),
	    .args = db_get_str(rows, i, TASK_COL_ARGS),
	    .position = str_from(db_get_text(rows, i, TASK_COL_POSITION)),
	    .done = db_get_int(rows, i, TASK_COL_DONE),
	    .total = db_get_int(rows, i, TASK_COL_TOTAL),
	    .counts = {db_get_int(rows, i, TASK_COL_RECEIVED),
		db_get_int(rows, i, TASK_COL_CREATED), db_get_int(rows, i, TASK_COL_UPDATED),
		db_get_int(rows, i, TASK_COL_UNCHANGED), db_get_int(rows, i, TASK_COL_FAILED)},
	    .error = db_get_text(rows, i, TASK_COL_ERROR),
	    .created_by = db_get_uuid(rows, i, TASK_COL_CREATED_BY),
	    .created_us = db_get_int(rows, i, TASK_COL_CREATED_AT),
	    .started_us = db_get_int(rows, i, TASK_COL_STARTED_AT),
	    .finished_us = db_get_int(rows, i, TASK_COL_FINISHED_AT)};
}

static int task_read_rows(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct db_val *vals, size_t n, struct tasks *out, struct err *err)
{
	struct db_rows rows;

	*out = (struct tasks){NULL, 0};
	if (db_query(db, a, s, vals, n, &rows, err) == -1)
		return -1;
	out->v = arena_array(a, rows.count + 1, sizeof(*out->v));
	for (out->n = 0; out->n < rows.count; out->n++)
		task_read_row(&rows, out->n, &out->v[out->n]);
	return 0;
}

static struct db_val db_text_or_empty(struct str s)
{
	return db_strn(s.p == NULL ? STR("") : s);
}

/* ---- writing ------------------------------------------------------------------------------- */

int task_insert(struct db *db, const struct task *t, struct err *err)
{
	return db_exec(db, &tasks_insert,
	    DB_VALS(db_uuid(&t->id), db_uuid(&t->account_id), db_str(t->kind),
		db_str(task_status_name(t->status)), db_text_or_empty(t->title),
		db_text_or_empty(t->provider_type), db_text_or_empty(t->resource_type),
		db_strn(t->args), db_strn(t->position), db_int(t->done), db_int(t->total),
		db_int(t->counts.received), db_int(t->counts.created), db_int(t->counts.updated),
		db_int(t->counts.unchanged), db_int(t->counts.failed), db_str(t->error),
		db_uuid_or_null(&t->created_by), db_int(t->created_us), db_time(t->started_us),
		db_time(t->finished_us)),
	    NULL, err);
}

static int task_insert_job(struct db *db, const struct task_kind *kind, const struct task *t,
    struct uuid *job_id, struct err *err)
{
	struct job j = {
	    .account_id = t->account_id, .class = JOB_BULK, .kind = kind->job, .subject_id = t->id};

	if (job_insert(db, &j, 1, err) == -1)
		return -1;
	if (job_id != NULL)
		*job_id = j.id;
	return 0;
}

int task_queue(struct db *db, const struct task_kind *kind, struct task *t, struct uuid *job_id,
    struct err *err)
{
	if (uuid_is_nil(t->id))
		t->id = uuid_new();
	if (t->created_us == 0)
		t->created_us = clock_now_us();
	t->kind = kind->name;
	t->status = TASK_QUEUED;
	if (task_insert(db, t, err) == -1)
		return -1;
	return task_insert_job(db, kind, t, job_id, err);
}

static int task_set_draft(struct db *db, const struct task *t, struct err *err)
{
	return db_exec(db, &tasks_draft,
	    DB_VALS(db_str(task_status_name(t->status)), db_strn(t->args), db_uuid(&t->account_id),
		db_uuid(&t->id)),
	    NULL, err);
}

int task_draft_update(struct db *db, const struct task *t, struct err *err)
{
	return task_set_draft(db, t, err);
}

int task_draft_queue(struct db *db, const struct task_kind *kind, struct task *t, struct err *err)
{
	t->status = TASK_QUEUED;
	if (task_set_draft(db, t, err) == -1)
		return -1;
	return task_insert_job(db, kind, t, NULL, err);
}

int task_delete(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	return db_exec(db, &tasks_delete, DB_VALS(db_uuid(account_id), db_uuid(id)), NULL, err);
}

int task_store_progress(struct db *db, const struct task *t, struct err *err)
{
	return db_exec(db, &tasks_progress,
	    DB_VALS(db_str(task_status_name(t->status)), db_strn(t->position), db_int(t->done),
		db_int(t->total), db_int(t->counts.received), db_int(t->counts.created),
		db_int(t->counts.updated), db_int(t->counts.unchanged), db_int(t->counts.failed),
		db_str(t->error), db_time(t->started_us), db_time(t->finished_us),
		db_uuid(&t->account_id), db_uuid(&t->id)),
	    NULL, err);
}

/* ---- dead jobs ----------------------------------------------------------------------------- */

int task_job_died(struct db *db, struct job *j, const char *why, struct err *err)
{
	struct db_val now = db_int(clock_now_us());

	return db_exec(db, &tasks_died,
	    DB_VALS(db_str(why), now, now, db_uuid(&j->account_id), db_uuid(&j->subject_id)), NULL,
	    err);
}

int task_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err)
{
	struct db_val *ids = arena_array(a, n + 1, sizeof(*ids));

	for (size_t i = 0; i < n; i++)
		ids[i] = db_uuid(&subjects[i]);
	return db_exec_rows(db, &tasks_revived, DB_VALS(db_uuid(account_id)), ids, n, 1, NULL, err);
}

/* ---- reading ------------------------------------------------------------------------------- */

int task_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    bool is_locked, struct task *out, struct err *err)
{
	struct db_rows rows;
	int rc = db_row(db, a, is_locked ? &tasks_lock : &tasks_get,
	    DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (rc == 1)
		task_read_row(&rows, 0, out);
	return rc;
}

int task_store_hold(
    struct db *db, struct arena *a, const struct task *t, enum task_status *now, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    db, a, &tasks_hold, DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id)), &rows, err);

	*now = TASK_CANCELLED;
	if (found != 1)
		return found;
	*now = task_status_of(db_get_str(&rows, 0, HOLD_STATUS));
	if (*now != TASK_QUEUED && *now != TASK_RUNNING)
		return 0;
	if (db_get_int(&rows, 0, HOLD_DONE) != t->done ||
	    db_is_null(&rows, 0, HOLD_POSITION) != (t->position.p == NULL) ||
	    !str_eq(db_get_str(&rows, 0, HOLD_POSITION), t->position))
		return err_set(err, ERR_CONFLICT, "another run has gone on with the task");
	return 1;
}

const struct filter_row task_filters[] = {
    {"status", FILTER_WORD, offsetof(struct task_filter, status), task_statuses, NULL},
    {.name = NULL},
};

/* A draft is of no list, whoever asks for it. */
int task_list(struct db *db, struct arena *a, const struct task_filter *f, struct slice *s,
    struct tasks *out, struct err *err)
{
	struct cursor from = slice_from(s);
	const struct db_val account = db_uuid(&f->account_id), before = db_uuid(&from.id),
			    limit = db_int(slice_limit(s)), offset = db_int(s->offset);
	int rc;

	*out = (struct tasks){NULL, 0};
	if (f->status.n == 0)
		rc = task_read_rows(
		    db, a, &tasks_newest, DB_VALS(account, before, limit, offset), out, err);
	else if (word_find(task_statuses, f->status) == NULL)
		return 0;
	else
		rc = task_read_rows(db, a, &tasks_of_status,
		    DB_VALS(account, before, db_strn(f->status), limit, offset), out, err);
	if (rc == -1)
		return -1;
	s->has_more = out->n > (size_t)s->limit;
	if (s->has_more)
		out->n--;
	if (out->n > 0)
		s->last.id = out->v[out->n - 1].id;
	return 0;
}

int task_list_open(struct db *db, struct arena *a, const struct uuid *account_id, struct tasks *out,
    struct err *err)
{
	return task_read_rows(
	    db, a, &tasks_open, DB_VALS(db_uuid(account_id), db_int(OPEN_ROWS)), out, err);
}

int task_list_of_kind(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct task_kind *kind, int64_t limit, struct tasks *out, struct err *err)
{
	return task_read_rows(db, a, &tasks_of_kind,
	    DB_VALS(db_uuid(account_id), db_str(kind->name), db_int(limit)), out, err);
}

int task_list_failed(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct task_kind *kind, int64_t limit, struct tasks *out, struct err *err)
{
	return task_read_rows(db, a, &tasks_failed,
	    (struct db_val[]){db_uuid(account_id), db_str(kind->name), db_int(limit)}, 3, out, err);
}

int task_list_drafts(struct db *db, struct arena *a, const struct task_kind *kind,
    int64_t before_us, int64_t limit, struct tasks *out, struct err *err)
{
	return task_read_rows(db, a, &tasks_drafts,
	    DB_VALS(db_str(kind->name), db_int(before_us), db_int(limit)), out, err);
}

int task_sum_unfinished(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct task_kind *kind, int64_t *count, int64_t *total, struct err *err)
{
	struct db_rows rows;

	if (db_row(db, a, &tasks_unfinished, DB_VALS(db_uuid(account_id), db_str(kind->name)),
		&rows, err) == -1)
		return -1;
	*count = db_get_int(&rows, 0, UNFINISHED_COUNT);
	*total = db_get_int(&rows, 0, UNFINISHED_TOTAL);
	return 0;
}

int task_is_needed(struct db *db, struct arena *a, const struct uuid *id, struct err *err)
{
	struct db_rows rows;

	return db_row(db, a, &tasks_needed, DB_VALS(db_uuid(id)), &rows, err);
}
