/* Lists of a table's rows: filters, search, order. */
#ifndef TABLE_TABLE_LIST_H
#define TABLE_TABLE_LIST_H
#include "table/table-internal.h"

#define TABLE_WHERE_MOST 5
struct table_where { /* filter[column]=value */
	struct str name, text;
	const struct table_column *column; /* NULL: the key, or none */
	json_t *value;                     /* NULL: none that the column can have */
};
struct table_filter {
	struct uuid account_id;
	struct str slug, search, sort;
	struct table_where where[TABLE_WHERE_MOST];
	size_t nwhere;
	/* table_filter_resolve: */
	const char *folded;               /* of the search; NULL: none */
	const struct table_column *order; /* NULL: createdAt */
	bool is_descending;
};
extern const struct list list_of_table_rows;
/* Finds the columns that it names. Where they are needed, unknown ones are complained of by
 * req_invalid; else nothing has their values, and such an order is none. False: complaints. */
bool table_filter_resolve(
    struct req *r, const struct table *t, struct table_filter *f, bool is_needed);
/* t->rows is needed. ERR_INVALID on "sort" where too many rows would have to be sorted. */
int table_list_rows(struct app *app, struct arena *a, const struct table *t,
    const struct table_filter *f, struct slice *s, struct err *err);

#endif
