/* Pages of the tables. Data of "table/tables": {rows: a table as the API has it, with
 * column_count}, can_write; of "table/rows": the table's head (table_page_head), the list's paging,
 * heads: [{label, class, href, order}], rows: [{id, title, key,
 * cells: [{text, class, is_time}], updatedAt}], search, filters: [{value, label, is_current}],
 * value, is_short. */
#include "table/table-pages.h"
#include "account/permission.h"
#include "html/chrome.h"
#include "table/table-list.h"

#define PAGE_ROWS 50
#define COLUMNS_SHOWN 8
#define CELL_BYTES 80

static bool page_may_write(const struct req *r)
{
	return (r->actor.permissions & PERMIT(TABLES_WRITE)) != 0;
}

json_t *table_page_head(struct req *r, const struct table *t, const char *tab)
{
	json_t *data = json_own(r->a, json_deep_copy(table_json(r->a, t)));

	json_set_str(data, "tab", tab);
	json_set_bool(data, "on_rows", strcmp(tab, "rows") == 0);
	json_set_bool(data, "on_columns", strcmp(tab, "columns") == 0);
	json_set_bool(data, "on_import", strcmp(tab, "import") == 0);
	json_set_bool(data, "can_write", page_may_write(r));
	return data;
}

int table_page_list(struct req *r)
{
	json_t *data = json_own(r->a, json_object()), *rows = json_array();
	struct err err = ERR_INIT;
	struct table *v;
	size_t n;

	json_set(data, "rows", rows);
	json_set_bool(data, "can_write", page_may_write(r));
	if (table_list(r->app->db, r->a, &r->actor.account_id, &v, &n, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < n; i++) {
		json_t *o = table_json(r->a, &v[i]);

		json_set_int(o, "column_count", (int64_t)v[i].shape.shown);
		json_array_append(rows, o);
	}
	json_set_bool(data, "has_rows", n > 0);
	return chrome_page(r, 200, "tables", "Tables", "table/tables", json_incref(data));
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const char *column_class(const struct table_column *c)
{
	return c->type == TABLE_NUMBER ? "number" : c->type == TABLE_DATE ? "date" : "text";
}

static const char *cell_text(struct arena *a, const struct table_column *c, const json_t *v)
{
	struct str text;

	if (v == NULL)
		return NULL;
	if (c->type == TABLE_BOOLEAN)
		return json_is_true(v) ? "Yes" : "No";
	text = table_value_text(a, v);
	if (text.n <= CELL_BYTES)
		return str_copy(a, text).p;
	text = utf8_cut(text, CELL_BYTES);
	return arena_printf(a, "%.*s…", (int)text.n, text.p);
}

static size_t columns_shown(const struct table *t)
{
	return t->shape.shown < COLUMNS_SHOWN ? t->shape.shown : COLUMNS_SHOWN;
}

/* A row's cells, and its name: the first that says something, else the key. */
static void row_add_cells(struct arena *a, const struct table *t, json_t *row)
{
	const json_t *data = json_object_get(row, "data");
	const char *title = NULL, *key = json_str(row, "externalKey");
	json_t *cells = json_array();

	for (size_t i = 0; i < columns_shown(t); i++) {
		const struct table_column *c = &t->shape.columns[i];
		const char *text = cell_text(a, c, json_object_getn(data, c->name.p, c->name.n));
		json_t *cell;

		title = title != NULL ? title : text;
		if (i == 0)
			continue; /* it is the name */
		cell = json_object();
		json_set_str(cell, "text", text);
		json_set_str(cell, "class", column_class(c));
		json_set_bool(cell, "is_time", c->type == TABLE_DATE);
		json_set_strn(cell, "label", c->name);
		json_array_append_new(cells, cell);
	}
	json_set_str(row, "title", title != NULL && *title != '\0' ? title : key);
	json_set(row, "cells", cells);
}

/* The heads of columns, each a link to the list in its order. */
static json_t *column_heads(struct req *r, const struct table *t, const struct table_filter *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < columns_shown(t); i++) {
		const struct table_column *c = &t->shape.columns[i];
		bool is_current = f->order == c;
		bool can_sort = c->type != TABLE_JSON && ((c->index != 0 && c->is_ready) ||
							     t->rows <= LIMIT_TABLE_SORT_ROWS);
		const char *sort = arena_printf(r->a, "%s%.*s",
		    is_current && !f->is_descending ? "-" : "", (int)c->name.n, c->name.p);
		json_t *o = json_object();

		json_set_strn(o, "label", c->name);
		json_set_str(o, "class", i == 0 ? "name" : column_class(c));
		json_set_str(o, "href", can_sort ? chrome_link(r, "sort", str_from(sort)) : NULL);
		json_set_str(o, "order",
		    !is_current        ? NULL
		    : f->is_descending ? "descending"
				       : "ascending");
		json_set_str(o, "arrow", f->is_descending ? "↓" : "↑");
		json_array_append_new(list, o);
	}
	return list;
}

/* The choice of the column to filter by: the address may name it in two ways, since a form without
 * script cannot make "filter[…]". */
static void rows_add_filter(
    struct req *r, const struct table *t, const struct table_filter *f, json_t *data)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->shape.shown; i++) {
		const struct table_column *c = &t->shape.columns[i];
		json_t *o = json_object();

		json_set_strn(o, "value", c->name);
		json_set_bool(o, "is_current", f->nwhere > 0 && f->where[0].column == c);
		json_array_append_new(list, o);
	}
	json_set(data, "filters", list);
	json_set_strn(data, "value", f->nwhere > 0 ? f->where[0].text : STR(""));
	json_set_int(data, "filter_count", (int64_t)f->nwhere);
	json_set_strn(data, "search", f->search.n > 0 ? f->search : STR(""));
	json_set_strn(data, "sort", f->sort.n > 0 ? f->sort : STR(""));
	json_set_bool(data, "is_filtered", f->nwhere > 0 || f->folded != NULL);
	json_set_str(data, "csv_href",
	    arena_printf(r->a, "/admin/tables/%.*s/export?%.*s", (int)t->slug.n, t->slug.p,
		(int)r->query_string.n, r->query_string.p));
}

/* "column" and "value" of the form become the filter that lists know. */
static void query_take_filter(struct req *r)
{
	struct str column = req_query_text(r, "column"), value = req_query_text(r, "value");
	struct http_pair *more;

	if (column.p == NULL || value.p == NULL)
		return;
	more = arena_array(r->a, r->query.n + 1, sizeof(*more));
	memcpy(more, r->query.v, r->query.n * sizeof(*more));
	more[r->query.n] = (struct http_pair){
	    str_from(arena_printf(r->a, "filter[%.*s]", (int)column.n, column.p)), value};
	r->query.v = more;
	r->query.n++;
}

int table_page_rows(struct req *r)
{
	struct table_filter f = {.budget_us = TABLE_PAGE_BUDGET_US};
	struct err err = ERR_INIT;
	struct table t;
	struct slice s;
	json_t *data, *row;
	size_t i;

	if (!table_of_request(r, &t))
		return 0;
	query_take_filter(r);
	if (!slice_read_page(r, &list_of_table_rows, &f, PAGE_ROWS, &s))
		return res_redirect(r, chrome_link(r, "cursor", (struct str){NULL, 0}));
	table_filter_resolve(r, &t, &f, false);
	if (table_list_rows(r->app, r->a, &t, &f, &s, &err) == -1) {
		if (err.code == ERR_INVALID)
			return res_redirect(r, chrome_link(r, "sort", (struct str){NULL, 0}));
		return res_error(r, &err);
	}
	data = table_page_head(r, &t, "rows");
	json_array_each(s.rows, i, row)
		row_add_cells(r->a, &t, row);
	chrome_slice(r, &s, data);
	chrome_slice_total(&s, INT64_MAX, "row", "rows", data);
	json_set(data, "heads", column_heads(r, &t, &f));
	rows_add_filter(r, &t, &f, data);
	json_set_bool(data, "is_short", s.has_more && json_array_size(s.rows) < PAGE_ROWS);
	return chrome_page(
	    r, 200, "tables", str_copy(r->a, t.name).p, "table/rows", json_incref(data));
}

/* ---- deleting -------------------------------------------------------------------------------- */

int table_page_delete(struct req *r)
{
	struct table t;

	if (!table_of_request(r, &t))
		return 0;
	return chrome_page(r, 200, "tables", "Delete a table", "table/delete",
	    json_incref(table_page_head(r, &t, "columns")));
}

int table_page_delete_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct table t;

	if (!table_of_request(r, &t))
		return 0;
	if (table_delete(r, t.slug, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The table %s is deleted.", str_copy(r->a, t.name).p);
	return res_redirect(r, "/admin/tables");
}
