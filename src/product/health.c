/* For monitors and load balancers: does the process live, and can it work? */
#include "base/clock.h"
#include "base/config.h"
#include "db/migrate.h"
#include "intake/intake.h"
#include "job/clock-check.h"
#include "job/periodic.h"
#include "product/product.h"

#define SCHEMA_CHECK_US (10 * SECOND_US)
#define DAYS_CHECK_US (10 * SECOND_US)
#define LATE_US (300 * SECOND_US)

int product_healthz(struct req *r)
{
	res_header(r, "Cache-Control", "no-store");
	return res_text(r, 200, "application/json; charset=utf-8", STR("{\"status\":\"ok\"}"));
}

/* The schema changes only by hand: a good answer holds for a while. */
static int health_check_schema(struct app *app, struct err *err)
{
	static int64_t good_until_us;
	int64_t now = clock_mono_us();

	if (now < good_until_us)
		return 0;
	if (migrate_check(app->db, app->config->migrations_dir, err) == -1)
		return -1;
	good_until_us = now + SCHEMA_CHECK_US;
	return 0;
}

/* Whether periodic work is done on time: told, but no reason to take the worker out of service. */
static const char *health_scheduler_state(struct app *app, struct arena *a)
{
	struct err err = ERR_INIT;
	int64_t next_us;
	int found = periodic_next(app->db, a, &next_us, &err);

	if (found != 1)
		return "unknown";
	return next_us + LATE_US < clock_now_us() ? "late" : "running";
}

/* The same of the days for which the event log is prepared. */
static void health_note_days(struct app *app, struct arena *a, json_t *reasons)
{
	static int64_t good_until_us;
	struct err err = ERR_INIT;
	int32_t days;

	if (clock_mono_us() < good_until_us || event_days_ahead(app, &days, &err) == -1)
		return;
	if (days >= EVENT_DAYS_LOW)
		good_until_us = clock_mono_us() + DAYS_CHECK_US;
	else
		json_array_append_new(reasons,
		    json_string(arena_printf(a,
			"The event log has partitions for %d more days only: see connectctl doctor",
			days < 0 ? 0 : (int)days)));
}

static int health_check(struct app *app, struct err *err)
{
	if (clock_check(app->db, err) == -1)
		return -1;
	return health_check_schema(app, err);
}

int product_readyz(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *answer = json_object(), *reasons = json_array();
	bool is_ready = health_check(r->app, &err) == 0;

	if (!is_ready)
		json_array_append_new(reasons,
		    json_string(
			err.code == ERR_UNAVAILABLE ? "The database does not answer" : err.msg));
	json_set_str(answer, "status", is_ready ? "ready" : "not ready");
	if (is_ready) {
		json_set_str(answer, "scheduler", health_scheduler_state(r->app, r->a));
		health_note_days(r->app, r->a, reasons);
	}
	json_set(answer, "reasons", reasons);
	res_header(r, "Cache-Control", "no-store");
	if (!is_ready)
		res_header(r, "Retry-After", "5");
	return res_json(r, is_ready ? 200 : 503, answer);
}
