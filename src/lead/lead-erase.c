/* Erasing a lead, as its provider asks for: with all that was done with it. */
#include "lead/lead-duplicate.h"

DB_STMT(lead_erase_find, "SELECT id FROM leads WHERE account_id = ? AND provider_type = ?"
			 " AND provider_lead_id = ? FOR UPDATE");
DB_STMT(lead_erase_row, "DELETE FROM leads WHERE account_id = ? AND id = ?");

int lead_erase(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str provider_type, struct str provider_lead_id, struct uuid *id, struct err *err)
{
	struct db_rows rows;
	int found = db_row(app->db, a, &lead_erase_find,
	    DB_VALS(db_uuid(account_id), db_strn(provider_type), db_strn(provider_lead_id)), &rows,
	    err);

	if (found != 1)
		return found;
	*id = db_get_uuid(&rows, 0, 0);
	for (lead_erased_fn *const *told = app->hooks.lead_erased; told != NULL && *told != NULL;
	     told++)
		if ((*told)(app, account_id, id, err) == -1)
			return -1;
	if (lead_forget_first(app->db, account_id, id, err) == -1 ||
	    lead_counts_take_off(app->db, account_id, id, err) == -1)
		return -1;
	return db_exec(app->db, &lead_erase_row, DB_VALS(db_uuid(account_id), db_uuid(id)), NULL,
		   err) == -1
		   ? -1
		   : 1;
}
