/* filter: goes on, or ends the run silently. */
#include "base/arena.h"
#include "flow/flow-internal.h"

static int filter_run(struct step_call *c, struct err *err)
{
	bool holds = step_holds(c, "condition");

	(void)err;
	c->is_filtered = !holds;
	c->output = json_own(c->a, json_object());
	json_set_bool(c->output, "passed", holds);
	return 0;
}

const struct step_kind step_filter = {.name = "filter",
    .label = "Filter",
    .help = "Goes on only when the condition holds; otherwise the run ends here, and that is no "
	    "failure.",
    .how = STEP_LOCAL,
    .fields = (const struct step_field[]){{"condition", STEP_CONDITION, STEP_NEEDED, "Condition",
					      "trigger.amount > 100 and trigger.country == 'DE'", 0,
					      0, NULL},
	{.name = NULL}},
    .outputs = (const struct step_output[]){{"passed", "true: the condition held"}, {NULL, NULL}},
    .run = filter_run};
