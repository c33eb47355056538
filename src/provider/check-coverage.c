/* What examples have to show, where a manifest has any: of each list a second page (only the first
 * is what most people try, and what is wrong behind it loses data in silence), each error rule, and
 * each call of the subscriptions. */
#include "provider/check.h"

static bool check_has_seen(const struct check_run *t, const void *what)
{
	for (size_t i = 0; i < t->nseen; i++)
		if (t->seen[i] == what)
			return true;
	return false;
}

void check_saw(struct check_run *t, const void *what)
{
	if (check_has_seen(t, what))
		return;
	if (t->nseen == t->seen_cap) {
		size_t cap = t->seen_cap == 0 ? 64 : 2 * t->seen_cap;
		const void **v = arena_array(t->a, cap, sizeof(*v));

		if (t->nseen > 0)
			memcpy(v, t->seen, t->nseen * sizeof(*v));
		t->seen = v;
		t->seen_cap = cap;
	}
	t->seen[t->nseen++] = what;
}

void check_saw_call(struct check_run *t, const struct action *act, const json_t *inputs,
    const struct call_result *res)
{
	const char *page = paging_input(&act->paging);

	if (page != NULL && json_object_get(inputs, page) != NULL)
		check_saw(t, &act->paging);
	if (res->rule != NULL)
		check_saw(t, res->rule);
}

static void coverage_of_rules(
    struct check_run *t, const char *whose, const struct error_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!check_has_seen(t, &rules[i]))
			check_report(t, false, "each error rule has an example",
			    "no answer of an example falls under %serrors[%zu]", whose, i);
}

static void coverage_of_action(struct check_run *t, const struct action *act)
{
	const char *page = paging_input(&act->paging);

	if (page != NULL && !check_has_seen(t, &act->paging))
		check_report(t, false, "each list has an example of its second page",
		    "%s has none: an example whose inputs have \"%s\", or a poll's round that goes "
		    "on with it",
		    act->name, page);
	coverage_of_rules(
	    t, arena_printf(t->a, "actions.%s.", act->name), act->errors, act->nerrors);
}

static void coverage_of_subscription(struct check_run *t, const struct subscription_spec *s)
{
	const struct {
		const char *name;
		const struct call_spec *call;
	} calls[] = {{"list", &s->list}, {"create", &s->create}, {"renew", &s->renew},
	    {"delete", &s->remove}, {"secretFrom", &s->secret_from}};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].call->action != NULL && !check_has_seen(t, calls[i].call->action))
			check_report(t, false, "each call of a subscription has an example",
			    "none shows \"%s\" of the subscription %s, nor %s of another",
			    calls[i].name, s->name, calls[i].call->action->name);
}

void check_coverage(struct check_run *t)
{
	int before = t->failures;

	t->name = "examples";
	if (json_array_size(t->p->examples) == 0) {
		buf_str(t->out,
		    "# it has no examples: what calls and payloads come to is not checked\n");
		return;
	}
	coverage_of_rules(t, "", t->p->errors, t->p->nerrors);
	for (size_t i = 0; i < t->p->nactions; i++)
		coverage_of_action(t, &t->p->actions[i]);
	for (size_t i = 0; i < t->p->nsubscriptions; i++)
		coverage_of_subscription(t, &t->p->subscriptions[i]);
	if (t->failures == before)
		check_report(t, true, "lists, error rules and subscriptions are all shown", " ");
}
