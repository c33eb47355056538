/* Settings: apps at providers. Data of "connection/apps": {rows: [provider_app_json and
 * provider_name, may_change], can_write} and paging; of "connection/app-form": {heading, action,
 * name, fields[], types[], callback, is_edit}; of "connection/app-remove": a row with its uses. */
#include "account/account.h"
#include "base/config.h"
#include "connection/app.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "provider/manifest.h"
#include "provider/oauth.h"

#define ADDRESS "/admin/settings/apps"
#define APPS_SHOWN 50

static bool may_write(const struct req *r)
{
	return (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0;
}

static json_t *app_row(struct req *r, const struct provider_app *v)
{
	json_t *o = provider_app_json(v);

	json_set_str(o, "provider_name", provider_label(r->app, v->provider_type));
	json_set_bool(o, "is_installations", provider_app_is_installations(v));
	json_set_bool(o, "may_change", may_write(r) && !provider_app_is_installations(v));
	return o;
}

int provider_app_page_list(struct req *r)
{
	json_t *data = json_own(r->a, json_object());
	struct provider_app_filter f = {0};
	struct provider_app **v;
	struct slice s;
	struct err err = ERR_INIT;
	size_t n;

	if (!slice_read_page(r, &list_of_provider_apps, &f, APPS_SHOWN, &s))
		return res_redirect(r, ADDRESS);
	if (provider_app_list(r->app, r->a, &f, &s, &v, &n, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, app_row(r, v[i]));
	chrome_slice(r, &s, data);
	json_set_bool(data, "can_write", may_write(r));
	return chrome_settings(r, 200, "apps", "Apps", "connection/apps", json_incref(data));
}

/* ---- the form -------------------------------------------------------------------------------- */

/* Providers that have apps, to choose from. */
static json_t *app_types(struct req *r)
{
	json_t *list = json_array(), *o;

	for (size_t i = 0; i < providers_count(r->app->providers); i++) {
		const struct provider *p = provider_at(r->app->providers, i);

		if (!provider_app_is_known(p))
			continue;
		o = json_object();
		json_set_str(o, "label", p->display_name);
		json_set_str(
		    o, "href", arena_printf(r->a, ADDRESS "/new?providerType=%s", p->name));
		json_array_append_new(list, o);
	}
	return list;
}

/* What is not secret is shown while it is typed; nothing that is stored is ever shown. */
static bool credential_is_plain(const char *key)
{
	return strcmp(key, "clientId") == 0 || strcmp(key, "accountSid") == 0;
}

static json_t *app_fields(
    struct req *r, const struct provider *p, const struct provider_app *v, const struct err *wrong)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->napp_credentials; i++) {
		const struct credential_spec *spec = &p->app_credentials[i];
		const char *name = arena_printf(r->a, "credentials.%s", spec->key);
		bool is_wrong = wrong != NULL && strcmp(wrong->field, name) == 0;
		json_t *o = json_object();

		json_set_str(o, "name", name);
		json_set_str(o, "label", spec->label);
		json_set_str(o, "help", spec->help);
		json_set_bool(o, "is_plain", credential_is_plain(spec->key));
		json_set_bool(o, "is_stored",
		    v != NULL && json_object_get(v->credentials, spec->key) != NULL);
		json_set_bool(o, "is_needed", spec->is_needed && (v == NULL || v->is_shut));
		json_set_str(o, "error", is_wrong ? wrong->msg : NULL);
		json_array_append_new(list, o);
	}
	return list;
}

static int app_form(struct req *r, int status, const struct provider *p,
    const struct provider_app *v, const struct err *wrong)
{
	json_t *data = json_object();
	const char *heading =
	    v != NULL ? v->name : arena_printf(r->a, "New %s app", p->display_name);

	json_set_str(data, "heading", heading);
	json_set_str(data, "action",
	    v != NULL ? arena_printf(r->a, ADDRESS "/%s", uuid_dup(r->a, v->id))
		      : arena_printf(r->a, ADDRESS "/new?providerType=%s", p->name));
	if (r->method == HTTP_POST)
		json_set_strn(data, "name", req_form(r, "name"));
	else
		json_set_str(data, "name", v != NULL ? v->name : p->display_name);
	json_set_str(data, "provider_name", p->display_name);
	json_set_bool(data, "is_edit", v != NULL);
	json_set_bool(data, "is_shut", v != NULL && v->is_shut);
	json_set(data, "fields", app_fields(r, p, v, wrong));
	json_set_str(data, "callback",
	    oauth_is_there(p) && oauth_takes(p, OAUTH_CODE)
		? arena_printf(r->a, "%s/auth/%s/callback", r->app->config->base_url, p->name)
		: NULL);
	json_set_str(data, "webhook",
	    p->has_webhook ? arena_printf(r->a, "%s/webhook/%s", r->app->config->base_url, p->name)
			   : NULL);
	if (wrong != NULL)
		chrome_wrong(r, data, wrong->field, wrong->msg);
	return chrome_page(r, status, "settings", heading, "connection/app-form", data);
}

/* Empty credentials keep what is stored. */
static json_t *app_body(struct req *r, const struct provider *p, bool is_new)
{
	json_t *body = json_own(r->a, json_object()), *credentials = json_object();
	struct str name = utf8_trim(req_form(r, "name"));

	if (name.n > 0)
		json_set_strn(body, "name", name);
	if (is_new)
		json_set_str(body, "providerType", p->name);
	for (size_t i = 0; i < p->napp_credentials; i++) {
		const char *key = p->app_credentials[i].key;
		struct str v = utf8_trim(req_form(r, arena_printf(r->a, "credentials.%s", key)));

		if (v.n > 0)
			json_set_strn(credentials, key, v);
	}
	json_set(body, "credentials", credentials);
	return body;
}

/* The provider that the address names; NULL: it names none that has apps. */
static const struct provider *asked_type(struct req *r)
{
	const struct provider *p = provider_find(r->app->providers, req_query(r, "providerType"));

	return p != NULL && provider_app_is_known(p) ? p : NULL;
}

static int app_type_page(struct req *r)
{
	json_t *data = json_object();

	json_set(data, "types", app_types(r));
	return chrome_page(r, 200, "settings", "New app", "connection/app-type", data);
}

int provider_app_page_new(struct req *r)
{
	const struct provider *p = asked_type(r);

	return p == NULL ? app_type_page(r) : app_form(r, 200, p, NULL, NULL);
}

int provider_app_page_create(struct req *r)
{
	const struct provider *p = asked_type(r);
	struct provider_app *v;
	struct err err = ERR_INIT;

	if (p == NULL)
		return app_type_page(r);
	if (provider_app_add(
		r->app, r->a, r, &r->actor.account_id, app_body(r, p, true), &v, &err) == -1)
		return err.code == ERR_INVALID ? app_form(r, 422, p, NULL, &err)
					       : res_error(r, &err);
	chrome_flash(
	    r, "ok", "%s is added. Its secret is encrypted, and not shown again.", v->name);
	return res_redirect(r, ADDRESS);
}

/* The app of the address that the account may change; NULL after answering. */
static struct provider_app *asked_app(struct req *r)
{
	struct provider_app *v = NULL;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return NULL;
	found = provider_app_get_shown(r->app, r->a, &r->actor.account_id, &id, &v, &err);
	if (found == 1 &&
	    provider_app_count_uses(r->app, r->a, &r->actor.account_id, v, &err) == -1)
		found = -1;
	if (found == -1) {
		res_error(r, &err);
		return NULL;
	}
	if (found == 1 && !provider_app_is_installations(v) && v->provider != NULL)
		return v;
	res_problem(r, 404,
	    found == 1 ? "This app is changed by the operator, with connectctl app"
		       : "There is no such app");
	return NULL;
}

int provider_app_page_edit(struct req *r)
{
	struct provider_app *v = asked_app(r);

	return v == NULL ? 0 : app_form(r, 200, v->provider, v, NULL);
}

int provider_app_page_edit_post(struct req *r)
{
	struct provider_app *v = asked_app(r), *changed;
	struct err err = ERR_INIT;
	int found;

	if (v == NULL)
		return 0;
	found = provider_app_change(r->app, r->a, r, &r->actor.account_id, &v->id,
	    app_body(r, v->provider, false), &changed, &err);
	if (found == -1)
		return err.code == ERR_INVALID ? app_form(r, 422, v->provider, v, &err)
					       : res_error(r, &err);
	chrome_flash(r, "ok", "Saved.");
	return res_redirect(r, ADDRESS);
}

int provider_app_page_remove(struct req *r)
{
	struct provider_app *v = asked_app(r);
	json_t *data;

	if (v == NULL)
		return 0;
	data = app_row(r, v);
	json_set_bool(data, "is_one", v->connections == 1);
	return chrome_page(r, 200, "settings", "Please confirm", "connection/app-remove", data);
}

int provider_app_page_remove_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = provider_app_remove(r->app, r->a, r, &r->actor.account_id, &id, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such app");
	chrome_flash(r, "ok", "The app is removed, and its credentials are erased.");
	return res_redirect(r, ADDRESS);
}
