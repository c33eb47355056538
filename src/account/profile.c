/* What a person changes of their own: name, email, zone, password. */
#include <stdio.h>

#include "account/account-internal.h"
#include "crypto/password.h"

DB_STMT(sql_profile, "SELECT name, email, zone, totp_secret IS NOT NULL FROM users WHERE id = ?");
DB_STMT(sql_profile_lock, "SELECT name, email, zone FROM users WHERE id = ? FOR UPDATE");
enum { PROFILE_NAME, PROFILE_EMAIL, PROFILE_ZONE, PROFILE_SECOND_FACTOR };
DB_STMT(sql_profile_update, "UPDATE users SET name = ?, email = ?, zone = ? WHERE id = ?");

static void profile_take(const struct db_rows *rows, struct profile *out)
{
	*out = (struct profile){
	    .name = db_get_str(rows, 0, PROFILE_NAME),
	    .email = db_get_str(rows, 0, PROFILE_EMAIL),
	    .zone = db_get_str(rows, 0, PROFILE_ZONE),
	};
}

int profile_read(struct req *r, struct profile *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(r->app->db, r->a, &sql_profile, DB_VALS(db_uuid(&r->actor.user_id)), &rows, err);

	if (found != 1)
		return found == -1 ? -1 : err_set(err, ERR_NOT_FOUND, "there is no such person");
	profile_take(&rows, out);
	out->has_second_factor = db_get_int(&rows, 0, PROFILE_SECOND_FACTOR) != 0;
	return 0;
}

struct profile_change {
	struct req *r;
	struct profile to;
	const char *password_hash; /* of a new password, else NULL */
};

static json_t *profile_audited(struct arena *a, const struct profile *p)
{
	json_t *o = json_own(a, json_object());

	json_set_strn(o, "name", p->name);
	json_set_strn(o, "email", p->email);
	json_set_strn(o, "zone", p->zone.n == 0 ? STR("") : p->zone);
	return o;
}

static int profile_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct profile_change *c = arg;
	struct arena *a = c->r->a;
	const struct uuid *id = &c->r->actor.user_id;
	struct err why = ERR_INIT;
	struct profile old;
	struct db_rows rows;
	int found = db_row(db, a, &sql_profile_lock, DB_VALS(db_uuid(id)), &rows, err);

	if (found != 1)
		return found == -1 ? -1 : err_set(err, ERR_NOT_FOUND, "there is no such person");
	profile_take(&rows, &old);
	audit_note(log, "user.update", "user", id, c->r->actor.email, profile_audited(a, &old),
	    profile_audited(a, &c->to));
	if (db_exec(db, &sql_profile_update,
		DB_VALS(db_strn(c->to.name), db_strn(c->to.email),
		    c->to.zone.n == 0 ? db_null() : db_strn(c->to.zone), db_uuid(id)),
		NULL, &why) == 0)
		return 0;
	if (why.code == ERR_CONFLICT)
		return err_field(
		    err, ERR_INVALID, "email", "This address cannot be used: choose another");
	return err_set(err, why.code, "%s", why.msg);
}

int profile_change(struct req *r, const struct profile *p, struct str password, struct err *err)
{
	struct profile_change c = {
	    r, {.name = utf8_trim(p->name), .zone = utf8_trim(p->zone)}, NULL};
	const char *email = account_email_normal(r->a, p->email, err);

	if (email == NULL || account_name_check("name", c.to.name, err) == -1 ||
	    (c.to.zone.n > 0 && account_zone_check(c.to.zone, err) == -1))
		return -1;
	c.to.email = str_from(email);
	/* Who has the address has the person's way back in. */
	if (!str_is(c.to.email, r->actor.email) && login_confirm(r, password, err) == -1)
		return -1;
	return audit_change(r->app, r, &r->actor.account_id, profile_body, &c, err);
}

static int password_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct profile_change *c = arg;
	const struct actor *actor = &c->r->actor;

	if (store_user_password(db, &actor->user_id, c->password_hash, err) == -1 ||
	    store_sessions_delete_others(db, &actor->user_id, &actor->session_id, err) == -1)
		return -1;
	audit_note(log, "user.password", "user", &actor->user_id, actor->email, NULL, NULL);
	return 0;
}

int profile_password_change(struct req *r, struct str present, struct str password, struct err *err)
{
	struct profile_change c = {.r = r};

	if (login_confirm(r, present, err) == -1)
		return -1;
	if (account_password_check(password, err) == -1) {
		snprintf(err->field, sizeof(err->field), "new_password");
		return -1;
	}
	c.password_hash = password_hash(r->a, arena_strndup(r->a, password.p, password.n), err);
	if (c.password_hash == NULL)
		return -1;
	return audit_change(r->app, r, &r->actor.account_id, password_body, &c, err);
}
