/* The "webhook" section of a manifest. */
#include "base/limits.h"
#include "provider/provider-internal.h"

#define ROOTS_WEBHOOK                                                                              \
	(ROOT_BIT(ROOT_BODY) | ROOT_BIT(ROOT_SETTINGS) | ROOT_BIT(ROOT_HEADER) |                   \
	    ROOT_BIT(ROOT_QUERY))
#define SIGNATURE_WINDOW_MAX 86400

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
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (str_is(text, parts[i].name)) {
			part->kind = parts[i].kind;
			return 0;
		}
	return json_reader_fail(&l->in, "\"%.*s\" cannot be signed", (int)text.n, text.p);
}

/* "v0:{timestamp}:{body}" */
static int signed_parts(struct loader *l, const char *text, struct signature *s)
{
	size_t mark = json_reader_enter(&l->in, "signed");

	s->parts = arena_array(l->a, strlen(text) + 1, sizeof(*s->parts));
	while (*text != '\0') {
		struct signature_part *part = &s->parts[s->nparts++];
		const char *end = *text == '{' ? strchr(text, '}') : NULL;

		if (end != NULL) {
			struct str name = {text + 1, (size_t)(end - text) - 1};
			if (signed_part(l, name, part) == -1)
				return -1;
			text = end + 1;
			continue;
		}
		size_t n = 1 + strcspn(text + 1, "{");
		part->text = (struct str){text, n};
		text += n;
	}
	json_reader_leave(&l->in, mark);
	return 0;
}

static int signature_entries(struct loader *l, const json_t *e, struct signature *s)
{
	static const struct loader_member members[] = {OTHER_MEMBER("separator"),
	    TEXT_MEMBER("signature", struct signature, signature_key),
	    TEXT_MEMBER("timestamp", struct signature, timestamp_key)};
	static const struct json_member separator = {
	    "separator", READ_TEXT, .need = READ_NEEDED, .min = 1};
	struct str text = {NULL, 0};

	if (e == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "entries");
	if (loader_members(l, e, MEMBERS(members), s) == -1 ||
	    json_read_member(&l->in, e, &separator, &text) == -1)
		return -1;
	if (text.n != 1)
		return json_reader_fail(&l->in, "the separator must be one character");
	s->separator = text.p[0];
	json_reader_leave(&l->in, mark);
	return 0;
}

static int signature_time(struct loader *l, const json_t *t, struct signature *s)
{
	static const struct loader_member members[] = {
	    TEXT_MEMBER("header", struct signature, timestamp_header),
	    INT_MEMBER("windowSeconds", struct signature, window_s, 1, SIGNATURE_WINDOW_MAX),
	    BOOL_MEMBER("pastOnly", struct signature, window_is_past_only), OTHER_MEMBER("unit")};
	static const char *const units[] = {"s", "ms", "iso", NULL};
	int unit;

	if (t == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "timestamp");
	if (loader_members(l, t, MEMBERS(members), s) == -1 ||
	    manifest_word(l, t, "unit", units, &unit) == -1)
		return -1;
	if ((s->timestamp_header == NULL) == (s->timestamp_key == NULL))
		return json_reader_fail(
		    &l->in, "comes either from a header or from the signature's entries");
	s->timestamp_unit = (enum time_unit)unit;
	json_reader_leave(&l->in, mark);
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
		    expr_text(both[i], &nothing).p == NULL)
			return json_reader_fail_at(&l->in, keys[i], "must be text");
	if (signature_is_known(s, &nothing, &wrong, &name))
		return 0;
	const char *key = keys[wrong == s->encoding];
	return json_reader_fail_at(&l->in, key, "unknown %s \"%.*s\"", key, (int)name.n, name.p);
}

static int signature_check(struct loader *l, const struct provider *p, const struct signature *s)
{
	if (!manifest_has_credential(p, s->secrets.v[0]))
		return json_reader_fail(&l->in, "%s is not among the credentials", s->secrets.v[0]);
	if ((s->token != NULL) + (s->header != NULL) + (s->parameter != NULL) != 1)
		return json_reader_fail(
		    &l->in, "needs either \"header\", \"token\" or \"parameter\"");
	if (s->header == NULL && s->kind != SIGNATURE_TOKEN)
		return json_reader_fail(
		    &l->in, "\"token\" and \"parameter\" are for the kind token");
	const char *of_url[] = {s->url_user, s->url_password};
	for (size_t i = 0; i < 2; i++)
		if (of_url[i] != NULL && !manifest_has_credential(p, of_url[i]))
			return json_reader_fail(
			    &l->in, "%s is not among the credentials", of_url[i]);
	for (size_t i = 0; i < s->nparts; i++)
		if (s->parts[i].kind == PART_TIMESTAMP && s->timestamp_header == NULL &&
		    s->timestamp_key == NULL)
			return json_reader_fail(&l->in, "signs a timestamp, but has none");
	return 0;
}

static const struct loader_member signature_members[] = {
    COND_MEMBER("when", struct signature, when),
    EXPR_MEMBER("header", struct signature, header),
    EXPR_MEMBER("token", struct signature, token),
    EXPR_MEMBER("parameter", struct signature, parameter),
    EXPR_MEMBER("prefix", struct signature, prefix),
    TEXT_MEMBER("optionalPrefix", struct signature, optional_prefix),
    EXPR_MEMBER("algorithm", struct signature, algorithm),
    EXPR_MEMBER("encoding", struct signature, encoding),
    TEXT_MEMBER("secretPrefix", struct signature, secret_prefix),
    TEXT_MEMBER("signed", struct signature, signed_text),
    TEXT_MEMBER("urlDecode", struct signature, url_decode),
    BOOL_MEMBER("urlPorts", struct signature, url_ports),
    TEXT_MEMBER("urlUser", struct signature, url_user),
    TEXT_MEMBER("urlPassword", struct signature, url_password),
    BOOL_MEMBER("outdated", struct signature, is_outdated),
    TEXT_MEMBER("bodyHashParameter", struct signature, body_hash_parameter),
    OTHER_MEMBER("kind"),
    OTHER_MEMBER("secret"),
    OTHER_MEMBER("secretEncoding"),
    OTHER_MEMBER("urlQuery"),
    OTHER_MEMBER("entries"),
    OTHER_MEMBER("timestamp"),
};

/* The forms of the URL's query that are tried; absent: as it is. */
static int signature_queries(struct loader *l, const json_t *v, struct signature *s)
{
	static const char *const forms[] = {"asIs", "quoteEncoded", "reencoded"};
	const char **names;
	size_t n;

	s->url_queries = 1u << URL_QUERY_AS_IS;
	if (json_object_get(v, "urlQuery") == NULL)
		return 0;
	s->url_queries = 0;
	if (manifest_texts(l, v, "urlQuery", &names, &n) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t form = 0;

		while (form < URL_QUERY_FORMS && strcmp(forms[form], names[i]) != 0)
			form++;
		if (form == URL_QUERY_FORMS)
			return json_reader_fail_at(
			    &l->in, "urlQuery", "unknown word \"%s\"", names[i]);
		s->url_queries |= 1u << form;
	}
	return n > 0 ? 0 : json_reader_fail_at(&l->in, "urlQuery", "nothing is in an empty list");
}

static int signature_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const char *const kinds[] = {"hmac", "hash", "token", NULL};
	static const char *const encodings[] = {"verbatim", "base64", NULL};
	static const char *secrets[] = {"webhookSecret"};
	struct signature *s = out;
	int kind, encoding;

	(void)name;
	s->secrets = (struct credential_names){secrets, 1};
	s->signed_text = "{body}";
	if (loader_members(l, v, MEMBERS(signature_members), s) == -1 ||
	    manifest_word(l, v, "kind", kinds, &kind) == -1 ||
	    manifest_word(l, v, "secretEncoding", encodings, &encoding) == -1 ||
	    signature_entries(l, json_object_get(v, "entries"), s) == -1 ||
	    signature_time(l, json_object_get(v, "timestamp"), s) == -1 ||
	    manifest_credential_names(l, p, v, "secret", &s->secrets) == -1 ||
	    signature_queries(l, v, s) == -1 || signed_parts(l, s->signed_text, s) == -1 ||
	    signature_names(l, s) == -1)
		return -1;
	s->kind = (enum signature_kind)kind;
	s->secret_is_base64 = encoding == 1;
	return signature_check(l, p, s);
}

/* ---- handshakes, answers, accounts -------------------------------------------------------- */

static int load_answer(struct loader *l, const json_t *v, bool is_static, struct answer_spec *out)
{
	static const struct loader_member members[] = {
	    COND_MEMBER("when", struct answer_spec, when),
	    {{"status", READ_INT, JSON_INTO(struct answer_spec, status), .min = 200, .max = 299},
		MEMBER_PLAIN},
	    TEXT_MEMBER("contentType", struct answer_spec, content_type),
	    EXPR_MEMBER("text", struct answer_spec, text),
	    EXPR_MEMBER("json", struct answer_spec, json)};

	out->status = 200;
	if (loader_members(l, v, MEMBERS(members), out) == -1)
		return -1;
	if ((out->text != NULL) == (out->json != NULL) || (is_static && out->text == NULL))
		return json_reader_fail(
		    &l->in, is_static ? "needs \"text\"" : "needs either \"text\" or \"json\"");
	if (is_static && !expr_is_constant(out->text))
		return json_reader_fail_at(&l->in, "text", "takes no placeholders");
	if (!is_static && out->when != NULL)
		return json_reader_fail_at(&l->in, "when", "is the handshake's own");
	if (out->content_type == NULL)
		out->content_type =
		    out->json != NULL ? "application/json" : "text/plain; charset=utf-8";
	out->fixed = expr_text(out->text, &(struct scope){.a = l->a});
	return 0;
}

static int answer_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	(void)p;
	(void)name;
	return load_answer(l, v, true, out);
}

/* One, or a list. */
static int load_answers(struct loader *l, struct provider *p, const json_t *webhook)
{
	static const struct manifest_many answers = {
	    "answer", READ_LIST, sizeof(struct answer_spec), answer_one};
	const json_t *v = json_object_get(webhook, "answer");

	if (!json_is_object(v)) {
		p->answers = manifest_many(l, p, webhook, &answers, &p->nanswers);
		return p->answers == NULL ? -1 : 0;
	}
	size_t mark = json_reader_enter(&l->in, "answer");
	p->answers = arena_zalloc(l->a, sizeof(*p->answers));
	p->nanswers = 1;
	if (load_answer(l, v, true, p->answers) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int handshake_answer_spec(struct loader *l, const json_t *v, struct handshake *h)
{
	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "answer");
	if (load_answer(l, v, false, &h->answer) == -1)
		return -1;
	json_reader_leave(&l->in, mark);
	return 0;
}

static int handshake_hmac(
    struct loader *l, const struct provider *p, const json_t *v, struct handshake *h)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("of", struct handshake, hmac_of), OTHER_MEMBER("credential")};

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "hmac");
	if (loader_members(l, v, MEMBERS(members), h) == -1 ||
	    manifest_credential_names(l, p, v, "credential", &h->hmac_credentials) == -1)
		return -1;
	if (h->hmac_of == NULL || h->hmac_credentials.n == 0)
		return json_reader_fail(&l->in, "needs \"of\" and \"credential\"");
	json_reader_leave(&l->in, mark);
	return 0;
}

static int handshake_token(
    struct loader *l, const struct provider *p, const json_t *v, struct handshake *h)
{
	static const struct loader_member members[] = {
	    EXPR_MEMBER("value", struct handshake, token), OTHER_MEMBER("credential")};

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "token");
	if (loader_members(l, v, MEMBERS(members), h) == -1 ||
	    manifest_credential_names(l, p, v, "credential", &h->token_credentials) == -1)
		return -1;
	if (h->token == NULL || h->token_credentials.n == 0)
		return json_reader_fail(&l->in, "needs \"value\" and \"credential\"");
	json_reader_leave(&l->in, mark);
	return 0;
}

static int handshake_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {COND_MEMBER("when", struct handshake, when),
	    COND_MEMBER("prefers", struct handshake, prefers),
	    BOOL_MEMBER("signed", struct handshake, is_signed), OTHER_MEMBER("method"),
	    OTHER_MEMBER("hmac"), OTHER_MEMBER("token"), OTHER_MEMBER("answer")};
	static const char *const methods[] = {"GET", "POST", NULL};
	struct handshake *h = out;
	int method;

	(void)name;
	l->roots = ROOTS_WEBHOOK | ROOT_BIT(ROOT_OUTPUT);
	if (loader_members(l, v, MEMBERS(members), h) == -1 ||
	    manifest_word(l, v, "method", methods, &method) == -1 ||
	    handshake_hmac(l, p, json_object_get(v, "hmac"), h) == -1 ||
	    handshake_token(l, p, json_object_get(v, "token"), h) == -1 ||
	    handshake_answer_spec(l, json_object_get(v, "answer"), h) == -1)
		return -1;
	if (h->when == NULL || h->answer.status == 0)
		return json_reader_fail(&l->in, "needs \"when\" and \"answer\"");
	h->is_open = !h->is_signed && h->token == NULL && h->hmac_of == NULL;
	if (h->is_open &&
	    !expr_is_constant(h->answer.json != NULL ? h->answer.json : h->answer.text))
		return json_reader_fail_at(&l->in, "answer",
		    "can hold constants alone, since nobody is verified: it needs \"signed\", "
		    "\"token\" or \"hmac\" else");
	h->method = method == 1 ? HTTP_POST : HTTP_GET;
	l->roots = ROOTS_WEBHOOK;
	return 0;
}

static int account_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    LOOPS_MEMBER("for", struct account_rule, loops),
	    EXPR_MEMBER("id", struct account_rule, id)};
	struct account_rule *r = out;
	size_t nloops = l->nloops;

	(void)p;
	(void)name;
	if (loader_members(l, v, MEMBERS(members), r) == -1)
		return -1;
	if (r->id == NULL)
		return json_reader_fail(&l->in, "needs \"id\"");
	l->nloops = nloops;
	return 0;
}

/* ---- items -------------------------------------------------------------------------------- */

/* A list of expressions, or one. */
static int item_exprs(
    struct loader *l, const char *key, const json_t *v, struct expr ***out, size_t *n)
{
	bool is_list = json_is_array(v);
	size_t most = v == NULL ? 0 : is_list ? json_array_size(v) : 1;
	size_t mark = json_reader_enter(&l->in, key);

	*out = arena_array(l->a, most + 1, sizeof(struct expr *));
	*n = 0;
	for (size_t i = 0; i < most; i++) {
		const json_t *one = is_list ? json_array_get(v, i) : v;
		if (expr_compile(l, one, &(*out)[(*n)++]) == -1)
			return -1;
	}
	json_reader_leave(&l->in, mark);
	return 0;
}

static int item_merged(struct loader *l, const json_t *v, struct item_rule *r)
{
	static const struct loader_member members[] = {OTHER_MEMBER("ids"), OTHER_MEMBER("data")};

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "merged");
	if (loader_members(l, v, MEMBERS(members), r) == -1 ||
	    item_exprs(l, "ids", json_object_get(v, "ids"), &r->merged_ids, &r->nmerged_ids) == -1)
		return -1;
	if (l->nloops == EXPR_LOOPS_MAX)
		return json_reader_fail(&l->in, "is one loop too many");
	r->merged_slot = EXPR_ROOTS_MAX + (unsigned)l->nloops;
	l->loop[l->nloops++] = "merged";
	if (expr_member(l, v, "data", &r->merged_data) == -1)
		return -1;
	if (r->nmerged_ids == 0 || r->merged_data == NULL)
		return json_reader_fail(&l->in, "needs \"ids\" and \"data\"");
	json_reader_leave(&l->in, mark);
	return 0;
}

static int item_lead(struct loader *l, const json_t *v, struct item_rule *r)
{
	static const struct loader_member members[] = {
	    COND_MEMBER("when", struct item_rule, lead.when),
	    EXPR_MEMBER("raw", struct item_rule, lead.raw),
	    EXPR_MEMBER("formId", struct item_rule, lead.form_id),
	    EXPR_MEMBER("adId", struct item_rule, lead.ad_id),
	    EXPR_MEMBER("campaignId", struct item_rule, lead.campaign_id),
	    EXPR_MEMBER("createdAt", struct item_rule, lead.created_at)};

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "lead");
	if (loader_members(l, v, MEMBERS(members), r) == -1)
		return -1;
	r->has_lead = true;
	json_reader_leave(&l->in, mark);
	return 0;
}

/* What is done besides, or instead of taking it. */
static int item_effects(struct loader *l, const json_t *v, struct item_rule *r)
{
	static const char *const statuses[] = {"expired", NULL};
	static const struct loader_member members[] = {
	    {{"status", READ_WORD, JSON_INTO(struct item_effects, status), .need = READ_NEEDED,
		 .words = statuses},
		MEMBER_PLAIN},
	    NEEDED_TEXT_MEMBER("reason", struct item_effects, reason)};
	const json_t *status = json_object_get(v, "connectionStatus");

	if (status != NULL) {
		size_t mark = json_reader_enter(&l->in, "connectionStatus");
		if (loader_members(l, status, MEMBERS(members), &r->effects) == -1)
			return -1;
		json_reader_leave(&l->in, mark);
	}
	if (r->effects.erases && r->resource_type == NULL)
		return json_reader_fail(&l->in, "erases what has a \"resourceType\"");
	if (r->effects.erases && r->has_lead)
		return json_reader_fail(&l->in, "either erases a lead or takes one");
	return 0;
}

/* Does it store a record or a lead? */
static bool item_stores(const struct item_rule *r)
{
	const struct item_effects *e = &r->effects;

	return !e->erases &&
	       ((e->status == NULL && e->poll == NULL) || r->resource_type != NULL || r->has_lead);
}

static const struct loader_member item_members[] = {
    LOOPS_MEMBER("for", struct item_rule, loops),
    COND_MEMBER("when", struct item_rule, when),
    EXPR_MEMBER("account", struct item_rule, account),
    EXPR_MEMBER("resourceType", struct item_rule, resource_type),
    EXPR_MEMBER("externalId", struct item_rule, external_id),
    EXPR_MEMBER("eventType", struct item_rule, event_type),
    EXPR_MEMBER("data", struct item_rule, data),
    EXPR_MEMBER("updatedAt", struct item_rule, updated_at),
    BOOL_MEMBER("details", struct item_rule, wants_details),
    COND_MEMBER("detailsWhen", struct item_rule, details_when),
    OTHER_MEMBER("dedupeKey"),
    OTHER_MEMBER("lead"),
    OTHER_MEMBER("merged"),
    BOOL_MEMBER("erase", struct item_rule, effects.erases),
    OTHER_MEMBER("connectionStatus"),
    TEXT_MEMBER("poll", struct item_rule, effects.poll),
};

static int item_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	struct item_rule *r = out;
	size_t nloops = l->nloops;

	(void)p;
	(void)name;
	if (loader_members(l, v, MEMBERS(item_members), r) == -1 ||
	    item_exprs(l, "dedupeKey", json_object_get(v, "dedupeKey"), &r->dedupe, &r->ndedupe) ==
		-1 ||
	    item_lead(l, json_object_get(v, "lead"), r) == -1 || item_effects(l, v, r) == -1 ||
	    item_merged(l, json_object_get(v, "merged"), r) == -1)
		return -1;
	r->walks = json_object_get(v, "for");
	r->stores = item_stores(r);
	if (r->stores && (r->external_id == NULL || r->data == NULL))
		return json_reader_fail(&l->in, "needs \"externalId\" and \"data\"");
	if (r->effects.erases && r->external_id == NULL)
		return json_reader_fail(&l->in, "needs \"externalId\"");
	l->nloops = nloops;
	return 0;
}

static int ignore_one(
    struct loader *l, struct provider *p, const char *name, const json_t *v, void *out)
{
	static const struct loader_member members[] = {
	    LOOPS_MEMBER("for", struct ignore_rule, loops),
	    COND_MEMBER("when", struct ignore_rule, when)};
	size_t nloops = l->nloops;

	(void)p;
	(void)name;
	if (loader_members(l, v, MEMBERS(members), out) == -1)
		return -1;
	l->nloops = nloops;
	return 0;
}

/* ---- the section -------------------------------------------------------------------------- */

static int webhook_lists(struct loader *l, struct provider *p, const json_t *v)
{
	static const struct manifest_many
	    signatures = {"signatures", READ_LIST, sizeof(struct signature), signature_one},
	    handshakes = {"handshakes", READ_LIST, sizeof(struct handshake), handshake_one},
	    accounts = {"accounts", READ_LIST, sizeof(struct account_rule), account_one},
	    ignored = {"ignore", READ_LIST, sizeof(struct ignore_rule), ignore_one},
	    items = {"items", READ_LIST, sizeof(struct item_rule), item_one};

	p->signatures = manifest_many(l, p, v, &signatures, &p->nsignatures);
	if (p->signatures == NULL)
		return -1;
	p->handshakes = manifest_many(l, p, v, &handshakes, &p->nhandshakes);
	if (p->handshakes == NULL)
		return -1;
	p->accounts = manifest_many(l, p, v, &accounts, &p->naccounts);
	if (p->accounts == NULL)
		return -1;
	p->ignored = manifest_many(l, p, v, &ignored, &p->nignored);
	if (p->ignored == NULL)
		return -1;
	p->items = manifest_many(l, p, v, &items, &p->nitems);
	return p->items == NULL ? -1 : 0;
}

/* Rules that walk the same things speak of the same things. */
static void items_group(struct provider *p)
{
	for (size_t i = 0; i < p->nitems; i++) {
		const json_t *walks = p->items[i].walks;
		size_t k = 0;

		while (k < i && !(walks == NULL ? p->items[k].walks == NULL
						: json_equal(walks, p->items[k].walks)))
			k++;
		p->items[i].group = k;
	}
}

int manifest_webhook(struct loader *l, struct provider *p, const json_t *json)
{
	static const char *const keys[] = {"body", "signatures", "handshakes", "accounts", "items",
	    "ignore", "answer", "maxBytes", NULL};
	static const struct json_member bytes = {
	    "maxBytes", READ_INT, .min = 1024, .max = LIMIT_BODY_WEBHOOK_MOST};
	static const char *const bodies[] = {"json", "form", "empty", "byType", NULL};
	const json_t *v = json_object_get(json, "webhook");
	int body;

	if (v == NULL)
		return 0;
	size_t mark = json_reader_enter(&l->in, "webhook");
	l->roots = ROOTS_WEBHOOK;
	p->webhook_bytes = LIMIT_BODY_WEBHOOK;
	if (json_read_keys(&l->in, v, keys) == -1 ||
	    manifest_word(l, v, "body", bodies, &body) == -1 || webhook_lists(l, p, v) == -1 ||
	    load_answers(l, p, v) == -1 ||
	    json_read_member(&l->in, v, &bytes, &p->webhook_bytes) == -1)
		return -1;
	if (p->nsignatures == 0 || p->nitems == 0)
		return json_reader_fail(&l->in, "needs \"signatures\" and \"items\"");
	items_group(p);
	p->body = (enum body_kind)body;
	p->has_webhook = true;
	json_reader_leave(&l->in, mark);
	return 0;
}
