/* Every statement of the account module. */
#include "account/account-internal.h"
#include "base/clock.h"

/* ---- users, accounts, memberships ------------------------------------------------------------ */

DB_STMT(sql_user_by_email, "SELECT id, email, name, password_hash, totp_secret, disabled_at "
			   "FROM users WHERE email = ?");
enum { USER_ID, USER_EMAIL, USER_NAME, USER_PASSWORD_HASH, USER_TOTP_SECRET, USER_DISABLED };
DB_STMT(sql_user_insert, "INSERT INTO users (id, email, name, password_hash, created_at) "
			 "VALUES (?, ?, ?, ?, ?)");
DB_STMT(sql_user_password, "UPDATE users SET password_hash = ? WHERE id = ?");
DB_STMT(sql_user_tokens_end, "UPDATE users SET token_epoch = token_epoch + 1 WHERE id = ?");
DB_STMT(sql_user_any, "SELECT id FROM users LIMIT 1");
DB_STMT(sql_account_insert, "INSERT INTO accounts (id, name, settings, created_at) "
			    "VALUES (?, ?, '{}', ?)");
DB_STMT(sql_account_exists, "SELECT id FROM accounts WHERE id = ?");
DB_STMT(sql_member_set, "INSERT INTO memberships (account_id, user_id, role, created_at) "
			"VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE role = VALUES(role)");
#define MEMBER_COLUMNS                                                                             \
	"m.account_id, m.user_id, a.name, m.role, u.email, u.name, u.password_hash, a.settings,"   \
	" u.zone, u.token_epoch,"                                                                  \
	" (SELECT COUNT(*) FROM memberships o WHERE o.user_id = m.user_id)"
enum {
	MEMBER_ACCOUNT_ID,
	MEMBER_USER_ID,
	MEMBER_ACCOUNT_NAME,
	MEMBER_ROLE,
	MEMBER_EMAIL,
	MEMBER_NAME,
	MEMBER_PASSWORD_HASH,
	MEMBER_ACCOUNT_SETTINGS,
	MEMBER_ZONE,
	MEMBER_TOKEN_EPOCH,
	MEMBER_ACCOUNTS,
	MEMBER_MORE /* the first column that a statement adds */
};
DB_STMT(sql_member, "SELECT " MEMBER_COLUMNS " FROM memberships m JOIN users u ON u.id = m.user_id "
		    "JOIN accounts a ON a.id = m.account_id "
		    "WHERE m.account_id = ? AND m.user_id = ? AND u.disabled_at IS NULL");
DB_STMT(sql_member_oldest,
    "SELECT " MEMBER_COLUMNS " FROM memberships m JOIN users u ON u.id = m.user_id "
    "JOIN accounts a ON a.id = m.account_id "
    "WHERE m.user_id = ? AND u.disabled_at IS NULL "
    "ORDER BY m.created_at, m.account_id LIMIT 1");
DB_STMT(sql_accounts, "SELECT a.id, a.name, a.created_at, "
		      "(SELECT COUNT(*) FROM memberships m WHERE m.account_id = a.id) "
		      "FROM accounts a ORDER BY a.id LIMIT 10000");
enum { ACCOUNT_ID, ACCOUNT_NAME, ACCOUNT_CREATED, ACCOUNT_USERS };

static struct db_val digest_val(const struct digest *d)
{
	return db_blob((struct str){(const char *)d->b, sizeof(d->b)});
}

static struct digest digest_get(const struct db_rows *r, size_t row, size_t column)
{
	struct str s = db_get_str(r, row, column);
	struct digest d = {{0}};

	if (s.n == sizeof(d.b))
		memcpy(d.b, s.p, sizeof(d.b));
	return d;
}

/* 1 when exactly this call changed a row. */
static int exec_took_one(
    struct db *db, const struct db_stmt *s, const struct db_val *vals, size_t n, struct err *err)
{
	uint64_t affected = 0;

	if (db_exec(db, s, vals, n, &affected, err) == -1)
		return -1;
	return affected > 0;
}

int store_user_by_email(
    struct db *db, struct arena *a, const char *email, struct account_user *out, struct err *err)
{
	struct db_rows r;
	int found = db_row(db, a, &sql_user_by_email, DB_VALS(db_str(email)), &r, err);

	if (found != 1)
		return found;
	*out = (struct account_user){
	    .id = db_get_uuid(&r, 0, USER_ID),
	    .email = db_get_text(&r, 0, USER_EMAIL),
	    .name = db_get_text(&r, 0, USER_NAME),
	    .password_hash = db_get_text(&r, 0, USER_PASSWORD_HASH),
	    .is_disabled = !db_is_null(&r, 0, USER_DISABLED),
	};
	if (!db_is_null(&r, 0, USER_TOTP_SECRET))
		out->totp_secret = db_get_str(&r, 0, USER_TOTP_SECRET);
	return 1;
}

int store_user_insert(struct db *db, const struct uuid *id, const char *email, const char *name,
    const char *password_hash, int64_t now_us, struct err *err)
{
	return db_exec(db, &sql_user_insert,
	    DB_VALS(
		db_uuid(id), db_str(email), db_str(name), db_str(password_hash), db_int(now_us)),
	    NULL, err);
}

int store_user_password(
    struct db *db, const struct uuid *id, const char *password_hash, struct err *err)
{
	return db_exec(
	    db, &sql_user_password, DB_VALS(db_str(password_hash), db_uuid(id)), NULL, err);
}

int store_user_tokens_end(struct db *db, const struct uuid *id, struct err *err)
{
	return db_exec(db, &sql_user_tokens_end, DB_VALS(db_uuid(id)), NULL, err);
}

int store_user_any(struct db *db, struct arena *a, bool *is_there, struct err *err)
{
	struct db_rows r;
	int found = db_row(db, a, &sql_user_any, NULL, 0, &r, err);

	*is_there = found == 1;
	return found == -1 ? -1 : 0;
}

int store_account_insert(
    struct db *db, const struct uuid *id, const char *name, int64_t now_us, struct err *err)
{
	return db_exec(
	    db, &sql_account_insert, DB_VALS(db_uuid(id), db_str(name), db_int(now_us)), NULL, err);
}

int store_account_exists(struct db *db, struct arena *a, const struct uuid *id, struct err *err)
{
	struct db_rows r;

	return db_row(db, a, &sql_account_exists, DB_VALS(db_uuid(id)), &r, err);
}

int store_member_set(struct db *db, const struct uuid *account_id, const struct uuid *user_id,
    const char *role, int64_t now_us, struct err *err)
{
	return db_exec(db, &sql_member_set,
	    DB_VALS(db_uuid(account_id), db_uuid(user_id), db_str(role), db_int(now_us)), NULL,
	    err);
}

static void member_read(struct arena *a, const struct db_rows *r, struct account_member *out)
{
	json_t *settings = account_settings_read(a, db_get_str(r, 0, MEMBER_ACCOUNT_SETTINGS));

	*out = (struct account_member){
	    .account_id = db_get_uuid(r, 0, MEMBER_ACCOUNT_ID),
	    .user_id = db_get_uuid(r, 0, MEMBER_USER_ID),
	    .account_name = db_get_text(r, 0, MEMBER_ACCOUNT_NAME),
	    .role = db_get_text(r, 0, MEMBER_ROLE),
	    .email = db_get_text(r, 0, MEMBER_EMAIL),
	    .name = db_get_text(r, 0, MEMBER_NAME),
	    .password_hash = db_get_text(r, 0, MEMBER_PASSWORD_HASH),
	    .token_epoch = db_get_int(r, 0, MEMBER_TOKEN_EPOCH),
	    .has_other_accounts = db_get_int(r, 0, MEMBER_ACCOUNTS) > 1,
	    .account_zone = zone_find(str_from(json_str(settings, "zone"))),
	};
	out->zone = db_is_null(r, 0, MEMBER_ZONE) ? out->account_zone
						  : zone_find(db_get_str(r, 0, MEMBER_ZONE));
}

int store_member(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *user_id, struct account_member *out, struct err *err)
{
	struct db_rows r;
	int found;

	if (uuid_is_nil(*account_id))
		found = db_row(db, a, &sql_member_oldest, DB_VALS(db_uuid(user_id)), &r, err);
	else
		found = db_row(
		    db, a, &sql_member, DB_VALS(db_uuid(account_id), db_uuid(user_id)), &r, err);
	if (found == 1)
		member_read(a, &r, out);
	return found;
}

DB_STMT(sql_memberships_of, "SELECT a.id, a.name, m.role FROM memberships m"
			    " JOIN accounts a ON a.id = m.account_id WHERE m.user_id = ?"
			    " ORDER BY a.name, a.id LIMIT 200");
enum { OF_ACCOUNT_ID, OF_ACCOUNT_NAME, OF_ROLE };

int store_accounts_of(struct db *db, struct arena *a, const struct uuid *user_id,
    struct account_of_person **out, size_t *n, struct err *err)
{
	struct db_rows r;

	if (db_query(db, a, &sql_memberships_of, DB_VALS(db_uuid(user_id)), &r, err) == -1)
		return -1;
	*n = r.count;
	*out = arena_array(a, r.count + 1, sizeof(**out));
	for (size_t i = 0; i < r.count; i++)
		(*out)[i] = (struct account_of_person){db_get_uuid(&r, i, OF_ACCOUNT_ID),
		    db_get_text(&r, i, OF_ACCOUNT_NAME), db_get_text(&r, i, OF_ROLE)};
	return 0;
}

json_t *account_list_json(struct app *app, struct arena *a, struct err *err)
{
	struct db_rows r;
	json_t *list;

	if (db_query(app->db, a, &sql_accounts, NULL, 0, &r, err) == -1)
		return NULL;
	list = json_own(a, json_array());
	for (size_t i = 0; i < r.count; i++) {
		json_t *item = json_object();

		json_set_str(item, "id", uuid_dup(a, db_get_uuid(&r, i, ACCOUNT_ID)));
		json_set_str(item, "name", db_get_text(&r, i, ACCOUNT_NAME));
		json_set_time(item, "createdAt", db_get_int(&r, i, ACCOUNT_CREATED));
		json_set_int(item, "users", db_get_int(&r, i, ACCOUNT_USERS));
		json_array_append_new(list, item);
	}
	return list;
}

/* ---- sessions -------------------------------------------------------------------------------- */

DB_STMT(sql_session_insert, "INSERT INTO sessions (id, account_id, user_id, csrf, remote_addr, "
			    "user_agent, created_at, last_seen_at, expires_at) "
			    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_STMT(sql_session, "SELECT " MEMBER_COLUMNS ", s.csrf, s.last_seen_at, s.expires_at "
		     "FROM sessions s "
		     "JOIN memberships m ON m.account_id = s.account_id AND m.user_id = s.user_id "
		     "JOIN users u ON u.id = s.user_id JOIN accounts a ON a.id = s.account_id "
		     "WHERE s.id = ? AND u.disabled_at IS NULL");
enum { SESSION_CSRF = MEMBER_MORE, SESSION_LAST_SEEN, SESSION_EXPIRES };
DB_STMT(sql_session_touch, "UPDATE sessions SET last_seen_at = ? "
			   "WHERE id = ? AND last_seen_at < ?");
DB_STMT(sql_session_delete, "DELETE FROM sessions WHERE id = ?");
DB_STMT(sql_sessions_delete_of, "DELETE FROM sessions WHERE user_id = ?");
/* A session's name in lists is the beginning of its id. */
DB_STMT(sql_sessions_delete_others, "DELETE FROM sessions WHERE user_id = ? AND LEFT(id, 16) <> ?");
DB_STMT(sql_session_delete_own, "DELETE FROM sessions WHERE user_id = ? AND LEFT(id, 16) = ?");
DB_STMT(sql_sessions_own,
    "SELECT LEFT(id, 16), remote_addr, user_agent, created_at, last_seen_at FROM sessions"
    " WHERE user_id = ? AND expires_at > ? AND last_seen_at > ? ORDER BY last_seen_at DESC, id"
    " LIMIT 100");
enum { OWN_HANDLE, OWN_ADDRESS, OWN_AGENT, OWN_CREATED, OWN_SEEN };

int store_session_insert(struct db *db, const struct digest *id, const struct account_member *m,
    const char *csrf, struct str remote_addr, struct str user_agent, int64_t now_us,
    int64_t expires_us, struct err *err)
{
	return db_exec(db, &sql_session_insert,
	    DB_VALS(digest_val(id), db_uuid(&m->account_id), db_uuid(&m->user_id), db_str(csrf),
		db_strn(remote_addr), db_strn(user_agent), db_int(now_us), db_int(now_us),
		db_int(expires_us)),
	    NULL, err);
}

int store_session(struct db *db, struct arena *a, const struct digest *id,
    struct account_session *out, struct err *err)
{
	struct db_rows r;
	int found = db_row(db, a, &sql_session, DB_VALS(digest_val(id)), &r, err);

	if (found != 1)
		return found;
	member_read(a, &r, &out->member);
	out->csrf = db_get_text(&r, 0, SESSION_CSRF);
	out->last_seen_us = db_get_int(&r, 0, SESSION_LAST_SEEN);
	out->expires_us = db_get_int(&r, 0, SESSION_EXPIRES);
	return 1;
}

int store_session_touch(struct db *db, const struct digest *id, int64_t now_us, struct err *err)
{
	return db_exec(db, &sql_session_touch,
	    DB_VALS(db_int(now_us), digest_val(id), db_int(now_us)), NULL, err);
}

int store_session_delete(struct db *db, const struct digest *id, struct err *err)
{
	return db_exec(db, &sql_session_delete, DB_VALS(digest_val(id)), NULL, err);
}

int store_sessions_delete_of(struct db *db, const struct uuid *user_id, struct err *err)
{
	return db_exec(db, &sql_sessions_delete_of, DB_VALS(db_uuid(user_id)), NULL, err);
}

int store_sessions_delete_others(
    struct db *db, const struct uuid *user_id, const struct uuid *handle, struct err *err)
{
	return db_exec(
	    db, &sql_sessions_delete_others, DB_VALS(db_uuid(user_id), db_uuid(handle)), NULL, err);
}

int store_session_delete_own(
    struct db *db, const struct uuid *user_id, const struct uuid *handle, struct err *err)
{
	return exec_took_one(
	    db, &sql_session_delete_own, DB_VALS(db_uuid(user_id), db_uuid(handle)), err);
}

int store_sessions_own(struct db *db, struct arena *a, const struct uuid *user_id, int64_t now_us,
    int64_t idle_us, struct session_row **out, size_t *n, struct err *err)
{
	struct db_rows r;

	if (db_query(db, a, &sql_sessions_own,
		DB_VALS(db_uuid(user_id), db_int(now_us), db_int(now_us - idle_us)), &r, err) == -1)
		return -1;
	*n = r.count;
	*out = arena_array(a, r.count + 1, sizeof(**out));
	for (size_t i = 0; i < r.count; i++)
		(*out)[i] = (struct session_row){
		    .handle = db_get_uuid(&r, i, OWN_HANDLE),
		    .remote_addr = db_get_text(&r, i, OWN_ADDRESS),
		    .user_agent = db_get_text(&r, i, OWN_AGENT),
		    .created_us = db_get_int(&r, i, OWN_CREATED),
		    .seen_us = db_get_int(&r, i, OWN_SEEN),
		};
	return 0;
}

/* ---- API keys -------------------------------------------------------------------------------- */

#define KEY_COLUMNS                                                                                \
	"SELECT k.id, k.account_id, k.name, k.prefix, a.name, k.permissions, k.created_at, "       \
	"k.expires_at, k.last_used_at, k.revoked_at "                                              \
	"FROM api_keys k JOIN accounts a ON a.id = k.account_id "
enum {
	KEY_ID,
	KEY_ACCOUNT,
	KEY_NAME,
	KEY_PREFIX,
	KEY_ACCOUNT_NAME,
	KEY_PERMISSIONS,
	KEY_CREATED_AT,
	KEY_EXPIRES_AT,
	KEY_LAST_USED_AT,
	KEY_REVOKED_AT
};

DB_STMT(sql_key_insert, "INSERT INTO api_keys (id, account_id, name, key_hash, prefix, "
			"permissions, created_by, created_at, expires_at) "
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
DB_STMT(sql_key_by_hash, KEY_COLUMNS "WHERE k.key_hash = ?");
DB_STMT(sql_key, KEY_COLUMNS "WHERE k.account_id = ? AND k.id = ?");
DB_STMT(sql_key_lock, "SELECT id FROM api_keys WHERE account_id = ? AND id = ? FOR UPDATE");
DB_STMT(sql_keys, KEY_COLUMNS "WHERE k.account_id = ? AND k.id < ? "
			      "ORDER BY k.id DESC LIMIT ? OFFSET ?");
DB_STMT(sql_keys_count, "SELECT COUNT(*) FROM api_keys WHERE account_id = ?");
DB_STMT(sql_key_touch, "UPDATE api_keys SET last_used_at = ? "
		       "WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)");
DB_STMT(sql_key_update, "UPDATE api_keys SET name = ?, permissions = ?, expires_at = ? "
			"WHERE account_id = ? AND id = ?");
DB_STMT(sql_key_revoke, "UPDATE api_keys SET revoked_at = ? "
			"WHERE account_id = ? AND id = ? AND revoked_at IS NULL");
DB_STMT(sql_key_account, "SELECT account_id FROM api_keys WHERE id = ?");

/* Names that this version does not know grant nothing. */
static uint64_t permissions_read(struct arena *a, struct str text)
{
	const json_t *list = json_parse(a, text, NULL);
	uint64_t bits = 0;
	size_t i;
	json_t *item;

	json_array_each(list, i, item)
		bits |= permission_parse(str_from(json_string_value(item)));
	return bits;
}

static void key_read(struct arena *a, const struct db_rows *r, size_t row, struct account_key *out)
{
	*out = (struct account_key){
	    .id = db_get_uuid(r, row, KEY_ID),
	    .account_id = db_get_uuid(r, row, KEY_ACCOUNT),
	    .name = db_get_text(r, row, KEY_NAME),
	    .prefix = db_get_text(r, row, KEY_PREFIX),
	    .account_name = db_get_text(r, row, KEY_ACCOUNT_NAME),
	    .permissions = permissions_read(a, db_get_str(r, row, KEY_PERMISSIONS)),
	    .created_us = db_get_int(r, row, KEY_CREATED_AT),
	    .expires_us = db_get_int(r, row, KEY_EXPIRES_AT),
	    .last_used_us = db_get_int(r, row, KEY_LAST_USED_AT),
	    .revoked_us = db_get_int(r, row, KEY_REVOKED_AT),
	};
}

int store_key_insert(struct db *db, const struct account_key *k, const struct digest *hash,
    struct str permissions, const struct uuid *created_by, struct err *err)
{
	return db_exec(db, &sql_key_insert,
	    DB_VALS(db_uuid(&k->id), db_uuid(&k->account_id), db_str(k->name), digest_val(hash),
		db_str(k->prefix), db_strn(permissions), db_uuid_or_null(created_by),
		db_int(k->created_us), db_time(k->expires_us)),
	    NULL, err);
}

int store_key_by_hash(struct db *db, struct arena *a, const struct digest *hash,
    struct account_key *out, struct err *err)
{
	struct db_rows r;
	int found = db_row(db, a, &sql_key_by_hash, DB_VALS(digest_val(hash)), &r, err);

	if (found == 1)
		key_read(a, &r, 0, out);
	return found;
}

int store_key(struct db *db, struct arena *a, const struct uuid *account_id, const struct uuid *id,
    struct account_key *out, struct err *err)
{
	struct db_rows r;
	int found = db_row(db, a, &sql_key, DB_VALS(db_uuid(account_id), db_uuid(id)), &r, err);

	if (found == 1)
		key_read(a, &r, 0, out);
	return found;
}

int store_key_lock(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct account_key *out, struct err *err)
{
	struct db_rows r;
	int found =
	    db_row(db, a, &sql_key_lock, DB_VALS(db_uuid(account_id), db_uuid(id)), &r, err);

	return found == 1 ? store_key(db, a, account_id, id, out, err) : found;
}

int store_key_touch(struct db *db, const struct uuid *id, int64_t now_us, struct err *err)
{
	return db_exec(
	    db, &sql_key_touch, DB_VALS(db_int(now_us), db_uuid(id), db_int(now_us)), NULL, err);
}

int store_keys(struct db *db, struct arena *a, const struct uuid *account_id, struct slice *s,
    struct account_key **out, size_t *n, struct err *err)
{
	struct cursor from = slice_from(s);
	struct db_rows r, count;

	if (db_query(db, a, &sql_keys,
		DB_VALS(db_uuid(account_id), db_uuid(&from.id), db_int(slice_limit(s)),
		    db_int(s->offset)),
		&r, err) == -1 ||
	    db_row(db, a, &sql_keys_count, DB_VALS(db_uuid(account_id)), &count, err) != 1)
		return -1;
	s->total = db_get_int(&count, 0, 0);
	*n = slice_fill(s, &r, SLICE_BY_ID, KEY_ID);
	*out = arena_array(a, *n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		key_read(a, &r, i, &(*out)[i]);
	return 0;
}

int store_key_update(
    struct db *db, const struct account_key *k, struct str permissions, struct err *err)
{
	return db_exec(db, &sql_key_update,
	    DB_VALS(db_str(k->name), db_strn(permissions), db_time(k->expires_us),
		db_uuid(&k->account_id), db_uuid(&k->id)),
	    NULL, err);
}

int store_key_revoke(struct db *db, const struct uuid *account_id, const struct uuid *id,
    int64_t now_us, bool *was_live, struct err *err)
{
	int took = exec_took_one(
	    db, &sql_key_revoke, DB_VALS(db_int(now_us), db_uuid(account_id), db_uuid(id)), err);

	*was_live = took == 1;
	return took == -1 ? -1 : 0;
}

int store_key_account(
    struct db *db, struct arena *a, const struct uuid *id, struct uuid *account_id, struct err *err)
{
	struct db_rows r;
	int found = db_row(db, a, &sql_key_account, DB_VALS(db_uuid(id)), &r, err);

	if (found == 1)
		*account_id = db_get_uuid(&r, 0, 0);
	return found;
}

/* ---- one-time tokens ------------------------------------------------------------------------- */

DB_STMT(sql_once_insert, "INSERT INTO one_time_tokens (id, purpose, created_at, expires_at) "
			 "VALUES (?, ?, ?, ?)");
DB_STMT(sql_once_valid, "SELECT expires_at FROM one_time_tokens "
			"WHERE id = ? AND purpose = ? AND used_at IS NULL AND expires_at > ?");
DB_STMT(sql_once_take, "UPDATE one_time_tokens SET used_at = ? "
		       "WHERE id = ? AND purpose = ? AND used_at IS NULL AND expires_at > ?");

int store_once_insert(struct db *db, const struct digest *id, const char *purpose, int64_t now_us,
    int64_t expires_us, struct err *err)
{
	return db_exec(db, &sql_once_insert,
	    DB_VALS(digest_val(id), db_str(purpose), db_int(now_us), db_int(expires_us)), NULL,
	    err);
}

int store_once_valid(struct db *db, struct arena *a, const struct digest *id, const char *purpose,
    int64_t now_us, struct err *err)
{
	struct db_rows r;

	return db_row(db, a, &sql_once_valid,
	    DB_VALS(digest_val(id), db_str(purpose), db_int(now_us)), &r, err);
}

int store_once_take(
    struct db *db, const struct digest *id, const char *purpose, int64_t now_us, struct err *err)
{
	return exec_took_one(db, &sql_once_take,
	    DB_VALS(db_int(now_us), digest_val(id), db_str(purpose), db_int(now_us)), err);
}

/* ---- idempotency keys ------------------------------------------------------------------------ */

DB_STMT(sql_idempotency_insert, "INSERT INTO idempotency_keys "
				"(account_id, key_hash, request_hash, created_at) "
				"VALUES (?, ?, ?, ?)");
DB_STMT(sql_idempotency, "SELECT request_hash, status, content_type, headers, body, created_at "
			 "FROM idempotency_keys WHERE account_id = ? AND key_hash = ?");
enum {
	IDEMPOTENCY_REQUEST,
	IDEMPOTENCY_STATUS,
	IDEMPOTENCY_CONTENT_TYPE,
	IDEMPOTENCY_HEADERS,
	IDEMPOTENCY_BODY,
	IDEMPOTENCY_CREATED
};
DB_STMT(sql_idempotency_take_over,
    "UPDATE idempotency_keys SET request_hash = ?, status = NULL, content_type = NULL, "
    "headers = NULL, body = NULL, created_at = ? "
    "WHERE account_id = ? AND key_hash = ? AND created_at = ?");
DB_STMT(sql_idempotency_finish,
    "UPDATE idempotency_keys SET status = ?, content_type = ?, headers = ?, body = ? "
    "WHERE account_id = ? AND key_hash = ? AND created_at = ?");
DB_STMT(sql_idempotency_delete, "DELETE FROM idempotency_keys "
				"WHERE account_id = ? AND key_hash = ? AND created_at = ?");

int store_idempotency_insert(struct db *db, const struct uuid *account_id, const struct digest *key,
    const struct digest *request, int64_t now_us, struct err *err)
{
	struct err local = ERR_INIT;

	if (db_exec(db, &sql_idempotency_insert,
		DB_VALS(db_uuid(account_id), digest_val(key), digest_val(request), db_int(now_us)),
		NULL, &local) == 0)
		return 1;
	if (local.code == ERR_CONFLICT)
		return 0;
	return err_set(err, local.code, "%s", local.msg);
}

int store_idempotency(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct digest *key, struct idempotency_row *out, struct err *err)
{
	struct db_rows r;
	int found =
	    db_row(db, a, &sql_idempotency, DB_VALS(db_uuid(account_id), digest_val(key)), &r, err);

	if (found != 1)
		return found;
	*out = (struct idempotency_row){
	    .request = digest_get(&r, 0, IDEMPOTENCY_REQUEST),
	    .status = db_get_int(&r, 0, IDEMPOTENCY_STATUS),
	    .content_type = db_get_text(&r, 0, IDEMPOTENCY_CONTENT_TYPE),
	    .headers = db_get_text(&r, 0, IDEMPOTENCY_HEADERS),
	    .body = db_get_str(&r, 0, IDEMPOTENCY_BODY),
	    .created_us = db_get_int(&r, 0, IDEMPOTENCY_CREATED),
	};
	return 1;
}

int store_idempotency_take_over(struct db *db, const struct uuid *account_id,
    const struct digest *key, const struct digest *request, int64_t seen_us, int64_t now_us,
    struct err *err)
{
	return exec_took_one(db, &sql_idempotency_take_over,
	    DB_VALS(digest_val(request), db_int(now_us), db_uuid(account_id), digest_val(key),
		db_int(seen_us)),
	    err);
}

int store_idempotency_finish(struct db *db, const struct uuid *account_id, const struct digest *key,
    const struct idempotency_row *row, struct err *err)
{
	return db_exec(db, &sql_idempotency_finish,
	    DB_VALS(db_int(row->status), db_str(row->content_type), db_str(row->headers),
		db_blob(row->body), db_uuid(account_id), digest_val(key), db_int(row->created_us)),
	    NULL, err);
}

int store_idempotency_delete(struct db *db, const struct uuid *account_id, const struct digest *key,
    int64_t created_us, struct err *err)
{
	return db_exec(db, &sql_idempotency_delete,
	    DB_VALS(db_uuid(account_id), digest_val(key), db_int(created_us)), NULL, err);
}

/* ---- cleaning up ----------------------------------------------------------------------------- */

#define IDEMPOTENCY_KEPT_US DAY_US
#define LINKS_KEPT_US (30 * DAY_US) /* an invitation that ran out can still be renewed */

DB_STMT(sql_purge_sessions, "DELETE FROM sessions WHERE expires_at < ?" DB_PURGE_LIMIT);
DB_STMT(sql_purge_idle, "DELETE FROM sessions WHERE last_seen_at < ?" DB_PURGE_LIMIT);
DB_STMT(sql_purge_idempotency, "DELETE FROM idempotency_keys WHERE created_at < ?" DB_PURGE_LIMIT);
DB_STMT(sql_purge_once, "DELETE FROM one_time_tokens WHERE expires_at < ?" DB_PURGE_LIMIT);

int store_purge(struct db *db, int64_t now_us, int64_t idle_us, int64_t until_us, struct err *err)
{
	const struct {
		const struct db_stmt *stmt;
		int64_t before_us;
	} tables[] = {{&sql_purge_sessions, now_us}, {&sql_purge_idle, now_us - idle_us},
	    {&sql_purge_idempotency, now_us - IDEMPOTENCY_KEPT_US},
	    {&sql_purge_once, now_us - LINKS_KEPT_US}};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
		rc = db_purge(
		    db, tables[i].stmt, DB_VALS(db_int(tables[i].before_us)), until_us, err);
	return rc;
}
