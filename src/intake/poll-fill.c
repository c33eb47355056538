/* What a poll would have brought since a date, as a task: the work that back-fills, imports of
 * leads and reconciling share (poll-fill.h). It has a place of its own, so the poll goes on as ever
 * meanwhile; what both bring is stored once.
 *
 *	task ──call──> page ──> items, place, counts: a step ──> … ──last page──> completed
 *
 * - Where the provider cannot be asked from a time on (a token, a full list) all is read, and what
 *   tells an earlier time is left alone.
 * - The wait that a provider asks for is a row, and holds up the connection's polls as well.
 * - A form that cannot be read costs no other: it is left out, with the reason. Where it is the one
 *   that is asked for, another connection may have it; in the end its refusal is the task's.
 * - All of it is bulk work, what its leads cause too (their details, their pushes): live leads have
 *   runners and lanes of their own. */
#include "intake/poll-fill.h"

#include "base/clock.h"
#include "connection/connection-call.h"
#include "job/retry.h"

#define RUN_BUDGET_US (5 * SECOND_US)
#define BACKOFF_FIRST_MS 30000
#define BACKOFF_MOST_MS INT64_C(3600000)
#define TRIES_MOST 12 /* of one page */
#define LEFT_OUT_MOST 20
#define WHY_BYTES 300u
/* A longer pause between two pages (a runner that was away) is no pace. */
#define PAUSE_US (900 * SECOND_US)

struct filling {
	struct task_run *run;
	struct job *job;
	const struct poll_fill_kind *kind;
	struct connection *c;
	const struct poll_spec *spec;
	int64_t since_us; /* TIME_NONE: all that the provider has */
	int64_t until_us;
	struct str form;          /* the one that is asked for; {NULL,0}: all */
	const json_t *candidates; /* ids of the connections that may have it */
	size_t at;                /* of them */
	/* of the page at hand */
	struct arena *a;
	struct poll_ask ask;
	struct poll_state st;
	struct poll_take take;
	bool is_round_over;
	json_t *place;    /* of the page at hand, then behind it; never NULL */
	int64_t left_out; /* forms, by this page */
};

static int fill_hopeless(struct err *err, const char *why)
{
	return err_set(err, ERR_INVALID, "%s", why);
}

static const json_t *fill_list_of(struct arena *a, json_t *one)
{
	json_t *list = json_own(a, json_array());

	if (one != NULL)
		json_array_append(list, one);
	return list;
}

static int fill_load_connection(struct filling *b, struct err *err)
{
	struct job *j = b->job;
	const json_t *id = json_array_get(b->candidates, b->at);
	struct uuid connection_id;
	int found;

	if (!json_is_string(id) || !uuid_parse(str_from(json_string_value(id)), &connection_id))
		return fill_hopeless(err, "its arguments name no connection");
	found = connection_recent(j->app, j->a, &j->account_id, &connection_id, &b->c, err);
	if (found == -1)
		return -1;
	if (found == 0 || strcmp(b->c->status, CONNECTION_DISABLED) == 0)
		return fill_hopeless(
		    err, found == 0 ? "the connection is gone" : "the connection is disabled");
	return 0;
}

static int fill_load(struct filling *b, struct err *err)
{
	struct job *j = b->job;
	const json_t *args = json_parse_stored(j->a, b->run->task.args, err);
	const char *lacks;

	if (args == NULL)
		return -1;
	b->candidates = json_object_get(args, "connectionIds");
	if (b->candidates == NULL) /* of a task from before there were several */
		b->candidates = fill_list_of(j->a, json_object_get(args, "connectionId"));
	b->at = (size_t)json_int(b->place, "at");
	if (fill_load_connection(b, err) == -1)
		return -1;
	b->spec = provider_find_poll(b->c->provider, json_str(args, "poll"));
	if (b->spec == NULL)
		return fill_hopeless(err, "the provider has no such poll any more");
	lacks = poll_lacks(j->a, b->c->provider, b->spec, &b->c->access);
	if (lacks != NULL)
		return fill_hopeless(
		    err, arena_printf(
			     j->a, "the connection has no %s, so its leads cannot be read", lacks));
	b->since_us = json_object_get(args, "since") != NULL ? json_time(args, "since") : TIME_NONE;
	b->form = str_from(json_str(args, "formId"));
	return 0;
}

/* ---- the place, and how far it is ------------------------------------------------------------ */

static int fill_read_place(struct filling *b, struct err *err)
{
	const struct str text = b->run->task.position;

	if (text.p == NULL) {
		b->place = json_own(b->a, json_object());
		return 0;
	}
	b->place = json_parse_stored(b->a, text, err);
	return b->place == NULL ? -1 : 0;
}

static void place_set_state(json_t *place, const char *key, json_t *value)
{
	if (value != NULL)
		json_set(place, key, json_incref(value));
	else
		json_object_del(place, key);
}

/* Working time, from which what is left is guessed. */
static void place_count_time(json_t *place, int64_t now_us)
{
	int64_t last_us = json_int(place, "steppedAt"), gap_us = now_us - last_us;

	if (last_us != 0 && gap_us > 0 && gap_us < PAUSE_US)
		json_set_int(place, "workedUs", json_int(place, "workedUs") + gap_us);
	json_set_int(place, "steppedAt", now_us);
}

/* Behind a page; and, for who looks on, what people want to know of it. */
static struct str fill_place(struct filling *b, struct arena *a)
{
	json_t *place = json_own(a, json_copy(b->place));
	struct poll_outlook look;

	poll_outlook(&b->ask, &b->st, &look);
	place_set_state(place, "cursor", b->st.cursor);
	place_set_state(place, "position", b->st.position);
	place_count_time(place, clock_now_us());
	json_set_int(place, "percent", look.percent);
	if (look.forms > 0) {
		json_set_int(place, "forms", look.forms);
		json_set_int(place, "formsDone", look.forms - look.forms_left);
	}
	json_set_str(place, "form", look.form);
	if (look.leads > 0 && b->since_us == TIME_NONE)
		json_set_int(place, "leads", look.leads);
	return json_text(a, place);
}

static void fill_leave_out(struct filling *b, const char *what, const char *why)
{
	json_t *list = json_object_get(b->place, "leftOut"), *one;

	b->left_out++;
	if (list == NULL) {
		list = json_array();
		json_set(b->place, "leftOut", list);
	}
	if (json_array_size(list) >= LEFT_OUT_MOST)
		return;
	one = json_object();
	json_set_str(one, "name", what);
	json_set_strn(one, "error", utf8_cut(str_from(why), WHY_BYTES));
	json_array_append_new(list, one);
}

/* What the position tells, as members of the task. */
void poll_fill_tell(const struct task *t, json_t *o)
{
	static const char *const told[] = {"forms", "formsDone", "form", "leftOut", NULL};
	struct arena *a = arena_new();
	struct err ignored = ERR_INIT;
	const json_t *place =
	    t->position.p == NULL ? NULL : json_parse_stored(a, t->position, &ignored);
	int64_t worked_us = json_int(place, "workedUs");
	int percent = task_percent(t);

	for (size_t i = 0; told[i] != NULL; i++)
		if (json_object_get(place, told[i]) != NULL)
			json_set(o, told[i], json_deep_copy(json_object_get(place, told[i])));
	if (percent < 0 && task_is_open(t) && json_object_get(place, "percent") != NULL)
		percent = (int)json_int(place, "percent");
	json_set(o, "percent", percent < 0 ? json_null() : json_integer(percent));
	json_set(o, "etaSeconds",
	    percent > 0 && percent < 100 && task_is_open(t) && worked_us > 0
		? json_integer(worked_us * (100 - percent) / percent / SECOND_US)
		: json_null());
	arena_free(a);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Leads that came meanwhile make it more. */
static void fill_know_total(const struct filling *b, struct task *next)
{
	struct poll_outlook look;

	poll_outlook(&b->ask, &b->st, &look);
	if (look.leads > 0 && b->since_us == TIME_NONE)
		next->total = look.leads;
	if (next->total > 0 && next->done > next->total)
		next->total = next->done;
}

static int fill_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct filling *b = arg;
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
	next->counts.failed += b->left_out;
	next->position = fill_place(b, a);
	fill_know_total(b, next);
	*then = b->is_round_over                ? TASK_DONE
		: clock_mono_us() > b->until_us ? TASK_AGAIN
						: TASK_GO_ON;
	if (*then == TASK_DONE && b->kind->ended != NULL)
		return b->kind->ended(db, b->c, b->spec, next, err);
	return 0;
}

static int fill_store(struct filling *b, struct err *err)
{
	do {
		int rc;

		do {
			rc = task_run_step(b->run, fill_work, b, err);
		} while (rc == -1 && poll_take_try_again(&b->take, err));
		if (rc == -1)
			return -1;
	} while (!b->run->is_over && poll_take_next(&b->take));
	return 0;
}

struct fill_wait {
	struct job *job;
	const struct connection *c; /* whose polls wait too; NULL: this alone */
	int64_t at_us;
	bool is_counted;
};

static int fill_wait_body(struct db *db, void *arg, struct err *err)
{
	const struct fill_wait *w = arg;

	if (w->c != NULL && polls_hold(db, &w->c->account_id, &w->c->id, w->at_us, err) == -1)
		return -1;
	return job_retry(db, w->job, w->at_us, w->is_counted, err);
}

/* The wait is a row. What the provider asks for is no try. */
static int fill_rest(struct filling *b, int64_t wait_ms, bool is_counted, struct err *err)
{
	struct fill_wait w = {.job = b->job,
	    .c = is_counted ? NULL : b->c,
	    .at_us = clock_now_us() + wait_ms * 1000,
	    .is_counted = is_counted};

	b->run->is_over = true;
	return job_transaction(b->job, fill_wait_body, &w, err);
}

static int fill_fail_call(struct filling *b, const struct call_result *res, struct err *err)
{
	int tries = b->job->tries + 1;

	if (res->class == CALL_RATE_LIMITED)
		return fill_rest(b, poll_limited_ms(tries, res->retry_after_ms), false, err);
	if ((res->class == CALL_RETRY || res->class == CALL_NOT_YET) && tries < TRIES_MOST)
		return fill_rest(
		    b, retry_wait_ms(tries, BACKOFF_FIRST_MS, BACKOFF_MOST_MS, -1), true, err);
	return fill_hopeless(err, res->error);
}

/* The next call waits so long; not when the step has ended the run: its job is another's then. */
static int fill_store_page(
    struct filling *b, const struct poll_page *page, int64_t wait_ms, struct err *err)
{
	b->st = page->next;
	b->is_round_over = page->is_over;
	poll_take_begin(&b->take, b->job->app, b->a, b->c, &page->found);
	b->take.store.class = JOB_BULK;
	b->take.store.source = b->kind->source;
	b->take.store.old_before_us = INT64_MAX;
	if (fill_store(b, err) == -1)
		return -1;
	return wait_ms > 0 && !b->run->is_over ? fill_rest(b, wait_ms, false, err) : 0;
}

static int fill_take(struct filling *b, const struct call_result *res, struct err *err)
{
	struct poll_page *page = arena_zalloc(b->a, sizeof(*page));
	int64_t wait_ms = res->pace_ms;

	if (poll_take(&b->ask, &b->st, res->output, page, err) == -1) {
		const char *why = arena_strdup(b->job->a, err->msg);

		err_clear(err);
		return fill_hopeless(err, why);
	}
	if (page->wait_ms > wait_ms)
		wait_ms = page->wait_ms;
	return fill_store_page(b, page, wait_ms, err);
}

/* Its page size is that of the poll: for both it is too much. */
static int fill_less_body(struct db *db, void *arg, struct err *err)
{
	const struct filling *b = arg;
	const struct poll_row row = {.account_id = b->c->account_id,
	    .connection_id = b->c->id,
	    .name = b->spec->name,
	    .page_size = b->ask.page_size};

	return poll_save_page_size(db, &row, err);
}

/* The page that was too much, once more with fewer. Where pages are counted, and some are behind,
 * it would be another page. */
static int fill_ask_less(struct filling *b, int64_t size, const char *error, struct err *err)
{
	if (b->spec->call.action->paging.kind == PAGING_PAGE && b->st.position != NULL)
		return fill_hopeless(err, error);
	b->ask.page_size = size;
	return db_transaction(b->job->app->db, fill_less_body, b, err);
}

/* Of all forms none could be read: that is no success. */
static bool fill_came_to_nothing(const struct filling *b, const struct poll_page *page)
{
	struct poll_outlook look;
	const struct task *t = &b->run->task;

	poll_outlook(&b->ask, &b->st, &look);
	return page->is_over && t->counts.received == 0 && look.forms > 0 &&
	       t->counts.failed + b->left_out >= look.forms;
}

static int fill_next_candidate_work(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err)
{
	struct filling *b = arg;
	json_t *place = json_own(a, json_object());

	(void)db;
	(void)err;
	json_set_int(place, "at", (int64_t)b->at + 1);
	next->position = json_text(a, place);
	*then = TASK_AGAIN;
	return 0;
}

/* One form of many that cannot be asked costs no other; the only one may be another connection's.
 */
static int fill_refused(struct filling *b, const struct call_result *res, struct err *err)
{
	struct poll_page *page = arena_zalloc(b->a, sizeof(*page));
	int64_t size = poll_smaller_page(&b->ask, res);
	const char *what;

	if (size > 0)
		return fill_ask_less(b, size, res->error, err);
	if (!poll_refused(res))
		return fill_fail_call(b, res, err);
	if (poll_go_without_form(&b->ask, page, &b->st))
		return fill_store_page(b, page, 0, err);
	if (b->form.p != NULL && b->at + 1 < json_array_size(b->candidates))
		return task_run_step(b->run, fill_next_candidate_work, b, err);
	if (b->form.p != NULL && b->spec->is_of_forms)
		return fill_hopeless(err, arena_printf(b->job->a, "the form %s cannot be read: %s",
					      b->form.p, res->error));
	if (!poll_skip(&b->ask, page, &b->st, &what))
		return fill_fail_call(b, res, err);
	fill_leave_out(b, what, res->error);
	if (fill_came_to_nothing(b, page))
		return fill_hopeless(
		    err, arena_printf(b->job->a, "no form could be read: %s", res->error));
	return fill_store_page(b, page, 0, err);
}

/* What the provider has asked of the connection's polls it has asked of this too. */
static int fill_is_held(struct filling *b, int64_t *wait_ms, struct err *err)
{
	int64_t until_us;

	if (polls_held_until(b->job->app->db, b->a, &b->c->account_id, &b->c->id, &until_us, err) ==
	    -1)
		return -1;
	*wait_ms = (until_us - clock_now_us()) / 1000;
	return *wait_ms > 0;
}

/* As far back as providers keep anything. */
static int64_t fill_history_us(const struct poll_spec *spec)
{
	return clock_now_us() - spec->history_days * 86400 * SECOND_US;
}

/* As people set it for the poll. */
static int fill_page_size(struct filling *b, int64_t *size, struct err *err)
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

static int fill_page(struct filling *b, struct err *err)
{
	struct connection_call call = {
	    .app = b->job->app, .a = b->a, .c = b->c, .policy = CALL_POLICY_ONCE};
	json_t *inputs;
	int64_t wait_ms, page_size;
	int is_held = fill_is_held(b, &wait_ms, err);

	if (is_held != 0)
		return is_held == -1 ? -1 : fill_rest(b, wait_ms, false, err);
	if (fill_page_size(b, &page_size, err) == -1)
		return -1;
	b->left_out = 0;
	b->st = (struct poll_state){
	    json_object_get(b->place, "cursor"), json_object_get(b->place, "position")};
	b->ask = (struct poll_ask){.a = b->a,
	    .p = b->c->provider,
	    .spec = b->spec,
	    .c = &b->c->access,
	    .now_us = clock_now_us(),
	    .start_us = b->since_us != TIME_NONE ? b->since_us : fill_history_us(b->spec),
	    .page_size = page_size,
	    .leaves_older = b->since_us != TIME_NONE,
	    .only_form = b->form};
	call.action = poll_next(&b->ask, &b->st, &inputs)->name;
	call.inputs = inputs;
	if (connection_call_attempt(&call, err) == -1)
		return -1;
	job_note_peer(b->job, connection_call_peer(&call), call.result.error);
	if (call.result.class == CALL_OK)
		return fill_take(b, &call.result, err);
	return fill_refused(b, &call.result, err);
}

static int fill_begin_page(struct filling *b, struct err *err)
{
	if (fill_read_place(b, err) == -1 || (b->c == NULL && fill_load(b, err) == -1))
		return -1;
	return fill_page(b, err);
}

int poll_fill_run(struct job *j, const struct poll_fill_kind *kind, struct err *err)
{
	struct filling b = {.job = j, .kind = kind, .until_us = clock_mono_us() + RUN_BUDGET_US};
	int found = task_run_begin(j, kind->task, &b.run, err), rc = 0;

	if (found != 1)
		return found;
	while (rc == 0 && !b.run->is_over) {
		b.a = arena_new();
		rc = fill_begin_page(&b, err);
		arena_free(b.a);
	}
	return rc == 0 ? 0 : task_run_fail(b.run, err->code == ERR_INVALID, err);
}

/* ---- asking for one -------------------------------------------------------------------------- */

static json_t *fill_ids(struct arena *a, const struct connection *c)
{
	json_t *ids = json_array();

	json_array_append_new(ids, json_string(uuid_dup(a, c->id)));
	return ids;
}

int poll_fill_make(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, const char *title, struct task *out,
    json_t **args, struct err *err)
{
	if (since_us < 0 || since_us >= clock_now_us())
		return err_field(err, ERR_INVALID, "since", "must be a time in the past");
	*args = json_own(by->a, json_object());
	json_set(*args, "connectionIds", fill_ids(by->a, c));
	json_set_str(*args, "poll", spec->name);
	json_set_time(*args, "since", since_us);
	*out = (struct task){.account_id = c->account_id,
	    .title = str_from(title),
	    .provider_type = str_from(c->provider_type),
	    .resource_type = str_from(spec->has_lead ? "lead" : spec->resource_type),
	    .args = json_text(by->a, *args)};
	if (by->r != NULL)
		out->created_by = by->r->actor.user_id;
	return 0;
}

int poll_fill_is_open(struct db *db, struct arena *a, const struct task_kind *kind,
    const struct connection *c, const struct poll_spec *spec, struct err *err)
{
	const json_t *ids = json_own(a, fill_ids(a, c));
	struct tasks open;

	if (task_list_open(db, a, &c->account_id, &open, err) == -1)
		return -1;
	for (size_t i = 0; i < open.n; i++) {
		struct err ignored = ERR_INIT;
		const json_t *args = json_parse_stored(a, open.v[i].args, &ignored);

		if (strcmp(open.v[i].kind, kind->name) == 0 &&
		    json_equal(json_object_get(args, "connectionIds"), ids) &&
		    str_is(str_from(json_str(args, "poll")), spec->name))
			return 1;
	}
	return 0;
}
