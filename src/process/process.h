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
 * the order given, so a writer is listed after the workers that need it; children end by
 * themselves when their master dies. listen_fd is -1 where there is none. */
struct prefork_group {
	const char *name;
	int count;
	int (*main)(void *arg, int index);
	void *arg;
};
int prefork_run(const struct prefork_group *groups, size_t n, char **argv, int listen_fd);
/* In a child: has TERM arrived? Blocking calls return EINTR when it does, unless
 * process_stop_signals was given a socket. */
bool process_is_stopping(void);
/* Handlers of TERM, USR1 and INT (this one unless ignored) that make process_is_stopping true. With
 * listen_fd at 0 or above the handler also puts /dev/null in its place, so that an accept that is
 * about to block fails instead, and interrupted calls are restarted: a request in hand sees nothing
 * of it. */
void process_stop_signals(int listen_fd);
/* From now on HUP makes the log go over to a new file of its name and nothing else: interrupted
 * calls are restarted where the system can. */
void process_log_signal(void);

#endif
