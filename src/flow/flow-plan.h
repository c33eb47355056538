/* Steps from JSON, in two passes.
 *
 *   shape     flow-plan-shape.c: every step gets its kind, its place ("steps[1].config.steps[0]")
 *             and its key: step_2, and within it step_2_1, step_2_2 … through all its lists in the
 *             order written
 *   compile   flow-plan.c, in the same order: fields by the kind's table, templates and conditions;
 *             what comes later in this order can be named, but not used
 *
 * A template sees one root without a name, whose fields are the names that a run's context has. */
#ifndef FLOW_FLOW_PLAN_H
#define FLOW_FLOW_PLAN_H
#include "flow/flow-internal.h"

struct planning {
	struct arena *a;
	struct json_reader *in;
	struct flow_plan *plan;
	struct expr_field *fields; /* the fixed ones, the steps, and those of loops */
	unsigned depth;
	unsigned loops; /* around what is being compiled */
};

/* All steps into p->plan, out the flow's own list; complaints by p->in. 0; -1 when there are too
 * many, which ends it all. */
int flow_plan_shape(struct planning *p, const json_t *steps, struct flow_list *out);
#endif
