/* /connect/v1/privacy: JSON handlers. */
#include "privacy/privacy-internal.h"

struct privacy_body {
	struct privacy_wish wish;
	bool is_dry;
};

/* The body, and whom it means; false with the answer given. */
static bool body_read(struct req *r, struct privacy_body *body, struct privacy_subject *s)
{
	static const struct json_member members[] = {
	    {"email", READ_TEXT, JSON_INTO(struct privacy_body, wish.email), .min = 1, .max = 1000},
	    {"phone", READ_TEXT, JSON_INTO(struct privacy_body, wish.phone), .min = 1, .max = 200},
	    {"recordId", READ_TEXT, JSON_INTO(struct privacy_body, wish.record_id), .min = 1,
		.max = 100},
	    {"dryRun", READ_BOOL, JSON_INTO(struct privacy_body, is_dry)}};
	struct err err = ERR_INIT;
	int found;

	*body = (struct privacy_body){.is_dry = false};
	if (!req_read_body(r, JSON_MEMBERS(members), body))
		return false;
	if (req_has_invalid(r)) {
		res_invalid(r);
		return false;
	}
	found = privacy_subject(r->app, r->a, &r->actor.account_id, &body->wish, s, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such record");
	return found == 1;
}

static int task_answer(struct req *r, const struct task_kind *kind, const struct privacy_subject *s)
{
	struct err err = ERR_INIT;
	struct task t;
	json_t *o;

	if (privacy_begin(r->app, r, kind, s, &t, &err) == -1)
		return res_error(r, &err);
	o = task_json(r->app, &t);
	json_set_str(o, "taskId", uuid_dup(r->a, t.id));
	if (kind == &privacy_export_task)
		json_set_str(o, "file",
		    arena_printf(r->a, "/connect/v1/privacy/export/%s/file", uuid_dup(r->a, t.id)));
	return res_json(r, 202, o);
}

int privacy_api_erase(struct req *r)
{
	struct privacy_body body;
	struct privacy_subject s;
	struct err err = ERR_INIT;
	json_t *preview;

	if (!body_read(r, &body, &s))
		return 0;
	if (!body.is_dry)
		return task_answer(r, &privacy_erase_task, &s);
	if (privacy_preview(r->app, r->a, &s, &preview, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, json_incref(preview));
}

int privacy_api_export(struct req *r)
{
	struct privacy_body body;
	struct privacy_subject s;

	if (!body_read(r, &body, &s))
		return 0;
	return task_answer(r, &privacy_export_task, &s);
}

int privacy_api_file(struct req *r)
{
	return privacy_answer_file(r);
}
