/* Settings: a person's own profile. Data of "account/profile": {name, email, zones, account_zone,
 * has_second_factor, codes_left, sessions: [{id, device, address, createdAt, seenAt, is_this}],
 * has_others, accounts, wrong: the form that errors are of}; of "account/second-factor": {qr_svg,
 * secret, sealed, errors}; of "account/recovery-codes": {codes}. */
#include <stdio.h>
#include <string.h>

#include "account/account-internal.h"
#include "account/account-pages.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "html/chrome.h"
#include "html/qr.h"

#define ADDRESS "/admin/settings/profile"

/* ---- the page -------------------------------------------------------------------------------- */

/* "Firefox on Windows": enough to know one's own. */
static const char *device_name(struct arena *a, const char *agent)
{
	static const char *const browsers[][2] = {{"Edg", "Edge"}, {"OPR/", "Opera"},
	    {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"},
	    {"Chrome/", "Chrome"}, {"Safari/", "Safari"}};
	static const char *const systems[][2] = {{"iPhone", "iPhone"}, {"iPad", "iPad"},
	    {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"},
	    {"CrOS", "ChromeOS"}, {"Linux", "Linux"}};
	const char *browser = NULL, *system = NULL;

	for (size_t i = 0; browser == NULL && i < sizeof(browsers) / sizeof(browsers[0]); i++)
		if (strstr(agent, browsers[i][0]) != NULL)
			browser = browsers[i][1];
	for (size_t i = 0; system == NULL && i < sizeof(systems) / sizeof(systems[0]); i++)
		if (strstr(agent, systems[i][0]) != NULL)
			system = systems[i][1];
	if (browser == NULL && system == NULL)
		return *agent == '\0' ? "Unknown device" : agent;
	if (browser == NULL || system == NULL)
		return browser == NULL ? system : browser;
	return arena_printf(a, "%s on %s", browser, system);
}

static int profile_add_sessions(struct req *r, json_t *data, struct err *err)
{
	int64_t idle_us = r->app->config->session_idle_s * SECOND_US;
	json_t *list = json_array();
	struct session_row *rows;
	bool has_others = false;
	size_t n;

	json_set(data, "sessions", list);
	if (store_sessions_own(
		r->app->db, r->a, &r->actor.user_id, clock_now_us(), idle_us, &rows, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		bool is_this = uuid_eq(rows[i].handle, r->actor.session_id);
		json_t *o = json_object();

		json_set_str(o, "id", uuid_dup(r->a, rows[i].handle));
		json_set_str(o, "device", device_name(r->a, rows[i].user_agent));
		json_set_str(o, "address", rows[i].remote_addr);
		json_set_time(o, "createdAt", rows[i].created_us);
		json_set_time(o, "seenAt", rows[i].seen_us);
		json_set_bool(o, "is_this", is_this);
		json_array_append_new(list, o);
		has_others = has_others || !is_this;
	}
	json_set_bool(data, "has_others", has_others);
	return 0;
}

/* p: what the first form shows, NULL: what is stored. form: the one that *wrong is of. */
static int profile_show(
    struct req *r, int status, const struct profile *p, const char *form, const struct err *wrong)
{
	json_t *data = json_own(r->a, json_object());
	struct err err = ERR_INIT;
	struct profile stored;
	int64_t codes_left;

	if (profile_read(r, &stored, &err) == -1 ||
	    second_factor_codes_left(r->app, r->a, &r->actor.user_id, &codes_left, &err) == -1 ||
	    profile_add_sessions(r, data, &err) == -1 ||
	    account_page_add_accounts(r, data, &err) == -1)
		return res_error(r, &err);
	p = p == NULL ? &stored : p;
	json_set_strn(data, "name", p->name);
	json_set_strn(data, "email", p->email);
	json_set_str(data, "account_zone", zone_name(r->actor.account_zone));
	account_page_add_zones(r, data, p->zone);
	json_set_bool(data, "has_second_factor", stored.has_second_factor);
	json_set_int(data, "codes_left", codes_left);
	json_set_bool(data, "has_codes", codes_left > 0);
	if (wrong != NULL) {
		json_t *of = json_object();

		json_set_bool(of, form, true);
		json_set(data, "wrong", of);
		chrome_wrong(r, data, wrong->field, wrong->msg);
	}
	return chrome_settings(
	    r, status, "profile", "My profile", "account/profile", json_incref(data));
}

/* What a form could not do is said at that form. */
static int profile_refuse(
    struct req *r, const struct profile *p, const char *form, const struct err *err)
{
	if (err->code == ERR_INVALID)
		return profile_show(r, 422, p, form, err);
	if (err->code == ERR_CONFLICT)
		return profile_show(r, 409, p, form, err);
	return res_error(r, err);
}

int account_page_profile(struct req *r)
{
	return profile_show(r, 200, NULL, NULL, NULL);
}

int account_page_profile_post(struct req *r)
{
	struct profile p = {.name = req_form(r, "name"),
	    .email = req_form(r, "email"),
	    .zone = req_form(r, "zone")};
	struct err err = ERR_INIT;

	if (profile_change(r, &p, req_form(r, "password"), &err) == -1)
		return profile_refuse(r, &p, "profile", &err);
	chrome_flash(r, "ok", "Saved.");
	return res_redirect(r, ADDRESS);
}

int account_page_password(struct req *r)
{
	struct err err = ERR_INIT;

	if (profile_password_change(
		r, req_form(r, "password"), req_form(r, "new_password"), &err) == -1)
		return profile_refuse(r, NULL, "password", &err);
	chrome_flash(r, "ok", "Your password is changed. You are signed out everywhere else.");
	return res_redirect(r, ADDRESS);
}

/* id: a session; without one all others. */
int account_page_sessions(struct req *r)
{
	struct str text = req_form(r, "id");
	struct err err = ERR_INIT;
	struct uuid id;
	int ended;

	if (text.n > 0 && !uuid_parse(text, &id))
		return res_problem(r, 404, "There is no such session");
	ended = session_end_other(r, text.n > 0 ? &id : NULL, &err);
	if (ended == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "%s",
	    text.n == 0 ? "You are signed out everywhere else."
	    : ended     ? "That session is ended."
			: "That session had ended already.");
	return res_redirect(r, ADDRESS);
}

/* ---- second factor --------------------------------------------------------------------------- */

static int factor_show(
    struct req *r, int status, const struct second_factor_begun *b, const struct err *wrong)
{
	json_t *data = json_own(r->a, json_object());
	struct buf *svg = buf_new(r->a, LIMIT_PAGE_BYTES);
	struct err err = ERR_INIT;

	if (qr_svg(svg, "QR code for your authenticator", b->uri, &err) == -1)
		return res_error(r, &err);
	json_set_strn(data, "qr_svg", (struct str){svg->p, svg->len});
	json_set_str(data, "secret", b->secret);
	json_set_str(data, "uri", b->uri);
	json_set_str(data, "sealed", b->sealed);
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
	return chrome_page(r, status, "settings", "Set up the second factor",
	    "account/second-factor", json_incref(data));
}

static int codes_show(struct req *r, const char *const codes[SECOND_FACTOR_CODES])
{
	json_t *data = json_object(), *list = json_array();

	for (size_t i = 0; i < SECOND_FACTOR_CODES; i++)
		json_array_append_new(list, json_string(codes[i]));
	json_set(data, "codes", list);
	return chrome_page(
	    r, 200, "settings", "Your recovery codes", "account/recovery-codes", data);
}

int account_page_factor_begin(struct req *r)
{
	struct second_factor_begun b;
	struct err err = ERR_INIT;

	if (login_confirm(r, req_form(r, "password"), &err) == -1)
		return profile_refuse(r, NULL, "factor", &err);
	if (second_factor_begin(r, &b, &err) == -1)
		return res_error(r, &err);
	return factor_show(r, 200, &b, NULL);
}

int account_page_factor_confirm(struct req *r)
{
	const char *codes[SECOND_FACTOR_CODES];
	struct str sealed = req_form(r, "sealed");
	struct second_factor_begun b;
	struct err err = ERR_INIT;

	if (second_factor_confirm(r, sealed, req_form(r, "code"), codes, &err) == 0)
		return codes_show(r, codes);
	if (err.code == ERR_INVALID && second_factor_resume(r, sealed, &b) == 1)
		return factor_show(r, 422, &b, &err);
	return profile_refuse(r, NULL, "factor", &err);
}

/* act: codes, or off. */
int account_page_factor_change(struct req *r)
{
	const char *codes[SECOND_FACTOR_CODES];
	bool is_off = str_is(req_form(r, "act"), "off");
	struct err err = ERR_INIT;

	if (login_confirm(r, req_form(r, "password"), &err) == -1)
		return profile_refuse(r, NULL, "factor", &err);
	if ((is_off ? second_factor_off(r, &err) : second_factor_renew_codes(r, codes, &err)) == -1)
		return res_error(r, &err);
	if (!is_off)
		return codes_show(r, codes);
	chrome_flash(r, "ok", "The second factor is off. You are signed out everywhere else.");
	return res_redirect(r, ADDRESS);
}
