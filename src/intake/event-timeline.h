/* The requests that made a record what it is, on its timeline. */
#ifndef INTAKE_EVENT_TIMELINE_H
#define INTAKE_EVENT_TIMELINE_H
#include "record/record-timeline.h"

/* Kinds request: {at,eventId,connectionId,providerType,eventType,remoteAddr,requestId} and verdict:
 * {at,eventId,status,reason,items,latencyUs}, for each event that changed the record and is still
 * in the log, for those who hold webhooks.view. */
int event_timeline(struct app *app, struct arena *a, const struct record_story *s, struct err *err);
#endif
