/* What the files of this feature share. */
#ifndef LEAD_LEAD_INTERNAL_H
#define LEAD_LEAD_INTERNAL_H
#include "lead/lead.h"

/* A stored lead as the pipeline needs it. */
struct lead_row {
	struct uuid id, account_id, connection_id, record_id, event_id;
	const char *provider_type, *provider_lead_id, *stage;
	json_t *lead;
	int64_t received_us;
};
/* 1, 0, -1. */
int lead_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    struct lead_row *out, struct err *err);
/* Within a transaction: stores the normalized lead as ready if it is not yet: 1 done, 0 it was
 * already. */
int lead_store_ready(struct db *db, struct arena *a, const struct lead_row *row, struct err *err);
/* Stores why the details could not be had: stage stays received, or becomes failed. */
int lead_store_problem(struct db *db, struct arena *a, const struct lead_row *row, bool is_final,
    const char *error, struct err *err);
#endif
