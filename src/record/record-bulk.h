/* Work on all records that a filter matches, as jobs with progress. */
#ifndef RECORD_RECORD_BULK_H
#define RECORD_RECORD_BULK_H
#include "record/record.h"

/* How many match: from the counters, else counted for up to budget_us. */
int record_bulk_count(struct app *app, struct arena *a, const struct record_filter *f,
    int64_t budget_us, int64_t *n, bool *is_exact, struct err *err);
/* Queues the deletion of what filter (as of record_filter_from_json, owned by the caller) matches
 * and was there at asked_us, when a person was told how many that are, and not changed since;
 * expected is what the progress is measured against. With a row of the audit log. Its counts:
 * received were found, updated deleted, unchanged left because they had changed or gone by then. */
int record_bulk_delete(
    struct req *r, const json_t *filter, int64_t asked_us, int64_t expected, struct err *err);
/* The account's bulk work that is under way: [{id,kind,done,expected}]. */
int record_bulk_running(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
#endif
