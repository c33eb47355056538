/* A file of the tz database (RFC 8536, version 2 and later):
 *
 *	header, times of 32 bits        skipped
 *	header                          how many of each
 *	times of 64 bits                when the offset changes
 *	a type for each                 to which
 *	types                           offset, is it summer time, name
 *	names, leap seconds, flags      not needed
 *	a line: the rule                what holds after the last of the times (POSIX TZ)
 *
 * Before the first time the first type holds. A rule names the days of two changes a year; it is
 * worked out for the year in question. */
#include "base/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"

#define ZONE_DIR "/usr/share/zoneinfo"
#define ZONE_FILE_BYTES (64u * 1024u)
#define ZONE_LIST_BYTES (256u * 1024u)
#define ZONES_MOST 2000u /* of a process; the database has some 600 names */
#define HEADER_BYTES 44u
#define HOUR_S 3600
#define DAY_S 86400
#define OFFSET_MOST_S (26 * HOUR_S)

enum rule_kind { RULE_MONTH, RULE_JULIAN, RULE_DAY };
/* "M10.5.0/3": the day of the year, and the time of that day. */
struct rule_change {
	enum rule_kind kind;
	int month, week, day;
	int32_t at_s;
};
struct zone_rule {
	bool is_given, has_summer;
	int32_t offset_s, summer_s;
	struct rule_change begin, end; /* of summer time */
};
struct zone {
	const char *name;
	size_t n;
	const int64_t *at_s;    /* when, growing */
	const int32_t *to_s;    /* the offset from then on */
	int32_t first_offset_s; /* before all of them */
	struct zone_rule rule;
};

/* ---- the rule ------------------------------------------------------------------------------ */

static bool rule_take(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool rule_number(struct str *s, int most, int *out)
{
	size_t digits = 0;

	for (*out = 0; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9' && digits < 4; digits++) {
		*out = *out * 10 + (s->p[0] - '0');
		s->p++;
		s->n--;
	}
	return digits > 0 && *out <= most;
}

/* "CET" or "<+0530>" */
static bool rule_name(struct str *s)
{
	bool is_quoted = rule_take(s, '<');
	size_t n = 0;

	while (s->n > 0 && (is_quoted ? s->p[0] != '>'
				      : (s->p[0] >= 'A' && s->p[0] <= 'Z') ||
					    (s->p[0] >= 'a' && s->p[0] <= 'z'))) {
		s->p++;
		s->n--;
		n++;
	}
	return n >= 3 && (!is_quoted || rule_take(s, '>'));
}

/* "-1", "+5:45", "167:30:00" */
static bool rule_time(struct str *s, int hours_most, int32_t *out_s)
{
	bool is_negative = rule_take(s, '-');
	int hours, minutes = 0, seconds = 0;

	if (!is_negative)
		rule_take(s, '+');
	if (!rule_number(s, hours_most, &hours))
		return false;
	if (rule_take(s, ':') &&
	    (!rule_number(s, 59, &minutes) || (rule_take(s, ':') && !rule_number(s, 59, &seconds))))
		return false;
	*out_s = (hours * HOUR_S + minutes * 60 + seconds) * (is_negative ? -1 : 1);
	return true;
}

static bool rule_change_parse(struct str *s, struct rule_change *c)
{
	bool is_good;

	*c = (struct rule_change){.kind = RULE_DAY, .at_s = 2 * HOUR_S};
	if (rule_take(s, 'M')) {
		c->kind = RULE_MONTH;
		is_good = rule_number(s, 12, &c->month) && rule_take(s, '.') &&
			  rule_number(s, 5, &c->week) && rule_take(s, '.') &&
			  rule_number(s, 6, &c->day) && c->month >= 1 && c->week >= 1;
	} else {
		if (rule_take(s, 'J'))
			c->kind = RULE_JULIAN;
		is_good = rule_number(s, 365, &c->day) && (c->kind == RULE_DAY || c->day >= 1);
	}
	return is_good && (!rule_take(s, '/') || rule_time(s, 167, &c->at_s));
}

/* POSIX counts offsets to the west. */
static bool rule_parse(struct str s, struct zone_rule *rule)
{
	*rule = (struct zone_rule){.is_given = true};
	if (!rule_name(&s) || !rule_time(&s, 24, &rule->offset_s))
		return false;
	rule->offset_s = -rule->offset_s;
	if (s.n == 0)
		return true;
	rule->has_summer = true;
	rule->summer_s = rule->offset_s + HOUR_S;
	if (!rule_name(&s))
		return false;
	if (s.n > 0 && s.p[0] != ',') {
		if (!rule_time(&s, 24, &rule->summer_s))
			return false;
		rule->summer_s = -rule->summer_s;
	}
	return rule_take(&s, ',') && rule_change_parse(&s, &rule->begin) && rule_take(&s, ',') &&
	       rule_change_parse(&s, &rule->end) && s.n == 0;
}

static int64_t day_of_date(int year, int month, int day)
{
	struct civil c = {.year = year, .month = month, .day = day};

	return clock_civil_us(&c) / DAY_US;
}

/* The day (since 1970) of a change in that year. */
static int64_t rule_day(const struct rule_change *c, int year)
{
	int64_t first = day_of_date(year, 1, 1), day;
	bool is_leap = day_of_date(year, 3, 1) - first == 60;

	if (c->kind == RULE_DAY)
		return first + c->day;
	if (c->kind == RULE_JULIAN)
		return first + c->day - 1 + (is_leap && c->day >= 60);
	first = day_of_date(year, c->month, 1);
	/* 1970 began with a Thursday. */
	day = first + ((c->day - (first + 4) % 7) % 7 + 7) % 7 + INT64_C(7) * (c->week - 1);
	while (day >=
	       (c->month == 12 ? day_of_date(year + 1, 1, 1) : day_of_date(year, c->month + 1, 1)))
		day -= 7;
	return day;
}

static int32_t rule_offset_s(const struct zone_rule *rule, int64_t at_s)
{
	struct civil c;
	int64_t begin, end;
	bool is_summer;

	if (!rule->has_summer)
		return rule->offset_s;
	clock_civil((at_s + rule->offset_s) * SECOND_US, &c);
	begin = rule_day(&rule->begin, c.year) * DAY_S + rule->begin.at_s - rule->offset_s;
	end = rule_day(&rule->end, c.year) * DAY_S + rule->end.at_s - rule->summer_s;
	/* South of the equator summer lies around the turn of the year. */
	is_summer = begin < end ? at_s >= begin && at_s < end : at_s >= begin || at_s < end;
	return is_summer ? rule->summer_s : rule->offset_s;
}

/* ---- the file ------------------------------------------------------------------------------ */

static uint64_t bytes_be(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

/* How many a header says that there are. */
struct zone_counts {
	size_t flags_ut, flags_standard, leaps, times, types, chars;
};

static bool header_take(struct str *s, struct zone_counts *c)
{
	size_t *const counts[] = {
	    &c->flags_ut, &c->flags_standard, &c->leaps, &c->times, &c->types, &c->chars};

	if (s->n < HEADER_BYTES || memcmp(s->p, "TZif", 4) != 0 || s->p[4] < '2')
		return false;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		*counts[i] = bytes_be(s->p + 20 + 4 * i, 4);
		if (*counts[i] > ZONE_FILE_BYTES)
			return false;
	}
	s->p += HEADER_BYTES;
	s->n -= HEADER_BYTES;
	return true;
}

static size_t block_bytes(const struct zone_counts *c, size_t time_bytes)
{
	return c->times * (time_bytes + 1) + c->types * 6 + c->chars + c->leaps * (time_bytes + 4) +
	       c->flags_standard + c->flags_ut;
}

static bool zone_read_types(
    struct zone *z, struct arena *a, const char *p, const struct zone_counts *c)
{
	const char *kinds = p + c->times * 8, *types = kinds + c->times;
	int64_t *at_s = arena_array(a, c->times + 1, sizeof(*at_s)), before = INT64_MIN;
	int32_t *to_s = arena_array(a, c->times + 1, sizeof(*to_s));

	for (size_t i = 0; i < c->types; i++) {
		int32_t offset = (int32_t)(uint32_t)bytes_be(types + 6 * i, 4);

		if (offset < -OFFSET_MOST_S || offset > OFFSET_MOST_S)
			return false;
	}
	for (size_t i = 0; i < c->times; i++) {
		size_t kind = (unsigned char)kinds[i];

		at_s[i] = (int64_t)bytes_be(p + 8 * i, 8);
		if (kind >= c->types || at_s[i] < before)
			return false;
		before = at_s[i];
		to_s[i] = (int32_t)(uint32_t)bytes_be(types + 6 * kind, 4);
	}
	z->n = c->times;
	z->at_s = at_s;
	z->to_s = to_s;
	z->first_offset_s = (int32_t)(uint32_t)bytes_be(types, 4);
	return true;
}

struct zone *zone_parse(struct arena *a, const char *name, struct str file)
{
	struct zone *z;
	struct zone_counts c;
	const char *end;
	size_t skip;

	if (!header_take(&file, &c) || (skip = block_bytes(&c, 4)) > file.n)
		return NULL;
	z = arena_zalloc(a, sizeof(*z));
	z->name = arena_strdup(a, name);
	file.p += skip;
	file.n -= skip;
	if (!header_take(&file, &c) || c.types == 0 || (skip = block_bytes(&c, 8)) > file.n ||
	    !zone_read_types(z, a, file.p, &c))
		return NULL;
	file.p += skip;
	file.n -= skip;
	if (!rule_take(&file, '\n'))
		return NULL;
	end = memchr(file.p, '\n', file.n);
	if (end == NULL)
		return NULL;
	file.n = (size_t)(end - file.p);
	return file.n == 0 || rule_parse(file, &z->rule) ? z : NULL;
}

/* ---- the process's zones ------------------------------------------------------------------- */

static struct arena *zones_arena;
static struct map *zones; /* name → struct zone */

/* A path within the database, and none of its other files and folders: "right/" counts leap
 * seconds, "posix/" repeats the rest. */
static bool name_is_safe(struct str name)
{
	if (name.n == 0 || name.n > ZONE_NAME_BYTES || name.p[0] == '/' ||
	    str_starts(name, "right/") || str_starts(name, "posix"))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			c == '_' || c == '-' || c == '+' || c == '/'))
			return false;
	}
	return !str_is(name, "localtime") && !str_is(name, "Factory");
}

/* A name that is none leaves nothing behind in the process. */
static struct zone *zone_read(struct str name)
{
	struct arena *a = arena_new();
	const char *text = arena_strndup(a, name.p, name.n);
	struct zone *z = NULL;
	struct str file;

	if (file_find(a, arena_printf(a, ZONE_DIR "/%s", text), ZONE_FILE_BYTES, &file, NULL) == 1)
		z = zone_parse(zones_arena, text, file);
	arena_free(a);
	return z;
}

const struct zone *zone_find(struct str name)
{
	struct zone *z;

	if (!name_is_safe(name) || str_is(name, "UTC"))
		return NULL;
	if (zones == NULL) {
		zones_arena = arena_new();
		zones = map_new(zones_arena);
	}
	z = map_get(zones, name);
	if (z != NULL || map_count(zones) >= ZONES_MOST)
		return z;
	z = zone_read(name);
	if (z != NULL)
		map_put(zones, name, z);
	return z;
}

bool zone_is_known(struct str name)
{
	return str_is(name, "UTC") || zone_find(name) != NULL;
}

const char *zone_name(const struct zone *z)
{
	return z == NULL ? "UTC" : z->name;
}

static int name_cmp(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int cmp = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return cmp != 0 ? cmp : (x->n > y->n) - (x->n < y->n);
}

/* Lines of the list: country, place on earth, name, perhaps a comment; tabs between them. */
size_t zone_names(struct arena *a, struct str **out)
{
	struct str text, line, cell;
	size_t n = 1, most = 2;

	if (file_find(a, ZONE_DIR "/zone.tab", ZONE_LIST_BYTES, &text, NULL) != 1)
		text = STR("");
	for (size_t i = 0; i < text.n; i++)
		most += text.p[i] == '\n';
	*out = arena_array(a, most, sizeof(**out));
	(*out)[0] = STR("UTC");
	while (n < most && str_split(&text, '\n', &line)) {
		if (line.n == 0 || line.p[0] == '#' || !str_split(&line, '\t', &cell) ||
		    !str_split(&line, '\t', &cell) || !str_split(&line, '\t', &cell) ||
		    !name_is_safe(cell))
			continue;
		(*out)[n++] = cell;
	}
	qsort(*out + 1, n - 1, sizeof(**out), name_cmp);
	return n;
}

/* ---- time ---------------------------------------------------------------------------------- */

static int64_t floor_to(int64_t v, int64_t unit)
{
	int64_t rest = v % unit;

	return v - (rest < 0 ? rest + unit : rest);
}

int32_t zone_offset_s(const struct zone *z, int64_t at_us)
{
	int64_t at_s = floor_to(at_us, SECOND_US) / SECOND_US;
	size_t low = 0, high;

	if (z == NULL)
		return 0;
	/* low: how many of the times are past */
	for (high = z->n; low < high;) {
		size_t mid = low + (high - low) / 2;

		if (z->at_s[mid] <= at_s)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->n && z->rule.is_given)
		return rule_offset_s(&z->rule, at_s);
	return low == 0 ? z->first_offset_s : z->to_s[low - 1];
}

void zone_offset_text(char out[ZONE_TEXT], const struct zone *z, int64_t at_us)
{
	int32_t s = zone_offset_s(z, at_us), minutes = (s < 0 ? -s : s) / 60 % 6000;

	if (minutes == 0)
		snprintf(out, ZONE_TEXT, "UTC");
	else if (minutes % 60 == 0)
		snprintf(out, ZONE_TEXT, "UTC%c%d", s < 0 ? '-' : '+', minutes / 60);
	else
		snprintf(
		    out, ZONE_TEXT, "UTC%c%d:%02d", s < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

int64_t zone_local_us(const struct zone *z, int64_t at_us)
{
	return at_us + zone_offset_s(z, at_us) * SECOND_US;
}

int64_t zone_instant_us(const struct zone *z, int64_t local_us)
{
	int32_t before = zone_offset_s(z, local_us - DAY_US),
		after = zone_offset_s(z, local_us + DAY_US);
	int64_t first = local_us - before * SECOND_US, second = local_us - after * SECOND_US;

	if (zone_local_us(z, first) == local_us || zone_local_us(z, second) != local_us)
		return first;
	return second;
}

int64_t zone_day_us(const struct zone *z, int64_t at_us, int days)
{
	return zone_instant_us(z, floor_to(zone_local_us(z, at_us), DAY_US) + days * DAY_US);
}
