/* Where records name people. */
#include "record/record-internal.h"

DB_STMT(records_personal, "SELECT id, data FROM records WHERE account_id = ? AND id > ?"
			  " ORDER BY id LIMIT ?");
DB_STMT(
    records_personal_lock, "SELECT data FROM records WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(records_personal_put, "UPDATE records SET data = ? WHERE account_id = ? AND id = ?");
/* Its words go at once, and are made anew: in this order, since who is at indexing it holds its
 * place in the queue. */
DB_STMT(records_personal_queue,
    "INSERT IGNORE INTO record_search_queue (account_id, record_id) VALUES (?,?)");
DB_STMT(records_personal_words, "DELETE FROM record_search WHERE account_id = ? AND record_id = ?");
const struct personal_table records_personal_table = {.name = "records",
    .label = "Records",
    .next = &records_personal,
    .lock = &records_personal_lock,
    .put = &records_personal_put,
    .also = {&records_personal_queue, &records_personal_words},
    .has_subjects = true,
    .forms = {PERSONAL_JSON}};

DB_STMT(changes_personal, "SELECT id, changes FROM record_changes WHERE account_id = ? AND id > ?"
			  " ORDER BY id LIMIT ?");
DB_STMT(changes_personal_lock,
    "SELECT changes FROM record_changes WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(
    changes_personal_put, "UPDATE record_changes SET changes = ? WHERE account_id = ? AND id = ?");
const struct personal_table changes_personal_table = {.name = "recordChanges",
    .label = "Changes in the history of records",
    .next = &changes_personal,
    .lock = &changes_personal_lock,
    .put = &changes_personal_put,
    .forms = {PERSONAL_JSON}};

DB_STMT(fields_personal,
    "SELECT CAST(CONCAT(HEX(path_hash), resource_type) AS BINARY), examples FROM record_fields "
    "WHERE account_id = ? AND CAST(CONCAT(HEX(path_hash), resource_type) AS BINARY) > ?"
    " ORDER BY 1 LIMIT ?");
DB_STMT(fields_personal_lock,
    "SELECT examples FROM record_fields WHERE account_id = ? AND "
    "CAST(CONCAT(HEX(path_hash), resource_type) AS BINARY) = ? FOR UPDATE");
DB_STMT(fields_personal_put, "UPDATE record_fields SET examples = ? WHERE account_id = ? AND "
			     "CAST(CONCAT(HEX(path_hash), resource_type) AS BINARY) = ?");
const struct personal_table fields_personal_table = {.name = "fieldExamples",
    .label = "Examples in the catalogue of fields",
    .next = &fields_personal,
    .lock = &fields_personal_lock,
    .put = &fields_personal_put,
    .forms = {PERSONAL_JSON}};

DB_STMT(views_personal, "SELECT id, name, definition FROM views WHERE account_id = ? AND id > ?"
			" ORDER BY id LIMIT ?");
DB_STMT(views_personal_lock,
    "SELECT name, definition FROM views WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(views_personal_put,
    "UPDATE views SET name = ?, definition = ? WHERE account_id = ? AND id = ?");
const struct personal_table views_personal_table = {.name = "views",
    .label = "Views",
    .next = &views_personal,
    .lock = &views_personal_lock,
    .put = &views_personal_put,
    .forms = {PERSONAL_TEXT, PERSONAL_JSON}};
