/* What a kind of step is: a row that says what people may write and what comes of it, and a
 * function that does it. One file for each kind or family of kinds, step-NAME.c, and a row in the
 * table step_kinds (step.c). The same table checks what is saved, tells it to people and evaluates
 * it for the function.
 *
 *	{"kind": "table.lookup", "config": {"tableSlug": "customers", "column": "email"},
 *	 "inputMapping": {"value": "{{trigger.email}}"}}
 *
 * Members of "config" and of "inputMapping" are fields alike: a STEP_INPUT may stand in either. */
#ifndef FLOW_STEP_H
#define FLOW_STEP_H
#include "base/json-reader.h"
#include "db/db.h"
#include "expr/expr.h"

/* A member of a step for people alone: {"channel": "#sales"} is what the value of an input is
 * called at the provider, which lists it (connection-chooser.h). */
#define STEP_INPUT_NAMES "inputNames"

struct app;
struct flow_step;
struct table_op;
struct flow_plan;

enum step_type {
	STEP_WORD_TEXT, /* a text as it is: a table's slug */
	STEP_STRING,    /* a text with templates: what it gives is a text, or null */
	STEP_VALUE,     /* any JSON with templates */
	STEP_OBJECT,    /* the same, where an object must come of it */
	STEP_NUMBER,    /* an integer from min to max, or a template that gives one */
	STEP_BOOLEAN,
	STEP_CHOICE,    /* one of words */
	STEP_CONDITION, /* expr/expr.h: formula_compile */
	STEP_ID,        /* the id of something: a flow, a connection */
	STEP_IDS,       /* a list of them */
	STEP_STEPS,     /* steps within this one */
	STEP_BRANCHES,  /* [{"name", "condition", "steps"}] */
};
enum step_flag {
	STEP_NEEDED = 1,
	STEP_INPUT = 2,  /* it may stand in inputMapping */
	STEP_SECRET = 4, /* what it gives is masked in the history */
};
struct step_field {
	const char *name; /* NULL ends a table */
	enum step_type type;
	unsigned flags;
	const char *label, *help; /* for people */
	int64_t min, max;         /* NUMBER */
	const char *const *words; /* CHOICE; NULL-terminated */
};
/* What a step gives, for people and their field pickers. */
struct step_output {
	const char *name, *help; /* a name of NULL ends a table */
};

/* How a kind is run. */
enum step_how {
	STEP_LOCAL,   /* of its inputs alone: any time, any number of times */
	STEP_STORED,  /* it reads or writes the database: within the transaction that keeps it */
	STEP_OUTSIDE, /* it calls: on record before and after, with a key that stays */
	STEP_STARTS,  /* STORED, and what it starts is waited for */
	STEP_BRANCH,  /* run picks one of the step's lists */
	STEP_LOOP,    /* run gives the list that is walked */
	STEP_WAIT     /* run says until when */
};

/* One try of a step. */
struct step_call {
	struct app *app;
	struct arena *a;
	struct db *db; /* STORED: of the transaction; else NULL */
	const struct flow_step *step;
	struct scope *scope; /* for conditions */
	struct uuid account_id, flow_id, execution_id;
	struct uuid record_id; /* that the run is for; nil: none */
	int depth;             /* of sub-flows */
	struct uuid key;       /* the same in every try: the Idempotency-Key */
	int attempt;           /* from 1 */
	bool is_dry;           /* nothing may be done: output says what would be */
	const json_t *input;   /* its fields by name, evaluated; only those that were given */
	/* came: */
	json_t *output;    /* arena-owned; NULL is null */
	size_t branch;     /* BRANCH: which list; SIZE_MAX: none */
	json_t *items;     /* LOOP */
	int64_t until_us;  /* WAIT */
	struct uuid child; /* STARTS: whose end is waited for; nil: nobody's */
	bool is_filtered;  /* the run ends here, silently */
	bool is_refused;   /* failed, and would fail again: no retry helps */
	int64_t again_ms;  /* failed: the other side asked for such a wait; -1: it did not */
};

/* While a step is checked. */
struct step_check {
	struct app *app; /* NULL: only what is of the step itself */
	struct arena *a;
	struct uuid account_id, flow_id; /* flow_id nil: it has none yet */
	struct json_reader *in;          /* stands at the step */
	const struct flow_step *step;
};

struct step_kind {
	const char *name, *label, *help;
	enum step_how how;
	const struct step_field *fields;
	const struct step_output *outputs;
	/* inputMapping may have any names (an action's inputs, a sub-flow's payload): they are in
	 * input.mapping of the call */
	bool takes_any;
	/* Beyond the fields: complains by c->in; 0, or -1 where the database was away. */
	int (*check)(struct step_check *c, struct err *err);
	/* 0 with what came; -1 when it failed: the message is for people. */
	int (*run)(struct step_call *c, struct err *err);
	/* Instead of run, of a STORED kind that is an operation on a table: begin says which (1),
	 * or has the output at once (0), or has failed (-1); end takes what came of it. So the
	 * operations of runs that are kept together are done together. */
	int (*begin)(struct step_call *c, struct table_op *op, struct err *err);
	int (*end)(struct step_call *c, const struct table_op *op, struct err *err);
};
/* Ends with a kind of no name. */
extern const struct step_kind *const step_kinds[];
const struct step_kind *step_kind_find(struct str name);

/* ---- what functions of kinds ask ------------------------------------------------------------- */

/* What was written for a field, as it stands; NULL: it was not given. */
const json_t *step_given(const struct flow_step *s, const char *field);
/* The text of it where no template stands in it, so that it is known what it will be; NULL else. */
const char *step_constant(struct arena *a, const struct flow_step *s, const char *field);
/* Complains of a field where it was written. */
void step_complain(struct step_check *c, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A field of the call: NULL, 0 where it was not given, or is null. */
json_t *step_input(const struct step_call *c, const char *field);
const char *step_text(const struct step_call *c, const char *field);
/* An integer within the field's range: otherwise where it was not given. ERR_INVALID when what a
 * template gave is none. */
int step_number(
    const struct step_call *c, const char *field, int64_t otherwise, int64_t *out, struct err *err);
bool step_holds(const struct step_call *c, const char *field); /* of a CONDITION or BOOLEAN */
bool step_branch_holds(const struct step_call *c, size_t i);   /* of the i-th list */
size_t step_lists(const struct flow_step *s);
/* What the step would have done, as its output: {"dryRun":true,"would":what, …}; steals inputs. */
void step_would(struct step_call *c, const char *what, json_t *inputs);

/* ---- the kinds (step-*.c) -------------------------------------------------------------------- */
extern const struct step_kind step_filter, step_branch, step_loop, step_delay, step_formatter,
    step_action, step_http, step_sub_flow, step_table_lookup, step_table_upsert, step_table_write,
    step_record_to_table, step_record_upsert, step_crm_push;
#endif
