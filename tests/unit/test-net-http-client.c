/* The HTTP client against a server of this file's own on loopback: a process per connection, whose
 * behaviour the path chooses. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/fiber.h"
#include "base/limits.h"
#include "net/http-client.h"

void suite_net_http_client(void);

/* ---- the server --------------------------------------------------------------------------- */

static struct {
	int connections; /* accepted so far */
	int requests;
	int inside, most_inside; /* requests being answered at one time */
} * seen;
static pid_t server_pid;
static int server_port;

static void nap_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		continue;
}

static void say(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		const ssize_t done = send(fd, text, n, MSG_NOSIGNAL);

		if (done <= 0)
			_exit(0);
		text += done;
		n -= (size_t)done;
	}
}

static void answer(int fd, const char *head, const char *body, bool is_head)
{
	char text[400];

	snprintf(
	    text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, strlen(body));
	say(fd, text);
	if (!is_head)
		say(fd, body);
}

static void answer_large(int fd, bool has_length)
{
	static char block[65536];

	memset(block, 'x', sizeof(block) - 1);
	say(fd, "HTTP/1.1 200 OK\r\n");
	say(fd, has_length ? "Content-Length: 10485760\r\n\r\n" : "\r\n");
	for (int i = 0; i < 160; i++)
		say(fd, block);
	_exit(0);
}

static void answer_strangely(int fd, const char *path)
{
	if (strcmp(path, "/reset") == 0)
		_exit(0);
	if (strcmp(path, "/partial") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
		_exit(0);
	}
	if (strcmp(path, "/drip") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
		for (;;) {
			say(fd, "x");
			nap_ms(10);
		}
	}
	if (strcmp(path, "/headers") == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 2000; i++)
			say(fd, "X-Filler: abcdefghijklmnopqrstuvwxyz\r\n");
		say(fd, "\r\n");
		_exit(0);
	}
	answer_large(fd, strcmp(path, "/huge") == 0);
}

static void answer_request(int fd, const char *request, size_t n)
{
	char method[16] = "", path[512] = "", text[700];
	long number;

	if (sscanf(request, "%15s %511s", method, path) != 2)
		_exit(0);
	if (sscanf(path, "/status/%ld", &number) == 1) {
		snprintf(text, sizeof(text),
		    "%ld Something\r\nX-Odd-Name:  padded  \r\nX-Odd-Name: two", number);
		answer(fd, text, "{\"ok\":true}", strcmp(method, "HEAD") == 0);
	} else if (sscanf(path, "/sleep/%ld", &number) == 1) {
		nap_ms(number);
		answer(fd, "200 OK", "slept", false);
	} else if (sscanf(path, "/hops/%ld", &number) == 1 && number > 0) {
		snprintf(text, sizeof(text), "302 Found\r\nLocation: %ld", number - 1);
		answer(fd, text, "", false);
	} else if (strncmp(path, "/to/", 4) == 0 && strlen(path) > 8) {
		path[7] = '\0'; /* "/to/307/http://…" */
		snprintf(text, sizeof(text), "%s Moved\r\nLocation: %s", path + 4, path + 8);
		answer(fd, text, "", false);
	} else if (strncmp(path, "/echo", 5) == 0) {
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
		say(fd, text);
		say(fd, request);
	} else if (strcmp(path, "/continue") == 0) {
		say(fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n");
		answer(fd, "200 OK\r\nX-Late: 1", "x", false);
	} else {
		answer_strangely(fd, path);
	}
}

static void serve_connection(int fd)
{
	char buf[16384];
	size_t have = 0;

	for (;;) {
		const char *end, *length;
		size_t whole;
		ssize_t n;
		int inside;

		while (buf[have] = '\0', (end = strstr(buf, "\r\n\r\n")) == NULL) {
			n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
			if (n <= 0)
				_exit(0);
			have += (size_t)n;
			if (buf[0] < 'A' || buf[0] > 'Z')
				_exit(0); /* TLS, perhaps: this server has none */
		}
		length = strcasestr(buf, "\r\ncontent-length:");
		whole = (size_t)(end + 4 - buf) +
			(length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
		while (have < whole) {
			n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0);
			if (n <= 0)
				_exit(0);
			have += (size_t)n;
		}
		buf[have] = '\0';
		__atomic_add_fetch(&seen->requests, 1, __ATOMIC_SEQ_CST);
		inside = __atomic_add_fetch(&seen->inside, 1, __ATOMIC_SEQ_CST);
		if (inside > seen->most_inside)
			seen->most_inside = inside;
		answer_request(fd, buf, have);
		__atomic_sub_fetch(&seen->inside, 1, __ATOMIC_SEQ_CST);
		have = 0;
	}
}

static void serve(int listen_fd)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		const int fd = accept(listen_fd, NULL, NULL);
		pid_t pid;

		if (fd == -1)
			continue;
		__atomic_add_fetch(&seen->connections, 1, __ATOMIC_SEQ_CST);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(listen_fd);
			serve_connection(fd);
		}
		close(fd);
	}
}

static int start(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t n = sizeof(in);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED || fd == -1 || bind(fd, (struct sockaddr *)&in, sizeof(in)) != 0 ||
	    listen(fd, 512) != 0 || getsockname(fd, (struct sockaddr *)&in, &n) != 0)
		return -1;
	server_port = ntohs(in.sin_port);
	fflush(NULL);
	server_pid = fork();
	if (server_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd);
	}
	close(fd);
	return server_pid > 0 ? 0 : -1;
}

static int stop(void)
{
	kill(server_pid, SIGKILL);
	waitpid(server_pid, NULL, 0);
	munmap(seen, sizeof(*seen));
	return 0;
}

/* ---- one call ----------------------------------------------------------------------------- */

static const struct config open_config = {.egress_allow_loopback = true,
    .http_timeout_ms = 5000,
    .http_connect_timeout_ms = 2000,
    .http_per_host = 4,
    .egress_allow_hosts = "",
    .egress_ca_file = ""};

static struct arena *a;
static struct http_client *client;

static void begin(const struct config *cfg)
{
	struct err err = ERR_INIT;

	a = arena_new();
	client = http_client_new(cfg, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(client);
}

static void end(void)
{
	http_client_free(client);
	arena_free(a);
}

static const char *url(const char *path)
{
	return arena_printf(a, "http://127.0.0.1:%d%s", server_port, path);
}

static enum err_code get_within(
    int64_t timeout_ms, const char *address, bool follow, struct http_answer *ans)
{
	const struct http_call call = {
	    .method = "GET", .url = address, .follow_redirects = follow, .timeout_ms = timeout_ms};
	struct err err = ERR_INIT;
	const int rc = http_client_call(client, a, &call, ans, &err);

	if ((rc == 0) != (err.code == ERR_NONE))
		CU_FAIL("result and error disagree");
	return err.code;
}

static enum err_code get(const char *address, bool follow, struct http_answer *ans)
{
	return get_within(1000, address, follow, ans);
}

static bool has(struct str s, const char *text)
{
	return s.p != NULL && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

static void test_answer(void)
{
	struct http_answer ans;

	begin(&open_config);
	CU_ASSERT_EQUAL(get(url("/status/200"), false, &ans), ERR_NONE);
	CU_ASSERT_EQUAL(ans.status, 200);
	CU_ASSERT(str_is(ans.body, "{\"ok\":true}"));
	CU_ASSERT(str_is(http_pairs_get(&ans.headers, "x-odd-name"), "padded"));
	CU_ASSERT(ans.duration_us > 0);
	CU_ASSERT_EQUAL(get(url("/status/503"), false, &ans), ERR_NONE);
	CU_ASSERT_EQUAL(ans.status, 503);
	CU_ASSERT_EQUAL(get(url("/continue"), false, &ans), ERR_NONE);
	CU_ASSERT_EQUAL(ans.status, 200);
	CU_ASSERT_PTR_NULL(http_pairs_get(&ans.headers, "x-early").p);
	CU_ASSERT(str_is(http_pairs_get(&ans.headers, "x-late"), "1"));
	end();
}

static void test_request(void)
{
	struct http_pair pairs[] = {{STR("X-One"), STR("1")}, {STR("X-Empty"), STR("")},
	    {STR("Host"), STR("evil.example")}, {STR("Content-Length"), STR("999")},
	    {STR("Content-Type"), STR("application/json")}};
	struct http_call call = {.method = "POST", .headers = {pairs, 5}, .body = STR("{\"a\":1}")};
	struct http_answer ans;
	struct err err = ERR_INIT;

	begin(&open_config);
	call.url = url("/echo?q=1");
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, &err), 0);
	CU_ASSERT(has(ans.body, "POST /echo?q=1 HTTP/1.1\r\n"));
	CU_ASSERT(has(ans.body, "X-One: 1\r\n"));
	CU_ASSERT(has(ans.body, "X-Empty:\r\n"));
	CU_ASSERT(has(ans.body, "User-Agent: Connect/"));
	CU_ASSERT(has(ans.body, "Content-Length: 7\r\n"));
	CU_ASSERT(has(ans.body, "\r\n\r\n{\"a\":1}"));
	CU_ASSERT_FALSE(has(ans.body, "evil.example"));
	CU_ASSERT_FALSE(has(ans.body, "Content-Length: 999"));
	CU_ASSERT_FALSE(has(ans.body, "Expect"));
	call = (struct http_call){.method = "PATCH", .url = call.url};
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, &err), 0);
	CU_ASSERT(has(ans.body, "PATCH /echo"));
	CU_ASSERT(has(ans.body, "Content-Length: 0\r\n"));
	CU_ASSERT_FALSE(has(ans.body, "Content-Type"));
	call = (struct http_call){.method = "DELETE", .url = call.url};
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, &err), 0);
	CU_ASSERT(has(ans.body, "DELETE /echo"));
	call = (struct http_call){.method = "HEAD", .url = url("/status/200")};
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, &err), 0);
	CU_ASSERT_EQUAL(ans.body.n, 0);
	end();
}

static void test_bad_requests(void)
{
	struct http_pair pair = {STR("X-One"), STR("1\r\nX-Two: 2")};
	struct http_call call = {.method = "GET", .headers = {&pair, 1}};
	struct http_answer ans;
	struct err err = ERR_INIT;

	begin(&open_config);
	call.url = url("/echo");
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, &err), -1);
	CU_ASSERT_EQUAL(err.code, ERR_INVALID);
	pair = (struct http_pair){STR("X One"), STR("1")};
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, NULL), -1);
	call = (struct http_call){.method = "GET /x HTTP/1.1\r\n", .url = call.url};
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, NULL), -1);
	end();
}

static void test_failures(void)
{
	const struct {
		const char *path;
		enum err_code code;
	} rows[] = {
	    {"/sleep/60000", ERR_TIMEOUT},
	    {"/drip", ERR_TIMEOUT},
	    {"/huge", ERR_LIMIT},
	    {"/endless", ERR_LIMIT},
	    {"/headers", ERR_LIMIT},
	    {"/reset", ERR_UNAVAILABLE},
	    {"/partial", ERR_UNAVAILABLE},
	    {"/status/200", ERR_NONE},
	};
	struct http_answer ans;

	begin(&open_config);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int64_t start_us = clock_mono_us();
		const enum err_code code = get(url(rows[i].path), false, &ans);

		if (code != rows[i].code)
			printf("# %s: %d, not %d\n", rows[i].path, (int)code, (int)rows[i].code);
		CU_ASSERT_EQUAL(code, rows[i].code);
		CU_ASSERT(clock_mono_us() - start_us < 10 * SECOND_US);
	}
	CU_ASSERT_EQUAL(get("http://127.0.0.1:1/", false, &ans), ERR_UNAVAILABLE);
	CU_ASSERT_EQUAL(get("http://no-such-host.invalid/", false, &ans), ERR_UNAVAILABLE);
	/* the first call by TLS reads all the authorities' certificates, which may take a while */
	CU_ASSERT_EQUAL(
	    get_within(10000, arena_printf(a, "https://127.0.0.1:%d/status/200", server_port),
		false, &ans),
	    ERR_UNAVAILABLE);
	end();
}

static void test_answer_bound(void)
{
	struct http_call call = {.method = "GET", .max_answer = 11};
	struct http_answer ans;
	struct err err = ERR_INIT;

	begin(&open_config);
	call.url = url("/status/200");
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, &err), 0);
	CU_ASSERT_EQUAL(ans.body.n, 11);
	call.max_answer = 10;
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, &err), -1);
	CU_ASSERT_EQUAL(err.code, ERR_LIMIT);
	end();
}

static void test_policy(void)
{
	struct config cfg = open_config;
	struct http_answer ans;
	const int before = seen->connections;

	cfg.egress_allow_loopback = false;
	begin(&cfg);
	CU_ASSERT_EQUAL(get(url("/status/200"), false, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get("file:///etc/passwd", false, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get("gopher://127.0.0.1/", false, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get("http://u:p@example.com/", false, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(seen->connections, before);
	end();
	cfg.egress_allow_hosts = arena_printf(a = arena_new(), "127.0.0.1:%d", server_port);
	client = http_client_new(&cfg, NULL);
	CU_ASSERT_EQUAL(get(url("/status/200"), false, &ans), ERR_NONE);
	end();
}

/* The host's own name is in no list but its address may be loopback: only the socket knows. */
static void test_policy_at_socket(void)
{
	struct config cfg = open_config;
	struct http_answer ans;
	char name[200] = "";
	enum err_code code;

	cfg.egress_allow_loopback = false;
	begin(&cfg);
	if (gethostname(name, sizeof(name) - 1) == 0) {
		code =
		    get(arena_printf(a, "http://%s:%d/status/200", name, server_port), false, &ans);
		CU_ASSERT(code == ERR_REFUSED || code == ERR_UNAVAILABLE || code == ERR_TIMEOUT);
	}
	end();
}

static void test_redirects(void)
{
	struct http_answer ans;

	begin(&open_config);
	CU_ASSERT_EQUAL(get(url("/to/302/echo"), false, &ans), ERR_NONE);
	CU_ASSERT_EQUAL(ans.status, 302);
	CU_ASSERT_EQUAL(get(url("/to/302//echo"), true, &ans), ERR_NONE);
	CU_ASSERT_EQUAL(ans.status, 200);
	CU_ASSERT(has(ans.body, "GET /echo"));
	CU_ASSERT_EQUAL(get(url("/to/302/http://169.254.169.254/"), true, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get(url("/to/302/file:///etc/passwd"), true, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get(url("/to/302/gopher://127.0.0.1/"), true, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get(url("/to/302/https://127.0.0.1/"), true, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get(url("/to/302/http://a:b@127.0.0.1/"), true, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get(url("/to/302/http://10.0.0.1/"), true, &ans), ERR_REFUSED);
	end();
}

static void test_redirect_count(void)
{
	struct http_answer ans;

	begin(&open_config);
	/* /hops/3 → 2 → 1 → 0, which is "/hops/0": not a redirect but the endless answer */
	CU_ASSERT_EQUAL(get(url("/hops/4"), true, &ans), ERR_REFUSED);
	CU_ASSERT_EQUAL(get(url("/hops/3"), true, &ans), ERR_LIMIT);
	end();
}

static void test_redirect_secrets(void)
{
	struct http_pair pairs[] = {{STR("Authorization"), STR("Bearer secret-1")},
	    {STR("X-Api-Key"), STR("secret-2")}, {STR("Accept"), STR("text/x-kept")}};
	struct http_call call = {
	    .method = "POST", .headers = {pairs, 3}, .body = STR("b=1"), .follow_redirects = true};
	struct http_answer ans;

	begin(&open_config);
	/* the same origin keeps them; 307 keeps method and body */
	call.url = url("/to/307//echo");
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, NULL), 0);
	CU_ASSERT(has(ans.body, "POST /echo"));
	CU_ASSERT(has(ans.body, "secret-1"));
	CU_ASSERT(has(ans.body, "b=1"));
	/* another host name for the same server does not, and 302 makes a GET of it */
	call.url = url(arena_printf(a, "/to/302/http://localhost:%d/echo", server_port));
	CU_ASSERT_EQUAL(http_client_call(client, a, &call, &ans, NULL), 0);
	CU_ASSERT(has(ans.body, "GET /echo"));
	CU_ASSERT(has(ans.body, "text/x-kept"));
	CU_ASSERT_FALSE(has(ans.body, "secret"));
	CU_ASSERT_FALSE(has(ans.body, "b=1"));
	end();
}

static void test_keep_alive(void)
{
	struct http_answer ans;
	int before;

	begin(&open_config);
	CU_ASSERT_EQUAL(get(url("/status/200"), false, &ans), ERR_NONE);
	before = seen->connections;
	for (int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(get(url("/status/200"), false, &ans), ERR_NONE);
	CU_ASSERT_EQUAL(seen->connections, before);
	end();
}

static void test_environment(void)
{
	struct http_answer ans;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	begin(&open_config);
	CU_ASSERT_EQUAL(get(url("/status/200"), false, &ans), ERR_NONE);
	end();
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

/* ---- within fibers ------------------------------------------------------------------------ */

#define FIBERS 60

struct task {
	const char *path;
	int64_t sleep_ms;
	int64_t timeout_ms; /* 0: long enough for any machine */
	enum err_code code;
	int status;
	int64_t took_us;
	int order;
	bool is_done;
};

static int order_next;

static void task_main(void *arg)
{
	struct task *t = arg;
	struct http_answer ans = {0};
	const int64_t start_us = clock_mono_us();

	if (t->path != NULL)
		t->code = get_within(
		    t->timeout_ms != 0 ? t->timeout_ms : 60000, url(t->path), false, &ans);
	if (t->sleep_ms > 0)
		http_client_sleep(client, t->sleep_ms);
	t->status = ans.status;
	t->took_us = clock_mono_us() - start_us;
	t->order = order_next++;
	t->is_done = true;
}

static void run_tasks(struct task *tasks, int n)
{
	struct fiber *fibers[FIBERS];
	int left;

	order_next = 0;
	for (int i = 0; i < n; i++) {
		fibers[i] = fiber_new(task_main, &tasks[i]);
		(void)fiber_resume(fibers[i]);
	}
	do
		left = http_client_poll(client, -1, 1000);
	while (left > 0);
	for (int i = 0; i < n; i++) {
		CU_ASSERT(tasks[i].is_done);
		fiber_free(fibers[i]);
	}
}

static void test_fibers(void)
{
	struct task tasks[FIBERS] = {0};
	int64_t start_us;

	begin(&open_config);
	for (int i = 0; i < FIBERS; i++)
		tasks[i].path = "/sleep/20";
	seen->inside = seen->most_inside = 0;
	start_us = clock_mono_us();
	run_tasks(tasks, FIBERS);
	for (int i = 0; i < FIBERS; i++)
		CU_ASSERT_EQUAL(tasks[i].status, 200);
	CU_ASSERT(clock_mono_us() - start_us >= FIBERS / 4 * 20000);
	CU_ASSERT(seen->most_inside <= 4); /* http_per_host */
	CU_ASSERT(seen->most_inside >= 2);
	end();
}

static void test_fibers_apart(void)
{
	struct task tasks[] = {{.path = "/sleep/60000", .timeout_ms = 1000},
	    {.path = "/status/200"}, {.path = "/reset"}, {.path = "/status/200", .sleep_ms = 50},
	    {.sleep_ms = 30}, {.sleep_ms = 10}};

	begin(&open_config);
	run_tasks(tasks, 6);
	CU_ASSERT_EQUAL(tasks[0].code, ERR_TIMEOUT);
	CU_ASSERT_EQUAL(tasks[0].order, 5);
	CU_ASSERT_EQUAL(tasks[1].status, 200);
	CU_ASSERT_EQUAL(tasks[2].code, ERR_UNAVAILABLE);
	CU_ASSERT_EQUAL(tasks[3].status, 200);
	CU_ASSERT(tasks[3].took_us >= 50000);
	CU_ASSERT(tasks[4].took_us >= 30000);
	CU_ASSERT(tasks[5].order < tasks[4].order);
	end();
}

/* Calls that wait for a free connection to a server that hangs end in bounded time too. */
static void test_fibers_hanging_host(void)
{
	struct task tasks[12] = {0};
	const int64_t start_us = clock_mono_us();

	begin(&open_config);
	for (int i = 0; i < 12; i++)
		tasks[i] = (struct task){.path = "/sleep/60000", .timeout_ms = 1000};
	run_tasks(tasks, 12);
	for (int i = 0; i < 12; i++)
		CU_ASSERT_EQUAL(tasks[i].code, ERR_TIMEOUT);
	CU_ASSERT(clock_mono_us() - start_us < 5 * SECOND_US);
	end();
}

static void test_poll_wakes(void)
{
	int pipe_fds[2];
	const int64_t start_us = clock_mono_us();

	begin(&open_config);
	CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
	CU_ASSERT_EQUAL(write(pipe_fds[1], "x", 1), 1);
	CU_ASSERT_EQUAL(http_client_poll(client, pipe_fds[0], 60000), 0);
	CU_ASSERT(clock_mono_us() - start_us < 30 * SECOND_US);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	end();
}

static void test_retry_after(void)
{
	struct http_pair pair = {STR("retry-after"), STR("2")};
	struct http_answer ans = {.headers = {&pair, 1}};

	CU_ASSERT_EQUAL(http_answer_retry_after_ms(&ans, clock_now_us(), 60000), 2000);
	CU_ASSERT_EQUAL(http_answer_retry_after_ms(&ans, clock_now_us(), 1500), 1500);
	pair.value = STR("1.5");
	CU_ASSERT_EQUAL(http_answer_retry_after_ms(&ans, clock_now_us(), 60000), 1500);
	pair.value = STR("soon");
	CU_ASSERT_EQUAL(http_answer_retry_after_ms(&ans, clock_now_us(), 60000), -1);
	ans.headers.n = 0;
	CU_ASSERT_EQUAL(http_answer_retry_after_ms(&ans, clock_now_us(), 60000), -1);
}

void suite_net_http_client(void)
{
	CU_pSuite s = CU_add_suite("net_http_client", start, stop);

	CU_add_test(s, "answers", test_answer);
	CU_add_test(s, "requests", test_request);
	CU_add_test(s, "requests that cannot be", test_bad_requests);
	CU_add_test(s, "what a server can do wrong", test_failures);
	CU_add_test(s, "bound on the answer", test_answer_bound);
	CU_add_test(s, "egress policy", test_policy);
	CU_add_test(s, "egress policy at the socket", test_policy_at_socket);
	CU_add_test(s, "redirects", test_redirects);
	CU_add_test(s, "count of redirects", test_redirect_count);
	CU_add_test(s, "secrets stay at home", test_redirect_secrets);
	CU_add_test(s, "connections are kept", test_keep_alive);
	CU_add_test(s, "proxies of the environment are not used", test_environment);
	CU_add_test(s, "fibers share the loop", test_fibers);
	CU_add_test(s, "fibers do not wait for each other", test_fibers_apart);
	CU_add_test(s, "a host that hangs", test_fibers_hanging_host);
	CU_add_test(s, "the extra descriptor ends a poll", test_poll_wakes);
	CU_add_test(s, "Retry-After", test_retry_after);
}
