/* CSV: what is read, where its records begin and end, what is refused. A case of the fixtures is
 * csv-spectrum/NAME.csv with the records that it makes in NAME.json. */
#include <dirent.h>

#include "base/arena.h"
#include "base/limits.h"
#include "core-check.h"
#include "crypto/hash.h"
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
		struct import_row read;
		json_t *v;

		if (import_map_row(c->map, a, &row, &read) == 0) {
			json_array_append_new(all, json_string(arena_printf(a, "%lld: %s",
						       (long long)row.line, read.problem)));
			continue;
		}
		v = json_parse(a, read.data, &err);
		/* text that the store compares byte by byte */
		CHECK(v != NULL && str_eq(json_text(a, v), read.data));
		json_array_append(all, v);
		buf_printf(b, "%.*s ", (int)read.external_id.n, read.external_id.p);
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
	    {__LINE__, STR(",,\n\"\", \n"), NULL, NULL, "csv", "no header"},
	    {__LINE__, STR("\xEF\xBB\xBF"), NULL, NULL, "csv", "no header"},
	    {__LINE__, STR("sep=;\n"), NULL, NULL, "csv", "no header"},
	    {__LINE__, STR("\x1A\x1A\0"), NULL, NULL, "csv", "no header"},
	    {__LINE__, STR("a,\"b\n1,2\n"), NULL, NULL, "csv", "never closed"},
	    {__LINE__, STR("a,b\0c\n1,2\n"), NULL, NULL, "csv", "NUL"},
	    {__LINE__, STR("\xFF\xFE\0\0a\0\0\0\n\0\0\0"), NULL, NULL, "csv", "UTF-32"},
	    {__LINE__, STR("a,b\n"), "{\"#3\":\"x\"}", NULL, "mapping", "\"#3\""},
	    {__LINE__, STR("a,b\n"), "{\"#0\":\"x\"}", NULL, "mapping", "\"#0\""},
	    {__LINE__, STR("a,b\n"), "{\"3\":\"x\"}", NULL, "mapping", "\"3\""},
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
		"\"5: the quote that opens in this row is never closed\","
		"{\"a\":\"5\",\"b\":\"6\"}]"},
	    {__LINE__, STR("a,b\n\"1\"x,2\n3,4\n"), NULL, NULL,
		"[\"2: there is text behind a closing quote\",{\"a\":\"3\",\"b\":\"4\"}]"},
	    {__LINE__, STR("a,b\n\"1\n2\"x,\"2\n3,4\n"), NULL, NULL,
		"[\"2: the quote that opens in this row is never closed\","
		"\"3: the quote that opens in this row is never closed\","
		"{\"a\":\"3\",\"b\":\"4\"}]"},
	    {__LINE__, STR("a,b\n1\0,2\n3,4\n"), NULL, NULL,
		"[\"2: there is a NUL byte in the row\",{\"a\":\"3\",\"b\":\"4\"}]"},
	    {__LINE__, STR("external_id,b\n ,2\n1,2\n"), NULL, NULL,
		"[\"2: the key is empty (column external_id)\",{\"b\":\"2\"}]"},
	    {__LINE__, STR("a,b,c\n,,1\nx,,2\n"), NULL, "[\"a\",\"b\"]",
		"[\"2: the key is empty (columns a, b)\",{\"a\":\"x\",\"c\":\"2\"}]"},
	    {__LINE__, STR("n\n1\nx\n"), "{\"n\":{\"type\":\"number\"}}", NULL,
		"[{\"n\":1},\"3: \\\"x\\\" is not a number (column n): write it like 1200.50\"]"},
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

static const char *row_hash(struct arena *a, const char *text)
{
	char *hex = arena_alloc(a, 2 * SHA256_SIZE + 1);

	sha256_hex(str_from(text), hex);
	return hex;
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
	const char *first, *second;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *ids;

		REQUIRE(open_csv(a, str_from(cases[i].csv), cases[i].mapping, cases[i].keys, &c,
			    NULL) == 0);
		read_all(a, &c, &ids);
		CHECK_AT(cases[i].line, strcmp(ids, cases[i].ids) == 0);
	}
	/* A natural key: its parts do not run into each other. */
	REQUIRE(open_csv(a, STR("a,b\nCaf\xC3\xA9,X\ncaf\xC3\xA9X,\n"), NULL, "[\"a\",\"b\"]", &c,
		    NULL) == 0);
	read_all(a, &c, &first);
	CHECK(str_starts(str_from(first), "key-"));
	CHECK(strncmp(first, first + 69, 68) != 0);
	/* Without any: the whole row. */
	REQUIRE(open_csv(a, STR("a,b\n1,2\n"), NULL, NULL, &c, NULL) == 0);
	read_all(a, &c, &first);
	REQUIRE(open_csv(a, STR("b;a\r\n2;1\r\n"), NULL, NULL, &c, NULL) == 0);
	read_all(a, &c, &second);
	CHECK(str_starts(str_from(first), "row-") && strcmp(first, second) == 0);
	arena_free(a);
}

/* The ids of two rows by a natural key: the same, or not. */
static void natural_keys_are_exact(void)
{
	static const struct {
		int line;
		const char *header, *one, *other;
		bool is_same;
	} cases[] = {
	    {__LINE__, "Lead Id", "00QEXAMPLE000aB", "00QEXAMPLE000Ab", false},
	    {__LINE__, "name", "M\xC3\xB6ller", "Moller", false},
	    {__LINE__, "name", "\xE3\x81\xB2", "\xE3\x81\xB3", false}, /* ひ, び */
	    {__LINE__, "name", "\xE3\x81\xB2\xE3\x82\x99", "\xE3\x81\xB3", true},
	    {__LINE__, "name", "Mo\xCC\x88ller", "M\xC3\xB6ller", true}, /* composed and not */
	    {__LINE__, "name", "\xC2\xA0 Mia\xE2\x80\x8B", "Mia", true},
	    {__LINE__, "name", "Mia", "mia", false}, {__LINE__, "name", "A@x.io", "a@x.io", false},
	    {__LINE__, "name", "\xEF\xBC\xA1", "A", false}, /* a wide letter */
	    {__LINE__, "Work E-Mail", "A@X.io", " a@x.IO", true},
	    {__LINE__, "email", "\xC3\x84rger@x.io", "\xC3\xA4rger@x.io", true},
	    {__LINE__, "email", "\xC3\xA4rger@x.io", "arger@x.io", false},
	    {__LINE__, "email", "None", "none", false}, /* no email */
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		const char *csv = arena_printf(
		    a, "%s,n\n%s,1\n%s,2\n", cases[i].header, cases[i].one, cases[i].other);
		const char *keys = arena_printf(a, "[\"%s\"]", cases[i].header), *ids;
		struct opened c;

		REQUIRE(open_csv(a, str_from(csv), NULL, keys, &c, NULL) == 0);
		read_all(a, &c, &ids);
		CHECK_AT(cases[i].line, strlen(ids) == 2 * 69);
		CHECK_AT(cases[i].line, (strncmp(ids, ids + 69, 68) == 0) == cases[i].is_same);
		arena_free(a);
	}
}

/* Columns called by their place, and by the names that they were given. */
static void wishes_by_place(void)
{
	static const struct {
		int line;
		const char *csv, *mapping, *keys, *rows;
	} cases[] = {
	    {__LINE__, "id,Phone,Phone\n1,2,3\n", "{\"#3\":\"mobile\"}", NULL,
		"[{\"Phone\":\"2\",\"id\":\"1\",\"mobile\":\"3\"}]"},
	    {__LINE__, "id,Phone,Phone\n1,2,3\n", "{\"Phone_2\":null,\"2\":\"p\"}", NULL,
		"[{\"id\":\"1\",\"p\":\"2\"}]"},
	    {__LINE__, "id,,Team,Team.1\n1,2,3,4\n",
		"{\"column_2\":{\"to\":\"n\",\"type\":\"number\"},\"Team.1\":\"t.b\",\"#3\":\"t."
		"a\"}",
		NULL, "[{\"id\":\"1\",\"n\":2,\"t\":{\"a\":\"3\",\"b\":\"4\"}}]"},
	    /* a header that is a number goes before the place */
	    {__LINE__, "id,3,x\n1,2,3\n", "{\"3\":\"y\"}", NULL,
		"[{\"id\":\"1\",\"x\":\"3\",\"y\":\"2\"}]"},
	    {__LINE__, "a,a\n1,2\n1,3\n", NULL, "[\"#1\",\"a_2\"]",
		"[{\"a\":\"1\",\"a_2\":\"2\"},{\"a\":\"1\",\"a_2\":\"3\"}]"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new();
		struct opened c;

		REQUIRE(open_csv(a, str_from(cases[i].csv), cases[i].mapping, cases[i].keys, &c,
			    NULL) == 0);
		CHECK_AT(cases[i].line, str_is(json_text(a, read_all(a, &c, NULL)), cases[i].rows));
		arena_free(a);
	}
}

/* A blank cell is no member, or null; the id of a row without a key stays what it is. */
static void blank_cells(void)
{
	static const char csv[] = "a,b,c.d\n1,,\n,x, \n",
			  mapping[] = "{\"a\":{\"type\":\"number\"}}";
	struct arena *a = arena_new();
	const char *kept, *cleared;
	struct opened c;

	REQUIRE(open_csv(a, str_from(csv), mapping, NULL, &c, NULL) == 0);
	CHECK(str_is(json_text(a, read_all(a, &c, &kept)), "[{\"a\":1},{\"b\":\"x\"}]"));
	c.o.is_blank_cleared = true;
	REQUIRE(import_prepare(a, &c.source, &c.o, &c.map, NULL) == 0);
	csv_reader_seek(c.rd, 8, 2);
	CHECK(str_is(json_text(a, read_all(a, &c, &cleared)),
	    "[{\"a\":1,\"b\":null,\"c\":{\"d\":null}},{\"a\":null,\"b\":\"x\",\"c\":{\"d\":null}}"
	    "]"));
	CHECK(strcmp(kept, cleared) == 0);
	/* as when blank texts were stored */
	CHECK(str_starts(str_from(kept), "row-"));
	CHECK(str_starts((struct str){kept, strlen(kept)},
	    arena_printf(a, "row-%s", row_hash(a, "{\"a\":1,\"b\":\"\",\"c\":{\"d\":\"\"}}"))));
	arena_free(a);
}

/* Every line opens a quote: the file is not read anew to its end for each of them. */
static void many_open_quotes(void)
{
	struct arena *a = arena_new();
	size_t lines = 200000, n = 0;
	char *text = malloc(8 * lines + 8);
	struct csv_format format = {.delimiter = ',', .quote = '"', .encoding = CSV_UTF8};
	struct csv_source source;
	struct csv_reader *rd;
	struct csv_row row;
	int64_t rows = 0;

	REQUIRE(text != NULL);
	for (size_t i = 0; i < lines; i++, n += 6)
		memcpy(text + n, "x\",\"y\n", 6);
	source = (struct csv_source){.data = {text, n}, .size = n};
	rd = csv_reader_new(a, &source, &format, NULL);
	while (csv_reader_next(rd, &row, NULL) == 1) {
		rows++;
		CHECK(row.problem != NULL && row.line == rows && row.next_line == rows + 1);
	}
	CHECK(rows == (int64_t)lines);
	free(text);
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

static unsigned below(unsigned n)
{
	static uint64_t state = 20260307;

	state = state * UINT64_C(6364136223846793005) + 1;
	return (unsigned)(state >> 33) % n;
}

/* A file of many lines, some of them broken, in UTF-8. */
static struct str any_file(struct arena *a)
{
	static const char *const cells[] = {"x", "\xC3\xB6\xE2\x82\xAC",
	    "\xF0\x9F\x98\x80\xF0\x9F\x98\x80", "\"q\"", "\"two\nlines\r\nof \xC3\xBC\"", "\"open",
	    "5\" pipe", "", " ", "\xEF\xBB\xBFm", "\"a\"b"};
	struct buf *b = buf_new(a, 1 << 20);

	buf_str(b, "a,b,c\n");
	for (unsigned lines = 6000 + below(100); lines > 0; lines--) {
		for (unsigned n = below(40) == 0 ? 600 : 1; n > 0; n--)
			buf_str(b, cells[below(4)]);
		buf_printf(b, ",%s,%s%s", cells[below(COUNT(cells))], cells[below(COUNT(cells))],
		    below(5) == 0 ? "\r\n" : "\n");
	}
	return (struct str){b->p, b->len};
}

/* In the encoding; what UTF-16 has not been asked for stays as it is. */
static struct str encoded(struct arena *a, struct str s, enum csv_encoding encoding)
{
	bool is_big = encoding == CSV_UTF16_BE;
	char *out = arena_alloc(a, 2 * s.n);
	size_t n = 0;

	if (encoding == CSV_UTF8)
		return s;
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t length = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
		uint32_t point = length == 1 ? c : c & (0xFFu >> (length + 1));
		uint16_t units[2];

		for (size_t k = 1; k < length; k++)
			point = point << 6 | ((unsigned char)s.p[i + k] & 0x3F);
		i += length;
		units[0] = (uint16_t)(point < 0x10000 ? point : 0xD800 + ((point - 0x10000) >> 10));
		units[1] = (uint16_t)(0xDC00 + ((point - 0x10000) & 0x3FF));
		for (int k = 0; k < (point < 0x10000 ? 1 : 2); k++) {
			out[n++] = (char)(is_big ? units[k] >> 8 : units[k] & 0xFF);
			out[n++] = (char)(is_big ? units[k] & 0xFF : units[k] >> 8);
		}
	}
	return (struct str){out, n};
}

static bool rows_are_alike(const struct csv_row *x, const struct csv_row *y, bool is_same_file)
{
	bool alike = x->line == y->line && x->next_line == y->next_line && x->n == y->n &&
		     (x->problem == NULL) == (y->problem == NULL) && str_eq(x->text, y->text) &&
		     (!is_same_file || x->next_offset == y->next_offset);

	for (size_t i = 0; alike && i < x->n; i++)
		alike = str_eq(x->cells[i], y->cells[i]);
	return alike;
}

/* From memory, from a file, from a row in the middle, and in each encoding: the same rows. */
static void sources_and_encodings(void)
{
	static const enum csv_encoding encodings[] = {CSV_UTF8, CSV_UTF16_LE, CSV_UTF16_BE};
	struct arena *a = arena_new();
	const char *dir = core_mkdir(a), *path = arena_printf(a, "%s/any.csv", dir);
	struct str text = any_file(a);
	struct csv_format format = {.delimiter = ',', .quote = '"', .encoding = CSV_UTF8};
	struct csv_source plain = {.data = text, .size = text.n};

	for (size_t e = 0; e < COUNT(encodings); e++) {
		struct str bytes = encoded(a, text, encodings[e]);
		struct csv_source memory = {.data = bytes, .size = bytes.n},
				  file = {.path = path, .size = bytes.n};
		struct csv_reader *one, *two, *three, *wanted;
		struct csv_row x, y, z, w;
		int rows = 0, bad = 0;

		FILE *f = fopen(path, "we");
		REQUIRE(f != NULL && fwrite(bytes.p, 1, bytes.n, f) == bytes.n && fclose(f) == 0);
		wanted = csv_reader_new(a, &plain, &format, NULL);
		format.encoding = encodings[e];
		one = csv_reader_new(a, &memory, &format, NULL);
		two = csv_reader_new(a, &file, &format, NULL);
		three = csv_reader_new(a, &file, &format, NULL);
		format.encoding = CSV_UTF8;
		while (bad == 0 && csv_reader_next(wanted, &w, NULL) == 1) {
			bad += csv_reader_next(one, &x, NULL) != 1 ||
			       csv_reader_next(two, &y, NULL) != 1 ||
			       csv_reader_next(three, &z, NULL) != 1;
			bad += !rows_are_alike(&w, &x, encodings[e] == CSV_UTF8) ||
			       !rows_are_alike(&x, &y, true) || !rows_are_alike(&x, &z, true);
			if (++rows % 100 == 0)
				csv_reader_seek(three, z.next_offset, z.next_line);
		}
		CHECK_AT(__LINE__ * 100 + (int)e, bad == 0 && rows > 6000);
		CHECK(csv_reader_next(one, &x, NULL) == 0 && csv_reader_next(two, &y, NULL) == 0);
	}
	core_rmdir(dir);
	arena_free(a);
}

void suite_import(void)
{
	ADD_TESTS("import", {"csv-spectrum and RFC 4180", spectrum},
	    {"refused files and wishes", refused}, {"10,000 columns", too_many_columns},
	    {"bad rows by line", bad_rows}, {"types", types}, {"keys", keys},
	    {"natural keys are exact", natural_keys_are_exact},
	    {"wishes by place", wishes_by_place}, {"blank cells", blank_cells},
	    {"many open quotes", many_open_quotes},
	    {"sources and encodings", sources_and_encodings},
	    {"goes on from any record", resumes_anywhere}, {"long cells", long_cells});
}
