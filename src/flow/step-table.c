/* table.lookup, table.upsert, table.write, record.to_table: rows of the account's own tables,
 * within the transaction that keeps the step. */
#include "base/arena.h"
#include "base/path.h"
#include "flow/flow-internal.h"
#include "table/table.h"

/* ---- when it is saved ------------------------------------------------------------------------ */

static void check_column(struct step_check *c, const struct table *t)
{
	const char *column = json_string_value(step_given(c->step, "column"));

	if (column != NULL && strcmp(column, "id") != 0 && strcmp(column, "externalKey") != 0 &&
	    table_column_find(t, str_from(column)) == NULL)
		step_complain(c, "column", "does not exist in the table: \"%.60s\"", column);
}

/* The names of a row's values are none of templates. */
static void check_data(struct step_check *c, const struct table *t)
{
	const char *name;
	json_t *v;

	json_object_each(step_given(c->step, "data"), name, v)
		if (table_column_find(t, str_from(name)) == NULL)
			step_complain(
			    c, "data", "has a column that is none of the table: \"%.60s\"", name);
}

static int table_check(struct step_check *c, struct err *err)
{
	const char *slug = json_string_value(step_given(c->step, "tableSlug")),
		   *key = json_string_value(step_given(c->step, "keyField"));
	struct err why = ERR_INIT;
	struct table t;
	int found;

	if (key != NULL && path_compile(c->a, str_from(key), &why) == NULL)
		step_complain(c, "keyField", "%s", why.msg);
	if (slug == NULL)
		return 0;
	found = table_find(c->app->db, c->a, &c->account_id, str_from(slug), false, &t, err);
	if (found == 0)
		step_complain(c, "tableSlug", "does not exist: \"%.60s\"", slug);
	if (found != 1)
		return found;
	check_column(c, &t);
	check_data(c, &t);
	return 0;
}

/* ---- when it is run -------------------------------------------------------------------------- */

/* 1 it is to be done; 0 it would have been. */
static int op_begin(struct step_call *c, struct table_op *op, const char *verb)
{
	const char *slug = step_text(c, "tableSlug");

	op->slug = str_from(slug);
	if (!c->is_dry || op->kind == TABLE_LOOKUP)
		return 1;
	step_would(c, arena_printf(c->a, "%s %s", verb, slug),
	    json_incref(JSON_ITER(op->data != NULL ? op->data : c->input)));
	return 0;
}

static int op_end(struct step_call *c, const struct table_op *op, struct err *err)
{
	c->is_refused = true;
	if (op->err.code != ERR_NONE)
		return op->err.field[0] == '\0'
			   ? err_set(err, ERR_INVALID, "%s", op->err.msg)
			   : err_set(err, ERR_INVALID, "%s: %s", op->err.field, op->err.msg);
	c->output = json_own(c->a, json_incref(op->output));
	return 0;
}

static int lookup_begin(struct step_call *c, struct table_op *op, struct err *err)
{
	(void)err;
	*op = (struct table_op){.kind = TABLE_LOOKUP,
	    .column = str_from(step_text(c, "column")),
	    .value = step_input(c, "value")};
	if (op->value != NULL)
		return op_begin(c, op, "look up");
	c->output = json_own(c->a, json_object()); /* nothing equals nothing */
	json_set_bool(c->output, "found", false);
	json_set(c->output, "row", NULL);
	return 0;
}

static int upsert_begin(struct step_call *c, struct table_op *op, struct err *err)
{
	*op = (struct table_op){.kind = TABLE_UPSERT,
	    .key = step_input(c, "externalKey"),
	    .data = step_input(c, "data")};
	if (op->key != NULL)
		return op_begin(c, op, "write a row of");
	c->is_refused = true;
	return err_set(err, ERR_INVALID, "\"externalKey\" is empty");
}

static int write_begin(struct step_call *c, struct table_op *op, struct err *err)
{
	(void)err;
	*op = (struct table_op){.kind = TABLE_APPEND,
	    .key = step_input(c, "externalKey"),
	    .data = step_input(c, "data")};
	return op_begin(c, op, "add a row to");
}

static int record_begin(struct step_call *c, struct table_op *op, struct err *err)
{
	const char *id = step_text(c, "recordId");

	*op = (struct table_op){.kind = TABLE_FROM_RECORD,
	    .key_field = str_from(step_text(c, "keyField")),
	    .record_id = c->record_id};
	c->is_refused = true;
	if (id != NULL && !uuid_parse(str_from(id), &op->record_id))
		return err_set(err, ERR_INVALID, "\"recordId\" is no id: %.60s", id);
	if (uuid_is_nil(op->record_id))
		return err_set(
		    err, ERR_INVALID, "\"recordId\" is empty, and the run is for no record");
	c->is_refused = false;
	return op_begin(c, op, "copy the record to");
}

/* ---- the kinds ------------------------------------------------------------------------------- */

#define TABLE_SLUG                                                                                 \
	{                                                                                          \
		"tableSlug", STEP_WORD_TEXT, STEP_NEEDED, "Table", "Its slug", 0, 0, NULL          \
	}
static const struct step_output lookup_outputs[] = {
    {"found", "whether there is such a row"}, {"row", "id, externalKey, data; null"}, {NULL, NULL}};
static const struct step_output write_outputs[] = {
    {"created", "false: the row was there"}, {"row", "id, externalKey, data"}, {NULL, NULL}};

const struct step_kind step_table_lookup = {.name = "table.lookup",
    .label = "Look up a row",
    .help = "Finds the first row of a table whose column has a value.",
    .how = STEP_STORED,
    .fields = (const struct step_field[]){TABLE_SLUG,
	{"column", STEP_WORD_TEXT, STEP_NEEDED, "Column", "A column, id or externalKey", 0, 0,
	    NULL},
	{"value", STEP_VALUE, STEP_NEEDED | STEP_INPUT, "Value", "Such as {{trigger.email}}", 0, 0,
	    NULL},
	{.name = NULL}},
    .outputs = lookup_outputs,
    .check = table_check,
    .begin = lookup_begin,
    .end = op_end};

const struct step_kind step_table_upsert = {.name = "table.upsert",
    .label = "Write a row",
    .help = "Changes the row of a key, or makes it.",
    .how = STEP_STORED,
    .fields = (const struct step_field[]){TABLE_SLUG,
	{"externalKey", STEP_VALUE, STEP_NEEDED | STEP_INPUT, "Key", "Such as {{trigger.email}}", 0,
	    0, NULL},
	{"data", STEP_OBJECT, STEP_NEEDED | STEP_INPUT, "Row", "Values by column", 0, 0, NULL},
	{.name = NULL}},
    .outputs = write_outputs,
    .check = table_check,
    .begin = upsert_begin,
    .end = op_end};

const struct step_kind step_table_write = {.name = "table.write",
    .label = "Add a row",
    .help = "Adds a row to a table.",
    .how = STEP_STORED,
    .fields = (const struct step_field[]){TABLE_SLUG,
	{"externalKey", STEP_VALUE, STEP_INPUT, "Key", "One that no row has", 0, 0, NULL},
	{"data", STEP_OBJECT, STEP_NEEDED | STEP_INPUT, "Row", "Values by column", 0, 0, NULL},
	{.name = NULL}},
    .outputs = write_outputs,
    .check = table_check,
    .begin = write_begin,
    .end = op_end};

const struct step_kind step_record_to_table = {.name = "record.to_table",
    .label = "Copy a record to a table",
    .help = "Writes the record's data as a row, whose key is one of its fields.",
    .how = STEP_STORED,
    .fields = (const struct step_field[]){TABLE_SLUG,
	{"keyField", STEP_WORD_TEXT, STEP_NEEDED, "Key field", "Such as email", 0, 0, NULL},
	{"recordId", STEP_STRING, STEP_INPUT, "Record", "{{trigger.recordId}} unless given", 0, 0,
	    NULL},
	{.name = NULL}},
    .outputs = write_outputs,
    .check = table_check,
    .begin = record_begin,
    .end = op_end};
