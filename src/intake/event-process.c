/* The job event.process: the items of an event that are too many for one commit.
 *
 *	verified ──part──> verified (so many items) ──part──> … ──last part──> processed
 *	                                                         or duplicate, failed
 *
 * The event was acknowledged by the commit of its row, with this job beside it. Each part is a
 * commit of its own (write-commit.c), which also moves the event on; whoever comes after a crash
 * begins where the event stands, so no item is lost and none is taken twice. What a part does is
 * the same as what a webhook of that size would.
 *
 * A body of small items takes a hundred times its size in memory, and long to take: so it is bulk
 * work, a run takes parts for a moment and goes behind what else is due, and what it has read is
 * freed before it waits for anything. */
#include "base/arena.h"
#include "base/clock.h"
#include "intake/intake-internal.h"
#include "job/job.h"

#define RUN_US (SECOND_US / 2) /* parts are begun for so long */

DB_STMT(event_give_up,
    "UPDATE events SET status = '" EVENT_FAILED "', reason = ? WHERE id = ? AND account_id = ?"
    " AND status = '" EVENT_VERIFIED "'");
DB_STMT_ROWS(events_go_on,
    "UPDATE events SET status = '" EVENT_VERIFIED "', reason = NULL WHERE account_id = ?"
    " AND status = '" EVENT_FAILED "' AND id IN (",
    "?", ")");

int event_job_died(struct db *db, struct job *j, const char *why, struct err *err)
{
	struct str reason = utf8_clean(j->a, str_from(why), REASON_BYTES);

	return db_exec(db, &event_give_up,
	    DB_VALS(db_strn(reason), db_uuid(&j->subject_id), db_uuid(&j->account_id)), NULL, err);
}

int event_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err)
{
	struct db_val *ids = arena_array(a, n + 1, sizeof(*ids));

	for (size_t i = 0; i < n; i++)
		ids[i] = db_uuid(&subjects[i]);
	return db_exec_rows(db, &events_go_on, DB_VALS(db_uuid(account_id)), ids, n, 1, NULL, err);
}

static struct write_set part_new(const struct stored_event *e, const struct connection *c)
{
	return (struct write_set){.event_id = e->id,
	    .account_id = e->account_id,
	    .connection_id = e->connection_id,
	    .provider_type = str_from(c->provider_type),
	    .received_us = e->received_us,
	    .is_part = true};
}

static int event_take_parts(struct job *j, struct arena *of_event, struct stored_event *e,
    const struct connection *c, bool is_only_new, struct err *err)
{
	int64_t until_us = clock_mono_us() + RUN_US;
	struct webhook_found found;
	size_t at = (size_t)e->items;

	if (event_parse(of_event, c->provider, e, err) == -1) {
		j->is_hopeless = true;
		return -1;
	}
	webhook_items(c->provider, of_event, &e->hook, &c->access, &found);
	do {
		struct write_set ws = part_new(e, c);
		struct arena *a = arena_new();
		size_t n = at < found.n ? write_set_fill_part(a, c, &found, at, &ws) : 0;

		if (write_set_leave_erased(j->app, a, &ws, e->received_us, err) == -1) {
			arena_free(a);
			return -1;
		}
		ws.before = at;
		ws.is_only_new = is_only_new;
		ws.is_last = at + n >= found.n;
		ws.looked_at = n;
		ws.carried = found.carried;
		write_set_note(a, &ws, e->hook.notes);
		write_sets_commit(j->app->db, &ws, 1);
		if (ws.err.code != ERR_NONE)
			err_set(err, ws.err.code, "%s", ws.err.msg);
		arena_free(a);
		at += n;
		if (ws.err.code != ERR_NONE || job_keep(j->app->db, j, err) == -1)
			return -1;
	} while (at < found.n && clock_mono_us() < until_us && !job_has_to_yield(j));
	return at < found.n ? 1 : 0;
}

/* The rest is for another run. */
static int event_go_on(struct db *db, void *arg, struct err *err)
{
	struct job *j = arg;

	return job_reschedule(db, j, clock_now_us(), j->args, err);
}

static int event_process_some(struct job *j, struct arena *a, bool is_only_new, struct err *err)
{
	struct stored_event e;
	struct connection *c = NULL;
	int found = event_load(j->app, a, &j->account_id, &j->subject_id, &e, err);

	if (found != 1 || strcmp(e.status, EVENT_VERIFIED) != 0)
		return found == 1 ? 0 : found;
	found = connection_get(j->app, a, &j->account_id, &e.connection_id, &c, err);
	if (found == 0)
		return event_job_died(j->app->db, j, "the connection is gone", err);
	return found == 1 ? event_take_parts(j, a, &e, c, is_only_new, err) : found;
}

int event_job_process(struct job *j, struct err *err)
{
	const json_t *args = job_args(j, err);
	struct arena *a;
	int found;

	if (args == NULL)
		return -1;
	a = arena_new();
	found = event_process_some(j, a, json_bool(args, "onlyNew"), err);
	arena_free(a);
	if (found != 1)
		return found;
	return job_transaction(j, event_go_on, j, err);
}
