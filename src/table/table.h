/* Tables of a customer's own: columns with types, rows with or without a key.
 * docs/internals/tables.md tells how rows are kept, found and changed.
 *
 * A table has a slug, under which all others call it. Its rows lie in it as people gave them: a
 * value keeps its digits, and what is not given is no value. */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H
#include "db/db.h"
#include "http/http.h"
#include "http/slice.h"
#include "task/task.h"

/* ---- shapes: table-shape.c ------------------------------------------------------------------ */

enum table_type { TABLE_STRING, TABLE_NUMBER, TABLE_BOOLEAN, TABLE_DATE, TABLE_JSON };
extern const struct word table_types[]; /* in this order */

struct table_column {
	int64_t no; /* under which rows keep its values; for ever */
	struct str name;
	enum table_type type;
	bool is_required;
	bool is_mixed; /* its type has changed: rows may have values of others, read as this one */
	bool is_removed; /* rows keep its values until it is purged; nobody sees them */
	int64_t index;   /* the number of its index; 0: none */
	bool is_ready;   /* all rows have their cell in it */
};
struct table_shape {
	struct table_column *columns; /* in the order in which they are shown; removed ones last */
	size_t n, shown;
	int64_t next; /* no column or index has had this number yet */
};
struct table {
	struct uuid id, account_id;
	struct str slug, name;
	struct table_shape shape;
	struct table_shape pending; /* being tried on the rows that are there; no columns: none */
	const char *refused;        /* why the last one that was tried was not taken; NULL */
	int64_t created_us, updated_us;
	int64_t rows;       /* -1 where it was not asked for */
	bool is_unreadable; /* shape is shown as none */
};
/* The column of that name, NULL when there is none; removed ones are not found. */
const struct table_column *table_column_find(const struct table *t, struct str name);

/* ---- tables: table-store.c, table-change.c -------------------------------------------------- */

/* By its slug: 1, 0, -1. With is_held, within a transaction, its shape stays as it is until the
 * end. */
int table_find(struct db *db, struct arena *a, const struct uuid *account_id, struct str slug,
    bool is_held, struct table *out, struct err *err);
/* All of an account, by name, with how many rows they have. */
int table_list(struct db *db, struct arena *a, const struct uuid *account_id, struct table **out,
    size_t *n, struct err *err);
int table_count_rows(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, int64_t *rows, struct err *err);

/* A change of a table's shape whose rows are many, and what is left of one that was deleted. */
extern const struct task_kind table_alter_task;
int table_job_change(struct job *j, struct err *err); /* table.change, subject: the task */

/* A file into a table, as POST /tables/:slug/import takes it. */
extern const struct task_kind table_import_task;
int table_job_import(struct job *j, struct err *err); /* table.import, subject: the task */

/* ---- many at once, within the caller's transaction: table-run.c ------------------------------ */

enum table_op_kind {
	TABLE_LOOKUP,     /* the first row whose column has the value */
	TABLE_UPSERT,     /* the row of that key gets the data, or is made */
	TABLE_APPEND,     /* a new row; with a key that is taken ERR_CONFLICT */
	TABLE_FROM_RECORD /* TABLE_UPSERT with a record's data, its key one of the fields */
};
struct table_op {
	enum table_op_kind kind;
	struct str slug;
	struct str column;   /* of a look-up: a column, or "id" or "externalKey" */
	const json_t *value; /* of a look-up */
	const json_t *key;   /* a text or a number; NULL: none */
	const json_t *data; /* an object by column names; null ends a value, what is not given stays
			     */
	struct str key_field; /* of a record: path of the field that is the key */
	struct uuid record_id;
	bool is_strict; /* texts are no numbers, dates or booleans, even if they read as such */
	/* came: */
	json_t
	    *output; /* look-up: {"found","row"}, else {"created","row"}; row as the API has it */
	struct err err; /* why there is none: ERR_NOT_FOUND, ERR_INVALID (naming the field), … */
};
/* Within a transaction: does them as if one after the other, what writes before what looks up. What
 * is wrong with one stands there and costs no other; -1 only when the transaction is lost. */
int table_run(struct app *app, struct arena *a, const struct uuid *account_id, struct table_op *ops,
    size_t n, struct err *err);

extern const struct personal_table table_rows_personal_table; /* db/personal.h */

/* ---- requests ------------------------------------------------------------------------------- */

int table_api_list(struct req *r);
int table_api_create(struct req *r);
int table_api_get(struct req *r);
int table_api_update(struct req *r);
int table_api_delete(struct req *r);
int table_api_rows(struct req *r);
int table_api_row_create(struct req *r);
int table_api_row_by_key(struct req *r); /* GET …/rows/by-key/:externalKey */
int table_api_row_put(struct req *r);    /* PUT of the same */
int table_api_row_get(struct req *r);
int table_api_row_update(struct req *r);
int table_api_row_delete(struct req *r);
int table_export(struct req *r); /* ?format=csv|ndjson and the list's filters; page and API */

int table_api_import(struct req *r);

int table_page_list(struct req *r);
int table_page_new(struct req *r);
int table_page_new_post(struct req *r);
int table_page_rows(struct req *r);
int table_page_row(struct req *r);             /* GET …/rows/new and …/rows/:id */
int table_page_row_post(struct req *r);        /* the same saved */
int table_page_row_delete(struct req *r);      /* asks */
int table_page_row_delete_post(struct req *r); /* does it */
int table_page_columns(struct req *r);
int table_page_columns_post(struct req *r);
int table_page_import(struct req *r);
int table_page_import_post(struct req *r);
int table_page_delete(struct req *r);
int table_page_delete_post(struct req *r);

#endif
