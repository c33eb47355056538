/* Runners: those that die, many jobs at once, several runners, one that stops. */
#include <dirent.h>

#include "job-check.h"
#include "job/clock-check.h"
#include "job/runner-internal.h"
#include "net/http-client.h"
#include "process/process.h"

void suite_job_runner(void);

/* ---- dead runners ------------------------------------------------------------------------ */

static int dying(struct job *j, struct err *err)
{
	(void)err;
	note(j);
	_exit(7);
}

static int waiting(struct job *j, struct err *err)
{
	(void)err;
	note(j);
	while (__atomic_load_n(&seen->stop, __ATOMIC_RELAXED) == 0)
		http_client_sleep(j->app->http, 2);
	return 0;
}

static int die_in_a_child(void *arg)
{
	struct place *p = arg;

	core_app_forked(&p->c);
	return RUN_ONCE(p, KIND("dying", dying, 3, 0), KIND("waiting", waiting, 3, 0));
}

#define POISON KIND("dying", dying, 3, 0), KIND("waiting", waiting, 3, 0)

/* Those that died so often with their runner wait, each for another time between these seconds. */
static bool are_parted(struct place *p, int deaths, int64_t least_s, int64_t most_s)
{
	int64_t now = clock_now_us();

	return NUMBER_OF(p->db,
		   "SELECT COUNT(DISTINCT run_at) = COUNT(*) AND COUNT(*) = SUM(lease_id IS NULL "
		   "AND"
		   " attempts = 0 AND run_at > ? AND run_at <= ?) FROM jobs WHERE deaths = ?",
		   db_int(now + (least_s - 5) * SECOND_US), db_int(now + most_s * SECOND_US),
		   db_int(deaths)) == 1;
}

/* The job that kills whoever runs it is given up after five deaths, which are no attempts; others
 * who died with it part from it and go on. */
static void poison(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	insert(&p, "dying", NULL);
	insert(&p, "waiting", NULL);
	insert(&p, "waiting", NULL);
	RUN(p.db, "UPDATE jobs SET run_at = IF(kind = 'dying', 2, 1)");
	for (int i = 0; i < 3; i++) { /* all of them, at once again */
		CHECK(core_wait(core_fork(die_in_a_child, &p)) == 7);
		CHECK(seen->last_attempts == 1);
		CHECK(NUMBER_OF(p.db,
			  "SELECT COUNT(*) FROM jobs WHERE lease_id IS NOT NULL AND deaths = ?",
			  db_int(i)) == 3);
	}
	CHECK(RUN_ONCE(&p, POISON) == 0 && are_parted(&p, 3, 10, 20));
	RUN(p.db, "UPDATE jobs SET run_at = 1 WHERE kind = 'dying'");
	CHECK(core_wait(core_fork(die_in_a_child, &p)) == 7);
	CHECK(RUN_ONCE(&p, POISON) == 0 && are_parted(&p, 4, 40, 80));
	RUN(p.db, "UPDATE jobs SET run_at = 1 WHERE kind = 'dying'");
	CHECK(core_wait(core_fork(die_in_a_child, &p)) == 7);
	seen->stop = 1;
	seen->runs = 0;
	CHECK(RUN_ONCE(&p, POISON) == 1 && seen->runs == 0); /* and we live */
	CHECK(TEXT_EQ(TEXT_OF(p.db, p.a,
			  "SELECT last_error FROM jobs WHERE kind = 'dying' AND state = 'dead'"),
	    "gave up: its runner died 5 times"));
	RUN(p.db, "UPDATE jobs SET run_at = 1");
	CHECK(RUN_ONCE(&p, POISON) == 2 && seen->runs == 2 && count_jobs(&p) == 1);
	place_remove(&p);
}

static int wait_in_a_child(void *arg)
{
	struct place *p = arg;

	core_app_forked(&p->c);
	return RUN_ONCE(p, KIND("waiting", waiting, 3, 0), KIND("plain", plain, 3, 0));
}

static void leases_of_dead_runners(void)
{
	struct place p;
	pid_t pid;

	if (!place_make(&p))
		return;
	insert(&p, "waiting", NULL);
	insert(&p, "waiting", NULL);
	pid = core_fork(wait_in_a_child, &p);
	CHECK(AWAIT(__atomic_load_n(&seen->runs, __ATOMIC_RELAXED) == 2));
	/* it lives: its jobs are its own */
	CHECK(RUN_ONCE(&p, KIND("waiting", plain, 3, 0)) == 0 && seen->runs == 2);
	kill(pid, SIGKILL);
	CHECK(core_wait(pid) == 128 + SIGKILL);
	CHECK(RUN_ONCE(&p, KIND("waiting", plain, 3, 0)) == 2);
	CHECK(seen->runs == 4 && seen->last_attempts == 1 && count_jobs(&p) == 0);
	place_remove(&p);
}

/* A lease of another host, whose files are not here, runs out. */
static void leases_run_out(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	insert(&p, "plain", NULL);
	RUN(p.db, "UPDATE jobs SET lease_id = ?, attempts = 1, run_at = ?",
	    db_blob(STR("another's lease!")), db_int(clock_now_us() + 60 * SECOND_US));
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0)) == 0);
	RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us()));
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0)) == 1 && seen->last_attempts == 2);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

/* The remains of a dead runner stay until its leases could be released. */
static void released_when_the_database_is_back(void)
{
	struct place p;
	struct config away;
	struct app lost;
	struct err err = ERR_INIT;
	struct runner *rn;
	pid_t pid;

	if (!place_make(&p))
		return;
	insert(&p, "dying", NULL);
	pid = core_fork(die_in_a_child, &p);
	CHECK(core_wait(pid) == 7);
	away = p.c.cfg;
	away.db_socket = "/nonexistent/mariadb.sock";
	lost = *p.app;
	lost.config = &away;
	lost.db = db_new(&away);
	rn = runner_new(&lost, (const struct job_kind[]){KIND("dying", plain, 3, 0)}, 1, &err);
	CHECK(runner_once(rn, &err) == -1);
	runner_free(rn);
	db_free(lost.db);
	CHECK(RUN_ONCE(&p, KIND("dying", plain, 3, 0)) == 1 && count_jobs(&p) == 0);
	place_remove(&p);
}

static bool has_run(void *arg)
{
	(void)arg;
	return seen->runs > 0;
}

static int remains(const struct config *cfg)
{
	char path[CONFIG_PATH_BYTES];
	struct dirent *e;
	int n = 0;
	DIR *d;

	config_run_path(cfg, "runners", path, sizeof(path));
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d != NULL)
		closedir(d);
	return n;
}

/* Leaves another job in its runner's hands. */
static int holding(struct job *j, struct err *err)
{
	(void)err;
	RUN(j->app->db,
	    "UPDATE jobs SET lease_id = ?, run_at = ?, attempts = 1 WHERE kind = 'other'",
	    db_uuid(&j->lease_id), db_int(clock_now_us() + 60 * SECOND_US));
	note(j);
	return 0;
}

/* A runner that ends as planned gives back what it has, which is neither death nor attempt, and
 * leaves nothing to find. */
static void ends_clean(void)
{
	static const struct job_kind kinds[] = {KIND("holding", holding, 3, 0)};
	struct place p;
	struct runner *rn;

	if (!place_make(&p))
		return;
	insert(&p, "other", NULL);
	RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us() + DAY_US));
	insert(&p, "holding", NULL);
	rn = runner(&p, kinds, 1);
	CHECK(runner_run(rn, has_run, NULL) == 0);
	CHECK(
	    NUMBER_OF(p.db,
		"SELECT COUNT(*) FROM jobs WHERE kind = 'other' AND lease_id IS NULL AND deaths = 0"
		" AND attempts = 0 AND run_at <= ?",
		db_int(clock_now_us())) == 1);
	runner_free(rn);
	CHECK(remains(&p.c.cfg) == 0);
	place_remove(&p);
}

/* ---- jobs taken along ----------------------------------------------------------------------- */

#define ALONG_MOST 3
#define IN(seconds) db_int(clock_now_us() + (seconds)*SECOND_US)

struct along {
	struct job jobs[ALONG_MOST];
	size_t n;
};

static int along_end(struct db *db, void *arg, struct err *err)
{
	struct along *l = arg;
	struct job *jobs[ALONG_MOST];

	for (size_t i = 0; i < l->n; i++)
		jobs[i] = &l->jobs[i];
	return job_finish_beside(db, jobs, l->n, err);
}

/* Takes others along; what looks for leases that nobody uses leaves it those. */
static int taking_along(struct job *j, struct err *err)
{
	struct along l;

	note(j);
	if (job_claim_beside(j, ALONG_MOST, 30 * SECOND_US, l.jobs, &l.n, err) == -1)
		return -1;
	CHECK(l.n == ALONG_MOST);
	for (size_t i = 0; i < l.n; i++)
		CHECK(l.jobs[i].args.n == 7 && memcmp(l.jobs[i].args.p, "\"along\"", 7) == 0);
	RUN(j->app->db, "UPDATE jobs SET created_at = created_at - 10000000");
	keep_release_forgotten(j->runner);
	CHECK(NUMBER_OF(j->app->db, "SELECT COUNT(*) FROM jobs WHERE lease_id = ?",
		  db_uuid(&j->lease_id)) == 1 + ALONG_MOST);
	return job_transaction(j, along_end, &l, err);
}

static void insert_for(struct place *p, const char *args, int64_t seconds, int tries)
{
	const struct uuid id = insert(p, "along", args);

	RUN(p->db, "UPDATE jobs SET run_at = ?, tries = ? WHERE id = ?", IN(seconds), db_int(tries),
	    db_uuid(&id));
}

/* Those that wait for it go along, and not who is due, who was tried before, or is due too late. */
static void taken_along(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	insert_for(&p, "\"late\"", 40, 0);
	insert_for(&p, "\"tried\"", 20, 1);
	for (size_t i = 0; i < ALONG_MOST; i++)
		insert_for(&p, "\"along\"", 20, 0);
	insert_for(&p, "\"due\"", -1, 0);
	RUN(p.db, "UPDATE jobs SET run_at = run_at - 1000000 WHERE args = '\"due\"'");
	CHECK(RUN_ONCE(&p, KIND("along", taking_along, 3, 0)) == 1 && seen->runs == 1);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE lease_id IS NULL") == 2);
	CHECK(count_jobs(&p) == 2);
	place_remove(&p);
}

/* ---- clocks -------------------------------------------------------------------------------- */

static void clocks_apart(void)
{
	static const struct {
		int line;
		int64_t before, db, after, apart;
		bool is_apart;
	} cases[] = {
	    {__LINE__, 100, 150, 200, 0, false}, {__LINE__, 100, 100, 100, 0, false},
	    {__LINE__, 100, 90, 200, -10, false}, {__LINE__, 100, 210, 200, 10, false},
	    {__LINE__, 0, 2000001, 1, 2000000, false}, {__LINE__, 0, 2000002, 1, 2000001, true},
	    {__LINE__, 2000001, 1, 3000000, -2000000, false},
	    {__LINE__, 2000001, 0, 3000000, -2000001, true},
	    {__LINE__, 0, 9000000, 10000000, 0, false}, /* a slow answer is no proof */
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t apart = clock_apart_us(cases[i].before, cases[i].db, cases[i].after);

		CHECK_AT(cases[i].line, apart == cases[i].apart);
		CHECK_AT(cases[i].line, clock_is_apart(apart) == cases[i].is_apart);
	}
}

static int no_work(struct app *app, struct err *err)
{
	(void)app;
	(void)err;
	CHECK(false);
	return 0;
}

struct apart {
	struct place *p;
	struct db *other;
	int rounds;
	bool is_right;
	int64_t until_us;
};

/* Goes through the loop a while with a clock that is wrong, then sets it right. */
static bool clock_is_set_right(void *arg)
{
	struct apart *w = arg;

	if (++w->rounds == 5) {
		CHECK(seen->runs == 0);
		SCRIPT(w->p->db, "SET SESSION timestamp = DEFAULT");
	}
	return seen->runs > 0 || clock_mono_us() > w->until_us;
}

/* The database's session has another time: nothing is claimed or released too early, jobs wait;
 * once the clocks agree the runner goes on by itself. */
static void nothing_runs_while_clocks_differ(void)
{
	static const struct job_kind kinds[] = {
	    KIND("plain", plain, 3, 0), PERIODIC("upkeep", 3600, no_work)};
	static const char *const wrong[] = {
	    "SET SESSION timestamp = UNIX_TIMESTAMP(SYSDATE()) + 100",
	    "SET SESSION timestamp = UNIX_TIMESTAMP(SYSDATE()) - 100"};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct place p;
		struct err err = ERR_INIT;

		if (!place_make(&p))
			return;
		struct apart w = {.p = &p, .until_us = clock_mono_us() + AWAIT_US};
		struct runner *rn;

		insert(&p, "plain", NULL);
		SCRIPT(p.db, wrong[i]);
		CHECK(run_once(&p, kinds, COUNT(kinds)) == 0 && seen->runs == 0);
		CHECK(clock_check(p.db, &err) == -1 && err.code == ERR_CONFLICT);
		CHECK(strstr(err.msg, i == 0 ? " slow" : " fast") != NULL);
		rn = runner(&p, kinds, 1);
		CHECK(runner_run(rn, clock_is_set_right, &w) == 0);
		CHECK(seen->runs == 1 && w.rounds > 5);
		runner_free(rn);
		err_clear(&err);
		OK(clock_check(p.db, &err), &err);
		place_remove(&p);
	}
}

/* What is due is the host's time, how long it is held the database's: a runner whose clock is a
 * little fast holds its jobs for no longer. */
static int told_lease(struct job *j, struct err *err)
{
	(void)err;
	seen->runs++;
	CHECK(NUMBER_OF(j->app->db,
		  "SELECT ABS(run_at - UNIX_TIMESTAMP(NOW(6)) * 1000000 - ?) < 1000 FROM jobs",
		  db_int(j->lease_us)) == 1);
	return 0;
}

static void leases_are_of_the_databases_time(void)
{
	struct place p;

	if (!place_make(&p))
		return;
	SCRIPT(p.db, "SET SESSION timestamp = UNIX_TIMESTAMP(SYSDATE(6)) - 1.5");
	insert(&p, "plain", NULL);
	CHECK(RUN_ONCE(&p, KIND("plain", told_lease, 3, 0)) == 1 && seen->runs == 1);
	SCRIPT(p.db, "SET SESSION timestamp = DEFAULT");
	place_remove(&p);
}

/* ---- leases of kinds ----------------------------------------------------------------------- */

static struct {
	uint64_t trips_before, claim_trips;
	int runs;
} leasing;

/* For how many seconds from now the job is held, to be checked within a slow machine's reach. */
static bool is_held_for(struct job *j, int64_t wanted_s)
{
	int64_t held_us =
	    NUMBER_OF(j->app->db, "SELECT run_at FROM jobs WHERE id = ?", db_uuid(&j->id)) -
	    clock_now_us();

	return held_us <= wanted_s * SECOND_US && held_us > (wanted_s - 20) * SECOND_US;
}

static int64_t wanted_s(const struct job *j)
{
	return strcmp(j->kind, "short") == 0 ? 60 : strcmp(j->kind, "long") == 0 ? 300 : 120;
}

static int leased(struct job *j, struct err *err)
{
	if (leasing.runs++ == 0)
		leasing.claim_trips = db_round_trips(j->app->db) - leasing.trips_before;
	CHECK(j->lease_us == wanted_s(j) * SECOND_US && is_held_for(j, wanted_s(j)));
	OK(job_keep(j->app->db, j, err), err);
	CHECK(is_held_for(j, wanted_s(j)));
	return 0;
}

/* A claim holds jobs of several kinds, each for its own kind's lease: a statement a length. */
static void leases_of_kinds(void)
{
	static const struct job_kind kinds[] = {KIND("short", leased, 3, 60),
	    KIND("plain", leased, 3, 0), KIND("long", leased, 3, 300)};
	struct place p;

	if (!place_make(&p))
		return;
	p.c.cfg.job_lease_s = 120;
	for (int round = 0; round < 2; round++) { /* the first prepares the statements */
		for (int i = 0; i < 6; i++)
			insert(&p, kinds[i % 3].name, NULL);
		leasing.runs = 0;
		leasing.trips_before = db_round_trips(p.db);
		CHECK(run_once(&p, kinds, COUNT(kinds)) == 6 && leasing.runs == 6);
	}
	/* breakers, lanes; the lane's due jobs, a claim for each length of lease, commit */
	CHECK(leasing.claim_trips == 2 + 3 + 2);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

struct inserting_next {
	struct job *parent, *next;
	size_t n;
};

static int insert_next_body(struct db *db, void *arg, struct err *err)
{
	struct inserting_next *i = arg;

	if (job_insert_next(db, i->parent, i->next, i->n, err) == -1)
		return -1;
	return job_finish(db, i->parent, err);
}

static int before_others(struct job *j, struct err *err)
{
	struct job next[] = {{.account_id = j->account_id, .kind = "short"},
	    {.account_id = j->account_id, .kind = "plain"},
	    {.account_id = j->account_id, .kind = "long"}};
	struct inserting_next i = {j, next, COUNT(next)};

	return db_transaction(j->app->db, insert_next_body, &i, err);
}

/* So are jobs that are claimed as they are inserted. */
static void leases_of_chained_kinds(void)
{
	static const struct job_kind kinds[] = {KIND("first", before_others, 3, 30),
	    KIND("short", leased, 3, 60), KIND("plain", leased, 3, 0),
	    KIND("long", leased, 3, 300)};
	struct place p;

	if (!place_make(&p))
		return;
	p.c.cfg.job_lease_s = 120;
	leasing.runs = 0;
	insert(&p, "first", NULL);
	CHECK(run_once(&p, kinds, COUNT(kinds)) == 4 && leasing.runs == 3);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

/* ---- loading ------------------------------------------------------------------------------- */

static struct {
	int calls, jobs, mixed, unloaded, fails;
} loading;

static int load_together(struct app *app, struct job *const *jobs, size_t n, struct err *err)
{
	CHECK(!db_in_transaction(app->db));
	loading.calls++;
	loading.jobs += (int)n;
	for (size_t i = 0; i < n; i++) {
		loading.mixed += !uuid_eq(jobs[i]->account_id, jobs[0]->account_id) ||
				 strcmp(jobs[i]->kind, "loaded") != 0;
		jobs[i]->loaded = arena_strdup(jobs[i]->a, uuid_dup(jobs[i]->a, jobs[i]->id));
	}
	return loading.fails ? err_set(err, ERR_INTERNAL, "on purpose") : 0;
}

static int loaded(struct job *j, struct err *err)
{
	(void)err;
	if (j->loaded == NULL)
		loading.unloaded++;
	else
		CHECK(TEXT_EQ(j->loaded, uuid_dup(j->a, j->id)));
	return 0;
}

static int first_of_loaded(struct job *j, struct err *err)
{
	struct job next[8];

	for (size_t i = 0; i < COUNT(next); i++)
		next[i] = (struct job){.account_id = j->account_id, .kind = "loaded"};
	struct inserting_next n = {j, next, COUNT(next)};
	return job_transaction(j, insert_next_body, &n, err);
}

/* Jobs of a kind and account that are claimed together, or are inserted claimed, are loaded at
 * once; when that fails each runs unloaded. */
static void loaded_together(void)
{
	static const struct job_kind kinds[] = {
	    {.name = "loaded", .run = loaded, .load = load_together, .max_attempts = 3},
	    {.name = "first", .run = first_of_loaded, .max_attempts = 3},
	    {.name = "plain", .run = plain, .max_attempts = 3}};
	struct place p;

	if (!place_make(&p))
		return;
	for (int round = 0; round < 2; round++) {
		struct uuid account = p.account;

		memset(&loading, 0, sizeof(loading));
		loading.fails = round == 1;
		for (int i = 0; i < 10; i++) {
			p.account = i % 5 == 4 ? uuid_new() : account;
			insert(&p, i % 5 == 3 ? "plain" : "loaded", NULL);
		}
		p.account = account;
		CHECK(run_once(&p, kinds, COUNT(kinds)) == 10);
		CHECK(loading.calls == 3 && loading.jobs == 8 && loading.mixed == 0);
		CHECK(loading.unloaded == loading.fails * 8 && count_jobs(&p) == 0);
		memset(&loading, 0, sizeof(loading));
		loading.fails = round == 1;
		insert(&p, "first", NULL);
		CHECK(run_once(&p, kinds, COUNT(kinds)) == 9);
		CHECK(loading.calls == 1 && loading.jobs == 8);
		CHECK(loading.unloaded == loading.fails * 8 && count_jobs(&p) == 0);
	}
	place_remove(&p);
}

/* ---- many at once ------------------------------------------------------------------------ */

static int sleeping(struct job *j, struct err *err)
{
	(void)err;
	seen->runs++;
	if (++seen->inside > seen->most_inside)
		seen->most_inside = seen->inside;
	http_client_sleep(j->app->http, 40);
	seen->inside--;
	return 0;
}

static void sleep_together(void)
{
	static const struct {
		int line, jobs, concurrency, most_inside;
	} cases[] = {{__LINE__, 50, 64, 50}, {__LINE__, 20, 4, 4}, {__LINE__, 3, 1, 1}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct place p;

		if (!place_make(&p))
			return;
		p.c.cfg.job_concurrency = cases[i].concurrency;
		for (int k = 0; k < cases[i].jobs; k++)
			insert(&p, "sleeping", NULL);
		CHECK_AT(
		    cases[i].line, RUN_ONCE(&p, KIND("sleeping", sleeping, 3, 0)) == cases[i].jobs);
		CHECK_AT(cases[i].line, seen->runs == cases[i].jobs);
		CHECK_AT(cases[i].line, seen->most_inside == cases[i].most_inside);
		CHECK_AT(cases[i].line, count_jobs(&p) == 0);
		place_remove(&p);
	}
}

static bool all_ran(void *arg)
{
	return seen->runs >= *(int *)arg && seen->inside == 0;
}

/* With more due than it has room for, a runner goes on as soon as there is room, not at its next
 * look at the table. */
static void goes_on_when_there_is_room(void)
{
	struct place p;
	struct runner *rn;
	int jobs = 60;
	int64_t started;

	if (!place_make(&p))
		return;
	p.c.cfg.job_concurrency = 4;
	for (int k = 0; k < jobs; k++)
		insert(&p, "sleeping", NULL);
	rn = runner(&p, (const struct job_kind[]){KIND("sleeping", sleeping, 3, 0)}, 1);
	started = clock_mono_us();
	CHECK(runner_run(rn, all_ran, &jobs) == 0);
	/* fifteen rounds of 40 ms; waiting for the next look would take half a second each */
	CHECK(clock_mono_us() - started < 5 * SECOND_US);
	CHECK(seen->most_inside == 4);
	runner_free(rn);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

static int counting(struct job *j, struct err *err)
{
	int64_t which;

	(void)err;
	if (str_to_i64(j->args, 0, 255, &which))
		__atomic_add_fetch(&seen->runs_of[which], 1, __ATOMIC_RELAXED);
	http_client_sleep(j->app->http, 1);
	return 0;
}

static int count_in_a_child(void *arg)
{
	struct place *p = arg;

	core_app_forked(&p->c);
	return RUN_ONCE(p, KIND("counting", counting, 3, 0)) >= 0 ? 0 : 1;
}

static void several_runners(void)
{
	struct place p;
	pid_t pids[4];
	int wrong = 0;

	if (!place_make(&p))
		return;
	for (int i = 0; i < 256; i++)
		insert(&p, "counting", arena_printf(p.a, "%d", i));
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = core_fork(count_in_a_child, &p);
	for (size_t i = 0; i < COUNT(pids); i++)
		CHECK(core_wait(pids[i]) == 0);
	for (int i = 0; i < 256; i++)
		wrong += seen->runs_of[i] != 1;
	CHECK(wrong == 0);
	CHECK(count_jobs(&p) == 0);
	place_remove(&p);
}

/* ---- stopping ---------------------------------------------------------------------------- */

static bool is_stopping(void *arg)
{
	(void)arg;
	return process_is_stopping();
}

static int run_in_a_child(void *arg)
{
	struct place *p = arg;
	struct runner *rn;
	struct err err = ERR_INIT;

	core_app_forked(&p->c);
	process_stop_signals(-1);
	rn = runner(p,
	    (const struct job_kind[]){KIND("waiting", waiting, 3, 0), KIND("plain", plain, 3, 0)},
	    2);
	if (runner_listen(rn, &err) == -1)
		return 1;
	runner_run(rn, is_stopping, NULL);
	runner_free(rn);
	return 0;
}

/* One that is told to stop ends what it has begun, while another does what comes. */
static void stops(void)
{
	struct place p;
	pid_t first, second;
	struct db *db;

	if (!place_make(&p))
		return;
	db = p.app->db;
	p.app->db = db_new(&p.c.cfg);
	insert(&p, "waiting", NULL);
	first = core_fork(run_in_a_child, &p);
	CHECK(AWAIT(__atomic_load_n(&seen->runs, __ATOMIC_RELAXED) == 1));
	kill(first, SIGTERM);
	second = core_fork(run_in_a_child, &p);
	insert(&p, "plain", NULL);
	CHECK(AWAIT(count_jobs(&p) == 1));
	CHECK(waitpid(first, NULL, WNOHANG) == 0);
	__atomic_store_n(&seen->stop, 1, __ATOMIC_RELAXED);
	CHECK(core_wait(first) == 0);
	CHECK(count_jobs(&p) == 0);
	kill(second, SIGTERM);
	CHECK(core_wait(second) == 0);
	CHECK(__atomic_load_n(&seen->runs, __ATOMIC_RELAXED) == 2);
	db_free(p.app->db);
	p.app->db = db;
	place_remove(&p);
}

void suite_job_runner(void)
{
	ADD_TESTS("job_runner", {"poison", poison},
	    {"leases of dead runners", leases_of_dead_runners}, {"leases run out", leases_run_out},
	    {"released when the database is back", released_when_the_database_is_back},
	    {"ends clean", ends_clean}, {"taken along", taken_along},
	    {"clocks apart", clocks_apart},
	    {"nothing runs while clocks differ", nothing_runs_while_clocks_differ},
	    {"leases are of the database's time", leases_are_of_the_databases_time},
	    {"leases of kinds", leases_of_kinds},
	    {"leases of chained kinds", leases_of_chained_kinds},
	    {"loaded together", loaded_together}, {"sleep together", sleep_together},
	    {"goes on when there is room", goes_on_when_there_is_room},
	    {"several runners", several_runners}, {"stops", stops});
}
