/* What a body says of an app, checked against its provider's manifest. */
#include "base/limits.h"
#include "connection/app-internal.h"
#include "provider/manifest.h"

#define CREDENTIAL_BYTES 8192

struct app_body {
	struct str type, name;
	json_t *credentials;
};

static int app_body_read(const json_t *body, bool is_new, struct app_body *out, struct err *err)
{
	static const struct json_member members[] = {
	    {"name", READ_TEXT, JSON_INTO(struct app_body, name), .need = READ_NULLABLE,
		.flags = READ_TRIMMED | READ_PLAIN, .min = 1, .max = LIMIT_NAME_BYTES},
	    {"credentials", READ_OBJECT, JSON_INTO(struct app_body, credentials),
		.need = READ_NULLABLE},
	    {"providerType", READ_TEXT, JSON_INTO(struct app_body, type), .need = READ_NEEDED,
		.min = 1, .max = LIMIT_TYPE_BYTES}};
	struct json_reader in = {.err = err};

	if (!json_is_object(body))
		return err_set(err, ERR_MALFORMED, "The body must be a JSON object");
	return json_read_members(&in, body, members, is_new ? 3 : 2, out);
}

static int app_check_credentials(
    const struct provider *p, const json_t *credentials, struct err *err)
{
	struct json_reader in = {.err = err};
	struct json_member member = {
	    "", READ_TEXT, .flags = READ_PLAIN, .min = 1, .max = CREDENTIAL_BYTES};
	struct str ignored;
	const char *key;
	json_t *v;

	json_reader_enter(&in, "credentials");
	json_object_each(credentials, key, v) {
		size_t i = 0;

		while (i < p->napp_credentials && strcmp(p->app_credentials[i].key, key) != 0)
			i++;
		if (i == p->napp_credentials)
			return json_reader_fail_at(
			    &in, key, "is not a credential of an app of this provider");
		member.name = key;
		if (json_read_member(&in, credentials, &member, &ignored) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->napp_credentials; i++)
		if (p->app_credentials[i].is_needed &&
		    json_object_get(credentials, p->app_credentials[i].key) == NULL)
			return json_reader_fail_at(&in, p->app_credentials[i].key, "is needed");
	return 0;
}

/* Members replace, null removes. */
static json_t *credentials_merge(struct arena *a, const json_t *before, const json_t *given)
{
	json_t *all = json_own(a, before != NULL ? json_deep_copy(before) : json_object()), *v;
	const char *key;

	json_object_each(given, key, v) {
		if (json_is_null(v))
			json_object_del(all, key);
		else
			json_set(all, key, json_deep_copy(v));
	}
	return all;
}

int provider_app_take_body(
    struct app *app, struct arena *a, const json_t *json, struct provider_app *v, struct err *err)
{
	bool is_new = v->provider_type == NULL;
	struct app_body body = {.name = str_from(v->name)};

	if (app_body_read(json, is_new, &body, err) == -1)
		return -1;
	if (is_new) {
		v->provider = provider_find(app->providers, body.type);
		if (v->provider == NULL || !provider_app_is_known(v->provider))
			return err_field(err, ERR_INVALID, "providerType",
			    v->provider == NULL ? "is no provider"
						: "is of a provider that has no apps");
		v->provider_type = v->provider->name;
		if (body.name.p == NULL)
			body.name = str_from(v->provider->display_name);
	}
	if (v->provider == NULL)
		return err_set(err, ERR_CONFLICT, "There is no manifest for this provider now");
	v->name = arena_strndup(a, body.name.p, body.name.n);
	v->credentials = credentials_merge(a, v->credentials, body.credentials);
	return app_check_credentials(v->provider, v->credentials, err);
}
