/* Group commit: one writer process per host commits the write sets of all workers together.
 *
 *   worker ── frame ──► client: reading ── whole frame ──► waiting ──► in a batch ── commit ──┐
 *     ▲ answer after the commit             ▲ the next frame                                  │
 *     └───────────────────────────────────── reading ◄────────────────────────────────────────┘
 *
 * Frames: u32 length, then n × (u32 length, write set): the sets of one request. Answers: u32
 * length, then per set u32 error code, u8 duplicate, u32 length, text.
 *
 * Invariants:
 * - Nobody is answered before the commit of what he sent.
 * - A worker has at most one frame on its way, so a client waits for one answer at most.
 * - A frame that was sent and not answered may be written or not: its sets are marked so
 *   (may_be_written), the worker commits them itself, and what is there already is left out.
 * - Without a writer all goes on, each worker committing for itself: by the same code, only slower.
 *
 * Why: a durable commit is what a database does least often per second. While one batch commits the
 * next ones arrive, so batches form by themselves under load and are of one when it is quiet; in
 * between, where many come but each alone, a batch waits a moment for more (writer_is_ripe). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/app.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/gather.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/shared.h"
#include "http/http.h"
#include "intake/intake.h"
#include "intake/write-set.h"
#include "process/process.h"
#include "process/unix-socket.h"

#define FRAME_MAX (8u * 1024u * 1024u)
#define BATCH_BYTES (4u * 1024u * 1024u) /* stays below max_allowed_packet per statement */
#define BATCH_SETS 64u
#define CLIENTS_MAX 512u
#define BACKLOG 256
#define ANSWER_WAIT_MS 30000
#define GATHER_SETS 16u /* enough for a batch */
#define GATHER_FROM_PER_SECOND 300.0
#define GATHER_US 8000

static uint32_t frame_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static void writer_path(const struct config *cfg, char *out, size_t cap)
{
	config_run_path(cfg, "writer.sock", out, cap);
}

/* ---- the writer -------------------------------------------------------------------------- */

struct writer_client {
	int fd;
	struct buf in;
	bool is_waiting;        /* a whole frame is in */
	struct write_set *sets; /* of that frame, while it is committed */
	size_t nsets;
};

struct writer {
	struct app *app;
	int listen_fd, epoll_fd;
	struct writer_client *clients[CLIENTS_MAX];
	size_t nwaiting, nclients;
	struct gather gather;
};

static void writer_client_close(struct writer *w, size_t slot)
{
	struct writer_client *c = w->clients[slot];

	if (c->is_waiting)
		w->nwaiting--;
	close(c->fd);
	buf_fini(&c->in);
	free(c);
	w->clients[slot] = NULL;
	w->nclients--;
}

static void writer_client_accept(struct writer *w)
{
	int fd;

	while ((fd = accept4(w->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		struct epoll_event ev = {.events = EPOLLIN};
		size_t slot = 0;

		while (slot < CLIENTS_MAX && w->clients[slot] != NULL)
			slot++;
		if (slot == CLIENTS_MAX) { /* the worker commits by itself */
			close(fd);
			continue;
		}
		w->clients[slot] = calloc(1, sizeof(*w->clients[slot]));
		if (w->clients[slot] == NULL)
			abort();
		w->clients[slot]->fd = fd;
		buf_init(&w->clients[slot]->in, FRAME_MAX);
		w->nclients++;
		ev.data.u64 = slot;
		epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	}
}

/* Takes what has arrived; a frame is whole when its announced length is there. */
static void writer_client_read(struct writer *w, size_t slot)
{
	struct writer_client *c = w->clients[slot];
	char piece[65536];
	ssize_t n;

	if (c == NULL)
		return;
	while ((n = recv(c->fd, piece, sizeof(piece), 0)) > 0) {
		buf_add(&c->in, piece, (size_t)n);
		if ((size_t)n < sizeof(piece))
			break;
	}
	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR) || !buf_ok(&c->in)) {
		writer_client_close(w, slot);
		return;
	}
	if (!c->is_waiting && c->in.len >= 4 && c->in.len - 4 >= frame_u32(c->in.p)) {
		c->is_waiting = true;
		if (w->nwaiting++ == 0)
			gather_begin(&w->gather, clock_mono_us());
	}
}

/* Splits a client's frame into its sets: -1 when it is broken. */
static int writer_client_decode(
    struct writer_client *c, struct arena *a, struct write_set *sets, size_t room, size_t *n)
{
	const char *p = c->in.p + 4, *end = p + frame_u32(c->in.p);
	struct err err = ERR_INIT;

	*n = 0;
	while (end - p >= 4 && *n < room) {
		uint32_t len = frame_u32(p);

		p += 4;
		if ((size_t)(end - p) < len ||
		    write_set_decode(a, (struct str){p, len}, &sets[(*n)++], &err) == -1)
			return -1;
		p += len;
	}
	return p == end ? 0 : -1;
}

static int frame_send(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1 && errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			if (poll(&wait, 1, ANSWER_WAIT_MS) == 1)
				continue;
		}
		if (sent == -1)
			return -1;
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static void writer_client_answer(struct writer *w, size_t slot)
{
	struct writer_client *c = w->clients[slot];
	struct buf out;
	int rc;

	buf_init(&out, FRAME_MAX);
	buf_u32(&out, 0);
	for (size_t i = 0; i < c->nsets; i++) {
		const struct write_set *ws = &c->sets[i];

		buf_u32(&out, (uint32_t)ws->err.code);
		buf_chr(&out, (char)ws->is_duplicate);
		buf_u32(&out, (uint32_t)strlen(ws->err.msg));
		buf_str(&out, ws->err.msg);
	}
	for (size_t i = 0, len = out.len - 4; i < 4; i++, len >>= 8)
		out.p[i] = (char)(len & 0xff);
	buf_reset(&c->in);
	c->is_waiting = false;
	w->nwaiting--;
	rc = frame_send(c->fd, out.p, out.len);
	buf_fini(&out);
	if (rc == -1)
		writer_client_close(w, slot);
}

/* Nobody waits for more where nobody is left who could come. */
static bool writer_is_ripe(const struct writer *w)
{
	return w->nwaiting >= GATHER_SETS || w->nwaiting == w->nclients ||
	       !gather_may_wait(&w->gather, clock_mono_us());
}

/* Commits what waits, at most one batch of it. */
static void writer_commit_waiting(struct writer *w)
{
	struct arena *a = arena_new();
	size_t most = BATCH_SETS + 64u * 2u, n = 0, bytes = 0;
	struct write_set *sets = arena_array(a, most, sizeof(*sets));
	size_t taken[CLIENTS_MAX], ntaken = 0;

	for (size_t slot = 0; slot < CLIENTS_MAX && n < BATCH_SETS && bytes < BATCH_BYTES; slot++) {
		struct writer_client *c = w->clients[slot];

		if (c == NULL || !c->is_waiting)
			continue;
		c->sets = sets + n;
		if (writer_client_decode(c, a, c->sets, most - n, &c->nsets) == -1) {
			log_error("writer.frame", LOG_I("bytes", c->in.len));
			writer_client_close(w, slot);
			continue;
		}
		bytes += c->in.len;
		n += c->nsets;
		taken[ntaken++] = slot;
	}
	write_sets_commit_shared(w->app->db, sets, n);
	for (size_t i = 0; i < ntaken; i++)
		writer_client_answer(w, taken[i]);
	arena_free(a);
	gather_end(&w->gather, n, clock_mono_us());
}

static int writer_listen(struct writer *w, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = CLIENTS_MAX};
	char path[256];

	config_run_path(w->app->config, "", path, sizeof(path));
	if (dir_make(path, 0770, err) == -1)
		return -1;
	writer_path(w->app->config, path, sizeof(path));
	if (unix_socket_bind(
		path, SOCK_STREAM | SOCK_NONBLOCK, 0600, BACKLOG, &w->listen_fd, err) == -1)
		return -1;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd == -1)
		return err_set(err, ERR_INTERNAL, "epoll: %s", strerror(errno));
	epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->listen_fd, &ev);
	return 0;
}

static void writer_take_events(struct writer *w, int wait_ms)
{
	struct epoll_event events[128];
	int n = epoll_wait(w->epoll_fd, events, 128, wait_ms);

	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == CLIENTS_MAX)
			writer_client_accept(w);
		else
			writer_client_read(w, events[i].data.u64);
	}
}

int intake_writer_main(void *arg, int index)
{
	struct writer *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;
	int64_t stop_at = 0;

	(void)index;
	if (w == NULL)
		abort();
	w->app = arg;
	w->gather = (struct gather){GATHER_FROM_PER_SECOND, .most_us = GATHER_US};
	if (writer_listen(w, &err) == -1) {
		log_error("writer.start", LOG_ERR(&err));
		return 1;
	}
	/* After TERM the workers that still serve go on being served; they leave by closing. */
	while (!process_is_stopping() || (w->nclients > 0 && clock_mono_us() < stop_at)) {
		writer_take_events(w, w->nwaiting == 0 ? 500 : writer_is_ripe(w) ? 0 : 1);
		if (w->nwaiting > 0 && writer_is_ripe(w))
			writer_commit_waiting(w);
		if (process_is_stopping() && stop_at == 0)
			stop_at = clock_mono_us() + 8 * SECOND_US;
	}
	free(w);
	return 0;
}

/* ---- the worker's side ------------------------------------------------------------------- */

static int writer_fd = -1;
static pid_t writer_fd_owner;

static int writer_connect(const struct config *cfg)
{
	char path[256];

	if (writer_fd != -1 && writer_fd_owner == getpid())
		return 0;
	writer_path(cfg, path, sizeof(path));
	writer_fd = unix_socket_connect(path, SOCK_STREAM);
	writer_fd_owner = getpid();
	return writer_fd == -1 ? -1 : 0;
}

static int writer_answer_read(int fd, char *p, size_t n)
{
	int64_t until = clock_mono_us() + ANSWER_WAIT_MS * INT64_C(1000);

	while (n > 0) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (clock_mono_us() > until)
			return -1;
		if (poll(&wait, 1, 1000) <= 0)
			continue;
		got = recv(fd, p, n, 0);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static int writer_answers_read(struct arena *a, struct write_set *sets, size_t n)
{
	char head[4], *body, *p, *end;
	uint32_t len;

	if (writer_answer_read(writer_fd, head, 4) == -1 || (len = frame_u32(head)) > FRAME_MAX)
		return -1;
	body = arena_alloc(a, len + 1);
	if (writer_answer_read(writer_fd, body, len) == -1)
		return -1;
	end = body + len;
	p = body;
	for (size_t i = 0; i < n; i++) {
		uint32_t text;

		if (end - p < 9)
			return -1;
		sets[i].err.code = (enum err_code)frame_u32(p);
		sets[i].is_duplicate = p[4] != 0;
		text = frame_u32(p + 5);
		p += 9;
		if ((size_t)(end - p) < text)
			return -1;
		snprintf(sets[i].err.msg, sizeof(sets[i].err.msg), "%.*s", (int)text, p);
		p += text;
	}
	return p == end ? 0 : -1;
}

/* 0 answered; -1 not, and then may_be_written says of each whether the writer may have it. */
static int writer_ask(struct app *app, struct arena *a, struct write_set *sets, size_t n)
{
	struct buf *frame;
	size_t at;

	if (!app->config->writer || writer_connect(app->config) == -1)
		return -1;
	frame = buf_new(a, FRAME_MAX);
	buf_u32(frame, 0);
	for (size_t i = 0; i < n; i++) {
		at = frame->len;
		buf_u32(frame, 0);
		write_set_encode(frame, &sets[i]);
		for (size_t k = 0, len = frame->len - at - 4; k < 4; k++, len >>= 8)
			frame->p[at + k] = (char)(len & 0xff);
	}
	if (!buf_ok(frame))
		return -1; /* too large for a frame: commit here */
	for (size_t k = 0, len = frame->len - 4; k < 4; k++, len >>= 8)
		frame->p[k] = (char)(len & 0xff);
	for (size_t i = 0; i < n; i++)
		sets[i].may_be_written = true;
	if (frame_send(writer_fd, frame->p, frame->len) == 0 &&
	    writer_answers_read(a, sets, n) == 0)
		return 0;
	close(writer_fd);
	writer_fd = -1;
	return -1;
}

static bool sets_are_heavy(const struct write_set *sets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (write_set_is_heavy(&sets[i]))
			return true;
	return false;
}

/* What was in the way of the others: waits for its locks here, where it holds up nobody. So may
 * half of the workers, no more. */
static void commit_what_was_left(struct app *app, struct write_set *sets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (sets[i].err.code != ERR_LOCKED)
			continue;
		if (app->shared != NULL &&
		    !shared_wait_begin(app->shared, 0, config_waiters(app->config)))
			continue;
		sets[i].err = (struct err)ERR_INIT;
		write_sets_commit(app->db, &sets[i], 1);
		if (app->shared != NULL)
			shared_wait_end(app->shared);
	}
}

int write_sets_submit(
    struct app *app, struct arena *a, struct write_set *sets, size_t n, struct err *err)
{
	if (sets_are_heavy(sets, n) || writer_ask(app, a, sets, n) == -1)
		write_sets_commit(app->db, sets, n);
	else
		commit_what_was_left(app, sets, n);
	for (size_t i = 0; i < n; i++)
		if (sets[i].err.code != ERR_NONE)
			return err_set(err, sets[i].err.code, "%s", sets[i].err.msg);
	return 0;
}
