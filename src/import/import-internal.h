/* What the files of this feature share: the columns of a file, and what becomes of their cells. */
#ifndef IMPORT_IMPORT_INTERNAL_H
#define IMPORT_IMPORT_INTERNAL_H
#include "import/import.h"

enum import_type {
	TYPE_TEXT,
	TYPE_NUMBER,
	TYPE_BOOLEAN,
	TYPE_DATE,
	TYPE_JSON,
	TYPE_NUMBER_COMMA,  /* 1.200,50 */
	TYPE_DATE_DAY_FIRST /* 31.12.2026 */
};
#define IMPORT_TYPES 7
extern const char *const import_type_names[IMPORT_TYPES];

/* What a column is for. Of foreign files all are data; ours (an export, error rows) have others. */
enum import_role {
	ROLE_DATA,
	ROLE_NONE, /* ours, and nothing to store */
	ROLE_EXTERNAL_ID,
	ROLE_PROVIDER,
	ROLE_OTHER_DATA /* an object of paths and their values */
};

struct import_column {
	struct str name; /* no two have the same: what is shown, and by which wishes call it */
	const char *to;  /* its path; NULL: left out */
	enum import_role role;
	enum import_type type;
	bool is_unnamed;                   /* the name is ours */
	bool has_id, has_phone, has_email; /* by its name or path */
};

struct import_header {
	struct import_column *v;
	size_t n;
	bool is_export;  /* of ours: cells are exact, and columns may lie within each other */
	unsigned guards; /* apostrophes before formulas that were put there by us */
};
/* Reads the first row of a file. ERR_INVALID on "csv". */
int import_header_read(struct arena *a, const struct csv_row *row, const struct import_options *o,
    struct import_header *out, struct err *err);
/* Notes what a column's name, or its path, says of what is in it. */
void import_column_look(struct arena *a, struct import_column *c, struct str name);

/* A member of the record: a cell, or an object of members; both in an export whose records differ
 * in that. */
struct import_node {
	struct str name, key; /* the key is the name as JSON, with quotes and colon */
	const struct import_column *column;
	size_t index; /* of the column */
	struct import_node **children;
	size_t n, cap;
};
/* The columns as a tree, members by name. ERR_INVALID where a path cannot be, or is in another's
 * way. */
struct import_node *import_tree_new(
    struct arena *a, const struct import_header *h, size_t id_column, struct err *err);

struct import_map {
	bool is_lines;          /* NDJSON: of the header only is_export counts */
	bool has_own_providers; /* of an export */
	struct import_header header;
	struct import_node *root;
	bool has_json;
	bool is_cleared;     /* a blank cell clears the value */
	size_t id_column;    /* header.n: none */
	size_t other_column; /* header.n: none */
	size_t provider_column;
	size_t *key_columns, nkeys;
	struct buf *out;
};

/* The cell of a row, {"",0} where the row is too short, without what a file added to it: our guard,
 * marks, prefixes. In the arena or the row. */
struct str import_cell(
    const struct import_map *m, struct arena *a, const struct csv_row *row, size_t i);
bool import_cell_is_blank(const struct import_map *m, struct str cell);
/* The first line of a file: is it a JSON object, and one of an export? */
bool import_line_is_object(const struct csv_row *row);
bool import_line_is_ours(const struct csv_row *row);
/* import_map_row of NDJSON. */
int import_line_row(
    const struct import_map *m, struct arena *a, const struct csv_row *row, struct import_row *out);

/* What an import would do, told before it does it: import-outlook.c. */
#define OUTLOOK_ROWS 10000 /* that are looked at */
struct import_outlook {
	struct arena *a;
	struct db *db;
	const struct task *task;
	struct map *seen;      /* the ids of the file's rows so far */
	int64_t rows, skipped; /* that were looked at, and that cannot be taken */
	const char *problem;   /* of the first of those */
	int64_t keyless;       /* skipped since they have no key */
	int64_t repeated;      /* of a record that a row before is of */
	int64_t blanks;        /* cells that say nothing */
	bool has_others;       /* rows of other providers than the import's */
	struct arena *batch;   /* of the rows that wait to be compared */
	struct record_item items[LIMIT_DB_BATCH];
	size_t nitems, compared; /* waiting; the first of `seen`, those included */
	int64_t bytes;           /* of the compared rows */
	struct record_comparison found;
};
void import_outlook_begin(
    struct import_outlook *o, struct arena *a, struct db *db, const struct task *t);
int import_outlook_see(struct import_outlook *o, const struct import_row *row, struct err *err);
int import_outlook_end(struct import_outlook *o, struct err *err); /* always, it frees */
/* Adds "outlook": {rows,fresh,changed,same,skipped,keyless,…}. */
void import_outlook_show(const struct import_outlook *o, json_t *data);

/* Appends a text as JSON. */
void import_cell_write_text(struct buf *b, struct str s);
/* Appends a cell that is not blank as JSON of its type; false when it is none. */
bool import_cell_write(struct buf *b, struct arena *a, enum import_type type, struct str cell);
/* Does a cell that is of its type show that it can be of no other? "10,50" has a decimal comma, but
 * "1,200" may be a thousand; "31/12/2026" has the day first, but "01/02/2026" may not. */
bool import_cell_shows(enum import_type type, struct str cell);

/* A column that is kept as text, though most of its cells are of a type. */
struct import_hint {
	enum import_type type; /* TYPE_TEXT: there is no such thing to tell */
	size_t cells, misfits; /* that say something; that are not of the type */
	const char *examples;  /* some of the misfits: line 4 "31.02.2026" */
};
/* Of the first n columns of the map, by the first rows of the file; in the arena. */
int import_hints(struct arena *a, const struct csv_source *source, const struct import_options *o,
    size_t n, struct import_hint **out, struct err *err);

#endif
