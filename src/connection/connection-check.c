/* Connect bodies against the manifest: which credentials and settings there may and must be. */
#include "base/limits.h"
#include "base/region.h"
#include "connection/connection-internal.h"
#include "net/egress.h"
#include "net/http-client.h"

#define CREDENTIAL_BYTES 8192u
#define SETTING_BYTES 2000u
#define SETTINGS_BYTES (64u * 1024u)
#define SETTING_HEADERS_MAX 32u
#define HOST_BYTES 253u
#define HOST_LABEL_BYTES 63u

struct settings_checking {
	const struct app *app;
	const json_t *given; /* of the settings at hand; what was stored before a rule came stays */
	bool is_given;       /* the one at hand is */
	struct arena *a;
	struct json_reader in; /* the first fault ends it */
};

/* ---- settings ----------------------------------------------------------------------------- */

/* They would break the request. */
static bool is_framing_header(const char *name)
{
	static const char *const names[] = {"host", "content-length", "transfer-encoding",
	    "connection", "te", "upgrade", "expect", "trailer", "keep-alive", "proxy-connection"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

/* Credentials have their own place. */
static bool is_secret_header(const char *name)
{
	return strcasecmp(name, "authorization") == 0 || strcasecmp(name, "cookie") == 0 ||
	       strcasecmp(name, "proxy-authorization") == 0;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Does a word end in one that names a secret: "key", "apikey"? */
static bool is_secret_word(struct str word)
{
	static const char *const ends[] = {"key", "token", "secret", "password", "passwd", "pwd"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t n = strlen(ends[i]);

		if (word.n >= n && strncasecmp(word.p + word.n - n, ends[i], n) == 0)
			return true;
	}
	return false;
}

/* Does a header or parameter of that name hold a secret? X-Api-Key, apiKey, access_token,
 * client-secret do; Idempotency-Key, keyword and X-Tokenizer do not. */
static bool is_secret_name(struct str name)
{
	size_t from = 0;

	if (name.n == strlen("idempotency-key") &&
	    strncasecmp(name.p, "idempotency-key", name.n) == 0)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		bool is_end = i + 1 == name.n || !is_letter(name.p[i + 1]) ||
			      (name.p[i] >= 'a' && name.p[i + 1] >= 'A' && name.p[i + 1] <= 'Z');

		if (!is_letter(name.p[i]))
			from = i + 1;
		else if (is_end) {
			if (is_secret_word((struct str){name.p + from, i + 1 - from}))
				return true;
			from = i + 1;
		}
	}
	return false;
}

/* People who may see settings would see it, and it is sealed nowhere. */
static int refuse_secret(
    struct settings_checking *k, const char *what, struct str name, const char *auth)
{
	return json_reader_fail(&k->in,
	    "%s: use credentials and settings.auth instead, as in \"credentials\": {\"apiKey\": "
	    "\"…\"}, \"settings\": {\"auth\": {\"type\": \"%s\", \"name\": \"%.*s\"}}",
	    what, auth, (int)(name.n < 60 ? name.n : 60), name.p);
}

/* Its parameters, by names that may be escaped. */
static int check_url_query(struct settings_checking *k, struct str url)
{
	const char *query = memchr(url.p, '?', url.n);
	struct str rest, pair, name;

	if (query == NULL)
		return 0;
	rest = (struct str){query + 1, url.n - (size_t)(query + 1 - url.p)};
	while (str_split(&rest, '&', &pair)) {
		char *decoded = arena_alloc(k->a, pair.n + 1);
		long n;

		if (!str_split(&pair, '=', &name))
			continue;
		n = percent_decode(decoded, name.n + 1, name, true);
		if (n > 0 && is_secret_name((struct str){decoded, (size_t)n}))
			return refuse_secret(k, "holds a secret in its query",
			    (struct str){decoded, (size_t)n}, "query");
	}
	return 0;
}

static int check_header_name(struct settings_checking *k, const char *name)
{
	if (is_framing_header(name) || strcasecmp(name, "set-cookie") == 0)
		return json_reader_fail(&k->in, "cannot be set");
	if (!http_header_is_name(str_from(name)))
		return json_reader_fail(&k->in, "is not a header name, such as X-API-Key");
	return 0;
}

/* Nobody fills placeholders here: they would be sent as they stand. */
static int check_no_placeholder(struct settings_checking *k, const char *text)
{
	if (!k->is_given || strstr(text, "{{") == NULL)
		return 0;
	return json_reader_fail(
	    &k->in, "takes no {{placeholders}}: only the texts of a body template do");
}

static int check_header(struct settings_checking *k, const char *name, json_t *value)
{
	static const struct json_member text = {"", READ_TEXT, .flags = READ_PLAIN,
	    .max = SETTING_BYTES, .rule = "must be text without control characters"};
	struct str ignored;

	if (json_is_null(value))
		return json_reader_fail(&k->in, "has no value");
	if (is_secret_header(name))
		return json_reader_fail(
		    &k->in, "holds a secret: use credentials and settings.auth instead");
	if (k->is_given && is_secret_name(str_from(name)))
		return refuse_secret(k, "holds a secret", str_from(name), "header");
	if (check_header_name(k, name) == -1 ||
	    json_read_value(&k->in, value, &text, &ignored) == -1)
		return -1;
	return check_no_placeholder(k, json_string_value(value));
}

static int check_path(struct settings_checking *k, json_t *v)
{
	struct err err = ERR_INIT;

	if (!json_is_string(v))
		return json_reader_fail(&k->in, "must be a path such as data.id");
	return path_compile(k->a, str_from(json_string_value(v)), &err) == NULL
		   ? json_reader_fail(&k->in, "%s", err.msg)
		   : 0;
}

/* Of a field that the account named: all of the item is none. */
static int check_named_path(struct settings_checking *k, const char *name, json_t *v)
{
	if (k->is_given && name[0] == '\0')
		return json_reader_fail(&k->in, "needs a name");
	if (k->is_given && (json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0)))
		return json_reader_fail(&k->in,
		    "has no path: say where it stands in the body, such as data.%.60s", name);
	return check_path(k, v);
}

/* Of something: all of the item is no id, type or time. */
static int check_one_path(struct settings_checking *k, json_t *v)
{
	if (k->is_given && json_is_string(v) && json_string_length(v) == 0)
		return json_reader_fail(
		    &k->in, "must be a path such as data.id; leave it out for none");
	return check_path(k, v);
}

/* Each member of an object whose keys are the account's own choice. */
static int check_members(struct settings_checking *k, const json_t *object,
    int (*check)(struct settings_checking *k, const char *name, json_t *v))
{
	const char *name;
	json_t *v;

	json_object_each(object, name, v) {
		size_t mark = json_reader_enter(&k->in, name);

		if (check(k, name, v) == -1)
			return -1;
		json_reader_leave(&k->in, mark);
	}
	return 0;
}

static int check_headers(struct settings_checking *k, json_t *v)
{
	static const struct json_member headers = {"", READ_OBJECT, .max = SETTING_HEADERS_MAX,
	    .rule = "must be an object of at most 32 headers"};

	return json_read_value(&k->in, v, &headers, &v) == -1 ? -1
							      : check_members(k, v, check_header);
}

static int check_paths(struct settings_checking *k, json_t *v)
{
	static const struct json_member paths = {
	    "", READ_OBJECT, .min = 1, .rule = "must be an object of names and paths"};

	return json_read_value(&k->in, v, &paths, &v) == -1 ? -1
							    : check_members(k, v, check_named_path);
}

static int check_url(struct settings_checking *k, json_t *v)
{
	static const struct json_member url = {
	    "", READ_TEXT, .max = LIMIT_URL_BYTES, .rule = "must be an http or https URL"};
	struct err err = ERR_INIT;
	struct str text;

	if (json_read_value(&k->in, v, &url, &text) == -1 || check_no_placeholder(k, text.p) == -1)
		return -1;
	if (egress_check_url(k->app->config, text.p, &err) == -1)
		return json_reader_fail(&k->in, "%s", err.msg);
	return k->is_given ? check_url_query(k, text) : 0;
}

static bool is_setting_choice(const struct setting_spec *s, const json_t *v)
{
	for (size_t i = 0; json_is_string(v) && i < s->nchoices; i++)
		if (strcmp(s->choices[i], json_string_value(v)) == 0)
			return true;
	return false;
}

static bool is_setting_word(const json_t *v, const char *letters, size_t min, size_t max)
{
	size_t n = json_string_length(v);

	return json_is_string(v) && n >= min && n <= max &&
	       strspn(json_string_value(v), letters) == n;
}

static int check_settings(
    struct settings_checking *k, const struct setting_spec *specs, size_t nspecs, json_t *settings);

static int check_text(
    struct settings_checking *k, const struct setting_spec *s, json_t *settings, json_t *v)
{
	bool is_id = strcmp(s->key, "externalAccountId") == 0;
	const struct json_member text = {"", READ_TEXT, .flags = READ_PLAIN,
	    .max = is_id ? LIMIT_EXTERNAL_ID_BYTES : SETTING_BYTES};
	struct str given;

	if (json_is_number(v)) {
		json_set_str(settings, s->key, json_id_text(k->a, v));
		v = json_object_get(settings, s->key);
	}
	if (json_read_value(&k->in, v, &text, &given) == -1)
		return -1;
	if (is_id) /* compared with what payloads say */
		json_set_strn(settings, s->key, str_copy(k->a, utf8_trim(given)));
	return 0;
}

/* Text is JSON written by hand; it is kept parsed. What is stored is compiled when it is used: what
 * cannot be is refused here, by its place within. */
static int check_compiled(struct settings_checking *k, const struct setting_spec *s,
    json_t *settings, json_t *v, connection_template_fn *check)
{
	struct err err = ERR_INIT;

	if (json_is_string(v)) {
		struct str text = {json_string_value(v), json_string_length(v)};

		v = json_parse(k->a, text, &err);
		if (v == NULL)
			return json_reader_fail(&k->in, "is not JSON: %s", err.msg);
		json_set(settings, s->key, json_incref(v));
	}
	if (!json_is_object(v) && !json_is_array(v))
		return json_reader_fail(&k->in, "must be a JSON object or list");
	if (check == NULL || !k->is_given || check(k->a, v, &err) == 0)
		return 0;
	return json_reader_fail(
	    &k->in, "%s%s%s", err.field, err.field[0] != '\0' ? ": " : "", err.msg);
}

/* The name of a header that a request brings, or is to carry. */
static int check_header_setting(
    struct settings_checking *k, const struct setting_spec *s, json_t *settings, json_t *v)
{
	if (check_text(k, s, settings, v) == -1)
		return -1;
	return k->is_given ? check_header_name(k, json_str(settings, s->key)) : 0;
}

/* Those of a member that is an object. */
static int check_object(struct settings_checking *k, const struct setting_spec *s, json_t *v)
{
	const json_t *given = k->given;
	int rc;

	k->given = json_object_get(given, s->key);
	rc = check_settings(k, s->members, s->nmembers, v);
	k->given = given;
	return rc;
}

/* "UK" is kept as GB. */
static int check_country(
    struct settings_checking *k, const struct setting_spec *s, json_t *settings, const json_t *v)
{
	struct str code = {json_string_value(v), json_string_length(v)};
	const struct region *region = region_of_code(code);

	if (region == NULL)
		return json_reader_fail(
		    &k->in, "must be the two-letter code of a country (ISO 3166), such as DE");
	json_set_str(settings, s->key, region->iso);
	return 0;
}

static bool is_host_label(struct str label)
{
	return label.n > 0 && label.n <= HOST_LABEL_BYTES && label.p[0] != '-' &&
	       label.p[label.n - 1] != '-' &&
	       strspn(label.p, "abcdefghijklmnopqrstuvwxyz0123456789-") >= label.n;
}

/* At most so many names with dots between them? */
static bool are_host_labels(struct str text, int64_t most)
{
	struct str label;
	int64_t n = 0;

	while (str_split(&text, '.', &label))
		if (++n > most || !is_host_label(label))
			return false;
	return n > 0;
}

/* "shop" and "Shop.myshopify.com" are kept as shop.myshopify.com: names below the suffix, one
 * unless the manifest has more, so that nothing leads elsewhere. */
static int check_host(
    struct settings_checking *k, const struct setting_spec *s, json_t *settings, const json_t *v)
{
	struct str given = utf8_trim((struct str){json_string_value(v), json_string_length(v)});
	struct str names = str_copy(k->a, utf8_lower(k->a, given));

	if (!json_is_string(v) || given.n == 0 || given.n > HOST_BYTES)
		return json_reader_fail(&k->in, "must be a host such as name%s", s->suffix);
	if (str_ends(names, s->suffix))
		names.n -= strlen(s->suffix);
	if (!are_host_labels(names, s->max))
		return json_reader_fail(&k->in,
		    "must be a host such as name%s, without https:// and without a path",
		    s->suffix);
	json_set_str(
	    settings, s->key, arena_printf(k->a, "%.*s%s", (int)names.n, names.p, s->suffix));
	return 0;
}

static int check_integer(struct settings_checking *k, const struct setting_spec *s, json_t *v)
{
	const struct json_member integer = {"", READ_INT, .min = s->min, .max = s->max};
	int64_t ignored;

	return json_read_value(&k->in, v, &integer, &ignored);
}

static int check_boolean(struct settings_checking *k, json_t *v)
{
	static const struct json_member boolean = {"", .kind = READ_BOOL};
	bool ignored;

	return json_read_value(&k->in, v, &boolean, &ignored);
}

/* The value of settings where the reader stands. */
static int check_setting(
    struct settings_checking *k, const struct setting_spec *s, json_t *settings)
{
	json_t *v = json_object_get(settings, s->key);

	k->is_given = json_object_get(k->given, s->key) != NULL;
	switch (s->type) {
	case SETTING_TEXT:
		return check_text(k, s, settings, v);
	case SETTING_INTEGER:
		return check_integer(k, s, v);
	case SETTING_BOOLEAN:
		return check_boolean(k, v);
	case SETTING_URL:
		return check_url(k, v);
	case SETTING_CHOICE:
		return is_setting_choice(s, v)
			   ? 0
			   : json_reader_fail(&k->in, "is not one of the choices");
	case SETTING_PATH:
		return check_one_path(k, v);
	case SETTING_PATHS:
		return check_paths(k, v);
	case SETTING_HEADERS:
		return check_headers(k, v);
	case SETTING_TEMPLATE:
		return check_compiled(k, s, settings, v, k->app->hooks.connection_template);
	case SETTING_CONDITION:
		return check_compiled(k, s, settings, v, provider_check_success);
	case SETTING_HEADER:
		return check_header_setting(k, s, settings, v);
	case SETTING_OBJECT:
		return check_object(k, s, v);
	case SETTING_HOST:
		return check_host(k, s, settings, v);
	case SETTING_COUNTRY:
		return check_country(k, s, settings, v);
	case SETTING_TYPE:
		return is_setting_word(v,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", 1,
			   LIMIT_TYPE_BYTES)
			   ? 0
			   : json_reader_fail(&k->in, "must be letters, digits, _ . or -");
	}
	return json_reader_fail(&k->in, "is not known");
}

static const struct setting_spec *find_setting(
    const struct setting_spec *specs, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(specs[i].key, key) == 0)
			return &specs[i];
	return NULL;
}

/* The settings where the reader stands; null ones are taken out. */
static int check_settings(
    struct settings_checking *k, const struct setting_spec *specs, size_t nspecs, json_t *settings)
{
	const char *key;
	json_t *v;
	void *tmp;

	if (!json_is_object(settings))
		return json_reader_fail(&k->in, "must be an object");
	json_object_foreach_safe(settings, tmp, key, v) {
		if (json_is_null(v))
			json_object_del(settings, key);
		else if (find_setting(specs, nspecs, key) == NULL)
			return json_reader_fail_at(&k->in, key, "is not a known setting");
	}
	for (size_t i = 0; i < nspecs; i++) {
		size_t mark = json_reader_enter(&k->in, specs[i].key);
		bool is_there = json_object_get(settings, specs[i].key) != NULL;

		if (!is_there && specs[i].is_needed)
			return json_reader_fail(&k->in, "is needed");
		if (is_there && check_setting(k, &specs[i], settings) == -1)
			return -1;
		json_reader_leave(&k->in, mark);
	}
	return 0;
}

/* ---- credentials -------------------------------------------------------------------------- */

static bool has_credential(const json_t *credentials, const char *key)
{
	return json_string_length(json_object_get(credentials, key)) > 0;
}

static int check_credential_rule(struct settings_checking *k, const struct credential_rule *r,
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
			return json_reader_fail_at(&k->in, r->keys[i], "is needed");
	}
	if (!r->is_any)
		return 0;
	return r->n == 1 ? json_reader_fail_at(&k->in, r->keys[0], "is needed")
			 : json_reader_fail_at(&k->in, r->keys[0], "is needed (or %s)", r->keys[1]);
}

static int check_credentials(struct settings_checking *k, const struct provider *p,
    const json_t *credentials, json_t *settings)
{
	struct json_member member = {
	    "", READ_TEXT, .flags = READ_PLAIN, .min = 1, .max = CREDENTIAL_BYTES};
	struct str ignored;
	const char *key;
	json_t *v;

	if (!json_is_object(credentials))
		return json_reader_fail(&k->in, "must be an object");
	json_object_each(credentials, key, v) {
		if (!manifest_has_credential(p, key))
			return json_reader_fail_at(
			    &k->in, key, "is not a credential of this provider");
		member.name = key;
		if (json_read_member(&k->in, credentials, &member, &ignored) == -1)
			return -1;
	}
	for (size_t i = 0; i < p->ncredentials; i++)
		if (p->credentials[i].is_needed &&
		    !has_credential(credentials, p->credentials[i].key))
			return json_reader_fail_at(&k->in, p->credentials[i].key, "is needed");
	for (size_t i = 0; i < p->ncredential_rules; i++)
		if (check_credential_rule(k, &p->credential_rules[i], credentials, settings) == -1)
			return -1;
	return 0;
}

/* Where the reader stands. */
static int check_settings_whole(
    struct settings_checking *k, const struct provider *p, json_t *settings)
{
	size_t mark = json_reader_enter(&k->in, "settings");
	int rc = check_settings(k, p->settings, p->nsettings, settings);

	if (rc == 0 && json_text(k->a, settings).n > SETTINGS_BYTES)
		rc = json_reader_fail(&k->in, "are too large");
	json_reader_leave(&k->in, mark);
	return rc == 0 ? webhook_check_settings(p, k->a, settings, k->in.err) : rc;
}

int connection_check_settings(const struct app *app, const struct provider *p, json_t *settings,
    const json_t *given, struct err *err)
{
	struct settings_checking k = {
	    .app = app, .given = given, .a = arena_new(), .in = {.err = err}};
	int rc = check_settings_whole(&k, p, settings);

	arena_free(k.a);
	return rc;
}

int connection_check(const struct app *app, const struct provider *p, const json_t *credentials,
    json_t *settings, const json_t *given, struct err *err)
{
	struct settings_checking k = {
	    .app = app, .given = given, .a = arena_new(), .in = {.err = err}};
	int rc = check_settings_whole(&k, p, settings);

	json_reader_enter(&k.in, "credentials");
	if (rc == 0)
		rc = check_credentials(&k, p, credentials, settings);
	arena_free(k.a);
	return rc;
}
