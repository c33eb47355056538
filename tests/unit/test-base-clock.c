#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "test-base.h"

#define S(seconds) (INT64_C(seconds) * SECOND_US)

static void iso_both_ways(void)
{
	static const struct {
		int line;
		int64_t at_us;
		const char *text;
	} rows[] = {
	    {__LINE__, 0, "1970-01-01T00:00:00Z"},
	    {__LINE__, -1, "1969-12-31T23:59:59.999999Z"},
	    {__LINE__, S(951782400), "2000-02-29T00:00:00Z"},
	    {__LINE__, S(1709251199), "2024-02-29T23:59:59Z"},
	    {__LINE__, S(1709251200), "2024-03-01T00:00:00Z"},
	    {__LINE__, S(4107542399), "2100-02-28T23:59:59Z"},
	    {__LINE__, S(4107542400), "2100-03-01T00:00:00Z"},
	    {__LINE__, S(2147483648), "2038-01-19T03:14:08Z"},
	    {__LINE__, S(4294967296), "2106-02-07T06:28:16Z"},
	    {__LINE__, S(1772893800), "2026-03-07T14:30:00Z"},
	    {__LINE__, S(1772893800) + 123000, "2026-03-07T14:30:00.123Z"},
	    {__LINE__, S(1772893800) + 123456, "2026-03-07T14:30:00.123456Z"},
	    {__LINE__, S(1772893800) + 1, "2026-03-07T14:30:00.000001Z"},
	    {__LINE__, S(1772893800) + 1000, "2026-03-07T14:30:00.001Z"},
	    {__LINE__, S(-62167219200), "0000-01-01T00:00:00Z"},
	    {__LINE__, S(253402300799) + 999999, "9999-12-31T23:59:59.999999Z"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[CLOCK_TEXT];
		int64_t at_us = 1;

		clock_iso(text, rows[i].at_us);
		CHECK_AT(rows[i].line, TEXT_EQ(text, rows[i].text));
		CHECK_AT(rows[i].line, TEXT_EQ(clock_iso_dup(a, rows[i].at_us), rows[i].text));
		CHECK_AT(rows[i].line, clock_parse_iso(str_from(text), &at_us));
		CHECK_AT(rows[i].line, at_us == rows[i].at_us);
	}
	arena_free(a);
}

static void iso_beyond_four_digits_is_clamped(void)
{
	char text[CLOCK_TEXT];

	clock_iso(text, INT64_MAX);
	CHECK(TEXT_EQ(text, "9999-12-31T23:59:59.999999Z"));
	clock_iso(text, INT64_MIN);
	CHECK(TEXT_EQ(text, "0000-01-01T00:00:00Z"));
	clock_day_text(text, INT32_MAX);
	CHECK(TEXT_EQ(text, "9999-12-31"));
}

static void iso_forms(void)
{
	static const struct {
		int line;
		const char *text;
		bool is_ok;
		int64_t at_us;
	} rows[] = {
	    {__LINE__, "2026-03-07", true, S(1772841600)},
	    {__LINE__, "2026-03-07T14:30:00", true, S(1772893800)},
	    {__LINE__, "2026-03-07 14:30:00", true, S(1772893800)},
	    {__LINE__, "2026-03-07T14:30", true, S(1772893800)},
	    {__LINE__, "2026-03-07t14:30:00z", true, S(1772893800)},
	    {__LINE__, "2026-03-07T16:30:00+02:00", true, S(1772893800)},
	    {__LINE__, "2026-03-07T14:30:00+0000", true, S(1772893800)},
	    {__LINE__, "2026-03-07T09:00:00-05:30", true, S(1772893800)},
	    {__LINE__, "2026-03-07 06:30:00-08:00", true, S(1772893800)},
	    {__LINE__, "2026-03-07T14:30:00.5Z", true, S(1772893800) + 500000},
	    {__LINE__, "2026-03-07T14:30:00,5Z", true, S(1772893800) + 500000},
	    {__LINE__, "2026-03-07T14:30:00.1234567891Z", true, S(1772893800) + 123456},
	    {__LINE__, "2026-03-07T14:30:00.25", true, S(1772893800) + 250000},
	    {__LINE__, "2016-12-31T23:59:60Z", true, S(1483228800)}, /* leap second */
	    {__LINE__, "2026-01-01T00:30:00+01:00", true, S(1767223800)},
	    {__LINE__, "2024-02-29", true, S(1709164800)},
	    {__LINE__, "2026-02-29", false, 0},
	    {__LINE__, "2100-02-29", false, 0},
	    {__LINE__, "2026-04-31", false, 0},
	    {__LINE__, "2026-00-01", false, 0},
	    {__LINE__, "2026-13-01", false, 0},
	    {__LINE__, "2026-01-00", false, 0},
	    {__LINE__, "2026-01-01T24:00:00Z", false, 0},
	    {__LINE__, "2026-01-01T00:60:00Z", false, 0},
	    {__LINE__, "2026-01-01T00:00:61Z", false, 0},
	    {__LINE__, "2026-01-01T00:00:00.Z", false, 0},
	    {__LINE__, "2026-01-01T00:00:00+24:00", false, 0},
	    {__LINE__, "2026-01-01T00:00:00+01:60", false, 0},
	    {__LINE__, "2026-01-01T00:00:00+1", false, 0},
	    {__LINE__, "2026-01-01T00:00:00 Z", false, 0},
	    {__LINE__, "2026-01-01T00:00:00Zx", false, 0},
	    {__LINE__, "2026-01-01T", false, 0},
	    {__LINE__, "2026-01-01T00", false, 0},
	    {__LINE__, "2026-1-1", false, 0},
	    {__LINE__, "26-01-01", false, 0},
	    {__LINE__, "20260101", false, 0},
	    {__LINE__, " 2026-01-01", false, 0},
	    {__LINE__, "", false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t at_us = -7;
		bool is_ok = clock_parse_iso(str_from(rows[i].text), &at_us);

		CHECK_AT(rows[i].line, is_ok == rows[i].is_ok);
		CHECK_AT(rows[i].line, at_us == (rows[i].is_ok ? rows[i].at_us : -7));
	}
}

/* As providers write them. */
static void any_forms(void)
{
	static const struct {
		int line;
		const char *text;
		bool is_ok;
		int64_t at_us;
	} rows[] = {
	    {__LINE__, "2026-03-01T08:00:00Z", true, S(1772352000)},
	    {__LINE__, " 2026-03-01 08:00 ", true, S(1772352000)},
	    {__LINE__, "20260301T080000Z", true, S(1772352000)},
	    {__LINE__, "20260301T0800+0000", true, S(1772352000)},
	    {__LINE__, "20260301T09+01", true, S(1772352000)},
	    {__LINE__, "2026-03-01 09:00:00+01", true, S(1772352000)},
	    {__LINE__, "2026-03-01T08Z", true, S(1772352000)},
	    {__LINE__, "2026-03-01 08:00:00 UTC", true, S(1772352000)},
	    {__LINE__, "2026-03-01 09:00:00 +0100", true, S(1772352000)},
	    {__LINE__, "2026-03-01T08:00.5Z", true, S(1772352030)},
	    {__LINE__, "20260301T08.25Z", true, S(1772352900)},
	    {__LINE__, "20260301080000", true, S(1772352000)},
	    {__LINE__, "20260301080000.5Z", true, S(1772352000) + 500000},
	    {__LINE__, "2026-02-28T24:00:00Z", true, S(1772323200)},
	    {__LINE__, "20260228T2400Z", true, S(1772323200)},
	    {__LINE__, "2026-02-28T24:00:01Z", false, 0},
	    {__LINE__, "2026-02-28T25:00:00Z", false, 0},
	    {__LINE__, "2026-02-28T23:59:60Z", true, S(1772323200)},
	    {__LINE__, "2026-W09-7", true, S(1772323200)},
	    {__LINE__, "2026W097T080000Z", true, S(1772352000)},
	    {__LINE__, "2021-W01-1", true, S(1609718400)}, /* January 4th */
	    {__LINE__, "2020-W53-5", true, S(1609459200)}, /* January 1st 2021 */
	    {__LINE__, "2021-W53-5", false, 0},
	    {__LINE__, "2026-W00-1", false, 0},
	    {__LINE__, "2026-W09-8", false, 0},
	    {__LINE__, "2026-060T08:00:00Z", true, S(1772352000)},
	    {__LINE__, "2026060T080000Z", true, S(1772352000)},
	    {__LINE__, "2024-366", true, S(1735603200)},
	    {__LINE__, "2026-366", false, 0},
	    {__LINE__, "2026-000", false, 0},
	    {__LINE__, "2026060", true, S(2026060)}, /* no date: seconds */
	    {__LINE__, "202603010800", true, INT64_C(202603010800) * 1000},
	    {__LINE__, "20261301080000", true, INT64_C(20261301080000) * 1000},
	    {__LINE__, "2026-03-01T08:00:00+1", false, 0},
	    {__LINE__, "2026-03-01T08:00:00 UTC+1", false, 0},
	    {__LINE__, "2026-3-1T08:00:00Z", false, 0},
	    {__LINE__, "2026-03-01T08:00:00Z[UTC]", false, 0},
	    {__LINE__, "20260301T090000.5+01:00", true, S(1772352000) + 500000},
	    {__LINE__, "20260301", true, S(1772323200)},
	    {__LINE__, "20261301", true, S(20261301)}, /* no date: seconds */
	    {__LINE__, "Sun, 01 Mar 2026 08:00:00 +0000", true, S(1772352000)},
	    {__LINE__, "Sun, 1 Mar 2026 09:00:00 +0100 (CET)", true, S(1772352000)},
	    {__LINE__, "1 Mar 26 08:00 GMT", true, S(1772352000)},
	    {__LINE__, "sun, 01 MAR 2026 08:00:00 gmt", true, S(1772352000)},
	    {__LINE__, "01 Mar 2026 03:00:00 EST", true, S(1772352000)},
	    {__LINE__, "06 Nov 94 08:49:37 UT", true, S(784111777)},
	    {__LINE__, "Sun, 01 Mar 2026 08:00:00", false, 0},
	    {__LINE__, "Sun, 32 Mar 2026 08:00:00 GMT", false, 0},
	    {__LINE__, "1772352000", true, S(1772352000)},
	    {__LINE__, "1772352000.25", true, S(1772352000) + 250000},
	    {__LINE__, "1772352000250", true, S(1772352000) + 250000},
	    {__LINE__, "0", true, 0},
	    {__LINE__, "-86400", true, S(-86400)},
	    {__LINE__, "-86400000000000", true, S(INT64_C(-86400000000))},
	    {__LINE__, "99999999999", true, S(INT64_C(99999999999))},
	    {__LINE__, "100000000000", true, S(100000000)},
	    {__LINE__, "99999999999999999999", false, 0},
	    {__LINE__, "yesterday", false, 0},
	    {__LINE__, "12:30", false, 0},
	    {__LINE__, "1772352000.", false, 0},
	    {__LINE__, "-", false, 0},
	    {__LINE__, "", false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t at_us = -7;
		bool is_ok = clock_parse_any(str_from(rows[i].text), &at_us);

		CHECK_AT(rows[i].line, is_ok == rows[i].is_ok);
		CHECK_AT(rows[i].line, at_us == (rows[i].is_ok ? rows[i].at_us : -7));
	}
}

/* RFC 9110 §5.6.7: one form is written, three are read. */
static void http_dates(void)
{
	static const struct {
		int line;
		const char *text;
		bool is_ok;
		int64_t at_us;
	} rows[] = {
	    {__LINE__, "Sun, 06 Nov 1994 08:49:37 GMT", true, S(784111777)},
	    {__LINE__, "Sunday, 06-Nov-94 08:49:37 GMT", true, S(784111777)},
	    {__LINE__, "Sun Nov  6 08:49:37 1994", true, S(784111777)},
	    {__LINE__, "Thu Jan 18 08:49:37 2038", true, S(2147417377)},
	    {__LINE__, "Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
	    {__LINE__, "Sun, 06 Nov 1994 08:49:37", false, 0},
	    {__LINE__, "Sun, 6 Nov 1994 08:49:37 GMT", false, 0},
	    {__LINE__, "Sun, 31 Nov 1994 08:49:37 GMT", false, 0},
	    {__LINE__, "Sun, 06 Foo 1994 08:49:37 GMT", false, 0},
	    {__LINE__, "sun, 06 Nov 1994 08:49:37 GMT", false, 0},
	    {__LINE__, "Sun, 06 Nov 1994 25:49:37 GMT", false, 0},
	    {__LINE__, "", false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t at_us = -7;
		bool is_ok = clock_parse_http(str_from(rows[i].text), &at_us);

		CHECK_AT(rows[i].line, is_ok == rows[i].is_ok);
		CHECK_AT(rows[i].line, at_us == (rows[i].is_ok ? rows[i].at_us : -7));
	}
}

static void retry_after(void)
{
	const int64_t now = S(784111777); /* Sun, 06 Nov 1994 08:49:37 GMT */
	static const struct {
		int line;
		const char *text;
		bool is_ok;
		int64_t wait_ms;
	} rows[] = {
	    {__LINE__, "0", true, 0},
	    {__LINE__, "120", true, 120000},
	    {__LINE__, " 120 ", true, 120000},
	    {__LINE__, "2.0", true, 2000},
	    {__LINE__, "0.5", true, 500},
	    {__LINE__, "1.0001", true, 1001},
	    {__LINE__, "Sun, 06 Nov 1994 08:49:47 GMT", true, 10000},
	    {__LINE__, "Sun, 06 Nov 1994 08:49:27 GMT", true, 0},
	    {__LINE__, "1994-11-06T08:50:37Z", true, 60000},
	    {__LINE__, "1994-11-07T00:00:00Z", true, 54623000},
	    {__LINE__, "1994-11-06T08:49:37.0001Z", true, 1},
	    {__LINE__, "1990-01-01T00:00:00Z", true, 0},
	    {__LINE__, "99999999999999999999999999", true, INT64_C(315360000000)},
	    {__LINE__, "-1", false, 0},
	    {__LINE__, "+1", false, 0},
	    {__LINE__, "1e3", false, 0},
	    {__LINE__, "1,5", false, 0},
	    {__LINE__, "1.", false, 0},
	    {__LINE__, ".5", false, 0},
	    {__LINE__, "soon", false, 0},
	    {__LINE__, "", false, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t wait_ms = -7;
		bool is_ok = clock_parse_retry_after(str_from(rows[i].text), now, &wait_ms);

		CHECK_AT(rows[i].line, is_ok == rows[i].is_ok);
		if (is_ok && rows[i].is_ok)
			CHECK_AT(rows[i].line, wait_ms == rows[i].wait_ms);
	}
}

static void days(void)
{
	char text[CLOCK_TEXT];

	CHECK(clock_day(0) == 0 && clock_day(DAY_US - 1) == 0 && clock_day(DAY_US) == 1);
	CHECK(clock_day(-1) == -1 && clock_day(-DAY_US) == -1 && clock_day(-DAY_US - 1) == -2);
	clock_day_text(text, 0);
	CHECK(TEXT_EQ(text, "1970-01-01"));
	clock_day_text(text, clock_day(S(1772893800)));
	CHECK(TEXT_EQ(text, "2026-03-07"));
	clock_day_text(text, -1);
	CHECK(TEXT_EQ(text, "1969-12-31"));
}

/* Every day of 800 years is one after the day before it, read back from its text. */
static void every_day_once(void)
{
	const int32_t first = clock_day(S(-11676096000)), n = 2 * 146097; /* 1600-01-01 */
	int bad = 0;

	for (int32_t day = first; day < first + n; day++) {
		char text[CLOCK_TEXT];
		int64_t at_us = 0;

		clock_day_text(text, day);
		bad += !clock_parse_iso(str_from(text), &at_us) || clock_day(at_us) != day;
	}
	CHECK(bad == 0);
}

static void now(void)
{
	int64_t before = clock_mono_us();

	CHECK(clock_now_us() > S(1700000000));
	CHECK(clock_mono_us() >= before);
}

void suite_base_clock(void);
void suite_base_clock(void)
{
	ADD_TESTS("base/clock", {"ISO both ways", iso_both_ways},
	    {"ISO beyond four digits is clamped", iso_beyond_four_digits_is_clamped},
	    {"ISO forms", iso_forms}, {"any forms", any_forms}, {"HTTP dates", http_dates},
	    {"Retry-After", retry_after}, {"days", days}, {"every day once", every_day_once},
	    {"now", now});
}
