/* How every program of the product starts: what it needs of struct app, always in this order. */
#include "base/config.h"
#include "base/log.h"
#include "base/shared.h"
#include "connection/app.h"
#include "crypto/aead.h"
#include "db/db.h"
#include "db/migrate.h"
#include "html/template.h"
#include "net/http-client.h"
#include "process/process.h"
#include "product/product.h"
#include "provider/provider.h"

static int app_open_log(
    const struct config *cfg, const char *program, unsigned parts, struct err *err)
{
	enum log_level least = LOG_INFO;

	if ((parts & APP_LOG) == 0)
		return log_open(program, NULL, false, LOG_WARN, err);
	if (!log_level_parse(cfg->log_level, &least))
		return err_field(err, ERR_INVALID, "log_level", "%s is no level", cfg->log_level);
	return log_open(program, cfg->log_file, cfg->log_json, least, err);
}

static int app_open_keys(struct arena *a, struct app *app, struct err *err)
{
	app->keys = keyring_load(a, app->config->key_file, err);
	return app->keys == NULL ? -1 : 0;
}

static int app_open_pages(struct arena *a, struct app *app, struct err *err)
{
	app->templates = templates_load(a, app->config->templates_dir, false, err);
	if (app->templates == NULL)
		return -1;
	return product_static_load(a, app->config->static_dir, &app->asset_version, err);
}

static int app_open_providers(struct arena *a, struct app *app, struct err *err)
{
	const char *const *why;
	size_t n;

	app->providers = providers_load(a, app->config->providers_dir, err);
	if (app->providers == NULL)
		return -1;
	n = providers_refused(app->providers, &why);
	for (size_t i = 0; i < n; i++)
		log_error("provider.refused", LOG_S("error", why[i]));
	return providers_set_versions(a, app->providers, app->config->provider_versions, err);
}

static int app_open_http(struct app *app, struct err *err)
{
	app->http = http_client_new(app->config, err);
	return app->http == NULL ? -1 : 0;
}

/* A file that has become wrong since the new image was tried costs no running service. */
static int app_follow_files(struct arena *a, struct app *app, struct err *err)
{
	if (provider_apps_follow_file(app, a, err) == 0)
		return 0;
	if (!prefork_is_reload())
		return -1;
	log_error("provider_apps.file", LOG_ERR(err));
	err_clear(err);
	return 0;
}

/* Nothing is kept open over a fork: the schema's check is the only use until then. */
static int app_open_db(struct arena *a, struct app *app, unsigned parts, struct err *err)
{
	int rc = 0;

	app->db = db_new(app->config);
	if ((parts & APP_DB) != 0)
		rc = migrate_check(app->db, app->config->migrations_dir, err);
	if (rc == 0 && (parts & APP_FOLLOW) != 0)
		rc = app_follow_files(a, app, err);
	db_disconnect(app->db);
	return rc;
}

int app_open(struct arena *a, struct app *app, const char *program, const char *file,
    unsigned parts, struct err *err)
{
	struct config *cfg = arena_zalloc(a, sizeof(*cfg));

	if (config_load(a, file, cfg, err) == -1 || app_open_log(cfg, program, parts, err) == -1)
		return -1;
	app->config = cfg;
	app->shared = shared_new();
	app->hooks = product_hooks;
	if (((parts & APP_KEYS) != 0 && app_open_keys(a, app, err) == -1) ||
	    ((parts & APP_PROVIDERS) != 0 && app_open_providers(a, app, err) == -1) ||
	    ((parts & APP_PAGES) != 0 && app_open_pages(a, app, err) == -1) ||
	    ((parts & APP_HTTP) != 0 && app_open_http(app, err) == -1))
		return -1;
	return (parts & (APP_DB | APP_DB_RAW)) != 0 ? app_open_db(a, app, parts, err) : 0;
}

void app_close(struct app *app)
{
	http_client_free(app->http);
	db_free(app->db);
	app->http = NULL;
	app->db = NULL;
}
