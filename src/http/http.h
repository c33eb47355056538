/* Requests, answers and routes as handlers see them. fcgi.c fills and sends them; nothing here
 * knows FastCGI. All memory is the request's arena. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/app.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json-reader.h"
#include "base/json.h"
#include "base/str.h"
#include "base/zone.h"
#include "crypto/uuid.h"

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER
};
const char *http_method_name(enum http_method m);

struct http_pair {
	struct str name, value; /* header names lower-case */
};
struct http_pairs {
	struct http_pair *v;
	size_t n;
};
/* The first value, or {NULL,0}. Exact name. */
struct str http_pairs_get(const struct http_pairs *p, const char *name);

struct http_file { /* an uploaded part, or a streamed body */
	struct str field, filename, content_type;
	struct str data;  /* when small */
	const char *path; /* else a temporary file, removed with the arena */
	uint64_t size;
};

struct route;

/* Who asks: filled by the authenticator before the handler runs. */
struct actor {
	enum { ACTOR_NONE, ACTOR_SESSION, ACTOR_KEY, ACTOR_TOKEN } kind;
	struct uuid account_id, user_id, key_id, session_id;
	uint64_t permissions;                   /* bits of account/permission.h */
	const char *name, *account_name, *role; /* for pages and the audit log */
	const char *email;
	const char *csrf; /* the session's token, for forms */
	/* Of pages: the one that times are shown in (the person's own, or the account's), and the
	 * account's, in which its days turn. */
	const struct zone *zone, *account_zone;
	bool has_other_accounts; /* the person may go over to one */
};

struct res {
	int status;          /* 200 unless set */
	struct buf *headers; /* complete "Name: value\r\n" lines */
	struct buf *body;
	const char *content_type;
	bool sent; /* a streaming handler has sent the head itself */
};

struct req {
	struct arena *a;
	struct app *app;
	const struct route *route;
	enum http_method method;
	struct str path; /* as received: not percent-decoded, without query */
	struct str query_string;
	struct str host, scheme; /* as the client saw them: trusted proxies tell */
	const char *remote_addr;
	const char *id; /* X-Request-Id: the client's if sane, else made */
	int64_t received_us;
	struct http_pairs headers, query, cookies, params; /* params: of the route's pattern */
	struct str content_type;
	struct str body;        /* the raw bytes, unless the route streams */
	struct http_pairs form; /* urlencoded or multipart text fields */
	struct http_file *files;
	size_t nfiles;
	json_t *json; /* parsed body of API routes; NULL when there is none */
	struct actor actor;
	struct res res;
	void *conn; /* fcgi.c's */
};

/* For tests: of handlers: an empty GET with answer buffers in the arena. */
void req_init(struct req *r, struct arena *a, struct app *app);
struct str req_header(const struct req *r, const char *lower_name);
struct str req_query(const struct req *r, const char *name);
/* A query parameter, {NULL,0} when absent or empty. */
struct str req_query_text(const struct req *r, const char *name);
/* As a time: 0 when absent; anything else is noted by req_invalid. */
struct opt_time req_query_time(struct req *r, const char *name);
struct str req_form(const struct req *r, const char *name); /* "" ({"",0}) when absent */
struct str req_cookie(const struct req *r, const char *name);
struct str req_param(const struct req *r, const char *name);
/* The named parameter as an id. Any other text: false, and the answer is a 404 already. */
bool req_param_uuid(struct req *r, const char *name, struct uuid *out);
/* The session's token as a form of this page carries it; "" without a session. */
const char *req_csrf_token(struct req *r);
/* The address of this product as this client sees it: config base_url. */
const char *req_base_url(const struct req *r);

/* ---- answers ---------------------------------------------------------------------------- */
/* Has work done behind the answer, before the next request: what need not be there for it, must
 * not delay it, and may be lost. By then of the request there is nothing but its arena. */
void res_after(struct req *r, void (*work)(struct app *app, struct arena *a, void *arg), void *arg);
/* Control characters in value (line breaks above all) are dropped. */
void res_header(struct req *r, const char *name, const char *value);
void res_headerf(struct req *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets status and a JSON body; steals value. Adds an ETag to 200 answers of GET and answers 304
 * when it matches If-None-Match. */
int res_json(struct req *r, int status, json_t *value);
int res_text(struct req *r, int status, const char *content_type, struct str body);
int res_empty(struct req *r, int status);
int res_redirect(struct req *r, const char *location); /* 303 */
/* RFC 9457 application/problem+json, or an HTML page for page routes (rendered by the hook below).
 * detail is a sentence for people. */
int res_problem(struct req *r, int status, const char *detail, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with members of its own for programs (RFC 9457 §3.2), which is not stolen. */
int res_problem_with(struct req *r, int status, const char *detail, const json_t *more);
/* The same from an error: code decides the status, field makes errors[]. ERR_INTERNAL and
 * ERR_UNAVAILABLE are logged here and shown without detail, ERR_UNREADABLE is logged as well; 503
 * carries Retry-After. */
int res_error(struct req *r, const struct err *err);
/* Collects a 422 over several fields: add each, then res_invalid answers if there is any. */
void req_invalid(struct req *r, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool req_has_invalid(const struct req *r);
/* The first complaint as "field: what is wrong", arena-owned; NULL without any. */
const char *req_invalid_text(const struct req *r);
/* All of them: [{field,message}], borrowed; NULL: none. */
const json_t *req_invalid_list(const struct req *r);
int res_invalid(struct req *r);
/* A reader of the body whose complaints are gathered like those of req_invalid. */
struct json_reader req_reader(struct req *r);
/* The body as an object of these members, into a struct (base/json-reader.h). Complaints are
 * gathered: ask req_has_invalid before *out is used. False after a 400: it is no object. */
bool req_read_body(struct req *r, const struct json_member *members, size_t n, void *out);
/* Streaming: sends head, then pieces; the connection ends the body. -1 when the client is gone. */
int res_stream_start(struct req *r, int status, const char *content_type);
int res_stream_write(struct req *r, struct str piece);
/* Path=/; SameSite=Lax; Secure when the product is reached over https. max_age_s 0 deletes the
 * cookie, below 0 makes one that ends with the browser. Octets RFC 6265 forbids in a value are
 * dropped. */
void res_cookie(
    struct req *r, const char *name, const char *value, int64_t max_age_s, bool http_only);

/* ---- routes ------------------------------------------------------------------------------ */
enum route_flag {
	ROUTE_PUBLIC = 1, /* no authentication */
	ROUTE_API = 2,    /* key or token; JSON problems */
	ROUTE_PAGE = 4,   /* session; HTML problems; sign-in redirect */
	ROUTE_CSRF = 8,   /* unsafe page route: _csrf form field must match the session */
	ROUTE_RAW = 16,   /* body kept as bytes: no JSON, no form parsing */
	/* multipart parts, or any body, go to a file above LIMIT_MULTIPART_MEMORY; JSON on an API
	 * route and a page's urlencoded form are parsed as ever */
	ROUTE_UPLOAD = 32,
	ROUTE_ANY_ACCOUNT = 64, /* authenticated, no permission needed (me, sign-out) */
	ROUTE_FORM = 128,       /* public form (sign-in): own CSRF by double cookie */
	ROUTE_IDEMPOTENT = 256, /* honours Idempotency-Key */
	ROUTE_CODED = 512,  /* its handler undoes the body's Content-Encoding (base/inflate.h) */
	ROUTE_KEYED = 1024, /* a page that a key or token opens as well as a session */
};
struct route {
	enum http_method method;
	const char *pattern;           /* "/connect/v1/records/:id": a :name matches one segment */
	int (*handler)(struct req *r); /* 0, or -1 after which the dispatcher answers 500 */
	uint64_t permission;           /* bits, all needed; 0 only with PUBLIC or ANY_ACCOUNT */
	unsigned flags;
	uint64_t body_limit; /* bytes; 0 = no body accepted */
};

struct router;
struct router_hooks {
	/* The route of every address, by any method, that no other is for: a public one. NULL: such
	 * a request is a 404. */
	const struct route *otherwise;
	/* Fills r->actor: 1 known, 0 nobody (401 or sign-in page follows), -1 answered already
	 * (429, 503). */
	int (*authenticate)(struct req *r);
	/* Renders an HTML problem page; NULL in programs without pages. */
	int (*problem_page)(struct req *r, int status, const char *title, const char *detail);
	/* May this person upload so many bytes (-1: not told)? Asked on routes of uploads before a
	 * byte is read: 0, or -1 and it is answered. NULL: everybody may. */
	int (*upload_check)(struct req *r, int64_t length);
	/* The longest body that a raw route takes from this request, at most the route's. NULL: the
	 * route's. */
	uint64_t (*raw_body_limit)(const struct req *r);
	/* Name of the first of these permissions that the actor lacks, for the 403. */
	const char *(*permission_name)(uint64_t bits);
	/* Where an unauthenticated page request goes, e.g. "/admin/sign-in". */
	const char *sign_in_path;
	/* Idempotency-Key store: before: 1 = answered from store, 0 go on, -1 failed; after:
	 * keeps it. NULL: none. */
	int (*idempotency_before)(struct req *r);
	void (*idempotency_after)(struct req *r);
};
/* The table must outlive the router; a duplicate or contradictory route is a fatal error at
 * start. */
struct router *router_new(struct arena *a, const struct route *routes, size_t n,
    const struct router_hooks *hooks, struct err *err);
/* Everything from the parsed head to the finished answer: route, method (405 with Allow, HEAD as
 * GET, OPTIONS), authentication, permission, body limit (413), content type (415), body parsing
 * (400), CSRF (403), handler. r->body holds what was read or fcgi.c's reader is asked for it. */
void router_dispatch(const struct router *rt, struct req *r);

/* ---- serving ----------------------------------------------------------------------------- */
struct server {
	struct app *app;
	const struct router *router;
	int listen_fd; /* FastCGI listening socket; 0 when the web server spawned us */
	void (*each_request)(struct app *app); /* called after every answer; may be NULL */
	int64_t patience_us; /* for tests: how long a peer may keep us waiting; 0: as fcgi.c says */
};
/* One worker's loop: accepts until TERM or max_requests (0: none). The request in hand when TERM
 * comes is answered first. 0 at an orderly end, -1 when the socket is no good (logged). */
int server_run(struct server *s, uint64_t max_requests);

#endif
