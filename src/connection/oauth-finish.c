/* What a login brought becomes connections: new ones, or those that were there, which keep their
 * ids, and with them their history, mappings and addresses. */
#include "account/account.h"
#include "account/audit.h"
#include "base/clock.h"
#include "base/config.h"
#include "connection/app.h"
#include "connection/oauth-internal.h"
#include "html/chrome.h"
#include "job/queue.h"
#include "provider/manifest.h"

DB_STMT(connection_same_external,
    "SELECT id FROM connections WHERE account_id = ? AND provider_type = ?"
    " AND external_account_id = ? ORDER BY id LIMIT 1 FOR UPDATE");

/* By its grant, which nobody has whose id is nil. */
DB_STMT(connections_sharing,
    "SELECT external_account_id FROM connections WHERE account_id = ? AND grant_id = ?"
    " AND external_account_id <> '' LIMIT 500");

struct storing {
	struct req *r;
	struct oauth_found *f;
	struct grant *g;          /* what is stored */
	struct connection *again; /* it is logged in again; NULL: new ones */
	json_t
	    *sharing; /* by account at the provider: those that shared its grant, renewed with it */
	struct uuid first;
};

/* ---- one connection -------------------------------------------------------------------------- */

static int store_check_owner(struct storing *s, const char *external, struct err *err)
{
	struct req *r = s->r;
	int found;

	if (external == NULL || !s->f->is_proved)
		return 0;
	found = connection_is_proved_elsewhere(
	    r->app, r->a, &r->actor.account_id, s->f->provider, external, err);
	if (found != 1)
		return found;
	return err_set(err, ERR_CONFLICT,
	    "%s %s is connected in another account of this installation, and can be in one alone. "
	    "Disconnect it there first",
	    s->f->provider->display_name, external);
}

/* Is it what the connection was of, as far as that is known? */
static bool item_is_of(const struct connection *c, const char *external)
{
	const char *was = c->access.external_account_id;

	return external == NULL || was[0] == '\0' || strcmp(was, external) == 0;
}

/* The one that the login is for: which was asked for, or which is of that account already; a new
 * one else. */
static int store_find(
    struct storing *s, const char *external, struct connection **out, bool *is_new, struct err *err)
{
	struct req *r = s->r;
	bool is_again = s->again != NULL && item_is_of(s->again, external);
	struct uuid id = is_again ? s->again->id : (struct uuid){0};
	struct db_rows rows;
	int found = 1;

	*is_new = false;
	if (!is_again && external != NULL) {
		found = db_row(r->app->db, r->a, &connection_same_external,
		    DB_VALS(db_uuid(&r->actor.account_id), db_str(s->f->provider->name),
			db_str(external)),
		    &rows, err);
		if (found == 1)
			id = db_get_uuid(&rows, 0, 0);
	}
	if (found == 1 && !uuid_is_nil(id))
		found = connection_lock(r->app, r->a, &r->actor.account_id, &id, true, out, err);
	else if (found == 1)
		found = 0;
	if (found != 0)
		return found == -1 ? -1 : 0;
	if (is_again)
		return err_set(err, ERR_CONFLICT, "The connection is gone: connect anew");
	*out = connection_new(r->app, r->a, &r->actor.account_id, s->f->provider, NULL);
	(*out)->access.external_account_id = "";
	(*out)->access.settings = json_own(r->a, json_object());
	(*out)->access.credentials = json_own(r->a, json_object());
	*is_new = true;
	return 0;
}

/* Tokens that people gave by hand give way to those of the login. */
static void store_set_tokens(struct storing *s, struct connection *c, const json_t *item)
{
	static const char *const given[] = {
	    "accessToken", "refreshToken", "userAccessToken", "userRefreshToken"};
	json_t *own = json_own(s->r->a, json_deep_copy(c->access.credentials)), *v;
	const char *token = json_str(item, "accessToken"), *key;

	for (size_t i = 0; i < sizeof(given) / sizeof(*given); i++)
		json_object_del(own, given[i]);
	if (token != NULL)
		json_set_str(own, "accessToken", token);
	json_object_each(s->g->tokens, key, v)
		if (json_object_get(own, key) == NULL)
			json_object_set(own, key, v);
	c->access.credentials = own;
	c->grant.id = s->g->id;
	c->grant.tokens = s->g->tokens;
}

static int store_set_settings(struct storing *s, struct connection *c, const json_t *item,
    const char *external, struct err *err)
{
	struct req *r = s->r;
	json_t *settings = json_own(r->a, json_deep_copy(c->access.settings));

	json_merge(settings, s->g->settings);
	if (json_object_get(item, "settings") != NULL)
		json_merge(settings, json_object_get(item, "settings"));
	if (external != NULL) {
		if (manifest_has_setting(c->provider, "externalAccountId"))
			json_set_str(settings, "externalAccountId", external);
		c->access.external_account_id = external;
		c->proven_us = s->f->is_proved ? clock_now_us() : 0;
	}
	c->access.settings = settings;
	return connection_check_settings(
	    r->app, c->provider, settings, json_object_get(item, "settings"), err);
}

static int store_item(
    struct storing *s, struct audit *log, const json_t *item, struct uuid *id, struct err *err)
{
	struct req *r = s->r;
	const char *external = json_str(item, "externalAccountId"), *name = json_str(item, "name");
	struct connection *c;
	struct uuid former;
	bool is_new;

	if (store_check_owner(s, external, err) == -1 ||
	    store_find(s, external, &c, &is_new, err) == -1)
		return -1;
	former = c->grant.id;
	store_set_tokens(s, c, item);
	if (store_set_settings(s, c, item, external, err) == -1)
		return -1;
	if (is_new && name != NULL)
		c->name = name;
	c->app_named = s->g->app_id;
	c->status = CONNECTION_ACTIVE;
	c->last_error = NULL;
	if (connection_write(r->app, r->a, c, is_new, err) == -1 ||
	    connection_tell_changed(r->app, r->a, c, false, err) == -1)
		return -1;
	if (!is_new && !uuid_eq(former, s->g->id) &&
	    grant_release(r->app, r->a, &r->actor.account_id, &former, err) == -1)
		return -1;
	audit_caches_drop(r->app);
	if (!is_new && queue_renew(r->app, &c->account_id, &c->id, err) == -1)
		return -1;
	connection_note_login(r->a, log, c, is_new);
	*id = c->id;
	return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* The grant of a connection that is logged in again is given the new tokens, so that all who share
 * it go on; of any other the login has its own. */
static int store_grant(struct storing *s, struct err *err)
{
	struct req *r = s->r;
	struct grant *old = NULL;
	int found = 0;

	s->g = s->f->grant;
	if (s->f->grant_is_stored)
		return 0;
	if (s->again != NULL && !uuid_is_nil(s->again->grant.id))
		found = grant_get(
		    r->app, r->a, &r->actor.account_id, &s->again->grant.id, true, &old, err);
	if (found == -1)
		return -1;
	if (found == 0)
		return grant_insert(r->app, r->a, s->g, s->f->answer, err);
	s->g = arena_memdup(r->a, s->f->grant, sizeof(*s->g));
	s->g->id = old->id;
	s->g->updated_us = old->updated_us;
	return grant_store(r->app, r->a, s->g, s->f->answer, err);
}

/* What is logged in again, and who shares its grant. */
static int store_read_again(struct storing *s, struct err *err)
{
	struct req *r = s->r;
	struct db_rows rows;
	int found;

	s->again = NULL;
	s->sharing = json_own(r->a, json_object());
	if (uuid_is_nil(s->f->connection_id))
		return 0;
	found = connection_get(
	    r->app, r->a, &r->actor.account_id, &s->f->connection_id, &s->again, err);
	if (found != 1)
		return found == -1
			   ? -1
			   : err_set(err, ERR_CONFLICT, "The connection is gone: connect anew");
	if (db_query(r->app->db, r->a, &connections_sharing,
		DB_VALS(db_uuid(&r->actor.account_id), db_uuid(&s->again->grant.id)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		json_set_bool(s->sharing, db_get_text(&rows, i, 0), true);
	return 0;
}

static bool item_is_wanted(const struct storing *s, const json_t *item)
{
	const char *external = json_str(item, "externalAccountId");

	return s->again == NULL || item_is_of(s->again, external) ||
	       json_object_get(s->sharing, external) != NULL;
}

/* Somebody logged in to something else than what the connection is of. */
static int store_refuse_other(const struct storing *s, struct err *err)
{
	const char *external = json_str(json_array_get(s->f->items, 0), "externalAccountId");

	return err_set(err, ERR_CONFLICT,
	    "%s is of the %s account %s, and you logged in to %s. Log in to the same one, or "
	    "connect "
	    "the other as a new connection",
	    s->again->name, s->f->provider->display_name, s->again->access.external_account_id,
	    json_array_size(s->f->items) == 1 && external != NULL ? external : "others");
}

static int oauth_store_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct storing *s = arg;
	struct req *r = s->r;
	bool has_again = false;
	json_t *item;
	size_t i;
	int rc = 1;

	(void)db;
	if (!uuid_is_nil(s->f->login_id))
		rc = login_take(r->app, &r->actor.account_id, &s->f->login_id, err);
	if (rc != 1)
		return rc == -1 ? -1 : err_set(err, ERR_CONFLICT, "It was chosen already");
	if (store_read_again(s, err) == -1 || store_grant(s, err) == -1)
		return -1;
	json_array_each(s->f->items, i, item) {
		struct uuid id;

		if (!item_is_wanted(s, item))
			continue;
		if (store_item(s, log, item, &id, err) == -1)
			return -1;
		has_again = has_again || s->again == NULL || uuid_eq(id, s->again->id);
		if (i == 0 || (s->again != NULL && uuid_eq(id, s->again->id)))
			s->first = id;
	}
	return has_again ? 0 : store_refuse_other(s, err);
}

int oauth_store(struct req *r, struct oauth_found *f, struct uuid *id, struct err *err)
{
	struct storing s = {.r = r, .f = f};

	if (audit_change(r->app, r, &r->actor.account_id, oauth_store_body, &s, err) == -1)
		return -1;
	*id = s.first;
	return 0;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* The choice of the address; NULL after answering. */
static struct oauth_login *asked_choice(struct req *r, const struct provider *p)
{
	struct oauth_login *l = NULL;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return NULL;
	found = login_get(r->app, r->a, &id, &l, &err);
	if (found == -1) {
		res_error(r, &err);
		return NULL;
	}
	if (found == 1 && uuid_eq(l->account_id, r->actor.account_id) &&
	    !uuid_is_nil(l->grant_id) && strcmp(l->provider_type, p->name) == 0 &&
	    l->expires_us > clock_now_us() && login_is_of_browser(r, l))
		return l;
	oauth_problem(r, 410, p, "There is nothing to choose from any more",
	    "It was chosen already, or more than an hour ago. Log in again.", true);
	return NULL;
}

static int choose_page(
    struct req *r, int status, const struct provider *p, struct oauth_login *l, const char *wrong)
{
	json_t *data = json_object(), *rows = json_array(), *item, *o;
	size_t i;

	json_array_each(json_object_get(l->payload, "items"), i, item) {
		o = json_object();
		json_set_str(o, "id", json_str(item, "externalAccountId"));
		json_set_str(o, "name",
		    json_str(item, "name") != NULL ? json_str(item, "name")
						   : json_str(item, "externalAccountId"));
		json_array_append_new(rows, o);
	}
	json_set_bool(data, "is_one", json_array_size(rows) == 1);
	json_set(data, "rows", rows);
	json_set_str(data, "name", p->display_name);
	json_set_str(data, "type", p->name);
	json_set_str(data, "choice", uuid_dup(r->a, l->id));
	if (wrong != NULL)
		chrome_wrong(r, data, "", wrong);
	return chrome_page(r, status, "connections",
	    arena_printf(r->a, "New connection to %s", p->display_name), "connection/login-choose",
	    data);
}

int oauth_page_choose(struct req *r)
{
	const struct provider *p = oauth_provider_of_route(r);
	struct oauth_login *l = p == NULL ? NULL : asked_choice(r, p);

	return l == NULL ? 0 : choose_page(r, 200, p, l, NULL);
}

static bool is_picked(struct req *r, const char *external)
{
	for (size_t i = 0; i < r->form.n; i++)
		if (str_is(r->form.v[i].name, "pick") && str_is(r->form.v[i].value, external))
			return true;
	return false;
}

int oauth_page_choose_post(struct req *r)
{
	const struct provider *p = oauth_provider_of_route(r);
	struct oauth_login *l = p == NULL ? NULL : asked_choice(r, p);
	struct oauth_found f = {.provider = p, .grant_is_stored = true, .is_proved = true};
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *item;
	size_t i;
	int found;

	if (l == NULL)
		return 0;
	f.login_id = l->id;
	f.items = json_own(r->a, json_array());
	json_array_each(json_object_get(l->payload, "items"), i, item)
		if (is_picked(r, json_str(item, "externalAccountId")))
			json_array_append(f.items, item);
	if (json_array_size(f.items) == 0)
		return choose_page(r, 422, p, l, "Tick at least one");
	found = grant_get(r->app, r->a, &r->actor.account_id, &l->grant_id, false, &f.grant, &err);
	if (found == 0)
		return oauth_problem(r, 410, p, "The login is over", "Log in again.", true);
	if (found == 1 && oauth_store(r, &f, &id, &err) == 0)
		return oauth_leave(
		    r, json_str(l->payload, "redirect"), p, &id, json_array_size(f.items));
	if (err.code == ERR_CONFLICT || err.code == ERR_INVALID)
		return choose_page(r, 422, p, l, err.msg);
	return res_error(r, &err);
}

/* ---- what other pages show ------------------------------------------------------------------- */

/* What a login asks before it begins. */
static json_t *login_fields(struct arena *a, const struct provider *p, const json_t *settings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->nsettings; i++) {
		const struct setting_spec *spec = &p->settings[i];
		const char *had = json_scalar_text(a, json_object_get(settings, spec->key));
		json_t *o, *choices;

		if (!oauth_asks_setting(p, spec->key))
			continue;
		o = json_object();
		choices = json_array();
		json_set_str(o, "key", spec->key);
		json_set_str(o, "label", spec->label);
		json_set_str(o, "help", spec->help);
		json_set_str(o, "value", had != NULL ? had : "");
		json_set_bool(o, "is_needed", spec->is_needed);
		json_set_bool(o, "is_select", spec->nchoices > 0);
		for (size_t k = 0; k < spec->nchoices; k++) {
			json_t *choice = json_object();

			json_set_str(choice, "value", spec->choices[k]);
			json_array_append_new(choices, choice);
		}
		json_set(o, "choices", choices);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *login_apps(struct arena *a, struct provider_app *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_str(o, "id", uuid_dup(a, v[i]->id));
		json_set_str(o, "name", v[i]->name);
		json_array_append_new(list, o);
	}
	return list;
}

int oauth_show(struct req *r, const struct provider *p, json_t *data, struct err *err)
{
	struct provider_app **v;
	size_t n;

	if (!oauth_takes(p, OAUTH_CODE))
		return 0;
	if (provider_app_list_usable(r->app, r->a, &r->actor.account_id, p, &v, &n, err) == -1)
		return -1;
	json_set(data, "oauth_apps", login_apps(r->a, v, n));
	json_set(data, "oauth_fields", login_fields(r->a, p, NULL));
	json_set_bool(data, "has_oauth", true);
	json_set_bool(data, "is_oauth_alone", p->ncredentials == 0);
	json_set_bool(data, "oauth_ready", n > 0);
	json_set_bool(data, "oauth_has_several", n > 1);
	json_set_bool(data, "may_add_app", (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0);
	json_set_str(data, "oauth_href", arena_printf(r->a, "/auth/%s/login", p->name));
	json_set_str(data, "oauth_app_href",
	    arena_printf(r->a, "/admin/settings/apps/new?providerType=%s", p->name));
	json_set_str(data, "oauth_name", p->display_name);
	return 0;
}

const char *oauth_again_href(
    struct arena *a, const struct app *app, const char *provider_type, const char *id)
{
	const struct provider *p = provider_find(app->providers, str_from(provider_type));

	if (p == NULL || !oauth_takes(p, OAUTH_CODE))
		return NULL;
	return arena_printf(a, "/auth/%s/login?connection_id=%s", p->name, id);
}

void oauth_show_state(struct req *r, const struct connection *c, json_t *data)
{
	bool is_expired = strcmp(c->status, CONNECTION_EXPIRED) == 0;
	int64_t left_us = c->grant.ends_us - clock_now_us();

	json_set_bool(data, "is_expired", is_expired);
	json_set_str(data, "expired_why",
	    c->grant.dead_us != 0 && c->grant.error != NULL ? c->grant.error : c->last_error);
	json_set_str(data, "again_href",
	    oauth_again_href(r->a, r->app, c->provider_type, uuid_dup(r->a, c->id)));
	json_set_bool(data, "has_login", !uuid_is_nil(c->grant.id));
	json_set_str(data, "refresh_error", c->grant.dead_us == 0 ? c->grant.error : NULL);
	json_set_time(data, "token_until", c->grant.expires_us);
	json_set_time(data, "login_ends", c->grant.ends_us);
	json_set_bool(data, "ends_soon",
	    !is_expired && c->grant.ends_us != 0 && c->provider != NULL &&
		left_us < oauth_warn_days(c->provider) * DAY_US);
}
