/* Connect bodies against the manifest: which credentials and settings there may and must be. */
#include "base/limits.h"
#include "connection/connection-internal.h"
#include "net/egress.h"

#define CREDENTIAL_BYTES 8192u
#define SETTING_BYTES 2000u
#define SETTINGS_BYTES (64u * 1024u)
#define SETTING_HEADERS_MAX 32u

struct checking {
	const struct config *cfg;
	struct arena *a;
	struct err *err;
};

static int fail(struct checking *k, const char *field, const char *reason)
{
	return err_field(k->err, ERR_INVALID, field, "%s", reason);
}

static bool has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* ---- settings ----------------------------------------------------------------------------- */

/* Credentials have their own place; the rest would break the request. */
static bool is_forbidden_header(const char *name)
{
	static const char *const names[] = {"authorization", "proxy-authorization", "cookie",
	    "set-cookie", "host", "content-length", "transfer-encoding", "connection", "te",
	    "upgrade", "expect", "trailer", "keep-alive", "proxy-connection"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

static int check_headers(struct checking *k, const char *field, const json_t *v)
{
	const char *name;
	json_t *value;

	if (!json_is_object(v) || json_object_size(v) > SETTING_HEADERS_MAX)
		return fail(k, field, "must be an object of at most 32 headers");
	json_object_each(v, name, value) {
		const char *inner = arena_printf(k->a, "%s.%s", field, name);

		if (strcasecmp(name, "authorization") == 0 || strcasecmp(name, "cookie") == 0 ||
		    strcasecmp(name, "proxy-authorization") == 0)
			return fail(
			    k, inner, "holds a secret: use credentials and settings.auth instead");
		if (is_forbidden_header(name))
			return fail(k, inner, "cannot be set");
		if (name[0] == '\0' ||
		    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789!#$%&'*+-.^_`|~") != strlen(name))
			return fail(k, inner, "is not a header name");
		if (!json_is_string(value) || has_control(json_string_value(value)) ||
		    json_string_length(value) > SETTING_BYTES)
			return fail(k, inner, "must be text without control characters");
	}
	return 0;
}

static int check_path(struct checking *k, const char *field, const json_t *v)
{
	struct err err = ERR_INIT;

	if (!json_is_string(v))
		return fail(k, field, "must be a path such as data.id");
	return path_compile(k->a, str_from(json_string_value(v)), &err) == NULL
		   ? fail(k, field, err.msg)
		   : 0;
}

static int check_paths(struct checking *k, const char *field, const json_t *v)
{
	const char *name;
	json_t *path;

	if (!json_is_object(v) || json_object_size(v) == 0)
		return fail(k, field, "must be an object of names and paths");
	json_object_each(v, name, path)
		if (check_path(k, arena_printf(k->a, "%s.%s", field, name), path) == -1)
			return -1;
	return 0;
}

static int check_url(struct checking *k, const char *field, const json_t *v)
{
	struct err err = ERR_INIT;

	if (!json_is_string(v) || json_string_length(v) > LIMIT_URL_BYTES)
		return fail(k, field, "must be an http or https URL");
	return egress_check_url(k->cfg, json_string_value(v), &err) == -1 ? fail(k, field, err.msg)
									  : 0;
}

static bool is_choice(const struct setting_spec *s, const json_t *v)
{
	for (size_t i = 0; json_is_string(v) && i < s->nchoices; i++)
		if (strcmp(s->choices[i], json_string_value(v)) == 0)
			return true;
	return false;
}

static bool is_word(const json_t *v, const char *letters, size_t min, size_t max)
{
	size_t n = json_string_length(v);

	return json_is_string(v) && n >= min && n <= max &&
	       strspn(json_string_value(v), letters) == n;
}

static int check_settings(struct checking *k, const char *prefix, const struct setting_spec *specs,
    size_t nspecs, json_t *settings);

static int check_text(struct checking *k, const char *field, const struct setting_spec *s,
    json_t *settings, const json_t *v)
{
	if (json_is_integer(v)) {
		const char *text = json_scalar_text(k->a, v);

		json_set_str(settings, s->key, text);
		return 0;
	}
	if (!json_is_string(v) || has_control(json_string_value(v)) ||
	    json_string_length(v) > SETTING_BYTES)
		return fail(k, field, "must be text");
	if (strcmp(s->key, "externalAccountId") == 0 &&
	    json_string_length(v) > LIMIT_EXTERNAL_ID_BYTES)
		return fail(k, field, "is too long");
	return 0;
}

/* Text is JSON written by hand; it is kept parsed. */
static int check_template(struct checking *k, const char *field, const struct setting_spec *s,
    json_t *settings, json_t *v)
{
	struct err err = ERR_INIT;

	if (json_is_string(v)) {
		struct str text = {json_string_value(v), json_string_length(v)};

		v = json_parse(k->a, text, &err);
		if (v == NULL)
			return fail(k, field, arena_printf(k->a, "is not JSON: %s", err.msg));
		json_set(settings, s->key, json_incref(v));
	}
	return json_is_object(v) || json_is_array(v)
		   ? 0
		   : fail(k, field, "must be a JSON object or list");
}

static int check_setting(
    struct checking *k, const char *field, const struct setting_spec *s, json_t *settings)
{
	json_t *v = json_object_get(settings, s->key);

	switch (s->type) {
	case SETTING_TEXT:
		return check_text(k, field, s, settings, v);
	case SETTING_INTEGER:
		return json_is_integer(v) && json_integer_value(v) >= s->min &&
			       json_integer_value(v) <= s->max
			   ? 0
			   : fail(k, field,
				 arena_printf(k->a, "must be an integer from %lld to %lld",
				     (long long)s->min, (long long)s->max));
	case SETTING_BOOLEAN:
		return json_is_boolean(v) ? 0 : fail(k, field, "must be true or false");
	case SETTING_URL:
		return check_url(k, field, v);
	case SETTING_CHOICE:
		return is_choice(s, v) ? 0 : fail(k, field, "is not one of the choices");
	case SETTING_PATH:
		return check_path(k, field, v);
	case SETTING_PATHS:
		return check_paths(k, field, v);
	case SETTING_HEADERS:
		return check_headers(k, field, v);
	case SETTING_TEMPLATE:
		return check_template(k, field, s, settings, v);
	case SETTING_OBJECT:
		return check_settings(k, field, s->members, s->nmembers, v);
	case SETTING_COUNTRY:
		return is_word(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 2, 2)
			   ? 0
			   : fail(k, field, "must be a two-letter country code such as DE");
	case SETTING_TYPE:
		return is_word(v,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", 1,
			   LIMIT_TYPE_BYTES)
			   ? 0
			   : fail(k, field, "must be letters, digits, _ . or -");
	}
	return fail(k, field, "is not known");
}

static const struct setting_spec *find_setting(
    const struct setting_spec *specs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(specs[i].key, key) == 0)
			return &specs[i];
	return NULL;
}

static int check_settings(struct checking *k, const char *prefix, const struct setting_spec *specs,
    size_t nspecs, json_t *settings)
{
	const char *key;
	json_t *v;
	void *tmp;

	if (!json_is_object(settings))
		return fail(k, prefix, "must be an object");
	json_object_foreach_safe(settings, tmp, key, v) {
		if (json_is_null(v)) {
			json_object_del(settings, key);
			continue;
		}
		if (find_setting(specs, nspecs, key) == NULL)
			return fail(
			    k, arena_printf(k->a, "%s.%s", prefix, key), "is not a known setting");
	}
	for (size_t i = 0; i < nspecs; i++) {
		const char *field = arena_printf(k->a, "%s.%s", prefix, specs[i].key);

		if (json_object_get(settings, specs[i].key) == NULL) {
			if (specs[i].is_needed)
				return fail(k, field, "is needed");
		} else if (check_setting(k, field, &specs[i], settings) == -1) {
			return -1;
		}
	}
	return 0;
}

/* ---- credentials -------------------------------------------------------------------------- */

static bool has_credential(const json_t *credentials, const char *key)
{
	return json_string_length(json_object_get(credentials, key)) > 0;
}

static int check_rule(struct checking *k, const struct credential_rule *r,
    const json_t *credentials, json_t *settings)
{
	struct scope s = {.a = k->a};

	s.slot[ROOT_SETTINGS].json = settings;
	if (!cond_holds(r->when, &s))
		return 0;
	for (size_t i = 0; i < r->n; i++) {
		bool is_there = has_credential(credentials, r->keys[i]);

		if (is_there && r->is_any)
			return 0;
		if (!is_there && !r->is_any)
			return fail(
			    k, arena_printf(k->a, "credentials.%s", r->keys[i]), "is needed");
	}
	return !r->is_any ? 0
			  : fail(k, arena_printf(k->a, "credentials.%s", r->keys[0]),
				r->n == 1 ? "is needed"
					  : arena_printf(k->a, "is needed (or %s)", r->keys[1]));
}

static int check_credentials(
    struct checking *k, const struct provider *p, const json_t *credentials, json_t *settings)
{
	const char *key;
	json_t *v;

	if (!json_is_object(credentials))
		return fail(k, "credentials", "must be an object");
	json_object_each(credentials, key, v) {
		const char *field = arena_printf(k->a, "credentials.%s", key);

		if (!manifest_has_credential(p, key))
			return fail(k, field, "is not a credential of this provider");
		if (!json_is_string(v) || json_string_length(v) == 0)
			return fail(k, field, "must be text that is not empty");
		if (json_string_length(v) > CREDENTIAL_BYTES || has_control(json_string_value(v)))
			return fail(k, field, "is too long or has control characters");
	}
	for (size_t i = 0; i < p->ncredentials; i++)
		if (p->credentials[i].is_needed &&
		    !has_credential(credentials, p->credentials[i].key))
			return fail(k, arena_printf(k->a, "credentials.%s", p->credentials[i].key),
			    "is needed");
	for (size_t i = 0; i < p->ncredential_rules; i++)
		if (check_rule(k, &p->credential_rules[i], credentials, settings) == -1)
			return -1;
	return 0;
}

int connection_check(const struct config *cfg, const struct provider *p, const json_t *credentials,
    json_t *settings, struct err *err)
{
	struct checking k = {.cfg = cfg, .a = arena_new(), .err = err};
	int rc = check_settings(&k, "settings", p->settings, p->nsettings, settings);

	if (rc == 0 && json_text(k.a, settings).n > SETTINGS_BYTES)
		rc = fail(&k, "settings", "are too large");
	if (rc == 0)
		rc = webhook_check_settings(p, k.a, settings, err);
	if (rc == 0)
		rc = check_credentials(&k, p, credentials, settings);
	arena_free(k.a);
	return rc;
}
