/* Lists by cursor under writes. A change moves a record to the newest end of the lists, past those
 * who page through them: newest first it would be skipped, oldest first repeated. So a change
 * leaves a row (record_moves) that tells the place it took the record from, and a page shows a
 * record where it stood when the paging began: the rows of its stretch of the list, and its
 * leavers, which have left the stretch since.
 *
 *   older                    |-- stretch of this page --|                         newest
 *   . . . . . . . . . . . .  r   r   (x)   r    r   (y)  . . . . horizon . .  y . . . x
 *                                     leavers: they stood here, and are shown here
 *
 * What "since" means cannot be told exactly: a change bears its time before it is committed, so one
 * of shortly before the beginning (after the horizon) may or may not have been seen there. Newest
 * first, the places after the horizon come first and the older ones later: the cursor remembers
 * which records it has shown that have an older place. Oldest first it is the other way round, and
 * a record counts where it stood at the horizon, or where it was made after it; so it does newest
 * first from where the cursor has no more room to remember. If that place lies before updatedAfter,
 * it still counts there, at the list's older end. */
#include "base/clock.h"
#include "base/limits.h"
#include "job/periodic.h"
#include "record/lead-status.h"
#include "record/record-internal.h"
#include "record/record-words.h"

/* No change takes so long from its time to its commit: RECORD_LATE_US and a wait for a lock. */
#define COMMIT_US (15 * SECOND_US)
#define SKEW_US SECOND_US          /* nor does another host's clock differ by so much */
#define KEPT_US (3600 * SECOND_US) /* what a cursor is worth */
#define CHUNK 200                  /* of one statement */
#define LOOKED_AT 2000 /* for one page: with more to look at the page ends where they end */

#define LEFT                                                                                       \
	"SELECT " RECORD_COLUMNS ", m.from_at FROM record_moves m"                                 \
	" STRAIGHT_JOIN records r ON r.id = m.record_id AND r.account_id = "                       \
	"m.account_id" RECORD_LEAD " WHERE m.account_id = ? AND" RECORD_NO_COPY
enum { LEFT_FROM = RECORD_ROW_MORE };
DB_STMT(record_moves_newest,
    LEFT " AND m.from_at <= ? AND (m.from_at < ? OR m.record_id < ?)"
	 " AND m.from_at >= ? AND (m.from_at > ? OR m.record_id >= ?) AND m.moved_at > ?"
	 " AND (m.from_at <= ? OR m.from_at = r.first_seen_at)"
	 " ORDER BY m.from_at DESC, m.record_id DESC LIMIT 200");
DB_STMT(record_moves_oldest,
    LEFT " AND m.from_at >= ? AND (m.from_at > ? OR m.record_id > ?)"
	 " AND m.from_at <= ? AND (m.from_at < ? OR m.record_id <= ?) AND m.moved_at > ?"
	 " AND (m.from_at <= ? OR m.from_at = r.first_seen_at)"
	 " ORDER BY m.from_at, m.record_id LIMIT 200");
DB_STMT(moved_lead_partial,
    "SELECT 1 FROM leads l WHERE l.account_id = ? AND l.id = ? AND" LEAD_IS_PARTIAL);
DB_STMT(record_moves_purge, "DELETE FROM record_moves WHERE moved_at < ?" DB_PURGE_LIMIT);

/* ---- what a cursor remembers --------------------------------------------------------------- */

#define SHORT_ID 6u /* bytes of an id in a cursor */
#define SHORT_ID_MASK ((UINT64_C(1) << (8 * SHORT_ID)) - 1)
_Static_assert(
    sizeof(int64_t) + RECORD_MEMORY * SHORT_ID <= CURSOR_NOTE, "a memory fits into a cursor");

static uint64_t memory_short_id(const struct uuid *id)
{
	uint64_t v;

	memcpy(&v, id->b + 8, sizeof(v)); /* the random half */
	return v & SHORT_ID_MASK;
}

static bool memory_has(const struct record_memory *m, const struct uuid *id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->shown[i] == memory_short_id(id))
			return true;
	return false;
}

static bool memory_is_full(const struct record_memory *m)
{
	return m->n >= RECORD_MEMORY_FULL;
}

/* Newest first: this row may stand in the list once more, further back. A page that begins with
 * room left may fill as much as it has rows. */
static void memory_add(struct record_memory *m, const struct record_place *p)
{
	if (p->at_us <= m->horizon_us || p->is_first || memory_has(m, &p->id))
		return;
	if (m->n == RECORD_MEMORY)
		abort();
	m->shown[m->n++] = memory_short_id(&p->id);
}

struct str record_memory_text(struct arena *a, const struct record_memory *m)
{
	size_t n = sizeof(m->horizon_us);
	unsigned char *p = arena_alloc(a, n + m->n * SHORT_ID);

	memcpy(p, &m->horizon_us, n);
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < SHORT_ID; k++)
			p[n++] = (unsigned char)(m->shown[i] >> (8 * k));
	return (struct str){(const char *)p, n};
}

void record_memory_read(struct record_memory *m, struct str text)
{
	const unsigned char *p = (const unsigned char *)text.p;

	*m = (struct record_memory){0};
	if (text.n < sizeof(m->horizon_us) ||
	    text.n > sizeof(m->horizon_us) + RECORD_MEMORY * SHORT_ID)
		return;
	memcpy(&m->horizon_us, p, sizeof(m->horizon_us));
	for (size_t at = sizeof(m->horizon_us); at + SHORT_ID <= text.n; at += SHORT_ID, m->n++)
		for (size_t k = 0; k < SHORT_ID; k++)
			m->shown[m->n] |= (uint64_t)p[at + k] << (8 * k);
}

/* ---- those that left the page's stretch ---------------------------------------------------- */

struct page_leavers {
	const struct record_filter *f;
	struct record_slice *slice;
	struct arena *a;
	struct search_terms terms;
	struct key_range at; /* the stretch: from, exclusive, to `to`, inclusive */
	struct uuid to_id;
	struct record_place *found;
	size_t nfound;
	bool is_cut; /* behind the last one looked at, which is at.from: there may be more */
};

static void leavers_find_stretch(struct page_leavers *v)
{
	const struct record_slice *slice = v->slice;

	record_key_range(v->f, slice, &v->at);
	memset(v->to_id.b, slice->s.is_ascending ? 0xff : 0, sizeof(v->to_id.b));
	if (slice->s.is_ascending) { /* also of those that stood before updatedAfter */
		v->at.from_us = slice->s.after.at;
		v->at.from_id = slice->s.after.id;
	}
	if (slice->s.has_more) {
		v->at.to_us = slice->s.last.at;
		v->to_id = slice->s.last.id;
	} else if (slice->s.is_ascending) {
		v->at.to_us--;
	} else if (memory_is_full(slice->memory)) {
		v->at.to_us = 0;
	}
}

/* The next CHUNK of them. */
static int leavers_query(
    struct page_leavers *v, struct db *db, struct db_rows *rows, struct err *err)
{
	int64_t horizon_us = v->slice->memory->horizon_us;
	struct db_val vals[10];
	size_t n = 0;

	vals[n++] = db_uuid(&v->f->account_id);
	vals[n++] = db_name(v->f->copies);
	vals[n++] = db_int(v->at.from_us);
	vals[n++] = db_int(v->at.from_us);
	vals[n++] = db_uuid(&v->at.from_id);
	vals[n++] = db_int(v->at.to_us);
	vals[n++] = db_int(v->at.to_us);
	vals[n++] = db_uuid(&v->to_id);
	vals[n++] = db_int(horizon_us);
	vals[n++] = db_int(record_moves_horizon(v->slice));
	if (db_query(db, v->a,
		v->slice->s.is_ascending ? &record_moves_oldest : &record_moves_newest, vals, n,
		rows, err) == -1)
		return -1;
	if (rows->count > 0) {
		v->at.from_us = db_get_int(rows, rows->count - 1, LEFT_FROM);
		v->at.from_id = db_get_uuid(rows, rows->count - 1, RECORD_ROW_ID);
	}
	return 0;
}

static bool page_has_record(const struct record_slice *slice, const struct uuid *id)
{
	for (size_t i = 0; i < slice->nplaces; i++)
		if (uuid_eq(slice->places[i].id, *id))
			return true;
	return false;
}

static bool leavers_is_wanted(struct page_leavers *v, const struct db_rows *rows, size_t i)
{
	struct uuid id = db_get_uuid(rows, i, RECORD_ROW_ID);

	for (size_t k = 0; k < v->nfound; k++)
		if (uuid_eq(v->found[k].id, id))
			return false;
	return !memory_has(v->slice->memory, &id) && !page_has_record(v->slice, &id) &&
	       db_get_int(rows, i, RECORD_ROW_UPDATED) >= record_filter_from(v->f) &&
	       db_get_int(rows, i, RECORD_ROW_UPDATED) < record_filter_until(v->f) &&
	       record_row_fits(v->f, &v->terms, SEARCH_IS_WAITING, rows, i);
}

/* That its lead is partly delivered, the row alone does not tell: 1, 0, -1. */
static int leaver_has_status(
    struct page_leavers *v, struct db *db, const struct db_rows *rows, size_t i, struct err *err)
{
	struct uuid lead_id = db_get_uuid(rows, i, RECORD_ROW_LEAD_ID);
	struct db_rows found;

	if (!str_is(v->f->lead_status, LEAD_SYNC_PARTIAL))
		return 1;
	return db_row(db, v->a, &moved_lead_partial,
	    DB_VALS(db_uuid(&v->f->account_id), db_uuid(&lead_id)), &found, err);
}

static int leavers_take(
    struct page_leavers *v, struct db *db, const struct db_rows *rows, size_t most, struct err *err)
{
	for (size_t i = 0; i < rows->count && v->nfound < most; i++) {
		int has =
		    leavers_is_wanted(v, rows, i) ? leaver_has_status(v, db, rows, i, err) : 0;

		if (has == -1 || (has == 1 && record_place_read(v->a, v->slice, rows, i,
						  db_get_int(rows, i, LEFT_FROM),
						  &v->found[v->nfound++], err) == -1))
			return -1;
	}
	return 0;
}

static int leavers_find(struct page_leavers *v, struct db *db, struct err *err)
{
	size_t most = (size_t)v->slice->s.limit + 1, looked_at = 0;
	struct db_rows rows;

	if (search_terms_add_filter(&v->terms, v->a, v->f, err) == -1)
		return -1;
	if (v->terms.is_impossible)
		return 0;
	leavers_find_stretch(v);
	v->found = arena_array(v->a, most, sizeof(*v->found));
	do {
		if (leavers_query(v, db, &rows, err) == -1 ||
		    leavers_take(v, db, &rows, most, err) == -1)
			return -1;
		looked_at += rows.count;
	} while (rows.count == CHUNK && v->nfound < most && looked_at < LOOKED_AT);
	v->is_cut = rows.count == CHUNK && v->nfound < most;
	return 0;
}

/* ---- the page ------------------------------------------------------------------------------ */

static bool place_stands_before(
    const struct record_slice *slice, const struct record_place *x, const struct record_place *y)
{
	int order = x->at_us != y->at_us ? (x->at_us < y->at_us ? -1 : 1)
					 : memcmp(x->id.b, y->id.b, sizeof(x->id.b));

	return slice->s.is_ascending ? order < 0 : order > 0;
}

/* Leaves out of the page what stands behind the last leaver looked at. */
static void page_cut(struct record_slice *slice, const struct page_leavers *v)
{
	const struct record_place end = {.at_us = v->at.from_us, .id = v->at.from_id};

	while (slice->nplaces > 0 &&
	       place_stands_before(slice, &end, &slice->places[slice->nplaces - 1]))
		slice->nplaces--;
	slice->s.has_more = true;
	slice->s.last.at = end.at_us;
	slice->s.last.id = end.id;
}

/* Puts the leavers among the page's rows, in the order of the list, and cuts it to its limit. */
static void page_merge_leavers(struct record_slice *slice, struct page_leavers *v)
{
	struct record_place *own = slice->places,
			    *all = arena_array(v->a, slice->nplaces + v->nfound + 1, sizeof(*all));
	size_t i = 0, k = 0, n = 0;

	while (n < (size_t)slice->s.limit && (i < slice->nplaces || k < v->nfound))
		all[n++] = k == v->nfound || (i < slice->nplaces &&
						 place_stands_before(slice, &own[i], &v->found[k]))
			       ? own[i++]
			       : v->found[k++];
	if (i < slice->nplaces || k < v->nfound) {
		slice->s.has_more = true;
		slice->s.last.at = all[n - 1].at_us;
		slice->s.last.id = all[n - 1].id;
	}
	slice->places = all;
	slice->nplaces = n;
	json_array_clear(slice->s.rows);
	for (i = 0; i < n; i++)
		json_array_append(slice->s.rows, all[i].row);
}

int record_moves_show(struct app *app, struct arena *a, const struct record_filter *f,
    struct record_slice *slice, struct err *err)
{
	struct page_leavers v = {.f = f, .slice = slice, .a = a};

	if (leavers_find(&v, app->db, err) == -1)
		return -1;
	if (v.is_cut)
		page_cut(slice, &v);
	if (v.is_cut || v.nfound > 0)
		page_merge_leavers(slice, &v);
	return 0;
}

int64_t record_moves_horizon(const struct record_slice *slice)
{
	const struct record_memory *m = slice->memory;

	return m != NULL && m->horizon_us != 0 && (slice->s.is_ascending || memory_is_full(m))
		   ? m->horizon_us
		   : INT64_MAX;
}

int64_t record_moves_end(const struct record_slice *slice)
{
	int64_t horizon_us = record_moves_horizon(slice);

	return !slice->s.is_ascending || horizon_us == INT64_MAX ? INT64_MAX
								 : horizon_us + COMMIT_US + SKEW_US;
}

void record_moves_begin(struct record_memory *m)
{
	*m = (struct record_memory){.horizon_us = clock_now_us() - COMMIT_US};
}

void record_moves_remember(struct record_slice *slice)
{
	for (size_t i = 0; !slice->s.is_ascending && i < slice->nplaces; i++)
		memory_add(slice->memory, &slice->places[i]);
}

/* ---- forgetting ---------------------------------------------------------------------------- */

int record_moves_forget(struct app *app, struct err *err)
{
	return db_purge(app->db, &record_moves_purge, DB_VALS(db_int(clock_now_us() - KEPT_US)),
	    clock_mono_us() + PERIODIC_STEP_US, err);
}
