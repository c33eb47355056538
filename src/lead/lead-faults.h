/* Leads that earlier versions normalized wrongly: see record/stored-faults.h. */
#ifndef LEAD_LEAD_FAULTS_H
#define LEAD_LEAD_FAULTS_H
#include "record/stored-faults.h"

/* Emails that are no addresses or not in their normal form; numbers with a + that are none. */
#define LEAD_FAULTS 2u
int lead_faults_find(struct db *db, struct stored_fault out[LEAD_FAULTS], struct err *err);
#endif
