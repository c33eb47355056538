/* A run on its way through its steps. Frames are the lists that it is within, the flow's own first;
 * what the steps gave stands in the context that templates see. A walk can be taken back to where
 * it stood (run_mark, run_return): a transaction's body may run again. */
#ifndef FLOW_FLOW_RUN_H
#define FLOW_FLOW_RUN_H
#include "flow/flow-internal.h"
#include "table/table.h"

#define RUN_FRAMES (FLOW_DEPTH_MOST + 1)

/* A step under way. */
struct run_step {
	const struct flow_step *step; /* NULL: none is */
	struct uuid key;
	int seq, attempt;
	int64_t started_us;
	bool is_on_record; /* an effect outside: the commit that says so is through */
	int64_t until_us;  /* it waits; 0: it does not */
	struct uuid child; /* it waits for this run */
};
struct run_frame {
	const struct flow_list *list;
	const struct flow_step *owner; /* NULL: the flow */
	size_t at;                     /* the next of the list */
	/* of a loop: */
	json_t *items, *results;
	size_t weight; /* of the results */
	size_t turn;
	struct run_step row; /* its own row, ended with the last turn */
};
/* What walks have changed since the last commit, and where the next one goes on. */
struct run_place {
	struct run_frame frames[RUN_FRAMES];
	size_t nframes;
	struct run_step now;
	int seq, done;
	size_t nrows;
	json_t *context;
	json_t *outputs; /* by the steps' keys */
	json_t *last;    /* what the last step gave */
};
enum run_next {
	RUN_STORES, /* a step needs a transaction */
	RUN_ASKS,   /* within it: a step is an operation on a table, op */
	RUN_CALLS,  /* a step will call: that goes on record first */
	RUN_WAITS,  /* until at.now.until_us, or the end of a child */
	RUN_ENDS,   /* the execution's status says how */
	RUN_BROKEN  /* the database failed: err says how */
};
struct run {
	struct app *app;
	struct arena *a;
	struct job *job; /* NULL: tried out */
	struct execution *x;
	const struct flow_plan *plan;
	struct db *db; /* of the transaction; NULL outside one */
	bool is_dry;
	struct run_place at;
	struct execution_step *rows;
	size_t rows_room;
	bool had_state;
	enum run_next next;
	/* RUN_ASKS: */
	struct table_op op;
	struct step_call asking;
};

/* At its beginning, or where its state says; ERR_CONFLICT where the plan has no such place. */
int run_begin(struct run *r, struct err *err);
/* Goes on until something else has to be done. */
enum run_next run_walk(struct run *r, struct err *err);
/* Behind RUN_ASKS, once r->op is done: takes what came of it; then it walks on. */
enum run_next run_told(struct run *r, struct err *err);
/* Behind RUN_CALLS, once it is on record: makes the call and takes what came; then it walks on. */
enum run_next run_call(struct run *r, struct err *err);
void run_mark(const struct run *r, struct run_place *mark);
void run_return(struct run *r, const struct run_place *mark);
/* It ends so. */
void run_end(struct run *r, const char *status, const char *error);
/* Where it stands, as JSON text; {NULL,0} where nothing need be known any more. */
struct str run_state(struct run *r);
int run_state_read(struct run *r, const json_t *state, struct err *err);
/* The rest of them is of flow-walk.c, flow-context.c and flow-state.c alone. */
json_t *run_context_new(struct run *r);
void run_see_error(struct run *r, const struct flow_step *s, const char *message);
void run_set_output(struct run *r, const struct flow_step *s, json_t *output);
json_t *run_inputs(struct run *r, const struct flow_step *s);
void run_see_loop(struct run *r);
#endif
