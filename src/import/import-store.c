/* An import's error rows, its file, and what is left behind. */
#include <dirent.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "import/import.h"
#include "job/periodic.h"

#define REASON_BYTES 500
#define PURGE_ROWS 100 /* of one step */

DB_STMT_ROWS(import_errors_add,
    "INSERT INTO import_errors (id, account_id, task_id, line, reason, row_text) VALUES ",
    "(?,?,?,?,?,?)", "");
DB_STMT(import_errors_next,
    "SELECT id, line, reason, row_text FROM import_errors WHERE account_id = ? AND task_id = ?"
    " AND (line > ? OR (line = ? AND id > ?)) ORDER BY line, id LIMIT ?");
enum { ERROR_ID, ERROR_LINE, ERROR_REASON, ERROR_ROW_TEXT };

/* ---- error rows ---------------------------------------------------------------------------- */

int import_errors_insert(struct db *db, struct arena *a, const struct task *t,
    const struct import_error *errors, size_t n, struct err *err)
{
	struct db_val *v = arena_alloc(a, (n + 1) * 6 * sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		const struct import_error *e = &errors[i];
		struct db_val row[6] = {db_uuid(&e->id), db_uuid(&t->account_id), db_uuid(&t->id),
		    db_int(e->line), db_strn(utf8_clean(a, e->reason, REASON_BYTES)),
		    db_strn(e->text.n == 0 ? STR("") : utf8_clean(a, e->text, CSV_TEXT_BYTES))};

		memcpy(v + 6 * i, row, sizeof(row));
	}
	return db_exec_rows_later(db, &import_errors_add, v, n, 6, ERR_CONFLICT, err);
}

int import_errors_page(struct db *db, struct arena *a, const struct task *t, int64_t after_line,
    const struct uuid *after_id, int64_t n, struct import_error **out, size_t *count,
    struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &import_errors_next,
		DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id), db_int(after_line),
		    db_int(after_line), db_uuid(after_id), db_int(n)),
		&rows, err) == -1)
		return -1;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*out)[i] = (struct import_error){.id = db_get_uuid(&rows, i, ERROR_ID),
		    .line = db_get_int(&rows, i, ERROR_LINE),
		    .reason = db_get_str(&rows, i, ERROR_REASON),
		    .text = db_get_str(&rows, i, ERROR_ROW_TEXT)};
	return 0;
}

/* ---- what an account may have -------------------------------------------------------------- */

#define SHORT_BYTES LIMIT_BODY_JSON /* such an upload is read before it is asked about */

struct import_quota {
	const struct app *app;
	struct arena *a;
	const struct uuid *account_id;
	int64_t files, bytes; /* beside those that have a row */
};

static int import_check_sums(struct db *db, void *arg, struct err *err)
{
	const struct import_quota *q = arg;
	const struct config *cfg = q->app->config;
	int64_t count, bytes;

	if (task_sum_unfinished(db, q->a, q->account_id, &import_task, &count, &bytes, err) == -1)
		return -1;
	if (count + q->files > cfg->imports_open)
		return err_set(err, ERR_CONFLICT,
		    "An account may have %" PRId64
		    " imports that are not done: wait for one to end, or cancel one",
		    cfg->imports_open);
	if (bytes + q->bytes > cfg->imports_open_bytes)
		return err_set(err, ERR_LIMIT,
		    "The files of an account's imports that are not done may have %" PRId64
		    " bytes together: wait for one to end, or cancel one",
		    cfg->imports_open_bytes);
	return 0;
}

int import_check_quota(const struct app *app, struct db *db, struct arena *a,
    const struct uuid *account_id, struct err *err)
{
	struct import_quota q = {.app = app, .a = a, .account_id = account_id};

	return import_check_sums(db, &q, err);
}

bool import_drop_refused(
    const struct app *app, struct arena *a, const struct uuid *id, const struct err *why)
{
	bool is_refused = why->code == ERR_CONFLICT || why->code == ERR_LIMIT;

	if (is_refused)
		unlink(import_file_path(app, a, id));
	return is_refused;
}

int import_upload_check(struct req *r, int64_t length)
{
	struct import_quota q = {.app = r->app,
	    .a = r->a,
	    .account_id = &r->actor.account_id,
	    .files = 1,
	    .bytes = length > 0 ? length : 0};
	struct err err = ERR_INIT;

	if ((length >= 0 && length <= (int64_t)SHORT_BYTES) ||
	    db_transaction(r->app->db, import_check_sums, &q, &err) == 0)
		return 0;
	res_error(r, &err);
	return -1;
}

/* ---- what is left behind ------------------------------------------------------------------- */

const char *import_file_path(const struct app *app, struct arena *a, const struct uuid *id)
{
	return arena_printf(a, "%s/imports/%s.csv", app->config->state_dir, uuid_dup(a, *id));
}

/* 1 there are more than this step takes, 0, -1. */
static int import_purge_drafts(struct app *app, struct arena *a, struct err *err)
{
	struct tasks drafts;

	if (task_list_drafts(app->db, a, &import_task, clock_now_us() - IMPORT_DRAFT_US, PURGE_ROWS,
		&drafts, err) == -1)
		return -1;
	for (size_t i = 0; i < drafts.n; i++) {
		const struct task *t = &drafts.v[i];

		unlink(import_file_path(app, a, &t->id));
		if (task_delete(app->db, &t->account_id, &t->id, err) == -1)
			return -1;
	}
	return drafts.n == PURGE_ROWS;
}

/* A file that a dead process left: old, and of no import that still needs it. 1 it is gone now, 0,
 * -1. */
static int import_purge_file(
    struct app *app, struct arena *a, const char *dir, const char *name, struct err *err)
{
	const char *path = arena_printf(a, "%s/%s", dir, name);
	struct stat st;
	struct uuid id;
	int needed;

	if (!uuid_parse((struct str){name, strcspn(name, ".")}, &id) || stat(path, &st) == -1 ||
	    (int64_t)st.st_mtime * SECOND_US > clock_now_us() - IMPORT_DRAFT_US)
		return 0;
	needed = task_is_needed(app->db, a, &id, err);
	if (needed != 0 || unlink(path) == -1)
		return needed == -1 ? -1 : 0;
	log_info("import.purge", LOG_S("file", name));
	return 1;
}

/* The folder has no place to go on at: a step that ends early has removed something, so that steps
 * come to an end. 1 there is more, 0, -1. */
static int import_purge_files(struct app *app, struct arena *a, struct err *err)
{
	const char *dir = arena_printf(a, "%s/imports", app->config->state_dir);
	int64_t until_us = clock_mono_us() + PERIODIC_STEP_US;
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		rc = import_purge_file(app, a, dir, e->d_name, err);
		if (rc == -1 || (rc == 1 && clock_mono_us() > until_us))
			break;
		rc = 0;
	}
	if (d != NULL)
		closedir(d);
	return rc;
}

int import_purge(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	int rc = import_purge_drafts(app, a, err);

	if (rc == 0)
		rc = import_purge_files(app, a, err);
	arena_free(a);
	return rc;
}
