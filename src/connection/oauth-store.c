/* SQL of grants and of logins under way. */
#include "base/clock.h"
#include "base/limits.h"
#include "connection/grant.h"
#include "connection/sealed.h"
#include "job/job.h"
#include "provider/manifest.h"

#define TOKENS "oauth_grants.tokens"
#define ANSWER "oauth_grants.answer"
#define LOGIN "oauth_logins"
#define ERROR_BYTES 1000
/* A token is renewed when a tenth of its life is left, at least so long before its end. */
#define AHEAD_SHARE 10
#define AHEAD_LEAST_S 30

#define GRANT_COLUMNS                                                                              \
	"id, account_id, provider_type, app_id, kind, tokens, settings, scope, expires_at,"        \
	" user_expires_at, ends_at, due_at, asked_at, retry_at, failures, last_error, user_error," \
	" dead_at, updated_at"
enum {
	GRANT_ID,
	GRANT_ACCOUNT,
	GRANT_PROVIDER,
	GRANT_APP,
	GRANT_KIND,
	GRANT_TOKENS,
	GRANT_SETTINGS,
	GRANT_SCOPE,
	GRANT_EXPIRES_AT,
	GRANT_USER_EXPIRES_AT,
	GRANT_ENDS_AT,
	GRANT_DUE_AT,
	GRANT_ASKED_AT,
	GRANT_RETRY_AT,
	GRANT_FAILURES,
	GRANT_LAST_ERROR,
	GRANT_USER_ERROR,
	GRANT_DEAD_AT,
	GRANT_UPDATED_AT
};
DB_STMT(grant_by_id, "SELECT " GRANT_COLUMNS " FROM oauth_grants WHERE id = ? AND account_id = ?");
DB_STMT(grant_for_update,
    "SELECT " GRANT_COLUMNS " FROM oauth_grants WHERE id = ? AND account_id = ? FOR UPDATE");
DB_STMT(grant_put,
    "INSERT INTO oauth_grants (id, account_id, provider_type, app_id, kind, tokens, answer,"
    " settings, scope, expires_at, user_expires_at, ends_at, due_at, created_at, updated_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_STMT(grant_set,
    "UPDATE oauth_grants SET tokens = ?, answer = COALESCE(?, answer), settings = ?, scope = ?,"
    " expires_at = ?, user_expires_at = ?, ends_at = ?, due_at = ?, asked_at = ?, retry_at = ?,"
    " failures = ?, last_error = ?, user_error = ?, dead_at = ?, updated_at = ?, lease_id = NULL,"
    " lease_until = NULL WHERE id = ? AND account_id = ?");
/* updated_at says that it is as it was read. */
DB_STMT(grant_hold, "UPDATE oauth_grants SET lease_id = ?, lease_until = ?, asked_at = ?"
		    " WHERE id = ? AND account_id = ? AND updated_at = ? AND dead_at IS NULL"
		    " AND (lease_until IS NULL OR lease_until < ?)");
DB_STMT(
    grant_connections, "SELECT COUNT(*) FROM connections WHERE account_id = ? AND grant_id = ?");
DB_STMT(grant_erase, "DELETE FROM oauth_grants WHERE id = ? AND account_id = ?");
DB_STMT(grant_close, "UPDATE oauth_grants SET due_at = NULL WHERE id = ? AND account_id = ?");
DB_STMT(grants_due,
    "SELECT id, account_id FROM oauth_grants WHERE due_at <= ? AND dead_at IS NULL"
    " AND (retry_at IS NULL OR retry_at <= ?) AND (lease_until IS NULL OR lease_until < ?)"
    " ORDER BY due_at LIMIT 64");

DB_STMT(login_put,
    "INSERT INTO oauth_logins (id, account_id, user_id, provider_type, app_id, connection_id,"
    " grant_id, browser, payload, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_STMT(login_by_id,
    "SELECT account_id, user_id, provider_type, app_id, connection_id, grant_id, browser, payload,"
    " expires_at FROM oauth_logins WHERE id = ?");
enum {
	LOGIN_ACCOUNT,
	LOGIN_USER,
	LOGIN_PROVIDER,
	LOGIN_APP,
	LOGIN_CONNECTION,
	LOGIN_GRANT,
	LOGIN_BROWSER,
	LOGIN_PAYLOAD,
	LOGIN_EXPIRES
};
DB_STMT(login_end, "DELETE FROM oauth_logins WHERE id = ? AND account_id = ?");
DB_STMT(logins_over,
    "SELECT id, account_id, grant_id FROM oauth_logins WHERE expires_at < ? ORDER BY expires_at"
    " LIMIT 64");

/* ---- grants -------------------------------------------------------------------------------- */

json_t *grant_open_tokens(
    struct app *app, struct arena *a, const struct uuid *id, struct str blob, struct err *err)
{
	return sealed_open(app, a, TOKENS, id, blob, "the tokens of grant", err);
}

/* All but what is sealed. */
static struct grant *grant_of_row_shown(
    struct app *app, struct arena *a, const struct db_rows *rows, struct err *err)
{
	struct grant *g = arena_zalloc(a, sizeof(*g));

	g->id = db_get_uuid(rows, 0, GRANT_ID);
	g->account_id = db_get_uuid(rows, 0, GRANT_ACCOUNT);
	g->app_id = db_get_uuid(rows, 0, GRANT_APP);
	g->provider_type = db_get_text(rows, 0, GRANT_PROVIDER);
	g->provider = provider_find(app->providers, str_from(g->provider_type));
	g->scope = db_get_text(rows, 0, GRANT_SCOPE);
	g->error = db_get_text(rows, 0, GRANT_LAST_ERROR);
	g->user_error = db_get_text(rows, 0, GRANT_USER_ERROR);
	g->expires_us = db_get_int(rows, 0, GRANT_EXPIRES_AT);
	g->user_expires_us = db_get_int(rows, 0, GRANT_USER_EXPIRES_AT);
	g->ends_us = db_get_int(rows, 0, GRANT_ENDS_AT);
	g->due_us = db_get_int(rows, 0, GRANT_DUE_AT);
	g->asked_us = db_get_int(rows, 0, GRANT_ASKED_AT);
	g->retry_us = db_get_int(rows, 0, GRANT_RETRY_AT);
	g->failures = db_get_int(rows, 0, GRANT_FAILURES);
	g->dead_us = db_get_int(rows, 0, GRANT_DEAD_AT);
	g->updated_us = db_get_int(rows, 0, GRANT_UPDATED_AT);
	if (!oauth_kind_parse(db_get_text(rows, 0, GRANT_KIND), &g->kind)) {
		err_set(err, ERR_INTERNAL, "a grant of an unknown kind");
		return NULL;
	}
	g->settings = json_parse_used(a, db_get_str(rows, 0, GRANT_SETTINGS), err);
	return g->settings == NULL ? NULL : g;
}

static struct grant *grant_of_row(
    struct app *app, struct arena *a, const struct db_rows *rows, struct err *err)
{
	struct grant *g = grant_of_row_shown(app, a, rows, err);

	if (g == NULL)
		return NULL;
	g->tokens = grant_open_tokens(app, a, &g->id, db_get_str(rows, 0, GRANT_TOKENS), err);
	return g->tokens == NULL ? NULL : g;
}

int grant_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, bool is_locked, struct grant **out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, is_locked ? &grant_for_update : &grant_by_id,
	    DB_VALS(db_uuid(id), db_uuid(account_id)), &rows, err);

	if (found != 1)
		return found;
	*out = grant_of_row(app, a, &rows, err);
	return *out == NULL ? -1 : 1;
}

static const char *token_of(const struct grant *g, const char *key)
{
	const char *v = json_str(g->tokens, key);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

static int64_t sooner_us(int64_t x, int64_t y)
{
	return x == 0 || (y != 0 && y < x) ? y : x;
}

static int64_t ahead_us(int64_t now_us, int64_t expires_us)
{
	int64_t life = expires_us - now_us, ahead = life / AHEAD_SHARE;

	if (expires_us == 0)
		return 0;
	if (ahead < AHEAD_LEAST_S * SECOND_US)
		ahead = AHEAD_LEAST_S * SECOND_US;
	return ahead < life ? expires_us - ahead : now_us + life / 2;
}

/* What can be renewed is due ahead of its end; what cannot, at its end, which is then told. */
static void grant_plan(struct grant *g, int64_t now_us)
{
	bool can_refresh = oauth_can_refresh(
	    g->provider, g->kind, token_of(g, "accessToken"), token_of(g, "refreshToken"));

	if (can_refresh)
		g->due_us = ahead_us(now_us, g->expires_us);
	else
		g->due_us = g->ends_us = sooner_us(g->ends_us, g->expires_us);
	if (token_of(g, "userRefreshToken") != NULL)
		g->due_us = sooner_us(g->due_us, ahead_us(now_us, g->user_expires_us));
}

static void token_set(struct grant *g, const char *key, const char *value)
{
	if (value != NULL)
		json_set_str(g->tokens, key, value);
}

static int64_t end_us(int64_t now_us, int64_t seconds)
{
	return seconds == OAUTH_UNTOLD ? 0 : now_us + seconds * SECOND_US;
}

void grant_take_tokens(struct grant *g, const struct oauth_tokens *t, int64_t now_us)
{
	token_set(g, "accessToken", t->access);
	token_set(g, "refreshToken", t->refresh);
	token_set(g, "userAccessToken", t->user_access);
	token_set(g, "userRefreshToken", t->user_refresh);
	if (t->access != NULL)
		g->expires_us = end_us(now_us, oauth_lifetime_s(g->provider, t->expires_s));
	if (t->user_access != NULL)
		g->user_expires_us = end_us(now_us, t->user_expires_s);
	if (t->refresh_expires_s != OAUTH_UNTOLD)
		g->ends_us = end_us(now_us, t->refresh_expires_s);
	if (t->scope != NULL)
		g->scope = t->scope;
	grant_plan(g, now_us);
}

static struct str answer_sealed(
    struct app *app, struct arena *a, const struct grant *g, const json_t *answer, struct err *err)
{
	return answer == NULL ? (struct str){NULL, 0}
			      : sealed_json(app, a, ANSWER, &g->id, answer, err);
}

int grant_insert(
    struct app *app, struct arena *a, struct grant *g, const json_t *answer, struct err *err)
{
	struct str tokens = sealed_json(app, a, TOKENS, &g->id, g->tokens, err);
	struct str raw = answer_sealed(app, a, g, answer, err);

	if (tokens.p == NULL || (answer != NULL && raw.p == NULL))
		return -1;
	g->updated_us = clock_now_us();
	return db_exec(app->db, &grant_put,
	    DB_VALS(db_uuid(&g->id), db_uuid(&g->account_id), db_str(g->provider_type),
		db_uuid_or_null(&g->app_id), db_str(oauth_kind_name(g->kind)), db_blob(tokens),
		db_blob(raw), db_strn(json_text(a, g->settings)), db_str(g->scope),
		db_time(g->expires_us), db_time(g->user_expires_us), db_time(g->ends_us),
		db_time(g->due_us), db_int(g->updated_us), db_int(g->updated_us)),
	    NULL, err);
}

int grant_store(
    struct app *app, struct arena *a, struct grant *g, const json_t *answer, struct err *err)
{
	struct str tokens = sealed_json(app, a, TOKENS, &g->id, g->tokens, err);
	struct str raw = answer_sealed(app, a, g, answer, err);

	if (tokens.p == NULL || (answer != NULL && raw.p == NULL))
		return -1;
	/* It says that the row is another: never the same twice. */
	g->updated_us = clock_now_after_us(g->updated_us);
	return db_exec(app->db, &grant_set,
	    DB_VALS(db_blob(tokens), db_blob(raw), db_strn(json_text(a, g->settings)),
		db_str(g->scope), db_time(g->expires_us), db_time(g->user_expires_us),
		db_time(g->ends_us), db_time(g->due_us), db_time(g->asked_us), db_time(g->retry_us),
		db_int(g->failures), db_strn(utf8_clean(a, str_from(g->error), ERROR_BYTES)),
		db_strn(utf8_clean(a, str_from(g->user_error), ERROR_BYTES)), db_time(g->dead_us),
		db_int(g->updated_us), db_uuid(&g->id), db_uuid(&g->account_id)),
	    NULL, err);
}

int grant_lease(
    struct app *app, const struct grant *g, int64_t now_us, int64_t lease_us, struct err *err)
{
	struct uuid lease = uuid_new();
	uint64_t affected = 0;

	if (db_exec(app->db, &grant_hold,
		DB_VALS(db_uuid(&lease), db_int(now_us + lease_us), db_int(now_us), db_uuid(&g->id),
		    db_uuid(&g->account_id), db_int(g->updated_us), db_int(now_us)),
		&affected, err) == -1)
		return -1;
	return affected > 0;
}

int grant_count_connections(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, int64_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &grant_connections, DB_VALS(db_uuid(account_id), db_uuid(id)),
		&rows, err) == -1)
		return -1;
	*n = db_get_int(&rows, 0, 0);
	return 0;
}

int grant_delete(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	return db_exec(app->db, &grant_erase, DB_VALS(db_uuid(id), db_uuid(account_id)), NULL, err);
}

int grant_release(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err)
{
	struct job job = {.id = uuid_new(),
	    .account_id = *account_id,
	    .class = JOB_LIVE,
	    .target_id = *id,
	    .kind = "grant.revoke",
	    .subject_id = *id};
	struct err shut = ERR_INIT;
	struct db_rows rows;
	struct grant *g;
	int found;
	int64_t n;

	if (uuid_is_nil(*id))
		return 0;
	found = db_row(
	    app->db, a, &grant_for_update, DB_VALS(db_uuid(id), db_uuid(account_id)), &rows, err);
	if (found != 1)
		return found;
	g = grant_of_row_shown(app, a, &rows, err);
	if (g == NULL)
		return -1;
	if (grant_count_connections(app, a, account_id, id, &n, err) == -1)
		return -1;
	if (n > 0)
		return 0;
	/* Tokens that cannot be opened cannot be revoked either. */
	if (g->provider == NULL || !oauth_can_revoke(g->provider) ||
	    grant_open_tokens(app, a, id, db_get_str(&rows, 0, GRANT_TOKENS), &shut) == NULL)
		return grant_delete(app, account_id, id, err);
	if (db_exec(app->db, &grant_close, DB_VALS(db_uuid(id), db_uuid(account_id)), NULL, err) ==
	    -1)
		return -1;
	return job_insert(app->db, &job, 1, err);
}

/* ---- what is due --------------------------------------------------------------------------- */

struct grants_queueing {
	const struct db_rows *rows;
};

/* A grant has one such job at most: it bears the grant's id. */
static int grants_queue_body(struct db *db, void *arg, struct err *err)
{
	const struct db_rows *rows = ((struct grants_queueing *)arg)->rows;

	for (size_t i = 0; i < rows->count; i++) {
		struct uuid id = db_get_uuid(rows, i, 0);
		struct job job = {.id = id,
		    .account_id = db_get_uuid(rows, i, 1),
		    .class = JOB_LIVE,
		    .target_id = id,
		    .kind = "grant.refresh",
		    .subject_id = id};

		if (job_run_now(db, &job, err) == -1)
			return -1;
	}
	return 0;
}

int grant_due(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	int64_t now_us = clock_now_us();
	struct db_rows rows;
	struct grants_queueing q = {&rows};
	int rc = db_query(app->db, a, &grants_due,
	    DB_VALS(db_int(now_us), db_int(now_us), db_int(now_us)), &rows, err);

	if (rc == 0 && rows.count > 0)
		rc = db_transaction(app->db, grants_queue_body, &q, err);
	arena_free(a);
	return rc;
}

/* ---- logins -------------------------------------------------------------------------------- */

int login_insert(struct app *app, struct arena *a, const struct oauth_login *l, struct err *err)
{
	struct str sealed = sealed_json(app, a, LOGIN, &l->id, l->payload, err);

	if (sealed.p == NULL)
		return -1;
	return db_exec(app->db, &login_put,
	    DB_VALS(db_uuid(&l->id), db_uuid(&l->account_id), db_uuid_or_null(&l->user_id),
		db_str(l->provider_type), db_uuid(&l->app_id), db_uuid_or_null(&l->connection_id),
		db_uuid_or_null(&l->grant_id),
		db_blob((struct str){(const char *)l->browser, sizeof(l->browser)}),
		db_blob(sealed), db_int(l->expires_us)),
	    NULL, err);
}

int login_get(struct app *app, struct arena *a, const struct uuid *id, struct oauth_login **out,
    struct err *err)
{
	struct db_rows rows;
	struct oauth_login *l = arena_zalloc(a, sizeof(*l));
	int found = db_row(app->db, a, &login_by_id, DB_VALS(db_uuid(id)), &rows, err);
	struct str browser;

	if (found != 1)
		return found;
	l->id = *id;
	l->account_id = db_get_uuid(&rows, 0, LOGIN_ACCOUNT);
	l->user_id = db_get_uuid(&rows, 0, LOGIN_USER);
	l->provider_type = db_get_text(&rows, 0, LOGIN_PROVIDER);
	l->app_id = db_get_uuid(&rows, 0, LOGIN_APP);
	l->connection_id = db_get_uuid(&rows, 0, LOGIN_CONNECTION);
	l->grant_id = db_get_uuid(&rows, 0, LOGIN_GRANT);
	l->expires_us = db_get_int(&rows, 0, LOGIN_EXPIRES);
	browser = db_get_str(&rows, 0, LOGIN_BROWSER);
	memcpy(l->browser, browser.p, browser.n < 32 ? browser.n : 32);
	l->payload =
	    sealed_open(app, a, LOGIN, id, db_get_str(&rows, 0, LOGIN_PAYLOAD), "the login", err);
	*out = l;
	return l->payload == NULL ? -1 : 1;
}

int login_take(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	uint64_t affected = 0;

	if (db_exec(app->db, &login_end, DB_VALS(db_uuid(id), db_uuid(account_id)), &affected,
		err) == -1)
		return -1;
	return affected > 0;
}

struct logins_ending {
	struct app *app;
	struct arena *a;
	const struct db_rows *rows;
};

/* A consent from which nothing was chosen has no connection: it is revoked. */
static int logins_end_body(struct db *db, void *arg, struct err *err)
{
	struct logins_ending *e = arg;

	(void)db;
	for (size_t i = 0; i < e->rows->count; i++) {
		struct uuid id = db_get_uuid(e->rows, i, 0), account = db_get_uuid(e->rows, i, 1),
			    grant = db_get_uuid(e->rows, i, 2);

		if (login_take(e->app, &account, &id, err) == -1 ||
		    grant_release(e->app, e->a, &account, &grant, err) == -1)
			return -1;
	}
	return 0;
}

int login_purge(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	struct db_rows rows;
	struct logins_ending e = {app, a, &rows};
	int rc = db_query(app->db, a, &logins_over, DB_VALS(db_int(clock_now_us())), &rows, err);

	if (rc == 0 && rows.count > 0)
		rc = db_transaction(app->db, logins_end_body, &e, err);
	if (rc == 0 && rows.count == 64)
		rc = 1;
	arena_free(a);
	return rc;
}
