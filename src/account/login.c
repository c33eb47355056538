/* Email and password, for the sign-in page and for tokens. */
#include "account/account-internal.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/shared.h"
#include "crypto/aead.h"
#include "crypto/password.h"

#define WINDOW_S 60
#define TOTP_WINDOW_S 120 /* longer than a code is accepted */

static int64_t login_pause_s(struct req *r, const char *kind, const char *who)
{
	int64_t limit = r->app->config->rate_login_per_minute;
	struct rate rate;

	if (limit <= 0)
		return 0;
	rate = shared_rate_take(r->app->shared, str_from(arena_printf(r->a, "%s:%s", kind, who)),
	    limit, WINDOW_S, clock_now_us());
	if (!rate.is_over)
		return 0;
	return rate.reset_s > 0 ? rate.reset_s : 1;
}

int64_t login_wait_s(struct req *r, const char *email)
{
	int64_t by_address = login_pause_s(r, "login.address", r->remote_addr);
	int64_t by_email = login_pause_s(r, "login.email", email);

	return by_address > by_email ? by_address : by_email;
}

/* A failed attempt is written where the person's account will see it. */
static enum login_answer login_wrong(
    struct req *r, const struct account_user *user, const char *reason, struct err *err)
{
	struct uuid oldest = {{0}};
	struct account_member m;
	json_t *details;
	int found = store_member(r->app->db, r->a, &oldest, &user->id, &m, err);

	if (found == -1)
		return LOGIN_FAILED;
	if (found == 0)
		return LOGIN_WRONG;
	details = json_own(r->a, json_object());
	json_set_str(details, "reason", reason);
	json_set_str(details, "email", user->email);
	if (audit_fact_alone(r->app, r, &m.account_id, "session.sign_in_failed", "user", &user->id,
		details, err) == -1)
		return LOGIN_FAILED;
	return LOGIN_WRONG;
}

/* A code is good once: within its time on this host a second use is a replay. */
static bool is_first_use(struct req *r, const struct account_user *user, int64_t step)
{
	const char *key =
	    arena_printf(r->a, "totp:%s:%lld", uuid_dup(r->a, user->id), (long long)step);

	return !shared_rate_take(r->app->shared, str_from(key), 1, TOTP_WINDOW_S, clock_now_us())
		    .is_over;
}

static enum login_answer login_check_totp(
    struct req *r, const struct account_user *user, struct str code, struct err *err)
{
	struct str secret;
	int64_t step = 0;

	if (user->totp_secret.p == NULL)
		return LOGIN_OK;
	if (utf8_trim(code).n == 0)
		return LOGIN_WANTS_TOTP;
	secret =
	    aead_open(r->app->keys, r->a, totp_context(r->a, &user->id), user->totp_secret, err);
	if (secret.p == NULL)
		return LOGIN_FAILED;
	if (!totp_is_right(secret, code, clock_now_us(), &step) || !is_first_use(r, user, step))
		return login_wrong(r, user, "second factor", err);
	return LOGIN_OK;
}

enum login_answer login_check(struct req *r, const char *email, struct str password,
    struct str totp, const struct uuid *account_id, struct account_member *out, struct err *err)
{
	struct account_user user = {0};
	const char *text = arena_strndup(r->a, password.p == NULL ? "" : password.p, password.n);
	const char *hash = NULL;
	enum login_answer answer;
	int found = store_user_by_email(r->app->db, r->a, email, &user, err);

	if (found == -1)
		return LOGIN_FAILED;
	if (found == 1 && !user.is_disabled && password.n <= LIMIT_PASSWORD_BYTES)
		hash = user.password_hash;
	/* A hash of nobody costs the same, so that time does not tell who exists. */
	if (!password_is_right(hash == NULL ? "" : text, hash) || hash == NULL)
		return found == 1 ? login_wrong(r, &user, "password", err) : LOGIN_WRONG;
	answer = login_check_totp(r, &user, totp, err);
	if (answer != LOGIN_OK)
		return answer;
	found = store_member(r->app->db, r->a, account_id, &user.id, out, err);
	if (found == -1)
		return LOGIN_FAILED;
	return found == 1 ? LOGIN_OK : LOGIN_NO_ACCOUNT;
}
