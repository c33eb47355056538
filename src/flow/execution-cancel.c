/* A run that people end. */
#include "account/audit.h"
#include "base/clock.h"
#include "flow/flow-internal.h"

struct cancelling {
	struct req *r;
	struct execution *x;
};

static int cancel_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct cancelling *c = arg;
	struct execution *x = c->x;
	struct job j = flow_job(&x->account_id, &x->flow_id, &x->id);
	bool is_over;

	if (executions_lock(db, c->r->a, &x, 1, &is_over, err) == -1)
		return -1;
	if (is_over)
		return err_set(err, ERR_CONFLICT, "The run has ended already");
	/* one that runs just now ends at its next step */
	if (strcmp(x->status, EXECUTION_RUNNING) != 0) {
		x->status = EXECUTION_CANCELLED;
		x->finished_us = clock_now_us();
		x->started_us = x->started_us != 0 ? x->started_us : x->finished_us;
		x->wait_us = 0;
		if (executions_store(db, c->r->a,
			&(struct execution_store){.x = x, .had_state = true}, 1, err) == -1 ||
		    turn_end(db, c->r->a, x, err) == -1)
			return -1;
	}
	if (execution_set_cancelling(db, &x->account_id, &x->id, err) == -1 ||
	    job_run_now(db, &j, err) == -1)
		return -1;
	audit_fact(log, "flow.cancel", "flow", &x->flow_id, NULL);
	return 0;
}

int execution_end_by_hand(struct req *r, struct execution *x, struct err *err)
{
	struct cancelling c = {r, x};

	if (audit_change(r->app, r, &r->actor.account_id, cancel_body, &c, err) == -1)
		return -1;
	x->is_cancelling = true;
	return 0;
}
