#include "record/stored-faults.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/number.h"

#define PAGE_ROWS 2000
#define AHEAD_US (600 * SECOND_US) /* a provider's clock may be ahead by so much */

enum fault_column { FAULT_ID, FAULT_ACCOUNT, FAULT_EXTERNAL_ID, FAULT_MARK, FAULT_CLOCK };
DB_STMT(records_for_faults,
    "SELECT id, account_id, external_id, LOCATE('\"\xEF\xBB\xBF', data) > 0, provider_updated_at"
    " FROM records WHERE id > ? ORDER BY id LIMIT ?");

static const struct stored_fault record_faults[RECORD_FAULTS] = {
    {.what = "records whose id has blanks or marks at its ends",
	.advice = "what the source sends now makes another record: delete these once it has"},
    {.what = "records whose id is a number that lost its digits",
	.advice = "several ids may have become one: replay their events or import them again, then "
		  "delete these"},
    {.what = "records with a byte-order mark in front of a member or value",
	.advice = "import the file again: the mark is no data any more; then delete these"},
    {.what = "records whose provider's clock lies in the future",
	.advice = "nothing older will change them: replay an event of theirs, its time is cut to "
		  "when it came"}};

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

/* 1.8446744073709552e+19 or 4000.0: ids of numbers were once written so. */
static bool id_lost_digits(struct arena *a, struct str id)
{
	return number_is(id) && !str_eq(number_plain(a, id), id);
}

static void record_fault_look(
    struct arena *a, struct stored_fault *out, const struct db_rows *r, size_t i)
{
	struct uuid id = db_get_uuid(r, i, FAULT_ID), account_id = db_get_uuid(r, i, FAULT_ACCOUNT);
	struct str external_id = db_get_str(r, i, FAULT_EXTERNAL_ID);
	const bool has[RECORD_FAULTS] = {
	    utf8_trim(external_id).n != external_id.n,
	    id_lost_digits(a, external_id),
	    db_get_int(r, i, FAULT_MARK) != 0,
	    !db_is_null(r, i, FAULT_CLOCK) &&
		db_get_int(r, i, FAULT_CLOCK) > clock_now_us() + AHEAD_US,
	};

	for (size_t k = 0; k < RECORD_FAULTS; k++)
		if (has[k])
			stored_fault_note(&out[k], &account_id, &id, external_id);
}

int record_faults_find(struct db *db, struct stored_fault out[RECORD_FAULTS], struct err *err)
{
	struct arena *a = arena_new();
	struct uuid after = {{0}};
	struct db_rows r = {.count = PAGE_ROWS};
	int rc = 0;

	memcpy(out, record_faults, sizeof(record_faults));
	while (rc == 0 && r.count == PAGE_ROWS) {
		arena_reset(a);
		rc = db_query(db, a, &records_for_faults,
		    DB_VALS(db_uuid(&after), db_int(PAGE_ROWS)), &r, err);
		for (size_t i = 0; rc == 0 && i < r.count; i++)
			record_fault_look(a, out, &r, i);
		if (rc == 0 && r.count > 0)
			after = db_get_uuid(&r, r.count - 1, FAULT_ID);
	}
	arena_free(a);
	return rc;
}
