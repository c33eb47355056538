/* Triggers: what starts a flow by itself. A record that is stored while its trigger is enabled
 * leaves a job in that very transaction (flow.dispatch), which starts the runs and ends in one
 * transaction: so a flow misses no record, and sees none twice. */
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

struct trigger {
	struct uuid id, account_id, flow_id, connection_id;
	const char *kind; /* TRIGGER_WEBHOOK */
	struct str provider_type, name, resource_type;
	json_t *config;
	bool is_enabled;
	int64_t created_us, updated_us, fired_us;
};

/* ---- records ----------------------------------------------------------------------------------
 */

/* Within the transaction that stored n records: leaves a job for each that is new or changed and
 * that triggers are subscribed to. connections: of each, whose it is. Leads are left to
 * triggers_on_lead_ready, since they are not whole yet. */
int triggers_tell(struct db *db, struct arena *a, const struct record_item *items,
    const struct uuid *connections, size_t n, struct err *err);
/* The hook lead_ready: the same for leads that are whole. */
int triggers_on_lead_ready(struct job *j, struct lead_ready *leads, size_t n, struct err *err);
/* The hook record_dispatch: runs every active flow that is subscribed, at once. */
int triggers_replay(struct app *app, struct arena *a, const struct record_dispatch *d,
    int64_t *matched, json_t *ids, struct err *err);
/* Job flow.dispatch: args {"triggers":[id…],"event","leadId"?}, subject: the record. */
int trigger_job_dispatch(struct job *j, struct err *err);

/* ---- store ------------------------------------------------------------------------------------
 */

extern const struct list list_of_triggers;
struct trigger_filter {
	struct uuid account_id, flow_id;
};
int trigger_list(struct app *app, struct arena *a, const struct trigger_filter *f, struct slice *s,
    struct err *err);
/* By its id: 1, 0, -1. */
int trigger_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct trigger *out, struct err *err);
/* A new reference. */
json_t *trigger_json(struct arena *a, const struct trigger *t);
enum trigger_act { TRIGGER_MAKE, TRIGGER_CHANGE, TRIGGER_REMOVE };
/* What people do to one, with its row of the audit log: 0, or -1 (ERR_CONFLICT: too many). */
int trigger_write(struct req *r, enum trigger_act act, const struct trigger *t, struct err *err);
/* The enabled ones of an account that are subscribed to records of that provider and type. */
struct triggers {
	struct trigger *v;
	size_t n;
};
int triggers_of_account(struct db *db, struct arena *a, const struct uuid *account_id,
    struct triggers *out, struct err *err);
bool trigger_fits(const struct trigger *t, struct str provider_type, struct str resource_type);
int triggers_note_fired(struct db *db, const struct uuid *account_id, const struct uuid *ids,
    size_t n, struct err *err);

int trigger_api_list(struct req *r);   /* GET /triggers, /flows/:flowId/triggers */
int trigger_api_create(struct req *r); /* POST /flows/:flowId/triggers */
int trigger_api_update(struct req *r); /* PATCH /triggers/:id */
int trigger_api_delete(struct req *r); /* DELETE the same */
#endif
