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

struct key_insert {
	const struct account_key *key;
	struct digest hash;
	struct str permissions;
	struct uuid maker;
};

static int insert_key(struct db *db, void *arg, struct err *err)
{
	const struct key_insert *i = arg;

	return store_key_insert(db, i->key, &i->hash, i->permissions, &i->maker, err);
}

int key_create_by(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct req *r, const char *name, uint64_t permissions, int64_t expires_us,
    struct uuid *id, const char **key, struct err *err)
{
	char *text = arena_printf(a, KEY_START "%s", random_token(a, KEY_RANDOM_BYTES));
	json_t *names = json_own(a, permission_list_json(permissions));
	json_t *details = json_own(a, json_object());
	struct account_key k = {
	    .id = uuid_new(),
	    .account_id = *account_id,
	    .name = name,
	    .prefix = arena_strndup(a, text, KEY_PREFIX),
	    .permissions = permissions,
	    .created_us = clock_now_us(),
	    .expires_us = expires_us,
	};
	struct key_insert insert = {.key = &k, .hash = digest_of(str_from(text))};
	const struct audited_change change = {
	    app, r, account_id, &k.id, "api_key.create", "api_key", details, insert_key, &insert};

	if (key_name_check(str_from(name), err) == -1)
		return -1;
	if (r != NULL)
		insert.maker = r->actor.user_id;
	insert.permissions = json_text(a, names);
	json_set_str(details, "name", name);
	json_object_set(details, "permissions", names);
	if (audited_change(&change, err) != 0)
		return -1;
	*id = k.id;
	*key = text;
	return 0;
}

int key_name_check(struct str name, struct err *err)
{
	if (str_trim(name).n == 0 || name.n > LIMIT_NAME_BYTES || !utf8_is_valid(name))
		return err_field(
		    err, ERR_INVALID, "name", "must have 1 to %u bytes", LIMIT_NAME_BYTES);
	return 0;
}

struct key_revoke {
	const struct uuid *account_id, *id;
	bool was_live;
};

static int revoke_key(struct db *db, void *arg, struct err *err)
{
	struct key_revoke *k = arg;

	if (store_key_revoke(db, k->account_id, k->id, clock_now_us(), &k->was_live, err) != 0)
		return -1;
	return k->was_live ? 0 : 1;
}

int account_key_revoke(struct app *app, struct arena *a, const struct req *r,
    const struct uuid *account_id, const struct uuid *id, struct err *err)
{
	struct uuid owner;
	struct account_key k;
	struct key_revoke revoke = {.id = id};
	struct audited_change change = {
	    app, r, NULL, id, "api_key.revoke", "api_key", NULL, revoke_key, &revoke};
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
	revoke.account_id = change.account_id = account_id;
	if (audited_change(&change, err) != 0)
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
