/* What the leads page is told by the composition. */
#ifndef LEAD_LEAD_PAGES_H
#define LEAD_LEAD_PAGES_H

#include "lead/lead.h"

/* What a person would call this lead; lives as long as the lead. */
const char *lead_page_title(const json_t *lead);
/* Adds what lists of leads show to each of rows: title, providerName, destinations, stage_failed,
 * stage_waiting. */
int lead_page_rows(struct req *r, json_t *rows, struct err *err);

#endif
