/* Runs go by age: first what their steps were given and gave, and where they stood
 * (execution_detail_days), then the runs (execution_retention_days). How many there were stays
 * (flow_counts). Those that have not ended stay with all they have.
 *
 * In slices, account after account; a step of this work that runs out of time goes on with the
 * account that it was at. Steps and states go before their run does, so none is left behind. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/config.h"
#include "flow/flow-internal.h"
#include "job/periodic.h"

#define OF_UNDER_WAY(table)                                                                        \
	"(SELECT 1 FROM executions e WHERE e.account_id = " table ".account_id AND e.id = " table  \
	".execution_id AND e.status NOT IN (" EXECUTION_ENDED "))"
DB_STMT(execution_steps_old, "DELETE FROM execution_steps WHERE account_id = ? AND execution_id < ?"
			     " AND NOT EXISTS " OF_UNDER_WAY("execution_steps") DB_PURGE_LIMIT);
DB_STMT(execution_states_old,
    "DELETE FROM execution_states WHERE account_id = ? AND execution_id < ?"
    " AND NOT EXISTS " OF_UNDER_WAY("execution_states") DB_PURGE_LIMIT);
DB_STMT(executions_old,
    "DELETE FROM executions WHERE account_id = ? AND id < ? AND status IN (" EXECUTION_ENDED
    ")" DB_PURGE_LIMIT);
/* Turns of runs that have gone, for a person's sake, before they ended. */
DB_STMT(execution_turns_old, "DELETE FROM execution_turns WHERE account_id = ? AND execution_id < ?"
			     " AND NOT EXISTS " OF_UNDER_WAY("execution_turns") DB_PURGE_LIMIT);
DB_STMT(execution_accounts,
    "SELECT account_id FROM executions WHERE account_id > ? GROUP BY account_id"
    " ORDER BY account_id LIMIT 100");

struct retaining {
	struct app *app;
	struct uuid details, runs; /* ids before which they go */
	int64_t until_us;
};

static int retain_account(const struct retaining *t, const struct uuid *account_id, struct err *err)
{
	const struct {
		const struct db_stmt *purge;
		const struct uuid *before;
	} purges[] = {{&execution_steps_old, &t->details}, {&execution_states_old, &t->details},
	    {&execution_turns_old, &t->runs}, {&executions_old, &t->runs}};

	for (size_t i = 0; i < sizeof(purges) / sizeof(*purges); i++) {
		int rc = db_purge(t->app->db, purges[i].purge,
		    DB_VALS(db_uuid(account_id), db_uuid(purges[i].before)), t->until_us, err);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/* The next hundred accounts behind *after, which moves on with each that is done: 1 there are more,
 * or the time is up, 0, -1. */
static int retain_some(
    const struct retaining *t, struct arena *a, struct uuid *after, struct err *err)
{
	struct db_rows rows;

	if (db_query(t->app->db, a, &execution_accounts, DB_VALS(db_uuid(after)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct uuid account_id = db_get_uuid(&rows, i, 0);
		int rc = retain_account(t, &account_id, err);

		if (rc != 0)
			return rc;
		*after = account_id;
		if (clock_mono_us() >= t->until_us)
			return 1;
	}
	return rows.count > 0;
}

int flow_retain(struct app *app, struct err *err)
{
	static struct uuid after; /* where the last step of this process stopped */
	const struct config *c = app->config;
	int64_t details = c->execution_detail_days < c->execution_retention_days
			      ? c->execution_detail_days
			      : c->execution_retention_days,
		now_us = clock_now_us();
	struct retaining t = {.app = app,
	    .details = uuid_at(now_us - details * DAY_US),
	    .runs = uuid_at(now_us - c->execution_retention_days * DAY_US),
	    .until_us = clock_mono_us() + PERIODIC_STEP_US};
	int rc;

	do {
		struct arena *a = arena_new();

		rc = retain_some(&t, a, &after, err);
		arena_free(a);
	} while (rc == 1 && clock_mono_us() < t.until_us);
	if (rc != 1)
		after = (struct uuid){{0}};
	return rc;
}
