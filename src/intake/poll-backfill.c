/* Back-fills: what a poll would have brought since a date, as a task (poll-fill.h). */
#include "account/audit.h"
#include "base/clock.h"
#include "intake/poll-change.h"
#include "intake/poll-fill.h"

const struct task_kind poll_backfill_task = {.name = "backfill",
    .job = "poll.backfill",
    .untitled = "Back-fill",
    .received = {"Seen", "items"},
    .created = {"New", "records"},
    .updated = {"Changed", "records"},
    .unchanged = {"Known already", "items"},
    .failed = {"Left out", "forms"},
    .tell = poll_fill_tell};

struct backfill_queueing {
	const struct poll_actor *by;
	struct task *task;
	const struct uuid *connection_id;
	const json_t *args;
};

static bool backfill_is_of(struct arena *a, const struct task *t, const json_t *args)
{
	struct err ignored = ERR_INIT;
	const json_t *its = json_parse_stored(a, t->args, &ignored);
	const char *const keys[] = {"connectionIds", "poll"};

	for (size_t i = 0; i < 2; i++)
		if (!json_equal(json_object_get(its, keys[i]), json_object_get(args, keys[i])))
			return false;
	return strcmp(t->kind, poll_backfill_task.name) == 0;
}

static int backfill_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct backfill_queueing *q = arg;
	struct tasks open;

	if (task_list_open(db, q->by->a, &q->task->account_id, &open, err) == -1)
		return -1;
	for (size_t i = 0; i < open.n; i++)
		if (backfill_is_of(q->by->a, &open.v[i], q->args))
			return err_set(err, ERR_CONFLICT,
			    "a back-fill of this poll is under way: wait for it, or cancel it");
	if (task_queue(db, &poll_backfill_task, q->task, NULL, err) == -1)
		return -1;
	audit_fact(log, "poll.backfill", "connection", q->connection_id, q->args);
	return 0;
}

int poll_backfill(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, struct task *out, struct err *err)
{
	struct arena *a = by->a;
	json_t *args = json_own(a, json_object());
	struct backfill_queueing q = {by, out, &c->id, args};
	char day[CLOCK_TEXT];

	if (since_us < 0 || since_us >= clock_now_us())
		return err_field(err, ERR_INVALID, "since", "must be a time in the past");
	json_t *ids = json_array();

	json_array_append_new(ids, json_string(uuid_dup(a, c->id)));
	json_set(args, "connectionIds", ids);
	json_set_str(args, "poll", spec->name);
	json_set_time(args, "since", since_us);
	clock_day_text(day, clock_day(since_us));
	*out = (struct task){.account_id = c->account_id,
	    .title = str_from(arena_printf(a, "%s of %s since %s", spec->label, c->name, day)),
	    .provider_type = str_from(c->provider_type),
	    .resource_type = str_from(spec->resource_type),
	    .args = json_text(a, args)};
	if (by->r != NULL)
		out->created_by = by->r->actor.user_id;
	return audit_change(by->app, by->r, &out->account_id, backfill_queue_body, &q, err);
}

int poll_job_backfill(struct job *j, struct err *err)
{
	static const struct poll_fill_kind kind = {
	    .task = &poll_backfill_task, .source = RECORD_SOURCE_POLL};

	return poll_fill_run(j, &kind, err);
}
