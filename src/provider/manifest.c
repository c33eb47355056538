/* Manifests: a file of a directory each, read once at start. This file has the top level and what
 * is small. */
#include "base/file.h"
#include "provider/provider-internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/limits.h"

struct providers {
	struct map *by_name;
	const struct provider **sorted;
	size_t n;
};

#define ROOTS_CONNECTION (ROOT_BIT(ROOT_SETTINGS))

int manifest_texts(
    struct loader *l, const json_t *object, const char *key, const char ***out, size_t *n)
{
	const json_t *list = json_object_get(object, key);
	size_t i;
	json_t *v;

	*out = NULL;
	*n = 0;
	if (list == NULL)
		return 0;
	size_t mark = loader_enter(l, key);
	if (!json_is_array(list))
		return loader_fail(l, "must be a list of texts");
	*out = arena_array(l->a, json_array_size(list) + 1, sizeof(char *));
	json_array_each(list, i, v) {
		if (!json_is_string(v))
			return loader_fail(l, "must be a list of texts");
		(*out)[(*n)++] = arena_strdup(l->a, json_string_value(v));
	}
	loader_leave(l, mark);
	return 0;
}

bool manifest_has_credential(const struct provider *p, const char *key)
{
	for (size_t i = 0; i < p->ncredentials; i++)
		if (strcmp(p->credentials[i].key, key) == 0)
			return true;
	return false;
}

/* ---- credentials -------------------------------------------------------------------------- */

static bool is_credential_key(const char *key)
{
	static const char *const vocabulary[] = {"accessToken", "refreshToken", "apiKey",
	    "apiSecret", "accountSid", "username", "password", "webhookSecret", "verifyToken"};

	for (size_t i = 0; i < sizeof vocabulary / sizeof *vocabulary; i++)
		if (strcmp(vocabulary[i], key) == 0)
			return true;
	return false;
}

int manifest_credentials(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const keys[] = {"label", "help", "needed", NULL};
	json_t *all = json_object_get(json, "credentials"), *v;
	const char *key;

	if (all == NULL)
		return 0;
	size_t mark = loader_enter(l, "credentials");
	if (!json_is_object(all))
		return loader_fail(l, "must be an object");
	p->credentials = arena_array(l->a, json_object_size(all) + 1, sizeof *p->credentials);
	json_object_each(all, key, v) {
		struct credential_spec *c = &p->credentials[p->ncredentials++];
		size_t inner = loader_enter(l, key);

		c->key = arena_strdup(l->a, key);
		if (!is_credential_key(key))
			return loader_fail(l, "not a word of the credential vocabulary");
		if (loader_object(l, v, keys) == -1 ||
		    loader_text(l, v, "label", true, &c->label) == -1 ||
		    loader_text(l, v, "help", false, &c->help) == -1 ||
		    loader_bool(l, v, "needed", &c->is_needed) == -1)
			return -1;
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

static int credential_rule(
    struct loader *l, struct provider *p, const json_t *v, struct credential_rule *r)
{
	static const char *const keys[] = {"when", "all", "any", NULL};

	r->is_any = json_object_get(v, "any") != NULL;
	if (loader_object(l, v, keys) == -1 || cond_member(l, v, "when", &r->when) == -1 ||
	    manifest_texts(l, v, r->is_any ? "any" : "all", &r->keys, &r->n) == -1)
		return -1;
	if (r->n == 0 || (r->is_any && json_object_get(v, "all") != NULL))
		return loader_fail(l, "needs either \"all\" or \"any\"");
	for (size_t i = 0; i < r->n; i++)
		if (!manifest_has_credential(p, r->keys[i]))
			return loader_fail(l, "%s is not among the credentials", r->keys[i]);
	return 0;
}

int manifest_credential_rules(struct loader *l, struct provider *p, const json_t *json)
{
	json_t *list = json_object_get(json, "credentialRules"), *v;
	size_t i;

	if (list == NULL)
		return 0;
	size_t mark = loader_enter(l, "credentialRules");
	if (!json_is_array(list))
		return loader_fail(l, "must be a list");
	l->roots = ROOTS_CONNECTION;
	p->credential_rules =
	    arena_array(l->a, json_array_size(list) + 1, sizeof *p->credential_rules);
	json_array_each(list, i, v) {
		size_t inner = loader_enter_index(l, i);
		if (credential_rule(l, p, v, &p->credential_rules[p->ncredential_rules++]) == -1)
			return -1;
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

/* ---- settings ----------------------------------------------------------------------------- */

static const char *const setting_types[] = {
    [SETTING_TEXT] = "text",
    [SETTING_INTEGER] = "integer",
    [SETTING_BOOLEAN] = "boolean",
    [SETTING_URL] = "url",
    [SETTING_CHOICE] = "choice",
    [SETTING_PATH] = "path",
    [SETTING_HEADERS] = "headers",
    [SETTING_PATHS] = "paths",
    [SETTING_TEMPLATE] = "template",
    [SETTING_OBJECT] = "object",
    [SETTING_COUNTRY] = "country",
    [SETTING_TYPE] = "type",
};

const char *setting_type_name(enum setting_type type)
{
	return setting_types[type];
}

static int setting_list(struct loader *l, const json_t *all, struct setting_spec **out, size_t *n);

static int setting_one(struct loader *l, const char *key, const json_t *v, struct setting_spec *s)
{
	static const char *const keys[] = {
	    "type", "label", "help", "needed", "min", "max", "choices", "members", NULL};
	const char *type;

	s->key = arena_strdup(l->a, key);
	s->max = INT64_MAX;
	if (loader_object(l, v, keys) == -1 || loader_text(l, v, "type", true, &type) == -1 ||
	    loader_text(l, v, "label", true, &s->label) == -1 ||
	    loader_text(l, v, "help", false, &s->help) == -1 ||
	    loader_bool(l, v, "needed", &s->is_needed) == -1 ||
	    loader_int(l, v, "min", INT64_MIN, INT64_MAX, &s->min) == -1 ||
	    loader_int(l, v, "max", INT64_MIN, INT64_MAX, &s->max) == -1 ||
	    manifest_texts(l, v, "choices", &s->choices, &s->nchoices) == -1)
		return -1;
	size_t i = 0;
	while (i <= SETTING_TYPE && strcmp(setting_types[i], type) != 0)
		i++;
	if (i > SETTING_TYPE)
		return loader_fail(l, "unknown type \"%s\"", type);
	s->type = (enum setting_type)i;
	if ((s->type == SETTING_CHOICE) != (s->nchoices > 0))
		return loader_fail(l, "a choice, and only that, needs \"choices\"");
	const json_t *members = json_object_get(v, "members");
	if ((s->type == SETTING_OBJECT) != (members != NULL))
		return loader_fail(l, "an object, and only that, needs \"members\"");
	return members == NULL ? 0 : setting_list(l, members, &s->members, &s->nmembers);
}

static int setting_list(struct loader *l, const json_t *all, struct setting_spec **out, size_t *n)
{
	const char *key;
	json_t *v;

	if (!json_is_object(all))
		return loader_fail(l, "must be an object");
	*out = arena_array(l->a, json_object_size(all) + 3, sizeof **out);
	json_object_each(all, key, v) {
		size_t mark = loader_enter(l, key);
		if (setting_one(l, key, v, &(*out)[(*n)++]) == -1)
			return -1;
		loader_leave(l, mark);
	}
	return 0;
}

static void setting_add(struct provider *p, struct setting_spec s)
{
	for (size_t i = 0; i < p->nsettings; i++)
		if (strcmp(p->settings[i].key, s.key) == 0)
			return;
	p->settings[p->nsettings++] = s;
}

/* Every provider that receives has externalAccountId, every one with an origin baseUrl. */
int manifest_settings(struct loader *l, struct provider *p, const json_t *json)
{
	json_t *all = json_object_get(json, "settings");
	json_t *none = json_own(l->a, json_object());
	size_t mark = loader_enter(l, "settings");

	if (setting_list(l, all != NULL ? all : none, &p->settings, &p->nsettings) == -1)
		return -1;
	if (json_object_get(json, "webhook") != NULL)
		setting_add(p, (struct setting_spec){.key = "externalAccountId",
				   .max = INT64_MAX,
				   .label = "Account id at the provider",
				   .type = SETTING_TEXT});
	if (json_object_get(json, "apiOrigin") != NULL)
		setting_add(p, (struct setting_spec){.key = "baseUrl",
				   .label = "Other API address",
				   .type = SETTING_URL,
				   .max = INT64_MAX});
	loader_leave(l, mark);
	return 0;
}

/* ---- leads -------------------------------------------------------------------------------- */

static bool is_lead_member(const char *name)
{
	static const char *const members[] = {
	    "email", "firstName", "lastName", "fullName", "phoneNumber", "company"};

	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (strcmp(members[i], name) == 0)
			return true;
	return false;
}

static int lead_names(struct loader *l, const json_t *v, struct lead_rules *r)
{
	json_t *names = json_object_get(v, "names"), *to;
	const char *field;
	size_t mark = loader_enter(l, "names");

	if (!json_is_object(names))
		return loader_fail(l, "must be an object");
	r->names = arena_array(l->a, json_object_size(names) + 1, sizeof *r->names);
	json_object_each(names, field, to) {
		struct lead_name *n = &r->names[r->nnames++];

		size_t inner = loader_enter(l, field);
		if (!json_is_null(to) &&
		    !(json_is_string(to) && is_lead_member(json_string_value(to))))
			return loader_fail(l, "must be a member of the normalized lead, or null");
		n->field = arena_strdup(l->a, field);
		n->to = arena_strdup(l->a, json_string_value(to));
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

int manifest_lead(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const keys[] = {"for", "name", "value", "object", "names", "formId",
	    "adId", "campaignId", "createdAt", NULL};
	const json_t *v = json_object_get(json, "lead");
	struct lead_rules *r = &p->lead;
	size_t nloops = l->nloops;

	if (v == NULL)
		return 0;
	size_t mark = loader_enter(l, "lead");
	l->roots = ROOT_BIT(ROOT_RAW);
	if (loader_object(l, v, keys) == -1 || expr_member(l, v, "formId", &r->form_id) == -1 ||
	    expr_member(l, v, "adId", &r->ad_id) == -1 ||
	    expr_member(l, v, "campaignId", &r->campaign_id) == -1 ||
	    expr_member(l, v, "createdAt", &r->created_at) == -1 ||
	    expr_member(l, v, "object", &r->object) == -1 || lead_names(l, v, r) == -1 ||
	    loops_member(l, v, "for", &r->loops) == -1 ||
	    expr_member(l, v, "name", &r->name) == -1 ||
	    expr_member(l, v, "value", &r->value) == -1)
		return -1;
	bool is_list = r->loops.n > 0 && r->name != NULL && r->value != NULL;
	if (is_list == (r->object != NULL))
		return loader_fail(
		    l, "needs either \"for\", \"name\" and \"value\", or \"object\"");
	l->nloops = nloops;
	r->is_declared = true;
	loader_leave(l, mark);
	return 0;
}

/* ---- top level ---------------------------------------------------------------------------- */

static int load_capabilities(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const known[] = {"oauth", "api_key", "proxy", "webhook_receive",
	    "lead_sync", "poll", "actions", "crm_push"};
	const size_t nknown = sizeof known / sizeof *known;

	if (manifest_texts(l, json, "capabilities", &p->capabilities, &p->ncapabilities) == -1)
		return -1;
	for (size_t i = 0; i < p->ncapabilities; i++) {
		size_t k = 0;
		while (k < nknown && strcmp(known[k], p->capabilities[i]) != 0)
			k++;
		if (k == nknown) {
			loader_enter(l, "capabilities");
			return loader_fail(l, "unknown capability \"%s\"", p->capabilities[i]);
		}
	}
	return 0;
}

static int load_names(struct loader *l, struct provider *p, const json_t *json)
{
	if (loader_text(l, json, "name", true, &p->name) == -1 ||
	    loader_text(l, json, "displayName", true, &p->display_name) == -1 ||
	    loader_text(l, json, "category", true, &p->category) == -1 ||
	    loader_text(l, json, "help", false, &p->help) == -1 ||
	    loader_bool(l, json, "isAvailable", &p->is_available) == -1 ||
	    loader_bool(l, json, "requiresOAuth", &p->requires_oauth) == -1)
		return -1;
	if (strspn(p->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(p->name) ||
	    strlen(p->name) > LIMIT_TYPE_BYTES) {
		loader_enter(l, "name");
		return loader_fail(l, "must be at most %u of a-z, 0-9 and _", LIMIT_TYPE_BYTES);
	}
	return 0;
}

/* Sections that later features read: their keys are fixed here so that a wrong one is found at
 * load. */
static int load_declared(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const oauth[] = {"authorizeUrl", "tokenUrl", "scopes", "pkce",
	    "clientAuth", "query", "exchange", "refresh", "revokeUrl", "lifetimeSeconds",
	    "rotatesRefreshToken", NULL};
	static const char *const poll[] = {"action", "resourceType", "items", "externalId",
	    "updatedAt", "cursor", "since", "overlapSeconds", "minIntervalSeconds", NULL};
	json_t *v;
	const char *key;

	p->oauth = json_object_get(json, "oauth");
	p->polls = json_object_get(json, "polls");
	p->examples = json_object_get(json, "examples");
	if (p->oauth != NULL) {
		size_t mark = loader_enter(l, "oauth");
		if (loader_object(l, p->oauth, oauth) == -1)
			return -1;
		loader_leave(l, mark);
	}
	if (p->polls != NULL && !json_is_object(p->polls)) {
		loader_enter(l, "polls");
		return loader_fail(l, "must be an object");
	}
	json_object_each(p->polls, key, v) {
		size_t mark = loader_enter(l, "polls");
		loader_enter(l, key);
		if (loader_object(l, v, poll) == -1)
			return -1;
		loader_leave(l, mark);
	}
	return 0;
}

/* A capability must have what it promises. */
static int check_promises(struct loader *l, const struct provider *p)
{
	if (provider_can(p, "webhook_receive") != p->has_webhook)
		return loader_fail(l, "\"webhook\" and the capability webhook_receive go together");
	if (provider_can(p, "actions") != (p->nactions > 0))
		return loader_fail(l, "\"actions\" and the capability actions go together");
	if (provider_can(p, "crm_push") && provider_find_action(p, "push") == NULL)
		return loader_fail(l, "the capability crm_push needs an action \"push\"");
	if (provider_can(p, "lead_sync") && !p->lead.is_declared)
		return loader_fail(l, "the capability lead_sync needs \"lead\"");
	return 0;
}

struct provider *manifest_load(
    struct arena *a, const char *file, const json_t *json, struct err *err)
{
	static const char *const keys[] = {"name", "displayName", "category", "help", "isAvailable",
	    "requiresOAuth", "capabilities", "credentials", "credentialRules", "settings",
	    "apiOrigin", "auth", "webhook", "actions", "details", "testAction", "errors", "lead",
	    "oauth", "polls", "examples", NULL};
	struct provider *p = arena_zalloc(a, sizeof *p);
	struct loader l = {.a = a, .file = file, .err = err};

	p->file = arena_strdup(a, file);
	p->is_available = true;
	if (loader_object(&l, json, keys) == -1 || load_names(&l, p, json) == -1 ||
	    load_capabilities(&l, p, json) == -1 || manifest_credentials(&l, p, json) == -1 ||
	    manifest_settings(&l, p, json) == -1 || manifest_credential_rules(&l, p, json) == -1 ||
	    manifest_webhook(&l, p, json) == -1 || manifest_actions(&l, p, json) == -1 ||
	    manifest_lead(&l, p, json) == -1 || load_declared(&l, p, json) == -1 ||
	    check_promises(&l, p) == -1)
		return NULL;
	return p;
}

struct provider *manifest_load_file(struct arena *a, const char *file, struct err *err)
{
	struct err inner = ERR_INIT;
	struct str text;

	if (file_read(a, file, LIMIT_MANIFEST_BYTES, &text, err) == -1)
		return NULL;
	json_t *json = json_parse(a, text, &inner);
	if (json == NULL) {
		err_set(err, ERR_INVALID, "%s: (root): %s", file, inner.msg);
		return NULL;
	}
	return manifest_load(a, file, json, err);
}

static int is_manifest(const struct dirent *d)
{
	return d->d_name[0] != '.' && str_ends(str_from(d->d_name), ".json");
}

static int add_file(struct arena *a, struct providers *ps, const char *file, struct err *err)
{
	struct provider *p = manifest_load_file(a, file, err);

	if (p == NULL)
		return -1;
	const struct provider *other = map_get(ps->by_name, str_from(p->name));
	if (other != NULL)
		return err_set(
		    err, ERR_INVALID, "%s: name: %s is taken by %s", file, p->name, other->file);
	map_put(ps->by_name, str_from(p->name), p);
	ps->sorted[ps->n++] = p;
	return 0;
}

struct providers *providers_load(struct arena *a, const char *dir, struct err *err)
{
	struct dirent **names = NULL;
	struct providers *ps = arena_zalloc(a, sizeof *ps);
	int n = scandir(dir, &names, is_manifest, alphasort), rc = 0;

	if (n < 0) {
		err_set(err, ERR_INVALID, "%s: cannot be read: %s", dir, strerror(errno));
		return NULL;
	}
	ps->by_name = map_new(a);
	ps->sorted = arena_array(a, (size_t)n + 1, sizeof(struct provider *));
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = add_file(a, ps, arena_printf(a, "%s/%s", dir, names[i]->d_name), err);
		free(names[i]);
	}
	free(names);
	return rc == 0 ? ps : NULL;
}

/* ---- look-ups ----------------------------------------------------------------------------- */

const struct provider *provider_find(const struct providers *ps, struct str name)
{
	return ps == NULL ? NULL : map_get(ps->by_name, name);
}

size_t providers_count(const struct providers *ps)
{
	return ps->n;
}

const struct provider *provider_at(const struct providers *ps, size_t i)
{
	return ps->sorted[i];
}

const char *provider_name(const struct provider *p)
{
	return p->name;
}

const char *provider_display_name(const struct provider *p)
{
	return p->display_name;
}

bool provider_can(const struct provider *p, const char *capability)
{
	for (size_t i = 0; i < p->ncapabilities; i++)
		if (strcmp(p->capabilities[i], capability) == 0)
			return true;
	return false;
}

json_t *provider_json(const struct provider *p)
{
	json_t *o = json_object(), *capabilities = json_array();

	json_set_str(o, "name", p->name);
	json_set_str(o, "displayName", p->display_name);
	json_set_str(o, "category", p->category);
	json_set_bool(o, "isAvailable", p->is_available);
	json_set_bool(o, "requiresOAuth", p->requires_oauth);
	for (size_t i = 0; i < p->ncapabilities; i++)
		json_array_append_new(capabilities, json_string(p->capabilities[i]));
	json_set(o, "capabilities", capabilities);
	return o;
}

const char *provider_details_action(const struct provider *p, const char *resource_type)
{
	for (size_t i = 0; i < p->ndetails; i++)
		if (strcmp(p->details[i].resource_type, resource_type) == 0)
			return p->details[i].action;
	return NULL;
}
