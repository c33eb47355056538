/* The signals: those that end a process in good order, and the one after which it logs to a new
 * file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "process/process.h"

static volatile sig_atomic_t stopping;
static volatile int stop_listen_fd = -1, stop_null_fd = -1;

static void on_stop_signal(int sig)
{
	int saved = errno;

	(void)sig;
	stopping = 1;
	if (stop_listen_fd >= 0 && stop_null_fd >= 0)
		dup2(stop_null_fd, stop_listen_fd);
	errno = saved;
}

static bool is_held;

/* One that is held back has been told all the same. */
bool process_is_stopping(void)
{
	sigset_t pending;

	if (is_held && sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGUSR1)))
		return true;
	return stopping != 0;
}

void process_hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	is_held = hold;
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

void process_stop_signals(int listen_fd)
{
	struct sigaction sa = {.sa_handler = on_stop_signal}, old;

	if (listen_fd >= 0) {
		stop_null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		stop_listen_fd = listen_fd;
		sa.sa_flags = SA_RESTART;
	}
	sigemptyset(&sa.sa_mask);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(SIGINT, &sa, NULL);
	/* A client that went away is an error of write, nothing more. */
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

static void on_log_signal(int sig)
{
	(void)sig;
	log_reopen();
}

void process_log_signal(void)
{
	struct sigaction sa = {.sa_handler = on_log_signal, .sa_flags = SA_RESTART};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGHUP, &sa, NULL);
}
