/* Circuit breakers: what all hosts know of a target that looks dead, or that a person has paused. A
 * runner remembers them between its looks at the table. */
#ifndef JOB_BREAKER_H
#define JOB_BREAKER_H
#include "db/db.h"
#include "job/lane.h"

#define BREAKER_FAILURES 5 /* in a row, of the kinds that say "dead" or "not let in", open it */
#define BREAKER_PROBE_FIRST_US (5 * INT64_C(1000000))
#define BREAKER_PROBE_MOST_US (300 * INT64_C(1000000))
#define BREAKER_PROBES_QUICK 5
#define BREAKER_PROBE_QUICK_US INT64_C(1000000)

/* Within a transaction or alone: the next probe of the account's target, moved on if it is due now:
 * 1 it is the caller's to make, 0 another's or not due, -1. */
int breaker_take_probe(
    struct db *db, const struct lane_key *key, int64_t now_us, int64_t next_us, struct err *err);
/* Within a transaction: it failed in such a way once more: opened when it was closed, else the next
 * probe waits longer. Where it did not let us in (is_refused), the first probes come quickly: it
 * may be so of some jobs alone, and each probe is another's. *probe_at_us tells when. 1 opened, 0
 * it was open, -1. */
int breaker_open(struct db *db, struct arena *a, const struct lane_key *key, const char *why,
    bool is_refused, int64_t now_us, int64_t *probe_at_us, struct err *err);
/* The probe told nothing: another may be made at at_us. */
int breaker_again(struct db *db, const struct lane_key *key, int64_t at_us, struct err *err);
/* It works again. */
int breaker_close(struct db *db, const struct lane_key *key, int64_t now_us, struct err *err);
/* By a person: paused until resumed; or closed and tried at once. A target is paused as a whole, of
 * the account's own lanes (nil target) the one of the key's class. 1 changed, 0 it was so, -1. */
int breaker_pause(
    struct db *db, const struct lane_key *key, bool is_paused, int64_t now_us, struct err *err);
int breaker_try(struct db *db, const struct lane_key *key, int64_t now_us, struct err *err);

struct breaker {
	struct uuid account_id, target_id;
	int64_t opened_us, probe_at_us; /* 0: closed */
	int probes;
	unsigned paused;        /* a bit for each class: 1 << JOB_BULK */
	const char *last_error; /* or NULL */
	int64_t last_error_us;
};
/* All that are open or paused, of all accounts: at most LIMIT_DB_ROWS; and what time it is by the
 * database's clock, which so costs no round trip. */
int breaker_list(struct db *db, struct arena *a, struct breaker **out, size_t *n,
    int64_t *db_now_us, struct err *err);
/* Those of one account, the closed too: at most 1,000. */
int breaker_list_of(struct db *db, struct arena *a, const struct uuid *account_id,
    struct breaker **out, size_t *n, struct err *err);
/* Has a person paused this class of its jobs? */
bool breaker_is_paused(const struct breaker *b, enum job_class class);
/* "closed", "open", or "probing" while a probe runs or is due. */
const char *breaker_state(const struct breaker *b, int64_t now_us);

#endif
