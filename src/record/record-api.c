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

/* What the list's cursors are bound to: every parameter but those that move through it. */
static const char *const *list_filters(struct req *r)
{
	const char **names = arena_array(r->a, r->query.n + 1, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < r->query.n; i++) {
		struct str name = r->query.v[i].name;

		if (!str_is(name, "cursor") && !str_is(name, "page") && !str_is(name, "limit"))
			names[n++] = arena_strndup(r->a, name.p, name.n);
	}
	return names;
}

int record_api_list(struct req *r)
{
	struct record_filter f;
	struct record_memory memory;
	struct record_page page = {.is_ascending = query_sort(r), .memory = &memory};
	struct list_query q;
	struct err err = ERR_INIT;
	int64_t total;

	record_filter_read(r, &r->query, &f);
	if (!req_list_query(r, "records", list_filters(r), &q) || req_has_invalid(r))
		return res_invalid(r);
	page.limit = q.page.limit;
	page.offset = q.offset;
	page.after_us = q.after.at;
	page.after_id = q.after.id;
	record_memory_read(&memory, q.after.note);
	if (record_list(r->app, r->a, &f, &page, &err) == -1 ||
	    record_count(r->app, r->a, &f, &total, &err) == -1)
		return res_error(r, &err);
	return res_list(r, &q, page.rows,
	    &(struct list_end){page.has_more,
		{page.last_us, page.last_id, record_memory_text(r->a, &memory)}, total});
}

int record_api_get(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *record;
	int found;

	int64_t at_us = req_query_time(r, "at");

	if (!req_param_uuid(r, "id", &id))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	found = at_us == 0
		    ? record_get_json(r->app, r->a, &r->actor.account_id, &id, &record, &err)
		    : record_get_at(r->app, r->a, &r->actor.account_id, &id, at_us, &record, &err);
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
	return res_whole(r, rows, RECORD_HISTORY_ROWS);
}
