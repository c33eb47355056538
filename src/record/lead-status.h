/* The sync status of a lead: what became of it at its destinations, in one word. Records of leads
 * are filtered by it.
 *
 * Partly delivered is none that is stored: a destination took the lead, so that it is delivered,
 * and another failed for good. Who asks for it goes from the deliveries that failed to their leads,
 * since those are few and delivered leads are many. */
#ifndef RECORD_LEAD_STATUS_H
#define RECORD_LEAD_STATUS_H
#include "base/word.h"

#define LEAD_SYNC_PENDING "pending"
#define LEAD_SYNC_SUCCESS "success"
#define LEAD_SYNC_PARTIAL "partial" /* a filter's, never stored */
#define LEAD_SYNC_FAILED "failed"
#define LEAD_SYNC_DEAD "dead"
#define LEAD_SYNC_SKIPPED "skipped"     /* each destination was disabled or removed */
#define LEAD_SYNC_DUPLICATE "duplicate" /* held back: its person came before */
#define LEAD_SYNC_NONE "none"           /* there was no destination */
extern const struct word lead_sync_statuses[];

/* ---- partly delivered, in SQL ---- */

/* Of each status the newest so many deliveries are looked at, whether another try is to come or
 * not: no more than that is read, however many failed. */
#define LEADS_MISSED_MOST 2000 /* the LIMIT below */
#define LEADS_MISSED_OF(status)                                                                    \
	"(SELECT lead_id, status, next_at FROM lead_deliveries"                                    \
	" FORCE INDEX (lead_deliveries_status) WHERE account_id = ? AND status = '" status         \
	"' ORDER BY id DESC LIMIT 2000)"
/* Two values: the account, twice. */
#define LEADS_MISSED_ROWS                                                                          \
	"(" LEADS_MISSED_OF(LEAD_SYNC_FAILED) " UNION ALL " LEADS_MISSED_OF(LEAD_SYNC_DEAD) ")"
/* The leads that some destination misses for good, as lead_id, each once. The same two values. */
#define LEADS_MISSED "(SELECT DISTINCT lead_id FROM " LEADS_MISSED_ROWS " m WHERE next_at IS NULL)"
/* Those that another has taken; to be gone on with by AND. Three values: the account, thrice. */
#define LEADS_PARTIAL                                                                              \
	" FROM " LEADS_MISSED " x STRAIGHT_JOIN leads l FORCE INDEX (PRIMARY) ON l.id = x.lead_id" \
	" WHERE account_id = ? AND sync_status = '" LEAD_SYNC_SUCCESS "'"
/* The same of one lead, `l`, that has been found otherwise. */
#define LEAD_IS_PARTIAL                                                                            \
	" (l.sync_status = '" LEAD_SYNC_SUCCESS "' AND EXISTS (SELECT 1 FROM lead_deliveries m"    \
	" FORCE INDEX (lead_deliveries_lead) WHERE m.account_id = l.account_id"                    \
	" AND m.lead_id = l.id AND m.status IN ('" LEAD_SYNC_FAILED "','" LEAD_SYNC_DEAD           \
	"') AND m.next_at IS NULL))"
/* The status that is stored of leads that a filter asks for by this one. */
struct str lead_status_stored(struct str status);

#endif
