/* sub_flow: a run of another flow, whose end is waited for by a row. */
#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-internal.h"

/* ---- when it is saved: no way leads back here ------------------------------------------------ */

struct cycle_walk {
	struct step_check *c;
	struct uuid seen[FLOWS_PER_ACCOUNT];
	size_t n;
	bool leads_back;
};

static int walk_flow(struct cycle_walk *w, struct uuid id, struct err *err);

/* Of all sub_flow steps, wherever they stand. */
static int walk_json(struct cycle_walk *w, const json_t *v, struct err *err)
{
	const char *key, *id = json_str(json_object_get(v, "config"), "flowId");
	struct uuid flow_id;
	json_t *item;
	size_t i;

	if (id != NULL && str_is(str_from(json_str(v, "kind")), "sub_flow") &&
	    uuid_parse(str_from(id), &flow_id) && walk_flow(w, flow_id, err) == -1)
		return -1;
	json_object_each(v, key, item)
		if (walk_json(w, item, err) == -1)
			return -1;
	if (json_is_array(v))
		json_array_each(v, i, item)
			if (walk_json(w, item, err) == -1)
				return -1;
	return 0;
}

/* Its draft, which is what it will be. */
static int walk_flow(struct cycle_walk *w, struct uuid id, struct err *err)
{
	struct flow f;
	int found;

	if (uuid_eq(id, w->c->flow_id))
		w->leads_back = true;
	for (size_t i = 0; i < w->n; i++)
		if (uuid_eq(w->seen[i], id))
			return 0;
	if (w->leads_back || w->n == FLOWS_PER_ACCOUNT)
		return 0;
	w->seen[w->n++] = id;
	found = flow_load(w->c->app, w->c->a, &w->c->account_id, &id, &f, err);
	return found == 1 ? walk_json(w, f.steps, err) : found;
}

static int sub_flow_check(struct step_check *c, struct err *err)
{
	struct cycle_walk *w = arena_zalloc(c->a, sizeof(*w));
	struct uuid id;
	struct flow f;
	int found;

	if (!uuid_parse(str_from(json_string_value(step_given(c->step, "flowId"))), &id))
		return 0;
	found = flow_load(c->app, c->a, &c->account_id, &id, &f, err);
	if (found == 0)
		json_reader_fail_at(c->in, "config.flowId", "there is no such flow");
	if (found != 1)
		return found;
	w->c = c;
	if (walk_flow(w, id, err) == -1)
		return -1;
	if (w->leads_back)
		json_reader_fail_at(c->in, "config.flowId",
		    "that flow leads back to this one, so it would never end");
	return 0;
}

/* ---- when it is run -------------------------------------------------------------------------- */

static int sub_flow_run(struct step_call *c, struct err *err)
{
	json_t *payload = json_object_get(c->input, "mapping");
	struct flow_start start = {.account_id = c->account_id,
	    .kind = TRIGGER_SUB_FLOW,
	    .record_id = c->record_id,
	    .parent_id = c->execution_id,
	    .depth = c->depth + 1};

	c->is_refused = true;
	start.payload = json_is_object(payload) ? payload : json_own(c->a, json_object());
	(void)uuid_parse(str_from(step_text(c, "flowId")), &start.flow_id);
	if (c->depth >= FLOW_SUB_DEPTH)
		return err_set(
		    err, ERR_LIMIT, "flows start flows more than %d deep", FLOW_SUB_DEPTH);
	if (c->is_dry) {
		step_would(c, "start the flow", json_incref(start.payload));
		return 0;
	}
	if (flow_start(c->app, c->db, c->a, &start, 1, err) == -1)
		return -1;
	if (uuid_is_nil(start.execution_id))
		return err_set(err, ERR_INVALID, "the flow to be started is not published");
	if (!json_is_false(step_given(c->step, "wait")))
		c->child = start.execution_id;
	c->output = json_own(c->a, json_object());
	json_set_str(c->output, "executionId", uuid_dup(c->a, start.execution_id));
	return 0;
}

const struct step_kind step_sub_flow = {.name = "sub_flow",
    .label = "Run a flow",
    .help = "Runs another flow, with what is mapped here as its trigger, and waits for its end.",
    .how = STEP_STARTS,
    .takes_any = true,
    .fields =
	(const struct step_field[]){{"flowId", STEP_ID, STEP_NEEDED, "Flow", NULL, 0, 0, NULL},
	    {"wait", STEP_BOOLEAN, 0, "Wait for its end", "true unless given", 0, 0, NULL},
	    {.name = NULL}},
    .outputs = (const struct step_output[]){{"executionId", "its run"}, {"status", "how it ended"},
	{"result", "what its last step gave"}, {NULL, NULL}},
    .check = sub_flow_check,
    .run = sub_flow_run};
