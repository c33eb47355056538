/* SQL of connections, and their credentials sealed and opened. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/shared.h"
#include "connection/app.h"
#include "connection/connection-internal.h"
#include "connection/grant.h"
#include "connection/sealed.h"

#define LAST_ERROR_BYTES 1000
#define CAPABLE_MAX 200
/* So that a busy connection is no hot row: how often it is noted that nothing is new. */
#define USE_NOTED_EVERY_US (60 * SECOND_US)
#define FAILURE_NOTED_EVERY_US SECOND_US
#define CHALLENGES_PER_MINUTE 12 /* that failed, noted of a connection */
#define CHALLENGE_ERROR_BYTES 255

DB_STMT(connection_by_id, "SELECT " CONNECTION_COLUMNS CONNECTION_TABLES " WHERE c.id = ?");
DB_STMT(connection_for_share, "SELECT " CONNECTION_COLUMNS CONNECTION_TABLES
			      " WHERE c.id = ? AND c.account_id = ? LOCK IN SHARE MODE");
DB_STMT(connection_for_update, "SELECT " CONNECTION_COLUMNS CONNECTION_TABLES
			       " WHERE c.id = ? AND c.account_id = ? FOR UPDATE");
DB_STMT(connection_route,
    "UPDATE connections SET routing = ?, updated_at = ? WHERE account_id = ? AND id = ?");
DB_STMT(connections_of_account, "SELECT id, provider_type FROM connections WHERE account_id = ?"
				" AND status <> '" CONNECTION_DISABLED "' ORDER BY id LIMIT 1000");
DB_STMT(connections_of_provider,
    "SELECT " CONNECTION_COLUMNS CONNECTION_TABLES
    " WHERE c.provider_type = ? AND c.id < ? AND c.status <> '" CONNECTION_DISABLED "'"
    " ORDER BY c.id DESC LIMIT 64");
DB_STMT(connections_page,
    "SELECT " CONNECTION_COLUMNS CONNECTION_TABLES " WHERE c.account_id = ?"
    " AND (? IS NULL OR c.provider_type = ?) AND c.id < ? ORDER BY c.id DESC LIMIT ? OFFSET ?");
DB_STMT(connections_count,
    "SELECT COUNT(*) FROM connections WHERE account_id = ? AND (? IS NULL OR provider_type = ?)");
DB_STMT(connection_names_of,
    "SELECT id, name, provider_type, last_error, last_used_at FROM connections"
    " WHERE account_id = ? LIMIT 10000");
DB_STMT(connection_insert,
    "INSERT INTO connections (id, account_id, provider_type, name, status, external_account_id,"
    " credentials, settings, last_error, last_used_at, created_at, updated_at, app_id, grant_id,"
    " proven_at) VALUES (?, ?, ?, ?, '" CONNECTION_ACTIVE "', ?, ?, ?, NULL, NULL, ?, ?, ?, ?, ?)");
DB_STMT(connection_set,
    "UPDATE connections SET name = ?, status = ?, external_account_id = ?, credentials = ?,"
    " settings = ?, last_error = ?, updated_at = ?, app_id = ?, grant_id = ?, proven_at = ?,"
    " auto_push = ?,"
    " ended_at = IF(? = '" CONNECTION_ACTIVE "', NULL, ended_at) WHERE id = ? AND account_id = ?");
/* updated_at moves, so that caches look at the row. */
DB_STMT(connection_strict,
    "UPDATE connections SET strict_at = ?, updated_at = ? WHERE id = ? AND account_id = ?"
    " AND strict_at IS NULL");
DB_STMT(connection_ended,
    "UPDATE connections SET status = '" CONNECTION_EXPIRED "', last_error = ?, updated_at = ?,"
    " ended_at = ? WHERE id = ? AND account_id = ? AND status <> '" CONNECTION_DISABLED
    "' AND ended_at IS NULL");
DB_STMT(connection_erase, "DELETE FROM connections WHERE id = ? AND account_id = ?");
/* One that others hold just now is not waited for. */
DB_STMT(connection_if_free,
    "SELECT id FROM connections WHERE id = ? AND account_id = ? FOR UPDATE SKIP LOCKED");
/* It is used by what it receives too; neither says that its calls work. */
DB_STMT(connection_received,
    "UPDATE connections SET received_at = ?, last_used_at = GREATEST(COALESCE(last_used_at, 0), ?)"
    " WHERE id = ? AND account_id = ?");
DB_STMT(connection_challenged, "UPDATE connections SET challenge_failed_at = ?, challenge_error = ?"
			       " WHERE id = ? AND account_id = ?");
DB_STMT(connection_handshaken,
    "UPDATE connections SET handshake_at = ?, last_used_at = GREATEST(COALESCE(last_used_at, 0), ?)"
    " WHERE id = ? AND account_id = ?");
DB_STMT(connection_used, "UPDATE connections SET last_used_at = ?, last_error = ?, push_failed = ? "
			 "WHERE id = ? AND account_id = ?"
			 " AND ended_at IS NULL");
DB_STMT(connection_used_status,
    "UPDATE connections SET last_used_at = ?, last_error = ?, push_failed = ?, updated_at = ?,"
    " status = ?"
    " WHERE id = ? AND account_id = ? AND status <> '" CONNECTION_DISABLED
    "' AND ended_at IS NULL");

const struct word connection_statuses[] = {{CONNECTION_ACTIVE, "Active"},
    {CONNECTION_EXPIRED, "Expired"}, {CONNECTION_ERROR, "Error"}, {CONNECTION_DISABLED, "Disabled"},
    {NULL, NULL}};

static const struct filter_row connection_filters[] = {
    {"providerType", FILTER_TEXT, offsetof(struct connection_filter, provider_type), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_connections = {"connections", connection_filters, NULL};

/* ---- sealing ------------------------------------------------------------------------------ */

#define PLACE "connections"

/* Its own alone: what its grant brings is sealed with that. */
static json_t *credentials_own(struct arena *a, const struct connection *c)
{
	json_t *own = secrets_with_former(a, &c->access), *token;
	const char *key;

	json_object_each(c->grant.tokens, key, token)
		if (json_equal(token, json_object_get(own, key)))
			json_object_del(own, key);
	return own;
}

static struct str credentials_seal(
    struct app *app, struct arena *a, const struct connection *c, struct err *err)
{
	return sealed_json(app, a, PLACE, &c->id, credentials_own(a, c), err);
}

/* What manifests can say of it, and to whom it listens. */
static void access_name(const struct app *app, struct arena *a, struct connection *c)
{
	c->access.id = uuid_dup(a, c->id);
	c->access.webhook_url = c->provider == NULL || !c->provider->has_webhook
				    ? NULL
				    : arena_printf(a, "%s/webhook/%s/%s", app->config->base_url,
					  c->provider_type, c->access.id);
}

/* What a list shows: neither the credentials nor a manifest is needed. */
static struct connection *connection_of_row_shown(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err)
{
	struct connection *c = arena_zalloc(a, sizeof(*c));

	c->id = db_get_uuid(rows, row, CONNECTION_ID);
	c->account_id = db_get_uuid(rows, row, CONNECTION_ACCOUNT);
	c->provider_type = db_get_text(rows, row, CONNECTION_PROVIDER);
	c->name = db_get_text(rows, row, CONNECTION_NAME);
	c->status = db_get_text(rows, row, CONNECTION_STATUS);
	c->access.external_account_id = db_get_text(rows, row, CONNECTION_EXTERNAL_ACCOUNT);
	c->last_error = db_get_text(rows, row, CONNECTION_LAST_ERROR);
	c->push_failed = db_get_int(rows, row, CONNECTION_PUSH_FAILED) != 0;
	c->last_used_us = db_get_int(rows, row, CONNECTION_LAST_USED_AT);
	c->created_us = db_get_int(rows, row, CONNECTION_CREATED_AT);
	c->updated_us = db_get_int(rows, row, CONNECTION_UPDATED_AT);
	c->received_us = db_get_int(rows, row, CONNECTION_RECEIVED_AT);
	c->handshake_us = db_get_int(rows, row, CONNECTION_HANDSHAKE_AT);
	c->ended_us = db_get_int(rows, row, CONNECTION_ENDED_AT);
	c->challenge_failed_us = db_get_int(rows, row, CONNECTION_CHALLENGE_FAILED_AT);
	c->challenge_error = db_get_text(rows, row, CONNECTION_CHALLENGE_ERROR);
	c->access.is_strict = !db_is_null(rows, row, CONNECTION_STRICT_AT);
	c->auto_push = db_get_int(rows, row, CONNECTION_AUTO_PUSH) != 0;
	c->app_id = db_get_uuid(rows, row, CONNECTION_APP);
	c->app_named = db_get_uuid(rows, row, CONNECTION_APP_NAMED);
	c->app_updated_us = db_get_int(rows, row, CONNECTION_APP_UPDATED_AT);
	c->proven_us = db_get_int(rows, row, CONNECTION_PROVEN_AT);
	c->routing = db_get_text(rows, row, CONNECTION_ROUTING);
	c->grant.id = db_get_uuid(rows, row, CONNECTION_GRANT);
	c->grant.expires_us = db_get_int(rows, row, CONNECTION_GRANT_EXPIRES_AT);
	c->grant.ends_us = db_get_int(rows, row, CONNECTION_GRANT_ENDS_AT);
	c->grant.dead_us = db_get_int(rows, row, CONNECTION_GRANT_DEAD_AT);
	c->grant.error = db_get_text(rows, row, CONNECTION_GRANT_ERROR);
	c->grant_updated_us = db_get_int(rows, row, CONNECTION_GRANT_UPDATED_AT);
	c->provider = provider_find(app->providers, str_from(c->provider_type));
	access_name(app, a, c);
	c->access.settings = json_parse_used(a, db_get_str(rows, row, CONNECTION_SETTINGS), err);
	return c->access.settings == NULL ? NULL : c;
}

/* The same for who only looks at it. */
static struct connection *connection_row_to_show(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err)
{
	struct connection *c;
	bool is_unreadable;

	json_row_begin();
	c = connection_of_row_shown(app, a, rows, row, err);
	is_unreadable = json_row_end();
	if (c != NULL)
		c->is_unreadable = is_unreadable;
	return c;
}

/* What the tokens of a grant add to what the connection has itself. */
static void grant_lay_under(struct connection *c)
{
	const char *key;
	json_t *token;

	json_object_each(c->grant.tokens, key, token)
		if (json_object_get(c->access.credentials, key) == NULL)
			json_object_set(c->access.credentials, key, token);
}

static int connection_open_app(struct app *app, struct arena *a, const struct db_rows *rows,
    size_t row, struct connection *c, struct err *err)
{
	if (uuid_is_nil(c->app_id))
		return 0;
	c->access.app = provider_app_open(
	    app, a, &c->app_id, db_get_str(rows, row, CONNECTION_APP_CREDENTIALS), err);
	return c->access.app == NULL ? -1 : 0;
}

static int connection_open_login(struct app *app, struct arena *a, const struct db_rows *rows,
    size_t row, struct connection *c, struct err *err)
{
	if (uuid_is_nil(c->grant.id))
		return 0;
	c->grant.tokens = grant_open_tokens(
	    app, a, &c->grant.id, db_get_str(rows, row, CONNECTION_GRANT_TOKENS), err);
	if (c->grant.tokens == NULL)
		return -1;
	grant_lay_under(c);
	return 0;
}

struct connection *connection_from_row(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err)
{
	struct connection *c = connection_of_row_shown(app, a, rows, row, err);

	if (c == NULL)
		return NULL;
	if (c->provider == NULL) {
		err_set(err, ERR_INTERNAL, "no manifest for the provider %s of a connection",
		    c->provider_type);
		return NULL;
	}
	c->access.credentials = sealed_open(app, a, PLACE, &c->id,
	    db_get_str(rows, row, CONNECTION_CREDENTIALS), "the credentials of connection", err);
	if (c->access.credentials == NULL)
		return NULL;
	secrets_take_former(a, &c->access);
	if (connection_open_app(app, a, rows, row, c, err) == -1 ||
	    connection_open_login(app, a, rows, row, c, err) == -1)
		return NULL;
	return c;
}

struct connection *connection_from_row_shut(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err)
{
	struct connection *c = connection_row_to_show(app, a, rows, row, err);
	struct err why = ERR_INIT;

	if (c == NULL)
		return NULL;
	c->access.credentials = sealed_open(app, a, PLACE, &c->id,
	    db_get_str(rows, row, CONNECTION_CREDENTIALS), "the credentials of connection", &why);
	if (c->access.credentials == NULL) {
		c->shut |= SHUT_CREDENTIALS;
		c->access.credentials = json_own(a, json_object());
	} else
		secrets_take_former(a, &c->access);
	if (connection_open_app(app, a, rows, row, c, &why) == -1)
		c->shut |= SHUT_APP;
	if (connection_open_login(app, a, rows, row, c, &why) == -1)
		c->shut |= SHUT_LOGIN;
	return c;
}

/* Opened, or as far as it can be. NULL with err: it has no manifest, or settings that are none. */
static struct connection *connection_from_row_shown(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err)
{
	struct err why = ERR_INIT;
	struct connection *c = connection_from_row(app, a, rows, row, &why);

	if (c == NULL)
		c = connection_from_row_shut(app, a, rows, row, err);
	if (c == NULL || c->is_unreadable || (c->provider != NULL && c->shut != 0) ||
	    why.code == ERR_NONE)
		return c;
	if (c->provider == NULL)
		err_set(err, ERR_CONFLICT,
		    "The manifest of the provider %s is missing or wrong at present: see the log",
		    c->provider_type);
	else
		*err = why;
	return NULL;
}

int connection_set_routing(struct db *db, const struct uuid *account_id, const struct uuid *id,
    struct str routing, struct err *err)
{
	return db_exec(db, &connection_route,
	    DB_VALS(db_strn(routing), db_int(clock_now_us()), db_uuid(account_id), db_uuid(id)),
	    NULL, err);
}

/* ---- reading ------------------------------------------------------------------------------ */

typedef struct connection *connection_reader(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err);

static int connection_get_by(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, connection_reader *read, struct connection **out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &connection_by_id, DB_VALS(db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	struct uuid owner = db_get_uuid(&rows, 0, CONNECTION_ACCOUNT);
	if (account_id != NULL && !uuid_eq(owner, *account_id))
		return 0;
	*out = read(app, a, &rows, 0, err);
	return *out == NULL ? -1 : 1;
}

int connection_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err)
{
	return connection_get_by(app, a, account_id, id, connection_from_row, out, err);
}

int connection_get_shown(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err)
{
	return connection_get_by(app, a, account_id, id, connection_from_row_shown, out, err);
}

/* Where nobody knows its provider, or its settings cannot be read, there is nothing to open. */
static struct connection *connection_from_row_told(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err)
{
	struct connection *c = connection_row_to_show(app, a, rows, row, err);

	return c == NULL || c->provider == NULL || c->is_unreadable
		   ? c
		   : connection_from_row_shown(app, a, rows, row, err);
}

int connection_get_told(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct connection **out, struct err *err)
{
	return connection_get_by(app, a, account_id, id, connection_from_row_told, out, err);
}

int connection_lock(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, bool is_opened, struct connection **out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &connection_for_update,
	    DB_VALS(db_uuid(id), db_uuid(account_id)), &rows, err);

	if (found != 1)
		return found;
	*out = is_opened ? connection_from_row_shown(app, a, &rows, 0, err)
			 : connection_of_row_shown(app, a, &rows, 0, err);
	return *out == NULL ? -1 : 1;
}

int connection_was_changed(
    struct app *app, struct arena *a, const struct connection *c, struct err *err)
{
	struct connection *now = NULL;
	struct db_rows rows;
	int found = db_row(app->db, a, &connection_for_share,
	    DB_VALS(db_uuid(&c->id), db_uuid(&c->account_id)), &rows, err);

	if (found == 1 && (now = connection_from_row(app, a, &rows, 0, err)) == NULL)
		found = -1;
	if (found == -1)
		return -1;
	if (found == 1 && json_equal(c->access.credentials, now->access.credentials) &&
	    json_equal(c->access.settings, now->access.settings) &&
	    (c->access.app == now->access.app || json_equal(c->access.app, now->access.app)))
		return 0;
	connection_cache_check(&c->id);
	return 1;
}

/* Opened, those that can be: one broken row must not stop its neighbours. */
static struct connection *connection_if_readable(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row)
{
	struct err why = ERR_INIT;
	struct connection *c = connection_from_row(app, a, rows, row, &why);

	if (c == NULL)
		log_error("connection_unreadable", LOG_ERR(&why));
	return c;
}

int connection_slice_of_provider(struct app *app, struct arena *a, const struct provider *p,
    struct uuid *before, struct connection ***out, size_t *n, struct err *err)
{
	struct db_rows rows;

	*n = 0;
	if (db_query(app->db, a, &connections_of_provider,
		DB_VALS(db_str(p->name), db_uuid(before)), &rows, err) == -1)
		return -1;
	*out = arena_array(a, rows.count + 1, sizeof(struct connection *));
	for (size_t i = 0; i < rows.count; i++) {
		struct connection *c = connection_if_readable(app, a, &rows, i);

		*before = db_get_uuid(&rows, i, CONNECTION_ID);
		if (c != NULL)
			(*out)[(*n)++] = c;
	}
	return rows.count > 0 ? 1 : 0;
}

/* 1; 0 it cannot be opened, which must not stop its neighbours, or it has gone meanwhile; -1. */
static int connection_recent_if_readable(struct app *app, struct arena *a,
    const struct uuid *account_id, const struct uuid *id, struct connection **out, struct err *err)
{
	struct err why = ERR_INIT;
	int found = connection_recent(app, a, account_id, id, out, &why);

	if (found != -1)
		return found == 1 && strcmp((*out)->status, CONNECTION_DISABLED) != 0;
	if (why.code == ERR_UNAVAILABLE || why.code == ERR_RETRY || why.code == ERR_LOCKED)
		return err_set(err, why.code, "%s", why.msg);
	log_error("connection_unreadable", LOG_ERR(&why));
	return 0;
}

int connection_list_capable(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *capability, struct connection ***out, size_t *n, struct err *err)
{
	struct db_rows rows;

	*out = NULL;
	*n = 0;
	if (db_query(app->db, a, &connections_of_account, DB_VALS(db_uuid(account_id)), &rows,
		err) == -1)
		return -1;
	*out = arena_array(a, rows.count + 1, sizeof(struct connection *));
	for (size_t i = 0; i < rows.count && *n < CAPABLE_MAX; i++) {
		const struct uuid id = db_get_uuid(&rows, i, 0);
		const struct provider *p = provider_find(app->providers, db_get_str(&rows, i, 1));
		struct connection *c;
		int found = 0;

		if (p != NULL && provider_can(p, capability))
			found = connection_recent_if_readable(app, a, account_id, &id, &c, err);
		if (found == -1)
			return -1;
		if (found == 1)
			(*out)[(*n)++] = c;
	}
	return 0;
}

int connection_list_destinations(struct app *app, struct arena *a, const struct uuid *account_id,
    struct connection ***out, size_t *n, struct err *err)
{
	size_t all;

	if (connection_list_capable(app, a, account_id, "crm_push", out, &all, err) == -1)
		return -1;
	*n = 0;
	for (size_t i = 0; i < all; i++)
		if (connection_lacks(a, (*out)[i], "push") == NULL)
			(*out)[(*n)++] = (*out)[i];
	return 0;
}

int connection_list(struct app *app, struct arena *a, const struct connection_filter *f,
    struct slice *s, struct connection ***out, size_t *n, struct err *err)
{
	struct db_val type = db_name(f->provider_type);
	struct cursor from = slice_from(s);
	struct db_rows rows, count;

	if (db_query(app->db, a, &connections_page,
		DB_VALS(db_uuid(&f->account_id), type, type, db_uuid(&from.id),
		    db_int(slice_limit(s)), db_int(s->offset)),
		&rows, err) == -1 ||
	    db_query(app->db, a, &connections_count, DB_VALS(db_uuid(&f->account_id), type, type),
		&count, err) == -1)
		return -1;
	s->total = db_get_int(&count, 0, 0);
	*n = slice_fill(s, &rows, SLICE_BY_ID, CONNECTION_ID);
	*out = arena_array(a, *n + 1, sizeof(struct connection *));
	for (size_t i = 0; i < *n; i++)
		if (((*out)[i] = connection_row_to_show(app, a, &rows, i, err)) == NULL)
			return -1;
	return 0;
}

int connection_names(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_object());
	if (db_query(app->db, a, &connection_names_of, DB_VALS(db_uuid(account_id)), &rows, err) ==
	    -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *o = json_object();

		json_set_strn(o, "name", db_get_str(&rows, i, 1));
		json_set_strn(o, "providerType", db_get_str(&rows, i, 2));
		json_set_str(o, "lastError", db_get_text(&rows, i, 3));
		json_set_time(o, "lastUsedAt", db_get_int(&rows, i, 4));
		json_set(*out, uuid_dup(a, db_get_uuid(&rows, i, 0)), o);
	}
	return 0;
}

/* Locked, so that of two that come at once one sees the other. */
DB_STMT(connection_proved_elsewhere,
    "SELECT id FROM connections WHERE provider_type = ? AND external_account_id = ?"
    " AND proven_at IS NOT NULL AND account_id <> ? LIMIT 1 FOR UPDATE");

int connection_is_proved_elsewhere(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, const char *external, struct err *err)
{
	struct db_rows rows;

	return db_row(app->db, a, &connection_proved_elsewhere,
	    DB_VALS(db_str(p->name), db_str(external), db_uuid(account_id)), &rows, err);
}

/* ---- writing ------------------------------------------------------------------------------ */

struct connection_body {
	struct str name;
	json_t *credentials, *settings;
	const char *status;
	int64_t grace_hours;
	bool auto_push;
};

#define CREATE_MEMBERS 3 /* only a change may give a status, or has a secret from before */
#define ALL_MEMBERS 6
#define GRACE_HOURS_MOST 720

static int connection_body_read_members(
    const json_t *body, size_t n, struct connection_body *out, struct err *err)
{
	static const char *const statuses[] = {CONNECTION_ACTIVE, CONNECTION_DISABLED, NULL};
	static const struct json_member members[] = {
	    {"name", READ_TEXT, JSON_INTO(struct connection_body, name), .need = READ_NULLABLE,
		.flags = READ_TRIMMED | READ_PLAIN, .min = 1, .max = LIMIT_NAME_BYTES},
	    {"credentials", READ_OBJECT, JSON_INTO(struct connection_body, credentials),
		.need = READ_NULLABLE},
	    {"settings", READ_OBJECT, JSON_INTO(struct connection_body, settings),
		.need = READ_NULLABLE},
	    {"status", READ_WORD, JSON_INTO(struct connection_body, status), .words = statuses},
	    {"secretGraceHours", READ_INT, JSON_INTO(struct connection_body, grace_hours),
		.max = GRACE_HOURS_MOST},
	    {"autoPush", READ_BOOL, JSON_INTO(struct connection_body, auto_push)}};
	struct json_reader in = {.err = err};

	if (!json_is_object(body))
		return err_set(err, ERR_MALFORMED, "The body must be a JSON object");
	return json_read_members(&in, body, members, n, out);
}

/* What the body changes: members replace, null removes. */
static json_t *connection_body_merge(struct arena *a, const json_t *before, const json_t *change)
{
	json_t *io = json_own(a, before == NULL ? json_object() : json_deep_copy(before)), *member;
	const char *name;

	json_object_each(change, name, member) {
		if (json_is_null(member))
			json_object_del(io, name);
		else
			json_set(io, name, json_deep_copy(member));
	}
	return io;
}

/* Those that are given and not as they are: what was stored before a rule came stays, and a form
 * sends all of them each time. */
static json_t *settings_changed(struct arena *a, const json_t *before, const json_t *given)
{
	json_t *changed = json_own(a, json_object()), *v;
	const char *key;

	json_object_each(given, key, v) {
		if (!json_equal(v, json_object_get(before, key)))
			json_set(changed, key, json_incref(v));
	}
	return changed;
}

/* The checked parts of a body as they are stored. */
static int connection_body_read(struct app *app, struct arena *a, const json_t *json,
    size_t nmembers, struct connection *c, struct err *err)
{
	struct connection_body body = {.name = str_from(c->name),
	    .status = c->status,
	    .auto_push = c->auto_push,
	    .grace_hours = app->config->secret_grace_hours};
	struct secret_grace grace = {.is_given = json_object_get(json, "secretGraceHours") != NULL};
	const struct access before = c->access;

	if (connection_body_read_members(json, nmembers, &body, err) == -1)
		return -1;
	grace.us = body.grace_hours * 3600 * SECOND_US;
	c->access.credentials = connection_body_merge(a, c->access.credentials, body.credentials);
	c->access.settings = connection_body_merge(a, c->access.settings, body.settings);
	if (sign_in_settle(a, c->provider, body.credentials, body.settings, c->access.credentials,
		c->access.settings, err) == -1)
		return -1;
	if (connection_check(app, c->provider, c->access.credentials, c->access.settings,
		settings_changed(a, before.settings, body.settings), err) == -1)
		return -1;
	if ((body.credentials != NULL || body.settings != NULL) &&
	    (webhook_check_secret(c->provider, a, c->access.credentials, c->access.settings, err) ==
		    -1 ||
		secrets_check(c, before.credentials, err) == -1 ||
		connection_check_moved(a, c, &before, body.credentials, err) == -1 ||
		connection_check_plain(app, a, c, err) == -1))
		return -1;
	secrets_change(a, c, before.credentials, &grace);
	c->name = arena_strndup(a, body.name.p, body.name.n);
	c->status = body.status;
	c->auto_push = body.auto_push;
	const char *external = json_str(c->access.settings, "externalAccountId");
	c->access.external_account_id = arena_strdup(a, external != NULL ? external : "");
	if (before.external_account_id != NULL &&
	    strcmp(before.external_account_id, c->access.external_account_id) != 0)
		c->proven_us = 0; /* it was another's word */
	return 0;
}

int connection_write(
    struct app *app, struct arena *a, struct connection *c, bool is_new, struct err *err)
{
	struct str sealed = credentials_seal(app, a, c, err),
		   settings = json_text(a, c->access.settings);

	if (sealed.p == NULL)
		return -1;
	c->updated_us = clock_now_after_us(c->updated_us);
	if (is_new)
		return db_exec(app->db, &connection_insert,
		    DB_VALS(db_uuid(&c->id), db_uuid(&c->account_id), db_str(c->provider_type),
			db_str(c->name), db_str(c->access.external_account_id), db_strn(sealed),
			db_strn(settings), db_int(c->created_us), db_int(c->updated_us),
			db_uuid_or_null(&c->app_named), db_uuid_or_null(&c->grant.id),
			db_time(c->proven_us)),
		    NULL, err);
	return db_exec(app->db, &connection_set,
	    DB_VALS(db_str(c->name), db_str(c->status), db_str(c->access.external_account_id),
		db_strn(sealed), db_strn(settings), db_str(c->last_error), db_int(c->updated_us),
		db_uuid_or_null(&c->app_named), db_uuid_or_null(&c->grant.id),
		db_time(c->proven_us), db_int(c->auto_push), db_str(c->status), db_uuid(&c->id),
		db_uuid(&c->account_id)),
	    NULL, err);
}

/* Of one whose client asks for tokens itself, without a browser: the grant that they will be of. A
 * changed client has another, whose first token is had at the first call. *former: the one that it
 * replaces, to be released once the connection is stored. */
static int connection_own_grant(struct app *app, struct arena *a, struct connection *c,
    const struct access *before, struct uuid *former, struct err *err)
{
	static const char *const of_client[] = {"clientId", "clientSecret"};
	const struct provider *p = c->provider;
	struct grant g = {.id = uuid_new(),
	    .account_id = c->account_id,
	    .provider = p,
	    .provider_type = c->provider_type,
	    .kind = oauth_takes(p, OAUTH_ACCOUNT) ? OAUTH_ACCOUNT : OAUTH_CLIENT,
	    .tokens = json_own(a, json_object()),
	    .settings = c->access.settings};
	bool is_same = !uuid_is_nil(c->grant.id) && (c->shut & SHUT_LOGIN) == 0 &&
		       json_equal(before->settings, c->access.settings);

	*former = (struct uuid){0};
	if (!oauth_takes(p, g.kind))
		return 0;
	for (size_t i = 0; i < 2; i++) {
		const json_t *v = json_object_get(c->access.credentials, of_client[i]);

		if (json_string_length(v) == 0)
			return 0;
		is_same =
		    is_same && json_equal(v, json_object_get(before->credentials, of_client[i]));
	}
	if (is_same)
		return 0;
	*former = c->grant.id;
	c->grant.id = g.id;
	c->grant.tokens = NULL;
	return grant_insert(app, a, &g, NULL, err);
}

struct connection *connection_new(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, const struct uuid *id)
{
	struct connection *c = arena_zalloc(a, sizeof(*c));

	c->id = id != NULL ? *id : uuid_new();
	c->account_id = *account_id;
	c->provider = p;
	c->provider_type = p->name;
	access_name(app, a, c);
	c->name = p->display_name;
	c->status = CONNECTION_ACTIVE;
	c->created_us = c->updated_us = clock_now_us();
	c->auto_push = true;
	return c;
}

int connection_create(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, const struct uuid *id, const json_t *body, struct connection **out,
    struct err *err)
{
	struct connection *c = connection_new(app, a, account_id, p, id);
	struct uuid former;

	if (!p->is_available)
		return err_set(err, ERR_CONFLICT, "%s is not available", p->display_name);
	if (connection_body_read(app, a, body, CREATE_MEMBERS, c, err) == -1 ||
	    connection_own_grant(app, a, c, &(const struct access){0}, &former, err) == -1 ||
	    connection_write(app, a, c, true, err) == -1)
		return -1;
	*out = c;
	return 0;
}

int connection_update(
    struct app *app, struct arena *a, struct connection *c, const json_t *body, struct err *err)
{
	const struct access before = c->access;
	bool has_credentials = json_object_size(json_object_get(body, "credentials")) > 0;
	struct uuid former;

	/* What is stored may be opened again once its key is back: it is not written over. */
	if ((c->shut & SHUT_CREDENTIALS) != 0 && !has_credentials)
		return err_field(err, ERR_INVALID, "credentials",
		    "cannot be opened, since their key is missing: all of them are needed anew");
	if (connection_body_read(app, a, body, ALL_MEMBERS, c, err) == -1 ||
	    connection_own_grant(app, a, c, &before, &former, err) == -1)
		return -1;
	if ((c->shut & SHUT_LOGIN) != 0 && has_credentials && uuid_is_nil(former)) {
		former = c->grant.id;
		c->grant.id = (struct uuid){0};
	}
	/* New credentials deserve a new start. */
	if (json_object_get(body, "credentials") != NULL &&
	    strcmp(c->status, CONNECTION_DISABLED) != 0)
		c->status = CONNECTION_ACTIVE;
	if (strcmp(c->status, CONNECTION_ACTIVE) == 0)
		c->last_error = NULL;
	if (connection_write(app, a, c, false, err) == -1)
		return -1;
	if (has_credentials)
		c->shut &= SHUT_APP;
	return grant_release(app, a, &c->account_id, &former, err);
}

int connection_delete(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	uint64_t affected = 0;

	if (db_exec(app->db, &connection_erase, DB_VALS(db_uuid(id), db_uuid(account_id)),
		&affected, err) == -1)
		return -1;
	return affected > 0;
}

/* What a use makes of the status, or NULL: nothing. What somebody disabled stays so. Where people
 * log in it is their login that has come to its end. */
static const char *status_by_use(const struct connection *c, enum call_class class)
{
	const char *refused =
	    !uuid_is_nil(c->grant.id) || strcmp(c->status, CONNECTION_EXPIRED) == 0
		? CONNECTION_EXPIRED
		: CONNECTION_ERROR;
	const char *status = class == CALL_AUTH ? refused
			     : class == CALL_OK ? CONNECTION_ACTIVE
						: NULL;

	if (status == NULL || strcmp(c->status, status) == 0 ||
	    strcmp(c->status, CONNECTION_DISABLED) == 0)
		return NULL;
	return status;
}

/* Refused credentials that are good again leave nothing standing. */
static bool use_leaves_error(const struct connection *c, const struct connection_use *use)
{
	return c->push_failed && c->last_error != NULL && !use->is_push &&
	       use->result->class != CALL_AUTH && strcmp(c->status, CONNECTION_ACTIVE) == 0;
}

static bool use_is_noted(
    const struct connection *c, struct str error, bool push_failed, int64_t now_us)
{
	struct str noted = str_from(c->last_error);

	return c->push_failed == push_failed && (error.p == NULL) == (noted.p == NULL) &&
	       str_eq(error, noted) &&
	       now_us - c->last_used_us <
		   (error.p == NULL ? USE_NOTED_EVERY_US : FAILURE_NOTED_EVERY_US);
}

int connection_note_use(struct app *app, struct arena *a, const struct connection *c,
    const struct connection_use *use, struct err *err)
{
	const struct call_result *res = use->result;
	const char *status = status_by_use(c, res->class);
	const bool leaves_error = use_leaves_error(c, use);

	if (c->ended_us != 0) /* what its provider said of it stands */
		return 0;
	struct str error = utf8_clean(a,
	    str_from(leaves_error            ? c->last_error
		     : res->class == CALL_OK ? NULL
					     : res->error),
	    LAST_ERROR_BYTES);
	const bool push_failed = leaves_error || (error.p != NULL && use->is_push);
	struct db_val text = db_strn(error);
	int64_t now = clock_now_us();

	if (status == NULL && !(use->is_again && error.p == NULL) &&
	    use_is_noted(c, error, push_failed, now))
		return 0;
	connection_cache_check(&c->id);
	if (status == NULL)
		return db_exec(app->db, &connection_used,
		    DB_VALS(db_int(now), text, db_int(push_failed), db_uuid(&c->id),
			db_uuid(&c->account_id)),
		    NULL, err);
	if (db_exec(app->db, &connection_used_status,
		DB_VALS(db_int(now), text, db_int(push_failed), db_int(now), db_str(status),
		    db_uuid(&c->id), db_uuid(&c->account_id)),
		NULL, err) == -1)
		return -1;
	audit_caches_drop(app);
	return 0;
}

struct connection_ending {
	const struct uuid *account_id, *id;
	const char *reason;
	json_t *details;
};

static int connection_end_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct connection_ending *e = arg;
	const int64_t now_us = clock_now_us();
	uint64_t affected = 0;

	if (db_exec(db, &connection_ended,
		DB_VALS(db_str(e->reason), db_int(now_us), db_int(now_us), db_uuid(e->id),
		    db_uuid(e->account_id)),
		&affected, err) == -1)
		return -1;
	if (affected > 0)
		audit_fact(log, "connection.expire", "connection", e->id, e->details);
	return 0;
}

int connection_expire(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, const char *reason, struct err *err)
{
	struct connection_ending e = {
	    account_id, id, reason, json_own(a, json_pack("{s:s}", "reason", reason))};

	if (audit_change(app, NULL, account_id, connection_end_body, &e, err) == -1)
		return -1;
	audit_caches_drop(app);
	return 0;
}

struct connection_note {
	const struct connection *c;
	const struct db_stmt *stmt;
	int64_t now_us;
	const char *text; /* stands in the place of a second time; NULL: the time again */
	bool is_noted;
};

static int connection_note_body(struct db *db, void *arg, struct err *err)
{
	struct connection_note *n = arg;
	struct arena *a = arena_new();
	struct db_rows rows;
	int found = db_row(db, a, &connection_if_free,
	    DB_VALS(db_uuid(&n->c->id), db_uuid(&n->c->account_id)), &rows, err);

	arena_free(a);
	n->is_noted = found == 1;
	if (found != 1)
		return found;
	return db_exec(db, n->stmt,
	    DB_VALS(db_int(n->now_us), n->text == NULL ? db_int(n->now_us) : db_str(n->text),
		db_uuid(&n->c->id), db_uuid(&n->c->account_id)),
	    NULL, err);
}

/* Was it noted? It waits for nobody. */
static bool connection_note(struct app *app, struct arena *a, const struct connection *c,
    const struct db_stmt *stmt, const char *text)
{
	struct connection_note n = {.c = c, .stmt = stmt, .now_us = clock_now_us(), .text = text};
	struct err err = ERR_INIT;

	if (db_transaction(app->db, connection_note_body, &n, &err) == 0)
		return n.is_noted;
	log_warn("connection.note", LOG_S("connection", uuid_dup(a, c->id)), LOG_ERR(&err));
	return false;
}

void connection_note_received(
    struct app *app, struct arena *a, const struct connection *c, bool is_handshake)
{
	const char *key =
	    arena_printf(a, "%s:%s", is_handshake ? "handshake" : "received", uuid_dup(a, c->id));
	const int64_t now = clock_now_us(), window_s = USE_NOTED_EVERY_US / SECOND_US;

	if (app->shared != NULL &&
	    shared_rate_look(app->shared, str_from(key), 1, window_s, now).remaining == 0)
		return;
	if (connection_note(
		app, a, c, is_handshake ? &connection_handshaken : &connection_received, NULL) &&
	    app->shared != NULL)
		shared_rate_take(app->shared, str_from(key), 1, window_s, now);
}

void connection_note_strict(struct app *app, struct arena *a, const struct connection *c)
{
	if (!c->access.is_strict && connection_note(app, a, c, &connection_strict, NULL))
		audit_caches_drop(app);
}

void connection_note_challenge(
    struct app *app, struct arena *a, const struct connection_challenge *failed)
{
	const char *key = arena_printf(a, "challenge:%s", uuid_dup(a, failed->c->id));
	struct str reason = utf8_clean(a, str_from(failed->reason), CHALLENGE_ERROR_BYTES);

	if (app->shared != NULL &&
	    shared_rate_take(app->shared, str_from(key), CHALLENGES_PER_MINUTE, 60, clock_now_us())
		.is_over)
		return;
	connection_note(
	    app, a, failed->c, &connection_challenged, arena_strndup(a, reason.p, reason.n));
}

json_t *connection_json(const struct connection *c)
{
	json_t *o = json_object();
	char id[UUID_TEXT];

	uuid_text(id, c->id);
	json_set_str(o, "id", id);
	json_set_str(o, "providerType", c->provider_type);
	json_set_str(o, "name", c->name);
	json_set_str(o, "status", c->status);
	if (c->is_unreadable)
		json_set_bool(o, "isUnreadable", true);
	json_set_bool(o, "autoPush", c->auto_push);
	json_set_str(o, "webhookUrl", c->access.webhook_url);
	json_set_str(o, "externalAccountId",
	    c->access.external_account_id[0] != '\0' ? c->access.external_account_id : NULL);
	json_set(o, "settings", json_deep_copy(c->access.settings));
	json_set_time(o, "createdAt", c->created_us);
	json_set_time(o, "lastUsedAt", c->last_used_us);
	json_set_str(o, "lastError", c->shut != 0 ? connection_shut_words(c) : c->last_error);
	if (c->access.credentials != NULL)
		json_set(o, "formerSecrets", secrets_json(&c->access));
	return o;
}
