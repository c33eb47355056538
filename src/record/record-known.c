/* What is known of many records: which ids the store has, as an import tells before it begins;
 * which of the type lead are leads. */
#include "record/record-cells.h"
#include "record/record-internal.h"

#define COMPARED_BYTES "65536" /* of a stored record: longer ones are not looked at */

DB_STMT_ROWS(records_known,
    "SELECT COUNT(*) FROM records WHERE account_id = ? AND provider_type = ? AND resource_type = ?"
    " AND external_id IN (",
    "?", ")");

int record_count_known(struct db *db, struct arena *a, const struct record_item *of,
    const struct str *ids, size_t n, int64_t *known, struct err *err)
{
	struct db_val v[LIMIT_DB_BATCH];
	struct db_rows rows;

	*known = 0;
	for (size_t from = 0; from < n; from += LIMIT_DB_BATCH) {
		/* the last id fills the statement up, so that it is always the same one */
		for (size_t i = 0; i < LIMIT_DB_BATCH; i++)
			v[i] = db_strn(ids[from + i < n ? from + i : n - 1]);
		if (db_query_rows(db, a, &records_known,
			DB_VALS(db_uuid(&of->account_id), db_strn(of->provider_type),
			    db_strn(of->resource_type)),
			v, LIMIT_DB_BATCH, 1, &rows, err) == -1)
			return -1;
		*known += db_get_int(&rows, 0, 0);
	}
	return 0;
}

/* Does the merge of it change nothing? Whatever the clocks say: a file comes last. */
static bool item_is_stored(struct arena *a, const struct record_item *it, struct str text)
{
	json_t *stored = json_parse_stored(a, text, NULL), *patch = json_parse(a, it->data, NULL);

	if (!json_is_object(stored) || !json_is_object(patch))
		return false;
	if (it->is_of_cells)
		record_keep_printed(a, stored, patch, it->has_cleared);
	return !json_merge(stored, patch);
}

enum { COMPARED_ID, COMPARED_SIZE, COMPARED_DATA };
DB_STMT_ROWS(records_compared,
    "SELECT external_id, LENGTH(data), IF(LENGTH(data) <= " COMPARED_BYTES
    ", data, '') FROM records"
    " WHERE account_id = ? AND provider_type = ? AND resource_type = ? AND external_id IN (",
    "?", ")");

int record_compare(struct db *db, struct arena *a, const struct record_item *items, size_t n,
    struct record_comparison *out, struct err *err)
{
	struct db_val v[LIMIT_DB_BATCH];
	struct db_rows rows;

	for (size_t i = 0; i < LIMIT_DB_BATCH && n > 0; i++)
		v[i] = db_strn(items[i < n ? i : n - 1].external_id);
	if (n == 0)
		return 0;
	if (db_query_rows(db, a, &records_compared,
		DB_VALS(db_uuid(&items->account_id), db_strn(items->provider_type),
		    db_strn(items->resource_type)),
		v, LIMIT_DB_BATCH, 1, &rows, err) == -1)
		return -1;
	out->known += (int64_t)rows.count;
	for (size_t k = 0; k < rows.count; k++) {
		struct str text = db_get_str(&rows, k, COMPARED_DATA);

		out->bytes += (int64_t)text.n;
		out->has_more =
		    out->has_more || db_get_int(&rows, k, COMPARED_SIZE) > (int64_t)text.n;
		for (size_t i = 0; i < n; i++)
			if (str_eq(items[i].external_id, db_get_str(&rows, k, COMPARED_ID)))
				out->same += item_is_stored(a, &items[i], text);
	}
	return 0;
}

#define TIME_LOOKED_AT "1000"
DB_STMT(records_of_time, "SELECT COUNT(*) = " TIME_LOOKED_AT
			 " OR IFNULL(SUM(provider_type = ? AND first_seen_at <= ?), 0) > 0"
			 " FROM (SELECT provider_type, first_seen_at FROM records WHERE account_id "
			 "= ? AND resource_type = ?"
			 " AND updated_at >= ? ORDER BY updated_at LIMIT " TIME_LOOKED_AT ") r");

int record_has_of_time(struct db *db, struct arena *a, const struct record_item *of,
    int64_t from_us, int64_t until_us, bool *has, struct err *err)
{
	struct db_rows rows;

	if (db_query(db, a, &records_of_time,
		DB_VALS(db_strn(of->provider_type), db_int(until_us), db_uuid(&of->account_id),
		    db_strn(of->resource_type), db_int(from_us)),
		&rows, err) == -1)
		return -1;
	*has = db_get_int(&rows, 0, 0) != 0;
	return 0;
}

enum { WHICH_ID, WHICH_LEAD, WHICH_COPY };
DB_STMT_ROWS(records_which_leads,
    "SELECT r.id, l.id IS NOT NULL, EXISTS (SELECT 1 FROM lead_copies o WHERE"
    " o.account_id = r.account_id AND o.provider_type = r.provider_type"
    " AND o.external_id = r.external_id) FROM records r" RECORD_LEAD
    " WHERE r.account_id = ? AND r.id IN (",
    "?", ")");

int record_which_leads(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, enum record_lead *out, struct err *err)
{
	struct db_val *v = arena_array(a, n + 1, sizeof(*v));
	struct db_rows rows;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		v[i] = db_uuid(&ids[i]);
	if (db_query_rows(db, a, &records_which_leads, DB_VALS(db_uuid(account_id)), v, n, 1, &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t k = db_find_uuid(&rows, WHICH_ID, &ids[i]);

		out[i] = k == rows.count                         ? RECORD_LEAD_NONE
			 : db_get_int(&rows, k, WHICH_LEAD) != 0 ? RECORD_LEAD_OWN
			 : db_get_int(&rows, k, WHICH_COPY) != 0 ? RECORD_LEAD_COPY
								 : RECORD_LEAD_NONE;
	}
	return 0;
}
