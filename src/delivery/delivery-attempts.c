/* SQL of the attempts: a row each, of the deliveries of any ledger. */
#include "base/limits.h"
#include "delivery/delivery.h"

#define ERROR_BYTES 1000u   /* of the column */
#define MISSING_BYTES 1000u /* of the column */
#define ATTEMPT_VALUES 11

DB_STMT_ROWS(attempts_insert,
    "INSERT INTO lead_delivery_attempts (id, account_id, delivery_id, attempt, at, duration_us,"
    " status, error, answer, missing, request) VALUES ",
    "(?,?,?,?,?,?,?,?,?,?,?)", "");
DB_STMT(
    attempts_erase, "DELETE FROM lead_delivery_attempts WHERE account_id = ? AND delivery_id = ?");

/* As it is stored: a list's JSON, of as many as have room; {NULL,0} where nothing is missing. */
static struct str missing_text(struct arena *a, const json_t *missing)
{
	struct str text = {NULL, 0};
	json_t *list;

	if (json_array_size(missing) == 0)
		return text;
	list = json_own(a, json_copy(JSON_ITER(missing)));
	for (text = json_text(a, list); text.n > MISSING_BYTES; text = json_text(a, list))
		json_array_remove(list, json_array_size(list) - 1);
	return text;
}

int delivery_attempts_store(
    struct db *db, struct arena *a, const struct delivery_attempt_row *v, size_t n, struct err *err)
{
	struct db_val *vals = arena_alloc(a, (n + 1) * ATTEMPT_VALUES * sizeof(*vals));
	struct uuid *ids = arena_array(a, n + 1, sizeof(*ids));

	for (size_t i = 0; i < n; i++) {
		const struct delivery_attempt *t = v[i].attempt;

		ids[i] = uuid_new();
		struct db_val row[ATTEMPT_VALUES] = {db_uuid(&ids[i]), db_uuid(v[i].account_id),
		    db_uuid(v[i].delivery_id), db_int(t->number), db_int(t->at_us),
		    db_int(t->duration_us),
		    t->http_status == 0 ? db_null() : db_int(t->http_status),
		    db_strn(utf8_clean(a, str_from(t->error), ERROR_BYTES)), db_strn(t->answer),
		    db_strn(missing_text(a, t->missing)), db_strn(t->request)};

		memcpy(vals + ATTEMPT_VALUES * i, row, sizeof(row));
	}
	return db_exec_rows_later(db, &attempts_insert, vals, n, ATTEMPT_VALUES, ERR_CONFLICT, err);
}

int delivery_attempts_erase(
    struct db *db, const struct uuid *account_id, const struct uuid *delivery_id, struct err *err)
{
	return db_exec(
	    db, &attempts_erase, DB_VALS(db_uuid(account_id), db_uuid(delivery_id)), NULL, err);
}
