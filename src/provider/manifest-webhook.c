/* The "webhook" section of a manifest. */
#include "base/limits.h"
#include "provider/provider-internal.h"

#define ROOTS_WEBHOOK                                                                              \
	(ROOT_BIT(ROOT_BODY) | ROOT_BIT(ROOT_SETTINGS) | ROOT_BIT(ROOT_HEADER) |                   \
	    ROOT_BIT(ROOT_QUERY))
#define SIGNATURE_WINDOW_MAX 86400

/* Calls each for every element of the named list. */
static int each_of(struct loader *l, struct provider *p, const json_t *object, const char *key,
    int (*each)(struct loader *l, struct provider *p, const json_t *v))
{
	json_t *list = json_object_get(object, key), *v;
	size_t i;

	if (list == NULL)
		return 0;
	size_t mark = loader_enter(l, key);
	if (!json_is_array(list))
		return loader_fail(l, "must be a list");
	json_array_each(list, i, v) {
		size_t inner = loader_enter_index(l, i);
		if (each(l, p, v) < 0)
			return -1;
		loader_leave(l, inner);
	}
	loader_leave(l, mark);
	return 0;
}

static size_t list_size(const json_t *object, const char *key)
{
	return json_array_size(json_object_get(object, key)) + 1;
}

/* The named member as one of a list of words; absent is 0. */
static int word(
    struct loader *l, const json_t *object, const char *key, const char *const *words, int *out)
{
	const char *text;

	*out = 0;
	if (loader_text(l, object, key, false, &text) == -1)
		return -1;
	if (text == NULL)
		return 0;
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return 0;
		}
	loader_enter(l, key);
	return loader_fail(l, "unknown word \"%s\"", text);
}

/* ---- signatures --------------------------------------------------------------------------- */

static int signed_part(struct loader *l, struct str text, struct signature_part *part)
{
	static const struct {
		const char *name;
		enum signed_part kind;
	} parts[] = {{"body", PART_BODY}, {"url", PART_URL}, {"method", PART_METHOD},
	    {"timestamp", PART_TIMESTAMP}, {"form", PART_FORM}, {"secret", PART_SECRET}};

	if (str_starts(text, "header.") && text.n > 7) {
		part->kind = PART_HEADER;
		part->text = str_from(arena_strndup(l->a, text.p + 7, text.n - 7));
		return 0;
	}
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (str_is(text, parts[i].name)) {
			part->kind = parts[i].kind;
			return 0;
		}
	return loader_fail(l, "\"%.*s\" cannot be signed", (int)text.n, text.p);
}

/* "v0:{timestamp}:{body}" */
static int signed_parts(struct loader *l, const json_t *v, struct signature *s)
{
	const char *text;

	if (loader_text(l, v, "signed", false, &text) == -1)
		return -1;
	if (text == NULL)
		text = "{body}";
	size_t mark = loader_enter(l, "signed");
	s->parts = arena_array(l->a, strlen(text) + 1, sizeof *s->parts);
	while (*text != '\0') {
		struct signature_part *part = &s->parts[s->nparts++];
		const char *end = *text == '{' ? strchr(text, '}') : NULL;

		if (end != NULL) {
			if (signed_part(l, (struct str){text + 1, (size_t)(end - text) - 1}, part) <
			    0)
				return -1;
			text = end + 1;
			continue;
		}
		size_t n = 1 + strcspn(text + 1, "{");
		part->text = (struct str){arena_strndup(l->a, text, n), n};
		text += n;
	}
	loader_leave(l, mark);
	return 0;
}

static int signature_entries(struct loader *l, const json_t *v, struct signature *s)
{
	static const char *const keys[] = {"separator", "signature", "timestamp", NULL};
	const json_t *e = json_object_get(v, "entries");
	const char *separator;

	if (e == NULL)
		return 0;
	size_t mark = loader_enter(l, "entries");
	if (loader_object(l, e, keys) == -1 ||
	    loader_text(l, e, "separator", true, &separator) == -1 ||
	    loader_text(l, e, "signature", false, &s->signature_key) == -1 ||
	    loader_text(l, e, "timestamp", false, &s->timestamp_key) == -1)
		return -1;
	if (strlen(separator) != 1)
		return loader_fail(l, "the separator must be one character");
	s->separator = separator[0];
	loader_leave(l, mark);
	return 0;
}

static int signature_time(struct loader *l, const json_t *v, struct signature *s)
{
	static const char *const keys[] = {"header", "unit", "windowSeconds", "pastOnly", NULL};
	static const char *const units[] = {"s", "ms", "iso", NULL};
	const json_t *t = json_object_get(v, "timestamp");
	int unit;

	if (t == NULL)
		return 0;
	size_t mark = loader_enter(l, "timestamp");
	if (loader_object(l, t, keys) == -1 ||
	    loader_text(l, t, "header", false, &s->timestamp_header) == -1 ||
	    word(l, t, "unit", units, &unit) == -1 ||
	    loader_int(l, t, "windowSeconds", 1, SIGNATURE_WINDOW_MAX, &s->window_s) == -1 ||
	    loader_bool(l, t, "pastOnly", &s->window_is_past_only) == -1)
		return -1;
	if ((s->timestamp_header == NULL) == (s->timestamp_key == NULL))
		return loader_fail(l, "comes either from a header or from the signature's entries");
	s->timestamp_unit = (enum time_unit)unit;
	loader_leave(l, mark);
	return 0;
}

/* What the manifest itself says must be known; what settings say is looked at when they are saved
 * (webhook_check_settings). */
static int signature_names(struct loader *l, const struct signature *s)
{
	struct scope nothing = {.a = l->a};
	const struct expr *both[] = {s->algorithm, s->encoding}, *wrong;
	static const char *const keys[] = {"algorithm", "encoding"};
	struct str name;

	for (size_t i = 0; i < 2; i++)
		if (both[i] != NULL && expr_is_constant(both[i]) &&
		    expr_text(both[i], &nothing).p == NULL) {
			loader_enter(l, keys[i]);
			return loader_fail(l, "must be text");
		}
	if (signature_is_known(s, &nothing, &wrong, &name))
		return 0;
	const char *key = keys[wrong == s->encoding];
	loader_enter(l, key);
	return loader_fail(l, "unknown %s \"%.*s\"", key, (int)name.n, name.p);
}

static int signature_check(struct loader *l, const struct provider *p, const struct signature *s)
{
	if (!manifest_has_credential(p, s->secret))
		return loader_fail(l, "%s is not among the credentials", s->secret);
	if ((s->token != NULL) == (s->header != NULL))
		return loader_fail(l, "needs either \"header\" or \"token\"");
	if (s->token != NULL && s->kind != SIGNATURE_TOKEN)
		return loader_fail(l, "\"token\" is for the kind token");
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].kind == PART_TIMESTAMP && s->timestamp_header == NULL &&
		    s->timestamp_key == NULL)
			return loader_fail(l, "signs a timestamp, but has none");
	return 0;
}

static int load_signature(struct loader *l, struct provider *p, const json_t *v)
{
	static const char *const keys[] = {"when", "kind", "header", "token", "prefix",
	    "optionalPrefix", "algorithm", "encoding", "secret", "secretPrefix", "secretEncoding",
	    "entries", "signed", "timestamp", "urlDecode", "urlPorts", "bodyHashParameter", NULL};
	static const char *const kinds[] = {"hmac", "hash", "token", NULL};
	static const char *const encodings[] = {"verbatim", "base64", NULL};
	struct signature *s = &p->signatures[p->nsignatures++];
	int kind, encoding;

	if (loader_object(l, v, keys) == -1 || cond_member(l, v, "when", &s->when) == -1 ||
	    word(l, v, "kind", kinds, &kind) == -1 ||
	    expr_member(l, v, "header", &s->header) == -1 ||
	    expr_member(l, v, "token", &s->token) == -1 ||
	    expr_member(l, v, "prefix", &s->prefix) == -1 ||
	    loader_text(l, v, "optionalPrefix", false, &s->optional_prefix) == -1 ||
	    expr_member(l, v, "algorithm", &s->algorithm) == -1 ||
	    expr_member(l, v, "encoding", &s->encoding) == -1 ||
	    loader_text(l, v, "secret", false, &s->secret) == -1 ||
	    loader_text(l, v, "secretPrefix", false, &s->secret_prefix) == -1 ||
	    word(l, v, "secretEncoding", encodings, &encoding) == -1 ||
	    signature_entries(l, v, s) == -1 || signature_time(l, v, s) == -1 ||
	    signed_parts(l, v, s) == -1 ||
	    loader_text(l, v, "urlDecode", false, &s->url_decode) == -1 ||
	    loader_bool(l, v, "urlPorts", &s->url_ports) == -1 ||
	    loader_text(l, v, "bodyHashParameter", false, &s->body_hash_parameter) == -1)
		return -1;
	s->kind = (enum signature_kind)kind;
	s->secret_is_base64 = encoding == 1;
	if (s->secret == NULL)
		s->secret = "webhookSecret";
	return signature_names(l, s) == -1 ? -1 : signature_check(l, p, s);
}

/* ---- handshakes, answers, accounts -------------------------------------------------------- */

static int load_answer(
    struct loader *l, const json_t *object, bool is_static, struct answer_spec *out)
{
	static const char *const keys[] = {"status", "contentType", "text", "json", NULL};
	const json_t *v = json_object_get(object, "answer");
	int64_t status = 200;

	if (v == NULL)
		return 0;
	size_t mark = loader_enter(l, "answer");
	if (is_static)
		l->roots = 0;
	if (loader_object(l, v, keys) == -1 ||
	    loader_int(l, v, "status", 200, 299, &status) == -1 ||
	    loader_text(l, v, "contentType", false, &out->content_type) == -1 ||
	    expr_member(l, v, "text", &out->text) == -1 ||
	    expr_member(l, v, "json", &out->json) == -1)
		return -1;
	if ((out->text != NULL) == (out->json != NULL) || (is_static && out->text == NULL))
		return loader_fail(
		    l, is_static ? "needs \"text\"" : "needs either \"text\" or \"json\"");
	if (out->content_type == NULL)
		out->content_type =
		    out->json != NULL ? "application/json" : "text/plain; charset=utf-8";
	out->status = (int)status;
	out->fixed = expr_text(out->text, &(struct scope){.a = l->a});
	loader_leave(l, mark);
	return 0;
}

static int handshake_hmac(struct loader *l, const json_t *v, struct handshake *h)
{
	static const char *const keys[] = {"of", "credential", NULL};
	const json_t *m = json_object_get(v, "hmac");

	if (m == NULL)
		return 0;
	size_t mark = loader_enter(l, "hmac");
	if (loader_object(l, m, keys) == -1 || expr_member(l, m, "of", &h->hmac_of) == -1 ||
	    loader_text(l, m, "credential", true, &h->hmac_credential) == -1)
		return -1;
	if (h->hmac_of == NULL)
		return loader_fail(l, "needs \"of\"");
	loader_leave(l, mark);
	return 0;
}

static int load_handshake(struct loader *l, struct provider *p, const json_t *v)
{
	static const char *const keys[] = {
	    "method", "when", "token", "hmac", "signed", "answer", NULL};
	static const char *const token_keys[] = {"value", "credential", NULL};
	static const char *const methods[] = {"GET", "POST", NULL};
	const json_t *token = json_object_get(v, "token");
	struct handshake *h = &p->handshakes[p->nhandshakes++];
	int method;

	l->roots = ROOTS_WEBHOOK | ROOT_BIT(ROOT_OUTPUT);
	if (loader_object(l, v, keys) == -1 || word(l, v, "method", methods, &method) == -1 ||
	    cond_member(l, v, "when", &h->when) == -1 || handshake_hmac(l, v, h) == -1 ||
	    loader_bool(l, v, "signed", &h->is_signed) == -1 ||
	    load_answer(l, v, false, &h->answer) == -1)
		return -1;
	if (token != NULL &&
	    (loader_object(l, token, token_keys) == -1 ||
		expr_member(l, token, "value", &h->token) == -1 ||
		loader_text(l, token, "credential", true, &h->token_credential) == -1))
		return -1;
	if (h->when == NULL || h->answer.status == 0)
		return loader_fail(l, "needs \"when\" and \"answer\"");
	h->method = method == 1 ? HTTP_POST : HTTP_GET;
	l->roots = ROOTS_WEBHOOK;
	return 0;
}

static int load_account(struct loader *l, struct provider *p, const json_t *v)
{
	static const char *const keys[] = {"for", "id", NULL};
	struct account_rule *r = &p->accounts[p->naccounts++];
	size_t nloops = l->nloops;

	if (loader_object(l, v, keys) == -1 || loops_member(l, v, "for", &r->loops) == -1 ||
	    expr_member(l, v, "id", &r->id) == -1)
		return -1;
	if (r->id == NULL)
		return loader_fail(l, "needs \"id\"");
	l->nloops = nloops;
	return 0;
}

/* ---- items -------------------------------------------------------------------------------- */

/* A list of expressions joined by '|', or one. */
static int item_dedupe(struct loader *l, const json_t *v, struct item_rule *r)
{
	const json_t *d = json_object_get(v, "dedupeKey");
	bool is_list = json_is_array(d);
	size_t n = d == NULL ? 0 : is_list ? json_array_size(d) : 1;
	size_t mark = loader_enter(l, "dedupeKey");

	r->dedupe = arena_array(l->a, n + 1, sizeof(struct expr *));
	for (size_t i = 0; i < n; i++)
		if (expr_compile(l, is_list ? json_array_get(d, i) : d, &r->dedupe[r->ndedupe++]) <
		    0)
			return -1;
	loader_leave(l, mark);
	return 0;
}

static int item_lead(struct loader *l, const json_t *v, struct item_rule *r)
{
	static const char *const keys[] = {
	    "when", "raw", "formId", "adId", "campaignId", "createdAt", NULL};
	const json_t *lead = json_object_get(v, "lead");

	if (lead == NULL)
		return 0;
	size_t mark = loader_enter(l, "lead");
	if (loader_object(l, lead, keys) == -1 ||
	    cond_member(l, lead, "when", &r->lead.when) == -1 ||
	    expr_member(l, lead, "raw", &r->lead.raw) == -1 ||
	    expr_member(l, lead, "formId", &r->lead.form_id) == -1 ||
	    expr_member(l, lead, "adId", &r->lead.ad_id) == -1 ||
	    expr_member(l, lead, "campaignId", &r->lead.campaign_id) == -1 ||
	    expr_member(l, lead, "createdAt", &r->lead.created_at) == -1)
		return -1;
	r->has_lead = true;
	loader_leave(l, mark);
	return 0;
}

static int load_item(struct loader *l, struct provider *p, const json_t *v)
{
	static const char *const keys[] = {"for", "when", "account", "resourceType", "externalId",
	    "eventType", "dedupeKey", "data", "updatedAt", "lead", "details", "detailsWhen", NULL};
	struct item_rule *r = &p->items[p->nitems++];
	size_t nloops = l->nloops;

	if (loader_object(l, v, keys) == -1 || loops_member(l, v, "for", &r->loops) == -1 ||
	    cond_member(l, v, "when", &r->when) == -1 ||
	    expr_member(l, v, "account", &r->account) == -1 ||
	    expr_member(l, v, "resourceType", &r->resource_type) == -1 ||
	    expr_member(l, v, "externalId", &r->external_id) == -1 ||
	    expr_member(l, v, "eventType", &r->event_type) == -1 || item_dedupe(l, v, r) == -1 ||
	    expr_member(l, v, "data", &r->data) == -1 ||
	    expr_member(l, v, "updatedAt", &r->updated_at) == -1 || item_lead(l, v, r) == -1 ||
	    loader_bool(l, v, "details", &r->wants_details) == -1 ||
	    cond_member(l, v, "detailsWhen", &r->details_when) == -1)
		return -1;
	if (r->external_id == NULL || r->data == NULL)
		return loader_fail(l, "needs \"externalId\" and \"data\"");
	l->nloops = nloops;
	return 0;
}

int manifest_webhook(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const keys[] = {
	    "body", "signatures", "handshakes", "accounts", "items", "answer", NULL};
	static const char *const bodies[] = {"json", "form", "empty", "byType", NULL};
	const json_t *v = json_object_get(json, "webhook");
	int body;

	if (v == NULL)
		return 0;
	size_t mark = loader_enter(l, "webhook");
	l->roots = ROOTS_WEBHOOK;
	p->signatures = arena_array(l->a, list_size(v, "signatures"), sizeof *p->signatures);
	p->handshakes = arena_array(l->a, list_size(v, "handshakes"), sizeof *p->handshakes);
	p->accounts = arena_array(l->a, list_size(v, "accounts"), sizeof *p->accounts);
	p->items = arena_array(l->a, list_size(v, "items"), sizeof *p->items);
	if (loader_object(l, v, keys) == -1 || word(l, v, "body", bodies, &body) == -1 ||
	    each_of(l, p, v, "signatures", load_signature) == -1 ||
	    each_of(l, p, v, "handshakes", load_handshake) == -1 ||
	    each_of(l, p, v, "accounts", load_account) == -1 ||
	    each_of(l, p, v, "items", load_item) == -1 || load_answer(l, v, true, &p->answer) == -1)
		return -1;
	if (p->nsignatures == 0 || p->nitems == 0)
		return loader_fail(l, "needs \"signatures\" and \"items\"");
	p->body = (enum body_kind)body;
	p->has_webhook = true;
	loader_leave(l, mark);
	return 0;
}
