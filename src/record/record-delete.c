/* Deleting records, one by one and by age: with history, searched words and their place in the
 * counters. */
#include "account/account.h"
#include "base/clock.h"
#include "base/log.h"
#include "record/record-fields.h"
#include "record/record-internal.h"

/* Deletions take off the counters in a row of their own, beside those that writers add to (0 to
 * 15), so that they wait for no writer and no writer waits for them. */
#define COUNT_SLOT 16
#define RETAIN_CHUNK 50         /* records of one transaction */
#define RETAIN_BUDGET_US 300000 /* of one run: the runner waits meanwhile */

DB_STMT(record_delete_lock,
    "SELECT provider_type, resource_type, external_id, first_seen_at FROM records"
    " WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(record_delete_changes, "DELETE FROM record_changes WHERE account_id = ? AND record_id = ?");
DB_STMT(record_delete_words, "DELETE FROM record_search WHERE record_id = ? AND account_id = ?");
DB_STMT(record_delete_row, "DELETE FROM records WHERE account_id = ? AND id = ?");
DB_STMT(record_delete_count,
    "INSERT INTO record_counts (account_id, provider_type, resource_type, day, slot, records)"
    " VALUES (?,?,?,?,?,-1) ON DUPLICATE KEY UPDATE records = records - 1");
/* The lead stays, and no longer leads to a record. */
DB_STMT(record_delete_link,
    "UPDATE leads SET record_id = NULL WHERE account_id = ? AND provider_type = ?"
    " AND provider_lead_id = ? AND record_id = ?");

DB_STMT(record_retention_rules, "SELECT account_id, resource_type, days FROM record_retention");
DB_STMT(record_retention_due,
    "SELECT id FROM records WHERE account_id = ? AND resource_type = ? AND updated_at < ?"
    " ORDER BY updated_at LIMIT 50");
DB_STMT(record_retention_is_due,
    "SELECT id FROM records WHERE account_id = ? AND id = ? AND updated_at < ? FOR UPDATE");

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
	    db_exec(db, &record_delete_words, DB_VALS(db_uuid(id), db_uuid(account_id)), NULL,
		err) == -1 ||
	    db_exec(db, &record_delete_row, DB_VALS(db_uuid(account_id), db_uuid(id)), NULL, err) ==
		-1)
		return -1;
	if (strcmp(db_get_text(&rows, 0, 1), "lead") == 0 &&
	    db_exec(db, &record_delete_link,
		DB_VALS(db_uuid(account_id), db_strn(db_get_str(&rows, 0, 0)),
		    db_strn(db_get_str(&rows, 0, 2)), db_uuid(id)),
		NULL, err) == -1)
		return -1;
	if (db_exec(db, &record_delete_count,
		DB_VALS(db_uuid(account_id), db_strn(db_get_str(&rows, 0, 0)),
		    db_strn(db_get_str(&rows, 0, 1)), db_int(clock_day(db_get_int(&rows, 0, 3))),
		    db_int(COUNT_SLOT)),
		NULL, err) == -1)
		return -1;
	return 1;
}

/* ---- one ----------------------------------------------------------------------------------- */

struct deleting {
	struct app *app;
	const struct req *r; /* NULL: no audit */
	struct uuid account_id, id;
	int found;
};

static int delete_body(struct db *db, void *arg, struct err *err)
{
	struct deleting *d = arg;
	struct arena *a = arena_new();

	(void)db;
	d->found = record_delete_one(d->app, a, &d->account_id, &d->id, err);
	arena_free(a);
	if (d->found == 1 && d->r != NULL)
		return audit_write(
		    d->app, d->r, &d->account_id, "record.delete", "record", &d->id, NULL, err);
	return d->found == -1 ? -1 : 0;
}

int record_delete(
    struct app *app, const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	struct deleting d = {.app = app, .account_id = *account_id, .id = *id};

	return db_transaction(app->db, delete_body, &d, err) == -1 ? -1 : d.found;
}

int record_api_delete(struct req *r)
{
	struct deleting d = {.app = r->app, .r = r, .account_id = r->actor.account_id};
	struct err err = ERR_INIT;

	if (!req_param_uuid(r, "id", &d.id))
		return 0;
	if (db_transaction(r->app->db, delete_body, &d, &err) == -1)
		return res_error(r, &err);
	if (d.found == 0)
		return res_problem(r, 404, "There is no such record");
	return res_empty(r, 204);
}

/* ---- by age -------------------------------------------------------------------------------- */

struct retaining {
	struct app *app;
	struct uuid account_id;
	struct str resource_type;
	int64_t before_us;
	size_t looked_at, deleted;
};

/* One that was updated since it was listed is kept. */
static int delete_if_due(
    struct retaining *t, struct arena *a, const struct uuid *id, struct err *err)
{
	struct db_rows rows;
	int found = db_row(t->app->db, a, &record_retention_is_due,
	    DB_VALS(db_uuid(&t->account_id), db_uuid(id), db_int(t->before_us)), &rows, err);

	return found != 1 ? found : record_delete_one(t->app, a, &t->account_id, id, err);
}

static int retain_body(struct db *db, void *arg, struct err *err)
{
	struct retaining *t = arg;
	struct arena *a = arena_new();
	struct db_rows rows;
	int rc = db_query(db, a, &record_retention_due,
	    DB_VALS(db_uuid(&t->account_id), db_strn(t->resource_type), db_int(t->before_us)),
	    &rows, err);

	t->deleted = 0;
	t->looked_at = rc == -1 ? 0 : rows.count;
	for (size_t i = 0; rc != -1 && i < t->looked_at; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if ((rc = delete_if_due(t, a, &id, err)) == 1)
			t->deleted++;
	}
	arena_free(a);
	return rc == -1 ? -1 : 0;
}

/* Deletes what one rule says, until until_us on the monotonic clock. */
static int retain_rule(struct retaining *t, int64_t until_us, struct err *err)
{
	size_t total = 0;

	do {
		if (db_transaction(t->app->db, retain_body, t, err) == -1)
			return -1;
		total += t->deleted;
	} while (t->looked_at == RETAIN_CHUNK && clock_mono_us() < until_us);
	if (total > 0)
		log_info("record.retention", LOG_STR("resource_type", t->resource_type),
		    LOG_I("deleted", total));
	return 0;
}

int record_retain(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	int64_t until_us = clock_mono_us() + RETAIN_BUDGET_US;
	struct db_rows rules = {0};
	int rc = db_query(app->db, a, &record_retention_rules, NULL, 0, &rules, err);

	/* Each rule gets a turn: one that has much to delete must not keep the others waiting. */
	for (size_t i = 0; rc == 0 && i < rules.count; i++) {
		struct retaining t = {.app = app,
		    .account_id = db_get_uuid(&rules, i, 0),
		    .resource_type = db_get_str(&rules, i, 1),
		    .before_us = clock_now_us() - db_get_int(&rules, i, 2) * DAY_US};
		int64_t left_us = until_us - clock_mono_us();

		if (db_get_int(&rules, i, 2) > 0)
			rc = retain_rule(
			    &t, clock_mono_us() + left_us / (int64_t)(rules.count - i), err);
	}
	arena_free(a);
	return rc;
}
