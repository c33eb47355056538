/* The JSON handlers: token, me, API keys. */
#include "account/account-internal.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/limits.h"

/* ---- POST /auth/token ------------------------------------------------------------------------ */

struct token_request {
	struct str email, password, totp, account;
	const char *normal_email;
};

/* 0, or -1 with the answer given. */
static int token_request_read(struct req *r, struct token_request *out)
{
	static const struct json_member members[] = {
	    {"email", READ_TEXT, JSON_INTO(struct token_request, email), .need = READ_NEEDED},
	    {"password", READ_TEXT, JSON_INTO(struct token_request, password), .need = READ_NEEDED},
	    {"accountId", READ_TEXT, JSON_INTO(struct token_request, account),
		.need = READ_NULLABLE},
	    {"totp", READ_TEXT, JSON_INTO(struct token_request, totp), .need = READ_NULLABLE}};
	struct err err = ERR_INIT;

	if (!req_read_body(r, JSON_MEMBERS(members), out))
		return -1;
	if (req_has_invalid(r))
		return res_invalid(r), -1;
	out->normal_email = account_email_normal(r->a, out->email, &err);
	return out->normal_email == NULL ? res_error(r, &err), -1 : 0;
}

static int token_too_often(struct req *r, int64_t wait_s)
{
	res_headerf(r, "Retry-After", "%lld", (long long)wait_s);
	return res_problem(r, 429, "Too many sign-ins; try again in %lld s", (long long)wait_s);
}

static int token_answer(struct req *r, const struct account_member *m)
{
	struct err err = ERR_INIT;
	char *token = token_make(r->app, r->a, m, clock_now_us(), &err);
	json_t *o;

	if (token == NULL)
		return res_error(r, &err);
	/* The person is known now: the log shall name them. */
	actor_of_member(&r->actor, m);
	r->actor.kind = ACTOR_TOKEN;
	if (audit_fact_alone(
		r->app, r, &m->account_id, "token.create", "user", &m->user_id, NULL, &err) == -1)
		return res_error(r, &err);
	o = json_object();
	json_set_str(o, "accessToken", token);
	json_set_str(o, "tokenType", "Bearer");
	json_set_int(o, "expiresIn", r->app->config->jwt_ttl_s);
	json_set_str(o, "accountId", uuid_dup(r->a, m->account_id));
	res_header(r, "Cache-Control", "no-store");
	return res_json(r, 200, o);
}

int account_api_token(struct req *r)
{
	struct token_request q = {.totp = STR("")};
	struct account_member m;
	struct uuid account_id = {{0}};
	struct err err = ERR_INIT;
	int64_t wait_s;
	bool is_id;

	if (token_request_read(r, &q) == -1)
		return 0;
	is_id = uuid_parse(q.account, &account_id);
	wait_s = login_wait_s(r, q.normal_email);
	if (wait_s > 0)
		return token_too_often(r, wait_s);
	switch (login_check(r, q.normal_email, q.password, q.totp, &account_id, &m, &err)) {
	case LOGIN_OK:
		/* What is no id is no account of theirs either. */
		if (q.account.n > 0 && !is_id)
			break;
		return token_answer(r, &m);
	case LOGIN_WRONG:
		return res_problem(r, 401, "The email or the password is wrong");
	case LOGIN_WANTS_TOTP:
		return res_problem(r, 401, "The second factor is missing: send totp");
	case LOGIN_NO_ACCOUNT:
		break;
	case LOGIN_FAILED:
		return res_error(r, &err);
	}
	if (q.account.n == 0)
		return res_problem(r, 403, "This person belongs to no account");
	return res_problem(r, 404, "There is no such account");
}

/* ---- GET /me --------------------------------------------------------------------------------- */

int account_api_me(struct req *r)
{
	static const char *const kinds[] = {[ACTOR_NONE] = "",
	    [ACTOR_SESSION] = "session",
	    [ACTOR_KEY] = "key",
	    [ACTOR_TOKEN] = "token"};
	const struct actor *actor = &r->actor;
	json_t *o = json_object();

	json_set_str(o, "kind", kinds[actor->kind]);
	json_set_str(o, "accountId", uuid_dup(r->a, actor->account_id));
	json_set_str(o, "accountName", actor->account_name);
	if (actor->kind == ACTOR_KEY) {
		json_set_str(o, "keyId", uuid_dup(r->a, actor->key_id));
	} else {
		json_set_str(o, "userId", uuid_dup(r->a, actor->user_id));
		json_set_str(o, "email", actor->email);
		json_set_str(o, "role", actor->role);
	}
	json_set_str(o, "name", actor->name);
	json_set(o, "permissions", permission_list_json(actor->permissions));
	return res_json(r, 200, o);
}

/* ---- API keys -------------------------------------------------------------------------------- */

static int key_is_missing(struct req *r)
{
	return res_problem(r, 404, "There is no such API key");
}

int account_api_keys_list(struct req *r)
{
	static const struct list keys_list = {"api-keys", filter_none, NULL};
	struct account_key *keys;
	struct uuid account_id;
	struct slice s;
	struct err err = ERR_INIT;
	size_t n;

	if (!slice_read(r, &keys_list, &account_id, &s))
		return res_invalid(r);
	if (store_keys(r->app->db, r->a, &account_id, &s, &keys, &n, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, key_json(&keys[i]));
	return res_slice(r, &s);
}

/* The key of the path, of this account: 1, or 0 when the answer is given. */
static int key_wanted(struct req *r, struct account_key *k)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = store_key(r->app->db, r->a, &r->actor.account_id, &id, k, &err);
	if (found == -1)
		res_error(r, &err);
	else if (found == 0)
		key_is_missing(r);
	return found == 1;
}

int account_api_keys_get(struct req *r)
{
	struct account_key k;

	return key_wanted(r, &k) ? res_json(r, 200, key_json(&k)) : 0;
}

struct key_body {
	struct str name;
	json_t *permissions;
	struct opt_time expires;
};

/* Reads the members that are there over what *k holds; false with the answer given. */
static bool key_body_read(struct req *r, struct account_key *k)
{
	static const struct json_member members[] = {
	    {"name", READ_TEXT, JSON_INTO(struct key_body, name)},
	    {"permissions", READ_ANY, JSON_INTO(struct key_body, permissions)},
	    {"expiresAt", READ_TIME, JSON_INTO(struct key_body, expires), .need = READ_CLEARABLE}};
	struct key_body body = {.name = str_from(k->name)};
	struct err err = ERR_INIT;

	if (!req_read_body(r, JSON_MEMBERS(members), &body))
		return false;
	if (!req_has_invalid(r) && key_name_check(body.name, &err) == -1)
		req_invalid(r, "name", "%s", err.msg);
	err_clear(&err);
	if (body.permissions != NULL &&
	    permission_from_json(body.permissions, &k->permissions, &err) == -1)
		req_invalid(r, "permissions", "%s", err.msg);
	else if (k->permissions == 0)
		req_invalid(r, "permissions", "at least one is needed");
	if (body.expires.is_given && body.expires.us <= clock_now_us())
		req_invalid(r, "expiresAt", "must be a time to come");
	k->name = arena_strndup(r->a, body.name.p, body.name.n);
	if (json_object_get(r->json, "expiresAt") != NULL)
		k->expires_us = opt_time_or(body.expires, 0);
	if (req_has_invalid(r))
		res_invalid(r);
	return !req_has_invalid(r);
}

int account_api_keys_create(struct req *r)
{
	struct account_key k = {.name = ""}, made;
	struct err err = ERR_INIT;
	struct uuid id;
	const char *text;
	json_t *o;

	if (!key_body_read(r, &k))
		return 0;
	if (key_create_by(r->app, r->a, &r->actor.account_id, r, k.name, k.permissions,
		k.expires_us, &id, &text, &err) == -1 ||
	    store_key(r->app->db, r->a, &r->actor.account_id, &id, &made, &err) != 1)
		return res_error(r, &err);
	o = key_json(&made);
	json_set_str(o, "key", text);
	res_headerf(r, "Location", "/connect/v1/api-keys/%s", uuid_dup(r->a, id));
	res_header(r, "Cache-Control", "no-store");
	return res_json(r, 201, o);
}

int account_api_keys_update(struct req *r)
{
	struct account_key k;
	struct err err = ERR_INIT;
	uint64_t before;

	if (!key_wanted(r, &k))
		return 0;
	before = k.permissions;
	if (!key_body_read(r, &k))
		return 0;
	if (actor_grant_check(&r->actor, k.permissions & ~before, &err) == -1 ||
	    key_change(r, &k, &err) == -1)
		return res_error(r, &err);
	return res_json(r, 200, key_json(&k));
}

int account_api_keys_delete(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int rc;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	rc = account_key_revoke(r->app, r->a, r, &r->actor.account_id, &id, &err);
	if (rc == -1)
		return res_error(r, &err);
	return rc == 0 ? key_is_missing(r) : res_empty(r, 204);
}
