/* Where connections name people: in what providers said when they refused. */
#include "connection/connection-internal.h"

DB_STMT(connections_personal,
    "SELECT id, last_error FROM connections WHERE account_id = ? AND id > ?"
    " ORDER BY id LIMIT ?");
DB_STMT(connections_personal_lock,
    "SELECT last_error FROM connections WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(connections_personal_put,
    "UPDATE connections SET last_error = ? WHERE account_id = ? AND id = ?");
const struct personal_table connections_personal_table = {.name = "connections",
    .label = "Connections",
    .next = &connections_personal,
    .lock = &connections_personal_lock,
    .put = &connections_personal_put,
    .forms = {PERSONAL_TEXT}};
