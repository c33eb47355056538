/* API keys: random, shown once, kept as SHA-256. */
#include "account/account-internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/random.h"

#define KEY_START "ck_"
#define KEY_RANDOM_BYTES 32u
#define KEY_TEXT 46u   /* with KEY_START */
#define KEY_PREFIX 11u /* as much as lists show */
#define USED_EVERY_US (60 * SECOND_US)

bool key_looks_right(struct str text)
{
	static const size_t start = sizeof(KEY_START) - 1;
	unsigned char raw[KEY_RANDOM_BYTES];

	return text.n == KEY_TEXT && str_starts(text, KEY_START) &&
	       base64url_decode(raw, sizeof(raw), (struct str){text.p + start, text.n - start}) ==
		   KEY_RANDOM_BYTES;
}

int account_key_create(struct app *app, struct arena *a, const struct uuid *account_id,
    const char *name, uint64_t permissions, int64_t expires_us, struct uuid *id, const char **key,
    struct err *err)
{
	int found = store_account_exists(app->db, a, account_id, err);

	if (found == -1)
		return -1;
	if (found == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no such account");
	return key_create_by(app, a, account_id, NULL, name, permissions, expires_us, id, key, err);
}

/* A key as the audit log shows it. */
static json_t *key_audited(struct arena *a, const struct account_key *k)
{
	json_t *o = json_own(a, json_object());

	json_set_str(o, "name", k->name);
	json_set(o, "permissions", permission_list_json(k->permissions));
	json_set_time(o, "expiresAt", k->expires_us);
	return o;
}

static struct str permissions_text(struct arena *a, const struct account_key *k)
{
	return json_text(a, json_own(a, permission_list_json(k->permissions)));
}

struct key_insert {
	struct arena *a;
	const struct account_key *key;
	struct digest hash;
	struct uuid maker;
};

static int key_insert_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct key_insert *i = arg;
	const struct account_key *k = i->key;

	if (store_key_insert(db, k, &i->hash, permissions_text(i->a, k), &i->maker, err) == -1)
		return -1;
	audit_note(log, "api_key.create", "api_key", &k->id, k->name, NULL, key_audited(i->a, k));
	return 0;
}

int key_create_by(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct req *r, const char *name, uint64_t permissions, int64_t expires_us,
    struct uuid *id, const char **key, struct err *err)
{
	char *text = arena_printf(a, KEY_START "%s", random_token(a, KEY_RANDOM_BYTES));
	struct account_key k = {
	    .id = uuid_new(),
	    .account_id = *account_id,
	    .name = name,
	    .prefix = arena_strndup(a, text, KEY_PREFIX),
	    .permissions = permissions,
	    .created_us = clock_now_us(),
	    .expires_us = expires_us,
	};
	struct key_insert insert = {.a = a, .key = &k, .hash = digest_of(str_from(text))};

	if (key_name_check(str_from(name), err) == -1)
		return -1;
	if (permissions == 0)
		return err_field(err, ERR_INVALID, "permissions", "at least one is needed");
	if (expires_us != 0 && expires_us <= k.created_us)
		return err_field(err, ERR_INVALID, "expiresAt", "must be a time to come");
	if (r != NULL) {
		if (actor_grant_check(&r->actor, permissions, err) == -1)
			return -1;
		insert.maker = r->actor.user_id;
	}
	if (audit_change(app, r, account_id, key_insert_body, &insert, err) == -1)
		return -1;
	*id = k.id;
	*key = text;
	return 0;
}

struct key_update {
	struct arena *a;
	const struct account_key *key;
};

static int key_update_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	const struct key_update *u = arg;
	const struct account_key *k = u->key;
	struct account_key old;
	int found = store_key_lock(db, u->a, &k->account_id, &k->id, &old, err);

	if (found != 1)
		return found == 0 ? 1 : -1;
	if (old.revoked_us != 0)
		return err_set(err, ERR_CONFLICT, "This key is revoked");
	if (store_key_update(db, k, permissions_text(u->a, k), err) == -1)
		return -1;
	audit_note(log, "api_key.update", "api_key", &k->id, k->name, key_audited(u->a, &old),
	    key_audited(u->a, k));
	return 0;
}

int key_change(struct req *r, const struct account_key *k, struct err *err)
{
	struct key_update u = {r->a, k};

	return audit_change(r->app, r, &k->account_id, key_update_body, &u, err);
}

int key_name_check(struct str name, struct err *err)
{
	if (utf8_trim(name).n == 0 || name.n > LIMIT_NAME_BYTES || !utf8_is_valid(name))
		return err_field(
		    err, ERR_INVALID, "name", "must have 1 to %u bytes", LIMIT_NAME_BYTES);
	return 0;
}

struct key_revoke {
	struct arena *a;
	const struct account_key *key;
	bool was_live;
};

static int key_revoke_body(struct db *db, struct audit *log, void *arg, struct err *err)
{
	struct key_revoke *v = arg;
	const struct account_key *k = v->key;
	json_t *before = json_own(v->a, json_object()), *after = json_own(v->a, json_object());
	int64_t now_us = clock_now_us();

	if (store_key_revoke(db, &k->account_id, &k->id, now_us, &v->was_live, err) == -1)
		return -1;
	if (!v->was_live)
		return 1;
	json_set_time(before, "revokedAt", 0);
	json_set_time(after, "revokedAt", now_us);
	audit_note(log, "api_key.revoke", "api_key", &k->id, k->name, before, after);
	return 0;
}

int account_key_revoke(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	struct uuid owner;
	struct account_key k;
	struct key_revoke revoke = {.a = a, .key = &k};
	int found;

	if (account_id == NULL) {
		found = store_key_account(app->db, a, id, &owner, err);
		if (found != 1)
			return found;
		account_id = &owner;
	}
	found = store_key(app->db, a, account_id, id, &k, err);
	if (found != 1)
		return found;
	if (audit_change(app, r, account_id, key_revoke_body, &revoke, err) == -1)
		return -1;
	return revoke.was_live ? 1 : 2;
}

int key_find(struct app *app, struct arena *a, const struct digest *hash, struct account_key *out,
    struct err *err)
{
	int64_t now_us = clock_now_us();
	struct err touch = ERR_INIT;
	int found = store_key_by_hash(app->db, a, hash, out, err);

	if (found != 1)
		return found;
	if (out->revoked_us != 0 || (out->expires_us != 0 && out->expires_us <= now_us))
		return 0;
	/* When it was last used is worth knowing, not worth refusing a request for. */
	if (out->last_used_us + USED_EVERY_US <= now_us &&
	    store_key_touch(app->db, &out->id, now_us, &touch) == -1)
		log_warn("api_key.touch", LOG_ERR(&touch));
	return 1;
}

json_t *key_json(const struct account_key *k)
{
	json_t *o = json_object();
	char id[UUID_TEXT];

	uuid_text(id, k->id);
	json_set_str(o, "id", id);
	json_set_str(o, "name", k->name);
	json_set_str(o, "prefix", k->prefix);
	json_set(o, "permissions", permission_list_json(k->permissions));
	json_set_time(o, "createdAt", k->created_us);
	json_set_time(o, "expiresAt", k->expires_us);
	json_set_time(o, "lastUsedAt", k->last_used_us);
	json_set_time(o, "revokedAt", k->revoked_us);
	return o;
}
