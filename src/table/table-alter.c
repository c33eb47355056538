/* What a change of a table does to rows that are there: a walk in slices, in one transaction where
 * the rows are few, else a step each of a task.
 *
 *   check   each row against the shape that is tried; at the end it becomes the table's
 *   build   the cells of indexes that are not ready; at the end they are
 *   purge   values of columns that were purged
 *   drop    cells of indexes that are no more
 *   gone    all rows and cells of a table that is no more
 *
 * Each slice holds the table alone, so no row changes meanwhile; between slices writers keep to
 * both shapes, and write cells of every index. So what the walk has passed stays right.
 *
 * A type is not changed in rows: they keep what they were given, and it is read as the column's
 * type (table_value_as). So a column that becomes what it was has lost nothing. */
#include "base/clock.h"
#include "table/table-internal.h"

#define STEP_ROWS 1000
#define PROBLEMS_TOLD 10
#define VALUE_TOLD 60

DB_STMT(table_walk,
    "SELECT " TABLE_ROW_COLUMNS " FROM table_rows r FORCE INDEX (PRIMARY)"
    " WHERE r.account_id = ? AND r.table_id = ? AND r.id > ? ORDER BY r.id LIMIT ?");
DB_STMT(table_index_drop, "DELETE FROM table_cells WHERE account_id = ? AND table_id = ?"
			  " AND index_no = ? LIMIT ?");
DB_STMT(table_gone_rows, "DELETE FROM table_rows WHERE account_id = ? AND table_id = ? LIMIT ?");
DB_STMT(table_gone_cells, "DELETE FROM table_cells WHERE account_id = ? AND table_id = ? LIMIT ?");

const struct task_kind table_alter_task = {.name = "table_change",
    .job = "table.change",
    .untitled = "A table",
    .received = {"Looked at", "rows"},
    .updated = {"Changed", "rows"},
    .failed = {"In the way", "rows"}};

/* ---- slices ---------------------------------------------------------------------------------- */

struct alter_slice {
	struct db *db;
	struct arena *a;
	struct table_alter *w;
	struct table *t;
	struct table_row *rows;
	size_t n;
};

static int slice_load(struct alter_slice *s, int64_t most, struct err *err)
{
	struct db_rows rows;

	if (db_query(s->db, s->a, &table_walk,
		DB_VALS(db_uuid(&s->w->account_id), db_uuid(&s->w->table_id), db_uuid(&s->w->after),
		    db_int(most)),
		&rows, err) == -1)
		return -1;
	s->n = rows.count;
	s->rows = arena_array(s->a, rows.count + 1, sizeof(*s->rows));
	for (size_t i = 0; i < rows.count; i++)
		if (table_row_read(s->a, &rows, i, &s->rows[i], err) == -1)
			return -1;
	if (s->n > 0)
		s->w->after = s->rows[s->n - 1].id;
	s->w->seen += (int64_t)s->n;
	return 0;
}

static void slice_tell_misfit(
    const struct alter_slice *s, const struct table_row *row, const struct table_column *c)
{
	json_t *kept = json_object_get(row->data, table_column_key(s->a, c->no));
	struct str key = row->key.p != NULL ? row->key : str_from(uuid_dup(s->a, row->id));
	struct str value =
	    kept == NULL ? STR("") : utf8_cut(table_value_text(s->a, kept), VALUE_TOLD);
	const char *what = kept == NULL ? "has no value"
					: arena_printf(s->a, "\"%.*s\" is not %s", (int)value.n,
					      value.p, table_type_nouns[c->type]);

	json_array_append_new(
	    s->w->problems, json_string(arena_printf(s->a, "row %.*s, column %.*s: %s", (int)key.n,
				key.p, (int)c->name.n, c->name.p, what)));
}

static int slice_check(struct alter_slice *s, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < s->n; i++) {
		const struct table_column *c = table_row_misfit(s->a, &s->t->pending, &s->rows[i]);

		if (c == NULL)
			continue;
		s->w->misfits++;
		if (json_array_size(s->w->problems) < PROBLEMS_TOLD)
			slice_tell_misfit(s, &s->rows[i], c);
	}
	return 0;
}

static int slice_build(struct alter_slice *s, struct err *err)
{
	struct table_shape waiting = s->t->shape;
	struct table_cells cells = {NULL, 0, 0};

	waiting.columns = arena_memdup(s->a, waiting.columns, waiting.n * sizeof(*waiting.columns));
	for (size_t i = 0; i < waiting.n; i++)
		if (waiting.columns[i].is_ready)
			waiting.columns[i].index = 0;
	for (size_t i = 0; i < s->n; i++)
		table_cells_of(s->a, &waiting, &s->rows[i], &cells);
	return table_cells_insert(s->db, s->a, s->t, &cells, err);
}

static int slice_purge(struct alter_slice *s, struct err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct table_row *row = &s->rows[i];
		json_t *no;
		size_t k, before = json_object_size(row->data);

		json_array_each(s->w->purge, k, no)
			json_object_del(row->data, table_column_key(s->a, json_integer_value(no)));
		if (json_object_size(row->data) == before)
			continue;
		row->text = json_text(s->a, row->data);
		s->rows[kept++] = *row;
	}
	s->w->changed += (int64_t)kept;
	return table_rows_store(s->db, s->a, s->t, s->rows, kept, err);
}

/* ---- phases ---------------------------------------------------------------------------------- */

static bool shape_has_waiting(const struct table_shape *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->columns[i].index != 0 && !s->columns[i].is_ready)
			return true;
	return false;
}

/* What is to be done from here on. */
static enum alter_phase alter_next(const struct table_alter *w, const struct table *t)
{
	if (w->is_gone)
		return w->phase == ALTER_DONE ? ALTER_DONE : ALTER_GONE;
	if (t->pending.n > 0)
		return ALTER_CHECK;
	if (shape_has_waiting(&t->shape))
		return ALTER_BUILD;
	if (w->phase <= ALTER_PURGE && json_array_size(w->purge) > 0)
		return ALTER_PURGE;
	return w->phase <= ALTER_DROP && json_array_size(w->drop) > 0 ? ALTER_DROP : ALTER_DONE;
}

static const char *problems_text(struct arena *a, const struct table_alter *w)
{
	struct buf *b = buf_new(a, 4096);
	json_t *text;
	size_t i;

	buf_printf(b, "%lld %s not fit: ", (long long)w->misfits,
	    plural(w->misfits, "row does", "rows do"));
	json_array_each(w->problems, i, text)
		if (b->len + json_string_length(text) < 300)
			buf_printf(b, "%s%s", i > 0 ? "; " : "", json_string_value(text));
	return b->p;
}

/* Behind the last row of a walk. */
static int alter_end_walk(struct alter_slice *s, struct err *err)
{
	struct table *t = s->t;

	if (s->w->phase == ALTER_PURGE)
		return 0;
	if (s->w->phase == ALTER_CHECK && s->w->misfits > 0) {
		t->refused = problems_text(s->a, s->w);
		t->pending = (struct table_shape){.n = 0};
	} else if (s->w->phase == ALTER_CHECK) {
		t->shape = t->pending;
		t->pending = (struct table_shape){.n = 0};
	} else {
		for (size_t i = 0; i < t->shape.n; i++)
			t->shape.columns[i].is_ready = t->shape.columns[i].index != 0;
	}
	return table_store(s->db, s->a, t, err);
}

/* 1 the walk goes on, 0 it is over, -1. */
static int alter_walk(struct alter_slice *s, int64_t most, struct err *err)
{
	static int (*const acts[])(struct alter_slice * s, struct err * err) = {
	    [ALTER_CHECK] = slice_check, [ALTER_BUILD] = slice_build, [ALTER_PURGE] = slice_purge};

	if (slice_load(s, most, err) == -1 || acts[s->w->phase](s, err) == -1)
		return -1;
	if ((int64_t)s->n == most)
		return 1;
	return alter_end_walk(s, err) == -1 ? -1 : 0;
}

/* The same of cells of indexes. */
static int alter_drop(struct alter_slice *s, int64_t most, struct err *err)
{
	while (json_array_size(s->w->drop) > 0) {
		uint64_t gone;

		if (db_exec(s->db, &table_index_drop,
			DB_VALS(db_uuid(&s->w->account_id), db_uuid(&s->w->table_id),
			    db_int(json_integer_value(json_array_get(s->w->drop, 0))),
			    db_int(most)),
			&gone, err) == -1)
			return -1;
		if ((int64_t)gone == most)
			return 1;
		json_array_remove(s->w->drop, 0);
	}
	return 0;
}

static int alter_gone(struct alter_slice *s, int64_t most, struct err *err)
{
	const struct db_val vals[] = {
	    db_uuid(&s->w->account_id), db_uuid(&s->w->table_id), db_int(most)};
	uint64_t rows, cells;

	if (db_exec(s->db, &table_gone_rows, vals, 3, &rows, err) == -1 ||
	    db_exec(s->db, &table_gone_cells, vals, 3, &cells, err) == -1)
		return -1;
	s->w->changed += (int64_t)rows;
	s->w->seen += (int64_t)rows;
	return (int64_t)rows == most || (int64_t)cells == most;
}

int table_alter_step(
    struct db *db, struct arena *a, struct table_alter *w, int64_t rows, struct err *err)
{
	struct table t = {.rows = -1};
	struct alter_slice s = {db, a, w, &t, NULL, 0};
	enum alter_phase next;
	int found = w->is_gone ? 1 : table_lock(db, a, &w->account_id, &w->table_id, &t, err);
	int more;

	if (found != 1)
		return found;
	if (t.refused != NULL)
		return err_field(err, ERR_INVALID, "columns", "%s", t.refused);
	next = alter_next(w, &t);
	if (next != w->phase)
		w->after = (struct uuid){{0}};
	w->phase = next;
	if (next == ALTER_DONE)
		return 0;
	more = next == ALTER_GONE   ? alter_gone(&s, rows, err)
	       : next == ALTER_DROP ? alter_drop(&s, rows, err)
				    : alter_walk(&s, rows, err);
	if (more != 0)
		return more;
	w->after = (struct uuid){{0}};
	w->phase = next == ALTER_GONE ? ALTER_DONE : next + 1;
	return 1;
}

/* ---- the task -------------------------------------------------------------------------------- */

static json_t *alter_json(struct arena *a, const struct table_alter *w)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "tableId", uuid_dup(a, w->table_id));
	json_set(o, "purge", json_incref(w->purge));
	json_set(o, "drop", json_incref(w->drop));
	json_set_bool(o, "gone", w->is_gone);
	return o;
}

static int alter_parse(
    struct arena *a, const struct task *task, struct table_alter *out, struct err *err)
{
	json_t *args = json_parse_stored(a, task->args, err), *at = NULL;

	if (args == NULL ||
	    (task->position.p != NULL && (at = json_parse_stored(a, task->position, err)) == NULL))
		return -1;
	*out = (struct table_alter){.account_id = task->account_id,
	    .purge = json_object_get(args, "purge"),
	    .drop = json_object_get(args, "drop"),
	    .is_gone = json_bool(args, "gone"),
	    .phase = (enum alter_phase)json_int(at, "phase"),
	    .problems = json_own(a, json_array())};
	uuid_parse(str_from(json_str(args, "tableId")), &out->table_id);
	uuid_parse(str_from(json_str(at, "after")), &out->after);
	return 0;
}

int table_alter_queue(struct db *db, struct arena *a, const struct table_alter *w,
    const struct table *t, const struct uuid *created_by, struct uuid *task_id, struct err *err)
{
	struct task task = {.account_id = w->account_id,
	    .created_by = *created_by,
	    .title = t->name,
	    .args = json_text(a, alter_json(a, w)),
	    .total = t->rows};

	if (task_queue(db, &table_alter_task, &task, NULL, err) == -1)
		return -1;
	*task_id = task.id;
	return 0;
}

int table_alter_is_open(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, struct err *err)
{
	struct tasks open;

	if (task_list_open(db, a, account_id, &open, err) == -1)
		return -1;
	for (size_t i = 0; i < open.n; i++) {
		struct table_alter w;

		if (strcmp(open.v[i].kind, table_alter_task.name) != 0)
			continue;
		if (alter_parse(a, &open.v[i], &w, err) == -1)
			return -1;
		if (uuid_eq(w.table_id, *table_id))
			return 1;
	}
	return 0;
}

struct alter_run {
	struct task_run *run;
	struct table_alter now, next; /* as of the last commit, and while a step works */
};

static int alter_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct alter_run *r = arg;
	struct table_alter *w = &r->next;
	json_t *at = json_own(a, json_object());
	int more;

	*w = r->now;
	w->drop = json_own(r->run->job->a, json_copy(w->drop));
	w->seen = w->changed = 0;
	more = table_alter_step(db, a, w, STEP_ROWS, err);
	if (more == -1)
		return -1;
	*then = more == 1 ? TASK_GO_ON : TASK_DONE;
	next->counts.received += w->seen;
	next->counts.updated += w->changed;
	next->counts.failed = w->misfits;
	next->done += w->seen;
	json_set_int(at, "phase", w->phase);
	json_set_str(at, "after", uuid_dup(a, w->after));
	next->position = json_text(a, at);
	return 0;
}

/* One that people have stopped leaves the table as it was, and says so. */
static int alter_undo_body(struct db *db, void *arg, struct err *err)
{
	struct alter_run *r = arg;
	struct arena *a = r->run->job->a;
	struct table t;
	int found = table_lock(db, a, &r->now.account_id, &r->now.table_id, &t, err);
	int other = found != 1 ? 0 : table_alter_is_open(db, a, &t.account_id, &t.id, err);

	if (found != 1 || other != 0)
		return found == -1 || other == -1 ? -1 : 0;
	if (t.pending.n > 0)
		t.refused = "it was stopped";
	t.pending = (struct table_shape){.n = 0};
	for (size_t i = 0; i < t.shape.n; i++)
		if (!t.shape.columns[i].is_ready)
			t.shape.columns[i].index = 0;
	return table_store(db, a, &t, err);
}

int table_job_change(struct job *j, struct err *err)
{
	struct alter_run r = {.run = NULL};
	int found = task_run_begin(j, &table_alter_task, &r.run, err);

	if (found == -1 || uuid_is_nil(r.run->task.id))
		return found == -1 ? -1 : 0;
	if (alter_parse(j->a, &r.run->task, &r.now, err) == -1)
		return found == 1 ? task_run_fail(r.run, true, err) : -1;
	while (found == 1 && !r.run->is_over) {
		if (task_run_step(r.run, alter_work, &r, err) == -1)
			return task_run_fail(r.run, err->code == ERR_INVALID, err);
		r.now = r.next;
	}
	return r.run->task.status == TASK_CANCELLED && !r.now.is_gone
		   ? db_transaction(j->app->db, alter_undo_body, &r, err)
		   : 0;
}
