/* Invitations and links for a new password. A link is a row of one_time_tokens: its id is the
 * SHA-256 of the secret in the address, its handle the name that lists and pages use. */
#include "account/people.h"
#include "base/clock.h"
#include "base/config.h"
#include "crypto/password.h"
#include "crypto/random.h"

#define INVITE_VALID_US (7 * DAY_US)
#define PASSWORD_VALID_US DAY_US
static const char invite_purpose[] = "invite", password_purpose[] = "password";

DB_STMT(sql_link_insert,
    "INSERT INTO one_time_tokens (id, purpose, user_id, created_at, expires_at, handle,"
    " account_id, email, role, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
#define LINK_COLUMNS                                                                               \
	"SELECT t.handle, t.account_id, t.user_id, t.email, t.role, t.created_at, t.expires_at,"   \
	" a.name, u.name FROM one_time_tokens t JOIN accounts a ON a.id = t.account_id"            \
	" LEFT JOIN users u ON u.id = t.created_by WHERE t.purpose = ? AND t.used_at IS NULL"
enum {
	LINK_HANDLE,
	LINK_ACCOUNT,
	LINK_USER,
	LINK_EMAIL,
	LINK_ROLE,
	LINK_CREATED,
	LINK_EXPIRES,
	LINK_ACCOUNT_NAME,
	LINK_MAKER
};
DB_STMT(sql_link_by_id, LINK_COLUMNS " AND t.id = ? AND t.expires_at > ?");
DB_STMT(sql_link_by_handle, LINK_COLUMNS " AND t.account_id = ? AND t.handle = ?");
DB_STMT(sql_links, LINK_COLUMNS " AND t.account_id = ? ORDER BY t.created_at DESC, t.id LIMIT ?");
DB_STMT(sql_link_delete,
    "DELETE FROM one_time_tokens WHERE account_id = ? AND purpose = ? AND handle = ?");
DB_STMT(sql_links_of_email,
    "DELETE FROM one_time_tokens WHERE account_id = ? AND purpose = ? AND email = ?");
DB_STMT(sql_links_of_user,
    "DELETE FROM one_time_tokens WHERE account_id = ? AND purpose = ? AND user_id = ?");
DB_STMT(sql_links_count, "SELECT COUNT(*) FROM one_time_tokens"
			 " WHERE account_id = ? AND purpose = ? AND used_at IS NULL");
DB_STMT(sql_is_member, "SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id"
		       " WHERE m.account_id = ? AND u.email = ?");
DB_STMT(sql_accounts_of, "SELECT COUNT(*) FROM memberships WHERE user_id = ?");
/* Nobody forgets the person meanwhile. */
DB_STMT(sql_user_lock, "SELECT id FROM users WHERE id = ? FOR UPDATE");

/* ---- rows ------------------------------------------------------------------------------------ */

static void link_read(const struct db_rows *r, size_t i, struct link *out)
{
	*out = (struct link){
	    .handle = db_get_uuid(r, i, LINK_HANDLE),
	    .account_id = db_get_uuid(r, i, LINK_ACCOUNT),
	    .user_id = db_get_uuid(r, i, LINK_USER),
	    .email = db_get_text(r, i, LINK_EMAIL),
	    .role = db_get_text(r, i, LINK_ROLE),
	    .created_us = db_get_int(r, i, LINK_CREATED),
	    .expires_us = db_get_int(r, i, LINK_EXPIRES),
	    .account_name = db_get_text(r, i, LINK_ACCOUNT_NAME),
	    .maker = db_get_text(r, i, LINK_MAKER),
	};
}

static int link_insert(struct db *db, const struct digest *id, const char *purpose,
    const struct link *l, const struct uuid *maker, struct err *err)
{
	return db_exec(db, &sql_link_insert,
	    DB_VALS(db_blob((struct str){(const char *)id->b, sizeof(id->b)}), db_str(purpose),
		db_uuid_or_null(&l->user_id), db_int(l->created_us), db_int(l->expires_us),
		db_uuid(&l->handle), db_uuid(&l->account_id), db_str(l->email), db_str(l->role),
		db_uuid_or_null(maker)),
	    NULL, err);
}

static int link_of_token(struct db *db, struct arena *a, const char *purpose, struct str token,
    struct link *out, struct err *err)
{
	struct digest id = digest_of(token);
	struct db_rows rows;
	int found;

	if (!session_token_looks_right(token))
		return 0;
	found = db_row(db, a, &sql_link_by_id,
	    DB_VALS(db_str(purpose), db_blob((struct str){(const char *)id.b, sizeof(id.b)}),
		db_int(clock_now_us())),
	    &rows, err);
	if (found == 1)
		link_read(&rows, 0, out);
	return found;
}

/* ---- inviting -------------------------------------------------------------------------------- */

struct invite_making {
	struct req *r;
	struct link link;
	struct digest id;
};

static json_t *invite_audited(struct arena *a, const char *role)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "role", role);
	return o;
}

static int invite_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct invite_making *m = arg;
	struct req *r = m->r;
	struct link *l = &m->link;
	struct db_rows rows;
	int found = db_row(db, r->a, &sql_is_member,
	    DB_VALS(db_uuid(&l->account_id), db_str(l->email)), &rows, err);

	if (found != 0)
		return found == -1 ? -1
				   : err_field(err, ERR_CONFLICT, "email",
					 "%s belongs to this account already", l->email);
	if (db_exec(db, &sql_links_of_email,
		DB_VALS(db_uuid(&l->account_id), db_str(invite_purpose), db_str(l->email)), NULL,
		err) == -1 ||
	    db_row(db, r->a, &sql_links_count,
		DB_VALS(db_uuid(&l->account_id), db_str(invite_purpose)), &rows, err) != 1)
		return -1;
	if (db_get_int(&rows, 0, 0) >= LINKS_MOST)
		return err_set(err, ERR_CONFLICT,
		    "There are %d open invitations already: withdraw some first", LINKS_MOST);
	l->created_us = clock_now_us();
	l->expires_us = l->created_us + INVITE_VALID_US;
	if (link_insert(db, &m->id, invite_purpose, l, &r->actor.user_id, err) == -1)
		return -1;
	audit_note(log, "user.invite", "invitation", &l->handle, l->email, NULL,
	    invite_audited(r->a, l->role));
	return 0;
}

int invite_make(struct req *r, struct str email, struct str role, struct link *out,
    const char **url, struct err *err)
{
	const struct word *known = word_find(account_roles, role);
	char *token = random_token(r->a, 32);
	struct invite_making m = {.r = r, .id = digest_of(str_from(token))};

	m.link = (struct link){.handle = uuid_new(),
	    .account_id = r->actor.account_id,
	    .account_name = r->actor.account_name,
	    .maker = r->actor.name};
	m.link.email = account_email_normal(r->a, email, err);
	if (m.link.email == NULL)
		return -1;
	if (known == NULL)
		return err_field(err, ERR_INVALID, "role", "must be admin, manager or viewer");
	m.link.role = known->text;
	if (actor_grant_check(&r->actor, permission_of_role(known->text), err) == -1 ||
	    audit_change(r->app, r, &r->actor.account_id, invite_body, &m, err) == -1)
		return -1;
	*out = m.link;
	*url = arena_printf(r->a, "%s/admin/join?token=%s", req_base_url(r), token);
	return 0;
}

int invite_list(struct app *app, struct arena *a, const struct uuid *account_id, struct link **out,
    size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &sql_links,
		DB_VALS(db_str(invite_purpose), db_uuid(account_id), db_int(LINKS_MOST)), &rows,
		err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, *n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		link_read(&rows, i, &(*out)[i]);
	return 0;
}

int invite_find(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *handle, struct link *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &sql_link_by_handle,
	    DB_VALS(db_str(invite_purpose), db_uuid(account_id), db_uuid(handle)), &rows, err);

	if (found == 1)
		link_read(&rows, 0, out);
	return found;
}

struct invite_ending {
	struct req *r;
	const struct link *link;
	bool was_there;
};

static int invite_withdraw_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct invite_ending *e = arg;
	const struct link *l = e->link;
	uint64_t gone = 0;

	if (db_exec(db, &sql_link_delete,
		DB_VALS(db_uuid(&l->account_id), db_str(invite_purpose), db_uuid(&l->handle)),
		&gone, err) == -1)
		return -1;
	e->was_there = gone > 0;
	if (!e->was_there)
		return 1;
	audit_note(log, "user.invite_withdraw", "invitation", &l->handle, l->email,
	    invite_audited(e->r->a, l->role), NULL);
	return 0;
}

int invite_withdraw(struct req *r, const struct uuid *handle, struct err *err)
{
	struct link l;
	struct invite_ending e = {r, &l, false};
	int found = invite_find(r->app, r->a, &r->actor.account_id, handle, &l, err);

	if (found != 1)
		return found;
	if (actor_grant_check(&r->actor, permission_of_role(l.role), err) == -1 ||
	    audit_change(r->app, r, &r->actor.account_id, invite_withdraw_body, &e, err) == -1)
		return -1;
	return e.was_there;
}

/* ---- accepting ------------------------------------------------------------------------------- */

int invite_of_token(
    struct req *r, struct str token, struct link *out, bool *is_known, struct err *err)
{
	struct account_user user;
	int known, found = link_of_token(r->app->db, r->a, invite_purpose, token, out, err);

	if (found != 1)
		return found;
	known = store_user_by_email(r->app->db, r->a, out->email, &user, err);
	*is_known = known == 1;
	return known == -1 ? -1 : 1;
}

struct accepting {
	struct req *r;
	struct str token;
	const struct uuid *user_id; /* nil: a new person */
	const char *name, *password_hash;
	struct link link;
	struct account_member *member;
	bool held;
};

/* Who proved to have the address still has it, and still is. */
static int accept_known(struct db *db, const struct accepting *x, struct err *err)
{
	struct db_rows rows;
	struct account_user user;
	int found = db_row(db, x->r->a, &sql_user_lock, DB_VALS(db_uuid(x->user_id)), &rows, err);

	if (found == 1)
		found = store_user_by_email(db, x->r->a, x->link.email, &user, err);
	if (found == -1)
		return -1;
	if (found == 0 || !uuid_eq(user.id, *x->user_id))
		return err_set(
		    err, ERR_CONFLICT, "This address belongs to another person by now: try again");
	return 0;
}

static int accept_person(
    struct db *db, const struct accepting *x, struct uuid *user_id, int64_t now_us, struct err *err)
{
	struct err why = ERR_INIT;

	*user_id = *x->user_id;
	if (!uuid_is_nil(*user_id))
		return accept_known(db, x, err);
	*user_id = uuid_new();
	if (store_user_insert(
		db, user_id, x->link.email, x->name, x->password_hash, now_us, &why) == 0)
		return 0;
	if (why.code == ERR_CONFLICT)
		return err_set(err, ERR_CONFLICT,
		    "Somebody signs in with this address by now: open the link again");
	return err_set(err, why.code, "%s", why.msg);
}

static int accept_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct accepting *x = arg;
	struct req *r = x->r;
	struct digest id = digest_of(x->token);
	int64_t now_us = clock_now_us();
	struct uuid user_id;
	int rc = link_of_token(db, r->a, invite_purpose, x->token, &x->link, err);

	if (rc == 1)
		rc = store_once_take(db, &id, invite_purpose, now_us, err);
	x->held = rc == 1;
	if (rc != 1)
		return rc == -1 ? -1 : 1;
	if (accept_person(db, x, &user_id, now_us, err) == -1)
		return -1;
	/* Who came in another way meanwhile keeps the role of that way. */
	rc = store_member(db, r->a, &x->link.account_id, &user_id, x->member, err);
	if (rc == -1 || (rc == 0 && store_member_set(db, &x->link.account_id, &user_id,
					x->link.role, now_us, err) == -1))
		return -1;
	rc = store_member(db, r->a, &x->link.account_id, &user_id, x->member, err);
	if (rc != 1)
		return rc == -1 ? -1 : err_set(err, ERR_CONFLICT, "This person cannot sign in");
	/* The person is known now: the log shall name them. */
	actor_of_member(&r->actor, x->member);
	audit_note(log, "user.join", "user", &user_id, x->link.email, NULL,
	    invite_audited(r->a, x->member->role));
	return 0;
}

int invite_accept(struct req *r, struct str token, const struct uuid *user_id, struct str name,
    struct str password, struct account_member *out, struct err *err)
{
	struct accepting x = {.r = r, .token = token, .user_id = user_id, .member = out};
	struct actor before = r->actor;

	name = utf8_trim(name);
	if (uuid_is_nil(*user_id)) {
		if (account_name_check("name", name, err) == -1 ||
		    account_password_check(password, err) == -1)
			return -1;
		x.name = arena_strndup(r->a, name.p, name.n);
		x.password_hash =
		    password_hash(r->a, arena_strndup(r->a, password.p, password.n), err);
		if (x.password_hash == NULL)
			return -1;
	}
	if (audit_change(r->app, r, &x.link.account_id, accept_body, &x, err) == -1) {
		r->actor = before;
		return -1;
	}
	return x.held;
}

/* ---- a new password -------------------------------------------------------------------------- */

struct password_link {
	struct req *r;
	struct link link;
	struct digest id;
	const char *email;
};

static int password_link_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct password_link *m = arg;
	struct link *l = &m->link;

	if (db_exec(db, &sql_links_of_user,
		DB_VALS(db_uuid(&l->account_id), db_str(password_purpose), db_uuid(&l->user_id)),
		NULL, err) == -1)
		return -1;
	l->created_us = clock_now_us();
	l->expires_us = l->created_us + PASSWORD_VALID_US;
	if (link_insert(db, &m->id, password_purpose, l, &m->r->actor.user_id, err) == -1)
		return -1;
	audit_note(log, "user.password_link", "user", &l->user_id, m->email, NULL, NULL);
	return 0;
}

/* A password opens every account of a person: an admin of one must not open the others by it. 1 it
 * is of one account alone, 0, -1. */
static int person_is_of_one(
    struct db *db, struct arena *a, const struct uuid *user_id, struct err *err)
{
	struct db_rows rows;

	if (db_row(db, a, &sql_accounts_of, DB_VALS(db_uuid(user_id)), &rows, err) != 1)
		return -1;
	return db_get_int(&rows, 0, 0) == 1;
}

/* May the actor change how this person signs in? own: what is said to who means themselves. */
static int person_access_check(
    struct req *r, const struct person *p, const char *own, const char *what, struct err *err)
{
	int is_of_one;

	if (uuid_eq(p->id, r->actor.user_id))
		return err_set(err, ERR_CONFLICT, "%s", own);
	if (p->is_disabled)
		return err_set(err, ERR_CONFLICT, "%s cannot sign in", p->email);
	is_of_one = person_is_of_one(r->app->db, r->a, &p->id, err);
	if (is_of_one == -1)
		return -1;
	if (is_of_one == 0)
		return err_set(err, ERR_CONFLICT,
		    "%s belongs to another account too, so only the operator of this server can %s",
		    p->email, what);
	return actor_grant_check(&r->actor, permission_of_role(p->role), err);
}

int password_link_make(struct req *r, const struct person *p, const char **url, struct err *err)
{
	char *token = random_token(r->a, 32);
	struct password_link m = {.r = r, .id = digest_of(str_from(token)), .email = p->email};

	m.link = (struct link){
	    .handle = uuid_new(), .account_id = r->actor.account_id, .user_id = p->id};
	if (person_access_check(r, p, "Change your own password in My profile",
		"give them a new password", err) == -1 ||
	    audit_change(r->app, r, &r->actor.account_id, password_link_body, &m, err) == -1)
		return -1;
	*url = arena_printf(r->a, "%s/admin/password?token=%s", req_base_url(r), token);
	return 0;
}

static int person_factor_off_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct person *p = arg;

	if (second_factor_store(db, &p->id, (struct str){NULL, 0}, 0, err) == -1)
		return -1;
	audit_note(log, "user.totp_off", "user", &p->id, p->email, NULL, NULL);
	return 0;
}

int person_factor_off(struct req *r, const struct person *p, struct err *err)
{
	struct person copy = *p;

	if (person_access_check(r, p, "Turn your own second factor off in My profile",
		"turn their second factor off", err) == -1)
		return -1;
	return audit_change(r->app, r, &r->actor.account_id, person_factor_off_body, &copy, err);
}

int password_link_of_token(struct req *r, struct str token, struct link *out, struct err *err)
{
	return link_of_token(r->app->db, r->a, password_purpose, token, out, err);
}

struct password_using {
	struct req *r;
	struct str token;
	const char *hash;
	struct link link;
	bool held;
};

static int password_use_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct password_using *u = arg;
	struct req *r = u->r;
	struct digest id = digest_of(u->token);
	struct account_member m;
	int rc = link_of_token(db, r->a, password_purpose, u->token, &u->link, err);

	/* Who has left, or has come to another account meanwhile, is not opened by this one's link.
	 */
	if (rc == 1)
		rc = store_member(db, r->a, &u->link.account_id, &u->link.user_id, &m, err);
	if (rc == 1)
		rc = person_is_of_one(db, r->a, &m.user_id, err);
	if (rc == 1)
		rc = store_once_take(db, &id, password_purpose, clock_now_us(), err);
	u->held = rc == 1;
	if (rc != 1)
		return rc == -1 ? -1 : 1;
	if (store_user_password(db, &u->link.user_id, u->hash, err) == -1 ||
	    store_sessions_delete_of(db, &u->link.user_id, err) == -1)
		return -1;
	r->actor.user_id = m.user_id;
	r->actor.email = m.email;
	audit_note(log, "user.password", "user", &m.user_id, m.email, NULL, NULL);
	return 0;
}

int password_link_use(struct req *r, struct str token, struct str password, struct err *err)
{
	struct password_using u = {.r = r, .token = token};
	int rc;

	if (account_password_check(password, err) == -1)
		return -1;
	u.hash = password_hash(r->a, arena_strndup(r->a, password.p, password.n), err);
	if (u.hash == NULL)
		return -1;
	rc = audit_change(r->app, r, &u.link.account_id, password_use_body, &u, err);
	r->actor = (struct actor){0};
	return rc == -1 ? -1 : u.held;
}
