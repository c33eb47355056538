/* Where the audit log names people: what it says of them goes, that something was done stays. */
#include "account/account-internal.h"
#include "account/audit.h"
#include "base/app.h"
#include "crypto/aead.h"

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

/* ---- answers that were kept for repeats: sealed, so they are opened to look ------------------ */

DB_STMT(idempotency_personal,
    "SELECT key_hash, body FROM idempotency_keys WHERE account_id = ? AND key_hash > ?"
    " ORDER BY key_hash LIMIT ?");
DB_STMT(idempotency_personal_lock,
    "SELECT body FROM idempotency_keys WHERE account_id = ? AND key_hash = ? FOR UPDATE");
DB_STMT(idempotency_personal_put,
    "UPDATE idempotency_keys SET body = ? WHERE account_id = ? AND key_hash = ?");

static struct str answer_context(struct arena *a, const struct uuid *account_id, struct str key)
{
	struct digest hash = {{0}};

	memcpy(hash.b, key.p, key.n < sizeof(hash.b) ? key.n : sizeof(hash.b));
	return idempotency_context(a, account_id, &hash);
}

/* Opens the bodies. One that none of the keys opens tells nobody anything. */
static int idempotency_slice(
    struct personal_walk *w, struct arena *a, int64_t n, struct db_rows *rows, struct err *err)
{
	if (db_query(w->db, a, &idempotency_personal,
		DB_VALS(db_uuid(&w->account_id), db_blob(w->after), db_int(n)), rows, err) == -1)
		return -1;
	for (size_t i = 0; i < rows->count; i++) {
		struct err ignored = ERR_INIT;
		struct db_val *body = &rows->cells[i * rows->columns + 1];

		if (body->type != DB_NULL)
			*body = db_blob(aead_open(w->app->keys, a,
			    answer_context(a, &w->account_id, db_get_str(rows, i, 0)), body->s,
			    &ignored));
	}
	return 0;
}

/* A repeat is told that its answer is gone; it is not done again. */
static int idempotency_erase(struct app *app, struct arena *a, const struct uuid *account_id,
    struct str key, const struct person_names *p, struct err *err)
{
	struct str context = answer_context(a, account_id, key), body;
	struct db_rows rows;
	int found = db_row(app->db, a, &idempotency_personal_lock,
	    DB_VALS(db_uuid(account_id), db_blob(key)), &rows, err);

	if (found != 1)
		return found;
	body = aead_open(app->keys, a, context, db_get_str(&rows, 0, 0), err);
	if (body.p == NULL)
		return -1;
	body = aead_seal(app->keys, a, context, personal_scrub(a, p, PERSONAL_ALL_JSON, body), err);
	if (body.p == NULL)
		return -1;
	return db_exec(app->db, &idempotency_personal_put,
		   DB_VALS(db_blob(body), db_uuid(account_id), db_blob(key)), NULL, err) == -1
		   ? -1
		   : 1;
}

const struct personal_table idempotency_personal_table = {.name = "keptAnswers",
    .label = "Answers kept for repeated requests",
    .slice = idempotency_slice,
    .erase = idempotency_erase,
    .forms = {PERSONAL_ALL_JSON}};
