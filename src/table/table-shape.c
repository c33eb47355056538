/* The columns of a table: as they are stored, as people ask for them, as they are shown. */
#include <string.h>

#include "table/table-internal.h"

#define COLUMN_NAME_BYTES 100

const struct word table_types[] = {{"string", "Text"}, {"number", "Number"},
    {"boolean", "Yes or no"}, {"date", "Date"}, {"json", "JSON"}, {NULL, NULL}};

static enum table_type type_of_word(const struct word *w)
{
	return (enum table_type)(w - table_types);
}

const struct table_column *table_column_find(const struct table *t, struct str name)
{
	for (size_t i = 0; i < t->shape.shown; i++)
		if (str_eq(t->shape.columns[i].name, name))
			return &t->shape.columns[i];
	return NULL;
}

/* ---- stored ---------------------------------------------------------------------------------- */

struct str table_shape_text(struct arena *a, const struct table_shape *s, const char *refused)
{
	json_t *o = json_own(a, json_object()), *list = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct table_column *c = &s->columns[i];
		json_t *column = json_object();

		json_set_int(column, "no", c->no);
		json_set_strn(column, "name", c->name);
		json_set_str(column, "type", table_types[c->type].text);
		json_set_bool(column, "required", c->is_required);
		json_set_bool(column, "mixed", c->is_mixed);
		json_set_bool(column, "removed", c->is_removed);
		json_set_int(column, "index", c->index);
		json_set_bool(column, "ready", c->is_ready);
		json_array_append_new(list, column);
	}
	json_set(o, "columns", list);
	json_set_int(o, "next", s->next);
	json_set_str(o, "refused", refused);
	return json_text(a, o);
}

static void column_parse(const json_t *v, struct table_column *out)
{
	const struct word *w = word_find(table_types, str_from(json_str(v, "type")));

	*out = (struct table_column){.no = json_int(v, "no"),
	    .name = str_from(json_str(v, "name")),
	    .type = w == NULL ? TABLE_JSON : type_of_word(w),
	    .is_required = json_bool(v, "required"),
	    .is_mixed = json_bool(v, "mixed"),
	    .is_removed = json_bool(v, "removed"),
	    .index = json_int(v, "index"),
	    .is_ready = json_bool(v, "ready")};
}

int table_shape_parse(struct arena *a, struct str text, struct table_shape *out,
    const char **refused, struct err *err)
{
	const json_t *o = json_parse_stored(a, text, err), *list = json_object_get(o, "columns");

	if (o == NULL)
		return err_prefix(err, "a table's shape");
	if (refused != NULL)
		*refused = json_str(o, "refused");
	*out = (struct table_shape){.n = json_array_size(list), .next = json_int(o, "next")};
	out->columns = arena_array(a, out->n + 1, sizeof(*out->columns));
	for (size_t i = 0; i < out->n; i++) {
		column_parse(json_array_get(list, i), &out->columns[i]);
		out->shown += !out->columns[i].is_removed;
	}
	return 0;
}

/* ---- wanted ---------------------------------------------------------------------------------- */

struct column_wish {
	struct str name, was;
	const char *type;
	bool is_required, is_indexed;
};

static int wish_read(struct json_reader *in, json_t *v, struct column_wish *out)
{
	static const char *const types[] = {"string", "number", "boolean", "date", "json", NULL};
	static const struct json_member members[] = {
	    {"name", READ_TEXT, JSON_INTO(struct column_wish, name), .need = READ_NEEDED,
		.flags = READ_TRIMMED | READ_PLAIN, .min = 1, .max = COLUMN_NAME_BYTES},
	    {"was", READ_TEXT, JSON_INTO(struct column_wish, was), .need = READ_NULLABLE},
	    {"type", READ_WORD, JSON_INTO(struct column_wish, type), .words = types},
	    {"required", READ_BOOL, JSON_INTO(struct column_wish, is_required)},
	    {"indexed", READ_BOOL, JSON_INTO(struct column_wish, is_indexed)}};

	*out = (struct column_wish){.type = NULL};
	return json_read_members(in, v, JSON_MEMBERS(members), out);
}

/* What rows have beside their values, and files beside columns. */
static bool name_is_ours(struct str name)
{
	static const char *const ours[] = {"id", "externalKey", "createdAt", "updatedAt"};

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (str_is(name, ours[i]))
			return true;
	return false;
}

static struct table_column *shape_find(const struct table_shape *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->columns[i].name, name))
			return &s->columns[i];
	return NULL;
}

static bool shape_has_no(const struct table_shape *s, int64_t no)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->columns[i].no == no)
			return true;
	return false;
}

/* The column that a wish is for; NULL: a new one. -1 when it cannot be one. */
static int wish_column(struct json_reader *in, const struct column_wish *w,
    const struct table_shape *before, const struct table_shape *out,
    const struct table_column **found)
{
	bool is_renamed = w->was.n > 0 && !str_eq(w->was, w->name);

	*found = shape_find(before, is_renamed ? w->was : w->name);
	if (name_is_ours(w->name))
		return json_reader_fail_at(in, "name", "is what every row has already");
	if (shape_find(out, w->name) != NULL)
		return json_reader_fail_at(in, "name", "is another column's too");
	if (is_renamed && *found == NULL)
		return json_reader_fail_at(in, "was", "is no column of the table");
	if (*found != NULL && shape_has_no(out, (*found)->no))
		return json_reader_fail_at(in, "was", "is the former name of two columns");
	if (*found == NULL && w->type == NULL)
		return json_reader_fail_at(in, "type", "is needed");
	if (w->is_indexed && w->type != NULL && strcmp(w->type, "json") == 0)
		return json_reader_fail_at(in, "indexed", "cannot be of JSON");
	return 0;
}

/* An index is of one type: with another it is made anew. */
static struct table_column wish_apply(
    const struct column_wish *w, const struct table_column *old, struct table_shape *out)
{
	struct table_column c = {.no = 0};

	if (old != NULL)
		c = *old;
	else
		c.no = out->next++;
	if (w->type != NULL && table_types[c.type].text != w->type) {
		enum table_type type = type_of_word(word_find(table_types, str_from(w->type)));

		c.is_mixed = old != NULL;
		c.index = 0;
		c.type = type;
	}
	c.name = w->name;
	c.is_removed = false;
	c.is_required = w->is_required;
	if (!w->is_indexed) {
		c.index = 0;
		c.is_ready = false;
	} else if (c.index == 0) {
		c.index = out->next++;
		c.is_ready = false;
	}
	return c;
}

/* Columns that nobody named keep their values, and their names as long as no other has them. */
static void shape_add_removed(
    struct arena *a, const struct table_shape *before, struct table_shape *out)
{
	for (size_t i = 0; i < before->n; i++) {
		struct table_column c = before->columns[i];

		if (shape_has_no(out, c.no))
			continue;
		c.is_removed = true;
		c.is_required = c.is_ready = false;
		c.index = 0;
		for (int n = 2; shape_find(out, c.name) != NULL; n++)
			c.name = str_from(arena_printf(a, "%.*s (%d)",
			    (int)before->columns[i].name.n, before->columns[i].name.p, n));
		out->columns[out->n++] = c;
	}
}

static int shape_check_bounds(struct json_reader *in, const struct table_shape *s)
{
	size_t indexed = 0;

	for (size_t i = 0; i < s->n; i++)
		indexed += s->columns[i].index != 0;
	if (s->n > LIMIT_TABLE_COLUMNS)
		return json_reader_fail(in,
		    "may be at most %u, those that were removed and not purged included",
		    LIMIT_TABLE_COLUMNS);
	return indexed > LIMIT_TABLE_INDEXED
		   ? json_reader_fail(in, "may have at most %u indexed ones", LIMIT_TABLE_INDEXED)
		   : 0;
}

int table_shape_read(struct json_reader *in, struct arena *a, const json_t *columns,
    const struct table_shape *before, struct table_shape *out)
{
	size_t faults = in->faults, i;
	json_t *v;

	*out = (struct table_shape){.next = before->next == 0 ? 1 : before->next};
	out->columns =
	    arena_array(a, json_array_size(columns) + before->n + 1, sizeof(*out->columns));
	json_array_each(columns, i, v) {
		size_t mark = json_reader_enter_index(in, i);
		const struct table_column *old = NULL;
		struct column_wish w;
		bool is_good =
		    wish_read(in, v, &w) == 0 && wish_column(in, &w, before, out, &old) == 0;

		json_reader_leave(in, mark);
		if (!is_good && in->complain == NULL)
			return -1;
		if (is_good) {
			w.name = str_copy(a, w.name);
			out->columns[out->n++] = wish_apply(&w, old, out);
		}
	}
	out->shown = out->n;
	shape_add_removed(a, before, out);
	return shape_check_bounds(in, out) == -1 || in->faults > faults ? -1 : 0;
}

bool table_shape_purge(struct table_shape *s, struct str name)
{
	struct table_column *c = shape_find(s, name);

	if (c == NULL || !c->is_removed)
		return false;
	memmove(c, c + 1, (size_t)(s->columns + s->n - (c + 1)) * sizeof(*c));
	s->n--;
	return true;
}

/* ---- shown ----------------------------------------------------------------------------------- */

json_t *table_columns_json(const struct table_shape *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->shown; i++) {
		const struct table_column *c = &s->columns[i];
		json_t *o = json_object();

		json_set_strn(o, "name", c->name);
		json_set_str(o, "type", table_types[c->type].text);
		json_set_bool(o, "required", c->is_required);
		json_set_bool(o, "indexed", c->index != 0);
		json_array_append_new(list, o);
	}
	return list;
}
