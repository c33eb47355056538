/* Events of which nothing came, unsaid: see db/stored-fault.h. */
#ifndef INTAKE_EVENT_FAULTS_H
#define INTAKE_EVENT_FAULTS_H
#include "db/stored-fault.h"

/* Those that were verified more than a day ago, and are neither processed nor failed. */
int event_faults_find(struct db *db, struct stored_fault *out, struct err *err);
#endif
