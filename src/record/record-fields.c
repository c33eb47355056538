/* The catalogue of fields: which paths the payloads of a resource type have, of which types, how
 * often, with a few examples. It follows the history at a distance, so intake does nothing for it.
 *
 * A creation counts the paths of the payload it brought, later changes those they add and take
 * away; so a path's number is that of the records which have a value there. (null and "" are none.)
 * When there is more to read than a run has time for, the rest of the run looks at one change in 16
 * and counts it 16-fold: what is shown are shares, which that leaves as they are. Deleted records
 * stay in the numbers, but not in the examples. */
#include "record/record-fields.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "crypto/hash.h"
#include "record/record-paths.h"
#include "record/record-undo.h"
#include "record/record.h"

/* Ids are made some time before their row is committed: what is younger than this may still have
 * older neighbours on their way. One that takes longer is missed, and a count is off by one. */
#define LAG_US (5 * SECOND_US)
#define RUN_WHOLE_US 100000  /* of a run: looks at everything for so long */
#define RUN_BUDGET_US 200000 /* then at a sample until here: the runner waits meanwhile */
#define SAMPLE_STRIDE 16     /* a power of two below 256 */
#define PAGE_WHOLE 300
#define PAGE_SAMPLE 5000
#define KIND_PATHS 2000    /* of one resource type; payloads with keys at random have no more */
#define PAYLOAD_PATHS 1000 /* looked at in one payload */
#define EXAMPLES 3
#define EXAMPLE_CHARS 60

DB_STMT(fields_progress_first,
    "INSERT INTO record_field_progress (name, last_change_id) VALUES ('catalogue', ?)"
    " ON DUPLICATE KEY UPDATE last_change_id = last_change_id");
DB_STMT(fields_progress_lock,
    "SELECT last_change_id FROM record_field_progress WHERE name = 'catalogue' FOR UPDATE");
DB_STMT(fields_progress_save,
    "UPDATE record_field_progress SET last_change_id = ? WHERE name = 'catalogue'");
DB_STMT(fields_page_end,
    "SELECT id FROM record_changes WHERE id > ? AND id < ? ORDER BY id LIMIT 1 OFFSET ?");
/* What is too long to be read by the hundred is NULL here and read by itself. */
DB_STMT(fields_page,
    "SELECT c.id, c.account_id, c.record_id, r.resource_type, c.changes = '[]',"
    " EXISTS (SELECT 1 FROM record_changes n WHERE n.account_id = c.account_id"
    " AND n.record_id = c.record_id AND n.id > c.id),"
    " CASE WHEN c.changes <> '[]' THEN IF(LENGTH(c.changes) <= 16384, c.changes, NULL)"
    " ELSE IF(LENGTH(r.data) <= 16384, r.data, NULL) END"
    " FROM record_changes c STRAIGHT_JOIN records r"
    " ON r.id = c.record_id AND r.account_id = c.account_id"
    " WHERE c.id > ? AND c.id <= ? AND (ORD(RIGHT(c.id, 1)) & ?) = 0 ORDER BY c.id");
enum {
	PAGE_CHANGE_ID,
	PAGE_ACCOUNT_ID,
	PAGE_RECORD_ID,
	PAGE_RESOURCE_TYPE,
	PAGE_IS_CREATION,
	PAGE_HAS_NEWER,
	PAGE_TEXT
};
DB_STMT(fields_one_change, "SELECT changes FROM record_changes WHERE account_id = ? AND id = ?");
DB_STMT(
    fields_one_payload, "SELECT data, resource_type FROM records WHERE account_id = ? AND id = ?");
enum { PAYLOAD_DATA, PAYLOAD_RESOURCE_TYPE };
DB_STMT(fields_newer_changes,
    "SELECT changes FROM record_changes WHERE account_id = ? AND record_id = ? AND id > ?"
    " AND LENGTH(changes) <= 65536 ORDER BY id DESC LIMIT 100");
DB_STMT(fields_of_kind, "SELECT path, types, seen, examples FROM record_fields"
			" WHERE account_id = ? AND resource_type = ?");
enum { FIELD_PATH, FIELD_TYPES, FIELD_SEEN, FIELD_EXAMPLES };
DB_STMT_ROWS(fields_put,
    "INSERT INTO record_fields (account_id, resource_type, path_hash, path, types, seen, examples,"
    " updated_at) VALUES ",
    "(?,?,?,?,?,?,?,?)",
    " ON DUPLICATE KEY UPDATE types = VALUES(types), seen = VALUES(seen),"
    " examples = VALUES(examples), updated_at = VALUES(updated_at)");
DB_STMT(fields_total_add,
    "INSERT INTO record_field_totals (account_id, resource_type, seen) VALUES (?,?,?)"
    " ON DUPLICATE KEY UPDATE seen = seen + VALUES(seen)");

DB_STMT(fields_list,
    "SELECT f.resource_type, f.path, f.types, f.seen, f.examples, t.seen FROM record_fields f"
    " LEFT JOIN record_field_totals t"
    " ON t.account_id = f.account_id AND t.resource_type = f.resource_type"
    " WHERE f.account_id = ? AND (? IS NULL OR f.resource_type = ?)"
    " ORDER BY f.resource_type, f.seen DESC, f.path LIMIT 5000");
enum { LIST_RESOURCE_TYPE, LIST_PATH, LIST_TYPES, LIST_SEEN, LIST_EXAMPLES, LIST_TOTAL };

DB_STMT(fields_with_examples, "SELECT path_hash, examples FROM record_fields WHERE account_id = ?"
			      " AND resource_type = ? AND examples <> '[]'");
enum { EXAMPLED_HASH, EXAMPLED_EXAMPLES };
DB_STMT(fields_set_examples, "UPDATE record_fields SET examples = ? WHERE account_id = ?"
			     " AND resource_type = ? AND path_hash = ?");
DB_STMT(fields_past_changes,
    "SELECT changes FROM record_changes WHERE account_id = ? AND record_id = ?"
    " AND changes <> '[]' AND id < ? ORDER BY id DESC LIMIT 20");

enum type_bit { TYPE_STRING = 1, TYPE_NUMBER = 2, TYPE_BOOLEAN = 4, TYPE_NULL = 8 };
static const char *const type_names[] = {"string", "number", "boolean", "null"};
#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

/* ---- one payload --------------------------------------------------------------------------- */

/* What a payload has at one path. */
struct path_found {
	unsigned types;
	bool is_filled;
	const char *example; /* text of a value, or NULL */
};
struct payload_paths {
	struct arena *a;
	struct map *found; /* path → struct path_found */
	size_t visited;
};

static unsigned json_type_bit(const json_t *v)
{
	if (json_is_string(v))
		return TYPE_STRING;
	if (json_is_number(v))
		return TYPE_NUMBER;
	return json_is_boolean(v) ? TYPE_BOOLEAN : TYPE_NULL;
}

/* A value as it is shown among the examples: cut to a bound, on a character. */
static const char *example_text(struct arena *a, const json_t *v)
{
	const char *text = json_scalar_text(a, v);
	size_t n = 0, chars = 0;

	if (text == NULL || *text == '\0')
		return NULL;
	for (; text[n] != '\0'; n++) {
		if (((unsigned char)text[n] & 0xc0) == 0x80)
			continue;
		if (++chars > EXAMPLE_CHARS)
			return arena_strndup(a, text, n);
	}
	return text;
}

/* Every path of the catalogue can be a filter and a column: one with more steps is none. */
static size_t steps_in(struct str path)
{
	size_t n = 1;

	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '\\')
			i++;
		else
			n += path.p[i] == '.' || (path.p[i] == '[' && i > 0);
	}
	return n;
}

static int paths_note(void *arg, struct str path, json_t *value)
{
	struct payload_paths *p = arg;
	struct path_found *f = map_get(p->found, path);

	if (f == NULL && steps_in(path) > LIMIT_PATH_STEPS)
		return ++p->visited >= PAYLOAD_PATHS;
	if (f == NULL) {
		f = arena_zalloc(p->a, sizeof(*f));
		map_put(p->found, path, f);
	}
	f->types |= json_type_bit(value);
	if (!json_is_null(value) && !(json_is_string(value) && json_string_length(value) == 0))
		f->is_filled = true;
	if (f->example == NULL)
		f->example = example_text(p->a, value);
	return ++p->visited >= PAYLOAD_PATHS;
}

/* The paths of a value that stands at a path; value may be NULL: none. */
static struct map *paths_of_value(struct arena *a, struct str at, json_t *value)
{
	struct payload_paths p = {a, map_new(a), 0};

	if (value != NULL)
		record_paths_each(value, record_paths_buf(a, at), true, paths_note, &p);
	return p.found;
}

/* ---- the catalogue of one kind ------------------------------------------------------------- */

struct catalogue_field {
	unsigned types;
	int64_t seen;
	const char *examples[EXAMPLES];
	size_t nexamples;
	bool is_changed;
};
struct catalogue_kind {
	struct uuid account_id;
	struct str resource_type;
	struct map *fields; /* path → struct catalogue_field */
	int64_t records;    /* created, in this page */
};
struct catalogue_page {
	struct db *db;
	struct arena *a;
	struct map *kinds; /* account and type → struct catalogue_kind */
	int64_t weight;    /* what each change counts */
};

static unsigned types_parse(struct str list)
{
	struct str name;
	unsigned types = 0;

	while (str_split(&list, ',', &name))
		for (size_t i = 0; i < TYPES; i++)
			if (str_is(name, type_names[i]))
				types |= 1u << i;
	return types;
}

static struct str types_text(struct arena *a, unsigned types)
{
	struct buf *b = buf_new(a, 100);

	for (size_t i = 0; i < TYPES; i++)
		if (types & 1u << i)
			buf_printf(b, "%s%s", b->len > 0 ? "," : "", type_names[i]);
	return (struct str){b->p, b->len};
}

static void field_add_example(struct catalogue_field *f, const char *text)
{
	if (text == NULL || f->nexamples == EXAMPLES)
		return;
	for (size_t i = 0; i < f->nexamples; i++)
		if (strcmp(f->examples[i], text) == 0)
			return;
	f->examples[f->nexamples++] = text;
	f->is_changed = true;
}

static int kind_load(struct catalogue_page *pg, struct catalogue_kind *k, struct err *err)
{
	struct db_rows rows;

	k->fields = map_new(pg->a);
	if (db_query(pg->db, pg->a, &fields_of_kind,
		DB_VALS(db_uuid(&k->account_id), db_strn(k->resource_type)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct catalogue_field *f = arena_zalloc(pg->a, sizeof(*f));
		json_t *examples =
		    json_parse_stored(pg->a, db_get_str(&rows, i, FIELD_EXAMPLES), err);

		if (examples == NULL)
			return err_prefix(err, "stored examples");
		f->types = types_parse(db_get_str(&rows, i, FIELD_TYPES));
		f->seen = db_get_int(&rows, i, FIELD_SEEN);
		for (size_t e = 0; e < json_array_size(examples); e++)
			field_add_example(f, json_string_value(json_array_get(examples, e)));
		f->is_changed = false;
		map_put(k->fields, db_get_str(&rows, i, FIELD_PATH), f);
	}
	return 0;
}

/* NULL: failed. */
static struct catalogue_kind *kind_find(
    struct catalogue_page *pg, struct uuid account_id, struct str resource_type, struct err *err)
{
	struct buf *key = buf_new(pg->a, 16 + LIMIT_TYPE_BYTES);
	struct catalogue_kind *k;

	buf_add(key, account_id.b, sizeof(account_id.b));
	buf_add(key, resource_type.p, resource_type.n);
	if ((k = map_get(pg->kinds, (struct str){key->p, key->len})) != NULL)
		return k;
	k = arena_zalloc(pg->a, sizeof(*k));
	k->account_id = account_id;
	k->resource_type = resource_type;
	map_put(pg->kinds, (struct str){key->p, key->len}, k);
	return kind_load(pg, k, err) == -1 ? NULL : k;
}

static void kind_count_path(struct catalogue_kind *k, struct arena *a, struct str path,
    const struct path_found *found, int64_t delta)
{
	struct catalogue_field *f = map_get(k->fields, path);

	if (f == NULL) {
		if (map_count(k->fields) >= KIND_PATHS)
			return;
		f = arena_zalloc(a, sizeof(*f));
		f->is_changed = true;
		map_put(k->fields, path, f);
	}
	if (found != NULL) {
		f->is_changed = f->is_changed || (found->types & ~f->types) != 0;
		f->types |= found->types;
		field_add_example(f, found->example);
	}
	f->is_changed = f->is_changed || delta != 0;
	f->seen += delta;
}

/* What stood at a place made way for something else. */
static void kind_count_change(
    struct catalogue_page *pg, struct catalogue_kind *k, struct str at, json_t *old, json_t *new)
{
	struct map *before = paths_of_value(pg->a, at, old),
		   *after = paths_of_value(pg->a, at, new);

	for (size_t i = 0; i < map_count(after); i++) {
		const struct path_found *f = map_value(after, i);
		const struct path_found *was = map_get(before, map_key(after, i));
		bool was_filled = was != NULL && was->is_filled;

		kind_count_path(
		    k, pg->a, map_key(after, i), f, (f->is_filled - was_filled) * pg->weight);
	}
	for (size_t i = 0; i < map_count(before); i++) {
		const struct path_found *was = map_value(before, i);

		if (was->is_filled && map_get(after, map_key(before, i)) == NULL)
			kind_count_path(k, pg->a, map_key(before, i), NULL, -pg->weight);
	}
}

/* ---- pages of the history ------------------------------------------------------------------ */

static int page_read_alone(struct catalogue_page *pg, const struct db_stmt *s,
    const struct uuid *account_id, const struct uuid *id, struct str *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(pg->db, pg->a, s, DB_VALS(db_uuid(account_id), db_uuid(id)), &rows, err);

	if (found == 1)
		*out = db_get_str(&rows, 0, 0);
	return found;
}

/* This goes over the records of all accounts: what cannot be read of one stops no other. */
static void row_set_aside(
    struct arena *a, const char *what, const struct uuid *id, const struct err *why)
{
	log_error("record.fields.bad_row", LOG_S("what", what), LOG_S("id", uuid_dup(a, *id)),
	    LOG_ERR(why));
}

/* The payload as it was created: changes since are taken back. They are read after it, and taking
 * back one that it does not have yet changes nothing. */
static int payload_take_back(struct catalogue_page *pg, const struct catalogue_kind *k,
    const struct uuid *record_id, const struct uuid *change_id, json_t *data, struct err *err)
{
	struct db_rows rows;

	if (db_query(pg->db, pg->a, &fields_newer_changes,
		DB_VALS(db_uuid(&k->account_id), db_uuid(record_id), db_uuid(change_id)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct err bad = ERR_INIT;
		json_t *changes = json_parse_stored(pg->a, db_get_str(&rows, i, 0), &bad);

		if (changes != NULL)
			record_undo(pg->a, data, changes);
		else
			row_set_aside(pg->a, "change", change_id, &bad);
	}
	return 0;
}

static int page_count_row(
    struct catalogue_page *pg, const struct db_rows *rows, size_t i, struct err *err)
{
	struct uuid change_id = db_get_uuid(rows, i, PAGE_CHANGE_ID),
		    record_id = db_get_uuid(rows, i, PAGE_RECORD_ID);
	const bool is_creation = db_get_int(rows, i, PAGE_IS_CREATION) != 0;
	struct catalogue_kind *k = kind_find(pg, db_get_uuid(rows, i, PAGE_ACCOUNT_ID),
	    db_get_str(rows, i, PAGE_RESOURCE_TYPE), err);
	struct str text = db_get_str(rows, i, PAGE_TEXT);
	struct err bad = ERR_INIT;
	json_t *json;
	int found = 1;

	if (k == NULL)
		return -1;
	if (db_is_null(rows, i, PAGE_TEXT))
		found = page_read_alone(pg, is_creation ? &fields_one_payload : &fields_one_change,
		    &k->account_id, is_creation ? &record_id : &change_id, &text, err);
	if (found != 1) /* 0: deleted meanwhile */
		return found;
	if ((json = json_parse_stored(pg->a, text, &bad)) == NULL) {
		row_set_aside(pg->a, "change", &change_id, &bad);
		return 0;
	}
	if (!is_creation) {
		for (size_t c = 0; c < json_array_size(json); c++) {
			const json_t *change = json_array_get(json, c);

			kind_count_change(pg, k, str_from(json_str(change, "path")),
			    json_object_get(change, "before"), json_object_get(change, "after"));
		}
		return 0;
	}
	if (db_get_int(rows, i, PAGE_HAS_NEWER) != 0 &&
	    payload_take_back(pg, k, &record_id, &change_id, json, err) == -1)
		return -1;
	k->records += pg->weight;
	kind_count_change(pg, k, STR(""), NULL, json);
	return 0;
}

static struct str examples_text(struct arena *a, const struct catalogue_field *f)
{
	json_t *list = json_own(a, json_array());

	for (size_t i = 0; i < f->nexamples; i++)
		json_array_append_new(list, json_string(f->examples[i]));
	return json_text(a, list);
}

static int kind_save(struct catalogue_page *pg, const struct catalogue_kind *k, struct err *err)
{
	size_t total = map_count(k->fields), n = 0;
	struct db_val *v = arena_alloc(pg->a, (total + 1) * 8 * sizeof(*v));
	unsigned char(*hashes)[SHA256_SIZE] = arena_alloc(pg->a, (total + 1) * sizeof(*hashes));
	int64_t now = clock_now_us();

	for (size_t i = 0; i < total; i++) {
		const struct catalogue_field *f = map_value(k->fields, i);

		if (!f->is_changed)
			continue;
		sha256(map_key(k->fields, i), hashes[n]);
		struct db_val row[8] = {db_uuid(&k->account_id), db_strn(k->resource_type),
		    db_blob((struct str){(const char *)hashes[n], 16}),
		    db_strn(map_key(k->fields, i)), db_strn(types_text(pg->a, f->types)),
		    db_int(f->seen < 0 ? 0 : f->seen), db_strn(examples_text(pg->a, f)),
		    db_int(now)};

		memcpy(v + 8 * n++, row, sizeof(row));
	}
	if (db_exec_rows_later(pg->db, &fields_put, v, n, 8, ERR_CONFLICT, err) == -1)
		return -1;
	if (k->records == 0)
		return 0;
	return db_exec(pg->db, &fields_total_add,
	    DB_VALS(db_uuid(&k->account_id), db_strn(k->resource_type), db_int(k->records)), NULL,
	    err);
}

/* ---- runs ---------------------------------------------------------------------------------- */

struct catalogue_reading {
	struct app *app;
	int64_t stride;
	bool is_behind; /* set on return: there is another page */
};

/* Up to where this page reads: the last change of a full page, else right before the youngest that
 * may be read. */
static int page_find_end(struct catalogue_page *pg, const struct catalogue_reading *rd,
    const struct uuid *from, struct uuid *to, bool *is_full, struct err *err)
{
	struct uuid bound = uuid_at(clock_now_us() - LAG_US);
	struct db_rows rows;
	int found = db_row(pg->db, pg->a, &fields_page_end,
	    DB_VALS(db_uuid(from), db_uuid(&bound),
		db_int((rd->stride == 1 ? PAGE_WHOLE : PAGE_SAMPLE) - 1)),
	    &rows, err);

	*is_full = found == 1;
	*to = found == 1 ? db_get_uuid(&rows, 0, 0) : bound;
	return found;
}

static int catalogue_read_page(
    struct catalogue_page *pg, struct catalogue_reading *rd, struct err *err)
{
	struct uuid from = {{0}}, to;
	struct db_rows rows;

	if (db_exec(pg->db, &fields_progress_first, DB_VALS(db_uuid(&from)), NULL, err) == -1 ||
	    db_row(pg->db, pg->a, &fields_progress_lock, NULL, 0, &rows, err) != 1)
		return err_prefix(err, "position in the history");
	from = db_get_uuid(&rows, 0, 0);
	if (page_find_end(pg, rd, &from, &to, &rd->is_behind, err) == -1 ||
	    db_query(pg->db, pg->a, &fields_page,
		DB_VALS(db_uuid(&from), db_uuid(&to), db_int(rd->stride - 1)), &rows, err) == -1)
		return -1;
	if (!rd->is_behind && (rows.count == 0 || rd->stride > 1))
		return 0; /* the little that is left can wait to be read as a whole */
	for (size_t i = 0; i < rows.count; i++)
		if (page_count_row(pg, &rows, i, err) == -1)
			return -1;
	for (size_t i = 0; i < map_count(pg->kinds); i++)
		if (kind_save(pg, map_value(pg->kinds, i), err) == -1)
			return -1;
	return db_exec(pg->db, &fields_progress_save, DB_VALS(db_uuid(&to)), NULL, err);
}

static int catalogue_read_body(struct db *db, void *arg, struct err *err)
{
	struct catalogue_reading *rd = arg;
	struct arena *a = arena_new();
	struct catalogue_page pg = {.db = db, .a = a, .kinds = map_new(a), .weight = rd->stride};
	int rc = catalogue_read_page(&pg, rd, err);

	arena_free(a);
	return rc;
}

int record_fields_update(struct app *app, struct err *err)
{
	struct catalogue_reading rd = {.app = app};
	int64_t began_us = clock_mono_us();

	do {
		rd.stride = clock_mono_us() - began_us < RUN_WHOLE_US ? 1 : SAMPLE_STRIDE;
		if (db_transaction(app->db, catalogue_read_body, &rd, err) == -1)
			return err_prefix(err, "field catalogue");
	} while (rd.is_behind && clock_mono_us() - began_us < RUN_BUDGET_US);
	return 0;
}

/* ---- deletion ------------------------------------------------------------------------------ */

struct examples_forgetting {
	struct arena *a;
	struct map *texts; /* of the record's values, as examples show them */
	bool is_all;       /* they could not be read: all examples of its type go */
};

static int forget_note_text(void *arg, struct str path, json_t *value)
{
	struct examples_forgetting *f = arg;
	const char *text = example_text(f->a, value);

	(void)path;
	if (text != NULL)
		map_put(f->texts, str_from(text), f);
	return 0;
}

static void forget_note_texts(struct examples_forgetting *f, json_t *value)
{
	if (value != NULL)
		record_paths_each(
		    value, record_paths_buf(f->a, STR("")), true, forget_note_text, f);
}

/* The values that the record had before. */
static int forget_note_past(struct examples_forgetting *f, struct db *db,
    const struct uuid *account_id, const struct uuid *record_id, struct err *err)
{
	struct uuid before;
	struct db_rows rows;

	memset(before.b, 0xff, sizeof(before.b));
	if (db_query(db, f->a, &fields_past_changes,
		DB_VALS(db_uuid(account_id), db_uuid(record_id), db_uuid(&before)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *changes = json_parse_stored(f->a, db_get_str(&rows, i, 0), NULL);

		f->is_all = f->is_all || changes == NULL;
		for (size_t c = 0; c < json_array_size(changes); c++)
			forget_note_texts(f, json_object_get(json_array_get(changes, c), "before"));
	}
	return 0;
}

static int examples_strike(struct examples_forgetting *f, struct db *db,
    const struct uuid *account_id, struct str resource_type, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, f->a, &fields_with_examples,
		DB_VALS(db_uuid(account_id), db_strn(resource_type)), &rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *examples =
		    json_parse_stored(f->a, db_get_str(&rows, i, EXAMPLED_EXAMPLES), err);
		size_t before = json_array_size(examples);

		for (size_t e = before; e-- > 0;)
			if (f->is_all ||
			    map_get(f->texts,
				str_from(json_string_value(json_array_get(examples, e)))) != NULL)
				json_array_remove(examples, e);
		if (examples == NULL || (json_array_size(examples) < before &&
					    db_exec(db, &fields_set_examples,
						DB_VALS(db_strn(json_text(f->a, examples)),
						    db_uuid(account_id), db_strn(resource_type),
						    db_blob(db_get_str(&rows, i, EXAMPLED_HASH))),
						NULL, err) == -1))
			return -1;
	}
	return 0;
}

int record_fields_forget(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *record_id, struct err *err)
{
	struct examples_forgetting f = {.a = a, .texts = map_new(a)};
	struct db_rows rows;
	json_t *data;
	int found;

	/* With the position held no page that has read the record can add examples afterwards. */
	if (db_row(db, a, &fields_progress_lock, NULL, 0, &rows, err) == -1)
		return -1;
	found = db_row(db, a, &fields_one_payload, DB_VALS(db_uuid(account_id), db_uuid(record_id)),
	    &rows, err);
	if (found != 1)
		return found;
	data = json_parse_stored(a, db_get_str(&rows, 0, PAYLOAD_DATA), NULL);
	f.is_all = data == NULL;
	forget_note_texts(&f, data);
	if (forget_note_past(&f, db, account_id, record_id, err) == -1)
		return -1;
	return examples_strike(
	    &f, db, account_id, db_get_str(&rows, 0, PAYLOAD_RESOURCE_TYPE), err);
}

/* ---- reading ------------------------------------------------------------------------------- */

static json_t *types_json(struct str list)
{
	json_t *types = json_array();
	struct str name;

	while (str_split(&list, ',', &name))
		json_array_append_new(types, json_stringn(name.p, name.n));
	return types;
}

int record_fields(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str resource_type, json_t **out, struct err *err)
{
	struct db_rows rows;

	*out = json_own(a, json_array());
	if (db_query(app->db, a, &fields_list,
		DB_VALS(db_uuid(account_id), db_name(resource_type), db_name(resource_type)), &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		json_t *examples = json_parse_stored(a, db_get_str(&rows, i, LIST_EXAMPLES), err),
		       *o;
		int64_t seen = db_get_int(&rows, i, LIST_SEEN),
			total = db_get_int(&rows, i, LIST_TOTAL);
		int64_t rate = total > 0 ? (10000 * seen + total / 2) / total : 0; /* of 10,000 */

		if (examples == NULL)
			return err_prefix(err, "stored examples");
		o = json_object();
		json_set_strn(o, "resourceType", db_get_str(&rows, i, LIST_RESOURCE_TYPE));
		json_set_strn(o, "path", db_get_str(&rows, i, LIST_PATH));
		json_set(o, "types", types_json(db_get_str(&rows, i, LIST_TYPES)));
		json_set(o, "fillRate", json_real((double)(rate > 10000 ? 10000 : rate) / 10000));
		json_set(o, "examples", json_incref(examples));
		json_array_append_new(*out, o);
	}
	return 0;
}

int record_api_fields(struct req *r)
{
	struct err err = ERR_INIT;
	json_t *rows;

	if (record_fields(r->app, r->a, &r->actor.account_id, req_query_text(r, "resourceType"),
		&rows, &err) == -1)
		return res_error(r, &err);
	return res_whole(r, rows, (int64_t)json_array_size(rows));
}
