/* From the columns of a file to the members of a record: the columns' own places, what people wish
 * instead, and what tells records apart.
 *
 * No two columns may have the same place, nor one a place within another's value: that is refused
 * when the map is made, so rows cannot fail by it. A cell that does not fit its type fails its row
 * alone (import-row.c).
 *
 * The external id of a row: its id column (external_id wins over id), else the hash of the chosen
 * key columns, else the hash of the whole payload; the same file imported twice makes no new
 * record. */
#include "base/json-reader.h"
#include "base/limits.h"
#include "import/import-internal.h"

/* ---- columns by name or place --------------------------------------------------------------- */

/* The column that people mean by a name, or by its place from 1 on ("#2", and "2" where no column
 * is called so); header.n when there is none. */
static size_t column_find(const struct import_header *h, struct str name)
{
	struct str number = name;
	int64_t place;

	for (size_t i = 0; i < h->n; i++)
		if (str_eq(h->v[i].name, name))
			return i;
	if (number.n > 0 && number.p[0] == '#')
		number = (struct str){name.p + 1, name.n - 1};
	return str_to_i64(number, 1, (int64_t)h->n, &place) ? (size_t)place - 1 : h->n;
}

/* ---- wishes -------------------------------------------------------------------------------- */

static int column_type_parse(
    const struct import_column *c, const json_t *v, enum import_type *out, struct err *err)
{
	for (size_t i = 0; i < IMPORT_TYPES; i++) {
		if (json_is_string(v) &&
		    str_is(str_from(json_string_value(v)), import_type_names[i])) {
			*out = (enum import_type)i;
			return 0;
		}
	}
	return err_field(err, ERR_INVALID, "mapping",
	    "of \"%.100s\": type must be text, number, number_comma, boolean, date, date_day_first "
	    "or "
	    "json",
	    c->name.p);
}

static int column_apply_wish(struct import_column *c, const json_t *wish, struct err *err)
{
	static const char *const keys[] = {"to", "type", NULL};
	struct json_reader in = {.err = err};
	const json_t *to = wish, *type = NULL;

	if (json_is_object(wish)) {
		if (json_read_keys(&in, wish, keys) == -1)
			return -1;
		to = json_object_get(wish, "to");
		type = json_object_get(wish, "type");
	}
	if (type != NULL && column_type_parse(c, type, &c->type, err) == -1)
		return -1;
	if (json_is_object(wish) && to == NULL)
		return 0;
	if (to != NULL && !json_is_string(to) && !json_is_null(to))
		return err_field(err, ERR_INVALID, "mapping",
		    "of \"%.100s\" must be a path, {\"to\",\"type\"} or null", c->name.p);
	c->to = json_string_value(to); /* NULL for null */
	c->role = ROLE_DATA;
	return 0;
}

static int map_apply_mapping(struct import_header *h, const json_t *mapping, struct err *err)
{
	const char *name;
	json_t *wish;

	if (mapping != NULL && !json_is_null(mapping) && !json_is_object(mapping))
		return err_field(err, ERR_INVALID, "mapping", "must be an object");
	json_object_each(mapping, name, wish) {
		size_t i = column_find(h, str_from(name));

		if (i == h->n)
			return err_field(err, ERR_INVALID, "mapping",
			    "names \"%.100s\", which is no header of the file", name);
		if (column_apply_wish(&h->v[i], wish, err) == -1)
			return -1;
	}
	return 0;
}

/* ---- keys ---------------------------------------------------------------------------------- */

static bool is_external_id_path(const char *to)
{
	return to != NULL && (str_ieq(str_from(to), STR("external_id")) ||
				 str_ieq(str_from(to), STR("externalId")));
}

/* external_id wins over id, and is no part of the data; both win over chosen columns. In an export
 * ours is the id, whatever the records have. */
static void map_choose_id(struct import_map *m)
{
	const struct import_header *h = &m->header;

	for (size_t i = h->n; i-- > 0 && !h->is_export;)
		if (h->v[i].to != NULL && str_ieq(str_from(h->v[i].to), STR("id")))
			m->id_column = i;
	for (size_t i = h->n; i-- > 0;)
		if (h->is_export ? h->v[i].role == ROLE_EXTERNAL_ID
				 : is_external_id_path(h->v[i].to))
			m->id_column = i;
}

static int map_choose_keys(
    struct arena *a, struct import_map *m, const json_t *key_columns, struct err *err)
{
	json_t *name;
	size_t i;

	if (key_columns != NULL && !json_is_null(key_columns) && !json_is_array(key_columns))
		return err_field(err, ERR_INVALID, "keyColumns", "must be a list of headers");
	m->key_columns = arena_array(a, json_array_size(key_columns) + 1, sizeof(*m->key_columns));
	json_array_each(key_columns, i, name) {
		const char *text = json_is_string(name) ? json_string_value(name) : "";
		size_t at = column_find(&m->header, str_from(text));

		if (at == m->header.n)
			return err_field(err, ERR_INVALID, "keyColumns",
			    "must name headers of the file; \"%.100s\" is none", text);
		m->key_columns[m->nkeys++] = at;
	}
	return 0;
}

/* ---- the map ------------------------------------------------------------------------------- */

static size_t column_of_role(const struct import_header *h, enum import_role role)
{
	size_t i = 0;

	while (i < h->n && h->v[i].role != role)
		i++;
	return i;
}

static void map_look_at_columns(struct arena *a, struct import_map *m)
{
	for (size_t i = 0; i < m->header.n; i++) {
		struct import_column *c = &m->header.v[i];

		m->has_json = m->has_json || (c->to != NULL && c->type == TYPE_JSON);
		if (m->header.is_export)
			continue;
		import_column_look(a, c, c->name);
		if (c->to != NULL)
			import_column_look(a, c, str_from(c->to));
	}
}

/* The id is no part of the data, but for one that is called so there. */
static size_t map_id_left_out(const struct import_map *m)
{
	const struct import_header *h = &m->header;

	return m->id_column < h->n && is_external_id_path(h->v[m->id_column].to) ? m->id_column
										 : h->n;
}

static bool is_wish(const json_t *v)
{
	return v != NULL && !json_is_null(v);
}

/* Of NDJSON: what its first line shows. */
static int map_of_lines(struct import_map *m, const struct csv_row *first,
    const struct import_options *o, struct err *err)
{
	if (is_wish(o->mapping) && json_object_size(o->mapping) > 0)
		return err_field(err, ERR_INVALID, "mapping", "is of columns, and NDJSON has none");
	if (is_wish(o->key_columns) && json_array_size(o->key_columns) > 0)
		return err_field(
		    err, ERR_INVALID, "keyColumns", "are columns, and NDJSON has none");
	m->is_lines = true;
	m->header.is_export = import_line_is_ours(first);
	m->has_own_providers = o->has_own_providers;
	return 0;
}

struct import_map *import_map_new(
    struct arena *a, const struct csv_row *header, const struct import_options *o, struct err *err)
{
	struct import_map *m = arena_zalloc(a, sizeof(*m));

	if (import_is_lines(&o->format))
		return map_of_lines(m, header, o, err) == -1 ? NULL : m;
	if (import_header_read(a, header, o, &m->header, err) == -1 ||
	    map_apply_mapping(&m->header, o->mapping, err) == -1 ||
	    map_choose_keys(a, m, o->key_columns, err) == -1)
		return NULL;
	m->id_column = m->header.n;
	m->other_column = column_of_role(&m->header, ROLE_OTHER_DATA);
	m->provider_column =
	    o->has_own_providers ? column_of_role(&m->header, ROLE_PROVIDER) : m->header.n;
	m->is_cleared = o->is_blank_cleared;
	map_choose_id(m);
	map_look_at_columns(a, m);
	m->root = import_tree_new(a, &m->header, map_id_left_out(m), err);
	m->out = buf_new(a, 2 * LIMIT_RECORD_BYTES);
	return m->root == NULL ? NULL : m;
}

size_t import_map_columns(const struct import_map *m)
{
	return m->header.n;
}

struct str import_map_name(const struct import_map *m, size_t i)
{
	return m->header.v[i].name;
}

bool import_map_is_unnamed(const struct import_map *m, size_t i)
{
	return m->header.v[i].is_unnamed;
}

bool import_map_is_ours(const struct import_map *m, size_t i)
{
	return m->header.v[i].role != ROLE_DATA;
}

bool import_map_is_idle(const struct import_map *m, size_t i)
{
	return m->header.v[i].role == ROLE_NONE;
}

const char *import_map_to(const struct import_map *m, size_t i)
{
	return m->header.v[i].to;
}

const char *import_map_type(const struct import_map *m, size_t i)
{
	return import_type_names[m->header.v[i].type];
}

bool import_map_is_key(const struct import_map *m, size_t i)
{
	size_t k = 0;

	while (k < m->nkeys && m->key_columns[k] != i)
		k++;
	return k < m->nkeys;
}

const char *import_map_key(struct arena *a, const struct import_map *m)
{
	struct buf *b = buf_new(a, 2 * IMPORT_HEADER_BYTES);

	if (m->is_lines)
		return m->header.is_export ? "externalId" : "external_id";
	if (m->id_column < m->header.n)
		return m->header.v[m->id_column].name.p;
	for (size_t i = 0; i < m->nkeys; i++)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", m->header.v[m->key_columns[i]].name.p);
	return b->p;
}

bool import_map_has_id(const struct import_map *m)
{
	return m->is_lines || m->id_column < m->header.n;
}

bool import_map_is_export(const struct import_map *m)
{
	return m->header.is_export;
}
