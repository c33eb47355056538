/* /connect/v1/flows: JSON handlers of the draft. */
#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-internal.h"
#include "flow/trigger.h"

/* ---- what a body may say --------------------------------------------------------------------- */

struct flow_body {
	struct str name, description;
	json_t *steps, *settings, *trigger;
};

static const struct json_member flow_members[] = {
    {"name", READ_TEXT, JSON_INTO(struct flow_body, name), .flags = READ_TRIMMED | READ_PLAIN,
	.min = 1, .max = LIMIT_NAME_BYTES},
    {"description", READ_TEXT, JSON_INTO(struct flow_body, description), .need = READ_CLEARABLE,
	.max = 1000},
    {"steps", READ_LIST, JSON_INTO(struct flow_body, steps)},
    {"settings", READ_OBJECT, JSON_INTO(struct flow_body, settings), .need = READ_NULLABLE}};

bool flow_check_steps(struct req *r, const struct uuid *flow_id, const json_t *steps,
    const json_t *settings, struct err *err)
{
	struct json_reader in = req_reader(r);
	struct flow_plan plan;

	return flow_plan_compile(r->a, steps, settings, &in, &plan) == -1 ||
	       flow_plan_check(r->app, r->a, &r->actor.account_id, flow_id, &plan, &in, err) == 0;
}

/* Reads the body onto f; false with the answer given. */
static bool flow_read_body(struct req *r, bool is_new, struct flow *f)
{
	struct flow_body body = {.steps = f->steps, .settings = f->settings};
	struct err err = ERR_INIT;

	if (!req_read_body(r, JSON_MEMBERS(flow_members), &body))
		return false;
	if (is_new && json_object_get(r->json, "name") == NULL)
		req_invalid(r, "name", "is needed");
	if (body.name.p != NULL)
		f->name = str_copy(r->a, body.name).p;
	if (json_object_get(r->json, "description") != NULL)
		f->description =
		    body.description.p == NULL ? NULL : str_copy(r->a, body.description).p;
	f->has_draft = f->has_draft || !json_equal(f->steps, body.steps) ||
		       !json_equal(f->settings, body.settings);
	f->steps = body.steps;
	f->settings = body.settings;
	if (!req_has_invalid(r) && !flow_check_steps(r, &f->id, f->steps, f->settings, &err)) {
		res_error(r, &err);
		return false;
	}
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

/* ---- handlers -------------------------------------------------------------------------------- */

bool flow_of_route(struct req *r, struct flow *out)
{
	struct uuid id;
	struct err err = ERR_INIT;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return false;
	found = flow_load(r->app, r->a, &r->actor.account_id, &id, out, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such flow");
	return found == 1;
}

int flow_answer(struct req *r, int status, const struct flow *f)
{
	json_t *rows = json_own(r->a, json_array()), *o = flow_json(r->a, f);
	struct err err = ERR_INIT;

	json_array_append_new(rows, o);
	if (flow_add_stats(r->app, r->a, &r->actor.account_id, FLOW_STATS_DAYS, rows, &err) == -1 ||
	    triggers_add_to_flows(r->app, r->a, &r->actor.account_id, rows, &err) == -1)
		return res_error(r, &err);
	return res_json(r, status, json_incref(o));
}

int flow_api_list(struct req *r)
{
	struct flow_filter f = {0};
	struct slice s;
	struct err err = ERR_INIT;

	if (!slice_read(r, &list_of_flows, &f, &s))
		return res_invalid(r);
	if (flow_list_slice(r->app, r->a, &f, &s, &err) == -1 ||
	    flow_add_stats(r->app, r->a, &r->actor.account_id, FLOW_STATS_DAYS, s.rows, &err) ==
		-1 ||
	    triggers_add_to_flows(r->app, r->a, &r->actor.account_id, s.rows, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

int flow_api_get(struct req *r)
{
	struct flow f;

	return flow_of_route(r, &f) ? flow_answer(r, 200, &f) : 0;
}

int flow_create_answered(struct req *r, struct flow *f)
{
	struct err err = ERR_INIT;

	if (flow_insert(r, f, &err) == -1)
		return res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/flows/%s", uuid_dup(r->a, f->id));
	return flow_answer(r, 201, f);
}

struct flow flow_new(struct arena *a)
{
	int64_t now = clock_now_us();

	return (struct flow){.id = uuid_new(),
	    .status = FLOW_DRAFT,
	    .has_draft = true,
	    .steps = json_own(a, json_array()),
	    .settings = json_own(a, json_object()),
	    .created_us = now,
	    .updated_us = now};
}

int flow_api_create(struct req *r)
{
	struct flow f = flow_new(r->a);

	return flow_read_body(r, true, &f) ? flow_create_answered(r, &f) : 0;
}

int flow_api_update(struct req *r)
{
	struct flow f;
	struct err err = ERR_INIT;

	if (!flow_of_route(r, &f) || !flow_read_body(r, false, &f))
		return 0;
	if (flow_update(r, &f, "flow.update", &err) == -1)
		return res_error(r, &err);
	return flow_answer(r, 200, &f);
}

int flow_api_delete(struct req *r)
{
	struct uuid id;
	struct err err = ERR_INIT;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	switch (flow_remove(r, &id, &err)) {
	case -1:
		return res_error(r, &err);
	case 0:
		return res_problem(r, 404, "There is no such flow");
	}
	return res_empty(r, 204);
}

/* ---- what steps there are -------------------------------------------------------------------- */

static const char *const type_names[] = {[STEP_WORD_TEXT] = "text",
    [STEP_STRING] = "template",
    [STEP_VALUE] = "value",
    [STEP_OBJECT] = "object",
    [STEP_NUMBER] = "number",
    [STEP_BOOLEAN] = "boolean",
    [STEP_CHOICE] = "choice",
    [STEP_CONDITION] = "condition",
    [STEP_ID] = "id",
    [STEP_IDS] = "ids",
    [STEP_STEPS] = "steps",
    [STEP_BRANCHES] = "branches"};

static json_t *field_json(const struct step_field *f)
{
	json_t *o = json_object(), *words = json_array();

	json_set_str(o, "name", f->name);
	json_set_str(o, "type", type_names[f->type]);
	json_set_str(o, "in", (f->flags & STEP_INPUT) != 0 ? "inputMapping" : "config");
	json_set_bool(o, "required", (f->flags & STEP_NEEDED) != 0);
	json_set_str(o, "label", f->label);
	json_set_str(o, "help", f->help);
	for (size_t i = 0; f->words != NULL && f->words[i] != NULL; i++)
		json_array_append_new(words, json_string(f->words[i]));
	if (f->words != NULL)
		json_set(o, "choices", words);
	else
		json_decref(words);
	if (f->type == STEP_NUMBER) {
		json_set_int(o, "min", f->min);
		json_set_int(o, "max", f->max);
	}
	return o;
}

static json_t *kind_json(const struct step_kind *k)
{
	json_t *o = json_object(), *fields = json_array(), *outputs = json_array();

	json_set_str(o, "kind", k->name);
	json_set_str(o, "label", k->label);
	json_set_str(o, "help", k->help);
	json_set_bool(o, "takesAnyInput", k->takes_any);
	for (const struct step_field *f = k->fields; f->name != NULL; f++)
		json_array_append_new(fields, field_json(f));
	for (const struct step_output *f = k->outputs; f->name != NULL; f++) {
		json_t *output = json_object();

		json_set_str(output, "name", f->name);
		json_set_str(output, "help", f->help);
		json_array_append_new(outputs, output);
	}
	json_set(o, "fields", fields);
	json_set(o, "outputs", outputs);
	return o;
}

int flow_api_kinds(struct req *r)
{
	json_t *rows = json_own(r->a, json_array());

	for (size_t i = 0; step_kinds[i] != NULL; i++)
		json_array_append_new(rows, kind_json(step_kinds[i]));
	return res_whole(r, rows, LIMIT_PAGE_ROWS);
}
