/* JSON handlers of the records. */
#include "base/clock.h"
#include "base/limits.h"
#include "record/record.h"

/* An optional time parameter; a bad one is noted as invalid. */
static int64_t query_time(struct req *r, const char *name)
{
	struct str s = req_query(r, name);
	int64_t at_us = 0;

	if (s.p != NULL && !clock_parse_iso(s, &at_us))
		req_invalid(r, name, "must be an ISO 8601 time");
	return at_us;
}

/* An optional text parameter: absent and empty are the same. */
static struct str query_text(struct req *r, const char *name)
{
	struct str s = req_query(r, name);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

static bool query_sort(struct req *r)
{
	struct str s = query_text(r, "sort");

	if (s.p == NULL || str_is(s, "-updatedAt"))
		return false;
	if (!str_is(s, "updatedAt"))
		req_invalid(r, "sort", "must be updatedAt or -updatedAt");
	return true;
}

/* What a cursor of this list is good for. */
static const char *list_scope(struct req *r)
{
	struct buf *b = buf_new(r->a, LIMIT_URL_BYTES);

	buf_printf(b, "records %s", uuid_dup(r->a, r->actor.account_id));
	static const char *const names[] = {"resourceType", "providerType", "source", "search",
	    "updatedAfter", "updatedBefore", "sort"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct str s = query_text(r, names[i]);

		buf_printf(b, "&%zu:", s.n);
		buf_add(b, s.p, s.n);
	}
	return b->p;
}

int record_api_list(struct req *r)
{
	struct page_query pq;
	struct record_filter f = {.account_id = r->actor.account_id};
	struct record_page page = {0};
	struct err err = ERR_INIT;
	const char *scope = list_scope(r), *next = NULL;
	int64_t total;

	if (!req_page_query(r, &pq))
		return res_invalid(r);
	f.resource_type = query_text(r, "resourceType");
	f.provider_type = query_text(r, "providerType");
	f.source = query_text(r, "source");
	f.search = query_text(r, "search");
	f.updated_after_us = query_time(r, "updatedAfter");
	f.updated_before_us = query_time(r, "updatedBefore");
	page.is_ascending = query_sort(r);
	page.limit = pq.limit;
	page.offset = pq.page > 1 ? (pq.page - 1) * pq.limit : 0;
	if (pq.cursor.n > 0 && !cursor_read(r, scope, pq.cursor, &page.after_us, &page.after_id))
		req_invalid(r, "cursor", "is not a cursor of this list");
	if (req_has_invalid(r))
		return res_invalid(r);
	if (record_list(r->app, r->a, &f, &page, &err) == -1 ||
	    record_count(r->app, r->a, &f, &total, &err) == -1)
		return res_error(r, &err);
	if (page.has_more)
		next = cursor_make(r, scope, page.last_us, page.last_id);
	bool is_exact = total >= 0;

	if (!is_exact) /* what is known without counting */
		total = page.offset + (int64_t)json_array_size(page.rows) + page.has_more;
	return res_json(r, 200,
	    page_envelope(&pq, json_incref(page.rows), total,
		is_exact || (!page.has_more && pq.cursor.n == 0), next));
}

int record_api_get(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *record;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record");
	return res_json(r, 200, json_incref(record));
}

int record_api_summary(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *summary;

	if (record_summary(r->app, r->a, &r->actor.account_id, &summary, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, json_incref(summary));
}

int record_api_history(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	struct page_query pq = {.limit = 1000, .page = 1};
	json_t *record, *rows;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such record");
	if (found == -1 ||
	    record_history(r->app, r->a, &r->actor.account_id, &id, &rows, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200,
	    page_envelope(&pq, json_incref(rows), (int64_t)json_array_size(rows), true, NULL));
}
