/* Where a run stands, as JSON:
 *
 *	{"seq", "done", "outputs": {"step_1": …}, "errors": {"step_2": "…"},
 *	 "frames": [{"owner": "step_3", "list": 0, "at": 1, "turn": 4, "results": […], "row": {…}}],
 *	 "now": {"step", "key", "seq", "attempt", "started", "onRecord", "until", "child"}}
 *
 * Steps are named by their keys, so that another version of the flow can take it over where it has
 * the same steps there. The first frame is the flow's. A loop's list is not kept: what gave it is.
 */
#include "base/arena.h"
#include "flow/flow-run.h"

/* ---- writing --------------------------------------------------------------------------------- */

static json_t *step_state(struct arena *a, const struct run_step *t)
{
	json_t *o = json_object();

	json_set_str(o, "step", t->step->key);
	json_set_str(o, "key", uuid_dup(a, t->key));
	json_set_int(o, "seq", t->seq);
	json_set_int(o, "attempt", t->attempt);
	json_set_int(o, "started", t->started_us);
	json_set_bool(o, "onRecord", t->is_on_record);
	json_set_int(o, "until", t->until_us);
	if (!uuid_is_nil(t->child))
		json_set_str(o, "child", uuid_dup(a, t->child));
	return o;
}

static json_t *frame_state(struct arena *a, const struct run_frame *f)
{
	json_t *o = json_object();

	json_set_int(o, "at", (int64_t)f->at);
	if (f->owner == NULL)
		return o;
	json_set_str(o, "owner", f->owner->key);
	json_set_int(o, "list", f->list - f->owner->lists);
	if (f->items == NULL)
		return o;
	json_set_int(o, "turn", (int64_t)f->turn);
	json_set(o, "results", json_incref(f->results));
	json_set(o, "row", step_state(a, &f->row));
	return o;
}

struct str run_state(struct run *r)
{
	json_t *o, *frames;
	bool is_failed = strcmp(r->x->status, EXECUTION_FAILED) == 0;

	/* one that failed may be replayed from there */
	if (r->x->finished_us != 0 && (!is_failed || r->at.now.step == NULL))
		return (struct str){NULL, 0};
	o = json_own(r->a, json_object());
	frames = json_array();
	json_set_int(o, "seq", r->at.seq);
	json_set_int(o, "done", r->at.done);
	json_set(o, "outputs", json_incref(r->at.outputs));
	for (size_t i = 0; i < r->at.nframes; i++)
		json_array_append_new(frames, frame_state(r->a, &r->at.frames[i]));
	json_set(o, "frames", frames);
	if (r->at.now.step != NULL)
		json_set(o, "now", step_state(r->a, &r->at.now));
	return json_text(r->a, o);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const struct flow_step *plan_step(const struct flow_plan *plan, const char *key)
{
	for (size_t i = 0; key != NULL && i < plan->nsteps; i++)
		if (strcmp(plan->all[i]->key, key) == 0)
			return plan->all[i];
	return NULL;
}

static int moved(struct err *err)
{
	return err_set(err, ERR_CONFLICT,
	    "the flow has changed too much to go on where the run stands: replay it from the "
	    "start");
}

static int step_state_read(
    const struct flow_plan *plan, const json_t *o, struct run_step *out, struct err *err)
{
	*out = (struct run_step){.step = plan_step(plan, json_str(o, "step")),
	    .seq = (int)json_int(o, "seq"),
	    .attempt = (int)json_int(o, "attempt"),
	    .started_us = json_int(o, "started"),
	    .is_on_record = json_bool(o, "onRecord"),
	    .until_us = json_int(o, "until")};
	if (out->step == NULL)
		return moved(err);
	(void)uuid_parse(str_from(json_str(o, "key")), &out->key);
	if (json_str(o, "child") != NULL)
		(void)uuid_parse(str_from(json_str(o, "child")), &out->child);
	return 0;
}

static int frame_read(struct run *r, const json_t *o, struct err *err)
{
	struct run_frame *f = &r->at.frames[r->at.nframes];
	size_t list = (size_t)json_int(o, "list");

	*f = (struct run_frame){.at = (size_t)json_int(o, "at"), .list = &r->plan->top};
	if (r->at.nframes > 0) {
		f->owner = plan_step(r->plan, json_str(o, "owner"));
		if (f->owner == NULL ||
		    list >= f->owner->nlists + (f->owner->on_error_list != NULL))
			return moved(err);
		f->list = &f->owner->lists[list];
	}
	if (f->at > f->list->n)
		return moved(err);
	if (json_object_get(o, "row") != NULL) {
		json_t *inputs = run_inputs(r, f->owner);

		f->items = json_object_get(inputs, "items");
		f->turn = (size_t)json_int(o, "turn");
		f->results = json_object_get(o, "results");
		f->weight = json_weight(f->results);
		if (!json_is_array(f->items) || f->turn >= json_array_size(f->items) ||
		    step_state_read(r->plan, json_object_get(o, "row"), &f->row, err) == -1)
			return moved(err);
	}
	r->at.nframes++;
	run_see_loop(r);
	return 0;
}

int run_state_read(struct run *r, const json_t *state, struct err *err)
{
	const json_t *now = json_object_get(state, "now"),
		     *frames = json_object_get(state, "frames");
	const char *key;
	json_t *v;
	size_t i;

	r->at.seq = (int)json_int(state, "seq");
	r->at.done = (int)json_int(state, "done");
	json_object_each(json_object_get(state, "outputs"), key, v) {
		const struct flow_step *s = plan_step(r->plan, key);

		if (s != NULL)
			run_set_output(r, s, v);
	}
	json_array_each(frames, i, v)
		if (r->at.nframes == RUN_FRAMES || frame_read(r, v, err) == -1)
			return moved(err);
	if (r->at.nframes == 0)
		return moved(err);
	return now == NULL ? 0 : step_state_read(r->plan, now, &r->at.now, err);
}
