/* The FastCGI listening socket: bound, handed in as descriptor 0, or kept over a re-execution. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "process/process-internal.h"
#include "process/unix-socket.h"

/* Long, so that a burst waits here instead of being refused. The kernel cuts it to its own maximum.
 */
#define BACKLOG 4096
#define SOCKET_MODE 0660

static char bound_to[512];

const char *listen_where(void)
{
	return bound_to;
}

static bool socket_is_listening(int fd)
{
	int yes = 0;
	socklen_t n = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes != 0;
}

static int listen_unix(const char *path, int *out, struct err *err)
{
	struct err why = ERR_INIT;

	if (unix_socket_bind(path, SOCK_STREAM, SOCKET_MODE, BACKLOG, out, &why) == 0)
		return 0;
	return err_field(err, why.code, "listen", "%s", why.msg);
}

static int listen_tcp(const char *where, int *out, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
			    .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
			*list = NULL;
	const char *colon = strrchr(where, ':');
	char host[256];
	int fd = -1, rc, one = 1;
	size_t n;

	if (colon == NULL || colon == where || (size_t)(colon - where) >= sizeof(host))
		return err_field(
		    err, ERR_INVALID, "listen", "%s is neither a path nor host:port", where);
	n = (size_t)(colon - where);
	if (where[0] == '[' && where[n - 1] == ']' && n > 2)
		snprintf(host, sizeof(host), "%.*s", (int)n - 2, where + 1);
	else
		snprintf(host, sizeof(host), "%.*s", (int)n, where);
	rc = getaddrinfo(host, colon + 1, &hints, &list);
	if (rc != 0)
		return err_field(err, ERR_INVALID, "listen", "%s: %s", where, gai_strerror(rc));
	fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == -1 ||
	    bind(fd, list->ai_addr, list->ai_addrlen) == -1 || listen(fd, BACKLOG) == -1) {
		err_set(err, ERR_INTERNAL, "cannot listen on %s: %s", where, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	*out = fd;
	return fd >= 0 ? 0 : -1;
}

/* What the image before this one left: "fd:address". Of use if the address is still the wanted one.
 */
static int socket_inherited(const char *where)
{
	const char *text = getenv(LISTEN_FD_ENV), *colon;
	int64_t fd = -1;

	if (text == NULL)
		return -1;
	colon = strchr(text, ':');
	if (colon == NULL ||
	    !str_to_i64((struct str){text, (size_t)(colon - text)}, 0, 65535, &fd) ||
	    !socket_is_listening((int)fd))
		fd = -1;
	else if (strcmp(colon + 1, where) != 0) {
		close((int)fd);
		fd = -1;
	} else {
		fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	}
	unsetenv(LISTEN_FD_ENV);
	return (int)fd;
}

int process_listen(const char *where, int *fd, struct err *err)
{
	int rc = 0;

	snprintf(bound_to, sizeof(bound_to), "%s", where);
	*fd = socket_inherited(where);
	if (*fd >= 0)
		return 0;
	if (where[0] == '\0') {
		if (!socket_is_listening(STDIN_FILENO))
			return err_field(err, ERR_INVALID, "listen",
			    "no address is given and descriptor 0 is not a listening socket");
		*fd = STDIN_FILENO;
	} else if (strchr(where, '/') != NULL) {
		rc = listen_unix(where, fd, err);
	} else {
		rc = listen_tcp(where, fd, err);
	}
	return rc;
}
