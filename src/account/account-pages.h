/* What the pages of this module share. */
#ifndef ACCOUNT_ACCOUNT_PAGES_H
#define ACCOUNT_ACCOUNT_PAGES_H
#include "http/http.h"

/* Adds "zones": [{value, is_current}], the time zones to choose from. */
void account_page_add_zones(struct req *r, json_t *data, struct str current);
/* Adds "accounts": [{id, name, role, is_this}] of the person, and "has_accounts": several. */
int account_page_add_accounts(struct req *r, json_t *data, struct err *err);
/* The date that a form's field has ("2026-12-31"): when that day ends in the viewer's zone, 0 where
 * nothing was sent. ERR_INVALID on the field. */
int account_page_day_end(struct req *r, const char *field, int64_t *out_us, struct err *err);
#endif
