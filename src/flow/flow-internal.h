/* What the files of this room share.
 *
 *	flow-plan.c        steps from JSON, compiled: keys, fields, templates, conditions
 *	flow-plans.c       compiled versions, kept in this process
 *	flow-store.c       flows and their versions; flow-api.c, flow-version-api.c
 *	flow-pages.h       the pages
 *	flow-health.c      what their list says of each flow
 *	execution-store.c  runs: reading, beginning, order
 *	execution-retain.c how they go by age
 *	execution-keep.c   what a commit keeps: steps, where a run stands, how it ended
 *	execution-list.c   task history: filters, JSON
 *	execution-turn.c   so many runs of a flow at a time
 *	execution-cancel.c runs that people end
 *	flow-start.c       runs begin
 *	flow-replay.c      runs that repeat others; many: execution-repeat.c
 *	flow-diff.c        what differs between two versions
 *	flow-walk.c        which step is next, and what comes of it
 *	flow-context.c     what templates see of a run
 *	flow-state.c       where a run stands, as JSON and back
 *	flow-personal.c    runs of people who are erased
 *	flow-run.c         the job: walk, commit, call, commit …
 *	step.c, step-*.c   the kinds */
#ifndef FLOW_FLOW_INTERNAL_H
#define FLOW_FLOW_INTERNAL_H
#include "account/audit.h"
#include "base/limits.h"
#include "flow/flow.h"
#include "flow/step.h"
#include "http/slice.h"
#include "record/record.h"

#define FLOW_STEPS_MOST 200u                   /* of a flow, those within others counted in */
#define FLOW_DEPTH_MOST 8u                     /* steps within steps */
#define FLOW_SUB_DEPTH 5                       /* flows that start flows */
#define FLOW_LOOP_LIMIT 1000                   /* turns of a loop that says nothing */
#define FLOW_LOOP_MOST 10000                   /* that one may ask for */
#define FLOW_CONCURRENCY_MOST 1000             /* runs at a time that a flow may be limited to */
#define FLOW_RUN_STEPS 20000                   /* that one run may do */
#define FLOW_JSON_BYTES (256u * 1024u)         /* steps of a flow */
#define FLOW_STATE_WEIGHT (8u * 1024u * 1024u) /* of all that a run remembers (json_weight) */
#define FLOW_RESULTS_WEIGHT (1024u * 1024u)    /* of what a loop's turns gave; then null */
#define FLOW_SHOWN_BYTES (16u * 1024u)         /* of an input or output in the history */
#define FLOWS_PER_ACCOUNT 1000
#define FLOW_STATS_DAYS 30 /* that the API tells */

/* ---- plans ----------------------------------------------------------------------------------- */

/* A field of a step, compiled as its type says. */
struct step_value {
	const json_t *given; /* NULL: not given */
	struct expr *expr;
	struct formula *formula;
};
/* Steps one after the other: the flow's own, a branch's, a loop's body. */
struct flow_list {
	const char *name;          /* of a branch, or NULL */
	struct formula *condition; /* NULL: always */
	struct flow_step *steps;
	size_t n;
};
enum on_error { ERROR_STOPS, ERROR_CONTINUES, ERROR_BRANCHES };
struct flow_step {
	const struct step_kind *kind;
	const char *name, *key; /* key: step_2_1 */
	const char *place;      /* "steps[1].config.steps[0]" */
	const json_t *json;
	unsigned number;           /* among all, in the order in which they are written */
	struct step_value *values; /* by the kind's fields */
	struct expr *mapping;      /* of a kind that takes any */
	struct flow_list *lists;
	size_t nlists;
	struct flow_list *on_error_list; /* or NULL; behind the lists */
	enum on_error on_error;
	int attempts;
	int64_t wait_s, most_wait_s;
	const char *provider_type, *action;
	struct uuid connection_id;
};
struct flow_settings {
	struct expr *order_by; /* runs that give the same go one after the other; NULL: none */
	int64_t time_limit_s;  /* 0: none */
	int64_t concurrency;   /* so many runs at a time; 0: any number */
};
struct flow_plan {
	struct arena *a;
	struct uuid flow_id;
	int version;
	struct flow_list top;
	struct flow_step **all; /* by number */
	size_t nsteps;
	struct flow_settings settings;
};
/* Steps and settings as they are stored or came; complaints by in, whose reader may gather them.
 * The plan lives in a. 0, or -1 with at least one complaint made. */
int flow_plan_compile(struct arena *a, const json_t *steps, const json_t *settings,
    struct json_reader *in, struct flow_plan *out);
/* Does all that the steps name exist? Complaints as above; -1 only where that cannot be known. */
int flow_plan_check(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, const struct flow_plan *plan, struct json_reader *in,
    struct err *err);
/* A published version, compiled; it lives until the next call at least as long as a holds. 1, 0 no
 * such, -1. */
int flow_plan_of(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, int version, const struct flow_plan **out, struct err *err);
/* That of a draft: {"steps", "settings"}; in a. */
int flow_plan_of_draft(struct arena *a, const struct uuid *flow_id, const json_t *draft,
    const struct flow_plan **out, struct err *err);
/* The scope that templates of a run see: context is {"trigger", "step_1", …}. */
struct scope flow_scope(struct arena *a, json_t *context);

/* ---- flows ----------------------------------------------------------------------------------- */

struct flow {
	struct uuid id;
	const char *name, *description, *status;
	int version, versions;
	bool has_draft;
	json_t *steps, *settings;
	int64_t created_us, updated_us, published_us;
	int64_t expected_us; /* of a change: updated_us must still be that; 0: whatever it is */
};
extern const struct list list_of_flows;
struct flow_filter {
	struct uuid account_id;
	struct str status, search;
};
int flow_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct flow *out, struct err *err);
json_t *flow_json(struct arena *a, const struct flow *f);
int flow_list_slice(struct app *app, struct arena *a, const struct flow_filter *f, struct slice *s,
    struct err *err);
/* Adds "stats" to each flow of rows: {runs, completed, failed, …} of the last days. */
int flow_add_stats(struct app *app, struct arena *a, const struct uuid *account_id, int days,
    json_t *rows, struct err *err);
/* What people do, each in a transaction of its own with its row of the audit log. ERR_CONFLICT:
 * somebody has changed it since expected_us. */
int flow_insert(struct req *r, struct flow *f, struct err *err);
int flow_update(struct req *r, struct flow *f, const char *act, struct err *err); /* 1, 0, -1 */
int flow_remove(struct req *r, const struct uuid *id, struct err *err);           /* 1, 0, -1 */
/* The draft, or (source > 0) that version, becomes the next version. */
int flow_publish(struct req *r, struct flow *f, int source, struct err *err);
int flow_version_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, int version, json_t **steps, json_t **settings, struct err *err);
int flow_versions_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *flow_id, json_t **out, struct err *err);
/* Publishes that version anew, which f is then: 1; 0 there is none; -1, with complaints by
 * req_invalid too where what it names has gone. */
int flow_revert_to(struct req *r, struct flow *f, struct str word, int *version, struct err *err);
/* What differs (flow-diff.h) between two versions as addresses name them, "draft" too: 1, 0, -1. */
int flow_diff_of(struct req *r, const struct flow *f, struct str before, struct str after,
    json_t **out, struct err *err);
/* Published versions of n flows of an account, at most LIMIT_DB_BATCH: 0 where it is none. A second
 * old at most, and never older than a publication on this host. */
int flow_published_versions(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, int *versions, struct err *err);

/* ---- handlers' own --------------------------------------------------------------------------- */

/* The flow of the route's :id; false with the answer given. */
bool flow_of_route(struct req *r, struct flow *out);
int flow_answer(struct req *r, int status, const struct flow *f);
struct flow flow_new(struct arena *a);
void flow_copy(struct arena *a, const struct flow *f, struct flow *copy); /* onto a new one */
int flow_create_answered(struct req *r, struct flow *f);
/* Complaints of steps are gathered by req_invalid; false: the database is away. */
bool flow_check_steps(struct req *r, const struct uuid *flow_id, const json_t *steps,
    const json_t *settings, struct err *err);

/* Walks a plan without any effect: {"status","error","errorStep","output","steps"}, what each step
 * was given, and would have done. record_id nil: of none. Arena-owned. */
json_t *flow_try(struct req *r, const struct flow_plan *plan, const struct uuid *flow_id,
    json_t *payload, struct uuid record_id);
/* Runs the draft for real, in a transaction of its own: its steps go with the run, which has no
 * version. */
int flow_test_start(
    struct req *r, const struct flow *f, json_t *payload, struct uuid *id, struct err *err);
/* A run of what is published, now: *id is nil where nothing is. */
int flow_start_by_hand(struct req *r, const struct uuid *flow_id, json_t *payload,
    struct uuid record_id, struct uuid *id, struct err *err);

/* ---- runs ------------------------------------------------------------------------------------ */

struct execution {
	struct uuid account_id, id, flow_id, record_id, event_id, trigger_id, parent_id, replay_of,
	    replayed_by;
	int version, depth;
	enum job_class class; /* of the job that it begins with; not stored */
	const char *status, *kind, *error, *error_step;
	bool is_cancelling, has_order;
	struct uuid order_key;
	json_t *payload, *plan; /* plan: of a test of the draft, {"steps","settings"} */
	int64_t created_us, started_us, wait_us, finished_us;
	json_t *state; /* where it stands; NULL: it has not begun */
	const char *output;
};
/* Of a step, for the history. */
struct execution_step {
	int seq;
	struct uuid id;
	const char *step, *place, *name, *kind, *status, *error;
	int attempts;
	struct str input, output;        /* JSON; {NULL,0}: none */
	int64_t started_us, duration_us; /* duration -1: not ended */
};
/* In SQL: the statuses of those that have ended. */
#define EXECUTION_ENDED                                                                            \
	"'" EXECUTION_COMPLETED "','" EXECUTION_FAILED "','" EXECUTION_CANCELLED                   \
	"','" EXECUTION_FILTERED "'"
#define STEP_RUNNING "running"
#define STEP_WAITING "waiting"
#define STEP_COMPLETED "completed"
#define STEP_FAILED "failed"
#define STEP_FILTERED "filtered"

/* What a commit keeps of one run. */
struct execution_store {
	struct execution *x;
	const struct execution_step *steps;
	size_t nsteps;
	struct str state; /* {NULL,0}: it needs none any more */
	bool had_state;
};
/* Within a transaction: locks n runs of an account and reads whether they still go on: is_over[i]
 * where one has ended, or is gone, and x->is_cancelling. */
int executions_lock(struct db *db, struct arena *a, struct execution *const *xs, size_t n,
    bool *is_over, struct err *err);
int executions_store(
    struct db *db, struct arena *a, const struct execution_store *s, size_t n, struct err *err);
int executions_insert(struct db *db, struct execution *const *xs, size_t n, struct err *err);
int execution_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct execution *out, struct err *err); /* with its state */
/* The earliest run of the key that has not ended, before this one; 1, 0, -1. */
int execution_before(struct db *db, struct arena *a, const struct execution *x, struct err *err);
/* The next of its key that waits: 1, 0, -1. */
int execution_behind(
    struct db *db, struct arena *a, const struct execution *x, struct uuid *id, struct err *err);
/* What a child that has ended gave. 1, 0 it goes on, -1; gone counts as failed. */
int execution_outcome(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const char **status, json_t **output, const char **error,
    struct err *err);
/* What it began with was erased, with all that came of it. */
bool execution_is_erased(const struct execution *x);
int execution_set_cancelling(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err);
struct execution_filter {
	struct uuid account_id, flow_id, record_id;
	struct str status, kind, repeated, search;
	struct opt_time from, to;
};
#define EXECUTION_SEARCHED 20 /* records whose runs a search finds */
extern const struct list list_of_executions;
extern const struct word execution_repeated[]; /* was it run again? */
int execution_list(struct app *app, struct arena *a, const struct execution_filter *f,
    struct slice *s, struct err *err);
json_t *execution_json(struct arena *a, const struct execution *x, bool is_whole);
#define EXECUTION_STEPS_SHOWN 5000
/* So many steps at most, behind that seq. */
int execution_steps_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, int after, int most, json_t **out, struct err *err);
/* Behind which seq the last step stands that failed; 0: none did. */
int execution_failed_seq(
    struct app *app, struct arena *a, const struct execution *x, int *after, struct err *err);
/* Cancels a run, with its row of the audit log: one that waits has ended then; one that runs ends
 * at its next step. ERR_CONFLICT: it had ended. */
int execution_end_by_hand(struct req *r, struct execution *x, struct err *err);
json_t *execution_step_json(struct arena *a, const struct execution_step *t);
/* Those that failed for want of their job go on. */
int executions_reopen(struct db *db, const struct uuid *account_id, const struct uuid *ids,
    size_t n, struct err *err);
/* Where a replay goes on, with the steps that ended before in another run, but one. */
int execution_put_state(struct db *db, const struct execution *x, const struct uuid *from,
    int but_seq, struct str state, struct err *err);
/* Notes at the run that x repeats that it was run again. */
int execution_note_replay(struct db *db, const struct execution *x, struct err *err);

/* Within a transaction: may one that has not begun begin, of a flow that lets limit run at a time?
 * If not, its job is put off until it is woken (execution-turn.c). */
int turn_take(struct db *db, struct job *j, const struct execution *x, int64_t limit,
    bool *has_turn, struct err *err);
/* Within the transaction that ends it: the one that waits longest looks. */
int turn_end(struct db *db, struct arena *a, const struct execution *x, struct err *err);

/* The job of a run: its id is the run's. */
struct job flow_job(
    const struct uuid *account_id, const struct uuid *flow_id, const struct uuid *execution_id);

/* Within a transaction: n such runs, at most LIMIT_DB_BATCH, of one account, with their jobs. */
int flow_begin(struct db *db, struct execution *const *xs, size_t n, struct err *err);
/* Whether it goes in turn with others, by the plan's orderBy. */
void flow_set_order(struct arena *a, struct execution *x, const struct flow_plan *plan);

/* JSON as the history shows it: secrets masked, cut where long. */
struct str flow_shown(struct arena *a, const json_t *v);

#endif
