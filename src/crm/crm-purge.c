/* What old pushes leave behind. */
#include "base/clock.h"
#include "crm/crm-outcomes.h"
#include "job/periodic.h"

#define ITEMS_KEPT_US (30 * INT64_C(86400) * SECOND_US)

DB_STMT(push_items_purge, "DELETE FROM push_items WHERE task_id < ?" DB_PURGE_LIMIT);

int crm_purge(struct app *app, struct err *err)
{
	struct uuid before = uuid_at(clock_now_us() - ITEMS_KEPT_US);
	int rc = db_purge(app->db, &push_items_purge, DB_VALS(db_uuid(&before)),
	    clock_mono_us() + PERIODIC_STEP_US, err);

	return rc != 0 ? rc : outcomes_purge(app, err);
}
