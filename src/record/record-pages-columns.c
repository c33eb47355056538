/* What of a payload is shown in a row: a title, and columns that were chosen or that suit most. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/path.h"
#include "connection/connection.h"
#include "record/record-pages.h"
#include "record/record-paths.h"

#define COLUMNS_DEFAULT 3
#define FIELDS_SHOWN 16 /* to be ticked, with an example */
#define EXAMPLE_BYTES 24
#define CELL_BYTES 120
#define CELL_SHOWN 28 /* what is longer is told whole where it is pointed at */
#define TITLE_DEPTH 3
#define COMMON 0.2 /* of the rows shown: what fewer have is no column by itself */

/* ---- cells --------------------------------------------------------------------------------- */

struct leaves {
	struct arena *a;
	const char *text;
};

static int leaf_add(void *arg, struct str path, json_t *value)
{
	struct leaves *l = arg;
	const char *text = json_scalar_text(l->a, value);

	(void)path;
	if (text != NULL && *text != '\0')
		l->text = *l->text == '\0' ? text : arena_printf(l->a, "%s, %s", l->text, text);
	return strlen(l->text) > CELL_BYTES;
}

/* Of an object or list what it holds, one behind the other: "Paris, France". */
static const char *leaves_text(struct arena *a, const json_t *value)
{
	struct leaves l = {a, ""};

	(void)record_paths_each(json_own(a, json_incref((json_t *)value)),
	    record_paths_buf(a, STR("")), true, leaf_add, &l);
	return l.text;
}

const char *record_cell_text(struct arena *a, const json_t *value)
{
	const char *text = value == NULL ? NULL : json_scalar_text(a, value);

	if (json_is_object(value) || json_is_array(value))
		text = leaves_text(a, value);
	if (text == NULL || text[0] == '\0')
		return NULL;
	if (strlen(text) <= CELL_BYTES)
		return text;
	return arena_printf(a, "%.*s…", (int)utf8_cut(str_from(text), CELL_BYTES).n, text);
}

/* A record's text in a column: of a path that fans out all values, one behind the other. */
/* Of a path that means any element of a list: all of them, joined. */
static const json_t *path_shown(struct arena *a, const json_t *data, const char *path)
{
	struct path *p = path_compile(a, str_from(path), NULL);
	json_t *value = p == NULL ? NULL : record_path_value(a, p, data);
	const char *joined = value != NULL && path_fans_out(p) ? json_joined_text(a, value) : NULL;

	return joined != NULL ? json_own(a, json_string(joined)) : value;
}

const char *record_path_last_step(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot == NULL || (dot > path && dot[-1] == '\\') ? path : dot + 1;
}

static bool is_between_words(char c)
{
	return c == '_' || c == '-' || c == ' ' || c == '.' || c == '\\';
}

/* fullName, full_name, "Full name" and Full-Name are one word. */
bool record_words_are_same(const char *a, const char *b)
{
	for (;;) {
		while (is_between_words(*a))
			a++;
		while (is_between_words(*b))
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

/* Place of word in a NULL-ended list; its length when it is not there. */
static size_t word_place(const char *const *words, const char *word)
{
	size_t i = 0;

	while (words[i] != NULL && !record_words_are_same(words[i], word))
		i++;
	return i;
}

/* ---- title --------------------------------------------------------------------------------- */

static const char *const whole_names[] = {
    "name", "fullName", "displayName", "title", "subject", "topic", "summary", "dealname", NULL};
static const char *const person_names[] = {"fullName", "name", "displayName", NULL};
static const char *const first_names[] = {"firstName", "givenName", NULL};
static const char *const last_names[] = {"lastName", "familyName", "surname", NULL};
static const char *const addresses[] = {"email", "emailAddress", "phone", "phoneNumber", NULL};
/* What a message goes by, which has no name: what it says, or who sent it. */
static const char *const messages[] = {
    "text", "body", "message", "description", "note", "from", "sku", NULL};

/* The value of the first of words that names a member of the object itself. */
static const char *object_member_named(struct arena *a, const json_t *o, const char *const *words)
{
	size_t best = SIZE_MAX;
	const char *found = NULL, *key;
	json_t *v;

	json_object_each(o, key, v) {
		size_t place = json_is_string(v) && json_string_length(v) > 0
				   ? word_place(words, key)
				   : SIZE_MAX;
		if (place < best && words[place] != NULL) {
			best = place;
			found = json_string_value(v);
		}
	}
	return found == NULL ? NULL : record_cell_text(a, json_own(a, json_string(found)));
}

/* By one of whole, or by a first and a last name. */
static const char *object_name(struct arena *a, const json_t *o, const char *const *whole)
{
	const char *title = object_member_named(a, o, whole), *last;

	if (title != NULL)
		return title;
	title = object_member_named(a, o, first_names);
	last = object_member_named(a, o, last_names);
	return title == NULL || last == NULL ? (title == NULL ? last : title)
					     : arena_printf(a, "%s %s", title, last);
}

/* Shallow before deep: a contact goes by its own email before its company's name. */
static const char *name_within_object(struct arena *a, const json_t *o, int depth)
{
	const char *title = object_name(a, o, whole_names), *key;
	json_t *v;

	if (title != NULL)
		return title;
	title = object_member_named(a, o, addresses);
	if (title != NULL || depth == TITLE_DEPTH)
		return title;
	json_object_each(o, key, v) {
		if (title == NULL && json_is_object(v))
			title = name_within_object(a, v, depth + 1);
	}
	return title;
}

static const char *text_within_object(struct arena *a, const json_t *o, int depth)
{
	const char *text = object_member_named(a, o, messages), *key;
	json_t *v;

	if (text != NULL || depth == TITLE_DEPTH)
		return text;
	json_object_each(o, key, v) {
		if (text == NULL && json_is_object(v))
			text = text_within_object(a, v, depth + 1);
	}
	return text;
}

const char *record_person(struct arena *a, const json_t *record)
{
	return object_name(a, json_object_get(record, "data"), person_names);
}

static const char *record_title(struct arena *a, const json_t *record)
{
	const json_t *data = json_object_get(record, "data");
	const char *title = name_within_object(a, data, 1);

	return title != NULL ? title : text_within_object(a, data, 1);
}

struct first_value {
	struct arena *a;
	const char *text;
};

static int first_value_see(void *arg, struct str path, json_t *value)
{
	struct first_value *first = arg;

	(void)path;
	first->text = record_cell_text(first->a, value);
	return first->text != NULL;
}

bool record_id_is_hash(struct str id)
{
	return (str_starts(id, "row-") || str_starts(id, "key-")) && id.n == 4 + 64;
}

const char *record_name(struct arena *a, const json_t *record)
{
	const char *title = record_title(a, record), *id = json_str(record, "externalId");
	struct first_value first = {a, NULL};

	if (title != NULL)
		return title;
	if (id != NULL && !record_id_is_hash(str_from(id)))
		return id;
	(void)record_paths_each(json_object_get(record, "data"), record_paths_buf(a, STR("")), true,
	    first_value_see, &first);
	return first.text != NULL ? first.text : "Without a name";
}

static bool is_title_word(const char *word)
{
	return whole_names[word_place(whole_names, word)] != NULL ||
	       first_names[word_place(first_names, word)] != NULL ||
	       last_names[word_place(last_names, word)] != NULL;
}

/* ---- fields -------------------------------------------------------------------------------- */

/* What people look for first; the better known, the earlier. */
static const char *const known_words[] = {"email", "phone", "phoneNumber", "company", "status",
    "dealstage", "stage", "amount", "totalPrice", "total", "currency", "text", "body", "from", "to",
    "type", "event", "priority", "city", "start", "createdAt", NULL};

struct column_field {
	const char *path, *example;
	double fill; /* share of the records that have it */
	size_t rank; /* in known_words */
	size_t order;
};
struct column_fields {
	struct arena *a;
	struct column_field v[RECORD_FIELDS_NAMED];
	size_t n;
};

static void fields_add(struct column_fields *f, const char *path, double fill, const char *example)
{
	if (f->n == RECORD_FIELDS_NAMED)
		return;
	f->v[f->n] = (struct column_field){.path = path,
	    .example = example,
	    .fill = fill,
	    .rank = word_place(known_words, record_path_last_step(path)),
	    .order = f->n};
	f->n++;
}

struct fields_seeing {
	struct column_fields *f;
	double share; /* that one row is */
};

static int fields_see_path(void *arg, struct str path, json_t *value)
{
	struct fields_seeing *s = arg;
	const char *example = record_cell_text(s->f->a, value);

	if (example == NULL)
		return 0;
	for (size_t i = 0; i < s->f->n; i++) {
		if (str_is(path, s->f->v[i].path)) {
			s->f->v[i].fill += s->share;
			return 0;
		}
	}
	fields_add(s->f, arena_strndup(s->f->a, path.p, path.n), s->share, example);
	return 0;
}

static int field_by_fill(const void *x, const void *y)
{
	const struct column_field *a = x, *b = y;

	if (a->fill < b->fill || b->fill < a->fill)
		return a->fill < b->fill ? 1 : -1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* What these rows have. */
static void fields_of_rows(struct column_fields *f, const json_t *rows)
{
	struct fields_seeing s = {f, 1.0 / (double)(json_array_size(rows) + 1)};

	for (size_t i = 0; i < json_array_size(rows); i++)
		(void)record_paths_each(json_object_get(json_array_get(rows, i), "data"),
		    record_paths_buf(f->a, STR("")), true, fields_see_path, &s);
	if (f->n > 1)
		qsort(f->v, f->n, sizeof(f->v[0]), field_by_fill);
}

/* What the picker offers: what the catalogue knows of the type; where it knows nothing yet, or of a
 * list of all types, what these rows have. */
static int fields_load(
    const struct record_browse *b, struct column_fields *f, const json_t *rows, struct err *err)
{
	json_t *known;

	if (b->f.resource_type.p != NULL) {
		if (record_fields(b->r->app, b->r->a, &b->f.account_id, b->f.resource_type, &known,
			err) == -1)
			return -1;
		for (size_t i = 0; i < json_array_size(known); i++) {
			const json_t *o = json_array_get(known, i);
			const char *example =
			    json_string_value(json_array_get(json_object_get(o, "examples"), 0));

			if (example != NULL)
				fields_add(f, json_str(o, "path"),
				    json_number_value(json_object_get(o, "fillRate")), example);
		}
	}
	if (f->n == 0)
		fields_of_rows(f, rows);
	return 0;
}

/* ---- choice -------------------------------------------------------------------------------- */

/* An id says little to people: id, leadId, lead_id, "Lead ID"; not "paid". */
static bool is_id_word(const char *word)
{
	size_t n = strlen(word);
	const char *end = n < 2 ? "" : word + n - 2;

	return strcasecmp(end, "id") == 0 &&
	       (n == 2 || is_between_words(end[-1]) ||
		   (end[0] == 'I' && islower((unsigned char)end[-1])));
}

/* Known before unknown, frequent before rare. */
static int field_by_use(const void *x, const void *y)
{
	const struct column_field *a = *(struct column_field *const *)x,
				  *b = *(struct column_field *const *)y;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return field_by_fill(a, b);
}

/* ---- values -------------------------------------------------------------------------------- */

/* A column by itself is a word: "Email" is email of one provider and properties.email of another,
 * so its value is the first that any path of that word has. A column that somebody chose is one
 * path.
 */
struct column_list {
	struct arena *a;
	json_t *paths;                   /* texts */
	const struct column_fields *any; /* where a word's other paths are; NULL: one path each */
};

static const json_t *column_value(const struct column_list *l, const char *path, const json_t *row)
{
	const json_t *data = json_object_get(row, "data"), *value = path_shown(l->a, data, path);

	for (size_t i = 0; l->any != NULL && i < l->any->n; i++) {
		const char *other = l->any->v[i].path;

		if (record_cell_text(l->a, value) != NULL)
			break;
		if (record_words_are_same(
			record_path_last_step(other), record_path_last_step(path)))
			value = path_shown(l->a, data, other);
	}
	return value;
}

/* A column that only repeats the titles is none; one without any value is, unless it is wanted. */
static bool column_is_needless(
    const struct column_list *l, const char *path, const json_t *rows, bool is_wanted)
{
	bool is_repeated = false;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *text = record_cell_text(l->a, column_value(l, path, row));

		if (text != NULL && strcmp(text, json_str(row, "title")) != 0)
			return false;
		is_repeated = is_repeated || text != NULL;
	}
	return is_repeated || (!is_wanted && json_array_size(rows) > 0);
}

/* The share of the rows that have a value of that word. */
static double column_fill(const struct column_list *l, const char *path, const json_t *rows)
{
	size_t n = json_array_size(rows), filled = 0;

	for (size_t i = 0; i < n; i++)
		filled +=
		    record_cell_text(l->a, column_value(l, path, json_array_get(rows, i))) != NULL;
	return n == 0 ? 0 : (double)filled / (double)n;
}

static bool columns_have_word(const json_t *columns, const char *word)
{
	for (size_t i = 0; i < json_array_size(columns); i++)
		if (record_words_are_same(
			record_path_last_step(json_string_value(json_array_get(columns, i))), word))
			return true;
	return false;
}

/* What most of the rows have, the better known first; f: their fields. */
static void columns_choose(struct column_list *l, struct column_fields *f, const json_t *rows)
{
	struct column_field **v = arena_array(f->a, f->n + 1, sizeof(struct column_field *));
	size_t n = 0;

	l->any = f;
	l->paths = json_own(f->a, json_array());
	for (size_t i = 0; i < f->n; i++)
		if (!is_title_word(record_path_last_step(f->v[i].path)) &&
		    !is_id_word(record_path_last_step(f->v[i].path)))
			v[n++] = &f->v[i];
	if (n > 1)
		qsort(v, n, sizeof(*v), field_by_use);
	for (size_t i = 0; i < n && json_array_size(l->paths) < COLUMNS_DEFAULT; i++)
		if (!columns_have_word(l->paths, record_path_last_step(v[i]->path)) &&
		    column_fill(l, v[i]->path, rows) >= COMMON &&
		    !column_is_needless(l, v[i]->path, rows, false))
			json_array_append_new(l->paths, json_string(v[i]->path));
}

/* The view's own columns, but what the titles say already; of a page's own view, which nobody
 * wished for, also not those without any value. */
static void columns_of_view(
    struct column_list *l, const json_t *wanted, const json_t *rows, bool is_wished)
{
	l->paths = json_own(l->a, json_array());
	for (size_t i = 0; i < json_array_size(wanted); i++) {
		const char *path = json_string_value(json_array_get(wanted, i));

		if (path != NULL && !column_is_needless(l, path, rows, is_wished))
			json_array_append(l->paths, json_array_get(wanted, i));
	}
}

/* ---- show ---------------------------------------------------------------------------------- */

static const char *column_label(struct arena *a, const json_t *columns, size_t i)
{
	const char *path = json_string_value(json_array_get(columns, i)),
		   *word = record_path_last_step(path);

	for (size_t k = 0; k < json_array_size(columns); k++)
		if (k != i &&
		    strcmp(record_path_last_step(json_string_value(json_array_get(columns, k))),
			word) == 0)
			word = path;
	return arena_strdup(a, word);
}

static bool value_is_time(const json_t *value)
{
	int64_t at_us;

	return json_is_string(value) &&
	       clock_parse_iso(
		   (struct str){json_string_value(value), json_string_length(value)}, &at_us);
}

/* How wide a column is, and on which side its values stand: by its word, or since all are numbers,
 * or times. */
static const char *column_class(const struct column_list *l, const char *path, const json_t *rows)
{
	static const char *const emails[] = {"email", "emailAddress", NULL};
	static const char *const phones[] = {"phone", "phoneNumber", "mobile", NULL};
	static const char *const amounts[] = {
	    "amount", "total", "totalPrice", "subtotal", "price", "balance", "revenue", NULL};
	const char *word = record_path_last_step(path);
	size_t numbers = 0, times = 0;

	if (emails[word_place(emails, word)] != NULL)
		return "email";
	if (phones[word_place(phones, word)] != NULL)
		return "phone";
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *value = column_value(l, path, json_array_get(rows, i));

		if (value == NULL || json_is_null(value))
			continue;
		bool is_number =
		    json_is_number(value) ||
		    (amounts[word_place(amounts, word)] != NULL && json_is_string(value) &&
			number_is(
			    (struct str){json_string_value(value), json_string_length(value)}));

		if (!is_number && !value_is_time(value))
			return "text";
		numbers += is_number;
		times += !is_number;
	}
	return numbers > 0 && times > 0 ? "text"
	       : numbers > 0            ? "number"
	       : times > 0              ? "date"
					: "text";
}

/* What the columns say, and the first of it that is not the title: on narrow screens the second
 * line. */
static void row_show_cells(const struct column_list *l, json_t *row, const json_t *shown)
{
	json_t *cells = json_array();
	const char *second = NULL;

	for (size_t i = 0; i < json_array_size(l->paths); i++) {
		json_t *cell = json_object();
		const char *text = record_cell_text(
		    l->a, column_value(l, json_string_value(json_array_get(l->paths, i)), row));

		json_set(
		    cell, "class", json_incref(json_object_get(json_array_get(shown, i), "class")));
		json_set_str(cell, "value", text);
		json_set_bool(cell, "is_time",
		    str_starts(str_from(json_str(json_array_get(shown, i), "class")), "date"));
		json_set_str(
		    cell, "whole", text != NULL && strlen(text) > CELL_SHOWN ? text : NULL);
		json_array_append_new(cells, cell);
		if (second == NULL && text != NULL &&
		    !json_is_true(json_object_get(cell, "is_time")) &&
		    strcmp(text, json_str(row, "title")) != 0)
			second = text;
	}
	json_set(row, "cells", cells);
	json_set_str(row, "subtitle", second);
}

static bool columns_have(const json_t *columns, const char *path)
{
	for (size_t i = 0; i < json_array_size(columns); i++)
		if (strcmp(json_string_value(json_array_get(columns, i)), path) == 0)
			return true;
	return false;
}

static void picker_show_field(json_t *list, const struct column_field *f, bool is_chosen)
{
	struct str example = utf8_cut(str_from(f->example), EXAMPLE_BYTES);
	json_t *o = json_object();

	json_set_str(o, "path", f->path);
	json_set_strn(o, "example", example);
	json_set_bool(o, "is_cut", example.n < str_from(f->example).n);
	json_set_bool(o, "is_chosen", is_chosen);
	json_array_append_new(list, o);
}

/* The picker: chosen ones in their order, then the rest as they are filled, so many that the page
 * stays light; all of them are known by name. */
static void picker_show_fields(json_t *data, const json_t *columns, const struct column_fields *f)
{
	json_t *list = json_array(), *names = json_array();
	bool has_more = false;

	for (size_t i = 0; i < json_array_size(columns); i++) {
		struct column_field chosen = {
		    .path = json_string_value(json_array_get(columns, i)), .fill = -1};
		for (size_t k = 0; k < f->n; k++)
			if (strcmp(f->v[k].path, chosen.path) == 0)
				chosen = f->v[k];
		picker_show_field(list, &chosen, true);
	}
	for (size_t i = 0; i < f->n; i++) {
		json_array_append_new(names, json_string(f->v[i].path));
		if (columns_have(columns, f->v[i].path))
			continue;
		has_more = json_array_size(list) >= FIELDS_SHOWN;
		if (!has_more)
			picker_show_field(list, &f->v[i], false);
	}
	json_set(data, "fields", list);
	json_set(data, "field_names", names);
	json_set_bool(data, "has_more_fields", has_more);
}

const char *record_source_label(const json_t *record, const char *source)
{
	bool is_lead_by_hand = json_str(record, "leadId") != NULL &&
			       str_is(str_from(json_str(record, "providerType")), PROVIDER_MANUAL);

	return is_lead_by_hand && str_is(str_from(source), RECORD_SOURCE_IMPORT)
		   ? LEAD_BY_HAND
		   : word_label(record_sources, source);
}

int record_columns_show(const struct record_browse *b, json_t *data, json_t *rows, struct err *err)
{
	struct column_fields *known = arena_zalloc(b->r->a, sizeof(*known)),
			     *seen = arena_zalloc(b->r->a, sizeof(*seen));
	struct column_list l = {.a = b->r->a, .paths = b->columns};
	bool is_usual = b->columns == NULL && b->is_type_fixed && b->view.n == 0;
	json_t *shown = json_array(), *row;
	bool has_address = false;
	size_t i;

	json_set(data, "columns", shown);
	known->a = seen->a = l.a;
	if (fields_load(b, known, rows, err) == -1)
		return -1;
	json_array_each(rows, i, row) {
		json_set_str(row, "sourceLabel", record_source_label(row, json_str(row, "source")));
		json_set_str(row, "title", record_name(l.a, row));
	}
	if (l.paths == NULL && b->view_columns != NULL) {
		columns_of_view(&l, b->view_columns, rows, !is_usual);
	} else if (l.paths == NULL) {
		fields_of_rows(seen, rows);
		columns_choose(&l, seen, rows);
	}
	for (i = 0; i < json_array_size(l.paths); i++) {
		const char *path = json_string_value(json_array_get(l.paths, i)),
			   *class = column_class(&l, path, rows);
		/* of a mixed list the type stands beside them, in others perhaps an address */
		bool is_slim = b->f.resource_type.n > 0 && !has_address &&
			       (strcmp(class, "number") == 0 || strcmp(class, "date") == 0);
		json_t *o = json_object();

		has_address = has_address || strcmp(class, "email") == 0;
		json_set_str(o, "path", path);
		json_set_str(o, "label", column_label(l.a, l.paths, i));
		json_set_str(o, "class",
		    arena_printf(l.a, "%s%s", class,
			(l.any == NULL && !is_usual) || i == 0 || (i == 1 && is_slim) ? ""
			: (i == 1 && !is_usual) || is_slim                            ? " c-less"
							   : " c-extra"));
		json_array_append_new(shown, o);
	}
	json_array_each(rows, i, row)
		row_show_cells(&l, row, shown);
	picker_show_fields(data, l.paths, known);
	return 0;
}
