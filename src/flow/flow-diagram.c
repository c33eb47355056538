/* A flow as a drawing: steps one below the other, the ways of a branch beside each other. Sizes are
 * in pixels; colours are the style sheet's. */
#include "flow/flow-diagram.h"
#include "base/arena.h"
#include "html/html.h"

#define BOX_WIDTH 184
#define BOX_HEIGHT 44
#define GAP 22      /* between boxes, above each other */
#define BESIDE 16   /* between ways, and at the sides */
#define LABEL 20    /* above a way */
#define LETTERS 19u /* of a title */
#define WORDS 25u   /* of a line, which is smaller */

struct drawing {
	struct buf *b;
	const struct flow_words *w;
};

struct extent {
	int width, height;
};

static struct extent list_extent(const struct flow_list *l);

static size_t ways(const struct flow_step *s)
{
	return s->nlists + (s->on_error_list != NULL);
}

static struct extent step_extent(const struct flow_step *s)
{
	struct extent e = {BOX_WIDTH, BOX_HEIGHT}, all = {0, 0};

	for (size_t i = 0; i < ways(s); i++) {
		struct extent way = list_extent(&s->lists[i]);

		all.width += way.width + (i > 0 ? BESIDE : 0);
		all.height = way.height > all.height ? way.height : all.height;
	}
	if (ways(s) > 0)
		e.height += GAP + LABEL + all.height + GAP;
	e.width = all.width > e.width ? all.width : e.width;
	return e;
}

/* An empty one is as wide as a box, and has a line. */
static struct extent list_extent(const struct flow_list *l)
{
	struct extent e = {BOX_WIDTH, l->n == 0 ? GAP : 0};

	for (size_t i = 0; i < l->n; i++) {
		struct extent s = step_extent(&l->steps[i]);

		e.width = s.width > e.width ? s.width : e.width;
		e.height += s.height + (i > 0 ? GAP : 0);
	}
	return e;
}

static void draw_line(struct drawing *d, int x1, int y1, int x2, int y2)
{
	buf_printf(d->b, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>", x1, y1, x2, y2);
}

static struct str text_cut(struct arena *a, const char *text, size_t most)
{
	struct str s = str_from(text);
	size_t at = 0, n = 0, step;

	while (at < s.n && n < most) {
		(void)utf8_point((struct str){s.p + at, s.n - at}, &step);
		at += step;
		n++;
	}
	return at == s.n ? s : str_from(arena_printf(a, "%.*s…", (int)at, s.p));
}

static void draw_text(
    struct drawing *d, const char *class, int x, int y, const char *text, size_t most)
{
	buf_printf(d->b, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, x, y);
	html_text(d->b, text_cut(d->w->a, text, most));
	buf_str(d->b, "</text>");
}

static void draw_box(
    struct drawing *d, const char *class, int center, int y, const char *title, const char *line)
{
	buf_printf(d->b, "<g class=\"%s\"><title>", class);
	html_text(d->b, str_from(arena_printf(d->w->a, "%s: %s", title, line)));
	buf_printf(d->b, "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\"/>",
	    center - BOX_WIDTH / 2, y, BOX_WIDTH, BOX_HEIGHT);
	draw_text(d, "flow-title", center, y + 18, title, LETTERS);
	draw_text(d, "flow-words", center, y + 34, line, WORDS);
	buf_str(d->b, "</g>");
}

static void draw_list(struct drawing *d, const struct flow_list *l, int center, int y);

/* The ways of a step, between a bar above and one below. */
static void draw_ways(struct drawing *d, const struct flow_step *s, int center, int y)
{
	struct extent all = step_extent(s);
	int top = y + BOX_HEIGHT + GAP / 2, bottom = y + all.height - GAP / 2, x, first = 0,
	    last = 0, width = 0;

	for (size_t i = 0; i < ways(s); i++)
		width += list_extent(&s->lists[i]).width + (i > 0 ? BESIDE : 0);
	x = center - width / 2;
	draw_line(d, center, y + BOX_HEIGHT, center, top);
	for (size_t i = 0; i < ways(s); i++) {
		struct extent way = list_extent(&s->lists[i]);
		int middle = x + way.width / 2, from = top + GAP / 2 + LABEL;

		first = i == 0 ? middle : first;
		last = middle;
		draw_line(d, middle, top, middle, from);
		draw_list(d, &s->lists[i], middle, from);
		draw_line(d, middle, from + way.height, middle, bottom);
		buf_printf(d->b,
		    "<rect class=\"flow-label\" x=\"%d\" y=\"%d\" width=\"%d\" "
		    "height=\"%d\"/>",
		    middle - BOX_WIDTH / 2, top + 4, BOX_WIDTH, LABEL);
		draw_text(d, "flow-words", middle, top + 18, flow_words_of_list(d->w, s, i), WORDS);
		x += way.width + BESIDE;
	}
	draw_line(d, first, top, last, top);
	draw_line(d, first, bottom, last, bottom);
	draw_line(d, center, bottom, center, y + all.height);
}

static void draw_list(struct drawing *d, const struct flow_list *l, int center, int y)
{
	if (l->n == 0)
		draw_line(d, center, y, center, y + GAP);
	for (size_t i = 0; i < l->n; i++) {
		const struct flow_step *s = &l->steps[i];

		if (i > 0) {
			draw_line(d, center, y, center, y + GAP);
			y += GAP;
		}
		if (ways(s) > 0)
			draw_ways(d, s, center, y);
		draw_box(d, s->kind != NULL && ways(s) > 0 ? "flow-box flow-parts" : "flow-box",
		    center, y, flow_words_title(d->w, s), flow_words_of_step(d->w, s));
		y += step_extent(s).height;
	}
}

int flow_diagram(struct buf *b, const struct flow_words *w, const struct flow_plan *plan,
    const char *name, const char *start)
{
	struct extent e = list_extent(&plan->top);
	struct drawing d = {b, w};
	int width = e.width + 2 * BESIDE, center = width / 2,
	    height = BOX_HEIGHT + GAP + e.height + 2 * BESIDE;

	buf_printf(b,
	    "<svg class=\"flow-svg\" role=\"img\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
	    "aria-label=\"",
	    width, height, width, height);
	html_attr(b, str_from(arena_printf(w->a,
			 "%s drawn: %zu step%s. The list of steps says the same in words.", name,
			 plan->nsteps, plural_s(plan->nsteps))));
	buf_str(b, "\">");
	draw_line(&d, center, BESIDE + BOX_HEIGHT, center, BESIDE + BOX_HEIGHT + GAP);
	draw_box(&d, "flow-box flow-start", center, BESIDE, "Start", start);
	draw_list(&d, &plan->top, center, BESIDE + BOX_HEIGHT + GAP);
	buf_str(b, "</svg>");
	return width;
}
