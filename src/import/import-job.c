/* Runs of imports, in two ways over the same batches:
 *
 *   a job:      [batch] commit [batch] commit ... [last] completed      (import_job_run)
 *   a request:  [batch  batch  ...  last, the task's own row] commit    (import_run_now)
 *
 * A job stores a batch of rows in each transaction, together with the place in the file and the
 * counts, so that whoever goes on after a crash counts every row once. While the database works on
 * one batch the next is read: `now` is the one being stored, `ahead` the one being read.
 *
 * A row that cannot be read is an error row from the beginning. One that only the store refuses
 * (too large, say) fails the transaction, and the batch is done again row by row (is_careful), so
 * that the rest of it is stored and this one becomes an error row as well. All other errors are the
 * job's: it comes back later and goes on at the stored place.
 *
 * The file belongs to the task and goes with its end. It may lie on another host, so a missing one
 * is final only after some attempts. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "account/audit.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "import/import.h"
#include "record/record-shape.h"

#define LOST_FILE_ATTEMPTS 5
#define ADOPT_TASKS 50 /* the last ones with error rows are looked at for a file of them */

const struct task_kind import_task = {.name = "import",
    .job = "record.import",
    .is_file = true,
    .untitled = "Rows without a file",
    .received = {"Rows read", NULL},
    .created = {"New", "records"},
    .updated = {"Changed", "records"},
    .unchanged = {"Unchanged", "rows"},
    .failed = {"Skipped", "rows"}};

/* ---- options ------------------------------------------------------------------------------- */

struct str import_options_text(struct arena *a, const struct import_options *o)
{
	const char delimiter[2] = {o->format.delimiter, '\0'}, quote[2] = {o->format.quote, '\0'};
	json_t *v = json_own(a, json_object());

	json_set_str(v, "delimiter", delimiter);
	json_set_str(v, "quote", quote);
	json_set_str(v, "encoding", csv_encoding_name(o->format.encoding));
	json_set_bool(v, "lenient", o->format.is_lenient);
	json_set_str(v, "why", o->why);
	json_set_int(v, "start", o->format.start);
	json_set_int(v, "startLine", o->format.line);
	json_set(v, "mapping", json_incref((json_t *)(uintptr_t)o->mapping));
	json_set(v, "keyColumns", json_incref((json_t *)(uintptr_t)o->key_columns));
	json_set(v, "headers", json_incref((json_t *)(uintptr_t)o->headers));
	json_set_str(v, "remembered", o->remembered);
	json_set_str(v, "blank", import_blank_name(o->is_blank_cleared));
	json_set_bool(v, "errors", o->is_errors);
	json_set_bool(v, "raw", o->is_raw);
	json_set_bool(v, "ownProviders", o->has_own_providers);
	return json_text(a, v);
}

static const char *const blank_names[] = {"keep", "clear"};

const char *import_blank_name(bool is_cleared)
{
	return blank_names[is_cleared];
}

bool import_blank_parse(struct str name, bool *is_cleared)
{
	*is_cleared = str_is(name, blank_names[1]);
	return *is_cleared || str_is(name, blank_names[0]);
}

int import_options_parse(
    struct arena *a, struct str text, struct import_options *out, struct err *err)
{
	const json_t *v = json_parse_stored(a, text, err);
	const char *delimiter = json_str(v, "delimiter"), *quote = json_str(v, "quote");
	const char *encoding = json_str(v, "encoding");

	*out = (struct import_options){.why = json_str(v, "why"),
	    .mapping = json_object_get(v, "mapping"),
	    .key_columns = json_object_get(v, "keyColumns"),
	    .headers = json_object_get(v, "headers"),
	    .remembered = json_str(v, "remembered"),
	    .is_detected = true,
	    .has_blank = true,
	    .is_errors = json_bool(v, "errors"),
	    .is_raw = json_bool(v, "raw"),
	    .has_own_providers = json_bool(v, "ownProviders")};
	if (v == NULL || delimiter == NULL || quote == NULL || encoding == NULL ||
	    !csv_encoding_parse(str_from(encoding), &out->format.encoding))
		return err_set(err, ERR_INTERNAL, "an import's options cannot be read");
	import_blank_parse(str_from(json_str(v, "blank")), &out->is_blank_cleared);
	out->format.delimiter = delimiter[0];
	out->format.quote = quote[0];
	out->format.is_lenient = json_bool(v, "lenient");
	out->format.start = json_int(v, "start");
	out->format.line = json_int(v, "startLine");
	return 0;
}

int import_open(struct arena *a, const struct csv_source *source, const struct import_options *o,
    struct csv_reader **rd, struct import_map **map, struct csv_row *header, struct err *err)
{
	bool is_lines = import_is_lines(&o->format);
	int rc;

	*rd = csv_reader_new(a, source, &o->format, err);
	rc = *rd == NULL ? -1 : csv_reader_next(*rd, header, err);
	if (rc == 0)
		return err_field(err, ERR_INVALID, "csv",
		    is_lines ? "has no lines"
			     : "has no header: the first row must name the columns");
	if (rc == -1 || (*map = import_map_new(a, header, o, err)) == NULL)
		return -1;
	if (is_lines) {
		*header = (struct csv_row){
		    .next_offset = o->format.start, .next_line = o->format.line + 1};
		csv_reader_seek(*rd, header->next_offset, header->next_line);
	}
	return 0;
}

/* An export without guards has its first name in quotes, which its own writer alone does. */
static int import_look(struct arena *a, const struct csv_source *source, struct import_options *o,
    struct csv_row *header, struct err *err)
{
	struct csv_reader *rd;
	int rc;

	if (!o->is_detected && import_detect(a, source, &o->format, &o->why, err) == -1)
		return -1;
	rd = csv_reader_new(a, source, &o->format, err);
	rc = rd == NULL ? -1 : csv_reader_next(rd, header, err);
	if (rc == 1 && !o->is_detected && !o->is_errors)
		o->is_raw = str_starts(header->text, RECORD_CSV_RAW);
	o->is_detected = true;
	return rc;
}

/* Of NDJSON the line stands in one. */
static json_t *headers_of(struct arena *a, const struct import_map *m)
{
	json_t *headers = json_own(a, json_array());

	if (import_map_columns(m) == 0)
		json_array_append_new(headers, json_string("record"));
	for (size_t i = 0; i < import_map_columns(m); i++) {
		struct str name = import_map_name(m, i);

		json_array_append_new(headers, json_stringn(name.p, name.n));
	}
	return headers;
}

int import_prepare(struct arena *a, const struct csv_source *source, struct import_options *o,
    struct import_map **map, struct err *err)
{
	struct csv_reader *rd;
	struct csv_row header;

	if (import_look(a, source, o, &header, err) == -1 ||
	    import_open(a, source, o, &rd, map, &header, err) == -1)
		return -1;
	o->headers = headers_of(a, *map);
	o->has_own_providers = o->has_own_providers && import_map_is_export(*map);
	return 0;
}

int import_provider(struct arena *a, const struct csv_source *source,
    const struct import_options *o, struct str *out, struct err *err)
{
	struct import_map *map;
	struct csv_reader *rd;
	struct csv_row row;
	struct import_row read;
	int rc;

	if (!o->has_own_providers)
		return 0;
	if (import_open(a, source, o, &rd, &map, &row, err) == -1 ||
	    (rc = csv_reader_next(rd, &row, err)) == -1)
		return -1;
	if (rc == 1 && import_map_row(map, a, &row, &read) == 1 && read.provider_type.n > 0)
		*out = read.provider_type;
	return 0;
}

/* ---- rows that an earlier import did not take ------------------------------------------------ */

/* Are the file's columns those of an import's error rows? */
static bool header_is_of(const struct csv_row *header, const json_t *headers)
{
	json_t *name;
	size_t i;

	if (json_array_size(headers) == 0 || header->n != json_array_size(headers) + 2)
		return false;
	json_array_each(headers, i, name) {
		struct str cell = utf8_trim(csv_unguarded(header->cells[i + 2]));

		if (!str_eq(cell, utf8_trim(str_from(json_string_value(name)))))
			return false;
	}
	return true;
}

/* What was asked of the first file, where nothing else is asked of this one. */
static void options_adopt(struct import_options *o, const struct import_options *first)
{
	o->is_errors = true;
	o->is_raw = first->is_raw;
	o->has_own_providers = o->has_own_providers && first->has_own_providers;
	if (o->mapping == NULL)
		o->mapping = first->mapping;
	if (o->key_columns == NULL)
		o->key_columns = first->key_columns;
	if (!o->has_blank)
		o->is_blank_cleared = first->is_blank_cleared;
}

int import_adopt(struct db *db, struct arena *a, const struct uuid *account_id,
    struct str resource_type, const struct csv_source *source, struct import_options *o,
    struct err *err)
{
	struct csv_row header;
	struct tasks failed;
	int rc = import_look(a, source, o, &header, err);

	if (rc != 1 || header.problem != NULL || header.n < 3 ||
	    !str_is(header.cells[0], IMPORT_ERRORS_LINE) ||
	    !str_is(header.cells[1], IMPORT_ERRORS_REASON))
		return rc == -1 ? -1 : 0;
	if (task_list_failed(db, a, account_id, &import_task, ADOPT_TASKS, &failed, err) == -1)
		return -1;
	for (size_t i = 0; i < failed.n && !o->is_errors; i++) {
		struct import_options first;

		if (str_eq(failed.v[i].resource_type, resource_type) &&
		    import_options_parse(a, failed.v[i].args, &first, err) == 0 &&
		    header_is_of(&header, first.headers))
			options_adopt(o, &first);
	}
	return 0;
}

/* ---- a run --------------------------------------------------------------------------------- */

struct import_run {
	struct app *app;
	const struct task *task; /* as of the last commit */
	struct import_map *map;
	struct csv_reader *rd;
	struct import_batch *now, *ahead; /* the one being stored, the one being read meanwhile */
	bool is_careful;                  /* row by row, since one of them cannot be stored */
	/* of a request: all error rows, in its arena */
	struct req *r;
	struct import_error *all;
	size_t nall, cap;
};

static struct import_run *import_run_new(struct app *app, struct arena *a, const struct task *t)
{
	struct import_run *run = arena_zalloc(a, sizeof(*run));

	run->app = app;
	run->task = t;
	run->now = import_batch_new(a);
	run->ahead = import_batch_new(a);
	return run;
}

static bool run_read_ahead(void *arg)
{
	struct import_run *run = arg;

	return import_batch_read(run->ahead, run->task, run->map, run->rd);
}

/* The batch read ahead, to its end, becomes the one to store. */
static int run_next_batch(struct import_run *run, struct err *err)
{
	struct import_batch *read = run->ahead;

	while (run_read_ahead(run))
		;
	run->ahead = run->now;
	run->now = read;
	import_batch_reset(run->ahead);
	run->is_careful = false;
	return read->err.code == ERR_NONE ? 0 : err_set(err, read->err.code, "%s", read->err.msg);
}

/* ---- storing a batch ----------------------------------------------------------------------- */

static void counts_add_outcome(struct task_counts *c, const struct record_item *it)
{
	switch (it->outcome) {
	case RECORD_CREATED:
		c->created++;
		break;
	case RECORD_UPDATED:
		c->updated++;
		break;
	case RECORD_UNCHANGED:
	case RECORD_STALE:
		c->unchanged++;
		break;
	}
}

static bool is_rows_fault(const struct err *err)
{
	return err->code == ERR_LIMIT || err->code == ERR_INVALID || err->code == ERR_UNREADABLE;
}

/* Flows that want to know of imports. */
static int run_tell(struct db *db, struct arena *a, const struct import_run *run,
    const struct record_item *items, size_t n, struct err *err)
{
	struct record_news *news = arena_zalloc(a, (n + 1) * sizeof(*news));

	if (run->app->hooks.records_stored == NULL)
		return 0;
	for (size_t i = 0; i < n; i++)
		news[i] = (struct record_news){.item = &items[i], .is_old = true};
	return run->app->hooks.records_stored(db, a, news, n, err);
}

/* Each row by itself; one that the store refuses becomes an error row behind those of the batch. */
static int run_store_carefully(struct db *db, struct arena *a, struct import_run *run,
    struct import_error *errors, size_t *n, struct task_counts *c, struct err *err)
{
	struct import_batch *b = run->now;

	for (size_t i = 0; i < b->nitems; i++) {
		struct err e = ERR_INIT;

		if (record_upsert_any(run->app, db, a, &b->items[i], 1, true, &e) == 0 &&
		    db_settle(db, &e) == 0) {
			if (run_tell(db, a, run, &b->items[i], 1, err) == -1)
				return -1;
			counts_add_outcome(c, &b->items[i]);
			continue;
		}
		if (!is_rows_fault(&e))
			return err_set(err, e.code, "%s", e.msg);
		errors[(*n)++] = (struct import_error){
		    uuid_new(), b->lines[i], str_copy(a, str_from(e.msg)), b->texts[i]};
	}
	return 0;
}

static int run_store_items(struct db *db, struct arena *a, struct import_run *run,
    struct import_error *errors, size_t *n, struct task_counts *c, struct err *err)
{
	if (run->is_careful)
		return run_store_carefully(db, a, run, errors, n, c, err);
	if (record_upsert_any(run->app, db, a, run->now->items, run->now->nitems, true, err) == -1)
		return -1;
	for (size_t i = 0; i < run->now->nitems; i++)
		counts_add_outcome(c, &run->now->items[i]);
	return run_tell(db, a, run, run->now->items, run->now->nitems, err);
}

/* For the answer of a request. */
static void run_collect_errors(struct import_run *run, const struct import_error *errors, size_t n)
{
	for (size_t i = 0; run->r != NULL && i < n; i++) {
		if (run->nall == run->cap) {
			struct import_error *old = run->all;

			run->cap = run->cap == 0 ? 64 : 2 * run->cap;
			run->all = arena_array(run->r->a, run->cap, sizeof(*run->all));
			if (run->nall > 0)
				memcpy(run->all, old, run->nall * sizeof(*old));
		}
		run->all[run->nall++] = (struct import_error){
		    errors[i].id, errors[i].line, str_copy(run->r->a, errors[i].reason), {NULL, 0}};
	}
}

static int error_by_line(const void *x, const void *y)
{
	const struct import_error *a = x, *b = y;

	return a->line < b->line ? -1 : a->line > b->line;
}

/* Where the next batch begins, and the blank cells of the rows up to there. */
static struct str import_position_text(
    struct arena *a, const struct task *t, const struct import_batch *b)
{
	return str_from(arena_printf(a, "{\"line\":%lld,\"blanks\":%lld}", (long long)b->next_line,
	    (long long)(import_blanks(a, t) + b->blanks)));
}

int64_t import_blanks(struct arena *a, const struct task *t)
{
	return t->position.n == 0 ? 0 : json_int(json_parse_stored(a, t->position, NULL), "blanks");
}

/* Within a transaction: the batch's rows and error rows, and what t says of them. */
static int run_store_batch(
    struct db *db, struct arena *a, struct import_run *run, struct task *t, struct err *err)
{
	struct import_batch *b = run->now;
	struct import_error *errors;
	size_t n = b->nerrors, kept;
	int64_t now_us = clock_now_us();
	int64_t room = IMPORT_ERRORS_KEPT - t->counts.failed;

	for (size_t i = 0; i < b->nitems; i++)
		b->items[i].at_us = now_us;
	errors = arena_array(a, b->nerrors + b->nitems + 1, sizeof(*errors));
	memcpy(errors, b->errors, n * sizeof(*errors));
	if (run_store_items(db, a, run, errors, &n, &t->counts, err) == -1)
		return -1;
	qsort(errors, n, sizeof(*errors), error_by_line);
	kept = room <= 0 ? 0 : (int64_t)n < room ? n : (size_t)room;
	if (kept > 0 && import_errors_insert(db, a, t, errors, kept, err) == -1)
		return -1;
	run_collect_errors(run, errors, n);
	t->counts.failed += (int64_t)n;
	t->counts.received += (int64_t)(b->nitems + b->nerrors);
	if (b->nitems + b->nerrors > 0) {
		/* a request empties a between its batches */
		t->position = import_position_text(run->r != NULL ? run->r->a : a, t, b);
		t->done = b->next_offset;
	}
	if (b->is_end)
		t->done = t->total;
	return 0;
}

/* ---- the job ------------------------------------------------------------------------------- */

static int run_store_step(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct import_run *run = arg;
	int rc;

	*then = run->now->is_end ? TASK_DONE : TASK_GO_ON;
	/* Within the transaction alone: outside it others' statements run, on their fibers' small
	 * stacks, or when this import is no more. */
	db_meanwhile(db, run_read_ahead, run);
	rc = run_store_batch(db, a, run, next, err);
	db_meanwhile(db, NULL, NULL);
	return rc;
}

/* One batch, while the next is read. */
static int run_step(struct task_run *tr, struct import_run *run, struct err *err)
{
	int rc = task_run_step(tr, run_store_step, run, err);

	if (rc == -1 && is_rows_fault(err)) {
		err_clear(err);
		run->is_careful = true;
		rc = task_run_step(tr, run_store_step, run, err);
	}
	return rc;
}

static int run_open(struct import_run *run, const struct job *j, struct err *err)
{
	const struct task *t = run->task;
	struct csv_source source = {.path = import_file_path(j->app, j->a, &t->id)};
	struct import_options o;
	struct csv_row header;
	json_t *at;

	if (import_options_parse(j->a, t->args, &o, err) == -1 ||
	    import_open(j->a, &source, &o, &run->rd, &run->map, &header, err) == -1)
		return -1;
	if (t->position.p == NULL)
		return 0;
	if ((at = json_parse_stored(j->a, t->position, err)) == NULL)
		return -1;
	csv_reader_seek(run->rd, t->done, json_int(at, "line"));
	return 0;
}

static int run_to_end(struct task_run *tr, struct err *err)
{
	struct import_run *run = import_run_new(tr->job->app, tr->job->a, &tr->task);

	if (run_open(run, tr->job, err) == -1)
		return -1;
	do {
		if (run_next_batch(run, err) == -1 || run_step(tr, run, err) == -1)
			return -1;
	} while (!tr->is_over);
	return 0;
}

/* The file may lie on another host, whose runner comes by. */
static bool is_final_failure(const struct job *j, const struct err *err)
{
	return is_rows_fault(err) ||
	       (err->code == ERR_NOT_FOUND && j->attempts >= LOST_FILE_ATTEMPTS);
}

int import_job_run(struct job *j, struct err *err)
{
	struct task_run *run;
	int found = task_run_begin(j, &import_task, &run, err);

	if (found == -1 || (found == 1 && run_to_end(run, err) == -1 &&
			       task_run_fail(run, is_final_failure(j, err), err) == -1))
		return -1;
	if (found == 0 || !task_is_open(&run->task)) /* else another run goes on with it */
		unlink(import_file_path(j->app, j->a, &j->subject_id));
	return 0;
}

/* ---- within a request ---------------------------------------------------------------------- */

struct import_direct {
	struct import_run *run;
	struct task next;
	int64_t offset, line; /* behind the header */
	bool is_careful;
};

/* All batches; a is emptied between them. */
static int direct_store_all(
    struct db *db, struct arena *a, const struct import_direct *d, struct task *t, struct err *err)
{
	struct import_run *run = d->run;

	do {
		arena_reset(a);
		if (run_next_batch(run, err) == -1)
			return -1;
		run->is_careful = d->is_careful;
		if (run_store_batch(db, a, run, t, err) == -1)
			return -1;
	} while (!run->now->is_end);
	return 0;
}

static int import_direct_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct import_direct *d = arg;
	struct import_run *run = d->run;
	struct arena *a = arena_new();
	int rc;

	d->next = *run->task;
	csv_reader_seek(run->rd, d->offset, d->line);
	import_batch_reset(run->ahead);
	run->nall = 0;
	rc = direct_store_all(db, a, d, &d->next, err);
	arena_free(a);
	if (rc == -1)
		return -1;
	d->next.status = TASK_COMPLETED;
	d->next.finished_us = clock_now_us();
	if (task_insert(db, &d->next, err) == -1)
		return -1;
	audit_fact(log, "import.create", "task", &d->next.id, NULL);
	return 0;
}

int import_run_now(struct req *r, struct task *t, const struct csv_source *source,
    const struct import_options *o, struct import_error **errors, size_t *nerrors, struct err *err)
{
	struct import_run *run = import_run_new(r->app, r->a, t);
	struct import_direct d = {.run = run};
	struct csv_row header;
	int rc;

	run->r = r;
	if (import_open(r->a, source, o, &run->rd, &run->map, &header, err) == -1)
		return -1;
	d.offset = header.next_offset;
	d.line = header.next_line;
	rc = audit_change(r->app, r, &t->account_id, import_direct_body, &d, err);
	if (rc == -1 && is_rows_fault(err)) {
		err_clear(err);
		d.is_careful = true;
		rc = audit_change(r->app, r, &t->account_id, import_direct_body, &d, err);
	}
	if (rc == 0)
		*t = d.next;
	*errors = run->all;
	*nerrors = run->nall;
	return rc;
}

/* ---- the file ------------------------------------------------------------------------------ */

static int upload_fail(struct err *err, const char *path)
{
	return err_set(
	    err, ERR_UNAVAILABLE, "cannot keep the upload at %s: %s", path, strerror(errno));
}

static int upload_copy(int to, const char *path)
{
	char piece[16384];
	int from = open(path, O_RDONLY | O_CLOEXEC), rc = from == -1 ? -1 : 0;
	ssize_t got = 0;

	while (rc == 0 && (got = read(from, piece, sizeof(piece))) > 0)
		rc = fd_write_full(to, (struct str){piece, (size_t)got});
	if (from != -1)
		close(from);
	return got == -1 ? -1 : rc;
}

/* A rename within one file system, else a copy: open for the fsync. */
static int upload_bring(const char *path, const struct csv_source *source)
{
	int fd;

	if (source->path != NULL && rename(source->path, path) == 0)
		return open(path, O_RDONLY | O_CLOEXEC);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if ((source->path != NULL ? upload_copy(fd, source->path)
				  : fd_write_full(fd, source->data)) == 0)
		return fd;
	close(fd);
	unlink(path);
	return -1;
}

int import_keep_file(struct app *app, struct arena *a, const struct uuid *id,
    const struct csv_source *source, struct err *err)
{
	const char *dir = arena_printf(a, "%s/imports", app->config->state_dir);
	const char *path = import_file_path(app, a, id);
	int fd, rc;

	if (dir_make(dir, 0700, err) == -1)
		return -1;
	fd = upload_bring(path, source);
	if (fd == -1)
		return upload_fail(err, path);
	rc = fsync(fd);
	if (close(fd) == -1 || rc == -1 || dir_sync(dir) == -1) {
		unlink(path);
		return upload_fail(err, path);
	}
	return 0;
}
