/* Everything that happens to a request before and after its handler, in one order for all routes,
 * so that no handler can forget any of it:
 *
 *	route (404), method (405 with Allow; OPTIONS ends here, HEAD runs GET's handler)
 *	stated length of the body against the route's limit (413)
 *	who asks (401, or the sign-in page), what he may do (403), how much he may upload
 *	coding and type of the body (415), the body itself (400 short, 408 slow, 413 long)
 *	its syntax (400), token of the form (403), Idempotency-Key
 *	handler (500 when it fails without an answer)
 *
 * A stranger is turned away before his body is read, so he cannot make us keep it. What a client
 * says about itself counts for nothing: address, scheme and host come from the web server, or from
 * as many proxies as the configuration trusts (cgi.c). A table with a route that anyone could reach
 * by oversight does not start (router.c). Headers cannot be broken out of, and errors tell neither
 * SQL nor secrets (response.c, problem.c). */
#include <ctype.h>
#include <string.h>

#include "base/config.h"
#include "base/inflate.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "http/conn.h"
#include "http/form.h"
#include "http/router.h"

#define PIECE_BYTES (32u * 1024u)
#define CODING_TOLD_BYTES 60u

/* Each step returns 0 to go on, or -1 when the request has its answer. */

static int request_refuse(struct req *r, const struct err *err)
{
	res_error(r, err);
	return -1;
}

static bool is_safe_method(enum http_method m)
{
	return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_OPTIONS;
}

/* ---- route and person ---------------------------------------------------------------------- */

/* Who is signed in keeps the navigation on a page that is none; a stranger is told the same. */
static void person_know(struct req *r, const struct router_hooks *hooks)
{
	static const struct route nowhere = {.pattern = "(none)", .flags = ROUTE_PAGE};

	if (hooks->authenticate == NULL || !req_wants_page(r))
		return;
	r->route = &nowhere;
	(void)hooks->authenticate(r);
}

static int route_find(const struct router *rt, struct req *r)
{
	const char *allow;
	int status = router_match(rt, r, &allow);

	if (status == 0)
		return 0;
	if (status == 404) {
		person_know(r, router_hooks_of(rt));
		if (!conn_of(r)->has_answer)
			res_problem(r, 404, "There is nothing at this address");
		return -1;
	}
	res_header(r, "Allow", allow);
	if (r->method == HTTP_OPTIONS)
		res_empty(r, 204);
	else
		res_problem(r, 405, "This address knows %s", allow);
	return -1;
}

/* The path and query of the page that a form was on; empty when the browser does not tell, or it
 * was another site's. */
static struct str form_page(const struct req *r)
{
	struct str from = req_header(r, "referer"), host = r->host;
	size_t scheme = str_starts(from, "https://") ? 8 : str_starts(from, "http://") ? 7 : 0;

	from = scheme == 0 ? STR("") : (struct str){from.p + scheme, from.n - scheme};
	if (host.n == 0 || from.n <= host.n || memcmp(from.p, host.p, host.n) != 0 ||
	    from.p[host.n] != '/')
		return STR("");
	return (struct str){from.p + host.n, from.n - host.n};
}

static int person_sign_in(struct req *r, const struct router_hooks *hooks)
{
	struct buf *b;

	if ((r->route->flags & ROUTE_PAGE) == 0 || hooks->sign_in_path == NULL) {
		res_problem(r, 401, "A valid API key or token is needed");
		return -1;
	}
	b = buf_new(r->a, 4 * LIMIT_URL_BYTES);
	buf_str(b, hooks->sign_in_path);
	/* What was posted is gone, and its address is not to be looked at: the way back is to the
	 * form, and the sign-in page says that nothing was done. */
	if (!is_safe_method(r->method)) {
		buf_str(b, "?lost=1&next=");
		percent_encode(b, form_page(r));
	} else {
		buf_str(b, "?next=");
		percent_encode(b, r->path);
		if (r->query_string.n != 0) {
			percent_encode(b, STR("?"));
			percent_encode(b, r->query_string);
		}
	}
	res_redirect(r, buf_ok(b) ? b->p : hooks->sign_in_path);
	return -1;
}

/* As the pages call it: "Viewer". */
static const char *role_shown(struct arena *a, const char *role)
{
	char *text = arena_strdup(a, role);

	text[0] = (char)toupper((unsigned char)text[0]);
	return text;
}

/* A program is told the permission by its name; a person who can give it. */
static void person_refuse(struct req *r, const struct router_hooks *hooks, uint64_t missing)
{
	const char *role = r->actor.role, *account = r->actor.account_name;

	if (!req_wants_page(r))
		res_problem(r, 403, "This needs the permission %s",
		    hooks->permission_name != NULL ? hooks->permission_name(missing)
						   : "that this account lacks");
	else
		res_problem(r, 403, "Your role (%s) can't do this. Ask an admin of %s",
		    role != NULL ? role_shown(r->a, role) : "none",
		    account != NULL ? account : "your account");
}

static int person_check(struct req *r, const struct router_hooks *hooks)
{
	uint64_t missing;
	int known;

	if ((r->route->flags & ROUTE_PUBLIC) != 0)
		return 0;
	known = hooks->authenticate(r);
	if (known == -1) {
		if (!conn_of(r)->has_answer)
			res_problem(r, 503, "Who you are cannot be checked at the moment");
		return -1;
	}
	if (known == 0 || r->actor.kind == ACTOR_NONE)
		return person_sign_in(r, hooks);
	missing = r->route->permission & ~r->actor.permissions;
	if (missing != 0) {
		person_refuse(r, hooks, missing);
		return -1;
	}
	return 0;
}

static int upload_check(struct req *r, const struct router_hooks *hooks)
{
	if ((r->route->flags & ROUTE_UPLOAD) == 0 || is_safe_method(r->method) ||
	    hooks->upload_check == NULL)
		return 0;
	return hooks->upload_check(r, conn_of(r)->content_length);
}

/* ---- body ---------------------------------------------------------------------------------- */

/* The route's, of webhooks what its sender may have, and at most what the configuration allows. */
static uint64_t body_limit(struct req *r)
{
	const struct config *cfg = r->app != NULL ? r->app->config : NULL;
	const struct router_hooks *hooks = conn_of(r)->hooks;
	uint64_t limit = r->route->body_limit, most;

	if ((r->route->flags & ROUTE_RAW) == 0)
		return limit;
	if (hooks != NULL && hooks->raw_body_limit != NULL) {
		most = hooks->raw_body_limit(r);
		limit = most < limit ? most : limit;
	}
	if (cfg == NULL || cfg->webhook_body_bytes <= 0)
		return limit;
	most = (uint64_t)cfg->webhook_body_bytes;
	return most < limit ? most : limit;
}

static int body_too_large(struct req *r)
{
	uint64_t limit = body_limit(r);

	if (limit == 0)
		res_problem(r, 413, "This address takes no body");
	else
		res_problem(
		    r, 413, "The body may have at most %llu bytes", (unsigned long long)limit);
	return -1;
}

static int body_cut_short(struct req *r)
{
	if (conn_of(r)->is_late)
		res_problem(r, 408, "The body came too slowly");
	else
		res_problem(r, 400, "The body ended before its stated length");
	return -1;
}

/* Is there a body to read? One of unknown length is looked for where the method may have one. */
static bool body_is_expected(const struct req *r, const struct http_conn *c)
{
	if (c->io == NULL)
		return r->body.n != 0;
	return c->content_length > 0 || (c->content_length < 0 && !is_safe_method(r->method));
}

static int body_read_known(struct req *r, struct http_conn *c)
{
	size_t want = (size_t)c->content_length;
	char *p = arena_alloc(r->a, want + 1);
	long got = c->read(c->io, p, want);

	if (got == -1 || (size_t)got != want)
		return body_cut_short(r);
	p[want] = '\0';
	r->body = (struct str){p, want};
	return 0;
}

static int body_read_unknown(struct req *r, struct http_conn *c, uint64_t limit)
{
	struct buf *b = buf_new(r->a, (size_t)limit + 1);
	char *piece = arena_alloc(r->a, PIECE_BYTES);
	long got;

	do {
		got = c->read(c->io, piece, PIECE_BYTES);
		if (got == -1)
			return body_cut_short(r);
		buf_add(b, piece, (size_t)got);
		if (!buf_ok(b) || b->len > limit)
			return body_too_large(r);
	} while (got == (long)PIECE_BYTES);
	r->body = (struct str){b->p, b->len};
	return 0;
}

/* The whole body into memory, at most limit (which an upload's JSON or form has below its route's).
 */
static int body_read(struct req *r, uint64_t limit)
{
	struct http_conn *c = conn_of(r);

	if (c->io == NULL)
		return r->body.n > limit ? body_too_large(r) : 0;
	if (c->content_length >= 0 && (uint64_t)c->content_length > limit) {
		res_problem(r, 413, "A body of this type may have at most %llu bytes here",
		    (unsigned long long)limit);
		return -1;
	}
	return c->content_length >= 0 ? body_read_known(r, c) : body_read_unknown(r, c, limit);
}

/* Hands the body on in pieces as it comes. */
static int body_each_piece(
    struct req *r, int (*take)(void *arg, struct str piece, struct err *err), void *arg)
{
	struct http_conn *c = conn_of(r);
	uint64_t total = 0, limit = r->route->body_limit;
	struct err err = ERR_INIT;
	char *piece;
	long got;

	if (c->io == NULL) {
		if (r->body.n > limit)
			return body_too_large(r);
		return take(arg, r->body, &err) == 0 ? 0 : request_refuse(r, &err);
	}
	piece = arena_alloc(r->a, PIECE_BYTES);
	do {
		size_t want = PIECE_BYTES;

		if (c->content_length >= 0 && (uint64_t)c->content_length - total < want)
			want = (size_t)((uint64_t)c->content_length - total);
		got = want != 0 ? c->read(c->io, piece, want) : 0;
		if (got == -1)
			return body_cut_short(r);
		total += (uint64_t)got;
		if (total > limit)
			return body_too_large(r);
		if (got != 0 && take(arg, (struct str){piece, (size_t)got}, &err) != 0)
			return request_refuse(r, &err);
	} while (got == (long)PIECE_BYTES);
	if (c->content_length >= 0 && total != (uint64_t)c->content_length)
		return body_cut_short(r);
	return 0;
}

static const char *upload_dir(const struct req *r)
{
	const struct config *cfg = r->app != NULL ? r->app->config : NULL;

	if (cfg == NULL || cfg->state_dir == NULL || cfg->state_dir[0] == '\0')
		return "/tmp";
	return arena_printf(r->a, "%s/tmp", cfg->state_dir);
}

static int multipart_take(void *arg, struct str piece, struct err *err)
{
	return multipart_feed(arg, piece, err);
}

static int upload_take(void *arg, struct str piece, struct err *err)
{
	return upload_add(arg, piece, err);
}

static int body_read_multipart(struct req *r)
{
	struct err err = ERR_INIT;
	struct multipart *m = multipart_new(r->a, r->content_type, upload_dir(r), &err);

	if (m == NULL)
		return request_refuse(r, &err);
	if (body_each_piece(r, multipart_take, m) == -1)
		return -1;
	if (multipart_end(m, &r->form, &r->files, &r->nfiles, &err) == -1)
		return request_refuse(r, &err);
	return 0;
}

static int body_read_urlencoded(struct req *r)
{
	struct err err = ERR_INIT;
	uint64_t limit = r->route->body_limit;

	if (limit > LIMIT_BODY_FORM && (r->route->flags & ROUTE_UPLOAD) != 0)
		limit = LIMIT_BODY_JSON; /* pasted CSV */
	if (body_read(r, limit) == -1)
		return -1;
	return form_parse(r->a, r->body, &r->form, &err) == 0 ? 0 : request_refuse(r, &err);
}

static int body_read_json(struct req *r)
{
	struct err err = ERR_INIT;
	uint64_t limit = r->route->body_limit;

	if (limit > LIMIT_JSON_BYTES)
		limit = LIMIT_JSON_BYTES;
	if (body_read(r, limit) == -1)
		return -1;
	if (r->body.n == 0)
		return 0;
	r->json = json_parse(r->a, r->body, &err);
	return r->json != NULL ? 0 : request_refuse(r, &err);
}

static int body_read_file(struct req *r)
{
	struct upload *u = upload_new(r->a, upload_dir(r));
	struct http_file *f = arena_zalloc(r->a, sizeof(*f));
	struct err err = ERR_INIT;

	if (body_each_piece(r, upload_take, u) == -1)
		return -1;
	f->field = STR("");
	f->filename = STR("");
	f->content_type = r->content_type;
	if (upload_end(u, f, &err) == -1)
		return request_refuse(r, &err);
	r->files = f;
	r->nfiles = f->size != 0 ? 1 : 0;
	return 0;
}

static int body_wrong_type(struct req *r, const char *wanted)
{
	res_problem(r, 415, "The body must be %s", wanted);
	return -1;
}

/* A body in a coding that nobody undoes would be taken for what it is not. */
static int coding_check(struct req *r)
{
	struct str coding = str_trim(req_header(r, "content-encoding"));
	bool is_coded = (r->route->flags & ROUTE_CODED) != 0;

	if (coding_is_none(coding) || (is_coded && coding_is_known(coding)))
		return 0;
	coding = utf8_clean(r->a, coding, CODING_TOLD_BYTES);
	res_header(r, "Accept-Encoding", is_coded ? CODINGS_KNOWN : "identity");
	res_problem(r, 415, "This address takes no body in the coding \"%.*s\", only in %s",
	    (int)coding.n, coding.p, is_coded ? CODINGS_KNOWN " or none" : "none");
	return -1;
}

static int body_take(struct req *r)
{
	struct http_conn *c = conn_of(r);
	unsigned flags = r->route->flags;
	struct str type = media_type(r->content_type);
	bool is_json = str_ieq(type, STR("application/json"));
	bool is_form = str_ieq(type, STR("application/x-www-form-urlencoded"));
	bool is_multipart = str_ieq(type, STR("multipart/form-data"));
	bool is_page = (flags & (ROUTE_PAGE | ROUTE_FORM)) != 0;

	if (!body_is_expected(r, c))
		return 0;
	if (coding_check(r) == -1)
		return -1;
	if (r->route->body_limit == 0 && c->io != NULL && c->content_length < 0) {
		/* No length was given; none may come. */
		return body_read_unknown(r, c, 0);
	}
	if ((flags & ROUTE_RAW) != 0)
		return body_read(r, body_limit(r));
	if (is_multipart && ((flags & ROUTE_UPLOAD) != 0 || is_page))
		return body_read_multipart(r);
	if (is_form && is_page)
		return body_read_urlencoded(r);
	if (is_json && !is_page)
		return body_read_json(r);
	if ((flags & ROUTE_UPLOAD) != 0)
		return body_read_file(r);
	/* Bodies that turn out empty have no type and need none. */
	if (type.n == 0 && c->io != NULL && c->content_length < 0) {
		if (body_read_unknown(r, c, r->route->body_limit) != 0)
			return -1;
		if (r->body.n == 0 || (flags & (ROUTE_API | ROUTE_PAGE | ROUTE_FORM)) == 0)
			return 0;
	}
	if ((flags & ROUTE_API) != 0)
		return body_wrong_type(r, "application/json");
	if (is_page)
		return body_wrong_type(r, "a form");
	return body_read(r, r->route->body_limit);
}

/* ---- the rest ------------------------------------------------------------------------------ */

/* Pages come compressed, so their length could tell of a token that stands in all of them in the
 * same letters beside a text of the asker's choice (BREACH). In each page it is another text:
 * random bytes, then the token's bytes with these over them. */
#define CSRF_BYTES 32u

const char *req_csrf_token(struct req *r)
{
	unsigned char bytes[2 * CSRF_BYTES], token[CSRF_BYTES];
	struct str known = str_from(r->actor.csrf);
	struct buf *b;

	if (base64url_decode(token, sizeof(token), known) != CSRF_BYTES)
		return known.p != NULL ? known.p : "";
	random_bytes(bytes, CSRF_BYTES);
	for (size_t i = 0; i < CSRF_BYTES; i++)
		bytes[CSRF_BYTES + i] = bytes[i] ^ token[i];
	b = buf_new(r->a, 4 * CSRF_BYTES);
	base64url_encode(b, bytes, sizeof(bytes));
	return b->p;
}

/* Is it the session's token, as it is or as a page has it? */
static bool csrf_is_right(const struct req *r, struct str given)
{
	unsigned char bytes[2 * CSRF_BYTES], token[CSRF_BYTES];
	struct str known = str_from(r->actor.csrf);

	if (known.n == 0 || given.n == 0)
		return false;
	if (base64url_decode(bytes, sizeof(bytes), given) != 2 * CSRF_BYTES ||
	    base64url_decode(token, sizeof(token), known) != CSRF_BYTES)
		return mem_equal_ct(given.p, given.n, known.p, known.n);
	for (size_t i = 0; i < CSRF_BYTES; i++)
		bytes[i] ^= bytes[CSRF_BYTES + i];
	return mem_equal_ct(bytes, CSRF_BYTES, token, CSRF_BYTES);
}

static int csrf_check(struct req *r)
{
	struct str given;

	if ((r->route->flags & ROUTE_CSRF) == 0 || is_safe_method(r->method))
		return 0;
	given = req_form(r, "_csrf");
	if (given.n == 0)
		given = req_header(r, "x-csrf-token");
	if (csrf_is_right(r, given))
		return 0;
	res_problem(r, 403, "The form is out of date: go back, reload the page and send it again");
	return -1;
}

static void handler_run(struct req *r, const struct router_hooks *hooks)
{
	struct http_conn *c = conn_of(r);
	bool is_keyed = (r->route->flags & ROUTE_IDEMPOTENT) != 0 &&
			hooks->idempotency_before != NULL &&
			req_header(r, "idempotency-key").p != NULL;
	int rc;

	if (is_keyed) {
		rc = hooks->idempotency_before(r);
		if (rc == -1 && !c->has_answer)
			res_problem(r, 503, "The Idempotency-Key cannot be checked at the moment");
		if (rc != 0)
			return;
	}
	rc = r->route->handler(r);
	if (rc != 0 && r->res.sent) {
		c->is_cut = true;
	} else if (rc != 0 && !c->has_answer) {
		log_error("http.handler.failed", LOG_S("route", r->route->pattern));
		res_problem(r, 500, NULL);
	} else if (!r->res.sent && (!buf_ok(r->res.body) || !buf_ok(r->res.headers))) {
		log_error("http.answer.too_large", LOG_S("route", r->route->pattern));
		res_problem(r, 500,
		    "The answer would be too large: ask for less at a time, such as by a smaller"
		    " limit");
	}
	if (is_keyed && hooks->idempotency_after != NULL)
		hooks->idempotency_after(r);
}

/* It removes something, or asks whether to. */
static bool is_removal(const struct req *r)
{
	return r->method == HTTP_DELETE || str_ends(r->path, "/delete") ||
	       str_ends(r->path, "/disconnect");
}

void router_dispatch(const struct router *rt, struct req *r)
{
	const struct router_hooks *hooks = router_hooks_of(rt);
	struct http_conn *c = conn_of(r);

	c->hooks = hooks;
	if (route_find(rt, r) == -1)
		return;
	if (c->content_length > 0 && (uint64_t)c->content_length > body_limit(r)) {
		body_too_large(r);
		return;
	}
	if (person_check(r, hooks) == -1 || upload_check(r, hooks) == -1 || body_take(r) == -1 ||
	    csrf_check(r) == -1)
		return;
	json_forgive_stored(is_removal(r));
	json_show_stored(r->method == HTTP_GET);
	handler_run(r, hooks);
	json_forgive_stored(false);
	json_show_stored(false);
}
