/* What the engine is handed of a connection: credentials by name, and their erasure from texts; and
 * a provider's actions by name. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "provider/provider-internal.h"

#define REDACT_MIN 6
#define REDACT_MIN_SECRET 3

const char *access_credential(const struct access *c, const char *key)
{
	const size_t prefix = sizeof(APP_CREDENTIAL) - 1;

	if (c == NULL)
		return NULL;
	if (strncmp(key, APP_CREDENTIAL, prefix) == 0)
		return json_str(c->app, key + prefix);
	return json_str(c->credentials, key);
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

/* ---- blotting out ---------------------------------------------------------------------------
 *
 * A secret is looked for as it is and as others write it: each of its characters may stand for
 * itself or be escaped as URLs, forms, JSON or HTML do, and the whole may be base64. What is found
 * is blotted from its first place to its last, so of one secret within another nothing is left. */

struct blot {
	struct arena *a;
	struct str *v; /* what to look for */
	size_t n, cap;
	bool may_begin[256]; /* what has none of these for its first byte holds none */
};

static void blot_add(struct blot *k, struct str text)
{
	if (k->n == k->cap) {
		struct str *v = arena_array(k->a, 2 * k->cap + 16, sizeof(*v));

		if (k->n > 0)
			memcpy(v, k->v, k->n * sizeof(*v));
		k->v = v;
		k->cap = 2 * k->cap + 16;
	}
	k->v[k->n++] = text;
	k->may_begin[(unsigned char)text.p[0]] = true;
	for (const char *c = "%\\&+-_"; *c != '\0'; c++) /* escapes, and base64url */
		k->may_begin[(unsigned char)*c] = true;
}

/* As it is in base64, alone or amid other bytes: of the characters that hold its bits alone there
 * are three forms, by how many bytes stand before it. */
static void blot_add_base64(struct blot *k, struct str secret)
{
	struct buf *whole = buf_new(k->a, 2 * secret.n + 8);

	base64_encode(whole, secret.p, secret.n);
	if (buf_ok(whole))
		blot_add(k, (struct str){whole->p, whole->len});
	for (size_t before = 0; before < 3; before++) {
		struct buf *b = buf_new(k->a, 2 * secret.n + 16);
		char *padded = arena_zalloc(k->a, secret.n + 3);
		size_t from = (8 * before + 5) / 6, to = 8 * (before + secret.n) / 6;

		memcpy(padded + before, secret.p, secret.n);
		base64_encode(b, padded, before + secret.n);
		if (buf_ok(b) && to > from)
			blot_add(k, (struct str){b->p + from, to - from});
	}
}

/* Secrets are short sometimes; in short names, such as those of users, ordinary words would be
 * blotted out. */
static void blot_add_secret(struct blot *k, const char *key, const char *secret)
{
	static const char *const names[] = {"username", "accountSid", "clientId"};
	struct str text = str_from(secret);
	size_t least = REDACT_MIN_SECRET;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (key != NULL && strcmp(key, names[i]) == 0)
			least = REDACT_MIN;
	if (text.n < least)
		return;
	blot_add(k, text);
	if (text.n >= REDACT_MIN)
		blot_add_base64(k, text);
}

static void blot_read(struct blot *k, const struct access *c)
{
	const char *key, *user = access_credential(c, "username"),
			 *password = access_credential(c, "password");
	json_t *v;
	size_t i;

	json_object_each(c->credentials, key, v)
		if (json_is_string(v))
			blot_add_secret(k, key, json_string_value(v));
	json_object_each(c->app, key, v)
		if (json_is_string(v))
			blot_add_secret(k, key, json_string_value(v));
	json_array_each(c->former, i, v)
		blot_add_secret(k, json_str(v, "key"), json_str(v, "value"));
	/* As Basic authentication sends them. */
	if (user != NULL && password != NULL)
		blot_add_base64(k, str_from(arena_printf(k->a, "%s:%s", user, password)));
}

/* One character as it may be escaped: its UTF-8 in out, *n bytes of it; returns how many bytes of
 * the text stand for it, 0 where none are. */
static size_t escape_read_percent(struct str text, char *out, size_t *n)
{
	*n = 1;
	return text.n >= 3 && text.p[0] == '%' &&
		       hex_decode(out, 1, (struct str){text.p + 1, 2}) == 1
		   ? 3
		   : 0;
}

static size_t escape_read_json(struct str text, char *out, size_t *n)
{
	unsigned char code[2];
	unsigned c;

	*n = 1;
	if (text.n < 2 || text.p[0] != '\\')
		return 0;
	*out = text.p[1];
	if (text.p[1] != 'u')
		return strchr("\"\\/", text.p[1]) != NULL && text.p[1] != '\0' ? 2 : 0;
	if (text.n < 6 || hex_decode(code, 2, (struct str){text.p + 2, 4}) != 2)
		return 0;
	c = (unsigned)code[0] << 8 | code[1];
	*n = c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
	if (*n == 1)
		out[0] = (char)c;
	else if (*n == 2)
		out[0] = (char)(0xc0 | c >> 6);
	else
		out[0] = (char)(0xe0 | c >> 12);
	if (*n == 3)
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
	if (*n > 1)
		out[*n - 1] = (char)(0x80 | (c & 0x3f));
	return 6;
}

static size_t escape_read_html(struct str text, char *out, size_t *n)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'},
	    {"&#39;", '\''}, {"&#x27;", '\''}, {"&#34;", '"'}, {"&apos;", '\''}, {"&#x2F;", '/'},
	    {"&#61;", '='}};

	*n = 1;
	for (size_t i = 0; text.p[0] == '&' && i < sizeof(entities) / sizeof(*entities); i++)
		if (str_starts(text, entities[i].entity)) {
			*out = entities[i].c;
			return strlen(entities[i].entity);
		}
	return 0;
}

static bool begins_escape(char c)
{
	return c == '%' || c == '\\' || c == '&';
}

/* As it is, as forms write it, as base64url does. */
static bool is_same_char(char c, char of_secret)
{
	return c == of_secret || (c == '+' && of_secret == ' ') || (c == '-' && of_secret == '+') ||
	       (c == '_' && of_secret == '/');
}

/* How many bytes at the beginning of text stand for what secret begins with; *n of its bytes. */
static size_t secret_step(struct str text, struct str secret, size_t *n)
{
	static size_t (*const reads[])(struct str, char *, size_t *) = {
	    escape_read_percent, escape_read_json, escape_read_html};
	char as[4];

	for (size_t i = 0; begins_escape(text.p[0]) && i < 3; i++) {
		size_t taken = reads[i](text, as, n);

		if (taken > 0 && *n <= secret.n && memcmp(as, secret.p, *n) == 0)
			return taken;
	}
	*n = 1;
	return is_same_char(text.p[0], secret.p[0]) ? 1 : 0;
}

/* How many bytes of text the secret takes at its beginning; 0: it is not there. */
static size_t secret_at(struct str text, struct str secret)
{
	const char *from = text.p;

	while (secret.n > 0) {
		size_t n, taken = text.n == 0 ? 0 : secret_step(text, secret, &n);

		if (taken == 0)
			return 0;
		text = (struct str){text.p + taken, text.n - taken};
		secret = (struct str){secret.p + n, secret.n - n};
	}
	return (size_t)(text.p - from);
}

static size_t secret_longest_at(const struct blot *k, struct str text)
{
	const bool is_escape = begins_escape(text.p[0]);
	size_t most = 0;

	for (size_t i = 0; i < k->n; i++) {
		size_t n = is_escape || is_same_char(text.p[0], k->v[i].p[0])
			       ? secret_at(text, k->v[i])
			       : 0; /* so for nearly all: this runs for each byte */

		most = n > most ? n : most;
	}
	return most;
}

struct str access_redact_text(struct arena *a, const struct access *c, struct str text)
{
	struct blot k = {.a = a};
	struct buf *b = NULL;
	size_t end = 0, kept = 0; /* of what is blotted; of what is written */

	if (c == NULL || text.n == 0)
		return text;
	blot_read(&k, c);
	for (size_t i = 0; i < text.n; i++) {
		size_t n = !k.may_begin[(unsigned char)text.p[i]]
			       ? 0
			       : secret_longest_at(&k, (struct str){text.p + i, text.n - i});

		if (n == 0)
			continue;
		if (b == NULL)
			b = buf_new(a, 3 * text.n + 4);
		if (i >= end) {
			buf_add(b, text.p + kept, i - kept);
			buf_str(b, "***");
		}
		end = i + n > end ? i + n : end;
		kept = end;
	}
	if (b == NULL)
		return text;
	buf_add(b, text.p + kept, text.n - kept);
	return (struct str){b->p, b->len};
}

const char *access_redact(struct arena *a, const struct access *c, const char *text)
{
	struct str out = access_redact_text(a, c, str_from(text));

	return out.p == text ? text : arena_strndup(a, out.p, out.n);
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

const struct action *provider_find_open_action(const struct provider *p, struct str name)
{
	for (size_t i = 0; i < p->nactions; i++)
		if (!p->actions[i].is_hidden && str_is(name, p->actions[i].name))
			return &p->actions[i];
	return NULL;
}
