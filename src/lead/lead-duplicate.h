/* Two leads of one person: an account's own rule, beside the one that holds always (one lead for
 * each id of a provider). A lead that comes within so many days of another with the same email or
 * phone number is linked to the first of them, and, where the rule says so, held back: no
 * destination gets it until a person says that it is no duplicate (lead-release.c).
 *
 *	ready ──rule──> first of its person                      handed over
 *	           └──> duplicate of the first ──rule holds──> sync status "duplicate"
 *	                        │        └─else─────────────> handed over      │
 *	                        └──────────<── person: "no duplicate" ─────────┘
 *
 * Who is first is a row of lead_firsts for each email and number, which the transaction that makes
 * a lead ready holds. So of two at once, in one commit or on two hosts, one is the first. */
#ifndef LEAD_LEAD_DUPLICATE_H
#define LEAD_LEAD_DUPLICATE_H
#include "account/audit.h"
#include "lead/lead-internal.h"

#define LEAD_RULE_DAYS_MOST 3650

/* match: "none", "email", "phone", "either". */
extern const char *const lead_rule_matches[];
struct lead_rule_set {
	const char *match; /* of lead_rule_matches */
	int64_t days;
	bool holds;
};
/* As it is now; an account without one has the match "none". */
int lead_rule_load(struct db *db, struct arena *a, const struct uuid *account_id,
    struct lead_rule_set *out, struct err *err);
/* Of the request's account, with a row of the audit log. */
int lead_rule_save(struct req *r, const struct lead_rule_set *rule, struct err *err);

/* Within the transaction that makes n leads of one account ready, at most LIMIT_DB_BATCH: sets
 * duplicate_of, duplicate_by and is_held of those that are. */
int lead_find_duplicates(
    struct app *app, struct arena *a, struct lead_row *const *rows, size_t n, struct err *err);
/* Within a transaction: the lead is gone, so it is nobody's first. */
int lead_forget_first(
    struct db *db, const struct uuid *account_id, const struct uuid *lead_id, struct err *err);
#endif
