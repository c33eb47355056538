/* What is kept of a person, as a file: a task that walks the tables as the erasure does, and writes
 * what it finds. The file grows by what a step has committed; what a step that was lost has written
 * is cut off by the next.
 *
 *	{"items":[
 *	{"kind": "records", "id": …, "data": {…}, "requests": [{…}]},
 *	…]} */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "intake/erase.h"
#include "intake/intake.h"
#include "lead/lead.h"
#include "privacy/privacy-internal.h"
#include "record/record.h"

#define RUN_BUDGET_US 200000
#define KEPT_US (7 * DAY_US)
#define BUFFER_BYTES (64u * 1024u * 1024u) /* what a slice may make */
#define PIECE (64u * 1024u)
#define FILE_HEAD "{\"items\":[\n"
#define FILE_END "\n]}\n"

const struct task_kind privacy_export_task = {.name = "privacy.export",
    .job = "privacy.export",
    .untitled = "A person's data exported",
    .received = {"Passed", "tables"},
    .created = {"Exported", "entries"}};

/* exports/ID.json in the state folder. */
static const char *privacy_file_path(const struct app *app, struct arena *a, const struct uuid *id)
{
	return arena_printf(a, "%s/exports/%s.json", app->config->state_dir, uuid_dup(a, *id));
}

/* ---- items --------------------------------------------------------------------------------- */

/* A row as its columns say it: JSON as such, texts in a list. */
static json_t *row_columns(
    struct arena *a, const struct personal_table *t, const struct db_rows *rows, size_t row)
{
	json_t *texts = json_array();

	for (size_t i = 0; i < PERSONAL_COLUMNS && t->forms[i] != PERSONAL_NONE; i++) {
		struct err err = ERR_INIT;
		struct str text = utf8_clean(a, db_get_str(rows, row, i + 1), LIMIT_JSON_BYTES);
		json_t *value = text.n == 0 ? NULL : json_parse_stored(a, text, &err);

		if (json_is_object(value) || json_is_array(value))
			json_array_append(texts, value);
		else if (text.n > 0)
			json_array_append_new(texts, json_stringn(text.p, text.n));
	}
	return texts;
}

/* Leads, records and requests as the API shows them; 1, 0 it is another table's row, -1. */
static int row_object(
    struct personal_walk *w, struct arena *a, const struct uuid *id, json_t **out, struct err *err)
{
	if (w->table == &records_personal_table)
		return record_get_json(w->app, a, &w->account_id, id, out, err);
	if (w->table == &leads_personal_table)
		return lead_get_json(w->app, a, &w->account_id, id, out, err);
	if (w->table == &events_personal_table)
		return event_get_json(w->app, a, &w->account_id, id, out, err);
	return 0;
}

static int export_see(struct personal_walk *w, struct arena *a, const struct db_rows *rows,
    size_t row, bool is_own, struct err *err)
{
	struct buf *b = w->arg;
	struct uuid id = db_get_uuid(rows, row, 0);
	json_t *item = json_own(a, json_object()), *data = NULL;
	int rc = row_object(w, a, &id, &data, err);

	if (rc == -1)
		return -1;
	json_set_str(item, "kind", w->table->name);
	json_set_bool(item, "isOwn", is_own);
	if (rc == 1)
		json_set(item, "data", json_incref(data));
	else
		json_set(item, "texts", row_columns(a, w->table, rows, row));
	if (is_own && w->table == &records_personal_table &&
	    erase_tell_of_record(w->app, a, &w->account_id, &id, item, err) == -1)
		return -1;
	buf_str(b, b->len == 0 ? "" : ",\n");
	json_append(b, item);
	return buf_ok(b) ? 0 : err_set(err, ERR_LIMIT, "there is too much of one person");
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Puts text at that place, and nothing behind it. */
static int file_put(const char *path, int64_t at, struct str text, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool is_put = fd != -1 && ftruncate(fd, (off_t)at) == 0 &&
		      lseek(fd, (off_t)at, SEEK_SET) == (off_t)at && fd_write_full(fd, text) == 0 &&
		      fsync(fd) == 0;

	if (!is_put)
		err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return is_put ? 0 : -1;
}

struct privacy_exporting {
	struct task_run *run;
	struct privacy_subject subject;
	int64_t until_us;
};

/* What a slice has found, with what stands before and behind it. */
static int export_write(struct privacy_exporting *e, struct arena *a, struct privacy_place *place,
    const struct buf *items, bool is_last, struct err *err)
{
	struct buf *b = buf_new(a, BUFFER_BYTES);

	if (place->size == 0)
		buf_str(b, FILE_HEAD);
	else if (items->len > 0 && place->found > 0)
		buf_str(b, ",\n");
	buf_add(b, items->p, items->len);
	if (is_last)
		buf_str(b, FILE_END);
	if (b->len == 0)
		return 0;
	if (file_put(privacy_file_path(e->run->job->app, a, &e->run->task.id), place->size,
		(struct str){b->p, b->len}, err) == -1)
		return -1;
	place->size += (int64_t)b->len;
	return 0;
}

static int export_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct privacy_exporting *e = arg;
	struct buf *items = buf_new(a, BUFFER_BYTES);
	struct privacy_place place;
	struct personal_walk w = {.app = e->run->job->app,
	    .db = db,
	    .account_id = e->subject.account_id,
	    .person = &e->subject.person,
	    .is_dry = true,
	    .see = export_see,
	    .arg = items};
	int more;

	if (privacy_place_read(a, next, &place, err) == -1)
		return -1;
	w.table = privacy_table(w.app, place.table);
	w.after = place.after;
	more = w.table == NULL ? 0 : personal_walk_on(&w, a, err);
	if (more == -1 || export_write(e, a, &place, items, w.table == NULL, err) == -1)
		return -1;
	place.after = more == 1 ? w.after : (struct str){"", 0};
	place.table += more == 0;
	place.found += w.found;
	next->counts.created = place.found;
	next->counts.received = next->done = w.table == NULL ? next->total : place.table;
	next->position = privacy_place_text(a, &place);
	if (w.table == NULL) {
		json_t *args = json_own(a, json_object());

		/* whom it was about is in the file alone */
		json_set_str(args, "by", e->subject.by);
		*then = TASK_DONE;
		return task_forget_args(
		    db, &e->subject.account_id, &e->run->task.id, json_text(a, args), err);
	}
	if (clock_mono_us() > e->until_us)
		*then = TASK_AGAIN;
	return 0;
}

int privacy_job_export(struct job *j, struct err *err)
{
	struct privacy_exporting e = {.until_us = clock_mono_us() + RUN_BUDGET_US};
	int rc = task_run_begin(j, &privacy_export_task, &e.run, err);

	if (rc != 1)
		return rc;
	rc = privacy_args_read(j->a, &e.run->task, &e.subject, err);
	if (rc == 0)
		rc = dir_make(
		    arena_printf(j->a, "%s/exports", j->app->config->state_dir), 0700, err);
	while (rc == 0 && !e.run->is_over)
		rc = task_run_step(e.run, export_work, &e, err);
	return rc == -1 ? task_run_fail(e.run, err->code == ERR_LIMIT, err) : 0;
}

/* ---- files of former exports --------------------------------------------------------------- */

typedef int export_file_fn(
    struct app *app, const char *path, const struct uuid *task_id, void *arg, struct err *err);

static int each_export_file(
    struct app *app, struct arena *a, export_file_fn *take, void *arg, struct err *err)
{
	const char *folder = arena_printf(a, "%s/exports", app->config->state_dir);
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int rc = 0;

	while (dir != NULL && rc == 0 && (entry = readdir(dir)) != NULL) {
		struct uuid id;

		if (uuid_parse((struct str){entry->d_name, strcspn(entry->d_name, ".")}, &id))
			rc = take(
			    app, arena_printf(a, "%s/%s", folder, entry->d_name), &id, arg, err);
	}
	if (dir != NULL)
		closedir(dir);
	return rc;
}

struct exports_forgetting {
	const struct uuid *account_id;
	const struct person_names *p;
	bool is_dry;
	int64_t n;
};

static int file_has_person(const char *path, const struct person_names *p, struct err *err)
{
	struct arena *a = arena_new();
	struct str text;
	int found = file_find(a, path, SIZE_MAX / 4, &text, err);

	if (found == 1)
		found = person_may_be_in(a, p, text);
	arena_free(a);
	return found;
}

static int export_forget(
    struct app *app, const char *path, const struct uuid *task_id, void *arg, struct err *err)
{
	struct exports_forgetting *f = arg;
	struct arena *a = arena_new();
	struct task t;
	int found = task_load(app->db, a, f->account_id, task_id, false, &t, err);

	arena_free(a);
	if (found == 1)
		found = file_has_person(path, f->p, err);
	if (found != 1)
		return found;
	f->n++;
	return f->is_dry || unlink(path) == 0 || errno == ENOENT
		   ? 0
		   : err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
}

int privacy_exports_forget(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct person_names *p, bool is_dry, int64_t *n, struct err *err)
{
	struct exports_forgetting f = {account_id, p, is_dry, 0};

	if (each_export_file(app, a, export_forget, &f, err) == -1)
		return -1;
	*n += f.n;
	return 0;
}

static int export_purge(
    struct app *app, const char *path, const struct uuid *task_id, void *arg, struct err *err)
{
	struct stat st;

	(void)app;
	(void)arg;
	(void)err;
	if (stat(path, &st) == 0 && (int64_t)st.st_mtime * SECOND_US < clock_now_us() - KEPT_US &&
	    unlink(path) == 0) {
		char id[UUID_TEXT];

		uuid_text(id, *task_id);
		log_info("privacy.purge", LOG_S("task", id));
	}
	return 0;
}

int privacy_purge(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	int rc = each_export_file(app, a, export_purge, NULL, err);

	arena_free(a);
	return rc == -1 ? -1 : erasures_purge(app, err);
}

/* ---- download ------------------------------------------------------------------------------ */

static int file_send(struct req *r, int fd)
{
	char *piece = arena_alloc(r->a, PIECE);
	ssize_t n;

	if (res_stream_start(r, 200, "application/json") == -1)
		return 0;
	while ((n = fd_read_full(fd, piece, PIECE)) > 0)
		if (res_stream_write(r, (struct str){piece, (size_t)n}) == -1)
			break;
	return 0;
}

int privacy_answer_file(struct req *r)
{
	struct task t;
	int fd;

	if (!task_of_request(r, "such export", &t))
		return 0;
	if (strcmp(t.kind, privacy_export_task.name) != 0)
		return res_problem(r, 404, "There is no such export");
	if (t.status != TASK_COMPLETED)
		return res_problem(r, 409, "The export is not complete");
	fd = open(privacy_file_path(r->app, r->a, &t.id), O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return res_problem(r, 410,
		    "The file is gone: it is kept for a week, or until the person is erased");
	res_headerf(r, "Content-Disposition", "attachment; filename=\"person-%s.json\"",
	    uuid_dup(r->a, t.id));
	file_send(r, fd);
	close(fd);
	return 0;
}
