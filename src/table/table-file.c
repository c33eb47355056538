/* From a file's header and rows to what is written: columns by their names, or as a mapping says;
 * blank cells say nothing. Of NDJSON the members of each line are the columns. */
#include "base/number.h"
#include "table/table-import.h"

/* ---- columns --------------------------------------------------------------------------------- */

static bool name_is_key(struct str name)
{
	static const char *const names[] = {
	    TABLE_FILE_KEY, "external_key", "externalId", "external_id"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

/* As it is, else whatever the case. */
static const struct table_column *column_of_name(
    struct arena *a, const struct table *t, struct str name)
{
	const struct table_column *c = table_column_find(t, name);
	const char *folded = utf8_fold(a, name);

	for (size_t i = 0; c == NULL && folded != NULL && i < t->shape.shown; i++) {
		const char *other = utf8_fold(a, t->shape.columns[i].name);

		if (other != NULL && strcmp(folded, other) == 0)
			c = &t->shape.columns[i];
	}
	return c;
}

static int column_is_unknown(struct str name, struct err *err)
{
	return err_field(err, ERR_INVALID, "mapping",
	    "\"%.*s\" is no column of the table: map it to one, or to null to leave it out",
	    name.n > 100 ? 100 : (int)name.n, name.p);
}

/* What a column of the file, or a member of a line, is to the table. */
static int file_column(struct arena *a, const struct table_file *f, struct str name,
    struct table_file_column *out, struct err *err)
{
	const json_t *wish = name.n == 0 ? NULL : json_object_getn(f->o.mapping, name.p, name.n);
	struct str to = name;

	*out = (struct table_file_column){.is_key = str_eq(name, f->key_column)};
	if (name.n == 0 || json_is_null(wish))
		return 0;
	if (wish != NULL && !json_is_string(wish))
		return err_field(err, ERR_INVALID, "mapping",
		    "of \"%.*s\" must be a column's name or null", (int)name.n, name.p);
	if (wish != NULL)
		to = str_from(json_string_value(wish));
	out->column = wish == NULL ? column_of_name(a, f->t, to) : table_column_find(f->t, to);
	if (out->column == NULL && (wish == NULL ? name_is_key(to) : str_is(to, TABLE_FILE_KEY)))
		out->is_key = true;
	return out->column != NULL || out->is_key ? 0 : column_is_unknown(to, err);
}

static int file_check_columns(const struct table_file *f, struct err *err)
{
	size_t keys = 0;

	for (size_t i = 0; i < f->n; i++) {
		keys += f->columns[i].is_key;
		for (size_t k = 0; k < i; k++)
			if (f->columns[i].column != NULL &&
			    f->columns[i].column == f->columns[k].column)
				return err_field(err, ERR_INVALID, "csv",
				    "has two columns for %.*s", (int)f->columns[i].column->name.n,
				    f->columns[i].column->name.p);
	}
	if (keys > 1)
		return err_field(err, ERR_INVALID, "keyColumn", "is one of two keys of the file");
	return f->key_column.p != NULL && keys == 0
		   ? err_field(err, ERR_INVALID, "keyColumn", "is no column of the file")
		   : 0;
}

/* Of rows that an import did not take, mended: its line and reason are no data. The table may have
 * columns called so; then they stand behind as well. */
static bool header_is_of_errors(
    struct arena *a, const struct table_file *f, const struct csv_row *row)
{
	static const char *const ours[] = {IMPORT_ERRORS_LINE, IMPORT_ERRORS_REASON};
	size_t n = row->n < CSV_COLUMNS ? row->n : CSV_COLUMNS;

	for (size_t i = 0; i < 2; i++) {
		bool is_there = column_of_name(a, f->t, str_from(ours[i])) == NULL;

		if (n < 3 || !str_is(row->cells[i], ours[i]) ||
		    json_object_get(f->o.mapping, ours[i]) != NULL)
			return false;
		for (size_t k = 2; k < n && !is_there; k++)
			is_there = str_is(utf8_trim(row->cells[k]), ours[i]);
		if (!is_there)
			return false;
	}
	return true;
}

static int file_read_header(
    struct arena *a, struct table_file *f, const struct csv_row *row, struct err *err)
{
	json_t *headers = json_own(a, json_array());
	size_t left;

	if (row->problem != NULL || row->n > CSV_COLUMNS)
		return err_field(err, ERR_INVALID, "csv", "has no header: %s",
		    row->problem != NULL ? row->problem : "there are too many columns");
	f->n = row->n;
	f->columns = arena_array(a, row->n + 1, sizeof(*f->columns));
	left = header_is_of_errors(a, f, row) ? 2 : 0;
	f->is_ours = row->n > left && str_is(row->cells[left], TABLE_EXPORT_KEY);
	for (size_t i = 0; i < left; i++)
		f->columns[i] = (struct table_file_column){NULL, false};
	for (size_t i = left; i < row->n; i++) {
		struct str cell = f->is_ours ? csv_unguarded(row->cells[i]) : row->cells[i];
		struct str name = str_copy(a, utf8_trim(cell));

		json_array_append_new(headers, json_stringn(name.p, name.n));
		if (file_column(a, f, name, &f->columns[i], err) == -1)
			return -1;
	}
	f->o.headers = headers;
	return file_check_columns(f, err);
}

int table_file_open(struct arena *a, const struct csv_source *source, struct table_file *f,
    struct csv_reader **rd, struct err *err)
{
	struct csv_row header;
	int rc;

	*rd = csv_reader_new(a, source, &f->o.format, err);
	if (*rd == NULL)
		return -1;
	if (import_is_lines(&f->o.format))
		return 0;
	rc = csv_reader_next(*rd, &header, err);
	if (rc == 0)
		return err_field(err, ERR_INVALID, "csv", "has no header");
	return rc == -1 ? -1 : file_read_header(a, f, &header, err);
}

int table_file_prepare(
    struct arena *a, const struct csv_source *source, struct table_file *f, struct err *err)
{
	struct csv_reader *rd;

	if (import_detect(a, source, &f->o.format, &f->o.why, err) == -1)
		return -1;
	f->o.is_detected = true;
	f->o.headers = json_own(a, json_pack("[s]", "row"));
	return table_file_open(a, source, f, &rd, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* A cell as a value; NULL where it says nothing. */
static json_t *cell_value(struct arena *a, const struct table_file *f, const struct table_column *c,
    struct str cell, const char **problem)
{
	json_t *v;

	if (f->is_ours ? cell.n == 0 : utf8_trim(cell).n == 0)
		return f->o.is_blank_cleared ? json_own(a, json_null()) : NULL;
	if (c->type != TABLE_JSON)
		return json_own(a, json_stringn(cell.p, cell.n));
	v = json_parse(a, cell, NULL);
	if (v == NULL)
		*problem = arena_printf(a, "%.*s is not JSON", (int)c->name.n, c->name.p);
	return v;
}

static void row_of_cells(struct arena *a, const struct table_file *f, const struct csv_row *row,
    struct table_file_row *out)
{
	size_t n = row->n < CSV_COLUMNS ? row->n : CSV_COLUMNS;

	for (size_t i = f->n; i < n; i++)
		if (utf8_trim(row->cells[i]).n > 0)
			out->problem =
			    arena_printf(a, "%zu cells, but the header has %zu", row->n, f->n);
	for (size_t i = 0; i < f->n && i < n && out->problem == NULL; i++) {
		const struct table_file_column *c = &f->columns[i];
		struct str cell = f->is_ours ? csv_unguarded(row->cells[i]) : row->cells[i];
		json_t *v;

		if (c->is_key && utf8_trim(cell).n > 0)
			out->key = str_copy(a, f->is_ours ? cell : utf8_trim(cell));
		if (c->column == NULL)
			continue;
		v = cell_value(a, f, c->column, cell, &out->problem);
		if (v != NULL)
			json_object_setn(out->data, c->column->name.p, c->column->name.n, v);
	}
}

static void row_of_line(struct arena *a, const struct table_file *f, const struct csv_row *row,
    struct table_file_row *out)
{
	struct err err = ERR_INIT;
	json_t *line = row->n == 1 ? json_parse(a, row->cells[0], &err) : NULL, *v;
	const char *name;

	if (!json_is_object(line)) {
		out->problem = err.code == ERR_NONE ? "the line is not a JSON object"
						    : arena_strdup(a, err.msg);
		return;
	}
	json_object_each(line, name, v) {
		struct table_file_column c;

		if (file_column(a, f, str_from(name), &c, &err) == -1) {
			out->problem = arena_strdup(a, err.msg);
			return;
		}
		if (c.is_key)
			out->key = str_from(json_id_text(a, v));
		if (c.column != NULL)
			json_object_setn(out->data, c.column->name.p, c.column->name.n, v);
	}
}

void table_file_row(struct arena *a, const struct table_file *f, const struct csv_row *row,
    struct table_file_row *out)
{
	*out = (struct table_file_row){.line = row->line,
	    .text = str_copy(a, row->text),
	    .problem = row->problem == NULL ? NULL : arena_strdup(a, row->problem),
	    .data = json_own(a, json_object())};
	if (out->problem != NULL)
		return;
	if (import_is_lines(&f->o.format))
		row_of_line(a, f, row, out);
	else
		row_of_cells(a, f, row, out);
	if (out->problem == NULL && f->key_column.p != NULL && out->key.p == NULL)
		out->problem = "the key is empty";
}
