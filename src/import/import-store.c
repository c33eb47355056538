/* SQL of the imports. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "import/import.h"

#define COLUMNS_OF_IMPORT                                                                          \
	"SELECT id, kind, status, provider_type, resource_type, file_name, path, options,"         \
	" received, created, updated, unchanged, failed, line, bytes_done, bytes_total, error,"    \
	" created_by, created_at, started_at, finished_at FROM imports"
#define REASON_BYTES 500
#define PURGE_ROWS 100

DB_STMT(imports_insert,
    "INSERT INTO imports (id, account_id, kind, status, provider_type, resource_type, file_name,"
    " path, options, received, created, updated, unchanged, failed, line, bytes_done, bytes_total,"
    " error, created_by, created_at, started_at, finished_at)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
DB_STMT(imports_get, COLUMNS_OF_IMPORT " WHERE account_id = ? AND id = ?");
DB_STMT(imports_lock, COLUMNS_OF_IMPORT " WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(imports_newest,
    COLUMNS_OF_IMPORT " WHERE account_id = ? AND (? IS NULL OR id < ?) AND status <> 'draft'"
		      " ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(imports_update,
    "UPDATE imports SET status = ?, provider_type = ?, resource_type = ?, options = ?,"
    " received = ?, created = ?, updated = ?, unchanged = ?, failed = ?, line = ?, bytes_done = ?,"
    " error = ?, started_at = ?, finished_at = ? WHERE account_id = ? AND id = ?");
DB_STMT(imports_delete, "DELETE FROM imports WHERE account_id = ? AND id = ?");
DB_STMT(imports_drafts, "SELECT account_id, id, path FROM imports"
			" WHERE status = 'draft' AND created_at < ? ORDER BY id LIMIT ?");
DB_STMT(imports_of_file,
    "SELECT 1 FROM imports WHERE id = ? AND status IN ('draft', 'queued', 'running')");
DB_STMT_ROWS(import_errors_add,
    "INSERT INTO import_errors (id, account_id, import_id, line, reason, row_text) VALUES ",
    "(?,?,?,?,?,?)", "");
DB_STMT(import_errors_next,
    "SELECT id, line, reason, row_text FROM import_errors WHERE account_id = ? AND import_id = ?"
    " AND (line > ? OR (line = ? AND id > ?)) ORDER BY line, id LIMIT ?");

/* ---- one import ---------------------------------------------------------------------------- */

int import_insert(struct db *db, const struct import *im, struct err *err)
{
	return db_exec(db, &imports_insert,
	    DB_VALS(db_uuid(&im->id), db_uuid(&im->account_id), db_str(im->kind),
		db_str(im->status), db_strn(im->provider_type), db_strn(im->resource_type),
		db_strn(im->file_name), db_str(im->path), db_strn(im->options),
		db_int(im->counts.received), db_int(im->counts.created), db_int(im->counts.updated),
		db_int(im->counts.unchanged), db_int(im->counts.failed), db_int(im->line),
		db_int(im->bytes_done), db_int(im->bytes_total), db_str(im->error),
		db_uuid_or_null(&im->created_by), db_int(im->created_us), db_time(im->started_us),
		db_time(im->finished_us)),
	    NULL, err);
}

int import_update(struct db *db, const struct import *im, struct err *err)
{
	return db_exec(db, &imports_update,
	    DB_VALS(db_str(im->status), db_strn(im->provider_type), db_strn(im->resource_type),
		db_strn(im->options), db_int(im->counts.received), db_int(im->counts.created),
		db_int(im->counts.updated), db_int(im->counts.unchanged), db_int(im->counts.failed),
		db_int(im->line), db_int(im->bytes_done), db_str(im->error),
		db_time(im->started_us), db_time(im->finished_us), db_uuid(&im->account_id),
		db_uuid(&im->id)),
	    NULL, err);
}

int import_delete(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	return db_exec(db, &imports_delete, DB_VALS(db_uuid(account_id), db_uuid(id)), NULL, err);
}

static void read_row(
    const struct db_rows *rows, size_t i, const struct uuid *account_id, struct import *out)
{
	*out = (struct import){.id = db_get_uuid(rows, i, 0),
	    .account_id = *account_id,
	    .kind = db_get_text(rows, i, 1),
	    .status = db_get_text(rows, i, 2),
	    .provider_type = db_get_str(rows, i, 3),
	    .resource_type = db_get_str(rows, i, 4),
	    .file_name = db_get_str(rows, i, 5),
	    .path = db_get_text(rows, i, 6),
	    .options = db_get_str(rows, i, 7),
	    .counts = {db_get_int(rows, i, 8), db_get_int(rows, i, 9), db_get_int(rows, i, 10),
		db_get_int(rows, i, 11), db_get_int(rows, i, 12)},
	    .line = db_get_int(rows, i, 13),
	    .bytes_done = db_get_int(rows, i, 14),
	    .bytes_total = db_get_int(rows, i, 15),
	    .error = db_get_text(rows, i, 16),
	    .created_by = db_get_uuid(rows, i, 17),
	    .created_us = db_get_int(rows, i, 18),
	    .started_us = db_get_int(rows, i, 19),
	    .finished_us = db_get_int(rows, i, 20)};
}

int import_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, bool is_locked, struct import *out, struct err *err)
{
	struct db_rows rows;
	int rc = db_row(db, a, is_locked ? &imports_lock : &imports_get,
	    DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (rc == 1)
		read_row(&rows, 0, account_id, out);
	return rc;
}

json_t *import_json(const struct import *im)
{
	json_t *o = json_object();
	char id[UUID_TEXT];

	uuid_text(id, im->id);
	json_set_str(o, "id", id);
	json_set_str(o, "kind", im->kind);
	json_set_str(o, "status", im->status);
	json_set_strn(o, "providerType", im->provider_type);
	json_set_strn(o, "resourceType", im->resource_type);
	json_set_strn(o, "fileName", im->file_name);
	json_set_int(o, "received", im->counts.received);
	json_set_int(o, "created", im->counts.created);
	json_set_int(o, "updated", im->counts.updated);
	json_set_int(o, "unchanged", im->counts.unchanged);
	json_set_int(o, "failed", im->counts.failed);
	json_set_int(o, "bytesDone", im->bytes_done);
	json_set_int(o, "bytesTotal", im->bytes_total);
	json_set_str(o, "error", im->error);
	json_set_time(o, "createdAt", im->created_us);
	json_set_time(o, "startedAt", im->started_us);
	json_set_time(o, "finishedAt", im->finished_us);
	return o;
}

int import_list(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *before, int64_t limit, int64_t offset, json_t **out, struct err *err)
{
	struct db_val at = db_uuid_or_null(before);
	struct db_rows rows;

	if (db_query(db, a, &imports_newest,
		DB_VALS(db_uuid(account_id), at, at, db_int(limit), db_int(offset)), &rows,
		err) == -1)
		return -1;
	*out = json_own(a, json_array());
	for (size_t i = 0; i < rows.count; i++) {
		struct import im;

		read_row(&rows, i, account_id, &im);
		json_array_append_new(*out, import_json(&im));
	}
	return 0;
}

/* ---- error rows ---------------------------------------------------------------------------- */

int import_errors_insert(struct db *db, struct arena *a, const struct import *im,
    const struct import_error *errors, size_t n, struct err *err)
{
	struct db_val *v = arena_alloc(a, (n + 1) * 6 * sizeof(*v));

	for (size_t i = 0; i < n; i++) {
		const struct import_error *e = &errors[i];
		struct db_val row[6] = {db_uuid(&e->id), db_uuid(&im->account_id), db_uuid(&im->id),
		    db_int(e->line), db_strn(utf8_clean(a, e->reason, REASON_BYTES)),
		    db_strn(e->text.n == 0 ? STR("") : utf8_clean(a, e->text, CSV_TEXT_BYTES))};

		memcpy(v + 6 * i, row, sizeof(row));
	}
	return db_exec_rows(db, &import_errors_add, NULL, 0, v, n, 6, NULL, err);
}

int import_errors_page(struct db *db, struct arena *a, const struct import *im, int64_t after_line,
    const struct uuid *after_id, int64_t n, struct import_error **out, size_t *count,
    struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &import_errors_next,
		DB_VALS(db_uuid(&im->account_id), db_uuid(&im->id), db_int(after_line),
		    db_int(after_line), db_uuid(after_id), db_int(n)),
		&rows, err) == -1)
		return -1;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	*count = rows.count;
	for (size_t i = 0; i < rows.count; i++)
		(*out)[i] = (struct import_error){.id = db_get_uuid(&rows, i, 0),
		    .line = db_get_int(&rows, i, 1),
		    .reason = db_get_str(&rows, i, 2),
		    .text = db_get_str(&rows, i, 3)};
	return 0;
}

/* ---- what is left behind ------------------------------------------------------------------- */

static int purge_drafts(struct app *app, struct arena *a, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &imports_drafts,
		DB_VALS(db_int(clock_now_us() - IMPORT_DRAFT_US), db_int(PURGE_ROWS)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid account = db_get_uuid(&rows, i, 0), id = db_get_uuid(&rows, i, 1);

		unlink(db_get_text(&rows, i, 2));
		if (import_delete(app->db, &account, &id, err) == -1)
			return -1;
	}
	return 0;
}

/* A file that a dead process left: old, and of no import that still needs it. */
static int purge_file(
    struct app *app, struct arena *a, const char *dir, const char *name, struct err *err)
{
	const char *path = arena_printf(a, "%s/%s", dir, name);
	struct db_rows rows;
	struct stat st;
	struct uuid id;
	int needed;

	if (!uuid_parse((struct str){name, strcspn(name, ".")}, &id) || stat(path, &st) == -1 ||
	    (int64_t)st.st_mtime * SECOND_US > clock_now_us() - IMPORT_DRAFT_US)
		return 0;
	needed = db_row(app->db, a, &imports_of_file, DB_VALS(db_uuid(&id)), &rows, err);
	if (needed == 0 && unlink(path) == 0)
		log_info("import.purge", LOG_S("file", name));
	return needed == -1 ? -1 : 0;
}

int import_purge(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/imports", app->config->state_dir);
	int rc = purge_drafts(app, a, err);
	DIR *d = rc == 0 ? opendir(dir) : NULL;
	struct dirent *e;

	while (d != NULL && rc == 0 && (e = readdir(d)) != NULL)
		rc = purge_file(app, a, dir, e->d_name, err);
	if (d != NULL)
		closedir(d);
	arena_free(a);
	return rc;
}
