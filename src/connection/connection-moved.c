/* Stored credentials stay with the server that they were given for. Who may write settings could
 * else have them sent to a server of their own, without ever having seen them: so whoever leads the
 * calls elsewhere, or has the credentials sent in another way, gives them anew. */
#include "connection/connection-internal.h"
#include "net/egress.h"

static bool list_has(const json_t *list, const char *text)
{
	const json_t *v;
	size_t i;

	json_array_each(list, i, v)
		if (strcmp(json_string_value(v), text) == 0)
			return true;
	return false;
}

/* The first origin that is new; NULL: none is. */
static const char *origin_new(const json_t *before, const json_t *after)
{
	const json_t *v;
	size_t i;

	json_array_each(after, i, v)
		if (!list_has(before, json_string_value(v)))
			return json_string_value(v);
	return NULL;
}

/* What has changed, as the end of a sentence about a credential; NULL: nothing that matters. */
static const char *moved_why(
    const struct provider *p, struct arena *a, json_t *before, json_t *after)
{
	const char *origin =
	    origin_new(provider_origins(p, a, before), provider_origins(p, a, after));
	const char *was = provider_auth_place(a, before), *is = provider_auth_place(a, after);

	if (origin != NULL)
		return arena_printf(
		    a, "%s is another server than the one it was given for", origin);
	if (is[0] != '\0' && strcmp(was, is) != 0)
		return arena_printf(a, "it is to be sent in another way (%s)", is);
	return NULL;
}

static bool is_sent(const struct connection *c, const char *key, const json_t *value)
{
	return json_string_length(value) > 0 && provider_sends_credential(c->provider, key);
}

int connection_check_moved(struct arena *a, const struct connection *c, const struct access *before,
    const json_t *given, struct err *err)
{
	const json_t *v;
	const char *key, *why;

	if (before->settings == NULL)
		return 0;
	why = moved_why(c->provider, a, before->settings, c->access.settings);
	if (why == NULL)
		return 0;
	json_object_each(c->access.credentials, key, v)
		if (is_sent(c, key, v) && json_object_get(given, key) == NULL)
			return err_field(err, ERR_INVALID, arena_printf(a, "credentials.%s", key),
			    "must be given again, since %s. What is stored is not sent there", why);
	return 0;
}

int connection_check_plain(
    const struct app *app, struct arena *a, const struct connection *c, struct err *err)
{
	const json_t *origins = provider_origins(c->provider, a, c->access.settings), *v, *origin;
	const char *key;
	bool has_any = false;
	size_t i;

	if (c->provider->asks_sign_in && provider_auth_place(a, c->access.settings)[0] == '\0')
		return 0;
	json_object_each(c->access.credentials, key, v)
		has_any = has_any || is_sent(c, key, v);
	if (!has_any)
		return 0;
	json_array_each(origins, i, origin)
		if (!egress_may_carry_secret(app->config, json_string_value(origin)))
			return err_field(err, ERR_INVALID,
			    arena_printf(a, "settings.%s",
				provider_setting_of_origin(
				    c->provider, a, c->access.settings, json_string_value(origin))),
			    "must begin with https://, since credentials are sent there; by plain "
			    "http:// only if whoever runs Connect has allowed that server");
	return 0;
}

void connection_note_moved(
    struct arena *a, const struct connection *c, json_t *settings, json_t *before, json_t *after)
{
	json_t *was = provider_origins(c->provider, a, settings),
	       *is = provider_origins(c->provider, a, c->access.settings);

	if (json_equal(was, is))
		return;
	json_set(before, "origins", json_incref(was));
	json_set(after, "origins", json_incref(is));
}
