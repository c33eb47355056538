/* /connect/v1/queue: JSON handlers. */
#include "job/queue.h"
#include "product/queue.h"

int queue_api_get(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *o;

	if (queue_json(r->app, r->a, &r->actor.account_id, &o, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, json_incref(o));
}

static int answer_lane(
    struct req *r, int found, json_t *lane, const struct err *err, const char *missing)
{
	if (found == -1)
		return res_error(r, err);
	return found == 0 ? res_problem(r, 404, "%s", missing)
			  : res_json(r, 200, json_incref(lane));
}

static int answer_act(struct req *r, const char *act)
{
	struct err err = ERR_INIT;
	json_t *lane = NULL;
	int found = queue_act(r->app, r->a, r, &r->actor.account_id, req_param(r, "id"),
	    word_find(queue_acts, str_from(act)), &lane, &err);

	return answer_lane(r, found, lane, &err, "There is no such lane");
}

static int answer_destination(struct req *r, const char *act)
{
	struct err err = ERR_INIT;
	json_t *lane = NULL;
	int found = queue_act_destination(
	    r, req_param(r, "connectionId"), word_find(queue_acts, str_from(act)), &lane, &err);

	return answer_lane(r, found, lane, &err, "There is no such destination");
}

int queue_api_pause(struct req *r)
{
	return answer_act(r, "pause");
}

int queue_api_resume(struct req *r)
{
	return answer_act(r, "resume");
}

int queue_api_try(struct req *r)
{
	return answer_act(r, "try");
}

int queue_api_destination_pause(struct req *r)
{
	return answer_destination(r, "pause");
}

int queue_api_destination_resume(struct req *r)
{
	return answer_destination(r, "resume");
}

int queue_api_destination_try(struct req *r)
{
	return answer_destination(r, "try");
}

int queue_api_dead(struct req *r)
{
	struct queue_dead_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;

	if (!slice_read(r, &list_of_dead, &f, &s))
		return res_invalid(r);
	if (queue_dead_named(r->app, r->a, &f.account_id, f.lane_id, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

struct retry_body {
	struct str lane_id, job_id;
};

int queue_api_retry(struct req *r)
{
	static const struct json_member members[] = {
	    {"laneId", READ_TEXT, JSON_INTO(struct retry_body, lane_id), .min = 1, .max = 100},
	    {"jobId", READ_TEXT, JSON_INTO(struct retry_body, job_id), .min = 1, .max = 100}};
	struct retry_body body = {0};
	struct err err = ERR_INIT;
	int64_t n;
	json_t *o;
	int found;

	if (r->json != NULL && !req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	if (body.lane_id.p != NULL && body.job_id.p != NULL)
		req_invalid(r, "jobId", "must not stand beside laneId");
	if (req_has_invalid(r))
		return res_invalid(r);
	found =
	    queue_retry(r->app, r->a, r, &r->actor.account_id, body.lane_id, body.job_id, &n, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404,
		    body.job_id.p != NULL ? "There is no such dead job" : "There is no such lane");
	o = json_object();
	json_set_int(o, "retried", n);
	return res_json(r, 200, o);
}
