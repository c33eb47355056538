/* What the leads page is told by the composition. */
#ifndef LEAD_LEAD_PAGES_H
#define LEAD_LEAD_PAGES_H

#include "lead/lead.h"

/* Adds "destinations" to each lead of a page: the ledger belongs to a feature above this one. */
typedef int lead_decorate_fn(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *leads, struct err *err);
void lead_page_set_decorator(lead_decorate_fn *fn);
/* What a person would call this lead; lives as long as the lead. */
const char *lead_page_title(const json_t *lead);
/* Adds what lists of leads show to each of rows: title, providerName, destinations, stage_failed,
 * stage_waiting. */
int lead_page_rows(struct req *r, json_t *rows, struct err *err);

#endif
