/* A cron expression is five sets. The next time is looked for in the time that the clock shows,
 * piece by piece: within a piece the clock is not changed, so there it is plain calendar.
 *
 *	── piece ──┤ change ├── piece ──┤ change ├── …
 */
#include "base/cron.h"

#include <string.h>
#include <strings.h>

#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAYS_MOST (41 * 366) /* 29 February on one day of the week comes within 40 years */
/* Nothing of a change reaches further than this behind it. */
#define CHANGE_REACH_US (26 * HOUR_US)
/* Changes that lie closer together than this are taken for one. */
#define CHANGE_STEP_US (12 * HOUR_US)

/* ---- reading --------------------------------------------------------------------------------- */

struct cron_field {
	const char *name;
	int least, most;
	const char *const *words; /* three letters each, from `least` on */
};
enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const char *const month_words[] = {
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const struct cron_field cron_fields[FIELDS] = {{"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL}, {"day of the month", 1, 31, NULL}, {"month", 1, 12, month_words},
    {"day of the week", 0, 7, weekday_words}};

static const struct {
	const char *name, *text;
} cron_names[] = {{"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"}, {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"}};

static int field_fail(const struct cron_field *f, struct str part, const char *why, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s: \"%.*s\" %s", f->name, (int)part.n, part.p, why);
}

static int value_read(const struct cron_field *f, struct str s, int *out, struct err *err)
{
	int64_t v;

	for (int i = 0; s.n == 3 && f->words != NULL && f->words[i] != NULL; i++)
		if (strncasecmp(f->words[i], s.p, 3) == 0) {
			*out = f->least + i;
			return 0;
		}
	if (!str_to_i64(s, 0, INT64_MAX, &v))
		return field_fail(
		    f, s, f->words == NULL ? "is no number" : "is no number or name", err);
	if (v < f->least || v > f->most)
		return err_set(err, ERR_INVALID, "%s: %lld is not between %d and %d", f->name,
		    (long long)v, f->least, f->most);
	*out = (int)v;
	return 0;
}

/* Without its "/step" at the end; *step is 1 where there is none. */
static int step_read(const struct cron_field *f, struct str *part, int *step, struct err *err)
{
	const char *slash = memchr(part->p, '/', part->n);
	struct str text;
	int64_t v;

	*step = 1;
	if (slash == NULL)
		return 0;
	text = (struct str){slash + 1, (size_t)(part->p + part->n - slash - 1)};
	if (!str_to_i64(text, 1, 1000, &v))
		return field_fail(f, *part, "has no step behind its /", err);
	*step = (int)v;
	part->n = (size_t)(slash - part->p);
	return 0;
}

/* A star, a value or a range, with a step or without. */
static int part_read(const struct cron_field *f, struct str part, uint64_t *set, struct err *err)
{
	struct str whole = part, from;
	const char *dash;
	int least, most, step;

	if (step_read(f, &part, &step, err) == -1)
		return -1;
	dash = memchr(part.p, '-', part.n);
	if (str_is(part, "*")) {
		least = f->least;
		most = f->most;
	} else if (dash != NULL) {
		from = (struct str){part.p, (size_t)(dash - part.p)};
		part = (struct str){dash + 1, part.n - from.n - 1};
		if (value_read(f, from, &least, err) == -1 || value_read(f, part, &most, err) == -1)
			return -1;
		if (least > most)
			return field_fail(f, whole, "ends before it begins", err);
	} else {
		if (value_read(f, part, &least, err) == -1)
			return -1;
		if (part.n < whole.n)
			return field_fail(
			    f, whole, "has a step without a range, such as 0-30/10", err);
		most = least;
	}
	for (int v = least; v <= most; v += step)
		*set |= UINT64_C(1) << v;
	return 0;
}

static int field_read(const struct cron_field *f, struct str text, uint64_t *set, struct err *err)
{
	struct str part;

	*set = 0;
	if (text.p[text.n - 1] == ',')
		return field_fail(f, text, "ends with a comma", err);
	while (str_split(&text, ',', &part)) {
		if (part.n == 0)
			return field_fail(f, part, "is empty", err);
		if (part_read(f, part, set, err) == -1)
			return -1;
	}
	return 0;
}

static int name_read(struct str *text, struct err *err)
{
	for (size_t i = 0; i < sizeof(cron_names) / sizeof(*cron_names); i++)
		if (strlen(cron_names[i].name) == text->n &&
		    strncasecmp(cron_names[i].name, text->p, text->n) == 0) {
			*text = str_from(cron_names[i].text);
			return 0;
		}
	return err_set(err, ERR_INVALID,
	    "\"%.*s\" is none of @hourly, @daily, @weekly, @monthly and @yearly", (int)text->n,
	    text->p);
}

/* Words with blanks between them: how many there are, the first FIELDS of them in out. */
static size_t words_read(struct str text, struct str out[FIELDS])
{
	size_t n = 0;

	for (size_t i = 0; i < text.n;) {
		size_t from = i;

		while (i < text.n && text.p[i] != ' ' && text.p[i] != '\t')
			i++;
		if (i > from && n++ < FIELDS)
			out[n - 1] = (struct str){text.p + from, i - from};
		i += i == from;
	}
	return n;
}

int cron_parse(struct str text, struct cron *out, struct err *err)
{
	struct str words[FIELDS];
	uint64_t sets[FIELDS];
	size_t n;

	text = str_trim(text);
	if (text.n > CRON_BYTES)
		return err_set(err, ERR_INVALID, "has more than %u characters", CRON_BYTES);
	if (text.n > 0 && text.p[0] == '@' && name_read(&text, err) == -1)
		return -1;
	n = words_read(text, words);
	if (n != FIELDS)
		return err_set(err, ERR_INVALID,
		    "has %zu fields, not the five: minute, hour, day of the month, month, day of "
		    "the "
		    "week",
		    n);
	for (size_t i = 0; i < FIELDS; i++)
		if (field_read(&cron_fields[i], words[i], &sets[i], err) == -1)
			return -1;
	*out = (struct cron){.minutes = sets[MINUTE],
	    .hours = (uint32_t)sets[HOUR],
	    .days = (uint32_t)sets[DAY],
	    .months = (uint16_t)sets[MONTH],
	    .weekdays = (uint8_t)((sets[WEEKDAY] | sets[WEEKDAY] >> 7) & 0x7f),
	    .has_any_day = words[DAY].p[0] == '*',
	    .has_any_weekday = words[WEEKDAY].p[0] == '*',
	    .is_of_day = words[MINUTE].p[0] != '*' && words[HOUR].p[0] != '*'};
	return 0;
}

/* ---- the calendar ---------------------------------------------------------------------------- */

static int64_t floor_to(int64_t v, int64_t unit)
{
	int64_t rest = v % unit;

	return v - (rest < 0 ? rest + unit : rest);
}

static int64_t ceil_to(int64_t v, int64_t unit)
{
	return -floor_to(-v, unit);
}

static bool cron_has_day(const struct cron *c, const struct civil *at, int64_t day)
{
	bool fits_day = (c->days >> at->day & 1) != 0;
	/* 1970-01-01 was a Thursday */
	bool fits_weekday = (c->weekdays >> ((day % 7 + 11) % 7) & 1) != 0;

	if ((c->months >> at->month & 1) == 0)
		return false;
	return c->has_any_day || c->has_any_weekday ? fits_day && fits_weekday
						    : fits_day || fits_weekday;
}

/* The first minute of that day that fits, not before so many: -1 there is none. */
static int cron_minute_of_day(const struct cron *c, int from)
{
	for (int hour = from / 60; hour < 24; hour++) {
		if ((c->hours >> hour & 1) == 0)
			continue;
		for (int minute = hour == from / 60 ? from % 60 : 0; minute < 60; minute++)
			if ((c->minutes >> minute & 1) != 0)
				return hour * 60 + minute;
	}
	return -1;
}

/* The first time on the clock from that one on, as if it were UTC. */
static bool cron_next_local(const struct cron *c, int64_t from_us, int64_t *out)
{
	int64_t from = ceil_to(from_us, MINUTE_US), day = floor_to(from, DAY_US) / DAY_US;
	int minute = (int)((from - day * DAY_US) / MINUTE_US);

	for (int i = 0; i < DAYS_MOST; i++, day++, minute = 0) {
		struct civil at;
		int found;

		clock_civil(day * DAY_US, &at);
		if (!cron_has_day(c, &at, day))
			continue;
		found = cron_minute_of_day(c, minute);
		if (found != -1) {
			*out = day * DAY_US + found * MINUTE_US;
			return true;
		}
	}
	return false;
}

/* ---- the clock ------------------------------------------------------------------------------- */

/* When it is changed after from, up to until: false where it is not. */
static bool clock_change(const struct zone *z, int64_t from_us, int64_t until_us, int64_t *out)
{
	int32_t offset_s = zone_offset_s(z, from_us);

	if (z == NULL)
		return false;
	for (int64_t low = from_us; low < until_us; low += CHANGE_STEP_US) {
		int64_t high = low + CHANGE_STEP_US < until_us ? low + CHANGE_STEP_US : until_us;

		if (zone_offset_s(z, high) == offset_s)
			continue;
		while (high - low > 1) {
			int64_t mid = low + (high - low) / 2;

			if (zone_offset_s(z, mid) == offset_s)
				low = mid;
			else
				high = mid;
		}
		*out = high;
		return true;
	}
	return false;
}

/* Of what is told by the time of day: the clock shows nothing before this that would be new. */
static int64_t change_least(const struct cron *c, int64_t at_us, int32_t before_s, int32_t after_s)
{
	return at_us + (c->is_of_day && before_s > after_s ? before_s : after_s) * SECOND_US;
}

/* Is something due at the moment of the change, since it lies in what it leaves out? */
static bool change_leaves_out(
    const struct cron *c, int64_t at_us, int32_t before_s, int32_t after_s)
{
	int64_t first;

	return c->is_of_day && before_s < after_s &&
	       cron_next_local(c, at_us + before_s * SECOND_US, &first) &&
	       first < at_us + after_s * SECOND_US;
}

bool cron_next(const struct cron *c, const struct zone *z, int64_t after_us, int64_t *due_us)
{
	int64_t from_us = after_us + 1, change_us, local_us;

	/* a change shortly before may still have its say */
	if (clock_change(z, from_us - CHANGE_REACH_US, from_us, &change_us))
		from_us -= CHANGE_REACH_US;
	local_us = zone_local_us(z, from_us);
	for (;;) {
		int32_t before_s = zone_offset_s(z, from_us), after_s;

		if (!cron_next_local(c, local_us, &local_us))
			return false;
		*due_us = local_us - before_s * SECOND_US;
		if (!clock_change(z, from_us, *due_us, &change_us)) {
			if (*due_us > after_us)
				return true;
			local_us += MINUTE_US;
			continue;
		}
		after_s = zone_offset_s(z, change_us);
		from_us = change_us;
		local_us = change_least(c, change_us, before_s, after_s);
		if (change_us > after_us && change_leaves_out(c, change_us, before_s, after_s)) {
			*due_us = ceil_to(change_us, MINUTE_US);
			return true;
		}
	}
}
