/* The first pass over a flow's steps: kinds, places, keys, and the lists within them. */
#include "base/arena.h"
#include "base/buf.h"
#include "flow/flow-plan.h"

#define INPUT_NAMES_MOST 50

static const char *reader_place(const struct planning *p)
{
	return arena_strdup(p->a, p->in->at);
}

static int shape_list(struct planning *p, const json_t *steps, const struct flow_step *owner,
    size_t *count, struct flow_list *out);

static const struct json_member step_members[] = {
    {"kind", READ_TEXT, 0, .need = READ_NEEDED, .min = 1, .max = 32},
    {"name", READ_TEXT, 0, .need = READ_NULLABLE, .max = LIMIT_NAME_BYTES, .flags = READ_PLAIN},
    {"config", READ_OBJECT, 0, .need = READ_NULLABLE},
    {"inputMapping", READ_OBJECT, 0, .need = READ_NULLABLE},
    {STEP_INPUT_NAMES, READ_OBJECT, 0, .need = READ_NULLABLE, .max = INPUT_NAMES_MOST},
    {"providerType", READ_TEXT, 0, .need = READ_NULLABLE, .max = LIMIT_TYPE_BYTES},
    {"actionName", READ_TEXT, 0, .need = READ_NULLABLE, .max = LIMIT_TYPE_BYTES},
    {"connectionId", READ_TEXT, 0, .need = READ_NULLABLE, .max = 36},
    {"retry", READ_OBJECT, 0, .need = READ_NULLABLE},
    {"onError", READ_TEXT, 0, .need = READ_NULLABLE},
    {"errorSteps", READ_LIST, 0, .need = READ_NULLABLE}};

/* What values of inputs are called: for people alone, so no more than that it is texts. */
static void shape_input_names(struct planning *p, const json_t *step)
{
	static const struct json_member name = {
	    "", READ_TEXT, .max = LIMIT_NAME_BYTES, .flags = READ_PLAIN};
	size_t mark = json_reader_enter(p->in, STEP_INPUT_NAMES);
	struct str ignored;
	const char *key;
	json_t *v;

	json_object_each(json_object_get(step, STEP_INPUT_NAMES), key, v) {
		size_t inner = json_reader_enter(p->in, key);

		(void)json_read_value(p->in, v, &name, &ignored);
		json_reader_leave(p->in, inner);
	}
	json_reader_leave(p->in, mark);
}

/* The members that a step may have: an object of them alone. */
static bool step_is_object(struct planning *p, const json_t *v)
{
	static const char *const keys[] = {"kind", "name", "config", "inputMapping",
	    STEP_INPUT_NAMES, "providerType", "actionName", "connectionId", "retry", "onError",
	    "errorSteps", NULL};
	union {
		struct str text;
		json_t *json;
	} ignored;
	size_t faults = p->in->faults;

	if (json_read_keys(p->in, v, keys) == -1 && !json_is_object(v))
		return false;
	for (size_t i = 0; i < sizeof(step_members) / sizeof(*step_members); i++)
		(void)json_read_member(p->in, v, &step_members[i], &ignored);
	shape_input_names(p, v);
	return p->in->faults == faults;
}

static int shape_branches(
    struct planning *p, const json_t *branches, struct flow_step *s, size_t *count)
{
	static const char *const keys[] = {"name", "condition", "steps", NULL};
	json_t *b;
	size_t i;

	json_array_each(branches, i, b) {
		size_t mark = json_reader_enter_index(p->in, i);

		if (json_read_keys(p->in, b, keys) == 0) {
			struct flow_list *list = &s->lists[s->nlists++];
			size_t inner = json_reader_enter(p->in, "steps");

			list->name = json_str(b, "name");
			if (list->name == NULL)
				list->name = arena_printf(p->a, "branch %zu", i + 1);
			if (shape_list(p, json_object_get(b, "steps"), s, count, list) == -1)
				return -1;
			json_reader_leave(p->in, inner);
		}
		json_reader_leave(p->in, mark);
	}
	return 0;
}

/* The lists within a step, by the fields that hold them. */
static int shape_lists(struct planning *p, struct flow_step *s, size_t *count)
{
	const json_t *config = json_object_get(s->json, "config");
	const struct step_field *f = s->kind->fields;
	size_t most = 1, mark = json_reader_enter(p->in, "config");

	for (size_t i = 0; f[i].name != NULL; i++) {
		const json_t *v = json_object_get(config, f[i].name);

		most += f[i].type == STEP_BRANCHES ? json_array_size(v) : f[i].type == STEP_STEPS;
	}
	s->lists = arena_array(p->a, most + 1, sizeof(*s->lists));
	for (size_t i = 0; f[i].name != NULL; i++) {
		const json_t *v = json_object_get(config, f[i].name);
		size_t inner;

		if (v == NULL || (f[i].type != STEP_STEPS && f[i].type != STEP_BRANCHES))
			continue;
		inner = json_reader_enter(p->in, f[i].name);
		if (!json_is_array(v)) {
			json_reader_fail(p->in, "must be a list");
		} else if (f[i].type == STEP_BRANCHES) {
			if (shape_branches(p, v, s, count) == -1)
				return -1;
		} else {
			s->lists[s->nlists].name = f[i].name;
			if (shape_list(p, v, s, count, &s->lists[s->nlists++]) == -1)
				return -1;
		}
		json_reader_leave(p->in, inner);
	}
	json_reader_leave(p->in, mark);
	return 0;
}

static int shape_error_steps(struct planning *p, struct flow_step *s, size_t *count)
{
	const json_t *steps = json_object_get(s->json, "errorSteps");
	size_t mark;

	if (steps == NULL || json_is_null(steps))
		return 0;
	mark = json_reader_enter(p->in, "errorSteps");
	s->on_error_list = &s->lists[s->nlists];
	s->on_error_list->name = "errorSteps";
	if (shape_list(p, steps, s, count, s->on_error_list) == -1)
		return -1;
	json_reader_leave(p->in, mark);
	return 0;
}

static const char *names_of_kinds(struct arena *a)
{
	struct buf *b = buf_new(a, 300);

	for (size_t i = 0; step_kinds[i] != NULL; i++)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", step_kinds[i]->name);
	return b->p;
}

/* 0; -1 when there are too many, which ends it all. */
static int shape_step(struct planning *p, const json_t *v, const char *key, struct flow_step *s)
{
	const char *kind;
	size_t within = 0;

	if (p->plan->nsteps == FLOW_STEPS_MOST)
		return json_reader_fail(p->in, "a flow may have at most %u steps", FLOW_STEPS_MOST);
	*s = (struct flow_step){
	    .key = key, .place = reader_place(p), .json = v, .number = (unsigned)p->plan->nsteps};
	p->plan->all[p->plan->nsteps++] = s;
	if (!step_is_object(p, v))
		return 0;
	kind = json_str(v, "kind");
	s->kind = step_kind_find(str_from(kind));
	s->name = json_str(v, "name");
	if (s->kind == NULL) {
		json_reader_fail_at(p->in, "kind", "there is no kind \"%.40s\", but %s", kind,
		    names_of_kinds(p->a));
		return 0;
	}
	if (shape_lists(p, s, &within) == -1)
		return -1;
	return shape_error_steps(p, s, &within);
}

static int shape_list(struct planning *p, const json_t *steps, const struct flow_step *owner,
    size_t *count, struct flow_list *out)
{
	json_t *v;
	size_t i;

	if (!json_is_array(steps)) {
		json_reader_fail(p->in, "must be a list of steps");
		return 0;
	}
	if (++p->depth > FLOW_DEPTH_MOST)
		return json_reader_fail(
		    p->in, "steps stand at most %u deep within each other", FLOW_DEPTH_MOST);
	out->steps = arena_array(p->a, json_array_size(steps) + 1, sizeof(*out->steps));
	json_array_each(steps, i, v) {
		size_t mark = json_reader_enter_index(p->in, i);
		const char *key =
		    arena_printf(p->a, "%s_%zu", owner == NULL ? "step" : owner->key, ++*count);

		if (shape_step(p, v, key, &out->steps[out->n++]) == -1)
			return -1;
		json_reader_leave(p->in, mark);
	}
	p->depth--;
	return 0;
}

int flow_plan_shape(struct planning *p, const json_t *steps, struct flow_list *out)
{
	size_t count = 0;

	return shape_list(p, steps, NULL, &count, out);
}
