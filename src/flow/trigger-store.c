/* The store of the triggers. */
#include "account/audit.h"
#include "base/clock.h"
#include "flow/flow.h"
#include "flow/trigger.h"

#define TRIGGER_COLUMNS                                                                            \
	"id, account_id, flow_id, connection_id, kind, provider_type, trigger_name, "              \
	"resource_type,"                                                                           \
	" config, is_enabled, created_at, updated_at, fired_at"
enum {
	TRIGGER_ID,
	TRIGGER_ACCOUNT,
	TRIGGER_FLOW,
	TRIGGER_CONNECTION,
	TRIGGER_KIND,
	TRIGGER_PROVIDER,
	TRIGGER_NAME,
	TRIGGER_RESOURCE,
	TRIGGER_CONFIG,
	TRIGGER_ENABLED,
	TRIGGER_CREATED,
	TRIGGER_UPDATED,
	TRIGGER_FIRED
};
#define TRIGGERS_OF "SELECT " TRIGGER_COLUMNS " FROM flow_triggers WHERE account_id = ?"
DB_STMT(trigger_list_sql,
    TRIGGERS_OF " AND (? IS NULL OR flow_id = ?) AND id < ? ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(trigger_by_id, TRIGGERS_OF " AND id = ?");
DB_STMT(triggers_enabled, TRIGGERS_OF " AND is_enabled = 1 LIMIT 1000");
DB_STMT(triggers_count, "SELECT COUNT(*) FROM flow_triggers WHERE account_id = ?");
DB_STMT(trigger_put,
    "INSERT INTO flow_triggers (" TRIGGER_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,NULL)");
DB_STMT(trigger_set, "UPDATE flow_triggers SET connection_id = ?, config = ?, is_enabled = ?,"
		     " updated_at = ? WHERE account_id = ? AND id = ?");
DB_STMT(trigger_delete, "DELETE FROM flow_triggers WHERE account_id = ? AND id = ?");
DB_STMT_ROWS(trigger_fired,
    "UPDATE flow_triggers SET fired_at = ? WHERE account_id = ? AND id IN (", "?", ")");

static const struct filter_row trigger_filters[] = {
    {"flowId", FILTER_ID, offsetof(struct trigger_filter, flow_id), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_triggers = {"triggers", trigger_filters, NULL};

static int trigger_read(
    struct arena *a, const struct db_rows *rows, size_t i, struct trigger *out, struct err *err)
{
	*out = (struct trigger){.id = db_get_uuid(rows, i, TRIGGER_ID),
	    .account_id = db_get_uuid(rows, i, TRIGGER_ACCOUNT),
	    .flow_id = db_get_uuid(rows, i, TRIGGER_FLOW),
	    .connection_id = db_get_uuid(rows, i, TRIGGER_CONNECTION),
	    .kind = db_get_text(rows, i, TRIGGER_KIND),
	    .provider_type = db_get_str(rows, i, TRIGGER_PROVIDER),
	    .name = db_get_str(rows, i, TRIGGER_NAME),
	    .resource_type = db_get_str(rows, i, TRIGGER_RESOURCE),
	    .config = json_parse_stored(a, db_get_str(rows, i, TRIGGER_CONFIG), err),
	    .is_enabled = db_get_int(rows, i, TRIGGER_ENABLED) != 0,
	    .created_us = db_get_int(rows, i, TRIGGER_CREATED),
	    .updated_us = db_get_int(rows, i, TRIGGER_UPDATED),
	    .fired_us = db_get_int(rows, i, TRIGGER_FIRED)};
	return out->config == NULL ? err_prefix(err, "a trigger") : 0;
}

json_t *trigger_json(struct arena *a, const struct trigger *t)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, t->id));
	json_set_str(o, "flowId", uuid_dup(a, t->flow_id));
	json_set_str(o, "kind", t->kind);
	json_set_strn(o, "providerType", t->provider_type);
	json_set_strn(o, "triggerName", t->name);
	json_set_strn(o, "resourceType", t->resource_type);
	json_set_str(o, "connectionId",
	    uuid_is_nil(t->connection_id) ? NULL : uuid_dup(a, t->connection_id));
	json_set(o, "config", json_incref(t->config));
	json_set_bool(o, "enabled", t->is_enabled);
	json_set_time(o, "lastFiredAt", t->fired_us);
	json_set_time(o, "createdAt", t->created_us);
	json_set_time(o, "updatedAt", t->updated_us);
	return o;
}

static int trigger_row_json(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    json_t **out, struct err *err)
{
	struct trigger t;

	(void)app;
	if (trigger_read(a, rows, i, &t, err) == -1)
		return -1;
	*out = json_own(a, trigger_json(a, &t));
	return 0;
}

int trigger_list(struct app *app, struct arena *a, const struct trigger_filter *f, struct slice *s,
    struct err *err)
{
	struct cursor from = slice_from(s);
	struct db_rows rows;

	if (db_query(app->db, a, &trigger_list_sql,
		DB_VALS(db_uuid(&f->account_id), db_uuid_or_null(&f->flow_id), db_uuid(&f->flow_id),
		    db_uuid(&from.id), db_int(slice_limit(s)), db_int(s->offset)),
		&rows, err) == -1)
		return -1;
	return slice_take(s, app, a, &rows, SLICE_BY_ID, TRIGGER_ID, trigger_row_json, err);
}

int trigger_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct trigger *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &trigger_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	return found == 1 && trigger_read(a, &rows, 0, out, err) == -1 ? -1 : found;
}

int triggers_of_account(struct db *db, struct arena *a, const struct uuid *account_id,
    struct triggers *out, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &triggers_enabled, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	*out = (struct triggers){arena_array(a, rows.count + 1, sizeof(*out->v)), rows.count};
	for (size_t i = 0; i < rows.count; i++)
		if (trigger_read(a, &rows, i, &out->v[i], err) == -1)
			return -1;
	return 0;
}

bool trigger_fits(const struct trigger *t, struct str provider_type, struct str resource_type)
{
	return str_eq(t->provider_type, provider_type) &&
	       (str_is(t->resource_type, "*") || str_eq(t->resource_type, resource_type));
}

int triggers_note_fired(
    struct db *db, const struct uuid *account_id, const struct uuid *ids, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct db_val id = db_uuid(&ids[i]);

		if (db_exec_rows(db, &trigger_fired,
			(const struct db_val[]){db_int(clock_now_us()), db_uuid(account_id)}, 2,
			&id, 1, 1, NULL, err) == -1)
			return -1;
	}
	return 0;
}

/* ---- changes ----------------------------------------------------------------------------------
 */

struct trigger_change {
	struct req *r;
	enum trigger_act act;
	const struct trigger *t;
};

static int trigger_insert(struct db *db, const struct trigger_change *c, struct err *err)
{
	const struct trigger *t = c->t;
	struct db_rows rows;

	if (db_row(db, c->r->a, &triggers_count, DB_VALS(db_uuid(&t->account_id)), &rows, err) ==
	    -1)
		return -1;
	if (db_get_int(&rows, 0, 0) >= TRIGGERS_PER_ACCOUNT)
		return err_set(err, ERR_CONFLICT, "An account may have at most %d triggers",
		    TRIGGERS_PER_ACCOUNT);
	return db_exec(db, &trigger_put,
	    DB_VALS(db_uuid(&t->id), db_uuid(&t->account_id), db_uuid(&t->flow_id),
		db_uuid_or_null(&t->connection_id), db_str(t->kind), db_strn(t->provider_type),
		db_strn(t->name), db_strn(t->resource_type), db_strn(json_text(c->r->a, t->config)),
		db_int(t->is_enabled), db_int(t->created_us), db_int(t->updated_us)),
	    NULL, err);
}

static int trigger_change_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	static const char *const audited[] = {[TRIGGER_MAKE] = "trigger.create",
	    [TRIGGER_CHANGE] = "trigger.update",
	    [TRIGGER_REMOVE] = "trigger.delete"};
	const struct trigger_change *c = arg;
	const struct trigger *t = c->t;
	struct arena *a = c->r->a;
	json_t *before = NULL, *after = json_own(a, trigger_json(a, t));
	struct trigger old;
	int found, rc;

	if (c->act != TRIGGER_MAKE) {
		found = trigger_load(db, a, &t->account_id, &t->id, &old, err);
		if (found != 1)
			return found == 0 ? 1 : -1;
		before = json_own(a, trigger_json(a, &old));
	}
	rc = c->act == TRIGGER_MAKE ? trigger_insert(db, c, err)
	     : c->act == TRIGGER_CHANGE
		 ? db_exec(db, &trigger_set,
		       DB_VALS(db_uuid_or_null(&t->connection_id), db_strn(json_text(a, t->config)),
			   db_int(t->is_enabled), db_int(t->updated_us), db_uuid(&t->account_id),
			   db_uuid(&t->id)),
		       NULL, err)
		 : db_exec(db, &trigger_delete, DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id)),
		       NULL, err);
	if (rc == -1)
		return -1;
	audit_note(log, audited[c->act], "trigger", &t->id, NULL, before,
	    c->act == TRIGGER_REMOVE ? NULL : after);
	return 0;
}

int trigger_write(struct req *r, enum trigger_act act, const struct trigger *t, struct err *err)
{
	struct trigger_change c = {r, act, t};

	return audit_change(r->app, r, &t->account_id, trigger_change_body, &c, err);
}
