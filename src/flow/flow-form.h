/* The form of one step: made from the table of its kind or, of an action, from the inputs of the
 * manifest, and read back into a step.
 *
 *	flow-form.c            the form as a whole: read, checked, shown
 *	flow-form-field.c      one field: of a kind, or an action's input
 *	flow-form-condition.c  a condition, as rows or as a text
 *	flow-form-branch.c     the ways of a branch
 *
 * Nothing is lost that the form does not have: the step that it was made of is changed, not made
 * anew, and a value whose field says what it said before stays as it is. */
#ifndef FLOW_FLOW_FORM_H
#define FLOW_FLOW_FORM_H
#include "flow/flow-pages.h"
#include "provider/manifest.h"

struct flow_form {
	struct flow_page *page;
	struct req *r;
	const struct step_kind *kind;
	const struct provider *p; /* of an action; else NULL */
	const struct action *act;
	json_t *step;    /* as it is, or as a new one begins; a copy */
	const char *key; /* NULL: it is new */
	const char *in;  /* address of the list, of a new one */
	struct draft_spot at;
	bool is_posted; /* fields are what was typed, not what the step says */
	json_t *groups; /* what can be inserted: flow_fields_at */
	json_t *wrong;  /* {name of a field: what is wrong with it} */
	size_t others;  /* complaints of no field */
	const char *problem;
	const char *saved_hash; /* of the step that the form was made of; "" of a new one */
};

/* The value of a field of the form that was sent. */
struct str form_text(const struct flow_form *f, const char *name);
/* Notes what is wrong with a field; the first complaint stays. */
void form_complain(struct flow_form *f, const char *name, const char *why);
/* Adds error, described and is_first_wrong to a shown field, by its "name" and "help". */
void form_show_wrong(struct flow_form *f, json_t *o);
void form_set_text(struct flow_form *f, const char *name, struct str value);

/* ---- fields ---------------------------------------------------------------------------------- */

/* What a field of the kind, or an input, is called in the form. */
const char *form_field_name(struct arena *a, const char *name);
const char *form_input_name(struct arena *a, const char *name);
/* Reads each field of the kind, or each input, into the step. */
void form_read_fields(struct flow_form *f);
/* [field] for flow/field.html; an action's that need not be filled in go to *more. */
int form_show_fields(struct flow_form *f, json_t *fields, json_t *more, struct err *err);

/* ---- conditions ------------------------------------------------------------------------------ */

/* The condition whose fields begin with prefix; was: as it was stored. {NULL,0} after a complaint.
 */
struct str form_read_condition(struct flow_form *f, const char *prefix, struct str was);
json_t *form_show_condition(
    struct flow_form *f, const char *prefix, const char *label, struct str stored);
/* Acts on a condition's rows: "row", "drop", "text", "rows". */
void form_change_condition(struct flow_form *f, struct str act, struct str what);

/* ---- branches -------------------------------------------------------------------------------- */

bool form_has_branches(const struct flow_form *f);
void form_read_branches(struct flow_form *f);
void form_show_branches(struct flow_form *f, json_t *data);
void form_change_branches(struct flow_form *f, struct str act, struct str what);

/* ---- the whole ------------------------------------------------------------------------------- */

void form_read(struct flow_form *f);
/* Puts the step into the page's draft and gathers what is wrong of it: 0, or -1 where that cannot
 * be known. It is right when nothing is in f->wrong and f->others is 0. */
int form_check(struct flow_form *f, struct err *err);
int form_show(struct flow_form *f, int status);
/* What tells whether a step was changed; who moved others changed it not. */
const char *form_hash(struct arena *a, const json_t *step);
#endif
