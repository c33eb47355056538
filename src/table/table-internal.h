/* What the files of this feature share: values, shapes, rows and their cells in indexes. */
#ifndef TABLE_TABLE_INTERNAL_H
#define TABLE_TABLE_INTERNAL_H
#include "base/limits.h"
#include "table/table.h"

/* ---- values: table-value.c ------------------------------------------------------------------- */

extern const char *const table_type_nouns[]; /* "a number" …, by type */
/* A value from outside as a column keeps it: NULL for null, and where is_text for a blank text that
 * is of no use as one. ERR_INVALID on "data.NAME". With is_lenient texts that read as the column's
 * type are taken for it. */
int table_value_take(struct arena *a, const struct table_column *c, const json_t *v,
    bool is_lenient, json_t **out, struct err *err);
/* What is kept as a value of that type, since a column's type may have changed since: NULL where it
 * cannot be one. v itself where it is one. */
json_t *table_value_as(struct arena *a, enum table_type type, json_t *v);
/* As people write it: of JSON its text. */
struct str table_value_text(struct arena *a, const json_t *v);
bool table_value_equals(struct arena *a, enum table_type type, const json_t *x, const json_t *y);

/* The place of a value in its index: bytes in the order of the values, then what tells apart those
 * that look alike there. No value is behind all others. */
#define TABLE_KEY_BYTES 64
struct table_key {
	unsigned char b[TABLE_KEY_BYTES];
	size_t n;
};
void table_key_of(struct arena *a, enum table_type type, const json_t *v, struct table_key *out);
/* The beginning that the keys of all texts have which begin with this one, whatever its case. */
void table_key_prefix(struct arena *a, struct str text, struct table_key *out);
static inline struct db_val table_key_val(const struct table_key *k)
{
	return db_blob((struct str){(const char *)k->b, k->n});
}

/* ---- shapes: table-shape.c ------------------------------------------------------------------- */

/* refused: why it was not taken, of one that was tried; NULL. */
struct str table_shape_text(struct arena *a, const struct table_shape *s, const char *refused);
int table_shape_parse(struct arena *a, struct str text, struct table_shape *out,
    const char **refused, struct err *err);
/* The columns that a request wants, onto those that are there (before: empty when it is new):
 * complaints by the reader, which stands at "columns". A column keeps its number by "was", else by
 * its name; one that is not named is removed, one that was removed comes back by its name. */
int table_shape_read(struct json_reader *in, struct arena *a, const json_t *columns,
    const struct table_shape *before, struct table_shape *out);
/* Forgets removed columns for good. False: there is none of that name. */
bool table_shape_purge(struct table_shape *s, struct str name);
json_t *table_columns_json(const struct table_shape *s); /* a new reference */

/* ---- tables: table-store.c ------------------------------------------------------------------- */

/* By its id, held so that nobody else reads its shape to write by it: 1, 0, -1. */
int table_lock(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, struct table *out, struct err *err);
/* The same held beside other writers, so that its shape stays. */
int table_hold(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, struct table *out, struct err *err);
int table_insert(struct db *db, struct arena *a, const struct table *t,
    const struct uuid *created_by, struct err *err);
/* Name, slug and both shapes. ERR_CONFLICT on "slug" where another has it. */
int table_store(struct db *db, struct arena *a, const struct table *t, struct err *err);
int table_remove(struct db *db, const struct table *t, struct err *err);
/* How many tables the account has. */
int table_count(
    struct db *db, struct arena *a, const struct uuid *account_id, int64_t *n, struct err *err);
bool table_slug_is_valid(struct str slug);
/* A slug made of a name that no table of the account has. */
int table_slug_make(struct db *db, struct arena *a, const struct uuid *account_id, struct str name,
    struct str *out, struct err *err);
/* As the API shows it; arena-owned. */
json_t *table_json(struct arena *a, const struct table *t);

/* The table of the route's :slug, with its rows counted; else false, and it is answered. */
bool table_of_request(struct req *r, struct table *out);
#define TABLE_EXPORT_KEY "externalKey" /* the first column of a file, before those of the table */

/* ---- rows: table-row.c ----------------------------------------------------------------------- */

struct table_row {
	struct uuid id;
	struct str key;  /* {NULL,0}: none */
	struct str text; /* as it is stored */
	json_t *data;    /* by the columns' numbers */
	int64_t created_us, updated_us;
	bool is_unreadable; /* data are shown as none */
};
#define TABLE_ROW_COLUMNS "r.id, r.external_key, r.data, r.created_at, r.updated_at"
enum {
	TABLE_ROW_ID,
	TABLE_ROW_KEY,
	TABLE_ROW_DATA,
	TABLE_ROW_CREATED,
	TABLE_ROW_UPDATED,
	TABLE_ROW_MORE /* the first column that a statement adds */
};
/* db_query_rows of any number of single values: in parts, and all that came. */
int table_query_many(struct db *db, struct arena *a, const struct db_stmt *st,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t n,
    struct db_rows *out, struct err *err);
int table_row_read(
    struct arena *a, const struct db_rows *rows, size_t i, struct table_row *out, struct err *err);
/* Under which a row's data has a column's value; arena-owned. */
const char *table_column_key(struct arena *a, int64_t no);
/* The value of a column; NULL: none. Arena-owned. */
json_t *table_row_value(struct arena *a, const struct table_row *row, const struct table_column *c);
/* The first column of a shape that a row does not fit: it has no value that is needed, or one that
 * cannot be of the column's type. NULL: it fits. */
const struct table_column *table_row_misfit(
    struct arena *a, const struct table_shape *s, const struct table_row *row);
/* As the API shows it; arena-owned. */
json_t *table_row_json(struct arena *a, const struct table *t, const struct table_row *row);
int table_row_load(struct db *db, struct arena *a, const struct table *t, const struct uuid *id,
    struct table_row *out, struct err *err);
int table_row_load_key(struct db *db, struct arena *a, const struct table *t, struct str key,
    struct table_row *out, struct err *err);

/* ---- writing: table-write.c ------------------------------------------------------------------ */

/* One change of a row, on its way into the store. */
struct table_write {
	struct uuid id; /* which row; nil: the one of that key, or a new one */
	struct str key; /* {NULL,0}: none is given */
	bool ends_key;  /* the row loses its key */
	bool is_new;    /* it must not be there yet */
	bool is_lenient;
	const json_t *data; /* by column names; NULL: nothing */
	/* came: */
	struct err err; /* why it was not done; the others were */
	bool is_created, is_changed;
	struct table_row row; /* as it is then */
};
/* Within a transaction that holds the table: rows, their cells, the count. Changes of one row
 * follow each other in the order of v. -1 only when the transaction is lost. */
int table_write_rows(struct db *db, struct arena *a, const struct table *t, struct table_write *v,
    size_t n, struct err *err);
/* Within the same: puts rows that are there as they are now, without looking at their cells. */
int table_rows_store(struct db *db, struct arena *a, const struct table *t,
    const struct table_row *rows, size_t n, struct err *err);
/* The same making one row anew, whatever its columns are: change gets it as it is behind the lock,
 * and says whether it is another. 1, 0 it is not, or is gone; -1. */
int table_row_remake(struct db *db, struct arena *a, const struct table *t, const struct uuid *id,
    bool (*change)(struct arena *a, struct table_row *row, void *arg), void *arg, struct err *err);
/* The same deleting rows: how many were there. */
int table_delete_rows(struct db *db, struct arena *a, const struct table *t, const struct uuid *ids,
    size_t n, int64_t *deleted, struct err *err);

/* ---- one row, by people: table-row-change.c -------------------------------------------------- */

struct table_row_change {
	struct str slug;
	struct uuid id;
	struct str key; /* {NULL,0}: it stays */
	bool ends_key, is_strict;
	bool is_new; /* a row is made: id is nil */
	const json_t *data;
	/* came: */
	struct table table;
	struct table_row row;
};
/* In a transaction of its own: 1, 0 there is no such table or row, -1. */
int table_row_change(struct req *r, struct table_row_change *c, struct err *err);
/* The same deleting it, with a row of the audit log. */
int table_row_delete(struct req *r, struct str slug, const struct uuid *id, struct err *err);

/* ---- looking up: table-lookup.c -------------------------------------------------------------- */

struct table_lookup {
	const json_t *value; /* as the column keeps it */
	bool is_found;
	struct table_row row; /* the first that has it */
	struct err err;       /* ERR_LIMIT: there are too many rows to look through */
};
int table_lookup_values(struct db *db, struct arena *a, const struct table *t,
    const struct table_column *c, struct table_lookup *v, size_t n, struct err *err);
int table_lookup_by_keys(struct db *db, struct arena *a, const struct table *t,
    const struct str *keys, struct table_lookup *v, size_t n, struct err *err);

/* ---- changes of tables: table-change.c ------------------------------------------------------- */

/* What a request wants of a table; what is NULL stays. */
struct table_wish {
	struct str name, slug;
	json_t *columns, *purge;
};
/* Makes one, with its row of the audit log. Complaints by req_invalid, then ERR_INVALID. */
int table_create(struct req *r, const struct table_wish *w, struct table *out, struct err *err);
/* Changes one: 1, 0 there is none, -1. What must look at many rows is done by a task, whose id is
 * in *task_id (else nil). Rows that stand against it are complained of. */
int table_update(struct req *r, struct str slug, const struct table_wish *w, struct table *out,
    struct uuid *task_id, struct err *err);
/* Deletes one with its rows: 1, 0, -1. Of many rows the rest goes behind the answer. */
int table_delete(struct req *r, struct str slug, struct err *err);

/* ---- the walk over rows that a change takes: table-alter.c
 * ---------------------------------------- */

enum alter_phase { ALTER_CHECK, ALTER_BUILD, ALTER_PURGE, ALTER_DROP, ALTER_GONE, ALTER_DONE };
struct table_alter {
	struct uuid account_id, table_id;
	json_t *purge; /* numbers of columns whose values go */
	json_t *drop;  /* numbers of indexes that go */
	bool is_gone;  /* the table is no more */
	/* where it is: */
	enum alter_phase phase;
	struct uuid after;
	/* came: */
	int64_t seen, changed, misfits;
	json_t *problems; /* texts: the first rows that do not fit */
};
/* Within a transaction: the next slice of at most so many rows. 1 there is more, 0 it is done, -1:
 * ERR_INVALID where rows stand against it, which the step before has stored with the table. */
int table_alter_step(
    struct db *db, struct arena *a, struct table_alter *w, int64_t rows, struct err *err);
/* Is a task of the table's queued or running? 1, 0, -1. */
int table_alter_is_open(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, struct err *err);
/* Queues the task that does it. */
int table_alter_queue(struct db *db, struct arena *a, const struct table_alter *w,
    const struct table *t, const struct uuid *created_by, struct uuid *task_id, struct err *err);

/* ---- indexes: table-cells.c ------------------------------------------------------------------ */

/* Cells of rows: those of indexes that are not ready yet too. */
struct table_cell {
	int64_t index;
	struct table_key key;
	struct uuid row_id;
};
struct table_cells {
	struct table_cell *v;
	size_t n, cap;
};
void table_cells_of(struct arena *a, const struct table_shape *s, const struct table_row *row,
    struct table_cells *out);
/* Of the same rows before and after: leaves those that are not the same. */
void table_cells_leave_alike(struct table_cells *before, struct table_cells *after);
/* Both put them in the order of the index, in which all lock them. */
int table_cells_delete(struct db *db, struct arena *a, const struct table *t,
    struct table_cells *cells, struct err *err);
int table_cells_insert(struct db *db, struct arena *a, const struct table *t,
    struct table_cells *cells, struct err *err);

#endif
