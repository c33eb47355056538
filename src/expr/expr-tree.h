/* A compiled expression: made by expr-parse.c, expr-reference.c and formula-parse.c, evaluated by
 * expr-eval.c and formula-eval.c, and known to them alone.
 * All of it lives in the loader's arena and does not change once it is made. Names are resolved
 * when it is made: roots to slots, functions to pointers, paths to steps; evaluating looks up no
 * name. */
#ifndef EXPR_EXPR_TREE_H
#define EXPR_EXPR_TREE_H
#include "expr/expr.h"

#define EXPR_FILTERS_MAX 6 /* of one reference */

/* A function that a reference's value goes through, and its argument. */
struct filter {
	const struct expr_function *function;
	struct str argument;
};

/* One alternative of a placeholder. */
enum ref_kind { REF_JSON, REF_NAMED, REF_LITERAL, REF_VALUE };
struct ref {
	enum ref_kind kind;
	unsigned slot;           /* JSON, NAMED */
	const struct path *path; /* JSON: below the root; NULL: the root itself, or only the key */
	/* JSON below a FIELD_KEYS: this one key in what lies at `of` goes before the path. */
	const struct path *of;
	const char *key;
	struct str (*find)(const void *from, const char *name); /* NAMED */
	const char *name;   /* NAMED; JSON with a key: the place as it was written */
	struct str literal; /* LITERAL: a text */
	json_t *value;      /* VALUE: a number, true, false, null */
	bool is_time;       /* JSON: an integer there is a time */
	struct filter filters[EXPR_FILTERS_MAX];
	size_t nfilters;
};

enum expr_kind {
	EXPR_CONST,
	EXPR_REF,
	EXPR_CONCAT,
	EXPR_OBJECT,
	EXPR_ARRAY,
	EXPR_MAP,
	EXPR_FIRST,
	EXPR_PATH,
	EXPR_PATHS,
	EXPR_WHEN,
	EXPR_RAW,
	EXPR_EACH,
	EXPR_MEMBERS, /* $object */
	EXPR_FIND,
	EXPR_LAST,
	EXPR_MERGE,
	EXPR_JOIN, /* $concat */
};
struct expr {
	enum expr_kind kind;
	json_t *constant;
	struct ref *refs; /* EXPR_REF: alternatives; none: absent */
	size_t nrefs;
	struct str source;   /* EXPR_REF: what was written between the braces */
	struct expr **parts; /* CONCAT, ARRAY, FIRST, MERGE, JOIN; OBJECT: values */
	struct expr **keys;  /* OBJECT */
	size_t n;
	bool absent_is_empty; /* CONCAT */
	/* RAW: of. EACH, MEMBERS, FIND, LAST: what is given of each element; MEMBERS: in, its key
	 */
	struct expr *of, *in, *otherwise;
	struct cond *when;  /* WHEN: of, else otherwise; EACH, FIND: of an element */
	struct loops loops; /* EACH, MEMBERS, FIND, LAST: the elements */
	struct {
		struct str from;
		struct str to;
	} * map;
	size_t nmap;
};

/* ---- shared by those who compile ------------------------------------------------------------ */

/* A complaint at the place of the reader; -1. */
#define LOADER_FAIL(l, ...) json_reader_fail(&(l)->in, __VA_ARGS__)
struct expr *expr_new(struct loader *l, enum expr_kind kind);
/* What stands between braces: an EXPR_REF. 0, or -1 with the complaint made. */
int refs_compile(struct loader *l, struct str text, struct expr **out);
/* Up to the first dot or bracket. */
struct str place_first(struct str text);
/* The bytes before the "}}" that ends the placeholder whose inside text begins with; SIZE_MAX where
 * none does. */
size_t placeholder_length(struct str text);
/* A number, true, false or null; NULL: it is none of them. */
json_t *literal_value(struct arena *a, struct str text);

/* A condition: a group of others, or a test of one reference. */
enum cond_kind {
	COND_ALL,
	COND_ANY,
	COND_NOT,
	COND_IN,
	COND_EXISTS,
	COND_STARTS,
	COND_ENDS,
	COND_CONTAINS
};
struct cond {
	enum cond_kind kind;
	struct expr *ref;
	struct expr **texts; /* IN, STARTS, ENDS: one of them */
	size_t ntexts;
	bool should_exist;
	struct cond **children; /* ALL, ANY, NOT */
	size_t n;
};

/* A formula: what stands left and right of an operator, or a list of operands. */
enum formula_kind {
	FORMULA_CONST,
	FORMULA_REF,
	FORMULA_LIST, /* items: its elements */
	FORMULA_ANY,  /* items, between "or" */
	FORMULA_ALL,  /* items, between "and" */
	FORMULA_NOT,  /* left */
	FORMULA_EXISTS,
	FORMULA_EQUALS, /* left and right, from here on */
	FORMULA_LESS,
	FORMULA_LESS_OR_EQUAL,
	FORMULA_CONTAINS,
	FORMULA_STARTS_WITH,
	FORMULA_ENDS_WITH,
};
struct formula {
	enum formula_kind kind;
	json_t *constant;
	struct expr *ref;
	struct formula *left, *right;
	struct formula **items;
	size_t n;
};
#endif
