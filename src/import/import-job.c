/* Runs of imports: a batch of rows in each transaction together with the place in the file and the
 * counts, so that whoever goes on after a crash counts every row once. */
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
#include "net/http-client.h"

#define YIELD_EVERY_US 50000 /* others wait so long for their turn */
#define KEEP_EVERY_US (10 * SECOND_US)
#define LOST_FILE_ATTEMPTS 5 /* the file may lie on another host, whose runner comes by */

/* ---- options ------------------------------------------------------------------------------- */

struct str import_options_text(struct arena *a, const struct import_options *o)
{
	const char delimiter[2] = {o->format.delimiter, '\0'}, quote[2] = {o->format.quote, '\0'};
	json_t *v = json_own(a, json_object());

	json_set_str(v, "delimiter", delimiter);
	json_set_str(v, "quote", quote);
	json_set_str(v, "encoding", csv_encoding_name(o->format.encoding));
	json_set_int(v, "start", o->format.start);
	json_set(v, "mapping", json_incref((json_t *)(uintptr_t)o->mapping));
	json_set(v, "keyColumns", json_incref((json_t *)(uintptr_t)o->key_columns));
	json_set(v, "headers", json_incref((json_t *)(uintptr_t)o->headers));
	return json_text(a, v);
}

int import_options_parse(
    struct arena *a, struct str text, struct import_options *out, struct err *err)
{
	const json_t *v = json_parse(a, text, err);
	const char *delimiter = json_str(v, "delimiter"), *quote = json_str(v, "quote");
	const char *encoding = json_str(v, "encoding");

	*out = (struct import_options){.mapping = json_object_get(v, "mapping"),
	    .key_columns = json_object_get(v, "keyColumns"),
	    .headers = json_object_get(v, "headers")};
	if (v == NULL || delimiter == NULL || quote == NULL || encoding == NULL ||
	    !csv_encoding_parse(str_from(encoding), &out->format.encoding))
		return err_set(err, ERR_INTERNAL, "an import's options cannot be read");
	out->format.delimiter = delimiter[0];
	out->format.quote = quote[0];
	out->format.start = json_int(v, "start");
	return 0;
}

/* A reader behind the header, and the mapping. */
static int compile(struct arena *a, const struct csv_source *source, const struct import_options *o,
    struct csv_reader **rd, struct import_map **map, struct csv_row *header, struct err *err)
{
	int rc;

	*rd = csv_reader_new(a, source, &o->format, err);
	rc = *rd == NULL ? -1 : csv_reader_next(*rd, header, err);
	if (rc == 0)
		return err_field(
		    err, ERR_INVALID, "csv", "has no header: the first row must name the columns");
	if (rc == -1)
		return -1;
	*map = import_map_new(a, header, o->mapping, o->key_columns, err);
	return *map == NULL ? -1 : 0;
}

int import_prepare(struct arena *a, const struct csv_source *source, struct import_options *o,
    struct import_map **map, struct err *err)
{
	struct csv_reader *rd;
	struct csv_row header;
	const struct str *names;
	json_t *headers;
	size_t n;

	if (import_detect(source, &o->format, err) == -1 ||
	    compile(a, source, o, &rd, map, &header, err) == -1)
		return -1;
	headers = json_own(a, json_array());
	names = import_map_headers(*map, &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(headers, json_stringn(names[i].p, names[i].n));
	o->headers = headers;
	return 0;
}

/* ---- a run --------------------------------------------------------------------------------- */

struct run {
	struct app *app;
	struct import im, next; /* as of the last commit; as of the one to come */
	struct import_map *map;
	struct csv_reader *rd;
	struct import_batch *now, *ahead; /* the one being stored, the one being read meanwhile */
	struct arena *work;               /* a try's to store it */
	bool is_careful;                  /* row by row, since one of them cannot be stored */
	/* of a job */
	struct job *job;
	int64_t keep_at_us;
	bool is_stopped;
	/* of a request: all error rows, in its arena */
	struct req *r;
	struct import_error *all;
	size_t nall, cap;
};

static void free_run(void *arg)
{
	struct run *run = arg;

	arena_free(run->work);
}

static struct run *run_new(struct app *app, struct arena *a, const struct import *im)
{
	struct run *run = arena_zalloc(a, sizeof(*run));

	run->app = app;
	run->im = *im;
	run->now = import_batch_new(a);
	run->ahead = import_batch_new(a);
	run->work = arena_new();
	arena_on_free(a, free_run, run);
	return run;
}

static bool read_ahead(void *arg)
{
	struct run *run = arg;

	return import_batch_read(run->ahead, &run->im, run->map, run->rd);
}

/* The batch read ahead, to its end, becomes the one to store. */
static int next_batch(struct run *run, struct err *err)
{
	struct import_batch *read = run->ahead;

	while (read_ahead(run))
		;
	run->ahead = run->now;
	run->now = read;
	import_batch_reset(run->ahead);
	run->is_careful = false;
	return read->err.code == ERR_NONE ? 0 : err_set(err, read->err.code, "%s", read->err.msg);
}

/* ---- storing a batch ----------------------------------------------------------------------- */

static void count(struct import_counts *c, const struct record_item *it)
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
	return err->code == ERR_LIMIT || err->code == ERR_INVALID;
}

/* Each row by itself; one that the store refuses becomes an error row behind those of the batch. */
static int store_carefully(struct db *db, struct run *run, struct import_error *errors, size_t *n,
    struct import_counts *c, struct err *err)
{
	struct import_batch *b = run->now;

	for (size_t i = 0; i < b->nitems; i++) {
		struct err e = ERR_INIT;

		if (record_upsert(db, run->work, &b->items[i], 1, &e) == 0) {
			count(c, &b->items[i]);
			continue;
		}
		if (!is_rows_fault(&e))
			return err_set(err, e.code, "%s", e.msg);
		errors[(*n)++] = (struct import_error){
		    uuid_new(), b->lines[i], str_copy(run->work, str_from(e.msg)), b->texts[i]};
	}
	return 0;
}

static int store_items(struct db *db, struct run *run, struct import_error *errors, size_t *n,
    struct import_counts *c, struct err *err)
{
	if (run->is_careful)
		return store_carefully(db, run, errors, n, c, err);
	if (record_upsert(db, run->work, run->now->items, run->now->nitems, err) == -1)
		return -1;
	for (size_t i = 0; i < run->now->nitems; i++)
		count(c, &run->now->items[i]);
	return 0;
}

/* For the answer of a request. */
static void collect(struct run *run, const struct import_error *errors, size_t n)
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

static int by_line(const void *x, const void *y)
{
	const struct import_error *a = x, *b = y;

	return a->line < b->line ? -1 : a->line > b->line;
}

/* Within a transaction: the batch's rows and error rows, and what im says of them. */
static int store_batch(struct db *db, struct run *run, struct import *im, struct err *err)
{
	struct import_batch *b = run->now;
	struct import_error *errors;
	size_t n = b->nerrors, kept;
	int64_t now_us = clock_now_us();
	int64_t room = IMPORT_ERRORS_KEPT - im->counts.failed;

	for (size_t i = 0; i < b->nitems; i++)
		b->items[i].at_us = now_us;
	errors = arena_array(run->work, b->nerrors + b->nitems + 1, sizeof(*errors));
	memcpy(errors, b->errors, n * sizeof(*errors));
	if (store_items(db, run, errors, &n, &im->counts, err) == -1)
		return -1;
	qsort(errors, n, sizeof(*errors), by_line);
	kept = room <= 0 ? 0 : (int64_t)n < room ? n : (size_t)room;
	if (kept > 0 && import_errors_insert(db, run->work, im, errors, kept, err) == -1)
		return -1;
	collect(run, errors, n);
	im->counts.failed += (int64_t)n;
	im->counts.received += (int64_t)(b->nitems + b->nerrors);
	if (b->nitems + b->nerrors > 0) {
		im->line = b->next_line;
		im->bytes_done = b->next_offset;
	}
	if (b->is_end)
		im->bytes_done = im->bytes_total;
	return 0;
}

/* ---- the job ------------------------------------------------------------------------------- */

/* Tells what another has done to the import meanwhile: cancelled it, or gone on with it. */
static int check_still_ours(struct db *db, struct run *run, struct import *now, struct err *err)
{
	int found = import_load(db, run->work, &run->im.account_id, &run->im.id, true, now, err);

	if (found == -1)
		return -1;
	run->is_stopped = found == 0 || (strcmp(now->status, "queued") != 0 &&
					    strcmp(now->status, "running") != 0);
	if (!run->is_stopped && now->bytes_done != run->im.bytes_done)
		return err_set(err, ERR_CONFLICT, "another run has gone on with the import");
	return 0;
}

static int step_body(struct db *db, void *arg, struct err *err)
{
	struct run *run = arg;
	struct import im = run->im, now;

	arena_reset(run->work);
	if (check_still_ours(db, run, &now, err) == -1)
		return -1;
	if (run->is_stopped)
		return job_finish(db, run->job, err);
	im.status = run->now->is_end ? "completed" : "running";
	im.started_us = im.started_us != 0 ? im.started_us : clock_now_us();
	if (store_batch(db, run, &im, err) == -1)
		return -1;
	if (run->now->is_end)
		im.finished_us = clock_now_us();
	if (import_update(db, &im, err) == -1)
		return -1;
	if (run->now->is_end && job_finish(db, run->job, err) == -1)
		return -1;
	if (!run->now->is_end && clock_mono_us() >= run->keep_at_us) {
		if (job_keep(db, run->job, err) == -1)
			return -1;
		run->keep_at_us = clock_mono_us() + KEEP_EVERY_US;
	}
	run->next = im;
	return 0;
}

/* One batch, while the next is read; the run is over behind its end, or when is_stopped. */
static int step(struct run *run, struct err *err)
{
	int rc;

	db_meanwhile(run->app->db, read_ahead, run);
	rc = db_transaction(run->app->db, step_body, run, err);
	if (rc == -1 && is_rows_fault(err)) {
		err_clear(err);
		run->is_careful = true;
		rc = db_transaction(run->app->db, step_body, run, err);
	}
	db_meanwhile(run->app->db, NULL, NULL);
	if (rc == 0 && !run->is_stopped)
		run->im = run->next;
	return rc;
}

static int open_run(struct run *run, struct arena *a, struct err *err)
{
	struct csv_source source = {.path = run->im.path};
	struct import_options o;
	struct csv_row header;

	if (import_options_parse(a, run->im.options, &o, err) == -1 ||
	    compile(a, &source, &o, &run->rd, &run->map, &header, err) == -1)
		return -1;
	if (run->im.bytes_done > 0)
		csv_reader_seek(run->rd, run->im.bytes_done, run->im.line);
	return 0;
}

static int fail_body(struct db *db, void *arg, struct err *err)
{
	struct run *run = arg;
	struct import now;

	arena_reset(run->work);
	if (check_still_ours(db, run, &now, err) == -1)
		return -1;
	if (!run->is_stopped) {
		now.status = "failed";
		now.error = run->im.error;
		now.finished_us = clock_now_us();
		if (import_update(db, &now, err) == -1)
			return -1;
	}
	return job_finish(db, run->job, err);
}

/* Is trying again of no use? */
static bool is_final(const struct job *j, const struct err *err)
{
	if (err->code == ERR_CONFLICT || err->code == ERR_UNAVAILABLE)
		return false;
	if (err->code == ERR_NOT_FOUND)
		return j->attempts >= LOST_FILE_ATTEMPTS;
	return is_rows_fault(err) || j->attempts >= IMPORT_RUN_ATTEMPTS;
}

static int fail(struct run *run, struct err *err)
{
	struct err e = ERR_INIT;

	if (!is_final(run->job, err))
		return -1;
	log_warn("import.failed", LOG_S("import", uuid_dup(run->job->a, run->im.id)), LOG_ERR(err));
	run->im.error = err->code == ERR_INTERNAL ? "an internal error" : err->msg;
	if (db_transaction(run->app->db, fail_body, run, &e) == -1)
		return -1;
	err_clear(err);
	return 0;
}

static int go(struct run *run, struct err *err)
{
	int64_t yield_at_us = clock_mono_us() + YIELD_EVERY_US;

	if (open_run(run, run->job->a, err) == -1)
		return -1;
	do {
		if (next_batch(run, err) == -1 || step(run, err) == -1)
			return -1;
		if (clock_mono_us() < yield_at_us)
			continue;
		http_client_sleep(run->app->http, 1);
		yield_at_us = clock_mono_us() + YIELD_EVERY_US;
	} while (!run->now->is_end && !run->is_stopped);
	return 0;
}

int import_job_run(struct job *j, struct err *err)
{
	struct import im;
	struct run *run;
	int found = import_load(j->app->db, j->a, &j->account_id, &j->subject_id, false, &im, err);

	if (found != 1)
		return found;
	run = run_new(j->app, j->a, &im);
	run->job = j;
	if (strcmp(im.status, "queued") == 0 || strcmp(im.status, "running") == 0) {
		if (go(run, err) == -1 && fail(run, err) == -1)
			return -1;
	}
	if (im.path[0] != '\0')
		unlink(im.path);
	return 0;
}

/* ---- within a request ---------------------------------------------------------------------- */

struct direct {
	struct run *run;
	int64_t offset, line; /* behind the header */
	bool is_careful;
};

static int direct_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct direct *d = arg;
	struct run *run = d->run;
	struct import im = run->im;

	csv_reader_seek(run->rd, d->offset, d->line);
	import_batch_reset(run->ahead);
	run->nall = 0;
	do {
		arena_reset(run->work);
		if (next_batch(run, err) == -1)
			return -1;
		run->is_careful = d->is_careful;
		if (store_batch(db, run, &im, err) == -1)
			return -1;
	} while (!run->now->is_end);
	im.status = "completed";
	im.finished_us = clock_now_us();
	if (import_insert(db, &im, err) == -1)
		return -1;
	audit_fact(log, "import.create", "import", &im.id, NULL);
	run->next = im;
	return 0;
}

int import_run_now(struct req *r, struct import *im, const struct csv_source *source,
    const struct import_options *o, struct import_error **errors, size_t *nerrors, struct err *err)
{
	struct run *run = run_new(r->app, r->a, im);
	struct direct d = {.run = run};
	struct csv_row header;
	int rc;

	run->r = r;
	if (compile(r->a, source, o, &run->rd, &run->map, &header, err) == -1)
		return -1;
	d.offset = header.next_offset;
	d.line = header.next_line;
	rc = audit_change(r->app, r, &im->account_id, direct_body, &d, err);
	if (rc == -1 && is_rows_fault(err)) {
		err_clear(err);
		d.is_careful = true;
		rc = audit_change(r->app, r, &im->account_id, direct_body, &d, err);
	}
	if (rc == 0)
		*im = run->next;
	*errors = run->all;
	*nerrors = run->nall;
	return rc;
}

/* ---- the file ------------------------------------------------------------------------------ */

static int cannot(struct err *err, const char *path)
{
	return err_set(
	    err, ERR_UNAVAILABLE, "cannot keep the upload at %s: %s", path, strerror(errno));
}

static int copy_file(int to, const char *path)
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
static int bring_file(const char *path, const struct csv_source *source)
{
	int fd;

	if (source->path != NULL && rename(source->path, path) == 0)
		return open(path, O_RDONLY | O_CLOEXEC);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if ((source->path != NULL ? copy_file(fd, source->path)
				  : fd_write_full(fd, source->data)) == 0)
		return fd;
	close(fd);
	unlink(path);
	return -1;
}

int import_keep_file(struct app *app, struct arena *a, struct import *im,
    const struct csv_source *source, struct err *err)
{
	const char *dir = arena_printf(a, "%s/imports", app->config->state_dir);
	const char *path = arena_printf(a, "%s/%s.csv", dir, uuid_dup(a, im->id));
	int fd, rc;

	if (dir_make(dir, 0700, err) == -1)
		return -1;
	fd = bring_file(path, source);
	if (fd == -1)
		return cannot(err, path);
	rc = fsync(fd);
	if (close(fd) == -1 || rc == -1 || dir_sync(dir) == -1) {
		unlink(path);
		return cannot(err, path);
	}
	im->path = path;
	return 0;
}

/* ---- queue --------------------------------------------------------------------------------- */

int import_enqueue(struct db *db, const struct import *im, struct err *err)
{
	struct job j = {
	    .account_id = im->account_id, .kind = "record.import", .subject_id = im->id};

	return job_insert(db, &j, 1, err);
}

struct cancelling {
	struct req *r;
	const struct uuid *id;
	struct import *out;
	int found;
};

static int cancel_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct cancelling *c = arg;
	struct import *im = c->out;

	c->found = import_load(db, c->r->a, &c->r->actor.account_id, c->id, true, im, err);
	if (c->found == 1 && strcmp(im->status, "draft") == 0)
		c->found = 0;
	if (c->found != 1)
		return c->found == 0 ? 1 : -1;
	if (strcmp(im->status, "queued") != 0 && strcmp(im->status, "running") != 0)
		return err_set(
		    err, ERR_CONFLICT, "the import has ended already: it is %s", im->status);
	im->status = "cancelled";
	im->finished_us = clock_now_us();
	if (import_update(db, im, err) == -1)
		return -1;
	audit_fact(log, "import.cancel", "import", &im->id, NULL);
	return 0;
}

int import_cancel(struct req *r, const struct uuid *id, struct import *out, struct err *err)
{
	struct cancelling c = {r, id, out, 0};

	if (audit_change(r->app, r, &r->actor.account_id, cancel_body, &c, err) == -1)
		return -1;
	return c.found;
}
