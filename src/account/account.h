/* Tenants, people, sessions, API keys, tokens. */
#ifndef ACCOUNT_ACCOUNT_H
#define ACCOUNT_ACCOUNT_H
#include "account/permission.h"
#include "db/db.h"
#include "http/http.h"

/* Creates an account with its first admin; the user is reused when the email is known (password
 * then unchanged). */
int account_create(struct app *app, struct arena *a, const char *name, const char *email,
    const char *password, struct uuid *account_id, struct uuid *user_id, struct err *err);
/* Creates a key; *key is its only appearance ("ck_" and 43 base64url characters; stored as
 * SHA-256). expires_us 0: never. */
int account_key_create(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *name, uint64_t permissions, int64_t expires_us, struct uuid *id, const char **key,
    struct err *err);

/* Ends a key at once on this host, within CACHE_TTL_US elsewhere. account_id NULL: a key of any
 * account (the operator's tool). r as for audit_change. 1 revoked now, 2 it was already, 0 no
 * such key, -1. */
int account_key_revoke(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *id, struct err *err);
/* [{id,name,createdAt,users}] of every account; arena-owned. */
json_t *account_list_json(struct app *app, struct arena *a, struct err *err);
/* Adds a person to an account; *user_is_new tells whether password was used: a known email keeps
 * its own. */
int account_user_add(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *email, const char *name, const char *password, const char *role,
    struct uuid *user_id, bool *user_is_new, struct err *err);
/* Is the email known? 1, 0, -1. */
int account_user_exists(struct app *app, struct arena *a, const char *email, struct err *err);
/* A new password ends all sessions and tokens of the user. ERR_NOT_FOUND. */
int account_user_password_set(
    struct app *app, struct arena *a, const char *email, const char *password, struct err *err);
/* Turns the second factor on, *uri being the otpauth: address for the authenticator (its only
 * appearance), or with uri NULL off. ERR_NOT_FOUND. */
int account_user_totp_set(
    struct app *app, struct arena *a, const char *email, const char **uri, struct err *err);
/* The address of the one-time page that makes the first admin, valid a day; ERR_CONFLICT when
 * there is a user already. */
int account_setup_link(struct app *app, struct arena *a, const char **url, struct err *err);

/* The router's authenticate hook: session cookie for page routes, x-api-key / Authorization for
 * API routes; keeps whom it found for CACHE_TTL_US while audit_caches_generation stands; enforces
 * the per-key rate limit (RateLimit-* headers, 429). */
int account_authenticate(struct req *r);
/* Name of the session cookie; where base_url is https, "__Host-" stands before it. */
extern const char account_session_cookie[];

/* Handlers named in product/routes.def. */
int account_api_token(struct req *r); /* POST /connect/v1/auth/token */
int account_api_me(struct req *r);    /* GET /connect/v1/me */
int account_api_keys_list(struct req *r);
int account_api_keys_create(struct req *r);
int account_api_keys_get(struct req *r);
int account_api_keys_update(struct req *r); /* name, permissions */
int account_api_keys_delete(struct req *r); /* revokes */
int account_page_sign_in(struct req *r);    /* GET /admin/sign-in */
int account_page_sign_in_post(struct req *r);
/* POST /admin/sign-out; everywhere=1 ends all sessions */
int account_page_sign_out(struct req *r);
/* GET /admin/setup?token=: first run, one-time token of connectctl setup-link */
int account_page_setup(struct req *r);
int account_page_setup_post(struct req *r);
/* /admin/settings/account and /profile, and what their forms send */
int account_page_settings(struct req *r);
int account_page_settings_post(struct req *r);
int account_page_profile(struct req *r);
int account_page_profile_post(struct req *r);
/* /admin/settings/api-keys: list; form of a new one; making it; question and end */
int key_page_list(struct req *r);
int key_page_new(struct req *r);
int key_page_create(struct req *r);
int key_page_revoke(struct req *r);
int key_page_revoke_post(struct req *r);
/* The forms of the profile: password, sessions, second factor */
int account_page_password(struct req *r);
int account_page_sessions(struct req *r);
int account_page_switch(struct req *r); /* POST /admin/settings/profile/account */
int account_page_factor_begin(struct req *r);
int account_page_factor_confirm(struct req *r);
int account_page_factor_change(struct req *r);
/* /admin/settings/people and below */
int people_page_list(struct req *r);
int people_page_person(struct req *r);
int people_page_role(struct req *r);
int people_page_remove(struct req *r);
int people_page_remove_post(struct req *r);
int people_page_password_link(struct req *r);
int people_page_factor_off(struct req *r);
int people_page_invite(struct req *r);
int people_page_invite_post(struct req *r);
int people_page_invitation_post(struct req *r);
/* GET, POST /users; GET, PATCH, DELETE /users/:id */
int people_api_list(struct req *r);
int people_api_create(struct req *r);
int people_api_get(struct req *r);
int people_api_update(struct req *r);
int people_api_delete(struct req *r);
/* GET /audit; /admin/settings/audit, its export, and one entry */
int audit_api_list(struct req *r);
int audit_page_list(struct req *r);
int audit_page_export(struct req *r);
int audit_page_row(struct req *r);
/* Behind links, for nobody in particular: /admin/join and /admin/password */
int account_page_join(struct req *r);
int account_page_join_post(struct req *r);
int account_page_new_password(struct req *r);
int account_page_new_password_post(struct req *r);
/* Periodic: removes expired sessions, tokens and idempotency keys: 1 there are more, 0, -1. */
int account_purge(struct app *app, struct err *err);
/* Idempotency-Key store: the router's hooks. */
int account_idempotency_before(struct req *r);
void account_idempotency_after(struct req *r);
#endif
