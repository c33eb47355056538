/* A master and its children. Each child has a slot, by group and index:
 *
 *	empty ──respawn_us comes──> running ──ends──> empty (with a pause, if it died at once)
 *	running ──told to stop (SIGTERM)──> draining ──ends──> gone
 *	                                       └──drain_until_us comes──> killed
 *
 * A reload (SIGHUP) tries the new image first, then becomes it; the process stays the same:
 *
 *	master ──fork──> preflight ──status 0──> exec ──> master of the new image: starts its
 *	   ^                └──else, or too late──┐        children, then drains the old ones
 *	   └────── all stays as it was <──────────┘
 *
 * The socket stays open from the first start to the last stop, so that a reload refuses nobody.
 * The children stay children over the exec and go over by their ids in the environment, as old
 * ones. They are told to stop only when the new ones accept, group by group: the workers before
 * the writer that they hand their work to.
 *
 * The master does nothing but wait for signals, so there is nothing in it to fail. It takes them
 * by sigtimedwait and has no handlers; they are blocked all the time, so none is lost in an
 * exec. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "process/process-internal.h"

#define PREFLIGHT_US (30 * SECOND_US)
#define EARLY_US (SECOND_US * 3 / 10) /* a child that ends sooner died "at once" */
#define EARLY_FREE 3                  /* such deaths in a row without a wait */
#define BACKOFF_US (SECOND_US / 10)
#define BACKOFF_MAX_US (5 * SECOND_US)
#define OLD_PIDS_ENV "CONNECT_OLD_PIDS" /* "12,13;14": pids by group */
#define PREFLIGHT_ENV "CONNECT_PREFLIGHT"

/* ---- the master ---------------------------------------------------------------------------- */

struct child {
	pid_t pid; /* 0: not running */
	size_t group;
	int index;
	bool is_old; /* of the image before a reload: drains, is not replaced */
	bool was_told, was_killed;
	unsigned early; /* deaths at once, in a row */
	int64_t started_us, respawn_us;
};

struct master {
	const struct prefork *is; /* what the caller wants */
	pid_t self, preflight;
	int64_t preflight_until_us;
	struct child *children;
	size_t n;
	bool is_stopping, had_to_kill;
	int64_t drain_until_us;
	sigset_t mask, old_mask;
};

static const char *child_group_name(const struct master *m, const struct child *c)
{
	return c->group < m->is->ngroups ? m->is->groups[c->group].name : "old";
}

static __attribute__((noreturn)) void child_main(struct master *m, const struct child *c)
{
	const struct prefork_group *g = &m->is->groups[c->group];
	int index = c->index;

#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_NAME, g->name);
#endif
	/* The master may have died before that took hold. */
	if (getppid() != m->self)
		_exit(0);
	/* A terminal's ^C goes to the whole group: it is for the master to act on. */
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	process_log_signal();
	process_stop_signals(-1);
	free(m->children);
	m->children = NULL;
	sigprocmask(SIG_SETMASK, &m->old_mask, NULL);
	exit(g->main(g->arg, index));
}

static void child_spawn(struct master *m, struct child *c, int64_t now)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child_main(m, c);
	if (pid == -1) {
		log_error("prefork.fork", LOG_S("group", child_group_name(m, c)),
		    LOG_S("error", strerror(errno)));
		c->respawn_us = now + SECOND_US;
		return;
	}
	c->pid = pid;
	c->started_us = now;
	c->was_told = c->was_killed = false;
}

static void child_note_death(struct master *m, struct child *c, int status, int64_t now)
{
	int64_t lived = now - c->started_us, wait_us = 0;
	unsigned i;

	c->pid = 0;
	if (WIFSIGNALED(status) && !c->was_told)
		log_warn("prefork.killed", LOG_S("group", child_group_name(m, c)),
		    LOG_I("index", c->index), LOG_I("signal", WTERMSIG(status)),
		    LOG_I("lived_ms", lived / 1000));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_warn("prefork.exited", LOG_S("group", child_group_name(m, c)),
		    LOG_I("index", c->index), LOG_I("status", WEXITSTATUS(status)),
		    LOG_I("lived_ms", lived / 1000));
	c->early = lived < EARLY_US ? c->early + 1 : 0;
	if (c->early > EARLY_FREE) {
		wait_us = BACKOFF_US;
		for (i = EARLY_FREE + 1; i < c->early && wait_us < BACKOFF_MAX_US; i++)
			wait_us *= 2;
		if (wait_us > BACKOFF_MAX_US)
			wait_us = BACKOFF_MAX_US;
	}
	c->respawn_us = now + wait_us;
}

static bool children_are_live(const struct master *m, bool only_old)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		if (m->children[i].pid > 0 && (m->children[i].is_old || !only_old))
			return true;
	return false;
}

/* Tells those that shall go, group by group; past the time limit, kills. */
static void children_drain(struct master *m, int64_t now)
{
	size_t i, stage = SIZE_MAX;
	struct child *c;

	for (i = 0; i < m->n && !m->is->drains_at_once; i++) {
		c = &m->children[i];
		if (c->pid > 0 && (c->is_old || m->is_stopping) && c->group < stage)
			stage = c->group;
	}
	for (i = 0; i < m->n; i++) {
		c = &m->children[i];
		if (c->pid <= 0 || !(c->is_old || m->is_stopping))
			continue;
		if ((m->is->drains_at_once || c->group == stage) && !c->was_told) {
			c->was_told = true;
			kill(c->pid, SIGTERM);
		}
		if (now >= m->drain_until_us && !c->was_killed) {
			log_warn("prefork.drain.timeout", LOG_S("group", child_group_name(m, c)),
			    LOG_I("pid", c->pid));
			c->was_told = c->was_killed = m->had_to_kill = true;
			kill(c->pid, SIGKILL);
		}
	}
}

/* ---- reload -------------------------------------------------------------------------------- */

/* Apart from the reload, which may be refused: the log file may have been renamed. */
static void children_reopen_logs(const struct master *m)
{
	size_t i;

	log_reopen();
	for (i = 0; i < m->n; i++)
		if (m->children[i].pid > 0)
			kill(m->children[i].pid, SIGHUP);
}

static void env_set_listen(const struct master *m)
{
	char text[600];

	if (m->is->listen_fd == -1)
		return;
	snprintf(text, sizeof(text), "%d:%s", m->is->listen_fd, listen_where());
	setenv(LISTEN_FD_ENV, text, 1);
}

/* Of all descriptors only the socket goes over to the next image. */
static void descriptors_close_but_socket(const struct master *m)
{
#ifdef CLOSE_RANGE_CLOEXEC
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
#endif
	if (m->is->listen_fd >= 0)
		fcntl(m->is->listen_fd, F_SETFD, 0);
}

static void preflight_start(struct master *m, int64_t now)
{
	pid_t pid;

	if (m->preflight > 0 || m->is_stopping)
		return;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
#ifdef __linux__
		prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
		setenv(PREFLIGHT_ENV, "1", 1);
		env_set_listen(m);
		descriptors_close_but_socket(m);
		sigprocmask(SIG_SETMASK, &m->old_mask, NULL);
		execvp(m->is->argv[0], m->is->argv);
		_exit(127);
	}
	if (pid == -1)
		log_error("prefork.reload.fork", LOG_S("error", strerror(errno)));
	else
		m->preflight = pid;
	m->preflight_until_us = now + PREFLIGHT_US;
}

static void env_set_old_pids(const struct master *m)
{
	struct buf b;
	size_t group, i;

	buf_init(&b, 65536);
	for (group = 0; group < m->is->ngroups; group++) {
		bool is_first = true;

		for (i = 0; i < m->n; i++) {
			const struct child *c = &m->children[i];

			if (c->pid <= 0 || c->group != group)
				continue;
			buf_printf(&b, "%s%ld", is_first ? "" : ",", (long)c->pid);
			is_first = false;
		}
		buf_chr(&b, ';');
	}
	setenv(OLD_PIDS_ENV, b.p, 1);
	buf_fini(&b);
}

/* Becomes the new image; the children stay children, since the process stays the same. Comes back
 * only when that fails. The signals stay blocked meanwhile: none is lost. */
static void master_reexec(struct master *m)
{
	log_info("prefork.reload", LOG_S("program", m->is->argv[0]));
	env_set_listen(m);
	env_set_old_pids(m);
	descriptors_close_but_socket(m);
	execvp(m->is->argv[0], m->is->argv);
	log_error("prefork.reload.exec", LOG_S("program", m->is->argv[0]),
	    LOG_S("error", strerror(errno)));
	unsetenv(LISTEN_FD_ENV);
	unsetenv(OLD_PIDS_ENV);
	if (m->is->listen_fd >= 0)
		fcntl(m->is->listen_fd, F_SETFD, FD_CLOEXEC);
}

static void preflight_end(struct master *m, int status)
{
	m->preflight = 0;
	if (m->is_stopping)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		master_reexec(m);
	else
		log_error("prefork.reload.refused",
		    LOG_S("reason", "the new program or its configuration does not start"),
		    LOG_I("status", status));
}

/* The children of the image before this one, from the environment. */
static size_t env_read_old_pids(struct child *out, size_t cap)
{
	const char *text = getenv(OLD_PIDS_ENV);
	struct str rest = str_from(text), group_text, pid_text;
	size_t n = 0, group = 0;
	int64_t pid;

	while (str_split(&rest, ';', &group_text)) {
		while (str_split(&group_text, ',', &pid_text)) {
			if (!str_to_i64(pid_text, 2, INT32_MAX, &pid))
				continue;
			if (out != NULL && n < cap) {
				out[n].pid = (pid_t)pid;
				out[n].group = group;
				out[n].is_old = true;
			}
			n++;
		}
		group++;
	}
	if (out != NULL)
		unsetenv(OLD_PIDS_ENV);
	return n;
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void children_reap(struct master *m, int64_t now)
{
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->preflight) {
			preflight_end(m, status);
			continue;
		}
		for (i = 0; i < m->n; i++)
			if (m->children[i].pid == pid)
				child_note_death(m, &m->children[i], status, now);
	}
}

static void children_respawn_due(struct master *m, int64_t now)
{
	size_t i;

	for (i = 0; i < m->n && !m->is_stopping; i++) {
		struct child *c = &m->children[i];

		if (c->pid == 0 && !c->is_old && now >= c->respawn_us)
			child_spawn(m, c, now);
	}
}

/* Microseconds until something is due, at most an hour. */
static int64_t master_wait_us(const struct master *m, int64_t now)
{
	int64_t wait_us = 3600 * SECOND_US, due;
	size_t i;

	for (i = 0; i < m->n && !m->is_stopping; i++) {
		const struct child *c = &m->children[i];

		due = c->respawn_us - now;
		if (c->pid == 0 && !c->is_old && due < wait_us)
			wait_us = due;
	}
	due = m->drain_until_us - now;
	if (children_are_live(m, !m->is_stopping) && due < wait_us)
		wait_us = due;
	due = m->is->end_at_us - now;
	if (m->is->end_at_us != 0 && !m->is_stopping && due < wait_us)
		wait_us = due;
	if (m->preflight > 0 && m->preflight_until_us - now < wait_us)
		wait_us = m->preflight_until_us - now;
	/* What is overdue has been dealt with; look again soon, not at once. */
	return wait_us > 0 ? wait_us : SECOND_US / 20;
}

static void master_stop(struct master *m, int64_t now)
{
	m->is_stopping = true;
	m->drain_until_us = now + m->is->stop_us;
	if (m->is->stopping != NULL)
		m->is->stopping(m->is->arg);
	if (m->preflight > 0)
		kill(m->preflight, SIGKILL);
}

static void master_wait_and_act(struct master *m)
{
	int64_t now = clock_mono_us(), wait_us = master_wait_us(m, now);
	const struct timespec ts = {
	    .tv_sec = (time_t)(wait_us / SECOND_US), .tv_nsec = (long)(wait_us % SECOND_US * 1000)};
	int sig = sigtimedwait(&m->mask, NULL, &ts);

	now = clock_mono_us();
	if (sig == SIGHUP) {
		children_reopen_logs(m);
		preflight_start(m, now);
	}
	if (!m->is_stopping && (sig == SIGTERM || sig == SIGINT || sig == SIGUSR1 ||
				   (m->is->end_at_us != 0 && now >= m->is->end_at_us)))
		master_stop(m, now);
	if (m->preflight > 0 && now >= m->preflight_until_us)
		kill(m->preflight, SIGKILL);
	children_reap(m, now);
	children_respawn_due(m, now);
	children_drain(m, now);
}

static void children_start(struct master *m)
{
	size_t group, i = 0, nold = env_read_old_pids(NULL, 0);
	int64_t now = clock_mono_us();
	int index;

	for (group = 0; group < m->is->ngroups; group++)
		m->n += (size_t)m->is->groups[group].count;
	m->children = calloc(m->n + nold + 1, sizeof(*m->children));
	if (m->children == NULL)
		abort();
	for (group = 0; group < m->is->ngroups; group++) {
		for (index = 0; index < m->is->groups[group].count; index++, i++) {
			m->children[i].group = group;
			m->children[i].index = index;
		}
	}
	m->n += env_read_old_pids(m->children + m->n, nold);
	children_respawn_due(m, now);
	/* The new ones accept from here on; now the old may go. */
	m->drain_until_us = now + m->is->reload_us;
	children_drain(m, now);
}

bool prefork_is_reload(void)
{
	return getenv(OLD_PIDS_ENV) != NULL;
}

int prefork_run(const struct prefork *p)
{
	struct master m = {.is = p, .self = getpid()};
	int rc;

	if (getenv(PREFLIGHT_ENV) != NULL)
		_exit(0);
	sigemptyset(&m.mask);
	sigaddset(&m.mask, SIGTERM);
	sigaddset(&m.mask, SIGINT);
	sigaddset(&m.mask, SIGUSR1);
	sigaddset(&m.mask, SIGHUP);
	sigaddset(&m.mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &m.mask, &m.old_mask);
	/* After a re-execution these were blocked already; the children shall not inherit that. */
	sigdelset(&m.old_mask, SIGTERM);
	sigdelset(&m.old_mask, SIGINT);
	sigdelset(&m.old_mask, SIGUSR1);
	sigdelset(&m.old_mask, SIGHUP);
	sigdelset(&m.old_mask, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	rc = p->starting == NULL ? 1 : p->starting(p->arg);
	if (rc != 1)
		return rc == 0 ? 0 : 1;
	children_start(&m);
	while (!m.is_stopping || children_are_live(&m, false))
		master_wait_and_act(&m);
	free(m.children);
	return m.had_to_kill ? 1 : 0;
}
