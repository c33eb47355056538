/* Flows: a trigger and steps that people build, kept in versions, and their runs. The manual is
 * docs/internals/flows.md.
 *
 *	draft ──publish──> version 1, 2, 3 … (never changed)
 *	                        │ flow_start, in the transaction of the fact
 *	                        ▼
 *	execution: pending ─> running ⇄ waiting ─> completed | failed | cancelled | filtered
 *
 * A run is a row and a job of the same id. What a step gave is on record before the next effect
 * outside begins, so a step that ended is never run again. */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H
#include "base/word.h"
#include "db/db.h"
#include "http/http.h"
#include "job/job.h"
#include "task/task.h"

#define FLOW_DRAFT "draft" /* never published */
#define FLOW_PUBLISHED "published"
#define FLOW_ARCHIVED "archived" /* it runs no more; what runs goes on */
extern const struct word flow_statuses[];

#define EXECUTION_PENDING "pending"
#define EXECUTION_RUNNING "running"
#define EXECUTION_WAITING "waiting" /* for a time, or a sub-flow; holds nothing */
#define EXECUTION_COMPLETED "completed"
#define EXECUTION_FAILED "failed"
#define EXECUTION_CANCELLED "cancelled"
#define EXECUTION_FILTERED "filtered" /* a filter said no: a silent end */
extern const struct word execution_statuses[];

/* What a run came of. */
#define TRIGGER_MANUAL "manual"
#define TRIGGER_RECORD "record"
#define TRIGGER_WEBHOOK "webhook"
#define TRIGGER_POLL "poll"
#define TRIGGER_SCHEDULE "schedule"
#define TRIGGER_REPLAY "replay"
#define TRIGGER_TEST "test"
#define TRIGGER_SUB_FLOW "sub_flow"
extern const struct word trigger_kinds[];

/* One run to be started. */
struct flow_start {
	struct uuid account_id, flow_id;
	const char *kind;      /* TRIGGER_… */
	json_t *payload;       /* what {{trigger…}} finds; an object, borrowed */
	struct uuid record_id; /* nil: none */
	struct uuid event_id;  /* of the request that it came of; nil: none */
	struct uuid trigger_id;
	struct uuid parent_id; /* of a sub-flow */
	int depth;
	enum job_class class; /* bulk: of what was imported */
	/* set on return: */
	struct uuid execution_id; /* nil: the flow is not published, so nothing was started */
};
/* Within a transaction: n runs of the flows' published versions, of one account: their rows and
 * jobs, in few statements however many they are. They begin after the commit. A payload above
 * LIMIT_RECORD_BYTES: ERR_LIMIT. */
int flow_start(struct app *app, struct db *db, struct arena *a, struct flow_start *starts, size_t n,
    struct err *err);
/* What {{trigger…}} finds of a record, from its JSON of the API: the members of its data, and
 * beside them recordId, providerType, resourceType, externalId and record, the whole. */
json_t *flow_record_payload(struct arena *a, const json_t *record);
/* The runs that came of a request, the first 100: [{flow,href,status,statusLabel}], the arena's. */
int flow_runs_of_event(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *event_id, json_t **out, struct err *err);
/* {"name","status"} of each flow of the account by its id's text; arena-owned. */
int flow_names(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);

/* The job flow.run, its load and its end (product/wiring.c). */
int flow_job_run(struct job *j, struct err *err);
int flow_job_load(struct app *app, struct job *const *jobs, size_t n, struct err *err);
int flow_job_died(struct db *db, struct job *j, const char *why, struct err *err);
int flow_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err);
/* The task that runs failed runs again, and its job flow.repeat. */
extern const struct task_kind execution_repeat_task;
int execution_job_repeat(struct job *j, struct err *err);
/* Periodic: runs that ended go by age (execution_retention_days), with their steps; how many there
 * were stays. */
int flow_retain(struct app *app, struct err *err);

/* Within a transaction: of the runs that began with a record all that they were given and gave
 * goes, and those that have not ended end. 0, -1. */
int flow_erase_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, struct err *err);
extern const struct personal_table executions_personal_table, execution_steps_personal_table,
    execution_states_personal_table; /* db/personal.h */

/* Handlers (product/routes.def). */
int flow_api_list(struct req *r);
int flow_api_create(struct req *r);
int flow_api_get(struct req *r);
int flow_api_update(struct req *r);
int flow_api_delete(struct req *r);
int flow_api_publish(struct req *r);
int flow_api_archive(struct req *r);
int flow_api_versions(struct req *r);
int flow_api_version(struct req *r);
int flow_api_revert(struct req *r);
int flow_api_diff(struct req *r);
int flow_api_duplicate(struct req *r);
int flow_api_export(struct req *r);
int flow_api_import(struct req *r);
int flow_api_kinds(struct req *r); /* GET /flow-steps: what steps there are, and their fields */
int flow_api_run(struct req *r);
int flow_api_test(struct req *r);
int flow_api_preview(struct req *r);
int flow_page_list(struct req *r);        /* GET /admin/flows */
int flow_page_new(struct req *r);         /* GET /admin/flows/new */
int flow_page_new_post(struct req *r);    /* POST: empty, or ready-made */
int flow_page_ready(struct req *r);       /* GET /admin/flows/new/:ready */
int flow_page_import_post(struct req *r); /* POST /admin/flows/import */
int flow_page_steps(struct req *r);       /* GET /admin/flows/:id */
int flow_page_move(struct req *r);        /* POST …/move */
int flow_page_step_new(struct req *r);    /* GET …/steps/new: the kinds, then the form of one */
int flow_page_step_new_post(struct req *r);
int flow_page_step(struct req *r); /* GET …/steps/:step */
int flow_page_step_post(struct req *r);
int flow_page_remove(struct req *r); /* GET …/steps/:step/remove: asks */
int flow_page_remove_post(struct req *r);
int flow_page_test(struct req *r); /* GET …/test */
int flow_page_test_post(struct req *r);
int flow_page_run(struct req *r); /* GET …/run */
int flow_page_run_post(struct req *r);
int flow_page_settings(struct req *r); /* GET …/settings */
int flow_page_settings_post(struct req *r);
int flow_page_publish(struct req *r);   /* POST …/publish */
int flow_page_archive(struct req *r);   /* POST …/archive */
int flow_page_duplicate(struct req *r); /* POST …/duplicate */
int flow_page_delete(struct req *r);    /* GET …/delete: asks */
int flow_page_delete_post(struct req *r);
int flow_page_versions(struct req *r);
int flow_page_revert(struct req *r);
/* Pages: /admin/task-history, and the tab of a flow. */
int execution_page_history(struct req *r);
int execution_page_of_flow(struct req *r); /* /admin/flows/:id/runs */
int execution_page_detail(struct req *r);
int execution_page_again(struct req *r);  /* POST …/again: the ticked ones */
int execution_page_replay(struct req *r); /* POST …/:id/replay */
int execution_page_cancel(struct req *r);
int execution_page_repeat(struct req *r); /* GET, POST /admin/task-history/replay: failed ones */
int execution_page_repeat_post(struct req *r);
int execution_page_repeat_cancel(struct req *r);
int execution_api_history(struct req *r); /* GET /task-history */
int execution_api_list(struct req *r);
int execution_api_get(struct req *r);
int execution_api_steps(struct req *r);
int execution_api_replay(struct req *r);
int execution_api_replay_all(struct req *r); /* POST /task-history/replay */
int execution_api_cancel(struct req *r);
#endif
