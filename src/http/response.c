/* Composing an answer. Everything lands in r->res; fcgi.c sends it. */
#include <string.h>
#include <strings.h>

#include "base/config.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/conn.h"

void res_after(struct req *r, void (*work)(struct app *app, struct arena *a, void *arg), void *arg)
{
	struct http_conn *c = conn_of(r);
	struct http_work *w = arena_alloc(r->a, sizeof(*w));

	*w = (struct http_work){.work = work, .arg = arg};
	if (c->after_end == NULL)
		c->after_end = &c->after;
	*c->after_end = w;
	c->after_end = &w->next;
}

void res_do_after(struct app *app, struct arena *a, const struct http_conn *c)
{
	for (const struct http_work *w = c->after; w != NULL; w = w->next)
		w->work(app, a, w->arg);
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} table[] = {
	    {200, "OK"},
	    {201, "Created"},
	    {202, "Accepted"},
	    {204, "No Content"},
	    {301, "Moved Permanently"},
	    {302, "Found"},
	    {303, "See Other"},
	    {304, "Not Modified"},
	    {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {406, "Not Acceptable"},
	    {408, "Request Timeout"},
	    {409, "Conflict"},
	    {410, "Gone"},
	    {411, "Length Required"},
	    {412, "Precondition Failed"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {415, "Unsupported Media Type"},
	    {417, "Expectation Failed"},
	    {422, "Unprocessable Content"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"},
	    {501, "Not Implemented"},
	    {502, "Bad Gateway"},
	    {503, "Service Unavailable"},
	    {504, "Gateway Timeout"},
	    {505, "HTTP Version Not Supported"},
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == status)
			return table[i].text;
	return status < 400 ? "OK" : status < 500 ? "Bad Request" : "Server Error";
}

bool status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* ---- headers ------------------------------------------------------------------------------ */

/* Control characters never get into a header: a line break there would start another. */
static void header_add_value(struct buf *b, const char *value)
{
	const char *p = value;

	while (*p != '\0') {
		size_t n = 0;

		while ((unsigned char)p[n] >= 0x20 && p[n] != 0x7f)
			n++;
		buf_add(b, p, n);
		p += n;
		if (*p != '\0') {
			if (*p == '\t')
				buf_chr(b, ' ');
			p++;
		}
	}
}

static void header_add_line(struct buf *b, const char *name, const char *value)
{
	buf_str(b, name);
	buf_add(b, ": ", 2);
	header_add_value(b, value);
	buf_add(b, "\r\n", 2);
}

void res_header(struct req *r, const char *name, const char *value)
{
	header_add_line(r->res.headers, name, value);
}

void res_headerf(struct req *r, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	res_header(r, name, arena_vprintf(r->a, fmt, ap));
	va_end(ap);
}

bool res_has_header(const struct req *r, const char *name)
{
	const char *p = r->res.headers->p, *end = p + r->res.headers->len, *line_end;
	size_t n = strlen(name);

	for (; p < end; p = line_end + 1) {
		if ((size_t)(end - p) > n && p[n] == ':' && strncasecmp(p, name, n) == 0)
			return true;
		line_end = memchr(p, '\n', (size_t)(end - p));
		if (line_end == NULL)
			break;
	}
	return false;
}

static void header_add_number(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	buf_add(b, digits + i, sizeof(digits) - i);
}

void res_head(struct req *r, struct buf *out, int64_t length)
{
	buf_str(out, "Status: ");
	header_add_number(out, (uint64_t)r->res.status);
	buf_chr(out, ' ');
	buf_str(out, http_reason(r->res.status));
	buf_add(out, "\r\n", 2);
	if (status_has_body(r->res.status)) {
		if (r->res.content_type != NULL)
			header_add_line(out, "Content-Type", r->res.content_type);
		if (length >= 0) {
			buf_str(out, "Content-Length: ");
			header_add_number(out, (uint64_t)length);
			buf_add(out, "\r\n", 2);
		}
	}
	header_add_line(out, "X-Request-Id", r->id);
	if (!res_has_header(r, "X-Content-Type-Options"))
		buf_str(out, "X-Content-Type-Options: nosniff\r\n");
	/* What one account may see must not be kept for the next person at that browser or proxy.
	 */
	if (r->actor.kind != ACTOR_NONE && !res_has_header(r, "Cache-Control"))
		buf_str(out, "Cache-Control: no-store\r\n");
	buf_add(out, r->res.headers->p, r->res.headers->len);
	buf_add(out, "\r\n", 2);
}

/* ---- plain answers ------------------------------------------------------------------------ */

static void response_begin(struct req *r, int status, const char *content_type)
{
	conn_of(r)->has_answer = true;
	r->res.status = status;
	r->res.content_type = content_type;
	buf_reset(r->res.body);
}

static int response_too_large(struct req *r)
{
	log_error(
	    "http.answer.too_large", LOG_STR("path", r->path), LOG_I("max", r->res.body->max));
	return res_problem(r, 500,
	    "The answer would be too large: ask for less at a time, such as by a smaller limit");
}

int res_text(struct req *r, int status, const char *content_type, struct str body)
{
	response_begin(r, status, content_type);
	buf_add(r->res.body, body.p, body.n);
	return buf_ok(r->res.body) ? 0 : response_too_large(r);
}

int res_empty(struct req *r, int status)
{
	response_begin(r, status, NULL);
	return 0;
}

int res_redirect(struct req *r, const char *location)
{
	response_begin(r, 303, NULL);
	res_header(r, "Location", location);
	return 0;
}

/* RFC 9110 §13.1.2: weak comparison against a list of entity tags, or *. */
static bool none_match_has(struct str list, struct str tag)
{
	struct str part;

	if (str_is(str_trim(list), "*"))
		return true;
	if (str_starts(tag, "W/"))
		tag = (struct str){tag.p + 2, tag.n - 2};
	/* Our own tags hold no comma, so cutting at commas cannot miss one. */
	while (str_split(&list, ',', &part)) {
		part = str_trim(part);
		if (str_starts(part, "W/"))
			part = (struct str){part.p + 2, part.n - 2};
		if (str_eq(part, tag))
			return true;
	}
	return false;
}

static void etag_add(struct req *r)
{
	const struct buf *b = r->res.body;
	struct str wanted = req_header(r, "if-none-match");
	char *tag;

	if (res_has_header(r, "ETag"))
		return;
	tag = arena_printf(
	    r->a, "W/\"%zx-%016llx\"", b->len, (unsigned long long)str_hash_long(b->p, b->len));
	res_header(r, "ETag", tag);
	if (wanted.n != 0 && none_match_has(wanted, str_from(tag))) {
		r->res.status = 304;
		buf_reset(r->res.body);
	}
}

int res_json(struct req *r, int status, json_t *value)
{
	response_begin(r, status, "application/json; charset=utf-8");
	if (value == NULL) {
		log_error("http.answer.no_value", LOG_STR("path", r->path));
		return res_problem(r, 500, NULL);
	}
	if (status == 200 && json_unreadable_beside() && json_is_object(value))
		json_set_bool(value, "isUnreadable", true);
	json_append(r->res.body, value);
	json_decref(value);
	if (!buf_ok(r->res.body))
		return response_too_large(r);
	if (status == 200 && (r->method == HTTP_GET || r->method == HTTP_HEAD))
		etag_add(r);
	return 0;
}

/* ---- streams ------------------------------------------------------------------------------ */

int res_stream_start(struct req *r, int status, const char *content_type)
{
	struct http_conn *c = conn_of(r);
	struct buf *head;

	response_begin(r, status, content_type);
	r->res.sent = true;
	if (c->io == NULL)
		return 0;
	head = buf_new(r->a, 2 * LIMIT_HEADER_BYTES);
	res_head(r, head, -1);
	if (!buf_ok(head) || c->write(c->io, head->p, head->len) == -1)
		c->is_cut = true;
	return c->is_cut ? -1 : 0;
}

int res_stream_write(struct req *r, struct str piece)
{
	struct http_conn *c = conn_of(r);

	if (c->is_cut)
		return -1;
	if (r->method == HTTP_HEAD || piece.n == 0)
		return 0;
	if (c->io == NULL) {
		buf_add(r->res.body, piece.p, piece.n);
		return 0;
	}
	if (c->write(c->io, piece.p, piece.n) == -1)
		c->is_cut = true;
	return c->is_cut ? -1 : 0;
}

/* ---- cookies ------------------------------------------------------------------------------ */

static bool is_secure_request(const struct req *r)
{
	const struct config *cfg = r->app != NULL ? r->app->config : NULL;

	return str_is(r->scheme, "https") || (cfg != NULL && cfg->base_url != NULL &&
						 str_starts(str_from(cfg->base_url), "https://"));
}

void res_cookie(
    struct req *r, const char *name, const char *value, int64_t max_age_s, bool http_only)
{
	struct buf *b = r->res.headers;
	const char *p;

	buf_str(b, "Set-Cookie: ");
	buf_str(b, name);
	buf_chr(b, '=');
	for (p = value; *p != '\0'; p++) {
		unsigned char ch = (unsigned char)*p;

		/* cookie-octet, RFC 6265 §4.1.1 */
		if (ch > 0x20 && ch < 0x7f && strchr("\",;\\", ch) == NULL)
			buf_chr(b, *p);
	}
	buf_str(b, "; Path=/; SameSite=Lax");
	if (max_age_s >= 0) {
		buf_str(b, "; Max-Age=");
		header_add_number(b, (uint64_t)max_age_s);
	}
	if (http_only)
		buf_str(b, "; HttpOnly");
	if (is_secure_request(r))
		buf_str(b, "; Secure");
	buf_add(b, "\r\n", 2);
}
