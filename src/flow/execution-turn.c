/* Runs of a flow that lets but so many run at a time (the setting concurrency).
 *
 *	begins ─> turn_take ─┬─ fewer than the limit run, and those who waited longer fit ─> runs
 *	                     └─ else it waits, a row with a time; turn_end of another wakes it
 *
 * Who takes or ends holds the flow's row, so that two who begin count each other, and none falls
 * asleep just when a turn comes free. A turn counts while its run has not ended, whatever became of
 * its row here. */
#include "base/clock.h"
#include "flow/flow-internal.h"

#define TURN_LOOK_US (60 * SECOND_US) /* should nobody have woken it */

DB_STMT(turn_lock, "SELECT version FROM flows WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(turn_of, "SELECT has_turn FROM execution_turns"
		 " WHERE account_id = ? AND flow_id = ? AND execution_id = ?");
#define TURNS                                                                                      \
	" FROM execution_turns t FORCE INDEX (execution_turns_next) JOIN executions e"             \
	" ON e.account_id = t.account_id AND e.id = t.execution_id"                                \
	" AND e.status NOT IN (" EXECUTION_ENDED ") WHERE t.account_id = ? AND t.flow_id = ?"
DB_STMT(turns_taken, "SELECT COUNT(*)" TURNS " AND t.has_turn = 1");
DB_STMT(turns_before,
    "SELECT COUNT(*) FROM (SELECT 1" TURNS " AND t.has_turn = 0 AND t.execution_id < ? LIMIT ?) k");
DB_STMT(turn_next, "SELECT t.execution_id" TURNS " AND t.has_turn = 0 ORDER BY t.execution_id"
		   " LIMIT 1");
DB_STMT(turn_put,
    "INSERT INTO execution_turns (account_id, flow_id, has_turn, execution_id) VALUES (?,?,?,?)"
    " ON DUPLICATE KEY UPDATE has_turn = VALUES(has_turn)");
DB_STMT(turn_drop,
    "DELETE FROM execution_turns WHERE account_id = ? AND flow_id = ? AND execution_id = ?");

static int turn_hold(struct db *db, struct arena *a, const struct execution *x, struct err *err)
{
	struct db_rows rows;

	return db_row(db, a, &turn_lock, DB_VALS(db_uuid(&x->account_id), db_uuid(&x->flow_id)),
		   &rows, err) == -1
		   ? -1
		   : 0;
}

/* Do those who wait longer leave room for it? */
static int turn_is_free(struct db *db, struct arena *a, const struct execution *x, int64_t limit,
    bool *is_free, struct err *err)
{
	struct db_rows rows;
	int64_t room;

	if (db_row(db, a, &turns_taken, DB_VALS(db_uuid(&x->account_id), db_uuid(&x->flow_id)),
		&rows, err) == -1)
		return -1;
	room = limit - db_get_int(&rows, 0, 0);
	*is_free = room > 0;
	if (room <= 0)
		return 0;
	if (db_row(db, a, &turns_before,
		DB_VALS(
		    db_uuid(&x->account_id), db_uuid(&x->flow_id), db_uuid(&x->id), db_int(room)),
		&rows, err) == -1)
		return -1;
	*is_free = db_get_int(&rows, 0, 0) < room;
	return 0;
}

int turn_take(struct db *db, struct job *j, const struct execution *x, int64_t limit,
    bool *has_turn, struct err *err)
{
	struct db_rows rows;
	int found;

	*has_turn = false;
	if (turn_hold(db, j->a, x, err) == -1)
		return -1;
	found = db_row(db, j->a, &turn_of,
	    DB_VALS(db_uuid(&x->account_id), db_uuid(&x->flow_id), db_uuid(&x->id)), &rows, err);
	if (found == -1)
		return -1;
	*has_turn = found == 1 && db_get_int(&rows, 0, 0) != 0;
	if (*has_turn)
		return 0;
	if (turn_is_free(db, j->a, x, limit, has_turn, err) == -1 ||
	    db_exec(db, &turn_put,
		DB_VALS(db_uuid(&x->account_id), db_uuid(&x->flow_id), db_int(*has_turn),
		    db_uuid(&x->id)),
		NULL, err) == -1)
		return -1;
	return *has_turn ? 0 : job_reschedule(db, j, clock_now_us() + TURN_LOOK_US, j->args, err);
}

int turn_end(struct db *db, struct arena *a, const struct execution *x, struct err *err)
{
	uint64_t dropped;
	struct db_rows rows;
	struct uuid id;
	struct job j;
	int found;

	if (turn_hold(db, a, x, err) == -1 ||
	    db_exec(db, &turn_drop,
		DB_VALS(db_uuid(&x->account_id), db_uuid(&x->flow_id), db_uuid(&x->id)), &dropped,
		err) == -1)
		return -1;
	if (dropped == 0)
		return 0;
	found = db_row(
	    db, a, &turn_next, DB_VALS(db_uuid(&x->account_id), db_uuid(&x->flow_id)), &rows, err);
	if (found != 1)
		return found;
	id = db_get_uuid(&rows, 0, 0);
	j = flow_job(&x->account_id, &x->flow_id, &id);
	return job_run_now(db, &j, err);
}
