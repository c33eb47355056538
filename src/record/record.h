/* Records: provider-delivered resources, one row per (account, provider, resource type, external
 * id). */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H
#include "base/clock.h"
#include "base/limits.h"
#include "base/path.h"
#include "db/personal.h"
#include "http/http.h"
#include "http/slice.h"
#include "job/job.h"

/* How a record arrived. */
#define RECORD_SOURCE_WEBHOOK "webhook"
#define RECORD_SOURCE_POLL "poll"
#define RECORD_SOURCE_IMPORT "import"
#define RECORD_SOURCE_FLOW_STEP "flow_step"
extern const struct word record_sources[];

enum record_outcome { RECORD_CREATED, RECORD_UPDATED, RECORD_UNCHANGED, RECORD_STALE };

/* One payload on its way into the store. Text and data belong to the caller and outlive the call.
 */
struct record_item {
	struct uuid account_id;
	struct str provider_type, resource_type, external_id;
	const char *source;
	struct str data;             /* compact JSON text of an object */
	int64_t provider_updated_us; /* if the provider says */
	bool has_provider_time;
	struct uuid event_id;      /* nil: none */
	struct uuid connection_id; /* that it came by; nil: by none, the record keeps its own */
	int64_t at_us;
	bool index_later;   /* leave the search index to record_index_waiting */
	bool is_only_new;   /* a record that is there stays as it is */
	bool is_correction; /* somebody who knows better says it, and tells no time */
	bool is_fill;       /* what is there stays as it is, member by member */
	/* When the payload first came, if long before at_us (a replay, an import's file), else 0.
	 */
	int64_t received_us;
	/* Texts are cells of a table: one that prints like the value that is there is that value.
	 * Where cells were cleared, null leaves alone what prints as nothing. */
	bool is_of_cells, has_cleared;
	/* Members of data that stand there only for want of a value, with commas between them: a
	 * record that has them keeps its own. {NULL,0}: none. */
	struct str unsaid;
	struct str words; /* record_words of this item where the caller has them, else {NULL,0} */
	/* set on return: */
	struct uuid id;
	enum record_outcome outcome;
	bool is_in_the_way; /* record_upsert_shared */
	bool is_refused;    /* the call failed for this one: without it it may be tried again */
	bool was_ahead;     /* its provider's time lay in the future, and counts as its receipt */
	/* What the record says now, after all items of the call; of the arena. NULL: just what this
	 * item says, or it stays unread (is_only_new). */
	const json_t *merged;
};

/* at_us is when the payload came, or now if that is longer ago than this: lists by cursor rely on
 * records that are stored soon after their time. */
#define RECORD_LATE_US (2 * SECOND_US)

/* Within a transaction: stores n payloads, merging each into what is there, in order of the
 * provider's clock whatever the order in which they come (docs/internals/merge.md); writes history
 * and counts. What changes nothing writes no history and fires nothing; its clock may move. It is
 * stale when it is older than what is stored, else unchanged. Two items of the same record in one
 * call merge one after the other. */
int record_upsert(
    struct db *db, struct arena *a, struct record_item *items, size_t n, struct err *err);
/* The same for doors that know no leads, such as files: a lead that is there follows its record
 * (hook records_upsert). is_bulk: its pushes come behind what has just happened. */
int record_upsert_any(struct app *app, struct db *db, struct arena *a, struct record_item *items,
    size_t n, bool is_bulk, struct err *err);
/* The same for who works for many: it waits for no record that others hold, and reads no more of
 * what is stored than RECORD_SHARED_BYTES. Else ERR_LOCKED, and items that are in the way say so:
 * without them, and what goes with them, it may be tried again. */
#define RECORD_SHARED_BYTES (4u * 1024u * 1024u)
int record_upsert_shared(
    struct db *db, struct arena *a, struct record_item *items, size_t n, struct err *err);
/* One that was stored, for the hook records_stored (flows that are subscribed). */
struct record_news {
	const struct record_item *item; /* behind record_upsert */
	struct uuid connection_id;      /* that it came by, or nil */
	struct str event_type;          /* of the event that it came with; {NULL,0}: of none */
	bool is_old;     /* it was there before: of an import, a back-fill, a poll's first round */
	bool was_new;    /* what came before it, and was not told, created the record … */
	bool was_change; /* … or changed it */
};
/* The slot of record_counts, and of what is counted alike, in which this process counts what comes
 * so (RECORD_SOURCE_… or another, or NULL). There are few, so two processes seldom wait for the
 * same row. What polls and imports bring has slots of its own: their transactions are long, and a
 * webhook must not wait for them. What is taken off is in one beside those (0 to 15). */
int64_t record_count_slot(const char *source);
#define RECORD_COUNT_SLOT_GONE 16
/* How many of n different external ids the store has, of the account, provider and type that `of`
 * names. */
int record_count_known(struct db *db, struct arena *a, const struct record_item *of,
    const struct str *ids, size_t n, int64_t *known, struct err *err);
/* What merging items into the store would do. Adds to out; of at most LIMIT_DB_BATCH items of one
 * account, provider and type, no two of one record. */
struct record_comparison {
	int64_t known, same; /* records that are there, and that would not change */
	int64_t bytes;       /* of stored data that was read */
	bool has_more;       /* some were too long to be compared, and count as changed */
};
int record_compare(struct db *db, struct arena *a, const struct record_item *items, size_t n,
    struct record_comparison *out, struct err *err);
/* Whether records are there that were stored or changed from from_us on and are no newer than
 * until_us, of the account, provider and type that `of` names; true where too many were changed
 * since to look at all. */
int record_has_of_time(struct db *db, struct arena *a, const struct record_item *of,
    int64_t from_us, int64_t until_us, bool *has, struct err *err);
/* Of records of the type lead: what they are to the leads, in the order of ids. */
enum record_lead {
	RECORD_LEAD_NONE, /* a record like any other */
	RECORD_LEAD_OWN,  /* that of a lead */
	RECORD_LEAD_COPY  /* what we pushed to its provider ourselves */
};
int record_which_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, enum record_lead *out, struct err *err);
/* The stored record's JSON as the API shows it; 1, 0, -1. */
int record_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);
/* The same with data that can only be written (json_verbatim). */
int record_get_written(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);

/* What a condition asks of the values at its path, as filter[path][gt]=… says it. */
#define RECORD_WHERE_IS "is" /* also filter[path]=… */
#define RECORD_WHERE_CONTAINS "contains"
#define RECORD_WHERE_MORE "gt" /* than a number, or after a time; of a day, after all of it */
#define RECORD_WHERE_LESS "lt"
#define RECORD_WHERE_EMPTY "empty" /* true or false */

/* Of a filter: a lead that was pushed to a CRM comes back as a record of that CRM, and is the same
 * lead; such records are left out. */
#define RECORD_COPIES_NONE "none"
extern const struct word record_copies[];

/* A list's filter: NULL, or not given, where not filtered. */
struct record_where {
	const struct path *path;
	const char *op; /* RECORD_WHERE_… */
	struct str value;
};
struct record_filter {
	struct uuid account_id;
	struct str provider_type, resource_type, source, search;
	struct str lead_status;      /* sync status of the lead that it mirrors */
	struct uuid lead_connection; /* the source of that lead */
	struct uuid connection;      /* that the record last came by */
	struct str copies;           /* RECORD_COPIES_NONE: not what we pushed there ourselves */
	struct opt_time updated_after, updated_before;
	struct record_where *where;
	size_t nwhere;
};
/* The times that it lets through: from this one on, and before that one. */
static inline int64_t record_filter_from(const struct record_filter *f)
{
	return opt_time_or(f->updated_after, INT64_MIN);
}
static inline int64_t record_filter_until(const struct record_filter *f)
{
	return opt_time_or(f->updated_before, INT64_MAX);
}
extern const struct list list_of_records; /* by updatedAt */
/* A slice of a list by (updated_at, id), newest first or oldest first. A search that its time
 * budget cuts short returns what it found and has_more with the position it got to, so that the
 * next slice goes on from there: slices may be short, none repeats or skips. With a memory that
 * goes from slice to slice with the position, records that change meanwhile are shown where they
 * stood when the first was read. */
#define RECORD_MEMORY_FULL 64 /* then what is shown needs no remembering */
#define RECORD_MEMORY (RECORD_MEMORY_FULL + LIMIT_PAGE_ROWS)
struct record_memory {
	int64_t horizon_us; /* 0: none, places are as of each slice */
	uint64_t shown[RECORD_MEMORY];
	size_t n;
};
struct record_place {
	int64_t at_us; /* where in the list */
	struct uuid id;
	bool is_first; /* the record has stood nowhere before */
	json_t *row;
};
struct record_slice {
	struct slice s;
	struct record_memory *memory; /* NULL, or begun here at the beginning of the list */
	bool is_written;              /* nobody looks into the rows' data (json_verbatim) */
	/* of s.rows: */
	struct record_place *places;
	size_t nplaces;
};
/* A memory as a cursor's note, and back; an empty one is none. */
struct str record_memory_text(struct arena *a, const struct record_memory *m);
void record_memory_read(struct record_memory *m, struct str text);
/* Periodic: forgets moves that no cursor needs any more: 1 there are more, 0, -1. */
int record_moves_forget(struct app *app, struct err *err);
int record_list(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err);
/* A filter from a JSON object
 * ({"resourceType","providerType","connectionId","source","search","leadStatus","leadConnectionId",
 * "copies","updatedAfter","updatedBefore","filter":{path:value or {op:value}}}): 0, or -1 with
 * complaints by a reader, or with ERR_INVALID naming the field. An empty one is legal here. */
int record_filter_from_body(struct json_reader *in, struct arena *a, const json_t *o,
    const struct uuid *account_id, struct record_filter *out);
int record_filter_from_json(struct arena *a, const json_t *o, const struct uuid *account_id,
    struct record_filter *out, struct err *err);
/* For a filter that is kept or queued: ERR_INVALID naming the field where no type or source can be
 * what it asks for. A list just finds nothing. */
int record_filter_check(const struct record_filter *f, struct err *err);

/* Has a payload, for each path of the filter, the value that it asks for? Numbers are compared by
 * value, all else as text; of a list, and where the path fans out, any element may be it. */
bool record_where_fits_json(struct arena *a, const struct record_filter *f, const json_t *data);
/* A condition, checked: 0, or -1 with ERR_INVALID naming it as it is written. */
int record_where_read(struct arena *a, struct str path, struct str op, struct str value,
    struct record_where *out, struct err *err);
/* What stands between its field's name and value: "is more than"; of "is empty" without a value. */
const char *record_where_words(const struct record_where *w);
/* Its conditions as such an object has them: {path:value or {op:value}}; a new one. */
json_t *record_where_json(const struct record_filter *f);

/* Deletes a record of the request's account with its history and search words, and takes it off the
 * counters: 1, 0 no such record, -1. A transaction of its own, with a row of the audit log. */
int record_delete(struct req *r, const struct uuid *id, struct err *err);
/* The same within the caller's transaction, without such a row. */
int record_delete_one(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err);
/* Where records name people. */
extern const struct personal_table records_personal_table, changes_personal_table,
    fields_personal_table, views_personal_table;
/* The record as of then (its payload, with "asOf"); 1, 0 when there was none then, -1. */
int record_get_at(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, int64_t at_us, json_t **out, struct err *err);

/* Who runs something for a record (flows): a hook (base/hooks.h) that adds execution ids to
 * ids. Without one nothing matches. */
struct record_dispatch {
	struct uuid account_id, record_id;
	const json_t *record;
	const json_t *flow_ids; /* only these; NULL: all that are subscribed */
};
/* {"matched","ran","executionIds"}; 1, 0, -1. */
int record_replay(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const json_t *flow_ids, json_t **out, struct err *err);

/* How many records of a type are first seen each day, from that day (UTC) on, by provider. */
struct record_day {
	const char *provider_type;
	int32_t day;
	int64_t count;
};
int record_count_days(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *resource_type, int32_t from_day, struct record_day **out, size_t *n,
    struct err *err);
/* {"total","byResourceType","byProviderType","byDay"} from the counters; days of the last 30 in
 * UTC. */
int record_summary(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
/* The field catalogue of a type, or of all: [{resourceType,path,types,fillRate,examples}] by fill
 * rate; kept from the history by the periodic record_fields_update. */
int record_fields(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str resource_type, json_t **out, struct err *err);
int record_fields_update(struct app *app, struct err *err);
/* Puts some of the records that wait for it into the search index: as runner_set_background. */
int record_index_waiting(struct app *app, struct err *err);
/* Periodic: deletes what the rules say (record-retention.h), for a bounded time: 1 there is
 * more, 0, -1. */
int record_retain(struct app *app, struct err *err);
/* How many match, from the counters: exact for filters on types only; else -1. */
int record_count(struct app *app, struct arena *a, const struct record_filter *f, int64_t *total,
    struct err *err);
/* Does any record come back that is a lead which was pushed: 1, 0, -1. */
int record_has_copies(
    struct app *app, struct arena *a, const struct uuid *account_id, struct err *err);
/* Are there records from before connections were noted, and since when were they? 1, 0, -1. */
int record_has_unconnected(struct app *app, struct arena *a, const struct uuid *account_id,
    int64_t *since_us, struct err *err);
#define RECORD_HISTORY_ROWS 1000
/* Changes, newest first, the last RECORD_HISTORY_ROWS: array of
 * {at,source,eventId,changes:[{path,before,after}]}. */
int record_history(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);

/* Job record.fetch: asks the provider for the whole record that an event only named (args:
 * {"connectionId"}). */
int record_job_fetch(struct job *j, struct err *err);
int record_job_fetch_load(struct app *app, struct job *const *jobs, size_t n, struct err *err);

/* A provider or resource type as it may be stored: 1 to LIMIT_TYPE_BYTES letters, digits, '_', '-',
 * '.'. */
bool record_type_is_valid(struct str type);

/* JSON handlers. */
int record_api_list(struct req *r);
int record_api_get(struct req *r);
int record_api_summary(struct req *r);
int record_api_history(struct req *r);
int record_api_delete(struct req *r);
int record_api_timeline(struct req *r);
int record_api_replay(struct req *r);                  /* POST /records/:id/replay */
int record_api_replay_all(struct req *r);              /* POST /records/replay */
int record_job_replay(struct job *j, struct err *err); /* record.replay, subject: the task */
int record_job_delete(struct job *j, struct err *err); /* record.delete, subject: the task */
int record_api_fields(struct req *r);
int record_api_retention(struct req *r);        /* GET /records/retention */
int record_api_retention_set(struct req *r);    /* PUT /records/retention/:resourceType */
int record_api_retention_delete(struct req *r); /* DELETE the same */
int record_api_export(struct req *r);
int view_api_list(struct req *r);
int view_api_create(struct req *r);
int view_api_get(struct req *r);
int view_api_update(struct req *r);
int view_api_delete(struct req *r);
/* Pages. */
int record_page_list(struct req *r);
int record_page_detail(struct req *r);
int record_page_bulk(struct req *r);   /* POST /admin/records/bulk */
int record_page_delete(struct req *r); /* GET /admin/records/:id/delete: asks */
int record_page_delete_post(struct req *r);
int record_page_task_cancel(struct req *r);     /* POST /admin/records/tasks/:id/cancel */
int record_page_replay(struct req *r);          /* POST /admin/records/:id/replay */
int record_page_retention(struct req *r);       /* GET /admin/settings/retention */
int record_page_retention_moved(struct req *r); /* its address of before */
int record_page_retention_post(struct req *r);  /* sets a rule, having asked; or ends it */
int view_page_create(struct req *r);            /* POST /admin/views */
int view_page_change(struct req *r);            /* POST /admin/views/:id: save, rename, delete */
#endif
