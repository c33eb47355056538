/* What pages call records that they name. */
#include "record/record-titles.h"
#include "record/record-internal.h"
#include "record/record-pages.h"

DB_STMT_ROWS(records_titled,
    "SELECT " RECORD_COLUMNS " FROM records r" RECORD_LEAD " WHERE r.account_id = ? AND r.id IN (",
    "?", ")");

int record_titles(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *ids, size_t n, json_t **out, struct err *err)
{
	struct db_val *v = arena_array(a, n + 1, sizeof(*v));
	struct db_rows rows;

	*out = json_own(a, json_object());
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		v[i] = db_uuid(&ids[i]);
	if (db_query_rows(app->db, a, &records_titled, DB_VALS(db_uuid(account_id)), v, n, 1, &rows,
		err) == -1)
		return -1;
	for (size_t i = 0; i < rows.count; i++) {
		struct record_row row;
		json_t *record, *o = json_object();

		record_row_read(a, &rows, i, &row);
		json_row_begin();
		record = record_json(&row, false, err);
		(void)json_row_end();
		if (record == NULL) {
			json_decref(o);
			return -1;
		}
		json_set_str(o, "title", record_name(a, record));
		json_set_str(o, "person", record_person(a, record));
		json_set_str(o, "resourceType", json_str(record, "resourceType"));
		json_set_str(o, "href",
		    uuid_is_nil(row.lead_id)
			? arena_printf(a, RECORD_PAGE_ADDRESS "/%s", uuid_dup(a, row.id))
			: arena_printf(a, LEADS_PAGE_ADDRESS "/%s", uuid_dup(a, row.lead_id)));
		json_set(*out, uuid_dup(a, row.id), o);
	}
	return 0;
}
