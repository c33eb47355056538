/* Numbers as text: what is one, which are equal, and what an id is of one. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/number.h"
#include "record/record-words.h"
#include "test-base.h"

static void forms(void)
{
	static const struct {
		int line;
		const char *text;
		size_t length;
		bool is_int64;
	} rows[] = {
	    {__LINE__, "0", 1, true},
	    {__LINE__, "-0", 2, false},
	    {__LINE__, "-7", 2, true},
	    {__LINE__, "01", 1, true},
	    {__LINE__, "0.50x", 4, false},
	    {__LINE__, "1.", 1, true},
	    {__LINE__, "1.e5", 1, true},
	    {__LINE__, "4e3,", 3, false},
	    {__LINE__, "4E+03", 5, false},
	    {__LINE__, "4e-", 1, true},
	    {__LINE__, "9223372036854775807", 19, true},
	    {__LINE__, "9223372036854775808", 19, false},
	    {__LINE__, "-9223372036854775808", 20, true},
	    {__LINE__, "-9223372036854775809", 20, false},
	    {__LINE__, "10000000000000000000", 20, false},
	    {__LINE__, "", 0, false},
	    {__LINE__, "-", 0, false},
	    {__LINE__, "+1", 0, false},
	    {__LINE__, ".5", 0, false},
	    {__LINE__, "x", 0, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str s = str_from(rows[i].text), number = {s.p, number_length(s)};

		CHECK_AT(rows[i].line, number.n == rows[i].length);
		CHECK_AT(rows[i].line, number_is(s) == (s.n > 0 && rows[i].length == s.n));
		CHECK_AT(
		    rows[i].line, number.n == 0 || number_is_int64(number) == rows[i].is_int64);
	}
}

static void plain_forms(void)
{
	static const struct {
		int line;
		const char *text, *plain;
	} rows[] = {
	    {__LINE__, "0", "0"},
	    {__LINE__, "-0.00e5", "0"},
	    {__LINE__, "5", "5"},
	    {__LINE__, "5.0", "5"},
	    {__LINE__, "-2.50", "-2.5"},
	    {__LINE__, "4e3", "4000"},
	    {__LINE__, "4.56e1", "45.6"},
	    {__LINE__, "4.56E+2", "456"},
	    {__LINE__, "1200e-2", "12"},
	    {__LINE__, "100", "100"},
	    {__LINE__, "5e-1", "0.5"},
	    {__LINE__, "0.050", "0.05"},
	    {__LINE__, "123e-5", "0.00123"},
	    {__LINE__, "1.8446744073709551001e19", "18446744073709551001"},
	    {__LINE__, "18446744073709551001.000", "18446744073709551001"},
	    {__LINE__, "1e999", NULL},
	    {__LINE__, "1e-999", NULL},
	    {__LINE__, "1e99999999999999999999999999999999", NULL},
	    {__LINE__, "1e-99999999999999999999999999999999", NULL},
	    {__LINE__, "0e99999999999999999999999999999999", "0"},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str plain = number_plain(a, str_from(rows[i].text));

		CHECK_AT(rows[i].line, (plain.p == NULL) == (rows[i].plain == NULL));
		if (plain.p != NULL && rows[i].plain != NULL)
			CHECK_AT(rows[i].line,
			    TEXT_EQ(plain.p, rows[i].plain) && strlen(plain.p) == plain.n);
	}
	arena_free(a);
}

static void values(void)
{
	static const struct {
		int line;
		const char *x, *y;
		bool are_equal;
	} rows[] = {
	    {__LINE__, "5", "5.0", true},
	    {__LINE__, "5", "50e-1", true},
	    {__LINE__, "5", "0.05e2", true},
	    {__LINE__, "5", "-5", false},
	    {__LINE__, "0", "-0.0e9", true},
	    {__LINE__, "2.5", "2.50", true},
	    {__LINE__, "2.5", "25", false},
	    {__LINE__, "0.25", "0.025", false},
	    {__LINE__, "1e999", "10e998", true},
	    {__LINE__, "1e999", "1e998", false},
	    {__LINE__, "18446744073709551001", "18446744073709551002", false},
	    {__LINE__, "9007199254740993", "9007199254740992", false},
	    {__LINE__, "0.1", "0.1000000000000000055511151231257827", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		CHECK_AT(rows[i].line,
		    number_equals(str_from(rows[i].x), str_from(rows[i].y)) == rows[i].are_equal);
}

/* The order of the bytes is that of the values. */
static void orders_of_bytes(void)
{
	static const char *const rising[] = {"-1e99999999999999999999", "-1e30", "-10.50",
	    "-10.5001e0", "-10", "-9", "-1e-7", "0", "1e-99999999999999999999", "0.05", "5e-1", "9",
	    "10", "10.000000000000000000001", "18446744073709551616", "1e999"};
	unsigned char last[64], now[64];
	size_t nlast = 0;

	for (size_t i = 0; i < COUNT(rising); i++) {
		size_t n = number_order(now, sizeof(now), str_from(rising[i]));
		int order = memcmp(last, now, n < nlast ? n : nlast);

		if (i != 3) /* below the one before it */
			CHECK(nlast == 0 || order < 0 || (order == 0 && nlast < n));
		else
			CHECK(order > 0 || (order == 0 && nlast > n));
		if (i == 3)
			continue;
		memcpy(last, now, n);
		nlast = n;
	}
	CHECK(number_order(last, 64, STR("5")) == number_order(now, 64, STR("0.0500e2")));
	CHECK(memcmp(last, now, 10) == 0);
	CHECK(number_order(now, 16, STR("12345678901234567890")) <= 16);
}

static void orders(void)
{
	/* each below the next */
	static const char *const up[] = {"-1e30", "-20", "-2.5", "-2", "-0.01", "0", "1e-400",
	    "0.001", "0.5", "0.51", "5", "5.01", "9", "10", "99.9", "100", "18446744073709551001",
	    "18446744073709551002", "1e30"};

	for (size_t i = 0; i < COUNT(up); i++)
		for (size_t k = 0; k < COUNT(up); k++) {
			const int order = number_compare(str_from(up[i]), str_from(up[k]));

			CHECK_AT(
			    (int)(i * 100 + k), (order > 0) - (order < 0) == (i > k) - (i < k));
		}
}

/* ---- of any number ------------------------------------------------------------------------- */

static unsigned below(unsigned n)
{
	static uint64_t state = 20260307;

	state = state * UINT64_C(6364136223846793005) + 1;
	return (unsigned)(state >> 33) % n;
}

static size_t put_digits(char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (char)('0' + below(10));
	return n;
}

/* Any number's text: up to 30 digits before the point and behind it, and an exponent. */
static const char *any_number(struct arena *a)
{
	char *out = arena_alloc(a, 100), *p = out;

	if (below(3) == 0)
		*p++ = '-';
	if (below(4) == 0) {
		*p++ = '0';
	} else {
		*p++ = (char)('1' + below(9));
		p += put_digits(p, below(below(2) == 0 ? 3 : 30));
	}
	if (below(2) == 0) {
		*p++ = '.';
		p += put_digits(p, 1 + below(below(2) == 0 ? 3 : 30));
	}
	if (below(3) == 0)
		p += snprintf(
		    p, 20, "%c%s%u", "eE" [below(2)], (const char *[]) { "", "+", "-" }[below(3)],
		    below(30));
	*p = '\0';
	return out;
}

/* The same value: the point moved by places that the exponent takes back, zeros added. */
static const char *same_number(struct arena *a, const char *text)
{
	const char *plain = number_plain(a, str_from(text)).p;
	int places = (int)below(40) - 20;

	return arena_printf(a, "%s%se%+d",
	    number_plain(a, str_from(arena_printf(a, "%se%d", plain, places))).p,
	    below(2) == 0                              ? ""
	    : strchr(plain, '.') != NULL || places < 0 ? ""
						       : ".00",
	    -places);
}

static void told(bool is, const char *what, const char *number)
{
	if (!is)
		CU_assertImplementation(CU_FALSE, __LINE__, what, number, "", CU_FALSE);
}

/* What is parsed is written as it was, wherever it stands. */
static void keep_their_digits(void)
{
	for (int i = 0; i < 20000; i++) {
		struct arena *a = arena_new();
		const char *n = any_number(a),
			   *text = arena_printf(a, "{\"a\":%s,\"b\":[%s,{\"c\":\"%s\"}]}", n, n, n);
		const json_t *v = json_parse(a, str_from(text), NULL);
		const json_t *copy = json_own(a, json_deep_copy(v));
		const char *scalar = json_scalar_text(a, json_object_get(v, "a"));

		told(v != NULL && TEXT_EQ(json_text(a, v).p, text), "written", n);
		told(json_equal(v, copy) && TEXT_EQ(json_text(a, copy).p, text), "copied", n);
		told(scalar != NULL && TEXT_EQ(scalar, n), "as text", n);
		told(json_is_number(json_object_get(v, "a")) &&
			 !json_is_string(json_object_get(v, "a")),
		    "a number", n);
		told(json_number_value(json_object_get(v, "a")) == strtod(n, NULL), "its value", n);
		arena_free(a);
	}
}

/* A filter's words are among those of every payload with an equal number, and with its own text. */
static bool finds(struct arena *a, const char *data, const char *wanted)
{
	struct record_item item = {.provider_type = STR("manual"),
	    .resource_type = STR("contact"),
	    .external_id = STR("1"),
	    .source = RECORD_SOURCE_IMPORT,
	    .data = str_from(data)};
	struct record_where where = {
	    path_compile(a, STR("n"), NULL), RECORD_WHERE_IS, str_from(wanted)};
	struct search_terms t = {.n = 0};

	search_terms_add_where(&t, a, &item.account_id, &where);
	return search_terms_fit(&t, record_words_all(a, &item));
}

static void are_found_by_value(void)
{
	for (int i = 0; i < 20000; i++) {
		struct arena *a = arena_new();
		const char *n = any_number(a), *same = same_number(a, n);

		told(number_is(str_from(same)) && number_equals(str_from(n), str_from(same)), same,
		    n);
		told(finds(a, arena_printf(a, "{\"n\":%s}", n), same), same, n);
		told(finds(a, arena_printf(a, "{\"n\":%s}", same), n), n, same);
		told(finds(a, arena_printf(a, "{\"n\":\"%s\"}", n), n), "as text", n);
		arena_free(a);
	}
	struct arena *a = arena_new();

	CHECK(!finds(a, "{\"n\":2.6}", "2.5") && !finds(a, "{\"n\":50}", "5"));
	arena_free(a);
}

void suite_base_number(void);
void suite_base_number(void)
{
	ADD_TESTS("base/number", {"forms", forms}, {"plain forms", plain_forms}, {"values", values},
	    {"orders", orders}, {"orders of bytes", orders_of_bytes},
	    {"keep their digits", keep_their_digits}, {"are found by value", are_found_by_value});
}
