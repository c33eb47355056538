/* The CSV reader: its records lie one behind the other in the file, cells are clean UTF-8 or the
 * row has a problem, and from the end of any record the same records follow again. What the mapping
 * makes of them is JSON as the store writes it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/limits.h"
#include "import/import.h"

#define ROWS 64

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct seen {
	int64_t line, next_line, next_offset;
	size_t n;
	bool has_problem;
};

static void check_row(const struct csv_row *row, int64_t before, size_t size)
{
	if (row->next_offset <= before || (size_t)row->next_offset > size || row->line < 1 ||
	    row->next_line < row->line)
		abort();
	for (size_t i = 0; row->problem == NULL && i < row->n && i < CSV_COLUMNS; i++)
		if (!utf8_is_valid(row->cells[i]))
			abort();
	if (row->text.n > CSV_TEXT_BYTES)
		abort();
}

static size_t read_rows(struct csv_reader *rd, int64_t from, size_t size, struct seen *seen)
{
	struct csv_row row;
	size_t n = 0;

	while (n < ROWS && csv_reader_next(rd, &row, NULL) == 1) {
		check_row(&row, from, size);
		from = row.next_offset;
		seen[n++] = (struct seen){
		    row.line, row.next_line, row.next_offset, row.n, row.problem != NULL};
	}
	return n;
}

static void map_rows(struct arena *a, const struct csv_source *source,
    const struct import_options *o, struct import_map *map)
{
	struct csv_reader *rd = csv_reader_new(a, source, &o->format, NULL);
	struct csv_row row;
	struct import_row read;
	const json_t *v;

	csv_reader_next(rd, &row, NULL);
	for (int i = 0; i < ROWS && csv_reader_next(rd, &row, NULL) == 1; i++) {
		if (import_map_row(map, a, &row, &read) == 0)
			continue;
		v = json_parse(a, read.data, NULL);
		if (v == NULL || !str_eq(json_text(a, v), read.data) || read.external_id.n == 0 ||
		    read.external_id.n > LIMIT_EXTERNAL_ID_BYTES)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct csv_source source = {.data = {(const char *)p, n}, .size = n};
	struct import_options o = {0};
	struct import_map *map;
	struct csv_reader *rd;
	struct seen first[ROWS], again[ROWS];
	size_t count, rest;

	if (import_detect(a, &source, &o.format, &o.why, NULL) == 0) {
		rd = csv_reader_new(a, &source, &o.format, NULL);
		count = read_rows(rd, o.format.start, n, first);
		for (size_t i = 0; i < count && count < ROWS; i++) {
			csv_reader_seek(rd, first[i].next_offset, first[i].next_line);
			rest = read_rows(rd, first[i].next_offset, n, again);
			if (rest != count - i - 1 ||
			    (rest > 0 &&
				(again[0].line != first[i + 1].line ||
				    again[0].n != first[i + 1].n ||
				    again[rest - 1].next_offset != first[count - 1].next_offset)))
				abort();
		}
	}
	for (int i = 0; i < 2; i++) {
		o = (struct import_options){.is_errors = i == 1, .is_blank_cleared = i == 1};
		if (import_prepare(a, &source, &o, &map, NULL) == 0)
			map_rows(a, &source, &o, map);
	}
	arena_free(a);
	return 0;
}
