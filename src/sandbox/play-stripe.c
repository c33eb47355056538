/* Stripe: lists by the last id, form writes with nested names, Idempotency-Key, Connect and Apps.
 */
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define LIST_MAX 100
#define ACCOUNT "acct_sandbox"

static int stripe_error(
    struct play_call *c, int status, const char *type, const char *code, const char *text)
{
	return play_json(c, status,
	    json_pack("{s:{s:s,s:s*,s:s}}", "error", "type", type, "code", code, "message", text));
}

static int stripe_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
		return stripe_error(
		    c, 401, "invalid_request_error", NULL, "Invalid API Key provided: sk_***");
	case REFUSE_EXPIRED:
		return stripe_error(
		    c, 401, "invalid_request_error", "api_key_expired", "Expired API Key provided");
	case REFUSE_THROTTLED:
		res_header(c->r, "Stripe-Should-Retry", "true");
		return stripe_error(
		    c, 429, "invalid_request_error", "rate_limit", "Request rate limit exceeded.");
	case REFUSE_FORBIDDEN:
		return stripe_error(c, 403, "invalid_request_error", NULL,
		    "The provided key does not have the required permissions.");
	case REFUSE_NOT_FOUND:
		return stripe_error(c, 404, "invalid_request_error", "resource_missing",
		    text != NULL ? text : "Unrecognized request URL");
	case REFUSE_INVALID:
		return stripe_error(c, 400, "invalid_request_error", "parameter_missing", text);
	case REFUSE_BROKEN:
		break;
	}
	return stripe_error(c, 500, "api_error", NULL, "An unknown error occurred");
}

/* A key is a bearer token, or the user of Basic. */
static struct str stripe_token(const struct play_call *c)
{
	struct str pair = play_basic_pair(c), key;

	if (pair.n > 0 && str_split(&pair, ':', &key))
		return key;
	return play_bearer_token(c);
}

/* ---- rows --------------------------------------------------------------------------------- */

static const char *stripe_kind(struct play_call *c)
{
	const struct str list = play_param(c, "list");

	return arena_strndup(c->a, list.p, list.n);
}

static const char *stripe_prefix(const char *kind)
{
	static const char *const prefixes[][2] = {{"charges", "ch_"}, {"customers", "cus_"},
	    {"payment_intents", "pi_"}, {"invoices", "in_"}, {"subscriptions", "sub_"},
	    {"products", "prod_"}, {"prices", "price_"}, {"refunds", "re_"},
	    {"webhook_endpoints", "we_"}, {"checkout_sessions", "cs_"}};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strcmp(prefixes[i][0], kind) == 0)
			return prefixes[i][1];
	return "obj_";
}

/* name=x, metadata[a]=y and enabled_events[]=z of a form, as an object. */
static void form_member_set(struct arena *a, json_t *object, struct str name, struct str value)
{
	struct str outer, inner = name;
	json_t *member;
	const char *key;

	if (!str_ends(name, "]") || !str_split(&inner, '[', &outer)) {
		json_set_strn(object, arena_strndup(a, name.p, name.n), value);
		return;
	}
	inner.n--;
	key = arena_strndup(a, outer.p, outer.n);
	member = json_object_get(object, key);
	if (inner.n == 0 || (inner.p[0] >= '0' && inner.p[0] <= '9')) {
		if (member == NULL)
			json_set(object, key, json_array());
		json_array_append_new(json_object_get(object, key), json_stringn(value.p, value.n));
		return;
	}
	if (member == NULL)
		json_set(object, key, json_object());
	json_set_strn(json_object_get(object, key), arena_strndup(a, inner.p, inner.n), value);
}

static json_t *form_object(struct play_call *c)
{
	json_t *object = json_own(c->a, json_object());
	int64_t n;

	for (size_t i = 0; i < c->form.n; i++)
		form_member_set(c->a, object, c->form.v[i].name, c->form.v[i].value);
	if (str_to_i64(play_arg(c, "amount"), 0, INT64_MAX, &n))
		json_set_int(object, "amount", n);
	return object;
}

static json_t *stripe_put(
    struct play_call *c, const char *kind, const json_t *former, const json_t *given)
{
	const char *id = former != NULL ? json_str(former, "id")
					: arena_printf(c->a, "%ssandbox%lld", stripe_prefix(kind),
					      (long long)play_next_number(c, 100000));
	json_t *row = former != NULL ? json_deep_copy(former)
				     : json_pack("{s:s,s:s,s:I,s:b}", "id", id, "object",
					   arena_strndup(c->a, kind, strlen(kind) - 1), "created",
					   (json_int_t)(clock_now_us() / SECOND_US), "livemode", 0);

	json_object_update(row, (json_t *)(uintptr_t)given);
	return play_put(c, kind, id, row);
}

struct created {
	int64_t from, until;
};

static bool created_passes(const struct play_call *c, const json_t *row, const void *arg)
{
	const struct created *t = arg;
	const int64_t at = json_int(row, "created");

	(void)c;
	return at >= t->from && at <= t->until;
}

static int64_t time_arg(struct play_call *c, const char *name, const char *open, int64_t otherwise)
{
	int64_t n;

	if (str_to_i64(play_arg(c, name), 0, INT64_MAX / 2, &n))
		return n;
	if (str_to_i64(play_arg(c, open), 0, INT64_MAX / 2, &n))
		return strstr(open, "[gt]") != NULL ? n + 1 : n - 1;
	return otherwise;
}

/* Newest first; starting_after is an id of the page before. */
static int stripe_list(struct play_call *c)
{
	const struct created t = {time_arg(c, "created[gte]", "created[gt]", 0),
	    time_arg(c, "created[lte]", "created[lt]", INT64_MAX)};
	const struct str after = play_arg(c, "starting_after");
	json_t *rows = play_rows(c, stripe_kind(c), created_passes, &t), *turned;
	struct play_page page;
	int64_t start = 0;

	turned = json_own(c->a, json_array());
	for (size_t i = json_array_size(rows); i > 0; i--)
		json_array_append(turned, json_array_get(rows, i - 1));
	for (size_t i = 0; after.n > 0 && i < json_array_size(turned); i++)
		if (str_is(after, json_str(json_array_get(turned, i), "id")))
			start = (int64_t)i + 1;
	if (after.n > 0 && start == 0)
		return play_refuse(c, REFUSE_INVALID, "No such object");
	if (play_is(c, "repeat_cursor") && start > 0)
		start -= play_switch_number(c, "page_size", 1);
	page = play_page(c, turned, start, play_number(c, "limit", 10, LIST_MAX));
	return play_json(c, 200,
	    json_pack("{s:s,s:s,s:b,s:o}", "object", "list", "url",
		arena_printf(c->a, "%.*s", (int)c->path.n, c->path.p), "has_more", page.next > 0,
		"data", page.items));
}

/* What an Idempotency-Key was answered is answered again. */
static json_t *stripe_again(struct play_call *c, const char **key)
{
	*key = play_header(c, "idempotency-key");
	return *key != NULL ? play_get(c, "idempotency", str_from(*key)) : NULL;
}

static int stripe_create(struct play_call *c)
{
	const char *key, *kind = stripe_kind(c);
	json_t *row = stripe_again(c, &key);

	if (row != NULL) {
		res_header(c->r, "Idempotent-Replayed", "true");
		return play_json(c, 200, json_incref(row));
	}
	if (strcmp(kind, "charges") == 0 && play_arg(c, "amount").n == 0)
		return play_refuse(c, REFUSE_INVALID, "Missing required param: amount.");
	row = stripe_put(c, kind, NULL, form_object(c));
	if (strcmp(kind, "webhook_endpoints") == 0)
		json_set_str(row, "secret", "sandbox-stripe-secret");
	if (key != NULL)
		(void)play_put(c, "idempotency", key, json_incref(row));
	return play_json(c, 200, json_incref(row));
}

static int stripe_get(struct play_call *c)
{
	json_t *row = play_get(c, stripe_kind(c), play_param(c, "id"));

	return row != NULL ? play_json(c, 200, json_incref(row))
			   : play_refuse(c, REFUSE_NOT_FOUND, "No such object");
}

static int stripe_update(struct play_call *c)
{
	const json_t *row = play_get(c, stripe_kind(c), play_param(c, "id"));

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, "No such object");
	return play_json(c, 200, json_incref(stripe_put(c, stripe_kind(c), row, form_object(c))));
}

static int stripe_delete(struct play_call *c)
{
	const struct str id = play_param(c, "id");

	play_drop(c, stripe_kind(c), id);
	return play_json(c, 200, json_pack("{s:s%,s:b}", "id", id.p, id.n, "deleted", 1));
}

/* capture, confirm, cancel, pay …: done. */
static int stripe_act(struct play_call *c)
{
	const struct str verb = play_param(c, "verb");
	json_t *given = form_object(c), *row = play_get(c, stripe_kind(c), play_param(c, "id"));

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, "No such object");
	json_set_str(given, "status",
	    str_is(verb, "cancel") || str_is(verb, "void") ? "canceled" : "succeeded");
	return play_json(c, 200, json_incref(stripe_put(c, stripe_kind(c), row, given)));
}

/* Of the search language, all that is there. */
static int stripe_search(struct play_call *c)
{
	const struct str token = play_arg(c, "page");
	struct play_page page = play_page(c, play_rows(c, stripe_kind(c), NULL, NULL),
	    token.n > 0 ? play_cursor_place(token) : 0, play_number(c, "limit", 10, LIST_MAX));

	return play_json(c, 200,
	    json_pack("{s:s,s:b,s:s?,s:o}", "object", "search_result", "has_more", page.next > 0,
		"next_page", page.next > 0 ? play_cursor(c, page.next) : NULL, "data", page.items));
}

static int stripe_balance(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:s,s:[{s:i,s:s}],s:[]}", "object", "balance", "available", "amount", 6000,
		"currency", "usd", "pending"));
}

static int stripe_account(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:s,s:s,s:s,s:s,s:b}", "id", ACCOUNT, "object", "account", "email",
		"shop@example.com", "country", "US", "charges_enabled", 1));
}

static const struct play_route stripe_routes[] = {
    {HTTP_GET, "/v1/account", stripe_account, false},
    {HTTP_GET, "/v1/balance", stripe_balance, false},
    {HTTP_GET, "/v1/:list/search", stripe_search, false},
    {HTTP_GET, "/v1/checkout/:list", stripe_list, false},
    {HTTP_POST, "/v1/checkout/:list", stripe_create, false},
    {HTTP_GET, "/v2/core/:list/:id", stripe_get, false},
    {HTTP_GET, "/v1/:list", stripe_list, false},
    {HTTP_POST, "/v1/:list", stripe_create, false},
    {HTTP_GET, "/v1/:list/:id", stripe_get, false},
    {HTTP_POST, "/v1/:list/:id", stripe_update, false},
    {HTTP_DELETE, "/v1/:list/:id", stripe_delete, false},
    {HTTP_POST, "/v1/:list/:id/:verb", stripe_act, false},
};

/* ---- the login ---------------------------------------------------------------------------- */

static int stripe_grant_answer(struct play_call *c, const struct oauth_grant *g)
{
	json_t *out = oauth_answer_json(g);

	json_set_str(out, "stripe_user_id", g->account);
	json_set_bool(out, "livemode", false);
	if (play_is(c, "apps_tokens"))
		json_object_del(out, "expires_in"); /* it ends after an hour all the same */
	return play_json(c, 200, out);
}

/* Tokens of Connect never end; those of Apps do, without a word. */
static void stripe_adjust(struct play_call *c, struct oauth_grant *g)
{
	g->access = play_random(c, "sk_sandbox_", 32);
	if (!play_is(c, "apps_tokens"))
		g->expires_s = 0;
}

static const struct play_oauth stripe_oauth = {.authorize = "/oauth/authorize",
    .token = "/oauth/token",
    .revoke = "/oauth/deauthorize",
    .flags = OAUTH_TELLS_SAME,
    .expires_s = 3600,
    .adjust = stripe_adjust,
    .answer = stripe_grant_answer};

/* ---- webhooks ----------------------------------------------------------------------------- */

static void stripe_hook(struct order *o, const char *type, json_t *object)
{
	const char *id =
	    arena_printf(o->c.a, "evt_sandbox%lld", (long long)play_next_number(&o->c, 100000));
	json_t *event = json_pack("{s:s,s:s,s:s,s:I,s:b,s:s,s:{s:o}}", "id",
	    order_wish(o, "id", id), "object", "event", "api_version", "2026-07-29.dahlia",
	    "created", (json_int_t)(o->now_us / SECOND_US), "livemode", 0, "type", type, "data",
	    "object", object);

	if (order_wish(o, "account", NULL) != NULL)
		json_set_str(event, "account", order_wish(o, "account", NULL));
	(void)play_put(&o->c, "events", json_str(event, "id"), json_incref(event));
	order_json(o, event);
}

static json_t *stripe_object(struct order *o, const char *kind)
{
	return json_incref(stripe_put(&o->c, kind, NULL,
	    json_own(o->c.a,
		json_pack("{s:I,s:s,s:s,s:s}", "amount",
		    (json_int_t)order_wish_number(o, "amount", 1200), "currency", "usd", "status",
		    "succeeded", "email", order_wish(o, "email", "ada@example.com")))));
}

static int stripe_charge(struct order *o)
{
	stripe_hook(o, "charge.succeeded", stripe_object(o, "charges"));
	return 0;
}

static int stripe_customer(struct order *o)
{
	stripe_hook(o, "customer.created", stripe_object(o, "customers"));
	return 0;
}

static int stripe_invoice(struct order *o)
{
	stripe_hook(o, "invoice.paid", stripe_object(o, "invoices"));
	return 0;
}

static int stripe_deauthorized(struct order *o)
{
	stripe_hook(o, "account.application.deauthorized",
	    json_pack("{s:s,s:s}", "id", "ca_sandbox", "object", "application"));
	return 0;
}

static int stripe_thin(struct order *o)
{
	const char *id =
	    arena_printf(o->c.a, "evt_thin%lld", (long long)play_next_number(&o->c, 100000));
	json_t *charge = json_own(o->c.a, stripe_object(o, "charges")), *event;

	event =
	    json_pack("{s:s,s:s,s:s,s:s,s:b,s:{s:s,s:s,s:s}}", "id", id, "object", "v2.core.event",
		"type", "v1.charge.succeeded", "created", clock_iso_dup(o->c.a, o->now_us),
		"livemode", 0, "related_object", "id", json_str(charge, "id"), "type", "charge",
		"url", arena_printf(o->c.a, "/v1/charges/%s", json_str(charge, "id")));
	(void)play_put(&o->c, "events", id, json_incref(event));
	order_json(o, event);
	return 0;
}

static void stripe_sign(struct order *o)
{
	const char *now = arena_printf(o->c.a, "%lld", (long long)(o->now_us / SECOND_US));

	order_header(o, "Stripe-Signature", sign_stripe(o->c.a, o->secret, now, o->body));
}

static const struct play_event stripe_events[] = {
    {"charge.succeeded", "a payment succeeds", stripe_charge},
    {"customer.created", "a customer is new", stripe_customer},
    {"invoice.paid", "an invoice is paid", stripe_invoice},
    {"account.application.deauthorized", "the app is taken away", stripe_deauthorized},
    {"thin", "a thin event, to be fetched", stripe_thin},
};

static const struct play_switch stripe_switches[] = {
    {"apps_tokens", SWITCH_FLAG, "tokens end after an hour, and no answer says so (Stripe Apps)"},
};

static void stripe_seed(struct play_call *c)
{
	for (int i = 1; i <= 3; i++) {
		(void)stripe_put(c, "customers", NULL,
		    json_own(c->a, json_pack("{s:s,s:s}", "email",
				       arena_printf(c->a, "payer%d@example.com", i), "name",
				       arena_printf(c->a, "Payer %d", i))));
		(void)stripe_put(c, "charges", NULL,
		    json_own(c->a, json_pack("{s:i,s:s,s:s}", "amount", 1000 * i, "currency", "usd",
				       "status", "succeeded")));
	}
}

const struct play play_stripe = {.name = "stripe",
    .label = "Stripe",
    .account = ACCOUNT,
    .secret = "sandbox-stripe-secret",
    PLAY_ROUTES(stripe_routes),
    .oauth = &stripe_oauth,
    PLAY_EVENTS(stripe_events),
    .sign = stripe_sign,
    PLAY_SWITCHES(stripe_switches),
    .token = stripe_token,
    .refuse = stripe_refuse,
    .seed = stripe_seed};
