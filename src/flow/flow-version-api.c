/* /connect/v1/flows/:id/…: publish, versions, revert, archive, duplicate, export, import. */
#include "base/arena.h"
#include "flow/flow-internal.h"

/* ---- publish --------------------------------------------------------------------------------- */

static int publish_answer(struct req *r, const struct flow *f)
{
	json_t *o = json_object();

	json_set_str(o, "id", uuid_dup(r->a, f->id));
	json_set_int(o, "version", f->version);
	json_set_str(o, "status", f->status);
	json_set_time(o, "published_at", f->published_us);
	return res_json(r, 200, o);
}

/* What was fine when it was saved may not be so any more: a table or a connection has gone. */
static bool flow_is_publishable(struct req *r, struct flow *f)
{
	struct err err = ERR_INIT;

	if (json_array_size(f->steps) == 0)
		req_invalid(r, "steps", "a flow needs at least one step");
	else if (!flow_check_steps(r, &f->id, f->steps, f->settings, &err)) {
		res_error(r, &err);
		return false;
	}
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

int flow_api_publish(struct req *r)
{
	struct flow f;
	struct err err = ERR_INIT;

	if (!flow_of_route(r, &f) || !flow_is_publishable(r, &f))
		return 0;
	if (flow_publish(r, &f, 0, &err) == -1)
		return res_error(r, &err);
	return publish_answer(r, &f);
}

int flow_api_archive(struct req *r)
{
	struct flow f;
	struct err err = ERR_INIT;

	if (!flow_of_route(r, &f))
		return 0;
	f.status = FLOW_ARCHIVED;
	if (flow_update(r, &f, "flow.archive", &err) == -1)
		return res_error(r, &err);
	return flow_answer(r, 200, &f);
}

/* ---- versions -------------------------------------------------------------------------------- */

int flow_api_versions(struct req *r)
{
	struct flow f;
	json_t *rows;
	struct err err = ERR_INIT;

	if (!flow_of_route(r, &f))
		return 0;
	if (flow_versions_json(r->app, r->a, &r->actor.account_id, &f.id, &rows, &err) == -1)
		return res_error(r, &err);
	return res_whole(r, rows, 1000);
}

/* The version of the route's :version onto f; false with the answer given. */
static bool version_of_route(struct req *r, struct flow *f, int *version)
{
	struct err err = ERR_INIT;
	int64_t n;
	int found;

	if (!flow_of_route(r, f))
		return false;
	found = str_to_i64(req_param(r, "version"), 1, INT32_MAX, &n)
		    ? flow_version_load(r->app, r->a, &r->actor.account_id, &f->id, (int)n,
			  &f->steps, &f->settings, &err)
		    : 0;
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "The flow has no such version");
	else
		*version = (int)n;
	return found == 1;
}

int flow_api_version(struct req *r)
{
	struct flow f;
	int version;
	json_t *o;

	if (!version_of_route(r, &f, &version))
		return 0;
	o = json_object();
	json_set_str(o, "id", uuid_dup(r->a, f.id));
	json_set_int(o, "version", version);
	json_set(o, "steps", json_incref(f.steps));
	json_set(o, "settings", json_incref(f.settings));
	return res_json(r, 200, o);
}

int flow_revert_to(struct req *r, struct flow *f, struct str word, int *version, struct err *err)
{
	int64_t n;
	int found = str_to_i64(word, 1, INT32_MAX, &n)
			? flow_version_load(r->app, r->a, &r->actor.account_id, &f->id, (int)n,
			      &f->steps, &f->settings, err)
			: 0;

	if (found != 1)
		return found;
	*version = (int)n;
	if (!flow_check_steps(r, &f->id, f->steps, f->settings, err))
		return -1;
	if (req_has_invalid(r))
		return err_set(err, ERR_INVALID, "%s", req_invalid_text(r));
	return flow_publish(r, f, *version, err) == -1 ? -1 : 1;
}

int flow_api_revert(struct req *r)
{
	struct flow f;
	int version, found;
	struct err err = ERR_INIT;

	if (!flow_of_route(r, &f))
		return 0;
	found = flow_revert_to(r, &f, req_param(r, "version"), &version, &err);
	if (found == 0)
		return res_problem(r, 404, "The flow has no such version");
	if (found == -1)
		return req_has_invalid(r) ? res_invalid(r) : res_error(r, &err);
	return publish_answer(r, &f);
}

/* A number, or "draft". */
static json_t *version_word_json(struct str word)
{
	int64_t n;

	return str_to_i64(word, 1, INT32_MAX, &n) ? json_integer(n) : json_stringn(word.p, word.n);
}

/* GET …/versions/:version/diff/:other: what the other has that this one has not. */
int flow_api_diff(struct req *r)
{
	struct flow f;
	struct err err = ERR_INIT;
	struct str before = req_param(r, "version"), after = req_param(r, "other");
	json_t *changes, *o;
	int found;

	if (!flow_of_route(r, &f))
		return 0;
	found = flow_diff_of(r, &f, before, after, &changes, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "The flow has no such version");
	o = json_object();
	json_set_str(o, "flowId", uuid_dup(r->a, f.id));
	json_set(o, "from", version_word_json(before));
	json_set(o, "to", version_word_json(after));
	json_set(o, "changes", json_incref(changes));
	return res_json(r, 200, o);
}

/* ---- copies ---------------------------------------------------------------------------------- */

void flow_copy(struct arena *a, const struct flow *f, struct flow *copy)
{
	struct str name =
	    utf8_cut(str_from(arena_printf(a, "Copy of %s", f->name)), LIMIT_NAME_BYTES);

	copy->name = str_copy(a, name).p;
	copy->description = f->description;
	copy->steps = f->steps;
	copy->settings = f->settings;
}

int flow_api_duplicate(struct req *r)
{
	struct flow f, copy = flow_new(r->a);

	if (!flow_of_route(r, &f))
		return 0;
	flow_copy(r->a, &f, &copy);
	return flow_create_answered(r, &copy);
}

int flow_api_export(struct req *r)
{
	struct flow f;
	json_t *o;

	if (!flow_of_route(r, &f))
		return 0;
	o = json_object();
	json_set_int(o, "connectFlow", 1);
	json_set_str(o, "name", f.name);
	json_set_str(o, "description", f.description);
	json_set(o, "steps", json_incref(f.steps));
	json_set(o, "settings", json_incref(f.settings));
	res_headerf(r, "Content-Disposition", "attachment; filename=\"flow-%s.json\"",
	    uuid_dup(r->a, f.id));
	return res_json(r, 200, o);
}

/* Takes what export gives: a flow as it is made, with the mark of the form. */
int flow_api_import(struct req *r)
{
	static const struct json_member mark = {"connectFlow", READ_INT, .min = 1, .max = 1};
	struct json_reader in = req_reader(r);
	int64_t form;

	if (!json_is_object(r->json))
		return res_problem(r, 400, "The body must be an object: what export gave");
	if (json_read_member(&in, r->json, &mark, &form) == -1)
		return res_invalid(r);
	json_object_del(r->json, "connectFlow");
	return flow_api_create(r);
}
