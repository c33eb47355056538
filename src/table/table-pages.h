/* What the pages of the tables share. */
#ifndef TABLE_TABLE_PAGES_H
#define TABLE_TABLE_PAGES_H
#include "table/table-internal.h"

/* What every page of a table shows, for "table/head": tab is "rows", "columns" or "import".
 * Arena-owned. */
json_t *table_page_head(struct req *r, const struct table *t, const char *tab);

#endif
