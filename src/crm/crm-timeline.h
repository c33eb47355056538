/* The pushes of a lead on its record's timeline. */
#ifndef CRM_CRM_TIMELINE_H
#define CRM_CRM_TIMELINE_H
#include "record/record-timeline.h"

/* Kind push: {at,attempt,status,error,durationUs,name,connectionId}, one per attempt, for
 * those who hold crm.view. */
int crm_timeline(struct app *app, struct arena *a, const struct record_story *s, struct err *err);
#endif
