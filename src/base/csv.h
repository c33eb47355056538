/* CSV as programs write it (RFC 4180 and what they make of it), read record by record in constant
 * memory, each record's end being a place to go on from; and the writing of cells. */
#ifndef BASE_CSV_H
#define BASE_CSV_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct arena;
struct buf;

#define CSV_COLUMNS 2000
#define CSV_TEXT_BYTES 8192u /* kept of a row's text, for reports */

/* Where the bytes are: a file, or memory when path is NULL. */
struct csv_source {
	const char *path;
	struct str data;
	uint64_t size;
};

enum csv_encoding { CSV_ANY_ENCODING, CSV_UTF8, CSV_WINDOWS_1252 };
struct csv_format {
	char delimiter, quote; /* 0: to be detected */
	enum csv_encoding encoding;
	int64_t start; /* bytes before the header: a byte order mark */
};

/* One record of the file (blank lines are none). cells and text live until the next read. */
struct csv_row {
	int64_t line;                   /* of the file, from 1, where the record begins */
	int64_t next_line, next_offset; /* where the next one may be read from */
	const struct str *cells;        /* UTF-8 without NUL */
	size_t n;                       /* may exceed CSV_COLUMNS: then cells has that many */
	const char *problem;            /* why the row cannot be taken, or NULL */
	struct str text;                /* as it stands in the file, cut to CSV_TEXT_BYTES */
};

struct csv_reader;
/* Reads RFC 4180 and what programs make of it: any line break, quotes within unquoted cells, blanks
 * behind a closing quote. The arena closes it. NULL: ERR_NOT_FOUND when there is no such file,
 * ERR_UNAVAILABLE. */
struct csv_reader *csv_reader_new(struct arena *a, const struct csv_source *source,
    const struct csv_format *format, struct err *err);
/* Goes to a place that a row named as its next; {format.start, 1} is the header. */
void csv_reader_seek(struct csv_reader *rd, int64_t offset, int64_t line);
/* The next record: 1, 0 at the end, -1. */
int csv_reader_next(struct csv_reader *rd, struct csv_row *out, struct err *err);

/* "utf-8", "windows-1252"; and the reading of either, in the names people use: false for another.
 */
const char *csv_encoding_name(enum csv_encoding encoding);
bool csv_encoding_parse(struct str name, enum csv_encoding *out);
/* "," ";" "|" or a tab, also as "comma", "semicolon", "pipe", "tab". */
bool csv_delimiter_parse(struct str name, char *out);
/* Writes lines of CSV, cell after cell: {.b = …} begins one. */
struct csv_writer {
	struct buf *b;
	bool has_cell; /* in this line */
};
/* Text: quoted where needed; one that a spreadsheet would run as a formula gets an apostrophe
 * before it. Absent text is an empty cell. */
void csv_write_text(struct csv_writer *w, struct str cell);
/* What can be neither: an id, a time, a number. NULL is an empty cell. */
void csv_write_plain(struct csv_writer *w, const char *cell);
/* Any value: only texts can be formulas (a number below zero is none), null and NULL are empty,
 * arrays and objects are their JSON. */
void csv_write_json(struct csv_writer *w, struct arena *a, const json_t *v);
void csv_write_end(struct csv_writer *w); /* of the line */
#endif
