/* Accounts and people: what makes and changes them. */
#include "account/account-internal.h"
#include "account/people.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "crypto/aead.h"
#include "crypto/password.h"
#include "crypto/random.h"
#include "job/periodic.h"

#define PASSWORD_LEAST 12u /* the set-up page says so too */
#define SETUP_VALID_US DAY_US
#define TOTP_SECRET_BYTES 20u /* RFC 4226 §4 R6 */
#define ROLE_ADMIN "admin"
static const char setup_purpose[] = "setup";

struct digest digest_of(struct str secret)
{
	struct digest d;

	sha256(secret, d.b);
	return d;
}

/* ---- input ----------------------------------------------------------------------------------- */

static bool is_email_char(unsigned char c)
{
	return c > ' ' && c != 0x7f && strchr("()<>[]\\,;:\"", c) == NULL;
}

char *account_email_normal(struct arena *a, struct str text, struct err *err)
{
	struct str s = utf8_trim(text);
	size_t at = 0, ats = 0;
	char *out;

	if (s.n == 0 || s.n > LIMIT_EMAIL_BYTES || !utf8_is_valid(s))
		goto bad;
	out = arena_strndup(a, s.p, s.n);
	for (size_t i = 0; i < s.n; i++) {
		if (!is_email_char((unsigned char)out[i]))
			goto bad;
		if (out[i] == '@') {
			at = i;
			ats++;
		}
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	}
	if (ats != 1 || at == 0 || at + 1 == s.n)
		goto bad;
	return out;
bad:
	err_field(err, ERR_INVALID, "email", "must be an email address");
	return NULL;
}

int account_password_check(struct str password, struct err *err)
{
	if (password.n < PASSWORD_LEAST)
		return err_field(err, ERR_INVALID, "password", "must have at least %u characters",
		    PASSWORD_LEAST);
	if (password.n > LIMIT_PASSWORD_BYTES)
		return err_field(err, ERR_INVALID, "password", "must have at most %u bytes",
		    LIMIT_PASSWORD_BYTES);
	if (!utf8_is_valid(password))
		return err_field(err, ERR_INVALID, "password", "must be UTF-8 text");
	return 0;
}

/* What a person is called who has given no name: the email's local part. */
static const char *name_of_email(struct arena *a, const char *email)
{
	return arena_strndup(a, email, strcspn(email, "@"));
}

/* ---- making ---------------------------------------------------------------------------------- */

struct account_making {
	struct app *app;
	struct arena *a;
	const char *account_name, *email, *user_name, *role;
	const char *password_hash;  /* NULL: the user must be known */
	const struct digest *setup; /* a token to use up first, or NULL */
	bool makes_account;
	/* results */
	struct uuid account_id, user_id;
	bool user_is_new, setup_held;
};

static int user_find_or_make(
    struct db *db, struct account_making *m, int64_t now_us, struct err *err)
{
	struct account_user user;
	int found = store_user_by_email(db, m->a, m->email, &user, err);

	if (found == -1)
		return -1;
	m->user_is_new = found == 0;
	if (found == 1) {
		m->user_id = user.id;
		return 0;
	}
	if (m->password_hash == NULL)
		return err_field(err, ERR_INVALID, "password", "is needed for a new user");
	m->user_id = uuid_new();
	return store_user_insert(
	    db, &m->user_id, m->email, m->user_name, m->password_hash, now_us, err);
}

/* The link of another first admin is worth nothing once there is one. */
static int setup_take(struct db *db, struct account_making *m, int64_t now_us, struct err *err)
{
	bool has_users;
	int took = store_once_take(db, m->setup, setup_purpose, now_us, err);

	if (took == -1 || store_user_any(db, m->a, &has_users, err) == -1)
		return -1;
	m->setup_held = took == 1 && !has_users;
	return 0;
}

/* A member as the audit log shows it. */
static json_t *member_audited(struct arena *a, const char *account_name, const char *role)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "role", role);
	if (account_name != NULL)
		json_set_str(o, "accountName", account_name);
	return o;
}

/* The role before, of one who is a member already; NULL of others. */
static int member_before(
    struct db *db, const struct account_making *m, const json_t **out, struct err *err)
{
	struct account_member old;
	int found = m->makes_account || m->user_is_new
			? 0
			: store_member(db, m->a, &m->account_id, &m->user_id, &old, err);

	*out = found == 1 ? member_audited(m->a, NULL, old.role) : NULL;
	return found == -1 ? -1 : 0;
}

static int account_make_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct account_making *m = arg;
	int64_t now_us = clock_now_us();
	const json_t *before;

	if (m->setup != NULL) {
		if (setup_take(db, m, now_us, err) == -1)
			return -1;
		if (!m->setup_held)
			return 1;
	}
	if (user_find_or_make(db, m, now_us, err) == -1 || member_before(db, m, &before, err) == -1)
		return -1;
	if (before != NULL &&
	    people_keep_admin(db, m->a, &m->account_id, &m->user_id, m->role, err) == -1)
		return -1;
	if (m->makes_account) {
		m->account_id = uuid_new();
		if (store_account_insert(db, &m->account_id, m->account_name, now_us, err) == -1)
			return -1;
	}
	if (store_member_set(db, &m->account_id, &m->user_id, m->role, now_us, err) == -1)
		return -1;
	audit_note(log, m->makes_account ? "account.create" : "user.add", "user", &m->user_id,
	    m->email, before, member_audited(m->a, m->account_name, m->role));
	return 0;
}

static int account_make_checked(struct account_making *m, const char *email, const char *user_name,
    const char *password, struct err *err)
{
	m->email = account_email_normal(m->a, str_from(email), err);
	if (m->email == NULL)
		return -1;
	if (user_name != NULL && *user_name != '\0') {
		if (account_name_check("name", str_from(user_name), err) == -1)
			return -1;
		m->user_name = user_name;
	} else {
		m->user_name = name_of_email(m->a, m->email);
	}
	if (password != NULL) {
		if (account_password_check(str_from(password), err) == -1)
			return -1;
		m->password_hash = password_hash(m->a, password, err);
		if (m->password_hash == NULL)
			return -1;
	}
	return audit_change(m->app, NULL, &m->account_id, account_make_body, m, err);
}

int account_create(struct app *app, struct arena *a, const char *name, const char *email,
    const char *password, struct uuid *account_id, struct uuid *user_id, struct err *err)
{
	struct account_making m = {
	    .app = app, .a = a, .account_name = name, .role = ROLE_ADMIN, .makes_account = true};

	if (account_name_check("name", str_from(name), err) == -1 ||
	    account_make_checked(&m, email, NULL, password, err) == -1)
		return -1;
	*account_id = m.account_id;
	*user_id = m.user_id;
	return 0;
}

int account_user_add(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *email, const char *name, const char *password, const char *role,
    struct uuid *user_id, bool *user_is_new, struct err *err)
{
	struct account_making m = {.app = app, .a = a, .role = role, .account_id = *account_id};
	int found;

	if (permission_of_role(role) == 0)
		return err_field(err, ERR_INVALID, "role", "must be admin, manager or viewer");
	found = store_account_exists(app->db, a, account_id, err);
	if (found == -1)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such account");
	if (account_make_checked(&m, email, name, password, err) == -1)
		return -1;
	*user_id = m.user_id;
	*user_is_new = m.user_is_new;
	return 0;
}

/* ---- first run ------------------------------------------------------------------------------- */

int account_setup_link(struct app *app, struct arena *a, const char **url, struct err *err)
{
	bool has_users;
	int64_t now_us = clock_now_us();
	char *token = random_token(a, 32);
	struct digest id = digest_of(str_from(token));

	if (store_user_any(app->db, a, &has_users, err) == -1)
		return -1;
	if (has_users)
		return err_set(err, ERR_CONFLICT, "the first user is there already");
	if (store_once_insert(app->db, &id, setup_purpose, now_us, now_us + SETUP_VALID_US, err) !=
	    0)
		return -1;
	*url = arena_printf(a, "%s/admin/setup?token=%s", app->config->base_url, token);
	return 0;
}

int account_setup_token_is_valid(
    struct app *app, struct arena *a, struct str token, struct err *err)
{
	struct digest id = digest_of(token);
	bool has_users;

	if (token.n == 0)
		return 0;
	if (store_user_any(app->db, a, &has_users, err) == -1)
		return -1;
	if (has_users)
		return 0;
	return store_once_valid(app->db, a, &id, setup_purpose, clock_now_us(), err);
}

int account_setup(struct app *app, struct arena *a, struct str token, const char *account_name,
    const char *email, const char *user_name, const char *password, struct account_member *out,
    struct err *err)
{
	struct digest id = digest_of(token);
	struct account_making m = {.app = app,
	    .a = a,
	    .account_name = account_name,
	    .role = ROLE_ADMIN,
	    .makes_account = true,
	    .setup = &id};

	if (account_name_check("accountName", str_from(account_name), err) == -1 ||
	    account_make_checked(&m, email, user_name, password, err) == -1)
		return -1;
	if (!m.setup_held)
		return 0;
	return store_member(app->db, a, &m.account_id, &m.user_id, out, err);
}

/* ---- changing people ------------------------------------------------------------------------- */

static int user_wanted(
    struct app *app, struct arena *a, const char *email, struct account_user *out, struct err *err)
{
	const char *normal = account_email_normal(a, str_from(email), err);
	int found;

	if (normal == NULL)
		return -1;
	found = store_user_by_email(app->db, a, normal, out, err);
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no user %s", normal);
	return found == 1 ? 0 : -1;
}

int account_user_exists(struct app *app, struct arena *a, const char *email, struct err *err)
{
	const char *normal = account_email_normal(a, str_from(email), err);
	struct account_user user;

	return normal == NULL ? -1 : store_user_by_email(app->db, a, normal, &user, err);
}

struct user_change {
	const struct account_user *user;
	const char *action;
	const char *hash;  /* of a new password */
	struct str sealed; /* a second factor, or none */
};

static int password_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct user_change *c = arg;

	if (store_user_password(db, &c->user->id, c->hash, err) == -1 ||
	    store_sessions_delete_of(db, &c->user->id, err) == -1)
		return -1;
	audit_note(log, c->action, "user", &c->user->id, c->user->email, NULL, NULL);
	return 0;
}

static int totp_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct user_change *c = arg;

	if (second_factor_store(db, &c->user->id, c->sealed, 0, err) == -1)
		return -1;
	audit_note(log, c->action, "user", &c->user->id, c->user->email, NULL, NULL);
	return 0;
}

/* What happens to a person is written to the log of their oldest account, when they have any. */
static int user_change(struct app *app, struct arena *a, struct user_change *c,
    int (*body)(struct db *, struct audit *, void *, struct err *), struct err *err)
{
	static const struct uuid any;
	struct account_member m;
	int found = store_member(app->db, a, &any, &c->user->id, &m, err);

	if (found == -1)
		return -1;
	return audit_change(app, NULL, found == 1 ? &m.account_id : NULL, body, c, err);
}

int account_user_password_set(
    struct app *app, struct arena *a, const char *email, const char *password, struct err *err)
{
	struct account_user user;
	struct user_change change = {.user = &user, .action = "user.password"};

	if (account_password_check(str_from(password), err) == -1 ||
	    user_wanted(app, a, email, &user, err) == -1)
		return -1;
	change.hash = password_hash(a, password, err);
	if (change.hash == NULL)
		return -1;
	return user_change(app, a, &change, password_body, err);
}

int account_user_totp_set(
    struct app *app, struct arena *a, const char *email, const char **uri, struct err *err)
{
	struct account_user user;
	unsigned char secret[TOTP_SECRET_BYTES];
	struct user_change change = {
	    .user = &user, .action = uri != NULL ? "user.totp_on" : "user.totp_off"};

	if (user_wanted(app, a, email, &user, err) == -1)
		return -1;
	if (uri != NULL) {
		random_bytes(secret, sizeof(secret));
		change.sealed = aead_seal(app->keys, a, totp_context(a, &user.id),
		    (struct str){(const char *)secret, sizeof(secret)}, err);
		if (change.sealed.p == NULL)
			return -1;
		*uri = second_factor_uri(a, user.email, base32_text(a, secret, sizeof(secret)));
		explicit_bzero(secret, sizeof(secret));
	}
	return user_change(app, a, &change, totp_body, err);
}

int account_purge(struct app *app, struct err *err)
{
	int64_t now_us = clock_now_us(), until_us = clock_mono_us() + PERIODIC_STEP_US;
	int rc =
	    store_purge(app->db, now_us, app->config->session_idle_s * SECOND_US, until_us, err);

	return rc == 0 ? audit_purge(app->db, now_us, until_us, err) : rc;
}
