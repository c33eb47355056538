/* What the runner's files share: the runner itself and its runs.
 *
 *   runner.c          its life and its loop
 *   runner-wake.c     its seat, wake-ups, what is handed over
 *   runner-look.c     which lanes have something due
 *   runner-claim.c    claims, and the commit they share with what waits
 *   runner-held.c     what is claimed and waits for its lane
 *   runner-run.c      one job in its fiber, to its end
 *   runner-fail.c     what becomes of a job that failed
 *   runner-target.c   what runs show of their targets
 *   runner-periodic.c work for moments when no job is due
 *   runner-keep.c     what was forgotten, what the dead left, what must be there, what others are
 *                     told
 *
 * All of it runs in one thread; only what runner-run.c starts runs in fibers. */
#ifndef JOB_RUNNER_INTERNAL_H
#define JOB_RUNNER_INTERNAL_H
#include "base/clock.h"
#include "job/board.h"
#include "job/group.h"
#include "job/job-internal.h"
#include "job/lane.h"
#include "job/lease.h"

#define POLL_MS 500 /* how soon work of another host is noticed */
#define CLAIM_MOST 32u
#define LANES_MOST 64u /* of one claim */

struct beside { /* a claim of job_claim_beside, in the job's arena */
	const struct uuid *ids;
	size_t n;
	struct beside *next;
};
struct run {
	struct job job; /* first, so that the job is the run */
	struct beside *beside;
	const struct job_kind *kind;
	struct lane *lane;
	struct fiber *fiber;
	int64_t began_us; /* monotonic */
	bool is_loaded, is_done, is_probe;
	bool has_called; /* lane_called */
	struct run *next;
};

/* Jobs that a claim is to take, lane by lane. */
struct plan {
	struct lane *lane;
	size_t asked, got;
	int64_t last_us; /* when the last of those got was due */
	bool is_probe;
};
struct claim {
	struct runner *rn;
	struct arena *a;
	struct plan plans[LANES_MOST];
	size_t nplans;
	struct run *runs[LANES_MOST * CLAIM_MOST];
	size_t nruns;
	int64_t now_us;
};

struct runner {
	struct app *app;
	const struct job_kind *kinds;
	size_t nkinds;
	struct lease *lease;
	struct lanes *lanes;
	struct group *group;
	struct claim claim;
	unsigned classes; /* it serves, a bit each */
	struct board *board;
	int seat, wake_fd; /* -1: none */
	bool is_woken;     /* there may be work that no lane knows of */
	bool is_draining;
	/* The database failed us: we may hold leases of jobs that do not run here. */
	bool is_unsure;
	bool is_clock_apart;              /* from the database's: nothing is claimed */
	int64_t look_at_us, look_cost_us; /* monotonic: the next look; what the last one took */
	int64_t targets_at_us;            /* monotonic: the next look at breakers and pauses */
	struct uuid look_from;            /* the account that it begins with */
	int64_t reap_at_us, sweep_at_us, tell_at_us, periodic_at_us;
	int64_t unknown_at_us; /* monotonic: the log may tell of a job of unknown kind again */
	int (*background)(struct app *app, struct err *err);
	int64_t background_at_us;   /* look whether there is some then (monotonic) */
	struct run *running, *held; /* held: claimed, to begin when its lane lets it */
	size_t nrunning, nran;
};

/* runner-run.c: a run with its own arena and copies of the row; lane_taken or a reservation has
 * counted it already. */
struct run *run_new(struct runner *rn, const struct job *row, int attempts);
/* Lets their kinds load n of them (job_kind.load), those that are alike together. */
void runs_load(struct runner *rn, struct run *const *runs, size_t n);
void run_start(struct runner *rn, struct run *run);
/* Never started. */
void run_drop(struct run *run);
/* Frees the runs that have ended, and judges their targets. */
void runs_sweep(struct runner *rn);

/* runner-fail.c, in the job's fiber. Of a kind that this version does not know: then it waits. */
bool run_is_unknown(const struct run *run);
void run_wait_unknown(struct run *run);
/* Have its runners died, or its leases run out, too often? *why says so. */
bool run_is_over(const struct run *run, struct err *why);
/* Puts it back with a wait, or gives it up. */
void run_fail(struct run *run, const struct err *why);

/* runner-target.c: opens or closes the breaker of the run's target by what the run has shown. */
void target_judge(struct runner *rn, struct run *run);
/* Both lanes of a target, live and bulk, share its breaker: open until probe_at_us, 0: closed. */
void target_lanes(struct runner *rn, const struct lane_key *key, int64_t probe_at_us);

/* runner-claim.c: commits what live work waits, together with a claim of what is due. Returns how
 * many jobs it got; -1 when the database is away. */
int claim_and_commit(struct runner *rn, struct err *err);

/* runner-held.c: a claimed job, behind the others. */
void held_add(struct runner *rn, struct run *run);
/* Begins those whose lanes let them, in their order; gives back those that must not begin. */
void held_begin(struct runner *rn);
/* Is there one to begin or to give back? */
bool held_may_move(const struct runner *rn);

/* runner-wake.c: gives up the seat. */
void runner_leave(struct runner *rn);
/* Tells how many jobs may be handed to it, before it waits. */
void wake_say_room(struct runner *rn);
/* Reads what has come. */
void wake_read(struct runner *rn);

/* runner.c: is it time to commit what live work waits? */
bool runner_is_ripe(const struct runner *rn);

/* runner-look.c: asks which lanes have jobs, and when, if it is time for that: after a wake-up, and
 * now and then. 0, -1. */
int look_if_due(struct runner *rn, struct err *err);

/* runner-keep.c: after trouble with the database, frees what this lease holds and nobody runs. */
void keep_release_forgotten(struct runner *rn);
/* At the end: frees whatever this lease holds. */
void keep_release_own(struct runner *rn);
/* Now and then: frees what dead runners of this host hold. */
void keep_reap_dead(struct runner *rn);
/* Now and then: the jobs of periodic work are there. */
void keep_periodic(struct runner *rn);
/* Now and then: the lanes' windows, for those who look at the queue; no more of them. */
void keep_tell_windows(struct runner *rn);
void keep_untell_windows(struct runner *rn);

/* runner-periodic.c: a little of the background work when it is its turn; microseconds until then,
 * INT64_MAX where there is none. */
void background_run(struct runner *rn);
int64_t background_wait_us(const struct runner *rn);
#endif
