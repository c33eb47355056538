/* A flow as a drawing. */
#ifndef FLOW_FLOW_DIAGRAM_H
#define FLOW_FLOW_DIAGRAM_H
#include "base/buf.h"
#include "flow/flow-words.h"

/* Appends it as SVG, in classes of the style sheet; name is the flow's, start says what starts it.
 */
void flow_diagram(struct buf *b, const struct flow_words *w, const struct flow_plan *plan,
    const char *name, const char *start);
#endif
