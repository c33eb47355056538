/* Leads: captured at intake, detailed and normalized by the job lead.process, then handed to the
 * destinations. */
#ifndef LEAD_LEAD_H
#define LEAD_LEAD_H
#include <string.h>

#include "base/clock.h"
#include "db/personal.h"
#include "http/http.h"
#include "http/slice.h"
#include "job/job.h"
#include "record/lead-status.h"

struct record_item;

/* Stages: how much is known of a lead. */
#define LEAD_RECEIVED "received" /* its details are not fetched yet */
#define LEAD_READY "ready"
#define LEAD_FAILED "failed" /* its details could not be had */
/* The provider does not show them yet, though the tries of the schedule are over: stage_error says
 * what people can do. They are asked for now and then, and by a replay. */
#define LEAD_INCOMPLETE "incomplete"
/* Has it no details, and needs somebody to look? */
static inline bool lead_stage_is_lacking(const char *stage)
{
	return stage != NULL &&
	       (strcmp(stage, LEAD_FAILED) == 0 || strcmp(stage, LEAD_INCOMPLETE) == 0);
}

/* How a lead came first: as the sources of records, and by hand. */
#define LEAD_SOURCE_MANUAL "manual"
extern const struct word lead_sources[];

/* One lead on its way in, at intake. */
struct lead_capture {
	struct uuid account_id, connection_id, record_id, event_id;
	struct str provider_type, provider_lead_id, form_id, ad_id, campaign_id;
	struct str lead; /* JSON text: normalized so far; {NULL,0} is {} */
	/* What its record says now (record_item.merged), or NULL: what the lead says. With news a
	 * lead that is there follows its record. */
	const json_t *record;
	bool has_news;
	/* This payload has begun its record: where the lead is there already that one was gone, and
	 * gets what else the lead says. is_older: of what both say the lead has the last word. */
	bool is_record_new, is_older;
	struct str unsaid; /* of the payload, as record_item.unsaid */
	bool may_be_there; /* its record was there: it is looked for, and not just inserted */
	/* Nobody waits to see that it is new: where it is there after all the transaction fails
	 * with ERR_RETRY, and is to be run again without this. */
	bool is_expected_new;
	const char *source;   /* how it came: as the record's; "manual" by hand */
	enum job_class class; /* of its job, and so of its pushes: bulk for what was imported */
	int64_t received_us;
	/* `id` is that of a lead which is there: it follows its record, if it is ready. */
	bool is_known;
	bool is_told; /* of another form whoever calls tells the destinations, and no job does */
	/* set on return: */
	bool is_found; /* it was there before it was inserted */
	struct uuid id;
	bool is_new;
	bool is_corrected;  /* it was there, and has another form now */
	int revision;       /* … which is this one */
	bool is_in_the_way; /* lead_capture_shared */
};
/* Within a transaction: writes the rows that are not there yet, and a lead.process job for each new
 * one. One that is there and has news gets the form that its record tells (lead-correct.c), a new
 * revision, and such a job, which tells its destinations. */
int lead_capture(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err);
/* The same for who works for many: it waits for no lead that others hold. Else ERR_LOCKED, and
 * leads that are in the way say so. Those of a record that was just made have no row to be held;
 * all others say may_be_there. */
int lead_capture_shared(
    struct db *db, struct arena *a, struct lead_capture *leads, size_t n, struct err *err);

/* Records that come by doors which know no leads (lead-follow.c). Within a transaction: which of n
 * items are of leads that are there, before they are upserted; what they tell of them is brought
 * into normal form, in the items. */
struct lead_followers {
	struct record_item **item;
	struct uuid *id;
	size_t n;
};
int lead_followers_find(struct db *db, struct arena *a, struct record_item *const *items, size_t n,
    struct lead_followers *out, struct err *err);
/* Behind the upsert: those that have news, at most f->n, for lead_capture. */
size_t lead_followers_news(const struct lead_followers *f, struct lead_capture *out);
/* record_upsert with both: leads follow. A hook (record/record.h: record_upsert_any). */
int lead_records_upsert(struct app *app, struct db *db, struct arena *a, struct record_item *items,
    size_t n, bool is_bulk, struct err *err);
/* The same of one record, whose lead is told by the caller: if it is_corrected. */
int lead_record_upsert_told(struct db *db, struct arena *a, struct record_item *item,
    struct lead_capture *lead, struct err *err);

/* Within a transaction: the lead with that id of its provider goes, and with it all that others
 * have of it (the hook lead_erased); *id was its own. 1, 0 there is none, -1. */
int lead_erase(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str provider_lead_id, struct uuid *id, struct err *err);
/* Brings a lead into its normalized form, in place: email as the address that it gives (dropped to
 * customFields when it is none), phone to E.164 where it is surely one (default_country: ISO 3166
 * alpha-2, or NULL), names split, joined and freed of titles, unknown strings left alone. Pure. */
void lead_normalize(struct arena *a, json_t *lead, const char *default_country);
/* First, last and full name of a lead, in place (lead-name.c): each is made of the others. */
void lead_normalize_names(struct arena *a, json_t *lead);
/* What a record takes over of a lead: the payload's own data (or NULL) with the lead's fields
 * beside them. Those that `given`, the lead before it was normalized, does not tell are *unsaid
 * (record_item.unsaid). */
json_t *lead_record_data(struct arena *a, const json_t *data, const json_t *given,
    const json_t *lead, struct str *unsaid);
/* Jobs of this feature, for the runner's table. */
int lead_job_process(struct job *j, struct err *err);
int lead_job_load(struct app *app, struct job *const *jobs, size_t n, struct err *err);
/* Periodic: forgets counts that no page shows any more: 1 there are more, 0, -1. */
int lead_counts_forget(struct app *app, struct err *err);
int lead_job_died(struct db *db, struct job *j, const char *why, struct err *err);
int lead_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err);
/* Within a transaction: a lead that is not ready gets another go at once, and no longer says that
 * it failed: 1, 0 when it is ready or gone, -1. */
int lead_process_again(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err);
/* Within a transaction: leads of that connection since then whose details the provider did not show
 * get another go, so many at most. */
int lead_retry_incomplete(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, int64_t since_us, int64_t most, struct err *err);
/* Told of n leads of one account in the transaction that makes them ready: subscribers add their
 * jobs. A hook (base/hooks.h). */
struct lead_ready {
	struct uuid account_id, lead_id;
	struct uuid connection_id; /* its source, or nil */
	const char *provider_type;
	const json_t *lead;
	const char *sync_status; /* what the ledger makes of it: set by who keeps one */
	int revision;
	bool is_imported; /* the provider had it before anybody was told of it */
};
/* Told of n leads of one account, ready and locked, that have another form than before: of a
 * revision above 1. Perhaps more than once of the same. A hook as well; the leads' sync_status is
 * stored by who keeps the ledger. */

/* API's object without destinations; 1, 0, -1. */
int lead_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);
struct lead_filter {
	struct uuid account_id;
	struct uuid connection_id; /* its source, nil: any */
	struct str provider_type, form_id, sync_status, search;
	struct opt_time received_after, received_before; /* the first counts, the last does not */
};
extern const struct list list_of_leads;
/* Newest first, by the time they were received. */
int lead_list(struct app *app, struct arena *a, const struct lead_filter *f, struct slice *s,
    struct err *err);
/* How many leads one destination took and another failed for good; *is_cut: there are so many
 * deliveries that failed that older ones were not looked at, here as in the list of them. */
int leads_count_partial(struct app *app, struct arena *a, const struct uuid *account_id, int64_t *n,
    bool *is_cut, struct err *err);
/* Within a transaction: the summary of the ledger as the sync_status of n leads of one account, at
 * most LIMIT_DB_BATCH. */
struct lead_sync {
	struct uuid lead_id;
	const char *status; /* of lead_sync_statuses; NULL: it stays as it is */
};
int lead_set_sync_statuses(struct db *db, const struct uuid *account_id, const struct lead_sync *v,
    size_t n, struct err *err);

int lead_api_list(struct req *r);
int lead_api_export(struct req *r); /* ?format=csv|ndjson and the list's filters */
int lead_api_create(struct req *r);
int lead_api_change(struct req *r);   /* PATCH /leads/:leadId */
int lead_api_delete(struct req *r);   /* DELETE /leads/:leadId */
int lead_api_release(struct req *r);  /* POST /leads/:leadId/not-duplicate */
int lead_api_rule(struct req *r);     /* GET /leads/duplicates: {match,days,holdBack} */
int lead_api_rule_set(struct req *r); /* PUT /leads/duplicates */
/* Pages. */
int lead_page_list(struct req *r);
int lead_page_test(struct req *r); /* GET /admin/leads/test: a test lead by hand */
int lead_page_test_post(struct req *r);
/* Where leads name people (db/personal.h). */
extern const struct personal_table leads_personal_table;
int lead_page_new(struct req *r); /* GET, POST /admin/leads/new: a lead by hand */
int lead_page_new_post(struct req *r);
int lead_page_edit(struct req *r); /* GET, POST /admin/leads/:id/edit */
int lead_page_edit_post(struct req *r);
int lead_page_delete(struct req *r);  /* POST /admin/leads/:id/delete */
int lead_page_release(struct req *r); /* POST /admin/leads/:id/not-duplicate */
int lead_page_rule(struct req *r);    /* GET, POST /admin/settings/duplicates */
int lead_page_rule_post(struct req *r);
/* Of a lead as of lead_get_json: its "timeline" with what other features know of it (the hook
 * lead_timeline), in order. 0, -1. */
int lead_complete_timeline(struct app *app, struct arena *a, const struct uuid *account_id,
    uint64_t permissions, json_t *lead, struct err *err);
#endif
