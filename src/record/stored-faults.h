/* Records and views that earlier versions stored wrongly: see db/stored-fault.h. */
#ifndef RECORD_STORED_FAULTS_H
#define RECORD_STORED_FAULTS_H
#include "db/stored-fault.h"

/* Records: ids with blanks or marks at their ends, ids that are numbers with lost digits, members
 * or values that begin with a byte-order mark, a provider's clock in the future; of files:
 * lines that are no rows, columns of our own, texts of another encoding. */
#define RECORD_FAULTS 7u
int record_faults_find(struct db *db, struct stored_fault out[RECORD_FAULTS], struct err *err);
/* Views whose filter or columns cannot be. */
int view_faults_find(struct db *db, struct stored_fault *out, struct err *err);
#endif
