/* Calls to foreign servers: one libcurl multi handle per process, keep-alive, time limits, a
 * bound on the answer, the egress policy on the address actually connected to. Within a fiber a
 * call waits in the loop with the others; outside it blocks. Redirects are not followed unless
 * asked, and never to another scheme; what follows one to another host carries no header but
 * Accept, Accept-Language, Content-Type and User-Agent. */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "http/http.h"

struct config;
struct http_client;

struct http_call {
	const char *method;        /* "GET", "POST", … */
	const char *url;           /* http or https only */
	struct http_pairs headers; /* those of framing (Host, Content-Length, …) are left out */
	struct str body;           /* {NULL,0}: none */
	int64_t timeout_ms;        /* 0: the configured one */
	size_t max_answer;         /* 0: LIMIT_HTTP_ANSWER */
	bool follow_redirects;
	bool may_cut_refusal; /* what is no 2xx and too large is taken as it begins */
};

struct http_answer {
	int status;
	struct http_pairs headers; /* names lower-case */
	struct str body;
	int64_t duration_us;
	bool is_cut;   /* of a refusal that was too large the body is the beginning */
	bool was_sent; /* also of a call that failed: the other side may have had it */
};

/* What sentences of failed calls have in common, by which they are told apart. */
#define HTTP_NO_ADDRESS "has no address"
#define HTTP_NOT_LISTENING "does not accept connections"
#define HTTP_NO_CONNECTION "no connection to "
#define HTTP_NO_ANSWER "did not answer within"
#define HTTP_TLS_FAILED "TLS with "
#define HTTP_BROKE_OFF "closed the connection before its answer ended"
#define HTTP_NOT_PUBLIC "is not a public" /* as net/egress.c has it */

/* One per process, made after a fork. cfg must outlive it. */
struct http_client *http_client_new(const struct config *cfg, struct err *err);
void http_client_free(struct http_client *c);
/* 0 with whatever status came; -1: ERR_REFUSED (egress policy, bad URL, redirects), ERR_TIMEOUT,
 * ERR_LIMIT (answer too large), ERR_INVALID (a header or the method), ERR_UNAVAILABLE (resolve,
 * connect, TLS, reset; the sentence says which). Arena-owned answer. Time on the call's own
 * clock: total at most timeout_ms, whatever the peer drips, the wait for one of the
 * http_per_host connections included. */
int http_client_call(struct http_client *c, struct arena *a, const struct http_call *call,
    struct http_answer *out, struct err *err);
/* For the runner's loop: advances transfers and fiber sleeps, resumes what finished, waits at
 * most wait_ms or until extra_fd (or -1) is readable. Returns how many waiters are left. A fiber
 * that ends is not freed here: whoever made it sees that it ended. */
int http_client_poll(struct http_client *c, int extra_fd, int wait_ms);
/* Sleeps without blocking others when in a fiber; else really sleeps. */
void http_client_sleep(struct http_client *c, int64_t ms);
/* A token (RFC 9110 §5.6.2), which names of headers and methods are. */
bool http_header_is_name(struct str s);
/* How long to wait after a 429 or 503 by Retry-After, capped; -1 when the answer says nothing. */
int64_t http_answer_retry_after_ms(const struct http_answer *ans, int64_t now_us, int64_t cap_ms);

#endif
