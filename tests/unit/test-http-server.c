/* Processes and sockets: the FastCGI loop spoken to over its own socket, and a master with children
 * that die, are told to end, and are reloaded. Every wait is for a byte in a pipe or on a socket.
 */
#include "http-check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/app.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "base/shared.h"
#include "process/process.h"

void suite_http_server(void);

#define WAIT_MS 20000 /* far beyond what anything here takes; a hang becomes a failure */

/* ---- a FastCGI client ---------------------------------------------------------------------- */

static void add_record(struct buf *b, int type, const void *p, size_t n)
{
	const unsigned char head[8] = {
	    1, (unsigned char)type, 0, 1, (unsigned char)(n >> 8), (unsigned char)n, 0, 0};

	buf_add(b, head, sizeof(head));
	buf_add(b, p, n);
}

static void add_var(struct buf *b, const char *name, const char *value)
{
	buf_chr(b, (char)strlen(name));
	buf_chr(b, (char)strlen(value));
	buf_str(b, name);
	buf_str(b, value);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = WAIT_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void read_all(int fd, struct buf *out)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0)
		buf_add(out, piece, (size_t)n);
}

static struct buf *head_of(struct arena *a, const char *method, const char *uri, const char *length)
{
	static const unsigned char begin[8] = {0, 1, 0};
	struct buf *vars = buf_new(a, 65536), *all = buf_new(a, 1 << 20);

	add_var(vars, "REQUEST_METHOD", method);
	add_var(vars, "REQUEST_URI", uri);
	add_var(vars, "HTTP_X_REQUEST_ID", "req-1");
	if (length != NULL)
		add_var(vars, "CONTENT_LENGTH", length);
	add_record(all, 1, begin, sizeof(begin));
	add_record(all, 4, vars->p, vars->len);
	add_record(all, 4, "", 0);
	return all;
}

/* Sends a request and returns all that comes back, records and all. with_end: whether the body's
 * end is marked, or the connection just half closed. */
static const char *ask(struct arena *a, const char *path, const char *method, const char *uri,
    const char *length, const char *body, bool with_end)
{
	struct buf *all = head_of(a, method, uri, length), *out = buf_new(a, 1 << 22);
	int fd = connect_to(path);

	if (fd == -1)
		return "no connection";
	if (body[0] != '\0')
		add_record(all, 5, body, strlen(body));
	if (with_end)
		add_record(all, 5, "", 0);
	if (send(fd, all->p, all->len, MSG_NOSIGNAL) == (ssize_t)all->len) {
		if (!with_end)
			shutdown(fd, SHUT_WR);
		read_all(fd, out);
	}
	close(fd);
	/* As text: records have NULs in their heads. */
	for (size_t i = 0; i < out->len; i++)
		if (out->p[i] == '\0')
			out->p[i] = ' ';
	return out->p;
}

/* ---- what is served ------------------------------------------------------------------------ */

static int hello(struct req *r)
{
	return res_text(r, 200, "text/plain", STR("hello"));
}

static int echo(struct req *r)
{
	return res_text(r, 200, "text/plain", r->body);
}

static int stream(struct req *r)
{
	char line[1000];
	int i;

	memset(line, 'x', sizeof(line));
	if (res_stream_start(r, 200, "text/csv") != 0)
		return -1;
	for (i = 0; i < 100; i++)
		if (res_stream_write(r, (struct str){line, sizeof(line)}) != 0)
			return -1;
	return req_query(r, "cut").p != NULL ? -1 : res_stream_write(r, STR("THE END"));
}

/* More than a socket takes. */
static int flood(struct req *r)
{
	static char piece[64 * 1024];
	int i;

	if (res_stream_start(r, 200, "text/csv") != 0)
		return -1;
	for (i = 0; i < 100; i++)
		if (res_stream_write(r, (struct str){piece, sizeof(piece)}) != 0)
			return -1;
	return 0;
}

static const struct route routes[] = {
    {HTTP_GET, "/flood", flood, 0, ROUTE_PUBLIC, 0},
    {HTTP_GET, "/hello", hello, 0, ROUTE_PUBLIC, 0},
    {HTTP_POST, "/echo", echo, 0, ROUTE_PUBLIC | ROUTE_RAW, 1000},
    {HTTP_GET, "/stream", stream, 0, ROUTE_PUBLIC, 0},
};

static const struct router_hooks hooks = {0};

static char dir[64], sock[96];

static int make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/connect-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(sock, sizeof(sock), "%s/fcgi.sock", dir);
	return 0;
}

static int remove_dir(void)
{
	unlink(sock);
	return rmdir(dir);
}

/* A worker in a process of its own; returns its id. */
static pid_t start_worker(struct app *app, int fd, uint64_t max_requests, int64_t patience_us)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct arena *a = arena_new();
		struct server s = {.app = app,
		    .router = router_new(a, routes, COUNT(routes), &hooks, NULL),
		    .listen_fd = fd,
		    .patience_us = patience_us};
		int rc = server_run(&s, max_requests);

		arena_free(a);
		_exit(rc == 0 ? 7 : 8);
	}
	return pid;
}

/* The status a child ended with, or -1 when it had to be killed. */
static int end_of(pid_t pid)
{
	int status, waited = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (waited++ > WAIT_MS / 10) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		poll(NULL, 0, 10);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_requests(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	const char *got;
	int fd, garbage;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(process_listen(sock, &fd, &err), 0);
	pid = start_worker(NULL, fd, 0, 0);
	close(fd);

	got = ask(a, sock, "GET", "/hello", NULL, "", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "Status: 200 OK\r\nContent-Type: text/plain\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "Content-Length: 5\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "X-Request-Id: req-1\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "\r\n\r\nhello"));
	got = ask(a, sock, "HEAD", "/hello", NULL, "", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "Content-Length: 5\r\n"));
	CU_ASSERT_PTR_NULL(strstr(got, "\r\n\r\nhello"));
	got = ask(a, sock, "POST", "/echo", "3", "abc", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "\r\n\r\nabc"));
	got = ask(a, sock, "POST", "/echo", NULL, "abcd", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "\r\n\r\nabcd"));
	got = ask(a, sock, "POST", "/echo", "5", "abc", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "Status: 400"));
	got = ask(a, sock, "POST", "/echo", "5", "abc", false);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "Status: 400"));
	got = ask(a, sock, "POST", "/echo", "1001", "abc", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "Status: 413"));
	got = ask(a, sock, "POST", "/echo", "many", "abc", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "Status: 400"));
	got = ask(a, sock, "GET", "/stream", NULL, "", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "THE END"));
	/* Cut off: no end-of-request record (type 3), the last thing a whole answer has. */
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "\x01\x03 \x01"));
	got = ask(a, sock, "GET", "/stream?cut=1", NULL, "", true);
	CU_ASSERT_PTR_NULL(strstr(got, "\x01\x03 \x01"));

	garbage = connect_to(sock);
	CU_ASSERT_EQUAL(send(garbage, "garbage garbage", 15, MSG_NOSIGNAL), 15);
	close(garbage);
	garbage = connect_to(sock);
	close(garbage);
	got = ask(a, sock, "GET", "/hello", NULL, "", true);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "\r\n\r\nhello"));

	kill(pid, SIGTERM);
	CU_ASSERT_EQUAL(end_of(pid), 7);
	arena_free(a);
}

static int send_head(struct arena *a, const char *method, const char *uri, const char *length)
{
	struct buf *head = head_of(a, method, uri, length);
	int fd = connect_to(sock);

	CU_ASSERT_EQUAL(send(fd, head->p, head->len, MSG_NOSIGNAL), (ssize_t)head->len);
	return fd;
}

/* A body that comes byte by byte, until there is something to read of the other descriptor. */
static void send_slowly(struct arena *a, int fd, int until)
{
	struct buf *one = buf_new(a, 64);
	struct pollfd pf = {.fd = until, .events = POLLIN};

	add_record(one, 5, "x", 1);
	for (int i = 0; i < WAIT_MS / 20 && poll(&pf, 1, 20) == 0; i++)
		if (send(fd, one->p, one->len, MSG_NOSIGNAL) == -1)
			break;
}

/* Whether the answer's first record begins so. */
static bool answers(int fd, const char *text)
{
	char got[100] = {0};

	return read(fd, got, sizeof(got) - 1) > 8 && strncmp(got + 8, text, strlen(text)) == 0;
}

/* One worker, and peers that take their time: each has it once, not for each step. */
static void test_slow_peers(void)
{
	struct arena *a = arena_new();
	int fd, silent, slow, other;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(process_listen(sock, &fd, NULL), 0);
	pid = start_worker(NULL, fd, 0, SECOND_US / 5);
	close(fd);

	/* no head */
	silent = connect_to(sock);
	CU_ASSERT_PTR_NOT_NULL(strstr(ask(a, sock, "GET", "/hello", NULL, "", true), "hello"));
	/* a body, of known length and not */
	slow = send_head(a, "POST", "/echo", "1000");
	send_slowly(a, slow, slow);
	CU_ASSERT(answers(slow, "Status: 408 "));
	close(slow);
	slow = send_head(a, "POST", "/echo", NULL);
	send_slowly(a, slow, slow);
	CU_ASSERT(answers(slow, "Status: 408 "));
	close(slow);
	/* a body that is refused, and comes on */
	slow = send_head(a, "POST", "/echo", "1001");
	send_slowly(a, slow, slow);
	CU_ASSERT(answers(slow, "Status: 413 "));
	other = send_head(a, "GET", "/hello", NULL);
	send_slowly(a, slow, other);
	CU_ASSERT(answers(other, "Status: 200 "));
	close(other);
	close(slow);
	/* a reader that reads nothing */
	slow = send_head(a, "GET", "/flood", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ask(a, sock, "GET", "/hello", NULL, "", true), "hello"));
	close(slow);
	close(silent);

	kill(pid, SIGTERM);
	CU_ASSERT_EQUAL(end_of(pid), 7);
	arena_free(a);
}

/* Where as many wait for strangers' bodies as may, the next one that is slow has but a moment. */
static void test_crowd(void)
{
	const struct config cfg = {.workers = 4}; /* one may wait */
	struct app app = {.config = &cfg, .shared = shared_new()};
	struct arena *a = arena_new();
	struct buf *body = buf_new(a, 64);
	struct pollfd pf = {.events = POLLIN};
	int fd, slow;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(process_listen(sock, &fd, NULL), 0);
	pid = start_worker(&app, fd, 0, 3600 * SECOND_US);
	close(fd);
	CU_ASSERT(shared_wait_begin(app.shared, 0, 1));
	slow = send_head(a, "POST", "/echo", "1000");
	CU_ASSERT(answers(slow, "Status: 408 "));
	close(slow);
	/* what is there needs no place */
	CU_ASSERT_PTR_NOT_NULL(strstr(ask(a, sock, "POST", "/echo", "3", "abc", true), "abc"));
	shared_wait_end(app.shared);
	slow = send_head(a, "POST", "/echo", "3");
	pf.fd = slow;
	CU_ASSERT_EQUAL(poll(&pf, 1, 600), 0); /* it is waited for, beyond that moment */
	add_record(body, 5, "abc", 3);
	add_record(body, 5, "", 0);
	CU_ASSERT_EQUAL(send(slow, body->p, body->len, MSG_NOSIGNAL), (ssize_t)body->len);
	CU_ASSERT(answers(slow, "Status: 200 "));
	CU_ASSERT(shared_wait_begin(app.shared, 0, 1));
	shared_wait_end(app.shared);
	close(slow);
	kill(pid, SIGTERM);
	CU_ASSERT_EQUAL(end_of(pid), 7);
	arena_free(a);
}

static void test_max_requests(void)
{
	struct arena *a = arena_new();
	int fd;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(process_listen(sock, &fd, NULL), 0);
	pid = start_worker(NULL, fd, 2, 0);
	close(fd);
	ask(a, sock, "GET", "/hello", NULL, "", true);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, WNOHANG), 0);
	ask(a, sock, "GET", "/hello", NULL, "", true);
	CU_ASSERT_EQUAL(end_of(pid), 7);
	arena_free(a);
}

static void test_listen(void)
{
	struct arena *a = arena_new();
	struct err err = ERR_INIT;
	struct stat st;
	int fd, again, client;

	CU_ASSERT_EQUAL_FATAL(process_listen(sock, &fd, &err), 0);
	CU_ASSERT_EQUAL(stat(sock, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0660);
	/* A stale socket is replaced, and nothing else is left behind. */
	close(fd);
	CU_ASSERT_EQUAL(connect_to(sock), -1);
	CU_ASSERT_EQUAL_FATAL(process_listen(sock, &fd, &err), 0);
	client = connect_to(sock);
	CU_ASSERT(client >= 0);
	close(client);

	/* The image before this one left its socket. */
	setenv("CONNECT_LISTEN_FD", arena_printf(a, "%d:%s", fd, sock), 1);
	CU_ASSERT_EQUAL(process_listen(sock, &again, &err), 0);
	CU_ASSERT_EQUAL(again, fd);
	CU_ASSERT_PTR_NULL(getenv("CONNECT_LISTEN_FD"));
	/* What is no listening socket is not believed. */
	setenv("CONNECT_LISTEN_FD", arena_printf(a, "2:%s", sock), 1);
	CU_ASSERT_EQUAL(process_listen(sock, &again, &err), 0);
	CU_ASSERT_NOT_EQUAL(again, 2);
	close(again);
	close(fd);

	CU_ASSERT_EQUAL(process_listen("127.0.0.1:0", &fd, &err), 0);
	close(fd);
	CU_ASSERT_EQUAL(process_listen("nonsense", &fd, &err), -1);
	CU_ASSERT_EQUAL(err.code, ERR_INVALID);
	err_clear(&err);
	CU_ASSERT_EQUAL(process_listen("/nowhere/at/all.sock", &fd, &err), -1);
	err_clear(&err);
	CU_ASSERT_EQUAL(process_listen(arena_printf(a, "/%0200d", 0), &fd, &err), -1);
	CU_ASSERT_EQUAL(err.code, ERR_INVALID);
	arena_free(a);
}

/* ---- masters ------------------------------------------------------------------------------- */

static int events[2]; /* each child writes its letter and pid at its start, lower-case at its end */

static void tell(char letter)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%c%ld\n", letter, (long)getpid());

	if (write(events[1], text, (size_t)n) != n)
		_exit(9);
}

/* The next event: its letter, and the pid. 0 when none comes. */
static char hear(pid_t *pid)
{
	struct pollfd pf = {.fd = events[0], .events = POLLIN};
	char text[32], c;
	size_t n = 0;

	if (poll(&pf, 1, WAIT_MS) != 1)
		return 0;
	while (n + 1 < sizeof(text) && read(events[0], &c, 1) == 1 && c != '\n')
		text[n++] = c;
	text[n] = '\0';
	*pid = (pid_t)strtol(text + 1, NULL, 10);
	return text[0];
}

static int wait_for_term(void *arg, int index)
{
	char letter = *(const char *)arg;
	sigset_t all, none;

	(void)index;
	/* Blocked while it looks, so that TERM cannot slip in between. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &none);
	tell(letter);
	while (!process_is_stopping())
		sigsuspend(&none);
	tell((char)(letter - 'A' + 'a'));
	_exit(0);
}

static int dies_at_once(void *arg, int index)
{
	(void)arg;
	(void)index;
	tell('D');
	_exit(3);
}

static pid_t start_master(int (*run)(void *, int), int count, bool with_writer)
{
	static char w = 'W', x = 'X';
	static char name[] = "/nowhere/program", *argv[] = {name, NULL};
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(events), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct prefork_group groups[] = {
		    {"worker", count, run, &w}, {"writer", 1, wait_for_term, &x}};

		close(STDERR_FILENO); /* what it logs about deaths is expected */
		_exit(prefork_run(&(struct prefork){.groups = groups,
		    .ngroups = with_writer ? 2 : 1,
		    .argv = argv,
		    .listen_fd = -1,
		    .stop_us = 10 * SECOND_US,
		    .reload_us = 60 * SECOND_US}));
	}
	return pid;
}

static void stop_hearing(void)
{
	close(events[0]);
	close(events[1]);
}

static void test_respawn_and_drain(void)
{
	pid_t master = start_master(wait_for_term, 2, true), pid = 0, victim = 0;
	int i, workers = 0, writers = 0;
	char c;

	for (i = 0; i < 3; i++) {
		c = hear(&pid);
		workers += c == 'W';
		writers += c == 'X';
		if (c == 'W')
			victim = pid;
	}
	CU_ASSERT(workers == 2 && writers == 1);
	CU_ASSERT_FATAL(victim > 1);
	kill(victim, SIGKILL);
	CU_ASSERT_EQUAL(hear(&pid), 'W');
	CU_ASSERT_NOT_EQUAL(pid, victim);

	/* The workers first, then the writer they need. */
	kill(master, SIGTERM);
	CU_ASSERT_EQUAL(hear(&pid), 'w');
	CU_ASSERT_EQUAL(hear(&pid), 'w');
	CU_ASSERT_EQUAL(hear(&pid), 'x');
	CU_ASSERT_EQUAL(end_of(master), 0);
	stop_hearing();
}

static void test_back_off(void)
{
	pid_t master = start_master(dies_at_once, 1, false), pid;
	struct pollfd pf = {.fd = events[0], .events = POLLIN};
	int i;

	for (i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(hear(&pid), 'D');
	kill(master, SIGTERM);
	CU_ASSERT_EQUAL(end_of(master), 0);
	/* With no wait between them there would be hundreds by now. */
	for (i = 0; poll(&pf, 1, 0) == 1 && (pf.revents & POLLIN) != 0 && i < 20; i++)
		hear(&pid);
	CU_ASSERT(i < 4);
	stop_hearing();
}

static void test_children_follow_their_master(void)
{
	pid_t master = start_master(wait_for_term, 1, false), pid;

	CU_ASSERT_EQUAL(hear(&pid), 'W');
	kill(master, SIGKILL);
	end_of(master);
	CU_ASSERT_EQUAL(hear(&pid), 'w');
	stop_hearing();
}

static void test_refused_reload(void)
{
	/* What argv names does not exist, so all stays as it is. */
	pid_t master = start_master(wait_for_term, 1, false), pid, worker;

	CU_ASSERT_EQUAL(hear(&worker), 'W');
	kill(master, SIGHUP);
	kill(worker, SIGKILL);
	CU_ASSERT_EQUAL(hear(&pid), 'W');
	kill(master, SIGTERM);
	CU_ASSERT_EQUAL(hear(&pid), 'w');
	CU_ASSERT_EQUAL(end_of(master), 0);
	stop_hearing();
}

/* Writes a line at each HUP. */
static int logs_at_hup(void *arg, int index)
{
	sigset_t all, waiting;

	(void)arg;
	(void)index;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &waiting);
	tell('W');
	while (!process_is_stopping()) {
		sigsuspend(&waiting);
		log_info("child.woke");
		tell('h');
	}
	/* It drains, with a request in hand that ends after one more HUP. */
	sigaddset(&waiting, SIGTERM);
	sigsuspend(&waiting);
	log_info("child.drained");
	tell('w');
	_exit(0);
}

static bool file_has(struct arena *a, const char *path, const char *text)
{
	char *got = arena_alloc(a, 65536);
	FILE *f = fopen(path, "re");
	size_t n = f == NULL ? 0 : fread(got, 1, 65535, f);

	if (f != NULL)
		fclose(f);
	got[n] = '\0';
	return strstr(got, text) != NULL;
}

static bool file_gets(struct arena *a, const char *path, const char *text)
{
	for (int waited = 0; waited < WAIT_MS / 10; waited++) {
		if (file_has(a, path, text))
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

/* The log was renamed: after HUP master and child write to the new file, though the reload is
 * refused; and so does a child that drains. */
static void test_log_rotation(void)
{
	struct arena *a = arena_new();
	const char *log = arena_printf(a, "%s/log", dir), *one = arena_printf(a, "%s/log.1", dir),
		   *two = arena_printf(a, "%s/log.2", dir);
	pid_t master, pid;

	CU_ASSERT_EQUAL_FATAL(log_open("tester", log, false, LOG_INFO, NULL), 0);
	master = start_master(logs_at_hup, 1, false);
	CU_ASSERT_EQUAL(hear(&pid), 'W');
	CU_ASSERT_EQUAL(rename(log, one), 0);
	kill(master, SIGHUP);
	CU_ASSERT_EQUAL(hear(&pid), 'h');
	CU_ASSERT(file_has(a, log, "event=child.woke"));
	CU_ASSERT(file_gets(a, log, "event=prefork.reload.refused"));
	CU_ASSERT_FALSE(file_has(a, one, "event="));

	kill(master, SIGTERM);
	CU_ASSERT_EQUAL(hear(&pid), 'h');
	CU_ASSERT_EQUAL(rename(log, two), 0);
	kill(master, SIGHUP);
	CU_ASSERT_EQUAL(hear(&pid), 'w');
	CU_ASSERT_EQUAL(end_of(master), 0);
	CU_ASSERT(file_has(a, log, "event=child.drained"));
	CU_ASSERT_FALSE(file_has(a, two, "event=child.drained"));
	stop_hearing();
	log_open("unit-tests", NULL, false, LOG_INFO, NULL);
	unlink(log);
	unlink(one);
	unlink(two);
	arena_free(a);
}

void suite_http_server(void)
{
	CU_pSuite s = CU_add_suite("http_server", make_dir, remove_dir);

	CU_add_test(s, "requests over a socket", test_requests);
	CU_add_test(s, "peers that take their time", test_slow_peers);
	CU_add_test(s, "a crowd of slow bodies", test_crowd);
	CU_add_test(s, "a worker's number of requests", test_max_requests);
	CU_add_test(s, "listening", test_listen);
	CU_add_test(s, "the dead are replaced, drained in order", test_respawn_and_drain);
	CU_add_test(s, "back-off", test_back_off);
	CU_add_test(s, "children end with their master", test_children_follow_their_master);
	CU_add_test(s, "a reload that fails changes nothing", test_refused_reload);
	CU_add_test(s, "a renamed log is left by all", test_log_rotation);
}
