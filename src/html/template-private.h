/* What compiler, filters and renderer of templates share. */
#ifndef HTML_TEMPLATE_PRIVATE_H
#define HTML_TEMPLATE_PRIVATE_H

#include "base/map.h"
#include "base/zone.h"
#include "html/context.h"
#include "html/template.h"

#define TEMPLATE_SECTIONS_MAX 16 /* open at once in one template */
#define TEMPLATE_STEPS_MAX 8     /* of a path */
/* Ops one rendering may run: a bound on nested loops over large arrays. */
#define TEMPLATE_BUDGET 4000000u

enum template_op_kind {
	OP_TEXT,
	OP_VALUE,
	OP_RAW,
	OP_SECTION,
	OP_INVERTED,
	OP_PARTIAL,
	OP_DYNAMIC
};

enum template_filter {
	FILTER_NONE,
	FILTER_TIME,
	FILTER_SECONDS,
	FILTER_EXACT, /* and the fraction, where there is one */
	FILTER_DATE,
	FILTER_AGO,
	FILTER_MOMENT,
	FILTER_NUMBER,
	FILTER_BYTES,
	FILTER_DURATION,
	FILTER_JSON,
	FILTER_TREE,
	FILTER_DETAILS,
	FILTER_QUERY,
	FILTER_WORDS,
	FILTER_COUNT,
	FILTER_S,
	FILTER_IES,
	FILTER_BREAKS,
};

struct template_op {
	enum template_op_kind kind;
	enum html_escape escape;
	enum template_filter filter;
	unsigned line;
	struct str text;          /* literal, or a partial's name */
	struct str fallback;      /* of default:TEXT; {NULL,0} none */
	const char *const *steps; /* of the path, NUL-ended keys; none for {{.}} */
	size_t nsteps;
	size_t end; /* section: the op after its last one */
};

struct template
{
	const char *name;
	struct template_op *ops;
	size_t nops, cap;
};

struct templates {
	struct map *by_name;
	bool is_strict;
};

/* NULL and err "NAME.html:LINE: …". */
struct template *template_compile(
    struct arena *a, const char *name, struct str text, struct err *err);

/* ---- filters: append the value's form, not yet escaped, to scratch ------------------------ */
/* False for an unknown name. */
bool filter_parse(struct str name, enum template_filter *out);
/* Does this one write markup itself, where it stands in text? */
bool filter_is_markup(enum template_filter f);
/* When and where a page is seen: what is today, and what the clock on the wall shows. */
struct template_when {
	int64_t now_us;
	const struct zone *zone;
};
/* Plain text of value; false when a value of this type has none. */
bool filter_text(
    enum template_filter f, const json_t *value, const struct template_when *when, struct buf *out);
/* Escaped markup of value. */
bool filter_markup(
    enum template_filter f, const json_t *value, const struct template_when *when, struct buf *out);
/* details.c: any JSON as labels and values. */
bool details_write(const json_t *value, const struct template_when *when, struct buf *out);

#endif
