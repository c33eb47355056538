#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"

#define WAIT_MOST_MS (INT64_C(10) * 365 * 86400 * 1000) /* no Retry-After is longer */

static const char month_names[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
static const char day_long_names[7][10] = {
    "Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"};

static int64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return clock_read(CLOCK_REALTIME);
}

int64_t clock_now_after_us(int64_t before_us)
{
	return clock_after_us(clock_now_us(), before_us);
}

int64_t clock_mono_us(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. The year is taken to begin in March,
 * which puts the leap day last. */
static int64_t days_from_civil(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, struct civil *c)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;

	c->day = (int)(of_year - (153 * m + 2) / 5 + 1);
	c->month = (int)(m < 10 ? m + 3 : m - 9);
	c->year = (int)(y + era * 400 + (c->month <= 2));
}

/* Splits a time, clamped to the years 0 to 9999. */
static void civil_from_us(int64_t at_us, struct civil *c, int *fraction_us)
{
	const int64_t least = days_from_civil(0, 1, 1) * DAY_US;
	const int64_t most = days_from_civil(10000, 1, 1) * DAY_US - 1;
	int64_t at = at_us < least ? least : at_us > most ? most : at_us;
	int64_t days = floor_div(at, DAY_US), rest = at - days * DAY_US;
	int64_t seconds = rest / SECOND_US;

	civil_from_days(days, c);
	c->hour = (int)(seconds / 3600);
	c->minute = (int)(seconds / 60 % 60);
	c->second = (int)(seconds % 60);
	*fraction_us = (int)(rest % SECOND_US);
}

void clock_civil(int64_t at_us, struct civil *out)
{
	int fraction_us;

	civil_from_us(at_us, out, &fraction_us);
}

int64_t clock_civil_us(const struct civil *c)
{
	int64_t seconds = ((int64_t)c->hour * 60 + c->minute) * 60 + c->second;

	return days_from_civil(c->year, c->month, c->day) * DAY_US + seconds * SECOND_US;
}

static bool civil_is_valid(const struct civil *c)
{
	static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);

	if (c->month < 1 || c->month > 12 || c->day < 1)
		return false;
	if (c->day > lengths[c->month - 1] + (c->month == 2 && is_leap))
		return false;
	/* 60 is a leap second, taken as the first of the next minute. */
	return c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

void clock_iso(char out[CLOCK_TEXT], int64_t at_us)
{
	char fraction[8] = "";
	struct civil c;
	int us;

	civil_from_us(at_us, &c, &us);
	if (us % 1000)
		snprintf(fraction, sizeof(fraction), ".%06u", (unsigned)us % 1000000);
	else if (us)
		snprintf(fraction, sizeof(fraction), ".%03u", (unsigned)us / 1000 % 1000);
	snprintf(out, CLOCK_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u%sZ", (unsigned)c.year % 10000,
	    (unsigned)c.month % 100, (unsigned)c.day % 100, (unsigned)c.hour % 100,
	    (unsigned)c.minute % 100, (unsigned)c.second % 100, fraction);
}

const char *clock_iso_dup(struct arena *a, int64_t at_us)
{
	char text[CLOCK_TEXT];

	clock_iso(text, at_us);
	return arena_strdup(a, text);
}

/* Readers: each takes its piece off the front of *s, or returns false. */

static bool take_chr(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static bool take_digits(struct str *s, size_t n, int *v)
{
	*v = 0;
	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*v = *v * 10 + (s->p[i] - '0');
	}
	s->p += n;
	s->n -= n;
	return true;
}

static bool take_text(struct str *s, const char *text)
{
	if (!str_starts(*s, text))
		return false;
	s->p += strlen(text);
	s->n -= strlen(text);
	return true;
}

/* In any case. */
static bool take_word(struct str *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n < n || !str_ieq((struct str){s->p, n}, str_from(word)))
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

typedef bool take_one(struct str *s, const char *text);

/* One of n names of the given stride; its index in *v. */
static bool take_name(
    struct str *s, const char *names, int n, size_t stride, take_one *take, int *v)
{
	for (*v = 0; *v < n; (*v)++)
		if (take(s, names + (size_t)*v * stride))
			return true;
	return false;
}

static bool take_month(struct str *s, take_one *take, int *month)
{
	bool is_found = take_name(s, month_names[0], 12, sizeof(month_names[0]), take, month);

	(*month)++;
	return is_found;
}

static bool take_hms(struct str *s, struct civil *c)
{
	return take_digits(s, 2, &c->hour) && take_chr(s, ':') && take_digits(s, 2, &c->minute) &&
	       take_chr(s, ':') && take_digits(s, 2, &c->second);
}

/* ".123" with any number of digits, of which six count. */
static bool take_fraction(struct str *s, int64_t *us)
{
	int64_t unit = SECOND_US / 10;
	size_t n = 0;

	*us = 0;
	if (!take_chr(s, '.') && !take_chr(s, ','))
		return true;
	for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; s->p++, s->n--, n++) {
		*us += unit * (s->p[0] - '0');
		unit /= 10;
	}
	return n > 0;
}

static bool take_zone(struct str *s, int64_t *offset_us)
{
	bool is_west;
	int hours, minutes;

	*offset_us = 0;
	if (s->n == 0 || take_chr(s, 'Z') || take_chr(s, 'z'))
		return true;
	is_west = s->p[0] == '-';
	if (!take_chr(s, '+') && !take_chr(s, '-'))
		return false;
	if (!take_digits(s, 2, &hours) || hours > 23)
		return false;
	take_chr(s, ':');
	if (!take_digits(s, 2, &minutes) || minutes > 59)
		return false;
	*offset_us = (int64_t)(hours * 60 + minutes) * 60 * SECOND_US * (is_west ? -1 : 1);
	return true;
}

bool clock_parse_iso(struct str s, int64_t *at_us)
{
	struct civil c = {0};
	int64_t fraction = 0, offset = 0;

	if (!take_digits(&s, 4, &c.year) || !take_chr(&s, '-') || !take_digits(&s, 2, &c.month) ||
	    !take_chr(&s, '-') || !take_digits(&s, 2, &c.day))
		return false;
	if (s.n) {
		if (!take_chr(&s, 'T') && !take_chr(&s, 't') && !take_chr(&s, ' '))
			return false;
		if (!take_digits(&s, 2, &c.hour) || !take_chr(&s, ':') ||
		    !take_digits(&s, 2, &c.minute))
			return false;
		if (take_chr(&s, ':') &&
		    (!take_digits(&s, 2, &c.second) || !take_fraction(&s, &fraction)))
			return false;
		if (!take_zone(&s, &offset))
			return false;
	}
	if (s.n || !civil_is_valid(&c))
		return false;
	*at_us = clock_civil_us(&c) + fraction - offset;
	return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool date_parse_imf(struct str s, struct civil *c)
{
	int weekday;

	return take_name(&s, day_names[0], 7, sizeof(day_names[0]), take_text, &weekday) &&
	       take_text(&s, ", ") && take_digits(&s, 2, &c->day) && take_chr(&s, ' ') &&
	       take_month(&s, take_text, &c->month) && take_chr(&s, ' ') &&
	       take_digits(&s, 4, &c->year) && take_chr(&s, ' ') && take_hms(&s, c) &&
	       str_is(s, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT"; a year more than fifty ahead is of the last century. */
static bool date_parse_rfc850(struct str s, struct civil *c)
{
	struct civil now;
	int weekday, us;

	if (!take_name(&s, day_long_names[0], 7, sizeof(day_long_names[0]), take_text, &weekday) ||
	    !take_text(&s, ", ") || !take_digits(&s, 2, &c->day) || !take_chr(&s, '-') ||
	    !take_month(&s, take_text, &c->month) || !take_chr(&s, '-') ||
	    !take_digits(&s, 2, &c->year) || !take_chr(&s, ' ') || !take_hms(&s, c) ||
	    !str_is(s, " GMT"))
		return false;
	civil_from_us(clock_now_us(), &now, &us);
	c->year += now.year - now.year % 100;
	if (c->year > now.year + 50)
		c->year -= 100;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool date_parse_asctime(struct str s, struct civil *c)
{
	int weekday;

	return take_name(&s, day_names[0], 7, sizeof(day_names[0]), take_text, &weekday) &&
	       take_chr(&s, ' ') && take_month(&s, take_text, &c->month) && take_chr(&s, ' ') &&
	       take_digits(&s, take_chr(&s, ' ') ? 1 : 2, &c->day) && take_chr(&s, ' ') &&
	       take_hms(&s, c) && take_chr(&s, ' ') && take_digits(&s, 4, &c->year) && s.n == 0;
}

bool clock_parse_http(struct str s, int64_t *at_us)
{
	struct civil c = {0};

	if (!date_parse_imf(s, &c) && !date_parse_rfc850(s, &c) && !date_parse_asctime(s, &c))
		return false;
	if (!civil_is_valid(&c))
		return false;
	*at_us = clock_civil_us(&c);
	return true;
}

/* "120" or "2.5"; a part of a millisecond counts as a whole one. */
static bool delay_parse(struct str s, int64_t *wait_ms)
{
	int64_t seconds = 0, us = 0;
	size_t n = 0;

	for (; s.n && s.p[0] >= '0' && s.p[0] <= '9'; s.p++, s.n--, n++)
		if (seconds <= WAIT_MOST_MS / 1000)
			seconds = seconds * 10 + (s.p[0] - '0');
	if (n == 0 || (s.n && s.p[0] != '.') || !take_fraction(&s, &us) || s.n)
		return false;
	if (seconds > WAIT_MOST_MS / 1000)
		seconds = WAIT_MOST_MS / 1000;
	*wait_ms = seconds * 1000 + (us + 999) / 1000;
	return true;
}

bool clock_parse_retry_after(struct str s, int64_t now_us, int64_t *wait_ms)
{
	int64_t at_us;

	s = str_trim(s);
	if (delay_parse(s, wait_ms))
		return true;
	if (!clock_parse_http(s, &at_us) && !clock_parse_iso(s, &at_us))
		return false;
	*wait_ms = at_us <= now_us ? 0 : (at_us - now_us + 999) / 1000;
	if (*wait_ms > WAIT_MOST_MS)
		*wait_ms = WAIT_MOST_MS;
	return true;
}

int32_t clock_day(int64_t at_us)
{
	return (int32_t)floor_div(at_us, DAY_US);
}

void clock_day_text(char out[CLOCK_TEXT], int32_t day)
{
	const int64_t least = days_from_civil(0, 1, 1), most = days_from_civil(9999, 12, 31);
	struct civil c;

	civil_from_days(day < least ? least : day > most ? most : day, &c);
	snprintf(out, CLOCK_TEXT, "%04u-%02u-%02u", (unsigned)c.year % 10000,
	    (unsigned)c.month % 100, (unsigned)c.day % 100);
}

static void take_blanks(struct str *s)
{
	while (take_chr(s, ' ') || take_chr(s, '\t'))
		;
}

/* A day as ISO 8601 has it in three ways, each extended or basic: of a month, of a week, of a year.
 * Basic ones of digits alone must end there: else they may be the beginning of any number. */
static bool take_day_of_week(struct str *s, int year, int64_t *day)
{
	bool is_extended = take_text(s, "-W");
	int week, weekday;
	/* the first week is the one that has January 4th; weeks begin with Monday */
	int64_t fourth = days_from_civil(year, 1, 4), monday = fourth - (fourth + 3) % 7;

	if ((!is_extended && !take_chr(s, 'W')) || !take_digits(s, 2, &week) ||
	    (is_extended && !take_chr(s, '-')) || !take_digits(s, 1, &weekday) || week < 1 ||
	    weekday < 1 || weekday > 7)
		return false;
	*day = monday + (int64_t)(week - 1) * 7 + weekday - 1;
	/* the last week is the one that has December 28th */
	return *day - (weekday - 1) <= days_from_civil(year, 12, 28);
}

static bool take_day_of_year(struct str *s, int year, int64_t *day)
{
	int of_year;

	if (!take_digits(s, 3, &of_year) || of_year < 1 ||
	    (s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'))
		return false;
	*day = days_from_civil(year, 1, 1) + of_year - 1;
	return *day < days_from_civil(year + 1, 1, 1);
}

static bool take_day_of_month(struct str *s, int year, int64_t *day, bool is_extended)
{
	struct civil c = {.year = year};

	if (!take_digits(s, 2, &c.month) || (is_extended && !take_chr(s, '-')) ||
	    !take_digits(s, 2, &c.day) || !civil_is_valid(&c))
		return false;
	*day = days_from_civil(year, c.month, c.day);
	return true;
}

/* *is_digits: it has no sign but digits. */
static bool take_day(struct str *s, int64_t *day, bool *is_digits)
{
	struct str rest;
	int year;

	if (!take_digits(s, 4, &year))
		return false;
	*is_digits = false;
	rest = *s;
	if (take_day_of_week(s, year, day))
		return true;
	*s = rest;
	bool is_extended = take_chr(s, '-');
	rest = *s;
	*is_digits = !is_extended;
	if (take_day_of_month(s, year, day, is_extended))
		return true;
	*s = rest;
	return take_day_of_year(s, year, day);
}

/* "10", "10:30", "1030", "10:30:15.5", "10.5", "24:00": what the last of them has of a fraction
 * counts. */
static bool take_time_of_day(struct str *s, int64_t *us)
{
	static const int64_t units[] = {3600 * SECOND_US, 60 * SECOND_US, SECOND_US};
	int part[3] = {0};
	int64_t fraction = 0;
	size_t n = 1;

	if (!take_digits(s, 2, &part[0]))
		return false;
	bool is_extended = s->n > 0 && s->p[0] == ':';
	while (n < 3 && s->n > 0 &&
	       (is_extended ? s->p[0] == ':' : s->p[0] >= '0' && s->p[0] <= '9')) {
		take_chr(s, ':');
		if (!take_digits(s, 2, &part[n++]))
			return false;
	}
	if (!take_fraction(s, &fraction) || part[1] > 59 || part[2] > 60)
		return false;
	*us = fraction * (units[n - 1] / SECOND_US);
	for (size_t i = 0; i < 3; i++)
		*us += part[i] * units[i];
	return *us < DAY_US + SECOND_US && (part[0] < 24 || *us == DAY_US);
}

/* As take_zone, or hours alone as databases write them; blanks before it, as languages do. */
static bool take_free_zone(struct str *s, int64_t *offset_us)
{
	struct str before;

	take_blanks(s);
	if (take_text(s, "UTC") || take_text(s, "GMT")) {
		*offset_us = 0;
		return true;
	}
	before = *s;
	if (take_zone(s, offset_us))
		return true;
	*s = before;
	bool is_west = take_chr(s, '-');
	int hours;
	if ((!is_west && !take_chr(s, '+')) || !take_digits(s, 2, &hours) || hours > 23 || s->n > 0)
		return false;
	*offset_us = (int64_t)hours * 3600 * SECOND_US * (is_west ? -1 : 1);
	return true;
}

/* ISO 8601 in all its ways to write a time, and two usual ones: a blank for the T, or nothing
 * between fourteen digits. */
static bool iso_parse_free(struct str s, int64_t *at_us)
{
	const size_t whole = s.n;
	int64_t day, us = 0, offset = 0;
	bool is_digits, has_time;

	if (!take_day(&s, &day, &is_digits))
		return false;
	has_time = s.n > 0;
	if (is_digits && !has_time && whole < 8) /* a day of a year: or any number */
		return false;
	if (has_time && !take_chr(&s, 'T') && !take_chr(&s, 't') && !take_chr(&s, ' ') &&
	    (!is_digits || s.n < 6))
		return false;
	if (has_time && (!take_time_of_day(&s, &us) || !take_free_zone(&s, &offset)))
		return false;
	if (s.n > 0)
		return false;
	*at_us = day * DAY_US + us - offset;
	return true;
}

/* Of RFC 2822 and the names that older mail has: hours east of Greenwich. */
static bool take_mail_zone(struct str *s, int64_t *offset_us)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {{"GMT", 0}, {"UTC", 0}, {"UT", 0}, {"EST", -5}, {"EDT", -4}, {"CST", -6},
	    {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (!take_word(s, zones[i].name))
			continue;
		*offset_us = (int64_t)zones[i].hours * 3600 * SECOND_US;
		return true;
	}
	return s->n > 0 && take_zone(s, offset_us);
}

/* Four digits, or two as mail once had them: those below 50 are of this century. */
static bool take_mail_year(struct str *s, int *year)
{
	struct str before = *s;

	if (take_digits(s, 4, year))
		return true;
	*s = before;
	if (!take_digits(s, 2, year))
		return false;
	*year += *year < 50 ? 2000 : 1900;
	return true;
}

bool clock_parse_mail(struct str s, int64_t *at_us)
{
	struct civil c = {0};
	int64_t offset;
	int weekday;

	if (take_name(&s, day_names[0], 7, sizeof(day_names[0]), take_word, &weekday))
		take_chr(&s, ',');
	take_blanks(&s);
	if (!take_digits(&s, s.n > 1 && s.p[1] >= '0' && s.p[1] <= '9' ? 2 : 1, &c.day))
		return false;
	take_blanks(&s);
	if (!take_month(&s, take_word, &c.month))
		return false;
	take_blanks(&s);
	if (!take_mail_year(&s, &c.year))
		return false;
	take_blanks(&s);
	if (!take_digits(&s, 2, &c.hour) || !take_chr(&s, ':') || !take_digits(&s, 2, &c.minute) ||
	    (take_chr(&s, ':') && !take_digits(&s, 2, &c.second)))
		return false;
	take_blanks(&s);
	if (!take_mail_zone(&s, &offset))
		return false;
	take_blanks(&s);
	if ((s.n && s.p[0] != '(') || !civil_is_valid(&c))
		return false;
	*at_us = clock_civil_us(&c) - offset;
	return true;
}

#define UNIX_SECONDS_MOST INT64_C(100000000000) /* the year 5138; above it: milliseconds */
#define UNIX_MS_MOST (UNIX_SECONDS_MOST * 1000)

/* "1772352000", "1772352000.25", "1772352000250", "-86400" */
static bool unix_parse(struct str s, int64_t *at_us)
{
	bool is_negative = take_chr(&s, '-');
	int64_t n = 0, fraction = 0;
	size_t digits = 0;

	for (; s.n && s.p[0] >= '0' && s.p[0] <= '9'; s.p++, s.n--, digits++) {
		if (n >= UNIX_MS_MOST)
			return false;
		n = n * 10 + (s.p[0] - '0');
	}
	if (digits == 0 || n >= UNIX_MS_MOST || (s.n && s.p[0] != '.') ||
	    !take_fraction(&s, &fraction) || s.n)
		return false;
	*at_us = n < UNIX_SECONDS_MOST ? n * SECOND_US + fraction : n * 1000 + fraction / 1000;
	if (is_negative)
		*at_us = -*at_us;
	return true;
}

bool clock_parse_text(struct str s, int64_t *at_us)
{
	return iso_parse_free(s, at_us) || clock_parse_mail(s, at_us);
}

bool clock_parse_any(struct str s, int64_t *at_us)
{
	s = str_trim(s);
	return clock_parse_text(s, at_us) || unix_parse(s, at_us);
}

/* Takes "1.5" and its unit, one of the letters from *first on, before `end`. */
static bool take_duration(
    struct str *s, const char *letters, size_t *first, size_t end, int64_t *duration_us)
{
	static const int64_t units[] = {
	    7 * DAY_US, DAY_US, 3600 * SECOND_US, 60 * SECOND_US, SECOND_US};
	int64_t n = 0, fraction = 0;
	size_t digits = 0;

	for (; s->n && s->p[0] >= '0' && s->p[0] <= '9'; s->p++, s->n--, digits++) {
		if (n > WAIT_MOST_MS)
			return false;
		n = n * 10 + (s->p[0] - '0');
	}
	if (digits == 0 || !take_fraction(s, &fraction))
		return false;
	for (size_t i = *first; i < end; i++) {
		if (!take_chr(s, letters[i]))
			continue;
		if (n > WAIT_MOST_MS * 1000 / units[i])
			return false;
		*duration_us += n * units[i] + fraction * (units[i] / SECOND_US);
		*first = i + 1;
		return true;
	}
	return false;
}

bool clock_parse_duration(struct str s, int64_t *duration_us)
{
	s = str_trim(s);
	bool is_iso = take_chr(&s, 'P');
	size_t first = 0, end = is_iso ? 2 : 5; /* weeks and days stand before the T */

	*duration_us = 0;
	if (s.n == 0)
		return false;
	while (s.n > 0) {
		if (is_iso && end == 2 && take_chr(&s, 'T')) {
			first = 2;
			end = 5;
		}
		if (!take_duration(&s, is_iso ? "WDHMS" : "wdhms", &first, end, duration_us))
			return false;
	}
	return true;
}
