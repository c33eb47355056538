/* An account's queue as people see it: its lanes and what is known of them over all hosts, its dead
 * jobs, and what people do to both. The changes are made within a transaction; runners of this host
 * hear of them after its commit, those of others within half a second. */
#ifndef JOB_QUEUE_H
#define JOB_QUEUE_H
#include "base/word.h"
#include "http/slice.h"
#include "job/breaker.h"

extern const struct word queue_kinds[];  /* of lanes: live, bulk, periodic */
extern const struct word queue_states[]; /* of lanes on pages: paused, open, probing … */

#define QUEUE_LANES_MOST 1000
#define QUEUE_DEPTH_MOST 100000

struct queue_lane {
	struct lane_key key;
	int64_t depth;         /* jobs that wait or run; at most QUEUE_DEPTH_MOST */
	int64_t running, dead; /* dead: at most QUEUE_DEPTH_MOST */
	int64_t next_us;       /* when the earliest that waits is due, past or future; 0: none */
	int64_t window;        /* how many may run at a time, all runners together */
	bool depth_is_exact;
	struct breaker breaker; /* zeros: it is well */
};

/* The lanes that have or had jobs within a day, and those of targets whose breaker is open or
 * paused: at most QUEUE_LANES_MOST, in no order. */
int queue_lanes(struct app *app, struct arena *a, const struct uuid *account_id,
    struct queue_lane **out, size_t *n, struct err *err);
/* The lane of that key with what is known of it; all zeros but the key where nothing is. 1 it has
 * or had jobs or a breaker, 0 not, -1. */
int queue_lane(struct app *app, struct arena *a, const struct lane_key *key, struct queue_lane *out,
    struct err *err);
/* The breaker of an account's target, all zeros where there is none. */
int queue_breaker(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *target_id, struct breaker *out, struct err *err);

/* A lane's id within its account: opaque, the same for ever. Arena-owned. */
const char *queue_lane_id(struct arena *a, const struct lane_key *key);
/* Its class and target into *key, whose account stays. False: no lane has such an id. */
bool queue_lane_parse(struct str id, struct lane_key *key);

/* Pauses the lane, or what else its target has: see breaker_pause. */
int queue_pause(struct db *db, const struct lane_key *key, struct err *err);
/* Resumes it. */
int queue_resume(struct db *db, const struct lane_key *key, struct err *err);
/* Resumes it, closes its breaker, and makes what waits for a later time due now, the earliest
 * QUEUE_TRY_MOST of it. */
#define QUEUE_TRY_MOST 1000
int queue_try(struct db *db, const struct lane_key *key, struct err *err);

/* Within a transaction: the target is gone or disabled, so that what waits for a later time has
 * nothing to wait for. Its breaker closes, and QUEUE_REVIVE_MOST of each lane are due now. */
int queue_release(
    struct db *db, const struct uuid *account_id, const struct uuid *target_id, struct err *err);
/* The same where it is another than before (new credentials, settings), and what was given up lives
 * again too. What a person paused stays so. */
int queue_renew(
    struct app *app, const struct uuid *account_id, const struct uuid *target_id, struct err *err);

/* Dead jobs, newest first: [{id,laneId,kind,subjectId,lastError,attempts,since,createdAt}]. */
struct queue_dead_filter {
	struct uuid account_id;
	struct str lane_id; /* {NULL,0}: of all lanes */
};
extern const struct list list_of_dead;
int queue_dead(struct app *app, struct arena *a, const struct queue_dead_filter *f, struct slice *s,
    struct err *err);
/* Of all lanes, at most QUEUE_DEPTH_MOST. */
int queue_dead_count(struct db *db, const struct uuid *account_id, int64_t *n, struct err *err);
/* Within a transaction: dead jobs of a lane are due again as if they were new, the oldest
 * QUEUE_REVIVE_MOST of them, and their subjects no longer say that they failed; *n of them. */
#define QUEUE_REVIVE_MOST 10000
int queue_revive_lane(struct app *app, const struct lane_key *key, int64_t *n, struct err *err);
/* The same of one job: 1, 0 (no such, or not dead), -1. */
int queue_revive(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err);

#endif
