/* Settings: people. Data of "account/people": {rows: [person], invitations: [{id, email, roleName,
 * maker, expiresAt, is_expired}], can_write} and paging; of "account/person": a person with roles,
 * is_self, can_write, errors; of "account/invite": {email, roles, errors}; of "account/link":
 * {title, text, url, expiresAt, email, back}. A person: {id, email, name, role, roleName, joinedAt,
 * lastSeenAt, has_second_factor, is_disabled}. */
#include "account/people.h"

#include "base/clock.h"
#include "html/chrome.h"

#define ADDRESS "/admin/settings/people"
#define PEOPLE_SHOWN 100

static const struct list people_of_page = {"people", filter_none, NULL};

static bool may_write(const struct req *r)
{
	return (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0;
}

static json_t *person_row(const struct person *p)
{
	json_t *o = json_object();
	char id[UUID_TEXT];

	uuid_text(id, p->id);
	json_set_str(o, "id", id);
	json_set_str(o, "email", p->email);
	json_set_str(o, "name", p->name);
	json_set_str(o, "role", p->role);
	json_set_str(o, "roleName", word_label(account_roles, p->role));
	json_set_time(o, "joinedAt", p->joined_us);
	json_set_time(o, "lastSeenAt", p->seen_us);
	json_set_bool(o, "has_second_factor", p->has_second_factor);
	json_set_bool(o, "is_disabled", p->is_disabled);
	return o;
}

static json_t *role_choices(struct str current)
{
	json_t *list = json_array();

	for (const struct word *w = account_roles; w->text != NULL; w++) {
		json_t *o = json_object();

		json_set_str(o, "value", w->text);
		json_set_str(o, "label", w->label);
		json_set_bool(o, "is_current", str_is(current, w->text));
		json_array_append_new(list, o);
	}
	return list;
}

/* The person of the path: false with the answer given. */
static bool person_wanted(struct req *r, struct person *p)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return false;
	found = person_find(r->app, r->a, &r->actor.account_id, &id, p, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such person");
	return found == 1;
}

/* ---- the list -------------------------------------------------------------------------------- */

static int people_add_invitations(struct req *r, json_t *data, struct err *err)
{
	json_t *list = json_array();
	struct link *links;
	size_t n;

	json_set(data, "invitations", list);
	if (invite_list(r->app, r->a, &r->actor.account_id, &links, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_str(o, "id", uuid_dup(r->a, links[i].handle));
		json_set_str(o, "email", links[i].email);
		json_set_str(o, "roleName", word_label(account_roles, links[i].role));
		json_set_str(o, "maker", links[i].maker);
		json_set_time(o, "expiresAt", links[i].expires_us);
		json_set_bool(o, "is_expired", links[i].expires_us <= clock_now_us());
		json_array_append_new(list, o);
	}
	json_set_bool(data, "has_invitations", n > 0);
	return 0;
}

int people_page_list(struct req *r)
{
	json_t *data = json_own(r->a, json_object());
	struct person *people;
	struct uuid account_id;
	struct slice s;
	struct err err = ERR_INIT;
	size_t n;

	if (!slice_read_page(r, &people_of_page, &account_id, PEOPLE_SHOWN, &s))
		return res_redirect(r, ADDRESS);
	if (people_list(r->app, r->a, &account_id, &s, &people, &n, &err) == -1 ||
	    people_add_invitations(r, data, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, person_row(&people[i]));
	chrome_slice(r, &s, data);
	json_set_bool(data, "can_write", may_write(r));
	return chrome_settings(r, 200, "people", "People", "account/people", json_incref(data));
}

/* ---- one person ------------------------------------------------------------------------------ */

static int person_show(struct req *r, int status, const struct person *p, const struct err *wrong)
{
	json_t *data = person_row(p);

	json_set(data, "roles", role_choices(str_from(p->role)));
	json_set_bool(data, "is_self", uuid_eq(p->id, r->actor.user_id));
	json_set_bool(data, "can_write", may_write(r));
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
	return chrome_page(r, status, "settings", p->email, "account/person", data);
}

int people_page_person(struct req *r)
{
	struct person p;

	return person_wanted(r, &p) ? person_show(r, 200, &p, NULL) : 0;
}

/* What a form's act could not do is said on the person's page; the rest is a problem page. */
static int person_refuse(struct req *r, const struct person *p, const struct err *err)
{
	if (err->code == ERR_INVALID)
		return person_show(r, 422, p, err);
	if (err->code == ERR_CONFLICT || err->code == ERR_DENIED)
		return person_show(r, err->code == ERR_CONFLICT ? 409 : 403, p, err);
	return res_error(r, err);
}

int people_page_role(struct req *r)
{
	struct person p;
	struct err err = ERR_INIT;

	if (!person_wanted(r, &p))
		return 0;
	if (person_role_set(r, &p.id, req_form(r, "role"), &err) == -1)
		return person_refuse(r, &p, &err);
	chrome_flash(r, "ok", "%s is %s now.", p.email,
	    word_label(account_roles, word_find(account_roles, req_form(r, "role"))->text));
	return res_redirect(r, ADDRESS);
}

int people_page_remove(struct req *r)
{
	struct person p;
	json_t *data;

	if (!person_wanted(r, &p))
		return 0;
	data = person_row(&p);
	json_set_bool(data, "is_self", uuid_eq(p.id, r->actor.user_id));
	return chrome_page(r, 200, "settings", "Please confirm", "account/person-remove", data);
}

int people_page_remove_post(struct req *r)
{
	struct person p;
	struct err err = ERR_INIT;

	if (!person_wanted(r, &p))
		return 0;
	if (person_remove(r, &p.id, &err) == -1)
		return person_refuse(r, &p, &err);
	chrome_flash(r, "ok", "%s no longer belongs to this account.", p.email);
	return res_redirect(r, ADDRESS);
}

/* ---- links ----------------------------------------------------------------------------------- */

static int link_show(
    struct req *r, const char *title, const char *text, const char *url, int64_t expires_us)
{
	json_t *data = json_object();

	json_set_str(data, "heading", title);
	json_set_str(data, "text", text);
	json_set_str(data, "url", url);
	json_set_time(data, "expiresAt", expires_us);
	return chrome_page(r, 200, "settings", title, "account/link", data);
}

static int invite_show_link(struct req *r, const struct link *l, const char *url)
{
	return link_show(r, "Invitation link",
	    arena_printf(r->a, "Send this link to %s. Whoever opens it joins %s as %s.", l->email,
		r->actor.account_name, word_label(account_roles, l->role)),
	    url, l->expires_us);
}

static int invite_form(struct req *r, int status, const struct err *wrong)
{
	json_t *data = json_object();
	struct str role = req_form(r, "role");

	json_set_strn(data, "email", req_form(r, "email"));
	json_set(data, "roles", role_choices(role.n == 0 ? STR("viewer") : role));
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
	return chrome_page(r, status, "settings", "Invite someone", "account/invite", data);
}

int people_page_invite(struct req *r)
{
	return invite_form(r, 200, NULL);
}

int people_page_invite_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct link l;
	const char *url;

	if (invite_make(r, req_form(r, "email"), req_form(r, "role"), &l, &url, &err) == 0)
		return invite_show_link(r, &l, url);
	if (err.code == ERR_INVALID || err.code == ERR_CONFLICT)
		return invite_form(r, err.code == ERR_INVALID ? 422 : 409, &err);
	return res_error(r, &err);
}

/* act: renew, or withdraw. */
int people_page_invitation_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid handle;
	struct link l;
	const char *url;
	int found;

	if (!req_param_uuid(r, "id", &handle))
		return 0;
	found = invite_find(r->app, r->a, &r->actor.account_id, &handle, &l, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such invitation (any more)");
	if (str_is(req_form(r, "act"), "renew"))
		return invite_make(r, str_from(l.email), str_from(l.role), &l, &url, &err) == 0
			   ? invite_show_link(r, &l, url)
			   : res_error(r, &err);
	if (invite_withdraw(r, &handle, &err) == -1)
		return res_error(r, &err);
	chrome_flash(
	    r, "ok", "The invitation of %s is withdrawn: its link no longer works.", l.email);
	return res_redirect(r, ADDRESS);
}

int people_page_password_link(struct req *r)
{
	struct err err = ERR_INIT;
	struct person p;
	const char *url;

	if (!person_wanted(r, &p))
		return 0;
	if (password_link_make(r, &p, &url, &err) == -1)
		return person_refuse(r, &p, &err);
	return link_show(r, "Link for a new password",
	    arena_printf(r->a,
		"Send this link to %s. Whoever opens it chooses a new password for them; until "
		"then "
		"the present one works.",
		p.email),
	    url, clock_now_us() + DAY_US);
}

int people_page_factor_off(struct req *r)
{
	struct err err = ERR_INIT;
	struct person p;

	if (!person_wanted(r, &p))
		return 0;
	if (person_factor_off(r, &p, &err) == -1)
		return person_refuse(r, &p, &err);
	chrome_flash(r, "ok",
	    "%s signs in with the password alone now. Ask them to set up the second "
	    "factor again.",
	    p.email);
	return res_redirect(r, ADDRESS);
}
