/* Rules of how long records are kept, and what is deleted by them. */
#include "record/record-retention.h"

#include "account/audit.h"
#include "base/clock.h"
#include "base/log.h"
#include "job/periodic.h"
#include "record/record-internal.h"

#define CHUNK 50       /* records of one transaction, if there is time for so many */
#define DUE_MOST 10000 /* counted; one more is looked at */

DB_STMT(retention_of_account,
    "SELECT resource_type, days FROM record_retention WHERE account_id = ? ORDER BY resource_type");
enum { RULE_RESOURCE_TYPE, RULE_DAYS };
DB_STMT(retention_due_count,
    "SELECT COUNT(*) FROM (SELECT id FROM records WHERE account_id = ? AND resource_type = ?"
    " AND updated_at < ? LIMIT 10001) d");
DB_STMT(retention_lock,
    "SELECT days FROM record_retention WHERE account_id = ? AND resource_type = ? FOR UPDATE");
DB_STMT(retention_count, "SELECT COUNT(*) FROM record_retention WHERE account_id = ?");
DB_STMT(retention_put, "INSERT INTO record_retention (account_id, resource_type, days)"
		       " VALUES (?,?,?) ON DUPLICATE KEY UPDATE days = VALUES(days)");
DB_STMT(
    retention_remove, "DELETE FROM record_retention WHERE account_id = ? AND resource_type = ?");

/* The rules that have something to do: each looks at the oldest record of its type. */
DB_STMT(retention_busy,
    "SELECT t.account_id, t.resource_type FROM record_retention t WHERE (SELECT r.updated_at"
    " FROM records r WHERE r.account_id = t.account_id AND r.resource_type = t.resource_type"
    " ORDER BY r.updated_at LIMIT 1) < ? - t.days * 86400000000 LIMIT 1000");
enum { BUSY_ACCOUNT_ID, BUSY_RESOURCE_TYPE };
DB_STMT(retention_due, "SELECT id FROM records WHERE account_id = ? AND resource_type = ?"
		       " AND updated_at < ? ORDER BY updated_at LIMIT 50");
DB_STMT(retention_is_due,
    "SELECT id FROM records WHERE account_id = ? AND id = ? AND updated_at < ? FOR UPDATE");

/* What was updated before is due. */
static int64_t due_before_us(int64_t days)
{
	return clock_now_us() - days * DAY_US;
}

/* ---- rules --------------------------------------------------------------------------------- */

int retention_count_due(struct app *app, struct arena *a, const struct uuid *account_id,
    struct retention_rule *rule, struct err *err)
{
	struct db_rows rows;

	if (db_row(app->db, a, &retention_due_count,
		DB_VALS(db_uuid(account_id), db_strn(rule->resource_type),
		    db_int(due_before_us(rule->days))),
		&rows, err) == -1)
		return -1;
	rule->due = db_get_int(&rows, 0, 0);
	rule->due_is_exact = rule->due <= DUE_MOST;
	if (!rule->due_is_exact)
		rule->due = DUE_MOST;
	return 0;
}

int retention_list(struct app *app, struct arena *a, const struct uuid *account_id,
    struct retention_rule **out, size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(app->db, a, &retention_of_account, DB_VALS(db_uuid(account_id)), &rows, err) ==
	    -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		(*out)[i].resource_type = db_get_str(&rows, i, RULE_RESOURCE_TYPE);
		(*out)[i].days = db_get_int(&rows, i, RULE_DAYS);
		if (retention_count_due(app, a, account_id, &(*out)[i], err) == -1)
			return -1;
	}
	return 0;
}

struct rule_setting {
	struct req *r;
	struct str resource_type;
	int64_t days;
	bool is_changed;
};

/* A rule as the audit log shows it. */
static json_t *rule_audited(struct arena *a, int64_t days)
{
	json_t *o;

	if (days == 0)
		return NULL;
	o = json_own(a, json_object());
	json_set_int(o, "days", days);
	return o;
}

static int rule_check_room(struct db *db, const struct rule_setting *s, struct err *err)
{
	struct db_rows rows;

	if (db_row(db, s->r->a, &retention_count, DB_VALS(db_uuid(&s->r->actor.account_id)), &rows,
		err) == -1)
		return -1;
	if (db_get_int(&rows, 0, 0) >= RETENTION_RULES_MAX)
		return err_set(err, ERR_CONFLICT,
		    "an account may have at most %d rules of how long records are kept",
		    RETENTION_RULES_MAX);
	return 0;
}

static int rule_store(struct db *db, const struct rule_setting *s, int64_t before, struct err *err)
{
	const struct uuid *account_id = &s->r->actor.account_id;

	if (s->days == 0)
		return db_exec(db, &retention_remove,
		    DB_VALS(db_uuid(account_id), db_strn(s->resource_type)), NULL, err);
	if (before == 0 && rule_check_room(db, s, err) == -1)
		return -1;
	if (db_exec(db, &retention_put,
		DB_VALS(db_uuid(account_id), db_strn(s->resource_type), db_int(s->days)), NULL,
		err) == -1)
		return -1;
	return periodic_soon(db, "record.retain", err);
}

static int rule_set_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct rule_setting *s = arg;
	struct arena *a = s->r->a;
	struct db_rows rows;
	int found = db_row(db, a, &retention_lock,
	    DB_VALS(db_uuid(&s->r->actor.account_id), db_strn(s->resource_type)), &rows, err);
	int64_t before = found == 1 ? db_get_int(&rows, 0, 0) : 0;

	s->is_changed = before != s->days;
	if (found == -1)
		return -1;
	if (!s->is_changed)
		return 1;
	if (rule_store(db, s, before, err) == -1)
		return -1;
	audit_note(log, s->days == 0 ? "retention.delete" : "retention.set", "retention", NULL,
	    arena_strndup(a, s->resource_type.p, s->resource_type.n), rule_audited(a, before),
	    rule_audited(a, s->days));
	return 0;
}

int retention_set(struct req *r, struct str resource_type, int64_t days, struct err *err)
{
	struct rule_setting s = {.r = r, .resource_type = resource_type, .days = days};

	if (audit_change(r->app, r, &r->actor.account_id, rule_set_body, &s, err) == -1)
		return -1;
	return s.is_changed;
}

/* ---- deletion ------------------------------------------------------------------------------ */

struct record_retaining {
	struct app *app;
	struct uuid account_id;
	struct str resource_type;
	int64_t before_us;
	int64_t until_us; /* monotonic: no more of this rule in this run */
	size_t deleted;
	bool has_more;
};

/* One that was updated since it was listed is kept. */
static int retain_delete_if_due(
    struct record_retaining *t, struct arena *a, const struct uuid *id, struct err *err)
{
	struct db_rows rows;
	int found = db_row(t->app->db, a, &retention_is_due,
	    DB_VALS(db_uuid(&t->account_id), db_uuid(id), db_int(t->before_us)), &rows, err);

	return found != 1 ? found : record_delete_one(t->app, a, &t->account_id, id, err);
}

/* The rule as it is now; its lock holds off who changes it, and another runner. 1, 0 no rule, -1.
 */
static int rule_lock(struct db *db, struct arena *a, struct record_retaining *t, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &retention_lock,
	    DB_VALS(db_uuid(&t->account_id), db_strn(t->resource_type)), &rows, err);

	if (found == 1)
		t->before_us = due_before_us(db_get_int(&rows, 0, 0));
	return found;
}

static int retain_delete_chunk(
    struct db *db, struct arena *a, struct record_retaining *t, struct err *err)
{
	struct db_rows rows;
	int rc = db_query(db, a, &retention_due,
	    DB_VALS(db_uuid(&t->account_id), db_strn(t->resource_type), db_int(t->before_us)),
	    &rows, err);

	if (rc == -1)
		return -1;
	t->has_more = rows.count == CHUNK;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid id = db_get_uuid(&rows, i, 0);

		if (i > 0 && clock_mono_us() > t->until_us) { /* each may have a long history */
			t->has_more = true;
			return 0;
		}
		if ((rc = retain_delete_if_due(t, a, &id, err)) == -1)
			return -1;
		t->deleted += rc == 1;
	}
	return 0;
}

static int retain_body(struct db *db, void *arg, struct err *err)
{
	struct record_retaining *t = arg;
	struct arena *a = arena_new();
	int rc;

	t->deleted = 0;
	t->has_more = false;
	if ((rc = rule_lock(db, a, t, err)) == 1)
		rc = retain_delete_chunk(db, a, t, err);
	arena_free(a);
	return rc;
}

/* Deletes what one rule says, until t->until_us: 1 there is more, 0, -1. */
static int retain_rule(struct record_retaining *t, struct err *err)
{
	size_t total = 0;

	do {
		if (db_transaction(t->app->db, retain_body, t, err) == -1)
			return -1;
		total += t->deleted;
	} while (t->has_more && clock_mono_us() < t->until_us);
	if (total > 0)
		log_info("record.retention", LOG_STR("resource_type", t->resource_type),
		    LOG_I("deleted", total));
	return t->has_more;
}

/* Each rule gets a turn: one that has much to delete must not keep the others waiting, nor one that
 * fails, unless the database is away. The error is the first one's. */
static int retain_all(
    struct app *app, const struct db_rows *rules, int64_t until_us, struct err *err)
{
	bool has_more = false, has_failed = false;

	for (size_t i = 0; i < rules->count; i++) {
		struct record_retaining t = {.app = app,
		    .account_id = db_get_uuid(rules, i, BUSY_ACCOUNT_ID),
		    .resource_type = db_get_str(rules, i, BUSY_RESOURCE_TYPE)};
		struct err e = ERR_INIT;
		int64_t now_us = clock_mono_us();
		int rc;

		t.until_us = now_us + (until_us - now_us) / (int64_t)(rules->count - i);
		rc = retain_rule(&t, &e);
		has_more = has_more || rc == 1;
		if (rc == -1 && !has_failed)
			err_set(err, e.code, "%s", e.msg);
		has_failed = has_failed || rc == -1;
		if (e.code == ERR_UNAVAILABLE)
			break;
	}
	return has_failed ? -1 : has_more;
}

int record_retain(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	int64_t until_us = clock_mono_us() + PERIODIC_STEP_US;
	struct db_rows rules;
	int rc =
	    db_query(app->db, a, &retention_busy, DB_VALS(db_int(clock_now_us())), &rules, err);

	if (rc == 0)
		rc = retain_all(app, &rules, until_us, err);
	arena_free(a);
	return rc;
}
