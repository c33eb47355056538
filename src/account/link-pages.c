/* The pages behind links: joining an account, choosing a new password. Data of "account/join":
 * {account_name, maker, roleName, email, is_known, name, token, csrf, errors}; of
 * "account/password": {token, csrf, errors}. */
#include "account/account-pages.h"
#include "account/people.h"
#include "html/chrome.h"

static const struct uuid nobody;

/* The token stands in the form, or in the address that leads to it. */
static struct str link_token(struct req *r)
{
	struct str token = req_form(r, "token");

	return token.n > 0 ? token : req_query(r, "token");
}

static int link_is_dead(struct req *r)
{
	return res_problem(r, 404,
	    "This link has been used, was withdrawn or is too old. Ask whoever sent it for "
	    "another");
}

static void form_add_token(struct req *r, json_t *data, const struct err *wrong)
{
	json_set_strn(data, "token", link_token(r));
	json_set_str(data, "csrf", form_csrf_issue(r));
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
}

static int form_had_expired(struct err *err)
{
	return err_set(err, ERR_DENIED, "The form had expired: please try again");
}

/* ---- joining --------------------------------------------------------------------------------- */

static int join_form(
    struct req *r, int status, const struct link *l, bool is_known, const struct err *wrong)
{
	json_t *data = json_object();

	json_set_str(data, "account_name", l->account_name);
	json_set_str(data, "maker", l->maker);
	json_set_str(data, "roleName", word_label(account_roles, l->role));
	json_set_str(data, "email", l->email);
	json_set_bool(data, "is_known", is_known);
	json_set_strn(data, "name", req_form(r, "name"));
	form_add_token(r, data, wrong);
	return chrome_page(r, status, NULL, "Join", "account/join", data);
}

int account_page_join(struct req *r)
{
	struct err err = ERR_INIT;
	struct link l;
	bool is_known;
	int found = invite_of_token(r, link_token(r), &l, &is_known, &err);

	if (found == -1)
		return res_error(r, &err);
	return found == 1 ? join_form(r, 200, &l, is_known, NULL) : link_is_dead(r);
}

/* Who has the address already proves it: 0 with their id, or -1 with what the form says. */
static int join_prove(struct req *r, const struct link *l, struct uuid *user_id, struct err *err)
{
	struct account_user user = {0};
	int64_t wait_s = login_wait_s(r, l->email);

	if (wait_s > 0)
		return err_field(err, ERR_INVALID, "password",
		    "This was wrong too often: try again in %lld s", (long long)wait_s);
	switch (
	    login_person(r, l->email, req_form(r, "password"), req_form(r, "totp"), &user, err)) {
	case LOGIN_OK:
		*user_id = user.id;
		return 0;
	case LOGIN_WANTS_TOTP:
		return err_field(err, ERR_INVALID, "totp", "Enter the code of your authenticator");
	case LOGIN_WRONG:
	case LOGIN_NO_ACCOUNT:
		return err_field(
		    err, ERR_INVALID, "password", "This is not right, or the code is not");
	case LOGIN_FAILED:
		break;
	}
	return -1;
}

static int join_finish(struct req *r, const struct account_member *m)
{
	struct err err = ERR_INIT;

	if (session_start(r, m, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "Welcome to %s.", m->account_name);
	return res_redirect(r, "/admin/dashboard");
}

int account_page_join_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct str token = link_token(r);
	struct uuid user_id = nobody;
	struct account_member m;
	struct link l;
	bool is_known;
	int rc = invite_of_token(r, token, &l, &is_known, &err);

	if (rc == 0)
		return link_is_dead(r);
	if (rc == 1 && !form_csrf_is_right(r))
		rc = form_had_expired(&err);
	if (rc == 1 && is_known)
		rc = join_prove(r, &l, &user_id, &err);
	if (rc != -1)
		rc = invite_accept(
		    r, token, &user_id, req_form(r, "name"), req_form(r, "password"), &m, &err);
	if (rc == 1)
		return join_finish(r, &m);
	if (rc == 0)
		return link_is_dead(r);
	if (err.code == ERR_INVALID || err.code == ERR_DENIED)
		return join_form(r, err.code == ERR_INVALID ? 422 : 403, &l, is_known, &err);
	return res_error(r, &err);
}

/* ---- a new password -------------------------------------------------------------------------- */

static int password_form(struct req *r, int status, const struct err *wrong)
{
	json_t *data = json_object();

	form_add_token(r, data, wrong);
	return chrome_page(r, status, NULL, "New password", "account/password", data);
}

int account_page_new_password(struct req *r)
{
	struct err err = ERR_INIT;
	struct link l;
	int found = password_link_of_token(r, link_token(r), &l, &err);

	if (found == -1)
		return res_error(r, &err);
	return found == 1 ? password_form(r, 200, NULL) : link_is_dead(r);
}

int account_page_new_password_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct link l;
	int rc = password_link_of_token(r, link_token(r), &l, &err);

	if (rc == 0)
		return link_is_dead(r);
	if (rc == 1 && !form_csrf_is_right(r))
		rc = form_had_expired(&err);
	if (rc == 1)
		rc = password_link_use(r, link_token(r), req_form(r, "password"), &err);
	if (rc == 0)
		return link_is_dead(r);
	if (rc == -1 && (err.code == ERR_INVALID || err.code == ERR_DENIED))
		return password_form(r, err.code == ERR_INVALID ? 422 : 403, &err);
	if (rc == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "Your password is changed. Sign in with it.");
	return res_redirect(r, "/admin/sign-in");
}
