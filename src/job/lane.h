/* Lanes: whose jobs are next, and how many of them may run at a time. One lane per account, class
 * and target (a connection, a subscription, a flow; nil: the account itself). In memory, of one
 * runner; knows no SQL. What all hosts share of a target is in breaker.h. */
#ifndef JOB_LANE_H
#define JOB_LANE_H
#include <stdbool.h>
#include <stddef.h>

#include "crypto/uuid.h"
#include "job/job.h"

#define LANE_WINDOW_FIRST 4 /* of a lane that nothing is known of */

struct lane_key {
	struct uuid account_id, target_id;
	enum job_class class;
};

struct lanes;
struct lane;

/* slots: jobs that may run at a time, by class. window_most: of one lane with a target. */
struct lanes *lanes_new(const size_t slots[JOB_CLASSES], size_t window_most);
/* Of the class's slots those without a target have so many at most, all lanes together: their work
 * is the host's own, where that of the others waits for somebody else. */
void lanes_bound_own(struct lanes *ls, enum job_class class, size_t slots);
void lanes_free(struct lanes *ls);

/* The lane of that key, made where there is none. It stays until lanes_sweep finds it idle. */
struct lane *lane_get(struct lanes *ls, const struct lane_key *key);
const struct lane_key *lane_key_of(const struct lane *l);
/* A job of the lane is due at at_us: known since it was written, or found by a look. */
void lane_due(struct lane *l, int64_t at_us);

/* The lane whose turn it is, and how many of its jobs may be claimed now, at most `most`: accounts
 * take turns, then the lanes of an account; live before bulk, each within its own slots. NULL when
 * nothing that is due may run. The caller claims and tells the outcome by lane_claimed. */
struct lane *lanes_next(struct lanes *ls, int64_t now_us, size_t most, size_t *n);
/* A claimed job, as the lane counts it:
 *
 *   lane_reserve, lane_claimed, lane_taken ─► waits ─lane_begin─► calls ─lane_called─► is stored
 *                                              │ lane_given_back     │ lane_ended         │
 * lane_stored
 *
 * The window bounds those that call. Where calls are quick, three times as many
 * may wait. */

/* Counts n jobs that are about to be claimed. */
void lane_reserve(struct lane *l, size_t n);
/* n of the `asked` were got, the others go back; with fewer, none is left that was due at now_us
 * (0: it is not known); else what is left was due no earlier than the last of them, at last_us. */
void lane_claimed(struct lane *l, size_t asked, size_t n, int64_t now_us, int64_t last_us);
/* A job has come without a claim: handed over in the commit that made it. */
void lane_taken(struct lane *l);
/* How many more jobs of the class may run. */
size_t lanes_room(const struct lanes *ls, enum job_class class);
/* May one more job of this lane be taken in this commit? */
bool lane_has_room(const struct lanes *ls, const struct lane *l);
/* One that waits begins, if it may; or never does. */
bool lane_may_begin(const struct lane *l);
void lane_begin(struct lane *l);
void lane_given_back(struct lane *l);
/* One has ended; how its target behaved changes the window. */
void lane_ended(struct lane *l, enum job_peer peer);
/* One has made its call, and well: what is left of it needs its slot alone, not the window. It ends
 * by lane_stored. */
void lane_called(struct lane *l, int64_t took_us);
/* Its target took n things well in one call: the window grows as if by so many calls. */
void lane_grow(struct lane *l, size_t n);
void lane_stored(struct lane *l, enum job_peer peer);
/* An open lane runs nothing until probe_at_us, then one job at a time. */
void lane_open(struct lane *l, int64_t probe_at_us);
void lane_close(struct lane *l);
bool lane_is_open(const struct lane *l);
bool lane_is_paused(const struct lane *l);
/* Paused by a person: runs nothing. */
void lane_pause(struct lane *l, bool is_paused);

/* While it holds nothing starts, whatever is due. */
void lanes_hold(struct lanes *ls, bool is_held);
/* When the next lane with room has something due; INT64_MAX: unknown or never. */
int64_t lanes_next_due_us(const struct lanes *ls);
/* For others' eyes: how many of its jobs may run at a time, if that has changed since it was told,
 * or was told before renew_us; it is told now. Otherwise false. */
bool lane_tell(struct lane *l, int64_t now_us, int64_t renew_us, size_t *window);
/* Failures in a row of the kinds that say "dead" or "not let in". */
size_t lane_failures(const struct lane *l);
/* For tests: how many of its jobs may run at a time. */
size_t lane_window(const struct lane *l);
/* For tests: how many of its jobs run. */
size_t lane_running(const struct lane *l);
/* For tests: how many jobs run. */
size_t lanes_running(const struct lanes *ls);
/* For tests: how many lanes there are. */
size_t lanes_count(const struct lanes *ls);

/* Calls each for every lane; each may forget the one it is given. */
void lanes_each(struct lanes *ls, void (*each)(struct lane *l, void *arg), void *arg);
/* Forgets lanes with nothing due and nothing running. */
void lanes_sweep(struct lanes *ls);

#endif
