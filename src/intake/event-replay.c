/* Replaying events: one, and all of a connection that failed since a time.
 *
 * What failed was verified and kept whole. Once the manifest, a setting or the fault of ours is
 * mended each can be taken as if it came now. For many that is a task: its job goes through the
 * events of the time by their ids, some at a time, and stores how far it got. An event that is
 * replayed twice is the same, so a run that is cut begins again with the last of them. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "intake/intake-internal.h"
#include "provider/token-kept.h"
#include "task/task.h"

#define SINCE_MOST_US (3650 * DAY_US)
#define BATCH 20    /* events of one step */
#define WINDOW 3000 /* that are looked through for them */

enum { WINDOW_LAST, WINDOW_COUNT };
#define EVENT_WINDOW                                                                               \
	" FROM events FORCE INDEX (events_account) WHERE account_id = ? AND id > ? AND id < ?"     \
	" ORDER BY id LIMIT ?"
DB_STMT(events_failed,
    "SELECT id FROM (SELECT id AS window_id" EVENT_WINDOW ") k STRAIGHT_JOIN events"
    " ON id = window_id WHERE connection_id = ? AND status = '" EVENT_FAILED "'"
    " ORDER BY id LIMIT ?");
DB_STMT(events_window_end, "SELECT MAX(id), COUNT(*) FROM (SELECT id" EVENT_WINDOW ") k");

const struct task_kind event_replay_task = {.name = "event_replay",
    .job = "event.replay",
    .untitled = "Failed events replayed",
    .doing = "Replaying failed events of",
    .did = "Replayed failed events of",
    .received = {"Found", "failed events"},
    .updated = {"Taken", "events"},
    .failed = {"Failed again", "events"}};

/* ---- one ----------------------------------------------------------------------------------- */

static int replay_set(struct app *app, struct arena *a, const struct connection *c,
    struct stored_event *e, struct write_set *out, struct err *err)
{
	*out = (struct write_set){.event_id = e->id,
	    .account_id = e->account_id,
	    .connection_id = e->connection_id,
	    .provider_type = str_from(c->provider_type),
	    .received_us = e->received_us,
	    .is_replay = true};
	struct err parse_err = ERR_INIT;

	if (event_parse(a, c->provider, e, &parse_err) == -1)
		write_set_fail(a, out, parse_err.msg);
	else
		write_set_fill(a, c, &e->hook, out);
	return write_set_leave_erased(app, a, out, e->received_us, err);
}

/* It may have been right all the time, with a secret that came here later. */
static int event_verify_anew(
    struct arena *a, const struct connection *c, struct stored_event *e, struct err *err)
{
	unsigned char token_key[TOKEN_KEY_BYTES];
	struct err ignored = ERR_INIT;
	const char *reason;

	if (event_token_key(e->req->app, a, &e->connection_id, token_key, err) == -1)
		return -1;
	e->hook.token_key = token_key;
	if (e->req->body.n == LIMIT_REJECTED_BODY)
		return err_set(err, ERR_CONFLICT,
		    "This event failed verification, so only the first %u bytes of it were kept",
		    LIMIT_REJECTED_BODY);
	(void)event_parse(a, c->provider, e, &ignored); /* some tokens stand in the payload */
	if (!event_verifies(a, c, &e->hook, e->req->body, &reason))
		return err_set(err, ERR_CONFLICT,
		    "This event failed verification, and does so with the secret of now: %s",
		    reason);
	e->hook.token_key = NULL;
	return 0;
}

int event_replay(struct req *r, const struct uuid *id, struct err *err)
{
	struct stored_event e;
	struct connection *c;
	struct write_set ws;
	int found = event_load(r->app, r->a, &r->actor.account_id, id, &e, err);

	if (found != 1)
		return found;
	found = connection_get(r->app, r->a, &e.account_id, &e.connection_id, &c, err);
	if (found == 0)
		return err_set(err, ERR_CONFLICT, "The connection of this event is gone");
	if (found == 1 && strcmp(e.status, EVENT_REJECTED) == 0 &&
	    event_verify_anew(r->a, c, &e, err) == -1)
		return -1;
	if (found == -1)
		return -1;
	return replay_set(r->app, r->a, c, &e, &ws, err) == -1 ||
		       write_sets_submit(r->app, r->a, &ws, 1, err) == -1
		   ? -1
		   : 1;
}

/* ---- all that failed: the request ---------------------------------------------------------- */

struct replay_queueing {
	struct task *task;
	json_t *wish;
};

static int replay_queue_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct replay_queueing *q = arg;

	if (task_queue(db, &event_replay_task, q->task, NULL, err) == -1)
		return -1;
	audit_fact(log, "event.replay_failed", "task", &q->task->id, q->wish);
	return 0;
}

int event_replay_failed(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *connection_id, int64_t since_us,
    struct task *out, struct err *err)
{
	int64_t now_us = clock_now_us();
	json_t *args = json_own(a, json_object());
	struct replay_queueing q = {out, args};
	struct connection *c;
	int found = connection_get(app, a, account_id, connection_id, &c, err);

	if (found != 1)
		return found;
	if (since_us > now_us || since_us < now_us - SINCE_MOST_US)
		return err_field(err, ERR_INVALID, "since", "must be a time of the past ten years");
	json_set_str(args, "connectionId", uuid_dup(a, c->id));
	json_set_time(args, "since", since_us);
	json_set_time(args, "before", now_us);
	*out = (struct task){.account_id = c->account_id,
	    .created_by = r == NULL ? (struct uuid){{0}} : r->actor.user_id,
	    .provider_type = str_from(c->provider_type),
	    .title = str_from(arena_printf(a, "Failed events of %s, replayed", c->name)),
	    .args = json_text(a, args)};
	return audit_change(app, r, &out->account_id, replay_queue_body, &q, err) == -1 ? -1 : 1;
}

int event_api_replay_failed(struct req *r)
{
	static const struct json_member members[] = {
	    {"connectionId", READ_TEXT, JSON_INTO(struct event_replay_wish, connection),
		.need = READ_NEEDED, .min = 1},
	    {"since", READ_TIME, JSON_INTO(struct event_replay_wish, since), .need = READ_NEEDED}};
	struct event_replay_wish wish = {0};
	struct uuid id;
	struct task t;
	struct err err = ERR_INIT;
	int found = 0;

	if (!req_read_body(r, JSON_MEMBERS(members), &wish))
		return res_invalid(r);
	if (uuid_parse(wish.connection, &id))
		found = event_replay_failed(
		    r->app, r->a, r, &r->actor.account_id, &id, wish.since.us, &t, &err);
	if (found == 1) {
		res_headerf(r, "Location", "/connect/v1/tasks/%s", uuid_dup(r->a, t.id));
		return res_json(r, 202, task_json(r->app, &t));
	}
	if (found == -1 && err.code != ERR_INVALID)
		return res_error(r, &err);
	req_invalid(r, found == -1 ? err.field : "connectionId", "%s",
	    found == -1 ? err.msg : "there is no such connection");
	return res_invalid(r);
}

/* ---- all that failed: the job -------------------------------------------------------------- */

struct replaying {
	struct task_run *run;
	struct connection *c;
	struct uuid after, before;
	int64_t found, taken, failed; /* of this step */
	bool is_end;
};

/* What the store refuses keeps its event failed, with the reason. */
static int replay_commit(struct replaying *p, struct write_set *ws, struct err *err)
{
	struct app *app = p->run->job->app;

	write_sets_commit(app->db, ws, 1);
	if (error_is_of_payload(ws->err.code)) {
		write_set_fail(p->run->job->a, ws, ws->err.msg);
		ws->err = (struct err)ERR_INIT;
		write_sets_commit(app->db, ws, 1);
	}
	if (ws->err.code != ERR_NONE)
		return err_set(err, ws->err.code, "%s", ws->err.msg);
	p->found++;
	p->failed += ws->has_failed;
	p->taken += !ws->has_failed;
	return 0;
}

static int replay_one(struct replaying *p, const struct uuid *id, struct err *err)
{
	struct arena *a = arena_new();
	struct stored_event e;
	int rc = event_load(p->run->job->app, a, &p->c->account_id, id, &e, err);

	if (rc == 1) {
		struct write_set ws;

		rc = replay_set(p->run->job->app, a, p->c, &e, &ws, err);
		if (rc == 0)
			rc = replay_commit(p, &ws, err);
	}
	arena_free(a);
	return rc == -1 ? -1 : 0;
}

/* Some of them, in the order in which they came; p->after is then behind what was looked at. */
static int replay_some(struct replaying *p, struct err *err)
{
	struct job *j = p->run->job;
	struct db_rows rows, end;

	if (db_query(j->app->db, j->a, &events_failed,
		DB_VALS(db_uuid(&p->c->account_id), db_uuid(&p->after), db_uuid(&p->before),
		    db_int(WINDOW), db_uuid(&p->c->id), db_int(BATCH)),
		&rows, err) == -1 ||
	    db_row(j->app->db, j->a, &events_window_end,
		DB_VALS(db_uuid(&p->c->account_id), db_uuid(&p->after), db_uuid(&p->before),
		    db_int(WINDOW)),
		&end, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if (replay_one(p, &id, err) == -1)
			return -1;
		p->after = id;
	}
	if (rows.count == BATCH)
		return 0;
	p->is_end = db_get_int(&end, 0, WINDOW_COUNT) < WINDOW;
	if (!p->is_end)
		p->after = db_get_uuid(&end, 0, WINDOW_LAST);
	return 0;
}

static int replay_save(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	const struct replaying *p = arg;
	json_t *at = json_own(a, json_object());

	(void)db;
	(void)err;
	next->counts.received += p->found;
	next->counts.updated += p->taken;
	next->counts.failed += p->failed;
	next->done += p->found;
	json_set_str(at, "after", uuid_dup(a, p->after));
	next->position = json_text(a, at);
	*then = p->is_end ? TASK_DONE : TASK_AGAIN;
	return 0;
}

/* Where the task stands, and whose events they are: 1, 0 the connection is gone, -1. */
static int replay_begin(struct replaying *p, struct err *err)
{
	struct job *j = p->run->job;
	const struct task *t = &p->run->task;
	json_t *args = json_parse_stored(j->a, t->args, err),
	       *at = t->position.p == NULL ? NULL : json_parse_stored(j->a, t->position, err);
	struct uuid id;

	if (args == NULL || (t->position.p != NULL && at == NULL))
		return -1;
	p->before = uuid_at(json_time(args, "before"));
	if (!uuid_parse(str_from(json_str(at, "after")), &p->after))
		p->after = uuid_at(json_time(args, "since"));
	if (!uuid_parse(str_from(json_str(args, "connectionId")), &id))
		return 0;
	return connection_get(j->app, j->a, &t->account_id, &id, &p->c, err);
}

static int replay_step(struct task_run *run, struct err *err)
{
	struct replaying p = {.run = run};
	int found = replay_begin(&p, err);

	if (found == 0)
		return err_set(err, ERR_INVALID, "the connection is gone");
	if (found == -1 || replay_some(&p, err) == -1)
		return -1;
	run->is_outside = true;
	return task_run_step(run, replay_save, &p, err);
}

int event_job_replay(struct job *j, struct err *err)
{
	struct task_run *run;
	int found = task_run_begin(j, &event_replay_task, &run, err);

	if (found == 1 && replay_step(run, err) == -1)
		return task_run_fail(run, error_is_of_payload(err->code), err);
	return found == -1 ? -1 : 0;
}
