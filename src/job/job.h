/* Transactional outbox: a job is a row written in the transaction of the fact that caused it,
 * claimed by lease, run by connect-cron, deleted in the transaction of its own effects. A dead
 * runner's lease runs out and another takes over, so every job may run twice and must be safe to.
 */
#ifndef JOB_JOB_H
#define JOB_JOB_H
#include <stdbool.h>

#include "base/app.h"
#include "base/json.h"
#include "db/personal.h"
/* What share of the runner a job has: live work never waits behind bulk, bulk always moves. */
enum job_class { JOB_LIVE, JOB_BULK, JOB_PERIODIC, JOB_CLASSES };
/* How the job's target (its connection…) behaved: took it, asked for less, looks dead, does not let
 * us in. */
enum job_peer { JOB_PEER_UNKNOWN, JOB_PEER_OK, JOB_PEER_BUSY, JOB_PEER_DEAD, JOB_PEER_REFUSED };

struct job {
	struct uuid id, account_id;
	enum job_class class;
	struct uuid target_id; /* whose lane it is in: a connection…; nil: the account itself */
	const char *kind;
	struct uuid subject_id; /* what it is about (a lead, a delivery…) */
	struct str args;        /* JSON text, or {NULL,0} */
	int64_t run_at_us;      /* 0: now */
	int tries;              /* what it has tried of its own accord: job_retry */
	/* set when run: */
	struct uuid lease_id; /* the runner that holds it; nil outside one */
	int attempts;         /* this one included; with lease_id it fences off an older claim */
	int64_t lease_us;     /* how long the claim was made for: its kind's own lease */
	int deaths;           /* how many runners died under it since it ended a run */
	bool is_ended;        /* finished, rescheduled or dead, committed or about to be */
	bool is_lost;         /* an ending found that another runner has it */
	bool is_hopeless;     /* a run that fails may set it: trying again is of no use */
	bool is_probe;      /* its target's breaker is open: this run is to tell whether it lives */
	enum job_peer peer; /* job_note_peer */
	const char *peer_error;
	void *loaded; /* by its kind's load, in this job's arena; NULL: it reads for itself */
	struct runner *runner;
	struct lanes *lanes; /* the runner's */
	struct arena *a;     /* the run's arena */
	struct app *app;
};
/* A kind of job. run does the work: outside a transaction for whatever waits, then job_finish (or
 * another ending) inside the transaction that stores its effects. Answering 0 without an ending
 * deletes the job; -1 puts it back with back-off (30 s doubling to 1 h), dead after max_attempts,
 * after five deaths of its runner, or at once where it is_hopeless.
 * load, or NULL, reads at once, outside a transaction, what n jobs of the kind and of one account
 * need that were claimed together, 1 ≤ n ≤ LIMIT_DB_BATCH. After -1 they start unloaded. */
struct job_kind {
	const char *name;
	int (*run)(struct job *j, struct err *err);
	int max_attempts;
	int64_t lease_s; /* of its own, shorter or longer; 0: job_lease_s as configured */
	/* Both or neither. died, within the transaction that gives the job up: its subject says so,
	 * and why (for people). When it fails the job is dead all the same. */
	int (*died)(struct db *db, struct job *j, const char *why, struct err *err);
	/* Within the transaction that makes n dead jobs of an account due again: their subjects no
	 * longer say so. */
	int (*revived)(struct db *db, struct arena *a, const struct uuid *account_id,
	    const struct uuid *subjects, size_t n, struct err *err);
	/* Periodic work (periodic.h) instead: so many seconds between its runs, and what it does, a
	 * step at a time, which may block: 0, -1, or 1 when there is more to do. */
	int64_t every_s;
	int (*work)(struct app *app, struct err *err);
	int (*load)(struct app *app, struct job *const *jobs, size_t n, struct err *err);
};
struct runner;
/* A piece of a transaction, as of db_transaction: may be run again. */
typedef int job_body(struct db *db, void *arg, struct err *err);
/* The same for n jobs of one account whose pieces are stored in one commit, by statements that they
 * share: args are theirs, 1 ≤ n ≤ LIMIT_DB_BATCH. It fails as a whole; then each is run again
 * alone, with n = 1. */
typedef int job_body_many(struct db *db, void *const *args, size_t n, struct err *err);

/* Within a transaction: writes the rows; after the commit a runner of this host that has room
 * begins them at once, or is woken. Ids are made where nil. */
int job_insert(struct db *db, struct job *jobs, size_t n, struct err *err);
/* Within a transaction: makes sure that the job with this very id is there and due: inserts it, or
 * brings a waiting or dead one forward; one that is running goes on as it is. How a thing that has
 * one job of its own is pushed again. */
int job_run_now(struct db *db, const struct job *j, struct err *err);
/* Within a transaction: the job is done / shall run again at a time with other args (attempts
 * restart) / is dead. ERR_CONFLICT when the lease was lost to another runner: roll back, the other
 * has it. */
int job_finish(struct db *db, struct job *j, struct err *err);
/* The same for n jobs, in one statement mostly. */
int job_finish_many(struct db *db, struct job *const *jobs, size_t n, struct err *err);
int job_reschedule(struct db *db, struct job *j, int64_t at_us, struct str args, struct err *err);
/* The same with its args as they are and one try more on record: a wait between tries is a row with
 * a time, which holds no slot and no memory. With is_counted false the try does not count: its
 * target was known to be dead. */
int job_retry(struct db *db, struct job *j, int64_t at_us, bool is_counted, struct err *err);
/* Within a transaction: given up by a run that tells its subject itself; why for people. */
int job_die(struct db *db, struct job *j, const char *why, struct err *err);
/* Its arguments, an object of the run's arena, empty where it has none. NULL when they cannot be
 * read: then the job is hopeless. */
const json_t *job_args(struct job *j, struct err *err);
/* A transaction that stores what a job has done. While the database is away it is waited for and
 * the transaction tried again, as long as the lease may last: what was done outside is not done
 * twice because it could not be written down. Otherwise as db_transaction. */
int job_transaction(struct job *j, job_body *body, void *arg, struct err *err);
/* The same, where jobs that do the same do it together: all of an account that wait for the commit
 * with this very body are run by one call of it. */
int job_transaction_many(struct job *j, job_body_many *body, void *arg, struct err *err);
/* What the run has shown of the job's target, and why: moves its lane's window, opens and closes
 * its breaker. The last word counts. After its calls: with OK the next job may make its own, while
 * this one is stored. */
void job_note_peer(struct job *j, enum job_peer peer, const char *why);
/* Its call brought n things there at once, and well, which says as much of the target as n calls
 * would. */
void job_note_taken(struct job *j, size_t n);
/* Was it to tell whether a target that looked dead, or did not let us in, is well again, and found
 * that it is not? Then the run is no try of the job's own. */
bool job_found_target_ill(const struct job *j);
/* For a kind's load: s finds rows by the jobs' account and their subjects (… = ? … IN (…)), with
 * the id in that column. read is called for each job whose subject is among them, and sets `loaded`
 * to something in the job's own arena: the rows go before it does. */
int job_load_subjects(struct app *app, const struct db_stmt *s, size_t id_column,
    struct job *const *jobs, size_t n,
    int (*read)(struct job *j, const struct db_rows *rows, size_t row, struct err *err),
    struct err *err);
/* Extends the lease of a long job, which has got on: deaths of its runners before do not count. */
int job_keep(struct db *db, struct job *j, struct err *err);
/* Periodic: forgets lanes that had no job for a day: 1 there are more, 0, -1. */
int job_lanes_purge(struct app *app, struct err *err);
/* What a run does beside its own job. Claims at most so many others of its kind, account and target
 * into out: those due within ahead_us that were never tried, and of the others those due within
 * JOB_BESIDE_US; the latest first, so that who is due now keeps a run of its own. They have its
 * arena, and its lease. Outside a transaction. */
#define JOB_BESIDE_US SECOND_US
int job_claim_beside(
    struct job *j, size_t most, int64_t ahead_us, struct job *out, size_t *n, struct err *err);
/* Within a transaction: they are done / shall run at that time, and why. One whose lease is
 * another's by now is left to it. */
int job_finish_beside(struct db *db, struct job *const *jobs, size_t n, struct err *err);
int job_return_beside(struct db *db, struct job *const *jobs, size_t n, int64_t at_us,
    const char *why, struct err *err);
/* Tells a runner of this host that there is work of the class; never blocks, never fails. */
void job_wake(const struct config *cfg, enum job_class class);
/* Is its runner about to end? Then long work stops at its next step and gives the job back. */
bool job_has_to_yield(const struct job *j);

struct runner *runner_new(struct app *app, const struct job_kind *kinds, size_t n, struct err *err);
/* It serves one class alone: its own part, 1/sharers, of the host's slots for that class and of
 * what may run for one target. Without this it serves all classes. Before it runs. */
void runner_set_role(struct runner *rn, enum job_class class, int sharers);
/* Claims and runs jobs; ends when should_stop(arg) says so: then it drains what runs, gives back
 * what has to wait, and leaves the board. */
int runner_run(struct runner *rn, bool (*should_stop)(void *), void *arg);
/* Runs everything due now and what that makes due, then answers how many ran. */
int runner_once(struct runner *rn, struct err *err);
/* Takes a seat at the host's board, so that it is woken and jobs are handed to it. Without one it
 * finds work by looking, twice a second. */
int runner_listen(struct runner *rn, struct err *err);
void runner_free(struct runner *rn);
/* A job inserted pre-claimed by this runner within a job's transaction runs right after its commit,
 * without the claim's round trip: same as job_insert outside a runner. */
int job_insert_next(struct db *db, struct job *parent, struct job *jobs, size_t n, struct err *err);
/* Work for moments when no job is due: whether there is more of it, or -1. Each call takes a few
 * milliseconds; any number of hosts may do it at once. */
enum { BACKGROUND_NONE, BACKGROUND_SOON /* in a tenth of a second */, BACKGROUND_AT_ONCE };
void runner_set_background(struct runner *rn, int (*run)(struct app *app, struct err *err));
/* Depth and age of an account's queue, for its dashboard; beyond 100,000 jobs a lower bound. */
struct job_stats {
	int64_t ready, waiting, dead, oldest_due_us;
};
int job_stats(struct db *db, const struct uuid *account_id, struct job_stats *out, struct err *err);
/* Where jobs name people (db/personal.h). */
extern const struct personal_table jobs_personal_table, breakers_personal_table;
#endif
