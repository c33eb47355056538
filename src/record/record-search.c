/* Lists by search words, provider, source and values of fields.
 *
 *   list:  at ->[ window ]->[ window ]->[ window ] ...            scanning
 *                   |            |
 *             matches enough   a FEW, or none: ask the index once    the index, for all behind `at`
 *
 * Two ways of finding, since each is fast where the other is slow: scanning the newest records for
 * what is common, the full-text index for what is rare. Both look at the same words, so they agree,
 * and the page may go from one to the other at any place.
 *
 * Invariants: all that stands before `at` has been looked at and nothing behind it, so the search
 * can stop anywhere. A page is full (has_more), or complete, or its time is up: then it ends at
 * `at`, has_more set, and the next page goes on from there. A page may be short; no page skips or
 * repeats a record.
 *
 * The end of a window is read before the window itself, since others write meanwhile and would move
 * it. The statements check the words only; what SQL cannot tell exactly (kinds and values by their
 * words, the order of a long record's words, records that still wait for the index) is checked
 * again row by row. The index is asked for rare words alone and with a time limit, for it reads the
 * whole list of each word: where it cannot tell in time, scanning goes on. It is asked together
 * with the records that wait for it, or not at all while very many do.
 *
 * How long the words of a record are nobody knows before they are read. So statements have a time
 * limit, windows are as large as the last one allows, and rows are looked at until the time is up.
 * Large payloads are read one by one. */
#include "record/record-search.h"
#include "base/clock.h"
#include "base/limits.h"
#include "record/lead-status.h"
#include "record/record-internal.h"

#define WINDOW 4000      /* records looked through in one statement */
#define WINDOW_FIRST 250 /* in the first: what is common fills a page with less */
#define WINDOW_LEAST 16
#define WINDOW_GROWTH 4 /* times, from one to the next: a few matches of the first may be chance */
#define WINDOW_US 25000 /* that a window should take */
#define SCAN_BUDGET_US 90000 /* then a page ends where it got to */
#define RARE 2               /* hits in a whole sample up to which the index is asked for a word */
#define WAITING_MOST 500     /* records that wait for the index and are asked for with it */

#define BELOW " AND updated_at <= ? AND (updated_at < ? OR id < ?) AND updated_at >= ?"
#define ABOVE " AND updated_at >= ? AND (updated_at > ? OR id > ?) AND updated_at < ?"
#define WINDOW_NEWEST BELOW " ORDER BY updated_at DESC, id DESC LIMIT ?"
#define WINDOW_OLDEST ABOVE " ORDER BY updated_at, id LIMIT ?"
/* Without being forced the server may read the index from its end down to a deep page's key. */
#define ALL " FROM records FORCE INDEX (records_recent) WHERE account_id = ?"
#define OF_TYPE                                                                                    \
	" FROM records FORCE INDEX (records_type_recent) WHERE account_id = ?"                     \
	" AND resource_type = ?"

/* The records of leads that are partly delivered, whatever their type is asked for as. */
#define OF_PARTIAL                                                                                 \
	" FROM (SELECT w.id, w.updated_at FROM (SELECT l.account_id, l.provider_type,"             \
	" l.provider_lead_id" LEADS_PARTIAL ") y STRAIGHT_JOIN records w"                          \
	" FORCE INDEX (records_external) ON w.account_id = y.account_id"                           \
	" AND w.provider_type = y.provider_type AND w.resource_type = 'lead'"                      \
	" AND w.external_id = y.provider_lead_id) z WHERE TRUE"

/* As RECORD_COLUMNS, with "" for a payload that is too large to be read by the hundred. */
#define SEARCH_COLUMNS                                                                             \
	"r.id, r.provider_type, r.resource_type, r.external_id, r.source,"                         \
	" CASE WHEN LENGTH(r.data) <= 32768 THEN r.data ELSE '' END, r.first_seen_at,"             \
	" r.updated_at, r.provider_updated_at, r.connection_id,"                                   \
	" l.id, l.sync_status, l.connection_id," SEARCH_CHECK
enum { SEARCH_ROW_CHECK = RECORD_ROW_MORE };
#define OF_LEAD                                                                                    \
	" (? IS NULL OR l.sync_status = ?) AND (? IS NULL OR l.connection_id = ?) "                \
	"AND" RECORD_NO_COPY " AND"
#define SCAN_HEAD SEARCH_SHORTLY SEARCH_COLUMNS " FROM (SELECT id AS window_id"
/* The words come before the payloads (STRAIGHT_JOIN): most records of a window do not match. */
#define SCAN_TAIL                                                                                  \
	") k" SEARCHED("k.window_id") " STRAIGHT_JOIN records r ON r.id = k.window_id" RECORD_LEAD \
				      " WHERE" OF_LEAD SEARCH_FITS
DB_STMT(search_scan_newest,
    SCAN_HEAD ALL WINDOW_NEWEST SCAN_TAIL " ORDER BY r.updated_at DESC, r.id DESC LIMIT ?");
DB_STMT(search_scan_oldest,
    SCAN_HEAD ALL WINDOW_OLDEST SCAN_TAIL " ORDER BY r.updated_at, r.id LIMIT ?");
DB_STMT(search_scan_type_newest,
    SCAN_HEAD OF_TYPE WINDOW_NEWEST SCAN_TAIL " ORDER BY r.updated_at DESC, r.id DESC LIMIT ?");
DB_STMT(search_scan_type_oldest,
    SCAN_HEAD OF_TYPE WINDOW_OLDEST SCAN_TAIL " ORDER BY r.updated_at, r.id LIMIT ?");
DB_STMT(search_scan_partial_newest,
    SCAN_HEAD OF_PARTIAL WINDOW_NEWEST SCAN_TAIL " ORDER BY r.updated_at DESC, r.id DESC LIMIT ?");
DB_STMT(search_scan_partial_oldest,
    SCAN_HEAD OF_PARTIAL WINDOW_OLDEST SCAN_TAIL " ORDER BY r.updated_at, r.id LIMIT ?");

#define END_HEAD "SELECT updated_at, id"
#define END_NEWEST BELOW " ORDER BY updated_at DESC, id DESC LIMIT 1 OFFSET ?"
#define END_OLDEST ABOVE " ORDER BY updated_at, id LIMIT 1 OFFSET ?"
enum { END_UPDATED, END_ID };
DB_STMT(window_end_newest, END_HEAD ALL END_NEWEST);
DB_STMT(window_end_oldest, END_HEAD ALL END_OLDEST);
DB_STMT(window_end_type_newest, END_HEAD OF_TYPE END_NEWEST);
DB_STMT(window_end_type_oldest, END_HEAD OF_TYPE END_OLDEST);
DB_STMT(window_end_partial_newest, END_HEAD OF_PARTIAL END_NEWEST);
DB_STMT(window_end_partial_oldest, END_HEAD OF_PARTIAL END_OLDEST);

#define FOUND_NEWEST                                                                               \
	" AND r.updated_at <= ? AND (r.updated_at < ? OR r.id < ?) AND r.updated_at >= ?"          \
	" ORDER BY r.updated_at DESC, r.id DESC LIMIT ?"
#define FOUND_OLDEST                                                                               \
	" AND r.updated_at >= ? AND (r.updated_at > ? OR r.id > ?) AND r.updated_at < ?"           \
	" ORDER BY r.updated_at, r.id LIMIT ?"
#define INDEXED                                                                                    \
	SEARCH_LIMITED SEARCH_COLUMNS                                                              \
	    " FROM " SEARCH_INDEXED                                                                \
	    " k STRAIGHT_JOIN records r ON r.id = k.record_id" SEARCHED("k.record_id") RECORD_LEAD \
	    " WHERE r.account_id = ? AND" OF_LEAD SEARCH_FITS
DB_STMT(search_index_newest, INDEXED FOUND_NEWEST);
DB_STMT(search_index_oldest, INDEXED FOUND_OLDEST);
/* The places alone: words and payloads, which may be long, are not touched. */
#define PLACES                                                                                     \
	SEARCH_LIMITED "r.updated_at, r.id FROM " SEARCH_INDEXED                                   \
		       " k STRAIGHT_JOIN records r ON r.id = k.record_id WHERE r.account_id = ?"
DB_STMT(index_end_newest, PLACES FOUND_NEWEST " OFFSET ?");
DB_STMT(index_end_oldest, PLACES FOUND_OLDEST " OFFSET ?");
DB_STMT(search_waiting, "SELECT COUNT(*) FROM (SELECT 1 FROM record_search_queue"
			" FORCE INDEX (record_search_queue_account)"
			" WHERE account_id = ? LIMIT 501) w");
DB_STMT(search_alone, "SELECT " RECORD_COLUMNS " FROM records r" RECORD_LEAD
		      " WHERE r.account_id = ? AND r.id = ? AND r.updated_at = ?");

/* How often each word stands in a sample of the account's records: eight runs spread over their
 * time, since what is rare today may have been common last year. */
#define SAMPLE                                                                                     \
	"(SELECT id FROM records FORCE INDEX (records_recent)"                                     \
	" WHERE account_id = ? AND updated_at <= ?"                                                \
	" ORDER BY updated_at DESC, id DESC LIMIT ?)"
DB_STMT(search_span,
    "SELECT MIN(updated_at), MAX(updated_at) FROM records FORCE INDEX (records_recent)"
    " WHERE account_id = ?");
enum { SPAN_OLDEST, SPAN_NEWEST };
#define HIT "COUNT(s.words LIKE ? OR NULL)" /* SUM would add up decimals */
DB_STMT(search_hits, SEARCH_SHORTLY HIT
    "," HIT "," HIT "," HIT "," HIT "," HIT "," HIT "," HIT "," HIT "," HIT "," HIT "," HIT
    " FROM (" SAMPLE " UNION ALL " SAMPLE " UNION ALL " SAMPLE " UNION ALL " SAMPLE
    " UNION ALL " SAMPLE " UNION ALL " SAMPLE " UNION ALL " SAMPLE " UNION ALL " SAMPLE
    ") k STRAIGHT_JOIN record_search s ON s.record_id = k.id");
#define SAMPLES 8
#define SAMPLE_ROWS 100 /* of each, at most */

struct record_searching {
	struct app *app;
	struct arena *a;
	const struct record_filter *f;
	struct record_slice *slice;
	struct search_terms terms;
	struct key_range at; /* where the next statement begins */
	int64_t skip;        /* matches of earlier pages, for page= */
	struct search_pace pace;
};

/* ---- pace ---------------------------------------------------------------------------------- */

static int64_t int_between(int64_t least, int64_t v, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

void search_pace_begin(struct search_pace *p, int64_t wanted)
{
	*p = (struct search_pace){.window = WINDOW_FIRST,
	    .widest = WINDOW,
	    .most = int_between(1, wanted, SEARCH_CANDIDATES),
	    .until_us = clock_mono_us() + SCAN_BUDGET_US};
}

/* Half as much again as would fill the page if its matches stand as close as those that were taken
 * of the last window; no wider than what takes its time, by what that one took. */
void search_pace_next(
    struct search_pace *p, int64_t took_us, size_t found, int64_t taken, int64_t wanted)
{
	p->widest =
	    int_between(WINDOW_LEAST, p->window * WINDOW_US / (took_us > 0 ? took_us : 1), WINDOW);
	p->window = int_between(p->widest < WINDOW_FIRST ? p->widest : WINDOW_FIRST,
	    taken > 0 ? 3 * wanted * p->window / (2 * taken) : WINDOW,
	    int_between(WINDOW_LEAST, WINDOW_GROWTH * p->window, p->widest));
	p->most =
	    (int64_t)found > taken ? SEARCH_CANDIDATES : int_between(1, wanted, SEARCH_CANDIDATES);
}

void search_pace_shrink(struct search_pace *p)
{
	p->window = p->widest = int_between(WINDOW_LEAST, p->window / 16, WINDOW);
}

bool search_pace_is_over(const struct search_pace *p)
{
	return clock_mono_us() >= p->until_us;
}

bool search_pace_may_ask(const struct search_pace *p, size_t found)
{
	return found == 0 ||
	       (found < SEARCH_FEW && (p->window > WINDOW_FIRST || p->window >= p->widest));
}

size_t search_index_first(int64_t wanted)
{
	return (size_t)int_between(1, wanted, SEARCH_CANDIDATES);
}

/* ---- checks that SQL did not make ---------------------------------------------------------- */

bool record_row_fits(const struct record_filter *f, const struct search_terms *terms,
    enum search_check check, const struct db_rows *rows, size_t i)
{
	struct record_item item = {.account_id = f->account_id,
	    .provider_type = db_get_str(rows, i, RECORD_ROW_PROVIDER_TYPE),
	    .resource_type = db_get_str(rows, i, RECORD_ROW_RESOURCE_TYPE),
	    .external_id = db_get_str(rows, i, RECORD_ROW_EXTERNAL_ID),
	    .source = db_get_text(rows, i, RECORD_ROW_SOURCE),
	    .connection_id = db_get_uuid(rows, i, RECORD_ROW_CONNECTION),
	    .data = db_get_str(rows, i, RECORD_ROW_DATA)};
	struct arena *own = arena_new();
	bool fits;

	fits = (f->provider_type.p == NULL || str_eq(f->provider_type, item.provider_type)) &&
	       (f->resource_type.p == NULL || str_eq(f->resource_type, item.resource_type)) &&
	       (f->source.p == NULL || str_is(f->source, item.source)) &&
	       (uuid_is_nil(f->connection) || uuid_eq(f->connection, item.connection_id)) &&
	       (f->lead_status.p == NULL || str_eq(lead_status_stored(f->lead_status),
						db_get_str(rows, i, RECORD_ROW_LEAD_STATUS))) &&
	       (uuid_is_nil(f->lead_connection) ||
		   uuid_eq(f->lead_connection, db_get_uuid(rows, i, RECORD_ROW_LEAD_CONNECTION))) &&
	       record_where_fits(own, f, item.data) && search_row_fits(own, terms, check, &item);
	arena_free(own);
	return fits;
}

/* Oldest first, one may move from behind us to before us while we search. */
static bool page_has_taken(const struct record_slice *slice, struct uuid id)
{
	for (size_t i = 0; slice->s.is_ascending && i < slice->nplaces; i++)
		if (uuid_eq(slice->places[i].id, id))
			return true;
	return false;
}

/* A record that waits for the index is looked at as it is now. */
static bool search_wants_row(
    struct record_searching *s, enum search_check check, const struct db_rows *rows, size_t i)
{
	int64_t at_us = db_get_int(rows, i, RECORD_ROW_UPDATED);

	if (at_us > record_moves_horizon(s->slice) &&
	    at_us != db_get_int(rows, i, RECORD_ROW_FIRST_SEEN))
		return false;
	return !page_has_taken(s->slice, db_get_uuid(rows, i, RECORD_ROW_ID)) &&
	       record_row_fits(s->f, &s->terms, check, rows, i);
}

/* Row *i of *rows, by itself in *alone where its payload was left out: 1, 0 it has left its place
 * meanwhile, -1. */
static int search_open_row(struct record_searching *s, const struct db_rows **rows, size_t *i,
    struct db_rows *alone, struct err *err)
{
	struct uuid id = db_get_uuid(*rows, *i, RECORD_ROW_ID);
	int found;

	if (db_get_str(*rows, *i, RECORD_ROW_DATA).n > 0)
		return 1;
	found = db_row(s->app->db, s->a, &search_alone,
	    DB_VALS(db_uuid(&s->f->account_id), db_uuid(&id),
		db_int(db_get_int(*rows, *i, RECORD_ROW_UPDATED))),
	    alone, err);
	*rows = alone;
	*i = 0;
	return found;
}

/* 1 the page is full (has_more set), 0 there is room, -1. */
static int search_take_row(
    struct record_searching *s, const struct db_rows *rows, size_t i, struct err *err)
{
	enum search_check check = (enum search_check)db_get_int(rows, i, SEARCH_ROW_CHECK);
	struct db_rows alone;
	int found = search_open_row(s, &rows, &i, &alone, err);

	if (found != 1 || !search_wants_row(s, check, rows, i))
		return found == -1 ? -1 : 0;
	if (s->skip > 0) {
		s->skip--;
		return 0;
	}
	if (json_array_size(s->slice->s.rows) == (size_t)s->slice->s.limit) {
		s->slice->s.has_more = true;
		return 1;
	}
	return record_slice_add(s->a, s->slice, rows, i, err);
}

static void search_end_at(struct record_searching *s, int64_t at_us, struct uuid id)
{
	s->slice->s.has_more = true;
	s->slice->s.last.at = at_us;
	s->slice->s.last.id = id;
}

/* Takes rows that fit until the page is full or its time is up: 1 then, 0 while there is room, -1.
 */
static int search_take_rows(struct record_searching *s, const struct db_rows *rows, struct err *err)
{
	for (size_t i = 0; i < rows->count; i++) {
		int rc = search_take_row(s, rows, i, err);

		if (rc != 0)
			return rc;
		if (!search_pace_is_over(&s->pace) || i + 1 == rows->count)
			continue;
		search_end_at(s, db_get_int(rows, i, RECORD_ROW_UPDATED),
		    db_get_uuid(rows, i, RECORD_ROW_ID));
		return 1;
	}
	return 0;
}

static void search_move_to(struct record_searching *s, int64_t at_us, struct uuid id)
{
	s->at.from_us = at_us;
	s->at.from_id = id;
}

/* Rows that the page still takes, with the one that tells that there are more. */
static int64_t search_rows_wanted(const struct record_searching *s)
{
	return s->slice->s.limit + 1 - (int64_t)json_array_size(s->slice->s.rows) + s->skip;
}

/* ---- scanning ------------------------------------------------------------------------------ */

static bool search_is_of_partial(const struct record_searching *s)
{
	return str_is(s->f->lead_status, LEAD_SYNC_PARTIAL);
}

/* Of all, of a type, of what is partly delivered. */
static const struct db_stmt *search_pick_stmt(
    const struct record_searching *s, const struct db_stmt *const six[6])
{
	const size_t of = search_is_of_partial(s) ? 4 : s->f->resource_type.p != NULL ? 2 : 0;

	return six[of + s->slice->s.is_ascending];
}

/* Of the window that begins at s->at, with so many records up to to_us. */
static size_t search_window_values(
    const struct record_searching *s, int64_t to_us, int64_t limit, struct db_val *v)
{
	size_t n = 0;

	v[n++] = db_uuid(&s->f->account_id);
	for (; search_is_of_partial(s) && n < 3; n++)
		v[n] = db_uuid(&s->f->account_id);
	if (n == 1 && s->f->resource_type.p != NULL)
		v[n++] = db_name(s->f->resource_type);
	v[n++] = db_int(s->at.from_us);
	v[n++] = db_int(s->at.from_us);
	v[n++] = db_uuid(&s->at.from_id);
	v[n++] = db_int(to_us);
	v[n++] = db_int(limit);
	return n;
}

static size_t search_fits_values(const struct record_searching *s, struct db_val *v)
{
	v[0] = v[1] = db_name(lead_status_stored(s->f->lead_status));
	v[2] = v[3] = db_uuid_or_null(&s->f->lead_connection);
	v[4] = db_name(s->f->copies);
	return 5 + search_terms_values(&s->terms, v + 5);
}

/* Where the window that begins at s->at ends, or what the index finds in it. A window's end is read
 * before it is looked through: others write meanwhile, and what they put into it or take out of it
 * would move the end. */
struct window_end {
	int64_t at_us;
	struct uuid id;
	bool is_last; /* it takes all that is left, and has no end */
};

static struct window_end window_end_of(const struct db_rows *rows)
{
	if (rows->count == 0)
		return (struct window_end){.is_last = true};
	return (struct window_end){
	    .at_us = db_get_int(rows, 0, END_UPDATED), .id = db_get_uuid(rows, 0, END_ID)};
}

static int window_find_end(
    const struct record_searching *s, struct window_end *out, struct err *err)
{
	static const struct db_stmt *const statements[6] = {&window_end_newest, &window_end_oldest,
	    &window_end_type_newest, &window_end_type_oldest, &window_end_partial_newest,
	    &window_end_partial_oldest};
	struct db_val v[10];
	struct db_rows rows;
	size_t n = search_window_values(s, s->at.to_us, s->pace.window - 1, v);

	if (db_row(s->app->db, s->a, search_pick_stmt(s, statements), v, n, &rows, err) == -1)
		return -1;
	*out = window_end_of(&rows);
	return 0;
}

static bool row_is_behind(const struct record_searching *s, const struct window_end *end,
    const struct db_rows *rows, size_t i)
{
	int64_t at_us = db_get_int(rows, i, RECORD_ROW_UPDATED);
	struct uuid id = db_get_uuid(rows, i, RECORD_ROW_ID);
	int order = at_us != end->at_us ? (at_us < end->at_us ? -1 : 1)
					: memcmp(id.b, end->id.b, sizeof(id.b));

	return s->slice->s.is_ascending ? order > 0 : order < 0;
}

static int64_t window_scanned_to(const struct record_searching *s, const struct window_end *end)
{
	return end->is_last ? s->at.to_us : end->at_us + s->slice->s.is_ascending;
}

/* Without those behind the end, which stand at its very time or have come since. */
static bool rows_end_at(
    const struct record_searching *s, const struct window_end *end, struct db_rows *rows)
{
	size_t before = rows->count;

	while (!end->is_last && rows->count > 0 && row_is_behind(s, end, rows, rows->count - 1))
		rows->count--;
	return rows->count < before;
}

/* Looks through the window that begins at s->at: *found counts its matches. Moves behind it, or
 * behind the last candidate where there were too many. 1 the page is full, 0 not, -1. */
static int window_scan(
    struct record_searching *s, struct window_end *end, size_t *found, struct err *err)
{
	static const struct db_stmt *const statements[6] = {&search_scan_newest,
	    &search_scan_oldest, &search_scan_type_newest, &search_scan_type_oldest,
	    &search_scan_partial_newest, &search_scan_partial_oldest};
	struct db_val v[16 + SEARCH_VALUES];
	struct db_rows rows;
	size_t n =
	    search_window_values(s, window_scanned_to(s, end), s->pace.window + SEARCH_ENTERED, v);
	bool is_cut;

	v[n++] = db_uuid(&s->f->account_id);
	n += search_fits_values(s, v + n);
	v[n++] = db_int(s->pace.most);
	if (db_query(s->app->db, s->a, search_pick_stmt(s, statements), v, n, &rows, err) == -1)
		return -1;
	is_cut = rows.count == (size_t)s->pace.most;
	is_cut = !rows_end_at(s, end, &rows) && is_cut;
	*found = rows.count;
	end->is_last = end->is_last && !is_cut;
	if (is_cut)
		search_move_to(s, db_get_int(&rows, rows.count - 1, RECORD_ROW_UPDATED),
		    db_get_uuid(&rows, rows.count - 1, RECORD_ROW_ID));
	else
		search_move_to(s, end->at_us, end->id);
	return search_take_rows(s, &rows, err);
}

/* ---- the index ----------------------------------------------------------------------------- */

/* The hits of each word in a sample of so many rows eight times, in one row; 0 when that took too
 * long. */
static int index_count_hits(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct search_terms *t, int64_t sample, struct db_rows *out, struct err *err)
{
	struct db_val v[WORDS_INDEXED + 3 * SAMPLES], account = db_uuid(account_id);
	struct err e = ERR_INIT;
	struct db_rows span;
	int64_t first, step;
	size_t n = 0;

	if (db_row(app->db, a, &search_span, &account, 1, &span, err) == -1)
		return -1;
	first = db_get_int(&span, 0, SPAN_OLDEST);
	step = (db_get_int(&span, 0, SPAN_NEWEST) - first) / SAMPLES;
	for (; n < WORDS_INDEXED; n++)
		v[n] = db_str(n < t->nwords ? t->words[n].like : "%");
	for (int64_t i = 1; i <= SAMPLES; i++) {
		v[n++] = account;
		v[n++] = db_int(i == SAMPLES ? INT64_MAX : first + i * step);
		v[n++] = db_int(sample);
	}
	if (db_row(app->db, a, &search_hits, v, n, out, &e) != -1)
		return 1;
	return e.code == ERR_TIMEOUT ? 0 : err_set(err, e.code, "%s", e.msg);
}

/* The rarest word of a way, or WORDS_INDEXED. */
static size_t way_rarest(const struct search_way *way, const struct db_rows *hits, int64_t rare)
{
	size_t best = WORDS_INDEXED;
	int64_t least = rare + 1;

	for (size_t i = 0; i < way->nwords; i++) {
		int64_t n = db_get_int(hits, 0, way->words[i]);

		if (n < least) {
			least = n;
			best = way->words[i];
		}
	}
	return best;
}

/* The index is asked for a condition by one rare word of each of its ways, since it reads the whole
 * list of each word that it is given; not at all where a way has none. */
static void match_add_term(struct buf *b, const struct search_terms *t,
    const struct search_term *term, const struct db_rows *hits, int64_t rare)
{
	size_t words[TERM_WAYS];

	for (size_t i = 0; i < term->n; i++)
		if ((words[i] = way_rarest(&term->ways[i], hits, rare)) == WORDS_INDEXED)
			return;
	buf_printf(b, "%s+%s", b->len == 0 ? "" : " ", term->n > 1 ? "(" : "");
	for (size_t i = 0; i < term->n; i++)
		buf_printf(b, "%s%s", i == 0 ? "" : " ", t->words[words[i]].match);
	buf_str(b, term->n > 1 ? ")" : "");
}

/* The index knows nothing of records that wait for it: with very many of them it cannot tell. */
static int index_is_behind(
    struct app *app, struct arena *a, const struct uuid *account_id, bool *out, struct err *err)
{
	struct db_val account = db_uuid(account_id);
	struct db_rows rows;

	if (db_row(app->db, a, &search_waiting, &account, 1, &rows, err) == -1)
		return -1;
	*out = db_get_int(&rows, 0, 0) > WAITING_MOST;
	return 0;
}

int search_match_text(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct search_terms *t, const struct search_pace *p, const char **out, struct err *err)
{
	int64_t sample = int_between(10, p->widest * SAMPLE_ROWS / WINDOW, SAMPLE_ROWS);
	struct buf *b = buf_new(a, LIMIT_HEADER_BYTES);
	struct db_rows hits;
	bool is_behind;
	int rc;

	*out = NULL;
	if (index_is_behind(app, a, account_id, &is_behind, err) == -1)
		return -1;
	if (is_behind)
		return 0;
	if ((rc = index_count_hits(app, a, account_id, t, sample, &hits, err)) == -1)
		return -1;
	for (size_t i = 0; rc == 1 && i < t->n; i++)
		match_add_term(b, t, &t->v[i], &hits, RARE * sample / SAMPLE_ROWS);
	*out = b->len == 0 ? NULL : b->p;
	return 0;
}

static size_t index_range_values(const struct record_searching *s, int64_t to_us, struct db_val *v)
{
	v[0] = v[1] = db_int(s->at.from_us);
	v[2] = db_uuid(&s->at.from_id);
	v[3] = db_int(to_us);
	return 4;
}

/* Where the last of the next `most` stands that the index finds. */
static int index_find_end(struct record_searching *s, const char *match, size_t most,
    struct window_end *out, struct err *err)
{
	struct db_val v[9] = {
	    db_str(match), db_uuid(&s->f->account_id), db_uuid(&s->f->account_id)};
	size_t n = 3 + index_range_values(s, s->at.to_us, v + 3);
	struct db_rows rows;

	v[n++] = db_int(1);
	v[n++] = db_int((int64_t)most - 1);
	if (db_row(s->app->db, s->a,
		s->slice->s.is_ascending ? &index_end_oldest : &index_end_newest, v, n, &rows,
		err) == -1)
		return -1;
	*out = window_end_of(&rows);
	return 0;
}

/* Those up to there that fit, in their order; more may stand at its very time. */
static int index_query(struct record_searching *s, const char *match, const struct window_end *end,
    size_t most, struct db_rows *rows, struct err *err)
{
	struct db_val v[14 + SEARCH_VALUES];
	size_t n = 0;

	v[n++] = db_str(match);
	for (int i = 0; i < 3; i++)
		v[n++] = db_uuid(&s->f->account_id);
	n += search_fits_values(s, v + n);
	n += index_range_values(s, window_scanned_to(s, end), v + n);
	v[n++] = db_int((int64_t)most);
	return db_query(s->app->db, s->a,
	    s->slice->s.is_ascending ? &search_index_oldest : &search_index_newest, v, n, rows,
	    err);
}

/* The next `most` that the index finds behind s->at, and moves behind them. *end is the last of
 * them. 1 the page is full, 0 there is room, -1. */
static int index_take(struct record_searching *s, const char *match, size_t most,
    struct window_end *end, struct err *err)
{
	struct db_rows rows;

	if (index_find_end(s, match, most, end, err) == -1 ||
	    index_query(s, match, end, most, &rows, err) == -1)
		return -1;
	if (rows.count == most)
		*end = (struct window_end){db_get_int(&rows, most - 1, RECORD_ROW_UPDATED),
		    db_get_uuid(&rows, most - 1, RECORD_ROW_ID), false};
	rows_end_at(s, end, &rows);
	if (!end->is_last)
		search_move_to(s, end->at_us, end->id);
	return search_take_rows(s, &rows, err);
}

/* All that match behind s->at, by the index: 1 the page is full or complete, 0 it could not tell in
 * its time, -1. It is asked for the places first, and for what stands up to the last of them then:
 * the words of one record may be as long as a book, and those behind the page are not read. */
static int index_ask(struct record_searching *s, struct err *err)
{
	struct window_end end = {.is_last = false};
	struct err e = ERR_INIT;
	const char *match;
	size_t most = search_index_first(search_rows_wanted(s));
	int rc = 0;

	if (search_match_text(s->app, s->a, &s->f->account_id, &s->terms, &s->pace, &match, err) ==
	    -1)
		return -1;
	if (match == NULL)
		return 0;
	for (; rc == 0 && !end.is_last && !search_pace_is_over(&s->pace); most = SEARCH_CANDIDATES)
		rc = index_take(s, match, most, &end, &e);
	if (rc == -1 && e.code == ERR_TIMEOUT)
		return 0;
	if (rc == -1)
		return err_set(err, e.code, "%s", e.msg);
	return rc == 1 || end.is_last;
}

/* ---- both ---------------------------------------------------------------------------------- */

/* Looks through one window: 1 the page is done, 0 there is more to look at, -1. */
static int search_one_window(struct record_searching *s, bool *may_ask, struct err *err)
{
	int64_t before = search_rows_wanted(s), began_us = clock_mono_us(), took_us;
	struct window_end end;
	struct err e = ERR_INIT;
	size_t found;
	int rc;

	if (window_find_end(s, &end, err) == -1)
		return -1;
	rc = window_scan(s, &end, &found, &e);
	if (rc == -1 && e.code == ERR_TIMEOUT) {
		search_pace_shrink(&s->pace);
		return 0;
	}
	if (rc != 0 || end.is_last)
		return rc != -1 ? 1 : err_set(err, e.code, "%s", e.msg);
	took_us = clock_mono_us() - began_us;
	if (*may_ask && search_pace_may_ask(&s->pace, found)) {
		*may_ask = false;
		if ((rc = index_ask(s, err)) != 0)
			return rc;
	}
	search_pace_next(
	    &s->pace, took_us, found, before - search_rows_wanted(s), search_rows_wanted(s));
	return 0;
}

static int search_collect(struct record_searching *s, struct err *err)
{
	bool may_ask = s->terms.n > 0 && !search_is_of_partial(s); /* those are few */
	int rc;

	search_pace_begin(&s->pace, search_rows_wanted(s));
	do {
		rc = search_one_window(s, &may_ask, err);
	} while (rc == 0 && !search_pace_is_over(&s->pace));
	if (rc == 0) /* out of time: the next page goes on from here */
		search_end_at(s, s->at.from_us, s->at.from_id);
	return rc == -1 ? -1 : 0;
}

static int search_build_terms(struct record_searching *s, struct err *err)
{
	const struct record_filter *f = s->f;

	if (search_terms_add_filter(&s->terms, s->a, f, err) == -1)
		return -1;
	if (f->provider_type.p != NULL)
		search_terms_add_kind(&s->terms, s->a, &f->account_id, 'p', f->provider_type);
	if (f->source.p != NULL)
		search_terms_add_kind(&s->terms, s->a, &f->account_id, 's', f->source);
	if (!uuid_is_nil(f->connection))
		search_terms_add_kind(
		    &s->terms, s->a, &f->account_id, 'c', words_connection(s->a, &f->connection));
	return 0;
}

int record_search(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err)
{
	struct record_searching s = {
	    .app = app, .a = a, .f = f, .slice = slice, .skip = slice->s.offset};

	if (search_build_terms(&s, err) == -1)
		return -1;
	if (s.terms.is_impossible)
		return 0;
	record_key_range(f, slice, &s.at);
	return search_collect(&s, err);
}
