/* /connect/v1/tables: JSON handlers. */
#include "account/audit.h"
#include "table/table-list.h"

static int no_table(struct req *r)
{
	return res_problem(r, 404, "There is no such table");
}

static int no_row(struct req *r)
{
	return res_problem(r, 404, "There is no such row");
}

bool table_of_request(struct req *r, struct table *out)
{
	struct err err = ERR_INIT;
	int found = table_find(
	    r->app->db, r->a, &r->actor.account_id, req_param(r, "slug"), false, out, &err);

	if (found == 1 &&
	    table_count_rows(r->app->db, r->a, &out->account_id, &out->id, &out->rows, &err) == -1)
		found = -1;
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		no_table(r);
	return found == 1;
}

/* ---- tables ---------------------------------------------------------------------------------- */

int table_api_list(struct req *r)
{
	static const struct list tables = {"tables", filter_none, NULL};
	struct uuid account_id;
	struct slice s;
	struct table *v;
	json_t *rows = json_own(r->a, json_array());
	struct err err = ERR_INIT;
	size_t n;

	if (!slice_read(r, &tables, &account_id, &s))
		return res_invalid(r);
	if (table_list(r->app->db, r->a, &r->actor.account_id, &v, &n, &err) == -1)
		return res_error(r, &err);
	for (size_t i = 0; i < n; i++)
		json_array_append(rows, table_json(r->a, &v[i]));
	return res_whole(r, rows, LIMIT_TABLES);
}

static void wish_check(struct req *r, const struct table_wish *w)
{
	if (w->slug.p != NULL && !table_slug_is_valid(w->slug))
		req_invalid(r, "slug",
		    "must be lower-case letters, digits, hyphens and underscores, at most 64");
}

static const struct json_member wish_members[] = {
    {"name", READ_TEXT, JSON_INTO(struct table_wish, name), .flags = READ_TRIMMED | READ_PLAIN,
	.min = 1, .max = LIMIT_NAME_BYTES},
    {"slug", READ_TEXT, JSON_INTO(struct table_wish, slug)},
    {"columns", READ_LIST, JSON_INTO(struct table_wish, columns), .max = LIMIT_TABLE_COLUMNS},
    {"purge", READ_LIST, JSON_INTO(struct table_wish, purge), .max = LIMIT_TABLE_COLUMNS}};

int table_api_create(struct req *r)
{
	struct table_wish w = {.columns = NULL};
	struct err err = ERR_INIT;
	struct table t;

	if (!req_read_body(r, wish_members, 3, &w))
		return 0;
	wish_check(r, &w);
	if (w.name.p == NULL && !req_has_invalid(r))
		req_invalid(r, "name", "is needed");
	if (req_has_invalid(r))
		return res_invalid(r);
	if (table_create(r, &w, &t, &err) == -1)
		return req_has_invalid(r) ? res_invalid(r) : res_error(r, &err);
	res_headerf(r, "Location", "/connect/v1/tables/%s", str_copy(r->a, t.slug).p);
	return res_json(r, 201, json_incref(table_json(r->a, &t)));
}

int table_api_get(struct req *r)
{
	struct table t;

	return table_of_request(r, &t) ? res_json(r, 200, json_incref(table_json(r->a, &t))) : 0;
}

int table_api_update(struct req *r)
{
	struct table_wish w = {.columns = NULL};
	struct err err = ERR_INIT;
	struct uuid task_id;
	struct table t;
	int found;

	if (!table_of_request(r, &t))
		return 0;
	if (!req_read_body(r, JSON_MEMBERS(wish_members), &w))
		return 0;
	wish_check(r, &w);
	if (req_has_invalid(r))
		return res_invalid(r);
	found = table_update(r, req_param(r, "slug"), &w, &t, &task_id, &err);
	if (found == -1)
		return req_has_invalid(r) ? res_invalid(r) : res_error(r, &err);
	if (found == 0)
		return no_table(r);
	if (!uuid_is_nil(task_id))
		res_headerf(r, "Location", "/connect/v1/tasks/%s", uuid_dup(r->a, task_id));
	return res_json(r, uuid_is_nil(task_id) ? 200 : 202, json_incref(table_json(r->a, &t)));
}

int table_api_delete(struct req *r)
{
	struct err err = ERR_INIT;
	int found = table_delete(r, req_param(r, "slug"), &err);

	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? no_table(r) : res_empty(r, 204);
}

/* ---- rows ------------------------------------------------------------------------------------ */

int table_api_rows(struct req *r)
{
	struct table_filter f = {.budget_us = TABLE_BUDGET_US};
	struct err err = ERR_INIT;
	struct table t;
	struct slice s;

	if (!table_of_request(r, &t))
		return 0;
	if (!slice_read(r, &list_of_table_rows, &f, &s) || !table_filter_resolve(r, &t, &f, true))
		return res_invalid(r);
	if (table_list_rows(r->app, r->a, &t, &f, &s, &err) == -1)
		return res_error(r, &err);
	return res_slice(r, &s);
}

/* The row that the route's :id names, as the API shows it: 1, or 0 with the answer given. */
int table_api_row_get(struct req *r)
{
	struct err err = ERR_INIT;
	struct table_row row;
	struct table t;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id) || !table_of_request(r, &t))
		return 0;
	found = table_row_load(r->app->db, r->a, &t, &id, &row, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? no_row(r)
			  : res_json(r, 200, json_incref(table_row_json(r->a, &t, &row)));
}

/* One operation, in a transaction of its own. */
struct row_act {
	struct req *r;
	struct table_op op;
};

static int row_act_body(struct db *db, void *arg, struct err *err)
{
	struct row_act *act = arg;

	(void)db;
	return table_run(act->r->app, act->r->a, &act->r->actor.account_id, &act->op, 1, err);
}

/* What an operation came to; NULL with the answer given. */
static const json_t *row_act_run(struct req *r, struct row_act *act)
{
	struct err err = ERR_INIT;

	if (db_transaction(r->app->db, row_act_body, act, &err) == -1)
		res_error(r, &err);
	else if (act->op.output == NULL && act->op.err.code == ERR_NOT_FOUND)
		no_table(r);
	else if (act->op.output == NULL)
		res_error(r, &act->op.err);
	return act->op.output;
}

struct row_body {
	json_t *key, *data;
};

int table_api_row_create(struct req *r)
{
	static const struct json_member members[] = {
	    {"externalKey", READ_ANY, JSON_INTO(struct row_body, key)},
	    {"data", READ_OBJECT, JSON_INTO(struct row_body, data), .need = READ_NEEDED}};
	struct row_body body = {NULL, NULL};
	struct row_act act = {.r = r};
	const json_t *made;
	struct table t;

	if (!table_of_request(r, &t))
		return 0;
	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	act.op = (struct table_op){.kind = TABLE_APPEND,
	    .slug = req_param(r, "slug"),
	    .key = body.key,
	    .data = body.data,
	    .is_strict = true};
	made = row_act_run(r, &act);
	if (made == NULL)
		return 0;
	res_headerf(r, "Location", "/connect/v1/tables/%s/rows/%s", str_copy(r->a, act.op.slug).p,
	    json_str(json_object_get(made, "row"), "id"));
	return res_json(r, 201, json_incref(json_object_get(made, "row")));
}

int table_api_row_put(struct req *r)
{
	static const struct json_member members[] = {
	    {"data", READ_OBJECT, JSON_INTO(struct row_body, data), .need = READ_NEEDED}};
	struct row_body body = {NULL, NULL};
	struct str key = req_param(r, "externalKey");
	struct row_act act = {.r = r};
	const json_t *done;
	struct table t;

	if (!table_of_request(r, &t))
		return 0;
	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	if (req_has_invalid(r))
		return res_invalid(r);
	act.op = (struct table_op){.kind = TABLE_UPSERT,
	    .slug = req_param(r, "slug"),
	    .key = json_own(r->a, json_stringn(key.p, key.n)),
	    .data = body.data,
	    .is_strict = true};
	done = row_act_run(r, &act);
	return done == NULL ? 0
			    : res_json(r, json_bool(done, "created") ? 201 : 200,
				  json_incref(json_object_get(done, "row")));
}

int table_api_row_by_key(struct req *r)
{
	struct str key = req_param(r, "externalKey");
	struct row_act act = {.r = r,
	    .op = {.kind = TABLE_LOOKUP,
		.slug = req_param(r, "slug"),
		.column = STR("externalKey"),
		.value = json_own(r->a, json_stringn(key.p, key.n))}};
	const json_t *found = row_act_run(r, &act);

	if (found == NULL)
		return 0;
	return json_bool(found, "found")
		   ? res_json(r, 200, json_incref(json_object_get(found, "row")))
		   : no_row(r);
}

/* ---- one row by its id ----------------------------------------------------------------------- */

int table_api_row_update(struct req *r)
{
	static const struct json_member members[] = {
	    {"externalKey", READ_ANY, JSON_INTO(struct row_body, key)},
	    {"data", READ_OBJECT, JSON_INTO(struct row_body, data)}};
	struct row_body body = {NULL, NULL};
	struct table_row_change c = {.is_strict = true};
	struct err err = ERR_INIT;
	struct table t;
	int found;

	if (!req_param_uuid(r, "id", &c.id) || !table_of_request(r, &t))
		return 0;
	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return 0;
	if (body.key != NULL && !json_is_null(body.key) && json_id_text(r->a, body.key) == NULL)
		req_invalid(r, "externalKey", "must be a text or a number");
	if (req_has_invalid(r))
		return res_invalid(r);
	c.slug = req_param(r, "slug");
	c.key = str_from(body.key == NULL ? NULL : json_id_text(r->a, body.key));
	c.ends_key = body.key != NULL && json_is_null(body.key);
	c.data = body.data;
	found = table_row_change(r, &c, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? no_row(r)
			  : res_json(r, 200, json_incref(table_row_json(r->a, &c.table, &c.row)));
}

int table_api_row_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = table_row_delete(r, req_param(r, "slug"), &id, &err);
	if (found == -1)
		return res_error(r, &err);
	return found == 0 ? no_row(r) : res_empty(r, 204);
}
