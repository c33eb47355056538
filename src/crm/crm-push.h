/* One lead on its way to one destination: what single pushes and batches share. */
#ifndef CRM_CRM_PUSH_H
#define CRM_CRM_PUSH_H
#include "crm/crm-internal.h"

struct lead_push {
	struct delivery d; /* as it was read */
	struct delivery_course course;
	const struct connection *to;
	const struct delivery_attempt *attempts; /* of this run */
	size_t nattempts;
	bool is_gone;    /* the destination, or it is disabled */
	json_t *missing; /* what the attempt's mapping did not find in the lead, and what was
			    left out of it */
	const char *external_id; /* of what is changed, or NULL */
	bool was_gone;           /* at the destination: it is made anew */
	json_t *refused; /* names of fields whose value the destination does not take, or NULL */
	int mends;
};
/* A delivery that was read, with its job, in that run; false: there is nothing to do. */
bool push_begin(struct lead_push *p, struct job *j, struct job *run, const struct delivery *d);
/* The inputs of the action "push", {body,idempotencyKey,deliveryId,externalId}, which are a batch's
 * record too. NULL with ERR_INVALID: the lead lacks what the mapping needs. */
json_t *push_record(struct arena *a, struct lead_push *p, struct err *err);
/* One more attempt: by that call, which for this lead ended as res says. */
void push_note_attempt(
    struct lead_push *p, const struct connection_call *call, const struct call_result *res);
/* Attempts by calls of its own: one, and more at once where the answer says what mends it. Then the
 * course says what follows. 0, or -1; ERR_INVALID is the lead's own fault (push_refuse). */
int push_attempt(struct lead_push *p, struct err *err);
/* What the lead or its mapping lacks: on record, and not tried again by itself. 0, or -1 for any
 * other error. */
int push_refuse(struct lead_push *p, const struct err *why, struct err *err);
/* Within a transaction, of at most LIMIT_DB_BATCH of one account: what came of them, and how their
 * jobs end. */
int pushes_store(
    struct db *db, struct arena *a, struct lead_push *const *pushes, size_t n, struct err *err);
/* Of the job's destination, where it takes many in one call: the job's push and all others that are
 * due are made together (crm-batch.c). 1, 0 there is none: it goes alone, -1. */
int crm_push_together(struct lead_push *first, struct err *err);
#endif
