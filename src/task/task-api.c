/* Tasks in requests: /tasks, and what the features' own lists of them share. */
#include "account/audit.h"
#include "base/clock.h"
#include "html/chrome.h"
#include "task/task-internal.h"

int task_percent(const struct task *t)
{
	if (t->status == TASK_COMPLETED)
		return 100;
	return t->total > 0 ? (int)(t->done * 100 / t->total) : -1;
}

/* percent, and etaSeconds of one that goes on: null where they cannot be told. */
static void task_tell_progress(const struct task *t, json_t *o)
{
	int percent = task_percent(t);
	int64_t took_us = clock_now_us() - t->started_us;

	json_set(o, "percent", percent < 0 ? json_null() : json_integer(percent));
	json_set(o, "etaSeconds",
	    task_is_open(t) && t->started_us != 0 && t->done > 0 && percent >= 0
		? json_integer((int64_t)((double)took_us * (double)(t->total - t->done) /
					 (double)t->done / SECOND_US))
		: json_null());
}

json_t *task_json(const struct app *app, const struct task *t)
{
	const struct task_kind *kind = task_kind(app, t->kind);
	json_t *o = json_object();
	char id[UUID_TEXT];

	uuid_text(id, t->id);
	json_set_str(o, "id", id);
	json_set_str(o, "kind", t->kind);
	json_set_str(o, "status", task_status_name(t->status));
	json_set_strn(o, "title",
	    t->title.n > 0 ? t->title : str_from(kind != NULL ? kind->untitled : t->kind));
	json_set_strn(o, "providerType", t->provider_type);
	json_set_strn(o, "resourceType", t->resource_type);
	json_set_int(o, "done", t->done);
	json_set_int(o, "total", t->total);
	json_set_int(o, "received", t->counts.received);
	json_set_int(o, "created", t->counts.created);
	json_set_int(o, "updated", t->counts.updated);
	json_set_int(o, "unchanged", t->counts.unchanged);
	json_set_int(o, "failed", t->counts.failed);
	if (kind != NULL && kind->is_file) {
		json_set_strn(o, "fileName", t->title);
		json_set_int(o, "bytesDone", t->done);
		json_set_int(o, "bytesTotal", t->total);
	}
	json_set_str(o, "error", t->error);
	json_set_time(o, "createdAt", t->created_us);
	json_set_time(o, "startedAt", t->started_us);
	json_set_time(o, "finishedAt", t->finished_us);
	task_tell_progress(t, o);
	if (kind != NULL && kind->tell != NULL)
		kind->tell(t, o);
	return o;
}

int task_answer_list(
    struct req *r, const char *list, json_t *(*show)(const struct app *app, const struct task *t))
{
	const struct list tasks_list = {list, task_filters, NULL};
	struct task_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	struct tasks tasks;

	if (!slice_read(r, &tasks_list, &f, &s))
		return res_invalid(r);
	if (task_list(r->app->db, r->a, &f, &s, &tasks, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < tasks.n; i++)
		json_array_append_new(s.rows, show(r->app, &tasks.v[i]));
	return res_slice(r, &s);
}

bool task_of_request(struct req *r, const char *what, struct task *out)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return false;
	found = task_load(r->app->db, r->a, &r->actor.account_id, &id, false, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no %s", what);
	return found == 1;
}

/* ---- cancelling ---------------------------------------------------------------------------- */

struct task_cancelling {
	struct req *r;
	const struct uuid *id;
	struct task *out;
	int found;
};

static int task_cancel_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct task_cancelling *c = arg;
	struct req *r = c->r;
	struct task *t = c->out;

	c->found = task_load(db, r->a, &r->actor.account_id, c->id, true, t, err);
	if (c->found == 1 && t->status == TASK_DRAFT)
		c->found = 0;
	if (c->found != 1)
		return c->found == 0 ? 1 : -1;
	if (!task_is_open(t))
		return err_set(err, ERR_CONFLICT, "the %s has ended already: it is %s", t->kind,
		    task_status_name(t->status));
	t->status = TASK_CANCELLED;
	t->finished_us = clock_now_us();
	if (task_store_progress(db, t, err) == -1)
		return -1;
	audit_fact(log, arena_printf(r->a, "%s.cancel", t->kind), "task", &t->id, NULL);
	return 0;
}

int task_cancel(struct req *r, const struct uuid *id, struct task *out, struct err *err)
{
	struct task_cancelling c = {r, id, out, 0};

	if (audit_change(r->app, r, &r->actor.account_id, task_cancel_body, &c, err) == -1)
		return -1;
	return c.found;
}

int task_answer_cancel_page(struct req *r, const char *what, const char *done, const char *back)
{
	struct err err = ERR_INIT;
	struct task t;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = task_cancel(r, &id, &t, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no %s", what);
	if (found == -1 && err.code != ERR_CONFLICT)
		return res_error(r, &err);
	if (found == -1)
		chrome_flash(r, "error", "It had ended already.");
	else if (done != NULL)
		chrome_flash(r, "ok", "%s", done);
	return res_redirect(r, back);
}

/* ---- /tasks -------------------------------------------------------------------------------- */

int task_api_list(struct req *r)
{
	return task_answer_list(r, "tasks", task_json);
}

int task_api_get(struct req *r)
{
	struct task t;

	if (!task_of_request(r, "such task", &t))
		return 0;
	if (t.status == TASK_DRAFT)
		return res_problem(r, 404, "There is no such task");
	return res_json(r, 200, task_json(r->app, &t));
}

int task_api_cancel(struct req *r)
{
	struct err err = ERR_INIT;
	struct task t;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = task_cancel(r, &id, &t, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such task");
	return res_json(r, 200, task_json(r->app, &t));
}
