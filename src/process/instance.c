/* Who is the one program of its kind on this host.
 *
 * The file has two bytes to lock: SERVICE, held by a service for its life, and PLACE, held by
 * whoever works. The locks are POSIX record locks: they die with their process, and the kernel says
 * who has them, so no number of a process is ever read from a file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/process.h"

#define TAKE_US (10 * SECOND_US) /* the one before has a place to give back, not to drain */
#define LOOK_MS 10

enum instance_byte { SERVICE, PLACE };

static int instance_fd = -1;

static struct flock instance_lock(short type, enum instance_byte byte)
{
	return (struct flock){
	    .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
}

static bool instance_try(enum instance_byte byte)
{
	struct flock l = instance_lock(F_WRLCK, byte);

	return fcntl(instance_fd, F_SETLK, &l) == 0;
}

/* 0: nobody; -1: somebody whom we cannot see. */
static pid_t instance_holder(enum instance_byte byte)
{
	struct flock l = instance_lock(F_WRLCK, byte);

	if (fcntl(instance_fd, F_GETLK, &l) == -1 || l.l_type == F_UNLCK)
		return 0;
	return l.l_pid > 0 ? l.l_pid : -1;
}

static void instance_pause(void)
{
	const struct timespec ts = {.tv_nsec = LOOK_MS * 1000000L};

	nanosleep(&ts, NULL);
}

/* Each who has the place is told once. */
static bool instance_take_place(void)
{
	const int64_t until_us = clock_mono_us() + TAKE_US;
	pid_t told = 0;

	while (!instance_try(PLACE)) {
		pid_t who = instance_holder(PLACE);

		if (who > 0 && who != told && kill(who, SIGTERM) == 0)
			told = who;
		if (clock_mono_us() > until_us)
			return false;
		instance_pause();
	}
	return true;
}

int instance_take(const char *path, bool is_service, struct err *err)
{
	if (instance_fd != -1)
		close(instance_fd);
	instance_fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0660);
	if (instance_fd == -1)
		return err_set(err, ERR_INTERNAL, "%s: %s", path, strerror(errno));
	if (!is_service && instance_holder(SERVICE) != 0)
		return 0;
	if (is_service && !instance_try(SERVICE))
		return err_set(err, ERR_CONFLICT, "another one runs as a service on this host");
	if (!instance_take_place())
		return err_set(err, ERR_CONFLICT, "the one before does not go (%s)", path);
	return 1;
}

void instance_give(void)
{
	struct flock l = instance_lock(F_UNLCK, PLACE);

	if (instance_fd != -1)
		fcntl(instance_fd, F_SETLK, &l);
}
