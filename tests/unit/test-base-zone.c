/* Time zones, by the system's database: without it most of this is skipped. */
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/zone.h"
#include "test-base.h"

static bool has_database(void)
{
	return access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0;
}

static const struct zone *zone_of(const char *name)
{
	return zone_find(str_from(name));
}

static int64_t at(const char *text)
{
	int64_t us = 0;

	CHECK(clock_parse_iso(str_from(text), &us));
	return us;
}

/* What the clock shows, on odd nights, by the file's times and by the rule after them. */
static void local_times(void)
{
	static const struct {
		int line;
		const char *zone, *at, *local;
	} rows[] = {
	    {__LINE__, "Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59Z"},
	    {__LINE__, "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"},
	    {__LINE__, "Europe/Berlin", "1969-07-20T20:17:40Z", "1969-07-20T21:17:40Z"},
	    {__LINE__, "Europe/Berlin", "2090-03-26T01:00:00Z", "2090-03-26T03:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2090-10-29T00:59:59Z", "2090-10-29T02:59:59Z"},
	    {__LINE__, "America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T01:59:59Z"},
	    {__LINE__, "America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00:00Z"},
	    {__LINE__, "America/New_York", "2026-11-01T05:59:59Z", "2026-11-01T01:59:59Z"},
	    {__LINE__, "America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T01:00:00Z"},
	    {__LINE__, "America/New_York", "2090-07-01T00:00:00Z", "2090-06-30T20:00:00Z"},
	    {__LINE__, "America/New_York", "2091-01-01T04:59:59Z", "2090-12-31T23:59:59Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-04-04T14:59:59Z", "2026-04-05T01:59:59Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-04-04T15:00:00Z", "2026-04-05T01:30:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-10-03T15:29:59Z", "2026-10-04T01:59:59Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-10-03T15:30:00Z", "2026-10-04T02:30:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2095-01-01T00:00:00Z", "2095-01-01T11:00:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2095-07-01T00:00:00Z", "2095-07-01T10:30:00Z"},
	    {__LINE__, "Asia/Kathmandu", "1985-12-31T18:29:59Z", "1985-12-31T23:59:59Z"},
	    {__LINE__, "Asia/Kathmandu", "1985-12-31T18:30:00Z", "1986-01-01T00:15:00Z"},
	    {__LINE__, "Asia/Kathmandu", "2026-11-28T18:14:59Z", "2026-11-28T23:59:59Z"},
	    {__LINE__, "Asia/Kathmandu", "2026-11-28T18:15:00Z", "2026-11-29T00:00:00Z"},
	    {__LINE__, "Asia/Kathmandu", "2090-01-01T00:00:00Z", "2090-01-01T05:45:00Z"},
	    {__LINE__, "America/St_Johns", "2026-03-08T05:29:59Z", "2026-03-08T01:59:59Z"},
	    {__LINE__, "America/St_Johns", "2026-03-08T05:30:00Z", "2026-03-08T03:00:00Z"},
	    {__LINE__, "America/St_Johns", "2026-11-01T04:29:59Z", "2026-11-01T01:59:59Z"},
	    {__LINE__, "America/St_Johns", "2026-11-01T04:30:00Z", "2026-11-01T01:00:00Z"},
	    {__LINE__, "Pacific/Chatham", "2026-04-04T13:59:59Z", "2026-04-05T03:44:59Z"},
	    {__LINE__, "Pacific/Chatham", "2026-04-04T14:00:00Z", "2026-04-05T02:45:00Z"},
	    {__LINE__, "Pacific/Chatham", "2026-09-26T14:00:00Z", "2026-09-27T03:45:00Z"},
	    {__LINE__, "Pacific/Chatham", "2099-12-31T10:15:00Z", "2100-01-01T00:00:00Z"},
	    {__LINE__, "Europe/Dublin", "2026-03-29T00:59:59Z", "2026-03-29T00:59:59Z"},
	    {__LINE__, "Europe/Dublin", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
	    {__LINE__, "Europe/Dublin", "2095-01-15T12:00:00Z", "2095-01-15T12:00:00Z"},
	    {__LINE__, "Europe/Dublin", "2095-07-15T12:00:00Z", "2095-07-15T13:00:00Z"},
	    {__LINE__, "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T23:59:59Z"},
	    {__LINE__, "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31T00:00:00Z"},
	    {__LINE__, "America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-03T23:59:59Z"},
	    {__LINE__, "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04T01:00:00Z"},
	    {__LINE__, "America/Sao_Paulo", "2019-02-17T01:59:59Z", "2019-02-16T23:59:59Z"},
	    {__LINE__, "America/Sao_Paulo", "2019-02-17T02:00:00Z", "2019-02-16T23:00:00Z"},
	    {__LINE__, "Africa/Casablanca", "2026-02-15T02:00:00Z", "2026-02-15T02:00:00Z"},
	    {__LINE__, "Africa/Casablanca", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z"},
	    {__LINE__, "Asia/Tehran", "2022-09-21T19:30:00Z", "2022-09-21T23:00:00Z"},
	    {__LINE__, "Asia/Tehran", "2026-07-01T00:00:00Z", "2026-07-01T03:30:00Z"},
	    {__LINE__, "America/Caracas", "2016-05-01T07:00:00Z", "2016-05-01T03:00:00Z"},
	    {__LINE__, "Etc/GMT+12", "2026-01-01T11:59:59Z", "2025-12-31T23:59:59Z"},
	};

	for (size_t i = 0; has_database() && i < COUNT(rows); i++) {
		char text[CLOCK_TEXT];

		clock_iso(text, zone_local_us(zone_of(rows[i].zone), at(rows[i].at)));
		CHECK_AT(rows[i].line, TEXT_EQ(text, rows[i].local));
	}
}

/* From the clock to the time: what is left out, what is there twice. */
static void instants(void)
{
	static const struct {
		int line;
		const char *zone, *local, *at;
	} rows[] = {
	    {__LINE__, "UTC", "2026-03-29T02:30:00Z", "2026-03-29T02:30:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"},
	    {__LINE__, "Europe/Berlin", "2026-03-29T02:30:00Z", "2026-03-29T01:30:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-25T01:59:59Z", "2026-10-24T23:59:59Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-10-04T02:15:00Z", "2026-10-03T15:45:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z"},
	    {__LINE__, "Asia/Kathmandu", "2026-11-29T00:00:00Z", "2026-11-28T18:15:00Z"},
	};

	for (size_t i = 0; has_database() && i < COUNT(rows); i++)
		CHECK_AT(rows[i].line,
		    zone_instant_us(zone_of(rows[i].zone), at(rows[i].local)) == at(rows[i].at));
}

/* When days begin: 23, 24, 24.5 and 25 hours long, one without 00:00, one that never was. */
static void days(void)
{
	static const struct {
		int line;
		const char *zone, *at;
		int days;
		const char *begins;
	} rows[] = {
	    {__LINE__, "UTC", "2026-11-28T23:59:59Z", 0, "2026-11-28T00:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-11-28T22:59:59Z", 0, "2026-11-27T23:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-11-28T23:00:00Z", 0, "2026-11-28T23:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-03-29T12:00:00Z", 0, "2026-03-28T23:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-03-29T12:00:00Z", 1, "2026-03-29T22:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-25T12:00:00Z", 0, "2026-10-24T22:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-25T12:00:00Z", 1, "2026-10-25T23:00:00Z"},
	    {__LINE__, "Europe/Berlin", "2026-10-28T12:00:00Z", -7, "2026-10-20T22:00:00Z"},
	    {__LINE__, "Asia/Kathmandu", "2026-11-28T18:14:59Z", 0, "2026-11-27T18:15:00Z"},
	    {__LINE__, "Asia/Kathmandu", "2026-11-28T18:15:00Z", 0, "2026-11-28T18:15:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-10-04T00:00:00Z", 0, "2026-10-03T13:30:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-10-04T00:00:00Z", 1, "2026-10-04T13:00:00Z"},
	    {__LINE__, "Australia/Lord_Howe", "2026-04-05T00:00:00Z", 1, "2026-04-05T13:30:00Z"},
	    {__LINE__, "America/Sao_Paulo", "2018-11-04T12:00:00Z", 0, "2018-11-04T03:00:00Z"},
	    {__LINE__, "America/Sao_Paulo", "2019-02-17T12:00:00Z", 0, "2019-02-17T03:00:00Z"},
	    {__LINE__, "Pacific/Apia", "2011-12-29T12:00:00Z", 1, "2011-12-30T10:00:00Z"},
	};

	for (size_t i = 0; has_database() && i < COUNT(rows); i++)
		CHECK_AT(rows[i].line, zone_day_us(zone_of(rows[i].zone), at(rows[i].at),
					   rows[i].days) == at(rows[i].begins));
}

static void names(void)
{
	static const char *const bad[] = {"", "Europe", "Europe/Nowhere", "europe/berlin",
	    "/etc/passwd", "../../etc/passwd", "Europe/../UTC", "right/Europe/Berlin", "posixrules",
	    "localtime", "zone.tab", "tzdata.zi", "Europe/Berlin\n", "CET-1CEST,M3.5.0,M10.5.0/3"};
	struct arena *a = arena_new();
	char text[ZONE_TEXT];
	struct str *all;
	size_t n = zone_names(a, &all);

	CHECK(n >= 1 && str_is(all[0], "UTC"));
	CHECK(zone_is_known(STR("UTC")) && zone_of("UTC") == NULL);
	CHECK(TEXT_EQ(zone_name(NULL), "UTC"));
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK(!zone_is_known(str_from(bad[i])));
	for (size_t i = 0; i < n; i++)
		CHECK(zone_is_known(all[i]));
	if (has_database()) {
		CHECK(n > 300);
		CHECK(zone_of("Europe/Berlin") == zone_of("Europe/Berlin"));
		CHECK(TEXT_EQ(zone_name(zone_of("Europe/Berlin")), "Europe/Berlin"));
		zone_offset_text(text, zone_of("America/St_Johns"), at("2026-01-01"));
		CHECK(TEXT_EQ(text, "UTC-3:30"));
		zone_offset_text(text, zone_of("Pacific/Chatham"), at("2026-01-01"));
		CHECK(TEXT_EQ(text, "UTC+13:45"));
		zone_offset_text(text, zone_of("Europe/London"), at("2026-01-01"));
		CHECK(TEXT_EQ(text, "UTC"));
	}
	arena_free(a);
}

/* A file of version 2 without times: header, 32-bit block of one type, header, 64-bit block, rule.
 */
static struct zone *made(struct arena *a, const char *rule, size_t cut)
{
	static const char counts[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1";
	struct buf *b = buf_new(a, 4096);

	_Static_assert(sizeof(counts) == 25, "six numbers");
	for (int i = 0; i < 2; i++) {
		buf_str(b, "TZif2");
		buf_add(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
		buf_add(b, counts, 24);
		buf_add(b, "\0\0\16\20\0\0\0", 7);
	}
	buf_printf(b, "\n%s\n", rule);
	return zone_parse(a, "Made/Up", (struct str){b->p, b->len - cut});
}

/* Rules of all forms; files that are cut anywhere, or whose rule is none. */
static void files(void)
{
	static const struct {
		int line;
		const char *rule, *at;
		int offset_s; /* -1: it is no file */
	} rows[] = {
	    {__LINE__, "CET-1", "2026-07-01", 3600},
	    {__LINE__, "<+0530>-5:30", "2026-07-01", 19800},
	    {__LINE__, "", "2026-07-01", 3600},
	    {__LINE__, "AAA0BBB,J60/0,J300/0", "2024-02-29T23:59:59Z", 0},
	    {__LINE__, "AAA0BBB,J60/0,J300/0", "2024-03-01T00:00:00Z", 3600},
	    {__LINE__, "AAA0BBB,59/0,300/0", "2024-02-29T00:00:00Z", 3600},
	    {__LINE__, "AAA0BBB,59/0,300/0", "2025-02-28T23:59:59Z", 0},
	    {__LINE__, "AAA3BBB2,M3.5.0/-2,M10.5.0/-1", "2026-03-29T00:59:59Z", -10800},
	    {__LINE__, "AAA3BBB2,M3.5.0/-2,M10.5.0/-1", "2026-03-29T01:00:00Z", -7200},
	    {__LINE__, "CET", "2026-07-01", -1},
	    {__LINE__, "CE-1", "2026-07-01", -1},
	    {__LINE__, "CET-1CEST", "2026-07-01", -1},
	    {__LINE__, "CET-1CEST,M3.5.0", "2026-07-01", -1},
	    {__LINE__, "CET-1CEST,M13.5.0,M10.5.0", "2026-07-01", -1},
	    {__LINE__, "CET-1CEST,M3.6.0,M10.5.0", "2026-07-01", -1},
	    {__LINE__, "CET-1CEST,M3.5.0,M10.5.0/168", "2026-07-01", -1},
	    {__LINE__, "CET-1CEST,M3.5.0,M10.5.0x", "2026-07-01", -1},
	    {__LINE__, "CET-25", "2026-07-01", -1},
	    {__LINE__, "CET-99999999999", "2026-07-01", -1},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct zone *z = made(a, rows[i].rule, 0);

		CHECK_AT(rows[i].line,
		    rows[i].offset_s == -1
			? z == NULL
			: z != NULL && zone_offset_s(z, at(rows[i].at)) == rows[i].offset_s);
	}
	for (size_t cut = 1; cut < 100; cut++)
		CHECK(made(a, "", cut) == NULL);
	CHECK(zone_parse(a, "Made/Up", STR("")) == NULL);
	arena_free(a);
}

void suite_base_zone(void);
void suite_base_zone(void)
{
	ADD_TESTS("base/zone", {"local times", local_times}, {"instants", instants}, {"days", days},
	    {"names", names}, {"files", files});
}
