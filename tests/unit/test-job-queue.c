/* The queue as people see it: lanes and their depth, windows as runners tell them, dead jobs and
 * how they live again, pauses. */
#include "job-check.h"
#include "job/queue.h"

void suite_job_queue(void);

static struct uuid insert_in(
    struct place *p, const struct uuid *account, enum job_class class, const struct uuid *to)
{
	struct job job = {
	    .account_id = *account, .class = class, .target_id = *to, .kind = "plain"};
	struct inserting i = {&job, 1, false};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, insert_body, &i, &err), &err);
	return job.id;
}

/* The lane of an account's queue as it is listed; NULL where there is none. */
static struct queue_lane *listed(
    struct place *p, const struct uuid *account, enum job_class class, const struct uuid *to)
{
	struct queue_lane *v;
	struct err err = ERR_INIT;
	size_t n;

	if (!OK(queue_lanes(p->app, p->a, account, &v, &n, &err), &err))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (v[i].key.class == class && uuid_eq(v[i].key.target_id, *to))
			return &v[i];
	return NULL;
}

/* ---- ids ----------------------------------------------------------------------------------- */

static void ids(void)
{
	struct arena *a = arena_new();
	struct lane_key key = {.target_id = uuid_new(), .class = JOB_BULK}, back = {.class = 0};
	const char *id = queue_lane_id(a, &key);
	static const char *const none[] = {"", "x", "AAAA", "AwAAAAAAAAAAAAAAAAAAAAAA",
	    "_wAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA=", "!AAAAAAAAAAAAAAAAAAAAAA"};

	CHECK(strlen(id) == 23 && queue_lane_parse(str_from(id), &back));
	CHECK(back.class == JOB_BULK && uuid_eq(back.target_id, key.target_id));
	CHECK(TEXT_EQ(queue_lane_id(a, &back), id));
	for (size_t i = 0; i < COUNT(none); i++)
		CHECK_AT(i, !queue_lane_parse(str_from(none[i]), &back));
	arena_free(a);
}

/* ---- depth --------------------------------------------------------------------------------- */

static void depth(void)
{
	struct place p;
	struct uuid own = {{0}}, to = uuid_new(), other = uuid_new(), leased;
	struct queue_lane *l;
	int64_t now = clock_now_us();

	if (!place_make(&p))
		return;
	CHECK(listed(&p, &p.account, JOB_LIVE, &own) == NULL);
	for (int i = 0; i < 5; i++)
		insert_in(&p, &p.account, JOB_LIVE, &to);
	insert_in(&p, &p.account, JOB_BULK, &own);
	insert_in(&p, &other, JOB_LIVE, &to);
	RUN(p.db,
	    "UPDATE jobs SET run_at = ? WHERE account_id = ? AND class = 0 ORDER BY id LIMIT 1",
	    db_int(now - 7 * SECOND_US), db_uuid(&p.account));
	leased = insert_in(&p, &p.account, JOB_LIVE, &to);
	RUN(p.db, "UPDATE jobs SET lease_id = ?, run_at = ? WHERE id = ?", db_uuid(&other),
	    db_int(now + DAY_US), db_uuid(&leased));
	l = listed(&p, &p.account, JOB_LIVE, &to);
	REQUIRE(l != NULL);
	CHECK(l->depth == 6 && l->depth_is_exact && l->running == 1 && l->dead == 0);
	CHECK(l->next_us == now - 7 * SECOND_US);
	CHECK(l->window == LANE_WINDOW_FIRST && l->breaker.opened_us == 0);
	l = listed(&p, &p.account, JOB_BULK, &own);
	REQUIRE(l != NULL);
	CHECK(l->depth == 1 && l->running == 0 && l->window >= 1);
	CHECK(listed(&p, &p.account, JOB_BULK, &to) == NULL);
	l = listed(&p, &other, JOB_LIVE, &to);
	REQUIRE(l != NULL);
	CHECK(l->depth == 1 && l->running == 0);
	/* one that runs alone waits for nothing */
	RUN(p.db, "DELETE FROM jobs WHERE id <> ?", db_uuid(&leased));
	l = listed(&p, &p.account, JOB_LIVE, &to);
	REQUIRE(l != NULL);
	CHECK(l->depth == 1 && l->running == 1 && l->next_us == 0);
	place_remove(&p);
}

/* ---- windows ------------------------------------------------------------------------------- */

static void tells_what_changed(void)
{
	static const size_t slots[JOB_CLASSES] = {
	    [JOB_LIVE] = 16, [JOB_BULK] = 2, [JOB_PERIODIC] = 1};
	struct lanes *ls = lanes_new(slots, 32);
	struct lane_key key = {
	    .account_id = uuid_new(), .target_id = uuid_new(), .class = JOB_LIVE};
	struct lane *l = lane_get(ls, &key), *own;
	size_t window;

	CHECK(lane_tell(l, 1000, 900, &window) && window == 4);
	CHECK(!lane_tell(l, 1001, 901, &window));
	CHECK(lane_tell(l, 2000, 1900, &window) && window == 4); /* again, lest it be forgotten */
	for (int i = 0; i < 30; i++) {
		lane_taken(l);
		lane_begin(l);
		lane_ended(l, JOB_PEER_OK);
	}
	CHECK(lane_tell(l, 2001, 1901, &window) && window == 16); /* no more than there are slots */
	lane_open(l, 5000);
	CHECK(lane_tell(l, 2002, 1902, &window) && window == 1);
	key.target_id = (struct uuid){{0}};
	key.class = JOB_BULK;
	own = lane_get(ls, &key);
	CHECK(lane_tell(own, 2002, 1902, &window) && window == 2);
	lanes_free(ls);
}

/* Failures that opened a lane are over when it is closed: it opens again after as many. */
static void closing_forgets_failures(void)
{
	static const size_t slots[JOB_CLASSES] = {16, 2, 1};
	struct lanes *ls = lanes_new(slots, 32);
	struct lane_key key = {
	    .account_id = uuid_new(), .target_id = uuid_new(), .class = JOB_LIVE};
	struct lane *l = lane_get(ls, &key);

	for (int i = 0; i < BREAKER_FAILURES + 2; i++) {
		lane_taken(l);
		lane_begin(l);
		lane_ended(l, JOB_PEER_DEAD);
	}
	lane_close(l); /* as each look says of one that is well */
	CHECK(lane_failures(l) == BREAKER_FAILURES + 2);
	lane_open(l, 5000);
	lane_close(l);
	CHECK(lane_failures(l) == 0);
	lanes_free(ls);
}

struct watching {
	struct place *p;
	struct uuid to;
	int64_t told;
};

static bool is_told(void *arg)
{
	struct watching *w = arg;

	w->told = NUMBER_OF(w->p->db,
	    "SELECT COALESCE(SUM(slots), 0) FROM job_windows WHERE account_id = ? AND target_id = "
	    "?",
	    db_uuid(&w->p->account), db_uuid(&w->to));
	return w->told > 0;
}

/* A runner tells of its lanes while it runs, several add up, and none is counted once it is gone.
 */
static void runners_tell(void)
{
	struct place p;
	struct watching w = {.to = uuid_new()};
	struct uuid elsewhere = uuid_new();
	struct queue_lane *l;
	struct runner *rn;

	if (!place_make(&p))
		return;
	w.p = &p;
	insert_in(&p, &p.account, JOB_LIVE, &w.to);
	RUN(p.db, "UPDATE jobs SET run_at = ?", db_int(clock_now_us() + DAY_US));
	RUN(p.db,
	    "INSERT INTO job_windows (account_id, class, target_id, runner_id, slots, at)"
	    " VALUES (?, 0, ?, ?, 9, ?)",
	    db_uuid(&p.account), db_uuid(&elsewhere), db_uuid(&elsewhere), db_int(clock_now_us()));
	rn = runner(&p, (const struct job_kind[]){KIND("plain", plain, 3, 0)}, 1);
	CHECK(runner_run(rn, is_told, &w) == 0 && w.told == LANE_WINDOW_FIRST);
	runner_free(rn);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM job_windows WHERE account_id = ?",
		  db_uuid(&p.account)) == 1);
	RUN(p.db, "UPDATE job_windows SET target_id = ? WHERE account_id = ?", db_uuid(&w.to),
	    db_uuid(&p.account));
	RUN(p.db,
	    "INSERT INTO job_windows (account_id, class, target_id, runner_id, slots, at)"
	    " VALUES (?, 0, ?, ?, 3, ?)",
	    db_uuid(&p.account), db_uuid(&w.to), db_uuid(&w.to), db_int(clock_now_us()));
	l = listed(&p, &p.account, JOB_LIVE, &w.to);
	REQUIRE(l != NULL);
	CHECK(l->window == 12);
	RUN(p.db, "UPDATE job_windows SET at = 1");
	l = listed(&p, &p.account, JOB_LIVE, &w.to);
	REQUIRE(l != NULL);
	CHECK(l->window == LANE_WINDOW_FIRST);
	RUN(p.db, "DELETE FROM job_windows");
	place_remove(&p);
}

/* ---- dead jobs ----------------------------------------------------------------------------- */

static int failing(struct job *j, struct err *err)
{
	note(j);
	return err_set(err, ERR_UNAVAILABLE, "no luck today");
}

struct reviving {
	struct app *app;
	struct lane_key key;
	struct uuid account_id, id;
	int found;
	int64_t n;
};

static int revive_lane_body(struct db *db, void *arg, struct err *err)
{
	struct reviving *r = arg;

	(void)db;
	return queue_revive_lane(r->app, &r->key, &r->n, err);
}

static int revive_body(struct db *db, void *arg, struct err *err)
{
	struct reviving *r = arg;

	(void)db;
	r->found = queue_revive(r->app, &r->account_id, &r->id, err);
	return r->found == -1 ? -1 : 0;
}

static int revive(struct place *p, const struct uuid *account, const struct uuid *id)
{
	struct reviving r = {.app = p->app, .account_id = *account, .id = *id, .found = -1};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, revive_body, &r, &err), &err);
	return r.found;
}

static json_t *dead_of(struct place *p, const struct uuid *account, const char *lane)
{
	struct queue_dead_filter f = {*account, str_from(lane)};
	struct slice s = {.limit = 10, .total = -1};
	struct err err = ERR_INIT;

	OK(queue_dead(p->app, p->a, &f, &s, &err), &err);
	return s.rows;
}

static void dead_and_revived(void)
{
	struct place p;
	struct uuid to = uuid_new(), own = {{0}}, other = uuid_new(), id;
	struct lane_key key;
	struct err err = ERR_INIT;
	json_t *rows;
	int64_t n, before = clock_now_us();

	if (!place_make(&p))
		return;
	key = (struct lane_key){p.account, to, JOB_LIVE};
	for (int i = 0; i < 3; i++)
		insert_in(&p, &p.account, JOB_LIVE, &to);
	id = insert_in(&p, &p.account, JOB_BULK, &own);
	CHECK(RUN_ONCE(&p, KIND("plain", failing, 1, 0)) == 4);
	CHECK(queue_dead_count(p.db, &p.account, &n, &err) == 0 && n == 4);
	CHECK(queue_dead_count(p.db, &other, &n, &err) == 0 && n == 0);
	rows = dead_of(&p, &p.account, NULL);
	REQUIRE(json_array_size(rows) == 4);
	rows = dead_of(&p, &p.account, queue_lane_id(p.a, &key));
	REQUIRE(json_array_size(rows) == 3);
	rows = json_array_get(rows, 0);
	CHECK(TEXT_EQ(json_str(rows, "kind"), "plain") && json_int(rows, "attempts") == 1);
	CHECK(TEXT_EQ(json_str(rows, "lastError"), "no luck today"));
	CHECK(json_is_null(json_object_get(rows, "subjectId")));
	REQUIRE(clock_parse_iso(str_from(json_str(rows, "since")), &n));
	CHECK(n >= before && n <= clock_now_us());
	CHECK(json_array_size(dead_of(&p, &p.account, "nothing")) == 0);
	CHECK(json_array_size(dead_of(&p, &other, NULL)) == 0);
	CHECK(listed(&p, &p.account, JOB_LIVE, &to)->dead == 3);
	CHECK(listed(&p, &p.account, JOB_LIVE, &to)->depth == 0);
	/* another account's, one that is not there, one that lives */
	CHECK(revive(&p, &other, &id) == 0 && revive(&p, &p.account, &other) == 0);
	CHECK(revive(&p, &p.account, &id) == 1 && revive(&p, &p.account, &id) == 0);
	CHECK(NUMBER_OF(p.db,
		  "SELECT COUNT(*) FROM jobs WHERE state = 'ready' AND attempts = 0 AND tries = 0"
		  " AND last_error IS NULL AND lease_id IS NULL AND run_at <= ?",
		  db_int(clock_now_us())) == 1);
	struct reviving all = {.app = p.app, .key = key};
	OK(db_transaction(p.db, revive_lane_body, &all, &err), &err);
	CHECK(all.n == 3);
	CHECK(queue_dead_count(p.db, &p.account, &n, &err) == 0 && n == 0);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 1, 0)) == 4 && count_jobs(&p) == 0);
	place_remove(&p);
}

/* ---- pauses and tries ---------------------------------------------------------------------- */

struct doing {
	int (*act)(struct db *db, const struct lane_key *key, struct err *err);
	const struct lane_key *key;
};

static int do_body(struct db *db, void *arg, struct err *err)
{
	struct doing *d = arg;

	return d->act(db, d->key, err);
}

static void act(struct place *p, const struct lane_key *key,
    int (*what)(struct db *db, const struct lane_key *key, struct err *err))
{
	struct doing d = {what, key};
	struct err err = ERR_INIT;

	OK(db_transaction(p->db, do_body, &d, &err), &err);
}

/* A target pauses as a whole, an account's own lanes each for itself. */
static void pauses(void)
{
	struct place p;
	struct uuid to = uuid_new(), own = {{0}};
	struct lane_key target, bulk, live;

	if (!place_make(&p))
		return;
	target = (struct lane_key){p.account, to, JOB_LIVE};
	bulk = (struct lane_key){p.account, own, JOB_BULK};
	live = (struct lane_key){p.account, own, JOB_LIVE};
	insert_in(&p, &p.account, JOB_LIVE, &to);
	insert_in(&p, &p.account, JOB_BULK, &to);
	insert_in(&p, &p.account, JOB_LIVE, &own);
	insert_in(&p, &p.account, JOB_BULK, &own);
	act(&p, &target, queue_pause);
	act(&p, &bulk, queue_pause);
	CHECK(breaker_is_paused(&listed(&p, &p.account, JOB_BULK, &to)->breaker, JOB_BULK));
	CHECK(breaker_is_paused(&listed(&p, &p.account, JOB_BULK, &own)->breaker, JOB_BULK));
	CHECK(!breaker_is_paused(&listed(&p, &p.account, JOB_LIVE, &own)->breaker, JOB_LIVE));
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 1, 0)) == 1 && count_jobs(&p) == 3);
	act(&p, &live, queue_pause);
	act(&p, &bulk, queue_resume);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 1, 0)) == 1 && count_jobs(&p) == 2);
	act(&p, &live, queue_resume);
	act(&p, &target, queue_resume);
	act(&p, &target, queue_resume);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 1, 0)) == 2 && count_jobs(&p) == 0);
	/* a lane that never had a job shows that it is paused */
	target.target_id = uuid_new();
	CHECK(listed(&p, &p.account, JOB_LIVE, &target.target_id) == NULL);
	act(&p, &target, queue_pause);
	CHECK(listed(&p, &p.account, JOB_LIVE, &target.target_id) != NULL);
	RUN(p.db, "DELETE FROM job_breakers");
	place_remove(&p);
}

static int told_of_opening;

static int on_opened(
    struct app *app, struct arena *a, const struct lane_key *key, const char *why, struct err *err)
{
	(void)a;
	(void)key;
	(void)err;
	CHECK(db_in_transaction(app->db) && TEXT_EQ(why, "nobody there"));
	told_of_opening++;
	return 0;
}

static int retry_later_body(struct db *db, void *arg, struct err *err)
{
	return job_retry(db, arg, clock_now_us() + DAY_US, true, err);
}

static int unreachable(struct job *j, struct err *err)
{
	note(j);
	job_note_peer(j, JOB_PEER_DEAD, "nobody there");
	return job_transaction(j, retry_later_body, j, err);
}

/* A try now closes the breaker, and what waits for tomorrow is due; who wants to know of an opening
 * is told once. */
static void tries(void)
{
	static breaker_opened_fn *const told[] = {on_opened, NULL};
	struct place p;
	struct lane_key key;

	if (!place_make(&p))
		return;
	p.app->hooks.breaker_opened = told;
	told_of_opening = 0;
	key = (struct lane_key){p.account, uuid_new(), JOB_LIVE};
	for (int i = 0; i < 8; i++)
		insert_in(&p, &p.account, JOB_LIVE, &key.target_id);
	RUN_ONCE(&p, KIND("plain", unreachable, 9, 0));
	CHECK(told_of_opening == 1);
	CHECK(listed(&p, &p.account, JOB_LIVE, &key.target_id)->breaker.opened_us != 0);
	CHECK(listed(&p, &p.account, JOB_LIVE, &key.target_id)->window == 1);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 9, 0)) == 0);
	act(&p, &key, queue_pause);
	act(&p, &key, queue_try);
	CHECK(listed(&p, &p.account, JOB_LIVE, &key.target_id)->breaker.opened_us == 0);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 9, 0)) == 8 && count_jobs(&p) == 0);
	RUN(p.db, "DELETE FROM job_breakers");
	place_remove(&p);
}

void suite_job_queue(void)
{
	ADD_TESTS("job_queue", {"ids", ids}, {"depth", depth},
	    {"tells what changed", tells_what_changed},
	    {"closing forgets failures", closing_forgets_failures}, {"runners tell", runners_tell},
	    {"dead and revived", dead_and_revived}, {"pauses", pauses}, {"tries", tries});
}
