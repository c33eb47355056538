/* Group commit: many transactions in one, and one bad one among them; breakers. */
#include <unistd.h>

#include "job-check.h"
#include "job/queue.h"
#include "net/http-client.h"

void suite_job_group(void);

static struct {
	int tries[64];
	int fails;
	const char *guilty; /* the same, as args */
	enum err_code code;
} doing;

static int effect_body(struct db *db, void *arg, struct err *err)
{
	struct job *j = arg;
	int64_t which = 0;

	(void)str_to_i64(j->args, 0, 63, &which);
	doing.tries[which]++;
	RUN(db, "INSERT INTO job_effects (what) VALUES (?)", db_int(which));
	if (which == doing.fails)
		return err_set(err, doing.code, "on purpose");
	return job_finish(db, j, err);
}

static int effect(struct job *j, struct err *err)
{
	seen->runs++;
	return job_transaction(j, effect_body, j, err);
}

static int64_t commits(struct place *p)
{
	return NUMBER_OF(p->db,
	    "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM"
	    " information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'COM_COMMIT'");
}

/* 32 jobs: one commit claims them, one stores what they did. */
static void one_commit_for_many(void)
{
	struct place p;
	int64_t before;

	if (!place_make(&p))
		return;
	memset(&doing, 0, sizeof(doing));
	doing.fails = -1;
	for (int i = 0; i < 32; i++)
		insert(&p, "effect", arena_printf(p.a, "%d", i));
	before = commits(&p);
	CHECK(RUN_ONCE(&p, KIND("effect", effect, 3, 0)) == 32);
	CHECK(commits(&p) - before == 2);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects") == 32 && count_jobs(&p) == 0);
	place_remove(&p);
}

/* A body that always fails beside 31 good ones: the 31 are committed once, the one backs off. */
static void one_bad_among_many(void)
{
	static const enum err_code codes[] = {ERR_INVALID, ERR_INTERNAL, ERR_LIMIT};

	for (size_t c = 0; c < COUNT(codes); c++) {
		struct place p;

		if (!place_make(&p))
			return;
		memset(&doing, 0, sizeof(doing));
		doing.fails = 17;
		doing.code = codes[c];
		for (int i = 0; i < 32; i++)
			insert(&p, "effect", arena_printf(p.a, "%d", i));
		CHECK(RUN_ONCE(&p, KIND("effect", effect, 3, 0)) == 32);
		CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects") == 31);
		CHECK(NUMBER_OF(p.db, "SELECT COUNT(DISTINCT what) FROM job_effects"
				      " WHERE what <> 17") == 31);
		CHECK(count_jobs(&p) == 1);
		CHECK(NUMBER_OF(p.db,
			  "SELECT COUNT(*) FROM jobs WHERE args = '17' AND state = 'ready'"
			  " AND lease_id IS NULL AND run_at > ? AND last_error = 'on purpose'",
			  db_int(clock_now_us())) == 1);
		for (int i = 0; i < 32; i++)
			CHECK_AT(i, doing.tries[i] <= 2);
		place_remove(&p);
	}
}

/* ---- bodies for many ----------------------------------------------------------------------- */

static struct {
	int calls, most, accounts_mixed, ended_before, lost;
} together;

/* All of them in one call, or each alone once one of them has failed. */
static int effects_body(struct db *db, void *const *args, size_t n, struct err *err)
{
	struct job *jobs[64] = {NULL};

	together.calls++;
	together.most = (int)n > together.most ? (int)n : together.most;
	for (size_t i = 0; i < n; i++) {
		int64_t which = 0;

		jobs[i] = args[i];
		together.accounts_mixed += !uuid_eq(jobs[i]->account_id, jobs[0]->account_id);
		together.ended_before += jobs[i]->is_ended;
		(void)str_to_i64(jobs[i]->args, 0, 63, &which);
		doing.tries[which]++;
		RUN(db, "INSERT INTO job_effects (what) VALUES (?)", db_int(which));
	}
	if (job_finish_many(db, jobs, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (doing.fails >= 0 && str_is(jobs[i]->args, doing.guilty))
			return err_set(err, doing.code, "on purpose");
	return 0;
}

static int effect_together(struct job *j, struct err *err)
{
	int rc = job_transaction_many(j, effects_body, j, err);

	CHECK(j->is_ended == (rc == 0));
	together.lost += j->is_lost;
	return rc;
}

/* All of an account; beside others, which have a body for themselves or are another account's. */
static void many_bodies_are_one(void)
{
	struct place p;
	struct job theirs = {.kind = "together", .args = STR("63")};
	struct inserting i = {&theirs, 1, false};
	struct err err = ERR_INIT;
	int64_t before;

	if (!place_make(&p))
		return;
	memset(&doing, 0, sizeof(doing));
	memset(&together, 0, sizeof(together));
	doing.fails = -1;
	for (int k = 0; k < 32; k++)
		insert(&p, k % 8 == 5 ? "effect" : "together", arena_printf(p.a, "%d", k));
	theirs.account_id = uuid_new();
	OK(db_transaction(p.db, insert_body, &i, &err), &err);
	/* as if some had been claimed once before: a statement for each number of attempts */
	RUN(p.db, "UPDATE jobs SET attempts = 1 WHERE args IN ('1', '2', '3')");
	before = commits(&p);
	CHECK(RUN_ONCE(&p, KIND("together", effect_together, 3, 0), KIND("effect", effect, 3, 0)) ==
	      33);
	CHECK(commits(&p) - before == 2);
	CHECK(together.calls == 2 && together.most == 28 && together.accounts_mixed == 0);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(DISTINCT what) FROM job_effects") == 33);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects") == 33 && count_jobs(&p) == 0);
	place_remove(&p);
}

/* One that always fails beside 31 good ones: those are committed once, the one backs off. */
static void one_bad_together(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	memset(&doing, 0, sizeof(doing));
	memset(&together, 0, sizeof(together));
	doing.fails = 17;
	doing.guilty = "17";
	doing.code = ERR_INVALID;
	for (int i = 0; i < 32; i++)
		insert(&p, "together", arena_printf(p.a, "%d", i));
	CHECK(RUN_ONCE(&p, KIND("together", effect_together, 3, 0)) == 32);
	CHECK(together.most == 32 && together.calls == 1 + 32 && together.ended_before == 0);
	CHECK(together.lost == 0);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects") == 31);
	CHECK(
	    NUMBER_OF(p.db, "SELECT COUNT(DISTINCT what) FROM job_effects WHERE what <> 17") == 31);
	CHECK(count_jobs(&p) == 1);
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM jobs WHERE args = '17' AND state = 'ready'"
		  " AND lease_id IS NULL AND run_at > ? AND last_error = 'on purpose'",
		  db_int(clock_now_us())) == 1);
	for (int i = 0; i < 32; i++)
		CHECK_AT(i, doing.tries[i] == 2);
	place_remove(&p);
}

static int rob_17(struct job *j, struct err *err)
{
	/* another runner has it, as far as the table knows */
	RUN(j->app->db, "UPDATE jobs SET attempts = attempts + 1 WHERE args = '17'");
	return effect_together(j, err);
}

/* One whose lease was lost among them changes nothing; the others are finished. */
static void one_lost_together(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	memset(&doing, 0, sizeof(doing));
	memset(&together, 0, sizeof(together));
	doing.fails = -1;
	for (int i = 16; i < 24; i++)
		insert(&p, i == 20 ? "robber" : "together", arena_printf(p.a, "%d", i));
	CHECK(RUN_ONCE(&p, KIND("together", effect_together, 3, 0), KIND("robber", rob_17, 3, 0)) ==
	      8);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects") == 7 && together.lost == 1);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_effects WHERE what = 17") == 0);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE args = '17' AND attempts = 2") == 1);
	CHECK(count_jobs(&p) == 1);
	place_remove(&p);
}

/* ---- bulk beside live ---------------------------------------------------------------------- */

static void insert_bulk(struct place *p, const char *kind)
{
	struct job job = {.account_id = p->account, .class = JOB_BULK, .kind = kind};
	struct inserting i = {&job, 1, false};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, insert_body, &i, &err), &err);
}

/* A slow bulk body is never part of what live work waits for. */
static void bulk_has_its_own(void)
{
	struct place p;
	int64_t before;

	if (!place_make(&p))
		return;
	memset(&doing, 0, sizeof(doing));
	doing.fails = -1;
	insert(&p, "effect", "1");
	insert_bulk(&p, "effect");
	before = commits(&p);
	CHECK(RUN_ONCE(&p, KIND("effect", effect, 3, 0)) == 2);
	CHECK(commits(&p) - before == 3); /* the claim, one each */
	place_remove(&p);
}

/* ---- breakers ------------------------------------------------------------------------------ */

static struct {
	enum job_peer peer;
	int calls, probes;
	struct uuid probed[16];
} target;

static int again_body(struct db *db, void *arg, struct err *err)
{
	struct job *j = arg;

	if (target.peer == JOB_PEER_OK)
		return job_finish(db, j, err);
	return job_retry(db, j, clock_now_us(), !j->is_probe, err);
}

static int calling(struct job *j, struct err *err)
{
	target.calls++;
	if (j->is_probe && target.probes < (int)COUNT(target.probed))
		target.probed[target.probes++] = j->id;
	job_note_peer(j, target.peer, "nobody there");
	return job_transaction(j, again_body, j, err);
}

static struct uuid insert_to(struct place *p, const struct uuid *to)
{
	struct job job = {.account_id = p->account, .target_id = *to, .kind = "calling"};
	struct inserting i = {&job, 1, false};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, insert_body, &i, &err), &err);
	return job.id;
}

static int probe_now(struct db *db, void *arg, struct err *err)
{
	const struct lane_key *key = arg;

	return breaker_again(db, key, clock_now_us() - 1, err);
}

/* A lane with 20 jobs whose target behaves so, run until its breaker is open: what was under way
 * then is all that was tried. */
static struct lane_key found_ill(struct place *p, enum job_peer peer)
{
	struct lane_key key = {p->account, uuid_new(), JOB_LIVE};

	RUN(p->db, "DELETE FROM job_breakers");
	for (int i = 0; i < 20; i++)
		insert_to(p, &key.target_id);
	target.peer = peer;
	target.calls = target.probes = 0;
	RUN_ONCE(p, KIND("calling", calling, 100, 0));
	CHECK(target.calls >= BREAKER_FAILURES && target.calls < BREAKER_FAILURES + 4);
	return key;
}

/* Five failures open it for every runner; then probes only, one at a time, which count for nobody's
 * tries; a success closes it, and all goes on. */
static void opens_and_closes(void)
{
	struct place p;
	struct lane_key key;
	struct breaker *v;
	size_t n;
	int64_t now_us;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	key = found_ill(&p, JOB_PEER_DEAD);
	CHECK(breaker_list(p.db, p.a, &v, &n, &now_us, &err) == 0 && n == 1);
	REQUIRE(n == 1);
	CHECK(v[0].opened_us != 0 && v[0].probe_at_us > clock_now_us() && v[0].paused == 0);
	CHECK(TEXT_EQ(v[0].last_error, "nobody there"));
	CHECK(TEXT_EQ(breaker_state(&v[0], clock_now_us()), "open"));
	/* another runner keeps to it */
	target.calls = 0;
	CHECK(RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == 0 && target.calls == 0);
	/* a probe that fails makes the next one wait longer, and no job lose a try */
	int64_t tries = NUMBER_OF(p.db, "SELECT SUM(tries) FROM jobs");

	OK(db_transaction(p.db, probe_now, &key, &err), &err);
	CHECK(RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == 1 && target.probes == 1);
	CHECK(NUMBER_OF(p.db, "SELECT SUM(tries) FROM jobs") == tries);
	CHECK(NUMBER_OF(p.db, "SELECT probes FROM job_breakers") == 1);
	/* one that succeeds closes it */
	target.peer = JOB_PEER_OK;
	target.calls = 0;
	OK(db_transaction(p.db, probe_now, &key, &err), &err);
	CHECK(RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == 20 && target.calls == 20);
	CHECK(count_jobs(&p) == 0);
	CHECK(breaker_list(p.db, p.a, &v, &n, &now_us, &err) == 0 && n == 0);
	RUN(p.db, "DELETE FROM job_breakers");
	place_remove(&p);
}

static int dying_target(struct job *j, struct err *err)
{
	(void)err;
	target.calls++;
	job_note_peer(j, JOB_PEER_DEAD, "nobody there");
	return 0;
}

/* A runner that takes a probe and finds no job to make it with gives it back: the next job that is
 * due makes it, not the one in five minutes. */
static void a_probe_without_a_job(void)
{
	static const struct job_kind kinds[] = {KIND("calling", dying_target, 9, 0)};
	struct place p;
	struct uuid to = uuid_new();
	struct err err = ERR_INIT;
	struct runner *rn;

	if (!place_make(&p))
		return;
	RUN(p.db, "DELETE FROM job_breakers");
	RUN(p.db,
	    "INSERT INTO job_breakers (account_id, target_id, opened_at, probe_at, probes, paused,"
	    " updated_at) VALUES (?,?,1,1,0,0,1)",
	    db_uuid(&p.account), db_uuid(&to));
	target.calls = 0;
	rn = runner(&p, kinds, 1);
	insert_to(&p, &to);
	CHECK(runner_once(rn, &err) == 1 && target.calls == 1 && count_jobs(&p) == 0);
	CHECK(NUMBER_OF(p.db, "SELECT probe_at FROM job_breakers") > clock_now_us());
	/* the runner still thinks that there is one */
	RUN(p.db, "UPDATE job_breakers SET probe_at = 1");
	CHECK(runner_once(rn, &err) == 0 && target.calls == 1);
	CHECK(NUMBER_OF(p.db, "SELECT probe_at FROM job_breakers") <= clock_now_us());
	insert_to(&p, &to);
	CHECK(runner_once(rn, &err) == 1 && target.calls == 2);
	runner_free(rn);
	RUN(p.db, "DELETE FROM job_breakers");
	place_remove(&p);
}

struct renewing {
	struct app *app;
	struct uuid account, target;
};

static int renew_body(struct db *db, void *arg, struct err *err)
{
	struct renewing *r = arg;

	(void)db;
	return queue_renew(r->app, &r->account, &r->target, err);
}

/* Who does not let us in is left alone too, is soon asked again for another job, and once let in
 * all go on; new credentials do not wait for a probe. */
static void not_let_in(void)
{
	for (int is_renewed = 0; is_renewed <= 1; is_renewed++) {
		struct place p;
		struct lane_key key;
		struct err err = ERR_INIT;
		int64_t tries;

		if (!place_make(&p))
			return;
		key = found_ill(&p, JOB_PEER_REFUSED);
		tries = NUMBER_OF(p.db, "SELECT SUM(tries) FROM jobs");
		for (int i = 1; i <= 7; i++) {
			int64_t wait_us = i <= BREAKER_PROBES_QUICK - 1 ? BREAKER_PROBE_QUICK_US
					  : i <= BREAKER_PROBES_QUICK   ? BREAKER_PROBE_FIRST_US
					  : i == 6                      ? 2 * BREAKER_PROBE_FIRST_US
						   : 4 * BREAKER_PROBE_FIRST_US;
			int64_t before = clock_now_us();

			OK(db_transaction(p.db, probe_now, &key, &err), &err);
			CHECK_AT(i, RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == 1);
			CHECK_AT(i, NUMBER_OF(p.db, "SELECT probe_at FROM job_breakers") >=
					before + wait_us);
			CHECK_AT(i, NUMBER_OF(p.db, "SELECT probe_at FROM job_breakers") <=
					clock_now_us() + wait_us);
		}
		/* no job lost a try, and each probe was another's */
		CHECK(NUMBER_OF(p.db, "SELECT SUM(tries) FROM jobs") == tries);
		CHECK(target.probes == 7);
		for (int i = 0; i < 7; i++)
			for (int k = 0; k < i; k++)
				CHECK_AT(i, !uuid_eq(target.probed[i], target.probed[k]));
		target.peer = JOB_PEER_OK;
		target.calls = 0;
		struct renewing r = {p.app, p.account, key.target_id};

		OK(db_transaction(p.db, is_renewed ? renew_body : probe_now,
		       is_renewed ? (void *)&r : &key, &err),
		    &err);
		CHECK(RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == 20 && target.calls == 20);
		CHECK(count_jobs(&p) == 0);
		RUN(p.db, "DELETE FROM job_breakers");
		place_remove(&p);
	}
}

/* What a person paused stays so, and so does another target; what waits or died is due. */
static void renewed(void)
{
	static const struct {
		int line;
		bool is_other, is_paused;
		int runs;
	} cases[] = {
	    {__LINE__, false, false, 4}, {__LINE__, true, false, 0}, {__LINE__, false, true, 0}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place p;
		struct uuid to = uuid_new();
		struct err err = ERR_INIT;

		if (!place_make(&p))
			return;
		RUN(p.db, "DELETE FROM job_breakers");
		for (int k = 0; k < 4; k++)
			insert_to(&p, &to);
		RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us() + DAY_US));
		RUN(p.db, "UPDATE jobs SET state = 'dead', attempts = 100 ORDER BY id LIMIT 1");
		RUN(p.db, "UPDATE jobs SET class = 1 ORDER BY id DESC LIMIT 1");
		RUN(p.db,
		    "INSERT INTO job_lanes (account_id, class, target_id, seen_at) VALUES "
		    "(?,1,?,?)",
		    db_uuid(&p.account), db_uuid(&to), db_int(clock_now_us()));
		RUN(p.db,
		    "INSERT INTO job_breakers (account_id, target_id, opened_at, probe_at, probes,"
		    " paused, updated_at) VALUES (?,?,1,?,3,?,1)",
		    db_uuid(&p.account), db_uuid(&to), db_int(clock_now_us() + DAY_US),
		    db_int(cases[i].is_paused ? 3 : 0));
		struct renewing r = {p.app, p.account, cases[i].is_other ? uuid_new() : to};

		OK(db_transaction(p.db, renew_body, &r, &err), &err);
		target.peer = JOB_PEER_OK;
		CHECK_AT(
		    cases[i].line, RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == cases[i].runs);
		CHECK_AT(cases[i].line, count_jobs(&p) == 4 - cases[i].runs);
		RUN(p.db, "DELETE FROM job_breakers");
		place_remove(&p);
	}
}

static void paused(void)
{
	struct place p;
	struct uuid to = uuid_new();
	struct lane_key key;
	struct err err = ERR_INIT;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	RUN(p.db, "DELETE FROM job_breakers");
	key = (struct lane_key){p.account, to, JOB_LIVE};
	insert_to(&p, &to);
	target.peer = JOB_PEER_OK;
	CHECK(breaker_pause(p.db, &key, true, now, &err) == 1);
	CHECK(RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == 0);
	CHECK(breaker_try(p.db, &key, now, &err) == 1);
	CHECK(RUN_ONCE(&p, KIND("calling", calling, 100, 0)) == 1 && count_jobs(&p) == 0);
	RUN(p.db, "DELETE FROM job_breakers");
	place_remove(&p);
}

/* What waits behind a closed lane, or for its time, costs a claim nothing: the rows read are those
 * of the lanes, not of the jobs. */
static void looks_cost_lanes(void)
{
	struct place p;
	struct uuid to = uuid_new();
	int64_t before, after;

	if (!place_make(&p))
		return;
	RUN(p.db,
	    "INSERT INTO jobs (id, account_id, class, target_id, kind, subject_id, state, run_at,"
	    " attempts, created_at) SELECT UNHEX(LPAD(HEX(seq), 32, '0')), ?, 0, ?, 'calling', "
	    "NULL,"
	    " 'ready', ?, 0, 0 FROM seq_1_to_20000",
	    db_uuid(&p.account), db_uuid(&to), db_int(clock_now_us() + 3600 * SECOND_US));
	RUN(p.db,
	    "INSERT INTO job_lanes (account_id, class, target_id, seen_at) VALUES (?, 0, ?, 1)",
	    db_uuid(&p.account), db_uuid(&to));
	insert(&p, "plain", NULL);
	before = NUMBER_OF(p.db,
	    "SELECT CAST(SUM(VARIABLE_VALUE) AS SIGNED) FROM information_schema.SESSION_STATUS"
	    " WHERE VARIABLE_NAME LIKE 'HANDLER_READ%'");
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0), KIND("calling", calling, 3, 0)) == 1);
	after = NUMBER_OF(p.db,
	    "SELECT CAST(SUM(VARIABLE_VALUE) AS SIGNED) FROM information_schema.SESSION_STATUS"
	    " WHERE VARIABLE_NAME LIKE 'HANDLER_READ%'");
	/* two looks of two lanes, one claim; the status tables themselves take some hundred */
	CHECK(after - before < 3000);
	printf("# %lld rows read\n", (long long)(after - before));
	place_remove(&p);
}

void suite_job_group(void)
{
	ADD_TESTS("job_group", {"one commit for many", one_commit_for_many},
	    {"one bad among many", one_bad_among_many},
	    {"many bodies are one", many_bodies_are_one}, {"one bad together", one_bad_together},
	    {"one lost together", one_lost_together}, {"bulk has its own", bulk_has_its_own},
	    {"opens and closes", opens_and_closes},
	    {"a probe without a job", a_probe_without_a_job}, {"not let in", not_let_in},
	    {"renewed", renewed}, {"paused", paused}, {"looks cost lanes", looks_cost_lanes});
}
