/* /users: the people of an account, and those who are invited. */
#include "account/people.h"
#include "base/clock.h"
#include "base/limits.h"

static const struct word statuses[] = {{"active", "Active"}, {"invited", "Invited"}, {NULL, NULL}};

struct people_filter {
	struct uuid account_id;
	struct str status;
};
static const struct filter_row filters[] = {
    {"status", FILTER_WORD, offsetof(struct people_filter, status), statuses, NULL},
    {NULL, 0, 0, NULL, NULL}};
static const struct list list_of_people = {"users", filters, NULL};

static json_t *user_json(struct arena *a, const struct person *p)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, p->id));
	json_set_str(o, "email", p->email);
	json_set_str(o, "name", p->name);
	json_set_str(o, "role", p->role);
	json_set_str(o, "status", p->is_disabled ? "disabled" : "active");
	json_set_bool(o, "secondFactor", p->has_second_factor);
	json_set_time(o, "joinedAt", p->joined_us);
	json_set_time(o, "lastSeenAt", p->seen_us);
	return o;
}

static json_t *invited_json(struct arena *a, const struct link *l)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(a, l->handle));
	json_set_str(o, "email", l->email);
	json_set_str(o, "role", l->role);
	json_set_str(o, "status", "invited");
	json_set_time(o, "invitedAt", l->created_us);
	json_set_time(o, "expiresAt", l->expires_us);
	return o;
}

static int users_invited(struct req *r)
{
	json_t *rows = json_own(r->a, json_array());
	struct err err = ERR_INIT;
	struct link *links;
	size_t n;

	if (invite_list(r->app, r->a, &r->actor.account_id, &links, &n, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(rows, invited_json(r->a, &links[i]));
	return res_whole(r, rows, LINKS_MOST);
}

int people_api_list(struct req *r)
{
	struct people_filter f = {0};
	struct person *people;
	struct err err = ERR_INIT;
	struct slice s;
	size_t n;

	if (!slice_read(r, &list_of_people, &f, &s))
		return res_invalid(r);
	if (str_is(f.status, "invited"))
		return users_invited(r);
	if (people_list(r->app, r->a, &f.account_id, &s, &people, &n, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, user_json(r->a, &people[i]));
	return res_slice(r, &s);
}

struct user_body {
	struct str email, role;
};

int people_api_create(struct req *r)
{
	static const struct json_member members[] = {
	    {"email", READ_TEXT, JSON_INTO(struct user_body, email), .need = READ_NEEDED},
	    {"role", READ_TEXT, JSON_INTO(struct user_body, role), .need = READ_NEEDED}};
	struct user_body body = {0};
	struct err err = ERR_INIT;
	struct link l;
	const char *url;
	json_t *o;

	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	if (invite_make(r, body.email, body.role, &l, &url, &err) == -1)
		return res_error(r, &err);
	o = invited_json(r->a, &l);
	json_set_str(o, "inviteUrl", url);
	res_headerf(r, "Location", "/connect/v1/users/%s", uuid_dup(r->a, l.handle));
	res_header(r, "Cache-Control", "no-store");
	return res_json(r, 201, o);
}

static int user_is_missing(struct req *r)
{
	return res_problem(r, 404, "There is no such person");
}

/* Who the path names: 1 a member, 2 an invitation, 0 with the answer given. */
static int user_wanted(struct req *r, struct person *p, struct link *l)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = person_find(r->app, r->a, &r->actor.account_id, &id, p, &err);
	if (found == 0) {
		found = invite_find(r->app, r->a, &r->actor.account_id, &id, l, &err);
		if (found == 1)
			return 2;
	}
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		user_is_missing(r);
	return found == 1;
}

int people_api_get(struct req *r)
{
	struct person p;
	struct link l;

	switch (user_wanted(r, &p, &l)) {
	case 1:
		return res_json(r, 200, user_json(r->a, &p));
	case 2:
		return res_json(r, 200, invited_json(r->a, &l));
	default:
		return 0;
	}
}

int people_api_update(struct req *r)
{
	static const struct json_member members[] = {
	    {"role", READ_TEXT, JSON_INTO(struct user_body, role), .need = READ_NEEDED}};
	struct user_body body = {0};
	struct err err = ERR_INIT;
	struct person p;
	struct link l;
	int who = user_wanted(r, &p, &l);

	if (who == 0)
		return 0;
	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	if (who == 2)
		return res_problem(r, 409,
		    "%s has not joined yet: withdraw the invitation and make another", l.email);
	if (person_role_set(r, &p.id, body.role, &err) == -1)
		return res_error(r, &err);
	p.role = arena_strndup(r->a, body.role.p, body.role.n);
	return res_json(r, 200, user_json(r->a, &p));
}

int people_api_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct person p;
	struct link l;
	int who = user_wanted(r, &p, &l), rc;

	if (who == 0)
		return 0;
	rc = who == 1 ? person_remove(r, &p.id, &err) : invite_withdraw(r, &l.handle, &err);
	return rc == -1 ? res_error(r, &err) : res_empty(r, 204);
}
