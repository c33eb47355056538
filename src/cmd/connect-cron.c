/* connect-cron: runs the jobs of the outbox. Started by cron each minute it works until the next
 * one takes over, so that there is always one on a host; --daemon works until it is told to end,
 * --once until nothing is due. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "job/job.h"
#include "process/process.h"
#include "product/product.h"

#define NICE 10 /* what is to be answered comes first: the workers and the writer */
#define MINUTE_MODE_MOST_US (600 * SECOND_US) /* when nobody takes over, end all the same */

static int64_t end_at_us; /* 0: never */

static bool cron_should_stop(void *arg)
{
	(void)arg;
	return process_is_stopping() || (end_at_us != 0 && clock_mono_us() > end_at_us);
}

static int cron_usage(FILE *to)
{
	fputs("usage: connect-cron [-c FILE] [--once | --daemon]\n", to);
	return to == stdout ? 0 : 2;
}

/* A service holds this lock for its life; a run started by cron beside it has nothing to do. */
static int daemon_lock(const struct config *cfg, bool is_daemon, struct err *err)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/run/cron-daemon.lock", cfg->state_dir);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0660);
	if (fd == -1)
		return err_set(err, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	if (flock(fd, (is_daemon ? LOCK_EX : LOCK_SH) | LOCK_NB) == -1) {
		close(fd);
		return is_daemon ? err_set(err, ERR_CONFLICT,
				       "another connect-cron --daemon runs on this host")
				 : 0;
	}
	if (!is_daemon)
		close(fd);
	return 1;
}

static int cron_serve(struct app *app, bool is_once, bool is_daemon, struct err *err)
{
	size_t nkinds;
	const struct job_kind *kinds = product_job_kinds(&nkinds);
	struct runner *rn = runner_new(app, kinds, nkinds, err);
	int rc = -1, free_to_run;

	if (rn == NULL)
		return -1;
	if (setpriority(PRIO_PROCESS, 0, NICE) == -1)
		log_warn("cron.nice", LOG_S("error", strerror(errno)));
	runner_set_background(rn, product_background);
	free_to_run = is_once ? 1 : daemon_lock(app->config, is_daemon, err);
	if (free_to_run == 0) {
		rc = 0;
	} else if (free_to_run == 1 && is_once) {
		rc = runner_once(rn, err) == -1 ? -1 : 0;
	} else if (free_to_run == 1 && runner_take_over(rn, err) == 0) {
		log_info("cron.start", LOG_B("daemon", is_daemon));
		rc = runner_run(rn, cron_should_stop, NULL);
		log_info("cron.end", LOG_B("replaced", runner_was_replaced(rn)));
	}
	runner_free(rn);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"once", no_argument, NULL, 'o'}, {"daemon", no_argument, NULL, 'd'},
	    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *file = NULL;
	bool is_once = false, is_daemon = false;
	struct err err = ERR_INIT;
	struct app app = {0};
	struct arena *a = arena_new();
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (opt == 'c')
			file = optarg;
		else if (opt == 'o')
			is_once = true;
		else if (opt == 'd')
			is_daemon = true;
		else
			return cron_usage(opt == 'h' ? stdout : stderr);
	}
	if (optind < argc || (is_once && is_daemon))
		return cron_usage(stderr);
	process_stop_signals(-1);
	process_log_signal();
	if (!is_once && !is_daemon)
		end_at_us = clock_mono_us() + MINUTE_MODE_MOST_US;
	rc = app_open(a, &app, "connect-cron", file,
	    APP_LOG | APP_KEYS | APP_PROVIDERS | APP_HTTP | APP_DB, &err);
	if (rc == 0)
		rc = cron_serve(&app, is_once, is_daemon, &err);
	if (rc == -1)
		fprintf(stderr, "connect-cron: %s\n", err.msg);
	app_close(&app);
	arena_free(a);
	return rc == 0 ? 0 : 1;
}
