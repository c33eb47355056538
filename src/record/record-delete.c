/* Deleting records: with history, searched words and their place in the counters. */
#include "account/audit.h"
#include "base/clock.h"
#include "record/record-fields.h"
#include "record/record-internal.h"

DB_STMT(record_delete_lock,
    "SELECT provider_type, resource_type, external_id, first_seen_at FROM records"
    " WHERE account_id = ? AND id = ? FOR UPDATE");
enum { LOCKED_PROVIDER_TYPE, LOCKED_RESOURCE_TYPE, LOCKED_EXTERNAL_ID, LOCKED_FIRST_SEEN };
DB_STMT(record_delete_changes, "DELETE FROM record_changes WHERE account_id = ? AND record_id = ?");
/* Before its words: who is at indexing it holds its place in the queue, and writes words of what it
 * has read. */
DB_STMT(record_delete_place, "DELETE q FROM record_search_queue q FORCE INDEX (PRIMARY)"
			     " WHERE q.record_id = ? AND q.account_id = ?");
DB_STMT(record_delete_words, "DELETE FROM record_search WHERE record_id = ? AND account_id = ?");
DB_STMT(record_delete_row, "DELETE FROM records WHERE account_id = ? AND id = ?");
DB_STMT(record_delete_count,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES (?,?,?,?,?,-1) ON DUPLICATE KEY UPDATE records = records - 1");
/* The lead stays, and no longer leads to a record. */
DB_STMT(record_delete_link,
    "UPDATE leads SET record_id = NULL WHERE account_id = ? AND provider_type = ?"
    " AND provider_lead_id = ? AND record_id = ?");

int record_delete_one(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct err *err)
{
	struct db *db = app->db;
	struct db_rows rows;
	int found = db_row(
	    db, a, &record_delete_lock, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found != 1)
		return found;
	if (record_fields_forget(db, a, account_id, id, err) == -1 ||
	    db_exec(db, &record_delete_changes, DB_VALS(db_uuid(account_id), db_uuid(id)), NULL,
		err) == -1 ||
	    db_exec(db, &record_delete_place, DB_VALS(db_uuid(id), db_uuid(account_id)), NULL,
		err) == -1 ||
	    db_exec(db, &record_delete_words, DB_VALS(db_uuid(id), db_uuid(account_id)), NULL,
		err) == -1 ||
	    db_exec(db, &record_delete_row, DB_VALS(db_uuid(account_id), db_uuid(id)), NULL, err) ==
		-1)
		return -1;
	if (strcmp(db_get_text(&rows, 0, LOCKED_RESOURCE_TYPE), "lead") == 0 &&
	    db_exec(db, &record_delete_link,
		DB_VALS(db_uuid(account_id), db_strn(db_get_str(&rows, 0, LOCKED_PROVIDER_TYPE)),
		    db_strn(db_get_str(&rows, 0, LOCKED_EXTERNAL_ID)), db_uuid(id)),
		NULL, err) == -1)
		return -1;
	if (db_exec(db, &record_delete_count,
		DB_VALS(db_uuid(account_id), db_strn(db_get_str(&rows, 0, LOCKED_PROVIDER_TYPE)),
		    db_strn(db_get_str(&rows, 0, LOCKED_RESOURCE_TYPE)),
		    db_int(clock_day(db_get_int(&rows, 0, LOCKED_FIRST_SEEN))),
		    db_int(RECORD_COUNT_SLOT_GONE)),
		NULL, err) == -1)
		return -1;
	return 1;
}

/* ---- one ----------------------------------------------------------------------------------- */

struct record_deleting {
	struct req *r;
	const struct uuid *id;
	int found;
};

static int record_delete_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct record_deleting *d = arg;
	struct arena *a = arena_new();

	(void)db;
	d->found = record_delete_one(d->r->app, a, &d->r->actor.account_id, d->id, err);
	arena_free(a);
	if (d->found != 1)
		return d->found == 0 ? 1 : -1;
	audit_fact(log, "record.delete", "record", d->id, NULL);
	return 0;
}

int record_delete(struct req *r, const struct uuid *id, struct err *err)
{
	struct record_deleting d = {.r = r, .id = id};

	if (audit_change(r->app, r, &r->actor.account_id, record_delete_body, &d, err) == -1)
		return -1;
	return d.found;
}

int record_api_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = record_delete(r, &id, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? res_problem(r, 404, "There is no such record") : res_empty(r, 204);
}
