/* CSV: what is read, where its records begin and end, what is refused. A case of the fixtures is
 * csv-spectrum/NAME.csv with the records that it makes in NAME.json. */
#include <dirent.h>

#include "base/arena.h"
#include "base/limits.h"
#include "core-check.h"
#include "import/import.h"

void suite_import(void);

struct opened {
	struct csv_source source;
	struct import_options o;
	struct import_map *map;
	struct csv_reader *rd;
};

/* A reader behind the header. */
static int open_csv(struct arena *a, struct str csv, const char *mapping, const char *keys,
    struct opened *out, struct err *err)
{
	struct csv_row header;

	*out = (struct opened){.source = {.data = csv, .size = csv.n}};
	if (mapping != NULL)
		out->o.mapping = json_parse(a, str_from(mapping), NULL);
	if (keys != NULL)
		out->o.key_columns = json_parse(a, str_from(keys), NULL);
	if (import_prepare(a, &out->source, &out->o, &out->map, err) == -1)
		return -1;
	out->rd = csv_reader_new(a, &out->source, &out->o.format, err);
	return out->rd == NULL ? -1 : csv_reader_next(out->rd, &header, err) - 1;
}

/* All records as an array; an error row as the text "LINE: reason". */
static json_t *read_all(struct arena *a, struct opened *c, const char **ids)
{
	json_t *all = json_own(a, json_array());
	struct buf *b = buf_new(a, 1 << 20);
	struct err err = ERR_INIT;
	struct csv_row row;

	while (csv_reader_next(c->rd, &row, &err) == 1) {
		struct str id, data;
		const char *problem;
		json_t *v;

		if (import_map_row(c->map, a, &row, &id, &data, &problem) == 0) {
			json_array_append_new(all,
			    json_string(arena_printf(a, "%lld: %s", (long long)row.line, problem)));
			continue;
		}
		v = json_parse(a, data, &err);
		/* text that the store compares byte by byte */
		CHECK(v != NULL && str_eq(json_text(a, v), data));
		json_array_append(all, v);
		buf_printf(b, "%.*s ", (int)id.n, id.p);
	}
	CHECK(err.code == ERR_NONE);
	if (ids != NULL)
		*ids = b->p;
	return all;
}

static struct str file_text(struct arena *a, const char *dir, const char *name, const char *ending)
{
	FILE *f = fopen(arena_printf(a, "%s/%s%s", dir, name, ending), "re");
	char *text = arena_alloc(a, 8192);
	size_t n = f == NULL ? 0 : fread(text, 1, 8191, f);

	if (f != NULL)
		fclose(f);
	return (struct str){text, n};
}

static void is_so(bool is, const char *what, const char *name)
{
	CU_assertImplementation(is ? CU_TRUE : CU_FALSE, __LINE__, what, name, "", CU_FALSE);
}

static void spectrum(void)
{
	struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/tests/unit/fixtures/csv-spectrum", source_dir());
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort), done = 0;

	REQUIRE(n > 0);
	for (int i = 0; i < n; i++) {
		char *dot = strstr(names[i]->d_name, ".csv");
		struct err err = ERR_INIT;
		struct opened c;
		json_t *wanted, *got;

		if (dot != NULL) {
			*dot = '\0';
			wanted = json_parse(a, file_text(a, dir, names[i]->d_name, ".json"), NULL);
			if (open_csv(a, file_text(a, dir, names[i]->d_name, ".csv"), NULL, NULL, &c,
				&err) != 0) {
				is_so(false, err.msg, names[i]->d_name);
			} else {
				got = read_all(a, &c, NULL);
				is_so(wanted != NULL && json_equal(got, wanted),
				    json_text(a, got).p, names[i]->d_name);
			}
			done++;
		}
		free(names[i]);
	}
	free(names);
	CHECK(done >= 30);
	arena_free(a);
}

static void refused(void)
{
	static const struct {
		int line;
		struct str csv;
		const char *mapping, *keys, *field, *word;
	} cases[] = {
	    {__LINE__, STR(""), NULL, NULL, "csv", "empty"},
	    {__LINE__, STR("\n\r\n\n"), NULL, NULL, "csv", "no header"},
	    {__LINE__, STR(",,\n1,2,3\n"), NULL, NULL, "csv", "no header"},
	    {__LINE__, STR("\xEF\xBB\xBF"), NULL, NULL, "csv", "no header"},
	    {__LINE__, STR("a,b,a\n1,2,3\n"), NULL, NULL, "csv", "\"a\" twice"},
	    {__LINE__, STR("a, a\n1,2\n"), NULL, NULL, "csv", "\"a\" twice"},
	    {__LINE__, STR("a,,b\n1,2,3\n"), NULL, NULL, "csv", "column 2"},
	    {__LINE__, STR("a,a.b\n1,2\n"), NULL, NULL, "csv", "\"a.b\""},
	    {__LINE__, STR("a.b,a\n1,2\n"), NULL, NULL, "csv", "\"a\""},
	    {__LINE__, STR("a,\"b\n1,2\n"), NULL, NULL, "csv", "never closed"},
	    {__LINE__, STR("a,b\0c\n1,2\n"), NULL, NULL, "csv", "NUL"},
	    {__LINE__,
		STR("\xFF\xFE"
		    "a\0,\0b\0\n\0"),
		NULL, NULL, "csv", "UTF-16"},
	    {__LINE__,
		STR("\xFE\xFF"
		    "\0a\0,\0b\0\n"),
		NULL, NULL, "csv", "UTF-16"},
	    {__LINE__, STR("a\0,\0b\0\n\0001\0,\0002\0\n\0"), NULL, NULL, "csv", "UTF-16"},
	    {__LINE__, STR("a,b\n"), "[]", NULL, "mapping", "object"},
	    {__LINE__, STR("a,b\n"), "{\"c\":\"x\"}", NULL, "mapping", "\"c\""},
	    {__LINE__, STR("a,b\n"), "{\"a\":7}", NULL, "mapping", "\"a\""},
	    {__LINE__, STR("a,b\n"), "{\"a\":\"\"}", NULL, "mapping", "cannot be a field"},
	    {__LINE__, STR("a,b\n"), "{\"a\":\"x..y\"}", NULL, "mapping", "cannot be a field"},
	    {__LINE__, STR("a,b\n"), "{\"a\":\"x[]\"}", NULL, "mapping", "cannot be a field"},
	    {__LINE__, STR("a,b\n"), "{\"a\":\"b\"}", NULL, "csv", "\"b\""},
	    {__LINE__, STR("a,b\n"), "{\"a\":{\"type\":\"float\"}}", NULL, "mapping", "boolean"},
	    {__LINE__, STR("a,b\n"), "{\"a\":{\"as\":\"x\"}}", NULL, "as", ""},
	    {__LINE__, STR("a,b\n"), NULL, "\"a\"", "keyColumns", "list"},
	    {__LINE__, STR("a,b\n"), NULL, "[\"c\"]", "keyColumns", "\"c\""},
	    {__LINE__, STR("a,b\n"), NULL, "[1]", "keyColumns", "headers"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct opened c;

		CHECK_AT(cases[i].line,
		    open_csv(a, cases[i].csv, cases[i].mapping, cases[i].keys, &c, &err) == -1);
		CHECK_AT(cases[i].line, err.code == ERR_INVALID);
		CHECK_AT(cases[i].line, strcmp(err.field, cases[i].field) == 0);
		CHECK_AT(cases[i].line, strstr(err.msg, cases[i].word) != NULL);
		arena_free(a);
	}
}

static void too_many_columns(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 1 << 20);
	struct err err = ERR_INIT;
	struct opened c;

	for (int i = 0; i < 10000; i++)
		buf_printf(b, "%sc%d", i > 0 ? "," : "", i);
	buf_str(b, "\n1\n");
	CHECK(open_csv(a, (struct str){b->p, b->len}, NULL, NULL, &c, &err) == -1);
	CHECK(err.code == ERR_INVALID && strstr(err.msg, "10000") != NULL);
	arena_free(a);
}

/* Bad rows among good ones: the line is the file's, and what follows is read. */
static void bad_rows(void)
{
	static const struct {
		int line;
		struct str csv;
		const char *mapping, *keys, *rows;
	} cases[] = {
	    {__LINE__, STR("a,b\n1,2\n3,4,5\n6,7\n"), NULL, NULL,
		"[{\"a\":\"1\",\"b\":\"2\"},\"3: 3 cells, but the header has 2\","
		"{\"a\":\"6\",\"b\":\"7\"}]"},
	    {__LINE__, STR("a,b\n\"1\n\n\",2\n3,4,5\n"), NULL, NULL,
		"[{\"a\":\"1\\n\\n\",\"b\":\"2\"},\"5: 3 cells, but the header has 2\"]"},
	    {__LINE__, STR("a,b\n\n\n1,2\n\"3,4\n5,6\n"), NULL, NULL,
		"[{\"a\":\"1\",\"b\":\"2\"},"
		"\"5: the quote that opens in this row is never closed\"]"},
	    {__LINE__, STR("a,b\n\"1\"x,2\n3,4\n"), NULL, NULL,
		"[\"2: there is text behind a closing quote\",{\"a\":\"3\",\"b\":\"4\"}]"},
	    {__LINE__, STR("a,b\n\"1\n2\"x,\"2\n3,4\n"), NULL, NULL,
		"[\"2: there is text behind a closing quote\",{\"a\":\"3\",\"b\":\"4\"}]"},
	    {__LINE__, STR("a,b\n1\0,2\n3,4\n"), NULL, NULL,
		"[\"2: there is a NUL byte in the row\",{\"a\":\"3\",\"b\":\"4\"}]"},
	    {__LINE__, STR("a,b\n,\n3,4\n"), NULL, NULL,
		"[\"2: the row is empty\",{\"a\":\"3\",\"b\":\"4\"}]"},
	    {__LINE__, STR("a,b,\n1,2,3\n4,5,\n"), NULL, NULL,
		"[\"2: there is no header for cell 3\",{\"a\":\"4\",\"b\":\"5\"}]"},
	    {__LINE__, STR("external_id,b\n ,2\n1,2\n"), NULL, NULL,
		"[\"2: the key is empty (column external_id)\",{\"b\":\"2\"}]"},
	    {__LINE__, STR("a,b,c\n,,1\nx,,2\n"), NULL, "[\"a\",\"b\"]",
		"[\"2: the key columns are empty\",{\"a\":\"x\",\"b\":\"\",\"c\":\"2\"}]"},
	    {__LINE__, STR("n\n1\nx\n"), "{\"n\":{\"type\":\"number\"}}", NULL,
		"[{\"n\":1},\"3: \\\"x\\\" is not a number (column n)\"]"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct opened c;
		json_t *got;

		CHECK_AT(cases[i].line,
		    open_csv(a, cases[i].csv, cases[i].mapping, cases[i].keys, &c, &err) == 0);
		got = read_all(a, &c, NULL);
		CHECK_AT(cases[i].line, str_is(json_text(a, got), cases[i].rows));
		arena_free(a);
	}
}

static void types(void)
{
	static const struct {
		int line;
		const char *type, *cell, *value; /* NULL: an error row */
	} cases[] = {
	    {__LINE__, "number", "12", "12"},
	    {__LINE__, "number", "-0.50", "-0.50"},
	    {__LINE__, "number", "1e3", "1e3"},
	    {__LINE__, "number", "007", "7"},
	    {__LINE__, "number", "-00.50", "-0.50"},
	    {__LINE__, "number", "-0", "-0"},
	    {__LINE__, "number", "--5", NULL},
	    {__LINE__, "number", "0.1000000000000000055511151231257827",
		"0.1000000000000000055511151231257827"},
	    {__LINE__, "number", "9223372036854775808", "9223372036854775808"},
	    {__LINE__, "number", " 5 ", "5"},
	    {__LINE__, "number", "5.", NULL},
	    {__LINE__, "number", "1e999", "1e999"},
	    {__LINE__, "number", "0x10", NULL},
	    {__LINE__, "number", "-", NULL},
	    {__LINE__, "number", "nan", NULL},
	    {__LINE__, "boolean", "TRUE", "true"},
	    {__LINE__, "boolean", "no", "false"},
	    {__LINE__, "boolean", "2", NULL},
	    {__LINE__, "date", "2026-03-07", "\"2026-03-07\""},
	    {__LINE__, "date", "2026-03-07 15:30:00+01:00", "\"2026-03-07T14:30:00Z\""},
	    {__LINE__, "date", "07.03.2026", NULL},
	    {__LINE__, "json", "{\"\"b\"\":[1,{}],\"\"a\"\":null}", "{\"a\":null,\"b\":[1,{}]}"},
	    {__LINE__, "json", "{broken", NULL},
	    {__LINE__, "number", "", "null"},
	    {__LINE__, "text", "", "\"\""},
	    {__LINE__, "text", " 5 ", "\" 5 \""},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct err err = ERR_INIT;
		struct opened c;
		json_t *got;
		const char *csv = arena_printf(a, "h,k\n\"%s\",1\n", cases[i].cell);
		const char *mapping = arena_printf(
		    a, "{\"h\":{\"to\":\"x.y\",\"type\":\"%s\"},\"k\":null}", cases[i].type);

		if (cases[i].cell[0] == '\0')
			csv = "h,k\n,1\n";
		CHECK_AT(cases[i].line, open_csv(a, str_from(csv), mapping, NULL, &c, &err) == 0);
		got = json_array_get(read_all(a, &c, NULL), 0);
		CHECK_AT(cases[i].line,
		    cases[i].value == NULL
			? json_is_string(got)
			: str_is(json_text(a, got),
			      arena_printf(a, "{\"x\":{\"y\":%s}}", cases[i].value)));
		arena_free(a);
	}
}

static void keys(void)
{
	static const struct {
		int line;
		const char *csv, *mapping, *keys, *ids;
	} cases[] = {
	    {__LINE__, "external_id,id,a\nx,1,2\n", NULL, NULL, "x "},
	    {__LINE__, "a,ID\nx, 7 \n", NULL, NULL, "7 "},
	    {__LINE__, "nr,a\n9,x\n", "{\"nr\":\"external_id\"}", NULL, "9 "},
	    {__LINE__, "externalId,id\n9,x\n", "{\"externalId\":null}", NULL, "x "},
	};
	struct arena *a = arena_new();
	struct opened c;
	const char *first, *second, *third;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *ids;

		REQUIRE(open_csv(a, str_from(cases[i].csv), cases[i].mapping, cases[i].keys, &c,
			    NULL) == 0);
		read_all(a, &c, &ids);
		CHECK_AT(cases[i].line, strcmp(ids, cases[i].ids) == 0);
	}
	/* A natural key: folded, trimmed, and its parts do not run into each other. */
	REQUIRE(open_csv(a, STR("a,b\nCaf\xC3\xA9,X\n"), NULL, "[\"a\",\"b\"]", &c, NULL) == 0);
	read_all(a, &c, &first);
	REQUIRE(open_csv(a, STR("a,b\n cafe ,x\n"), NULL, "[\"a\",\"b\"]", &c, NULL) == 0);
	read_all(a, &c, &second);
	REQUIRE(open_csv(a, STR("a,b\ncafex,\n"), NULL, "[\"a\",\"b\"]", &c, NULL) == 0);
	read_all(a, &c, &third);
	CHECK(str_starts(str_from(first), "key-") && strcmp(first, second) == 0);
	CHECK(strcmp(first, third) != 0);
	/* Without any: the whole row. */
	REQUIRE(open_csv(a, STR("a,b\n1,2\n"), NULL, NULL, &c, NULL) == 0);
	read_all(a, &c, &first);
	REQUIRE(open_csv(a, STR("b;a\r\n2;1\r\n"), NULL, NULL, &c, NULL) == 0);
	read_all(a, &c, &second);
	CHECK(str_starts(str_from(first), "row-") && strcmp(first, second) == 0);
	arena_free(a);
}

/* From every place that a row names as its next one, the same rows follow with the same lines. */
static void resumes_anywhere(void)
{
	static const char csv[] = "a,b\r\n1,\"x\r\n\ny\"\n\n2,\"z\"\r3,4,5\n\"6\"q,7\r\n8,\"9\n";
	struct arena *a = arena_new();
	struct csv_row row;
	struct opened c, again;
	int64_t lines[16], offsets[16], nexts[16];
	size_t n = 0;

	REQUIRE(open_csv(a, str_from(csv), NULL, NULL, &c, NULL) == 0);
	REQUIRE(open_csv(a, str_from(csv), NULL, NULL, &again, NULL) == 0);
	while (n < 16 && csv_reader_next(c.rd, &row, NULL) == 1) {
		lines[n] = row.line;
		nexts[n] = row.next_line;
		offsets[n++] = row.next_offset;
	}
	CHECK(n == 5 && offsets[n - 1] == (int64_t)strlen(csv));
	for (size_t i = 0; i < n; i++) {
		csv_reader_seek(again.rd, offsets[i], nexts[i]);
		for (size_t k = i + 1; k < n; k++) {
			CHECK(csv_reader_next(again.rd, &row, NULL) == 1);
			CHECK(row.line == lines[k] && row.next_offset == offsets[k]);
		}
		CHECK(csv_reader_next(again.rd, &row, NULL) == 0);
	}
	arena_free(a);
}

/* The same file read through a buffer and from memory, with cells longer than either's pieces. */
static void long_cells(void)
{
	struct arena *a = arena_new();
	const char *dir = core_mkdir(a), *path = arena_printf(a, "%s/long.csv", dir);
	size_t n = 0, most = 14u << 20;
	char *text = malloc(most);
	struct csv_format format = {.delimiter = ',', .quote = '"', .encoding = CSV_UTF8};

	REQUIRE(text != NULL);
	n += (size_t)snprintf(text, 64, "a,b\n1,\"");
	memset(text + n, 'x', 300000); /* taken */
	n += 300000;
	n += (size_t)snprintf(text + n, 64, "\"\n2,\"");
	memset(text + n, '\r', 10u << 20); /* 10 MiB of line breaks in a cell */
	n += 10u << 20;
	n += (size_t)snprintf(text + n, 64, "\"\n3,");
	memset(text + n, 'y', 2u << 20); /* and unquoted */
	n += 2u << 20;
	n += (size_t)snprintf(text + n, 64, "\r\n4,ok");

	FILE *f = fopen(path, "we");
	REQUIRE(f != NULL);
	CHECK(fwrite(text, 1, n, f) == n && fclose(f) == 0);
	for (int i = 0; i < 2; i++) {
		struct csv_source source = {.path = i == 0 ? path : NULL, .size = n};
		struct csv_reader *rd;
		struct csv_row row;

		if (i == 1)
			source.data = (struct str){text, n};
		rd = csv_reader_new(a, &source, &format, NULL);
		REQUIRE(rd != NULL);
		CHECK(csv_reader_next(rd, &row, NULL) == 1 && row.n == 2);
		CHECK(csv_reader_next(rd, &row, NULL) == 1 && row.problem == NULL);
		CHECK(row.n == 2 && row.cells[1].n == 300000 && row.line == 2);
		CHECK(csv_reader_next(rd, &row, NULL) == 1 && row.problem != NULL);
		CHECK(row.line == 3 && row.text.n <= CSV_TEXT_BYTES);
		CHECK(csv_reader_next(rd, &row, NULL) == 1 && row.problem != NULL);
		CHECK(row.line == 3 + (10 << 20) + 1);
		CHECK(csv_reader_next(rd, &row, NULL) == 1 && row.problem == NULL);
		CHECK(row.n == 2 && str_is(row.cells[1], "ok"));
		CHECK(row.next_offset == (int64_t)n);
		CHECK(csv_reader_next(rd, &row, NULL) == 0);
	}
	free(text);
	core_rmdir(dir);
	arena_free(a);
}

void suite_import(void)
{
	ADD_TESTS("import", {"csv-spectrum and RFC 4180", spectrum},
	    {"refused files and wishes", refused}, {"10,000 columns", too_many_columns},
	    {"bad rows by line", bad_rows}, {"types", types}, {"keys", keys},
	    {"goes on from any record", resumes_anywhere}, {"long cells", long_cells});
}
