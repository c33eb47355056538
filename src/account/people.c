/* Members of an account, and changes to them. */
#include "account/people.h"

#include <string.h>

#include "base/clock.h"

#define PERSON_COLUMNS                                                                             \
	"u.id, u.email, u.name, m.role, m.created_at, u.totp_secret IS NOT NULL, u.disabled_at,"   \
	" (SELECT MAX(s.last_seen_at) FROM sessions s"                                             \
	" WHERE s.user_id = u.id AND s.account_id = m.account_id)"                                 \
	" FROM memberships m JOIN users u ON u.id = m.user_id "
enum {
	PERSON_ID,
	PERSON_EMAIL,
	PERSON_NAME,
	PERSON_ROLE,
	PERSON_JOINED,
	PERSON_SECOND_FACTOR,
	PERSON_DISABLED,
	PERSON_SEEN
};
DB_STMT(sql_people, "SELECT " PERSON_COLUMNS "WHERE m.account_id = ? AND m.user_id < ?"
		    " ORDER BY m.user_id DESC LIMIT ? OFFSET ?");
DB_STMT(sql_people_count, "SELECT COUNT(*) FROM memberships WHERE account_id = ?");
DB_STMT(sql_person, "SELECT " PERSON_COLUMNS "WHERE m.account_id = ? AND m.user_id = ?");
/* In one order, so that two who change people wait for each other. */
DB_STMT(sql_members_lock, "SELECT m.user_id, m.role, u.disabled_at FROM memberships m"
			  " JOIN users u ON u.id = m.user_id WHERE m.account_id = ?"
			  " ORDER BY m.user_id FOR UPDATE");
enum { LOCKED_USER, LOCKED_ROLE, LOCKED_DISABLED };
DB_STMT(sql_member_role, "UPDATE memberships SET role = ? WHERE account_id = ? AND user_id = ?");
DB_STMT(sql_member_delete, "DELETE FROM memberships WHERE account_id = ? AND user_id = ?");
DB_STMT(sql_member_sessions, "DELETE FROM sessions WHERE account_id = ? AND user_id = ?");
DB_STMT(sql_member_links, "DELETE FROM one_time_tokens WHERE account_id = ? AND user_id = ?");
DB_STMT(sql_user_delete, "DELETE FROM users WHERE id = ? AND NOT EXISTS"
			 " (SELECT 1 FROM memberships m WHERE m.user_id = users.id)");
DB_STMT(sql_user_codes, "DELETE FROM recovery_codes WHERE user_id = ? AND NOT EXISTS"
			" (SELECT 1 FROM users u WHERE u.id = recovery_codes.user_id)");

const struct word account_roles[] = {
    {"admin", "Admin"}, {"manager", "Manager"}, {"viewer", "Viewer"}, {NULL, NULL}};

/* ---- reading ------------------------------------------------------------------------------- */

static void person_read(const struct db_rows *r, size_t i, struct person *out)
{
	*out = (struct person){
	    .id = db_get_uuid(r, i, PERSON_ID),
	    .email = db_get_text(r, i, PERSON_EMAIL),
	    .name = db_get_text(r, i, PERSON_NAME),
	    .role = db_get_text(r, i, PERSON_ROLE),
	    .joined_us = db_get_int(r, i, PERSON_JOINED),
	    .seen_us = db_get_int(r, i, PERSON_SEEN),
	    .has_second_factor = db_get_int(r, i, PERSON_SECOND_FACTOR) != 0,
	    .is_disabled = !db_is_null(r, i, PERSON_DISABLED),
	};
}

int people_list(struct app *app, struct arena *a, const struct uuid *account_id, struct slice *s,
    struct person **out, size_t *n, struct err *err)
{
	struct cursor from = slice_from(s);
	struct db_rows rows, count;

	if (db_query(app->db, a, &sql_people,
		DB_VALS(db_uuid(account_id), db_uuid(&from.id), db_int(slice_limit(s)),
		    db_int(s->offset)),
		&rows, err) == -1 ||
	    db_row(app->db, a, &sql_people_count, DB_VALS(db_uuid(account_id)), &count, err) != 1)
		return -1;
	s->total = db_get_int(&count, 0, 0);
	*n = slice_fill(s, &rows, SLICE_BY_ID, PERSON_ID);
	*out = arena_array(a, *n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		person_read(&rows, i, &(*out)[i]);
	return 0;
}

static int person_read_by_id(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct person *out, struct err *err)
{
	struct db_rows rows;
	int found =
	    db_row(db, a, &sql_person, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found == 1)
		person_read(&rows, 0, out);
	return found;
}

int person_find(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct person *out, struct err *err)
{
	return person_read_by_id(app->db, a, account_id, id, out, err);
}

/* ---- the last admin -------------------------------------------------------------------------- */

bool people_lack_admin(
    const struct member_role *members, size_t n, const struct uuid *user_id, const char *role)
{
	for (size_t i = 0; i < n; i++) {
		const char *has = uuid_eq(members[i].user_id, *user_id) ? role : members[i].role;

		if (!members[i].is_disabled && has != NULL && strcmp(has, "admin") == 0)
			return false;
	}
	return true;
}

int people_keep_admin(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *user_id, const char *role, struct err *err)
{
	struct db_rows rows;
	struct member_role *members;

	if (db_query(db, a, &sql_members_lock, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	members = arena_array(a, rows.count + 1, sizeof(*members));
	for (size_t i = 0; i < rows.count; i++)
		members[i] = (struct member_role){
		    .user_id = db_get_uuid(&rows, i, LOCKED_USER),
		    .role = db_get_text(&rows, i, LOCKED_ROLE),
		    .is_disabled = !db_is_null(&rows, i, LOCKED_DISABLED),
		};
	if (!people_lack_admin(members, rows.count, user_id, role))
		return 0;
	return err_set(err, ERR_CONFLICT,
	    "An account needs an admin who can sign in: make someone else admin first");
}

/* ---- changes --------------------------------------------------------------------------------- */

struct person_change {
	struct req *r;
	const struct uuid *id;
	const char *role; /* NULL: none any more */
};

static json_t *role_audited(struct arena *a, const char *role)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "role", role);
	return o;
}

static int person_delete(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	const struct db_stmt *const of_member[] = {
	    &sql_member_delete, &sql_member_sessions, &sql_member_links};

	for (size_t i = 0; i < sizeof(of_member) / sizeof(of_member[0]); i++)
		if (db_exec(db, of_member[i], DB_VALS(db_uuid(account_id), db_uuid(id)), NULL,
			err) == -1)
			return -1;
	/* Who is nobody's member can do nothing, and is not kept. */
	if (db_exec(db, &sql_user_delete, DB_VALS(db_uuid(id)), NULL, err) == -1)
		return -1;
	return db_exec(db, &sql_user_codes, DB_VALS(db_uuid(id)), NULL, err);
}

static int person_change_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct person_change *c = arg;
	struct req *r = c->r;
	const struct uuid *account_id = &r->actor.account_id;
	struct person old;
	int found;

	if (people_keep_admin(db, r->a, account_id, c->id, c->role, err) == -1)
		return -1;
	found = person_read_by_id(db, r->a, account_id, c->id, &old, err);
	if (found != 1)
		return found == -1 ? -1 : err_set(err, ERR_NOT_FOUND, "There is no such person");
	if (actor_grant_check(&r->actor, permission_of_role(old.role), err) == -1)
		return -1;
	audit_note(log, c->role == NULL ? "user.remove" : "user.role", "user", c->id, old.email,
	    role_audited(r->a, old.role), c->role == NULL ? NULL : role_audited(r->a, c->role));
	if (c->role == NULL)
		return person_delete(db, account_id, c->id, err);
	return db_exec(db, &sql_member_role,
	    DB_VALS(db_str(c->role), db_uuid(account_id), db_uuid(c->id)), NULL, err);
}

int person_role_set(struct req *r, const struct uuid *id, struct str role, struct err *err)
{
	const struct word *known = word_find(account_roles, role);
	struct person_change c = {r, id, NULL};

	if (known == NULL)
		return err_field(err, ERR_INVALID, "role", "must be admin, manager or viewer");
	c.role = known->text;
	if (actor_grant_check(&r->actor, permission_of_role(c.role), err) == -1)
		return -1;
	return audit_change(r->app, r, &r->actor.account_id, person_change_body, &c, err);
}

int person_remove(struct req *r, const struct uuid *id, struct err *err)
{
	struct person_change c = {r, id, NULL};

	return audit_change(r->app, r, &r->actor.account_id, person_change_body, &c, err);
}
