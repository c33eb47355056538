#include "process/unix-socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int unix_socket_bind(const char *path, int type, mode_t mode, int backlog, int *fd, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s.%ld", path, (long)getpid());

	if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
		return err_set(err, ERR_INVALID, "the socket's path %s is too long", path);
	*fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (*fd == -1)
		return err_set(err, ERR_INTERNAL, "socket: %s", strerror(errno));
	unlink(sa.sun_path);
	if (bind(*fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && chmod(sa.sun_path, mode) == 0 &&
	    (backlog <= 0 || listen(*fd, backlog) == 0) && rename(sa.sun_path, path) == 0)
		return 0;
	err_set(err, ERR_INTERNAL, "cannot bind a socket to %s: %s", path, strerror(errno));
	unlink(sa.sun_path);
	close(*fd);
	*fd = -1;
	return -1;
}

static int socket_address_of(const char *path, struct sockaddr_un *out)
{
	int n;

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(out->sun_path, sizeof(out->sun_path), "%s", path);
	if (n >= 0 && (size_t)n < sizeof(out->sun_path))
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

int unix_socket_connect(const char *path, int type)
{
	struct sockaddr_un to;
	int fd, why;

	if (socket_address_of(path, &to) == -1)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

int unix_socket_send(const char *path, struct str message)
{
	static int fd = -1;
	struct sockaddr_un to;

	if (socket_address_of(path, &to) == -1)
		return -1;
	if (fd == -1)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -1;
	return sendto(fd, message.p, message.n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		   sizeof(to)) == -1
		   ? -1
		   : 0;
}
