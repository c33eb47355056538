/* Pushes whose job was given up, and how they get another go. */
#include "base/limits.h"
#include "crm/crm-internal.h"

int crm_push_died(struct db *db, struct job *j, const char *why, struct err *err)
{
	struct delivery d;
	int found = delivery_load(db, j->a, &j->account_id, &j->subject_id, &d, err);

	if (found != 1 || strcmp(d.state.status, DELIVERY_SUCCESS) == 0)
		return found == -1 ? -1 : 0;
	d.state.status = DELIVERY_DEAD;
	d.state.error = why;
	d.state.next_us = 0;
	return deliveries_store(db, j->a, &(struct push_outcome){.d = &d}, 1, err);
}

int crm_pushes_revived(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *subjects, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH)
		if (deliveries_revive(db, a, account_id, subjects + i,
			n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH, err) == -1)
			return -1;
	return 0;
}
