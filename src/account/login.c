/* Email and password, for the sign-in page and for tokens.
 *
 * Who fails often waits. Failures are counted, not attempts, so that nobody is kept out by
 * another's:
 *
 *	a browser that was signed in before as this person    by itself      limit
 *	else  this email from this network (/24, /64)                        limit
 *	      this email from anywhere                                       20 x limit
 *	      this network, for whatever email                               5 x limit
 *
 * What is wrong takes the same time whatever it is: a hash, the same statements, one commit. */
#include <arpa/inet.h>
#include <string.h>

#include "account/account-internal.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/shared.h"
#include "crypto/aead.h"
#include "crypto/password.h"
#include "crypto/random.h"

#define WINDOW_S 60
#define OF_EMAIL 20
#define OF_NETWORK 5
#define KNOWN_COOKIE "connect_known"
#define KNOWN_S (365 * 86400)
#define KNOWN_RANDOM 22u /* characters: 16 bytes */

/* ---- how often ------------------------------------------------------------------------------- */

/* The network that an address is of; what is no address is one by itself. */
static const char *login_network(struct req *r)
{
	unsigned char b[16];
	const char *at = r->remote_addr;

	if (strncmp(at, "::ffff:", 7) == 0)
		at += 7; /* IPv4 as IPv6 shows it */
	if (inet_pton(AF_INET, at, b) == 1)
		return arena_printf(r->a, "%d.%d.%d", b[0], b[1], b[2]);
	if (inet_pton(AF_INET6, at, b) == 1)
		return arena_printf(r->a, "%02x%02x:%02x%02x:%02x%02x:%02x%02x", b[0], b[1], b[2],
		    b[3], b[4], b[5], b[6], b[7]);
	return at;
}

/* The cookie's proof: nobody makes one for another's email. */
static const char *known_proof(struct req *r, struct str random, const char *email)
{
	unsigned char key[32], mac[SHA256_SIZE];
	struct str parts[] = {random, STR(":"), str_from(email)};
	struct buf *b = buf_new(r->a, 64);

	keyring_derive(r->app->keys, "known", key);
	hmac_parts(HASH_SHA256, (struct str){(const char *)key, sizeof(key)}, parts, 3, mac);
	explicit_bzero(key, sizeof(key));
	base64url_encode(b, mac, 16);
	return b->p;
}

/* What tells this browser apart, when it was signed in as this person before; else {NULL,0}. */
static struct str known_browser(struct req *r, const char *email)
{
	struct str cookie = req_cookie(r, session_cookie_name(r, KNOWN_COOKIE)), random, proof;
	const char *wanted;

	if (cookie.n != 2 * KNOWN_RANDOM)
		return (struct str){NULL, 0};
	random = (struct str){cookie.p, KNOWN_RANDOM};
	proof = (struct str){cookie.p + KNOWN_RANDOM, KNOWN_RANDOM};
	wanted = known_proof(r, random, email);
	return mem_equal_ct(wanted, strlen(wanted), proof.p, proof.n) ? random
								      : (struct str){NULL, 0};
}

void login_remember_browser(struct req *r, const char *email)
{
	char *random;

	if (known_browser(r, email).p != NULL)
		return;
	random = random_token(r->a, 16);
	res_cookie(r, session_cookie_name(r, KNOWN_COOKIE),
	    arena_printf(r->a, "%s%s", random, known_proof(r, str_from(random), email)), KNOWN_S,
	    true);
}

struct login_bucket {
	const char *key;
	int64_t limit;
};

/* The counters that an attempt falls under. */
static size_t login_buckets(struct req *r, const char *email, struct login_bucket out[3])
{
	int64_t limit = r->app->config->rate_login_per_minute;
	struct str known = known_browser(r, email);
	const char *network;

	if (known.p != NULL) {
		out[0] = (struct login_bucket){
		    arena_printf(r->a, "login.known:%.*s", (int)known.n, known.p), limit};
		return 1;
	}
	network = login_network(r);
	out[0] =
	    (struct login_bucket){arena_printf(r->a, "login.pair:%s:%s", network, email), limit};
	out[1] =
	    (struct login_bucket){arena_printf(r->a, "login.email:%s", email), OF_EMAIL * limit};
	out[2] = (struct login_bucket){
	    arena_printf(r->a, "login.network:%s", network), OF_NETWORK * limit};
	return 3;
}

int64_t login_wait_s(struct req *r, const char *email)
{
	struct login_bucket buckets[3];
	size_t n = login_buckets(r, email, buckets);
	int64_t wait_s = 0;

	for (size_t i = 0; i < n; i++) {
		struct rate rate = shared_rate_look(r->app->shared, str_from(buckets[i].key),
		    buckets[i].limit, WINDOW_S, clock_now_us());

		if (rate.remaining == 0 && rate.reset_s >= wait_s)
			wait_s = rate.reset_s > 0 ? rate.reset_s : 1;
	}
	return wait_s;
}

static void login_count_failure(struct req *r, const char *email)
{
	struct login_bucket buckets[3];
	size_t n = login_buckets(r, email, buckets);

	for (size_t i = 0; i < n; i++)
		(void)shared_rate_take(r->app->shared, str_from(buckets[i].key), buckets[i].limit,
		    WINDOW_S, clock_now_us());
}

/* ---- what went wrong ------------------------------------------------------------------------- */

/* A failed attempt is written where the person's account will see it; that of somebody unknown, in
 * the same way, to the log of no account, which is kept for a day: else the time that a commit
 * takes would tell who exists. user NULL: unknown. */
static enum login_answer login_failed(struct req *r, const char *email,
    const struct account_user *user, const char *action, const char *reason,
    enum login_answer answer, struct err *err)
{
	static const struct uuid nobody;
	const struct uuid *user_id = user != NULL ? &user->id : &nobody;
	struct uuid account_id = nobody;
	struct account_member m;
	json_t *details = json_own(r->a, json_object());
	int found = store_member(r->app->db, r->a, &nobody, user_id, &m, err);

	login_count_failure(r, email);
	if (found == -1)
		return LOGIN_FAILED;
	if (found == 1)
		account_id = m.account_id;
	json_set_str(details, "reason", reason);
	json_set_str(details, "email", user != NULL ? user->email : "");
	if (audit_fact_alone(r->app, r, &account_id, action, "user", user_id, details, err) == -1)
		return LOGIN_FAILED;
	return answer;
}

static enum login_answer login_check_second(struct req *r, const char *email,
    const struct account_user *user, struct str code, struct err *err)
{
	int took;

	if (user->totp_secret.p == NULL)
		return LOGIN_OK;
	/* To be asked tells that the password was right. */
	if (utf8_trim(code).n == 0)
		return login_failed(r, email, user, "session.second_factor_asked", "second factor",
		    LOGIN_WANTS_TOTP, err);
	took = second_factor_take(r, user, code, err);
	if (took == -1)
		return LOGIN_FAILED;
	return took == 1 ? LOGIN_OK
			 : login_failed(r, email, user, "session.sign_in_failed", "second factor",
			       LOGIN_WRONG, err);
}

enum login_answer login_person(struct req *r, const char *email, struct str password,
    struct str totp, struct account_user *user, struct err *err)
{
	const char *text = arena_strndup(r->a, password.p == NULL ? "" : password.p, password.n);
	const char *hash = NULL;
	int found = store_user_by_email(r->app->db, r->a, email, user, err);

	if (found == -1)
		return LOGIN_FAILED;
	if (found == 1 && !user->is_disabled && password.n <= LIMIT_PASSWORD_BYTES)
		hash = user->password_hash;
	/* A hash of nobody costs the same. */
	if (!password_is_right(hash == NULL ? "" : text, hash) || hash == NULL)
		return login_failed(r, email, found == 1 ? user : NULL, "session.sign_in_failed",
		    "password", LOGIN_WRONG, err);
	return login_check_second(r, email, user, totp, err);
}

enum login_answer login_check(struct req *r, const char *email, struct str password,
    struct str totp, const struct uuid *account_id, struct account_member *out, struct err *err)
{
	struct account_user user = {0};
	enum login_answer answer = login_person(r, email, password, totp, &user, err);
	int found;

	if (answer != LOGIN_OK)
		return answer;
	found = store_member(r->app->db, r->a, account_id, &user.id, out, err);
	if (found == -1)
		return LOGIN_FAILED;
	return found == 1 ? LOGIN_OK : LOGIN_NO_ACCOUNT;
}

int login_confirm(struct req *r, struct str password, struct err *err)
{
	const char *text = arena_strndup(r->a, password.p == NULL ? "" : password.p, password.n);
	int64_t wait_s = login_wait_s(r, r->actor.email);
	struct account_user user;
	int found;

	if (wait_s > 0)
		return err_field(err, ERR_INVALID, "password",
		    "This was wrong too often: try again in %lld s", (long long)wait_s);
	found = store_user_by_email(r->app->db, r->a, r->actor.email, &user, err);
	if (found == -1)
		return -1;
	if (found == 1 && password.n <= LIMIT_PASSWORD_BYTES &&
	    password_is_right(text, user.password_hash))
		return 0;
	if (found == 1 && login_failed(r, r->actor.email, &user, "session.confirm_failed",
			      "password", LOGIN_WRONG, err) == LOGIN_FAILED)
		return -1;
	return err_field(err, ERR_INVALID, "password", "This is not your present password");
}
