/* Charts as SVG text. Geometry is in per cent of the box, so that text keeps its size at any width.
 */
#include "html/svg.h"

#include <inttypes.h>
#include <stdlib.h>

#include "html/html.h"

#define PLOT_TOP 16     /* the number of the upper line stands above it */
#define PLOT_HEIGHT 120 /* the labels stand below */
#define HEIGHT (PLOT_TOP + PLOT_HEIGHT + 22)
#define LABELS_MAX 6
#define CUTS_MAX 3  /* bars that may be cut off for the sake of the others, */
#define CUT_TIMES 4 /* where they are so many times as high as the next */

static int svg_higher_first(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a < b) - (a > b);
}

/* What stands at the upper line: an even number, so that the middle line has one. A few peaks that
 * would leave nothing to see of the rest are higher: they are cut off there. Sorts the heights. */
static int64_t svg_top(int64_t *heights, size_t n)
{
	int64_t top = 1;

	qsort(heights, n, sizeof(*heights), svg_higher_first);
	for (size_t k = 1; k < n && k <= CUTS_MAX && top == 1; k++)
		if (heights[k] > 0 && heights[k - 1] / CUT_TIMES > heights[k])
			top = heights[k] + heights[k] / 4;
	if (top == 1 && n > 0 && heights[0] > 1)
		top = heights[0];
	return top + (top > 1 ? top % 2 : 0);
}

/* The box, its lines, and the frame in which bars are drawn in per cent. What leads somewhere is no
 * picture: its links are told one by one. */
static void svg_begin(struct buf *b, const char *title, int64_t total, int64_t max, bool has_links)
{
	buf_printf(b, "<svg class=\"bars\" role=\"%s\" width=\"100%%\" height=\"%d\" aria-label=\"",
	    has_links ? "group" : "img", HEIGHT);
	html_attr(b, str_from(title));
	buf_printf(b, ": %" PRId64 " in all, at most %" PRId64 "\">", total,
	    total == 0 ? INT64_C(0) : max);
	buf_printf(b,
	    "<line class=\"bars-grid\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>"
	    "<line class=\"bars-grid\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>"
	    "<line class=\"bars-axis\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>",
	    PLOT_TOP, PLOT_TOP, PLOT_TOP + PLOT_HEIGHT / 2, PLOT_TOP + PLOT_HEIGHT / 2,
	    PLOT_TOP + PLOT_HEIGHT, PLOT_TOP + PLOT_HEIGHT);
	buf_printf(b, "<svg y=\"%d\" width=\"100%%\" height=\"%d\">", PLOT_TOP, PLOT_HEIGHT);
}

/* The frame's end, and what the lines stand for. */
static void svg_number_lines(struct buf *b, int64_t total, int64_t top)
{
	buf_str(b, "</svg>");
	if (total > 0)
		buf_printf(b, "<text class=\"bars-max\" x=\"2\" y=\"%d\">%" PRId64 "</text>",
		    PLOT_TOP - 4, top);
	if (total > 0 && top > 1)
		buf_printf(b, "<text x=\"2\" y=\"%d\">%" PRId64 "</text>",
		    PLOT_TOP + PLOT_HEIGHT / 2 - 4, top / 2);
}

/* Below every so many bars. */
static size_t svg_label_every(size_t n)
{
	return n <= LABELS_MAX ? 1 : (n + LABELS_MAX - 1) / LABELS_MAX;
}

/* anchor: the end of it that stands at x. */
static void svg_label(struct buf *b, double x, const char *anchor, const char *label)
{
	buf_printf(b, "<text x=\"%.2f%%\" y=\"%d\" text-anchor=\"%s\">", x, HEIGHT - 4, anchor);
	html_text(b, str_from(label));
	buf_str(b, "</text>");
}

/* Of the bar that begins at x; near the right edge it would not fit, so it ends there. */
static void svg_label_bar(struct buf *b, double x, double pitch, const char *label)
{
	bool is_near_edge = x > 85;

	svg_label(
	    b, is_near_edge ? x + pitch : x + pitch * 0.15, is_near_edge ? "end" : "start", label);
}

/* Where one is pointed at: its title, and all of its height. */
static void svg_hit(struct buf *b, double x, double width)
{
	buf_printf(b,
	    "</title><rect class=\"bars-hit\" x=\"%.2f%%\" y=\"0\" width=\"%.2f%%\" "
	    "height=\"100%%\"/>",
	    x, width);
}

static void svg_draw_bar(
    struct buf *b, const char *class, double x, double width, int64_t value, int64_t top)
{
	double height = 100.0 * (double)value / (double)top;

	if (value <= 0)
		return;
	if (height < 1.5)
		height = 1.5; /* something is not nothing */
	if (height > 100.0)
		height = 100.0;
	buf_printf(b,
	    "<rect class=\"%s\" x=\"%.2f%%\" y=\"%.2f%%\" width=\"%.2f%%\" height=\"%.2f%%\" "
	    "rx=\"2\"/>",
	    class, x, 100.0 - height, width, height);
}

/* A gap through a bar that is higher than there is room. */
static void svg_draw_cut(struct buf *b, double x, double width)
{
	buf_printf(b,
	    "<rect class=\"bars-cut\" x=\"%.2f%%\" y=\"8%%\" width=\"%.2f%%\" height=\"4%%\"/>", x,
	    width);
}

/* What is cut off has its number above it. */
static void svg_number_cut(struct buf *b, double x, int64_t height, int64_t top)
{
	if (height > top)
		buf_printf(b, "<text x=\"%.2f%%\" y=\"%d\" text-anchor=\"%s\">%" PRId64 "</text>",
		    x, PLOT_TOP - 4,
		    x < 15   ? "start"
		    : x > 85 ? "end"
			     : "middle",
		    height);
}

static int64_t point_height(const struct svg_point *p)
{
	return p->value > p->previous ? p->value : p->previous;
}

/* A link is for who points at its bar: keys go to those of the table that belongs to a chart, and
 * need not pass dozens of thin bars on their way. */
static void svg_begin_link(struct buf *b, const char *href, const char *title)
{
	buf_str(b, "<a tabindex=\"-1\" href=\"");
	html_url(b, str_from(href));
	buf_str(b, "\" aria-label=\"");
	html_attr(b, str_from(title));
	buf_str(b, "\">");
}

static void svg_draw_point(
    struct arena *a, struct buf *b, const struct svg_point *p, double x, double pitch, int64_t top)
{
	const char *before = p->previous < 0
				 ? ""
				 : arena_printf(a, " (before: %" PRId64 ")", p->previous),
		   *title = arena_printf(a, "%s: %" PRId64 "%s", p->label, p->value, before);

	if (p->href != NULL)
		svg_begin_link(b, p->href, title);
	buf_str(b, "<g><title>");
	html_text(b, str_from(title));
	svg_hit(b, x, pitch);
	if (p->previous >= 0)
		svg_draw_bar(b, "bars-before", x + pitch * 0.08, pitch * 0.84, p->previous, top);
	svg_draw_bar(b, "bars-now", x + pitch * 0.2, pitch * 0.6, p->value, top);
	if (point_height(p) > top)
		svg_draw_cut(b, x, pitch);
	buf_str(b, p->href != NULL ? "</g></a>" : "</g>");
}

/* Of every so many; the present has its word, in place of what would stand too near to it. */
static void svg_label_points(struct buf *b, const struct svg_point *points, size_t n, double pitch)
{
	const char *now = n > 0 ? points[n - 1].now : NULL;
	const size_t every = svg_label_every(n), last = now == NULL ? n : n - every;

	for (size_t i = 0; i < last; i += every)
		svg_label_bar(b, pitch * (double)i, pitch,
		    points[i].axis != NULL ? points[i].axis : points[i].label);
	if (now != NULL)
		svg_label(b, 100.0, "end", now);
}

void svg_bars(
    struct arena *a, struct buf *b, const char *title, const struct svg_point *points, size_t n)
{
	int64_t *heights = arena_array(a, n + 1, sizeof(*heights)), total = 0, top;
	double pitch = n > 0 ? 100.0 / (double)n : 100.0;
	bool has_links = false;

	for (size_t i = 0; i < n; i++) {
		heights[i] = point_height(&points[i]);
		total += points[i].value;
		has_links = has_links || points[i].href != NULL;
	}
	top = svg_top(heights, n);
	svg_begin(b, title, total, heights[0], has_links);
	for (size_t i = 0; i < n; i++)
		svg_draw_point(a, b, &points[i], pitch * (double)i, pitch, top);
	svg_number_lines(b, total, top);
	svg_label_points(b, points, n, pitch);
	for (size_t i = 0; i < n; i++)
		svg_number_cut(b, pitch * ((double)i + 0.5), point_height(&points[i]), top);
	buf_str(b, "</svg>");
}

/* ---- stacks -------------------------------------------------------------------------------- */

static int64_t svg_stack_height(const struct svg_stack *s)
{
	int64_t sum = 0;

	for (size_t k = 0; k < SVG_PARTS; k++)
		sum += s->values[k];
	return sum;
}

/* The whole of it is drawn in the class of the uppermost part, over that the rest of it in the
 * class of the next, and so on: so each part is seen, however small the others are. Of one that is
 * cut off the parts share what there is. */
static void svg_draw_stack(struct buf *b, const struct svg_part *parts, const struct svg_stack *s,
    double x, double width, int64_t top)
{
	int64_t height = svg_stack_height(s), below = height;

	for (size_t k = SVG_PARTS; k-- > 0;) {
		if (s->values[k] > 0)
			svg_draw_bar(
			    b, parts[k].class, x, width, below, height > top ? height : top);
		below -= s->values[k];
	}
	if (height > top)
		svg_draw_cut(b, x, width);
}

static const char *svg_stack_title(
    struct arena *a, const struct svg_part *parts, const struct svg_stack *s)
{
	const char *text = s->label;

	for (size_t k = 0; k < SVG_PARTS; k++)
		text = arena_printf(a, "%s%s%" PRId64 " %s", text, k == 0 ? ": " : ", ",
		    s->values[k], parts[k].name);
	return text;
}

void svg_stacks(struct arena *a, struct buf *b, const char *title,
    const struct svg_part parts[SVG_PARTS], const struct svg_stack *stacks, size_t n)
{
	int64_t *heights = arena_array(a, n + 1, sizeof(*heights)), total = 0, top;
	double pitch = n > 0 ? 100.0 / (double)n : 100.0;
	bool has_links = false;

	for (size_t i = 0; i < n; i++) {
		heights[i] = svg_stack_height(&stacks[i]);
		total += heights[i];
		has_links = has_links || stacks[i].href != NULL;
	}
	top = svg_top(heights, n);
	svg_begin(b, title, total, heights[0], has_links);
	for (size_t i = 0; i < n; i++) {
		const char *text = svg_stack_title(a, parts, &stacks[i]);
		double x = pitch * (double)i;

		if (stacks[i].href != NULL)
			svg_begin_link(b, stacks[i].href, text);
		buf_str(b, "<g><title>");
		html_text(b, str_from(text));
		svg_hit(b, x, pitch);
		svg_draw_stack(b, parts, &stacks[i], x + pitch * 0.15, pitch * 0.7, top);
		buf_str(b, stacks[i].href != NULL ? "</g></a>" : "</g>");
	}
	svg_number_lines(b, total, top);
	for (size_t i = 0; i < n; i += svg_label_every(n))
		svg_label_bar(b, pitch * (double)i, pitch, stacks[i].axis);
	for (size_t i = 0; i < n; i++)
		svg_number_cut(b, pitch * ((double)i + 0.5), svg_stack_height(&stacks[i]), top);
	buf_str(b, "</svg>");
}
