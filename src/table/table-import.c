/* Imports into a table: in the request where the rows are few, else by a task that stores a batch,
 * its error rows and its place in the file in one transaction each. */
#include "table/table-import.h"

#include <unistd.h>

#include "account/audit.h"
#include "base/clock.h"
#include "base/config.h"

#define BATCH_ROWS 500
#define BATCH_BYTES (2u * 1024u * 1024u)
#define LOST_FILE_ATTEMPTS 5

const struct task_kind table_import_task = {.name = "table_import",
    .job = "table.import",
    .is_file = true,
    .untitled = "Rows without a file",
    .received = {"Rows read", NULL},
    .created = {"New", "rows"},
    .updated = {"Changed", "rows"},
    .unchanged = {"Unchanged", "rows"},
    .failed = {"Skipped", "rows"}};

/* ---- a batch --------------------------------------------------------------------------------- */

struct table_batch {
	struct arena *a;
	struct table_file_row rows[BATCH_ROWS];
	size_t n;
	int64_t next_line, next_offset;
	bool is_end;
};

static int batch_read(
    struct table_batch *b, const struct table_file *f, struct csv_reader *rd, struct err *err)
{
	struct csv_row row;
	int rc = 1;

	b->n = 0;
	while (b->n < BATCH_ROWS && arena_used(b->a) < BATCH_BYTES &&
	       (rc = csv_reader_next(rd, &row, err)) == 1) {
		table_file_row(b->a, f, &row, &b->rows[b->n++]);
		b->next_line = row.next_line;
		b->next_offset = row.next_offset;
	}
	b->is_end = rc == 0;
	return rc == -1 ? -1 : 0;
}

/* Within a transaction that holds the table: writes the rows; those that could not be say why. */
static int batch_write(struct db *db, struct arena *a, const struct table *t, struct table_batch *b,
    struct task_counts *c, struct err *err)
{
	struct table_write *writes = arena_array(a, b->n + 1, sizeof(*writes));
	size_t *of = arena_array(a, b->n + 1, sizeof(*of)), n = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (b->rows[i].problem != NULL)
			continue;
		of[n] = i;
		writes[n++] = (struct table_write){
		    .key = b->rows[i].key, .data = b->rows[i].data, .is_lenient = true};
	}
	if (table_write_rows(db, a, t, writes, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct table_write *w = &writes[i];

		if (w->err.code != ERR_NONE) {
			b->rows[of[i]].problem = arena_printf(b->a, "%s%s%s", w->err.field,
			    w->err.field[0] != '\0' ? " " : "", w->err.msg);
			continue;
		}
		c->created += w->is_created;
		c->updated += !w->is_created && w->is_changed;
		c->unchanged += !w->is_changed;
	}
	return 0;
}

static int batch_store(struct db *db, struct arena *a, const struct table *t, struct table_batch *b,
    struct task *next, struct err *err)
{
	struct import_error *errors = arena_array(a, b->n + 1, sizeof(*errors));
	size_t n = 0, kept;
	int64_t room = IMPORT_ERRORS_KEPT - next->counts.failed;

	if (batch_write(db, a, t, b, &next->counts, err) == -1)
		return -1;
	for (size_t i = 0; i < b->n; i++)
		if (b->rows[i].problem != NULL)
			errors[n++] = (struct import_error){uuid_new(), b->rows[i].line,
			    str_from(b->rows[i].problem), b->rows[i].text};
	kept = room <= 0 ? 0 : (int64_t)n < room ? n : (size_t)room;
	if (kept > 0 && import_errors_insert(db, a, next, errors, kept, err) == -1)
		return -1;
	next->counts.failed += (int64_t)n;
	next->counts.received += (int64_t)b->n;
	return 0;
}

/* ---- what was asked, kept with the task ------------------------------------------------------ */

static struct str import_args(struct arena *a, const struct table_file *f)
{
	json_t *o = json_parse_stored(a, import_options_text(a, &f->o), NULL);

	json_set_str(o, "tableId", uuid_dup(a, f->t->id));
	if (f->key_column.p != NULL)
		json_set_strn(o, "keyColumn", f->key_column);
	return json_text(a, o);
}

/* ---- the job --------------------------------------------------------------------------------- */

struct table_import {
	struct task_run *run;
	struct uuid table_id;
	struct table t; /* as the file's columns were found in it */
	struct table_file file;
	struct csv_reader *rd;
	struct table_batch *batch;
};

static int import_load_table(
    struct table_import *x, struct db *db, struct arena *a, struct table *out, struct err *err)
{
	int found = table_hold(db, a, &x->run->task.account_id, &x->table_id, out, err);

	return found == 0    ? err_set(err, ERR_INVALID, "the table is no more")
	       : found == -1 ? -1
			     : 0;
}

static int import_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct table_import *x = arg;
	struct table t;

	if (import_load_table(x, db, a, &t, err) == -1 ||
	    batch_store(db, a, &t, x->batch, next, err) == -1)
		return -1;
	if (x->batch->n > 0) {
		next->position =
		    str_from(arena_printf(a, "{\"line\":%lld}", (long long)x->batch->next_line));
		next->done = x->batch->next_offset;
	}
	*then = x->batch->is_end ? TASK_DONE : TASK_GO_ON;
	if (x->batch->is_end)
		next->done = next->total;
	return 0;
}

static int import_begin(struct table_import *x, struct job *j, struct err *err)
{
	const struct task *t = &x->run->task;
	struct csv_source source = {.path = import_file_path(j->app, j->a, &t->id)};
	const json_t *args = json_parse_stored(j->a, t->args, err), *at;

	if (args == NULL || import_options_parse(j->a, t->args, &x->file.o, err) == -1)
		return -1;
	uuid_parse(str_from(json_str(args, "tableId")), &x->table_id);
	x->file.key_column = str_from(json_str(args, "keyColumn"));
	x->file.t = &x->t;
	if (import_load_table(x, j->app->db, j->a, &x->t, err) == -1 ||
	    table_file_open(j->a, &source, &x->file, &x->rd, err) == -1)
		return -1;
	if (t->position.p == NULL)
		return 0;
	if ((at = json_parse_stored(j->a, t->position, err)) == NULL)
		return -1;
	csv_reader_seek(x->rd, t->done, json_int(at, "line"));
	return 0;
}

static struct table_batch *batch_new(struct arena *a)
{
	struct table_batch *b = arena_zalloc(a, sizeof(*b));

	b->a = arena_new();
	arena_on_free(a, (void (*)(void *))arena_free, b->a);
	return b;
}

static int import_to_end(struct table_import *x, struct job *j, struct err *err)
{
	if (import_begin(x, j, err) == -1)
		return -1;
	x->batch = batch_new(j->a);
	do {
		arena_reset(x->batch->a);
		if (batch_read(x->batch, &x->file, x->rd, err) == -1 ||
		    task_run_step(x->run, import_work, x, err) == -1)
			return -1;
	} while (!x->run->is_over);
	return 0;
}

int table_job_import(struct job *j, struct err *err)
{
	struct table_import x = {.run = NULL};
	int found = task_run_begin(j, &table_import_task, &x.run, err);

	if (found == 1 && import_to_end(&x, j, err) == -1) {
		bool is_final = err->code == ERR_INVALID || err->code == ERR_LIMIT ||
				(err->code == ERR_NOT_FOUND && j->attempts >= LOST_FILE_ATTEMPTS);

		if (task_run_fail(x.run, is_final, err) == -1)
			return -1;
	}
	if (found == -1)
		return -1;
	if (found == 0 || !task_is_open(&x.run->task))
		unlink(import_file_path(j->app, j->a, &j->subject_id));
	return 0;
}

/* ---- requests -------------------------------------------------------------------------------- */

struct import_act {
	struct req *r;
	struct table_file *f;
	struct task task, next;
	const struct csv_source *source;
	struct table_batch *batch; /* the last: with the error rows for the answer */
	json_t *errors;
};

static void act_add_errors(struct import_act *act)
{
	for (size_t i = 0; i < act->batch->n; i++) {
		const struct table_file_row *row = &act->batch->rows[i];
		json_t *e;

		if (row->problem == NULL)
			continue;
		e = json_object();
		json_set_int(e, "line", row->line);
		json_set_str(e, "message", row->problem);
		json_array_append_new(act->errors, e);
	}
}

/* All batches, in one transaction, which may be tried again. */
static int import_now_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct import_act *act = arg;
	struct csv_reader *rd;
	struct table t;
	int found = table_hold(db, act->r->a, &act->task.account_id, &act->f->t->id, &t, err);

	act->next = act->task;
	json_array_clear(act->errors);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "the table is no more");
	if (found == -1 || table_file_open(act->r->a, act->source, act->f, &rd, err) == -1)
		return -1;
	do {
		arena_reset(act->batch->a);
		if (batch_read(act->batch, act->f, rd, err) == -1 ||
		    batch_store(db, act->batch->a, &t, act->batch, &act->next, err) == -1)
			return -1;
		act_add_errors(act);
	} while (!act->batch->is_end);
	act->next.status = TASK_COMPLETED;
	act->next.done = act->next.total;
	act->next.started_us = act->next.created_us;
	act->next.finished_us = clock_now_us();
	if (task_insert(db, &act->next, err) == -1)
		return -1;
	audit_fact(log, "import.create", "task", &act->next.id, NULL);
	return 0;
}

static int import_later_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct import_act *act = arg;
	int64_t open, bytes;

	if (task_queue(db, &table_import_task, &act->task, NULL, err) == -1 ||
	    task_sum_unfinished(
		db, act->r->a, &act->task.account_id, &table_import_task, &open, &bytes, err) == -1)
		return -1;
	if (open > (int64_t)act->r->app->config->imports_open)
		return err_set(err, ERR_CONFLICT, "Too many imports are under way: wait for one");
	audit_fact(log, "import.create", "task", &act->task.id, NULL);
	return 0;
}

int table_import_run(struct req *r, struct table_file *f, const struct csv_source *source,
    struct str file_name, struct task *out, json_t **errors, struct err *err)
{
	struct import_act act = {.r = r,
	    .f = f,
	    .source = source,
	    .errors = json_own(r->a, json_array()),
	    .task = {.id = uuid_new(),
		.account_id = r->actor.account_id,
		.created_by = r->actor.user_id,
		.kind = table_import_task.name,
		.status = TASK_QUEUED,
		.title = file_name,
		.resource_type = f->t->slug,
		.total = (int64_t)source->size,
		.created_us = clock_now_us()}};
	int64_t count;
	int rc;

	*errors = act.errors;
	if (table_file_prepare(r->a, source, f, err) == -1 ||
	    import_count(source, &f->o.format, IMPORT_DIRECT_ROWS, &count, err) == -1)
		return -1;
	act.task.args = import_args(r->a, f);
	if (count <= IMPORT_DIRECT_ROWS) {
		act.batch = batch_new(r->a);
		rc = audit_change(r->app, r, &act.task.account_id, import_now_body, &act, err);
		*out = act.next;
		return rc;
	}
	if (import_keep_file(r->app, r->a, &act.task.id, source, err) == -1)
		return -1;
	rc = audit_change(r->app, r, &act.task.account_id, import_later_body, &act, err);
	if (rc == -1)
		import_drop_refused(r->app, r->a, &act.task.id, err);
	*out = act.task;
	return rc;
}
