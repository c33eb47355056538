/* Where attempts of deliveries name people. */
#include "delivery/delivery.h"

DB_STMT(attempts_personal, "SELECT id, error, answer, missing, request FROM lead_delivery_attempts "
			   "WHERE account_id = ? AND id > ?"
			   " ORDER BY id LIMIT ?");
DB_STMT(attempts_personal_lock,
    "SELECT error, answer, missing, request FROM lead_delivery_attempts WHERE "
    "account_id = ? AND id = ? FOR UPDATE");
DB_STMT(attempts_personal_put,
    "UPDATE lead_delivery_attempts SET error = ?, answer = ?, missing = ?,"
    " request = ? WHERE account_id = ? AND id = ?");
const struct personal_table attempts_personal_table = {.name = "deliveryAttempts",
    .label = "Attempts of deliveries",
    .next = &attempts_personal,
    .lock = &attempts_personal_lock,
    .put = &attempts_personal_put,
    .forms = {PERSONAL_TEXT, PERSONAL_TEXT, PERSONAL_TEXT, PERSONAL_TEXT}};
