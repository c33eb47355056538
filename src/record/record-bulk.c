#include "record/record-bulk.h"

#include "account/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "record/record-internal.h"
#include "record/record-walk.h"

#define RUN_BUDGET_US 200000 /* of one run of the job: the runner waits meanwhile */
#define BATCH 50             /* records of one transaction */
#define ATTEMPTS 15          /* of one run; then the deletion has failed */

DB_STMT(bulk_insert,
    "INSERT INTO imports (id, account_id, kind, status, provider_type, resource_type, file_name,"
    " path, options, received, created, updated, unchanged, failed, line, bytes_done, bytes_total,"
    " created_by, created_at)"
    " VALUES (?,?,'delete','queued',?,?,'','',?,0,0,0,0,0,0,0,?,?,?)");
DB_STMT(bulk_lock,
    "SELECT status FROM imports WHERE account_id = ? AND id = ? AND kind = 'delete' FOR UPDATE");
DB_STMT(bulk_progress, "UPDATE imports SET status = ?, received = received + ?,"
		       " updated = updated + ?, unchanged = unchanged + ?, error = ?,"
		       " started_at = COALESCE(started_at, ?), finished_at = ?"
		       " WHERE account_id = ? AND id = ?");
DB_STMT(bulk_running, "SELECT id, kind, received, bytes_total FROM imports WHERE account_id = ?"
		      " AND kind IN ('delete', 'replay') AND status IN ('queued', 'running')"
		      " ORDER BY id LIMIT 20");

int record_bulk_count(struct app *app, struct arena *a, const struct record_filter *f,
    int64_t budget_us, int64_t *n, bool *is_exact, struct err *err)
{
	struct record_walk w;

	*is_exact = true;
	if (record_count(app, a, f, n, err) == -1)
		return -1;
	if (*n >= 0)
		return 0;
	if (record_walk_begin(&w, app, a, f, err) == -1)
		return -1;
	return record_walk_count(&w, clock_mono_us() + budget_us, n, is_exact, err);
}

int record_bulk_running(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &bulk_running, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();

		json_set_str(o, "id", uuid_dup(a, db_get_uuid(&rows, i, 0)));
		json_set_strn(o, "kind", db_get_str(&rows, i, 1));
		json_set_int(o, "done", db_get_int(&rows, i, 2));
		json_set_int(o, "expected", db_get_int(&rows, i, 3));
		json_array_append_new(*out, o);
	}
	return 0;
}

/* ---- the request --------------------------------------------------------------------------- */

struct queueing {
	struct req *r;
	const struct record_filter *filter;
	const json_t *filter_json;
	int64_t before_us, expected;
};

static int queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct queueing *q = arg;
	struct req *r = q->r;
	struct uuid id = uuid_new();
	json_t *args = json_own(r->a, json_object());
	struct job job = {.id = uuid_new(),
	    .account_id = r->actor.account_id,
	    .kind = "record.delete",
	    .subject_id = id};

	json_set(args, "filter", json_deep_copy(q->filter_json));
	json_set_int(args, "before", q->before_us);
	job.args = json_text(r->a, args);
	if (db_exec(db, &bulk_insert,
		DB_VALS(db_uuid(&id), db_uuid(&r->actor.account_id),
		    db_strn(
			q->filter->provider_type.p == NULL ? STR("") : q->filter->provider_type),
		    db_strn(
			q->filter->resource_type.p == NULL ? STR("") : q->filter->resource_type),
		    db_strn(job.args), db_int(q->expected), db_uuid_or_null(&r->actor.user_id),
		    db_int(clock_now_us())),
		NULL, err) == -1 ||
	    job_insert(db, &job, 1, err) == -1)
		return -1;
	audit_fact(log, "record.delete_all", "import", &id, q->filter_json);
	return 0;
}

int record_bulk_delete(
    struct req *r, const json_t *filter, int64_t asked_us, int64_t expected, struct err *err)
{
	struct record_filter f;
	int64_t now = clock_now_us();
	struct queueing q = {r, &f, filter, asked_us < now ? asked_us : now, expected};

	if (record_filter_from_json(r->a, filter, &r->actor.account_id, &f, err) == -1 ||
	    record_filter_check(&f, err) == -1)
		return -1;
	return audit_change(r->app, r, &r->actor.account_id, queue_body, &q, err);
}

/* ---- the job ------------------------------------------------------------------------------- */

struct deleting {
	struct job *job;
	struct uuid ids[BATCH]; /* found, not yet deleted */
	size_t n;
	int64_t until_us, before_us;
	int64_t looked_at, deleted;
	bool is_over, is_cancelled;
	const char *error;
};

DB_STMT(bulk_still_fits,
    "SELECT id FROM records WHERE account_id = ? AND id = ? AND updated_at < ? FOR UPDATE");

/* One that was changed since it was asked is kept. */
static int delete_found(struct deleting *d, struct arena *a, size_t i, struct err *err)
{
	struct job *j = d->job;
	struct db_rows rows;
	int found = db_row(j->app->db, a, &bulk_still_fits,
	    DB_VALS(db_uuid(&j->account_id), db_uuid(&d->ids[i]), db_int(d->before_us)), &rows,
	    err);

	return found == 1 ? record_delete_one(j->app, a, &j->account_id, &d->ids[i], err) : found;
}

static int batch_body(struct db *db, void *arg, struct err *err)
{
	struct deleting *d = arg;
	int64_t before = d->deleted;
	int rc = 0;

	(void)db;
	for (size_t i = 0; i < d->n && rc != -1; i++) {
		struct arena *a = arena_new();

		if ((rc = delete_found(d, a, i, err)) == 1)
			d->deleted++;
		arena_free(a);
	}
	if (rc == -1) /* it may be tried again */
		d->deleted = before;
	return rc == -1 ? -1 : 0;
}

static int delete_batch(struct deleting *d, struct err *err)
{
	if (d->n > 0 && db_transaction(d->job->app->db, batch_body, d, err) == -1)
		return -1;
	d->looked_at += (int64_t)d->n;
	d->n = 0;
	return 0;
}

static int found_one(void *arg, const struct record_row *row, struct err *err)
{
	struct deleting *d = arg;

	d->ids[d->n++] = row->id;
	if (d->n < BATCH)
		return 0;
	if (delete_batch(d, err) == -1)
		return -1;
	return clock_mono_us() > d->until_us;
}

/* What is deleted is gone, so each run begins where the last one ended or, if it was killed, finds
 * nothing there. */
static int delete_some(struct deleting *d, json_t *args, struct err *err)
{
	struct job *j = d->job;
	const json_t *at = json_object_get(args, "position");
	struct record_filter f;
	struct record_walk w;
	int more;

	if (record_filter_from_json(
		j->a, json_object_get(args, "filter"), &j->account_id, &f, err) == -1)
		return -1;
	if (record_walk_begin(&w, j->app, j->a, &f, err) == -1)
		return -1;
	w.seen_before_us = d->before_us;
	if (at != NULL)
		record_walk_seek(&w, str_from(json_str(at, "providerType")),
		    str_from(json_str(at, "resourceType")), str_from(json_str(at, "externalId")));
	do {
		more = record_walk_page(&w, found_one, d, err);
	} while (more == 1 && clock_mono_us() < d->until_us);
	if (more == -1 || delete_batch(d, err) == -1)
		return -1;
	d->is_over = more == 0;
	if (more == 1) {
		json_t *o = json_object();

		json_set_strn(o, "providerType", w.kinds[w.kind].provider_type);
		json_set_strn(o, "resourceType", w.kinds[w.kind].resource_type);
		json_set_strn(o, "externalId", (struct str){w.after, w.nafter});
		json_set(args, "position", o);
		j->args = json_text(j->a, args);
	}
	return 0;
}

static int lock_status(struct deleting *d, struct err *err)
{
	struct job *j = d->job;
	struct db_rows rows;
	int found = db_row(j->app->db, j->a, &bulk_lock,
	    DB_VALS(db_uuid(&j->account_id), db_uuid(&j->subject_id)), &rows, err);

	if (found == -1)
		return -1;
	d->is_cancelled = found == 0 || (strcmp(db_get_text(&rows, 0, 0), "queued") != 0 &&
					    strcmp(db_get_text(&rows, 0, 0), "running") != 0);
	return 0;
}

static int look_body(struct db *db, void *arg, struct err *err)
{
	(void)db;
	return lock_status(arg, err);
}

static int save_body(struct db *db, void *arg, struct err *err)
{
	struct deleting *d = arg;
	struct job *j = d->job;
	int64_t now = clock_now_us();
	const char *status;
	bool is_end;

	if (lock_status(d, err) == -1)
		return -1;
	is_end = d->is_cancelled || d->is_over || d->error != NULL;
	status = d->is_cancelled    ? "cancelled"
		 : d->error != NULL ? "failed"
		 : d->is_over       ? "completed"
				    : "running";
	if (db_exec(db, &bulk_progress,
		DB_VALS(db_str(status), db_int(d->looked_at), db_int(d->deleted),
		    db_int(d->looked_at - d->deleted), db_str(d->error), db_int(now),
		    is_end ? db_int(now) : db_null(), db_uuid(&j->account_id),
		    db_uuid(&j->subject_id)),
		NULL, err) == -1)
		return -1;
	return is_end ? job_finish(db, j, err) : job_reschedule(db, j, now, j->args, err);
}

int record_job_delete(struct job *j, struct err *err)
{
	struct deleting d = {.job = j, .until_us = clock_mono_us() + RUN_BUDGET_US};
	json_t *args = json_parse(j->a, j->args, err);
	struct err why = ERR_INIT;

	if (args == NULL || db_transaction(j->app->db, look_body, &d, err) == -1)
		return -1;
	d.before_us = json_int(args, "before");
	if (!d.is_cancelled && delete_some(&d, args, &why) == -1) {
		if (j->attempts < ATTEMPTS)
			return err_set(err, why.code, "%s", why.msg);
		log_warn("record.delete", LOG_ERR(&why));
		d.error = why.msg;
	}
	return db_transaction(j->app->db, save_body, &d, err);
}
