/* Operations on tables, many at once: each table is read once, its writes go in one set of
 * statements, its look-ups in one for each column. */
#include "base/map.h"
#include "base/path.h"
#include "record/record.h"
#include "table/table-internal.h"

struct table_runner {
	struct app *app;
	struct arena *a;
	const struct uuid *account_id;
	struct table_op *ops;
	size_t n;
};

static bool op_writes(const struct table_op *op)
{
	return op->kind != TABLE_LOOKUP;
}

static bool op_is_open(const struct table_op *op)
{
	return op->err.code == ERR_NONE && op->output == NULL;
}

/* ---- writes ---------------------------------------------------------------------------------- */

static int op_key(struct arena *a, struct table_op *op, struct str *out)
{
	const char *text = json_id_text(a, op->key);

	*out = str_from(text);
	if (op->key == NULL || (json_is_null(op->key) && op->kind == TABLE_APPEND))
		return op->kind == TABLE_APPEND
			   ? 0
			   : err_field(&op->err, ERR_INVALID, "externalKey", "is needed");
	return text != NULL
		   ? 0
		   : err_field(&op->err, ERR_INVALID, "externalKey", "must be a text or a number");
}

/* What a record has for the columns: by their names, as they are or as paths. */
static json_t *data_of_record(struct arena *a, const struct table *t, const json_t *record)
{
	json_t *out = json_own(a, json_object());

	for (size_t i = 0; i < t->shape.shown; i++) {
		struct str name = t->shape.columns[i].name;
		json_t *v = json_object_getn(record, name.p, name.n);

		if (v == NULL)
			v = path_lookup(a, record, arena_strndup(a, name.p, name.n));
		if (v != NULL)
			json_object_setn(out, name.p, name.n, v);
	}
	return out;
}

/* A record becomes key and data: 0, or -1 with the database away; else op->err may say why not. */
static int op_of_record(
    const struct table_runner *run, const struct table *t, struct table_op *op, struct err *err)
{
	const char *path = arena_strndup(run->a, op->key_field.p, op->key_field.n);
	json_t *record, *data;
	int found =
	    record_get_json(run->app, run->a, run->account_id, &op->record_id, &record, err);

	if (found == -1)
		return -1;
	if (found == 0) {
		err_field(&op->err, ERR_NOT_FOUND, "recordId", "There is no such record");
		return 0;
	}
	data = json_object_get(record, "data");
	op->key = path_lookup(run->a, data, path);
	if (op->key == NULL || json_is_null(op->key))
		err_field(&op->err, ERR_INVALID, "keyField", "the record has no %.100s", path);
	op->data = data_of_record(run->a, t, data);
	return 0;
}

/* Both ways: the change that an operation is, and what came of it. */
static int op_begin_write(const struct table_runner *run, const struct table *t,
    struct table_op *op, struct table_write *w, struct err *err)
{
	*w = (struct table_write){.is_new = op->kind == TABLE_APPEND, .is_lenient = !op->is_strict};
	if (op->kind == TABLE_FROM_RECORD && op_of_record(run, t, op, err) == -1)
		return -1;
	if (op->err.code == ERR_NONE && op->data != NULL && !json_is_object(op->data))
		err_field(&op->err, ERR_INVALID, "data", "must be an object");
	if (op->err.code == ERR_NONE)
		op_key(run->a, op, &w->key);
	w->data = op->data;
	return 0;
}

static void op_end_write(
    struct arena *a, const struct table *t, struct table_op *op, const struct table_write *w)
{
	op->err = w->err;
	if (op->err.code != ERR_NONE)
		return;
	op->output = json_own(a, json_object());
	json_set_bool(op->output, "created", w->is_created);
	json_set(op->output, "row", json_incref(table_row_json(a, t, &w->row)));
}

static int run_writes(const struct table_runner *run, const struct table *t, struct err *err)
{
	struct table_write *writes = arena_array(run->a, run->n + 1, sizeof(*writes));
	struct table_op **of = arena_array(run->a, run->n + 1, sizeof(struct table_op *));
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		struct table_op *op = &run->ops[i];

		if (!op_writes(op) || !op_is_open(op) || !str_eq(op->slug, t->slug))
			continue;
		if (op_begin_write(run, t, op, &writes[n], err) == -1)
			return -1;
		if (op->err.code == ERR_NONE)
			of[n++] = op;
	}
	if (n > 0 && table_write_rows(run->app->db, run->a, t, writes, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		op_end_write(run->a, t, of[i], &writes[i]);
	return 0;
}

/* ---- look-ups -------------------------------------------------------------------------------- */

static void op_end_lookup(
    struct arena *a, const struct table *t, struct table_op *op, const struct table_lookup *l)
{
	op->err = l->err;
	if (op->err.code != ERR_NONE)
		return;
	op->output = json_own(a, json_object());
	json_set_bool(op->output, "found", l->is_found);
	json_set(
	    op->output, "row", l->is_found ? json_incref(table_row_json(a, t, &l->row)) : NULL);
}

static bool column_is_key(struct str name)
{
	return str_is(name, "externalKey") || str_is(name, "external_key");
}

/* The value as the column has it; NULL where no row can have it. */
static const json_t *op_value(
    struct arena *a, const struct table_column *c, const struct table_op *op)
{
	struct err err = ERR_INIT;
	json_t *value = NULL;

	if (op->value != NULL && c != NULL)
		table_value_take(a, c, op->value, !op->is_strict, &value, &err);
	return value;
}

static int run_lookups_by_id(
    const struct table_runner *run, const struct table *t, struct table_op *op, struct err *err)
{
	struct table_lookup l = {.value = op->value};
	struct uuid id;

	if (uuid_parse(str_from(json_string_value(op->value)), &id)) {
		int found = table_row_load(run->app->db, run->a, t, &id, &l.row, err);

		if (found == -1)
			return -1;
		l.is_found = found == 1;
	}
	op_end_lookup(run->a, t, op, &l);
	return 0;
}

/* All of one column, or of the key (c NULL). */
static int run_lookups_of(const struct table_runner *run, const struct table *t,
    const struct table_column *c, struct str name, struct err *err)
{
	struct table_lookup *l = arena_array(run->a, run->n + 1, sizeof(*l));
	struct table_op **of = arena_array(run->a, run->n + 1, sizeof(struct table_op *));
	struct str *keys = arena_array(run->a, run->n + 1, sizeof(*keys));
	size_t n = 0;

	for (size_t i = 0; i < run->n; i++) {
		struct table_op *op = &run->ops[i];

		if (op_writes(op) || !op_is_open(op) || !str_eq(op->slug, t->slug) ||
		    !str_eq(op->column, name))
			continue;
		l[n].value = op_value(run->a, c, op);
		keys[n] = c != NULL ? STR("") : str_from(json_id_text(run->a, op->value));
		if (c != NULL ? l[n].value == NULL : keys[n].p == NULL)
			op_end_lookup(run->a, t, op, &l[n]);
		else
			of[n++] = op;
	}
	if (n > 0 &&
	    (c != NULL ? table_lookup_values(run->app->db, run->a, t, c, l, n, err)
		       : table_lookup_by_keys(run->app->db, run->a, t, keys, l, n, err)) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		op_end_lookup(run->a, t, of[i], &l[i]);
	return 0;
}

static int run_lookups(const struct table_runner *run, const struct table *t, struct err *err)
{
	for (size_t i = 0; i < run->n; i++) {
		struct table_op *op = &run->ops[i];
		const struct table_column *c;
		int rc = 0;

		if (op_writes(op) || !op_is_open(op) || !str_eq(op->slug, t->slug))
			continue;
		c = table_column_find(t, op->column);
		if (c != NULL || column_is_key(op->column))
			rc = run_lookups_of(run, t, c, op->column, err);
		else if (str_is(op->column, "id"))
			rc = run_lookups_by_id(run, t, op, err);
		else
			err_field(&op->err, ERR_INVALID, "column",
			    "\"%.*s\" is no column of the table %.*s",
			    op->column.n > 100 ? 100 : (int)op->column.n, op->column.p,
			    (int)t->slug.n, t->slug.p);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool slug_is_written(const struct table_runner *run, struct str slug)
{
	for (size_t i = 0; i < run->n; i++)
		if (op_writes(&run->ops[i]) && str_eq(run->ops[i].slug, slug))
			return true;
	return false;
}

static int run_table(const struct table_runner *run, struct str slug, struct err *err)
{
	struct table t;
	int found = table_find(
	    run->app->db, run->a, run->account_id, slug, slug_is_written(run, slug), &t, err);

	for (size_t i = 0; found == 0 && i < run->n; i++)
		if (str_eq(run->ops[i].slug, slug))
			err_field(&run->ops[i].err, ERR_NOT_FOUND, "tableSlug",
			    "There is no table \"%.*s\"", slug.n > 100 ? 100 : (int)slug.n, slug.p);
	if (found != 1)
		return found;
	return run_writes(run, &t, err) == -1 || run_lookups(run, &t, err) == -1 ? -1 : 0;
}

/* Slugs in their order, so that two who write to the same tables do not wait for each other. */
static int slug_by_order(const void *x, const void *y)
{
	const struct str *a = x, *b = y;
	size_t n = a->n < b->n ? a->n : b->n;
	int order = n == 0 ? 0 : memcmp(a->p, b->p, n);

	return order != 0 ? order : a->n < b->n ? -1 : a->n > b->n;
}

int table_run(struct app *app, struct arena *a, const struct uuid *account_id, struct table_op *ops,
    size_t n, struct err *err)
{
	const struct table_runner run = {app, a, account_id, ops, n};
	struct str *slugs = arena_array(a, n + 1, sizeof(*slugs));

	for (size_t i = 0; i < n; i++) {
		slugs[i] = ops[i].slug;
		ops[i].output = NULL;
		err_clear(&ops[i].err);
	}
	qsort(slugs, n, sizeof(*slugs), slug_by_order);
	for (size_t i = 0; i < n; i++)
		if ((i == 0 || !str_eq(slugs[i], slugs[i - 1])) &&
		    run_table(&run, slugs[i], err) == -1)
			return -1;
	return 0;
}
