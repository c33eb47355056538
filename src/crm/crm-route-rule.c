/* One destination's routing: read, in words, and its hours. */
#include "crm/crm-route.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/zone.h"
#include "expr/expr-transforms.h"

#define WHEN_MOST 50
#define WORDS_BYTES 300u

const char *const route_modes[] = {"all", "first", "weighted", NULL};
const char *const route_days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};
static const char *const route_otherwise[] = {"wait", "skip", NULL};

static const struct expr_root route_roots[] = {{"", ROUTE_LEAD, NULL, lead_place_fields}};

struct loader route_loader(struct arena *a, struct err *err)
{
	static struct expr_language language = {
	    .syntax = EXPR_SINGLE_BRACES, .roots = route_roots, .nroots = 1};

	language.functions = expr_transforms();
	return (struct loader){
	    .in = {.err = err}, .a = a, .language = &language, .roots = EXPR_ROOT_BIT(ROUTE_LEAD)};
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void words_add_values(struct buf *b, struct arena *a, const json_t *v)
{
	const json_t *one;
	size_t i;

	if (!json_is_array(v)) {
		const char *text = json_scalar_text(a, v);

		buf_str(b, text == NULL ? "" : text);
		return;
	}
	json_array_each(v, i, one)
		buf_printf(b, "%s%s", i > 0 ? ", " : "",
		    json_scalar_text(a, one) == NULL ? "" : json_scalar_text(a, one));
}

static void words_add(struct buf *b, struct arena *a, const json_t *cond);

static void words_add_list(struct buf *b, struct arena *a, const json_t *list, const char *joint)
{
	const json_t *one;
	size_t i;

	json_array_each(list, i, one) {
		buf_str(b, i > 0 ? joint : "");
		words_add(b, a, one);
	}
}

static void words_add(struct buf *b, struct arena *a, const json_t *cond)
{
	static const struct {
		const char *key, *words;
	} tests[] = {{"equals", "is"}, {"in", "is one of"}, {"startsWith", "begins with"},
	    {"endsWith", "ends with"}};
	const char *ref = json_str(cond, "ref");

	if (json_is_array(cond))
		return words_add_list(b, a, cond, " and ");
	if (json_object_get(cond, "all") != NULL)
		return words_add_list(b, a, json_object_get(cond, "all"), " and ");
	if (json_object_get(cond, "any") != NULL)
		return words_add_list(b, a, json_object_get(cond, "any"), " or ");
	if (json_object_get(cond, "not") != NULL) {
		buf_str(b, "not: ");
		return words_add(b, a, json_object_get(cond, "not"));
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (json_object_get(cond, tests[i].key) != NULL) {
			buf_printf(b, "%s %s ", ref == NULL ? "" : ref, tests[i].words);
			words_add_values(b, a, json_object_get(cond, tests[i].key));
			return;
		}
	buf_printf(
	    b, "%s is %sthere", ref == NULL ? "" : ref, json_bool(cond, "exists") ? "" : "not ");
}

const char *route_words(struct arena *a, const json_t *cond)
{
	struct buf *b = buf_new(a, WORDS_BYTES);

	words_add(b, a, cond);
	return buf_ok(b) ? b->p : "its condition";
}

static int when_compile(struct loader *l, const json_t *list, struct lead_route *out)
{
	static const char *const keys[] = {"source", "if", NULL};
	size_t mark = json_reader_enter(&l->in, "when"), i;
	const json_t *v;

	if (!json_is_array(list) || json_array_size(list) > WHEN_MOST)
		return json_reader_fail(&l->in, "must be a list of at most %d", WHEN_MOST);
	out->when = arena_zalloc(l->a, (json_array_size(list) + 1) * sizeof(*out->when));
	json_array_each(list, i, v) {
		size_t at = json_reader_enter_index(&l->in, i);
		const json_t *source = json_object_get(v, "source"),
			     *cond = json_object_get(v, "if");

		if (json_read_keys(&l->in, v, keys) == -1)
			return -1;
		if (source != NULL && !json_is_null(source) && !json_is_string(source))
			return json_reader_fail_at(
			    &l->in, "source", "must be the name of a provider");
		if (cond != NULL && !json_is_null(cond) &&
		    cond_member(l, v, "if", &out->when[i].cond) == -1)
			return -1;
		out->when[i].source = arena_strdup(l->a, json_string_value(source));
		out->when[i].words = out->when[i].cond == NULL ? NULL : route_words(l->a, cond);
		out->nwhen++;
		json_reader_leave(&l->in, at);
	}
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- hours ----------------------------------------------------------------------------------- */

static bool minutes_parse(struct str text, void *out)
{
	int64_t h, m;

	if (text.n != 5 || text.p[2] != ':' || !str_to_i64((struct str){text.p, 2}, 0, 24, &h) ||
	    !str_to_i64((struct str){text.p + 3, 2}, 0, 59, &m) || h * 60 + m > 24 * 60)
		return false;
	*(int *)out = (int)(h * 60 + m);
	return true;
}

struct hours_members {
	struct str zone;
	json_t *days;
	int from, to;
	const char *outside;
};
static const struct json_member hours_members[] = {
    {"zone", READ_TEXT, JSON_INTO(struct hours_members, zone), READ_NEEDED, .min = 1, .max = 64},
    {"days", READ_LIST, JSON_INTO(struct hours_members, days), READ_NEEDED, .min = 1, .max = 7},
    {"from", READ_PARSED, JSON_INTO(struct hours_members, from), READ_NEEDED,
	.parse = minutes_parse, .rule = "must be a time, such as 09:00"},
    {"to", READ_PARSED, JSON_INTO(struct hours_members, to), READ_NEEDED, .parse = minutes_parse,
	.rule = "must be a time, such as 18:00"},
    {"outside", READ_WORD, JSON_INTO(struct hours_members, outside), .words = route_otherwise}};

static int hours_take_days(struct loader *l, const json_t *days, struct lead_route *out)
{
	const json_t *v;
	size_t i, k;

	json_array_each(days, i, v) {
		for (k = 0; route_days[k] != NULL; k++)
			if (json_is_string(v) && strcmp(json_string_value(v), route_days[k]) == 0)
				break;
		if (route_days[k] == NULL)
			return json_reader_fail_at(
			    &l->in, "days", "must be some of mon, tue, wed, thu, fri, sat, sun");
		out->hours.days |= 1u << k;
	}
	return 0;
}

static int hours_compile(struct loader *l, const json_t *v, struct lead_route *out)
{
	struct hours_members m = {.outside = "wait"};
	size_t mark = json_reader_enter(&l->in, "hours");

	if (json_read_members(&l->in, v, JSON_MEMBERS(hours_members), &m) == -1 ||
	    hours_take_days(l, m.days, out) == -1)
		return -1;
	if (!zone_is_known(m.zone))
		return json_reader_fail_at(
		    &l->in, "zone", "must be a time zone, such as Europe/Berlin");
	out->hours.is_set = true;
	out->hours.zone = zone_find(m.zone);
	out->hours.from = m.from;
	out->hours.to = m.to;
	out->hours.waits = strcmp(m.outside, "wait") == 0;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* 1970-01-01 was a Thursday. */
static unsigned day_bit(int32_t day)
{
	return 1u << ((((int64_t)day + 3) % 7 + 7) % 7);
}

bool route_is_open(const struct lead_route *r, int64_t at_us)
{
	int64_t local = zone_local_us(r->hours.zone, at_us);
	int32_t day = clock_day(local);
	int minute = (int)((local - day * DAY_US) / (60 * SECOND_US));
	bool is_over_midnight = r->hours.to <= r->hours.from;

	if (!r->hours.is_set)
		return true;
	if (minute >= r->hours.from && (is_over_midnight || minute < r->hours.to) &&
	    (r->hours.days & day_bit(day)) != 0)
		return true;
	return is_over_midnight && minute < r->hours.to && (r->hours.days & day_bit(day - 1)) != 0;
}

int64_t route_next_open_us(const struct lead_route *r, int64_t at_us)
{
	int32_t today = clock_day(zone_local_us(r->hours.zone, at_us));

	if (route_is_open(r, at_us))
		return at_us;
	for (int32_t day = today; day <= today + 8; day++) {
		int64_t opens =
		    zone_instant_us(r->hours.zone, day * DAY_US + r->hours.from * 60 * SECOND_US);

		if ((r->hours.days & day_bit(day)) != 0 && opens > at_us)
			return opens;
	}
	return at_us; /* some day is set, so this is not reached */
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int cap_compile(struct loader *l, const json_t *v, struct lead_route *out)
{
	struct cap_members {
		int64_t limit;
		const char *over;
	} m = {0, "wait"};
	static const struct json_member members[] = {
	    {"limit", READ_INT, .offset = 0, READ_NEEDED, .min = 1, .max = 1000000},
	    {"over", READ_WORD, .offset = sizeof(int64_t), .words = route_otherwise}};
	size_t mark = json_reader_enter(&l->in, "cap");

	if (json_read_members(&l->in, v, JSON_MEMBERS(members), &m) == -1)
		return -1;
	out->limit = m.limit;
	out->cap_waits = strcmp(m.over, "wait") == 0;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int group_compile(struct loader *l, const json_t *v, struct lead_route *out)
{
	const char *mode = json_str(v, "mode");

	out->group = arena_strdup(l->a, json_str(v, "name"));
	out->weight = json_int(v, "weight");
	out->place = json_int(v, "place");
	for (size_t i = 0; route_modes[i] != NULL; i++)
		if (mode != NULL && strcmp(mode, route_modes[i]) == 0)
			out->mode = (enum route_mode)i;
	return 0;
}

static bool is_given(const json_t *v)
{
	return v != NULL && !json_is_null(v);
}

int route_compile(struct loader *l, const json_t *v, struct lead_route *out)
{
	const json_t *when = json_object_get(v, "when"), *hours = json_object_get(v, "hours"),
		     *cap = json_object_get(v, "cap"), *group = json_object_get(v, "group");

	if ((is_given(when) && when_compile(l, when, out) == -1) ||
	    (is_given(hours) && hours_compile(l, hours, out) == -1) ||
	    (is_given(cap) && cap_compile(l, cap, out) == -1) ||
	    (is_given(group) && group_compile(l, group, out) == -1))
		return -1;
	return 0;
}
