/* A new table, and the columns of one. Data of "table/new" and "table/columns": name, slug,
 * columns:
 * [{n, was, name, types: [{value, label, is_current}], is_required, is_indexed, is_kept}],
 * removed: [{name}], errors, problems: [text]. */
#include "html/chrome.h"
#include "table/table-pages.h"

#define NEW_LINES 5  /* empty lines of a new table */
#define MORE_LINES 3 /* of one that is there */

static const char *form_key(struct arena *a, const char *what, size_t i)
{
	return arena_printf(a, "%s_%zu", what, i);
}

static json_t *type_choices(const char *current)
{
	json_t *list = json_array();

	for (const struct word *w = table_types; w->text != NULL; w++) {
		json_t *o = json_object();

		json_set_str(o, "value", w->text);
		json_set_str(o, "label", w->label);
		json_set_bool(o, "is_current", current != NULL && strcmp(current, w->text) == 0);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *column_line(
    size_t i, struct str was, struct str name, const char *type, bool is_required, bool is_indexed)
{
	json_t *o = json_object();

	json_set_int(o, "n", (int64_t)i);
	json_set_int(o, "number", (int64_t)i + 1);
	json_set_strn(o, "was", was);
	json_set_strn(o, "name", name);
	json_set(o, "types", type_choices(type));
	json_set_bool(o, "is_required", is_required);
	json_set_bool(o, "is_indexed", is_indexed);
	json_set_bool(o, "is_kept", was.n > 0);
	return o;
}

/* The lines of a form that was sent, so that nothing that was typed is lost. */
static json_t *lines_of_form(struct req *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < LIMIT_TABLE_COLUMNS; i++) {
		if (http_pairs_get(&r->form, form_key(r->a, "name", i)).p == NULL)
			break;
		json_array_append_new(
		    list, column_line(i, req_form(r, form_key(r->a, "was", i)),
			      req_form(r, form_key(r->a, "name", i)),
			      str_copy(r->a, req_form(r, form_key(r->a, "type", i))).p,
			      req_form(r, form_key(r->a, "required", i)).n > 0,
			      req_form(r, form_key(r->a, "indexed", i)).n > 0));
	}
	return list;
}

static json_t *lines_of_table(const struct table *t, size_t more)
{
	json_t *list = json_array();
	size_t shown = t == NULL ? 0 : t->shape.shown;

	for (size_t i = 0; i < shown; i++) {
		const struct table_column *c = &t->shape.columns[i];

		json_array_append_new(
		    list, column_line(i, c->name, c->name, table_types[c->type].text,
			      c->is_required, c->index != 0));
	}
	for (size_t i = 0; i < more && shown + i < LIMIT_TABLE_COLUMNS; i++)
		json_array_append_new(
		    list, column_line(shown + i, STR(""), STR(""), "string", false, false));
	return list;
}

/* The columns that a form asks for: lines without a name, or marked to go, are none. */
static json_t *columns_of_form(struct req *r)
{
	json_t *list = json_own(r->a, json_array());

	for (size_t i = 0; i < LIMIT_TABLE_COLUMNS; i++) {
		struct str name = utf8_trim(req_form(r, form_key(r->a, "name", i)));
		struct str was = req_form(r, form_key(r->a, "was", i));
		json_t *o;

		if (http_pairs_get(&r->form, form_key(r->a, "name", i)).p == NULL)
			break;
		if (name.n == 0 || req_form(r, form_key(r->a, "remove", i)).n > 0)
			continue;
		o = json_object();
		json_set_strn(o, "name", name);
		if (was.n > 0)
			json_set_strn(o, "was", was);
		json_set_strn(o, "type", req_form(r, form_key(r->a, "type", i)));
		json_set_bool(o, "required", req_form(r, form_key(r->a, "required", i)).n > 0);
		json_set_bool(o, "indexed", req_form(r, form_key(r->a, "indexed", i)).n > 0);
		json_array_append_new(list, o);
	}
	return list;
}

/* What is wrong, in sentences: complaints about columns stand together above the form. */
static void form_add_wrong(struct req *r, json_t *data, const struct err *err)
{
	const char *text = req_invalid_text(r);

	if (text == NULL)
		chrome_wrong(r, data, err->field, err->msg);
	else
		chrome_wrong(r, data, "", text);
}

static struct str form_name(struct req *r)
{
	struct str name = utf8_trim(req_form(r, "name"));

	return utf8_cut(name, LIMIT_NAME_BYTES);
}

/* ---- a new one ------------------------------------------------------------------------------- */

static int new_form(struct req *r, int status, const struct err *wrong)
{
	json_t *data = json_own(r->a, json_object());

	json_set_strn(data, "name", req_form(r, "name"));
	json_set_bool(data, "has_kept", false);
	json_set(data, "columns",
	    r->method == HTTP_POST ? lines_of_form(r) : lines_of_table(NULL, NEW_LINES));
	if (wrong != NULL)
		form_add_wrong(r, data, wrong);
	return chrome_page(r, status, "tables", "New table", "table/new", json_incref(data));
}

int table_page_new(struct req *r)
{
	return new_form(r, 200, NULL);
}

int table_page_new_post(struct req *r)
{
	struct table_wish w = {.name = form_name(r), .columns = columns_of_form(r)};
	struct err err = ERR_INIT;
	struct table t;

	if (w.name.n == 0)
		err_field(&err, ERR_INVALID, "name", "it needs a name");
	else if (table_create(r, &w, &t, &err) == 0) {
		chrome_flash(r, "ok", "The table is made.");
		return res_redirect(
		    r, arena_printf(r->a, "/admin/tables/%.*s", (int)t.slug.n, t.slug.p));
	}
	if (err.code != ERR_INVALID && err.code != ERR_CONFLICT)
		return res_error(r, &err);
	return new_form(r, err.code == ERR_CONFLICT ? 409 : 422, &err);
}

/* ---- the columns of one ---------------------------------------------------------------------- */

static json_t *lines_removed(const struct table *t)
{
	json_t *list = json_array();

	for (size_t i = t->shape.shown; i < t->shape.n; i++) {
		json_t *o = json_object();

		json_set_int(o, "n", (int64_t)(i - t->shape.shown));
		json_set_strn(o, "name", t->shape.columns[i].name);
		json_array_append_new(list, o);
	}
	return list;
}

static int columns_form(struct req *r, const struct table *t, int status, const struct err *wrong)
{
	json_t *data = table_page_head(r, t, "columns");

	json_set(data, "columns",
	    r->method == HTTP_POST ? lines_of_form(r) : lines_of_table(t, MORE_LINES));
	json_set_bool(data, "has_kept", true);
	json_set(data, "removed", lines_removed(t));
	json_set_bool(data, "has_removed", t->shape.n > t->shape.shown);
	json_set_strn(data, "form_name", r->method == HTTP_POST ? req_form(r, "name") : t->name);
	if (wrong != NULL)
		form_add_wrong(r, data, wrong);
	return chrome_page(r, status, "tables", "Columns", "table/columns", json_incref(data));
}

int table_page_columns(struct req *r)
{
	struct table t;

	return table_of_request(r, &t) ? columns_form(r, &t, 200, NULL) : 0;
}

/* Removed columns of the form that are to be had again, or never. */
static json_t *form_removed(struct req *r, const struct table *t, struct table_wish *w)
{
	json_t *purge = json_own(r->a, json_array());

	for (size_t i = t->shape.shown; i < t->shape.n; i++) {
		const struct table_column *c = &t->shape.columns[i];
		struct str what = req_form(
		    r, arena_printf(r->a, "removed_%lld", (long long)(i - t->shape.shown)));
		json_t *o;

		if (str_is(what, "purge"))
			json_array_append_new(purge, json_stringn(c->name.p, c->name.n));
		if (!str_is(what, "restore"))
			continue;
		o = json_object();
		json_set_strn(o, "name", c->name);
		json_array_append_new(w->columns, o);
	}
	return purge;
}

int table_page_columns_post(struct req *r)
{
	struct table_wish w = {.name = form_name(r), .columns = columns_of_form(r)};
	struct err err = ERR_INIT;
	struct uuid task_id;
	struct table t, changed;
	int found = -1;

	if (!table_of_request(r, &t))
		return 0;
	w.purge = form_removed(r, &t, &w);
	if (w.name.n == 0)
		err_field(&err, ERR_INVALID, "name", "it needs a name");
	else
		found = table_update(r, t.slug, &w, &changed, &task_id, &err);
	if (found == -1 && err.code != ERR_INVALID && err.code != ERR_CONFLICT)
		return res_error(r, &err);
	if (found == -1)
		return columns_form(r, &t, err.code == ERR_CONFLICT ? 409 : 422, &err);
	chrome_flash(r, "ok",
	    uuid_is_nil(task_id)
		? "Saved."
		: "The table is being changed. That takes a while; you may leave this page.");
	return res_redirect(
	    r, arena_printf(r->a, "/admin/tables/%.*s/columns", (int)t.slug.n, t.slug.p));
}
