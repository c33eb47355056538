/* Which column tells the rows of a file apart, where nobody has said so: one that is called like
 * it, has a value in every row that is looked at, and no value twice. The preview ticks it, so that
 * importing the same file again changes records instead of making them anew; people may untick it.
 */
#include <ctype.h>
#include <string.h>

#include "base/map.h"
#include "import/import-internal.h"

#define GUESS_ROWS 1000 /* looked at */

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

/* How well a column of that name tells rows apart, 0 best; -1: not at all. People are known by
 * their email, other things by an id. */
static int name_rank(struct str name, bool is_person)
{
	static const char *const codes[] = {"sku", "uuid", "ordernumber", "invoicenumber", NULL};
	char plain[64];

	if (!name_plain(name, plain, sizeof(plain)))
		return -1;
	if (name_ends_with_id(name))
		return is_person ? 1 : 0;
	if (strcmp(plain, "email") == 0 || strcmp(plain, "emailaddress") == 0)
		return is_person ? 0 : 3;
	for (size_t i = 0; codes[i] != NULL; i++)
		if (strcmp(plain, codes[i]) == 0)
			return 2;
	return -1;
}

struct guess_column {
	size_t at;
	int rank; /* -1: out of question, or no longer in it */
	struct map *seen;
};

static void guess_see(struct arena *a, struct guess_column *c, const struct csv_row *row)
{
	struct str cell = c->at < row->n ? utf8_trim(row->cells[c->at]) : (struct str){NULL, 0};

	if (cell.n > 0)
		cell = utf8_compose(a, cell, true); /* as keys are compared, or more widely */
	if (cell.n == 0 || map_get(c->seen, cell) != NULL)
		c->rank = -1;
	else
		map_put(c->seen, cell, c);
}

int import_guess_key(struct arena *a, const struct csv_source *source, struct str resource_type,
    struct import_options *o, struct err *err)
{
	bool is_person = str_is(resource_type, "contact") || str_is(resource_type, "lead");
	struct guess_column *v, *best = NULL;
	struct import_map *map;
	struct csv_reader *rd;
	struct csv_row row;
	struct str name;
	json_t *keys;
	size_t n, rows = 0;
	int rc = 0;

	if (import_open(a, source, o, &rd, &map, &row, err) == -1)
		return -1;
	n = import_map_columns(map);
	if (n == 0 || import_map_has_id(map) || json_array_size(o->key_columns) > 0)
		return 0;
	v = arena_array(a, n, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = (struct guess_column){i,
		    import_map_is_ours(map, i) ? -1 : name_rank(import_map_name(map, i), is_person),
		    map_new(a)};
	while (rows < GUESS_ROWS && (rc = csv_reader_next(rd, &row, err)) == 1) {
		rows++;
		for (size_t i = 0; row.problem == NULL && i < n; i++)
			if (v[i].rank >= 0)
				guess_see(a, &v[i], &row);
	}
	if (rc == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (v[i].rank >= 0 && (best == NULL || v[i].rank < best->rank))
			best = &v[i];
	if (best == NULL || rows == 0)
		return 0;
	name = import_map_name(map, best->at);
	keys = json_own(a, json_array());
	json_array_append_new(keys, json_stringn(name.p, name.n));
	o->key_columns = keys;
	return 0;
}
