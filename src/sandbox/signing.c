#include "sandbox/signing.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/limits.h"
#include "crypto/hash.h"

static const char *sign_hex(
    struct arena *a, const char *prefix, const char *secret, const struct str *parts, size_t n)
{
	unsigned char mac[SHA256_SIZE];
	struct buf *text = buf_new(a, 256);

	hmac_parts(HASH_SHA256, str_from(secret), parts, n, mac);
	buf_str(text, prefix);
	hex_encode(text, mac, sizeof(mac));
	return text->p;
}

static const char *mac_base64(
    struct arena *a, enum hash_alg alg, const char *secret, const struct str *parts, size_t n)
{
	unsigned char mac[HASH_SIZE_MAX];
	struct buf *text = buf_new(a, 256);

	hmac_parts(alg, str_from(secret), parts, n, mac);
	base64_encode(text, mac, hash_size(alg));
	return text->p;
}

static const char *sign_base64(
    struct arena *a, const char *secret, const struct str *parts, size_t n)
{
	return mac_base64(a, HASH_SHA256, secret, parts, n);
}

const char *sign_hub(struct arena *a, const char *secret, struct str body)
{
	return sign_hex(a, "sha256=", secret, &body, 1);
}

const char *sign_linkedin(struct arena *a, const char *secret, struct str body)
{
	const struct str parts[] = {STR("hmacsha256="), body};

	return sign_hex(a, "", secret, parts, 2);
}

const char *sign_linkedin_challenge(struct arena *a, const char *secret, const char *challenge)
{
	const struct str part = str_from(challenge);

	return sign_hex(a, "", secret, &part, 1);
}

const char *sign_tiktok(struct arena *a, const char *secret, struct str body)
{
	return sign_hex(a, "", secret, &body, 1);
}

/* ---- HubSpot ------------------------------------------------------------------------------ */

/* Decodes the escapes of these characters alone, as HubSpot does before it signs. */
static struct str url_decode_some(struct arena *a, const char *url)
{
	static const char decoded[] = ":/?@!$'()*,;";
	struct buf *text = buf_new(a, LIMIT_URL_BYTES);
	char c;

	while (*url != '\0') {
		if (url[0] == '%' && url[1] != '\0' && url[2] != '\0' &&
		    hex_decode(&c, 1, (struct str){url + 1, 2}) == 1 && c != '\0' &&
		    strchr(decoded, c) != NULL) {
			buf_chr(text, c);
			url += 3;
		} else {
			buf_chr(text, *url++);
		}
	}
	return (struct str){text->p, text->len};
}

const char *sign_hubspot(struct arena *a, const char *secret, const char *method, const char *url,
    struct str body, const char *time_ms)
{
	const struct str parts[] = {
	    str_from(method), url_decode_some(a, url), body, str_from(time_ms)};

	return sign_base64(a, secret, parts, 4);
}

/* ---- Twilio ------------------------------------------------------------------------------- */

static int text_compare(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* A field's values: in order, each different one once. */
static void field_add_values(struct arena *a, struct buf *text, const char *name, const json_t *v)
{
	const size_t n = json_is_array(v) ? json_array_size(v) : 1;
	const char **values = arena_array(a, n + 1, sizeof(*values));

	for (size_t i = 0; i < n; i++) {
		values[i] = json_string_value(json_is_array(v) ? json_array_get(v, i) : v);
		if (values[i] == NULL)
			values[i] = "";
	}
	qsort(values, n, sizeof(*values), text_compare);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(values[i], values[i - 1]) == 0)
			continue;
		buf_str(text, name);
		buf_str(text, values[i]);
	}
}

const char *sign_twilio(struct arena *a, const char *token, const char *url, const json_t *fields)
{
	const size_t most = json_object_size(fields);
	const char **names = arena_array(a, most + 1, sizeof(*names)), *name;
	struct buf *text = buf_new(a, LIMIT_RECORD_BYTES);
	struct str part;
	json_t *value;
	size_t n = 0;

	json_object_each(fields, name, value)
		names[n++] = name;
	qsort(names, n, sizeof(*names), text_compare);
	buf_str(text, url);
	for (size_t i = 0; i < n; i++)
		field_add_values(a, text, names[i], json_object_get(fields, names[i]));
	part = (struct str){text->p, text->len};
	return mac_base64(a, HASH_SHA1, token, &part, 1);
}

/* ---- with a time -------------------------------------------------------------------------- */

const char *sign_v0(struct arena *a, const char *secret, const char *time_s, struct str body)
{
	const struct str parts[] = {STR("v0:"), str_from(time_s), STR(":"), body};

	return sign_hex(a, "v0=", secret, parts, 4);
}

const char *sign_zoom_token(struct arena *a, const char *secret, const char *plain_token)
{
	const struct str part = str_from(plain_token);

	return sign_hex(a, "", secret, &part, 1);
}

const char *sign_stripe(struct arena *a, const char *secret, const char *time_s, struct str body)
{
	const struct str parts[] = {str_from(time_s), STR("."), body};

	return sign_hex(a, arena_printf(a, "t=%s,v1=", time_s), secret, parts, 3);
}

const char *sign_shopify(struct arena *a, const char *secret, struct str body)
{
	return sign_base64(a, secret, &body, 1);
}

const char *sign_shopify_query(struct arena *a, const char *secret, const char *query)
{
	const struct str part = str_from(query);

	return sign_hex(a, "", secret, &part, 1);
}

const char *sign_zendesk(struct arena *a, const char *secret, const char *time, struct str body)
{
	const struct str parts[] = {str_from(time), body};

	return sign_base64(a, secret, parts, 2);
}
