/* The values that a provider can list for an input, a channel or a sender: the manifest's "lists",
 * which inputs name by "list". */
#include "base/arena.h"
#include "provider/provider-internal.h"

static int list_check_inputs(struct loader *l, const struct value_list *v)
{
	struct json_reader quiet = {.err = NULL};

	if (v->inputs == NULL || action_check_inputs(v->action, v->inputs, &quiet) == 0)
		return 0;
	return json_reader_fail_at(&l->in, "inputs", "are not those of the action");
}

static int list_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {OTHER_MEMBER("action"),
	    {{"inputs", READ_ANY, JSON_INTO(struct value_list, inputs)}, MEMBER_PLAIN},
	    EXPR_MEMBER("value", struct value_list, value),
	    EXPR_MEMBER("label", struct value_list, label)};
	const char *action = json_str(v, "action");
	struct value_list *list = out;

	l->roots = ROOT_BIT(ROOT_ITEM);
	list->name = name;
	if (loader_members(l, v, MEMBERS(members), list) == -1)
		return -1;
	list->action = action == NULL ? NULL : provider_find_action(p, action);
	if (list->action == NULL || !list->action->paging.is_declared || list->value == NULL ||
	    list->label == NULL)
		return json_reader_fail(
		    &l->in, "needs an \"action\" that gives a list, \"value\" and \"label\"");
	return list_check_inputs(l, list);
}

const struct value_list *provider_find_list(const struct provider *p, const char *name)
{
	for (size_t i = 0; name != NULL && i < p->nlists; i++)
		if (strcmp(p->lists[i].name, name) == 0)
			return &p->lists[i];
	return NULL;
}

static int lists_check_named(struct loader *l, const struct provider *p, const struct action *act)
{
	for (size_t i = 0; i < act->ninputs; i++) {
		const struct input_spec *in = &act->inputs[i];

		if (in->list != NULL && provider_find_list(p, in->list) == NULL)
			return json_reader_fail_at(&l->in, "actions",
			    "%s.inputs.%s: there is no list %s", act->name, in->name, in->list);
	}
	return 0;
}

int manifest_lists(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many lists = {
	    "lists", READ_OBJECT, sizeof(struct value_list), list_one};

	p->lists = manifest_many(l, p, json, &lists, &p->nlists);
	for (size_t i = 0; p->lists != NULL && i < p->nactions; i++)
		if (lists_check_named(l, p, &p->actions[i]) == -1)
			return -1;
	return p->lists == NULL ? -1 : 0;
}

const char *value_list_action(const struct value_list *list)
{
	return list->action->name;
}

const json_t *value_list_inputs(const struct value_list *list)
{
	return list->inputs;
}

void value_list_read(
    const struct value_list *list, struct arena *a, const json_t *output, json_t *into)
{
	struct scope s = {.a = a};
	json_t *item, *o;
	size_t i;

	json_array_each(json_object_get(output, "items"), i, item) {
		s.slot[ROOT_ITEM].json = item;
		struct str value = expr_id(list->value, &s), label = expr_text(list->label, &s);

		if (value.n == 0)
			continue;
		o = json_object();
		json_set_strn(o, "value", value);
		json_set_strn(o, "label", label.n > 0 ? label : value);
		json_array_append_new(into, o);
	}
}
