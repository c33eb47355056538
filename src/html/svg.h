/* Charts drawn on the server as SVG text, using only classes of the stylesheet for colour. */
#ifndef HTML_SVG_H
#define HTML_SVG_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
struct svg_point {
	const char *label;       /* in the title of the bar */
	int64_t value, previous; /* previous < 0: none */
	const char *axis;        /* shown on the axis; NULL: the label */
	const char *href;        /* where what it counts is listed; NULL: nowhere */
	const char *now;         /* of the last one, where it is not over: "now", "today" */
};
/* Bars with an accessible title and description, width 100 % of its box. Links are for who points
 * at them: a chart has a table below it, with the same links, for all others. */
void svg_bars(
    struct arena *a, struct buf *b, const char *title, const struct svg_point *points, size_t n);

/* Bars of parts that stand on each other, the first one lowest. */
#define SVG_PARTS 3
struct svg_part {
	const char *name, *class; /* "delivered"; of the stylesheet */
};
struct svg_stack {
	const char *label, *axis; /* in the title of the bar; shown on the axis */
	int64_t values[SVG_PARTS];
	const char *href; /* as of svg_bars */
};
void svg_stacks(struct arena *a, struct buf *b, const char *title,
    const struct svg_part parts[SVG_PARTS], const struct svg_stack *stacks, size_t n);
#endif
