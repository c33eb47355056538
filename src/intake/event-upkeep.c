/* The event log's upkeep: partitions ahead, retention. */
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "db/partition.h"
#include "intake/intake-internal.h"
#include "job/clock-check.h"
#include "job/periodic.h"

#define DAYS_AHEAD_LEAST 7 /* time enough for somebody to see that it fails */
#define DAYS_AHEAD_MOST 14
#define DROP_MOST 2

DB_STMT(event_keys_purge, "DELETE FROM event_keys WHERE event_id < ?" DB_PURGE_LIMIT);

int event_partitions(struct app *app, struct err *err)
{
	return partition_make_ahead(app->db, "events", DAYS_AHEAD_LEAST, DAYS_AHEAD_MOST, err);
}

int event_days_ahead(struct app *app, int32_t *days, struct err *err)
{
	return partition_days_ahead(app->db, "events", days, err);
}

int event_retain(struct app *app, struct err *err)
{
	size_t left;

	if (clock_check(app->db, err) == -1 ||
	    partition_drop_old(app->db, "events", (int32_t)app->config->event_retention_days,
		DROP_MOST, &left, err) == -1)
		return -1;
	if (left > 0)
		log_info("event.retain", LOG_I("days_left", left));
	return 0;
}

int event_keys_forget(struct app *app, struct err *err)
{
	int64_t day = clock_day(clock_now_us()) - app->config->event_retention_days;
	struct uuid bound = uuid_at(day * DAY_US);

	return db_purge(app->db, &event_keys_purge, DB_VALS(db_uuid(&bound)),
	    clock_mono_us() + PERIODIC_STEP_US, err);
}
