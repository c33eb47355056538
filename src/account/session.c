/* Sessions of the admin pages: a random cookie, its hash in the database. */
#include "account/account-internal.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "crypto/aead.h"
#include "crypto/random.h"

const char account_session_cookie[] = "connect_session";

#define FORM_COOKIE "connect_form"
#define FORM_COOKIE_S (12 * 3600)
#define TOKEN_BYTES 32u
#define TOKEN_TEXT 43u
#define ADDRESS_CHARS 64u
#define USER_AGENT_CHARS 255u
#define SEEN_EVERY_US (60 * SECOND_US)

const char *session_cookie_name(const struct req *r, const char *base)
{
	return str_starts(str_from(r->app->config->base_url), "https:")
		   ? arena_printf(r->a, "__Host-%s", base)
		   : base;
}

void actor_of_member(struct actor *actor, const struct account_member *m)
{
	actor->account_id = m->account_id;
	actor->user_id = m->user_id;
	actor->permissions = permission_of_role(m->role);
	actor->name = m->name;
	actor->account_name = m->account_name;
	actor->role = m->role;
	actor->email = m->email;
	actor->zone = m->zone;
	actor->account_zone = m->account_zone;
	actor->has_other_accounts = m->has_other_accounts;
}

static void session_actor(
    struct actor *actor, const struct account_member *m, const struct digest *id, const char *csrf)
{
	*actor = (struct actor){.kind = ACTOR_SESSION};
	actor_of_member(actor, m);
	memcpy(actor->session_id.b, id->b, sizeof(actor->session_id.b));
	actor->csrf = csrf;
}

struct session_start_args {
	struct req *r;
	const struct account_member *m;
	const struct digest *old, *id; /* old: the one it came with, or NULL */
	const char *csrf;
};

static int session_start_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct session_start_args *s = arg;
	struct req *r = s->r;
	int64_t now_us = clock_now_us();

	if (s->old != NULL && store_session_delete(db, s->old, err) == -1)
		return -1;
	if (store_session_insert(db, s->id, s->m, s->csrf,
		account_text_clip(r->a, str_from(r->remote_addr), ADDRESS_CHARS),
		account_text_clip(r->a, req_header(r, "user-agent"), USER_AGENT_CHARS), now_us,
		now_us + r->app->config->session_max_s * SECOND_US, err) == -1)
		return -1;
	audit_note(log, "session.sign_in", "user", &s->m->user_id, NULL, NULL, NULL);
	return 0;
}

int session_start(struct req *r, const struct account_member *m, struct err *err)
{
	const char *name = session_cookie_name(r, account_session_cookie);
	struct str old = req_cookie(r, name);
	char *token = random_token(r->a, TOKEN_BYTES), *csrf = random_token(r->a, TOKEN_BYTES);
	struct digest id = digest_of(str_from(token)), old_id = digest_of(old);
	struct session_start_args s = {r, m, old.n > 0 ? &old_id : NULL, &id, csrf};
	struct actor before = r->actor;

	/* The person is known now: the log shall name them. */
	session_actor(&r->actor, m, &id, csrf);
	if (audit_change(r->app, r, &m->account_id, session_start_body, &s, err) == -1) {
		r->actor = before;
		return -1;
	}
	res_cookie(r, name, token, r->app->config->session_max_s, true);
	login_remember_browser(r, m->email);
	return 0;
}

struct session_end_args {
	const struct digest *id; /* NULL: all of the user */
	const struct uuid *user_id;
};

static int session_end_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct session_end_args *e = arg;
	int rc = e->id == NULL ? store_sessions_delete_of(db, e->user_id, err)
			       : store_session_delete(db, e->id, err);

	/* Everywhere is programs too. */
	if (rc == -1 || (e->id == NULL && store_user_tokens_end(db, e->user_id, err) == -1))
		return -1;
	audit_note(log, e->id == NULL ? "session.sign_out_everywhere" : "session.sign_out", "user",
	    e->user_id, NULL, NULL, NULL);
	return 0;
}

int session_end(struct req *r, bool everywhere, struct err *err)
{
	const char *name = session_cookie_name(r, account_session_cookie);
	struct digest id = digest_of(req_cookie(r, name));
	struct session_end_args e = {everywhere ? NULL : &id, &r->actor.user_id};

	if (audit_change(r->app, r, &r->actor.account_id, session_end_body, &e, err) == -1)
		return -1;
	res_cookie(r, name, "", 0, true);
	return 0;
}

struct session_ending {
	struct req *r;
	const struct uuid *handle; /* NULL: all others */
	bool was_there;
};

static int session_end_other_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct session_ending *e = arg;
	const struct actor *actor = &e->r->actor;
	int rc = e->handle == NULL
		     ? store_sessions_delete_others(db, &actor->user_id, &actor->session_id, err)
		     : store_session_delete_own(db, &actor->user_id, e->handle, err);

	if (rc == -1)
		return -1;
	e->was_there = e->handle == NULL || rc == 1;
	if (!e->was_there)
		return 1;
	audit_note(log, e->handle == NULL ? "session.end_others" : "session.end", "user",
	    &actor->user_id, NULL, NULL, NULL);
	return 0;
}

int session_end_other(struct req *r, const struct uuid *handle, struct err *err)
{
	struct session_ending e = {r, handle, false};

	if (audit_change(r->app, r, &r->actor.account_id, session_end_other_body, &e, err) == -1)
		return -1;
	return e.was_there;
}

int session_find(struct req *r, const struct digest *id, struct actor *actor, int64_t *expires_us,
    struct err *err)
{
	int64_t now_us = clock_now_us(), idle_us = r->app->config->session_idle_s * SECOND_US;
	int64_t every_us = idle_us / 4 < SEEN_EVERY_US ? idle_us / 4 : SEEN_EVERY_US;
	struct account_session s;
	struct err touch = ERR_INIT;
	int found = store_session(r->app->db, r->a, id, &s, err);

	if (found != 1)
		return found;
	if (s.expires_us <= now_us || s.last_seen_us + idle_us <= now_us ||
	    permission_of_role(s.member.role) == 0)
		return 0;
	/* An unwritten visit must not refuse the visitor: it only shortens the session. */
	if (s.last_seen_us + every_us <= now_us &&
	    store_session_touch(r->app->db, id, now_us, &touch) == -1)
		log_warn("session.touch", LOG_ERR(&touch));
	session_actor(actor, &s.member, id, s.csrf);
	*expires_us = s.expires_us;
	return 1;
}

/* ---- forms before sign-in -------------------------------------------------------------------- */

bool session_token_looks_right(struct str s)
{
	unsigned char raw[TOKEN_BYTES];

	return s.n == TOKEN_TEXT && base64url_decode(raw, sizeof(raw), s) == TOKEN_BYTES;
}

/* The form carries not the cookie but its HMAC: who can plant a cookie still cannot make the form.
 */
static const char *session_form_token(struct req *r, struct str cookie)
{
	unsigned char key[32], mac[SHA256_SIZE];
	struct buf *b = buf_new(r->a, 64);

	keyring_derive(r->app->keys, "form", key);
	hmac_parts(HASH_SHA256, (struct str){(const char *)key, sizeof(key)}, &cookie, 1, mac);
	explicit_bzero(key, sizeof(key));
	base64url_encode(b, mac, sizeof(mac));
	return b->p;
}

const char *form_csrf_issue(struct req *r)
{
	const char *name = session_cookie_name(r, FORM_COOKIE);
	struct str cookie = req_cookie(r, name);

	if (!session_token_looks_right(cookie))
		cookie = str_from(random_token(r->a, TOKEN_BYTES));
	res_cookie(r, name, arena_strndup(r->a, cookie.p, cookie.n), FORM_COOKIE_S, true);
	return session_form_token(r, cookie);
}

bool form_csrf_is_right(struct req *r)
{
	struct str cookie = req_cookie(r, session_cookie_name(r, FORM_COOKIE));
	struct str given = req_form(r, "_csrf");
	const char *wanted;

	if (!session_token_looks_right(cookie))
		return false;
	wanted = session_form_token(r, cookie);
	return mem_equal_ct(wanted, strlen(wanted), given.p, given.n);
}

const char *session_next_path(struct arena *a, struct str text)
{
	static const char home[] = "/admin";
	size_t n = sizeof(home) - 1;

	if (!str_starts(text, home) || (text.n > n && strchr("/?#", text.p[n]) == NULL))
		return home;
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c <= ' ' || c >= 0x7f || c == '\\' ||
		    (c == '/' && i + 1 < text.n && text.p[i + 1] == '/'))
			return home;
	}
	return arena_strndup(a, text.p, text.n);
}
