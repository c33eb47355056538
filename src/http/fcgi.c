/* One worker's loop over FastCGI. The only user of fcgiapp.h.
 *
 * libfcgi would accept and close connections itself. It is not let to, for three reasons: it
 * retries or gives up on signals in ways that lose a request at a stop; before it closes it waits
 * for the web server to close first, which keeps a worker idle for the length of a context switch
 * or two, or for as long as a sender of a refused body likes; and it would hold on to a connection
 * that the web server asks to keep, which a worker that serves one request at a time cannot afford.
 * So a connection is accepted here and put in its place in the request (FCGX_Accept_r takes an open
 * one as the next request of a kept connection), and closed here.
 *
 * Nobody keeps a worker by being slow: a peer has a time for all of its head, of its body, and of
 * taking our answer, which grows with the bytes that move (struct patience). And strangers' bodies
 * keep a quarter of the workers waiting at most (crowd_enter), since many can be slow at once. */
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
#include "base/shared.h"
#include "http/conn.h"
#include "http/router.h"
#include "process/process.h"

#define KEEP_BYTES (256u * 1024u) /* what an answer buffer may keep for the next request */
#define PIECE_BYTES 8000u         /* of an answer: about a record, so that one write is one step */
#define AT_ONCE_BYTES (16u * 1024u) /* the socket takes so much without waiting */
#define SLOW_US SECOND_US

/* How long the other side may keep us waiting: for a whole head, body or answer, not for each step
 * of it. Bytes give it time, waiting takes it; what we ourselves do meanwhile does not count. */
#define PATIENCE_US (30 * SECOND_US)
#define PATIENCE_STRANGER_US (10 * SECOND_US) /* on routes that anyone may call */
#define PATIENCE_CROWDED_US (SECOND_US / 4)
#define SLOWEST_BYTES_S 65536
#define LEAVE_US (2 * SECOND_US) /* for what is still on its way to us behind our answer */
#define MARK_US (SECOND_US / 10) /* for the mark of a body's end that should be here already */

struct patience {
	bool is_begun;
	int64_t left_us, step_us, began_us; /* step_us: the socket's limit; 0: none yet */
};

struct fcgi_worker {
	struct server *server;
	struct arena *a;
	FCGX_Request fcgi;
	struct buf head, headers, body;
	struct req *r; /* the request in hand, once it is there */
	struct patience read, write;
	uint64_t answered; /* bytes of the answer */
	bool log_all;
	bool is_read_to_end;
};

/* ---- patience ------------------------------------------------------------------------------ */

static void socket_limit_step(int fd, int option, int64_t us)
{
	const struct timeval tv = {
	    .tv_sec = (time_t)(us / SECOND_US), .tv_usec = (suseconds_t)(us % SECOND_US)};

	setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv));
}

static int64_t patience_of(const struct fcgi_worker *w, int64_t usual_us)
{
	return w->server->patience_us != 0 ? w->server->patience_us : usual_us;
}

static void patience_reset(struct fcgi_worker *w)
{
	w->read = w->write = (struct patience){0};
	w->answered = 0;
}

static bool is_of_stranger(const struct fcgi_worker *w)
{
	return w->r == NULL || w->r->route == NULL || (w->r->route->flags & ROUTE_PUBLIC) != 0;
}

static void patience_open(struct fcgi_worker *w, struct patience *p)
{
	if (p->is_begun)
		return;
	p->is_begun = true;
	p->left_us = patience_of(w, is_of_stranger(w) ? PATIENCE_STRANGER_US : PATIENCE_US);
}

/* Before a step that may wait: it gets what time is left. False when there is none. */
static bool patience_begin(struct fcgi_worker *w, struct patience *p, int option)
{
	int64_t step_us;

	patience_open(w, p);
	if (p->left_us <= 0)
		return false;
	step_us = p->left_us < PATIENCE_US ? p->left_us : PATIENCE_US;
	if (step_us != p->step_us)
		socket_limit_step(w->fcgi.ipcFd, option, p->step_us = step_us);
	p->began_us = clock_mono_us();
	return true;
}

/* Behind it: what it took, and what it brought. */
static void patience_end(struct patience *p, uint64_t bytes)
{
	p->left_us -= clock_mono_us() - p->began_us;
	p->left_us += (int64_t)(bytes * (uint64_t)SECOND_US / SLOWEST_BYTES_S);
}

/* ---- crowds -------------------------------------------------------------------------------- */

static bool is_readable(int fd)
{
	struct pollfd pf = {.fd = fd, .events = POLLIN};

	return poll(&pf, 1, 0) != 0;
}

/* Before a wait for bytes of a body. True: we are counted among those who wait, until crowd_leave.
 * False: there is no need to wait, or no room, and then but a moment is left. */
static bool crowd_enter(struct fcgi_worker *w)
{
	const struct app *app = w->server->app;
	int64_t quarter;

	if (app == NULL || app->shared == NULL || !is_of_stranger(w) || is_readable(w->fcgi.ipcFd))
		return false;
	quarter = config_waiters(app->config) / 2;
	if (shared_wait_begin(app->shared, 0, quarter > 0 ? quarter : 1))
		return true;
	if (w->read.left_us > PATIENCE_CROWDED_US)
		w->read.left_us = PATIENCE_CROWDED_US;
	return false;
}

static void crowd_leave(struct fcgi_worker *w, bool is_in)
{
	if (is_in)
		shared_wait_end(w->server->app->shared);
}

/* ---- bytes --------------------------------------------------------------------------------- */

/* What libfcgi holds of the body is taken as it is. When it has to wait, it is asked for one byte:
 * for more it would read until it has them all, whatever time that takes. */
static int fcgi_body_take(struct fcgi_worker *w, char *p, size_t most)
{
	FCGX_Stream *in = w->fcgi.in;
	size_t here = (size_t)(in->stop - in->rdNext);
	bool is_in, may_wait;
	int got = -1;

	if (here != 0)
		return FCGX_GetStr(p, (int)(here < most ? here : most), in);
	patience_open(w, &w->read);
	is_in = crowd_enter(w);
	may_wait = patience_begin(w, &w->read, SO_RCVTIMEO);
	if (may_wait) {
		got = FCGX_GetStr(p, 1, in);
		patience_end(&w->read, got <= 0 ? 0 : (uint64_t)(in->stop - in->rdNext) + 1);
	}
	crowd_leave(w, is_in);
	return may_wait && FCGX_GetError(in) == 0 ? got : -1;
}

static long fcgi_body_read(void *io, void *p, size_t n)
{
	struct fcgi_worker *w = io;
	size_t got = 0;

	while (got < n) {
		int more = fcgi_body_take(w, (char *)p + got, n - got);

		if (more == -1) {
			int e = FCGX_GetError(w->fcgi.in);

			conn_of(w->r)->is_late = e == 0 || e == EAGAIN || e == EWOULDBLOCK;
			return -1;
		}
		if (more == 0) {
			w->is_read_to_end = true;
			break;
		}
		got += (size_t)more;
	}
	return (long)got;
}

static int fcgi_put(struct fcgi_worker *w, const char *p, size_t n)
{
	while (n != 0) {
		int step = n < PIECE_BYTES ? (int)n : (int)PIECE_BYTES;
		bool may_wait = w->answered + (uint64_t)step > AT_ONCE_BYTES;
		bool is_out;

		if (may_wait && !patience_begin(w, &w->write, SO_SNDTIMEO))
			return -1;
		is_out = FCGX_PutStr(p, step, w->fcgi.out) == step;
		if (may_wait)
			patience_end(&w->write, (uint64_t)step);
		if (!is_out)
			return -1;
		w->answered += (uint64_t)step;
		p += step;
		n -= (size_t)step;
	}
	return 0;
}

static int fcgi_body_write(void *io, const void *p, size_t n)
{
	return fcgi_put(io, p, n);
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
	/* Reading from a socket that has a limit of time is broken off by any signal, and libfcgi
	 * takes that for the end: a reload would lose the request. */
	process_hold_signals(true);
	w->is_read_to_end = false;
	w->r = NULL;
	patience_reset(w);
	w->fcgi.ipcFd = fd;
	w->fcgi.keepConnection = 1; /* or FCGX_Accept_r would close it as a leftover */
	w->fcgi.detached = 0;
	/* A web server sends a head in one go. */
	socket_limit_step(fd, SO_RCVTIMEO, w->read.step_us = patience_of(w, PATIENCE_STRANGER_US));
	if (FCGX_Accept_r(&w->fcgi) != 0)
		return 0;
	w->fcgi.keepConnection = 0;
	return 1;
}

/* Has the body been read, with the mark of its end? The mark is mostly here already. */
static bool body_is_at_end(struct fcgi_worker *w)
{
	char byte;

	if (w->is_read_to_end || FCGX_GetError(w->fcgi.in) != 0)
		return w->is_read_to_end;
	if (w->fcgi.in->stop == w->fcgi.in->rdNext)
		socket_limit_step(w->fcgi.ipcFd, SO_RCVTIMEO, w->read.step_us = MARK_US);
	return FCGX_GetStr(&byte, 1, w->fcgi.in) == 0 && FCGX_GetError(w->fcgi.in) == 0;
}

/* Reads what still comes, for a while, and closes. libfcgi would do so too, for as long as there is
 * a byte every two seconds. */
static void peer_take_leave(int fd, int64_t most_us)
{
	int64_t until_us = clock_mono_us() + most_us, left_us;
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	char trash[4096];

	shutdown(fd, SHUT_WR);
	while ((left_us = until_us - clock_mono_us()) > 0 &&
	       poll(&pf, 1, (int)(left_us / 1000) + 1) > 0 && read(fd, trash, sizeof(trash)) > 0)
		;
	close(fd);
}

/* With everything read, closing at once is safe. Bytes left unread (a refused body) would make it a
 * reset that can overtake the answer. */
static void request_finish(struct fcgi_worker *w, const struct http_conn *c)
{
	bool is_whole = c->content_length <= 0 || w->r->body.n == (size_t)c->content_length;
	int fd = -1;

	if (!w->is_read_to_end && !(is_whole && !c->is_cut && body_is_at_end(w)))
		fd = dup(w->fcgi.ipcFd);
	FCGX_Detach(&w->fcgi);
	if (c->is_cut) /* no end-of-request record: the web server passes the breaking off on */
		FCGX_Free(&w->fcgi, 1);
	else
		FCGX_Finish_r(&w->fcgi);
	if (fd != -1)
		peer_take_leave(fd, patience_of(w, LEAVE_US));
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

	w->r = &r;
	worker_recycle(&w->headers);
	worker_recycle(&w->body);
	status = cgi_request_parse(&r, w->fcgi.envp);
	log_request_set(r.id);
	if (status == 0) {
		router_dispatch(s->router, &r);
	} else {
		c.hooks = router_hooks_of(s->router);
		res_problem(&r, status, "%s", cgi_refusal(status));
	}
	if (!r.res.sent)
		answer_send(w, &r);
	/* Before the end: r points into what libfcgi frees there. */
	request_log(w, &r, clock_mono_us() - started_us);
	request_finish(w, &c);
	w->r = NULL;
	log_request_set(NULL);
	res_do_after(s->app, w->a, &c);
	arena_reset(w->a);
	if (s->each_request != NULL)
		s->each_request(s->app);
}

static int worker_start(struct fcgi_worker *w, struct server *s)
{
	const struct config *cfg = s->app != NULL ? s->app->config : NULL;

	w->server = s;
	w->log_all = cfg != NULL && cfg->log_level != NULL && strcmp(cfg->log_level, "debug") == 0;
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
		if (got == 1)
			worker_serve(&w);
		served += (uint64_t)got;
		process_hold_signals(false);
	}
	arena_free(w.a);
	buf_fini(&w.head);
	buf_fini(&w.headers);
	buf_fini(&w.body);
	return got >= 0 || process_is_stopping() ? 0 : -1;
}
