/* What is done outside for each thing that is sent (a push of a lead, a forward, an alert), and
 * what became of it: attempts, rounds, the schedule, until it is taken or given up.
 *
 *	pending ──> attempt ──taken──────────────────────────────> success
 *	             ^   │ ├──refused, not permitted ─────────────> failed, not again by itself
 *	             │   │ └──busy, down, not let in─> tries left? ──no─> failed until next_us
 *	             ├───┼──────── job_retry ────────────┘ yes             │ 5 min … 24 h
 *	             └───┼────────────────── a new round ──────────────────┤
 *	                 v                                                 v after the last round
 *	  whom it is for is gone or disabled: skipped                    dead
 *
 * - The rows are the features': a ledger has a table of its own (lead_deliveries) with status,
 *   attempts, rounds, next_at. Here is what they have in common: where a delivery goes after an
 *   attempt, how its job ends thereby, and the attempts, one row each.
 * - A delivery's job has the delivery's id, so there is at most one.
 * - A wait is a row, not a sleep: it outlives the process and holds no slot.
 * - While a target is known to be dead, or not to let us in (job/breaker.h; who must know is told
 *   by hooks.breaker_opened), its jobs wait in their lane, and a probe that finds it so still is
 *   none of the round's tries: otherwise an outage, or a token that was revoked, would use up
 *   every delivery. */
#ifndef DELIVERY_DELIVERY_H
#define DELIVERY_DELIVERY_H
#include "base/word.h"
#include "connection/connection-call.h"
#include "db/personal.h"

#define DELIVERY_SUCCESS "success"
#define DELIVERY_PENDING "pending" /* not tried to the end */
#define DELIVERY_FAILED "failed"   /* next_us says when it is tried again, 0 never by itself */
#define DELIVERY_DEAD "dead"       /* given up */
#define DELIVERY_SKIPPED "skipped" /* whom it is for was disabled or removed */
extern const struct word delivery_statuses[]; /* by what can still be hoped for, best first */

/* What of a ledger's row moves. */
struct delivery_state {
	const char *status; /* of delivery_statuses */
	int attempts, rounds;
	int64_t next_us;
	const char *error; /* of the last attempt, or NULL */
	int http_status;
	const char *external_id;
};

/* What becomes of its job. */
enum delivery_then {
	DELIVERY_OVER,     /* nothing is to follow */
	DELIVERY_WAIT,     /* the next try of the round, at again_us */
	DELIVERY_LATER,    /* the next round, at again_us */
	DELIVERY_GIVEN_UP, /* the job is dead, until somebody runs it again */
	DELIVERY_ANEW      /* at once, from the beginning: there is another form to send */
};
/* A delivery in one run of its job. */
struct delivery_course {
	struct job *job; /* its own */
	struct job *run; /* the one that runs: the same, or one that takes it along */
	struct delivery_state state;
	int rounds; /* before this run */
	enum delivery_then then;
	int64_t again_us;
	bool is_counted; /* this try is one of the round's */
	bool has_failed; /* a call was made, and ended otherwise than well */
};
struct delivery_course delivery_begin(
    struct job *job, struct job *run, const struct delivery_state *state);
/* Of a call, or of one row of a call for many: what it is now, and what follows. again_ms: the next
 * try is due in so many, or -1; is_ill: the target looked dead, and does so still. */
void delivery_after(struct delivery_course *c, const struct call_result *res, int64_t again_ms,
    bool is_ill, int64_t now_us);
/* It is over, without a call. */
void delivery_end(struct delivery_course *c, const char *status, const char *error);
/* It was not tried: it comes again at that time. */
void delivery_put_back(struct delivery_course *c, int64_t at_us);
/* Within the transaction that stores it: what failed with credentials or settings of `to` that have
 * been changed meanwhile is tried again at once, with what they are now, and was no try. */
int delivery_mind_changes(
    struct delivery_course *c, struct arena *a, const struct connection *to, struct err *err);
/* In the same transaction: their jobs end so. */
int delivery_end_jobs(
    struct db *db, struct delivery_course *const *courses, size_t n, struct err *err);

/* ---- attempts: delivery-attempts.c ---------------------------------------------------------- */

struct delivery_attempt {
	int number, http_status;
	int64_t at_us, duration_us;
	const char *error;
	struct str request;    /* what was sent, of at most 2048 characters, or {NULL,0} */
	struct str answer;     /* what the other side said, or {NULL,0} */
	const json_t *missing; /* a list of what was to be sent and is not there, or NULL */
};
struct delivery_attempt_row {
	const struct uuid *account_id, *delivery_id;
	const struct delivery_attempt *attempt;
};
/* Within a transaction, of at most LIMIT_DB_BATCH. */
int delivery_attempts_store(struct db *db, struct arena *a, const struct delivery_attempt_row *v,
    size_t n, struct err *err);
/* Those of a delivery go with it. */
int delivery_attempts_erase(
    struct db *db, const struct uuid *account_id, const struct uuid *delivery_id, struct err *err);
/* Where attempts name people (db/personal.h). */
extern const struct personal_table attempts_personal_table;
#endif
