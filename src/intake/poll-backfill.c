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
	const struct connection *c;
	const struct poll_spec *spec;
	struct task *task;
	const json_t *args;
};

static int backfill_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct backfill_queueing *q = arg;
	int is_open = poll_fill_is_open(db, q->by->a, &poll_backfill_task, q->c, q->spec, err);

	if (is_open == 1)
		return err_set(err, ERR_CONFLICT,
		    "a back-fill of this poll is under way: wait for it, or cancel it");
	if (is_open == -1 || task_queue(db, &poll_backfill_task, q->task, NULL, err) == -1)
		return -1;
	audit_fact(log, "poll.backfill", "connection", &q->c->id, q->args);
	return 0;
}

int poll_backfill(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, struct task *out, struct err *err)
{
	struct backfill_queueing q = {by, c, spec, out, NULL};
	char day[CLOCK_TEXT];
	json_t *args;

	clock_day_text(day, clock_day(since_us < 0 ? 0 : since_us));
	if (poll_fill_make(by, c, spec, since_us,
		arena_printf(by->a, "%s of %s since %s", spec->label, c->name, day), out, &args,
		err) == -1)
		return -1;
	q.args = args;
	return audit_change(by->app, by->r, &c->account_id, backfill_queue_body, &q, err);
}

int poll_job_backfill(struct job *j, struct err *err)
{
	static const struct poll_fill_kind kind = {
	    .task = &poll_backfill_task, .source = RECORD_SOURCE_POLL};

	return poll_fill_run(j, &kind, err);
}
