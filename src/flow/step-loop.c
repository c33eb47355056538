/* loop: steps for each item of a list. */
#include "base/arena.h"
#include "flow/flow-internal.h"

static int loop_run(struct step_call *c, struct err *err)
{
	json_t *items = step_input(c, "items");
	int64_t limit;

	if (step_number(c, "limit", FLOW_LOOP_LIMIT, &limit, err) == -1)
		return -1;
	c->is_refused = true;
	if (items == NULL)
		return err_set(
		    err, ERR_INVALID, "there is no list to loop over: \"items\" is empty");
	if (!json_is_array(items))
		return err_set(
		    err, ERR_INVALID, "\"items\" is not a list, so it cannot be looped over");
	if (json_array_size(items) > (size_t)limit)
		return err_set(err, ERR_LIMIT,
		    "the list has %zu items, more than the limit of %lld", json_array_size(items),
		    (long long)limit);
	c->items = items;
	return 0;
}

const struct step_kind step_loop = {.name = "loop",
    .label = "Loop",
    .help = "Does its steps for each item of a list. They see {{item}}, {{index}} (from 0) and "
	    "{{total}}.",
    .how = STEP_LOOP,
    .fields = (const struct step_field[]){{"items", STEP_VALUE, STEP_NEEDED | STEP_INPUT, "Items",
					      "A list, such as {{trigger.items}}", 0, 0, NULL},
	{"steps", STEP_STEPS, STEP_NEEDED, "Steps", "For each item", 0, 0, NULL},
	{"limit", STEP_NUMBER, 0, "Limit", "A longer list fails", 1, FLOW_LOOP_MOST, NULL},
	{.name = NULL}},
    .outputs = (const struct step_output[]){{"total", "how many items there were"},
	{"results",
	    "what the last step gave for each item; null where that is more than 1 MiB together"},
	{NULL, NULL}},
    .run = loop_run};
