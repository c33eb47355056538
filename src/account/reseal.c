#include "account/reseal.h"

#include "account/account-internal.h"
#include "base/log.h"
#include "crypto/aead.h"

DB_STMT(reseal_users_next,
    "SELECT id, totp_secret FROM users WHERE id > ? AND totp_secret IS NOT NULL ORDER BY id"
    " LIMIT 100");
DB_STMT(reseal_users_put, "UPDATE users SET totp_secret = ? WHERE id = ? AND totp_secret = ?");
DB_STMT(reseal_answers_next,
    "SELECT account_id, key_hash, body FROM idempotency_keys"
    " WHERE (account_id > ? OR (account_id = ? AND key_hash > ?)) AND body IS NOT NULL"
    " ORDER BY account_id, key_hash LIMIT 100");
DB_STMT(reseal_answers_put,
    "UPDATE idempotency_keys SET body = ? WHERE account_id = ? AND key_hash = ? AND body = ?");

DB_STMT(reseal_kept_next, "SELECT id, sealed FROM kept_keys WHERE id > ? ORDER BY id LIMIT 100");
DB_STMT(reseal_kept_put, "UPDATE kept_keys SET sealed = ? WHERE id = ? AND sealed = ?");

/* ---- walking --------------------------------------------------------------------------------- */

static void reseal_count(struct reseal *s, uint32_t id)
{
	size_t i = 0;

	while (i < s->nkeys && s->keys[i].id != id)
		i++;
	if (i == RESEAL_KEYS_MOST)
		return;
	if (i == s->nkeys)
		s->keys[s->nkeys++].id = id;
	s->keys[i].rows++;
}

static struct str reseal_context(
    struct arena *a, const struct reseal_column *column, const struct db_val *key)
{
	struct uuid id;

	if (column->context != NULL)
		return column->context(a, key);
	memcpy(id.b, key[0].s.p, sizeof(id.b));
	return str_from(arena_printf(a, "%s:%s", column->place, uuid_dup(a, id)));
}

static int reseal_row(struct app *app, struct arena *a, const struct reseal_column *column,
    const struct db_val *row, struct reseal *s, struct err *err)
{
	struct str blob = row[column->nkey].s, plain, sealed, context;
	struct db_val vals[RESEAL_KEY_MOST + 2];
	struct err why = ERR_INIT;
	uint64_t affected = 0;

	reseal_count(s, aead_key_id(blob));
	if (s->only_counts || blob.n == 0 || aead_key_id(blob) == keyring_sealing_id(app->keys))
		return 0;
	context = reseal_context(a, column, row);
	plain = aead_open(app->keys, a, context, blob, &why);
	if (plain.p == NULL) {
		s->failed++;
		log_warn("reseal.unreadable", LOG_S("column", column->put->name), LOG_ERR(&why));
		return 0;
	}
	sealed = aead_seal(app->keys, a, context, plain, err);
	if (sealed.p == NULL)
		return -1;
	vals[0] = db_blob(sealed);
	for (size_t i = 0; i < column->nkey; i++)
		vals[1 + i] = db_blob(row[i].s);
	vals[1 + column->nkey] = db_blob(blob);
	if (db_exec(app->db, column->put, vals, column->nkey + 2, &affected, err) == -1)
		return -1;
	s->sealed += affected;
	return 0;
}

/* Of a key of two parts the first stands twice: behind it, or the same and behind the second. */
static int reseal_slice(struct app *app, struct arena *a, const struct reseal_column *column,
    const struct db_val *after, struct db_rows *rows, struct err *err)
{
	if (column->nkey == 1)
		return db_query(app->db, a, column->next, after, 1, rows, err);
	return db_query(app->db, a, column->next, DB_VALS(after[0], after[0], after[1]), rows, err);
}

int reseal_column(
    struct app *app, const struct reseal_column *column, struct reseal *s, struct err *err)
{
	char last[RESEAL_KEY_MOST][64];
	struct db_val after[RESEAL_KEY_MOST] = {db_blob(STR("")), db_blob(STR(""))};
	struct arena *a = arena_new();
	struct db_rows rows;
	int rc = 0;

	do {
		rc = reseal_slice(app, a, column, after, &rows, err);
		for (size_t i = 0; rc == 0 && i < rows.count; i++)
			rc = reseal_row(app, a, column, db_cell(&rows, i, 0), s, err);
		for (size_t k = 0; rc == 0 && rows.count > 0 && k < column->nkey; k++) {
			struct str key = db_get_str(&rows, rows.count - 1, k);

			memcpy(last[k], key.p, key.n < sizeof(last[k]) ? key.n : sizeof(last[k]));
			after[k] = db_blob((struct str){last[k], key.n});
		}
		arena_reset(a);
	} while (rc == 0 && rows.count == RESEAL_ROWS);
	arena_free(a);
	return rc;
}

/* ---- what this room seals -------------------------------------------------------------------- */

static struct str user_context(struct arena *a, const struct db_val *key)
{
	struct uuid id;

	memcpy(id.b, key[0].s.p, sizeof(id.b));
	return totp_context(a, &id);
}

static struct str answer_context(struct arena *a, const struct db_val *key)
{
	struct uuid account;
	struct digest hash;

	memcpy(account.b, key[0].s.p, sizeof(account.b));
	memcpy(hash.b, key[1].s.p, sizeof(hash.b));
	return idempotency_context(a, &account, &hash);
}

int account_reseal(struct app *app, struct reseal *s, struct err *err)
{
	static const struct reseal_column columns[] = {
	    {&reseal_users_next, &reseal_users_put, 1, user_context, NULL},
	    {&reseal_answers_next, &reseal_answers_put, 2, answer_context, NULL},
	    {&reseal_kept_next, &reseal_kept_put, 1, NULL, "kept_keys"}};

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		if (reseal_column(app, &columns[i], s, err) == -1)
			return -1;
	return 0;
}
