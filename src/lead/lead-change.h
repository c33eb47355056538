/* What people do to one lead of the request's account, each with a row of the audit log. 0, or -1:
 * ERR_NOT_FOUND there is none. */
#ifndef LEAD_LEAD_CHANGE_H
#define LEAD_LEAD_CHANGE_H
#include "lead/lead.h"

/* Corrects members of the normalized form, as `wish` names them: null takes one away; customFields
 * are merged. ERR_INVALID with the field; ERR_CONFLICT: its details are not here yet. */
int lead_change(struct req *r, const struct uuid *id, const json_t *wish, struct err *err);
/* It goes with its record, its history and its deliveries. */
int lead_delete(struct req *r, const struct uuid *id, struct err *err);
/* It is no duplicate: it is linked to no other, and handed over if it was held back. ERR_CONFLICT:
 * it was none. */
int lead_release(struct req *r, const struct uuid *id, struct err *err);
#endif
