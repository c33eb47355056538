/* What the files of this feature share. */
#ifndef LEAD_LEAD_INTERNAL_H
#define LEAD_LEAD_INTERNAL_H
#include "lead/lead.h"

#define STAGE_ERROR_BYTES 1000

/* A stored lead as the pipeline needs it. */
struct lead_row {
	struct uuid id, account_id, connection_id, record_id, event_id;
	const char *provider_type, *provider_lead_id, *stage;
	const char *sync_status; /* to be stored with the rest; NULL: LEAD_SYNC_NONE */
	json_t *lead;
	int64_t received_us;
};
/* The job of a lead has its id, so there is at most one, and another go brings it forward. */
struct job lead_process_job(
    const struct uuid *account_id, const struct uuid *lead_id, const struct uuid *connection_id);
/* 1, 0, -1. */
int lead_load(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    struct lead_row *out, struct err *err);
/* Within a transaction, of n leads of one account, at most LIMIT_DB_BATCH: locks those that are not
 * ready yet, and says which (one that is among them twice: the first). */
int lead_lock_unready(struct db *db, struct arena *a, const struct lead_row *const *rows, size_t n,
    bool *is_unready, struct err *err);
/* Within the same: stores such leads, normalized, as ready. */
int lead_store_ready(
    struct db *db, struct arena *a, const struct lead_row *const *rows, size_t n, struct err *err);
/* Stores why the details could not be had, and the stage that it is in now. */
int lead_store_problem(struct db *db, struct arena *a, const struct lead_row *row,
    const char *stage, const char *error, struct err *err);
/* First, last and full name of a lead, in place (lead-name.c). */
void lead_normalize_names(struct arena *a, json_t *lead);
#endif
