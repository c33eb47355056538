/* JSON handlers of the event log. */
#include "base/limits.h"
#include "intake/intake-internal.h"

static void status_check(struct req *r, struct str s)
{
	for (size_t i = 0; i < EVENT_STATUSES; i++)
		if (s.p == NULL || str_is(s, event_statuses[i].name))
			return;
	req_invalid(
	    r, "status", "must be verified, rejected, processed, failed, duplicate or spooled");
}

int event_api_list(struct req *r)
{
	static const char *const filters[] = {"status", "providerType", "connectionId", NULL};
	struct event_filter f = {.account_id = r->actor.account_id,
	    .status = req_query_text(r, "status"),
	    .provider_type = req_query_text(r, "providerType"),
	    .connection_id = req_query_uuid(r, "connectionId")};
	struct list_query q;
	struct event_page page = {0};
	struct err err = ERR_INIT;

	status_check(r, f.status);
	if (!req_list_query(r, "events", filters, &q) || req_has_invalid(r))
		return res_invalid(r);
	page.limit = q.page.limit;
	page.offset = q.offset;
	page.after_id = q.after.id;
	if (event_list(r->app, r->a, &f, &page, &err) == -1)
		return res_error(r, &err);
	return res_list(
	    r, &q, page.rows, &(struct list_end){page.has_more, {.id = page.last_id}, -1});
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
