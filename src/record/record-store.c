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
 * A late payload (older by the provider's clock than what is stored) is merged when it comes, leaf
 * by leaf, where nothing newer has spoken (record-clock.h). One that changes nothing is stale: its
 * clock may still move, which is no change. */
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "crypto/random.h"
#include "record/record-cells.h"
#include "record/record-clock.h"
#include "record/record-words.h"
#include "record/record.h"

/* Whole keys, one by one: of a small table the server would read all rows of the account, and lock
 * what others are at. */
#define RECORDS_BY_KEY                                                                             \
	"SELECT external_id, id, data, provider_updated_at, updated_at, source, clocks,"           \
	" connection_id, account_id, provider_type, resource_type FROM records"                    \
	" FORCE INDEX (records_external)"
DB_STMT_ROWS(records_lock,
    RECORDS_BY_KEY
    " WHERE account_id = ? AND provider_type = ? AND resource_type = ? AND external_id IN (",
    "?", ") FOR UPDATE");
#define RECORDS_OF_KINDS                                                                           \
	RECORDS_BY_KEY " WHERE (account_id, provider_type, resource_type, external_id) IN ("
DB_STMT_ROWS(records_lock_kinds, RECORDS_OF_KINDS, "(?,?,?,?)", ") FOR UPDATE");
DB_STMT_ROWS(records_lock_kinds_at_once, RECORDS_OF_KINDS, "(?,?,?,?)", ") FOR UPDATE NOWAIT");
DB_STMT_ROWS(records_lock_at_once,
    RECORDS_BY_KEY
    " WHERE account_id = ? AND provider_type = ? AND resource_type = ? AND external_id IN (",
    "?", ") FOR UPDATE NOWAIT");
enum {
	STORED_EXTERNAL_ID,
	STORED_ID,
	STORED_DATA,
	STORED_PROVIDER_UPDATED,
	STORED_UPDATED,
	STORED_SOURCE,
	STORED_CLOCKS,
	STORED_CONNECTION,
	STORED_ACCOUNT,
	STORED_PROVIDER_TYPE,
	STORED_RESOURCE_TYPE
};
DB_STMT_ROWS(records_insert,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at, clocks, connection_id) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?)", "");
/* Of rows that are there and locked: what it would insert otherwise are their keys. */
DB_STMT_ROWS(records_update,
    "INSERT INTO records (id, account_id, provider_type, resource_type, external_id, source, data,"
    " first_seen_at, updated_at, provider_updated_at, clocks, connection_id) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE source = VALUES(source), data = VALUES(data),"
    " updated_at = VALUES(updated_at), provider_updated_at = VALUES(provider_updated_at),"
    " clocks = VALUES(clocks), connection_id = VALUES(connection_id)");
DB_STMT_ROWS(record_moves_insert,
    "INSERT INTO record_moves (account_id, from_at, record_id, moved_at) VALUES ", "(?,?,?,?)",
    " ON DUPLICATE KEY UPDATE moved_at = VALUES(moved_at)");
DB_STMT_ROWS(record_changes_insert,
    "INSERT INTO record_changes (id, account_id, record_id, at, provider_at, source, event_id,"
    " changes) VALUES ",
    "(?,?,?,?,?,?,?,?)", "");
DB_STMT(record_told_since,
    "SELECT 1 FROM record_changes WHERE account_id = ? AND record_id = ? AND id >= ?"
    " AND (event_id > ? OR (event_id IS NULL AND at > ?)) LIMIT 1");
DB_STMT_ROWS(record_counts_add,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES ",
    "(?,?,?,?,?,?)", " ON DUPLICATE KEY UPDATE records = records + VALUES(records)");

DB_STMT_ROWS(record_search_put, "INSERT INTO record_search (record_id, account_id, words) VALUES ",
    "(?,?,?)", " ON DUPLICATE KEY UPDATE words = VALUES(words)");

DB_STMT_ROWS(record_search_leave,
    "DELETE q FROM record_search_queue q FORCE INDEX (PRIMARY) WHERE q.account_id = ?"
    " AND q.record_id IN (",
    "?", ")");
DB_STMT_ROWS(record_search_wait, "INSERT INTO record_search_queue (record_id, account_id) VALUES ",
    "(?,?)", " ON DUPLICATE KEY UPDATE record_id = record_id");

/* ---- upsert ------------------------------------------------------------------------------ */

/* What is known of one record while a batch goes over it. */
struct working_record {
	struct record_item *first; /* names it */
	struct record_item *last;  /* changed it */
	struct uuid id;
	bool is_stored, is_created, is_updated;
	bool is_confirmed; /* its clocks moved, perhaps without a change */
	struct str text; /* the payload as read or created; as of now once batch_write_texts ran */
	json_t *data;    /* the same parsed, as of now, once it was needed */
	struct str clocks_text;
	struct clock_node *clocks; /* with data */
	int64_t newest_us;         /* by the provider's clock, or TIME_NONE */
	int64_t at_us;
	int64_t from_us; /* where it stood before it was updated: as read, or as created */
	const char *source, *stored_source;
	struct uuid connection_id;
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
	bool is_shared;
	size_t stored_bytes; /* read so far */
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

static struct working_record *working_of(struct upsert_batch *b, const struct record_item *it)
{
	return map_get(b->records, item_key(b->a, it));
}

static void batch_take_stored(struct upsert_batch *b, const struct db_rows *rows, size_t i)
{
	const struct record_item stored = {.account_id = db_get_uuid(rows, i, STORED_ACCOUNT),
	    .provider_type = db_get_str(rows, i, STORED_PROVIDER_TYPE),
	    .resource_type = db_get_str(rows, i, STORED_RESOURCE_TYPE),
	    .external_id = db_get_str(rows, i, STORED_EXTERNAL_ID)};
	struct working_record *w = map_get(b->records, item_key(b->a, &stored));

	b->stored_bytes += db_get_str(rows, i, STORED_DATA).n;
	if (w == NULL)
		return;
	w->is_stored = true;
	w->id = db_get_uuid(rows, i, STORED_ID);
	w->text = db_get_str(rows, i, STORED_DATA);
	w->newest_us = db_get_time(rows, i, STORED_PROVIDER_UPDATED);
	w->at_us = w->from_us = db_get_int(rows, i, STORED_UPDATED);
	w->source = w->stored_source = db_get_text(rows, i, STORED_SOURCE);
	if (!db_is_null(rows, i, STORED_CLOCKS))
		w->clocks_text = db_get_str(rows, i, STORED_CLOCKS);
	w->connection_id = db_get_uuid(rows, i, STORED_CONNECTION);
}

/* Locks and reads the stored rows of records that are all of the kind of ws[0]; at most
 * LIMIT_DB_BATCH. */
static int batch_lock_kind(
    struct upsert_batch *b, struct working_record **ws, size_t n, struct err *err)
{
	const struct record_item *kind = ws[0]->first;
	struct db_val ids[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < n; i++)
		ids[i] = db_strn(ws[i]->first->external_id);
	if (db_query_rows(b->db, b->a, b->is_shared ? &records_lock_at_once : &records_lock,
		DB_VALS(db_uuid(&kind->account_id), db_strn(kind->provider_type),
		    db_strn(kind->resource_type)),
		ids, n, 1, &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		batch_take_stored(b, &rows, i);
	return 0;
}

/* Those of all kinds by one statement, where few of many come together. *is_done comes false where
 * one is in the way: that asks for kind by kind. */
static int batch_lock_kinds(struct upsert_batch *b, bool *is_done, struct err *err)
{
	size_t n = map_count(b->records);
	struct db_val *keys = arena_array(b->a, 4 * n, sizeof(*keys));
	struct err e = ERR_INIT;
	struct db_rows rows;

	for (size_t i = 0; i < n; i++) {
		const struct record_item *it =
		    ((struct working_record *)map_value(b->records, i))->first;

		keys[4 * i] = db_uuid(&it->account_id);
		keys[4 * i + 1] = db_strn(it->provider_type);
		keys[4 * i + 2] = db_strn(it->resource_type);
		keys[4 * i + 3] = db_strn(it->external_id);
	}
	*is_done = false;
	if (db_query_rows(b->db, b->a,
		b->is_shared ? &records_lock_kinds_at_once : &records_lock_kinds, NULL, 0, keys, n,
		4, &rows, &e) == -1)
		return e.code == ERR_LOCKED ? 0 : err_set(err, e.code, "%s", e.msg);
	for (size_t i = 0; i < rows.count; i++)
		b->stored_bytes += db_get_str(&rows, i, STORED_DATA).n;
	*is_done = !b->is_shared || b->stored_bytes <= RECORD_SHARED_BYTES;
	b->stored_bytes = 0;
	for (size_t i = 0; i < rows.count && *is_done; i++)
		batch_take_stored(b, &rows, i);
	return 0;
}

static int batch_check_share(
    const struct upsert_batch *b, const struct record_item *kind, struct err *err)
{
	if (!b->is_shared || b->stored_bytes <= RECORD_SHARED_BYTES)
		return 0;
	return err_set(err, ERR_LOCKED, "the records of %.*s are too large to be shared work",
	    (int)kind->resource_type.n, kind->resource_type.p);
}

static void items_mark_in_the_way(
    struct record_item *items, size_t n, const struct record_item *kind)
{
	for (size_t i = 0; i < n; i++)
		items[i].is_in_the_way = item_is_same_kind(&items[i], kind);
}

/* Which records of a kind it is that others hold: their neighbours are in nobody's way. None where
 * they have been let go meanwhile. */
static void items_mark_held(struct upsert_batch *b, struct working_record **ws, size_t nws,
    struct record_item *items, size_t n)
{
	for (size_t i = 0; i < nws; i++) {
		struct err e = ERR_INIT;

		if (batch_lock_kind(b, &ws[i], 1, &e) == 0 || e.code != ERR_LOCKED)
			continue;
		for (size_t k = 0; k < n; k++)
			items[k].is_in_the_way |= working_of(b, &items[k]) == ws[i];
	}
}

/* Kind by kind. */
static int batch_lock_apart(
    struct upsert_batch *b, struct record_item *items, size_t n, struct err *err)
{
	struct working_record *ws[LIMIT_DB_BATCH];
	size_t total = map_count(b->records);
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
		if (batch_lock_kind(b, ws, taken, err) == -1) {
			if (err->code == ERR_LOCKED)
				items_mark_held(b, ws, taken, items, n);
			return -1;
		}
		if (batch_check_share(b, lead->first, err) == -1) {
			items_mark_in_the_way(items, n, lead->first);
			return -1;
		}
	}
	return 0;
}

static bool batch_is_of_kinds(const struct upsert_batch *b)
{
	size_t n = map_count(b->records);
	const struct working_record *first = n == 0 ? NULL : map_value(b->records, 0);

	for (size_t i = 1; i < n && n <= LIMIT_DB_BATCH; i++)
		if (!item_is_same_kind(
			first->first, ((struct working_record *)map_value(b->records, i))->first))
			return true;
	return false;
}

static int batch_lock_stored(
    struct upsert_batch *b, struct record_item *items, size_t n, struct err *err)
{
	bool is_done = false;

	if (batch_is_of_kinds(b) && batch_lock_kinds(b, &is_done, err) == -1)
		return -1;
	return is_done ? 0 : batch_lock_apart(b, items, n, err);
}

/* Collects the distinct records of the batch, and locks and reads those that exist. */
static int batch_load_stored(
    struct upsert_batch *b, struct record_item *items, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct str key = item_key(b->a, &items[i]);
		struct working_record *w;

		if (map_get(b->records, key) != NULL)
			continue;
		w = arena_zalloc(b->a, sizeof(*w));
		w->first = &items[i];
		map_put(b->records, key, w);
	}
	if (db_settle(b->db, err) == -1)
		return -1;
	return batch_lock_stored(b, items, n, err);
}

static void batch_add_change(struct upsert_batch *b, const struct working_record *w,
    const struct record_item *it, struct str changes)
{
	b->changes[b->nchanges++] =
	    (struct change_row){uuid_of_time(w->at_us), w->at_us, w, it, changes};
}

#define AHEAD_US (600 * SECOND_US) /* a provider's clock may be so far ahead of ours */

/* The payload and its clocks, to be changed. */
static int working_open(struct upsert_batch *b, struct working_record *w, struct err *err)
{
	if (w->data != NULL)
		return 0;
	if ((w->data = json_parse_stored(b->a, w->text, err)) == NULL)
		return err_prefix(err, "the record can only be deleted");
	w->clocks = clock_read(b->a, w->clocks_text, w->newest_us);
	return 0;
}

static int64_t item_received(const struct record_item *it)
{
	return it->received_us != 0 ? it->received_us : it->at_us;
}

static int64_t item_told(const struct record_item *it)
{
	return it->has_provider_time ? it->provider_updated_us : TIME_NONE;
}

static bool item_is_ahead(const struct record_item *it)
{
	return it->has_provider_time && it->provider_updated_us > item_received(it) + AHEAD_US;
}

/* By the provider's clock; a time yet to come counts as the time of receipt, or it would keep the
 * record as it is until then. TIME_NONE where none is told. Where it is ahead the record is open.
 */
static int64_t item_time(
    struct upsert_batch *b, const struct working_record *w, struct record_item *it)
{
	it->was_ahead = item_is_ahead(it);
	if (it->was_ahead)
		it->provider_updated_us =
		    clock_of_ahead(b->a, w->clocks, it->provider_updated_us, item_received(it));
	return item_told(it);
}

/* Has the record been told of something since the item came that is long under way, or is taken
 * once more? By a later event, or by what is none; a file's rows come one after the other. */
static int item_is_overtaken(struct upsert_batch *b, const struct working_record *w,
    const struct record_item *it, bool *out, struct err *err)
{
	struct uuid from = uuid_at(it->received_us);
	struct db_rows rows;
	int found;

	*out = false;
	if (it->has_provider_time || it->received_us == 0 || !w->is_stored ||
	    w->from_us <= it->received_us)
		return 0;
	if (uuid_is_nil(it->event_id)) {
		*out = strcmp(w->stored_source, it->source) != 0;
		return 0;
	}
	found = db_row(b->db, b->a, &record_told_since,
	    DB_VALS(db_uuid(&it->account_id), db_uuid(&w->id), db_uuid(&from),
		db_uuid(&it->event_id), db_int(it->received_us)),
	    &rows, err);
	*out = found == 1;
	return found == -1 ? -1 : 0;
}

/* When what it says was said, against what is there. One without a time of its own overwrites
 * whatever is there when it comes; but one that others have overtaken fills only what nobody has
 * said. */
static int64_t item_time_over(struct upsert_batch *b, const struct working_record *w,
    struct record_item *it, bool is_overtaken)
{
	const int64_t at = item_time(b, w, it);

	if (it->is_fill || is_overtaken)
		return CLOCK_FILL;
	return at == TIME_NONE ? w->newest_us : at;
}

static int batch_create_record(
    struct upsert_batch *b, struct working_record *w, struct record_item *it, struct err *err)
{
	w->id = uuid_new();
	w->is_created = true;
	w->text = it->data;
	w->newest_us = item_is_ahead(it) ? item_received(it) : item_told(it);
	if (it->unsaid.n > 0 && w->newest_us != TIME_NONE)
		w->clocks_text = clock_text_unsaid(b->a, it->unsaid, w->newest_us);
	w->at_us = w->from_us = it->at_us;
	w->source = it->source;
	w->connection_id = it->connection_id;
	w->last = it;
	it->outcome = RECORD_CREATED;
	if (item_is_ahead(it) && working_open(b, w, err) == -1)
		return -1;
	(void)item_time(b, w, it);
	batch_add_change(b, w, it, STR("[]"));
	return 0;
}

static void working_confirm(struct working_record *w, int64_t at)
{
	if (at > w->newest_us)
		w->newest_us = at;
	w->is_confirmed = true;
}

/* Without a time of its own it comes just behind all that was said so far: a payload of that time
 * which comes again takes nothing of it back. Of a record of which no time is known a correction is
 * of now. */
static struct clock_merge merge_at(struct arena *a, const struct record_item *it, int64_t at)
{
	struct clock_merge m = {.a = a, .at_us = at};

	if (it->has_provider_time || at == CLOCK_FILL)
		return m;
	m.is_last = true;
	if (at != TIME_NONE)
		m.at_us = at + 1;
	else if (it->is_correction)
		m.at_us = it->at_us;
	return m;
}

/* A payload that is the record, word by word, while all of the record is of one time. */
static bool is_repeated_whole(const struct working_record *w, const struct record_item *it)
{
	return w->data == NULL && w->clocks_text.p == NULL && str_eq(it->data, w->text);
}

/* Takes what is unsaid out of the patch; what of it the record lacks is returned. */
static json_t *patch_take_unsaid(
    struct arena *a, const json_t *data, json_t *patch, struct str unsaid)
{
	json_t *lacking = json_own(a, json_object());
	struct str name;

	while (unsaid.n > 0 && str_split(&unsaid, ',', &name)) {
		const char *key = arena_strndup(a, name.p, name.n);
		json_t *v = json_object_get(patch, key);

		if (v != NULL && json_object_get(data, key) == NULL)
			json_set(lacking, key, json_incref(v));
		json_object_del(patch, key);
	}
	return lacking;
}

/* It stands there as older than whatever was said, or will be. */
static void working_fill(
    struct upsert_batch *b, struct working_record *w, const json_t *lacking, json_t *changes)
{
	struct clock_merge m = {.a = b->a, .at_us = CLOCK_FILL};

	if (json_object_size(lacking) == 0)
		return;
	clock_merge(&m, w->data, w->clocks, lacking);
	json_array_extend(changes, m.changes);
}

/* It costs no other, if that is all that is wrong. */
static int item_refuse(struct record_item *it, const struct err *err)
{
	it->is_refused = err->code == ERR_UNREADABLE;
	return -1;
}

static int record_merge_patch(
    struct upsert_batch *b, struct working_record *w, struct record_item *it, struct err *err)
{
	struct clock_merge m;
	json_t *patch, *lacking;
	bool is_overtaken;
	int64_t at;

	if (item_is_ahead(it) && working_open(b, w, err) == -1)
		return item_refuse(it, err);
	if (item_is_overtaken(b, w, it, &is_overtaken, err) == -1)
		return -1;
	at = item_time_over(b, w, it, is_overtaken);
	m = merge_at(b->a, it, at);
	it->outcome = is_overtaken || (at < w->newest_us && at != CLOCK_FILL) ? RECORD_STALE
									      : RECORD_UNCHANGED;
	if (is_repeated_whole(w, it)) {
		if (at > w->newest_us)
			working_confirm(w, at);
		return 0;
	}
	if (working_open(b, w, err) == -1)
		return item_refuse(it, err);
	if ((patch = json_parse(b->a, it->data, err)) == NULL) {
		it->is_refused = true;
		return -1;
	}
	lacking = patch_take_unsaid(b->a, w->data, patch, it->unsaid);
	if (it->is_of_cells)
		record_keep_printed(b->a, w->data, patch, it->has_cleared);
	clock_merge(&m, w->data, w->clocks, patch);
	working_fill(b, w, lacking, m.changes);
	if (m.is_clock_moved)
		working_confirm(w, at);
	if (json_array_size(m.changes) == 0)
		return 0;
	w->is_updated = true;
	w->last = it;
	/* two writers may come in another order than their clocks say: a record only moves forward
	 */
	w->at_us = it->at_us > w->at_us ? it->at_us : w->at_us + 1;
	w->source = it->source;
	if (!uuid_is_nil(it->connection_id)) /* a file or a flow changes what came by one */
		w->connection_id = it->connection_id;
	it->outcome = RECORD_UPDATED;
	batch_add_change(b, w, it, json_text(b->a, m.changes));
	return 0;
}

/* What each is at the end, once, whatever was merged into it. */
static int batch_write_texts(struct upsert_batch *b, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < map_count(b->records); i++) {
		struct working_record *w = map_value(b->records, i);

		if (w->data == NULL)
			continue;
		if (w->is_updated)
			w->text = json_text(b->a, w->data);
		w->clocks_text = clock_text(b->a, w->clocks, w->data, w->newest_us);
		if (w->text.n <= LIMIT_RECORD_BYTES)
			continue;
		w->last->is_refused = true;
		rc = err_set(
		    err, ERR_LIMIT, "a record may have at most %u bytes", LIMIT_RECORD_BYTES);
	}
	return rc;
}

static int batch_apply_item(struct upsert_batch *b, struct record_item *it, struct err *err)
{
	struct working_record *w = working_of(b, it);
	int rc = 0;

	if (it->data.n > LIMIT_RECORD_BYTES) {
		it->is_refused = true;
		return err_set(
		    err, ERR_LIMIT, "a record may have at most %u bytes", LIMIT_RECORD_BYTES);
	}
	if (!w->is_stored && !w->is_created)
		rc = batch_create_record(b, w, it, err);
	else if (it->is_only_new)
		it->outcome = RECORD_UNCHANGED;
	else
		rc = record_merge_patch(b, w, it, err);
	it->id = w->id;
	return rc;
}

#define RECORD_VALUES 12

static void working_row(const struct working_record *w, struct db_val *v)
{
	const struct record_item *it = w->first;
	struct db_val row[RECORD_VALUES] = {db_uuid(&w->id), db_uuid(&it->account_id),
	    db_strn(it->provider_type), db_strn(it->resource_type), db_strn(it->external_id),
	    db_str(w->source), db_strn(w->text), db_int(it->at_us), db_int(w->at_us),
	    w->newest_us == TIME_NONE ? db_null() : db_int(w->newest_us), db_strn(w->clocks_text),
	    db_uuid_or_null(&w->connection_id)};

	memcpy(v, row, sizeof(row));
}

static int batch_write_created(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct db_val *v = arena_alloc(b->a, total * RECORD_VALUES * sizeof(*v));

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);

		if (w->is_created)
			working_row(w, v + RECORD_VALUES * n++);
	}
	/* Another transaction may have made one since we looked: the next try merges into it. */
	return db_exec_rows_later(b->db, &records_insert, v, n, RECORD_VALUES, ERR_RETRY, err);
}

/* One that was made and changed in this batch moved as well, though its row is written once. */
static int batch_write_updated(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), nmoves = 0, n = 0;
	struct db_val *moves = arena_alloc(b->a, total * 4 * sizeof(*moves));
	struct db_val *v = arena_alloc(b->a, total * RECORD_VALUES * sizeof(*v));

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);

		if (!w->is_created && (w->is_updated || w->is_confirmed))
			working_row(w, v + RECORD_VALUES * n++);
		if (!w->is_updated)
			continue;
		struct db_val move[4] = {db_uuid(&w->first->account_id), db_int(w->from_us),
		    db_uuid(&w->id), db_int(w->at_us)};

		memcpy(moves + 4 * nmoves++, move, sizeof(move));
	}
	if (db_exec_rows_later(b->db, &records_update, v, n, RECORD_VALUES, ERR_CONFLICT, err) ==
	    -1)
		return -1;
	return db_exec_rows_later(b->db, &record_moves_insert, moves, nmoves, 4, ERR_CONFLICT, err);
}

static int batch_write_changes(struct upsert_batch *b, struct err *err)
{
	struct db_val *v = arena_alloc(b->a, b->nchanges * 8 * sizeof(*v));

	for (size_t i = 0; i < b->nchanges; i++) {
		const struct change_row *c = &b->changes[i];
		struct db_val row[8] = {db_uuid(&c->id), db_uuid(&c->item->account_id),
		    db_uuid(&c->w->id), db_int(c->at_us),
		    c->item->has_provider_time ? db_int(c->item->provider_updated_us) : db_null(),
		    db_str(c->item->source), db_uuid_or_null(&c->item->event_id),
		    db_strn(c->changes)};

		memcpy(v + 8 * i, row, sizeof(row));
	}
	return db_exec_rows_later(
	    b->db, &record_changes_insert, v, b->nchanges, 8, ERR_CONFLICT, err);
}

static bool working_is_written(const struct working_record *w)
{
	return w->is_created || w->is_updated;
}

/* The words of a large payload cost too much to be waited for. */
static bool words_come_later(const struct working_record *w)
{
	return w->first->index_later || w->text.n > WORDS_AT_ONCE;
}

/* Whoever writes the words itself waits for an indexer that is at it, and leaves it nothing to do.
 */
static int batch_leave_queue(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records);
	struct db_val *v = arena_alloc(b->a, total * sizeof(*v));
	bool *is_done = arena_array(b->a, total, sizeof(*is_done));

	for (size_t i = 0; i < total; i++) {
		const struct uuid *account_id =
		    &((const struct working_record *)map_value(b->records, i))->first->account_id;
		size_t n = 0;

		for (size_t k = i; k < total; k++) {
			const struct working_record *w = map_value(b->records, k);

			if (is_done[k] || !uuid_eq(w->first->account_id, *account_id))
				continue;
			is_done[k] = true;
			if (w->is_updated && !w->is_created && !words_come_later(w))
				v[n++] = db_uuid(&w->id);
		}
		if (db_exec_rows(b->db, &record_search_leave, DB_VALS(db_uuid(account_id)), v, n, 1,
			NULL, err) == -1)
			return -1;
	}
	return 0;
}

static struct str working_words(struct upsert_batch *b, const struct working_record *w)
{
	struct record_item item = *w->first;

	if (item.words.p != NULL && item.data.p == w->text.p)
		return item.words;
	item.source = w->source;
	item.connection_id = w->connection_id;
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

		if (!working_is_written(w) || words_come_later(w))
			continue;
		struct db_val row[3] = {
		    db_uuid(&w->id), db_uuid(&w->first->account_id), db_strn(working_words(b, w))};

		memcpy(v + 3 * n++, row, sizeof(row));
	}
	return db_exec_rows_later(b->db, &record_search_put, v, n, 3, ERR_CONFLICT, err);
}

static int batch_queue_words(struct upsert_batch *b, struct err *err)
{
	size_t total = map_count(b->records), n = 0;
	struct db_val *v = arena_alloc(b->a, total * 2 * sizeof(*v));

	for (size_t i = 0; i < total; i++) {
		const struct working_record *w = map_value(b->records, i);

		if (!working_is_written(w) || !words_come_later(w))
			continue;
		v[2 * n] = db_uuid(&w->id);
		v[2 * n++ + 1] = db_uuid(&w->first->account_id);
	}
	return db_exec_rows_later(b->db, &record_search_wait, v, n, 2, ERR_CONFLICT, err);
}

#define LIVE_SLOTS 12
#define BULK_SLOTS 4

int64_t record_count_slot(const char *source)
{
	static int64_t slot = -1;
	static pid_t owner;

	if (slot < 0 || owner != getpid()) {
		owner = getpid();
		slot = (int64_t)random_below(LIVE_SLOTS * BULK_SLOTS);
	}
	return source != NULL && strcmp(source, RECORD_SOURCE_WEBHOOK) == 0
		   ? slot % LIVE_SLOTS
		   : LIVE_SLOTS + slot % BULK_SLOTS;
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
		    db_strn(it->resource_type), db_int(counts[k].day),
		    db_int(record_count_slot(it->source)), db_int(counts[k].n)};

		memcpy(v + 6 * k, row, sizeof(row));
	}
	return db_exec_rows_later(b->db, &record_counts_add, v, n, 6, ERR_CONFLICT, err);
}

static int upsert_items(struct db *db, struct arena *a, struct record_item *items, size_t n,
    bool is_shared, struct err *err)
{
	struct upsert_batch b = {.db = db, .a = a, .records = map_new(a), .is_shared = is_shared};

	if (n == 0)
		return 0;
	b.changes = arena_alloc(a, n * sizeof(*b.changes));
	if (batch_load_stored(&b, items, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (batch_apply_item(&b, &items[i], err) == -1)
			return -1;
	for (size_t i = 0; i < n; i++)
		items[i].merged = working_of(&b, &items[i])->data;
	if (batch_write_texts(&b, err) == -1 || batch_write_created(&b, err) == -1 ||
	    batch_write_updated(&b, err) == -1 || batch_leave_queue(&b, err) == -1 ||
	    batch_write_words(&b, err) == -1 || batch_queue_words(&b, err) == -1 ||
	    batch_write_changes(&b, err) == -1)
		return -1;
	return batch_write_counts(&b, err);
}

int record_upsert(
    struct db *db, struct arena *a, struct record_item *items, size_t n, struct err *err)
{
	return upsert_items(db, a, items, n, false, err);
}

int record_upsert_any(struct app *app, struct db *db, struct arena *a, struct record_item *items,
    size_t n, bool is_bulk, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (app->hooks.records_upsert != NULL && str_is(items[i].resource_type, "lead"))
			return app->hooks.records_upsert(app, db, a, items, n, is_bulk, err);
	return record_upsert(db, a, items, n, err);
}

int record_upsert_shared(
    struct db *db, struct arena *a, struct record_item *items, size_t n, struct err *err)
{
	return upsert_items(db, a, items, n, true, err);
}
