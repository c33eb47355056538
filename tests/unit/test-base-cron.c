/* Cron expressions: what is refused, when they are due, on odd nights too; and random ones against
 * a clock that is walked minute by minute. */
#include <unistd.h>

#include "base/arena.h"
#include "base/cron.h"
#include "test-base.h"

#define MINUTE (60 * SECOND_US)

static bool has_database(void)
{
	return access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0;
}

static int64_t at(const char *text)
{
	int64_t us = 0;

	CHECK(clock_parse_iso(str_from(text), &us));
	return us;
}

static void refused(void)
{
	static const struct {
		int line;
		const char *text, *says;
	} rows[] = {
	    {__LINE__, "", "0 fields"},
	    {__LINE__, "* * * *", "4 fields"},
	    {__LINE__, "0 9 * * 1-5 2026", "6 fields"},
	    {__LINE__, "60 * * * *", "minute: 60 is not between 0 and 59"},
	    {__LINE__, "* 24 * * *", "hour: 24 is not between 0 and 23"},
	    {__LINE__, "* * 0 * *", "day of the month: 0 is not between 1 and 31"},
	    {__LINE__, "* * * 13 *", "month: 13 is not between 1 and 12"},
	    {__LINE__, "* * * * 8", "day of the week: 8 is not between 0 and 7"},
	    {__LINE__, "* * * * monday", "is no number or name"},
	    {__LINE__, "a * * * *", "minute: \"a\" is no number"},
	    {__LINE__, "-1 * * * *", "is no number"},
	    {__LINE__, "5-1 * * * *", "ends before it begins"},
	    {__LINE__, "* * * * fri-mon", "ends before it begins"},
	    {__LINE__, "*/0 * * * *", "no step"},
	    {__LINE__, "*/ * * * *", "no step"},
	    {__LINE__, "5/15 * * * *", "step without a range"},
	    {__LINE__, "1,,2 * * * *", "is empty"},
	    {__LINE__, "1, * * * *", "ends with a comma"},
	    {__LINE__, "* * ? * *", "is no number"},
	    {__LINE__, "* * L * *", "is no number"},
	    {__LINE__, "99999999999999999999 * * * *", "is no number"},
	    {__LINE__, "@reboot", "none of @hourly"},
	    {__LINE__, "@", "none of @hourly"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_INIT;
		struct cron c;

		CHECK_AT(rows[i].line, cron_parse(str_from(rows[i].text), &c, &err) == -1);
		CHECK_AT(rows[i].line, err.code == ERR_INVALID);
		CHECK_AT(rows[i].line, strstr(err.msg, rows[i].says) != NULL);
	}
}

static void due(void)
{
	static const struct {
		int line;
		const char *text, *zone, *after, *due;
	} rows[] = {
	    {__LINE__, "* * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
	    {__LINE__, "* * * * *", "UTC", "2025-12-31T23:59:59.5Z", "2026-01-01T00:00:00Z"},
	    {__LINE__, "*/15 * * * *", "UTC", "2026-01-01T00:44:59Z", "2026-01-01T00:45:00Z"},
	    {__LINE__, "10-50/20 3 * * *", "UTC", "2026-01-01T03:10:00Z", "2026-01-01T03:30:00Z"},
	    {__LINE__, "0 9 * * 1-5", "Europe/Berlin", "2026-11-27T08:00:00Z",
		"2026-11-30T08:00:00Z"},
	    {__LINE__, "0 9 * * mon-FRI", "Europe/Berlin", "2026-11-27T07:59:59Z",
		"2026-11-27T08:00:00Z"},
	    {__LINE__, "0 0 * * 7", "UTC", "2026-11-27T00:00:00Z", "2026-11-29T00:00:00Z"},
	    {__LINE__, "0 0 * * 0", "UTC", "2026-11-27T00:00:00Z", "2026-11-29T00:00:00Z"},
	    {__LINE__, "0 0 * * 5-7", "UTC", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"},
	    {__LINE__, "  @daily\t", "UTC", "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"},
	    {__LINE__, "@Monthly", "UTC", "2026-11-27T00:00:00Z", "2026-12-01T00:00:00Z"},
	    {__LINE__, "@weekly", "UTC", "2026-11-27T00:00:00Z", "2026-11-29T00:00:00Z"},
	    {__LINE__, "@yearly", "UTC", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	    {__LINE__, "0\t0  1 jan,Jul *", "UTC", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"},
	    /* days of the month or of the week; with a star both */
	    {__LINE__, "0 0 13 * 5", "UTC", "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z"},
	    {__LINE__, "0 0 13 * 5", "UTC", "2026-01-10T00:00:00Z", "2026-01-13T00:00:00Z"},
	    {__LINE__, "0 0 */2 * 5", "UTC", "2026-02-01T00:00:00Z", "2026-02-13T00:00:00Z"},
	    {__LINE__, "0 0 13 * */5", "UTC", "2026-01-14T00:00:00Z", "2026-02-13T00:00:00Z"},
	    /* leap days */
	    {__LINE__, "0 0 29 2 *", "UTC", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"},
	    {__LINE__, "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
	    {__LINE__, "0 12 29 2 */6", "UTC", "2060-03-01T00:00:00Z", "2076-02-29T12:00:00Z"},
	    {__LINE__, "0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", NULL},
	    {__LINE__, "0 0 31 2 *", "Europe/Berlin", "2026-01-01T00:00:00Z", NULL},
	    {__LINE__, "0 0 31 4,6,9,11 *", "UTC", "2026-01-01T00:00:00Z", NULL},
	    {__LINE__, "0 0 31 4 0", "UTC", "2026-01-01T00:00:00Z", "2026-04-05T00:00:00Z"},
	    /* the hour that is left out */
	    {__LINE__, "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
		"2026-03-29T01:00:00Z"},
	    {__LINE__, "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z",
		"2026-03-30T00:30:00Z"},
	    {__LINE__, "0,30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z",
		"2026-03-30T00:00:00Z"},
	    {__LINE__, "0 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
		"2026-03-29T01:00:00Z"},
	    {__LINE__, "*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
		"2026-03-30T00:00:00Z"},
	    {__LINE__, "0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z",
		"2026-03-29T01:00:00Z"},
	    /* the hour that comes twice */
	    {__LINE__, "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
		"2026-10-25T00:30:00Z"},
	    {__LINE__, "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
		"2026-10-26T01:30:00Z"},
	    {__LINE__, "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z",
		"2026-10-26T01:30:00Z"},
	    {__LINE__, "30 * * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
		"2026-10-25T01:30:00Z"},
	    {__LINE__, "*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
		"2026-10-25T01:00:00Z"},
	    {__LINE__, "0 3 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z",
		"2026-10-25T02:00:00Z"},
	    /* half an hour */
	    {__LINE__, "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
		"2026-10-03T15:30:00Z"},
	    {__LINE__, "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T15:30:00Z",
		"2026-10-04T15:15:00Z"},
	    {__LINE__, "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
		"2026-04-04T14:45:00Z"},
	    {__LINE__, "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z",
		"2026-04-05T15:15:00Z"},
	    {__LINE__, "45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z",
		"2026-04-04T15:15:00Z"},
	    /* a day that there was not, midnights that there are not */
	    {__LINE__, "0 9 * * *", "Pacific/Apia", "2011-12-30T00:00:00Z", "2011-12-30T10:00:00Z"},
	    {__LINE__, "0 9 * * *", "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"},
	    {__LINE__, "@daily", "America/Santiago", "2026-09-05T12:00:00Z",
		"2026-09-06T04:00:00Z"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_INIT;
		struct cron c;
		int64_t us = 0;
		bool found;

		CHECK_AT(rows[i].line, cron_parse(str_from(rows[i].text), &c, &err) == 0);
		found = cron_next(&c, zone_find(str_from(rows[i].zone)), at(rows[i].after), &us);
		CHECK_AT(rows[i].line, found == (rows[i].due != NULL));
		CHECK_AT(rows[i].line, !found || us == at(rows[i].due));
	}
}

/* ---- against a walk -------------------------------------------------------------------------- */

static uint64_t dice = 88172645463325252u;

static unsigned roll(unsigned n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 11) % n;
}

static const char *roll_field(struct arena *a, unsigned least, unsigned most, unsigned stars)
{
	unsigned x = least + roll(most - least + 1), y = least + roll(most - least + 1);

	if (roll(10) < stars)
		return roll(2) == 0 ? "*" : arena_printf(a, "*/%u", 1 + roll(20));
	switch (roll(3)) {
	case 0:
		return arena_printf(a, "%u", x);
	case 1:
		return arena_printf(a, "%u,%u", x, y);
	default:
		return x < y ? arena_printf(a, "%u-%u/%u", x, y, 1 + roll(4))
			     : arena_printf(a, "%u", y);
	}
}

static bool fits(const struct cron *c, int64_t local_us)
{
	struct civil now;
	int weekday = (int)((clock_day(local_us) + 4) % 7);
	bool day, of_week;

	clock_civil(local_us, &now);
	day = (c->days >> now.day & 1) != 0;
	of_week = (c->weekdays >> weekday & 1) != 0;
	return (c->minutes >> now.minute & 1) != 0 && (c->hours >> now.hour & 1) != 0 &&
	       (c->months >> now.month & 1) != 0 &&
	       (c->has_any_day || c->has_any_weekday ? day && of_week : day || of_week);
}

/* The rule as it is told: minute after minute of the clock on the wall. */
static bool walk_is_due(const struct cron *c, int64_t local_us, int64_t *seen_us)
{
	int64_t from_us = *seen_us;
	bool is_due = false;

	if (!c->is_of_day)
		return fits(c, local_us);
	if (local_us > *seen_us)
		*seen_us = local_us;
	for (int64_t us = from_us + MINUTE; us <= local_us; us += MINUTE)
		is_due = is_due || fits(c, us);
	return is_due;
}

static void walk(const struct cron *c, const struct zone *z, int64_t from_us, const char *what)
{
	int64_t seen_us = zone_local_us(z, from_us), next_us = 0;
	bool is_found = cron_next(c, z, from_us, &next_us);

	for (int64_t us = from_us + MINUTE; us < from_us + 4 * DAY_US; us += MINUTE) {
		bool is_due = walk_is_due(c, zone_local_us(z, us), &seen_us);

		if (is_due != (is_found && next_us == us)) {
			CU_FAIL(what);
			fprintf(stderr, "%s %s at %lld\n", what, zone_name(z), (long long)us);
			return;
		}
		if (is_due)
			is_found = cron_next(c, z, us, &next_us);
	}
}

static void random_ones(void)
{
	static const struct {
		const char *zone, *near;
	} nights[] = {{"Europe/Berlin", "2026-03-29T00:00:00Z"},
	    {"Europe/Berlin", "2026-10-25T00:00:00Z"}, {"America/New_York", "2026-03-08T00:00:00Z"},
	    {"America/New_York", "2090-11-05T00:00:00Z"},
	    {"Australia/Lord_Howe", "2026-04-04T00:00:00Z"},
	    {"Australia/Lord_Howe", "2026-10-03T00:00:00Z"},
	    {"America/Santiago", "2026-09-05T00:00:00Z"}, {"Pacific/Apia", "2011-12-29T00:00:00Z"},
	    {"Asia/Kathmandu", "1985-12-31T00:00:00Z"}, {"UTC", "2028-02-28T00:00:00Z"}};
	struct arena *a = arena_new();

	for (int i = 0; i < 400; i++) {
		size_t n = roll(sizeof(nights) / sizeof(*nights));
		const char *text = arena_printf(a, "%s %s %s %s %s", roll_field(a, 0, 59, 3),
		    roll_field(a, 0, 5, 3), roll_field(a, 1, 31, 7), roll(4) > 0 ? "*" : "3,4,9,10",
		    roll_field(a, 0, 7, 7));
		struct err err = ERR_INIT;
		struct cron c;

		CHECK(cron_parse(str_from(text), &c, &err) == 0);
		walk(&c, zone_find(str_from(nights[n].zone)),
		    at(nights[n].near) - DAY_US + (int64_t)roll(1440) * MINUTE, text);
	}
	arena_free(a);
}

void suite_base_cron(void);
void suite_base_cron(void)
{
	ADD_TESTS("base/cron", {"what is refused", refused});
	if (has_database())
		ADD_TESTS("base/cron in zones", {"when it is due", due},
		    {"random ones, against a walk", random_ones});
}
