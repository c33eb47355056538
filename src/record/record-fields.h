/* What the catalogue of fields has to do with deletion. */
#ifndef RECORD_RECORD_FIELDS_H
#define RECORD_RECORD_FIELDS_H
#include "db/db.h"

/* Within the transaction that deletes a record, before its rows go: takes its values, present and
 * past, out of the catalogue's examples. */
int record_fields_forget(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, struct err *err);
#endif
