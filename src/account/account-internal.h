/* What the files of this module share and no other module may use. */
#ifndef ACCOUNT_ACCOUNT_INTERNAL_H
#define ACCOUNT_ACCOUNT_INTERNAL_H

#include "account/account.h"
#include "account/audit.h"
#include "crypto/hash.h"
#include "http/slice.h"

/* A SHA-256 as the key of a row or of a cache entry. */
struct digest {
	unsigned char b[SHA256_SIZE];
};
struct digest digest_of(struct str secret);

/* ---- account-store.c: every statement of the module ------------------------------------------ */
struct account_user {
	struct uuid id;
	const char *email, *name, *password_hash;
	struct str totp_secret; /* sealed; {NULL,0}: no second factor */
	bool is_disabled;
};
/* A person within one account, as an actor needs them. */
struct account_member {
	struct uuid account_id, user_id;
	const char *account_name, *role, *email, *name, *password_hash;
	const struct zone *zone, *account_zone; /* as of struct actor */
	int64_t token_epoch;                    /* bearer tokens of an earlier one are over */
	bool has_other_accounts;
};
struct account_of_person {
	struct uuid id;
	const char *name, *role;
};
struct account_session {
	struct account_member member;
	const char *csrf;
	int64_t last_seen_us, expires_us;
};
struct account_key {
	struct uuid id, account_id;
	const char *name, *prefix, *account_name;
	uint64_t permissions;
	int64_t created_us, expires_us, last_used_us, revoked_us; /* 0: not */
};

/* Look-ups: 1, 0, -1. email is normalised already. */
int store_user_by_email(
    struct db *db, struct arena *a, const char *email, struct account_user *out, struct err *err);
int store_user_insert(struct db *db, const struct uuid *id, const char *email, const char *name,
    const char *password_hash, int64_t now_us, struct err *err);
int store_user_password(
    struct db *db, const struct uuid *id, const char *password_hash, struct err *err);
/* Bearer tokens made before no longer hold. */
int store_user_tokens_end(struct db *db, const struct uuid *id, struct err *err);
int store_user_any(struct db *db, struct arena *a, bool *is_there, struct err *err);
int store_account_insert(
    struct db *db, const struct uuid *id, const char *name, int64_t now_us, struct err *err);
int store_account_exists(struct db *db, struct arena *a, const struct uuid *id, struct err *err);
int store_member_set(struct db *db, const struct uuid *account_id, const struct uuid *user_id,
    const char *role, int64_t now_us, struct err *err);
/* account_id nil: the user's oldest membership. Not for disabled users. */
int store_member(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *user_id, struct account_member *out, struct err *err);

/* All that a person belongs to, by name. */
int store_accounts_of(struct db *db, struct arena *a, const struct uuid *user_id,
    struct account_of_person **out, size_t *n, struct err *err);

int store_session_insert(struct db *db, const struct digest *id, const struct account_member *m,
    const char *csrf, struct str remote_addr, struct str user_agent, int64_t now_us,
    int64_t expires_us, struct err *err);
int store_session(struct db *db, struct arena *a, const struct digest *id,
    struct account_session *out, struct err *err);
int store_session_touch(struct db *db, const struct digest *id, int64_t now_us, struct err *err);
int store_session_delete(struct db *db, const struct digest *id, struct err *err);
int store_sessions_delete_of(struct db *db, const struct uuid *user_id, struct err *err);
/* A person's own sessions; handle is the session_id of struct actor. */
struct session_row {
	struct uuid handle;
	const char *remote_addr, *user_agent;
	int64_t created_us, seen_us;
};
int store_sessions_own(struct db *db, struct arena *a, const struct uuid *user_id, int64_t now_us,
    int64_t idle_us, struct session_row **out, size_t *n, struct err *err);
int store_sessions_delete_others(
    struct db *db, const struct uuid *user_id, const struct uuid *handle, struct err *err);
/* 1; 0 it is not there, -1. */
int store_session_delete_own(
    struct db *db, const struct uuid *user_id, const struct uuid *handle, struct err *err);

int store_key_insert(struct db *db, const struct account_key *k, const struct digest *hash,
    struct str permissions, const struct uuid *created_by, struct err *err);
int store_key_by_hash(struct db *db, struct arena *a, const struct digest *hash,
    struct account_key *out, struct err *err);
int store_key(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    struct account_key *out, struct err *err);
/* The same, and nobody else changes it until the transaction ends. */
int store_key_lock(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct account_key *out, struct err *err);
int store_key_touch(struct db *db, const struct uuid *id, int64_t now_us, struct err *err);
/* Newest first, counted; *n of them. s->rows is left alone. */
int store_keys(struct db *db, struct arena *a, const struct uuid *account_id, struct slice *s,
    struct account_key **out, size_t *n, struct err *err);
int store_key_update(
    struct db *db, const struct account_key *k, struct str permissions, struct err *err);
/* account_id NULL: of any account (the operator's tool). *was_live: it was not revoked before. */
int store_key_revoke(struct db *db, const struct uuid *account_id, const struct uuid *id,
    int64_t now_us, bool *was_live, struct err *err);
int store_key_account(struct db *db, struct arena *a, const struct uuid *id,
    struct uuid *account_id, struct err *err);

int store_once_insert(struct db *db, const struct digest *id, const char *purpose, int64_t now_us,
    int64_t expires_us, struct err *err);
/* 1 valid now, 0 not. */
int store_once_valid(struct db *db, struct arena *a, const struct digest *id, const char *purpose,
    int64_t now_us, struct err *err);
/* Uses it up: 1 when this call did, 0 when it was not there to use. */
int store_once_take(
    struct db *db, const struct digest *id, const char *purpose, int64_t now_us, struct err *err);

struct idempotency_row {
	struct digest request;
	int64_t status; /* 0: still running */
	const char *content_type, *headers;
	struct str body; /* sealed */
	int64_t created_us;
};
/* 1 inserted, 0 the key is there already, -1. */
int store_idempotency_insert(struct db *db, const struct uuid *account_id, const struct digest *key,
    const struct digest *request, int64_t now_us, struct err *err);
int store_idempotency(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct digest *key, struct idempotency_row *out, struct err *err);
/* Takes an unfinished or outdated row over from the request that left it: 1, or 0 when another
 * did. */
int store_idempotency_take_over(struct db *db, const struct uuid *account_id,
    const struct digest *key, const struct digest *request, int64_t seen_us, int64_t now_us,
    struct err *err);
int store_idempotency_finish(struct db *db, const struct uuid *account_id, const struct digest *key,
    const struct idempotency_row *row, struct err *err);
int store_idempotency_delete(struct db *db, const struct uuid *account_id, const struct digest *key,
    int64_t created_us, struct err *err);

/* Until until_us (monotonic): 1 there is more, 0, -1. */
int store_purge(struct db *db, int64_t now_us, int64_t idle_us, int64_t until_us, struct err *err);

/* ---- account.c: people and their input ------------------------------------------------------- */
/* Trimmed and lower-cased (ASCII); NULL and ERR_INVALID on field "email" for what is no address. */
char *account_email_normal(struct arena *a, struct str text, struct err *err);
int account_password_check(struct str password, struct err *err);
/* At most max_chars code points of text as valid UTF-8 without control characters (others become
 * '?'). */
struct str account_text_clip(struct arena *a, struct str text, size_t max_chars);
/* Uses up a set-up token and makes the first account and admin, all or nothing. 1; 0 when the token
 * does not hold (any more); -1. */
int account_setup(struct app *app, struct arena *a, struct str token, const char *account_name,
    const char *email, const char *user_name, const char *password, struct account_member *out,
    struct err *err);
int account_setup_token_is_valid(
    struct app *app, struct arena *a, struct str token, struct err *err);

/* ---- account-settings.c: what an account is set to ------------------------------------------- */
/* Text of people that must say something: 1 to LIMIT_NAME_BYTES bytes. */
int account_name_check(const char *field, struct str name, struct err *err);
int account_zone_check(struct str zone, struct err *err); /* on field "zone" */
/* accounts.settings as an object; what cannot be read has set nothing. Arena-owned. */
json_t *account_settings_read(struct arena *a, struct str text);
struct account_settings {
	struct str name, zone;
};
int account_settings_change(struct req *r, const struct account_settings *s, struct err *err);

/* ---- profile.c: what people change of their own ---------------------------------------------- */
struct profile {
	struct str name, email, zone; /* zone empty: the account's */
	bool has_second_factor;
};
int profile_read(struct req *r, struct profile *out, struct err *err);
/* Another email needs the password. ERR_INVALID on "name", "email", "zone", "password". */
int profile_change(struct req *r, const struct profile *p, struct str password, struct err *err);
/* Ends all other sessions, and bearer tokens. ERR_INVALID on "password", "new_password". */
int profile_password_change(
    struct req *r, struct str present, struct str password, struct err *err);

/* ---- login.c: email and password ------------------------------------------------------------- */
/* Seconds to wait, because too many attempts for this email from here have failed; 0 to go on. */
int64_t login_wait_s(struct req *r, const char *email);
enum login_answer {
	LOGIN_FAILED = -1, /* err is set */
	/* unknown, disabled, wrong password or second factor: nobody learns which */
	LOGIN_WRONG = 0,
	LOGIN_OK = 1,
	LOGIN_NO_ACCOUNT = 2, /* the person is right, the account is not theirs */
	LOGIN_WANTS_TOTP = 3, /* the password is right, a second factor is missing */
};
/* Is it this person? *user is filled unless LOGIN_WRONG. Takes as long for whoever it is not, and
 * counts and audits each failure, and being asked for the second factor. */
enum login_answer login_person(struct req *r, const char *email, struct str password,
    struct str totp, struct account_user *user, struct err *err);
/* The same, and their membership. account_id nil: the oldest. */
enum login_answer login_check(struct req *r, const char *email, struct str password,
    struct str totp, const struct uuid *account_id, struct account_member *out, struct err *err);

/* The signed-in person's password, asked for once more: 0, or -1 with ERR_INVALID on "password". */
int login_confirm(struct req *r, struct str password, struct err *err);
/* Leaves a cookie by which this browser's failures are counted by themselves. */
void login_remember_browser(struct req *r, const char *email);

/* ---- second-factor.c: authenticators and recovery codes
 * ------------------------------------------ */
#define SECOND_FACTOR_CODES 10
/* RFC 4648 §6 without padding: what authenticators read. */
const char *base32_text(struct arena *a, const unsigned char *p, size_t n);
/* The otpauth: address of a secret in base32. */
const char *second_factor_uri(struct arena *a, const char *email, const char *secret);
/* A code of the authenticator or a recovery code, used up: 1 it was good, 0, -1. */
int second_factor_take(
    struct req *r, const struct account_user *user, struct str code, struct err *err);
int second_factor_codes_left(
    struct app *app, struct arena *a, const struct uuid *user_id, int64_t *out, struct err *err);
/* Within a transaction: another secret, or none ({NULL,0}); step: the last that was taken, 0 none.
 * Recovery codes and bearer tokens end. */
int second_factor_store(
    struct db *db, const struct uuid *user_id, struct str sealed, int64_t step, struct err *err);
/* A secret that is offered and not stored: what is shown, and what the form carries back. */
struct second_factor_begun {
	const char *secret, *uri, *sealed;
};
int second_factor_begin(struct req *r, struct second_factor_begun *out, struct err *err);
/* The same of a form that comes back: 1; 0 when it is too old, or not of this person. */
int second_factor_resume(struct req *r, struct str sealed, struct second_factor_begun *out);
/* Turns it on; codes are arena-owned and appear nowhere else. Other sessions end, and bearer
 * tokens. ERR_CONFLICT: begin again; ERR_INVALID on "code". */
int second_factor_confirm(struct req *r, struct str sealed, struct str code,
    const char *codes[SECOND_FACTOR_CODES], struct err *err);
int second_factor_renew_codes(
    struct req *r, const char *codes[SECOND_FACTOR_CODES], struct err *err);
int second_factor_off(struct req *r, struct err *err);

/* ---- totp.c: RFC 6238, SHA-1, six digits, 30 s ----------------------------------------------- */
/* What a kept answer is sealed with. */
struct str idempotency_context(
    struct arena *a, const struct uuid *account_id, const struct digest *key);
/* What a user's secret is sealed with. */
struct str totp_context(struct arena *a, const struct uuid *user_id);
unsigned totp_at(struct str secret, int64_t step);
/* A code of this step or a neighbour; *step is the one it matched. */
bool totp_is_right(struct str secret, struct str code, int64_t now_us, int64_t *step);

/* ---- token.c: the bearer token --------------------------------------------------------------- */
struct token_claims {
	struct uuid user_id, account_id;
	int64_t expires_us;
	const char *version;
};
/* What ties tokens to a password and an epoch: those made before these changed no longer hold. */
const char *token_version(struct app *app, struct arena *a, const struct account_member *m);
char *token_make(struct app *app, struct arena *a, const struct account_member *m, int64_t now_us,
    struct err *err);
bool token_read(
    struct app *app, struct arena *a, struct str text, int64_t now_us, struct token_claims *out);

/* ---- actor-cache.c: who is behind a credential, for a moment --------------------------------- */
/* NULL when absent, older than CACHE_TTL_US, of another generation, or expired. Borrowed until
 * the next put. */
const struct actor *actor_cache_get(
    const struct digest *credential, uint64_t generation, int64_t mono_us, int64_t now_us);
/* generation and mono_us are of before the look-up. expires_us 0: never. Text is copied. */
void actor_cache_put(const struct digest *credential, uint64_t generation, int64_t mono_us,
    int64_t expires_us, const struct actor *actor);
/* For tests: forgets all. */
void actor_cache_clear(void);

/* ---- audit.c --------------------------------------------------------------------------------- */
/* Removes failed sign-ins of unknown people, a day old: 1 there are more, 0, -1. */
int audit_purge(struct db *db, int64_t now_us, int64_t until_us, struct err *err);

/* ---- session.c ------------------------------------------------------------------------------- */
/* The cookie's name at this address: "__Host-" before it where the address is https. */
const char *session_cookie_name(const struct req *r, const char *base);
/* Makes a session, sets its cookie and r->actor; ends the one that the request came with. With its
 * row of the audit log. */
int session_start(struct req *r, const struct account_member *m, struct err *err);
/* Ends the request's own session, or all of its user; clears the cookie. With its row too. */
int session_end(struct req *r, bool everywhere, struct err *err);
/* The session of a cookie's token: 1 with actor and the time it ends at the latest, 0, -1. */
int session_find(struct req *r, const struct digest *id, struct actor *actor, int64_t *expires_us,
    struct err *err);
/* Ends another session of the same person, or all others (handle NULL). 1; 0 it is not there, -1.
 */
int session_end_other(struct req *r, const struct uuid *handle, struct err *err);
bool session_token_looks_right(struct str text); /* 43 base64url characters */
void actor_of_member(struct actor *actor, const struct account_member *m);
/* Forms shown to nobody in particular: a random cookie and its HMAC in the form. */
const char *form_csrf_issue(struct req *r);
bool form_csrf_is_right(struct req *r);
/* text when it is a path within /admin of this site, else "/admin". */
const char *session_next_path(struct arena *a, struct str text);

/* ---- permission.c: nobody passes on more than they have -------------------------------------- */
/* ERR_DENIED when one of these is not the actor's own. */
int actor_grant_check(const struct actor *actor, uint64_t granted, struct err *err);

/* ---- api-key.c ------------------------------------------------------------------------------- */
bool key_looks_right(struct str text); /* "ck_" and 43 base64url characters */
int key_name_check(struct str name, struct err *err);
/* account_key_create with the maker in r (NULL: the operator). */
int key_create_by(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct req *r, const char *name, uint64_t permissions, int64_t expires_us,
    struct uuid *id, const char **key, struct err *err);
/* Gives a key the name, permissions and end of *k; ERR_CONFLICT when it is revoked. */
int key_change(struct req *r, const struct account_key *k, struct err *err);
/* The key behind a credential: 1, 0 (absent, revoked, expired), -1. Notes the use once a minute. */
int key_find(struct app *app, struct arena *a, const struct digest *hash, struct account_key *out,
    struct err *err);
json_t *key_json(const struct account_key *k);

/* ---- idempotency.c --------------------------------------------------------------------------- */
int idempotency_request_digest(const struct req *r, struct digest *out, struct err *err);

#endif
