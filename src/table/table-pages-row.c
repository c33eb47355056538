/* One row: its form. Data of "table/row": the table's head, title, action, key, fields as
 * "connection/field" has them, id (absent of a new one), errors. */
#include "html/chrome.h"
#include "table/table-pages.h"

static bool is_new(const struct req *r)
{
	return str_is(req_param(r, "id"), "new");
}

static const char *rows_path(struct req *r, const struct table *t)
{
	return arena_printf(r->a, "/admin/tables/%.*s", (int)t->slug.n, t->slug.p);
}

static const char *field_name(struct arena *a, const struct table_column *c)
{
	return arena_printf(a, "c_%lld", (long long)c->no);
}

/* ---- the form -------------------------------------------------------------------------------- */

static json_t *choice(const char *value, bool is_current)
{
	json_t *o = json_object();

	json_set_str(o, "value", value);
	json_set_bool(o, "is_current", is_current);
	return o;
}

static const char *field_help(const struct table_column *c)
{
	return c->type == TABLE_DATE   ? "Such as 2026-03-07, or 2026-03-07T14:30Z"
	       : c->type == TABLE_JSON ? "JSON, such as {\"a\": 1}"
				       : NULL;
}

static void field_add_kind(json_t *o, const struct table_column *c, const char *value)
{
	bool is_long = c->type == TABLE_JSON || (value != NULL && strchr(value, '\n') != NULL);
	json_t *choices;

	json_set_bool(o, "is_number", c->type == TABLE_NUMBER);
	json_set_bool(o, "is_select", c->type == TABLE_BOOLEAN);
	json_set_bool(o, "is_lines", is_long);
	json_set_bool(o, "is_text", (c->type == TABLE_STRING || c->type == TABLE_DATE) && !is_long);
	if (c->type != TABLE_BOOLEAN)
		return;
	choices = json_array();
	json_array_append_new(choices, choice("Yes", value != NULL && strcmp(value, "true") == 0));
	json_array_append_new(choices, choice("No", value != NULL && strcmp(value, "false") == 0));
	json_set(o, "choices", choices);
}

/* The column's value: of the form that was sent, else of the row. */
static json_t *row_field(struct req *r, const struct table_column *c, const struct table_row *row,
    const struct err *wrong)
{
	const char *name = field_name(r->a, c), *field;
	const json_t *v = row == NULL ? NULL : table_row_value(r->a, row, c);
	struct str text = v == NULL ? STR("") : table_value_text(r->a, v);
	const char *help = field_help(c);
	json_t *o = json_object();
	bool is_wrong;

	if (r->method == HTTP_POST)
		text = req_form(r, name);
	field = arena_printf(r->a, "data.%.*s", c->name.n > 50 ? 50 : (int)c->name.n, c->name.p);
	is_wrong = wrong != NULL && strcmp(wrong->field, field) == 0;
	json_set_str(o, "name", name);
	json_set_strn(o, "label", c->name);
	json_set_strn(o, "value", text);
	json_set_bool(o, "is_needed", c->is_required);
	field_add_kind(o, c, str_copy(r->a, text).p);
	json_set_str(o, "help", help);
	json_set_str(o, "error", is_wrong ? wrong->msg : NULL);
	json_set_bool(o, "is_first_wrong", is_wrong);
	json_set_str(o, "described",
	    is_wrong       ? arena_printf(r->a, "%s-wrong", name)
	    : help != NULL ? arena_printf(r->a, "%s-help", name)
			   : NULL);
	return o;
}

static int row_form(struct req *r, const struct table *t, const struct table_row *row, int status,
    const struct err *wrong)
{
	json_t *data = table_page_head(r, t, "rows"), *fields = json_array();
	const char *title = row == NULL ? "New row" : "Row";

	for (size_t i = 0; i < t->shape.shown; i++)
		json_array_append_new(fields, row_field(r, &t->shape.columns[i], row, wrong));
	json_set(data, "fields", fields);
	json_set_str(data, "title", title);
	json_set_strn(data, "key",
	    r->method == HTTP_POST              ? req_form(r, "key")
	    : row != NULL && row->key.p != NULL ? row->key
						: STR(""));
	json_set_str(data, "row_id", row == NULL ? "new" : uuid_dup(r->a, row->id));
	json_set_bool(data, "is_there", row != NULL);
	if (row != NULL) {
		json_set_time(data, "row_created", row->created_us);
		json_set_bool(data, "isUnreadable", row->is_unreadable);
		json_set_time(data, "row_updated", row->updated_us);
	}
	if (wrong != NULL)
		chrome_wrong(r, data,
		    strncmp(wrong->field, "data.", 5) == 0 ? "data" : wrong->field, wrong->msg);
	return chrome_page(r, status, "tables", title, "table/row", json_incref(data));
}

/* The row of the address; false when it is answered. A new one is NULL. */
static bool row_of_request(
    struct req *r, struct table *t, struct table_row *row, const struct table_row **out)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	*out = NULL;
	if (!table_of_request(r, t))
		return false;
	if (is_new(r))
		return true;
	if (!req_param_uuid(r, "id", &id))
		return false;
	found = table_row_load(r->app->db, r->a, t, &id, row, &err);
	*out = row;
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		res_problem(r, 404, "There is no such row");
	return found == 1;
}

int table_page_row(struct req *r)
{
	const struct table_row *there;
	struct table_row row;
	struct table t;

	if (!row_of_request(r, &t, &row, &there))
		return 0;
	return row_form(r, &t, there, 200, NULL);
}

/* ---- saving ---------------------------------------------------------------------------------- */

/* What the form has for a column: blank is no value. */
static int form_value(struct req *r, const struct table_column *c, json_t **out, struct err *err)
{
	struct str text = req_form(r, field_name(r->a, c));

	*out = json_own(r->a, utf8_trim(text).n == 0 ? json_null() : json_stringn(text.p, text.n));
	if (c->type == TABLE_BOOLEAN && str_is(text, "Yes"))
		*out = json_own(r->a, json_true());
	else if (c->type == TABLE_BOOLEAN && str_is(text, "No"))
		*out = json_own(r->a, json_false());
	if (c->type != TABLE_JSON || json_is_null(*out))
		return 0;
	*out = json_parse(r->a, text, err);
	if (*out != NULL)
		return 0;
	err_clear(err);
	return err_field(err, ERR_INVALID,
	    arena_printf(r->a, "data.%.*s", c->name.n > 50 ? 50 : (int)c->name.n, c->name.p),
	    "must be JSON");
}

/* Fields of columns that the form does not have stay as they are: it may be older than they. */
static int form_data(struct req *r, const struct table *t, json_t *data, struct err *err)
{
	for (size_t i = 0; i < t->shape.shown; i++) {
		const struct table_column *c = &t->shape.columns[i];
		json_t *v;

		if (http_pairs_get(&r->form, field_name(r->a, c)).p == NULL)
			continue;
		if (form_value(r, c, &v, err) == -1)
			return -1;
		json_object_setn(data, c->name.p, c->name.n, v);
	}
	return 0;
}

static int row_save(struct req *r, const struct table *t, const struct table_row *there,
    const json_t *data, struct err *err)
{
	struct str key = utf8_trim(req_form(r, "key"));
	struct table_row_change c = {
	    .slug = t->slug, .data = data, .ends_key = key.n == 0, .is_new = there == NULL};

	if (there != NULL)
		c.id = there->id;
	if (key.n > 0)
		c.key = key;
	return table_row_change(r, &c, err);
}

int table_page_row_post(struct req *r)
{
	json_t *data = json_own(r->a, json_object());
	const struct table_row *there;
	struct err err = ERR_INIT;
	struct table_row row;
	struct table t;
	int found;

	if (!row_of_request(r, &t, &row, &there))
		return 0;
	found = form_data(r, &t, data, &err) == -1 ? -1 : row_save(r, &t, there, data, &err);
	if (found == -1 && (err.code == ERR_INVALID || err.code == ERR_CONFLICT))
		return row_form(r, &t, there, err.code == ERR_CONFLICT ? 409 : 422, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such row");
	chrome_flash(r, "ok", there == NULL ? "The row is added." : "Saved.");
	return res_redirect(r, rows_path(r, &t));
}

/* ---- deleting -------------------------------------------------------------------------------- */

int table_page_row_delete(struct req *r)
{
	const struct table_row *there;
	struct table_row row;
	struct table t;
	json_t *data;

	if (!row_of_request(r, &t, &row, &there))
		return 0;
	if (there == NULL)
		return res_problem(r, 404, "There is no such row");
	data = table_page_head(r, &t, "rows");
	json_set_str(data, "row_id", uuid_dup(r->a, row.id));
	json_set(
	    data, "values", json_incref(json_object_get(table_row_json(r->a, &t, &row), "data")));
	return chrome_page(r, 200, "tables", "Delete a row", "table/row-delete", json_incref(data));
}

int table_page_row_delete_post(struct req *r)
{
	const struct table_row *there;
	struct err err = ERR_INIT;
	struct table_row row;
	struct table t;

	if (!row_of_request(r, &t, &row, &there))
		return 0;
	if (there == NULL)
		return res_problem(r, 404, "There is no such row");
	if (table_row_delete(r, t.slug, &row.id, &err) == -1)
		return res_error(r, &err);
	chrome_flash(r, "ok", "The row is deleted.");
	return res_redirect(r, rows_path(r, &t));
}
