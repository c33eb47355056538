/* Webhooks in: endpoint, event log, and the write set that reaches the database in group commits.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H
#include "db/db.h"
#include "http/http.h"
#include "http/slice.h"
#include "job/job.h"

int intake_webhook_get(struct req *r); /* handshakes; both URL forms */
int intake_webhook_post(struct req *r);
/* The longest body that the provider of the route's :providerType sends. */
uint64_t intake_body_limit(const struct req *r);

/* The writer process's main (prefork group): takes write sets from workers on a Unix socket. */
int intake_writer_main(void *app, int index);

/* The event log. */
int event_api_list(struct req *r);
int event_api_get(struct req *r);
int event_api_replay(struct req *r);
/* POST /events/replay {"connectionId","since"} → 202 with the task */
int event_api_replay_failed(struct req *r);
/* What became of a request. */
#define EVENT_PROCESSED "processed"
#define EVENT_VERIFIED "verified" /* its many items are being taken */
#define EVENT_DUPLICATE "duplicate"
#define EVENT_REJECTED "rejected" /* failed verification */
#define EVENT_FAILED "failed"     /* verified, but nothing came of it: reason says why */
#define EVENT_SPOOLED                                                                              \
	"spooled" /* nobody sets it before there is a spool for when the database is away */
extern const struct word event_statuses[]; /* what may be asked for; of these can be: */
#define EVENT_STATUSES_SET (event_statuses + 1)

struct event_filter {
	struct uuid account_id;
	struct str status, provider_type;
	struct uuid connection_id;
	struct str search; /* in type, reason, sender and request id, whatever the case */
	struct opt_time from, to;
};
extern const struct list list_of_events;
/* The job that takes what is too much for one commit. */
int event_job_process(struct job *j, struct err *err);
/* All events of a connection that failed since then are replayed: a task, queued with a row of the
 * audit log. account_id NULL: of whichever account the connection is; r NULL: the operator's tool.
 * 1, 0 there is no such connection, -1. */
struct task;
int event_replay_failed(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *connection_id, int64_t since_us,
    struct task *out, struct err *err);
extern const struct task_kind event_replay_task;
int event_job_replay(struct job *j, struct err *err); /* event.replay, subject: the task */
/* The job that does what items ask for besides being stored (item-effects.c). */
int event_job_effects(struct job *j, struct err *err);
int event_job_died(struct db *db, struct job *j, const char *why, struct err *err);
int event_jobs_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err);
/* Newest first. With filters a slice may end before it is full, has_more set. */
int event_list(struct app *app, struct arena *a, const struct event_filter *f, struct slice *s,
    struct err *err);
/* How many the list has, EVENT_COUNT_MOST at most; -1 where only a look at each could tell. */
#define EVENT_COUNT_MOST 10000
int event_count(
    struct app *app, struct arena *a, const struct event_filter *f, int64_t *out, struct err *err);
/* With headers and body; 1, 0, -1. */
int event_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);
/* Periodic: makes the partitions of the coming days. ERR_RETRY while somebody keeps the log busy.
 */
int event_partitions(struct app *app, struct err *err);
/* Periodic: drops what is past retention, two days of it at most, so that a clock that is wrong
 * costs no more until somebody sees it. */
int event_retain(struct app *app, struct err *err);
/* Periodic: forgets by what repeats of events past retention are known: 1 there is more, 0, -1. */
int event_keys_forget(struct app *app, struct err *err);
/* For how many days after today there are partitions; what lies beyond them cannot be dropped by
 * the day. Below EVENT_DAYS_LOW somebody must look. */
#define EVENT_DAYS_LOW 2
int event_days_ahead(struct app *app, int32_t *days, struct err *err);
/* The hook tell_connections: "today" ("3 events today, 1 refused", absent where it is not known),
 * the same as "eventsToday", "refusedToday" and "todayIsLeast", "has_refused", and "receivedAt" of
 * the last that verified today. */
int event_tell_connections(struct req *r, json_t *connections, struct err *err);
/* The hook tell_records: its connection, or of older ones the one of its provider, or of the last
 * change. */
int event_tell_records(struct req *r, json_t *rows, struct err *err);
/* The hook tell_connection, as long as no call was verified: the last that was refused, as
 * "refused" {at, reason, href}. */
int event_tell_refused(struct req *r, const struct connection *c, json_t *data, struct err *err);
/* The hook connection_activity: its newest events. */
int event_connection_activity(
    struct req *r, const struct connection *c, json_t *data, struct err *err);
int event_page_list(struct req *r);
int event_page_detail(struct req *r);
int event_page_replay(struct req *r);
int event_page_replay_failed(struct req *r); /* POST /admin/events/replay */
#endif
