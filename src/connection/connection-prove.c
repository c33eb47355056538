#include "connection/connection-prove.h"

#include "account/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "connection/connection-internal.h"
#include "provider/manifest.h"
#include "provider/oauth.h"

DB_STMT(connection_set_proven,
    "UPDATE connections SET external_account_id = ?, settings = ?, proven_at = ?, updated_at = ?"
    " WHERE id = ? AND account_id = ?");

struct proving {
	struct app *app;
	struct arena *a;
	const struct connection *c;
	const char *external;
};

/* Anybody's server can say that it is of whatever account: only the provider's own word counts. */
static bool prove_is_due(struct arena *a, const struct connection *c)
{
	return c->proven_us == 0 && oauth_is_there(c->provider) && oauth_identifies(c->provider) &&
	       provider_answers_itself(c->provider, a, c->access.settings);
}

/* What the provider says, or NULL. */
static const char *prove_ask(struct proving *v, const char *action, json_t *output, struct err *err)
{
	const struct provider *p = v->c->provider;
	const char *own = oauth_identify_action(p);
	struct oauth_identity who;
	struct call_result res;

	if (own == NULL) /* only the answer to a login tells */
		return NULL;
	if (strcmp(own, action) != 0) {
		if (provider_action(v->app, v->a, p, &v->c->access, own, NULL, &res, err) == -1 ||
		    res.class != CALL_OK)
			return NULL;
		output = res.output;
	}
	oauth_identify_read(v->a, p, &v->c->access, NULL, output, &who);
	return who.external_id;
}

static int prove_store_body(struct db *db, void *arg, struct err *err)
{
	struct proving *v = arg;
	int64_t now_us = clock_now_us();
	struct connection *c;
	json_t *settings;
	int found = connection_lock(v->app, v->a, &v->c->account_id, &v->c->id, false, &c, err);

	if (found != 1)
		return found;
	if (c->access.external_account_id[0] != '\0' &&
	    strcmp(c->access.external_account_id, v->external) != 0)
		return 0;
	found = connection_is_proved_elsewhere(
	    v->app, v->a, &c->account_id, c->provider, v->external, err);
	if (found != 0)
		return found == -1 ? -1 : 0;
	settings = json_own(v->a, json_deep_copy(c->access.settings));
	if (manifest_has_setting(c->provider, "externalAccountId"))
		json_set_str(settings, "externalAccountId", v->external);
	audit_caches_drop(v->app);
	return db_exec(db, &connection_set_proven,
	    DB_VALS(db_str(v->external), db_strn(json_text(v->a, settings)), db_int(now_us),
		db_int(now_us), db_uuid(&c->id), db_uuid(&c->account_id)),
	    NULL, err);
}

void connection_prove(struct app *app, struct arena *a, const struct connection *c,
    const char *action, json_t *output)
{
	struct proving v = {.app = app, .a = a, .c = c};
	struct err err = ERR_INIT;

	if (!prove_is_due(a, c))
		return;
	v.external = prove_ask(&v, action, output, &err);
	if (v.external != NULL && db_transaction(app->db, prove_store_body, &v, &err) == -1)
		log_warn(
		    "connection.prove", LOG_S("connection", uuid_dup(a, c->id)), LOG_ERR(&err));
}
