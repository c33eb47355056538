/* Sockets of one host, by a path. */
#ifndef PROCESS_UNIX_SOCKET_H
#define PROCESS_UNIX_SOCKET_H
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* A socket bound to the path, which listens when backlog is above 0. It is bound under another
 * name, given its mode and renamed over whatever was there: there is no moment without a socket,
 * and none with the wrong mode; whoever is connected to the old one stays so. type: SOCK_STREAM or
 * SOCK_DGRAM, perhaps with SOCK_NONBLOCK (close-on-exec it is in any case). -1: ERR_INVALID when
 * the path is too long, else ERR_INTERNAL. */
int unix_socket_bind(
    const char *path, int type, mode_t mode, int backlog, int *fd, struct err *err);
/* A socket connected to the path, or -1 with errno. */
int unix_socket_connect(const char *path, int type);
/* A datagram to whoever is bound to the path; never blocks. -1 with errno: its queue is full
 * (EAGAIN, ENOBUFS; the kernel's net.unix.max_dgram_qlen, 10 on many hosts), else nobody is there.
 */
int unix_socket_send(const char *path, struct str message);
#endif
