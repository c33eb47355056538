/* Jobs that are handed to a runner of the host in the commit that makes them, and the board by
 * which it is found. */
#include <sys/socket.h>
#include <unistd.h>

#include "job-check.h"
#include "job/handover.h"
#include "job/runner-internal.h"
#include "net/http-client.h"
#include "process/unix-socket.h"

void suite_job_handover(void);

/* ---- the board ---------------------------------------------------------------------------- */

static int bump_generation(void *arg)
{
	struct config cfg = {
	    .state_dir = arena_strdup(arena_new(), ((struct config *)arg)->state_dir)};

	board_generation_bump(board_of(&cfg));
	return 0;
}

static void seats(void)
{
	struct arena *a = arena_new();
	struct config cfg = {.state_dir = core_mkdir(a)};
	struct board *b = board_of(&cfg);
	struct uuid leases[80], got;
	int live, bulk;
	uint64_t before;

	REQUIRE(b != NULL && board_of(&cfg) == b);
	for (int i = 0; i < 80; i++)
		leases[i] = uuid_new();
	CHECK(board_rouse(b, JOB_LIVE) == -1); /* nobody */
	live = board_sit(b, &leases[0], 1u << JOB_LIVE);
	bulk = board_sit(b, &leases[1], 1u << JOB_BULK);
	CHECK(live != -1 && bulk != -1 && live != bulk);
	CHECK(board_take_room(b, JOB_LIVE, 1, &got) == -1); /* it has said nothing of room */
	board_set_room(b, bulk, 8, 8);
	CHECK(board_take_room(b, JOB_LIVE, 1, &got) == -1);
	board_set_room(b, live, 3, 8);
	CHECK(board_take_room(b, JOB_LIVE, 4, &got) == -1);
	CHECK(board_take_room(b, JOB_LIVE, 2, &got) == live && uuid_eq(got, leases[0]));
	CHECK(board_take_room(b, JOB_LIVE, 2, &got) == -1);
	CHECK(board_take_room(b, JOB_LIVE, 1, &got) == live);
	/* each is woken once until it looks, without room too */
	CHECK(board_rouse(b, JOB_LIVE) == live && board_rouse(b, JOB_LIVE) == -1);
	CHECK(board_rouse(b, JOB_BULK) == bulk);
	CHECK(board_take_woken(b, live) && !board_take_woken(b, live));
	CHECK(board_rouse(b, JOB_LIVE) == live);
	/* of a dead one */
	board_forget(b, &leases[0]);
	CHECK(board_rouse(b, JOB_LIVE) == -1);
	CHECK(board_take_woken(b, bulk));
	board_clear(b, bulk, &leases[0]); /* another's by now */
	CHECK(board_rouse(b, JOB_BULK) == bulk);
	/* other programs see that something has changed */
	before = board_generation(b);
	CHECK(core_wait(core_fork(bump_generation, &cfg)) == 0);
	CHECK(board_generation(b) != before);
	/* no more than there are */
	for (int i = 2; i < 80; i++)
		board_sit(b, &leases[i], 1u << JOB_LIVE);
	CHECK(board_sit(b, &leases[0], 1u << JOB_LIVE) == -1);
	core_rmdir(cfg.state_dir);
	arena_free(a);
}

/* Of those with room, who was not woken yet. */
static void rouses_who_has_room(void)
{
	struct arena *a = arena_new();
	struct config cfg = {.state_dir = core_mkdir(a)};
	struct board *b = board_of(&cfg);
	struct uuid one = uuid_new(), two = uuid_new();
	int busy = board_sit(b, &one, 1u << JOB_LIVE), idle = board_sit(b, &two, 1u << JOB_LIVE);

	board_set_room(b, idle, 4, 8);
	CHECK(board_rouse(b, JOB_LIVE) == idle);
	CHECK(board_rouse(b, JOB_LIVE) == -1); /* it will look */
	board_set_room(b, idle, 0, 8);
	CHECK(board_take_woken(b, idle));
	CHECK(board_rouse(b, JOB_LIVE) != -1); /* one of them, though both are busy */
	board_clear(b, busy, &one);
	board_clear(b, idle, &two);
	core_rmdir(cfg.state_dir);
	arena_free(a);
}

/* ---- handing over -------------------------------------------------------------------------- */

/* The place with a connection of its own: jobs are handed over by the connection's configuration.
 */
static bool place_own(struct place *p)
{
	if (!place_make(p))
		return false;
	p->db = p->app->db = db_new(&p->c.cfg);
	return true;
}

static void place_end(struct place *p, struct runner *rn)
{
	struct db *own = p->db;

	if (rn != NULL)
		runner_free(rn);
	p->db = p->app->db = test_db();
	place_remove(p);
	db_free(own);
}

/* A runner that sits at the board and has said what room it has. */
static struct runner *seated(struct place *p, const struct job_kind *kinds, size_t n)
{
	struct err err = ERR_INIT;
	struct runner *rn = runner_new(p->app, kinds, n, &err);

	REQUIRE(rn != NULL);
	OK(runner_listen(rn, &err), &err);
	rn->is_woken = false;
	wake_say_room(rn);
	return rn;
}

static const struct job_kind plain_kind[] = {{.name = "plain", .run = plain, .max_attempts = 3}};

#define NUMBER(p, sql) NUMBER_OF((p)->db, sql, db_int(0))
#define HELD "SELECT COUNT(*) FROM jobs WHERE lease_id IS NOT NULL AND attempts = 1 AND id >= ?"

static void advance_once(struct runner *rn)
{
	wake_read(rn);
	held_begin(rn);
	runs_sweep(rn);
}

/* The commit that makes the job claims it: what it stores is the only further one. */
static void handed_over(void)
{
	struct place p;
	struct runner *rn;
	struct err err = ERR_INIT;

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 1);
	advance_once(rn);
	CHECK(seen->runs == 1 && seen->last_attempts == 1 && rn->nrunning == 1);
	CHECK(group_waiting(rn->group, JOB_LIVE) == 1); /* its end */
	OK(claim_and_commit(rn, &err) == -1 ? -1 : 0, &err);
	CHECK(count_jobs(&p) == 0);
	runs_sweep(rn);
	CHECK(rn->nrunning == 0 && lanes_running(rn->lanes) == 0);
	place_end(&p, rn);
}

/* What has a time of its own, args, or another class waits like others; so does all when the runner
 * has no room, or other work that is due. */
static void not_handed_over(void)
{
	struct place p;
	struct runner *rn;
	struct lane_key other;
	struct job later, bulk;
	struct inserting i = {&later, 1, false}, k = {&bulk, 1, false};
	struct err err = ERR_INIT;

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	later = (struct job){.account_id = p.account, .kind = "plain", .run_at_us = 5};
	bulk = (struct job){.account_id = p.account, .kind = "plain", .class = JOB_BULK};
	OK(db_transaction(p.db, insert_body, &i, &err), &err);
	OK(db_transaction(p.db, insert_body, &k, &err), &err);
	insert(&p, "plain", "{}");
	CHECK(NUMBER(&p, HELD) == 0);
	other = (struct lane_key){uuid_new(), uuid_new(), JOB_LIVE};
	lane_due(lane_get(rn->lanes, &other), 1);
	wake_say_room(rn);
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 0);
	lane_reserve(lane_get(rn->lanes, &other), 1);
	lane_claimed(lane_get(rn->lanes, &other), 1, 0, clock_now_us(), 0);
	wake_say_room(rn);
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 1);
	place_end(&p, rn);
}

/* A lane that is closed, or full, refuses: the row is as if nobody had claimed it. */
static void given_back(void)
{
	struct place p;
	struct runner *rn;
	struct lane_key key;

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	key = (struct lane_key){p.account, {{0}}, JOB_LIVE};
	lane_pause(lane_get(rn->lanes, &key), true);
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 1);
	advance_once(rn);
	CHECK(seen->runs == 0 && NUMBER(&p, HELD) == 0);
	CHECK(NUMBER(&p, "SELECT COUNT(*) FROM jobs WHERE attempts = 0 AND lease_id IS NULL AND"
			 " id >= ?") == 1);
	runner_free(rn);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0)) == 1);
	place_end(&p, NULL);
}

/* Nobody listens any more: who made the job takes it back, and the seat is free. */
static void nobody_there(void)
{
	struct place p;
	struct runner *rn;
	struct uuid lease;

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	close(rn->wake_fd);
	rn->wake_fd = -1;
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 0 && count_jobs(&p) == 1);
	CHECK(board_take_room(rn->board, JOB_LIVE, 1, &lease) == -1);
	runner_free(rn);
	CHECK(RUN_ONCE(&p, KIND("plain", plain, 3, 0)) == 1);
	place_end(&p, NULL);
}

/* Its socket holds few datagrams. No more parcels are sent than it may hold; where it is full all
 * the same the job is taken back, and the runner keeps its seat: it lives, and has work enough. */
static void socket_is_full(void)
{
	struct place p;
	struct runner *rn;
	char path[CONFIG_PATH_BYTES];

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	for (int i = 0; i < 12; i++)
		insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 8 && count_jobs(&p) == 12);
	advance_once(rn);
	CHECK(seen->runs == 8);
	board_socket_path(&p.c.cfg, rn->seat, path);
	while (unix_socket_send(path, STR("x")) == 0)
		continue;
	rn->is_woken = false;
	wake_say_room(rn);
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 8 && count_jobs(&p) == 13);
	CHECK(board_is_seated(rn->board, rn->seat, lease_id(rn->lease)));
	advance_once(rn);
	CHECK(rn->is_woken); /* it looks for what was taken back */
	rn->is_woken = false;
	wake_say_room(rn);
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 9);
	place_end(&p, rn);
}

/* Taken for dead while it lived: it sits down again, and hears of work. */
static void seat_lost(void)
{
	struct place p;
	struct runner *rn;

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	board_clear(rn->board, rn->seat, lease_id(rn->lease));
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 0);
	wake_say_room(rn);
	CHECK(rn->is_woken);
	rn->is_woken = false;
	wake_say_room(rn);
	insert(&p, "plain", NULL);
	CHECK(NUMBER(&p, HELD) == 1);
	place_end(&p, rn);
}

/* The word got lost: the runner finds by its lease what it was given. */
static void lost_on_its_way(void)
{
	struct place p;
	struct runner *rn;
	char message[HANDOVER_BYTES];

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	insert(&p, "plain", NULL);
	REQUIRE(recv(rn->wake_fd, message, sizeof(message), 0) > 1);
	keep_release_forgotten(rn);
	CHECK(NUMBER(&p, HELD) == 1); /* it may still come */
	RUN(p.db, "UPDATE jobs SET created_at = created_at - 3000000");
	keep_release_forgotten(rn);
	CHECK(NUMBER(&p, HELD) == 0 && count_jobs(&p) == 1);
	place_end(&p, rn);
}

/* Rubbish, another's, and another version's: nothing is begun by it. */
static void odd_datagrams(void)
{
	struct place p;
	struct runner *rn;
	char path[CONFIG_PATH_BYTES], message[HANDOVER_BYTES];
	ssize_t n;

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	board_socket_path(&p.c.cfg, rn->seat, path);
	insert(&p, "plain", NULL);
	n = recv(rn->wake_fd, message, sizeof(message), 0);
	REQUIRE(n > 40);
	for (size_t i = 0; i < 3 + sizeof(struct uuid); i++) { /* tag, version, count, lease */
		char odd[HANDOVER_BYTES];

		memcpy(odd, message, (size_t)n);
		odd[i] ^= 1;
		CHECK(unix_socket_send(path, (struct str){odd, (size_t)n}) == 0);
		advance_once(rn);
	}
	for (ssize_t cut = 1; cut < n; cut += 7) {
		CHECK(unix_socket_send(path, (struct str){message, (size_t)cut}) == 0);
		advance_once(rn);
	}
	CHECK(seen->runs == 0 && rn->nrunning == 0);
	CHECK(unix_socket_send(path, (struct str){message, (size_t)n}) == 0);
	advance_once(rn);
	CHECK(seen->runs == 1);
	place_end(&p, rn);
}

/* A runner that ends gives back what it was handed and has not begun. */
static void handed_to_one_that_ends(void)
{
	struct place p;
	struct runner *rn;

	if (!place_own(&p))
		return;
	rn = seated(&p, plain_kind, 1);
	insert(&p, "plain", NULL);
	rn->is_draining = true;
	advance_once(rn);
	CHECK(seen->runs == 0 && NUMBER(&p, HELD) == 0);
	rn->is_draining = false;
	wake_say_room(rn);
	insert(&p, "plain", NULL);
	runner_leave(rn);
	keep_release_own(rn);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE lease_id IS NULL AND run_at < ?",
		  db_int(clock_now_us() + 1)) == 2);
	place_end(&p, rn);
}

/* Somebody's transaction that has written a job, while others of the same kind are given back. */
struct writing {
	struct place *p;
	struct db *other;
	const struct uuid *ids;
	size_t n;
};

static int write_while_given_back(struct db *db, void *arg, struct err *err)
{
	struct writing *w = arg;
	struct job job = {.account_id = w->p->account, .kind = "plain"};
	const struct uuid lease = uuid_new();

	if (job_insert(db, &job, 1, err) == -1)
		return -1;
	return handover_give_back(w->other, &lease, w->ids, w->n, clock_now_us(), err);
}

/* Rows that are named by their ids are found by them, however short the queue is: who ends jobs
 * does not wait for those who make some. */
static void ends_beside_who_makes(void)
{
	enum { N = 24 };
	struct place p;
	struct uuid ids[N];
	struct err err = ERR_INIT;

	if (!place_own(&p))
		return;
	struct writing w = {&p, db_new(&p.c.cfg), ids, N};

	db_set_patience(w.other, true, 1);
	for (size_t i = 0; i < N; i++)
		ids[i] = insert(&p, "plain", NULL);
	OK(db_transaction(p.db, write_while_given_back, &w, &err), &err);
	db_free(w.other);
	place_end(&p, NULL);
}

void suite_job_handover(void)
{
	ADD_TESTS("job_handover", {"seats", seats}, {"rouses who has room", rouses_who_has_room},
	    {"handed over", handed_over}, {"not handed over", not_handed_over},
	    {"given back", given_back}, {"nobody there", nobody_there},
	    {"socket is full", socket_is_full}, {"seat lost", seat_lost},
	    {"lost on its way", lost_on_its_way}, {"odd datagrams", odd_datagrams},
	    {"handed to one that ends", handed_to_one_that_ends},
	    {"ends beside who makes", ends_beside_who_makes});
}
