/* The audit log: who did what, when, from where, to which object. */
#include "account/account-internal.h"
#include "base/clock.h"

#define NAME_CHARS 254u
#define ADDRESS_CHARS 64u

static const char *actor_kind(const struct req *r)
{
	if (r == NULL)
		return "operator";
	switch (r->actor.kind) {
	case ACTOR_SESSION:
		return "session";
	case ACTOR_KEY:
		return "key";
	case ACTOR_TOKEN:
		return "token";
	case ACTOR_NONE:
		break;
	}
	return "anonymous";
}

/* People go by their email, keys by their name. */
static const char *actor_name(const struct req *r)
{
	const char *name = r == NULL                ? "connectctl"
			   : r->actor.email != NULL ? r->actor.email
						    : r->actor.name;

	return name == NULL ? "" : name;
}

int audit_write(struct app *app, const struct req *r, const struct uuid *account_id,
    const char *action, const char *object_kind, const struct uuid *object_id,
    const json_t *details, struct err *err)
{
	struct arena *own = r == NULL ? arena_new() : NULL;
	struct arena *a = r == NULL ? own : r->a;
	struct audit_row row = {
	    .id = uuid_new(),
	    .account_id = *account_id,
	    .at_us = clock_now_us(),
	    .actor_kind = actor_kind(r),
	    .actor_name = account_text_clip(a, str_from(actor_name(r)), NAME_CHARS),
	    .action = action,
	    .object_kind = object_kind,
	    .remote_addr = {"", 0},
	    .request_id = {"", 0},
	};
	int rc;

	if (object_id != NULL)
		row.object_id = *object_id;
	if (details != NULL)
		row.details = json_text(a, details);
	if (r != NULL) {
		row.actor_id = r->actor.kind == ACTOR_KEY ? r->actor.key_id : r->actor.user_id;
		row.remote_addr = account_text_clip(a, str_from(r->remote_addr), ADDRESS_CHARS);
		row.request_id = account_text_clip(a, str_from(r->id), ADDRESS_CHARS);
	}
	rc = store_audit_insert(app->db, &row, err);
	arena_free(own);
	return rc;
}

static int change_and_log(struct db *db, void *arg, struct err *err)
{
	const struct audited_change *c = arg;
	int rc = c->change(db, c->arg, err);

	if (rc != 0)
		return rc == -1 ? -1 : 0;
	return audit_write(
	    c->app, c->r, c->account_id, c->action, c->object_kind, c->object_id, c->details, err);
}

int audited_change(const struct audited_change *c, struct err *err)
{
	struct audited_change copy = *c;

	if (db_transaction(c->app->db, change_and_log, &copy, err) == -1)
		return -1;
	account_changed(c->app);
	return 0;
}
