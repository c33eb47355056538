/* Every component of the pages in every state, for those who build pages: what is new is made of
 * these. The template shows them; here is only what they show. */
#include "base/limits.h"
#include "html/chrome.h"
#include "html/svg.h"
#include "product/product.h"

static const char sample_json[] =
    "{\"name\":\"Ada Lovelace\",\"email\":\"ada@example.com\",\"phone\":\"+44 20 7946 0000\","
    "\"status\":\"qualified\",\"amount\":14250.5,\"currency\":\"EUR\",\"vip\":true,"
    "\"createdAt\":\"2026-03-07T14:27:00Z\",\"notes\":\"\",\"owner\":null,"
    "\"address\":{\"city\":\"London\",\"country\":\"UK\"},"
    "\"lines\":[{\"sku\":\"A-1\",\"quantity\":2,\"price\":9.99},"
    "{\"sku\":\"B-2\",\"quantity\":1,\"price\":120}]}";

/* Every status that a chip has a shape for, one of each shape first. */
static const char *const sample_statuses[] = {"success", "pending", "retrying", "partial", "failed",
    "dead", "paused", "skipped", "active", "expired", "queued", "running", "completed", "cancelled",
    "rejected", "duplicate", NULL};

/* Hours of a quiet morning and a busy one, to show what a chart does with both. */
static void styleguide_add_chart(struct req *r, json_t *data)
{
	static const int64_t values[] = {0, 1, 0, 4, 9, 22, 37, 30},
			     before[] = {0, 0, 2, 3, 5, 7, 6, 9};
	struct svg_point points[sizeof(values) / sizeof(values[0])];
	struct buf *chart = buf_new(r->a, LIMIT_PAGE_BYTES);
	json_t *hours = json_array();

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		json_t *hour = json_object();

		points[i] = (struct svg_point){.label = arena_printf(r->a, "%02zu:00", i + 5),
		    .value = values[i],
		    .previous = before[i]};
		points[i].href = values[i] > 0 ? "#chart" : NULL;
		json_set_str(hour, "label", points[i].label);
		json_set_int(hour, "value", values[i]);
		json_set_int(hour, "before", before[i]);
		json_array_append_new(hours, hour);
	}
	svg_bars(r->a, chart, "Events per hour", points, sizeof(points) / sizeof(points[0]));
	json_set_strn(data, "chart_svg", (struct str){chart->p, chart->len});
	json_set(data, "hours", hours);
}

/* One hour that would flatten all others; and bars of parts. */
static void styleguide_add_more_charts(struct req *r, json_t *data)
{
	static const int64_t values[] = {3, 9, 4, 900, 7, 2};
	static const struct svg_part parts[SVG_PARTS] = {
	    {"delivered", "bars-good"}, {"to be tried again", "bars-warn"}, {"failed", "bars-bad"}};
	static const struct svg_stack stacks[] = {{"1 Mar", "1 Mar", {12, 0, 0}, NULL},
	    {"2 Mar", "2 Mar", {9, 3, 1}, NULL}, {"3 Mar", "3 Mar", {4, 0, 6}, NULL}};
	struct svg_point points[sizeof(values) / sizeof(values[0])];
	struct buf *peak = buf_new(r->a, LIMIT_PAGE_BYTES),
		   *stack = buf_new(r->a, LIMIT_PAGE_BYTES);
	const size_t n = sizeof(values) / sizeof(values[0]);

	for (size_t i = 0; i < n; i++)
		points[i] = (struct svg_point){.label = arena_printf(r->a, "%02zu:00", i + 5),
		    .value = values[i],
		    .previous = -1,
		    .now = i == n - 1 ? "now" : NULL};
	svg_bars(r->a, peak, "With a peak", points, n);
	svg_stacks(r->a, stack, "Bars of parts", parts, stacks, sizeof(stacks) / sizeof(stacks[0]));
	json_set_strn(data, "peak_svg", (struct str){peak->p, peak->len});
	json_set_strn(data, "stack_svg", (struct str){stack->p, stack->len});
}

int product_page_styleguide(struct req *r)
{
	json_t *data = json_object(), *statuses = json_array(), *sample;
	struct err err = ERR_INIT;

	for (const char *const *s = sample_statuses; *s != NULL; s++)
		json_array_append_new(statuses, json_string(*s));
	json_set(data, "statuses", statuses);
	styleguide_add_chart(r, data);
	styleguide_add_more_charts(r, data);
	sample = json_parse(r->a, str_from(sample_json), &err);
	json_set(data, "sample", sample != NULL ? json_incref(sample) : json_null());
	return chrome_page(r, 200, NULL, "Style guide", "product/styleguide", data);
}
