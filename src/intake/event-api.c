/* JSON handlers of the event log. */
#include "base/limits.h"
#include "intake/intake-internal.h"

static const char *const statuses[] = {
    "verified", "rejected", "processed", "failed", "duplicate", "spooled"};

static struct str query_text(struct req *r, const char *name)
{
	struct str s = req_query(r, name);

	return s.n == 0 ? (struct str){NULL, 0} : s;
}

static void check_status(struct req *r, struct str s)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (s.p == NULL || str_is(s, statuses[i]))
			return;
	req_invalid(
	    r, "status", "must be verified, rejected, processed, failed, duplicate or spooled");
}

int event_api_list(struct req *r)
{
	struct event_filter f = {.account_id = r->actor.account_id};
	struct event_page page = {0};
	struct page_query pq;
	struct err err = ERR_INIT;
	struct str connection = query_text(r, "connectionId");
	const char *scope, *next = NULL;
	int64_t ignored;

	f.status = query_text(r, "status");
	f.provider_type = query_text(r, "providerType");
	check_status(r, f.status);
	if (connection.p != NULL && !uuid_parse(connection, &f.connection_id))
		req_invalid(r, "connectionId", "must be an id");
	scope = arena_printf(r->a, "events %s %.*s %.*s %.*s", uuid_dup(r->a, r->actor.account_id),
	    (int)f.status.n, f.status.p, (int)f.provider_type.n, f.provider_type.p,
	    (int)connection.n, connection.p);
	if (!req_page_query(r, &pq))
		return res_invalid(r);
	if (pq.cursor.n > 0 && !cursor_read(r, scope, pq.cursor, &ignored, &page.after_id))
		req_invalid(r, "cursor", "is not a cursor of this list");
	if (req_has_invalid(r))
		return res_invalid(r);
	page.limit = pq.limit;
	page.offset = pq.page > 1 ? (pq.page - 1) * pq.limit : 0;
	if (event_list(r->app, r->a, &f, &page, &err) == -1)
		return res_error(r, &err);
	if (page.has_more)
		next = cursor_make(r, scope, 1, page.last_id);
	return res_json(r, 200,
	    page_envelope(&pq, json_incref(page.rows),
		page.offset + (int64_t)json_array_size(page.rows) + page.has_more,
		!page.has_more && pq.cursor.n == 0, next));
}

int event_api_get(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *event;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = event_get_json(r->app, r->a, &r->actor.account_id, &id, &event, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such event");
	return res_json(r, 200, json_incref(event));
}

int event_api_replay(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;
	json_t *event;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = event_replay(r, &id, &err);
	if (found == 1)
		found = event_get_json(r->app, r->a, &r->actor.account_id, &id, &event, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such event");
	return res_json(r, 200, json_incref(event));
}
