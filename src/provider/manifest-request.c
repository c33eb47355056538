/* What calls of a manifest are made of: the version of the API, its origin, how calls sign in, what
 * all of them send, and the "request" of an action. */
#include <stdio.h>

#include "base/clock.h"
#include "provider/provider-internal.h"

#define TIMEOUT_MAX_MS 60000

/* ---- version ------------------------------------------------------------------------------ */

/* "2027-02-23", or "2027-02" for the beginning of that month. */
static bool version_end(struct str text, void *out)
{
	int64_t *at_us = out;
	char day[16];

	if (text.n == strlen("2027-02")) {
		snprintf(day, sizeof(day), "%.*s-01", (int)text.n, text.p);
		text = str_from(day);
	}
	return text.n == strlen("2027-02-23") && clock_parse_iso(text, at_us);
}

int manifest_version(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct loader_member members[] = {
	    NEEDED_TEXT_MEMBER("value", struct provider, version),
	    {{"ends", READ_PARSED, JSON_INTO(struct provider, version_ends_us),
		 .parse = version_end, .rule = "must be a day such as 2027-02-23"},
		MEMBER_PLAIN}};
	const json_t *v = json_object_get(json, "version");

	p->version_ends_us = TIME_NONE;
	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "version");
	if (loader_members(l, v, MEMBERS(members), p) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* What requests may look at. Who has no version has none to name. */
unsigned manifest_roots_of_connection(const struct provider *p)
{
	return ROOT_BIT(ROOT_SETTINGS) | ROOT_BIT(ROOT_CONNECTION) | ROOT_BIT(ROOT_NOW) |
	       (p->version != NULL ? ROOT_BIT(ROOT_VERSION) : 0);
}

/* ---- origin ------------------------------------------------------------------------------- */

/* At most one *, right behind the scheme and before a dot. */
static bool is_origin_pattern(const char *pattern)
{
	const char *star = strchr(pattern, '*');

	return str_starts(str_from(pattern), "https://") && strcspn(pattern + 8, "/?#@") > 0 &&
	       pattern[8 + strcspn(pattern + 8, "/?#@")] == '\0' &&
	       (star == NULL ||
		   (star == pattern + 8 && star[1] == '.' && strchr(star + 1, '*') == NULL));
}

int manifest_origin(struct loader *l, struct provider *p, const json_t *json)
{
	const char *text = json_str(json, "apiOrigin");

	l->roots = ROOT_BIT(ROOT_SETTINGS) | (p->version != NULL ? ROOT_BIT(ROOT_VERSION) : 0);
	if (expr_member(l, json, "apiOrigin", &p->origin) == -1 ||
	    manifest_texts(l, json, "originPattern", &p->origin_patterns, &p->norigin_patterns) ==
		-1)
		return -1;
	for (size_t i = 0; i < p->norigin_patterns; i++)
		if (!is_origin_pattern(p->origin_patterns[i]))
			return json_reader_fail_at(&l->in, "originPattern",
			    "\"%s\" is none: it must be as https://*.example.com",
			    p->origin_patterns[i]);
	if (text != NULL && text[0] == '{' && p->norigin_patterns == 0)
		return json_reader_fail_at(&l->in, "apiOrigin",
		    "is all from a setting: \"originPattern\" must say what it may be");
	return 0;
}

/* ---- auth --------------------------------------------------------------------------------- */

bool auth_text_next(struct str *rest, struct str *text, struct str *key)
{
	const char *open = rest->n == 0 ? NULL : memchr(rest->p, '{', rest->n);
	const char *close =
	    open == NULL ? NULL : memchr(open, '}', rest->n - (size_t)(open - rest->p));

	*key = (struct str){NULL, 0};
	if (rest->n == 0)
		return false;
	if (close == NULL) {
		*text = *rest;
		*rest = (struct str){NULL, 0};
		return true;
	}
	*text = (struct str){rest->p, (size_t)(open - rest->p)};
	*key = (struct str){open + 1, (size_t)(close - open) - 1};
	rest->n -= (size_t)(close + 1 - rest->p);
	rest->p = close + 1;
	return true;
}

bool auth_text_constant(struct str key, struct str *text)
{
	if (key.n < 2 || key.p[0] != '\'' || key.p[key.n - 1] != '\'')
		return false;
	*text = (struct str){key.p + 1, key.n - 2};
	return true;
}

static int auth_check_key(struct loader *l, const struct provider *p, struct str key)
{
	if (manifest_has_credential(p, arena_strndup(l->a, key.p, key.n)))
		return 0;
	return json_reader_fail(&l->in, "%.*s is not among the credentials", (int)key.n, key.p);
}

/* A credential, or a text with some in braces. */
static int auth_check_text(struct loader *l, const struct provider *p, const char *text)
{
	struct str rest = str_from(text), plain, key;

	if (text == NULL)
		return 0;
	if (strchr(text, '{') == NULL && !manifest_has_credential(p, text))
		return json_reader_fail(&l->in,
		    "%s is not among the credentials; a text that is the same for all is written "
		    "{'%s'}",
		    text, text);
	while (auth_text_next(&rest, &plain, &key))
		if (key.p != NULL && !auth_text_constant(key, &plain) &&
		    auth_check_key(l, p, key) == -1)
			return -1;
	return 0;
}

static int auth_check(struct loader *l, const struct provider *p, const struct auth *auth)
{
	bool is_named = auth->type == AUTH_HEADER || auth->type == AUTH_QUERY;

	if ((auth->credential != NULL && auth_check_key(l, p, str_from(auth->credential)) == -1) ||
	    auth_check_text(l, p, auth->username) == -1 ||
	    auth_check_text(l, p, auth->password) == -1)
		return -1;
	if (is_named && auth->name == NULL)
		return json_reader_fail(&l->in, "needs \"name\"");
	if ((is_named || auth->type == AUTH_BEARER) && auth->credential == NULL)
		return json_reader_fail(&l->in, "needs \"credential\"");
	if (auth->type == AUTH_BASIC && (auth->username == NULL || auth->password == NULL))
		return json_reader_fail(&l->in, "needs \"username\" and \"password\"");
	return 0;
}

static int auth_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {OTHER_MEMBER("type"),
	    COND_MEMBER("when", struct auth, when), TEXT_MEMBER("name", struct auth, name),
	    TEXT_MEMBER("prefix", struct auth, prefix),
	    TEXT_MEMBER("credential", struct auth, credential),
	    TEXT_MEMBER("username", struct auth, username),
	    TEXT_MEMBER("password", struct auth, password)};
	static const char *const types[] = {
	    "none", "bearer", "header", "basic", "query", "settings", NULL};
	struct auth *auth = out;
	int type;

	(void)name;
	if (loader_members(l, v, MEMBERS(members), auth) == -1 ||
	    manifest_type(l, v, types, &type) == -1)
		return -1;
	auth->type = (enum auth_type)type;
	return auth_check(l, p, auth);
}

int manifest_auths(struct loader *l, struct provider *p, const json_t *object, struct auths *out)
{
	static const struct manifest_many many = {"auth", READ_LIST, sizeof(struct auth), auth_one};
	const json_t *v = json_object_get(object, "auth");

	l->roots = ROOT_BIT(ROOT_SETTINGS);
	if (json_is_array(v)) {
		out->v = manifest_many(l, p, object, &many, &out->n);
		return out->v == NULL ? -1 : 0;
	}
	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "auth");
	out->v = arena_zalloc(l->a, sizeof(*out->v));
	out->n = 1;
	if (auth_one(l, p, NULL, v, out->v) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* ---- named values ------------------------------------------------------------------------- */

static int hmac_load(
    struct loader *l, const struct provider *p, const json_t *v, struct hmac_value **out)
{
	static const struct loader_member members[] = {
	    TEXT_MEMBER("algorithm", struct hmac_value, algorithm_name), OTHER_MEMBER("key"),
	    NEEDED_TEXT_MEMBER("of", struct hmac_value, of)};
	struct hmac_value *h = arena_zalloc(l->a, sizeof(*h));
	size_t mark = json_reader_enter(&l->in, "hmac");

	h->algorithm = HASH_SHA256;
	if (loader_members(l, v, MEMBERS(members), h) == -1)
		return -1;
	if (h->algorithm_name != NULL && !hash_by_name(str_from(h->algorithm_name), &h->algorithm))
		return json_reader_fail_at(
		    &l->in, "algorithm", "unknown algorithm \"%s\"", h->algorithm_name);
	if (manifest_credential_names(l, p, v, "key", &h->keys) == -1 ||
	    auth_check_key(l, p, str_from(h->of)) == -1)
		return -1;
	if (h->keys.n == 0)
		return json_reader_fail_at(&l->in, "key", "is needed");
	json_reader_leave(&l->in, mark);
	*out = h;
	return 0;
}

static int header_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct named_expr *e = out;

	(void)p;
	e->name = name;
	return expr_compile(l, v, &e->value);
}

/* It becomes a part of a URL, so it may hold {"$raw"}. */
static int parameter_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct named_expr *e = out;
	const json_t *hmac = json_object_get(v, "hmac");
	int rc;

	e->name = name;
	if (hmac != NULL && json_object_size(v) == 1)
		return hmac_load(l, p, hmac, &e->hmac);
	l->allows_raw = true;
	rc = expr_compile(l, v, &e->value);
	l->allows_raw = false;
	return rc;
}

static int named_load(struct loader *l, struct provider *p, const json_t *object,
    const struct manifest_many *many, struct named_expr **out, size_t *n)
{
	*out = manifest_many(l, p, object, many, n);
	return *out == NULL ? -1 : 0;
}

static const struct manifest_many headers_many = {
    "headers", READ_OBJECT, sizeof(struct named_expr), header_one};
static const struct manifest_many query_many = {
    "query", READ_OBJECT, sizeof(struct named_expr), parameter_one};

/* ---- requests ----------------------------------------------------------------------------- */

int manifest_request_defaults(struct loader *l, struct provider *p, const json_t *json)
{
	static const struct loader_member members[] = {OTHER_MEMBER("headers"),
	    OTHER_MEMBER("query"),
	    INT_MEMBER("timeoutMs", struct request_defaults, timeout_ms, 1, TIMEOUT_MAX_MS)};
	const json_t *v = json_object_get(json, "request");
	struct request_defaults *d = &p->defaults;

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "request");
	l->roots = manifest_roots_of_connection(p);
	if (loader_members(l, v, MEMBERS(members), d) == -1 ||
	    named_load(l, p, v, &headers_many, &d->headers, &d->nheaders) == -1 ||
	    named_load(l, p, v, &query_many, &d->query, &d->nquery) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static const struct loader_member request_members[] = {
    EXPR_MEMBER("method", struct action, method),
    EXPR_MEMBER("url", struct action, url),
    EXPR_MEMBER("path", struct action, path),
    EXPR_MEMBER("moreHeaders", struct action, extra_headers),
    EXPR_MEMBER("json", struct action, json),
    EXPR_MEMBER("form", struct action, form),
    EXPR_MEMBER("text", struct action, text),
    OTHER_MEMBER("formStyle"),
    INT_MEMBER("timeoutMs", struct action, timeout_ms, 1, TIMEOUT_MAX_MS),
    BOOL_MEMBER("noAuth", struct action, is_unsigned),
    OTHER_MEMBER("query"),
    OTHER_MEMBER("headers"),
};

static int request_check(struct loader *l, const struct provider *p, const struct action *act)
{
	int bodies = (act->json != NULL) + (act->form != NULL) + (act->text != NULL);

	if (act->method == NULL || (act->url == NULL) == (act->path == NULL))
		return json_reader_fail(&l->in, "needs \"method\" and either \"url\" or \"path\"");
	if (act->path != NULL && p->origin == NULL)
		return json_reader_fail(&l->in, "a \"path\" needs the manifest's \"apiOrigin\"");
	if (bodies > 1)
		return json_reader_fail(&l->in, "has one of \"json\", \"form\" and \"text\"");
	return 0;
}

int manifest_request(struct loader *l, struct provider *p, const json_t *action, struct action *act)
{
	static const char *const styles[] = {"json", "brackets", "repeat", NULL};
	const json_t *v = json_object_get(action, "request");
	size_t mark = json_reader_enter(&l->in, "request");
	int style;

	l->roots = manifest_roots_of_connection(p) | ROOT_BIT(ROOT_INPUT);
	if (loader_members(l, v, MEMBERS(request_members), act) == -1 ||
	    named_load(l, p, v, &query_many, &act->query, &act->nquery) == -1 ||
	    named_load(l, p, v, &headers_many, &act->headers, &act->nheaders) == -1 ||
	    manifest_word(l, v, "formStyle", styles, &style) == -1 ||
	    request_check(l, p, act) == -1)
		return -1;
	act->form_style = (enum form_style)style;
	json_reader_leave(&l->in, mark);
	return 0;
}
