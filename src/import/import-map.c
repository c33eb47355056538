/* From a row's cells to a record.
 *
 *   header         email , address.city , address.zip , note
 *   tree           { address { city, zip }, email, note }        compiled once (import_map_new)
 *   row            {"address":{"city":"…","zip":"…"},"email":"…","note":"…"}   (import_map_row)
 *
 * The tree's members stand in the order in which records are stored (by name), so that a row is
 * written as JSON text without building values first, and equal payloads are equal bytes.
 *
 * What a header means: the mapping's wish where there is one, else its own text, as a path when its
 * steps are words. No two columns may have the same place, nor one a place within another's value:
 * that is refused when the map is made, so rows cannot fail by it. A cell that does not fit its
 * type fails its row alone.
 *
 * The external id of a row: its id column (external_id wins over id), else the hash of the chosen
 * key columns, else the hash of the whole payload; the same file imported twice makes no new
 * record. */
#include "base/clock.h"
#include "base/json-reader.h"
#include "base/limits.h"
#include "base/number.h"
#include "crypto/hash.h"
#include "import/import.h"

enum column_type { TYPE_TEXT, TYPE_NUMBER, TYPE_BOOLEAN, TYPE_DATE, TYPE_JSON };
static const char *const type_names[] = {"text", "number", "boolean", "date", "json"};
#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

struct map_column {
	struct str header;
	const char *to; /* its path; NULL: left out */
	enum column_type type;
};

/* A member of the record: a cell, or an object of members. */
struct map_node {
	struct str key; /* with quotes and colon */
	const struct map_column *column;
	size_t index; /* of the column */
	struct map_node *children;
	size_t n;
};

struct import_map {
	struct map_column *columns;
	struct str *headers;
	size_t n;     /* columns with a header */
	size_t extra; /* unnamed ones behind them, whose cells must be empty */
	struct map_node root;
	bool has_json;
	size_t id_column; /* n: none */
	size_t *key_columns, nkeys;
	struct buf *out;
};

/* ---- header -------------------------------------------------------------------------------- */

/* A header is a dotted path when its steps are words; any other is the name of one member. */
static const char *header_path(struct arena *a, struct str header)
{
	struct buf *b = buf_new(a, 2 * IMPORT_HEADER_BYTES);
	struct str rest = header, step;
	bool is_path = header.n > 0 && header.p[header.n - 1] != '.';

	while (is_path && str_split(&rest, '.', &step))
		is_path = step.n > 0 && str_trim(step).n == step.n;
	for (size_t i = 0; i < header.n; i++) {
		char c = header.p[i];

		if (c == '[' || c == ']' || c == '\\' || (c == '.' && !is_path))
			buf_chr(b, '\\');
		buf_chr(b, c);
	}
	return b->p;
}

static int map_read_header(
    struct arena *a, struct import_map *m, const struct csv_row *row, struct err *err)
{
	size_t n = row->n, bytes = 0;

	if (row->problem != NULL)
		return err_field(err, ERR_INVALID, "csv", "has no header: %s", row->problem);
	if (n > CSV_COLUMNS)
		return err_field(err, ERR_INVALID, "csv", "has %zu columns; at most %d are read", n,
		    CSV_COLUMNS);
	while (n > 0 && str_trim(row->cells[n - 1]).n == 0)
		n--;
	if (n == 0)
		return err_field(
		    err, ERR_INVALID, "csv", "has no header: the first row must name the columns");
	m->n = m->id_column = n;
	m->extra = row->n - n;
	m->columns = arena_array(a, n, sizeof(*m->columns));
	m->headers = arena_array(a, n, sizeof(*m->headers));
	for (size_t i = 0; i < n; i++) {
		struct str header = str_trim(row->cells[i]);

		header.p = arena_strndup(a, header.p, header.n);
		if (header.n == 0)
			return err_field(err, ERR_INVALID, "csv",
			    "has no header for column %zu: name it in the first row", i + 1);
		m->headers[i] = m->columns[i].header = header;
		bytes += header.n;
	}
	if (bytes > IMPORT_HEADER_BYTES)
		return err_field(err, ERR_INVALID, "csv", "has a header of more than %u bytes",
		    IMPORT_HEADER_BYTES);
	return 0;
}

/* Columns by header; ERR_INVALID when one stands twice. */
static int map_index_headers(
    struct arena *a, const struct import_map *m, json_t **out, struct err *err)
{
	json_t *index = json_own(a, json_object());

	for (size_t i = 0; i < m->n; i++) {
		if (json_object_get(index, m->headers[i].p) != NULL)
			return err_field(err, ERR_INVALID, "csv",
			    "has the header \"%.100s\" twice: one of them needs another name",
			    m->headers[i].p);
		json_set_int(index, m->headers[i].p, (int64_t)i);
	}
	*out = index;
	return 0;
}

/* ---- wishes -------------------------------------------------------------------------------- */

static int column_type_parse(
    const char *header, const json_t *v, enum column_type *out, struct err *err)
{
	for (size_t i = 0; i < TYPES; i++) {
		if (json_is_string(v) && str_is(str_from(json_string_value(v)), type_names[i])) {
			*out = (enum column_type)i;
			return 0;
		}
	}
	return err_field(err, ERR_INVALID, "mapping",
	    "of \"%.100s\": type must be text, number, boolean, date or json", header);
}

static int column_apply_wish(struct map_column *c, const json_t *wish, struct err *err)
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
	if (type != NULL && column_type_parse(c->header.p, type, &c->type, err) == -1)
		return -1;
	if (json_is_object(wish) && to == NULL)
		return 0;
	if (to != NULL && !json_is_string(to) && !json_is_null(to))
		return err_field(err, ERR_INVALID, "mapping",
		    "of \"%.100s\" must be a path, {\"to\",\"type\"} or null", c->header.p);
	c->to = json_string_value(to); /* NULL for null */
	return 0;
}

static int map_apply_mapping(struct arena *a, struct import_map *m, const json_t *index,
    const json_t *mapping, struct err *err)
{
	const char *header;
	json_t *wish;

	for (size_t i = 0; i < m->n; i++)
		m->columns[i].to = header_path(a, m->columns[i].header);
	if (mapping != NULL && !json_is_null(mapping) && !json_is_object(mapping))
		return err_field(err, ERR_INVALID, "mapping", "must be an object");
	json_object_each(mapping, header, wish) {
		const json_t *at = json_object_get(index, header);

		if (at == NULL)
			return err_field(err, ERR_INVALID, "mapping",
			    "names \"%.100s\", which is no header of the file", header);
		if (column_apply_wish(&m->columns[json_integer_value(at)], wish, err) == -1)
			return -1;
	}
	return 0;
}

static bool is_external_id_path(const char *to)
{
	return to != NULL && (str_ieq(str_from(to), STR("external_id")) ||
				 str_ieq(str_from(to), STR("externalId")));
}

/* external_id wins over id, and is no part of the data; both win over chosen columns. */
static int map_choose_key(struct arena *a, struct import_map *m, const json_t *index,
    const json_t *key_columns, struct err *err)
{
	json_t *name;
	size_t i;

	for (i = m->n; i-- > 0;)
		if (m->columns[i].to != NULL && str_ieq(str_from(m->columns[i].to), STR("id")))
			m->id_column = i;
	for (i = m->n; i-- > 0;)
		if (is_external_id_path(m->columns[i].to))
			m->id_column = i;
	if (key_columns != NULL && !json_is_null(key_columns) && !json_is_array(key_columns))
		return err_field(err, ERR_INVALID, "keyColumns", "must be a list of headers");
	m->key_columns = arena_array(a, json_array_size(key_columns) + 1, sizeof(*m->key_columns));
	json_array_each(key_columns, i, name) {
		const json_t *at =
		    json_is_string(name) ? json_object_get(index, json_string_value(name)) : NULL;

		if (at == NULL)
			return err_field(err, ERR_INVALID, "keyColumns",
			    "must name headers of the file; \"%.100s\" is none",
			    json_is_string(name) ? json_string_value(name) : "");
		m->key_columns[m->nkeys++] = (size_t)json_integer_value(at);
	}
	return 0;
}

/* ---- tree ---------------------------------------------------------------------------------- */

/* Puts each column's index where its cell will stand, which shows what gets in another's way. */
static int map_lay_out(struct arena *a, struct import_map *m, json_t *proto, struct err *err)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct map_column *c = &m->columns[i];
		struct err why = ERR_INIT;
		const struct path *p;

		m->has_json = m->has_json || (c->to != NULL && c->type == TYPE_JSON);
		if (c->to == NULL || (i == m->id_column && is_external_id_path(c->to)))
			continue;
		p = path_compile(a, str_from(c->to), &why);
		if (p == NULL || path_fans_out(p) || c->to[0] == '\0')
			return err_field(err, ERR_INVALID, "mapping",
			    "of \"%.100s\": \"%.100s\" cannot be a field; one looks like email "
			    "or address.city%s%s",
			    c->header.p, c->to, p == NULL ? "; " : "", p == NULL ? why.msg : "");
		if (path_get(p, proto) != NULL ||
		    path_set(p, proto, json_integer((json_int_t)i), &why) == -1)
			return err_field(err, ERR_INVALID, "csv",
			    "has the column \"%.100s\" where another column has its value or its "
			    "members",
			    c->header.p);
	}
	return 0;
}

static void cell_write_text(struct buf *b, struct str s);

static int member_name_compare(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void tree_grow(
    struct arena *a, const struct import_map *m, const json_t *object, struct map_node *node)
{
	size_t n = json_object_size(object), i = 0;
	const char **names = arena_array(a, n + 1, sizeof(*names)), *name;
	json_t *value;

	json_object_each(object, name, value)
		names[i++] = name;
	qsort(names, n, sizeof(*names), member_name_compare);
	node->children = arena_array(a, n + 1, sizeof(*node->children));
	node->n = n;
	for (i = 0; i < n; i++) {
		struct map_node *child = &node->children[i];
		struct buf *key = buf_new(a, 8u * LIMIT_PATH_BYTES);

		cell_write_text(key, str_from(names[i]));
		buf_chr(key, ':');
		child->key = (struct str){key->p, key->len};
		value = json_object_get(object, names[i]);
		if (json_is_object(value)) {
			tree_grow(a, m, value, child);
			continue;
		}
		child->index = (size_t)json_integer_value(value);
		child->column = &m->columns[child->index];
	}
}

struct import_map *import_map_new(struct arena *a, const struct csv_row *header,
    const json_t *mapping, const json_t *key_columns, struct err *err)
{
	struct import_map *m = arena_zalloc(a, sizeof(*m));
	json_t *proto = json_own(a, json_object()), *index = NULL;

	if (map_read_header(a, m, header, err) == -1 ||
	    map_index_headers(a, m, &index, err) == -1 ||
	    map_apply_mapping(a, m, index, mapping, err) == -1 ||
	    map_choose_key(a, m, index, key_columns, err) == -1 ||
	    map_lay_out(a, m, proto, err) == -1)
		return NULL;
	tree_grow(a, m, proto, &m->root);
	m->out = buf_new(a, 2 * LIMIT_RECORD_BYTES);
	return m;
}

const struct str *import_map_headers(const struct import_map *m, size_t *n)
{
	*n = m->n;
	return m->headers;
}

const char *import_map_to(const struct import_map *m, size_t i)
{
	return m->columns[i].to;
}

const char *import_map_key(struct arena *a, const struct import_map *m)
{
	struct buf *b = buf_new(a, 2 * IMPORT_HEADER_BYTES);

	if (m->id_column < m->n)
		return m->headers[m->id_column].p;
	for (size_t i = 0; i < m->nkeys; i++)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", m->headers[m->key_columns[i]].p);
	return b->p;
}

bool import_map_has_id(const struct import_map *m)
{
	return m->id_column < m->n;
}

/* ---- cells --------------------------------------------------------------------------------- */

/* As base/json.c writes text: equal payloads must be equal bytes. */
static void cell_write_text(struct buf *b, struct str s)
{
	static const char hex[] = "0123456789abcdef", pairs[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	size_t start = 0;

	buf_chr(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char out[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		const char *at;

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s.p + start, i - start);
		start = i + 1;
		at = c != '\0' ? strchr(pairs, c) : NULL;
		if (at != NULL)
			out[1] = at[1];
		buf_add(b, out, at != NULL ? 2 : 6);
	}
	if (s.n > start)
		buf_add(b, s.p + start, s.n - start);
	buf_chr(b, '"');
}

/* What JSON takes, and leading zeros, which fall. All digits are kept. */
static bool cell_write_number(struct buf *b, struct str s)
{
	bool is_negative = s.p[0] == '-';
	size_t at = is_negative;

	while (at + 1 < s.n && s.p[at] == '0' && s.p[at + 1] >= '0' && s.p[at + 1] <= '9')
		at++;
	s = (struct str){s.p + at, s.n - at};
	if (!number_is(s) || s.p[0] == '-')
		return false;
	buf_str(b, is_negative ? "-" : "");
	buf_add(b, s.p, s.n);
	return true;
}

static bool cell_write_boolean(struct buf *b, struct str s)
{
	static const char *const yes[] = {"true", "yes", "on", "1", "y", "t"};
	static const char *const no[] = {"false", "no", "off", "0", "n", "f"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (str_ieq(s, str_from(yes[i])) || str_ieq(s, str_from(no[i]))) {
			buf_str(b, str_ieq(s, str_from(yes[i])) ? "true" : "false");
			return true;
		}
	}
	return false;
}

/* A day stays a day; a time is told in UTC. */
static bool cell_write_date(struct buf *b, struct str s)
{
	char text[CLOCK_TEXT];
	int64_t at_us;

	if (!clock_parse_iso(s, &at_us))
		return false;
	if (s.n <= 10)
		clock_day_text(text, clock_day(at_us));
	else
		clock_iso(text, at_us);
	buf_printf(b, "\"%s\"", text);
	return true;
}

static bool cell_write_json(struct buf *b, struct arena *a, struct str s)
{
	json_t *v = json_parse(a, s, NULL);

	if (v == NULL)
		return false;
	s = json_text(a, v);
	buf_add(b, s.p, s.n);
	return true;
}

static bool cell_write_typed(struct buf *b, struct arena *a, enum column_type type, struct str s)
{
	switch (type) {
	case TYPE_NUMBER:
		return cell_write_number(b, s);
	case TYPE_BOOLEAN:
		return cell_write_boolean(b, s);
	case TYPE_DATE:
		return cell_write_date(b, s);
	case TYPE_JSON:
		return cell_write_json(b, a, s);
	case TYPE_TEXT:
		break;
	}
	return false;
}

/* ---- rows ---------------------------------------------------------------------------------- */

struct row_writing {
	struct arena *a;
	const struct csv_row *row;
	struct buf *b;
	const char *problem;
};

static void tree_write_cell(struct row_writing *w, const struct map_node *node)
{
	static const char *const articles[] = {"text", "a number", "a boolean", "a date", "JSON"};
	const struct map_column *c = node->column;
	struct str cell = w->row->cells[node->index], s;

	if (c->type == TYPE_TEXT) {
		cell_write_text(w->b, cell);
		return;
	}
	s = str_trim(cell);
	if (s.n == 0)
		buf_str(w->b, "null");
	else if (!cell_write_typed(w->b, w->a, c->type, s) && w->problem == NULL)
		w->problem = arena_printf(w->a, "\"%.60s\" is not %s (column %.100s)",
		    arena_strndup(w->a, s.p, s.n), articles[c->type], c->header.p);
}

/* The object of a node's members; those whose cells the row lacks are left out, and objects without
 * any too: false when nothing was written. */
static bool tree_write_members(struct row_writing *w, const struct map_node *node)
{
	bool is_first = true;

	for (size_t i = 0; i < node->n; i++) {
		const struct map_node *child = &node->children[i];
		size_t before = w->b->len;

		if (child->column != NULL && child->index >= w->row->n)
			continue;
		buf_chr(w->b, is_first ? '{' : ',');
		buf_add(w->b, child->key.p, child->key.n);
		if (child->column != NULL) {
			tree_write_cell(w, child);
		} else if (!tree_write_members(w, child)) {
			w->b->len = before;
			continue;
		}
		is_first = false;
	}
	if (!is_first)
		buf_chr(w->b, '}');
	return !is_first;
}

/* prefix and the SHA-256 of the text. */
static struct str id_of_hash(struct arena *a, const char *prefix, struct str text)
{
	char hex[2 * SHA256_SIZE + 1];

	sha256_hex(text, hex);
	return str_from(arena_printf(a, "%s%s", prefix, hex));
}

/* The folded values, each behind its length. */
static const char *row_natural_key(
    const struct import_map *m, struct arena *a, const struct csv_row *row, struct str *out)
{
	struct buf *b = buf_new(a, 8 * LIMIT_RECORD_BYTES);
	bool is_empty = true;

	for (size_t i = 0; i < m->nkeys; i++) {
		size_t at = m->key_columns[i];
		struct str cell = at < row->n ? str_trim(row->cells[at]) : STR("");
		const char *folded = utf8_fold(a, cell);

		is_empty = is_empty && cell.n == 0;
		buf_printf(b, "%zu:", folded == NULL ? 0 : strlen(folded));
		buf_str(b, folded == NULL ? "" : folded);
	}
	if (is_empty)
		return "the key columns are empty";
	*out = id_of_hash(a, "key-", (struct str){b->p, b->len});
	return NULL;
}

static const char *row_external_id(const struct import_map *m, struct arena *a,
    const struct csv_row *row, struct str data, struct str *out)
{
	struct str id;

	if (m->id_column == m->n && m->nkeys > 0)
		return row_natural_key(m, a, row, out);
	if (m->id_column == m->n) {
		*out = id_of_hash(a, "row-", data);
		return NULL;
	}
	id = m->id_column < row->n ? str_trim(row->cells[m->id_column]) : STR("");
	if (id.n == 0)
		return arena_printf(
		    a, "the key is empty (column %.100s)", m->headers[m->id_column].p);
	if (id.n > LIMIT_EXTERNAL_ID_BYTES)
		return arena_printf(a, "the key is longer than %u bytes (column %.100s)",
		    LIMIT_EXTERNAL_ID_BYTES, m->headers[m->id_column].p);
	*out = str_copy(a, id);
	return NULL;
}

static const char *row_check_shape(
    const struct import_map *m, struct arena *a, const struct csv_row *row)
{
	bool is_empty = true;

	if (row->n > m->n + m->extra)
		return arena_printf(
		    a, "%zu cells, but the header has %zu", row->n, m->n + m->extra);
	for (size_t i = m->n; i < row->n; i++)
		if (row->cells[i].n > 0)
			return arena_printf(a, "there is no header for cell %zu", i + 1);
	for (size_t i = 0; i < row->n && is_empty; i++)
		is_empty = row->cells[i].n == 0;
	return is_empty ? "the row is empty" : NULL;
}

int import_map_row(struct import_map *m, struct arena *a, const struct csv_row *row,
    struct str *external_id, struct str *data, const char **problem)
{
	struct row_writing w = {.a = a, .row = row, .b = m->out};

	*problem = row->problem != NULL ? row->problem : row_check_shape(m, a, row);
	if (*problem != NULL)
		return 0;
	buf_reset(m->out);
	if (!tree_write_members(&w, &m->root))
		buf_str(m->out, "{}");
	if (w.problem == NULL && (!buf_ok(m->out) || m->out->len > LIMIT_RECORD_BYTES))
		w.problem = "the record is longer than 1 MiB";
	/* members of a cell may lie too deep below its path */
	if (w.problem == NULL && m->has_json &&
	    json_parse(a, (struct str){m->out->p, m->out->len}, NULL) == NULL)
		w.problem = "the record is nested too deep";
	if (w.problem == NULL) {
		*data = (struct str){arena_strndup(a, m->out->p, m->out->len), m->out->len};
		w.problem = row_external_id(m, a, row, *data, external_id);
	}
	*problem = w.problem;
	return w.problem == NULL;
}
