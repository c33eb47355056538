/* Back-fills: what a poll would have brought since a date, as a task. It has a place of its own, so
 * the poll goes on as ever meanwhile; what both bring is stored once.
 *
 *	task ──call──> page ──> items, place, counts: a step ──> … ──last page──> completed
 *
 * Where the provider cannot be asked from a time on (a token, a full list) all is read, and what
 * tells an earlier time is left alone. */
#include "account/audit.h"
#include "base/clock.h"
#include "connection/connection-call.h"
#include "intake/poll-change.h"
#include "job/retry.h"

#define RUN_BUDGET_US (5 * SECOND_US)
#define BACKOFF_FIRST_MS 30000
#define BACKOFF_MOST_MS INT64_C(3600000)
#define TRIES_MOST 12 /* of one page */

const struct task_kind poll_backfill_task = {.name = "backfill",
    .job = "poll.backfill",
    .untitled = "Back-fill",
    .received = {"Seen", "items"},
    .created = {"New", "records"},
    .updated = {"Changed", "records"},
    .unchanged = {"Known already", "items"}};

/* ---- the request --------------------------------------------------------------------------- */

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
	const char *const keys[] = {"connectionId", "poll"};

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
	json_set_str(args, "connectionId", uuid_dup(a, c->id));
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

/* ---- the job ------------------------------------------------------------------------------- */

struct backfilling {
	struct task_run *run;
	struct job *job;
	struct connection *c;
	const struct poll_spec *spec;
	int64_t since_us, until_us;
	/* of the page at hand */
	struct arena *a;
	struct poll_ask ask;
	struct poll_state st;
	struct poll_take take;
	bool is_round_over;
};

static int backfill_hopeless(struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID, "%s", why);
}

static int backfill_load(struct backfilling *b, struct err *err)
{
	struct job *j = b->job;
	const json_t *args = json_parse_stored(j->a, b->run->task.args, err);
	struct uuid id;
	int found;

	if (args == NULL)
		return -1;
	if (!uuid_parse(str_from(json_str(args, "connectionId")), &id))
		return backfill_hopeless(err, "the task names no connection");
	found = connection_recent(j->app, j->a, &j->account_id, &id, &b->c, err);
	if (found == -1)
		return -1;
	if (found == 0 || strcmp(b->c->status, CONNECTION_DISABLED) == 0)
		return backfill_hopeless(
		    err, found == 0 ? "the connection is gone" : "the connection is disabled");
	b->spec = provider_find_poll(b->c->provider, json_str(args, "poll"));
	b->since_us = json_time(args, "since");
	return b->spec == NULL ? backfill_hopeless(err, "the provider has no such poll any more")
			       : 0;
}

static struct str backfill_place(struct arena *a, const struct poll_state *st)
{
	json_t *o = json_own(a, json_object());

	if (st->cursor != NULL)
		json_set(o, "cursor", json_incref(st->cursor));
	if (st->position != NULL)
		json_set(o, "position", json_incref(st->position));
	return json_text(a, o);
}

static int backfill_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct backfilling *b = arg;
	struct poll_counts counts = {0};

	if (poll_take_write(db, &b->take, &counts, err) == -1)
		return -1;
	next->counts.received += counts.seen;
	next->counts.created += counts.created;
	next->counts.updated += counts.changed;
	next->counts.unchanged += counts.seen - counts.created - counts.changed;
	next->done += counts.seen;
	if (!b->take.is_last)
		return 0;
	next->position = backfill_place(a, &b->st);
	*then = b->is_round_over                ? TASK_DONE
		: clock_mono_us() > b->until_us ? TASK_AGAIN
						: TASK_GO_ON;
	return 0;
}

static int backfill_store(struct backfilling *b, struct err *err)
{
	do {
		int rc;

		do {
			rc = task_run_step(b->run, backfill_work, b, err);
		} while (rc == -1 && poll_take_try_again(&b->take, err));
		if (rc == -1)
			return -1;
	} while (!b->run->is_over && poll_take_next(&b->take));
	return 0;
}

struct backfill_wait {
	struct job *job;
	const struct connection *c; /* whose polls wait too; NULL: this alone */
	int64_t at_us;
	bool is_counted;
};

static int backfill_wait_body(struct db *db, void *arg, struct err *err)
{
	const struct backfill_wait *w = arg;

	if (w->c != NULL && polls_hold(db, &w->c->account_id, &w->c->id, w->at_us, err) == -1)
		return -1;
	return job_retry(db, w->job, w->at_us, w->is_counted, err);
}

/* The wait is a row. What the provider asks for is no try. */
static int backfill_rest(struct backfilling *b, int64_t wait_ms, bool is_counted, struct err *err)
{
	struct backfill_wait w = {.job = b->job,
	    .c = is_counted ? NULL : b->c,
	    .at_us = clock_now_us() + wait_ms * 1000,
	    .is_counted = is_counted};

	b->run->is_over = true;
	return job_transaction(b->job, backfill_wait_body, &w, err);
}

static int backfill_fail_call(struct backfilling *b, const struct call_result *res, struct err *err)
{
	int tries = b->job->tries + 1;

	if (res->class == CALL_RATE_LIMITED)
		return backfill_rest(b, poll_limited_ms(tries, res->retry_after_ms), false, err);
	if ((res->class == CALL_RETRY || res->class == CALL_NOT_YET) && tries < TRIES_MOST)
		return backfill_rest(
		    b, retry_wait_ms(tries, BACKOFF_FIRST_MS, BACKOFF_MOST_MS, -1), true, err);
	return backfill_hopeless(err, res->error);
}

/* The next call waits so long; not when the step has ended the run: its job is another's then. */
static int backfill_store_page(
    struct backfilling *b, const struct poll_page *page, int64_t wait_ms, struct err *err)
{
	b->st = page->next;
	b->is_round_over = page->is_over;
	poll_take_begin(&b->take, b->a, b->c, &page->found);
	if (backfill_store(b, err) == -1)
		return -1;
	return wait_ms > 0 && !b->run->is_over ? backfill_rest(b, wait_ms, false, err) : 0;
}

static int backfill_take(struct backfilling *b, const struct call_result *res, struct err *err)
{
	struct poll_page *page = arena_zalloc(b->a, sizeof(*page));
	int64_t wait_ms = res->pace_ms;

	if (poll_take(&b->ask, &b->st, res->output, page, err) == -1) {
		const char *why = arena_strdup(b->job->a, err->msg);

		err_clear(err);
		return backfill_hopeless(err, why);
	}
	if (page->wait_ms > wait_ms)
		wait_ms = page->wait_ms;
	return backfill_store_page(b, page, wait_ms, err);
}

/* Its page size is that of the poll: for both it is too much. */
static int backfill_less_body(struct db *db, void *arg, struct err *err)
{
	const struct backfilling *b = arg;
	const struct poll_row row = {.account_id = b->c->account_id,
	    .connection_id = b->c->id,
	    .name = b->spec->name,
	    .page_size = b->ask.page_size};

	return poll_save_page_size(db, &row, err);
}

/* The page that was too much, once more with fewer. Where pages are counted, and some are behind,
 * it would be another page. */
static int backfill_ask_less(
    struct backfilling *b, int64_t size, const char *error, struct err *err)
{
	if (b->spec->call.action->paging.kind == PAGING_PAGE && b->st.position != NULL)
		return backfill_hopeless(err, error);
	b->ask.page_size = size;
	return db_transaction(b->job->app->db, backfill_less_body, b, err);
}

/* One form of many that cannot be asked costs no other. */
static int backfill_refused(struct backfilling *b, const struct call_result *res, struct err *err)
{
	struct poll_page *page = arena_zalloc(b->a, sizeof(*page));
	int64_t size = poll_smaller_page(&b->ask, res);
	const char *what;

	if (size > 0)
		return backfill_ask_less(b, size, res->error, err);
	if (poll_refused(res) && poll_skip(&b->ask, page, &b->st, &what))
		return backfill_store_page(b, page, 0, err);
	return backfill_fail_call(b, res, err);
}

/* What the provider has asked of the connection's polls it has asked of this too. */
static int backfill_is_held(struct backfilling *b, int64_t *wait_ms, struct err *err)
{
	int64_t until_us;

	if (polls_held_until(b->job->app->db, b->a, &b->c->account_id, &b->c->id, &until_us, err) ==
	    -1)
		return -1;
	*wait_ms = (until_us - clock_now_us()) / 1000;
	return *wait_ms > 0;
}

/* As people set it for the poll. */
static int backfill_page_size(struct backfilling *b, int64_t *size, struct err *err)
{
	struct poll_row *rows;
	size_t n;

	*size = 0;
	if (polls_load(
		b->job->app->db, b->a, &b->c->account_id, &b->c->id, false, &rows, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, b->spec->name) == 0)
			*size = rows[i].page_size;
	return 0;
}

static int backfill_page(struct backfilling *b, struct err *err)
{
	struct connection_call call = {
	    .app = b->job->app, .a = b->a, .c = b->c, .policy = CALL_POLICY_ONCE};
	json_t *place = NULL, *inputs;
	int64_t wait_ms, page_size;
	int is_held = backfill_is_held(b, &wait_ms, err);

	if (is_held != 0)
		return is_held == -1 ? -1 : backfill_rest(b, wait_ms, false, err);
	if (b->run->task.position.p != NULL &&
	    (place = json_parse_stored(b->a, b->run->task.position, err)) == NULL)
		return -1;
	if (backfill_page_size(b, &page_size, err) == -1)
		return -1;
	b->st = (struct poll_state){
	    json_object_get(place, "cursor"), json_object_get(place, "position")};
	b->ask = (struct poll_ask){.a = b->a,
	    .p = b->c->provider,
	    .spec = b->spec,
	    .c = &b->c->access,
	    .now_us = clock_now_us(),
	    .start_us = b->since_us,
	    .page_size = page_size,
	    .leaves_older = true};
	call.action = poll_next(&b->ask, &b->st, &inputs)->name;
	call.inputs = inputs;
	if (connection_call_attempt(&call, err) == -1)
		return -1;
	job_note_peer(b->job, connection_call_peer(&call), call.result.error);
	if (call.result.class == CALL_OK)
		return backfill_take(b, &call.result, err);
	return backfill_refused(b, &call.result, err);
}

int poll_job_backfill(struct job *j, struct err *err)
{
	struct backfilling b = {.job = j, .until_us = clock_mono_us() + RUN_BUDGET_US};
	int found = task_run_begin(j, &poll_backfill_task, &b.run, err), rc;

	if (found != 1)
		return found;
	rc = backfill_load(&b, err);
	while (rc == 0 && !b.run->is_over) {
		b.a = arena_new();
		rc = backfill_page(&b, err);
		arena_free(b.a);
	}
	return rc == 0 ? 0 : task_run_fail(b.run, err->code == ERR_INVALID, err);
}
