/* What the files of src/http share about one request beside struct req. Included by them alone. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "http/http.h"

/* Where the bytes come from and go to. io is NULL where there is no connection (tests of handlers):
 * then r->body is all there is and answers stay in r->res. */
struct http_conn {
	const struct router_hooks *hooks;
	void *io;
	long (*read)(
	    void *io, void *p, size_t n); /* bytes got, fewer than n only at the end; -1 broken */
	int (*write)(void *io, const void *p, size_t n); /* 0, or -1 when the client is gone */
	int64_t content_length;                          /* -1: not told */
	bool has_answer;                                 /* a res_* function has composed one */
	bool is_late;       /* the body was not read whole because it came too slowly */
	bool is_in_problem; /* guards the problem page against its own problems */
	bool is_cut;        /* a stream ended early: close without a proper end */
	json_t *invalid;    /* [{field,message}] of req_invalid, arena-owned */
	struct http_work *after, **after_end; /* of res_after, in order; NULL: none */
};
struct http_work {
	struct http_work *next;
	void (*work)(struct app *app, struct arena *a, void *arg);
	void *arg;
};

/* The request's, made on first use. */
struct http_conn *conn_of(struct req *r);

/* ---- request.c, cgi.c --------------------------------------------------------------------- */
/* Fills r from the variables of RFC 3875 as web servers pass them over FastCGI; names within envp
 * are lower-cased in place and its bytes referenced. 0, or the status to answer with: 400, 414,
 * 431, or the one by which the web server has refused the request and left it to us to say so. */
int cgi_request_parse(struct req *r, char **envp);
/* What such a status means, for people. */
const char *cgi_refusal(int status);
/* Do answers to this request go to a person's browser? */
bool req_wants_page(const struct req *r);

/* ---- response.c ---------------------------------------------------------------------------- */
const char *http_reason(int status);
bool res_has_header(const struct req *r, const char *name);
/* Appends status line and headers, CGI style ("Status: 200 OK"); length below 0: not known. */
void res_head(struct req *r, struct buf *out, int64_t length);
/* May this status carry a body at all? */
bool status_has_body(int status);
/* Does what waits for the answer to be out. */
void res_do_after(struct app *app, struct arena *a, const struct http_conn *c);

/* ---- upload.c ------------------------------------------------------------------------------ */
/* Bytes kept in memory up to LIMIT_MULTIPART_MEMORY, beyond in a temporary file (mode 0600) that
 * goes with the arena. */
struct upload;
struct upload *upload_new(struct arena *a, const char *tmp_dir);
int upload_add(struct upload *u, struct str piece, struct err *err);
/* Fills data or path, and size, of out. */
int upload_end(struct upload *u, struct http_file *out, struct err *err);
/* The last component of what a browser sends as a file name: no directories, no control characters,
 * valid UTF-8, at most 255 bytes, never empty, "." or "..". */
struct str filename_clean(struct arena *a, struct str name);

#endif
