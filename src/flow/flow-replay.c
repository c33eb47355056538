#include "flow/flow-replay.h"
#include "account/audit.h"
#include "base/arena.h"
#include "base/clock.h"
#include "flow/flow-run.h"

/* ---- what is asked --------------------------------------------------------------------------- */

const char *const replay_froms[] = {"start", "failed", NULL};
const char *const replay_versions[] = {"original", "current", NULL};
const struct json_member replay_members[2] = {
    {"from", READ_WORD, JSON_INTO(struct replay_words, from), .words = replay_froms},
    {"version", READ_WORD, JSON_INTO(struct replay_words, version), .words = replay_versions}};

void replay_ask(struct replay *p, const struct replay_words *words)
{
	p->is_from_failed = words->from != NULL && strcmp(words->from, "failed") == 0;
	p->is_current = words->version == NULL || strcmp(words->version, "current") == 0;
}

/* ---- making one ------------------------------------------------------------------------------ */

/* Its state with the step that failed as if it had not begun. */
static int replay_from_failed(struct app *app, struct arena *a, struct replay *p,
    const struct flow_plan *plan, struct err *err)
{
	struct execution x = p->x;
	struct run run = {.app = app, .a = a, .x = &x, .plan = plan};
	json_t *now;

	if (p->of->finished_us == 0 || strcmp(p->of->status, EXECUTION_FAILED) != 0)
		return err_set(err, ERR_CONFLICT,
		    "Only a run that failed in a step can be replayed from there");
	if (p->of->state == NULL)
		return err_set(err, ERR_CONFLICT,
		    "Where it failed is not on record any more: replay it from the start");
	x.state = json_own(a, json_deep_copy(p->of->state));
	now = json_object_get(x.state, "now");
	p->seq = (int)json_int(now, "seq");
	json_set_str(now, "key", uuid_dup(a, uuid_new()));
	json_set_int(now, "attempt", 1);
	json_set_int(now, "started", clock_now_us());
	json_set_int(now, "until", 0);
	json_set_bool(now, "onRecord", false);
	json_object_del(now, "child");
	p->state = json_text(a, x.state);
	return run_begin(&run, err);
}

static int replay_plan(struct app *app, struct arena *a, struct replay *p,
    const struct flow_plan **plan, struct err *err)
{
	struct execution *x = &p->x;
	int found;

	if (execution_is_erased(p->of))
		return err_set(
		    err, ERR_CONFLICT, "What this run began with has been erased on request");
	if (p->is_current &&
	    flow_published_versions(app, a, &x->account_id, &x->flow_id, 1, &x->version, err) == -1)
		return -1;
	if (p->is_current && x->version == 0)
		return err_set(err, ERR_CONFLICT, "The flow is not published");
	if (x->version == 0) {
		x->plan = p->of->plan;
		return flow_plan_of_draft(a, &x->flow_id, x->plan, plan, err);
	}
	found = flow_plan_of(app, a, &x->account_id, &x->flow_id, x->version, plan, err);
	return found == 0 ? err_set(err, ERR_CONFLICT, "The flow has been deleted") : found - 1;
}

int replay_prepare(struct app *app, struct arena *a, struct replay *p, struct err *err)
{
	const struct execution *of = p->of;
	const struct flow_plan *plan;

	p->state = (struct str){NULL, 0};
	p->x = (struct execution){.account_id = of->account_id,
	    .id = uuid_new(),
	    .flow_id = of->flow_id,
	    .version = of->version,
	    .status = EXECUTION_PENDING,
	    .kind = TRIGGER_REPLAY,
	    .record_id = of->record_id,
	    .event_id = of->event_id,
	    .trigger_id = of->trigger_id,
	    .replay_of = of->id,
	    .payload = of->payload,
	    .created_us = clock_now_us()};
	if (replay_plan(app, a, p, &plan, err) == -1)
		return -1;
	flow_set_order(a, &p->x, plan);
	return p->is_from_failed ? replay_from_failed(app, a, p, plan, err) : 0;
}

/* ---- beginning ------------------------------------------------------------------------------- */

int replays_begin(struct db *db, struct replay *const *ps, size_t n, struct err *err)
{
	struct execution *xs[LIMIT_DB_BATCH] = {NULL};

	for (size_t i = 0; i < n; i++)
		xs[i] = &ps[i]->x;
	if (flow_begin(db, xs, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct replay *p = ps[i];

		if (execution_note_replay(db, &p->x, err) == -1 ||
		    (p->state.p != NULL &&
			execution_put_state(db, &p->x, &p->of->id, p->seq, p->state, err) == -1))
			return -1;
	}
	return 0;
}

static int replay_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct replay *p = arg;

	if (replays_begin(db, &p, 1, err) == -1)
		return -1;
	audit_fact(log, "flow.replay", "flow", &p->x.flow_id, NULL);
	return 0;
}

int replay_run(struct req *r, struct replay *p, struct err *err)
{
	return audit_change(r->app, r, &r->actor.account_id, replay_body, p, err);
}
