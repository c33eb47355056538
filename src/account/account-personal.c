/* Where the audit log names people: what it says of them goes, that something was done stays. */
#include "account/account-internal.h"
#include "account/audit.h"

DB_STMT(audit_personal, "SELECT id, details FROM audit_log WHERE account_id = ? AND id > ?"
			" ORDER BY id LIMIT ?");
DB_STMT(audit_personal_lock,
    "SELECT details FROM audit_log WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(audit_personal_put, "UPDATE audit_log SET details = ? WHERE account_id = ? AND id = ?");
DB_STMT(audit_forget_object, "UPDATE audit_log SET details = '" PERSON_ERASED_JSON "'"
			     " WHERE account_id = ? AND object_id = ? AND details IS NOT NULL");

int audit_forget(
    struct db *db, const struct uuid *account_id, const struct uuid *object_id, struct err *err)
{
	return db_exec(
	    db, &audit_forget_object, DB_VALS(db_uuid(account_id), db_uuid(object_id)), NULL, err);
}

const struct personal_table audit_personal_table = {.name = "auditLog",
    .label = "Rows of the audit log",
    .next = &audit_personal,
    .lock = &audit_personal_lock,
    .put = &audit_personal_put,
    .forms = {PERSONAL_ALL_JSON}};
