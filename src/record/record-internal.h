/* What the files of this feature share. */
#ifndef RECORD_RECORD_INTERNAL_H
#define RECORD_RECORD_INTERNAL_H
#include "record/record-shape.h"
#include "record/record-words.h"
#include "record/record.h"

/* The columns of record_row_read; `r` is the record, `l` the lead that it mirrors. */
#define RECORD_COLUMNS                                                                             \
	"r.id, r.provider_type, r.resource_type, r.external_id, r.source, r.data, "                \
	"r.first_seen_at,"                                                                         \
	" r.updated_at, r.provider_updated_at, r.connection_id,"                                   \
	" l.id, l.sync_status, l.connection_id"
enum {
	RECORD_ROW_ID,
	RECORD_ROW_PROVIDER_TYPE,
	RECORD_ROW_RESOURCE_TYPE,
	RECORD_ROW_EXTERNAL_ID,
	RECORD_ROW_SOURCE,
	RECORD_ROW_DATA,
	RECORD_ROW_FIRST_SEEN,
	RECORD_ROW_UPDATED,
	RECORD_ROW_PROVIDER_UPDATED,
	RECORD_ROW_CONNECTION,
	RECORD_ROW_LEAD_ID,
	RECORD_ROW_LEAD_STATUS,
	RECORD_ROW_LEAD_CONNECTION,
	RECORD_ROW_MORE /* the first column that a statement adds */
};
/* A lead's record has the lead's own id as external id. */
#define RECORD_LEAD                                                                                \
	" LEFT JOIN leads l ON r.resource_type = 'lead'"                                           \
	" AND l.account_id = r.account_id AND l.provider_type = r.provider_type"                   \
	" AND l.provider_lead_id = r.external_id "

/* One value: the filter's copies. Is it no copy of a lead that we pushed there? */
#define RECORD_NO_COPY                                                                             \
	" (? IS NULL OR r.resource_type <> 'lead' OR l.id IS NOT NULL OR NOT EXISTS"               \
	" (SELECT 1 FROM lead_copies o WHERE o.account_id = r.account_id"                          \
	" AND o.provider_type = r.provider_type AND o.external_id = r.external_id))"

struct key_range {
	int64_t from_us,
	    to_us; /* newest first: from ≥ updated_at ≥ to; oldest first: from ≤ … < to */
	struct uuid from_id;
};
/* Where a page begins and the filter's times end it. */
void record_key_range(
    const struct record_filter *f, const struct record_slice *slice, struct key_range *out);
/* Row i (RECORD_COLUMNS). */
void record_row_read(struct arena *a, const struct db_rows *rows, size_t i, struct record_row *out);
/* Row i (RECORD_COLUMNS) for that slice, and where it stands. */
int record_place_read(struct arena *a, const struct record_slice *slice, const struct db_rows *rows,
    size_t i, int64_t at_us, struct record_place *out, struct err *err);
/* Appends row i to the page and moves its end there. */
int record_slice_add(struct arena *a, struct record_slice *slice, const struct db_rows *rows,
    size_t i, struct err *err);
/* ---- record-where.c: conditions on fields ---- */

/* "address.city" or "amount][gt", what stands between filter[ and ], as path and operator. */
void record_where_split(struct str inner, struct str *path, struct str *op);
/* "filter[amount][gt]", ending with NUL. */
struct str record_where_name(struct arena *a, const struct record_where *w);
/* Has the payload what the filter's conditions ask for? Of an array any element may. */
bool record_where_fits(struct arena *a, const struct record_filter *f, struct str data);
/* Has row i (RECORD_COLUMNS) all that the filter asks of a record, its times apart? Of the words
 * what is left to check. */
bool record_row_fits(const struct record_filter *f, const struct search_terms *terms,
    enum search_check check, const struct db_rows *rows, size_t i);
/* With a memory, oldest first and where it is full: rows behind the horizon that stood elsewhere
 * before are left out of the page. Oldest first the list ends before `end`, or those who write
 * would be followed forever. INT64_MAX where neither is so. */
int64_t record_moves_horizon(const struct record_slice *slice);
int64_t record_moves_end(const struct record_slice *slice);
/* Begins to remember; adds what left the page's stretch of the list since; remembers what it has
 * shown. */
void record_moves_begin(struct record_memory *m);
int record_moves_show(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err);
void record_moves_remember(struct record_slice *slice);
/* record_list where the filter needs more than an index. */
int record_search(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err);
#endif
