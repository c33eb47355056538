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

DB_STMT(tasks_insert,
    "INSERT INTO tasks (id, account_id, kind, status, title, provider_type, resource_type, args,"
    " position, done, total, received, created, updated, unchanged, failed, error, created_by,"
    " created_at, started_at, finished_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
DB_STMT(tasks_get, SELECT_TASKS " WHERE account_id = ? AND id = ?");
DB_STMT(tasks_lock, SELECT_TASKS " WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(tasks_hold,
    "SELECT status, done, position FROM tasks WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(tasks_progress,
    "UPDATE tasks SET status = ?, position = ?, done = ?, received = ?, created = ?, updated = ?,"
    " unchanged = ?, failed = ?, error = ?, started_at = ?, finished_at = ?"
    " WHERE account_id = ? AND id = ?");
DB_STMT(tasks_draft,
    "UPDATE tasks SET status = ?, args = ? WHERE account_id = ? AND id = ? AND status = 'draft'");
DB_STMT(tasks_delete, "DELETE FROM tasks WHERE account_id = ? AND id = ?");
DB_STMT(tasks_newest, SELECT_TASKS " WHERE account_id = ? AND id < ? AND status <> 'draft'"
				   " ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(tasks_open, SELECT_TASKS " WHERE account_id = ? AND status IN ('queued', 'running')"
				 " ORDER BY id LIMIT ?");
DB_STMT(tasks_drafts,
    SELECT_TASKS " WHERE status = 'draft' AND kind = ? AND created_at < ? ORDER BY id LIMIT ?");
DB_STMT(
    tasks_needed, "SELECT 1 FROM tasks WHERE id = ? AND status IN ('draft', 'queued', 'running')");

/* ---- rows ---------------------------------------------------------------------------------- */

static enum task_status status_of(struct str name)
{
	enum task_status s = TASK_DRAFT;

	while (s < TASK_CANCELLED && !str_is(name, task_status_name(s)))
		s++;
	return s;
}

static void read_row(const struct db_rows *rows, size_t i, struct task *out)
{
	*out = (struct task){.id = db_get_uuid(rows, i, 0),
	    .account_id = db_get_uuid(rows, i, 1),
	    .kind = db_get_text(rows, i, 2),
	    .status = status_of(db_get_str(rows, i, 3)),
	    .title = db_get_str(rows, i, 4),
	    .provider_type = db_get_str(rows, i, 5),
	    .resource_type = db_get_str(rows, i, 6),
	    .args = db_get_str(rows, i, 7),
	    .position = str_from(db_get_text(rows, i, 8)),
	    .done = db_get_int(rows, i, 9),
	    .total = db_get_int(rows, i, 10),
	    .counts = {db_get_int(rows, i, 11), db_get_int(rows, i, 12), db_get_int(rows, i, 13),
		db_get_int(rows, i, 14), db_get_int(rows, i, 15)},
	    .error = db_get_text(rows, i, 16),
	    .created_by = db_get_uuid(rows, i, 17),
	    .created_us = db_get_int(rows, i, 18),
	    .started_us = db_get_int(rows, i, 19),
	    .finished_us = db_get_int(rows, i, 20)};
}

static int read_rows(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct db_val *vals, size_t n, struct tasks *out, struct err *err)
{
	struct db_rows rows;

	*out = (struct tasks){NULL, 0};
	if (db_query(db, a, s, vals, n, &rows, err) == -1)
		return -1;
	out->v = arena_array(a, rows.count + 1, sizeof(*out->v));
	for (out->n = 0; out->n < rows.count; out->n++)
		read_row(&rows, out->n, &out->v[out->n]);
	return 0;
}

static struct db_val text_or_empty(struct str s)
{
	return db_strn(s.p == NULL ? STR("") : s);
}

/* ---- writing ------------------------------------------------------------------------------- */

int task_insert(struct db *db, const struct task *t, struct err *err)
{
	return db_exec(db, &tasks_insert,
	    DB_VALS(db_uuid(&t->id), db_uuid(&t->account_id), db_str(t->kind),
		db_str(task_status_name(t->status)), text_or_empty(t->title),
		text_or_empty(t->provider_type), text_or_empty(t->resource_type), db_strn(t->args),
		db_strn(t->position), db_int(t->done), db_int(t->total), db_int(t->counts.received),
		db_int(t->counts.created), db_int(t->counts.updated), db_int(t->counts.unchanged),
		db_int(t->counts.failed), db_str(t->error), db_uuid_or_null(&t->created_by),
		db_int(t->created_us), db_time(t->started_us), db_time(t->finished_us)),
	    NULL, err);
}

static int insert_job(struct db *db, const struct task_kind *kind, const struct task *t,
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
	return insert_job(db, kind, t, job_id, err);
}

static int draft_set(struct db *db, const struct task *t, struct err *err)
{
	return db_exec(db, &tasks_draft,
	    DB_VALS(db_str(task_status_name(t->status)), db_strn(t->args), db_uuid(&t->account_id),
		db_uuid(&t->id)),
	    NULL, err);
}

int task_draft_update(struct db *db, const struct task *t, struct err *err)
{
	return draft_set(db, t, err);
}

int task_draft_queue(struct db *db, const struct task_kind *kind, struct task *t, struct err *err)
{
	t->status = TASK_QUEUED;
	if (draft_set(db, t, err) == -1)
		return -1;
	return insert_job(db, kind, t, NULL, err);
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
		db_int(t->counts.received), db_int(t->counts.created), db_int(t->counts.updated),
		db_int(t->counts.unchanged), db_int(t->counts.failed), db_str(t->error),
		db_time(t->started_us), db_time(t->finished_us), db_uuid(&t->account_id),
		db_uuid(&t->id)),
	    NULL, err);
}

/* ---- reading ------------------------------------------------------------------------------- */

int task_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    bool is_locked, struct task *out, struct err *err)
{
	struct db_rows rows;
	int rc = db_row(db, a, is_locked ? &tasks_lock : &tasks_get,
	    DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (rc == 1)
		read_row(&rows, 0, out);
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
	*now = status_of(db_get_str(&rows, 0, 0));
	if (*now != TASK_QUEUED && *now != TASK_RUNNING)
		return 0;
	if (db_get_int(&rows, 0, 1) != t->done ||
	    db_is_null(&rows, 0, 2) != (t->position.p == NULL) ||
	    !str_eq(db_get_str(&rows, 0, 2), t->position))
		return err_set(err, ERR_CONFLICT, "another run has gone on with the task");
	return 1;
}

int task_list(struct db *db, struct arena *a, const struct uuid *account_id, struct slice *s,
    struct tasks *out, struct err *err)
{
	struct cursor from = slice_from(s);

	if (read_rows(db, a, &tasks_newest,
		DB_VALS(db_uuid(account_id), db_uuid(&from.id), db_int(slice_limit(s)),
		    db_int(s->offset)),
		out, err) == -1)
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
	return read_rows(
	    db, a, &tasks_open, DB_VALS(db_uuid(account_id), db_int(OPEN_ROWS)), out, err);
}

int task_list_drafts(struct db *db, struct arena *a, const struct task_kind *kind,
    int64_t before_us, int64_t limit, struct tasks *out, struct err *err)
{
	return read_rows(db, a, &tasks_drafts,
	    DB_VALS(db_str(kind->name), db_int(before_us), db_int(limit)), out, err);
}

int task_is_needed(struct db *db, struct arena *a, const struct uuid *id, struct err *err)
{
	struct db_rows rows;

	return db_row(db, a, &tasks_needed, DB_VALS(db_uuid(id)), &rows, err);
}
