/* One worker's loop over FastCGI. The only user of fcgiapp.h.
 *
 * libfcgi would accept and close connections itself. It is not let to, for three reasons: it
 * retries or gives up on signals in ways that lose a request at a stop; before it closes it waits
 * for the web server to close first, which keeps a worker idle for the length of a context switch
 * or two; and it would hold on to a connection that the web server asks to keep, which a worker
 * that serves one request at a time cannot afford. So a connection is accepted here and put in its
 * place in the request (FCGX_Accept_r takes an open one as the next request of a kept connection),
 * and one that has been read to its end is closed without the wait. */
#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/conn.h"
#include "http/router.h"
#include "process/process.h"

#define PEER_TIMEOUT_S 30         /* a web server that stops in mid-request is given up */
#define SMALL_BODY 4096           /* came along with the head: no time limit needed to read it */
#define KEEP_BYTES (256u * 1024u) /* what an answer buffer may keep for the next request */
#define SLOW_US SECOND_US

struct fcgi_worker {
	struct server *server;
	struct arena *a;
	FCGX_Request fcgi;
	struct buf head, headers, body;
	bool is_local; /* a Unix socket: only the web server can be at the other end */
	bool log_all;
	bool is_read_to_end;
	bool is_limited; /* the connection has its time limits */
};

/* ---- bytes --------------------------------------------------------------------------------- */

/* Keeps a silent peer from holding the worker for good. */
static void socket_limit_waits(struct fcgi_worker *w)
{
	const struct timeval tv = {.tv_sec = PEER_TIMEOUT_S};

	if (w->is_limited)
		return;
	w->is_limited = true;
	setsockopt(w->fcgi.ipcFd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(w->fcgi.ipcFd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static long fcgi_body_read(void *io, void *p, size_t n)
{
	struct fcgi_worker *w = io;
	size_t got = 0;

	if (n > SMALL_BODY)
		socket_limit_waits(w);
	while (got < n) {
		size_t want = n - got < INT32_MAX ? n - got : INT32_MAX;
		int more = FCGX_GetStr((char *)p + got, (int)want, w->fcgi.in);

		if (more <= 0 || FCGX_GetError(w->fcgi.in) != 0)
			break;
		got += (size_t)more;
	}
	if (FCGX_GetError(w->fcgi.in) != 0)
		return -1;
	if (got < n)
		w->is_read_to_end = true;
	return (long)got;
}

static int fcgi_put(struct fcgi_worker *w, const char *p, size_t n)
{
	while (n != 0) {
		int step = n < INT32_MAX ? (int)n : INT32_MAX;

		if (FCGX_PutStr(p, step, w->fcgi.out) != step)
			return -1;
		p += step;
		n -= (size_t)step;
	}
	return 0;
}

static int fcgi_body_write(void *io, const void *p, size_t n)
{
	struct fcgi_worker *w = io;

	socket_limit_waits(w);
	return fcgi_put(w, p, n);
}

/* ---- connections --------------------------------------------------------------------------- */

/* A connection, or -1 when it is time to stop or the socket is of no use. */
static int request_accept(int listen_fd)
{
	struct pollfd pf = {.fd = listen_fd, .events = POLLIN};

	while (!process_is_stopping()) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			return fd;
		switch (errno) {
		case EAGAIN: /* handed to us non-blocking */
			poll(&pf, 1, -1);
			break;
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			log_error("http.accept", LOG_S("error", strerror(errno)));
			poll(NULL, 0, 50);
			break;
		case EBADF:
		case EINVAL:
		case ENOTSOCK:
		case EOPNOTSUPP:
			if (!process_is_stopping())
				log_error("http.accept", LOG_S("error", strerror(errno)));
			return -1;
		default: /* EINTR, ECONNABORTED and other accidents of one connection */
			break;
		}
	}
	return -1;
}

/* 1: a request is there; 0: the peer sent none (its connection is closed); -1: the end. */
static int request_next(struct fcgi_worker *w)
{
	int fd = request_accept(w->server->listen_fd);

	if (fd == -1)
		return -1;
	w->is_read_to_end = w->is_limited = false;
	w->fcgi.ipcFd = fd;
	w->fcgi.keepConnection = 1; /* or FCGX_Accept_r would close it as a leftover */
	w->fcgi.detached = 0;
	if (!w->is_local)
		socket_limit_waits(w);
	if (FCGX_Accept_r(&w->fcgi) != 0)
		return 0;
	w->fcgi.keepConnection = 0;
	return 1;
}

/* With everything read, closing at once is safe. Bytes left unread (a refused body) would make it a
 * reset that can overtake the answer: then libfcgi's shutdown-and-wait is right. */
static void request_finish(struct fcgi_worker *w, const struct http_conn *c)
{
	char byte;

	if (c->is_cut) {
		/* No end-of-request record: the web server passes the breaking off on. */
		FCGX_Free(&w->fcgi, 1);
		return;
	}
	if (!w->is_read_to_end && FCGX_GetError(w->fcgi.in) == 0 && c->content_length <= 0)
		w->is_read_to_end = FCGX_GetStr(&byte, 1, w->fcgi.in) == 0;
	if (w->is_read_to_end)
		FCGX_Detach(&w->fcgi);
	else
		socket_limit_waits(w);
	FCGX_Finish_r(&w->fcgi);
}

/* ---- one request --------------------------------------------------------------------------- */

static void answer_send(struct fcgi_worker *w, struct req *r)
{
	bool has_body = status_has_body(r->res.status);

	buf_reset(&w->head);
	res_head(r, &w->head, (int64_t)r->res.body->len);
	if (!buf_ok(&w->head)) {
		log_error("http.headers.too_large", LOG_STR("path", r->path));
		conn_of(r)->is_cut = true;
		return;
	}
	/* An answer larger than a socket buffer may have to wait for the peer. */
	if (r->res.body->len > KEEP_BYTES)
		socket_limit_waits(w);
	if (fcgi_put(w, w->head.p, w->head.len) == 0 && has_body && r->method != HTTP_HEAD)
		fcgi_put(w, r->res.body->p, r->res.body->len);
}

static void request_log(const struct fcgi_worker *w, const struct req *r, int64_t took_us)
{
	if (!w->log_all && r->res.status < 500 && took_us <= SLOW_US)
		return;
	log_info("http.request", LOG_S("method", http_method_name(r->method)),
	    LOG_STR("path", r->path), LOG_I("status", r->res.status), LOG_I("duration_us", took_us),
	    LOG_S("remote", r->remote_addr));
}

static void worker_recycle(struct buf *b)
{
	if (b->cap > KEEP_BYTES) {
		size_t max = b->max;

		buf_fini(b);
		buf_init(b, max);
	}
	buf_reset(b);
}

static void worker_serve(struct fcgi_worker *w)
{
	struct server *s = w->server;
	struct http_conn c = {
	    .io = w, .read = fcgi_body_read, .write = fcgi_body_write, .content_length = -1};
	int64_t started_us = clock_mono_us();
	struct req r = {.a = w->a,
	    .app = s->app,
	    .path = STR("/"),
	    .scheme = STR("http"),
	    .remote_addr = "",
	    .id = "",
	    .received_us = clock_now_us(),
	    .conn = &c,
	    .res = {.status = 200, .headers = &w->headers, .body = &w->body}};
	int status;

	worker_recycle(&w->headers);
	worker_recycle(&w->body);
	status = cgi_request_parse(&r, w->fcgi.envp);
	log_request_set(r.id);
	if (status == 0) {
		router_dispatch(s->router, &r);
	} else {
		c.hooks = router_hooks_of(s->router);
		res_problem(&r, status, NULL);
	}
	if (!r.res.sent)
		answer_send(w, &r);
	if (c.content_length > 0 && r.body.n == (size_t)c.content_length) {
		char byte;

		/* Only the mark of the end is left, and mostly here already. */
		w->is_read_to_end =
		    FCGX_GetStr(&byte, 1, w->fcgi.in) == 0 && FCGX_GetError(w->fcgi.in) == 0;
	}
	/* Before the end: r points into what libfcgi frees there. */
	request_log(w, &r, clock_mono_us() - started_us);
	request_finish(w, &c);
	log_request_set(NULL);
	arena_reset(w->a);
	if (s->each_request != NULL)
		s->each_request(s->app);
}

static int worker_start(struct fcgi_worker *w, struct server *s)
{
	const struct config *cfg = s->app != NULL ? s->app->config : NULL;
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	w->server = s;
	w->log_all = cfg != NULL && cfg->log_level != NULL && strcmp(cfg->log_level, "debug") == 0;
	if (getsockname(s->listen_fd, (struct sockaddr *)&sa, &n) != 0) {
		log_error("http.listen", LOG_S("error", strerror(errno)));
		return -1;
	}
	w->is_local = sa.ss_family == AF_UNIX;
	/* Ours first: FCGX_Init puts its own handlers where it finds none. */
	process_stop_signals(s->listen_fd);
	if (FCGX_Init() != 0 || FCGX_InitRequest(&w->fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR) != 0) {
		log_error("http.fcgi", LOG_S("error", "libfcgi does not start"));
		return -1;
	}
	w->a = arena_new();
	buf_init(&w->head, 2 * LIMIT_HEADER_BYTES);
	buf_init(&w->headers, LIMIT_HEADER_BYTES);
	buf_init(&w->body, LIMIT_PAGE_BYTES);
	return 0;
}

int server_run(struct server *s, uint64_t max_requests)
{
	struct fcgi_worker w = {0};
	uint64_t served = 0;
	int got = 0;

	if (worker_start(&w, s) == -1)
		return -1;
	while ((max_requests == 0 || served < max_requests) && (got = request_next(&w)) >= 0) {
		if (got == 0)
			continue;
		worker_serve(&w);
		served++;
	}
	arena_free(w.a);
	buf_fini(&w.head);
	buf_fini(&w.headers);
	buf_fini(&w.body);
	return got >= 0 || process_is_stopping() ? 0 : -1;
}
