/* JSON handlers of the event log. */
#include "base/limits.h"
#include "intake/intake-internal.h"

int event_api_list(struct req *r)
{
	struct event_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;

	if (!slice_read(r, &list_of_events, &f, &s))
		return res_invalid(r);
	if (event_list(r->app, r->a, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
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
