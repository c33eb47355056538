/* JSON handlers of the records. */
#include "base/clock.h"
#include "base/limits.h"
#include "record/record.h"

/* Is the list sorted oldest first? */
static bool query_sort(struct req *r)
{
	struct str s = req_query_text(r, "sort");

	if (s.p != NULL && !str_is(s, "-updatedAt") && !str_is(s, "updatedAt"))
		req_invalid(r, "sort", "must be updatedAt or -updatedAt");
	return str_is(s, "updatedAt");
}

int record_api_list(struct req *r)
{
	static const char *const filters[] = {"resourceType", "providerType", "source", "search",
	    "updatedAfter", "updatedBefore", "sort", NULL};
	struct record_filter f = {.account_id = r->actor.account_id,
	    .resource_type = req_query_text(r, "resourceType"),
	    .provider_type = req_query_text(r, "providerType"),
	    .source = req_query_text(r, "source"),
	    .search = req_query_text(r, "search"),
	    .updated_after_us = req_query_time(r, "updatedAfter"),
	    .updated_before_us = req_query_time(r, "updatedBefore")};
	struct record_page page = {.is_ascending = query_sort(r)};
	struct list_query q;
	struct err err = ERR_INIT;
	int64_t total;

	if (!req_list_query(r, "records", filters, &q) || req_has_invalid(r))
		return res_invalid(r);
	page.limit = q.page.limit;
	page.offset = q.offset;
	page.after_us = q.after;
	page.after_id = q.after_id;
	if (record_list(r->app, r->a, &f, &page, &err) == -1 ||
	    record_count(r->app, r->a, &f, &total, &err) == -1)
		return res_error(r, &err);
	return res_list(
	    r, &q, page.rows, &(struct list_end){page.has_more, page.last_us, page.last_id, total});
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
