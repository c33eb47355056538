/* connect-fcgi: answers requests over FastCGI with pre-forked workers under a master, and beside
 * them the writer that commits for all. HUP reloads, TERM drains and ends. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "connection/connection.h"
#include "intake/intake.h"
#include "net/http-client.h"
#include "process/process.h"
#include "product/product.h"

#define DRAIN_STOP_US (10 * SECOND_US)
#define DRAIN_RELOAD_US (60 * SECOND_US) /* exports may be running; the new ones serve already */

struct program {
	struct app app;
	struct router *router;
	int listen_fd;
};

static int fcgi_usage(FILE *to)
{
	fputs("usage: connect-fcgi [-c FILE] [-Vh]\n"
	      "  -c FILE  configuration (connect.conf(5)); else the environment alone\n"
	      "  -V       print the version\n"
	      "  -h       print this\n",
	    to);
	return to == stdout ? 0 : 2;
}

/* Everything that can be wrong is found here, before a worker is made. */
static int program_start(struct arena *a, struct program *p, const char *file, struct err *err)
{
	size_t nroutes;
	const struct route *routes = product_routes(&nroutes);

	if (app_open(a, &p->app, "connect-fcgi", file,
		APP_LOG | APP_KEYS | APP_PROVIDERS | APP_PAGES | APP_DB | APP_FOLLOW, err) == -1)
		return -1;
	p->router = router_new(a, routes, nroutes, &product_router_hooks, err);
	if (p->router == NULL)
		return -1;
	return process_listen(p->app.config->listen, &p->listen_fd, err);
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
	p->app.http = http_client_new(p->app.config, &err);
	if (p->app.http == NULL) {
		log_error("worker.start", LOG_ERR(&err));
		return 1;
	}
	rc = server_run(&server, (uint64_t)p->app.config->worker_requests);
	app_close(&p->app);
	return rc == -1 ? 1 : 0;
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
			return fcgi_usage(opt == 'h' ? stdout : stderr);
		}
	}
	if (optind < argc)
		return fcgi_usage(stderr);
	if (program_start(a, p, file, &err) == -1) {
		fprintf(stderr, "connect-fcgi: %s\n", err.msg);
		arena_free(a);
		return 1;
	}
	const struct prefork_group groups[] = {
	    {"worker", (int)p->app.config->workers, worker_main, p},
	    {"writer", 1, intake_writer_main, &p->app},
	};
	return prefork_run(&(struct prefork){.groups = groups,
	    .ngroups = p->app.config->writer ? 2 : 1,
	    .argv = argv,
	    .listen_fd = p->listen_fd,
	    .stop_us = DRAIN_STOP_US,
	    .reload_us = DRAIN_RELOAD_US});
}
