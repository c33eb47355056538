/* A mapping as a form: rows of plain fields in place of rules, and back. */
#ifndef CRM_CRM_MAPPING_FORM_H
#define CRM_CRM_MAPPING_FORM_H
#include "crm/crm-mapping.h"

struct mapping_form_row {
	struct str from;   /* a place; FORM_TEXT or FORM_FIXED: `text` is meant; FORM_NEVER */
	struct str text;   /* with placeholders, or fixed */
	struct str change; /* a transform's name; "": none; FORM_KEEP: those of `was` */
	struct str option; /* of the transform */
	struct str to;
	struct str empty; /* what happens without a value: "skip", "fail", "send" */
	struct str instead;
	json_t *was; /* the rule that it was made of, for what the fields cannot say; or NULL */
	const char *wrong[4]; /* by enum form_part; NULL: nothing */
};
enum form_part { FORM_FROM, FORM_CHANGE, FORM_TO, FORM_EMPTY };
#define FORM_TEXT "=text"
#define FORM_FIXED "=fixed"
#define FORM_KEEP "=keep"
struct mapping_form {
	struct mapping_form_row *rows;
	size_t n;
	bool includes_unmapped;
	struct str except; /* places that go never, a line each */
	const char *except_wrong;
	bool is_default; /* shows the destination's own names, nothing saved */
	int64_t version; /* of what it was made from */
	struct uuid lead_id;
	json_t *doc; /* the mapping that it says */
	const char *problem;
	size_t faults;
};

void mapping_form_of_stored(struct req *r, const struct connection *c,
    const struct mapping_stored *m, struct mapping_form *out);
void mapping_form_read(struct req *r, struct mapping_form *out);
/* act "add", "up", "down", "remove" (what: the row's number), or any other: nothing. */
void mapping_form_change(struct req *r, struct mapping_form *f, struct str act, struct str what);
/* Notes what is wrong where it stands. */
bool mapping_form_check(struct req *r, struct mapping_form *f, const struct mapping_targets *t);
/* Adds rows, choices and complaints to the page's data. */
void mapping_form_show(struct req *r, const struct mapping_form *f, const json_t *sources,
    const struct mapping_targets *t, json_t *data);
/* "First name (text, needed)" */
const char *mapping_target_label(struct arena *a, const json_t *field);
#endif
