/* What came of events: the leads and records that their requests made or changed. */
#ifndef INTAKE_EVENT_EFFECTS_H
#define INTAKE_EVENT_EFFECTS_H

#include "http/http.h"

/* Effects that are looked for of one event, and of a page of them. */
#define EVENT_EFFECTS_MOST 50

/* For events (objects with an "id"), newest first: adds to each what the actor may see of it.
 * "leads": [{id,title,syncStatus,syncLabel}]; "records": [{id,resourceType,title}], without those
 * that are but the records of its leads. Effects later than after_us behind an event are not found;
 * "isCut" where so much was written in that time that not all of it was looked through. */
int event_effects_add(struct req *r, json_t *events, int64_t after_us, struct err *err);

#endif
