/* What people would say of the columns of a file, where nobody has said it: which one tells the
 * rows apart, and which hold numbers, dates, or yes and no. The preview shows it, and it may be
 * changed.
 *
 * Where files of these columns came before, the last of them says it: by another key its records
 * would not be known again, and each row would make a new one.
 *
 * A key is called like one, has a value in every row that is looked at, and no value twice: so
 * importing the same file again changes records instead of making them anew. An id goes before an
 * email, which is corrected now and then. People without any go by their email where most rows have
 * one: the others are skipped, and the preview says so. A type is what all cells that are looked at
 * are; a later cell that is not costs its row. So what only looks like a number stays a text: what
 * identifies, phones, codes that begin with a zero. */
#include <ctype.h>
#include <string.h>

#include "base/limits.h"
#include "base/map.h"
#include "import/import-internal.h"

#define GUESS_ROWS 1000  /* looked at */
#define GUESS_TASKS 50   /* the last imports, looked at for one of the same columns */
#define RANK_EMAIL 2     /* of an email as a key: behind what is called an id */
#define GIVE_UP_CELLS 20 /* after which a type is not tried that few are of */
#define MOST_PERCENT 80  /* of the cells, for a type to be offered */
#define MISFITS_NOTED 2
#define MISFIT_BYTES 40
#define NUMBER_LONGEST 15 /* characters: longer ones are ids */

/* A name without blanks, marks and case: "Contact ID" is contactid. */
static bool name_plain(struct str name, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n && n + 1 < size; i++)
		if (isalnum((unsigned char)name.p[i]))
			out[n++] = (char)tolower((unsigned char)name.p[i]);
	out[n] = '\0';
	return n > 0;
}

/* "Lead ID", "lead_id", "leadId"; not "paid". */
static bool name_ends_with_id(struct str name)
{
	const char *end = name.n < 2 ? "" : name.p + name.n - 2;

	if (name.n < 2 || (strncmp(end, "id", 2) != 0 && strncmp(end, "ID", 2) != 0 &&
			      strncmp(end, "Id", 2) != 0))
		return false;
	return name.n == 2 || !isalnum((unsigned char)end[-1]) ||
	       (end[0] == 'I' && islower((unsigned char)end[-1]));
}

/* "Customer no.", "Kunden-Nr.", "Member number": the number that somebody or something has. Others
 * are no names: a phone's, a house's. */
static bool name_is_of_number(const char *plain)
{
	static const char *const whose[] = {"customer", "contact", "client", "member", "lead",
	    "person", "user", "order", "invoice", "deal", "kunden", "kontakt", "mitglieds",
	    "bestell", "auftrags", "rechnungs", NULL};
	static const char *const what[] = {"no", "nr", "num", "number", "nummer", NULL};

	for (size_t i = 0; whose[i] != NULL; i++)
		for (size_t k = 0; what[k] != NULL; k++)
			if (strncmp(plain, whose[i], strlen(whose[i])) == 0 &&
			    strcmp(plain + strlen(whose[i]), what[k]) == 0)
				return true;
	return false;
}

/* How well a column of that name tells rows apart, 0 best; -1: not at all. An id stays when an
 * email is corrected. */
static int name_rank(struct str name)
{
	char plain[64];

	if (!name_plain(name, plain, sizeof(plain)))
		return -1;
	if (name_ends_with_id(name))
		return 0;
	if (strcmp(plain, "sku") == 0 || strcmp(plain, "uuid") == 0 || name_is_of_number(plain))
		return 1;
	return strcmp(plain, "email") == 0 || strcmp(plain, "emailaddress") == 0 ? RANK_EMAIL : -1;
}

struct guess_column {
	size_t at;
	int rank; /* of it as a key; -1: out of question, or no longer in it */
	size_t blanks;
	struct map *seen;
	bool has_types;            /* it may be of one */
	size_t cells;              /* that say something */
	size_t fits[IMPORT_TYPES]; /* cells that can be read as that */
	bool shows[IMPORT_TYPES];  /* one of them can be read as nothing else */
	bool has_points;           /* a cell that may be read with a decimal comma has a point */
	const char *misfits[IMPORT_TYPES]; /* some that cannot, with their lines */
	size_t noted[IMPORT_TYPES];
};

static void guess_see_key(struct arena *a, struct guess_column *c, const struct csv_row *row)
{
	struct str cell = c->at < row->n ? utf8_trim(row->cells[c->at]) : (struct str){NULL, 0};

	if (cell.n > 0)
		cell = utf8_compose(a, cell, true); /* as keys are compared, or more widely */
	if (cell.n == 0)
		c->blanks++;
	else if (map_get(c->seen, cell) != NULL)
		c->rank = -1;
	else
		map_put(c->seen, cell, c);
}

/* The types that are looked for, the likeliest first. */
static const enum import_type guessed_types[] = {
    TYPE_NUMBER, TYPE_BOOLEAN, TYPE_DATE, TYPE_NUMBER_COMMA, TYPE_DATE_DAY_FIRST};
#define NGUESSED (sizeof(guessed_types) / sizeof(guessed_types[0]))

/* "007", "+49 …", and what has more digits than anybody counts. */
static bool cell_is_code(struct str s)
{
	return s.p[0] == '+' || s.n > NUMBER_LONGEST ||
	       (s.n > 1 && s.p[0] == '0' && isdigit((unsigned char)s.p[1]));
}

/* Names of what is written in digits and is no number. */
static bool name_is_of_codes(struct str name)
{
	static const char *const parts[] = {"zip", "postal", "postcode", "plz", "code", "number",
	    "account", "iban", "vat", "tax", NULL};
	char plain[64];

	(void)name_plain(name, plain, sizeof(plain));
	for (size_t i = 0; parts[i] != NULL; i++)
		if (strstr(plain, parts[i]) != NULL)
			return true;
	return strcmp(plain, "nr") == 0 || strcmp(plain, "no") == 0;
}

static void guess_note_misfit(struct arena *a, struct guess_column *c, enum import_type type,
    const struct csv_row *row, struct str cell)
{
	struct str s = utf8_cut(utf8_trim(cell), MISFIT_BYTES);

	if (c->noted[type]++ < MISFITS_NOTED)
		c->misfits[type] = arena_printf(a, "%s%sline %lld \"%.*s\"",
		    c->noted[type] > 1 ? c->misfits[type] : "", c->noted[type] > 1 ? ", " : "",
		    (long long)row->line, (int)s.n, s.p);
}

/* Can no longer be what most cells are: not tried again. */
static bool guess_is_given_up(const struct guess_column *c, enum import_type type)
{
	return c->cells > GIVE_UP_CELLS && c->fits[type] * 2 < c->cells;
}

static void guess_see_type(struct buf *scratch, struct arena *a, const struct import_map *map,
    struct guess_column *c, const struct csv_row *row)
{
	struct str cell = c->at < row->n ? import_cell(map, a, row, c->at) : STR("");

	if (import_cell_is_blank(map, cell))
		return;
	c->cells++;
	for (size_t i = 0; i < NGUESSED; i++) {
		enum import_type type = guessed_types[i];
		bool is_number = type == TYPE_NUMBER || type == TYPE_NUMBER_COMMA;

		if (guess_is_given_up(c, type))
			continue;
		buf_reset(scratch);
		if ((is_number && cell_is_code(utf8_trim(cell))) ||
		    !import_cell_write(scratch, a, type, cell)) {
			guess_note_misfit(a, c, type, row, cell);
			continue;
		}
		c->fits[type]++;
		c->shows[type] = c->shows[type] || import_cell_shows(type, cell);
		c->has_points = c->has_points ||
				(type == TYPE_NUMBER_COMMA && memchr(cell.p, '.', cell.n) != NULL);
	}
}

/* All that is asked of a column before its cells are seen. */
static struct guess_column guess_begin(
    struct arena *a, const struct import_map *map, size_t i, bool has_key, const json_t *mapping)
{
	const struct import_column *column = &map->header.v[i];
	struct guess_column c = {.at = i, .rank = -1, .seen = map_new(a)};

	if (column->role != ROLE_DATA)
		return c;
	if (!has_key)
		c.rank = name_rank(column->name);
	if (json_object_get(mapping, column->name.p) == NULL && !column->has_id &&
	    !column->has_phone && !column->has_email && !name_is_of_codes(column->name))
		c.has_types = true;
	return c;
}

/* The best of those that every row has; NULL: there is none. */
static struct guess_column *guess_whole_key(struct guess_column *v, size_t n)
{
	struct guess_column *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (v[i].rank >= 0 && v[i].blanks == 0 && (best == NULL || v[i].rank < best->rank))
			best = &v[i];
	return best;
}

/* The email that most people of the file have. */
static struct guess_column *guess_email(struct guess_column *v, size_t n, bool is_person)
{
	for (size_t i = 0; is_person && i < n; i++)
		if (v[i].rank == RANK_EMAIL && map_count(v[i].seen) > v[i].blanks)
			return &v[i];
	return NULL;
}

static void guess_choose_key(struct arena *a, const struct import_map *map, struct guess_column *v,
    size_t n, bool is_person, struct import_options *o)
{
	struct guess_column *best = guess_whole_key(v, n);
	struct str name;
	json_t *keys;

	if (best == NULL)
		best = guess_email(v, n, is_person);
	if (best == NULL)
		return;
	name = import_map_name(map, best->at);
	keys = json_own(a, json_array());
	json_array_append_new(keys, json_stringn(name.p, name.n));
	o->key_columns = keys;
	best->has_types = false;
}

/* Where cells are separated by semicolons, since commas stand in numbers, numbers and dates are
 * written as in Europe; elsewhere a cell must show it. */
static bool guess_is_sure(
    const struct guess_column *c, enum import_type type, const struct import_options *o)
{
	return o->format.delimiter == ';' || c->shows[type];
}

/* What all its cells are. */
static enum import_type guess_type(const struct guess_column *c, const struct import_options *o)
{
	for (size_t k = 0; k < NGUESSED && c->cells > 0 && c->has_types; k++)
		if (c->fits[guessed_types[k]] == c->cells && guess_is_sure(c, guessed_types[k], o))
			return guessed_types[k];
	return TYPE_TEXT;
}

static void guess_choose_types(struct arena *a, const struct import_map *map,
    const struct guess_column *v, size_t n, struct import_options *o)
{
	json_t *mapping = json_own(a, json_object());
	bool has_commas = false;

	if (json_is_object(o->mapping))
		json_object_update(mapping, JSON_ITER(o->mapping));
	for (size_t i = 0; i < n; i++)
		has_commas = has_commas || guess_type(&v[i], o) == TYPE_NUMBER_COMMA;
	for (size_t i = 0; i < n; i++) {
		enum import_type type = guess_type(&v[i], o);
		json_t *wish;

		/* the point of 1.200 is what it is in the other columns */
		if (type == TYPE_NUMBER && has_commas && v[i].has_points &&
		    v[i].fits[TYPE_NUMBER_COMMA] == v[i].cells)
			type = TYPE_NUMBER_COMMA;
		if (type == TYPE_TEXT)
			continue;
		wish = json_object();
		json_set_str(wish, "type", import_type_names[type]);
		json_set(mapping, import_map_name(map, v[i].at).p, wish);
	}
	o->mapping = mapping;
}

/* ---- what the last import of these columns was told ------------------------------------------ */

/* Whatever their order. */
static bool headers_are_of(const json_t *headers, const struct import_map *map)
{
	bool is_same = json_array_size(headers) == import_map_columns(map);

	for (size_t i = 0; is_same && i < import_map_columns(map); i++) {
		json_t *name;
		size_t k;

		is_same = false;
		json_array_each(headers, k, name)
			is_same =
			    is_same || str_is(import_map_name(map, i), json_string_value(name));
	}
	return is_same;
}

/* Are there still records that it has stored? Where all are deleted, none would be known again. */
static int precedent_has_records(
    struct db *db, struct arena *a, const struct task *before, bool *has, struct err *err)
{
	struct record_item of = {.account_id = before->account_id,
	    .provider_type = before->provider_type,
	    .resource_type = before->resource_type};
	int64_t from_us = before->started_us != 0 ? before->started_us : before->created_us;

	return record_has_of_time(db, a, &of, from_us, before->finished_us, has, err);
}

/* Has it stored rows as what t will? */
static bool is_precedent(const struct task *before, const struct task *t)
{
	return before->status == TASK_COMPLETED &&
	       before->counts.received > before->counts.failed &&
	       str_eq(before->resource_type, t->resource_type) &&
	       str_eq(before->provider_type, t->provider_type);
}

static int guess_remember(struct db *db, struct arena *a, const struct task *t,
    const struct import_map *map, struct import_options *o, struct err *err)
{
	struct tasks before;

	o->remembered = NULL;
	if (task_list_of_kind(db, a, &t->account_id, &import_task, GUESS_TASKS, &before, err) == -1)
		return -1;
	for (size_t i = 0; i < before.n && o->remembered == NULL; i++) {
		struct import_options was;
		bool has_records;

		if (!is_precedent(&before.v[i], t) ||
		    import_options_parse(a, before.v[i].args, &was, NULL) == -1 || was.is_errors ||
		    import_is_lines(&was.format) || !headers_are_of(was.headers, map))
			continue;
		if (precedent_has_records(db, a, &before.v[i], &has_records, err) == -1)
			return -1;
		if (!has_records)
			continue;
		o->mapping = was.mapping;
		o->key_columns = was.key_columns;
		o->remembered = uuid_dup(a, before.v[i].id);
	}
	return 0;
}

/* ---- looking at the rows ---------------------------------------------------------------- */

/* The first rows: how many there were, or -1. */
static int64_t guess_look(struct arena *a, const struct import_map *map, struct csv_reader *rd,
    struct guess_column *v, size_t n, struct err *err)
{
	struct buf *scratch = buf_new(a, LIMIT_RECORD_BYTES);
	struct csv_row row;
	int64_t rows = 0;
	int rc = 0;

	while (rows < GUESS_ROWS && (rc = csv_reader_next(rd, &row, err)) == 1) {
		rows++;
		for (size_t i = 0; row.problem == NULL && i < n; i++) {
			if (v[i].rank >= 0)
				guess_see_key(a, &v[i], &row);
			if (v[i].has_types)
				guess_see_type(scratch, a, map, &v[i], &row);
		}
	}
	return rc == -1 ? -1 : rows;
}

/* Most of its cells are of a type, and some are not. */
static struct import_hint hint_of(const struct guess_column *c, const struct import_options *o)
{
	static const enum import_type types[] = {
	    TYPE_NUMBER, TYPE_DATE, TYPE_NUMBER_COMMA, TYPE_DATE_DAY_FIRST};
	struct import_hint hint = {.type = TYPE_TEXT, .cells = c->cells};

	for (size_t k = 0; k < sizeof(types) / sizeof(types[0]) && c->has_types; k++) {
		size_t fits = c->fits[types[k]];

		if (fits < c->cells && fits * 100 >= c->cells * MOST_PERCENT &&
		    (hint.type == TYPE_TEXT || c->cells - fits < hint.misfits) &&
		    guess_is_sure(c, types[k], o))
			hint = (struct import_hint){
			    types[k], c->cells, c->cells - fits, c->misfits[types[k]]};
	}
	return hint;
}

int import_hints(struct arena *a, const struct csv_source *source, const struct import_options *o,
    size_t n, struct import_hint **out, struct err *err)
{
	struct import_hint *hints = arena_zalloc(a, (n + 1) * sizeof(*hints));
	struct guess_column *v = arena_array(a, n + 1, sizeof(*v));
	struct import_map *map;
	struct csv_reader *rd;
	struct csv_row row;

	*out = hints;
	if (import_open(a, source, o, &rd, &map, &row, err) == -1)
		return -1;
	if (n == 0 || import_map_is_export(map))
		return 0;
	for (size_t i = 0; i < n; i++)
		v[i] = guess_begin(a, map, i, true, NULL);
	if (guess_look(a, map, rd, v, n, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		hints[i] = hint_of(&v[i], o);
	return 0;
}

int import_guess(struct db *db, struct arena *a, const struct csv_source *source,
    const struct task *t, struct import_options *o, struct err *err)
{
	bool is_person = str_is(t->resource_type, "contact") || str_is(t->resource_type, "lead");
	struct guess_column *v;
	struct import_map *map;
	struct csv_reader *rd;
	struct csv_row row;
	bool has_key;
	int64_t rows;
	size_t n;

	if (import_open(a, source, o, &rd, &map, &row, err) == -1)
		return -1;
	n = import_map_columns(map);
	if (n == 0 || o->is_errors || import_map_is_export(map))
		return 0;
	if (guess_remember(db, a, t, map, o, err) == -1 || o->remembered != NULL)
		return o->remembered == NULL ? -1 : 0;
	has_key = import_map_has_id(map) || json_array_size(o->key_columns) > 0;
	v = arena_array(a, n, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = guess_begin(a, map, i, has_key, o->mapping);
	if ((rows = guess_look(a, map, rd, v, n, err)) == -1)
		return -1;
	if (rows > 0)
		guess_choose_key(a, map, v, n, is_person, o);
	guess_choose_types(a, map, v, n, o);
	return 0;
}
