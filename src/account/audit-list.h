/* Reading the audit log: who did what, when, from where, to which object. */
#ifndef ACCOUNT_AUDIT_LIST_H
#define ACCOUNT_AUDIT_LIST_H
#include "account/account-internal.h"
#include "base/word.h"

struct audit_filter {
	struct uuid account_id;
	struct str who;          /* an actor's name: a person's email, a key's name, connectctl */
	struct str action, kind; /* of audit_actions, audit_kinds; or others */
	struct uuid object_id;   /* nil: any */
	struct opt_time from,
	    to; /* from <= at < to; a bare date is the whole day, in the viewer's zone */
};
extern const struct list list_of_audit;
/* What people call what was done, and to what. Other words are shown as they are. */
extern const struct word audit_actions[], audit_kinds[];

/* Newest first. Rows: {id, at, actorKind, actorId, actorName, action, objectKind, objectId,
 * remoteAddr, requestId, details}. */
int audit_list(struct app *app, struct arena *a, const struct audit_filter *f, struct slice *s,
    struct err *err);
/* One row of that form: 1, 0, -1. */
int audit_find(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err);
#endif
