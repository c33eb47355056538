/* SQL of the records: one upsert for every source, lists, counters, history. */
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "crypto/random.h"
#include "record/record-merge.h"
#include "record/record.h"

DB_STMT_ROWS(records_lock,
    "SELECT external_id, id, data, provider_updated_at FROM records"
    " WHERE account_id = ? AND provider_type = ? AND resource_type = ? AND external_id IN (",
    "?", ") FOR UPDATE");
DB_STMT_ROWS(records_insert,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?)", "");
DB_STMT(records_update,
    "UPDATE records SET source = ?, data = ?, updated_at = ?, provider_updated_at = ?"
    " WHERE account_id = ? AND id = ?");
DB_STMT_ROWS(record_changes_insert,
    "INSERT INTO record_changes (id, account_id, record_id, at, provider_at, source, event_id,"
    " changes) VALUES ",
    "(?,?,?,?,?,?,?,?)", "");
DB_STMT(record_changes_after, "SELECT changes, provider_at > ? FROM record_changes"
			      " WHERE account_id = ? AND record_id = ? ORDER BY id DESC LIMIT 200");
DB_STMT_ROWS(record_counts_add,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES ",
    "(?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE records = records + VALUES(records)");

/* ---- upsert ------------------------------------------------------------------------------ */

/* What is known of one record while a batch goes over it. */
struct working {
	struct record_item *first; /* names it */
	struct uuid id;
	bool is_stored, is_created, is_updated;
	struct str text; /* the payload as of now */
	json_t *data;    /* the same parsed, once it was needed */
	int64_t provider_updated_us, at_us;
	const char *source;
};

struct change_row {
	struct uuid id;
	const struct working *w;
	const struct record_item *item;
	struct str changes;
};

struct batch {
	struct db *db;
	struct arena *a;
	struct map *records; /* key → struct working */
	struct change_row *changes;
	size_t nchanges;
};

static struct str record_key(struct arena *a, const struct record_item *it)
{
	size_t n = 16 + it->provider_type.n + 1 + it->resource_type.n + 1 + it->external_id.n;
	char *p = arena_alloc(a, n), *at = p;

	memcpy(at, it->account_id.b, 16);
	at += 16;
	memcpy(at, it->provider_type.p, it->provider_type.n);
	at += it->provider_type.n;
	*at++ = '\0';
	memcpy(at, it->resource_type.p, it->resource_type.n);
	at += it->resource_type.n;
	*at++ = '\0';
	memcpy(at, it->external_id.p, it->external_id.n);
	return (struct str){p, n};
}

static bool is_same_kind(const struct record_item *x, const struct record_item *y)
{
	return uuid_eq(x->account_id, y->account_id) &&
	       str_eq(x->provider_type, y->provider_type) &&
	       str_eq(x->resource_type, y->resource_type);
}

/* Locks and reads the stored rows among items that are of the kind of items[0]; at most
 * LIMIT_DB_BATCH. */
static int lock_kind(struct batch *b, struct working **ws, size_t n, struct err *err)
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
			struct working *w = ws[k];

			if (w->is_stored || !str_eq(w->first->external_id, db_get_str(&rows, i, 0)))
				continue;
			w->is_stored = true;
			w->id = db_get_uuid(&rows, i, 1);
			w->text = db_get_str(&rows, i, 2);
			w->provider_updated_us = db_get_int(&rows, i, 3);
			break;
		}
	}
	return 0;
}

/* Collects the distinct records of the batch and reads those that exist, kind by kind. */
static int load_stored(struct batch *b, struct record_item *items, size_t n, struct err *err)
{
	struct working *ws[LIMIT_DB_BATCH];
	size_t total;

	for (size_t i = 0; i < n; i++) {
		struct str key = record_key(b->a, &items[i]);
		struct working *w;

		if (map_get(b->records, key) != NULL)
			continue;
		w = arena_zalloc(b->a, sizeof(*w));
		w->first = &items[i];
		map_put(b->records, key, w);
	}
	total = map_count(b->records);
	bool *is_done = arena_array(b->a, total, sizeof(*is_done));

	for (size_t i = 0; i < total; i++) {
		const struct working *lead = map_value(b->records, i);
		size_t taken = 0;

		if (is_done[i])
			continue;
		for (size_t k = i; k < total && taken < LIMIT_DB_BATCH; k++) {
			struct working *w = map_value(b->records, k);

			if (is_done[k] || !is_same_kind(lead->first, w->first))
				continue;
			is_done[k] = true;
			ws[taken++] = w;
		}
		if (lock_kind(b, ws, taken, err) == -1)
			return -1;
	}
	return 0;
}

static void add_change(
    struct batch *b, const struct working *w, const struct record_item *it, struct str changes)
{
	b->changes[b->nchanges++] =
	    (struct change_row){.id = uuid_new(), .w = w, .item = it, .changes = changes};
}

static void create(struct batch *b, struct working *w, struct record_item *it)
{
	w->id = uuid_new();
	w->is_created = true;
	w->text = it->data;
	w->provider_updated_us = it->provider_updated_us;
	w->at_us = it->at_us;
	w->source = it->source;
	it->outcome = RECORD_CREATED;
	add_change(b, w, it, STR("[]"));
}

/* The changes of w that are newer than at_us by the provider's clock, newest first: those of this
 * batch, then the stored ones. *is_all: even its creation is newer. */
static int newer_changes(struct batch *b, const struct working *w, int64_t at_us, json_t **out,
    bool *is_all, struct err *err)
{
	struct db_rows rows = {0};

	*out = json_own(b->a, json_array());
	*is_all = true;
	for (size_t i = b->nchanges; i-- > 0;) {
		const struct change_row *c = &b->changes[i];

		if (c->w != w)
			continue;
		if (c->item->provider_updated_us <= at_us) {
			*is_all = false;
			return 0;
		}
		json_array_append(*out, json_parse(b->a, c->changes, err));
	}
	if (w->is_stored &&
	    db_query(b->db, b->a, &record_changes_after,
		DB_VALS(db_int(at_us), db_uuid(&w->first->account_id), db_uuid(&w->id)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		if (db_get_int(&rows, i, 1) == 0) {
			*is_all = false;
			return 0;
		}
		json_array_append(*out, json_parse(b->a, db_get_str(&rows, i, 0), err));
	}
	return 0;
}

/* Puts a late payload where it belongs in time: newer changes are taken back, it is merged, they
 * are done again, so that it fills in what it alone knows and overwrites nothing newer. */
static int merge_late(
    struct batch *b, struct working *w, const json_t *patch, int64_t at_us, struct err *err)
{
	json_t *newer, *now = json_own(b->a, json_deep_copy(w->data));
	bool is_all;

	if (newer_changes(b, w, at_us, &newer, &is_all, err) == -1)
		return -1;
	if (is_all) {
		json_t *base = json_own(b->a, json_deep_copy(patch));

		json_merge(base, now);
		w->data = base;
		return 0;
	}
	for (size_t i = 0; i < json_array_size(newer); i++)
		record_undo(b->a, w->data, json_array_get(newer, i));
	json_merge(w->data, patch);
	for (size_t i = json_array_size(newer); i-- > 0;)
		record_redo(b->a, w->data, json_array_get(newer, i));
	return 0;
}

static int merge(struct batch *b, struct working *w, struct record_item *it, struct err *err)
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
	else if (merge_late(b, w, patch, it->provider_updated_us, err) == -1)
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
	w->at_us = it->at_us;
	w->source = it->source;
	it->outcome = RECORD_UPDATED;
	add_change(b, w, it, json_text(b->a, record_diff(b->a, before, w->data)));
	return 0;
}

static int apply(struct batch *b, struct record_item *it, struct err *err)
{
	struct working *w = map_get(b->records, record_key(b->a, it));
	int rc = 0;

	if (it->data.n > LIMIT_RECORD_BYTES)
		return err_set(
		    err, ERR_LIMIT, "a record may have at most %u bytes", LIMIT_RECORD_BYTES);
	if (!w->is_stored && !w->is_created)
		create(b, w, it);
	else
		rc = merge(b, w, it, err);
	it->id = w->id;
	return rc;
}

static int write_created(struct batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct db_val *v = arena_alloc(b->a, total * 10 * sizeof(*v));
	struct err e = ERR_INIT;

	for (size_t i = 0; i < total; i++) {
		const struct working *w = map_value(b->records, i);
		const struct record_item *it = w->first;
		struct db_val row[10] = {db_uuid(&w->id), db_uuid(&it->account_id),
		    db_strn(it->provider_type), db_strn(it->resource_type),
		    db_strn(it->external_id), db_str(w->source), db_strn(w->text),
		    db_int(it->at_us), db_int(w->at_us), db_time(w->provider_updated_us)};

		if (w->is_created)
			memcpy(v + 10 * n++, row, sizeof(row));
	}
	if (n == 0 || db_exec_rows(b->db, &records_insert, NULL, 0, v, n, 10, NULL, &e) == 0)
		return 0;
	/* Another transaction made one of them since we looked: the next try will merge into it. */
	err_set(err, e.code == ERR_CONFLICT ? ERR_RETRY : e.code, "%s", e.msg);
	return -1;
}

static int write_updated(struct batch *b, struct err *err)
{
	for (size_t i = 0; i < map_count(b->records); i++) {
		const struct working *w = map_value(b->records, i);

		if (!w->is_updated || w->is_created)
			continue;
		if (db_exec(b->db, &records_update,
			DB_VALS(db_str(w->source), db_strn(w->text), db_int(w->at_us),
			    db_time(w->provider_updated_us), db_uuid(&w->first->account_id),
			    db_uuid(&w->id)),
			NULL, err) == -1)
			return -1;
	}
	return 0;
}

static int write_changes(struct batch *b, struct err *err)
{
	struct db_val *v = arena_alloc(b->a, b->nchanges * 8 * sizeof(*v));

	for (size_t i = 0; i < b->nchanges; i++) {
		const struct change_row *c = &b->changes[i];
		struct db_val row[8] = {db_uuid(&c->id), db_uuid(&c->item->account_id),
		    db_uuid(&c->w->id), db_int(c->item->at_us),
		    db_time(c->item->provider_updated_us), db_str(c->item->source),
		    db_uuid_or_null(&c->item->event_id), db_strn(c->changes)};

		memcpy(v + 8 * i, row, sizeof(row));
	}
	return db_exec_rows(b->db, &record_changes_insert, NULL, 0, v, b->nchanges, 8, NULL, err);
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

struct count {
	const struct record_item *kind;
	int32_t day;
	int64_t n;
};

static int write_counts(struct batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct count *counts = arena_array(b->a, total, sizeof(*counts));
	struct db_val *v;

	for (size_t i = 0; i < total; i++) {
		const struct working *w = map_value(b->records, i);
		int32_t day = clock_day(w->first->at_us);
		size_t k = 0;

		if (!w->is_created)
			continue;
		while (k < n && !(counts[k].day == day && is_same_kind(counts[k].kind, w->first)))
			k++;
		if (k == n)
			counts[n++] = (struct count){w->first, day, 0};
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
	struct batch b = {.db = db, .a = a, .records = map_new(a)};

	if (n == 0)
		return 0;
	b.changes = arena_alloc(a, n * sizeof(*b.changes));
	if (load_stored(&b, items, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (apply(&b, &items[i], err) == -1)
			return -1;
	if (write_created(&b, err) == -1 || write_updated(&b, err) == -1 ||
	    write_changes(&b, err) == -1)
		return -1;
	return write_counts(&b, err);
}
