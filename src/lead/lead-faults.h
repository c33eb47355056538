/* Leads that earlier versions normalized wrongly: see db/stored-fault.h. */
#ifndef LEAD_LEAD_FAULTS_H
#define LEAD_LEAD_FAULTS_H
#include "db/stored-fault.h"

/* Emails that are no addresses or not in their normal form; numbers with a + that are none; names
 * that are titles and suffixes, or have them. */
#define LEAD_FAULTS 3u
int lead_faults_find(struct db *db, struct stored_fault out[LEAD_FAULTS], struct err *err);
#endif
