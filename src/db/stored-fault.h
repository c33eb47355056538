/* What earlier versions stored wrongly, as far as it can be known from what is stored: told by
 * connectctl doctor --data, never changed by itself, since only the source knows the right value.
 * Each room looks at its own tables, at every row of all accounts. */
#ifndef DB_STORED_FAULT_H
#define DB_STORED_FAULT_H
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
		char text[160]; /* the value, cut */
	} examples[STORED_FAULT_EXAMPLES];
	size_t nexamples;
};
void stored_fault_note(
    struct stored_fault *f, const struct uuid *account_id, const struct uuid *id, struct str text);

/* A row that may have faults: its columns begin with id and account_id. */
typedef int stored_fault_look(
    void *arg, struct arena *a, const struct db_rows *rows, size_t i, struct err *err);
/* Hands each row of a statement to look, page by page: its values are the id to go on behind and
 * how many. The arena lasts for a page. */
int stored_faults_walk(struct db *db, const struct db_stmt *pages, int64_t page_rows,
    stored_fault_look *look, void *arg, struct err *err);

#endif
