/* CRM push: destinations, mapping, and the ledger of (lead, destination); how a delivery goes on is
 * told in delivery/delivery.h. */
#ifndef CRM_CRM_H
#define CRM_CRM_H
#include "connection/connection.h"
#include "db/personal.h"
#include "delivery/delivery.h"
#include "http/http.h"
#include "job/job.h"
#include "lead/lead.h"
#include "task/task.h"

/* The body a destination is sent for a lead, by its mapping (default: email→email,
 * firstName→first_name, lastName→last_name, fullName→full_name, phoneNumber→phone,
 * company→company; NULL is none). What the mapping asks for and the lead has not is added to the
 * list missing, which may be NULL. NULL with ERR_INVALID: no body can be made of this lead, and the
 * text says which field lacks its value. */
struct crm_mapping {
	int64_t version; /* 0: none was ever saved */
	struct str text; /* as it is stored; {NULL,0}: none */
};
json_t *crm_map_lead(struct arena *a, const struct connection *c, const struct crm_mapping *mapping,
    const json_t *lead, json_t *missing, struct err *err);
/* Whether a body template can be used: its placeholders are closed, and name fields of a lead.
 * ERR_INVALID; the field is the place within the template. */
int crm_check_template(struct arena *a, const json_t *template, struct err *err);
/* lead_ready subscriber: a ledger row and a crm.push job per destination. */
int crm_on_lead_ready(struct job *j, struct lead_ready *leads, size_t n, struct err *err);
/* lead_corrected subscriber: destinations that have another form of them get the new one. */
int crm_on_lead_corrected(struct job *j, struct lead_ready *leads, size_t n, struct err *err);
/* The hook lead_erased: its deliveries go, with their attempts; what destinations have of it is
 * theirs. */
int crm_on_lead_erased(
    struct app *app, const struct uuid *account_id, const struct uuid *lead_id, struct err *err);
int crm_job_push(struct job *j, struct err *err);
int crm_job_load(
    struct app *app, struct job *const *jobs, size_t n, struct err *err); /* its load */
/* The task "push": every lead that waits for a destination. */
extern const struct task_kind crm_push_task;
int crm_job_push_all(struct job *j, struct err *err);
int crm_purge(struct app *app, struct err *err); /* periodic: what old tasks leave behind */
int crm_push_died(struct db *db, struct job *j, const char *why, struct err *err);
int crm_pushes_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err);
/* The ledger of a lead: [{id,connectionId,name,status,attempts,lastError,externalId,pushedAt}]. */
int crm_lead_destinations(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err);
/* Attempts of a lead over all destinations, oldest first, for the timeline. */
int crm_lead_attempts(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err);
/* All three, of one moment: its status never says what its deliveries do not. 1, 0, -1. */
struct crm_lead {
	json_t *lead, *destinations, *attempts;
};
int crm_lead_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, struct crm_lead *out, struct err *err);
/* Destinations for a page of leads in one query: adds "destinations" to each object of rows (by
 * "id"). */
int crm_add_destinations(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *leads, struct err *err);

/* A person asks for a lead of the request's account: queues its pushes to every active destination
 * that has not taken it, now, with a row of the audit log; *n counts them. 1, 0 when there is no
 * such lead, -1; ERR_CONFLICT: its details are not fetched yet. The task, or NULL, is to watch
 * them: crm_queue_watch. */
int crm_queue_lead(struct req *r, const struct uuid *lead_id, const struct uuid *task_id, size_t *n,
    struct err *err);
/* Then the task of that id, whose page shows what becomes of the n deliveries that it watches. */
int crm_queue_watch(
    struct req *r, const struct uuid *task_id, const char *title, int64_t n, struct err *err);

/* The lead that was mirrored into that record: 1, 0 there is none, -1. */
int crm_lead_of_record(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, struct uuid *out, struct err *err);
/* What flows call, within a transaction: the lead is pushed to those destinations (n 0: to each
 * that is active) that have not taken it, whether or not leads go there by themselves; *queued
 * counts them. 1, 0 when there is no such lead, -1; ERR_CONFLICT: its details are not fetched yet.
 */
int crm_push_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, const struct uuid *to, size_t n, size_t *queued, struct err *err);
/* Within a transaction: what is done for a lead that has another form, where no job of the lead
 * tells (lead_capture.is_told): who took an older one gets the new one. */
int crm_lead_corrected(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, int revision, struct err *err);
/* All leads that wait, with a row of the audit log: at most `limit` of them (0: all), to the one
 * destination or, where only is NULL, to each. *pending is about how many there are. */
int crm_queue_all(struct req *r, int64_t limit, const struct uuid *only, struct uuid *task_id,
    int64_t *pending, struct err *err);
/* The hook connection_changed: what was made for a destination goes with it. */
int crm_follow_connection(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err);

int crm_api_mapping_get(struct req *r);      /* GET /connections/:id/mapping */
int crm_api_mapping_put(struct req *r);      /* PUT */
int crm_api_mapping_delete(struct req *r);   /* DELETE: back to the destination's own names */
int crm_api_mapping_preview(struct req *r);  /* POST …/mapping/preview */
int crm_api_mapping_fields(struct req *r);   /* GET …/mapping/fields */
int crm_api_mapping_versions(struct req *r); /* GET …/mapping/versions */
int crm_api_mapping_version(struct req *r);  /* GET …/mapping/versions/:version */
int crm_api_mapping_restore(struct req *r);  /* POST …/mapping/versions/:version/restore */
int crm_page_mapping(struct req *r);         /* GET /admin/connections/:id/mapping */
int crm_page_mapping_post(struct req *r);    /* POST */

int crm_api_routing_get(struct req *r);   /* GET /crm/routing */
int crm_api_routing_put(struct req *r);   /* PUT: all of it */
int crm_page_routing(struct req *r);      /* GET /admin/routing */
int crm_page_routing_post(struct req *r); /* POST */

int crm_api_lead_get(struct req *r);  /* GET /leads/:leadId: here, since it shows destinations */
int crm_api_push_lead(struct req *r); /* POST /crm/push/:leadId */
int crm_api_push_all(struct req *r);  /* POST /crm/push */
int crm_api_test(struct req *r);
int crm_api_destinations(struct req *r); /* GET /crm/destinations: how each one is */
int crm_api_deliveries(struct req *r);
int crm_api_delivery(struct req *r); /* GET /crm/deliveries/:id: with its attempts */
int crm_api_delivery_retry(struct req *r);
int crm_api_deliveries_retry(struct req *r); /* POST /crm/deliveries/retry */
int crm_page_lead_detail(struct req *r);     /* GET /admin/leads/:id */
int crm_page_lead_push(struct req *r);       /* POST /admin/leads/:id/push */
/* The hook tell_connection: what became of what went to it. */
int crm_tell_connection(struct req *r, const struct connection *c, json_t *data, struct err *err);
/* The hook connection_activity: its newest deliveries. */
int crm_connection_activity(
    struct req *r, const struct connection *c, json_t *data, struct err *err);
int crm_page_destinations(struct req *r);    /* GET /admin/crm */
int crm_page_deliveries(struct req *r);      /* GET /admin/deliveries */
int crm_page_delivery(struct req *r);        /* GET /admin/deliveries/:id */
int crm_page_delivery_push(struct req *r);   /* POST /admin/deliveries/:id/push */
int crm_page_waiting(struct req *r);         /* GET /admin/deliveries/waiting: asks */
int crm_page_push_waiting(struct req *r);    /* POST /admin/deliveries/push-waiting */
int crm_page_again(struct req *r);           /* GET /admin/deliveries/again: asks */
int crm_page_again_post(struct req *r);      /* POST: all that match the list's filter */
int crm_page_deliveries_push(struct req *r); /* POST /admin/deliveries/push: id… */
int crm_page_leads_push(struct req *r); /* POST /admin/leads/push: id…, or scope=all of query */
/* How many deliveries a lead has, added to *n; 0, -1. */
int crm_count_of_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, int64_t *n, struct err *err);
/* What a lead is called at the destinations that have it; 0, -1. */
struct crm_copy {
	struct str provider_type, resource_type, external_id;
};
int crm_copies_of_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, struct crm_copy **out, size_t *n, struct err *err);
/* Where deliveries name people (db/personal.h). */
extern const struct personal_table deliveries_personal_table;
#endif
