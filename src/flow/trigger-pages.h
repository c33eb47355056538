/* What the pages of triggers share.
 *
 *	trigger-pages.c     the list, a trigger's page, its deletion
 *	trigger-form.c      the form: what it shows, and the config that it says
 *	trigger-every.c     schedules as people choose them, and as cron expressions */
#ifndef FLOW_TRIGGER_PAGES_H
#define FLOW_TRIGGER_PAGES_H
#include "flow/flow-pages.h"
#include "flow/trigger.h"

/* ---- trigger-every.c: a row of radio buttons, each with its own fields ----------------------- */

/* The cron expression that the request's form says; arena-owned. ERR_INVALID on a field of it. */
const char *trigger_every_cron(struct req *r, struct err *err);
/* Adds to data what the form shows: every_NAME (the choice), minute, time, weekday, monthday, cron.
 */
void trigger_every_show(struct req *r, const char *cron, json_t *data);
/* "Every weekday at 9:00", or "By the schedule 0 9 * * 1-5"; arena-owned. */
const char *trigger_every_words(struct arena *a, const char *cron);

/* ---- trigger-form.c -------------------------------------------------------------------------- */

/* Reads the form of t's kind into it: what is wrong is gathered by req_invalid, at the names that
 * the API has, and some of the form's own. */
void trigger_form_read(struct req *r, struct trigger *t);
/* The form's fields, of the form that was sent or else of t. */
int trigger_form_show(struct req *r, const struct trigger *t, json_t *data, struct err *err);
#endif
