/* The search index of records whose writers left it for later: some of each account in turn, so
 * that a long queue of one holds up no other. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "record/record-internal.h"
#include "record/record-words.h"

#define BATCH 64    /* records in one transaction: a few milliseconds */
#define ACCOUNTS 16 /* whose records may be in it */
/* Larger payloads are read one by one, and no more of them than this in one transaction: their
 * words cost the more, the longer they are. */
#define LARGE_MOST (512u * 1024u)
/* So young a record may be about to change: the details of a lead follow its webhook. Until then it
 * would be indexed twice, and the index costs more than all else. */
#define RIPE_US (SECOND_US / 2)

DB_STMT(index_next_account, "SELECT account_id FROM record_search_queue WHERE account_id > ?"
			    " ORDER BY account_id LIMIT 1");
DB_STMT(index_waiting,
    "SELECT record_id FROM record_search_queue FORCE INDEX (record_search_queue_account)"
    " WHERE account_id = ? AND record_id < ?"
    " ORDER BY record_id DESC LIMIT ? FOR UPDATE SKIP LOCKED");
DB_STMT_ROWS(index_records,
    "SELECT id, account_id, provider_type, resource_type, external_id, source, connection_id,"
    " LENGTH(data), CASE WHEN LENGTH(data) <= 32768 THEN data END FROM records"
    " WHERE account_id = ? AND id IN (",
    "?", ")");
enum {
	INDEX_ID,
	INDEX_ACCOUNT_ID,
	INDEX_PROVIDER_TYPE,
	INDEX_RESOURCE_TYPE,
	INDEX_EXTERNAL_ID,
	INDEX_SOURCE,
	INDEX_CONNECTION,
	INDEX_BYTES,
	INDEX_DATA
};
DB_STMT(index_payload, "SELECT data FROM records WHERE account_id = ? AND id = ?");
DB_STMT_ROWS(index_put, "INSERT INTO record_search (record_id, account_id, words) VALUES ",
    "(?,?,?)", " ON DUPLICATE KEY UPDATE words = VALUES(words)");
DB_STMT_ROWS(index_taken,
    "DELETE q FROM record_search_queue q FORCE INDEX (PRIMARY) WHERE q.account_id = ?"
    " AND q.record_id IN (",
    "?", ")");

struct words_indexing {
	struct arena *a;
	struct uuid account_id; /* whose turn it was last */
	size_t taken, large;    /* records; bytes of large payloads */
	bool is_round;          /* all accounts that wait had their turn */
};

static void index_words_row(struct arena *a, const struct db_rows *rows, size_t i, struct str data,
    struct uuid ids[2], struct db_val out[3])
{
	struct record_item item = {.account_id = ids[1],
	    .provider_type = db_get_str(rows, i, INDEX_PROVIDER_TYPE),
	    .resource_type = db_get_str(rows, i, INDEX_RESOURCE_TYPE),
	    .external_id = db_get_str(rows, i, INDEX_EXTERNAL_ID),
	    .source = db_get_text(rows, i, INDEX_SOURCE),
	    .connection_id = db_get_uuid(rows, i, INDEX_CONNECTION),
	    .data = data};

	out[0] = db_uuid(&ids[0]);
	out[1] = db_uuid(&ids[1]);
	out[2] = db_strn(record_words(a, &item));
}

struct index_row {
	const struct db_val *values;
};

static int index_put_row(struct db *db, void *arg, struct err *err)
{
	const struct index_row *row = arg;

	return db_exec_rows(db, &index_put, NULL, 0, row->values, 1, 3, NULL, err);
}

/* Each by itself, so that one that the index does not take leaves the others. It is told; searches
 * that look through the records find it all the same. */
static int index_put_apart(
    struct db *db, struct uuid ids[][2], const struct db_val *v, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct index_row row = {v + 3 * i};
		struct err e = ERR_INIT;
		char id[UUID_TEXT];

		if (db_nested(db, index_put_row, &row, &e) == 0)
			continue;
		if (e.code == ERR_RETRY || e.code == ERR_UNAVAILABLE || e.code == ERR_LOCKED)
			return err_set(err, e.code, "%s", e.msg);
		uuid_text(id, ids[i][0]);
		log_error("record.index.bad_row", LOG_S("record", id), LOG_ERR(&e));
	}
	return 0;
}

static int index_put_words(
    struct db *db, struct uuid ids[][2], const struct db_val *v, size_t n, struct err *err)
{
	struct err e = ERR_INIT;

	if (db_exec_rows(db, &index_put, NULL, 0, v, n, 3, NULL, &e) == 0)
		return 0;
	if (e.code == ERR_INVALID || e.code == ERR_INTERNAL)
		return index_put_apart(db, ids, v, n, err);
	return err_set(err, e.code, "%s", e.msg);
}

/* One with a large payload: 1, 0 there is no room left for it in this transaction, -1. */
static int index_put_large(
    struct db *db, struct words_indexing *x, const struct db_rows *rows, size_t i, struct err *err)
{
	struct uuid ids[1][2] = {
	    {db_get_uuid(rows, i, INDEX_ID), db_get_uuid(rows, i, INDEX_ACCOUNT_ID)}};
	size_t bytes = (size_t)db_get_int(rows, i, INDEX_BYTES);
	struct arena *own;
	struct db_rows payload;
	struct db_val v[3];
	int rc;

	if (x->large > 0 && x->large + bytes > LARGE_MOST)
		return 0;
	x->large += bytes;
	own = arena_new();
	rc = db_row(db, own, &index_payload, DB_VALS(db_uuid(&ids[0][1]), db_uuid(&ids[0][0])),
	    &payload, err);
	if (rc == 1) {
		index_words_row(own, rows, i, db_get_str(&payload, 0, 0), ids[0], v);
		rc = index_put_words(db, ids, v, 1, err) == -1 ? -1 : 1;
	}
	arena_free(own);
	return rc == -1 ? -1 : 1;
}

/* The words of one account's records. Ids that there was no room for are struck from ids. */
static int index_put_all(struct db *db, struct words_indexing *x, struct uuid *ids, size_t n,
    size_t *put, struct err *err)
{
	struct db_val of[BATCH], v[BATCH * 3];
	struct uuid of_row[BATCH][2];
	struct db_rows rows;
	size_t small = 0;

	for (size_t i = 0; i < n; i++)
		of[i] = db_uuid(&ids[i]);
	if (db_query_rows(db, x->a, &index_records, DB_VALS(db_uuid(&x->account_id)), of, n, 1,
		&rows, err) == -1)
		return -1;
	*put = n;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, INDEX_ID);
		int rc;

		if (!db_is_null(&rows, i, INDEX_DATA)) {
			of_row[small][0] = id;
			of_row[small][1] = x->account_id;
			index_words_row(x->a, &rows, i, db_get_str(&rows, i, INDEX_DATA),
			    of_row[small], v + 3 * small);
			small++;
			continue;
		}
		if ((rc = index_put_large(db, x, &rows, i, err)) == -1)
			return -1;
		for (size_t k = 0; rc == 0 && k < *put; k++)
			if (uuid_eq(ids[k], id))
				ids[k] = ids[--*put];
	}
	return index_put_words(db, of_row, v, small, err);
}

/* Newest first: those are looked for first. A writer that changes a record meanwhile waits for our
 * lock on its place in the queue and then takes its place again, or writes the words itself, so
 * ours are never the last word on an old payload. */
static int index_account(struct db *db, struct words_indexing *x, struct err *err)
{
	const struct uuid ripe = uuid_at(clock_now_us() - RIPE_US);
	struct db_val taken[BATCH];
	struct uuid ids[BATCH];
	struct db_rows waiting;
	size_t put;

	if (db_query(db, x->a, &index_waiting,
		DB_VALS(
		    db_uuid(&x->account_id), db_uuid(&ripe), db_int((int64_t)(BATCH - x->taken))),
		&waiting, err) == -1)
		return -1;
	if (waiting.count == 0)
		return 0;
	for (size_t i = 0; i < waiting.count; i++)
		ids[i] = db_get_uuid(&waiting, i, 0);
	if (index_put_all(db, x, ids, waiting.count, &put, err) == -1)
		return -1;
	x->taken += put;
	for (size_t i = 0; i < put; i++)
		taken[i] = db_uuid(&ids[i]);
	return db_exec_rows(
	    db, &index_taken, DB_VALS(db_uuid(&x->account_id)), taken, put, 1, NULL, err);
}

/* The account behind the last one, from the beginning again behind all: 1, 0 nobody waits, -1. */
static int index_find_next(struct db *db, struct words_indexing *x, struct err *err)
{
	struct db_val last = db_uuid(&x->account_id);
	struct uuid nobody = {{0}};
	struct db_rows rows;
	int found = db_row(db, x->a, &index_next_account, &last, 1, &rows, err);

	last = db_uuid(&nobody);
	if (found == 0 && !uuid_is_nil(x->account_id))
		found = db_row(db, x->a, &index_next_account, &last, 1, &rows, err);
	if (found == 1)
		x->account_id = db_get_uuid(&rows, 0, 0);
	return found;
}

static int index_body(struct db *db, void *arg, struct err *err)
{
	struct words_indexing *x = arg;
	struct uuid first = {{0}};
	int found = 1;

	x->taken = x->large = 0;
	x->is_round = false;
	for (size_t i = 0; i < ACCOUNTS && x->taken < BATCH && x->large < LARGE_MOST; i++) {
		found = index_find_next(db, x, err);
		x->is_round = found != 1 || uuid_eq(x->account_id, first);
		if (x->is_round)
			break;
		if (i == 0)
			first = x->account_id;
		if (index_account(db, x, err) == -1)
			return -1;
	}
	return found == -1 ? -1 : 0;
}

int record_index_waiting(struct app *app, struct err *err)
{
	static struct uuid turn; /* of this process */
	struct words_indexing x = {.a = arena_new(), .account_id = turn};
	int rc = db_transaction(app->db, index_body, &x, err);

	turn = x.account_id;
	arena_free(x.a);
	if (rc == -1)
		return -1;
	if (x.taken >= BATCH || x.large > 0)
		return BACKGROUND_AT_ONCE;
	return x.taken > 0 || !x.is_round ? BACKGROUND_SOON : BACKGROUND_NONE;
}
