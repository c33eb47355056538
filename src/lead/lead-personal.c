/* Where leads name people. */
#include "lead/lead-internal.h"

DB_STMT(leads_personal, "SELECT id, lead, email, phone_number, full_name, stage_error FROM leads "
			"WHERE account_id = ? AND id > ?"
			" ORDER BY id LIMIT ?");
DB_STMT(leads_personal_lock, "SELECT lead, email, phone_number, full_name, stage_error FROM leads "
			     "WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(leads_personal_put, "UPDATE leads SET lead = ?, email = ?, phone_number = ?, full_name = "
			    "?, stage_error = ? WHERE account_id = ? AND id = ?");
const struct personal_table leads_personal_table = {.name = "leads",
    .label = "Leads",
    .next = &leads_personal,
    .lock = &leads_personal_lock,
    .put = &leads_personal_put,
    .has_subjects = true,
    .forms = {PERSONAL_JSON, PERSONAL_ALL, PERSONAL_ALL, PERSONAL_TEXT, PERSONAL_TEXT}};
