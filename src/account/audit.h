/* The audit log, and the one way to make a change that it is to know of: the change and its rows in
 * one transaction, and after the commit, not before it, the end of what caches hold. */
#ifndef ACCOUNT_AUDIT_H
#define ACCOUNT_AUDIT_H
#include "db/personal.h"
#include "http/http.h"

/* A transaction that is running under audit. */
struct audit;

/* Runs body in a transaction of its own, adds the rows that body noted and commits. body returns 0,
 * 1 when there was nothing to change (committed without rows), or -1 (rolled back). It may be run
 * again, as db_transaction says: what it noted in an earlier try is forgotten. The actor and the
 * address are those of r, read after body; r NULL is the operator's tool. *account_id is read after
 * body too; account_id NULL is for what belongs to no account, so that there is no log for it.
 * Once committed, every cache of this host drops if a change was noted. Returns 0, -1. */
int audit_change(struct app *app, const struct req *r, const struct uuid *account_id,
    int (*body)(struct db *db, struct audit *log, void *arg, struct err *err), void *arg,
    struct err *err);

/* Notes a change of an object: name is what people call it (NULL: nothing), before and after are
 * objects of the same members, NULL where it did not exist. The row's details are {"name",
 * "before", "after"} with the members that differ, of objects within objects too; a change that
 * changed nothing has no row. Nothing is stolen. Never a secret: credentials appear as names. */
void audit_note(struct audit *log, const char *action, const char *object_kind,
    const struct uuid *object_id, const char *name, const json_t *before, const json_t *after);
/* Notes a fact that changes no setting (a push asked for, a record deleted), so that caches stay.
 * details as they are, or NULL. object_id may be NULL. */
void audit_fact(struct audit *log, const char *action, const char *object_kind,
    const struct uuid *object_id, const json_t *details);
/* A fact of a transaction that is running, of the product's own accord. */
int audit_fact_within(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *action, const char *object_kind, const struct uuid *object_id,
    const json_t *details, struct err *err);
/* A fact with no change beside it, in a transaction of its own. */
int audit_fact_alone(struct app *app, const struct req *r, const struct uuid *account_id,
    const char *action, const char *object_kind, const struct uuid *object_id,
    const json_t *details, struct err *err);

/* The newest rows of the log for an object, at most so many, as of the API with "what" in words.
 * Arena-owned. */
int audit_of_object(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *object_id, int64_t most, json_t **out, struct err *err);
/* Within a transaction: what the log says of an object goes, since a person is to be erased who is
 * named there; that something was done to it, by whom and when stays. */
int audit_forget(
    struct db *db, const struct uuid *account_id, const struct uuid *object_id, struct err *err);
extern const struct personal_table audit_personal_table, idempotency_personal_table;

/* Makes every cache of this host (connections, keys, sessions; of workers and runners) look again:
 * after the commit of the running transaction, at once when there is none. For what has no row in
 * the log. */
void audit_caches_drop(struct app *app);
/* What such a cache holds is valid while this stands still, and for CACHE_TTL_US, since other hosts
 * cannot move it. */
uint64_t audit_caches_generation(const struct app *app);
#define CACHE_TTL_US INT64_C(1000000)
#endif
