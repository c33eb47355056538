/* Settings: API keys. Data of "account/keys": {rows: [{id, name, prefix, may, status, is_live,
 * createdAt, lastUsedAt, expiresAt}], can_write} and paging; of "account/key-new": {name, expires,
 * areas: [{label, choices: [{value, label, is_on}]}], errors}; of "account/key-made": {name, key,
 * may}; of "account/key-revoke": a row. */
#include <string.h>

#include "account/account-internal.h"
#include "account/account-pages.h"
#include "base/clock.h"
#include "html/chrome.h"

#define ADDRESS "/admin/settings/api-keys"
#define KEYS_SHOWN 50

static const struct list keys_list = {"api-keys", filter_none, NULL};

/* ---- permissions as people read them --------------------------------------------------------- */

/* What stands before and behind the dot of a permission's name. */
static void permission_parts(const char *name, struct str *area, struct str *verb)
{
	struct str rest = str_from(name);

	str_split(&rest, '.', area);
	*verb = rest;
}

static const char *area_label(struct arena *a, struct str area)
{
	char *label;

	if (str_is(area, "crm"))
		return "CRM push";
	if (str_is(area, "proxy"))
		return "API proxy";
	label = arena_strndup(a, area.p, area.n);
	for (char *p = label; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	if (label[0] >= 'a' && label[0] <= 'z')
		label[0] = (char)(label[0] - 'a' + 'A');
	return label;
}

static const char *verb_label(struct str verb)
{
	return str_is(verb, "view") ? "View" : str_is(verb, "write") ? "Change" : "Run";
}

/* "Records: view, change; Leads: view" */
static const char *permissions_words(struct arena *a, uint64_t bits)
{
	struct buf *b = buf_new(a, 4096);
	struct str last = {NULL, 0};

	if (bits == permission_all())
		return "Everything";
	for (size_t i = 0; i < PERMISSION_COUNT; i++) {
		struct str area, verb;

		if ((bits & UINT64_C(1) << i) == 0)
			continue;
		permission_parts(permission_name(UINT64_C(1) << i), &area, &verb);
		if (last.p != NULL && str_eq(area, last))
			buf_str(b, ", ");
		else
			buf_printf(b, "%s%s: ", b->len > 0 ? "; " : "", area_label(a, area));
		buf_chr(b, (char)(verb_label(verb)[0] - 'A' + 'a'));
		buf_str(b, verb_label(verb) + 1);
		last = area;
	}
	return b->len == 0 ? "Nothing" : b->p;
}

/* What the actor may give away, area by area; on: what is ticked. */
static json_t *permission_areas(struct req *r, uint64_t on)
{
	json_t *areas = json_array(), *choices = NULL;
	struct str last = {NULL, 0};

	for (size_t i = 0; i < PERMISSION_COUNT; i++) {
		uint64_t bit = UINT64_C(1) << i;
		struct str area, verb;
		json_t *o;

		if ((r->actor.permissions & bit) == 0)
			continue;
		permission_parts(permission_name(bit), &area, &verb);
		if (last.p == NULL || !str_eq(area, last)) {
			o = json_object();
			choices = json_array();
			json_set_str(o, "label", area_label(r->a, area));
			json_set(o, "choices", choices);
			json_array_append_new(areas, o);
		}
		last = area;
		o = json_object();
		json_set_str(o, "value", permission_name(bit));
		json_set_str(o, "label", verb_label(verb));
		json_set_bool(o, "is_on", (on & bit) != 0);
		json_array_append_new(choices, o);
	}
	return areas;
}

/* ---- the list -------------------------------------------------------------------------------- */

static json_t *key_row(struct req *r, const struct account_key *k)
{
	int64_t now_us = clock_now_us();
	bool is_expired = k->expires_us != 0 && k->expires_us <= now_us;
	json_t *o = key_json(k);

	json_set_str(o, "may", permissions_words(r->a, k->permissions));
	json_set_bool(o, "is_live", k->revoked_us == 0 && !is_expired);
	json_set_str(o, "state", k->revoked_us != 0 ? "Revoked" : is_expired ? "Expired" : NULL);
	return o;
}

int key_page_list(struct req *r)
{
	json_t *data = json_own(r->a, json_object());
	struct account_key *keys;
	struct uuid account_id;
	struct slice s;
	struct err err = ERR_INIT;
	size_t n;

	if (!slice_read_page(r, &keys_list, &account_id, KEYS_SHOWN, &s))
		return res_redirect(r, ADDRESS);
	if (store_keys(r->app->db, r->a, &account_id, &s, &keys, &n, &err) == -1)
		return res_error(r, &err);
	s.rows = json_own(r->a, json_array());
	for (size_t i = 0; i < n; i++)
		json_array_append_new(s.rows, key_row(r, &keys[i]));
	chrome_slice(r, &s, data);
	json_set_bool(data, "can_write", (r->actor.permissions & PERMIT(SETTINGS_WRITE)) != 0);
	return chrome_settings(r, 200, "api-keys", "API keys", "account/keys", json_incref(data));
}

/* ---- a new one ------------------------------------------------------------------------------- */

static int key_form(struct req *r, int status, uint64_t on, const struct err *wrong)
{
	json_t *data = json_object();

	json_set_strn(data, "name", req_form(r, "name"));
	json_set_strn(data, "expires", req_form(r, "expires"));
	json_set(data, "areas", permission_areas(r, on));
	if (wrong != NULL)
		chrome_wrong(r, data,
		    strcmp(wrong->field, "expiresAt") == 0 ? "expires" : wrong->field, wrong->msg);
	return chrome_page(r, status, "settings", "New API key", "account/key-new", data);
}

int key_page_new(struct req *r)
{
	return key_form(r, 200, 0, NULL);
}

int key_page_create(struct req *r)
{
	struct str given = utf8_trim(req_form(r, "name"));
	const char *name = arena_strndup(r->a, given.p, given.n), *key;
	uint64_t bits = 0;
	int64_t expires_us;
	struct err err = ERR_INIT;
	struct uuid id;
	json_t *data;

	for (size_t i = 0; i < r->form.n; i++)
		if (str_is(r->form.v[i].name, "permission"))
			bits |= permission_parse(r->form.v[i].value);
	if (account_page_day_end(r, "expires", &expires_us, &err) == -1 ||
	    key_create_by(r->app, r->a, &r->actor.account_id, r, name, bits, expires_us, &id, &key,
		&err) == -1)
		return err.code == ERR_INVALID ? key_form(r, 422, bits, &err) : res_error(r, &err);
	data = json_object();
	json_set_str(data, "name", name);
	json_set_str(data, "key", key);
	json_set_str(data, "may", permissions_words(r->a, bits));
	json_set_time(data, "expiresAt", expires_us);
	return chrome_page(r, 200, "settings", "Your new API key", "account/key-made", data);
}

/* ---- its end --------------------------------------------------------------------------------- */

int key_page_revoke(struct req *r)
{
	struct account_key k;
	struct err err = ERR_INIT;
	struct uuid id;
	int found;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	found = store_key(r->app->db, r->a, &r->actor.account_id, &id, &k, &err);
	if (found == -1)
		return res_error(r, &err);
	if (found == 0)
		return res_problem(r, 404, "There is no such API key");
	return chrome_page(
	    r, 200, "settings", "Please confirm", "account/key-revoke", key_row(r, &k));
}

int key_page_revoke_post(struct req *r)
{
	struct err err = ERR_INIT;
	struct uuid id;
	int rc;

	if (!req_param_uuid(r, "id", &id))
		return 0;
	rc = account_key_revoke(r->app, r->a, r, &r->actor.account_id, &id, &err);
	if (rc == -1)
		return res_error(r, &err);
	if (rc == 0)
		return res_problem(r, 404, "There is no such API key");
	chrome_flash(r, "ok", "The key is revoked. Whatever used it is refused from now on.");
	return res_redirect(r, ADDRESS);
}
