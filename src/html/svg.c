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
	int64_t max = svg_largest_point(points, n), total = 0;
	int64_t top = max + (max > 1 ? max % 2 : 0); /* so that the middle line has a number */
	double pitch = n > 0 ? 100.0 / (double)n : 100.0;
	size_t every = n <= LABELS_MAX ? 1 : (n + LABELS_MAX - 1) / LABELS_MAX;

	for (size_t i = 0; i < n; i++)
		total += points[i].value;
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
	for (size_t i = 0; i < n; i++) {
		double x = pitch * (double)i;
		buf_str(b, "<g><title>");
		html_text(b, str_from(points[i].label));
		buf_printf(b, ": %" PRId64, points[i].value);
		if (points[i].previous >= 0)
			buf_printf(b, " (before: %" PRId64 ")", points[i].previous);
		buf_printf(b,
		    "</title><rect class=\"bars-hit\" x=\"%.2f%%\" y=\"0\" width=\"%.2f%%\" "
		    "height=\"100%%\"/>",
		    x, pitch);
		if (points[i].previous >= 0)
			svg_draw_bar(b, "bars-before", x + pitch * 0.08, pitch * 0.84,
			    points[i].previous, top);
		svg_draw_bar(b, "bars-now", x + pitch * 0.2, pitch * 0.6, points[i].value, top);
		buf_str(b, "</g>");
	}
	buf_str(b, "</svg>");
	if (total > 0)
		buf_printf(b, "<text class=\"bars-max\" x=\"2\" y=\"20\">%" PRId64 "</text>", top);
	if (total > 0 && top > 1)
		buf_printf(
		    b, "<text x=\"2\" y=\"%d\">%" PRId64 "</text>", 20 + PLOT_HEIGHT / 2, top / 2);
	for (size_t i = 0; i < n; i += every) {
		buf_printf(b, "<text x=\"%.2f%%\" y=\"146\">", pitch * ((double)i + 0.15));
		html_text(b, str_from(points[i].label));
		buf_str(b, "</text>");
	}
	buf_str(b, "</svg>");
}
