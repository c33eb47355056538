/* From a row's cells to a record, as JSON text in the order of the tree.
 *
 * A blank cell says nothing: it has no member, or with blank=clear the value null. A row without a
 * key is known by the hash of its payload; there blank cells count, as they always did, so that the
 * same file makes the same records whatever is done with them.
 *
 * In an export one record's value may stand where another has an object: of both columns the one
 * that is not blank counts. */
#include "base/limits.h"
#include "crypto/hash.h"
#include "import/import-internal.h"
#include "record/record-cells.h"

enum blank_is { BLANK_KEPT, BLANK_CLEARED, BLANK_HASHED };

struct row_writing {
	const struct import_map *m;
	struct arena *a;
	const struct csv_row *row;
	struct buf *b;
	enum blank_is blank;
	int64_t blanks; /* that were seen */
	const char *problem;
};

/* ---- the payload --------------------------------------------------------------------------- */

static const char *cell_problem(struct arena *a, const struct import_column *c, struct str cell)
{
	static const char *const nouns[] = {
	    "text", "a number", "yes or no", "a date", "JSON", "a number", "a date"};
	static const char *const examples[] = {
	    "text", "1200.50", "yes", "2026-04-15", "{\"a\": 1}", "1200,50", "15.04.2026"};
	struct str s = utf8_trim(cell);

	return arena_printf(a, "\"%.60s\" is not %s (column %.100s): write it like %s",
	    arena_strndup(a, s.p, s.n), nouns[c->type], c->name.p, examples[c->type]);
}

static bool node_write_blank(struct row_writing *w, const struct import_node *node, struct str cell)
{
	w->blanks++;
	if (w->blank == BLANK_KEPT)
		return false;
	if (w->blank == BLANK_HASHED && node->column->type == TYPE_TEXT)
		import_cell_write_text(w->b, cell);
	else
		buf_str(w->b, "null");
	return true;
}

/* False when the cell says nothing. */
static bool node_write_cell(struct row_writing *w, const struct import_node *node)
{
	struct str cell;

	if (node->index >= w->row->n)
		return false;
	cell = import_cell(w->m, w->a, w->row, node->index);
	if (import_cell_is_blank(w->m, cell))
		return node_write_blank(w, node, cell);
	if (!import_cell_write(w->b, w->a, node->column->type, cell) && w->problem == NULL)
		w->problem = cell_problem(w->a, node->column, cell);
	return true;
}

static bool node_has_value(const struct row_writing *w, const struct import_node *node)
{
	bool has = node->column != NULL && node->index < w->row->n &&
		   !import_cell_is_blank(w->m, import_cell(w->m, w->a, w->row, node->index));

	for (size_t i = 0; i < node->n && !has; i++)
		has = node_has_value(w, node->children[i]);
	return has;
}

static bool node_write_members(struct row_writing *w, const struct import_node *node);

/* A value, or an object of members: both at once are none. */
static bool node_write_either(struct row_writing *w, const struct import_node *node)
{
	bool has_members = false;

	for (size_t i = 0; i < node->n; i++)
		has_members = has_members || node_has_value(w, node->children[i]);
	if (!has_members)
		return node_write_cell(w, node);
	if (!import_cell_is_blank(w->m, import_cell(w->m, w->a, w->row, node->index)))
		w->problem = arena_printf(w->a,
		    "both the column %.100s and one within it have a value", node->column->name.p);
	return node_write_members(w, node);
}

static bool node_write(struct row_writing *w, const struct import_node *node)
{
	if (node->column == NULL)
		return node_write_members(w, node);
	return node->n == 0 ? node_write_cell(w, node) : node_write_either(w, node);
}

/* The object of a node's members that say something: false when none does, and nothing was
 * written. */
static bool node_write_members(struct row_writing *w, const struct import_node *node)
{
	bool is_first = true;

	for (size_t i = 0; i < node->n; i++) {
		const struct import_node *child = node->children[i];
		size_t before = w->b->len;

		buf_chr(w->b, is_first ? '{' : ',');
		buf_add(w->b, child->key.p, child->key.n);
		if (node_write(w, child))
			is_first = false;
		else
			w->b->len = before;
	}
	if (!is_first)
		buf_chr(w->b, '}');
	return !is_first;
}

static void row_write(struct row_writing *w)
{
	buf_reset(w->b);
	w->blanks = 0;
	if (!node_write_members(w, w->m->root))
		buf_str(w->b, "{}");
	if (w->problem == NULL && (!buf_ok(w->b) || w->b->len > LIMIT_RECORD_BYTES))
		w->problem = "the record is longer than 1 MiB";
}

/* Members of an export that had no column of their own: {"path": value}. */
static void row_add_other_data(struct row_writing *w, struct str *data)
{
	struct str cell = w->m->other_column == w->m->header.n
			      ? STR("")
			      : import_cell(w->m, w->a, w->row, w->m->other_column);
	json_t *other, *root;

	if (cell.n == 0 || w->problem != NULL)
		return;
	other = json_parse(w->a, cell, NULL);
	root = json_parse(w->a, *data, NULL);
	if (!json_is_object(other) || root == NULL) {
		w->problem = "otherData is not a JSON object";
		return;
	}
	record_set_others(w->a, root, other);
	*data = json_text(w->a, root);
}

/* ---- the external id ------------------------------------------------------------------------ */

/* prefix and the SHA-256 of the text. */
static struct str id_of_hash(struct arena *a, const char *prefix, struct str text)
{
	char hex[2 * SHA256_SIZE + 1];

	sha256_hex(text, hex);
	return str_from(arena_printf(a, "%s%s", prefix, hex));
}

/* As it is but for the ways in which the same characters can be typed; of an email the case too. */
static struct str key_text(const struct import_column *c, struct arena *a, struct str cell)
{
	struct str s = utf8_trim(cell);

	return utf8_compose(a, s, c->has_email && memchr(s.p, '@', s.n) != NULL);
}

/* The values, each behind its length. */
static const char *row_natural_key(
    const struct import_map *m, struct arena *a, const struct csv_row *row, struct str *out)
{
	struct buf *b = buf_new(a, 8 * LIMIT_RECORD_BYTES);
	bool is_empty = true;

	for (size_t i = 0; i < m->nkeys; i++) {
		size_t at = m->key_columns[i];
		struct str key = key_text(&m->header.v[at], a, import_cell(m, a, row, at));

		is_empty = is_empty && key.n == 0;
		buf_printf(b, "%zu:", key.n);
		buf_add(b, key.p, key.n);
	}
	if (is_empty)
		return arena_printf(a, "the key is empty (column%s %.200s)", plural_s(m->nkeys),
		    import_map_key(a, m));
	*out = id_of_hash(a, "key-", (struct str){b->p, b->len});
	return NULL;
}

static const char *row_id_of_column(
    const struct import_map *m, struct arena *a, const struct csv_row *row, struct str *out)
{
	const char *name = m->header.v[m->id_column].name.p;
	struct str id = import_cell(m, a, row, m->id_column);

	if (!m->header.is_export)
		id = utf8_trim(id);
	if (id.n == 0)
		return arena_printf(a, "the key is empty (column %.100s)", name);
	if (id.n > LIMIT_EXTERNAL_ID_BYTES)
		return arena_printf(a, "the key is longer than %u bytes (column %.100s)",
		    LIMIT_EXTERNAL_ID_BYTES, name);
	*out = str_copy(a, id);
	return NULL;
}

/* Of the whole payload, with blank cells as they stand. */
static struct str row_id_of_payload(struct row_writing *w, struct str data)
{
	if (w->blanks == 0)
		return id_of_hash(w->a, "row-", data);
	w->blank = BLANK_HASHED;
	row_write(w);
	return id_of_hash(w->a, "row-", (struct str){w->b->p, w->b->len});
}

static const char *row_external_id(struct row_writing *w, struct str data, struct str *out)
{
	const struct import_map *m = w->m;

	if (m->id_column < m->header.n)
		return row_id_of_column(m, w->a, w->row, out);
	if (m->nkeys > 0)
		return row_natural_key(m, w->a, w->row, out);
	*out = row_id_of_payload(w, data);
	return NULL;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static const char *row_check_shape(
    const struct import_map *m, struct arena *a, const struct csv_row *row)
{
	size_t n = row->n < CSV_COLUMNS ? row->n : CSV_COLUMNS;
	bool is_longer = row->n > CSV_COLUMNS;

	for (size_t i = m->header.n; i < n && !is_longer; i++)
		is_longer = utf8_trim(row->cells[i]).n > 0;
	return is_longer ? arena_printf(a, "%zu cells, but the header has %zu", row->n, m->header.n)
			 : NULL;
}

/* In an export a row may say whose record it is. */
static const char *row_provider(
    const struct import_map *m, struct arena *a, const struct csv_row *row, struct str *out)
{
	*out = (struct str){NULL, 0};
	if (m->provider_column == m->header.n)
		return NULL;
	*out = str_copy(a, import_cell(m, a, row, m->provider_column));
	return record_type_is_valid(*out) ? NULL
					  : "the provider is no name of one (column providerType)";
}

int import_map_row(
    struct import_map *m, struct arena *a, const struct csv_row *row, struct import_row *out)
{
	struct row_writing w = {.m = m,
	    .a = a,
	    .row = row,
	    .b = m->out,
	    .blank = m->is_cleared ? BLANK_CLEARED : BLANK_KEPT};

	if (m->is_lines)
		return import_line_row(m, a, row, out);
	*out = (struct import_row){.problem = row->problem};
	if (out->problem == NULL)
		out->problem = row_check_shape(m, a, row);
	if (out->problem != NULL)
		return 0;
	row_write(&w);
	out->blanks = w.blanks;
	out->is_cleared = m->is_cleared && w.blanks > 0;
	/* members of a cell may lie too deep below its path */
	if (w.problem == NULL && m->has_json &&
	    json_parse(a, (struct str){m->out->p, m->out->len}, NULL) == NULL)
		w.problem = "the record is nested too deep";
	if (w.problem == NULL) {
		out->data = (struct str){arena_strndup(a, m->out->p, m->out->len), m->out->len};
		row_add_other_data(&w, &out->data);
	}
	if (w.problem == NULL) {
		w.problem = row_external_id(&w, out->data, &out->external_id);
		out->has_no_key = w.problem != NULL;
	}
	if (w.problem == NULL)
		w.problem = row_provider(m, a, row, &out->provider_type);
	out->problem = w.problem;
	return w.problem == NULL;
}
