#include "db/stored-fault.h"

#include <stdio.h>

#include "base/arena.h"

void stored_fault_note(
    struct stored_fault *f, const struct uuid *account_id, const struct uuid *id, struct str text)
{
	size_t n = f->nexamples;

	f->count++;
	if (n == STORED_FAULT_EXAMPLES)
		return;
	f->nexamples++;
	f->examples[n].account_id = *account_id;
	f->examples[n].id = *id;
	text = utf8_cut(text, sizeof(f->examples[n].text) - 1);
	snprintf(f->examples[n].text, sizeof(f->examples[n].text), "%.*s", (int)text.n, text.p);
}

int stored_faults_walk(struct db *db, const struct db_stmt *pages, int64_t page_rows,
    stored_fault_look *look, void *arg, struct err *err)
{
	struct arena *a = arena_new();
	struct uuid after = {{0}};
	struct db_rows rows = {.count = (size_t)page_rows};
	int rc = 0;

	while (rc == 0 && rows.count == (size_t)page_rows) {
		arena_reset(a);
		rc =
		    db_query(db, a, pages, DB_VALS(db_uuid(&after), db_int(page_rows)), &rows, err);
		for (size_t i = 0; rc == 0 && i < rows.count; i++)
			rc = look(arg, a, &rows, i, err);
		if (rc == 0 && rows.count > 0)
			after = db_get_uuid(&rows, rows.count - 1, 0);
	}
	arena_free(a);
	return rc;
}
