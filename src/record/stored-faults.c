#include "record/stored-faults.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/number.h"
#include "record/record.h"

#define PAGE_ROWS 2000
#define AHEAD_US (600 * SECOND_US) /* a provider's clock may be ahead by so much */

/* ---- records ------------------------------------------------------------------------------- */

/* Of files: the line of sep= and what stands before a Ctrl-Z; members that an export has beside the
 * data, or the reasons of a file of bad rows; the signs that UTF-8 makes when it is read as
 * Windows-1252. */
#define HAS_MARK "LOCATE('\"\xEF\xBB\xBF', data) > 0"
#define IS_NO_ROW "(external_id = CHAR(26) OR LOCATE('\"sep=', data) > 0)"
#define IS_OF_EXPORT                                                                               \
	"(LOCATE('\"providerType\":', data) > 0 AND LOCATE('\"resourceType\":', data) > 0"         \
	" AND LOCATE('\"firstSeenAt\":', data) > 0)"
#define IS_OF_ERRORS                                                                               \
	"(LOCATE('\"line\":\"', data) > 0 AND LOCATE('\"reason\":\"', data) > 0"                   \
	" AND (LOCATE(' (column ', data) > 0 OR LOCATE(' cells, but the header has ', data) > 0))"
#define IS_TURNED                                                                                  \
	"(LOCATE(_binary X'C383C2', CAST(data AS BINARY)) > 0"                                     \
	" OR LOCATE(_binary X'C3A2E282AC', CAST(data AS BINARY)) > 0)"
enum fault_column {
	FAULT_ID,
	FAULT_ACCOUNT,
	FAULT_EXTERNAL_ID,
	FAULT_CLOCK,
	FAULT_MARK,
	FAULT_NO_ROW,
	FAULT_OURS,
	FAULT_ENCODING
};
#define IMPORTED "source = '" RECORD_SOURCE_IMPORT "' AND "
DB_STMT(records_for_faults,
    "SELECT id, account_id, external_id, provider_updated_at, " HAS_MARK ", " IMPORTED IS_NO_ROW
    ", " IMPORTED "(" IS_OF_EXPORT " OR " IS_OF_ERRORS "), " IMPORTED IS_TURNED
    " FROM records WHERE id > ? ORDER BY id LIMIT ?");

static const struct stored_fault record_faults[RECORD_FAULTS] = {
    {.what = "records whose id has blanks or marks at its ends",
	.advice = "what the source sends now makes another record: delete these once it has"},
    {.what = "records whose id is a number that lost its digits",
	.advice = "several ids may have become one: replay their events or import them again, then "
		  "delete these"},
    {.what = "records whose provider's clock lies in the future",
	.advice = "nothing older will change them: replay an event of theirs, its time is cut to "
		  "when it came"},
    {.what = "records with a byte-order mark in front of a member or value",
	.advice = "import the file again: the mark is no data any more; then delete these"},
    {.what = "records made of a line of sep=, or of the end of a file",
	.advice = "they are none: delete them"},
    {.what = "records with the columns of an export, or of a file of bad rows, among their data",
	.advice = "import the file again, which leaves them out; the members stay, and may be "
		  "deleted with the record before that"},
    {.what = "records of a file that seems to have been read in another encoding",
	.advice = "import the file again: it is read as what it is"}};

/* 1.8446744073709552e+19 or 4000.0: ids of numbers were once written so. */
static bool id_lost_digits(struct arena *a, struct str id)
{
	return number_is(id) && !str_eq(number_plain(a, id), id);
}

static int record_fault_look(
    void *arg, struct arena *a, const struct db_rows *r, size_t i, struct err *err)
{
	struct stored_fault *out = arg;
	struct uuid id = db_get_uuid(r, i, FAULT_ID), account_id = db_get_uuid(r, i, FAULT_ACCOUNT);
	struct str external_id = db_get_str(r, i, FAULT_EXTERNAL_ID);
	const bool has[RECORD_FAULTS] = {
	    utf8_trim(external_id).n != external_id.n,
	    id_lost_digits(a, external_id),
	    !db_is_null(r, i, FAULT_CLOCK) &&
		db_get_int(r, i, FAULT_CLOCK) > clock_now_us() + AHEAD_US,
	    db_get_int(r, i, FAULT_MARK) != 0,
	    db_get_int(r, i, FAULT_NO_ROW) != 0,
	    db_get_int(r, i, FAULT_OURS) != 0,
	    db_get_int(r, i, FAULT_ENCODING) != 0,
	};

	(void)err;
	for (size_t k = 0; k < RECORD_FAULTS; k++)
		if (has[k])
			stored_fault_note(&out[k], &account_id, &id, external_id);
	return 0;
}

int record_faults_find(struct db *db, struct stored_fault out[RECORD_FAULTS], struct err *err)
{
	memcpy(out, record_faults, sizeof(record_faults));
	return stored_faults_walk(db, &records_for_faults, PAGE_ROWS, record_fault_look, out, err);
}

/* ---- views --------------------------------------------------------------------------------- */

enum view_column { VIEW_FAULT_ID, VIEW_FAULT_ACCOUNT, VIEW_FAULT_NAME, VIEW_FAULT_QUERY };
DB_STMT(views_for_faults, "SELECT id, account_id, name, definition FROM views"
			  " WHERE id > ? ORDER BY id LIMIT ?");

/* What is wrong of it; NULL: nothing. */
static const char *view_wrong(struct arena *a, const struct uuid *account_id, json_t *query)
{
	struct err why = ERR_INIT;
	struct record_filter f;
	json_t *column;
	size_t i;

	json_array_each(json_object_get(query, "columns"), i, column)
		if (!json_is_string(column) ||
		    path_compile(a, str_from(json_string_value(column)), &why) == NULL)
			return "columns";
	json_object_del(query, "columns");
	json_object_del(query, "sort");
	return record_filter_from_json(a, query, account_id, &f, &why) == -1 ||
		       record_filter_check(&f, &why) == -1
		   ? arena_printf(a, "%s: %s", why.field, why.msg)
		   : NULL;
}

static int view_fault_look(
    void *arg, struct arena *a, const struct db_rows *r, size_t i, struct err *err)
{
	struct uuid id = db_get_uuid(r, i, VIEW_FAULT_ID),
		    account_id = db_get_uuid(r, i, VIEW_FAULT_ACCOUNT);
	json_t *query = json_parse_stored(a, db_get_str(r, i, VIEW_FAULT_QUERY), err);
	const char *why = query == NULL ? "it cannot be read" : view_wrong(a, &account_id, query);

	err_clear(err);
	if (why != NULL)
		stored_fault_note(arg, &account_id, &id,
		    str_from(
			arena_printf(a, "%.60s: %s", db_get_text(r, i, VIEW_FAULT_NAME), why)));
	return 0;
}

int view_faults_find(struct db *db, struct stored_fault *out, struct err *err)
{
	*out = (struct stored_fault){
	    .what = "views whose filter or columns can match nothing, or cannot be read",
	    .advice = "save them anew, or delete them"};
	return stored_faults_walk(db, &views_for_faults, PAGE_ROWS, view_fault_look, out, err);
}
