/* What the leads page is told by the composition. */
#ifndef LEAD_LEAD_ADMIN_H
#define LEAD_LEAD_ADMIN_H

#include "lead/lead.h"

/* Adds "destinations" to each lead of a page: the ledger belongs to a feature above this one. */
typedef int lead_decorate_fn(struct app *app, struct arena *a, const struct uuid *account_id,
    json_t *leads, struct err *err);
void lead_page_set_decorator(lead_decorate_fn *fn);

#endif
