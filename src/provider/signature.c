/* Webhook signatures as data: one verifier for every scheme of providers/README.md.
 *
 *   header -> timestamp -> key -> body hash -> digest of the parts -> equal?
 *                                              (once for each form of the URL)
 *
 * A manifest lists its schemes. The first one that applies (its `when` holds, its header is there)
 * decides alone: a request that carries a wrong signature of one scheme gets no second chance with
 * the next. Where none applies the request is not verified.
 *
 * Every check returns true or gives its reason with check_fail; the sender is told the reason, and
 * the rejected event keeps it. What is signed is the body as it came, byte by byte, since to write
 * a parsed body again would change it. Digests and tokens are compared in constant time.
 *
 * Schemes differ in the URL that they sign: some leave the port out, some write the default one.
 * The sender cannot be asked, so all forms are tried. The exception is a form body where the URL
 * carries the body's hash: the hash is checked, and the form counts as empty. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "http/form.h"
#include "provider/provider-internal.h"
#include "provider/token-kept.h"

#define SECRET_BYTES_MAX 512
#define URL_FORMS_MAX (3 * URL_QUERY_FORMS)
#define SETTING_PUBLIC_URL "webhookPublicUrl"

/* One verification on its way. */
struct signature_check {
	const struct signature *s;
	struct scope *scope;
	const struct webhook *w;
	const struct access *c;
	struct str header; /* its value as received */
	struct str timestamp;
	struct str secret, key;
	enum hash_alg algorithm;
	const struct digest_encoding *encoding;
	bool has_body_hash; /* the URL carries the body's hash: the form is not signed */
	const char *reason;
};

static bool check_fail(struct signature_check *k, const char *reason)
{
	k->reason = reason;
	return false;
}

/* ---- algorithm and encoding --------------------------------------------------------------- */

/* How a digest is written; the first is the default. */
static const struct digest_encoding {
	const char *name;
	long (*decode)(void *out, size_t cap, struct str text);
} encodings[] = {
    {"hex", hex_decode},
    {"base64", base64_decode},
    {"base64url", base64url_decode},
};

/* The default where the expression gives nothing; false when there is none of the name. */
static bool algorithm_find(struct str name, enum hash_alg *out)
{
	*out = HASH_SHA256;
	return name.p == NULL || hash_by_name(name, out);
}

static bool encoding_find(struct str name, const struct digest_encoding **out)
{
	*out = &encodings[0];
	if (name.p == NULL)
		return true;
	for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++)
		if (str_is(name, encodings[i].name)) {
			*out = &encodings[i];
			return true;
		}
	return false;
}

bool signature_is_known(
    const struct signature *s, struct scope *scope, const struct expr **wrong, struct str *name)
{
	enum hash_alg algorithm;
	const struct digest_encoding *encoding;

	*wrong = s->algorithm;
	*name = expr_text(s->algorithm, scope);
	if (!algorithm_find(*name, &algorithm))
		return false;
	*wrong = s->encoding;
	*name = expr_text(s->encoding, scope);
	return encoding_find(*name, &encoding);
}

/* The first setting that an expression looks at. */
static int expr_note_setting(unsigned root, const char *path, void *arg)
{
	const char **out = arg;

	if (root != ROOT_SETTINGS)
		return 0;
	*out = path;
	return 1;
}

int webhook_check_settings(
    const struct provider *p, struct arena *a, json_t *settings, struct err *err)
{
	struct scope scope = {.a = a};
	const struct expr *wrong;
	struct str name;

	scope.slot[ROOT_SETTINGS].json = settings;
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct signature *s = &p->signatures[i];
		const char *path = NULL;

		if (signature_is_known(s, &scope, &wrong, &name))
			continue;
		expr_each_place(wrong, expr_note_setting, &path);
		return err_field(err, ERR_INVALID,
		    path == NULL ? "settings" : arena_printf(a, "settings.%s", path),
		    "unknown %s \"%.*s\"", wrong == s->algorithm ? "algorithm" : "encoding",
		    (int)(name.n < 60 ? name.n : 60), name.p);
	}
	return 0;
}

/* ---- timestamp and key -------------------------------------------------------------------- */

/* The value of key within "t=1,v1=ab". */
static struct str header_entry_value(struct str list, char separator, const char *key)
{
	struct str part;

	while (str_split(&list, separator, &part)) {
		struct str name = str_trim(part);
		const char *eq = memchr(name.p, '=', name.n);

		if (eq == NULL)
			continue;
		size_t n = (size_t)(eq - name.p);
		if (str_is((struct str){name.p, n}, key))
			return (struct str){eq + 1, name.n - n - 1};
	}
	return (struct str){NULL, 0};
}

/* As people write header names: X-Webhook-Signature. */
static const char *header_name_shown(struct arena *a, const char *name)
{
	char *shown = arena_strdup(a, name);

	for (char *p = shown; *p != '\0'; p++)
		if ((p == shown || p[-1] == '-') && *p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return shown;
}

static bool check_read_timestamp(struct signature_check *k)
{
	const struct signature *s = k->s;
	int64_t at_us, n;

	if (s->timestamp_header == NULL && s->timestamp_key == NULL)
		return true;
	k->timestamp = s->timestamp_header != NULL
			   ? req_header(k->w->req, s->timestamp_header)
			   : header_entry_value(k->header, s->separator, s->timestamp_key);
	if (k->timestamp.n == 0)
		return check_fail(
		    k, s->timestamp_header == NULL
			   ? "missing timestamp"
			   : arena_printf(k->scope->a, "missing timestamp header %s",
				 header_name_shown(k->scope->a, s->timestamp_header)));
	if (s->timestamp_unit == TIME_ISO) {
		if (!clock_parse_iso(k->timestamp, &at_us))
			return check_fail(k, "bad timestamp");
	} else {
		int64_t scale = s->timestamp_unit == TIME_SECONDS ? SECOND_US : SECOND_US / 1000;

		if (!str_to_i64(k->timestamp, 0, INT64_MAX / scale / 2, &n))
			return check_fail(k, "bad timestamp");
		at_us = n * scale;
	}
	int64_t age_us = k->w->now_us - at_us, window_us = s->window_s * SECOND_US;
	if (s->window_s > 0 &&
	    (age_us > window_us || (!s->window_is_past_only && age_us < -window_us)))
		return check_fail(k, "stale timestamp");
	return true;
}

/* The key that a secret stands for: false where it is none. */
static bool secret_read(
    const struct signature *s, struct arena *a, struct str secret, struct str *key)
{
	if (s->secret_prefix != NULL && str_starts(secret, s->secret_prefix)) {
		size_t n = strlen(s->secret_prefix);
		secret = (struct str){secret.p + n, secret.n - n};
	}
	*key = secret;
	if (!s->secret_is_base64)
		return true;
	unsigned char *decoded = arena_alloc(a, SECRET_BYTES_MAX);
	long n = base64_decode(decoded, SECRET_BYTES_MAX, secret);
	*key = (struct str){(const char *)decoded, n < 0 ? 0 : (size_t)n};
	return n > 0;
}

static bool check_read_key(struct signature_check *k)
{
	return secret_read(k->s, k->scope->a, k->secret, &k->key) ||
	       check_fail(k, "the webhook secret is not base64");
}

static int signature_check_secrets(
    const struct signature *s, struct arena *a, const json_t *credentials, struct err *err)
{
	for (size_t i = 0; i < s->secrets.n; i++) {
		struct str secret = str_from(json_str(credentials, s->secrets.v[i])), key;

		if (secret.n > 0 && !secret_read(s, a, secret, &key))
			return err_field(err, ERR_INVALID,
			    arena_printf(a, "credentials.%s", s->secrets.v[i]),
			    "must be base64%s%s", s->secret_prefix != NULL ? " behind " : "",
			    s->secret_prefix != NULL ? s->secret_prefix : "");
	}
	return 0;
}

int webhook_check_secret(const struct provider *p, struct arena *a, const json_t *credentials,
    json_t *settings, struct err *err)
{
	struct scope scope = {.a = a};

	scope.slot[ROOT_SETTINGS].json = settings;
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct signature *s = &p->signatures[i];

		/* one that the request chooses may be meant for another secret */
		if ((s->when != NULL || p->nsignatures == 1) && cond_holds(s->when, &scope))
			return signature_check_secrets(s, a, credentials, err);
	}
	return 0;
}

/* ---- what is signed ----------------------------------------------------------------------- */

/* Decodes only the escapes of the given characters. */
static struct str url_decode_some(struct arena *a, struct str url, const char *characters)
{
	char *out = arena_alloc(a, url.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < url.n; i++) {
		char c;

		if (url.p[i] == '%' && i + 2 < url.n &&
		    hex_decode(&c, 1, (struct str){url.p + i + 1, 2}) == 1 && c != '\0' &&
		    strchr(characters, c) != NULL) {
			out[n++] = c;
			i += 2;
		} else {
			out[n++] = url.p[i];
		}
	}
	return (struct str){out, n};
}

/* Where the parts of an absolute URL end: the scheme with its "://", the user's name and password
 * with their @, the host, its port with its colon, and the path; the query is the rest. */
struct url_parts {
	size_t scheme, user, host, port, path;
};

static bool url_read_parts(struct str url, struct url_parts *out)
{
	const char *scheme = url.n == 0 ? NULL : memmem(url.p, url.n, "://", 3);
	size_t end, i;

	if (scheme == NULL)
		return false;
	i = end = out->scheme = out->user = (size_t)(scheme - url.p) + 3;
	while (end < url.n && strchr("/?#", url.p[end]) == NULL)
		end++;
	for (size_t at = i; at < end; at++)
		if (url.p[at] == '@')
			i = out->user = at + 1;
	for (bool is_bracketed = false; i < end && (is_bracketed || url.p[i] != ':'); i++)
		is_bracketed = (is_bracketed || url.p[i] == '[') && url.p[i] != ']';
	out->host = i;
	out->port = out->path = end;
	while (out->path < url.n && url.p[out->path] != '?' && url.p[out->path] != '#')
		out->path++;
	return true;
}

/* "user:password@" of the connection's credentials; "" where it has none. */
static const char *url_user(const struct signature_check *k)
{
	const char *user = k->s->url_user == NULL ? NULL : access_credential(k->c, k->s->url_user);
	const char *password =
	    k->s->url_password == NULL ? NULL : access_credential(k->c, k->s->url_password);

	if (user == NULL || user[0] == '\0')
		return "";
	return arena_printf(k->scope->a, "%s%s%s@", user, password == NULL ? "" : ":",
	    password == NULL ? "" : password);
}

/* The URL as the sender knows it: the address as configured, with user and password, before the
 * path and query as called. */
static struct str url_public(struct signature_check *k)
{
	struct arena *a = k->scope->a;
	const char *user = url_user(k);
	struct str called = str_from(k->w->url != NULL ? k->w->url : "");
	struct str public =
	    str_from(json_str(k->scope->slot[ROOT_SETTINGS].json, SETTING_PUBLIC_URL));
	struct url_parts at, at_called;

	if (!url_read_parts(called, &at_called))
		return called;
	if (public.n == 0 || !url_read_parts(public, &at)) {
		public = called;
		at = at_called;
	}
	if (user[0] == '\0')
		user = arena_strndup(a, public.p + at.scheme, at.user - at.scheme);
	return str_from(arena_printf(a, "%.*s%s%.*s%.*s", (int)at.scheme, public.p, user,
	    (int)(at.port - at.user), public.p + at.user, (int)(called.n - at_called.port),
	    called.p + at_called.port));
}

/* A query decoded and encoded again, as JavaScript's encodeURIComponent does it. */
static struct str query_encoded_again(struct arena *a, struct str query)
{
	struct buf *b = buf_new(a, 3 * query.n + 1);
	struct str pair, part;

	for (char joint = '\0'; str_split(&query, '&', &pair); joint = '&') {
		bool has_value = memchr(pair.p, '=', pair.n) != NULL;

		if (joint != '\0')
			buf_chr(b, joint);
		for (int i = 0; i < (has_value ? 2 : 1); i++) {
			char *decoded = arena_alloc(a, pair.n + 1);
			long n;

			part = pair;
			if (i == 0)
				(void)str_split(&pair, '=', &part);
			n = percent_decode(decoded, part.n + 1, part, true);
			if (i == 1)
				buf_chr(b, '=');
			percent_encode(b, n < 0 ? part : (struct str){decoded, (size_t)n});
		}
	}
	return url_decode_some(a, (struct str){b->p, b->len}, "!*'()");
}

static struct str query_written(struct arena *a, struct str query, enum url_query form)
{
	struct buf *b;

	if (form == URL_QUERY_AS_IS || query.n == 0)
		return query;
	if (form == URL_QUERY_REENCODED) {
		struct str again = query_encoded_again(a, (struct str){query.p + 1, query.n - 1});

		return str_from(arena_printf(a, "?%.*s", (int)again.n, again.p));
	}
	b = buf_new(a, 3 * query.n);
	for (size_t i = 0; i < query.n; i++)
		if (query.p[i] == '\'')
			buf_str(b, "%27");
		else
			buf_chr(b, query.p[i]);
	return (struct str){b->p, b->len};
}

/* Every form of the URL that the scheme tries: the query in each of its ways, each with the port as
 * it is, without one, and with the default of the scheme. */
static size_t url_signed_forms(struct signature_check *k, struct str out[URL_FORMS_MAX])
{
	struct arena *a = k->scope->a;
	struct str url = url_public(k), query;
	struct url_parts at;
	size_t n = 0;

	if (k->s->url_decode != NULL)
		url = url_decode_some(a, url, k->s->url_decode);
	if (!url_read_parts(url, &at)) {
		out[0] = url;
		return 1;
	}
	const char *ports[] = {arena_strndup(a, url.p + at.host, at.port - at.host), "",
	    str_starts(url, "https:") ? ":443" : ":80"};
	int head = (int)at.host, path = (int)(at.path - at.port);
	for (unsigned form = 0; form < URL_QUERY_FORMS; form++) {
		if ((k->s->url_queries & 1u << form) == 0)
			continue;
		query = (struct str){url.p + at.path, url.n - at.path};
		query = query_written(a, query, (enum url_query)form);
		for (size_t i = 0; i < (k->s->url_ports ? 3u : 1u); i++)
			out[n++] = str_from(arena_printf(a, "%.*s%s%.*s%.*s", head, url.p, ports[i],
			    path, url.p + at.port, (int)query.n, query.p));
	}
	return n;
}

static int str_compare(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int pair_compare(const void *x, const void *y)
{
	const struct http_pair *a = x, *b = y;
	int c = str_compare(a->name, b->name);

	return c != 0 ? c : str_compare(a->value, b->value);
}

/* Every form field sorted by name, then value; name and value without separators; a repeated pair
 * counts once. */
static struct str form_sorted_text(struct signature_check *k)
{
	struct buf *b = buf_new(k->scope->a, 2 * LIMIT_BODY_WEBHOOK_MOST);
	struct http_pairs form = {0};

	if (k->has_body_hash || form_parse(k->scope->a, k->w->body, &form, NULL) == -1)
		return (struct str){"", 0};
	if (form.n > 1)
		qsort(form.v, form.n, sizeof(*form.v), pair_compare);
	for (size_t i = 0; i < form.n; i++) {
		if (i > 0 && pair_compare(&form.v[i - 1], &form.v[i]) == 0)
			continue;
		buf_add(b, form.v[i].name.p, form.v[i].name.n);
		buf_add(b, form.v[i].value.p, form.v[i].value.n);
	}
	return (struct str){b->p, b->len};
}

static struct str signed_part_text(
    struct signature_check *k, const struct signature_part *part, struct str url)
{
	switch (part->kind) {
	case PART_TEXT:
		return part->text;
	case PART_BODY:
		return k->w->body;
	case PART_URL:
		return url;
	case PART_METHOD:
		return str_from(http_method_name(k->w->req->method));
	case PART_TIMESTAMP:
		return k->timestamp;
	case PART_HEADER:
		return req_header(k->w->req, part->text.p);
	case PART_FORM:
		return form_sorted_text(k);
	case PART_SECRET:
		return k->secret;
	}
	return (struct str){"", 0};
}

/* ---- comparison --------------------------------------------------------------------------- */

/* One signature text against the digest. */
static bool signature_is_digest(
    const struct signature_check *k, struct str text, const unsigned char *digest, size_t size)
{
	unsigned char given[HASH_SIZE_MAX + 4];
	struct str prefix = expr_text(k->s->prefix, k->scope);
	const char *optional = k->s->optional_prefix;

	if (prefix.n > 0) {
		if (text.n < prefix.n || memcmp(text.p, prefix.p, prefix.n) != 0)
			return false;
		text = (struct str){text.p + prefix.n, text.n - prefix.n};
	}
	if (optional != NULL && str_starts(text, optional))
		text = (struct str){text.p + strlen(optional), text.n - strlen(optional)};
	long n = k->encoding->decode(given, sizeof(given), text);
	return n > 0 && mem_equal_ct(given, (size_t)n, digest, size);
}

static bool header_has_digest(
    const struct signature_check *k, const unsigned char *digest, size_t size)
{
	const struct signature *s = k->s;
	struct str rest = k->header, part;

	if (s->separator == '\0')
		return signature_is_digest(k, str_trim(k->header), digest, size);
	while (str_split(&rest, s->separator, &part)) {
		part = str_trim(part);
		if (s->signature_key != NULL) {
			size_t n = strlen(s->signature_key);

			if (!str_starts(part, s->signature_key) || part.n <= n || part.p[n] != '=')
				continue;
			part = (struct str){part.p + n + 1, part.n - n - 1};
		}
		if (signature_is_digest(k, part, digest, size))
			return true;
	}
	return false;
}

static bool check_body_hash(struct signature_check *k)
{
	char hex[2 * SHA256_SIZE + 1];

	if (k->s->body_hash_parameter == NULL)
		return true;
	struct str given = req_query(k->w->req, k->s->body_hash_parameter);
	if (given.p == NULL)
		return true;
	k->has_body_hash = true;
	sha256_hex(k->w->body, hex);
	return mem_equal_ct(given.p, given.n, hex, 2 * SHA256_SIZE) ||
	       check_fail(k, "bad body hash");
}

static bool check_digest(struct signature_check *k)
{
	const struct signature *s = k->s;
	struct str *parts = arena_array(k->scope->a, s->nparts, sizeof(*parts));
	struct str urls[URL_FORMS_MAX];
	unsigned char digest[HASH_SIZE_MAX];
	size_t size = hash_size(k->algorithm), nurls = url_signed_forms(k, urls);

	for (size_t u = 0; u < nurls; u++) {
		for (size_t i = 0; i < s->nparts; i++) {
			parts[i] = signed_part_text(k, &s->parts[i], urls[u]);
			if (parts[i].p == NULL)
				return check_fail(k, "a signed header is missing");
		}
		if (s->kind == SIGNATURE_HMAC)
			hmac_parts(k->algorithm, k->key, parts, s->nparts, digest);
		else
			hash_parts(k->algorithm, parts, s->nparts, digest);
		if (header_has_digest(k, digest, size))
			return true;
	}
	return check_fail(k, "bad signature");
}

static bool check_kept_token(struct signature_check *k, struct str given, struct str prefix)
{
	if (!token_is_hashed(given))
		return check_fail(k, "nothing of its token was kept, so it has to be sent again");
	return token_kept_is(k->w->token_key, given, prefix, k->secret) ||
	       check_fail(k, "wrong token");
}

static bool check_secret_token(struct signature_check *k, struct str given)
{
	struct str prefix = expr_text(k->s->prefix, k->scope);

	if (k->w->token_key != NULL && k->s->token == NULL && token_is_kept(given))
		return check_kept_token(k, given, prefix);
	if (prefix.n > 0) {
		if (given.n < prefix.n || memcmp(given.p, prefix.p, prefix.n) != 0)
			return check_fail(k, "wrong token");
		given = (struct str){given.p + prefix.n, given.n - prefix.n};
	}
	return mem_equal_ct(given.p, given.n, k->secret.p, k->secret.n) ||
	       check_fail(k, "wrong token");
}

/* Configured names and choices; in lower case, as headers are kept. */
static const char *signature_header_name(const struct signature *s, struct scope *scope)
{
	struct str name = expr_text(s->header, scope);
	char *lower = arena_strndup(scope->a, name.p != NULL ? name.p : "", name.n);

	for (char *p = lower; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return lower;
}

static struct str signature_header_value(struct signature_check *k)
{
	return req_header(k->w->req, signature_header_name(k->s, k->scope));
}

static struct str signature_parameter_value(struct signature_check *k)
{
	struct str name = expr_text(k->s->parameter, k->scope);

	return name.n == 0 ? (struct str){NULL, 0}
			   : req_query(k->w->req, arena_strndup(k->scope->a, name.p, name.n));
}

static bool signature_verify(struct signature_check *k, const char *secret)
{
	const struct signature *s = k->s;

	k->secret = str_from(secret);
	if (s->kind == SIGNATURE_TOKEN) {
		struct str given = s->token != NULL ? expr_text(s->token, k->scope) : k->header;

		return given.p == NULL ? check_fail(k, "missing token")
				       : check_secret_token(k, given);
	}
	if (!algorithm_find(expr_text(s->algorithm, k->scope), &k->algorithm))
		return check_fail(k, "unknown signature algorithm");
	if (!encoding_find(expr_text(s->encoding, k->scope), &k->encoding))
		return check_fail(k, "unknown signature encoding");
	return check_read_timestamp(k) && check_read_key(k) && check_body_hash(k) &&
	       check_digest(k);
}

/* With the present value of a secret, then with those from before; which of two it was is of
 * interest while a sender is being changed. *reason stays as it is where there is no value at all.
 */
static bool signature_verify_by(const struct signature_check *first, const struct access *c,
    const char *key, const char **reason)
{
	int64_t now_us = json_array_size(c->former) == 0 ? 0 : clock_now_us(), until_us, ignored;

	for (size_t i = 0;; i++) {
		struct signature_check k = *first;
		const char *secret = access_secret(c, key, i, now_us, &until_us);

		k.c = c;
		if (secret == NULL && i > 0)
			return false;
		if (secret == NULL || secret[0] == '\0')
			continue;
		if (!signature_verify(&k, secret)) {
			if (*reason == NULL)
				*reason = k.reason;
			continue;
		}
		*reason = i > 0 ? arena_printf(k.scope->a,
				      "it was verified with the former %s, which is good until %s",
				      key, clock_iso_dup(k.scope->a, until_us))
			  : access_secret(c, key, 1, now_us, &ignored) != NULL
			      ? arena_printf(k.scope->a, "it was verified with the new %s", key)
			      : NULL;
		return true;
	}
}

/* With each of its secrets in turn; of several that are wrong the first gives the reason. */
static bool signature_verify_any(
    const struct signature_check *k, const struct access *c, const char **reason)
{
	*reason = NULL;
	for (size_t i = 0; i < k->s->secrets.n; i++)
		if (signature_verify_by(k, c, k->s->secrets.v[i], reason))
			return true;
	if (*reason == NULL)
		*reason = "the connection has no webhook secret";
	return false;
}

bool webhook_has_secret(const struct provider *p, const char *key)
{
	for (size_t i = 0; i < p->nsignatures; i++)
		if (credential_names_have(&p->signatures[i].secrets, key))
			return true;
	for (size_t i = 0; i < p->nhandshakes; i++)
		if (credential_names_have(&p->handshakes[i].token_credentials, key))
			return true;
	return false;
}

static int place_is_body(unsigned root, const char *path, void *arg)
{
	(void)path;
	(void)arg;
	return root == ROOT_BODY;
}

bool webhook_verifies_by_body(const struct provider *p)
{
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct signature *s = &p->signatures[i];
		const struct expr *all[] = {
		    s->header, s->prefix, s->algorithm, s->encoding, s->token, s->parameter};

		if (cond_each_place(s->when, place_is_body, NULL) != 0)
			return true;
		for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)
			if (expr_each_place(all[k], place_is_body, NULL) != 0)
				return true;
	}
	return false;
}

/* The scheme that decides: the first that applies. */
static bool signature_choose(const struct provider *p, struct scope *scope, const struct webhook *w,
    struct signature_check *k)
{
	for (size_t i = 0; i < p->nsignatures; i++) {
		*k = (struct signature_check){.s = &p->signatures[i], .scope = scope, .w = w};
		if (k->s->when != NULL && !cond_holds(k->s->when, scope))
			continue;
		if (k->s->header == NULL && k->s->parameter == NULL)
			return true;
		k->header =
		    k->s->header != NULL ? signature_header_value(k) : signature_parameter_value(k);
		if (k->header.p != NULL)
			return true;
	}
	return false;
}

/* Of a request that no scheme is for: the header by which the first that applies would know it. */
static const char *signature_missing(const struct provider *p, struct scope *scope)
{
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct signature *s = &p->signatures[i];

		if (s->header == NULL || (s->when != NULL && !cond_holds(s->when, scope)))
			continue;
		return arena_printf(scope->a, "missing %s header %s",
		    s->kind == SIGNATURE_TOKEN ? "token" : "signature",
		    header_name_shown(scope->a, signature_header_name(s, scope)));
	}
	return "missing signature header";
}

int webhook_verify(const struct provider *p, struct arena *a, const struct webhook *w,
    const struct access *c, const char **reason)
{
	struct signature_check k;
	struct scope scope;

	scope_of_webhook(&scope, a, w, c);
	if (!signature_choose(p, &scope, w, &k)) {
		*reason = signature_missing(p, &scope);
		return 0;
	}
	if (k.s->is_outdated && c->is_strict) {
		*reason = "outdated signature: this sender has signed with a newer scheme before";
		return 0;
	}
	return signature_verify_any(&k, c, reason);
}

bool webhook_is_strict(
    const struct provider *p, struct arena *a, const struct webhook *w, const struct access *c)
{
	struct signature_check k;
	struct scope scope;
	bool has_outdated = false;

	for (size_t i = 0; i < p->nsignatures; i++)
		has_outdated = has_outdated || p->signatures[i].is_outdated;
	if (!has_outdated)
		return false;
	scope_of_webhook(&scope, a, w, c);
	return signature_choose(p, &scope, w, &k) && !k.s->is_outdated;
}

bool webhook_is_token_header(const struct provider *p, struct arena *a, const struct webhook *w,
    const struct access *c, struct str name)
{
	struct scope scope;

	scope_of_webhook(&scope, a, w, c);
	for (size_t i = 0; i < p->nsignatures; i++) {
		const struct signature *s = &p->signatures[i];

		if (s->kind == SIGNATURE_TOKEN && s->header != NULL &&
		    cond_holds(s->when, &scope) && str_is(name, signature_header_name(s, &scope)))
			return true;
	}
	return false;
}

/* What stands in a query; empty when it is wrongly encoded. */
static struct str query_decoded(struct arena *a, struct str raw)
{
	char *decoded = arena_alloc(a, raw.n + 1);
	long n = percent_decode(decoded, raw.n + 1, raw, true);

	return (struct str){decoded, n < 0 ? 0 : (size_t)n};
}

/* Is a name as it stands in a query the one that a token may stand behind? */
static bool is_token_parameter(const struct provider *p, struct scope *scope, struct str raw)
{
	const struct str name = query_decoded(scope->a, raw);

	for (size_t i = 0; name.n > 0 && i < p->nsignatures; i++)
		if (p->signatures[i].parameter != NULL &&
		    str_eq(expr_text(p->signatures[i].parameter, scope), name))
			return true;
	return false;
}

/* Whatever stands there: a wrong one may be right elsewhere, or tomorrow. */
const char *webhook_redact_url(const struct provider *p, struct arena *a, const struct access *c,
    const unsigned char *token_key, const char *url)
{
	const char *query = strchr(url, '?');
	struct scope scope = {.a = a};
	struct buf *b = buf_new(a, 64 * strlen(url) + 128);
	struct str rest, pair, name;

	scope.slot[ROOT_SETTINGS].json = c->settings;
	if (query == NULL)
		return access_redact(a, c, url);
	buf_add(b, url, (size_t)(query - url));
	rest = str_from(query + 1);
	for (char joint = '?'; str_split(&rest, '&', &pair); joint = '&') {
		struct str value = pair;

		buf_chr(b, joint);
		if (!str_split(&value, '=', &name) || !is_token_parameter(p, &scope, name)) {
			buf_add(b, pair.p, pair.n);
			continue;
		}
		buf_add(b, name.p, name.n);
		buf_chr(b, '=');
		token_kept_write(b, token_key, query_decoded(a, value));
	}
	return access_redact(a, c, buf_ok(b) ? b->p : "");
}
