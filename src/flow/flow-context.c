/* What a run's templates see, what its steps are given of it, and how a walk is taken back. */
#include "base/arena.h"
#include "flow/flow-run.h"

/* ---- context --------------------------------------------------------------------------------- */

/* {{step_1.output.id}} and {{step_1.id}} are the same, unless the output itself has an "output". */
static json_t *output_in_context(json_t *output)
{
	json_t *o = json_is_object(output) ? json_copy(output) : json_object();

	json_set(o, "output", json_incref(output));
	return o;
}

void run_set_output(struct run *r, const struct flow_step *s, json_t *output)
{
	if (output == NULL)
		output = json_null();
	json_set(r->at.outputs, s->key, json_incref(output));
	json_set(r->at.context, s->key, output_in_context(output));
	r->at.last = output;
}

/* {{item}} of the innermost loop; of an outer one {{step_3.item}}. */
void run_see_loop(struct run *r)
{
	json_t *c = r->at.context;
	size_t i = r->at.nframes;

	while (i > 0 && r->at.frames[i - 1].items == NULL)
		i--;
	if (i == 0) {
		json_object_del(c, "item");
		json_object_del(c, "index");
		json_object_del(c, "total");
		return;
	}
	struct run_frame *f = &r->at.frames[i - 1];
	json_t *item = json_array_get(f->items, f->turn), *own = json_object();
	json_set(c, "item", json_incref(item));
	json_set_int(c, "index", (int64_t)f->turn);
	json_set_int(c, "total", (int64_t)json_array_size(f->items));
	json_set(own, "item", json_incref(item));
	json_set_int(own, "index", (int64_t)f->turn);
	json_set(c, f->owner->key, own);
}

void run_see_error(struct run *r, const struct flow_step *s, const char *message)
{
	json_t *o = json_object();

	json_set_str(o, "message", message);
	json_set_str(o, "step", s->key);
	json_set(r->at.context, "error", o);
}

json_t *run_context_new(struct run *r)
{
	json_t *c = json_own(r->a, json_object()), *flow = json_object(), *run = json_object();

	json_set(c, "trigger", json_incref(r->x->payload));
	json_set_str(flow, "id", uuid_dup(r->a, r->x->flow_id));
	json_set_int(flow, "version", r->x->version);
	json_set(c, "flow", flow);
	json_set_str(run, "id", uuid_dup(r->a, r->x->id));
	json_set_time(run, "startedAt", r->x->started_us);
	json_set(c, "execution", run);
	return c;
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* Results of loops are added to, so each is copied as it is. */
static struct run_place place_copy(struct arena *a, const struct run_place *p)
{
	struct run_place copy = *p;

	copy.context = json_own(a, json_copy(p->context));
	copy.outputs = json_own(a, json_copy(p->outputs));
	for (size_t i = 0; i < p->nframes; i++)
		if (p->frames[i].results != NULL)
			copy.frames[i].results = json_own(a, json_copy(p->frames[i].results));
	return copy;
}

void run_mark(const struct run *r, struct run_place *mark)
{
	*mark = place_copy(r->a, &r->at);
}

void run_return(struct run *r, const struct run_place *mark)
{
	r->at = place_copy(r->a, mark);
	r->x->finished_us = 0;
	r->x->error = r->x->error_step = NULL;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

json_t *run_inputs(struct run *r, const struct flow_step *s)
{
	struct scope scope = flow_scope(r->a, r->at.context);
	json_t *o = json_own(r->a, json_object());

	for (size_t i = 0; s->kind->fields[i].name != NULL; i++) {
		const struct step_value *v = &s->values[i];

		if (v->expr != NULL)
			json_set(o, s->kind->fields[i].name, expr_json(v->expr, &scope, true));
		else if (v->given != NULL && v->formula == NULL &&
			 s->kind->fields[i].type < STEP_STEPS)
			json_set(o, s->kind->fields[i].name, json_incref(JSON_ITER(v->given)));
	}
	if (s->mapping != NULL)
		json_set(o, "mapping", expr_json(s->mapping, &scope, true));
	return scope_is_over(&scope) ? NULL : o;
}
