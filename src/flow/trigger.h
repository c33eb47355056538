/* Triggers: what starts a flow by itself.
 *
 *	webhook   a record of a provider and type is stored, or an event of that name comes
 *	poll      the same, and the records are fetched by an action, by the clock (intake/polls.h)
 *	schedule  by a cron expression (base/cron.h)
 *
 * A record that is stored while its trigger is enabled leaves a job in that very transaction
 * (flow.dispatch), which starts the runs and ends in one transaction: so a flow misses no record,
 * and sees none twice. A schedule has one job (flow.schedule), which starts the run and moves to
 * the next due time in one transaction. */
#ifndef FLOW_TRIGGER_H
#define FLOW_TRIGGER_H
#include "base/word.h"
#include "db/db.h"
#include "http/http.h"
#include "http/slice.h"
#include "job/job.h"
#include "lead/lead.h"
#include "record/record.h"

#define TRIGGERS_PER_ACCOUNT 1000
/* What a trigger says that was due. */
#define TRIGGER_NOT_PUBLISHED "The flow is not published, so nothing was started"

#define TRIGGER_ANY "*" /* provider_type: of any; resource_type: of each */
struct trigger {
	struct uuid id, account_id, flow_id, connection_id; /* connection_id nil: any */
	const char *kind;                                   /* TRIGGER_WEBHOOK, _POLL, _SCHEDULE */
	struct str provider_type, name, resource_type;      /* empty: of a schedule */
	json_t *config;
	bool is_enabled;
	int64_t created_us, updated_us, fired_us; /* fired_us 0: never */
	int64_t next_us; /* a schedule's next due time; 0: none, or another kind */
	int64_t fired;   /* runs that it has started */
	const char *last_error;
	int64_t error_us;
};
extern const struct word trigger_made_kinds[]; /* those that people make */

/* ---- records --------------------------------------------------------------------------------- */

/* The hook records_stored. Within the transaction that stored them: leaves a job for each that is
 * new or changed, or is of an event of a trigger's name. Records of leads are left to
 * triggers_on_lead_ready, since a lead is not whole yet. */
int triggers_tell(
    struct db *db, struct arena *a, const struct record_news *news, size_t n, struct err *err);
/* Within the transaction that stores an event of which no record comes: its name, and its body as
 * it came. */
struct trigger_event {
	struct uuid account_id, connection_id, event_id;
	struct str provider_type, name, body;
};
int triggers_tell_event(
    struct db *db, struct arena *a, const struct trigger_event *e, struct err *err);
/* The hooks lead_ready and lead_corrected: the same for leads that are whole, and for those that
 * have another form. */
int triggers_on_lead_ready(struct job *j, struct lead_ready *leads, size_t n, struct err *err);
int triggers_on_lead_corrected(struct job *j, struct lead_ready *leads, size_t n, struct err *err);
/* The hook record_dispatch: runs every active flow that is subscribed, at once. */
int triggers_replay(struct app *app, struct arena *a, const struct record_dispatch *d,
    int64_t *matched, json_t *ids, struct err *err);
/* Job flow.dispatch: args {"triggers":[id…],"event","leadId"?,"payload"?}, subject: the record;
 * with payload none. */
int trigger_job_dispatch(struct job *j, struct err *err);

/* ---- schedules ------------------------------------------------------------------------------- */

int trigger_job_schedule(struct job *j, struct err *err); /* flow.schedule, subject: the trigger */
/* Periodic: schedules whose job is not there get it. */
int triggers_keep(struct app *app, struct err *err);
/* When a schedule is due next after that time; 0: never. */
int64_t trigger_next_us(const struct trigger *t, int64_t after_us);
/* Within a transaction: brings the job of a schedule that was made or changed. */
int trigger_schedule_bring(struct db *db, const struct trigger *t, struct err *err);

/* ---- store ----------------------------------------------------------------------------------- */

extern const struct list list_of_triggers;
struct trigger_filter {
	struct uuid account_id, flow_id;
};
int trigger_list(struct app *app, struct arena *a, const struct trigger_filter *f, struct slice *s,
    struct err *err);
/* Sets "trigger" of each of an account's flows: the first that was made of it, or null. */
int triggers_add_to_flows(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *flows, struct err *err);
/* By its id: 1, 0, -1. */
int trigger_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct trigger *out, struct err *err);
/* A new reference. */
json_t *trigger_json(struct arena *a, const struct trigger *t);
enum trigger_act { TRIGGER_MAKE, TRIGGER_CHANGE, TRIGGER_REMOVE };
/* What people do to one, with its row of the audit log: 0, or -1 (ERR_CONFLICT: too many). */
int trigger_write(struct req *r, enum trigger_act act, const struct trigger *t, struct err *err);
/* Within the transaction that deletes a flow: its triggers go. */
int triggers_remove_of_flow(
    struct req *r, struct db *db, const struct uuid *flow_id, struct err *err);
/* The enabled ones of an account that are subscribed to records and events. As this process has
 * them: at most CACHE_TTL_US old where another host has changed them. They live until the next
 * call.
 */
struct triggers {
	struct trigger *v;
	size_t n;
};
int triggers_of_account(
    struct db *db, const struct uuid *account_id, struct triggers *out, struct err *err);
/* Those of a list of ids as text that are there, enabled or not, in no order. */
int triggers_by_ids(struct db *db, struct arena *a, const struct uuid *account_id,
    const json_t *ids, struct triggers *out, struct err *err);
/* The enabled polls of an account. */
int triggers_polling(struct db *db, struct arena *a, const struct uuid *account_id,
    struct triggers *out, struct err *err);
bool trigger_fits(const struct trigger *t, struct str provider_type, struct str resource_type);
/* Is it told of what was there before, as an import brings it? As its config says ("onImport"); if
 * that says nothing, of leads alone: those go their whole way wherever they come from. */
bool trigger_takes_imports(const struct trigger *t);
/* Within a transaction: of these triggers each has started a run; or none
 * could, with an error for people. */
int triggers_note_fired(struct db *db, const struct uuid *account_id, const struct uuid *ids,
    size_t n, const char *error, struct err *err);
/* Within a transaction: a schedule's, with the row held. */
int trigger_lock(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct trigger *out, struct err *err);
int trigger_set_next(struct db *db, const struct trigger *t, int64_t next_us, struct err *err);
/* Schedules that are due since long: [{id, account}…]. */
int triggers_overdue(struct db *db, struct arena *a, int64_t before_us, struct trigger **out,
    size_t *n, struct err *err);

/* ---- what people give ------------------------------------------------------------------------ */

/* Reads config, which the trigger's kind decides, and completes t by it (resource_type, next_us);
 * complaints go to the request, at "config.…". -1 only where the database is away. */
int trigger_check_config(struct req *r, struct trigger *t, struct err *err);
/* One that is made, or changed, with what is to be stored in t: complaints go to the request, at
 * the names that the API has; without any it is written. */
int trigger_make(struct req *r, struct trigger *t, struct err *err);
int trigger_change(struct req *r, const struct trigger *was, struct trigger *t, struct err *err);
/* The same look without writing it. -1 where the database is away. */
int trigger_check(struct req *r, struct trigger *t, struct err *err);
/* That of the route's :id; false with the answer given. */
bool trigger_of_route(struct req *r, struct trigger *out);
/* Adds what others know of them to some rows (trigger_json). */
int triggers_tell_more(struct req *r, json_t *rows, struct err *err);
/* Every so many seconds a poll asks; 0: as usual. */
int64_t trigger_interval_s(const struct trigger *t);

int trigger_api_list(struct req *r);   /* GET /triggers, /flows/:flowId/triggers */
int trigger_api_create(struct req *r); /* POST /flows/:flowId/triggers */
int trigger_api_update(struct req *r); /* PATCH /triggers/:id */
int trigger_api_delete(struct req *r); /* DELETE the same */
int trigger_page_list(struct req *r);  /* GET /admin/triggers */
int trigger_page_new(struct req *r);   /* GET /admin/flows/:id/triggers/new: kinds, then a form */
int trigger_page_new_post(struct req *r);
int trigger_page_one(struct req *r); /* GET /admin/triggers/:id */
int trigger_page_one_post(struct req *r);
int trigger_page_delete(struct req *r); /* GET …/delete: asks */
int trigger_page_delete_post(struct req *r);
#endif
