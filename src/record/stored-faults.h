/* What earlier versions stored wrongly, as far as it can be known from what is stored: told by
 * connectctl doctor --data, never changed by itself, since only the source knows the right value.
 * Reads every row, of all accounts. */
#ifndef RECORD_STORED_FAULTS_H
#define RECORD_STORED_FAULTS_H
#include "base/err.h"
#include "base/str.h"
#include "crypto/uuid.h"
#include "db/db.h"

#define STORED_FAULT_EXAMPLES 3u

/* One kind of fault: how many rows have it, and the first of them. */
struct stored_fault {
	const char *what, *advice;
	int64_t count;
	struct {
		struct uuid account_id, id;
		char text[96]; /* the value, cut */
	} examples[STORED_FAULT_EXAMPLES];
	size_t nexamples;
};
void stored_fault_note(
    struct stored_fault *f, const struct uuid *account_id, const struct uuid *id, struct str text);

/* Records: ids with blanks or marks at their ends, ids that are numbers with lost digits, members
 * or values that begin with a byte-order mark, a provider's clock that lies in the future. */
#define RECORD_FAULTS 4u
int record_faults_find(struct db *db, struct stored_fault out[RECORD_FAULTS], struct err *err);
#endif
