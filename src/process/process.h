/* Processes: the listening socket, a master that forks and keeps its children, and the signals that
 * end them. Knows nothing of what they serve. */
#ifndef PROCESS_PROCESS_H
#define PROCESS_PROCESS_H

#include <stdbool.h>

#include "base/err.h"

/* Binds the FastCGI socket: "" → fd 0 (must be a listening socket), a path (mode 0660 socket; a
 * stale one is replaced) or host:port. */
int process_listen(const char *where, int *fd, struct err *err);

/* Pre-forked processes under a master: respawns what dies (with back-off when it dies at once),
 * HUP re-executes argv gracefully (new workers on the same listening socket before the old
 * drain), TERM and INT drain and end. Each child runs main(arg, index) and exits with its result.
 * Returns in the master only, at the end: the exit status. The process id stays the same over
 * HUP, which also makes the master and all its children, those that drain too, log to a new file.
 * The new image is tried first, in a child that ends where prefork_run would begin
 * (CONNECT_PREFLIGHT is in its environment): if it fails, all stays as it was. Groups drain in
 * the order given, so a writer is listed after the workers that need it, or all at once; children
 * end by themselves when their master dies. */
struct prefork_group {
	const char *name;
	int count;
	int (*main)(void *arg, int index);
	void *arg;
};
struct prefork {
	const struct prefork_group *groups;
	size_t ngroups;
	char **argv;   /* what HUP starts anew */
	int listen_fd; /* -1: none */
	bool drains_at_once;
	int64_t stop_us, reload_us; /* longest drain of a stop, of a reload; then they are killed */
	int64_t end_at_us;          /* monotonic: ends by itself then; 0: never */
	/* In the master, or NULL: before there are children (1 go on, 0 end, -1 end with an error),
	 * and when a stop begins, before they drain. */
	int (*starting)(void *arg);
	void (*stopping)(void *arg);
	void *arg;
};
/* Is this the image that a running master has become? It was tried before, and what is served has
 * to go on: what may have changed since is no reason to end. Before prefork_run. */
bool prefork_is_reload(void);
int prefork_run(const struct prefork *p);

/* One program of a kind runs on a host at a time: the one started last. Takes the place, of which
 * the file at `path` tells (a lock on it, which dies with its process), from whoever has it: that
 * one gets TERM and is waited for until it has given the place back (instance_give). A service
 * keeps the place as long as it lives; what is started beside it by cron has nothing to do.
 * 1: taken; 0: a service has it, and we are none; -1: ERR_CONFLICT when two services meet, or the
 * one before does not go. */
int instance_take(const char *path, bool is_service, struct err *err);
/* Who comes next may begin, while we drain. */
void instance_give(void);
/* In a child: has TERM arrived? Blocking calls return EINTR when it does, unless
 * process_stop_signals was given a socket. */
bool process_is_stopping(void);
/* Handlers of TERM, USR1 and INT (this one unless ignored) that make process_is_stopping true. With
 * listen_fd at 0 or above the handler also puts /dev/null in its place, so that an accept that is
 * about to block fails instead, and interrupted calls are restarted: a request in hand sees nothing
 * of it. */
void process_stop_signals(int listen_fd);
/* Holds TERM, USR1 and HUP back while something must not be broken off, such as reading from a
 * socket that has a limit of time, which no flag restarts. process_is_stopping knows of them. */
void process_hold_signals(bool hold);
/* From now on HUP makes the log go over to a new file of its name and nothing else: interrupted
 * calls are restarted where the system can. */
void process_log_signal(void);

#endif
