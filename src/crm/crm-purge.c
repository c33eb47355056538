/* What old pushes leave behind. */
#include "base/clock.h"
#include "crm/crm-outcomes.h"

#define ITEMS_KEPT_US (30 * INT64_C(86400) * SECOND_US)
#define ITEMS_STEP 2000

DB_STMT(push_items_purge, "DELETE FROM push_items WHERE task_id < ? LIMIT ?");

int crm_purge(struct app *app, struct err *err)
{
	struct uuid before = uuid_at(clock_now_us() - ITEMS_KEPT_US);
	uint64_t n = 0;

	if (db_exec(app->db, &push_items_purge, DB_VALS(db_uuid(&before), db_int(ITEMS_STEP)), &n,
		err) == -1)
		return -1;
	return n == ITEMS_STEP ? 1 : outcomes_purge(app, err);
}
