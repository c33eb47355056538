/* JSON handlers of the polls: /connections/:id/polls. */
#include "base/clock.h"
#include "intake/lead-reconcile.h"

static int no_such_connection(struct req *r)
{
	return res_problem(r, 404, "There is no such connection");
}

static int no_such_poll(struct req *r)
{
	return res_problem(r, 404, "The connection has no such poll");
}

/* The route's connection, and its poll unless spec is NULL: false with the answer given. */
static bool polls_of_route(struct req *r, struct connection **c, const struct poll_spec **spec)
{
	struct err err = ERR_INIT;
	struct str name = req_param(r, "name");
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return false;
	found = connection_get_shown(r->app, r->a, &r->actor.account_id, &id, c, &err);
	if (found != 1) {
		(void)(found == -1 ? res_error(r, &err) : no_such_connection(r));
		return false;
	}
	if (spec == NULL)
		return true;
	*spec = provider_find_poll((*c)->provider, arena_strndup(r->a, name.p, name.n));
	if (*spec == NULL)
		(void)no_such_poll(r);
	return *spec != NULL;
}

int poll_api_list(struct req *r)
{
	struct connection *c;
	struct err err = ERR_INIT;
	json_t *list, *o;

	if (!polls_of_route(r, &c, NULL))
		return 0;
	list = json_own(r->a, json_array());
	if (polls_json(r->app, r->a, c, list, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set(o, "data", json_incref(list));
	return res_json(r, 200, o);
}

static int poll_answer_edit(struct req *r, const struct connection *c, const struct poll_spec *spec,
    const struct poll_edit *edit, int status)
{
	struct poll_row row;
	const struct poll_actor by = poll_actor_of(r);
	struct err err = ERR_INIT;
	int found = poll_edit(&by, c, spec, edit, &row, &err);

	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? no_such_poll(r) : res_json(r, status, poll_json(&row, spec));
}

static int poll_api_act(struct req *r, enum poll_act act)
{
	const struct poll_edit edit = {.act = act};
	const struct poll_spec *spec;
	struct connection *c;

	if (!polls_of_route(r, &c, &spec))
		return 0;
	return poll_answer_edit(r, c, spec, &edit, act == POLL_RUN ? 202 : 200);
}

int poll_api_run(struct req *r)
{
	return poll_api_act(r, POLL_RUN);
}

int poll_api_pause(struct req *r)
{
	return poll_api_act(r, POLL_PAUSE);
}

int poll_api_resume(struct req *r)
{
	return poll_api_act(r, POLL_RESUME);
}

/* null: as the manifest has it. */
int poll_api_change(struct req *r)
{
	struct poll_edit edit = {.act = POLL_SET, .interval_s = -1, .page_size = -1};
	static const struct json_member members[] = {
	    {"intervalSeconds", READ_INT, JSON_INTO(struct poll_edit, interval_s),
		.need = READ_CLEARABLE, .min = POLL_INTERVAL_LEAST_S, .max = POLL_INTERVAL_MOST_S},
	    {"pageSize", READ_INT, JSON_INTO(struct poll_edit, page_size), .need = READ_CLEARABLE,
		.min = 1, .max = POLL_PAGE_MOST}};
	const struct poll_spec *spec;
	struct connection *c;

	if (!polls_of_route(r, &c, &spec) || !req_read_body(r, JSON_MEMBERS(members), &edit))
		return 0;
	edit.has_interval = edit.interval_s != -1;
	edit.has_page_size = edit.page_size != -1;
	if (edit.has_page_size && spec->page.input == NULL)
		req_invalid(r, "pageSize", "this poll has no page size");
	if (req_has_invalid(r))
		return res_invalid(r);
	return poll_answer_edit(r, c, spec, &edit, 200);
}

struct since_body {
	struct opt_time since;
};
typedef int since_begin_fn(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, struct task *out, struct err *err);

/* A task that reads what the poll's provider has since a date. */
static int poll_api_since(
    struct req *r, const struct json_member *members, size_t n, since_begin_fn *begin)
{
	const struct poll_actor by = poll_actor_of(r);
	struct since_body body = {0};
	const struct poll_spec *spec;
	struct connection *c;
	struct err err = ERR_INIT;
	struct task t;

	if (!polls_of_route(r, &c, &spec) || !req_read_body(r, members, n, &body))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	if (begin(&by, c, spec, opt_time_or(body.since, TIME_NONE), &t, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 202, task_json(r->app, &t));
}

int poll_api_backfill(struct req *r)
{
	static const struct json_member members[] = {
	    {"since", READ_TIME, JSON_INTO(struct since_body, since), .need = READ_NEEDED}};

	return poll_api_since(r, JSON_MEMBERS(members), poll_backfill);
}

int poll_api_reconcile(struct req *r)
{
	static const struct json_member members[] = {
	    {"since", READ_TIME, JSON_INTO(struct since_body, since), .need = READ_NULLABLE}};

	return poll_api_since(r, JSON_MEMBERS(members), lead_reconcile);
}
