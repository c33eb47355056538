/* Lanes: turns, shares and windows, tried by themselves. */
#include "core-check.h"
#include "job/lane.h"

void suite_job_lane(void);

static const size_t slots[JOB_CLASSES] = {[JOB_LIVE] = 16, [JOB_BULK] = 2, [JOB_PERIODIC] = 1};

static struct uuid id_of(int n)
{
	struct uuid u = {{0}};

	u.b[15] = (unsigned char)n;
	u.b[14] = (unsigned char)(n >> 8);
	u.b[0] = 1;
	return u;
}

static struct lane *lane(struct lanes *ls, int account, int target, enum job_class class)
{
	struct lane_key key = {.account_id = id_of(account), .class = class};

	if (target != 0)
		key.target_id = id_of(1000 + target);
	return lane_get(ls, &key);
}

/* Takes turns until nothing may run; counts the jobs that each of n lanes was given. */
static void fill(struct lanes *ls, struct lane *const *v, size_t n, size_t *given, size_t most)
{
	struct lane *l;
	size_t got;

	memset(given, 0, n * sizeof(*given));
	while ((l = lanes_next(ls, 100, most, &got)) != NULL) {
		lane_reserve(l, got);
		for (size_t i = 0; i < n; i++)
			given[i] += v[i] == l ? got : 0;
		lane_claimed(l, got, got, 100, 100);
		for (size_t i = 0; i < got && lane_may_begin(l); i++)
			lane_begin(l);
	}
}

static void windows(void)
{
	struct lanes *ls = lanes_new(slots, 8);
	struct lane *l = lane(ls, 1, 1, JOB_LIVE);
	size_t given, n;

	CHECK(lanes_next(ls, 100, 32, &n) == NULL); /* nothing is due */
	lane_due(l, 101);
	CHECK(lanes_next(ls, 100, 32, &n) == NULL && lanes_next_due_us(ls) == 101);
	lane_due(l, 50);
	fill(ls, &l, 1, &given, 32);
	CHECK(given == 4 && lane_running(l) == 4); /* it starts small */
	for (int i = 0; i < 4; i++)
		lane_ended(l, JOB_PEER_OK);
	CHECK(lane_window(l) == 8); /* and grows, to its maximum */
	fill(ls, &l, 1, &given, 32);
	CHECK(given == 8);
	lane_ended(l, JOB_PEER_BUSY);
	CHECK(lane_window(l) == 4 && lane_failures(l) == 0);
	for (int i = 0; i < 6; i++)
		lane_ended(l, JOB_PEER_DEAD);
	CHECK(lane_window(l) == 1 && lane_failures(l) == 6);
	lane_ended(l, JOB_PEER_OK);
	CHECK(lane_window(l) == 2 && lane_failures(l) == 0 && lane_running(l) == 0);
	fill(ls, &l, 1, &given, 32);
	for (int i = 0; i < 2; i++)
		lane_ended(l, JOB_PEER_REFUSED); /* fewer calls would not be let in either */
	CHECK(lane_window(l) == 2 && lane_failures(l) == 2 && lane_running(l) == 0);
	lanes_free(ls);
}

/* Calls that go well, each so long. */
static void call_well(struct lane *l, size_t n, int64_t took_us)
{
	for (size_t i = 0; i < n; i++)
		lane_called(l, took_us);
}

/* A window is of calls: one whose call went well makes room for the next before it ends, but keeps
 * its slot. Where calls are quick, three times as many may wait. */
static void windows_are_of_calls(void)
{
	static const size_t many[JOB_CLASSES] = {
	    [JOB_LIVE] = 64, [JOB_BULK] = 1, [JOB_PERIODIC] = 1};
	struct lanes *ls = lanes_new(many, 8);
	struct lane *l = lane(ls, 1, 1, JOB_LIVE);
	size_t given;

	lane_due(l, 50);
	fill(ls, &l, 1, &given, 32);
	CHECK(given == 4 && !lane_may_begin(l));
	call_well(l, 3, SECOND_US);
	CHECK(lane_window(l) == 4 && lane_running(l) == 4 && lane_may_begin(l));
	fill(ls, &l, 1, &given, 32);
	CHECK(given == 3 && lane_running(l) == 7);
	call_well(l, 1, 1000);
	fill(ls, &l, 1, &given, 32);
	CHECK(given == 1 + 3 * 4 && lane_running(l) == 20 && !lane_may_begin(l));
	call_well(l, 1, 1000);
	CHECK(lane_may_begin(l));
	lane_begin(l);
	CHECK(!lane_may_begin(l));
	for (int i = 0; i < 5; i++)
		lane_stored(l, JOB_PEER_OK);
	CHECK(lane_window(l) == 8 && lane_running(l) == 15 && lane_may_begin(l));
	lane_ended(l, JOB_PEER_DEAD); /* not quick any more */
	CHECK(lane_window(l) == 4 && lane_failures(l) == 1);
	CHECK(!lane_has_room(ls, l) && lane_may_begin(l));
	while (lane_running(l) > 3)
		lane_given_back(l);
	fill(ls, &l, 1, &given, 32);
	CHECK(given == 1);
	lane_pause(l, true);
	CHECK(!lane_may_begin(l) && !lane_has_room(ls, l));
	lanes_free(ls);
}

/* However well the calls go, a class has its slots; what is handed on may take them twice. */
static void slots_are_of_jobs(void)
{
	struct lanes *ls = lanes_new(slots, 8);
	struct lane *l = lane(ls, 1, 1, JOB_LIVE);
	size_t given, running;

	lane_due(l, 50);
	do {
		running = lane_running(l);
		fill(ls, &l, 1, &given, 32);
		call_well(l, given < 4 ? given : 4, 1000);
	} while (lane_running(l) > running);
	CHECK(lane_running(l) == slots[JOB_LIVE]);
	while (lane_running(l) < 2 * slots[JOB_LIVE] && lane_has_room(ls, l)) {
		lane_taken(l);
		if (lane_may_begin(l)) {
			lane_begin(l);
			lane_called(l, 1000);
		}
	}
	CHECK(lane_running(l) == 2 * slots[JOB_LIVE] && !lane_has_room(ls, l));
	lanes_free(ls);
}

/* One account with much to do gets what is left; two share, whatever the number of their lanes. */
static void shares(void)
{
	struct lanes *ls = lanes_new(slots, 64);
	struct lane *v[4] = {lane(ls, 1, 0, JOB_LIVE), lane(ls, 2, 0, JOB_LIVE),
	    lane(ls, 2, 5, JOB_LIVE), lane(ls, 1, 0, JOB_BULK)};
	size_t given[4];

	for (size_t i = 0; i < COUNT(v); i++)
		lane_due(v[i], 1);
	fill(ls, v, COUNT(v), given, 32);
	CHECK(given[0] == 8 && given[1] + given[2] == 8);
	CHECK(given[3] == 2); /* bulk has slots of its own */
	CHECK(lanes_running(ls) == 18);
	lanes_free(ls);
}

static void closed_lanes(void)
{
	struct lanes *ls = lanes_new(slots, 64);
	struct lane *sick = lane(ls, 1, 1, JOB_LIVE), *well = lane(ls, 1, 2, JOB_LIVE);
	struct lane *v[] = {sick, well};
	size_t given[2], n;

	lane_due(sick, 1);
	lane_due(well, 1);
	lane_open(sick, 200);
	fill(ls, v, 2, given, 32);
	CHECK(given[0] == 0 && given[1] == 4);
	CHECK(lanes_next_due_us(ls) == 200); /* the probe's time */
	CHECK(lanes_next(ls, 200, 32, &n) == sick && n == 1);
	lane_reserve(sick, 1);
	lane_claimed(sick, 1, 1, 200, 1);
	CHECK(lane_may_begin(sick));
	lane_begin(sick);
	CHECK(lanes_next(ls, 200, 32, &n) == NULL); /* one at a time */
	lane_ended(sick, JOB_PEER_OK);
	lane_close(sick);
	CHECK(lanes_next(ls, 200, 32, &n) == sick && n > 1);
	lane_pause(sick, true);
	CHECK(lanes_next(ls, 200, 32, &n) == NULL && lanes_next_due_us(ls) == INT64_MAX);
	lane_pause(sick, false);
	CHECK(lanes_next(ls, 200, 32, &n) == sick);
	lanes_free(ls);
}

/* A claim that got less than it asked for leaves nothing that was due; one that failed, all. */
static void empty_claims(void)
{
	struct lanes *ls = lanes_new(slots, 64);
	struct lane *l = lane(ls, 1, 1, JOB_LIVE);
	size_t n;

	lane_due(l, 1);
	CHECK(lanes_next(ls, 100, 32, &n) == l && n == 4);
	lane_reserve(l, n);
	lane_claimed(l, n, 0, 0, 0);
	CHECK(lane_running(l) == 0 && lanes_next(ls, 100, 32, &n) == l);
	lane_reserve(l, n);
	lane_claimed(l, n, 1, 100, 1);
	lane_begin(l);
	CHECK(lane_running(l) == 1 && lanes_next(ls, 100, 32, &n) == NULL);
	lanes_sweep(ls);
	CHECK(lanes_count(ls) == 1); /* it runs something */
	lane_ended(l, JOB_PEER_UNKNOWN);
	lanes_sweep(ls);
	CHECK(lanes_count(ls) == 0);
	lanes_free(ls);
}

/* A claim that got all it asked for tells when the last of them was due: the next is not earlier.
 */
static void full_claims(void)
{
	struct lanes *ls = lanes_new(slots, 64);
	struct lane *l = lane(ls, 1, 1, JOB_LIVE);
	size_t n;

	lane_due(l, 10);
	CHECK(lanes_next(ls, 100, 1, &n) == l && n == 1);
	lane_reserve(l, n);
	lane_claimed(l, n, 1, 100, 40);
	CHECK(lanes_next_due_us(ls) == 40);
	lane_due(l, 30); /* found by a look */
	CHECK(lanes_next_due_us(ls) == 30);
	lanes_free(ls);
}

/* Whatever happens, no more run than slots and windows allow, every lane that may run gets its
 * turn, and the counts come out even. */
static void random_histories(void)
{
	enum { LANES = 12, STEPS = 4000 };

	for (unsigned seed = 1; seed <= 20; seed++) {
		struct lanes *ls = lanes_new(slots, 8);
		struct lane *v[LANES];
		size_t waiting[LANES] = {0}, calling[LANES] = {0};
		unsigned random = seed * 2654435761u;

		for (int i = 0; i < LANES; i++)
			v[i] = lane(ls, 1 + i % 3, i / 3, i % 4 == 3 ? JOB_BULK : JOB_LIVE);
		for (int step = 0; step < STEPS; step++) {
			size_t i, n, total = 0;
			struct lane *l;

			random = random * 1103515245u + 12345u;
			i = (random >> 16) % LANES;
			lane_due(v[i], 1);
			l = lanes_next(ls, 100, 3, &n);
			for (size_t k = 0; k < LANES; k++) {
				if (l == v[k]) {
					lane_reserve(l, n);
					lane_claimed(l, n, n, 100, 1);
					waiting[k] += n;
				}
			}
			i = (random >> 18) % LANES;
			if (waiting[i] > 0) {
				calling[i] += lane_may_begin(v[i]);
				lane_may_begin(v[i]) ? lane_begin(v[i]) : lane_given_back(v[i]);
				waiting[i]--;
			}
			i = (random >> 20) % LANES;
			if (calling[i] > 0) {
				if (random >> 30 == 0) {
					lane_called(v[i], (random >> 10) % 200000);
					lane_stored(v[i], JOB_PEER_OK);
				} else {
					lane_ended(v[i], (enum job_peer)((random >> 24) % 4));
				}
				calling[i]--;
			}
			for (size_t k = 0; k < LANES; k++) {
				total += waiting[k] + calling[k];
				REQUIRE(lane_running(v[k]) == waiting[k] + calling[k]);
				REQUIRE(lane_window(v[k]) >= 1 && lane_window(v[k]) <= 8);
			}
			REQUIRE(lanes_running(ls) == total && total <= 16 + 2);
		}
		lanes_free(ls);
	}
}

/* A call that brought many shows as much as many calls; never more than the most. */
static void windows_grow_by_what_a_call_brought(void)
{
	struct lanes *ls = lanes_new(slots, 8);
	struct lane *l = lane(ls, 1, 1, JOB_BULK);

	lane_grow(l, 3);
	CHECK(lane_window(l) == 7);
	lane_grow(l, 100);
	CHECK(lane_window(l) == 8);
	lane_grow(l, 1);
	CHECK(lane_window(l) == 8);
	lanes_free(ls);
}

/* Bulk work of the host's own has some of the slots, whoever it is for; what calls others has all.
 */
static void own_work_is_bounded(void)
{
	static const size_t many[JOB_CLASSES] = {
	    [JOB_LIVE] = 8, [JOB_BULK] = 8, [JOB_PERIODIC] = 1};
	struct lanes *ls = lanes_new(many, 8);
	struct lane *v[] = {lane(ls, 1, 0, JOB_BULK), lane(ls, 2, 0, JOB_BULK),
	    lane(ls, 3, 7, JOB_BULK), lane(ls, 4, 0, JOB_LIVE)};
	size_t given[COUNT(v)];

	lanes_bound_own(ls, JOB_BULK, 2);
	for (size_t i = 0; i < COUNT(v); i++)
		lane_due(v[i], 50);
	fill(ls, v, COUNT(v), given, 32);
	CHECK(given[0] == 1 && given[1] == 1); /* both accounts have their turn */
	CHECK(given[2] == 4);                  /* its window */
	CHECK(given[3] == 8);
	lane_ended(v[0], JOB_PEER_UNKNOWN);
	lane_due(v[0], 60);
	fill(ls, v, COUNT(v), given, 32);
	CHECK(given[0] + given[1] == 1);
	lanes_free(ls);
}

void suite_job_lane(void)
{
	ADD_TESTS("job_lane",
	    {"windows grow by what a call brought", windows_grow_by_what_a_call_brought},
	    {"own work is bounded", own_work_is_bounded}, {"windows", windows},
	    {"windows are of calls", windows_are_of_calls},
	    {"slots are of jobs", slots_are_of_jobs}, {"shares", shares},
	    {"closed lanes", closed_lanes}, {"empty claims", empty_claims},
	    {"full claims", full_claims}, {"random histories", random_histories});
}
