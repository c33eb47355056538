/* Calls to foreign servers through libcurl (its only user). A call is one hop, or one per
 * redirect:
 *
 *	hop ──> easy handle of the pool ──> transfer on the multi handle ──done──> next hop or end
 *
 *	in a fiber:  WAITING ──transfer is done──> READY ──http_client_poll resumes──> AWAKE
 *	             ASLEEP ──until_us comes─────> READY
 *	elsewhere:   the call moves the multi handle on itself, until its transfer is done
 *
 * A waiter lives on its fiber's stack and is on the list `ready`, on `asleep` or on none.
 * Transfers that fibers wait for are moved on by http_client_poll alone; it resumes them
 * afterwards, never within a callback of curl.
 *
 * The egress policy is asked twice: about the URL, for a clear error, and about the address that
 * is really connected to (curl_on_open_socket), since a name may resolve to another one a moment
 * later. The time limit is that of the whole call, with its redirects and its wait for a
 * connection. An error names the host and never the URL, which may hold a secret.
 *
 * One multi handle per process holds all keep-alive connections, so an easy handle is only
 * settings and can be reset and reused. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "net/http-client.h"

#include <curl/curl.h>
#include <errno.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/fiber.h"
#include "base/limits.h"
#include "net/egress.h"

#define POOL_MAX 64         /* idle easy handles kept for reuse */
#define CONNECTIONS_MAX 256 /* kept alive over all destinations */
#define DEFAULT_TIMEOUT_MS 30000
#define DEFAULT_CONNECT_MS 5000
#define DEFAULT_PER_HOST 16

/* A fiber waiting for a transfer or a time. It is on one list of the client or on none. */
struct waiter {
	struct fiber *fiber;
	int64_t until_us; /* sleepers: monotonic */
	enum { WAITING, ASLEEP, READY, AWAKE } state;
	TAILQ_ENTRY(waiter) link;
};

TAILQ_HEAD(waiters, waiter);

#define REFUSAL_BYTES (64u * 1024u) /* of a refusal that is too large */

/* One exchange with one server; lives on its caller's stack until it is done. */
struct transfer {
	struct http_client *client;
	const struct http_call *call;
	struct arena *a;
	CURL *easy;
	CURLU *url;
	struct curl_slist *headers;
	char host[256], error[CURL_ERROR_SIZE];
	int port;
	struct buf *body;
	struct http_pair *pairs;
	size_t npairs, header_bytes;
	bool is_head;
	bool is_refused, is_body_over, is_head_over; /* why a callback stopped it */
	bool is_done;
	CURLcode result;
	struct waiter waiter;
};

struct http_client {
	const struct config *cfg;
	CURLM *multi;
	CURL *pool[POOL_MAX];
	size_t npool;
	struct waiters ready, asleep; /* asleep is sorted by until_us */
	int waiting;                  /* fibers in a call or asleep */
};

/* ---- the client --------------------------------------------------------------------------- */

static long connections_per_host(const struct config *cfg)
{
	return cfg->http_per_host > 0 && cfg->http_per_host <= 10000 ? (long)cfg->http_per_host
								     : DEFAULT_PER_HOST;
}

struct http_client *http_client_new(const struct config *cfg, struct err *err)
{
	static bool is_curl_ready;
	struct http_client *c;

	if (!is_curl_ready) {
		if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
			err_set(err, ERR_INTERNAL, "libcurl cannot be initialised");
			return NULL;
		}
		is_curl_ready = true;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	c->cfg = cfg;
	TAILQ_INIT(&c->ready);
	TAILQ_INIT(&c->asleep);
	c->multi = curl_multi_init();
	if (c->multi == NULL)
		abort();
	curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections_per_host(cfg));
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return c;
}

void http_client_free(struct http_client *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->npool; i++)
		curl_easy_cleanup(c->pool[i]);
	curl_multi_cleanup(c->multi);
	free(c);
}

static CURL *easy_take(struct http_client *c)
{
	CURL *easy = c->npool > 0 ? c->pool[--c->npool] : curl_easy_init();

	if (easy == NULL)
		abort();
	return easy;
}

/* Connections belong to the multi handle, so a reset easy handle loses none. */
static void easy_give(struct http_client *c, CURL *easy)
{
	if (c->npool == POOL_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	c->pool[c->npool++] = easy;
}

/* ---- callbacks of one transfer ------------------------------------------------------------ */

static curl_socket_t curl_on_open_socket(
    void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct transfer *t = arg;

	if (purpose != CURLSOCKTYPE_IPCXN ||
	    !egress_is_allowed(t->client->cfg, t->host, t->port, &addr->addr)) {
		t->is_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

static bool is_success(long status)
{
	return status >= 200 && status < 300;
}

/* Of one that is announced as too large the beginning is taken where it is a refusal: that says
 * why. */
static bool body_is_announced_too_large(const struct transfer *t)
{
	curl_off_t announced = 0;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return announced > (curl_off_t)t->body->max &&
	       (!t->call->may_cut_refusal || is_success(status) || t->body->len >= REFUSAL_BYTES);
}

static size_t curl_on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	bool is_too_large = body_is_announced_too_large(t);

	n *= size;
	if (!is_too_large)
		buf_add(t->body, p, n);
	if (is_too_large || !buf_ok(t->body)) {
		t->is_body_over = true;
		return 0; /* curl takes a short count as a failed write */
	}
	return n;
}

/* One header line, or a status line, which begins a new head (after a 1xx). */
static size_t curl_on_header(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct str line, name;
	char *lower;

	n *= size;
	t->header_bytes += n;
	if (t->header_bytes > LIMIT_HEADER_BYTES) {
		t->is_head_over = true;
		return 0;
	}
	line = str_trim((struct str){p, n});
	if (str_starts(line, "HTTP/")) {
		t->npairs = 0;
		return n;
	}
	if (n > 0 && (*p == ' ' || *p == '\t'))
		return n; /* obsolete folding (RFC 9112 §5.2) is not taken */
	if (!str_split(&line, ':', &name) || name.n == 0)
		return n;
	if (t->npairs == LIMIT_HEADERS) {
		t->is_head_over = true;
		return 0;
	}
	lower = arena_strndup(t->a, name.p, name.n);
	for (char *s = lower; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s + ('a' - 'A'));
	line = str_trim(line);
	t->pairs[t->npairs].name = (struct str){lower, name.n};
	t->pairs[t->npairs].value = str_copy(t->a, line);
	t->npairs++;
	return n;
}

/* ---- preparing a transfer ----------------------------------------------------------------- */

bool http_header_is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", s.p[i]) != NULL)
			return false;
	return s.n > 0;
}

static bool header_is_one_of(struct str name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (str_ieq(name, str_from(*names)))
			return true;
	return false;
}

/* Framing and routing are the client's own business: a header of these names is left out. */
static const char *const own_headers[] = {"host", "content-length", "transfer-encoding",
    "connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer",
    "upgrade", "expect", NULL};

/* What may follow a redirect to another origin: nothing that could carry a credential. */
static const char *const harmless_headers[] = {
    "accept", "accept-language", "content-type", "user-agent", NULL};

static void slist_add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (longer == NULL)
		abort();
	*list = longer;
}

static int transfer_set_headers(struct transfer *t, bool is_same_origin, struct err *err)
{
	const struct http_pairs *h = &t->call->headers;
	bool has_type = false, has_agent = false;

	for (size_t i = 0; i < h->n; i++) {
		const struct str name = h->v[i].name, value = h->v[i].value;

		if (!http_header_is_name(name))
			return err_set(err, ERR_INVALID, "a request header has no valid name");
		for (size_t k = 0; k < value.n; k++)
			if (value.p[k] == '\r' || value.p[k] == '\n' || value.p[k] == '\0')
				return err_set(err, ERR_INVALID,
				    "request header %.*s holds a line break", (int)name.n, name.p);
		if (header_is_one_of(name, own_headers) ||
		    (!is_same_origin && !header_is_one_of(name, harmless_headers)))
			continue;
		has_type |= str_ieq(name, STR("content-type"));
		has_agent |= str_ieq(name, STR("user-agent"));
		/* "Name;" is how curl is told of an empty value. */
		slist_add(&t->headers, value.n == 0
					   ? arena_printf(t->a, "%.*s;", (int)name.n, name.p)
					   : arena_printf(t->a, "%.*s: %.*s", (int)name.n, name.p,
						 (int)value.n, value.p));
	}
	if (!has_type)
		slist_add(&t->headers, "Content-Type:"); /* not the form type curl assumes */
	if (!has_agent)
		slist_add(&t->headers, "User-Agent: Connect/" PACKAGE_VERSION);
	slist_add(&t->headers, "Expect:");
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	return 0;
}

static int transfer_set_method(
    struct transfer *t, const char *method, struct str body, struct err *err)
{
	if (!http_header_is_name(str_from(method)))
		return err_set(err, ERR_INVALID, "the request method is not a token");
	t->is_head = strcmp(method, "HEAD") == 0;
	if (t->is_head) {
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
		return 0;
	}
	if (body.p != NULL || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	    strcmp(method, "PATCH") == 0) {
		curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body.n > 0 ? body.p : "");
	} else {
		curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
	return 0;
}

/* Parses the URL as curl will, so that what the policy is asked about is what is called. */
static int transfer_set_url(struct transfer *t, const char *url, struct err *err)
{
	char *host = NULL, *port = NULL;
	struct err why = ERR_INIT;
	int64_t number;
	int rc = -1;

	if (egress_check_url(t->client->cfg, url, &why) == -1)
		return err_set(err, why.code, "the URL %s", why.msg);
	t->url = curl_url();
	if (t->url == NULL)
		abort();
	if (curl_url_set(t->url, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK ||
	    curl_url_get(t->url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(t->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
	    strlen(host) >= sizeof(t->host) || !str_to_i64(str_from(port), 1, 65535, &number)) {
		err_set(err, ERR_REFUSED, "the URL is not understood");
		goto out;
	}
	memcpy(t->host, host, strlen(host) + 1);
	t->port = (int)number;
	curl_easy_setopt(t->easy, CURLOPT_CURLU, t->url);
	rc = 0;
out:
	curl_free(host);
	curl_free(port);
	return rc;
}

static void transfer_set_limits(struct transfer *t, int64_t timeout_ms)
{
	const struct config *cfg = t->client->cfg;
	const int64_t connect_ms =
	    cfg->http_connect_timeout_ms > 0 ? cfg->http_connect_timeout_ms : DEFAULT_CONNECT_MS;
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* HTTP/1.1: with multiplexing the bound on connections would not bound calls. */
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (cfg->egress_ca_file != NULL && *cfg->egress_ca_file != '\0')
		curl_easy_setopt(e, CURLOPT_CAINFO, cfg->egress_ca_file);
}

static void transfer_set_callbacks(struct transfer *t)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, curl_on_open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, curl_on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, curl_on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
}

/* ---- running transfers -------------------------------------------------------------------- */

static void waiter_wake(struct http_client *c, struct waiter *w)
{
	w->state = READY;
	TAILQ_INSERT_TAIL(&c->ready, w, link);
}

/* Gives the processor to the loop until the waiter was woken (a resume for another reason goes back
 * to sleep). */
static void waiter_wait(struct http_client *c, struct waiter *w)
{
	c->waiting++;
	while (w->state == WAITING || w->state == ASLEEP)
		fiber_yield();
	if (w->state == READY)
		TAILQ_REMOVE(&c->ready, w, link);
	c->waiting--;
}

/* Moves the transfers on and notes those that ended. */
static void transfers_advance(struct http_client *c)
{
	int n;
	CURLMsg *m;

	(void)curl_multi_perform(c->multi, &n);
	while ((m = curl_multi_info_read(c->multi, &n)) != NULL) {
		struct transfer *t;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		t->result = m->data.result;
		t->is_done = true;
		if (t->waiter.fiber != NULL)
			waiter_wake(c, &t->waiter);
	}
}

static void transfer_run(struct transfer *t)
{
	struct http_client *c = t->client;

	t->waiter.fiber = fiber_current();
	t->waiter.state = WAITING;
	if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
		t->result = CURLE_FAILED_INIT;
		return;
	}
	if (t->waiter.fiber != NULL) {
		waiter_wait(c, &t->waiter);
	} else {
		for (transfers_advance(c); !t->is_done; transfers_advance(c))
			(void)curl_multi_poll(c->multi, NULL, 0, 1000, NULL);
	}
	curl_multi_remove_handle(c->multi, t->easy);
}

/* Puts a sentence on how the transfer failed; the URL itself may hold a secret and is not in it. */
static int transfer_error(
    const struct transfer *t, int64_t timeout_ms, size_t max_answer, struct err *err)
{
	curl_off_t connect_us = 0;

	if (t->is_body_over)
		return err_set(err, ERR_LIMIT, "%s sent more than %zu bytes", t->host, max_answer);
	if (t->is_head_over)
		return err_set(err, ERR_LIMIT, "%s sent too many or too large headers", t->host);
	switch (t->result) {
	case CURLE_OPERATION_TIMEDOUT:
		(void)curl_easy_getinfo(t->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
		if (connect_us == 0)
			return err_set(err, ERR_TIMEOUT, HTTP_NO_CONNECTION "%s port %d in time",
			    t->host, t->port);
		return err_set(err, ERR_TIMEOUT, "%s " HTTP_NO_ANSWER " %lld ms", t->host,
		    (long long)timeout_ms);
	case CURLE_COULDNT_RESOLVE_HOST:
		return err_set(err, ERR_UNAVAILABLE, "%s " HTTP_NO_ADDRESS, t->host);
	case CURLE_COULDNT_CONNECT:
		if (t->is_refused)
			return err_set(
			    err, ERR_REFUSED, "the address of %s " HTTP_NOT_PUBLIC " one", t->host);
		return err_set(
		    err, ERR_UNAVAILABLE, "%s port %d " HTTP_NOT_LISTENING, t->host, t->port);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
		return err_set(err, ERR_UNAVAILABLE, HTTP_TLS_FAILED "%s failed: %s", t->host,
		    *t->error != '\0' ? t->error : curl_easy_strerror(t->result));
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return err_set(err, ERR_UNAVAILABLE, "%s " HTTP_BROKE_OFF, t->host);
	default:
		return err_set(err, ERR_UNAVAILABLE, "the call to %s failed: %s", t->host,
		    curl_easy_strerror(t->result));
	}
}

/* ---- one call, with its redirects --------------------------------------------------------- */

/* Where a call goes next. The scheme, host and port of the first URL decide what is the same
 * origin. */
struct hop {
	const char *method, *url;
	struct str body;
	char *origin; /* "https://host:443", arena-owned */
	bool is_same_origin;
	int64_t deadline_us; /* monotonic */
	size_t max_answer;
	int64_t timeout_ms;
};

static char *url_origin(struct arena *a, CURLU *url)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *text = NULL;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK)
		text = arena_printf(a, "%s://%s:%s", scheme, host, port);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return text;
}

/* Follows a Location: 303, and 301 and 302 of a POST, become a GET without body (RFC 9110 §15.4).
 */
static int hop_next(const struct transfer *t, struct arena *a, const struct http_answer *ans,
    struct str location, struct hop *hop, struct err *err)
{
	const size_t scheme_bytes = strcspn(hop->origin, ":") + 1;
	const char *text = arena_strndup(a, location.p, location.n);
	char *next = NULL, *origin;

	if (curl_url_set(t->url, CURLUPART_URL, text, CURLU_DISALLOW_USER) != CURLUE_OK ||
	    curl_url_get(t->url, CURLUPART_URL, &next, 0) != CURLUE_OK ||
	    (origin = url_origin(a, t->url)) == NULL) {
		curl_free(next);
		return err_set(
		    err, ERR_REFUSED, "%s redirects to a URL that is not understood", t->host);
	}
	hop->url = arena_strdup(a, next);
	curl_free(next);
	if (strncmp(origin, hop->origin, scheme_bytes) != 0)
		return err_set(err, ERR_REFUSED, "%s redirects to another scheme", t->host);
	hop->is_same_origin = hop->is_same_origin && strcasecmp(origin, hop->origin) == 0;
	if ((ans->status == 303 && strcmp(hop->method, "HEAD") != 0) ||
	    (ans->status <= 302 && strcmp(hop->method, "POST") == 0)) {
		hop->method = "GET";
		hop->body = (struct str){NULL, 0};
	}
	return 0;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* One exchange; *again when hop was moved to where the answer redirects. */
static int hop_run(struct http_client *c, struct arena *a, const struct http_call *call,
    struct hop *hop, struct http_answer *out, bool *again, struct err *err)
{
	struct transfer t = {.client = c, .call = call, .a = a};
	const int64_t left_ms = (hop->deadline_us - clock_mono_us() + 999) / 1000;
	struct str location;
	long status = 0, sent = 0;
	int rc = -1;

	*again = false;
	if (left_ms <= 0)
		return err_set(err, ERR_TIMEOUT, "the call took longer than %lld ms",
		    (long long)hop->timeout_ms);
	t.easy = easy_take(c);
	t.body = buf_new(a, hop->max_answer);
	t.pairs = arena_array(a, LIMIT_HEADERS, sizeof(*t.pairs));
	if (transfer_set_url(&t, hop->url, err) == -1 ||
	    transfer_set_method(&t, hop->method, hop->body, err) == -1 ||
	    transfer_set_headers(&t, hop->is_same_origin, err) == -1)
		goto out;
	if (hop->origin == NULL)
		hop->origin = url_origin(a, t.url);
	transfer_set_limits(&t, left_ms);
	transfer_set_callbacks(&t);
	transfer_run(&t);
	curl_easy_getinfo(t.easy, CURLINFO_REQUEST_SIZE, &sent);
	out->was_sent = out->was_sent || sent > 0;
	curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &status);
	out->is_cut = t.is_body_over && call->may_cut_refusal && !is_success(status);
	if (t.result != CURLE_OK && !out->is_cut) {
		transfer_error(&t, hop->timeout_ms, hop->max_answer, err);
		goto out;
	}
	out->status = (int)status;
	out->headers = (struct http_pairs){t.pairs, t.npairs};
	out->body = (struct str){t.body->p, t.body->len};
	location = http_pairs_get(&out->headers, "location");
	rc = 0;
	if (call->follow_redirects && is_redirect(out->status) && location.n > 0) {
		rc = hop_next(&t, a, out, location, hop, err);
		*again = rc == 0;
	}
out:
	easy_give(c, t.easy);
	curl_url_cleanup(t.url);
	curl_slist_free_all(t.headers);
	return rc;
}

int http_client_call(struct http_client *c, struct arena *a, const struct http_call *call,
    struct http_answer *out, struct err *err)
{
	const int64_t start_us = clock_mono_us();
	struct hop hop = {
	    .method = call->method, .url = call->url, .body = call->body, .is_same_origin = true};
	bool again = true;

	*out = (struct http_answer){0};
	hop.timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : c->cfg->http_timeout_ms;
	if (hop.timeout_ms <= 0)
		hop.timeout_ms = DEFAULT_TIMEOUT_MS;
	hop.deadline_us = start_us + hop.timeout_ms * 1000;
	hop.max_answer = call->max_answer > 0 ? call->max_answer : LIMIT_HTTP_ANSWER;
	for (unsigned hops = 0; again; hops++) {
		if (hops > LIMIT_HTTP_REDIRECTS)
			return err_set(err, ERR_REFUSED,
			    "the call was redirected more than %u times", LIMIT_HTTP_REDIRECTS);
		if (hop_run(c, a, call, &hop, out, &again, err) == -1)
			return -1;
	}
	out->duration_us = clock_mono_us() - start_us;
	return 0;
}

/* ---- the runner's loop -------------------------------------------------------------------- */

static void sleepers_wake(struct http_client *c)
{
	const int64_t now_us = TAILQ_EMPTY(&c->asleep) ? 0 : clock_mono_us();
	struct waiter *w;

	while ((w = TAILQ_FIRST(&c->asleep)) != NULL && w->until_us <= now_us) {
		TAILQ_REMOVE(&c->asleep, w, link);
		waiter_wake(c, w);
	}
}

/* Nothing becomes ready meanwhile: a fiber never moves the transfers on. */
static void waiters_resume_ready(struct http_client *c)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&c->ready)) != NULL) {
		TAILQ_REMOVE(&c->ready, w, link);
		w->state = AWAKE;
		(void)fiber_resume(w->fiber);
	}
}

int http_client_poll(struct http_client *c, int extra_fd, int wait_ms)
{
	struct curl_waitfd extra = {.fd = extra_fd, .events = CURL_WAIT_POLLIN};
	const struct waiter *w;

	transfers_advance(c);
	sleepers_wake(c);
	if (TAILQ_EMPTY(&c->ready)) {
		if ((w = TAILQ_FIRST(&c->asleep)) != NULL) {
			const int64_t ms = (w->until_us - clock_mono_us() + 999) / 1000;

			if (ms < wait_ms)
				wait_ms = ms > 0 ? (int)ms : 0;
		}
		(void)curl_multi_poll(c->multi, &extra, extra_fd >= 0 ? 1 : 0, wait_ms, NULL);
		transfers_advance(c);
		sleepers_wake(c);
	}
	waiters_resume_ready(c);
	return c->waiting;
}

/* Sorted from the far end: sleeps mostly come in the order in which they end. */
static void sleeper_insert(struct http_client *c, struct waiter *w)
{
	struct waiter *before;

	TAILQ_FOREACH_REVERSE(before, &c->asleep, waiters, link)
	{
		if (before->until_us <= w->until_us) {
			TAILQ_INSERT_AFTER(&c->asleep, before, w, link);
			return;
		}
	}
	TAILQ_INSERT_HEAD(&c->asleep, w, link);
}

void http_client_sleep(struct http_client *c, int64_t ms)
{
	struct waiter w = {.fiber = fiber_current(), .state = ASLEEP};
	struct timespec ts;

	if (ms <= 0)
		return;
	if (w.fiber != NULL) {
		w.until_us = clock_mono_us() + ms * 1000;
		sleeper_insert(c, &w);
		waiter_wait(c, &w);
		return;
	}
	ts.tv_sec = (time_t)(ms / 1000);
	ts.tv_nsec = (long)(ms % 1000) * 1000000;
	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		continue;
}

int64_t http_answer_retry_after_ms(const struct http_answer *ans, int64_t now_us, int64_t cap_ms)
{
	const struct str value = http_pairs_get(&ans->headers, "retry-after");
	int64_t wait_ms;

	if (value.p == NULL || !clock_parse_retry_after(value, now_us, &wait_ms))
		return -1;
	return wait_ms < cap_ms ? wait_ms : cap_ms;
}
