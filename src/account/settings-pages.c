/* Settings: the account. Data of "account/account": {name, zones, can_write, account_id, base_url,
 * version, sandbox_url, errors}. */
#include "account/account-internal.h"
#include "account/account-pages.h"
#include "base/clock.h"
#include "base/config.h"
#include "html/chrome.h"

void account_page_add_zones(struct req *r, json_t *data, struct str current)
{
	json_t *list = json_array();
	struct str *names;
	bool is_listed = false;
	size_t n = zone_names(r->a, &names);

	for (size_t i = 0; i <= n; i++) {
		/* One that people do not choose from, set through the API, stays as it is. */
		struct str name = i < n ? names[i] : current;
		bool is_current = str_eq(name, current);
		json_t *o;

		if (i == n && (is_listed || current.n == 0 || !zone_is_known(current)))
			break;
		is_listed = is_listed || is_current;
		o = json_object();
		json_set_strn(o, "value", name);
		json_set_bool(o, "is_current", is_current);
		json_array_append_new(list, o);
	}
	json_set(data, "zones", list);
}

int account_page_day_end(struct req *r, const char *field, int64_t *out_us, struct err *err)
{
	struct str text = utf8_trim(req_form(r, field));
	int64_t day_us;

	*out_us = 0;
	if (text.n == 0)
		return 0;
	if (text.n != sizeof("2026-12-31") - 1 || !clock_parse_iso(text, &day_us))
		return err_field(err, ERR_INVALID, field, "must be a date such as 2027-01-31");
	*out_us = zone_instant_us(r->actor.zone, day_us + DAY_US);
	return 0;
}

static int account_form(
    struct req *r, int status, struct str name, struct str zone, const struct err *wrong)
{
	const struct config *cfg = r->app->config;
	json_t *data = json_object();

	json_set_strn(data, "name", name);
	account_page_add_zones(r, data, zone);
	json_set_bool(data, "can_write", (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0);
	json_set_str(data, "account_id", uuid_dup(r->a, r->actor.account_id));
	json_set_str(data, "base_url", req_base_url(r));
	json_set_str(data, "version", PACKAGE_VERSION);
	json_set_str(data, "sandbox_url", cfg->sandbox ? cfg->sandbox_url : NULL);
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
	return chrome_settings(r, status, "account", "Account", "account/account", data);
}

int account_page_settings(struct req *r)
{
	return account_form(r, 200, str_from(r->actor.account_name),
	    str_from(zone_name(r->actor.account_zone)), NULL);
}

int account_page_settings_post(struct req *r)
{
	struct account_settings s = {req_form(r, "name"), req_form(r, "zone")};
	struct err err = ERR_INIT;

	if (account_settings_change(r, &s, &err) == -1)
		return err.code == ERR_INVALID ? account_form(r, 422, s.name, s.zone, &err)
					       : res_error(r, &err);
	chrome_flash(r, "ok", "Saved.");
	return res_redirect(r, "/admin/settings/account");
}
