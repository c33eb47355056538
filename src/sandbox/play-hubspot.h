/* Between HubSpot's objects and its search. */
#ifndef SANDBOX_PLAY_HUBSPOT_H
#define SANDBOX_PLAY_HUBSPOT_H

#include "sandbox/play.h"

int hubspot_error(struct play_call *c, int status, const char *category, const char *text);
const char *hubspot_kind(struct play_call *c); /* "contacts", of the address */
json_t *hubspot_property(const json_t *row, const char *name);
int hubspot_search(struct play_call *c);

#endif
