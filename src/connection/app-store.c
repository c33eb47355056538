/* The store of providers' apps, and what people do to them. */
#include "account/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "connection/app-internal.h"
#include "connection/sealed.h"
#include "provider/manifest.h"

#define KIND "provider_app"
#define PLACE "provider_apps"

#define APP_COLUMNS                                                                                \
	"p.id, p.account_id, p.provider_type, p.name, p.credentials, p.created_at, p.updated_at,"  \
	" p.is_configured"
enum {
	APP_ID,
	APP_ACCOUNT,
	APP_PROVIDER,
	APP_NAME,
	APP_CREDENTIALS,
	APP_CREATED_AT,
	APP_UPDATED_AT,
	APP_IS_CONFIGURED,
	APP_USES /* of lists */
};
/* Those of an account: its own, and the installation's. */
#define APP_USABLE "(p.account_id = ? OR p.account_id IS NULL)"

DB_STMT(provider_app_by_id, "SELECT " APP_COLUMNS " FROM provider_apps p WHERE p.id = ?");
DB_STMT(provider_app_for_update,
    "SELECT " APP_COLUMNS " FROM provider_apps p WHERE p.id = ? FOR UPDATE");
DB_STMT(provider_apps_usable,
    "SELECT " APP_COLUMNS " FROM provider_apps p WHERE " APP_USABLE " AND p.provider_type = ?"
    " ORDER BY p.account_id IS NULL, p.id DESC LIMIT 100");
DB_STMT(provider_apps_of_provider, "SELECT " APP_COLUMNS " FROM provider_apps p"
				   " WHERE p.provider_type = ? ORDER BY p.id DESC LIMIT 100");
DB_STMT(provider_apps_page,
    "SELECT " APP_COLUMNS ", (SELECT COUNT(*) FROM connections c WHERE c.account_id = ?"
    " AND c.app_id = p.id) FROM provider_apps p WHERE " APP_USABLE
    " AND (? IS NULL OR p.provider_type = ?) AND p.id < ? ORDER BY p.id DESC LIMIT ? OFFSET ?");
DB_STMT(provider_apps_count, "SELECT COUNT(*) FROM provider_apps p WHERE " APP_USABLE
			     " AND (? IS NULL OR p.provider_type = ?)");
DB_STMT(provider_app_uses, "SELECT COUNT(*) FROM connections WHERE app_id = ?"
			   " AND (? IS NULL OR account_id = ?)");
DB_STMT(provider_app_insert,
    "INSERT INTO provider_apps (id, account_id, provider_type, name, credentials, created_at,"
    " updated_at, is_configured) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
DB_STMT(provider_app_set,
    "UPDATE provider_apps SET name = ?, credentials = ?, updated_at = ? WHERE id = ?");
DB_STMT(provider_apps_configured,
    "SELECT id FROM provider_apps WHERE is_configured = 1 ORDER BY id LIMIT 1000");
DB_STMT(provider_app_delete, "DELETE FROM provider_apps WHERE id = ?");

static const struct filter_row provider_app_filters[] = {
    {"providerType", FILTER_TEXT, offsetof(struct provider_app_filter, provider_type), NULL, NULL},
    {NULL, 0, 0, NULL, NULL}};
const struct list list_of_provider_apps = {"provider-apps", provider_app_filters, NULL};

bool provider_app_is_installations(const struct provider_app *app)
{
	return uuid_is_nil(app->account_id);
}

bool provider_app_is_known(const struct provider *p)
{
	return p->napp_credentials > 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

static struct provider_app *app_of_row_shown(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row)
{
	struct provider_app *v = arena_zalloc(a, sizeof(*v));

	v->id = db_get_uuid(rows, row, APP_ID);
	v->account_id = db_get_uuid(rows, row, APP_ACCOUNT);
	v->provider_type = db_get_text(rows, row, APP_PROVIDER);
	v->provider = provider_find(app->providers, str_from(v->provider_type));
	v->name = db_get_text(rows, row, APP_NAME);
	v->created_us = db_get_int(rows, row, APP_CREATED_AT);
	v->updated_us = db_get_int(rows, row, APP_UPDATED_AT);
	v->is_configured = db_get_int(rows, row, APP_IS_CONFIGURED) != 0;
	return v;
}

static struct provider_app *app_of_row(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t row, struct err *err)
{
	struct provider_app *v = app_of_row_shown(app, a, rows, row);

	v->credentials = sealed_open(app, a, PLACE, &v->id, db_get_str(rows, row, APP_CREDENTIALS),
	    "the credentials of app", err);
	return v->credentials == NULL ? NULL : v;
}

json_t *provider_app_open(
    struct app *app, struct arena *a, const struct uuid *id, struct str blob, struct err *err)
{
	return sealed_open(app, a, PLACE, id, blob, "the credentials of app", err);
}

static bool app_is_usable(const struct provider_app *v, const struct uuid *account_id)
{
	return account_id == NULL || provider_app_is_installations(v) ||
	       uuid_eq(v->account_id, *account_id);
}

int provider_app_get(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct provider_app **out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &provider_app_by_id, DB_VALS(db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	if (!app_is_usable(app_of_row_shown(app, a, &rows, 0), account_id))
		return 0;
	*out = app_of_row(app, a, &rows, 0, err);
	return *out == NULL ? -1 : 1;
}

int provider_app_get_shown(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct provider_app **out, struct err *err)
{
	struct err shut = ERR_INIT;
	struct db_rows rows;
	int found = db_row(app->db, a, &provider_app_by_id, DB_VALS(db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	*out = app_of_row_shown(app, a, &rows, 0);
	if (!app_is_usable(*out, account_id))
		return 0;
	(*out)->credentials =
	    provider_app_open(app, a, id, db_get_str(&rows, 0, APP_CREDENTIALS), &shut);
	(*out)->is_shut = (*out)->credentials == NULL;
	return 1;
}

static struct provider_app **apps_of_rows(
    struct app *app, struct arena *a, const struct db_rows *rows, size_t *n)
{
	struct provider_app **out = arena_array(a, rows->count + 1, sizeof(struct provider_app *));

	*n = 0;
	for (size_t i = 0; i < rows->count; i++) {
		struct err why = ERR_INIT;
		struct provider_app *v = app_of_row(app, a, rows, i, &why);

		if (v == NULL) /* one broken row must not stop its neighbours */
			log_error("provider_app.unreadable", LOG_ERR(&why));
		else
			out[(*n)++] = v;
	}
	return out;
}

int provider_app_list_usable(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct provider *p, struct provider_app ***out, size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &provider_apps_usable,
		DB_VALS(db_uuid(account_id), db_str(p->name)), &rows, err) == -1)
		return -1;
	*out = apps_of_rows(app, a, &rows, n);
	return 0;
}

int provider_apps_access(struct app *app, struct arena *a, const struct provider *p,
    const struct access *const **out, size_t *n, struct err *err)
{
	const struct access **list;
	struct provider_app **v;
	struct db_rows rows;

	*n = 0;
	if (!provider_app_is_known(p))
		return 0;
	if (db_query(
		app->db, a, &provider_apps_of_provider, DB_VALS(db_str(p->name)), &rows, err) == -1)
		return -1;
	v = apps_of_rows(app, a, &rows, n);
	list = arena_array(a, *n + 1, sizeof(struct access *));
	for (size_t i = 0; i < *n; i++) {
		struct access *c = arena_zalloc(a, sizeof(*c));

		*c = (struct access){.external_account_id = "",
		    .settings = json_own(a, json_object()),
		    .credentials = json_own(a, json_object()),
		    .app = v[i]->credentials};
		list[i] = c;
	}
	*out = list;
	return 0;
}

int provider_app_list(struct app *app, struct arena *a, const struct provider_app_filter *f,
    struct slice *s, struct provider_app ***out, size_t *n, struct err *err)
{
	struct db_val type = db_name(f->provider_type), account = db_uuid(&f->account_id);
	struct cursor from = slice_from(s);
	struct db_rows rows, count;

	if (db_query(app->db, a, &provider_apps_page,
		DB_VALS(account, account, type, type, db_uuid(&from.id), db_int(slice_limit(s)),
		    db_int(s->offset)),
		&rows, err) == -1 ||
	    db_query(app->db, a, &provider_apps_count, DB_VALS(account, type, type), &count, err) ==
		-1)
		return -1;
	s->total = db_get_int(&count, 0, 0);
	*n = slice_fill(s, &rows, SLICE_BY_ID, APP_ID);
	*out = arena_array(a, *n + 1, sizeof(struct provider_app *));
	for (size_t i = 0; i < *n; i++) {
		(*out)[i] = app_of_row_shown(app, a, &rows, i);
		(*out)[i]->connections = db_get_int(&rows, i, APP_USES);
	}
	return 0;
}

int provider_app_count_uses(struct app *app, struct arena *a, const struct uuid *account_id,
    struct provider_app *v, struct err *err)
{
	struct db_val account = account_id == NULL ? db_null() : db_uuid(account_id);
	struct db_rows rows;

	if (db_query(app->db, a, &provider_app_uses, DB_VALS(db_uuid(&v->id), account, account),
		&rows, err) == -1)
		return -1;
	v->connections = db_get_int(&rows, 0, 0);
	return 0;
}

json_t *provider_app_json(const struct provider_app *v)
{
	json_t *o = json_object(), *names, *value;
	char id[UUID_TEXT];
	const char *key;

	uuid_text(id, v->id);
	json_set_str(o, "id", id);
	json_set_str(o, "providerType", v->provider_type);
	json_set_str(o, "name", v->name);
	json_set_str(o, "owner", provider_app_is_installations(v) ? "installation" : "account");
	json_set_bool(o, "isConfigured", v->is_configured);
	json_set_int(o, "connections", v->connections);
	json_set_time(o, "createdAt", v->created_us);
	json_set_time(o, "updatedAt", v->updated_us);
	if (v->credentials == NULL)
		return o;
	names = json_array();
	json_object_each(v->credentials, key, value)
		json_array_append_new(names, json_string(key));
	json_set(o, "credentials", names);
	return o;
}

/* ---- the acts ----------------------------------------------------------------------------- */

/* Of the credentials only their names. */
static json_t *app_audited(struct arena *a, const struct provider_app *v)
{
	json_t *o = json_own(a, provider_app_json(v));

	json_object_del(o, "id");
	json_object_del(o, "createdAt");
	json_object_del(o, "updatedAt");
	json_object_del(o, "connections");
	return o;
}

struct app_act {
	struct app *app;
	struct arena *a;
	const struct uuid *account_id,
	    *id; /* account_id NULL: the operator; id of a new one: NULL */
	const json_t *body;
	bool is_of_file; /* the configuration changes it, and nobody else does */
	struct provider_app *v;
	struct str blob; /* its credentials as they were sealed */
	int found;
};

static int app_add_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct app_act *act = arg;
	struct provider_app *v = arena_zalloc(act->a, sizeof(*v));
	struct str sealed;

	v->id = act->id != NULL ? *act->id : uuid_new();
	v->is_configured = act->is_of_file;
	if (act->account_id != NULL)
		v->account_id = *act->account_id;
	v->created_us = v->updated_us = clock_now_us();
	if (provider_app_take_body(act->app, act->a, act->body, v, err) == -1)
		return -1;
	sealed = sealed_json(act->app, act->a, PLACE, &v->id, v->credentials, err);
	if (sealed.p == NULL ||
	    db_exec(db, &provider_app_insert,
		DB_VALS(db_uuid(&v->id), db_uuid_or_null(&v->account_id), db_str(v->provider_type),
		    db_str(v->name), db_blob(sealed), db_int(v->created_us), db_int(v->updated_us),
		    db_int(v->is_configured)),
		NULL, err) == -1)
		return -1;
	act->v = v;
	audit_note(log, "provider_app.create", KIND, &v->id, v->name, NULL, app_audited(act->a, v));
	return 0;
}

/* What the act is about, nobody else changing it; an account changes its own alone. Sets found. */
static int app_lock(struct app_act *act, struct db *db, struct provider_app **out, struct err *err)
{
	struct db_rows rows;
	struct provider_app *v;

	act->found =
	    db_row(db, act->a, &provider_app_for_update, DB_VALS(db_uuid(act->id)), &rows, err);
	if (act->found != 1)
		return act->found;
	v = app_of_row_shown(act->app, act->a, &rows, 0);
	if (act->account_id != NULL && !uuid_eq(v->account_id, *act->account_id)) {
		act->found = 0;
		if (!provider_app_is_installations(v))
			return 0;
		return err_set(err, ERR_CONFLICT,
		    "This app is the installation's: its operator changes it, with connectctl app");
	}
	if (v->is_configured && !act->is_of_file)
		return err_set(err, ERR_CONFLICT,
		    "This app stands in the file that provider_apps names: change it there");
	*out = v;
	act->blob = db_get_str(&rows, 0, APP_CREDENTIALS);
	return 1;
}

static int app_change_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct app_act *act = arg;
	struct provider_app *v;
	struct str sealed;
	struct err shut = ERR_INIT;
	json_t *before, *after, *old;
	int rc = app_lock(act, db, &v, err);

	if (rc != 1)
		return rc == 0 ? 1 : -1;
	v->credentials = provider_app_open(act->app, act->a, &v->id, act->blob, &shut);
	/* What is stored may be opened again once its key is back: it is not written over. */
	if (v->credentials == NULL &&
	    json_object_size(json_object_get(act->body, "credentials")) == 0)
		return err_field(err, ERR_INVALID, "credentials",
		    "cannot be opened, since their key is missing: all of them are needed anew");
	old = v->credentials;
	before = app_audited(act->a, v);
	if (act->is_of_file) /* all of them stand there */
		v->credentials = NULL;
	if (provider_app_take_body(act->app, act->a, act->body, v, err) == -1)
		return -1;
	v->updated_us = clock_now_after_us(v->updated_us);
	sealed = sealed_json(act->app, act->a, PLACE, &v->id, v->credentials, err);
	if (sealed.p == NULL ||
	    db_exec(db, &provider_app_set,
		DB_VALS(db_str(v->name), db_blob(sealed), db_int(v->updated_us), db_uuid(&v->id)),
		NULL, err) == -1)
		return -1;
	act->v = v;
	after = app_audited(act->a, v);
	json_set_bool(after, "credentialsChanged", !json_equal(old, v->credentials));
	json_set_bool(before, "credentialsChanged", false);
	audit_note(log, "provider_app.update", KIND, &v->id, v->name, before, after);
	return 0;
}

/* One that cannot be opened any more can still be removed. */
static int app_remove_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct app_act *act = arg;
	struct provider_app *v;
	int rc = app_lock(act, db, &v, err);

	if (rc != 1)
		return rc == 0 ? 1 : -1;
	if (db_exec(db, &provider_app_delete, DB_VALS(db_uuid(&v->id)), NULL, err) == -1)
		return -1;
	audit_note(log, "provider_app.delete", KIND, &v->id, v->name, app_audited(act->a, v), NULL);
	return 0;
}

int provider_app_add(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const json_t *body, struct provider_app **out, struct err *err)
{
	struct app_act act = {.app = app, .a = a, .account_id = account_id, .body = body};
	int rc = audit_change(app, r, account_id, app_add_body, &act, err);

	*out = act.v;
	return rc;
}

int provider_app_change(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *id, const json_t *body,
    struct provider_app **out, struct err *err)
{
	struct app_act act = {.app = app, .a = a, .account_id = account_id, .id = id, .body = body};
	int rc = audit_change(app, r, account_id, app_change_body, &act, err);

	*out = act.v;
	return rc == -1 ? -1 : act.found;
}

int provider_app_remove(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	struct app_act act = {.app = app, .a = a, .account_id = account_id, .id = id};
	int rc = audit_change(app, r, account_id, app_remove_body, &act, err);

	return rc == -1 ? -1 : act.found;
}

/* ---- as the configuration has them ----------------------------------------------------------- */

/* Is it as the body says? Then nothing is written. */
static bool app_is_as_said(const struct provider_app *v, const json_t *body)
{
	return !v->is_shut && strcmp(v->name, json_str(body, "name")) == 0 &&
	       json_equal(v->credentials, json_object_get(body, "credentials"));
}

int provider_app_configure(
    struct app *app, struct arena *a, const struct uuid *id, const json_t *body, struct err *err)
{
	json_t *change = json_own(a, json_deep_copy(body));
	struct app_act act = {.app = app, .a = a, .id = id, .body = body, .is_of_file = true};
	struct provider_app *v;
	int found = provider_app_get_shown(app, a, NULL, id, &v, err);

	if (found == 0)
		return audit_change(app, NULL, NULL, app_add_body, &act, err);
	if (found == -1 || app_is_as_said(v, body))
		return found == -1 ? -1 : 0;
	json_object_del(change, "providerType");
	act.body = change;
	return audit_change(app, NULL, NULL, app_change_body, &act, err);
}

int provider_apps_unconfigure(
    struct app *app, struct arena *a, const struct uuid *kept, size_t n, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &provider_apps_configured, NULL, 0, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);
		struct app_act act = {.app = app, .a = a, .id = &id, .is_of_file = true};
		size_t k = 0;

		while (k < n && !uuid_eq(kept[k], id))
			k++;
		if (k == n && audit_change(app, NULL, NULL, app_remove_body, &act, err) == -1)
			return -1;
	}
	return 0;
}
