/* Records: provider-delivered resources, one row per (account, provider, resource type, external
 * id). */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H
#include "db/db.h"
#include "http/http.h"
#include "job/job.h"

/* How a record arrived. */
#define RECORD_SOURCE_WEBHOOK "webhook"
#define RECORD_SOURCE_POLL "poll"
#define RECORD_SOURCE_IMPORT "import"
#define RECORD_SOURCE_FLOW_STEP "flow_step"

enum record_outcome { RECORD_CREATED, RECORD_UPDATED, RECORD_UNCHANGED, RECORD_STALE };

/* One payload on its way into the store. Text and data belong to the caller and outlive the call.
 */
struct record_item {
	struct uuid account_id;
	struct str provider_type, resource_type, external_id;
	const char *source;
	struct str data;             /* compact JSON text of an object */
	int64_t provider_updated_us; /* 0: the provider does not say */
	struct uuid event_id;        /* nil: none */
	int64_t at_us;
	/* answered: */
	struct uuid id;
	enum record_outcome outcome;
};

/* Within a transaction: stores n payloads, merging each into what is there (json_merge), in order;
 * writes history and counts. An unchanged payload writes nothing; one older than what is stored
 * (both provider times known) is stale and writes nothing. Two items of the same record in one call
 * merge one after the other. */
int record_upsert(
    struct db *db, struct arena *a, struct record_item *items, size_t n, struct err *err);
/* The stored record's JSON as the API shows it; 1, 0, -1. */
int record_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);

/* A list's filter: NULL or 0 where not filtered. */
struct record_filter {
	struct uuid account_id;
	struct str provider_type, resource_type, source, search;
	int64_t updated_after_us, updated_before_us;
};
/* Newest first (or oldest first) by (updated_at, id) after the key position (0: from the start), at
 * most limit rows (one more is fetched to know whether there is a next page): array of record JSON.
 * offset only for page=. */
struct record_page {
	int64_t after_us;
	struct uuid after_id;
	int64_t limit, offset;
	bool is_ascending;
	/* answered: */
	json_t *rows;
	bool has_more;
	int64_t last_us;
	struct uuid last_id;
};
int record_list(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_page *page, struct err *err);
/* {"total","byResourceType","byProviderType","byDay"} from the counters; days of the last 30 in
 * UTC. */
int record_summary(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
/* How many match, from the counters: exact for filters on types only; else -1. */
int record_count(struct app *app, struct arena *a, const struct record_filter *f, int64_t *total,
    struct err *err);
/* Changes, newest first: array of {at,source,eventId,changes:[{path,before,after}]}. */
int record_history(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);

/* Job record.fetch: asks the provider for the whole record that an event only named (args:
 * {"connectionId"}). */
int record_job_fetch(struct job *j, struct err *err);

/* JSON handlers. */
int record_api_list(struct req *r);
int record_api_get(struct req *r);
int record_api_summary(struct req *r);
int record_api_history(struct req *r);
/* Pages. */
int record_page_list(struct req *r);
int record_page_detail(struct req *r);
#endif
