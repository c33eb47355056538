/* What differs between two versions of a flow, step by step, in words.
 *
 * Steps have no ids. Those of a list are paired so: equal ones first; then those of one kind and
 * name; then those of one kind, in their order. What is paired and not equal has changed; of the
 * pairs the longest run that kept its order stayed, the others have moved; the rest was removed or
 * added. The lists within a pair are compared in the same way. */
#ifndef FLOW_FLOW_DIFF_H
#define FLOW_FLOW_DIFF_H
#include "flow/flow-words.h"

#define FLOW_DIFF_CHANGES 500 /* more are not told: then the last says so */

/* [{"change": "added|removed|moved|changed", "step": key in the later one (of what was removed: in
 * the earlier), "stepBefore": key in the earlier where it has another, "kind", "name", "label",
 * "field": dotted path of what changed, "fieldLabel", "from", "to", "text": a sentence}] in the
 * order of the later version; settings come last, without a step. w->a's. */
json_t *flow_diff(const struct flow_words *w, const json_t *steps_before,
    const json_t *settings_before, const json_t *steps_after, const json_t *settings_after);
#endif
