#include "sandbox/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/map.h"
#include "sandbox/journal.h"

struct store_row {
	const char *id;
	json_t *value; /* NULL: it went */
};

/* Rows by a text in them. No row before the place of its text has it: that row has it, or one that
 * comes later, or none any more. */
struct store_index {
	struct store_by by;
	struct map *places; /* text → place + 1 */
	struct store_index *next;
};

struct store_table {
	struct map *by_id; /* → place + 1 */
	struct store_row *rows;
	size_t n, cap;
	struct store_index *indexes;
};

struct store {
	struct journal *journal;
	struct arena *a, *scratch; /* of the index; of one line */
	struct map *tables;        /* "provider\nkind" → struct store_table */
};

static struct str kind_text(struct arena *a, struct store_kind k)
{
	return str_from(arena_printf(a, "%s\n%s", k.provider, k.kind));
}

static struct store_table *table_find(const struct store *st, struct store_kind k)
{
	char key[256];
	const int n = snprintf(key, sizeof(key), "%s\n%s", k.provider, k.kind);

	return n < 0 || (size_t)n >= sizeof(key)
		   ? NULL
		   : map_get(st->tables, (struct str){key, (size_t)n});
}

/* ---- the index ---------------------------------------------------------------------------- */

static void table_release(void *object)
{
	struct store_table *t = object;

	for (size_t i = 0; i < t->n; i++)
		json_decref(t->rows[i].value);
	free(t->rows);
}

static struct store_table *table_make(struct store *st, struct store_kind k)
{
	struct store_table *t = table_find(st, k);

	if (t != NULL)
		return t;
	t = arena_zalloc(st->a, sizeof(*t));
	t->by_id = map_new(st->a);
	arena_on_free(st->a, table_release, t);
	map_put(st->tables, kind_text(st->a, k), t);
	return t;
}

static struct store_row *row_make(struct store *st, struct store_table *t, const char *id)
{
	void *place = map_get(t->by_id, str_from(id));

	if (place != NULL)
		return &t->rows[(size_t)(uintptr_t)place - 1];
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 16 : 2 * t->cap;
		t->rows = reallocarray(t->rows, t->cap, sizeof(*t->rows));
		if (t->rows == NULL)
			abort();
	}
	map_put(t->by_id, str_from(id), (void *)(uintptr_t)(t->n + 1));
	t->rows[t->n] = (struct store_row){.id = arena_strdup(st->a, id)};
	return &t->rows[t->n++];
}

static void store_forget(void *arg)
{
	struct store *st = arg;

	arena_reset(st->a);
	st->tables = map_new(st->a);
}

/* ---- rows by a text in them ---------------------------------------------------------------- */

static struct str text_as(struct arena *a, const struct store_by *by, struct str text)
{
	return by->is_folded && text.p != NULL ? utf8_lower(a, text) : text;
}

static struct str row_text(struct arena *a, const struct store_by *by, const struct store_row *row)
{
	const json_t *within =
	    by->within != NULL ? json_object_get(row->value, by->within) : row->value;

	return text_as(a, by, str_from(json_scalar_text(a, json_object_get(within, by->member))));
}

static void index_note(struct store_index *x, struct str text, size_t place)
{
	const size_t at = text.p != NULL ? (size_t)(uintptr_t)map_get(x->places, text) : 0;

	if (text.p != NULL && (at == 0 || place + 1 < at))
		map_put(x->places, text, (void *)(uintptr_t)(place + 1));
}

static bool index_is_by(const struct store_index *x, const struct store_by *by)
{
	const char *within = x->by.within != NULL ? x->by.within : "";

	return strcmp(within, by->within != NULL ? by->within : "") == 0 &&
	       strcmp(x->by.member, by->member) == 0 && x->by.is_folded == by->is_folded;
}

static struct store_index *index_find(
    struct store *st, struct store_table *t, const struct store_by *by)
{
	struct store_index *x = t->indexes;

	while (x != NULL && !index_is_by(x, by))
		x = x->next;
	if (x != NULL)
		return x;
	x = arena_zalloc(st->a, sizeof(*x));
	x->by = (struct store_by){by->within != NULL ? arena_strdup(st->a, by->within) : NULL,
	    arena_strdup(st->a, by->member), by->is_folded};
	x->places = map_new(st->a);
	x->next = t->indexes;
	t->indexes = x;
	for (size_t i = 0; i < t->n; i++)
		index_note(x, row_text(st->scratch, by, &t->rows[i]), i);
	return x;
}

json_t *store_find(
    struct store *st, struct store_kind k, const struct store_by *by, struct str text)
{
	struct store_table *t = table_find(st, k);
	const struct store_index *x;
	struct str own;

	if (t == NULL || text.p == NULL)
		return NULL;
	arena_reset(st->scratch);
	x = index_find(st, t, by);
	own = text_as(st->scratch, by, text);
	for (size_t at = (size_t)(uintptr_t)map_get(x->places, own); at > 0 && at <= t->n; at++)
		if (str_eq(row_text(st->scratch, by, &t->rows[at - 1]), own))
			return t->rows[at - 1].value;
	return NULL;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* {"p":provider,"k":kind,"i":id,"v":value}; without v the row goes. */
static void store_index_line(void *arg, off_t at, struct str text)
{
	struct store *st = arg;
	const json_t *line;
	struct store_table *t;
	struct store_row *row;
	struct store_kind k;

	(void)at;
	arena_reset(st->scratch);
	line = json_parse(st->scratch, text, NULL);
	k = (struct store_kind){json_str(line, "p"), json_str(line, "k")};
	if (k.provider == NULL || k.kind == NULL || json_str(line, "i") == NULL)
		return; /* torn by a crash */
	t = table_make(st, k);
	row = row_make(st, t, json_str(line, "i"));
	json_decref(row->value);
	row->value = json_incref(json_object_get(line, "v"));
	for (struct store_index *x = t->indexes; x != NULL; x = x->next)
		index_note(x, row_text(st->scratch, &x->by, row), (size_t)(row - t->rows));
}

static void store_release(void *object)
{
	struct store *st = object;

	arena_free(st->a);
	arena_free(st->scratch);
}

struct store *store_new(struct arena *a, const char *dir)
{
	struct store *st = arena_zalloc(a, sizeof(*st));

	st->a = arena_new();
	st->scratch = arena_new();
	arena_on_free(a, store_release, st);
	store_forget(st);
	st->journal = journal_new(a, arena_printf(a, "%s/store.ndjson", dir),
	    (struct journal_reader){store_index_line, store_forget, st, 0});
	return st;
}

/* ---- its users ---------------------------------------------------------------------------- */

int store_sync(struct store *st, struct err *err)
{
	return journal_sync(st->journal, err);
}

int store_lock(struct store *st, struct err *err)
{
	return journal_lock(st->journal, err);
}

void store_unlock(struct store *st)
{
	journal_unlock(st->journal);
}

int store_put(struct store *st, struct store_kind k, const char *id, json_t *value, struct err *err)
{
	json_t *line = json_object();
	struct buf text;
	int rc;

	json_set_str(line, "p", k.provider);
	json_set_str(line, "k", k.kind);
	json_set_str(line, "i", id);
	if (value != NULL)
		json_set(line, "v", value);
	buf_init(&text, LIMIT_JSON_BYTES);
	json_append(&text, line);
	json_decref(line);
	rc = buf_ok(&text) ? journal_append(st->journal, (struct str){text.p, text.len}, err)
			   : err_set(err, ERR_LIMIT, "a row of %s is longer than is kept", k.kind);
	buf_fini(&text);
	return rc;
}

json_t *store_get(const struct store *st, struct store_kind k, struct str id)
{
	const struct store_table *t = table_find(st, k);
	void *place = t != NULL && id.p != NULL ? map_get(t->by_id, id) : NULL;

	return place != NULL ? t->rows[(size_t)(uintptr_t)place - 1].value : NULL;
}

size_t store_places(const struct store *st, struct store_kind k)
{
	const struct store_table *t = table_find(st, k);

	return t != NULL ? t->n : 0;
}

json_t *store_at(const struct store *st, struct store_kind k, size_t place, const char **id)
{
	const struct store_table *t = table_find(st, k);

	if (t == NULL || place >= t->n)
		return NULL;
	if (id != NULL)
		*id = t->rows[place].id;
	return t->rows[place].value;
}

int store_clear(struct store *st, struct err *err)
{
	return journal_clear(st->journal, err);
}
