/* HubSpot's search: groups of filters, one order, at most ten thousand rows. */
#include "sandbox/play-hubspot.h"

#define SEARCH_MAX 200
#define SEARCH_END 10000 /* no search gives more rows */

/* Times as milliseconds and numbers as such; false for other texts. */
static bool comparable(const char *text, int64_t *n)
{
	if (text == NULL)
		return false;
	if (str_to_i64(str_from(text), INT64_MIN, INT64_MAX, n))
		return true;
	if (strchr(text, 'T') == NULL || !clock_parse_iso(str_from(text), n))
		return false;
	*n /= 1000;
	return true;
}

static int values_compare(const char *a, const char *b)
{
	int64_t x, y;

	if (comparable(a, &x) && comparable(b, &y))
		return x < y ? -1 : x > y;
	return strcasecmp(a != NULL ? a : "", b != NULL ? b : "");
}

static bool filter_holds(struct arena *a, const json_t *row, const json_t *filter)
{
	const char *op = json_str(filter, "operator"), *name = json_str(filter, "propertyName"),
		   *value = json_scalar_text(a, json_object_get(filter, "value"));
	const char *text = name != NULL ? json_scalar_text(a, hubspot_property(row, name)) : NULL;
	int order;

	if (op == NULL)
		return false;
	if (strcmp(op, "HAS_PROPERTY") == 0)
		return text != NULL && *text != '\0';
	if (text == NULL)
		return strcmp(op, "NOT_HAS_PROPERTY") == 0;
	order = values_compare(text, value);
	return (strcmp(op, "EQ") == 0 && order == 0) || (strcmp(op, "NEQ") == 0 && order != 0) ||
	       (strcmp(op, "GT") == 0 && order > 0) || (strcmp(op, "GTE") == 0 && order >= 0) ||
	       (strcmp(op, "LT") == 0 && order < 0) || (strcmp(op, "LTE") == 0 && order <= 0);
}

/* Any group of which all filters hold; no group: all pass. */
static bool search_passes(const struct play_call *c, const json_t *row, const void *groups)
{
	const json_t *group, *filter;
	size_t i, j;

	json_array_each((const json_t *)groups, i, group) {
		bool holds = true;

		json_array_each(json_object_get(group, "filters"), j, filter)
			holds = holds && filter_holds(c->a, row, filter);
		if (holds)
			return true;
	}
	return json_array_size(groups) == 0;
}

struct hubspot_sorted {
	json_t *row;
	const char *text;
};

static int hubspot_sorted_compare(const void *x, const void *y)
{
	const struct hubspot_sorted *a = x, *b = y;

	return values_compare(a->text, b->text);
}

static json_t *search_sort(struct play_call *c, json_t *rows, const json_t *sort)
{
	const char *name = json_str(sort, "propertyName"), *direction = json_str(sort, "direction");
	const bool is_down = direction != NULL && strcmp(direction, "DESCENDING") == 0;
	const size_t n = json_array_size(rows);
	struct hubspot_sorted *list = arena_array(c->a, n + 1, sizeof(*list));
	json_t *out = json_own(c->a, json_array());

	if (name == NULL)
		return rows;
	for (size_t i = 0; i < n; i++) {
		list[i].row = json_array_get(rows, i);
		list[i].text = json_scalar_text(c->a, hubspot_property(list[i].row, name));
	}
	qsort(list, n, sizeof(*list), hubspot_sorted_compare);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, list[is_down ? n - 1 - i : i].row);
	return out;
}

int hubspot_search(struct play_call *c)
{
	const int64_t after = play_number(c, "after", 0, INT64_MAX),
		      limit = play_number(c, "limit", 10, SEARCH_MAX);
	json_t *rows =
	    play_rows(c, hubspot_kind(c), search_passes, json_object_get(c->body, "filterGroups"));
	struct play_page page;
	json_t *out;

	if (after + limit > SEARCH_END)
		return hubspot_error(c, 400, "VALIDATION_ERROR",
		    "The offset and limit of a search cannot be more than 10000 together");
	rows = search_sort(c, rows, json_array_get(json_object_get(c->body, "sorts"), 0));
	page = play_page(c, rows, after, limit);
	out = json_pack(
	    "{s:I,s:o}", "total", (json_int_t)json_array_size(rows), "results", page.items);
	if (page.next > 0)
		json_set(out, "paging",
		    json_pack("{s:{s:s}}", "next", "after",
			arena_printf(c->a, "%lld", (long long)page.next)));
	return play_json(c, 200, out);
}
