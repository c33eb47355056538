/* Mappings: the rules by which a lead becomes the body that a destination is sent.
 *
 *	text of a mapping ── mapping_compile ──> struct mapping ── mapping_apply (a lead) ──> body
 *	  (a row, versioned)    once a version,     read only,
 *	                        cached              of its arena
 *
 * {"rules": [rule…], "includeUnmapped": bool}; a rule is one of
 *
 *	{"from": places, "to": path, …}          a value of the lead: "email", "a || b || 'none'"
 *	{"template": text, "to": path, …}        a text with {{placeholders}}
 *	{"const": any, "to": path}               the same value for every lead
 *	{"from": place, "exclude": true}         never sent by includeUnmapped
 *
 * with "transform" (one, or a list: a name or {"name", its options}), "default" and "required".
 * Without "rules" a destination has its own names (the manifest's pushBody). */
#ifndef CRM_CRM_MAPPING_H
#define CRM_CRM_MAPPING_H
#include "crm/crm-internal.h"
#include "expr/expr.h"

#define MAPPING_RULES_MOST 120 /* as many as a form has room for (LIMIT_FORM_FIELDS) */
#define MAPPING_STEPS_MOST 6
#define MAPPING_BYTES_MOST (256u * 1024u)

enum { MAPPING_LEAD }; /* the root of its language */

/* ---- transforms, for the compiler, the page and its help ------------------------------------- */

enum transform_option {
	TRANSFORM_PLAIN,  /* none */
	TRANSFORM_REGION, /* "region", which need not be given */
	TRANSFORM_FORMAT, /* "format" and "zone" */
	TRANSFORM_LENGTH, /* "length" */
	TRANSFORM_PART,   /* "part": first or last */
	TRANSFORM_VALUES, /* "values" {from: to} and "otherwise" */
	TRANSFORM_VALUE,  /* "value" */
	TRANSFORM_FIELDS, /* "fields", a list of places, and "separator" */
};
struct transform_kind {
	const char *name, *label; /* label: as the page offers it */
	enum transform_option option;
	const char *function; /* of expr_transforms; NULL: the mapping's own */
	const char *hint;     /* what is to be written into its field on the page; NULL: nothing */
};
extern const struct transform_kind transform_kinds[]; /* ends with a row of no name */
const struct transform_kind *transform_kind_find(const char *name);

/* ---- compiled -------------------------------------------------------------------------------- */

struct mapping_step {
	const struct transform_kind *kind;
	const struct expr_function *function;
	struct str argument;
	const json_t *values;    /* VALUES: by the folded text */
	const json_t *otherwise; /* VALUES: NULL keeps the value, null leaves it out. VALUE: it */
	struct expr **fields;    /* FIELDS */
	size_t nfields;
};
struct mapping_rule {
	const char *from, *to; /* as written; from NULL: constants */
	const struct path *path;
	struct expr *value;     /* from, or the template */
	const json_t *constant; /* or this */
	const json_t *fallback; /* "default"; NULL: none */
	struct mapping_step steps[MAPPING_STEPS_MOST];
	size_t nsteps;
	bool is_template, is_needed, is_excluded;
};
struct mapping {
	struct expr *template; /* the connection's bodyTemplate: it goes before rules; NULL: none */
	bool has_rules;        /* else the destination's own names */
	bool includes_unmapped;
	struct mapping_rule *rules;
	size_t n;
	const char **read; /* the places that rules read or exclude: "email", "customFields.size" */
	size_t nread;
	struct mapping_rule *own; /* the destination's own names, where they can be told as rules */
	size_t nown;
};

struct loader mapping_loader(struct arena *a, struct err *err);
/* Where l's reader stands: the mapping as an object. 0, or -1 with the complaint made; a
 * complaining reader has all of them, and 0 may be given too: ask its faults. */
int mapping_compile_rules(struct loader *l, const json_t *doc, struct mapping *out);
/* All that a push needs of a destination; doc NULL: it has no mapping. What was stored is taken
 * leniently. NULL with ERR_INVALID. */
struct mapping *mapping_compile(
    struct arena *a, const struct connection *c, const json_t *doc, struct err *err);
/* As crm_map_lead. */
json_t *mapping_apply(const struct mapping *m, struct arena *a, const struct connection *c,
    const json_t *lead, json_t *missing, struct err *err);
/* The destination's own names as rules, [{"from","to"}]. */
json_t *mapping_own_rules(struct arena *a, const struct provider *p);

/* ---- stored ---------------------------------------------------------------------------------- */

struct mapping_stored {
	int64_t version; /* 0: none was ever saved */
	json_t *doc;     /* NULL: none, or an empty one: the destination's own names */
	const char *author;
	int64_t saved_us;
};
/* The present one; of the version 0 where there is none. */
int mapping_load(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, struct mapping_stored *out, struct err *err);
/* Of a version: 1, 0, -1. */
int mapping_load_version(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, int64_t version, struct mapping_stored *out, struct err *err);
/* The route's connection (":id"), which takes leads; NULL with the answer given. */
struct connection *mapping_of_route(struct req *r);
#define MAPPING_VERSIONS_SHOWN 100
/* [{version,savedBy,savedAt,rules,isDefault}] of the newest MAPPING_VERSIONS_SHOWN, newest first.
 */
int mapping_versions(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *connection_id, json_t **out, struct err *err);
/* Saves what was checked as the next version, audited; doc NULL: back to the destination's own
 * names. expected: the version that it was made from, or -1: any; ERR_CONFLICT on "version" where
 * somebody has saved meanwhile. */
int mapping_save(struct req *r, const struct connection *c, const json_t *doc, int64_t expected,
    int64_t *version, struct err *err);

/* ---- fields, here and there ------------------------------------------------------------------ */

/* What rules can be made from: [{path,label,group,example}], the known ones and those seen in the
 * newest leads. */
int mapping_sources(
    struct app *app, struct arena *a, const struct uuid *account_id, json_t **out, struct err *err);
/* What the destination takes, as its own metadata say. */
struct mapping_targets {
	json_t *fields; /* of provider_push_field; NULL: it has no such API, or none was had yet */
	int64_t fetched_us; /* 0: never */
	const char *error;  /* why they could not be had now; NULL */
	bool has_api;
};
/* As kept; with is_fresh asked anew where they are older than a few minutes. Outside transactions.
 * A destination that does not answer is no failure. */
int mapping_targets(struct app *app, struct arena *a, struct connection *c, bool is_fresh,
    struct mapping_targets *out, struct err *err);
/* Checks a mapping that somebody sent, with t also names, types and values against what the
 * destination takes; complaints by the reader, which gathers them. */
bool mapping_check(
    struct json_reader *in, struct arena *a, const json_t *doc, const struct mapping_targets *t);
/* The account's lead as mappings see it: 1, 0, -1. */
int mapping_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, json_t **out, struct err *err);
/* {body, missing[], error}: what would be sent of the lead; doc as in mapping_compile. */
json_t *mapping_preview(
    struct arena *a, const struct connection *c, const json_t *doc, const json_t *lead);
#endif
