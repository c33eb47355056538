/* Tasks: the one way from queued to an end, against a model of it. */
#include "core-check.h"

#include "base/arena.h"
#include "base/json.h"
#include "job/queue.h"
#include "task/task.h"

void suite_task(void);

#define ROUNDS 150
#define PLAN 6
#define ATTEMPTS 3

static const struct task_kind kind = {
    .name = "knit", .job = "test.knit", .untitled = "Rows knitted"};
static const struct task_kind *const kinds[] = {&kind, NULL};

struct place {
	struct core_app c;
	struct app *app;
	struct db *db;
	struct arena *a;
	struct req *r; /* of somebody of the account */
	struct uuid account;
};

static bool place_make(struct place *p)
{
	if (!core_app_make(&p->c))
		return false;
	p->app = &p->c.app;
	p->app->hooks.task_kinds = kinds;
	p->db = p->app->db;
	p->a = p->c.a;
	p->account = uuid_new();
	p->r = arena_zalloc(p->a, sizeof(*p->r));
	req_init(p->r, p->a, p->app);
	p->r->actor = (struct actor){.kind = ACTOR_SESSION, .account_id = p->account};
	RUN(p->db, "DELETE FROM jobs");
	return true;
}

static void place_remove(struct place *p)
{
	core_app_remove(&p->c);
}

struct queueing {
	struct task *task;
	struct uuid job_id;
};

static int queue_body(struct db *db, void *arg, struct err *err)
{
	struct queueing *q = arg;

	return task_queue(db, &kind, q->task, &q->job_id, err);
}

static struct uuid queue(struct place *p)
{
	struct task t = {.account_id = p->account, .args = STR("{}"), .total = 7};
	struct queueing q = {&t, {{0}}};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, queue_body, &q, &err), &err);
	CHECK(!uuid_is_nil(t.id) && !uuid_is_nil(q.job_id) && t.status == TASK_QUEUED);
	return t.id;
}

/* ---- the model ----------------------------------------------------------------------------- */

/* What becomes of each step of a run. */
enum move { GO_ON, AGAIN, DONE, BREAKS, BREAKS_FOR_GOOD, CANCELLED_BEFORE };

struct model {
	enum task_status status;
	int64_t rows; /* committed */
	int attempts; /* of the run that is next */
	bool has_run;
};

static struct {
	struct place *p;
	struct model m;
	enum move plan[PLAN];
	size_t n, at;
	bool is_outside, has_conflict;
	struct uuid id;
	unsigned seed;
} doing;

static unsigned pick(unsigned n)
{
	doing.seed = doing.seed * 1103515245u + 12345u;
	return (doing.seed >> 16) % n;
}

static bool has_ended(const struct model *m)
{
	return m->status != TASK_QUEUED && m->status != TASK_RUNNING;
}

static void cancel(struct place *p)
{
	struct err err = ERR_INIT;
	struct task t;
	int rc = task_cancel(p->r, &doing.id, &t, &err);

	if (has_ended(&doing.m)) {
		CHECK(rc == -1 && err.code == ERR_CONFLICT);
		CHECK(strstr(err.msg, task_status_name(doing.m.status)) != NULL);
		return;
	}
	CHECK(rc == 1 && t.status == TASK_CANCELLED && t.finished_us != 0);
	doing.m.status = TASK_CANCELLED;
}

static int work(struct db *db, struct arena *a, void *arg, struct task *next, enum task_then *then,
    struct err *err)
{
	enum move move = *(const enum move *)arg;

	(void)db;
	next->counts.received += 3;
	next->counts.created += 1;
	next->done += 3;
	next->position =
	    str_from(arena_printf(a, "{\"row\":%lld}", (long long)next->counts.received));
	if (move == BREAKS || move == BREAKS_FOR_GOOD) /* and none of this is kept */
		return err_set(err, ERR_INVALID, "a thread broke");
	*then = move == AGAIN ? TASK_AGAIN : move == DONE ? TASK_DONE : TASK_GO_ON;
	return 0;
}

/* What the model says of a move. */
static void move_model(enum move move)
{
	struct model *m = &doing.m;

	if (has_ended(m)) { /* cancelled before */
		m->rows += doing.is_outside;
		m->attempts = 0;
		return;
	}
	if (move == BREAKS || move == BREAKS_FOR_GOOD) {
		if (move == BREAKS_FOR_GOOD || m->attempts >= ATTEMPTS)
			m->status = TASK_FAILED;
		return;
	}
	m->rows++;
	m->status = move == DONE ? TASK_COMPLETED : TASK_RUNNING;
	if (move == AGAIN)
		m->attempts = 0;
}

/* Follows the plan; where that ends a step breaks. */
static int run_job(struct job *j, struct err *err)
{
	struct task_run *run;
	int found = task_run_begin(j, &kind, &run, err);

	CHECK(found == !has_ended(&doing.m) && uuid_eq(run->task.id, doing.id));
	if (found != 1)
		return found;
	CHECK(j->attempts == ++doing.m.attempts);
	run->is_outside = doing.is_outside;
	do {
		enum move move = doing.at < doing.n ? doing.plan[doing.at++] : BREAKS;

		if (move == CANCELLED_BEFORE) {
			cancel(doing.p);
			move = GO_ON;
		}
		move_model(move);
		if (task_run_step(run, work, &move, err) == -1) {
			CHECK(err->code == ERR_INVALID);
			return task_run_fail(run, move == BREAKS_FOR_GOOD, err);
		}
	} while (!run->is_over);
	return 0;
}

static const struct job_kind job_kinds[] = {{.name = "test.knit",
						.run = run_job,
						.max_attempts = ATTEMPTS,
						.died = task_job_died,
						.revived = task_jobs_revived},
    {.name = NULL}};

static void run_jobs(struct place *p)
{
	struct err err = ERR_INIT;
	struct runner *rn = runner_new(p->app, job_kinds, 1, &err);

	p->app->hooks.job_kinds = job_kinds;
	RUN(p->db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us()));
	if (OK(rn == NULL ? -1 : 0, &err))
		CHECK(runner_once(rn, &err) >= 0);
	runner_free(rn);
}

/* "status received created done position error" */
static const char *told(struct place *p, struct uuid id)
{
	return TEXT_OF(p->db, p->a,
	    "SELECT CONCAT_WS(' ', status, received, created, done, COALESCE(position, '-'),"
	    " COALESCE(error, '-')) FROM tasks WHERE id = ?",
	    db_uuid(&id));
}

static void check_model(struct place *p)
{
	const struct model *m = &doing.m;
	long long rows = m->rows * 3;

	CHECK(TEXT_EQ(told(p, doing.id),
	    arena_printf(p->a, "%s %lld %lld %lld %s %s", task_status_name(m->status), rows,
		rows / 3, rows, rows == 0 ? "-" : arena_printf(p->a, "{\"row\":%lld}", rows),
		m->status == TASK_FAILED ? "a thread broke" : "-")));
	CHECK(NUMBER_OF(p->db, "SELECT finished_at IS NOT NULL FROM tasks WHERE id = ?",
		  db_uuid(&doing.id)) == has_ended(m));
	CHECK(NUMBER_OF(p->db, "SELECT COUNT(*) FROM jobs WHERE subject_id = ?",
		  db_uuid(&doing.id)) >= !has_ended(m));
}

static void follows_the_model(void)
{
	struct place p;
	unsigned ended[TASK_CANCELLED + 1] = {0};

	if (!place_make(&p))
		return;
	doing.p = &p;
	doing.seed = 4711;
	for (int i = 0; i < ROUNDS; i++) {
		doing.id = queue(&p);
		doing.m = (struct model){.status = TASK_QUEUED};
		doing.is_outside = pick(2);
		check_model(&p);
		while (!has_ended(&doing.m)) {
			doing.n = pick(PLAN + 1);
			doing.at = 0;
			for (size_t k = 0; k < doing.n; k++) {
				unsigned die = pick(16);

				doing.plan[k] = die < 8    ? GO_ON
						: die < 11 ? AGAIN
							   : (enum move)(die - 11 + AGAIN);
			}
			if (pick(12) == 0)
				cancel(&p);
			else
				run_jobs(&p);
			check_model(&p);
		}
		cancel(&p); /* refused */
		run_jobs(&p);
		check_model(&p);
		CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE state <> 'dead'") == 0);
		RUN(p.db, "DELETE FROM jobs");
		ended[doing.m.status]++;
	}
	CHECK(ended[TASK_COMPLETED] > 10 && ended[TASK_FAILED] > 10 && ended[TASK_CANCELLED] > 10);
	place_remove(&p);
}

/* ---- given up, and run again ----------------------------------------------------------------- */

static void plan(enum move first, enum move then)
{
	doing.plan[0] = first;
	doing.plan[1] = then;
	doing.n = 2;
	doing.at = 0;
}

static int revive_body(struct db *db, void *arg, struct err *err)
{
	const struct place *p = arg;
	struct lane_key key = {.account_id = p->account, .class = JOB_BULK};
	int64_t n;

	(void)db;
	CHECK(queue_revive_lane(p->app, &key, &n, err) == 0 && n == 1);
	return 0;
}

/* What the job was given up for stands at the task; run again, it goes on at its place, and counts
 * all once. */
static void dies_and_lives_again(void)
{
	static const struct {
		int line, deaths;
		const char *told;
	} cases[] = {
	    {__LINE__, 0, "failed 3 1 3 {\"row\":3} a thread broke"},
	    {__LINE__, 5, "failed 3 1 3 {\"row\":3} gave up: its runner died 5 times"},
	};
	struct place p;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	doing.p = &p;
	doing.is_outside = false;
	for (size_t i = 0; i < COUNT(cases); i++) {
		doing.id = queue(&p);
		doing.m = (struct model){.status = TASK_QUEUED};
		plan(GO_ON, BREAKS);
		run_jobs(&p);
		CHECK_AT(cases[i].line, strncmp(told(&p, doing.id), "running 3 1 3", 13) == 0);
		RUN(p.db, "UPDATE jobs SET deaths = ?, attempts = ?", db_int(cases[i].deaths),
		    db_int(cases[i].deaths > 0 ? 0 : ATTEMPTS - 1));
		doing.m.attempts = ATTEMPTS - 1;
		plan(BREAKS, BREAKS);
		run_jobs(&p);
		CHECK_AT(cases[i].line, TEXT_EQ(told(&p, doing.id), cases[i].told));
		CHECK_AT(cases[i].line,
		    NUMBER_OF(p.db, "SELECT finished_at IS NOT NULL FROM tasks WHERE id = ?",
			db_uuid(&doing.id)) == 1);
		OK(db_transaction(p.db, revive_body, &p, &err), &err);
		CHECK_AT(cases[i].line, TEXT_EQ(told(&p, doing.id), "queued 3 1 3 {\"row\":3} -"));
		CHECK_AT(cases[i].line,
		    NUMBER_OF(p.db, "SELECT finished_at IS NULL FROM tasks WHERE id = ?",
			db_uuid(&doing.id)) == 1);
		doing.m = (struct model){.status = TASK_RUNNING, .rows = 1};
		plan(GO_ON, DONE);
		run_jobs(&p);
		CHECK_AT(
		    cases[i].line, TEXT_EQ(told(&p, doing.id), "completed 9 3 9 {\"row\":9} -"));
		CHECK_AT(cases[i].line, NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 0);
	}
	place_remove(&p);
}

/* ---- two runs ------------------------------------------------------------------------------ */

static int overtaken(struct job *j, struct err *err)
{
	enum move move = GO_ON;
	struct task_run *run;

	CHECK(task_run_begin(j, &kind, &run, err) == 1);
	RUN(j->app->db, "UPDATE tasks SET done = done + 1 WHERE id = ?", db_uuid(&run->task.id));
	CHECK(task_run_step(run, work, &move, err) == -1 && err->code == ERR_CONFLICT);
	doing.has_conflict = err->code == ERR_CONFLICT;
	return task_run_fail(run, true, err); /* it is not for this run to say so */
}

static void one_run_at_a_time(void)
{
	static const struct job_kind overtaken_kinds[] = {KIND("test.knit", overtaken, 100, 0)};
	struct place p;
	struct runner *rn;
	struct uuid id;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	id = queue(&p);
	doing.has_conflict = false;
	rn = runner_new(p.app, overtaken_kinds, 1, &err);
	if (OK(rn == NULL ? -1 : 0, &err))
		CHECK(runner_once(rn, &err) == 1);
	runner_free(rn);
	CHECK(doing.has_conflict);
	CHECK(TEXT_EQ(told(&p, id), "queued 0 0 1 - -"));
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs") == 1);
	place_remove(&p);
}

/* ---- lists --------------------------------------------------------------------------------- */

static void lists_and_accounts(void)
{
	struct place p;
	struct uuid ids[5], nobody = uuid_new();
	struct task_filter f = {0};
	struct slice first = {.limit = 3}, then = {.limit = 3, .has_cursor = true};
	struct tasks list;
	struct task t, draft = {.id = uuid_new(), .args = STR("{}"), .kind = "knit"};
	struct err err = ERR_INIT;
	json_t *o;

	if (!place_make(&p))
		return;
	for (size_t i = 0; i < COUNT(ids); i++)
		ids[i] = queue(&p);
	draft.account_id = f.account_id = p.account;
	draft.status = TASK_DRAFT;
	OK(task_insert(p.db, &draft, &err), &err);
	doing.id = ids[1];
	doing.m = (struct model){.status = TASK_QUEUED};
	cancel(&p);
	OK(task_list(p.db, p.a, &f, &first, &list, &err), &err);
	CHECK(first.has_more && uuid_eq(first.last.id, ids[2]));
	CHECK(list.n == 3 && uuid_eq(list.v[0].id, ids[4]) && uuid_eq(list.v[2].id, ids[2]));
	then.after = first.last;
	OK(task_list(p.db, p.a, &f, &then, &list, &err), &err);
	CHECK(!then.has_more);
	CHECK(list.n == 2 && uuid_eq(list.v[0].id, ids[1]) && list.v[0].status == TASK_CANCELLED);
	f.status = STR("cancelled");
	then.after = (struct cursor){0};
	then.has_cursor = false;
	OK(task_list(p.db, p.a, &f, &then, &list, &err), &err);
	CHECK(list.n == 1 && uuid_eq(list.v[0].id, ids[1]));
	f.status = STR("draft"); /* no list has them */
	OK(task_list(p.db, p.a, &f, &then, &list, &err), &err);
	CHECK(list.n == 0);
	OK(task_list_open(p.db, p.a, &p.account, &list, &err), &err);
	CHECK(list.n == 4 && uuid_eq(list.v[0].id, ids[0]) && uuid_eq(list.v[1].id, ids[2]));
	OK(task_list_open(p.db, p.a, &nobody, &list, &err), &err);
	CHECK(list.n == 0);
	CHECK(task_load(p.db, p.a, &nobody, &ids[0], false, &t, &err) == 0);
	CHECK(task_load(p.db, p.a, &p.account, &ids[0], false, &t, &err) == 1);
	o = json_own(p.a, task_json(p.app, &t));
	CHECK(TEXT_EQ(json_str(o, "title"), "Rows knitted") && json_int(o, "total") == 7);
	CHECK(json_object_get(o, "bytesTotal") == NULL);
	CHECK(task_is_needed(p.db, p.a, &draft.id, &err) == 1);
	CHECK(task_is_needed(p.db, p.a, &ids[1], &err) == 0);
	p.r->actor.account_id = nobody;
	CHECK(task_cancel(p.r, &ids[0], &t, &err) == 0);
	p.r->actor.account_id = p.account;
	CHECK(task_cancel(p.r, &draft.id, &t, &err) == 0);
	place_remove(&p);
}

void suite_task(void)
{
	ADD_TESTS("task", {"follows the model", follows_the_model},
	    {"dies and lives again", dies_and_lives_again},
	    {"one run at a time", one_run_at_a_time}, {"lists and accounts", lists_and_accounts});
}
