/* What becomes of a job: endings, back-off, its lease, chained jobs, wake-ups, counts. */
#include <sys/socket.h>
#include <sys/stat.h>

#include "job-check.h"
#include "job/board.h"
#include "job/retry.h"
#include "process/unix-socket.h"

void suite_job(void);

/* ---- kinds ------------------------------------------------------------------------------- */

static int add_effect(struct db *db, int what, struct err *err)
{
	static const struct db_stmt insert = {
	    "insert", "INSERT INTO job_effects (what) VALUES (?)", NULL, NULL};

	return db_exec(db, &insert, DB_VALS(db_int(what)), NULL, err);
}

static int64_t effects(struct place *p)
{
	return NUMBER_OF(p->db, "SELECT COUNT(*) FROM job_effects");
}

static int failing(struct job *j, struct err *err)
{
	note(j);
	return err_set(err, ERR_UNAVAILABLE, "no luck today");
}

static int effect_body(struct db *db, void *arg, struct err *err)
{
	if (add_effect(db, 1, err) == -1)
		return -1;
	return job_finish(db, arg, err);
}

static int finishing(struct job *j, struct err *err)
{
	note(j);
	return db_transaction(j->app->db, effect_body, j, err);
}

/* ---- endings ----------------------------------------------------------------------------- */

static void make_due(struct place *p)
{
	RUN(p->db, "UPDATE jobs SET run_at = 1 WHERE lease_id IS NULL");
}

static void endings(void)
{
	struct place p;
	struct uuid id, subject = uuid_new();

	if (!place_make(&p))
		return;
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0)) == 0);
	id = insert(&p, "plain", "{\"a\":1}");
	RUN(p.db, "UPDATE jobs SET subject_id = ?", db_uuid(&subject));
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0)) == 1);
	CHECK(seen->runs == 1 && uuid_eq(seen->last_id, id) && seen->last_attempts == 1);
	CHECK(seen->has_lease && TEXT_EQ(seen->args, "{\"a\":1}"));
	CHECK(count_jobs(&p) == 0);
	insert(&p, "finishing", NULL);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0), KIND("finishing", finishing, 3, 0)) == 1);
	CHECK(seen->args[0] == '\0' && count_jobs(&p) == 0 && effects(&p) == 1);
	/* not before its time */
	insert(&p, "plain", NULL);
	RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us() + DAY_US));
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0)) == 0 && count_jobs(&p) == 1);
	place_remove(&p);
}

static void back_off(void)
{
	static const int64_t waits_s[] = {30, 60, 120, 240, 480, 960, 1920, 3600, 3600};
	struct place p;
	struct db_rows rows;

	if (!place_make(&p))
		return;
	insert(&p, "failing", NULL);
	for (size_t i = 0; i <= COUNT(waits_s); i++) {
		bool is_dead = i == COUNT(waits_s);
		int64_t before = clock_now_us(), due;

		make_due(&p);
		CHECK(RUN_ONCE(&p, KIND("failing", failing, (int)COUNT(waits_s) + 1, 0)) == 1);
		CHECK(seen->last_attempts == (int)i + 1);
		rows = ROWS_OF(
		    p.db, p.a, "SELECT state, run_at, attempts, lease_id, last_error FROM jobs");
		REQUIRE(rows.count == 1);
		CHECK(str_is(db_get_str(&rows, 0, 0), is_dead ? "dead" : "ready"));
		due = before + (is_dead ? 0 : waits_s[i]) * SECOND_US; /* when it died */
		CHECK(db_get_int(&rows, 0, 1) >= due &&
		      db_get_int(&rows, 0, 1) <= due + 30 * SECOND_US);
		CHECK(db_get_int(&rows, 0, 2) == (int)i + 1 && db_is_null(&rows, 0, 3));
		CHECK(str_is(db_get_str(&rows, 0, 4), "no luck today"));
	}
	make_due(&p); /* a dead one is not run again */
	CHECK(RUN_ONCE(&p, KIND("failing", failing, 99, 0)) == 0);
	CHECK(count_jobs(&p) == 1);
	place_remove(&p);
}

static int again_body(struct db *db, void *arg, struct err *err)
{
	return job_reschedule(db, arg, clock_now_us() + DAY_US, STR("{\"page\":2}"), err);
}

static int again(struct job *j, struct err *err)
{
	note(j);
	return db_transaction(j->app->db, again_body, j, err);
}

static void rescheduled(void)
{
	struct place p;
	struct db_rows rows;

	if (!place_make(&p))
		return;
	insert(&p, "again", "{\"page\":1}");
	RUN(p.db, "UPDATE jobs SET attempts = 4, last_error = 'x'");
	CHECK(RUN_ONCE(&p, KIND("again", again, 9, 0)) == 1 && seen->last_attempts == 5);
	rows = ROWS_OF(
	    p.db, p.a, "SELECT state, run_at, attempts, lease_id, last_error, args FROM jobs");
	REQUIRE(rows.count == 1);
	CHECK(str_is(db_get_str(&rows, 0, 0), "ready"));
	CHECK(db_get_int(&rows, 0, 1) > clock_now_us() + DAY_US - 60 * SECOND_US);
	CHECK(db_get_int(&rows, 0, 2) == 0 && db_is_null(&rows, 0, 3) && db_is_null(&rows, 0, 4));
	CHECK(str_is(db_get_str(&rows, 0, 5), "{\"page\":2}"));
	place_remove(&p);
}

static void unknown_kind(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	insert(&p, "of.tomorrow", NULL);
	for (int i = 0; i < 5; i++) {
		make_due(&p);
		CHECK(RUN_ONCE(&p, KIND("plain", plain, 1, 0)) == 1 && seen->runs == 0);
		CHECK(NUMBER_OF(p.db,
			  "SELECT COUNT(*) FROM jobs WHERE state = 'ready' AND lease_id IS NULL"
			  " AND attempts = 0 AND run_at > ? AND run_at <= ?"
			  " AND last_error LIKE '%no such kind%'",
			  db_int(clock_now_us() + 30 * SECOND_US),
			  db_int(clock_now_us() + 60 * SECOND_US)) == 1);
	}
	make_due(&p); /* whoever knows it runs it, as if it were new */
	CHECK(RUN_ONCE(&p, KIND("of.tomorrow", plain, 3, 0)) == 1 && seen->runs == 1);
	CHECK(seen->last_attempts == 1);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

/* ---- leases ------------------------------------------------------------------------------ */

/* Another runner has the job by now: the same one claimed it anew, or another did. */
static int robbed(struct job *j, struct err *err)
{
	struct db *other = db_new(j->app->config);

	note(j);
	if (str_is(j->args, "\"lease\""))
		RUN(other, "UPDATE jobs SET lease_id = ?, run_at = 77",
		    db_blob(STR("another's lease!")));
	else
		RUN(other, "UPDATE jobs SET attempts = attempts + 1, run_at = 77");
	db_free(other);
	if (job_keep(j->app->db, j, err) == 0 || err->code != ERR_CONFLICT)
		CU_FAIL("a lost lease was kept");
	err_clear(err);
	return db_transaction(j->app->db, effect_body, j, err);
}

static void lost_lease(void)
{
	static const char *const how[] = {"\"lease\"", "\"attempts\""};

	for (size_t i = 0; i < COUNT(how); i++) {
		struct place p;

		if (!place_make(&p))
			return;
		insert(&p, "robbed", how[i]);
		/* once only, though the row says that it is due */
		RUN(p.db, "UPDATE jobs SET attempts = 1");
		struct runner *rn =
		    runner(&p, (const struct job_kind[]){KIND("robbed", robbed, 2, 0)}, 1);
		struct err err = ERR_INIT;

		RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us()));
		CHECK(runner_once(rn, &err) >= 1);
		runner_free(rn);
		CHECK(effects(&p) == 0); /* nothing stored */
		CHECK(count_jobs(&p) == 1);
		place_remove(&p);
	}
}

static int keeping(struct job *j, struct err *err)
{
	struct db *other = db_new(j->app->config);
	int64_t before = NUMBER_OF(other, "SELECT run_at FROM jobs");

	note(j);
	RUN(other, "UPDATE jobs SET run_at = run_at - 1000000");
	if (job_keep(j->app->db, j, err) == -1)
		return -1;
	CHECK(NUMBER_OF(other, "SELECT run_at FROM jobs") >= before);
	CHECK(!j->is_ended);
	db_free(other);
	return 0;
}

static void kept_lease(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	insert(&p, "keeping", NULL);
	CHECK(RUN_ONCE(&p, KIND("keeping", keeping, 3, 0)) == 1);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

/* ---- chained jobs ------------------------------------------------------------------------ */

struct chaining {
	struct job *parent;
	int children, fail_tries, tries;
	enum err_code code;
};

static int chain_body(struct db *db, void *arg, struct err *err)
{
	struct chaining *c = arg;
	struct job jobs[20] = {{.kind = NULL}};

	for (int i = 0; i < c->children; i++)
		jobs[i] = (struct job){.account_id = c->parent->account_id,
		    .kind = "child",
		    .subject_id = c->parent->id,
		    .args = STR("{\"of\":\"parent\"}")};
	if (job_insert_next(db, c->parent, jobs, (size_t)c->children, err) == -1)
		return -1;
	CHECK(seen->chained == 0); /* not before the commit */
	if (++c->tries <= c->fail_tries)
		return err_set(err, c->code, "on purpose");
	return job_finish(db, c->parent, err);
}

static struct chaining chain; /* what the parent shall do */
static struct place *here;    /* of the running test */

static int parent(struct job *j, struct err *err)
{
	struct err e = ERR_INIT;
	int rc;

	note(j);
	chain.parent = j;
	rc = db_transaction(j->app->db, chain_body, &chain, &e);
	CHECK((rc == 0) == (chain.code != ERR_INVALID));
	(void)err;
	return 0;
}

static int child(struct job *j, struct err *err)
{
	(void)err;
	CHECK(str_is(j->args, "{\"of\":\"parent\"}") && j->attempts == 1);
	CHECK(uuid_eq(j->subject_id, seen->last_id) && j->a != NULL && j->app == here->app);
	/* the parent's transaction is over, and this one is claimed */
	CHECK(NUMBER_OF(here->db, "SELECT COUNT(*) FROM jobs WHERE id = ? AND lease_id = ?",
		  db_uuid(&j->id), db_uuid(&j->lease_id)) == 1);
	seen->chained++;
	return 0;
}

static void chained(void)
{
	static const struct {
		int line, children, fail_tries;
		enum err_code code;
		int chained;
	} cases[] = {
	    {__LINE__, 1, 0, ERR_NONE, 1},
	    {__LINE__, 8, 0, ERR_NONE, 8},
	    {__LINE__, 20, 0, ERR_NONE, 20}, /* too many to be claimed with it */
	    {__LINE__, 3, 2, ERR_RETRY, 3},
	    {__LINE__, 3, 1, ERR_INVALID, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place p;

		if (!place_make(&p))
			return;
		here = &p;
		chain = (struct chaining){.children = cases[i].children,
		    .fail_tries = cases[i].fail_tries,
		    .code = cases[i].code};
		insert(&p, "parent", NULL);
		CHECK_AT(cases[i].line, RUN_ONCE(&p, KIND("parent", parent, 3, 0),
					    KIND("child", child, 3, 0)) == 1 + cases[i].chained);
		CHECK_AT(cases[i].line, seen->chained == cases[i].chained);
		CHECK_AT(cases[i].line, count_jobs(&p) == 0);
		place_remove(&p);
	}
}

static void chained_to_nobody(void)
{
	struct place p;
	struct job nobody = {.kind = "x"};
	struct chaining c = {.parent = &nobody, .children = 2};
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	nobody.account_id = p.account;
	/* there is no such job to finish: the inserted ones go with it */
	CHECK(db_transaction(p.db, chain_body, &c, &err) == -1 && err.code == ERR_CONFLICT);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

/* ---- wake-up ----------------------------------------------------------------------------- */

/* As a runner of live work that has no room. */
static int listen_for_wake_ups(struct place *p, int *seat)
{
	const struct uuid lease = uuid_new();
	char path[CONFIG_PATH_BYTES];
	int fd;

	*seat = board_sit(board_of(&p->c.cfg), &lease, 1u << JOB_LIVE);
	REQUIRE(*seat != -1);
	board_socket_path(&p->c.cfg, *seat, path);
	REQUIRE(unix_socket_bind(path, SOCK_DGRAM | SOCK_NONBLOCK, 0600, 0, &fd, NULL) == 0);
	return fd;
}

static bool is_woken(int fd)
{
	char message[8];

	return recv(fd, message, sizeof(message), 0) == 1 && message[0] == WAKE_TAG;
}

static int run_now_twice_body(struct db *db, void *arg, struct err *err)
{
	struct inserting *i = arg;

	if (job_run_now(db, i->jobs, err) == -1 || job_run_now(db, i->jobs, err) == -1)
		return -1;
	return i->is_rolled_back ? err_set(err, ERR_INVALID, "on purpose") : 0;
}

static void wakes_after_commit(void)
{
	struct place p;
	struct job jobs[2];
	struct inserting i = {jobs, 2, false};
	struct job more = {.kind = "x"};
	struct inserting again = {&more, 1, false};
	struct db *db;
	struct err err = ERR_INIT;
	int fd, seat;

	if (!place_make(&p))
		return;
	fd = listen_for_wake_ups(&p, &seat);
	db = db_new(&p.c.cfg); /* the hook wakes by the connection's configuration */
	for (int round = 0; round < 4; round++) {
		for (size_t k = 0; k < 2; k++)
			jobs[k] =
			    (struct job){.id = uuid_new(), .account_id = p.account, .kind = "x"};
		more = (struct job){.account_id = p.account, .kind = "x"};
		i.is_rolled_back = round % 2 == 1;
		CHECK(db_transaction(db, round < 2 ? insert_body : run_now_twice_body, &i, &err) ==
		      (i.is_rolled_back ? -1 : 0));
		err_clear(&err);
		CHECK(is_woken(fd) == !i.is_rolled_back);
		CHECK(!is_woken(fd)); /* once */
		/* who was woken and has not looked since is not woken again */
		CHECK(i.is_rolled_back ||
		      (db_transaction(db, insert_body, &again, &err) == 0 && !is_woken(fd)));
		CHECK(board_take_woken(board_of(&p.c.cfg), seat) == !i.is_rolled_back);
	}
	close(fd);
	db_free(db);
	place_remove(&p);
}

/* ---- counts ------------------------------------------------------------------------------ */

static void stats(void)
{
	struct place p;
	struct uuid other = uuid_new();
	struct job_stats st;
	struct err err = ERR_INIT;

	if (!place_make(&p))
		return;
	OK(job_stats(p.db, &p.account, &st, &err), &err);
	CHECK(st.ready == 0 && st.waiting == 0 && st.dead == 0 && st.oldest_due_us == 0);
	for (int i = 0; i < 6; i++)
		insert(&p, "x", NULL);
	RUN(p.db, "UPDATE jobs SET run_at = 5 ORDER BY id LIMIT 1");
	RUN(p.db, "UPDATE jobs SET run_at = ? ORDER BY id DESC LIMIT 2",
	    db_int(clock_now_us() + DAY_US));
	RUN(p.db, "UPDATE jobs SET state = 'dead' ORDER BY id DESC LIMIT 1");
	OK(job_stats(p.db, &p.account, &st, &err), &err);
	CHECK(st.ready == 4 && st.waiting == 1 && st.dead == 1 && st.oldest_due_us == 5);
	OK(job_stats(p.db, &other, &st, &err), &err);
	CHECK(st.ready == 0 && st.dead == 0 && st.oldest_due_us == 0);
	place_remove(&p);
}

/* ---- waits ------------------------------------------------------------------------------- */

static void retry_waits(void)
{
	static const struct {
		int line, attempt;
		int64_t first, most, after, least, greatest;
	} cases[] = {
	    {__LINE__, 1, 1000, 15000, -1, 750, 1000},
	    {__LINE__, 2, 1000, 15000, -1, 1500, 2000},
	    {__LINE__, 4, 1000, 15000, -1, 6000, 8000},
	    {__LINE__, 5, 1000, 15000, -1, 11250, 15000},
	    {__LINE__, 100000, 1000, 15000, -1, 11250, 15000},
	    {__LINE__, 1, 1, 1, -1, 1, 1},
	    {__LINE__, 1, 1000, 15000, 0, 750, 1000},
	    {__LINE__, 1, 1000, 15000, 7000, 7000, 7000},
	    {__LINE__, 1, 1000, 15000, 900, 900, 1000}, /* never sooner than the peer asked for */
	    {__LINE__, 1, 1000, 15000, 1000, 1000, 1000},
	    {__LINE__, 1, 1000, 15000, 60000, 15000, 15000},
	    {__LINE__, 9, 1000, 15000, 60000, 15000, 15000},
	    {__LINE__, 60, 3600000, INT64_C(86400000), -1, 64800000, 86400000},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t least = INT64_MAX, greatest = -1;

		for (int k = 0; k < 2000; k++) {
			int64_t ms = retry_wait_ms(
			    cases[i].attempt, cases[i].first, cases[i].most, cases[i].after);

			least = ms < least ? ms : least;
			greatest = ms > greatest ? ms : greatest;
		}
		CHECK_AT(cases[i].line, least >= cases[i].least && greatest <= cases[i].greatest);
		/* and it does jitter where it may */
		CHECK_AT(cases[i].line, (least < greatest) == (cases[i].least < cases[i].greatest));
	}
}

void suite_job(void)
{
	ADD_TESTS("job", {"endings", endings}, {"back-off", back_off}, {"rescheduled", rescheduled},
	    {"unknown kind", unknown_kind}, {"a lost lease stores nothing", lost_lease},
	    {"a kept lease", kept_lease}, {"chained", chained},
	    {"chained to nobody", chained_to_nobody}, {"wakes after commit", wakes_after_commit},
	    {"stats", stats}, {"waits between attempts", retry_waits});
}
