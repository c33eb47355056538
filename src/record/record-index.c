/* The search index of records whose writers left it for later. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "record/record-internal.h"
#include "record/record-words.h"

#define BATCH 64 /* records in one transaction: a few milliseconds */
/* So young a record may be about to change: the details of a lead follow its webhook. Until then it
 * would be indexed twice, and the index costs more than all else. */
#define RIPE_US (SECOND_US / 2)

DB_STMT(index_waiting, "SELECT record_id, account_id FROM record_search_queue WHERE record_id < ?"
		       " ORDER BY record_id DESC LIMIT ? FOR UPDATE SKIP LOCKED");
enum { WAITING_ID, WAITING_ACCOUNT_ID };
DB_STMT_ROWS(index_records,
    "SELECT id, account_id, provider_type, resource_type, external_id, source, data FROM records"
    " WHERE id IN (",
    "?", ")");
enum {
	INDEX_ID,
	INDEX_ACCOUNT_ID,
	INDEX_PROVIDER_TYPE,
	INDEX_RESOURCE_TYPE,
	INDEX_EXTERNAL_ID,
	INDEX_SOURCE,
	INDEX_DATA
};
DB_STMT_ROWS(index_put, "INSERT INTO record_search (record_id, account_id, words) VALUES ",
    "(?,?,?)", " ON DUPLICATE KEY UPDATE words = VALUES(words)");
DB_STMT_ROWS(index_taken, "DELETE FROM record_search_queue WHERE record_id IN (", "?", ")");

struct words_indexing {
	struct arena *a;
	size_t taken;
};

static void index_words_row(
    struct arena *a, const struct db_rows *rows, size_t i, struct uuid ids[2], struct db_val out[3])
{
	struct record_item item = {.account_id = ids[1],
	    .provider_type = db_get_str(rows, i, INDEX_PROVIDER_TYPE),
	    .resource_type = db_get_str(rows, i, INDEX_RESOURCE_TYPE),
	    .external_id = db_get_str(rows, i, INDEX_EXTERNAL_ID),
	    .source = db_get_text(rows, i, INDEX_SOURCE),
	    .data = db_get_str(rows, i, INDEX_DATA)};

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
    struct db *db, struct arena *a, const struct db_rows *rows, struct err *err)
{
	struct db_val v[BATCH * 3];
	struct uuid ids[BATCH][2];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < rows->count; i++) {
		ids[i][0] = db_get_uuid(rows, i, INDEX_ID);
		ids[i][1] = db_get_uuid(rows, i, INDEX_ACCOUNT_ID);
		index_words_row(a, rows, i, ids[i], v + 3 * i);
	}
	if (db_exec_rows(db, &index_put, NULL, 0, v, rows->count, 3, NULL, &e) == 0)
		return 0;
	if (e.code == ERR_INVALID || e.code == ERR_INTERNAL)
		return index_put_apart(db, ids, v, rows->count, err);
	return err_set(err, e.code, "%s", e.msg);
}

/* Newest first: those are looked for first. A writer that changes a record meanwhile waits for our
 * lock on its place in the queue and then takes its place again, or writes the words itself, so
 * ours are never the last word on an old payload. */
static int index_body(struct db *db, void *arg, struct err *err)
{
	struct words_indexing *x = arg;
	const struct uuid ripe = uuid_at(clock_now_us() - RIPE_US);
	struct db_val taken[BATCH];
	struct uuid ids[BATCH];
	struct db_rows waiting, rows;

	if (db_query(db, x->a, &index_waiting, DB_VALS(db_uuid(&ripe), db_int(BATCH)), &waiting,
		err) == -1)
		return -1;
	x->taken = waiting.count;
	for (size_t i = 0; i < waiting.count; i++) {
		ids[i] = db_get_uuid(&waiting, i, WAITING_ID);
		taken[i] = db_uuid(&ids[i]);
	}
	if (db_query_rows(db, x->a, &index_records, NULL, 0, taken, waiting.count, 1, &rows, err) ==
		-1 ||
	    index_put_words(db, x->a, &rows, err) == -1)
		return -1;
	return db_exec_rows(db, &index_taken, NULL, 0, taken, waiting.count, 1, NULL, err);
}

int record_index_waiting(struct app *app, struct err *err)
{
	struct words_indexing x = {.a = arena_new()};
	int rc = db_transaction(app->db, index_body, &x, err);

	arena_free(x.a);
	if (rc == -1)
		return -1;
	return x.taken == BATCH ? BACKGROUND_AT_ONCE
	       : x.taken > 0    ? BACKGROUND_SOON
				: BACKGROUND_NONE;
}
