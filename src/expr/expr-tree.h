/* A compiled expression: made by expr-parse.c, evaluated by expr-eval.c, and known to them alone.
 * All of it lives in the loader's arena and does not change once it is made. */
#ifndef EXPR_EXPR_TREE_H
#define EXPR_EXPR_TREE_H
#include "expr/expr.h"

#define EXPR_FILTERS_MAX 3 /* of one reference */

/* What a reference's value goes through: `:name`, or `:name(c)` with a character. */
enum filter_kind {
	FILTER_TEXT,
	FILTER_INT,
	FILTER_LOWER,
	FILTER_UPPER,
	FILTER_BEFORE,
	FILTER_AFTER,
	FILTER_BEFORE_LAST,
	FILTER_AFTER_LAST,
	FILTER_TIME_S,
	FILTER_TIME_MS,
	FILTER_TIME_ISO,
	FILTER_ISO,
};
struct filter {
	enum filter_kind kind;
	char argument;
};

/* One alternative of a placeholder. */
struct ref {
	enum root root;
	const struct path *path; /* below a JSON root; NULL: the root itself */
	const char *name;        /* header, query */
	struct str literal;
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
};
struct expr {
	enum expr_kind kind;
	json_t *constant;
	struct ref *refs; /* EXPR_REF: alternatives */
	size_t nrefs;
	struct expr **parts; /* CONCAT, ARRAY, FIRST; OBJECT: values */
	struct expr **keys;  /* OBJECT */
	size_t n;
	struct expr *of, *in, *otherwise;
	struct cond *when; /* WHEN: of, else otherwise */
	struct {
		struct str from;
		struct str to;
	} * map;
	size_t nmap;
};

/* A condition: a group of others, or a test of one reference. */
enum cond_kind { COND_ALL, COND_ANY, COND_NOT, COND_IN, COND_EXISTS, COND_STARTS, COND_ENDS };
struct cond {
	enum cond_kind kind;
	struct expr *ref;
	struct str *texts; /* IN, STARTS, ENDS: one of them */
	size_t ntexts;
	bool should_exist;
	struct cond **children; /* ALL, ANY, NOT */
	size_t n;
};
#endif
