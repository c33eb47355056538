#include "flow/execution-repeat.h"
#include "account/audit.h"
#include "base/arena.h"

#define REPEAT_BATCH 20 /* of one transaction: each may have a payload of a MiB */

const struct task_kind execution_repeat_task = {.name = "flow_replay",
    .job = "flow.repeat",
    .untitled = "Failed runs repeated",
    .received = {"Found", "failed runs"},
    .updated = {"Run again", "runs"},
    .unchanged = {"Left", "runs whose flow is not published, or has changed too much"}};

/* ---- what matches ---------------------------------------------------------------------------- */

#define REPEAT_CONDITIONS                                                                          \
	" WHERE e.account_id = ? AND e.status = '" EXECUTION_FAILED "' AND e.id > ? AND e.id < ?"  \
	" AND e.replayed_by IS NULL AND (? IS NULL OR e.flow_id = ?)"                              \
	" AND (? IS NULL OR e.trigger_kind = ?) AND (? IS NULL OR e.record_id = ?)"                \
	" AND e.created_at >= ? AND e.created_at < ?"
#define REPEAT_VALUES 11
DB_STMT(executions_repeat_count, "SELECT COUNT(*) FROM (SELECT e.id FROM executions e FORCE INDEX "
				 "(executions_status)" REPEAT_CONDITIONS " LIMIT 100000) k");
DB_STMT(executions_repeat_next,
    "SELECT e.id FROM executions e FORCE INDEX (executions_status)" REPEAT_CONDITIONS
    " ORDER BY e.id LIMIT ? FOR UPDATE");

static void repeat_values(const struct execution_filter *f, const struct uuid *after,
    const struct uuid *until, struct db_val *v)
{
	struct db_val all[REPEAT_VALUES] = {db_uuid(&f->account_id), db_uuid(after), db_uuid(until),
	    db_uuid_or_null(&f->flow_id), db_uuid_or_null(&f->flow_id), db_name(f->kind),
	    db_name(f->kind), db_uuid_or_null(&f->record_id), db_uuid_or_null(&f->record_id),
	    db_int(opt_time_or(f->from, INT64_MIN)), db_int(opt_time_or(f->to, INT64_MAX))};

	memcpy(v, all, sizeof(all));
}

int repeat_count(
    struct app *app, struct arena *a, const struct execution_filter *f, int64_t *n, struct err *err)
{
	struct db_val v[REPEAT_VALUES];
	struct uuid none = {{0}}, last;
	struct db_rows rows;

	memset(last.b, 0xff, sizeof(last.b));
	repeat_values(f, &none, &last, v);
	if (db_row(app->db, a, &executions_repeat_count, v, REPEAT_VALUES, &rows, err) != 1)
		return -1;
	*n = db_get_int(&rows, 0, 0);
	return 0;
}

/* ---- the job --------------------------------------------------------------------------------- */

struct repeating {
	struct task_run *run;
	struct repeat_wish wish;
	struct uuid after;
};

static int repeating_read(struct repeating *p, struct err *err)
{
	struct arena *a = p->run->job->a;
	const struct task *t = &p->run->task;
	json_t *args = json_parse_stored(a, t->args, err), *at;
	const json_t *filter = json_object_get(args, "filter");
	const char *flow = json_str(filter, "flowId"), *record = json_str(filter, "recordId");
	struct execution_filter *f = &p->wish.f;

	if (args == NULL)
		return -1;
	*f = (struct execution_filter){
	    .account_id = t->account_id, .kind = str_from(json_str(filter, "trigger"))};
	if (flow != NULL)
		(void)uuid_parse(str_from(flow), &f->flow_id);
	if (record != NULL)
		(void)uuid_parse(str_from(record), &f->record_id);
	if (json_object_get(filter, "fromUs") != NULL)
		f->from = (struct opt_time){.is_given = true, .us = json_int(filter, "fromUs")};
	if (json_object_get(filter, "toUs") != NULL)
		f->to = (struct opt_time){.is_given = true, .us = json_int(filter, "toUs")};
	p->wish.words = (struct replay_words){json_str(args, "from"), json_str(args, "version")};
	p->wish.rate = json_int(args, "ratePerSecond");
	p->after = (struct uuid){{0}};
	if (t->position.p == NULL)
		return 0;
	if ((at = json_parse_stored(a, t->position, err)) == NULL)
		return -1;
	(void)uuid_parse(str_from(json_str(at, "after")), &p->after);
	return 0;
}

static int repeat_page(const struct repeating *p, struct db *db, struct arena *a,
    const struct task *t, struct db_rows *rows, struct err *err)
{
	struct uuid until = uuid_at(t->created_us + 1);
	int64_t most = p->wish.rate < REPEAT_BATCH ? p->wish.rate : REPEAT_BATCH;
	struct db_val v[REPEAT_VALUES + 1];

	repeat_values(&p->wish.f, &p->after, &until, v);
	v[REPEAT_VALUES] = db_int(most);
	return db_query(db, a, &executions_repeat_next, v, REPEAT_VALUES + 1, rows, err);
}

/* One of them: 1 made, 0 it cannot be repeated, -1. */
static int repeat_one(const struct repeating *p, struct db *db, struct arena *a,
    const struct uuid *id, struct replay **out, struct err *err)
{
	struct execution *of = arena_zalloc(a, sizeof(*of));
	struct replay *replay = arena_zalloc(a, sizeof(*replay));
	int found = execution_load(db, a, &p->wish.f.account_id, id, of, err);

	if (found != 1)
		return found;
	replay->of = of;
	replay_ask(replay, &p->wish.words);
	/* what failed before its first step has no place to go on from */
	replay->is_from_failed = replay->is_from_failed && of->state != NULL;
	*out = replay;
	if (replay_prepare(p->run->job->app, a, replay, err) == 0)
		return 1;
	if (err->code != ERR_CONFLICT && err->code != ERR_INVALID)
		return -1;
	*err = (struct err)ERR_INIT;
	return 0;
}

static int repeat_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct repeating *p = arg;
	struct replay *made[REPEAT_BATCH];
	struct db_rows rows;
	json_t *position = json_own(a, json_object());
	size_t n = 0;

	if (repeat_page(p, db, a, next, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);
		int rc = repeat_one(p, db, a, &id, &made[n], err);

		if (rc == -1)
			return -1;
		n += rc == 1;
	}
	if (n > 0 && replays_begin(db, made, n, err) == -1)
		return -1;
	next->counts.received += (int64_t)rows.count;
	next->counts.updated += (int64_t)n;
	next->counts.unchanged += (int64_t)(rows.count - n);
	next->done += (int64_t)rows.count;
	if (next->total < next->done)
		next->total = next->done;
	*then = rows.count == 0 ? TASK_DONE : TASK_LATER;
	p->run->later_us = (int64_t)rows.count * SECOND_US / p->wish.rate;
	if (rows.count == 0)
		return 0;
	json_set_str(position, "after", uuid_dup(a, db_get_uuid(&rows, rows.count - 1, 0)));
	next->position = json_text(a, position);
	return 0;
}

int execution_job_repeat(struct job *j, struct err *err)
{
	struct repeating p = {0};
	int found = task_run_begin(j, &execution_repeat_task, &p.run, err);

	if (found != 1)
		return found;
	do {
		if (repeating_read(&p, err) == -1 ||
		    task_run_step(p.run, repeat_work, &p, err) == -1)
			return task_run_fail(p.run, false, err);
	} while (!p.run->is_over);
	return 0;
}

/* ---- the request ----------------------------------------------------------------------------- */

struct repeat_queueing {
	struct task *task;
	json_t *args;
};

static int repeat_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct repeat_queueing *q = arg;

	if (task_queue(db, &execution_repeat_task, q->task, NULL, err) == -1)
		return -1;
	audit_fact(log, "flow.replay_all", "task", &q->task->id, q->args);
	return 0;
}

static json_t *wish_args(struct arena *a, const struct repeat_wish *w)
{
	json_t *args = json_own(a, json_object()), *filter = json_object();
	const struct execution_filter *f = &w->f;

	if (!uuid_is_nil(f->flow_id))
		json_set_str(filter, "flowId", uuid_dup(a, f->flow_id));
	if (!uuid_is_nil(f->record_id))
		json_set_str(filter, "recordId", uuid_dup(a, f->record_id));
	if (f->kind.n > 0)
		json_set_strn(filter, "trigger", f->kind);
	if (f->from.is_given)
		json_set_int(filter, "fromUs", f->from.us);
	if (f->to.is_given)
		json_set_int(filter, "toUs", f->to.us);
	json_set(args, "filter", filter);
	json_set_str(args, "from", w->words.from);
	json_set_str(args, "version", w->words.version);
	json_set_int(args, "ratePerSecond", w->rate);
	return args;
}

int repeat_queue(struct req *r, struct repeat_wish *w, struct err *err)
{
	json_t *args = wish_args(r->a, w);
	struct task t = {.account_id = r->actor.account_id,
	    .created_by = r->actor.user_id,
	    .args = json_text(r->a, args)};
	struct repeat_queueing q = {&t, args};

	w->f.account_id = r->actor.account_id;
	if (repeat_count(r->app, r->a, &w->f, &t.total, err) == -1 ||
	    audit_change(r->app, r, &t.account_id, repeat_queue_body, &q, err) == -1)
		return -1;
	w->task_id = t.id;
	return 0;
}

int repeat_running(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct tasks tasks;

	*out = json_own(a, json_array());
	if (task_list_open(app->db, a, account_id, &tasks, err) == -1)
		return -1;
	for (size_t i = 0; i < tasks.n; i++) {
		const struct task *t = &tasks.v[i];
		json_t *o;

		if (strcmp(t->kind, execution_repeat_task.name) != 0)
			continue;
		o = json_object();
		json_set_str(o, "id", uuid_dup(a, t->id));
		json_set_int(o, "done", t->done);
		json_set_int(o, "total", t->total);
		json_array_append_new(*out, o);
	}
	return 0;
}
