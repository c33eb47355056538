/* Long work that people watch and may stop: an import, the deletion of all that a filter matches.
 * One row each with what was asked, how far it is and what it has counted; its job does the work in
 * steps, each a transaction together with its progress, so that whoever goes on after a crash
 * counts everything once. What the kinds do is their features' own.
 *
 *   draft → queued → running → completed
 *                  ↘         ↘ failed, cancelled      (failed → queued: its dead job is run again)
 */
#ifndef TASK_TASK_H
#define TASK_TASK_H
#include "db/personal.h"
#include "http/http.h"
#include "http/slice.h"
#include "job/job.h"

enum task_status {
	TASK_DRAFT,
	TASK_QUEUED,
	TASK_RUNNING,
	TASK_COMPLETED,
	TASK_FAILED,
	TASK_CANCELLED
};
const char *task_status_name(enum task_status status);
extern const struct word task_statuses[]; /* of those that are listed: no drafts */

/* ---- kinds: task-kind.c -------------------------------------------------------------------- */

/* What a count is to people: "Deleted", "records"; without a label it is none. */
struct task_word {
	const char *label, *unit;
};
struct task;
/* A kind of task: a constant of its feature, which product/wiring.c lists (hooks.task_kinds). */
struct task_kind {
	const char *name;     /* stored, and what the API shows; at most 32 bytes */
	const char *job;      /* the kind of its job, whose subject is the task */
	bool is_file;         /* it reads a file: the title is its name, done and total are bytes */
	const char *untitled; /* what people read of one that has no title */
	const char *doing, *did; /* the verb before "order records"; NULL: it has a title */
	const char *things;      /* instead of records; or NULL */
	const char *failed_list; /* the list of what failed of one, before its id; or NULL */
	struct task_word received, created, updated, unchanged, failed;
	/* What else the API shows of one; or NULL. */
	void (*tell)(const struct task *t, json_t *o);
};
/* The kind of that name; NULL when it is not known. */
const struct task_kind *task_kind(const struct app *app, const char *name);

/* ---- store: task-store.c ------------------------------------------------------------------- */

struct task_counts {
	int64_t received, created, updated, unchanged, failed; /* as the kind calls them */
};
struct task {
	struct uuid id, account_id, created_by;
	const char *kind;
	enum task_status status;
	struct str title;                        /* {"",0}: none */
	struct str provider_type, resource_type; /* what it is about; {"",0}: of all */
	struct str args;                         /* JSON: what was asked */
	struct str position;                     /* JSON: where to go on; {NULL,0} at the start */
	int64_t done, total;                     /* bytes or rows; total 0: not known */
	struct task_counts counts;
	const char *error;
	int64_t created_us, started_us, finished_us;
};
/* How far it is, by done and total: 0 to 100; -1: that cannot be told. */
int task_percent(const struct task *t);
/* Queued or running. */
bool task_is_open(const struct task *t);
int task_insert(struct db *db, const struct task *t, struct err *err);
/* Within a transaction: a new task, and its job. Fills what is not set of id, status and time;
 * job_id may be NULL. */
int task_queue(struct db *db, const struct task_kind *kind, struct task *t, struct uuid *job_id,
    struct err *err);
/* Of a draft: other args. */
int task_draft_update(struct db *db, const struct task *t, struct err *err);
/* Within a transaction that has loaded the draft with its lock: it is queued, with its args. */
int task_draft_queue(struct db *db, const struct task_kind *kind, struct task *t, struct err *err);
int task_delete(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err);
/* 1, 0, -1. With lock within a transaction: the row is held until its end. */
int task_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    bool is_locked, struct task *out, struct err *err);

struct tasks {
	struct task *v;
	size_t n;
};
struct task_filter {
	struct uuid account_id;
	struct str status; /* of task_statuses; {NULL,0}: any */
};
extern const struct filter_row task_filters[];
/* Newest first, drafts left out. s->rows is left alone. */
int task_list(struct db *db, struct arena *a, const struct task_filter *f, struct slice *s,
    struct tasks *out, struct err *err);
/* The account's open tasks, oldest first. */
int task_list_open(struct db *db, struct arena *a, const struct uuid *account_id, struct tasks *out,
    struct err *err);
/* The account's last tasks of a kind, newest first, drafts left out. */
int task_list_of_kind(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct task_kind *kind, int64_t limit, struct tasks *out, struct err *err);
/* The account's last tasks of a kind that counted failures, newest first. */
int task_list_failed(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct task_kind *kind, int64_t limit, struct tasks *out, struct err *err);
/* Of all accounts: drafts of a kind that were made before then. */
int task_list_drafts(struct db *db, struct arena *a, const struct task_kind *kind,
    int64_t before_us, int64_t limit, struct tasks *out, struct err *err);
/* How many of the account's tasks of a kind are drafts or open, and what their totals make. Nothing
 * is locked, since work in progress holds its row for long: who asks at the same moment as others
 * may be one too many. */
int task_sum_unfinished(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct task_kind *kind, int64_t *count, int64_t *total, struct err *err);
/* Within a transaction: what was asked is forgotten, but for args. */
int task_forget_args(struct db *db, const struct uuid *account_id, const struct uuid *id,
    struct str args, struct err *err);
/* Of any account: is it a draft or open, so that what it needs must be kept? 1, 0, -1. */
int task_is_needed(struct db *db, struct arena *a, const struct uuid *id, struct err *err);

/* ---- runs: task-run.c ---------------------------------------------------------------------- */

/* One run of a task's job. */
struct task_run {
	struct job *job;
	const struct task_kind *kind;
	struct task task; /* as of the last commit */
	bool is_over;     /* after a step: this run has no more to do */
	bool is_outside;  /* steps tell of work done before them: it counts when cancelled meanwhile
			   */
	struct arena *work[2];
	unsigned turn;
	int64_t keep_at_us, later_us;
	int64_t begun_us; /* when this run loaded it: before all that its steps store */
};
/* Loads the job's subject: 1 there is work, 0 the task has ended or (task.id nil) is gone, -1. */
int task_run_begin(
    struct job *j, const struct task_kind *kind, struct task_run **out, struct err *err);

enum task_then {
	TASK_GO_ON, /* this run takes the next step */
	TASK_AGAIN, /* the next run does, at once: others have had their turn, attempts begin anew
		     */
	TASK_LATER, /* the same, in run->later_us: it waits for the work of other jobs */
	TASK_DONE
};
/* The work of a step, within its transaction, which may be tried again: adds to next's counts, done
 * and position. The arena is emptied before each try; position may lie in it. */
typedef int task_work_fn(struct db *db, struct arena *a, void *arg, struct task *next,
    enum task_then *then, struct err *err);
/* Holds the task, does the work, stores progress and what becomes of the job. One that was ended
 * meanwhile ends the run without the work. ERR_CONFLICT: another run has gone on with it. */
int task_run_step(struct task_run *run, task_work_fn *work, void *arg, struct err *err);
/* When a step or what leads to it has failed with err: 0 the task has failed for good and says so,
 * and its job is over (err is cleared): with is_final, where trying again is of no use. Else -1:
 * the job comes back, or is given up (task_job_died). */
int task_run_fail(struct task_run *run, bool is_final, struct err *err);

/* For the rows of jobs of tasks in the table of kinds. A job that is given up leaves its task
 * failed with the reason; run again, it goes on where it was. */
int task_job_died(struct db *db, struct job *j, const char *why, struct err *err);
int task_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err);

/* ---- requests: task-api.c ------------------------------------------------------------------ */

/* As the API shows it, a new reference. */
json_t *task_json(const struct app *app, const struct task *t);
/* Answers a page of the account's tasks, each as show has it; list names it for its cursors. */
int task_answer_list(
    struct req *r, const char *list, json_t *(*show)(const struct app *app, const struct task *t));
/* The task that the route's :id names, drafts too: false after a 404 that calls it `what` ("such
 * import") or an error. */
bool task_of_request(struct req *r, const char *what, struct task *out);
/* Stops one that is open, with a row of the audit log: 1, 0 no such task, -1 (ERR_CONFLICT: it has
 * ended). */
int task_cancel(struct req *r, const struct uuid *id, struct task *out, struct err *err);
/* A page's button for that, for the route's :id: says what came of it and leads back. */
int task_answer_cancel_page(struct req *r, const char *what, const char *done, const char *back);

int task_api_list(struct req *r);   /* GET /tasks */
int task_api_get(struct req *r);    /* GET /tasks/:id */
int task_api_cancel(struct req *r); /* POST /tasks/:id/cancel */
/* Where tasks name people (db/personal.h). */
extern const struct personal_table tasks_personal_table;
#endif
