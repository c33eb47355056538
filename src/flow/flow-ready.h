/* Ready-made flows: files of the product (templates/flow/ready/NAME.json).
 *
 *	{"name", "about", "resourceType", "steps", "settings",
 *	 "asks": [{"name", "label", "help", "type": "number|field|table|list|url", "other"}]}
 *
 * What is asked for stands in the steps as <<name>>; a list as the texts of a condition's list. An
 * answer of no type is any text. "other" is offered as the answer; of a field
 * it is a list, of which the first that the records have is. */
#ifndef FLOW_FLOW_READY_H
#define FLOW_FLOW_READY_H
#include "flow/flow-internal.h"

/* All that there are, by name: each with "id", its file's name. Arena-owned. */
int flow_ready_list(struct app *app, struct arena *a, json_t **out, struct err *err);
/* One; 1, 0 there is none of that name, -1. */
int flow_ready_find(struct app *app, struct arena *a, struct str id, json_t **out, struct err *err);
/* Is an answer one that its steps can take? NULL, or why not. */
const char *flow_ready_refuses(
    const struct app *app, struct arena *a, const json_t *ask, struct str answer);
/* An answer as it stands in the steps. */
const char *flow_ready_answer(struct arena *a, const json_t *ask, struct str answer);
/* The steps with the answers ({name: text}) in them; a new reference. */
json_t *flow_ready_steps(struct arena *a, const json_t *ready, const json_t *answers);
#endif
