/* Where deliveries name people. */
#include "crm/crm-internal.h"

DB_STMT(deliveries_personal, "SELECT id, last_error, reason, external_id FROM lead_deliveries "
			     "WHERE account_id = ? AND id > ?"
			     " ORDER BY id LIMIT ?");
DB_STMT(deliveries_personal_lock,
    "SELECT last_error, reason, external_id FROM lead_deliveries WHERE "
    "account_id = ? AND id = ? FOR UPDATE");
DB_STMT(deliveries_personal_put, "UPDATE lead_deliveries SET last_error = ?, reason = ?, "
				 "external_id = ? WHERE account_id = ? AND id = ?");
const struct personal_table deliveries_personal_table = {.name = "deliveries",
    .label = "Deliveries",
    .next = &deliveries_personal,
    .lock = &deliveries_personal_lock,
    .put = &deliveries_personal_put,
    .forms = {PERSONAL_TEXT, PERSONAL_TEXT, PERSONAL_ALL}};

DB_STMT(copies_of_lead,
    "SELECT c.provider_type, d.external_id FROM lead_deliveries d JOIN connections c"
    " ON c.account_id = d.account_id AND c.id = d.connection_id"
    " WHERE d.account_id = ? AND d.lead_id = ? AND d.external_id IS NOT NULL");

int crm_copies_of_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, struct crm_copy **out, size_t *n, struct err *err)
{
	struct db_rows rows;

	*n = 0;
	if (db_query(app->db, a, &copies_of_lead, DB_VALS(db_uuid(account_id), db_uuid(lead_id)),
		&rows, err) == -1)
		return -1;
	*out = arena_array(a, rows.count + 1, sizeof(**out));
	for (size_t i = 0; i < rows.count; i++) {
		struct str provider = db_get_str(&rows, i, 0);
		const char *type = provider_pushed_as(provider_find(app->providers, provider));

		if (type != NULL)
			(*out)[(*n)++] =
			    (struct crm_copy){provider, str_from(type), db_get_str(&rows, i, 1)};
	}
	return 0;
}

DB_STMT(deliveries_of_lead_count,
    "SELECT COUNT(*) FROM lead_deliveries WHERE account_id = ? AND lead_id = ?");

int crm_count_of_lead(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *lead_id, int64_t *n, struct err *err)
{
	struct db_rows rows;

	if (db_row(app->db, a, &deliveries_of_lead_count,
		DB_VALS(db_uuid(account_id), db_uuid(lead_id)), &rows, err) == -1)
		return -1;
	*n += db_get_int(&rows, 0, 0);
	return 0;
}
