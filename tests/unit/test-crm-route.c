/* Hours of a destination, on odd nights too, and conditions in words. */
#include "base/arena.h"
#include "base/clock.h"
#include "core-check.h"
#include "crm/crm-route.h"

void suite_crm_route(void);

static int64_t at(const char *iso)
{
	int64_t us = 0;

	CHECK(clock_parse_iso(str_from(iso), &us));
	return us;
}

static void hours(void)
{
	static const struct {
		int line;
		const char *hours, *now, *next; /* next NULL: open now */
	} cases[] = {
	    /* a Monday to Friday; 2026-03-06 is a Friday */
	    {__LINE__,
		"\"days\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\"],\"from\":\"09:00\",\"to\":\"18:"
		"00\"",
		"2026-03-06T08:00:00Z", NULL},
	    {__LINE__,
		"\"days\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\"],\"from\":\"09:00\",\"to\":\"18:"
		"00\"",
		"2026-03-06T07:59:59Z", "2026-03-06T08:00:00Z"},
	    {__LINE__,
		"\"days\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\"],\"from\":\"09:00\",\"to\":\"18:"
		"00\"",
		"2026-03-06T17:00:00Z", "2026-03-09T08:00:00Z"},
	    {__LINE__, "\"days\":[\"fri\"],\"from\":\"09:00\",\"to\":\"18:00\"",
		"2026-03-06T17:00:00Z", "2026-03-13T08:00:00Z"},
	    /* over midnight: the night of Friday goes on into Saturday */
	    {__LINE__, "\"days\":[\"fri\"],\"from\":\"22:00\",\"to\":\"06:00\"",
		"2026-03-07T04:59:00Z", NULL},
	    {__LINE__, "\"days\":[\"fri\"],\"from\":\"22:00\",\"to\":\"06:00\"",
		"2026-03-07T05:00:00Z", "2026-03-13T21:00:00Z"},
	    {__LINE__, "\"days\":[\"fri\"],\"from\":\"00:00\",\"to\":\"24:00\"",
		"2026-03-06T22:59:00Z", NULL},
	    {__LINE__, "\"days\":[\"fri\"],\"from\":\"00:00\",\"to\":\"24:00\"",
		"2026-03-06T23:00:00Z", "2026-03-12T23:00:00Z"},
	    /* the night that lacks an hour: 02:30 is 03:30 */
	    {__LINE__, "\"days\":[\"sun\"],\"from\":\"02:30\",\"to\":\"08:00\"",
		"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"},
	    {__LINE__, "\"days\":[\"sun\"],\"from\":\"09:00\",\"to\":\"18:00\"",
		"2026-03-29T06:00:00Z", "2026-03-29T07:00:00Z"},
	    /* the night that has one twice: open at the first 02:30, and at the second */
	    {__LINE__, "\"days\":[\"sun\"],\"from\":\"02:30\",\"to\":\"08:00\"",
		"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"},
	    {__LINE__, "\"days\":[\"sun\"],\"from\":\"02:30\",\"to\":\"08:00\"",
		"2026-10-25T01:30:00Z", NULL},
	    {__LINE__, "\"days\":[\"mon\"],\"from\":\"09:00\",\"to\":\"18:00\"",
		"2026-10-25T12:00:00Z", "2026-10-26T08:00:00Z"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct loader l = route_loader(a, &err);
		struct lead_route r = {.weight = 1};
		json_t *v = json_parse(a,
		    str_from(arena_printf(
			a, "{\"hours\":{\"zone\":\"Europe/Berlin\",%s}}", cases[i].hours)),
		    NULL);
		int64_t now = at(cases[i].now);

		REQUIRE(v != NULL);
		REQUIRE(route_compile(&l, v, &r) == 0);
		CHECK_AT(cases[i].line, route_is_open(&r, now) == (cases[i].next == NULL));
		CHECK_AT(cases[i].line, route_next_open_us(&r, now) ==
					    (cases[i].next == NULL ? now : at(cases[i].next)));
		arena_free(a);
	}
}

static void words(void)
{
	static const struct {
		const char *cond, *words;
	} cases[] = {{"{\"ref\":\"company\",\"equals\":\"Acme\"}", "company is Acme"},
	    {"{\"ref\":\"email\",\"exists\":true}", "email is there"},
	    {"{\"ref\":\"email\",\"exists\":false}", "email is not there"},
	    {"[{\"ref\":\"a\",\"in\":[\"x\",2]},{\"not\":{\"ref\":\"b\",\"startsWith\":\"y\"}}]",
		"a is one of x, 2 and not: b begins with y"},
	    {"{\"any\":[{\"ref\":\"a\",\"endsWith\":[\"x\"]},{\"all\":[]}]}", "a ends with x or "}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();

		CHECK(TEXT_EQ(
		    route_words(a, json_parse(a, str_from(cases[i].cond), NULL)), cases[i].words));
		arena_free(a);
	}
}

void suite_crm_route(void)
{
	ADD_TESTS("crm_route", {"hours", hours}, {"conditions in words", words});
}
