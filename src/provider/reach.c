/* Where a connection's credentials go: which of them are sent at all, to which servers, and how.
 * Settings decide that, and who may write settings need not have seen the credentials. */
#include "base/buf.h"
#include "base/limits.h"
#include "net/egress.h"
#include "provider/provider-internal.h"

/* A credential's name, or a text with names in braces. */
static bool auth_text_sends(const char *text, const char *key)
{
	struct str rest = str_from(text), plain, name;

	if (text == NULL || strchr(text, '{') == NULL)
		return text != NULL && strcmp(text, key) == 0;
	while (auth_text_next(&rest, &plain, &name))
		if (name.p != NULL && str_is(name, key))
			return true;
	return false;
}

static bool auth_sends(const struct auth *auth, const char *key)
{
	static const char *const of_settings[] = {"accessToken", "apiKey", "username", "password"};

	for (size_t i = 0; auth->type == AUTH_SETTINGS && i < 4; i++)
		if (strcmp(of_settings[i], key) == 0)
			return true;
	return auth_text_sends(auth->credential, key) || auth_text_sends(auth->username, key) ||
	       auth_text_sends(auth->password, key);
}

static bool auths_send(const struct auths *auths, const char *key)
{
	for (size_t i = 0; i < auths->n; i++)
		if (auth_sends(&auths->v[i], key))
			return true;
	return false;
}

bool provider_sends_credential(const struct provider *p, const char *key)
{
	for (size_t i = 0; i < p->nactions; i++)
		if (auths_send(p->actions[i].auths, key))
			return true;
	return auths_send(&p->auths, key);
}

/* The list, and where its addresses stand: {origin: "url"}. */
struct origins {
	struct arena *a;
	json_t *list, *places;
};

static void origins_add(struct origins *o, const char *place, const char *url)
{
	const char *origin = egress_origin(o->a, url);

	if (json_object_get(o->places, origin) != NULL)
		return;
	json_set_str(o->places, origin, place);
	json_array_append_new(o->list, json_string(origin));
}

/* Any address in the settings may be called, wherever it stands. */
static void origins_add_settings(struct origins *o, const char *prefix,
    const struct setting_spec *specs, size_t n, const json_t *settings)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(settings, specs[i].key);
		const char *place = arena_printf(o->a, "%s%s", prefix, specs[i].key);

		if (specs[i].type == SETTING_OBJECT)
			origins_add_settings(o, arena_printf(o->a, "%s.", place), specs[i].members,
			    specs[i].nmembers, v);
		else if (specs[i].type == SETTING_URL && json_is_string(v))
			origins_add(o, place, json_string_value(v));
	}
}

static struct origins origins_read(const struct provider *p, struct arena *a, json_t *settings)
{
	struct origins o = {a, json_own(a, json_array()), json_own(a, json_object())};
	struct scope s;

	scope_of_provider(&s, a, p, settings);
	origins_add_settings(&o, "", p->settings, p->nsettings, settings);
	if (json_str(settings, "baseUrl") == NULL && p->origin != NULL) {
		struct str own = provider_origin(p, &s);

		if (own.p != NULL)
			origins_add(&o, "baseUrl", arena_strndup(a, own.p, own.n));
	}
	return o;
}

json_t *provider_origins(const struct provider *p, struct arena *a, json_t *settings)
{
	return origins_read(p, a, settings).list;
}

const char *provider_setting_of_origin(
    const struct provider *p, struct arena *a, json_t *settings, const char *origin)
{
	return json_str(origins_read(p, a, settings).places, origin);
}

bool provider_answers_itself(const struct provider *p, struct arena *a, json_t *settings)
{
	const char *base = json_str(settings, "baseUrl");
	struct scope s;
	struct str own;

	if (base == NULL)
		return true;
	if (p->norigin_patterns > 0 && provider_origin_is_allowed(p, a, base))
		return true;
	scope_of_provider(&s, a, p, settings);
	own = p->origin == NULL ? (struct str){NULL, 0} : provider_origin(p, &s);
	return own.p != NULL && strcmp(egress_origin(a, base),
				    egress_origin(a, arena_strndup(a, own.p, own.n))) == 0;
}

const char *provider_auth_place(struct arena *a, const json_t *settings)
{
	const json_t *auth = json_object_get(settings, "auth");
	const char *type = json_str(auth, "type"), *name = json_str(auth, "name");

	if (type == NULL || strcmp(type, "none") == 0)
		return "";
	if (strcmp(type, "header") == 0)
		return arena_printf(a, "the header %s", name != NULL ? name : AUTH_HEADER_NAME);
	if (strcmp(type, "query") == 0)
		return arena_printf(a, "the parameter %s", name != NULL ? name : AUTH_QUERY_NAME);
	return arena_printf(a, "%s authentication", type);
}
