/* Files into rows of a table: what a file's columns are to the table, and its rows. */
#ifndef TABLE_TABLE_IMPORT_H
#define TABLE_TABLE_IMPORT_H
#include "import/import.h"
#include "table/table-internal.h"

#define TABLE_FILE_KEY "externalKey" /* to which a mapping sends the column of the key */

struct table_file_column {
	const struct table_column *column; /* NULL: its cells are left out */
	bool is_key;
};
struct table_file {
	const struct table *t;
	struct import_options o; /* format, mapping, headers of the file */
	struct str key_column;   /* the file's column that is the key besides; {NULL,0} */
	struct table_file_column *columns;
	size_t n;
	bool is_ours; /* an export: cells are exact, and guarded */
};
/* A row as it is written, or an error row. */
struct table_file_row {
	int64_t line;
	struct str text;     /* as it stands in the file */
	const char *problem; /* NULL: none yet */
	struct str key;
	json_t *data;
};

/* Detects the format, reads the header and finds the columns: ERR_INVALID naming what is wrong. */
int table_file_prepare(
    struct arena *a, const struct csv_source *source, struct table_file *f, struct err *err);
/* A reader before the first row. */
int table_file_open(struct arena *a, const struct csv_source *source, struct table_file *f,
    struct csv_reader **rd, struct err *err);
void table_file_row(struct arena *a, const struct table_file *f, const struct csv_row *row,
    struct table_file_row *out);
/* Runs it in the request, or queues it: what came of it is in *out, with the error rows of the
 * former, [{line,message}], arena-owned. */
int table_import_run(struct req *r, struct table_file *f, const struct csv_source *source,
    struct str file_name, struct task *out, json_t **errors, struct err *err);

#endif
