#include "intake/lead-reconcile.h"

#include "account/audit.h"
#include "base/clock.h"
#include "intake/poll-fill.h"
#include "lead/lead.h"

#define LOOKS_BACK_US (7 * DAY_US)
/* The hours of the night, by UTC, over which connections are spread. */
#define NIGHT_FROM_S (1 * 3600)
#define NIGHT_SPAN_S (4 * 3600)
#define DUE_ROWS 20
#define RETRIED_MOST 200

const struct task_kind lead_reconcile_task = {.name = "reconcile",
    .job = "lead.reconcile",
    .untitled = "Comparison with a source",
    .received = {"Compared", "leads"},
    .created = {"Missed, fetched now", "leads"},
    .updated = {"Changed", "leads"},
    .unchanged = {"Known already", "leads"},
    .failed = {"Left out", "forms"},
    .tell = poll_fill_tell};

DB_STMT(poll_reconciled,
    "UPDATE polls SET reconciled_at = ?, reconciled_seen = ?, reconciled_missed = ?,"
    " missed_in_all = missed_in_all + ? WHERE account_id = ? AND connection_id = ? AND name = ?");
enum { DUE_ACCOUNT, DUE_CONNECTION };
DB_STMT(polls_to_reconcile,
    "SELECT p.account_id, p.connection_id FROM polls p JOIN connections c ON c.id = p.connection_id"
    " AND c.account_id = p.account_id WHERE c.provider_type = ? AND p.name = ?"
    " AND p.is_paused = 0 AND c.status <> '" CONNECTION_DISABLED
    "' AND (p.reconcile_at IS NULL OR p.reconcile_at <= ?) LIMIT ?");
/* Who plans it first has it: its time was not planned, or has come. */
DB_STMT(poll_plan_first,
    "UPDATE polls SET reconcile_at = ? WHERE account_id = ? AND connection_id = ? AND name = ?"
    " AND reconcile_at IS NULL");
DB_STMT(poll_plan_next,
    "UPDATE polls SET reconcile_at = ? WHERE account_id = ? AND connection_id = ? AND name = ?"
    " AND reconcile_at <= ?");

/* ---- the job --------------------------------------------------------------------------------- */

static int reconcile_ended(struct db *db, const struct connection *c, const struct poll_spec *spec,
    const struct task *t, struct err *err)
{
	return db_exec(db, &poll_reconciled,
	    DB_VALS(db_int(clock_now_us()), db_int(t->counts.received), db_int(t->counts.created),
		db_int(t->counts.created), db_uuid(&c->account_id), db_uuid(&c->id),
		db_str(spec->name)),
	    NULL, err);
}

int lead_reconcile_job(struct job *j, struct err *err)
{
	static const struct poll_fill_kind kind = {
	    .task = &lead_reconcile_task, .source = RECORD_SOURCE_POLL, .ended = reconcile_ended};

	return poll_fill_run(j, &kind, err);
}

/* ---- beginning one --------------------------------------------------------------------------- */

struct reconciling {
	const struct poll_actor *by;
	const struct connection *c;
	const struct poll_spec *spec;
	struct task *task;
	int64_t now_us;
	bool is_planned; /* by the clock: somebody else may have begun it */
};

/* At the same time each night, each connection at another. */
static int64_t reconcile_next_us(const struct connection *c, int64_t now_us)
{
	int64_t spread_s = (c->id.b[14] << 8 | c->id.b[15]) * NIGHT_SPAN_S / 65536;
	int64_t at_us = now_us / DAY_US * DAY_US + (NIGHT_FROM_S + spread_s) * SECOND_US;

	return at_us > now_us ? at_us : at_us + DAY_US;
}

static int reconcile_claim(
    struct db *db, const struct reconciling *r, bool *is_ours, struct err *err)
{
	const struct connection *c = r->c;
	struct db_val next = db_int(reconcile_next_us(c, r->now_us));
	uint64_t n = 0;

	*is_ours = true;
	if (!r->is_planned)
		return 0;
	*is_ours = false;
	if (db_exec(db, &poll_plan_first,
		DB_VALS(next, db_uuid(&c->account_id), db_uuid(&c->id), db_str(r->spec->name)), &n,
		err) == -1)
		return -1;
	if (n > 0)
		return 0;
	if (db_exec(db, &poll_plan_next,
		DB_VALS(next, db_uuid(&c->account_id), db_uuid(&c->id), db_str(r->spec->name),
		    db_int(r->now_us)),
		&n, err) == -1)
		return -1;
	*is_ours = n > 0 && poll_lacks(r->by->a, c->provider, r->spec, &c->access) == NULL;
	return 0;
}

static int reconcile_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct reconciling *r = arg;
	bool is_ours;
	int is_open = reconcile_claim(db, r, &is_ours, err);

	if (is_open == 0)
		is_open = poll_fill_is_open(db, r->by->a, &lead_reconcile_task, r->c, r->spec, err);
	if (is_open == 1 && !r->is_planned)
		return err_set(err, ERR_CONFLICT,
		    "a comparison is under way already: wait for it, or cancel it");
	if (is_open != 0 || !is_ours)
		return is_open == -1 ? -1 : 1;
	if (lead_retry_incomplete(db, r->by->a, &r->c->account_id, &r->c->id,
		r->now_us - LOOKS_BACK_US, RETRIED_MOST, err) == -1 ||
	    task_queue(db, &lead_reconcile_task, r->task, NULL, err) == -1)
		return -1;
	if (!r->is_planned)
		audit_fact(log, "poll.reconcile", "connection", &r->c->id, NULL);
	return r->is_planned ? 1 : 0;
}

static int reconcile_begin(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, bool is_planned, struct task *out,
    struct err *err)
{
	struct reconciling r = {by, c, spec, out, clock_now_us(), is_planned};
	json_t *args;

	if (since_us == TIME_NONE)
		since_us = r.now_us - LOOKS_BACK_US;
	if (poll_fill_make(by, c, spec, since_us,
		arena_printf(by->a, "Leads of %s compared", c->name), out, &args, err) == -1)
		return -1;
	return audit_change(by->app, by->r, &c->account_id, reconcile_body, &r, err);
}

int lead_reconcile(const struct poll_actor *by, const struct connection *c,
    const struct poll_spec *spec, int64_t since_us, struct task *out, struct err *err)
{
	const char *lacks = poll_lacks(by->a, c->provider, spec, &c->access);

	if (!spec->has_lead)
		return err_set(err, ERR_INVALID, "this poll brings no leads");
	if (lacks != NULL)
		return err_set(
		    err, ERR_CONFLICT, "the connection has no %s, so it cannot be asked", lacks);
	return reconcile_begin(by, c, spec, since_us, false, out, err);
}

/* ---- by the clock ---------------------------------------------------------------------------- */

static int plan_one(struct app *app, struct arena *a, const struct db_rows *rows, size_t i,
    const struct poll_spec *spec, struct err *err)
{
	struct uuid account_id = db_get_uuid(rows, i, DUE_ACCOUNT),
		    id = db_get_uuid(rows, i, DUE_CONNECTION);
	const struct poll_actor by = {app, a, NULL};
	struct connection *c = NULL;
	struct task task;
	int found = connection_get(app, a, &account_id, &id, &c, err);

	if (found != 1)
		return found;
	return reconcile_begin(&by, c, spec, TIME_NONE, true, &task, err);
}

static int plan_provider(
    struct app *app, struct arena *a, const struct provider *p, struct err *err)
{
	const struct poll_spec *spec = provider_lead_poll(p);
	struct db_rows rows;

	if (spec == NULL)
		return 0;
	if (db_query(app->db, a, &polls_to_reconcile,
		DB_VALS(
		    db_str(p->name), db_str(spec->name), db_int(clock_now_us()), db_int(DUE_ROWS)),
		&rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++)
		if (plan_one(app, a, &rows, i, spec, err) == -1)
			return -1;
	return rows.count == DUE_ROWS;
}

int lead_reconcile_plan(struct app *app, struct err *err)
{
	int rc = 0, more = 0;

	for (size_t i = 0; rc != -1 && i < providers_count(app->providers); i++) {
		struct arena *a = arena_new();

		rc = plan_provider(app, a, provider_at(app->providers, i), err);
		more |= rc == 1;
		arena_free(a);
	}
	return rc == -1 ? -1 : more;
}
