#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/csv.h"
#include "test-base.h"

static void texts(void)
{
	static const struct {
		int line;
		const char *cell, *written;
	} rows[] = {
	    {__LINE__, "", ""},
	    {__LINE__, "x y", "x y"},
	    {__LINE__, "a,b", "\"a,b\""},
	    {__LINE__, "a\"b", "\"a\"\"b\""},
	    {__LINE__, "=1+1", "'=1+1"},
	    {__LINE__, "+1", "'+1"},
	    {__LINE__, "-1", "'-1"},
	    {__LINE__, "@x", "'@x"},
	    {__LINE__, "\tx", "\"'\tx\""},
	    {__LINE__, "\rx", "\"'\rx\""},
	    {__LINE__, "=a,b", "\"'=a,b\""},
	    {__LINE__, "1-1", "1-1"},
	    {__LINE__, "\n=x", "\"'\n=x\""},
	    {__LINE__, "'=1", "''=1"},
	    {__LINE__, "''+1", "'''+1"},
	    {__LINE__, "'", "'"},
	    {__LINE__, "'abc", "'abc"},
	    {__LINE__, "a\x1A", "\"a\x1A\""},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf b;

		buf_init(&b, 1000);
		csv_write_text(&(struct csv_writer){.b = &b}, str_from(rows[i].cell));
		CHECK_AT(rows[i].line, TEXT_EQ(b.p, rows[i].written));
		buf_fini(&b);
	}
}

static void values(void)
{
	static const struct {
		int line;
		const char *json, *written;
	} rows[] = {
	    {__LINE__, "null", ""},
	    {__LINE__, "true", "true"},
	    {__LINE__, "-5", "-5"}, /* a number is no formula */
	    {__LINE__, "\"-5\"", "'-5"},
	    {__LINE__, "\"a,b\"", "\"a,b\""},
	    {__LINE__, "[1,2]", "\"[1,2]\""},
	    {__LINE__, "{\"a\":\"b\"}", "\"{\"\"a\"\":\"\"b\"\"}\""},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct csv_writer w = {.b = buf_new(a, 1000)};
		char *text = arena_printf(a, "[%s]", rows[i].json);
		json_t *v = json_array_get(json_parse(a, str_from(text), NULL), 0);

		csv_write_json(&w, a, v);
		CHECK_AT(rows[i].line, v != NULL);
		CHECK_AT(rows[i].line, str_is((struct str){w.b->p, w.b->len}, rows[i].written));
	}
	arena_free(a);
}

static void lines(void)
{
	struct buf b;
	struct csv_writer w = {.b = &b};

	buf_init(&b, 1000);
	csv_write_text(&w, STR(""));
	csv_write_plain(&w, "-1");
	csv_write_plain(&w, NULL);
	csv_write_json(&w, NULL, NULL);
	csv_write_text(&w, (struct str){NULL, 0});
	csv_write_end(&w);
	csv_write_plain(&w, "x");
	csv_write_end(&w);
	CHECK(TEXT_EQ(b.p, ",-1,,,\r\nx\r\n"));
	buf_fini(&b);
}

static unsigned below(unsigned n)
{
	static uint64_t state = 20260307;

	state = state * UINT64_C(6364136223846793005) + 1;
	return (unsigned)(state >> 33) % n;
}

/* Any text, of the bytes that mean something more often. */
static struct str any_cell(struct arena *a)
{
	static const char *const pieces[] = {"\"", "\"\"", ",", ";", "\n", "\r", "\r\n", "\t", "=",
	    "+", "-", "@", "'", "''", " ", "\x1A", "\xEF\xBB\xBF", "\xC3\xBC", "\xF0\x9F\x98\x80",
	    "x", "1", "sep=;", "\\", "|"};
	struct buf *b = buf_new(a, 1000);

	for (unsigned n = below(8); n > 0; n--)
		buf_str(b, pieces[below(COUNT(pieces))]);
	return (struct str){b->p, b->len};
}

/* What is written is read as it was: guarded and not, whatever the cells have. */
static void round_trips(void)
{
	enum { ROWS = 6, COLUMNS = 4 };
	const struct csv_format format = {.delimiter = ',', .quote = '"', .encoding = CSV_UTF8};

	for (int run = 0; run < 10000; run++) {
		struct arena *a = arena_new();
		struct csv_writer w = {.b = buf_new(a, 100000), .is_raw = below(2) == 0};
		struct str cells[ROWS][COLUMNS];
		struct csv_source source;
		struct csv_reader *rd;
		struct csv_row row;
		int bad = 0;

		for (size_t i = 0; i < ROWS; i++) {
			cells[i][0] = STR("k"); /* so that no row is nothing */
			for (size_t k = 0; k < COLUMNS; k++) {
				if (k > 0)
					cells[i][k] = any_cell(a);
				csv_write_text(&w, cells[i][k]);
			}
			csv_write_end(&w);
		}
		source = (struct csv_source){.data = {w.b->p, w.b->len}, .size = w.b->len};
		rd = csv_reader_new(a, &source, &format, NULL);
		for (size_t i = 0; i < ROWS && bad == 0; i++) {
			bad += csv_reader_next(rd, &row, NULL) != 1 || row.problem != NULL ||
			       row.n != COLUMNS;
			for (size_t k = 0; k < COLUMNS && bad == 0; k++) {
				struct str cell =
				    w.is_raw ? row.cells[k] : csv_unguarded(row.cells[k]);

				bad += !str_eq(cell, cells[i][k]);
			}
		}
		bad += csv_reader_next(rd, &row, NULL) != 0;
		if (bad > 0)
			CU_assertImplementation(
			    CU_FALSE, __LINE__, "read as written", w.b->p, "", CU_FALSE);
		arena_free(a);
	}
}

void suite_base_csv(void);
void suite_base_csv(void)
{
	ADD_TESTS("base/csv", {"texts", texts}, {"values", values}, {"lines", lines},
	    {"round trips", round_trips});
}
