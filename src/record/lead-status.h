/* The sync status of a lead: what became of it at its destinations, in one word. Records of leads
 * are filtered by it. */
#ifndef RECORD_LEAD_STATUS_H
#define RECORD_LEAD_STATUS_H
#include "base/word.h"

#define LEAD_SYNC_PENDING "pending"
#define LEAD_SYNC_SUCCESS "success"
#define LEAD_SYNC_PARTIAL "partial"
#define LEAD_SYNC_FAILED "failed"
#define LEAD_SYNC_DEAD "dead"
#define LEAD_SYNC_SKIPPED "skipped"     /* each destination was disabled or removed */
#define LEAD_SYNC_DUPLICATE "duplicate" /* held back: its person came before */
#define LEAD_SYNC_NONE "none"           /* there was no destination */
extern const struct word lead_sync_statuses[];

#endif
