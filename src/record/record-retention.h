/* How long records are kept: a rule a resource type says after how many days without an update its
 * records are deleted. A type without a rule is kept. */
#ifndef RECORD_RECORD_RETENTION_H
#define RECORD_RECORD_RETENTION_H
#include "record/record.h"

#define RETENTION_DAYS_MAX 36500
#define RETENTION_RULES_MAX 100 /* of an account */

struct retention_rule {
	struct str resource_type;
	int64_t days;
	/* how many records are due for deletion, counted to a bound: beyond it a lower bound */
	int64_t due;
	bool due_is_exact;
};
/* The account's rules by type, arena-owned. */
int retention_list(struct app *app, struct arena *a, const struct uuid *account_id,
    struct retention_rule **out, size_t *n, struct err *err);
/* Fills due and due_is_exact of a rule, which need not be stored. */
int retention_count_due(struct app *app, struct arena *a, const struct uuid *account_id,
    struct retention_rule *rule, struct err *err);
/* The request's account keeps records of a type for so many days (1 to RETENTION_DAYS_MAX; 0: for
 * ever), with a row of the audit log; what is due is deleted soon. 1 changed, 0 it was so already,
 * -1 (ERR_CONFLICT beyond RETENTION_RULES_MAX). A transaction of its own. Once it returns, what the
 * rule before it said is no longer done. */
int retention_set(struct req *r, struct str resource_type, int64_t days, struct err *err);
#endif
