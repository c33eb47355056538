/* Which of many ids the store has: what an import tells before it begins. */
#include "record/record.h"

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
