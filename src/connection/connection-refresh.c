/* Refresh by lease. Providers give each refresh token's successor once: who asks twice, or loses
 * the answer, has lost the grant. So of all processes of all hosts one asks at a time, and what
 * comes is stored before it is used.
 *
 *	                       stored token is another ──> take it                        1
 *	 read the grant ──┬──> dead, or nothing can refresh ──> tell                      0
 *	      ^           ├──> a failed try waits for its time ──>                       -1
 *	      │           ├──> another holds the lease ──> wait for the row, read again
 *	      │           └──> lease, asked_at ──> call ──┬─ tokens ──> store            1
 *	      └──────────── it has changed meanwhile <────┤
 *	                                                  ├─ dead grant ──> look again, tell 0
 *	                                                  └─ else ──> back off              -1
 *
 * Invariants: no lock is held over a call. asked_at stands from before a call until an answer to it
 * is stored: a grant that turns out to be dead while an earlier asked_at stands has lost its
 * answer. Nothing but the provider's own word ends a grant: not 5xx, not HTML, not silence. */
#include "connection/connection-refresh.h"

#include "account/audit.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "connection/app.h"
#include "connection/connection-internal.h"
#include "connection/grant.h"
#include "job/job.h"
#include "net/egress.h"
#include "net/http-client.h"
#include "provider/manifest.h"

#define CALL_MS 20000 /* of a call of a token endpoint; the lease outlives it */
#define LEASE_US (60 * SECOND_US)
#define WAIT_MOST_US (15 * SECOND_US)
#define WAIT_STEP_MS 100
#define RETRY_FIRST_US (15 * SECOND_US)
#define RETRY_MOST_US (3600 * SECOND_US)
#define REVOKE_ATTEMPTS 8
#define USER_AHEAD_US (7200 * SECOND_US)   /* as the platform's own kit does */
#define REFUSED_RETRY_US (600 * SECOND_US) /* a wrong app secret mends itself by nobody */

struct refreshing {
	struct app *app;
	struct arena *a;
	struct connection *c;
	struct grant *g;
	int64_t asked_before_us; /* what asked_at said before this try */
	bool is_user;            /* the second token set */
	const struct oauth_answer *ans;
	bool was_sent;
	const char *dead_why;
	bool has_won; /* another has stored tokens meanwhile */
};

/* ---- calls --------------------------------------------------------------------------------- */

static const char *call_host(struct arena *a, const char *url)
{
	const char *host = strstr(url, "://");

	host = host == NULL ? url : host + 3;
	return arena_strndup(a, host, strcspn(host, "/?#"));
}

void grant_call(struct app *app, struct arena *a, const struct provider *p,
    const struct oauth_known *k, const struct http_call *call, struct oauth_answer *out,
    bool *was_sent)
{
	struct http_call wire = *call;
	struct http_answer ans = {0};
	struct err why = ERR_INIT;

	*out = (struct oauth_answer){.class = CALL_FATAL, .retry_after_ms = -1};
	*was_sent = false;
	wire.url = provider_wire_url(app->config, a, p, call->url);
	wire.timeout_ms = CALL_MS;
	wire.max_answer = 256u * 1024u;
	if (!egress_may_carry_secret(app->config, wire.url)) {
		out->error = arena_printf(a,
		    "%s is not called: secrets are not sent by plain http://. Use https://, or "
		    "ask whoever runs Connect to allow that server",
		    call_host(a, wire.url));
		return;
	}
	if (http_client_call(app->http, a, &wire, &ans, &why) == 0) {
		*was_sent = true;
		oauth_read(a, p, k, call, &ans, out);
		return;
	}
	out->class = why.code == ERR_REFUSED ? CALL_FATAL : CALL_RETRY;
	*was_sent = ans.was_sent;
	out->error = arena_printf(a, "%s: %s", call_host(a, call->url), why.msg);
}

/* ---- storing ------------------------------------------------------------------------------- */

DB_STMT(connections_expire,
    "UPDATE connections SET status = '" CONNECTION_EXPIRED "', last_error = ?, updated_at = ?"
    " WHERE account_id = ? AND grant_id = ? AND status <> '" CONNECTION_DISABLED
    "' AND ended_at IS NULL");
DB_STMT(connections_revive,
    "UPDATE connections SET status = '" CONNECTION_ACTIVE "', last_error = NULL, updated_at = ?"
    " WHERE account_id = ? AND grant_id = ? AND status = '" CONNECTION_EXPIRED
    "' AND ended_at IS NULL");
DB_STMT(connections_of_grant,
    "SELECT id FROM connections WHERE account_id = ? AND grant_id = ? ORDER BY id LIMIT 500");
DB_STMT(connection_set_settings,
    "UPDATE connections SET settings = ?, updated_at = ? WHERE id = ? AND account_id = ?");

/* Settings that tokens tell (the origin of an instance) are those of each connection. */
static int refresh_store_settings(struct refreshing *r, const json_t *told, struct err *err)
{
	struct app *app = r->app;
	struct db_rows rows;
	int64_t now_us = clock_now_us();

	if (json_object_size(told) == 0)
		return 0;
	if (db_query(app->db, r->a, &connections_of_grant,
		DB_VALS(db_uuid(&r->g->account_id), db_uuid(&r->g->id)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);
		struct connection *c;
		json_t *settings;
		int found = connection_lock(app, r->a, &r->g->account_id, &id, false, &c, err);

		if (found == -1)
			return -1;
		if (found == 0)
			continue;
		settings = json_own(r->a, json_deep_copy(c->access.settings));
		if (json_merge(settings, told) &&
		    db_exec(app->db, &connection_set_settings,
			DB_VALS(db_strn(json_text(r->a, settings)), db_int(now_us), db_uuid(&id),
			    db_uuid(&r->g->account_id)),
			NULL, err) == -1)
			return -1;
	}
	return 0;
}

/* As the row is now, locked: *out, and whether its tokens are still those that were sent. -1 also
 * when it has gone. */
static int refresh_lock(struct refreshing *r, struct grant **out, bool *is_same, struct err *err)
{
	int found = grant_get(r->app, r->a, &r->g->account_id, &r->g->id, true, out, err);

	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "the login of this connection was removed");
	*is_same = found == 1 && json_equal((*out)->tokens, r->g->tokens);
	return found == 1 ? 0 : -1;
}

/* The second set's answer is like the first's, or tells the user's tokens by their own names. */
static struct oauth_tokens refresh_tokens(const struct refreshing *r)
{
	struct oauth_tokens t = r->ans->tokens,
			    user = {.expires_s = OAUTH_UNTOLD, .refresh_expires_s = OAUTH_UNTOLD};

	if (!r->is_user)
		return t;
	user.user_access = t.user_access != NULL ? t.user_access : t.access;
	user.user_refresh = t.user_refresh != NULL ? t.user_refresh : t.refresh;
	user.user_expires_s = t.user_access != NULL ? t.user_expires_s : t.expires_s;
	return user;
}

static int refresh_store_body(struct db *db, void *arg, struct err *err)
{
	struct refreshing *r = arg;
	int64_t now_us = clock_now_us();
	struct oauth_tokens t = refresh_tokens(r);
	struct grant *g;
	bool is_same;

	if (refresh_lock(r, &g, &is_same, err) == -1)
		return -1;
	grant_take_tokens(g, &t, now_us);
	g->asked_us = g->retry_us = g->dead_us = 0;
	g->failures = 0;
	if (r->is_user)
		g->user_error = NULL;
	else
		g->error = NULL;
	if (grant_store(r->app, r->a, g, r->ans->json, err) == -1 ||
	    refresh_store_settings(r, t.settings, err) == -1 ||
	    db_exec(db, &connections_revive,
		DB_VALS(db_int(now_us), db_uuid(&g->account_id), db_uuid(&g->id)), NULL, err) == -1)
		return -1;
	audit_caches_drop(r->app);
	r->g = g;
	return 0;
}

/* What came is the only copy: while the database is away, or others hold the row, it is waited for,
 * as long as the lease is ours. */
static int refresh_store(struct refreshing *r, struct err *err)
{
	int64_t until_us = clock_mono_us() + LEASE_US / 2;

	for (;;) {
		err_clear(err);
		if (db_transaction(r->app->db, refresh_store_body, r, err) == 0)
			return 0;
		if ((err->code != ERR_UNAVAILABLE && err->code != ERR_LOCKED) ||
		    clock_mono_us() > until_us)
			return -1;
		http_client_sleep(r->app->http, WAIT_STEP_MS);
	}
}

static int64_t refresh_backoff_us(const struct refreshing *r, int64_t failures)
{
	int64_t wait_us = RETRY_FIRST_US << (failures > 8 ? 8 : failures);

	if (r->ans->retry_after_ms > 0 && r->ans->retry_after_ms * 1000 > wait_us)
		wait_us = r->ans->retry_after_ms * 1000;
	if (r->ans->class == CALL_FATAL && wait_us < REFUSED_RETRY_US)
		wait_us = REFUSED_RETRY_US;
	return wait_us > RETRY_MOST_US ? RETRY_MOST_US : wait_us;
}

/* The grant lives on; the next try has to wait. */
static int refresh_fail_body(struct db *db, void *arg, struct err *err)
{
	struct refreshing *r = arg;
	struct grant *g;
	bool is_same;

	(void)db;
	if (refresh_lock(r, &g, &is_same, err) == -1)
		return -1;
	r->has_won = !is_same;
	if (!is_same)
		return 0;
	/* What was answered is not lost, and what was never sent cannot be. */
	if (!r->was_sent || r->ans->class == CALL_FATAL || r->ans->class == CALL_RATE_LIMITED)
		g->asked_us = r->asked_before_us;
	g->retry_us = clock_now_us() + refresh_backoff_us(r, g->failures);
	g->failures++;
	g->error = r->ans->error;
	return grant_store(r->app, r->a, g, NULL, err);
}

static int grant_expire(struct refreshing *r, struct grant *g, struct err *err)
{
	int64_t now_us = clock_now_us();

	g->dead_us = now_us;
	g->due_us = 0;
	g->error = r->dead_why;
	if (grant_store(r->app, r->a, g, NULL, err) == -1 ||
	    db_exec(r->app->db, &connections_expire,
		DB_VALS(
		    db_str(r->dead_why), db_int(now_us), db_uuid(&g->account_id), db_uuid(&g->id)),
		NULL, err) == -1)
		return -1;
	audit_caches_drop(r->app);
	return 0;
}

/* The second set ends alone: what the first can do goes on. */
static int grant_end_user(struct refreshing *r, struct grant *g, struct err *err)
{
	json_object_del(g->tokens, "userRefreshToken");
	g->user_expires_us = 0;
	g->user_error = r->dead_why;
	g->asked_us = 0;
	grant_take_tokens(g,
	    &(const struct oauth_tokens){.expires_s = OAUTH_UNTOLD,
		.refresh_expires_s = OAUTH_UNTOLD,
		.user_expires_s = OAUTH_UNTOLD},
	    clock_now_us());
	return grant_store(r->app, r->a, g, NULL, err);
}

/* It is dead by the provider's word, unless another has won in the meantime. */
static int refresh_end_body(struct db *db, void *arg, struct err *err)
{
	struct refreshing *r = arg;
	struct grant *g;
	bool is_same;

	(void)db;
	if (refresh_lock(r, &g, &is_same, err) == -1)
		return -1;
	r->has_won = !is_same;
	if (!is_same)
		return 0;
	return r->is_user ? grant_end_user(r, g, err) : grant_expire(r, g, err);
}

/* ---- taking what is stored ----------------------------------------------------------------- */

/* The tokens of the grant into the connection, which may be a copy that shares its JSON. */
static void refresh_take(struct refreshing *r)
{
	struct connection *c = r->c;
	json_t *all = json_own(r->a, json_copy(c->access.credentials)), *token;
	const char *key;

	json_object_each(c->grant.tokens, key, token)
		if (json_equal(token, json_object_get(all, key)))
			json_object_del(all, key);
	json_object_each(r->g->tokens, key, token)
		if (json_object_get(all, key) == NULL)
			json_object_set(all, key, token);
	c->access.credentials = all;
	c->grant.tokens = r->g->tokens;
	c->grant.expires_us = r->g->expires_us;
	c->grant.ends_us = r->g->ends_us;
	c->grant.dead_us = r->g->dead_us;
	c->grant_updated_us = r->g->updated_us;
	if (r->ans != NULL && json_object_size(r->ans->tokens.settings) > 0) {
		c->access.settings = json_own(r->a, json_deep_copy(c->access.settings));
		json_merge(c->access.settings, r->ans->tokens.settings);
	}
	connection_cache_check(&c->id);
}

/* ---- one try, by whom holds the lease ------------------------------------------------------ */

static const char *grant_token(const struct grant *g, const char *key)
{
	const char *v = json_str(g->tokens, key);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

static const char *dead_why(const struct refreshing *r)
{
	const char *name = r->c->provider->display_name;

	if (r->asked_before_us != 0)
		return arena_printf(r->a,
		    "The answer to an earlier refresh was lost on the way, and %s gives it once. "
		    "Connect again: nothing else is lost",
		    name);
	return arena_printf(r->a, "%s has ended this login: %s", name, r->ans->error);
}

/* 1, 0, -1 as connection_refresh. */
static int refresh_settle(struct refreshing *r, struct err *err)
{
	switch (r->ans->class) {
	case CALL_OK:
		if (refresh_store(r, err) == -1)
			return -1;
		log_info("grant.refreshed", LOG_S("provider", r->c->provider_type),
		    LOG_S("grant", uuid_dup(r->a, r->g->id)));
		return 1;
	case CALL_AUTH:
		r->dead_why = dead_why(r);
		if (db_transaction(r->app->db, refresh_end_body, r, err) == -1)
			return -1;
		log_warn("grant.ended", LOG_S("provider", r->c->provider_type),
		    LOG_S("grant", uuid_dup(r->a, r->g->id)), LOG_S("reason", r->dead_why));
		return r->has_won ? 1 : 0;
	default:
		if (db_transaction(r->app->db, refresh_fail_body, r, err) == -1)
			return -1;
		if (r->has_won)
			return 1;
		return err_set(
		    err, ERR_UNAVAILABLE, "a new token could not be had: %s", r->ans->error);
	}
}

/* Asks for one of the token sets. */
static int refresh_ask(struct refreshing *r, struct err *err)
{
	struct access access = r->c->access;
	struct oauth_known k = {.c = &access,
	    .access_token = grant_token(r->g, r->is_user ? "userAccessToken" : "accessToken"),
	    .refresh_token = grant_token(r->g, r->is_user ? "userRefreshToken" : "refreshToken")};
	struct oauth_answer ans = {.class = CALL_FATAL, .retry_after_ms = -1};
	struct err why = ERR_INIT;
	struct http_call call;

	if (oauth_build(r->a, r->c->provider, r->g->kind, OAUTH_REFRESH, &k, &call, &why) == -1)
		ans.error = arena_strdup(r->a, why.msg);
	else
		grant_call(r->app, r->a, r->c->provider, &k, &call, &ans, &r->was_sent);
	r->ans = &ans;
	int rc = refresh_settle(r, err);
	if (rc == 1)
		refresh_take(r);
	r->ans = NULL;
	return rc;
}

static bool user_set_is_due(const struct grant *g)
{
	return grant_token(g, "userRefreshToken") != NULL && g->user_expires_us != 0 &&
	       g->user_expires_us - clock_now_us() < USER_AHEAD_US;
}

/* Of the two that make a grant due, is it the first? */
static bool main_set_is_due(const struct grant *g, int64_t now_us)
{
	return g->expires_us != 0 && g->expires_us - now_us < USER_AHEAD_US;
}

/* Each set by a lease of its own, the first first: what becomes of the second is its own. */
static int refresh_user(struct refreshing *r, struct err *err)
{
	int rc = grant_lease(r->app, r->g, clock_now_us(), LEASE_US, err);

	if (rc != 1)
		return rc;
	r->asked_before_us = r->g->asked_us;
	r->is_user = true;
	rc = refresh_ask(r, err);
	r->is_user = false;
	return rc;
}

/* The lease of the first set is held. */
static int refresh_held(struct refreshing *r, struct err *err)
{
	struct err user = ERR_INIT;
	int rc;

	r->asked_before_us = r->g->asked_us;
	rc = refresh_ask(r, err);
	if (rc == 1 && user_set_is_due(r->g) && refresh_user(r, &user) == -1)
		log_warn("grant.user", LOG_ERR(&user));
	return rc;
}

/* ---- who may ------------------------------------------------------------------------------- */

static bool is_other_token(const struct refreshing *r)
{
	const char *used = json_str(r->c->grant.tokens, "accessToken"),
		   *stored = grant_token(r->g, "accessToken");

	return stored != NULL && (used == NULL || strcmp(used, stored) != 0);
}

/* Nothing renews it: people are told, once. */
static int refresh_give_up(struct refreshing *r, struct err *err)
{
	r->dead_why = arena_printf(
	    r->a, "The login at %s is over. Connect again to go on", r->c->provider->display_name);
	if (db_transaction(r->app->db, refresh_end_body, r, err) == -1)
		return -1;
	return r->has_won ? 1 : 0;
}

/* What can be said without asking the provider: 1, 0, -1, or 2: it has to be asked. */
static int refresh_look(struct refreshing *r, struct err *err)
{
	const struct grant *g = r->g;

	if (is_other_token(r)) {
		refresh_take(r);
		return 1;
	}
	if (g->dead_us != 0)
		return 0;
	if (!oauth_can_refresh(r->c->provider, g->kind, grant_token(g, "accessToken"),
		grant_token(g, "refreshToken")))
		return refresh_give_up(r, err);
	if (g->retry_us > clock_now_us())
		return err_set(err, ERR_UNAVAILABLE,
		    "a new token could not be had; the next try is at %s: %s",
		    clock_iso_dup(r->a, g->retry_us), g->error != NULL ? g->error : "");
	return 2;
}

static int refresh_read(struct refreshing *r, struct err *err)
{
	return grant_get(r->app, r->a, &r->c->account_id, &r->c->grant.id, false, &r->g, err);
}

/* A page's token is its own: what it was made by may be renewed, and it is not. */
static bool has_own_token(const struct connection *c)
{
	const json_t *token = json_object_get(c->access.credentials, "accessToken");

	return token != NULL && !json_equal(token, json_object_get(c->grant.tokens, "accessToken"));
}

int connection_refresh(
    struct app *app, struct arena *a, struct connection *c, const char *why, struct err *err)
{
	struct refreshing r = {.app = app, .a = a, .c = c};
	int64_t until_us = clock_mono_us() + WAIT_MOST_US;

	if (uuid_is_nil(c->grant.id) || !oauth_is_there(c->provider) || has_own_token(c))
		return 0;
	log_debug("grant.refresh", LOG_S("connection", uuid_dup(a, c->id)), LOG_S("why", why));
	do {
		int rc = refresh_read(&r, err);

		if (rc != 1)
			return rc;
		if ((rc = refresh_look(&r, err)) != 2)
			return rc;
		rc = grant_lease(app, r.g, clock_now_us(), LEASE_US, err);
		if (rc == -1)
			return -1;
		if (rc == 1)
			return refresh_held(&r, err);
		http_client_sleep(app->http, WAIT_STEP_MS);
	} while (clock_mono_us() < until_us);
	return err_set(err, ERR_UNAVAILABLE,
	    "another process is getting a new token, and has not "
	    "got it yet");
}

bool connection_needs_refresh(const struct connection *c)
{
	if (uuid_is_nil(c->grant.id) || c->grant.dead_us != 0)
		return false;
	return json_str(c->access.credentials, "accessToken") == NULL ||
	       (c->grant.expires_us != 0 && c->grant.expires_us <= clock_now_us() &&
		   !has_own_token(c));
}

/* ---- ahead of the end ---------------------------------------------------------------------- */

/* Any of its connections: what is asked is the same by each. 1, 0 it has none, -1. */
static int grant_connection(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *grant_id, struct connection **out, struct err *err)
{
	struct db_rows rows;
	struct uuid id;

	if (db_query(app->db, a, &connections_of_grant,
		DB_VALS(db_uuid(account_id), db_uuid(grant_id)), &rows, err) == -1)
		return -1;
	if (rows.count == 0)
		return 0;
	id = db_get_uuid(&rows, 0, 0);
	return connection_get(app, a, account_id, &id, out, err);
}

/* Whatever came of it is in the row, with the time of the next try: the job ends. */
int grant_job_refresh(struct job *j, struct err *err)
{
	struct refreshing r = {.app = j->app, .a = j->a};
	struct err why = ERR_INIT;
	int64_t now_us = clock_now_us();
	int found = grant_connection(j->app, j->a, &j->account_id, &j->subject_id, &r.c, err);
	int rc;

	if (found != 1)
		return found;
	if ((found = refresh_read(&r, err)) != 1)
		return found;
	if (r.g->due_us == 0 || r.g->due_us > now_us || r.g->dead_us != 0)
		return 0; /* another has done it */
	if (user_set_is_due(r.g) && !main_set_is_due(r.g, now_us)) {
		if (refresh_user(&r, &why) == -1)
			log_warn("grant.user", LOG_ERR(&why));
		return 0;
	}
	if (!oauth_can_refresh(r.c->provider, r.g->kind, grant_token(r.g, "accessToken"),
		grant_token(r.g, "refreshToken")))
		return refresh_give_up(&r, err) == -1 ? -1 : 0;
	rc = grant_lease(j->app, r.g, now_us, LEASE_US, err);
	if (rc == 1 && refresh_held(&r, &why) == -1)
		log_warn("grant.refresh", LOG_S("provider", r.c->provider_type), LOG_ERR(&why));
	return rc == -1 ? -1 : 0;
}

/* ---- the end ------------------------------------------------------------------------------- */

/* Its connections are gone: what it is asked with is what the grant itself knows. */
static int revoke_access(
    struct app *app, struct arena *a, const struct grant *g, struct access *out, struct err *err)
{
	struct provider_app *v = NULL;

	*out = (struct access){
	    .external_account_id = "", .settings = g->settings, .credentials = g->tokens};
	if (!uuid_is_nil(g->app_id) &&
	    provider_app_get(app, a, &g->account_id, &g->app_id, &v, err) == -1)
		return -1;
	out->app = v == NULL ? NULL : v->credentials;
	return 0;
}

int grant_job_revoke(struct job *j, struct err *err)
{
	struct err why = ERR_INIT;
	struct oauth_answer ans;
	struct access access;
	struct http_call call;
	struct grant *g;
	bool was_sent;
	int64_t n;
	int found = grant_get(j->app, j->a, &j->account_id, &j->subject_id, false, &g, err);

	if (found != 1)
		return found;
	if (grant_count_connections(j->app, j->a, &j->account_id, &g->id, &n, err) == -1)
		return -1;
	if (n > 0) /* it was connected again meanwhile */
		return 0;
	if (revoke_access(j->app, j->a, g, &access, err) == -1)
		return -1;
	struct oauth_known k = {.c = &access,
	    .access_token = grant_token(g, "accessToken"),
	    .refresh_token = grant_token(g, "refreshToken")};
	if (g->dead_us == 0 && g->provider != NULL &&
	    oauth_build(j->a, g->provider, g->kind, OAUTH_REVOKE, &k, &call, &why) == 0) {
		grant_call(j->app, j->a, g->provider, &k, &call, &ans, &was_sent);
		bool is_done = was_sent && ans.status < 500 && ans.status != 429;

		if (!is_done && j->attempts < REVOKE_ATTEMPTS)
			return err_set(err, ERR_UNAVAILABLE, "revocation: %s",
			    ans.error != NULL ? ans.error : "no answer");
		/* Tried long enough: what is ours is erased. */
		if (!is_done)
			log_warn("grant.unrevoked", LOG_S("provider", g->provider_type),
			    LOG_S("reason", ans.error != NULL ? ans.error : "no answer"));
	}
	return grant_delete(j->app, &j->account_id, &g->id, err);
}
