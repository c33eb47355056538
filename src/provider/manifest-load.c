/* Manifests: a file of a directory each, read once at start. This file has the top level and what
 * is small. */
#include "base/file.h"
#include "provider/provider-internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"

struct providers {
	struct map *by_name;
	struct provider **sorted;
	size_t n;
	const char **refused, **refused_names; /* why, and the names of their files */
	size_t nrefused;
};

#define VERSION_NOTICE_US (60 * DAY_US)
#define ROOTS_CONNECTION (ROOT_BIT(ROOT_SETTINGS))

/* ---- credentials -------------------------------------------------------------------------- */

static bool is_credential_key(const char *key)
{
	static const char *const vocabulary[] = {"accessToken", "refreshToken", "apiKey",
	    "apiSecret", "accountSid", "username", "password", "webhookSecret", "verifyToken",
	    "clientId", "clientSecret", "developerToken", "userAccessToken", "userRefreshToken"};

	for (size_t i = 0; i < sizeof(vocabulary) / sizeof(*vocabulary); i++)
		if (strcmp(vocabulary[i], key) == 0)
			return true;
	return false;
}

/* An abbreviation keeps its capitals. */
const char *manifest_credential_words(struct arena *a, const struct provider *p, const char *key)
{
	const struct credential_spec *spec = manifest_credential(p, key);
	char *label;

	if (spec == NULL)
		return key;
	label = arena_strdup(a, spec->label);
	if (label[0] >= 'A' && label[0] <= 'Z' && !(label[1] >= 'A' && label[1] <= 'Z'))
		label[0] = (char)(label[0] - 'A' + 'a');
	return label;
}

static int credential_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("label", struct credential_spec, label),
	    TEXT_MEMBER("help", struct credential_spec, help),
	    BOOL_MEMBER("needed", struct credential_spec, is_needed)};
	struct credential_spec *c = out;

	(void)p;
	c->key = name;
	if (!is_credential_key(name))
		return json_reader_fail(&l->in, "not a word of the credential vocabulary");
	return loader_members(l, v, MEMBERS(members), c);
}

static int manifest_credentials(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many credentials = {
	    "credentials", READ_OBJECT, sizeof(struct credential_spec), credential_one};

	p->credentials = manifest_many(l, p, json, &credentials, &p->ncredentials);
	return p->credentials == NULL ? -1 : 0;
}

/* "app": what is the app's at the provider, the same for all of its connections. */
static int manifest_app(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const keys[] = {"credentials", NULL};
	static const struct manifest_many credentials = {
	    "credentials", READ_OBJECT, sizeof(struct credential_spec), credential_one};
	const json_t *app = json_object_get(json, "app");
	size_t mark = json_reader_enter(&l->in, "app");

	if (app == NULL) {
		json_reader_leave(&l->in, mark);
		return 0;
	}
	if (json_read_keys(&l->in, app, keys) == -1)
		return -1;
	p->app_credentials = manifest_many(l, p, app, &credentials, &p->napp_credentials);
	if (p->app_credentials == NULL)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int credential_rule_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    COND_MEMBER("when", struct credential_rule, when), OTHER_MEMBER("all"),
	    OTHER_MEMBER("any")};
	struct credential_rule *r = out;

	(void)name;
	r->is_any = json_object_get(v, "any") != NULL;
	if (loader_members(l, v, MEMBERS(members), r) == -1 ||
	    manifest_texts(l, v, r->is_any ? "any" : "all", &r->keys, &r->n) == -1)
		return -1;
	if (r->n == 0 || (r->is_any && json_object_get(v, "all") != NULL))
		return json_reader_fail(&l->in, "needs either \"all\" or \"any\"");
	for (size_t i = 0; i < r->n; i++)
		if (!manifest_has_credential(p, r->keys[i]))
			return json_reader_fail(
			    &l->in, "%s is not among the credentials", r->keys[i]);
	return 0;
}

static int manifest_credential_rules(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct manifest_many rules = {
	    "credentialRules", READ_LIST, sizeof(struct credential_rule), credential_rule_one};

	l->roots = ROOTS_CONNECTION;
	p->credential_rules = manifest_many(l, p, json, &rules, &p->ncredential_rules);
	return p->credential_rules == NULL ? -1 : 0;
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
    [SETTING_HEADER] = "header",
    [SETTING_CONDITION] = "condition",
    [SETTING_HOST] = "host",
    NULL,
};

const char *setting_type_name(enum setting_type type)
{
	return setting_types[type];
}

static int setting_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out);

static int setting_members(struct loader *l, struct provider *p, const json_t *object,
    const char *key, struct setting_spec **out, size_t *n)
{
	const struct manifest_many settings = {
	    key, READ_OBJECT, sizeof(struct setting_spec), setting_one};

	*out = manifest_many(l, p, object, &settings, n);
	return *out == NULL ? -1 : 0;
}

static int setting_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {OTHER_MEMBER("type"),
	    NEEDED_TEXT_MEMBER("label", struct setting_spec, label),
	    TEXT_MEMBER("help", struct setting_spec, help),
	    TEXT_MEMBER("example", struct setting_spec, example),
	    BOOL_MEMBER("needed", struct setting_spec, is_needed),
	    INT_MEMBER("min", struct setting_spec, min, INT64_MIN, INT64_MAX),
	    INT_MEMBER("max", struct setting_spec, max, INT64_MIN, INT64_MAX),
	    TEXT_MEMBER("suffix", struct setting_spec, suffix), OTHER_MEMBER("choices"),
	    OTHER_MEMBER("members")};
	struct setting_spec *s = out;
	int type;

	s->key = name;
	s->max = INT64_MAX;
	if (loader_members(l, v, MEMBERS(members), s) == -1 ||
	    manifest_type(l, v, setting_types, &type) == -1 ||
	    manifest_texts(l, v, "choices", &s->choices, &s->nchoices) == -1)
		return -1;
	s->type = (enum setting_type)type;
	if ((s->type == SETTING_CHOICE) != (s->nchoices > 0))
		return json_reader_fail(&l->in, "a choice, and only that, needs \"choices\"");
	if (s->type == SETTING_HOST && json_object_get(v, "max") == NULL)
		s->max = 1;
	if ((s->type == SETTING_HOST) != (s->suffix != NULL) ||
	    (s->suffix != NULL && (s->suffix[0] != '.' || strchr(s->suffix + 1, '.') == NULL)))
		return json_reader_fail(
		    &l->in, "a host, and only that, needs a \"suffix\" such as .example.com");
	if ((s->type == SETTING_OBJECT) != (json_object_get(v, "members") != NULL))
		return json_reader_fail(&l->in, "an object, and only that, needs \"members\"");
	return setting_members(l, p, v, "members", &s->members, &s->nmembers);
}

static void setting_add(struct loader *l, struct provider *p, struct setting_spec s)
{
	for (size_t i = 0; i < p->nsettings; i++)
		if (strcmp(p->settings[i].key, s.key) == 0)
			return;
	struct setting_spec *more = arena_array(l->a, p->nsettings + 1, sizeof(*more));
	memcpy(more, p->settings, p->nsettings * sizeof(*more));
	more[p->nsettings++] = s;
	p->settings = more;
}

/* What a manifest does not declare, nobody can have set. */
static void load_know_settings(struct loader *l, const struct provider *p)
{
	struct expr_field *fields = arena_array(l->a, p->nsettings + 1, sizeof(*fields));

	for (size_t i = 0; i < p->nsettings; i++)
		fields[i] = (struct expr_field){p->settings[i].key, FIELD_ANY};
	l->language = manifest_language(l, ROOT_SETTINGS, fields);
}

/* Every provider that receives has externalAccountId, every one with an origin baseUrl. */
static int manifest_settings(struct loader *l, struct provider *p, const json_t *json)
{
	if (setting_members(l, p, json, "settings", &p->settings, &p->nsettings) == -1)
		return -1;
	if (json_object_get(json, "webhook") != NULL)
		setting_add(l, p,
		    (struct setting_spec){.key = "externalAccountId",
			.max = INT64_MAX,
			.label = "Account ID at the provider",
			.type = SETTING_TEXT});
	if (json_object_get(json, "apiOrigin") != NULL)
		setting_add(l, p,
		    (struct setting_spec){.key = "baseUrl",
			.label = "Other API address",
			.type = SETTING_URL,
			.max = INT64_MAX});
	load_know_settings(l, p);
	return 0;
}

/* ---- leads -------------------------------------------------------------------------------- */

static bool is_lead_member(const char *name)
{
	static const char *const members[] = {
	    "email", "firstName", "lastName", "fullName", "phoneNumber", "company"};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		if (strcmp(members[i], name) == 0)
			return true;
	return false;
}

static int lead_name_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct lead_name *n = out;

	(void)p;
	if (!json_is_null(v) && !(json_is_string(v) && is_lead_member(json_string_value(v))))
		return json_reader_fail(&l->in, "must be a member of the normalized lead, or null");
	n->field = name;
	n->to = json_string_value(v);
	return 0;
}

static int lead_group_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    LOOPS_MEMBER("for", struct lead_group, loops),
	    EXPR_MEMBER("name", struct lead_group, name),
	    EXPR_MEMBER("value", struct lead_group, value)};
	struct lead_group *g = out;
	size_t nloops = l->nloops;

	(void)p;
	(void)name;
	if (loader_members(l, v, MEMBERS(members), g) == -1)
		return -1;
	l->nloops = nloops;
	return g->loops.n > 0 && g->name != NULL && g->value != NULL
		   ? 0
		   : json_reader_fail(&l->in, "needs \"for\", \"name\" and \"value\"");
}

/* Its fields: a list of them, several such lists, or an object. */
static int lead_load_fields(struct loader *l, struct provider *p, const json_t *v)
{
	static const struct manifest_many groups = {
	    "groups", READ_LIST, sizeof(struct lead_group), lead_group_one};
	struct lead_rules *r = &p->lead;
	bool is_list = json_object_get(v, "for") != NULL;
	json_t *only, *member;
	const char *key;

	if (is_list + (json_object_get(v, "groups") != NULL) + (r->object != NULL) != 1)
		return json_reader_fail(&l->in,
		    "needs either \"for\", \"name\" and \"value\", or \"groups\", or \"object\"");
	if (!is_list) {
		r->groups = manifest_many(l, p, v, &groups, &r->ngroups);
		return r->groups == NULL ? -1 : 0;
	}
	only = json_own(l->a, json_copy((json_t *)(uintptr_t)v));
	json_object_each(v, key, member)
		if (strcmp(key, "for") != 0 && strcmp(key, "name") != 0 &&
		    strcmp(key, "value") != 0)
			json_object_del(only, key);
	r->groups = arena_zalloc(l->a, sizeof(*r->groups));
	r->ngroups = 1;
	return lead_group_one(l, p, NULL, only, r->groups);
}

static int lead_load_lacking(struct loader *l, struct provider *p, const json_t *v)
{
	static const struct loader_member members[] = {
	    COND_MEMBER("when", struct lead_rules, lacks_when),
	    NEEDED_TEXT_MEMBER("setting", struct lead_rules, lacks_setting)};
	size_t mark = json_reader_enter(&l->in, "lacking"), i = 0;

	l->roots = ROOTS_CONNECTION;
	if (loader_members(l, v, MEMBERS(members), &p->lead) == -1)
		return -1;
	while (i < p->nsettings && strcmp(p->settings[i].key, p->lead.lacks_setting) != 0)
		i++;
	if (i == p->nsettings)
		return json_reader_fail(
		    &l->in, "%s is not among the settings", p->lead.lacks_setting);
	json_reader_leave(&l->in, mark);
	return 0;
}

static int load_lead(struct loader *l, struct provider *p, const json_t *v)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("formId", struct lead_rules, form_id),
	    EXPR_MEMBER("adId", struct lead_rules, ad_id),
	    EXPR_MEMBER("campaignId", struct lead_rules, campaign_id),
	    EXPR_MEMBER("createdAt", struct lead_rules, created_at),
	    EXPR_MEMBER("object", struct lead_rules, object), OTHER_MEMBER("for"),
	    OTHER_MEMBER("name"), OTHER_MEMBER("value"), OTHER_MEMBER("groups"),
	    OTHER_MEMBER("names"), OTHER_MEMBER("lacking")};
	static const struct manifest_many names = {
	    "names", READ_OBJECT, sizeof(struct lead_name), lead_name_one};
	struct lead_rules *r = &p->lead;

	if (loader_members(l, v, MEMBERS(members), r) == -1)
		return -1;
	if (json_object_get(v, "names") == NULL)
		return json_reader_fail_at(&l->in, "names", "must be an object");
	r->names = manifest_many(l, p, v, &names, &r->nnames);
	if (r->names == NULL || lead_load_fields(l, p, v) == -1)
		return -1;
	r->is_declared = true;
	v = json_object_get(v, "lacking");
	return v == NULL ? 0 : lead_load_lacking(l, p, v);
}

static int manifest_lead(struct loader *l, struct provider *p, const json_t *json)
{
	const json_t *v = json_object_get(json, "lead");

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "lead");
	l->roots = ROOT_BIT(ROOT_RAW);
	if (load_lead(l, p, v) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- top level ---------------------------------------------------------------------------- */

static int load_capabilities(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const known[] = {"oauth", "api_key", "proxy", "webhook_receive",
	    "lead_sync", "poll", "actions", "crm_push"};
	const size_t nknown = sizeof(known) / sizeof(*known);

	if (manifest_texts(l, json, "capabilities", &p->capabilities, &p->ncapabilities) == -1)
		return -1;
	for (size_t i = 0; i < p->ncapabilities; i++) {
		size_t k = 0;
		while (k < nknown && strcmp(known[k], p->capabilities[i]) != 0)
			k++;
		if (k == nknown)
			return json_reader_fail_at(&l->in, "capabilities",
			    "unknown capability \"%s\"", p->capabilities[i]);
	}
	return 0;
}

static int manifest_check_name(struct loader *l, const char *name)
{
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
	    strlen(name) <= LIMIT_TYPE_BYTES)
		return 0;
	return json_reader_fail_at(
	    &l->in, "name", "must be at most %u of a-z, 0-9 and _", LIMIT_TYPE_BYTES);
}

/* A capability must have what it promises. */
static int manifest_check_promises(struct loader *l, const struct provider *p)
{
	if (provider_can(p, "webhook_receive") != p->has_webhook)
		return json_reader_fail(
		    &l->in, "\"webhook\" and the capability webhook_receive go together");
	if (provider_can(p, "actions") != (p->nactions > 0))
		return json_reader_fail(
		    &l->in, "\"actions\" and the capability actions go together");
	if (provider_can(p, "crm_push") && provider_find_action(p, "push") == NULL)
		return json_reader_fail(&l->in, "the capability crm_push needs an action \"push\"");
	if (provider_can(p, "poll") != (p->npolls > 0))
		return json_reader_fail(&l->in, "\"polls\" and the capability poll go together");
	if (provider_can(p, "lead_sync") && !p->lead.is_declared)
		return json_reader_fail(&l->in, "the capability lead_sync needs \"lead\"");
	return 0;
}

#define ANY_MEMBER(key, field)                                                                     \
	{                                                                                          \
		{key, READ_ANY, JSON_INTO(struct provider, field)}, MEMBER_PLAIN                   \
	}

static const struct loader_member top_members[] = {
    NEEDED_TEXT_MEMBER("name", struct provider, name),
    NEEDED_TEXT_MEMBER("displayName", struct provider, display_name),
    NEEDED_TEXT_MEMBER("category", struct provider, category),
    TEXT_MEMBER("help", struct provider, help),
    BOOL_MEMBER("isAvailable", struct provider, is_available),
    BOOL_MEMBER("requiresOAuth", struct provider, requires_oauth),
    ANY_MEMBER("examples", examples),
    OTHER_MEMBER("app"),
    OTHER_MEMBER("oauth"),
    OTHER_MEMBER("capabilities"),
    OTHER_MEMBER("credentials"),
    OTHER_MEMBER("credentialRules"),
    OTHER_MEMBER("settings"),
    OTHER_MEMBER("version"),
    OTHER_MEMBER("apiOrigin"),
    OTHER_MEMBER("originPattern"),
    OTHER_MEMBER("auth"),
    OTHER_MEMBER("request"),
    OTHER_MEMBER("webhook"),
    OTHER_MEMBER("actions"),
    OTHER_MEMBER("details"),
    OTHER_MEMBER("batches"),
    OTHER_MEMBER("forms"),
    OTHER_MEMBER("lists"),
    OTHER_MEMBER("testAction"),
    OTHER_MEMBER("errors"),
    OTHER_MEMBER("pace"),
    OTHER_MEMBER("lead"),
    OTHER_MEMBER("pushBody"),
    OTHER_MEMBER("pushNeeded"),
    OTHER_MEMBER("pushedAs"),
    OTHER_MEMBER("pushFields"),
    OTHER_MEMBER("polls"),
    OTHER_MEMBER("subscriptions"),
    OTHER_MEMBER("guide"),
};

/* What calls need, in the order in which one part looks at another. */
static int manifest_calls(struct loader *l, struct provider *p, const json_t *json)
{
	if (manifest_version(l, p, json) == -1 || manifest_origin(l, p, json) == -1 ||
	    manifest_auths(l, p, json, &p->auths) == -1 ||
	    manifest_request_defaults(l, p, json) == -1 || manifest_actions(l, p, json) == -1)
		return -1;
	for (size_t i = 0; i < p->auths.n; i++)
		p->asks_sign_in = p->asks_sign_in || p->auths.v[i].type == AUTH_SETTINGS;
	return manifest_batches(l, p, json) == -1 ? -1 : manifest_lists(l, p, json);
}

struct provider *manifest_load(
    struct arena *a, const char *file, const json_t *json, struct err *err)
{
	struct provider *p = arena_zalloc(a, sizeof(*p));
	struct loader l = {
	    .in = {.err = err, .file = file}, .a = a, .language = &provider_language};

	p->file = arena_strdup(a, file);
	p->is_available = true;
	if (loader_members(&l, json, MEMBERS(top_members), p) == -1 ||
	    manifest_check_name(&l, p->name) == -1 || load_capabilities(&l, p, json) == -1 ||
	    manifest_app(&l, p, json) == -1 || manifest_credentials(&l, p, json) == -1 ||
	    manifest_settings(&l, p, json) == -1 || manifest_credential_rules(&l, p, json) == -1 ||
	    manifest_webhook(&l, p, json) == -1 || manifest_calls(&l, p, json) == -1 ||
	    manifest_oauth(&l, p, json) == -1 || manifest_lead(&l, p, json) == -1 ||
	    manifest_push_body(&l, p, json) == -1 || manifest_polls(&l, p, json) == -1 ||
	    manifest_subscriptions(&l, p, json) == -1 || manifest_guide(&l, p, json) == -1 ||
	    manifest_check_promises(&l, p) == -1)
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

static int is_manifest_file(const struct dirent *d)
{
	return d->d_name[0] != '.' && str_ends(str_from(d->d_name), ".json");
}

static int providers_add_file(
    struct arena *a, struct providers *ps, const char *file, struct err *err)
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

/* One that is wrong costs no other. */
static void providers_take_file(
    struct arena *a, struct providers *ps, const char *dir, const char *name)
{
	struct err why = ERR_INIT;

	if (providers_add_file(a, ps, arena_printf(a, "%s/%s", dir, name), &why) == 0)
		return;
	ps->refused[ps->nrefused] = arena_strdup(a, why.msg);
	ps->refused_names[ps->nrefused++] = arena_strndup(a, name, strlen(name) - strlen(".json"));
}

struct providers *providers_load(struct arena *a, const char *dir, struct err *err)
{
	struct dirent **names = NULL;
	struct providers *ps = arena_zalloc(a, sizeof(*ps));
	int n = scandir(dir, &names, is_manifest_file, alphasort);

	if (n < 0) {
		err_set(err, ERR_INVALID, "%s: cannot be read: %s", dir, strerror(errno));
		return NULL;
	}
	ps->by_name = map_new(a);
	ps->sorted = arena_array(a, (size_t)n + 1, sizeof(struct provider *));
	ps->refused = arena_array(a, (size_t)n + 1, sizeof(*ps->refused));
	ps->refused_names = arena_array(a, (size_t)n + 1, sizeof(*ps->refused_names));
	for (int i = 0; i < n; i++) {
		providers_take_file(a, ps, dir, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return ps;
}

size_t providers_refused(const struct providers *ps, const char *const **why)
{
	*why = ps->refused;
	return ps->nrefused;
}

bool provider_is_refused(const struct providers *ps, struct str name)
{
	for (size_t i = 0; i < ps->nrefused; i++)
		if (str_is(name, ps->refused_names[i]))
			return true;
	return false;
}

static int version_set(
    struct arena *a, struct providers *ps, struct str name, struct str value, struct err *err)
{
	struct provider *p = map_get(ps->by_name, name);

	if (p == NULL && provider_is_refused(ps, name))
		return 0;
	if (p == NULL || p->version == NULL)
		return err_set(err, ERR_INVALID,
		    "provider_versions: %.*s is no provider whose API has versions", (int)name.n,
		    name.p);
	if (value.n == 0)
		return err_set(err, ERR_INVALID,
		    "provider_versions: %s needs a version, as in %s=%s", p->name, p->name,
		    p->version);
	p->version = arena_strndup(a, value.p, value.n);
	p->version_ends_us = TIME_NONE;
	return 0;
}

int providers_set_versions(struct arena *a, struct providers *ps, const char *list, struct err *err)
{
	struct str rest = str_from(list), pair, name;

	while (str_split(&rest, ',', &pair)) {
		str_split(&pair, '=', &name);
		if (str_trim(name).n > 0 &&
		    version_set(a, ps, str_trim(name), str_trim(pair), err) == -1)
			return -1;
	}
	return 0;
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

const char *provider_version(const struct provider *p, int64_t *ends_us)
{
	*ends_us = p->version_ends_us;
	return p->version;
}

bool provider_version_ends_soon(const struct provider *p, int64_t now_us, int64_t *ends_us)
{
	*ends_us = p->version_ends_us;
	return p->version != NULL && *ends_us != TIME_NONE &&
	       *ends_us - now_us <= VERSION_NOTICE_US;
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
