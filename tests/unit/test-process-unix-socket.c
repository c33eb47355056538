#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "process/unix-socket.h"
#include "test-base.h"

static char folder[] = "/tmp/connect-socket-XXXXXX", path[64];

static bool holds(int fd, const char *message)
{
	char got[16];
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	return n == (ssize_t)strlen(message) && memcmp(got, message, (size_t)n) == 0;
}

/* The new socket has the name; the old one keeps who was connected to it. */
static void taking_over(void)
{
	int old, new, peer;
	struct err err = ERR_INIT;
	struct stat st;

	CHECK(unix_socket_send(path, STR("lost")) == -1 && errno == ENOENT);
	REQUIRE(unix_socket_bind(path, SOCK_DGRAM | SOCK_NONBLOCK, 0640, 0, &old, &err) == 0);
	CHECK(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0640);
	CHECK(unix_socket_send(path, STR("a")) == 0 && holds(old, "a"));
	peer = unix_socket_connect(path, SOCK_DGRAM);
	REQUIRE(peer != -1);
	REQUIRE(unix_socket_bind(path, SOCK_DGRAM | SOCK_NONBLOCK, 0600, 0, &new, &err) == 0);
	CHECK(unix_socket_send(path, STR("b")) == 0 && holds(new, "b"));
	CHECK(send(peer, "x", 1, 0) == 1 && holds(old, "x") && !holds(new, "x"));
	close(peer);
	close(old);
	close(new);
	CHECK(unix_socket_send(path, STR("lost")) == -1 && errno == ECONNREFUSED);
	unlink(path);
}

static void listening(void)
{
	int fd, peer, served;
	struct err err = ERR_INIT;

	REQUIRE(unix_socket_bind(path, SOCK_STREAM, 0600, 5, &fd, &err) == 0);
	peer = unix_socket_connect(path, SOCK_STREAM);
	REQUIRE(peer != -1);
	served = accept(fd, NULL, NULL);
	CHECK(served != -1);
	close(served);
	close(peer);
	close(fd);
	CHECK(unix_socket_connect(path, SOCK_STREAM) == -1 && errno == ECONNREFUSED);
	unlink(path);
}

static void refusals(void)
{
	char name[200] = "";
	int fd = 7;
	struct err err = ERR_INIT;

	memset(name, 'n', sizeof(name) - 1);
	CHECK(unix_socket_bind(name, SOCK_STREAM, 0600, 5, &fd, &err) == -1);
	CHECK(err.code == ERR_INVALID);
	CHECK(unix_socket_connect(name, SOCK_STREAM) == -1 && errno == ENAMETOOLONG);
	CHECK(unix_socket_send(name, STR("x")) == -1 && errno == ENAMETOOLONG);
	err_clear(&err);
	CHECK(unix_socket_bind("/nonexistent/s", SOCK_STREAM, 0600, 5, &fd, &err) == -1);
	CHECK(err.code == ERR_INTERNAL && fd == -1);
}

static int begin(void)
{
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/s", folder);
	return 0;
}

static int end(void)
{
	return rmdir(folder); /* nothing is left in it */
}

void suite_process_unix_socket(void);
void suite_process_unix_socket(void)
{
	CU_pSuite s = CU_add_suite("process/unix-socket", begin, end);

	CU_add_test(s, "taking over", taking_over);
	CU_add_test(s, "listening", listening);
	CU_add_test(s, "refusals", refusals);
}
