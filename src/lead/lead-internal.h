/* What the files of this feature share. */
#ifndef LEAD_LEAD_INTERNAL_H
#define LEAD_LEAD_INTERNAL_H
#include "lead/lead.h"

#define STAGE_ERROR_BYTES 1000

/* The columns of lead_stored_json; `l` is the lead. */
#define LEAD_COLUMNS                                                                               \
	"l.id, l.record_id, l.connection_id, l.event_id, l.provider_type, l.provider_lead_id,"     \
	" l.form_id, l.ad_id, l.campaign_id, l.stage, l.stage_error, l.sync_status, l.lead,"       \
	" l.received_at, l.updated_at, l.revision, l.source, l.fetched_at, l.ready_at,"            \
	" l.delivered_at, l.duplicate_of, l.duplicate_by"
enum {
	LEAD_ID,
	LEAD_RECORD,
	LEAD_CONNECTION,
	LEAD_EVENT,
	LEAD_PROVIDER,
	LEAD_PROVIDER_LEAD_ID,
	LEAD_FORM,
	LEAD_AD,
	LEAD_CAMPAIGN,
	LEAD_STAGE,
	LEAD_STAGE_ERROR,
	LEAD_SYNC_STATUS,
	LEAD_JSON,
	LEAD_RECEIVED_AT,
	LEAD_UPDATED_AT,
	LEAD_REVISION,
	LEAD_SOURCE,
	LEAD_FETCHED_AT, /* its details; NULL: they came with it */
	LEAD_READY_AT,
	LEAD_DELIVERED_AT, /* when a destination took it first */
	LEAD_DUPLICATE_OF,
	LEAD_DUPLICATE_BY,
	LEAD_MORE /* the first column that a statement adds */
};
int lead_stored_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err);
/* Makes the lead that r->json describes: 1 made, or known already (*is_new, which may be NULL); 0
 * it cannot be one, and the answer says why; -1. */
int lead_create(struct req *r, struct uuid *id, bool *is_new, struct err *err);
/* Adds "timeline" to the API's object of a lead: [{stage,at,text}], oldest first. */
void lead_add_timeline(struct arena *a, json_t *lead);
/* lead_list where the filter has words to search for. */
int lead_search(struct app *app, struct arena *a, const struct lead_filter *f, struct slice *s,
    struct err *err);
/* Which leads a list's statement begins with, and its first values, at most 3. */
enum lead_kind { LEADS_OF_ALL, LEADS_OF_STATUS, LEADS_OF_PARTIAL };
enum lead_kind lead_filter_kind(const struct lead_filter *f);
size_t lead_kind_values(const struct lead_filter *f, struct db_val *v);
static inline struct str str_or_null(struct str s)
{
	return s.n == 0 ? (struct str){NULL, 0} : s;
}

/* A stored lead as the pipeline needs it. */
struct lead_row {
	struct uuid id, account_id, connection_id, record_id, event_id;
	const char *provider_type, *provider_lead_id, *stage;
	const char *sync_status; /* to be stored with the rest; NULL: LEAD_SYNC_NONE */
	int revision;            /* from 1; each other form is one more */
	json_t *lead;
	const char *source; /* NULL: not known */
	int64_t fetched_us; /* its details; 0: they came with it */
	int64_t received_us;
	struct uuid duplicate_of; /* the first lead of its person; nil: none */
	const char *duplicate_by; /* "email", "phone" */
	bool is_held;             /* back from destinations, as a duplicate */
};
/* The lead's own fields that its record has as well: texts, and objects of further ones. */
#define LEAD_TEXTS 6
#define LEAD_MAPS 2
extern const char *const lead_texts[LEAD_TEXTS], *const lead_maps[LEAD_MAPS];
/* lead_normalize of what is told of a lead that may be there already: a phone number is at home
 * where that one's connection, or its raw fields, say. */
int lead_normalize_as_known(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str provider_lead_id, json_t *lead, struct err *err);
/* How the payload of a lead came that has, or has not, an event and a connection: the source of
 * its record. */
const char *lead_source(const struct uuid *event_id, const struct uuid *connection_id);
/* The job of a lead has its id, so there is at most one, and another go brings it forward. */
struct job lead_process_job(
    const struct uuid *account_id, const struct uuid *lead_id, const struct uuid *connection_id);
/* 1, 0, -1. */
int lead_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    struct lead_row *out, struct err *err);
/* Within a transaction, of n leads of one account, at most LIMIT_DB_BATCH: locks them, and says
 * what they are now (one that is gone, or among them a second time: LEAD_NOWHERE). */
enum lead_now { LEAD_NOWHERE, LEAD_UNREADY, LEAD_READY_NOW };
struct lead_state {
	enum lead_now now;
	int revision;
	bool is_released; /* it was held back, and is no duplicate by a person's word */
};
int lead_lock(struct db *db, struct arena *a, const struct lead_row *const *rows, size_t n,
    struct lead_state *states, struct err *err);
/* Within the same: stores such leads, normalized, as ready. */
int lead_store_ready(
    struct db *db, struct arena *a, const struct lead_row *const *rows, size_t n, struct err *err);
/* Stores why the details could not be had, and the stage that it is in now. */
int lead_store_problem(struct db *db, struct arena *a, const struct lead_row *row,
    const char *stage, const char *error, struct err *err);
/* How many leads came when (lead-days.c). Within the transaction that captures leads: counts those
 * that are new; and the one that erases a lead, before its row goes. */
int lead_counts_add_new(
    struct db *db, struct arena *a, const struct lead_capture *leads, size_t n, struct err *err);
int lead_counts_take_off(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err);
/* Of the last ndays days of the zone, the one of now_us the last: numbers of leads by day (from 0
 * on) and provider, in the order of the days, perhaps several of each. */
struct lead_day {
	const char *provider_type;
	size_t day;
	int64_t leads;
};
int lead_days(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct zone *zone, int64_t now_us, size_t ndays, struct lead_day **out, size_t *n,
    struct err *err);
/* Details with their long answers cut, where they are too much for a record; else as they are. */
const json_t *lead_cut_details(struct arena *a, const json_t *details);
/* A lead as its record tells it, with the ids that `lead` has. Every lead of this form has the same
 * members. */
json_t *lead_of_record(struct arena *a, const json_t *record, const json_t *lead);
/* A stored form that what its record says now will replace: {} where it cannot be read any more. */
json_t *lead_parse_stored(struct arena *a, struct str text, struct err *err);
/* Within lead_capture, of a lead that was there before and has news, or whose record is new. */
int lead_correct(struct db *db, struct arena *a, struct lead_capture *l, struct err *err);
/* The columns that lists and searches use, cut to their width: {NULL,0} where it has none. */
struct str lead_column(const json_t *lead, const char *key, size_t most);

/* The first or last name of a lead where that is, or has, what is no name by today's rules; else
 * NULL. */
const char *lead_name_wrong(struct arena *a, const json_t *lead);

#endif
