/* What the engine is handed of a connection: credentials by name, and their erasure from texts; and
 * a provider's actions by name. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "provider/provider-internal.h"

#define REDACT_MIN 6 /* shorter credentials would blot out ordinary words */

const char *access_credential(const struct access *c, const char *key)
{
	return c == NULL ? NULL : json_str(c->credentials, key);
}

const char *access_secret(
    const struct access *c, const char *key, size_t i, int64_t now_us, int64_t *until_us)
{
	const json_t *f;
	size_t k;

	*until_us = TIME_NONE;
	if (i == 0)
		return access_credential(c, key);
	json_array_each(c->former, k, f) {
		*until_us = json_int(f, "until");
		if (strcmp(json_str(f, "key"), key) == 0 && *until_us > now_us && --i == 0)
			return json_str(f, "value");
	}
	return NULL;
}

const char *access_setting(const struct access *c, const char *key)
{
	return c == NULL ? NULL : json_str(c->settings, key);
}

const char *access_lacks(const struct access *c, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *v = access_credential(c, keys[i]);

		if (v == NULL || v[0] == '\0')
			return keys[i];
	}
	return NULL;
}

/* Every occurrence of secret in text as ***. */
static const char *text_blot(struct arena *a, const char *text, struct str secret)
{
	const char *at = strstr(text, secret.p);
	struct buf *b;

	if (secret.n < REDACT_MIN || at == NULL)
		return text;
	b = buf_new(a, strlen(text) + 1);
	for (; at != NULL; text = at + secret.n, at = strstr(text, secret.p)) {
		buf_add(b, text, (size_t)(at - text));
		buf_str(b, "***");
	}
	buf_str(b, text);
	return b->p;
}

const char *access_redact(struct arena *a, const struct access *c, const char *text)
{
	const char *key, *user, *password;
	json_t *v;
	size_t i;

	if (c == NULL)
		return text;
	json_object_each(c->credentials, key, v)
		if (json_is_string(v))
			text = text_blot(
			    a, text, (struct str){json_string_value(v), json_string_length(v)});
	json_array_each(c->former, i, v)
		text = text_blot(a, text, str_from(json_str(v, "value")));
	/* As Basic authentication sends them. */
	user = access_credential(c, "username");
	password = access_credential(c, "password");
	if (user != NULL && password != NULL) {
		const char *pair = arena_printf(a, "%s:%s", user, password);
		struct buf *b = buf_new(a, LIMIT_HEADER_BYTES);

		base64_encode(b, pair, strlen(pair));
		if (buf_ok(b))
			text = text_blot(a, text, (struct str){b->p, b->len});
	}
	return text;
}

const struct action *provider_find_action(const struct provider *p, const char *name)
{
	for (size_t i = 0; i < p->nactions; i++)
		if (strcmp(p->actions[i].name, name) == 0)
			return &p->actions[i];
	return NULL;
}
