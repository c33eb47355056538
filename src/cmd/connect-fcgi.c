/* connect-fcgi: answers requests over FastCGI with pre-forked workers under a master, and beside
 * them the writer that commits for all. HUP reloads, TERM drains and ends. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "process/process.h"
#include "product/product.h"
#include "base/config.h"
#include "base/log.h"
#include "base/shared.h"
#include "crypto/aead.h"
#include "db/db.h"
#include "db/migrate.h"
#include "html/template.h"
#include "intake/intake.h"
#include "net/http-client.h"
#include "connection/connection.h"
#include "provider/provider.h"

struct program {
	struct app app;
	struct config config;
	struct router *router;
	int listen_fd;
};

static int usage(FILE *to)
{
	fputs("usage: connect-fcgi [-c FILE] [-Vh]\n"
	      "  -c FILE  configuration (connect.conf(5)); else the environment alone\n"
	      "  -V       print the version\n"
	      "  -h       print this\n",
	    to);
	return to == stdout ? 0 : 2;
}

/* Everything that can be wrong is found here, before a worker is made. */
static int start(struct arena *a, struct program *p, const char *file, struct err *err)
{
	enum log_level level = LOG_INFO;
	unsigned char key[32];
	size_t nroutes;
	const struct route *routes = product_routes(&nroutes);
	struct app *app = &p->app;

	if (config_load(a, file, &p->config, err) < 0)
		return -1;
	app->config = &p->config;
	(void)log_level_parse(p->config.log_level, &level);
	if (log_open("connect-fcgi", p->config.log_file, p->config.log_json, level, err) < 0)
		return -1;
	product_wire();
	app->shared = shared_new();
	app->db = db_new(&p->config);
	if ((app->keys = keyring_load(a, p->config.key_file, err)) == NULL ||
	    (app->providers = providers_load(a, p->config.providers_dir, err)) == NULL ||
	    (app->templates = templates_load(a, p->config.templates_dir, false, err)) == NULL ||
	    product_static_load(a, p->config.static_dir, err) < 0 ||
	    migrate_check(app->db, p->config.migrations_dir, err) < 0)
		return -1;
	db_disconnect(app->db);
	keyring_derive(app->keys, "cursor", key);
	cursor_key_set(key);
	p->router = router_new(a, routes, nroutes, &product_router_hooks, err);
	if (p->router == NULL)
		return -1;
	return process_listen(p->config.listen, &p->listen_fd, err);
}

/* What one request held of the caches may go before the next. */
static void after_request(struct app *app)
{
	(void)app;
	connection_cache_release();
}

static int worker_main(void *arg, int index)
{
	struct program *p = arg;
	struct server server = {.app = &p->app,
	    .router = p->router,
	    .listen_fd = p->listen_fd,
	    .each_request = after_request};
	struct err err = ERR_INIT;
	int rc;

	(void)index;
	p->app.http = http_client_new(&p->config, &err);
	if (p->app.http == NULL) {
		log_error("worker.start", LOG_ERR(&err));
		return 1;
	}
	rc = server_run(&server, (uint64_t)p->config.worker_requests);
	http_client_free(p->app.http);
	db_free(p->app.db);
	return rc < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct program *p = arena_zalloc(a, sizeof(*p));
	struct err err = ERR_INIT;
	const char *file = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "c:Vh")) != -1) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case 'V':
			puts("connect-fcgi " PACKAGE_VERSION);
			return 0;
		default:
			return usage(opt == 'h' ? stdout : stderr);
		}
	}
	if (optind < argc)
		return usage(stderr);
	if (start(a, p, file, &err) < 0) {
		fprintf(stderr, "connect-fcgi: %s\n", err.msg);
		return 1;
	}
	const struct prefork_group groups[] = {
	    {"worker", (int)p->config.workers, worker_main, p},
	    {"writer", 1, intake_writer_main, &p->app},
	};
	return prefork_run(groups, p->config.writer ? 2 : 1, argv, p->listen_fd);
}
