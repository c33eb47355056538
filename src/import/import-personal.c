/* Where imports name people. */
#include "import/import-internal.h"

DB_STMT(import_errors_personal,
    "SELECT id, row_text, reason FROM import_errors WHERE account_id = ? AND id > ?"
    " ORDER BY id LIMIT ?");
DB_STMT(import_errors_personal_lock,
    "SELECT row_text, reason FROM import_errors WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(import_errors_personal_put,
    "UPDATE import_errors SET row_text = ?, reason = ? WHERE account_id = ? AND id = ?");
const struct personal_table import_errors_personal_table = {.name = "importErrors",
    .label = "Rows that imports refused",
    .next = &import_errors_personal,
    .lock = &import_errors_personal_lock,
    .put = &import_errors_personal_put,
    .forms = {PERSONAL_ALL, PERSONAL_TEXT}};
