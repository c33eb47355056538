/* What the files of this feature share. */
#ifndef CRM_CRM_INTERNAL_H
#define CRM_CRM_INTERNAL_H
#include "crm/crm.h"

struct delivery {
	struct uuid id, account_id, lead_id, connection_id;
	struct delivery_state state;
	int64_t updated_us;
	int revision;               /* of the lead, as it was read */
	json_t *lead;               /* normalized, with its ids and when it was received */
	struct crm_mapping mapping; /* of its destination */
};

/* 1, 0, -1. */
int delivery_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct delivery *out, struct err *err);
/* The subjects of n jobs of one account, at most LIMIT_DB_BATCH, that are there. */
int deliveries_load(struct db *db, struct arena *a, const struct job *jobs, size_t n,
    struct delivery **out, size_t *nout, struct err *err);
/* Within a transaction, of n deliveries of one account, at most LIMIT_DB_BATCH: those that are no
 * success are pending as if they were new, and their leads' own status follows. */
int deliveries_revive(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, struct err *err);
struct push_outcome {
	const struct delivery *d;
	const struct delivery_attempt *attempts;
	size_t nattempts;
	bool is_end; /* nothing is to follow, but for another form */
	/* set on return: it was an end, but the lead has been corrected since it was read. The
	 * delivery is pending, and is to be pushed again. */
	bool is_outdated;
};
/* Within a transaction, of n different deliveries of one account, at most LIMIT_DB_BATCH: writes
 * status, counters, next_us, error, external id and the attempts, then their leads' own status. */
int deliveries_store(
    struct db *db, struct arena *a, struct push_outcome *v, size_t n, struct err *err);
/* Within a transaction: those that are leads there too (provider_pushed_as), and come back as
 * records: by their ids, of n deliveries that were taken, at most LIMIT_DB_BATCH. */
int deliveries_note_copies(struct db *db, struct arena *a, const struct delivery *const *v,
    const char *const *provider_types, size_t n, struct err *err);
/* Whose turn a push waits for: the destination's live lane or its bulk lane; or nobody's, since a
 * person asked for this one, who wants to see what the destination says though it may look dead. */
enum push_how { PUSH_LIVE, PUSH_BULK, PUSH_BY_HAND };
/* Of those that go together in one call (crm-batch.c) one is due at once and takes the others
 * along; they are due by themselves so much later, when something has kept it from that. */
#define PUSH_COMPANIONS_US (30 * SECOND_US)
#define PUSH_ACTION "push" /* of a manifest; its batch is called so, too */
struct delivery_queueing {
	struct app *app;
	struct arena *a;
	struct job *parent; /* the running job whose runner shall go on with them, or NULL */
	enum push_how how;
	bool is_automatic; /* not to destinations that people push to by hand alone */
	struct uuid account_id;
	const struct uuid *only; /* the one destination meant, or NULL: all */
	const struct uuid *task; /* that watches them (crm-push-all.c), or NULL */
	int64_t before;          /* leads that the task has queued before these */
	/* set on return: */
	size_t queued; /* jobs, added to what it was */
	struct connection **to;
	size_t nto;
};
/* Within a transaction, of n different leads of the account, at most LIMIT_DB_BATCH: a ledger row
 * for each destination that has none, and a push job for each row that is not a success. What the
 * leads' sync_status is thereby is for the caller to store; NULL where it has no destination. */
int deliveries_queue(
    struct delivery_queueing *q, struct lead_sync *leads, size_t n, struct err *err);
/* The same of leads' ids, with what it makes of their sync_status stored. */
int deliveries_queue_stored(
    struct delivery_queueing *q, const struct uuid *leads, size_t n, struct err *err);
/* Within a transaction, of n different leads of the account that have another form now, their rows
 * locked: where an active destination took the old one, or refused it, the new one is pushed; what
 * is under way or waits goes on with it. */
int deliveries_correct(struct delivery_queueing *q, const struct uuid *leads, const int *revisions,
    size_t n, struct err *err);
/* Within a transaction, of deliveries at most LIMIT_DB_BATCH: those that are no success and whose
 * destination is active are pushed again. */
int deliveries_queue_again(
    struct delivery_queueing *q, const struct uuid *ids, size_t n, struct err *err);
/* Within a transaction: pushes this one again now; 1, 0 when there is none (or it is a success),
 * -1. */
int delivery_queue(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err);
/* A lead that is to be pushed, and where to go on after it. */
struct waiting_lead {
	struct uuid id, position;
	bool is_ready; /* else its details could not be had */
};
/* Leads that no destination has taken, oldest first, after `after`: at most `most`. */
int deliveries_waiting_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *after, int64_t most, struct waiting_lead **out, size_t *n, struct err *err);
/* Leads that need no other push, for each that is dead, or was skipped while its destination (or
 * `only`) was disabled, and is no longer. */
int deliveries_beside_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *only, const struct uuid *after, int64_t most, struct waiting_lead **out,
    size_t *n, struct err *err);
/* Leads of both kinds, for that destination or for any. */
int deliveries_count_waiting(struct db *db, const struct uuid *account_id, const struct uuid *only,
    int64_t *n, struct err *err);

/* Within a transaction: the job of a delivery that is pending, now. */
int delivery_job_now(struct db *db, const struct uuid *account_id, const struct uuid *delivery_id,
    const struct uuid *connection_id, struct err *err);
/* Within a transaction: the task watches these deliveries. */
int push_items_add(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *task_id, const struct uuid *deliveries, size_t n, struct err *err);

struct delivery_filter {
	struct uuid account_id, connection_id, lead_id, task_id;
	struct str status;
	struct str route;                     /* of delivery_routes */
	struct str provider_type;             /* of the lead's source */
	struct opt_time from, to;             /* when the delivery was queued first */
	struct opt_time tried_from, tried_to; /* it had an attempt then */
	struct str search; /* words of its lead: of the newest FOUND_LEADS_MOST that match */
};
/* Why a delivery waits or was skipped: for its time, by a rule, in turn after another, or for want
 * of a credential that its destination was not given (crm-route.h). */
extern const struct word delivery_routes[];
#define DELIVERY_LACKS "lacks"
#define DESTINATION_REMOVED "(removed)" /* the name of one that is gone */
#define FOUND_LEADS_MOST 100
/* The beginnings of the ids of from and to, which is all of them where neither is given; and those
 * of attempts, if such are asked for (DELIVERY_TRIED, three values). */
struct delivery_range {
	struct uuid from, before, tried_from, tried_before;
	bool is_of_attempts;
};
/* One look into the key of its attempts: of a list of ids the server would read all there are. */
#define DELIVERY_TRIED                                                                             \
	" AND (? IS NULL OR (SELECT MIN(y.id) FROM lead_delivery_attempts y"                       \
	" FORCE INDEX (lead_delivery_attempts_delivery)"                                           \
	" WHERE y.account_id = d.account_id AND y.delivery_id = d.id"                              \
	" AND y.id >= ? AND y.id < ?) IS NOT NULL)"
struct delivery_range delivery_range_of(const struct delivery_filter *f);
extern const struct list list_of_deliveries;
/* All that match and are no success (without a status: that failed or were given up) are pushed
 * again, by a task, with a row of the audit log. */
int crm_queue_again(
    struct req *r, const struct delivery_filter *f, struct uuid *task_id, struct err *err);
/* One delivery as the list has it, and *attempts, newest first; 1, 0, -1. */
int delivery_get_json(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, json_t **attempts, struct err *err);
/* Newest first. */
int delivery_list(struct app *app, struct arena *a, const struct delivery_filter *f,
    struct slice *s, struct err *err);
#endif
