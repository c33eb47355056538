/* Jobs that are claimed and wait in memory for their lane: as many as it has room for, begun when a
 * call is through, given back when they must not begin. */
#include "job-check.h"
#include "job/runner-internal.h"
#include "net/http-client.h"

void suite_job_held(void);

#define JOBS 12
#define CALLS 5 /* the window of a lane whose first call went well */

/* At its call until it is told; well by then. */
static int calling(struct job *j, struct err *err)
{
	(void)err;
	seen->runs++;
	if (++seen->inside > seen->most_inside)
		seen->most_inside = seen->inside;
	while (seen->stop == 0)
		http_client_sleep(j->app->http, 1);
	seen->inside--;
	job_note_peer(j, JOB_PEER_OK, NULL);
	return 0;
}

/* A place whose runner has slots for all of them. */
static bool place_make_wide(struct place *p)
{
	if (!place_make(p))
		return false;
	p->c.cfg.job_concurrency = 64;
	p->c.cfg.http_per_host = CALLS;
	return true;
}

static const struct job_kind kinds[] = {KIND("calling", calling, 3, 0)};

/* Its lane is known to be quick, as after a first call. */
static struct lane *quick_lane(struct runner *rn, const struct lane_key *key)
{
	struct lane *l = lane_get(rn->lanes, key);

	lane_taken(l);
	lane_begin(l);
	lane_called(l, 1000);
	lane_stored(l, JOB_PEER_OK);
	CHECK(lane_window(l) == CALLS);
	return l;
}

static void insert_all(struct place *p, const struct uuid *target)
{
	struct job jobs[JOBS];
	struct inserting i = {jobs, JOBS, false};
	struct err err = ERR_INIT;

	for (size_t k = 0; k < JOBS; k++)
		jobs[k] =
		    (struct job){.account_id = p->account, .target_id = *target, .kind = "calling"};
	OK(db_transaction(p->db, insert_body, &i, &err), &err);
}

/* The look comes first: it forgets lanes that nothing is due in. */
static struct lane *claim_all(struct runner *rn, const struct lane_key *key)
{
	struct err err = ERR_INIT;
	struct lane *l;

	OK(look_if_due(rn, &err), &err);
	l = quick_lane(rn, key);
	CHECK(claim_and_commit(rn, &err) == JOBS);
	held_begin(rn);
	return l;
}

#define FREE "SELECT COUNT(*) FROM jobs WHERE lease_id IS NULL AND attempts = 0"

/* The window bounds the calls, not the claims; the rest begins without another claim. */
static void begin_as_calls_end(void)
{
	struct place p;
	struct uuid target = uuid_new();
	struct lane_key key;
	struct runner *rn;
	struct lane *l;
	struct err err = ERR_INIT;

	if (!place_make_wide(&p))
		return;
	key = (struct lane_key){p.account, target, JOB_LIVE};
	rn = runner(&p, kinds, COUNT(kinds));
	insert_all(&p, &target);
	l = claim_all(rn, &key);
	CHECK(seen->runs == CALLS && lane_running(l) == JOBS);
	CHECK(NUMBER_OF(p.db, "SELECT COUNT(*) FROM jobs WHERE lease_id IS NULL") == 0);
	seen->stop = 1;
	CHECK(runner_once(rn, &err) == JOBS - CALLS);
	CHECK(seen->runs == JOBS && seen->most_inside == CALLS);
	CHECK(lane_running(l) == 0 && count_jobs(&p) == 0);
	runner_free(rn);
	place_remove(&p);
}

enum closing { OPENED, PAUSED, DRAINING };

static void close_it(struct runner *rn, struct lane *l, enum closing how, bool is_closed)
{
	switch (how) {
	case OPENED:
		is_closed ? lane_open(l, clock_now_us() + DAY_US) : lane_close(l);
		break;
	case PAUSED:
		lane_pause(l, is_closed);
		break;
	case DRAINING:
		rn->is_draining = is_closed;
		break;
	}
}

/* What has not begun when its lane closes, or its runner is to end, is given back as it was. */
static void given_back(void)
{
	for (enum closing how = OPENED; how <= DRAINING; how++) {
		struct place p;
		struct uuid target = uuid_new();
		struct lane_key key;
		struct runner *rn;
		struct lane *l;
		struct err err = ERR_INIT;

		if (!place_make_wide(&p))
			return;
		key = (struct lane_key){p.account, target, JOB_LIVE};
		rn = runner(&p, kinds, COUNT(kinds));
		insert_all(&p, &target);
		l = claim_all(rn, &key);
		CHECK_AT(how, !held_may_move(rn));
		close_it(rn, l, how, true);
		CHECK_AT(how, held_may_move(rn));
		held_begin(rn);
		CHECK_AT(how, rn->held == NULL && lane_running(l) == CALLS);
		CHECK_AT(how, seen->runs == CALLS && NUMBER_OF(p.db, FREE) == JOBS - CALLS);
		close_it(rn, l, how, false);
		seen->stop = 1;
		CHECK_AT(how, runner_once(rn, &err) == JOBS - CALLS);
		CHECK_AT(how, seen->runs == JOBS && count_jobs(&p) == 0);
		runner_free(rn);
		place_remove(&p);
	}
}

void suite_job_held(void)
{
	ADD_TESTS(
	    "job_held", {"begin as calls end", begin_as_calls_end}, {"given back", given_back});
}
