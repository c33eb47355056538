/* CSV import: from a file's bytes to records, in constant memory, resumable at any record. A row is
 * what the store takes or an error with its line; nothing else happens to one. */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H
#include "base/csv.h"
#include "record/record.h"

#define IMPORT_DIRECT_ROWS 1000                          /* answered in the request itself */
#define IMPORT_DIRECT_BYTES (UINT64_C(64) * 1024 * 1024) /* of a file read in a request */
#define IMPORT_HEADER_BYTES (256u * 1024u)
#define IMPORT_ERRORS_KEPT 10000 /* error rows stored of one import; more are only counted */
#define IMPORT_DRAFT_US DAY_US   /* an upload that nobody runs is removed then */
#define IMPORT_RUN_ATTEMPTS 50   /* runs of a job that end without success or a dead runner */

/* ---- detecting: import-detect.c ------------------------------------------------------------- */

/* Fills what of format is to be detected. ERR_INVALID: empty, or an encoding that is not read. */
int import_detect(const struct csv_source *source, struct csv_format *format, struct err *err);
/* Rows after the header, at most `most`, looked for in IMPORT_DIRECT_BYTES; most + 1 when there are
 * more or it is not known. */
int import_count(const struct csv_source *source, const struct csv_format *format, int64_t most,
    int64_t *count, struct err *err);

/* ---- mapping: import-map.c ----------------------------------------------------------------- */

struct import_map;
/* From the header and the wishes: mapping {"Header": "path" | {"to","type"} | null}, key_columns an
 * array of headers; either may be NULL. ERR_INVALID on "csv", "mapping" or "keyColumns". */
struct import_map *import_map_new(struct arena *a, const struct csv_row *header,
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
int import_map_row(struct import_map *m, struct arena *a, const struct csv_row *row,
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
	struct arena *rows;                          /* what the rows point to */
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
bool import_batch_read(
    struct import_batch *b, const struct import *im, struct import_map *map, struct csv_reader *rd);

/* ---- runs: import-job.c -------------------------------------------------------------------- */

/* What the caller wants done. */
struct import_options {
	struct csv_format format;
	const json_t *mapping, *key_columns; /* NULL: none */
	const json_t *headers;               /* the file's, for the answer of error rows */
};
struct str import_options_text(struct arena *a, const struct import_options *o);
int import_options_parse(
    struct arena *a, struct str text, struct import_options *out, struct err *err);

/* Reads source's header and compiles the mapping; fills o->headers and what of o->format is to be
 * detected. */
int import_prepare(struct arena *a, const struct csv_source *source, struct import_options *o,
    struct import_map **map, struct err *err);
/* Runs a small one in a single transaction, with its row and audit entry, and answers the stored
 * counts in im; error rows (all) in errors. */
int import_run_now(struct req *r, struct import *im, const struct csv_source *source,
    const struct import_options *o, struct import_error **errors, size_t *nerrors, struct err *err);
/* Puts source under im->path (a file of ours is moved there, else copied), on disk for sure. */
int import_keep_file(struct app *app, struct arena *a, struct import *im,
    const struct csv_source *source, struct err *err);
/* Within a transaction: its job. */
int import_enqueue(struct db *db, const struct import *im, struct err *err);
/* Stops one that is queued or running: 1, 0 no such import, -1 (ERR_CONFLICT: it has ended). */
int import_cancel(struct req *r, const struct uuid *id, struct import *out, struct err *err);

/* ---- requests: import-api.c, import-pages.c ------------------------------------------------ */

/* The uploaded file of a request: the part "file", or its only one; else the text field "csv" or
 * the member of a JSON body. False when there is none. */
bool import_request_source(struct req *r, struct csv_source *out, struct str *file_name);
/* Streams an import's error rows as CSV. */
int import_stream_errors(struct req *r, const struct import *im);

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
int import_page_task_cancel(struct req *r);         /* POST /admin/records/tasks/:id/cancel */
#endif
