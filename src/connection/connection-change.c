/* What people do to connections, whether in the pages or by the API: each act with its row of the
 * audit log, and the caches dropped once it is committed. */
#include "account/audit.h"
#include "base/limits.h"
#include "connection/connection-internal.h"
#include "connection/grant.h"
#include "job/queue.h"

#define KIND "connection"

/* ---- as the audit log shows it ------------------------------------------------------------- */

static json_t *member_names(const json_t *object)
{
	json_t *names = json_array(), *v;
	const char *key;

	json_object_each(object, key, v)
		json_array_append_new(names, json_string(key));
	return names;
}

/* Of the credentials only their names; a list has none to show. */
static json_t *connection_audited(struct arena *a, const struct connection *c)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "providerType", c->provider_type);
	json_set_str(o, "name", c->name);
	json_set_str(o, "status", c->status);
	json_set_bool(o, "autoPush", c->auto_push);
	json_set(o, "settings", json_deep_copy(c->access.settings));
	if (c->access.credentials != NULL)
		json_set(o, "credentials", member_names(c->access.credentials));
	if (json_array_size(c->access.former) > 0)
		json_set(o, "formerSecrets", secrets_json(&c->access));
	return o;
}

/* The names of those that are new or have another value. */
static json_t *credential_names_set(const json_t *before, const json_t *after)
{
	json_t *names = json_array(), *v;
	const char *key;

	json_object_each(after, key, v) {
		if (!json_equal(v, json_object_get(before, key)))
			json_array_append_new(names, json_string(key));
	}
	return names;
}

/* ---- the acts ------------------------------------------------------------------------------ */

void connection_note_login(
    struct arena *a, struct audit *log, const struct connection *c, bool is_new)
{
	json_t *after = connection_audited(a, c);

	if (is_new)
		audit_note(log, "connection.create", KIND, &c->id, c->name, NULL, after);
	else
		audit_note(log, "connection.login", KIND, &c->id, c->name,
		    json_own(a, json_object()), after);
}

struct connection_act {
	struct req *r;
	const struct provider *p;
	const struct uuid *id; /* of a new one: reserved for it, or NULL */
	const json_t *body;
	struct connection *c;
	int found;
	size_t removed;
};

static int connection_add_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct connection_act *act = arg;
	struct req *r = act->r;

	(void)db;
	if (connection_create(r->app, r->a, &r->actor.account_id, act->p, act->id, act->body,
		&act->c, err) == -1 ||
	    connection_tell_changed(r->app, r->a, act->c, false, err) == -1)
		return -1;
	audit_note(log, "connection.create", KIND, &act->c->id, act->c->name, NULL,
	    connection_audited(r->a, act->c));
	return 0;
}

int connection_add(struct req *r, const struct provider *p, const json_t *body,
    struct connection **out, struct err *err)
{
	return connection_add_as(r, p, NULL, body, out, err);
}

int connection_add_as(struct req *r, const struct provider *p, const struct uuid *id,
    const json_t *body, struct connection **out, struct err *err)
{
	struct connection_act act = {.r = r, .p = p, .id = id, .body = body};
	int rc = audit_change(r->app, r, &r->actor.account_id, connection_add_body, &act, err);

	*out = act.c;
	return rc;
}

/* What its jobs failed of may be over: caches first, so that nobody goes on with what it was. */
static int connection_renew(struct app *app, const struct connection *c, struct err *err)
{
	audit_caches_drop(app);
	return queue_renew(app, &c->account_id, &c->id, err);
}

/* What waits for one that is not to be called any more ends now, rather than at its next try. */
static int connection_end_waits(struct app *app, const struct connection *c, struct err *err)
{
	audit_caches_drop(app);
	return queue_release(app->db, &c->account_id, &c->id, err);
}

static bool is_renewed(const struct connection *c, const json_t *body)
{
	return strcmp(c->status, CONNECTION_DISABLED) != 0 &&
	       (json_object_get(body, "credentials") != NULL ||
		   json_object_get(body, "settings") != NULL ||
		   json_object_get(body, "status") != NULL);
}

static bool is_just_disabled(const struct connection *c, const json_t *body)
{
	return strcmp(c->status, CONNECTION_DISABLED) == 0 &&
	       json_object_get(body, "status") != NULL;
}

static int connection_change_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct connection_act *act = arg;
	struct req *r = act->r;
	struct connection *c;

	(void)db;
	act->found = connection_lock(r->app, r->a, &r->actor.account_id, act->id, true, &c, err);
	if (act->found != 1)
		return act->found == 0 ? 1 : -1;
	const json_t *credentials = c->access.credentials;
	json_t *settings = c->access.settings;
	json_t *before = connection_audited(r->a, c), *after;
	if (connection_update(r->app, r->a, c, act->body, err) == -1 ||
	    (is_renewed(c, act->body) && connection_renew(r->app, c, err) == -1) ||
	    (is_just_disabled(c, act->body) && connection_end_waits(r->app, c, err) == -1) ||
	    connection_tell_changed(r->app, r->a, c, false, err) == -1)
		return -1;
	act->c = c;
	after = connection_audited(r->a, c);
	connection_note_moved(r->a, c, settings, before, after);
	json_t *set = json_own(r->a, credential_names_set(credentials, c->access.credentials));
	if (json_array_size(set) > 0)
		json_set(after, "credentialsSet", json_incref(set));
	audit_note(log, "connection.update", KIND, &c->id, c->name, before, after);
	return 0;
}

int connection_change(struct req *r, const struct uuid *id, const json_t *body,
    struct connection **out, struct err *err)
{
	struct connection_act act = {.r = r, .id = id, .body = body};
	int rc = audit_change(r->app, r, &r->actor.account_id, connection_change_body, &act, err);

	*out = act.c;
	return rc == -1 ? -1 : act.found;
}

static int connection_remove_one(
    struct connection_act *act, struct audit *log, const struct connection *c, struct err *err)
{
	struct req *r = act->r;
	int found;

	/* Before it goes: what is to be ended at the provider takes along what that needs. */
	if (connection_tell_changed(r->app, r->a, c, true, err) == -1)
		return -1;
	found = connection_delete(r->app, &r->actor.account_id, &c->id, err);
	if (found != 1)
		return found;
	if (connection_end_waits(r->app, c, err) == -1 ||
	    grant_release(r->app, r->a, &r->actor.account_id, &c->grant.id, err) == -1)
		return -1;
	act->removed++;
	audit_note(
	    log, "connection.delete", KIND, &c->id, c->name, connection_audited(r->a, c), NULL);
	return 1;
}

/* One that cannot be opened any more can still be removed: it is read as a list reads it. */
static int connection_remove_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct connection_act *act = arg;
	struct req *r = act->r;
	struct connection *c;
	int found = connection_lock(r->app, r->a, &r->actor.account_id, act->id, false, &c, err);

	(void)db;
	act->removed = 0;
	if (found == -1)
		return -1;
	if (found == 0 || (act->p != NULL && strcmp(c->provider_type, act->p->name) != 0))
		return 1;
	return connection_remove_one(act, log, c, err) == -1 ? -1 : 0;
}

int connection_remove(
    struct req *r, const struct provider *p, const struct uuid *id, struct err *err)
{
	struct connection_act act = {.r = r, .p = p, .id = id};
	int rc = audit_change(r->app, r, &r->actor.account_id, connection_remove_body, &act, err);

	return rc == -1 ? -1 : act.removed > 0;
}

static int connection_remove_all_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct connection_act *act = arg;
	struct req *r = act->r;
	struct connection_filter f = {
	    .account_id = r->actor.account_id, .provider_type = str_from(act->p->name)};
	struct slice s = {.limit = LIMIT_DB_ROWS - 1};
	struct connection **v;
	size_t n;

	(void)db;
	act->removed = 0;
	if (connection_list(r->app, r->a, &f, &s, &v, &n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (connection_remove_one(act, log, v[i], err) == -1)
			return -1;
	return act->removed == 0;
}

int connection_remove_all(struct req *r, const struct provider *p, struct err *err)
{
	struct connection_act act = {.r = r, .p = p};

	return audit_change(r->app, r, &r->actor.account_id, connection_remove_all_body, &act, err);
}
