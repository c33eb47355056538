/* Schedules: one job each, which waits as a row until the time that its trigger is due next.
 *
 *	trigger made, changed, enabled ──> next_at, the job brought           one transaction
 *	job: held row ─ not due yet ─────> the job waits until next_at
 *	              └ due ─────────────> a run, the following next_at, the job
 *	                                   waits                            one transaction
 *
 * - next_at only ever goes on, from due time to due time, so each has at most one run, on however
 *   many hosts, and whatever the clock does: one that is set back waits until it is there again.
 * - Times that passed while nobody was there are made up for by one run, of the last of them, which
 *   says how many it stands for ("missed": "run"), or are left out with a note ("skip"). */
#include "base/clock.h"
#include "base/cron.h"
#include "flow/flow.h"
#include "flow/trigger.h"

#define SCHEDULE_KIND "flow.schedule"
/* So late a run is a late one, which some do not want. */
#define LATE_US (300 * SECOND_US)
/* More missed times are not counted one by one. */
#define MISSED_MOST 10000
/* So long behind its time, with nobody at it: its job is not there. */
#define OVERDUE_US (300 * SECOND_US)

static bool schedule_read(const struct trigger *t, struct cron *cron, const struct zone **z)
{
	struct err ignored = ERR_INIT;
	const char *zone = json_str(t->config, "timeZone");

	*z = zone_find(str_from(zone));
	return cron_parse(str_from(json_str(t->config, "cron")), cron, &ignored) == 0;
}

int64_t trigger_next_us(const struct trigger *t, int64_t after_us)
{
	const struct zone *z;
	struct cron cron;
	int64_t due_us;

	return schedule_read(t, &cron, &z) && cron_next(&cron, z, after_us, &due_us) ? due_us : 0;
}

int trigger_schedule_bring(struct db *db, const struct trigger *t, struct err *err)
{
	const struct job job = {
	    .id = uuid_named(SCHEDULE_KIND, (struct str){(const char *)t->id.b, sizeof(t->id.b)}),
	    .account_id = t->account_id,
	    .class = JOB_LIVE,
	    .kind = SCHEDULE_KIND,
	    .subject_id = t->id};

	return job_run_now(db, &job, err);
}

/* ---- the job --------------------------------------------------------------------------------- */

struct scheduling {
	struct job *j;
	struct trigger t;
	int64_t due_us;  /* the last time that is due */
	int64_t missed;  /* due times before it */
	int64_t next_us; /* the one that is to come; 0: none */
};

/* Of the times that are due the last one is run. */
static void schedule_catch_up(struct scheduling *s, int64_t now_us)
{
	s->due_us = s->t.next_us;
	s->missed = 0;
	while ((s->next_us = trigger_next_us(&s->t, s->due_us)) != 0 && s->next_us <= now_us) {
		if (s->missed++ == MISSED_MOST) {
			s->next_us = trigger_next_us(&s->t, now_us);
			return;
		}
		s->due_us = s->next_us;
	}
}

static json_t *schedule_payload(const struct scheduling *s)
{
	json_t *given = json_object_get(s->t.config, "payload");
	json_t *o =
	    json_own(s->j->a, json_is_object(given) ? json_deep_copy(given) : json_object());

	json_set_str(o, "event", TRIGGER_SCHEDULE);
	json_set_time(o, "scheduledFor", s->due_us);
	json_set_time(o, "firedAt", clock_now_us());
	json_set_int(o, "missed", s->missed);
	return o;
}

static bool schedule_skips(const struct scheduling *s, int64_t now_us)
{
	const char *missed = json_str(s->t.config, "missed");

	return missed != NULL && strcmp(missed, "skip") == 0 && now_us - s->due_us > LATE_US;
}

static const char *schedule_skipped(struct scheduling *s)
{
	char when[CLOCK_TEXT];

	clock_iso(when, s->due_us);
	return arena_printf(s->j->a, "%lld due time%s up to %s passed while nobody ran them",
	    (long long)s->missed + 1, plural_s(s->missed + 1), when);
}

static int schedule_fire(struct db *db, struct scheduling *s, struct err *err)
{
	const struct trigger *t = &s->t;
	struct flow_start start = {.account_id = t->account_id,
	    .flow_id = t->flow_id,
	    .kind = t->kind,
	    .payload = schedule_payload(s),
	    .trigger_id = t->id};
	const char *error = NULL;

	if (schedule_skips(s, clock_now_us()))
		error = schedule_skipped(s);
	else if (flow_start(s->j->app, db, s->j->a, &start, 1, err) == -1)
		return -1;
	else if (uuid_is_nil(start.execution_id))
		error = TRIGGER_NOT_PUBLISHED;
	return triggers_note_fired(db, &t->account_id, &t->id, 1, error, err);
}

/* The row is held, so that who changes it meanwhile waits for this, or this sees the change. */
static int schedule_body(struct db *db, void *arg, struct err *err)
{
	struct scheduling *s = arg;
	struct job *j = s->j;
	int64_t now_us = clock_now_us();
	int found = trigger_lock(db, j->a, &j->account_id, &j->subject_id, &s->t, err);

	if (found == -1)
		return -1;
	if (found == 0 || !s->t.is_enabled || s->t.next_us == 0)
		return job_finish(db, j, err);
	if (s->t.next_us > now_us)
		return job_reschedule(db, j, s->t.next_us, (struct str){NULL, 0}, err);
	schedule_catch_up(s, now_us);
	if (schedule_fire(db, s, err) == -1 || trigger_set_next(db, &s->t, s->next_us, err) == -1)
		return -1;
	if (s->next_us == 0)
		return job_finish(db, j, err);
	return job_reschedule(db, j, s->next_us, (struct str){NULL, 0}, err);
}

int trigger_job_schedule(struct job *j, struct err *err)
{
	struct scheduling s = {.j = j};

	return job_transaction(j, schedule_body, &s, err);
}

/* ---- keeping --------------------------------------------------------------------------------- */

struct schedules_keeping {
	struct trigger *v;
	size_t n;
};

static int schedules_keep_body(struct db *db, void *arg, struct err *err)
{
	const struct schedules_keeping *k = arg;

	for (size_t i = 0; i < k->n; i++)
		if (trigger_schedule_bring(db, &k->v[i], err) == -1)
			return -1;
	return 0;
}

int triggers_keep(struct app *app, struct err *err)
{
	struct arena *a = arena_new();
	struct schedules_keeping k;
	int rc = triggers_overdue(app->db, a, clock_now_us() - OVERDUE_US, &k.v, &k.n, err);

	if (rc == 0 && k.n > 0)
		rc = db_transaction(app->db, schedules_keep_body, &k, err);
	arena_free(a);
	return rc;
}
