/* branch: the first list of steps whose condition holds. */
#include "base/arena.h"
#include "flow/flow-internal.h"

static int branch_run(struct step_call *c, struct err *err)
{
	size_t n = step_lists(c->step), i = 0;
	const char *name;

	(void)err;
	while (i < n && !step_branch_holds(c, i))
		i++;
	c->branch = i < n ? i : SIZE_MAX;
	name = i < n ? c->step->lists[i].name : NULL;
	c->output = json_own(c->a, json_object());
	json_set_str(c->output, "branch", name);
	json_set_bool(c->output, "matched", i < n);
	return 0;
}

static int branch_check(struct step_check *c, struct err *err)
{
	(void)err;
	if (step_lists(c->step) == 0)
		json_reader_fail_at(c->in, "config",
		    "needs \"branches\", or \"condition\" and "
		    "\"then\"");
	if (step_given(c->step, "then") != NULL && step_given(c->step, "condition") == NULL)
		json_reader_fail_at(c->in, "config", "\"then\" needs a \"condition\"");
	if (step_given(c->step, "branches") != NULL && step_given(c->step, "then") != NULL)
		json_reader_fail_at(
		    c->in, "config", "has either \"branches\", or \"condition\" and \"then\"");
	return 0;
}

const struct step_kind step_branch = {.name = "branch",
    .label = "Branch",
    .help = "Does the steps of the first branch whose condition holds, or those of \"else\".",
    .how = STEP_BRANCH,
    .fields = (const struct step_field[]){{"branches", STEP_BRANCHES, 0, "Branches",
					      "Each with a name, a condition and steps", 0, 0,
					      NULL},
	{"condition", STEP_CONDITION, 0, "Condition", "Of \"then\"", 0, 0, NULL},
	{"then", STEP_STEPS, 0, "Then", "Steps if the condition holds", 0, 0, NULL},
	{"else", STEP_STEPS, 0, "Else", "Steps if no condition holds", 0, 0, NULL}, {.name = NULL}},
    .outputs = (const struct step_output[]){{"branch", "the name of the branch that was taken"},
	{"matched", "false: no condition held, and there is no \"else\""}, {NULL, NULL}},
    .check = branch_check,
    .run = branch_run};
