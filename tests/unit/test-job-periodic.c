/* Periodic work: it comes by the clock, one runner at a time, and never dies. */
#include "job-check.h"
#include "job/periodic.h"
#include "job/queue.h"

void suite_job_periodic(void);

static int good_runs, bad_runs;

static int good(struct app *app, struct err *err)
{
	(void)app;
	(void)err;
	good_runs++;
	return 0;
}

static int bad(struct app *app, struct err *err)
{
	(void)app;
	bad_runs++;
	return err_set(err, ERR_CONFLICT, "on purpose");
}

static int64_t due_us(struct place *p, const char *name)
{
	return NUMBER_OF(p->db, "SELECT run_at FROM jobs WHERE kind = ?", db_str(name));
}

/* The job is due in so many seconds after it ran, which was after `before`. */
static bool is_due_in(struct place *p, const char *name, int64_t seconds, int64_t before)
{
	int64_t at_us = due_us(p, name);

	return at_us >= before + seconds * SECOND_US &&
	       at_us <= clock_now_us() + seconds * SECOND_US;
}

static void make_due(struct place *p)
{
	RUN(p->db, "UPDATE jobs SET run_at = ? WHERE lease_id IS NULL", db_int(clock_now_us()));
}

static void comes_by_the_clock(void)
{
	static const struct job_kind kinds[] = {
	    PERIODIC("test.bad", 3600, bad), PERIODIC("test.good", 3600, good)};
	struct place p;

	if (!place_make(&p))
		return;
	good_runs = bad_runs = 0;
	for (int round = 1; round <= 3; round++) {
		int64_t before = clock_now_us();

		/* the second runner finds nothing due, and no second row */
		CHECK(run_once(&p, kinds, COUNT(kinds)) == 2);
		CHECK(run_once(&p, kinds, COUNT(kinds)) == 0);
		CHECK(good_runs == round && bad_runs == round && count_jobs(&p) == 2);
		CHECK(is_due_in(&p, "test.good", 3600, before));
		CHECK(is_due_in(&p, "test.bad", round == 1 ? 30 : 60, before));
		make_due(&p);
	}
	/* whoever deletes the rows has them back */
	RUN(p.db, "DELETE FROM jobs");
	CHECK(run_once(&p, kinds, COUNT(kinds)) == 2 && count_jobs(&p) == 2);
	place_remove(&p);
}

/* However often it has failed: due again in its time, with the reason. */
static void never_dies(void)
{
	static const struct {
		int line;
		int64_t every_s, wanted_s;
		int attempts;
	} cases[] = {{__LINE__, 5, 5, 0}, {__LINE__, 5, 5, 10000}, {__LINE__, 45, 30, 0},
	    {__LINE__, 45, 45, 3}, {__LINE__, 7200, 30, 0}, {__LINE__, 7200, 60, 10000}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct job_kind kinds[] = {PERIODIC("test.bad", cases[i].every_s, bad)};
		int64_t before = clock_now_us();
		struct place p;

		if (!place_make(&p))
			return;
		run_once(&p, kinds, 1);
		RUN(p.db, "UPDATE jobs SET attempts = ?, run_at = ?", db_int(cases[i].attempts),
		    db_int(before));
		CHECK_AT(cases[i].line, run_once(&p, kinds, 1) == 1);
		CHECK_AT(cases[i].line, is_due_in(&p, "test.bad", cases[i].wanted_s, before));
		CHECK_AT(cases[i].line,
		    NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE state = 'ready'"
				    " AND lease_id IS NULL AND last_error = 'on purpose'") == 1);
		place_remove(&p);
	}
}

/* While another host's runner holds it nobody else runs it. */
static void one_at_a_time(void)
{
	static const struct job_kind kinds[] = {PERIODIC("test.good", 3600, good)};
	struct place p;

	if (!place_make(&p))
		return;
	good_runs = 0;
	CHECK(run_once(&p, kinds, 1) == 1);
	RUN(p.db, "UPDATE jobs SET lease_id = ?, run_at = ?", db_blob(STR("another's lease!")),
	    db_int(clock_now_us() + 60 * SECOND_US));
	CHECK(run_once(&p, kinds, 1) == 0 && good_runs == 1);
	RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us())); /* its time is over */
	CHECK(run_once(&p, kinds, 1) == 1 && good_runs == 2);
	place_remove(&p);
}

/* ---- more to do, and soon ------------------------------------------------------------------ */

static int unfinished_runs;

/* Has more to do twice. */
static int unfinished(struct app *app, struct err *err)
{
	(void)app;
	(void)err;
	return ++unfinished_runs <= 2;
}

static void comes_again_for_the_rest(void)
{
	static const struct job_kind kinds[] = {PERIODIC("test.unfinished", 3600, unfinished)};
	struct place p;

	if (!place_make(&p))
		return;
	unfinished_runs = 0;
	for (int round = 1; round <= 3; round++) {
		int64_t before = clock_now_us();

		CHECK(run_once(&p, kinds, 1) == 1 && unfinished_runs == round);
		CHECK(is_due_in(&p, "test.unfinished", round < 3 ? 1 : 3600, before));
		make_due(&p);
	}
	place_remove(&p);
}

static int soon_body(struct db *db, void *arg, struct err *err)
{
	return periodic_soon(db, arg, err);
}

static void bring_forward(struct db *db)
{
	char name[] = "test.good";
	struct err err = ERR_INIT;

	OK(db_transaction(db, soon_body, name, &err), &err);
}

static void comes_soon(void)
{
	static const struct job_kind kinds[] = {PERIODIC("test.good", 3600, good)};
	struct place p;

	if (!place_make(&p))
		return;
	good_runs = 0;
	bring_forward(p.db); /* before any runner: it will be due anyway */
	CHECK(count_jobs(&p) == 0);
	CHECK(run_once(&p, kinds, 1) == 1 && run_once(&p, kinds, 1) == 0);
	bring_forward(p.db);
	bring_forward(p.db);
	CHECK(run_once(&p, kinds, 1) == 1 && run_once(&p, kinds, 1) == 0 && good_runs == 2);
	/* one that is overdue is not put off */
	RUN(p.db, "UPDATE jobs SET run_at = 5");
	bring_forward(p.db);
	CHECK(due_us(&p, "test.good") == 5);
	place_remove(&p);
}

/* What is changed while it runs it may not have seen: it runs once more. */
static int asked_for(struct app *app, struct err *err)
{
	struct db *other = db_new(app->config);

	(void)err;
	if (good_runs++ == 0)
		bring_forward(other);
	db_free(other);
	return 0;
}

static void asked_for_while_it_runs(void)
{
	static const struct job_kind kinds[] = {PERIODIC("test.good", 3600, asked_for)};
	struct place p;
	int64_t before = clock_now_us();

	if (!place_make(&p))
		return;
	good_runs = 0;
	CHECK(run_once(&p, kinds, 1) == 2 && good_runs == 2);
	CHECK(is_due_in(&p, "test.good", 3600, before));
	CHECK(run_once(&p, kinds, 1) == 0);
	place_remove(&p);
}

struct soon {
	struct db *db;
	bool is_asked;
	int64_t until_us; /* long before it would come by the clock */
};

/* Brings the work forward once it has run, and waits for that. */
static bool ran_again(void *arg)
{
	struct soon *s = arg;

	if (!s->is_asked && good_runs == 1) {
		s->is_asked = true;
		bring_forward(s->db);
	}
	return good_runs == 2 || clock_mono_us() > s->until_us;
}

static void wakes_a_runner(void)
{
	static const struct job_kind kinds[] = {PERIODIC("test.good", 3600, good)};
	struct place p;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	struct soon soon = {db_new(&p.c.cfg), false, clock_mono_us() + AWAIT_US};
	struct runner *rn = runner(&p, kinds, 1);

	good_runs = 0;
	OK(runner_listen(rn, &err), &err);
	CHECK(runner_run(rn, ran_again, &soon) == 0);
	CHECK(good_runs == 2);
	runner_free(rn);
	db_free(soon.db);
	place_remove(&p);
}

/* ---- seen ---------------------------------------------------------------------------------- */

static void seen_by_the_operator_alone(void)
{
	static const struct job_kind kinds[] = {
	    PERIODIC("test.bad", 3600, bad), PERIODIC("test.good", 3600, good)};
	struct place p;
	struct periodic_state *works;
	struct queue_lane *lanes;
	struct err err = ERR_INIT;
	int64_t due = 0;
	size_t n;

	if (!place_make(&p))
		return;
	CHECK(periodic_next(p.db, p.a, &due, &err) == 0);
	OK(periodic_list(p.db, p.a, &works, &n, &err), &err);
	CHECK(n == 0);
	run_once(&p, kinds, COUNT(kinds));
	OK(periodic_list(p.db, p.a, &works, &n, &err), &err);
	REQUIRE(n == 2);
	CHECK(TEXT_EQ(works[0].name, "test.bad") && TEXT_EQ(works[0].error, "on purpose"));
	CHECK(works[0].next_us == due_us(&p, "test.bad"));
	CHECK(TEXT_EQ(works[1].name, "test.good") && works[1].error == NULL);
	CHECK(periodic_next(p.db, p.a, &due, &err) == 1 && due == works[0].next_us);
	RUN(p.db, "UPDATE jobs SET lease_id = ? WHERE kind = 'test.good'",
	    db_blob(STR("another's lease!")));
	OK(periodic_list(p.db, p.a, &works, &n, &err), &err);
	CHECK(works[1].next_us == 0);
	OK(queue_lanes(p.app, p.a, &p.account, &lanes, &n, &err), &err);
	CHECK(n == 0);
	place_remove(&p);
}

void suite_job_periodic(void)
{
	ADD_TESTS("job_periodic", {"comes by the clock", comes_by_the_clock},
	    {"never dies", never_dies}, {"one at a time", one_at_a_time},
	    {"comes again for the rest", comes_again_for_the_rest}, {"comes soon", comes_soon},
	    {"asked for while it runs", asked_for_while_it_runs},
	    {"wakes a runner", wakes_a_runner},
	    {"seen by the operator alone", seen_by_the_operator_alone});
}
