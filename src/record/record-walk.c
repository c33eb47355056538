/* Going through all records that a filter matches.
 *
 *   kinds:  (hubspot, contact)   (hubspot, deal)   (meta, lead)
 *             a  b  c  d  e        ...                              external ids, in order
 *                   ^ the position: kind and external id; the next page reads what lies behind
 *
 * Lists go by updated_at, which changes under those who read; a walk goes by what never changes, so
 * that each record is visited exactly once whatever is written meanwhile, and a walk that was
 * interrupted goes on at its position, even if the record there is gone.
 *
 * Records first seen after seen_before_us are left out, or a walk beside a busy writer would have
 * no end.
 *
 * A page reads every row of its stretch, those that do not match without their payload: the number
 * of rows bounds the time of a statement, not the number of matches. A payload that is too large
 * for a page is read by itself, so memory holds a page of small ones and one large one. What SQL
 * cannot tell (values of fields, records that wait for the search index) is checked here. */
#include "record/record-walk.h"

#include "base/clock.h"
#include "record/lead-status.h"
#include "record/record-internal.h"

#define PAGE 200
#define PAYLOAD_BYTES 32768 /* longer payloads are read by themselves */

DB_STMT(walk_kinds,
    "SELECT DISTINCT provider_type, resource_type FROM record_counts WHERE account_id = ?"
    " AND (? IS NULL OR provider_type = ?) AND (? IS NULL OR resource_type = ?)"
    " ORDER BY provider_type, resource_type");
enum { KIND_PROVIDER_TYPE, KIND_RESOURCE_TYPE };

/* Every row of a page comes: those that do not fit with NULL for the payload, so that no statement
 * runs long, however few fit; those too large to be read by the hundred with "". */
#define WALK_HEAD                                                                                  \
	"SELECT r.id, r.external_id, r.source, r.first_seen_at, r.updated_at,"                     \
	" r.provider_updated_at, r.connection_id, l.id,"
enum {
	WALK_ID,
	WALK_EXTERNAL_ID,
	WALK_SOURCE,
	WALK_FIRST_SEEN,
	WALK_UPDATED,
	WALK_PROVIDER_UPDATED,
	WALK_CONNECTION,
	WALK_LEAD_ID,
	WALK_CHECK,
	WALK_DATA
};
#define WALK_FITS                                                                                  \
	" CASE WHEN ((? IS NULL OR r.source = ?) AND (? IS NULL OR l.sync_status = ?) AND "        \
	"(? IS NULL OR l.connection_id = ?) AND (? IS NULL OR r.connection_id = ?) "               \
	"AND" RECORD_NO_COPY " AND "                                                               \
	"r.updated_at >= ? AND r.updated_at < ?"                                                   \
	" AND r.first_seen_at < ?"
#define WALK_PARTIAL WALK_FITS " AND" LEAD_IS_PARTIAL
#define WALK_PAYLOAD                                                                               \
	") IS NOT TRUE THEN NULL WHEN LENGTH(r.data) <= ? THEN r.data ELSE '' END"                 \
	" FROM records r FORCE INDEX (records_external)" RECORD_LEAD
#define WALK_TAIL                                                                                  \
	" WHERE r.account_id = ? AND r.provider_type = ? AND r.resource_type = ?"                  \
	" AND (? IS NULL OR r.external_id > ?) ORDER BY r.external_id LIMIT 200"
DB_STMT(walk_page, WALK_HEAD " 0," WALK_FITS WALK_PAYLOAD WALK_TAIL);
DB_STMT(walk_page_partial, WALK_HEAD " 0," WALK_PARTIAL WALK_PAYLOAD WALK_TAIL);
/* As in lists, what the words do not tell is looked at in the payload. */
#define WALK_SEARCHED                                                                              \
	" AND" SEARCH_FITS WALK_PAYLOAD " LEFT JOIN record_search_queue q FORCE INDEX (PRIMARY)"   \
	" ON q.account_id = r.account_id AND q.record_id = r.id"                                   \
	" LEFT JOIN record_search s ON s.record_id = r.id" WALK_TAIL
DB_STMT(walk_page_search, WALK_HEAD SEARCH_CHECK "," WALK_FITS WALK_SEARCHED);
DB_STMT(walk_page_search_partial, WALK_HEAD SEARCH_CHECK "," WALK_PARTIAL WALK_SEARCHED);
DB_STMT(walk_payload, "SELECT data FROM records WHERE account_id = ? AND id = ?");

int record_walk_begin(struct record_walk *w, struct app *app, struct arena *a,
    const struct record_filter *f, struct err *err)
{
	struct db_rows rows;

	*w = (struct record_walk){.app = app, .filter = f, .seen_before_us = clock_now_us() + 1};
	if (search_terms_add_filter(&w->terms, a, f, err) == -1)
		return -1;
	if (w->terms.is_impossible)
		return 0;
	if (db_query(app->db, a, &walk_kinds,
		DB_VALS(db_uuid(&f->account_id), db_name(f->provider_type),
		    db_name(f->provider_type), db_name(f->resource_type),
		    db_name(f->resource_type)),
		&rows, err) == -1)
		return -1;
	w->nkinds = rows.count;
	w->kinds = arena_array(a, rows.count + 1, sizeof(*w->kinds));
	for (size_t i = 0; i < rows.count; i++)
		w->kinds[i] = (struct record_walk_kind){db_get_str(&rows, i, KIND_PROVIDER_TYPE),
		    db_get_str(&rows, i, KIND_RESOURCE_TYPE)};
	return 0;
}

static void walk_set_after(struct record_walk *w, struct str external_id)
{
	w->nafter = external_id.n < sizeof(w->after) ? external_id.n : sizeof(w->after) - 1;
	memcpy(w->after, external_id.p, w->nafter);
}

static int type_compare(struct str a, struct str b)
{
	int rc = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return rc != 0 ? rc : (a.n > b.n) - (a.n < b.n);
}

void record_walk_seek(struct record_walk *w, struct str provider_type, struct str resource_type,
    struct str external_id)
{
	for (w->kind = 0; w->kind < w->nkinds; w->kind++) {
		const struct record_walk_kind *k = &w->kinds[w->kind];
		int order = type_compare(k->provider_type, provider_type);

		if (order == 0)
			order = type_compare(k->resource_type, resource_type);
		if (order == 0)
			walk_set_after(w, external_id);
		if (order >= 0)
			return;
	}
}

/* ---- one row ------------------------------------------------------------------------------- */

/* What SQL could not tell. */
static bool walk_row_fits(
    const struct record_walk *w, const struct record_row *row, enum search_check check)
{
	struct record_item item = {.account_id = w->filter->account_id,
	    .provider_type = row->provider_type,
	    .resource_type = row->resource_type,
	    .external_id = row->external_id,
	    .source = arena_strndup(row->a, row->source.p, row->source.n),
	    .connection_id = row->connection_id,
	    .data = row->data};

	return record_where_fits(row->a, w->filter, row->data) &&
	       search_row_fits(row->a, &w->terms, check, &item);
}

/* A payload that was too large for the page; 1, 0 deleted meanwhile, -1. */
static int walk_read_payload(const struct record_walk *w, struct record_row *row, struct err *err)
{
	struct db_rows rows;
	int found = db_row(w->app->db, row->a, &walk_payload,
	    DB_VALS(db_uuid(&w->filter->account_id), db_uuid(&row->id)), &rows, err);

	if (found == 1)
		row->data = db_get_str(&rows, 0, 0);
	return found;
}

static bool walk_needs_payloads(const struct record_walk *w)
{
	return !w->is_counting || w->filter->nwhere > 0;
}

static int walk_visit_row(struct record_walk *w, const struct db_rows *rows, size_t i,
    struct arena *a, record_walk_fn *each, void *arg, struct err *err)
{
	const struct record_walk_kind *k = &w->kinds[w->kind];
	enum search_check check = (enum search_check)db_get_int(rows, i, WALK_CHECK);
	struct record_row row = {.a = a,
	    .id = db_get_uuid(rows, i, WALK_ID),
	    .provider_type = k->provider_type,
	    .resource_type = k->resource_type,
	    .external_id = db_get_str(rows, i, WALK_EXTERNAL_ID),
	    .source = db_get_str(rows, i, WALK_SOURCE),
	    .data = db_get_str(rows, i, WALK_DATA),
	    .first_seen_us = db_get_int(rows, i, WALK_FIRST_SEEN),
	    .updated_us = db_get_int(rows, i, WALK_UPDATED),
	    .provider_updated_us = db_get_time(rows, i, WALK_PROVIDER_UPDATED),
	    .connection_id = db_get_uuid(rows, i, WALK_CONNECTION),
	    .lead_id = db_get_uuid(rows, i, WALK_LEAD_ID)};

	if (db_is_null(rows, i, WALK_DATA)) /* it does not fit */
		return 0;
	if (row.data.n == 0 && (walk_needs_payloads(w) || check != SEARCH_IS_CHECKED)) {
		int found = walk_read_payload(w, &row, err);

		if (found != 1)
			return found;
	}
	return walk_row_fits(w, &row, check) ? each(arg, &row, err) : 0;
}

/* ---- pages --------------------------------------------------------------------------------- */

static int walk_read_page(
    const struct record_walk *w, struct arena *a, struct db_rows *rows, struct err *err)
{
	static const struct db_stmt *const stmts[] = {
	    &walk_page, &walk_page_search, &walk_page_partial, &walk_page_search_partial};
	const struct record_filter *f = w->filter;
	const bool is_partial = str_is(f->lead_status, LEAD_SYNC_PARTIAL);
	const struct record_walk_kind *k = &w->kinds[w->kind];
	const struct str after =
	    w->nafter == 0 ? (struct str){NULL, 0} : (struct str){w->after, w->nafter};
	struct db_val v[19 + SEARCH_VALUES];
	size_t n = 0;

	v[n++] = db_name(f->source);
	v[n++] = db_name(f->source);
	v[n++] = db_name(lead_status_stored(f->lead_status));
	v[n++] = db_name(lead_status_stored(f->lead_status));
	v[n++] = db_uuid_or_null(&f->lead_connection);
	v[n++] = db_uuid_or_null(&f->lead_connection);
	v[n++] = db_uuid_or_null(&f->connection);
	v[n++] = db_uuid_or_null(&f->connection);
	v[n++] = db_name(f->copies);
	v[n++] = db_int(record_filter_from(f));
	v[n++] = db_int(record_filter_until(f));
	v[n++] = db_int(w->seen_before_us);
	if (w->terms.n > 0)
		n += search_terms_values(&w->terms, v + n);
	v[n++] = db_int(walk_needs_payloads(w) ? PAYLOAD_BYTES : -1);
	v[n++] = db_uuid(&f->account_id);
	v[n++] = db_strn(k->provider_type);
	v[n++] = db_strn(k->resource_type);
	v[n++] = db_strn(after);
	v[n++] = db_strn(after);
	return db_query(w->app->db, a, stmts[2 * is_partial + (w->terms.n > 0)], v, n, rows, err);
}

int record_walk_page(struct record_walk *w, record_walk_fn *each, void *arg, struct err *err)
{
	struct arena *a, *of_row;
	struct db_rows rows;
	int rc;

	if (w->kind >= w->nkinds)
		return 0;
	a = arena_new();
	of_row = arena_new();
	rc = walk_read_page(w, a, &rows, err);
	for (size_t i = 0; rc == 0 && i < rows.count; i++) {
		rc = walk_visit_row(w, &rows, i, of_row, each, arg, err);
		if (rc != -1)
			walk_set_after(w, db_get_str(&rows, i, WALK_EXTERNAL_ID));
		arena_reset(of_row);
	}
	if (rc == 0 && rows.count < PAGE) {
		w->kind++;
		w->nafter = 0;
	}
	arena_free(of_row);
	arena_free(a);
	return rc == -1 ? -1 : w->kind < w->nkinds;
}

static int walk_count_one(void *arg, const struct record_row *row, struct err *err)
{
	int64_t *n = arg;

	(void)row;
	(void)err;
	(*n)++;
	return 0;
}

int record_walk_count(
    struct record_walk *w, int64_t until_us, int64_t *n, bool *is_exact, struct err *err)
{
	int more;

	*n = 0;
	w->is_counting = true;
	do {
		more = record_walk_page(w, walk_count_one, n, err);
	} while (more == 1 && clock_mono_us() < until_us);
	*is_exact = more == 0;
	return more == -1 ? -1 : 0;
}
