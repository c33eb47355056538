/* The job poll.run: the polls of a connection that are due, one call after the other.
 *
 *	poll that is due longest ──> call ──well──> items, cursor, next time   one commit a page
 *	       ▲                      └───else───> error, next time
 *	       └──────── while one is due, and its part of the time lasts ────────┘
 *	then the job waits, as a row, for the poll that is due next
 *
 * - A round may take many pages; between two of them others of the connection have their turn, so
 *   a long one holds up none.
 * - A page is stored with the place behind it. Whoever goes on after a crash begins there; what
 *   came of a page that was not committed comes again, and what is known already is not written.
 * - What the provider asks for (less, later) holds up all of its connection's polls, what it says
 *   of one call only that poll. An ill connection costs its own lane, no other.
 * - A round that fails at the same page a few times begins anew: pages go stale at providers.
 * - A page that is more than is taken at once is asked for again with half as many, and so are all
 *   after it, where the provider can be asked so. */
#include "base/clock.h"
#include "base/log.h"
#include "connection/connection-call.h"
#include "intake/poll-change.h"
#include "job/retry.h"

/* Then other lanes have their turn, and a runner that is killed costs no more than the last one. */
#define RUN_BUDGET_US (5 * SECOND_US)
#define RUN_CALLS 10
#define BACKOFF_FIRST_MS 30000
#define BACKOFF_MOST_MS INT64_C(3600000)
#define FAILURES_OF_A_PAGE 3

struct poll_run {
	struct job *job;
	struct connection *c;
	int64_t hold_us; /* until then nothing of the connection is called; 0: it may be */
	bool is_over;    /* this run calls no more */
};

/* One call, and what is stored of it. */
struct poll_step {
	struct poll_run *run;
	struct arena *a;
	struct poll_row row; /* as it was, then as it shall be */
	struct poll_ask ask;
	struct poll_state st;
	struct poll_take take;
	struct poll_row next; /* within a transaction that may be tried again */
	bool asks_less;       /* the page size of the row is a new one */
	const struct poll_page *page;
};

/* ---- storing ------------------------------------------------------------------------------- */

static struct str state_text(struct arena *a, const json_t *v)
{
	return v == NULL ? (struct str){NULL, 0} : json_text(a, v);
}

/* What holds for all polls of the connection, and how long the run may go on. */
static int step_settle(struct db *db, const struct poll_step *s, struct err *err)
{
	const struct poll_run *run = s->run;

	if (run->hold_us > 0 &&
	    polls_hold(db, &s->row.account_id, &s->row.connection_id, run->hold_us, err) == -1)
		return -1;
	return job_keep(db, run->job, err);
}

/* A row without items: a failure, or a round that begins anew. */
static int step_save_body(struct db *db, void *arg, struct err *err)
{
	struct poll_step *s = arg;

	if (poll_save(db, &s->row, false, err) == -1 ||
	    (s->asks_less && poll_save_page_size(db, &s->row, err) == -1))
		return -1;
	return step_settle(db, s, err);
}

/* With the last of its items the page is behind. */
static void step_move(const struct poll_step *s, struct poll_row *row)
{
	int64_t now_us = clock_now_us();

	row->known = state_text(s->a, s->page->next.cursor);
	row->place = state_text(s->a, s->page->next.position);
	row->failures = 0;
	row->last_error = NULL;
	row->next_us = now_us + s->page->wait_ms * 1000;
	if (!s->page->is_over)
		return;
	row->ended_us = now_us;
	row->covered_us = row->started_us;
	row->next_us = now_us + poll_interval_s(row, s->ask.spec) * SECOND_US;
}

static int step_part_body(struct db *db, void *arg, struct err *err)
{
	struct poll_step *s = arg;
	struct poll_counts counts = {0};
	const char *note;

	s->next = s->row;
	if (poll_take_write(db, &s->take, &counts, err) == -1)
		return -1;
	note = poll_take_note(&s->take);
	if (note != NULL)
		s->next.note = note;
	s->next.all.seen += counts.seen;
	s->next.all.created += counts.created;
	s->next.all.changed += counts.changed;
	s->next.round.seen += counts.seen;
	s->next.round.created += counts.created;
	s->next.round.changed += counts.changed;
	if (s->take.is_last)
		step_move(s, &s->next);
	if (poll_save(db, &s->next, s->take.is_last && s->page->is_over, err) == -1)
		return -1;
	return step_settle(db, s, err);
}

static int step_store(struct poll_step *s, struct err *err)
{
	do {
		int rc;

		do {
			rc = job_transaction(s->run->job, step_part_body, s, err);
		} while (rc == -1 && poll_take_try_again(&s->take, err));
		if (rc == -1)
			return -1;
		s->row = s->next;
		s->row.turn++;
	} while (poll_take_next(&s->take));
	return 0;
}

/* ---- failures ------------------------------------------------------------------------------ */

static void run_hold(struct poll_run *run, int64_t wait_ms)
{
	int64_t until_us = clock_now_us() + wait_ms * 1000;

	if (until_us > run->hold_us)
		run->hold_us = until_us;
	run->is_over = true;
}

static void step_log(const struct poll_step *s, const char *error)
{
	struct arena *a = s->a;

	log_warn("poll.failed", LOG_S("connection", uuid_dup(a, s->run->c->id)),
	    LOG_S("poll", s->row.name), LOG_S("error", error));
}

/* This poll waits; what it has so far stays. */
static int step_fail(struct poll_step *s, int64_t wait_ms, const char *error, struct err *err)
{
	if (s->row.failures == 0)
		step_log(s, error);
	s->row.failures++;
	s->row.last_error = error;
	s->row.next_us = clock_now_us() + wait_ms * 1000;
	if (s->row.failures % FAILURES_OF_A_PAGE == 0)
		s->row.place = (struct str){NULL, 0};
	return job_transaction(s->run->job, step_save_body, s, err);
}

static int64_t step_backoff_ms(const struct poll_step *s)
{
	return retry_wait_ms(s->row.failures + 1, BACKOFF_FIRST_MS, BACKOFF_MOST_MS, -1);
}

/* More came than is taken at once: from now on half as many a page. Where pages are counted another
 * size is another count, so the round begins anew. */
static int step_ask_less(struct poll_step *s, int64_t size, const char *error, struct err *err)
{
	step_log(s, error);
	s->row.page_size = size;
	s->row.note = arena_printf(
	    s->a, "a page was too large, so each has %lld items from now on", (long long)size);
	s->row.next_us = clock_now_us();
	s->asks_less = true;
	if (s->ask.spec->call.action->paging.kind == PAGING_PAGE)
		s->row.place = (struct str){NULL, 0};
	return job_transaction(s->run->job, step_save_body, s, err);
}

/* What a call that did not go well means for this poll, and for the others of the connection. */
static int step_fail_call(struct poll_step *s, const struct call_result *res, struct err *err)
{
	int64_t wait_ms = step_backoff_ms(s);

	switch (res->class) {
	case CALL_RATE_LIMITED:
		wait_ms = poll_limited_ms(s->row.failures + 1, res->retry_after_ms);
		run_hold(s->run, wait_ms);
		break;
	case CALL_RETRY:
		run_hold(s->run, wait_ms);
		break;
	case CALL_AUTH:
		wait_ms = BACKOFF_MOST_MS;
		run_hold(s->run, wait_ms);
		break;
	default:
		break;
	}
	return step_fail(s, wait_ms, res->error, err);
}

/* What came is nothing to go on with: the round begins anew. */
static int step_fail_take(struct poll_step *s, struct err *err)
{
	const char *error = arena_strdup(s->a, err->msg);

	err_clear(err);
	s->row.place = (struct str){NULL, 0};
	return step_fail(s, step_backoff_ms(s), error, err);
}

/* ---- one call ------------------------------------------------------------------------------ */

static int step_read_state(struct poll_step *s, struct err *err)
{
	if (s->row.known.p != NULL &&
	    (s->st.cursor = json_parse_stored(s->a, s->row.known, err)) == NULL)
		return -1;
	if (s->row.place.p != NULL &&
	    (s->st.position = json_parse_stored(s->a, s->row.place, err)) == NULL)
		return -1;
	return 0;
}

static void step_begin_round(struct poll_step *s)
{
	if (s->row.ended_us >= s->row.started_us) /* else it begins anew */
		s->row.note = NULL;
	s->row.started_us = s->ask.now_us;
	s->row.served = s->row.wanted;
	s->row.round = (struct poll_counts){0};
}

/* The place behind a page, and its items. */
static int step_store_page(struct poll_step *s, const struct poll_page *page, struct err *err)
{
	s->page = page;
	poll_take_begin(&s->take, s->run->job->app, s->a, s->run->c, &page->found);
	s->take.store.old_before_us = s->row.old_before_us;
	return step_store(s, err);
}

static int step_take(struct poll_step *s, const struct call_result *res, struct err *err)
{
	struct poll_page *page = arena_zalloc(s->a, sizeof(*page));

	if (res->pace_ms > 0)
		run_hold(s->run, res->pace_ms);
	if (poll_take(&s->ask, &s->st, poll_output(&s->ask, res), page, err) == -1)
		return step_fail_take(s, err);
	return step_store_page(s, page, err);
}

/* A form that cannot be asked costs no other. */
static int step_refused(struct poll_step *s, const struct call_result *res, struct err *err)
{
	struct poll_page *page = arena_zalloc(s->a, sizeof(*page));
	int64_t size = poll_smaller_page(&s->ask, res);
	const char *what;

	if (size > 0)
		return step_ask_less(s, size, res->error, err);
	if (!poll_refused(res) || !poll_skip(&s->ask, page, &s->st, &what))
		return step_fail_call(s, res, err);
	s->row.note = arena_printf(s->a, "%s was left out: %s", what, res->error);
	return step_store_page(s, page, err);
}

/* Its token was refused: a full round begins. */
static int step_begin_anew(struct poll_step *s, struct err *err)
{
	s->row.known = s->row.place = (struct str){NULL, 0};
	s->row.next_us = clock_now_us();
	return job_transaction(s->run->job, step_save_body, s, err);
}

static int step_call(struct poll_step *s, struct err *err)
{
	struct poll_run *run = s->run;
	struct connection_call call = {
	    .app = run->job->app, .a = s->a, .c = run->c, .policy = CALL_POLICY_ONCE};
	json_t *inputs;

	if (step_read_state(s, err) == -1)
		return -1;
	if (s->st.position == NULL)
		step_begin_round(s);
	call.action = poll_next(&s->ask, &s->st, &inputs)->name;
	call.inputs = inputs;
	if (connection_call_attempt(&call, err) == -1)
		return err->code == ERR_INVALID ? step_fail_take(s, err) : -1;
	job_note_peer(run->job, connection_call_peer(&call), call.result.error);
	if (call.is_outdated) { /* the next run has it as it is now */
		run->is_over = true;
		return 0;
	}
	if (call.result.class == CALL_OK)
		return step_take(s, &call.result, err);
	if (poll_reset(&s->ask, &s->st, &call.result))
		return step_begin_anew(s, err);
	return step_refused(s, &call.result, err);
}

/* ---- the run ------------------------------------------------------------------------------- */

static bool is_at_rest(const struct connection *c)
{
	return strcmp(c->status, CONNECTION_DISABLED) == 0;
}

/* One whose credentials are not there rests until they are. */
static bool poll_can_be_asked(
    struct arena *a, const struct connection *c, const struct poll_spec *spec)
{
	return spec != NULL && poll_lacks(a, c->provider, spec, &c->access) == NULL;
}

static int64_t poll_due(const struct poll_row *row)
{
	return row->next_us > row->held_us ? row->next_us : row->held_us;
}

/* Of the polls that its provider has and nobody has paused, the one that is due longest; NULL:
 * there is none. */
static const struct poll_row *polls_first(
    struct arena *a, const struct poll_row *rows, size_t n, const struct connection *c)
{
	const struct poll_row *first = NULL;

	for (size_t i = 0; i < n; i++)
		if (!rows[i].is_paused && poll_can_be_asked(a, c, rows[i].spec) &&
		    (first == NULL || poll_due(&rows[i]) < poll_due(first)))
			first = &rows[i];
	return first;
}

/* 1 there was one due, 0, -1. */
static int run_step(struct poll_run *run, struct arena *a, struct err *err)
{
	struct job *j = run->job;
	struct poll_step s = {.run = run, .a = a};
	const struct poll_row *first;
	struct poll_row *rows;
	size_t n;

	if (polls_load(j->app->db, a, &j->account_id, &j->subject_id, false, &rows, &n, err) ==
		-1 ||
	    polls_know(j->app->db, a, run->c, rows, n, err) == -1)
		return -1;
	first = polls_first(a, rows, n, run->c);
	if (first == NULL || poll_due(first) > clock_now_us())
		return 0;
	s.row = *first;
	s.ask = (struct poll_ask){.a = a,
	    .p = run->c->provider,
	    .spec = first->spec,
	    .c = &run->c->access,
	    .now_us = clock_now_us(),
	    .start_us = first->since_us,
	    .page_size = first->page_size};
	return step_call(&s, err) == -1 ? -1 : 1;
}

/* Until the next is due. Without any the job ends: who resumes one, or enables the connection,
 * brings it. The rows are held, so that who does so meanwhile waits for this. */
static int run_rest_body(struct db *db, void *arg, struct err *err)
{
	const struct poll_run *run = arg;
	struct job *j = run->job;
	const struct poll_row *first;
	struct connection *c = NULL;
	struct poll_row *rows;
	size_t n;

	if (polls_load(db, j->a, &j->account_id, &j->subject_id, true, &rows, &n, err) == -1 ||
	    connection_get(j->app, j->a, &j->account_id, &j->subject_id, &c, err) == -1 ||
	    (c != NULL && polls_know(db, j->a, c, rows, n, err) == -1))
		return -1;
	first = c == NULL || is_at_rest(c) ? NULL : polls_first(j->a, rows, n, c);
	if (first == NULL)
		return job_finish(db, j, err);
	return job_reschedule(db, j, poll_due(first), (struct str){NULL, 0}, err);
}

int poll_job_run(struct job *j, struct err *err)
{
	struct poll_run run = {.job = j};
	int64_t until_us = clock_mono_us() + RUN_BUDGET_US;
	int found = connection_recent(j->app, j->a, &j->account_id, &j->subject_id, &run.c, err);

	if (found != 1)
		return found;
	run.is_over = is_at_rest(run.c);
	for (int calls = 0; !run.is_over && found == 1 && calls < RUN_CALLS &&
			    clock_mono_us() < until_us && !job_has_to_yield(j);
	     calls++) {
		struct arena *a = arena_new();

		found = run_step(&run, a, err);
		arena_free(a);
	}
	return found == -1 ? -1 : job_transaction(j, run_rest_body, &run, err);
}
