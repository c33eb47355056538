/* The runs that a record began, newest hundred: hooks (base/hooks.h). */
#ifndef FLOW_FLOW_TIMELINE_H
#define FLOW_FLOW_TIMELINE_H
#include "record/record-timeline.h"

/* Kind "flow": {name,text,executionId,flowId,status,trigger,error,startedAt,finishedAt}, for who
 * may see the task history. */
int flow_timeline(struct app *app, struct arena *a, const struct record_story *s, struct err *err);
/* The same as stages "flows" of a lead. */
int flow_lead_timeline(struct app *app, struct arena *a, const struct uuid *account_id,
    uint64_t permissions, const json_t *lead, json_t *list, struct err *err);
#endif
