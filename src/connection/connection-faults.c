#include "connection/connection-faults.h"

#include "connection/connection-internal.h"

#define PAGE_ROWS 200

enum fault_column { FAULT_ID, FAULT_ACCOUNT, FAULT_PROVIDER, FAULT_NAME, FAULT_SETTINGS };
DB_STMT(connections_for_faults,
    "SELECT id, account_id, provider_type, name, settings FROM connections"
    " WHERE id > ? ORDER BY id LIMIT ?");

struct connections_looked {
	const struct app *app;
	struct stored_fault *out;
};

/* What would be said if all of it were given now; NULL: nothing, or nobody knows. */
static const char *settings_wrong(
    const struct app *app, struct arena *a, struct str provider, json_t *settings)
{
	const struct provider *p = provider_find(app->providers, provider);
	struct err why = ERR_INIT;

	if (p == NULL)
		return NULL; /* the doctor names manifests that are refused or gone */
	if (settings == NULL)
		return "settings: cannot be read";
	if (connection_check_settings(app, p, settings, settings, &why) == 0)
		return NULL;
	return arena_printf(a, "%s: %s", why.field, why.msg);
}

static int connection_fault_look(
    void *arg, struct arena *a, const struct db_rows *r, size_t i, struct err *err)
{
	const struct connections_looked *k = arg;
	struct uuid id = db_get_uuid(r, i, FAULT_ID), account_id = db_get_uuid(r, i, FAULT_ACCOUNT);
	json_t *settings = json_parse_stored(a, db_get_str(r, i, FAULT_SETTINGS), err);
	const char *why = settings_wrong(k->app, a, db_get_str(r, i, FAULT_PROVIDER), settings);

	err_clear(err);
	if (why != NULL)
		stored_fault_note(k->out, &account_id, &id,
		    str_from(arena_printf(a, "%.40s: %s", db_get_text(r, i, FAULT_NAME), why)));
	return 0;
}

int connection_faults_find(const struct app *app, struct stored_fault *out, struct err *err)
{
	struct connections_looked k = {app, out};

	*out = (struct stored_fault){.what = "connections with settings that cannot work",
	    .advice = "change the setting that is named: its form says how to write it"};
	return stored_faults_walk(
	    app->db, &connections_for_faults, PAGE_ROWS, connection_fault_look, &k, err);
}
