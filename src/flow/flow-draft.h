/* The steps of a flow while they are edited: a copy, compiled as far as it goes, with what is wrong
 * of each step. Steps are called by number (step_2_1), so whatever adds, moves or removes one
 * changes what others are called; references to them are changed along.
 *
 * A list of steps has an address: "top", or its step and number among that step's lists, the steps
 * for errors behind the others: "step_2.0". */
#ifndef FLOW_FLOW_DRAFT_H
#define FLOW_FLOW_DRAFT_H
#include "flow/flow-internal.h"

#define DRAFT_TOP "top"
#define DRAFT_GONE "removed_step" /* what references to a removed step become: they are refused */

struct draft_fault {
	const char *path, *reason;    /* "steps[1].config.condition" */
	const struct flow_step *step; /* NULL: of none */
	const char *field;            /* within it: "config.condition"; "" for the whole */
};
struct draft {
	struct arena *a;
	json_t *steps, *settings; /* copies */
	struct flow_plan plan;    /* usable as far as its steps have a kind */
	struct draft_fault *faults;
	size_t nfaults;
};
/* Where a step stands: within owner (NULL: the top), in its list, at index. */
struct draft_spot {
	const struct flow_step *owner;
	size_t list, index;
	json_t *array;
};
enum draft_way { DRAFT_UP, DRAFT_DOWN, DRAFT_IN, DRAFT_OUT };

/* What is wrong in a sentence: "Condition: must be …". */
const char *draft_fault_text(struct arena *a, const struct draft_fault *f);
void draft_open(struct draft *d, struct arena *a, const json_t *steps, const json_t *settings);
/* Adds what cannot be known of the steps alone: connections, tables, flows. */
int draft_check(struct draft *d, struct req *r, const struct uuid *flow_id, struct err *err);
const struct flow_step *draft_find(const struct draft *d, struct str key); /* NULL: none */
/* Finds the list of an address; false where there is none. */
bool draft_find_list(const struct draft *d, struct str address, struct draft_spot *out);
const char *draft_address(struct arena *a, const struct flow_step *owner, size_t list);
bool draft_locate(const struct draft *d, const struct flow_step *s, struct draft_spot *out);
/* Where the step would go; false where it cannot. */
bool draft_target(
    const struct draft *d, const struct flow_step *s, enum draft_way way, struct draft_spot *out);

/* Changes; what was found before is void. A step is stolen. */
void draft_insert(struct draft *d, const struct draft_spot *at, json_t *step);
void draft_replace(struct draft *d, const struct draft_spot *at, json_t *step);
void draft_move(struct draft *d, const struct draft_spot *from, const struct draft_spot *to);
void draft_remove(struct draft *d, const struct draft_spot *at);
/* The steps outside of s that refer to s, or to a step within it; arena-owned, *n of them. */
const struct flow_step **draft_referrers(
    const struct draft *d, const struct flow_step *s, size_t *n);

/* ---- references (flow-reference.c) ---------------------------------------------------------- */

/* Is told each name that stands first in a place ("step_1" of step_1.id), and gives another for it
 * or NULL. */
typedef const char *reference_fn(void *arg, struct str name);
/* Goes through all texts of a step and of those within it, changing names in place. */
void references_walk(struct arena *a, json_t *step, reference_fn *fn, void *arg);
#endif
