/* The store of the triggers. */
#include "account/audit.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "flow/flow.h"
#include "flow/trigger.h"
#include "job/board.h"

#define TRIGGER_COLUMNS                                                                            \
	"id, account_id, flow_id, connection_id, kind, provider_type, trigger_name, "              \
	"resource_type,"                                                                           \
	" config, is_enabled, created_at, updated_at, next_at, fired_at, fired, last_error, "      \
	"error_at"
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
	TRIGGER_NEXT,
	TRIGGER_FIRED,
	TRIGGER_COUNT,
	TRIGGER_ERROR,
	TRIGGER_ERROR_AT
};
#define OVERDUE_ROWS 100
#define TRIGGERS_OF "SELECT " TRIGGER_COLUMNS " FROM flow_triggers WHERE account_id = ?"
DB_STMT(trigger_list_sql,
    TRIGGERS_OF " AND (? IS NULL OR flow_id = ?) AND id < ? ORDER BY id DESC LIMIT ? OFFSET ?");
DB_STMT(trigger_by_id, TRIGGERS_OF " AND id = ?");
DB_STMT(triggers_of_flow, TRIGGERS_OF " AND flow_id = ? FOR UPDATE");
DB_STMT(trigger_by_id_locked, TRIGGERS_OF " AND id = ? FOR UPDATE");
DB_STMT(triggers_enabled,
    TRIGGERS_OF " AND is_enabled = 1 AND kind <> '" TRIGGER_SCHEDULE "' LIMIT 1000");
DB_STMT(triggers_polls, TRIGGERS_OF " AND is_enabled = 1 AND kind = '" TRIGGER_POLL "' LIMIT 1000");
DB_STMT_ROWS(triggers_of_ids, TRIGGERS_OF " AND id IN (", "?", ")");
DB_STMT(triggers_count, "SELECT COUNT(*) FROM flow_triggers WHERE account_id = ?");
DB_STMT(trigger_put,
    "INSERT INTO flow_triggers (" TRIGGER_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,0,NULL,"
    "NULL)");
DB_STMT(trigger_set, "UPDATE flow_triggers SET connection_id = ?, config = ?, is_enabled = ?,"
		     " updated_at = ?, next_at = ?, last_error = NULL, error_at = NULL"
		     " WHERE account_id = ? AND id = ?");
DB_STMT(trigger_delete, "DELETE FROM flow_triggers WHERE account_id = ? AND id = ?");
DB_STMT_ROWS(triggers_fired,
    "UPDATE flow_triggers SET fired_at = ?, fired = fired + 1, last_error = NULL, error_at = NULL"
    " WHERE account_id = ? AND id IN (",
    "?", ")");
DB_STMT_ROWS(triggers_failed,
    "UPDATE flow_triggers SET last_error = ?, error_at = ? WHERE account_id = ? AND id IN (", "?",
    ")");
DB_STMT(trigger_next, "UPDATE flow_triggers SET next_at = ? WHERE account_id = ? AND id = ?");
DB_STMT(triggers_overdue_sql,
    "SELECT id, account_id FROM flow_triggers WHERE is_enabled = 1 AND next_at < ? LIMIT ?");

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
	    .next_us = db_get_int(rows, i, TRIGGER_NEXT),
	    .fired_us = db_get_int(rows, i, TRIGGER_FIRED),
	    .fired = db_get_int(rows, i, TRIGGER_COUNT),
	    .last_error = db_get_text(rows, i, TRIGGER_ERROR),
	    .error_us = db_get_int(rows, i, TRIGGER_ERROR_AT)};
	return out->config == NULL ? err_prefix(err, "a trigger") : 0;
}

/* null where there is none, as in a schedule. */
static void json_set_some(json_t *o, const char *key, struct str text)
{
	json_set_strn(o, key, text.n == 0 ? (struct str){NULL, 0} : text);
}

json_t *trigger_json(struct arena *a, const struct trigger *t)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, t->id));
	json_set_str(o, "flowId", uuid_dup(a, t->flow_id));
	json_set_str(o, "kind", t->kind);
	json_set_some(o, "providerType", t->provider_type);
	json_set_some(o, "triggerName", t->name);
	json_set_some(o, "resourceType", t->resource_type);
	json_set_str(o, "connectionId",
	    uuid_is_nil(t->connection_id) ? NULL : uuid_dup(a, t->connection_id));
	json_set(o, "config", json_incref(t->config));
	json_set_bool(o, "enabled", t->is_enabled);
	json_set_time(o, "lastFiredAt", t->fired_us);
	json_set_int(o, "firedCount", t->fired);
	json_set_time(o, "nextDueAt", t->is_enabled ? t->next_us : 0);
	json_set_str(o, "lastError", t->last_error);
	json_set_time(o, "lastErrorAt", t->error_us);
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

int triggers_add_to_flows(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t *flows, struct err *err)
{
	const struct trigger_filter f = {.account_id = *account_id};
	struct slice s = {.limit = TRIGGERS_PER_ACCOUNT};
	json_t *flow, *t;
	size_t i, k;

	if (trigger_list(app, a, &f, &s, err) == -1)
		return -1;
	json_array_each(flows, i, flow)
		json_array_each(s.rows, k, t) /* newest first */
			if (strcmp(json_str(t, "flowId"), json_str(flow, "id")) == 0)
				json_set(flow, "trigger", json_incref(t));
	return 0;
}

int trigger_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct trigger *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &trigger_by_id, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	return found == 1 && trigger_read(a, &rows, 0, out, err) == -1 ? -1 : found;
}

int trigger_lock(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct trigger *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    db, a, &trigger_by_id_locked, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	return found == 1 && trigger_read(a, &rows, 0, out, err) == -1 ? -1 : found;
}

/* Adds to those that are there; there is room for all. */
static int triggers_add(
    struct arena *a, const struct db_rows *rows, struct triggers *out, struct err *err)
{
	for (size_t i = 0; i < rows->count; i++)
		if (trigger_read(a, rows, i, &out->v[out->n++], err) == -1)
			return -1;
	return 0;
}

static int triggers_load(struct db *db, struct arena *a, const struct db_stmt *s,
    const struct uuid *account_id, struct triggers *out, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, s, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	*out = (struct triggers){arena_array(a, rows.count + 1, sizeof(*out->v)), 0};
	return triggers_add(a, &rows, out, err);
}

int triggers_by_ids(struct db *db, struct arena *a, const struct uuid *account_id,
    const json_t *ids, struct triggers *out, struct err *err)
{
	size_t most = json_array_size(ids);
	struct uuid known[LIMIT_DB_BATCH];
	struct db_val v[LIMIT_DB_BATCH];
	struct db_rows rows;

	*out = (struct triggers){arena_array(a, most + 1, sizeof(*out->v)), 0};
	for (size_t i = 0; i < most;) {
		size_t n = 0;

		for (; i < most && n < LIMIT_DB_BATCH; i++) {
			const char *text = json_string_value(json_array_get(ids, i));

			if (uuid_parse(str_from(text), &known[n])) {
				v[n] = db_uuid(&known[n]);
				n++;
			}
		}
		if (n > 0 && (db_query_rows(db, a, &triggers_of_ids, DB_VALS(db_uuid(account_id)),
				  v, n, 1, &rows, err) == -1 ||
				 triggers_add(a, &rows, out, err) == -1))
			return -1;
	}
	return 0;
}

int triggers_polling(struct db *db, struct arena *a, const struct uuid *account_id,
    struct triggers *out, struct err *err)
{
	return triggers_load(db, a, &triggers_polls, account_id, out, err);
}

/* Read for each commit of records, changed once in a blue moon. */
#define ACCOUNTS_KEPT 64

int triggers_of_account(
    struct db *db, const struct uuid *account_id, struct triggers *out, struct err *err)
{
	static struct kept_triggers {
		struct arena *a;
		struct uuid account_id;
		uint64_t generation;
		int64_t until_us;
		struct triggers known;
	} kept[ACCOUNTS_KEPT];
	struct kept_triggers *k = &kept[account_id->b[sizeof(account_id->b) - 1] % ACCOUNTS_KEPT];
	uint64_t generation = board_generation(board_of(db_config(db)));
	int64_t now_us = clock_mono_us();

	if (!uuid_eq(k->account_id, *account_id) || k->generation != generation ||
	    now_us >= k->until_us) {
		if (k->a == NULL)
			k->a = arena_new();
		k->until_us = 0;
		arena_reset(k->a);
		if (triggers_load(db, k->a, &triggers_enabled, account_id, &k->known, err) == -1)
			return -1;
		k->account_id = *account_id;
		k->generation = generation;
		k->until_us = now_us + CACHE_TTL_US;
	}
	*out = k->known;
	return 0;
}

bool trigger_fits(const struct trigger *t, struct str provider_type, struct str resource_type)
{
	return (str_is(t->provider_type, TRIGGER_ANY) || str_eq(t->provider_type, provider_type)) &&
	       (str_is(t->resource_type, "*") || str_eq(t->resource_type, resource_type));
}

bool trigger_takes_imports(const struct trigger *t)
{
	const json_t *says = json_object_get(t->config, "onImport");

	return says != NULL ? json_is_true(says) : str_is(t->resource_type, "lead");
}

static int triggers_note_some(struct db *db, const struct uuid *account_id, const struct uuid *ids,
    size_t n, const char *error, struct err *err)
{
	struct db_val v[LIMIT_DB_BATCH], now = db_int(clock_now_us());
	const struct db_val failed[] = {db_str(error), now, db_uuid(account_id)};

	for (size_t i = 0; i < n; i++)
		v[i] = db_uuid(&ids[i]);
	if (error != NULL)
		return db_exec_rows(db, &triggers_failed, failed, 3, v, n, 1, NULL, err);
	return db_exec_rows(db, &triggers_fired, failed + 1, 2, v, n, 1, NULL, err);
}

int triggers_note_fired(struct db *db, const struct uuid *account_id, const struct uuid *ids,
    size_t n, const char *error, struct err *err)
{
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH)
		if (triggers_note_some(db, account_id, ids + i,
			n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH, error, err) == -1)
			return -1;
	return 0;
}

int trigger_set_next(struct db *db, const struct trigger *t, int64_t next_us, struct err *err)
{
	return db_exec(db, &trigger_next,
	    DB_VALS(db_time(next_us), db_uuid(&t->account_id), db_uuid(&t->id)), NULL, err);
}

int triggers_overdue(struct db *db, struct arena *a, int64_t before_us, struct trigger **out,
    size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &triggers_overdue_sql, DB_VALS(db_int(before_us), db_int(OVERDUE_ROWS)),
		&rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_zalloc(a, (rows.count + 1) * sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		(*out)[i].id = db_get_uuid(&rows, i, 0);
		(*out)[i].account_id = db_get_uuid(&rows, i, 1);
	}
	return 0;
}

/* ---- changes --------------------------------------------------------------------------------- */

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
		db_int(t->is_enabled), db_int(t->created_us), db_int(t->updated_us),
		db_time(t->next_us)),
	    NULL, err);
}

static json_t *trigger_audited(struct arena *a, const struct trigger *t)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "flowId", uuid_dup(a, t->flow_id));
	json_set_str(o, "kind", t->kind);
	json_set_strn(o, "providerType", t->provider_type);
	json_set_strn(o, "triggerName", t->name);
	json_set_str(o, "connectionId",
	    uuid_is_nil(t->connection_id) ? NULL : uuid_dup(a, t->connection_id));
	json_set(o, "config", json_incref(t->config));
	json_set_bool(o, "enabled", t->is_enabled);
	return o;
}

static int trigger_store_change(struct db *db, const struct trigger_change *c, struct err *err)
{
	const struct trigger *t = c->t;

	switch (c->act) {
	case TRIGGER_MAKE:
		return trigger_insert(db, c, err);
	case TRIGGER_CHANGE:
		return db_exec(db, &trigger_set,
		    DB_VALS(db_uuid_or_null(&t->connection_id),
			db_strn(json_text(c->r->a, t->config)), db_int(t->is_enabled),
			db_int(t->updated_us), db_time(t->next_us), db_uuid(&t->account_id),
			db_uuid(&t->id)),
		    NULL, err);
	case TRIGGER_REMOVE:
		break;
	}
	return db_exec(
	    db, &trigger_delete, DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id)), NULL, err);
}

/* Its job, or the polls that it asks for. */
static int trigger_tell_change(
    struct db *db, const struct trigger_change *c, const struct trigger *old, struct err *err)
{
	const struct app *app = c->r->app;

	if (strcmp(c->t->kind, TRIGGER_SCHEDULE) == 0)
		return c->act == TRIGGER_REMOVE ? 0 : trigger_schedule_bring(db, c->t, err);
	if (app->hooks.trigger_changed == NULL)
		return 0;
	return app->hooks.trigger_changed(
	    c->r->app, c->r->a, old, c->act == TRIGGER_REMOVE ? NULL : c->t, err);
}

static int trigger_change_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	static const char *const audited[] = {[TRIGGER_MAKE] = "trigger.create",
	    [TRIGGER_CHANGE] = "trigger.update",
	    [TRIGGER_REMOVE] = "trigger.delete"};
	const struct trigger_change *c = arg;
	const struct trigger *t = c->t;
	struct arena *a = c->r->a;
	bool is_new = c->act == TRIGGER_MAKE;
	struct trigger old;
	int found;

	if (!is_new) {
		found = trigger_lock(db, a, &t->account_id, &t->id, &old, err);
		if (found != 1)
			return found == 0 ? 1 : -1;
	}
	if (trigger_store_change(db, c, err) == -1 ||
	    trigger_tell_change(db, c, is_new ? NULL : &old, err) == -1)
		return -1;
	audit_note(log, audited[c->act], "trigger", &t->id, NULL,
	    is_new ? NULL : trigger_audited(a, &old),
	    c->act == TRIGGER_REMOVE ? NULL : trigger_audited(a, t));
	return 0;
}

int triggers_remove_of_flow(
    struct req *r, struct db *db, const struct uuid *flow_id, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, r->a, &triggers_of_flow,
		DB_VALS(db_uuid(&r->actor.account_id), db_uuid(flow_id)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct trigger t;
		const struct trigger_change c = {r, TRIGGER_REMOVE, &t};

		if (trigger_read(r->a, &rows, i, &t, err) == -1 ||
		    trigger_store_change(db, &c, err) == -1 ||
		    trigger_tell_change(db, &c, &t, err) == -1)
			return -1;
	}
	return 0;
}

int trigger_write(struct req *r, enum trigger_act act, const struct trigger *t, struct err *err)
{
	struct trigger_change c = {r, act, t};

	return audit_change(r->app, r, &t->account_id, trigger_change_body, &c, err);
}
