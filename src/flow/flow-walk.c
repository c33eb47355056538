/* Which step is next, and what comes of it.
 *
 *	begin ─> inputs ─┬─ LOCAL ────────────────────────────────> ended ─> next
 *	                 ├─ STORED ── in a transaction? no: RUN_STORES
 *	                 │            of a table: RUN_ASKS ─> run_told ─> ended
 *	                 ├─ OUTSIDE ─ on record? no: RUN_CALLS ─> run_call ─> ended
 *	                 ├─ WAIT ──── RUN_WAITS, once it is time ─> ended
 *	                 ├─ BRANCH, LOOP ── a frame more
 *	                 └─ failed: again later (RUN_WAITS) | go on | error steps | the run fails
 *
 * A frame whose list is at its end is left; a loop's begins again for its next item. All that is
 * remembered is in r->at, so that a walk can be taken back. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "flow/flow-run.h"

static struct run_frame *run_top(struct run *r)
{
	return &r->at.frames[r->at.nframes - 1];
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const char *run_turns(struct run *r)
{
	const char *text = "";

	for (size_t i = 0; i < r->at.nframes; i++)
		if (r->at.frames[i].items != NULL)
			text = arena_printf(
			    r->a, "%s%s%zu", text, *text == '\0' ? "" : ".", r->at.frames[i].turn);
	return text;
}

static void row_add(struct run *r, const struct run_step *t, const char *status,
    const json_t *input, const json_t *output, const char *error)
{
	bool is_open = strcmp(status, STEP_RUNNING) == 0 || strcmp(status, STEP_WAITING) == 0;

	if (r->at.nrows == r->rows_room) {
		size_t room = r->rows_room == 0 ? 8 : 2 * r->rows_room;
		struct execution_step *rows = arena_array(r->a, room, sizeof(*rows));

		if (r->at.nrows > 0)
			memcpy(rows, r->rows, r->at.nrows * sizeof(*rows));
		r->rows = rows;
		r->rows_room = room;
	}
	r->rows[r->at.nrows++] = (struct execution_step){.seq = t->seq,
	    .id = t->key,
	    .step = t->step->key,
	    .place = run_turns(r),
	    .name = t->step->name,
	    .kind = t->step->kind->name,
	    .status = status,
	    .error = error,
	    .attempts = t->attempt,
	    .input = flow_shown(r->a, input),
	    .output = flow_shown(r->a, output),
	    .started_us = t->started_us,
	    .duration_us = is_open ? -1 : clock_now_us() - t->started_us};
}

void run_end(struct run *r, const char *status, const char *error)
{
	r->x->status = status;
	r->x->finished_us = clock_now_us();
	r->x->error = error == NULL ? NULL : arena_strdup(r->a, error);
	r->x->error_step = error == NULL || r->at.now.step == NULL ? NULL : r->at.now.step->key;
	r->x->wait_us = 0;
	if (!uuid_is_nil(r->x->parent_id))
		r->x->output = json_text(r->a, r->at.last != NULL ? r->at.last : json_null()).p;
}

static enum run_next run_fail(struct run *r, const char *error)
{
	run_end(r, EXECUTION_FAILED, error);
	return RUN_ENDS;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static void frame_enter(struct run *r, const struct flow_step *owner, const struct flow_list *list)
{
	r->at.frames[r->at.nframes++] = (struct run_frame){.list = list, .owner = owner};
}

static void loop_enter(struct run *r, json_t *items)
{
	struct run_step row = r->at.now;

	r->at.now = (struct run_step){0};
	frame_enter(r, row.step, &row.step->lists[0]);
	run_top(r)->items = items;
	run_top(r)->results = json_own(r->a, json_array());
	run_top(r)->row = row;
	r->at.last = json_null();
	run_see_loop(r);
}

static void loop_end(struct run *r, struct run_step row, json_t *results)
{
	json_t *output = json_own(r->a, json_object());

	json_set_int(output, "total", (int64_t)json_array_size(results));
	json_set(output, "results", json_incref(results));
	run_see_loop(r);
	run_set_output(r, row.step, output);
	row_add(r, &row, STEP_COMPLETED, NULL, output, NULL);
}

/* The end of the innermost list: a loop's begins again, or it is left. */
static void frame_leave(struct run *r)
{
	struct run_frame *f = run_top(r);

	if (f->items != NULL) {
		f->weight += json_weight(r->at.last);
		json_array_append(
		    f->results, f->weight <= FLOW_RESULTS_WEIGHT ? r->at.last : json_null());
		if (++f->turn < json_array_size(f->items)) {
			f->at = 0;
			r->at.last = json_null();
			run_see_loop(r);
			return;
		}
	}
	r->at.nframes--;
	if (f->items != NULL)
		loop_end(r, f->row, f->results);
}

/* ---- what came of a step --------------------------------------------------------------------- */

static struct step_call call_of(struct run *r, json_t *input, struct scope *scope)
{
	return (struct step_call){.app = r->app,
	    .a = r->a,
	    .db = r->db,
	    .step = r->at.now.step,
	    .scope = scope,
	    .account_id = r->x->account_id,
	    .flow_id = r->x->flow_id,
	    .execution_id = r->x->id,
	    .record_id = r->x->record_id,
	    .depth = r->x->depth,
	    .key = r->at.now.key,
	    .attempt = r->at.now.attempt,
	    .is_dry = r->is_dry,
	    .input = input,
	    .branch = SIZE_MAX,
	    .again_ms = -1};
}

/* true: it walks on. */
static bool step_end(struct run *r, const struct step_call *c)
{
	struct run_step now = r->at.now;

	row_add(
	    r, &now, c->is_filtered ? STEP_FILTERED : STEP_COMPLETED, c->input, c->output, NULL);
	if (json_weight(r->at.outputs) + json_weight(c->output) > FLOW_STATE_WEIGHT) {
		run_fail(r, "the steps gave more than a run may remember (8 MiB)");
		return false;
	}
	run_set_output(r, now.step, c->output);
	r->at.now = (struct run_step){0};
	if (c->is_filtered)
		run_end(r, EXECUTION_FILTERED, NULL);
	return !c->is_filtered;
}

/* Seconds doubling, or as long as the other side asked for, up to the step's most. */
static int64_t step_wait_us(const struct flow_step *s, int attempt, int64_t again_ms)
{
	int64_t wait_s = s->wait_s, asked_s = again_ms < 0 ? 0 : (again_ms + 999) / 1000;

	while (--attempt > 0 && wait_s < s->most_wait_s)
		wait_s *= 2;
	if (asked_s > wait_s)
		wait_s = asked_s;
	return (wait_s < s->most_wait_s ? wait_s : s->most_wait_s) * SECOND_US;
}

static enum run_next step_again(struct run *r, const struct step_call *c, const char *error)
{
	struct run_step *now = &r->at.now;

	row_add(r, now, STEP_WAITING, c->input, NULL, error);
	now->until_us = clock_now_us() + step_wait_us(now->step, now->attempt, c->again_ms);
	now->attempt++;
	return RUN_WAITS;
}

/* true: it walks on. */
static bool step_fail(
    struct run *r, const struct step_call *c, const char *error, enum run_next *next)
{
	struct run_step now = r->at.now;
	const struct flow_step *s = now.step;
	json_t *output;

	if (!c->is_refused && !r->is_dry && now.attempt < s->attempts) {
		*next = step_again(r, c, error);
		return false;
	}
	row_add(r, &now, STEP_FAILED, c->input, c->output, error);
	if (s->on_error == ERROR_STOPS) {
		*next = run_fail(r, error);
		return false;
	}
	output = json_own(r->a, json_object());
	json_set_str(output, "error", error);
	run_set_output(r, s, output);
	run_see_error(r, s, error);
	r->at.now = (struct run_step){0};
	if (s->on_error == ERROR_BRANCHES)
		frame_enter(r, s, s->on_error_list);
	return true;
}

/* A step that could not be done for want of the database is no fault of the flow. */
static bool is_broken(const struct err *why)
{
	return why->code == ERR_INTERNAL || why->code == ERR_RETRY || why->code == ERR_LOCKED ||
	       why->code == ERR_UNAVAILABLE;
}

/* ---- doing a step ---------------------------------------------------------------------------- */

/* By how the kind is run, once its function has been called: true: it walks on. */
static bool step_go_on(struct run *r, const struct step_call *c, enum run_next *next)
{
	struct run_step *now = &r->at.now;

	switch (now->step->kind->how) {
	case STEP_WAIT:
		if (!r->is_dry) {
			now->until_us = c->until_us;
			row_add(r, now, STEP_WAITING, c->input, NULL, NULL);
			*next = RUN_WAITS;
			return false;
		}
		break;
	case STEP_STARTS:
		if (!uuid_is_nil(c->child)) {
			now->child = c->child;
			row_add(r, now, STEP_WAITING, c->input, NULL, NULL);
			*next = RUN_WAITS;
			return false;
		}
		break;
	case STEP_LOOP:
		if (json_array_size(c->items) > 0) {
			row_add(r, now, STEP_RUNNING, c->input, NULL, NULL);
			loop_enter(r, c->items);
			return true;
		}
		break;
	default:
		break;
	}
	const struct flow_step *s = now->step;
	*next = RUN_ENDS;
	if (!step_end(r, c))
		return false;
	if (s->kind->how == STEP_BRANCH && c->branch != SIZE_MAX)
		frame_enter(r, s, &s->lists[c->branch]);
	return true;
}

static json_t *empty_loop(struct arena *a)
{
	json_t *o = json_own(a, json_object());

	json_set_int(o, "total", 0);
	json_set(o, "results", json_array());
	return o;
}

/* What a step's function said: true: it walks on. */
static bool step_came(struct run *r, struct step_call *c, int rc, const struct err *why,
    enum run_next *next, struct err *err)
{
	enum step_how how = r->at.now.step->kind->how;

	if (rc == -1 && how != STEP_LOCAL && how != STEP_OUTSIDE && is_broken(why)) {
		err_set(err, why->code, "%s", why->msg);
		*next = RUN_BROKEN;
		return false;
	}
	if (rc == -1)
		return step_fail(r, c, why->msg, next);
	if (how == STEP_LOOP)
		c->output = empty_loop(r->a);
	if (how == STEP_WAIT && r->is_dry)
		step_would(c, "wait", json_string(clock_iso_dup(r->a, c->until_us)));
	return step_go_on(r, c, next);
}

/* An operation on a table: the transaction's body does it, with those of others; tried out it is
 * done at once. */
static bool step_ask(struct run *r, struct step_call *c, enum run_next *next, struct err *err)
{
	const struct step_kind *kind = r->at.now.step->kind;
	struct err why = ERR_INIT;
	int rc = kind->begin(c, &r->op, &why);

	if (rc == 1 && !r->is_dry) {
		r->asking = *c;
		*next = RUN_ASKS;
		return false;
	}
	if (rc == 1)
		rc = table_run(r->app, r->a, &r->x->account_id, &r->op, 1, &why) == -1
			 ? -1
			 : kind->end(c, &r->op, &why);
	return step_came(r, c, rc, &why, next, err);
}

static bool step_run(struct run *r, enum run_next *next, struct err *err)
{
	struct scope scope = flow_scope(r->a, r->at.context);
	const struct flow_step *s = r->at.now.step;
	json_t *input = run_inputs(r, s);
	struct step_call c = call_of(r, input, &scope);
	struct err why = ERR_INIT;
	int rc;

	if (input == NULL) {
		c.is_refused = true;
		return step_fail(r, &c, "the step's inputs are more than 8 MiB", next);
	}
	if (s->kind->begin != NULL)
		return step_ask(r, &c, next, err);
	rc = s->kind->run(&c, &why);
	if (rc != -1 && c.db != NULL && db_settle(c.db, &why) == -1)
		rc = -1; /* it is this step that fails, not the next */
	return step_came(r, &c, rc, &why, next, err);
}

static void step_begin(struct run *r)
{
	struct run_frame *f = run_top(r);

	r->at.now = (struct run_step){.step = &f->list->steps[f->at++],
	    .key = uuid_new(),
	    .seq = ++r->at.seq,
	    .attempt = 1,
	    .started_us = clock_now_us()};
	r->at.done++;
}

/* ---- waits ----------------------------------------------------------------------------------- */

/* The time has come, or the child has ended: true, with what became of it. */
static bool wait_is_over(struct run *r, struct step_call *c, bool *has_failed, const char **error,
    enum run_next *next, struct err *err)
{
	struct run_step *now = &r->at.now;
	const char *status;
	json_t *output;
	int ended;

	*has_failed = false;
	if (uuid_is_nil(now->child)) {
		json_t *o = json_own(r->a, json_object());

		json_set_time(o, "until", now->until_us);
		c->output = o;
		*next = RUN_WAITS;
		return clock_now_us() >= now->until_us;
	}
	ended = execution_outcome(r->db != NULL ? r->db : r->app->db, r->a, &r->x->account_id,
	    &now->child, &status, &output, error, err);
	*next = ended == -1 ? RUN_BROKEN : RUN_WAITS;
	if (ended != 1)
		return false;
	*has_failed =
	    strcmp(status, EXECUTION_COMPLETED) != 0 && strcmp(status, EXECUTION_FILTERED) != 0;
	if (*has_failed)
		*error = arena_printf(r->a, "the sub-flow's run %s%s%s", status,
		    *error != NULL ? ": " : "", *error != NULL ? *error : "");
	c->output = json_own(r->a, json_object());
	json_set_str(c->output, "executionId", uuid_dup(r->a, now->child));
	json_set_str(c->output, "status", status);
	json_set(c->output, "result", json_incref(output));
	return true;
}

/* A step that waited: true: it walks on. */
static bool step_wake(struct run *r, enum run_next *next, struct err *err)
{
	struct run_step *now = &r->at.now;
	struct scope scope = flow_scope(r->a, r->at.context);
	struct step_call c = call_of(r, NULL, &scope);
	const char *error = NULL;
	bool has_failed;

	if (now->step->kind->how != STEP_WAIT && uuid_is_nil(now->child)) {
		if (clock_now_us() < now->until_us) {
			*next = RUN_WAITS;
			return false;
		}
		now->until_us = 0; /* the next try */
		return true;
	}
	if (!wait_is_over(r, &c, &has_failed, &error, next, err))
		return false;
	c.input = run_inputs(r, now->step);
	now->until_us = 0;
	if (has_failed) {
		now->child = (struct uuid){{0}}; /* another try starts another */
		return step_fail(r, &c, error, next);
	}
	*next = RUN_ENDS;
	return step_end(r, &c);
}

/* ---- walking --------------------------------------------------------------------------------- */

/* Has the run to end before its next step? */
static bool run_is_stopped(struct run *r, enum run_next *next)
{
	int64_t limit_s = r->plan->settings.time_limit_s;

	*next = RUN_ENDS;
	if (r->x->is_cancelling)
		run_end(r, EXECUTION_CANCELLED, NULL);
	else if (r->at.done >= FLOW_RUN_STEPS)
		run_fail(r, "the run has done more steps than one may do (20,000)");
	else if (limit_s > 0 && clock_now_us() - r->x->started_us > limit_s * SECOND_US)
		run_fail(r, arena_printf(r->a, "the run has taken longer than its limit of %lld s",
				(long long)limit_s));
	else
		return false;
	return true;
}

static enum run_next run_complete(struct run *r)
{
	run_end(r, EXECUTION_COMPLETED, NULL);
	return RUN_ENDS;
}

enum run_next run_walk(struct run *r, struct err *err)
{
	enum run_next next;

	for (;;) {
		struct run_step *now = &r->at.now;
		enum step_how how;

		if (run_is_stopped(r, &next))
			return next;
		if (now->step == NULL) {
			while (r->at.nframes > 0 && run_top(r)->at == run_top(r)->list->n)
				frame_leave(r);
			if (r->at.nframes == 0)
				return run_complete(r);
			step_begin(r);
		} else if (now->until_us != 0 || !uuid_is_nil(now->child)) {
			if (!step_wake(r, &next, err))
				return next;
			continue;
		}
		how = now->step->kind->how;
		if ((how == STEP_STORED || how == STEP_STARTS) && r->db == NULL && !r->is_dry)
			return RUN_STORES;
		if (how == STEP_OUTSIDE && !r->is_dry) {
			if (!now->is_on_record)
				row_add(r, now, STEP_RUNNING, run_inputs(r, now->step), NULL, NULL);
			now->is_on_record = true;
			return RUN_CALLS;
		}
		if (!step_run(r, &next, err))
			return next;
	}
}

enum run_next run_told(struct run *r, struct err *err)
{
	struct step_call *c = &r->asking;
	struct err why = ERR_INIT;
	enum run_next next;
	int rc = r->at.now.step->kind->end(c, &r->op, &why);

	return step_came(r, c, rc, &why, &next, err) ? run_walk(r, err) : next;
}

enum run_next run_call(struct run *r, struct err *err)
{
	enum run_next next;

	return step_run(r, &next, err) ? run_walk(r, err) : next;
}

int run_begin(struct run *r, struct err *err)
{
	const json_t *state = r->x->state;

	if (r->x->started_us == 0)
		r->x->started_us = clock_now_us();
	r->at = (struct run_place){.context = run_context_new(r),
	    .outputs = json_own(r->a, json_object()),
	    .last = json_null()};
	r->had_state = state != NULL;
	if (state != NULL)
		return run_state_read(r, state, err);
	frame_enter(r, NULL, &r->plan->top);
	return 0;
}
