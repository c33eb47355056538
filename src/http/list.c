/* Lists by cursor: what their handlers have in common. */
#include "base/clock.h"
#include "base/limits.h"
#include "http/http.h"

struct str req_query_text(const struct req *r, const char *name)
{
	struct str s = req_query(r, name);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

int64_t req_query_time(struct req *r, const char *name)
{
	struct str s = req_query_text(r, name);
	int64_t at_us = 0;

	if (s.p != NULL && !clock_parse_iso(s, &at_us))
		req_invalid(r, name, "must be an ISO 8601 time");
	return at_us;
}

/* Lengths stand before the values, so that no two sets of filters read alike. */
static const char *list_scope(struct req *r, const char *list, const char *const *filters)
{
	struct buf *b = buf_new(r->a, LIMIT_HEADER_BYTES);

	buf_printf(b, "%s %s", list, uuid_dup(r->a, r->actor.account_id));
	for (; *filters != NULL; filters++) {
		struct str s = req_query_text(r, *filters);

		buf_printf(b, "&%zu:", s.n);
		if (s.n > 0)
			buf_add(b, s.p, s.n);
	}
	return b->p;
}

bool req_list_query(
    struct req *r, const char *list, const char *const *filters, struct list_query *out)
{
	*out = (struct list_query){.scope = list_scope(r, list, filters)};
	if (!req_page_query(r, &out->page))
		return false;
	if (out->page.page > 1)
		out->offset = (out->page.page - 1) * out->page.limit;
	return out->page.cursor.p == NULL ||
	       cursor_read(r, out->scope, out->page.cursor, &out->after);
}

int res_list(struct req *r, const struct list_query *q, json_t *rows, const struct list_end *end)
{
	const bool is_counted = end->total >= 0;
	const bool is_all_seen = !end->has_more && q->page.cursor.p == NULL;
	int64_t total = end->total;
	const char *next = NULL;

	if (!is_counted)
		total = q->offset + (int64_t)json_array_size(rows) + end->has_more;
	if (end->has_more)
		next = cursor_make(r, q->scope, &end->last);
	return res_json(r, 200,
	    page_envelope(&q->page, json_incref(rows), total, is_counted || is_all_seen, next));
}
