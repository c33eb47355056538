/* The second factor of a person: turned on with a first code, taken at sign-in, turned off.
 *
 *	begin    a fresh secret, shown, and sealed for the form that carries it back
 *	confirm  the sealed secret and a code made of it: stored; ten recovery codes, shown once
 *	take     a code of the authenticator (each time step once), or a recovery code (each once)
 *
 * A secret that is only shown is stored nowhere, so a form that is not finished leaves nothing. */
#include <string.h>

#include "account/account-internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/aead.h"
#include "crypto/random.h"

#define SECRET_BYTES 20u /* RFC 4226 §4 R6 */
#define BEGUN_VALID_US (INT64_C(3600) * SECOND_US)
#define CODES SECOND_FACTOR_CODES
#define CODE_BYTES 10u /* 80 bits: no table of hashes gives them away */
#define CODE_DIGITS 16u

DB_STMT(sql_step_take, "UPDATE users SET totp_step = ?"
		       " WHERE id = ? AND (totp_step IS NULL OR totp_step < ?)");
DB_STMT(sql_factor_set, "UPDATE users SET totp_secret = ?, totp_step = ?,"
			" token_epoch = token_epoch + 1 WHERE id = ?");
DB_STMT(sql_codes_delete, "DELETE FROM recovery_codes WHERE user_id = ?");
DB_STMT(sql_code_take, "DELETE FROM recovery_codes WHERE user_id = ? AND code_hash = ?");
DB_STMT(sql_codes_count, "SELECT COUNT(*) FROM recovery_codes WHERE user_id = ?");
DB_STMT_ROWS(
    sql_codes_insert, "INSERT INTO recovery_codes (user_id, code_hash) VALUES ", "(?,?)", "");

static const char base32_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const char *base32_text(struct arena *a, const unsigned char *p, size_t n)
{
	char *out = arena_alloc(a, n * 8 / 5 + 2);
	size_t len = 0;
	unsigned bits = 0, have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = (bits << 8 | p[i]) & 0xfffu;
		for (have += 8; have >= 5; have -= 5)
			out[len++] = base32_digits[bits >> (have - 5) & 31u];
	}
	if (have > 0)
		out[len++] = base32_digits[bits << (5 - have) & 31u];
	out[len] = '\0';
	return out;
}

const char *second_factor_uri(struct arena *a, const char *email, const char *secret)
{
	struct buf *b = buf_new(a, LIMIT_URL_BYTES);

	buf_str(b, "otpauth://totp/Connect:");
	percent_encode(b, str_from(email));
	buf_printf(b, "?secret=%s&issuer=Connect", secret);
	return b->p;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* The digits of a recovery code, as it is stored: false for another text. Blanks, dashes and case
 * are as people type them. */
static bool code_normal(struct str text, char out[CODE_DIGITS])
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '-' || c == ' ')
			continue;
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (n == CODE_DIGITS || c == '\0' || strchr(base32_digits, c) == NULL)
			return false;
		out[n++] = c;
	}
	return n == CODE_DIGITS;
}

static struct digest code_digest(const char digits[CODE_DIGITS])
{
	return digest_of((struct str){digits, CODE_DIGITS});
}

static struct db_val digest_value(const struct digest *d)
{
	return db_blob((struct str){(const char *)d->b, sizeof(d->b)});
}

/* The first who gives a code of a time step, on whatever host, has it; an earlier step is over. */
static int step_take(
    struct req *r, const struct account_user *user, struct str code, struct err *err)
{
	struct str secret =
	    aead_open(r->app->keys, r->a, totp_context(r->a, &user->id), user->totp_secret, err);
	uint64_t took = 0;
	int64_t step = 0;

	if (secret.p == NULL)
		return -1;
	if (!totp_is_right(secret, code, clock_now_us(), &step))
		return 0;
	if (db_exec(r->app->db, &sql_step_take,
		DB_VALS(db_int(step), db_uuid(&user->id), db_int(step)), &took, err) == -1)
		return -1;
	return took > 0;
}

int second_factor_take(
    struct req *r, const struct account_user *user, struct str code, struct err *err)
{
	char digits[CODE_DIGITS];
	struct digest id;
	uint64_t took = 0;

	code = utf8_trim(code);
	if (!code_normal(code, digits))
		return step_take(r, user, code, err);
	id = code_digest(digits);
	if (db_exec(r->app->db, &sql_code_take, DB_VALS(db_uuid(&user->id), digest_value(&id)),
		&took, err) == -1)
		return -1;
	return took > 0;
}

int second_factor_codes_left(
    struct app *app, struct arena *a, const struct uuid *user_id, int64_t *out, struct err *err)
{
	struct db_rows rows;

	if (db_row(app->db, a, &sql_codes_count, DB_VALS(db_uuid(user_id)), &rows, err) != 1)
		return -1;
	*out = db_get_int(&rows, 0, 0);
	return 0;
}

/* ---- changing -------------------------------------------------------------------------------- */

int second_factor_store(
    struct db *db, const struct uuid *user_id, struct str sealed, int64_t step, struct err *err)
{
	if (db_exec(db, &sql_codes_delete, DB_VALS(db_uuid(user_id)), NULL, err) == -1)
		return -1;
	return db_exec(db, &sql_factor_set,
	    DB_VALS(sealed.p == NULL ? db_null() : db_blob(sealed),
		step == 0 ? db_null() : db_int(step), db_uuid(user_id)),
	    NULL, err);
}

static struct str begun_context(struct req *r)
{
	return str_from(
	    arena_printf(r->a, "users.totp.begun:%s", uuid_dup(r->a, r->actor.user_id)));
}

/* What the form carries: the secret and when it was made, sealed for this person. */
int second_factor_begin(struct req *r, struct second_factor_begun *out, struct err *err)
{
	unsigned char plain[SECRET_BYTES + 8];
	int64_t now_us = clock_now_us();
	struct buf *b = buf_new(r->a, 1024);
	struct str sealed;

	random_bytes(plain, SECRET_BYTES);
	memcpy(plain + SECRET_BYTES, &now_us, 8);
	sealed = aead_seal(r->app->keys, r->a, begun_context(r),
	    (struct str){(const char *)plain, sizeof(plain)}, err);
	if (sealed.p == NULL)
		return -1;
	base64url_encode(b, sealed.p, sealed.n);
	out->sealed = b->p;
	out->secret = base32_text(r->a, plain, SECRET_BYTES);
	explicit_bzero(plain, sizeof(plain));
	out->uri = second_factor_uri(r->a, r->actor.email, out->secret);
	return 0;
}

/* The raw secret of a form; {NULL,0} when it is not of this person, or too old. */
static struct str begun_open(struct req *r, struct str sealed)
{
	unsigned char blob[256];
	const struct str none = {NULL, 0};
	long n = base64url_decode(blob, sizeof(blob), sealed);
	struct str plain;
	int64_t at_us;

	if (n <= 0)
		return none;
	plain = aead_open(r->app->keys, r->a, begun_context(r),
	    (struct str){(const char *)blob, (size_t)n}, NULL);
	if (plain.p == NULL || plain.n != SECRET_BYTES + 8)
		return none;
	memcpy(&at_us, plain.p + SECRET_BYTES, 8);
	if (at_us + BEGUN_VALID_US < clock_now_us())
		return none;
	return (struct str){plain.p, SECRET_BYTES};
}

int second_factor_resume(struct req *r, struct str sealed, struct second_factor_begun *out)
{
	struct str secret = begun_open(r, sealed);

	if (secret.p == NULL)
		return 0;
	out->sealed = arena_strndup(r->a, sealed.p, sealed.n);
	out->secret = base32_text(r->a, (const unsigned char *)secret.p, secret.n);
	out->uri = second_factor_uri(r->a, r->actor.email, out->secret);
	return 1;
}

struct factor_change {
	struct req *r;
	const char *action;
	struct str sealed; /* of a new one */
	int64_t step;
	bool changes_secret, makes_codes;
	struct digest hashes[CODES];
};

static int codes_insert(struct db *db, const struct factor_change *c, struct err *err)
{
	struct db_val vals[2 * CODES];

	for (size_t i = 0; i < CODES; i++) {
		vals[2 * i] = db_uuid(&c->r->actor.user_id);
		vals[2 * i + 1] = digest_value(&c->hashes[i]);
	}
	return db_exec_rows(db, &sql_codes_insert, NULL, 0, vals, CODES, 2, NULL, err);
}

static int factor_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct factor_change *c = arg;
	const struct actor *actor = &c->r->actor;

	/* With another second factor what was signed in elsewhere signs in anew. */
	if (c->changes_secret &&
	    (second_factor_store(db, &actor->user_id, c->sealed, c->step, err) == -1 ||
		store_sessions_delete_others(db, &actor->user_id, &actor->session_id, err) == -1))
		return -1;
	if (!c->changes_secret &&
	    db_exec(db, &sql_codes_delete, DB_VALS(db_uuid(&actor->user_id)), NULL, err) == -1)
		return -1;
	if (c->makes_codes && codes_insert(db, c, err) == -1)
		return -1;
	audit_note(log, c->action, "user", &actor->user_id, actor->email, NULL, NULL);
	return 0;
}

/* Ten codes in groups of four, and their hashes. */
static void codes_make(struct factor_change *c, const char *codes[CODES])
{
	struct arena *a = c->r->a;

	c->makes_codes = true;
	for (size_t i = 0; i < CODES; i++) {
		unsigned char raw[CODE_BYTES];
		const char *d;

		random_bytes(raw, sizeof(raw));
		d = base32_text(a, raw, sizeof(raw));
		explicit_bzero(raw, sizeof(raw));
		c->hashes[i] = code_digest(d);
		codes[i] = arena_printf(a, "%.4s-%.4s-%.4s-%.4s", d, d + 4, d + 8, d + 12);
	}
}

int second_factor_confirm(
    struct req *r, struct str sealed, struct str code, const char *codes[CODES], struct err *err)
{
	struct str secret = begun_open(r, sealed);
	struct factor_change c = {.r = r, .action = "user.totp_on", .changes_secret = true};

	if (secret.p == NULL)
		return err_set(err, ERR_CONFLICT, "This took too long: begin again");
	if (!totp_is_right(secret, code, clock_now_us(), &c.step))
		return err_field(err, ERR_INVALID, "code",
		    "This is not what the authenticator shows now: check the clock of your phone, "
		    "and "
		    "enter the next one");
	c.sealed =
	    aead_seal(r->app->keys, r->a, totp_context(r->a, &r->actor.user_id), secret, err);
	if (c.sealed.p == NULL)
		return -1;
	codes_make(&c, codes);
	return audit_change(r->app, r, &r->actor.account_id, factor_body, &c, err);
}

int second_factor_renew_codes(struct req *r, const char *codes[CODES], struct err *err)
{
	struct factor_change c = {.r = r, .action = "user.recovery_codes"};

	codes_make(&c, codes);
	return audit_change(r->app, r, &r->actor.account_id, factor_body, &c, err);
}

int second_factor_off(struct req *r, struct err *err)
{
	struct factor_change c = {.r = r, .action = "user.totp_off", .changes_secret = true};

	return audit_change(r->app, r, &r->actor.account_id, factor_body, &c, err);
}
