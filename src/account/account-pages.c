/* The pages before the panel: sign-in, sign-out, first run. Data of "account/sign-in": {error,
 * email, next, csrf, totp, is_unused, is_lost}; of "account/setup": {error, email, next, csrf,
 * token, name, accountName}. */
#include <string.h>

#include "account/account-internal.h"
#include "html/chrome.h"

static const char *form_text(struct req *r, struct str s)
{
	return arena_strndup(r->a, s.n == 0 ? "" : s.p, s.n);
}

/* Nobody can sign in yet, so the page says how the first one comes about. */
static bool product_is_unused(struct req *r)
{
	struct err err = ERR_INIT;
	bool has_users;

	return store_user_any(r->app->db, r->a, &has_users, &err) == 0 && !has_users;
}

/* ---- sign-in --------------------------------------------------------------------------------- */

static int sign_in_form(struct req *r, int status, const char *error, struct str email,
    struct str next, bool wants_totp)
{
	json_t *data = json_object();

	json_set_str(data, "error", error);
	json_set_strn(data, "email", email.p != NULL && utf8_is_valid(email) ? email : STR(""));
	json_set_str(data, "next", session_next_path(r->a, next));
	json_set_str(data, "csrf", form_csrf_issue(r));
	json_set_bool(data, "totp", wants_totp);
	json_set_bool(data, "is_unused", product_is_unused(r));
	json_set_bool(data, "is_lost", error == NULL && str_is(req_query(r, "lost"), "1"));
	return chrome_page(r, status, NULL, "Sign in", "account/sign-in", data);
}

int account_page_sign_in(struct req *r)
{
	return sign_in_form(r, 200, NULL, STR(""), req_query(r, "next"), false);
}

static int sign_in_done(struct req *r, const struct account_member *m)
{
	struct err err = ERR_INIT;

	if (session_start(r, m, &err) == -1)
		return res_error(r, &err);
	return res_redirect(r, session_next_path(r->a, req_form(r, "next")));
}

static int sign_in_form_wait(struct req *r, struct str email, struct str next, int64_t wait_s)
{
	res_headerf(r, "Retry-After", "%lld", (long long)wait_s);
	return sign_in_form(r, 429,
	    arena_printf(r->a, "Too many attempts. Try again in %lld seconds.", (long long)wait_s),
	    email, next, false);
}

int account_page_sign_in_post(struct req *r)
{
	struct str email = req_form(r, "email"), next = req_form(r, "next");
	static const char wrong[] = "The email or the password is wrong.";
	const struct uuid oldest = {{0}};
	struct account_member m;
	struct err err = ERR_INIT;
	const char *normal;
	int64_t wait_s;

	if (!form_csrf_is_right(r))
		return sign_in_form(
		    r, 403, "The form had expired. Please try again.", email, next, false);
	normal = account_email_normal(r->a, email, &err);
	if (normal == NULL)
		return sign_in_form(r, 422, "Enter your email address.", email, next, false);
	wait_s = login_wait_s(r, normal);
	if (wait_s > 0)
		return sign_in_form_wait(r, email, next, wait_s);
	switch (login_check(
	    r, normal, req_form(r, "password"), req_form(r, "totp"), &oldest, &m, &err)) {
	case LOGIN_OK:
		return sign_in_done(r, &m);
	case LOGIN_WRONG:
		return sign_in_form(r, 401, wrong, email, next, req_form(r, "totp").n > 0);
	case LOGIN_WANTS_TOTP:
		return sign_in_form(r, 401,
		    "Enter your password again, with the code of your authenticator.", email, next,
		    true);
	case LOGIN_NO_ACCOUNT:
		return sign_in_form(
		    r, 403, "You belong to no account any more.", email, next, false);
	case LOGIN_FAILED:
		break;
	}
	return res_error(r, &err);
}

int account_page_sign_out(struct req *r)
{
	bool everywhere = str_is(req_form(r, "everywhere"), "1");
	struct err err = ERR_INIT;

	if (session_end(r, everywhere, &err) == -1)
		return res_error(r, &err);
	chrome_flash(
	    r, "ok", everywhere ? "You are signed out everywhere." : "You are signed out.");
	return res_redirect(r, "/admin/sign-in");
}

/* ---- first run ------------------------------------------------------------------------------- */

static int setup_form(struct req *r, int status, const char *error, struct str token)
{
	json_t *data = json_object();

	json_set_str(data, "error", error);
	json_set_str(data, "email", form_text(r, req_form(r, "email")));
	json_set_str(data, "name", form_text(r, req_form(r, "name")));
	json_set_str(data, "accountName", form_text(r, req_form(r, "accountName")));
	json_set_str(data, "token", form_text(r, token));
	json_set_str(data, "next", "/admin");
	json_set_str(data, "csrf", form_csrf_issue(r));
	return chrome_page(r, status, NULL, "Set up Connect", "account/setup", data);
}

static int link_is_dead(struct req *r)
{
	return res_problem(r, 404,
	    "This link has been used, or is older than a day. Make another with: connectctl "
	    "setup-link");
}

/* The token stands in the form, or in the address that the form was sent to. */
static struct str setup_token(struct req *r)
{
	struct str token = req_form(r, "token");

	if (token.n == 0)
		token = req_query(r, "token");
	return session_token_looks_right(token) ? token : STR("");
}

int account_page_setup(struct req *r)
{
	struct str token = setup_token(r);
	struct err err = ERR_INIT;
	int valid = account_setup_token_is_valid(r->app, r->a, token, &err);

	if (valid == -1)
		return res_error(r, &err);
	return valid ? setup_form(r, 200, NULL, token) : link_is_dead(r);
}

/* What the form calls a field. */
static const char *label_of(const char *field)
{
	static const char *const labels[][2] = {{"accountName", "The company or team"},
	    {"name", "Your name"}, {"email", "The email"}, {"password", "The password"}};

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcmp(field, labels[i][0]) == 0)
			return labels[i][1];
	return field;
}

int account_page_setup_post(struct req *r)
{
	struct str token = setup_token(r);
	struct account_member m;
	struct err err = ERR_INIT;
	int rc;

	if (!form_csrf_is_right(r))
		return setup_form(r, 403, "The form had expired. Please try again.", token);
	rc = account_setup_token_is_valid(r->app, r->a, token, &err);
	if (rc == 1)
		rc = account_setup(r->app, r->a, token, form_text(r, req_form(r, "accountName")),
		    form_text(r, req_form(r, "email")), form_text(r, req_form(r, "name")),
		    form_text(r, req_form(r, "password")), &m, &err);
	if (rc == 0)
		return link_is_dead(r);
	if (rc == -1 && err.code == ERR_INVALID)
		return setup_form(
		    r, 422, arena_printf(r->a, "%s %s.", label_of(err.field), err.msg), token);
	if (rc == -1)
		return res_error(r, &err);
	return sign_in_done(r, &m);
}
