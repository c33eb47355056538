/* Rows as they are stored, and as they are shown. */
#include "table/table-internal.h"

#define ROW_OF "SELECT " TABLE_ROW_COLUMNS " FROM table_rows r WHERE r.account_id = ? AND "
DB_STMT(table_row_by_id, ROW_OF "r.table_id = ? AND r.id = ?");
DB_STMT(table_row_by_key, ROW_OF "r.table_id = ? AND r.external_key = ?");

int table_row_read(
    struct arena *a, const struct db_rows *rows, size_t i, struct table_row *out, struct err *err)
{
	*out = (struct table_row){.id = db_get_uuid(rows, i, TABLE_ROW_ID),
	    .key = db_is_null(rows, i, TABLE_ROW_KEY) ? (struct str){NULL, 0}
						      : db_get_str(rows, i, TABLE_ROW_KEY),
	    .text = db_get_str(rows, i, TABLE_ROW_DATA),
	    .created_us = db_get_int(rows, i, TABLE_ROW_CREATED),
	    .updated_us = db_get_int(rows, i, TABLE_ROW_UPDATED)};
	json_row_begin();
	out->data = json_parse_stored(a, out->text, err);
	out->is_unreadable = json_row_end();
	return out->data == NULL ? err_prefix(err, "a table's row") : 0;
}

int table_query_many(struct db *db, struct arena *a, const struct db_stmt *st,
    const struct db_val *fixed, size_t nfixed, const struct db_val *vals, size_t n,
    struct db_rows *out, struct err *err)
{
	struct db_rows part;
	struct db_val *cells;

	*out = (struct db_rows){.count = 0};
	for (size_t i = 0; i < n; i += LIMIT_DB_BATCH) {
		size_t k = n - i < LIMIT_DB_BATCH ? n - i : LIMIT_DB_BATCH;

		if (db_query_rows(db, a, st, fixed, nfixed, vals + i, k, 1, &part, err) == -1)
			return -1;
		if (out->count == 0) {
			*out = part;
			continue;
		}
		cells = arena_array(a, (out->count + part.count) * part.columns, sizeof(*cells));
		memcpy(cells, out->cells, out->count * part.columns * sizeof(*cells));
		memcpy(cells + out->count * part.columns, part.cells,
		    part.count * part.columns * sizeof(*cells));
		out->cells = cells;
		out->count += part.count;
	}
	return 0;
}

static int row_of(
    struct arena *a, int found, const struct db_rows *rows, struct table_row *out, struct err *err)
{
	return found == 1 && table_row_read(a, rows, 0, out, err) == -1 ? -1 : found;
}

int table_row_load(struct db *db, struct arena *a, const struct table *t, const struct uuid *id,
    struct table_row *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &table_row_by_id,
	    DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id), db_uuid(id)), &rows, err);

	return row_of(a, found, &rows, out, err);
}

int table_row_load_key(struct db *db, struct arena *a, const struct table *t, struct str key,
    struct table_row *out, struct err *err)
{
	struct db_rows rows;
	int found = db_row(db, a, &table_row_by_key,
	    DB_VALS(db_uuid(&t->account_id), db_uuid(&t->id), db_blob(key)), &rows, err);

	return row_of(a, found, &rows, out, err);
}

const char *table_column_key(struct arena *a, int64_t no)
{
	return arena_printf(a, "%lld", (long long)no);
}

json_t *table_row_value(struct arena *a, const struct table_row *row, const struct table_column *c)
{
	return table_value_as(a, c->type, json_object_get(row->data, table_column_key(a, c->no)));
}

const struct table_column *table_row_misfit(
    struct arena *a, const struct table_shape *s, const struct table_row *row)
{
	for (size_t i = 0; i < s->shown; i++) {
		const struct table_column *c = &s->columns[i];
		json_t *kept = json_object_get(row->data, table_column_key(a, c->no));

		if (kept == NULL ? c->is_required : table_value_as(a, c->type, kept) == NULL)
			return c;
	}
	return NULL;
}

json_t *table_row_json(struct arena *a, const struct table *t, const struct table_row *row)
{
	json_t *o = json_own(a, json_object()), *data = json_object();

	for (size_t i = 0; i < t->shape.shown; i++) {
		const struct table_column *c = &t->shape.columns[i];
		json_t *v = table_row_value(a, row, c);

		if (v != NULL)
			json_object_setn(data, c->name.p, c->name.n, v);
	}
	json_set_str(o, "id", uuid_dup(a, row->id));
	json_set(o, "externalKey", NULL);
	if (row->key.p != NULL)
		json_set_strn(o, "externalKey", row->key);
	json_set(o, "data", data);
	if (row->is_unreadable)
		json_set_bool(o, "isUnreadable", true);
	json_set_time(o, "createdAt", row->created_us);
	json_set_time(o, "updatedAt", row->updated_us);
	return o;
}
