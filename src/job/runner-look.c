/* Looks: which lanes have jobs, which targets are open or paused, what time it is. One statement
 * finds the earliest job of each lane by one step in the index: it costs what lanes there are, not
 * what jobs wait. */
#include "base/log.h"
#include "job/breaker.h"
#include "job/clock-check.h"
#include "job/runner-internal.h"

#define LOOK_ROWS 4000     /* lanes of one look: the next goes on behind them */
#define LOOK_SHARE 8       /* a look may take one such part of the time */
#define LOOK_CHEAP_US 3000 /* below this it may always be made: a lead's speed hangs on it */
#define SWEEP_EVERY_US (60 * SECOND_US)

enum look_column { LOOK_ACCOUNT, LOOK_CLASS, LOOK_TARGET, LOOK_DUE };
DB_STMT(jobs_look,
    "SELECT l.account_id, l.class, l.target_id, (SELECT j.run_at FROM jobs j"
    " WHERE j.account_id = l.account_id AND j.class = l.class AND j.target_id = l.target_id"
    " AND j.state = 'ready' ORDER BY j.run_at LIMIT 1) AS due FROM job_lanes l"
    " WHERE l.account_id >= ? AND (? >> l.class) & 1 ORDER BY l.account_id LIMIT ?");

static void close_lane(struct lane *l, void *arg)
{
	(void)arg;
	lane_close(l);
	lane_pause(l, false);
}

/* While the clocks differ it cannot be told what is due, or too old. What runs goes on. */
static void look_at_clock(struct runner *rn, struct arena *a, int64_t apart_us)
{
	bool is_apart = clock_is_apart(apart_us);

	lanes_hold(rn->lanes, is_apart);
	if (is_apart && !rn->is_clock_apart)
		log_error("clock.apart", LOG_S("error", clock_apart_text(a, apart_us)));
	else if (!is_apart && rn->is_clock_apart)
		log_info("clock.agrees");
	rn->is_clock_apart = is_apart;
}

/* What other hosts, and people, have said of targets: not at each wake-up, which would cost every
 * lead a round trip. */
static int look_at_targets(struct runner *rn, struct arena *a, struct err *err)
{
	int64_t before_us = clock_now_us(), db_now_us;
	struct breaker *v;
	size_t n;

	if (clock_mono_us() < rn->targets_at_us)
		return 0;
	if (breaker_list(rn->app->db, a, &v, &n, &db_now_us, err) == -1)
		return -1;
	look_at_clock(rn, a, clock_apart_us(before_us, db_now_us, clock_now_us()));
	rn->targets_at_us = clock_mono_us() + POLL_MS * 1000;
	lanes_each(rn->lanes, close_lane, NULL);
	for (size_t i = 0; i < n; i++) {
		struct lane_key key = {v[i].account_id, v[i].target_id, JOB_LIVE};

		if (v[i].opened_us != 0)
			target_lanes(rn, &key, v[i].probe_at_us);
		for (size_t class = 0; class < JOB_CLASSES; class ++) {
			key.class = (enum job_class) class;
			if (breaker_is_paused(&v[i], key.class))
				lane_pause(lane_get(rn->lanes, &key), true);
		}
	}
	return 0;
}

static int look_at_jobs(struct runner *rn, struct arena *a, struct err *err)
{
	struct db_rows rows;

	if (db_query(rn->app->db, a, &jobs_look,
		DB_VALS(db_uuid(&rn->look_from), db_int(rn->classes), db_int(LOOK_ROWS)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		int64_t class = db_get_int(&rows, i, LOOK_CLASS);
		struct lane_key key = {db_get_uuid(&rows, i, LOOK_ACCOUNT),
		    db_get_uuid(&rows, i, LOOK_TARGET), (enum job_class) class};

		if (class >= 0 && class < JOB_CLASSES && !db_is_null(&rows, i, LOOK_DUE))
			lane_due(lane_get(rn->lanes, &key), db_get_int(&rows, i, LOOK_DUE));
	}
	/* The last account may have more lanes than were told: the next look begins with it. */
	rn->look_from = rows.count == LOOK_ROWS ? db_get_uuid(&rows, rows.count - 1, LOOK_ACCOUNT)
						: (struct uuid){{0}};
	return 0;
}

/* Asks which lanes have jobs, and when: after a wake-up, and now and then. The more it costs, the
 * rarer it is done. */
static int look(struct runner *rn, struct err *err)
{
	int64_t began_us = clock_mono_us();
	struct arena *a = arena_new();
	int rc = 0;

	rn->is_woken = false;
	if (look_at_targets(rn, a, err) == -1 || look_at_jobs(rn, a, err) == -1)
		rc = -1;
	arena_free(a);
	rn->look_cost_us = clock_mono_us() - began_us;
	rn->look_at_us = clock_mono_us() + POLL_MS * 1000;
	return rc;
}

/* How long a wake-up waits since the last look. */
static int64_t look_gap_us(const struct runner *rn)
{
	return rn->look_cost_us < LOOK_CHEAP_US ? 0 : LOOK_SHARE * rn->look_cost_us;
}

int look_if_due(struct runner *rn, struct err *err)
{
	int64_t now_us = clock_mono_us();
	int64_t since_us = now_us - (rn->look_at_us - POLL_MS * 1000);

	if (now_us >= rn->sweep_at_us) {
		lanes_sweep(rn->lanes);
		rn->sweep_at_us = now_us + SWEEP_EVERY_US;
	}
	if (now_us < rn->look_at_us && !(rn->is_woken && since_us >= look_gap_us(rn)))
		return 0;
	return look(rn, err);
}
