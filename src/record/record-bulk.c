/* What the tasks over all that a filter matches share, and the deletion. */
#include "record/record-bulk.h"

#include "account/audit.h"
#include "base/clock.h"
#include "record/record-internal.h"

#define RUN_BUDGET_US 200000 /* of one run of the job: the runner waits meanwhile */
#define BATCH 50             /* records of one transaction */

const struct task_kind record_delete_task = {.name = "delete",
    .job = "record.delete",
    .untitled = "Records deleted",
    .doing = "Deleting",
    .did = "Deleted",
    .received = {"Found", "records"},
    .updated = {"Deleted", "records"},
    .unchanged = {"Left", "changed or gone meanwhile"}};

bool record_bulk_is_hopeless(const struct err *err)
{
	return err->code == ERR_MALFORMED || err->code == ERR_INVALID;
}

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
	struct tasks tasks;

	*out = json_own(a, json_array());
	if (task_list_open(app->db, a, account_id, &tasks, err) == -1)
		return -1;
	for (size_t i = 0; i < tasks.n; i++) {
		const struct task *t = &tasks.v[i];
		bool is_delete = strcmp(t->kind, record_delete_task.name) == 0;
		json_t *o;

		if (!is_delete && strcmp(t->kind, record_replay_task.name) != 0)
			continue;
		o = json_object();
		json_set_str(o, "id", uuid_dup(a, t->id));
		json_set_bool(o, "isDelete", is_delete);
		json_set_int(o, "done", t->done);
		json_set_int(o, "total", t->total);
		json_array_append_new(*out, o);
	}
	return 0;
}

int record_bulk_walk(struct record_walk *w, struct app *app, struct arena *a, const struct task *t,
    const json_t *args, struct record_filter *f, int64_t seen_before_us, struct err *err)
{
	json_t *at = NULL;

	if (record_filter_from_json(a, json_object_get(args, "filter"), &t->account_id, f, err) ==
		-1 ||
	    record_walk_begin(w, app, a, f, err) == -1)
		return -1;
	w->seen_before_us = seen_before_us;
	if (t->position.p == NULL)
		return 0;
	if ((at = json_parse_stored(a, t->position, err)) == NULL)
		return -1;
	record_walk_seek(w, str_from(json_str(at, "providerType")),
	    str_from(json_str(at, "resourceType")), str_from(json_str(at, "externalId")));
	return 0;
}

static struct str bulk_position_text(
    struct arena *a, struct str provider_type, struct str resource_type, struct str external_id)
{
	json_t *o = json_own(a, json_object());

	json_set_strn(o, "providerType", provider_type);
	json_set_strn(o, "resourceType", resource_type);
	json_set_strn(o, "externalId", external_id);
	return json_text(a, o);
}

struct str record_bulk_position(struct arena *a, const struct record_walk *w)
{
	const struct record_walk_kind *k = &w->kinds[w->kind];

	return bulk_position_text(
	    a, k->provider_type, k->resource_type, (struct str){w->after, w->nafter});
}

struct bulk_queueing {
	struct req *r;
	const struct record_bulk *b;
	struct task *task;
	struct uuid *job_id;
};

static int bulk_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct bulk_queueing *q = arg;

	if (task_queue(db, q->b->kind, q->task, q->job_id, err) == -1)
		return -1;
	audit_fact(log, q->b->action, "task", &q->task->id, q->b->filter);
	return 0;
}

int record_bulk_queue(struct req *r, const struct record_bulk *b, struct task *t,
    struct uuid *job_id, struct err *err)
{
	struct bulk_queueing q = {r, b, t, job_id};

	t->account_id = r->actor.account_id;
	t->created_by = r->actor.user_id;
	return audit_change(r->app, r, &t->account_id, bulk_queue_body, &q, err);
}

/* ---- deletion: the request ----------------------------------------------------------------- */

int record_delete_all(
    struct req *r, const json_t *filter, int64_t asked_us, int64_t expected, struct err *err)
{
	struct record_filter f;
	int64_t now_us = clock_now_us();
	const struct record_bulk b = {&record_delete_task, "record.delete_all", filter};
	struct task t;
	json_t *args = json_own(r->a, json_object());

	if (record_filter_from_json(r->a, filter, &r->actor.account_id, &f, err) == -1 ||
	    record_filter_check(&f, err) == -1)
		return -1;
	json_set(args, "filter", json_deep_copy(filter));
	json_set_int(args, "before", asked_us < now_us ? asked_us : now_us);
	t = (struct task){.provider_type = f.provider_type,
	    .resource_type = f.resource_type,
	    .args = json_text(r->a, args),
	    .total = expected};
	return record_bulk_queue(r, &b, &t, NULL, err);
}

/* ---- deletion: the job --------------------------------------------------------------------- */

struct bulk_deleting {
	struct task_run *run;
	struct record_walk walk;
	struct uuid ids[BATCH]; /* found, not yet deleted */
	size_t n;
	const struct record_row *last; /* the last of them, while the walk is at it */
	int64_t until_us, before_us;
	enum task_then then;
};

DB_STMT(bulk_still_fits,
    "SELECT id FROM records WHERE account_id = ? AND id = ? AND updated_at < ? FOR UPDATE");

/* One that was changed since it was asked is kept. */
static int bulk_delete_found(
    const struct bulk_deleting *d, struct arena *a, size_t i, struct err *err)
{
	struct app *app = d->run->job->app;
	const struct uuid *account_id = &d->run->task.account_id;
	struct db_rows rows;
	int found = db_row(app->db, a, &bulk_still_fits,
	    DB_VALS(db_uuid(account_id), db_uuid(&d->ids[i]), db_int(d->before_us)), &rows, err);

	return found == 1 ? record_delete_one(app, a, account_id, &d->ids[i], err) : found;
}

static int bulk_delete_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	const struct bulk_deleting *d = arg;

	(void)db;
	for (size_t i = 0; i < d->n; i++) {
		struct arena *own = arena_new();
		int rc = bulk_delete_found(d, own, i, err);

		arena_free(own);
		if (rc == -1)
			return -1;
		next->counts.updated += rc == 1;
		next->counts.unchanged += rc == 0;
	}
	next->counts.received += (int64_t)d->n;
	next->done += (int64_t)d->n;
	if (d->then == TASK_GO_ON)
		next->position = bulk_position_text(
		    a, d->last->provider_type, d->last->resource_type, d->last->external_id);
	else if (d->then == TASK_AGAIN)
		next->position = record_bulk_position(a, &d->walk);
	*then = d->then;
	return 0;
}

static int bulk_delete_batch(struct bulk_deleting *d, enum task_then then, struct err *err)
{
	d->then = then;
	if (task_run_step(d->run, bulk_delete_work, d, err) == -1)
		return -1;
	d->n = 0;
	return 0;
}

static int bulk_collect_found(void *arg, const struct record_row *row, struct err *err)
{
	struct bulk_deleting *d = arg;

	d->ids[d->n++] = row->id;
	if (d->n < BATCH)
		return 0;
	d->last = row;
	if (bulk_delete_batch(d, TASK_GO_ON, err) == -1)
		return -1;
	return d->run->is_over || clock_mono_us() > d->until_us;
}

static int bulk_delete_some(struct bulk_deleting *d, struct err *err)
{
	struct job *j = d->run->job;
	json_t *args = json_parse_stored(j->a, d->run->task.args, err);
	struct record_filter f;
	int more;

	if (args == NULL)
		return -1;
	d->before_us = json_int(args, "before");
	if (record_bulk_walk(&d->walk, j->app, j->a, &d->run->task, args, &f, d->before_us, err) ==
	    -1)
		return -1;
	do {
		more = record_walk_page(&d->walk, bulk_collect_found, d, err);
	} while (more == 1 && !d->run->is_over && clock_mono_us() < d->until_us);
	if (more == -1 || d->run->is_over)
		return more == -1 ? -1 : 0;
	return bulk_delete_batch(d, more == 1 ? TASK_AGAIN : TASK_DONE, err);
}

int record_job_delete(struct job *j, struct err *err)
{
	struct bulk_deleting d = {.until_us = clock_mono_us() + RUN_BUDGET_US};
	int found = task_run_begin(j, &record_delete_task, &d.run, err);

	if (found == 1 && bulk_delete_some(&d, err) == -1)
		return task_run_fail(d.run, record_bulk_is_hopeless(err), err);
	return found == -1 ? -1 : 0;
}
