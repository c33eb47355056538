/* The first row of a file: how its columns are called, where their cells go, and whether the file
 * is one of ours.
 *
 *   cells      , Phone , Phone   , Team , Team.1
 *   names      column_1, Phone, Phone_2, Team, Team.1
 *   paths      column_1, Phone, Phone_2, Team, Team\.1
 *
 * A name is a path when its steps are words. Where that would lie within another column's value its
 * dots are characters, so that every header of every file has a place.
 *
 * Ours are two: an export of records, known by its own columns, whose others are paths behind
 * "data."; and the rows that an import did not take, known by who asks (import_options.is_errors),
 * whose first two columns are ours. */
#include "base/limits.h"
#include "base/map.h"
#include "import/import-internal.h"
#include "record/record-shape.h"

/* ---- names --------------------------------------------------------------------------------- */

/* A number behind the name that no other has. */
static struct str name_numbered(struct arena *a, const struct map *taken, struct str name)
{
	for (int i = 2;; i++) {
		struct str tried = str_from(arena_printf(a, "%.*s_%d", (int)name.n, name.p, i));

		if (map_get(taken, tried) == NULL)
			return tried;
	}
}

/* First those that headers have as they are; the rest must not take one of them, and what is ours
 * of a file of error rows must not either. */
static void header_name_columns(struct arena *a, struct import_header *h, const struct str *cells)
{
	struct map *taken = map_new(a);

	for (size_t i = 0; i < h->n; i++) {
		if (cells[i].n == 0 || h->v[i].role == ROLE_NONE ||
		    map_get(taken, cells[i]) != NULL)
			continue;
		h->v[i].name = cells[i];
		map_put(taken, cells[i], &h->v[i]);
	}
	for (size_t i = 0; i < h->n; i++) {
		struct import_column *c = &h->v[i];

		if (c->name.p != NULL)
			continue;
		c->is_unnamed = cells[i].n == 0;
		c->name = c->is_unnamed ? str_from(arena_printf(a, "column_%zu", i + 1)) : cells[i];
		if (map_get(taken, c->name) != NULL)
			c->name = name_numbered(a, taken, c->name);
		map_put(taken, c->name, c);
	}
}

/* ---- paths --------------------------------------------------------------------------------- */

/* As a path when its steps are words and are wanted; else the name of one member. */
static const char *name_path(struct arena *a, struct str name, bool is_path)
{
	struct buf *b = buf_new(a, 2 * IMPORT_HEADER_BYTES);

	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '[' || c == ']' || c == '\\' || (c == '.' && !is_path))
			buf_chr(b, '\\');
		buf_chr(b, c);
	}
	return b->p;
}

static bool has_word_steps(struct arena *a, struct str name)
{
	struct str rest = name, step;
	bool is_path = name.n > 0 && name.p[name.n - 1] != '.';

	while (is_path && str_split(&rest, '.', &step))
		is_path = step.n > 0 && utf8_trim(step).n == step.n;
	return is_path && path_compile(a, str_from(name_path(a, name, true)), NULL) != NULL;
}

/* Is the place within one that another column has? */
static bool is_below_another(const struct map *places, const char *path)
{
	for (size_t i = 0; path[i] != '\0'; i++) {
		if (path[i] == '\\')
			i++;
		else if (path[i] == '.' && map_get(places, (struct str){path, i}) != NULL)
			return true;
	}
	return false;
}

static void header_place_columns(struct arena *a, struct import_header *h)
{
	struct map *places = map_new(a);

	for (size_t i = 0; i < h->n; i++) {
		struct import_column *c = &h->v[i];

		if (c->role != ROLE_DATA)
			continue;
		c->to = name_path(a, c->name, has_word_steps(a, c->name));
		map_put(places, str_from(c->to), c);
	}
	for (size_t i = 0; i < h->n; i++) {
		struct import_column *c = &h->v[i];

		if (c->to != NULL && is_below_another(places, c->to))
			c->to = name_path(a, c->name, false);
	}
}

/* ---- what is in a column, by its name -------------------------------------------------------- */

/* Letters and digits of the name without case and accents; words are kept apart by '_', and so are
 * the humps of camels. */
static const char *name_words(struct arena *a, struct str name)
{
	struct buf *b = buf_new(a, 3 * IMPORT_HEADER_BYTES);
	const char *folded;
	size_t n = 0;
	char *out;

	for (size_t i = 0; i < name.n; i++) {
		bool is_upper = name.p[i] >= 'A' && name.p[i] <= 'Z';

		if (is_upper && i > 0 && name.p[i - 1] >= 'a' && name.p[i - 1] <= 'z')
			buf_chr(b, '_');
		buf_chr(b, name.p[i]);
	}
	folded = utf8_fold(a, (struct str){b->p, b->len});
	out = arena_alloc(a, strlen(folded) + 1);
	for (const char *p = folded; *p != '\0'; p++) {
		bool is_letter = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
				 (unsigned char)*p >= 0x80;

		if (is_letter || (n > 0 && out[n - 1] != '_'))
			out[n++] = is_letter ? *p : '_';
	}
	while (n > 0 && out[n - 1] == '_')
		n--;
	out[n] = '\0';
	return out;
}

static bool words_have(const char *words, const char *const *parts, const char *const *whole)
{
	struct str rest = str_from(words), word;

	for (size_t i = 0; parts[i] != NULL; i++)
		if (strstr(words, parts[i]) != NULL)
			return true;
	while (str_split(&rest, '_', &word))
		for (size_t i = 0; whole[i] != NULL; i++)
			if (str_is(word, whole[i]))
				return true;
	return false;
}

void import_column_look(struct arena *a, struct import_column *c, struct str name)
{
	static const char *const parts[] = {
	    "phone", "telefon", "mobil", "movil", "celular", "handy", "whatsapp", NULL};
	static const char *const whole[] = {"tel", "cell", "fax", "gsm", "msisdn", NULL};
	static const char *const email_parts[] = {"email", "e_mail", NULL};
	static const char *const email_whole[] = {"mail", NULL};
	const char *words = name_words(a, name);

	c->has_id = c->has_id || strcmp(words, "id") == 0 || str_ends(str_from(words), "_id");
	c->has_phone = c->has_phone || words_have(words, parts, whole);
	c->has_email = c->has_email || words_have(words, email_parts, email_whole);
}

/* ---- ours ---------------------------------------------------------------------------------- */

static bool cells_have(const struct str *cells, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(cells[i], name))
			return true;
	return false;
}

/* By the id of its records, and by what else only an export has: people take columns out. */
static bool is_export(const struct str *cells, size_t n)
{
	bool has_data = false;

	for (size_t i = 0; i < n; i++)
		has_data = has_data || str_starts(cells[i], RECORD_CSV_DATA);
	return cells_have(cells, n, "externalId") &&
	       (has_data || (cells_have(cells, n, "id") && cells_have(cells, n, "providerType") &&
				cells_have(cells, n, "resourceType")));
}

static bool is_name_of_ours(struct str name)
{
	size_t i = 0;

	while (record_csv_names[i] != NULL && !str_is(name, record_csv_names[i]))
		i++;
	return record_csv_names[i] != NULL;
}

static enum import_role role_of_ours(struct str name)
{
	if (str_is(name, "externalId"))
		return ROLE_EXTERNAL_ID;
	if (str_is(name, "providerType"))
		return ROLE_PROVIDER;
	if (str_is(name, RECORD_CSV_OTHER))
		return ROLE_OTHER_DATA;
	return is_name_of_ours(name) ? ROLE_NONE : ROLE_DATA;
}

/* Those behind "data." are paths as they stand. */
static void header_place_export(struct arena *a, struct import_header *h, const struct str *exact)
{
	for (size_t i = 0; i < h->n; i++) {
		struct import_column *c = &h->v[i];

		if (c->role == ROLE_NONE)
			continue;
		c->role = role_of_ours(c->name);
		if (c->role == ROLE_DATA && str_starts(exact[i], RECORD_CSV_DATA)) {
			const char *path = exact[i].p + strlen(RECORD_CSV_DATA);
			const struct path *p = path_compile(a, str_from(path), NULL);

			c->name = exact[i];
			/* what many places have is shown there, and set nowhere */
			if (p != NULL && path_fans_out(p))
				c->role = ROLE_NONE;
			else
				c->to = path;
		} else if (c->role == ROLE_DATA) {
			c->to = name_path(a, c->name, has_word_steps(a, c->name));
		}
	}
}

/* ---- reading ------------------------------------------------------------------------------- */

static int header_check_row(const struct csv_row *row, struct err *err)
{
	size_t bytes = 0;

	if (row->problem != NULL)
		return err_field(err, ERR_INVALID, "csv", "has no header: %s", row->problem);
	if (row->n > CSV_COLUMNS)
		return err_field(err, ERR_INVALID, "csv", "has %zu columns; at most %d are read",
		    row->n, CSV_COLUMNS);
	for (size_t i = 0; i < row->n; i++)
		bytes += row->cells[i].n;
	if (bytes > IMPORT_HEADER_BYTES)
		return err_field(err, ERR_INVALID, "csv", "has a header of more than %u bytes",
		    IMPORT_HEADER_BYTES);
	return 0;
}

/* Of error rows the columns are those of the file that they come from. */
static void header_skip_ours(struct import_header *h, const struct import_options *o)
{
	size_t n = o->is_errors && h->n > 2 ? 2 : 0;

	for (size_t i = 0; i < n; i++)
		h->v[i].role = ROLE_NONE;
	h->guards += n > 0;
}

int import_header_read(struct arena *a, const struct csv_row *row, const struct import_options *o,
    struct import_header *out, struct err *err)
{
	struct import_header h = {.n = row->n};
	struct str *exact, *trimmed;

	if (header_check_row(row, err) == -1)
		return -1;
	h.v = arena_array(a, h.n, sizeof(*h.v));
	exact = arena_array(a, h.n, sizeof(*exact));
	trimmed = arena_array(a, h.n, sizeof(*trimmed));
	header_skip_ours(&h, o);
	for (size_t i = 0; i < h.n; i++) {
		exact[i] = str_copy(a, h.guards > 0 ? csv_unguarded(row->cells[i]) : row->cells[i]);
		trimmed[i] = str_copy(a, utf8_trim(exact[i]));
	}
	h.is_export = is_export(trimmed, h.n);
	header_name_columns(a, &h, trimmed);
	if (h.is_export) {
		h.guards += !o->is_raw;
		header_place_export(a, &h, exact);
	} else {
		header_place_columns(a, &h);
	}
	*out = h;
	return 0;
}
