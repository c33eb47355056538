/* What pages call records that they name. */
#ifndef RECORD_RECORD_TITLES_H
#define RECORD_RECORD_TITLES_H
#include "base/json.h"
#include "db/db.h"

struct app;

/* {id: {"title", "person", "resourceType", "href"}} of an account's records; href is the page of
 * the lead that a record mirrors, else its own; person: record_person. Those that are gone are left
 * out. Arena-owned. */
int record_titles(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, json_t **out, struct err *err);
#endif
