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

enum csv_encoding { CSV_ANY_ENCODING, CSV_UTF8, CSV_WINDOWS_1252, CSV_UTF16_LE, CSV_UTF16_BE };
struct csv_format {
	char delimiter, quote; /* 0: to be detected */
	enum csv_encoding encoding;
	bool is_lenient;     /* a row that is no UTF-8 is read alone as Windows-1252 */
	int64_t start, line; /* bytes and lines before the header: a mark, a line of sep= */
};

/* One record of the file. What is nothing but blanks, delimiters and quotes is none, nor is what
 * stands behind a Ctrl-Z at the beginning of a line. A byte-order mark there is not part of it. */
struct csv_row {
	int64_t line;                   /* of the file, from 1, where the record begins */
	int64_t next_line, next_offset; /* where the next one may be read from */
	const struct str *cells;        /* UTF-8 without NUL */
	size_t n;                       /* may exceed CSV_COLUMNS: then cells has that many */
	const char *problem;            /* why the row cannot be taken, or NULL */
	struct str text;                /* as it stands in the file, cut to CSV_TEXT_BYTES */
	bool is_cut;                    /* there is more of it */
	bool has_marks;                 /* a byte-order mark stands in a cell */
};

struct csv_reader;
/* Reads RFC 4180 and what programs make of it: any line break, quotes within unquoted cells, blanks
 * behind a closing quote. A quote that is not closed, or closed before other text, costs its row
 * only: reading starts anew behind the row's first line. The arena closes it. NULL: ERR_NOT_FOUND
 * when there is no such file, ERR_UNAVAILABLE. */
struct csv_reader *csv_reader_new(struct arena *a, const struct csv_source *source,
    const struct csv_format *format, struct err *err);
/* Goes to a place that a row named as its next; {format.start, format.line + 1} is the header. */
void csv_reader_seek(struct csv_reader *rd, int64_t offset, int64_t line);
/* The next record: 1, 0 at the end, -1. */
int csv_reader_next(struct csv_reader *rd, struct csv_row *out, struct err *err);

/* "utf-8", "windows-1252", "utf-16le", "utf-16be"; and the reading of them, in the names people
 * use: false for another. */
const char *csv_encoding_name(enum csv_encoding encoding);
bool csv_encoding_parse(struct str name, enum csv_encoding *out);
/* "," ";" "|" or a tab, also as "comma", "semicolon", "pipe", "tab". */
bool csv_delimiter_parse(struct str name, char *out);
/* Writes lines of CSV, cell after cell: {.b = …} begins one. */
struct csv_writer {
	struct buf *b;
	bool is_raw;   /* texts stand as they are, without the guard */
	bool has_cell; /* in this line */
};
/* Text: quoted where needed; one that a spreadsheet would run as a formula gets an apostrophe
 * before it, and so does one that looks as if it had got one. Absent text is an empty cell. */
void csv_write_text(struct csv_writer *w, struct str cell);
/* The text that such a cell was written of: without the apostrophe that guards it. */
struct str csv_unguarded(struct str cell);
/* What can be neither: an id, a time, a number. NULL is an empty cell. */
void csv_write_plain(struct csv_writer *w, const char *cell);
/* Any value: only texts can be formulas (a number below zero is none), null and NULL are empty,
 * arrays and objects are their JSON. */
void csv_write_json(struct csv_writer *w, struct arena *a, const json_t *v);
void csv_write_end(struct csv_writer *w); /* of the line */
#endif
