/* CSV import: from a file's bytes to records, in constant memory, resumable at any record. A row is
 * what the store takes or an error with its line; nothing else happens to one. */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H
#include "base/csv.h"
#include "db/personal.h"
#include "record/record.h"
#include "task/task.h"

#define IMPORT_DIRECT_ROWS 1000                          /* answered in the request itself */
#define IMPORT_DIRECT_BYTES (UINT64_C(64) * 1024 * 1024) /* of a file read in a request */
#define IMPORT_HEADER_BYTES (256u * 1024u)
#define IMPORT_ERRORS_KEPT 10000 /* error rows stored of one import; more are only counted */
#define IMPORT_DRAFT_US DAY_US   /* an upload that nobody runs is removed then */

/* What the caller wants done. */
struct import_options {
	struct csv_format format;
	const char *why;                     /* the encoding: words for people */
	const json_t *mapping, *key_columns; /* NULL: none */
	const json_t *headers;               /* the file's, for the answer of error rows */
	const char *remembered; /* the import of which mapping and key are taken over; NULL: none */
	bool is_detected;       /* the format, so that it stays */
	bool has_blank, is_blank_cleared; /* whether it was said; a blank cell clears the value */
	bool is_errors; /* the rows that an import did not take: its first two columns are ours */
	bool is_raw;    /* an export without the guard of formulas */
	bool has_own_providers; /* of an export: each row goes to the provider that it names */
};

/* ---- detecting: import-detect.c ------------------------------------------------------------- */

/* Fills what of format is to be detected, and why the encoding is what it is, in words for people.
 * ERR_INVALID: empty, or an encoding that is not read. */
int import_detect(struct arena *a, const struct csv_source *source, struct csv_format *format,
    const char **why, struct err *err);
/* Rows (after the header of CSV), at most `most`, looked for in IMPORT_DIRECT_BYTES; most + 1 when
 * there are more or it is not known. */
int import_count(const struct csv_source *source, const struct csv_format *format, int64_t most,
    int64_t *count, struct err *err);

/* ---- mapping: import-map.c ----------------------------------------------------------------- */

struct import_map;
/* From the header and the wishes: mapping {"Header": "path" | {"to","type"} | null}, key_columns an
 * array of headers; either may be NULL. A header is called by the name that the map gives it, or by
 * its place ("#2"). ERR_INVALID on "csv", "mapping" or "keyColumns". */
struct import_map *import_map_new(
    struct arena *a, const struct csv_row *header, const struct import_options *o, struct err *err);
/* The file's columns: their names, no two alike; whether the file gave none; whether the column is
 * one of our own files' and no data. */
size_t import_map_columns(const struct import_map *m);
struct str import_map_name(const struct import_map *m, size_t i);
bool import_map_is_unnamed(const struct import_map *m, size_t i);
bool import_map_is_ours(const struct import_map *m, size_t i);
bool import_map_is_idle(const struct import_map *m, size_t i); /* ours, and it says nothing */
/* Where the cells of a column go; NULL when it is left out. */
const char *import_map_to(const struct import_map *m, size_t i);
const char *import_map_type(const struct import_map *m, size_t i); /* "text", … */
bool import_map_is_key(const struct import_map *m, size_t i);      /* one of the key columns */
/* How records are told apart: "external_id", "id", the key columns, or "" for the whole row. */
const char *import_map_key(struct arena *a, const struct import_map *m);
/* Whether a column holds the id, so that key columns have no say. */
bool import_map_has_id(const struct import_map *m);
bool import_map_is_export(const struct import_map *m); /* of our own records */

/* ---- NDJSON: import-lines.c ------------------------------------------------------------------ */

/* A format of this delimiter, which stands in no file, has a JSON object on each line: no header,
 * one cell a row. */
#define IMPORT_LINES_DELIMITER '\x1F'
bool import_is_lines(const struct csv_format *f);

/* ---- rows: import-row.c -------------------------------------------------------------------- */

struct import_row {
	struct str external_id, data; /* compact sorted JSON, in the arena */
	struct str provider_type;     /* {NULL,0}: the import's */
	int64_t blanks;               /* cells that say nothing */
	bool is_cleared;              /* or clear what is there */
	bool is_exact;                /* its values are of the types that they have */
	bool has_no_key;              /* that is its problem */
	const char *problem;
};
/* A row as a record: 1, or 0 with the problem. */
int import_map_row(
    struct import_map *m, struct arena *a, const struct csv_row *row, struct import_row *out);

/* ---- store: import-store.c ----------------------------------------------------------------- */

struct import_error {
	struct uuid id;
	int64_t line;
	struct str reason, text;
};

int import_errors_insert(struct db *db, struct arena *a, const struct task *t,
    const struct import_error *errors, size_t n, struct err *err);
/* At most n rows after (line, id), by line. */
int import_errors_page(struct db *db, struct arena *a, const struct task *t, int64_t after_line,
    const struct uuid *after_id, int64_t n, struct import_error **out, size_t *count,
    struct err *err);
/* Within a transaction, behind the new row of an import: ERR_CONFLICT when the account has too many
 * that are not done, ERR_LIMIT when their files are too large together. */
int import_check_quota(const struct app *app, struct db *db, struct arena *a,
    const struct uuid *account_id, struct err *err);
/* When that is why it was not stored, its file goes; else the purge knows whether it is needed. */
bool import_drop_refused(
    const struct app *app, struct arena *a, const struct uuid *id, const struct err *why);
/* The same of one that would come: refuses long bodies before they are read (router_hooks). */
int import_upload_check(struct req *r, int64_t length);
/* Where the file of one is kept while it is needed. */
const char *import_file_path(const struct app *app, struct arena *a, const struct uuid *id);
/* Periodic: removes drafts that nobody ran, and files that no import needs: 1 there are more, 0,
 * -1. */
int import_purge(struct app *app, struct err *err);

/* ---- batches: import-batch.c --------------------------------------------------------------- */

#define IMPORT_BATCH_ROWS 500u

/* Rows to store, with what an error row of each would say; and error rows. */
struct import_batch {
	struct arena *rows;                          /* what the rows point to */
	struct record_item items[IMPORT_BATCH_ROWS]; /* at_us is for the storing */
	int64_t lines[IMPORT_BATCH_ROWS];
	struct str texts[IMPORT_BATCH_ROWS];
	struct import_error errors[IMPORT_BATCH_ROWS];
	size_t nitems, nerrors;
	int64_t blanks;                 /* cells of the items that say nothing */
	int64_t next_line, next_offset; /* behind the last row, where there is one */
	bool is_end;                    /* the file's end */
	struct err err;                 /* why reading failed */
};
/* Empty; the arena frees it. */
struct import_batch *import_batch_new(struct arena *a);
void import_batch_reset(struct import_batch *b);
/* Reads one row of the import into the batch; false when it is full, at the end or failed. */
bool import_batch_read(
    struct import_batch *b, const struct task *t, struct import_map *map, struct csv_reader *rd);

/* ---- runs: import-job.c -------------------------------------------------------------------- */

/* A CSV import: its args are what import_options_text makes, its position {"line","blanks"} (the
 * blank cells of the rows taken), with done the bytes before it. */
extern const struct task_kind import_task;

struct str import_options_text(struct arena *a, const struct import_options *o);
/* "keep" or "clear", and back: false for another word. */
const char *import_blank_name(bool is_cleared);
bool import_blank_parse(struct str name, bool *is_cleared);
/* The blank cells of the rows that were taken. */
int64_t import_blanks(struct arena *a, const struct task *t);
int import_options_parse(
    struct arena *a, struct str text, struct import_options *out, struct err *err);

/* Reads source's header and compiles the mapping; fills o->headers and what of o->format is to be
 * detected. */
int import_prepare(struct arena *a, const struct csv_source *source, struct import_options *o,
    struct import_map **map, struct err *err);
/* Where the file has the rows that an earlier import of the same account and type did not take, o
 * asks for what that one was asked, but for what it asks itself. */
int import_adopt(struct db *db, struct arena *a, const struct uuid *account_id,
    struct str resource_type, const struct csv_source *source, struct import_options *o,
    struct err *err);
/* A reader before the first row, behind the header of CSV, and the map; header has its place, and
 * its cells where there is one. */
int import_open(struct arena *a, const struct csv_source *source, const struct import_options *o,
    struct csv_reader **rd, struct import_map **map, struct csv_row *header, struct err *err);
/* Chooses for o, where nobody has, a key column and the types of the columns: those of the last
 * import of such records and columns, else by the cells (import-guess.c). Of a file of ours nothing
 * is guessed. */
int import_guess(struct db *db, struct arena *a, const struct csv_source *source,
    const struct task *t, struct import_options *o, struct err *err);
/* Where rows go to the providers that they name: that of the first. */
int import_provider(struct arena *a, const struct csv_source *source,
    const struct import_options *o, struct str *out, struct err *err);
/* Runs a small one in a single transaction, with its row and audit entry, and returns the stored
 * counts in t; error rows (all) in errors. */
int import_run_now(struct req *r, struct task *t, const struct csv_source *source,
    const struct import_options *o, struct import_error **errors, size_t *nerrors, struct err *err);
/* Puts source where the import's file is kept (a file of ours is moved there, else copied), on disk
 * for sure. */
int import_keep_file(struct app *app, struct arena *a, const struct uuid *id,
    const struct csv_source *source, struct err *err);

/* ---- requests: import-api.c, import-pages.c ------------------------------------------------ */

/* The uploaded file of a request: the part "file", or its only one; else the text field "csv" or
 * the member of a JSON body. False when there is none. */
bool import_request_source(struct req *r, struct csv_source *out, struct str *file_name);
#define IMPORT_ERRORS_LINE "line" /* the columns before those of the file */
#define IMPORT_ERRORS_REASON "reason"
/* Streams an import's error rows as CSV. */
int import_stream_errors(struct req *r, const struct task *t);
/* A task as /imports shows it, of whatever kind. A new reference. */
json_t *import_json(const struct app *app, const struct task *t);

int import_api_create(struct req *r); /* POST /records/import: JSON, multipart or text/csv */
int import_api_list(struct req *r);
int import_api_get(struct req *r);
int import_api_errors(struct req *r);
int import_api_cancel(struct req *r);
int import_job_run(struct job *j, struct err *err); /* job record.import, subject: the import */
int import_page_new(struct req *r);                 /* GET /admin/records/import */
int import_page_upload(struct req *r);              /* POST: keeps the file, to the preview */
int import_page_preview(struct req *r);             /* GET /admin/records/import/:id */
int import_page_run(struct req *r);                 /* POST /admin/records/import/:id */
int import_page_list(struct req *r);                /* GET /admin/imports */
int import_page_detail(struct req *r);              /* GET /admin/imports/:id */
int import_page_errors(struct req *r);              /* GET /admin/imports/:id/errors */
int import_page_cancel(struct req *r);              /* POST /admin/imports/:id/cancel */
/* Rows of the account's files that name the person are blanked where they stand, so that whoever
 * reads the file goes on at the same place: how many, added to *n. With is_dry they stay. 0, -1. */
int import_files_forget(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct person_names *p, bool is_dry, int64_t *n, struct err *err);
/* Where the rows that imports refused name people (db/personal.h). */
extern const struct personal_table import_errors_personal_table;
#endif
