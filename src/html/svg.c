/* Charts as SVG text. Geometry is in per cent of the box, so that text keeps its size at any width.
 */
#include "html/svg.h"

#include <inttypes.h>

#include "html/html.h"

#define PLOT_HEIGHT 120 /* of 150: labels stand below */
#define LABELS_MAX 6

static int64_t svg_largest_point(const struct svg_point *points, size_t n)
{
	int64_t max = 1;

	for (size_t i = 0; i < n; i++) {
		max = points[i].value > max ? points[i].value : max;
		max = points[i].previous > max ? points[i].previous : max;
	}
	return max;
}

/* The box, its lines, and the frame in which bars are drawn in per cent. */
static void svg_begin(struct buf *b, const char *title, int64_t total, int64_t max)
{
	buf_str(b, "<svg class=\"bars\" role=\"img\" width=\"100%\" height=\"150\" aria-label=\"");
	html_attr(b, str_from(title));
	buf_printf(b, ": %" PRId64 " in all, at most %" PRId64 "\">", total,
	    total == 0 ? INT64_C(0) : max);
	buf_printf(b,
	    "<line class=\"bars-grid\" x1=\"0\" x2=\"100%%\" y1=\"8\" y2=\"8\"/>"
	    "<line class=\"bars-grid\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>"
	    "<line class=\"bars-axis\" x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\"/>",
	    8 + PLOT_HEIGHT / 2, 8 + PLOT_HEIGHT / 2, 8 + PLOT_HEIGHT, 8 + PLOT_HEIGHT);
	buf_printf(b, "<svg y=\"8\" width=\"100%%\" height=\"%d\">", PLOT_HEIGHT);
}

/* What stands at the upper line, so that the middle one has a number. */
static int64_t svg_top(int64_t max)
{
	return max + (max > 1 ? max % 2 : 0);
}

static void svg_number_lines(struct buf *b, int64_t total, int64_t top)
{
	buf_str(b, "</svg>");
	if (total > 0)
		buf_printf(b, "<text class=\"bars-max\" x=\"2\" y=\"20\">%" PRId64 "</text>", top);
	if (total > 0 && top > 1)
		buf_printf(
		    b, "<text x=\"2\" y=\"%d\">%" PRId64 "</text>", 20 + PLOT_HEIGHT / 2, top / 2);
}

/* Below every so many bars. */
static size_t svg_label_every(size_t n)
{
	return n <= LABELS_MAX ? 1 : (n + LABELS_MAX - 1) / LABELS_MAX;
}

static void svg_label(struct buf *b, double x, const char *label)
{
	buf_printf(b, "<text x=\"%.2f%%\" y=\"146\">", x);
	html_text(b, str_from(label));
	buf_str(b, "</text>");
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
    struct buf *b, const char *class, double x, double width, int64_t value, int64_t max)
{
	double height = 100.0 * (double)value / (double)max;

	if (value <= 0)
		return;
	if (height < 1.5)
		height = 1.5; /* something is not nothing */
	buf_printf(b,
	    "<rect class=\"%s\" x=\"%.2f%%\" y=\"%.2f%%\" width=\"%.2f%%\" height=\"%.2f%%\" "
	    "rx=\"2\"/>",
	    class, x, 100.0 - height, width, height);
}

void svg_bars(struct buf *b, const char *title, const struct svg_point *points, size_t n)
{
	int64_t max = svg_largest_point(points, n), top = svg_top(max), total = 0;
	double pitch = n > 0 ? 100.0 / (double)n : 100.0;

	for (size_t i = 0; i < n; i++)
		total += points[i].value;
	svg_begin(b, title, total, max);
	for (size_t i = 0; i < n; i++) {
		double x = pitch * (double)i;
		buf_str(b, "<g><title>");
		html_text(b, str_from(points[i].label));
		buf_printf(b, ": %" PRId64, points[i].value);
		if (points[i].previous >= 0)
			buf_printf(b, " (before: %" PRId64 ")", points[i].previous);
		svg_hit(b, x, pitch);
		if (points[i].previous >= 0)
			svg_draw_bar(b, "bars-before", x + pitch * 0.08, pitch * 0.84,
			    points[i].previous, top);
		svg_draw_bar(b, "bars-now", x + pitch * 0.2, pitch * 0.6, points[i].value, top);
		buf_str(b, "</g>");
	}
	svg_number_lines(b, total, top);
	for (size_t i = 0; i < n; i += svg_label_every(n))
		svg_label(b, pitch * ((double)i + 0.15),
		    points[i].axis != NULL ? points[i].axis : points[i].label);
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
 * class of the next, and so on: so each part is seen, however small the others are. */
static void svg_draw_stack(struct buf *b, const struct svg_part *parts, const struct svg_stack *s,
    double x, double width, int64_t top)
{
	int64_t below = svg_stack_height(s);

	for (size_t k = SVG_PARTS; k-- > 0;) {
		if (s->values[k] > 0)
			svg_draw_bar(b, parts[k].class, x, width, below, top);
		below -= s->values[k];
	}
}

void svg_stacks(struct buf *b, const char *title, const struct svg_part parts[SVG_PARTS],
    const struct svg_stack *stacks, size_t n)
{
	int64_t max = 1, total = 0, top;
	double pitch = n > 0 ? 100.0 / (double)n : 100.0;

	for (size_t i = 0; i < n; i++) {
		int64_t height = svg_stack_height(&stacks[i]);

		max = height > max ? height : max;
		total += height;
	}
	top = svg_top(max);
	svg_begin(b, title, total, max);
	for (size_t i = 0; i < n; i++) {
		double x = pitch * (double)i;

		buf_str(b, "<g><title>");
		html_text(b, str_from(stacks[i].label));
		for (size_t k = 0; k < SVG_PARTS; k++)
			buf_printf(b, "%s%" PRId64 " %s", k == 0 ? ": " : ", ", stacks[i].values[k],
			    parts[k].name);
		svg_hit(b, x, pitch);
		svg_draw_stack(b, parts, &stacks[i], x + pitch * 0.15, pitch * 0.7, top);
		buf_str(b, "</g>");
	}
	svg_number_lines(b, total, top);
	for (size_t i = 0; i < n; i += svg_label_every(n))
		svg_label(b, pitch * ((double)i + 0.15), stacks[i].axis);
	buf_str(b, "</svg>");
}
