/* The page of the queue: its lanes, what is wrong with them, and dead jobs. */
#include <string.h>

#include "account/permission.h"
#include "base/clock.h"
#include "connection/connection-pages.h"
#include "html/chrome.h"
#include "job/queue.h"
#include "product/queue.h"

#define ADDRESS "/admin/queue"
#define DEAD_ROWS 50
#define LATE_US (120 * SECOND_US)

static void show_lane(struct arena *a, json_t *lane, int64_t now_us)
{
	bool is_paused = json_bool(lane, "isPaused");
	bool is_closed = strcmp(json_str(lane, "breaker"), "closed") == 0;
	int64_t due_us = json_time(lane, "oldestDueAt");
	const char *state = is_paused                       ? "paused"
			    : !is_closed                    ? json_str(lane, "breaker")
			    : json_int(lane, "running") > 0 ? "running"
			    : json_int(lane, "depth") > 0   ? "waiting"
							    : "idle";

	json_set_str(lane, "state", state);
	json_set_str(lane, "state_label", word_label(queue_states, state));
	/* what waits for its time is as it should be */
	json_set_str(lane, "chip",
	    strcmp(state, "waiting") == 0 && due_us >= now_us - LATE_US ? "plain" : state);
	connection_tell_error(a, lane, "it", json_str(lane, "lastError"));
	json_set_str(lane, "kind_label", word_label(queue_kinds, json_str(lane, "kind")));
	json_set_bool(lane, "is_open", !is_closed);
	json_set_bool(
	    lane, "is_late", due_us != 0 && due_us < now_us - LATE_US && is_closed && !is_paused);
	json_set_bool(
	    lane, "is_soon", json_time(lane, "nextProbeAt") < now_us + BREAKER_PROBE_FIRST_US);
	json_set_bool(lane, "is_more", !json_bool(lane, "depthIsExact"));
	json_set_bool(lane, "can_try", !is_closed || json_int(lane, "depth") > 0);
}

/* The queue at a glance, for the head of the page. */
static void show_figures(struct arena *a, json_t *data, const json_t *lanes)
{
	int64_t depth = 0, running = 0, in_trouble = 0, now_us = clock_now_us();
	bool is_exact = true;
	json_t *lane;
	size_t i;

	json_array_each(lanes, i, lane) {
		show_lane(a, lane, now_us);
		depth += json_int(lane, "depth");
		running += json_int(lane, "running");
		in_trouble += json_bool(lane, "is_open") || json_bool(lane, "isPaused");
		is_exact = is_exact && json_bool(lane, "depthIsExact");
	}
	json_set_int(data, "depth", depth);
	json_set_bool(data, "is_more", !is_exact);
	json_set_int(data, "running", running);
	json_set_int(data, "in_trouble", in_trouble);
	json_set_bool(data, "has_lanes", json_array_size(lanes) > 0);
}

int queue_page(struct req *r)
{
	struct queue_dead_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;
	json_t *data, *row;
	size_t i;

	if (!slice_read_page(r, &list_of_dead, &f, DEAD_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	if (queue_json(r->app, r->a, &f.account_id, &data, &err) == -1 ||
	    queue_dead_named(r->app, r->a, &f.account_id, f.lane_id, &s, &err) == -1)
		return res_error(r, &err);
	show_figures(r->a, data, json_object_get(data, "lanes"));
	json_array_each(s.rows, i, row)
		connection_tell_error(
		    r->a, row, json_str(row, "laneName"), json_str(row, "lastError"));
	chrome_slice(r, &s, data);
	json_set_bool(data, "is_one_lane", f.lane_id.p != NULL);
	json_set_strn(data, "lane_filter", f.lane_id);
	json_set_bool(data, "may_write", (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0);
	json_set_bool(
	    data, "sees_connections", (r->actor.permissions & PERMIT(CONNECTIONS_VIEW)) != 0);
	return chrome_page(r, 200, "queue", "Queue", "product/queue", json_incref(data));
}

/* ---- acts ---------------------------------------------------------------------------------- */

static void flash_act(struct req *r, const struct word *act, const json_t *lane)
{
	const char *name = json_str(lane, "name");

	if (strcmp(act->text, "pause") == 0)
		chrome_flash(r, "ok", "%s is paused: its jobs wait until it is resumed.", name);
	else if (strcmp(act->text, "resume") == 0)
		chrome_flash(r, "ok", "%s goes on.", name);
	else
		chrome_flash(r, "ok", "%s is tried now.", name);
}

/* The queue, or the page that it was asked from. */
static const char *address_back(struct req *r, const char *connection, const char *otherwise)
{
	if (connection != NULL && str_is(req_form(r, "back"), "connection"))
		return arena_printf(r->a, "/admin/connections/%s", connection);
	return otherwise;
}

static int answer_page_act(struct req *r, int found, const struct word *act, const json_t *lane,
    const struct err *err, const char *otherwise)
{
	if (found == -1)
		return res_error(r, err);
	if (found == 0)
		return res_problem(r, 404, "There is no such lane");
	flash_act(r, act, lane);
	return res_redirect(r, address_back(r, json_str(lane, "connectionId"), otherwise));
}

int queue_page_lane(struct req *r)
{
	const struct word *act = word_find(queue_acts, req_form(r, "act"));
	struct err err = ERR_INIT;
	json_t *lane = NULL;
	int found;

	if (act == NULL)
		return res_problem(r, 422, "A lane can be paused, resumed and tried");
	found =
	    queue_act(r->app, r->a, r, &r->actor.account_id, req_param(r, "id"), act, &lane, &err);
	return answer_page_act(r, found, act, lane, &err, ADDRESS);
}

int queue_page_destination(struct req *r)
{
	const struct word *act = word_find(queue_acts, req_form(r, "act"));
	struct err err = ERR_INIT;
	json_t *lane = NULL;
	int found;

	if (act == NULL)
		return res_problem(r, 422, "A destination can be paused, resumed and tried");
	found = queue_act_destination(r, req_param(r, "connectionId"), act, &lane, &err);
	return answer_page_act(r, found, act, lane, &err, "/admin/crm");
}

static struct str form_text(const struct req *r, const char *name)
{
	struct str s = req_form(r, name);

	return s.n > 0 ? s : (struct str){NULL, 0};
}

int queue_page_retry(struct req *r)
{
	struct err err = ERR_INIT;
	int64_t n = 0;
	int found = queue_retry(r->app, r->a, r, &r->actor.account_id, form_text(r, "laneId"),
	    form_text(r, "jobId"), &n, &err);

	if (found == -1)
		return res_error(r, &err);
	if (found == 0 || n == 0)
		chrome_flash(r, "error", "Nothing was left to run again.");
	else
		chrome_flash(
		    r, "ok", "%lld job%s again.", (long long)n, plural(n, " runs", "s run"));
	return res_redirect(r, ADDRESS);
}
