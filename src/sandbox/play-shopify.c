/* Shopify: REST lists by Link headers, GraphQL of a few words, a login with a signed callback. */
#include "sandbox/play.h"
#include "sandbox/signing.h"

#define LIST_MAX 250
#define SHOP "sandbox-shop.myshopify.com"

static int shopify_refuse(struct play_call *c, enum refusal why, const char *text)
{
	switch (why) {
	case REFUSE_NO_TOKEN:
	case REFUSE_EXPIRED:
		return play_json(c, 401,
		    json_pack("{s:s}", "errors",
			"[API] Invalid API key or access token (unrecognized login or wrong "
			"password)"));
	case REFUSE_THROTTLED:
		res_header(c->r, "Retry-After", "2.0");
		return play_json(c, 429,
		    json_pack("{s:s}", "errors",
			"Exceeded 2 calls per second for api client. Reduce request rates to "
			"resume "
			"uninterrupted service."));
	case REFUSE_FORBIDDEN:
		return play_json(c, 403,
		    json_pack("{s:s}", "errors",
			"[API] This action requires merchant approval for read_orders scope."));
	case REFUSE_NOT_FOUND:
		return play_json(c, 404, json_pack("{s:s}", "errors", "Not Found"));
	case REFUSE_INVALID:
		return play_json(c, 422, json_pack("{s:{s:[s]}}", "errors", "base", text));
	case REFUSE_BROKEN:
		break;
	}
	return play_json(c, 500, json_pack("{s:s}", "errors", "Internal Server Error"));
}

static void shopify_headers(struct play_call *c)
{
	res_headerf(c->r, "X-Shopify-Shop-Api-Call-Limit", "%lld/40", (long long)play_used(c, 40));
	res_header(c->r, "X-Shopify-API-Version", "2026-10");
}

static struct str shopify_token(const struct play_call *c)
{
	const struct str token = req_header(c->r, "x-shopify-access-token");

	return token.n > 0 ? token : play_bearer_token(c);
}

/* ---- rows --------------------------------------------------------------------------------- */

/* "orders.json" → "orders"; false for what does not end so. */
static bool shopify_kind_read(struct play_call *c, const char *param, const char **kind)
{
	const struct str text = play_param(c, param);

	if (!str_ends(text, ".json"))
		return false;
	*kind = arena_strndup(c->a, text.p, text.n - 5);
	return true;
}

/* "orders" → "order": what one is called. */
static const char *shopify_one(struct play_call *c, const char *kind)
{
	return arena_strndup(c->a, kind, strlen(kind) - 1);
}

static const char *shopify_gid(struct play_call *c, const char *kind, const char *id)
{
	return arena_printf(c->a, "gid://shopify/%s/%s",
	    strcmp(kind, "orders") == 0      ? "Order"
	    : strcmp(kind, "customers") == 0 ? "Customer"
					     : "Product",
	    id);
}

static json_t *shopify_put(
    struct play_call *c, const char *kind, const json_t *former, const json_t *given)
{
	const char *now = clock_iso_dup(c->a, clock_now_us());
	const int64_t n = former != NULL ? json_int(former, "id")
					 : play_next_number(c, INT64_C(8209829119461000));
	const char *id = arena_printf(c->a, "%lld", (long long)n);
	json_t *row = former != NULL
			  ? json_deep_copy(former)
			  : json_pack("{s:I,s:s,s:s}", "id", (json_int_t)n, "admin_graphql_api_id",
				shopify_gid(c, kind, id), "created_at", now);

	json_object_update(row, (json_t *)(uintptr_t)given);
	json_set_str(row, "updated_at", now);
	return play_put(c, kind, id, row);
}

struct updated {
	int64_t from, until;
};

static bool updated_passes(const struct play_call *c, const json_t *row, const void *arg)
{
	const struct updated *t = arg;
	int64_t at;

	(void)c;
	return clock_parse_iso(str_from(json_str(row, "updated_at")), &at) && at >= t->from &&
	       at <= t->until;
}

static int shopify_list(struct play_call *c)
{
	const struct str info = play_arg(c, "page_info"), since = play_arg(c, "updated_at_min"),
			 until = play_arg(c, "updated_at_max");
	struct updated t = {0, INT64_MAX};
	const int64_t start = info.n > 0 ? play_cursor_place(info) : 0;
	struct play_page page;
	const char *kind;
	json_t *rows;

	if (!shopify_kind_read(c, "list", &kind))
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	if (start < 0 || (info.n > 0 && since.n > 0))
		return play_json(
		    c, 400, json_pack("{s:{s:s}}", "errors", "page_info", "Invalid value."));
	if ((since.n > 0 && !clock_parse_iso(since, &t.from)) ||
	    (until.n > 0 && !clock_parse_iso(until, &t.until)))
		return play_refuse(c, REFUSE_INVALID, "updated_at is invalid");
	rows = play_rows(c, kind, updated_passes, &t);
	page = play_page(c, rows, start, play_number(c, "limit", 50, LIST_MAX));
	if (page.next > 0)
		res_headerf(c->r, "Link", "<%s?limit=%lld&page_info=%s>; rel=\"next\"",
		    play_link(c, arena_printf(c->a, "%.*s", (int)c->path.n, c->path.p)),
		    (long long)play_number(c, "limit", 50, LIST_MAX), play_cursor(c, page.next));
	return play_json(c, 200, json_pack("{s:o}", kind, page.items));
}

static int shopify_search(struct play_call *c)
{
	struct play_page page = play_page(
	    c, play_rows(c, "customers", NULL, NULL), 0, play_number(c, "limit", 50, LIST_MAX));

	return play_json(c, 200, json_pack("{s:o}", "customers", page.items));
}

static int shopify_count(struct play_call *c)
{
	const struct str list = play_param(c, "list");
	json_t *rows = play_rows(c, arena_strndup(c->a, list.p, list.n), NULL, NULL);

	return play_json(c, 200, json_pack("{s:I}", "count", (json_int_t)json_array_size(rows)));
}

static int shopify_create(struct play_call *c)
{
	const char *kind;
	const json_t *given;

	if (!shopify_kind_read(c, "list", &kind))
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	given = json_object_get(c->body, shopify_one(c, kind));
	if (!json_is_object(given))
		return play_refuse(c, REFUSE_INVALID, "Required parameter missing or invalid");
	return play_json(
	    c, 201, json_pack("{s:O}", shopify_one(c, kind), shopify_put(c, kind, NULL, given)));
}

static json_t *shopify_named(struct play_call *c, const char **kind)
{
	const struct str list = play_param(c, "list");
	const char *id;

	*kind = arena_strndup(c->a, list.p, list.n);
	return shopify_kind_read(c, "id", &id) ? play_get(c, *kind, str_from(id)) : NULL;
}

static int shopify_get(struct play_call *c)
{
	const char *kind;
	json_t *row = shopify_named(c, &kind);

	return row != NULL ? play_json(c, 200, json_pack("{s:O}", shopify_one(c, kind), row))
			   : play_refuse(c, REFUSE_NOT_FOUND, NULL);
}

static int shopify_update(struct play_call *c)
{
	const char *kind;
	const json_t *row = shopify_named(c, &kind);

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	return play_json(c, 200,
	    json_pack("{s:O}", shopify_one(c, kind),
		shopify_put(c, kind, row, json_object_get(c->body, shopify_one(c, kind)))));
}

static int shopify_delete(struct play_call *c)
{
	const char *kind;
	json_t *row = shopify_named(c, &kind);

	if (row == NULL)
		return play_refuse(c, REFUSE_NOT_FOUND, NULL);
	play_drop(c, kind, str_from(json_scalar_text(c->a, json_object_get(row, "id"))));
	return play_json(c, 200, json_object());
}

static int shopify_shop(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:{s:i,s:s,s:s,s:s,s:s}}", "shop", "id", 690933842, "name", "Sandbox shop",
		"email", "shop@example.com", "domain", SHOP, "myshopify_domain", SHOP));
}

/* ---- GraphQL ------------------------------------------------------------------------------ */

static json_t *shopify_cost(void)
{
	return json_pack("{s:{s:i,s:i,s:{s:f,s:i,s:f}}}", "cost", "requestedQueryCost", 3,
	    "actualQueryCost", 3, "throttleStatus", "maximumAvailable", 2000.0,
	    "currentlyAvailable", 1997, "restoreRate", 100.0);
}

static int graphql_throttled(struct play_call *c)
{
	return play_json(c, 200,
	    json_pack("{s:[{s:s,s:{s:s}}],s:{s:{s:i,s:{s:f,s:i,s:f}}}}", "errors", "message",
		"Throttled", "extensions", "code", "THROTTLED", "extensions", "cost",
		"requestedQueryCost", 3, "throttleStatus", "maximumAvailable", 2000.0,
		"currentlyAvailable", 0, "restoreRate", 100.0));
}

static json_t *graphql_list(struct play_call *c, const char *kind)
{
	const json_t *variables = json_object_get(c->body, "variables");
	const char *after = json_str(variables, "after");
	const int64_t start = after != NULL ? play_cursor_place(str_from(after)) : 0,
		      first = json_int(variables, "first");
	json_t *rows = play_rows(c, kind, NULL, NULL), *nodes = json_array(), *row;
	struct play_page page = play_page(c, rows, start, first > 0 ? first : 50);
	size_t i;

	json_array_each(page.items, i, row) {
		json_t *node = json_copy(row);

		json_object_set(node, "legacyResourceId", json_object_get(row, "id"));
		json_object_set(node, "id", json_object_get(row, "admin_graphql_api_id"));
		json_object_set(node, "createdAt", json_object_get(row, "created_at"));
		json_object_set(node, "updatedAt", json_object_get(row, "updated_at"));
		json_array_append_new(nodes, node);
	}
	json_decref(page.items);
	return json_pack("{s:{s:o,s:{s:b,s:s?}}}", kind, "nodes", nodes, "pageInfo", "hasNextPage",
	    page.next > 0, "endCursor", page.next > 0 ? play_cursor(c, page.next) : NULL);
}

static json_t *graphql_subscribe(struct play_call *c)
{
	const json_t *variables = json_object_get(c->body, "variables");
	const char *topic = json_scalar_text(c->a, json_object_get(variables, "topic")),
		   *id = arena_printf(c->a, "gid://shopify/WebhookSubscription/%lld",
		       (long long)play_next_number(c, 1000));

	(void)play_put(c, "subscriptions", id,
	    json_pack("{s:s,s:s?,s:O?}", "id", id, "topic", topic, "asked", variables));
	return json_pack("{s:{s:{s:s,s:s?},s:[]}}", "webhookSubscriptionCreate",
	    "webhookSubscription", "id", id, "topic", topic, "userErrors");
}

static json_t *graphql_data(struct play_call *c, const char *query)
{
	static const char *const kinds[] = {"orders", "customers", "products"};

	if (strstr(query, "webhookSubscriptionCreate") != NULL)
		return graphql_subscribe(c);
	if (strstr(query, "webhookSubscriptionDelete") != NULL) {
		const char *id = json_str(json_object_get(c->body, "variables"), "id");

		play_drop(c, "subscriptions", str_from(id));
		return json_pack("{s:{s:s?,s:[]}}", "webhookSubscriptionDelete",
		    "deletedWebhookSubscriptionId", id, "userErrors");
	}
	if (strstr(query, "webhookSubscriptions") != NULL)
		return json_pack("{s:{s:O,s:{s:b}}}", "webhookSubscriptions", "nodes",
		    play_rows(c, "subscriptions", NULL, NULL), "pageInfo", "hasNextPage", 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(query, kinds[i]) != NULL)
			return graphql_list(c, kinds[i]);
	if (strstr(query, "shop") != NULL)
		return json_pack("{s:{s:s,s:s,s:s}}", "shop", "id", "gid://shopify/Shop/690933842",
		    "name", "Sandbox shop", "myshopifyDomain", SHOP);
	return NULL;
}

static int shopify_graphql(struct play_call *c)
{
	const char *query = json_str(c->body, "query");
	json_t *data = query != NULL ? graphql_data(c, query) : NULL;

	if (play_switch_use(c, "graphql_throttled")) {
		json_decref(data);
		return graphql_throttled(c);
	}
	if (data == NULL)
		return play_json(c, 200,
		    json_pack("{s:[{s:s}]}", "errors", "message",
			"The sandbox does not play this query"));
	return play_json(
	    c, 200, json_pack("{s:o,s:o}", "data", data, "extensions", shopify_cost()));
}

/* The address of webhooks, by REST. */
static int shopify_webhooks(struct play_call *c)
{
	return play_json(
	    c, 200, json_pack("{s:O}", "webhooks", play_rows(c, "webhooks", NULL, NULL)));
}

#define API "/admin/api/:version"
static const struct play_route shopify_routes[] = {
    {HTTP_POST, API "/graphql.json", shopify_graphql, false},
    {HTTP_GET, API "/shop.json", shopify_shop, false},
    {HTTP_GET, API "/webhooks.json", shopify_webhooks, false},
    {HTTP_GET, API "/customers/search.json", shopify_search, false},
    {HTTP_GET, API "/:list/count.json", shopify_count, false},
    {HTTP_GET, API "/:list", shopify_list, false},
    {HTTP_POST, API "/:list", shopify_create, false},
    {HTTP_GET, API "/:list/:id", shopify_get, false},
    {HTTP_PUT, API "/:list/:id", shopify_update, false},
    {HTTP_DELETE, API "/:list/:id", shopify_delete, false},
};

/* ---- the login ---------------------------------------------------------------------------- */

/* Signed by the app's secret; the switch foreign_shop names a shop that is none of Shopify's. */
static void shopify_callback(
    struct play_call *c, const char *code, const char *state, struct buf *query)
{
	const char *shop = c->host.n > 0 ? arena_strndup(c->a, c->host.p, c->host.n) : SHOP;
	const struct str client = play_arg(c, "client_id");
	const char *secret = arena_printf(c->a, "%.*s" OAUTH_SECRET_END, (int)client.n, client.p);

	if (play_is(c, "foreign_shop"))
		shop = "shop.example.org";
	buf_printf(query, "code=%s&shop=%s", code, shop);
	if (state != NULL) {
		buf_str(query, "&state=");
		percent_encode(query, str_from(state));
	}
	buf_printf(query, "&timestamp=%lld", (long long)(clock_now_us() / SECOND_US));
	buf_printf(query, "&hmac=%s", sign_shopify_query(c->a, secret, query->p));
}

/* Only who asks for tokens that end gets a refresh token. */
static bool shopify_may_refresh(const struct play_call *c, const json_t *authorization)
{
	return authorization == NULL || str_is(play_arg(c, "expiring"), "1");
}

static void shopify_adjust(struct play_call *c, struct oauth_grant *g)
{
	g->access = play_random(c, "shpat_sandbox", 32);
	if (g->refresh == NULL)
		g->expires_s = 0;
}

static const struct play_oauth shopify_oauth = {.authorize = "/admin/oauth/authorize",
    .token = "/admin/oauth/access_token",
    .flags = OAUTH_ROTATES | OAUTH_KEEPS_FORMER | OAUTH_CLIENT_GRANT,
    .expires_s = 3600,
    .refresh_s = 7776000,
    .may_refresh = shopify_may_refresh,
    .adjust = shopify_adjust,
    .callback = shopify_callback};

/* ---- webhooks ----------------------------------------------------------------------------- */

static void shopify_hook(struct order *o, const char *topic, json_t *body)
{
	const char *id = play_random(&o->c, "sandbox-event-", 16);

	order_json(o, body);
	order_header(o, "X-Shopify-Topic", topic);
	order_header(o, "X-Shopify-Shop-Domain", order_wish(o, "shop", SHOP));
	order_header(o, "X-Shopify-API-Version", "2026-10");
	order_header(o, "X-Shopify-Webhook-Id", play_random(&o->c, "sandbox-webhook-", 16));
	order_header(o, "X-Shopify-Event-Id", order_wish(o, "event_id", id));
	order_header(o, "X-Shopify-Triggered-At", clock_iso_dup(o->c.a, o->now_us));
}

static json_t *shopify_order_row(struct order *o)
{
	return shopify_put(&o->c, "orders", NULL,
	    json_own(o->c.a, json_pack("{s:s,s:s,s:s,s:s,s:s,s:[]}", "name", "#1001", "email",
				 order_wish(o, "email", "ada@example.com"), "currency", "USD",
				 "total_price", order_wish(o, "total_price", "10.00"),
				 "financial_status", "paid", "line_items")));
}

static int shopify_order_created(struct order *o)
{
	shopify_hook(o, "orders/create", json_incref(shopify_order_row(o)));
	return 0;
}

static int shopify_order_updated(struct order *o)
{
	shopify_hook(o, "orders/updated", json_incref(shopify_order_row(o)));
	return 0;
}

static int shopify_customer_created(struct order *o)
{
	shopify_hook(o, "customers/create",
	    json_incref(shopify_put(&o->c, "customers", NULL,
		json_own(o->c.a,
		    json_pack("{s:s,s:s,s:s}", "email", order_wish(o, "email", "new@example.com"),
			"first_name", "New", "last_name", "Customer")))));
	return 0;
}

static int shopify_uninstalled(struct order *o)
{
	shopify_hook(o, "app/uninstalled",
	    json_pack("{s:i,s:s,s:s}", "id", 690933842, "name", "Sandbox shop", "myshopify_domain",
		SHOP));
	return 0;
}

static int shopify_redact(struct order *o)
{
	shopify_hook(o, "customers/redact",
	    json_pack("{s:i,s:s,s:{s:I,s:s},s:[]}", "shop_id", 690933842, "shop_domain", SHOP,
		"customer", "id", (json_int_t)order_wish_number(o, "customer_id", 207119551),
		"email", order_wish(o, "email", "ada@example.com"), "orders_to_redact"));
	return 0;
}

static void shopify_sign(struct order *o)
{
	order_header(o, "X-Shopify-Hmac-Sha256", sign_shopify(o->c.a, o->secret, o->body));
}

static const struct play_event shopify_events[] = {
    {"orders/create", "an order is made", shopify_order_created},
    {"orders/updated", "an order changes", shopify_order_updated},
    {"customers/create", "a customer is new", shopify_customer_created},
    {"customers/redact", "a customer's data are to be erased", shopify_redact},
    {"app/uninstalled", "the app is taken away", shopify_uninstalled},
};

static const struct play_switch shopify_switches[] = {
    {"foreign_shop", SWITCH_FLAG, "the login's callback names a shop that is none of Shopify's"},
    {"graphql_throttled", SWITCH_NUMBER, "so many GraphQL calls are told to slow down, in a 200"},
};

static void shopify_seed(struct play_call *c)
{
	for (int i = 1; i <= 3; i++) {
		(void)shopify_put(c, "customers", NULL,
		    json_own(
			c->a, json_pack("{s:s,s:s,s:s}", "email",
				  arena_printf(c->a, "customer%d@example.com", i), "first_name",
				  "Customer", "last_name", arena_printf(c->a, "No. %d", i))));
		(void)shopify_put(c, "orders", NULL,
		    json_own(c->a,
			json_pack("{s:s,s:s,s:s,s:s,s:[]}", "name",
			    arena_printf(c->a, "#%d", 1000 + i), "email",
			    arena_printf(c->a, "customer%d@example.com", i), "currency", "USD",
			    "total_price", arena_printf(c->a, "%d0.00", i), "line_items")));
	}
	(void)shopify_put(c, "products", NULL,
	    json_own(
		c->a, json_pack("{s:s,s:s}", "title", "Difference engine", "vendor", "Sandbox")));
}

const struct play play_shopify = {.name = "shopify",
    .label = "Shopify",
    .account = SHOP,
    .secret = OAUTH_SECRET,
    .site = SHOP,
    PLAY_ROUTES(shopify_routes),
    .oauth = &shopify_oauth,
    PLAY_EVENTS(shopify_events),
    .sign = shopify_sign,
    PLAY_SWITCHES(shopify_switches),
    .token = shopify_token,
    .refuse = shopify_refuse,
    .headers = shopify_headers,
    .seed = shopify_seed};
