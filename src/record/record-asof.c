/* A record as of then: the present with the changes since taken back. */
#include "base/clock.h"
#include "record/record-internal.h"
#include "record/record-merge.h"

DB_STMT(changes_since,
    "SELECT changes FROM record_changes WHERE account_id = ? AND record_id = ? AND at > ?"
    " ORDER BY id DESC");

int record_get_at(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, int64_t at_us, json_t **out, struct err *err)
{
	struct db_rows rows;
	int64_t first_seen_us = 0;
	json_t *data;
	int found = record_get_json(app, a, account_id, id, out, err);

	if (found != 1)
		return found;
	if (!clock_parse_iso(str_from(json_str(*out, "firstSeenAt")), &first_seen_us) ||
	    first_seen_us > at_us)
		return 0;
	if (db_query(app->db, a, &changes_since,
		DB_VALS(db_uuid(account_id), db_uuid(id), db_int(at_us)), &rows, err) == -1)
		return -1;
	data = json_object_get(*out, "data");
	for (size_t i = 0; i < rows.count; i++) {
		json_t *changes = json_parse(a, db_get_str(&rows, i, 0), err);

		if (changes == NULL)
			return -1;
		record_undo(a, data, changes);
	}
	json_set_time(*out, "asOf", at_us);
	return 1;
}
