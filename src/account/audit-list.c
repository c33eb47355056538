/* The audit log as a list: filters, rows, and the words for what was done. */
#include "account/audit-list.h"

#include "base/clock.h"

#define AUDIT_COLUMNS                                                                              \
	"SELECT id, at, actor_kind, actor_id, actor_name, action, object_kind, object_id,"         \
	" remote_addr, request_id, details FROM audit_log WHERE account_id = ?"
enum {
	AUDIT_ID,
	AUDIT_AT,
	AUDIT_ACTOR_KIND,
	AUDIT_ACTOR_ID,
	AUDIT_ACTOR_NAME,
	AUDIT_ACTION,
	AUDIT_OBJECT_KIND,
	AUDIT_OBJECT_ID,
	AUDIT_ADDRESS,
	AUDIT_REQUEST,
	AUDIT_DETAILS
};
DB_STMT(audit_rows,
    AUDIT_COLUMNS " AND id < ? AND id >= ? AND id < ? AND (? IS NULL OR actor_name = ?)"
		  " AND (? IS NULL OR action = ?) AND (? IS NULL OR object_kind = ?)"
		  " AND (? IS NULL OR object_id = ?) ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(audit_row_by_id, AUDIT_COLUMNS " AND id = ?");

/* A test compares this with what src notes. */
const struct word audit_actions[] = {{"session.sign_in", "Signed in"},
    {"session.sign_in_failed", "Failed to sign in"},
    {"session.second_factor_asked", "Was asked for the second factor"},
    {"session.confirm_failed", "Failed to confirm the password"},
    {"session.sign_out", "Signed out"}, {"session.sign_out_everywhere", "Signed out everywhere"},
    {"session.end", "Ended a session"}, {"session.end_others", "Ended all other sessions"},
    {"token.create", "Made a bearer token"}, {"account.create", "Made the account"},
    {"account.update", "Changed the account"}, {"user.add", "Added a person"},
    {"user.invite", "Invited a person"}, {"user.invite_withdraw", "Withdrew an invitation"},
    {"user.join", "Joined"}, {"user.role", "Changed a role"}, {"user.remove", "Removed a person"},
    {"user.update", "Changed a profile"}, {"user.password", "Changed a password"},
    {"user.password_link", "Made a link for a new password"},
    {"user.totp_on", "Turned the second factor on"},
    {"user.totp_off", "Turned the second factor off"},
    {"user.recovery_codes", "Made new recovery codes"}, {"api_key.create", "Made an API key"},
    {"api_key.update", "Changed an API key"}, {"api_key.revoke", "Revoked an API key"},
    {"connection.create", "Made a connection"}, {"connection.update", "Changed a connection"},
    {"connection.delete", "Disconnected a connection"},
    {"connection.login", "Logged in at a provider again"}, {"provider_app.create", "Added an app"},
    {"provider_app.update", "Changed an app"}, {"provider_app.delete", "Removed an app"},
    {"subscription.check", "Looked after subscriptions"}, {"poll.update", "Changed a poll"},
    {"poll.run", "Ran a poll"}, {"poll.backfill", "Began a back-fill"},
    {"poll.reconcile", "Compared a source's leads"},
    {"reconcile.cancel", "Cancelled a comparison of leads"},
    {"backfill.cancel", "Cancelled a back-fill"}, {"proxy.call", "Called a provider by the proxy"},
    {"action.run", "Ran an action"}, {"view.create", "Made a view"},
    {"view.update", "Changed a view"}, {"view.delete", "Deleted a view"},
    {"view.move", "Moved a view"}, {"flow.create", "Made a flow"},
    {"flow.update", "Changed a flow"}, {"flow.publish", "Published a flow"},
    {"flow.revert", "Went back to a version of a flow"}, {"flow.archive", "Archived a flow"},
    {"flow.delete", "Deleted a flow"}, {"flow.cancel", "Cancelled a flow's run"},
    {"flow.replay_all", "Ran failed runs again"}, {"flow.replay", "Replayed a flow's run"},
    {"trigger.create", "Made a trigger of a flow"},
    {"trigger.update", "Changed a trigger of a flow"},
    {"trigger.delete", "Deleted a trigger of a flow"}, {"import.create", "Began an import"},
    {"import.cancel", "Cancelled an import"}, {"record.delete", "Deleted a record"},
    {"record.delete_all", "Deleted records"},
    {"record.erase", "Erased a record, as its provider asked for"},
    {"connection.expire", "Ended a connection, as its provider asked for"},
    {"record.replay", "Re-ran flows for records"}, {"delete.cancel", "Cancelled a deletion"},
    {"event.replay_failed", "Replayed failed events"},
    {"event_replay.cancel", "Cancelled a replay of events"},
    {"replay.cancel", "Cancelled a re-run"}, {"sample.create", "Made sample data"},
    {"mapping.save", "Changed a field mapping"}, {"routing.save", "Changed the routing of leads"},
    {"lead.push", "Sent a lead"}, {"crm.push_all", "Sent all leads that wait"},
    {"crm.push_again", "Sent deliveries again"}, {"lead.import", "Began an import of leads"},
    {"lead_import.cancel", "Cancelled an import of leads"}, {"lead.update", "Corrected a lead"},
    {"lead.delete", "Deleted a lead"}, {"lead.release", "Said that a lead is no duplicate"},
    {"lead.rule", "Set which leads are duplicates"},
    {"retention.set", "Set how long records are kept"},
    {"privacy.erase", "Began to erase a person"}, {"privacy.erased", "Erased a person"},
    {"privacy.export", "Began to export a person's data"},
    {"retention.delete", "Set records to be kept forever"}, {"queue.pause", "Paused deliveries"},
    {"queue.resume", "Resumed deliveries"}, {"queue.try", "Tried a destination again"},
    {"queue.retry", "Retried what was given up"}, {"table.create", "Made a table"},
    {"table.update", "Changed a table"}, {"table.delete", "Deleted a table"},
    {"table.row_delete", "Deleted a row of a table"},
    {"table_import.cancel", "Stopped an import into a table"},
    {"table_change.cancel", "Stopped the change of a table"}, {NULL, NULL}};
const struct word audit_kinds[] = {{"user", "Person"}, {"invitation", "Invitation"},
    {"account", "Account"}, {"api_key", "API key"}, {"connection", "Connection"},
    {"provider_app", "App"}, {"record", "Record"}, {"lead", "Lead"}, {"view", "View"},
    {"task", "Bulk work"}, {"retention", "Records of type"}, {"lane", "Deliveries"}, {"job", "Job"},
    {"flow", "Flow"}, {"trigger", "Trigger"}, {"table", "Table"}, {"table_row", "Row of a table"},
    {NULL, NULL}};

/* ---- filters --------------------------------------------------------------------------------- */

static const struct filter_row audit_filters[] = {
    {"who", FILTER_TEXT, offsetof(struct audit_filter, who), NULL, NULL},
    {"action", FILTER_TEXT, offsetof(struct audit_filter, action), audit_actions, NULL},
    {"objectKind", FILTER_TEXT, offsetof(struct audit_filter, kind), audit_kinds, NULL},
    {"objectId", FILTER_ID, offsetof(struct audit_filter, object_id), NULL, NULL},
    {"from", FILTER_FROM, offsetof(struct audit_filter, from), NULL, NULL},
    {"to", FILTER_UNTIL, offsetof(struct audit_filter, to), NULL, NULL}, {NULL, 0, 0, NULL, NULL}};
const struct list list_of_audit = {"audit", audit_filters, NULL};

/* ---- rows ------------------------------------------------------------------------------------ */

static void json_set_id(json_t *o, struct arena *a, const char *key, struct uuid id)
{
	json_set_str(o, key, uuid_is_nil(id) ? NULL : uuid_dup(a, id));
}

static int audit_row_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	struct str details = db_get_str(rows, i, AUDIT_DETAILS);
	json_t *o = json_own(a, json_object()),
	       *parsed = details.n == 0 ? NULL : json_parse_stored(a, details, err);

	(void)app;
	if (details.n > 0 && parsed == NULL)
		return err_prefix(err, "audit log");
	json_set_str(o, "id", uuid_dup(a, db_get_uuid(rows, i, AUDIT_ID)));
	json_set_time(o, "at", db_get_int(rows, i, AUDIT_AT));
	json_set_str(o, "actorKind", db_get_text(rows, i, AUDIT_ACTOR_KIND));
	json_set_id(o, a, "actorId", db_get_uuid(rows, i, AUDIT_ACTOR_ID));
	json_set_str(o, "actorName", db_get_text(rows, i, AUDIT_ACTOR_NAME));
	json_set_str(o, "action", db_get_text(rows, i, AUDIT_ACTION));
	json_set_str(o, "objectKind", db_get_text(rows, i, AUDIT_OBJECT_KIND));
	json_set_id(o, a, "objectId", db_get_uuid(rows, i, AUDIT_OBJECT_ID));
	json_set_str(o, "remoteAddr", db_get_text(rows, i, AUDIT_ADDRESS));
	json_set_str(o, "requestId", db_get_text(rows, i, AUDIT_REQUEST));
	json_set(o, "details", parsed == NULL ? json_null() : json_incref(parsed));
	*out = o;
	return 0;
}

/* {NULL,0} where nothing is asked for: then the statement asks nothing. */
static struct db_val text_or_null(struct str s)
{
	return s.n == 0 ? db_null() : db_strn(s);
}

int audit_list(struct app *app, struct arena *a, const struct audit_filter *f, struct slice *s,
    struct err *err)
{
	struct cursor from = slice_from(s);
	struct uuid least = uuid_at(f->from.is_given ? f->from.us : 0), most = from.id;
	struct db_val who = text_or_null(f->who),
		      action = f->action.n == 0 ? db_null() : db_name(f->action),
		      kind = f->kind.n == 0 ? db_null() : db_name(f->kind),
		      object = db_uuid_or_null(&f->object_id);
	struct db_rows rows;

	if (f->to.is_given)
		most = uuid_at(f->to.us);
	if (db_query(app->db, a, &audit_rows,
		DB_VALS(db_uuid(&f->account_id), db_uuid(&from.id), db_uuid(&least), db_uuid(&most),
		    who, who, action, action, kind, kind, object, object, db_int(slice_limit(s)),
		    db_int(s->offset)),
		&rows, err) == -1)
		return -1;
	return slice_take(s, app, a, &rows, SLICE_BY_ID, AUDIT_ID, audit_row_json, err);
}

int audit_find(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, json_t **out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    app->db, a, &audit_row_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	return slice_row(app, a, &rows, 0, audit_row_json, out, err) == -1 ? -1 : 1;
}

int audit_of_object(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *object_id, int64_t most, json_t **out, struct err *err)
{
	const struct audit_filter f = {.account_id = *account_id, .object_id = *object_id};
	struct slice s = {.limit = most};
	json_t *row;
	size_t i;

	if (audit_list(app, a, &f, &s, err) == -1)
		return -1;
	json_array_each(s.rows, i, row)
		json_set_str(row, "what", word_label(audit_actions, json_str(row, "action")));
	*out = s.rows;
	return 0;
}
