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

/* As JSON holds it, without the quotes. */
static struct str secret_in_json(struct arena *a, const char *secret)
{
	struct str text = json_text(a, json_own(a, json_string(secret)));

	return str_copy(a, (struct str){text.p + 1, text.n - 2});
}

/* The same of those who escape slashes, too. */
static struct str secret_with_slashes(struct arena *a, struct str secret)
{
	struct buf *b = buf_new(a, 2 * LIMIT_HEADER_BYTES);

	for (size_t i = 0; i < secret.n; i++) {
		if (secret.p[i] == '/')
			buf_chr(b, '\\');
		buf_chr(b, secret.p[i]);
	}
	return buf_ok(b) ? (struct str){b->p, b->len} : secret;
}

static struct str secret_in_url(struct arena *a, const char *secret)
{
	struct buf *b = buf_new(a, LIMIT_HEADER_BYTES);

	percent_encode(b, str_from(secret));
	return buf_ok(b) ? (struct str){b->p, b->len} : str_from(secret);
}

/* Wherever it stands, as it is or as what echoes it escapes it. */
static const char *text_blot_forms(struct arena *a, const char *text, const char *secret)
{
	struct str in_json = secret_in_json(a, secret);

	if (strlen(secret) < REDACT_MIN)
		return text;
	text = text_blot(a, text, str_from(secret));
	text = text_blot(a, text, in_json);
	text = text_blot(a, text, secret_with_slashes(a, in_json));
	return text_blot(a, text, secret_in_url(a, secret));
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
			text = text_blot_forms(a, text, json_string_value(v));
	json_array_each(c->former, i, v)
		text = text_blot_forms(a, text, json_str(v, "value"));
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

#define REDACT_PIECE_BYTES (64u * 1024u) /* at least that much is looked through */
#define REDACT_SECRET_BYTES (3u * 8192u) /* the longest secret, escaped */

struct str access_redact_body(
    struct arena *a, const struct access *c, struct str body, size_t most, bool keeps_lines)
{
	size_t n = body.n < REDACT_PIECE_BYTES ? body.n : REDACT_PIECE_BYTES;
	char *piece = arena_strndup(a, n > 0 ? body.p : "", n);
	struct str text;

	for (size_t i = 0; i < n; i++)
		if (((unsigned char)piece[i] < 0x20 || piece[i] == 0x7f) &&
		    !(keeps_lines && memchr("\n\r\t", piece[i], 3) != NULL))
			piece[i] = ' ';
	text = str_from(access_redact(a, c, piece));
	if (body.n > n) /* the piece may end within a secret */
		text.n -= text.n < REDACT_SECRET_BYTES ? text.n : REDACT_SECRET_BYTES;
	text = utf8_clean(a, text, most);
	return (struct str){arena_strndup(a, text.p, text.n), text.n};
}

const struct action *provider_find_action(const struct provider *p, const char *name)
{
	for (size_t i = 0; i < p->nactions; i++)
		if (strcmp(p->actions[i].name, name) == 0)
			return &p->actions[i];
	return NULL;
}
