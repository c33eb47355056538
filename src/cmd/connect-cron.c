/* connect-cron: runs the jobs of the outbox. A master with a group of processes for each class of
 * work: what people wait for never stands behind bulk work, nor that behind upkeep. Started by cron
 * each minute it works until the next one takes over, so that there is always one on a host;
 * --daemon works until it is told to end, --once until nothing is due, in one process. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/log.h"
#include "job/job.h"
#include "net/http-client.h"
#include "process/process.h"
#include "product/product.h"

#define NICE 10 /* what is to be answered comes first: the workers and the writer */
#define MINUTE_MODE_MOST_US (600 * SECOND_US) /* when nobody takes over, end all the same */
#define DRAIN_MORE_US (10 * SECOND_US)        /* than the longest call may take */

struct program {
	struct app app;
	bool is_daemon;
};

static int cron_usage(FILE *to)
{
	fputs("usage: connect-cron [-c FILE] [--once | --daemon]\n", to);
	return to == stdout ? 0 : 2;
}

static struct runner *cron_runner(struct app *app, struct err *err)
{
	size_t nkinds;
	const struct job_kind *kinds = product_job_kinds(&nkinds);

	return runner_new(app, kinds, nkinds, err);
}

/* ---- children ------------------------------------------------------------------------------ */

static bool runner_has_to_stop(void *arg)
{
	(void)arg;
	return process_is_stopping();
}

static int runner_main(struct program *p, enum job_class class, int sharers)
{
	struct err err = ERR_INIT;
	struct runner *rn = NULL;
	int rc = -1;

	p->app.http = http_client_new(p->app.config, &err);
	if (p->app.http != NULL)
		rn = cron_runner(&p->app, &err);
	if (rn != NULL) {
		runner_set_role(rn, class, sharers);
		if (class == JOB_PERIODIC) /* with the index: upkeep too, and it may lag */
			runner_set_background(rn, product_background);
		rc = runner_listen(rn, &err);
	}
	if (rc == 0)
		rc = runner_run(rn, runner_has_to_stop, NULL);
	else
		log_error("runner.start", LOG_ERR(&err));
	if (rn != NULL)
		runner_free(rn);
	app_close(&p->app);
	return rc == 0 ? 0 : 1;
}

static int live_main(void *arg, int index)
{
	struct program *p = arg;

	(void)index;
	return runner_main(p, JOB_LIVE, config_runners(p->app.config));
}

static int bulk_main(void *arg, int index)
{
	(void)index;
	return runner_main(arg, JOB_BULK, 1);
}

static int upkeep_main(void *arg, int index)
{
	(void)index;
	return runner_main(arg, JOB_PERIODIC, 1);
}

/* ---- the master ---------------------------------------------------------------------------- */

static int cron_starting(void *arg)
{
	struct program *p = arg;
	char path[CONFIG_PATH_BYTES];
	struct err err = ERR_INIT;
	int rc;

	config_run_path(p->app.config, "cron.lock", path, sizeof(path));
	rc = instance_take(path, p->is_daemon, &err);
	if (rc == -1) {
		fprintf(stderr, "connect-cron: %s\n", err.msg);
		log_error("cron.start", LOG_ERR(&err));
	}
	if (rc == 1)
		log_info("cron.start", LOG_B("daemon", p->is_daemon));
	return rc;
}

static void cron_stopping(void *arg)
{
	(void)arg;
	instance_give();
	log_info("cron.stopping");
}

static int cron_serve(struct program *p, char **argv)
{
	const struct config *cfg = p->app.config;
	const struct prefork_group groups[] = {{"live", config_runners(cfg), live_main, p},
	    {"bulk", 1, bulk_main, p}, {"upkeep", 1, upkeep_main, p}};
	const int64_t drain_us = cfg->http_timeout_ms * 1000 + DRAIN_MORE_US;
	int rc = prefork_run(&(struct prefork){.groups = groups,
	    .ngroups = sizeof(groups) / sizeof(groups[0]),
	    .argv = argv,
	    .listen_fd = -1,
	    .drains_at_once = true,
	    .stop_us = drain_us,
	    .reload_us = drain_us,
	    .end_at_us = p->is_daemon ? 0 : clock_mono_us() + MINUTE_MODE_MOST_US,
	    .starting = cron_starting,
	    .stopping = cron_stopping,
	    .arg = p});

	log_info("cron.end");
	return rc;
}

static int cron_once(struct app *app, struct err *err)
{
	struct runner *rn = cron_runner(app, err);
	int rc;

	if (rn == NULL)
		return -1;
	runner_set_background(rn, product_background);
	rc = runner_once(rn, err);
	runner_free(rn);
	return rc == -1 ? -1 : 0;
}

/* ---- main ---------------------------------------------------------------------------------- */

static int cron_start(
    struct arena *a, struct program *p, const char *file, bool is_once, struct err *err)
{
	char dir[CONFIG_PATH_BYTES];

	if (app_open(a, &p->app, "connect-cron", file,
		APP_LOG | APP_KEYS | APP_PROVIDERS | APP_DB | APP_FOLLOW | (is_once ? APP_HTTP : 0),
		err) == -1)
		return -1;
	if (setpriority(PRIO_PROCESS, 0, NICE) == -1)
		log_warn("cron.nice", LOG_S("error", strerror(errno)));
	config_run_path(p->app.config, "", dir, sizeof(dir));
	return dir_make(dir, 0770, err);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"once", no_argument, NULL, 'o'}, {"daemon", no_argument, NULL, 'd'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *file = NULL;
	bool is_once = false;
	struct err err = ERR_INIT;
	struct arena *a = arena_new();
	struct program *p = arena_zalloc(a, sizeof(*p));
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (opt == 'c')
			file = optarg;
		else if (opt == 'o')
			is_once = true;
		else if (opt == 'd')
			p->is_daemon = true;
		else
			return cron_usage(opt == 'h' ? stdout : stderr);
	}
	if (optind < argc || (is_once && p->is_daemon))
		return cron_usage(stderr);
	rc = cron_start(a, p, file, is_once, &err);
	if (rc == 0 && !is_once)
		rc = cron_serve(p, argv);
	else if (rc == 0)
		rc = cron_once(&p->app, &err);
	if (err.code != ERR_NONE)
		fprintf(stderr, "connect-cron: %s\n", err.msg);
	app_close(&p->app);
	arena_free(a);
	return rc == 0 ? 0 : 1;
}
