/* The list of leads by search words: what the search of the records finds of their records, in the
 * order of the leads. As there (record/record-search.c) it looks through the newest first, a window
 * at a time, and asks the index for what is rare; a page may be short, none skips or repeats.
 *
 * Leads keep their place, so a window is the stretch from one place to another. A lead whose record
 * was deleted has no search words: it is looked at itself where the list is looked through, and the
 * index does not know it. */
#include "base/clock.h"
#include "lead/lead-internal.h"
#include "record/record-search.h"

#define BEHIND                                                                                     \
	" AND received_at <= ? AND (received_at < ? OR id < ?) AND received_at >= ?"               \
	" AND received_at < ?"
#define NEWEST " ORDER BY received_at DESC, id DESC LIMIT ?"
/* Without being forced the server may read the index from its end down to a deep page's key. */
#define ALL " FROM leads FORCE INDEX (leads_recent) WHERE account_id = ?"
#define OF_STATUS " FROM leads FORCE INDEX (leads_sync) WHERE account_id = ? AND sync_status = ?"

#define END_HEAD "SELECT received_at, id"
#define END_TAIL BEHIND " ORDER BY received_at DESC, id DESC LIMIT 1 OFFSET ?"
enum { END_RECEIVED, END_ID };
DB_STMT(lead_window_end, END_HEAD ALL END_TAIL);
DB_STMT(lead_window_end_status, END_HEAD OF_STATUS END_TAIL);
DB_STMT(lead_window_end_partial, END_HEAD LEADS_PARTIAL END_TAIL);

/* What is left to check, and the record to check; "" for a payload that is read by itself. */
#define SEARCHED_COLUMNS                                                                           \
	LEAD_COLUMNS "," SEARCH_CHECK ", r.provider_type, r.resource_type, r.external_id,"         \
		     " r.source, CASE WHEN LENGTH(r.data) <= 32768 THEN r.data ELSE '' END"
enum {
	FOUND_CHECK = LEAD_MORE,
	FOUND_PROVIDER_TYPE,
	FOUND_RESOURCE_TYPE,
	FOUND_EXTERNAL_ID,
	FOUND_SOURCE,
	FOUND_DATA
};
#define RECORD_OF_LEAD " LEFT JOIN records r ON r.id = l.record_id AND r.account_id = l.account_id"
#define FITS                                                                                       \
	" (? IS NULL OR l.provider_type = ?) AND (? IS NULL OR l.form_id = ?)"                     \
	" AND (? IS NULL OR l.connection_id = ?) AND" SEARCH_FITS
#define SCAN_HEAD SEARCH_SHORTLY SEARCHED_COLUMNS " FROM (SELECT id AS window_id"
#define SCAN_TAIL                                                                                  \
	" AND (received_at > ? OR (received_at = ? AND id >= ?))" NEWEST                           \
	") k STRAIGHT_JOIN leads l ON l.id = k.window_id" SEARCHED("l.record_id") RECORD_OF_LEAD   \
	    " WHERE" FITS " ORDER BY l.received_at DESC, l.id DESC LIMIT ?"
DB_STMT(lead_scan, SCAN_HEAD ALL BEHIND SCAN_TAIL);
DB_STMT(lead_scan_status, SCAN_HEAD OF_STATUS BEHIND SCAN_TAIL);
DB_STMT(lead_scan_partial, SCAN_HEAD LEADS_PARTIAL BEHIND SCAN_TAIL);
DB_STMT(lead_index, SEARCH_LIMITED SEARCHED_COLUMNS
    " FROM " SEARCH_INDEXED " k STRAIGHT_JOIN records r ON r.id = k.record_id"
    " STRAIGHT_JOIN leads l ON l.account_id = r.account_id AND l.provider_type = r.provider_type"
    " AND l.provider_lead_id = r.external_id AND l.record_id = r.id" SEARCHED(
	"k.record_id") " WHERE r.account_id = ? AND (? IS NULL OR l.sync_status = ?) AND" FITS
		       " AND l.received_at <= ? AND (l.received_at < ? OR l.id < ?) AND "
		       "l.received_at >= ? AND l.received_at < ?"
		       " ORDER BY l.received_at DESC, l.id DESC LIMIT ?");
DB_STMT(lead_record_payload, "SELECT data FROM records WHERE account_id = ? AND id = ?");

struct lead_searching {
	struct app *app;
	struct arena *a;
	const struct lead_filter *f;
	struct slice *s;
	struct search_terms terms;
	struct search_pace pace;
	struct cursor at; /* all before it was looked at, nothing behind it */
	int64_t skip;     /* matches of earlier pages, for page= */
	bool may_ask;
};

/* ---- rows ---------------------------------------------------------------------------------- */

/* The record of row i as it is searched; that of a lead without one is the lead itself. 1, 0 gone,
 * -1. */
static int found_read_record(const struct lead_searching *s, struct arena *a,
    const struct db_rows *rows, size_t i, struct record_item *out, struct err *err)
{
	struct uuid id = db_get_uuid(rows, i, LEAD_RECORD);
	struct db_rows payload;
	int found;

	*out = (struct record_item){.account_id = s->f->account_id,
	    .provider_type = db_get_str(rows, i, LEAD_PROVIDER),
	    .resource_type = STR("lead"),
	    .external_id = db_get_str(rows, i, LEAD_PROVIDER_LEAD_ID),
	    .source = RECORD_SOURCE_IMPORT,
	    .data = db_get_str(rows, i, LEAD_JSON)};
	if (db_is_null(rows, i, FOUND_SOURCE))
		return 1;
	out->provider_type = db_get_str(rows, i, FOUND_PROVIDER_TYPE);
	out->resource_type = db_get_str(rows, i, FOUND_RESOURCE_TYPE);
	out->external_id = db_get_str(rows, i, FOUND_EXTERNAL_ID);
	out->source = db_get_text(rows, i, FOUND_SOURCE);
	out->data = db_get_str(rows, i, FOUND_DATA);
	if (out->data.n > 0)
		return 1;
	found = db_row(s->app->db, a, &lead_record_payload,
	    DB_VALS(db_uuid(&s->f->account_id), db_uuid(&id)), &payload, err);
	if (found == 1)
		out->data = db_get_str(&payload, 0, 0);
	return found;
}

/* 1, 0, -1. */
static int found_fits(
    const struct lead_searching *s, const struct db_rows *rows, size_t i, struct err *err)
{
	enum search_check check = (enum search_check)db_get_int(rows, i, FOUND_CHECK);
	struct arena *own;
	struct record_item record;
	int rc;

	if (check == SEARCH_IS_CHECKED || (check == SEARCH_IS_LONG && !s->terms.has_order))
		return 1;
	own = arena_new();
	rc = found_read_record(s, own, rows, i, &record, err);
	if (rc == 1)
		rc = search_row_fits(own, &s->terms, check, &record);
	arena_free(own);
	return rc;
}

static void search_end_at(struct lead_searching *s)
{
	s->s->has_more = true;
	s->s->last = s->at;
}

/* 1 the page is full (has_more set), 0 there is room, -1. */
static int found_take(
    struct lead_searching *s, const struct db_rows *rows, size_t i, struct err *err)
{
	int fits = found_fits(s, rows, i, err);
	json_t *lead;

	if (fits != 1)
		return fits;
	if (s->skip > 0) {
		s->skip--;
		return 0;
	}
	if (json_array_size(s->s->rows) == (size_t)s->s->limit) {
		s->s->has_more = true;
		return 1;
	}
	if (slice_row(s->app, s->a, rows, i, lead_stored_json, &lead, err) == -1)
		return -1;
	json_array_append(s->s->rows, lead);
	s->s->last = (struct cursor){
	    .at = db_get_int(rows, i, LEAD_RECEIVED_AT), .id = db_get_uuid(rows, i, LEAD_ID)};
	return 0;
}

/* Takes rows that fit; s->at moves along. 1 the page is full or its time is up, 0, -1. */
static int found_take_all(struct lead_searching *s, const struct db_rows *rows, struct err *err)
{
	for (size_t i = 0; i < rows->count; i++) {
		int rc = found_take(s, rows, i, err);

		if (rc != 0)
			return rc;
		s->at = (struct cursor){.at = db_get_int(rows, i, LEAD_RECEIVED_AT),
		    .id = db_get_uuid(rows, i, LEAD_ID)};
		if (!search_pace_is_over(&s->pace) || i + 1 == rows->count)
			continue;
		search_end_at(s);
		return 1;
	}
	return 0;
}

/* ---- statements ---------------------------------------------------------------------------- */

static size_t behind_values(const struct lead_searching *s, struct db_val *v)
{
	size_t n = 0;

	v[n++] = db_int(s->at.at);
	v[n++] = db_int(s->at.at);
	v[n++] = db_uuid(&s->at.id);
	v[n++] = db_int(opt_time_or(s->f->received_after, INT64_MIN));
	v[n++] = db_int(opt_time_or(s->f->received_before, INT64_MAX));
	return n;
}

static size_t fits_values(const struct lead_searching *s, struct db_val *v)
{
	size_t n = 0;

	v[n++] = db_name(s->f->provider_type);
	v[n++] = db_name(s->f->provider_type);
	v[n++] = db_strn(s->f->form_id);
	v[n++] = db_strn(s->f->form_id);
	v[n++] = db_uuid_or_null(&s->f->connection_id);
	v[n++] = db_uuid_or_null(&s->f->connection_id);
	return n + search_terms_values(&s->terms, v + n);
}

static size_t window_values(const struct lead_searching *s, struct db_val *v)
{
	size_t n = lead_kind_values(s->f, v);

	return n + behind_values(s, v + n);
}

/* The last place of the window that begins at s->at. Its last window takes all that is left, and
 * ends nowhere. */
static int window_find_end(
    const struct lead_searching *s, struct cursor *end, bool *is_last, struct err *err)
{
	static const struct db_stmt *const stmts[] = {
	    &lead_window_end, &lead_window_end_status, &lead_window_end_partial};
	struct db_val v[10];
	struct db_rows rows;
	size_t n = window_values(s, v);
	int found;

	v[n++] = db_int(s->pace.window - 1);
	found = db_row(s->app->db, s->a, stmts[lead_filter_kind(s->f)], v, n, &rows, err);
	if (found == -1)
		return -1;
	*is_last = found == 0;
	*end = (struct cursor){.at = INT64_MIN};
	if (found == 1)
		*end = (struct cursor){
		    .at = db_get_int(&rows, 0, END_RECEIVED), .id = db_get_uuid(&rows, 0, END_ID)};
	return 0;
}

static int window_query(
    const struct lead_searching *s, const struct cursor *end, struct db_rows *rows, struct err *err)
{
	static const struct db_stmt *const stmts[] = {
	    &lead_scan, &lead_scan_status, &lead_scan_partial};
	struct db_val v[22 + SEARCH_VALUES];
	size_t n = window_values(s, v);

	v[n++] = db_int(end->at);
	v[n++] = db_int(end->at);
	v[n++] = db_uuid(&end->id);
	v[n++] = db_int(s->pace.window + SEARCH_ENTERED);
	v[n++] = db_uuid(&s->f->account_id);
	n += fits_values(s, v + n);
	v[n++] = db_int(s->pace.most);
	return db_query(s->app->db, s->a, stmts[lead_filter_kind(s->f)], v, n, rows, err);
}

/* At most `most` of them, in their order. */
static int index_query(const struct lead_searching *s, const char *match, size_t most,
    struct db_rows *rows, struct err *err)
{
	struct db_val v[20 + SEARCH_VALUES];
	size_t n = 0;

	v[n++] = db_str(match);
	for (int i = 0; i < 3; i++)
		v[n++] = db_uuid(&s->f->account_id);
	v[n++] = db_name(s->f->sync_status);
	v[n++] = db_name(s->f->sync_status);
	n += fits_values(s, v + n);
	n += behind_values(s, v + n);
	v[n++] = db_int((int64_t)most);
	return db_query(s->app->db, s->a, &lead_index, v, n, rows, err);
}

/* Rows that the page still takes, with the one that tells that there are more. */
static int64_t rows_wanted(const struct lead_searching *s)
{
	return s->s->limit + 1 - (int64_t)json_array_size(s->s->rows) + s->skip;
}

/* ---- the search ---------------------------------------------------------------------------- */

/* All that match behind s->at: 1 the page is full or complete, 0 it could not tell in its time, -1.
 */
static int index_ask(struct lead_searching *s, struct err *err)
{
	struct err e = ERR_INIT;
	struct db_rows rows;
	const char *match;
	size_t most = search_index_first(rows_wanted(s)), asked;
	int rc;

	if (search_match_text(s->app, s->a, &s->f->account_id, &s->terms, &s->pace, &match, err) ==
	    -1)
		return -1;
	if (match == NULL)
		return 0;
	do {
		asked = most;
		most = SEARCH_CANDIDATES;
		if (index_query(s, match, asked, &rows, &e) == -1)
			return e.code == ERR_TIMEOUT ? 0 : err_set(err, e.code, "%s", e.msg);
		rc = found_take_all(s, &rows, err);
	} while (rc == 0 && rows.count == asked);
	return rc == -1 ? -1 : 1;
}

/* One window: 1 the page is done, 0 there is more to look at, -1. */
static int search_one_window(struct lead_searching *s, struct err *err)
{
	const size_t before = json_array_size(s->s->rows);
	const int64_t skipped = s->skip, began_us = clock_mono_us();
	struct err e = ERR_INIT;
	struct cursor end;
	struct db_rows rows;
	bool is_last, is_cut;
	int64_t took_us;
	int rc;

	if (window_find_end(s, &end, &is_last, err) == -1)
		return -1;
	if (window_query(s, &end, &rows, &e) == -1) {
		if (e.code != ERR_TIMEOUT)
			return err_set(err, e.code, "%s", e.msg);
		search_pace_shrink(&s->pace);
		return 0;
	}
	is_cut = rows.count == (size_t)s->pace.most;
	if ((rc = found_take_all(s, &rows, err)) != 0)
		return rc;
	if (!is_cut && is_last)
		return 1;
	if (!is_cut)
		s->at = end;
	took_us = clock_mono_us() - began_us;
	if (s->may_ask && search_pace_may_ask(&s->pace, rows.count)) {
		s->may_ask = false;
		if ((rc = index_ask(s, err)) != 0)
			return rc;
	}
	search_pace_next(&s->pace, took_us, rows.count,
	    (int64_t)(json_array_size(s->s->rows) - before) + skipped - s->skip, rows_wanted(s));
	return 0;
}

int lead_search(struct app *app, struct arena *a, const struct lead_filter *f, struct slice *slice,
    struct err *err)
{
	struct lead_searching s = {.app = app,
	    .a = a,
	    .f = f,
	    .s = slice,
	    .at = slice_from(slice),
	    .skip = slice->offset,
	    .may_ask = lead_filter_kind(f) != LEADS_OF_PARTIAL}; /* those are few */
	int rc;

	slice->rows = json_own(a, json_array());
	slice->has_more = false;
	if (search_terms_add(&s.terms, a, &f->account_id, f->search, err) == -1)
		return -1;
	if (s.terms.is_impossible)
		return 0;
	search_pace_begin(&s.pace, slice->limit + 1 + s.skip);
	do {
		rc = search_one_window(&s, err);
	} while (rc == 0 && !search_pace_is_over(&s.pace));
	if (rc == 0)
		search_end_at(&s);
	return rc == -1 ? -1 : 0;
}
