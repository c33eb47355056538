/* What the features tell each other without knowing each other: one table, filled in
 * product/wiring.c, a member of struct app: an app of zeros tells nobody of anything. Types are
 * named only, as in base/app.h; the feature whose hook it is documents it. Lists end with NULL. */
#ifndef BASE_HOOKS_H
#define BASE_HOOKS_H

#include <stddef.h>

#include "base/json.h"

struct app;
struct arena;
struct chrome_badge;
struct chrome_nav;
struct connection;
struct db;
struct err;
struct job;
struct job_kind;
struct lane_key;
struct lead_ready;
struct personal_table;
struct record_dispatch;
struct record_item;
struct record_news;
struct record_story;
struct req;
struct task_kind;
struct trigger;
struct uuid;

/* connection/connection.h: whether a body template can be used. */
typedef int connection_template_fn(struct arena *a, const json_t *template, struct err *err);
/* lead/lead.h: told in the transaction that makes n leads ready; j is the job of one of them. */
typedef int lead_ready_fn(struct job *j, struct lead_ready *leads, size_t n, struct err *err);
/* lead/lead.h: told within a transaction of n leads that have been corrected; otherwise the same.
 */
typedef int lead_corrected_fn(struct job *j, struct lead_ready *leads, size_t n, struct err *err);
/* lead/lead.h: told within the transaction that erases a lead: all that is kept of it goes too. */
typedef int lead_erased_fn(
    struct app *app, const struct uuid *account_id, const struct uuid *lead_id, struct err *err);
/* lead/lead.h: adds {stage,at,text,…} of a lead, as of the API, to the list; each part is for those
 * who have its permission. */
typedef int lead_timeline_fn(struct app *app, struct arena *a, const struct uuid *account_id,
    uint64_t permissions, const json_t *lead, json_t *list, struct err *err);
/* lead/lead-pages.h: adds "destinations" to each of an account's leads. */
typedef int lead_decorate_fn(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *leads, struct err *err);
/* record/record.h: runs what is subscribed to a record. */
typedef int record_dispatch_fn(struct app *app, struct arena *a, const struct record_dispatch *d,
    int64_t *matched, json_t *ids, struct err *err);
/* lead/lead.h: record_upsert where leads follow their records. */
typedef int records_upsert_fn(struct app *app, struct db *db, struct arena *a,
    struct record_item *items, size_t n, bool is_bulk, struct err *err);
/* record/record.h: told within the transaction that stored n records. */
typedef int records_stored_fn(
    struct db *db, struct arena *a, const struct record_news *news, size_t n, struct err *err);
/* flow/trigger.h: told within the transaction that makes a trigger of a flow that is no schedule
 * (was NULL), changes or removes it (now NULL). */
typedef int trigger_changed_fn(struct app *app, struct arena *a, const struct trigger *was,
    const struct trigger *now, struct err *err);
/* flow/trigger.h: adds to each of an account's triggers ("id", "kind") what it knows of it. */
typedef int tell_triggers_fn(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *triggers, struct err *err);
/* flow/trigger.h: completes a poll's config, with complaints to the request. */
typedef int trigger_poll_check_fn(struct req *r, struct trigger *t, struct err *err);
/* flow/trigger.h: asks once, and adds what was found to out. */
typedef int trigger_poll_try_fn(
    struct req *r, const struct trigger *t, json_t *out, struct err *err);
/* record/record-timeline.h: adds what it knows of a record. */
typedef int record_timeline_fn(
    struct app *app, struct arena *a, const struct record_story *s, struct err *err);

/* job/breaker.h: told in the transaction that opens a target's breaker, once each time, by the
 * runner; key is of one of its lanes, why is for people. -1 leaves it closed until the next
 * failure.
 */
typedef int breaker_opened_fn(
    struct app *app, struct arena *a, const struct lane_key *key, const char *why, struct err *err);

/* connection/connection-pages.h: adds to each of an account's connections ("id") what it knows of
 * it.
 */
typedef int tell_connections_fn(struct req *r, json_t *connections, struct err *err);

/* connection/connection-probe.h: what else is looked at once a day of a connection that works. */
typedef int connection_probed_fn(struct job *j, struct connection *c, struct err *err);

/* connection/connection.h: told within the transaction that makes a connection, changes it or, with
 * is_gone, removes it; c is as it is then. */
typedef int connection_changed_fn(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err);
/* connection/connection-pages.h: adds what it knows of a connection to its page. */
typedef int tell_connection_fn(
    struct req *r, const struct connection *c, json_t *data, struct err *err);
/* record/record-pages.h: adds to each of an account's records "connectionName", what the connection
 * is called that sent it, where that is known.
 */
typedef int tell_records_fn(struct req *r, json_t *rows, struct err *err);

/* html/chrome.h: what failed, for the badges of the navigation. */
typedef size_t nav_badges_fn(struct req *r, struct chrome_badge *out, size_t max);

/* connection/connection-pages.h: what people call a provider. */
typedef const char *provider_label_fn(const struct app *app, const char *type);

struct hooks {
	provider_label_fn *provider_label;
	connection_template_fn *connection_template;
	lead_ready_fn *const *lead_ready;
	lead_corrected_fn *const *lead_corrected;
	lead_erased_fn *const *lead_erased;
	lead_decorate_fn *lead_decorate;
	breaker_opened_fn *const *breaker_opened;
	record_dispatch_fn *record_dispatch;
	records_stored_fn *records_stored;
	records_upsert_fn *records_upsert;
	trigger_changed_fn *trigger_changed;
	tell_triggers_fn *tell_triggers;
	trigger_poll_check_fn *trigger_poll_check;
	trigger_poll_try_fn *trigger_poll_try;
	record_timeline_fn *const *record_timeline;
	const struct personal_table *const *personal_tables; /* db/personal.h: what names people */
	const struct task_kind *const *task_kinds; /* task/task.h: what long work there is */
	const struct job_kind *job_kinds;          /* job/job.h; ends with a kind of no name */
	/* html/chrome.h: the navigation, and the parts of the settings; each ends with an entry of
	 * no path */
	const struct chrome_nav *nav, *settings;
	nav_badges_fn *nav_badges;
	tell_connections_fn *tell_connections;
	connection_probed_fn *const *connection_probed;
	connection_changed_fn *const *connection_changed;
	tell_connection_fn *const *tell_connection;
	tell_connection_fn *const *connection_activity; /* connection/connection-pages.h */
	tell_records_fn *tell_records;
	lead_timeline_fn *const *lead_timeline;
};

#endif
