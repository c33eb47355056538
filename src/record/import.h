/* CSV import: from a file's bytes to records, in constant memory, resumable at any record. A row is
 * what the store takes or an error with its line; nothing else happens to one. */
#ifndef RECORD_IMPORT_H
#define RECORD_IMPORT_H
#include "record/record.h"

#define IMPORT_DIRECT_ROWS 1000                          /* answered in the request itself */
#define IMPORT_DIRECT_BYTES (UINT64_C(64) * 1024 * 1024) /* of a file read in a request */
#define IMPORT_COLUMNS 2000
#define IMPORT_HEADER_BYTES (256u * 1024u)
#define IMPORT_ERRORS_KEPT 10000 /* error rows stored of one import; more are only counted */
#define IMPORT_TEXT_BYTES 8192u  /* kept of an error row's text */
#define IMPORT_DRAFT_US DAY_US   /* an upload that nobody runs is removed then */
#define IMPORT_RUN_ATTEMPTS 50   /* runs of a job that end without success or a dead runner */

/* ---- reading: import-csv.c, import-detect.c ------------------------------------------------ */

/* Where the bytes are: a file, or memory when path is NULL. */
struct import_source {
	const char *path;
	struct str data;
	uint64_t size;
};

enum import_encoding { IMPORT_ANY_ENCODING, IMPORT_UTF8, IMPORT_WINDOWS_1252 };
struct import_format {
	char delimiter, quote; /* 0: to be detected */
	enum import_encoding encoding;
	int64_t start; /* bytes before the header: a byte order mark */
};

/* One record of the file (blank lines are none). cells and text live until the next read. */
struct import_row {
	int64_t line;                   /* of the file, from 1, where the record begins */
	int64_t next_line, next_offset; /* where the next one may be read from */
	const struct str *cells;        /* UTF-8 without NUL */
	size_t n;                       /* may exceed IMPORT_COLUMNS: then cells has that many */
	const char *problem;            /* why the row cannot be taken, or NULL */
	struct str text;                /* as it stands in the file, cut to IMPORT_TEXT_BYTES */
};

struct import_reader;
/* Reads RFC 4180 and what programs make of it: any line break, quotes within unquoted cells, blanks
 * behind a closing quote. The arena closes it. NULL: ERR_NOT_FOUND when there is no such file,
 * ERR_UNAVAILABLE. */
struct import_reader *import_reader_new(struct arena *a, const struct import_source *source,
    const struct import_format *format, struct err *err);
/* Goes to a place that a row named as its next; {format.start, 1} is the header. */
void import_reader_seek(struct import_reader *rd, int64_t offset, int64_t line);
/* The next record: 1, 0 at the end, -1. */
int import_reader_next(struct import_reader *rd, struct import_row *out, struct err *err);

/* Fills what of format is to be detected. ERR_INVALID: empty, or an encoding that is not read. */
int import_detect(
    const struct import_source *source, struct import_format *format, struct err *err);
/* Rows after the header, at most `most`, looked for in IMPORT_DIRECT_BYTES; most + 1 when there are
 * more or it is not known. */
int import_count(const struct import_source *source, const struct import_format *format,
    int64_t most, int64_t *count, struct err *err);
/* "utf-8", "windows-1252"; and the reading of either, in the names people use: false for another.
 */
const char *import_encoding_name(enum import_encoding encoding);
bool import_encoding_parse(struct str name, enum import_encoding *out);
/* "," ";" "|" or a tab, also as "comma", "semicolon", "pipe", "tab". */
bool import_delimiter_parse(struct str name, char *out);
/* A cell of a CSV answer: quoted where needed; one that a spreadsheet would run as a formula gets
 * an apostrophe before it. */
void import_csv_cell(struct buf *b, struct str cell);

/* ---- mapping: import-map.c ----------------------------------------------------------------- */

struct import_map;
/* From the header and the wishes: mapping {"Header": "path" | {"to","type"} | null}, key_columns an
 * array of headers; either may be NULL. ERR_INVALID on "csv", "mapping" or "keyColumns". */
struct import_map *import_map_new(struct arena *a, const struct import_row *header,
    const json_t *mapping, const json_t *key_columns, struct err *err);
/* The header of the file's columns, trimmed: as many as are mapped at most. */
const struct str *import_map_headers(const struct import_map *m, size_t *n);
/* Where the cells of a column go; NULL when it is left out. */
const char *import_map_to(const struct import_map *m, size_t i);
/* How records are told apart: "external_id", "id", the key columns, or "" for the whole row. */
const char *import_map_key(struct arena *a, const struct import_map *m);
/* Whether a column holds the id, so that key columns have no say. */
bool import_map_has_id(const struct import_map *m);
/* A row as external id and compact sorted JSON, in the arena: 1, or 0 with the reason. */
int import_map_row(struct import_map *m, struct arena *a, const struct import_row *row,
    struct str *external_id, struct str *data, const char **problem);

/* ---- store: import-store.c ----------------------------------------------------------------- */

struct import_counts {
	int64_t received, created, updated, unchanged, failed;
};
struct import {
	struct uuid id, account_id, created_by;
	const char *kind, *status; /* draft, queued, running, completed, failed, cancelled */
	struct str provider_type, resource_type, file_name;
	const char *path;   /* of its file; "" when it has none */
	struct str options; /* JSON of struct import_options */
	struct import_counts counts;
	int64_t line, bytes_done, bytes_total;
	const char *error;
	int64_t created_us, started_us, finished_us;
};
struct import_error {
	struct uuid id;
	int64_t line;
	struct str reason, text;
};

int import_insert(struct db *db, const struct import *im, struct err *err);
/* 1, 0, -1. With lock within a transaction: the row is held until its end. */
int import_load(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, bool is_locked, struct import *out, struct err *err);
/* All that changes of a run: status, counts, place, error, options, times. */
int import_update(struct db *db, const struct import *im, struct err *err);
int import_delete(
    struct db *db, const struct uuid *account_id, const struct uuid *id, struct err *err);
int import_errors_insert(struct db *db, struct arena *a, const struct import *im,
    const struct import_error *errors, size_t n, struct err *err);
/* At most n rows after (line, id), by line. */
int import_errors_page(struct db *db, struct arena *a, const struct import *im, int64_t after_line,
    const struct uuid *after_id, int64_t n, struct import_error **out, size_t *count,
    struct err *err);
/* Newest first, drafts left out; before: nil at the start. An array as the API shows them. */
int import_list(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *before, int64_t limit, int64_t offset, json_t **rows, struct err *err);
json_t *import_json(const struct import *im); /* a new reference, as the API shows it */
/* Periodic: removes drafts that nobody ran, and files that no import needs. */
int import_purge(struct app *app, struct err *err);

/* ---- batches: import-batch.c --------------------------------------------------------------- */

#define IMPORT_BATCH_ROWS 500u

/* Rows to store, with what an error row of each would say; and error rows. */
struct import_batch {
	struct arena *rows; /* what the rows point to */
	struct record_item items[IMPORT_BATCH_ROWS]; /* at_us is for the storing */
	int64_t lines[IMPORT_BATCH_ROWS];
	struct str texts[IMPORT_BATCH_ROWS];
	struct import_error errors[IMPORT_BATCH_ROWS];
	size_t nitems, nerrors;
	int64_t next_line, next_offset; /* behind the last row, where there is one */
	bool is_end;                    /* the file's end */
	struct err err;                 /* why reading failed */
};
/* Empty; the arena frees it. */
struct import_batch *import_batch_new(struct arena *a);
void import_batch_reset(struct import_batch *b);
/* Reads one row of the import into the batch; false when it is full, at the end or failed. */
bool import_batch_read(struct import_batch *b, const struct import *im, struct import_map *map,
    struct import_reader *rd);

/* ---- runs: import-job.c -------------------------------------------------------------------- */

/* What the caller wants done. */
struct import_options {
	struct import_format format;
	const json_t *mapping, *key_columns; /* NULL: none */
	const json_t *headers;               /* the file's, for the answer of error rows */
};
struct str import_options_text(struct arena *a, const struct import_options *o);
int import_options_parse(
    struct arena *a, struct str text, struct import_options *out, struct err *err);

/* Reads source's header and compiles the mapping; fills o->headers and what of o->format is to be
 * detected. */
int import_prepare(struct arena *a, const struct import_source *source, struct import_options *o,
    struct import_map **map, struct err *err);
/* Runs a small one in a single transaction, with its row and audit entry, and answers the stored
 * counts in im; error rows (all) in errors. */
int import_run_now(struct req *r, struct import *im, const struct import_source *source,
    const struct import_options *o, struct import_error **errors, size_t *nerrors, struct err *err);
/* Puts source under im->path (a file of ours is moved there, else copied), on disk for sure. */
int import_keep_file(struct app *app, struct arena *a, struct import *im,
    const struct import_source *source, struct err *err);
/* Within a transaction: its job. */
int import_enqueue(struct db *db, const struct import *im, struct err *err);
/* Stops one that is queued or running: 1, 0 no such import, -1 (ERR_CONFLICT: it has ended). */
int import_cancel(struct req *r, const struct uuid *id, struct import *out, struct err *err);

/* ---- requests: import-api.c, import-pages.c ------------------------------------------------ */

/* The uploaded file of a request: the part "file", or its only one; else the text field "csv" or
 * the member of a JSON body. False when there is none. */
bool import_request_source(struct req *r, struct import_source *out, struct str *file_name);
/* Streams an import's error rows as CSV. */
int import_stream_errors(struct req *r, const struct import *im);
/* A provider or resource type as it may be stored. */
bool import_type_is_valid(struct str type);

int import_page_new(struct req *r);     /* GET /admin/records/import */
int import_page_upload(struct req *r);  /* POST: keeps the file, to the preview */
int import_page_preview(struct req *r); /* GET /admin/records/import/:id */
int import_page_run(struct req *r);     /* POST /admin/records/import/:id */
int import_page_list(struct req *r);    /* GET /admin/imports */
int import_page_detail(struct req *r);  /* GET /admin/imports/:id */
int import_page_errors(struct req *r);  /* GET /admin/imports/:id/errors */
int import_page_cancel(struct req *r);  /* POST /admin/imports/:id/cancel */
#endif
