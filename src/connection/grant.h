/* What a login gave: the tokens that one or several connections call with, one row for all of them.
 * docs/internals/oauth.md tells the whole. */
#ifndef CONNECTION_GRANT_H
#define CONNECTION_GRANT_H
#include "connection/connection.h"
#include "provider/oauth.h"

struct grant {
	struct uuid id, account_id, app_id; /* app_id nil: by the connection's own client */
	const struct provider *provider;
	const char *provider_type;
	enum oauth_kind kind;
	json_t *tokens;   /* accessToken refreshToken userAccessToken userRefreshToken */
	json_t *settings; /* of the connections that were or will be made of it */
	const char *scope, *error, *user_error;
	int64_t expires_us, user_expires_us; /* of the access tokens; 0: untold */
	int64_t ends_us;                     /* people must log in again by then; 0: untold */
	int64_t due_us;                      /* when it is refreshed ahead of its end; 0: not */
	int64_t asked_us; /* a refresh token was sent, and no answer to it is stored; 0: no */
	int64_t retry_us, dead_us, updated_us;
	int64_t failures; /* of refreshes, one after another */
};

json_t *grant_open_tokens(
    struct app *app, struct arena *a, const struct uuid *id, struct str blob, struct err *err);
/* 1, 0, -1; is_locked: within a transaction, nobody else changing it until the end. */
int grant_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, bool is_locked, struct grant **out, struct err *err);
/* Within a transaction; answer: as it came, or NULL. */
int grant_insert(
    struct app *app, struct arena *a, struct grant *g, const json_t *answer, struct err *err);
/* Within a transaction: stores all of it but whose it is, gives the lease back. asked_us as it
 * stands. answer NULL: that of before stays. */
int grant_store(
    struct app *app, struct arena *a, struct grant *g, const json_t *answer, struct err *err);
/* Takes what an answer tells into it, at a time: a refresh token that is not told stays. */
void grant_take_tokens(struct grant *g, const struct oauth_tokens *t, int64_t now_us);
/* Tries to be the one that refreshes it, for lease_us, if it is still as g was read. 1, 0 another
 * is, or it is not as it was, -1. */
int grant_lease(
    struct app *app, const struct grant *g, int64_t now_us, int64_t lease_us, struct err *err);
/* How many connections go by it. */
int grant_count_connections(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, int64_t *n, struct err *err);
int grant_delete(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err);
/* Within a transaction that took a connection away: when it was the last one, the grant is due to
 * be revoked at the provider, and then erased. */
int grant_release(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err);

/* A call of the token endpoint, with what belongs to it: where secrets may go, stand-ins. What came
 * of it, whatever it is. was_sent: the other side may have had it. */
void grant_call(struct app *app, struct arena *a, const struct provider *p,
    const struct oauth_known *k, const struct http_call *call, struct oauth_answer *out,
    bool *was_sent);

/* Logins that are under way (oauth-login.c). */
struct oauth_login {
	struct uuid id, account_id, user_id, app_id, connection_id, grant_id;
	const char *provider_type;
	unsigned char browser[32]; /* the hash of its cookie */
	json_t *payload;           /* sealed */
	int64_t expires_us;
};
int login_insert(struct app *app, struct arena *a, const struct oauth_login *l, struct err *err);
int login_get(struct app *app, struct arena *a, const struct uuid *id, struct oauth_login **out,
    struct err *err);
/* Ends it: 1 it was there, 0 another has taken it, -1. */
int login_take(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err);

/* Jobs (product/wiring.c). */
int grant_due(struct app *app, struct err *err);       /* periodic: queues what is due */
int grant_job_refresh(struct job *j, struct err *err); /* of one grant, ahead of its end */
int grant_job_revoke(struct job *j, struct err *err);
int login_purge(struct app *app, struct err *err); /* periodic */
#endif
