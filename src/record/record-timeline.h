/* What happened to a record, on one line of time. */
#ifndef RECORD_RECORD_TIMELINE_H
#define RECORD_RECORD_TIMELINE_H
#include "record/record.h"

/* Who else knows something about a record (requests, pushes, flow runs): adds {at,kind,…} to
 * entries, in any order. record is as of the API, history as of record_history. A hook
 * (base/hooks.h). */
struct record_story {
	struct uuid account_id, record_id;
	uint64_t permissions; /* of who will read it: each part is shown to those of its area */
	const json_t *record, *history;
	json_t *entries;
};

/* [{at,kind,…}] oldest first; of one moment, in the order request, verdict, upsert, then the
 * others: what permissions (account/permission.h) let see of it. Kind upsert:
 * {id,eventId,source,outcome: created or updated,changes}. 1, 0 no such record, -1. */
int record_timeline(struct app *app, struct arena *a, const struct uuid *account_id,
    uint64_t permissions, const struct uuid *id, json_t **out, struct err *err);
#endif
