/* Refusals and failures: RFC 9457 problem documents for programs, pages for people. */
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "http/conn.h"

#define RETRY_AFTER_S "5"

/* Headers that some answers owe by their status; a handler's own come first. */
static void problem_owed_headers(struct req *r, int status)
{
	if ((status == 503 || status == 429) && !res_has_header(r, "Retry-After"))
		res_header(r, "Retry-After", status == 429 ? "1" : RETRY_AFTER_S);
	if (status == 401 && !res_has_header(r, "WWW-Authenticate") && !req_wants_page(r))
		res_header(r, "WWW-Authenticate", "Bearer realm=\"connect\"");
}

/* The errors of several fields as one sentence, for pages. */
static const char *detail_with_fields(struct req *r, const char *detail, const json_t *errors)
{
	struct buf *b;
	json_t *entry;
	size_t i;

	if (errors == NULL)
		return detail;
	b = buf_new(r->a, LIMIT_HEADER_BYTES);
	json_array_each(errors, i, entry) {
		const char *field = json_str(entry, "field"), *text = json_str(entry, "message");

		buf_printf(b, "%s%s: %s", i != 0 ? "; " : "", field != NULL ? field : "",
		    text != NULL ? text : "");
	}
	return buf_ok(b) ? b->p : detail;
}

struct problem {
	int status;
	const char *detail;
	const json_t *errors; /* of fields; or NULL */
	const json_t *more;   /* members besides those of every problem; or NULL */
};

static void problem_write_json(struct req *r, const struct problem *p)
{
	json_t *doc = json_object();

	/* RFC 9457 §4.2.1: about:blank says no more than the status, whose phrase is the title. */
	json_set_str(doc, "type", "about:blank");
	json_set_str(doc, "title", http_reason(p->status));
	json_set_int(doc, "status", p->status);
	json_set_str(doc, "detail", p->detail);
	json_set_str(doc, "requestId", r->id);
	if (p->errors != NULL)
		json_set(doc, "errors", json_deep_copy(p->errors));
	if (p->more != NULL)
		json_object_update_missing(doc, JSON_ITER(p->more));
	r->res.content_type = "application/problem+json";
	json_append(r->res.body, doc);
	json_decref(doc);
	/* Only a flood of faulty fields can be too long; the document is valid without them. */
	if (!buf_ok(r->res.body) && p->errors != NULL) {
		struct problem brief = *p;

		brief.errors = NULL;
		buf_reset(r->res.body);
		problem_write_json(r, &brief);
	}
}

static int problem_answer(struct req *r, struct problem p)
{
	struct http_conn *c = conn_of(r);

	if (r->res.sent) {
		/* The head is out: all that is left is not to end as if everything were there. */
		c->is_cut = true;
		return 0;
	}
	if (p.detail == NULL || p.detail[0] == '\0')
		p.detail = http_reason(p.status);
	c->has_answer = true;
	r->res.status = p.status;
	buf_reset(r->res.body);
	if (!buf_ok(r->res.headers))
		buf_reset(r->res.headers);
	problem_owed_headers(r, p.status);
	if (req_wants_page(r) && !c->is_in_problem) {
		int rc;

		c->is_in_problem = true;
		rc = c->hooks->problem_page(
		    r, p.status, http_reason(p.status), detail_with_fields(r, p.detail, p.errors));
		c->is_in_problem = false;
		if (rc == 0 && buf_ok(r->res.body)) {
			r->res.status = p.status;
			return 0;
		}
		buf_reset(r->res.body);
	}
	problem_write_json(r, &p);
	return 0;
}

int res_problem(struct req *r, int status, const char *detail, ...)
{
	va_list ap;
	char *text = NULL;

	if (detail != NULL) {
		va_start(ap, detail);
		text = arena_vprintf(r->a, detail, ap);
		va_end(ap);
	}
	return problem_answer(r, (struct problem){.status = status, .detail = text});
}

int res_problem_with(struct req *r, int status, const char *detail, const json_t *more)
{
	return problem_answer(
	    r, (struct problem){.status = status, .detail = detail, .more = more});
}

static int status_of_err(enum err_code code)
{
	switch (code) {
	case ERR_MALFORMED:
		return 400;
	case ERR_INVALID:
	case ERR_REFUSED:
		return 422;
	case ERR_UNAUTHORIZED:
		return 401;
	case ERR_DENIED:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_CONFLICT:
	case ERR_UNREADABLE:
		return 409;
	case ERR_LIMIT:
		return 413;
	case ERR_RETRY:
	case ERR_LOCKED:
	case ERR_UNAVAILABLE:
		return 503;
	case ERR_TIMEOUT:
		return 504;
	case ERR_NONE:
	case ERR_INTERNAL:
	default:
		return 500;
	}
}

/* Nobody's request is at fault, and a repeat would be no better. */
static int problem_unreadable(struct req *r, const struct err *err)
{
	log_error("http.unreadable", LOG_STR("path", r->path), LOG_ERR(err));
	return res_problem(r, 409,
	    "What is stored of this cannot be read any more, so nothing of it can be changed or "
	    "used; it can be deleted, and made anew (%s)",
	    err->msg);
}

int res_error(struct req *r, const struct err *err)
{
	int status = status_of_err(err->code);
	json_t *errors = NULL, *entry;

	if (status == 500 || status == 503) {
		const char *away = err->code == ERR_UNAVAILABLE
				       ? "Connect can't reach its database, or something else that"
					 " it needs, right now. Try again in a minute"
				       : "Something else was being changed at the same time."
					 " Try again";

		log_error(
		    "http.error", LOG_I("status", status), LOG_STR("path", r->path), LOG_ERR(err));
		return problem_answer(
		    r, (struct problem){.status = status,
			   .detail = status == 500
					 ? "This could not be carried out; the log has the reason "
					   "under this request id"
					 : away});
	}
	if (err->code == ERR_UNREADABLE)
		return problem_unreadable(r, err);
	if (err->field[0] != '\0') {
		entry = json_object();
		json_set_str(entry, "field", err->field);
		json_set_str(entry, "message", err->msg);
		errors = json_own(r->a, json_array());
		json_array_append_new(errors, entry);
	}
	return problem_answer(
	    r, (struct problem){.status = status, .detail = err->msg, .errors = errors});
}

int res_invalid(struct req *r)
{
	const struct http_conn *c = conn_of(r);
	const json_t *first = json_array_get(c->invalid, 0);
	size_t n = json_array_size(c->invalid);
	const char *field, *text;

	if (first == NULL)
		return problem_answer(
		    r, (struct problem){.status = 422, .detail = "The request is not acceptable"});
	field = json_str(first, "field");
	text = json_str(first, "message");
	return problem_answer(
	    r, (struct problem){.status = 422,
		   .detail = arena_printf(
		       r->a, n > 1 ? "%s: %s (and %zu more)" : "%s: %s", field, text, n - 1),
		   .errors = c->invalid});
}
