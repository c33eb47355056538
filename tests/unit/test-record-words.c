/* What a search finds: the searched words of a payload against the words of a search, without a
 * database. */
#include <stdlib.h>

#include "base/arena.h"
#include "record/record-words.h"
#include "test-base.h"

#define PAYLOAD                                                                                       \
	"{\"email\":\"Anna.Novak@Example.co.uk\",\"name\":\"Renée Müller-Lüdenscheidt\","          \
	"\"phone\":\"+44 20 7946 0958\",\"local\":\"(02) 555-98-83\",\"city\":\"New York\","          \
	"\"note\":\"the quick brown fox, and a dog\",\"city_jp\":\"東京都庁\",\"amount\":1250.5," \
	"\"nested\":{\"list\":[\"alpha\",{\"deep\":\"omega\"}]},\"date\":\"2026-03-07\",\"ok\":"      \
	"true,"                                                                                       \
	"\"sku\":\"AB-12/34\",\"greek\":\"Ωμέγα\",\"quoted\":\"say \\\"hello\\\" \\\\ world\"}"

static const struct {
	int line;
	const char *search;
	bool is_found;
} cases[] = {
    {__LINE__, "novak", true}, {__LINE__, "NOVAK", true}, {__LINE__, "nov", true},
    {__LINE__, "ovak", false}, {__LINE__, "anna.novak@example.co.uk", true},
    {__LINE__, "Anna.Novak@exam", true}, {__LINE__, "anna.novak@example.com", false},
    {__LINE__, "example.co.uk", true}, {__LINE__, "renee", true}, {__LINE__, "Renée", true},
    {__LINE__, "muller", true}, {__LINE__, "Müller-Lüd", true}, {__LINE__, "+442079460958", true},
    {__LINE__, "020 7946 0958", true}, {__LINE__, "79460958", true},
    {__LINE__, "0044 20 7946 0958", true}, {__LINE__, "+442079460959", false},
    {__LINE__, "02 5559883", true}, {__LINE__, "\"new york\"", true},
    {__LINE__, "\"york new\"", false}, {__LINE__, "york new", true},
    {__LINE__, "new york novak", true}, {__LINE__, "new york nobody", false},
    {__LINE__, "\"quick brown fox\"", true}, {__LINE__, "\"quick fox\"", false},
    {__LINE__, "the", true}, {__LINE__, "a", true}, {__LINE__, "and", true},
    {__LINE__, "東京", true}, {__LINE__, "京都", true}, {__LINE__, "東", true},
    {__LINE__, "庁", true}, {__LINE__, "大阪", false}, {__LINE__, "1250.5", true},
    {__LINE__, "1250", true}, {__LINE__, "alpha omega", true}, {__LINE__, "2026-03-07", true},
    {__LINE__, "2026-03", true}, {__LINE__, "ab-12/34", true}, {__LINE__, "ωμεγα", true},
    {__LINE__, "ext-77", true}, {__LINE__, "\"say hello\"", true}, {__LINE__, "world", true},
    {__LINE__, "quoted", false}, {__LINE__, "email", false},  /* keys are no words */
    {__LINE__, "true", false}, {__LINE__, "p_manual", false}, /* nor are the words of filters */
    {__LINE__, "%", false}, {__LINE__, "no_ak", false},       /* '_' stands for itself */
};

static struct record_item item_of(const struct uuid *account, struct str data)
{
	return (struct record_item){.account_id = *account,
	    .provider_type = STR("manual"),
	    .resource_type = STR("contact"),
	    .external_id = STR("EXT-77"),
	    .source = RECORD_SOURCE_IMPORT,
	    .data = data};
}

static struct str words(struct arena *a, const struct uuid *account)
{
	struct record_item item = item_of(account, STR(PAYLOAD));

	return record_words_all(a, &item);
}

static bool finds(struct arena *a, const struct uuid *account, struct str text, const char *search)
{
	struct search_terms t = {.n = 0};
	struct err err = ERR_INIT;

	return search_terms_add(&t, a, account, str_from(search), &err) == 0 && !t.is_impossible &&
	       search_terms_fit(&t, text);
}

static void finds_what_people_type(void)
{
	struct arena *a = arena_new();
	struct uuid account = uuid_new();
	struct str text = words(a, &account);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK_AT(
		    cases[i].line, finds(a, &account, text, cases[i].search) == cases[i].is_found);
	arena_free(a);
}

/* One text, and what finds it ("|" between them) or does not. */
static const struct {
	int line;
	const char *text, *found, *missed;
} texts[] = {
    {__LINE__, "Order 2026-000417 is late", "2026-000417|000417|2026|order 2026-000417|2026000417",
	"2026-000418|000417-2026"},
    {__LINE__, "ring +49 30 23125 012 after five",
	"+49 30 23125 012|+493023125012|0049 (30) 23125-012|030 23125012|030/23125 012|23125012|"
	"23125|ring 030 23125012|+49 (0)30 23125012|after +49 30 23125012|+49 30",
	"+43 30 23125012|030 23125013|+49 30 23125 0123"},
    {__LINE__, "seen at 198.51.100.7", "198.51.100.7|198.51.100|198.51|seen at 198.51.100.7",
	"198.51.100.8|98.51.100.7"},
    {__LINE__, "2026-03-09T07:45:00Z", "2026-03-09|2026-03|2026|2026-03-09T07:45|07|45",
	"2026-03-08|2026-04-09"},
    {__LINE__, "2026-03-09 07:45:00.123456+01:00", "2026-03-09|2026-03-09 07:45|07:45:00", "09:45"},
    {__LINE__, "from 09.03.2026 to 2026/03/11", "09.03.2026|2026-03-11|2026/03/11", "2026-03-09"},
    {__LINE__, "Hi\nmia@example.com;ole@example.com",
	"ole@example.com|mia@example.com|hi|example.com|OLE@EXAMPLE.COM|<ole@example.com>|"
	"mia@example.com;ole@example.com|ole@|\"mia example\"",
	"mia@example.org|eva@example.com"},
    {__LINE__, "mailto:<a.b+c@mail.example.org>,x", "a.b+c@mail.example.org|a.b+c@mail|a.b", "b@x"},
    {__LINE__, "\u8bf7\u8054\u7cfbole@example.com\u3002",
	"ole@example.com|\xe8\x81\x94\xe7\xb3\xbb", "ol@example.com"},
    {__LINE__, "Tel.: 030/23125-012, mobil 0151 23456789",
	"030 23125012|+49 30 23125012|0151 23456789|+49 151 23456789|0049 151 23456789|23456789",
	"+49 151 23456780"},
    {__LINE__, "(207) 946-0958 or 1-800-555-0199",
	"207-946-0958|+1 207 946 0958|946-0958|9460958|1-800-555-0199|800 555 0199",
	"207 946 0959"},
    {__LINE__, "+12079460958", "+1 207 946 0958|207 946 0958|946 0958", "+44 20 7946 0958"},
    {__LINE__, "4915123456789", "+49 151 23456789|0151 23456789|4915123456789", "0151 23456788"},
    {__LINE__, "550e8400-e29b-41d4-a716-446655440000", "550e8400|446655440000|e29b-41d4",
	"6655440000"},
    {__LINE__, "call 030 2312501 or 030 2312502 / 0170 1234567",
	"030 2312502|+49 170 1234567|+49 30 2312501|0170 1234567", "030 2312503"},
    {__LINE__, "12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 030 23125 012 78 90 12 34 56 78",
	"030 23125012|+49 30 23125 012|30 23125012", "030 23125013"},
    {__LINE__, "v 10.20.30.40.50 12345678901234567890123", "10.20.30|12345678901234567890123",
	"20.10"},
    {__LINE__, "a_b #4711/2026 x=17;y=18", "a_b|4711|4711/2026|x=17|18", "b_a"},
};

static void each_part(const char *parts, struct arena *a, const struct uuid *account,
    struct str text, bool is_found, int line)
{
	struct str rest = str_from(parts), part;

	while (str_split(&rest, '|', &part)) {
		const char *search = arena_strndup(a, part.p, part.n);

		if (finds(a, account, text, search) != is_found)
			printf("# line %d: %s\n", line, search);
		CHECK_AT(line, finds(a, account, text, search) == is_found);
	}
}

/* Alone, and within other texts and values. */
static void finds_numbers_in_texts(void)
{
	struct arena *a = arena_new();
	struct uuid account = uuid_new();

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t k = 0; k < 2; k++) {
			const char *data = arena_printf(a,
			    k == 0 ? "{\"t\":\"%s\"}" : "{\"q\":7,\"l\":[\"zz\",\"%s\"],\"u\":8}",
			    texts[i].text);
			struct record_item item = item_of(&account, str_from(data));
			struct str text = record_words_all(a, &item);

			each_part(texts[i].found, a, &account, text, true, texts[i].line);
			each_part(texts[i].missed, a, &account, text, false, texts[i].line);
		}
	}
	arena_free(a);
}

/* ---- long records -------------------------------------------------------------------------- */

/* What LIKE finds of one pattern: '%' is anything, '\\' before '_' is nothing. */
static bool is_like(const char *pattern, const char *end, const char *s, const char *s_end)
{
	for (; pattern < end; pattern++) {
		if (*pattern == '%') {
			for (; s <= s_end; s++)
				if (is_like(pattern + 1, end, s, s_end))
					return true;
			return false;
		}
		pattern += *pattern == '\\';
		if (s == s_end || *s++ != *pattern)
			return false;
	}
	return s == s_end;
}

static bool statement_finds(const struct search_terms *t, struct str stored)
{
	struct db_val v[SEARCH_VALUES];
	size_t n = search_terms_values(t, v);

	for (size_t i = 0; i < n; i += 4) {
		bool is_met = false;

		for (size_t k = i; k < i + 4; k++)
			is_met =
			    is_met || (v[k].s.p != NULL && is_like(v[k].s.p, v[k].s.p + v[k].s.n,
							       stored.p, stored.p + stored.n));
		if (!is_met)
			return false;
	}
	return true;
}

/* A record of a megabyte: the statement lets nothing through that is not there by its words, and
 * drops nothing that is; the order tells the payload. */
static void loses_nothing_of_a_long_record(void)
{
	static const struct {
		int line;
		const char *search;
		bool is_let_through, is_found;
	} asked[] = {{__LINE__, "needle", true, true}, {__LINE__, "needl", true, true},
	    {__LINE__, "eedle", false, false}, {__LINE__, "\"last needle\"", true, true},
	    {__LINE__, "\"needle last\"", true, false}, {__LINE__, "ole@example.com", true, true},
	    {__LINE__, "030 23125012", true, true}, {__LINE__, "2026-000417", true, true},
	    {__LINE__, "2026-000418", false, false}, {__LINE__, "w77 w78", true, true},
	    {__LINE__, "\"w78 w77\"", true, false}, {__LINE__, "w99999999", false, false}};
	struct arena *a = arena_new();
	struct uuid account = uuid_new();
	struct buf *b = buf_new(a, 2u << 20);
	struct str stored, all;

	buf_str(b, "{\"body\":\"");
	for (int i = 0; b->len < 1000000; i++)
		buf_printf(b, "w%d ", i);
	buf_str(b, "\",\"t\":\"ole@example.com +49 30 23125 012 2026-000417 the last needle\"}");
	struct record_item item = item_of(&account, (struct str){b->p, b->len});

	stored = record_words(a, &item);
	all = record_words_all(a, &item);
	CHECK(str_starts(stored, WORDS_LONG) && !str_starts(all, WORDS_LONG));
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct search_terms t = {.n = 0};
		struct err err = ERR_INIT;

		CHECK(search_terms_add(&t, a, &account, str_from(asked[i].search), &err) == 0);
		if (statement_finds(&t, stored) != asked[i].is_let_through)
			printf("# %s\n", asked[i].search);
		CHECK_AT(asked[i].line, statement_finds(&t, stored) == asked[i].is_let_through);
		CHECK_AT(asked[i].line, search_terms_fit(&t, all) == asked[i].is_found);
		CHECK_AT(
		    asked[i].line, !asked[i].is_let_through || asked[i].is_found || t.has_order);
	}
	arena_free(a);
}

static void is_of_one_account(void)
{
	struct arena *a = arena_new();
	struct uuid mine = uuid_new(), other = {{1, 2, 3}};
	struct str text = words(a, &mine);

	CHECK(finds(a, &mine, text, "novak") && !finds(a, &other, text, "novak"));
	arena_free(a);
}

static void refuses_what_is_no_search(void)
{
	struct arena *a = arena_new();
	struct uuid account = uuid_new();
	struct search_terms t = {.n = 0};
	struct err err = ERR_INIT;
	char *much = arena_alloc(a, 10001);

	memset(much, 'x', 10000);
	much[10000] = '\0';
	CHECK(search_terms_add(&t, a, &account, str_from(much), &err) == -1);
	CHECK(err.code == ERR_INVALID && strcmp(err.field, "search") == 0);
	err_clear(&err);
	t = (struct search_terms){.n = 0};
	CHECK(search_terms_add(&t, a, &account, STR("a b c d e f g h i"), &err) == -1);
	CHECK(err.code == ERR_INVALID);
	err_clear(&err);
	t = (struct search_terms){.n = 0};
	CHECK(search_terms_add(&t, a, &account, STR(" ... !? "), &err) == 0 && t.is_impossible);
	t = (struct search_terms){.n = 0};
	CHECK(search_terms_add(&t, a, &account, STR("\xff\xfe"), &err) == -1);
	arena_free(a);
}

static struct record_where where_of(struct arena *a, const char *path, const char *value)
{
	return (struct record_where){
	    path_compile(a, str_from(path), NULL), RECORD_WHERE_IS, str_from(value)};
}

static void filters_by_kind_and_value(void)
{
	struct arena *a = arena_new();
	struct uuid account = uuid_new();
	struct str text = words(a, &account);
	struct record_where where = where_of(a, "city", "New York");
	struct search_terms t = {.n = 0};

	search_terms_add_kind(&t, a, &account, 'p', STR("manual"));
	search_terms_add_kind(&t, a, &account, 's', STR("import"));
	search_terms_add_where(&t, a, &account, &where);
	CHECK(t.n == 3 && search_terms_fit(&t, text));
	search_terms_add_kind(&t, a, &account, 'p', STR("hubspot"));
	CHECK(!search_terms_fit(&t, text));
	arena_free(a);
}

/* Conditions on a field, of a payload with values of all kinds. */
static void conditions_fit(void)
{
	static const char data[] = "{\"city\":\"Café Köln\",\"amount\":12.5,\"text\":\" 20 "
				   "\",\"tags\":[\"a\",\"B b\"],\"start\":"
				   "\"2026-03-01T10:00:00Z\",\"day\":\"2026-03-01\",\"none\":null,"
				   "\"blank\":\"\\u00a0\",\"empty\":[],"
				   "\"lines\":[{\"sku\":\"\"},{\"sku\":\"X\"}],\"no\":false}";
	static const struct {
		int line;
		const char *path, *op, *value;
		bool fits;
	} rows[] = {
	    {__LINE__, "city", "is", "Café Köln", true},
	    {__LINE__, "city", "is", "Café", false},
	    {__LINE__, "city", "contains", "CAFE", true},
	    {__LINE__, "city", "contains", "fe ko", true},
	    {__LINE__, "city", "contains", "bonn", false},
	    {__LINE__, "tags", "contains", "b B", true},
	    {__LINE__, "amount", "contains", "2.5", true},
	    {__LINE__, "amount", "gt", "12.49", true},
	    {__LINE__, "amount", "gt", "12.50", false},
	    {__LINE__, "amount", "lt", "12.50", false},
	    {__LINE__, "amount", "lt", "100", true},
	    {__LINE__, "text", "gt", "9", true},
	    {__LINE__, "text", "lt", "9", false},
	    {__LINE__, "city", "gt", "1", false},
	    {__LINE__, "none", "lt", "1", false},
	    {__LINE__, "day", "gt", "2026-03-01", false},
	    {__LINE__, "day", "lt", "2026-03-01", false},
	    {__LINE__, "day", "lt", "2026-03-02", true},
	    {__LINE__, "start", "gt", "2026-03-01", false}, /* the day is all of it */
	    {__LINE__, "start", "gt", "2026-02-28", true},
	    {__LINE__, "start", "gt", "2026-03-01T09:59:59Z", true},
	    {__LINE__, "start", "lt", "2026-03-01T10:00:00Z", false},
	    {__LINE__, "start", "gt", "5", false},
	    {__LINE__, "none", "empty", "true", true},
	    {__LINE__, "missing", "empty", "true", true},
	    {__LINE__, "blank", "empty", "true", true},
	    {__LINE__, "empty", "empty", "true", true},
	    {__LINE__, "no", "empty", "true", false},
	    {__LINE__, "city", "empty", "false", true},
	    {__LINE__, "lines[].sku", "empty", "false", true},
	    {__LINE__, "lines[].no", "empty", "true", true},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct record_where where;
		struct record_filter f = {.where = &where, .nwhere = 1};

		CHECK_AT(
		    rows[i].line, record_where_read(a, str_from(rows[i].path), str_from(rows[i].op),
				      str_from(rows[i].value), &where, NULL) == 0);
		CHECK_AT(rows[i].line, record_where_fits_json(a, &f,
					   json_parse(a, str_from(data), NULL)) == rows[i].fits);
	}
	arena_free(a);
}

/* What a filter asks of the words is in each record that has the value, and narrows where it can.
 */
static void filters_ask_for_what_is_surely_there(void)
{
	static const struct {
		int line;
		const char *data, *path, *value;
		bool narrows;
	} asked[] = {{__LINE__, "{\"paid\":true}", "paid", "true", true},
	    {__LINE__, "{\"paid\":\"true\"}", "paid", "true", true},
	    {__LINE__, "{\"a\":{\"b\":[[1],{\"c\":false},true]}}", "a.b[]", "true", true},
	    {__LINE__, "{\"a\":{\"b\":[[1],{\"c\":false},true]}}", "a.b.2", "true", false},
	    {__LINE__, "{\"a\":{\"b\":[[1],{\"c\":false},true]}}", "a.b[].c", "false", true},
	    {__LINE__, "{\"a\":[{\"x\":{\"y\":1}},[true]]}", "a[][]", "true", true},
	    {__LINE__, "{\"q\\\"k\":false}", "q\"k", "false", true},
	    {__LINE__, "{\"x\":[{\"5\":true}]}", "x[].5", "true", false},
	    {__LINE__, "{\"n\":\"null\"}", "n", "null", false},
	    {__LINE__, "{\"n\":\"\"}", "n", "", false},
	    {__LINE__, "{\"n\":\"-!-\"}", "n", "-!-", false},
	    {__LINE__, "{\"n\":\"2026-03-09\"}", "n", "2026-03-09", true},
	    {__LINE__, "{\"n\":\"+49 30 1\"}", "n", "+49 30 1", true}};
	struct arena *a = arena_new();
	struct uuid account = uuid_new();

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		struct record_item item = item_of(&account, str_from(asked[i].data));
		struct record_where where = where_of(a, asked[i].path, asked[i].value);
		struct search_terms t = {.n = 0};

		search_terms_add_where(&t, a, &account, &where);
		CHECK_AT(asked[i].line, search_terms_fit(&t, record_words_all(a, &item)));
		CHECK_AT(asked[i].line, (t.n > 0) == asked[i].narrows);
		item.data = STR("{\"other\":true,\"no\":\"words\"}");
		CHECK_AT(asked[i].line,
		    !asked[i].narrows || !search_terms_fit(&t, record_words_all(a, &item)));
	}
	arena_free(a);
}

void suite_record_words(void);
void suite_record_words(void)
{
	ADD_TESTS("record/words", {"finds what people type", finds_what_people_type},
	    {"is of one account", is_of_one_account},
	    {"refuses what is no search", refuses_what_is_no_search},
	    {"finds numbers, dates, phones and emails in texts", finds_numbers_in_texts},
	    {"loses nothing of a long record", loses_nothing_of_a_long_record},
	    {"conditions fit", conditions_fit},
	    {"filters by kind and value", filters_by_kind_and_value},
	    {"filters ask for what is surely there", filters_ask_for_what_is_surely_there});
}
