/* SQL of the polls, and the job of each connection that has some. */
#include "base/clock.h"
#include "base/limits.h"
#include "intake/poll-internal.h"

#define ERROR_BYTES 1000u
#define NOTE_BYTES 255u
#define KEEP_ROWS 100
/* So long behind their time, with nobody at it: their job is not there. */
#define OVERDUE_US (600 * SECOND_US)
#define NEVER_US INT64_MAX

#define POLL_COLUMNS                                                                               \
	"account_id, connection_id, name, is_paused, interval_s, page_size, known, place, turn,"   \
	" wanted, served, since_at, next_at, started_at, ended_at, covered_at, failures,"          \
	" last_error, note, seen, created, changed, round_seen, round_created, round_changed,"     \
	" held_until, reconciled_at, reconciled_seen, reconciled_missed, missed_in_all"
enum {
	POLL_ACCOUNT,
	POLL_CONNECTION,
	POLL_NAME,
	POLL_PAUSED,
	POLL_INTERVAL,
	POLL_PAGE_SIZE,
	POLL_KNOWN,
	POLL_PLACE,
	POLL_TURN,
	POLL_WANTED,
	POLL_SERVED,
	POLL_SINCE,
	POLL_NEXT,
	POLL_STARTED,
	POLL_ENDED,
	POLL_COVERED,
	POLL_FAILURES,
	POLL_ERROR,
	POLL_NOTE,
	POLL_SEEN,
	POLL_CREATED,
	POLL_CHANGED,
	POLL_ROUND_SEEN,
	POLL_ROUND_CREATED,
	POLL_ROUND_CHANGED,
	POLL_HELD,
	POLL_RECONCILED,
	POLL_RECONCILED_SEEN,
	POLL_RECONCILED_MISSED,
	POLL_MISSED
};
#define OF_CONNECTION " WHERE account_id = ? AND connection_id = ?"
DB_STMT(polls_of_connection,
    "SELECT " POLL_COLUMNS " FROM polls" OF_CONNECTION " ORDER BY name LIMIT 1000");
DB_STMT(polls_of_connection_locked,
    "SELECT " POLL_COLUMNS " FROM polls" OF_CONNECTION " ORDER BY name LIMIT 1000 FOR UPDATE");
DB_STMT(polls_named,
    "SELECT " POLL_COLUMNS " FROM polls WHERE account_id = ? AND name LIKE ? LIMIT 10000");
DB_STMT(poll_update,
    "UPDATE polls SET known = ?, place = ?, turn = turn + 1, served = ?,"
    " next_at = IF(wanted > ?, LEAST(?, ?), ?), started_at = ?, ended_at = ?, covered_at = ?,"
    " failures = ?, last_error = ?, note = ?, seen = ?, created = ?, changed = ?, round_seen = ?,"
    " round_created = ?, round_changed = ?" OF_CONNECTION " AND name = ? AND turn = ?");
DB_STMT_ROWS(polls_put,
    "INSERT INTO polls (account_id, connection_id, name, since_at, next_at) VALUES ", "(?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE name = VALUES(name)");
DB_STMT(poll_want, "UPDATE polls SET wanted = wanted + 1, next_at = LEAST(next_at, ?)" OF_CONNECTION
		   " AND name = ? AND is_paused = 0");
DB_STMT(polls_delete, "DELETE FROM polls" OF_CONNECTION);
DB_STMT(polls_hold_all, "UPDATE polls SET held_until = ?" OF_CONNECTION);
DB_STMT(polls_held, "SELECT COALESCE(MAX(held_until), 0) FROM polls" OF_CONNECTION);
/* What failed may go well with new credentials or settings. */
DB_STMT(
    polls_hasten, "UPDATE polls SET next_at = ?, held_until = 0" OF_CONNECTION " AND failures > 0");
DB_STMT(poll_set,
    "UPDATE polls SET is_paused = ?, interval_s = ?, page_size = ?, next_at = ?" OF_CONNECTION
    " AND name = ?");
DB_STMT(poll_less, "UPDATE polls SET page_size = ?" OF_CONNECTION
		   " AND name = ? AND (page_size IS NULL OR page_size > ?)");
DB_STMT(polls_lacking,
    "SELECT c.id, c.account_id FROM connections c WHERE c.provider_type = ?"
    " AND c.status <> '" CONNECTION_DISABLED "' AND NOT EXISTS (SELECT 1 FROM polls p"
    " WHERE p.account_id = c.account_id AND p.connection_id = c.id AND p.name = ?) LIMIT ?");
DB_STMT(polls_overdue,
    "SELECT DISTINCT p.connection_id, p.account_id FROM polls p JOIN connections c"
    " ON c.id = p.connection_id AND c.account_id = p.account_id WHERE p.is_paused = 0"
    " AND p.next_at < ? AND c.status <> '" CONNECTION_DISABLED "' LIMIT ?");
enum { KEEP_CONNECTION, KEEP_ACCOUNT };

/* ---- rows --------------------------------------------------------------------------------- */

static struct str row_json(const struct db_rows *rows, size_t i, size_t column)
{
	return db_is_null(rows, i, column) ? (struct str){NULL, 0} : db_get_str(rows, i, column);
}

static struct poll_row poll_row_read(const struct db_rows *rows, size_t i)
{
	return (struct poll_row){.account_id = db_get_uuid(rows, i, POLL_ACCOUNT),
	    .connection_id = db_get_uuid(rows, i, POLL_CONNECTION),
	    .name = db_get_text(rows, i, POLL_NAME),
	    .is_paused = db_get_int(rows, i, POLL_PAUSED) != 0,
	    .interval_s = db_get_int(rows, i, POLL_INTERVAL),
	    .page_size = db_get_int(rows, i, POLL_PAGE_SIZE),
	    .known = row_json(rows, i, POLL_KNOWN),
	    .place = row_json(rows, i, POLL_PLACE),
	    .turn = db_get_int(rows, i, POLL_TURN),
	    .wanted = db_get_int(rows, i, POLL_WANTED),
	    .served = db_get_int(rows, i, POLL_SERVED),
	    .since_us = db_get_int(rows, i, POLL_SINCE),
	    .next_us = db_get_int(rows, i, POLL_NEXT),
	    .started_us = db_get_int(rows, i, POLL_STARTED),
	    .ended_us = db_get_int(rows, i, POLL_ENDED),
	    .covered_us = db_get_int(rows, i, POLL_COVERED),
	    .held_us = db_get_int(rows, i, POLL_HELD),
	    .reconciled_us = db_get_int(rows, i, POLL_RECONCILED),
	    .reconciled_seen = db_get_int(rows, i, POLL_RECONCILED_SEEN),
	    .reconciled_missed = db_get_int(rows, i, POLL_RECONCILED_MISSED),
	    .missed = db_get_int(rows, i, POLL_MISSED),
	    .failures = (int)db_get_int(rows, i, POLL_FAILURES),
	    .last_error = db_get_text(rows, i, POLL_ERROR),
	    .note = db_get_text(rows, i, POLL_NOTE),
	    .all = {db_get_int(rows, i, POLL_SEEN), db_get_int(rows, i, POLL_CREATED),
		db_get_int(rows, i, POLL_CHANGED)},
	    .round = {db_get_int(rows, i, POLL_ROUND_SEEN), db_get_int(rows, i, POLL_ROUND_CREATED),
		db_get_int(rows, i, POLL_ROUND_CHANGED)}};
}

static void poll_rows_read(
    struct arena *a, const struct db_rows *rows, struct poll_row **out, size_t *n)
{
	*n = rows->count;
	*out = arena_array(a, rows->count + 1, sizeof(**out));
	for (size_t i = 0; i < rows->count; i++)
		(*out)[i] = poll_row_read(rows, i);
}

int polls_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, bool is_locked, struct poll_row **out, size_t *n,
    struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, is_locked ? &polls_of_connection_locked : &polls_of_connection,
		DB_VALS(db_uuid(account_id), db_uuid(connection_id)), &rows, err) == -1)
		return -1;
	poll_rows_read(a, &rows, out, n);
	return 0;
}

int polls_load_named(struct db *db, struct arena *a, const struct uuid *account_id,
    const char *like, struct poll_row **out, size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &polls_named, DB_VALS(db_uuid(account_id), db_str(like)), &rows, err) ==
	    -1)
		return -1;
	poll_rows_read(a, &rows, out, n);
	return 0;
}

int poll_save(struct db *db, const struct poll_row *row, bool is_over, struct err *err)
{
	struct arena *a = arena_new();
	uint64_t n = 0;
	int rc = db_exec(db, &poll_update,
	    DB_VALS(db_strn(row->known), db_strn(row->place), db_int(row->served),
		db_int(is_over ? row->served : NEVER_US), db_int(clock_now_us()),
		db_int(row->next_us), db_int(row->next_us), db_time(row->started_us),
		db_time(row->ended_us), db_time(row->covered_us), db_int(row->failures),
		db_strn(utf8_clean(a, str_from(row->last_error), ERROR_BYTES)),
		db_strn(utf8_clean(a, str_from(row->note), NOTE_BYTES)), db_int(row->all.seen),
		db_int(row->all.created), db_int(row->all.changed), db_int(row->round.seen),
		db_int(row->round.created), db_int(row->round.changed), db_uuid(&row->account_id),
		db_uuid(&row->connection_id), db_str(row->name), db_int(row->turn)),
	    &n, err);

	arena_free(a);
	if (rc == 0 && n == 0)
		return err_set(
		    err, ERR_CONFLICT, "another run has gone on with the poll %s", row->name);
	return rc;
}

int polls_hold(struct db *db, const struct uuid *account_id, const struct uuid *connection_id,
    int64_t until_us, struct err *err)
{
	return db_exec(db, &polls_hold_all,
	    DB_VALS(db_int(until_us), db_uuid(account_id), db_uuid(connection_id)), NULL, err);
}

int polls_held_until(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, int64_t *until_us, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    db, a, &polls_held, DB_VALS(db_uuid(account_id), db_uuid(connection_id)), &rows, err);

	*until_us = found == 1 ? db_get_int(&rows, 0, 0) : 0;
	return found == -1 ? -1 : 0;
}

int poll_set_row(struct db *db, const struct poll_row *row, struct err *err)
{
	return db_exec(db, &poll_set,
	    DB_VALS(db_int(row->is_paused), db_time(row->interval_s), db_time(row->page_size),
		db_int(row->next_us), db_uuid(&row->account_id), db_uuid(&row->connection_id),
		db_str(row->name)),
	    NULL, err);
}

int poll_save_page_size(struct db *db, const struct poll_row *row, struct err *err)
{
	return db_exec(db, &poll_less,
	    DB_VALS(db_int(row->page_size), db_uuid(&row->account_id), db_uuid(&row->connection_id),
		db_str(row->name), db_int(row->page_size)),
	    NULL, err);
}

/* ---- being there --------------------------------------------------------------------------- */

/* One job a connection, so that one call of it is under way; the same on all hosts. */
static struct uuid poll_job_id(const struct uuid *connection_id)
{
	return uuid_named("poll.run", (struct str){(const char *)connection_id->b, 16});
}

int poll_job_bring(
    struct db *db, const struct uuid *account_id, const struct uuid *connection_id, struct err *err)
{
	const struct job job = {.id = poll_job_id(connection_id),
	    .account_id = *account_id,
	    .class = JOB_BULK,
	    .target_id = *connection_id,
	    .kind = "poll.run",
	    .subject_id = *connection_id};

	return job_run_now(db, &job, err);
}

int poll_put_row(struct db *db, const struct poll_row *row, struct err *err)
{
	const struct db_val v[5] = {db_uuid(&row->account_id), db_uuid(&row->connection_id),
	    db_str(row->name), db_int(row->since_us), db_int(row->next_us)};

	return db_exec_rows(db, &polls_put, NULL, 0, v, 1, 5, NULL, err);
}

static int polls_put_rows(struct db *db, struct arena *a, const struct provider *p,
    const struct uuid *account_id, const struct uuid *connection_id, struct err *err)
{
	struct db_val *v = arena_array(a, p->npolls + 1, 5 * sizeof(*v));
	int64_t now_us = clock_now_us();

	for (size_t i = 0; i < p->npolls; i++) {
		struct db_val row[5] = {db_uuid(account_id), db_uuid(connection_id),
		    db_str(p->polls[i].name), db_int(now_us - p->polls[i].start_days * DAY_US),
		    db_int(now_us)};

		memcpy(v + 5 * i, row, sizeof(row));
	}
	return db_exec_rows(db, &polls_put, NULL, 0, v, p->npolls, 5, NULL, err);
}

int polls_follow_connection(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err)
{
	struct db *db = app->db;
	size_t ntriggers;

	if (is_gone)
		return db_exec(db, &polls_delete, DB_VALS(db_uuid(&c->account_id), db_uuid(&c->id)),
		    NULL, err);
	if (strcmp(c->status, CONNECTION_DISABLED) == 0)
		return 0;
	if (polls_put_triggers(db, a, c, &ntriggers, err) == -1)
		return -1;
	if (c->provider->npolls + ntriggers == 0)
		return 0;
	if ((c->provider->npolls > 0 &&
		polls_put_rows(db, a, c->provider, &c->account_id, &c->id, err) == -1) ||
	    db_exec(db, &polls_hasten,
		DB_VALS(db_int(clock_now_us()), db_uuid(&c->account_id), db_uuid(&c->id)), NULL,
		err) == -1)
		return -1;
	return poll_job_bring(db, &c->account_id, &c->id, err);
}

int poll_now(struct db *db, const struct uuid *account_id, const struct uuid *connection_id,
    const char *name, struct err *err)
{
	uint64_t n = 0;

	if (db_exec(db, &poll_want,
		DB_VALS(db_int(clock_now_us()), db_uuid(account_id), db_uuid(connection_id),
		    db_str(name)),
		&n, err) == -1)
		return -1;
	return n == 0 ? 0 : poll_job_bring(db, account_id, connection_id, err);
}

/* ---- keeping ------------------------------------------------------------------------------- */

struct polls_keeping {
	struct arena *a;
	const struct provider *p; /* whose polls are put; NULL: only jobs are brought */
	struct db_rows rows;
};

static int keep_body(struct db *db, void *arg, struct err *err)
{
	struct polls_keeping *k = arg;

	for (size_t i = 0; i < k->rows.count; i++) {
		struct uuid connection_id = db_get_uuid(&k->rows, i, KEEP_CONNECTION);
		struct uuid account_id = db_get_uuid(&k->rows, i, KEEP_ACCOUNT);

		if (k->p != NULL &&
		    polls_put_rows(db, k->a, k->p, &account_id, &connection_id, err) == -1)
			return -1;
		if (poll_job_bring(db, &account_id, &connection_id, err) == -1)
			return -1;
	}
	return 0;
}

/* Connections that lack that poll: 1 there may be more, 0, -1. */
static int keep_poll(struct app *app, struct polls_keeping *k, const char *name, struct err *err)
{
	if (db_query(app->db, k->a, &polls_lacking,
		DB_VALS(db_str(k->p->name), db_str(name), db_int(KEEP_ROWS)), &k->rows,
		err) == -1 ||
	    (k->rows.count > 0 && db_transaction(app->db, keep_body, k, err) == -1))
		return -1;
	return k->rows.count == KEEP_ROWS;
}

static int keep_jobs(struct app *app, struct polls_keeping *k, struct err *err)
{
	k->p = NULL;
	if (db_query(app->db, k->a, &polls_overdue,
		DB_VALS(db_int(clock_now_us() - OVERDUE_US), db_int(KEEP_ROWS)), &k->rows,
		err) == -1)
		return -1;
	return k->rows.count == 0 ? 0 : db_transaction(app->db, keep_body, k, err);
}

int polls_keep(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	struct polls_keeping k = {.a = a};
	int more = 0, rc = 0;

	for (size_t i = 0; rc != -1 && i < providers_count(app->providers); i++) {
		k.p = provider_at(app->providers, i);
		for (size_t n = 0; rc != -1 && n < k.p->npolls; n++) {
			rc = keep_poll(app, &k, k.p->polls[n].name, err);
			more |= rc;
		}
		if (rc != -1 && i + 1 == providers_count(app->providers))
			rc = keep_jobs(app, &k, err);
	}
	arena_free(a);
	return rc == -1 ? -1 : more;
}
