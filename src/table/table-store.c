/* The tables themselves, and how many rows they have. */
#include "base/clock.h"
#include "table/table-internal.h"

#define TABLE_COLUMNS                                                                              \
	"t.id, t.account_id, t.slug, t.name, t.shape, t.pending, t.created_at, t.updated_at"
enum {
	TABLE_ID,
	TABLE_ACCOUNT,
	TABLE_SLUG,
	TABLE_NAME,
	TABLE_SHAPE,
	TABLE_PENDING,
	TABLE_CREATED,
	TABLE_UPDATED,
	TABLE_ROWS
};
#define TABLE_OF "SELECT " TABLE_COLUMNS " FROM user_tables t WHERE t.account_id = ? AND "
DB_STMT(table_by_slug, TABLE_OF "t.slug = ?");
DB_STMT(table_by_slug_held, TABLE_OF "t.slug = ? LOCK IN SHARE MODE");
DB_STMT(table_by_id_locked, TABLE_OF "t.id = ? FOR UPDATE");
DB_STMT(table_by_id_held, TABLE_OF "t.id = ? LOCK IN SHARE MODE");
DB_STMT(tables_all,
    "SELECT " TABLE_COLUMNS ", (SELECT COALESCE(SUM(c.filled), 0) FROM table_counts c"
    " WHERE c.account_id = t.account_id AND c.table_id = t.id)"
    " FROM user_tables t WHERE t.account_id = ? ORDER BY t.name, t.id LIMIT 1000");
DB_STMT(tables_count, "SELECT COUNT(*) FROM user_tables WHERE account_id = ?");
DB_STMT(table_rows_counted,
    "SELECT COALESCE(SUM(filled), 0) FROM table_counts WHERE account_id = ? AND table_id = ?");
DB_STMT(table_put, "INSERT INTO user_tables (id, account_id, slug, name, shape, created_by,"
		   " created_at, updated_at) VALUES (?,?,?,?,?,?,?,?)");
DB_STMT(table_change, "UPDATE user_tables SET slug = ?, name = ?, shape = ?, pending = ?,"
		      " updated_at = ? WHERE account_id = ? AND id = ?");
DB_STMT(table_remove_row, "DELETE FROM user_tables WHERE account_id = ? AND id = ?");
DB_STMT(table_remove_counts, "DELETE FROM table_counts WHERE account_id = ? AND table_id = ?");

static int table_read_shapes(
    struct arena *a, const struct db_rows *rows, size_t i, struct table *out, struct err *err)
{
	if (table_shape_parse(a, db_get_str(rows, i, TABLE_SHAPE), &out->shape, NULL, err) == -1)
		return -1;
	if (db_is_null(rows, i, TABLE_PENDING))
		return 0;
	return table_shape_parse(
	    a, db_get_str(rows, i, TABLE_PENDING), &out->pending, &out->refused, err);
}

static int table_read_row(
    struct arena *a, const struct db_rows *rows, size_t i, struct table *out, struct err *err)
{
	int rc;

	*out = (struct table){.id = db_get_uuid(rows, i, TABLE_ID),
	    .account_id = db_get_uuid(rows, i, TABLE_ACCOUNT),
	    .slug = db_get_str(rows, i, TABLE_SLUG),
	    .name = db_get_str(rows, i, TABLE_NAME),
	    .created_us = db_get_int(rows, i, TABLE_CREATED),
	    .updated_us = db_get_int(rows, i, TABLE_UPDATED),
	    .rows = -1};
	json_row_begin();
	rc = table_read_shapes(a, rows, i, out, err);
	out->is_unreadable = json_row_end();
	if (out->refused != NULL)
		out->pending = (struct table_shape){.n = 0};
	return rc;
}

static int table_of(
    struct arena *a, int found, const struct db_rows *rows, struct table *out, struct err *err)
{
	return found == 1 && table_read_row(a, rows, 0, out, err) == -1 ? -1 : found;
}

int table_find(struct db *db, struct arena *a, const struct uuid *account_id, struct str slug,
    bool is_held, struct table *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, is_held ? &table_by_slug_held : &table_by_slug,
	    DB_VALS(db_uuid(account_id), db_name(slug)), &rows, err);

	return table_of(a, found, &rows, out, err);
}

int table_lock(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, struct table *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &table_by_id_locked,
	    DB_VALS(db_uuid(account_id), db_uuid(table_id)), &rows, err);

	return table_of(a, found, &rows, out, err);
}

int table_hold(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, struct table *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(
	    db, a, &table_by_id_held, DB_VALS(db_uuid(account_id), db_uuid(table_id)), &rows, err);

	return table_of(a, found, &rows, out, err);
}

int table_list(struct db *db, struct arena *a, const struct uuid *account_id, struct table **out,
    size_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &tables_all, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	*n = rows.count;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		if (table_read_row(a, &rows, i, &(*out)[i], err) == -1)
			return -1;
		(*out)[i].rows = db_get_int(&rows, i, TABLE_ROWS);
	}
	return 0;
}

int table_count(
    struct db *db, struct arena *a, const struct uuid *account_id, int64_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_row(db, a, &tables_count, DB_VALS(db_uuid(account_id)), &rows, err) == -1)
		return -1;
	*n = db_get_int(&rows, 0, 0);
	return 0;
}

int table_count_rows(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *table_id, int64_t *rows, struct err *err)
{
	struct db_rows found;

	if (db_row(db, a, &table_rows_counted, DB_VALS(db_uuid(account_id), db_uuid(table_id)),
		&found, err) == -1)
		return -1;
	*rows = db_get_int(&found, 0, 0);
	return 0;
}

/* ---- slugs ----------------------------------------------------------------------------------- */

#define SLUG_BYTES 64

static bool slug_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool table_slug_is_valid(struct str s)
{
	if (s.n == 0 || s.n > SLUG_BYTES || !slug_char(s.p[0]) || !slug_char(s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!slug_char(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

static const char *slug_of_name(struct arena *a, struct str name)
{
	const char *folded = utf8_fold(a, name);
	char *out = arena_alloc(a, SLUG_BYTES), *p = out;

	for (; folded != NULL && *folded != '\0' && p - out < SLUG_BYTES - 8; folded++)
		if (slug_char(*folded))
			*p++ = *folded;
		else if (p > out && p[-1] != '-')
			*p++ = '-';
	while (p > out && p[-1] == '-')
		p--;
	*p = '\0';
	return p > out ? out : "table";
}

int table_slug_make(struct db *db, struct arena *a, const struct uuid *account_id, struct str name,
    struct str *out, struct err *err)
{
	const char *slug = slug_of_name(a, name);
	struct table other;
	int found = 1;

	*out = str_from(slug);
	for (int n = 2; n <= LIMIT_TABLES + 2; n++) {
		found = table_find(db, a, account_id, *out, false, &other, err);
		if (found != 1)
			break;
		*out = str_from(arena_printf(a, "%s-%d", slug, n));
	}
	return found == -1 ? -1 : 0;
}

/* ---- storing --------------------------------------------------------------------------------- */

/* Unique keys are looked at by whoever reports; a race ends here. */
static int slug_conflict(int rc, struct err *err)
{
	if (rc == 0 || err->code != ERR_CONFLICT)
		return rc;
	err_clear(err);
	return err_field(err, ERR_CONFLICT, "slug", "There is a table with this slug");
}

int table_insert(struct db *db, struct arena *a, const struct table *t,
    const struct uuid *created_by, struct err *err)
{
	return slug_conflict(
	    db_exec(db, &table_put,
		DB_VALS(db_uuid(&t->id), db_uuid(&t->account_id), db_strn(t->slug),
		    db_strn(t->name), db_strn(table_shape_text(a, &t->shape, NULL)),
		    db_uuid_or_null(created_by), db_int(t->created_us), db_int(t->updated_us)),
		NULL, err),
	    err);
}

int table_store(struct db *db, struct arena *a, const struct table *t, struct err *err)
{
	struct str pending = {NULL, 0};

	if (t->pending.n > 0 || t->refused != NULL)
		pending = table_shape_text(a, &t->pending, t->refused);
	return slug_conflict(
	    db_exec(db, &table_change,
		DB_VALS(db_strn(t->slug), db_strn(t->name),
		    db_strn(table_shape_text(a, &t->shape, NULL)), db_strn(pending),
		    db_int(t->updated_us), db_uuid(&t->account_id), db_uuid(&t->id)),
		NULL, err),
	    err);
}

int table_remove(struct db *db, const struct table *t, struct err *err)
{
	if (db_exec(db, &table_remove_counts, DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id)),
		NULL, err) == -1)
		return -1;
	return db_exec(
	    db, &table_remove_row, DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id)), NULL, err);
}

/* ---- shown ----------------------------------------------------------------------------------- */

json_t *table_json(struct arena *a, const struct table *t)
{
	json_t *o = json_own(a, json_object()), *removed = json_array();
	bool is_building = t->pending.n > 0;

	for (size_t i = 0; i < t->shape.n; i++) {
		const struct table_column *c = &t->shape.columns[i];

		is_building = is_building || (c->index != 0 && !c->is_ready);
		if (c->is_removed)
			json_array_append_new(removed, json_stringn(c->name.p, c->name.n));
	}
	json_set_str(o, "id", uuid_dup(a, t->id));
	json_set_strn(o, "name", t->name);
	json_set_strn(o, "slug", t->slug);
	json_set(o, "columns", table_columns_json(&t->shape));
	json_set(o, "removedColumns", removed);
	if (t->rows >= 0)
		json_set_int(o, "rowCount", t->rows);
	if (t->is_unreadable)
		json_set_bool(o, "isUnreadable", true);
	json_set_bool(o, "isChanging", is_building);
	json_set_str(o, "lastChangeRefused", t->refused);
	json_set_time(o, "createdAt", t->created_us);
	json_set_time(o, "updatedAt", t->updated_us);
	return o;
}
