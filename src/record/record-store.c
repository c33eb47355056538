/* SQL of the records: one upsert for every source, with history, moves, search words and counters.
 *
 *   items -> lock and read -> apply one by one -> write rows, moves, words, history -> counters
 *            (what is stored)  (in memory only)
 *
 * A record of the batch is in one of these states: stored or new; then created (it was new), and
 * updated (a payload changed it). One that is created and updated in the same batch is written
 * once, as it is at the end, but has all its changes in the history.
 *
 * Invariants: a payload merges into what is there and removes nothing that it does not name. A
 * record's updated_at only grows, and is another one after each change, since lists page by it.
 * What changes nothing writes nothing. Stored rows are locked before they are read; the counters,
 * which writers share, come last, so that writers wait for each other briefly.
 *
 * A late payload (older by the provider's clock than what is stored) is put where it belongs in
 * time: the newer changes are taken back, and done again behind it. The exception is a late payload
 * that adds nothing, which is stale and leaves no trace. */
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "crypto/random.h"
#include "record/record-merge.h"
#include "record/record-words.h"
#include "record/record.h"

DB_STMT_ROWS(records_lock,
    "SELECT external_id, id, data, provider_updated_at, updated_at FROM records"
    " WHERE account_id = ? AND provider_type = ? AND resource_type = ? AND external_id IN (",
    "?", ") FOR UPDATE");
enum { STORED_EXTERNAL_ID, STORED_ID, STORED_DATA, STORED_PROVIDER_UPDATED, STORED_UPDATED };
DB_STMT_ROWS(records_insert,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)", "");
/* Of rows that are there and locked: what it would insert otherwise are their keys. */
DB_STMT_ROWS(records_update,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE source = VALUES(source), data = VALUES(data),"
    " updated_at = VALUES(updated_at), provider_updated_at = VALUES(provider_updated_at)");
DB_STMT_ROWS(record_moves_insert,
    "INSERT INTO record_moves (account_id, from_at, record_id, moved_at) VALUES ", "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE moved_at = VALUES(moved_at)");
DB_STMT_ROWS(record_changes_insert,
    "INSERT INTO record_changes (id, account_id, record_id, at, provider_at, source, event_id,"
    " changes) VALUES ",
    "(?,?,?,?,?,?,?,?)", "");
DB_STMT(record_changes_newest,
    "SELECT changes, provider_at FROM record_changes"
    " WHERE account_id = ? AND record_id = ? ORDER BY id DESC LIMIT 200");
enum { NEWEST_CHANGES, NEWEST_PROVIDER_AT };
DB_STMT_ROWS(record_counts_add,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES ",
    "(?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE records = records + VALUES(records)");

DB_STMT_ROWS(record_search_put, "INSERT INTO record_search (record_id, account_id, words) VALUES ",
    "(?,?,?)", " ON DUPLICATE KEY UPDATE words = VALUES(words)");

DB_STMT_ROWS(record_search_leave, "DELETE FROM record_search_queue WHERE record_id IN (", "?", ")");
DB_STMT_ROWS(record_search_wait, "INSERT INTO record_search_queue (record_id, account_id) VALUES ",
    "(?,?)", " ON DUPLICATE KEY UPDATE record_id = record_id");

/* ---- upsert ------------------------------------------------------------------------------ */

/* What is known of one record while a batch goes over it. */
struct working_record {
	struct record_item *first; /* names it */
	struct uuid id;
	bool is_stored, is_created, is_updated;
	struct str text; /* the payload as of now */
	json_t *data;    /* the same parsed, once it was needed */
	int64_t provider_updated_us, at_us;
	int64_t from_us; /* where it stood before it was updated: as read, or as created */
	const char *source;
};

struct change_row {
	struct uuid id;
	int64_t at_us;
	const struct working_record *w;
	const struct record_item *item;
	struct str changes;
};

struct upsert_batch {
	struct db *db;
	struct arena *a;
	struct map *records; /* key → struct working_record */
	struct change_row *changes;
	size_t nchanges;
};

/* The database takes "a" and "a " for the same key (PAD SPACE), so we must as well. */
static struct str key_unpadded(struct str s)
{
	while (s.n > 0 && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

static struct str item_key(struct arena *a, const struct record_item *it)
{
	struct str external_id = key_unpadded(it->external_id);
	size_t n = 16 + it->provider_type.n + 1 + it->resource_type.n + 1 + external_id.n;
	char *p = arena_alloc(a, n), *at = p;

	memcpy(at, it->account_id.b, 16);
	at += 16;
	memcpy(at, it->provider_type.p, it->provider_type.n);
	at += it->provider_type.n;
	*at++ = '\0';
	memcpy(at, it->resource_type.p, it->resource_type.n);
	at += it->resource_type.n;
	*at++ = '\0';
	memcpy(at, external_id.p, external_id.n);
	return (struct str){p, n};
}

static bool item_is_same_kind(const struct record_item *x, const struct record_item *y)
{
	return uuid_eq(x->account_id, y->account_id) &&
	       str_eq(x->provider_type, y->provider_type) &&
	       str_eq(x->resource_type, y->resource_type);
}

/* Locks and reads the stored rows among items that are of the kind of items[0]; at most
 * LIMIT_DB_BATCH. */
static int batch_lock_kind(
    struct upsert_batch *b, struct working_record **ws, size_t n, struct err *err)
{
	const struct record_item *kind = ws[0]->first;
	struct db_val ids[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < n; i++)
		ids[i] = db_strn(ws[i]->first->external_id);
	if (db_query_rows(b->db, b->a, &records_lock,
		DB_VALS(db_uuid(&kind->account_id), db_strn(kind->provider_type),
		    db_strn(kind->resource_type)),
		ids, n, 1, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		for (size_t k = 0; k < n; k++) {
			struct working_record *w = ws[k];

			if (w->is_stored ||
			    !str_eq(key_unpadded(w->first->external_id),
				key_unpadded(db_get_str(&rows, i, STORED_EXTERNAL_ID))))
				continue;
			w->is_stored = true;
			w->id = db_get_uuid(&rows, i, STORED_ID);
			w->text = db_get_str(&rows, i, STORED_DATA);
			w->provider_updated_us = db_get_int(&rows, i, STORED_PROVIDER_UPDATED);
			w->at_us = w->from_us = db_get_int(&rows, i, STORED_UPDATED);
			break;
		}
	}
	return 0;
}

/* Collects the distinct records of the batch and reads those that exist, kind by kind. */
static int batch_load_stored(
    struct upsert_batch *b, struct record_item *items, size_t n, struct err *err)
{
	struct working_record *ws[LIMIT_DB_BATCH];
	size_t total;

	for (size_t i = 0; i < n; i++) {
		struct str key = item_key(b->a, &items[i]);
		struct working_record *w;

		if (map_get(b->records, key) != NULL)
			continue;
		w = arena_zalloc(b->a, sizeof(*w));
		w->first = &items[i];
		map_put(b->records, key, w);
	}
	total = map_count(b->records);
	bool *is_done = arena_array(b->a, total, sizeof(*is_done));

	for (size_t i = 0; i < total; i++) {
		const struct working_record *lead = map_value(b->records, i);
		size_t taken = 0;

		if (is_done[i])
			continue;
		for (size_t k = i; k < total && taken < LIMIT_DB_BATCH; k++) {
			struct working_record *w = map_value(b->records, k);

			if (is_done[k] || !item_is_same_kind(lead->first, w->first))
				continue;
			is_done[k] = true;
			ws[taken++] = w;
		}
		if (batch_lock_kind(b, ws, taken, err) == -1)
			return -1;
	}
	return 0;
}

static void batch_add_change(struct upsert_batch *b, const struct working_record *w,
    const struct record_item *it, struct str changes)
{
	b->changes[b->nchanges++] = (struct change_row){uuid_new(), w->at_us, w, it, changes};
}

static void batch_create_record(
    struct upsert_batch *b, struct working_record *w, struct record_item *it)
{
	w->id = uuid_new();
	w->is_created = true;
	w->text = it->data;
	w->provider_updated_us = it->provider_updated_us;
	w->at_us = w->from_us = it->at_us;
	w->source = it->source;
	it->outcome = RECORD_CREATED;
	batch_add_change(b, w, it, STR("[]"));
}

/* A record's past, oldest first: its rows of history, then those of this batch. */
struct past_step {
	json_t *changes;
	int64_t at_us; /* by the provider's clock */
};
struct record_past {
	struct past_step *v;
	size_t n;
};

static int past_add_step(struct upsert_batch *b, struct record_past *p, struct str changes,
    int64_t at_us, struct err *err)
{
	/* One without a time of its own overwrote whatever was there when it came. */
	for (size_t i = 0; at_us == 0 && i < p->n; i++)
		if (p->v[i].at_us > at_us)
			at_us = p->v[i].at_us;
	p->v[p->n] = (struct past_step){json_parse(b->a, changes, err), at_us};
	return p->v[p->n++].changes == NULL ? err_prefix(err, "stored change") : 0;
}

static int past_load(
    struct upsert_batch *b, const struct working_record *w, struct record_past *p, struct err *err)
{
	struct db_rows rows = {0};

	if (w->is_stored &&
	    db_query(b->db, b->a, &record_changes_newest,
		DB_VALS(db_uuid(&w->first->account_id), db_uuid(&w->id)), &rows, err) == -1)
		return -1;
	/* one more for the late payload itself */
	p->v = arena_array(b->a, rows.count + b->nchanges + 1, sizeof(*p->v));
	for (size_t i = rows.count; i-- > 0;)
		if (past_add_step(b, p, db_get_str(&rows, i, NEWEST_CHANGES),
			db_get_int(&rows, i, NEWEST_PROVIDER_AT), err) == -1)
			return -1;
	for (size_t i = 0; i < b->nchanges; i++) {
		const struct change_row *c = &b->changes[i];

		if (c->w == w &&
		    past_add_step(b, p, c->changes, c->item->provider_updated_us, err) == -1)
			return -1;
	}
	return 0;
}

/* Takes back the steps from `from` on, newest first. What a creation brought is all that is left
 * then: it becomes a step like the others. */
static void past_take_back(
    struct upsert_batch *b, struct working_record *w, struct record_past *p, size_t from)
{
	for (size_t i = p->n; i-- > from;) {
		if (json_array_size(p->v[i].changes) > 0) {
			record_undo(b->a, w->data, p->v[i].changes);
			continue;
		}
		p->v[i].changes = w->data;
		w->data = json_own(b->a, json_object());
	}
}

static void step_do_again(
    struct upsert_batch *b, struct working_record *w, const struct past_step *s)
{
	if (json_is_object(s->changes))
		json_merge(w->data, s->changes);
	else
		record_redo(b->a, w->data, s->changes);
}

static int step_by_time(const void *a, const void *b)
{
	const struct past_step *const *x = a, *const *y = b;

	if ((*x)->at_us != (*y)->at_us)
		return (*x)->at_us < (*y)->at_us ? -1 : 1;
	return *x < *y ? -1 : *x > *y; /* in the order in which they came */
}

/* Puts a late payload where it belongs in time: everything since the first newer payload is taken
 * back, then done again in the order of the provider's clock with the late one among it, so that it
 * fills in what it alone knows and overwrites nothing newer. Payloads that were late themselves
 * stand behind newer ones in the history, hence the order. */
static int record_merge_late(
    struct upsert_batch *b, struct working_record *w, json_t *patch, int64_t at_us, struct err *err)
{
	struct record_past p = {0};
	const struct past_step **order;
	size_t from = 0;

	if (past_load(b, w, &p, err) == -1)
		return -1;
	while (from < p.n && p.v[from].at_us <= at_us)
		from++;
	if (from == p.n) /* what is newer lies further back than the history was read */
		from = 0;
	past_take_back(b, w, &p, from);
	p.v[p.n++] = (struct past_step){patch, at_us};
	order = arena_array(b->a, p.n - from, sizeof(*order));
	for (size_t i = from; i < p.n; i++)
		order[i - from] = &p.v[i];
	qsort(order, p.n - from, sizeof(*order), step_by_time);
	for (size_t i = 0; i < p.n - from; i++)
		step_do_again(b, w, order[i]);
	return 0;
}

static int record_merge_patch(
    struct upsert_batch *b, struct working_record *w, struct record_item *it, struct err *err)
{
	bool is_late =
	    it->provider_updated_us != 0 && it->provider_updated_us < w->provider_updated_us;
	json_t *patch, *before;

	it->outcome = is_late ? RECORD_STALE : RECORD_UNCHANGED;
	if (str_eq(it->data, w->text))
		return 0;
	if (w->data == NULL && (w->data = json_parse(b->a, w->text, err)) == NULL)
		return err_prefix(err, "stored record");
	if ((patch = json_parse(b->a, it->data, err)) == NULL)
		return -1;
	before = json_own(b->a, json_deep_copy(w->data));
	if (!is_late)
		json_merge(w->data, patch);
	else if (record_merge_late(b, w, patch, it->provider_updated_us, err) == -1)
		return -1;
	if (json_equal(before, w->data))
		return 0;
	w->text = json_text(b->a, w->data);
	if (w->text.n > LIMIT_RECORD_BYTES)
		return err_set(
		    err, ERR_LIMIT, "a record may have at most %u bytes", LIMIT_RECORD_BYTES);
	w->is_updated = true;
	if (it->provider_updated_us > w->provider_updated_us)
		w->provider_updated_us = it->provider_updated_us;
	/* two writers may come in another order than their clocks say: a record only moves forward
	 */
	w->at_us = it->at_us > w->at_us ? it->at_us : w->at_us + 1;
	w->source = it->source;
	it->outcome = RECORD_UPDATED;
	batch_add_change(b, w, it, json_text(b->a, record_diff(b->a, before, w->data)));
	return 0;
}

static int batch_apply_item(struct upsert_batch *b, struct record_item *it, struct err *err)
{
	struct working_record *w = map_get(b->records, item_key(b->a, it));
	int rc = 0;

	if (it->data.n > LIMIT_RECORD_BYTES)
		return err_set(
		    err, ERR_LIMIT, "a record may have at most %u bytes", LIMIT_RECORD_BYTES);
	if (!w->is_stored && !w->is_created)
		batch_create_record(b, w, it);
	else if (it->is_only_new)
		it->outcome = RECORD_UNCHANGED;
	else
		rc = record_merge_patch(b, w, it, err);
	it->id = w->id;
	return rc;
}

#define RECORD_VALUES 10

static void working_row(const struct working_record *w, struct db_val *v)
{
	const struct record_item *it = w->first;
	struct db_val row[RECORD_VALUES] = {db_uuid(&w->id), db_uuid(&it->account_id),
	    db_strn(it->provider_type), db_strn(it->resource_type), db_strn(it->external_id),
	    db_str(w->source), db_strn(w->text), db_int(it->at_us), db_int(w->at_us),
	    db_time(w->provider_updated_us)};

	memcpy(v, row, sizeof(row));
}

static int batch_write_created(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct db_val *v = arena_alloc(b->a, total * RECORD_VALUES * sizeof(*v));
	struct err e = ERR_INIT;

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);

		if (w->is_created)
			working_row(w, v + RECORD_VALUES * n++);
	}
	if (n == 0 ||
	    db_exec_rows(b->db, &records_insert, NULL, 0, v, n, RECORD_VALUES, NULL, &e) == 0)
		return 0;
	/* Another transaction made one of them since we looked: the next try will merge into it. */
	err_set(err, e.code == ERR_CONFLICT ? ERR_RETRY : e.code, "%s", e.msg);
	return -1;
}

/* One that was made and changed in this batch moved as well, though its row is written once. */
static int batch_write_updated(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), nmoves = 0, n = 0;
	struct db_val *moves = arena_alloc(b->a, total * 4 * sizeof(*moves));
	struct db_val *v = arena_alloc(b->a, total * RECORD_VALUES * sizeof(*v));

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);

		if (!w->is_updated)
			continue;
		if (!w->is_created)
			working_row(w, v + RECORD_VALUES * n++);
		struct db_val move[4] = {db_uuid(&w->first->account_id), db_int(w->from_us),
		    db_uuid(&w->id), db_int(w->at_us)};

		memcpy(moves + 4 * nmoves++, move, sizeof(move));
	}
	if (db_exec_rows(b->db, &records_update, NULL, 0, v, n, RECORD_VALUES, NULL, err) == -1)
		return -1;
	return db_exec_rows(b->db, &record_moves_insert, NULL, 0, moves, nmoves, 4, NULL, err);
}

static int batch_write_changes(struct upsert_batch *b, struct err *err)
{
	struct db_val *v = arena_alloc(b->a, b->nchanges * 8 * sizeof(*v));

	for (size_t i = 0; i < b->nchanges; i++) {
		const struct change_row *c = &b->changes[i];
		struct db_val row[8] = {db_uuid(&c->id), db_uuid(&c->item->account_id),
		    db_uuid(&c->w->id), db_int(c->at_us), db_time(c->item->provider_updated_us),
		    db_str(c->item->source), db_uuid_or_null(&c->item->event_id),
		    db_strn(c->changes)};

		memcpy(v + 8 * i, row, sizeof(row));
	}
	return db_exec_rows(b->db, &record_changes_insert, NULL, 0, v, b->nchanges, 8, NULL, err);
}

static bool working_is_written(const struct working_record *w)
{
	return w->is_created || w->is_updated;
}

/* Whoever writes the words itself waits for an indexer that is at it, and leaves it nothing to do.
 */
static int batch_leave_queue(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct db_val *v = arena_alloc(b->a, total * sizeof(*v));

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);

		if (w->is_updated && !w->is_created && !w->first->index_later)
			v[n++] = db_uuid(&w->id);
	}
	return db_exec_rows(b->db, &record_search_leave, NULL, 0, v, n, 1, NULL, err);
}

static struct str working_words(struct upsert_batch *b, const struct working_record *w)
{
	struct record_item item = *w->first;

	if (item.words.p != NULL && item.data.p == w->text.p)
		return item.words;
	item.source = w->source;
	item.data = w->text;
	return record_words(b->a, &item);
}

/* The words by which the created and the changed are found. */
static int batch_write_words(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct db_val *v = arena_alloc(b->a, total * 3 * sizeof(*v));

	for (size_t i = 0; i < total; i++) {
		struct working_record *w = map_value(b->records, i);

		if (!working_is_written(w) || w->first->index_later)
			continue;
		struct db_val row[3] = {
		    db_uuid(&w->id), db_uuid(&w->first->account_id), db_strn(working_words(b, w))};

		memcpy(v + 3 * n++, row, sizeof(row));
	}
	return db_exec_rows(b->db, &record_search_put, NULL, 0, v, n, 3, NULL, err);
}

static int batch_queue_words(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct db_val *v = arena_alloc(b->a, total * 2 * sizeof(*v));

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);

		if (!working_is_written(w) || !w->first->index_later)
			continue;
		v[2 * n] = db_uuid(&w->id);
		v[2 * n++ + 1] = db_uuid(&w->first->account_id);
	}
	return db_exec_rows(b->db, &record_search_wait, NULL, 0, v, n, 2, NULL, err);
}

/* Writers of one host share few slots, so that two of them seldom wait for the same counter row. */
static int64_t count_slot(void)
{
	static int64_t slot = -1;
	static pid_t owner;

	if (slot < 0 || owner != getpid()) {
		owner = getpid();
		slot = (int64_t)random_below(16);
	}
	return slot;
}

struct kind_count {
	const struct record_item *kind;
	int32_t day;
	int64_t n;
};

static int batch_write_counts(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct kind_count *counts = arena_array(b->a, total, sizeof(*counts));
	struct db_val *v;

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);
		int32_t day = clock_day(w->first->at_us);
		size_t k = 0;

		if (!w->is_created)
			continue;
		while (
		    k < n && !(counts[k].day == day && item_is_same_kind(counts[k].kind, w->first)))
			k++;
		if (k == n)
			counts[n++] = (struct kind_count){w->first, day, 0};
		counts[k].n++;
	}
	v = arena_alloc(b->a, n * 6 * sizeof(*v));
	for (size_t k = 0; k < n; k++) {
		const struct record_item *it = counts[k].kind;
		struct db_val row[6] = {db_uuid(&it->account_id), db_strn(it->provider_type),
		    db_strn(it->resource_type), db_int(counts[k].day), db_int(count_slot()),
		    db_int(counts[k].n)};

		memcpy(v + 6 * k, row, sizeof(row));
	}
	return db_exec_rows(b->db, &record_counts_add, NULL, 0, v, n, 6, NULL, err);
}

int record_upsert(
    struct db *db, struct arena *a, struct record_item *items, size_t n, struct err *err)
{
	struct upsert_batch b = {.db = db, .a = a, .records = map_new(a)};

	if (n == 0)
		return 0;
	b.changes = arena_alloc(a, n * sizeof(*b.changes));
	if (batch_load_stored(&b, items, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (batch_apply_item(&b, &items[i], err) == -1)
			return -1;
	if (batch_write_created(&b, err) == -1 || batch_write_updated(&b, err) == -1 ||
	    batch_leave_queue(&b, err) == -1 || batch_write_words(&b, err) == -1 ||
	    batch_queue_words(&b, err) == -1 || batch_write_changes(&b, err) == -1)
		return -1;
	return batch_write_counts(&b, err);
}
