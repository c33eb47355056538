/* A load generator for the benches: HTTP/1.1 with keep-alive over loopback, one thread, epoll,
 * little work per request, so that what is measured is the other side. `loadgen -h` tells the
 * options. Prints one JSON line.
 *
 * Without -r it is a closed loop: each connection sends its next request when the last is answered.
 * With -r it is an open loop: requests are due at fixed times, and latency counts from when one was
 * due, so that a stall of the server shows in all requests it held up. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "crypto/hash.h"

#define CONNECTIONS_MAX 4096
#define HEADERS_MAX 32
#define REQUEST_MAX 16384u
#define INPUT_MAX 65536u
#define TIMEOUT_US (30 * SECOND_US)
#define RECONNECT_US (SECOND_US / 50)
#define NEVER INT64_MAX

/* Latencies by 1/128 of their power of two: within 0.8 %. */
#define SUB_BITS 7
#define SUB (1u << SUB_BITS)
#define BUCKETS ((64 - SUB_BITS) * SUB)

struct url {
	const char *text; /* as given: what HubSpot signs */
	char host[128];   /* with port */
	const char *path;
	int port;
};

enum conn_state { CONN_DOWN, CONN_IDLE, CONN_SENDING, CONN_HEAD, CONN_BODY };

struct conn {
	int fd;
	enum conn_state state;
	bool is_write_watched, will_close, is_reused;
	struct buf out;
	size_t sent;
	char in[INPUT_MAX];
	size_t have;
	int64_t left; /* body bytes to come; -1: chunked, -2: until close */
	enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } chunk;
	uint64_t chunk_left;
	int status;
	int64_t due_us, sent_us, retry_us;
	uint64_t id; /* of the webhook */
	struct conn *next_idle;
};

static struct {
	bool is_webhook;
	const char *body; /* of a POST; NULL: a GET */
	int connections, ratio;
	int64_t count, duration_us;
	double rate;
	struct url url, meta, hubspot;
	const char *headers[HEADERS_MAX];
	size_t nheaders;
	const char *meta_secret, *page_id, *form_id;
	const char *hubspot_secret, *hubspot_uri, *portal_id;
	uint64_t first_id;
	const char *acked_path, *times_path;
} opt = {.connections = 32,
    .ratio = 50,
    .page_id = "153125381133",
    .form_id = "123123123",
    .portal_id = "62515"};

static struct {
	uint64_t started, answered, ok, errors, max_us;
	uint64_t statuses[600], buckets[BUCKETS];
	int64_t start_us, stop_us, end_us;
	struct conn *conns, *idle;
	struct buf fixed; /* the request of `get` */
	FILE *acked, *times;
	int64_t wall_us; /* what the clock is ahead of the monotonic one */
	int epoll_fd, busy;
	struct sockaddr_in server;
} run;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	fputs("loadgen: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

/* ---- latencies ------------------------------------------------------------------------------ */

static unsigned bucket_of(uint64_t us)
{
	unsigned shift;

	if (us < SUB)
		return (unsigned)us;
	shift = 63u - (unsigned)__builtin_clzll(us) - SUB_BITS;
	return (shift + 1) * SUB + (unsigned)(us >> shift) - SUB;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_top(unsigned i)
{
	if (i < SUB)
		return i;
	return ((uint64_t)(i % SUB + SUB + 1) << (i / SUB - 1)) - 1;
}

static uint64_t quantile(double q)
{
	const uint64_t target = (uint64_t)(q * (double)run.answered + 0.999999);
	uint64_t seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += run.buckets[i];
		if (seen >= target && seen > 0)
			return bucket_top(i) < run.max_us ? bucket_top(i) : run.max_us;
	}
	return run.max_us;
}

/* ---- requests ------------------------------------------------------------------------------- */

static void parse_url(const char *text, struct url *u)
{
	const char *host = text + 7, *slash;
	int64_t port = 80;
	char *colon;
	size_t n;

	if (strncmp(text, "http://", 7) != 0)
		die("%s: only http:// on loopback is spoken", text);
	slash = strchr(host, '/');
	n = slash != NULL ? (size_t)(slash - host) : strlen(host);
	if (n >= sizeof(u->host))
		die("%s: the host is too long", text);
	u->text = text;
	u->path = slash != NULL ? slash : "/";
	memcpy(u->host, host, n);
	u->host[n] = '\0';
	colon = strchr(u->host, ':');
	if (colon != NULL && !str_to_i64(str_from(colon + 1), 1, 65535, &port))
		die("%s: bad port", text);
	n = colon != NULL ? (size_t)(colon - u->host) : n;
	if (!str_is((struct str){u->host, n}, "localhost") &&
	    !str_is((struct str){u->host, n}, "127.0.0.1"))
		die("%s: load goes to 127.0.0.1 alone", text);
	u->port = (int)port;
}

static void add_post(struct buf *out, const struct url *u, struct str body)
{
	buf_printf(out,
	    "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n",
	    u->path, u->host, body.n);
}

/* The header the provider would have put on: over raw bytes, as providers sign. */
static void compose_meta(struct conn *c, struct buf *body)
{
	const int64_t now_s = clock_now_us() / SECOND_US;
	unsigned char mac[SHA256_SIZE];
	struct str text;

	buf_printf(body,
	    "{\"object\":\"page\",\"entry\":[{\"id\":\"%s\",\"time\":%" PRId64
	    ",\"changes\":[{\"field\":\"leadgen\",\"value\":{\"leadgen_id\":\"%" PRIu64
	    "\",\"page_id\":\"%s\",\"form_id\":\"%s\",\"ad_id\":\"120210000000000001\","
	    "\"adgroup_id\":\"120210000000000002\",\"created_time\":%" PRId64 "}}]}]}",
	    opt.page_id, now_s, c->id, opt.page_id, opt.form_id, now_s);
	text = (struct str){body->p, body->len};
	hmac_parts(HASH_SHA256, str_from(opt.meta_secret), &text, 1, mac);
	add_post(&c->out, &opt.meta, text);
	buf_str(&c->out, "X-Hub-Signature-256: sha256=");
	hex_encode(&c->out, mac, sizeof(mac));
	buf_str(&c->out, "\r\n\r\n");
}

static void compose_hubspot(struct conn *c, struct buf *body)
{
	const int64_t now_ms = clock_now_us() / 1000;
	unsigned char mac[SHA256_SIZE];
	char stamp[32];
	struct str parts[4], text;

	buf_printf(body,
	    "[{\"eventId\":%" PRIu64 ",\"subscriptionId\":12345,\"portalId\":%s,"
	    "\"appId\":54321,\"occurredAt\":%" PRId64
	    ",\"subscriptionType\":\"contact.propertyChange\",\"attemptNumber\":0,\"objectId\":"
	    "%" PRIu64 ",\"propertyName\":\"email\",\"propertyValue\":\"contact.%" PRIu64
	    "@example.com\",\"changeSource\":\"CRM\"}]",
	    c->id, opt.portal_id, now_ms, c->id, c->id);
	text = (struct str){body->p, body->len};
	snprintf(stamp, sizeof(stamp), "%" PRId64, now_ms);
	parts[0] = STR("POST");
	parts[1] = str_from(opt.hubspot_uri);
	parts[2] = text;
	parts[3] = str_from(stamp);
	hmac_parts(HASH_SHA256, str_from(opt.hubspot_secret), parts, 4, mac);
	add_post(&c->out, &opt.hubspot, text);
	buf_printf(&c->out, "X-HubSpot-Request-Timestamp: %s\r\nX-HubSpot-Signature-v3: ", stamp);
	base64_encode(&c->out, mac, sizeof(mac));
	buf_str(&c->out, "\r\n\r\n");
}

static void compose(struct conn *c)
{
	static struct buf body = {.p = NULL};
	const uint64_t k = run.started;

	buf_reset(&c->out);
	if (!opt.is_webhook) {
		buf_add(&c->out, run.fixed.p, run.fixed.len);
		return;
	}
	if (body.p == NULL)
		buf_init(&body, REQUEST_MAX);
	buf_reset(&body);
	c->id = opt.first_id + k;
	/* Bresenham's line spreads the two kinds evenly at any ratio. */
	if ((k + 1) * (unsigned)opt.ratio / 100 != k * (unsigned)opt.ratio / 100)
		compose_meta(c, &body);
	else
		compose_hubspot(c, &body);
	buf_add(&c->out, body.p, body.len);
}

static void compose_fixed(void)
{
	buf_init(&run.fixed, REQUEST_MAX);
	buf_printf(&run.fixed, "%s %s HTTP/1.1\r\nHost: %s\r\n", opt.body == NULL ? "GET" : "POST",
	    opt.url.path, opt.url.host);
	for (size_t i = 0; i < opt.nheaders; i++)
		buf_printf(&run.fixed, "%s\r\n", opt.headers[i]);
	if (opt.body != NULL)
		buf_printf(&run.fixed, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
		    strlen(opt.body));
	buf_printf(&run.fixed, "\r\n%s", opt.body == NULL ? "" : opt.body);
	if (!buf_ok(&run.fixed))
		die("the request is too large");
}

/* ---- connections ---------------------------------------------------------------------------- */

static void idle_push(struct conn *c)
{
	c->state = CONN_IDLE;
	c->next_idle = run.idle;
	run.idle = c;
}

static void watch(struct conn *c, bool for_write)
{
	struct epoll_event ev = {.events = EPOLLIN | (for_write ? EPOLLOUT : 0u), .data.ptr = c};

	if (c->is_write_watched == for_write)
		return;
	c->is_write_watched = for_write;
	if (epoll_ctl(run.epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) != 0)
		die("epoll_ctl: %s", strerror(errno));
}

static void conn_down(struct conn *c, int64_t retry_us)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = CONN_DOWN;
	c->retry_us = retry_us;
}

/* Connects, waiting: on loopback that is at once or refused. */
static void conn_up(struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
	const int yes = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(c->fd, (const struct sockaddr *)&run.server, sizeof(run.server)) != 0) {
		conn_down(c, clock_mono_us() + RECONNECT_US);
		return;
	}
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	c->is_write_watched = c->is_reused = false;
	c->have = 0;
	if (epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		die("epoll_ctl: %s", strerror(errno));
	idle_push(c);
}

/* The request in hand has failed: it counts, and another connection is made. */
static void conn_failed(struct conn *c)
{
	run.errors++;
	run.busy--;
	conn_down(c, clock_mono_us());
}

static void conn_flush(struct conn *c)
{
	while (c->sent < c->out.len) {
		const ssize_t n = send(
		    c->fd, c->out.p + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			watch(c, true);
			return;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			conn_failed(c);
			return;
		}
		c->sent += (size_t)n;
	}
	watch(c, false);
	if (c->state == CONN_SENDING)
		c->state = CONN_HEAD;
}

static void conn_send(struct conn *c, int64_t due_us, int64_t now_us)
{
	compose(c);
	run.started++;
	run.busy++;
	c->due_us = due_us;
	c->sent_us = now_us;
	c->sent = c->have = 0;
	c->state = CONN_SENDING;
	conn_flush(c);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void answered(struct conn *c)
{
	const int64_t now_us = clock_mono_us();
	const uint64_t us = now_us > c->due_us ? (uint64_t)(now_us - c->due_us) : 0;

	run.answered++;
	run.busy--;
	run.buckets[bucket_of(us)]++;
	if (us > run.max_us)
		run.max_us = us;
	run.statuses[c->status]++;
	if (c->status >= 200 && c->status < 300) {
		run.ok++;
		if (run.acked != NULL)
			fprintf(run.acked, "%" PRIu64 "\n", c->id);
		if (run.times != NULL)
			fprintf(run.times, "%" PRIu64 " %" PRId64 " %" PRId64 "\n", c->id,
			    c->due_us + run.wall_us, now_us + run.wall_us);
	}
	if (c->will_close)
		conn_down(c, now_us);
	else
		idle_push(c);
}

/* A header's value within the head, or {NULL,0}. */
static struct str head_value(const char *head, size_t n, const char *name)
{
	struct str rest = {head, n}, line;
	const size_t len = strlen(name);

	while (rest.n > 0 && str_split(&rest, '\n', &line))
		if (line.n > len && line.p[len] == ':' && strncasecmp(line.p, name, len) == 0)
			return str_trim((struct str){line.p + len + 1, line.n - len - 1});
	return (struct str){NULL, 0};
}

/* 1: the head is read, 0: more must come, -1: this is no HTTP. */
static int take_head(struct conn *c)
{
	const char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
	struct str length, coding, connection;
	int64_t status;
	size_t n;

	if (end == NULL)
		return c->have == sizeof(c->in) ? -1 : 0;
	n = (size_t)(end + 4 - c->in);
	if (n < 16 || memcmp(c->in, "HTTP/1.", 7) != 0 ||
	    !str_to_i64((struct str){c->in + 9, 3}, 100, 599, &status))
		return -1;
	c->status = (int)status;
	length = head_value(c->in, n, "content-length");
	coding = head_value(c->in, n, "transfer-encoding");
	connection = head_value(c->in, n, "connection");
	c->will_close = str_ieq(connection, STR("close"));
	c->left = 0;
	if (coding.n > 0) {
		c->left = -1;
		c->chunk = CHUNK_SIZE;
		c->chunk_left = 0;
	} else if (length.p != NULL) {
		if (!str_to_i64(length, 0, INT64_MAX, &c->left))
			return -1;
	} else if (status != 204 && status != 304) {
		c->left = -2;
		c->will_close = true;
	}
	c->have -= n;
	memmove(c->in, c->in + n, c->have);
	return 1;
}

static int hex_value(char ch)
{
	return ch >= '0' && ch <= '9'   ? ch - '0'
	       : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
	       : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
					: -1;
}

/* Walks over a chunked body: 1 at its end. RFC 9112 §7.1, extensions skipped. */
static int take_chunks(struct conn *c)
{
	size_t i = 0;

	for (; i < c->have; i++) {
		const char ch = c->in[i];

		switch (c->chunk) {
		case CHUNK_SIZE:
			if (hex_value(ch) >= 0)
				c->chunk_left = c->chunk_left * 16 + (unsigned)hex_value(ch);
			else if (ch == '\n')
				c->chunk = c->chunk_left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
			break;
		case CHUNK_DATA: {
			const size_t here = c->have - i;
			const size_t n = here < c->chunk_left ? here : (size_t)c->chunk_left;

			c->chunk_left -= n;
			i += n - 1;
			if (c->chunk_left == 0)
				c->chunk = CHUNK_END;
			break;
		}
		case CHUNK_END:
			if (ch == '\n')
				c->chunk = CHUNK_SIZE;
			break;
		case CHUNK_TRAILER:
			if (ch == '\n')
				return 1;
			break;
		}
	}
	c->have = 0;
	return 0;
}

/* 1 when the answer is complete. */
static int take_body(struct conn *c)
{
	if (c->left == -1)
		return take_chunks(c);
	if (c->left == -2) {
		c->have = 0;
		return 0;
	}
	c->left -= (int64_t)c->have;
	c->have = 0;
	return c->left <= 0;
}

static void conn_readable(struct conn *c)
{
	const ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - c->have, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		if (c->state == CONN_BODY && c->left == -2)
			answered(c);
		else
			conn_failed(c);
		return;
	}
	c->have += (size_t)n;
	while (c->state == CONN_HEAD || c->state == CONN_SENDING) {
		const int rc = take_head(c);

		if (rc < 0)
			conn_failed(c);
		if (rc <= 0)
			return;
		if (c->status >= 200)
			c->state = CONN_BODY; /* 1xx: another head follows */
	}
	if (c->state == CONN_BODY && take_body(c) == 1)
		answered(c);
}

/* An idle connection became readable: the server closed it. It is taken off the idle list. */
static void idle_closed(struct conn *c)
{
	for (struct conn **p = &run.idle; *p != NULL; p = &(*p)->next_idle) {
		if (*p == c) {
			*p = c->next_idle;
			break;
		}
	}
	conn_down(c, clock_mono_us());
}

/* ---- the loop ------------------------------------------------------------------------------- */

static bool may_start(int64_t now_us)
{
	return now_us < run.stop_us && (opt.count == 0 || run.started < (uint64_t)opt.count);
}

/* Starts what is due; answers when the next is. */
static int64_t start_due(int64_t now_us)
{
	while (run.idle != NULL && may_start(now_us)) {
		struct conn *c = run.idle;
		int64_t due_us = now_us;

		if (opt.rate > 0) {
			due_us = run.start_us + (int64_t)((double)run.started * 1e6 / opt.rate);
			if (due_us > now_us)
				return due_us;
		}
		run.idle = c->next_idle;
		conn_send(c, due_us, now_us);
	}
	return NEVER;
}

static int64_t reconnect(int64_t now_us)
{
	int64_t next_us = NEVER;

	for (int i = 0; i < opt.connections; i++) {
		struct conn *c = &run.conns[i];

		if (c->state == CONN_DOWN && c->retry_us <= now_us)
			conn_up(c);
		if (c->state == CONN_DOWN && c->retry_us < next_us)
			next_us = c->retry_us;
		if (c->state >= CONN_SENDING && now_us - c->sent_us > TIMEOUT_US)
			conn_failed(c);
	}
	return next_us;
}

static int wait_events(struct epoll_event *events, int n, int64_t until_us, int64_t now_us)
{
	int64_t us = until_us > now_us ? until_us - now_us : 0;

	if (us > SECOND_US)
		us = SECOND_US;
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
	const struct timespec ts = {us / SECOND_US, us % SECOND_US * 1000};
	const int got = epoll_pwait2(run.epoll_fd, events, n, &ts, NULL);

	if (got >= 0 || errno != ENOSYS)
		return got;
#endif
	return epoll_wait(run.epoll_fd, events, n, (int)((us + 999) / 1000));
}

static void loop(void)
{
	static struct epoll_event events[256];
	int64_t check_us = 0;

	for (;;) {
		int64_t now_us = clock_mono_us(), due_us = start_due(now_us), until_us;
		int n;

		if (now_us >= check_us) {
			const int64_t next_us = reconnect(now_us);

			check_us = now_us + RECONNECT_US;
			if (next_us < check_us)
				check_us = next_us;
			due_us = start_due(now_us);
		}
		if (run.busy == 0 && !may_start(now_us))
			break;
		until_us = due_us < check_us ? due_us : check_us;
		n = wait_events(events, 256, until_us, now_us);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c->state == CONN_IDLE) {
				idle_closed(c);
				check_us = 0;
				continue;
			}
			if ((events[i].events & EPOLLOUT) != 0 && c->state == CONN_SENDING)
				conn_flush(c);
			if (c->state != CONN_DOWN && (events[i].events & ~(uint32_t)EPOLLOUT) != 0)
				conn_readable(c);
			if (c->state == CONN_DOWN)
				check_us = 0;
		}
	}
	run.end_us = clock_mono_us();
}

static void report(void)
{
	const double seconds = (double)(run.end_us - run.start_us) / 1e6;
	const char *comma = "";

	printf("{\"requests\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"errors\":%" PRIu64
	       ",\"seconds\":%.3f,\"per_second\":%.1f,\"p50_us\":%" PRIu64 ",\"p90_us\":%" PRIu64
	       ",\"p99_us\":%" PRIu64 ",\"max_us\":%" PRIu64 ",\"status\":{",
	    run.answered + run.errors, run.ok, run.errors, seconds,
	    seconds > 0 ? (double)run.answered / seconds : 0.0, quantile(0.5), quantile(0.9),
	    quantile(0.99), run.max_us);
	for (int i = 100; i < 600; i++) {
		if (run.statuses[i] == 0)
			continue;
		printf("%s\"%d\":%" PRIu64, comma, i, run.statuses[i]);
		comma = ",";
	}
	printf("}}\n");
}

/* ---- the command line ----------------------------------------------------------------------- */

static int usage(FILE *to)
{
	fputs(
	    "usage: loadgen get URL [-H 'Name: value']… [options]\n"
	    "       loadgen post URL JSON [-H 'Name: value']… [options]\n"
	    "       loadgen webhook [--meta-url URL --meta-secret SECRET [--page ID] [--form ID]]\n"
	    "                       [--hubspot-url URL --hubspot-secret SECRET [--portal ID]\n"
	    "                        [--hubspot-uri URI]] [--ratio PERCENT-META] [--first-id N]\n"
	    "                       [--acked FILE] [--times FILE] [options]\n"
	    "options: -c CONNECTIONS (32)  -n REQUESTS  -d SECONDS (10 without -n)  -r RATE per "
	    "second\n"
	    "--hubspot-uri: the signed address where it differs from the URL called\n"
	    "--first-id: ids are N, N+1, … (default: from the clock)\n"
	    "--acked: the ids answered with 2xx, one a line\n"
	    "--times: the same with when each was due and answered, in microseconds since 1970\n",
	    to);
	return to == stdout ? 0 : 2;
}

static int64_t number(const char *text, int64_t min, int64_t max)
{
	int64_t v;

	if (!str_to_i64(str_from(text), min, max, &v))
		die("%s is not a number from %" PRId64 " to %" PRId64, text, min, max);
	return v;
}

static double real_number(const char *text)
{
	char *end;
	const double v = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(v > 0) || v > 1e9)
		die("%s is not a positive number", text);
	return v;
}

enum {
	OPT_META_URL = 256,
	OPT_META_SECRET,
	OPT_PAGE,
	OPT_FORM,
	OPT_HUBSPOT_URL,
	OPT_HUBSPOT_SECRET,
	OPT_HUBSPOT_URI,
	OPT_PORTAL,
	OPT_RATIO,
	OPT_FIRST_ID,
	OPT_ACKED,
	OPT_TIMES
};

static const struct option longs[] = {{"meta-url", required_argument, NULL, OPT_META_URL},
    {"meta-secret", required_argument, NULL, OPT_META_SECRET},
    {"page", required_argument, NULL, OPT_PAGE}, {"form", required_argument, NULL, OPT_FORM},
    {"hubspot-url", required_argument, NULL, OPT_HUBSPOT_URL},
    {"hubspot-secret", required_argument, NULL, OPT_HUBSPOT_SECRET},
    {"hubspot-uri", required_argument, NULL, OPT_HUBSPOT_URI},
    {"portal", required_argument, NULL, OPT_PORTAL}, {"ratio", required_argument, NULL, OPT_RATIO},
    {"first-id", required_argument, NULL, OPT_FIRST_ID},
    {"acked", required_argument, NULL, OPT_ACKED}, {"times", required_argument, NULL, OPT_TIMES},
    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

static void take_webhook_option(int o, const char *value)
{
	switch (o) {
	case OPT_META_URL:
		parse_url(value, &opt.meta);
		break;
	case OPT_META_SECRET:
		opt.meta_secret = value;
		break;
	case OPT_PAGE:
		opt.page_id = value;
		break;
	case OPT_FORM:
		opt.form_id = value;
		break;
	case OPT_HUBSPOT_URL:
		parse_url(value, &opt.hubspot);
		break;
	case OPT_HUBSPOT_SECRET:
		opt.hubspot_secret = value;
		break;
	case OPT_HUBSPOT_URI:
		opt.hubspot_uri = value;
		break;
	case OPT_PORTAL:
		(void)number(value, 1, INT64_MAX);
		opt.portal_id = value;
		break;
	case OPT_RATIO:
		opt.ratio = (int)number(value, 0, 100);
		break;
	case OPT_FIRST_ID:
		opt.first_id = (uint64_t)number(value, 1, INT64_MAX / 2);
		break;
	case OPT_TIMES:
		opt.times_path = value;
		break;
	default:
		opt.acked_path = value;
		break;
	}
}

static void take_option(int o, const char *value)
{
	switch (o) {
	case 'c':
		opt.connections = (int)number(value, 1, CONNECTIONS_MAX);
		break;
	case 'n':
		opt.count = number(value, 1, INT64_MAX / 2);
		break;
	case 'd':
		opt.duration_us = (int64_t)(real_number(value) * 1e6);
		break;
	case 'r':
		opt.rate = real_number(value);
		break;
	case 'H':
		if (opt.nheaders == HEADERS_MAX || strpbrk(value, "\r\n") != NULL)
			die("too many headers, or a line break in one");
		opt.headers[opt.nheaders++] = value;
		break;
	default:
		take_webhook_option(o, value);
		break;
	}
}

/* What both kinds need, and which kinds there are. */
static void check_webhook_options(void)
{
	if ((opt.meta.text == NULL) != (opt.meta_secret == NULL) ||
	    (opt.hubspot.text == NULL) != (opt.hubspot_secret == NULL))
		die("each URL needs its secret");
	if (opt.meta.text == NULL && opt.hubspot.text == NULL)
		die("webhook needs --meta-url or --hubspot-url");
	if (opt.meta.text == NULL)
		opt.ratio = 0;
	if (opt.hubspot.text == NULL)
		opt.ratio = 100;
	if (opt.meta.text != NULL && opt.hubspot.text != NULL && opt.meta.port != opt.hubspot.port)
		die("both URLs must be of one server");
	if (opt.hubspot_uri == NULL)
		opt.hubspot_uri = opt.hubspot.text;
	/* 16 digits, in the order of the runs, far below 2^53 */
	if (opt.first_id == 0)
		opt.first_id = (uint64_t)clock_now_us();
	opt.url = opt.meta.text != NULL ? opt.meta : opt.hubspot;
}

static void start(void)
{
	run.server = (struct sockaddr_in){.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)opt.url.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (opt.acked_path != NULL && (run.acked = fopen(opt.acked_path, "a")) == NULL)
		die("%s: %s", opt.acked_path, strerror(errno));
	if (opt.times_path != NULL && (run.times = fopen(opt.times_path, "a")) == NULL)
		die("%s: %s", opt.times_path, strerror(errno));
	run.wall_us = clock_now_us() - clock_mono_us();
	run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run.conns = calloc((size_t)opt.connections, sizeof(*run.conns));
	if (run.epoll_fd < 0 || run.conns == NULL)
		die("out of resources");
	for (int i = 0; i < opt.connections; i++) {
		run.conns[i].fd = -1;
		buf_init(&run.conns[i].out, 2 * REQUEST_MAX);
		conn_up(&run.conns[i]);
	}
	if (run.idle == NULL)
		die("nothing listens on 127.0.0.1 port %d", opt.url.port);
	run.start_us = clock_mono_us();
	run.stop_us = opt.duration_us > 0 ? run.start_us + opt.duration_us
		      : opt.count > 0     ? NEVER
					  : run.start_us + 10 * SECOND_US;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int o;

	opt.is_webhook = strcmp(mode, "webhook") == 0;
	if (strcmp(mode, "-h") == 0 || strcmp(mode, "--help") == 0)
		return usage(stdout);
	bool is_post = strcmp(mode, "post") == 0;
	if (!opt.is_webhook && !is_post && strcmp(mode, "get") != 0)
		return usage(stderr);
	while ((o = getopt_long(argc - 1, argv + 1, "c:n:d:r:H:h", longs, NULL)) != -1) {
		if (o == 'h')
			return usage(stdout);
		if (o == '?')
			return usage(stderr);
		take_option(o, optarg);
	}
	argv += 1 + optind;
	argc -= 1 + optind;
	if (argc != (opt.is_webhook ? 0 : is_post ? 2 : 1))
		return usage(stderr);
	if (is_post)
		opt.body = argv[1];
	if (opt.is_webhook) {
		check_webhook_options();
	} else {
		parse_url(argv[0], &opt.url);
		compose_fixed();
	}
	start();
	loop();
	report();
	if (run.acked != NULL && fclose(run.acked) != 0)
		die("%s cannot be written", opt.acked_path);
	if (run.times != NULL && fclose(run.times) != 0)
		die("%s cannot be written", opt.times_path);
	return run.errors > 0 ? 1 : 0;
}
