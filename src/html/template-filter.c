/* Filters: how a value is written for people. */
#include "html/template-private.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/word.h"
#include "html/html.h"

#define TREE_DEPTH LIMIT_JSON_DEPTH
#define TREE_OPEN_MEMBERS 40 /* containers with more members start closed */

static const struct {
	const char *name;
	enum template_filter filter;
} filters[] = {
    {"time", FILTER_TIME},
    {"seconds", FILTER_SECONDS},
    {"exact", FILTER_EXACT},
    {"date", FILTER_DATE},
    {"ago", FILTER_AGO},
    {"moment", FILTER_MOMENT},
    {"number", FILTER_NUMBER},
    {"bytes", FILTER_BYTES},
    {"duration", FILTER_DURATION},
    {"json", FILTER_JSON},
    {"tree", FILTER_TREE},
    {"details", FILTER_DETAILS},
    {"query", FILTER_QUERY},
    {"words", FILTER_WORDS},
    {"count", FILTER_COUNT},
    {"s", FILTER_S},
    {"ies", FILTER_IES},
    {"breaks", FILTER_BREAKS},
};

bool filter_parse(struct str name, enum template_filter *out)
{
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (str_is(name, filters[i].name)) {
			*out = filters[i].filter;
			return true;
		}
	}
	return false;
}

bool filter_is_markup(enum template_filter f)
{
	return f == FILTER_TIME || f == FILTER_SECONDS || f == FILTER_EXACT || f == FILTER_DATE ||
	       f == FILTER_AGO || f == FILTER_MOMENT || f == FILTER_TREE || f == FILTER_DETAILS ||
	       f == FILTER_BREAKS;
}

static struct str value_string(const json_t *v)
{
	return (struct str){json_string_value(v), json_string_length(v)};
}

static bool number_plain(const json_t *v, struct buf *out)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		buf_add(out, json_string_value(v), json_string_length(v));
		return true;
	case JSON_INTEGER:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return true;
	case JSON_REAL:
		json_append(out, v);
		return true;
	case JSON_TRUE:
		buf_str(out, "true");
		return true;
	case JSON_FALSE:
		buf_str(out, "false");
		return true;
	case JSON_NULL:
		return true;
	default:
		return false;
	}
}

static void number_grouped(int64_t v, struct buf *out)
{
	char digits[24];
	uint64_t u = v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v;
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, u);

	if (v < 0)
		buf_chr(out, '-');
	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			buf_chr(out, ',');
		buf_chr(out, digits[i]);
	}
}

static void bytes_scaled(double v, const char *const *units, size_t n, double step, struct buf *out)
{
	size_t i = 0;

	while (i + 1 < n && v >= step) {
		v /= step;
		i++;
	}
	/* the unit stays at its number */
	buf_printf(out, i == 0 || v >= 100 ? "%.0f\u00a0%s" : "%.1f\u00a0%s", v, units[i]);
}

static const char month_names[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static bool filter_is_day(const json_t *v)
{
	return json_string_length(v) == sizeof("2026-03-07") - 1;
}

/* A value's time, and what the viewer's clock shows then; a bare date is the same day everywhere.
 */
static bool filter_take_time(
    const json_t *v, const struct template_when *when, int64_t *at_us, struct civil *local)
{
	if (!json_is_string(v) || !clock_parse_iso(value_string(v), at_us))
		return false;
	clock_civil(filter_is_day(v) ? *at_us : zone_local_us(when->zone, *at_us), local);
	return true;
}

/* "7 Mar 2026, 14:30", with so many characters of the time of day */
static void filter_time_text(const struct civil *c, int of_day, struct buf *out)
{
	buf_printf(out, "%d %s %04d", c->day, month_names[c->month - 1], c->year);
	if (of_day >= 5)
		buf_printf(out, ", %02d:%02d", c->hour, c->minute);
	if (of_day >= 8)
		buf_printf(out, ":%02d", c->second);
}

/* "2026-03-07 15:30:00 Europe/Berlin, UTC+1": the offset tells twice the same hour apart. */
static void filter_time_title(
    int64_t at_us, const struct civil *c, const struct zone *zone, struct buf *out)
{
	char offset[ZONE_TEXT];

	zone_offset_text(offset, zone, at_us);
	buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d ", c->year, c->month, c->day, c->hour,
	    c->minute, c->second);
	if (zone != NULL)
		buf_printf(out, "%s, ", zone_name(zone));
	buf_str(out, offset);
}

static void filter_clock_text(const struct civil *c, bool with_seconds, struct buf *out)
{
	buf_printf(out, "%02d:%02d", c->hour, c->minute);
	if (with_seconds)
		buf_printf(out, ":%02d", c->second);
}

/* As short as the day allows: "14:30", "Yesterday 14:30", "28 Nov", "28 Nov 2025"; of a bare date
 * "Today". To the second: "14:30:05", "28 Nov 14:30:05". It stays true in a page that stays
 * open. */
static void filter_ago_text(const struct civil *c, bool is_day, bool with_seconds,
    const struct template_when *when, struct buf *out)
{
	static const char *const day_names[] = {"Yesterday", "Today", "Tomorrow"};
	int64_t now_us = zone_local_us(when->zone, when->now_us);
	int32_t days = clock_day(clock_civil_us(c)) - clock_day(now_us);
	struct civil now;

	if (days >= -1 && days <= 1) {
		if (is_day || days != 0)
			buf_str(out, day_names[days + 1]);
		if (!is_day && days != 0)
			buf_chr(out, ' ');
		if (!is_day)
			filter_clock_text(c, with_seconds, out);
		return;
	}
	clock_civil(now_us, &now);
	buf_printf(out, "%d %s", c->day, month_names[c->month - 1]);
	if (c->year != now.year)
		buf_printf(out, " %04d", c->year);
	if (with_seconds && !is_day) {
		buf_chr(out, ' ');
		filter_clock_text(c, true, out);
	}
}

/* What two times of one second differ by: "14:30:05.120". */
static void filter_fraction_text(int64_t at_us, struct buf *out)
{
	const int us = (int)(((at_us % SECOND_US) + SECOND_US) % SECOND_US);

	if (us % 1000 != 0)
		buf_printf(out, ".%06d", us);
	else if (us != 0)
		buf_printf(out, ".%03d", us / 1000);
}

static void filter_time_as(enum template_filter f, int64_t at_us, const struct civil *c,
    bool is_day, const struct template_when *when, struct buf *out)
{
	if (f == FILTER_AGO || f == FILTER_MOMENT)
		filter_ago_text(c, is_day, f == FILTER_MOMENT, when, out);
	else
		filter_time_text(c, is_day || f == FILTER_DATE ? 0 : f == FILTER_TIME ? 5 : 8, out);
	if (f == FILTER_EXACT && !is_day)
		filter_fraction_text(at_us, out);
}

static bool filter_as_time(
    enum template_filter f, const json_t *v, const struct template_when *when, struct buf *out)
{
	struct civil c;
	int64_t at_us;

	if (!filter_take_time(v, when, &at_us, &c))
		return number_plain(v, out);
	filter_time_as(f, at_us, &c, filter_is_day(v), when, out);
	return true;
}

/* Words that programs write small, or as one. */
static const char *const known_words[][2] = {{"id", "ID"}, {"ids", "IDs"}, {"url", "URL"},
    {"sku", "SKU"}, {"firstname", "first name"}, {"lastname", "last name"},
    {"jobtitle", "job title"}, {"dealname", "deal name"}, {"dealstage", "deal stage"},
    {"lifecyclestage", "lifecycle stage"}};

/* Where the word that begins at i ends: at _ . or blank, or where a large letter follows small
 * ones. */
static size_t word_end(struct str s, size_t i)
{
	for (size_t k = i; k < s.n; k++) {
		bool is_hump = k > i && s.p[k] >= 'A' && s.p[k] <= 'Z' && s.p[k - 1] >= 'a' &&
			       s.p[k - 1] <= 'z' && k + 1 < s.n && s.p[k + 1] >= 'a' &&
			       s.p[k + 1] <= 'z';
		if (s.p[k] == '_' || s.p[k] == '.' || s.p[k] == ' ' || is_hump)
			return k;
	}
	return s.n;
}

/* A word as people write it, within a sentence. */
static void word_write(struct str word, bool is_hump, struct buf *out)
{
	for (size_t i = 0; i < sizeof(known_words) / sizeof(known_words[0]); i++)
		if (str_ieq(word, str_from(known_words[i][0]))) {
			buf_str(out, known_words[i][1]);
			return;
		}
	if (is_hump)
		buf_chr(out, (char)(word.p[0] + ('a' - 'A')));
	buf_add(out, word.p + is_hump, word.n - is_hump);
}

/* "lead.processed_at", "processedAt", "lead_id" → "Lead processed at", "Processed at", "Lead ID" */
static bool filter_as_words(const json_t *v, struct buf *out)
{
	size_t begin = out->len, i = 0;
	struct str s;

	if (!json_is_string(v))
		return number_plain(v, out);
	s = value_string(v);
	while (i < s.n) {
		size_t end = word_end(s, i);
		bool is_hump = i > 0 && s.p[i] >= 'A' && s.p[i] <= 'Z' && s.p[i - 1] >= 'a' &&
			       s.p[i - 1] <= 'z';

		if (is_hump)
			buf_chr(out, ' ');
		if (end > i)
			word_write((struct str){s.p + i, end - i}, is_hump, out);
		if (end < s.n && !(s.p[end] >= 'A' && s.p[end] <= 'Z'))
			buf_chr(out, ' '), end++;
		i = end;
	}
	if (out->len > begin && out->p[begin] >= 'a' && out->p[begin] <= 'z')
		out->p[begin] = (char)(out->p[begin] - ('a' - 'A'));
	return true;
}

static bool filter_as_json(const json_t *v, struct buf *out)
{
	json_append_pretty(out, v);
	return true;
}

bool filter_text(
    enum template_filter f, const json_t *v, const struct template_when *when, struct buf *out)
{
	static const char *const byte_units[] = {"B", "kB", "MB", "GB", "TB"};
	static const char *const ms_units[] = {"ms", "s"};

	switch (f) {
	case FILTER_TIME:
	case FILTER_SECONDS:
	case FILTER_EXACT:
	case FILTER_DATE:
	case FILTER_AGO:
	case FILTER_MOMENT:
		return filter_as_time(f, v, when, out);
	case FILTER_NUMBER:
		if (!json_is_integer(v))
			return number_plain(v, out);
		number_grouped(json_integer_value(v), out);
		return true;
	case FILTER_BYTES:
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return number_plain(v, out);
		bytes_scaled((double)json_integer_value(v), byte_units, 5, 1000, out);
		return true;
	case FILTER_DURATION:
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return number_plain(v, out);
		if (json_integer_value(v) < 1000)
			buf_str(out, "under 1 ms");
		else
			bytes_scaled((double)json_integer_value(v) / 1000, ms_units, 2, 1000, out);
		return true;
	case FILTER_WORDS:
		return filter_as_words(v, out);
	case FILTER_JSON:
	case FILTER_TREE:
	case FILTER_DETAILS:
		return filter_as_json(v, out);
	case FILTER_COUNT:
		if (!json_is_array(v) && !json_is_object(v))
			return false;
		number_grouped(
		    (int64_t)(json_is_array(v) ? json_array_size(v) : json_object_size(v)), out);
		return true;
	case FILTER_S:
		buf_str(out, plural_s(json_integer_value(v)));
		return true;
	case FILTER_IES:
		buf_str(out, plural(json_integer_value(v), "y", "ies"));
		return true;
	case FILTER_QUERY: {
		struct buf raw;
		bool ok;
		buf_init(&raw, LIMIT_PAGE_BYTES);
		ok = number_plain(v, &raw);
		html_query(out, (struct str){raw.p, raw.len});
		buf_fini(&raw);
		return ok;
	}
	case FILTER_BREAKS:
	case FILTER_NONE:
		break;
	}
	return number_plain(v, out);
}

static bool filter_time_markup(
    enum template_filter f, const json_t *v, const struct template_when *when, struct buf *out)
{
	struct civil c;
	int64_t at_us;
	char iso[CLOCK_TEXT];

	if (!filter_take_time(v, when, &at_us, &c)) {
		struct buf raw;
		bool ok;
		buf_init(&raw, LIMIT_PAGE_BYTES);
		ok = number_plain(v, &raw);
		html_text(out, (struct str){raw.p, raw.len});
		buf_fini(&raw);
		return ok;
	}
	if (filter_is_day(v)) {
		buf_printf(out, "<time datetime=\"%s\">", json_string_value(v));
	} else {
		/* HTML knows three digits of a second. */
		clock_iso(iso, at_us - (at_us % 1000 + 1000) % 1000);
		buf_printf(out, "<time datetime=\"%s\" title=\"", iso);
		filter_time_title(at_us, &c, when->zone, out);
		buf_str(out, "\">");
	}
	filter_time_as(f, at_us, &c, filter_is_day(v), when, out);
	buf_str(out, "</time>");
	return true;
}

static void tree_scalar(const json_t *v, struct buf *out)
{
	static const char *const classes[] = {[JSON_STRING] = "j-s",
	    [JSON_INTEGER] = "j-n",
	    [JSON_REAL] = "j-n",
	    [JSON_TRUE] = "j-b",
	    [JSON_FALSE] = "j-b",
	    [JSON_NULL] = "j-z"};
	struct buf raw;

	buf_printf(out, "<span class=\"%s\">", classes[json_typeof(v)]);
	if (json_is_null(v)) {
		buf_str(out, "null");
	} else if (json_is_string(v) && json_string_length(v) == 0) {
		buf_str(out, "\"\""); /* or it would pass for a member without a value */
	} else if (json_is_string(v)) {
		html_text(out, value_string(v));
	} else {
		buf_init(&raw, LIMIT_PAGE_BYTES);
		(void)number_plain(v, &raw);
		html_text(out, (struct str){raw.p, raw.len});
		buf_fini(&raw);
	}
	buf_str(out, "</span>");
}

static void tree_node(const char *key, size_t key_n, const json_t *v, int depth, struct buf *out);

static void tree_members(const json_t *v, int depth, struct buf *out)
{
	buf_str(out, "<ul>");
	if (json_is_object(v)) {
		const char *key;
		json_t *member;
		json_object_each((json_t *)v, key, member)
			tree_node(key, strlen(key), member, depth, out);
	} else {
		char number[24];
		for (size_t i = 0; i < json_array_size(v); i++) {
			int n = snprintf(number, sizeof(number), "%zu", i);
			tree_node(number, (size_t)n, json_array_get(v, i), depth, out);
		}
	}
	buf_str(out, "</ul>");
}

/* One member: a line, or for containers a part that folds. */
static void tree_node(const char *key, size_t key_n, const json_t *v, int depth, struct buf *out)
{
	bool is_container = json_is_object(v) || json_is_array(v);
	size_t n = json_is_object(v) ? json_object_size(v) : json_array_size(v);

	buf_str(out, "<li>");
	if (is_container && n > 0 && depth < (int)TREE_DEPTH) {
		buf_str(
		    out, n > TREE_OPEN_MEMBERS ? "<details><summary>" : "<details open><summary>");
		html_text(out, (struct str){key, key_n});
		buf_printf(out, " <span class=\"j-c\">%zu</span></summary>", n);
		tree_members(v, depth + 1, out);
		buf_str(out, "</details>");
	} else {
		buf_str(out, "<b>");
		html_text(out, (struct str){key, key_n});
		buf_str(out, "</b> ");
		if (is_container)
			buf_str(out, json_is_object(v) ? "<span class=\"j-z\">{}</span>"
						       : "<span class=\"j-z\">[]</span>");
		else
			tree_scalar(v, out);
	}
	buf_str(out, "</li>");
}

static bool filter_breaks_markup(const json_t *v, struct buf *out)
{
	struct buf raw;
	bool ok;

	buf_init(&raw, LIMIT_PAGE_BYTES);
	ok = number_plain(v, &raw);
	html_breaks(out, (struct str){raw.p, raw.len});
	buf_fini(&raw);
	return ok;
}

bool filter_markup(
    enum template_filter f, const json_t *v, const struct template_when *when, struct buf *out)
{
	if (f == FILTER_DETAILS)
		return details_write(v, when, out);
	if (f == FILTER_BREAKS)
		return filter_breaks_markup(v, out);
	if (f != FILTER_TREE)
		return filter_time_markup(f, v, when, out);
	buf_str(out, "<div class=\"tree\">");
	if (json_is_object(v) || json_is_array(v))
		tree_members(v, 0, out);
	else
		tree_scalar(v, out);
	buf_str(out, "</div>");
	return true;
}
