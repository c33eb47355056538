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

void suite_base_csv(void);
void suite_base_csv(void)
{
	ADD_TESTS("base/csv", {"texts", texts}, {"values", values}, {"lines", lines});
}
